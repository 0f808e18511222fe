//! What is read out of rows that are of no one table, or of a part of one.

use rusqlite::Row;
use serde::Deserialize;

use super::columns::{Columns, RECEIVED, Referred};
use super::tables::{Table, operation};
use crate::engine::source::OperationHead;
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, BatchNo, ClockMark, ClockState, EntryKind, LedgerRow, OpKind, OperationRow, Role,
};
use crate::units::Instant;

pub(super) fn integer(row: &Row<'_>, table: &'static str) -> Result<i64> {
    Columns::new(table, row).integer()
}

/// A line that came from a hub.
pub(super) fn line(row: &Row<'_>) -> Result<String> {
    Columns::new("received", row).string(RECEIVED)
}

/// A line that an operation booked: its number, the operation, and what it is.
pub(super) fn booked(row: &Row<'_>) -> Result<(i64, i64, EntryKind)> {
    let mut c = Columns::new("entry", row);
    Ok((c.integer()?, c.integer()?, c.code(EntryKind::from_code)?))
}

pub(super) fn instant(row: &Row<'_>, table: &'static str) -> Result<Instant> {
    Columns::new(table, row).instant()
}

/// An instant and the key of the thing it belongs to.
pub(super) fn due(row: &Row<'_>, table: &'static str) -> Result<(Instant, i64)> {
    let mut columns = Columns::new(table, row);
    Ok((columns.instant()?, columns.integer()?))
}

/// When a plan's next period begins, which plan, and its account.
pub(super) fn behind(row: &Row<'_>) -> Result<(Instant, i64, i64)> {
    let mut columns = Columns::new("plan", row);
    Ok((columns.instant()?, columns.number()?, columns.number()?))
}

/// A batch that may still roll over, and its account.
pub(super) fn rolling(row: &Row<'_>) -> Result<(BatchNo, i64)> {
    let mut columns = Columns::new("rollover", row);
    Ok((columns.number()?, columns.number()?))
}

/// The key of an entry, and of what goes with one.
pub(super) fn account_and_number(row: &Row<'_>, table: &'static str) -> Result<(i64, i64)> {
    let mut columns = Columns::new(table, row);
    Ok((columns.integer()?, columns.integer()?))
}

/// Of an operation.
pub(super) fn number_and_kind(row: &Row<'_>) -> Result<(i64, OpKind)> {
    let mut columns = Columns::new("operation", row);
    Ok((columns.number()?, columns.code(OpKind::from_code)?))
}

/// An operation's chain and number.
pub(super) fn chain_and_number(row: &Row<'_>) -> Result<(i64, i64)> {
    let mut columns = Columns::new("operation", row);
    Ok((columns.count()?, columns.number()?))
}

/// What tells whether a device has to hear of an account.
#[derive(Debug, Clone)]
pub(crate) struct Concerned {
    pub(crate) account: i64,
    pub(crate) id: AccountId,
    /// The operation since which the device watches it; 0 where it hears of all.
    pub(crate) since: i64,
    pub(crate) steps_back: i64,
    pub(crate) last_booked_at: Instant,
    /// The newest operation that has a line in it; 0 when none has.
    pub(crate) newest: i64,
}

pub(super) fn concerned(row: &Row<'_>) -> Result<Concerned> {
    let mut columns = Columns::new("account", row);
    Ok(Concerned {
        account: columns.number()?,
        id: columns.account_id()?,
        since: columns.count()?,
        steps_back: columns.count()?,
        last_booked_at: columns.instant()?,
        newest: columns.optional_number()?.unwrap_or(0),
    })
}

/// A chain and a number in it, both 0 of what this file has booked itself.
pub(super) fn origin(row: &Row<'_>) -> Result<(i64, i64)> {
    let mut columns = Columns::new("operation", row);
    Ok((columns.count()?, columns.count()?))
}

pub(super) fn hash(row: &Row<'_>, table: &'static str) -> Result<Hash> {
    Columns::new(table, row).hash()
}

/// What a balance is made of while nothing has fallen due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) account: AccountRow,
    /// What the log says of the clock, but for doubts and certainty, and how far a reading may be past the newest accepted
    /// one, in seconds.
    pub(crate) clock: ClockState,
    pub(crate) max_clock_jump: i64,
    pub(crate) role: Role,
    /// The soonest expiry of live batches, and the points that expire then.
    pub(crate) next_expiry: Option<(Instant, i64)>,
}

