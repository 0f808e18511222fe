//! The first line of an exchange file: what it is, from whom and for whom.

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::fields::{Fields, format};
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};
use crate::model::{MAX_EPOCH, MAX_SEQUENCE, Metadata, device_tag};

/// The version of the format, and the newest one that is read.
pub(super) const VERSION: i64 = 1;
/// The most lines between header and footer, price books not counted.
pub(super) const MOST_LINES: i64 = 100_000;
/// The most marks of a header.
pub(super) const MOST_MARKS: usize = 64;
/// The most price books of a file.
pub(super) const MOST_BOOKS: usize = 16;

/// What is written as a list.
macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty, $range:expr;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $($(#[$of])* pub $field: $type),+ }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                ($(self.$field,)+).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let ($($field,)+): ($($type,)+) = Deserialize::deserialize(deserializer)?;
                $(if !$range(&$field) {
                    return Err(D::Error::custom(concat!(stringify!($field), " is out of range")));
                })+
                Ok($name { $($field),+ })
            }
        }
    };
}
pub(super) use listed;

pub(super) fn any(_: &Hash) -> bool {
    true
}

pub(super) fn is_seq(seq: &i64) -> bool {
    (0..=MAX_SEQUENCE).contains(seq)
}

pub(super) fn is_epoch(epoch: &i64) -> bool {
    (1..=MAX_EPOCH).contains(epoch)
}

fn is_shard(shard: &i64) -> bool {
    (0..=i64::from(u16::MAX)).contains(shard)
}

listed!(
    /// One operation of a log: its number, and its hash in the chain. Number 0 is the beginning of the log.
    Link {
        /// Its number.
        seq: i64, is_seq;
        /// Its hash.
        hash: Hash, any;
    }
);

listed!(
    /// A link without a successor, at the hub.
    Leaf {
        /// Its number.
        seq: i64, is_seq;
        /// Its hash.
        hash: Hash, any;
        /// The epoch it was booked in.
        epoch: i64, is_epoch;
    }
);

listed!(
    /// A point in the log of a hub, or of one of its shards.
    Position {
        /// Which shard; 0 of a hub that is one file.
        shard: i64, is_shard;
        /// The hub's epoch.
        epoch: i64, is_epoch;
        /// The operation's number.
        seq: i64, is_seq;
        /// Its hash.
        hash: Hash, any;
    }
);

/// What a device has booked, on its way to the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Up {
    /// The hub's ledger.
    #[serde(serialize_with = "text")]
    pub hub: Uuid,
    /// The device.
    #[serde(serialize_with = "text")]
    pub device: Uuid,
    /// The epoch all its operations were booked in.
    pub epoch: i64,
    /// The operation before the first.
    pub base: Link,
    /// How many operations there are; none in a question.
    pub count: i64,
    /// When it was made, by the device's clock.
    #[serde(serialize_with = "millis")]
    pub exported_at: DateTime<Utc>,
    /// The last operation; the base when there is none.
    pub head: Link,
    /// The newest position of the hub that was received whole.
    pub seen: Vec<Position>,
    /// The newest that anything was taken of.
    pub newest: Vec<Position>,
    /// Earlier operations, from the base back: where to begin again when the hub does not know that. At most 64.
    pub marks: Vec<Link>,
    /// The price books that the operations name, in the order in which they follow. At most 16.
    pub price_books: Vec<Hash>,
    /// What wrote it.
    pub soft: String,
}

