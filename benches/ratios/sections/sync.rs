//! Devices and their hub: rates of import, answers, how long a reconcile keeps others waiting, and memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use counterfoil::{Ledger, Points, Recharge};

use super::{Bench, text};
use crate::figure::Figure;
use crate::probe::{Child, child};
use crate::{cpu, fleet, ours};

const ACCOUNTS: u64 = 25_000;
/// Charges of one device, and of one file.
const LOG: u64 = 100_000;
const FILE: u64 = 10_000;
/// Files whose links are measured, new and known.
const MEASURED: u64 = 5;
const MEBIBYTE: f64 = 1_048_576.0;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("sync");
    let hub = fleet::hub(&folder.path().join("hub.ledger"));
    let mut figures = arrivals(bench, &hub, folder.path());
    figures.extend(answers(&hub, folder.path()));
    figures.extend(reconcile(&hub, folder.path()));
    figures.extend(memory(&hub, folder.path()));
    figures
}

/// Processor time of importing files, as links for each second.
fn rate(hub: &Ledger, files: &[PathBuf]) -> f64 {
    let before = cpu::process_time();
    files.iter().for_each(|file| drop(fleet::import(hub, file)));
    (files.len() as u64 * FILE) as f64 / (cpu::process_time() - before).as_secs_f64()
}

fn arrivals(bench: &Bench, hub: &Ledger, folder: &Path) -> Vec<Figure> {
    let mut log = Vec::new();
    for n in 0..bench.size.div_ceil(LOG).max(1) {
        let device = fleet::device(hub, &folder.join(format!("log-{n}.ledger")), false);
        fleet::charge(&device, n, LOG, ACCOUNTS);
        log = fleet::export(&device, &folder.join(format!("log-{n}")));
        device.close().unwrap();
        let most = if n + 1 == bench.size.div_ceil(LOG).max(1) { log.len() - MEASURED as usize - 1 } else { log.len() };
        log.iter().take(most).for_each(|file| drop(fleet::import(hub, file)));
    }
    // The last one is shorter than the others.
    let measured = &log[log.len() - MEASURED as usize - 1..log.len() - 1];
    let new = rate(hub, measured);
    fleet::import(hub, log.last().unwrap());
    let links =
        hub.devices(&counterfoil::Query::new()).unwrap().items.iter().map(|device| device.log.operations).sum::<i64>();
    vec![
        Figure::new("links in the hub", links as f64, "links"),
        Figure::new("import of new links", new, "links/s").at_least(15_000.0),
        Figure::new("import of known links", rate(hub, measured), "links/s").at_least(100_000.0),
    ]
}

fn answers(hub: &Ledger, folder: &Path) -> Vec<Figure> {
    let device = fleet::device(hub, &folder.join("asks.ledger"), false);
    fleet::charge(&device, 900, FILE, FILE);
    fleet::exchange(hub, &device, &folder.join("asks"));
    fleet::exchange(hub, &device, &folder.join("asks"));
    let recharge = Recharge::new(Points::new(5).unwrap(), "bench");
    for n in 0..500 {
        hub.recharge(&fleet::card(n), &fleet::key(&format!("changed {n}")), recharge.clone()).unwrap();
    }
    let question = fleet::export(&device, &folder.join("asks")).pop().unwrap();
    fleet::import(hub, &question);
    let took = (0..5).map(|_| {
        let began = cpu::process_time();
        fleet::answers(hub, &question, &folder.join("answered"));
        (cpu::process_time() - began).as_secs_f64() * 1e3
    });
    let took = crate::figure::median(took.collect());
    device.close().unwrap();
    vec![Figure::new("answer for 500 changed accounts of 10 000", took, "ms").at_most(100.0)]
}

/// Somebody charges all the while.
fn reconcile(hub: &Ledger, folder: &Path) -> Vec<Figure> {
    let device = fleet::device(hub, &folder.join("hears.ledger"), false);
    fleet::charge(&device, 901, FILE, FILE);
    let files = fleet::export(&device, &folder.join("hears"));
    files.iter().for_each(|file| drop(fleet::import(hub, file)));
    let parts = fleet::answers(hub, files.last().unwrap(), &folder.join("heard"));
    fleet::charge(&device, 902, 1_000, FILE);
    let (done, other) = (AtomicBool::new(false), counterfoil::AccountId::new("beside").unwrap());
    let (took, used, longest) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let (mut longest, mut n) = (0.0_f64, 0);
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                ours::charge(&device, &other, &ours::key(903, n)).unwrap();
                longest = longest.max(began.elapsed().as_secs_f64() * 1e3);
                n += 1;
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            longest
        });
        let (began, before) = (Instant::now(), cpu::process_time());
        parts.iter().for_each(|part| drop(fleet::import(&device, part)));
        let took = (began.elapsed().as_secs_f64(), (cpu::process_time() - before).as_secs_f64());
        done.store(true, Ordering::Relaxed);
        (took.0, took.1, beside.join().unwrap())
    });
    device.close().unwrap();
    vec![
        Figure::new("reconcile of 10 000 accounts, 1 000 pending", took, "s").at_most(5.0),
        Figure::new("the same, processor time", used, "s"),
        Figure::new("longest wait of a writer beside it", longest, "ms").at_most(30.0),
    ]
}

/// What one step takes beyond the open ledger, each in a process of its own.
fn memory(hub: &Ledger, folder: &Path) -> Vec<Figure> {
    let device = fleet::device(hub, &folder.join("large.ledger"), true);
    let note = "n".repeat(500);
    for first in (0..95_000).step_by(1_000) {
        let some = (first..first + 1_000).map(|n| {
            ours::charge_request(&fleet::card(n % ACCOUNTS), &ours::key(904, n)).with("description", note.as_str())
        });
        ours::book(&device, &some.collect::<Vec<_>>());
    }
    let files = fleet::export(&device, &folder.join("large"));
    let large = folder.join("large.cfx");
    fleet::joined(&device, &files, &large);
    let bytes = std::fs::metadata(&large).unwrap().len() as f64 / MEBIBYTE;
    let (hub_file, device_file) = (hub.path(), device.path());
    hub.close().unwrap();
    device.close().unwrap();
    let above = |words: &[&str]| {
        let arguments: Vec<String> = ["sync"].iter().chain(words).map(ToString::to_string).collect();
        let Child { above } = child(&arguments);
        above / MEBIBYTE
    };
    let (hub_file, device_file, large) = (text(&hub_file), text(&device_file), text(&large));
    let out = text(folder);
    vec![
        Figure::new("a large file", bytes, "MiB"),
        Figure::new("memory: reading it whole", above(&["inspect", &hub_file, &large]), "MiB").at_most(8.0),
        Figure::new("memory: import of it", above(&["import", &hub_file, &large]), "MiB").at_most(8.0),
        Figure::new("memory: answer of 25 000 accounts", above(&["answer", &hub_file, &large, &out]), "MiB")
            .at_most(8.0),
        Figure::new("memory: export", above(&["export", &device_file, &out]), "MiB").at_most(8.0),
        Figure::new("memory: import of the answer", above(&["hear", &device_file, &out]), "MiB").at_most(8.0),
    ]
}
