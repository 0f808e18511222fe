//! JSON in which instants are told as clocks of a calendar show them, with their offset: the same instants, whatever the clock.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use counterfoil::report::Calendar;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Fields in which answers keep instants, beside those that end with `_at`.
const INSTANTS: [&str; 9] = ["from", "to", "as_of", "at", "deadline", "until", "anchor", "before", "after"];
/// What callers gave is told as it was given.
const GIVEN: [&str; 2] = ["request", "metadata"];

/// An instant as clocks of a calendar show it: RFC 3339 with milliseconds.
pub(crate) fn stamp(calendar: &Calendar, at: DateTime<Utc>) -> String {
    calendar.local(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What a field's text is told as, when it is an instant.
pub(crate) fn told(calendar: &Calendar, field: &str, text: &str) -> Option<String> {
    // As answers write them: a text from outside is seldom so, and is in another field.
    let written = text.len() == "2026-11-22T18:10:47.954Z".len() && text.ends_with('Z');
    if !written || !(field.ends_with("_at") || INSTANTS.contains(&field)) {
        return None;
    }
    DateTime::parse_from_rfc3339(text).ok().map(|at| stamp(calendar, at.to_utc()))
}

/// Writes an answer as JSON, on one line or, `pretty`, on several, its instants as clocks of a calendar show them.
///
/// ```
/// use counterfoil::report::Calendar;
/// let beijing: Calendar = "+08:00".parse()?;
/// let mut text = Vec::new();
/// let answer = serde_json::json!({"booked_at": "2026-11-22T18:10:47.954Z", "points": 5});
/// counterfoil_report::json(&answer, &beijing, false, &mut text)?;
/// assert_eq!(text, br#"{"booked_at":"2026-11-23T02:10:47.954+08:00","points":5}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the writer says, or the answer's serialization.
pub fn json<T: Serialize + ?Sized>(
    answer: &T,
    calendar: &Calendar,
    pretty: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if pretty {
        answer.serialize(&mut Serializer::with_formatter(out, Dated::new(PrettyFormatter::new(), calendar)))?;
    } else {
        answer.serialize(&mut Serializer::with_formatter(out, Dated::new(CompactFormatter, calendar)))?;
    }
    Ok(())
}

/// Writes as another formatter does, but for instants.
struct Dated<'c, F> {
    plain: F,
    calendar: &'c Calendar,
    /// The field whose value comes, and whether its name is being written.
    field: String,
    naming: bool,
    /// How deep it is within objects, and from where on that is what a caller gave.
    depth: usize,
    given: Option<usize>,
}

impl<'c, F> Dated<'c, F> {
    fn new(plain: F, calendar: &'c Calendar) -> Self {
        Dated { plain, calendar, field: String::new(), naming: false, depth: 0, given: None }
    }
}

impl<F: Formatter> Formatter for Dated<'_, F> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.plain.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.plain.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.plain.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.plain.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_add(1);
        if self.given.is_none() && GIVEN.contains(&self.field.as_str()) {
            self.given = Some(self.depth);
        }
        self.plain.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.given == Some(self.depth) {
            self.given = None;
        }
        self.depth = self.depth.saturating_sub(1);
        self.plain.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.field.clear();
        self.naming = true;
        self.plain.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.naming = false;
        self.plain.end_object_key(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.plain.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.plain.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if self.naming {
            self.field.push_str(fragment);
        } else if let Some(told) = self.given.is_none().then(|| told(self.calendar, &self.field, fragment)).flatten() {
            return self.plain.write_string_fragment(writer, &told);
        }
        self.plain.write_string_fragment(writer, fragment)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_instants_are_told_by_the_calendar() {
        let at = "2026-11-22T18:10:47.954Z";
        let there = "2026-11-23T02:10:47.954+08:00";
        let answer = json!({
            "booked_at": at, "lines": [{"deadline": at, "reference": at}, {"at": at}], "expires_at": "never", "from": "paid",
            "request": {"expires_at": at, "more": {"at": at}}, "as_of": at,
        });
        let told = json!({
            "booked_at": there, "lines": [{"deadline": there, "reference": at}, {"at": there}], "expires_at": "never", "from": "paid",
            "request": {"expires_at": at, "more": {"at": at}}, "as_of": there,
        });
        for (calendar, wanted) in [("+08:00", &told), ("+00:00", &answer)] {
            for pretty in [false, true] {
                let mut text = Vec::new();
                super::json(&answer, &calendar.parse().unwrap(), pretty, &mut text).unwrap();
                assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), *wanted, "{calendar}");
            }
        }
        let mut text = Vec::new();
        super::json(&answer, &Calendar::default(), true, &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), serde_json::to_string_pretty(&answer).unwrap());
    }
}
