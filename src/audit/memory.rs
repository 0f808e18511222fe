//! The books in plain maps: what `verify` replays the operations on. Indexes like those of the file, so that a million
//! operations replay in the time of a million lookups. What has become what the file says it ends as is read there when it is
//! asked for again: memory is for what is still to change.

mod links;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::kept::Kept;
use crate::engine::source::{Allocations, HeardChanges, Listed, OperationHead};
use crate::engine::{Books, Changes, Source, catch_up};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AllocationRow, AllotmentRow, BaseRow, BatchNo, BatchRow, ConsumeRow, DeviceRow, DrawKey,
    FlagRow, ForeignRow, HoldRow, HoldState, Key, OpKind, OperationRow, Outcome, PlanRow, StagedRow, StretchRow,
    WatchRow,
};
use crate::pricing::PriceBook;
use crate::store::audit::{self as stored, Keyed};
use crate::store::{BookCache, Session, SqlSource};
use crate::units::Instant;

/// With so many rows more than those that had to stay, the ones that have become what is stored are let go.
const MOST_MORE: usize = if cfg!(test) { 3 } else { 20_000 };

/// The books as the operations replayed so far have made them. Entries and operations are compared as they come and not kept.
#[derive(Default)]
pub(crate) struct Memory<'s, 'c> {
    file: Option<File<'s, 'c>>,
    accounts: BTreeMap<i64, AccountRow>,
    account_ids: HashMap<AccountId, i64>,
    batches: Kept<BatchRow>,
    holds: Kept<HoldRow>,
    plans: BTreeMap<i64, PlanRow>,
    consumes: Kept<ConsumeRow>,
    /// By owner, in order of rank.
    allocations: Kept<Vec<AllocationRow>>,
    allotments: BTreeMap<i64, AllotmentRow>,
    /// (account, operation) of allotments with something left.
    allotted: BTreeSet<(i64, i64)>,
    stretches: BTreeMap<(i64, i64), StretchRow>,
    /// Number of the newest operation.
    last: i64,
    /// Operations that the file has otherwise.
    operations: BTreeMap<i64, Past>,
    /// How many rows there may be before some are let go.
    most: usize,
    devices: BTreeMap<i64, DeviceRow>,
    staged: BTreeMap<i64, StagedRow>,
    /// By operation and code.
    flags: BTreeMap<(i64, i64), FlagRow>,
    /// What imports tell of the links that were only noted: by the last link of each, its first and when they occurred.
    imports: HashMap<Hash, (i64, Hash)>,
    /// By device and account: those that operations have made.
    watches: BTreeMap<(i64, i64), WatchRow>,
    /// The first operation that no device books.
    beyond_devices: Option<(i64, OpKind)>,
    books: BTreeMap<i64, PriceBook>,
    book_hashes: BTreeMap<Hash, i64>,
    /// (account, place in the draw order) of live batches.
    live: BTreeSet<(i64, DrawKey)>,
    /// (account, due_at, whether it is an activation, its line, batch): the order in which they fall due.
    due_batches: BTreeSet<(i64, Instant, bool, i64, BatchNo)>,
    /// (account, due_at, plan) of plans with periods to come, and the same without the account.
    due_plans: BTreeSet<(i64, Instant, i64)>,
    next_periods: BTreeSet<(Instant, i64)>,
    /// (account, deadline, hold) of open holds.
    due_holds: BTreeSet<(i64, Instant, i64)>,
    /// The same of those that have expired.
    expired_holds: BTreeSet<(i64, Instant, i64)>,
    /// (account, expires_at, batch) where points have lapsed.
    lapsed: BTreeSet<(i64, Instant, BatchNo)>,
    /// (account, effective_at, batch) where that was asked for.
    dated: BTreeSet<(i64, Instant, BatchNo)>,
    /// (effective_at, batch) of pending batches with points left, and (expires_at, batch) where points would be lost: for the
    /// suspect clock.
    pending: BTreeSet<(Instant, BatchNo)>,
    expiring: BTreeSet<(Instant, BatchNo)>,
    /// (expires_at, batch) of what may still roll over then.
    rolling: BTreeSet<(Instant, BatchNo)>,
    /// (account, turn, operation) of consumes with an open part.
    open: BTreeSet<(i64, i64, i64)>,
    /// (batch, turn, operation) of clawbacks.
    clawbacks: BTreeSet<(BatchNo, i64, i64)>,
    bases: BTreeMap<i64, BaseRow>,
    foreign: BTreeMap<i64, ForeignRow>,
    foreign_ids: HashMap<Uuid, i64>,
    /// (operation, n) of lines that came from a hub.
    received: BTreeSet<(i64, i64)>,
    /// While stepping, only the first due thing is shown.
    stepping: bool,
}

