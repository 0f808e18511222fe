//! Columns: how a value is read out of a row, bound to a statement, and told of in a fault. A value out of its range is
//! reported as damage, with its table and column.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::types::{Null, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::db::sqlite_error;
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};
use crate::model::{
    AccountId, AccountState, AllotmentState, ClockMark, DevicePolicy, DeviceState, EntryKind, FlagCode, Heard,
    HoldState, Key, LinkVerdict, MAX_EPOCH, MovementRow, OpKind, Outcome, Role, Rolling, StageReason, StageState,
    Terms, Writer, decode, encode, terms_of, terms_text,
};
use crate::units::{Instant, MAX_POINTS};

/// Longest name of an account, a key, a source or a service, in bytes.
pub(super) const NAME: usize = 128;
/// More than the longest inputs of an operation come to, every sign of them escaped.
pub(super) const BODY: usize = 64 << 10;
/// The same of a line that came from a hub.
pub(super) const RECEIVED: usize = 1 << 20;
/// The same of an outcome, but for the batches it lists: no more than points, each within so many bytes.
const OUTCOME: usize = 16 << 10;
const OUTCOME_PART: usize = 64;
/// More than an operation comes to that touches a million batches.
const MOVEMENTS: usize = 32 << 20;

/// What operations refer to, by number.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    pub(crate) writers: BTreeMap<i64, Writer>,
    pub(crate) accounts: HashMap<i64, AccountId>,
    pub(crate) books: BTreeMap<i64, Hash>,
}

/// Reads the columns of a row one after the other.
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    next: usize,
    /// Where columns of other tables begin.
    joined: usize,
    /// What the table refers to, when that is not joined to it.
    referred: Option<&'r Referred>,
}

impl<'r> Columns<'r> {
    pub(super) fn new(table: &'static str, row: &'r Row<'r>) -> Self {
        Columns { row, table, next: 0, joined: 0, referred: None }
    }

    /// Of a table of so many columns.
    pub(super) fn of(table: &'static str, columns: usize, row: &'r Row<'r>) -> Self {
        Columns { joined: columns, ..Self::new(table, row) }
    }

    /// Looks up what the row refers to.
    pub(super) fn referring(self, referred: &'r Referred) -> Self {
        Columns { referred: Some(referred), ..self }
    }

    /// From one of the columns on.
    pub(super) fn at(&self, next: usize) -> Self {
        Columns { next, ..*self }
    }

    /// From one of the columns of other tables on.
    fn beside(&self, place: usize) -> Self {
        self.at(self.joined.saturating_add(place))
    }

