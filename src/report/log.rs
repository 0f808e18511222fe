//! What a watch reads: a stretch of the log, and how an account stands.

use super::{Look, shapes};
use crate::engine::parse_body;
use crate::error::{Error, Result};
use crate::model::{AccountId, Figures, OpKind, OperationRow};
use crate::notice::{Change, LogPage};
use crate::store;
use crate::units::{Instant, Points};

/// The most operations in one page.
const PAGE: usize = 256;
/// Whoever is further behind than this is not told one by one.
const MOST_BEHIND: i64 = 4096;

impl Look<'_, '_> {
    /// The ledger's time of this look.
    pub(crate) fn now(&self) -> Instant {
        self.time
    }

    /// How many operations are booked.
    pub(crate) fn length(&self) -> i64 {
        self.ledger.length
    }

    /// The operations after the one with this number.
    pub(crate) fn log_after(&self, after: i64) -> Result<LogPage> {
        let length = self.ledger.length;
        if length.saturating_sub(after) > MOST_BEHIND {
            return Ok(LogPage { changes: Vec::new(), after, last: length, more: false });
        }
        if length <= after {
            return Ok(LogPage { changes: Vec::new(), after, last: after, more: false });
        }
        let rows = store::operations_after(self.session, after, PAGE)?;
        let last = rows.last().map_or(after, |row| row.seq);
        let changes = rows.iter().map(|row| self.change(row)).collect::<Result<_>>()?;
        Ok(LogPage { changes, after, last, more: last < length })
    }

    pub(super) fn change(&self, row: &OperationRow) -> Result<Change> {
        let to = match row.kind {
            OpKind::Transfer => {
                let body = parse_body(row)?;
                let to = body.get("to").and_then(serde_json::Value::as_str);
                let to = to.ok_or_else(|| Error::corrupt(format!("operation {}: it goes nowhere", row.seq)))?;
                Some(AccountId::new(to)?)
            }
            _ => None,
        };
        Ok(Change {
            sequence: row.seq,
            operation: self.writers.operation(row.seq),
            op: row.kind,
            account: row.account.as_ref().map(|(_, id)| id.clone()),
            to,
            points: Points::booked(row.points)?,
            booked_at: row.booked_at.utc(),
        })
    }

    /// An account's balances, and when time alone will change them next.
    pub(crate) fn standing(&self, id: &AccountId) -> Result<(Figures, Option<Instant>)> {
        let Some((mut books, row, _)) = self.account(id, None)? else {
            return Ok((Figures::default(), None));
        };
        // What has fallen due and is not booked yet lies behind; what comes after it is found out with the changes.
        let caught_up = books.take_changes()?.accounts.into_iter().find(|account| account.no == row.no);
        let row = caught_up.unwrap_or(row);
        Ok((shapes::figures(row.balances)?, row.next_due_at))
    }
}
