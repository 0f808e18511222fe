//! One walk along an account's lines tells what an operation did in detail, and what happened later to it and to what
//! it made.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::Look;
use super::back::Destination;
use super::settled::{PaidDebt, Settled, shares};
use super::{Booked, Said, is_false, is_zero};
use crate::engine::{Before, Retrace};
use crate::error::Result;
use crate::model::{BatchId, BatchNo, EntryKind, EntryRow, Movement, OpKind, OperationId, Place};
use crate::units::{Instant, add, serialize_utc, sub};

/// Something done later to an operation, or to what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Since {
    /// The kind of the line: `refund`, `write_off`, `revoke`, `set_expiry`, `expire`, `capture`, `release` …
    pub what: &'static str,
    /// Of a batch it made: `expired`, `lapsed` (on their return), `came_back` (of what had expired; then the points are
    /// negative), `revoked`, `taken` (on their return, after a revoke) or `moved`. What of the batch is expired,
    /// revoked and moved is the sum of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<&'static str>,
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

/// What a batch paid later of what an operation had left open.
pub(super) struct LatePay {
    pub(super) batch: BatchNo,
    pub(super) points: i64,
    pub(super) expires_at: Option<Instant>,
    pub(super) at: Instant,
    pub(super) operation: Option<i64>,
}

/// What is learnt of an operation along the way.
pub(super) struct Story {
    seq: i64,
    /// What it drew itself, and what it made or touched.
    draws: Vec<BatchNo>,
    made: BTreeSet<BatchNo>,
    /// The hold it made.
    hold: Option<i64>,
    begun: bool,
    paid: BTreeSet<BatchNo>,
    pub(super) before: Option<Before>,
    /// Of the batches it drew from: their expiry at that time.
    pub(super) expiries: BTreeMap<BatchNo, Option<Instant>>,
    pub(super) went_to: Vec<Destination>,
    pub(super) settled: Vec<Settled>,
    pub(super) forgiven: Vec<PaidDebt>,
    pub(super) late_pay: Vec<LatePay>,
    /// Of the batches that paid: points that lapsed on their return.
    pub(super) lapsed: BTreeMap<BatchNo, i64>,
    pub(super) since: Vec<Since>,
}

impl Story {
    pub(super) fn new(booked: &Booked, draws: &[(BatchNo, i64)]) -> Self {
        let draws: Vec<BatchNo> = draws.iter().map(|(no, _)| *no).collect();
        Story {
            seq: booked.row.seq,
            made: booked.row.outcome.batches.iter().map(|(no, _)| *no).collect(),
            hold: (booked.row.kind == OpKind::Hold).then_some(booked.row.seq),
            begun: false,
            paid: draws.iter().copied().collect(),
            draws,
            before: None,
            expiries: BTreeMap::new(),
            went_to: Vec::new(),
            settled: Vec::new(),
            forgiven: Vec::new(),
            late_pay: Vec::new(),
            lapsed: BTreeMap::new(),
            since: Vec::new(),
        }
    }

    /// The next account: the one that received.
    pub(super) fn turn(&mut self) {
        self.begun = false;
    }

    /// Takes in the next line.
    pub(super) fn pass(
        &mut self,
        look: &Look<'_, '_>,
        retrace: &mut Retrace<'_>,
        row: &EntryRow,
        hold: Option<i64>,
        unbooked: bool,
    ) -> Result<()> {
        let own = row.operation == Some(self.seq);
        self.begun |= own;
        if !self.begun {
            return Ok(());
        }
        for share in shares(row).into_iter().filter(|share| share.consume == self.seq && !share.written_off) {
            for (batch, points) in share.by {
                let expires_at = retrace.batch(batch)?.expires_at;
                self.paid.insert(batch);
                self.late_pay.push(LatePay { batch, points, expires_at, at: row.booked_at, operation: row.operation });
            }
        }
        if own { self.own(look, retrace, row, unbooked) } else { self.later(look, row, hold, unbooked) }
    }

    fn own(&mut self, look: &Look<'_, '_>, retrace: &mut Retrace<'_>, row: &EntryRow, unbooked: bool) -> Result<()> {
        match row.kind {
            EntryKind::Settle => self.settled.push(look.settled(row, unbooked)?),
            EntryKind::WriteOff => self.forgiven = look.debts(row)?,
            EntryKind::Consume | EntryKind::Hold | EntryKind::Capture | EntryKind::TransferOut => {
                for no in &self.draws {
                    self.expiries.insert(*no, retrace.batch(*no)?.expires_at);
                }
            }
            _ => {}
        }
        self.went_to.extend(look.destinations(row)?);
        if self.before.is_none() {
            self.before = retrace.before().cloned();
        }
        Ok(())
    }

