//! Instants as i64 milliseconds, and their text.

use chrono::{DateTime, Days, Months, NaiveDateTime, NaiveTime, TimeDelta, Utc};

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// 9999-12-31T23:59:59.999Z.
pub const LAST: i64 = 253_402_300_799_999;

pub fn text(ms: i64) -> String {
    let at: DateTime<Utc> = DateTime::from_timestamp_millis(ms).expect("instant in range");
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub fn parse(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}

/// "+08:00" in seconds east of Greenwich.
pub fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

#[derive(Clone, Copy, Debug)]
pub enum Span {
    Hours(i64),
    Days(i64),
    Months(i64),
}

/// `from` plus a span; with an offset the calendar is local, and the result is
/// the midnight that ends the local day. None: past what a calendar can say.
pub fn later(from: i64, span: Span, offset: Option<i64>) -> Option<i64> {
    let shift = offset.unwrap_or(0) * SECOND;
    let local = naive(from + shift)?;
    let moved = match span {
        Span::Hours(n) => local.checked_add_signed(TimeDelta::try_hours(n)?)?,
        Span::Days(n) => local.checked_add_days(Days::new(n.try_into().ok()?))?,
        Span::Months(n) => local.checked_add_months(Months::new(n.try_into().ok()?))?,
    };
    let end = match offset {
        None => moved,
        Some(_) => moved.date().checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN),
    };
    Some(end.and_utc().timestamp_millis() - shift)
}

fn naive(ms: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(ms).map(|at| at.naive_utc())
}
