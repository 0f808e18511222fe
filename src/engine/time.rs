//! The clock rule and the calendar: which instant an operation is booked at, and when a batch expires.

use chrono::{DateTime, Days, FixedOffset, Months, TimeDelta, TimeZone};

use super::source::Source;
use crate::error::{Error, Result};
use crate::model::{ClockMark, ClockState, Expiry, LedgerRow, OpKind};
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
    let step_back = match mark {
        ClockMark::Trusted => old.behind(at) > 0,
        _ => kind == Some(OpKind::ConfirmClock) && at < old.accepted_at,
    };
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
    Ok(far && !gone_on && source.would_fall_due(clock.accepted_at, at)?)
}

/// The instant a batch ends (`None`: never), counted from `from`.
pub(crate) fn resolve_expiry(expiry: Expiry, from: Instant) -> Result<Option<Instant>> {
    let (offset, local) = match expiry {
        Expiry::Never => return Ok(None),
        Expiry::At(instant) => return Ok(Some(instant)),
        Expiry::Hours(_, offset) | Expiry::Days(_, offset) | Expiry::Months(_, offset) => {
            let zone = FixedOffset::east_opt(offset.unwrap_or(0)).ok_or_else(past_the_end)?;
            (offset, from.utc().with_timezone(&zone))
        }
    };
    let moved = match expiry {
        Expiry::Hours(hours, _) => TimeDelta::try_hours(hours).and_then(|hours| local.checked_add_signed(hours)),
        Expiry::Days(days, _) => u64::try_from(days).ok().and_then(|days| local.checked_add_days(Days::new(days))),
        Expiry::Months(months, _) => {
            u32::try_from(months).ok().and_then(|months| local.checked_add_months(Months::new(months)))
        }
        Expiry::Never | Expiry::At(_) => None,
    };
    let moved = moved.ok_or_else(past_the_end)?;
    let end = if offset.is_some() { next_midnight(&moved).ok_or_else(past_the_end)? } else { moved };
    Instant::from_utc("expires_at", end.to_utc()).map(Some)
}

/// The midnight that ends the local day.
fn next_midnight(local: &DateTime<FixedOffset>) -> Option<DateTime<FixedOffset>> {
    let midnight = local.date_naive().succ_opt()?.and_hms_opt(0, 0, 0)?;
    local.timezone().from_local_datetime(&midnight).single()
}

fn past_the_end() -> Error {
    Error::out_of_range("expires_at", "the expiry is past the year 9999")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(expiry: Expiry, from: &str) -> String {
        let from = Instant::parse("from", from).unwrap();
        resolve_expiry(expiry, from)
            .map_or_else(|e| e.code().to_string(), |at| at.map_or("never".into(), |at| at.to_string()))
    }

    #[test]
    fn calendar() {
        assert_eq!(resolve(Expiry::Days(180, None), "2026-11-22T10:00:00Z"), "2027-05-21T10:00:00.000Z");
        assert_eq!(resolve(Expiry::Months(1, None), "2027-01-31T10:00:00Z"), "2027-02-28T10:00:00.000Z");
        assert_eq!(resolve(Expiry::Months(1, None), "2028-01-31T10:00:00Z"), "2028-02-29T10:00:00.000Z");
        // 17:00Z is already the next day at +08:00; that day's end is 16:00Z.
        assert_eq!(resolve(Expiry::Days(1, Some(8 * 3600)), "2026-11-22T17:00:00Z"), "2026-11-24T16:00:00.000Z");
        // Exactly at local midnight the day that begins counts in full.
        assert_eq!(resolve(Expiry::Days(1, Some(8 * 3600)), "2026-11-22T16:00:00Z"), "2026-11-24T16:00:00.000Z");
        assert_eq!(resolve(Expiry::Hours(36, None), "2026-11-22T10:00:00Z"), "2026-11-23T22:00:00.000Z");
        // At 10 o'clock at +08:00 the end of the day is 14 hours away; exactly reached, a midnight means the next one.
        assert_eq!(resolve(Expiry::Hours(13, Some(8 * 3600)), "2026-11-22T02:00:00Z"), "2026-11-22T16:00:00.000Z");
        assert_eq!(resolve(Expiry::Hours(14, Some(8 * 3600)), "2026-11-22T02:00:00Z"), "2026-11-23T16:00:00.000Z");
        assert_eq!(resolve(Expiry::Hours(i64::MAX, None), "2026-11-22T17:00:00Z"), "out_of_range");
        assert_eq!(resolve(Expiry::Days(3_000_000, None), "2026-11-22T17:00:00Z"), "out_of_range");
        assert_eq!(resolve(Expiry::Never, "2026-11-22T17:00:00Z"), "never");
    }
}
