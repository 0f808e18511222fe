//! Numbers, times and texts from outside, as a reader sees them.

use chrono::{DateTime, FixedOffset, NaiveTime, SecondsFormat, Utc};
use counterfoil::report::{Calendar, Statement};

use crate::quantity::{grouped, named};
use crate::safe;

/// A number with its thousands apart and a real minus sign.
pub(super) fn points(n: impl Into<i64>) -> String {
    grouped(&n.into().to_string()).replace('-', "\u{2212}")
}

/// A change: with its sign.
pub(super) fn signed(n: i64) -> String {
    if n > 0 { format!("+{}", points(n)) } else { points(n) }
}

/// `1 batch`, `2 batches`.
pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", points(i64::try_from(n).unwrap_or(i64::MAX)), if n == 1 { one } else { many })
}

/// Text on which somebody may rely: nothing invisible in it.
pub(super) fn strict(text: &str) -> String {
    safe::line(text)
}

/// Free text. Nothing in it can hide or turn other text around; joiners stay, for emoji and some scripts are made with them.
pub(super) fn free(text: &str) -> String {
    text.split('\u{200d}').map(safe::lines).collect::<Vec<_>>().join("\u{200d}")
}

/// A word longer than this may be broken.
const WORD: usize = 9;

/// Text as HTML that says where a line may break: after a sign that joins a name, never in a number.
pub(super) fn soft(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for word in text.split_inclusive(' ') {
        let long = word.trim_end().chars().count() > WORD;
        let mut rest = word.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                _ => html.push(c),
            }
            let may = match (c, rest.peek()) {
                ('_' | '-' | '.' | ':' | '/' | '@', Some(next)) => next.is_alphabetic(),
                _ => false,
            };
            if long && may {
                html.push_str("<wbr>");
            }
        }
    }
    html
}

/// A quantity with the thousands of its whole part apart, and its unit.
pub(super) fn amount(quantity: &str, unit: Option<&str>) -> String {
    let (whole, rest) = quantity.split_once('.').map_or((quantity, None), |(whole, rest)| (whole, Some(rest)));
    let whole = whole.parse::<i64>().map_or_else(|_| free(whole), points);
    let number = rest.map_or_else(|| whole.clone(), |rest| format!("{whole}.{}", free(rest)));
    match unit {
        Some(unit) => format!("{number}\u{a0}{}", named(&free(unit), quantity)),
        None => number,
    }
}

/// An instant: for programs, and for readers.
pub(super) struct Stamp {
    pub(super) iso: String,
    pub(super) date: String,
    pub(super) time: String,
}

impl Stamp {
    /// Where clocks are changed a time can come twice: which it is, its offset says.
    pub(super) fn exact(at: DateTime<Utc>, calendar: &Calendar) -> Self {
        let stamp = Stamp::new(at, calendar);
        Stamp { time: format!("{} {}", stamp.time, calendar.offset_at(at)), ..stamp }
    }

    pub(super) fn new(at: DateTime<Utc>, calendar: &Calendar) -> Self {
        let local = calendar.local(at);
        Stamp {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            date: local.format("%Y-%m-%d").to_string(),
            time: local.format("%H:%M").to_string(),
        }
    }
}

/// The last moment before an instant: the end of a day where it is a midnight.
pub(super) struct Until {
    /// The last day.
    pub(super) day: chrono::NaiveDate,
    /// When on it.
    pub(super) time: String,
}

impl Until {
    pub(super) fn new(end: DateTime<Utc>, calendar: &Calendar) -> Self {
        let local = calendar.local(end).naive_local();
        match local.date().pred_opt().filter(|_| calendar.first_of(local.date()) == Some(end)) {
            Some(day) => Until { day, time: "end of day".into() },
            None => Until { day: local.date(), time: local.format("%H:%M").to_string() },
        }
    }

    pub(super) fn text(&self) -> String {
        format!("{}, {}", self.day.format("%Y-%m-%d"), self.time)
    }
}

fn utc(offset: FixedOffset) -> String {
    if offset.local_minus_utc() == 0 { "UTC".into() } else { format!("UTC{offset}") }
}

/// Whose clocks times are told by, with what they were from one instant to another.
pub(super) fn zone(calendar: &Calendar, begin: DateTime<Utc>, end: DateTime<Utc>) -> String {
    let mut offsets = vec![calendar.offset_at(begin)];
    for (_, offset) in calendar.changes_within(begin, end) {
        if !offsets.contains(&offset) {
            offsets.push(offset);
        }
    }
    let said = offsets.into_iter().map(utc).collect::<Vec<_>>().join(" and ");
    calendar.name().map_or_else(|| said.clone(), |name| format!("of {name} ({said})"))
}

