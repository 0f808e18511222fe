//! What the engine asks of the books.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Row, ToSql, params};
use uuid::Uuid;

use super::session::out_of_order;
use super::sql::{self, Statement};
use super::tables::Table;
use super::{Session, limit, lists, pages, rows};
use crate::db::bounded;
use crate::engine::source::{Allocations, Listed, OperationHead, Source};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AllocationRow, AllotmentRow, BaseRow, BatchNo, BatchRow, ConsumeRow, DeviceRow, DrawKey,
    EntryKind, ForeignRow, HoldRow, Key, OpKind, OperationRow, PlanRow,
};
use crate::pricing::PriceBook;
use crate::units::Instant;

/// How many parsed price books are kept. A file rarely uses more than two at a time.
const KEPT_BOOKS: usize = 8;

/// Price books already parsed, by their hash: a capture under a pinned book need not read the text again.
#[derive(Debug, Default)]
pub(crate) struct BookCache(Mutex<HashMap<Hash, PriceBook>>);

impl BookCache {
    fn get(&self, hash: &Hash) -> Option<PriceBook> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn put(&self, hash: Hash, book: PriceBook) {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if books.len() >= KEPT_BOOKS {
            books.clear();
        }
        books.insert(hash, book);
    }
}

/// The books in the file, as one connection sees them.
#[derive(Clone, Copy)]
pub(crate) struct SqlSource<'s, 'c> {
    session: &'s Session<'c>,
    books: &'s BookCache,
    /// Every key counts as new; writing tells.
    new_keys: bool,
}

impl<'s, 'c> SqlSource<'s, 'c> {
    pub(crate) fn new(session: &'s Session<'c>, books: &'s BookCache) -> Self {
        SqlSource { session, books, new_keys: false }
    }

    /// Looks no key up: [`append_operation`](super::append_operation) says when it is taken.
    pub(crate) fn with_new_keys(session: &'s Session<'c>, books: &'s BookCache) -> Self {
        SqlSource { session, books, new_keys: true }
    }

    pub(super) fn session(&self) -> &'s Session<'c> {
        self.session
    }

    /// What a consume or capture drew when it was booked.
    pub(crate) fn draws(&self, operation: i64) -> Result<Vec<(BatchNo, i64)>> {
        Ok(self.session.first(sql::OPERATION_DRAWS, params![operation], rows::draws)?.unwrap_or_default())
    }
}

impl Source for SqlSource<'_, '_> {
    fn account_by_id(&self, id: &AccountId) -> Result<Option<AccountRow>> {
        self.session.account_by_id(id)
    }

    fn account(&self, no: i64) -> Result<Option<AccountRow>> {
        self.session.account(no)
    }

    fn next_account_no(&self) -> Result<i64> {
        next_number(self.session, sql::ACCOUNT_NEXT_NO, "account")
    }

    fn batch(&self, no: BatchNo) -> Result<Option<BatchRow>> {
        self.session.flush()?;
        self.session.first(sql::BATCH_BY_NO, params![no], BatchRow::read)
    }

    fn hold(&self, operation: i64) -> Result<Option<HoldRow>> {
        self.session.first(sql::HOLD_BY_OPERATION, params![operation], HoldRow::read)
    }

    fn plan(&self, operation: i64) -> Result<Option<PlanRow>> {
        self.session.first(sql::PLAN_BY_OPERATION, params![operation], |row| lists::plan(self.session, row))
    }

    fn consume(&self, operation: i64) -> Result<Option<ConsumeRow>> {
        self.session.first(sql::CONSUME_BY_OPERATION, params![operation], ConsumeRow::read)
    }

    fn allocations(&self, owner: i64) -> Result<Allocations> {
        let rows = self.session.walk(sql::ALLOCATIONS_OF, params![owner], None, |row| row.rank, AllocationRow::read)?;
        if !rows.is_empty() {
            return Ok(Allocations::stored(rows));
        }
        Ok(Allocations::drawn(owner, &self.draws(owner)?))
    }

