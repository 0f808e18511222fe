//! Files beside the ledger that are not SQLite's: opened without following links, and written whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::db::{file_error, give_name, new_file, sync_folder};
use crate::error::Result;

/// The end of the name of what is being written.
const END: &str = ".counterfoil-part";

/// Opens a regular file to read. A link is not followed, and a pipe not waited for.
#[cfg(unix)]
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => Err(std::io::Error::other("it is a link")),
        opened => regular(File::from(opened?)),
    }
}

#[cfg(not(unix))]
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(std::io::Error::other("it is a link"));
    }
    regular(File::open(path)?)
}

fn regular(file: File) -> std::io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is not a regular file")),
    }
}

/// A file on its way to its name: readable by its owner alone, gone when it is dropped.
pub(super) struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// An empty one in a folder, under a name that nobody else has.
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        let path = folder.join(format!(".{}{END}", uuid::Uuid::new_v4().simple()));
        let file = new_file(&path).map_err(|error| file_error(&path, &error))?;
        Ok(Part { path, file })
    }

    /// A file of these bytes beside another.
    pub(super) fn beside(path: &Path, bytes: &[u8]) -> Result<Self> {
        let part = Part::begin(folder_of(path))?;
        (&part.file).write_all(bytes).map_err(|error| file_error(path, &error))?;
        Ok(part)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it a name that nothing else has; it is durable under it.
    pub(super) fn publish(self, path: &Path) -> Result<()> {
        self.sync(path)?;
        give_name(&self.path, path)?;
        sync_folder(path)
    }

    /// Puts it in the place of what has that name.
    pub(super) fn replace(self, path: &Path) -> Result<()> {
        self.sync(path)?;
        fs::rename(&self.path, path).map_err(|error| file_error(path, &error))?;
        sync_folder(path)
    }

    fn sync(&self, path: &Path) -> Result<()> {
        self.file.sync_all().map_err(|error| file_error(path, &error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After its renaming there is nothing of that name.
        let _ = fs::remove_file(&self.path);
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a small file whole.
pub(super) fn read(file: &mut File, most: u64) -> Result<zeroize::Zeroizing<String>, String> {
    use std::io::Read;
    // Of its full size from the beginning: what a text leaves behind when it grows would not be overwritten.
    let size = usize::try_from(most).unwrap_or_default().saturating_add(1);
    let mut text = zeroize::Zeroizing::new(String::with_capacity(size));
    file.take(most.saturating_add(1)).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > most { Err("it is too long".into()) } else { Ok(text) }
}
