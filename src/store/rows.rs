//! SQL rows ↔ the model's rows. A value out of its range is reported as damage, with its table and column.

mod operation;

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::db::sqlite_error;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AccountState, AllocationRow, Balances, BatchNo, BatchRow, ClockMark, ClockState, ConsumeRow,
    EntryKind, EntryRow, HoldPhase, HoldRow, LedgerRow, Movement, Outcome, ReferenceRow, Settings, StretchRow,
    TotalsRow, Writer, changes, decode,
};
use crate::pricing::MAX_BOOK_BYTES;
use crate::units::{Instant, MAX_POINTS};
pub(crate) use operation::Referred;
pub(super) use operation::{
    STORED_WRITER, account_name, bare_operation, draws, key_use, operation, operation_head, stored_outcome,
};

/// Longest name of an account, a key, a source or a service, in bytes.
const NAME: usize = 128;
/// More than the longest inputs of an operation come to, every sign of them escaped.
const BODY: usize = 64 << 10;
/// The same of an outcome, but for the batches it lists: no more than points, each within so many bytes.
const OUTCOME: usize = 16 << 10;
const OUTCOME_PART: usize = 64;
/// More than an operation comes to that touches a million batches.
const MOVEMENTS: usize = 32 << 20;

impl ToSql for Hash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_bytes().as_slice().into())
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Hash::from)
    }
}

/// Reads the columns of a row one after the other.
struct Columns<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    next: usize,
}

impl<'r> Columns<'r> {
    fn new(table: &'static str, row: &'r Row<'r>) -> Self {
        Columns { row, table, next: 0 }
    }

