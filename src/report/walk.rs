//! A walk through the books: every line of one or all accounts, for whoever makes something else of them. A page at a time,
//! each in a read of its own, so that whoever takes long over a line holds up nobody; all as of the moment the walk began.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::shapes::{self, figures};
use super::{Look, Period};
use crate::engine::Source;
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, Balances, Entry, EntryKind, EntryRow, Figures, StretchRow, Totals};
use crate::store::{self, Forward};
use crate::units::Instant;

/// Rows read at a time.
const READ: usize = 256;

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
        opening: Balances,
        /// How many lines there are; more when others have booked since the walk began.
        lines: i64,
    },
    /// The next line, in the order they were booked; what time has done since the last write comes last, `unbooked`.
    Line(Box<WalkLine>),
    /// The last line was told.
    End {
        /// The figures the ledger keeps beside the lines; none when lines are left out: by the period, or because they were
        /// booked since the walk began.
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
    /// The unit that use was counted in.
    pub unit: Option<String>,
}

/// The moment a walk began: what was booked since is not in it.
#[derive(Debug, Clone, Copy)]
struct Cut {
    length: i64,
    time: Instant,
}

/// A walk on its way.
pub(crate) struct Walk<'w> {
    account: Option<&'w AccountId>,
    period: &'w Period,
    cut: Option<Cut>,
    begun: bool,
    queue: VecDeque<AccountRow>,
    /// The last account that was put into the queue; none: there are no more.
    last: Option<i64>,
    reading: Option<Reading>,
}

/// How far an account has been read.
struct Reading {
    no: i64,
    id: AccountId,
    /// The next entry's number, and that of the last one of the period.
    next: i64,
    last: i64,
    stretches: Vec<StretchRow>,
    /// What time did after the walk began, unless an operation that is in it came later still (its clock was ahead).
    waiting: Vec<EntryRow>,
    /// What comes after all that is stored.
    rest: Option<Rest>,
}

/// What time has done since the last write, and the figures kept beside the lines.
struct Rest {
    rows: VecDeque<EntryRow>,
    kept: Option<(Figures, Totals)>,
}

impl<'w> Walk<'w> {
    pub(crate) fn new(account: Option<&'w AccountId>, period: &'w Period) -> Self {
        Walk { account, period, cut: None, begun: false, queue: VecDeque::new(), last: Some(0), reading: None }
    }

    /// The same way again, with nothing in it that has been booked since.
    pub(crate) fn again(&self) -> Self {
        Walk { cut: self.cut, ..Walk::new(self.account, self.period) }
    }

    /// The next steps; none when all has been told.
    pub(crate) fn read(&mut self, look: &Look<'_, '_>) -> Result<Option<Vec<WalkStep>>> {
        let cut = self.cut.unwrap_or(Cut { length: look.ledger.length, time: look.time });
        if !std::mem::replace(&mut self.begun, true) {
            return self.begin(look, cut).map(Some);
        }
        let mut steps = Vec::new();
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let Some(account) = self.next_account(look)? else { return Ok(None) };
                // One that was opened since is not in it.
                let first = store::entry(look.session, account.no, 1)?;
                if first.and_then(|row| row.operation).is_some_and(|seq| seq > cut.length) {
                    return Ok(Some(steps));
                }
                let (step, reading) = look.enter(account, self.period, cut)?;
                steps.push(step);
                reading
            }
        };
        let ended = look.page(&mut reading, cut, self.period, &mut steps)?;
        if !ended {
            self.reading = Some(reading);
        }
        Ok(Some(steps))
    }

    fn begin(&mut self, look: &Look<'_, '_>, cut: Cut) -> Result<Vec<WalkStep>> {
        look.begun(self.period)?;
        self.cut = Some(cut);
        if let Some(id) = self.account {
            let account = look.source.account_by_id(id)?;
            let account = account.ok_or_else(|| Error::UnknownAccount { account: id.to_string() })?;
            (self.last, self.queue) = (None, VecDeque::from([account]));
        }
        Ok(vec![WalkStep::Begin { as_of: cut.time.utc(), operations: cut.length }])
    }

    fn next_account(&mut self, look: &Look<'_, '_>) -> Result<Option<AccountRow>> {
        if let (true, Some(last)) = (self.queue.is_empty(), self.last) {
            self.queue = store::account_page(look.session, last, READ)?.into();
            self.last = self.queue.back().map(|account| account.no);
        }
        Ok(self.queue.pop_front())
    }
}

