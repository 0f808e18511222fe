//! An open ledger file, shared by all its connections in this process: its locks, and the check that nothing of it was
//! moved, replaced or cut meanwhile.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::gate::{Gate, Inside};
use super::locks::{Locks, Standing, holders, writers};
use super::place::{FileId, Place, beside, probe};
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
    /// Entered by every read and transaction; shut while lost locks are taken anew.
    gate: Gate,
    /// The process that opened it: a forked child inherits the connections and none of the locks.
    process: u32,
    wal: Side,
    shm: Side,
    /// The least length the file and its `-shm` can have, and that of the `-wal` when it was last found whole.
    file_bytes: AtomicU64,
    shm_bytes: AtomicU64,
    wal_bytes: AtomicU64,
}

/// The `-wal` or `-shm` that SQLite has open.
struct Side {
    path: PathBuf,
    opened: OnceLock<FileId>,
}

impl Side {
    fn of(place: &Place, suffix: &str) -> Self {
        Side { path: beside(place.path(), suffix), opened: OnceLock::new() }
    }

    /// Notes which file SQLite has opened.
    fn note(&self) {
        if let (None, Some((found, _))) = (self.opened.get(), probe(&self.path)) {
            let _ = self.opened.set(found);
        }
    }

    /// Its length, if it is still what SQLite has opened.
    fn check(&self) -> Result<Option<u64>> {
        let Some(opened) = self.opened.get() else { return Ok(None) };
        match probe(&self.path) {
            Some((found, bytes)) if found == *opened => Ok(Some(bytes)),
            Some(_) => Err(moved(&self.path, "was replaced")),
            None => Err(moved(&self.path, "was moved or deleted")),
        }
    }

    fn bytes(&self) -> u64 {
        probe(&self.path).map_or(0, |(_, bytes)| bytes)
    }
}

/// Refuses a file that is shorter than it was.
fn check_length(path: &Path, least: &AtomicU64, bytes: u64) -> Result<()> {
    match least.load(Ordering::Relaxed) {
        known if known == bytes => Ok(()),
        known if known > bytes => Err(moved(path, "was cut short")),
        _ => {
            least.fetch_max(bytes, Ordering::Relaxed);
            Ok(())
        }
    }
}

fn moved(path: &Path, what: &str) -> Error {
    Error::Moved { path: path.display().to_string(), message: format!("it {what} while the ledger was open") }
}

/// Whether nobody has the file open, neither this process nor another.
pub(super) fn is_free(path: &Path, id: &FileId) -> bool {
    // Asked first: asking the system opens and closes the file, which may not happen while it is open here.
    !FILES.is_leased(id) && {
        let others = holders(path);
        !others.present && !others.writing
    }
}

/// Who holds the writer lock, when it is held for longer than any transaction of ours takes.
pub(super) fn stuck_writers(place: &Path, id: &FileId) -> Option<Vec<u32>> {
    const LONG: Duration = Duration::from_secs(1);
    const STEP: Duration = Duration::from_millis(20);
    let began = Instant::now();
    while !FILES.is_leased(id) && holders(place).writing {
        if began.elapsed() >= LONG {
            return Some(writers(place));
        }
        std::thread::sleep(STEP);
    }
    None
}

