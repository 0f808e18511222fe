//! What a device has heard of its hub: how far, and the rows of that.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hash::Hash;
use crate::units::Instant;

/// Where the log of a hub ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HubPosition {
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
    pub(crate) hash: Hash,
}

impl HubPosition {
    /// Which of two came later.
    pub(crate) fn order(&self) -> (i64, i64) {
        (self.epoch, self.seq)
    }
}

/// What the parts of one answer have in common, and which of them have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parts {
    pub(crate) position: HubPosition,
    pub(crate) since: Option<HubPosition>,
    pub(crate) as_of: i64,
    pub(crate) count: i64,
    pub(crate) came: Vec<i64>,
}

/// How far a device has heard of its hub.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heard {
    /// The newest position that was received whole, and the newest that anything was taken of.
    pub(crate) seen: Option<HubPosition>,
    pub(crate) newest: Option<HubPosition>,
    /// The newest epoch of the hub.
    pub(crate) epoch: i64,
    pub(crate) parts: Option<Parts>,
    pub(crate) expelled: bool,
    /// Bases put before this operation count as old: accepted time has gone back.
    pub(crate) stale_before: i64,
    /// How many operations have a row in `foreign`.
    pub(crate) foreign: i64,
}

/// As it is stored: with a hash of the rest, for an answer that says nothing new leaves no operation to compute it from.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    heard: Heard,
    seal: Hash,
}

impl Heard {
    fn seal(&self) -> Option<Hash> {
        serde_json::to_string(self).ok().map(|text| Hash::of(text.as_bytes()))
    }

    pub(crate) fn text(&self) -> Option<String> {
        serde_json::to_string(&Sealed { heard: self.clone(), seal: self.seal()? }).ok()
    }

    /// The same again; `None` when it is not as it was written.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let Sealed { heard, seal } = serde_json::from_str(text).ok()?;
        (heard.seal() == Some(seal) && heard.text().as_deref() == Some(text)).then_some(heard)
    }

    /// The newest position heard of, whether anything was new in it or not: a hub that was set back behind it has to know.
    pub(crate) fn furthest(&self) -> Option<HubPosition> {
        self.seen.into_iter().chain(self.newest).max_by_key(HubPosition::order)
    }

    /// A hub epoch not heard of before: whatever was received of an earlier one may be of a past the hub has lost.
    pub(crate) fn hear_epoch(&mut self, epoch: i64) {
        if epoch > self.epoch {
            (self.epoch, self.seen) = (epoch, None);
        }
    }

    /// Accepted time went back behind bases that were caught up: all of them are to come again.
    pub(crate) fn forget(&mut self, operation: i64) {
        (self.seen, self.parts, self.stale_before) = (None, None, operation);
    }

    /// A part has come. Parts belong together that are of one answer: of one position and moment, after the same one, cut in as
    /// many. Whether it was the last one missing.
    pub(crate) fn part_came(&mut self, answer: Parts, part: i64) -> bool {
        let same = |other: &Parts| {
            let of = |parts: &Parts| (parts.position, parts.since, parts.as_of, parts.count);
            of(other) == of(&answer)
        };
        let mut parts = self.parts.take().filter(same).unwrap_or(answer);
        if !parts.came.contains(&part) {
            parts.came.push(part);
            parts.came.sort_unstable();
        }
        let whole = i64::try_from(parts.came.len()).unwrap_or(i64::MAX) >= parts.count;
        let follows = parts.since.is_none() || parts.since == self.seen;
        if whole && follows && self.seen.is_none_or(|seen| seen.order() < parts.position.order()) {
            self.seen = Some(parts.position);
        }
        self.parts = Some(parts);
        whole
    }

    /// Something was taken of a position.
    pub(crate) fn took(&mut self, position: HubPosition) {
        if self.newest.is_none_or(|newest| newest.order() < position.order()) {
            self.newest = Some(position);
        }
    }
}

/// What a device last heard of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseRow {
    pub(crate) account: i64,
    /// The reconcile that put it there.
    pub(crate) operation: i64,
    /// Where the hub's log ended then.
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
    /// The hub's time then.
    pub(crate) as_of: Instant,
    /// `booked_at` of the account's last line there.
    pub(crate) last: Instant,
    /// Up to which of this file's operations it holds them.
    pub(crate) ack: i64,
    /// What batches without a row here come to.
    pub(crate) used: i64,
    pub(crate) expired: i64,
    pub(crate) revoked: i64,
    pub(crate) moved: i64,
    /// It came without its rows.
    pub(crate) large: bool,
}

impl BaseRow {
    /// It is of an earlier epoch of the hub, or accepted time has gone back behind it.
    pub(crate) fn is_old(&self, epoch: i64, stale_before: i64) -> bool {
        self.epoch < epoch || self.operation < stale_before
    }
}

/// An account as it came with a reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedRow {
    pub(crate) operation: i64,
    pub(crate) n: i64,
    pub(crate) account: i64,
    pub(crate) line: String,
    /// By how much each of the account's totals changed, as JSON; none where it was as new already.
    pub(crate) totals_change: Option<String>,
}

/// What an operation of the hub is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignRow {
    pub(crate) no: i64,
    /// Of the operation, at the hub.
    pub(crate) id: Uuid,
    /// An operation of this file that arrived there, or a number from [`FOREIGN`](super::FOREIGN) on.
    pub(crate) local: i64,
}
