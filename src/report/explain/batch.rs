//! The life of one batch, to the last point: what made it, what drew on it, what time and corrections did to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::{Look, Period};
use super::settled::shares;
use super::since::gone;
use super::trail::hold_of;
use super::{Booked, Said, Word, is_false, is_zero, word};
use crate::engine::{Books, Source};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AllocationRow, BatchId, BatchInfo, BatchNo, BatchRow, EntryKind, EntryRow, HoldId, HoldState,
    MovementRow, OpKind, OperationId, Place,
};
use crate::report::shapes;
use crate::report::span::stored_entries;
use crate::units::{Instant, Points, add, sub, utc, utc_option};

/// Uses told one by one; further ones only by service.
const USES: usize = 10_000;

/// Everything that happened to a batch. JSON shape `counterfoil.batch_life/1`: the batch, and
/// - `used` = the points of `uses_by_service` = the points of `uses`, unless there are more uses than are listed;
/// - `held` = the points of the events `held`, `moved` = of `moved`;
/// - `expired` = the points of `expired` and `lapsed` less those of `came_back`;
/// - `revoked` = the points of `revoked` and `taken`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchLife {
    /// The batch as it stands: `amount = remaining + held + used + expired + revoked + moved`.
    #[serde(flatten)]
    pub batch: BatchInfo,
    /// What happened to it but for its uses, oldest first.
    pub events: Vec<LifeEvent>,
    /// What it pays for, by service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses_by_service: Vec<ServiceUse>,
    /// What it paid for, oldest first; the first ten thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<BatchUse>,
    /// How many uses are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_uses: i64,
}

/// Something that happened to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LifeEvent {
    /// `recharged`, `received`, `effective`, `held` (by a hold still open), `moved`, `expiry_set`, `expired`, `lapsed`,
    /// `came_back`, `revoked`, or `taken` (of what returned, after a revoke).
    #[serde(deserialize_with = "word")]
    pub what: Word,
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many points.
    pub points: Points,
    /// The operation; none for what time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The other account of a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<AccountId>,
    /// The other batch of a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_batch: Option<BatchId>,
    /// The hold; of what lapsed or was taken, the one that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// The deadline of a hold, or the expiry from here on.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub until: Option<DateTime<Utc>>,
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

/// Points of a batch used for one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ServiceUse {
    /// The service; none when only points were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How many uses.
    pub uses: i64,
    /// Points used, those returned left out.
    pub points: Points,
}

/// Points of a batch that pay for one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchUse {
    /// The consume, capture, or revoke whose clawback it paid.
    pub operation: OperationId,
    /// Which of the three.
    pub op: OpKind,
    /// When that was booked.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// Points used: drawn less returned.
    pub points: Points,
    /// Points drawn.
    pub drawn: Points,
    /// Points of them that came by settling: the operation had left them open.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub settled: Points,
    /// When the last of these came.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub settled_at: Option<DateTime<Utc>>,
    /// Points refunded since.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub returned: Points,
    /// The service used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What the caller said of it.
    #[serde(flatten)]
    pub said: Said,
}

/// The walk through an account's lines, of which those that touch the batch count.
struct Walk<'l, 'a, 'c, 'b> {
    look: &'l Look<'a, 'c>,
    books: Books<'b>,
    batch: BatchRow,
    life: BatchLife,
    /// The operations it paid for, and when it last settled something of them.
    paid: BTreeMap<i64, Option<Instant>>,
    services: BTreeMap<Option<String>, (i64, i64)>,
}

impl Look<'_, '_> {
    /// The life of one batch.
    pub(crate) fn explain_batch(&self, id: &BatchId) -> Result<BatchLife> {
        let unknown = || Error::UnknownBatch { batch: id.to_string() };
        let head = self.source.operation(id.sequence())?;
        head.filter(|head| head.writer.batch(id.no()) == *id && id.index() > 0).ok_or_else(unknown)?;
        let stored = self.source.batch(id.no())?.ok_or_else(unknown)?;
        let lost = || Error::corrupt(format!("account number {} is referred to and not there", stored.account));
        let account = self.source.account(stored.account)?.ok_or_else(lost)?;
        // A working copy of its own for lookups, beside the one whose lines are walked.
        let lookup = self.caught_up(account.clone(), None)?.0;
        let (books, account, now) = self.caught_up(account, None)?;
        let batch = self.batch_row(&books, stored.no)?.ok_or_else(unknown)?;
        let created = Booked::read(&self.source, batch.operation())?;
        let mut walk = Walk {
            look: self,
            books: lookup,
            life: BatchLife {
                batch: shapes::batch(self.writers, &account.id, &batch, now)?,
                events: vec![self.beginning(&created, &batch)?],
                uses_by_service: Vec::new(),
                uses: Vec::new(),
                more_uses: 0,
            },
            paid: BTreeMap::new(),
            services: BTreeMap::new(),
            batch,
        };
        let stored = stored_entries(&books, &account);
        let period = Period::new(None, None)?;
        for row in self.rows(&books, &account, self.range(&books, &account, &period)?) {
            let row = row?;
            walk.pass(&row, row.n > stored)?;
        }
        walk.finish()
    }

