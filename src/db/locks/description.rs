//! Locks on open file descriptions: Linux and Android.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, c_short, flock};

use super::super::busy;
use super::super::place::{beside, file_error};
use super::{Holders, Standing};
use crate::error::{Error, Result};

/// What SQLite locks shared while a file is open, and exclusively before it takes the `-wal` away.
const SQLITE_SHARED: Range = Range { start: 0x4000_0002, len: 510 };
/// What it locks of the `-shm` in the same way, before it cuts that.
const SQLITE_SHM_IN_USE: Range = Range { start: 128, len: 1 };
/// Ours lie where no file ends and SQLite locks nothing.
const BASE: i64 = 0x4366_6f6c_0000_0000;
const PRESENCE: Range = Range { start: BASE, len: 1 };
const WRITER: Range = Range { start: BASE + 1, len: 1 };
const CANARIES: i64 = BASE + 0x1000;

#[derive(Clone, Copy)]
struct Range {
    start: i64,
    len: i64,
}

#[derive(Clone, Copy)]
enum Mode {
    Shared,
    Exclusive,
    None,
}

#[allow(clippy::cast_possible_truncation, reason = "the system's constants, all of one digit")]
const UNLOCKED: c_short = libc::F_UNLCK as c_short;

impl Mode {
    #[allow(clippy::cast_possible_truncation, reason = "the system's constants, all of one digit")]
    fn code(self) -> c_short {
        match self {
            Mode::Shared => libc::F_RDLCK as c_short,
            Mode::Exclusive => libc::F_WRLCK as c_short,
            Mode::None => UNLOCKED,
        }
    }
}

/// This process's locks on one ledger.
#[derive(Debug)]
pub(in crate::db) struct Locks {
    /// `None` once released, and where the system has no such locks.
    held: RwLock<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    file: Arc<File>,
    guarded: Option<Guarded>,
}

/// Once SQLite has opened the `-shm`.
#[derive(Debug)]
struct Guarded {
    shm: File,
    /// The byte of the canary. It is in the `-shm` alone: there are the locks of reads and writes, and what SQLite locks in
    /// the file itself, the guard locks too.
    canary: i64,
    process: u32,
}

impl Locks {
    /// Takes the presence, before SQLite opens the file.
    pub(in crate::db) fn open(path: &Path, deadline: Instant) -> Result<Self> {
        let file = open(path)?;
        let taken = wait_for(&file, PRESENCE, Mode::Shared, deadline)?;
        Ok(Locks { held: RwLock::new(taken.map(|()| Held { file: Arc::new(file), guarded: None })) })
    }

    /// Takes guard and canary, once SQLite has opened the file and, in WAL mode, made the `-shm`: taken before, it would make
    /// SQLite trust a `-shm` that nobody looks after.
    pub(in crate::db) fn guard(&self, path: &Path) -> Result<()> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_mut().filter(|held| held.guarded.is_none()) else { return Ok(()) };
        let shm = match open(&beside(path, "-shm")) {
            Ok(shm) => shm,
            // No WAL mode, or a SQLite that does without.
            Err(_) => return Ok(()),
        };
        lock(&held.file, SQLITE_SHARED, Mode::Shared)?;
        lock(&shm, SQLITE_SHM_IN_USE, Mode::Shared)?;
        held.guarded = Some(Guarded { shm, canary: 0, process: std::process::id() });
        held.arm()
    }

    /// How SQLite's locks of this process stand.
    pub(in crate::db) fn standing(&self) -> Standing {
        match self.held().as_ref().map(|held| held.guarded.as_ref()) {
            None => Standing::Held,
            Some(None) => Standing::Unguarded,
            Some(Some(guarded)) if guarded.has_canary() => Standing::Held,
            Some(Some(_)) => Standing::Lost,
        }
    }

    /// Sets the canary, anew after it was lost: only while no connection of the process has a transaction open.
    pub(in crate::db) fn arm(&self) -> Result<()> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.as_mut().map_or(Ok(()), Held::arm)
    }

    /// Keeps the writers of other processes out; waits for them until the deadline.
    pub(in crate::db) fn lock_writer(&self, deadline: Instant) -> Result<()> {
        // Nobody waits for the descriptors while this waits for another process.
        let file = self.held().as_ref().map(|held| Arc::clone(&held.file));
        file.map_or(Ok(()), |file| wait_for(&file, WRITER, Mode::Exclusive, deadline).map(drop))
    }

    pub(in crate::db) fn unlock_writer(&self) {
        if let Some(held) = self.held().as_ref() {
            let _ = lock(&held.file, WRITER, Mode::None);
        }
    }

    /// Whether no other process has the file open.
    pub(in crate::db) fn are_alone(&self) -> bool {
        self.held().as_ref().is_none_or(|held| ask(&held.file, PRESENCE).is_ok_and(|found| found.l_type == UNLOCKED))
    }

    /// Closes the descriptors. In a forked child too: its copies would keep the parent's locks after the parent's end.
    pub(in crate::db) fn release(&self) {
        // A lock that another thread of the parent held at the fork is held for ever in the child.
        if let Ok(mut held) = self.held.try_write() {
            *held = None;
        }
    }

    fn held(&self) -> RwLockReadGuard<'_, Option<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn arm(&mut self) -> Result<()> {
        let Some(guarded) = &mut self.guarded else { return Ok(()) };
        guarded.canary = canary();
        posix(&guarded.shm, guarded.canary)
    }
}

