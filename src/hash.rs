//! Hashes: of the links of the chain, and of price books.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::units::json_schema;

/// A BLAKE3 hash, 32 bytes. As text, and in JSON, 64 lower-case hexadecimal digits.
///
/// ```
/// use counterfoil::answer::Hash;
///
/// let text = "fe07b6ce453c3702a02dadc7c29f2e477a5d45f113d234841cac06ee19754912";
/// let noted: Hash = text.parse()?;
/// assert_eq!((noted.to_string().as_str(), noted.as_bytes()[0]), (text, 0xfe));
/// assert_eq!("fe07".parse::<Hash>().unwrap_err().code(), "invalid_argument");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Hash(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        blake3::Hash::from_hex(text).map(|hash| Hash(*hash.as_bytes())).map_err(|_| {
            Error::invalid("hash", format!("`{text}` is not a hash"), "give all of its 64 hexadecimal digits")
        })
    }
}

json_schema!(Hash as "Hash", { "type": "string", "pattern": "^[0-9a-f]{64}$" });

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
