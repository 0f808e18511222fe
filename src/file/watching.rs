//! What a watch asks of an open file: the bell, and whether another process has committed.

use std::sync::Arc;

use super::File;
use crate::db::Apart;
use crate::error::Result;
use crate::notice::Bell;
use crate::store::{self, Session};

/// A connection that only ever says whether others have committed, for a handle that has no writer to ask.
#[derive(Default)]
pub(crate) struct Lookout(Option<(Apart, i64)>);

impl File {
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.rope.0
    }

    pub(crate) fn lookout(&self) -> Result<Lookout> {
        let call = self.call()?;
        let apart = if call.connections.writer.is_none() { call.readers().apart()? } else { None };
        let Some(apart) = apart else { return Ok(Lookout(None)) };
        let version = version(&apart)?;
        Ok(Lookout(Some((apart, version))))
    }

    /// Rings the bell when another process has committed since the last time.
    pub(crate) fn look_around(&self, lookout: &mut Lookout) -> Result<()> {
        let call = self.call()?;
        if let Some(writer) = &call.connections.writer {
            return writer.look_around();
        }
        if let Some((apart, known)) = &mut lookout.0 {
            let version = version(apart)?;
            if std::mem::replace(known, version) != version {
                self.bell().others();
            }
        }
        Ok(())
    }
}

fn version(apart: &Apart) -> Result<i64> {
    apart.single(|conn| store::data_version(&Session::new(conn)))
}
