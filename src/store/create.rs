//! A new ledger: the file, its writer and its one row.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::Session;
use super::write::{add_writer, insert_ledger};
use crate::chain;
use crate::db::{self, Published};
use crate::error::Result;
use crate::model::{ClockState, LedgerRow, Settings, Writer};
use crate::units::Instant;

/// What makes a new ledger itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewLedger {
    pub(crate) ledger_id: Uuid,
    pub(crate) device: Uuid,
    pub(crate) epoch: i64,
    /// Also the first accepted clock reading.
    pub(crate) created_at: Instant,
}

#[cfg(test)]
impl NewLedger {
    pub(crate) fn random(created_at: Instant) -> Self {
        NewLedger { ledger_id: Uuid::new_v4(), device: Uuid::new_v4(), epoch: 1, created_at }
    }
}

/// Creates an empty ledger. Overwrites nothing.
pub(crate) fn create(path: &Path, new: &NewLedger) -> Result<Published> {
    db::create(path, |conn| {
        let writer = Writer { device: new.device, epoch: new.epoch };
        let session = Session::new(conn);
        let no = add_writer(&session, writer, 1)?;
        insert_ledger(
            &session,
            &LedgerRow {
                ledger_id: new.ledger_id,
                created_at: new.created_at,
                writer: (no, writer),
                clock: ClockState::new(new.created_at),
                settings: Settings::default(),
                standing: Arc::default(),
                head: chain::genesis(new.ledger_id, new.device, new.epoch, new.created_at),
                length: 0,
            },
        )
    })
}
