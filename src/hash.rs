//! 32 bytes and their text: hashes (of the links of the chain, of price books) and public keys.

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

/// The first half of a hash: what the index of links has, and what is noted of each line of a file between two readings.
pub(crate) type Half = [u8; 16];

impl Hash {
    /// The hash of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    pub(crate) fn half(&self) -> Half {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}

/// A public key (Ed25519), 32 bytes. As text, and in JSON, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// Their text is the same whatever they are.
macro_rules! bytes {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                $name(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&blake3::Hash::from_bytes(self.0).to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                blake3::Hash::from_hex(text).map(|bytes| $name(*bytes.as_bytes())).map_err(|_| {
                    let said = format!("`{text}` is not a {}", $what);
                    Error::invalid($what.replace(' ', "_"), said, "give all of its 64 hexadecimal digits")
                })
            }
        }

        json_schema!($name as stringify!($name), { "type": "string", "pattern": "^[0-9a-f]{64}$" });

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes!(Hash, "hash");
bytes!(PublicKey, "public key");
