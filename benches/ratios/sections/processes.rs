//! Several processes on one file, each with several threads.

use std::path::PathBuf;
use std::time::Duration;

use super::{Bench, SYNC, note};
use crate::figure::{Figure, median};
use crate::workers::{self, Run, Way};

const ROUNDS: u64 = 3;
const PROCESSES: u64 = 4;
const THREADS: u64 = 4;
const LENGTH: Duration = Duration::from_millis(2_000);
const WAYS: [Way; 4] = [Way::Ours, Way::Serial, Way::Minimum, Way::Naive];

/// One round of one way, over all processes.
struct Round {
    rate: f64,
    /// Least to most operations of a process.
    fairness: f64,
    worst: f64,
    errors: Vec<String>,
}

impl Round {
    fn new(runs: &[Run]) -> Self {
        let totals: Vec<f64> = runs.iter().map(Run::total).collect();
        Round {
            rate: runs.iter().map(Run::rate).sum(),
            fairness: totals.iter().copied().fold(f64::MAX, f64::min) / totals.iter().copied().fold(1.0, f64::max),
            worst: runs.iter().map(|run| run.wait(1.0)).fold(0.0, f64::max),
            errors: runs.iter().flat_map(|run| run.errors.clone()).collect(),
        }
    }
}

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("processes");
    let files = WAYS.map(|way| way.file(folder.path()));
    let rounds = bench.with_sync(SYNC, |_| (0..ROUNDS).map(|round| one(round, &files)).collect::<Vec<_>>());
    let Some(rounds) = rounds else { return Vec::new() };
    let of = |way: usize, figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(|r| figure(&r[way])).collect());
    let worst = |way: usize| rounds.iter().map(|round| round[way].worst).fold(0.0, f64::max);
    let errors = |way: usize| rounds.iter().map(|round| round[way].errors.len()).sum::<usize>() as f64;
    let ratio = |other: usize| median(rounds.iter().map(|round| round[0].rate / round[other].rate).collect());
    let rate = |way: usize| of(way, &|round| round.rate);
    let fairness = |way: usize| of(way, &|round| round.fairness);
    for error in rounds.iter().flat_map(|round| &round[0].errors).take(3) {
        note(&format!("counterfoil failed: {error}"));
    }
    vec![
        Figure::new("counterfoil", rate(0), "/s"),
        Figure::new("counterfoil: failed", errors(0), "").at_most(0.0),
        Figure::new("counterfoil: least to most busy process", fairness(0), "×").at_least(0.5),
        Figure::new("counterfoil: longest wait", worst(0), "ms").at_most(300.0),
        Figure::new("to counterfoil, one operation in a commit", ratio(1), "×").at_least(3.0),
        Figure::new("to the minimum, one operation in a commit", ratio(2), "×"),
        Figure::new("counterfoil, one operation in a commit", rate(1), "/s"),
        Figure::new("minimum, one operation in a commit", rate(2), "/s"),
        Figure::new("naive", rate(3), "/s"),
        Figure::new("naive: failed", errors(3), ""),
        Figure::new("naive: least to most busy process", fairness(3), "×"),
        Figure::new("naive: longest wait", worst(3), "ms"),
    ]
}

fn one(round: u64, files: &[PathBuf; 4]) -> Vec<Round> {
    let run =
        |(way, path): (Way, &PathBuf)| Round::new(&workers::processes(way, path, PROCESSES, THREADS, round, LENGTH));
    WAYS.into_iter().zip(files).map(run).collect()
}