impl Guarded {
    fn has_canary(&self) -> bool {
        match ask(&self.shm, Range { start: self.canary, len: 1 }) {
            Ok(found) => found.l_type != UNLOCKED && u32::try_from(found.l_pid).is_ok_and(|pid| pid == self.process),
            // It cannot be asked: then nothing is known to be lost.
            Err(_) => true,
        }
    }
}

/// Who else has the file open. It opens and closes the file, so no SQLite of this process may have it open.
pub(in crate::db) fn holders(path: &Path) -> Holders {
    let Ok(file) = open(path) else { return Holders { present: false, writing: false } };
    let taken = |range| ask(&file, range).is_ok_and(|found| found.l_type != UNLOCKED);
    Holders { present: taken(PRESENCE), writing: taken(WRITER) }
}

/// The processes that keep the writer lock, as far as this user may see them.
pub(in crate::db) fn writers(path: &Path) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt;
    let Ok(inode) = std::fs::symlink_metadata(path).map(|found| found.ino()) else { return Vec::new() };
    let (inode, byte) = (format!(":{inode} "), format!(" {} ", WRITER.start));
    // One `lock:` line for each lock of a descriptor, with the inode and the range.
    let is_ours = |line: &str| {
        line.starts_with("lock:") && line.contains(" WRITE ") && line.contains(&inode) && line.contains(&byte)
    };
    let entries = |path: String| std::fs::read_dir(path).into_iter().flatten().flatten();
    let processes = entries("/proc".into()).filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let keeps = |process: &u32| {
        entries(format!("/proc/{process}/fdinfo"))
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .any(|text| text.lines().any(&is_ours))
    };
    processes.filter(keeps).collect()
}

fn open(path: &Path) -> Result<File> {
    let open = |write| OpenOptions::new().read(true).write(write).custom_flags(libc::O_NOFOLLOW).open(path);
    let tried = open(true).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => open(false),
        _ => Err(error),
    });
    tried.map_err(|error| file_error(path, &error))
}

fn description(range: Range, mode: Mode) -> flock {
    #[allow(clippy::cast_possible_truncation, reason = "SEEK_SET is 0")]
    let whence = libc::SEEK_SET as c_short;
    flock { l_type: mode.code(), l_whence: whence, l_start: range.start, l_len: range.len, l_pid: 0 }
}

fn lock(file: &File, range: Range, mode: Mode) -> Result<(), Error> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&description(range, mode))).map(drop).map_err(failed)
}

/// Tries until the deadline; `None` where the file system has no such locks.
fn wait_for(file: &File, range: Range, mode: Mode, deadline: Instant) -> Result<Option<()>> {
    let _patience = busy::until(deadline);
    let mut tries = 0;
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&description(range, mode))) {
            Ok(_) => return Ok(Some(())),
            Err(Errno::EAGAIN | Errno::EACCES) if busy::handler(tries) => tries = tries.saturating_add(1),
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(Error::Busy { waited_ms: busy::waited_ms() }),
            // The system or the file system has no such locks.
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The first lock of others that would be in the way of an exclusive one.
fn ask(file: &File, range: Range) -> nix::Result<flock> {
    let mut found = description(range, Mode::Exclusive);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    Ok(found)
}

/// A POSIX lock of this process. Shared, so that a file that may only be read can have one.
fn posix(file: &File, byte: i64) -> Result<()> {
    let range = Range { start: byte, len: 1 };
    fcntl(file, FcntlArg::F_SETLK(&description(range, Mode::Shared))).map(drop).map_err(failed)
}

/// A byte that no other process has chosen.
fn canary() -> i64 {
    let random = uuid::Uuid::new_v4().as_u128() & 0xff_ffff_ffff;
    CANARIES.saturating_add(i64::try_from(random).unwrap_or(0))
}

fn failed(errno: Errno) -> Error {
    Error::storage(format!("a lock was refused by the system: {errno}"))
}
