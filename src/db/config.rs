//! How every connection is set up, with the reason beside each setting.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::place::NO_LEDGER;
use super::{APPLICATION_ID, SCHEMA_VERSION, busy, errors::opening_error};
use crate::error::{Error, Result};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
    /// A reader of a file that nobody has open and that has no `-wal`: needs neither `-shm` nor locks.
    Immutable,
    /// A reader that needs no `-shm`, at the price of shutting out everybody else.
    LonelyReader,
}

/// Room for every statement of the store.
const STATEMENTS: usize = 256;

/// The oldest SQLite that does not lose commits when two connections write in WAL mode.
const OLDEST_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

pub(super) fn check_sqlite() -> Result<()> {
    check_sqlite_version(rusqlite::version_number(), rusqlite::version())
}

pub(super) fn check_sqlite_version(number: i32, text: &str) -> Result<()> {
    if number < OLDEST_SQLITE.0 {
        return Err(Error::UnsafeSqlite { found: text.to_string(), needed: OLDEST_SQLITE.1 });
    }
    Ok(())
}

/// The flags: never CREATE, URI names of our own making alone, no symbolic link at the end (the path is resolved before).
pub(super) fn flags(role: Role) -> OpenFlags {
    let access = match role {
        // The exclusive lock needs a descriptor that can be written.
        Role::Writer | Role::LonelyReader => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Role::Immutable => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    };
    // NO_MUTEX: a connection is used by one thread at a time.
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW
}

/// What SQLite is told to open.
pub(super) fn name(path: &Path, role: Role) -> PathBuf {
    if role != Role::Immutable {
        return path.to_path_buf();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let escaped = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    PathBuf::from(format!("file:{}?immutable=1", escaped.collect::<String>()))
}

/// Opens a resolved path and makes sure it is a ledger before anything else reads it; its schema version.
pub(super) fn connect(path: &Path, role: Role) -> Result<(Connection, i64)> {
    check_sqlite()?;
    let wrong = |error| opening_error(path, error);
    let conn = Connection::open_with_flags(name(path, role), flags(role)).map_err(wrong)?;
    harden(&conn, role).map_err(wrong)?;
    let version = identify(&conn, path)?;
    tune(&conn, role).map_err(wrong)?;
    Ok((conn, version))
}

/// A fresh connection of the reader pool: its path was checked when the pool was made.
pub(super) fn set_up(conn: &Connection, role: Role) -> rusqlite::Result<()> {
    harden(conn, role)?;
    tune(conn, role)
}

/// What must hold before the first byte of the file is believed. Reads nothing.
pub(super) fn harden(conn: &Connection, role: Role) -> rusqlite::Result<()> {
    conn.busy_handler(Some(busy::handler))?;
    // Without it every cached statement with a range and an ORDER BY is prepared again at almost each use.
    on(conn, DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Closing must not checkpoint: two fsyncs less for a short process, and nobody unlinks a live -wal.
    on(conn, DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // SQL cannot damage the file: no writable_schema, no journal_mode=OFF.
    on(conn, DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A hostile file's schema cannot call functions with side effects.
    on(conn, DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // "word" is never a string.
    on(conn, DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    on(conn, DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    on(conn, DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    allow_copying(conn, false)?;
    // Far above anything of ours, far below what a hostile file could ask for.
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, 16 << 20)?;
    conn.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 256 << 10)?;
    conn.set_limit(Limit::SQLITE_LIMIT_COLUMN, 100)?;
    conn.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 100)?;
    conn.set_limit(Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10)?;
    conn.set_limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    if role == Role::LonelyReader {
        // Before the first read, or it comes too late to do without -shm.
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    Ok(())
}

/// No second file but what VACUUM INTO writes.
pub(super) fn allow_copying(conn: &Connection, copies: bool) -> rusqlite::Result<()> {
    on(conn, DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, copies)?;
    on(conn, DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, copies)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, i32::from(copies)).map(drop)
}

/// The pragmas.
fn tune(conn: &Connection, role: Role) -> rusqlite::Result<()> {
    // A damaged page is noticed when it is read.
    conn.pragma_update(None, "cell_size_check", true)?;
    // No temporary files beside the ledger.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // Mapped pages turn a disk error into a signal, and are not faster here.
    conn.pragma_update(None, "mmap_size", 0)?;
    match role {
        Role::Writer => {
            // A bound for the page cache, in KiB.
            conn.pragma_update(None, "cache_size", -16_000)?;
            // Acknowledged = on disk. A transaction may ask for less.
            conn.pragma_update(None, "synchronous", "FULL")?;
            // macOS: its fsync leaves the data in the drive's cache.
            conn.pragma_update(None, "fullfsync", true)?;
            conn.pragma_update(None, "checkpoint_fullfsync", true)?;
            // The -wal keeps this much for being overwritten (faster than growing), and gives back what is beyond.
            conn.pragma_update(None, "journal_size_limit", 16 << 20)?;
            // Own checkpoints: SQLite swallows the errors of its automatic ones.
            conn.pragma_update(None, "wal_autocheckpoint", 0)
        }
        Role::Reader | Role::Immutable | Role::LonelyReader => read_only(conn),
    }
}

fn read_only(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "cache_size", -4_000)?;
    // The flags say so already; this also holds on a connection that could write.
    conn.pragma_update(None, "query_only", true)
}

fn on(conn: &Connection, setting: DbConfig, value: bool) -> rusqlite::Result<()> {
    conn.set_db_config(setting, value).map(drop)
}

/// Whether the file is a ledger this library can read; its schema version. Reads the header only.
fn identify(conn: &Connection, path: &Path) -> Result<i64> {
    let read = |name: &str| -> Result<i64> {
        conn.pragma_query_value(None, name, |row| row.get(0)).map_err(|error| opening_error(path, error))
    };
    let application = read("application_id")?;
    if application != APPLICATION_ID {
        let message = format!("it is an SQLite file of another program (application id {application:#x})");
        return Err(Error::not_a_ledger(path, message, NO_LEDGER));
    }
    let found = read("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(Error::SchemaTooNew { found, supported: SCHEMA_VERSION });
    }
    if found < 1 {
        return Err(Error::corrupt(format!("user_version is {found}")));
    }
    Ok(found)
}
