//! A device goes on from what its hub says of an account: the hub's rows take the place of its own, and what the hub has not got yet
//! is put back on them, as the hub would book it if it knew no more.
//!
//! The account is put together by itself, in a working copy over [`Blank`], and caught up there; what came of it is then held against the rows
//! the file has. Rows are never deleted: of what the hub no longer tells, nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::allot::{keep, local, sum};
use super::arrive::{Act, Allotted, Arriving, arrive};
use super::blank::Blank;
use super::books::Books;
use super::catch_up::{catch_up_fully, lapse};
use super::draw::{coverable, draw, pay_debts};
use super::parse_body;
use super::source::{Changes, Source};
use super::step_back::step_back;
use super::take::{Recharged, recharged};
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, Action, AllotmentRow, AllotmentState, BASE_AT, BatchId, BatchNo, BatchRow, Carried, CarriedAllotment,
    CarriedBatch, CarriedConsume, CarriedHold, CarriedPlan, CarriedSlice, Command, ConsumeRow, FOREIGN, ForeignRow,
    HoldRow, HoldState, LedgerRow, OpKind, OperationId, OperationRow, Place, PlanRow, RolloverRow, Subject, batch_no,
};
use crate::units::{Instant, add, sub};

/// What a hub told comes before what is made here.
const TOLD_ENTRY: i64 = 1 << 40;
const TOLD_TURN: i64 = 1 << 43;

/// A line that cannot be of this file's hub, whatever is signed.
pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::BadFile { reason: "format", message: message.into() }
}

/// What the hub's ids are in this file.
pub(super) struct Names<'s> {
    source: &'s dyn Source,
    /// How many were known, and those that are new.
    known: i64,
    pub(super) new: Vec<ForeignRow>,
    found: BTreeMap<Uuid, i64>,
}

impl<'s> Names<'s> {
    pub(super) fn new(source: &'s dyn Source, known: i64) -> Self {
        Names { source, known, new: Vec::new(), found: BTreeMap::new() }
    }

    /// How many there are now.
    pub(super) fn count(&self) -> i64 {
        self.known.saturating_add(i64::try_from(self.new.len()).unwrap_or(i64::MAX))
    }

    /// The number here of an operation of an account at the hub; `link` says which of this file's own it is.
    fn operation(&mut self, account: i64, id: Uuid, link: Option<i64>) -> Result<i64> {
        let id = OperationId::of(id).uuid();
        if let Some(local) = self.found.get(&id).filter(|local| link.is_none_or(|link| link == **local)) {
            return Ok(*local);
        }
        let mut known = self.source.local(&id)?;
        // A hub that was set back gives its numbers again, to others: this one is not what was known by that id.
        if let Some(local) = known.filter(|local| link != Some(*local))
            && (link.is_some() || local < FOREIGN || self.is_of_another(account, local)?)
        {
            known = None;
        }
        let local = match (link, known) {
            (Some(link), _) => link,
            (None, Some(known)) => known,
            (None, None) => add(FOREIGN, add(self.count(), 1)?)?,
        };
        if known.is_none() {
            let no = add(self.count(), 1)?;
            self.new.push(ForeignRow { no, id, local });
        }
        self.found.insert(id, local);
        Ok(local)
    }

    /// Whether what the operation made is in another account.
    fn is_of_another(&self, account: i64, operation: i64) -> Result<bool> {
        let consume = self.source.consume(operation)?.map(|row| row.account);
        let hold = self.source.hold(operation)?.map(|row| row.account);
        let plan = self.source.plan(operation)?.map(|row| row.account);
        let allotment = self.source.allotment(operation)?.map(|row| row.account);
        let batch = self.source.batch(batch_no(operation, 1))?.map(|row| row.account);
        Ok([consume, hold, plan, allotment, batch].into_iter().flatten().any(|of| of != account))
    }

    fn batch(&mut self, account: i64, id: BatchId, link: Option<i64>) -> Result<BatchNo> {
        Ok(batch_no(self.operation(account, id.uuid(), link)?, id.index()))
    }
}

/// Where and when an account is put together.
pub(super) struct Rebasing<'s> {
    pub(super) source: &'s dyn Source,
    /// The account as the file has it.
    pub(super) account: AccountRow,
    pub(super) at: Instant,
    /// Holds with later deadlines may have expired since it was last put together.
    pub(super) since: Instant,
    /// Up to which of this file's operations the hub had them.
    pub(super) ack: i64,
    /// The file as it is then: its settings, and its present epoch.
    pub(super) ledger: &'s LedgerRow,
}