/// The file whose operations are replayed.
struct File<'s, 'c> {
    session: &'s Session<'c>,
    source: SqlSource<'s, 'c>,
}

/// A row under its key; `None` when it has been compared with the one stored.
pub(super) type Expected<'a, K, R> = (K, Option<&'a R>);

/// What is kept of an operation.
struct Past {
    head: OperationHead,
    /// What a consume or capture drew.
    draws: Vec<(BatchNo, i64)>,
}

/// The first thing that falls due in an account.
#[derive(Debug, Clone, Copy)]
enum First {
    Batch(BatchNo),
    Hold(i64),
    Plan(i64),
}

impl<'s, 'c> Memory<'s, 'c> {
    pub(crate) fn of(session: &'s Session<'c>, cache: &'s BookCache) -> Self {
        Memory { file: Some(File { session, source: SqlSource::new(session, cache) }), ..Memory::default() }
    }

    /// Writes what the engine decided.
    pub(crate) fn apply(&mut self, changes: Changes) -> Result<()> {
        for row in &changes.new_accounts {
            self.account_ids.insert(row.id.clone(), row.no);
        }
        self.accounts.extend(changes.new_accounts.into_iter().chain(changes.accounts).map(|row| (row.no, row)));
        for row in changes.new_batches.into_iter().chain(changes.batches) {
            self.put_batch(row)?;
        }
        for row in changes.new_plans.into_iter().chain(changes.plans) {
            let due = |row: &PlanRow| row.due_at.map(|at| (row.account, at, row.operation));
            let next = |row: &PlanRow| row.due_at.map(|at| (at, row.operation));
            let old = self.plans.get(&row.operation);
            replace(&mut self.due_plans, old.and_then(due), due(&row));
            replace(&mut self.next_periods, old.and_then(next), next(&row));
            self.plans.insert(row.operation, row);
        }
        for row in changes.new_holds.into_iter().chain(changes.holds) {
            let in_phase =
                |row: &HoldRow, phase| (row.phase == phase).then_some((row.account, row.deadline, row.operation));
            let old = self.hold(row.operation)?;
            for (phase, holds) in
                [(HoldState::Open, &mut self.due_holds), (HoldState::Expired, &mut self.expired_holds)]
            {
                replace(holds, old.as_ref().and_then(|old| in_phase(old, phase)), in_phase(&row, phase));
            }
            self.holds.put(row.operation, row);
        }
        for row in changes.new_consumes.into_iter().chain(changes.consumes) {
            self.put_consume(row)?;
        }
        for row in changes.new_allocations.into_iter().chain(changes.allocations) {
            self.put_allocation(row)?;
        }
        for row in changes.new_allotments.into_iter().chain(changes.allotments) {
            let open = |row: &AllotmentRow| (row.remaining > 0).then_some((row.account, row.operation));
            let old = self.allotments.get(&row.operation);
            replace(&mut self.allotted, old.and_then(open), open(&row));
            self.allotments.insert(row.operation, row);
        }
        self.stretches.extend(changes.new_stretches.into_iter().map(|row| ((row.account, row.n), row)));
        self.devices.extend(changes.devices.into_iter().map(|row| (row.no, row)));
        if let Some(heard) = changes.heard {
            self.hear(*heard)?;
        }
        if let Some(hub) = changes.hub {
            self.staged.extend(hub.staged.into_iter().map(|row| (row.operation, row)));
            self.flags.extend(hub.flags.into_iter().map(|row| ((row.operation, row.code.code()), row)));
            self.watches.extend(hub.new_watches.into_iter().map(|row| ((row.device, row.account), row)));
        }
        self.trim()
    }

