//! A connection with its statements at hand, as long as one transaction lasts.

use std::cell::RefCell;

use rusqlite::{CachedStatement, Params, Row};

use super::RowCache;
use super::columns::Parameters;
use super::sql::{Change, Statement};
use crate::db::{Connection, bounded, sqlite_error, writing_error};
use crate::error::{Error, Result};

/// More statements than a charge needs.
const USUAL: usize = 12;

/// What reads and writes go through. Each statement is fetched from the connection once and then kept, so that the
/// hundredth operation of a transaction finds it ready.
pub(crate) struct Session<'c> {
    conn: &'c Connection,
    /// By number; few enough to look through. Empty while the statement is lent out.
    held: RefCell<Vec<(usize, Option<CachedStatement<'c>>)>>,
    pub(super) cache: RefCell<RowCache>,
    /// Where an entry's movements are put together.
    pub(super) bytes: RefCell<Vec<u8>>,
}

impl<'c> Session<'c> {
    pub(crate) fn new(conn: &'c Connection) -> Self {
        Self::with_rows(conn, RowCache::default())
    }

    fn with_rows(conn: &'c Connection, cache: RowCache) -> Self {
        let held = RefCell::new(Vec::with_capacity(USUAL));
        Session { conn, held, cache: RefCell::new(cache), bytes: RefCell::default() }
    }

    /// A session of the writer, within a transaction, with the rows kept since its last one.
    pub(crate) fn resume(conn: &'c Connection, cache: RowCache) -> Result<Self> {
        let session = Self::with_rows(conn, cache);
        session.adopt()?;
        Ok(session)
    }

    pub(crate) fn conn(&self) -> &'c Connection {
        self.conn
    }

    /// Lends a statement out of its place; one that failed is not put back.
    fn with<T>(&self, sql: Statement, run: impl FnOnce(&mut CachedStatement<'c>) -> Result<T>) -> Result<T> {
        let mut held = self.held.borrow_mut();
        let place = held.iter().position(|(number, _)| *number == sql.number).unwrap_or_else(|| {
            held.push((sql.number, None));
            held.len().saturating_sub(1)
        });
        let found = held.get_mut(place).and_then(|(_, statement)| statement.take());
        drop(held);
        let mut statement = match found {
            Some(statement) => statement,
            None => self.conn.prepare_cached(sql.text).map_err(sqlite_error)?,
        };
        let answer = run(&mut statement)?;
        if let Some((_, lent)) = self.held.borrow_mut().get_mut(place) {
            *lent = Some(statement);
        }
        Ok(answer)
    }

    /// The rows of a walk along one b-tree, whose keys come after `from` and rise. No cursor outlives the call: an open one
    /// would hold up the checkpoint.
    ///
    /// A key that does not rise is damage: the tree may lead back to its own pages, and the walk would never end.
    pub(super) fn walk<K: PartialOrd, T>(
        &self,
        sql: Statement,
        params: impl Params,
        from: Option<K>,
        key: impl Fn(&T) -> K,
        map: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (mut found, mut last) = (Vec::new(), from);
        self.each(sql, params, |row| {
            let item = map(row)?;
            let here = Some(key(&item));
            if last.is_some() && here <= last {
                return Err(out_of_order(sql));
            }
            last = here;
            found.push(item);
            Ok(true)
        })?;
        Ok(found)
    }

    /// The same as [`first`](Self::first) for a statement that may pass over any number of rows before it hands one out.
    pub(super) fn search<T>(
        &self,
        sql: Statement,
        params: impl Params,
        map: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        bounded(self.conn, || self.first(sql, params, map))
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
        self.with(sql, |statement| statement.execute(params).map_err(writing_error))
    }

    /// Writes columns of a row; how many rows have changed.
    pub(super) fn write<R>(&self, change: &Change<R>, row: &R) -> Result<usize> {
        self.with(change.sql, |statement| {
            let bound = (change.bind)(row, &mut Parameters::new(statement, &self.bytes));
            bound.and_then(|()| statement.raw_execute()).map_err(writing_error)
        })
    }

    pub(super) fn write_all<R>(&self, change: &Change<R>, rows: &[R]) -> Result<()> {
        rows.iter().try_for_each(|row| self.write(change, row).map(drop))
    }
}

/// Rows of a table, or entries of its index, that do not stand in the order of their keys.
pub(super) fn out_of_order(sql: Statement) -> Error {
    let table = sql.text.split_once(" FROM ").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("?");
    Error::corrupt(format!("{table}: its rows are not in the order of their keys"))
}
