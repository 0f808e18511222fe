//! Where the axes of a chart have their marks.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use counterfoil::report::Calendar;

/// Marks of points: 0 and the multiples of 1, 2 or 5 × 10ⁿ that enclose the range in at most this many steps.
pub(super) fn points(low: i64, high: i64, steps: i64) -> Vec<i64> {
    let (low, high) = (low.min(0), high.max(0));
    let span = high.saturating_sub(low).max(1);
    let mut step: i64 = 1;
    let mut grow = [2, 5, 10].into_iter().cycle();
    let mut unit: i64 = 1;
    while span.div_euclid(step) >= steps {
        let factor = grow.next().unwrap_or(10);
        step = unit.saturating_mul(factor);
        if factor == 10 {
            unit = step;
        }
    }
    let first = low.div_euclid(step).saturating_mul(step);
    let last = high.saturating_add(step - 1).div_euclid(step).max(i64::from(low == high)).saturating_mul(step);
    std::iter::successors(Some(first), |mark| mark.checked_add(step)).take_while(|mark| *mark <= last).collect()
}

/// A number of points in few letters: exact for marks, which have at most three digits that count.
pub(super) fn short(n: i64) -> String {
    let size = n.unsigned_abs();
    let (unit, name) = match size {
        0..10_000 => (1, ""),
        10_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "B"),
        _ => (1_000_000_000_000_u64, "T"),
    };
    let tenths = (size % unit) * 10 / unit;
    let whole = super::words::points(i64::try_from(size / unit).unwrap_or(i64::MAX));
    let sign = if n < 0 { "\u{2212}" } else { "" };
    if tenths == 0 { format!("{sign}{whole}{name}") } else { format!("{sign}{whole}.{tenths}{name}") }
}

/// Marks of time, in milliseconds, with what is written at them: from seconds to years, at most `most`.
pub(super) fn times(begin: i64, end: i64, calendar: &Calendar, most: usize) -> Vec<(i64, String)> {
    let local = |ms: i64| DateTime::from_timestamp_millis(ms).map(|at| calendar.local(at).naive_local());
    let (Some(first), Some(last)) = (local(begin), local(end)) else { return Vec::new() };
    let seconds = [10, 30].map(Step::Seconds);
    let minutes = [1, 2, 5, 10, 15, 30].map(|n| Step::Seconds(n * 60));
    let hours = [1, 2, 3, 6, 12].map(|n| Step::Seconds(n * 3600));
    let days = [1, 2, 5, 10].map(Step::Days);
    let months = [1, 2, 3, 6, 12, 24, 60, 120, 600, 6000, 60_000].map(Step::Months);
    for step in seconds.into_iter().chain(minutes).chain(hours).chain(days).chain(months) {
        // A day cannot have been found by its hours when there are years of them.
        let few = i64::try_from(most).unwrap_or(1).saturating_mul(step.milliseconds());
        if end.saturating_sub(begin) > few.saturating_mul(2) {
            continue;
        }
        let marks: Vec<NaiveDateTime> = step.marks(first, last);
        if marks.len() <= most {
            let years = first.year() != last.year();
            let placed = |mark: &NaiveDateTime| {
                let at = calendar.first_at(*mark)?.timestamp_millis();
                // An hour that clocks leave out has no place. A day has one, whenever it begins.
                let shown = mark.time() == NaiveTime::MIN || local(at) == Some(*mark);
                shown.then(|| (at, step.label(*mark, years)))
            };
            return marks.iter().filter_map(placed).collect();
        }
    }
    Vec::new()
}

#[derive(Clone, Copy)]
enum Step {
    Seconds(u32),
    Days(u32),
    Months(u32),
}

impl Step {
    fn milliseconds(self) -> i64 {
        let seconds = match self {
            Step::Seconds(n) => i64::from(n),
            Step::Days(n) => i64::from(n) * 86_400,
            Step::Months(n) => i64::from(n) * 86_400 * 31,
        };
        seconds * 1000
    }

    fn marks(self, first: NaiveDateTime, last: NaiveDateTime) -> Vec<NaiveDateTime> {
        let start = match self {
            Step::Seconds(_) => Some(first.date()),
            Step::Days(_) => first.date().with_day(1),
            Step::Months(n) if n < 12 => first.date().with_ordinal(1),
            Step::Months(n) => {
                let years = i32::try_from(n / 12).unwrap_or(1);
                NaiveDate::from_ymd_opt(first.year().div_euclid(years) * years, 1, 1)
            }
        };
        let all = std::iter::successors(start.map(|day| day.and_time(NaiveTime::MIN)), |mark| match self {
            Step::Seconds(n) => mark.checked_add_signed(TimeDelta::seconds(n.into())),
            Step::Days(n) => next_day(mark.date(), n).map(|day| day.and_time(NaiveTime::MIN)),
            Step::Months(n) => mark.checked_add_months(Months::new(n)),
        });
        all.skip_while(|mark| *mark < first).take_while(|mark| *mark <= last).collect()
    }

