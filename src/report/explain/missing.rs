//! Why points are gone: what came in, what went by cause, down to the lines that did it. The sums add up exactly.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::{Look, Period};
use super::step::{Part, Step, StepKind};
use super::{Booked, Group, Groups, is_false};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountId, EntryKind, EntryRow, Figures, Totals};
use crate::report::shapes::figures;
use crate::report::span::stored_entries;
use crate::units::{Points, add, is_zero, sub, utc, utc_option};

/// Similar ids named for an unknown account.
const SIMILAR: usize = 3;
/// With this many names in a cause, further earlier lines go under none: memory is bounded.
const NAMES: usize = 12;

/// Why an account has the points it has, and not more. JSON shape `counterfoil.missing/1`.
///
/// `closing.available = opening.available + recharged + received + returned - spent - settled - expired - revoked
/// - transferred + reconciled - (closing.held - opening.held) - (closing.pending - opening.pending)`, where a cause stands for its points.
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
    /// Recharges, by source.
    pub recharged: Cause,
    /// Transfers from other accounts.
    pub received: Cause,
    /// Refunds: the points that came back to batches, those that lapsed at once included. Where all of them went its parts say:
    /// what did not come back cancelled debt, or went to a revoked batch.
    pub returned: Cause,
    /// Consumes and captures as far as batches paid them at once, by service.
    pub spent: Cause,
    /// What paid for what had been consumed on credit or clawed back. The parts say for what.
    pub settled: Cause,
    /// What expired or lapsed, less what came back.
    pub expired: Cause,
    /// What was taken back: by a revoke or a stop, or of what returned to a batch revoked before.
    pub revoked: Cause,
    /// Transfers to other accounts.
    pub transferred: Cause,
    /// On a device: what its hub has told of, beyond what the device knew; less where it was fewer.
    #[serde(default, skip_serializing_if = "Cause::is_nothing")]
    pub reconciled: Cause,
    /// Holds open at the end of the period: `closing.held`.
    pub held: Cause,
    /// Batches not effective yet at the end of the period: `closing.pending`.
    pub pending: Cause,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
}

/// What changed the points of an account for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Cause {
    /// The points of its groups and steps; those that came back count against it.
    pub points: i64,
    /// Lines told together: recharges by source, uses by service; of the other causes those before the steps, by the batch's
    /// source or the other account as far as there is one; further names than a dozen are one without a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Lines told one by one, oldest first: the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

impl Cause {
    fn is_nothing(&self) -> bool {
        *self == Cause::default()
    }

    /// Adds a step; the earlier ones are told together once there are twice as many as wanted.
    fn add(&mut self, step: Step, most: usize) -> Result<()> {
        self.points = add(self.points, step.signed())?;
        self.steps.push(step);
        if self.steps.len() >= most.saturating_mul(2) { self.fold(most) } else { Ok(()) }
    }

    /// Keeps the newest steps, and tells the earlier ones together.
    fn fold(&mut self, most: usize) -> Result<()> {
        let earlier = self.steps.len().saturating_sub(most);
        for step in self.steps.drain(..earlier) {
            let points = step.signed();
            let name = step.source.or_else(|| step.other.map(|other| other.to_string()));
            let known = self.groups.len() < NAMES || self.groups.iter().any(|group| group.name == name);
            let name = name.filter(|_| known);
            match self.groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.add(points, 0)?,
                None => self.groups.push(Group { name, lines: 1, points, on_credit: 0 }),
            }
        }
        Ok(())
    }

    fn of_groups(groups: Groups) -> Result<Self> {
        let groups = groups.sorted();
        let points = groups.iter().try_fold(0, |sum, group| add(sum, group.points))?;
        Ok(Cause { points, groups, steps: Vec::new() })
    }

    fn of_steps(steps: Vec<Step>, most: usize) -> Result<Self> {
        let mut cause = Cause::default();
        steps.into_iter().try_for_each(|step| cause.add(step, most))?;
        cause.fold(most)?;
        Ok(cause)
    }
}

impl Missing {
    fn of(look: &Look<'_, '_>, id: &AccountId, period: &Period) -> Self {
        Missing {
            account: id.clone(),
            exists: false,
            did_you_mean: Vec::new(),
            from: period.begin(),
            to: period.end(),
            as_of: look.time.utc(),
            opening: Figures::default(),
            closing: Figures::default(),
            totals: Totals::default(),
            recharged: Cause::default(),
            received: Cause::default(),
            returned: Cause::default(),
            spent: Cause::default(),
            settled: Cause::default(),
            expired: Cause::default(),
            revoked: Cause::default(),
            transferred: Cause::default(),
            reconciled: Cause::default(),
            held: Cause::default(),
            pending: Cause::default(),
            clock_suspect: look.suspect,
            clock_behind: look.behind,
        }
    }
}

/// Sorts an account's lines by cause.
struct Sorting<'l, 'a, 'c> {
    look: &'l Look<'a, 'c>,
    books: &'l Books<'l>,
    told: Missing,
    recharged: Groups,
    spent: Groups,
    reconciled: Groups,
    most: usize,
}

