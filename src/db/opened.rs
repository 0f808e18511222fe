//! A ledger file as this process has it open: what all its connections share, and what is watched while it is open.

use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::gate::{Gate, Inside};
use super::locks::{Locks, holders};
use super::place::{FileId, Place, beside, file_id};
use super::registry::{Ends, Lease, Registry};
use crate::error::{Error, Result};

/// How long a look waits while locks are taken anew.
const PATIENCE: Duration = Duration::from_secs(10);

/// This process's share in an open file. Every connection has one, and is closed before it is given up.
pub(crate) type Opened = Lease<OpenFile>;

static FILES: Registry<OpenFile> = Registry::new();

pub(crate) struct OpenFile {
    place: Place,
    locks: Locks,
    /// Whoever reads or writes is inside; shut while lost locks are taken anew.
    gate: Gate,
    /// A forked child has the parent's connections, and none of its locks.
    process: u32,
    sides: RwLock<Sides>,
    /// The least length the file and its `-shm` can have, and that of the `-wal` when it was last found whole.
    file_bytes: AtomicU64,
    shm_bytes: AtomicU64,
    wal_bytes: AtomicU64,
}

/// What SQLite has opened beside the file.
#[derive(Default)]
struct Sides {
    wal: Option<FileId>,
    shm: Option<FileId>,
}

/// Whether nobody has the file open, neither this process nor another.
pub(super) fn is_free(path: &Path, id: &FileId) -> bool {
    // Asked first: asking the system opens and closes the file, which may not happen while it is open here.
    !FILES.is_leased(id) && {
        let others = holders(path);
        !others.present && !others.writing
    }
}

/// One read, or one transaction.
pub(crate) struct Using<'f> {
    file: &'f OpenFile,
    /// The length of the `-wal` when it began.
    wal_bytes: u64,
    _inside: Inside<'f>,
}

impl OpenFile {
    /// Opens it for this process, or joins those that have it open.
    pub(crate) fn open(place: Place, deadline: Instant) -> Result<Opened> {
        let id = place.id().clone();
        let file = FILES.lease(&id, || {
            let locks = Locks::open(place.path(), deadline)?;
            Ok(OpenFile {
                place,
                locks,
                gate: Gate::default(),
                process: std::process::id(),
                sides: RwLock::default(),
                file_bytes: AtomicU64::new(0),
                shm_bytes: AtomicU64::new(0),
                wal_bytes: AtomicU64::new(0),
            })
        })?;
        if file.is_inherited() {
            return Err(Error::storage(
                "this process was forked while the ledger was open, and cannot open it again: start a program of its own",
            ));
        }
        // It may have been opened under a name that is gone.
        file.check_unmoved()?;
        Ok(file)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Whether it was opened by the process this one was forked from.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// In a forked child: its copies of the descriptors would keep the parent's locks after the parent's end.
    pub(crate) fn disown(&self) {
        self.locks.release();
    }

    /// Begins a read or a transaction: nothing has been moved, and SQLite's locks are in force.
    pub(crate) fn enter(&self, deadline: Option<Instant>) -> Result<Using<'_>> {
        if self.is_inherited() {
            self.disown();
            return Err(Error::Closed);
        }
        let wal_bytes = self.check_unmoved()?;
        let until = || deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        loop {
            let inside = self.gate.enter(until()).ok_or(Error::LocksLost)?;
            if !self.locks.are_lost() {
                return Ok(Using { file: self, wal_bytes, _inside: inside });
            }
            drop(inside);
            // SQLite takes a lock anew only when no connection of the process is said to have it.
            let _shut = self.gate.shut(until()).ok_or(Error::LocksLost)?;
            if self.locks.are_lost() {
                self.locks.arm()?;
            }
        }
    }

    /// Notes what SQLite has opened beside the file, and guards it. Once the first connection has read.
    pub(super) fn settle_sides(&self) -> Result<()> {
        self.locks.guard(self.path())?;
        let mut sides = self.sides.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let look = |suffix: &str| metadata(&beside(self.path(), suffix));
        if let (None, Some(wal)) = (&sides.wal, look("-wal")) {
            sides.wal = Some(file_id(&beside(self.path(), "-wal"), &wal));
        }
        if let (None, Some(shm)) = (&sides.shm, look("-shm")) {
            sides.shm = Some(file_id(&beside(self.path(), "-shm"), &shm));
        }
        Ok(())
    }

