//! What is told of a file from the hub that a device has taken.

use serde::{Deserialize, Serialize};

use super::header::{Link, Position};
use crate::hash::Hash;

/// What a device made of a file from its hub. JSON shape `counterfoil.heard/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeardReport {
    /// BLAKE3 of the file.
    pub digest: Hash,
    /// The hub's position when it was made.
    pub position: Vec<Position>,
    /// How many accounts are as the hub has them now, with what it had not got yet put back on that.
    pub accounts: i64,
    /// How many were as new already.
    pub known: i64,
    /// What was not booked as it was: the number in this file's log, and what became of it.
    pub verdicts: Vec<(i64, String)>,
    /// It is older than what was heard before, or was made before something newer came: nothing of it was taken.
    pub stale: bool,
    /// Everything up to that position has been heard.
    pub whole: bool,
    /// Somebody else has written in this file's name, or it was set back: it has begun a new epoch.
    pub renewed: bool,
    /// Up to which operation the hub has this file's log.
    pub ack: Option<Link>,
    /// The hub misses something: the next file begins there.
    pub need: Option<Link>,
    /// The device is expelled.
    pub expelled: bool,
}

impl HeardReport {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        !self.verdicts.is_empty() || self.renewed || self.need.is_some() || self.expelled
    }
}
