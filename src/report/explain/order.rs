//! Why a batch came first: its place in the draw order against the next that could have paid then.

use std::collections::BTreeMap;

use crate::model::{BatchNo, BatchRow, DrawKey};
use crate::units::Instant;

/// An instant as precisely as it takes to tell it from another.
fn told(at: Instant, other: Instant) -> String {
    let (at, other) = (at.utc(), other.utc());
    if at.date_naive() != other.date_naive() {
        at.format("%Y-%m-%d").to_string()
    } else if at.timestamp() != other.timestamp() {
        at.format("%Y-%m-%d %H:%M:%SZ").to_string()
    } else {
        at.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
    }
}

/// Why `first` stands before `next` in the draw order; nothing when it does not.
fn words(first: &DrawKey, next: &DrawKey) -> Option<String> {
    if first >= next {
        return None;
    }
    let (mine, other) = (Instant::clamped(first.expires_at), Instant::clamped(next.expires_at));
    Some(if first.priority != next.priority {
        format!("priority {} before {}", first.priority, next.priority)
    } else if first.expires_at != next.expires_at && next.expires_at == i64::MAX {
        format!("expires {}, the next one never", mine.utc().format("%Y-%m-%d"))
    } else if first.expires_at != next.expires_at {
        format!("expires {}, sooner than {}", told(mine, other), told(other, mine))
    } else if first.paid != next.paid {
        "promotional before paid".into()
    } else {
        "older".into()
    })
}

/// A late use: when it occurred, and how many seconds later it may still draw on what has expired since.
pub(super) struct Late {
    pub(super) occurred: Instant,
    pub(super) window: i64,
}

impl Late {
    fn words(&self, (effective, expired): (Instant, Instant), points: i64) -> String {
        let count = |count: i64, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
        let window = match self.window {
            window if window % 86_400 == 0 => count(window / 86_400, "day"),
            window if window % 3_600 == 0 => count(window / 3_600, "hour"),
            window => count(window, "second"),
        };
        // What came later would have paid the debt.
        let when = if effective <= self.occurred { "live when" } else { "alive since" };
        format!(
            "expired {}, but {when} it occurred ({}, late window {window}): {} came back",
            told(expired, self.occurred),
            told(self.occurred, expired),
            count(points, "point")
        )
    }
}

/// What comes in the draw order after the batches an operation drew from.
pub(super) enum Next {
    /// Nothing had points.
    Nothing,
    Batch(DrawKey),
    /// It would take reading more of the account than an explanation may.
    Unknown,
}

/// Why each of the batches an operation drew from came before the next. Of the last one nothing is said when the next is unknown.
pub(super) fn reasons(
    drawn: &[(BatchRow, i64)],
    next: &Next,
    at: Instant,
    late: Option<&Late>,
) -> BTreeMap<BatchNo, String> {
    let end = if drawn.len() == 1 { "the only batch with points" } else { "the last batch with points" };
    let nexts = drawn.iter().skip(1).map(|(batch, _)| Some(batch)).chain([None]);
    let why = |((batch, points), after): (&(BatchRow, i64), Option<&BatchRow>)| {
        let why = match (late, batch.expires_at, after, next) {
            (Some(late), Some(expired), ..) if expired <= at => late.words((batch.effective_at, expired), *points),
            (.., Some(next), _) => words(&batch.draw_key(), &next.draw_key()).unwrap_or(end.into()),
            (.., None, Next::Batch(next)) => words(&batch.draw_key(), next).unwrap_or(end.into()),
            (.., None, Next::Nothing) => end.into(),
            (.., None, Next::Unknown) => return None,
        };
        Some((batch.no, why))
    };
    drawn.iter().zip(nexts).filter_map(why).collect()
}
