//! Pages of the books, for the reports and for `verify`. Every page is a range of one b-tree.

use std::cmp::Reverse;

use rusqlite::{Row, params};

use super::session::out_of_order;
use super::tables::Table;
use super::{Glance, Session, limit, pages, rows, sql};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, Action, AllotmentRow, BatchNo, BatchRow, Command, DeviceRow, EntryKind, EntryRow,
    ForeignRow, HoldRow, Key, OpKind, OperationRow, PlanRow, PriceBookRow, ReferenceRow, StretchRow, WriterRow,
    Writers,
};
use crate::units::{Instant, add};

/// The way a list of entries is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    Oldest,
    Newest,
}

/// An account with what its balance needs, in one statement.
pub(crate) fn glance(session: &Session<'_>, id: &AccountId) -> Result<Option<Glance>> {
    let (mut found, mut last): (Option<Glance>, _) = (None, None);
    session.each(sql::ACCOUNT_GLANCE, params![id.as_str()], |row| {
        let Some(Glance { next_expiry: Some((_, points)), .. }) = &mut found else {
            let glance = found.insert(rows::glance(row)?);
            // Without a batch there is one row.
            return Ok(glance.next_expiry.is_some());
        };
        let Some((_, also, place)) = rows::glance_batch(row)? else { return Ok(false) };
        if last.is_some_and(|last| last >= place) {
            return Err(out_of_order(sql::ACCOUNT_GLANCE));
        }
        last = Some(place);
        *points = add(*points, also)?;
        Ok(true)
    })?;
    Ok(found)
}

/// Allotments by operation: all of them, or those with something left.
pub(crate) fn allotments(session: &Session<'_>, open: bool, after: i64, page: usize) -> Result<Vec<AllotmentRow>> {
    let sql = if open { sql::ALLOTMENTS_OPEN } else { sql::ALLOTMENT_PAGE };
    session.walk(sql, params![after, limit(page)], Some(after), |row| row.operation, AllotmentRow::read)
}

pub(crate) fn account_page(session: &Session<'_>, after: i64, page: usize) -> Result<Vec<AccountRow>> {
    session.flush()?;
    session.walk(sql::ACCOUNT_PAGE, params![after, limit(page)], Some(after), |row| row.no, AccountRow::read)
}

/// Every account, in order of opening, from the one after `after` on.
pub(crate) fn accounts(session: &Session<'_>, after: i64, page: usize) -> impl Iterator<Item = Result<AccountRow>> {
    pages(after, page, move |after, page| account_page(session, after, page), |row| row.no)
}

/// Accounts in which something falls due after `after` and no later than `until`, the most overdue first.
pub(crate) fn accounts_due(
    session: &Session<'_>,
    after: Option<Instant>,
    until: Instant,
    page: usize,
) -> Result<Vec<AccountRow>> {
    session.flush()?;
    let order = |row: &AccountRow| (row.next_due_at, row.no);
    session.walk(
        sql::ACCOUNTS_DUE,
        params![after.map_or(-1, Instant::millis), until.millis(), limit(page)],
        None,
        order,
        AccountRow::read,
    )
}

pub(crate) fn batches_of_account(
    session: &Session<'_>,
    account: i64,
    after: BatchNo,
    page: usize,
) -> Result<Vec<BatchRow>> {
    session.flush()?;
    session.walk(
        sql::BATCHES_OF_ACCOUNT,
        params![account, after, limit(page)],
        Some(after),
        |row| row.no,
        BatchRow::read,
    )
}

/// A plan as stored, with the terms that its operation names.
pub(super) fn plan(session: &Session<'_>, row: &Row<'_>) -> Result<PlanRow> {
    let plan = PlanRow::read(row)?;
    if plan.foreign_terms.is_some() {
        return Ok(plan);
    }
    let stored = session.first(sql::OPERATION_BY_SEQ, params![plan.operation], OperationRow::read)?;
    let wrong = || Error::corrupt(format!("plan {} has no operation that made it", plan.operation));
    let made = stored.filter(|made| made.kind == OpKind::Plan).ok_or_else(wrong)?;
    let account = made.account.as_ref().map(|(_, id)| id.clone());
    let body = serde_json::from_str(&made.body).map_err(|_| wrong())?;
    match Command::stored(made.kind, account, made.key.clone(), &body)?.action {
        Action::Plan(terms) => Ok(PlanRow { terms, ..plan }),
        _ => Err(wrong()),
    }
}

/// An account's plans in order of creation.
pub(crate) fn plans_of_account(session: &Session<'_>, account: i64, after: i64, page: usize) -> Result<Vec<PlanRow>> {
    let bounds = params![account, after, limit(page)];
    session.walk(sql::PLANS_OF_ACCOUNT, bounds, Some(after), |row: &PlanRow| row.operation, |row| plan(session, row))
}

