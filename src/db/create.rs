//! Making a new file.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::config::{Role, check_sqlite, flags, harden};
use super::errors::{opening_error, sqlite_error};
use super::place::{beside, for_new};
use super::{APPLICATION_ID, SCHEMA, SCHEMA_VERSION, busy};
use crate::error::{Error, Result};

const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Creates a ledger file with our schema and what `fill` writes into it, in one transaction. Overwrites nothing; a
/// failure leaves nothing behind.
pub(crate) fn create(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<PathBuf> {
    check_sqlite()?;
    let path = for_new(path)?;
    claim(&path)?;
    // SQLite would take what another file of this name left behind for a part of the new one. Asked only now that the
    // name is ours: before, it could be another creation at work.
    if let Some(left) = COMPANIONS.iter().map(|end| beside(&path, end)).find(|left| fs::symlink_metadata(left).is_ok())
    {
        let _ = fs::remove_file(&path);
        let message = format!("{} is left of another file; move it away first", left.display());
        return Err(Error::UnsafeLocation { path: path.display().to_string(), message });
    }
    match build(&path, fill).and_then(|()| sync_folder(&path)) {
        Ok(()) => Ok(path),
        Err(error) => {
            // All of these were made by this call.
            remove_new(&path);
            Err(error)
        }
    }
}

/// Removes a file this process has just made and that nobody uses yet.
pub(crate) fn remove_new(path: &Path) {
    for suffix in COMPANIONS {
        let _ = fs::remove_file(beside(path, suffix));
    }
    let _ = fs::remove_file(path);
}

/// Makes the empty file, readable by its owner only. SQLite has not opened it yet, so plain file I/O is harmless.
pub(super) fn claim(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::LedgerExists { path: path.display().to_string() })
        }
        Err(error) => Err(file_error(path, &error)),
    }
}

fn build(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    let wrong = |error| opening_error(path, error);
    let conn = Connection::open_with_flags(path, flags(Role::Writer)).map_err(wrong)?;
    harden(&conn, Role::Writer).map_err(wrong)?;
    // Still with a rollback journal: the file is either empty or whole. EXTRA also syncs the folder.
    conn.pragma_update(None, "synchronous", "EXTRA").map_err(wrong)?;
    conn.pragma_update(None, "fullfsync", true).map_err(wrong)?;
    conn.execute_batch("BEGIN EXCLUSIVE").map_err(wrong)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(wrong)?;
    conn.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(wrong)?;
    conn.execute_batch(SCHEMA).map_err(wrong)?;
    fill(&conn)?;
    conn.execute_batch("COMMIT").map_err(wrong)?;
    match use_wal(&conn, path) {
        // Somebody has opened the ledger already: it exists, and every opening for writing does this again.
        Ok(()) | Err(Error::Busy { .. }) => {}
        Err(error) => return Err(error),
    }
    conn.close().map_err(|(_, error)| sqlite_error(error))
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
    Err(Error::UnsafeLocation { path: path.display().to_string(), message })
}

/// Makes a file's name durable.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, &error))
}

/// Elsewhere a folder cannot be synced.
#[cfg(not(unix))]
pub(super) fn sync_folder(_path: &Path) -> Result<()> {
    Ok(())
}

pub(super) fn file_error(path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => Error::ReadOnly { message },
        StorageFull | QuotaExceeded => Error::DiskFull { message },
        std::io::ErrorKind::AlreadyExists => Error::LedgerExists { path: path.display().to_string() },
        _ => Error::Storage { message },
    }
}
