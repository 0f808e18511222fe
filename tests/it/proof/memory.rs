//! The memory of an export does not grow with the books.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use counterfoil::{Ledger, Request};
use counterfoil_report::{BEANCOUNT, Export};
use serde_json::json;

use crate::support::World;

const FILE: &str = "COUNTERFOIL_PROOF_FILE";

/// A process of its own that exports, and then says how much memory it had at most.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let ledger = Ledger::options().read_only(true).open(&path).unwrap();
    Export::new(BEANCOUNT).write(&ledger, &mut std::io::sink()).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    std::fs::write(format!("{}.status", path.to_str().unwrap()), status).unwrap();
}

/// The most memory a child that exports so many entries has had, in KiB.
fn peak(entries: usize) -> i64 {
    let world = World::empty();
    let text = "a description of some length, so that a line left in memory is noticed ".repeat(8);
    let request = |n: usize| {
        let line = match n % 10 {
            0 => json!({"op": "recharge", "account": "alice", "key": n.to_string(), "points": 20, "source": "wxpay"}),
            _ => json!({"op": "consume", "account": "alice", "key": n.to_string(), "points": 2, "description": text}),
        };
        Request::parse(&line.to_string()).unwrap()
    };
    let lines: Vec<Request> = (0..entries).map(request).collect();
    for done in world.ledger.batch(&lines) {
        done.unwrap();
    }
    let path = world.ledger.path();
    world.ledger.close().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proof::memory::child", "--test-threads=1"])
        .env(FILE, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let told = std::fs::read_to_string(format!("{}.status", path.display())).unwrap();
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn ten_times_the_entries_take_the_same_memory() {
    let (few, many) = (peak(1_500), peak(15_000));
    // The text of 13 500 entries more is about 20 MB; SQLite's own page cache is 2 MB when full.
    assert!(many - few < 6_000, "{few} KiB, then {many} KiB");
}