    fn value(&mut self) -> Result<ValueRef<'r>> {
        let at = self.next;
        self.next = self.next.saturating_add(1);
        self.row.get_ref(at).map_err(sqlite_error)
    }

    pub(super) fn skip(&mut self, columns: usize) {
        self.next = self.next.saturating_add(columns);
    }

    /// Damage in the column read last.
    fn wrong(&self, what: &str) -> Error {
        let at = self.next.saturating_sub(1);
        let column = self.row.as_ref().column_name(at).unwrap_or("?");
        Error::corrupt(format!("{}.{column} {what}", self.table))
    }

    // As short as `within`, and for the same reason.
    #[inline]
    pub(super) fn optional_integer(&mut self) -> Result<Option<i64>> {
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

    pub(super) fn integer(&mut self) -> Result<i64> {
        self.optional_integer()?.ok_or_else(|| self.wrong("is missing"))
    }

    // A charge and a balance read dozens of these: the good case is short and in line.
    #[inline]
    pub(super) fn within(&mut self, low: i64, high: i64) -> Result<i64> {
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
    pub(super) fn count(&mut self) -> Result<i64> {
        self.within(0, i64::MAX)
    }

    pub(super) fn number(&mut self) -> Result<i64> {
        self.within(1, i64::MAX)
    }

    pub(super) fn optional_number(&mut self) -> Result<Option<i64>> {
        match self.optional_integer()? {
            Some(number) if number < 1 => Err(self.wrong(&format!("is {number}"))),
            number => Ok(number),
        }
    }

    pub(super) fn points(&mut self) -> Result<i64> {
        self.within(0, MAX_POINTS)
    }

    pub(super) fn flag(&mut self) -> Result<bool> {
        Ok(self.within(0, 1)? == 1)
    }

    pub(super) fn instant(&mut self) -> Result<Instant> {
        self.within(Instant::MIN.millis(), Instant::MAX.millis()).map(Instant::clamped)
    }

    pub(super) fn optional_instant(&mut self) -> Result<Option<Instant>> {
        let Some(millis) = self.optional_integer()? else { return Ok(None) };
        let instant = Instant::clamped(millis);
        if instant.millis() == millis {
            Ok(Some(instant))
        } else {
            Err(self.wrong(&format!("is {millis}, no instant")))
        }
    }

    pub(super) fn code<T>(&mut self, from: impl Fn(i64) -> Option<T>) -> Result<T> {
        let code = self.integer()?;
        from(code).ok_or_else(|| self.wrong(&format!("is {code}, which means nothing")))
    }

    /// A text of at most so many bytes: a forged one that is longer costs nobody the memory.
    pub(super) fn optional_text(&mut self, most: usize) -> Result<Option<&'r str>> {
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

    pub(super) fn movements(&mut self) -> Result<Vec<MovementRow>> {
        match self.value()? {
            ValueRef::Blob(bytes) if bytes.len() > MOVEMENTS => {
                Err(self.wrong(&format!("has {} bytes, more than {MOVEMENTS}", bytes.len())))
            }
            ValueRef::Blob(bytes) => decode(bytes).ok_or_else(|| self.wrong("are not movements")),
            ValueRef::Null => Err(Error::corrupt("entry.movements are neither there nor in long_movements")),
            _ => Err(self.wrong("is not a blob")),
        }
    }

    pub(super) fn hash(&mut self) -> Result<Hash> {
        self.bytes().map(Hash::from)
    }

    pub(super) fn optional_hash(&mut self) -> Result<Option<Hash>> {
        Ok(self.optional_bytes()?.map(Hash::from))
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid> {
        self.bytes().map(Uuid::from_bytes)
    }

    pub(super) fn optional_uuid(&mut self) -> Result<Option<Uuid>> {
        Ok(self.optional_bytes()?.map(Uuid::from_bytes))
    }

    pub(super) fn public_key(&mut self) -> Result<PublicKey> {
        self.bytes().map(PublicKey::from)
    }

    pub(super) fn optional_key(&mut self) -> Result<Option<PublicKey>> {
        Ok(self.optional_bytes()?.map(PublicKey::from))
    }

    fn optional_json<T: Serialize + DeserializeOwned>(&mut self) -> Result<Option<Arc<T>>> {
        let Some(text) = self.optional_text(BODY)? else { return Ok(None) };
        let value: T = self.json(text)?;
        // What it does not know would be lost.
        match json(&value) {
            Ok(written) if written == text => Ok(Some(Arc::new(value))),
            _ => Err(self.wrong("is not as it is written")),
        }
    }

    pub(super) fn optional_policy(&mut self) -> Result<Option<Arc<DevicePolicy>>> {
        self.optional_json()
    }

    pub(super) fn optional_keys(&mut self) -> Result<Option<Arc<Vec<Key>>>> {
        match self.optional_json()? {
            Some(keys) if Vec::is_empty(&keys) => Err(self.wrong("is not as it is written")),
            keys => Ok(keys),
        }
    }

    pub(super) fn policy(&mut self) -> Result<Arc<DevicePolicy>> {
        self.optional_policy()?.ok_or_else(|| self.wrong("is missing"))
    }

    pub(super) fn optional_heard(&mut self) -> Result<Option<Arc<Heard>>> {
        let Some(text) = self.optional_text(BODY)? else { return Ok(None) };
        Heard::of(text).map(|heard| Some(Arc::new(heard))).ok_or_else(|| self.wrong("is not as it is written"))
    }

    pub(super) fn optional_terms(&mut self) -> Result<Option<Arc<Terms>>> {
        let Some(text) = self.optional_text(BODY)? else { return Ok(None) };
        let terms = terms_of(text).filter(|terms| terms_text(terms) == text);
        terms.map(Some).ok_or_else(|| self.wrong("are not as they are written"))
    }

    /// A place in an order: any number but 0.
    pub(super) fn place(&mut self) -> Result<i64> {
        match self.integer()? {
            0 => Err(self.wrong("is 0")),
            place => Ok(place),
        }
    }

    fn optional_account_id(&mut self) -> Result<Option<AccountId>> {
        let Some(text) = self.optional_text(NAME)? else { return Ok(None) };
        AccountId::new(text).map(Some).map_err(|_| self.wrong("is no account id"))
    }

    pub(super) fn account_id(&mut self) -> Result<AccountId> {
        self.optional_account_id()?.ok_or_else(|| self.wrong("is missing"))
    }

    pub(super) fn epoch(&mut self) -> Result<i64> {
        self.within(1, MAX_EPOCH)
    }

    pub(super) fn writer(&mut self) -> Result<Writer> {
        Ok(Writer { device: self.uuid()?, epoch: self.epoch()? })
    }

    /// What an operation of so many points came to, as stored.
    pub(super) fn outcome_text(&mut self, points: i64) -> Result<Option<&'r str>> {
        let parts = usize::try_from(points).unwrap_or(0).saturating_mul(OUTCOME_PART);
        self.optional_text(OUTCOME.saturating_add(parts))
    }

    /// Where others are looked up, it is left as its text.
    pub(super) fn outcome(&mut self, points: i64) -> Result<Outcome> {
        if self.referred.is_some() {
            self.skip(1);
            return Ok(Outcome::default());
        }
        self.outcome_text(points)?.map_or_else(|| Ok(Outcome::default()), |text| self.json(text))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| self.wrong(&format!("cannot be read: {error}")))
    }

    pub(super) fn key(&mut self) -> Result<Key> {
        Key::new(self.text(NAME)?).map_err(|_| self.wrong("is no key"))
    }

    pub(super) fn shared_text(&mut self, most: usize) -> Result<Arc<str>> {
        self.text(most).map(Arc::from)
    }

    pub(super) fn string(&mut self, most: usize) -> Result<String> {
        self.text(most).map(str::to_string)
    }

    pub(super) fn optional_name(&mut self) -> Result<Option<String>> {
        self.optional_string(NAME)
    }

    pub(super) fn optional_string(&mut self, most: usize) -> Result<Option<String>> {
        Ok(self.optional_text(most)?.map(str::to_string))
    }

    pub(super) fn rollover(&mut self) -> Result<Option<Rolling>> {
        let Some(text) = self.optional_text(NAME)? else { return Ok(None) };
        Rolling::from_text(text).map(Some).ok_or_else(|| self.wrong("is no rollover"))
    }

    /// The columns of another table beside them, if it has a row: one has a key, which comes first.
    pub(super) fn joined(&self, table: &'static str) -> Result<Option<Self>> {
        let there = self.beside(0).optional_integer()?.is_some();
        Ok(there.then(|| Columns { table, ..self.beside(0) }))
    }

    // ---- what an operation refers to: its number in the operation's row, itself beside it or looked up

    fn there<T>(&self, no: i64, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| self.wrong(&format!("is {no}, which is not there")))
    }

    pub(super) fn numbered_writer(&mut self) -> Result<(i64, Writer)> {
        let no = self.number()?;
        let writer = match self.referred {
            Some(referred) => referred.writers.get(&no).copied(),
            None => Some(self.beside(0).writer()?),
        };
        Ok((no, self.there(no, writer)?))
    }

    pub(super) fn numbered_account(&mut self) -> Result<Option<(i64, AccountId)>> {
        let no = self.count()?;
        if no == 0 {
            return Ok(None);
        }
        let id = match self.referred {
            Some(referred) => referred.accounts.get(&no).cloned(),
            None => self.beside(2).optional_account_id()?,
        };
        Ok(Some((no, self.there(no, id)?)))
    }

    pub(super) fn numbered_book(&mut self) -> Result<Option<(i64, Hash)>> {
        let Some(no) = self.optional_number()? else { return Ok(None) };
        let hash = match self.referred {
            Some(referred) => referred.books.get(&no).copied(),
            None => self.beside(3).optional_bytes()?.map(Hash::from),
        };
        Ok(Some((no, self.there(no, hash)?)))
    }
}

