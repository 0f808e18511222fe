//! A copy of the file while others use it.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::{Role, connect};
use super::create::{claim, file_error, sync_folder};
use super::errors::sqlite_error;
use super::place::{Place, for_new};
use super::{Connection, schema};
use crate::error::{Error, Result};

/// Copies the ledger to a new file, as it is at one moment; the resolved path of the copy. Overwrites nothing; the copy
/// appears under its name only when it is whole and on disk.
///
/// `check` judges what the copy says, before it gets its name.
pub(crate) fn backup(place: &Place, target: &Path, check: impl Fn(&Connection) -> Result<()>) -> Result<PathBuf> {
    copy_to(place, target, |conn| schema::check(conn).and_then(|()| check(conn)))
}

/// The same; `check` says whether the copy has the schema it should have.
pub(super) fn copy_to(place: &Place, target: &Path, check: impl Fn(&Connection) -> Result<()>) -> Result<PathBuf> {
    let target = for_new(target)?;
    let half = temporary(&target)?;
    // SQLite would make the file readable to others; one that exists empty keeps its mode.
    claim(&half)?;
    let done = copy(place, &half).and_then(|()| look(&half, check)).and_then(|()| publish(&half, &target));
    if done.is_err() {
        let _ = fs::remove_file(&half);
    }
    done.map(|()| target)
}

fn temporary(target: &Path) -> Result<PathBuf> {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let path = target.with_file_name(format!(".{name}.{}.part", uuid::Uuid::new_v4().simple()));
    // VACUUM INTO takes the name as SQL text.
    if path.to_str().is_none() {
        return Err(Error::invalid("path", "is not UTF-8", "choose another folder for the backup"));
    }
    Ok(path)
}

/// `VACUUM INTO`, because the online backup API starts again at every write of another process.
fn copy(place: &Place, half: &Path) -> Result<()> {
    place.check_unmoved()?;
    let (conn, _) = connect(place.path(), Role::Copier)?;
    // VACUUM INTO writes, though not to the ledger.
    conn.pragma_update(None, "query_only", false).map_err(sqlite_error)?;
    conn.execute("VACUUM INTO ?1", [half.to_string_lossy()]).map_err(sqlite_error)?;
    conn.close().map_err(|(_, error)| sqlite_error(error))?;
    // The copy is nobody's ledger yet, so plain file I/O is harmless.
    fs::OpenOptions::new()
        .write(true)
        .open(half)
        .and_then(|file| file.sync_all())
        .map_err(|error| file_error(half, &error))
}

/// Whether the copy opens, is a ledger, and is well formed. What it says is for `verify`.
fn look(half: &Path, check: impl Fn(&Connection) -> Result<()>) -> Result<()> {
    let (conn, _) = connect(half, Role::Reader)?;
    check(&conn)?;
    let answer: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite_error)?;
    if answer == "ok" { Ok(()) } else { Err(Error::corrupt(format!("the copy is not whole: {answer}"))) }
}

/// Gives the whole copy its name. A hard link, unlike a rename, never replaces what came there meanwhile.
fn publish(half: &Path, target: &Path) -> Result<()> {
    match fs::hard_link(half, target) {
        Ok(()) => fs::remove_file(half).map_err(|error| file_error(half, &error))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(file_error(target, &error)),
        // A file system without hard links.
        Err(_) if fs::symlink_metadata(target).is_ok() => {
            return Err(Error::LedgerExists { path: target.display().to_string() });
        }
        Err(_) => fs::rename(half, target).map_err(|error| file_error(target, &error))?,
    }
    sync_folder(target)
}
