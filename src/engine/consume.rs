//! Consume: what is charged, by which policy, and who pays for it. Prices are asked for here.

use std::borrow::Cow;

use super::Booking;
use super::draw::{coverable, draw};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountRow, Action, BatchRow, ConsumePolicy, ConsumeRow, EntryKind, Place};
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
        let lapsed = self.lapsed_for(occurred)?;
        let covered = coverable(&mut self.books, self.account, asked, &lapsed)?;
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
                self.check_covered(asked, covered)?;
                asked
            }
            ConsumePolicy::UpTo => {
                self.outcome.short = uncovered;
                covered
            }
        };
        self.points = points;
        self.books.new_owner(self.seq);
        self.charge(self.seq, points, lapsed)?;
        self.post(EntryKind::Consume, points, None)?;
        self.settle(self.account)
    }

    /// Refuses what Strict refuses, in its order.
    pub(super) fn check_covered(&mut self, required: i64, covered: i64) -> Result<()> {
        let account = self.books.account(self.account)?;
        if required > 0 && account.balances.debt > account.credit_limit {
            let (id, debt, credit_limit) = (account.id.to_string(), account.balances.debt, account.credit_limit);
            return Err(Error::AccountInDebt { account: id, debt, credit_limit });
        }
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

    /// Batches a late consume may draw from that have expired since it occurred, whether or not they were effective then: booked
    /// in time, the part of it that stayed open would have been paid when such a batch came.
    fn lapsed_for(&mut self, occurred: Option<Instant>) -> Result<Vec<BatchRow>> {
        let window = self.context.ledger.settings.late_window.saturating_mul(1000);
        let Some(occurred) = occurred.filter(|at| window > 0 && self.now.since(*at) <= window) else {
            return Ok(Vec::new());
        };
        let mut lapsed = Vec::new();
        for row in self.books.source().lapsed_batches(self.account, occurred, self.now)? {
            self.books.batch(row.no)?;
        }
        // The working copy also knows what expired in this very catch-up.
        for batch in self.books.held_batches() {
            let mine = batch.account == self.account && batch.expired > 0;
            if mine && !batch.is_expired(occurred) && batch.is_expired(self.now) {
                lapsed.push(batch.clone());
            }
        }
        lapsed.sort_by_key(BatchRow::draw_key);
        Ok(lapsed)
    }

    /// Books points as consumed by `owner`: batches pay in draw order, the rest is open.
    pub(super) fn charge(&mut self, owner: i64, points: i64, lapsed: Vec<BatchRow>) -> Result<()> {
        let reinstated_before = self.books.account(self.account)?.totals.reinstated;
        let draws = &mut self.outcome.draws;
        let paid = draw(&mut self.books, self.account, owner, points, Place::Used, lapsed, draws)?;
        let open = sub(points, paid)?;
        let row = self.books.account_mut(self.account)?;
        row.totals.consumed = add(row.totals.consumed, points)?;
        let reinstated = sub(row.totals.reinstated, reinstated_before)?;
        self.outcome.reinstated = add(self.outcome.reinstated, reinstated)?;
        self.leave_open(owner, points, open)
    }

    /// The part no batch has paid for becomes debt.
    pub(super) fn leave_open(&mut self, operation: i64, points: i64, open: i64) -> Result<()> {
        self.outcome.open = open;
        if open > 0 {
            let account = self.account;
            self.outcome.before = Some(self.books.account(account)?.credit_limit);
            self.books.add_consume(ConsumeRow {
                operation,
                account,
                points,
                open: 0,
                refunded: 0,
                written_off: 0,
                clawback_of: None,
            });
            self.books.change_consume(operation, |row| row.open = open)?;
        }
        Ok(())
    }
}
