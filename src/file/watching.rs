//! What a watch asks of an open file: the bell, and whether another process has committed.

use std::sync::Arc;

use super::File;
use crate::db::Connection;
use crate::error::Result;
use crate::notice::Bell;
use crate::store::{self, Session};

/// A connection that only ever says whether others have committed, for a handle that has no writer to ask.
#[derive(Default)]
pub(crate) struct Lookout(Option<(Connection, i64)>);

impl File {
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.rope.0
    }

    pub(crate) fn lookout(&self) -> Result<Lookout> {
        self.check_open()?;
        let conn = if self.writer.is_none() { self.readers.apart()? } else { None };
        let Some(conn) = conn else { return Ok(Lookout(None)) };
        let version = store::data_version(&Session::new(&conn))?;
        Ok(Lookout(Some((conn, version))))
    }

    /// Rings the bell when another process has committed since the last time.
    pub(crate) fn look_around(&self, lookout: &mut Lookout) -> Result<()> {
        self.check_open()?;
        if let Some(writer) = &self.writer {
            return writer.look_around();
        }
        if let Some((conn, known)) = &mut lookout.0 {
            self.place().check_unmoved()?;
            let version = store::data_version(&Session::new(conn))?;
            if std::mem::replace(known, version) != version {
                self.bell().others();
            }
        }
        Ok(())
    }
}