pub(super) fn glance(row: &Row<'_>) -> Result<Glance> {
    let mut c = Columns::new("account", row);
    let account = AccountRow::from_columns(&mut c)?;
    let next_expiry = expiring(&mut c)?.map(|(at, points, _)| (at, points));
    let (accepted_at, steps_back, max_clock_jump) = (c.instant()?, c.count()?, c.number()?);
    let clock = ClockState { steps_back, ..ClockState::new(accepted_at) };
    let role = c.code(Role::from_code)?;
    Ok(Glance { account, clock, max_clock_jump, role, next_expiry })
}

/// When a batch expires, its points, and its place among those that expire with it.
type Expiring = (Instant, i64, (i64, BatchNo));

/// Of the same row.
pub(super) fn glance_batch(row: &Row<'_>) -> Result<Option<Expiring>> {
    expiring(&mut Columns::new("batch", row).at(AccountRow::COLUMNS))
}

fn expiring(c: &mut Columns<'_>) -> Result<Option<Expiring>> {
    let Some(at) = c.optional_instant()? else {
        c.skip(3);
        return Ok(None);
    };
    Ok(Some((at, c.points()?, (c.place()?, c.number()?))))
}

/// The ledger as its newest operation has left it.
pub(super) fn ledger(row: &Row<'_>) -> Result<LedgerRow> {
    let mut ledger = LedgerRow::read(row)?;
    let mut c = Columns::new("operation", row).at(LedgerRow::COLUMNS);
    c.skip(2); // The writer.
    let Some(seq) = c.optional_number()? else { return Ok(ledger) };
    let (hash, recorded_at, clock) = (c.hash()?, c.instant()?, c.code(ClockMark::from_code)?);
    ledger.clock.accepted_at = c.optional_instant()?.unwrap_or(recorded_at);
    ledger.clock.suspect_since = c.optional_instant()?.or((clock == ClockMark::Suspect).then_some(recorded_at));
    // The row is behind, or the tail of the log was cut: nothing takes a lost operation's number.
    if seq >= ledger.length {
        (ledger.head, ledger.length) = (hash, seq);
    }
    Ok(ledger)
}

pub(super) fn operation_head(row: &Row<'_>) -> Result<OperationHead> {
    let mut c = Columns::new("operation", row);
    Ok(OperationHead {
        seq: c.number()?,
        writer: c.writer()?,
        kind: c.code(OpKind::from_code)?,
        account: Some(c.count()?).filter(|account| *account != 0),
        points: c.points()?,
    })
}

/// What an operation drew, by its outcome; the operation's number stands before it.
pub(super) fn draws(row: &Row<'_>) -> Result<Vec<(BatchNo, i64)>> {
    /// Of an outcome, the rest of which nobody asks for here.
    #[derive(Default, Deserialize)]
    struct Drawn {
        #[serde(default)]
        draws: Vec<(BatchNo, i64)>,
    }
    let mut c = Columns::new("operation", row);
    c.number()?;
    let points = c.points()?;
    let Some(text) = c.outcome_text(points)? else { return Ok(Vec::new()) };
    c.json::<Drawn>(text).map(|drawn| drawn.draws)
}

/// Account, kind and number of an operation.
pub(super) fn key_use(row: &Row<'_>) -> Result<(i64, i64, i64)> {
    let mut c = Columns::new("operation", row);
    Ok((c.integer()?, c.integer()?, c.integer()?))
}

/// An operation without its outcome; `None` when its writer is not there.
pub(super) fn bare_operation(row: &Row<'_>, referred: &Referred) -> Option<Result<OperationRow>> {
    let no: i64 = row.get(operation::Column::writer as usize).ok()?;
    let columns = || Columns::new("operation", row).referring(referred);
    referred.writers.contains_key(&no).then(|| OperationRow::from_columns(&mut columns()))
}

/// The outcome of a bare operation of so many points, as its text.
pub(super) fn stored_outcome(row: &Row<'_>, points: i64) -> Result<Option<String>> {
    let mut c = Columns::new("operation", row).at(operation::Column::outcome as usize);
    Ok(c.outcome_text(points)?.map(str::to_string))
}

/// The hash of an operation that makes no sense otherwise.
pub(super) fn stored_hash(row: &Row<'_>) -> Option<Hash> {
    Columns::new("operation", row).at(operation::Column::hash as usize).hash().ok()
}

/// An account's number and id.
pub(super) fn account_name(row: &Row<'_>) -> Result<(i64, Option<AccountId>)> {
    let mut c = Columns::new("account", row);
    // An id that is none is named where the account is compared.
    Ok((c.integer()?, c.account_id().ok()))
}
