//! Very many accounts, charged in no order, beside few: each charge then meets other pages.

use counterfoil::{AccountId, Durability, Ledger};

use super::Bench;
use crate::figure::{Figure, median};
use crate::{cpu, ours};

const FEW: u64 = 1_000;
const MANY: u64 = 300_000;
const ROUNDS: u64 = 5;
/// Charges of each kind in a round.
const CHARGES: u64 = 5_000;
const BATCH: u64 = 1_000;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("accounts");
    let filled = |accounts: u64| {
        let ledger = ours::open(&folder.path().join(format!("{accounts}.db")), Durability::Relaxed);
        let recharge = |n: u64| {
            let request = ours::request("recharge", &account(n)).with("key", format!("order:{n:014}"));
            request.with("points", ours::PLENTY).with("source", "bench")
        };
        for first in (0..accounts).step_by(10_000) {
            let some: Vec<_> = (first..(first + 10_000).min(accounts)).map(recharge).collect();
            ours::book(&ledger, &some);
        }
        (ledger, accounts)
    };
    let (few, many) = (filled(FEW), filled(MANY));
    let mut ratios = [Vec::new(), Vec::new()];
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let (least, most) = (measured(&few, round), measured(&many, round));
        for way in 0..2 {
            ratios[way].push(most[way] / least[way]);
            costs[way].push(most[way]);
        }
    }
    let [alone, together] = costs.map(median);
    let [alone_ratio, together_ratio] = ratios.map(median);
    few.0.close().unwrap();
    many.0.close().unwrap();
    vec![
        Figure::new("300 000 accounts: alone", alone, "µs CPU"),
        Figure::new("300 000 accounts: in batches of 1000", together, "µs CPU"),
        Figure::new("to 1 000 accounts: alone", alone_ratio, "×").at_most(1.8),
        Figure::new("to 1 000 accounts: in batches of 1000", together_ratio, "×").at_most(4.0),
    ]
}

fn account(n: u64) -> String {
    format!("customer {n:07}")
}

/// Microseconds of a charge, alone and in batches.
fn measured((ledger, accounts): &(Ledger, u64), round: u64) -> [f64; 2] {
    let nobody_knows = |n: u64| {
        let hash = blake3::hash(&(round * 4 * CHARGES + n).to_le_bytes());
        let number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        AccountId::new(account(number % accounts)).unwrap()
    };
    let alone = cpu::per_run(CHARGES, |n| {
        ours::charge(ledger, &nobody_knows(n), &ours::key(2 * round, n)).unwrap();
    });
    let together = cpu::per_run(CHARGES / BATCH, |batch| {
        let one = |n: u64| ours::charge_request(&nobody_knows(CHARGES + n), &ours::key(2 * round + 1, n));
        let some: Vec<_> = (batch * BATCH..(batch + 1) * BATCH).map(one).collect();
        ours::book(ledger, &some);
    });
    [alone, together / BATCH as f64]
}
