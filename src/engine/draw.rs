//! Draw, settle, give back: how points leave batches, pay debt, and return.

use super::books::Books;
use super::line::Line;
use super::rollover::owed_of;
use crate::error::Result;
use crate::model::{BatchNo, BatchRow, DrawKey, EntryKind, Place};
use crate::units::{Instant, add, sub};

/// Draws up to `need` points in draw order into `to`, allocated to `owner`; returns how many, and lists them batch by batch.
///
/// `lapsed` are expired batches a late consume may draw from as well: they take their place in the same order.
pub(crate) fn draw(
    books: &mut Books<'_>,
    account: i64,
    owner: i64,
    need: i64,
    to: Place,
    lapsed: Vec<BatchRow>,
    drawn: &mut Vec<(BatchNo, i64)>,
) -> Result<i64> {
    let mut lapsed = lapsed.into_iter().peekable();
    let mut left = need;
    while left > 0 {
        let live = books.next_live(account)?;
        let lapsed_first = match (lapsed.peek(), &live) {
            (Some(lapsed), Some(live)) => lapsed.draw_key() < *live,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let (batch, from, there) = if lapsed_first {
            let Some(batch) = lapsed.next() else { break };
            (batch.no, Place::Expired, batch.expired)
        } else {
            let Some(DrawKey { no, .. }) = live else { break };
            (no, Place::Available, books.batch(no)?.remaining)
        };
        let take = there.min(left);
        books.shift(batch, from, to, take, Some(owner))?;
        books.allocate(owner, batch, take)?;
        drawn.push((batch, take));
        left = sub(left, take)?;
    }
    sub(need, left)
}

/// How much of `need` live batches (and `lapsed` ones) can cover, without touching them.
pub(crate) fn coverable(books: &mut Books<'_>, account: i64, need: i64, lapsed: &[BatchRow]) -> Result<i64> {
    let mut covered = books.balances(account)?.available;
    for batch in lapsed {
        covered = add(covered, batch.expired)?;
    }
    Ok(covered.min(need))
}

/// Pays the oldest open parts from what is available: one visible `settle` entry.
pub(crate) fn settle(books: &mut Books<'_>, account: i64, operation: Option<i64>, at: Instant) -> Result<()> {
    let settled = pay_debts(books, account)?;
    if settled == 0 {
        return Ok(());
    }
    let line = Line { kind: EntryKind::Settle, operation, booked_at: at, points: settled, batch: None };
    books.post(account, line)
}

/// Pays the oldest open parts; how much of them.
pub(super) fn pay_debts(books: &mut Books<'_>, account: i64) -> Result<i64> {
    let mut settled = 0;
    loop {
        let balances = books.balances(account)?;
        if balances.debt == 0 || balances.available == 0 {
            break;
        }
        let Some(consume) = books.oldest_open(account)? else { break };
        let mut drawn = Vec::new();
        let paid = draw(books, account, consume.operation, consume.open, Place::Debt, Vec::new(), &mut drawn)?;
        if paid == 0 {
            break;
        }
        let open = sub(consume.open, paid)?;
        books.change_consume(consume.operation, |row| row.open = open)?;
        settled = add(settled, paid)?;
    }
    Ok(settled)
}

/// What came back, before settling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) restored: i64,
    pub(crate) lapsed: i64,
}

enum Step {
    GiveBack { batch: BatchNo, points: i64, from: Place, of: i64 },
    RefundClawback { operation: i64, points: i64 },
}

/// Gives points of a hold, or of a consume, back to a batch: first what is owed after a revoke, the rest to the live batch, or
/// lapsed if it is expired. How much that rest is.
///
/// A chain of clawbacks is worked off a list, depth first, so that no depth of chain exhausts the stack. It ends: a
/// clawback is paid only by batches revoked after its own.
pub(crate) fn give_back(
    books: &mut Books<'_>,
    batch: BatchNo,
    points: i64,
    (from, of): (Place, i64),
    at: Instant,
    tally: &mut Tally,
) -> Result<i64> {
    let owed = owed_of(books, batch)?.min(points);
    work_off(books, vec![Step::GiveBack { batch, points, from, of }], at, tally)?;
    sub(points, owed)
}

