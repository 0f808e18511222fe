//! The one way to write the books. Foreign keys are checked at once, so the order is: price book, operation, then
//! [`apply`] (accounts, batches, holds, consumes, allocations, entries), and the ledger's row last.
//!
//! The statements of a charge get their parameters as tuples: bound by type, at two thirds of the cost of a list.

use rusqlite::{params, params_from_iter};

use super::{Session, read, sql};
use crate::engine::source::Changes;
use crate::error::{Error, Result};
use crate::model::{
    AccountRow, AllocationRow, BatchRow, ClockMark, ConsumeRow, EntryRow, HoldRow, LedgerRow, OperationRow, Outcome,
    StretchRow, Writer, encode,
};
use crate::pricing::PriceBook;
use crate::units::Instant;

/// What of a cached row is not written yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dirty {
    Clean,
    /// The few columns that every charge changes.
    Few,
    /// Columns no index is made of.
    Plain,
    All,
}

/// Writes everything an operation, or time, changed.
pub(crate) fn apply(session: &Session<'_>, changes: &Changes) -> Result<()> {
    changes.new_accounts.iter().try_for_each(|row| insert_account(session, row))?;
    changes.accounts.iter().try_for_each(|row| session.set_account(row))?;
    changes.new_batches.iter().try_for_each(|row| insert_batch(session, row))?;
    changes.batches.iter().try_for_each(|row| update_batch(session, row))?;
    changes.new_holds.iter().try_for_each(|row| insert_hold(session, row))?;
    changes.holds.iter().try_for_each(|row| update_hold(session, row))?;
    changes.new_consumes.iter().try_for_each(|row| insert_consume(session, row))?;
    changes.consumes.iter().try_for_each(|row| update_consume(session, row))?;
    changes.new_allocations.iter().try_for_each(|row| insert_allocation(session, row))?;
    changes.allocations.iter().try_for_each(|row| update_allocation(session, row))?;
    changes.entries.iter().try_for_each(|row| insert_entry(session, row))?;
    changes.new_stretches.iter().try_for_each(|row| insert_stretch(session, row))
}

/// A change must meet the row it was decided on.
fn one(changed: usize, table: &str, key: i64) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(missing(table, key)) }
}

pub(super) fn missing(table: &str, key: i64) -> Error {
    Error::corrupt(format!("{table} {key} is not there to be changed"))
}

fn millis(at: Option<Instant>) -> Option<i64> {
    at.map(Instant::millis)
}

fn insert_account(session: &Session<'_>, row: &AccountRow) -> Result<()> {
    let (b, t) = (&row.balances, &row.totals);
    let params = params![
        row.no,
        row.id.as_str(),
        row.state.code(),
        row.credit_limit,
        b.available,
        b.held,
        b.pending,
        b.debt,
        row.unbacked,
        t.recharged,
        t.consumed,
        t.refunded,
        t.expired,
        t.reinstated,
        t.revoked,
        t.clawed_back,
        t.written_off,
        t.moved_in,
        t.moved_out,
        row.entries,
        row.last_booked_at.millis(),
        row.steps_back,
        millis(row.next_due_at),
    ];
    session.change(sql::ACCOUNT_INSERT, params)?;
    session.keep_account(row);
    Ok(())
}

/// The columns that have changed, by the narrowest statement.
pub(super) fn update_account(session: &Session<'_>, row: &AccountRow, dirty: Dirty) -> Result<()> {
    let (b, t) = (&row.balances, &row.totals);
    let (entries, booked_at) = (row.entries, row.last_booked_at.millis());
    let changed = if dirty == Dirty::Few {
        let params = (row.no, b.available, b.debt, t.consumed, entries, booked_at);
        session.change(sql::ACCOUNT_CHARGE, params)?
    } else {
        let values = [
            row.no,
            row.state.code(),
            row.credit_limit,
            b.available,
            b.held,
            b.pending,
            b.debt,
            row.unbacked,
            t.recharged,
            t.consumed,
            t.refunded,
            t.expired,
            t.reinstated,
            t.revoked,
            t.clawed_back,
            t.written_off,
            t.moved_in,
            t.moved_out,
            entries,
            booked_at,
            row.steps_back,
        ];
        if dirty == Dirty::Plain {
            session.change(sql::ACCOUNT_UPDATE, params_from_iter(values))?
        } else {
            let values = values.into_iter().map(Some).chain([millis(row.next_due_at)]);
            session.change(sql::ACCOUNT_UPDATE_DUE, params_from_iter(values))?
        }
    };
    one(changed, "account", row.no)
}

