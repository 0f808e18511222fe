//! Threads that charge one after the other for a while, in several ways of sharing a file, and what became of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use counterfoil::{Durability, Ledger};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::callgrind::program;
use super::fifo::Fifo;
use super::{minimum, ours};

/// How callers share a file. All of them commit durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// counterfoil as it is.
    Ours,
    /// counterfoil behind a lock in order of asking: one operation, one commit.
    Serial,
    /// The minimum behind the same lock.
    Minimum,
    /// The minimum with held statements, for a lone caller.
    Held,
    /// The minimum as it is usually written: a connection for each thread, `busy_timeout`, and hope.
    Naive,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Ours => "ours",
            Way::Serial => "serial",
            Way::Minimum => "minimum",
            Way::Held => "held",
            Way::Naive => "naive",
        }
    }

    fn parse(text: &str) -> Way {
        let all = [Way::Ours, Way::Serial, Way::Minimum, Way::Held, Way::Naive];
        all.into_iter().find(|way| way.name() == text).unwrap()
    }

    /// A file for this way in the folder.
    pub(crate) fn file(self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.db", self.name()));
        match self {
            Way::Ours | Way::Serial => ours::create(&path, ours::ACCOUNT, 1),
            Way::Minimum | Way::Held | Way::Naive => minimum::create(&path, ours::ACCOUNT, 1),
        }
        path
    }
}

/// What the threads did.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Operations of each thread.
    pub(crate) operations: Vec<u64>,
    /// How long each operation took, in microseconds, ascending.
    pub(crate) waits: Vec<u64>,
    pub(crate) seconds: f64,
    pub(crate) errors: Vec<String>,
}

impl Run {
    pub(crate) fn total(&self) -> f64 {
        self.operations.iter().sum::<u64>() as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.total() / self.seconds
    }

    /// Slowest to fastest thread.
    pub(crate) fn fairness(&self) -> f64 {
        let most = self.operations.iter().max().unwrap();
        *self.operations.iter().min().unwrap() as f64 / (*most).max(1) as f64
    }

    /// Milliseconds that this part of the operations did not exceed.
    pub(crate) fn wait(&self, part: f64) -> f64 {
        let last = self.waits.len().saturating_sub(1) as f64;
        self.waits.get((last * part) as usize).map_or(f64::NAN, |micros| *micros as f64 / 1e3)
    }
}

enum Shared {
    Ours(Ledger),
    Serial(Ledger, Fifo),
    Minimum(Mutex<Connection>, Fifo),
    Own(PathBuf),
}

impl Shared {
    fn new(way: Way, path: &Path) -> Self {
        let ledger = || ours::open(path, Durability::Full);
        match way {
            Way::Ours => Shared::Ours(ledger()),
            Way::Serial => Shared::Serial(ledger(), Fifo::default()),
            Way::Minimum => Shared::Minimum(Mutex::new(minimum::patient(path)), Fifo::default()),
            Way::Held | Way::Naive => Shared::Own(path.into()),
        }
    }

    /// Calls `body` with what charges once under a key.
    fn charging<T>(&self, way: Way, body: impl FnOnce(&mut dyn FnMut(&str) -> Result<(), String>) -> T) -> T {
        let account = ours::account();
        let ours = |ledger: &Ledger, key: &str| {
            ours::charge(ledger, &account, key).map(drop).map_err(|error| error.to_string())
        };
        let said = |done: rusqlite::Result<i64>| done.map(drop).map_err(|error| error.to_string());
        match self {
            Shared::Ours(ledger) => body(&mut |key| ours(ledger, key)),
            Shared::Serial(ledger, fifo) => body(&mut |key| fifo.in_turn(|| ours(ledger, key))),
            Shared::Minimum(conn, fifo) => {
                body(&mut |key| said(fifo.in_turn(|| one(&mut &*conn.lock().unwrap(), key))))
            }
            Shared::Own(path) => {
                let conn = minimum::connect(path, true);
                let mut held = (way == Way::Held).then(|| minimum::Held::new(&conn));
                body(&mut |key| {
                    said(match &mut held {
                        Some(held) => one(held, key),
                        None => one(&mut &conn, key),
                    })
                })
            }
        }
    }
}

fn one(on: &mut impl minimum::Statements, key: &str) -> rusqlite::Result<i64> {
    minimum::transaction(on, |on| minimum::charge(on, ours::ACCOUNT, key, 1))
}

/// Lets `threads` callers charge for so long; `series` keeps the keys of runs apart. `ready` is called before they begin.
pub(crate) fn run(way: Way, path: &Path, threads: u64, series: u64, length: Duration, ready: impl FnOnce()) -> Run {
    let shared = Shared::new(way, path);
    let barrier = Barrier::new(usize::try_from(threads).unwrap() + 1);
    thread::scope(|scope| {
        let caller = |thread: u64| {
            let (shared, barrier) = (&shared, &barrier);
            move || {
                shared.charging(way, |charge| {
                    barrier.wait();
                    call(charge, series * 100 + thread, length)
                })
            }
        };
        let callers: Vec<_> = (0..threads).map(|thread| scope.spawn(caller(thread))).collect();
        ready();
        barrier.wait();
        let began = Instant::now();
        let done: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        gather(done, began.elapsed())
    })
}

type Calls = (Vec<u64>, Vec<String>);

fn call(charge: &mut dyn FnMut(&str) -> Result<(), String>, series: u64, length: Duration) -> Calls {
    let (began, mut waits, mut errors) = (Instant::now(), Vec::new(), Vec::new());
    let mut n = 0;
    while began.elapsed() < length {
        let called = Instant::now();
        match charge(&ours::key(series, n)) {
            Ok(()) => waits.push(u64::try_from(called.elapsed().as_micros()).unwrap()),
            Err(error) => errors.push(error),
        }
        n += 1;
    }
    (waits, errors)
}

fn gather(done: Vec<Calls>, took: Duration) -> Run {
    let operations = done.iter().map(|(waits, _)| waits.len() as u64).collect();
    let (waits, errors): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let mut waits = waits.concat();
    waits.sort_unstable();
    Run { operations, waits, seconds: took.as_secs_f64(), errors: errors.concat() }
}

/// The same in several processes at once; one run for each.
pub(crate) fn processes(
    way: Way,
    path: &Path,
    processes: u64,
    threads: u64,
    series: u64,
    length: Duration,
) -> Vec<Run> {
    // All are up by then.
    let start = minimum::now() + 300;
    let children = (0..processes).map(|process| {
        let mut child = Command::new(program());
        child.args(["probe", "worker", way.name()]).arg(path);
        let numbers = [threads, series * processes + process, start.unsigned_abs(), length.as_millis() as u64];
        child.args(numbers.map(|number| number.to_string())).stdout(Stdio::piped()).spawn().unwrap()
    });
    let children: Vec<_> = children.collect();
    let answer = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "a worker ended with {}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    children.into_iter().map(answer).collect()
}

/// One of several processes.
pub(crate) fn child(arguments: &[&str]) {
    let [way, path, numbers @ ..] = arguments else { panic!("worker way file threads series start length") };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
    let wait = || {
        let left = numbers[2].saturating_sub(minimum::now().unsigned_abs());
        thread::sleep(Duration::from_millis(left));
    };
    let length = Duration::from_millis(numbers[3]);
    let done = run(Way::parse(way), Path::new(path), numbers[0], numbers[1], length, wait);
    println!("{}", serde_json::to_string(&done).unwrap());
}