    fn hear(&mut self, heard: HeardChanges) -> Result<()> {
        let HeardChanges { batches, plans, holds, consumes, allocations, allotments, .. } = heard;
        let HeardChanges { bases, received, foreign, .. } = heard;
        self.apply(Changes { batches, plans, holds, consumes, allocations, allotments, ..Changes::default() })?;
        self.bases.extend(bases.into_iter().map(|row| (row.account, row)));
        self.received.extend(received.iter().map(|row| (row.operation, row.n)));
        self.foreign_ids.extend(foreign.iter().map(|row| (row.id, row.local)));
        self.foreign.extend(foreign.into_iter().map(|row| (row.no, row)));
        Ok(())
    }

    fn put_batch(&mut self, row: BatchRow) -> Result<()> {
        let live = |row: &BatchRow| row.is_live().then(|| (row.account, row.draw_key()));
        let due = |row: &BatchRow| row.due_at().map(|at| (row.account, at, !row.active, row.entry, row.no));
        let lapsed = |row: &BatchRow| {
            let at = row.expires_at.filter(|_| row.expired > 0);
            at.map(|at| (row.account, at, row.no))
        };
        let expiring = |row: &BatchRow| {
            let at = row.expires_at.filter(|_| row.remaining > 0 || row.held > 0 || row.expired > 0);
            at.map(|at| (at, row.no))
        };
        let pending = |row: &BatchRow| (!row.active && row.remaining > 0).then_some((row.effective_at, row.no));
        let rolling = |row: &BatchRow| row.expires_at.filter(|at| row.is_rolling(*at)).map(|at| (at, row.no));
        let old = self.batch(row.no)?;
        let old = old.as_ref();
        replace(&mut self.rolling, old.and_then(rolling), rolling(&row));
        replace(&mut self.pending, old.and_then(pending), pending(&row));
        replace(&mut self.live, old.and_then(live), live(&row));
        replace(&mut self.due_batches, old.and_then(due), due(&row));
        replace(&mut self.lapsed, old.and_then(lapsed), lapsed(&row));
        replace(&mut self.expiring, old.and_then(expiring), expiring(&row));
        let dated = |row: &BatchRow| row.dated.then_some((row.account, row.effective_at, row.no));
        replace(&mut self.dated, old.and_then(dated), dated(&row));
        self.batches.put(row.no, row);
        Ok(())
    }

    fn put_allocation(&mut self, row: AllocationRow) -> Result<()> {
        let mut rows = self.stored_allocations(row.owner)?.unwrap_or_default();
        let owner = row.owner;
        match rows.binary_search_by_key(&row.rank, |other| other.rank) {
            Ok(place) => rows.get_mut(place).into_iter().for_each(|other| *other = row.clone()),
            Err(place) => rows.insert(place, row),
        }
        self.allocations.put(owner, rows);
        Ok(())
    }

    fn stored_allocations(&self, owner: i64) -> Result<Option<Vec<AllocationRow>>> {
        self.allocations
            .get(owner, || Ok(self.source().map(|file| file.allocations(owner)).transpose()?.map(|found| found.rows)))
    }

    fn source(&self) -> Option<&SqlSource<'s, 'c>> {
        self.file.as_ref().map(|file| &file.source)
    }

    /// Lets go of rows that have become what is stored, when there are many.
    fn trim(&mut self) -> Result<()> {
        if self.many() <= self.most {
            return Ok(());
        }
        if let Some(File { session, .. }) = self.file {
            self.batches.let_go(|after, page| stored::page(session, after, page), |_| 1)?;
            self.holds.let_go(|after, page| stored::page(session, after, page), |_| 1)?;
            self.consumes.let_go(|after, page| stored::page(session, after, page), |_| 1)?;
            let newest = |rows: &Vec<AllocationRow>| rows.last().map_or(0, |row| row.rank);
            self.allocations.let_go(|after, page| owners(session, after, page), newest)?;
        }
        self.most = self.many().saturating_mul(2).saturating_add(MOST_MORE);
        Ok(())
    }

