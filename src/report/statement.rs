//! The statement of an account: what it began with, every line, what it ended with, and sums that add up.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::shapes::figures;
use super::usage::{Tally, Use};
use super::{Look, Period, UsageLine, WalkLine, WalkStep};
use crate::engine::Books;
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, AccountState, Balances, BatchInfo, Entry, EntryKind, Figures, Place, Totals,
};
use crate::units::{Instant, add, is_zero, utc, utc_option};

/// What an account began with, every line of its books, and what it ended with. JSON shape `counterfoil.statement/1`.
///
/// `closing = opening + ` the changes of all lines, figure by figure; and the totals say where the difference came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Statement {
    /// The account.
    pub account: AccountId,
    /// Whether it takes part, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// The first instant of the period; none: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the period; none: to the present.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub to: Option<DateTime<Utc>>,
    /// When it was made: no line is later.
    #[serde(with = "utc")]
    pub as_of: DateTime<Utc>,
    /// The five figures at the beginning of the period.
    pub opening: Figures,
    /// The five figures at its end.
    pub closing: Figures,
    /// Where points came from and went, in the words of a balance's totals. Of all time they are those totals.
    pub totals: Totals,
    /// The lines summed by kind, in order of the kinds' names.
    pub by_kind: Vec<KindTotal>,
    /// What was charged by service and unit, the largest points first.
    pub usage: Vec<UsageLine>,
    /// Batches pending or live at the [end](Self::end), as they stood then, the soonest to expire first. Of a period that is over
    /// they stay the same, as long as no clock is set back.
    pub batches: Vec<BatchInfo>,
    /// The lines, oldest first.
    pub lines: Vec<Entry>,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
}

/// All lines of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KindTotal {
    /// The kind, as in an entry.
    pub kind: EntryKind,
    /// How many lines.
    pub lines: i64,
    /// Their points.
    pub points: i64,
    /// What they changed.
    pub change: Balances,
}

impl KindTotal {
    fn add(&mut self, entry: &Entry) -> Result<()> {
        self.lines = add(self.lines, 1)?;
        self.points = add(self.points, entry.points.get())?;
        let (sum, change) = (&mut self.change, entry.change);
        for (sum, part) in [
            (&mut sum.available, change.available),
            (&mut sum.held, change.held),
            (&mut sum.pending, change.pending),
            (&mut sum.debt, change.debt),
        ] {
            *sum = add(*sum, part)?;
        }
        Ok(())
    }
}

impl Statement {
    /// The instant at which it ends: that of the period, or when it was made while the period goes on.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.to.map_or(self.as_of, |to| to.min(self.as_of))
    }

    /// What its lines changed together.
    #[must_use]
    pub fn change(&self) -> Balances {
        let (opening, closing) = (Balances::from(self.opening), Balances::from(self.closing));
        Balances {
            available: closing.available.saturating_sub(opening.available),
            held: closing.held.saturating_sub(opening.held),
            pending: closing.pending.saturating_sub(opening.pending),
            debt: closing.debt.saturating_sub(opening.debt),
        }
    }

    fn new(account: &AccountId, period: &Period) -> Self {
        Statement {
            account: account.clone(),
            state: None,
            from: period.begin(),
            to: period.end(),
            as_of: DateTime::UNIX_EPOCH,
            opening: Figures::default(),
            closing: Figures::default(),
            totals: Totals::default(),
            by_kind: Vec::new(),
            usage: Vec::new(),
            batches: Vec::new(),
            lines: Vec::new(),
            clock_suspect: false,
            clock_behind: 0,
        }
    }
}

/// What a long statement is told by: first `Reading`, again and again; then `Head`; then every `Line`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StatementStep {
    /// The lines are being summed.
    Reading {
        /// How many have been.
        done: i64,
        /// How many there are.
        lines: i64,
    },
    /// Everything but the lines: in it, `lines` is empty.
    Head(Box<Statement>),
    /// The next line.
    Line(Box<WalkLine>),
}

