//! Stored entries, read some ahead of the replay.

use std::collections::{HashMap, VecDeque};

use crate::error::Result;
use crate::model::{EntryKind, EntryRow};
use crate::store::Session;
use crate::store::audit as stored;
use crate::units::Instant;

/// How many entries are read ahead: of few accounts many, and of any number of accounts not more than this together.
const TOGETHER: usize = 50_000;
const MOST_AHEAD: usize = 256;
const LEAST_AHEAD: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Window {
    accounts: HashMap<i64, Ahead>,
}

/// What has been read of an account.
#[derive(Debug, Default)]
struct Ahead {
    rows: VecDeque<(i64, Result<EntryRow>)>,
    /// Up to which number.
    read: i64,
}

impl Window {
    /// What is known of the account, at least the entry `n` if there is one.
    fn ahead(&mut self, session: &Session<'_>, account: i64, n: i64) -> Result<&mut Ahead> {
        if self.accounts.len().saturating_mul(LEAST_AHEAD) > TOGETHER {
            self.accounts.clear();
        }
        let page = TOGETHER.checked_div(self.accounts.len()).unwrap_or(TOGETHER).clamp(LEAST_AHEAD, MOST_AHEAD);
        let ahead = self.accounts.entry(account).or_default();
        if ahead.read < n {
            let rows = stored::entries_from(session, account, n, page)?;
            ahead.read = if rows.len() < page { i64::MAX } else { rows.last().map_or(n, |((_, last), _)| *last) };
            ahead.rows = rows.into_iter().map(|((_, n), row)| (n, row)).collect();
        }
        while ahead.rows.front().is_some_and(|(first, _)| *first < n) {
            ahead.rows.pop_front();
        }
        Ok(ahead)
    }

    /// The entry with this number; it is not asked for again.
    pub(super) fn take(&mut self, session: &Session<'_>, account: i64, n: i64) -> Result<Option<Result<EntryRow>>> {
        let rows = &mut self.ahead(session, account, n)?.rows;
        let there = rows.front().is_some_and(|(first, _)| *first == n);
        Ok(if there { rows.pop_front().map(|(_, row)| row) } else { None })
    }

    /// Kind and time of this entry when time alone made it.
    pub(super) fn time_entry(
        &mut self,
        session: &Session<'_>,
        account: i64,
        n: i64,
    ) -> Result<Option<(EntryKind, Instant)>> {
        let first = self.ahead(session, account, n)?.rows.front();
        let row = first.filter(|(first, _)| *first == n).and_then(|(_, row)| row.as_ref().ok());
        Ok(row.filter(|row| row.operation.is_none()).map(|row| (row.kind, row.booked_at)))
    }
}
