//! Plans: what a recurring recharge gives and when, and how far it has come.

use std::sync::Arc;

use super::{expiry::Expiry, rollover::Rolling, words::words};
use crate::units::Instant;

/// How long a period of a plan is: 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Every {
    /// So many days.
    Days(i64),
    /// So many weeks.
    Weeks(i64),
    /// So many months from the anchor: the same day and time, clamped to the month's end.
    Months(i64),
}

impl Default for Every {
    fn default() -> Self {
        Every::Months(1)
    }
}

/// What was asked for of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    pub(crate) points: i64,
    pub(crate) source: String,
    pub(crate) every: Every,
    /// The first period's instant; left out, that of the booking.
    pub(crate) anchor: Option<Instant>,
    /// Of the calendar that counts: seconds east of UTC.
    pub(crate) offset: i32,
    /// How many periods there are, counted from the anchor.
    pub(crate) count: Option<i64>,
    pub(crate) expiry: Option<Expiry>,
    pub(crate) priority: i64,
    pub(crate) promo: Option<bool>,
    pub(crate) rollover: Option<Rolling>,
}

/// A plan: its terms, what its booking made of them, and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct PlanRow {
    pub(crate) operation: i64,
    pub(crate) account: i64,
    /// The number of its line in the account's books. What begins at one instant goes in the order in which it was made.
    pub(crate) entry: i64,
    pub(crate) anchor: Instant,
    pub(crate) promo: bool,
    /// What the price book said, where the terms name no expiry.
    pub(crate) expiration_days: Option<i64>,
    /// The next period, counted from 1 at the anchor.
    pub(crate) period: i64,
    /// When it begins; `None` when none is to come.
    pub(crate) due_at: Option<Instant>,
    pub(crate) stopped: bool,
    /// Its terms again, where it is a hub's: no operation of this file has them.
    pub(crate) foreign_terms: Option<Arc<Terms>>,
    pub(crate) terms: Arc<Terms>,
}

/// The terms are those of its operation: what is compared is what is stored.
impl PartialEq for PlanRow {
    fn eq(&self, other: &Self) -> bool {
        let stored = |row: &PlanRow| {
            let made = (row.operation, row.account, row.entry, row.anchor, row.promo, row.expiration_days);
            (made, row.period, row.due_at, row.stopped, row.foreign_terms.clone())
        };
        stored(self) == stored(other)
    }
}

impl Eq for PlanRow {}

impl PlanRow {
    /// When a batch of it ends.
    pub(crate) fn expiry(&self) -> Expiry {
        let days = || self.expiration_days.map_or(Expiry::Never, |days| Expiry::Days(days, None));
        self.terms.expiry.unwrap_or_else(days)
    }

    pub(crate) fn state(&self) -> PlanState {
        match self.due_at {
            _ if self.stopped => PlanState::Stopped,
            Some(_) => PlanState::Active,
            None => PlanState::Ended,
        }
    }
}

words!(
    /// Whether a plan goes on.
    PlanState {
        /// It has periods to come.
        Active "active",
        /// It has given all its periods.
        Ended "ended",
        /// It was ended by a stop.
        Stopped "stopped",
    }
);
