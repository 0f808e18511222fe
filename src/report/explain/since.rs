//! What an operation's own lines tell of it, and later ones of what happened to it and to what it made.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::Look;
use super::back::Destination;
use super::settled::{PaidDebt, Settled, shares};
use super::{Booked, Said, Word, is_false, word_option};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{
    AccountRow, BatchId, BatchNo, EntryKind, EntryRow, MovementRow, OpKind, OperationId, Place, batch_operation,
};
use crate::report::span::stored_entries;
use crate::units::{Instant, Points, add, sub, utc};

/// Something done later to an operation, or to what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Since {
    /// The kind of the line: `refund`, `write_off`, `revoke`, `set_expiry`, `expire`, `capture`, `release` …
    pub what: EntryKind,
    /// Of a batch it made: `expired`, `lapsed` (on their return), `came_back` (of what had expired; then the points are
    /// negative), `revoked`, `taken` (on their return, after a revoke) or `moved`. What of the batch is expired,
    /// revoked and moved is the sum of these.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "word_option")]
    pub how: Option<Word>,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points; of a revoke those taken at once.
    pub points: i64,
    /// Of a revoke: points spent, held or moved already, still to be taken.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub owed: Points,
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
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

/// What a batch paid later of what an operation had left open.
pub(super) struct LatePay {
    pub(super) batch: BatchNo,
    pub(super) points: i64,
    /// The line's number, its time and its operation.
    pub(super) n: i64,
    pub(super) at: Instant,
    pub(super) operation: Option<i64>,
}

/// What is learnt of an operation from the lines that are its own and those that touch it.
pub(super) struct Story {
    seq: i64,
    is_hold: bool,
    /// The batches it made or changed, and those that paid for it.
    made: BTreeSet<BatchNo>,
    paid: BTreeSet<BatchNo>,
    pub(super) went_to: Vec<Destination>,
    pub(super) settled: Vec<Settled>,
    pub(super) forgiven: Vec<PaidDebt>,
    pub(super) late_pay: Vec<LatePay>,
    /// Of the batches that paid: points that lapsed on their return.
    pub(super) lapsed: BTreeMap<BatchNo, i64>,
    pub(super) since: Vec<Since>,
}

impl Look<'_, '_> {
    /// Adds what an account's lines tell: the operation's own there, and the later ones that touch it.
    pub(super) fn tell(
        &self,
        story: &mut Story,
        (books, account): (&Books<'_>, &AccountRow),
        own: &[EntryRow],
    ) -> Result<()> {
        let Some(last) = own.last().map(|row| row.n) else { return Ok(()) };
        own.iter().try_for_each(|row| story.own(self, row))?;
        let mut trail = self.touching(books, account, story.seq, None)?;
        trail.values().for_each(|row| story.note_pay(row));
        for no in &story.made {
            let Some(batch) = self.batch_row(books, *no)?.filter(|batch| batch.account == account.no) else { continue };
            trail.extend(self.touching(books, account, batch.operation(), None)?);
            trail.extend(self.expiries(books, account, &batch)?);
        }
        for no in &story.paid {
            let revokes = self.touching(books, account, batch_operation(*no), Some(EntryKind::Revoke))?;
            trail.extend(revokes.into_iter().filter(|(_, row)| row.batch == Some(*no)));
        }
        let stored = stored_entries(books, account);
        trail.range(last.saturating_add(1)..).try_for_each(|(n, row)| story.later(self, row, *n > stored))
    }
}

impl Story {
    pub(super) fn new(booked: &Booked, draws: &[(BatchNo, i64)]) -> Self {
        Story {
            seq: booked.row.seq,
            is_hold: booked.row.kind == OpKind::Hold,
            made: booked.row.outcome.batches.iter().map(|(no, _)| *no).collect(),
            paid: draws.iter().map(|(no, _)| *no).collect(),
            went_to: Vec::new(),
            settled: Vec::new(),
            forgiven: Vec::new(),
            late_pay: Vec::new(),
            lapsed: BTreeMap::new(),
            since: Vec::new(),
        }
    }

    fn own(&mut self, look: &Look<'_, '_>, row: &EntryRow) -> Result<()> {
        match row.kind {
            EntryKind::Settle => self.settled.push(look.settled(row, false)?),
            EntryKind::WriteOff => self.forgiven = look.debts(row)?,
            _ => {}
        }
        self.note_pay(row);
        self.went_to.extend(look.destinations(row)?);
        Ok(())
    }

    /// What batches paid by a line of what it had left open.
    fn note_pay(&mut self, row: &EntryRow) {
        let (n, at, operation) = (row.n, row.booked_at, row.operation);
        for share in shares(row).into_iter().filter(|share| share.consume == self.seq && !share.written_off) {
            self.paid.extend(share.by.iter().map(|(batch, _)| *batch));
            let pay = |(batch, points)| LatePay { batch, points, n, at, operation };
            self.late_pay.extend(share.by.into_iter().map(pay));
        }
    }

    /// What of the points it had used a line brought back to batches that had expired.
    fn note_lapsed(&mut self, row: &EntryRow) -> Result<()> {
        for MovementRow { operation, batch, from, to, points } in &row.movements {
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

    fn later(&mut self, look: &Look<'_, '_>, row: &EntryRow, unbooked: bool) -> Result<()> {
        self.note_lapsed(row)?;
        let mine = || row.movements.iter().filter(|movement| movement.operation == Some(self.seq));
        let touched = row.batch.filter(|no| self.made.contains(no));
        let mut tell: Vec<(Option<&'static str>, Option<BatchNo>, i64)> = Vec::new();
        match row.kind {
            EntryKind::Activate => tell.extend(touched.map(|no| (None, Some(no), row.points))),
            EntryKind::SetExpiry => tell.extend(touched.map(|no| (None, Some(no), 0))),
            EntryKind::Revoke if touched.is_none() => {
                tell.extend(row.batch.filter(|no| self.paid.contains(no)).map(|no| (None, Some(no), row.points)));
            }
            EntryKind::Revoke => tell.extend(touched.map(|no| (Some("revoked"), Some(no), row.points))),
            // Of a use that cost nothing: nothing is moved to tell of it.
            EntryKind::Refund if row.points == 0 => tell.extend(mine().next().map(|_| (None, None, 0))),
            _ if self.is_hold && mine().next().is_some() => tell.push((None, None, row.points)),
            _ => {}
        }
        let (mut refunded, mut written_off) = (0, 0);
        for MovementRow { from, points, .. } in mine() {
            if from.is_used() {
                refunded = add(refunded, *points)?;
            } else if *from == Place::WrittenOff {
                written_off = add(written_off, *points)?;
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
                what: row.kind,
                how,
                at: row.booked_at.utc(),
                points,
                owed: Points::booked(revoke.map_or(0, |by| by.row.outcome.owed))?,
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
pub(super) fn gone(kind: EntryKind, movement: &MovementRow) -> Result<Vec<(&'static str, i64)>> {
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