/// An account put together anew.
pub(super) struct Rebased {
    pub(super) account: AccountRow,
    pub(super) rows: Changes,
    /// This file's consumes that came of it.
    pub(super) there: BTreeSet<i64>,
    /// Holds whose deadline is past, so that nothing of them comes back.
    pub(super) lapsed: BTreeSet<i64>,
}

/// Puts an account together from its line.
pub(super) fn rebase(with: &Rebasing<'_>, names: &mut Names<'_>, line: &Carried) -> Result<Rebased> {
    let told = Told::of(with, names, line)?;
    let consumes = told.consumes.iter().map(|(row, _)| row.clone()).collect();
    let holds = told.holds.iter().map(|(row, _)| row.clone()).collect();
    let blank = Blank::new(with.source, consumes, told.batches.clone(), holds);
    let mut books = Books::new(&blank);
    let no = with.account.no;
    told.put(&mut books, &with.account, line)?;
    if line.ahead {
        step_back(&mut books, no, with.at, with.ledger.settings.max_hold)?;
    }
    catch_up_fully(&mut books, no, with.at)?;
    let mut back = PutBack { with, books, there: BTreeSet::new(), lapsed: BTreeSet::new() };
    back.there.extend(line.consumes.iter().filter_map(|consume| consume.link));
    for operation in pending(with.source, &with.account, with.ack, with.since)? {
        back.one(operation)?;
    }
    let PutBack { mut books, there, lapsed, .. } = back;
    let account = books.account(no)?.clone();
    let next_due_at = books.next_due_at(no)?;
    let rows = books.take_changes()?;
    let last_booked_at = with.account.last_booked_at;
    let entries = with.account.entries;
    let account = AccountRow { next_due_at, last_booked_at, entries, ..account };
    Ok(Rebased { account, rows, there, lapsed })
}

/// A device's operations of an account that are put back on what its hub says, in order: those after one up to which the hub has
/// them; holds, open or with a deadline after an instant: one that has expired may not be over, if a clock was fast.
pub(crate) fn pending(source: &dyn Source, account: &AccountRow, ack: i64, after: Instant) -> Result<BTreeSet<i64>> {
    let own = |row: &HoldRow| row.operation < FOREIGN;
    let mut all = source.moves(account, ack)?;
    let open = source.long_holds(account.no, Instant::MIN)?;
    let expired = source.expired_holds(account.no, after)?;
    all.extend(open.into_iter().chain(expired).filter(own).map(|row| row.operation));
    Ok(all)
}

/// The rows of a line, under the numbers of this file.
struct Told {
    batches: Vec<BatchRow>,
    consumes: Vec<(ConsumeRow, Parts)>,
    holds: Vec<(HoldRow, Slices)>,
    allotments: Vec<(AllotmentRow, Slices)>,
    plans: Vec<PlanRow>,
    /// The newest line of the hub's that something came with.
    newest: i64,
}

impl Told {
    fn of(with: &Rebasing<'_>, names: &mut Names<'_>, line: &Carried) -> Result<Self> {
        let account = with.account.no;
        let mut numbers: BTreeMap<BatchId, BatchNo> = BTreeMap::new();
        for batch in &line.batches {
            check_link(with, batch.link, &[OpKind::Recharge])?;
            numbers.insert(batch.id, names.batch(account, batch.id, batch.link)?);
        }
        let number = |id: &BatchId| numbers.get(id).copied().ok_or_else(|| wrong(format!("batch {id} is not there")));
        let batches = line.batches.iter().map(|row| batch(account, &number, row)).collect::<Result<_>>()?;
        let mut consumes = Vec::new();
        for row in &line.consumes {
            check_link(with, row.link, &[OpKind::Consume, OpKind::Capture])?;
            let operation = names.operation(account, row.id.uuid(), row.link)?;
            consumes.push(consume((account, operation), &number, row)?);
        }
        let mut holds = Vec::new();
        for row in &line.holds {
            holds.push(hold((account, names.operation(account, row.id.uuid(), None)?), &number, row)?);
        }
        let mut allotments = Vec::new();
        for row in &line.allotments {
            allotments.push(allotment((account, names.operation(account, row.id.uuid(), None)?), &number, row)?);
        }
        let mut plans = Vec::new();
        for row in &line.plans {
            plans.push(plan((account, names.operation(account, row.id.uuid(), None)?), row));
        }
        let lines = line.batches.iter().map(|row| row.entry).chain(line.plans.iter().map(|row| row.entry));
        let newest = lines.max().unwrap_or(0);
        Ok(Told { batches, consumes, holds, allotments, plans, newest })
    }

