//! What `verify` reads: every row under its key, also when the rest of the row makes no sense.

use std::collections::HashMap;

use rusqlite::{Row, params, params_from_iter};

pub(crate) use super::columns::Referred;
use super::sql::{self, Statement};
use super::tables::{self, Table};
use super::{Session, limit, pages, rows};
use crate::db::{bounded, sqlite_error, unread_page};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AllocationRow, AllotmentRow, BaseRow, BatchNo, BatchRow, ChainRow, ConsumeRow, DeviceRow,
    EntryRow, FlagRow, ForeignRow, HoldRow, LedgerRow, LinkRow, OperationRow, PlanRow, ReceivedRow, ReferenceRow,
    StagedRow, StretchRow, WatchRow,
};

/// Rows with their keys; a row that cannot be read says why.
pub(crate) type Keyed<K, T> = Vec<(K, Result<T>)>;

const FOREIGN_KEYS: &str = "SELECT c.\"table\", c.rowid, l.\"from\", c.parent FROM pragma_foreign_key_check c \
    JOIN pragma_foreign_key_list(c.\"table\") l ON l.id = c.fkid LIMIT ?1";
/// The indexes, and a look into each for its first row. Without those of SQLite's own in a table that is an index itself.
const INDEXES: &str = "SELECT i.name, 'SELECT 1 FROM ' || i.tbl_name || ' INDEXED BY ' || i.name || \
    ifnull(' ' || substr(i.sql, nullif(instr(i.sql, 'WHERE '), 0)), '') || ' LIMIT 1' \
    FROM sqlite_schema i JOIN sqlite_schema t ON t.name = i.tbl_name AND t.type = 'table' \
    WHERE i.type = 'index' AND (i.sql IS NOT NULL OR t.sql NOT LIKE '%WITHOUT ROWID%')";
/// For comparing indexes with tables, in KiB below zero.
const CHECK_CACHE: i64 = -64_000;
/// How the check begins what it says of the pages.
const TANGLE: &str = "*** in database main ***\n";
/// Reading this many pages takes seconds at most.
const QUICK_PAGES: i64 = 50_000;

/// An operation, also when it makes no sense.
#[derive(Debug)]
pub(crate) struct StoredOperation {
    pub(crate) seq: i64,
    pub(crate) writer: i64,
    pub(crate) outcome: Result<Option<String>>,
    /// When the row makes no sense, and the hash does.
    pub(crate) hash: Option<Hash>,
    /// The operation without its outcome; `None` when its writer is not there.
    pub(crate) row: Option<Result<OperationRow>>,
}

/// Runs `read` in one read transaction, so that it sees one state of the file.
pub(crate) fn snapshot<T>(session: &Session<'_>, read: impl FnOnce() -> Result<T>) -> Result<T> {
    if !session.conn().is_autocommit() {
        return read();
    }
    // Dropped, it is rolled back: nothing was written.
    let _transaction = session.conn().unchecked_transaction().map_err(sqlite_error)?;
    read()
}

/// The ledger's row by itself, without what the newest operation tells.
pub(crate) fn ledger(session: &Session<'_>) -> Result<LedgerRow> {
    session.first(sql::LEDGER_GET, [], LedgerRow::read)?.ok_or_else(super::row_cache::no_ledger)
}

/// How many rows the one-row table has.
pub(crate) fn ledger_rows(session: &Session<'_>) -> Result<i64> {
    let count = session.first(sql::LEDGER_COUNT, [], RowKey::read)?;
    Ok(count.unwrap_or(0))
}

/// What SQLite's own check says.
#[derive(Debug, Default)]
pub(crate) struct Integrity {
    pub(crate) lines: Vec<String>,
    /// Pages hang together wrongly, so that a statement which reads a whole table may never end.
    pub(crate) tangled: bool,
}

/// What SQLite finds wrong with pages, indexes and CHECKs, at most `most` lines.
pub(crate) fn integrity(session: &Session<'_>, most: usize) -> Result<Integrity> {
    // Every row is looked up in every index: with too small a cache each time from the disk.
    with_pragma(session, "cache_size", CHECK_CACHE, || check(session, &format!("PRAGMA integrity_check({most})")))
}

