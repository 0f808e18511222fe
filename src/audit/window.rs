//! Stored entries, read some ahead of the replay.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::model::{EntryKind, EntryRow};
use crate::store::Session;
use crate::store::audit as stored;
use crate::units::Instant;

/// How many entries are read ahead in an account.
const AHEAD: usize = 16;
/// When more are kept, all are dropped and read again when needed.
const MOST_KEPT: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Window {
    rows: BTreeMap<(i64, i64), Result<EntryRow>>,
    /// Up to which number an account has been read.
    read: BTreeMap<i64, i64>,
}

impl Window {
    fn fill(&mut self, session: &Session<'_>, account: i64, n: i64) -> Result<()> {
        if self.read.get(&account).is_some_and(|read| *read >= n) {
            return Ok(());
        }
        if self.rows.len() > MOST_KEPT || self.read.len() > MOST_KEPT {
            self.rows.clear();
            self.read.clear();
        }
        let page = stored::entries_from(session, account, n, AHEAD)?;
        let end = if page.len() < AHEAD { i64::MAX } else { page.last().map_or(n, |((_, last), _)| *last) };
        self.read.insert(account, end);
        self.rows.extend(page);
        Ok(())
    }

    /// The entry with this number; it is not asked for again.
    pub(super) fn take(&mut self, session: &Session<'_>, account: i64, n: i64) -> Result<Option<Result<EntryRow>>> {
        self.fill(session, account, n)?;
        Ok(self.rows.remove(&(account, n)))
    }

    /// Kind and time of this entry when time alone made it.
    pub(super) fn time_entry(
        &mut self,
        session: &Session<'_>,
        account: i64,
        n: i64,
    ) -> Result<Option<(EntryKind, Instant)>> {
        self.fill(session, account, n)?;
        let row = self.rows.get(&(account, n)).and_then(|row| row.as_ref().ok());
        Ok(row.filter(|row| row.operation.is_none()).map(|row| (row.kind, row.booked_at)))
    }
}
