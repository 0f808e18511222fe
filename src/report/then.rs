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
    /// Whether it had rolled over, and how often it has since.
    rolled: BTreeMap<BatchNo, (bool, i64)>,
    /// Of those given another end since: the one they had.
    ends: BTreeMap<BatchNo, Option<Instant>>,
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
                (Place::Recharged | Place::Received | Place::RolledIn, _) => {
                    self.made.insert(no);
                }
                (Place::Pending, Place::Available) => {
                    self.active.entry(no).or_insert(false);
                }
                (Place::Available, Place::Pending) => {
                    self.active.entry(no).or_insert(true);
                }
                (_, Place::RolledOut) if row.kind == EntryKind::Rollover => {
                    let rolls = &mut self.rolled.entry(no).or_insert((false, 0)).1;
                    *rolls = add(*rolls, 1)?;
                }
                (Place::RolledOut, _) if row.kind == EntryKind::Reinstate => {
                    self.rolled.entry(no).or_insert((true, 0));
                }
                _ => {}
            }
            let places = self.moved.entry(no).or_default();
            for (place, points) in [(from, sub(0, points)?), (to, points)] {
                let sum = places.entry(place.code()).or_default();
                *sum = add(*sum, points)?;
            }
            // What is given back of a revoked batch is owed no longer.
            let returns = matches!(from, Place::Used | Place::Debt | Place::ClawedBack | Place::Held);
            let returns = returns || from == Place::RolledOut && row.kind != EntryKind::Revoke;
            if to == Place::Revoked && returns {
                self.owe(no, sub(0, points)?)?;
            }
        }
        self.state |= state_after(row.kind).is_some();
        match (row.kind, row.batch, row.operation) {
            (EntryKind::SetExpiry, Some(no), Some(seq)) if !self.ends.contains_key(&no) => {
                self.ends.insert(no, look.stored(seq)?.outcome.end_before());
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
                Some(Place::RolledOut) => {
                    if let Some(row) = &mut then.rollover {
                        row.rolled = sub(row.rolled, *points)?;
                    }
                    &mut then.moved
                }
                _ => continue,
            };
            *counter = sub(*counter, *points)?;
        }
        then.owed = sub(then.owed, self.owed.get(&row.no).copied().unwrap_or(0))?;
        if let (Some((had, rolls)), Some(row)) = (self.rolled.get(&row.no), &mut then.rollover) {
            (row.has_rolled, row.rolls) = (*had, sub(row.rolls, *rolls)?);
        }
        then.active = self.active.get(&row.no).copied().unwrap_or(row.active);
        then.expires_at = self.ends.get(&row.no).copied().unwrap_or(row.expires_at);
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
            let batch = shapes::batch(self.writers, &account.id, &since.undo(&row)?, then)?;
            if matches!(batch.state, BatchState::Live | BatchState::Pending) {
                batches.push(batch);
            }
        }
        Ok(batches)
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
