//! A stretch of time that a report is about.

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::Calendar;
use crate::error::{Error, Result};
use crate::units::Instant;

/// A stretch of booked time: from an instant (included) to another (not included), either open.
///
/// ```
/// use chrono::{FixedOffset, TimeZone, Utc};
/// use counterfoil::Period;
///
/// let november = Period::month(2026, 11, FixedOffset::east_opt(8 * 3600).unwrap())?;
/// assert_eq!(november.begin(), Some(Utc.with_ymd_and_hms(2026, 10, 31, 16, 0, 0).unwrap()));
/// assert!(Period::all().contains(Utc::now()));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    begin: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Period {
    /// All time.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// From one instant (included) to another (not included); `None` leaves that side open.
    ///
    /// # Errors
    /// `invalid_argument` when the end is not after the beginning.
    pub fn new(begin: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Result<Self> {
        if begin.zip(end).is_some_and(|(begin, end)| begin >= end) {
            return Err(Error::invalid(
                "to",
                "is not after from",
                "the end itself is not in the period: for one day, give the next day as its end",
            ));
        }
        Ok(Period { begin, end })
    }

    /// A calendar month (1 to 12), as this calendar has it: that of an offset from UTC, or of a zone.
    ///
    /// # Errors
    /// `invalid_argument` when there is no such month.
    pub fn month(year: i32, month: u32, calendar: impl Into<Calendar>) -> Result<Self> {
        let calendar = calendar.into();
        let first = NaiveDate::from_ymd_opt(year, month, 1);
        let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
        match (first.and_then(|day| calendar.first_of(day)), next.and_then(|day| calendar.first_of(day))) {
            (Some(begin), Some(end)) => Self::new(Some(begin), Some(end)),
            _ => Err(Error::invalid("month", format!("there is no month {year}-{month}"), "give one as in 2026-11")),
        }
    }

    /// Refuses a period that begins after now: what it will be like nobody has booked.
    pub(crate) fn begun_by(&self, now: DateTime<Utc>) -> Result<()> {
        match self.begin.filter(|begin| *begin > now) {
            None => Ok(()),
            Some(begin) => Err(Error::invalid(
                "from",
                format!("{} is later than now", Instant::clamped(begin.timestamp_millis())),
                "a report is about what was; there are other questions about what is to come",
            )),
        }
    }

    /// Its ends as the books keep time, in whole milliseconds: those booked from the one on and before the other are the same.
    pub(crate) fn milliseconds(&self) -> (Option<Instant>, Option<Instant>) {
        let whole = |at: DateTime<Utc>| {
            let part = i64::from(!at.timestamp_subsec_nanos().is_multiple_of(1_000_000));
            Instant::clamped(at.timestamp_millis().saturating_add(part))
        };
        (self.begin.map(whole).filter(|begin| *begin > Instant::MIN), self.end.map(whole))
    }

    /// The first instant in it.
    #[must_use]
    pub fn begin(&self) -> Option<DateTime<Utc>> {
        self.begin
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(&self) -> Option<DateTime<Utc>> {
        self.end
    }

    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.begin.is_none_or(|begin| at >= begin) && self.end.is_none_or(|end| at < end)
    }
}