    /// How many rows there are of what is let go.
    fn many(&self) -> usize {
        let one = self.batches.rows.len().saturating_add(self.holds.rows.len());
        one.saturating_add(self.consumes.rows.len()).saturating_add(self.allocations.rows.len())
    }

    fn put_consume(&mut self, row: ConsumeRow) -> Result<()> {
        let open = |row: &ConsumeRow| (row.open > 0).then_some((row.account, row.turn, row.operation));
        let clawback = |row: &ConsumeRow| row.clawback_of.map(|batch| (batch, row.turn, row.operation));
        let old = self.consume(row.operation)?;
        replace(&mut self.open, old.as_ref().and_then(open), open(&row));
        replace(&mut self.clawbacks, old.as_ref().and_then(clawback), clawback(&row));
        self.consumes.put(row.operation, row);
        Ok(())
    }

    /// An account in which time booked something after accepted time had stepped back so often: what is booked no earlier
    /// begins no new stretch.
    pub(crate) fn know_steps(&mut self, account: i64, steps_back: i64, booked_at: Instant) {
        if let Some(row) = self.accounts.get_mut(&account)
            && row.last_booked_at <= booked_at
        {
            row.steps_back = steps_back;
        }
    }

    /// Remembers a booked operation; `stored`: the file has it as it is.
    pub(crate) fn append(&mut self, row: &OperationRow, outcome: Outcome, stored: bool) {
        self.last = row.seq;
        if self.beyond_devices.is_none() && !row.kind.is_on_device() {
            self.beyond_devices = Some((row.seq, row.kind));
        }
        if !stored {
            let account = row.account.as_ref().map(|(no, _)| *no);
            let draws = if matches!(row.kind, OpKind::Consume | OpKind::Capture) { outcome.draws } else { Vec::new() };
            let head =
                OperationHead { seq: row.seq, writer: row.writer.1, kind: row.kind, account, points: row.points };
            self.operations.insert(row.seq, Past { head, draws });
        }
    }

    /// Stores a price book an operation was booked under.
    pub(crate) fn add_book(&mut self, no: i64, book: PriceBook) {
        self.book_hashes.insert(book.hash(), no);
        self.books.insert(no, book);
    }

    /// What the next due thing of an account does, whatever its instant; `None` when nothing will ever fall due.
    /// Nothing is changed: apply it.
    pub(crate) fn next_event(&mut self, account: i64) -> Result<Option<Changes>> {
        let Some(at) = self.first_due(account).map(|(at, _)| at) else { return Ok(None) };
        self.stepping = true;
        let changes = self.one_event(account, at);
        self.stepping = false;
        changes.map(Some)
    }

    /// Passes over a period that gives nothing, when it is what falls due next, by an instant.
    pub(crate) fn gives_nothing(&mut self, account: i64, by: Instant) -> Result<bool> {
        if !matches!(self.first_due(account), Some((at, First::Plan(_))) if at <= by) {
            return Ok(false);
        }
        let event = self.next_event(account)?.filter(|event| event.entries.is_empty());
        let silent = event.is_some();
        event.map_or(Ok(()), |event| self.apply(event))?;
        Ok(silent)
    }

    /// The plan, and its period, that begins next in an account, when nothing else falls due before.
    pub(crate) fn next_period(&self, account: i64) -> Option<(i64, i64)> {
        match self.first_due(account)? {
            (_, First::Plan(plan)) => self.plans.get(&plan).map(|row| (plan, row.period)),
            _ => None,
        }
    }

    fn one_event(&self, account: i64, at: Instant) -> Result<Changes> {
        let mut books = Books::new(self);
        let done = catch_up(&mut books, account, at, usize::MAX)?;
        let changes = books.take_changes()?;
        if !done || changes == Changes::default() {
            return Err(Error::corrupt(format!("account {account}: what is due at {at} cannot be booked")));
        }
        Ok(changes)
    }