    fn label(self, mark: NaiveDateTime, years: bool) -> String {
        let format = match self {
            Step::Seconds(_) if mark.time() == NaiveTime::MIN => "%-d %b",
            Step::Seconds(..60) => "%H:%M:%S",
            Step::Seconds(_) => "%H:%M",
            Step::Days(_) => "%-d %b",
            Step::Months(n) if n >= 12 => "%Y",
            Step::Months(_) if years => "%b %Y",
            Step::Months(_) => "%b",
        };
        mark.format(format).to_string()
    }
}

/// The next mark of days: every nth from the first of the month, none squeezed in before the next first.
fn next_day(day: NaiveDate, n: u32) -> Option<NaiveDate> {
    let next = day.checked_add_days(chrono::Days::new(n.into()))?;
    let first = day.checked_add_months(Months::new(1))?.with_day(1)?;
    let close = i64::from(n) / 2 + i64::from(n > 1);
    if (first - next).num_days() < close { Some(first) } else { Some(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_points_enclose_the_range() {
        assert_eq!(points(0, 0, 5), [0, 1]);
        assert_eq!(points(-3, 9, 5), [-5, 0, 5, 10]);
        assert_eq!(points(10, 1234, 5), [0, 500, 1000, 1500]);
        let most = 9_000_000_000_000_000;
        assert_eq!(
            points(-most, most, 5),
            [-10_000_000_000_000_000, -5_000_000_000_000_000, 0, 5_000_000_000_000_000, 10_000_000_000_000_000]
        );
        for (low, high) in [(0, 1), (-1, 0), (0, 7), (-99, 100), (0, i64::from(i32::MAX)), (-most, 0)] {
            let marks = points(low, high, 5);
            assert!(marks[0] <= low && marks[marks.len() - 1] >= high && marks.contains(&0), "{low} {high} {marks:?}");
            assert!((2..=7).contains(&marks.len()), "{marks:?}");
        }
    }

    #[test]
    fn short_numbers_are_exact() {
        for (n, text) in [
            (0, "0"),
            (-500, "\u{2212}500"),
            (5_000, "5,000"),
            (50_000, "50k"),
            (2_500_000, "2.5M"),
            (9_000_000_000_000_000, "9,000T"),
        ] {
            assert_eq!(short(n), text);
        }
    }

    #[test]
    fn marks_of_time_are_whole_days_and_few() {
        let at = |text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis();
        let labels = |begin, end, hours: i32, most| {
            let calendar = chrono::FixedOffset::east_opt(hours * 3600).unwrap().into();
            times(at(begin), at(end), &calendar, most).into_iter().map(|mark| mark.1).collect::<Vec<_>>()
        };
        assert_eq!(
            labels("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", 0, 8),
            ["1 Nov", "6 Nov", "11 Nov", "16 Nov", "21 Nov", "26 Nov", "1 Dec"]
        );
        assert_eq!(
            labels("2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z", 8, 4),
            ["1 Nov", "11 Nov", "21 Nov", "1 Dec"]
        );
        assert_eq!(labels("2026-11-01T10:00:00Z", "2026-11-01T13:30:00Z", 0, 6), ["10:00", "11:00", "12:00", "13:00"]);
        // A period under an hour had no mark at all.
        assert_eq!(labels("2026-11-01T10:11:00Z", "2026-11-01T10:51:00Z", 0, 4), ["10:20", "10:30", "10:40", "10:50"]);
        assert_eq!(labels("2026-11-01T10:11:05Z", "2026-11-01T10:12:05Z", 0, 4), ["10:11:30", "10:12:00"]);
        assert_eq!(labels("2025-11-01T00:00:00Z", "2026-03-01T00:00:00Z", 0, 5).len(), 5);
        for end in [
            "2026-01-01T00:00:01Z",
            "2026-01-03T00:00:00Z",
            "2027-06-01T00:00:00Z",
            "2099-06-01T00:00:00Z",
            "9999-12-31T00:00:00Z",
        ] {
            let marks = labels("2026-01-01T00:00:00Z", end, 0, 6);
            assert!((1..=6).contains(&marks.len()), "{end}: {marks:?}");
        }
    }
}
