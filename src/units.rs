//! Points, instants and the clock: the units everything else counts in.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool, AtomicI64};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// The largest number of points an amount, a balance or a debt may reach. Safe as a JSON number everywhere.
pub(crate) const MAX_POINTS: i64 = 9_000_000_000_000_000;

/// Milliseconds of a day.
pub(crate) const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// A whole number of points, never negative: what is asked for, and what answers tell.
///
/// It compares with an `i64`, and turns into one; sums and differences are plain `i64`.
///
/// ```
/// use counterfoil::Points;
/// let points = Points::new(320)?;
/// assert!(points == 320 && points > 100 && points.get() - 400 == -80);
/// assert_eq!(points.checked_sub(Points::new(20)?), Some(Points::new(300)?));
/// assert_eq!(Points::new(-1).unwrap_err().code(), "invalid_argument");
/// assert_eq!(Points::new(i64::MAX).unwrap_err().code(), "out_of_range");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Told", into = "i64")]
pub struct Points(i64);

impl Points {
    /// No points.
    pub const ZERO: Points = Points(0);
    /// The most that may be asked for, and that an account may have: 9 000 000 000 000 000. Only a balance that a wrong
    /// clock has brought about is told beyond it, until the clock is right.
    pub const MAX: Points = Points(MAX_POINTS);

    /// Checks and wraps a number of points.
    ///
    /// # Errors
    /// `invalid_argument` below zero, `out_of_range` above [`Points::MAX`].
    pub fn new(points: i64) -> Result<Self> {
        if points < 0 {
            return Err(Error::invalid("points", format!("{points} is negative"), "give 0 or more whole points"));
        }
        if points > MAX_POINTS {
            return Err(Error::out_of_range("points", format!("{points} is more than {MAX_POINTS}")));
        }
        Ok(Points(points))
    }

