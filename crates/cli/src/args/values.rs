//! Values on the command line. What is a number at all goes to the library as it is given: the library judges it.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use counterfoil::Error;
use counterfoil::report::Calendar;
use serde_json::{Number, Value};

/// Whether a text is a number in any of the usual ways of writing one, good or bad: `5`, `-1`, `1.5`, `2e9`, `NaN`.
pub(crate) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return true;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(decimals) && digits(exponent) && !exponent.is_empty() && whole.len() + decimals.len() > 0
}

/// A count: points, days, characters.
pub(super) fn count(text: &str) -> Result<Value, String> {
    if !is_number(text) {
        return Err("not a whole number; write it in digits alone, like 1000".into());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(whole.into());
    }
    match text.trim_start_matches('+').parse::<Number>() {
        Ok(number) => Ok(Value::Number(number)),
        // Past what JSON can carry, or written as JSON cannot: the library sees one too large, or a text.
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(u64::MAX.into()),
        Err(_) => Ok(text.into()),
    }
}

/// A count, or `all`.
pub(super) fn amount(text: &str) -> Result<Value, String> {
    if text == "all" {
        return Ok(text.into());
    }
    count(text).map_err(|error| format!("{error}; give points, or all"))
}

/// An exact decimal: it stays text.
pub(super) fn decimal(text: &str) -> Result<Value, String> {
    if is_number(text) { Ok(text.into()) } else { Err("not a number".into()) }
}

/// Days from now, also as a span is written: `60`, `60d`.
pub(super) fn days(text: &str) -> Result<u16, String> {
    text.strip_suffix('d').unwrap_or(text).parse().map_err(|_| format!("not whole days in 0..={}", u16::MAX))
}

/// A span of time as seconds: `3600`, `90s`, `15m`, `2h`, `3d`.
pub(crate) fn span(text: &str) -> Result<Value, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((place, letter @ ('s' | 'm' | 'h' | 'd'))) => (text.get(..place).unwrap_or_default(), letter),
        _ => (text, 's'),
    };
    if !is_number(number) {
        return Err("not a span of time; write it like 3600, 90s, 15m, 2h or 3d".into());
    }
    let seconds = match (unit, number.parse::<i128>()) {
        ('m', Ok(minutes)) => minutes.checked_mul(60),
        ('h', Ok(hours)) => hours.checked_mul(3600),
        ('d', Ok(days)) => days.checked_mul(86_400),
        ('s', _) => return Ok(number.into()),
        _ => return Err("minutes, hours and days must be whole; give seconds for more exactness".into()),
    };
    seconds.map(|seconds| seconds.to_string().into()).ok_or_else(|| "too long".into())
}

/// The same as a number, where it is whole.
pub(super) fn whole_span(text: &str) -> Result<Value, String> {
    let seconds = span(text)?;
    Ok(seconds.as_str().and_then(|text| text.parse::<i64>().ok()).map_or(seconds.clone(), Value::from))
}

/// What takes away what there was.
pub(super) const NONE: &str = "none";

/// A value, or that there is none.
pub(super) fn or_none(
    read: impl Fn(&str) -> Result<Value, String> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<Value, String> + Clone + Send + Sync + 'static {
    move |text| if text == NONE { Ok(Value::Null) } else { read(text) }
}

/// The value of a setting: a span of time as whole seconds, a word, or words with commas between them.
pub(super) fn setting(text: &str) -> Value {
    if text == "[]" {
        return Value::Array(Vec::new());
    }
    if text.contains(',') {
        return text.split(',').filter(|word| !word.is_empty()).collect();
    }
    let seconds = span(text).ok().and_then(|seconds| seconds.as_str().map(str::to_string));
    let text = seconds.as_deref().unwrap_or(text);
    text.parse::<i64>().map(Value::from).unwrap_or_else(|_| match text.parse::<Number>() {
        Ok(number) if is_number(text) => Value::Number(number),
        _ => Value::from(text),
    })
}

/// A point in time: RFC 3339, or a plain date, which is its first instant in UTC.
pub(crate) fn instant(field: &str, text: &str) -> Result<DateTime<Utc>, Error> {
    instant_at(&Calendar::default(), field, text)
}

