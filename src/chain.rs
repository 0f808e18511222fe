//! The hash chain over the operations: the bytes that are hashed, and the hash. This format never changes.
//!
//! Every field is written with its length before it, so that no two different operations give the same bytes.
//! Outcome and entry are left out: they can be derived again from the operations.

use crate::hash::Hash;
use crate::model::{AccountId, ClockMark, Key, Line, OperationRow, Writer};
use crate::units::Instant;

const GENESIS_DOMAIN: &[u8] = b"counterfoil ledger genesis v1";
const OPERATION_DOMAIN: &[u8] = b"counterfoil operation v1";

/// The head of an empty log: covers the file's ids and its creation time.
pub(crate) fn genesis(ledger_id: uuid::Uuid, device: uuid::Uuid, epoch: i64, created_at: Instant) -> Hash {
    let mut bytes = Fields::new(GENESIS_DOMAIN);
    bytes.field(ledger_id.as_bytes());
    bytes.field(device.as_bytes());
    bytes.number(epoch);
    bytes.number(created_at.millis());
    bytes.finish()
}

/// What is hashed of an operation, whether it is a row of this file or a line of an exchange file.
pub(crate) struct Facts<'o> {
    pub(crate) seq: i64,
    pub(crate) writer: Writer,
    pub(crate) rules_version: i64,
    /// The name, not the code of this file's tables: the hash outlives the schema, and a newer program's kinds have one too.
    pub(crate) kind: &'o str,
    pub(crate) account: Option<&'o AccountId>,
    pub(crate) key: &'o Key,
    pub(crate) recorded_at: Instant,
    pub(crate) booked_at: Instant,
    pub(crate) clock: ClockMark,
    pub(crate) points: i64,
    pub(crate) price_book: Option<&'o Hash>,
    /// Of one that was first booked in another file: its hash there, and when it occurred.
    pub(crate) origin: Option<(&'o Hash, Instant)>,
    pub(crate) body: &'o str,
}

impl<'o> From<&'o OperationRow> for Facts<'o> {
    fn from(op: &'o OperationRow) -> Self {
        Facts {
            seq: op.seq,
            writer: op.writer.1,
            rules_version: op.rules_version,
            kind: op.kind.as_str(),
            account: op.account.as_ref().map(|(_, id)| id),
            key: &op.key,
            recorded_at: op.recorded_at,
            booked_at: op.booked_at,
            clock: op.clock,
            points: op.points,
            price_book: op.price_book.as_ref().map(|(_, hash)| hash),
            origin: op.origin.hash.as_ref().zip(op.origin.occurred),
            body: &op.body,
        }
    }
}

impl<'o> Facts<'o> {
    /// Of a line that a device sent.
    pub(crate) fn of_line(line: &'o Line<'_>, writer: Writer, price_book: Option<&'o Hash>) -> Self {
        Facts {
            seq: line.seq,
            writer,
            rules_version: line.rules_version,
            kind: &line.kind,
            account: line.account.as_ref(),
            key: &line.key,
            recorded_at: line.recorded_at,
            booked_at: line.booked_at,
            clock: line.clock,
            points: line.points,
            price_book,
            origin: None,
            body: line.body,
        }
    }
}

/// The hash of an operation, given the one before it.
pub(crate) fn link<'o>(prev: &Hash, op: impl Into<Facts<'o>>) -> Hash {
    let op = op.into();
    let mut bytes = Fields::new(OPERATION_DOMAIN);
    bytes.field(prev.as_bytes());
    bytes.number(op.seq);
    bytes.field(op.writer.device.as_bytes());
    bytes.number(op.writer.epoch);
    bytes.number(op.rules_version);
    bytes.field(op.kind.as_bytes());
    bytes.optional(op.account.map(|id| id.as_str().as_bytes()));
    bytes.field(op.key.as_str().as_bytes());
    bytes.number(op.recorded_at.millis());
    bytes.number(op.booked_at.millis());
    bytes.number(op.clock.code());
    bytes.number(op.points);
    bytes.optional(op.price_book.map(|hash| hash.as_bytes().as_slice()));
    bytes.optional(op.origin.map(|(hash, occurred)| origin(hash, occurred)).as_deref());
    bytes.field(op.body.as_bytes());
    bytes.finish()
}

/// The hash of the link, which covers all of it, and the instant.
fn origin(hash: &Hash, occurred: Instant) -> Vec<u8> {
    [hash.as_bytes().as_slice(), &occurred.millis().to_le_bytes()].concat()
}

/// Adds a link that a hub has only noted to what tells when those occurred.
pub(crate) fn noted(hasher: &mut blake3::Hasher, seq: i64, occurred: Instant) {
    hasher.update(&seq.to_le_bytes());
    hasher.update(&occurred.millis().to_le_bytes());
}

/// Gathered first and hashed at once: many small updates of the hasher cost more than the hash.
struct Fields(Vec<u8>);

impl Fields {
    fn new(domain: &[u8]) -> Self {
        let mut fields = Fields(Vec::with_capacity(512));
        fields.field(domain);
        fields
    }

    fn field(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: i64) {
        self.field(&number.to_le_bytes());
    }

