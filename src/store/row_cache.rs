//! The writer's cache of rows: what it read or wrote last, so that the next operation need not read it again, and charges
//! upon charges of one account are written once.
//!
//! Few kinds of rows only: the ledger's, accounts, and of an account the batch that pays next (its *front*) and on a device its
//! base. Changes of the first three are written when the transaction ends; everything else is written at once. Whoever reads accounts or batches by any
//! other way calls [`Session::flush`] first, which writes what is dirty. From one transaction to the next the rows
//! are cached only while nobody else has changed the file.

use std::collections::BTreeMap;

use rusqlite::params;

use super::tables::Table;
use super::{Session, rows, sql, write};
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, BaseRow, BatchRow, LedgerRow};

/// More accounts than this are not cached for the next transaction; nor are they by whoever goes through all of them.
const MOST_ACCOUNTS: usize = 1024;

#[derive(Default)]
pub(crate) struct RowCache {
    /// SQLite's `data_version` when these rows were true: another connection's commit changes it.
    version: Option<i64>,
    ledger: Option<Cached<LedgerRow>>,
    accounts: BTreeMap<i64, Cached<AccountRow>>,
    numbers: BTreeMap<AccountId, i64>,
    /// By account.
    fronts: BTreeMap<i64, Cached<BatchRow>>,
    /// By account, also of those that have none.
    bases: BTreeMap<i64, Option<BaseRow>>,
    /// Accounts of which something may be dirty: few, however many are cached.
    dirty: Vec<i64>,
    /// A key was taken: whoever repeats one operation repeats others.
    looks_first: bool,
}

struct Cached<T> {
    row: T,
    /// The columns that are not written yet: a bit for each.
    dirty: u32,
}

impl<T: Table + Clone> Cached<T> {
    fn stored(row: T) -> Self {
        Cached { row, dirty: 0 }
    }

    /// Whether it has just become dirty.
    fn change(&mut self, row: &T, columns: u32) -> bool {
        let clean = self.dirty == 0;
        self.row.clone_from(row);
        self.dirty |= columns;
        clean && columns != 0
    }

    fn write(&mut self, write: impl FnOnce(&T, u32) -> Result<()>) -> Result<()> {
        if self.dirty != 0 {
            write(&self.row, self.dirty)?;
            self.dirty = 0;
        }
        Ok(())
    }
}

/// Another connection's commit changes it.
pub(crate) fn data_version(session: &Session<'_>) -> Result<i64> {
    let version = session.first(sql::DATA_VERSION, [], |row| rows::integer(row, "data_version"))?;
    version.ok_or_else(|| Error::storage("SQLite gave no data_version"))
}

