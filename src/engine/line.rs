//! What a line of an account's books is made of.

use crate::error::Result;
use crate::model::{AccountRow, Balances, BatchNo, EntryKind};
use crate::units::{Instant, sub};

/// What an entry tells the change of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) balances: Balances,
    /// Expired for good: not those that came back.
    pub(super) expired: i64,
}

impl Standing {
    pub(super) fn of(row: &AccountRow) -> Result<Self> {
        Ok(Standing { balances: row.balances, expired: sub(row.totals.expired, row.totals.reinstated)? })
    }
}

/// A line for [`Books::post`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) kind: EntryKind,
    pub(crate) operation: Option<i64>,
    pub(crate) booked_at: Instant,
    pub(crate) points: i64,
    pub(crate) batch: Option<BatchNo>,
}