    fn value(&mut self) -> Result<ValueRef<'r>> {
        let at = self.next;
        self.next = self.next.saturating_add(1);
        self.row.get_ref(at).map_err(sqlite_error)
    }

    /// Damage in the column read last.
    fn wrong(&self, what: &str) -> Error {
        let at = self.next.saturating_sub(1);
        let column = self.row.as_ref().column_name(at).unwrap_or("?");
        Error::corrupt(format!("{}.{column} {what}", self.table))
    }

    // As short as `within`, and for the same reason.
    #[inline]
    fn optional_integer(&mut self) -> Result<Option<i64>> {
        let found = match self.row.get_ref(self.next) {
            Ok(ValueRef::Integer(number)) => Some(number),
            Ok(ValueRef::Null) => None,
            _ => return self.no_integer(),
        };
        self.next = self.next.saturating_add(1);
        Ok(found)
    }

    #[cold]
    fn no_integer(&mut self) -> Result<Option<i64>> {
        self.value()?;
        Err(self.wrong("is not an integer"))
    }

    fn integer(&mut self) -> Result<i64> {
        self.optional_integer()?.ok_or_else(|| self.wrong("is missing"))
    }

    // A charge and a balance read dozens of these: the good case is short and in line.
    #[inline]
    fn within(&mut self, low: i64, high: i64) -> Result<i64> {
        if let Ok(ValueRef::Integer(number)) = self.row.get_ref(self.next)
            && (low..=high).contains(&number)
        {
            self.next = self.next.saturating_add(1);
            return Ok(number);
        }
        self.outside(low, high)
    }

    #[cold]
    fn outside(&mut self, low: i64, high: i64) -> Result<i64> {
        let number = self.integer()?;
        Err(self.wrong(&format!("is {number}, outside {low} to {high}")))
    }

    /// A running number or a total.
    fn count(&mut self) -> Result<i64> {
        self.within(0, i64::MAX)
    }

    fn number(&mut self) -> Result<i64> {
        self.within(1, i64::MAX)
    }

    fn optional_number(&mut self) -> Result<Option<i64>> {
        match self.optional_integer()? {
            Some(number) if number < 1 => Err(self.wrong(&format!("is {number}"))),
            number => Ok(number),
        }
    }

    fn points(&mut self) -> Result<i64> {
        self.within(0, MAX_POINTS)
    }

    fn flag(&mut self) -> Result<bool> {
        Ok(self.within(0, 1)? == 1)
    }

    fn instant(&mut self) -> Result<Instant> {
        self.within(Instant::MIN.millis(), Instant::MAX.millis()).map(Instant::clamped)
    }

    fn optional_instant(&mut self) -> Result<Option<Instant>> {
        let Some(millis) = self.optional_integer()? else { return Ok(None) };
        let instant = Instant::clamped(millis);
        if instant.millis() == millis {
            Ok(Some(instant))
        } else {
            Err(self.wrong(&format!("is {millis}, no instant")))
        }
    }

    fn code<T>(&mut self, from: impl Fn(i64) -> Option<T>) -> Result<T> {
        let code = self.integer()?;
        from(code).ok_or_else(|| self.wrong(&format!("is {code}, which means nothing")))
    }

    /// A text of at most so many bytes: a forged one that is longer costs nobody the memory.
    fn optional_text(&mut self, most: usize) -> Result<Option<&'r str>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) if bytes.len() > most => {
                Err(self.wrong(&format!("has {} bytes, more than {most}", bytes.len())))
            }
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| self.wrong("is not UTF-8")),
            _ => Err(self.wrong("is not text")),
        }
    }

    fn text(&mut self, most: usize) -> Result<&'r str> {
        self.optional_text(most)?.ok_or_else(|| self.wrong("is missing"))
    }

    fn optional_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => {
                <[u8; N]>::try_from(bytes).map(Some).map_err(|_| self.wrong(&format!("has not {N} bytes")))
            }
            _ => Err(self.wrong("is not a blob")),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.optional_bytes()?.ok_or_else(|| self.wrong("is missing"))
    }

    fn movements(&mut self) -> Result<Vec<Movement>> {
        match self.value()? {
            ValueRef::Blob(bytes) if bytes.len() > MOVEMENTS => {
                Err(self.wrong(&format!("has {} bytes, more than {MOVEMENTS}", bytes.len())))
            }
            ValueRef::Blob(bytes) => decode(bytes).ok_or_else(|| self.wrong("are not movements")),
            ValueRef::Null => Err(Error::corrupt("entry.movements are neither there nor in long_movements")),
            _ => Err(self.wrong("is not a blob")),
        }
    }

    fn hash(&mut self) -> Result<Hash> {
        self.bytes().map(Hash::from)
    }

    fn uuid(&mut self) -> Result<Uuid> {
        self.bytes().map(Uuid::from_bytes)
    }

    fn optional_account_id(&mut self) -> Result<Option<AccountId>> {
        let Some(text) = self.optional_text(NAME)? else { return Ok(None) };
        AccountId::new(text).map(Some).map_err(|_| self.wrong("is no account id"))
    }

    fn account_id(&mut self) -> Result<AccountId> {
        self.optional_account_id()?.ok_or_else(|| self.wrong("is missing"))
    }

    fn writer(&mut self) -> Result<Writer> {
        Ok(Writer { device: self.uuid()?, epoch: self.within(1, (1 << 28) - 1)? })
    }

    /// What an operation of so many points came to, as stored.
    fn outcome_text(&mut self, points: i64) -> Result<Option<&'r str>> {
        let parts = usize::try_from(points).unwrap_or(0).saturating_mul(OUTCOME_PART);
        self.optional_text(OUTCOME.saturating_add(parts))
    }

    fn outcome(&mut self, points: i64) -> Result<Outcome> {
        match self.outcome_text(points)? {
            None => Ok(Outcome::default()),
            Some(text) => serde_json::from_str(text).map_err(|error| self.wrong(&format!("cannot be read: {error}"))),
        }
    }

    fn balances(&mut self, read: impl Fn(&mut Self) -> Result<i64>) -> Result<Balances> {
        Ok(Balances { available: read(self)?, held: read(self)?, pending: read(self)?, debt: read(self)? })
    }
}

pub(super) fn integer(row: &Row<'_>, table: &'static str) -> Result<i64> {
    Columns::new(table, row).integer()
}

pub(super) fn instant(row: &Row<'_>, table: &'static str) -> Result<Instant> {
    Columns::new(table, row).instant()
}

/// An instant and the key of the thing it belongs to.
pub(super) fn due(row: &Row<'_>, table: &'static str) -> Result<(Instant, i64)> {
    let mut columns = Columns::new(table, row);
    Ok((columns.instant()?, columns.integer()?))
}

