//! A call to the system fails, once or for good, at any place of a script of forty operations. Each answer is right: what was done is
//! there, what was refused is not, of what is unknown the key tells; and afterwards the file takes operations again.
//!
//! `COUNTERFOIL_KILLS=1000` tries every place.

use std::fs;
use std::path::Path;

use counterfoil::{Durability, Error, Ledger, Receipt, Request};

use super::interrupted::{made, some};
use super::{child_does, filled};
use crate::support::strace_is_there;

/// What may fail, and how. Locks have a test of their own: after an unlock that failed, SQLite tries for ten seconds each time.
const KINDS: [(&str, &str); 6] = [
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("pread64", "EIO"),
    ("openat", "EMFILE"),
];

/// The operations: sales in full and relaxed, jobs, refunds, and what an operator does.
fn script() -> Vec<(String, String)> {
    let line = |n: usize, text: &str| (format!("k{n}"), text.replace("KEY", &format!("k{n}")));
    let kinds = [
        r#"{"op":"consume","account":"al","key":"KEY","points":3}"#,
        r#"{"op":"recharge","account":"bo","key":"KEY","points":7,"source":"wxpay"}"#,
        r#"{"op":"hold","account":"al","key":"KEY","points":5,"deadline_seconds":600}"#,
        r#"{"op":"consume","account":"bo","key":"KEY","points":2,"policy":"strict"}"#,
        r#"{"op":"set_limit","account":"al","key":"KEY","credit_limit":40}"#,
    ];
    (0..40).map(|n| line(n, kinds[n % kinds.len()])).collect()
}

fn apply(ledger: &Ledger, line: &str) -> Result<Receipt, Error> {
    ledger.apply(&Request::parse(line).unwrap())
}

/// The child: tries each operation three times at most on the same handle, and says each time what it was told.
pub(super) fn live(path: &str) -> Result<String, Error> {
    let ledger = Ledger::open(path)?;
    let relaxed = ledger.with_durability(Durability::Relaxed);
    for (n, (key, line)) in script().iter().enumerate() {
        let handle = if n % 3 == 2 { &relaxed } else { &ledger };
        for _ in 0..3 {
            match apply(handle, line) {
                Ok(receipt) => {
                    println!("\nsaid {key} done {} {}", receipt.operation, receipt.replayed);
                    break;
                }
                Err(error) => println!("\nsaid {key} {}", error.code()),
            }
        }
    }
    match ledger.close() {
        Ok(_) => Ok("lived".into()),
        Err(error) => Ok(format!("closed with {}", error.code())),
    }
}

/// What the child was told of a key, try by try.
fn told<'o>(output: &'o str, key: &str) -> Vec<Vec<&'o str>> {
    let said = output.lines().filter_map(|line| line.strip_prefix("said "));
    said.map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| words[0] == key)
        .map(|words| words[1..].to_vec())
        .collect()
}

/// Holds what was told against what is there.
fn check(path: &Path, output: &str, at: &str) {
    let ledger = Ledger::open(path).unwrap_or_else(|error| panic!("{at}: {error}"));
    for (key, line) in script() {
        let tries = told(output, &key);
        let there = ledger.operation_named(&format!("key:{key}"), None).ok().map(|id| id.to_string());
        let mut unknown = false;
        for try_ in &tries {
            match try_.as_slice() {
                ["done", id, replayed] => {
                    assert_eq!(there.as_deref(), Some(*id), "{at}: {key} was done, {tries:?}");
                    assert!(*replayed == "false" || unknown, "{at}: {key} was refused and booked, {tries:?}");
                }
                ["outcome_unknown"] => unknown = true,
                _ => {}
            }
        }
        let done = tries.iter().any(|words| words[0] == "done");
        assert!(done || unknown || there.is_none(), "{at}: {key} was refused and is there, {tries:?}");
        // It goes on where it was left.
        let again = apply(&ledger, &line);
        assert!(again.is_ok() || !done, "{at}: {key}: {again:?}");
        if let Ok(receipt) = again {
            assert_eq!(receipt.replayed, there.is_some(), "{at}: {key}, {tries:?}");
        }
    }
    let verification = ledger.verify().unwrap();
    assert!(verification.ok, "{at}: {:?}", verification.faults);
}

#[test]
fn whatever_fails_the_answers_are_right() {
    if !strace_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (first, target) = (folder.path().join("first.ledger"), folder.path().join("target.ledger"));
    filled(&first).close().unwrap();
    let fresh = || {
        for beside in ["ledger-wal", "ledger-shm", "ledger-reserve"] {
            _ = fs::remove_file(target.with_extension(beside));
        }
        fs::copy(&first, &target).unwrap();
    };
    fresh();
    let calls = calls(&target);
    let mut tried = 0;
    for (kind, error) in KINDS {
        let places: Vec<_> = calls.iter().filter(|(call, _)| call == kind).cloned().collect();
        for (call, n) in some(places, 2) {
            for when in [format!("{n}"), format!("{n}+")] {
                let at = format!("{error} at {call} {when}");
                fresh();
                let inject = format!("inject={call}:error={error}:when={when}");
                let output = child_does("script", &target, &target, &["-o", "/dev/null", "-e", &inject]);
                check(&target, &String::from_utf8_lossy(&output.stdout), &at);
                tried += 1;
            }
        }
    }
    println!("{tried} faults");
    assert!(tried > 40, "{tried} faults");
}

/// How often the script makes each call that may fail.
fn calls(target: &Path) -> Vec<(String, usize)> {
    let mut names: Vec<&str> = KINDS.iter().map(|(call, _)| *call).collect();
    names.dedup();
    let (output, places) = made("script", &names, target, target);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("answered lived"), "{said}");
    check(target, &said, "undisturbed");
    places
}
