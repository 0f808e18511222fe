//! Consume: what is charged, by which policy, and who pays for it. Prices are asked for here.

use std::borrow::Cow;

use super::Booking;
use super::allot::{spend, sum};
use super::books::Books;
use super::draw::{coverable, draw};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountRow, Action, BatchNo, BatchRow, ConsumePolicy, ConsumeRow, EntryKind, Place};
use crate::pricing::PriceBook;
use crate::quantity::Usage;
use crate::units::{Instant, add, sub};

/// What of the credit limit neither debt nor open holds use. May be negative.
pub(super) fn credit_left(account: &AccountRow) -> Result<i64> {
    sub(sub(account.credit_limit, account.balances.debt)?, account.unbacked)
}

pub(crate) fn no_book() -> Error {
    Error::pricing("no price book is loaded", "load one, or give points")
}

impl<'a> Booking<'a, '_> {
    /// Names the loaded price book in the operation, storing it on first use.
    pub(super) fn name_book(&mut self) -> Result<()> {
        let Some(book) = self.context.book else { return Ok(()) };
        let hash = book.hash();
        let source = self.books.source();
        let no = match source.price_book_no(&hash)? {
            Some(no) => no,
            None => {
                let no = source.next_price_book_no()?;
                self.new_book = Some((no, book.clone()));
                no
            }
        };
        self.price_book = Some((no, hash));
        Ok(())
    }

    /// The price book of a quote, which the operation then names: loaded, or stored in the file.
    pub(super) fn quoting_book(&mut self, hash: &Hash) -> Result<Cow<'a, PriceBook>> {
        if let Some(book) = self.context.book.filter(|book| book.hash() == *hash) {
            self.name_book()?;
            return Ok(Cow::Borrowed(book));
        }
        let source = self.books.source();
        let unknown = || {
            let message = "the price book of the quote is neither loaded nor stored";
            Error::pricing(message, "estimate again, and hold by the new quote")
        };
        let no = source.price_book_no(hash)?.ok_or_else(unknown)?;
        self.price_book = Some((no, *hash));
        source.price_book(no)?.map(Cow::Owned).ok_or_else(unknown)
    }

    /// Keeps a usage as a label.
    pub(super) fn label(&mut self, service: Option<&str>, usage: Option<&Usage>) {
        self.outcome.service = service.map(Into::into);
        self.outcome.quantity = usage.map(|usage| usage.value().to_string());
        self.outcome.unit = usage.and_then(|usage| usage.unit_name().map(Into::into));
    }

    /// The price of a usage by a book; labels the operation with what was counted.
    pub(super) fn priced(
        &mut self,
        book: &PriceBook,
        service: &str,
        usage: Option<&Usage>,
        estimate: bool,
    ) -> Result<i64> {
        let priced = if estimate { book.estimate(service, usage) } else { book.price(service, usage) }?;
        self.label(Some(service), usage);
        if self.outcome.unit.is_none() {
            self.outcome.unit = priced.unit.filter(|_| usage.is_some());
        }
        Ok(priced.points.get())
    }

    pub(super) fn consume(&mut self, action: &Action) -> Result<()> {
        let Action::Consume { points, service, usage, policy, occurred_at } = action else { return Ok(()) };
        let asked = match (points, service) {
            (Some(points), _) => {
                self.label(service.as_deref(), usage.as_ref());
                *points
            }
            (None, Some(service)) => {
                let book = self.context.book.ok_or_else(no_book)?;
                let points = self.priced(book, service, usage.as_ref(), false)?;
                self.name_book()?;
                points
            }
            (None, None) => return Err(Error::invalid("points", "are missing", "give points or a service")),
        };
        let occurred = occurred_at.map(|at| at.min(self.now));
        self.outcome.occurred_at = occurred.map(Instant::millis);
        let window = self.context.ledger.settings.late_window;
        let lapsed = match occurred {
            Some(occurred) => lapsed_since(&mut self.books, self.account, (occurred, self.now), window)?,
            None => Vec::new(),
        };
        let parts = self.allotted(asked)?;
        let allotted = sum(&parts)?;
        // Nothing but what was set aside for this device is sure.
        let sure = self.is_allotted() && *policy != ConsumePolicy::Postpaid;
        let rest = if sure { 0 } else { sub(asked, allotted)? };
        let covered = add(allotted, coverable(&mut self.books, self.account, rest, &lapsed)?)?;
        let uncovered = sub(asked, covered)?;
        let points = match policy {
            ConsumePolicy::Postpaid => {
                let account = self.books.account(self.account)?;
                let in_debt = account.balances.debt > account.credit_limit;
                self.outcome.over_limit =
                    asked > 0 && (in_debt || (uncovered > 0 && uncovered > credit_left(account)?));
                asked
            }
            ConsumePolicy::Strict => {
                if sure { self.check_allotted(asked, covered) } else { self.check_covered(asked, covered) }?;
                asked
            }
            ConsumePolicy::UpTo => {
                self.outcome.short = uncovered;
                covered
            }
        };
        self.points = points;
        self.books.new_owner(self.seq);
        self.charge(points, lapsed, &parts)?;
        self.allotted = parts;
        self.post(EntryKind::Consume, points, None)?;
        self.settle(self.account)
    }

    fn check_debt(&mut self, required: i64) -> Result<()> {
        let account = self.books.account(self.account)?;
        if required > 0 && account.balances.debt > account.credit_limit {
            let (id, debt, credit_limit) = (account.id.to_string(), account.balances.debt, account.credit_limit);
            return Err(Error::AccountInDebt { account: id, debt, credit_limit });
        }
        Ok(())
    }

    /// The same where allotments alone count.
    pub(super) fn check_allotted(&mut self, required: i64, covered: i64) -> Result<()> {
        self.check_debt(required)?;
        if covered < required {
            let account = self.books.account(self.account)?.id.to_string();
            return Err(Error::InsufficientPoints { account, available: covered, required, credit_left: None });
        }
        Ok(())
    }

    /// Refuses what Strict refuses, in its order.
    pub(super) fn check_covered(&mut self, required: i64, covered: i64) -> Result<()> {
        self.check_debt(required)?;
        let account = self.books.account(self.account)?;
        let uncovered = sub(required, covered)?;
        let credit_left = credit_left(account)?;
        if uncovered > 0 && uncovered > credit_left {
            let (id, available) = (account.id.to_string(), account.balances.available);
            return Err(Error::InsufficientPoints {
                account: id,
                available,
                required,
                credit_left: Some(credit_left.max(0)),
            });
        }
        Ok(())
    }

    /// Books points as consumed by this operation: allotments pay, then batches in draw order, the rest is open.
    fn charge(&mut self, points: i64, lapsed: Vec<BatchRow>, allotted: &[(i64, i64)]) -> Result<()> {
        let (whose, draws) = ((self.account, self.seq), &mut self.outcome.draws);
        let charged = charge(&mut self.books, whose, points, (lapsed, allotted), draws)?;
        self.outcome.reinstated = add(self.outcome.reinstated, charged.reinstated)?;
        self.leave_open(points, charged.open)
    }

    /// The part no batch has paid for becomes debt.
    pub(super) fn leave_open(&mut self, points: i64, open: i64) -> Result<()> {
        self.outcome.open = open;
        if open > 0 {
            self.outcome.before = Some(self.books.account(self.account)?.credit_limit);
        }
        leave_open(&mut self.books, (self.account, self.seq), points, open)
    }
}