/// The key of an entry, and of what goes with one.
pub(super) fn account_and_number(row: &Row<'_>, table: &'static str) -> Result<(i64, i64)> {
    let mut columns = Columns::new(table, row);
    Ok((columns.integer()?, columns.integer()?))
}

pub(super) fn reference(row: &Row<'_>) -> Result<ReferenceRow> {
    let mut c = Columns::new("reference", row);
    Ok(ReferenceRow { operation: c.integer()?, kind: c.integer()?, account: c.integer()?, n: c.integer()? })
}

pub(super) fn hash(row: &Row<'_>, table: &'static str) -> Result<Hash> {
    Columns::new(table, row).hash()
}

pub(super) fn account(row: &Row<'_>) -> Result<AccountRow> {
    Columns::new("account", row).account()
}

/// What a balance is made of while nothing has fallen due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) account: AccountRow,
    /// What the log says of the clock, but for doubts and certainty, and how far a reading may be past the newest accepted
    /// one, in seconds.
    pub(crate) clock: ClockState,
    pub(crate) max_clock_jump: i64,
    /// The soonest expiry of live batches, and the points that expire then.
    pub(crate) next_expiry: Option<(Instant, i64)>,
}

/// The column before which the row tells of the account and the clock, and of when the batch expires.
const GLANCE_BATCH: usize = 27;

pub(super) fn glance(row: &Row<'_>) -> Result<Glance> {
    let mut c = Columns::new("account", row);
    let account = c.account()?;
    let (accepted_at, steps_back, max_clock_jump) = (c.instant()?, c.count()?, c.number()?);
    let clock = ClockState { steps_back, ..ClockState::new(accepted_at) };
    let next_expiry = match c.optional_instant()? {
        Some(at) => Some((at, c.points()?)),
        None => None,
    };
    Ok(Glance { account, clock, max_clock_jump, next_expiry })
}

/// The last columns of the same row: the points of a batch, and its number.
pub(super) fn glance_batch(row: &Row<'_>) -> Result<(i64, BatchNo)> {
    let mut c = Columns { next: GLANCE_BATCH, ..Columns::new("batch", row) };
    Ok((c.points()?, c.number()?))
}

impl Columns<'_> {
    fn account(&mut self) -> Result<AccountRow> {
        let c = self;
        Ok(AccountRow {
            no: c.number()?,
            id: c.account_id()?,
            state: c.code(AccountState::from_code)?,
            credit_limit: c.points()?,
            balances: c.balances(Columns::points)?,
            unbacked: c.count()?,
            totals: TotalsRow {
                recharged: c.count()?,
                consumed: c.count()?,
                refunded: c.count()?,
                expired: c.count()?,
                reinstated: c.count()?,
                revoked: c.count()?,
                clawed_back: c.count()?,
                written_off: c.count()?,
                moved_in: c.count()?,
                moved_out: c.count()?,
            },
            entries: c.count()?,
            last_booked_at: c.instant()?,
            steps_back: c.count()?,
            next_due_at: c.optional_instant()?,
        })
    }
}

pub(super) fn batch(row: &Row<'_>) -> Result<BatchRow> {
    let mut c = Columns::new("batch", row);
    Ok(BatchRow {
        no: c.number()?,
        account: c.number()?,
        source: c.text(NAME)?.into(),
        promo: c.flag()?,
        priority: c.within(0, 1000)?,
        amount: c.points()?,
        remaining: c.points()?,
        held: c.points()?,
        used: c.points()?,
        expired: c.points()?,
        revoked: c.points()?,
        moved: c.points()?,
        owed: c.points()?,
        effective_at: c.instant()?,
        dated: c.flag()?,
        expires_at: c.optional_instant()?,
        active: c.flag()?,
        from_batch: c.optional_number()?,
    })
}

pub(super) fn hold(row: &Row<'_>) -> Result<HoldRow> {
    let mut c = Columns::new("hold", row);
    Ok(HoldRow {
        operation: c.number()?,
        account: c.number()?,
        points: c.points()?,
        unbacked: c.points()?,
        deadline: c.instant()?,
        phase: c.code(HoldPhase::from_code)?,
        service: c.optional_text(NAME)?.map(str::to_string),
        price_book: c.optional_number()?,
    })
}