    /// Into a working copy in which nothing else is.
    fn put(self, books: &mut Books<'_>, account: &AccountRow, line: &Carried) -> Result<()> {
        // What came without its rows is as good as nothing.
        let balances = line.balances().filter(|_| line.figures.is_none()).unwrap_or_default();
        let unbacked = line.holds.iter().try_fold(0, |sum, hold| add(sum, hold.unbacked))?;
        books.add_account(AccountRow {
            state: line.state,
            credit_limit: line.limit,
            balances,
            unbacked,
            totals: line.totals,
            // What time makes here comes after all the hub has told.
            entries: sub(self.newest, TOLD_ENTRY)?,
            last_booked_at: Instant::clamped(line.last),
            next_due_at: None,
            ..account.clone()
        });
        self.batches.into_iter().try_for_each(|row| books.add_batch(row))?;
        self.plans.into_iter().try_for_each(|row| books.add_plan(row))?;
        for (row, parts) in self.consumes {
            let operation = row.operation;
            books.add_consume(row);
            for (rank, (batch, points, returned)) in (1..).zip(parts) {
                books.allocate(operation, batch, points)?;
                books.set_returned(operation, rank, returned)?;
            }
        }
        for (row, slices) in self.holds {
            let operation = row.operation;
            books.new_owner(operation);
            books.add_hold(row)?;
            slices.into_iter().try_for_each(|(batch, points)| books.allocate(operation, batch, points))?;
        }
        for (row, slices) in self.allotments {
            let operation = row.operation;
            books.new_owner(operation);
            books.add_allotment(row);
            slices.into_iter().try_for_each(|(batch, points)| books.allocate(operation, batch, points))?;
        }
        Ok(())
    }
}

/// An operation of this file must be what the line says it is.
fn check_link(with: &Rebasing<'_>, link: Option<i64>, kinds: &[OpKind]) -> Result<()> {
    let Some(link) = link else { return Ok(()) };
    let head = with.source.operation(link)?.filter(|head| kinds.contains(&head.kind) && link <= with.ack);
    match head.and_then(|head| head.account) {
        Some(account) if account == with.account.no => Ok(()),
        _ => Err(wrong(format!("operation {link} of this file did not make what the line says it made"))),
    }
}

fn batch(account: i64, number: &dyn Fn(&BatchId) -> Result<BatchNo>, row: &CarriedBatch) -> Result<BatchRow> {
    let (no, from_batch) = (number(&row.id)?, row.from.as_ref().map(number).transpose()?);
    let new = BatchRow::new(no, account, &row.source, row.promo, row.priority, row.amount, row.effective_at);
    Ok(BatchRow {
        remaining: row.remaining,
        held: row.held,
        used: row.used,
        expired: row.expired,
        revoked: row.revoked,
        moved: row.moved,
        owed: row.owed,
        dated: row.dated,
        expires_at: row.expires_at,
        active: row.active,
        from_batch,
        rollover: (row.rollover.is_some() || row.from.is_some()).then(|| {
            let (terms, rolls, rolled, has_rolled) = (row.rollover, row.rolls, row.rolled, row.has_rolled);
            RolloverRow { batch: no, terms, rolls, rolled, has_rolled }
        }),
        entry: sub(row.entry, TOLD_ENTRY)?,
        ..new
    })
}

/// Batches, the points each has paid, and what of them was returned.
type Parts = Vec<(BatchNo, i64, i64)>;