impl Session<'_> {
    /// Goes on with the rows of the last transaction, if nobody else has changed the file since. Call within one.
    pub(super) fn adopt(&self) -> Result<()> {
        let version = Some(data_version(self)?);
        let cache = &mut *self.cache.borrow_mut();
        if cache.version != version {
            *cache = RowCache { version, looks_first: cache.looks_first, ..RowCache::default() };
        }
        Ok(())
    }

    /// SQLite's `data_version` when this session was resumed.
    pub(crate) fn version(&self) -> Option<i64> {
        self.cache.borrow().version
    }

    /// Writes what is dirty. The last thing before `COMMIT`; the cache is true once that has succeeded.
    pub(crate) fn finish(self) -> Result<RowCache> {
        self.flush()?;
        if let Some(cached) = &mut self.cache.borrow_mut().ledger {
            cached.write(|row, _| write::update_ledger(&self, row))?;
        }
        let mut cache = self.cache.into_inner();
        if cache.accounts.len() > MOST_ACCOUNTS {
            let RowCache { version, ledger, looks_first, .. } = cache;
            cache = RowCache { version, ledger, looks_first, ..RowCache::default() };
        }
        Ok(cache)
    }

    /// Writes what is dirty of accounts and batches, so that statements see it.
    pub(super) fn flush(&self) -> Result<()> {
        let cache = &mut *self.cache.borrow_mut();
        for account in cache.dirty.drain(..) {
            if let Some(cached) = cache.accounts.get_mut(&account) {
                cached.write(|row, dirty| write::update_account(self, row, dirty))?;
            }
            if let Some(cached) = cache.fronts.get_mut(&account) {
                cached.write(|row, _| write::debit_batch(self, row))?;
            }
        }
        Ok(())
    }

    // ---- keys

    /// Whether a key is looked up before anything is decided. Else the unique index tells, when the operation is written.
    pub(crate) fn looks_first(&self) -> bool {
        self.cache.borrow().looks_first
    }

    /// From now on keys are looked up first.
    pub(crate) fn look_first(&self) {
        self.cache.borrow_mut().looks_first = true;
    }

    // ---- the ledger's row

    /// The file's identity and settings, and the head of its log, as this transaction has left them so far.
    pub(crate) fn ledger(&self) -> Result<LedgerRow> {
        if let Some(cached) = &self.cache.borrow().ledger {
            return Ok(cached.row.clone());
        }
        let row = self.first(sql::LEDGER_GET, [], rows::ledger)?.ok_or_else(no_ledger)?;
        self.cache.borrow_mut().ledger = Some(Cached::stored(row.clone()));
        Ok(row)
    }

    pub(crate) fn set_ledger(&self, row: &LedgerRow) -> Result<()> {
        if self.cache.borrow().ledger.is_none() {
            self.ledger()?;
        }
        if let Some(cached) = &mut self.cache.borrow_mut().ledger {
            // The rest the newest operation tells.
            let columns = row.changed(&cached.row) & sql::LEDGER_UPDATE.columns;
            cached.change(row, columns);
        }
        Ok(())
    }

    // ---- accounts

    pub(super) fn account_by_id(&self, id: &AccountId) -> Result<Option<AccountRow>> {
        let no = self.cache.borrow().numbers.get(id).copied();
        match no {
            Some(no) => self.account(no),
            None => self.keep(self.first(sql::ACCOUNT_BY_ID, params![id.as_str()], AccountRow::read)?),
        }
    }

    pub(super) fn account(&self, no: i64) -> Result<Option<AccountRow>> {
        if let Some(cached) = self.cache.borrow().accounts.get(&no) {
            return Ok(Some(cached.row.clone()));
        }
        self.keep(self.first(sql::ACCOUNT_BY_NO, params![no], AccountRow::read)?)
    }

    fn keep(&self, row: Option<AccountRow>) -> Result<Option<AccountRow>> {
        if let Some(row) = &row {
            self.keep_account(row);
        }
        Ok(row)
    }

    /// An account as the file has it.
    pub(super) fn keep_account(&self, row: &AccountRow) {
        let cache = &mut *self.cache.borrow_mut();
        if cache.accounts.len() >= MOST_ACCOUNTS && cache.dirty.is_empty() {
            cache.accounts.clear();
            cache.numbers.clear();
            cache.fronts.clear();
            cache.bases.clear();
        }
        cache.numbers.insert(row.id.clone(), row.no);
        cache.accounts.insert(row.no, Cached::stored(row.clone()));
    }

    pub(super) fn set_account(&self, row: &AccountRow) -> Result<()> {
        if !self.cache.borrow().accounts.contains_key(&row.no) {
            self.account(row.no)?;
        }
        let cache = &mut *self.cache.borrow_mut();
        let cached = cache.accounts.get_mut(&row.no).ok_or_else(|| write::missing("account", row.no))?;
        let columns = row.changed(&cached.row);
        if cached.change(row, columns) {
            cache.dirty.push(row.no);
        }
        Ok(())
    }

    // ---- bases

    /// What a device last heard of an account.
    pub(super) fn base(&self, account: i64) -> Result<Option<BaseRow>> {
        if let Some(base) = self.cache.borrow().bases.get(&account) {
            return Ok(base.clone());
        }
        let base = self.first(sql::BASE_OF, params![account], BaseRow::read)?;
        self.cache.borrow_mut().bases.insert(account, base.clone());
        Ok(base)
    }

    /// It has heard more.
    pub(super) fn put_base(&self, row: &BaseRow) -> Result<()> {
        self.write(&sql::BASE_PUT, row)?;
        self.cache.borrow_mut().bases.insert(row.account, Some(row.clone()));
        Ok(())
    }

    // ---- fronts

    /// The first live batch in draw order.
    pub(super) fn front(&self, account: i64) -> Result<Option<BatchRow>> {
        if let Some(cached) = self.cache.borrow().fronts.get(&account) {
            return Ok(Some(cached.row.clone()));
        }
        let front = self.first(sql::LIVE_FIRST, params![account, 1], BatchRow::read)?;
        if let Some(front) = &front {
            self.cache.borrow_mut().fronts.insert(account, Cached::stored(front.clone()));
        }
        Ok(front)
    }

    /// Whether the change is a debit of the account's front, which is written later.
    pub(super) fn debits_front(&self, row: &BatchRow) -> Result<bool> {
        let cache = &mut *self.cache.borrow_mut();
        let Some(cached) = cache.fronts.get_mut(&row.account) else { return Ok(false) };
        let columns = row.changed(&cached.row);
        let debits = sql::BATCH_DEBIT.covers(columns);
        if debits && cached.change(row, columns) {
            cache.dirty.push(row.account);
        }
        Ok(debits)
    }

    /// A batch joins the account, or changes otherwise than by a debit of the front: the front may be another one.
    pub(super) fn forget_front(&self, account: i64) -> Result<()> {
        match self.cache.borrow_mut().fronts.remove(&account) {
            Some(mut cached) => cached.write(|row, _| write::debit_batch(self, row)),
            None => Ok(()),
        }
    }
}

pub(super) fn no_ledger() -> Error {
    Error::corrupt("ledger has no row")
}