fn insert_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    let params = params![
        row.no,
        row.account,
        row.source,
        row.promo,
        row.priority,
        row.amount,
        row.remaining,
        row.held,
        row.used,
        row.expired,
        row.revoked,
        row.moved,
        row.owed,
        row.effective_at.millis(),
        row.dated,
        millis(row.expires_at),
        row.active,
        row.from_batch,
        row.is_live(),
        millis(row.due_at()),
    ];
    session.forget_front(row.account)?;
    session.change(sql::BATCH_INSERT, params).map(drop)
}

/// A charge of a batch that stays live.
pub(super) fn debit_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    one(session.change(sql::BATCH_DEBIT, (row.no, row.remaining, row.used))?, "batch", row.no)
}

fn update_batch(session: &Session<'_>, row: &BatchRow) -> Result<()> {
    if session.debits_front(row)? {
        return Ok(());
    }
    session.forget_front(row.account)?;
    let run = |sql| {
        let params = params![
            row.no,
            row.remaining,
            row.held,
            row.used,
            row.revoked,
            row.moved,
            row.owed,
            row.expired,
            millis(row.expires_at),
            row.active,
            row.is_live(),
            millis(row.due_at()),
        ];
        session.change(sql, params)
    };
    if row.is_live() && run(sql::BATCH_UPDATE)? == 1 {
        return Ok(());
    }
    // One that is not live has most likely just ceased to be.
    let spent = row.active && [row.remaining, row.held, row.revoked, row.moved, row.owed] == [0; 5];
    let params = (row.no, row.used, row.expired, millis(row.expires_at));
    if spent && session.change(sql::BATCH_SPEND, params)? == 1 {
        return Ok(());
    }
    one(run(sql::BATCH_UPDATE_INDEXED)?, "batch", row.no)
}

fn insert_hold(session: &Session<'_>, row: &HoldRow) -> Result<()> {
    let (deadline, phase) = (row.deadline.millis(), row.phase.code());
    let params =
        params![row.operation, row.account, row.points, row.unbacked, deadline, phase, row.service, row.price_book];
    session.change(sql::HOLD_INSERT, params).map(drop)
}

fn update_hold(session: &Session<'_>, row: &HoldRow) -> Result<()> {
    let params = params![row.operation, row.deadline.millis(), row.phase.code()];
    one(session.change(sql::HOLD_UPDATE, params)?, "hold", row.operation)
}

fn insert_consume(session: &Session<'_>, row: &ConsumeRow) -> Result<()> {
    let params =
        params![row.operation, row.account, row.points, row.open, row.refunded, row.written_off, row.clawback_of];
    session.change(sql::CONSUME_INSERT, params).map(drop)
}

fn update_consume(session: &Session<'_>, row: &ConsumeRow) -> Result<()> {
    let params = params![row.operation, row.open, row.refunded, row.written_off];
    one(session.change(sql::CONSUME_UPDATE, params)?, "consume", row.operation)
}

fn insert_allocation(session: &Session<'_>, row: &AllocationRow) -> Result<()> {
    let params = params![row.owner, row.rank, row.batch, row.points, row.returned];
    session.change(sql::ALLOCATION_INSERT, params).map(drop)
}

fn update_allocation(session: &Session<'_>, row: &AllocationRow) -> Result<()> {
    one(session.change(sql::ALLOCATION_UPDATE, params![row.owner, row.rank, row.returned])?, "allocation of", row.owner)
}

/// The longest movements that an entry keeps itself, in bytes.
const LONG: usize = 100;

fn insert_entry(session: &Session<'_>, row: &EntryRow) -> Result<()> {
    let mut movements = session.bytes.borrow_mut();
    movements.clear();
    encode(&row.movements, &mut movements);
    let movements = movements.as_slice();
    let (here, long) = if movements.len() > LONG { (None, Some(movements)) } else { (Some(movements), None) };
    let params = (
        row.account,
        row.n,
        row.kind.code(),
        row.operation,
        row.booked_at.millis(),
        row.points,
        here,
        row.after.available,
        row.after.held,
        row.after.pending,
        row.after.debt,
        row.batch,
    );
    session.change(sql::ENTRY_INSERT, params)?;
    if let Some(long) = long {
        session.change(sql::LONG_MOVEMENTS_INSERT, (row.account, row.n, long))?;
    }
    for operation in row.touches() {
        session.change(sql::REFERENCE_INSERT, (operation, row.kind.code(), row.account, row.n))?;
    }
    Ok(())
}

