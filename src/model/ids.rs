//! Ids: the caller's (accounts, keys) and ours (operations, batches, holds).
//!
//! Our ids are UUIDs of version 8, computed, never stored. Bits, from the first:
//!
//! | bits | what |
//! |---|---|
//! | 32 | device tag: the first bits of BLAKE3 of the device's UUID |
//! | 16 + 12 | epoch, split around the version |
//! | 4 | version, 8 |
//! | 2 | variant |
//! | 42 | the operation's sequence number |
//! | 20 | index: 0 is the operation itself (a plan too), 1 … what it made: its batches in order, or its hold |
//!
//! Of a plan's batches the index is the period's number times 16, and 1. What rolls out of a batch follows it: 2 … 15, and so many
//! after the period's number times 16.
//!
//! (The version's four bits lie between the two parts of the epoch.)

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::units::{json_schema, since_1970};

const SEQUENCE_BITS: u32 = 42;
const INDEX_BITS: u32 = 20;
/// The largest number of things one operation can make.
pub(crate) const MAX_INDEX: i64 = (1 << INDEX_BITS) - 1;
/// The largest sequence number an id can carry; the schema keeps to it.
pub(crate) const MAX_SEQUENCE: i64 = (1 << SEQUENCE_BITS) - 1;
/// The largest epoch an id can carry.
pub(crate) const MAX_EPOCH: i64 = (1 << 28) - 1;

/// From here on numbers of operations are those of others: what a device knows of its hub. No log is so long.
pub(crate) const FOREIGN: i64 = 1 << 41;

/// A batch's integer key: the operation's sequence number and the index of the batch in it. Ordered by creation.
pub(crate) type BatchNo = i64;

/// The most batches that one period of a plan makes: its own and those that roll out of it.
const OF_PERIOD_BITS: u32 = 4;
const OF_PERIOD: i64 = (1 << OF_PERIOD_BITS) - 1;

pub(crate) const fn batch_no(operation: i64, index: i64) -> BatchNo {
    (operation << INDEX_BITS) | index
}

pub(crate) const fn batch_operation(no: BatchNo) -> i64 {
    no >> INDEX_BITS
}

/// A period's batch: which it is follows from the plan and the period alone.
pub(crate) const fn period_batch(plan: i64, period: i64) -> BatchNo {
    batch_no(plan, (period << OF_PERIOD_BITS) | 1)
}

/// The most batches that roll out of one. More than one only where accepted time has gone back behind its end.
pub(crate) const MAX_ROLLS: i64 = (1 << OF_PERIOD_BITS) - 2;

/// A batch that rolls out of another: the how-many-th follows from that alone.
pub(crate) const fn rolled_batch(from: BatchNo, nth: i64) -> BatchNo {
    from.saturating_add(nth)
}

/// The batch that one which has rolled came out of.
pub(crate) const fn rolls_from(no: BatchNo) -> BatchNo {
    (no & !OF_PERIOD) | 1
}

/// Whether a number is that of a batch which has rolled out of another, if that other ever rolls.
pub(crate) const fn may_have_rolled(no: BatchNo) -> bool {
    (no & OF_PERIOD) > 1
}

/// The period of a plan that a batch is for; 0 for one that is of no plan.
pub(crate) const fn batch_period(no: BatchNo) -> i64 {
    (no & MAX_INDEX) >> OF_PERIOD_BITS
}

/// Who writes the file: a device in an epoch. Part of every operation's id and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) device: Uuid,
    pub(crate) epoch: i64,
}

/// What the ids of a device begin with: the first 32 bits of BLAKE3 of its UUID.
pub(crate) fn device_tag(device: &Uuid) -> i64 {
    let [a, b, c, d, ..] = *blake3::hash(device.as_bytes()).as_bytes();
    u32::from_be_bytes([a, b, c, d]).into()
}

impl Writer {
    /// The same device so many epochs later: what is written from then on is told from what a copy of the file writes.
    pub(crate) fn renewed(&self, by: i64) -> Result<Self> {
        let epoch = self.epoch.saturating_add(by);
        if epoch > MAX_EPOCH {
            let said = format!("{epoch} is past the last, {MAX_EPOCH}: the device has been renewed too often");
            return Err(Error::invalid("epoch", said, "make a new ledger file, which is a new device"));
        }
        Ok(Writer { epoch, ..*self })
    }