/// Binds the parameters of a statement one after the other.
pub(crate) struct Parameters<'s, 'c> {
    statement: &'s mut Statement<'c>,
    /// Where movements are put together.
    bytes: &'s RefCell<Vec<u8>>,
    next: usize,
}

/// The longest movements that an entry keeps itself, in bytes.
pub(super) const LONG: usize = 100;

impl<'s, 'c> Parameters<'s, 'c> {
    pub(super) fn new(statement: &'s mut Statement<'c>, bytes: &'s RefCell<Vec<u8>>) -> Self {
        Parameters { statement, bytes, next: 0 }
    }

    #[inline]
    fn value(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.next = self.next.saturating_add(1);
        self.statement.raw_bind_parameter(self.next, value)
    }
}

/// What stands in one column.
pub(super) trait Cell {
    /// Binds it to the next parameter.
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()>;

    /// As a fault tells it.
    fn show(&self) -> String;
}

macro_rules! cells {
    ($($type:ty: |$value:ident| $stored:expr;)+) => {$(
        impl Cell for $type {
            #[inline]
            fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
                let $value = self;
                to.value($stored)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

cells! {
    i64: |it| *it;
    bool: |it| *it;
    String: |it| it.as_str();
    Arc<str>: |it| &**it;
    Instant: |it| it.millis();
    Uuid: |it| it.as_bytes().as_slice();
    Hash: |it| it.as_bytes().as_slice();
    PublicKey: |it| it.as_bytes().as_slice();
    AccountId: |it| it.as_str();
    Key: |it| it.as_str();
    AccountState: |it| it.code();
    EntryKind: |it| it.code();
    HoldState: |it| it.code();
    ClockMark: |it| it.code();
    OpKind: |it| it.code();
    Role: |it| it.code();
    DeviceState: |it| it.code();
    LinkVerdict: |it| it.code();
    StageReason: |it| it.code();
    StageState: |it| it.code();
    AllotmentState: |it| it.code();
    FlagCode: |it| it.code();
}

impl<T: Cell> Cell for Option<T> {
    #[inline]
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        match self {
            Some(value) => value.put(to),
            None => to.value(Null),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_string(), T::show)
    }
}

/// NULL when they are too long for an entry.
impl Cell for Vec<MovementRow> {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        let mut bytes = to.bytes.borrow_mut();
        bytes.clear();
        encode(self, &mut bytes);
        to.value(Some(bytes.as_slice()).filter(|bytes| bytes.len() <= LONG))
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Cell for Rolling {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(self.text().as_str())
    }

    fn show(&self) -> String {
        self.text()
    }
}

/// NULL when there is nothing in it.
impl Cell for Outcome {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        let mut bytes = to.bytes.borrow_mut();
        bytes.clear();
        serde_json::to_writer(&mut *bytes, self).map_err(unwritable)?;
        match bytes.as_slice() {
            b"{}" => to.value(Null),
            text => to.value(ToSqlOutput::Borrowed(ValueRef::Text(text))),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// Stands as JSON.
macro_rules! as_json {
    ($($type:ty),+) => {$(
        impl Cell for Arc<$type> {
            fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
                to.value(json(&**self)?)
            }

            fn show(&self) -> String {
                format!("{self:?}")
            }
        }
    )+};
}

as_json!(DevicePolicy, Vec<Key>);

impl Cell for Arc<Terms> {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(terms_text(self))
    }

    fn show(&self) -> String {
        terms_text(self)
    }
}

impl Cell for Arc<Heard> {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(self.text())
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

fn unwritable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(unwritable)
}

impl Cell for (i64, Writer) {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(self.0)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// 0: the file itself.
impl Cell for Option<(i64, AccountId)> {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(self.as_ref().map_or(0, |(no, _)| *no))
    }

    fn show(&self) -> String {
        self.as_ref().map(|(no, _)| *no).show()
    }
}

impl Cell for (i64, Hash) {
    fn put(&self, to: &mut Parameters<'_, '_>) -> rusqlite::Result<()> {
        to.value(self.0)
    }

    fn show(&self) -> String {
        format!("{} {}", self.0, self.1)
    }
}