/// One read, or one transaction.
pub(crate) struct Using<'f> {
    file: &'f OpenFile,
    /// The length of the `-wal` when a transaction began.
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
                wal: Side::of(&place, "-wal"),
                shm: Side::of(&place, "-shm"),
                place,
                locks,
                gate: Gate::default(),
                process: std::process::id(),
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
        // It may have been opened under a name that leads elsewhere now.
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

    /// Begins a transaction: nothing has been moved, and SQLite's locks are in force.
    pub(crate) fn enter(&self, deadline: Option<Instant>) -> Result<Using<'_>> {
        let wal_bytes = self.check_unmoved()?;
        Ok(Using { wal_bytes, ..self.enter_unwatched(deadline)? })
    }

    /// Begins a read: of a file and `-shm` that are the ones others use, whose locks therefore count.
    pub(crate) fn enter_to_read(&self) -> Result<Using<'_>> {
        self.check_shared()?;
        self.enter_unwatched(None)
    }

    /// Runs a short read and checks the locks afterwards only; runs it again when they were lost.
    pub(crate) fn read_again<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        self.check_shared()?;
        if let Some(inside) = self.gate.enter_now() {
            let answer = self.using(inside).answer(read());
            if !matches!(answer, Err(Error::LocksLost)) {
                return answer;
            }
        }
        self.enter_unwatched(None)?.answer(read())
    }

    fn using<'f>(&'f self, inside: Inside<'f>) -> Using<'f> {
        Using { file: self, wal_bytes: 0, _inside: inside }
    }

    fn enter_unwatched(&self, deadline: Option<Instant>) -> Result<Using<'_>> {
        let until = || deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
        loop {
            let inside = self.gate.enter_now().or_else(|| self.gate.enter(until())).ok_or(Error::LocksLost)?;
            if self.locks.standing() != Standing::Lost {
                return Ok(self.using(inside));
            }
            drop(inside);
            // SQLite takes a lock anew only when no connection of the process is said to have it.
            let _shut = self.gate.shut(until()).ok_or(Error::LocksLost)?;
            if self.locks.standing() == Standing::Lost {
                self.locks.arm()?;
            }
        }
    }

    /// Notes and guards the files SQLite has opened beside this one. Called once the first connection has read.
    pub(super) fn note_sides(&self) -> Result<()> {
        self.locks.guard(self.path())?;
        self.wal.note();
        self.shm.note();
        Ok(())
    }

    /// Refuses when anything was moved, replaced or cut; the length of the `-wal`.
    fn check_unmoved(&self) -> Result<u64> {
        self.check_shared()?;
        self.wal.check().map(Option::unwrap_or_default)
    }

    fn check_shared(&self) -> Result<()> {
        check_length(self.path(), &self.file_bytes, self.place.check_unmoved()?)?;
        match self.shm.check()? {
            Some(bytes) => check_length(&self.shm.path, &self.shm_bytes, bytes),
            None => Ok(()),
        }
    }

    /// The length of the `-wal`.
    pub(super) fn wal_bytes(&self) -> u64 {
        self.wal.bytes()
    }

    /// Refuses a `-wal` shorter than SQLite says it is (`needed`). Asked only when its length is not the one it was left
    /// with, for others may add to it and empty it.
    pub(super) fn check_wal(&self, using: &Using<'_>, needed: impl Fn() -> Result<u64>) -> Result<()> {
        if using.wal_bytes == self.wal_bytes.load(Ordering::Relaxed) {
            return Ok(());
        }
        const TRIES: usize = 8;
        for _ in 0..TRIES {
            let before = needed()?;
            let bytes = self.wal_bytes();
            // Else another process wrote between the two looks.
            if needed()? == before {
                if bytes < before {
                    return Err(moved(&self.wal.path, "was cut short"));
                }
                self.wal_bytes.store(bytes, Ordering::Relaxed);
                break;
            }
        }
        Ok(())
    }

    /// A commit has left the `-wal` at least this long.
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
        match self.file.locks.standing() {
            Standing::Held => Ok(()),
            Standing::Unguarded => self.file.note_sides(),
            Standing::Lost => Err(Error::LocksLost),
        }
    }

    /// The same for an answer: what was read without locks is not believed, nor are the errors it led to.
    pub(crate) fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        self.check().and(answer)
    }
}

/// The length of a `-wal` with so many frames of pages: a header, and before each page a header of its own.
pub(super) fn log_bytes(frames: i64, page: i64) -> u64 {
    let bytes = if frames > 0 { frames.saturating_mul(page.saturating_add(24)).saturating_add(32) } else { 0 };
    u64::try_from(bytes).unwrap_or(0)
}
