//! A step: what became of points at one instant. Explanations are made of steps, and steps of the movements of lines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::Look;
use super::{Booked, Said, is_false};
use crate::engine::{Books, Source};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, BatchId, BatchNo, EntryKind, EntryRow, HoldId, HoldRow, MovementRow, OpKind, OperationId, Place,
    rolls_from, words,
};
use crate::units::{Instant, Points, add, sub, utc, utc_option};

words!(
    /// What became of points, or of what has them: a movement in one word.
    StepKind {
        /// A new batch.
        Recharged "recharged",
        /// A new batch, by transfer from another account.
        Received "received",
        /// Not effective yet.
        Pending "pending",
        /// Can be spent from now on.
        Effective "effective",
        /// Set aside by a hold, or for a device.
        Held "held",
        /// A hold's deadline was moved.
        Renewed "renewed",
        /// Consumed.
        Used "used",
        /// Paid what had been used on credit or clawed back.
        Settled "settled",
        /// Debt that was written off.
        Forgiven "forgiven",
        /// Of a use or a hold, wherever it went: the parts say.
        Returned "returned",
        /// Returned, and can be spent again.
        Restored "restored",
        /// Returned to what was still owed.
        CancelledDebt "cancelled_debt",
        /// Returned to a batch that had expired.
        Lapsed "lapsed",
        /// Returned to a batch that had been revoked.
        Taken "taken",
        /// Left when its batch's life ended.
        Expired "expired",
        /// Of what had expired or lapsed.
        CameBack "came_back",
        /// Taken back from a batch.
        Revoked "revoked",
        /// A batch that paid was revoked, which changes nothing of what it paid.
        PayerRevoked "payer_revoked",
        /// Sent by transfer to another account.
        Moved "moved",
        /// A batch was given another expiry.
        ExpirySet "expiry_set",
        /// A new batch, rolled over from another of the account at its end.
        RolledIn "rolled_in",
        /// Rolled over into another batch of the account, or gone back to the one it rolled out of.
        RolledOver "rolled_over",
        /// Of what had rolled over.
        RolledBack "rolled_back",
        /// Returned to a batch that had rolled out of a revoked one, and taken for that.
        TakenOver "taken_over",
        /// Of an allotment: its device is to give it back.
        Recalled "recalled",
        /// Of a hold: it keeps nothing of allotments any more, for its file has begun a new epoch.
        Unbacked "unbacked",
        /// On a device: what its hub says changed there.
        Reconciled "reconciled",
    }
);

impl StepKind {
    /// What a movement does: what came back has also gone somewhere.
    pub(super) fn of(from: Place, to: Place) -> impl Iterator<Item = StepKind> {
        let returned = from.is_used() || from == Place::Held;
        let came_back = match from {
            Place::Expired if to != Place::Reconciled => Some(StepKind::CameBack),
            Place::RolledOut if to != Place::Reconciled => Some(StepKind::RolledBack),
            _ => None,
        };
        let went = match (to, from) {
            (Place::Reconciled, _) | (_, Place::Reconciled) => Some(StepKind::Reconciled),
            (Place::Pending | Place::Available, Place::Expired | Place::RolledOut) => None,
            (Place::Pending | Place::Available, Place::RolledIn) => Some(StepKind::RolledIn),
            (Place::Pending | Place::Available, Place::Recharged) => Some(StepKind::Recharged),
            (Place::Pending | Place::Available, Place::Received) => Some(StepKind::Received),
            (Place::Pending | Place::Available, _) if returned => Some(StepKind::Restored),
            (Place::Available, _) => Some(StepKind::Effective),
            (Place::Pending, _) => Some(StepKind::Pending),
            (Place::Held, _) => Some(StepKind::Held),
            (Place::Used | Place::ClawedBack, _) => Some(StepKind::Used),
            (Place::Expired, _) if returned => Some(StepKind::Lapsed),
            (Place::Expired, _) => Some(StepKind::Expired),
            (Place::Revoked, _) if returned => Some(StepKind::Taken),
            (Place::Revoked, _) => Some(StepKind::Revoked),
            (Place::Moved, _) => Some(StepKind::Moved),
            (Place::RolledOut, _) if returned => Some(StepKind::TakenOver),
            (Place::RolledOut, _) => Some(StepKind::RolledOver),
            (Place::Debt, Place::WrittenOff) => Some(StepKind::Forgiven),
            (Place::Debt, _) if from.is_used() => Some(StepKind::CancelledDebt),
            (Place::Debt, _) => Some(StepKind::Settled),
            // Nothing goes to where points only come from.
            (Place::Recharged | Place::Received | Place::RolledIn | Place::WrittenOff, _) => None,
        };
        came_back.into_iter().chain(went)
    }

