//! Arrival: what was booked in another file is booked in this one. A hub books so what its devices did; a device puts so what its
//! hub has not got yet back on what the hub says. It never fails for points or for the state of the account: the work is done.
//!
//! Nothing is posted or settled here: a hub books a line of its own, a device one for all that comes back.

use super::allot::give;
use super::books::Books;
use super::consume::{charge, expired_since, lapsed_since, leave_open};
use super::draw::{Tally, refund};
use crate::error::Result;
use crate::model::{AccountState, BatchNo, BatchRow, FlagCode, Place};
use crate::units::{Instant, add, sub};

/// What arrives, and when.
pub(crate) struct Arriving {
    /// What it is in this file.
    pub(crate) operation: i64,
    /// Caught up to now.
    pub(crate) account: i64,
    pub(crate) now: Instant,
    /// No later than now.
    pub(crate) occurred: Instant,
    /// For so many seconds a charge may draw what has lapsed since it occurred.
    pub(crate) late_window: i64,
    pub(crate) act: Act,
}

/// What moves points.
pub(crate) enum Act {
    /// A consume or a capture. `covered`: points were found, or had been set aside, for all of it.
    Charge { points: i64, covered: bool, allotted: Allotted },
    /// Of this consume or capture here, if it is here.
    Refund { points: i64, of: Option<i64> },
    /// With all that remains of it.
    Recharge(BatchRow),
    /// Of this allotment, if it stands.
    Return { points: i64, of: Option<i64> },
}

/// What a charge says that it took of allotments.
#[derive(Default)]
pub(crate) struct Allotted {
    /// Of those that stand.
    pub(crate) parts: Vec<(i64, i64)>,
    /// All of it.
    pub(crate) said: i64,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) points: i64,
    pub(crate) draws: Vec<(BatchNo, i64)>,
    pub(crate) open: i64,
    pub(crate) reinstated: i64,
    pub(crate) tally: Tally,
    pub(crate) flags: Vec<(FlagCode, i64)>,
}

impl Arriving {
    /// Whether a closed account takes part again by it.
    pub(crate) fn reopens(&self, books: &mut Books<'_>) -> Result<bool> {
        if books.account(self.account)?.state != AccountState::Closed {
            return Ok(false);
        }
        match self.act {
            Act::Refund { points, of } => Ok(self.refundable(books, of)?.min(points) > 0),
            Act::Charge { .. } | Act::Recharge(_) => Ok(true),
            // One with points set aside does not close.
            Act::Return { .. } => Ok(false),
        }
    }

    fn refundable(&self, books: &mut Books<'_>, of: Option<i64>) -> Result<i64> {
        of.map_or(Ok(0), |of| books.consume(of).map(crate::model::ConsumeRow::refundable))
    }
}

/// Books it.
pub(crate) fn arrive(books: &mut Books<'_>, arriving: &Arriving) -> Result<Arrived> {
    if arriving.reopens(books)? {
        books.account_mut(arriving.account)?.state = AccountState::Active;
    }
    match &arriving.act {
        Act::Charge { points, covered, allotted } => charged(books, arriving, (*points, *covered), allotted),
        Act::Refund { points, of } => refunded(books, arriving, *points, *of),
        Act::Return { points, of } => {
            let mut arrived = Arrived::default();
            if let Some(of) = of {
                arrived.points = give(books, *of, *points, arriving.now, &mut arrived.tally)?;
            }
            Ok(arrived)
        }
        Act::Recharge(batch) => {
            let points = batch.amount;
            let totals = &mut books.account_mut(arriving.account)?.totals;
            totals.recharged = add(totals.recharged, points)?;
            books.arrive(batch.clone())?;
            Ok(Arrived { points, ..Arrived::default() })
        }
    }
}

fn charged(
    books: &mut Books<'_>,
    arriving: &Arriving,
    (points, covered): (i64, bool),
    allotted: &Allotted,
) -> Result<Arrived> {
    let Arriving { operation, account, now, occurred, late_window, .. } = *arriving;
    let mut arrived = Arrived { points, ..Arrived::default() };
    if books.account(account)?.state == AccountState::Frozen {
        arrived.flags.push((FlagCode::Frozen, 0));
    }
    let lapsed = lapsed_since(books, account, (occurred, now), late_window)?;
    books.new_owner(operation);
    let done = charge(books, (account, operation), points, (lapsed, &allotted.parts), &mut arrived.draws)?;
    let short = sub(allotted.said, done.allotted)?;
    arrived.flags.extend((short > 0).then_some((FlagCode::AllotmentShort, short)));
    (arrived.open, arrived.reinstated) = (done.open, done.reinstated);
    leave_open(books, (account, operation), points, done.open)?;
    if done.open > 0 && covered {
        arrived.flags.push((FlagCode::Overdraft, done.open));
    }
    if now.since(occurred) > late_window.saturating_mul(1000) {
        let lost = expired_since(books, account, (occurred, now))?;
        let lost = lost.iter().try_fold(0, |sum, batch| add(sum, batch.expired))?;
        arrived.flags.extend((lost > 0).then_some((FlagCode::TooLate, lost)));
    }
    Ok(arrived)
}

/// As far as there is something to refund: operator and device may both have done it.
fn refunded(books: &mut Books<'_>, arriving: &Arriving, asked: i64, of: Option<i64>) -> Result<Arrived> {
    let points = arriving.refundable(books, of)?.min(asked);
    let mut arrived = Arrived { points, ..Arrived::default() };
    match of {
        None => arrived.flags.push((FlagCode::RefundUnknown, asked)),
        Some(of) if points > 0 => {
            refund(books, of, points, arriving.now, &mut arrived.tally)?;
            let totals = &mut books.account_mut(arriving.account)?.totals;
            totals.refunded = add(totals.refunded, points)?;
        }
        Some(of) => books.concern(of, Place::Used, Place::Available),
    }
    if of.is_some() && points < asked {
        arrived.flags.push((FlagCode::RefundShort, sub(asked, points)?));
    }
    Ok(arrived)
}
