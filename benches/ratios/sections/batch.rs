//! A thousand operations at once.

use std::time::Instant;

use counterfoil::Durability;

use super::Bench;
use crate::figure::{Figure, median};
use crate::{minimum, ours};

const SIZE: u64 = 1_000;
const ROUNDS: u64 = 15;
/// Batches of each side in a round.
const BATCHES: u64 = 4;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("batch");
    let (mine, least) = (folder.path().join("ours.db"), folder.path().join("minimum.db"));
    ours::create(&mine, ours::ACCOUNT, 1);
    minimum::create(&least, ours::ACCOUNT, 1);
    let ledger = ours::open(&mine, Durability::Relaxed);
    let conn = minimum::connect(&least, false);
    let account = ours::account();
    let mut held = minimum::Held::new(&conn);
    let (mut ours_rates, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let keys = |batch: u64| (0..SIZE).map(move |n| ours::key(round, batch * SIZE + n));
        let began = Instant::now();
        for batch in 0..BATCHES {
            let some: Vec<_> = keys(batch).map(|key| ours::charge_request(&account, &key)).collect();
            ours::book(&ledger, &some);
        }
        let ours_took = began.elapsed().as_secs_f64();
        let began = Instant::now();
        for batch in 0..BATCHES {
            let all = |held: &mut minimum::Held<'_>| {
                keys(batch).try_for_each(|key| minimum::charge(held, ours::ACCOUNT, &key, 1).map(drop))
            };
            minimum::transaction(&mut held, all).unwrap();
        }
        let took = began.elapsed().as_secs_f64();
        let operations = (SIZE * BATCHES) as f64;
        ours_rates.push(operations / ours_took);
        rates.push(operations / took);
        ratios.push(took / ours_took);
    }
    vec![
        Figure::new("counterfoil", median(ours_rates), "/s"),
        Figure::new("minimum, 1000 in a transaction", median(rates), "/s"),
        Figure::new("batch to the minimum", median(ratios), "×").at_least(0.5),
    ]
}