/// How its accounts stand at the hub, on the way to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Down {
    /// The hub's ledger.
    #[serde(serialize_with = "text")]
    pub hub: Uuid,
    /// The key it is signed with.
    pub hub_key: PublicKey,
    /// The device.
    #[serde(serialize_with = "text")]
    pub device: Uuid,
    /// How far the hub's log is, for each shard.
    pub position: Vec<Position>,
    /// The hub's time then.
    #[serde(serialize_with = "millis")]
    pub as_of: DateTime<Utc>,
    /// Up to which operation the hub holds the device's log without a gap.
    pub ack: Option<Link>,
    /// The newest operations the hub holds of the device.
    pub leaves: Vec<Leaf>,
    /// Operations the hub holds of the device without the one before.
    pub gaps: Vec<Link>,
    /// The epoch the device has to leave; 0 for none.
    pub renew: i64,
    /// Where the device's next file has to begin.
    pub need: Option<Link>,
    /// What the device had seen; absent when all of its accounts are sent.
    pub since: Option<Vec<Position>>,
    /// As the file that is answered said it: the newest position the device had taken anything of.
    pub newest: Vec<Position>,
    /// It tells of accounts: of all that are to be told of, in all its parts together. Else what it says is all there is.
    pub accounts: bool,
    /// Which part of how many.
    pub part: (i64, i64),
    /// The device is expelled.
    #[serde(skip_serializing_if = "crate::units::is_false")]
    pub expelled: bool,
    /// What the device may do.
    pub policy: Metadata,
    /// How many lines there are.
    pub count: i64,
    /// When it was made, by the hub's clock.
    #[serde(serialize_with = "millis")]
    pub exported_at: DateTime<Utc>,
    /// The price books that come with it, in the order in which they follow. At most 16.
    pub price_books: Vec<Hash>,
    /// What wrote it.
    pub soft: String,
}

/// A ledger asks to be a hub's device; signed with the key it names, which proves that it has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ask {
    /// The ledger that asks.
    #[serde(serialize_with = "text")]
    pub ledger: Uuid,
    /// Its device.
    #[serde(serialize_with = "text")]
    pub device: Uuid,
    /// With what its ids begin: the first 32 bits of BLAKE3 of the device's.
    pub tag: i64,
    /// Its epoch.
    pub epoch: i64,
    /// Its key.
    pub public_key: PublicKey,
    /// What it calls itself.
    pub name: String,
    /// Its newest operation.
    pub head: Link,
    /// When it was made, by its clock.
    #[serde(serialize_with = "millis")]
    pub exported_at: DateTime<Utc>,
    /// What wrote it.
    pub soft: String,
}

/// A hub admits a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cert {
    /// The hub's ledger.
    #[serde(serialize_with = "text")]
    pub hub: Uuid,
    /// The key it is signed with.
    pub hub_key: PublicKey,
    /// The device.
    #[serde(serialize_with = "text")]
    pub device: Uuid,
    /// What the hub grants the device.
    pub certificate: Metadata,
    /// When it was made, by the hub's clock.
    #[serde(serialize_with = "millis")]
    pub exported_at: DateTime<Utc>,
    /// The price books that come with it, in the order in which they follow. At most 16.
    pub price_books: Vec<Hash>,
    /// What wrote it.
    pub soft: String,
}

/// What a device has from a hub that lost it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The hub's ledger.
    #[serde(serialize_with = "text")]
    pub hub: Uuid,
    /// The device.
    #[serde(serialize_with = "text")]
    pub device: Uuid,
    /// The newest position of the hub that anything was taken of.
    pub position: Vec<Position>,
    /// How many lines there are.
    pub count: i64,
    /// When it was made, by the device's clock.
    #[serde(serialize_with = "millis")]
    pub exported_at: DateTime<Utc>,
    /// What wrote it.
    pub soft: String,
}

/// The first line of an exchange file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Header {
    /// From a device to its hub.
    Up(Up),
    /// From a hub to a device.
    Down(Box<Down>),
    /// From a ledger that wants to be a device.
    Ask(Ask),
    /// The hub's answer to that.
    Cert(Box<Cert>),
    /// From a device to a hub that was set back.
    Evidence(Evidence),
}

/// Begins a header; a struct's fields, each with its value.
macro_rules! begun {
    ($($header:ident($($given:ident: $type:ty),+) { $($field:ident: $value:expr),+ $(,)? })+) => {$(
        impl $header {
            /// With these, and nothing else yet: the rest is set field by field.
            #[must_use]
            pub fn new($($given: $type),+) -> Self {
                $header { $($given,)+ $($field: $value,)+ soft: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).into() }
            }
        }
    )+};
}

