//! The calendar by which a report counts days and months, and the clock by which it tells times.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, SecondsFormat, Utc};

use crate::error::{Error, Result};

/// An instant, and the offset from UTC that clocks have from then on.
type Change = (DateTime<Utc>, FixedOffset);

/// The calendar by which a report counts days and months, and the clock by which it tells times: at one offset from UTC, or of a zone,
/// given by the instants at which its offset changes. This crate has no table of zones: `counterfoil-report` has.
///
/// As text it is the first offset, and after commas each change: `+01:00, 2026-03-29T01:00:00Z +02:00, 2026-10-25T01:00:00Z +01:00`.
///
/// ```
/// use counterfoil::chrono::{DateTime, NaiveDate, Utc};
/// use counterfoil::Period;
/// use counterfoil::report::Calendar;
///
/// let berlin: Calendar = "+01:00, 2026-03-29T01:00:00Z +02:00, 2026-10-25T01:00:00Z +01:00".parse()?;
/// let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
/// assert_eq!(berlin.local(at("2026-07-01T12:00:00Z")).to_rfc3339(), "2026-07-01T14:00:00+02:00");
///
/// // The month in which clocks are set back has an hour more.
/// let october = Period::month(2026, 10, &berlin)?;
/// assert_eq!(october.begin(), Some(at("2026-09-30T22:00:00Z")));
/// assert_eq!(october.end(), Some(at("2026-10-31T23:00:00Z")));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    name: Option<Arc<str>>,
    first: FixedOffset,
    changes: Arc<[Change]>,
}

impl Default for Calendar {
    fn default() -> Self {
        Utc.fix().into()
    }
}

impl From<FixedOffset> for Calendar {
    fn from(offset: FixedOffset) -> Self {
        Calendar { name: None, first: offset, changes: Arc::from([]) }
    }
}

impl From<&Calendar> for Calendar {
    fn from(calendar: &Calendar) -> Self {
        calendar.clone()
    }
}

impl Calendar {
    /// That of a zone: its name, its first offset, and each change of it.
    ///
    /// # Errors
    /// `invalid_argument` when the changes are not in order of time.
    pub fn zone(name: impl Into<Arc<str>>, first: FixedOffset, changes: impl Into<Arc<[Change]>>) -> Result<Self> {
        let calendar = Calendar { name: Some(name.into()), first, changes: changes.into() };
        calendar.ordered()
    }

    fn ordered(self) -> Result<Self> {
        if self.changes.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Ok(self);
        }
        Err(Error::invalid(
            "offset",
            "the changes are not in order of time",
            "give each change once, the earliest first",
        ))
    }

    /// What the zone is called; none where there is one offset.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How far clocks are from UTC at an instant.
    #[must_use]
    pub fn offset_at(&self, at: DateTime<Utc>) -> FixedOffset {
        let passed = self.changes.partition_point(|(change, _)| *change <= at);
        passed.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(self.first, |(_, offset)| *offset)
    }

    /// An instant as clocks show it then.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.offset_at(at))
    }

    /// The changes of the offset after one instant and before another.
    pub fn changes_within(&self, begin: DateTime<Utc>, end: DateTime<Utc>) -> impl Iterator<Item = Change> + '_ {
        self.changes.iter().copied().filter(move |(change, _)| *change > begin && *change < end)
    }

    /// The first instant of a day. Where clocks are set forward at midnight that is later than 00:00; where a day is left out, it is
    /// that of the next. None past what instants can say.
    #[must_use]
    pub fn first_of(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        self.first_at(day.and_time(NaiveTime::MIN))
    }

    /// The first instant at which clocks show this time or, where they leave it out, a later one. None past what instants can say.
    #[must_use]
    pub fn first_at(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        // No clock is a whole day from UTC: what was in force by then may be so at that time.
        let early = local.and_utc().checked_sub_days(Days::new(1))?;
        let passed = self.changes.partition_point(|(change, _)| *change <= early);
        let mut begun = (early, self.offset_at(early));
        for next in self.changes.iter().skip(passed).map(Some).chain([None]) {
            let (begin, offset) = begun;
            let there = local.and_local_timezone(offset).single()?.to_utc().max(begin);
            match next {
                Some(change) if there >= change.0 => begun = *change,
                _ => return Some(there),
            }
        }
        None
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        let at = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        self.changes.iter().try_for_each(|(change, offset)| write!(f, ", {} {offset}", at(change)))
    }
}

