//! What all exchange files share: their limits, their last line, and what is signed of them.

use super::fields::{Fields, format};
use super::header::{Link, MOST_LINES};
use super::keys::SigningKey;
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};

/// How long a file may be, unpacked.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// A file that is made ends at so many lines, or when they are so long.
const USUAL_LINES: usize = 10_000;
pub(super) const USUAL_BYTES: usize = 2 << 20;
/// How long a line may be, its end not counted: the first; a price book; one that goes up; any other.
pub(super) const HEADER_BYTES: usize = 1 << 20;
pub(super) const BOOK_LINE_BYTES: usize = 1 << 20;
pub(super) const UP_BYTES: usize = 64 << 10;
pub(super) const LINE_BYTES: usize = 1 << 20;
/// How long the text of a price book may be. A longer one is named and does not come along.
pub(super) const BOOK_BYTES: usize = 256 << 10;

/// How a footer begins, and no other line.
pub(super) const FOOTER: &[u8] = b"{\"end\":";

const DOMAIN: &[u8] = b"counterfoil exchange v1";

/// The last line: how much there is before it, and whose it is.
pub(super) struct Footer {
    pub(super) count: i64,
    /// Of a file that goes up, its header's.
    pub(super) head: Option<Link>,
    /// How many bytes stand before it, and their BLAKE3.
    pub(super) bytes: u64,
    pub(super) digest: Hash,
    pub(super) key: String,
    pub(super) signature: [u8; 64],
}

impl Footer {
    pub(super) fn signed(count: i64, head: Option<Link>, bytes: u64, digest: Hash, key: &SigningKey) -> Self {
        Footer { count, head, bytes, digest, key: key.public().id(), signature: key.sign(&message(&digest)) }
    }

    pub(super) fn line(&self) -> Result<String> {
        let head = serde_json::to_string(&self.head).map_err(|error| Error::storage(error.to_string()))?;
        let head = if self.head.is_some() { format!(",\"head\":{head}") } else { String::new() };
        let Footer { count, bytes, digest, key, .. } = self;
        let (front, back) = halves(&self.signature);
        Ok(format!(
            "{{\"end\":1,\"count\":{count}{head},\"bytes\":{bytes},\"blake3\":\"{digest}\",\"key\":\"{key}\",\"sig\":\"{front}{back}\"}}"
        ))
    }

    /// No field of it may be unknown: nothing signs the footer itself.
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(line)?;
        fields.number("end", 1..=1)?;
        let footer = Footer {
            count: fields.number("count", 0..=MOST_LINES)?,
            head: fields.may("head")?,
            bytes: fields.must("bytes")?,
            digest: fields.must("blake3")?,
            key: fields.must("key")?,
            signature: signature(&fields.must::<String>("sig")?)?,
        };
        fields.end()?;
        Ok(footer)
    }

    pub(super) fn check(&self, key: &PublicKey) -> Result<()> {
        if self.key != key.id() {
            let message = format!("it is signed with the key {}, and {} is known", self.key, key.id());
            return Err(Error::bad_file("signature", message));
        }
        match key.has_signed(&message(&self.digest), &self.signature) {
            true => Ok(()),
            false => Err(Error::bad_file("signature", "its signature is not that of the key")),
        }
    }
}

fn message(digest: &Hash) -> Vec<u8> {
    [DOMAIN, digest.as_bytes()].concat()
}

/// A signature is as long as two hashes, and written like them.
fn halves(signature: &[u8; 64]) -> (Hash, Hash) {
    let (mut front, mut back) = ([0; 32], [0; 32]);
    for (to, from) in front.iter_mut().chain(&mut back).zip(signature) {
        *to = *from;
    }
    (front.into(), back.into())
}

fn signature(text: &str) -> Result<[u8; 64]> {
    let both = text.split_at_checked(64).and_then(|(front, back)| Some((front.parse().ok()?, back.parse().ok()?)));
    let (front, back): (Hash, Hash) = both.ok_or_else(|| format("sig is no signature"))?;
    let mut signature = [0; 64];
    for (to, from) in signature.iter_mut().zip(front.as_bytes().iter().chain(back.as_bytes())) {
        *to = *from;
    }
    Ok(signature)
}

/// How full a file is that is made.
#[derive(Default)]
pub(crate) struct Filling {
    lines: usize,
    bytes: usize,
}

impl Filling {
    /// Whether the next line, of this length without its end, belongs into it. Else it begins the next file.
    pub(crate) fn takes(&mut self, length: usize) -> bool {
        let length = length.saturating_add(1);
        let bytes = self.bytes.saturating_add(length);
        let takes = self.lines == 0 || self.lines < USUAL_LINES && bytes <= USUAL_BYTES;
        let (lines, bytes) = if takes { (self.lines, bytes) } else { (0, length) };
        *self = Filling { lines: lines.saturating_add(1), bytes };
        takes
    }
}
