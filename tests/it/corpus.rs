//! What fuzzing has found worth keeping, replayed; and the same with a few bytes changed.
//!
//! `COUNTERFOIL_FUZZ=1000000` tries so many changed ones of each target; `cargo +nightly fuzz run TARGET` looks for more by coverage.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

use crate::against::{in_parallel, number};
use crate::model::generate::Random;

/// The files of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Some bytes are changed, left out, doubled, or come from another.
fn changed(all: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(all).clone();
    for _ in 0..random.range(1, 4) {
        let at = random.range(0, bytes.len() as i64) as usize;
        let end = (at + random.range(0, 12) as usize).min(bytes.len());
        match random.range(0, 4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.range(0, 7),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => {
                let other = random.pick(all);
                let from = random.range(0, other.len() as i64) as usize;
                let part = &other[from..(from + 24).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            _ => bytes.insert(at, random.range(0, 255) as u8),
        }
    }
    bytes
}

fn replay(target: &str, usual: u64) {
    let (_, run) = targets::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let all = corpus(target);
    assert!(all.len() > 5, "{target}: {} files", all.len());
    all.iter().for_each(|bytes| run(bytes));
    in_parallel(number("COUNTERFOIL_FUZZ", usual), |seed| run(&changed(&all, &mut Random::new(seed))));
}

#[test]
fn price_books() {
    replay("price_book", 20_000);
}

#[test]
fn lines() {
    replay("lines", 20_000);
}

#[test]
fn numbers() {
    replay("numbers", 5_000);
}

#[test]
fn ids() {
    replay("ids", 20_000);
}

#[test]
fn exchange_files() {
    replay("exchange_file", 20_000);
}

#[test]
fn whole_files() {
    replay("whole_file", 2_000);
}
