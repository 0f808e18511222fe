//! Why points are gone: what came in, what went by cause, down to the lines that did it. The sums add up exactly.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::{Look, Period};
use super::back::Destination;
use super::settled::Settled;
use super::trail::hold_of;
use super::{Booked, Said, Word, is_false, is_zero, word};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{
    AccountId, BatchId, BatchNo, EntryKind, EntryRow, Figures, HoldId, MovementRow, OperationId, Place, Totals,
};
use crate::report::shapes::figures;
use crate::report::span::stored_entries;
use crate::units::{Points, add, sub, utc, utc_option};

/// Similar ids named for an unknown account.
const SIMILAR: usize = 3;

/// Why an account has the points it has, and not more. JSON shape `counterfoil.missing/1`.
///
/// `closing.available = opening.available + recharged + received + returned - spent - settled - expired - revoked
/// - transferred - held - pending`, and each of these is the sum of its list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Missing {
    /// The account.
    pub account: AccountId,
    /// Whether it has ever been opened.
    pub exists: bool,
    /// Of an unknown account: known ones with nearly the same id, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did_you_mean: Vec<AccountId>,
    /// The first instant of the period; none: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the period; none: to the present.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub to: Option<DateTime<Utc>>,
    /// When it was asked.
    #[serde(with = "utc")]
    pub as_of: DateTime<Utc>,
    /// The five figures at the beginning of the period.
    pub opening: Figures,
    /// The five figures at its end.
    pub closing: Figures,
    /// What the lines did, in the words of a balance's totals, whatever it did to `available`.
    pub totals: Totals,
    /// The sums of the lists below.
    pub changes: Changes,
    /// Recharges, by source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recharged: Vec<Came>,
    /// Transfers from other accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub received: Vec<Moved>,
    /// Refunds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Returned>,
    /// Consumes and captures, by service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// What paid debts, and which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Settled>,
    /// What expired, lapsed on its return, or came back (then negative).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Gone>,
    /// What was taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Gone>,
    /// Transfers to other accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transferred: Vec<Moved>,
    /// Holds open at the end of the period: together `closing.held`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<StillHeld>,
    /// Batches not effective yet at the end of the period: together `closing.pending`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<NotYet>,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clock_suspect: bool,
}

/// What changed the points of an account, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Changes {
    /// Points recharged.
    pub recharged: i64,
    /// Points received by transfer.
    pub received: i64,
    /// Points that refunds gave back to batches, those that lapsed at once included.
    pub returned: i64,
    /// Points consumed and paid at once.
    pub spent: i64,
    /// Points that paid what had been consumed on credit or clawed back.
    pub settled: i64,
    /// Points that expired or lapsed, less those that came back.
    pub expired: i64,
    /// Points taken back.
    pub revoked: i64,
    /// Points sent by transfer.
    pub transferred: i64,
    /// By how much more is held.
    pub held: i64,
    /// By how much more is pending.
    pub pending: i64,
}

/// Recharges from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Came {
    /// Where the points came from.
    pub source: String,
    /// How many recharges.
    pub lines: i64,
    /// Their points.
    pub points: i64,
}

/// Uses of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Spent {
    /// The service; none when only points were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How many uses.
    pub lines: i64,
    /// Points charged for them.
    pub charged: i64,
    /// The part no batch paid for at once: debt, paid later by settling.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub on_credit: i64,
    /// The part batches paid at once.
    pub points: i64,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Moved {
    /// The transfer.
    pub operation: OperationId,
    /// The other account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<AccountId>,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: Points,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Returned {
    /// The refund.
    pub operation: OperationId,
    /// The consume or capture refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<OperationId>,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// Points refunded. What did not come back cancelled debt, or went to a revoked batch: `went_to` says which.
    pub refunded: Points,
    /// Points that came back to batches.
    pub points: Points,
    /// Those of them that lapsed at once, their batch having expired.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub lapsed: Points,
    /// Where all of them went.
    pub went_to: Vec<Destination>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
}

/// Points that expired or were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Gone {
    /// `expired`, `lapsed` (on their return to an expired batch), `came_back` (points negative), `revoked`, or `taken`
    /// (from what returned to a batch revoked before).
    #[serde(deserialize_with = "word")]
    pub how: Word,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: i64,
    /// The line's kind: what was done then.
    pub by: EntryKind,
    /// The operation; none for what time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The batch; of what was taken, where the line names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// The batch's source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The hold that ended, where points lapsed or were taken by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// Of a revoke: points spent, held or moved already, still to be taken.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub owed: Points,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
    /// It has happened, and the next write will book it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

/// Points of an open hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StillHeld {
    /// The hold.
    pub hold: HoldId,
    /// Points of batches it holds.
    pub points: Points,
    /// When it was made.
    #[serde(with = "utc")]
    pub since: DateTime<Utc>,
    /// When it ends by itself.
    #[serde(with = "utc")]
    pub deadline: DateTime<Utc>,
    /// The service it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
}

