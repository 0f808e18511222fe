//! Where the bytes of an answer go: stdout, or a file that must not exist (or may be replaced).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A stream of answer bytes. A file is removed again when the command fails.
pub(crate) struct Sink {
    writer: BufWriter<Box<dyn Write>>,
    made: Option<Made>,
    stdout: bool,
}

/// A file being written.
struct Made {
    path: PathBuf,
    /// What it replaces when everything is written.
    target: Option<PathBuf>,
    /// Half an answer is worth keeping: it says what was booked.
    keep: bool,
}

impl Sink {
    pub(crate) fn stdout() -> Self {
        Sink { writer: BufWriter::new(Box::new(io::stdout())), made: None, stdout: true }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout && io::stdout().is_terminal()
    }

    /// A new file; with `force` in place of an old one, which stays until everything is written.
    pub(crate) fn file(path: &Path, force: bool, ledger: Option<&Path>) -> Result<Self, Failure> {
        if ledger.is_some_and(|ledger| same_file(path, ledger)) || is_database(path) {
            return Err(Failure::usage(
                format!("--output {}: that is a ledger or another database", path.display()),
                "write the answer to another file",
            ));
        }
        let wrong = |error: io::Error| Failure::Io {
            message: format!("--output {}: {error}", path.display()),
            help: "check the folder and its permissions; nothing was done".into(),
        };
        let writer = |file: File| BufWriter::new(Box::new(file) as Box<dyn Write>);
        let there = fs::metadata(path).ok();
        match there {
            Some(_) if !force => Err(Failure::usage(
                format!("--output {}: exists already", path.display()),
                "choose another name, or add --force",
            )),
            Some(metadata) if metadata.is_dir() => {
                Err(Failure::usage(format!("--output {}: is a folder", path.display()), "name a file in it"))
            }
            Some(metadata) if metadata.is_file() => {
                let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
                name.push(format!(".{}.part", std::process::id()));
                let part = path.with_file_name(name);
                let file = OpenOptions::new().write(true).create_new(true).open(&part).map_err(wrong)?;
                Ok(Sink {
                    writer: writer(file),
                    made: Some(Made { path: part, target: Some(path.into()), keep: false }),
                    stdout: false,
                })
            }
            // A device or a pipe is written to as it is.
            Some(_) => {
                let file = OpenOptions::new().write(true).open(path).map_err(wrong)?;
                Ok(Sink { writer: writer(file), made: None, stdout: false })
            }
            None => {
                let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(wrong)?;
                Ok(Sink {
                    writer: writer(file),
                    made: Some(Made { path: path.into(), target: None, keep: false }),
                    stdout: false,
                })
            }
        }
    }

    /// Whatever happens, what has been answered stays.
    pub(crate) fn keep(&mut self) {
        if let Some(made) = &mut self.made {
            made.keep = true;
        }
    }

    /// Everything is written: a replacement takes its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::write(&error))?;
        if let Some(made) = self.made.take()
            && let Some(target) = &made.target
        {
            fs::rename(&made.path, target).map_err(|error| Failure::write(&error))?;
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Only a failed command leaves it: half an answer must not look like a whole one.
        let _ = self.writer.flush();
        match &self.made {
            Some(Made { path, target: Some(target), keep: true }) => drop(fs::rename(path, target)),
            Some(Made { path, keep: false, .. }) => drop(fs::remove_file(path)),
            _ => {}
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Whether a path names the ledger file or one of the files SQLite keeps beside it. Those must never be opened by
/// anything but SQLite: closing any descriptor of them drops its locks.
pub(crate) fn same_file(path: &Path, ledger: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    ["", "-wal", "-shm", "-journal"].iter().any(|suffix| {
        let mut name = ledger.canonicalize().unwrap_or_else(|_| ledger.into()).into_os_string();
        name.push(suffix);
        same(&path, Path::new(&name))
    })
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
