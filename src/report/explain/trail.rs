//! The lines that touch an operation, and how a batch or a hold stood before one: from the references that are kept of
//! them, so that it takes no more than there are such lines.

use std::collections::BTreeMap;

use super::super::Look;
use super::Booked;
use crate::engine::Books;
use crate::error::Result;
use crate::model::{AccountRow, BatchNo, BatchRow, EntryKind, EntryRow, Movement, Place};
use crate::report::span::stored_entries;
use crate::store::{self, Forward};
use crate::units::{Instant, add, sub};

/// Lines by number.
pub(super) type Trail = BTreeMap<i64, EntryRow>;

/// Lines read to tell what a batch had.
const LINES: i64 = 4096;

/// The hold that a line captured, released, renewed or ended: what it moved of it comes first.
pub(super) fn hold_of(row: &EntryRow) -> Option<i64> {
    use EntryKind::{Capture, HoldExpire, Release, Renew};
    let about = matches!(row.kind, Capture | Release | Renew | HoldExpire);
    row.movements.iter().filter(|_| about).find_map(|movement| movement.operation)
}

impl Look<'_, '_> {
    /// The lines of an account that touch an operation, those yet to be booked included.
    pub(super) fn touching(&self, books: &Books<'_>, account: &AccountRow, operation: i64) -> Result<Trail> {
        let mut trail = Trail::new();
        for (_, n) in store::references(self.session, operation)?.into_iter().filter(|(no, _)| *no == account.no) {
            trail.extend(store::entry(self.session, account.no, n)?.map(|row| (n, row)));
        }
        let unbooked = books.entries().iter().filter(|row| row.account == account.no);
        trail.extend(unbooked.filter(|row| row.touches().contains(&operation)).map(|row| (row.n, row.clone())));
        Ok(trail)
    }

    /// The lines by which a batch expired: at the ends it has had.
    pub(super) fn expiries(&self, books: &Books<'_>, account: &AccountRow, batch: &BatchRow) -> Result<Trail> {
        let mut trail = Trail::new();
        let mine = |row: &EntryRow| row.kind == EntryKind::Expire && row.batch == Some(batch.no);
        for at in self.ends(batch, i64::MAX)?.into_iter().flatten() {
            let stored = stored_entries(books, account);
            let (first, last) = store::numbers_of_entries_at(self.session, account.no, stored, at)?;
            self.walk(account.no, first, last, Forward::Oldest, |row| {
                if mine(&row) {
                    trail.insert(row.n, row);
                }
                true
            })?;
        }
        trail.extend(books.entries().iter().filter(|row| mine(row)).map(|row| (row.n, row.clone())));
        Ok(trail)
    }

    /// The ends that a batch has had before a line of its account, the first one first.
    fn ends(&self, batch: &BatchRow, before: i64) -> Result<Vec<Option<Instant>>> {
        let made = Booked::read(&self.source, batch.operation())?.row.outcome;
        let mut ends = vec![made.expiry_of(batch.no).unwrap_or(batch.expires_at)];
        for (account, n) in store::references(self.session, batch.operation())? {
            if account != batch.account || n >= before {
                continue;
            }
            let set = store::entry(self.session, account, n)?
                .filter(|row| row.kind == EntryKind::SetExpiry && row.batch == Some(batch.no));
            if let Some(seq) = set.and_then(|row| row.operation) {
                ends.extend(Booked::read(&self.source, seq)?.row.outcome.expiry_of(batch.no));
            }
        }
        Ok(ends)
    }

    /// The end of a batch as it was before a line of its account.
    pub(super) fn end_before(&self, batch: &BatchRow, n: i64) -> Result<Option<Instant>> {
        Ok(self.ends(batch, n)?.pop().flatten())
    }

    /// The deadline of a hold as it was before a line of its account.
    pub(super) fn deadline_before(&self, hold: i64, account: i64, n: i64) -> Result<Option<Instant>> {
        let mut deadline = Booked::read(&self.source, hold)?.row.outcome.hold;
        for (_, n) in store::references(self.session, hold)?.into_iter().filter(|place| *place < (account, n)) {
            let renewed = store::entry(self.session, account, n)?.filter(|row| row.kind == EntryKind::Renew);
            if let Some(seq) = renewed.and_then(|row| row.operation) {
                deadline = Booked::read(&self.source, seq)?.row.outcome.hold;
            }
        }
        Ok(deadline.map(|(.., deadline)| Instant::clamped(deadline)))
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
            for Movement { batch, from, to, points, .. } in &row.movements {
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
            self.visit_stored((account.no, n, last), Forward::Oldest, &mut |row| pass(row).map(|()| true))?;
        }
        if last == stored {
            books.entries().iter().try_for_each(&mut pass)?;
            let then =
                |batch: &BatchRow| Ok((batch.no, sub(batch.remaining, change.get(&batch.no).copied().unwrap_or(0))?));
            return batches.iter().map(then).collect();
        }
        Ok(least.into_iter().filter(|(_, low)| *low < 0).map(|(no, low)| (no, low.saturating_neg())).collect())
    }
}
