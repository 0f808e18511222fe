//! Where points came from and went: every entry's change of `net`, told by cause. The one rule that statement, explain
//! and exports share.

use serde::Serialize;

use crate::error::Result;
use crate::model::{EntryKind, EntryRow};
use crate::units::{add, sub};

/// What came in and what went, by cause. Always
/// `change of net + change of held + change of pending = recharged + moved_in + written_off - used - expired - revoked - moved_out`.
///
/// Holding, settling and activating move points within an account and are no flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Flows {
    /// Points recharged.
    pub recharged: i64,
    /// Points received by transfer.
    pub moved_in: i64,
    /// Debt written off.
    pub written_off: i64,
    /// Points consumed, less those refunded.
    pub used: i64,
    /// Points that expired, less those that came back.
    pub expired: i64,
    /// Points revoked or clawed back, less what returned of clawbacks.
    pub revoked: i64,
    /// Points sent by transfer.
    pub moved_out: i64,
}

impl Flows {
    /// What one entry did.
    pub(crate) fn of(row: &EntryRow) -> Result<Self> {
        let mut flows = Flows { expired: row.expired, ..Flows::default() };
        match row.kind {
            EntryKind::Recharge => flows.recharged = row.points,
            EntryKind::TransferIn => flows.moved_in = row.points,
            EntryKind::TransferOut => flows.moved_out = row.points,
            EntryKind::WriteOff => flows.written_off = row.points,
            EntryKind::Consume | EntryKind::Capture => flows.used = row.points,
            EntryKind::Refund => flows.used = sub(0, row.points)?,
            _ => {}
        }
        // Whatever else is gone was taken back: by a revoke, or later, when points of a revoked batch returned.
        flows.revoked = sub(flows.net()?, change(row)?)?;
        Ok(flows)
    }

    /// What all of it comes to.
    pub(crate) fn net(&self) -> Result<i64> {
        let came = add(add(self.recharged, self.moved_in)?, self.written_off)?;
        sub(sub(sub(sub(came, self.used)?, self.expired)?, self.revoked)?, self.moved_out)
    }

    pub(crate) fn add(&mut self, more: &Flows) -> Result<()> {
        let Flows { recharged, moved_in, written_off, used, expired, revoked, moved_out } = more;
        for (sum, part) in [
            (&mut self.recharged, recharged),
            (&mut self.moved_in, moved_in),
            (&mut self.written_off, written_off),
            (&mut self.used, used),
            (&mut self.expired, expired),
            (&mut self.revoked, revoked),
            (&mut self.moved_out, moved_out),
        ] {
            *sum = add(*sum, *part)?;
        }
        Ok(())
    }
}

/// By how much the account is richer or poorer after an entry.
fn change(row: &EntryRow) -> Result<i64> {
    sub(add(add(row.change.available, row.change.held)?, row.change.pending)?, row.change.debt)
}
