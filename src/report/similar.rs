//! Accounts whose ids are nearly the one asked for: a mistyped id is the likeliest reason why points are missing.

use super::Look;
use crate::error::Result;
use crate::model::AccountId;
use crate::spelling::{Distance, Wanted};
use crate::store;

/// How many stored rows are read at a time.
const READ: usize = 1024;
/// How many accounts are compared: the oldest so many.
const COMPARED: usize = 50_000;

impl Look<'_, '_> {
    /// The ids nearest to this one, at most `limit`, the nearest first; never the id itself.
    pub(crate) fn accounts_like(&self, id: &AccountId, limit: usize) -> Result<Vec<AccountId>> {
        let wanted = Wanted::new(id.as_str());
        let mut near: Vec<(Distance, AccountId)> = Vec::new();
        for row in store::accounts(self.session, 0, READ).take(COMPARED) {
            let row = row?;
            if let Some(distance) = wanted.distance(row.id.as_str()).filter(|_| row.id != *id) {
                let near_one = (distance, row.id);
                let place = near.partition_point(|other| *other < near_one);
                if place < limit {
                    near.insert(place, near_one);
                    near.truncate(limit);
                }
            }
        }
        Ok(near.into_iter().map(|(_, id)| id).collect())
    }
}
