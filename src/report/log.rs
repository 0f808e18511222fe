//! What a watch reads: a stretch of the log, what time has done, and how an account stands.

use std::collections::BTreeSet;

use super::{Look, shapes};
use crate::engine::{Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, Figures, OpKind, OperationRow};
use crate::notice::{Change, Due, LogPage, MOST_SWEPT, News};
use crate::store;
use crate::units::{Instant, Points};

/// The most operations in one page.
const PAGE: usize = 256;
/// Whoever is further behind than this is not told one by one.
const MOST_BEHIND: i64 = 4096;

impl Look<'_, '_> {
    /// The ledger's time of this look.
    pub(crate) fn now(&self) -> Instant {
        self.time
    }

    /// How many operations are booked.
    pub(crate) fn length(&self) -> i64 {
        self.ledger.length
    }

    /// The operations after the one with this number.
    pub(crate) fn log_after(&self, after: i64) -> Result<LogPage> {
        let length = self.ledger.length;
        if length.saturating_sub(after) > MOST_BEHIND {
            return Ok(LogPage { changes: Vec::new(), after, last: length, more: false });
        }
        if length <= after {
            return Ok(LogPage { changes: Vec::new(), after, last: after, more: false });
        }
        let rows = store::operations_after(self.session, after, PAGE)?;
        let last = rows.last().map_or(after, |row| row.seq);
        let changes = rows.iter().map(|row| self.change(row)).collect::<Result<_>>()?;
        Ok(LogPage { changes, after, last, more: last < length })
    }

    pub(super) fn change(&self, row: &OperationRow) -> Result<Change> {
        let to = match row.kind {
            OpKind::Transfer => {
                let body = parse_body(row)?;
                let to = body.get("to").and_then(serde_json::Value::as_str);
                let to = to.ok_or_else(|| Error::corrupt(format!("operation {}: it goes nowhere", row.seq)))?;
                Some(AccountId::new(to)?)
            }
            _ => None,
        };
        Ok(Change {
            sequence: row.seq,
            operation: self.writers.operation(row.seq),
            op: row.kind,
            account: row.account.as_ref().map(|(_, id)| id.clone()),
            to,
            points: Points::booked(row.points)?,
            booked_at: row.booked_at.utc(),
        })
    }

    /// The news without the sweeps of what was told, and with what time alone has changed since the last look.
    pub(crate) fn time_passed(&self, due: &mut Due, page: &LogPage, mut news: News) -> Result<News> {
        let turned = due.told.is_some() && due.steps_back != self.clock.steps_back;
        let told = due.told.filter(|_| !turned);
        let now = told.map_or(self.time, |told| told.max(self.time));
        if told.is_none() {
            due.begin_again();
        }
        let booked: BTreeSet<AccountId> = news.accounts.iter().chain(page.accounts()).cloned().collect();
        let mut fallen: BTreeSet<AccountId> = due.fallen(now).cloned().collect();
        news.accounts.retain(|id| !due.is_told(id, now));
        // When accepted time has gone back, any account may have got back what the wrong time took.
        news.everything |= turned;
        let any = news.everything || page.is_collapsed();
        let again: BTreeSet<AccountId> =
            due.overdue().filter(|id| any || fallen.contains(id)).cloned().chain(booked).collect();
        for id in again {
            match self.source.account_by_id(&id)? {
                Some(row) if fallen.contains(&id) || !due.follows(&id, row.entries) => self.follow(due, row, now)?,
                _ => {}
            }
        }
        let rows = store::accounts_due(self.session, told, now, MOST_SWEPT.saturating_add(1))?;
        if told.is_some() {
            fallen.extend(rows.iter().map(|row| row.id.clone()));
        }
        rows.into_iter().try_for_each(|row| self.follow(due, row, now))?;
        match fallen.len() > MOST_SWEPT {
            true => news.everything = true,
            false => news.accounts.extend(fallen),
        }
        due.steps_back = self.clock.steps_back;
        let next = store::accounts_due(self.session, Some(now), Instant::MAX, 1)?;
        due.tell(now, next.first().and_then(|row| row.next_due_at));
        Ok(news)
    }

    /// Follows an account as long as what has fallen due in it is not booked.
    fn follow(&self, due: &mut Due, row: AccountRow, now: Instant) -> Result<()> {
        if row.next_due_at.is_none_or(|at| at > now) {
            due.leave(&row.id);
        } else if due.has_room(&row.id) {
            let (entries, id) = (row.entries, row.id.clone());
            let (_, next) = self.standing_of(row)?;
            due.follow(id, entries, next);
        }
        Ok(())
    }

    /// An account's balances, and when time alone will change them next.
    pub(crate) fn standing(&self, id: &AccountId) -> Result<(Figures, Option<Instant>)> {
        self.source.account_by_id(id)?.map_or(Ok((Figures::default(), None)), |row| self.standing_of(row))
    }

    fn standing_of(&self, row: AccountRow) -> Result<(Figures, Option<Instant>)> {
        let (mut books, row, _) = self.caught_up(row, None)?;
        // What has fallen due and is not booked yet lies behind; what comes after it is found out with the changes.
        let next = books.next_due_at(row.no)?;
        Ok((shapes::figures(row.balances)?, next))
    }
}
