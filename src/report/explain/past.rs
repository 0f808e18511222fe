//! What was held, and what was not yet effective, at the end of a period. Rows tell the present only; what the lines
//! after the period ended, opened or took back leads from there to then.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::super::Look;
use super::is_past;
use super::step::{Step, StepKind, hold_of};
use crate::engine::{Books, Source};
use crate::error::Result;
use crate::model::{AccountRow, BatchNo, BatchRow, EntryKind, EntryRow, HoldRow, HoldState};
use crate::report::Period;
use crate::units::{Points, add, sub};

/// What the lines after a period did to holds and pending batches.
#[derive(Default)]
struct After {
    /// The first operation after the period: what it and later ones made was not there yet.
    first: Option<i64>,
    /// Holds captured or released.
    resolved: BTreeSet<i64>,
    /// Points a batch had when it became effective, and those revoked of it before.
    activated: BTreeMap<BatchNo, i64>,
    revoked: BTreeMap<BatchNo, i64>,
    /// Batches that a step of the clock made pending again.
    again: BTreeSet<BatchNo>,
}

impl After {
    fn pass(&mut self, row: &EntryRow) -> Result<()> {
        if self.first.is_none() {
            self.first = row.operation;
        }
        match (row.kind, row.batch) {
            (EntryKind::Capture | EntryKind::Release, _) => self.resolved.extend(hold_of(row)),
            (EntryKind::Activate, Some(batch)) => {
                self.activated.insert(batch, row.points);
            }
            (EntryKind::Reinstate, Some(batch)) if row.change.pending > 0 && !self.activated.contains_key(&batch) => {
                self.again.insert(batch);
            }
            (EntryKind::Revoke, Some(batch)) if !self.activated.contains_key(&batch) => {
                let sum = self.revoked.entry(batch).or_default();
                *sum = add(*sum, row.points)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn made_later(&self, operation: i64) -> bool {
        self.first.is_some_and(|first| operation >= first)
    }

    fn was_open(&self, hold: &HoldRow, end: Option<DateTime<Utc>>) -> bool {
        let lasted = end.is_some_and(|end| !is_past(hold.deadline, end));
        !self.made_later(hold.operation)
            && match hold.phase {
                HoldState::Open => true,
                HoldState::Expired => lasted,
                HoldState::Captured | HoldState::Released => lasted && self.resolved.contains(&hold.operation),
            }
    }

    /// The points of a batch that was not effective yet.
    fn was_pending(&self, batch: &BatchRow) -> Result<i64> {
        if self.made_later(batch.operation()) || self.again.contains(&batch.no) {
            return Ok(0);
        }
        let then = match self.activated.get(&batch.no) {
            Some(points) => *points,
            None if batch.active => return Ok(0),
            None => batch.remaining,
        };
        add(then, self.revoked.get(&batch.no).copied().unwrap_or(0))
    }
}

impl Look<'_, '_> {
    /// The open holds and the pending batches at the end of a period.
    pub(super) fn set_aside(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        period: &Period,
        (held, pending): (i64, i64),
    ) -> Result<(Vec<Step>, Vec<Step>)> {
        let mut after = After::default();
        if let Some(end) = period.end().filter(|_| held > 0 || pending > 0) {
            let rest = Period::new(Some(end), None)?;
            let mut rows = self.rows(books, account, self.range(books, account, &rest)?);
            rows.try_for_each(|row| after.pass(&row?))?;
        }
        let mut holds = Vec::new();
        if held > 0 {
            for hold in self.hold_rows(books, account, 0) {
                let hold = hold?;
                if after.was_open(&hold, period.end()) {
                    holds.push(self.hold_step(&hold, sub(hold.points, hold.unbacked)?)?);
                }
            }
        }
        let mut batches = Vec::new();
        if pending > 0 {
            for batch in self.batch_rows(books, account, 0) {
                let batch = batch?;
                let points = after.was_pending(&batch)?;
                if points > 0 {
                    batches.push(self.pending_step(&batch, points)?);
                }
            }
        }
        Ok((holds, batches))
    }

    fn pending_step(&self, batch: &BatchRow, points: i64) -> Result<Step> {
        let (at, said) = self.made(batch.account, batch.operation())?;
        Ok(Step {
            operation: Some(self.writers.operation(batch.operation())),
            batch: Some(self.writers.batch(batch.no)),
            source: Some(batch.source.to_string()),
            until: Some(batch.effective_at.utc()),
            said,
            ..Step::new(StepKind::Pending, EntryKind::Recharge, at, Points::booked(points)?)
        })
    }

    /// A batch with what time has done to it.
    pub(super) fn batch_row(&self, books: &Books<'_>, no: BatchNo) -> Result<Option<BatchRow>> {
        match books.held_batch(no) {
            Some(batch) => Ok(Some(batch.clone())),
            None => self.source.batch(no),
        }
    }
}
