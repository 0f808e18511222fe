//! The statement of an account: what it began with, every line, what it ended with, and sums that add up.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::shapes::{self, figures};
use super::span::stored_entries;
use super::usage::Tally;
use super::{Flows, Look, Period, UsageLine};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{
    AccountId, AccountRow, AccountState, Balances, BatchInfo, BatchState, Entry, EntryKind, EntryRow, Figures, Four,
};
use crate::store::Forward;
use crate::units::{add, utc, utc_option};

/// What an account began with, every line of its books, and what it ended with. JSON shape `counterfoil.statement/1`.
///
/// `closing = opening + ` the changes of all lines, figure by figure; and the flows say where the difference came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Statement {
    /// The account.
    pub account: AccountId,
    /// Whether it has ever been opened.
    pub exists: bool,
    /// Whether it takes part, at `as_of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// The first instant of the period; none: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the period; none: to the present.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub to: Option<DateTime<Utc>>,
    /// When it was made: batches are as they stand then, and no line is later.
    #[serde(with = "utc")]
    pub as_of: DateTime<Utc>,
    /// The five figures at the beginning of the period.
    pub opening: Figures,
    /// The five figures at its end.
    pub closing: Figures,
    /// Where points came from and went.
    pub flows: Flows,
    /// The lines summed by kind, in order of the kinds' names.
    pub by_kind: Vec<KindTotal>,
    /// What was charged by service and unit, the largest points first.
    pub usage: Vec<UsageLine>,
    /// Batches pending or live at `as_of`, the soonest to expire first.
    pub batches: Vec<BatchInfo>,
    /// The lines, oldest first.
    pub lines: Vec<Entry>,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_suspect: bool,
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
    pub change: Four,
}

impl KindTotal {
    fn add(&mut self, row: &EntryRow) -> Result<()> {
        self.lines = add(self.lines, 1)?;
        self.points = add(self.points, row.points)?;
        let (sum, change) = (&mut self.change, row.change);
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

impl Look<'_, '_> {
    /// The statement of an account over a period.
    pub(crate) fn statement(&self, id: &AccountId, period: &Period) -> Result<Statement> {
        let mut statement = Statement {
            account: id.clone(),
            exists: false,
            state: None,
            from: period.begin(),
            to: period.end(),
            as_of: self.time.utc(),
            opening: Figures::default(),
            closing: Figures::default(),
            flows: Flows::default(),
            by_kind: Vec::new(),
            usage: Vec::new(),
            batches: Vec::new(),
            lines: Vec::new(),
            clock_suspect: self.suspect,
        };
        let Some((books, account, now)) = self.account(id, None)? else { return Ok(statement) };
        (statement.exists, statement.state, statement.as_of) = (true, Some(account.state), now.utc());
        let stored = stored_entries(&books, &account);
        let mut kinds: BTreeMap<&'static str, KindTotal> = BTreeMap::new();
        let mut usage = Tally::default();
        let opening = self.before(&books, &account, period)?.unwrap_or_default();
        let mut closing = opening;
        self.each_entry(&books, &account, period, |row| {
            statement.flows.add(&Flows::of(row)?)?;
            let none = KindTotal { kind: row.kind, lines: 0, points: 0, change: Four::default() };
            kinds.entry(row.kind.as_str()).or_insert(none).add(row)?;
            if let Some(used) = self.used(row)? {
                usage.add(None, used, row.points)?;
            }
            closing = row.after;
            statement.lines.push(shapes::entry(&self.source, self.writers, id, row, row.n > stored)?);
            Ok(())
        })?;
        (statement.opening, statement.closing) = (figures(opening), figures(closing));
        statement.by_kind = kinds.into_values().collect();
        statement.usage = usage.lines(None);
        self.each_batch(&books, &account, |row| {
            let batch = shapes::batch(self.writers, id, row, now);
            if matches!(batch.state, BatchState::Live | BatchState::Pending) {
                statement.batches.push(batch);
            }
            Ok(())
        })?;
        statement.batches.sort_by_key(|batch| (batch.expires_at.is_none(), batch.expires_at, batch.batch));
        Ok(statement)
    }

    /// Hands over the entries of an account booked within a period, oldest first, those not written yet last.
    pub(super) fn each_entry(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        period: &Period,
        mut each: impl FnMut(&EntryRow) -> Result<()>,
    ) -> Result<()> {
        let (first, last) = self.range(books, account, period)?;
        let stored = stored_entries(books, account);
        self.visit_stored((account.no, first, last.min(stored)), Forward::Oldest, &mut |row| each(row).map(|()| true))?;
        books.entries().iter().filter(|row| (first..=last).contains(&row.n)).try_for_each(each)
    }

    /// The balances at the beginning of a period; `None` before the first entry.
    pub(super) fn before(&self, books: &Books<'_>, account: &AccountRow, period: &Period) -> Result<Option<Balances>> {
        let Some(begin) = period.begin() else { return Ok(None) };
        let n = self.number_before(books, account, begin)?;
        Ok(self.line(books, account, n)?.map(|row| row.after))
    }
}