    /// Points that were returned, and went there.
    pub(super) fn is_return(self) -> bool {
        use StepKind::{CancelledDebt, Lapsed, Restored, Taken, TakenOver};
        matches!(self, Restored | CancelledDebt | Lapsed | Taken | TakenOver)
    }

    /// Points of a batch that nobody has any more, or that somebody has again.
    pub(super) fn is_gone(self) -> bool {
        use StepKind::{CameBack, Expired, Lapsed, Moved, Revoked, RolledBack, RolledOver, Taken, TakenOver};
        matches!(self, Expired | Lapsed | CameBack | Revoked | Taken | Moved | RolledOver | RolledBack | TakenOver)
    }

    /// A turn in the life of a batch that leaves its points where they are.
    pub(super) fn is_of_life(self) -> bool {
        matches!(self, StepKind::Effective | StepKind::ExpirySet)
    }
}

/// What became of points at one instant, by an operation or by time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Step {
    /// What became of them.
    pub what: StepKind,
    /// The kind of the line that did it.
    pub line: EntryKind,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: Points,
    /// The operation; none for what time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The operation concerned: what was returned, or whose debt it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<OperationId>,
    /// The batch whose points they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Where the batch's points came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of a transfer, the other account's batch; of a rollover, the account's own other one. Of what was returned, the revoked batch in place of which it went there: `of` is
    /// its revoke, whose debt was paid or standing, and is less by so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_batch: Option<BatchId>,
    /// The other account of a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<AccountId>,
    /// The hold that was made or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// The service used, or to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The deadline of a hold, the expiry from here on, or when what is pending becomes effective; none for never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub until: Option<DateTime<Utc>>,
    /// Of a revoke: points spent, held or moved already, still to be taken.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub owed: Points,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
    /// What it consists of: the debts that were paid, where points went that were returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Step>,
    /// It has happened, and the next write will book it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

impl Step {
    pub(super) fn new(what: StepKind, line: EntryKind, at: Instant, points: Points) -> Self {
        Step {
            what,
            line,
            at: at.utc(),
            points,
            operation: None,
            of: None,
            batch: None,
            source: None,
            other_batch: None,
            other: None,
            hold: None,
            service: None,
            until: None,
            owed: Points::ZERO,
            said: Said::default(),
            parts: Vec::new(),
            unbooked: false,
        }
    }

    /// Its points; negative for those that came back.
    #[must_use]
    pub fn signed(&self) -> i64 {
        if matches!(self.what, StepKind::CameBack | StepKind::RolledBack) { self.gone() } else { self.points.get() }
    }

    /// Of a batch's points: how many more are gone, that is expired, revoked or moved; negative for those that came back.
    #[must_use]
    pub fn gone(&self) -> i64 {
        match self.what {
            StepKind::CameBack | StepKind::RolledBack => self.points.get().saturating_neg(),
            what if what.is_gone() => self.points.get(),
            _ => 0,
        }
    }
}

/// What movements that are told as one have in common.
type Key = (StepKind, Option<BatchNo>, Option<i64>);

/// Movements of a line that are told as one.
pub(super) struct Part {
    pub(super) what: StepKind,
    pub(super) batch: Option<BatchNo>,
    /// The operation concerned, when it is another than the line's.
    pub(super) of: Option<i64>,
    /// The revoked batch in place of which the points went there.
    pub(super) instead_of: Option<BatchNo>,
    pub(super) points: i64,
    /// Of what was taken: what went on to batches that had paid for the revoke, and what went on to its debt.
    pub(super) passed_on: i64,
    pub(super) cancelled: i64,
}

