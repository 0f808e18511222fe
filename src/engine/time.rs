//! The calendar: when a batch expires, and when a period begins.

use chrono::{DateTime, Days, FixedOffset, Months, TimeDelta, TimeZone};

use crate::error::{Error, Result};
use crate::model::{Every, Expiry, Terms};
use crate::units::Instant;

/// The instant a batch ends (`None`: never), counted from `from`.
pub(crate) fn resolve_expiry(expiry: Expiry, from: Instant) -> Result<Option<Instant>> {
    let (offset, local) = match expiry {
        Expiry::Never => return Ok(None),
        Expiry::At(instant) => return Ok(Some(instant)),
        Expiry::PeriodEnd => return Err(Error::corrupt("what is of no plan has no period")),
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
        Expiry::Never | Expiry::At(_) | Expiry::PeriodEnd => None,
    };
    let moved = moved.ok_or_else(past_the_end)?;
    let end = if offset.is_some() { next_midnight(&moved).ok_or_else(past_the_end)? } else { moved };
    Instant::from_utc("expires_at", end.to_utc()).map(Some)
}

/// When a period begins, counted from 1 at the anchor; `None` past the year 9999. Months are clamped to their end, each
/// counted from the anchor: the 31st stays the 31st where there is one.
pub(super) fn period_at(terms: &Terms, anchor: Instant, period: i64) -> Option<Instant> {
    let local = anchor.utc().with_timezone(&FixedOffset::east_opt(terms.offset)?);
    let before = period.checked_sub(1)?;
    let days = |days: i64| u64::try_from(before.checked_mul(days)?).ok().map(Days::new);
    let at = match terms.every {
        Every::Days(every) => local.checked_add_days(days(every)?),
        Every::Weeks(every) => local.checked_add_days(days(every.checked_mul(7)?)?),
        Every::Months(every) => local.checked_add_months(Months::new(u32::try_from(before.checked_mul(every)?).ok()?)),
    };
    Instant::from_utc("anchor", at?.to_utc()).ok()
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
