//! What a watch asks of an open file: its notifier, and whether another process has committed.

use std::sync::Arc;

use super::File;
use crate::db::Apart;
use crate::error::Result;
use crate::notice::Notifier;
use crate::store::{self, Session};

/// A connection of its own that tells whether others have committed, with the `data_version` it saw last: for a handle
/// without a writer.
#[derive(Default)]
pub(crate) struct ForeignCheck(Option<(Apart, i64)>);

impl File {
    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    pub(crate) fn foreign_check(&self) -> Result<ForeignCheck> {
        let call = self.call()?;
        let apart = if call.connections.writer.is_none() { call.readers().apart()? } else { None };
        let Some(apart) = apart else { return Ok(ForeignCheck(None)) };
        let version = version(&apart)?;
        Ok(ForeignCheck(Some((apart, version))))
    }

    /// Notifies when another process has committed since the last time.
    pub(crate) fn check_foreign(&self, foreign: &mut ForeignCheck) -> Result<()> {
        let call = self.call()?;
        if let Some(writer) = &call.connections.writer {
            return writer.check_foreign();
        }
        if let Some((apart, known)) = &mut foreign.0 {
            let version = version(apart)?;
            if std::mem::replace(known, version) != version {
                self.notifier().foreign_commit();
            }
        }
        Ok(())
    }
}

fn version(apart: &Apart) -> Result<i64> {
    apart.single(|conn| store::data_version(&Session::new(conn)))
}