/// Runs something under another setting of the connection.
fn with_pragma<T>(session: &Session<'_>, name: &str, value: i64, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let conn = session.conn();
    let before: i64 = conn.pragma_query_value(None, name, |row| row.get(0)).map_err(sqlite_error)?;
    conn.pragma_update(None, name, value).map_err(sqlite_error)?;
    let answer = run();
    conn.pragma_update(None, name, before).map_err(sqlite_error)?;
    answer
}

/// Only the pages, not the indexes against the tables; of a great file only the small tables.
pub(crate) fn quick_integrity(session: &Session<'_>, most: usize) -> Result<Vec<String>> {
    let pages: i64 = session.conn().query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(sqlite_error)?;
    if pages <= QUICK_PAGES {
        return Ok(check(session, &format!("PRAGMA quick_check({most})"))?.lines);
    }
    let mut lines = check(session, "PRAGMA quick_check(ledger)")?.lines;
    lines.extend(check(session, "PRAGMA quick_check(writer)")?.lines);
    Ok(lines)
}

/// The check looks at how the pages hang together, and says what is wrong with that first; then it reads every row of every
/// table. It is not asked to go on to that among tangled pages.
fn check(session: &Session<'_>, pragma: &str) -> Result<Integrity> {
    let mut statement = session.conn().prepare(pragma).map_err(sqlite_error)?;
    let mut rows = statement.query([]).map_err(sqlite_error)?;
    let mut found = Integrity::default();
    while let Some(row) = rows.next().map_err(sqlite_error)? {
        let line: String = row.get(0).map_err(sqlite_error)?;
        if let Some(error) = unread_page(&line) {
            return Err(error);
        }
        if let Some(tangle) = line.strip_prefix(TANGLE) {
            found.tangled = true;
            found.lines.extend(tangle.lines().map(str::to_string));
            break;
        }
        if line != "ok" {
            found.lines.push(line);
        }
    }
    Ok(found)
}

