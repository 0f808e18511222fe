//! What a line of an account's books is made of.

use crate::model::{BatchNo, EntryKind};
use crate::units::Instant;

/// A line for [`Books::post`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) kind: EntryKind,
    pub(crate) operation: Option<i64>,
    pub(crate) booked_at: Instant,
    pub(crate) points: i64,
    pub(crate) batch: Option<BatchNo>,
}