/// Batches a late consume may draw from that have expired between when it occurred and now, whether or not they were effective
/// then: booked in time, the part of it that stayed open would have been paid when such a batch came. None after so many seconds.
pub(super) fn lapsed_since(
    books: &mut Books<'_>,
    account: i64,
    (occurred, now): (Instant, Instant),
    window: i64,
) -> Result<Vec<BatchRow>> {
    let window = window.saturating_mul(1000);
    if window == 0 || now.since(occurred) > window {
        return Ok(Vec::new());
    }
    expired_since(books, account, (occurred, now))
}

/// Batches with points that have expired between two instants.
pub(super) fn expired_since(
    books: &mut Books<'_>,
    account: i64,
    (after, until): (Instant, Instant),
) -> Result<Vec<BatchRow>> {
    for row in books.source().lapsed_batches(account, after, until)? {
        books.batch(row.no)?;
    }
    // The working copy also knows what expired in this very catch-up.
    let lost = |batch: &&BatchRow| {
        let mine = batch.account == account && batch.expired > 0;
        mine && !batch.is_expired(after) && batch.is_expired(until)
    };
    let mut lapsed: Vec<BatchRow> = books.held_batches().filter(lost).cloned().collect();
    lapsed.sort_by_key(BatchRow::draw_key);
    Ok(lapsed)
}

/// What a charge left open, and what of it came out of lapsed batches.
pub(super) struct Charged {
    /// What allotments paid.
    pub(super) allotted: i64,
    pub(super) open: i64,
    pub(super) reinstated: i64,
}

/// Books points of an account as consumed by an operation: allotments pay as far as they can, then batches in draw order. What is
/// open is the caller's to leave so.
pub(super) fn charge(
    books: &mut Books<'_>,
    (account, owner): (i64, i64),
    points: i64,
    (lapsed, allotted): (Vec<BatchRow>, &[(i64, i64)]),
    draws: &mut Vec<(BatchNo, i64)>,
) -> Result<Charged> {
    let reinstated_before = books.account(account)?.totals.reinstated;
    let allotted = spend(books, owner, allotted, draws)?;
    let rest = sub(points, allotted)?;
    let paid = draw(books, account, owner, rest, Place::Used, lapsed, draws)?;
    let open = sub(rest, paid)?;
    let row = books.account_mut(account)?;
    row.totals.consumed = add(row.totals.consumed, points)?;
    Ok(Charged { allotted, open, reinstated: sub(row.totals.reinstated, reinstated_before)? })
}

/// The part of a consume that no batch has paid for becomes debt.
pub(super) fn leave_open(
    books: &mut Books<'_>,
    (account, operation): (i64, i64),
    points: i64,
    open: i64,
) -> Result<()> {
    if open == 0 {
        return Ok(());
    }
    books.add_consume(ConsumeRow { points, ..ConsumeRow::new(operation, account) });
    books.change_consume(operation, |row| row.open = open)
}
