//! Lists that are read a page at a time, and the order in which things fall due.

use super::table::Keys;
use crate::model::{BatchRow, HoldRow, HoldState, PlanRow};
use crate::units::Instant;

/// An ordered list read page by page from the source, merged with what the working copy changed.
#[derive(Debug)]
pub(super) struct Pages<K> {
    pub(super) keys: Keys<K>,
    /// Everything in the source up to here has been read.
    pub(super) frontier: Option<K>,
    pub(super) exhausted: bool,
    /// How much to read next: one at first, for most operations need no more.
    pub(super) page: usize,
}

impl<K> Default for Pages<K> {
    fn default() -> Self {
        Pages { keys: Keys::default(), frontier: None, exhausted: false, page: 1 }
    }
}

impl<K: Ord + Copy> Pages<K> {
    pub(super) fn ready(&self) -> Option<K> {
        self.keys
            .first_key()
            .copied()
            .filter(|key| self.exhausted || self.frontier.is_some_and(|frontier| *key <= frontier))
    }

    pub(super) fn read(&mut self, keys: impl Iterator<Item = K>, asked: usize) {
        let mut count = 0_usize;
        for key in keys {
            self.frontier = Some(key);
            count = count.saturating_add(1);
        }
        self.exhausted = count < asked;
        self.page = self.page.saturating_mul(4).min(512);
    }
}

/// Something that falls due, in the order in which it does: at one instant what expires, then deadlines, then what begins, each
/// by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    turn: Turn,
    /// The line that a batch or plan came with.
    entry: i64,
    pub(crate) what: DueKind,
    pub(crate) no: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Ends,
    Deadline,
    Begins,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DueKind {
    Expiry,
    Deadline,
    Activation,
    /// Of a plan.
    Period,
}

pub(crate) fn batch_due(batch: &BatchRow) -> Option<Due> {
    let (what, turn) = if batch.active { (DueKind::Expiry, Turn::Ends) } else { (DueKind::Activation, Turn::Begins) };
    batch.due_at().map(|at| Due { at, turn, entry: batch.entry, what, no: batch.no })
}

pub(crate) fn hold_due(hold: &HoldRow) -> Option<Due> {
    let (at, what, no) = (hold.deadline, DueKind::Deadline, hold.operation);
    (hold.phase == HoldState::Open).then_some(Due { at, turn: Turn::Deadline, entry: 0, what, no })
}

pub(crate) fn plan_due(plan: &PlanRow) -> Option<Due> {
    let (entry, what, no) = (plan.entry, DueKind::Period, plan.operation);
    plan.due_at.map(|at| Due { at, turn: Turn::Begins, entry, what, no })
}
