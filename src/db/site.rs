//! What lies around a ledger, for the diagnosis: by `stat` and by the folder's list of names, never by opening.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::config::check_sqlite;
use super::draft::{MOST_NAMES, is_abandoned, is_draft};
use super::opened::stuck_writers;
use super::place::{Place, Right, beside, canonical, doubts, file_system_of, may};
use crate::error::Result;
use crate::model::{Fact, SideFile};

/// The version of SQLite that is linked, and whether ledgers are safe with it.
pub(crate) fn sqlite_version() -> (&'static str, Result<()>) {
    (rusqlite::version(), check_sqlite())
}

/// A file as `stat` tells it.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// An ordinary file, and not a link to one.
    pub(crate) regular: bool,
    /// The number of its owner; on systems that have such numbers.
    pub(crate) owner: Option<u32>,
    /// Who may read and write it, as `chmod` writes it; on systems that have such modes.
    pub(crate) mode: Option<u32>,
}

impl Beside {
    fn at(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let (owner, mode) = rights(&metadata);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Some(Beside { name, bytes: metadata.len(), regular: metadata.is_file(), owner, mode })
    }
}

/// A ledger's place.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) path: PathBuf,
    /// The folder it lies in.
    pub(crate) folder: Option<Beside>,
    pub(crate) file: Option<Beside>,
    pub(crate) wal: Option<Beside>,
    pub(crate) shm: Option<Beside>,
    pub(crate) journal: Option<Beside>,
    /// Copies from before a migration.
    pub(crate) kept: Vec<String>,
    /// What broken-off creations, backups and restores have left.
    pub(crate) abandoned: Vec<String>,
    /// What other ledgers have left that are not there: it may hold their newest operations.
    pub(crate) orphans: Vec<SideFile>,
    /// The processes that keep the writer lock, when it is kept for long.
    pub(crate) stuck_writers: Option<Vec<u32>>,
    /// The kind of file system, where it can be known.
    pub(crate) file_system: Option<String>,
    /// What is doubtful about it, the worst first.
    pub(crate) doubts: Vec<Fact>,
    /// Bytes this user may still write to the disk.
    pub(crate) free: Option<u64>,
    /// The user this process runs as.
    pub(crate) user: Option<u32>,
    /// Whether this process may read the file, and write it; where that can be asked.
    pub(crate) readable: Option<bool>,
    pub(crate) writable: Option<bool>,
}

impl Site {
    /// Looks around. A path that leads nowhere gives as much as can be known of it.
    pub(crate) fn survey(path: &Path) -> Self {
        let path = resolved(path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Leftovers { kept, abandoned, orphans } = leftovers(folder, &name);
        let file_system = file_system_of(&path);
        Site {
            folder: Beside::at(folder),
            file: Beside::at(&path),
            wal: Beside::at(&beside(&path, "-wal")),
            shm: Beside::at(&beside(&path, "-shm")),
            journal: Beside::at(&beside(&path, "-journal")),
            kept,
            abandoned,
            orphans,
            stuck_writers: Place::existing(&path).ok().and_then(|place| stuck_writers(place.path(), place.id())),
            doubts: doubts(&path, file_system.as_deref(), fs::symlink_metadata(&path).ok().as_ref()),
            file_system,
            free: fs4::available_space(folder).ok(),
            user: user(),
            readable: may(&path, Right::Read),
            writable: may(&path, Right::Write),
            path,
        }
    }
}

/// Absolute and free of links, as far as it exists: `open` resolves the same way.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there = || canonical(folder, Some(path.file_name()?)).ok();
    canonical(path, None).ok().or_else(there).unwrap_or_else(|| path.into())
}

/// What lies in a folder that no ledger in use needs there.
#[derive(Default)]
struct Leftovers {
    kept: Vec<String>,
    abandoned: Vec<String>,
    orphans: Vec<SideFile>,
}

/// Copies from before a migration of this ledger, half-made copies of any, and what belongs to others that are not there.
fn leftovers(folder: &Path, ledger: &str) -> Leftovers {
    let mut found = Leftovers::default();
    for entry in fs::read_dir(folder).into_iter().flatten().take(MOST_NAMES).flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_kept(&name, ledger) {
            found.kept.push(name);
        } else if is_draft(&name) && is_abandoned(&entry.path()) {
            found.abandoned.push(name);
        } else if let Some(owner) = name.strip_suffix("-wal").or_else(|| name.strip_suffix("-journal"))
            && !owner.is_empty()
            && owner != ledger
            && folder.join(owner).symlink_metadata().is_err()
            && let Some(Beside { name, bytes: bytes @ 1.., regular: true, .. }) = Beside::at(&entry.path())
        {
            found.orphans.push(SideFile { name, bytes });
        }
    }
    found.kept.sort();
    found.abandoned.sort();
    found.orphans.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// As a migration names its backup.
fn is_kept(name: &str, ledger: &str) -> bool {
    let version = name.strip_prefix(ledger).and_then(|rest| rest.strip_prefix(".v"));
    version.and_then(|rest| rest.split_once(".backup")).is_some_and(|(version, _)| version.parse::<u32>().is_ok())
}

#[cfg(unix)]
fn rights(metadata: &Metadata) -> (Option<u32>, Option<u32>) {
    use std::os::unix::fs::MetadataExt;
    (Some(metadata.uid()), Some(metadata.mode() & 0o7777))
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere there is no such number")]
fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn rights(_metadata: &Metadata) -> (Option<u32>, Option<u32>) {
    (None, None)
}

#[cfg(not(unix))]
fn user() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_known_by_their_names() {
        assert!(is_kept("points.ledger.v1.backup", "points.ledger"));
        assert!(is_kept("points.ledger.v12.backup-2", "points.ledger"));
        assert!(!is_kept("points.ledger.v1.backup", "other.ledger"));
        assert!(!is_kept("points.ledger.vx.backup", "points.ledger"));
        assert!(!is_kept("points.ledger", "points.ledger"));
    }
}
