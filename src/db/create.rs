//! Making a new file.

use std::path::Path;

use rusqlite::Connection;

use super::config::{Role, check_sqlite, flags, harden};
use super::draft::{Draft, Published};
use super::errors::{opening_error, sqlite_error};
use super::{APPLICATION_ID, SCHEMA, SCHEMA_VERSION, busy};
use crate::error::{Error, Result};

/// Creates a ledger file with our schema and what `fill` writes into it. Overwrites nothing; a failure leaves nothing.
pub(crate) fn create(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<Published> {
    check_sqlite()?;
    let draft = Draft::begin(path)?;
    build(draft.path(), fill)?;
    draft.publish()
}

fn build(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    let wrong = |error| opening_error(path, error);
    let conn = open_draft(path)?;
    conn.execute_batch("BEGIN EXCLUSIVE").map_err(wrong)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(wrong)?;
    conn.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(wrong)?;
    conn.execute_batch(SCHEMA).map_err(wrong)?;
    fill(&conn)?;
    conn.execute_batch("COMMIT").map_err(wrong)?;
    conn.close().map_err(|(_, error)| sqlite_error(error))
}

/// A connection to a draft: nobody else knows the file, it is thrown away when anything fails, and it is synced as a whole
/// before it gets its name. So there is no journal on disk and nothing is synced on the way.
pub(super) fn open_draft(path: &Path) -> Result<Connection> {
    let wrong = |error| opening_error(path, error);
    let conn = Connection::open_with_flags(path, flags(Role::Writer)).map_err(wrong)?;
    harden(&conn, Role::Writer).map_err(wrong)?;
    conn.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(())).map_err(wrong)?;
    conn.pragma_update(None, "synchronous", "OFF").map_err(wrong)?;
    Ok(conn)
}

/// Switches to the write-ahead log, which the file then remembers.
pub(super) fn use_wal(conn: &Connection, path: &Path) -> Result<()> {
    let mut tries = 0;
    let mode: String = loop {
        let mode = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode.map_err(|error| opening_error(path, error)) {
            // The switch wants the file for itself, and SQLite does not ask the busy handler there.
            Err(Error::Busy { .. }) if busy::handler(tries) => tries = tries.saturating_add(1),
            mode => break mode?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    let message = format!("SQLite cannot keep a write-ahead log here (journal mode {mode})");
    Err(Error::unsafe_location(path, message, "put the ledger on a local disk"))
}