    fn allotment(&self, operation: i64) -> Result<Option<AllotmentRow>> {
        self.session.first(sql::ALLOTMENT_BY_OPERATION, params![operation], AllotmentRow::read)
    }

    fn allotments(&self, account: i64) -> Result<Vec<AllotmentRow>> {
        self.session.walk(sql::ALLOTMENTS_OF, params![account], None, |row| row.operation, AllotmentRow::read)
    }

    fn all_allotments(&self, after: i64, page: usize) -> Result<Vec<AllotmentRow>> {
        lists::allotments(self.session, false, after, page)
    }

    fn operation(&self, seq: i64) -> Result<Option<OperationHead>> {
        self.session.first(sql::OPERATION_HEAD, params![seq], rows::operation_head)
    }

    fn operation_row(&self, seq: i64) -> Result<Option<OperationRow>> {
        self.session.first(sql::OPERATION_BY_SEQ, params![seq], OperationRow::read)
    }

    fn find_key(&self, account: Option<i64>, kind: OpKind, key: &Key) -> Result<Option<i64>> {
        if self.new_keys {
            return Ok(None);
        }
        let params = (account.unwrap_or(0), kind.code(), key.as_str());
        self.session.first(sql::OPERATION_BY_KEY, params, |row| rows::integer(row, "operation"))
    }

    fn live_batches(&self, account: i64, after: Option<DrawKey>, page: usize) -> Result<Vec<BatchRow>> {
        if after.is_none() && page == 1 {
            return Ok(self.session.front(account)?.map_or_else(Vec::new, |front| vec![front]));
        }
        self.session.flush()?;
        let batches =
            |sql, params: &[&dyn ToSql]| self.session.walk(sql, params, after, BatchRow::draw_key, BatchRow::read);
        let Some(after) = after else {
            return batches(sql::LIVE_FIRST, params![account, limit(page)]);
        };
        let promo = 1_i64.saturating_sub(after.paid);
        let left = |found: &Vec<BatchRow>| limit(page.saturating_sub(found.len()));
        let kind = params![account, limit(page), after.priority, after.expires_at, promo, after.entry, after.no];
        let mut found = batches(sql::LIVE_SAME_KIND, kind)?;
        if found.len() < page {
            let expiry = params![account, left(&found), after.priority, after.expires_at, promo];
            found.extend(batches(sql::LIVE_SAME_EXPIRY, expiry)?);
        }
        if found.len() < page {
            let priority = params![account, left(&found), after.priority, after.expires_at];
            found.extend(batches(sql::LIVE_SAME_PRIORITY, priority)?);
        }
        if found.len() < page {
            let rest = params![account, left(&found), after.priority];
            found.extend(batches(sql::LIVE_LATER_PRIORITY, rest)?);
        }
        Ok(found)
    }

    fn lapsed_batches(&self, account: i64, after: Instant, until: Instant) -> Result<Vec<BatchRow>> {
        self.session.flush()?;
        let bounds = params![account, after.millis(), until.millis()];
        let order = |row: &BatchRow| (row.expires_at, row.no);
        // It passes over those that have lost nothing.
        bounded(self.session.conn(), || self.session.walk(sql::BATCHES_LAPSED, bounds, None, order, BatchRow::read))
    }

    fn dated_batches(&self, account: i64, after: Instant) -> Result<Vec<BatchRow>> {
        self.session.flush()?;
        let bounds = params![account, after.millis()];
        self.session.walk(sql::BATCHES_DATED, bounds, None, |row| (row.effective_at, row.no), BatchRow::read)
    }

    fn long_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>> {
        let bounds = params![account, after.millis()];
        self.session.walk(sql::HOLDS_LONG, bounds, None, |row| (row.deadline, row.operation), HoldRow::read)
    }

    fn expired_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>> {
        let bounds = params![account, after.millis()];
        self.session.walk(sql::HOLDS_EXPIRED, bounds, None, |row| (row.deadline, row.operation), HoldRow::read)
    }

