//! The rows a writer has at hand: what it read or wrote last, so that the next operation need not read it again, and
//! charges upon charges of one account are written once.
//!
//! Three kinds of rows only: the ledger's, accounts, and of an account the batch that pays next (its *front*). Changes of
//! these may wait here until the transaction ends; everything else is written at once. Whoever reads accounts or batches
//! by any other way calls [`Session::settle`] first, which writes what waits. From one transaction to the next the rows
//! are kept only while nobody else has changed the file.

use std::collections::BTreeMap;

use rusqlite::params;

use super::write::{self, Waits};
use super::{Session, rows, sql};
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, Balances, BatchRow, LedgerRow, TotalsRow};

/// More accounts than this are not kept for the next transaction.
const MOST_ACCOUNTS: usize = 1024;

#[derive(Default)]
pub(crate) struct Desk {
    /// SQLite's `data_version` when these rows were true: another connection's commit changes it.
    version: Option<i64>,
    ledger: Option<Kept<LedgerRow>>,
    accounts: BTreeMap<i64, Kept<AccountRow>>,
    numbers: BTreeMap<AccountId, i64>,
    /// By account.
    fronts: BTreeMap<i64, Kept<BatchRow>>,
    /// Accounts of which something may wait: few, however many are kept.
    waiting: Vec<i64>,
    /// A key was taken: whoever repeats one operation repeats others.
    looks_first: bool,
}

struct Kept<T> {
    row: T,
    waits: Waits,
}

impl<T: Clone> Kept<T> {
    fn stored(row: T) -> Self {
        Kept { row, waits: Waits::Nothing }
    }

    fn change(&mut self, row: &T, waits: Waits) {
        self.row.clone_from(row);
        self.waits = self.waits.max(waits);
    }

