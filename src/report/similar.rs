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
        let (mut after, mut compared) = (0, 0_usize);
        while compared < COMPARED {
            let rows = store::account_page(self.session, after, READ)?;
            let Some(last) = rows.last() else { break };
            after = last.no;
            compared = compared.saturating_add(rows.len());
            let found = rows.into_iter().filter(|row| row.id != *id);
            near.extend(found.filter_map(|row| wanted.distance(row.id.as_str()).map(|distance| (distance, row.id))));
            near.sort();
            near.truncate(limit);
        }
        Ok(near.into_iter().map(|(_, id)| id).collect())
    }
}