fn consume(
    (account, operation): (i64, i64),
    number: &dyn Fn(&BatchId) -> Result<BatchNo>,
    row: &CarriedConsume,
) -> Result<(ConsumeRow, Parts)> {
    let clawback_of = row.clawback_of.as_ref().map(number).transpose()?;
    let parts = row.parts.iter().map(|part| Ok((number(&part.batch)?, part.points, part.returned)));
    let told = ConsumeRow {
        turn: sub(row.id.sequence(), TOLD_TURN)?,
        points: row.points,
        open: row.open,
        refunded: row.refunded,
        written_off: row.written_off,
        clawback_of,
        ..ConsumeRow::new(operation, account)
    };
    Ok((told, parts.collect::<Result<_>>()?))
}

/// What is kept of batches.
type Slices = Vec<(BatchNo, i64)>;

fn slices(number: &dyn Fn(&BatchId) -> Result<BatchNo>, rows: &[CarriedSlice]) -> Result<Slices> {
    rows.iter().map(|slice| Ok((number(&slice.batch)?, slice.points))).collect()
}

fn hold(
    (account, operation): (i64, i64),
    number: &dyn Fn(&BatchId) -> Result<BatchNo>,
    row: &CarriedHold,
) -> Result<(HoldRow, Slices)> {
    let CarriedHold { points, unbacked, deadline, .. } = *row;
    let (phase, service, price_book) = (HoldState::Open, None, None);
    let told = HoldRow { operation, account, points, unbacked, deadline, phase, service, price_book };
    Ok((told, slices(number, &row.slices)?))
}

fn allotment(
    (account, operation): (i64, i64),
    number: &dyn Fn(&BatchId) -> Result<BatchNo>,
    row: &CarriedAllotment,
) -> Result<(AllotmentRow, Slices)> {
    let slices = slices(number, &row.slices)?;
    let points = sum(&slices)?;
    let state = if row.recalled { AllotmentState::Recalled } else { AllotmentState::Open };
    let CarriedAllotment { epoch, spend_until, .. } = *row;
    Ok((AllotmentRow { operation, account, device: 0, epoch, points, remaining: points, spend_until, state }, slices))
}

fn plan((account, operation): (i64, i64), row: &CarriedPlan) -> PlanRow {
    let mut plan = PlanRow {
        operation,
        account,
        entry: row.entry.saturating_sub(TOLD_ENTRY),
        anchor: row.anchor,
        promo: row.promo,
        expiration_days: row.expiration_days,
        period: row.period,
        due_at: None,
        stopped: false,
        foreign_terms: Some(row.terms.clone()),
        terms: row.terms.clone(),
    };
    plan.go_on_with(row.period);
    plan
}

/// What is put back on what the hub says.
struct PutBack<'a, 's, 'b> {
    with: &'a Rebasing<'s>,
    books: Books<'b>,
    /// Consumes of this file that something can be refunded of.
    there: BTreeSet<i64>,
    lapsed: BTreeSet<i64>,
}

