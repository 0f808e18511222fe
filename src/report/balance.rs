//! Balance, now or at any instant, and check.

use chrono::{DateTime, Utc};

use super::Look;
use super::shapes::figures;
use crate::engine::{Books, Source, is_allotted, pending};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, AccountState, Balance, Balances, BatchNo, BatchRow, Check, Figures, HoldState, NextExpiry,
    OperationRow, Role,
};
use crate::store::{self, Glance, Session};
use crate::units::{Instant, Points, Reading, add};

impl Look<'_, '_> {
    /// The balance now, or at an instant: before the account's last entry it is read from the entries.
    pub(crate) fn balance(&self, id: &AccountId, at: Option<Instant>) -> Result<Balance> {
        let Some(stored) = self.source.account_by_id(id)? else {
            return past(id, at.unwrap_or(self.time), None);
        };
        let now = stored.booked_time(&self.clock, self.time.max(self.floor(&stored)?));
        // An instant that has not come yet is looked at as it will be if nothing else is booked; one that has passed,
        // as it was.
        let at = at.unwrap_or(now);
        let (mut books, row, until) = self.caught_up(stored, Some(at.max(self.time)))?;
        if at < until {
            let n = self.number_at(&books, &row, at)?;
            if n < row.entries {
                return past(id, at, self.line(&books, &row, n)?.map(|line| line.after));
            }
        }
        self.present(&mut books, id, &row, at)
    }

    pub(super) fn present(
        &self,
        books: &mut Books<'_>,
        id: &AccountId,
        row: &AccountRow,
        now: Instant,
    ) -> Result<Balance> {
        let next_expiry = self.next_expiry(books, row.no)?;
        let row = AccountRow { next_due_at: books.next_due_at(row.no)?, ..row.clone() };
        let (base_at, pending_operations) = self.based(&row)?;
        let (clock_suspect, clock_behind) = (self.suspect, self.behind);
        let allotted = self.allotted(books, row.no, now)?;
        let allotted = (allotted > 0).then(|| Points::booked(allotted)).transpose()?;
        let shown = shown(id, &row, now, next_expiry)?;
        Ok(Balance { clock_suspect, clock_behind, base_at, pending_operations, allotted, ..shown })
    }

    /// On a device: as of when its hub told of an account, and how many operations are put back on that.
    fn based(&self, account: &AccountRow) -> Result<(Option<DateTime<Utc>>, Option<i64>)> {
        if self.ledger.standing.role != Role::Device {
            return Ok((None, None));
        }
        let base = self.source.base(account.no)?;
        let ack = base.as_ref().map_or(0, |base| base.ack);
        // Of holds only the open ones.
        let pending = pending(&self.source, account, ack, Instant::MAX)?.len();
        Ok((base.map(|base| base.as_of.utc()), i64::try_from(pending).ok()))
    }

    /// The soonest expiry among live batches with points left, and all points that expire then.
    fn next_expiry(&self, books: &Books<'_>, account: i64) -> Result<Option<NextExpiry>> {
        let changed: Vec<&BatchRow> = books.held_batches().filter(|batch| batch.account == account).collect();
        let known: std::collections::BTreeSet<BatchNo> = changed.iter().map(|batch| batch.no).collect();
        let mut limit = 16;
        loop {
            let stored = self.source.due_batches(account, Instant::MAX, limit)?;
            let complete = stored.len() < limit;
            let last = stored.last().and_then(BatchRow::due_at);
            let unchanged = stored.iter().filter(|batch| !known.contains(&batch.no));
            let live: Vec<&BatchRow> =
                unchanged.chain(changed.iter().copied()).filter(|batch| batch.is_live()).collect();
            let next = live.iter().filter_map(|batch| batch.expires_at).min();
            // Due instants ascend: once the page reaches past the soonest expiry, all of its batches are in it.
            if complete || next.is_some_and(|next| last.is_some_and(|last| last > next)) {
                let Some(next) = next else { return Ok(None) };
                let mut points = 0;
                for batch in live.iter().filter(|batch| batch.expires_at == Some(next)) {
                    points = add(points, batch.remaining)?;
                }
                return Ok(Some(NextExpiry { at: next.utc(), points: Points::booked(points)? }));
            }
            limit = limit.saturating_mul(4);
        }
    }

    /// The balances and the hold of an operation as they are by now.
    pub(crate) fn present_of(&self, row: &OperationRow) -> Result<(Option<Figures>, Option<HoldState>)> {
        let Some((no, _)) = &row.account else { return Ok((None, None)) };
        let (mut books, account, _) = self.caught_up(self.account_row(*no)?, None)?;
        let state = row.outcome.hold.map(|(hold, ..)| books.hold(hold).map(|hold| hold.phase)).transpose()?;
        Ok((Some(figures(account.balances)?), state))
    }