    /// At one instant expiry comes first, then deadlines, then what begins.
    fn first_due(&self, account: i64) -> Option<(Instant, First)> {
        let batch = self.due_batches.range((account, Instant::MIN, false, 0, 0)..).next();
        let batch = batch
            .filter(|due| due.0 == account)
            .map(|(_, at, begins, entry, no)| ((*at, if *begins { 2 } else { 0 }, *entry), First::Batch(*no)));
        let hold = self.due_holds.range((account, Instant::MIN, 0)..).next();
        let hold = hold.filter(|due| due.0 == account).map(|(_, at, no)| ((*at, 1, 0), First::Hold(*no)));
        let plan = self.due_plans.range((account, Instant::MIN, 0)..).next();
        let plan = plan.filter(|due| due.0 == account).map(|(_, at, no)| {
            let entry = self.plans.get(no).map_or(0, |plan| plan.entry);
            ((*at, 2, entry), First::Plan(*no))
        });
        let first = [batch, hold, plan].into_iter().flatten().min_by_key(|(order, _)| *order);
        first.map(|((at, ..), what)| (at, what))
    }

    /// Accounts with points that would be lost after `after` and until `until`.
    pub(crate) fn accounts_expiring(&self, after: Instant, until: Instant) -> Result<BTreeSet<i64>> {
        if after >= until {
            return Ok(BTreeSet::new());
        }
        let range = self.expiring.range((after, i64::MAX)..=(until, i64::MAX));
        Ok(self.batch_rows(range.map(|(_, no)| *no))?.into_iter().map(|batch| batch.account).collect())
    }

    pub(crate) fn all_accounts(&self) -> &BTreeMap<i64, AccountRow> {
        &self.accounts
    }

    pub(super) fn all_batches(&self) -> impl Iterator<Item = Expected<'_, BatchNo, BatchRow>> {
        self.batches.all().map(|(no, row)| (no, row.ok()))
    }

    pub(super) fn all_holds(&self) -> impl Iterator<Item = Expected<'_, i64, HoldRow>> {
        self.holds.all().map(|(operation, row)| (operation, row.ok()))
    }

    pub(super) fn all_plans(&self) -> impl Iterator<Item = Expected<'_, i64, PlanRow>> {
        self.plans.iter().map(|(operation, row)| (*operation, Some(row)))
    }

    pub(super) fn all_consumes(&self) -> impl Iterator<Item = Expected<'_, i64, ConsumeRow>> {
        self.consumes.all().map(|(operation, row)| (operation, row.ok()))
    }

    pub(super) fn all_allocations(&self) -> impl Iterator<Item = Expected<'_, (i64, i64), AllocationRow>> {
        self.allocations.all().flat_map(|(owner, rows)| {
            let (rows, newest) = match rows {
                Ok(rows) => (rows.as_slice(), 0),
                Err(newest) => ([].as_slice(), newest),
            };
            let gone = (1..=newest).map(move |rank| ((owner, rank), None));
            rows.iter().map(move |row| ((owner, row.rank), Some(row))).chain(gone)
        })
    }

    pub(super) fn every_allotment(&self) -> impl Iterator<Item = Expected<'_, i64, AllotmentRow>> {
        self.allotments.iter().map(|(operation, row)| (*operation, Some(row)))
    }

    pub(crate) fn all_stretches(&self) -> &BTreeMap<(i64, i64), StretchRow> {
        &self.stretches
    }

    pub(crate) fn all_devices(&self) -> &BTreeMap<i64, DeviceRow> {
        &self.devices
    }

    pub(crate) fn all_bases(&self) -> &BTreeMap<i64, BaseRow> {
        &self.bases
    }

    pub(crate) fn all_foreign(&self) -> &BTreeMap<i64, ForeignRow> {
        &self.foreign
    }

    pub(crate) fn all_received(&self) -> &BTreeSet<(i64, i64)> {
        &self.received
    }

    pub(crate) fn all_books(&self) -> &BTreeMap<i64, PriceBook> {
        &self.books
    }

    fn batch_rows(&self, numbers: impl Iterator<Item = BatchNo>) -> Result<Vec<BatchRow>> {
        numbers.filter_map(|no| self.batch(no).transpose()).collect()
    }

    fn hold_rows(&self, operations: impl Iterator<Item = i64>) -> Result<Vec<HoldRow>> {
        operations.filter_map(|operation| self.hold(operation).transpose()).collect()
    }

    fn consume_rows(&self, operations: impl Iterator<Item = i64>) -> Result<Vec<ConsumeRow>> {
        operations.filter_map(|operation| self.consume(operation).transpose()).collect()
    }
}

