//! Systems without locks on open file descriptions: SQLite's own must do.

use std::path::Path;
use std::time::Instant;

use super::{Holders, Standing};
use crate::error::Result;

/// Nothing: two processes cannot tell whether they are alone.
#[derive(Debug)]
pub(in crate::db) struct Locks;

#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where there are such locks")]
impl Locks {
    pub(in crate::db) fn open(_path: &Path, _deadline: Instant) -> Result<Self> {
        Ok(Locks)
    }

    pub(in crate::db) fn guard(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    pub(in crate::db) fn standing(&self) -> Standing {
        Standing::Held
    }

    pub(in crate::db) fn arm(&self) -> Result<()> {
        Ok(())
    }

    pub(in crate::db) fn lock_writer(&self, _deadline: Instant) -> Result<()> {
        Ok(())
    }

    pub(in crate::db) fn unlock_writer(&self) {}

    /// Nobody is known of.
    pub(in crate::db) fn are_alone(&self) -> bool {
        true
    }

    pub(in crate::db) fn release(&self) {}
}

pub(in crate::db) fn writers(_path: &Path) -> Vec<u32> {
    Vec::new()
}

pub(in crate::db) fn holders(_path: &Path) -> Holders {
    Holders { present: false, writing: false }
}
