//! The working copy: rows read so far, changed in memory, handed over as [`Changes`] once everything is decided.
//!
//! Every movement of points goes through `shift` or [`Books::change_consume`], which note it and keep batch, account and totals
//! in step; so I1, I2 and I10 hold by construction after each operation.

use std::mem;

use super::line::Line;
use super::pages::{Due, Pages, batch_due, hold_due, plan_due};
use super::source::{Changes, HeardChanges, Listed, Source, drawn};
use super::table::{Keys, Table};
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, AllocationRow, AllotmentRow, Balances, BatchNo, BatchRow, ConsumeRow, DrawKey, EntryRow, HoldRow,
    MovementRow, Place, PlanRow, StretchRow, changes,
};
use crate::units::{Instant, add, sub};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loaded,
    Changed,
    New,
    /// Of a device: in any of its columns.
    Replaced,
}

#[derive(Debug)]
struct Slot<T> {
    row: T,
    state: State,
}

#[derive(Debug, Default)]
struct Views {
    live: Pages<DrawKey>,
    /// By turn and operation.
    open: Pages<(i64, i64)>,
    due: Keys<Due>,
    /// Everything in the source that is due by then has been read.
    due_read: Option<Instant>,
    /// The item that made `next_due_at` has changed: ask the source again.
    due_stale: bool,
}

pub(crate) struct Books<'s> {
    source: &'s dyn Source,
    accounts: Table<i64, Slot<AccountRow>>,
    batches: Table<BatchNo, Slot<BatchRow>>,
    holds: Table<i64, Slot<HoldRow>>,
    plans: Table<i64, Slot<PlanRow>>,
    consumes: Table<i64, Slot<ConsumeRow>>,
    allocations: Table<(i64, i64), Slot<AllocationRow>>,
    owners: Keys<i64>,
    allotments: Table<i64, Slot<AllotmentRow>>,
    views: Table<i64, Views>,
    entries: Vec<EntryRow>,
    stretches: Vec<StretchRow>,
    /// Of the line that is posted next.
    pub(super) movements: Vec<MovementRow>,
}

fn lost(what: &str, no: i64) -> Error {
    Error::corrupt(format!("{what} {no} is referred to and not there"))
}

impl<'s> Books<'s> {
    pub(crate) fn new(source: &'s dyn Source) -> Self {
        Books {
            source,
            accounts: Table::default(),
            batches: Table::default(),
            holds: Table::default(),
            plans: Table::default(),
            consumes: Table::default(),
            allocations: Table::default(),
            owners: Keys::default(),
            allotments: Table::default(),
            views: Table::default(),
            entries: Vec::new(),
            stretches: Vec::new(),
            movements: Vec::new(),
        }
    }

