//! What happened after an operation: one walk through the account's later lines gathers what undid it, and what those
//! lines betray of the batches as they stood then.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::Look;
use super::{Booked, Said, is_false, is_zero};
use crate::engine::{Books, Source};
use crate::error::Result;
use crate::model::{AccountRow, BatchId, BatchNo, EntryKind, EntryRow, HoldPhase, HoldRow, OpKind, OperationId};
use crate::report::statement::stored_entries;
use crate::store::Forward;
use crate::units::{add, serialize_utc};

/// Later operations whose draws are read, to know which batches had points.
const WITNESSES: usize = 2_000;

/// Something done later to an operation, or to what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Since {
    /// The kind of the line: `refund`, `write_off`, `revoke`, `set_expiry`, `expire`, `capture`, `release` …
    pub what: &'static str,
    /// When.
    #[serde(serialize_with = "serialize_utc")]
    pub at: DateTime<Utc>,
    /// How many points; of a revoke those taken at once.
    pub points: i64,
    /// Of a revoke: points spent, held or moved already, still to be taken.
    #[serde(skip_serializing_if = "is_zero")]
    pub owed: i64,
    /// The operation; none for what time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The batch it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
    /// It has happened, and the next write will book it.
    #[serde(skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

/// What to look for.
pub(super) struct Watched {
    pub(super) operation: OperationId,
    /// Batches that paid, and batches made or touched.
    pub(super) paid: BTreeSet<BatchNo>,
    pub(super) made: BTreeSet<BatchNo>,
    /// The hold it made.
    pub(super) hold: Option<HoldRow>,
    /// Points of it written off.
    pub(super) written_off: i64,
}

/// What the later lines tell.
#[derive(Default)]
pub(super) struct Later {
    pub(super) events: Vec<Since>,
    write_offs: Vec<Since>,
    /// Batches whose expiry was changed.
    pub(super) expiry_changed: BTreeSet<BatchNo>,
    /// Batches that must have had points: drawn from later, or expired with some, and given nothing in between.
    had_points: BTreeSet<BatchNo>,
    /// What left these batches since.
    left_since: BTreeMap<BatchNo, i64>,
    given_back: BTreeSet<BatchNo>,
    /// No line from here on proves anything.
    doubtful: bool,
    /// Debts were paid, which lines do not tell by batch.
    settled: bool,
    read: usize,
    hold_ended: bool,
}

impl Later {
    /// Whether a batch had points at the time, as far as can be proven.
    pub(super) fn proves(&self, batch: BatchNo, remaining_now: i64) -> bool {
        let untouched = !self.doubtful && !self.given_back.contains(&batch);
        self.had_points.contains(&batch) || (untouched && remaining_now > 0)
    }

    /// The points a batch had left just after the operation, where every later line that touched it tells how much.
    pub(super) fn had_left(&self, batch: BatchNo, remaining_now: i64) -> Option<i64> {
        let known = !self.doubtful && !self.settled && !self.given_back.contains(&batch);
        let since = self.left_since.get(&batch).copied().unwrap_or(0);
        remaining_now.checked_add(since).filter(|_| known)
    }

    fn witness(&mut self, batch: BatchNo, points: i64) -> Result<()> {
        if !self.doubtful && !self.given_back.contains(&batch) {
            self.had_points.insert(batch);
        }
        let sum = self.left_since.entry(batch).or_default();
        *sum = add(*sum, points)?;
        Ok(())
    }

    fn gives_back(&mut self, look: &Look<'_, '_>, owner: i64) -> Result<()> {
        for part in look.source.allocations(owner)?.rows {
            self.given_back.insert(part.batch);
            // What a clawback gives back in turn may be any batch.
            self.doubtful |= !look.source.clawbacks(part.batch)?.is_empty();
        }
        Ok(())
    }

    fn read_proofs(&mut self, look: &Look<'_, '_>, row: &EntryRow) -> Result<()> {
        match (row.kind, row.operation, row.batch) {
            (EntryKind::Expire, _, Some(batch)) => self.witness(batch, row.points)?,
            (EntryKind::Revoke, _, Some(batch)) if row.points > 0 && row.expired == 0 => {
                self.witness(batch, row.points)?;
            }
            (EntryKind::Settle, ..) => self.settled = true,
            (EntryKind::HoldExpire, ..) => self.doubtful = true,
            (EntryKind::SetExpiry, _, Some(batch)) => {
                self.expiry_changed.insert(batch);
                if row.points > 0 {
                    self.given_back.insert(batch);
                }
            }
            (EntryKind::Consume | EntryKind::Hold | EntryKind::TransferOut, Some(seq), _) if !self.doubtful => {
                self.read = self.read.saturating_add(1);
                self.doubtful |= self.read > WITNESSES;
                let outcome = Booked::read(&look.source, seq)?.row.outcome;
                if outcome.reinstated > 0 {
                    // Some of it came from what had expired: counted when it did.
                    self.given_back.extend(outcome.draws.iter().map(|(batch, _)| *batch));
                }
                outcome.draws.iter().try_for_each(|(batch, points)| self.witness(*batch, *points))?;
                if row.kind == EntryKind::TransferOut {
                    for (made, _) in outcome.batches {
                        if let Some((from, points)) =
                            look.source.batch(made)?.and_then(|made| made.from_batch.map(|from| (from, made.amount)))
                        {
                            self.witness(from, points)?;
                        }
                    }
                }
            }
            (EntryKind::Refund | EntryKind::Capture | EntryKind::Release, Some(seq), _) if !self.doubtful => {
                let booked = Booked::read(&look.source, seq)?;
                let refunded = booked.text("operation").map(|id| id.parse::<OperationId>()).transpose()?;
                let hold = booked.row.outcome.hold.map(|(hold, ..)| hold);
                let owner = if row.kind == EntryKind::Refund { refunded.map(OperationId::sequence) } else { hold };
                owner.into_iter().try_for_each(|owner| self.gives_back(look, owner))?;
                // What a capture drew beyond its hold is not told apart here.
                self.given_back.extend(booked.row.outcome.draws.iter().map(|(batch, _)| *batch));
            }
            _ => {}
        }
        Ok(())
    }