    fn open_consumes(&self, account: i64, after: (i64, i64), page: usize) -> Result<Vec<ConsumeRow>> {
        let bounds = params![account, after.0, after.1, limit(page)];
        let order = |row: &ConsumeRow| (row.turn, row.operation);
        self.session.walk(sql::CONSUMES_OPEN, bounds, Some(after), order, ConsumeRow::read)
    }

    fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>> {
        let order = |row: &ConsumeRow| (row.turn, row.operation);
        self.session.walk(sql::CLAWBACKS, params![batch], None, order, ConsumeRow::read)
    }

    fn due_batches(&self, account: i64, until: Instant, page: usize) -> Result<Vec<BatchRow>> {
        self.session.flush()?;
        let order = |row: &BatchRow| (row.due_at(), !row.active, row.entry, row.no);
        self.session.walk(sql::BATCHES_DUE, params![account, until.millis(), limit(page)], None, order, BatchRow::read)
    }

    fn due_holds(&self, account: i64, until: Instant, page: usize) -> Result<Vec<HoldRow>> {
        let order = |row: &HoldRow| (row.deadline, row.operation);
        self.session.walk(sql::HOLDS_DUE, params![account, until.millis(), limit(page)], None, order, HoldRow::read)
    }

    fn due_plans(&self, account: i64, until: Instant, page: usize) -> Result<Vec<PlanRow>> {
        let order = |row: &PlanRow| (row.due_at, row.operation);
        let bounds = params![account, until.millis(), limit(page)];
        self.session.walk(sql::PLANS_DUE, bounds, None, order, |row| lists::plan(self.session, row))
    }

    fn next_due(&self, account: i64, read: Option<Instant>, without: &Listed) -> Result<Option<Instant>> {
        self.session.flush()?;
        let from = (account, read.map_or(-1, Instant::millis));
        let batch = first_due(self.session, sql::BATCH_NEXT_DUE, "batch", from, &without.batches)?;
        let hold = first_due(self.session, sql::HOLD_NEXT_DUE, "hold", from, &without.holds)?;
        let plan = first_due(self.session, sql::PLAN_NEXT_DUE, "plan", from, &without.plans)?;
        Ok([batch, hold, plan].into_iter().flatten().min())
    }

