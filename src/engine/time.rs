//! The clock rule and the calendar: which instant an operation is booked at, and when a batch expires.

use chrono::{DateTime, Days, FixedOffset, Months, TimeZone};

use super::source::Source;
use crate::error::{Error, Result};
use crate::model::{ClockMark, Expiry, LedgerRow, OpKind};
use crate::units::{Instant, Reading};

/// Ledger time for a reading: the reading itself, or the newest accepted one while the reading is suspect.
pub(crate) fn ledger_time(
    source: &dyn Source,
    ledger: &LedgerRow,
    reading: Reading,
    kind: Option<OpKind>,
) -> Result<(Instant, ClockMark)> {
    if reading.trusted {
        return Ok((reading.at, ClockMark::Trusted));
    }
    let jump = ledger.settings.max_clock_jump.saturating_mul(1000);
    let in_range = reading.at.since(ledger.accepted_at) <= jump;
    if in_range || kind == Some(OpKind::ConfirmClock) || !source.would_expire(ledger.accepted_at, reading.at)? {
        return Ok((reading.at, ClockMark::Plain));
    }
    Ok((ledger.accepted_at, ClockMark::Suspect))
}

/// The instant a batch ends (`None`: never), counted from `from`.
pub(crate) fn resolve_expiry(expiry: Expiry, from: Instant) -> Result<Option<Instant>> {
    let (offset, local) = match expiry {
        Expiry::Never => return Ok(None),
        Expiry::At(instant) => return Ok(Some(instant)),
        Expiry::Days(_, offset) | Expiry::Months(_, offset) => {
            let zone = FixedOffset::east_opt(offset.unwrap_or(0)).ok_or_else(past_the_end)?;
            (offset, from.utc().with_timezone(&zone))
        }
    };
    let moved = match expiry {
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
        assert_eq!(resolve(Expiry::Days(3_000_000, None), "2026-11-22T17:00:00Z"), "out_of_range");
        assert_eq!(resolve(Expiry::Never, "2026-11-22T17:00:00Z"), "never");
    }
}