    /// What of the points it had used a line brought back to batches that had expired.
    fn note_lapsed(&mut self, row: &EntryRow) -> Result<()> {
        for Movement { operation, batch, from, to, points } in &row.movements {
            if *operation != Some(self.seq) || !from.is_used() || *to != Place::Expired {
                continue;
            }
            if let Some(batch) = batch {
                let sum = self.lapsed.entry(*batch).or_default();
                *sum = add(*sum, *points)?;
            }
        }
        Ok(())
    }

    fn later(&mut self, look: &Look<'_, '_>, row: &EntryRow, hold: Option<i64>, unbooked: bool) -> Result<()> {
        self.note_lapsed(row)?;
        let touched = row.batch.filter(|no| self.made.contains(no));
        let mut tell: Vec<(Option<&'static str>, Option<BatchNo>, i64)> = Vec::new();
        match row.kind {
            EntryKind::Activate => tell.extend(touched.map(|no| (None, Some(no), row.points))),
            EntryKind::SetExpiry => tell.extend(touched.map(|no| (None, Some(no), 0))),
            EntryKind::Revoke if touched.is_none() => {
                tell.extend(row.batch.filter(|no| self.paid.contains(no)).map(|no| (None, Some(no), row.points)));
            }
            EntryKind::Revoke => tell.extend(touched.map(|no| (Some("revoked"), Some(no), row.points))),
            _ if hold.is_some() && hold == self.hold => tell.push((None, None, row.points)),
            _ => {}
        }
        let mine = row.movements.iter().filter(|movement| movement.operation == Some(self.seq));
        let (mut refunded, mut written_off) = (0, 0);
        for Movement { from, points, .. } in mine {
            match from {
                Place::Used | Place::ClawedBack => refunded = add(refunded, *points)?,
                Place::WrittenOff => written_off = add(written_off, *points)?,
                _ => {}
            }
        }
        tell.extend([refunded, written_off].into_iter().filter(|by| *by > 0).map(|by| (None, None, by)));
        for movement in &row.movements {
            let Some(batch) = movement.batch.filter(|no| self.made.contains(no)) else { continue };
            for (how, points) in gone(row.kind, movement)? {
                match tell.iter_mut().find(|(told, no, _)| (*told, *no) == (Some(how), Some(batch))) {
                    // A revoke has been told with what it took.
                    Some(_) if how == "revoked" => {}
                    Some((.., sum)) => *sum = add(*sum, points)?,
                    None => tell.push((Some(how), Some(batch), points)),
                }
            }
        }
        if tell.is_empty() {
            return Ok(());
        }
        let by = row.operation.map(|seq| Booked::read(&look.source, seq)).transpose()?;
        for (how, batch, points) in tell {
            let revoke = by.as_ref().filter(|by| by.row.kind == OpKind::Revoke && how != Some("came_back"));
            self.since.push(Since {
                what: row.kind.text(),
                how,
                at: row.booked_at.utc(),
                points,
                owed: revoke.map_or(0, |by| by.row.outcome.owed),
                operation: row.operation.map(|seq| look.writers.operation(seq)),
                batch: batch.map(|no| look.writers.batch(no)),
                said: by.as_ref().map(Booked::said).unwrap_or_default(),
                unbooked,
            });
        }
        Ok(())
    }
}

/// What a movement adds to the points of a batch that are gone, or takes from them.
pub(super) fn gone(kind: EntryKind, movement: &Movement) -> Result<Vec<(&'static str, i64)>> {
    let (mut told, points) = (Vec::new(), movement.points);
    if movement.from == Place::Expired {
        told.push(("came_back", sub(0, points)?));
    }
    match movement.to {
        Place::Expired if kind == EntryKind::Expire => told.push(("expired", points)),
        Place::Expired => told.push(("lapsed", points)),
        Place::Revoked if kind == EntryKind::Revoke => told.push(("revoked", points)),
        Place::Revoked => told.push(("taken", points)),
        Place::Moved => told.push(("moved", points)),
        Place::Recharged
        | Place::Received
        | Place::Pending
        | Place::Available
        | Place::Held
        | Place::Used
        | Place::Debt
        | Place::WrittenOff
        | Place::ClawedBack => {}
    }
    Ok(told)
}

/// Points of each batch.
pub(super) fn sums(draws: impl IntoIterator<Item = (BatchNo, i64)>) -> Result<BTreeMap<BatchNo, i64>> {
    let mut sums: BTreeMap<BatchNo, i64> = BTreeMap::new();
    for (batch, points) in draws {
        let sum = sums.entry(batch).or_default();
        *sum = add(*sum, points)?;
    }
    Ok(sums)
}

/// The same, the batches in order of their first draw.
pub(super) fn together(draws: &[(BatchNo, i64)]) -> Result<Vec<(BatchNo, i64)>> {
    let mut sums = sums(draws.iter().copied())?;
    Ok(draws.iter().filter_map(|(batch, _)| sums.remove(batch).map(|points| (*batch, points))).collect())
}
