//! Backups kept in a folder: the newest so many of this ledger. Nothing else that lies there is touched.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::File;
use crate::audit::{Progress, Verification};
use crate::db::{self, Dated, Place, Series};
use crate::engine::Source;
use crate::error::{Error, Result};
use crate::store::{BookCache, Session, SqlSource};
use crate::units::Instant;

/// How often a name is chosen anew when another process takes it meanwhile.
const TRIES: usize = 8;

/// A backup that was made in a folder. As JSON its verification with `path` and `deleted` beside it.
///
/// ```
/// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let backup = ledger.backup_into(folder.path(), 7)?;
/// assert!(backup.path.is_file() && backup.verification.ok && backup.deleted.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Backup {
    /// The new file.
    pub path: PathBuf,
    /// Older backups that were deleted, the newest first.
    pub deleted: Vec<PathBuf>,
    /// What its proof found: no fault.
    #[serde(flatten)]
    pub verification: Verification,
}

/// Refuses to keep none.
pub(crate) fn check_keep(keep: u32) -> Result<()> {
    if keep == 0 { Err(Error::invalid("keep", "0 would keep no backup", "keep 1 or more")) } else { Ok(()) }
}

impl File {
    /// Makes a backup in a folder, named by the instant, and proves it. Only then those of this ledger are deleted that are
    /// older than the newest `keep`.
    ///
    /// One that is dated later, under another clock or by another process that is quicker, is neither counted nor
    /// deleted: so two that work at once never delete each other's.
    pub(crate) fn backup_into(
        &self,
        folder: &Path,
        keep: u32,
        now: Instant,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Backup> {
        check_keep(keep)?;
        let series = Series::of(&self.place, folder)?;
        let (made, verification) = self.next_backup(&series, now, progress)?;
        let (mut kept, mut deleted) = (1, Vec::new());
        for older in series.all()?.into_iter().filter(|one| *one < made) {
            // What cannot be read is not known for a backup.
            let Ok(Some(place)) = self.backup_at(&series.path(older)) else { continue };
            if kept < keep {
                kept = kept.saturating_add(1);
            } else if db::delete_at_rest(&place) {
                deleted.push(place.path().to_path_buf());
            }
        }
        Ok(Backup { path: series.path(made), deleted, verification })
    }

    fn next_backup(
        &self,
        series: &Series,
        now: Instant,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<(Dated, Verification)> {
        let mut tries = TRIES;
        loop {
            let next = series.next(now)?;
            tries = tries.saturating_sub(1);
            match self.backup(&series.path(next), progress) {
                Err(Error::LedgerExists { .. }) if tries > 0 => {}
                done => return Ok((next, done?)),
            }
        }
    }

    /// When the newest backup of this ledger that lies in a folder was made; those dated later than now do not count.
    pub(crate) fn newest_backup(&self, folder: &Path, now: Instant) -> Result<Option<Instant>> {
        let series = Series::of(&self.place, folder)?;
        let ours = |one: &Dated| matches!(self.backup_at(&series.path(*one)), Ok(Some(_)));
        Ok(series.all()?.into_iter().filter(|one| one.at <= now).find(ours).map(|one| one.at))
    }

    /// The backup of this ledger that lies there and that nobody has open: a file of its id, of which every operation is
    /// booked here too. One that somebody went on with, or that has what this one lost before a restore, is none.
    fn backup_at(&self, path: &Path) -> Result<Option<Place>> {
        let Some((place, theirs)) = db::read_at_rest(path, |conn| Session::new(conn).ledger())? else {
            return Ok(None);
        };
        let same = self.snapshot(|session| {
            if session.ledger()?.ledger_id != theirs.ledger_id {
                return Ok(false);
            }
            let newest = SqlSource::new(session, &BookCache::default()).operation_row(theirs.length)?;
            Ok(theirs.length == 0 || newest.is_some_and(|row| row.hash == theirs.head))
        })?;
        Ok(same.then_some(place))
    }
}
