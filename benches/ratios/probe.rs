//! What runs inside a process of its own: under valgrind, or as one of several processes on one file.

use std::path::Path;
use std::time::Instant;

use counterfoil::{Consume, Durability, Key, Ledger, Points, Policy, Query};
use serde::{Deserialize, Serialize};

use super::fill::{self, Keys};
use super::{cpu, fleet, minimum, ours, raw, workers};

/// Charges in one transaction where charges come in groups.
const GROUP: u64 = 100;

/// Runs a probe by its name and arguments.
pub(crate) fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    match words.as_slice() {
        ["ours", how, file, count, series] => charge_ours(how, Path::new(file), number(count), number(series)),
        ["minimum", how, file, count, series] => charge_minimum(how, Path::new(file), number(count), number(series)),
        ["expire", subject, file, accounts] => expire(subject, Path::new(file), number(accounts)),
        ["grown", keys, file, count] => charge_grown(Keys::parse(keys).unwrap(), Path::new(file), number(count)),
        ["history", file, count] => {
            let ledger = Ledger::open(file).unwrap();
            (0..number(count)).for_each(|n| page(&ledger, n));
        }
        ["balance", file, count] => {
            let (ledger, account) = (Ledger::open(file).unwrap(), ours::account());
            cpu::per_run(number(count), |_| ledger.balance(&account).unwrap());
        }
        ["raw", file, count] => {
            let conn = raw::connect(Path::new(file));
            let mut lookup = raw::Lookup::new(&conn);
            cpu::per_run(number(count), |_| lookup.account(ours::ACCOUNT));
        }
        ["mixed", file, count] => println!("{}", super::mixed::fill(Path::new(file), number(count))),
        ["verify", file] => println!("{}", serde_json::to_string(&Proof::of(Path::new(file))).unwrap()),
        ["sync", what, file, rest @ ..] => sync(what, Path::new(file), rest),
        ["worker", rest @ ..] => workers::child(rest),
        other => panic!("no such probe: {other:?}"),
    }
}

/// What proving a file took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) operations: f64,
    /// Seconds of all processors, and by the clock.
    pub(crate) used: f64,
    pub(crate) took: f64,
    /// The most memory this process ever had, in bytes.
    pub(crate) peak: f64,
}

impl Proof {
    fn of(file: &Path) -> Self {
        let ledger = Ledger::open(file).unwrap();
        let (began, before) = (Instant::now(), cpu::process_time());
        let verification = ledger.verify().unwrap();
        let (took, used) = (began.elapsed().as_secs_f64(), (cpu::process_time() - before).as_secs_f64());
        assert!(verification.ok, "{:?}", verification.faults);
        let peak = memory("VmHWM:");
        Proof { operations: verification.checked.operations as f64, used, took, peak }
    }
}

/// Of this process, in bytes.
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|line| line.strip_prefix(what)?.trim().strip_suffix(" kB"));
    found.unwrap().parse::<f64>().unwrap() * 1024.0
}

/// What a child tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Child {
    /// The most memory it had, beyond what it had with its ledger open.
    pub(crate) above: f64,
}

