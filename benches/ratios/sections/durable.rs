//! One caller, and many at once, whose operations are on disk when they are acknowledged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Bench, SYNC};
use crate::figure::{Figure, median};
use crate::shim::Shim;
use crate::workers::{self, Run, Way};

const ROUNDS: u64 = 9;
const LENGTH: Duration = Duration::from_millis(400);

/// A run, and the syncs it took.
type Synced = (Run, f64);

struct Field {
    files: BTreeMap<&'static str, PathBuf>,
    series: u64,
}

impl Field {
    fn run(&mut self, shim: &Shim, way: Way, threads: u64) -> Synced {
        self.series += 1;
        let path = &self.files[way.name()];
        let mut before = 0;
        let run = workers::run(way, path, threads, self.series, LENGTH, || before = shim.count());
        (run, (shim.count() - before) as f64)
    }
}

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("durable");
    let ways = [Way::Ours, Way::Serial, Way::Minimum, Way::Held, Way::Naive];
    let files = ways.map(|way| (way.name(), way.file(folder.path())));
    let mut field = Field { files: files.into(), series: 0 };
    bench.with_sync(SYNC, |shim| measure(&mut field, shim)).unwrap_or_default()
}

fn measure(field: &mut Field, shim: &Shim) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (threads, goal) in [(1, 0.95), (4, 2.8), (8, 5.2), (16, 9.5)] {
        let mut rounds: Vec<BTreeMap<&str, Synced>> = Vec::new();
        for round in 0..ROUNDS {
            let mut ways = vec![Way::Ours, Way::Serial, Way::Minimum];
            if threads == 1 {
                ways.push(Way::Held);
            }
            if threads == 16 && round == 0 {
                ways.push(Way::Naive);
            }
            // Every other round the other way round, so that no way always comes first.
            if round % 2 == 1 {
                ways.reverse();
            }
            rounds.push(ways.into_iter().map(|way| (way.name(), field.run(shim, way, threads))).collect());
        }
        figures.extend(report(&rounds, threads, goal));
    }
    figures
}

fn report(rounds: &[BTreeMap<&str, Synced>], threads: u64, goal: f64) -> Vec<Figure> {
    let of = |way: Way, figure: &dyn Fn(&Synced) -> f64| {
        median(rounds.iter().filter_map(|round| round.get(way.name())).map(figure).collect())
    };
    // Each round is compared with itself.
    let ratio =
        |other: Way| median(rounds.iter().map(|round| round["ours"].0.rate() / round[other.name()].0.rate()).collect());
    let rate = |way: Way| of(way, &|(run, _)| run.rate());
    let name = |what: &str| match threads {
        1 => format!("1 caller: {what}"),
        _ => format!("{threads} callers: {what}"),
    };
    let mut figures = vec![
        Figure::new(name("counterfoil"), rate(Way::Ours), "/s"),
        Figure::new(name("counterfoil, one operation in a commit"), rate(Way::Serial), "/s"),
        Figure::new(name("minimum, one operation in a commit"), rate(Way::Minimum), "/s"),
        Figure::new(name("group commit to counterfoil without it"), ratio(Way::Serial), "×").at_least(goal),
        Figure::new(name("group commit to the minimum without it"), ratio(Way::Minimum), "×"),
        Figure::new(name("syncs for an operation"), of(Way::Ours, &|(run, syncs)| syncs / run.total()), "")
            .at_most(1.3 / threads as f64),
    ];
    if threads == 1 {
        figures.push(Figure::new(name("minimum, held statements"), rate(Way::Held), "/s"));
        figures.push(Figure::new(name("to the minimum with held statements"), ratio(Way::Held), "×").at_least(0.95));
    }
    if threads == 16 {
        let fairness = |way: Way| of(way, &|(run, _)| run.fairness());
        let late = |way: Way| of(way, &|(run, _)| run.wait(0.99) / SYNC.as_secs_f64() / 1e3);
        figures.push(Figure::new(name("slowest to fastest thread"), fairness(Way::Ours), "×").at_least(0.9));
        figures.push(Figure::new(name("99 of 100 wait less than"), late(Way::Ours), "syncs").at_most(20.0));
        figures.push(Figure::new(name("naive"), rate(Way::Naive), "/s"));
        figures.push(Figure::new(name("naive: slowest to fastest thread"), fairness(Way::Naive), "×"));
        figures.push(Figure::new(name("naive: 99 of 100 wait less than"), late(Way::Naive), "syncs"));
        figures.push(Figure::new(name("naive: failed"), of(Way::Naive, &|(run, _)| run.errors.len() as f64), ""));
    }
    figures
}
