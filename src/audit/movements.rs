//! The movements of a batch, over all entries of its account, come to its counters.
#![allow(clippy::arithmetic_side_effects, reason = "64-bit numbers are added in 128 bits: no file has rows enough")]

use std::collections::BTreeMap;

use super::faults::Faults;
use crate::model::{BatchNo, BatchRow, EntryRow, Place};
use crate::store::{self, Session};

const PAGE: usize = 256;

/// What movements left where, of one batch.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    remaining: i128,
    held: i128,
    used: i128,
    expired: i128,
    revoked: i128,
    moved: i128,
    rolled: i128,
}

impl Counters {
    fn pass(&mut self, place: Place, points: i128) {
        let counter = match place {
            Place::Pending | Place::Available => &mut self.remaining,
            Place::Held => &mut self.held,
            // Paid debts with.
            Place::Used | Place::Debt | Place::ClawedBack => &mut self.used,
            Place::Expired => &mut self.expired,
            Place::Revoked => &mut self.revoked,
            Place::Moved => &mut self.moved,
            Place::RolledOut => {
                self.rolled += points;
                &mut self.moved
            }
            // From elsewhere.
            Place::Recharged | Place::Received | Place::WrittenOff | Place::RolledIn | Place::Reconciled => return,
        };
        *counter += points;
    }

    fn check(&self, faults: &mut Faults, row: &BatchRow) {
        let counters = [
            ("remaining", self.remaining, row.remaining),
            ("held", self.held, row.held),
            ("used", self.used, row.used),
            ("expired", self.expired, row.expired),
            ("revoked", self.revoked, row.revoked),
            ("moved", self.moved, row.moved),
            ("rolled", self.rolled, row.rolled()),
        ];
        for (name, sum, stored) in counters {
            faults.same("i13_batch", format_args!("batch {} {name}", row.no), sum, i128::from(stored));
        }
    }
}

/// The batches of the account whose entries are passing by.
#[derive(Debug, Default)]
pub(super) struct Moved {
    account: i64,
    batches: BTreeMap<BatchNo, Counters>,
}

impl Moved {
    /// The next entry, in the order of accounts.
    pub(super) fn entry(&mut self, session: &Session<'_>, faults: &mut Faults, row: &EntryRow) {
        if row.account != self.account {
            self.finish(session, faults);
            self.account = row.account;
        }
        for movement in &row.movements {
            let Some(batch) = movement.batch else { continue };
            let counters = self.batches.entry(batch).or_default();
            counters.pass(movement.from, -i128::from(movement.points));
            counters.pass(movement.to, i128::from(movement.points));
        }
    }

    /// The account has no more entries.
    pub(super) fn finish(&mut self, session: &Session<'_>, faults: &mut Faults) {
        let mut after = 0;
        while let Some(page) = faults.read(store::batches_of_account(session, self.account, after, PAGE)) {
            let Some(last) = page.last() else { break };
            after = last.no;
            for row in &page {
                self.batches.remove(&row.no).unwrap_or_default().check(faults, row);
            }
        }
        for no in std::mem::take(&mut self.batches).into_keys() {
            faults.add(
                "i13_batch",
                format_args!("batch {no}"),
                format_args!("a batch of account {}", self.account),
                "none",
            );
        }
    }
}
