//! Instructions of a charge beside the minimum, and of one that books nothing.

use std::path::Path;

use super::{Bench, note, text};
use crate::figure::Figure;
use crate::{callgrind, fleet, minimum, ours, probe};

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    if !bench.valgrind {
        note("skipped: there is no valgrind");
        return Vec::new();
    }
    let folder = bench.folder("instructions");
    let mut figures = Vec::new();
    for (how, words, goal) in [("group", "in groups of 100", 1.5), ("alone", "alone", 1.85)] {
        let minimum = count(folder.path(), "minimum", how);
        let ours = count(folder.path(), "ours", how);
        figures.push(Figure::new(format!("{words}: minimum"), minimum, "instructions"));
        figures.push(Figure::new(format!("{words}: counterfoil"), ours, "instructions"));
        figures.push(Figure::new(format!("{words}: to the minimum"), ours / minimum, "×").at_most(goal));
        if how == "group" {
            let device = count(folder.path(), "device", how);
            figures.push(
                Figure::new(format!("{words}: on a device, to a file by itself"), device / ours, "×").at_most(1.15),
            );
        }
    }
    let again = count(folder.path(), "ours", "again");
    figures.push(Figure::new("alone, repeated", again, "instructions").at_most(65_000.0));
    figures.push(Figure::new("alone, refused", count(folder.path(), "ours", "refused"), "instructions"));
    figures
}

fn count(folder: &Path, subject: &str, how: &str) -> f64 {
    let arguments = |count: u64, which: u64| {
        let file = folder.join(format!("{subject}-{how}-{which}.db"));
        match subject {
            "ours" => {
                ours::create(&file, ours::ACCOUNT, 1);
                if how == "again" {
                    probe::charge_ours("group", &file, count, 1);
                }
            }
            "device" => on_device(&file),
            _ => minimum::create(&file, ours::ACCOUNT, 1),
        }
        let subject = if subject == "device" { "ours" } else { subject };
        [subject, how, &text(&file), &count.to_string(), "1"].map(String::from).to_vec()
    };
    callgrind::per_operation(folder, [500, 2_000], arguments)
}

/// A device whose account its hub has told of.
fn on_device(file: &Path) {
    let hub = fleet::hub(&file.with_extension("hub"));
    let device = fleet::device(&hub, file, false);
    ours::recharge(&hub, &ours::account(), "order:1");
    ours::charge(&device, &ours::account(), "first").unwrap();
    fleet::exchange(&hub, &device, &file.with_extension("files"));
    assert!(device.balance(&ours::account()).unwrap().base_at.is_some());
    device.close().unwrap();
}