pub(crate) fn holds_of_account(session: &Session<'_>, account: i64, after: i64, page: usize) -> Result<Vec<HoldRow>> {
    session.walk(
        sql::HOLDS_OF_ACCOUNT,
        params![account, after, limit(page)],
        Some(after),
        |row| row.operation,
        HoldRow::read,
    )
}

/// How many batches of an account are past their expiry, and holds past their deadline, that nobody has booked yet.
pub(crate) fn overdue(session: &Session<'_>, account: i64, until: Instant) -> Result<(i64, i64)> {
    let count = |sql, table: &'static str| -> Result<i64> {
        let count = session.search(sql, params![account, until.millis()], |row| rows::integer(row, table))?;
        Ok(count.unwrap_or(0))
    };
    Ok((count(sql::BATCHES_DUE_COUNT, "batch")?, count(sql::HOLDS_DUE_COUNT, "hold")?))
}

/// When the first and the last operation after `after` were booked under a price book.
pub(crate) fn price_book_use(session: &Session<'_>, no: i64, after: i64) -> Result<Option<(Instant, Instant)>> {
    let when = |sql| session.search(sql, params![after, no], |row| rows::instant(row, "operation"));
    Ok(when(sql::OPERATION_FIRST_PRICED)?.zip(when(sql::OPERATION_LAST_PRICED)?))
}

/// Points of all accounts that lapsed though they expire after an instant.
pub(crate) fn lapsed_after(session: &Session<'_>, at: Instant) -> Result<i64> {
    session.flush()?;
    let sum = session.first(sql::BATCHES_LAPSED_AFTER, params![at.millis()], |row| rows::integer(row, "batch"))?;
    Ok(sum.unwrap_or(0))
}

pub(crate) fn entry(session: &Session<'_>, account: i64, n: i64) -> Result<Option<EntryRow>> {
    session.first(sql::ENTRY_BY_NUMBER, params![account, n], EntryRow::read)
}

/// Entries `from` to `to` of an account, both included, the first `page` of them from either end.
pub(crate) fn entries(
    session: &Session<'_>,
    account: i64,
    from: i64,
    to: i64,
    way: Forward,
    page: usize,
) -> Result<Vec<EntryRow>> {
    let bounds = params![account, from, to, limit(page)];
    match way {
        Forward::Oldest => {
            session.walk(sql::ENTRIES_FORWARD, bounds, Some(from.saturating_sub(1)), |row| row.n, EntryRow::read)
        }
        Forward::Newest => {
            let from = Some(Reverse(to.saturating_add(1)));
            session.walk(sql::ENTRIES_BACKWARD, bounds, from, |row| Reverse(row.n), EntryRow::read)
        }
    }
}

/// The first entries of an account's stretches, the newest first, without the very first; up to entry `entries`.
pub(crate) fn stretches(session: &Session<'_>, account: i64, entries: i64) -> Result<Vec<StretchRow>> {
    let bounds = params![account, entries];
    session.walk(sql::STRETCHES_OF, bounds, None, |row| Reverse(row.n), StretchRow::read)
}

/// The number of the last entry with `booked_at <= at` among the account's `entries`, of the newest stretch that had begun by
/// then; 0 when there is none.
pub(crate) fn number_of_entry_at(session: &Session<'_>, account: i64, entries: i64, at: Instant) -> Result<i64> {
    let mut last = entries;
    for stretch in stretches(session, account, entries)? {
        if stretch.booked_at <= at {
            return last_until(session, account, (stretch.n, last), at.millis());
        }
        last = stretch.n.saturating_sub(1);
    }
    last_until(session, account, (0, last), at.millis())
}

/// The first and the last number of the entries booked at this very instant, in whatever stretch, with all between them.
pub(crate) fn numbers_of_entries_at(
    session: &Session<'_>,
    account: i64,
    entries: i64,
    at: Instant,
) -> Result<(i64, i64)> {
    let (mut found, mut last) = ((i64::MAX, 0), entries);
    let starts = stretches(session, account, entries)?.into_iter().map(|stretch| stretch.n);
    for start in starts.chain([1]) {
        let before = start.saturating_sub(1);
        let first = last_until(session, account, (before, last), at.millis().saturating_sub(1))?.saturating_add(1);
        let end = last_until(session, account, (before, last), at.millis())?;
        if first <= end {
            found = (found.0.min(first), found.1.max(end));
        }
        last = before;
    }
    Ok(found)
}

/// The entries that touch an operation; of one kind, if that is wanted.
pub(crate) fn references(session: &Session<'_>, operation: i64, kind: Option<EntryKind>) -> Result<Vec<ReferenceRow>> {
    match kind.map(EntryKind::code) {
        None => session.walk(sql::REFERENCES_TO, params![operation], None, |row| *row, ReferenceRow::read),
        Some(kind) => {
            session.walk(sql::REFERENCES_OF_KIND, params![operation, kind], None, |row| *row, ReferenceRow::read)
        }
    }
}

