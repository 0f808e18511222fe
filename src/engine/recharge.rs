//! Recharge and set_expiry: where batches begin, and when they end.

use super::Booking;
use super::time::resolve_expiry;
use crate::error::{Error, Result};
use crate::model::{Action, BatchRow, ClockMark, EntryKind, Expiry, Place, RolloverRow, batch_no};
use crate::pricing::{DEFAULT_EXPIRATION_DAYS, PriceBook};
use crate::units::{Instant, add};

impl Booking<'_, '_> {
    pub(super) fn recharge(&mut self, action: &Action) -> Result<()> {
        let Action::Recharge { points, source, expiry, effective_at, priority, promo, rollover } = action else {
            return Ok(());
        };
        self.name_book()?;
        let book = self.context.book;
        let days = i64::from(book.map_or(DEFAULT_EXPIRATION_DAYS, PriceBook::expiration_days));
        let promo = promo.unwrap_or_else(|| book.is_some_and(|book| book.is_promo(source)));
        let dated = effective_at.is_some();
        let effective_at = effective_at.unwrap_or(self.now);
        let expires_at = self.expiry(expiry.unwrap_or(Expiry::Days(days, None)), effective_at)?;
        let no = batch_no(self.seq, 1);
        let totals = &mut self.books.account_mut(self.account)?.totals;
        totals.recharged = add(totals.recharged, *points)?;
        self.books.arrive(BatchRow {
            dated,
            expires_at,
            active: effective_at <= self.now,
            rollover: rollover.map(|terms| RolloverRow::new(no, Some(terms))),
            ..BatchRow::new(no, self.account, source, promo, *priority, *points, effective_at)
        })?;
        self.points = *points;
        self.outcome.batches.push((no, expires_at.map_or(-1, Instant::millis)));
        self.post(EntryKind::Recharge, *points, Some(no))?;
        self.settle(self.account)
    }

    /// Resolves an expiry once, to an instant after the batch can be used. Relative ones count from when its life begins: a batch
    /// for later must not be half gone, or gone, when it comes.
    fn expiry(&self, expiry: Expiry, effective_at: Instant) -> Result<Option<Instant>> {
        // While the clock is suspect, relative expiries count from the reading: confirming it must not kill the batch.
        let from =
            if self.time.mark == ClockMark::Suspect && !self.historic { self.context.reading.at } else { self.now };
        let expires_at = resolve_expiry(expiry, from.max(effective_at))?;
        let earliest = self.now.max(effective_at);
        match expires_at {
            Some(at) if at <= earliest => Err(Error::invalid(
                "expires_at",
                format!("{at} is not after {earliest}"),
                "give an expiry later than now and than effective_at",
            )),
            _ => Ok(expires_at),
        }
    }

    pub(super) fn set_expiry(&mut self, expiry: Expiry) -> Result<()> {
        let no = self.target_batch()?;
        let batch = self.books.batch(no)?.clone();
        let expires_at = self.expiry(expiry, batch.effective_at)?;
        let back = if batch.is_expired(self.now) { batch.expired } else { 0 };
        self.outcome.before = Some(batch.expires_at.map_or(-1, Instant::millis));
        self.books.change_batch(no, |batch| batch.expires_at = expires_at)?;
        if back > 0 {
            self.books.wake(no, self.now)?;
            self.books.shift(no, Place::Expired, Place::Available, back, None)?;
        }
        self.points = back;
        self.outcome.reinstated = back;
        self.outcome.batches.push((no, expires_at.map_or(-1, Instant::millis)));
        self.post(EntryKind::SetExpiry, back, Some(no))?;
        self.settle(self.account)
    }
}
