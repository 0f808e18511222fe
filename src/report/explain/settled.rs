//! Which debts a settle line paid. The books keep it per consume, not per line; but settling always takes the oldest
//! open part first, so what all lines paid, laid end to end, covers the consumes in order of their numbers.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::Look;
use super::{Booked, Said, is_false};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, EntryKind, EntryRow, OperationId};
use crate::store::Forward;
use crate::units::{add, serialize_utc, sub};

/// Points that paid what was used earlier and open since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Settled {
    /// When.
    #[serde(serialize_with = "serialize_utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: i64,
    /// The operation that brought the points; none when time did (a batch became effective, a hold ended).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Which debts were paid.
    pub debts: Vec<PaidDebt>,
    /// It has happened, and the next write will book it.
    #[serde(skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

/// A debt, and what was paid of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PaidDebt {
    /// The consume, capture or revoke that left it.
    pub operation: OperationId,
    /// Which of the three.
    pub op: &'static str,
    /// When.
    #[serde(serialize_with = "serialize_utc")]
    pub booked_at: DateTime<Utc>,
    /// The service used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
    /// Points paid of it.
    pub points: i64,
}

/// The open parts that settle lines have not reached yet: operation, and what settling ever pays of it.
#[derive(Default)]
pub(super) struct Queue(VecDeque<(i64, i64)>);

impl Queue {
    /// The operations in it, oldest first.
    pub(super) fn operations(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|(seq, _)| *seq)
    }

    /// Takes an entry in; of a settle line, says what it paid.
    pub(super) fn pass(
        &mut self,
        look: &Look<'_, '_>,
        books: &mut Books<'_>,
        row: &EntryRow,
    ) -> Result<Vec<(i64, i64)>> {
        let mut paid = Vec::new();
        match (row.kind, row.operation) {
            (EntryKind::Consume | EntryKind::Capture | EntryKind::Clawback, Some(seq)) => {
                let later = settled_later(look, books, seq)?;
                if later > 0 {
                    self.0.push_back((seq, later));
                }
            }
            (EntryKind::Settle, _) => {
                let mut left = row.points;
                while let Some((seq, there)) = self.0.front_mut().filter(|_| left > 0) {
                    let part = left.min(*there);
                    paid.push((*seq, part));
                    (*there, left) = (sub(*there, part)?, sub(left, part)?);
                    if *there == 0 {
                        self.0.pop_front();
                    }
                }
            }
            _ => {}
        }
        Ok(paid)
    }
}

/// What settling has paid of a consume by now: its allocations beyond what it drew itself.
fn settled_later(look: &Look<'_, '_>, books: &mut Books<'_>, seq: i64) -> Result<i64> {
    let Some(consume) = look.consume_row(books, seq)? else { return Ok(0) };
    let own = Booked::read(&look.source, seq)?.row.outcome.draws.len();
    let later = look.allocations_now(books, consume.operation)?;
    later.iter().skip(own).try_fold(0, |sum, part| add(sum, part.points))
}

impl Look<'_, '_> {
    /// The row of a consume with something special about it, caught up.
    pub(super) fn consume_row(&self, books: &mut Books<'_>, seq: i64) -> Result<Option<crate::model::ConsumeRow>> {
        use crate::engine::Source;
        match self.source.consume(seq)? {
            Some(_) => books.consume(seq).cloned().map(Some),
            None => Ok(None),
        }
    }

    /// The debts open before entry `first`, as far as settling pays them.
    pub(super) fn open_before(&self, books: &mut Books<'_>, account: &AccountRow, first: i64) -> Result<Queue> {
        let mut free = 0;
        let before = first.saturating_sub(1);
        self.walk(account.no, 1, before, Forward::Newest, |row| {
            free = if row.after.debt == 0 { row.n } else { 0 };
            free == 0
        })?;
        let (mut queue, mut failed) = (Queue::default(), Ok(()));
        self.walk(account.no, free.saturating_add(1), before, Forward::Oldest, |row| {
            failed = queue.pass(self, books, &row).map(drop);
            failed.is_ok()
        })?;
        failed.map(|()| queue)
    }

    /// A settle line with the debts it paid.
    pub(super) fn settled(&self, row: &EntryRow, paid: Vec<(i64, i64)>, unbooked: bool) -> Result<Settled> {
        let debt = |(seq, points): (i64, i64)| {
            let booked = Booked::read(&self.source, seq)?;
            Ok(PaidDebt {
                operation: self.writers.operation(seq),
                op: booked.row.kind.text(),
                booked_at: booked.row.booked_at.utc(),
                service: booked.row.outcome.service.clone(),
                said: booked.said(),
                points,
            })
        };
        Ok(Settled {
            at: row.booked_at.utc(),
            points: row.points,
            operation: row.operation.map(|seq| self.writers.operation(seq)),
            debts: paid.into_iter().map(debt).collect::<Result<_>>()?,
            unbooked,
        })
    }
}
