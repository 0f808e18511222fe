//! Many callers at once, in one process and in several: each gets what it would have got alone, nobody is left behind, and
//! those who wait together share a sync.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use counterfoil::{AccountId, Ledger, Receipt, Request, Result};

use crate::support::folder;

const FILE: &str = "COUNTERFOIL_TOGETHER_FILE";
const NAME: &str = "COUNTERFOIL_TOGETHER_NAME";
const THREADS: &str = "COUNTERFOIL_TOGETHER_THREADS";
const EACH: &str = "COUNTERFOIL_TOGETHER_EACH";
const SECONDS: &str = "COUNTERFOIL_TOGETHER_SECONDS";

fn start(path: &Path) -> Ledger {
    let ledger = Ledger::create(path).unwrap();
    apply(&ledger, r#"{"op":"recharge","account":"b","key":"start","points":1000000,"source":"wxpay"}"#).unwrap();
    ledger
}

fn apply(ledger: &Ledger, line: &str) -> Result<Receipt> {
    ledger.apply(&Request::parse(line)?)
}

/// What `threads` threads do, each until told to stop; the charges made, and the longest wait.
fn charge(ledger: &Ledger, name: &str, threads: usize, more: &(dyn Fn(usize) -> bool + Sync)) -> (usize, Duration) {
    std::thread::scope(|scope| {
        let run = |thread: usize| {
            let (mut made, mut longest) = (0, Duration::ZERO);
            while more(made) {
                let before = Instant::now();
                let line = format!(r#"{{"op":"consume","account":"b","key":"{name}:{thread}:{made}","points":2}}"#);
                apply(ledger, &line).unwrap();
                longest = longest.max(before.elapsed());
                made += 1;
            }
            (made, longest)
        };
        let callers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .fold((0, Duration::ZERO), |sum, one| (sum.0 + one.0, sum.1.max(one.1)))
    })
}

/// Sixteen threads, and some of what they want is refused or asked twice: the books are those of somebody who did it all one
/// after the other.
#[test]
fn many_threads_book_what_one_would() {
    let folder = folder();
    let ledger = start(&folder.path().join("together.ledger"));
    let limited = |n: usize| format!(r#"{{"op":"recharge","account":"few","key":"{n}","points":5,"source":"wxpay"}}"#);
    (0..10).for_each(|n| drop(apply(&ledger, &limited(n)).unwrap()));
    let strict = |thread: usize| {
        let line = format!(r#"{{"op":"consume","account":"few","key":"{thread}","points":10,"policy":"strict"}}"#);
        apply(&ledger, &line).map_err(|error| error.code())
    };
    std::thread::scope(|scope| {
        let run = |thread: usize| {
            for n in 0..20 {
                // Two threads want each key: one books it, the other is told so.
                let key = format!("{}:{n}", thread / 2);
                let line = format!(r#"{{"op":"consume","account":"b","key":"{key}","points":3}}"#);
                let receipt = apply(&ledger, &line).unwrap();
                assert_eq!(receipt.points, 3);
            }
            strict(thread)
        };
        let callers: Vec<_> = (0..16).map(|thread| scope.spawn(move || run(thread))).collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
        assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|code| *code == "insufficient_points"));
    });
    let available = |id: &str| ledger.balance(&AccountId::new(id).unwrap()).unwrap().figures.available.get();
    assert_eq!((available("b"), available("few")), (1_000_000 - 8 * 20 * 3, 0));
    assert_eq!(ledger.info().unwrap().operations, 1 + 10 + 8 * 20 + 5);
    assert!(ledger.verify().unwrap().ok);
}

/// Not a test of its own: the child's life. Without the environment variables there is nothing to do.
#[test]
fn child() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (Ok(path), Ok(name), Some(threads)) = (std::env::var(FILE), std::env::var(NAME), number(THREADS)) else {
        return;
    };
    let ledger = Ledger::open(path).unwrap();
    let (made, longest) = match (number(EACH), number(SECONDS)) {
        (Some(each), _) => charge(&ledger, &name, threads, &|made| made < each),
        (None, seconds) => {
            let end = Instant::now() + Duration::from_secs(seconds.unwrap() as u64);
            charge(&ledger, &name, threads, &|_| Instant::now() < end)
        }
    };
    println!("\nmade {made} {}", longest.as_millis());
}

fn child_of(mut command: Command, path: &Path, name: &str, threads: usize) -> Command {
    command.args(["--exact", "together::child", "--nocapture", "--test-threads=1"]);
    command.env(FILE, path).env(NAME, name).env(THREADS, threads.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// Callers who come together share a sync. Counted with strace where it is installed (see `crash.rs`), each sync made
/// slower, so that the others have time to come.
#[test]
fn callers_who_wait_together_share_a_sync() {
    const CALLERS: usize = 8;
    if !crate::support::strace_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synced.ledger");
    start(&path).close().unwrap();
    let syncs = |name: &str, each: usize| -> usize {
        let counts = folder.path().join("counts");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync"]);
        strace.args(["-e", "inject=fsync,fdatasync:delay_exit=20000", "-o"]).arg(&counts);
        strace.arg(std::env::current_exe().unwrap());
        let status = child_of(strace, &path, name, CALLERS).env(EACH, each.to_string()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
        std::fs::read_to_string(&counts).unwrap().lines().filter(|line| line.contains("sync(")).count()
    };
    let (few, many) = (syncs("few", 5), syncs("many", 25));
    // Twenty operations more of each.
    assert!((many - few) * 10 <= 20 * 13, "{few} syncs, then {many}, for twenty more of each of {CALLERS}");
}

/// A host kept a ledger for each project open. Each file had three threads of its own, so ten had thirty. However many are
/// open, there is one, and a forked child, which has none of its parent's threads, reads by one of its own.
#[cfg(target_os = "linux")]
#[test]
fn many_open_ledgers_share_one_thread() {
    const MANY: &str = "COUNTERFOIL_TOGETHER_MANY";
    let Some(folder) = std::env::var_os(MANY) else {
        let folder = folder();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "together::many_open_ledgers_share_one_thread", "--test-threads=1"]);
        assert!(child.env(MANY, folder.path()).status().unwrap().success());
        return;
    };
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let available = |ledger: &Ledger| ledger.balance(&AccountId::new("b").unwrap()).unwrap().figures.available;
    let path = |name: &str| Path::new(&folder).join(format!("{name}.ledger"));
    let before = threads();
    let ledgers: Vec<Ledger> = (0..10).map(|n| start(&path(&n.to_string()))).collect();
    assert!(ledgers.iter().all(|ledger| available(ledger) == 1_000_000));
    assert_eq!(threads() - before, 1);
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            let answer = available(&start(&path("of the child")));
            std::process::exit(i32::from(answer != 1_000_000));
        }
        fork::Fork::Parent(child) => assert_eq!(fork::waitpid(child).unwrap(), 0),
    }
    assert!(ledgers.iter().all(|ledger| available(ledger) == 1_000_000));
}

/// Four processes of four threads each, for a while: nobody is turned away. What it says about shares and waits is a
/// measurement, so it is run by hand: `cargo test --release --test it together::four -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn four_processes_get_their_share() {
    let folder = match std::env::var_os("COUNTERFOIL_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let path = folder.as_ref().unwrap().path().join("shared.ledger");
    start(&path).close().unwrap();
    for round in 0..3 {
        let exe = std::env::current_exe().unwrap();
        let spawn = |n: usize| {
            let mut child = child_of(Command::new(&exe), &path, &format!("{round}:{n}"), 4);
            child.env(SECONDS, "3").spawn().unwrap()
        };
        let children: Vec<_> = (0..4).map(spawn).collect();
        let said: Vec<(usize, u64)> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success());
                let text = String::from_utf8(output.stdout).unwrap();
                let made = text.lines().find_map(|line| line.strip_prefix("made ")).unwrap();
                let (made, longest) = made.split_once(' ').unwrap();
                (made.parse().unwrap(), longest.parse().unwrap())
            })
            .collect();
        let made: Vec<usize> = said.iter().map(|one| one.0).collect();
        println!(
            "{} per second, slowest / fastest {:.2}, longest wait {} ms: {made:?}",
            made.iter().sum::<usize>() / 3,
            *made.iter().min().unwrap() as f64 / *made.iter().max().unwrap() as f64,
            said.iter().map(|one| one.1).max().unwrap(),
        );
    }
    assert!(Ledger::open(&path).unwrap().verify().unwrap().ok);
}
