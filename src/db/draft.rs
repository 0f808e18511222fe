//! A draft: a new file built under a name of its own in the target's folder, and renamed to the target when it is whole and
//! synced. If the process is killed, the target is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::opened::is_free;
use super::place::{FileId, beside, file_error, file_id, for_new, is_unborn};
use crate::error::{Error, Result};

/// The end of every draft's name.
const END: &str = ".counterfoil-part";
/// How often a draft is begun anew.
const TRIES: usize = 8;
/// What may be made beside a file.
const COMPANIONS: [&str; 4] = ["-journal", "-wal", "-shm", "-reserve"];
/// The most names of a folder that are looked at.
pub(super) const MOST_NAMES: usize = 10_000;

/// A file in a hidden folder of its own, which goes when this is dropped.
pub(super) struct Draft {
    folder: PathBuf,
    path: PathBuf,
    target: PathBuf,
    /// The lock on the folder that shows that the draft is in use. Not on the file: closing that after the rename would drop
    /// the locks of whoever has opened it in this process.
    _lock: Claim,
}

/// A file that was given its name.
pub(crate) struct Published {
    pub(crate) path: PathBuf,
    id: Option<FileId>,
}

impl Draft {
    /// An empty draft of a file yet to be, readable by its owner only.
    pub(super) fn begin(target: &Path) -> Result<Self> {
        let target = for_new(target)?;
        // VACUUM INTO takes the name as SQL text.
        if target.to_str().is_none() {
            return Err(Error::invalid("path", "is not UTF-8", "choose another name or folder"));
        }
        clear(target.parent().unwrap_or(Path::new(".")));
        for _ in 0..TRIES {
            match Self::at(&target) {
                // Cleared by another process before it was locked: once more.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(file_error(&target, &error)),
                Ok(draft) => return Ok(draft),
            }
        }
        Err(Error::storage(format!("{}: no draft can be kept in its folder", target.display())))
    }

    fn at(target: &Path) -> std::io::Result<Self> {
        let name = target.file_name().unwrap_or_default();
        let folder = format!(".{}.{}{END}", name.to_string_lossy(), uuid::Uuid::new_v4().simple());
        let folder = target.with_file_name(folder);
        let path = folder.join(name);
        new_folder(&folder)?;
        let target = target.to_path_buf();
        let draft = match claim(&folder) {
            Ok(lock) => Draft { folder, path, target, _lock: lock },
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                return Err(error);
            }
        };
        new_file(&draft.path)?;
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the draft its name. Overwrites nothing.
    pub(super) fn publish(self) -> Result<Published> {
        let synced = OpenOptions::new().read(true).write(true).open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|error| file_error(&self.path, &error))?;
        give_name(&self.path, &self.target)?;
        let metadata = fs::symlink_metadata(&self.target).ok();
        let id = metadata.map(|metadata| file_id(&self.target, &metadata));
        let published = Published { path: self.target.clone(), id };
        if let Err(error) = sync_folder(&self.target) {
            published.take_back();
            return Err(error);
        }
        Ok(published)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Published {
    /// Removes the file again, unless somebody has opened it: what it was made for has failed.
    pub(crate) fn take_back(&self) {
        if let Some(id) = &self.id {
            delete(&self.path, id);
        }
    }
}

/// Removes a file that nobody has open, if it is still this one, and what lies beside it; whether it did.
pub(super) fn delete(path: &Path, id: &FileId) -> bool {
    let found = fs::symlink_metadata(path).ok().map(|metadata| file_id(path, &metadata));
    if found.as_ref() != Some(id) || !is_free(path, id) || fs::remove_file(path).is_err() {
        return false;
    }
    for suffix in COMPANIONS {
        let _ = fs::remove_file(beside(path, suffix));
    }
    true
}

pub(crate) fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn new_folder(path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path)
}

#[cfg(not(unix))]
fn new_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

/// What shows that a draft is in use: a lock, on systems where that does not interfere with SQLite's.
#[cfg(target_os = "linux")]
type Claim = File;
#[cfg(not(target_os = "linux"))]
type Claim = ();

