//! The one movement of points: from one bucket of a batch to another, with all that follows for account and totals.

use super::books::Books;
use crate::error::{Error, Result};
use crate::model::{BatchNo, BatchRow, Movement, Place};
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
    /// Used for a debt, which is less by so much.
    Debt,
    /// Used for what was owed after a revoke.
    ClawedBack,
}

impl Bucket {
    fn place(self, active: bool) -> Place {
        match self {
            Bucket::Remaining if active => Place::Available,
            Bucket::Remaining => Place::Pending,
            Bucket::Held => Place::Held,
            Bucket::Used => Place::Used,
            Bucket::Expired => Place::Expired,
            Bucket::Revoked => Place::Revoked,
            Bucket::Moved => Place::Moved,
            Bucket::Debt => Place::Debt,
            Bucket::ClawedBack => Place::ClawedBack,
        }
    }
}

impl Books<'_> {
    /// A new batch with all that remains of it: to spend now, or pending.
    pub(super) fn arrive(&mut self, batch: BatchRow) -> Result<()> {
        let from = if batch.from_batch.is_some() { Place::Received } else { Place::Recharged };
        let to = Bucket::Remaining.place(batch.active);
        self.note(Movement { operation: None, batch: Some(batch.no), from, to, points: batch.remaining });
        let row = self.account_mut(batch.account)?;
        let spendable = if batch.active { &mut row.balances.available } else { &mut row.balances.pending };
        *spendable = add(*spendable, batch.remaining)?;
        self.add_batch(batch)
    }

    /// What remains of a batch becomes spendable, or pending again.
    pub(super) fn set_active(&mut self, no: BatchNo, active: bool) -> Result<()> {
        let batch = self.batch(no)?;
        let (account, points) = (batch.account, batch.remaining);
        self.change_batch(no, |batch| batch.active = active)?;
        let (from, to) = (Bucket::Remaining.place(!active), Bucket::Remaining.place(active));
        self.note(Movement { operation: None, batch: Some(no), from, to, points });
        let balances = &mut self.account_mut(account)?.balances;
        let (less, more) = match active {
            true => (&mut balances.pending, &mut balances.available),
            false => (&mut balances.available, &mut balances.pending),
        };
        (*less, *more) = (sub(*less, points)?, add(*more, points)?);
        Ok(())
    }

    /// Moves points of a batch from one bucket to another, with all that follows for the account but its debt. `of`: the
    /// operation that had used or set them aside, or whose debt they pay.
    pub(crate) fn shift(&mut self, no: BatchNo, from: Bucket, to: Bucket, points: i64, of: Option<i64>) -> Result<()> {
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
                    Bucket::Used | Bucket::Debt | Bucket::ClawedBack => &mut batch.used,
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
        let (source, target) = (from.place(active), to.place(active));
        self.note(Movement { operation: of, batch: Some(no), from: source, to: target, points });
        let row = self.account_mut(account)?;
        let spendable = if active { &mut row.balances.available } else { &mut row.balances.pending };
        match from {
            Bucket::Remaining => *spendable = sub(*spendable, points)?,
            Bucket::Held => row.balances.held = sub(row.balances.held, points)?,
            Bucket::Expired => row.totals.reinstated = add(row.totals.reinstated, points)?,
            Bucket::Used | Bucket::Revoked | Bucket::Moved | Bucket::Debt | Bucket::ClawedBack => {}
        }
        let spendable = if active { &mut row.balances.available } else { &mut row.balances.pending };
        match to {
            Bucket::Remaining => *spendable = add(*spendable, points)?,
            Bucket::Held => row.balances.held = add(row.balances.held, points)?,
            Bucket::Expired => row.totals.expired = add(row.totals.expired, points)?,
            Bucket::Revoked => row.totals.revoked = add(row.totals.revoked, points)?,
            Bucket::Moved => row.totals.moved_out = add(row.totals.moved_out, points)?,
            Bucket::Used | Bucket::Debt | Bucket::ClawedBack => {}
        }
        Ok(())
    }
}