/// The hold that a line captured, released, renewed or ended: what it moved of it comes first.
pub(super) fn hold_of(row: &EntryRow) -> Option<i64> {
    use EntryKind::{Capture, HoldExpire, Release, Renew};
    let about = matches!(row.kind, Capture | Release | Renew | HoldExpire);
    row.movements.iter().filter(|_| about).find_map(|movement| movement.operation)
}

impl Look<'_, '_> {
    /// What a line did, in order.
    pub(super) fn parts(&self, row: &EntryRow) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let mut places = BTreeMap::new();
        let mut put = |parts: &mut Vec<Part>, key: Key, instead_of: Option<BatchNo>, points: i64| -> Result<()> {
            let place = *places.entry(key).or_insert(parts.len());
            match parts.get_mut(place) {
                Some(part) => part.points = add(part.points, points)?,
                None => {
                    let (what, batch, of) = key;
                    parts.push(Part { what, batch, of, instead_of, points, passed_on: 0, cancelled: 0 });
                }
            }
            Ok(())
        };
        // What may move nothing is told all the same.
        let about = match row.kind {
            EntryKind::Activate => Some(StepKind::Effective),
            EntryKind::SetExpiry => Some(StepKind::ExpirySet),
            EntryKind::Revoke => Some(StepKind::Revoked),
            _ => None,
        };
        if let Some(what) = about.filter(|_| row.batch.is_some()) {
            put(&mut parts, (what, row.batch, None), None, 0)?;
        }
        for MovementRow { operation, batch, from, to, points } in &row.movements {
            let mut instead_of = None;
            if let (Place::ClawedBack, Some(seq)) = (from, operation) {
                instead_of = self.source.consume(*seq)?.and_then(|consume| consume.clawback_of);
            }
            // What was taken for a clawback goes on to what had paid it.
            let took = |part: &&mut Part| match part.what {
                StepKind::Taken => part.batch == instead_of,
                StepKind::TakenOver => part.batch.map(rolls_from) == instead_of,
                _ => false,
            };
            if let Some(taken) = parts.iter_mut().filter(|_| instead_of.is_some()).rfind(took) {
                let sum = if batch.is_some() { &mut taken.passed_on } else { &mut taken.cancelled };
                *sum = add(*sum, *points)?;
            }
            StepKind::of(*from, *to)
                .try_for_each(|what| put(&mut parts, (what, *batch, *operation), instead_of, *points))?;
        }
        Ok(parts)
    }

    /// A line's step, still without what became of which points, and its operation.
    pub(super) fn begin(&self, row: &EntryRow, unbooked: bool) -> Result<(Step, Option<Booked>)> {
        let booked = row.operation.map(|seq| Booked::read(&self.source, seq)).transpose()?;
        let mut step = Step::new(StepKind::Used, row.kind, row.booked_at, Points::booked(row.points)?);
        (step.operation, step.unbooked) = (row.operation.map(|seq| self.writers.operation(seq)), unbooked);
        step.hold = hold_of(row).map(|seq| self.writers.hold(seq));
        let rolled = row.batch.filter(|_| row.kind == EntryKind::Rollover);
        step.other_batch = rolled.map(|no| self.writers.batch(no));
        if let Some(booked) = &booked {
            step.said = booked.said();
            let outcome = &booked.row.outcome;
            step.owed = Points::booked(if booked.row.kind == OpKind::Revoke { outcome.owed } else { 0 })?;
            let end = row.batch.filter(|_| row.kind == EntryKind::SetExpiry).and_then(|no| outcome.expiry_of(no));
            step.until = end.flatten().map(Instant::utc);
            step.other = match row.kind {
                EntryKind::TransferOut => booked.text("to").map(AccountId::new).transpose()?,
                EntryKind::TransferIn => booked.row.account.as_ref().map(|(_, id)| id.clone()),
                _ => None,
            };
        }
        Ok((step, booked))
    }

    /// The step that a part of a line is.
    pub(super) fn step(&self, line: &Step, part: &Part) -> Result<Step> {
        Ok(Step {
            what: part.what,
            points: Points::booked(part.points)?,
            of: part.of.map(|seq| self.writers.operation(seq)),
            batch: part.batch.map(|no| self.writers.batch(no)),
            other_batch: part.instead_of.map(|no| self.writers.batch(no)).or(line.other_batch),
            owed: if part.what == StepKind::Revoked { line.owed } else { Points::ZERO },
            ..line.clone()
        })
    }

    /// Where the points went that a line returned: of a use, or of a hold or allotment that ended.
    pub(super) fn returns(&self, row: &EntryRow, line: &Step, parts: &[Part]) -> Result<Vec<Step>> {
        use EntryKind::{AllotReturn, Capture, HoldExpire, Refund, Release};
        if !matches!(row.kind, Refund | Release | Capture | HoldExpire | AllotReturn) {
            return Ok(Vec::new());
        }
        let bare = Step { said: Said::default(), ..line.clone() };
        let mut steps = Vec::new();
        for part in parts.iter().filter(|part| part.what.is_return()) {
            let points = sub(sub(part.points, part.passed_on)?, part.cancelled)?;
            if points > 0 {
                steps.push(Step { points: Points::booked(points)?, ..self.step(&bare, part)? });
            }
        }
        Ok(steps)
    }

    /// The uses that a line paid, or forgave, the oldest first: of each, when it was and how much of it.
    pub(super) fn debts(&self, row: &EntryRow, parts: &[Part]) -> Result<Vec<Step>> {
        let mut debts: Vec<(i64, i64)> = Vec::new();
        for part in parts.iter().filter(|part| matches!(part.what, StepKind::Settled | StepKind::Forgiven)) {
            let Some(owner) = part.of.or(row.operation) else { continue };
            match debts.last_mut() {
                Some((last, points)) if *last == owner => *points = add(*points, part.points)?,
                _ => debts.push((owner, part.points)),
            }
        }
        debts.into_iter().map(|(owner, points)| self.use_step(row.account, owner, points)).collect()
    }

    /// A settle line, with the debts it paid.
    pub(super) fn settled(&self, row: &EntryRow, line: Step, parts: &[Part]) -> Result<Step> {
        Ok(Step { what: StepKind::Settled, parts: self.debts(row, parts)?, ..line })
    }

    /// A use: a consume, a capture, or a revoke that is owed.
    pub(super) fn use_step(&self, account: i64, owner: i64, points: i64) -> Result<Step> {
        let Some(booked) = Booked::here(&self.source, owner)? else {
            let at = self.told_at(account)?;
            let step = Step::new(StepKind::Used, EntryKind::Consume, at, Points::booked(points)?);
            return Ok(Step { operation: Some(self.writers.operation(owner)), ..step });
        };
        let line = match booked.row.kind {
            OpKind::Capture => EntryKind::Capture,
            OpKind::Revoke => EntryKind::Revoke,
            _ => EntryKind::Consume,
        };
        Ok(Step {
            operation: Some(self.writers.operation(owner)),
            service: booked.row.outcome.service.clone(),
            said: booked.said(),
            ..Step::new(StepKind::Used, line, booked.row.booked_at, Points::booked(points)?)
        })
    }

    /// A hold that sets points aside.
    pub(super) fn hold_step(&self, hold: &HoldRow, points: i64) -> Result<Step> {
        let (at, said) = self.made(hold.account, hold.operation)?;
        Ok(Step {
            operation: Some(self.writers.operation(hold.operation)),
            hold: Some(self.writers.hold(hold.operation)),
            until: Some(hold.deadline.utc()),
            service: hold.service.clone(),
            said,
            ..Step::new(StepKind::Held, EntryKind::Hold, at, Points::booked(points)?)
        })
    }

    /// When something in an account was made, and what was said of that.
    pub(super) fn made(&self, account: i64, operation: i64) -> Result<(Instant, Said)> {
        match Booked::here(&self.source, operation)? {
            Some(booked) => Ok((booked.row.booked_at, booked.said())),
            None => Ok((self.told_at(account)?, Said::default())),
        }
    }

    /// Of what only its hub has, a device knows since when it was told.
    fn told_at(&self, account: i64) -> Result<Instant> {
        let lost = || Error::corrupt(format!("account number {account} has no base"));
        Ok(self.source.base(account)?.ok_or_else(lost)?.as_of)
    }

    /// Where a batch's points came from.
    pub(super) fn source_of(&self, books: &Books<'_>, no: BatchNo) -> Result<Option<String>> {
        Ok(self.batch_row(books, no)?.map(|batch| batch.source.to_string()))
    }
}
