//! Rollover: at a batch's end what may move on does, into a batch of the same kind with a life of its own. Which batch that is
//! follows from the old one and from how often it has rolled; more than once only where accepted time has gone back behind it.

use super::books::Books;
use super::line::Line;
use super::pages::Due;
use super::source::Source;
use super::time::resolve_expiry;
use crate::error::Result;
use crate::model::{
    BatchNo, BatchRow, EntryKind, MAX_ROLLS, Place, RolloverRow, may_have_rolled, rolled_batch, rolls_from,
};
use crate::units::{Instant, add, sub};

/// The account of a batch: also of one that time may make yet, before the operation that names it. Whether it does, is seen then.
pub(crate) fn account_of(source: &dyn Source, no: BatchNo) -> Result<Option<i64>> {
    if let Some(batch) = source.batch(no)? {
        return Ok(Some(batch.account));
    }
    if let Some(plan) = source.plan(crate::model::batch_operation(no))?.filter(|plan| plan.may_make(no)) {
        return Ok(Some(plan.account));
    }
    let from = if may_have_rolled(no) { source.batch(rolls_from(no))? } else { None };
    Ok(from.filter(|batch| batch.rolling().is_some()).map(|batch| batch.account))
}

/// What has rolled out of a batch, in order.
fn rolled_out_of(books: &mut Books<'_>, no: BatchNo) -> Result<Vec<BatchRow>> {
    let rolls = books.batch(no)?.rolls();
    (1..=rolls).map(|nth| books.batch(rolled_batch(no, nth)).cloned()).collect()
}

/// What of a batch would move on if it ended as it is now, and when that ends.
pub(crate) fn would_roll(batch: &BatchRow, at: Instant) -> Option<(i64, Option<Instant>)> {
    let rolling = batch.rolling().filter(|_| !batch.has_rolled() && batch.rolls() < MAX_ROLLS)?;
    let points = batch.remaining.min(rolling.cap.get().saturating_sub(batch.rolled()));
    // A life that would go on past the year 9999 is none.
    let ends = resolve_expiry(rolling.life, at).ok()?;
    (points > 0).then_some((points, ends))
}

/// At the end of a batch: moves on what may.
pub(super) fn roll(books: &mut Books<'_>, account: i64, due: Due, operation: Option<i64>) -> Result<()> {
    let batch = books.batch(due.no)?.clone();
    let Some((points, expires_at)) = would_roll(&batch, due.at) else { return Ok(()) };
    let rolls = add(batch.rolls(), 1)?;
    let Some(total) = books.account(account)?.totals.rolled.checked_add(points) else { return Ok(()) };
    books.account_mut(account)?.totals.rolled = total;
    books.shift(batch.no, Place::Available, Place::RolledOut, points, None)?;
    books.change_rollover(batch.no, |row| (row.rolls, row.has_rolled) = (rolls, true))?;
    let no = rolled_batch(batch.no, rolls);
    let next = BatchRow {
        no,
        amount: points,
        effective_at: due.at,
        dated: true,
        expires_at,
        active: true,
        from_batch: Some(batch.no),
        ..batch
    };
    books.arrive(BatchRow { rollover: Some(RolloverRow::new(no, None)), ..next.untouched() })?;
    let line = Line { kind: EntryKind::Rollover, operation, booked_at: due.at, points, batch: Some(no) };
    books.post(account, line)
}

/// Accepted time has gone back behind rolls of a batch that has not ended: what is left of what rolled, lapsed or not, goes back.
/// How many points do.
pub(super) fn undo_rolls(books: &mut Books<'_>, no: BatchNo, now: Instant) -> Result<i64> {
    let mut back = 0;
    if books.batch(no)?.is_expired(now) {
        return Ok(back);
    }
    let all = rolled_out_of(books, no)?;
    // Of several only the last may count.
    if all.last().is_some_and(|last| last.effective_at > now) && books.batch(no)?.has_rolled() {
        books.change_rollover(no, |row| row.has_rolled = false)?;
    }
    for rolled in all.iter().filter(|rolled| rolled.effective_at > now) {
        for (place, points) in [(Place::Available, rolled.remaining), (Place::Expired, rolled.expired)] {
            if points > 0 {
                books.wake(no, now)?;
                books.roll_back((rolled.no, place), (no, Place::Available), points, None)?;
                back = add(back, points)?;
            }
        }
    }
    Ok(back)
}

/// How much of a batch may be revoked: what was taken from it or is owed, and from what rolled out of it or it rolled out of,
/// cannot be taken again.
pub(super) fn revocable(books: &mut Books<'_>, no: BatchNo) -> Result<i64> {
    let batch = books.batch(no)?.clone();
    let untaken = |batch: &BatchRow| sub(sub(batch.amount, batch.revoked)?, batch.owed);
    let first = batch.rolled_from();
    let own = if first.is_some() { sub(untaken(&batch)?, batch.rolled())? } else { untaken(&batch)? };
    let first = first.unwrap_or(no);
    let mut all = untaken(books.batch(first)?)?;
    for rolled in rolled_out_of(books, first)? {
        all = sub(all, add(rolled.revoked, rolled.owed)?)?;
    }
    Ok(own.min(all))
}

/// How much of what comes back to a batch is owed: after a revoke of it, or of what it rolled out of.
pub(super) fn owed_of(books: &mut Books<'_>, no: BatchNo) -> Result<i64> {
    let batch = books.batch(no)?;
    let (own, from) = (batch.owed, batch.rolled_from());
    add(own, from.map_or(Ok(0), |from| books.batch(from).map(|from| from.owed))?)
}

/// Revokes points of what rolled out of a batch; how many there were.
pub(super) fn take_rolled(books: &mut Books<'_>, no: BatchNo, points: i64) -> Result<i64> {
    let mut left = points;
    for rolled in rolled_out_of(books, no)? {
        for (place, there) in [(Place::Available, rolled.remaining), (Place::Expired, rolled.expired)] {
            let part = there.min(left);
            if part > 0 {
                books.roll_back((rolled.no, place), (no, Place::Revoked), part, None)?;
                left = sub(left, part)?;
            }
        }
    }
    sub(points, left)
}

impl Books<'_> {
    fn change_rollover(&mut self, no: BatchNo, change: impl FnOnce(&mut RolloverRow)) -> Result<()> {
        self.change_batch(no, |batch| {
            if let Some(row) = &mut batch.rollover {
                change(row);
            }
        })
    }

    /// Points of a batch that rolled are the old one's again, in this place of it.
    pub(super) fn roll_back(
        &mut self,
        (rolled, from): (BatchNo, Place),
        (no, to): (BatchNo, Place),
        points: i64,
        of: Option<i64>,
    ) -> Result<()> {
        self.shift(rolled, from, Place::RolledOut, points, of)?;
        self.shift(no, Place::RolledOut, to, points, of)
    }
}
