//! What an export reads: an account's entries a page at a time, each page in a read transaction of its own, all as of the
//! moment the export began.

use crate::engine::Source;
use crate::error::Result;
use crate::model::{AccountId, AccountRow, Balances, Entry, EntryKind, EntryRow, StretchRow, TotalsRow};
use crate::report::{Look, Period, shapes};
use crate::store::{self, Forward};
use crate::units::Instant;

/// How many rows are read at a time.
pub(super) const READ: usize = 256;

/// The moment an export began: what was booked since is not in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) length: i64,
    pub(super) time: Instant,
}

/// An entry, with what its postings are called by.
pub(super) struct Line {
    pub(super) row: EntryRow,
    pub(super) date: Instant,
    pub(super) entry: Entry,
    /// Promo or not, and the source, of the batch it is about.
    pub(super) source: Option<(bool, String)>,
    /// The service used, or whose use was refunded.
    pub(super) service: Option<String>,
}

/// How far an account has been read.
pub(super) struct Reading {
    pub(super) no: i64,
    pub(super) id: AccountId,
    /// The balances at the beginning of the period, once the first entry is read.
    pub(super) opening: Balances,
    /// The next entry's number; 0 before the first page.
    next: i64,
    /// The last entry of the period, if it has an end.
    last: i64,
    /// The stretches of the account: the number of the first entry of each but the first, and its time.
    stretches: Vec<StretchRow>,
    /// What time did after the export began, unless an operation that is in it came later still (its clock was ahead).
    waiting: Vec<EntryRow>,
}

/// How an account ended.
pub(super) enum Ended {
    /// There is more to read.
    No,
    /// Somebody booked since, or the period is over: there is nothing to hold the sums against.
    Open,
    /// These are the figures the ledger keeps.
    Whole(Balances, TotalsRow),
}

impl Reading {
    pub(super) fn new(no: i64, id: AccountId) -> Self {
        let (opening, stretches, waiting) = (Balances::default(), Vec::new(), Vec::new());
        Reading { no, id, opening, next: 0, last: i64::MAX, stretches, waiting }
    }

    /// When an entry is told to have been: a checker reads in the order of dates, and so the wrong clock's dates are no later
    /// than what was booked after them.
    fn date(&self, row: &EntryRow) -> Instant {
        let later = self.stretches.iter().filter(|stretch| stretch.n > row.n).map(|stretch| stretch.booked_at);
        later.chain([row.booked_at]).min().unwrap_or(row.booked_at)
    }
}

impl Look<'_, '_> {
    pub(super) fn cut(&self) -> Cut {
        Cut { length: self.ledger.length, time: self.time }
    }

    pub(super) fn accounts_after(&self, no: i64) -> Result<Vec<AccountRow>> {
        store::account_page(self.session, no, READ)
    }

    pub(super) fn account_named(&self, id: &AccountId) -> Result<Option<AccountRow>> {
        self.source.account_by_id(id)
    }

    /// The next entries of an account.
    pub(super) fn page(&self, reading: &mut Reading, cut: Cut, period: &Period) -> Result<(Vec<Line>, Ended)> {
        if reading.next == 0 {
            self.begin(reading, cut, period)?;
        }
        let stored = store::entries(self.session, reading.no, reading.next, i64::MAX, Forward::Oldest, READ)?;
        let last_page = stored.len() < READ;
        let (mut rows, mut since) = (Vec::new(), false);
        for row in stored {
            reading.next = row.n.saturating_add(1);
            match row.operation {
                Some(seq) if seq > cut.length => {
                    since = true;
                    break;
                }
                None if row.booked_at > cut.time => reading.waiting.push(row),
                _ => {
                    rows.append(&mut reading.waiting);
                    rows.push(row);
                }
            }
        }
        let mut ended = if since { Ended::Open } else { Ended::No };
        let mut unbooked_from = i64::MAX;
        if last_page && !since {
            // A clock that was ahead has been set back: what was booked by it is no news.
            if reading.waiting.last().is_some_and(|row| row.booked_at > self.time) {
                rows.append(&mut reading.waiting);
            }
            ended = Ended::Open;
            if reading.waiting.is_empty()
                && let Some((books, account, _)) = self.account(&reading.id, Some(cut.time))?
            {
                unbooked_from = reading.next;
                rows.extend_from_slice(books.entries());
                ended = Ended::Whole(account.balances, account.totals);
            }
        }
        self.lines(reading, rows, unbooked_from, period, ended)
    }

    /// Finds where the period begins and ends.
    fn begin(&self, reading: &mut Reading, cut: Cut, period: &Period) -> Result<()> {
        reading.next = 1;
        let Some((books, account, _)) = self.account(&reading.id, Some(cut.time))? else { return Ok(()) };
        reading.stretches = store::stretches(self.session, account.no, account.entries)?;
        reading.stretches.extend_from_slice(books.stretches());
        if let Some(begin) = period.begin() {
            let n = self.number_before(&books, &account, begin.min(cut.time.utc()))?;
            reading.next = n.saturating_add(1);
            reading.opening = self.line(&books, &account, n)?.map(|row| row.after).unwrap_or_default();
        }
        if let Some(end) = period.end() {
            reading.last = self.number_before(&books, &account, end)?;
        }
        Ok(())
    }

    /// Of these entries, those of the period.
    fn lines(
        &self,
        reading: &mut Reading,
        rows: Vec<EntryRow>,
        unbooked_from: i64,
        period: &Period,
        mut ended: Ended,
    ) -> Result<(Vec<Line>, Ended)> {
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            if row.n > reading.last {
                ended = Ended::Open;
                break;
            } else {
                lines.push(self.told(reading, row, unbooked_from)?);
            }
        }
        if let (Ended::Whole(..), true) = (&ended, period.begin().is_some()) {
            ended = Ended::Open;
        }
        Ok((lines, ended))
    }

    fn told(&self, reading: &Reading, row: EntryRow, unbooked_from: i64) -> Result<Line> {
        let entry = shapes::entry(&self.source, self.writers, &reading.id, &row, row.n >= unbooked_from)?;
        let batch = match row.batch {
            Some(no) => self.source.batch(no)?,
            None => None,
        };
        let service = match (row.kind, row.operation) {
            (EntryKind::Refund, Some(seq)) => self.refunded(&self.stored(seq)?)?.outcome.service,
            _ => entry.service.clone(),
        };
        let date = reading.date(&row);
        Ok(Line { date, source: batch.map(|batch| (batch.promo, batch.source.to_string())), service, entry, row })
    }
}
