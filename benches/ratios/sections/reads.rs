//! A balance beside a lookup by hand of the same facts, in the same file.

use counterfoil::Ledger;

use super::{Bench, text};
use crate::figure::{Figure, median};
use crate::{callgrind, cpu, ours, raw};

const ROUNDS: usize = 15;
const LOOKUPS: u64 = 5_000;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("reads");
    let file = folder.path().join("reads.ledger");
    ours::create(&file, ours::ACCOUNT, 10);
    let ledger = Ledger::open(&file).unwrap();
    let account = ours::account();
    let conn = raw::connect(&file);
    let mut lookup = raw::Lookup::new(&conn);
    let (mut balances, mut raws, mut barests) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        balances.push(cpu::per_run(LOOKUPS, |_| ledger.balance(&account).unwrap()));
        raws.push(cpu::per_run(LOOKUPS, |_| lookup.account(ours::ACCOUNT)));
        barests.push(cpu::per_run(LOOKUPS, |_| lookup.barest(ours::ACCOUNT)));
    }
    let ratio = |others: &[f64]| median(others.iter().zip(&balances).map(|(other, ours)| other / ours).collect());
    let mut figures = vec![
        Figure::new("balance to the lookup by hand", ratio(&raws), "×").at_least(0.8),
        Figure::new("balance to the barest lookup", ratio(&barests), "×"),
        Figure::new("balance", median(balances), "µs CPU"),
        Figure::new("by hand: the account's row, the next expiry", median(raws), "µs CPU"),
        Figure::new("barest: five columns of the row", median(barests), "µs CPU"),
    ];
    drop(lookup);
    drop(conn);
    ledger.close().unwrap();
    if bench.valgrind {
        let count = |probe: &str| {
            let arguments = |count: u64, _: u64| [probe, &text(&file), &count.to_string()].map(String::from).to_vec();
            callgrind::per_operation(folder.path(), [200, 1_200], arguments)
        };
        figures.push(Figure::new("balance, counted", count("balance"), "instructions"));
        figures.push(Figure::new("by hand, counted", count("raw"), "instructions"));
    }
    figures
}
