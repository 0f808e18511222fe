//! The proof: everything in the file is computed again, from the operations and from time alone, and compared.
//!
//! Two halves that share nothing but the rows: [`replay`] books every operation again in memory and compares each row
//! with what is stored; [`sums`] holds the stored rows against one another (the invariants I1 to I10). The hash chain
//! is followed beside the replay. The halves run at the same time where the file can be read several times, and see one state
//! of it; a third thread reads the log ahead of the replay.
//! Nothing is ever written.
//!
//! What the file itself cannot tell: an operation chopped off the end together with its entries, its derived rows, the
//! head and the length (an older valid state of the file: compare with a backup), when exactly a sweep ran (so that of an account it
//! was the last to touch it is not known which steps back of the clock it knew of), and whether a suspect clock would have been
//! suspect had a sweep run earlier. Every single column changed by itself is found.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod doctor;
mod faults;
mod kept;
mod links;
mod memory;
mod movements;
mod quick;
mod replay;
mod sums;
mod tables;
#[cfg(test)]
mod tests;
mod window;

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::db::OtherReader;
use crate::error::{Error, Result};
use crate::store::audit::{self as stored, Paged, RowKey};
use crate::store::{self, BookCache, Session};
use faults::Faults;

pub use doctor::Diagnosis;
pub(crate) use doctor::{Circumstances, diagnose};

/// How many rows are read at a time.
const PAGE: usize = 512;
/// The most lines asked of SQLite's own check.
const MOST_LINES: usize = 100;

/// What `verify` found.
///
/// ```
/// # use counterfoil::Ledger;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let verification = ledger.verify()?;
/// assert!(verification.ok && verification.faults.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
#[must_use]
pub struct Verification {
    /// No fault was found.
    pub ok: bool,
    /// What was looked at.
    pub checked: Checked,
    /// What is wrong, at most the first thousand.
    pub faults: Vec<Fault>,
    /// How many faults there are beyond those listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_faults: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How many rows of each table were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Checked {
    /// Operations whose place in the hash chain was checked.
    pub operations: u64,
    /// Operations booked again in memory and compared; fewer when one of them cannot be.
    pub replayed: u64,
    /// Entries of all accounts.
    pub entries: u64,
    /// Accounts.
    pub accounts: u64,
    /// Batches.
    pub batches: u64,
    /// Plans.
    #[serde(default)]
    pub plans: u64,
    /// Allocations.
    pub allocations: u64,
    /// Holds, open or resolved.
    pub holds: u64,
    /// Consumes with an open part, refunds or write-offs.
    pub consumes: u64,
    /// Price books.
    pub price_books: u64,
    /// Writers: the device in each of its epochs.
    pub writers: u64,
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fault {
    /// What kind of fault, in `snake_case`; these never change their meaning.
    ///
    /// `integrity`, `foreign_key`: SQLite's own checks. `chain_broken`, `head_mismatch`, `length_mismatch`: the log.
    /// `<table>_mismatch`, `<table>_missing`, `<table>_extra`, `<table>_unreadable`: a row is not what the operations
    /// make of it. `operation_refused`: an operation cannot have been booked. `replay_stopped`: from there on only the
    /// chain and the sums could be checked. `i1_batch` … `i13_batch`: an invariant does not hold. `unreadable`: damage
    /// ended a part of the work.
    pub code: Cow<'static, str>,
    /// Table, key and column: `batch 1048577 remaining`.
    #[serde(rename = "where")]
    pub place: String,
    /// What it must be.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// How far `verify` is, or `backup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done: `storage`, `operations`, `tables`, `sums`; before those, in a backup, `copy`.
    pub step: &'static str,
    /// Rows done in this step.
    pub done: u64,
    /// Rows in all, where that is known.
    pub total: Option<u64>,
}

/// What surrounds the work: where to read, what was found, whom to tell.
struct Audit<'a, 'c> {
    session: &'a Session<'c>,
    faults: Faults,
    checked: Checked,
    progress: &'a mut dyn FnMut(Progress) -> Result<()>,
}

impl<'a, 'c> Audit<'a, 'c> {
    fn new(session: &'a Session<'c>, progress: &'a mut dyn FnMut(Progress) -> Result<()>) -> Self {
        Audit { session, faults: Faults::default(), checked: Checked::default(), progress }
    }

    /// An error where whoever is told stops the work.
    fn tell(&mut self, step: &'static str, done: u64, total: Option<u64>) -> Result<()> {
        (self.progress)(Progress { step, done, total })
    }