pub(super) fn consume(row: &Row<'_>) -> Result<ConsumeRow> {
    let mut c = Columns::new("consume", row);
    Ok(ConsumeRow {
        operation: c.number()?,
        account: c.number()?,
        points: c.points()?,
        open: c.points()?,
        refunded: c.points()?,
        written_off: c.points()?,
        clawback_of: c.optional_number()?,
    })
}

pub(super) fn allocation(row: &Row<'_>) -> Result<AllocationRow> {
    let mut c = Columns::new("allocation", row);
    Ok(AllocationRow {
        owner: c.number()?,
        rank: c.number()?,
        batch: c.number()?,
        points: c.points()?,
        returned: c.points()?,
    })
}

pub(super) fn entry(row: &Row<'_>) -> Result<EntryRow> {
    let mut c = Columns::new("entry", row);
    let (account, n, kind) = (c.number()?, c.number()?, c.code(EntryKind::from_code)?);
    let (operation, booked_at, points) = (c.optional_number()?, c.instant()?, c.points()?);
    let movements = c.movements()?;
    let (change, expired) = changes(&movements).map_err(|_| c.wrong("comes to more than points go"))?;
    let (after, batch) = (c.balances(Columns::points)?, c.optional_number()?);
    Ok(EntryRow { account, n, kind, operation, booked_at, points, batch, movements, change, expired, after })
}

pub(super) fn stretch(row: &Row<'_>) -> Result<StretchRow> {
    let mut c = Columns::new("stretch", row);
    Ok(StretchRow { account: c.number()?, n: c.number()?, booked_at: c.instant()? })
}

/// A price book's text as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceBookRow {
    pub(crate) no: i64,
    pub(crate) hash: Hash,
    pub(crate) text: String,
}

pub(super) fn price_book(row: &Row<'_>) -> Result<PriceBookRow> {
    let mut c = Columns::new("price_book", row);
    Ok(PriceBookRow { no: c.number()?, hash: c.hash()?, text: c.text(MAX_BOOK_BYTES)?.to_string() })
}

/// Number, writer, and the sequence number it began at.
pub(super) fn writer(row: &Row<'_>) -> Result<(i64, Writer, i64)> {
    let mut c = Columns::new("writer", row);
    Ok((c.number()?, c.writer()?, c.number()?))
}

/// The ledger as its newest operation has left it.
pub(super) fn ledger(row: &Row<'_>) -> Result<LedgerRow> {
    let mut ledger = stored_ledger(row)?;
    let mut c = Columns { next: NEWEST, ..Columns::new("operation", row) };
    let Some(seq) = c.optional_number()? else { return Ok(ledger) };
    let (hash, recorded_at, clock) = (c.hash()?, c.instant()?, c.code(ClockMark::from_code)?);
    (ledger.clock.accepted_at, ledger.clock.suspect_since) = c.accepted(recorded_at, clock)?;
    // The row is behind, or the tail of the log was cut: nothing takes a lost operation's number.
    if seq >= ledger.length {
        (ledger.head, ledger.length) = (hash, seq);
    }
    Ok(ledger)
}

/// Where the same row tells of the newest operation.
const NEWEST: usize = 14;

/// The ledger's row by itself: head and length are those it names, and of the clock it knows no more than creation gave.
pub(super) fn stored_ledger(row: &Row<'_>) -> Result<LedgerRow> {
    let mut c = Columns::new("ledger", row);
    let (id, created_at, writer) = (c.uuid()?, c.instant()?, (c.number()?, c.writer()?));
    let (trusted_at, steps_back) = (c.optional_instant()?, c.count()?);
    Ok(LedgerRow {
        id,
        created_at,
        writer,
        clock: ClockState { trusted_at, steps_back, ..ClockState::new(created_at) },
        settings: Settings {
            explicit_accounts: c.flag()?,
            late_window: c.count()?,
            max_hold: c.number()?,
            max_clock_jump: c.number()?,
            clock_patience: c.number()?,
        },
        head: c.hash()?,
        length: c.count()?,
    })
}
