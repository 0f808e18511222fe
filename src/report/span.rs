//! Which of an account's lines belong to an instant, or to a period. One that a wrong clock dated stands between its
//! neighbours: of several stretches the newest that had begun by then counts.

use chrono::{DateTime, Utc};

use super::{Look, Period};
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, EntryRow};
use crate::store;
use crate::units::Instant;

impl Look<'_, '_> {
    /// The number of the last line at an instant, whether it is booked yet or not; 0 when there is none.
    pub(super) fn number_at(&self, books: &Books<'_>, account: &AccountRow, at: Instant) -> Result<i64> {
        match books.entries().iter().rfind(|row| row.booked_at <= at) {
            Some(row) => Ok(row.n),
            None => store::number_of_entry_at(self.session, account.no, stored_entries(books, account), at),
        }
    }

    /// The number of the last line before an instant; 0 when there is none. Before one that is still to come are all.
    pub(super) fn number_before(&self, books: &Books<'_>, account: &AccountRow, at: DateTime<Utc>) -> Result<i64> {
        if at > account.booked_time(&self.clock, self.time).utc() {
            return Ok(account.entries);
        }
        let millis = at.timestamp_millis();
        // Lines are of whole milliseconds.
        let whole = at.timestamp_subsec_nanos().is_multiple_of(1_000_000);
        let last = if whole { millis.saturating_sub(1) } else { millis };
        if last < 0 { Ok(0) } else { self.number_at(books, account, Instant::clamped(last)) }
    }

    /// The lines of a period: the numbers of the first and the last.
    pub(super) fn range(&self, books: &Books<'_>, account: &AccountRow, period: &Period) -> Result<(i64, i64)> {
        let first = match period.begin() {
            Some(begin) => self.number_before(books, account, begin)?.saturating_add(1),
            None => 1,
        };
        let last = match period.end() {
            Some(end) => self.number_before(books, account, end)?,
            None => account.entries,
        };
        Ok((first, last))
    }

    /// A line by its number.
    pub(super) fn line(&self, books: &Books<'_>, account: &AccountRow, n: i64) -> Result<Option<EntryRow>> {
        match books.entries().iter().find(|row| row.n == n) {
            Some(row) => Ok(Some(row.clone())),
            None => store::entry(self.session, account.no, n),
        }
    }
}

/// How many of an account's entries are in the file; the rest is what time has done since.
pub(super) fn stored_entries(books: &Books<'_>, account: &AccountRow) -> i64 {
    account.entries.saturating_sub(i64::try_from(books.entries().len()).unwrap_or(0))
}
