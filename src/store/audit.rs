//! What `verify` reads: every row under its key, also when the rest of the row makes no sense.

use rusqlite::{Params, Row, params};

use super::{limit, rows, sql};
use crate::db::{Connection, sqlite_error};
use crate::error::{Error, Result};
use crate::model::{AccountRow, AllocationRow, BatchNo, BatchRow, ConsumeRow, EntryRow, HoldRow, OperationRow};

/// Rows with their keys; a row that cannot be read says why.
pub(crate) type Keyed<K, T> = Vec<(K, Result<T>)>;

const BATCH_MARKS: &str = "SELECT no, live, due_at FROM batch WHERE no > ?1 ORDER BY no LIMIT ?2";
const OPERATIONS: &str = "SELECT seq, writer, outcome, hash, origin_device IS NOT NULL, origin_epoch IS NOT NULL, \
    origin_seq IS NOT NULL, origin_hash IS NOT NULL FROM operation WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const FOREIGN_KEYS: &str = "SELECT c.\"table\", c.rowid, l.\"from\", c.parent FROM pragma_foreign_key_check c \
    JOIN pragma_foreign_key_list(c.\"table\") l ON l.id = c.fkid LIMIT ?1";
const ORIGIN: [&str; 4] = ["origin_device", "origin_epoch", "origin_seq", "origin_hash"];
/// Reading this many pages takes seconds at most.
const QUICK_PAGES: i64 = 50_000;

/// An operation's columns that are read as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawOperation {
    pub(crate) seq: i64,
    pub(crate) writer: i64,
    pub(crate) outcome: Option<String>,
    pub(crate) hash: Option<[u8; 32]>,
    /// Columns of an origin that are set; none may be.
    pub(crate) origin: Vec<&'static str>,
}

/// Runs `read` in one read transaction, so that it sees one state of the file.
pub(crate) fn snapshot<T>(conn: &Connection, read: impl FnOnce() -> Result<T>) -> Result<T> {
    if !conn.is_autocommit() {
        return read();
    }
    // Dropped, it is rolled back: nothing was written.
    let _transaction = conn.unchecked_transaction().map_err(sqlite_error)?;
    read()
}

/// How many rows the one-row table has.
pub(crate) fn ledger_rows(conn: &Connection) -> Result<i64> {
    conn.query_row("SELECT count(*) FROM ledger", [], |row| row.get(0)).map_err(sqlite_error)
}

/// What SQLite finds wrong with pages, indexes and CHECKs, at most `most` lines.
pub(crate) fn integrity(conn: &Connection, most: usize) -> Result<Vec<String>> {
    check(conn, &format!("PRAGMA integrity_check({most})"))
}

/// The same without comparing indexes with tables; of a great file only the small tables.
pub(crate) fn quick_integrity(conn: &Connection, most: usize) -> Result<Vec<String>> {
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(sqlite_error)?;
    if pages <= QUICK_PAGES {
        return check(conn, &format!("PRAGMA quick_check({most})"));
    }
    let mut lines = check(conn, "PRAGMA quick_check(ledger)")?;
    lines.extend(check(conn, "PRAGMA quick_check(writer)")?);
    Ok(lines)
}

fn check(conn: &Connection, pragma: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare(pragma).map_err(sqlite_error)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(sqlite_error)?;
    let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>().map_err(sqlite_error)?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// A column that refers to a row which is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dangling {
    pub(crate) table: String,
    /// `None` in the tables that have no row numbers.
    pub(crate) row: Option<i64>,
    pub(crate) column: String,
    /// The table referred to.
    pub(crate) parent: String,
}

pub(crate) fn foreign_keys(conn: &Connection, most: usize) -> Result<Vec<Dangling>> {
    let read =
        |row: &Row<'_>| Ok(Dangling { table: row.get(0)?, row: row.get(1)?, column: row.get(2)?, parent: row.get(3)? });
    super::all(conn, FOREIGN_KEYS, params![limit(most)], |row| read(row).map_err(sqlite_error))
}