fn insert_stretch(session: &Session<'_>, row: &StretchRow) -> Result<()> {
    session.change(sql::STRETCH_INSERT, params![row.account, row.n, row.booked_at.millis()]).map(drop)
}

/// Appends an operation booked by the writer with this number (`LedgerRow::writer`). `false`: its key is taken, and nothing
/// was written.
pub(crate) fn append_operation(session: &Session<'_>, writer: i64, row: &OperationRow) -> Result<bool> {
    let outcome = if row.outcome == Outcome::default() {
        None
    } else {
        let text = serde_json::to_string(&row.outcome);
        Some(text.map_err(|error| Error::storage(format!("the outcome cannot be written: {error}")))?)
    };
    let params = (
        row.seq,
        writer,
        row.kind.code(),
        row.account.as_ref().map_or(0, |(no, _)| *no),
        row.key.as_str(),
        row.recorded_at.millis(),
        row.booked_at.millis(),
        row.clock.code(),
        row.points,
        row.price_book.map(|(no, _)| no),
        row.rules_version,
        row.body.as_str(),
        outcome,
        row.entry,
        row.hash,
    );
    // What the reading says stands in no column.
    let accepted_at = Some(row.accepted_at).filter(|at| *at != row.recorded_at);
    let is_first = |since: &Instant| row.clock == ClockMark::Suspect && *since == row.recorded_at;
    let suspect_since = row.suspect_since.filter(|since| !is_first(since));
    if accepted_at.is_none() && suspect_since.is_none() {
        return Ok(session.change(sql::OPERATION_INSERT, params)? == 1);
    }
    let (
        seq,
        writer,
        kind,
        account,
        key,
        recorded_at,
        booked_at,
        clock,
        points,
        book,
        rules,
        body,
        outcome,
        entry,
        hash,
    ) = params;
    let params = params![
        seq,
        writer,
        kind,
        account,
        key,
        recorded_at,
        booked_at,
        clock,
        points,
        book,
        rules,
        body,
        outcome,
        entry,
        hash,
        millis(accepted_at),
        millis(suspect_since),
    ];
    Ok(session.change(sql::OPERATION_INSERT_CLOCK, params)? == 1)
}

/// Stores a price book's text, before the first operation booked under it.
pub(crate) fn insert_price_book(session: &Session<'_>, no: i64, book: &PriceBook) -> Result<()> {
    session.change(sql::PRICE_BOOK_INSERT, params![no, book.hash(), book.text()]).map(drop)
}

/// A new writer (at creation, and when a restore renews the epoch); its number.
pub(crate) fn add_writer(session: &Session<'_>, writer: Writer, since: i64) -> Result<i64> {
    let no = read::next_number(session, sql::WRITER_NEXT_NO, "writer")?;
    session.change(sql::WRITER_INSERT, params![no, writer.device.as_bytes().as_slice(), writer.epoch, since])?;
    Ok(no)
}

/// The one row of a new file.
pub(crate) fn insert_ledger(session: &Session<'_>, row: &LedgerRow) -> Result<()> {
    let s = &row.settings;
    let params = params![
        row.id.as_bytes().as_slice(),
        row.created_at.millis(),
        row.writer.0,
        millis(row.clock.trusted_at),
        row.clock.steps_back,
        s.explicit_accounts,
        s.late_window,
        s.max_hold,
        s.max_clock_jump,
        s.clock_patience,
        row.head,
        row.length,
    ];
    session.change(sql::LEDGER_INSERT, params).map(drop)
}

/// Writer, settings, and what of the clock the newest operation does not tell; the identity never changes.
pub(super) fn update_ledger(session: &Session<'_>, row: &LedgerRow) -> Result<()> {
    let s = &row.settings;
    let params = params![
        row.writer.0,
        millis(row.clock.trusted_at),
        row.clock.steps_back,
        s.explicit_accounts,
        s.late_window,
        s.max_hold,
        s.max_clock_jump,
        s.clock_patience,
    ];
    one(session.change(sql::LEDGER_UPDATE, params)?, "ledger", 1)
}

/// Names the newest operation in the ledger's row. Writes nothing when that is so already.
pub(crate) fn write_head(session: &Session<'_>) -> Result<()> {
    session.change(sql::LEDGER_HEAD, []).map(drop)
}
