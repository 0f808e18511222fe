//! Where the bytes of an answer go: stdout, or a file that must not exist (or may be replaced).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exit::Failure;

/// A stream of answer bytes. A file is removed again when the command fails.
pub(crate) struct Sink {
    writer: BufWriter<Box<dyn Write>>,
    made: Option<Made>,
    stdout: bool,
    /// Written before the first byte.
    mark: &'static [u8],
}

/// A file being written, under a name of its own beside the one it is for: under that only a whole answer ever lies.
struct Made {
    path: PathBuf,
    target: PathBuf,
    /// Whether it may take the place of another.
    force: bool,
    /// Half an answer is worth keeping: it says what was booked.
    keep: bool,
}

impl Made {
    fn take_its_place(&self) -> io::Result<()> {
        if self.path == self.target {
            return Ok(());
        }
        if !self.force && fs::symlink_metadata(&self.target).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists now", self.target.display())));
        }
        fs::rename(&self.path, &self.target)
    }
}

impl Sink {
    pub(crate) fn stdout() -> Self {
        Sink { writer: BufWriter::new(Box::new(io::stdout())), made: None, stdout: true, mark: &[] }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout && io::stdout().is_terminal()
    }

    /// How wide a line may be: as the terminal is, else 80 columns.
    pub(crate) fn width(&self) -> usize {
        let terminal = self.is_terminal().then(terminal_size::terminal_size).flatten();
        terminal.map_or(80, |(terminal_size::Width(width), _)| usize::from(width.max(40)))
    }

    /// A new file; with `force` in place of an old one, which stays until everything is written.
    pub(crate) fn file(option: &str, path: &Path, force: bool, ledger: Option<&Path>) -> Result<Self, Failure> {
        if ledger.is_some_and(|ledger| same_file(path, ledger)) || is_database(path) || is_companion(path) {
            return Err(Failure::usage(
                format!("{option} {}: that is a ledger or another database", path.display()),
                "write the answer to another file",
            ));
        }
        let wrong = |error: io::Error| Failure::Io {
            message: format!("{option} {}: {error}", path.display()),
            help: "check the folder and its permissions; nothing was done".into(),
        };
        let sink = |file: File, made| Sink { writer: BufWriter::new(Box::new(file)), made, stdout: false, mark: &[] };
        if !force && fs::symlink_metadata(path).is_ok() {
            return Err(Failure::usage(
                format!("{option} {}: exists already", path.display()),
                "choose another name, or add --force",
            ));
        }
        match fs::metadata(path).ok() {
            Some(metadata) if metadata.is_dir() => {
                Err(Failure::usage(format!("{option} {}: is a folder", path.display()), "name a file in it"))
            }
            // A device or a pipe is written to as it is.
            Some(metadata) if !metadata.is_file() => {
                Ok(sink(OpenOptions::new().write(true).open(path).map_err(wrong)?, None))
            }
            _ => {
                let (file, part) = new_part(path).map_err(wrong)?;
                Ok(sink(file, Some(Made { path: part, target: path.into(), force, keep: false })))
            }
        }
    }

    /// Begins what is written with the mark of UTF-8.
    pub(crate) fn marked(mut self) -> Self {
        self.mark = "\u{feff}".as_bytes();
        self
    }

    /// Whatever happens, what has been answered stays. It lies under its name at once, unless that is still another's.
    pub(crate) fn keep(&mut self) {
        if let Some(made) = &mut self.made {
            made.keep = true;
            let kept = if fs::symlink_metadata(&made.target).is_err() { made.target.clone() } else { kept(&made.path) };
            if fs::rename(&made.path, &kept).is_ok() {
                made.path = kept;
            }
        }
    }

    /// Everything is written, and gets its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::write(&error))?;
        if let Some(made) = &self.made {
            made.take_its_place().map_err(|error| Failure::write(&error))?;
        }
        self.made = None;
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Only a failed command leaves it: half an answer must not look like a whole one.
        let _ = self.writer.flush();
        if let Some(made) = &self.made {
            let _ = if made.keep { made.take_its_place() } else { fs::remove_file(&made.path) };
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write_all(std::mem::take(&mut self.mark))?;
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What half an answer is called that is worth keeping, so that nobody clears it.
fn kept(part: &Path) -> PathBuf {
    part.with_extension("answers")
}

/// A new file beside the one it is for, numbered as this process is; in a container the next process may have the number of
/// one that was killed: then the first that is free. It is locked while it is written.
fn new_part(path: &Path) -> io::Result<(File, PathBuf)> {
    clear(path);
    let mut number = std::process::id();
    loop {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{number}.part"));
        let part = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).open(&part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.wrapping_add(1),
            opened => {
                let file = opened?;
                // Where there are no such locks, nothing is cleared.
                let _ = file.try_lock();
                return Ok((file, part));
            }
        }
    }
}

const YOUNG: Duration = Duration::from_secs(2);

/// Removes what commands that were killed have left of this file.
fn clear(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let number = found.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".part"));
        let is_part = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
        // One that is younger may not be locked yet.
        let is_old = || {
            entry
                .metadata()
                .and_then(|found| found.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > YOUNG))
        };
        if is_part && is_old() && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What SQLite puts behind a database's name, for the files it keeps beside it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Whether a path names the ledger file or one of the files SQLite keeps beside it. Those must never be opened by
/// anything but SQLite: closing any descriptor of them drops its locks.
pub(crate) fn same_file(path: &Path, ledger: &Path) -> bool {
    let ledger = resolved(ledger).into_os_string();
    let path = resolved(path);
    [""].iter().chain(&COMPANIONS).any(|suffix| {
        let mut name = ledger.clone();
        name.push(suffix);
        path == Path::new(&name) || same(&path, Path::new(&name))
    })
}

/// Absolute and free of links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there = || Some(folder.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(there).unwrap_or_else(|| path.into())
}

/// Whether it is what SQLite would take for the companion of a database that is there.
fn is_companion(path: &Path) -> bool {
    let name = resolved(path).into_os_string().into_string().unwrap_or_default();
    COMPANIONS.iter().filter_map(|suffix| name.strip_suffix(suffix)).any(|name| is_database(Path::new(name)))
}

#[cfg(unix)]
fn same(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same(a: &Path, b: &Path) -> bool {
    a == b
}

/// Any SQLite file: nothing of this command should ever be written over one.
fn is_database(path: &Path) -> bool {
    let regular = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut magic = [0; 16];
    regular
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"SQLite format 3\0"
}