#[cfg(target_os = "linux")]
fn claim(folder: &Path) -> std::io::Result<Claim> {
    let file = File::open(folder)?;
    file.lock()?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn claim(_folder: &Path) -> std::io::Result<Claim> {
    Ok(())
}

/// The claim on a draft, if nobody has it.
#[cfg(target_os = "linux")]
fn claim_abandoned(folder: &Path) -> Option<Claim> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Elsewhere: what is older than an hour.
#[cfg(not(target_os = "linux"))]
fn claim_abandoned(folder: &Path) -> Option<Claim> {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    let modified = fs::symlink_metadata(folder).and_then(|metadata| metadata.modified()).ok()?;
    modified.elapsed().is_ok_and(|age| age > HOUR).then_some(())
}

/// Removes the drafts that nobody works on any more.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().take(MOST_NAMES).flatten() {
        if is_draft(&entry.file_name().to_string_lossy())
            && let Some(_claim) = claim_abandoned(&entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// As a draft is named.
pub(super) fn is_draft(name: &str) -> bool {
    let hidden = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(END));
    let mark = hidden.and_then(|rest| rest.rsplit_once('.')).map(|(_, mark)| mark);
    mark.is_some_and(|mark| mark.len() == 32 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether nobody works on a draft any more.
pub(super) fn is_abandoned(folder: &Path) -> bool {
    claim_abandoned(folder).is_some()
}

/// Renames without replacing anything but an empty file, which is what an interrupted creation of another kind leaves.
pub(crate) fn give_name(draft: &Path, target: &Path) -> Result<()> {
    match rename_to_new(draft, target) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) if is_unknown(&error) => match new_file(target) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(file_error(target, &error)),
            _ => {}
        },
        Err(error) => return Err(file_error(target, &error)),
    }
    take_over(draft, target)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_to_new(draft: &Path, target: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, draft, CWD, target, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_to_new(_draft: &Path, _target: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Whether the file system does not know a rename that replaces nothing.
fn is_unknown(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error.kind(), InvalidInput | Unsupported)
}

/// Puts the draft in the place of an empty file. Its lock lets one of several do so.
fn take_over(draft: &Path, target: &Path) -> Result<()> {
    let exists = || Error::LedgerExists { path: target.display().to_string() };
    // Asked before it is opened: closing a ledger that this process has open would drop its locks.
    if !fs::symlink_metadata(target).is_ok_and(|found| is_unborn(&found)) {
        return Err(exists());
    }
    let empty = OpenOptions::new().read(true).write(true).open(target).map_err(|error| file_error(target, &error))?;
    #[cfg(unix)]
    empty.try_lock().map_err(|_| exists())?;
    let same = |named: &fs::Metadata, held: &fs::Metadata| file_id(target, named) == file_id(target, held);
    match (fs::symlink_metadata(target), empty.metadata()) {
        (Ok(named), Ok(held)) if is_unborn(&named) && same(&named, &held) => {}
        _ => return Err(exists()),
    }
    fs::rename(draft, target).map_err(|error| file_error(target, &error))
}

/// Makes a file's name durable.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, &error))
}

/// Elsewhere a folder cannot be synced.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as on unix")]
pub(crate) fn sync_folder(_path: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_are_known_by_their_names() {
        let mark = "0123456789abcdef0123456789abcdef";
        assert!(is_draft(&format!(".copy.ledger.{mark}{END}")));
        assert!(!is_draft(&format!("copy.ledger.{mark}{END}")));
        assert!(!is_draft(&format!(".copy.ledger{END}")));
        assert!(!is_draft(&format!(".copy.{mark}x{END}")));
        assert!(!is_draft(&format!(".copy.{mark}.part")));
    }

    /// A creation was killed by the system; a second one is at work in the same folder.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_draft_is_cleared_once_nobody_works_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let at_work = Draft::begin(&folder.path().join("one")).unwrap();
        let killed = folder.path().join(format!(".two.{}{END}", "ab".repeat(16)));
        fs::create_dir(&killed).unwrap();
        fs::write(folder.path().join(".two"), "somebody else's").unwrap();
        fs::write(killed.join("two"), "half").unwrap();
        drop(Draft::begin(&folder.path().join("three")).unwrap());
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!((killed.exists(), at_work.path().exists(), left), (false, true, 2));
        at_work.publish().unwrap();
        assert!(folder.path().join("one").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_empty_file_is_taken_over_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("points.ledger");
        let draft = |text: &str| {
            let draft = Draft::begin(&target).unwrap();
            fs::write(draft.path(), text).unwrap();
            draft
        };
        fs::write(&target, "").unwrap();
        let (first, second) = (draft("first"), draft("second"));
        first.publish().unwrap();
        assert_eq!(second.publish().map(|_| ()).unwrap_err().code(), "ledger_exists");
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