    /// Absent is a length no field can have.
    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.0.extend_from_slice(&u64::MAX.to_le_bytes()),
        }
    }

    fn finish(self) -> Hash {
        Hash::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::model::{OpKind, Origin, Outcome};

    fn operation() -> OperationRow {
        OperationRow {
            seq: 7,
            writer: (1, Writer { device: Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677), epoch: 3 }),
            kind: OpKind::Recharge,
            account: Some((5, AccountId::new("alice").unwrap())),
            key: Key::new("order:881").unwrap(),
            recorded_at: Instant::clamped(1_700_000_000_123),
            booked_at: Instant::clamped(1_700_000_000_456),
            clock: ClockMark::Suspect,
            accepted_at: Some(Instant::clamped(1_700_000_000_456)),
            suspect_since: None,
            points: 320,
            price_book: Some((2, [9; 32].into())),
            rules_version: 1,
            body: r#"{"points":320,"source":"wxpay"}"#.to_string(),
            outcome: Outcome::default(),
            entry: Some(1),
            origin: Origin::default(),
            hash: Hash::default(),
        }
    }

    #[test]
    fn the_format_never_changes() {
        let start = genesis(Uuid::from_u128(1), Uuid::from_u128(2), 1, Instant::clamped(1_700_000_000_000));
        assert_eq!(start.to_string(), "fe07b6ce453c3702a02dadc7c29f2e477a5d45f113d234841cac06ee19754912");
        assert_eq!(
            link(&start, &operation()).to_string(),
            "b35aaa10d61ff82fb207beb6b1898eda4f587c36d5ee86dffd72a1897468aa89"
        );
        let file = OperationRow { account: None, price_book: None, kind: OpKind::Configure, ..operation() };
        assert_eq!(
            link(&[1; 32].into(), &file).to_string(),
            "21b790cc6596bff437e17ef1e68717ca719e8b31474b29db2d84296374947f73"
        );
    }

    fn origin(hash: u8, occurred: i64) -> Origin {
        Origin { chain: 1, seq: 2, hash: Some([hash; 32].into()), occurred: Some(Instant::clamped(occurred)) }
    }

    #[test]
    fn every_field_counts() {
        let first = operation();
        let writer = first.writer.1;
        let changed = vec![
            first.clone(),
            OperationRow { seq: 8, ..first.clone() },
            OperationRow { writer: (1, Writer { device: Uuid::from_u128(2), ..writer }), ..first.clone() },
            OperationRow { writer: (1, Writer { epoch: 4, ..writer }), ..first.clone() },
            OperationRow { kind: OpKind::Consume, ..first.clone() },
            OperationRow { account: None, ..first.clone() },
            OperationRow { account: Some((5, AccountId::new("alicf").unwrap())), ..first.clone() },
            OperationRow { key: Key::new("order:882").unwrap(), ..first.clone() },
            OperationRow { recorded_at: Instant::clamped(1), ..first.clone() },
            OperationRow { booked_at: Instant::clamped(1), ..first.clone() },
            OperationRow { clock: ClockMark::Plain, ..first.clone() },
            OperationRow { points: 321, ..first.clone() },
            OperationRow { price_book: None, ..first.clone() },
            OperationRow { price_book: Some((2, [8; 32].into())), ..first.clone() },
            OperationRow { rules_version: 2, ..first.clone() },
            OperationRow { body: "{}".to_string(), ..first.clone() },
            OperationRow { origin: origin(7, 5), ..first.clone() },
            OperationRow { origin: origin(8, 5), ..first.clone() },
            OperationRow { origin: origin(7, 6), ..first.clone() },
        ];
        let mut hashes: HashSet<Hash> = changed.iter().map(|op| link(&Hash::default(), op)).collect();
        hashes.insert(link(&[1; 32].into(), &first));
        assert_eq!(hashes.len(), changed.len() + 1);
        let at = Instant::clamped(5);
        let starts: HashSet<Hash> = [
            genesis(Uuid::from_u128(1), Uuid::from_u128(2), 1, at),
            genesis(Uuid::from_u128(2), Uuid::from_u128(1), 1, at),
            genesis(Uuid::from_u128(1), Uuid::from_u128(2), 2, at),
            genesis(Uuid::from_u128(1), Uuid::from_u128(2), 1, Instant::clamped(6)),
        ]
        .into();
        assert_eq!(starts.len(), 4);
    }

    #[test]
    fn bytes_do_not_move_between_fields() {
        let named = |account: &str, key: &str| OperationRow {
            account: Some((5, AccountId::new(account).unwrap())),
            key: Key::new(key).unwrap(),
            ..operation()
        };
        assert_ne!(link(&Hash::default(), &named("ab", "c")), link(&Hash::default(), &named("a", "bc")));
        let absent = OperationRow { account: None, ..operation() };
        assert_ne!(link(&Hash::default(), &absent), link(&Hash::default(), &named("a", "order:881")));
    }

    #[test]
    fn what_is_derived_is_not_hashed() {
        let first = operation();
        let derived = OperationRow {
            entry: None,
            hash: [7; 32].into(),
            outcome: Outcome { open: 5, ..Outcome::default() },
            ..first.clone()
        };
        assert_eq!(link(&Hash::default(), &first), link(&Hash::default(), &derived));
    }
}
