//! What an operation's own lines tell of it, and later ones of what happened to it and to what it made.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Look;
use super::Booked;
use super::step::{Part, Step, StepKind};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, BatchNo, EntryKind, EntryRow, OpKind, batch_operation};
use crate::report::span::stored_entries;
use crate::units::{Instant, Points, add};

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
    is_allotment: bool,
    /// The batches it made or changed, and those that paid for it.
    made: BTreeSet<BatchNo>,
    paid: BTreeSet<BatchNo>,
    pub(super) went_to: Vec<Step>,
    pub(super) settled: Vec<Step>,
    pub(super) forgiven: Vec<Step>,
    pub(super) late_pay: Vec<LatePay>,
    /// Of the batches that paid: points that lapsed on their return.
    pub(super) lapsed: BTreeMap<BatchNo, i64>,
    pub(super) since: Vec<Step>,
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
        for row in trail.values() {
            story.note_pay(row, &self.parts(row)?);
        }
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
            is_allotment: booked.row.kind == OpKind::Allot,
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
        let (parts, (line, _)) = (look.parts(row)?, look.begin(row, false)?);
        self.note_pay(row, &parts);
        self.went_to.extend(look.returns(row, &line, &parts)?);
        match row.kind {
            EntryKind::Settle => self.settled.push(look.settled(row, line, &parts)?),
            EntryKind::WriteOff => self.forgiven = look.debts(row, &parts)?,
            _ => {}
        }
        Ok(())
    }

    /// What batches paid by a line of what it had left open.
    fn note_pay(&mut self, row: &EntryRow, parts: &[Part]) {
        let (n, at, operation) = (row.n, row.booked_at, row.operation);
        for part in parts.iter().filter(|part| part.what == StepKind::Settled) {
            let Some(batch) = part.batch.filter(|_| part.of.or(row.operation) == Some(self.seq)) else { continue };
            self.paid.insert(batch);
            self.late_pay.push(LatePay { batch, points: part.points, n, at, operation });
        }
    }

    fn later(&mut self, look: &Look<'_, '_>, row: &EntryRow, unbooked: bool) -> Result<()> {
        let parts = look.parts(row)?;
        let mine = || parts.iter().filter(|part| part.of == Some(self.seq));
        for part in mine().filter(|part| part.what == StepKind::Lapsed && !self.is_hold && !self.is_allotment) {
            let sum = self.lapsed.entry(part.batch.unwrap_or_default()).or_default();
            *sum = add(*sum, part.points)?;
        }
        let (line, _) = look.begin(row, unbooked)?;
        let mut tell = |what, points| -> Result<()> {
            self.since.push(Step { what, points: Points::booked(points)?, owed: Points::ZERO, ..line.clone() });
            Ok(())
        };
        if self.is_hold && mine().next().is_some() {
            let what = match row.kind {
                EntryKind::Capture => StepKind::Used,
                EntryKind::Renew => StepKind::Renewed,
                EntryKind::Unback => StepKind::Unbacked,
                _ => StepKind::Returned,
            };
            tell(what, row.points)?;
        } else if self.is_allotment && mine().next().is_some() {
            let mut spent = mine().filter(|part| part.what == StepKind::Used);
            match row.kind {
                EntryKind::Recall => tell(StepKind::Recalled, row.points)?,
                EntryKind::AllotReturn => tell(StepKind::Returned, row.points)?,
                _ => tell(StepKind::Used, spent.try_fold(0, |sum, part| add(sum, part.points))?)?,
            }
        } else {
            let sum = |of: fn(StepKind) -> bool| {
                mine().filter(|part| of(part.what)).try_fold(0, |sum, part| add(sum, part.points))
            };
            let (returned, forgiven) = (sum(StepKind::is_return)?, sum(|what| what == StepKind::Forgiven)?);
            // Of a use that cost nothing: nothing is moved to tell of it.
            if returned > 0 || row.kind == EntryKind::Refund && row.points == 0 && mine().next().is_some() {
                tell(StepKind::Returned, returned)?;
            }
            if forgiven > 0 {
                tell(StepKind::Forgiven, forgiven)?;
            }
        }
        let of_batch = |part: &&Part| part.what.is_gone() || part.what.is_of_life();
        for part in parts.iter().filter(of_batch) {
            let Some(no) = part.batch else { continue };
            if self.made.contains(&no) {
                self.since.push(look.step(&line, part)?);
            } else if part.what == StepKind::Revoked && self.paid.contains(&no) {
                self.since.push(Step { what: StepKind::PayerRevoked, ..look.step(&line, part)? });
            }
        }
        Ok(())
    }
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
