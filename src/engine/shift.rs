//! The one movement of points: from one bucket of a batch to another, with all that follows for account and totals.

use super::books::Books;
use crate::error::{Error, Result};
use crate::model::{BatchNo, BatchRow, ConsumeRow};
use crate::units::{add, sub};

/// Where a batch's points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Remaining,
    Held,
    Used,
    Expired,
    Revoked,
    Moved,
}

/// What became of points, or of what was owed: kept by a working copy that is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    Points {
        batch: BatchNo,
        from: Bucket,
        to: Bucket,
        points: i64,
    },
    /// By how much a consume's parts changed.
    Consume {
        operation: i64,
        open: i64,
        refunded: i64,
        written_off: i64,
    },
}

impl Movement {
    pub(super) fn consume(old: &ConsumeRow, new: &ConsumeRow) -> Result<Self> {
        Ok(Movement::Consume {
            operation: new.operation,
            open: sub(new.open, old.open)?,
            refunded: sub(new.refunded, old.refunded)?,
            written_off: sub(new.written_off, old.written_off)?,
        })
    }
}

impl Books<'_> {
    /// The movements since it was last asked; the first time there are none, and from then on they are kept.
    pub(super) fn movements(&mut self) -> Vec<Movement> {
        self.movements.replace(Vec::new()).unwrap_or_default()
    }

    pub(super) fn note(&mut self, movement: Movement) {
        if let Some(movements) = &mut self.movements {
            movements.push(movement);
        }
    }

    /// A new batch with all that remains of it: to spend now, or pending.
    pub(super) fn arrive(&mut self, batch: BatchRow) -> Result<()> {
        let row = self.account_mut(batch.account)?;
        let spendable = if batch.active { &mut row.balances.available } else { &mut row.balances.pending };
        *spendable = add(*spendable, batch.remaining)?;
        self.add_batch(batch)
    }

    /// Moves points of a batch from one bucket to another, with all that follows for the account.
    pub(crate) fn shift(&mut self, no: BatchNo, from: Bucket, to: Bucket, points: i64) -> Result<()> {
        let (account, active) = {
            let batch = self.batch(no)?;
            (batch.account, batch.active)
        };
        let mut fits = true;
        self.change_batch(no, |batch| {
            for (bucket, by) in [(from, points.checked_neg()), (to, Some(points))] {
                let counter = match bucket {
                    Bucket::Remaining => &mut batch.remaining,
                    Bucket::Held => &mut batch.held,
                    Bucket::Used => &mut batch.used,
                    Bucket::Expired => &mut batch.expired,
                    Bucket::Revoked => &mut batch.revoked,
                    Bucket::Moved => &mut batch.moved,
                };
                match by.and_then(|by| counter.checked_add(by)) {
                    Some(sum) if sum >= 0 => *counter = sum,
                    _ => fits = false,
                }
            }
        })?;
        if !fits {
            return Err(Error::corrupt(format!("batch {no} has no {points} points in {from:?}")));
        }
        self.note(Movement::Points { batch: no, from, to, points });
        let row = self.account_mut(account)?;
        let spendable = if active { &mut row.balances.available } else { &mut row.balances.pending };
        match from {
            Bucket::Remaining => *spendable = sub(*spendable, points)?,
            Bucket::Held => row.balances.held = sub(row.balances.held, points)?,
            Bucket::Expired => row.totals.reinstated = add(row.totals.reinstated, points)?,
            Bucket::Used | Bucket::Revoked | Bucket::Moved => {}
        }
        let spendable = if active { &mut row.balances.available } else { &mut row.balances.pending };
        match to {
            Bucket::Remaining => *spendable = add(*spendable, points)?,
            Bucket::Held => row.balances.held = add(row.balances.held, points)?,
            Bucket::Expired => row.totals.expired = add(row.totals.expired, points)?,
            Bucket::Revoked => row.totals.revoked = add(row.totals.revoked, points)?,
            Bucket::Moved => row.totals.moved_out = add(row.totals.moved_out, points)?,
            Bucket::Used => {}
        }
        Ok(())
    }
}
