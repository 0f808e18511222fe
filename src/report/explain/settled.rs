//! Which debts were paid, and by which batches.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::Look;
use super::{Booked, Said, is_false};
use crate::error::Result;
use crate::model::{BatchNo, EntryRow, MovementRow, OpKind, OperationId, Place};
use crate::units::{Points, utc};

/// Points that paid what was used earlier and open since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Settled {
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: Points,
    /// The operation that brought the points; none when time did (a batch became effective, a hold ended).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Which debts were paid.
    pub debts: Vec<PaidDebt>,
    /// It has happened, and the next write will book it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

/// A debt, and what was paid, or forgiven, of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PaidDebt {
    /// The consume, capture or revoke that left it.
    pub operation: OperationId,
    /// Which of the three.
    pub op: OpKind,
    /// When.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
    /// The service used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
    /// Points paid or forgiven of it.
    pub points: Points,
}

/// What a line paid, or forgave, of one consume.
pub(super) struct Share {
    pub(super) consume: i64,
    pub(super) points: i64,
    pub(super) written_off: bool,
    /// What batches paid of it.
    pub(super) by: Vec<(BatchNo, i64)>,
}

/// What a line paid or forgave of debts, the oldest first.
pub(super) fn shares(row: &EntryRow) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for MovementRow { operation, batch, from, points, .. } in row.movements.iter().filter(|it| it.to == Place::Debt) {
        let Some(consume) = operation.or(row.operation).filter(|_| !from.is_used()) else { continue };
        let written_off = *from == Place::WrittenOff;
        let by = batch.map(|no| (no, *points));
        match shares.last_mut() {
            Some(share) if share.consume == consume => {
                share.points = share.points.saturating_add(*points);
                share.by.extend(by);
            }
            _ => shares.push(Share { consume, points: *points, written_off, by: by.into_iter().collect() }),
        }
    }
    shares
}

impl Look<'_, '_> {
    /// A settle line with the debts it paid.
    pub(super) fn settled(&self, row: &EntryRow, unbooked: bool) -> Result<Settled> {
        let operation = row.operation.map(|seq| self.writers.operation(seq));
        let (at, points) = (row.booked_at.utc(), Points::booked(row.points)?);
        Ok(Settled { at, points, operation, debts: self.debts(row)?, unbooked })
    }

    /// The debts a line paid or forgave.
    pub(super) fn debts(&self, row: &EntryRow) -> Result<Vec<PaidDebt>> {
        let debt = |share: Share| {
            let booked = Booked::read(&self.source, share.consume)?;
            Ok(PaidDebt {
                operation: self.writers.operation(share.consume),
                op: booked.row.kind,
                booked_at: booked.row.booked_at.utc(),
                service: booked.row.outcome.service.clone(),
                said: booked.said(),
                points: Points::booked(share.points)?,
            })
        };
        shares(row).into_iter().map(debt).collect()
    }
}