    /// What all its ids begin with.
    fn ids(&self) -> Ids {
        let tag = device_tag(&self.device).unsigned_abs() as u128;
        // Kept in range by the engine and the schema, so no bit is lost.
        let epoch = self.epoch.unsigned_abs() as u128;
        Ids((tag << 96) | ((epoch >> 12) << 80) | (8 << 76) | ((epoch & 0xfff) << 64) | (2 << 62))
    }

    pub(crate) fn operation(&self, sequence: i64) -> OperationId {
        self.ids().operation(sequence)
    }

    pub(crate) fn batch(&self, no: BatchNo) -> BatchId {
        self.ids().batch(no)
    }

    pub(crate) fn hold(&self, sequence: i64) -> HoldId {
        self.ids().hold(sequence)
    }

    pub(crate) fn plan(&self, sequence: i64) -> PlanId {
        self.ids().plan(sequence)
    }
}

/// The ids of one writer: their bits up to the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids(u128);

impl Ids {
    fn id(self, no: BatchNo) -> Uuid {
        Uuid::from_u128(self.0 | no.unsigned_abs() as u128)
    }

    fn operation(self, sequence: i64) -> OperationId {
        OperationId(self.id(batch_no(sequence, 0)))
    }

    fn batch(self, no: BatchNo) -> BatchId {
        BatchId(self.id(no))
    }

    fn hold(self, sequence: i64) -> HoldId {
        HoldId(self.id(batch_no(sequence, 1)))
    }

    fn plan(self, sequence: i64) -> PlanId {
        PlanId(self.id(batch_no(sequence, 0)))
    }
}

/// All writers of a file: enough to compute the id of anything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writers {
    first: Ids,
    /// With the sequence number each began at, ascending.
    later: Vec<(i64, Ids)>,
    /// Those who have given ids to what a device knows of its hub.
    others: Vec<Ids>,
    /// What it knows, from the first, so many to a page: whoever knows more shares the pages that are full.
    foreign: Vec<Arc<Vec<Foreign>>>,
}

/// How much of what a device knows is in one page.
const FOREIGN_PAGE: usize = 4096;

/// An operation of a hub: who of the others has given it its id, and its sequence number there. Of one that is the file's own, 0.
/// As small as can be: a device knows of hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Foreign(u64);

impl Writers {
    /// `list`: (first sequence number, writer), ascending; the file's first writer begins at 1.
    pub(crate) fn new(list: Vec<(i64, Writer)>) -> Result<Self> {
        let mut ids = list.into_iter().map(|(since, writer)| (since, writer.ids()));
        let (_, first) = ids.next().ok_or_else(|| Error::corrupt("the file has no writer"))?;
        Ok(Writers { first, later: ids.collect(), others: Vec::new(), foreign: Vec::new() })
    }

    /// With what was known before of a device's hub.
    pub(crate) fn still_knowing(self, before: &Writers) -> Self {
        Writers { others: before.others.clone(), foreign: before.foreign.clone(), ..self }
    }

    /// The next operation of its hub that a device knows of: its number here, and its id. Of a row that somebody has changed
    /// nothing is known: a proof tells of it.
    pub(crate) fn know(&mut self, local: i64, id: Uuid) {
        if local != FOREIGN.saturating_add(self.known()).saturating_add(1) {
            return self.put(Foreign(0));
        }
        let id = id.as_u128();
        let ids = Ids(id >> (SEQUENCE_BITS + INDEX_BITS) << (SEQUENCE_BITS + INDEX_BITS));
        let by = self.others.iter().rposition(|other| *other == ids).unwrap_or(self.others.len());
        if by == self.others.len() {
            self.others.push(ids);
        }
        let (by, sequence) = (by as u64, batch_operation(tail(Uuid::from_u128(id))).unsigned_abs());
        self.put(Foreign(by << SEQUENCE_BITS | sequence));
    }

    fn put(&mut self, foreign: Foreign) {
        match self.foreign.last_mut().filter(|page| page.len() < FOREIGN_PAGE) {
            Some(page) => Arc::make_mut(page).push(foreign),
            None => self.foreign.push(Arc::new(vec![foreign])),
        }
    }