    pub(crate) fn source(&self) -> &'s dyn Source {
        self.source
    }

    pub(crate) fn entries(&self) -> &[EntryRow] {
        &self.entries
    }

    pub(crate) fn into_entries(self) -> Vec<EntryRow> {
        self.entries
    }

    pub(crate) fn stretches(&self) -> &[StretchRow] {
        &self.stretches
    }

    fn views(&mut self, account: i64) -> &mut Views {
        self.views.or_default(account)
    }

    // ---- accounts

    /// Puts an account read elsewhere into the working copy.
    pub(crate) fn enter_account(&mut self, row: AccountRow) {
        if !self.accounts.contains(&row.no) {
            self.accounts.insert(row.no, Slot { row, state: State::Loaded });
        }
    }

    /// The number that the next new account gets.
    pub(super) fn next_account_no(&self) -> Result<i64> {
        let new = self.accounts.iter().filter(|(_, slot)| slot.state == State::New).map(|(no, _)| *no).max();
        Ok(self.source.next_account_no()?.max(add(new.unwrap_or(0), 1)?))
    }

    pub(crate) fn add_account(&mut self, row: AccountRow) {
        self.accounts.insert(row.no, Slot { row, state: State::New });
    }

    pub(crate) fn account(&mut self, no: i64) -> Result<&AccountRow> {
        if !self.accounts.contains(&no) {
            let row = self.source.account(no)?.ok_or_else(|| lost("account", no))?;
            self.enter_account(row);
        }
        self.accounts.get(&no).map(|slot| &slot.row).ok_or_else(|| lost("account", no))
    }

    pub(crate) fn account_mut(&mut self, no: i64) -> Result<&mut AccountRow> {
        self.account(no)?;
        let slot = self.accounts.get_mut(&no).ok_or_else(|| lost("account", no))?;
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        Ok(&mut slot.row)
    }

    pub(crate) fn balances(&mut self, account: i64) -> Result<Balances> {
        Ok(self.account(account)?.balances)
    }

    // ---- batches

    fn enter_batch(&mut self, row: BatchRow, state: State) {
        if self.batches.contains(&row.no) {
            return;
        }
        let views = self.views(row.account);
        if row.is_live() {
            views.live.keys.insert(row.draw_key(), ());
        }
        if let Some(due) = batch_due(&row) {
            views.due.insert(due, ());
        }
        self.batches.insert(row.no, Slot { row, state });
    }

    pub(super) fn add_batch(&mut self, row: BatchRow) -> Result<()> {
        let (account, due) = (row.account, batch_due(&row));
        self.enter_batch(row, State::New);
        self.due_changed(account, None, due)
    }

    pub(crate) fn batch(&mut self, no: BatchNo) -> Result<&BatchRow> {
        if !self.batches.contains(&no) {
            let row = self.source.batch(no)?.ok_or_else(|| lost("batch", no))?;
            self.enter_batch(row, State::Loaded);
        }
        self.batches.get(&no).map(|slot| &slot.row).ok_or_else(|| lost("batch", no))
    }

    pub(super) fn has_batch(&mut self, no: BatchNo) -> Result<bool> {
        if let Some(row) = if self.batches.contains(&no) { None } else { self.source.batch(no)? } {
            self.enter_batch(row, State::Loaded);
        }
        Ok(self.batches.contains(&no))
    }

    pub(crate) fn change_batch(&mut self, no: BatchNo, change: impl FnOnce(&mut BatchRow)) -> Result<()> {
        self.batch(no)?;
        let slot = self.batches.get_mut(&no).ok_or_else(|| lost("batch", no))?;
        let (old_key, old_due, was_live) = (slot.row.draw_key(), batch_due(&slot.row), slot.row.is_live());
        change(&mut slot.row);
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        let (account, key, due, live) =
            (slot.row.account, slot.row.draw_key(), batch_due(&slot.row), slot.row.is_live());
        if (was_live, old_key) != (live, key) {
            let keys = &mut self.views(account).live.keys;
            if was_live {
                keys.remove(&old_key);
            }
            if live {
                keys.insert(key, ());
            }
        }
        self.due_changed(account, old_due, due)
    }

    /// The next batch to draw from, in draw order.
    pub(crate) fn next_live(&mut self, account: i64) -> Result<Option<DrawKey>> {
        loop {
            let view = &mut self.views(account).live;
            if let Some(key) = view.ready() {
                return Ok(Some(key));
            }
            if view.exhausted {
                return Ok(None);
            }
            let (after, page) = (view.frontier, view.page);
            let rows = self.source.live_batches(account, after, page)?;
            self.views(account).live.read(rows.iter().map(BatchRow::draw_key), page);
            for row in rows {
                self.enter_batch(row, State::Loaded);
            }
        }
    }

    /// Live batches that end after an instant, in draw order, as many as it takes to have so many points.
    pub(super) fn live_beyond(&mut self, account: i64, end: Instant, points: i64) -> Result<Vec<BatchRow>> {
        loop {
            let view = &mut self.views(account).live;
            let (exhausted, frontier, page) = (view.exhausted, view.frontier, view.page);
            let known: Vec<DrawKey> = view.keys.iter().map(|(key, ())| *key).collect();
            let (mut found, mut sum) = (Vec::new(), 0);
            for key in known.into_iter().filter(|key| exhausted || frontier.is_some_and(|frontier| *key <= frontier)) {
                let batch = self.batch(key.no)?;
                if sum < points && !batch.is_expired(end) {
                    sum = add(sum, batch.remaining)?;
                    found.push(batch.clone());
                }
            }
            if exhausted || sum >= points {
                return Ok(found);
            }
            let rows = self.source.live_batches(account, frontier, page)?;
            self.views(account).live.read(rows.iter().map(BatchRow::draw_key), page);
            rows.into_iter().for_each(|row| self.enter_batch(row, State::Loaded));
        }
    }

    // ---- holds

    pub(crate) fn add_hold(&mut self, row: HoldRow) -> Result<()> {
        let (account, due) = (row.account, hold_due(&row));
        self.enter_hold(row, State::New);
        self.due_changed(account, None, due)
    }

    fn enter_hold(&mut self, row: HoldRow, state: State) {
        if self.holds.contains(&row.operation) {
            return;
        }
        if let Some(due) = hold_due(&row) {
            self.views(row.account).due.insert(due, ());
        }
        self.holds.insert(row.operation, Slot { row, state });
    }

    pub(crate) fn hold(&mut self, operation: i64) -> Result<&HoldRow> {
        if !self.holds.contains(&operation) {
            let row = self.source.hold(operation)?.ok_or_else(|| lost("hold", operation))?;
            self.enter_hold(row, State::Loaded);
        }
        self.holds.get(&operation).map(|slot| &slot.row).ok_or_else(|| lost("hold", operation))
    }

    pub(crate) fn change_hold(&mut self, operation: i64, change: impl FnOnce(&mut HoldRow)) -> Result<()> {
        self.hold(operation)?;
        let slot = self.holds.get_mut(&operation).ok_or_else(|| lost("hold", operation))?;
        let old = hold_due(&slot.row);
        change(&mut slot.row);
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        let (account, due) = (slot.row.account, hold_due(&slot.row));
        self.due_changed(account, old, due)
    }

    // ---- plans

    pub(super) fn add_plan(&mut self, row: PlanRow) -> Result<()> {
        let (account, due) = (row.account, plan_due(&row));
        self.enter_plan(row, State::New);
        self.due_changed(account, None, due)
    }

    fn enter_plan(&mut self, row: PlanRow, state: State) {
        if self.plans.contains(&row.operation) {
            return;
        }
        if let Some(due) = plan_due(&row) {
            self.views(row.account).due.insert(due, ());
        }
        self.plans.insert(row.operation, Slot { row, state });
    }

    pub(crate) fn plan(&mut self, operation: i64) -> Result<&PlanRow> {
        if !self.plans.contains(&operation) {
            let row = self.source.plan(operation)?.ok_or_else(|| lost("plan", operation))?;
            self.enter_plan(row, State::Loaded);
        }
        self.plans.get(&operation).map(|slot| &slot.row).ok_or_else(|| lost("plan", operation))
    }

    pub(super) fn change_plan(&mut self, operation: i64, change: impl FnOnce(&mut PlanRow)) -> Result<()> {
        self.plan(operation)?;
        let slot = self.plans.get_mut(&operation).ok_or_else(|| lost("plan", operation))?;
        let old = plan_due(&slot.row);
        change(&mut slot.row);
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        let (account, due) = (slot.row.account, plan_due(&slot.row));
        self.due_changed(account, old, due)
    }

    /// How many periods of an account's plans begin by an instant and are not given yet, counted to one more than `most`.
    pub(super) fn periods_by(&mut self, account: i64, until: Instant, most: i64) -> Result<i64> {
        self.plans_to_come(account)?;
        let plans = self.plans.iter().map(|(_, slot)| &slot.row).filter(|row| row.account == account);
        let mut count = 0_i64;
        for plan in plans {
            let mut period = plan.period;
            while count <= most && plan.due_at.is_some() && plan.begins(period).is_some_and(|at| at <= until) {
                (period, count) = (add(period, 1)?, add(count, 1)?);
            }
        }
        Ok(count)
    }

    /// How many plans of an account have periods to come.
    pub(super) fn plans_to_come(&mut self, account: i64) -> Result<usize> {
        let stored = self.source.due_plans(account, Instant::MAX, usize::MAX)?;
        stored.into_iter().for_each(|row| self.enter_plan(row, State::Loaded));
        let rows = self.plans.iter().map(|(_, slot)| &slot.row);
        Ok(rows.filter(|row| row.account == account && row.due_at.is_some()).count())
    }

    // ---- consumes

    /// A consume's row; for one simply paid, made up from its operation.
    pub(crate) fn consume(&mut self, operation: i64) -> Result<&ConsumeRow> {
        if !self.consumes.contains(&operation) {
            let (row, state) = match self.source.consume(operation)? {
                Some(row) => (row, State::Loaded),
                None => {
                    let head = self.source.operation(operation)?.ok_or_else(|| lost("consume", operation))?;
                    let account = head.account.ok_or_else(|| lost("consume", operation))?;
                    let (points, open) = (head.points, 0);
                    (ConsumeRow { points, open, ..ConsumeRow::new(operation, account) }, State::New)
                }
            };
            self.enter_consume(row, state);
        }
        self.consumes.get(&operation).map(|slot| &slot.row).ok_or_else(|| lost("consume", operation))
    }

    fn enter_consume(&mut self, row: ConsumeRow, state: State) {
        if self.consumes.contains(&row.operation) {
            return;
        }
        if row.open > 0 {
            self.views(row.account).open.keys.insert((row.turn, row.operation), ());
        }
        self.consumes.insert(row.operation, Slot { row, state });
    }

    /// A new consume, nothing of it open yet.
    pub(crate) fn add_consume(&mut self, row: ConsumeRow) {
        self.owners.insert(row.operation, ());
        self.enter_consume(row, State::New);
    }

    /// A movement of the line that is posted next.
    pub(super) fn note(&mut self, movement: MovementRow) {
        if movement.points > 0 {
            put(&mut self.movements, movement);
        }
    }

    /// What the line posted next is about, where it moves nothing of it: a hold, or a use that cost nothing.
    pub(super) fn concern(&mut self, operation: i64, from: Place, to: Place) {
        self.movements.push(MovementRow { operation: Some(operation), batch: None, from, to, points: 0 });
    }

    /// Changes a consume; a changed open part changes the account's debt by as much.
    pub(crate) fn change_consume(&mut self, operation: i64, change: impl FnOnce(&mut ConsumeRow)) -> Result<()> {
        self.consume(operation)?;
        let slot = self.consumes.get_mut(&operation).ok_or_else(|| lost("consume", operation))?;
        let before = slot.row.clone();
        change(&mut slot.row);
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        let (account, open, turn) = (slot.row.account, slot.row.open, (slot.row.turn, operation));
        let movement = slot.row.movement_from(&before)?;
        movement.into_iter().for_each(|movement| self.note(movement));
        let keys = &mut self.views(account).open.keys;
        if open > 0 {
            keys.insert(turn, ());
        } else {
            keys.remove(&turn);
        }
        if open != before.open {
            let debt = &mut self.account_mut(account)?.balances.debt;
            *debt = add(*debt, sub(open, before.open)?)?;
        }
        Ok(())
    }

    /// The oldest consume with an open part.
    pub(crate) fn oldest_open(&mut self, account: i64) -> Result<Option<ConsumeRow>> {
        loop {
            let view = &mut self.views(account).open;
            if let Some((_, operation)) = view.ready() {
                return self.consume(operation).cloned().map(Some);
            }
            if view.exhausted {
                return Ok(None);
            }
            let (after, page) = (view.frontier.unwrap_or((i64::MIN, 0)), view.page);
            let rows = self.source.open_consumes(account, after, page)?;
            self.views(account).open.read(rows.iter().map(|row| (row.turn, row.operation)), page);
            for row in rows {
                self.enter_consume(row, State::Loaded);
            }
        }
    }

    // ---- allocations

    fn load_allocations(&mut self, owner: i64) -> Result<()> {
        if !self.owners.contains(&owner) {
            self.owners.insert(owner, ());
            let found = self.source.allocations(owner)?;
            // Made up ones are written with the first that changes: a consume has all of its rows or none.
            let state = if found.stored { State::Loaded } else { State::New };
            for row in found.rows {
                self.allocations.insert((row.owner, row.rank), Slot { row, state });
            }
        }
        Ok(())
    }

    /// A consume's, hold's or allotment's allocations, by rank.
    pub(crate) fn allocations(&mut self, owner: i64) -> Result<Vec<AllocationRow>> {
        self.load_allocations(owner)?;
        Ok(self.allocations.range((owner, 0)..=(owner, i64::MAX)).map(|(_, slot)| slot.row.clone()).collect())
    }

    pub(crate) fn allocate(&mut self, owner: i64, batch: BatchNo, points: i64) -> Result<()> {
        self.allocate_from(owner, batch, points, None)
    }

    /// Of a hold, out of an allotment.
    pub(super) fn allocate_from(
        &mut self,
        owner: i64,
        batch: BatchNo,
        points: i64,
        allotment: Option<i64>,
    ) -> Result<()> {
        self.load_allocations(owner)?;
        let last = self.allocations.range((owner, 0)..=(owner, i64::MAX)).next_back().map_or(0, |((_, rank), _)| *rank);
        let rank = add(last, 1)?;
        let row = AllocationRow { owner, rank, batch, points, returned: 0, allotment };
        self.allocations.insert((owner, rank), Slot { row, state: State::New });
        Ok(())
    }

    pub(crate) fn set_returned(&mut self, owner: i64, rank: i64, returned: i64) -> Result<()> {
        let slot = self.allocations.get_mut(&(owner, rank)).ok_or_else(|| lost("allocation of", owner))?;
        slot.row.returned = returned;
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        Ok(())
    }

    /// Leaves the allocations of a new owner out of what is written, when these draws tell them.
    pub(crate) fn leave_allocations(&mut self, owner: i64, draws: &[(BatchNo, i64)]) {
        let held = self.allocations.range((owner, 0)..=(owner, i64::MAX)).map(|(_, slot)| &slot.row);
        if held.cloned().eq(drawn(owner, draws)) {
            drawn(owner, draws).for_each(|row| self.allocations.remove(&(owner, row.rank)));
        }
    }

    /// The owner is new: it has no allocations to be read.
    pub(crate) fn new_owner(&mut self, owner: i64) {
        self.owners.insert(owner, ());
    }

    // ---- allotments

    pub(super) fn add_allotment(&mut self, row: AllotmentRow) {
        self.allotments.insert(row.operation, Slot { row, state: State::New });
    }

    fn enter_allotment(&mut self, row: AllotmentRow) {
        if !self.allotments.contains(&row.operation) {
            self.allotments.insert(row.operation, Slot { row, state: State::Loaded });
        }
    }

    pub(super) fn find_allotment(&mut self, operation: i64) -> Result<Option<&AllotmentRow>> {
        if !self.allotments.contains(&operation)
            && let Some(row) = self.source.allotment(operation)?
        {
            self.enter_allotment(row);
        }
        Ok(self.allotments.get(&operation).map(|slot| &slot.row))
    }

    pub(super) fn allotment(&mut self, operation: i64) -> Result<&AllotmentRow> {
        self.find_allotment(operation)?.ok_or_else(|| lost("allotment", operation))
    }

    pub(super) fn change_allotment(&mut self, operation: i64, change: impl FnOnce(&mut AllotmentRow)) -> Result<()> {
        self.allotment(operation)?;
        let slot = self.allotments.get_mut(&operation).ok_or_else(|| lost("allotment", operation))?;
        change(&mut slot.row);
        if slot.state == State::Loaded {
            slot.state = State::Changed;
        }
        Ok(())
    }

    /// The allotments of an account with something left, the oldest first.
    pub(crate) fn allotments(&mut self, account: i64) -> Result<Vec<AllotmentRow>> {
        self.source.allotments(account)?.into_iter().for_each(|row| self.enter_allotment(row));
        let rows = self.allotments.iter().map(|(_, slot)| &slot.row);
        Ok(rows.filter(|row| row.account == account && row.remaining > 0).cloned().collect())
    }

    pub(super) fn replace_allotment(&mut self, row: AllotmentRow) -> Result<()> {
        let operation = row.operation;
        if self.find_allotment(operation)?.is_none() {
            self.add_allotment(row);
            return Ok(());
        }
        self.change_allotment(operation, |allotment| *allotment = row)?;
        replaced(self.allotments.get_mut(&operation));
        Ok(())
    }

    // ---- rows that are replaced

    /// Puts a batch in the place of the one with its number, if there is one.
    pub(super) fn replace_batch(&mut self, row: BatchRow) -> Result<()> {
        if !self.has_batch(row.no)? {
            return self.add_batch(row);
        }
        let no = row.no;
        self.change_batch(no, |batch| *batch = row)?;
        replaced(self.batches.get_mut(&no));
        Ok(())
    }

    pub(super) fn replace_plan(&mut self, row: PlanRow) -> Result<()> {
        if self.held_plan(row.operation).is_none() && self.source.plan(row.operation)?.is_none() {
            return self.add_plan(row);
        }
        let operation = row.operation;
        self.change_plan(operation, |plan| *plan = row)?;
        replaced(self.plans.get_mut(&operation));
        Ok(())
    }

    pub(super) fn replace_hold(&mut self, row: HoldRow) -> Result<()> {
        if self.held_hold(row.operation).is_none() && self.source.hold(row.operation)?.is_none() {
            return self.add_hold(row);
        }
        let operation = row.operation;
        self.change_hold(operation, |hold| *hold = row)?;
        replaced(self.holds.get_mut(&operation));
        Ok(())
    }

    /// Its open part is none of the account's debt yet, or no more: that is the caller's to see to.
    pub(super) fn replace_consume(&mut self, row: ConsumeRow) -> Result<()> {
        let known = self.consumes.contains(&row.operation) || self.source.consume(row.operation)?.is_some();
        if !known {
            self.enter_consume(row, State::New);
            return Ok(());
        }
        let old = self.consume(row.operation)?.clone();
        let keys = &mut self.views(row.account).open.keys;
        keys.remove(&(old.turn, old.operation));
        if row.open > 0 {
            keys.insert((row.turn, row.operation), ());
        }
        let operation = row.operation;
        self.consumes.insert(operation, Slot { row, state: State::Replaced });
        Ok(())
    }

    /// Puts allocations in the place of an owner's, by rank; of those that are more nothing is left.
    pub(super) fn replace_allocations(&mut self, owner: i64, rows: Vec<AllocationRow>) -> Result<()> {
        let old = self.allocations(owner)?;
        let gone = old.iter().skip(rows.len()).map(|row| AllocationRow { points: 0, returned: 0, ..row.clone() });
        for row in rows.iter().cloned().chain(gone) {
            let key = (owner, row.rank);
            let stored = self.allocations.get(&key).is_some_and(|slot| slot.state != State::New);
            let state = if stored { State::Replaced } else { State::New };
            self.allocations.insert(key, Slot { row, state });
        }
        Ok(())
    }

    // ---- what falls due

    fn due_changed(&mut self, account: i64, old: Option<Due>, new: Option<Due>) -> Result<()> {
        if old == new {
            return Ok(());
        }
        let views = self.views(account);
        if let Some(old) = old {
            views.due.remove(&old);
        }
        if let Some(new) = new {
            views.due.insert(new, ());
        }
        if old.map(|due| due.at) == new.map(|due| due.at) {
            return Ok(());
        }
        let next = self.account(account)?.next_due_at;
        if old.is_some() && old.map(|due| due.at) == next {
            self.views(account).due_stale = true;
        }
        if let Some(new) = new
            && next.is_none_or(|next| new.at < next)
        {
            self.account_mut(account)?.next_due_at = Some(new.at);
        }
        Ok(())
    }

    /// The first thing in the working copy that is due; what the source holds must have been read before.
    pub(crate) fn first_due(&mut self, account: i64) -> Option<Due> {
        self.views(account).due.first_key().copied()
    }

    /// Reads what is due until `until`, at most `limit` batches, holds and plans. When there is more: the last thing up to which
    /// nothing is missing.
    pub(crate) fn read_due(&mut self, account: i64, until: Instant, limit: usize) -> Result<Option<Due>> {
        let batches = self.source.due_batches(account, until, limit)?;
        let holds = self.source.due_holds(account, until, limit)?;
        let plans = self.source.due_plans(account, until, limit)?;
        let last_batch = batches.last().and_then(batch_due).filter(|_| batches.len() >= limit);
        let last_hold = holds.last().and_then(hold_due).filter(|_| holds.len() >= limit);
        let last_plan = plans.last().and_then(plan_due).filter(|_| plans.len() >= limit);
        batches.into_iter().for_each(|row| self.enter_batch(row, State::Loaded));
        holds.into_iter().for_each(|row| self.enter_hold(row, State::Loaded));
        plans.into_iter().for_each(|row| self.enter_plan(row, State::Loaded));
        let last = [last_batch, last_hold, last_plan].into_iter().flatten().min();
        // Of those at the instant of the last there may be more.
        let before = |last: Due| last.at.millis().checked_sub(1).filter(|millis| *millis >= 0).map(Instant::clamped);
        self.views(account).due_read = last.map_or(Some(until), before);
        Ok(last)
    }

    /// Brings `next_due_at` of every touched account up to date.
    fn settle_next_due(&mut self) -> Result<()> {
        let stale: Vec<i64> = self.views.iter().filter(|(_, views)| views.due_stale).map(|(no, _)| *no).collect();
        for no in stale {
            let here = Listed {
                batches: self.batches.iter().filter(|(_, slot)| slot.row.account == no).map(|(key, _)| *key).collect(),
                holds: self.holds.iter().filter(|(_, slot)| slot.row.account == no).map(|(key, _)| *key).collect(),
                plans: self.plans.iter().filter(|(_, slot)| slot.row.account == no).map(|(key, _)| *key).collect(),
            };
            let read = self.views(no).due_read;
            let stored = self.source.next_due(no, read, &here)?;
            let here = self.first_due(no).map(|due| due.at);
            self.account_mut(no)?.next_due_at = [stored, here].into_iter().flatten().min();
        }
        Ok(())
    }

    /// When time will next change an account, as the working copy has it.
    pub(crate) fn next_due_at(&mut self, account: i64) -> Result<Option<Instant>> {
        self.settle_next_due()?;
        Ok(self.account(account)?.next_due_at)
    }

    /// Of the rows read: whether points would be lost or begin, or a plan would give, after an instant and by another.
    pub(super) fn would_fall_due(&self, after: Instant, until: Instant) -> bool {
        let within = |at: Instant| at > after && at <= until;
        let of_batch = |row: &BatchRow| {
            let ends = row.expires_at.filter(|_| row.remaining > 0 || row.held > 0 || row.expired > 0);
            let begins = Some(row.effective_at).filter(|_| !row.active && row.remaining > 0);
            ends.into_iter().chain(begins).any(within)
        };
        self.batches.iter().any(|(_, slot)| of_batch(&slot.row))
            || self.plans.iter().any(|(_, slot)| slot.row.due_at.is_some_and(within))
    }

    // ---- entries

    /// Writes a line of the account's books: the movements since the line before.
    pub(crate) fn post(&mut self, account: i64, line: Line) -> Result<()> {
        let mut movements = mem::take(&mut self.movements);
        for movement in &mut movements {
            // Its own is not repeated.
            movement.operation = movement.operation.filter(|of| line.operation != Some(*of));
        }
        let (change, expired) = changes(&movements)?;
        let row = self.account_mut(account)?;
        row.entries = add(row.entries, 1)?;
        let turns = line.booked_at < row.last_booked_at;
        row.last_booked_at = line.booked_at;
        let (n, after) = (row.entries, row.balances);
        let Line { kind, operation, booked_at, points, batch } = line;
        if turns {
            self.stretches.push(StretchRow { account, n, booked_at });
        }
        let line =
            EntryRow { account, n, kind, operation, booked_at, points, batch, movements, change, expired, after };
        put(&mut self.entries, line);
        Ok(())
    }

    /// Everything decided so far, out of the working copy.
    pub(crate) fn take_changes(&mut self) -> Result<Changes> {
        self.settle_next_due()?;
        let (entries, new_stretches) = (mem::take(&mut self.entries), mem::take(&mut self.stretches));
        let mut changes = Changes { entries, new_stretches, ..Changes::default() };
        part(&mut self.accounts, &mut changes.new_accounts, &mut changes.accounts);
        let batches = part(&mut self.batches, &mut changes.new_batches, &mut changes.batches);
        let plans = part(&mut self.plans, &mut changes.new_plans, &mut changes.plans);
        let holds = part(&mut self.holds, &mut changes.new_holds, &mut changes.holds);
        let consumes = part(&mut self.consumes, &mut changes.new_consumes, &mut changes.consumes);
        let allocations = part(&mut self.allocations, &mut changes.new_allocations, &mut changes.allocations);
        let allotments = part(&mut self.allotments, &mut changes.new_allotments, &mut changes.allotments);
        let none = batches.is_empty() && plans.is_empty() && holds.is_empty() && consumes.is_empty();
        if !(none && allocations.is_empty() && allotments.is_empty()) {
            let heard = HeardChanges { batches, plans, holds, consumes, allocations, allotments, ..Default::default() };
            changes.heard = Some(Box::new(heard));
        }
        // A consume simply paid by batches keeps no row.
        changes.new_consumes.retain(|row| !row.is_plain());
        Ok(changes)
    }

    /// The rows of the working copy, for reads that write nothing.
    pub(crate) fn held_batches(&self) -> impl Iterator<Item = &BatchRow> {
        self.batches.iter().map(|(_, slot)| &slot.row)
    }

    /// Batches that the source has not.
    pub(crate) fn new_batches(&self, account: i64) -> impl Iterator<Item = &BatchRow> {
        let new = self.batches.iter().filter(|(_, slot)| slot.state == State::New).map(|(_, slot)| &slot.row);
        new.filter(move |row| row.account == account)
    }

    pub(crate) fn held_plan(&self, operation: i64) -> Option<&PlanRow> {
        self.plans.get(&operation).map(|slot| &slot.row)
    }

    pub(crate) fn held_batch(&self, no: BatchNo) -> Option<&BatchRow> {
        self.batches.get(&no).map(|slot| &slot.row)
    }

    pub(crate) fn held_hold(&self, operation: i64) -> Option<&HoldRow> {
        self.holds.get(&operation).map(|slot| &slot.row)
    }
}

fn replaced<T>(slot: Option<&mut Slot<T>>) {
    if let Some(slot) = slot
        && slot.state != State::New
    {
        slot.state = State::Replaced;
    }
}

/// Tells rows that are new from those that were changed; those that were replaced are left.
fn part<K: Ord, T>(table: &mut Table<K, Slot<T>>, new: &mut Vec<T>, changed: &mut Vec<T>) -> Vec<T> {
    let mut replaced = Vec::new();
    table.drain(|slot| match slot.state {
        State::Loaded => {}
        State::Changed => put(changed, slot.row),
        State::New => put(new, slot.row),
        State::Replaced => put(&mut replaced, slot.row),
    });
    replaced
}

/// Most often there is one, and a list that grows makes room for four.
fn put<T>(list: &mut Vec<T>, row: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(row);
}
