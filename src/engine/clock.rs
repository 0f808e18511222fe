//! The clock rule: which instant an operation is booked at.

use super::books::Books;
use super::catch_up::catch_up_fully;
use super::source::Source;
use crate::error::Result;
use crate::model::{ClockMark, ClockState, LedgerRow, OpKind};
use crate::units::{Instant, Reading};

/// What a clock reading comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedgerTime {
    /// The reading itself, or the newest accepted one while the reading is suspect.
    pub(crate) at: Instant,
    pub(crate) mark: ClockMark,
    /// What the log says of the clock once the reading is in it.
    pub(crate) clock: ClockState,
}

/// Ledger time for a reading taken for an operation of this kind, or for a look at the books.
pub(crate) fn ledger_time(
    source: &dyn Source,
    ledger: &LedgerRow,
    reading: Reading,
    kind: Option<OpKind>,
) -> Result<LedgerTime> {
    let (at, old) = (reading.at, ledger.clock);
    if !reading.trusted && kind != Some(OpKind::ConfirmClock) && is_suspect(source, ledger, at)? {
        let clock = ClockState { suspect_since: old.suspect_since.or(Some(at)), ..old };
        return Ok(LedgerTime { at: old.accepted_at, mark: ClockMark::Suspect, clock });
    }
    let mark = if reading.trusted { ClockMark::Trusted } else { ClockMark::Plain };
    // What somebody confirms holds to the millisecond, whether the clock is trusted besides or not.
    let confirmed = kind == Some(OpKind::ConfirmClock) && at < old.accepted_at;
    let step_back = confirmed || (mark == ClockMark::Trusted && old.behind(at) > 0);
    let clock = ClockState {
        accepted_at: if step_back { at } else { old.accepted_at.max(at) },
        suspect_since: None,
        trusted_at: Some(at).filter(|_| reading.trusted).or(old.trusted_at),
        steps_back: old.steps_back.saturating_add(i64::from(step_back)),
    };
    Ok(LedgerTime { at, mark, clock })
}

/// Whether a reading is not to be believed: it has jumped far, points would be lost or become effective by it, and such
/// readings have not gone on for long.
fn is_suspect(source: &dyn Source, ledger: &LedgerRow, at: Instant) -> Result<bool> {
    let (clock, settings) = (ledger.clock, ledger.settings);
    let far = at.since(clock.accepted_at) > settings.max_clock_jump.saturating_mul(1000);
    let patience = settings.clock_patience.saturating_mul(1000);
    let gone_on = clock.suspect_since.is_some_and(|since| at.since(since) >= patience);
    Ok(far && !gone_on && would_fall_due(source, clock.accepted_at, at)?)
}

/// Whether time does something on the way, the same whether what was due before is booked or not: a period not given yet, or an
/// end at which points roll over, may make a batch that expires.
fn would_fall_due(source: &dyn Source, after: Instant, until: Instant) -> Result<bool> {
    if source.would_fall_due(after, until)? {
        return Ok(true);
    }
    for account in source.behind(after)? {
        let mut books = Books::new(source);
        catch_up_fully(&mut books, account, after)?;
        if books.would_fall_due(after, until) {
            return Ok(true);
        }
    }
    Ok(false)
}
