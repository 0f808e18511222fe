//! The books in plain maps: what `verify` replays the operations on. Indexes like those of the file, so that a million
//! operations replay in the time of a million lookups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::engine::source::{Allocations, OperationHead};
use crate::engine::{Books, Changes, Source, catch_up};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, AllocationRow, BatchNo, BatchRow, ConsumeRow, DrawKey, HoldPhase, HoldRow, Key, OpKind,
    OperationRow, Outcome, StretchRow,
};
use crate::pricing::PriceBook;
use crate::units::Instant;

/// The books as the operations replayed so far have made them. Entries are compared as they come and not kept;
/// of operations only the heads are.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    accounts: BTreeMap<i64, AccountRow>,
    account_ids: HashMap<AccountId, i64>,
    batches: BTreeMap<BatchNo, BatchRow>,
    holds: BTreeMap<i64, HoldRow>,
    consumes: BTreeMap<i64, ConsumeRow>,
    allocations: BTreeMap<(i64, i64), AllocationRow>,
    stretches: BTreeMap<(i64, i64), StretchRow>,
    /// From the first on, none missing.
    operations: Vec<Past>,
    books: BTreeMap<i64, PriceBook>,
    book_hashes: BTreeMap<[u8; 32], i64>,
    /// (account, place in the draw order) of live batches.
    live: BTreeSet<(i64, DrawKey)>,
    /// (account, due_at, whether it is an activation, batch): the order in which they fall due.
    due_batches: BTreeSet<(i64, Instant, bool, BatchNo)>,
    /// (account, deadline, hold) of open holds.
    due_holds: BTreeSet<(i64, Instant, i64)>,
    /// (account, expires_at, batch) where points have lapsed.
    lapsed: BTreeSet<(i64, Instant, BatchNo)>,
    /// (account, effective_at, batch) where that was asked for.
    dated: BTreeSet<(i64, Instant, BatchNo)>,
    /// (effective_at, batch) of pending batches with points left, and (expires_at, batch) where points would be lost: for the
    /// suspect clock.
    pending: BTreeSet<(Instant, BatchNo)>,
    expiring: BTreeSet<(Instant, BatchNo)>,
    /// (account, operation) of consumes with an open part.
    open: BTreeSet<(i64, i64)>,
    /// (batch, operation) of clawbacks.
    clawbacks: BTreeSet<(BatchNo, i64)>,
    /// While stepping, only the first due thing is shown.
    stepping: bool,
}

/// What is kept of an operation.
#[derive(Debug)]
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
}

impl Memory {
    /// Writes what the engine decided.
    pub(crate) fn apply(&mut self, changes: Changes) {
        for row in &changes.new_accounts {
            self.account_ids.insert(row.id.clone(), row.no);
        }
        self.accounts.extend(changes.new_accounts.into_iter().chain(changes.accounts).map(|row| (row.no, row)));
        for row in changes.new_batches.into_iter().chain(changes.batches) {
            self.put_batch(row);
        }
        for row in changes.new_holds.into_iter().chain(changes.holds) {
            let due =
                |row: &HoldRow| (row.phase == HoldPhase::Open).then_some((row.account, row.deadline, row.operation));
            let new = due(&row);
            let old = self.holds.insert(row.operation, row);
            replace(&mut self.due_holds, old.as_ref().and_then(due), new);
        }
        for row in changes.new_consumes.into_iter().chain(changes.consumes) {
            self.put_consume(row);
        }
        let allocations = changes.new_allocations.into_iter().chain(changes.allocations);
        self.allocations.extend(allocations.map(|row| ((row.owner, row.rank), row)));
        self.stretches.extend(changes.new_stretches.into_iter().map(|row| ((row.account, row.n), row)));
    }

    fn put_batch(&mut self, row: BatchRow) {
        let live = |row: &BatchRow| row.is_live().then(|| (row.account, row.draw_key()));
        let due = |row: &BatchRow| row.due_at().map(|at| (row.account, at, !row.active, row.no));
        let lapsed = |row: &BatchRow| {
            let at = row.expires_at.filter(|_| row.expired > 0);
            at.map(|at| (row.account, at, row.no))
        };
        let expiring = |row: &BatchRow| {
            let at = row.expires_at.filter(|_| row.remaining > 0 || row.held > 0 || row.expired > 0);
            at.map(|at| (at, row.no))
        };
        let pending = |row: &BatchRow| (!row.active && row.remaining > 0).then_some((row.effective_at, row.no));
        let old = self.batches.get(&row.no);
        replace(&mut self.pending, old.and_then(pending), pending(&row));
        replace(&mut self.live, old.and_then(live), live(&row));
        replace(&mut self.due_batches, old.and_then(due), due(&row));
        replace(&mut self.lapsed, old.and_then(lapsed), lapsed(&row));
        replace(&mut self.expiring, old.and_then(expiring), expiring(&row));
        if row.dated {
            self.dated.insert((row.account, row.effective_at, row.no));
        }
        self.batches.insert(row.no, row);
    }

