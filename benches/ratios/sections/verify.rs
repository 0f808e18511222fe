//! What proving a file costs, by operations of many kinds: time, and memory at two sizes, so that its growth is seen.

use std::path::Path;
use std::process::Command;

use super::{Bench, text};
use crate::callgrind::{self, program};
use crate::figure::{Figure, median};
use crate::mixed;
use crate::probe::Proof;

const ROUNDS: usize = 3;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("verify");
    let [small, large] = [bench.size * 3 / 5, bench.size * 6 / 5].map(|size| {
        let path = folder.path().join(format!("{size}.ledger"));
        mixed::fill(&path, size);
        path
    });
    let (few, many): (Vec<Proof>, Vec<Proof>) = (0..ROUNDS).map(|_| (prove(&small), prove(&large))).unzip();
    let of = |proofs: &[Proof], value: fn(&Proof) -> f64| median(proofs.iter().map(value).collect());
    let operations = of(&many, |proof| proof.operations);
    let grown = of(&many, |proof| proof.peak) - of(&few, |proof| proof.peak);
    let mut figures = vec![
        Figure::new("operations in the large file", operations, ""),
        Figure::new("operations", of(&many, |proof| proof.operations / proof.used), "/s CPU").at_least(140_000.0),
        Figure::new("operations, by the clock", of(&many, |proof| proof.operations / proof.took), "/s")
            .at_least(220_000.0),
        Figure::new("memory for the small file", of(&few, |proof| proof.peak / 1_048_576.0), "MiB"),
        Figure::new("memory for the large file", of(&many, |proof| proof.peak / 1_048_576.0), "MiB"),
        Figure::new(
            "memory for each operation more",
            grown / (operations - of(&few, |proof| proof.operations)),
            "bytes",
        )
        .at_most(60.0),
    ];
    if bench.valgrind {
        let files = [10_000, 20_000].map(|size: u64| folder.path().join(format!("{size}.ledger")));
        let counts = [(&files[0], 10_000), (&files[1], 20_000)].map(|(file, size)| mixed::fill(file, size));
        let each = callgrind::per_operation(&bench.folder, counts, |_, which| {
            ["verify".to_string(), text(&files[which as usize])].to_vec()
        });
        figures.push(Figure::new("operation, counted", each, "instructions"));
    }
    figures
}

/// Proves the file in a process of its own, whose memory is its alone.
fn prove(file: &Path) -> Proof {
    let output = Command::new(program()).args(["probe", "verify", &text(file)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