    fn write(&mut self, write: impl FnOnce(&T, Waits) -> Result<()>) -> Result<()> {
        if self.waits != Waits::Nothing {
            write(&self.row, self.waits)?;
            self.waits = Waits::Nothing;
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
    /// Takes up the rows kept since the last transaction, if nobody else has changed the file since. Call within one.
    pub(super) fn take_up(&self, desk: Desk) -> Result<()> {
        let version = Some(data_version(self)?);
        let looks_first = desk.looks_first;
        let desk = if desk.version == version { desk } else { Desk { version, looks_first, ..Desk::default() } };
        self.desk.replace(desk);
        Ok(())
    }

    /// SQLite's `data_version` when this session was resumed.
    pub(crate) fn version(&self) -> Option<i64> {
        self.desk.borrow().version
    }

    /// Writes what has waited. The last thing before `COMMIT`; the desk is true once that has succeeded.
    pub(crate) fn finish(self) -> Result<Desk> {
        self.settle()?;
        if let Some(kept) = &mut self.desk.borrow_mut().ledger {
            kept.write(|row, _| write::update_ledger(&self, row))?;
        }
        let mut desk = self.desk.take();
        if desk.accounts.len() > MOST_ACCOUNTS {
            let Desk { version, ledger, looks_first, .. } = desk;
            desk = Desk { version, ledger, looks_first, ..Desk::default() };
        }
        Ok(desk)
    }

    /// Writes what waits of accounts and batches, so that statements see it.
    pub(super) fn settle(&self) -> Result<()> {
        let desk = &mut *self.desk.borrow_mut();
        for account in desk.waiting.drain(..) {
            if let Some(kept) = desk.accounts.get_mut(&account) {
                kept.write(|row, waits| write::update_account(self, row, waits))?;
            }
            if let Some(kept) = desk.fronts.get_mut(&account) {
                kept.write(|row, _| write::debit_batch(self, row))?;
            }
        }
        Ok(())
    }

    // ---- keys

    /// Whether a key is looked up before anything is decided. Else the unique index tells, when the operation is written.
    pub(crate) fn looks_first(&self) -> bool {
        self.desk.borrow().looks_first
    }

    /// From now on keys are looked up first.
    pub(crate) fn look_first(&self) {
        self.desk.borrow_mut().looks_first = true;
    }

    // ---- the ledger's row

    /// The file's identity and settings, and the head of its log, as this transaction has left them so far.
    pub(crate) fn ledger(&self) -> Result<LedgerRow> {
        if let Some(kept) = &self.desk.borrow().ledger {
            return Ok(kept.row.clone());
        }
        let row = self.first(sql::LEDGER_GET, [], rows::ledger)?.ok_or_else(no_ledger)?;
        self.desk.borrow_mut().ledger = Some(Kept::stored(row.clone()));
        Ok(row)
    }

    pub(crate) fn set_ledger(&self, row: &LedgerRow) -> Result<()> {
        if self.desk.borrow().ledger.is_none() {
            self.ledger()?;
        }
        if let Some(kept) = &mut self.desk.borrow_mut().ledger {
            // The rest the newest operation tells.
            let stored = |row: &LedgerRow| (row.writer, row.settings, row.clock.trusted_at, row.clock.steps_back);
            let waits = if stored(&kept.row) == stored(row) { Waits::Nothing } else { Waits::All };
            kept.change(row, waits);
        }
        Ok(())
    }

    // ---- accounts

    pub(super) fn account_by_id(&self, id: &AccountId) -> Result<Option<AccountRow>> {
        let no = self.desk.borrow().numbers.get(id).copied();
        match no {
            Some(no) => self.account(no),
            None => self.keep(self.first(sql::ACCOUNT_BY_ID, params![id.as_str()], rows::account)?),
        }
    }

    pub(super) fn account(&self, no: i64) -> Result<Option<AccountRow>> {
        if let Some(kept) = self.desk.borrow().accounts.get(&no) {
            return Ok(Some(kept.row.clone()));
        }
        self.keep(self.first(sql::ACCOUNT_BY_NO, params![no], rows::account)?)
    }

    fn keep(&self, row: Option<AccountRow>) -> Result<Option<AccountRow>> {
        if let Some(row) = &row {
            self.keep_account(row);
        }
        Ok(row)
    }

    /// An account as the file has it.
    pub(super) fn keep_account(&self, row: &AccountRow) {
        let desk = &mut *self.desk.borrow_mut();
        desk.numbers.insert(row.id.clone(), row.no);
        desk.accounts.insert(row.no, Kept::stored(row.clone()));
    }

    pub(super) fn set_account(&self, row: &AccountRow) -> Result<()> {
        if !self.desk.borrow().accounts.contains_key(&row.no) {
            self.account(row.no)?;
        }
        let desk = &mut *self.desk.borrow_mut();
        let kept = desk.accounts.get_mut(&row.no).ok_or_else(|| write::missing("account", row.no))?;
        let waits = if row.next_due_at != kept.row.next_due_at {
            Waits::All
        } else if only_charged(&kept.row, row) {
            Waits::Few
        } else {
            Waits::Plain
        };
        if kept.waits == Waits::Nothing {
            desk.waiting.push(row.no);
        }
        kept.change(row, waits);
        Ok(())
    }

    // ---- fronts

    /// The first live batch in draw order.
    pub(super) fn front(&self, account: i64) -> Result<Option<BatchRow>> {
        if let Some(kept) = self.desk.borrow().fronts.get(&account) {
            return Ok(Some(kept.row.clone()));
        }
        let front = self.first(sql::LIVE_FIRST, params![account, 1], rows::batch)?;
        if let Some(front) = &front {
            self.desk.borrow_mut().fronts.insert(account, Kept::stored(front.clone()));
        }
        Ok(front)
    }

    /// Whether the change is a debit of the account's front, which may wait.
    pub(super) fn debits_front(&self, row: &BatchRow) -> Result<bool> {
        let desk = &mut *self.desk.borrow_mut();
        let Some(kept) = desk.fronts.get_mut(&row.account) else { return Ok(false) };
        let waits = row.is_live() && only_debited(&kept.row, row);
        if waits {
            if kept.waits == Waits::Nothing {
                desk.waiting.push(row.account);
            }
            kept.change(row, Waits::Few);
        }
        Ok(waits)
    }

    /// A batch joins the account, or changes otherwise than by a debit of the front: the front may be another one.
    pub(super) fn forget_front(&self, account: i64) -> Result<()> {
        match self.desk.borrow_mut().fronts.remove(&account) {
            Some(mut kept) => kept.write(|row, _| write::debit_batch(self, row)),
            None => Ok(()),
        }
    }
}

pub(super) fn no_ledger() -> Error {
    Error::corrupt("ledger has no row")
}

/// Whether no more has changed than a charge does.
fn only_charged(old: &AccountRow, new: &AccountRow) -> bool {
    let rest = |row: &AccountRow| {
        let balances = Balances { available: 0, debt: 0, ..row.balances };
        (row.state, row.credit_limit, balances, row.unbacked, TotalsRow { consumed: 0, ..row.totals }, row.steps_back)
    };
    rest(old) == rest(new)
}

/// The same of a batch that pays it. What a batch begins with never changes.
fn only_debited(old: &BatchRow, new: &BatchRow) -> bool {
    let rest =
        |row: &BatchRow| (row.no, row.held, row.expired, row.revoked, row.moved, row.owed, row.expires_at, row.active);
    rest(old) == rest(new)
}
