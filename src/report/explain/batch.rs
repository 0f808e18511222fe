//! The life of one batch, to the last point: what made it, what drew on it, what time and corrections did to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::Look;
use super::step::{Part, Step, StepKind};
use super::{Booked, Group, Groups, is_zero};
use crate::engine::{Books, Source, account_of};
use crate::error::{Error, Result};
use crate::model::{
    AllocationRow, BatchId, BatchInfo, BatchNo, BatchRow, EntryKind, EntryRow, OperationId, Role, batch_no,
};
use crate::report::shapes;
use crate::report::span::stored_entries;
use crate::units::{Instant, Points, add, sub};

/// Uses told one by one; further ones only by service.
const USES: usize = 10_000;

/// Everything that happened to a batch. JSON shape `counterfoil.batch_life/1`: the batch, and
/// - `used` = the points of `uses_by_service` = the points of `uses`, unless there are more uses than are listed;
/// - `held` = the points of the steps `held`, `moved` = of `moved`, `rolled_over` and `taken_over` less those of `rolled_back`;
/// - `expired` = the points of `expired` and `lapsed` less those of `came_back`;
/// - `revoked` = the points of `revoked` and `taken`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchLife {
    /// The batch as it stands: `amount = remaining + held + used + expired + revoked + moved`.
    #[serde(flatten)]
    pub batch: BatchInfo,
    /// What happened to it but for its uses, oldest first; of holds those still open.
    pub steps: Vec<Step>,
    /// What it pays for, by service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses_by_service: Vec<Group>,
    /// What it paid for, oldest first; the first ten thousand. Of each the points used, and as its parts those `settled`
    /// later, which the use had left open, and those `returned` since, each at the last time; what was drawn is the points and
    /// those returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<Step>,
    /// How many uses are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_uses: i64,
}

/// What a use had of the batch; of what was settled and returned, when last.
#[derive(Default)]
struct Use {
    drawn: i64,
    settled: Option<(i64, EntryKind, Instant)>,
    returned: Option<(i64, EntryKind, Instant)>,
}

/// The walk through an account's lines, of which those that touch the batch count.
struct Walk<'l, 'a, 'c> {
    look: &'l Look<'a, 'c>,
    batch: BatchRow,
    /// Steps by the number of their line.
    steps: Vec<(i64, Step)>,
    /// What the batch pays for, by operation.
    uses: BTreeMap<i64, Use>,
    /// The holds that have points of it, and the numbers of their lines.
    holds: BTreeMap<i64, (i64, i64)>,
}

impl Look<'_, '_> {
    /// The life of one batch.
    pub(crate) fn explain_batch(&self, id: &BatchId) -> Result<BatchLife> {
        let unknown = || Error::UnknownBatch { batch: id.to_string() };
        let no = self.batch_number(id)?.filter(|_| id.index() > 0).ok_or_else(unknown)?;
        // Time may have made it since the last write.
        let account = account_of(&self.source, no)?.ok_or_else(unknown)?;
        let lost = || Error::corrupt(format!("account number {account} is referred to and not there"));
        let account = self.source.account(account)?.ok_or_else(lost)?;
        let (books, account, now) = self.caught_up(account, None)?;
        let batch = self.batch_row(&books, no)?.ok_or_else(unknown)?;
        let told = shapes::batch(self.writers, &account.id, &batch, now)?;
        // On a device a batch may have its number from the hub.
        let first = if self.role() == Role::Device { 1 } else { batch.entry };
        let stored = stored_entries(&books, &account);
        let (steps, uses, holds) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut walk = Walk { look: self, batch, steps, uses, holds };
        for row in self.rows(&books, &account, (first, account.entries)) {
            let row = row?;
            walk.pass(&row, row.n > stored)?;
        }
        walk.finish(told, &books)
    }

    /// The number here of a batch: of this file's own, or of its hub's.
    fn batch_number(&self, id: &BatchId) -> Result<Option<BatchNo>> {
        if let Some(operation) = self.source.local(&OperationId::of(id.uuid()).uuid())? {
            return Ok(Some(batch_no(operation, id.index())));
        }
        let head = self.source.operation(id.sequence())?;
        Ok(head.filter(|head| head.writer.batch(id.no()) == *id).map(|_| id.no()))
    }

    /// The allocations of a consume or hold, with what time has done to them since the last write.
    pub(super) fn allocations_now(&self, books: &mut Books<'_>, owner: i64) -> Result<Vec<AllocationRow>> {
        // Where time has done nothing, rows need not pile up in the working copy.
        if books.entries().is_empty() { Ok(self.source.allocations(owner)?.rows) } else { books.allocations(owner) }
    }
}

