//! The one way to write the books. Foreign keys are checked at once, so the order is: price book, operation, then
//! [`apply`] (accounts, batches, holds, consumes, allocations, entries), and the ledger's row last.

use super::columns::LONG;
use super::{Session, read, sql};
use crate::engine::source::{Changes, HeardChanges, HubChanges};
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, BatchRow, EntryRow, LedgerRow, OperationRow, PriceBookRow, ReferenceRow, Writer, WriterRow,
};
use crate::pricing::PriceBook;

/// Writes everything an operation, or time, changed.
pub(crate) fn apply(session: &Session<'_>, changes: &Changes) -> Result<()> {
    changes.new_accounts.iter().try_for_each(|row| insert_account(session, row))?;
    changes.accounts.iter().try_for_each(|row| session.set_account(row))?;
    changes.new_batches.iter().try_for_each(|row| insert_batch(session, row))?;
    changes.batches.iter().try_for_each(|row| update_batch(session, row))?;
    session.write_all(&sql::PLAN_INSERT, &changes.new_plans)?;
    changes.plans.iter().try_for_each(|row| one(session.write(&sql::PLAN_UPDATE, row)?, "plan", row.operation))?;
    session.write_all(&sql::HOLD_INSERT, &changes.new_holds)?;
    changes.holds.iter().try_for_each(|row| one(session.write(&sql::HOLD_UPDATE, row)?, "hold", row.operation))?;
    session.write_all(&sql::CONSUME_INSERT, &changes.new_consumes)?;
    changes
        .consumes
        .iter()
        .try_for_each(|row| one(session.write(&sql::CONSUME_UPDATE, row)?, "consume", row.operation))?;
    session.write_all(&sql::ALLOCATION_INSERT, &changes.new_allocations)?;
    let returned = |row| session.write(&sql::ALLOCATION_UPDATE, row);
    changes.allocations.iter().try_for_each(|row| one(returned(row)?, "allocation of", row.owner))?;
    session.write_all(&sql::ALLOTMENT_INSERT, &changes.new_allotments)?;
    let changed = |row| session.write(&sql::ALLOTMENT_UPDATE, row);
    changes.allotments.iter().try_for_each(|row| one(changed(row)?, "allotment", row.operation))?;
    changes.entries.iter().try_for_each(|row| insert_entry(session, row))?;
    session.write_all(&sql::DEVICE_PUT, &changes.devices)?;
    session.write_all(&sql::STRETCH_INSERT, &changes.new_stretches)?;
    changes.hub.as_ref().map_or(Ok(()), |hub| apply_links(session, hub))?;
    changes.heard.iter().try_for_each(|heard| replace(session, heard))
}

/// Writes what a device heard of its hub.
fn replace(session: &Session<'_>, heard: &HeardChanges) -> Result<()> {
    for row in &heard.batches {
        session.forget_front(row.account)?;
        one(session.write(&sql::BATCH_REPLACE, row)?, "batch", row.no)?;
        row.rollover.iter().try_for_each(|row| session.write(&sql::ROLLOVER_PUT, row).map(drop))?;
    }
    let plan = |row| session.write(&sql::PLAN_REPLACE, row);
    heard.plans.iter().try_for_each(|row| one(plan(row)?, "plan", row.operation))?;
    let hold = |row| session.write(&sql::HOLD_REPLACE, row);
    heard.holds.iter().try_for_each(|row| one(hold(row)?, "hold", row.operation))?;
    let consume = |row| session.write(&sql::CONSUME_REPLACE, row);
    heard.consumes.iter().try_for_each(|row| one(consume(row)?, "consume", row.operation))?;
    let allocation = |row| session.write(&sql::ALLOCATION_REPLACE, row);
    heard.allocations.iter().try_for_each(|row| one(allocation(row)?, "allocation of", row.owner))?;
    let allotment = |row| session.write(&sql::ALLOTMENT_REPLACE, row);
    heard.allotments.iter().try_for_each(|row| one(allotment(row)?, "allotment", row.operation))?;
    heard.bases.iter().try_for_each(|row| session.put_base(row))?;
    session.write_all(&sql::RECEIVED_INSERT, &heard.received)?;
    session.write_all(&sql::FOREIGN_INSERT, &heard.foreign)
}

fn apply_links(session: &Session<'_>, changes: &HubChanges) -> Result<()> {
    session.write_all(&sql::CHAIN_INSERT, &changes.new_chains)?;
    session.write_all(&sql::LINK_INSERT, &changes.new_links)?;
    session.write_all(&sql::STAGED_PUT, &changes.staged)?;
    session.write_all(&sql::FLAG_PUT, &changes.flags)?;
    session.write_all(&sql::WATCH_INSERT, &changes.new_watches)
}

