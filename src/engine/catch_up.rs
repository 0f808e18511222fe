//! Catch-up: books what time alone has done to an account, in time order, each at its own instant.

use super::allot::put_back;
use super::books::Books;
use super::draw::{Tally, give_back, settle};
use super::line::Line;
use super::pages::{Due, DueKind, batch_due};
use super::plans::give;
use super::rollover::roll;
use crate::error::{Error, Result};
use crate::model::{BatchNo, EntryKind, HoldState, Place};
use crate::units::{Instant, sub};

/// How many due things a step of catch-up reads and books. Few, so that a transaction can end between two steps before it
/// has blocked others long.
pub(crate) const CATCH_UP_LIMIT: usize = 128;

/// Books what fell due until `until`. `false`: there is more, and what was done may be written first.
pub(crate) fn catch_up(books: &mut Books<'_>, account: i64, until: Instant, limit: usize) -> Result<bool> {
    if books.account(account)?.next_due_at.is_none_or(|next| next > until) {
        return Ok(true);
    }
    let last = books.read_due(account, until, limit)?;
    let mut left = limit;
    while let Some(due) = books.first_due(account).filter(|due| due.at <= until) {
        // A plan may have any number of periods.
        if left == 0 || last.is_some_and(|last| due > last) {
            return Ok(false);
        }
        left = left.saturating_sub(1);
        fall_due(books, account, due, None)?;
    }
    Ok(last.is_none())
}

/// A batch that had ended when it arrived lapses at once, or rolls over; the lines are of the operation it arrived by.
pub(super) fn lapse(books: &mut Books<'_>, no: BatchNo, (operation, now): (i64, Instant)) -> Result<()> {
    let batch = books.batch(no)?;
    let account = batch.account;
    match batch_due(batch).filter(|due| batch.is_expired(now) && due.what == DueKind::Expiry) {
        Some(mut due) => {
            due.at = now;
            fall_due(books, account, due, Some(operation))
        }
        None => Ok(()),
    }
}

/// Books one due thing, and what it settles. Time does most by itself, without an operation.
fn fall_due(books: &mut Books<'_>, account: i64, due: Due, operation: Option<i64>) -> Result<()> {
    if due.what == DueKind::Expiry {
        roll(books, account, due, operation)?;
    }
    let Some((kind, points, batch)) = happen(books, due)? else { return Ok(()) };
    books.post(account, Line { kind, operation, booked_at: due.at, points, batch })?;
    settle(books, account, operation, due.at)
}

/// What one due thing does by itself; nothing when no line tells of it.
fn happen(books: &mut Books<'_>, due: Due) -> Result<Option<(EntryKind, i64, Option<BatchNo>)>> {
    Ok(Some(match due.what {
        DueKind::Expiry => {
            let points = books.batch(due.no)?.remaining;
            if points == 0 {
                return Ok(None);
            }
            books.shift(due.no, Place::Available, Place::Expired, points, None)?;
            (EntryKind::Expire, points, Some(due.no))
        }
        DueKind::Deadline => {
            let points = books.hold(due.no)?.points;
            resolve(books, due.no, HoldState::Expired, due.at, &mut Tally::default())?;
            (EntryKind::HoldExpire, points, None)
        }
        DueKind::Activation => {
            let points = books.batch(due.no)?.remaining;
            books.set_active(due.no, true)?;
            (EntryKind::Activate, points, Some(due.no))
        }
        DueKind::Period => {
            let Some((batch, points)) = give(books, due.no)? else { return Ok(None) };
            (EntryKind::Recharge, points, Some(batch))
        }
    }))
}

/// Ends an open hold and gives all its slices back, in reverse rank.
pub(crate) fn resolve(
    books: &mut Books<'_>,
    hold: i64,
    phase: HoldState,
    at: Instant,
    tally: &mut Tally,
) -> Result<()> {
    end(books, hold, phase)?;
    let slices = books.allocations(hold)?;
    let mut kept = slices.iter().filter(|slice| slice.points > 0).peekable();
    if kept.peek().is_some() && kept.all(|slice| slice.allotment.is_some()) {
        books.concern(hold, Place::Held, Place::Available);
    }
    for slice in slices.into_iter().rev().filter(|slice| slice.points > 0) {
        if let Some(allotment) = slice.allotment {
            // A late capture finds nothing of it.
            put_back(books, allotment, (slice.batch, slice.points))?;
            continue;
        }
        // What goes to `owed` is gone for good; a late capture may draw only on the rest.
        let back = give_back(books, slice.batch, slice.points, (Place::Held, hold), at, tally)?;
        books.set_returned(hold, slice.rank, back)?;
    }
    Ok(())
}

/// Marks an open hold resolved and frees the credit it reserved; its slices are the caller's to move.
pub(crate) fn end(books: &mut Books<'_>, hold: i64, phase: HoldState) -> Result<()> {
    let (account, points, unbacked) = {
        let row = books.hold(hold)?;
        (row.account, row.points, row.unbacked)
    };
    if points == unbacked {
        // Work that costs nothing is used all the same.
        let used = points == 0 && phase == HoldState::Captured;
        books.concern(hold, Place::Held, if used { Place::Used } else { Place::Available });
    }
    books.change_hold(hold, |row| row.phase = phase)?;
    let row = books.account_mut(account)?;
    row.unbacked = sub(row.unbacked, unbacked)?;
    Ok(())
}

/// Catch-up for reads: everything until `until`, in memory, however much it is.
pub(crate) fn catch_up_fully(books: &mut Books<'_>, account: i64, until: Instant) -> Result<()> {
    let mut limit = CATCH_UP_LIMIT;
    while !catch_up(books, account, until, limit)? {
        limit = limit.saturating_mul(4);
    }
    Ok(())
}

/// How many periods a look into the future goes through.
const MOST_AHEAD: i64 = 10_000;

/// The same for a look at what is to come, from an instant to which all is booked.
pub(crate) fn catch_up_ahead(books: &mut Books<'_>, account: i64, until: Instant) -> Result<()> {
    if books.periods_by(account, until, MOST_AHEAD)? > MOST_AHEAD {
        let said = format!("{until} is more than {MOST_AHEAD} periods of the account's plans ahead");
        return Err(Error::invalid("at", said, "ask about an earlier instant"));
    }
    catch_up_fully(books, account, until)
}
