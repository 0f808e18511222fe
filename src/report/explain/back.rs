//! Where points went that came back: of refunds, of captures, of holds that ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::Look;
use super::{Word, word};
use crate::engine::Source;
use crate::error::Result;
use crate::model::{BatchId, BatchNo, EntryKind, EntryRow, MovementRow, OperationId, Place};
use crate::units::{Points, add, sub};

/// Where some of the points went that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Destination {
    /// `restored` (to a live batch), `lapsed` (its batch had expired), `taken` (its batch had been revoked), or
    /// `cancelled_debt`.
    #[serde(deserialize_with = "word")]
    pub what: Word,
    /// How many points.
    pub points: Points,
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

/// What is told as one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    what: &'static str,
    batch: Option<BatchNo>,
    debt: Option<i64>,
    /// The revoked batch in place of which they went there, and its revoke.
    instead_of: Option<(BatchNo, i64)>,
}

impl Alike {
    fn took(&self, no: BatchNo) -> bool {
        self.what == "taken" && self.batch == Some(no)
    }
}

/// One such thing, and how many points.
struct Went {
    alike: Alike,
    points: i64,
}

impl Look<'_, '_> {
    /// Where the points went that a line brought back.
    pub(super) fn destinations(&self, row: &EntryRow) -> Result<Vec<Destination>> {
        if !matches!(row.kind, EntryKind::Refund | EntryKind::Release | EntryKind::Capture | EntryKind::HoldExpire) {
            return Ok(Vec::new());
        }
        let mut all: Vec<Went> = Vec::new();
        let mut places: BTreeMap<Alike, usize> = BTreeMap::new();
        for MovementRow { operation, batch, from, to, points } in &row.movements {
            let (what, debt) = match to {
                _ if !from.is_used() && *from != Place::Held => continue,
                Place::Pending | Place::Available => ("restored", None),
                Place::Expired => ("lapsed", None),
                Place::Revoked => ("taken", None),
                Place::Debt => ("cancelled_debt", *operation),
                _ => continue,
            };
            let mut instead_of = None;
            if let (Place::ClawedBack, Some(seq)) = (from, operation) {
                instead_of = self.source.consume(*seq)?.and_then(|consume| consume.clawback_of).map(|no| (no, *seq));
            }
            // What was taken for a clawback goes on to what had paid it.
            let taken = instead_of.and_then(|(no, _)| all.iter_mut().rfind(|went| went.alike.took(no)));
            if let Some(taken) = taken {
                taken.points = sub(taken.points, *points)?;
            }
            let alike = Alike { what, batch: *batch, debt, instead_of };
            let place = *places.entry(alike).or_insert(all.len());
            match all.get_mut(place) {
                Some(went) => went.points = add(went.points, *points)?,
                None => all.push(Went { alike, points: *points }),
            }
        }
        all.into_iter().filter(|went| went.points > 0).map(|went| self.destination(&went)).collect()
    }

    fn destination(&self, went: &Went) -> Result<Destination> {
        let Alike { what, batch, debt, instead_of } = went.alike;
        Ok(Destination {
            what,
            points: Points::booked(went.points)?,
            batch: batch.map(|no| self.writers.batch(no)),
            operation: debt.map(|seq| self.writers.operation(seq)),
            instead_of: instead_of.map(|(no, _)| self.writers.batch(no)),
            revoke: instead_of.map(|(_, seq)| self.writers.operation(seq)),
        })
    }
}