fn day(at: DateTime<Utc>, calendar: &Calendar) -> String {
    let local = calendar.local(at).naive_local();
    let format = if local.time() == NaiveTime::MIN { "%-d %B %Y" } else { "%-d %B %Y, %H:%M" };
    local.format(format).to_string()
}

/// The days from one instant to another, in milliseconds; a midnight ends the day before it.
pub(super) fn days(begin: i64, end: i64, calendar: &Calendar) -> String {
    let local = |ms: i64| DateTime::from_timestamp_millis(ms).map(|at| calendar.local(at).date_naive());
    let (Some(first), Some(last)) = (local(begin), local(end.saturating_sub(1))) else { return String::new() };
    let last = last.max(first).format("%-d %b %Y");
    if local(end.saturating_sub(1)) == Some(first) {
        last.to_string()
    } else {
        format!("{} – {last}", first.format("%-d %b %Y"))
    }
}

/// The last day of a period that is over, rather than the first after it. One that goes on is known until now.
pub(super) fn last(statement: &Statement, calendar: &Calendar) -> Option<String> {
    let to = statement.to.filter(|to| *to <= statement.as_of)?;
    Some(match Until::new(to, calendar) {
        Until { day, time } if time == "end of day" => day.format("%-d %B %Y").to_string(),
        _ => day(to, calendar),
    })
}

/// The last day of the period so far.
pub(super) fn as_of(statement: &Statement, calendar: &Calendar) -> String {
    let end = statement.end();
    let day = if end < statement.as_of { Until::new(end, calendar).day } else { calendar.local(end).date_naive() };
    day.format("%-d %b %Y").to_string()
}

/// What the statement is about, in words.
pub(super) fn period(statement: &Statement, calendar: &Calendar) -> String {
    let day = |at| day(at, calendar);
    match (statement.from, last(statement, calendar)) {
        (Some(from), None) if statement.to.is_some() => format!("from {} until now", day(from)),
        (None, None) if statement.to.is_some() => "from the beginning until now".into(),
        (Some(from), Some(to)) => format!("{} to {to}", day(from)),
        (Some(from), None) => format!("from {}", day(from)),
        (None, Some(to)) => format!("from the beginning to {to}"),
        (None, None) => "from the beginning".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (-1_000, "\u{2212}1,000"),
            (9_000_000_000_000_000, "9,000,000,000,000,000"),
            (i64::MIN, "\u{2212}9,223,372,036,854,775,808"),
        ] {
            assert_eq!(points(n), text);
        }
        assert_eq!((signed(5), signed(0), signed(-5)), ("+5".into(), "0".into(), "\u{2212}5".into()));
    }

    #[test]
    fn lines_break_where_a_reader_would() {
        for (text, html) in [
            ("9,000,000,000", "9,000,000,000"),
            ("+11,908", "+11,908"),
            ("script_generation 1.2.x", "script_<wbr>generation 1.2.x"),
            ("cdn.example:a-b", "cdn.<wbr>example:<wbr>a-<wbr>b"),
            ("<i>&\"'", "&lt;i&gt;&amp;&quot;&#39;"),
        ] {
            assert_eq!(soft(text), html);
        }
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(amount("1234.50", None), "1,234.50");
        assert_eq!(amount("59650", Some("token")), "59,650\u{a0}tokens");
        assert_eq!(amount("1", Some("second")), "1\u{a0}second");
    }

    #[test]
    fn a_midnight_is_the_end_of_the_day_before() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let beijing = Calendar::from(FixedOffset::east_opt(8 * 3600).unwrap());
        assert_eq!(Until::new(at("2026-11-30T16:00:00Z"), &beijing).text(), "2026-11-30, end of day");
        assert_eq!(Until::new(at("2026-11-30T16:00:01Z"), &beijing).text(), "2026-12-01, 00:00");
    }

    #[test]
    fn text_cannot_hide_or_turn_around() {
        assert_eq!(free("👩\u{200d}💻 x\u{202e}y\u{0}\nz"), "👩\u{200d}💻 x\\u{202e}y\\u{0}\nz");
        assert_eq!(strict("a\u{200d}b"), "a\\u{200d}b");
    }
}
