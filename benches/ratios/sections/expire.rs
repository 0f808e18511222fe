//! Very many batches fall due at once, and others want to go on charging.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::{Durability, Ledger};

use super::{Bench, text};
use crate::figure::Figure;
use crate::fill::due_account;
use crate::workers::{self, Way};
use crate::{callgrind, minimum, ours};

/// Batches of one account.
const EACH: u64 = 100;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("expire");
    let path = folder.path().join("ours.db");
    let accounts = bench.due / EACH;
    fill(&path, accounts);
    let ledger = ours::open(&path, Durability::Relaxed);
    let third = accounts / 3;

    let began = Instant::now();
    let report = ledger.expire(Some(third)).unwrap();
    let alone = report.entries as f64 / began.elapsed().as_secs_f64();
    assert_eq!(report.entries, third * EACH);
    let by_thread = beside_a_thread(&ledger, third);
    let by_process = beside_a_process(&ledger, &path);
    let once = in_one_transaction(&folder.path().join("minimum.db"), accounts / 3);
    let mut figures = vec![
        Figure::new("batches due, in three parts", (accounts * EACH) as f64, ""),
        Figure::new("longest block of a thread that charges", by_thread, "ms").at_most(50.0),
        Figure::new("longest block of a process that charges", by_process, "ms").at_most(50.0),
        Figure::new("batches expired", alone, "/s"),
        Figure::new("by hand, in one transaction", once, "/s"),
        Figure::new("expired to by hand in one transaction", alone / once, "×").at_least(0.4),
    ];
    if bench.valgrind {
        let (mine, least) = (counted(folder.path(), "ours"), counted(folder.path(), "minimum"));
        figures.push(Figure::new("expired, counted, in one transaction", mine, "instructions"));
        figures.push(Figure::new("by hand, counted", least, "instructions"));
        figures.push(Figure::new("expired to by hand, counted", least / mine, "×").at_least(0.42));
    }
    figures
}

/// Instructions of one batch. Each account is touched by an operation, for a sweep ends its transactions by the clock: that
/// is a hundredth of an operation for each batch.
fn counted(folder: &Path, subject: &str) -> f64 {
    let arguments = |batches: u64, which: u64| {
        let (file, accounts) = (folder.join(format!("counted-{subject}-{which}.db")), batches / EACH);
        if subject == "ours" {
            fill(&file, accounts);
        } else {
            minimum::create(&file, ours::ACCOUNT, 1);
            let conn = minimum::connect(&file, false);
            minimum::fall_due(&conn, accounts.cast_signed(), EACH.cast_signed());
        }
        ["expire", subject, &text(&file), &accounts.to_string()].map(String::from).to_vec()
    };
    callgrind::per_operation(folder, [20 * EACH, 80 * EACH], arguments)
}

/// Books the batches in the past, so that they are due by the computer's clock.
fn fill(path: &Path, accounts: u64) {
    let clock = ManualClock::at("2026-01-01T00:00:00Z").unwrap();
    clock.set(Utc::now() - TimeDelta::hours(2));
    let ledger = Ledger::options().create_if_missing(true).durability(Durability::Relaxed).clock(Arc::new(clock));
    let ledger = ledger.open(path).unwrap();
    let due = (Utc::now() - TimeDelta::hours(1)).to_rfc3339();
    let recharge = |n: u64| {
        let request = ours::request("recharge", &due_account(n / EACH)).with("key", format!("order:{n:014}"));
        request.with("points", 5).with("source", "bench").with("expires_at", due.as_str())
    };
    for first in (0..accounts * EACH).step_by(10_000) {
        let some: Vec<_> = (first..(first + 10_000).min(accounts * EACH)).map(recharge).collect();
        ours::book(&ledger, &some);
    }
    ours::recharge(&ledger, &ours::account(), "order");
    ledger.close().unwrap();
}

/// The longest wait, in milliseconds, of a thread that charges another account meanwhile.
fn beside_a_thread(ledger: &Ledger, accounts: u64) -> f64 {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let account = ours::account();
            let (mut longest, mut n) = (Duration::ZERO, 0);
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                ours::charge(ledger, &account, &ours::key(1, n)).unwrap();
                longest = longest.max(began.elapsed());
                n += 1;
            }
            longest
        });
        ledger.expire(Some(accounts)).unwrap();
        done.store(true, Ordering::Relaxed);
        waits.join().unwrap().as_secs_f64() * 1e3
    })
}

/// The same of another process; it stops when nothing is due any more, or a little later.
fn beside_a_process(ledger: &Ledger, path: &Path) -> f64 {
    std::thread::scope(|scope| {
        let length = Duration::from_secs(2);
        let worker = scope.spawn(move || workers::processes(Way::Ours, path, 1, 1, 9, length));
        // It begins a little later than it is asked to.
        std::thread::sleep(Duration::from_millis(300));
        ledger.expire(None).unwrap();
        let runs = worker.join().unwrap();
        assert!(runs[0].errors.is_empty(), "{:?}", runs[0].errors);
        runs[0].wait(1.0)
    })
}

/// Batches a second that one transaction with held statements expires: the batch, the entry, the account.
fn in_one_transaction(path: &Path, accounts: u64) -> f64 {
    minimum::create(path, ours::ACCOUNT, 1);
    let conn = minimum::connect(path, false);
    minimum::fall_due(&conn, accounts.cast_signed(), EACH.cast_signed());
    let began = Instant::now();
    let expired = minimum::expire(&conn);
    let took = began.elapsed().as_secs_f64();
    assert_eq!(expired, accounts * EACH);
    expired as f64 / took
}
