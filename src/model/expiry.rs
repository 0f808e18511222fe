//! When a batch ends, as it was asked for.

use crate::units::Instant;

/// When a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    At(Instant),
    Hours(i64, Option<i32>),
    /// Days from the recharge; with an offset (seconds east of UTC), to the end of that local day.
    Days(i64, Option<i32>),
    Months(i64, Option<i32>),
    /// Of a plan's batch: when the next period begins.
    PeriodEnd,
}