    /// Refuses when anything was moved, replaced or cut; the length of the `-wal`.
    fn check_unmoved(&self) -> Result<u64> {
        let file = self.place.check_unmoved()?;
        self.check_length(&self.file_bytes, "", file.len())?;
        let sides = self.sides.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bytes) = self.check_side("-shm", sides.shm.as_ref())? {
            self.check_length(&self.shm_bytes, "-shm", bytes)?;
        }
        Ok(self.check_side("-wal", sides.wal.as_ref())?.unwrap_or(0))
    }

    /// The length of what lies beside the file, if it is what SQLite has opened.
    fn check_side(&self, suffix: &str, opened: Option<&FileId>) -> Result<Option<u64>> {
        let Some(opened) = opened else { return Ok(None) };
        let path = beside(self.path(), suffix);
        match metadata(&path) {
            Some(found) if file_id(&path, &found) == *opened => Ok(Some(found.len())),
            found => {
                let what = if found.is_some() { "was replaced" } else { "was moved or deleted" };
                Err(self.moved(suffix, what))
            }
        }
    }

    fn check_length(&self, least: &AtomicU64, suffix: &str, bytes: u64) -> Result<()> {
        if least.fetch_max(bytes, Ordering::Relaxed) > bytes {
            return Err(self.moved(suffix, "was cut short"));
        }
        Ok(())
    }

    fn moved(&self, suffix: &str, what: &str) -> Error {
        let path = beside(self.path(), suffix).display().to_string();
        Error::Moved { path, message: format!("it {what} while the ledger was open") }
    }

    /// The length of the `-wal`.
    pub(super) fn wal_bytes(&self) -> u64 {
        metadata(&beside(self.path(), "-wal")).map_or(0, |metadata| metadata.len())
    }

    /// Refuses a `-wal` that is shorter than what SQLite says is in it, for which `needed` asks. Asked only when the length
    /// is not the one it was left with: others add to it, and empty it, by right.
    pub(super) fn check_wal(&self, using: &Using<'_>, needed: impl Fn() -> Result<u64>) -> Result<()> {
        if using.wal_bytes == self.wal_bytes.load(Ordering::Relaxed) {
            return Ok(());
        }
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let before = needed()?;
            let bytes = self.wal_bytes();
            // Somebody at work between the two looks: look again.
            if needed()? == before {
                if bytes < before {
                    return Err(self.moved("-wal", "was cut short"));
                }
                self.wal_bytes.store(bytes, Ordering::Relaxed);
                break;
            }
        }
        Ok(())
    }

    /// A commit has left the `-wal` at least so long.
    pub(super) fn leave_wal(&self, bytes: u64) {
        self.wal_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn lock_writer(&self, deadline: Instant) -> Result<()> {
        self.locks.lock_writer(deadline)
    }

    pub(crate) fn unlock_writer(&self) {
        self.locks.unlock_writer();
    }

    /// Whether no other process has the file open.
    pub(crate) fn is_alone(&self) -> bool {
        self.locks.are_alone()
    }
}

impl Ends for OpenFile {
    fn end(&self) {
        self.locks.release();
    }
}

impl Using<'_> {
    /// Whether what was read or committed may be answered: SQLite's locks were in force all the time.
    pub(crate) fn check(&self) -> Result<()> {
        if self.file.locks.are_lost() {
            return Err(Error::LocksLost);
        }
        if !self.file.locks.is_guarded() {
            self.file.settle_sides()?;
        }
        Ok(())
    }

    /// The same for an answer: what was read without locks is not believed, nor are the errors it led to.
    pub(crate) fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        self.check().and(answer)
    }
}

fn metadata(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path).ok()
}

/// The length of a `-wal` with so many frames of pages: a header, and before each page a header of its own.
pub(super) fn log_bytes(frames: i64, page: i64) -> u64 {
    let bytes = if frames > 0 { frames.saturating_mul(page.saturating_add(24)).saturating_add(32) } else { 0 };
    u64::try_from(bytes).unwrap_or(0)
}
