//! What runs inside a process of its own: under valgrind, or as one of several processes on one file.

use std::path::Path;
use std::time::Instant;

use counterfoil::{Consume, Durability, Key, Ledger, Points, Policy, Query};
use serde::{Deserialize, Serialize};

use super::fill::{self, Keys};
use super::{cpu, minimum, ours, raw, workers};

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
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let peak = peak.unwrap().parse::<f64>().unwrap() * 1024.0;
        Proof { operations: verification.checked.operations as f64, used, took, peak }
    }
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