impl Look<'_, '_> {
    /// Why points of an account are gone.
    pub(crate) fn explain_missing(&self, id: &AccountId, period: &Period, most: usize) -> Result<Missing> {
        let mut told = Missing::of(self, id, period);
        let Some((books, account, now)) = self.account(id, None)? else {
            told.did_you_mean = self.accounts_like(id, SIMILAR)?;
            return Ok(told);
        };
        (told.exists, told.as_of) = (true, now.utc());
        let opening = self.before(&books, &account, period)?.unwrap_or_default();
        let mut closing = opening;
        let stored = stored_entries(&books, &account);
        let [recharged, spent, reconciled] = [(); 3].map(|()| Groups::default());
        let mut sorting = Sorting { look: self, books: &books, told, recharged, spent, reconciled, most };
        for row in self.rows(&books, &account, self.range(&books, &account, period)?) {
            let row = row?;
            closing = row.after;
            sorting.pass(&row, row.n > stored)?;
        }
        let Sorting { mut told, recharged, spent, reconciled, .. } = sorting;
        (told.recharged, told.spent) = (Cause::of_groups(recharged)?, Cause::of_groups(spent)?);
        told.reconciled = Cause::of_groups(reconciled)?;
        (told.opening, told.closing) = (figures(opening)?, figures(closing)?);
        let Missing { received, returned, settled, expired, revoked, transferred, .. } = &mut told;
        let causes = [received, returned, settled, expired, revoked, transferred];
        causes.into_iter().try_for_each(|cause| cause.fold(most))?;
        let (holds, pending) = self.set_aside(&books, &account, period, (closing.held, closing.pending))?;
        (told.held, told.pending) = (Cause::of_steps(holds, most)?, Cause::of_steps(pending, most)?);
        Ok(told)
    }
}

impl Sorting<'_, '_, '_> {
    /// Puts a line where it belongs.
    fn pass(&mut self, row: &EntryRow, unbooked: bool) -> Result<()> {
        self.told.totals.add(&Totals::of(row)?)?;
        match row.kind {
            EntryKind::Recharge => {
                let source = row.batch.map(|no| self.look.source_of(self.books, no)).transpose()?.flatten();
                return self.recharged.add(source, row.points, 0);
            }
            EntryKind::Consume | EntryKind::Capture => self.spend(row)?,
            EntryKind::Reconcile => {
                let more = add(add(row.change.available, row.change.held)?, row.change.pending)?;
                return self.reconciled.add(None, more, 0);
            }
            _ => {}
        }
        let parts = self.look.parts(row)?;
        // What a refund returned to a revoked batch is told without it.
        let lost = |part: &&Part| match part.what {
            StepKind::Expired | StepKind::Lapsed | StepKind::CameBack => true,
            // What was taken from a batch that had rolled out of a revoked one is told of that one.
            StepKind::Revoked => part.of.is_none(),
            StepKind::Taken | StepKind::TakenOver => row.kind != EntryKind::Refund && part.points > part.passed_on,
            _ => false,
        };
        let told =
            matches!(row.kind, EntryKind::TransferIn | EntryKind::TransferOut | EntryKind::Settle | EntryKind::Refund);
        if !told && !parts.iter().any(|part| lost(&part)) {
            return Ok(());
        }
        let (line, booked) = self.look.begin(row, unbooked)?;
        let causes = &mut self.told;
        for part in parts.iter().filter(lost) {
            let cause = match part.what {
                StepKind::Revoked | StepKind::Taken | StepKind::TakenOver => &mut causes.revoked,
                _ => &mut causes.expired,
            };
            let source = part.batch.map(|no| self.look.source_of(self.books, no)).transpose()?.flatten();
            let points = Points::booked(sub(part.points, part.passed_on)?)?;
            cause.add(Step { points, source, ..self.look.step(&line, part)? }, self.most)?;
        }
        match row.kind {
            EntryKind::TransferIn => causes.received.add(Step { what: StepKind::Received, ..line }, self.most),
            EntryKind::TransferOut => causes.transferred.add(Step { what: StepKind::Moved, ..line }, self.most),
            EntryKind::Settle => causes.settled.add(self.look.settled(row, line, &parts)?, self.most),
            EntryKind::Refund => {
                let came = add(add(row.change.available, row.change.held)?, row.change.pending)?;
                let of = booked.as_ref().and_then(|booked| booked.text("operation"));
                let step = Step {
                    what: StepKind::Returned,
                    points: Points::booked(add(came, row.expired)?)?,
                    of: of.map(|id| id.parse()).transpose()?,
                    parts: self.look.returns(row, &line, &parts)?,
                    ..line
                };
                causes.returned.add(step, self.most)
            }
            _ => Ok(()),
        }
    }

    /// Adds a use to its service.
    fn spend(&mut self, row: &EntryRow) -> Result<()> {
        let Some(seq) = row.operation else { return Ok(()) };
        let outcome = Booked::read(&self.look.source, seq)?.row.outcome;
        self.spent.add(outcome.service, sub(row.points, outcome.open)?, outcome.open)
    }
}