begun! {
    Up(hub: Uuid, device: Uuid, epoch: i64, base: Link, exported_at: DateTime<Utc>) {
        count: 0, head: base, seen: Vec::new(), newest: Vec::new(), marks: Vec::new(), price_books: Vec::new(),
    }
    Down(hub: Uuid, hub_key: PublicKey, device: Uuid, policy: Metadata, exported_at: DateTime<Utc>) {
        position: Vec::new(), as_of: exported_at, ack: None, leaves: Vec::new(), gaps: Vec::new(), renew: 0, need: None,
        since: None, newest: Vec::new(), accounts: true, part: (1, 1), expelled: false, count: 0, price_books: Vec::new(),
    }
    Ask(ledger: Uuid, device: Uuid, epoch: i64, public_key: PublicKey, head: Link, exported_at: DateTime<Utc>) {
        tag: device_tag(&device), name: String::new(),
    }
    Cert(hub: Uuid, hub_key: PublicKey, device: Uuid, certificate: Metadata, exported_at: DateTime<Utc>) {
        price_books: Vec::new(),
    }
    Evidence(hub: Uuid, device: Uuid, exported_at: DateTime<Utc>) {
        position: Vec::new(), count: 0,
    }
}

fn text<S: Serializer>(id: &Uuid, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.timestamp_millis())
}

/// A header as it is written.
#[derive(Serialize)]
struct Written<'h> {
    cfx: i64,
    min_reader: i64,
    #[serde(flatten)]
    header: &'h Header,
}

impl Header {
    pub(super) fn line(&self) -> Result<String> {
        let written = Written { cfx: VERSION, min_reader: VERSION, header: self };
        serde_json::to_string(&written).map_err(|error| Error::storage(error.to_string()))
    }

    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(line)?;
        let version = fields.number("cfx", 1..=i64::MAX)?;
        let found = fields.number("min_reader", 1..=version)?;
        if found > VERSION {
            return Err(Error::FileTooNew { found, supported: VERSION });
        }
        let kind: String = fields.must("kind")?;
        let header = match kind.as_str() {
            "up" => Header::Up(Up::read(&mut fields)?),
            "down" => Header::Down(Box::new(Down::read(&mut fields)?)),
            "ask" => Header::Ask(Ask::read(&mut fields)?),
            "cert" => Header::Cert(Box::new(Cert::read(&mut fields)?)),
            "evidence" => Header::Evidence(Evidence::read(&mut fields)?),
            _ => return Err(format(format_args!("nobody knows the kind `{kind}`"))),
        };
        fields.pass_over()?;
        header.check()?;
        Ok(header)
    }

    /// What a header of this version may hold, and what it says of its own file.
    pub(super) fn check(&self) -> Result<()> {
        let too_many =
            |what: &str, most: usize| Err(Error::bad_file("limits", format!("there are more than {most} {what}")));
        if self.count() > MOST_LINES {
            return too_many("lines", 100_000);
        }
        if self.price_books().len() > MOST_BOOKS {
            return too_many("price books", MOST_BOOKS);
        }
        match self {
            Header::Up(up) if up.marks.len() > MOST_MARKS => too_many("marks", MOST_MARKS),
            _ => Ok(()),
        }
    }

    /// How many lines follow it, price books not counted.
    #[must_use]
    pub fn count(&self) -> i64 {
        match self {
            Header::Up(up) => up.count,
            Header::Down(down) => down.count,
            Header::Evidence(evidence) => evidence.count,
            Header::Ask(_) | Header::Cert(_) => 0,
        }
    }

    /// The price books that follow it.
    #[must_use]
    pub fn price_books(&self) -> &[Hash] {
        match self {
            Header::Up(up) => &up.price_books,
            Header::Down(down) => &down.price_books,
            Header::Cert(cert) => &cert.price_books,
            Header::Ask(_) | Header::Evidence(_) => &[],
        }
    }

    /// The hub it comes from or goes to; whoever asks knows none.
    #[must_use]
    pub fn hub(&self) -> Option<Uuid> {
        match self {
            Header::Up(up) => Some(up.hub),
            Header::Down(down) => Some(down.hub),
            Header::Cert(cert) => Some(cert.hub),
            Header::Evidence(evidence) => Some(evidence.hub),
            Header::Ask(_) => None,
        }
    }

    /// The device it comes from or goes to.
    #[must_use]
    pub fn device(&self) -> Uuid {
        match self {
            Header::Up(up) => up.device,
            Header::Down(down) => down.device,
            Header::Ask(ask) => ask.device,
            Header::Cert(cert) => cert.device,
            Header::Evidence(evidence) => evidence.device,
        }
    }
}

