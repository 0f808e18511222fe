//! Measures counterfoil beside a hand-written minimum and the naive way, in one run: `cargo bench --bench ratios`.
//!
//! `-- --list` names the sections, `--only NAME` runs one (may be repeated), `--json` prints one JSON line for each figure,
//! `--size N` and `--due N` set how much the large files hold, `--dir D` where files are made. What the figures mean is in
//! `docs/performance.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod callgrind;
mod cpu;
mod fifo;
mod figure;
mod fill;
mod fleet;
mod minimum;
mod mixed;
mod ours;
mod probe;
mod raw;
mod sections;
mod shim;
mod workers;

use std::path::PathBuf;
use std::time::Instant;

use sections::{Bench, SECTIONS, note};
use shim::Shim;

#[derive(Default)]
struct Arguments {
    only: Vec<String>,
    list: bool,
    json: bool,
    folder: Option<PathBuf>,
    size: Option<u64>,
    due: Option<u64>,
}

fn arguments() -> Arguments {
    let mut found = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--only" => found.only.push(value()),
            "--list" => found.list = true,
            "--json" => found.json = true,
            "--dir" => found.folder = Some(value().into()),
            "--size" => found.size = Some(value().parse().unwrap()),
            "--due" => found.due = Some(value().parse().unwrap()),
            // Cargo's own.
            "--bench" => {}
            _ => panic!("unknown argument {word}"),
        }
    }
    found
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("probe", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return probe::run(rest);
    }
    let arguments = arguments();
    if arguments.list {
        SECTIONS.iter().for_each(|section| println!("{:14}{}", section.name, section.title));
        return;
    }
    let shim = Shim::loaded().or_else(|| {
        note(&format!("no stand-in for fsync: {}", Shim::start_again(tempfile::tempdir().unwrap().path())));
        None
    });
    // Not the system's temporary folder: it may be memory.
    let folder = arguments.folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    std::fs::create_dir_all(&folder).unwrap();
    let bench = Bench {
        folder,
        shim,
        valgrind: callgrind::available(),
        size: arguments.size.unwrap_or(500_000),
        due: arguments.due.unwrap_or(150_000),
    };
    for section in &SECTIONS {
        if arguments.only.is_empty() || arguments.only.iter().any(|name| name == section.name) {
            let began = Instant::now();
            let figures = (section.run)(&bench);
            figure::show(section.name, section.title, &figures, arguments.json);
            note(&format!("{} took {:.0} s", section.name, began.elapsed().as_secs_f64()));
        }
    }
}
