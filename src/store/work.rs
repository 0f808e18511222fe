//! What statements have cost, for tests: counts that repeat exactly, unlike seconds.

use rusqlite::StatementStatus;

use super::{Session, sql};
use crate::db::sqlite_error;
use crate::error::Result;

/// Counts over all statements of a connection, since they were last looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Steps of SQLite's virtual machine.
    pub(crate) steps: i64,
    pub(crate) full_scan_steps: i64,
    pub(crate) sorts: i64,
    pub(crate) prepared_again: i64,
}

/// Reads the counts and sets them back to zero.
pub(crate) fn work_done(session: &Session<'_>) -> Result<Work> {
    let mut work = Work::default();
    for (_, sql) in sql::ALL {
        let statement = session.conn().prepare_cached(sql).map_err(sqlite_error)?;
        let count = |status| i64::from(statement.reset_status(status));
        work.steps += count(StatementStatus::VmStep);
        work.full_scan_steps += count(StatementStatus::FullscanStep);
        work.sorts += count(StatementStatus::Sort);
        work.prepared_again += count(StatementStatus::RePrepare);
    }
    Ok(work)
}
