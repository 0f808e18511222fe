//! The locks a process has on a ledger beside SQLite's.
//!
//! SQLite locks with POSIX locks, and those have a trap: when anything in the process closes any descriptor of the file,
//! all of the process's locks on it are gone, and SQLite does not know. Another copy of SQLite in the process (Python's,
//! Node's, a plugin's) that opens and closes the ledger is enough; another process then believes itself alone and takes the
//! `-wal` or the `-shm` away. Locks on open file descriptions are not dropped so. With them this process keeps:
//!
//! - a **guard**: shared, on the ranges that SQLite locks exclusively before it removes a `-wal` or cuts a `-shm`;
//! - its **presence**, shared, so that others can ask whether they are alone; and the **writer** lock, exclusive, from before
//!   `BEGIN IMMEDIATE` to after `COMMIT` and while the `-wal` is folded in;
//! - a **canary**: a POSIX lock on a byte of nobody's in the `-shm`, dropped with SQLite's own. When it is gone, so are they.
//!
//! SQLite itself drops the canary when it closes a connection while none of the process holds a lock: that harms nothing,
//! and it is set again before the next use.
//!
//! The descriptors are opened before SQLite's first and closed after its last, for closing them does what is said above.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod description;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod plain;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use description::{Locks, holders, writers};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use plain::{Locks, holders, writers};

/// How SQLite's locks of this process stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Held,
    /// The `-shm` is not guarded yet.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code, reason = "without such locks nothing is guarded")
    )]
    Unguarded,
    Lost,
}

/// Whether others have the file open, asked without having it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holders {
    pub(super) present: bool,
    pub(super) writing: bool,
}