impl FromStr for Calendar {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |part: &str| {
            let help = "write it like \"+08:00\"; of a zone with each change after it, like \
                        \"+01:00, 2026-03-29T01:00:00Z +02:00\"";
            Error::invalid("offset", format!("`{part}` is not a UTC offset"), help)
        };
        let mut parts = text.split(", ");
        let first = parts.next().unwrap_or_default();
        let first = offset(first).ok_or_else(|| wrong(first))?;
        let change = |part: &str| {
            let (at, changed) = part.split_once(' ')?;
            Some((DateTime::parse_from_rfc3339(at).ok()?.to_utc(), offset(changed)?))
        };
        let changes = parts.map(|part| change(part).ok_or_else(|| wrong(part))).collect::<Result<Vec<Change>>>()?;
        Calendar { name: None, first, changes: changes.into() }.ordered()
    }
}

/// `+08:00`, or `+08:00:30`.
fn offset(text: &str) -> Option<FixedOffset> {
    let (minutes, seconds) = text.split_at_checked(6)?;
    let east = minutes.parse::<FixedOffset>().ok()?.local_minus_utc();
    let seconds = match seconds.strip_prefix(':') {
        None => seconds.is_empty().then_some(0)?,
        Some(digits) => digits.parse::<u8>().ok().filter(|seconds| digits.len() == 2 && *seconds < 60)?.into(),
    };
    FixedOffset::east_opt(if minutes.starts_with('-') {
        east.checked_sub(seconds)?
    } else {
        east.checked_add(seconds)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn first(calendar: &str, day: &str) -> DateTime<Utc> {
        calendar.parse::<Calendar>().unwrap().first_of(day.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_day_begins_when_clocks_first_show_it() {
        assert_eq!(first("+08:00", "2026-11-01"), at("2026-10-31T16:00:00Z"));
        let berlin = "+01:00, 2026-03-29T01:00:00Z +02:00, 2026-10-25T01:00:00Z +01:00";
        for (day, begin) in [
            ("2026-03-29", "2026-03-28T23:00:00Z"),
            ("2026-03-30", "2026-03-29T22:00:00Z"),
            ("2026-10-25", "2026-10-24T22:00:00Z"),
            ("2026-10-26", "2026-10-25T23:00:00Z"),
        ] {
            assert_eq!(first(berlin, day), at(begin), "{day}");
        }
        // Midnight is left out: clocks go from 23:59 to 01:00.
        assert_eq!(first("-03:00, 2018-11-04T03:00:00Z -02:00", "2018-11-04"), at("2018-11-04T03:00:00Z"));
        // Midnight comes twice: at 01:00 it is 00:00 again.
        assert_eq!(first("-04:00, 2026-11-01T05:00:00Z -05:00", "2026-11-01"), at("2026-11-01T04:00:00Z"));
        // It is 24:00, and then 23:00 of the day before.
        assert_eq!(first("-02:00, 2018-02-18T02:00:00Z -03:00", "2018-02-18"), at("2018-02-18T03:00:00Z"));
        // A whole day is left out.
        let apia = "-10:00, 2011-12-30T10:00:00Z +14:00";
        assert_eq!(
            (first(apia, "2011-12-30"), first(apia, "2011-12-31")),
            (at("2011-12-30T10:00:00Z"), at("2011-12-30T10:00:00Z"))
        );
    }

    #[test]
    fn text_is_read_back_and_judged() {
        for text in ["+00:00", "-05:30", "+01:00, 2026-03-29T01:00:00Z +02:00, 2026-10-25T01:00:00Z +01:00"] {
            assert_eq!(text.parse::<Calendar>().unwrap().to_string(), text);
        }
        for text in
            ["", "8", "+01:00,", "+01:00, 2026-03-29T01:00:00Z", "+01:00, x +02:00", "+01:00, 2026-03-29T01:00:00Z 2"]
        {
            assert_eq!(text.parse::<Calendar>().unwrap_err().code(), "invalid_argument", "{text}");
        }
        let back = "+01:00, 2026-10-25T01:00:00Z +01:00, 2026-03-29T01:00:00Z +02:00";
        assert_eq!(back.parse::<Calendar>().unwrap_err().code(), "invalid_argument");
    }
}