    /// How many operations of a hub have a row, with those that are this file's own.
    pub(crate) fn known(&self) -> i64 {
        let full = self.foreign.len().saturating_sub(1).saturating_mul(FOREIGN_PAGE);
        let last = self.foreign.last().map_or(0, |page| page.len());
        i64::try_from(full.saturating_add(last)).unwrap_or(i64::MAX)
    }

    /// How many they are, and what else has a name.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.later.len()).unwrap_or(i64::MAX).saturating_add(1).saturating_add(self.known())
    }

    /// The id that something of a hub's operation has there.
    fn there(&self, sequence: i64, index: i64) -> Option<Uuid> {
        let at = usize::try_from(sequence.checked_sub(FOREIGN)?.checked_sub(1)?).ok()?;
        let page = self.foreign.get(at.checked_div(FOREIGN_PAGE)?)?;
        let Foreign(named) = page.get(at.checked_rem(FOREIGN_PAGE)?).filter(|foreign| foreign.0 != 0)?;
        let ids = self.others.get(usize::try_from(named >> SEQUENCE_BITS).ok()?)?;
        let sequence = i64::try_from(named & MAX_SEQUENCE.unsigned_abs()).ok()?;
        Some(ids.id(batch_no(sequence, index)))
    }

    fn of(&self, sequence: i64) -> Ids {
        self.later.iter().rev().find(|(since, _)| *since <= sequence).map_or(self.first, |(_, ids)| *ids)
    }

    pub(crate) fn operation(&self, sequence: i64) -> OperationId {
        self.there(sequence, 0).map_or_else(|| self.of(sequence).operation(sequence), OperationId)
    }

    pub(crate) fn batch(&self, no: BatchNo) -> BatchId {
        let (sequence, index) = (batch_operation(no), no & MAX_INDEX);
        self.there(sequence, index).map_or_else(|| self.of(sequence).batch(no), BatchId)
    }

    pub(crate) fn hold(&self, sequence: i64) -> HoldId {
        self.there(sequence, 1).map_or_else(|| self.of(sequence).hold(sequence), HoldId)
    }

    pub(crate) fn plan(&self, sequence: i64) -> PlanId {
        self.there(sequence, 0).map_or_else(|| self.of(sequence).plan(sequence), PlanId)
    }
}

fn tail(id: Uuid) -> i64 {
    // 62 bits always fit.
    i64::try_from(id.as_u128() & ((1 << (SEQUENCE_BITS + INDEX_BITS)) - 1)).unwrap_or(0)
}

fn parse(what: &'static str, text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).ok().filter(|id| id.get_version_num() == 8 && text.len() == 36).ok_or_else(|| {
        Error::invalid(
            what,
            format!("`{text}` is not an id"),
            "copy the id from a receipt, or from history, batches or holds",
        )
    })
}