    /// Whether the account could pay `required` points.
    pub(crate) fn check(&self, id: &AccountId, required: Points) -> Result<Check> {
        let mut account = self.account(id, None)?;
        // What was set aside for this device is all it may decide by.
        let allotted = match &mut account {
            Some((books, row, now)) if is_allotted(&self.ledger) => Some(self.allotted(books, row.no, *now)?),
            _ => is_allotted(&self.ledger).then_some(0),
        };
        let row = account.as_ref().map(|(_, row, _)| row);
        let balances = row.map_or(Balances::default(), |row| row.balances);
        let (limit, unbacked) = row.map_or((0, 0), |row| (row.credit_limit, row.unbacked));
        let (available, debt) = (balances.available, balances.debt);
        let uncovered = required.get().saturating_sub(available).max(0);
        let fits = match allotted {
            Some(allotted) => required.get() <= allotted,
            None => uncovered == 0 || uncovered <= limit.saturating_sub(debt).saturating_sub(unbacked),
        };
        let reason = match row.map(|row| row.state) {
            None if self.ledger.settings.explicit_accounts => Some("unknown_account"),
            Some(AccountState::Closed) => Some("account_closed"),
            Some(AccountState::Frozen) => Some("account_frozen"),
            _ if debt > limit => Some("account_in_debt"),
            _ if !fits => Some("insufficient_points"),
            _ => None,
        };
        let (sufficient, allowed, reason) = (debt <= limit && fits, reason.is_none(), reason.map(str::to_string));
        let (available, debt) = (Points::booked(available)?, Points::booked(debt)?);
        let (clock_suspect, clock_behind) = (self.suspect, self.behind);
        Ok(Check { sufficient, allowed, available, debt, required, reason, clock_suspect, clock_behind })
    }
}

/// The balance now, where it takes one statement to know it: nothing has fallen due, and the clock is beyond doubt.
pub(crate) fn at_a_glance(session: &Session<'_>, id: &AccountId, reading: Reading) -> Result<Option<Balance>> {
    let Some(Glance { account, clock, max_clock_jump, role, next_expiry }) = store::glance(session, id)? else {
        return Ok(None);
    };
    // More is told of one on a device, and of one of which something is set aside for one.
    if role == Role::Device || role == Role::Hub && account.balances.held > 0 {
        return Ok(None);
    }
    let now = reading.at.max(account.last_booked_at);
    let in_range = match reading.trusted {
        true => clock.behind(reading.at) == 0,
        false => reading.at.since(clock.accepted_at) <= max_clock_jump.saturating_mul(1000),
    };
    if !in_range || account.turns(&clock, reading.at) || account.next_due_at.is_some_and(|due| due <= now) {
        return Ok(None);
    }
    let expiry =
        |(at, points): (Instant, i64)| Points::booked(points).map(|points| NextExpiry { at: at.utc(), points });
    let next_expiry = next_expiry.map(expiry).transpose()?;
    let clock_behind = clock.behind(reading.at);
    Ok(Some(Balance { clock_behind, ..shown(id, &account, now, next_expiry)? }))
}

fn shown(id: &AccountId, row: &AccountRow, now: Instant, next_expiry: Option<NextExpiry>) -> Result<Balance> {
    Ok(Balance {
        account: id.clone(),
        exists: true,
        state: Some(row.state),
        as_of: now.utc(),
        figures: figures(row.balances)?,
        credit_limit: Some(Points::booked(row.credit_limit)?),
        totals: Some(row.totals),
        next_change_at: row.next_due_at.map(Instant::utc),
        next_expiry,
        clock_suspect: false,
        clock_behind: 0,
        base_at: None,
        pending_operations: None,
        allotted: None,
    })
}

/// The balances an entry was written onto.
pub(super) fn before_entry(entry: &crate::model::EntryRow) -> Result<Balances> {
    let back = |after: i64, change: i64| {
        after.checked_sub(change).ok_or_else(|| Error::corrupt("an entry's change does not fit"))
    };
    Ok(Balances {
        available: back(entry.after.available, entry.change.available)?,
        held: back(entry.after.held, entry.change.held)?,
        pending: back(entry.after.pending, entry.change.pending)?,
        debt: back(entry.after.debt, entry.change.debt)?,
    })
}

/// A balance of which only the five figures are known.
fn past(id: &AccountId, at: Instant, balances: Option<Balances>) -> Result<Balance> {
    Ok(Balance {
        account: id.clone(),
        exists: balances.is_some(),
        state: None,
        as_of: at.utc(),
        figures: figures(balances.unwrap_or_default())?,
        credit_limit: None,
        totals: None,
        next_change_at: None,
        next_expiry: None,
        clock_suspect: false,
        clock_behind: 0,
        base_at: None,
        pending_operations: None,
        allotted: None,
    })
}