    fn beginning(&self, created: &Booked, batch: &BatchRow) -> Result<LifeEvent> {
        let received = batch.from_batch.is_some();
        Ok(LifeEvent {
            what: if received { "received" } else { "recharged" },
            points: Points::booked(batch.amount)?,
            operation: Some(self.writers.operation(created.row.seq)),
            other: created.row.account.as_ref().filter(|_| received).map(|(_, id)| id.clone()),
            other_batch: batch.from_batch.map(|no| self.writers.batch(no)),
            until: created.row.outcome.expiry_of(batch.no).unwrap_or(batch.expires_at).map(Instant::utc),
            said: created.said(),
            ..LifeEvent::new("", created.row.booked_at)
        })
    }

    /// The allocations of a consume or hold, with what time has done to them since the last write.
    pub(super) fn allocations_now(&self, books: &mut Books<'_>, owner: i64) -> Result<Vec<AllocationRow>> {
        // Where time has done nothing, rows need not pile up in the working copy.
        if books.entries().is_empty() { Ok(self.source.allocations(owner)?.rows) } else { books.allocations(owner) }
    }
}

impl LifeEvent {
    fn new(what: &'static str, at: Instant) -> Self {
        LifeEvent {
            what,
            at: at.utc(),
            points: Points::ZERO,
            operation: None,
            other: None,
            other_batch: None,
            hold: None,
            until: None,
            owed: Points::ZERO,
            said: Said::default(),
            unbooked: false,
        }
    }
}

impl Walk<'_, '_, '_, '_> {
    /// What a line did to the batch, with what its operation says of itself.
    fn event(&self, row: &EntryRow, what: &'static str, points: i64, unbooked: bool) -> Result<LifeEvent> {
        let operation = row.operation.map(|seq| self.look.writers.operation(seq));
        let booked = row.operation.map(|seq| Booked::read(&self.look.source, seq)).transpose()?;
        let said = booked.as_ref().map(Booked::said).unwrap_or_default();
        let points = Points::booked(points)?;
        Ok(LifeEvent { points, operation, said, unbooked, ..LifeEvent::new(what, row.booked_at) })
    }

    fn pass(&mut self, row: &EntryRow, unbooked: bool) -> Result<()> {
        let no = self.batch.no;
        match (row.kind, row.operation) {
            (EntryKind::Activate, _) if row.batch == Some(no) => {
                self.life.events.push(self.event(row, "effective", row.points, unbooked)?);
            }
            (EntryKind::SetExpiry, Some(seq)) if row.batch == Some(no) => {
                let until = Booked::read(&self.look.source, seq)?.row.outcome.expiry_of(no).flatten();
                let event = self.event(row, "expiry_set", 0, unbooked)?;
                self.life.events.push(LifeEvent { until: until.map(Instant::utc), ..event });
            }
            _ => {}
        }
        let revoked = row.kind == EntryKind::Revoke && row.batch == Some(no);
        for movement in row.movements.iter().filter(|movement| movement.batch == Some(no)) {
            match (movement.to, row.operation) {
                (Place::Held, Some(seq)) => self.hold(row, seq)?,
                (Place::Moved, Some(seq)) => self.transfer(row, seq)?,
                _ => {}
            }
            for (what, points) in gone(row.kind, movement)? {
                if !matches!(what, "moved" | "revoked") {
                    let hold = hold_of(row).filter(|_| what != "came_back").map(|seq| self.look.writers.hold(seq));
                    let event = self.event(row, what, points.abs(), unbooked)?;
                    self.life.events.push(LifeEvent { hold, ..event });
                }
            }
        }
        if revoked {
            let owed = row.operation.map(|seq| Booked::read(&self.look.source, seq)).transpose()?;
            let owed = Points::booked(owed.map_or(0, |booked| booked.row.outcome.owed))?;
            let event = self.event(row, "revoked", row.points, unbooked)?;
            self.life.events.push(LifeEvent { owed, ..event });
        }
        self.note_uses(row);
        Ok(())
    }