    fn put_consume(&mut self, row: ConsumeRow) {
        if row.open > 0 {
            self.open.insert((row.account, row.operation));
        } else {
            self.open.remove(&(row.account, row.operation));
        }
        if let Some(batch) = row.clawback_of {
            self.clawbacks.insert((batch, row.operation));
        }
        self.consumes.insert(row.operation, row);
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

    /// Remembers a booked operation.
    pub(crate) fn append(&mut self, row: OperationRow, outcome: Outcome) {
        let account = row.account.map(|(no, _)| no);
        let draws = if matches!(row.kind, OpKind::Consume | OpKind::Capture) { outcome.draws } else { Vec::new() };
        let head = OperationHead { seq: row.seq, writer: row.writer, kind: row.kind, account, points: row.points };
        self.operations.push(Past { head, draws });
    }

    fn past(&self, seq: i64) -> Option<&Past> {
        let place = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.operations.get(place)
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

    fn one_event(&self, account: i64, at: Instant) -> Result<Changes> {
        let mut books = Books::new(self);
        if !catch_up(&mut books, account, at, usize::MAX)? || books.entries().is_empty() {
            return Err(Error::corrupt(format!("account {account}: what is due at {at} cannot be booked")));
        }
        books.into_changes()
    }

    /// At one instant expiry comes first, then deadlines, then activation.
    fn first_due(&self, account: i64) -> Option<(Instant, First)> {
        let batch = self.due_batches.range((account, Instant::MIN, false, 0)..).next().filter(|due| due.0 == account);
        let hold = self.due_holds.range((account, Instant::MIN, 0)..).next().filter(|due| due.0 == account);
        match (batch, hold) {
            (Some(batch), Some(hold)) if (hold.1, false) < (batch.1, batch.2) => Some((hold.1, First::Hold(hold.2))),
            (Some(batch), _) => Some((batch.1, First::Batch(batch.3))),
            (None, hold) => hold.map(|hold| (hold.1, First::Hold(hold.2))),
        }
    }

    /// Accounts with points that would be lost after `after` and until `until`.
    pub(crate) fn accounts_expiring(&self, after: Instant, until: Instant) -> BTreeSet<i64> {
        if after >= until {
            return BTreeSet::new();
        }
        let range = self.expiring.range((after, i64::MAX)..=(until, i64::MAX));
        range.filter_map(|(_, no)| self.batches.get(no)).map(|batch| batch.account).collect()
    }

    pub(crate) fn all_accounts(&self) -> &BTreeMap<i64, AccountRow> {
        &self.accounts
    }

    pub(crate) fn all_batches(&self) -> &BTreeMap<BatchNo, BatchRow> {
        &self.batches
    }

    pub(crate) fn all_holds(&self) -> &BTreeMap<i64, HoldRow> {
        &self.holds
    }

    pub(crate) fn all_consumes(&self) -> &BTreeMap<i64, ConsumeRow> {
        &self.consumes
    }

    pub(crate) fn all_allocations(&self) -> &BTreeMap<(i64, i64), AllocationRow> {
        &self.allocations
    }

    pub(crate) fn all_stretches(&self) -> &BTreeMap<(i64, i64), StretchRow> {
        &self.stretches
    }

    pub(crate) fn all_books(&self) -> &BTreeMap<i64, PriceBook> {
        &self.books
    }

    fn batch_rows(&self, numbers: impl Iterator<Item = BatchNo>) -> Vec<BatchRow> {
        numbers.filter_map(|no| self.batches.get(&no)).cloned().collect()
    }
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

impl Source for Memory {
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
        Ok(self.batches.get(&no).cloned())
    }

    fn hold(&self, operation: i64) -> Result<Option<HoldRow>> {
        Ok(self.holds.get(&operation).cloned())
    }

    fn consume(&self, operation: i64) -> Result<Option<ConsumeRow>> {
        Ok(self.consumes.get(&operation).cloned())
    }

    fn allocations(&self, owner: i64) -> Result<Allocations> {
        let rows = self.allocations.range((owner, i64::MIN)..=(owner, i64::MAX));
        let rows: Vec<AllocationRow> = rows.map(|(_, row)| row.clone()).collect();
        match self.past(owner) {
            Some(past) if rows.is_empty() && !past.draws.is_empty() => Ok(Allocations::drawn(owner, &past.draws)),
            _ => Ok(Allocations::stored(rows)),
        }
    }

    fn operation(&self, seq: i64) -> Result<Option<OperationHead>> {
        Ok(self.past(seq).map(|past| past.head.clone()))
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
        let first = DrawKey { priority: i64::MIN, expires_at: i64::MIN, paid: i64::MIN, no: i64::MIN };
        let keys = self.live.range((account, after.unwrap_or(first))..).take_while(|(no, _)| *no == account);
        Ok(self.batch_rows(keys.map(|(_, key)| *key).filter(|key| Some(*key) != after).map(|key| key.no).take(limit)))
    }

    fn lapsed_batches(&self, account: i64, after: Instant, until: Instant) -> Result<Vec<BatchRow>> {
        if after >= until {
            return Ok(Vec::new());
        }
        let range = self.lapsed.range((account, after, i64::MAX)..=(account, until, i64::MAX));
        Ok(self.batch_rows(range.map(|(_, _, no)| *no)))
    }

    fn dated_batches(&self, account: i64, after: Instant) -> Result<Vec<BatchRow>> {
        let range = self.dated.range((account, after, i64::MAX)..=(account, Instant::MAX, i64::MAX));
        Ok(self.batch_rows(range.map(|(_, _, no)| *no)))
    }

    fn long_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>> {
        let range = self.due_holds.range((account, after, i64::MAX)..=(account, Instant::MAX, i64::MAX));
        Ok(range.filter_map(|(_, _, operation)| self.holds.get(operation)).cloned().collect())
    }

    fn open_consumes(&self, account: i64, after: i64, limit: usize) -> Result<Vec<ConsumeRow>> {
        let keys =
            self.open.range((account, after.saturating_add(1))..).take_while(|(no, _)| *no == account).take(limit);
        Ok(keys.filter_map(|(_, operation)| self.consumes.get(operation)).cloned().collect())
    }

    fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>> {
        let keys = self.clawbacks.range((batch, i64::MIN)..=(batch, i64::MAX));
        Ok(keys.filter_map(|(_, operation)| self.consumes.get(operation)).cloned().collect())
    }

    fn due_batches(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<BatchRow>> {
        if self.stepping {
            let first = self.first_due(account).filter(|(at, _)| *at <= until);
            return Ok(match first {
                Some((_, First::Batch(no))) => self.batch_rows([no].into_iter()),
                _ => Vec::new(),
            });
        }
        let range = self.due_batches.range((account, Instant::MIN, false, i64::MIN)..=(account, until, true, i64::MAX));
        Ok(self.batch_rows(range.map(|(.., no)| *no).take(limit)))
    }

    fn due_holds(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<HoldRow>> {
        if self.stepping {
            let first = self.first_due(account).filter(|(at, _)| *at <= until);
            return Ok(match first {
                Some((_, First::Hold(operation))) => self.holds.get(&operation).cloned().into_iter().collect(),
                _ => Vec::new(),
            });
        }
        let range = self.due_holds.range((account, Instant::MIN, i64::MIN)..=(account, until, i64::MAX)).take(limit);
        Ok(range.filter_map(|(_, _, operation)| self.holds.get(operation)).cloned().collect())
    }

    fn next_due(&self, account: i64, without_batches: &[BatchNo], without_holds: &[i64]) -> Result<Option<Instant>> {
        let without_batches: BTreeSet<BatchNo> = without_batches.iter().copied().collect();
        let without_holds: BTreeSet<i64> = without_holds.iter().copied().collect();
        let mut batches =
            self.due_batches.range((account, Instant::MIN, false, i64::MIN)..).take_while(|due| due.0 == account);
        let mut holds = self.due_holds.range((account, Instant::MIN, i64::MIN)..).take_while(|due| due.0 == account);
        let batch = batches.find(|due| !without_batches.contains(&due.3)).map(|due| due.1);
        let hold = holds.find(|due| !without_holds.contains(&due.2)).map(|due| due.1);
        Ok([batch, hold].into_iter().flatten().min())
    }

    fn would_fall_due(&self, after: Instant, until: Instant) -> Result<bool> {
        let any =
            |set: &BTreeSet<(Instant, BatchNo)>| set.range((after, i64::MAX)..=(until, i64::MAX)).next().is_some();
        Ok(after < until && (any(&self.expiring) || any(&self.pending)))
    }

    fn price_book(&self, no: i64) -> Result<Option<PriceBook>> {
        Ok(self.books.get(&no).cloned())
    }

    fn price_book_no(&self, hash: &[u8; 32]) -> Result<Option<i64>> {
        Ok(self.book_hashes.get(hash).copied())
    }

    fn next_price_book_no(&self) -> Result<i64> {
        Ok(next_number(&self.books))
    }
}

#[cfg(test)]
mod tests;
