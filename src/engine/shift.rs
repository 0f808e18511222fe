//! The one movement of points: from one bucket of a batch to another, with all that follows for account and totals.

use super::books::Books;
use crate::error::{Error, Result};
use crate::model::BatchNo;
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

impl Books<'_> {
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
