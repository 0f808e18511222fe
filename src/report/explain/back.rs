//! Where points went that came back: of refunds, of captures, of holds that ended.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Look;
use crate::engine::{Bucket, Movement, Source, Step};
use crate::error::Result;
use crate::model::{BatchId, BatchNo, EntryKind, OperationId};

/// Where some of the points went that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Destination {
    /// `restored` (to a live batch), `lapsed` (its batch had expired), `taken` (its batch had been revoked), or
    /// `cancelled_debt`.
    pub what: &'static str,
    /// How many points.
    pub points: i64,
    /// The batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Whose debt was cancelled: a consume, a capture, or a revoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The batch they came from, if it has been revoked: its debt was paid or standing, and is less by so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<BatchId>,
    /// The revoke of that batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke: Option<OperationId>,
}

/// A revoke's clawback that points which came back have made less, and how much of them is not yet told.
struct Clawed {
    operation: i64,
    batch: BatchNo,
    left: i64,
}

/// What is told as one: what became of them, the batch, whose debt, and in place of which revoked batch.
type Alike = (&'static str, Option<BatchNo>, Option<i64>, Option<(BatchNo, i64)>);

#[derive(Default)]
struct Trail {
    went: Vec<Destination>,
    /// Where in the list each stands, and what was last taken from a batch.
    places: BTreeMap<Alike, usize>,
    taken: BTreeMap<BatchNo, usize>,
    /// Depth first, as the engine works them off.
    clawed: Vec<Clawed>,
}

impl Trail {
    fn note(
        &mut self,
        look: &Look<'_, '_>,
        what: &'static str,
        points: i64,
        batch: Option<BatchNo>,
        debt: Option<i64>,
    ) {
        let top = self.clawed.last_mut();
        let instead_of = top.as_ref().map(|clawed| (clawed.batch, clawed.operation));
        if let Some(clawed) = top {
            clawed.left = clawed.left.saturating_sub(points);
        }
        while self.clawed.last().is_some_and(|clawed| clawed.left <= 0) {
            self.clawed.pop();
        }
        let place = *self.places.entry((what, batch, debt, instead_of)).or_insert(self.went.len());
        if let Some(other) = self.went.get_mut(place) {
            other.points = other.points.saturating_add(points);
            return;
        }
        self.taken.extend(batch.filter(|_| what == "taken").map(|no| (no, place)));
        self.went.push(Destination {
            what,
            points,
            batch: batch.map(|no| look.writers.batch(no)),
            operation: debt.map(|seq| look.writers.operation(seq)),
            instead_of: instead_of.map(|(no, _)| look.writers.batch(no)),
            revoke: instead_of.map(|(_, seq)| look.writers.operation(seq)),
        });
    }

    /// A clawback is less: what was taken for it goes on to what had paid it.
    fn clawback(&mut self, operation: i64, batch: BatchNo, points: i64) {
        if let Some(taken) = self.taken.get(&batch).and_then(|place| self.went.get_mut(*place)) {
            taken.points = taken.points.saturating_sub(points);
        }
        self.clawed.push(Clawed { operation, batch, left: points });
    }
}

impl Look<'_, '_> {
    /// Where the points went that a line brought back.
    pub(super) fn destinations(&self, kind: EntryKind, step: &Step) -> Result<Vec<Destination>> {
        if !matches!(kind, EntryKind::Refund | EntryKind::Release | EntryKind::Capture | EntryKind::HoldExpire) {
            return Ok(Vec::new());
        }
        let mut trail = Trail::default();
        for movement in &step.movements {
            match *movement {
                Movement::Points { batch, from: Bucket::Held | Bucket::Used, to, points } => {
                    let what = match to {
                        Bucket::Remaining => "restored",
                        Bucket::Expired => "lapsed",
                        Bucket::Revoked => "taken",
                        Bucket::Held | Bucket::Used | Bucket::Moved => continue,
                    };
                    trail.note(self, what, points, Some(batch), None);
                }
                Movement::Consume { operation, open, refunded, .. } if refunded > 0 => {
                    let clawback_of = self.source.consume(operation)?.and_then(|consume| consume.clawback_of);
                    if let Some(batch) = clawback_of {
                        trail.clawback(operation, batch, refunded);
                    }
                    if open < 0 {
                        trail.note(self, "cancelled_debt", open.saturating_neg(), None, Some(operation));
                    }
                }
                _ => {}
            }
        }
        trail.went.retain(|went| went.points > 0);
        Ok(trail.went)
    }
}
