//! Every place of a script, tried with every kind of fault.
//!
//! `COUNTERFOIL_FAULTS=200000` tries as many at random instead: longer rows of failing calls, elsewhere; `COUNTERFOIL_SEED=17`
//! begins elsewhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterfoil_faults::{Fault, Kind, Plan, install};

use crate::books::{Books, Together};
use crate::copies::Copies;
use crate::exchange::Exchange;
use crate::script::{Retry, Script, folder};

#[derive(Debug, Clone, Copy)]
struct Trial {
    fault: Fault,
    retry: Retry,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn plan(kind: Kind, folder: &Path) -> Plan {
    if kind == Kind::Memory { Plan::of_memory() } else { Plan::of_files(folder) }
}

/// Does the script with a fault; how many calls could have failed so and how many did, and what is wrong.
fn tried(script: &dyn Script, trial: Trial) -> ((u64, u64), Result<(), String>) {
    let folder = folder();
    script.before().lay_out(folder.path());
    let plan = plan(trial.fault.kind, folder.path());
    plan.fail(trial.fault);
    let told = catch_unwind(AssertUnwindSafe(|| script.live(folder.path(), trial.retry)));
    let calls = plan.mend();
    let checked = match told {
        Ok(told) => catch_unwind(AssertUnwindSafe(|| script.check(folder.path(), &told))),
        Err(panic) => Err(panic),
    };
    let panicked = |panic: Box<dyn std::any::Any + Send>| Err(format!("panic: {:?}", panic.downcast_ref::<String>()));
    (calls, checked.unwrap_or_else(panicked))
}

/// How many calls there are that can fail so.
fn calls(script: &dyn Script, kind: Kind) -> u64 {
    let never = Fault { kind, at: u64::MAX, many: 1 };
    let ((calls, _), right) = tried(script, Trial { fault: never, retry: Retry::SameHandle });
    right.unwrap_or_else(|wrong| panic!("{}, undisturbed: {wrong}", script.name()));
    calls
}

/// Each kind once at so many places, and for good at an eighth of them.
fn every(script: &dyn Script, kinds: &[Kind], at_most: u64) -> Vec<Trial> {
    let of = |kind: &Kind| {
        let (kind, calls) = (*kind, calls(script, *kind));
        let step = calls.div_ceil(at_most).max(1);
        (1..=calls).step_by(step as usize).zip(0..).flat_map(move |(at, n)| {
            // Both ways to go on in turn.
            let retry = if n % 2 == 0 { Retry::SameHandle } else { Retry::Reopen };
            // A read waits ten seconds for whoever has the file.
            let for_good = if kind == Kind::Busy { 12 } else { u64::MAX };
            let rows = [1, for_good].into_iter().take(if n % 16 < 2 { 2 } else { 1 });
            rows.map(move |many| Trial { fault: Fault { kind, at, many }, retry })
        })
    };
    kinds.iter().flat_map(of).collect()
}

/// At random: rows of failing calls of any length.
fn at_random(script: &dyn Script, kinds: &[Kind], count: u64) -> Vec<Trial> {
    let calls: Vec<(Kind, u64)> = kinds.iter().map(|kind| (*kind, calls(script, *kind))).collect();
    let first = number("COUNTERFOIL_SEED").unwrap_or(0);
    let trial = |n: u64| {
        // Steele's and Vigna's mixing of a counter.
        let mut random = [0_u64; 4];
        for (k, random) in (0..).zip(&mut random) {
            let mut z = (first + n * 4 + k).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *random = z ^ (z >> 27);
        }
        // Of all calls each is as likely.
        let mut at = random[0] % calls.iter().map(|(_, calls)| calls).sum::<u64>();
        let mut of = calls.iter();
        let (kind, at) = loop {
            let (kind, calls) = of.next().unwrap();
            if at < *calls {
                break (*kind, at + 1);
            }
            at -= calls;
        };
        let many = [1, 2, 3, 1 + random[1] % 60][(random[2] % 4) as usize];
        let retry = if random[3] % 2 == 0 { Retry::SameHandle } else { Retry::Reopen };
        Trial { fault: Fault { kind, at, many }, retry }
    };
    (0..count).map(trial).collect()
}

/// Tries them all, six at a time: some wait for locks.
fn sweep<S: Script>(new: fn() -> S, kinds: &[Kind], at_most: u64) {
    install();
    let script = &new();
    let trials = match number("COUNTERFOIL_FAULTS") {
        Some(count) => at_random(script, kinds, count),
        None => every(script, kinds, at_most),
    };
    let (next, failed, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(trial) = trials.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let ((_, hit), right) = tried(script, *trial);
                    failed.fetch_add(usize::from(hit > 0), Ordering::SeqCst);
                    wrong.lock().unwrap().extend(right.err().map(|why| format!("{trial:?}: {why}")));
                }
            });
        }
    });
    let (failed, wrong) = (failed.into_inner(), wrong.into_inner().unwrap());
    println!("{}: {failed} faults of {} trials", script.name(), trials.len());
    assert!(wrong.is_empty(), "{}: {} of {}:\n{}", script.name(), wrong.len(), trials.len(), wrong.join("\n"));
    // How threads fall into groups is never twice the same.
    assert!(failed * 3 > trials.len() * 2, "{}: only {failed} of {} failed", script.name(), trials.len());
}

#[test]
fn books_are_right_whatever_the_disk_does_not_answer() {
    sweep(Books::new, &[Kind::Io], u64::MAX);
}

/// A batch whose commit failed was said again line by line; the first line failed once more and was told as refused, and was there.
#[test]
fn books_are_right_whatever_fails_on_the_disk() {
    sweep(Books::new, &Kind::OF_FILES[1..], 160);
}

/// A failure to read was told as damage: by `verify`, and by a backup of the copy it had just made.
#[test]
fn books_are_right_whatever_memory_is_refused() {
    sweep(Books::new, &[Kind::Memory], 500);
}

#[test]
fn threads_are_told_right_whatever_fails() {
    sweep(Together::new, &Kind::OF_FILES, 30);
}

#[test]
fn copies_are_whole_whatever_fails() {
    sweep(Copies::new, &Kind::OF_FILES, 60);
}

#[test]
fn copies_are_whole_whatever_memory_is_refused() {
    sweep(Copies::new, &[Kind::Memory], 250);
}

/// A disk was full while an answer was taken: it was tried once more with the room that was kept back, with the lines after those
/// that the first try had read. The accounts of those were never heard of, and had no points, exchange after exchange; of what a
/// device sends, operations were left out likewise.
#[test]
fn nothing_that_comes_is_left_out_when_there_is_no_room() {
    sweep(Exchange::new, &[Kind::Full], u64::MAX);
}

#[test]
fn an_exchange_adds_up_whatever_fails() {
    sweep(Exchange::new, &Kind::OF_FILES, 30);
}

#[test]
fn an_exchange_adds_up_whatever_memory_is_refused() {
    sweep(Exchange::new, &[Kind::Memory], 250);
}
