//! SQLite's errors in our words.

use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

use super::place::{NO_LEDGER, RIGHTS, Right, beside, may};
use super::{busy, reserve};
use crate::error::Error;

/// Errors of reading that mean damage: the file was cut short, or a checksum of the file system fails.
const ENDS_EARLY: [i32; 3] = [ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS, ffi::SQLITE_IOERR_DATA];

/// What a failed statement on an open ledger means.
#[allow(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn sqlite_error(error: rusqlite::Error) -> Error {
    use rusqlite::Error as Found;
    let message = text(&error);
    // A value that no column of ours holds: the file has something else in its place.
    if let Found::FromSqlConversionFailure(..)
    | Found::IntegralValueOutOfRange(..)
    | Found::InvalidColumnType(..)
    | Found::Utf8Error(..) = error
    {
        return Error::Corrupt { message };
    }
    if error.sqlite_error().is_some_and(|error| ENDS_EARLY.contains(&error.extended_code)) {
        return Error::Corrupt { message };
    }
    // A format number in the header that SQLite does not know; that has no code of its own.
    if message.contains("unsupported file format") {
        return Error::Corrupt { message };
    }
    match error.sqlite_error_code() {
        // "Locking protocol": the race of several processes to be the first to open the file went on for too long.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::Busy { waited_ms: busy::waited_ms() }
        }
        Some(ErrorCode::DiskFull) => Error::DiskFull { message },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::read_only(message, RIGHTS),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt { message },
        // What we write follows from what was read: a violated constraint means that the file contradicts itself. And no
        // value of ours is longer than a connection allows.
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig) => Error::Corrupt { message },
        _ => Error::Storage { message },
    }
}

/// The same of a statement that writes: a row of ours that is too long is no damage.
pub(crate) fn writing_error(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => Error::storage(text(&error)),
        _ => sqlite_error(error),
    }
}

/// What a line of SQLite's check of the pages means that tells of one which could not be read: it says so among the damage, and it is
/// none.
pub(crate) fn unread_page(line: &str) -> Option<Error> {
    let code =
        || line.split_once("unable to get the page. error code=")?.1.split_whitespace().next()?.parse::<i32>().ok();
    let unread = line.contains("failed to get page")
        || code().is_some_and(|code| ![ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB].contains(&(code & 0xff)));
    unread.then(|| Error::storage(line.to_string()))
}

/// The same while opening, when the file may be anything.
pub(super) fn opening_error(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            Error::not_a_ledger(path, "it is not an SQLite file, or its first page is damaged", NO_LEDGER)
        }
        // No room for a -shm is not told as such.
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if reserve::is_full(path) => {
            Error::DiskFull { message: text(&error) }
        }
        Some(ErrorCode::CannotOpen) => shut(path, &error),
        _ => sqlite_error(error),
    }
}

/// Why SQLite could not open a file that is there.
fn shut(path: &Path, error: &rusqlite::Error) -> Error {
    if let Some(shut) = unreadable(path) {
        return Error::NoPermission { message: format!("{}: you have no right to read it", shut.display()) };
    }
    // No right to make what a ledger needs beside it.
    if path.parent().and_then(|folder| may(folder, Right::Write)) == Some(false) {
        return Error::read_only(format!("{}: nothing can be written in its folder", path.display()), RIGHTS);
    }
    Error::storage(format!("{}: {}", path.display(), text(error)))
}

/// Which of the file and those beside it this user may not read.
fn unreadable(path: &Path) -> Option<PathBuf> {
    ["", "-wal", "-shm"]
        .map(|suffix| beside(path, suffix))
        .into_iter()
        .find(|path| may(path, Right::Read) == Some(false))
}

/// SQLite's own text with its extended code, which tells a failed fsync from a failed read.
fn text(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(code) => format!("{error} (SQLite code {})", code.extended_code),
        None => error.to_string(),
    }
}