fn keyed<K, T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    key: impl Fn(&Row<'_>) -> Result<K>,
    map: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Keyed<K, T>> {
    super::all(conn, sql, params, |row| Ok((key(row)?, tolerate(map(row))?)))
}

/// Damage is for the caller to report; anything else ends the reading.
fn tolerate<T>(row: Result<T>) -> Result<Result<T>> {
    match row {
        Err(error) if !matches!(error, Error::Corrupt { .. }) => Err(error),
        row => Ok(row),
    }
}

fn number(row: &Row<'_>) -> Result<i64> {
    row.get(0).map_err(sqlite_error)
}

fn pair(row: &Row<'_>) -> Result<(i64, i64)> {
    Ok((row.get(0).map_err(sqlite_error)?, row.get(1).map_err(sqlite_error)?))
}

pub(crate) fn accounts(conn: &Connection, after: i64, page: usize) -> Result<Keyed<i64, AccountRow>> {
    keyed(conn, sql::ACCOUNT_PAGE, params![after, limit(page)], number, rows::account)
}

pub(crate) fn batches(conn: &Connection, after: BatchNo, page: usize) -> Result<Keyed<BatchNo, BatchRow>> {
    keyed(conn, sql::BATCH_PAGE, params![after, limit(page)], number, rows::batch)
}

/// The stored `live` and `due_at`, which a batch's other columns determine.
pub(crate) fn batch_marks(conn: &Connection, after: BatchNo, page: usize) -> Result<Vec<(BatchNo, i64, Option<i64>)>> {
    super::all(conn, BATCH_MARKS, params![after, limit(page)], |row| {
        Ok((number(row)?, row.get(1).map_err(sqlite_error)?, row.get(2).map_err(sqlite_error)?))
    })
}

pub(crate) fn holds(conn: &Connection, after: i64, page: usize) -> Result<Keyed<i64, HoldRow>> {
    keyed(conn, sql::HOLD_PAGE, params![after, limit(page)], number, rows::hold)
}

pub(crate) fn consumes(conn: &Connection, after: i64, page: usize) -> Result<Keyed<i64, ConsumeRow>> {
    keyed(conn, sql::CONSUME_PAGE, params![after, limit(page)], number, rows::consume)
}

/// After `(owner, rank)`.
pub(crate) fn allocations(
    conn: &Connection,
    after: (i64, i64),
    page: usize,
) -> Result<Keyed<(i64, i64), AllocationRow>> {
    keyed(conn, sql::ALLOCATION_PAGE, params![after.0, after.1, limit(page)], pair, rows::allocation)
}

/// An account's entries from number `from` on, by number.
pub(crate) fn entries_from(
    conn: &Connection,
    account: i64,
    from: i64,
    page: usize,
) -> Result<Keyed<(i64, i64), EntryRow>> {
    keyed(conn, sql::ENTRIES_FORWARD, params![account, from, i64::MAX, limit(page)], pair, rows::entry)
}

/// All entries after `(account, n)`.
pub(crate) fn entries(conn: &Connection, after: (i64, i64), page: usize) -> Result<Keyed<(i64, i64), EntryRow>> {
    keyed(conn, sql::ENTRY_PAGE, params![after.0, after.1, limit(page)], pair, rows::entry)
}

/// Operations with everything joined to them; one whose writer is not there is left out.
pub(crate) fn operations(conn: &Connection, after: i64, page: usize) -> Result<Keyed<i64, OperationRow>> {
    keyed(conn, sql::OPERATION_PAGE, params![after, limit(page)], number, rows::operation)
}

/// The same operations, none left out.
pub(crate) fn raw_operations(conn: &Connection, after: i64, page: usize) -> Result<Vec<RawOperation>> {
    super::all(conn, OPERATIONS, params![after, limit(page)], |row| {
        let mut origin = Vec::new();
        for (at, name) in (4..).zip(ORIGIN) {
            if row.get::<_, bool>(at).map_err(sqlite_error)? {
                origin.push(name);
            }
        }
        Ok(RawOperation {
            seq: number(row)?,
            writer: row.get(1).map_err(sqlite_error)?,
            // Text that is no text is nothing the replay could predict: it shows as missing.
            outcome: row.get(2).unwrap_or_default(),
            hash: row.get::<_, [u8; 32]>(3).ok(),
            origin,
        })
    })
}
