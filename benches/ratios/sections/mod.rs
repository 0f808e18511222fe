//! What is measured, section by section.

mod accounts;
mod batch;
mod crowd;
mod durable;
mod expire;
mod grown;
mod instructions;
mod processes;
mod reads;
mod space;
mod sync;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figure::Figure;
use super::shim::Shim;

/// How long a sync takes where durability is the subject.
const SYNC: Duration = Duration::from_millis(1);

/// What a section needs to know.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    pub(crate) shim: Option<Shim>,
    pub(crate) valgrind: bool,
    /// Charges in the large file.
    pub(crate) size: u64,
    /// Batches that fall due at once.
    pub(crate) due: u64,
}

impl Bench {
    /// A folder for one section's files.
    fn folder(&self, name: &str) -> tempfile::TempDir {
        tempfile::Builder::new().prefix(name).tempdir_in(&self.folder).unwrap()
    }

    /// Runs `work` while a sync takes so long.
    fn with_sync<T>(&self, length: Duration, work: impl FnOnce(&Shim) -> T) -> Option<T> {
        let Some(shim) = &self.shim else {
            note("skipped: there is no stand-in for fsync");
            return None;
        };
        shim.set_length(length);
        let done = work(shim);
        shim.set_length(Duration::ZERO);
        Some(done)
    }
}

/// A part of the report.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) run: fn(&Bench) -> Vec<Figure>,
}

const fn section(name: &'static str, title: &'static str, run: fn(&Bench) -> Vec<Figure>) -> Section {
    Section { name, title, run }
}

pub(crate) const SECTIONS: [Section; 12] = [
    section("instructions", "Instructions of a charge, every safety on", instructions::run),
    section("durable", "Callers that wait for the disk, a sync of 1 ms", durable::run),
    section("processes", "4 processes of 4 threads each, a sync of 1 ms", processes::run),
    section("batch", "A batch of 1000, no syncs", batch::run),
    section("crowd", "Charge on an account with very many batches", crowd::run),
    section("accounts", "300 000 accounts in no order, against 1 000", accounts::run),
    section("reads", "Balance", reads::run),
    section("grown", "A large file against one of 10 000 charges", grown::run),
    section("expire", "Expiry of very many batches", expire::run),
    section("space", "Bytes in the file for a charge with a key of 20 bytes", space::run),
    section("sync", "Devices and their hub, files of 10 000 links", sync::run),
    section("verify", "Proof of a file with operations of many kinds", verify::run),
];

/// A remark beside the figures.
pub(crate) fn note(text: &str) {
    eprintln!("  note: {text}");
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}
