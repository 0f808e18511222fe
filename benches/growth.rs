//! Fills a file and says what an operation costs on the way: `cargo bench --bench growth`.
//!
//! `-- --file F` (default: growth-KEYS.ledger in the target folder), `--entries N` (default ten million), `--keys minted|random`,
//! `--every K` (a line every so many), `--json`. It may be killed at any time and started again: it goes on where the file
//! stopped. The ratios use a file named KEYS-N.ledger in their `--dir` instead of filling one of their own.
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

#[path = "ratios/cpu.rs"]
mod cpu;
#[path = "ratios/fill.rs"]
mod fill;
#[allow(dead_code, reason = "the ratios use the rest")]
#[path = "ratios/ours.rs"]
mod ours;

use std::path::{Path, PathBuf};
use std::time::Instant;

use counterfoil::Key;
use fill::{Filling, Keys};

/// Charges one at a time, to see what those cost at this size.
const ALONE: u64 = 500;

struct Arguments {
    file: Option<PathBuf>,
    entries: u64,
    keys: Keys,
    every: u64,
    json: bool,
}

fn arguments() -> Arguments {
    let mut found = Arguments { file: None, entries: 10_000_000, keys: Keys::Minted, every: 250_000, json: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--file" => found.file = Some(value().into()),
            "--entries" => found.entries = value().parse().unwrap(),
            "--keys" => found.keys = Keys::parse(&value()).expect("minted or random"),
            "--every" => found.every = value().parse().unwrap(),
            "--json" => found.json = true,
            // Cargo's own.
            "--bench" => {}
            _ => panic!("unknown argument {word}"),
        }
    }
    found
}

/// The sizes of the file and of its `-wal`, by `stat` alone: opening either here would drop SQLite's locks.
fn sizes(path: &Path) -> (u64, u64) {
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |about| about.len());
    (size(path), size(&wal))
}

/// Microseconds of processor time for a charge of its own.
fn alone(filling: &mut Filling, keys: Keys) -> f64 {
    cpu::per_run(ALONE, |n| {
        // Nothing asks for these again, so they need not be made again after a kill.
        let key = match keys {
            Keys::Minted => Key::random(),
            Keys::Random => Key::new(&blake3::hash(Key::random().as_str().as_bytes()).to_hex()[..20]).unwrap(),
        };
        ours::charge(&filling.ledger, &fill::account_id(n), key.as_str()).unwrap();
        filling.booked(1);
    })
}

fn main() {
    let Arguments { file, entries, keys, every, json } = arguments();
    let file = file
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("growth-{}.ledger", keys.name())));
    let mut filling = Filling::open(&file, keys);
    eprintln!("{}: {} charges, going to {entries}", file.display(), filling.charges());
    if !json {
        println!("| charges    | µs CPU in a batch | µs CPU alone | charges/s | bytes each | -wal, MiB |");
        println!("|-----------:|------------------:|-------------:|----------:|-----------:|----------:|");
    }
    while filling.charges() < entries {
        let (from, before, began, used) = (filling.charges(), sizes(&file), Instant::now(), cpu::thread_time());
        let target = (from / every + 1) * every;
        while filling.step(target.min(entries)) {}
        let done = (filling.charges() - from) as f64;
        let rate = done / began.elapsed().as_secs_f64();
        let batch = (cpu::thread_time() - used).as_secs_f64() * 1e6 / done;
        let after = sizes(&file);
        let bytes = after.0.saturating_sub(before.0) as f64 / done;
        let (alone, charges, wal) = (alone(&mut filling, keys), filling.charges(), after.1 as f64 / 1_048_576.0);
        if json {
            let line = serde_json::json!({
                "keys": keys.name(), "charges": charges, "cpu_us_in_batch": batch, "cpu_us_alone": alone,
                "charges_per_s": rate, "bytes_each": bytes, "wal_mib": wal,
            });
            println!("{line}");
        } else {
            println!("| {charges:>10} | {batch:>17.1} | {alone:>12.1} | {rate:>9.0} | {bytes:>10.0} | {wal:>9.1} |");
        }
    }
    filling.ledger.close().unwrap();
}