/// Refunds a consume: its open part first, then its allocations in reverse rank.
pub(crate) fn refund(books: &mut Books<'_>, operation: i64, points: i64, at: Instant, tally: &mut Tally) -> Result<()> {
    let steps = take_back(books, operation, points)?;
    work_off(books, steps, at, tally)
}

fn work_off(books: &mut Books<'_>, mut steps: Vec<Step>, at: Instant, tally: &mut Tally) -> Result<()> {
    steps.reverse();
    while let Some(step) = steps.pop() {
        let mut next = match step {
            Step::GiveBack { batch, points, from, of } => give_back_one(books, batch, points, (from, of), at, tally)?,
            Step::RefundClawback { operation, points } => {
                let account = books.consume(operation)?.account;
                let totals = &mut books.account_mut(account)?.totals;
                totals.clawed_back = sub(totals.clawed_back, points)?;
                take_back(books, operation, points)?
            }
        };
        next.reverse();
        steps.append(&mut next);
    }
    Ok(())
}

fn give_back_one(
    books: &mut Books<'_>,
    no: BatchNo,
    points: i64,
    (from, of): (Place, i64),
    at: Instant,
    tally: &mut Tally,
) -> Result<Vec<Step>> {
    let batch = books.batch(no)?.clone();
    let mut steps = Vec::new();
    let mut rest = sub(points, pay_owed(books, (no, no), points, (from, of), &mut steps)?)?;
    if let Some(parent) = batch.rolled_from() {
        rest = sub(rest, pay_owed(books, (parent, no), rest, (from, of), &mut steps)?)?;
    }
    if rest > 0 && batch.is_expired(at) {
        books.shift(no, from, Place::Expired, rest, Some(of))?;
        tally.lapsed = add(tally.lapsed, rest)?;
    } else if rest > 0 {
        books.wake(no, at)?;
        books.shift(no, from, Place::Available, rest, Some(of))?;
        tally.restored = add(tally.restored, rest)?;
    }
    Ok(steps)
}

/// Takes what a revoke of a batch left owed out of points that come back to it, or to what rolled out of it; how many.
fn pay_owed(
    books: &mut Books<'_>,
    (owing, no): (BatchNo, BatchNo),
    points: i64,
    (from, of): (Place, i64),
    steps: &mut Vec<Step>,
) -> Result<i64> {
    let batch = books.batch(owing)?;
    let owed = batch.owed.min(points);
    if owed == 0 {
        return Ok(0);
    }
    let still_owed = sub(batch.owed, owed)?;
    books.change_batch(owing, |batch| batch.owed = still_owed)?;
    if owing == no {
        books.shift(no, from, Place::Revoked, owed, Some(of))?;
    } else {
        books.roll_back((no, from), (owing, Place::Revoked), owed, Some(of))?;
    }
    let mut left = owed;
    for clawback in books.source().clawbacks(owing)? {
        // What a clamp left uncollected has no clawback, and so comes last.
        let part = books.consume(clawback.operation)?.refundable().min(left);
        if part > 0 {
            steps.push(Step::RefundClawback { operation: clawback.operation, points: part });
            left = sub(left, part)?;
        }
    }
    Ok(owed)
}

/// Marks points of a consume refunded and says which batches they go back to.
fn take_back(books: &mut Books<'_>, operation: i64, points: i64) -> Result<Vec<Step>> {
    let consume = books.consume(operation)?;
    let open = consume.open.min(points);
    let from = if consume.clawback_of.is_some() { Place::ClawedBack } else { Place::Used };
    let (still_open, refunded) = (sub(consume.open, open)?, add(consume.refunded, points)?);
    books.change_consume(operation, |row| (row.open, row.refunded) = (still_open, refunded))?;
    let mut left = sub(points, open)?;
    let mut steps = Vec::new();
    if left > 0 {
        for allocation in books.allocations(operation)?.into_iter().rev() {
            let part = sub(allocation.points, allocation.returned)?.min(left);
            if part > 0 {
                books.set_returned(operation, allocation.rank, add(allocation.returned, part)?)?;
                steps.push(Step::GiveBack { batch: allocation.batch, points: part, from, of: operation });
                left = sub(left, part)?;
            }
            if left == 0 {
                break;
            }
        }
    }
    Ok(steps)
}