    /// What the books come to. Columns were held against the largest number when they were read; sums of them may pass it.
    pub(crate) fn booked(points: i64) -> Result<Self> {
        if points < 0 { Err(Error::corrupt(format!("the books come to {points} points"))) } else { Ok(Points(points)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum; none above [`Points::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Points) -> Option<Points> {
        self.0.checked_add(other.0).filter(|sum| *sum <= MAX_POINTS).map(Points)
    }

    /// What is left; none when it is less than nothing.
    #[must_use]
    pub fn checked_sub(self, other: Points) -> Option<Points> {
        self.0.checked_sub(other.0).filter(|left| *left >= 0).map(Points)
    }

    /// Whether a figure is left out of an answer.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(crate) fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

/// Points as an answer tells them: whatever could be written can be read.
#[derive(Deserialize)]
#[serde(transparent)]
struct Told(i64);

impl TryFrom<Told> for Points {
    type Error = Error;

    fn try_from(Told(points): Told) -> Result<Self> {
        Points::new(points.min(MAX_POINTS)).map(|_| Points(points))
    }
}

impl TryFrom<i64> for Points {
    type Error = Error;

    fn try_from(points: i64) -> Result<Self> {
        Points::new(points)
    }
}

impl From<Points> for i64 {
    fn from(points: Points) -> i64 {
        points.get()
    }
}

impl From<Points> for serde_json::Value {
    fn from(points: Points) -> Self {
        points.get().into()
    }
}

impl PartialEq<i64> for Points {
    fn eq(&self, other: &i64) -> bool {
        self.0 == *other
    }
}

impl PartialEq<Points> for i64 {
    fn eq(&self, other: &Points) -> bool {
        *self == other.0
    }
}

impl PartialOrd<i64> for Points {
    fn partial_cmp(&self, other: &i64) -> Option<Ordering> {
        self.0.partial_cmp(other)
    }
}

impl PartialOrd<Points> for i64 {
    fn partial_cmp(&self, other: &Points) -> Option<Ordering> {
        self.partial_cmp(&other.0)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Adds two amounts; `out_of_range` instead of overflow.
pub(crate) fn add(a: i64, b: i64) -> Result<i64> {
    a.checked_add(b).ok_or_else(|| Error::out_of_range("points", format!("{a} + {b} does not fit")))
}

/// Subtracts two amounts; `out_of_range` instead of overflow.
pub(crate) fn sub(a: i64, b: i64) -> Result<i64> {
    a.checked_sub(b).ok_or_else(|| Error::out_of_range("points", format!("{a} - {b} does not fit")))
}

/// An instant in UTC with millisecond precision, 1970 to the end of 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Instant(i64);

impl Instant {
    /// 9999-12-31T23:59:59.999Z
    pub(crate) const MAX: Instant = Instant(253_402_300_799_999);
    pub(crate) const MIN: Instant = Instant(0);

    /// From Unix milliseconds; anything outside the range is clamped (for clock readings and stored values).
    pub(crate) fn clamped(millis: i64) -> Self {
        Instant(millis.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// From a caller's time: floored to the millisecond, refused outside 1970..=9999.
    pub(crate) fn from_utc(field: &'static str, time: DateTime<Utc>) -> Result<Self> {
        let millis = time.timestamp_millis();
        if millis < Self::MIN.0 {
            return Err(Error::invalid(field, format!("{time} is before 1970"), "give a time from 1970 on"));
        }
        if millis > Self::MAX.0 {
            return Err(Error::out_of_range(field, format!("{time} is after the year 9999")));
        }
        Ok(Instant(millis))
    }

    /// Reads RFC 3339 text.
    pub(crate) fn parse(field: &'static str, text: &str) -> Result<Self> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| {
            // RFC 3339 has four digits for the year; a fifth is written with a sign.
            if text.starts_with('+') {
                return Error::out_of_range(field, format!("`{text}` is after the year 9999"));
            }
            let help = match chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(day) if field == "expires_at" => {
                    let next = day.succ_opt().unwrap_or(day);
                    format!("with end_of_day beside it, like +08:00, it is the end of that day, which is {next}T00:00:00+08:00")
                }
                Ok(day) => {
                    format!("say when on that day, with the offset from UTC: {day}T00:00:00+08:00 is a midnight")
                }
                Err(_) => "write it like 2027-05-21T10:00:00Z".into(),
            };
            Error::invalid(field, format!("`{text}` is not an RFC 3339 time"), help)
        })?;
        Self::from_utc(field, time.with_timezone(&Utc))
    }

    pub(crate) const fn millis(self) -> i64 {
        self.0
    }

    pub(crate) fn utc(self) -> DateTime<Utc> {
        // In range by construction, so the default is never taken.
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// The instant `millis` later, or `out_of_range`.
    pub(crate) fn plus(self, field: &'static str, millis: i64) -> Result<Self> {
        match self.0.checked_add(millis) {
            Some(sum) if (Self::MIN.0..=Self::MAX.0).contains(&sum) => Ok(Instant(sum)),
            _ => Err(Error::out_of_range(field, format!("{self} plus {millis} ms is past the year 9999"))),
        }
    }

    /// Milliseconds from `earlier` to here; both are in range, so this cannot overflow.
    pub(crate) fn since(self, earlier: Instant) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Says what a type looks like in the JSON Schema, where its derive cannot tell.
macro_rules! json_schema {
    ($name:ident as $told:expr, $schema:tt) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $told.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
pub(crate) use json_schema;

json_schema!(Points as "Points", { "type": "integer", "format": "int64", "minimum": 0 });

/// A public `DateTime<Utc>` the one way counterfoil writes instants: RFC 3339, milliseconds, `Z`. A type, for what serde
/// is told of a field the JSON Schema is told too.
#[allow(non_camel_case_types, reason = "serde names it as it does a module")]
pub(crate) struct utc;

/// The same for an optional instant.
#[allow(non_camel_case_types, reason = "serde names it as it does a module")]
pub(crate) struct utc_option;

/// The same where none means `never`.
#[allow(non_camel_case_types, reason = "serde names it as it does a module")]
pub(crate) struct or_never;

json_schema!(utc as "Instant", { "type": "string", "format": "date-time" });
json_schema!(utc_option as "Instant", { "type": "string", "format": "date-time" });
json_schema!(or_never as "InstantOrNever", { "anyOf": [{ "type": "string", "format": "date-time" }, { "const": "never" }] });

impl utc {
    pub(crate) fn serialize<S: Serializer>(time: &DateTime<Utc>, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<DateTime<Utc>, D::Error> {
        read(&String::deserialize(d)?)
    }
}

impl utc_option {
    pub(crate) fn serialize<S: Serializer>(time: &Option<DateTime<Utc>>, s: S) -> std::result::Result<S::Ok, S::Error> {
        match time {
            Some(time) => utc::serialize(time, s),
            None => s.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<DateTime<Utc>>, D::Error> {
        Option::<String>::deserialize(d)?.as_deref().map(read).transpose()
    }
}

impl or_never {
    pub(crate) fn serialize<S: Serializer>(time: &Option<DateTime<Utc>>, s: S) -> std::result::Result<S::Ok, S::Error> {
        match time {
            Some(time) => utc::serialize(time, s),
            None => s.serialize_str("never"),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> std::result::Result<Option<DateTime<Utc>>, D::Error> {
        let text = String::deserialize(d)?;
        (text != "never").then(|| read(&text)).transpose()
    }
}

fn read<E: serde::de::Error>(text: &str) -> std::result::Result<DateTime<Utc>, E> {
    Instant::parse("time", text).map(Instant::utc).map_err(E::custom)
}

/// Whether a figure is left out of an answer.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(crate) fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Whether a mark is left out of an answer.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(crate) fn is_false(b: &bool) -> bool {
    !*b
}

/// Where an operation's time comes from: read once per operation.
///
/// ```
/// use counterfoil::clock::{Clock, ManualClock};
/// let clock = ManualClock::at("2026-11-22T10:00:00Z")?;
/// let before = clock.now();
/// clock.advance(std::time::Duration::from_secs(60));
/// assert_eq!((clock.now() - before).num_seconds(), 60);
/// # Ok::<(), counterfoil::Error>(())
/// ```
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;

    /// Whether the time is known to be right (network time, a GPS). A trusted reading is never *suspect*.
    fn is_trusted(&self) -> bool {
        false
    }
}

/// How long the computer's clock says it has been since 1970; nothing when it stands before (a flat battery).
pub(crate) fn since_1970() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}

/// The computer's own clock; not trusted. One that stands before 1970 counts as 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        let millis = since_1970().unwrap_or_default().as_millis();
        Instant::clamped(i64::try_from(millis).unwrap_or(i64::MAX)).utc()
    }
}

/// A clock that stands where it is put: for tests and simulation. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    millis: Arc<AtomicI64>,
    trusted: Arc<AtomicBool>,
}