// ---- reading, field by field

fn id(fields: &mut Fields<'_>, name: &'static str) -> Result<Uuid> {
    let text: String = fields.must(name)?;
    let id = Uuid::try_parse(&text).ok().filter(|id| id.to_string() == text);
    id.ok_or_else(|| format(format_args!("{name} is no UUID")))
}

fn time(fields: &mut Fields<'_>, name: &'static str) -> Result<DateTime<Utc>> {
    fields.instant(name).map(crate::units::Instant::utc)
}

fn epoch(fields: &mut Fields<'_>) -> Result<i64> {
    fields.number("epoch", 1..=MAX_EPOCH)
}

fn count(fields: &mut Fields<'_>) -> Result<i64> {
    fields.number("count", 0..=i64::MAX)
}

fn object(fields: &mut Fields<'_>, name: &'static str) -> Result<Metadata> {
    Metadata::parse(fields.object(name)?).map_err(|error| format(format_args!("{name}: {error}")))
}

impl Up {
    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Up {
            hub: id(fields, "hub")?,
            device: id(fields, "device")?,
            epoch: epoch(fields)?,
            base: fields.must("base")?,
            count: count(fields)?,
            exported_at: time(fields, "exported_at")?,
            head: fields.must("head")?,
            seen: fields.must("seen")?,
            newest: fields.must("newest")?,
            marks: fields.must("marks")?,
            price_books: fields.must("price_books")?,
            soft: fields.must("soft")?,
        })
    }
}

impl Down {
    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let part: (i64, i64) = fields.must("part")?;
        if !(1..=part.1).contains(&part.0) {
            return Err(format(format_args!("part is {part:?}")));
        }
        Ok(Down {
            hub: id(fields, "hub")?,
            hub_key: fields.must("hub_key")?,
            device: id(fields, "device")?,
            position: fields.must("position")?,
            as_of: time(fields, "as_of")?,
            ack: fields.must("ack")?,
            leaves: fields.must("leaves")?,
            gaps: fields.must("gaps")?,
            renew: fields.number("renew", 0..=MAX_EPOCH)?,
            need: fields.must("need")?,
            since: fields.must("since")?,
            newest: fields.must("newest")?,
            accounts: fields.must("accounts")?,
            part,
            expelled: fields.may("expelled")?.unwrap_or_default(),
            policy: object(fields, "policy")?,
            count: count(fields)?,
            exported_at: time(fields, "exported_at")?,
            price_books: fields.must("price_books")?,
            soft: fields.must("soft")?,
        })
    }
}

impl Ask {
    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Ask {
            ledger: id(fields, "ledger")?,
            device: id(fields, "device")?,
            tag: fields.number("tag", 0..=u32::MAX.into())?,
            epoch: epoch(fields)?,
            public_key: fields.must("public_key")?,
            name: fields.must("name")?,
            head: fields.must("head")?,
            exported_at: time(fields, "exported_at")?,
            soft: fields.must("soft")?,
        })
    }
}

impl Cert {
    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Cert {
            hub: id(fields, "hub")?,
            hub_key: fields.must("hub_key")?,
            device: id(fields, "device")?,
            certificate: object(fields, "certificate")?,
            exported_at: time(fields, "exported_at")?,
            price_books: fields.must("price_books")?,
            soft: fields.must("soft")?,
        })
    }
}

impl Evidence {
    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Evidence {
            hub: id(fields, "hub")?,
            device: id(fields, "device")?,
            position: fields.must("position")?,
            count: count(fields)?,
            exported_at: time(fields, "exported_at")?,
            soft: fields.must("soft")?,
        })
    }
}
