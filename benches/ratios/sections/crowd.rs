//! A charge does not look at batches it does not need.

use super::{Bench, note, text};
use crate::figure::Figure;
use crate::{callgrind, ours};
use counterfoil::{Durability, Request};

const MANY: usize = 100_000;
const FEW: usize = 10;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    if !bench.valgrind {
        note("skipped: there is no valgrind");
        return Vec::new();
    }
    let few = charge(bench, 0, FEW);
    let live = charge(bench, 0, MANY);
    let drained = charge(bench, MANY, FEW);
    vec![
        Figure::new("10 live batches", few, "instructions"),
        Figure::new("100 000 live batches", live, "instructions"),
        Figure::new("behind 100 000 drained ones", drained, "instructions"),
        Figure::new("100 000 live to 10", live / few, "×").at_most(1.2),
        Figure::new("behind 100 000 drained to 10", drained / few, "×").at_most(1.2),
    ]
}

/// Instructions of a charge on an account with so many drained and so many live batches.
fn charge(bench: &Bench, drained: usize, live: usize) -> f64 {
    let folder = bench.folder("crowd");
    let file = folder.path().join("crowd.ledger");
    let ledger = ours::open(&file, Durability::Relaxed);
    let recharge = |n: usize, points: i64| -> Request {
        let request = ours::request("recharge", ours::ACCOUNT).with("key", format!("order:{n:014}"));
        request.with("points", points).with("source", "bench")
    };
    let some: Vec<_> = (0..drained).map(|n| recharge(n, 1)).collect();
    ours::book(&ledger, &some);
    for n in 0..drained / 1_000 {
        let draining = ours::charge_request(&ours::account(), &ours::key(0, n as u64)).with("points", 1_000);
        ours::book(&ledger, &[draining]);
    }
    let some: Vec<_> = (drained..drained + live).map(|n| recharge(n, 1_000_000)).collect();
    ours::book(&ledger, &some);
    ledger.close().unwrap();
    let arguments = |count: u64, which: u64| {
        ["ours", "alone", &text(&file), &count.to_string(), &(which + 1).to_string()].map(String::from).to_vec()
    };
    callgrind::per_operation(folder.path(), [200, 1_200], arguments)
}