/// An id is read as strictly as anywhere.
macro_rules! as_data {
    ($name:ident, |$id:ident| $text:expr) => {
        /// For a field of a [`Request`](crate::Request).
        impl From<&$name> for Value {
            fn from($id: &$name) -> Self {
                Value::String($text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <Cow<'_, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! our_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as a UUID of version 8.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id of what a dry run would make: it names nothing.
            pub(crate) const fn nil() -> Self {
                $name(Uuid::nil())
            }

            /// Whether it names nothing: what a dry run would make has no id, and JSON leaves it out.
            #[must_use]
            pub const fn is_nil(&self) -> bool {
                self.0.is_nil()
            }

            /// The sequence number of the operation that made this, counted from 1 in its file.
            #[must_use]
            pub fn sequence(self) -> i64 {
                batch_operation(tail(self.0))
            }

            /// Which of the things the operation made this is: 0 for the operation itself, else counted from 1.
            #[must_use]
            pub fn index(self) -> i64 {
                tail(self.0) & MAX_INDEX
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                parse($what, text).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        json_schema!($name as stringify!($name), { "type": "string", "format": "uuid" });
        as_data!($name, |id| id.to_string());
    };
}

our_id!(
    /// The id of a booked operation.
    ///
    /// ```
    /// let error = "not-an-id".parse::<counterfoil::OperationId>().unwrap_err();
    /// assert_eq!(error.code(), "invalid_argument");
    /// ```
    OperationId,
    "operation"
);

impl OperationId {
    /// The operation that made what has this id.
    pub(crate) fn of(id: Uuid) -> Self {
        OperationId(Uuid::from_u128(id.as_u128() & !u128::from(MAX_INDEX.unsigned_abs())))
    }
}

our_id!(
    /// The id of a batch.
    ///
    /// ```
    /// assert!("".parse::<counterfoil::BatchId>().is_err());
    /// ```
    BatchId,
    "batch"
);
our_id!(
    /// The id of a hold.
    ///
    /// ```
    /// assert!("".parse::<counterfoil::HoldId>().is_err());
    /// ```
    HoldId,
    "hold"
);
our_id!(
    /// The id of a plan: that of the operation which made it.
    ///
    /// ```
    /// assert!("".parse::<counterfoil::PlanId>().is_err());
    /// ```
    PlanId,
    "plan"
);

impl BatchId {
    /// Its number in the file, by which it can be named: `27.1` is the first batch that operation 27 made.
    #[must_use]
    pub fn number(self) -> String {
        format!("{}.{}", self.sequence(), self.index())
    }

    pub(crate) fn no(self) -> BatchNo {
        tail(self.0)
    }
}

/// Checks a caller's text: 1 to 128 bytes of UTF-8 without control characters.
pub(crate) fn check_id(field: &str, text: &str) -> Result<()> {
    // Many bytes at a time: no look at whether the one before was plain.
    let plain = text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte));
    if plain && (1..=128).contains(&text.len()) {
        return Ok(());
    }
    let wrong = if text.is_empty() {
        "is empty".to_string()
    } else if text.len() > 128 {
        format!("has {} bytes", text.len())
    } else if text.chars().any(char::is_control) {
        "contains a control character".to_string()
    } else {
        return Ok(());
    };
    Err(Error::invalid(field, wrong, "give 1 to 128 bytes of UTF-8 without control characters"))
}

/// What is wrong with a text that is white at either end: pasted with it, it would be another key, account or reference that
/// looks the same. Only what is new is judged so; what stands in the books stays as it is.
pub(crate) fn check_ends(field: &str, text: &str) -> Result<()> {
    let end = if text.starts_with(char::is_whitespace) { "begins" } else { "ends" };
    if text.trim().len() == text.len() {
        return Ok(());
    }
    let help = format!("leave it out: `{}`", text.trim());
    Err(Error::invalid(field, format!("`{text}` {end} with white space"), help))
}

macro_rules! caller_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        // Shared, for rows with it are copied at every step of an operation.
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a text of 1 to 128 bytes of UTF-8 without control characters. One that begins or ends with white
            /// space names what is in the books already; nothing new is booked under it.
            ///
            /// # Errors
            /// `invalid_argument`.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                check_id($what, text)?;
                Ok($name(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                $name::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        json_schema!($name as stringify!($name), { "type": "string", "minLength": 1, "maxLength": 128 });
        as_data!($name, |id| id.as_str().to_owned());
    };
}

caller_id!(
    /// An account's id, chosen by the app.
    ///
    /// ```
    /// let alice = counterfoil::AccountId::new("alice")?;
    /// assert_eq!(alice.as_str(), "alice");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    AccountId,
    "account"
);
caller_id!(
    /// The caller's idempotency key: the same key, account and kind of operation book once.
    ///
    /// ```
    /// let key = counterfoil::Key::new("order:wx-881")?;
    /// assert_eq!(key.as_str(), "order:wx-881");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    Key,
    "key"
);

impl Key {
    /// A fresh key, for operations nobody will repeat. It is time-ordered, which keeps the key index compact; not while the
    /// computer's clock stands before 1970.
    #[must_use]
    pub fn random() -> Self {
        // A version 7 cannot be made of a time before 1970.
        let id = since_1970().map_or_else(Uuid::new_v4, |_| Uuid::now_v7());
        Key(id.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_sequence_and_index() {
        let writer = Writer { device: Uuid::from_u128(7), epoch: MAX_EPOCH };
        let batch = writer.batch(batch_no(MAX_SEQUENCE, MAX_INDEX));
        assert_eq!((batch.sequence(), batch.index()), (MAX_SEQUENCE, MAX_INDEX));
        assert_eq!(batch.uuid().get_version_num(), 8);
        assert_eq!(batch.to_string().parse::<BatchId>().unwrap(), batch);
        let operation = Writer { device: Uuid::from_u128(7), epoch: 1 }.operation(1);
        assert_eq!((operation.sequence(), operation.index()), (1, 0));
    }
}
