//! What a hub lost when it was set back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::codes::AccountState;
use super::ids::{AccountId, BatchId};
use crate::units::{Points, is_false, or_never, utc};

/// A batch that a device was told of and its hub does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostBatch {
    /// Its id before. A recharge under the key `lost:<id>` enters it again, and is known from then on.
    pub batch: BatchId,
    /// Where its points came from.
    pub source: String,
    /// A gift.
    pub promo: bool,
    /// In which order it pays.
    pub priority: i64,
    /// How many points came.
    pub points: Points,
    /// When it could first be used.
    #[serde(with = "utc")]
    pub effective_at: DateTime<Utc>,
    /// When it expires; JSON `"never"` for none.
    #[serde(with = "or_never")]
    pub expires_at: Option<DateTime<Utc>>,
    /// It was to roll over at its end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rolls_over: bool,
    /// A batch of this hub that may be the same: of another device, which has sent it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub like: Option<BatchId>,
}

/// Points of a sum that a device was told of and its hub does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostTotal {
    /// The sum, as the balance names it: `recharged`, `consumed`.
    pub what: String,
    /// What the device was told.
    pub told: i64,
    /// What the hub knows of it now.
    pub known: i64,
}

/// An account of which a hub has lost something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostAccount {
    /// The account.
    pub account: AccountId,
    /// Batches it does not know.
    pub batches: Vec<LostBatch>,
    /// Sums that are less than they were. Once the account is used again they grow, and hide what is lost.
    pub totals: Vec<LostTotal>,
    /// The state it had, where it has another now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<AccountState>,
    /// The credit limit it had, where it has another now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credit_limit: Option<Points>,
}

impl LostAccount {
    pub(crate) fn is_any(&self) -> bool {
        !self.batches.is_empty() || !self.totals.is_empty() || self.state.is_some() || self.credit_limit.is_some()
    }
}
