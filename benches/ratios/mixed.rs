//! Fills a file with operations of many kinds: charges, refunds soon and late, holds that are captured, released or
//! left alone, and recharges that expire.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::{Durability, Ledger, Request};

use super::ours;

const ACCOUNTS: u64 = 1_000;
/// Operations in one call of `batch`; an hour passes between two.
const TOGETHER: u64 = 1_000;
/// For how many rounds a charge is remembered.
const LATE: usize = 20;

/// Fills a new file with at least so many operations; how many.
pub(crate) fn fill(path: &Path, operations: u64) -> u64 {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z").unwrap());
    let options = Ledger::options().create_if_missing(true).durability(Durability::Relaxed).clock(clock.clone());
    let ledger = options.open(path).unwrap();
    let mut mix = Mix { now: start, n: 0, holds: Vec::new(), charges: VecDeque::new() };
    ours::book(&ledger, &(0..ACCOUNTS).map(|n| mix.recharge(n)).collect::<Vec<_>>());
    let booked = || ledger.info().unwrap().operations.try_into().unwrap();
    while booked() < operations {
        mix.now += TimeDelta::hours(1);
        clock.set(mix.now);
        mix.round(&ledger);
    }
    let all = booked();
    ledger.close().unwrap();
    all
}

struct Mix {
    now: DateTime<Utc>,
    /// Requests so far.
    n: u64,
    /// Open holds, by id.
    holds: Vec<String>,
    /// Charges of the last rounds, by id.
    charges: VecDeque<Vec<String>>,
}

impl Mix {
    fn request(&mut self, op: &str, n: u64) -> Request {
        self.n += 1;
        ours::request(op, &format!("account {:04}", n % ACCOUNTS)).with("key", format!("job:{:012}", self.n))
    }

    fn recharge(&mut self, n: u64) -> Request {
        let due = (self.now + TimeDelta::hours(48)).to_rfc3339();
        self.request("recharge", n).with("points", 1_000).with("source", "bench").with("expires_at", due)
    }

    /// A request that names no account.
    fn about(&mut self, op: &str, name: &'static str, id: String) -> Request {
        self.n += 1;
        let request = Request::parse(&format!("{{\"op\":\"{op}\"}}")).unwrap();
        request.with("key", format!("job:{:012}", self.n)).with(name, id)
    }

    fn round(&mut self, ledger: &Ledger) {
        let mut some = Vec::new();
        for (n, hold) in std::mem::take(&mut self.holds).into_iter().enumerate() {
            some.push(match n % 10 {
                0 => self.about("release", "hold", hold),
                1 => continue,
                _ => self.about("capture", "hold", hold).with("points", 25),
            });
        }
        let (late, soon) = (self.charges.front().cloned(), self.charges.back().cloned());
        for charge in soon.into_iter().flatten().step_by(20).chain(late.into_iter().flatten().skip(1).step_by(40)) {
            some.push(self.about("refund", "operation", charge).with("points", 2).with("reason", "bench"));
        }
        for n in some.len() as u64..TOGETHER {
            // In no order of accounts, and the same in every run.
            let account = (self.n + n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            some.push(match n % 20 {
                0 => self.recharge(self.n / 20),
                1 | 2 => self.request("hold", account).with("points", 30).with("deadline_seconds", 7_200),
                _ => self.request("consume", account).with("points", 10 + account % 90),
            });
        }
        let mut charges = Vec::new();
        // Who has no points left is refused.
        for receipt in ledger.batch(&some).into_iter().flatten() {
            match receipt.op.as_str() {
                "hold" => self.holds.push(receipt.hold.unwrap().id.to_string()),
                "consume" => charges.push(receipt.operation.to_string()),
                _ => {}
            }
        }
        self.charges.push_back(charges);
        if self.charges.len() > LATE {
            self.charges.pop_front();
        }
    }
}
