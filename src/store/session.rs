//! A connection with its statements at hand, as long as one transaction lasts.

use std::cell::RefCell;

use rusqlite::{CachedStatement, Params, Row};

use super::sql::{self, Statement};
use super::{rows, write};
use crate::db::{Connection, sqlite_error};
use crate::error::{Error, Result};
use crate::model::LedgerRow;

/// What reads and writes go through. Each statement is fetched from the connection once and then kept, so that the
/// hundredth operation of a transaction finds it ready; the `ledger` row, which every operation reads and changes, is read
/// once and written once.
pub(crate) struct Session<'c> {
    conn: &'c Connection,
    held: RefCell<Vec<Option<CachedStatement<'c>>>>,
    ledger: RefCell<Option<Known>>,
}

struct Known {
    row: LedgerRow,
    changed: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(conn: &'c Connection) -> Self {
        Session { conn, held: RefCell::default(), ledger: RefCell::default() }
    }

    pub(crate) fn conn(&self) -> &'c Connection {
        self.conn
    }

    /// The file's identity, settings and head, as this transaction has left them so far.
    pub(crate) fn ledger(&self) -> Result<LedgerRow> {
        if let Some(known) = &*self.ledger.borrow() {
            return Ok(known.row.clone());
        }
        let row = self.first(sql::LEDGER_GET, [], rows::ledger)?.ok_or_else(|| Error::corrupt("ledger has no row"))?;
        self.ledger.replace(Some(Known { row: row.clone(), changed: false }));
        Ok(row)
    }

    pub(crate) fn set_ledger(&self, row: LedgerRow) {
        self.ledger.replace(Some(Known { row, changed: true }));
    }

    /// Writes what was kept until now. The last thing before `COMMIT`.
    pub(crate) fn finish(&self) -> Result<()> {
        match &mut *self.ledger.borrow_mut() {
            Some(known) if known.changed => {
                write::update_ledger(self, &known.row)?;
                known.changed = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Lends a statement out of its place; one that failed is not put back.
    fn with<T>(&self, sql: Statement, run: impl FnOnce(&mut CachedStatement<'c>) -> Result<T>) -> Result<T> {
        let mut held = self.held.borrow_mut();
        if held.is_empty() {
            held.resize_with(sql::COUNT, || None);
        }
        let found = held.get_mut(sql.number).and_then(Option::take);
        drop(held);
        let mut statement = match found {
            Some(statement) => statement,
            None => self.conn.prepare_cached(sql.text).map_err(sqlite_error)?,
        };
        let answer = run(&mut statement)?;
        if let Some(place) = self.held.borrow_mut().get_mut(sql.number) {
            *place = Some(statement);
        }
        Ok(answer)
    }

    /// All rows of a statement. No cursor outlives the call: an open one would hold up the checkpoint.
    pub(super) fn all<T>(
        &self,
        sql: Statement,
        params: impl Params,
        map: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(map(row)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// The first row of a statement.
    pub(super) fn first<T>(
        &self,
        sql: Statement,
        params: impl Params,
        map: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.each(sql, params, |row| {
            found = Some(map(row)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// The rows of a statement one by one, until there are no more or `visit` has seen enough.
    pub(super) fn each(
        &self,
        sql: Statement,
        params: impl Params,
        mut visit: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params).map_err(sqlite_error)?;
            while let Some(row) = rows.next().map_err(sqlite_error)? {
                if !visit(row)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Runs a statement that changes rows; how many.
    pub(super) fn change(&self, sql: Statement, params: impl Params) -> Result<usize> {
        self.with(sql, |statement| statement.execute(params).map_err(sqlite_error))
    }
}