impl PutBack<'_, '_, '_> {
    fn one(&mut self, operation: i64) -> Result<()> {
        let lost = || Error::corrupt(format!("operation {operation} is pending and not there"));
        let row = self.with.source.stored_row(operation)?.ok_or_else(lost)?;
        if row.kind == OpKind::Hold {
            return self.place_again(&row);
        }
        self.arrives(&row)?;
        pay_debts(&mut self.books, self.with.account.no)?;
        catch_up_fully(&mut self.books, self.with.account.no, self.with.at)
    }

    /// A hold neither captured nor released is placed again, also one that a fast clock had let expire.
    fn place_again(&mut self, row: &OperationRow) -> Result<()> {
        let operation = row.seq;
        let lost = || Error::corrupt(format!("hold {operation} is pending and not there"));
        let (no, at) = (self.with.account.no, self.with.at);
        let hold = self.with.source.hold(operation)?.ok_or_else(lost)?;
        if hold.deadline <= at {
            self.lapsed.insert(operation);
            return Ok(());
        }
        let (allotted, _) = self.command_of(row)?;
        let mut allotted = self.allotted(&allotted)?;
        if row.writer.1.epoch != self.with.ledger.writer.1.epoch {
            // The lost end of that epoch may have captured it.
            allotted.parts.clear();
        }
        // What it had of allotments comes of nothing else.
        let covered = coverable(&mut self.books, no, sub(hold.points, allotted.said)?, &[])?;
        self.books.new_owner(operation);
        let kept = keep(&mut self.books, operation, &allotted.parts, &mut Vec::new())?;
        let unbacked = sub(sub(hold.points, kept)?, covered)?;
        draw(&mut self.books, no, operation, covered, Place::Held, Vec::new(), &mut Vec::new())?;
        let account = self.books.account_mut(no)?;
        account.unbacked = add(account.unbacked, unbacked)?;
        self.books.add_hold(HoldRow { unbacked, phase: HoldState::Open, ..hold })
    }

    /// An operation of this file, and when what was known of the account then was put together.
    fn command_of(&self, row: &OperationRow) -> Result<(Command, Instant)> {
        let body = parse_body(row)?;
        let base_at = body.get(BASE_AT).and_then(serde_json::Value::as_i64).map_or(Instant::MIN, Instant::clamped);
        let account = row.account.as_ref().map(|(_, id)| id.clone());
        Ok((Command::stored(row.kind, account, row.key.clone(), &body)?, base_at))
    }

    /// What it took of allotments that there are.
    fn allotted(&mut self, command: &Command) -> Result<Allotted> {
        let mut allotted = Allotted::default();
        for (id, points) in command.facts.iter().flat_map(|facts| &facts.allotted) {
            let operation = local(self.with.source, *id)?;
            allotted.said = add(allotted.said, *points)?;
            allotted.parts.extend(self.books.find_allotment(operation)?.map(|row| (row.operation, *points)));
        }
        Ok(allotted)
    }

    /// The same of those of the epoch in which it was booked.
    fn allotted_then(&mut self, row: &OperationRow, command: &Command) -> Result<Allotted> {
        let mut allotted = self.allotted(command)?;
        let mut standing = Vec::new();
        for part in allotted.parts {
            if self.books.allotment(part.0)?.epoch == row.writer.1.epoch {
                standing.push(part);
            }
        }
        allotted.parts = standing;
        Ok(allotted)
    }

    fn arrives(&mut self, row: &OperationRow) -> Result<()> {
        let (command, base_at) = self.command_of(row)?;
        let mut occurred = match &command.action {
            Action::Consume { occurred_at: Some(at), .. } => row.booked_at.min(*at),
            _ => row.booked_at,
        };
        let act = match (row.kind, &command.subject) {
            (OpKind::Consume, _) => {
                Act::Charge { points: row.points, covered: true, allotted: self.allotted_then(row, &command)? }
            }
            (OpKind::Capture, Subject::Hold(hold)) => {
                // It occurred when the points were set aside.
                let held = self.with.source.stored_row(hold.sequence())?;
                occurred = held.map_or(occurred, |held| held.booked_at);
                Act::Charge { points: row.points, covered: true, allotted: self.allotted_then(row, &command)? }
            }
            (OpKind::Refund, Subject::Operation(id)) => {
                let of = local(self.with.source, *id)?;
                Act::Refund { points: row.points, of: Some(of).filter(|of| self.there.contains(of)) }
            }
            (OpKind::Recharge, _) => self.recharge(row, &command)?,
            (OpKind::Return, Subject::Allotment(id)) => {
                let of = local(self.with.source, *id)?;
                let standing = self.books.find_allotment(of)?.is_some_and(|of| of.epoch == row.writer.1.epoch);
                Act::Return { points: row.points, of: Some(of).filter(|_| standing) }
            }
            _ => return Err(Error::corrupt(format!("operation {} is pending, and moves nothing", row.seq))),
        };
        if matches!(act, Act::Charge { .. }) {
            self.there.insert(row.seq);
        }
        let (account, now, late_window) = (self.with.account.no, self.with.at, self.with.ledger.settings.late_window);
        let occurred = occurred.max(base_at).min(now);
        let arriving = Arriving { operation: row.seq, account, now, occurred, late_window, act };
        arrive(&mut self.books, &arriving)?;
        match &arriving.act {
            Act::Recharge(batch) => lapse(&mut self.books, batch.no, (row.seq, now)),
            _ => Ok(()),
        }
    }

    fn recharge(&self, row: &OperationRow, command: &Command) -> Result<Act> {
        let what = Recharged {
            no: batch_no(row.seq, 1),
            account: self.with.account.no,
            booked_at: row.booked_at,
            recorded_at: row.recorded_at,
            clock: row.clock,
            now: self.with.at,
        };
        let book = match row.price_book {
            Some((no, _)) => self.with.source.price_book(no)?,
            None => None,
        };
        recharged(&command.action, &what, book.as_ref()).map(Act::Recharge)
    }
}