impl ManualClock {
    /// A clock standing at an RFC 3339 time.
    ///
    /// # Errors
    /// `invalid_argument` when the text is not RFC 3339, `out_of_range` after the year 9999.
    pub fn at(time: &str) -> Result<Self> {
        let clock = Self::default();
        clock.millis.store(Instant::parse("clock", time)?.millis(), atomic::Ordering::SeqCst);
        Ok(clock)
    }

    /// Puts the clock at a time, forwards or backwards.
    pub fn set(&self, time: DateTime<Utc>) {
        self.millis.store(time.timestamp_millis(), atomic::Ordering::SeqCst);
    }

    /// Moves the clock forwards; at the end of the range it stands still.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let now = self.millis.load(atomic::Ordering::SeqCst);
        self.millis.store(Instant::clamped(now.saturating_add(by)).millis(), atomic::Ordering::SeqCst);
    }

    /// Says whether the clock's readings are known to be right.
    pub fn set_trusted(&self, trusted: bool) {
        self.trusted.store(trusted, atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        Instant::clamped(self.millis.load(atomic::Ordering::SeqCst)).utc()
    }

    fn is_trusted(&self) -> bool {
        self.trusted.load(atomic::Ordering::SeqCst)
    }
}

/// One clock reading: what an operation knows of the time in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) trusted: bool,
}

impl Reading {
    pub(crate) fn take(clock: &dyn Clock) -> Self {
        Reading { at: Instant::clamped(clock.now().timestamp_millis()), trusted: clock.is_trusted() }
    }
}