/// Points of a batch that is not effective yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NotYet {
    /// The batch.
    pub batch: BatchId,
    /// Its source.
    pub source: String,
    /// Its points.
    pub points: Points,
    /// From when they can be used.
    #[serde(with = "utc")]
    pub effective_at: DateTime<Utc>,
}

/// By how many points more of each batch have expired after a line; not those it only passed through.
fn expired(row: &EntryRow) -> Result<BTreeMap<BatchNo, i64>> {
    let mut sums = BTreeMap::new();
    for MovementRow { batch, from, to, points, .. } in &row.movements {
        let change = match (from, to) {
            (_, Place::Expired) => *points,
            (Place::Expired, _) => sub(0, *points)?,
            _ => continue,
        };
        if let Some(batch) = batch {
            let sum = sums.entry(*batch).or_insert(0);
            *sum = add(*sum, change)?;
        }
    }
    sums.retain(|_, points| *points != 0);
    Ok(sums)
}

/// What a line took back: by a revoke, or of what returned to a revoked batch, less what that let return to those that had
/// paid for it. What a refund returns is told without it.
fn taken_back(row: &EntryRow) -> Result<i64> {
    let mut taken = 0;
    for movement in row.movements.iter().filter(|_| row.kind != EntryKind::Refund) {
        if movement.to == Place::Revoked {
            taken = add(taken, movement.points)?;
        }
        if movement.from == Place::ClawedBack && movement.batch.is_some() {
            taken = sub(taken, movement.points)?;
        }
    }
    Ok(taken)
}

impl Look<'_, '_> {
    /// Why points of an account are gone.
    pub(crate) fn explain_missing(&self, id: &AccountId, period: &Period) -> Result<Missing> {
        let mut missing = Missing {
            account: id.clone(),
            exists: false,
            did_you_mean: Vec::new(),
            from: period.begin(),
            to: period.end(),
            as_of: self.time.utc(),
            opening: Figures::default(),
            closing: Figures::default(),
            totals: Totals::default(),
            changes: Changes::default(),
            recharged: Vec::new(),
            received: Vec::new(),
            returned: Vec::new(),
            spent: Vec::new(),
            settled: Vec::new(),
            expired: Vec::new(),
            revoked: Vec::new(),
            transferred: Vec::new(),
            held: Vec::new(),
            pending: Vec::new(),
            clock_suspect: self.suspect,
        };
        let Some((books, account, now)) = self.account(id, None)? else {
            missing.did_you_mean = self.accounts_like(id, SIMILAR)?;
            return Ok(missing);
        };
        (missing.exists, missing.as_of) = (true, now.utc());
        let opening = self.before(&books, &account, period)?.unwrap_or_default();
        let mut closing = opening;
        let stored = stored_entries(&books, &account);
        let mut lookup = self.account(id, None)?.map_or_else(|| Books::new(&self.source), |(books, ..)| books);
        for row in self.rows(&books, &account, self.range(&books, &account, period)?) {
            let row = row?;
            closing = row.after;
            missing.totals.add(&Totals::of(&row)?)?;
            self.sort_in(&mut missing, &mut lookup, &row, row.n > stored)?;
        }
        missing.changes.held = sub(closing.held, opening.held)?;
        missing.changes.pending = sub(closing.pending, opening.pending)?;
        (missing.opening, missing.closing) = (figures(opening)?, figures(closing)?);
        let set_aside = (closing.held, closing.pending);
        (missing.held, missing.pending) = self.set_aside(&books, &account, period, set_aside)?;
        missing.recharged.sort_by(|a, b| a.source.cmp(&b.source));
        missing.spent.sort_by(|a, b| b.points.cmp(&a.points).then_with(|| a.service.cmp(&b.service)));
        Ok(missing)
    }

