//! The zones of the IANA database, compiled in: the same on every computer, whatever it has itself.

use chrono::{DateTime, FixedOffset, Offset, Utc};
use counterfoil::Error;
use counterfoil::report::Calendar;
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

/// The last year whose changes are known: later ones nobody can foretell, and what there is stays.
const LAST: i64 = 4_102_444_800; // 2100-01-01

/// The calendar and the clocks of a named zone, with its changes for daylight saving time and all others from 1970 to 2099.
///
/// ```
/// use counterfoil::Period;
/// let berlin = counterfoil_report::zone("Europe/Berlin")?;
/// let march = Period::month(2026, 3, &berlin)?;
/// let hours = (march.end().unwrap() - march.begin().unwrap()).num_hours();
/// assert_eq!(hours, 31 * 24 - 1); // clocks are set forward in it
/// assert!(counterfoil_report::zone("Europe/Berln").unwrap_err().help().contains("Europe/Berlin"));
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// # Errors
/// `invalid_argument` where there is no such zone; its help names the one that was probably meant.
pub fn zone(name: &str) -> Result<Calendar, Error> {
    let zones = TimeZoneDatabase::bundled();
    let zone = zones.get(name).map_err(|_| unknown(name, &zones))?;
    let first = east(zone.to_offset(Timestamp::UNIX_EPOCH).seconds());
    let mut changes: Vec<(DateTime<Utc>, FixedOffset)> = Vec::new();
    for change in zone.following(Timestamp::UNIX_EPOCH) {
        let at = change.timestamp().as_second();
        let offset = east(change.offset().seconds());
        // One that changes the name alone is none.
        let before = changes.last().map_or(first, |(_, offset)| *offset);
        if at >= LAST {
            break;
        }
        if let Some(at) = DateTime::from_timestamp(at, 0).filter(|_| offset != before) {
            changes.push((at, offset));
        }
    }
    Calendar::zone(zone.iana_name().unwrap_or(name), first, changes)
}

/// The database has none that is a day or more from UTC.
fn east(seconds: i32) -> FixedOffset {
    FixedOffset::east_opt(seconds).unwrap_or(Utc.fix())
}

fn unknown(name: &str, zones: &TimeZoneDatabase) -> Error {
    let known: Vec<String> = zones.available().map(|zone| zone.as_str().to_string()).collect();
    let city = |zone: &'_ String| zone.rsplit('/').next().unwrap_or_default().to_string();
    let cities: Vec<String> = known.iter().map(city).collect();
    let near = counterfoil::schema::nearest(name, known.iter().map(String::as_str)).or_else(|| {
        // A city alone is as good a name.
        let city = counterfoil::schema::nearest(name, cities.iter().map(String::as_str))?;
        known.iter().zip(&cities).find(|(_, of)| **of == city).map(|(zone, _)| zone.clone())
    });
    Error::InvalidArgument {
        field: "zone".into(),
        message: format!("there is no time zone `{name}`"),
        help: match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one of the IANA database, like Europe/Berlin or Asia/Shanghai".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_is_named() {
        for (name, meant) in [
            ("europe/berlin", None),
            ("Europe/Berln", Some("Europe/Berlin")),
            ("Berlin", Some("Europe/Berlin")),
            ("Shanghai", Some("Asia/Shanghai")),
            ("Amerca/New_York", Some("America/New_York")),
        ] {
            match (zone(name), meant) {
                (Ok(found), None) => assert_eq!(found.name(), Some("Europe/Berlin")),
                (Err(error), Some(meant)) => assert_eq!(error.help(), format!("did you mean `{meant}`?")),
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
        assert!(zone("x").unwrap_err().help().contains("IANA"));
        assert!(zone("").is_err() && zone("../etc/passwd").is_err());
    }

    #[test]
    fn changes_are_those_of_the_database() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let changes = |name: &str, begin: &str, end: &str| {
            zone(name)
                .unwrap()
                .changes_within(at(begin), at(end))
                .map(|(at, to)| format!("{at:?} {to}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            changes("Europe/Berlin", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ["2026-03-29T01:00:00Z +02:00", "2026-10-25T01:00:00Z +01:00"]
        );
        assert!(changes("Asia/Shanghai", "2000-01-01T00:00:00Z", "2090-01-01T00:00:00Z").is_empty());
        assert_eq!(zone("UTC").unwrap().to_string(), "+00:00");
    }
}