    fn verdict(self) -> Verification {
        let Faults { list, more, .. } = self.faults;
        Verification { ok: list.is_empty(), checked: self.checked, faults: list, more_faults: more }
    }
}

/// Proves the file behind the connection. `others` are others that see the same state of it: with them, both halves of the work
/// are done at the same time, and the log is read ahead of the replay.
pub(crate) fn verify(
    session: &Session<'_>,
    others: Option<[OtherReader; 2]>,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Verification> {
    store::audit::snapshot(session, || {
        let mut audit = Audit::new(session, progress);
        let rows = match others {
            Some(others) => beside(&mut audit, others)?,
            None => {
                let rows = rows(session, audit.progress)?;
                books(&mut audit, None)?;
                rows
            }
        };
        Ok(rows.merge(audit))
    })
}

/// Checks only what is bounded.
pub(crate) fn verify_quick(
    session: &Session<'_>,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Verification> {
    store::audit::snapshot(session, || {
        let mut audit = Audit::new(session, progress);
        quick::run(&mut audit)?;
        Ok(audit.verdict())
    })
}

/// The replay here, the rows by themselves in a thread of their own.
fn beside(audit: &mut Audit<'_, '_>, [second, ahead]: [OtherReader; 2]) -> Result<Rows> {
    let stopped = &AtomicBool::new(false);
    thread::scope(|scope| {
        let go_on = move |_| {
            if stopped.load(Ordering::Relaxed) { Err(Error::Cancelled { what: "the verification" }) } else { Ok(()) }
        };
        let other = scope.spawn(move || rows(&Session::new(&second), &mut { go_on }));
        let books = audit.tell("storage", 0, None).and_then(|()| books(audit, Some(ahead)));
        stopped.store(books.is_err(), Ordering::Relaxed);
        // A panic there is one here.
        let rows = other.join().unwrap_or_else(|panic| resume_unwind(panic));
        books.and(rows)
    })
}

/// The half that knows the rules: what the operations make of the file.
fn books(audit: &mut Audit<'_, '_>, ahead: Option<OtherReader>) -> Result<()> {
    let cache = BookCache::default();
    match replay::run(audit, ahead, &cache)? {
        Some(memory) => tables::run(audit, &memory).and_then(|()| links::run(audit, &memory)),
        None => Ok(()),
    }
}

/// What the other half finds, which looks at the stored rows alone.
struct Rows {
    storage: Faults,
    sums: Faults,
    checked: Checked,
}

fn rows(session: &Session<'_>, progress: &mut dyn FnMut(Progress) -> Result<()>) -> Result<Rows> {
    let mut audit = Audit::new(session, progress);
    audit.tell("storage", 0, None)?;
    let outcome = storage(&mut audit);
    audit.faults.part("storage", outcome)?;
    let storage = std::mem::take(&mut audit.faults);
    sums::run(&mut audit)?;
    Ok(Rows { storage, sums: audit.faults, checked: audit.checked })
}

impl Rows {
    /// Both halves together: SQLite's faults first, and what both have found once.
    fn merge(self, books: Audit<'_, '_>) -> Verification {
        let mut faults = self.storage;
        faults.absorb(books.faults);
        faults.absorb(self.sums);
        let Checked { operations, replayed, price_books, writers, .. } = books.checked;
        let checked = Checked { operations, replayed, price_books, writers, ..self.checked };
        Verification { ok: faults.list.is_empty(), checked, faults: faults.list, more_faults: faults.more }
    }
}

/// SQLite's own checks: pages, indexes, CHECKs, foreign keys.
///
/// CHECKs and foreign keys would follow from the replay, which says what stands in every column. They are asked all the
/// same: they know nothing of the engine, and so catch what it gets wrong.
fn storage(audit: &mut Audit<'_, '_>) -> Result<()> {
    let integrity = store::audit::integrity(audit.session, MOST_LINES)?;
    for line in integrity.lines {
        audit.faults.add("integrity", "storage", "ok", line);
    }
    let rows = store::audit::ledger_rows(audit.session)?;
    if rows != 1 {
        audit.faults.add("ledger_extra", "ledger", "1 row", rows);
    }
    if integrity.tangled {
        return Ok(());
    }
    for (index, error) in store::audit::broken_indexes(audit.session)? {
        audit.faults.add("integrity", format_args!("index {index}"), "an index", error);
    }
    for dangling in store::audit::foreign_keys(audit.session, MOST_LINES)? {
        let row = dangling.row.map_or_else(String::new, |row| format!("{row} "));
        let place = format!("{} {row}{}", dangling.table, dangling.column);
        audit.faults.add("foreign_key", place, format_args!("a row of {}", dangling.parent), "none");
    }
    Ok(())
}

/// Hands every row of a table to `each`, or what keeps it from being read; how many there are.
fn each_row<R: Paged>(
    audit: &mut Audit<'_, '_>,
    step: &'static str,
    mut each: impl FnMut(&mut Faults, R::Key, Result<R>),
) -> Result<u64> {
    let session = audit.session;
    let mut done = 0_u64;
    for row in store::pages(R::Key::LEAST, PAGE, |after, page| stored::page::<R>(session, after, page), |row| row.0) {
        let (key, row) = row?;
        each(&mut audit.faults, key, row);
        audit.faults.failed()?;
        done = done.saturating_add(1);
        if done.is_multiple_of(count(PAGE)) {
            audit.tell(step, done, None)?;
        }
    }
    audit.tell(step, done, None)?;
    Ok(done)
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn show<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_string(), |value| value.to_string())
}