impl Walk<'_, '_, '_> {
    fn pass(&mut self, row: &EntryRow, unbooked: bool) -> Result<()> {
        let no = self.batch.no;
        let parts: Vec<Part> = self.look.parts(row)?.into_iter().filter(|part| part.batch == Some(no)).collect();
        parts.iter().try_for_each(|part| self.note(row, part))?;
        let in_life = |what: StepKind| {
            what.is_gone()
                || what.is_of_life()
                || matches!(what, StepKind::Recharged | StepKind::Received | StepKind::RolledIn | StepKind::Reconciled)
        };
        if !parts.iter().any(|part| in_life(part.what)) {
            return Ok(());
        }
        let (line, booked) = self.look.begin(row, unbooked)?;
        for part in parts.iter().filter(|part| in_life(part.what)) {
            let mut step = self.look.step(&line, part)?;
            match part.what {
                StepKind::Recharged | StepKind::Received | StepKind::RolledIn => self.made(&mut step)?,
                StepKind::RolledOver | StepKind::TakenOver if step.other_batch.is_none() => {
                    step.other_batch = self.batch.from_batch.map(|no| self.look.writers.batch(no));
                }
                StepKind::Moved => {
                    for (made, _) in booked.iter().flat_map(|booked| &booked.row.outcome.batches) {
                        let from = self.look.source.batch(*made)?.and_then(|made| made.from_batch);
                        if from == Some(no) {
                            step.other_batch = Some(self.look.writers.batch(*made));
                        }
                    }
                }
                _ => {}
            }
            self.steps.push((row.n, step));
        }
        Ok(())
    }

    /// Its first step: the expiry it had then, and whoever made it where time gave it as a plan wanted.
    fn made(&self, step: &mut Step) -> Result<()> {
        let created = self.batch.operation();
        step.operation = Some(self.look.writers.operation(created));
        step.said = Booked::here(&self.look.source, created)?.map(|booked| booked.said()).unwrap_or_default();
        step.until = self.look.end_before(&self.batch, 0)?.map(Instant::utc);
        step.other_batch = self.batch.from_batch.map(|no| self.look.writers.batch(no));
        Ok(())
    }

    /// Adds what a line used of it, set aside, or returned.
    fn note(&mut self, row: &EntryRow, part: &Part) -> Result<()> {
        let Some(owner) = part.of.or(row.operation) else { return Ok(()) };
        let more = |sum: Option<(i64, EntryKind, Instant)>| -> Result<_> {
            Ok(Some((add(sum.map_or(0, |(sum, ..)| sum), part.points)?, row.kind, row.booked_at)))
        };
        match part.what {
            StepKind::Held => drop(self.holds.insert(owner, (part.points, row.n))),
            StepKind::Used => {
                let used = self.uses.entry(row.operation.unwrap_or(owner)).or_default();
                used.drawn = add(used.drawn, part.points)?;
            }
            StepKind::Settled => {
                let used = self.uses.entry(owner).or_default();
                (used.drawn, used.settled) = (add(used.drawn, part.points)?, more(used.settled)?);
            }
            _ => {}
        }
        if let Some(used) = self.uses.get_mut(&owner).filter(|_| part.what.is_return()) {
            used.returned = more(used.returned)?;
        }
        let ended = part.of.filter(|_| part.what.is_return() || part.what == StepKind::Used);
        if let Some((hold, (held, _))) = ended.and_then(|hold| self.holds.get_key_value(&hold)) {
            let (hold, left) = (*hold, sub(*held, part.points)?);
            match self.holds.get_mut(&hold) {
                Some((held, _)) if left > 0 => *held = left,
                _ => drop(self.holds.remove(&hold)),
            }
        }
        Ok(())
    }

    fn finish(mut self, batch: BatchInfo, books: &Books<'_>) -> Result<BatchLife> {
        for (hold, (points, n)) in &self.holds {
            if let Some(hold) = self.look.hold_row(books, *hold)? {
                self.steps.push((*n, self.look.hold_step(&hold, *points)?));
            }
        }
        self.steps.sort_by_key(|(n, _)| *n);
        let (mut uses, mut groups, mut more_uses) = (Vec::new(), Groups::default(), 0);
        for (owner, Use { drawn, settled, returned }) in self.uses {
            let points = sub(drawn, returned.map_or(0, |(points, ..)| points))?;
            let mut step = self.look.use_step(self.batch.account, owner, points)?;
            groups.add(step.service.clone(), points, 0)?;
            if uses.len() >= USES {
                more_uses = add(more_uses, 1)?;
                continue;
            }
            let parts = [(StepKind::Settled, settled), (StepKind::Returned, returned)].into_iter();
            for (what, sum) in parts {
                if let Some((points, line, at)) = sum {
                    step.parts.push(Step::new(what, line, at, Points::booked(points)?));
                }
            }
            uses.push(step);
        }
        let steps = self.steps.into_iter().map(|(_, step)| step).collect();
        Ok(BatchLife { batch, steps, uses_by_service: groups.sorted(), uses, more_uses })
    }
}
