//! Operations on accounts as such: open, set_limit, freeze, unfreeze, close, transfer; and the file's settings.

use std::mem;
use std::sync::Arc;

use super::Booking;
use crate::error::{Error, Result};
use crate::model::{AccountState, Balances, BatchRow, EntryKind, LedgerRow, MAX_INDEX, Place, Setting, batch_no};
use crate::units::{add, sub};

impl Booking<'_, '_> {
    pub(super) fn open(&mut self, credit_limit: i64, new: bool) -> Result<()> {
        let row = self.books.account_mut(self.account)?;
        if new {
            row.credit_limit = credit_limit;
            return self.post_unchanged(EntryKind::Open);
        }
        self.outcome.before = Some(row.credit_limit);
        if row.credit_limit != credit_limit {
            return Err(Error::AccountExists { account: row.id.to_string(), credit_limit: row.credit_limit });
        }
        self.post_unchanged(EntryKind::Open)
    }

    pub(super) fn set_limit(&mut self, credit_limit: i64) -> Result<()> {
        let row = self.books.account_mut(self.account)?;
        self.outcome.before = Some(mem::replace(&mut row.credit_limit, credit_limit));
        self.post_unchanged(EntryKind::SetLimit)
    }

    pub(super) fn set_state(&mut self, kind: EntryKind, state: AccountState) -> Result<()> {
        self.books.account_mut(self.account)?.state = state;
        self.post_unchanged(kind)
    }

    pub(super) fn close(&mut self) -> Result<()> {
        // One for work that costs nothing shows in no figure. What was due has been resolved.
        let open_hold = !self.books.source().long_holds(self.account, self.now)?.is_empty();
        let row = self.books.account(self.account)?;
        let Balances { available, held, pending, debt } = row.balances;
        let (no, account, unbacked) = (row.no, row.id.to_string(), row.unbacked);
        let empty = row.balances == Balances::default() && unbacked == 0 && !open_hold;
        let plans = i64::try_from(self.books.plans_to_come(no)?).unwrap_or(i64::MAX);
        if !empty || plans > 0 {
            return Err(Error::AccountNotEmpty { account, available, held, pending, debt, unbacked, open_hold, plans });
        }
        self.set_state(EntryKind::Close, AccountState::Closed)
    }

    /// A closed account takes part again (a refund or a late capture came in).
    pub(super) fn reopen_if_closed(&mut self) -> Result<()> {
        if self.books.account(self.account)?.state == AccountState::Closed {
            self.set_state(EntryKind::Reopen, AccountState::Active)?;
        }
        Ok(())
    }

    pub(super) fn transfer(&mut self, to: i64, points: i64) -> Result<()> {
        let row = self.books.account(self.account)?;
        if points > row.balances.available {
            let (account, available, required) = (row.id.to_string(), row.balances.available, points);
            return Err(Error::InsufficientPoints { account, available, required, credit_left: None });
        }
        let mut left = points;
        let (mut index, mut sent) = (0, Vec::new());
        while left > 0 {
            let Some(next) = self.books.next_live(self.account)? else { break };
            let source = self.books.batch(next.no)?.clone();
            let take = source.remaining.min(left);
            index = add(index, 1)?;
            if index > MAX_INDEX {
                return Err(Error::out_of_range(
                    "points",
                    format!("the transfer touches more than {MAX_INDEX} batches"),
                ));
            }
            self.books.shift(source.no, Place::Available, Place::Moved, take, None)?;
            sent.push((batch_no(self.seq, index), source, take));
            left = sub(left, take)?;
        }
        self.points = points;
        self.post(EntryKind::TransferOut, points, None)?;
        sent.iter().try_for_each(|(no, source, take)| self.receive(to, *no, source, *take))?;
        self.post_on(to, EntryKind::TransferIn, points, None)?;
        self.settle(to)
    }

    /// A slice of a batch arrives as a batch of its own, with the same life, kind and priority.
    fn receive(&mut self, to: i64, no: i64, source: &BatchRow, points: i64) -> Result<()> {
        self.outcome.batches.push((no, source.expires_at.map_or(-1, |at| at.millis())));
        let totals = &mut self.books.account_mut(to)?.totals;
        totals.moved_in = add(totals.moved_in, points)?;
        let slice = BatchRow {
            no,
            account: to,
            amount: points,
            effective_at: self.now,
            dated: false,
            active: true,
            from_batch: Some(source.no),
            ..source.clone()
        };
        self.books.arrive(slice.untouched())
    }

    fn post_unchanged(&mut self, kind: EntryKind) -> Result<()> {
        self.post(kind, 0, None)
    }
}

/// Changes a setting; what it was, a choice between two as 0 or 1, of a list nothing.
pub(super) fn configure(ledger: &mut LedgerRow, setting: &Setting) -> Option<i64> {
    let settings = &mut ledger.settings;
    Some(match setting {
        Setting::ExplicitAccounts(explicit) => mem::replace(&mut settings.explicit_accounts, *explicit).into(),
        Setting::LateWindow(seconds) => mem::replace(&mut settings.late_window, *seconds),
        Setting::MaxHold(seconds) => mem::replace(&mut settings.max_hold, *seconds),
        Setting::MaxClockJump(seconds) => mem::replace(&mut settings.max_clock_jump, *seconds),
        Setting::ClockPatience(seconds) => mem::replace(&mut settings.clock_patience, *seconds),
        Setting::GlobalKeys(beginnings) => {
            let beginnings = Some(Arc::new(beginnings.clone())).filter(|beginnings| !beginnings.is_empty());
            Arc::make_mut(&mut ledger.standing).global_keys = beginnings;
            return None;
        }
    })
}
