//! A copy of the file while others use it.

use std::path::Path;

use super::create::open_draft;
use super::draft::{Draft, Published};
use super::errors::{sqlite_error, unread_page};
use super::opened::OpenFile;
use super::readers::{Readers, copy_into};
use super::{Connection, SCHEMA, schema};
use crate::error::{Error, Result};

/// Copies the ledger to a new file, as it is at one moment. Overwrites nothing; the copy appears under its name only when
/// it is whole and on disk.
///
/// `finish` may change the copy, and judges it, before it gets its name.
pub(crate) fn copy(
    readers: &Readers,
    target: &Path,
    finish: impl FnOnce(&Connection) -> Result<()>,
) -> Result<Published> {
    let draft = Draft::begin(target)?;
    readers.copy_into(draft.path())?;
    finish_draft(&draft, |conn| schema::check(conn, SCHEMA).and_then(|()| finish(conn)))?;
    draft.publish()
}

/// A copy of a file of an older schema, which is not known here any more.
pub(super) fn keep(file: &OpenFile, target: &Path) -> Result<Published> {
    let draft = Draft::begin(target)?;
    copy_into(file, draft.path())?;
    finish_draft(&draft, |_| Ok(()))?;
    draft.publish()
}

/// Whether the copy opens, is what it should be, and is well formed.
fn finish_draft(draft: &Draft, finish: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    let conn = open_draft(draft.path())?;
    finish(&conn)?;
    let answer: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite_error)?;
    conn.close().map_err(|(_, error)| sqlite_error(error))?;
    if answer == "ok" {
        return Ok(());
    }
    Err(unread_page(&answer).unwrap_or_else(|| Error::corrupt(format!("the copy is not whole: {answer}"))))
}

/// Runs `work` on a copy in a transaction.
pub(crate) fn change_copy<T>(conn: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    conn.execute_batch("BEGIN EXCLUSIVE").map_err(sqlite_error)?;
    // On failure the whole copy is thrown away.
    let done = work()?;
    conn.execute_batch("COMMIT").map_err(sqlite_error)?;
    Ok(done)
}
