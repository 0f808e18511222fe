//! Power gone in the middle: a charging child is killed with SIGKILL again and again. Whatever it had acknowledged is
//! there, everything else is wholly there or wholly absent, and the file verifies. So it is with several that charge one file.
//!
//! The child is this test binary run again with an environment variable. `COUNTERFOIL_KILLS=2000` runs a longer hunt.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use counterfoil::{AccountId, Ledger, Receipt, Request, Result};

use crate::against::folder;
use crate::model::generate::Random;

const FILE: &str = "COUNTERFOIL_CHILD_FILE";
const FIRST: &str = "COUNTERFOIL_CHILD_FIRST";
const LAST: &str = "COUNTERFOIL_CHILD_LAST";

/// The n-th piece of work: always the same lines under the same keys, so that anybody can repeat them.
fn work(ledger: &Ledger, n: u64) -> Result<Vec<Receipt>> {
    let mut run = ledger.batch_run();
    let lines = [
        format!(r#"{{"op":"recharge","account":"a{}","key":"r{n}","points":50,"source":"wxpay"}}"#, n % 3),
        format!(r#"{{"op":"consume","account":"a{}","key":"c{n}","points":{}}}"#, n % 3, 20 + n % 60),
        format!(r#"{{"op":"hold","account":"b","key":"h{n}","points":4,"deadline_seconds":60}}"#),
        format!(r#"{{"op":"capture","hold":{{"ref_line":2}},"key":"k{n}","points":3}}"#),
        format!(r#"{{"op":"refund","operation":{{"ref_line":1}},"key":"f{n}","points":5,"reason":"test"}}"#),
        format!(r#"{{"op":"transfer","account":"b","key":"t{n}","to":"a{}","points":1}}"#, n % 3),
    ];
    lines.iter().zip(0..).map(|(line, place)| run.apply(place, &Request::parse(line)?)).collect()
}

fn start(path: &Path) -> Ledger {
    let ledger = Ledger::options().create_if_missing(true).open(path).unwrap();
    let line = r#"{"op":"recharge","account":"b","key":"start","points":1000000,"source":"wxpay"}"#;
    ledger.apply(&Request::parse(line).unwrap()).unwrap();
    ledger
}

/// Not a test of its own: the child's life. Without the environment variable there is nothing to do.
#[test]
fn child() {
    let (Ok(path), Ok(first), Ok(last)) = (std::env::var(FILE), std::env::var(FIRST), std::env::var(LAST)) else {
        return;
    };
    let ledger = Ledger::open(path).unwrap();
    for n in first.parse::<u64>().unwrap()..last.parse::<u64>().unwrap() {
        work(&ledger, n).unwrap();
        println!("\nacknowledged {n}");
    }
}

fn spawn(path: &Path, first: u64, last: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .env(LAST, last.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ").and_then(|n| n.parse().ok())
}

/// Each process has numbers of its own.
const APART: u64 = 1_000_000_000;

/// One to four processes that charge the same file until they are killed, all at once: the last work each has acknowledged.
fn charge_and_die(path: &Path, nexts: &[u64], random: &mut Random) -> Vec<Option<u64>> {
    let mut children: Vec<Child> = nexts.iter().map(|next| spawn(path, *next, u64::MAX)).collect();
    let mut lines: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines()).collect();
    let mut last = vec![None; nexts.len()];
    let wanted = random.range(1, 6);
    let mut seen = 0;
    while seen < wanted {
        let line = lines[0].next().unwrap().unwrap();
        if let Some(n) = acknowledged(&line) {
            last[0] = Some(n);
            seen += 1;
        }
    }
    std::thread::sleep(Duration::from_micros(random.range(0, 3_000).unsigned_abs()));
    children.iter_mut().for_each(|child| child.kill().unwrap());
    for child in &mut children {
        child.wait().unwrap();
    }
    // What they still said before they died counts as well.
    for (last, lines) in last.iter_mut().zip(lines) {
        *last = lines.map_while(std::result::Result::ok).filter_map(|line| acknowledged(&line)).last().or(*last);
    }
    last
}

#[test]
fn killed_again_and_again() {
    let kills: u64 = std::env::var("COUNTERFOIL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let folder = folder();
    let path = folder.path().join("killed.ledger");
    let mut random = Random::new(kills);
    let mut nexts = [0, APART, 2 * APART, 3 * APART];
    start(&path).close().unwrap();
    let mut kill = 0;
    while kill < kills {
        let processes = 1 + (kill % 4) as usize;
        let last = charge_and_die(&path, &nexts[..processes], &mut random);
        kill += processes as u64;
        let ledger = Ledger::open(&path).unwrap();
        for (next, last) in nexts.iter_mut().zip(last) {
            let flying = last.map_or(*next, |last| last + 1);
            for n in *next..flying {
                let again = work(&ledger, n).unwrap();
                assert!(
                    again.iter().all(|receipt| receipt.replayed),
                    "kill {kill}: work {n} was acknowledged and is not there: {again:#?}"
                );
            }
            // The one in flight: each operation is there or not, a beginning of the six and nothing after a gap.
            let flight = work(&ledger, flying).unwrap();
            let there: Vec<bool> = flight.iter().map(|receipt| receipt.replayed).collect();
            assert!(there.windows(2).all(|pair| pair[0] || !pair[1]), "kill {kill}: {there:?}");
            *next = flying + 1;
        }
        let verified = ledger.verify().unwrap();
        assert!(verified.ok, "kill {kill}: {:#?}", verified.faults);
        // Sometimes left as the crash left it, sometimes closed cleanly.
        if kill % 2 == 0 {
            ledger.close().unwrap();
        }
    }
}

/// An app and another process charge the same file: both get on, and nobody is turned away.
#[test]
fn two_processes_on_one_file() {
    let folder = folder();
    let path = folder.path().join("shared.ledger");
    let ledger = start(&path);
    let mut child = spawn(&path, 1_000, 1_040);
    let reader = BufReader::new(child.stdout.take().unwrap());
    let other = std::thread::spawn(move || {
        reader.lines().map_while(std::result::Result::ok).filter(|line| acknowledged(line).is_some()).count()
    });
    let mut mine = 0;
    while child.try_wait().unwrap().is_none() {
        work(&ledger, mine).unwrap();
        mine += 1;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(other.join().unwrap(), 40);
    assert!(mine >= 5, "the app got on {mine} times beside 40 of the other process");
    assert!(ledger.verify().unwrap().ok);
}

/// Many threads on one handle: each is served, in turn, and the sum is right.
#[test]
fn threads_take_turns() {
    let folder = folder();
    let ledger = start(&folder.path().join("threads.ledger"));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let ledger = &ledger;
            scope.spawn(move || {
                for n in 0..25 {
                    let line = format!(r#"{{"op":"consume","account":"b","key":"{thread}:{n}","points":2}}"#);
                    ledger.apply(&Request::parse(&line).unwrap()).unwrap();
                }
            });
        }
    });
    let balance = ledger.balance(&AccountId::new("b").unwrap()).unwrap();
    assert_eq!(balance.figures.available, 1_000_000 - 8 * 25 * 2);
    assert!(ledger.verify().unwrap().ok);
}

/// Durable per operation: one sync each for a lone caller. Counted with strace where it is installed; the continuous
/// integration installs it and insists (`COUNTERFOIL_STRACE=1`).
#[test]
fn one_sync_for_a_lone_operation() {
    if !crate::support::strace_is_there() {
        return;
    }
    // On a real disk folder: a file in memory has nothing to sync, but the calls are counted all the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synced.ledger");
    start(&path).close().unwrap();
    let syncs = |pieces: u64, first: u64| -> i64 {
        let counts = folder.path().join("counts");
        let status = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&counts)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
            .env(FILE, &path)
            .env(FIRST, first.to_string())
            .env(LAST, (first + pieces).to_string())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let text = std::fs::read_to_string(&counts).unwrap();
        i64::try_from(text.lines().filter(|line| line.contains("sync(")).count()).unwrap()
    };
    let (few, many) = (syncs(5, 0), syncs(15, 100));
    // Ten pieces of work more are sixty operations more.
    assert_eq!(many - few, 60, "{few} syncs, then {many}");
}