    /// Puts a line where it belongs.
    fn sort_in(&self, missing: &mut Missing, lookup: &mut Books<'_>, row: &EntryRow, unbooked: bool) -> Result<()> {
        let changes = &mut missing.changes;
        match row.kind {
            EntryKind::Recharge => {
                changes.recharged = add(changes.recharged, row.points)?;
                self.came(&mut missing.recharged, lookup, row)?;
            }
            EntryKind::TransferIn => {
                changes.received = add(changes.received, row.points)?;
                missing.received.extend(self.moved(row)?);
            }
            EntryKind::TransferOut => {
                changes.transferred = add(changes.transferred, row.points)?;
                missing.transferred.extend(self.moved(row)?);
            }
            EntryKind::Settle => {
                changes.settled = add(changes.settled, row.points)?;
                missing.settled.push(self.settled(row, unbooked)?);
            }
            EntryKind::Consume | EntryKind::Capture => {
                let points = self.spent(&mut missing.spent, row)?;
                changes.spent = add(changes.spent, points)?;
            }
            EntryKind::Refund => {
                let came = add(add(row.change.available, row.change.held)?, row.change.pending)?;
                let back = add(came, row.expired)?;
                changes.returned = add(changes.returned, back)?;
                missing.returned.extend(self.returned(row, back)?);
            }
            _ => {}
        }
        changes.expired = add(changes.expired, row.expired)?;
        let taken = taken_back(row)?;
        changes.revoked = add(changes.revoked, taken)?;
        for (batch, points) in expired(row)? {
            let how = match row.kind {
                EntryKind::Expire => "expired",
                _ if points < 0 => "came_back",
                _ => "lapsed",
            };
            missing.expired.push(self.gone(lookup, (row, Some(batch)), how, points, unbooked)?);
        }
        if taken != 0 || row.kind == EntryKind::Revoke {
            let how = if row.kind == EntryKind::Revoke { "revoked" } else { "taken" };
            missing.revoked.push(self.gone(lookup, (row, row.batch), how, taken, unbooked)?);
        }
        Ok(())
    }

    fn came(&self, groups: &mut Vec<Came>, lookup: &mut Books<'_>, row: &EntryRow) -> Result<()> {
        let source = match row.batch {
            Some(no) => lookup.batch(no)?.source.to_string(),
            None => String::new(),
        };
        let place = groups.iter().position(|group| group.source == source);
        match place.and_then(|place| groups.get_mut(place)) {
            Some(group) => {
                group.lines = add(group.lines, 1)?;
                group.points = add(group.points, row.points)?;
            }
            None => groups.push(Came { source, lines: 1, points: row.points }),
        }
        Ok(())
    }

    /// Adds a use to its service; what batches paid of it at once.
    fn spent(&self, groups: &mut Vec<Spent>, row: &EntryRow) -> Result<i64> {
        let Some(seq) = row.operation else { return Ok(row.points) };
        let outcome = Booked::read(&self.source, seq)?.row.outcome;
        let points = sub(row.points, outcome.open)?;
        let place = groups.iter().position(|group| group.service == outcome.service);
        match place.and_then(|place| groups.get_mut(place)) {
            Some(group) => {
                group.lines = add(group.lines, 1)?;
                group.charged = add(group.charged, row.points)?;
                group.on_credit = add(group.on_credit, outcome.open)?;
                group.points = add(group.points, points)?;
            }
            None => {
                let (service, on_credit) = (outcome.service, outcome.open);
                groups.push(Spent { service, lines: 1, charged: row.points, on_credit, points });
            }
        }
        Ok(points)
    }

    fn moved(&self, row: &EntryRow) -> Result<Option<Moved>> {
        let Some(seq) = row.operation else { return Ok(None) };
        let booked = Booked::read(&self.source, seq)?;
        let other = match row.kind {
            EntryKind::TransferOut => booked.text("to").map(AccountId::new).transpose()?,
            _ => booked.row.account.as_ref().map(|(_, id)| id.clone()),
        };
        let operation = self.writers.operation(seq);
        let (at, points) = (row.booked_at.utc(), Points::booked(row.points)?);
        Ok(Some(Moved { operation, other, at, points, said: booked.said() }))
    }

    fn returned(&self, row: &EntryRow, points: i64) -> Result<Option<Returned>> {
        let Some(seq) = row.operation else { return Ok(None) };
        let booked = Booked::read(&self.source, seq)?;
        Ok(Some(Returned {
            operation: self.writers.operation(seq),
            of: booked.text("operation").map(|id| id.parse()).transpose()?,
            at: row.booked_at.utc(),
            refunded: Points::booked(row.points)?,
            points: Points::booked(points)?,
            lapsed: Points::booked(row.expired)?,
            went_to: self.destinations(row)?,
            said: booked.said(),
        }))
    }

    fn gone(
        &self,
        lookup: &mut Books<'_>,
        (row, batch): (&EntryRow, Option<BatchNo>),
        how: &'static str,
        points: i64,
        unbooked: bool,
    ) -> Result<Gone> {
        let booked = row.operation.map(|seq| Booked::read(&self.source, seq)).transpose()?;
        let owed = booked.as_ref().filter(|_| how == "revoked");
        let source = |no: BatchNo| lookup.batch(no).map(|batch| batch.source.to_string());
        Ok(Gone {
            how,
            at: row.booked_at.utc(),
            points,
            by: row.kind,
            operation: row.operation.map(|seq| self.writers.operation(seq)),
            batch: batch.map(|no| self.writers.batch(no)),
            source: batch.map(source).transpose()?,
            hold: hold_of(row).map(|seq| self.writers.hold(seq)),
            owed: Points::booked(owed.map_or(0, |booked| booked.row.outcome.owed))?,
            said: booked.as_ref().map(Booked::said).unwrap_or_default(),
            unbooked,
        })
    }
}
