//! The one movement of points: from one place of a batch to another, with all that follows for account and totals.

use super::books::Books;
use crate::error::{Error, Result};
use crate::model::{BatchNo, BatchRow, MovementRow, Place};
use crate::units::{add, sub};

/// Where what remains of a batch is: to be spent now, or once it is effective.
fn remaining(active: bool) -> Place {
    if active { Place::Available } else { Place::Pending }
}

impl Books<'_> {
    /// A new batch with all that remains of it: to spend now, or pending.
    pub(super) fn arrive(&mut self, batch: BatchRow) -> Result<()> {
        let from = match batch.from_batch {
            Some(_) if batch.rolled_from().is_some() => Place::RolledIn,
            Some(_) => Place::Received,
            None => Place::Recharged,
        };
        let to = remaining(batch.active);
        self.note(MovementRow { operation: None, batch: Some(batch.no), from, to, points: batch.remaining });
        let row = self.account_mut(batch.account)?;
        // It comes with the line that is posted next.
        let batch = BatchRow { entry: add(row.entries, 1)?, ..batch };
        let spendable = if batch.active { &mut row.balances.available } else { &mut row.balances.pending };
        *spendable = add(*spendable, batch.remaining)?;
        self.add_batch(batch)
    }

    /// What remains of a batch becomes spendable, or pending again.
    pub(super) fn set_active(&mut self, no: BatchNo, active: bool) -> Result<()> {
        let batch = self.batch(no)?;
        let (account, points) = (batch.account, batch.remaining);
        self.change_batch(no, |batch| batch.active = active)?;
        let (from, to) = (remaining(!active), remaining(active));
        self.note(MovementRow { operation: None, batch: Some(no), from, to, points });
        let balances = &mut self.account_mut(account)?.balances;
        let (less, more) = match active {
            true => (&mut balances.pending, &mut balances.available),
            false => (&mut balances.available, &mut balances.pending),
        };
        (*less, *more) = (sub(*less, points)?, add(*more, points)?);
        Ok(())
    }

    /// Moves points of a batch from one place to another, with all that follows for the account but its debt; `Available` is
    /// where what remains of the batch is, also while it is pending. `of`: the operation that had used or set them aside, or
    /// whose debt they pay.
    pub(crate) fn shift(&mut self, no: BatchNo, from: Place, to: Place, points: i64, of: Option<i64>) -> Result<()> {
        let (account, active) = {
            let batch = self.batch(no)?;
            (batch.account, batch.active)
        };
        let change = [(from, points.saturating_neg()), (to, points)];
        let mut fits = true;
        self.change_batch(no, |batch| {
            for (place, by) in change {
                let counter = match place {
                    Place::Available => &mut batch.remaining,
                    Place::Held => &mut batch.held,
                    Place::Used | Place::Debt | Place::ClawedBack => &mut batch.used,
                    Place::Expired => &mut batch.expired,
                    Place::Revoked => &mut batch.revoked,
                    Place::Moved => &mut batch.moved,
                    Place::RolledOut => {
                        let Some(row) = &mut batch.rollover else { return fits = false };
                        row.rolled = row.rolled.saturating_add(by);
                        &mut batch.moved
                    }
                    Place::Pending
                    | Place::Recharged
                    | Place::Received
                    | Place::WrittenOff
                    | Place::RolledIn
                    | Place::Reconciled => {
                        return fits = false;
                    }
                };
                match counter.checked_add(by) {
                    Some(sum) if sum >= 0 => *counter = sum,
                    _ => fits = false,
                }
            }
        })?;
        if !fits {
            return Err(Error::corrupt(format!("batch {no} has no {points} points in {from:?}")));
        }
        let [source, target] =
            [from, to].map(|place| if place == Place::Available { remaining(active) } else { place });
        self.note(MovementRow { operation: of, batch: Some(no), from: source, to: target, points });
        let row = self.account_mut(account)?;
        for (place, by) in change {
            let figure = match place {
                Place::Available if active => &mut row.balances.available,
                Place::Available => &mut row.balances.pending,
                Place::Held => &mut row.balances.held,
                _ => continue,
            };
            *figure = add(*figure, by)?;
        }
        if from == Place::Expired {
            row.totals.reinstated = add(row.totals.reinstated, points)?;
        }
        let total = match to {
            Place::Expired => &mut row.totals.expired,
            Place::Revoked => &mut row.totals.revoked,
            Place::Moved => &mut row.totals.moved_out,
            _ => return Ok(()),
        };
        *total = add(*total, points)?;
        Ok(())
    }
}
