//! Mending: refund, revoke, write_off. Mistakes are mended by new entries, never by edits.

use super::Booking;
use super::Target;
use super::books::Books;
use super::draw::{Tally, refund};
use super::rollover::{revocable, take_rolled};
use crate::error::{Error, Result};
use crate::model::{Amount, BatchNo, ConsumeRow, EntryKind, Place, RevokeShortfall};
use crate::units::{Instant, add, sub};

/// The points meant, no more than are left; all of nothing is too much as well.
fn within(what: &'static str, amount: Amount, left: i64) -> Result<i64> {
    let asked = match amount {
        Amount::All => left,
        Amount::Points(points) => points,
    };
    if asked == 0 || asked > left {
        return Err(Error::LimitExceeded { what, asked, left });
    }
    Ok(asked)
}

/// Writes off debt, the oldest first.
pub(super) fn forgive(books: &mut Books<'_>, account: i64, points: i64) -> Result<()> {
    let mut left = points;
    while left > 0 {
        let Some(consume) = books.oldest_open(account)? else { break };
        let part = consume.open.min(left);
        let (open, written_off) = (sub(consume.open, part)?, add(consume.written_off, part)?);
        books.change_consume(consume.operation, |row| (row.open, row.written_off) = (open, written_off))?;
        left = sub(left, part)?;
    }
    Ok(())
}

impl Booking<'_, '_> {
    pub(super) fn target_batch(&self) -> Result<BatchNo> {
        match self.target {
            Target::Batch(no) => Ok(no),
            _ => Err(Error::corrupt("a batch operation has no batch")),
        }
    }

    pub(super) fn refund(&mut self, amount: Amount) -> Result<()> {
        let Target::Consume(operation) = self.target else { return Err(Error::corrupt("a refund has no consume")) };
        let consume = self.books.consume(operation)?.clone();
        // A use that cost nothing has a row once it was refunded.
        if consume.points == 0 && amount == Amount::All && self.books.source().consume(operation)?.is_none() {
            self.books.concern(operation, Place::Used, Place::Available);
            return self.post(EntryKind::Refund, 0, None);
        }
        let points = within("refund", amount, consume.refundable())?;
        self.reopen_if_closed()?;
        let mut tally = Tally::default();
        refund(&mut self.books, operation, points, self.now, &mut tally)?;
        let row = self.books.account_mut(self.account)?;
        row.totals.refunded = add(row.totals.refunded, points)?;
        self.points = points;
        self.tally(tally);
        self.post(EntryKind::Refund, points, None)?;
        self.settle(self.account)
    }

    pub(super) fn revoke(&mut self, amount: Amount, shortfall: RevokeShortfall) -> Result<()> {
        let no = self.target_batch()?;
        let batch = self.books.batch(no)?.clone();
        let points = within("revoke", amount, revocable(&mut self.books, no)?)?;
        let from_remaining = batch.remaining.min(points);
        let from_expired = batch.expired.min(sub(points, from_remaining)?);
        for (bucket, part) in [(Place::Available, from_remaining), (Place::Expired, from_expired)] {
            if part > 0 {
                self.books.shift(no, bucket, Place::Revoked, part, None)?;
            }
        }
        let mut rest = sub(sub(points, from_remaining)?, from_expired)?;
        rest = sub(rest, take_rolled(&mut self.books, no, rest)?)?;
        let taken = sub(points, rest)?;
        let owed = add(batch.owed, rest)?;
        self.books.change_batch(no, |batch| batch.owed = owed)?;
        self.points = points;
        self.outcome.owed = rest;
        self.outcome.batches.push((no, batch.expires_at.map_or(-1, Instant::millis)));
        self.post(EntryKind::Revoke, taken, Some(no))?;
        match shortfall {
            RevokeShortfall::Clamp => self.outcome.uncollected = rest,
            RevokeShortfall::Debt if rest > 0 => self.claw_back(no, rest)?,
            RevokeShortfall::Debt => {}
        }
        self.settle(self.account)
    }

    /// What was spent, held or moved of a revoked batch is owed: a consume of its own, visible as debt until settled.
    fn claw_back(&mut self, batch: BatchNo, points: i64) -> Result<()> {
        let (operation, account, clawback_of) = (self.seq, self.account, Some(batch));
        self.books.add_consume(ConsumeRow { points, clawback_of, ..ConsumeRow::new(operation, account) });
        self.books.change_consume(operation, |row| row.open = points)?;
        let row = self.books.account_mut(account)?;
        row.totals.clawed_back = add(row.totals.clawed_back, points)?;
        self.post(EntryKind::Clawback, points, Some(batch))
    }

    pub(super) fn write_off(&mut self, points: i64) -> Result<()> {
        within("write-off", Amount::Points(points), self.books.balances(self.account)?.debt)?;
        forgive(&mut self.books, self.account, points)?;
        let row = self.books.account_mut(self.account)?;
        row.totals.written_off = add(row.totals.written_off, points)?;
        self.points = points;
        self.post(EntryKind::WriteOff, points, None)?;
        self.settle(self.account)
    }
}