    fn note_uses(&mut self, row: &EntryRow) {
        let mine = |by: &[(BatchNo, i64)]| by.iter().any(|(no, _)| *no == self.batch.no);
        if row.kind == EntryKind::Settle {
            let settled = shares(row).into_iter().filter(|share| mine(&share.by));
            self.paid.extend(settled.map(|share| (share.consume, Some(row.booked_at))));
        } else {
            let used = |movement: &MovementRow| movement.to == Place::Used && movement.batch == Some(self.batch.no);
            self.paid.extend(row.operation.filter(|_| row.movements.iter().any(used)).map(|seq| (seq, None)));
        }
    }

    fn transfer(&mut self, row: &EntryRow, seq: i64) -> Result<()> {
        let booked = Booked::read(&self.look.source, seq)?;
        for (no, _) in &booked.row.outcome.batches {
            let Some(made) = self.look.source.batch(*no)? else { continue };
            if made.from_batch != Some(self.batch.no) {
                continue;
            }
            let other = booked.text("to").map(AccountId::new).transpose()?;
            let other_batch = Some(self.look.writers.batch(*no));
            let event = self.event(row, "moved", made.amount, false)?;
            self.life.events.push(LifeEvent { other, other_batch, ..event });
        }
        Ok(())
    }

    fn hold(&mut self, row: &EntryRow, seq: i64) -> Result<()> {
        let hold = self.books.hold(seq)?.clone();
        if hold.phase != HoldState::Open {
            return Ok(());
        }
        let slices = self.look.allocations_now(&mut self.books, seq)?;
        let mut mine = slices.iter().filter(|slice| slice.batch == self.batch.no);
        let points = mine.try_fold(0, |sum, slice| add(sum, slice.points))?;
        if points > 0 {
            let (hold, until) = (Some(self.look.writers.hold(seq)), Some(hold.deadline.utc()));
            let event = self.event(row, "held", points, false)?;
            self.life.events.push(LifeEvent { hold, until, ..event });
        }
        Ok(())
    }

    /// Adds what an operation drew from the batch.
    fn used(&mut self, seq: i64, settled_at: Option<Instant>) -> Result<()> {
        let parts = self.look.allocations_now(&mut self.books, seq)?;
        let booked = Booked::read(&self.look.source, seq)?;
        let own = booked.row.outcome.draws.len();
        let (mut drawn, mut returned, mut settled) = (0, 0, 0);
        for (rank, part) in parts.iter().enumerate().filter(|(_, part)| part.batch == self.batch.no) {
            drawn = add(drawn, part.points)?;
            returned = add(returned, part.returned)?;
            if rank >= own {
                settled = add(settled, part.points)?;
            }
        }
        let points = sub(drawn, returned)?;
        let service = booked.row.outcome.service.clone();
        let sums = self.services.entry(service.clone()).or_default();
        *sums = (add(sums.0, 1)?, add(sums.1, points)?);
        if self.life.uses.len() >= USES {
            self.life.more_uses = add(self.life.more_uses, 1)?;
            return Ok(());
        }
        self.life.uses.push(BatchUse {
            operation: self.look.writers.operation(seq),
            op: booked.row.kind,
            at: booked.row.booked_at.utc(),
            points: Points::booked(points)?,
            drawn: Points::booked(drawn)?,
            settled: Points::booked(settled)?,
            settled_at: settled_at.map(Instant::utc),
            returned: Points::booked(returned)?,
            service,
            said: booked.said(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<BatchLife> {
        std::mem::take(&mut self.paid).into_iter().try_for_each(|(seq, settled_at)| self.used(seq, settled_at))?;
        let by_service = |(service, (uses, points))| Ok(ServiceUse { service, uses, points: Points::booked(points)? });
        self.life.uses_by_service = self.services.into_iter().map(by_service).collect::<Result<_>>()?;
        self.life.uses_by_service.sort_by_key(|part| std::cmp::Reverse(part.points));
        Ok(self.life)
    }
}
