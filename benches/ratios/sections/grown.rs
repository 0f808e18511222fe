//! What a large file costs: charges, pages of history, opening, proof.

use std::path::{Path, PathBuf};
use std::time::Instant;

use counterfoil::{Durability, Key, Ledger};

use super::{Bench, note, text};
use crate::figure::{Figure, median};
use crate::fill::{Filling, Keys};
use crate::{callgrind, cpu, ours, probe};

const SMALL: u64 = 10_000;
const ROUNDS: u64 = 9;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("grown");
    let mut figures = vec![Figure::new("charges in the large file", bench.size as f64, "")];
    figures.push(Figure::new("keys we mint that come out of order, of 100 000", out_of_order(), "").at_most(0.0));
    for (keys, words, goal) in [(Keys::Minted, "keys we mint", 1.3), (Keys::Random, "a caller's random keys", 2.0)] {
        let [small, large] = [SMALL, bench.size].map(|size| filled(bench, folder.path(), keys, size));
        figures.extend(charges(bench, keys, words, goal, [&small, &large]));
        if keys == Keys::Minted {
            figures.extend(history(bench, [&small, &large]));
            figures.extend(opening(folder.path(), &large));
            figures.extend(proof(&large));
        }
    }
    figures
}

fn out_of_order() -> f64 {
    let keys: Vec<Key> = (0..100_000).map(|_| Key::random()).collect();
    keys.windows(2).filter(|pair| pair[0] >= pair[1]).count() as f64
}

/// A file with so many charges. One the growth bench has left in the folder is used (and charged a little more).
fn filled(bench: &Bench, folder: &Path, keys: Keys, charges: u64) -> PathBuf {
    let name = format!("{}-{charges}.ledger", keys.name());
    let kept = bench.folder.join(&name);
    let path = if kept.exists() { kept } else { folder.join(&name) };
    let mut filling = Filling::open(&path, keys);
    let began = Instant::now();
    while filling.step(charges) {}
    if charges > SMALL {
        note(&format!("{name}: filled in {:.0} s", began.elapsed().as_secs_f64()));
    }
    filling.ledger.close().unwrap();
    path
}

fn charges(bench: &Bench, keys: Keys, words: &str, goal: f64, files: [&Path; 2]) -> Vec<Figure> {
    const CHARGES: u64 = 1_000;
    let ledgers = files.map(|file| ours::open(file, Durability::Relaxed));
    // What was used lately is in memory, as in an app that has run for a while.
    ledgers.iter().for_each(|ledger| probe::charge_in_turn(ledger, keys, CHARGES));
    let (mut times, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..ROUNDS {
        let took = [0, 1].map(|file: usize| {
            let before = cpu::thread_time();
            probe::charge_in_turn(&ledgers[file], keys, CHARGES);
            (cpu::thread_time() - before).as_secs_f64() * 1e6 / CHARGES as f64
        });
        ratios.push(took[1] / took[0]);
        times[0].push(took[0]);
        times[1].push(took[1]);
    }
    for ledger in ledgers {
        ledger.close().unwrap();
    }
    let [small, large] = times;
    let mut figures = vec![
        Figure::new(format!("{words}: charge in the small file"), median(small), "µs CPU"),
        Figure::new(format!("{words}: charge in the large file"), median(large), "µs CPU"),
        Figure::new(format!("{words}: large to small, CPU"), median(ratios), "×").at_most(goal),
    ];
    if bench.valgrind {
        let [small, large] = files.map(|file| {
            let arguments =
                |count: u64, _| ["grown", keys.name(), &text(file), &count.to_string()].map(String::from).to_vec();
            callgrind::per_operation(&bench.folder, [200, 1_200], arguments)
        });
        figures.push(Figure::new(format!("{words}: charge in the small file, counted"), small, "instructions"));
        figures.push(Figure::new(format!("{words}: charge in the large file, counted"), large, "instructions"));
        let name = format!("{words}: large to small, instructions");
        figures.push(Figure::new(name, large / small, "×").at_most(goal));
    }
    figures
}

fn history(bench: &Bench, files: [&Path; 2]) -> Vec<Figure> {
    const PAGES: u64 = 1_000;
    let ledgers = files.map(|file| Ledger::open(file).unwrap());
    ledgers.iter().for_each(|ledger| (0..PAGES).for_each(|n| probe::page(ledger, n)));
    let (mut times, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..ROUNDS {
        let [small, large] = [0, 1].map(|file: usize| cpu::per_run(PAGES, |n| probe::page(&ledgers[file], n)));
        times[0].push(small);
        times[1].push(large);
        ratios.push(large / small);
    }
    let [small, large] = times;
    let mut figures = vec![
        Figure::new("history page of 50 in the small file", median(small), "µs CPU"),
        Figure::new("history page of 50 in the large file", median(large), "µs CPU"),
        Figure::new("history page of 50: large to small, CPU", median(ratios), "×").at_most(1.5),
    ];
    drop(ledgers);
    if bench.valgrind {
        let [small, large] = files.map(|file| {
            let arguments =
                |count: u64, _: u64| ["history", &text(file), &count.to_string()].map(String::from).to_vec();
            callgrind::per_operation(&bench.folder, [20, 120], arguments)
        });
        figures.push(Figure::new("history page of 50: large to small, instructions", large / small, "×").at_most(1.5));
    }
    figures
}

fn opening(folder: &Path, large: &Path) -> Vec<Figure> {
    let empty = folder.join("empty.ledger");
    Ledger::create(&empty).unwrap().close().unwrap();
    let open = |path: &Path| {
        let began = Instant::now();
        let ledger = Ledger::open(path).unwrap();
        let took = began.elapsed().as_secs_f64() * 1e6;
        ledger.close().unwrap();
        took
    };
    let (mut empties, mut larges, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..31 {
        let (small, large) = (open(&empty), open(large));
        empties.push(small);
        larges.push(large);
        ratios.push(large / small);
    }
    vec![
        Figure::new("opening an empty file", median(empties), "µs"),
        Figure::new("opening the large file", median(larges), "µs"),
        Figure::new("opening: large to empty", median(ratios), "×").at_most(3.0),
    ]
}

fn proof(file: &Path) -> Vec<Figure> {
    let ledger = Ledger::open(file).unwrap();
    // It works in two threads: both count.
    let (began, before) = (Instant::now(), cpu::process_time());
    let verification = ledger.verify().unwrap();
    assert!(verification.ok, "{:?}", verification.faults);
    let (wall, used) = (began.elapsed().as_secs_f64(), (cpu::process_time() - before).as_secs_f64());
    let operations = verification.checked.operations as f64;
    vec![
        Figure::new("verify", operations / used, "/s CPU").at_least(140_000.0),
        Figure::new("verify, by the clock on the wall", operations / wall, "/s").at_least(220_000.0),
    ]
}