/// Stored allocations by owner. Of one with more than a page, or with a rank left out, there are none: it is not let go.
fn owners(session: &Session<'_>, after: i64, page: usize) -> Result<Keyed<i64, Vec<AllocationRow>>> {
    let stored = stored::page(session, (after, i64::MAX), page)?;
    let full = stored.len() >= page;
    let mut owners: Keyed<i64, Vec<AllocationRow>> = Vec::new();
    for ((owner, _), row) in stored {
        match (owners.last_mut().filter(|(last, _)| *last == owner), row) {
            (Some((_, Ok(rows))), Ok(row)) => rows.push(row),
            (Some((_, rows)), Err(error)) => *rows = Err(error),
            (Some((_, Err(_))), Ok(_)) => {}
            (None, row) => owners.push((owner, row.map(|row| vec![row]))),
        }
    }
    if full && owners.len() > 1 {
        // The rest of it is on the next page.
        owners.pop();
    } else if full {
        owners.iter_mut().for_each(|(_, rows)| *rows = Ok(Vec::new()));
    }
    let whole = |rows: &Vec<AllocationRow>| (1..).zip(rows).all(|(rank, row)| row.rank == rank);
    owners.iter_mut().flat_map(|(_, rows)| rows).filter(|rows| !whole(rows)).for_each(|rows| rows.clear());
    Ok(owners)
}

/// Puts a row's place in an index where it is now.
fn replace<T: Ord>(index: &mut BTreeSet<T>, old: Option<T>, new: Option<T>) {
    if old != new {
        old.map(|old| index.remove(&old));
        new.map(|new| index.insert(new));
    }
}

fn next_number<T>(map: &BTreeMap<i64, T>) -> i64 {
    map.last_key_value().map_or(1, |(no, _)| no.saturating_add(1))
}

impl Source for Memory<'_, '_> {
    fn account_by_id(&self, id: &AccountId) -> Result<Option<AccountRow>> {
        Ok(self.account_ids.get(id).and_then(|no| self.accounts.get(no)).cloned())
    }

    fn account(&self, no: i64) -> Result<Option<AccountRow>> {
        Ok(self.accounts.get(&no).cloned())
    }

    fn next_account_no(&self) -> Result<i64> {
        Ok(next_number(&self.accounts))
    }

    fn batch(&self, no: BatchNo) -> Result<Option<BatchRow>> {
        self.batches.get(no, || self.source().map_or(Ok(None), |file| file.batch(no)))
    }

    fn hold(&self, operation: i64) -> Result<Option<HoldRow>> {
        self.holds.get(operation, || self.source().map_or(Ok(None), |file| file.hold(operation)))
    }

    fn plan(&self, operation: i64) -> Result<Option<PlanRow>> {
        Ok(self.plans.get(&operation).cloned())
    }

    fn consume(&self, operation: i64) -> Result<Option<ConsumeRow>> {
        self.consumes.get(operation, || self.source().map_or(Ok(None), |file| file.consume(operation)))
    }

    fn allocations(&self, owner: i64) -> Result<Allocations> {
        if let Some(rows) = self.stored_allocations(owner)? {
            return Ok(Allocations::stored(rows));
        }
        let draws = match (self.operations.get(&owner), self.source()) {
            (Some(past), _) => past.draws.clone(),
            (None, Some(file)) if owner <= self.last => file.draws(owner)?,
            _ => Vec::new(),
        };
        Ok(if draws.is_empty() { Allocations::stored(Vec::new()) } else { Allocations::drawn(owner, &draws) })
    }

    fn allotment(&self, operation: i64) -> Result<Option<AllotmentRow>> {
        Ok(self.allotments.get(&operation).cloned())
    }

    fn allotments(&self, account: i64) -> Result<Vec<AllotmentRow>> {
        let open = self.allotted.range((account, i64::MIN)..=(account, i64::MAX));
        Ok(open.filter_map(|(_, operation)| self.allotments.get(operation).cloned()).collect())
    }

