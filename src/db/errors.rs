//! SQLite's errors in our words.

use std::path::Path;

use rusqlite::ErrorCode;

use super::place::{Right, may};
use super::{busy, reserve};
use crate::error::Error;

/// What a failed statement on an open ledger means.
#[allow(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn sqlite_error(error: rusqlite::Error) -> Error {
    let message = text(&error);
    match error.sqlite_error_code() {
        // "Locking protocol": the race of several processes to be the first to open the file went on for too long.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Error::Busy { waited_ms: busy::waited_ms() }
        }
        Some(ErrorCode::DiskFull) => Error::DiskFull { message },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::ReadOnly { message },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt { message },
        _ => Error::Storage { message },
    }
}

/// The same while opening, when the file may be anything.
pub(super) fn opening_error(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::NotALedger {
            path: path.display().to_string(),
            message: "it is not an SQLite file, or its first page is damaged".to_string(),
        },
        // No room for a -shm is not told as such.
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if reserve::is_full(path) => {
            Error::DiskFull { message: text(&error) }
        }
        Some(ErrorCode::CannotOpen) if may(path, Right::Read) == Some(false) => {
            Error::storage(format!("{}: you have no right to read it", path.display()))
        }
        Some(ErrorCode::CannotOpen) => Error::storage(format!("{}: {}", path.display(), text(&error))),
        _ => sqlite_error(error),
    }
}

/// SQLite's own text with its extended code, which tells a failed fsync from a failed read.
fn text(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(code) => format!("{error} (SQLite code {})", code.extended_code),
        None => error.to_string(),
    }
}
