//! Which calls fail, and how.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

/// What SQLite asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Delete,
    Access,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Lock,
    ShmMap,
    ShmLock,
    Allocate,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The disk does not answer: every call about a file but those for locks.
    Io,
    /// A write is told to have failed, and is there.
    Written,
    /// There is no room: what makes a file longer.
    Full,
    /// There is room for half of a write.
    Half,
    /// A sync fails, and nobody knows what is on the disk.
    Sync,
    /// A lock cannot be had, because the call for it fails.
    Lock,
    /// A lock cannot be had, because somebody has it.
    Busy,
    /// No descriptor is left.
    Descriptors,
    /// The system has no memory for a call about a file.
    FileMemory,
    /// SQLite gets no memory.
    Memory,
}

impl Kind {
    /// Those that concern files.
    pub const OF_FILES: [Kind; 9] = [
        Kind::Io,
        Kind::Written,
        Kind::Full,
        Kind::Half,
        Kind::Sync,
        Kind::Lock,
        Kind::Busy,
        Kind::Descriptors,
        Kind::FileMemory,
    ];

    /// What SQLite is told when this call fails so; `None` when it does not fail in this way.
    fn code(self, call: Call) -> Option<i32> {
        let code = match (self, call) {
            (Kind::Io, Call::Open) | (Kind::Descriptors, Call::Open) => ffi::SQLITE_CANTOPEN,
            (Kind::Io, Call::Delete) => ffi::SQLITE_IOERR_DELETE,
            (Kind::Io, Call::Access) => ffi::SQLITE_IOERR_ACCESS,
            (Kind::Io, Call::Read) => ffi::SQLITE_IOERR_READ,
            (Kind::Io | Kind::Written, Call::Write) => ffi::SQLITE_IOERR_WRITE,
            (Kind::Io, Call::Truncate) => ffi::SQLITE_IOERR_TRUNCATE,
            (Kind::Io | Kind::Sync, Call::Sync) => ffi::SQLITE_IOERR_FSYNC,
            (Kind::Io, Call::Size) => ffi::SQLITE_IOERR_FSTAT,
            (Kind::Io, Call::ShmMap) => ffi::SQLITE_IOERR_SHMMAP,
            (Kind::Full | Kind::Half, Call::Write) | (Kind::Full, Call::Open | Call::ShmMap) => ffi::SQLITE_FULL,
            (Kind::Lock, Call::Lock) => ffi::SQLITE_IOERR_LOCK,
            (Kind::Lock, Call::ShmLock) => ffi::SQLITE_IOERR_SHMLOCK,
            (Kind::Busy, Call::Lock | Call::ShmLock) => ffi::SQLITE_BUSY,
            (Kind::Memory, Call::Allocate) => ffi::SQLITE_NOMEM,
            (Kind::FileMemory, Call::Open | Call::Delete | Call::Access | Call::Lock | Call::ShmLock) => {
                ffi::SQLITE_NOMEM
            }
            (Kind::FileMemory, _) => ffi::SQLITE_IOERR_NOMEM,
            _ => return None,
        };
        Some(code)
    }

    /// How much of a write is done that is told to have failed: all, half, or nothing.
    pub(crate) fn written(self, bytes: i32) -> i32 {
        match self {
            Kind::Written => bytes,
            Kind::Half => bytes / 2,
            _ => 0,
        }
    }
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// How.
    pub kind: Kind,
    /// The how-manieth of the calls that can fail so, from 1.
    pub at: u64,
    /// How many of them fail in a row: 1, or as many as there are.
    pub many: u64,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    calls: u64,
    failed: u64,
}

/// Whose calls may fail. They are as usual until [`Plan::fail`], and again when it is dropped.
#[derive(Debug)]
pub struct Plan(Arc<Part>);

#[derive(Debug)]
pub(crate) struct Part {
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

static OF_FILES: Mutex<Vec<Arc<Part>>> = Mutex::new(Vec::new());

thread_local! {
    static OF_MEMORY: RefCell<Option<Arc<Part>>> = const { RefCell::new(None) };
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    /// Calls about files in a folder.
    #[must_use]
    pub fn of_files(folder: &Path) -> Self {
        // SQLite names files by where links lead.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let part = Arc::new(Part { folder: Some(folder), state: Mutex::default() });
        lock(&OF_FILES).push(Arc::clone(&part));
        Plan(part)
    }

    /// What this thread asks memory for.
    #[must_use]
    pub fn of_memory() -> Self {
        let part = Arc::new(Part { folder: None, state: Mutex::default() });
        OF_MEMORY.with_borrow_mut(|of| *of = Some(Arc::clone(&part)));
        Plan(part)
    }

    /// Lets calls fail from now on; they are counted from here.
    pub fn fail(&self, fault: Fault) {
        *lock(&self.0.state) = State { fault: Some(fault), calls: 0, failed: 0 };
    }

    /// Nothing fails any more; how many calls could have failed so since, and how many did.
    pub fn mend(&self) -> (u64, u64) {
        let state = std::mem::take(&mut *lock(&self.0.state));
        (state.calls, state.failed)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        if self.0.folder.is_some() {
            lock(&OF_FILES).retain(|part| !Arc::ptr_eq(part, &self.0));
        } else {
            // At the end of a thread there may be none any more.
            let _ = OF_MEMORY.try_with(|of| of.borrow_mut().take());
        }
    }
}

impl Part {
    /// The plan of a file, if there is one.
    pub(crate) fn of_file(path: &Path) -> Option<Arc<Part>> {
        let within = |part: &&Arc<Part>| part.folder.as_ref().is_some_and(|folder| path.starts_with(folder));
        lock(&OF_FILES).iter().find(within).cloned()
    }

    /// Whether what this thread asks memory for now is refused.
    pub(crate) fn refuses_memory() -> bool {
        // While a plan is made or dropped nothing fails.
        let refused = OF_MEMORY.try_with(|of| {
            let of = of.try_borrow().ok()?;
            of.as_ref()?.fails(Call::Allocate)
        });
        matches!(refused, Ok(Some(_)))
    }

    /// Counts a call: how it fails, and what SQLite is told, if it does.
    pub(crate) fn fails(&self, call: Call) -> Option<(Kind, i32)> {
        let mut state = lock(&self.state);
        let fault = state.fault?;
        let code = fault.kind.code(call)?;
        state.calls += 1;
        let fails = state.calls >= fault.at && state.calls - fault.at < fault.many;
        state.failed += u64::from(fails);
        fails.then_some((fault.kind, code))
    }
}
