//! A walk through the books: every line of one or all accounts within one read, for whoever makes something else of them.

use chrono::{DateTime, Utc};

use super::balance::totals;
use super::shapes::{self, figures, four};
use super::span::stored_entries;
use super::{Look, Period};
use crate::engine::Source;
use crate::error::Result;
use crate::model::{AccountId, AccountRow, Entry, EntryKind, EntryRow, Figures, Four, StretchRow, Totals};
use crate::store::{self, Forward};

/// Accounts read at a time.
const ACCOUNTS: usize = 256;

/// What a walk through the books comes past: first `Begin`; then for each account `Account`, its lines, `End`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WalkStep {
    /// The walk begins.
    Begin {
        /// When the books were like this.
        as_of: DateTime<Utc>,
        /// How many operations are booked in the file.
        operations: i64,
    },
    /// An account's books.
    Account {
        /// Whose they are.
        account: AccountId,
        /// The balances at the beginning of the period.
        opening: Four,
        /// How many lines there are.
        lines: i64,
    },
    /// The next line, in the order they were booked; what time has done since the last write comes last, `unbooked`.
    Line(Box<WalkLine>),
    /// The last line was told.
    End {
        /// The figures the ledger keeps beside the lines; none when the period leaves lines out.
        kept: Option<(Figures, Totals)>,
    },
}

/// A line of the books, with what it takes to post it elsewhere.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WalkLine {
    /// The line.
    pub entry: Entry,
    /// Its time for readers who go by dates: what a wrong clock dated is no later than what was booked after it.
    pub date: DateTime<Utc>,
    /// The source of the batch the line is about.
    pub source: Option<String>,
    /// Whether that batch is promotional.
    pub promo: bool,
    /// The service used, or whose use was refunded.
    pub service: Option<String>,
}

/// What is called at each step; whether to go on.
type Each<'e> = &'e mut dyn FnMut(WalkStep) -> bool;

impl Look<'_, '_> {
    pub(crate) fn walk_books(&self, account: Option<&AccountId>, period: &Period, each: Each<'_>) -> Result<()> {
        self.begun(period)?;
        if !each(WalkStep::Begin { as_of: self.time.utc(), operations: self.ledger.length }) {
            return Ok(());
        }
        if let Some(id) = account {
            let row = self.source.account_by_id(id)?;
            return row.map_or(Ok(()), |row| self.walk_account(row, period, each).map(drop));
        }
        let mut last = 0;
        loop {
            let rows = store::account_page(self.session, last, ACCOUNTS)?;
            let Some(row) = rows.last() else { return Ok(()) };
            last = row.no;
            for row in rows {
                if !self.walk_account(row, period, each)? {
                    return Ok(());
                }
            }
        }
    }

    fn walk_account(&self, row: AccountRow, period: &Period, each: Each<'_>) -> Result<bool> {
        let (books, account, _) = self.caught_up(row, None)?;
        let mut stretches = store::stretches(self.session, account.no, account.entries)?;
        stretches.extend_from_slice(books.stretches());
        let (first, last) = self.range(&books, &account, period)?;
        let opening = four(self.before(&books, &account, period)?.unwrap_or_default());
        let lines = last.saturating_sub(first).saturating_add(1).max(0);
        let stored = stored_entries(&books, &account);
        let mut on = each(WalkStep::Account { account: account.id.clone(), opening, lines });
        let mut visit = |row: &EntryRow| {
            let line = self.walk_line(&account.id, row, &stretches, row.n > stored)?;
            Ok(each(WalkStep::Line(Box::new(line))))
        };
        if on {
            on = self.visit_stored((account.no, first, last.min(stored)), Forward::Oldest, &mut visit)?;
        }
        for row in books.entries().iter().filter(|row| (first..=last).contains(&row.n)) {
            on = on && visit(row)?;
        }
        let whole = period.begin().is_none() && last >= account.entries;
        let kept = whole.then(|| (figures(account.balances), totals(&account.totals)));
        Ok(on && each(WalkStep::End { kept }))
    }

    fn walk_line(&self, id: &AccountId, row: &EntryRow, stretches: &[StretchRow], unbooked: bool) -> Result<WalkLine> {
        let entry = shapes::entry(&self.source, self.writers, id, row, unbooked)?;
        let batch = row.batch.map(|no| self.source.batch(no)).transpose()?.flatten();
        let service = match (row.kind, row.operation) {
            (EntryKind::Refund, Some(seq)) => self.refunded(&self.stored(seq)?)?.outcome.service,
            _ => entry.service.clone(),
        };
        let later = stretches.iter().filter(|stretch| stretch.n > row.n).map(|stretch| stretch.booked_at);
        let date = later.fold(row.booked_at, std::cmp::min).utc();
        let (promo, source) = batch.map_or((false, None), |batch| (batch.promo, Some(batch.source.to_string())));
        Ok(WalkLine { entry, date, source, promo, service })
    }
}
