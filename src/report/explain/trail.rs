//! The lines that touch an operation, and how a batch or a hold stood before one: from the references that are kept of
//! them, so that it takes no more than there are such lines.

use std::collections::BTreeMap;

use super::super::Look;
use super::Booked;
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, BatchNo, BatchRow, EntryKind, EntryRow, MovementRow, Place};
use crate::report::span::stored_entries;
use crate::store::{self, Forward};
use crate::units::{Instant, add, sub};

/// Lines by number.
pub(super) type Trail = BTreeMap<i64, EntryRow>;

/// Lines read to tell what a batch had.
const LINES: i64 = 4096;

impl Look<'_, '_> {
    /// The lines of an account that touch an operation, of one kind if that is wanted; those yet to be booked included.
    pub(super) fn touching(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        operation: i64,
        kind: Option<EntryKind>,
    ) -> Result<Trail> {
        let mut trail = Trail::new();
        for place in store::references(self.session, operation, kind)?.iter().filter(|it| it.account == account.no) {
            trail.extend(store::entry(self.session, account.no, place.n)?.map(|row| (place.n, row)));
        }
        let wanted = |row: &&EntryRow| kind.is_none_or(|kind| row.kind == kind) && row.touches().contains(&operation);
        let unbooked = books.entries().iter().filter(|row| row.account == account.no);
        trail.extend(unbooked.filter(wanted).map(|row| (row.n, row.clone())));
        Ok(trail)
    }

    /// The lines by which a batch expired: at the ends it has had.
    pub(super) fn expiries(&self, books: &Books<'_>, account: &AccountRow, batch: &BatchRow) -> Result<Trail> {
        let mut trail = Trail::new();
        let mine = |row: &EntryRow| row.kind == EntryKind::Expire && row.batch == Some(batch.no);
        let former = self.former_ends(batch, 0)?;
        for at in former.into_iter().chain([batch.expires_at]).flatten() {
            let stored = stored_entries(books, account);
            let (first, last) = store::numbers_of_entries_at(self.session, account.no, stored, at)?;
            for row in self.stored_rows(account.no, first, last, Forward::Oldest) {
                let row = row?;
                if mine(&row) {
                    trail.insert(row.n, row);
                }
            }
        }
        trail.extend(books.entries().iter().filter(|row| mine(row)).map(|row| (row.n, row.clone())));
        Ok(trail)
    }

    /// The ends that were replaced by lines of its account from this one on, the oldest first.
    fn former_ends(&self, batch: &BatchRow, from: i64) -> Result<Vec<Option<Instant>>> {
        let mut ends = Vec::new();
        for place in store::references(self.session, batch.operation(), Some(EntryKind::SetExpiry))? {
            let entry = store::entry(self.session, place.account, place.n)?;
            let set = entry.filter(|row| row.n >= from && row.batch == Some(batch.no)).and_then(|row| row.operation);
            if let Some(seq) = set {
                ends.push(Booked::read(&self.source, seq)?.row.outcome.end_before());
            }
        }
        Ok(ends)
    }

    /// The end of a batch as it was before a line of its account.
    pub(super) fn end_before(&self, batch: &BatchRow, n: i64) -> Result<Option<Instant>> {
        Ok(self.former_ends(batch, n)?.first().copied().unwrap_or(batch.expires_at))
    }

    /// What these batches had to spend before a line of their account: what they have now, less what the lines from there on
    /// brought. In a long account only as many lines are read; of a batch whose points they do not tell nothing is answered.
    pub(super) fn had_points(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        n: i64,
        batches: &[BatchRow],
    ) -> Result<BTreeMap<BatchNo, i64>> {
        let stored = stored_entries(books, account);
        let (last, mut change, mut least) = (stored.min(n.saturating_add(LINES)), BTreeMap::new(), BTreeMap::new());
        let mut pass = |row: &EntryRow| -> Result<()> {
            for MovementRow { batch, from, to, points, .. } in &row.movements {
                let Some(no) = batch.filter(|no| batches.iter().any(|batch| batch.no == *no)) else { continue };
                let spendable = |place: &Place| matches!(place, Place::Available | Place::Pending);
                let sum = change.entry(no).or_insert(0);
                *sum = add(*sum, if spendable(to) { *points } else { 0 })?;
                *sum = sub(*sum, if spendable(from) { *points } else { 0 })?;
                let low = least.entry(no).or_insert(0);
                *low = (*low).min(*sum);
            }
            Ok(())
        };
        if !batches.is_empty() {
            self.stored_rows(account.no, n, last, Forward::Oldest).try_for_each(|row| pass(&row?))?;
        }
        if last == stored {
            books.entries().iter().try_for_each(&mut pass)?;
            let then =
                |batch: &BatchRow| Ok((batch.no, sub(batch.remaining, change.get(&batch.no).copied().unwrap_or(0))?));
            return batches.iter().map(then).collect();
        }
        // One that has all its points still had them then.
        let whole =
            batches.iter().filter(|batch| batch.remaining == batch.amount).map(|batch| (batch.no, batch.amount));
        let drawn = least.into_iter().filter(|(_, low)| *low < 0).map(|(no, low)| (no, low.saturating_neg()));
        Ok(whole.chain(drawn).collect())
    }
}