    fn read_events(&mut self, look: &Look<'_, '_>, row: &EntryRow, watched: &Watched, unbooked: bool) -> Result<()> {
        let booked = |seq| Booked::read(&look.source, seq);
        let hold = watched.hold.as_ref();
        let wanted = match (row.kind, row.operation, row.batch) {
            (EntryKind::Refund, Some(seq), _) => booked(seq)?.text("operation") == Some(watched.operation.to_string()),
            (EntryKind::Capture | EntryKind::Release | EntryKind::Renew, Some(seq), _) if hold.is_some() => {
                let named = booked(seq)?.row.outcome.hold.map(|(named, ..)| named);
                named == hold.map(|hold| hold.operation)
            }
            (EntryKind::HoldExpire, ..) => hold.is_some_and(|hold| {
                let passed = matches!(hold.phase, HoldPhase::Expired | HoldPhase::Captured);
                passed && !self.hold_ended && hold.deadline == row.booked_at && hold.points == row.points
            }),
            (EntryKind::Revoke, _, Some(batch)) => watched.paid.contains(&batch) || watched.made.contains(&batch),
            (EntryKind::SetExpiry | EntryKind::Expire | EntryKind::Activate, _, Some(batch)) => {
                watched.made.contains(&batch)
            }
            (EntryKind::WriteOff, ..) => watched.written_off > 0,
            _ => false,
        };
        if !wanted {
            return Ok(());
        }
        self.hold_ended |= row.kind == EntryKind::HoldExpire;
        let operation = row.operation.map(booked).transpose()?;
        let event = Since {
            what: row.kind.text(),
            at: row.booked_at.utc(),
            points: row.points,
            owed: operation.as_ref().filter(|by| by.row.kind == OpKind::Revoke).map_or(0, |by| by.row.outcome.owed),
            operation: row.operation.map(|seq| look.writers.operation(seq)),
            batch: row.batch.map(|no| look.writers.batch(no)),
            said: operation.as_ref().map(Booked::said).unwrap_or_default(),
            unbooked,
        };
        if row.kind == EntryKind::WriteOff {
            self.write_offs.push(event)
        } else {
            self.events.push(event)
        }
        Ok(())
    }
}

impl Look<'_, '_> {
    /// Reads the lines of an account after the `n`th.
    pub(super) fn later(&self, books: &Books<'_>, account: &AccountRow, n: i64, watched: &Watched) -> Result<Later> {
        let mut later = Later::default();
        let stored = stored_entries(books, account);
        let mut pass = |row: &EntryRow| {
            later.read_proofs(self, row)?;
            later.read_events(self, row, watched, row.n > stored)
        };
        let mut failed = Ok(());
        self.walk(account.no, n.saturating_add(1), stored, Forward::Oldest, |row| {
            failed = pass(&row);
            failed.is_ok()
        })?;
        failed?;
        books.entries().iter().filter(|row| row.n > n).try_for_each(pass)?;
        // Which of several write-offs took how much is not in the books; the only one took it all.
        if let [only] = later.write_offs.as_slice() {
            later.events.push(Since { points: watched.written_off, ..only.clone() });
        }
        later.events.sort_by_key(|event| event.at);
        Ok(later)
    }

    /// Points of each batch in a list of draws, the batches in order of their first.
    pub(super) fn together(&self, draws: &[(BatchNo, i64)]) -> Result<Vec<(BatchNo, i64)>> {
        let mut sums: BTreeMap<BatchNo, i64> = BTreeMap::new();
        let mut order = Vec::new();
        for (batch, points) in draws {
            if !sums.contains_key(batch) {
                order.push(*batch);
            }
            let sum = sums.entry(*batch).or_default();
            *sum = add(*sum, *points)?;
        }
        Ok(order.into_iter().map(|batch| (batch, sums.get(&batch).copied().unwrap_or(0))).collect())
    }
}