pub(crate) fn child(arguments: &[String]) -> Child {
    let output = std::process::Command::new(super::callgrind::program()).arg("probe").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A step of an exchange, with a ledger that is open and has been used: SQLite's page caches are full, a reader's and the writer's.
fn sync(what: &str, file: &Path, rest: &[&str]) {
    let ledger = ours::open(file, Durability::Relaxed);
    for n in 0..25_000 {
        drop(ledger.history(&fleet::card(n), &Query::new()).unwrap());
        drop(ours::charge(&ledger, &fleet::card(n), &ours::key(905, n)).unwrap());
    }
    let told: Vec<_> = rest.last().map_or_else(Vec::new, |out| {
        let parts = std::fs::read_dir(Path::new(out).join("parts")).into_iter().flatten();
        parts.map(|part| part.unwrap().path()).collect()
    });
    if let ("hear", [first, ..]) = (what, told.as_slice()) {
        drop(fleet::import(&ledger, first));
    }
    let before = memory("VmRSS:");
    match (what, rest) {
        ("inspect", [path]) => {
            drop(counterfoil::exchange::inspect(counterfoil::exchange::open_file(path).unwrap()).unwrap())
        }
        ("import", [path]) => drop(fleet::import(&ledger, Path::new(path))),
        ("answer", [path, out]) => drop(fleet::answers(&ledger, Path::new(path), &Path::new(out).join("parts"))),
        ("export", [out]) => drop(fleet::export(&ledger, &Path::new(out).join("exported"))),
        ("hear", _) => told.iter().skip(1).for_each(|part| drop(fleet::import(&ledger, part))),
        other => panic!("no such step: {other:?}"),
    }
    println!("{}", serde_json::to_string(&Child { above: memory("VmHWM:") - before }).unwrap());
}

/// `again`: with the same keys as before. `refused`: of more points than there are.
pub(crate) fn charge_ours(how: &str, file: &Path, count: u64, series: u64) {
    let ledger = ours::open(file, Durability::Relaxed);
    let account = ours::account();
    match how {
        "group" => {
            for group in 0..count / GROUP {
                let keys = (group * GROUP..(group + 1) * GROUP).map(|n| ours::key(series, n));
                let some = keys.map(|key| ours::charge_request(&account, &key)).collect();
                ours::together(&ledger, some).into_iter().for_each(|answer| drop(answer.unwrap()));
            }
        }
        "refused" => {
            let much = Consume::points(Points::new(2 * ours::PLENTY).unwrap()).policy(Policy::Strict);
            for n in 0..count {
                ledger.consume(&account, &Key::new(ours::key(series, n)).unwrap(), much.clone()).unwrap_err();
            }
        }
        _ => (0..count).for_each(|n| drop(ours::charge(&ledger, &account, &ours::key(series, n)).unwrap())),
    }
    ledger.close().unwrap();
}

/// Everything that is due of so many accounts, in one transaction.
fn expire(subject: &str, file: &Path, accounts: u64) {
    if subject == "minimum" {
        minimum::expire(&minimum::connect(file, false));
        return;
    }
    let ledger = ours::open(file, Durability::Relaxed);
    let touch = |n| ours::request("freeze", &fill::due_account(n)).with("key", "touch").with("reason", "bench");
    ours::together(&ledger, (0..accounts).map(touch).collect()).into_iter().for_each(|answer| drop(answer.unwrap()));
    ledger.close().unwrap();
}

fn charge_minimum(how: &str, file: &Path, count: u64, series: u64) {
    let conn = minimum::connect(file, false);
    let mut held = minimum::Held::new(&conn);
    let size = if how == "alone" { 1 } else { GROUP };
    for group in 0..count / size {
        minimum::transaction(&mut held, |held| {
            for n in group * size..(group + 1) * size {
                minimum::charge(held, ours::ACCOUNT, &ours::key(series, n), 1)?;
            }
            Ok(())
        })
        .unwrap();
    }
}

fn charge_grown(keys: Keys, file: &Path, count: u64) {
    let ledger = ours::open(file, Durability::Relaxed);
    charge_in_turn(&ledger, keys, count);
    ledger.close().unwrap();
}

/// Charges the accounts of a filled file in turn, one transaction each; keys that no filling uses.
pub(crate) fn charge_in_turn(ledger: &Ledger, keys: Keys, count: u64) {
    // A file may be measured again: a key used before would only be answered.
    let used = u64::try_from(ledger.info().unwrap().operations).unwrap();
    for n in 0..count {
        let key = keys.nth((1 << 40) + used + n);
        ours::charge(ledger, &fill::account_id(n), &key).unwrap();
    }
}

/// The newest 50 entries of one of the accounts of a filled file.
pub(crate) fn page(ledger: &Ledger, n: u64) {
    let query = Query::new().newest_first(true).limit(50);
    let page = ledger.history(&fill::account_id(n), &query).unwrap();
    assert_eq!(page.items.len(), 50);
}
