//! Hours of an app's life: it charges with several threads while somebody reads without an end and its clock jumps, and is killed again
//! and again. Each time everything it acknowledged is there; and memory, descriptors and `-wal` stay within their bounds.
//!
//! `COUNTERFOIL_SOAK=14400` runs it for so many seconds (eight in the suite), `COUNTERFOIL_SEED=17` begins elsewhere.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::{Ledger, Options, Request};

use crate::against::{folder, number};
use crate::model::generate::Random;

const FILE: &str = "COUNTERFOIL_SOAK_FILE";
const RUN: &str = "COUNTERFOIL_SOAK_RUN";

const THREADS: u64 = 3;
const ACCOUNTS: i64 = 200;

/// Bounds of a process: memory, descriptors, and what its `-wal` takes while somebody reads from it for half a second.
const MOST_MEMORY: u64 = 256 << 20;
const MOST_DESCRIPTORS: usize = 64;
const MOST_WAL: u64 = 512 << 20;
/// What a `-wal` keeps when nobody holds it up.
const USUAL_WAL: u64 = 64 << 20;

fn options() -> Options {
    Ledger::options().busy_timeout(Duration::from_secs(20))
}

/// What a thread charges: always the same under the same key.
fn line(key: &str, random: &mut Random) -> String {
    let account = format!("a{}", random.range(0, ACCOUNTS));
    let points = random.range(1, 50);
    match random.range(0, 9) {
        0 | 1 => format!(
            r#"{{"op":"recharge","account":"{account}","key":"{key}","points":{points},"source":"s","expires_in_days":{}}}"#,
            random.range(1, 400)
        ),
        2 => format!(
            r#"{{"op":"hold","account":"{account}","key":"{key}","points":{points},"deadline_seconds":{}}}"#,
            random.range(1, 3_600)
        ),
        _ => format!(r#"{{"op":"consume","account":"{account}","key":"{key}","points":{points}}}"#),
    }
}

/// Not a test of its own: the app's life, which ends when it is killed.
#[test]
fn child() {
    let (Ok(path), Ok(run)) = (std::env::var(FILE), std::env::var(RUN)) else { return };
    let run: u64 = run.parse().unwrap();
    let clock = ManualClock::default();
    clock.set(Utc::now());
    let ledger = options().clock(Arc::new(clock.clone())).open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let ledger = &ledger;
            scope.spawn(move || charge(ledger, run, thread));
        }
        scope.spawn(|| jump(&clock, run));
        scope.spawn(|| read_without_an_end(Path::new(&path)));
    });
}

fn charge(ledger: &Ledger, run: u64, thread: u64) {
    let mut random = Random::new(run * THREADS + thread);
    for n in 0.. {
        let key = format!("{run}:{thread}:{n}");
        match ledger.apply(&Request::parse(&line(&key, &mut random)).unwrap()) {
            Ok(receipt) => {
                // The line is whole or not there: it is one write.
                let said = format!("acknowledged {key} {}\n", receipt.operation);
                std::io::stdout().write_all(said.as_bytes()).unwrap();
            }
            Err(error) if error.code() == "insufficient_points" || error.code() == "account_in_debt" => {}
            Err(error) => {
                println!("failed {key} {}: {error}", error.code());
                return;
            }
        }
    }
}

/// Mostly right; sometimes hours fast, a year fast or slow, for a moment.
fn jump(clock: &ManualClock, run: u64) {
    let mut random = Random::new(run + 1_000_000);
    loop {
        let hours = match random.range(0, 20) {
            0 => random.range(-48, 48),
            1 => 24 * 365 * random.range(-2, 2),
            _ => 0,
        };
        clock.set(Utc::now() + TimeDelta::hours(hours));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Somebody else's program, which keeps what it reads.
fn read_without_an_end(path: &Path) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    loop {
        conn.execute_batch("BEGIN").unwrap();
        let seen: i64 = conn.query_row("SELECT count(*) FROM operation", [], |row| row.get(0)).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let again: i64 = conn.query_row("SELECT count(*) FROM operation", [], |row| row.get(0)).unwrap();
        assert_eq!(seen, again);
        conn.execute_batch("COMMIT").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The most that was seen of a process.
#[derive(Debug, Default)]
struct Most {
    memory: u64,
    descriptors: usize,
    wal: u64,
}

impl Most {
    fn look(&mut self, child: &Child, path: &Path) {
        let process = format!("/proc/{}", child.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let memory = resident.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10;
        let descriptors = fs::read_dir(format!("{process}/fd")).map_or(0, Iterator::count);
        self.memory = self.memory.max(memory);
        self.descriptors = self.descriptors.max(descriptors);
        self.wal = self.wal.max(wal(path));
    }
}

fn wal(path: &Path) -> u64 {
    fs::metadata(path.with_extension("ledger-wal")).map_or(0, |wal| wal.len())
}

/// One life of the app, ended by a kill; what it said.
fn live(path: &Path, run: u64, long: Duration, most: &mut Most) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "soak::child", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let hear = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<String>>());
    let until = Instant::now() + long;
    while Instant::now() < until {
        most.look(&child, path);
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    hear.join().unwrap()
}

/// What was acknowledged is there under its id.
fn all_there(ledger: &Ledger, said: &[String], run: u64) -> usize {
    let mut acknowledged = 0;
    for line in said {
        assert!(!line.starts_with("failed "), "run {run}: {line}");
        let Some(rest) = line.strip_prefix("acknowledged ") else { continue };
        let (key, id) = rest.split_once(' ').unwrap();
        let found = ledger.operation_named(&format!("key:{key}"), None);
        let found = found.unwrap_or_else(|error| panic!("run {run}: {key} was acknowledged: {error}"));
        assert_eq!(found.to_string(), id, "run {run}: {key}");
        acknowledged += 1;
    }
    acknowledged
}

#[test]
fn an_app_lives_for_hours() {
    let seconds = number("COUNTERFOIL_SOAK", 8);
    let folder = folder();
    let path = folder.path().join("soak.ledger");
    Ledger::create(&path).unwrap().close().unwrap();
    let mut random = Random::new(number("COUNTERFOIL_SEED", 0));
    let (until, mut most) = (Instant::now() + Duration::from_secs(seconds), Most::default());
    let (mut runs, mut acknowledged) = (0, 0);
    while Instant::now() < until {
        // Half a minute on average, and in the suite two seconds.
        let long = Duration::from_millis(random.range(500, (seconds as i64 * 400).clamp(1_000, 60_000)) as u64);
        let said = live(&path, runs, long, &mut most);
        let ledger = options().open(&path).unwrap();
        acknowledged += all_there(&ledger, &said, runs);
        let verification = ledger.verify().unwrap();
        assert!(verification.ok, "run {runs}: {:#?}", verification.faults);
        ledger.close().unwrap();
        let left = wal(&path);
        assert!(left < USUAL_WAL, "run {runs}: the -wal keeps {left} bytes");
        runs += 1;
    }
    println!("{runs} kills, {acknowledged} acknowledged, at most {most:?}");
    assert!(acknowledged > 100, "{acknowledged}");
    assert!(most.memory < MOST_MEMORY && most.descriptors < MOST_DESCRIPTORS && most.wal < MOST_WAL, "{most:?}");
}
