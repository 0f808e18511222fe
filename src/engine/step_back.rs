//! The way back from a wrong time: what it did to an account is undone when accepted time has gone back and the account's next
//! operation comes.

use std::collections::BTreeSet;

use super::books::Books;
use super::draw::settle;
use super::line::Line;
use super::rollover::undo_rolls;
use crate::error::Result;
use crate::model::{AccountState, BatchNo, BatchRow, EntryKind, Place};
use crate::units::{Instant, add};

/// Undoes it as of `now`: what lapsed and has not expired comes back, what was to be effective later is pending again, and no
/// hold is further from its end than `max_hold` seconds.
pub(crate) fn step_back(books: &mut Books<'_>, account: i64, now: Instant, max_hold: i64) -> Result<()> {
    let mut batches: BTreeSet<(i64, BatchNo)> = BTreeSet::new();
    let lapsed = books.source().lapsed_batches(account, now, Instant::MAX)?;
    let dated = books.source().dated_batches(account, now)?;
    batches.extend(lapsed.iter().chain(&dated).map(|batch| (batch.entry, batch.no)));
    // What has rolled too early goes back with what lapsed of the same batch.
    let parents: BTreeSet<BatchNo> = dated.iter().filter_map(BatchRow::rolled_from).collect();
    for parent in parents {
        batches.insert((books.batch(parent)?.entry, parent));
    }
    let line = |kind, points, batch| Line { kind, operation: None, booked_at: now, points, batch };
    if !lapsed.is_empty() && books.account(account)?.state == AccountState::Closed {
        books.account_mut(account)?.state = AccountState::Active;
        books.post(account, line(EntryKind::Reopen, 0, None))?;
    }
    for (_, no) in batches {
        let points = reinstate(books, no, now)?;
        if points > 0 {
            books.post(account, line(EntryKind::Reinstate, points, Some(no)))?;
            settle(books, account, None, now)?;
        }
    }
    let latest = now.plus("deadline", max_hold.saturating_mul(1000)).unwrap_or(Instant::MAX);
    for hold in books.source().long_holds(account, latest)? {
        books.change_hold(hold.operation, |row| row.deadline = latest)?;
    }
    Ok(())
}

/// Puts one batch where it belongs at `now`; how many points that moves.
pub(super) fn reinstate(books: &mut Books<'_>, no: BatchNo, now: Instant) -> Result<i64> {
    let mut points = undo_rolls(books, no, now)?;
    let batch = books.batch(no)?.clone();
    if batch.is_early(now) {
        points = batch.remaining;
        books.set_active(no, false)?;
    }
    if batch.expired > 0 && !batch.is_expired(now) {
        books.shift(no, Place::Expired, Place::Available, batch.expired, None)?;
        points = add(points, batch.expired)?;
    }
    Ok(points)
}

impl Books<'_> {
    /// A batch to which points come back: one that has become effective while it was empty is active from now on.
    pub(super) fn wake(&mut self, no: BatchNo, at: Instant) -> Result<()> {
        let batch = self.batch(no)?;
        // One with points left becomes active by its own line, which moves them.
        if batch.active || batch.remaining > 0 || batch.effective_at > at {
            return Ok(());
        }
        self.change_batch(no, |batch| batch.active = true)
    }

    /// Accounts in which time has booked something know of so many steps back.
    pub(crate) fn know_steps(&mut self, steps_back: i64) -> Result<()> {
        let accounts: Vec<i64> = self.entries().iter().map(|row| row.account).collect();
        accounts.into_iter().try_for_each(|no| {
            self.account_mut(no)?.steps_back = steps_back;
            Ok(())
        })
    }
}
