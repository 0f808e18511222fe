//! Backups that lie in a folder, by their names: the ledger's, and when each was made, to the second and in UTC, so that they
//! sort by age: `points-2026-11-22T10-00-00Z.ledger`, and `points-2026-11-22T10-00-00Z_2.ledger` for a second one.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;

use super::draft::{MOST_NAMES, delete};
use super::place::{Place, file_error, reach};
use super::readers::is_at_rest;
use crate::error::{Error, Result};
use crate::units::Instant;

/// No colon: Windows allows none in a name.
const FORMAT: &str = "%Y-%m-%dT%H-%M-%SZ";
const SECOND: i64 = 1_000;

/// When a backup was made, and which of that second it is; in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dated {
    pub(crate) at: Instant,
    number: u32,
}

/// How the backups of a ledger are named in a folder. Whose a file of such a name is, is for others to say.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    folder: PathBuf,
    /// What stands before the time, and behind it.
    name: String,
    end: String,
}

impl Series {
    /// Of a ledger, in a folder that is there.
    pub(crate) fn of(ledger: &Place, folder: &Path) -> Result<Self> {
        let resolved = reach(folder, None)?;
        if !resolved.is_dir() {
            let message = format!("{} is not a folder", folder.display());
            return Err(Error::invalid("folder", message, "give the path of a folder"));
        }
        let part = |part: Option<&std::ffi::OsStr>| {
            let help = "give the ledger another name, or back it up to a name of your own";
            let text = part.unwrap_or_default().to_str();
            text.map(str::to_string).ok_or_else(|| Error::invalid("path", "is not UTF-8", help))
        };
        let (name, end) = (part(ledger.path().file_stem())?, part(ledger.path().extension())?);
        let end = if end.is_empty() { end } else { format!(".{end}") };
        Ok(Series { folder: resolved, name, end })
    }

    pub(crate) fn path(&self, dated: Dated) -> PathBuf {
        self.folder.join(self.named(dated))
    }

    fn named(&self, Dated { at, number }: Dated) -> String {
        let number = if number > 1 { format!("_{number}") } else { String::new() };
        format!("{}-{}{number}{}", self.name, at.utc().format(FORMAT), self.end)
    }

    fn read(&self, name: &str) -> Option<Dated> {
        let rest = name.strip_prefix(&self.name)?.strip_prefix('-')?.strip_suffix(&self.end)?;
        let (time, number) = rest.split_once('_').unwrap_or((rest, "1"));
        let at = NaiveDateTime::parse_from_str(time, FORMAT).ok()?;
        let at = Instant::clamped(at.and_utc().timestamp_millis());
        let dated = Dated { at, number: number.parse().ok()? };
        // Parsing is more generous than writing.
        (self.named(dated) == name).then_some(dated)
    }

    /// All of such a name, the newest first.
    pub(crate) fn all(&self) -> Result<Vec<Dated>> {
        let unreadable = |error| file_error(&self.folder, &error);
        let names = fs::read_dir(&self.folder).map_err(unreadable)?.flatten();
        let named = names.filter_map(|entry| self.read(entry.file_name().to_str()?));
        let mut found: Vec<Dated> = named.take(MOST_NAMES).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// What the next one is called.
    pub(crate) fn next(&self, now: Instant) -> Result<Dated> {
        let at = Instant::clamped(now.millis().saturating_sub(now.millis().rem_euclid(SECOND)));
        let of_it = self.all()?.into_iter().find(|one| one.at == at);
        Ok(Dated { at, number: of_it.map_or(1, |one| one.number.saturating_add(1)) })
    }
}

/// Deletes a file that nobody has open and whose `-wal` holds nothing, with what lies beside it; whether it did.
pub(crate) fn delete_at_rest(place: &Place) -> bool {
    is_at_rest(place) && delete(place.path(), place.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(ledger: &str) -> (tempfile::TempDir, Series) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join(ledger);
        fs::write(&ledger, "x").unwrap();
        let series = Series::of(&Place::existing(&ledger).unwrap(), folder.path()).unwrap();
        (folder, series)
    }

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        let (_folder, points) = series("points.ledger");
        let at = Instant::parse("at", "2026-11-22T10:00:00Z").unwrap();
        for (number, name) in [(1, "points-2026-11-22T10-00-00Z.ledger"), (2, "points-2026-11-22T10-00-00Z_2.ledger")] {
            assert_eq!(points.named(Dated { at, number }), name);
            assert_eq!(points.read(name), Some(Dated { at, number }));
        }
        for other in [
            "points.ledger",
            "points-2026-11-22.ledger",
            "points-2026-11-22T10-00-00Z",
            "points-2026-11-22T10-00-00Z.ledger-wal",
            "points-2026-11-22T10-00-00Z_1.ledger",
            "points-2026-11-22T10-00-00Z_02.ledger",
            "points-2026-11-22T10-00-00Z_x.ledger",
            "points-2026-11-2T10-00-00Z.ledger",
            "points-+2026-11-22T10-00-00Z.ledger",
            "points-2026-11-22T10-00-60Z.ledger",
            "points-1969-11-22T10-00-00Z.ledger",
            "other-2026-11-22T10-00-00Z.ledger",
            "my-points-2026-11-22T10-00-00Z.ledger",
        ] {
            assert_eq!(points.read(other), None, "{other}");
        }
        let (_folder, bare) = series("points");
        assert_eq!(bare.named(Dated { at, number: 1 }), "points-2026-11-22T10-00-00Z");
        assert!(bare.read("points-2026-11-22T10-00-00Z").is_some() && bare.read("points").is_none());
    }

    #[test]
    fn of_one_second_the_next_has_the_next_number() {
        let (folder, points) = series("points.ledger");
        let now = Instant::parse("now", "2026-11-22T10:00:00.999Z").unwrap();
        for number in [1, 2, 3] {
            let next = points.next(now).unwrap();
            assert_eq!(next.number, number);
            fs::write(points.path(next), "x").unwrap();
        }
        // Those before it may be gone.
        fs::remove_file(folder.path().join("points-2026-11-22T10-00-00Z.ledger")).unwrap();
        assert_eq!(points.next(now).unwrap().number, 4);
        let numbers: Vec<u32> = points.all().unwrap().iter().map(|one| one.number).collect();
        assert_eq!(numbers, [3, 2]);
    }
}