    fn would_fall_due(&self, after: Instant, until: Instant) -> Result<bool> {
        self.session.flush()?;
        let any = |sql| self.session.search(sql, params![after.millis(), until.millis()], |_| Ok(()));
        for sql in [sql::PLAN_WOULD_GIVE, sql::BATCH_WOULD_EXPIRE, sql::BATCH_WOULD_START] {
            if any(sql)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn behind(&self, until: Instant) -> Result<Vec<i64>> {
        self.session.flush()?;
        let until = [until.millis()];
        let plans = self.session.walk(sql::PLANS_BEHIND, until, None, |row| (row.0, row.1), rows::behind)?;
        // It passes over those that have not ended, and those of which nothing is left.
        let batches = bounded(self.session.conn(), || {
            self.session.walk(sql::BATCHES_ROLLING, until, None, |row| row.0, rows::rolling)
        })?;
        let plans = plans.into_iter().map(|(.., account)| account);
        let accounts: BTreeSet<i64> = plans.chain(batches.into_iter().map(|(_, account)| account)).collect();
        Ok(accounts.into_iter().collect())
    }

    fn price_book(&self, no: i64) -> Result<Option<PriceBook>> {
        let Some(hash) = self.session.first(sql::PRICE_BOOK_HASH, params![no], |row| rows::hash(row, "price_book"))?
        else {
            return Ok(None);
        };
        if let Some(book) = self.books.get(&hash) {
            return Ok(Some(book));
        }
        let Some(stored) = lists::price_book_by_no(self.session, no)? else { return Ok(None) };
        let book = PriceBook::parse(&stored.text, &format!("price book {no} of the ledger"))
            .map_err(|error| Error::corrupt(format!("price_book {no} cannot be read: {error}")))?;
        if book.hash() != hash {
            return Err(Error::corrupt(format!("price_book {no} does not have the hash it is stored under")));
        }
        self.books.put(hash, book.clone());
        Ok(Some(book))
    }

    fn price_book_no(&self, hash: &Hash) -> Result<Option<i64>> {
        self.session.first(sql::PRICE_BOOK_NO, params![hash.as_bytes()], |row| rows::integer(row, "price_book"))
    }

    fn next_price_book_no(&self) -> Result<i64> {
        next_number(self.session, sql::PRICE_BOOK_NEXT_NO, "price_book")
    }

    fn device(&self, tag: i64) -> Result<Option<DeviceRow>> {
        self.session.first(sql::DEVICE_BY_TAG, params![tag], DeviceRow::read)
    }

    fn next_device_no(&self) -> Result<i64> {
        next_number(self.session, sql::DEVICE_NEXT_NO, "device")
    }

    fn beyond_devices(&self) -> Result<Option<(i64, OpKind)>> {
        let kinds = |after, page| {
            let bounds = params![after, limit(page)];
            self.session.walk(sql::OPERATION_KINDS, bounds, Some(after), |row| row.0, rows::number_and_kind)
        };
        let mut kinds = pages(0, 1024, kinds, |(seq, _)| *seq);
        kinds.find(|row| row.as_ref().map_or(true, |(_, kind)| !kind.is_on_device())).transpose()
    }

    fn base(&self, account: i64) -> Result<Option<BaseRow>> {
        self.session.base(account)
    }

    fn bases(&self, after: i64, page: usize) -> Result<Vec<BaseRow>> {
        let bounds = params![after, limit(page)];
        self.session.walk(sql::BASE_PAGE, bounds, Some(after), |row: &BaseRow| row.account, BaseRow::read)
    }

    fn received(&self, operation: i64, account: i64) -> Result<Option<String>> {
        self.session.first(sql::RECEIVED_LINE, params![operation, account], rows::line)
    }

    fn moves(&self, account: &AccountRow, after: i64) -> Result<BTreeSet<i64>> {
        let read = |Reverse(before): Reverse<i64>, page| {
            let bounds = params![account.no, before, limit(page)];
            self.session.walk(sql::ENTRIES_BOOKED, bounds, Some(Reverse(before)), |row| Reverse(row.0), rows::booked)
        };
        let newest = Reverse(account.entries.saturating_add(1));
        let mut found = BTreeSet::new();
        for row in pages(newest, 64, read, |row: &(i64, i64, EntryKind)| Reverse(row.0)) {
            let (_, operation, kind) = row?;
            if operation <= after {
                break;
            }
            if kind.arrives() {
                found.insert(operation);
            }
        }
        Ok(found)
    }

    fn foreign(&self, no: i64) -> Result<Option<ForeignRow>> {
        self.session.first(sql::FOREIGN_BY_NO, params![no], ForeignRow::read)
    }

    fn local(&self, id: &Uuid) -> Result<Option<i64>> {
        let read = |row: &Row<'_>| rows::integer(row, "foreign_id");
        self.session.first(sql::FOREIGN_BY_ID, params![id.as_bytes()], read)
    }
}

pub(super) fn next_number(session: &Session<'_>, sql: Statement, table: &'static str) -> Result<i64> {
    let number = session.first(sql, [], |row| rows::integer(row, table))?;
    number.ok_or_else(|| Error::corrupt(format!("{table}: no answer to the largest number")))
}

/// The first due thing not left out: what was just decided is not yet in the file.
fn first_due(
    session: &Session<'_>,
    sql: Statement,
    table: &'static str,
    from: (i64, i64),
    without: &BTreeSet<i64>,
) -> Result<Option<Instant>> {
    let (mut due, mut left) = (None, without.len());
    session.each(sql, from, |row| {
        let (at, key) = rows::due(row, table)?;
        // Each thing is there once: more than are left out cannot be passed over.
        if without.contains(&key) {
            left = left.checked_sub(1).ok_or_else(|| out_of_order(sql))?;
        }
        due = (!without.contains(&key)).then_some(at);
        Ok(due.is_none())
    })?;
    Ok(due)
}
