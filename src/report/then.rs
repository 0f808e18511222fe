//! An account as it stood after one of its lines. Rows tell the present only; what the lines since did to them is undone.

use std::collections::{BTreeMap, BTreeSet};

use super::Look;
use super::shapes;
use crate::engine::Books;
use crate::error::Result;
use crate::model::{
    AccountRow, AccountState, BatchInfo, BatchNo, BatchRow, BatchState, EntryKind, EntryRow, MovementRow, Place,
};
use crate::store::Forward;
use crate::units::{Instant, add, sub};

/// What the lines after one did.
#[derive(Default)]
pub(super) struct Since {
    /// The line they come after.
    last: i64,
    /// Whether the account came to take part, or ceased to.
    state: bool,
    /// Where points went: more in a place, or fewer.
    moved: BTreeMap<BatchNo, BTreeMap<i64, i64>>,
    /// What is owed of a batch after a revoke.
    owed: BTreeMap<BatchNo, i64>,
    /// Made since.
    made: BTreeSet<BatchNo>,
    /// Whether it was effective.
    active: BTreeMap<BatchNo, bool>,
    /// Given another expiry since.
    expiry: BTreeSet<BatchNo>,
}

/// Whether an account takes part after a line of this kind, where that says so.
fn state_after(kind: EntryKind) -> Option<AccountState> {
    match kind {
        EntryKind::Freeze => Some(AccountState::Frozen),
        EntryKind::Close => Some(AccountState::Closed),
        EntryKind::Open | EntryKind::Unfreeze | EntryKind::Reopen => Some(AccountState::Active),
        _ => None,
    }
}

impl Since {
    fn pass(&mut self, row: &EntryRow, look: &Look<'_, '_>) -> Result<()> {
        for MovementRow { batch, from, to, points, .. } in row.movements.iter().copied() {
            let Some(no) = batch else { continue };
            match (from, to) {
                (Place::Recharged | Place::Received, _) => {
                    self.made.insert(no);
                }
                (Place::Pending, Place::Available) => {
                    self.active.entry(no).or_insert(false);
                }
                (Place::Available, Place::Pending) => {
                    self.active.entry(no).or_insert(true);
                }
                _ => {}
            }
            let places = self.moved.entry(no).or_default();
            for (place, points) in [(from, sub(0, points)?), (to, points)] {
                let sum = places.entry(place.code()).or_default();
                *sum = add(*sum, points)?;
            }
            // What is given back of a revoked batch is owed no longer.
            if to == Place::Revoked && matches!(from, Place::Used | Place::Debt | Place::ClawedBack | Place::Held) {
                self.owe(no, sub(0, points)?)?;
            }
        }
        self.state |= state_after(row.kind).is_some();
        match (row.kind, row.batch, row.operation) {
            (EntryKind::SetExpiry, Some(no), _) => {
                self.expiry.insert(no);
            }
            (EntryKind::Revoke, Some(no), Some(seq)) => self.owe(no, look.stored(seq)?.outcome.owed)?,
            _ => {}
        }
        Ok(())
    }

    fn owe(&mut self, no: BatchNo, points: i64) -> Result<()> {
        let owed = self.owed.entry(no).or_default();
        *owed = add(*owed, points)?;
        Ok(())
    }

    /// A batch without what happened since.
    fn undo(&self, row: &BatchRow) -> Result<BatchRow> {
        let mut then = row.clone();
        for (place, points) in self.moved.get(&row.no).into_iter().flatten() {
            let counter = match Place::from_code(*place) {
                Some(Place::Pending | Place::Available) => &mut then.remaining,
                Some(Place::Held) => &mut then.held,
                Some(Place::Used | Place::Debt | Place::ClawedBack) => &mut then.used,
                Some(Place::Expired) => &mut then.expired,
                Some(Place::Revoked) => &mut then.revoked,
                Some(Place::Moved) => &mut then.moved,
                _ => continue,
            };
            *counter = sub(*counter, *points)?;
        }
        then.owed = sub(then.owed, self.owed.get(&row.no).copied().unwrap_or(0))?;
        then.active = self.active.get(&row.no).copied().unwrap_or(row.active);
        Ok(then)
    }
}

impl Look<'_, '_> {
    pub(super) fn since(&self, books: &Books<'_>, account: &AccountRow, last: i64) -> Result<Since> {
        let mut since = Since { last, ..Since::default() };
        for row in self.rows(books, account, (last.saturating_add(1), i64::MAX)) {
            since.pass(&row?, self)?;
        }
        Ok(since)
    }

    /// The pending and live batches before what came since.
    pub(super) fn batches_before(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        since: &Since,
        then: Instant,
    ) -> Result<Vec<BatchInfo>> {
        let mut batches = Vec::new();
        for row in self.batch_rows(books, account, 0) {
            let row = row?;
            if since.made.contains(&row.no) {
                continue;
            }
            let mut row = since.undo(&row)?;
            if since.expiry.contains(&row.no) {
                row.expires_at = self.expiry_before(account, &row, since.last)?;
            }
            let batch = shapes::batch(self.writers, &account.id, &row, then)?;
            if matches!(batch.state, BatchState::Live | BatchState::Pending) {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    /// The expiry a batch had after a line: the last one it was given until then, or the one it was made with.
    fn expiry_before(&self, account: &AccountRow, batch: &BatchRow, last: i64) -> Result<Option<Instant>> {
        for row in self.stored_rows(account.no, 1, last, Forward::Newest) {
            let row = row?;
            if let (EntryKind::SetExpiry, Some(no), Some(seq)) = (row.kind, row.batch, row.operation)
                && no == batch.no
                && let Some(given) = self.stored(seq)?.outcome.expiry_of(no)
            {
                return Ok(given);
            }
        }
        Ok(self.stored(batch.operation())?.outcome.expiry_of(batch.no).unwrap_or(batch.expires_at))
    }

    /// Whether the account took part before what came since.
    pub(super) fn state_before(&self, account: &AccountRow, since: &Since) -> Result<AccountState> {
        if !since.state {
            return Ok(account.state);
        }
        for row in self.stored_rows(account.no, 1, since.last, Forward::Newest) {
            if let Some(state) = state_after(row?.kind) {
                return Ok(state);
            }
        }
        Ok(AccountState::Active)
    }
}
