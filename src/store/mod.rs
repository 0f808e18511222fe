//! Every SQL statement of the books: reads for the engine, lists for the reports, and the one way to write.

pub(crate) mod audit;
mod create;
mod lists;
mod read;
mod rows;
mod sql;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;
mod write;

use rusqlite::{Params, Row};

use crate::db::{Connection, sqlite_error};
use crate::error::Result;

pub(crate) use create::{NewLedger, create};
pub(crate) use lists::{
    Forward, account_page, accounts_due, batches_of_account, entries, entry, holds_of_account, ledger,
    newest_price_book, number_of_entry_at, price_book_page, writer_page, writers,
};
pub(crate) use read::{BookCache, SqlSource};
pub(crate) use rows::PriceBookRow;
#[cfg(test)]
pub(crate) use work::{Work, work_done};
pub(crate) use write::{add_writer, append_operation, apply, insert_price_book, touch, update_ledger};

/// All rows of a statement. No cursor outlives the call: an open one would hold up the checkpoint.
fn all<T>(conn: &Connection, sql: &str, params: impl Params, map: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql).map_err(sqlite_error)?;
    let mut rows = statement.query(params).map_err(sqlite_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite_error)? {
        found.push(map(row)?);
    }
    Ok(found)
}

/// The first row of a statement.
fn first<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    map: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql).map_err(sqlite_error)?;
    let mut rows = statement.query(params).map_err(sqlite_error)?;
    rows.next().map_err(sqlite_error)?.map(map).transpose()
}

/// Runs a statement that changes rows; how many.
fn change(conn: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    conn.prepare_cached(sql).map_err(sqlite_error)?.execute(params).map_err(sqlite_error)
}

/// A page's length as SQL wants it.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
