//! The diagnosis: what an operator should know of a ledger and the place it lies in, and what to do about each. It opens
//! the file read-only and changes nothing; what surrounds the file is looked at without opening it.

mod books;
mod place;
mod rights;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::db::{Readers, Site};
use crate::error::{Error, Result};
use crate::pricing::PriceBook;
use crate::store::Session;
use crate::units::Reading;
use crate::writer::Durability;

/// What [`Options::diagnose`](crate::Options::diagnose) found. As JSON `{path, level, error, findings}`, `error` only when
/// the ledger could not be opened.
///
/// ```
/// use counterfoil::{Ledger, Level};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.ledger");
/// # Ledger::create(&path)?.close()?;
/// let diagnosis = Ledger::options().diagnose(&path);
/// assert!(diagnosis.error.is_none() && diagnosis.level < Level::Fault);
/// for finding in diagnosis.findings.iter().filter(|finding| finding.level > Level::Ok) {
///     println!("{}: {} ({})", finding.check, finding.found, finding.help.as_deref().unwrap_or("-"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The file looked at, resolved as far as it exists.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// The worst level among the findings.
    pub level: Level,
    /// Why the ledger could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// One per check, in a fixed order; of a ledger that cannot be opened only those that need no opening.
    pub findings: Vec<Finding>,
}

/// What one check found.
///
/// ```
/// # use counterfoil::Ledger;
/// let diagnosis = Ledger::options().diagnose("no/such.ledger");
/// let open = diagnosis.findings.iter().find(|finding| finding.check == "open").unwrap();
/// assert!(open.help.is_some());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at; these names never change their meaning: `sqlite`, `place`, `permissions`, `disk`, `side_files`,
    /// `writer` when one keeps all others out, `open`, then of an open ledger `ledger`, `durability`, `wal`, `clock`, `price_book`, `debts`, `due`. `books` when
    /// damage ended the reading. A price book under which nothing was booked for 180 days, or in the newest 100 000
    /// operations, is a warning.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is so.
    pub found: String,
    /// What to do; absent when there is nothing to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// How bad a finding is.
///
/// ```
/// use counterfoil::Level;
/// assert!(Level::Ok < Level::Note && Level::Note < Level::Warning && Level::Warning < Level::Fault);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know; nothing is wrong.
    Note,
    /// Works, and may do harm later.
    Warning,
    /// Keeps the ledger from working, or makes it work wrongly.
    Fault,
}

/// A path is not always UTF-8, and JSON is.
fn as_text<S: serde::Serializer>(path: &Path, s: S) -> std::result::Result<S::Ok, S::Error> {
    s.collect_str(&path.display())
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Finding { check, level: Level::Ok, found: found.into(), help: None }
    }

    fn new(check: &'static str, level: Level, found: impl Into<String>, help: impl Into<String>) -> Self {
        Finding { check, level, found: found.into(), help: Some(help.into()) }
    }

    /// What an error says, and its help.
    fn error(check: &'static str, error: &Error) -> Self {
        let message = error.to_string();
        // A drawn report (of a price book) ends with a line that sums it up.
        let summary = message.lines().last().unwrap_or_default();
        Finding::new(check, Level::Fault, summary, error.help())
    }
}

/// What the caller brings along.
pub(crate) struct Circumstances {
    pub(crate) reading: Reading,
    pub(crate) durability: Durability,
    /// The price book in force, if one is; or why it cannot be.
    pub(crate) book: Result<Option<PriceBook>>,
}

/// Looks at everything; whatever cannot be looked at is a finding of its own.
pub(crate) fn diagnose(path: &Path, with: &Circumstances) -> Diagnosis {
    // First, because opening makes files beside the ledger.
    let site = Site::survey(path);
    let opened = Readers::open(path);
    let mut findings = place::findings(&site, opened.as_ref().err());
    let error = match opened {
        Ok(readers) => {
            findings.push(Finding::ok("open", "it opens, and its schema is counterfoil's"));
            findings.push(place::durability(with.durability));
            findings.push(place::wal(&site));
            let read = readers.get().and_then(|reader| {
                reader.snapshot(|conn| books::findings(&Session::new(conn), with, &mut |found| findings.push(found)))
            });
            if let Err(error) = &read {
                findings.push(Finding::error("books", error));
            }
            None
        }
        Err(error) => {
            findings.push(place::unopened(&site, &error));
            Some(error)
        }
    };
    let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    Diagnosis { path: site.path, level, error, findings }
}

/// One thing or several of them.
fn several(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