impl Look<'_, '_> {
    /// Where the period begins and ends in an account.
    fn enter(&self, row: AccountRow, period: &Period, cut: Cut) -> Result<(WalkStep, Reading)> {
        let row = self.source.account(row.no)?.unwrap_or(row);
        let (books, account, _) = self.caught_up(row, Some(cut.time))?;
        let mut stretches = store::stretches(self.session, account.no, account.entries)?;
        stretches.extend_from_slice(books.stretches());
        let (first, last) = self.range(&books, &account, period)?;
        let opening = self.before(&books, &account, period)?.unwrap_or_default();
        let lines = last.saturating_sub(first).saturating_add(1).max(0);
        let (no, id) = (account.no, account.id.clone());
        let last = if period.end().is_some() { last } else { i64::MAX };
        let step = WalkStep::Account { account: account.id, opening, lines };
        Ok((step, Reading { no, id, next: first, last, stretches, waiting: Vec::new(), rest: None }))
    }

    /// The next lines of an account; whether they were the last.
    fn page(&self, reading: &mut Reading, cut: Cut, period: &Period, steps: &mut Vec<WalkStep>) -> Result<bool> {
        if let Some(rest) = reading.rest.take() {
            return self.rest(reading, rest, period, steps);
        }
        let stored = store::entries(self.session, reading.no, reading.next, i64::MAX, Forward::Oldest, READ)?;
        let mut ended = stored.len() < READ;
        let (mut rows, mut since) = (Vec::new(), false);
        for row in stored {
            reading.next = row.n.saturating_add(1);
            match row.operation {
                Some(seq) if seq > cut.length => {
                    (since, ended) = (true, true);
                    break;
                }
                None if row.booked_at > cut.time => reading.waiting.push(row),
                _ => {
                    rows.append(&mut reading.waiting);
                    rows.push(row);
                }
            }
        }
        let mut rest = None;
        if ended && !since {
            // A clock that was ahead has been set back: what was booked by it is no news.
            if reading.waiting.last().is_some_and(|row| row.booked_at > self.time) {
                rows.append(&mut reading.waiting);
            }
            let account = if reading.waiting.is_empty() { self.source.account(reading.no)? } else { None };
            if let Some(account) = account {
                let (books, account, _) = self.caught_up(account, Some(cut.time))?;
                let kept = Some((figures(account.balances)?, account.totals));
                let mut rows = VecDeque::from(books.into_entries());
                rows.retain(|row| row.n >= reading.next);
                rest = Some(Rest { rows, kept });
            }
        }
        let whole = self.lines(reading, &rows, false, steps)?;
        match rest {
            Some(rest) if whole => self.rest(reading, rest, period, steps),
            None if whole && !ended => Ok(false),
            _ => {
                steps.push(WalkStep::End { kept: None });
                Ok(true)
            }
        }
    }

    /// The next lines of what time has done, a page at a time as well: very much may be due. Whether they were the last.
    fn rest(&self, reading: &mut Reading, mut rest: Rest, period: &Period, steps: &mut Vec<WalkStep>) -> Result<bool> {
        let rows: Vec<EntryRow> = rest.rows.drain(..rest.rows.len().min(READ)).collect();
        let whole = self.lines(reading, &rows, true, steps)?;
        if whole && !rest.rows.is_empty() {
            reading.rest = Some(rest);
            return Ok(false);
        }
        steps.push(WalkStep::End { kept: rest.kept.filter(|_| whole && period.begin().is_none()) });
        Ok(true)
    }

    /// Tells lines, up to the last one of the period; whether that is still to come.
    fn lines(&self, reading: &Reading, rows: &[EntryRow], unbooked: bool, steps: &mut Vec<WalkStep>) -> Result<bool> {
        for row in rows {
            if row.n > reading.last {
                return Ok(false);
            }
            steps.push(WalkStep::Line(Box::new(self.walk_line(&reading.id, row, &reading.stretches, unbooked)?)));
        }
        Ok(true)
    }

    fn walk_line(&self, id: &AccountId, row: &EntryRow, stretches: &[StretchRow], unbooked: bool) -> Result<WalkLine> {
        let entry = shapes::entry(&self.source, self.writers, id, row, unbooked)?;
        let batch = row.batch.map(|no| self.source.batch(no)).transpose()?.flatten();
        let (service, unit) = match (row.kind, row.operation) {
            (EntryKind::Refund, Some(seq)) => {
                let outcome = self.refunded(&self.stored(seq)?)?.outcome;
                (outcome.service, outcome.unit)
            }
            _ => (entry.service.clone(), entry.unit.clone()),
        };
        let later = stretches.iter().filter(|stretch| stretch.n > row.n).map(|stretch| stretch.booked_at);
        let date = later.fold(row.booked_at, std::cmp::min).utc();
        let (promo, source) = batch.map_or((false, None), |batch| (batch.promo, Some(batch.source.to_string())));
        Ok(WalkLine { entry, date, source, promo, service, unit })
    }
}
