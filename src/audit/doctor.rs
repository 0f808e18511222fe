//! The diagnosis: what an operator should know of a ledger and the place it lies in, as facts. It opens the file read-only
//! and changes nothing; what surrounds the file is looked at without opening it.

mod books;
mod place;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::db::{Readers, Site};
use crate::error::{ErrorInfo, Result};
use crate::model::{Fact, Finding, Level, Topic};
use crate::pricing::PriceBook;
use crate::store::Session;
use crate::units::Reading;
use crate::writer::Durability;

/// What [`Options::diagnose`](crate::Options::diagnose) found out. As JSON `{path, level, error, findings}`, `error` only
/// when the ledger could not be opened.
///
/// ```
/// use counterfoil::{Ledger, diagnosis::{Diagnosis, Level}};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.ledger");
/// # Ledger::create(&path)?.close()?;
/// let diagnosis = Ledger::options().diagnose(&path);
/// assert!(diagnosis.error.is_none() && diagnosis.level < Level::Fault);
/// for finding in diagnosis.findings.iter().filter(|finding| finding.level > Level::Ok) {
///     println!("{}: {}", finding.check, finding.found);
/// }
/// let read: Diagnosis = serde_json::from_str(&serde_json::to_string(&diagnosis)?)?;
/// assert_eq!(read, diagnosis);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The file looked at, resolved as far as it exists.
    pub path: String,
    /// The worst level among the findings.
    pub level: Level,
    /// Why the ledger could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// One per check, in a fixed order; of a ledger that cannot be opened only those that need no opening.
    pub findings: Vec<Finding>,
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
            let promised = match with.durability {
                Durability::Full => Fact::Full,
                Durability::Relaxed => Fact::Relaxed,
            };
            let wal = Fact::wal(site.wal.as_ref().map_or(0, |wal| wal.bytes));
            findings.extend([Fact::Opens, promised, wal].map(Finding::from));
            let read = readers.get().and_then(|reader| {
                reader.snapshot(|conn| books::findings(&Session::new(conn), with, &mut |found| findings.push(found)))
            });
            if let Err(error) = &read {
                findings.push(Finding::error(Topic::Books, error));
            }
            None
        }
        Err(error) => {
            findings.push(Finding::error(Topic::Open, &error));
            Some(ErrorInfo::from(&error))
        }
    };
    let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    Diagnosis { path: site.path.display().to_string(), level, error, findings }
}