    fn all_allotments(&self, after: i64, limit: usize) -> Result<Vec<AllotmentRow>> {
        Ok(self.allotments.range(after.saturating_add(1)..).take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn operation(&self, seq: i64) -> Result<Option<OperationHead>> {
        match (self.operations.get(&seq), self.source()) {
            (Some(past), _) => Ok(Some(past.head.clone())),
            (None, Some(file)) if seq <= self.last => file.operation(seq),
            _ => Ok(None),
        }
    }

    /// Asked only when a key was found.
    fn operation_row(&self, _seq: i64) -> Result<Option<OperationRow>> {
        Ok(None)
    }

    /// That no key was used twice is the unique index's affair, which SQLite's own check compares with the table.
    fn find_key(&self, _account: Option<i64>, _kind: OpKind, _key: &Key) -> Result<Option<i64>> {
        Ok(None)
    }

    fn live_batches(&self, account: i64, after: Option<DrawKey>, limit: usize) -> Result<Vec<BatchRow>> {
        let first = DrawKey { priority: i64::MIN, expires_at: i64::MIN, paid: i64::MIN, entry: i64::MIN, no: i64::MIN };
        let keys = self.live.range((account, after.unwrap_or(first))..).take_while(|(no, _)| *no == account);
        self.batch_rows(keys.map(|(_, key)| *key).filter(|key| Some(*key) != after).map(|key| key.no).take(limit))
    }

    fn lapsed_batches(&self, account: i64, after: Instant, until: Instant) -> Result<Vec<BatchRow>> {
        if after >= until {
            return Ok(Vec::new());
        }
        let range = self.lapsed.range((account, after, i64::MAX)..=(account, until, i64::MAX));
        self.batch_rows(range.map(|(_, _, no)| *no))
    }

    fn dated_batches(&self, account: i64, after: Instant) -> Result<Vec<BatchRow>> {
        let range = self.dated.range((account, after, i64::MAX)..=(account, Instant::MAX, i64::MAX));
        self.batch_rows(range.map(|(_, _, no)| *no))
    }

    fn long_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>> {
        let range = self.due_holds.range((account, after, i64::MAX)..=(account, Instant::MAX, i64::MAX));
        self.hold_rows(range.map(|(_, _, operation)| *operation))
    }

    fn open_consumes(&self, account: i64, (turn, after): (i64, i64), limit: usize) -> Result<Vec<ConsumeRow>> {
        let keys = self.open.range((account, turn, after.saturating_add(1))..);
        let keys = keys.take_while(|(no, ..)| *no == account).take(limit);
        self.consume_rows(keys.map(|(.., operation)| *operation))
    }

    fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>> {
        let keys = self.clawbacks.range((batch, i64::MIN, i64::MIN)..=(batch, i64::MAX, i64::MAX));
        self.consume_rows(keys.map(|(.., operation)| *operation))
    }

    fn due_batches(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<BatchRow>> {
        if self.stepping {
            let first = self.first_due(account).filter(|(at, _)| *at <= until);
            return match first {
                Some((_, First::Batch(no))) => self.batch_rows([no].into_iter()),
                _ => Ok(Vec::new()),
            };
        }
        let (from, to) = ((account, Instant::MIN, false, 0, 0), (account, until, true, i64::MAX, i64::MAX));
        let range = self.due_batches.range(from..=to);
        self.batch_rows(range.map(|(.., no)| *no).take(limit))
    }

    fn due_holds(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<HoldRow>> {
        if self.stepping {
            let first = self.first_due(account).filter(|(at, _)| *at <= until);
            return match first {
                Some((_, First::Hold(operation))) => self.hold_rows([operation].into_iter()),
                _ => Ok(Vec::new()),
            };
        }
        let range = self.due_holds.range((account, Instant::MIN, i64::MIN)..=(account, until, i64::MAX)).take(limit);
        self.hold_rows(range.map(|(_, _, operation)| *operation))
    }

    fn due_plans(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<PlanRow>> {
        let plans = |numbers: &mut dyn Iterator<Item = i64>| {
            Ok(numbers.filter_map(|operation| self.plans.get(&operation).cloned()).collect())
        };
        if self.stepping {
            let first = self.first_due(account).filter(|(at, _)| *at <= until);
            return match first {
                Some((_, First::Plan(operation))) => plans(&mut [operation].into_iter()),
                _ => Ok(Vec::new()),
            };
        }
        let range = self.due_plans.range((account, Instant::MIN, i64::MIN)..=(account, until, i64::MAX)).take(limit);
        plans(&mut range.map(|(_, _, operation)| *operation))
    }

    fn next_due(&self, account: i64, _read: Option<Instant>, without: &Listed) -> Result<Option<Instant>> {
        let mut batches =
            self.due_batches.range((account, Instant::MIN, false, 0, 0)..).take_while(|due| due.0 == account);
        let mut holds = self.due_holds.range((account, Instant::MIN, i64::MIN)..).take_while(|due| due.0 == account);
        let mut plans = self.due_plans.range((account, Instant::MIN, i64::MIN)..).take_while(|due| due.0 == account);
        let batch = batches.find(|due| !without.batches.contains(&due.4)).map(|due| due.1);
        let hold = holds.find(|due| !without.holds.contains(&due.2)).map(|due| due.1);
        let plan = plans.find(|due| !without.plans.contains(&due.2)).map(|due| due.1);
        Ok([batch, hold, plan].into_iter().flatten().min())
    }

    fn would_fall_due(&self, after: Instant, until: Instant) -> Result<bool> {
        let any =
            |set: &BTreeSet<(Instant, BatchNo)>| set.range((after, i64::MAX)..=(until, i64::MAX)).next().is_some();
        Ok(after < until && [&self.next_periods, &self.expiring, &self.pending].into_iter().any(any))
    }

    fn behind(&self, until: Instant) -> Result<Vec<i64>> {
        let plans = self.next_periods.range(..=(until, i64::MAX)).filter_map(|(_, no)| self.plans.get(no));
        let batches = self.batch_rows(self.rolling.range(..=(until, i64::MAX)).map(|(_, no)| *no))?;
        let accounts = plans.map(|plan| plan.account).chain(batches.into_iter().map(|batch| batch.account));
        let accounts: BTreeSet<i64> = accounts.collect();
        Ok(accounts.into_iter().collect())
    }

    fn price_book(&self, no: i64) -> Result<Option<PriceBook>> {
        Ok(self.books.get(&no).cloned())
    }

    fn price_book_no(&self, hash: &Hash) -> Result<Option<i64>> {
        Ok(self.book_hashes.get(hash).copied())
    }

    fn next_price_book_no(&self) -> Result<i64> {
        Ok(next_number(&self.books))
    }

    fn device(&self, tag: i64) -> Result<Option<DeviceRow>> {
        Ok(self.devices.values().find(|row| row.tag == tag).cloned())
    }

    fn next_device_no(&self) -> Result<i64> {
        Ok(next_number(&self.devices))
    }

    fn beyond_devices(&self) -> Result<Option<(i64, OpKind)>> {
        Ok(self.beyond_devices)
    }

    fn base(&self, account: i64) -> Result<Option<BaseRow>> {
        Ok(self.bases.get(&account).cloned())
    }

    fn bases(&self, after: i64, limit: usize) -> Result<Vec<BaseRow>> {
        Ok(self.bases.range(after.saturating_add(1)..).take(limit).map(|(_, row)| row.clone()).collect())
    }

    /// A fact: the file's.
    fn received(&self, operation: i64, account: i64) -> Result<Option<String>> {
        self.source().map_or(Ok(None), |file| file.received(operation, account))
    }

    /// By the file's entries, as many as there are by now: each is compared by itself.
    fn moves(&self, account: &AccountRow, after: i64) -> Result<BTreeSet<i64>> {
        self.source().map_or(Ok(BTreeSet::new()), |file| file.moves(account, after))
    }

    fn expired_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>> {
        let range = self.expired_holds.range((account, after, i64::MAX)..=(account, Instant::MAX, i64::MAX));
        self.hold_rows(range.map(|(_, _, operation)| *operation))
    }

    fn foreign(&self, no: i64) -> Result<Option<ForeignRow>> {
        Ok(self.foreign.get(&no).cloned())
    }

    fn local(&self, id: &Uuid) -> Result<Option<i64>> {
        Ok(self.foreign_ids.get(id).copied())
    }
}

#[cfg(test)]
mod tests;
