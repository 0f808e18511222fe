//! Plans: recurring recharges. Which batch a period makes follows from the plan and the period alone, and a period is given
//! once, whatever clocks do.

use std::sync::Arc;

use super::books::Books;
use super::time::{period_at, resolve_expiry};
use super::{Booking, Target};
use crate::error::{Error, Result};
use crate::model::{
    BatchNo, BatchRow, EntryKind, Expiry, MAX_PERIODS, Place, PlanRow, RolloverRow, Terms, batch_period,
    may_have_rolled, period_batch, rolls_from,
};
use crate::pricing::{DEFAULT_EXPIRATION_DAYS, PriceBook};
use crate::units::{Instant, MAX_POINTS, add};

/// The first period that begins at or after an instant, if there is one. Later ones begin later.
fn first_period(terms: &Terms, anchor: Instant, from: Instant) -> Option<i64> {
    let last = terms.count.unwrap_or(MAX_PERIODS);
    // What has no instant lies past the year 9999.
    let early = |period| period_at(terms, anchor, period).is_some_and(|at| at < from);
    let (mut low, mut high) = (1_i64, last.saturating_add(1));
    while low < high {
        let middle = low.midpoint(high);
        if early(middle) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Some(low).filter(|period| *period <= last)
}

impl PlanRow {
    /// When a period begins, and the end of its batch; `None` when there is no such period: one past the last, or one that
    /// could only give a dead batch.
    fn period(&self, period: i64) -> Option<(Instant, Option<Instant>)> {
        let terms = &self.terms;
        if period > terms.count.unwrap_or(MAX_PERIODS) {
            return None;
        }
        let begins = period_at(terms, self.anchor, period)?;
        let ends = match self.expiry() {
            Expiry::PeriodEnd => Some(period_at(terms, self.anchor, period.checked_add(1)?)?),
            expiry => resolve_expiry(expiry, begins).ok()?,
        };
        ends.is_none_or(|ends| ends > begins).then_some((begins, ends))
    }

    /// When a period begins; `None` when it does not come.
    pub(super) fn begins(&self, period: i64) -> Option<Instant> {
        self.period(period).map(|(begins, _)| begins)
    }

    /// Whether a batch is of a period that is still to be given, or rolls out of such a one.
    pub(super) fn may_make(&self, no: BatchNo) -> bool {
        let (period, rolls) = (batch_period(no), may_have_rolled(no));
        let own = if rolls { rolls_from(no) } else { no };
        let fits = period_batch(self.operation, period) == own && (!rolls || self.terms.rollover.is_some());
        self.due_at.is_some() && period >= self.period && fits
    }

    pub(super) fn go_on_with(&mut self, period: i64) {
        self.period = period;
        self.due_at = self.begins(period);
    }
}

/// Gives the period of a plan that is due; the batch, unless with it the account would have more points than there can be.
pub(super) fn give(books: &mut Books<'_>, plan: i64) -> Result<Option<(BatchNo, i64)>> {
    let row = books.plan(plan)?.clone();
    let (begins, expires_at) =
        row.period(row.period).ok_or_else(|| Error::corrupt(format!("plan {plan} has no period {}", row.period)))?;
    let next = add(row.period, 1)?;
    books.change_plan(plan, |row| row.go_on_with(next))?;
    let account = books.account(row.account)?;
    let (balances, points) = (account.balances, row.terms.points);
    let sum = [balances.available, balances.held, balances.pending, points].into_iter().try_fold(0, add)?;
    let total = account.totals.recharged.checked_add(points);
    let Some(recharged) = total.filter(|_| sum <= MAX_POINTS) else { return Ok(None) };
    books.account_mut(row.account)?.totals.recharged = recharged;
    let no = period_batch(plan, row.period);
    let batch = BatchRow {
        dated: true,
        expires_at,
        rollover: row.terms.rollover.map(|terms| RolloverRow::new(no, Some(terms))),
        ..BatchRow::new(no, row.account, &row.terms.source, row.promo, row.terms.priority, points, begins)
    };
    books.arrive(batch)?;
    Ok(Some((no, points)))
}

impl Booking<'_, '_> {
    pub(super) fn plan(&mut self, terms: &Arc<Terms>) -> Result<()> {
        self.name_book()?;
        let book = self.context.book;
        let days = i64::from(book.map_or(DEFAULT_EXPIRATION_DAYS, PriceBook::expiration_days));
        let promo = terms.promo.unwrap_or_else(|| book.is_some_and(|book| book.is_promo(&terms.source)));
        let anchor = terms.anchor.unwrap_or(self.now);
        let mut plan = PlanRow {
            operation: self.seq,
            account: self.account,
            entry: add(self.books.account(self.account)?.entries, 1)?,
            anchor,
            promo,
            expiration_days: terms.expiry.is_none().then_some(days),
            period: 1,
            due_at: None,
            stopped: false,
            foreign_terms: None,
            terms: Arc::clone(terms),
        };
        if let Some(first) = first_period(terms, anchor, self.now) {
            plan.go_on_with(first);
        }
        let Some(first) = plan.due_at else {
            return Err(Error::invalid(
                "anchor",
                format!("no period begins at {} or later", self.now),
                "give a later anchor, more periods, or a later expiry",
            ));
        };
        self.points = terms.points;
        self.post(EntryKind::Plan, 0, None)?;
        self.books.add_plan(plan)?;
        if first == self.now
            && let Some((no, points)) = give(&mut self.books, self.seq)?
        {
            let expires_at = self.books.batch(no)?.expires_at;
            self.outcome.batches.push((no, expires_at.map_or(-1, Instant::millis)));
            self.post(EntryKind::Recharge, points, Some(no))?;
            self.settle(self.account)?;
        }
        self.tell_plan(self.seq)
    }

    /// No period is to come, and those given for later than now are taken back where nothing of them was touched: accepted time
    /// has gone back behind them.
    pub(super) fn stop(&mut self) -> Result<()> {
        let plan = self.target_plan()?;
        let later: Vec<BatchNo> = self
            .books
            .source()
            .dated_batches(self.account, self.now)?
            .into_iter()
            .filter(|batch| batch.operation() == plan && batch.period().is_some())
            .map(|batch| batch.no)
            .collect();
        for no in later {
            let batch = self.books.batch(no)?;
            if !batch.active && batch.remaining == batch.amount {
                let points = batch.remaining;
                self.books.shift(no, Place::Available, Place::Revoked, points, None)?;
                self.points = add(self.points, points)?;
            }
        }
        if self.books.plan(plan)?.due_at.is_some() {
            self.books.change_plan(plan, |row| (row.due_at, row.stopped) = (None, true))?;
        }
        self.post(EntryKind::Stop, self.points, None)?;
        self.tell_plan(plan)
    }

    fn target_plan(&self) -> Result<i64> {
        match self.target {
            Target::Plan(plan) => Ok(plan),
            _ => Err(Error::corrupt("a stop has no plan")),
        }
    }

    fn tell_plan(&mut self, plan: i64) -> Result<()> {
        let due_at = self.books.plan(plan)?.due_at;
        self.outcome.plan = Some((plan, due_at.map_or(-1, Instant::millis)));
        Ok(())
    }
}