/// Indexes in which nothing can be looked up. Of one without rows the check of the pages does not tell whether it is an index at all.
pub(crate) fn broken_indexes(session: &Session<'_>) -> Result<Vec<(String, Error)>> {
    let mut statement = session.conn().prepare(INDEXES).map_err(sqlite_error)?;
    let looks = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let looks: Vec<(String, String)> = looks.and_then(Iterator::collect).map_err(sqlite_error)?;
    let mut broken = Vec::new();
    for (name, look) in looks {
        let looked = session.conn().prepare(&look).and_then(|mut statement| statement.exists([]));
        match looked.map_err(sqlite_error) {
            Ok(_) => {}
            Err(error @ Error::Corrupt { .. }) => broken.push((name, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(broken)
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

pub(crate) fn foreign_keys(session: &Session<'_>, most: usize) -> Result<Vec<Dangling>> {
    let mut statement = session.conn().prepare(FOREIGN_KEYS).map_err(sqlite_error)?;
    let dangling = statement.query_map(params![limit(most)], |row| {
        Ok(Dangling { table: row.get(0)?, row: row.get(1)?, column: row.get(2)?, parent: row.get(3)? })
    });
    dangling.and_then(Iterator::collect).map_err(sqlite_error)
}

/// What rows are found by, and follow each other by.
pub(crate) trait RowKey: Copy + Ord {
    /// Comes before all.
    const LEAST: Self;

    fn read(row: &Row<'_>) -> Result<Self>;

    fn numbers(self) -> impl Iterator<Item = i64>;

    fn text(self) -> String {
        self.numbers().map(|number| number.to_string()).collect::<Vec<_>>().join("/")
    }
}

impl RowKey for i64 {
    const LEAST: Self = i64::MIN;

    fn read(row: &Row<'_>) -> Result<Self> {
        row.get(0).map_err(sqlite_error)
    }

    fn numbers(self) -> impl Iterator<Item = i64> {
        [self].into_iter()
    }
}

impl RowKey for (i64, i64) {
    const LEAST: Self = (i64::MIN, i64::MIN);

    fn read(row: &Row<'_>) -> Result<Self> {
        Ok((row.get(0).map_err(sqlite_error)?, row.get(1).map_err(sqlite_error)?))
    }

    fn numbers(self) -> impl Iterator<Item = i64> {
        [self.0, self.1].into_iter()
    }
}

/// A table that is read row by row, in the order of its key.
pub(crate) trait Paged: Table {
    type Key: RowKey;
    const PAGE: Statement;

    fn key(&self) -> Self::Key;
}

macro_rules! paged {
    ($($row:ident: $key:ty, |$it:ident| $value:expr, $page:ident;)+) => {$(
        impl Paged for $row {
            type Key = $key;
            const PAGE: Statement = sql::$page;

            fn key(&self) -> $key {
                let $it = self;
                $value
            }
        }
    )+};
}

paged! {
    AccountRow: i64, |it| it.no, ACCOUNT_PAGE;
    BatchRow: i64, |it| it.no, BATCH_PAGE;
    PlanRow: i64, |it| it.operation, PLAN_PAGE;
    HoldRow: i64, |it| it.operation, HOLD_PAGE;
    ConsumeRow: i64, |it| it.operation, CONSUME_PAGE;
    AllocationRow: (i64, i64), |it| (it.owner, it.rank), ALLOCATION_PAGE;
    AllotmentRow: i64, |it| it.operation, ALLOTMENT_PAGE;
    DeviceRow: i64, |it| it.no, DEVICE_PAGE;
    BaseRow: i64, |it| it.account, BASE_PAGE;
    ForeignRow: i64, |it| it.no, FOREIGN_PAGE;
    ReceivedRow: (i64, i64), |it| (it.operation, it.n), RECEIVED_PAGE;
    ChainRow: i64, |it| it.no, CHAIN_PAGE;
    LinkRow: (i64, i64), |it| (it.chain, it.seq), LINK_PAGE;
    StagedRow: i64, |it| it.operation, STAGED_PAGE;
    FlagRow: (i64, i64), |it| (it.operation, it.code.code()), FLAG_PAGE;
    WatchRow: (i64, i64), |it| (it.device, it.account), WATCH_PAGE;
    StretchRow: (i64, i64), |it| (it.account, it.n), STRETCH_PAGE;
    EntryRow: (i64, i64), |it| (it.account, it.n), ENTRY_PAGE;
    OperationRow: i64, |it| it.seq, OPERATION_PAGE;
}

/// Rows of a table after a key. Of operations, those whose writer is not there are left out.
pub(crate) fn page<R: Paged>(session: &Session<'_>, after: R::Key, page: usize) -> Result<Keyed<R::Key, R>> {
    let bounds = params_from_iter(after.numbers().chain([limit(page)]));
    session.walk(R::PAGE, bounds, Some(after), |row| row.0, keyed)
}

/// The key is read by itself only when the rest cannot be.
fn keyed<R: Paged>(row: &Row<'_>) -> Result<(R::Key, Result<R>)> {
    let read = tolerate(R::read(row))?;
    let key = match &read {
        Ok(read) => read.key(),
        Err(_) => RowKey::read(row)?,
    };
    Ok((key, read))
}

/// Damage is for the caller to report; anything else ends the reading.
fn tolerate<T>(row: Result<T>) -> Result<Result<T>> {
    match row {
        Err(error) if !matches!(error, Error::Corrupt { .. }) => Err(error),
        row => Ok(row),
    }
}

/// The lines that came with a reconcile.
pub(crate) fn received(session: &Session<'_>, operation: i64) -> Result<Vec<ReceivedRow>> {
    let read = |after, page| {
        let bounds = params![operation, after, limit(page)];
        session.walk(sql::RECEIVED_OF, bounds, Some(after), |row: &ReceivedRow| row.n, ReceivedRow::read)
    };
    pages(0, 16, read, |row: &ReceivedRow| row.n).collect()
}

/// Whether a reference is stored.
pub(crate) fn refers(session: &Session<'_>, row: &ReferenceRow) -> Result<bool> {
    let key = params![row.operation, row.kind, row.account, row.n];
    session.first(sql::REFERENCE_IS_THERE, key, |_| Ok(())).map(|found| found.is_some())
}

pub(crate) fn references(session: &Session<'_>, after: ReferenceRow, page: usize) -> Result<Vec<ReferenceRow>> {
    let from = params![after.operation, after.kind, after.account, after.n, limit(page)];
    session.walk(sql::REFERENCE_PAGE, from, Some(after), |row| *row, ReferenceRow::read)
}

/// The first long movements that their entry has as well.
pub(crate) fn doubled_movements(session: &Session<'_>) -> Result<Option<(i64, i64)>> {
    let first = params![i64::MIN, i64::MIN];
    session.search(sql::LONG_MOVEMENTS_EXTRA, first, |row| rows::account_and_number(row, "long_movements"))
}

/// The stored `live` and `due_at`, which a batch's other columns determine.
pub(crate) fn batch_marks(
    session: &Session<'_>,
    after: BatchNo,
    page: usize,
) -> Result<Vec<(BatchNo, i64, Option<i64>)>> {
    let number_of = |marks: &(BatchNo, i64, Option<i64>)| marks.0;
    session.walk(sql::BATCH_MARKS, params![after, limit(page)], Some(after), number_of, |row| {
        Ok((RowKey::read(row)?, row.get(1).map_err(sqlite_error)?, row.get(2).map_err(sqlite_error)?))
    })
}

/// What consumes simply paid drew, after an operation; they have no allocation rows.
pub(crate) fn draws(session: &Session<'_>, after: i64, page: usize) -> Result<Keyed<i64, Vec<(BatchNo, i64)>>> {
    let bounds = params![after, limit(page)];
    let read = |row: &Row<'_>| Ok((RowKey::read(row)?, tolerate(rows::draws(row))?));
    // It passes over operations of other kinds.
    bounded(session.conn(), || session.walk(sql::OPERATION_DRAWS_PAGE, bounds, Some(after), |row| row.0, read))
}

/// An account's entries from number `from` on, by number.
pub(crate) fn entries_from(
    session: &Session<'_>,
    account: i64,
    from: i64,
    page: usize,
) -> Result<Keyed<(i64, i64), EntryRow>> {
    let bounds = params![account, from, i64::MAX, limit(page)];
    session.walk(sql::ENTRIES_FORWARD, bounds, Some((account, from.saturating_sub(1))), |entry| entry.0, keyed)
}

/// All operations, none left out.
pub(crate) fn stored_operations(
    session: &Session<'_>,
    after: i64,
    page: usize,
    referred: &Referred,
) -> Result<Vec<StoredOperation>> {
    let number_of = |stored: &StoredOperation| stored.seq;
    session.walk(sql::OPERATION_STORED_PAGE, params![after, limit(page)], Some(after), number_of, |row| {
        let read = rows::bare_operation(row, referred).map(tolerate).transpose()?;
        let (seq, outcome, hash) = match &read {
            Some(Ok(operation)) => (operation.seq, tolerate(rows::stored_outcome(row, operation.points))?, None),
            _ => (RowKey::read(row)?, Ok(None), rows::stored_hash(row)),
        };
        let writer = row.get(tables::operation::Column::writer as usize).map_err(sqlite_error)?;
        Ok(StoredOperation { seq, writer, outcome, hash, row: read })
    })
}

/// The ids of all accounts that have one.
pub(crate) fn account_names(session: &Session<'_>, page: usize) -> Result<HashMap<i64, AccountId>> {
    let read = |after, page| {
        session.walk(sql::ACCOUNT_NAMES, params![after, limit(page)], Some(after), |name| name.0, rows::account_name)
    };
    let names = pages(i64::MIN, page, read, |name: &(i64, Option<AccountId>)| name.0);
    names.filter_map(|name| name.map(|(no, id)| id.map(|id| (no, id))).transpose()).collect()
}