/// The newest batches of an account made before another, at most so many, the newest first.
pub(crate) fn batches_before(session: &Session<'_>, account: i64, no: BatchNo, most: usize) -> Result<Vec<BatchRow>> {
    session.flush()?;
    let bounds = params![account, no, limit(most)];
    session.walk(sql::BATCHES_BEFORE, bounds, None, |row| Reverse(row.no), BatchRow::read)
}

/// The last entry with `booked_at <= at` after the first of these numbers and up to the second, all of one stretch; the first
/// when there is none. A binary search: the numbers have no gaps, and within a stretch booked time never runs backwards (I5).
fn last_until(session: &Session<'_>, account: i64, (low, high): (i64, i64), at: i64) -> Result<i64> {
    let (mut low, mut high) = (low, high);
    while low < high {
        // Rounded up, so that it is never `low`.
        let middle = high.saturating_sub(high.saturating_sub(low) / 2);
        let booked_at = session
            .first(sql::ENTRY_TIME, params![account, middle], |row| rows::instant(row, "entry"))?
            .ok_or_else(|| Error::corrupt(format!("entry {middle} of account number {account} is missing")))?;
        if booked_at.millis() <= at {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    Ok(low)
}

/// The log after the operation with this number.
pub(crate) fn operations_after(session: &Session<'_>, after: i64, page: usize) -> Result<Vec<OperationRow>> {
    session.walk(sql::OPERATION_PAGE, params![after, limit(page)], Some(after), |row| row.seq, OperationRow::read)
}

/// The log before the operation with this number, the newest first.
pub(crate) fn operations_before(session: &Session<'_>, before: i64, page: usize) -> Result<Vec<OperationRow>> {
    let from = Some(Reverse(before));
    let bounds = params![before, limit(page)];
    session.walk(sql::OPERATION_PAGE_BACKWARD, bounds, from, |row| Reverse(row.seq), OperationRow::read)
}

/// The last operation before another that set something.
pub(crate) fn configured_before(session: &Session<'_>, seq: i64) -> Result<Option<i64>> {
    session.search(sql::OPERATION_CONFIGURED, params![seq], |row| rows::integer(row, "operation"))
}

/// What was booked under a key, after an account and kind: account, kind and number of each operation.
pub(crate) fn key_uses(
    session: &Session<'_>,
    key: &Key,
    after: (i64, i64),
    page: usize,
) -> Result<Vec<(i64, i64, i64)>> {
    session.walk(
        sql::OPERATIONS_BY_KEY,
        params![key.as_str(), after.0, after.1, limit(page)],
        Some(after),
        |found| (found.0, found.1),
        rows::key_use,
    )
}

pub(crate) fn price_book_by_no(session: &Session<'_>, no: i64) -> Result<Option<PriceBookRow>> {
    session.first(sql::PRICE_BOOK_BY_NO, params![no], PriceBookRow::read)
}

pub(crate) fn price_book_page(session: &Session<'_>, after: i64, page: usize) -> Result<Vec<PriceBookRow>> {
    session.walk(sql::PRICE_BOOK_PAGE, params![after, limit(page)], Some(after), |row| row.no, PriceBookRow::read)
}

/// The book of the newest operation booked under one.
pub(crate) fn newest_price_book(session: &Session<'_>) -> Result<Option<PriceBookRow>> {
    let mut books = price_book_page(session, 0, 2)?;
    if books.len() < 2 {
        // A book is stored only together with an operation booked under it.
        return Ok(books.pop());
    }
    match session.search(sql::OPERATION_NEWEST_PRICED, [], |row| rows::integer(row, "operation"))? {
        Some(no) => price_book_by_no(session, no),
        None => Ok(None),
    }
}

/// Everybody who wrote this file, for computing ids; what was known before is not read again.
pub(crate) fn writers(session: &Session<'_>, before: Option<&Writers>) -> Result<Writers> {
    let list = writer_page(session, 0, usize::MAX)?.into_iter().map(|row| (row.since, row.writer)).collect();
    let mut writers = Writers::new(list)?;
    if let Some(before) = before {
        writers = writers.still_knowing(before);
    }
    let read = |after, page| {
        let bounds = params![after, limit(page)];
        session.walk(sql::FOREIGN_PAGE, bounds, Some(after), |row: &ForeignRow| row.no, ForeignRow::read)
    };
    for row in pages(writers.known(), 1024, read, |row: &ForeignRow| row.no) {
        let row = row?;
        writers.know(row.local, row.id);
    }
    Ok(writers)
}

/// The devices of a hub.
pub(crate) fn device_page(session: &Session<'_>, after: i64, page: usize) -> Result<Vec<DeviceRow>> {
    session.walk(sql::DEVICE_PAGE, params![after, limit(page)], Some(after), |row| row.no, DeviceRow::read)
}

/// Everybody who wrote this file.
pub(crate) fn writer_page(session: &Session<'_>, after: i64, page: usize) -> Result<Vec<WriterRow>> {
    session.walk(sql::WRITER_PAGE, params![after, limit(page)], Some(after), |row| row.no, WriterRow::read)
}