/// The same, where a plain date is its first instant by a calendar.
pub(super) fn instant_at(calendar: &Calendar, field: &str, text: &str) -> Result<DateTime<Utc>, Error> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    match date.and_then(|date| calendar.first_of(date)) {
        Some(begin) => Ok(begin),
        None => Err(Error::InvalidArgument {
            field: field.into(),
            message: match no_such_day(text) {
                Some(why) => format!("there is no day `{text}`: {why}"),
                None => format!("`{text}` is neither an RFC 3339 time nor a date"),
            },
            help: "write it like 2027-05-21T10:00:00Z or 2027-05-21".into(),
        }),
    }
}

/// Why a date is none, when its month has fewer days.
fn no_such_day(text: &str) -> Option<String> {
    let first = NaiveDate::parse_from_str(&format!("{}-01", text.get(..7)?), "%Y-%m-%d").ok()?;
    let day: u32 = text.get(7..10)?.strip_prefix('-')?.parse().ok()?;
    let last = first.checked_add_months(Months::new(1))?.pred_opt()?.day();
    (day > last).then(|| format!("{} has {last} days", first.format("%B %Y")))
}

/// An offset from UTC: `+08:00`, `-05:30`, `Z`.
pub(super) fn offset(text: &str) -> Result<Calendar, String> {
    let signed = text.starts_with(['+', '-']) && text.len() == 6 && text.get(3..4) == Some(":");
    match text {
        "Z" | "UTC" | "utc" => Ok(Calendar::default()),
        _ => text.parse().ok().filter(|_| signed).ok_or_else(|| {
            "not an offset; write it like +08:00 or -05:00; a named zone like Europe/Berlin is given by --zone".into()
        }),
    }
}

/// A zone of the IANA database.
pub(super) fn zone(text: &str) -> Result<Calendar, String> {
    counterfoil_report::zone(text).map_err(|error| format!("{error}; {}", error.help()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_words() {
        for text in ["0", "-5", "+5", "007", "1.5", ".5", "5.", "1e3", "1E-3", "NaN", "-inf", "99999999999999999999"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", ".", "e3", "1e", "1,5", "12abc", "0x10", "٣", " 5", "5 ", "one", "1.2.3"] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn counts_keep_what_was_given() {
        assert_eq!(count("+007").unwrap(), 7);
        assert_eq!(count("1.5").unwrap().to_string(), "1.5");
        assert_eq!(count("99999999999999999999").unwrap().as_i64(), None);
        assert_eq!(count(&"9".repeat(400)).unwrap(), u64::MAX);
        assert_eq!(count("NaN").unwrap(), "NaN");
        assert!(count("ten").is_err());
        assert_eq!(amount("all").unwrap(), "all");
    }

    #[test]
    fn spans_become_seconds() {
        let texts = ["3600", "90s", "15m", "2h", "3d", "0.5", "-1m"].map(|text| span(text).unwrap());
        assert_eq!(texts, ["3600", "90", "900", "7200", "259200", "0.5", "-60"]);
        for text in ["", "h", "1.5h", "2w", "soon", "first_used"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets() {
        let texts = ["+08:00", "-05:30", "Z", "+00:00"].map(|text| offset(text).unwrap().to_string());
        assert_eq!(texts, ["+08:00", "-05:30", "+00:00", "+00:00"]);
        for text in ["", "8", "+8", "+08", "08:00", "+24:00", "+08:60", "Asia/Shanghai", "+0800x"] {
            assert!(offset(text).is_err(), "{text}");
        }
        let east = offset("+08:00").unwrap();
        assert_eq!(instant_at(&east, "at", "2027-05-21").unwrap(), instant("at", "2027-05-20T16:00:00Z").unwrap());
        assert_eq!(instant_at(&east, "at", "2027-05-21T00:00:00Z").unwrap(), instant("at", "2027-05-21").unwrap());
    }

    #[test]
    fn a_date_is_its_first_instant() {
        assert_eq!(instant("at", "2027-05-21").unwrap(), instant("at", "2027-05-21T02:00:00+02:00").unwrap());
        for text in ["2027-5-21", "2027-02-30", "yesterday", "", "2027-05-21T10:00:00"] {
            assert_eq!(instant("at", text).unwrap_err().code(), "invalid_argument", "{text}");
        }
    }
}