/// A statement being summed, line by line.
pub(crate) struct Sums {
    statement: Statement,
    kinds: BTreeMap<&'static str, KindTotal>,
    usage: Tally,
    done: i64,
    lines: i64,
    /// The number of the last line.
    last: i64,
}

impl Sums {
    pub(crate) fn new(account: &AccountId, period: &Period) -> Self {
        let (kinds, usage) = (BTreeMap::new(), Tally::default());
        Sums { statement: Statement::new(account, period), kinds, usage, done: 0, lines: 0, last: 0 }
    }

    /// Adds what a walk comes past. A line is handed back.
    pub(crate) fn add(&mut self, step: WalkStep) -> Result<Option<Box<WalkLine>>> {
        match step {
            WalkStep::Account { opening, lines, .. } => {
                let opening = figures(opening)?;
                (self.statement.opening, self.statement.closing, self.lines) = (opening, opening, lines);
                Ok(None)
            }
            WalkStep::Line(line) => self.line(&line).map(|()| Some(line)),
            WalkStep::Begin { .. } | WalkStep::End { .. } => Ok(None),
        }
    }

    fn line(&mut self, line: &WalkLine) -> Result<()> {
        let entry = &line.entry;
        self.statement.totals.add(&entry.totals()?)?;
        let none = KindTotal { kind: entry.kind, lines: 0, points: 0, change: Balances::default() };
        self.kinds.entry(entry.kind.as_str()).or_insert(none).add(entry)?;
        let labels = (line.service.clone(), line.unit.clone(), entry.quantity.clone());
        let used = entry.movements.iter().any(|movement| movement.to == Place::Used);
        if let Some(used) = Use::of(entry.kind, used, labels) {
            self.usage.add(None, used, entry.points.get())?;
        }
        self.statement.closing = figures(entry.after)?;
        (self.done, self.last) = (add(self.done, 1)?, entry.n);
        Ok(())
    }

    pub(crate) fn progress(&self) -> StatementStep {
        StatementStep::Reading { done: self.done, lines: self.lines.max(self.done) }
    }
}

impl Look<'_, '_> {
    /// The statement that was summed, without its lines.
    pub(crate) fn statement(&self, sums: Sums) -> Result<Statement> {
        let Sums { mut statement, kinds, usage, last, .. } = sums;
        statement.by_kind = kinds.into_values().collect();
        statement.usage = usage.lines(None);
        (statement.clock_suspect, statement.clock_behind) = (self.suspect, self.behind);
        let account = self.account(&statement.account, None)?;
        let (books, account, now) =
            account.ok_or_else(|| Error::UnknownAccount { account: statement.account.to_string() })?;
        statement.as_of = now.utc();
        let (last, then) = match statement.to.filter(|to| *to <= statement.as_of) {
            // At the end of a period, what ends with it is still there.
            Some(end) => {
                let then = Instant::clamped(end.timestamp_millis().saturating_sub(1));
                (self.number_before(&books, &account, end)?, then)
            }
            None if last == 0 => (account.entries, now),
            None => (last, now),
        };
        let since = self.since(&books, &account, last)?;
        statement.state = Some(self.state_before(&account, &since)?);
        statement.batches = self.batches_before(&books, &account, &since, then)?;
        statement.batches.sort_by_key(|batch| (batch.expires_at.is_none(), batch.expires_at, batch.batch));
        Ok(statement)
    }

    /// The balances at the beginning of a period; `None` before the first entry.
    pub(super) fn before(&self, books: &Books<'_>, account: &AccountRow, period: &Period) -> Result<Option<Balances>> {
        let Some(begin) = period.begin() else { return Ok(None) };
        let n = self.number_before(books, account, begin)?;
        Ok(self.line(books, account, n)?.map(|row| row.after))
    }
}