/// A change must meet the row it was decided on.
fn one(changed: usize, table: &str, key: i64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(missing(table, key)) }
}

pub(super) fn missing(table: &str, key: i64) -> Error {
    Error::corrupt(format!("{table} {key} is not there to be changed"))
}

fn insert_account(session: &Session<'_>, row: &AccountRow) -> Result<()> {
    session.write(&sql::ACCOUNT_INSERT, row)?;
    session.keep_account(row);
    Ok(())
}

/// The columns that have changed, by the narrowest statement.
pub(super) fn update_account(session: &Session<'_>, row: &AccountRow, changed: u32) -> Result<()> {
    let narrow = [&sql::ACCOUNT_CHARGE, &sql::ACCOUNT_UPDATE].into_iter().find(|change| change.covers(changed));
    one(session.write(narrow.unwrap_or(&sql::ACCOUNT_UPDATE_DUE), row)?, "account", row.no)
}

fn insert_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    session.forget_front(row.account)?;
    session.write(&sql::BATCH_INSERT, row)?;
    row.rollover.iter().try_for_each(|row| session.write(&sql::ROLLOVER_INSERT, row).map(drop))
}

/// A charge of a batch that stays live.
pub(super) fn debit_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    one(session.write(&sql::BATCH_DEBIT, row)?, "batch", row.no)
}

fn update_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    if session.debits_front(row)? {
        return Ok(());
    }
    session.forget_front(row.account)?;
    change_batch(session, row)?;
    // More rolls only of what has moved.
    row.rollover.iter().try_for_each(|row| one(session.write(&sql::ROLLOVER_UPDATE, row)?, "rollover", row.batch))
}

fn change_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    if row.is_live() && session.write(&sql::BATCH_UPDATE, row)? == 1 {
        return Ok(());
    }
    // One that is not live has most likely just ceased to be.
    let spent = row.active && [row.remaining, row.held, row.revoked, row.moved, row.owed] == [0; 5];
    if spent && session.write(&sql::BATCH_SPEND, row)? == 1 {
        return Ok(());
    }
    one(session.write(&sql::BATCH_UPDATE_INDEXED, row)?, "batch", row.no)
}

fn insert_entry(session: &Session<'_>, row: &EntryRow) -> Result<()> {
    session.write(&sql::ENTRY_INSERT, row)?;
    let movements = session.bytes.borrow();
    if movements.len() > LONG {
        session.change(sql::LONG_MOVEMENTS_INSERT, (row.account, row.n, movements.as_slice()))?;
    }
    let (kind, account, n) = (row.kind.code(), row.account, row.n);
    for operation in row.touches() {
        session.write(&sql::REFERENCE_INSERT, &ReferenceRow { operation, kind, account, n })?;
    }
    Ok(())
}

/// Appends an operation. `false`: its key is taken, and nothing was written.
pub(crate) fn append_operation(session: &Session<'_>, row: &OperationRow) -> Result<bool> {
    Ok(session.write(&sql::OPERATION_INSERT, row)? == 1)
}

/// Stores a price book's text, before the first operation booked under it.
pub(crate) fn insert_price_book(session: &Session<'_>, no: i64, book: &PriceBook) -> Result<()> {
    let row = PriceBookRow { no, hash: book.hash(), text: book.text().to_string() };
    session.write(&sql::PRICE_BOOK_INSERT, &row).map(drop)
}

/// A new writer (at creation, and when a restore renews the epoch); its number.
pub(crate) fn add_writer(session: &Session<'_>, writer: Writer, since: i64) -> Result<i64> {
    let no = read::next_number(session, sql::WRITER_NEXT_NO, "writer")?;
    session.write(&sql::WRITER_INSERT, &WriterRow { no, writer, since })?;
    Ok(no)
}

/// The one row of a new file.
pub(crate) fn insert_ledger(session: &Session<'_>, row: &LedgerRow) -> Result<()> {
    session.write(&sql::LEDGER_INSERT, row).map(drop)
}

pub(super) fn update_ledger(session: &Session<'_>, row: &LedgerRow) -> Result<()> {
    one(session.write(&sql::LEDGER_UPDATE, row)?, "ledger", 1)
}

/// Names the newest operation in the ledger's row. Writes nothing when that is so already.
pub(crate) fn write_head(session: &Session<'_>) -> Result<()> {
    session.change(sql::LEDGER_HEAD, []).map(drop)
}
