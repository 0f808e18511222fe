//! A disk and a memory that fail where a test says so, beneath SQLite as it is. Part of counterfoil's tests, and of nothing else.
//!
//! SQLite reaches the disk by a table of functions, its VFS, and gets memory by another. [`install`] puts one of its own before each,
//! which passes everything on, but for the calls that a [`Plan`] lets fail: of files in one folder, or of what one thread asks for.
//!
//! ```
//! use counterfoil_faults::{Fault, Kind, Plan, install};
//!
//! install();
//! let folder = tempfile::tempdir().unwrap();
//! let plan = Plan::of_files(folder.path());
//! let conn = rusqlite::Connection::open(folder.path().join("a.db")).unwrap();
//! plan.fail(Fault { kind: Kind::Full, at: 1, many: u64::MAX });
//! assert!(conn.execute_batch("CREATE TABLE t (a)").is_err());
//! plan.mend();
//! assert!(conn.execute_batch("CREATE TABLE t (a)").is_ok());
//! ```
#![warn(missing_docs)]

#[allow(unsafe_code)]
mod memory;
mod plan;
#[allow(unsafe_code)]
mod vfs;

pub use plan::{Fault, Kind, Plan};

/// Puts the failing functions before SQLite's own, once for the process. Before the first connection, or memory does not fail.
///
/// # Panics
///
/// When SQLite refuses.
pub fn install() {
    static DONE: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    DONE.get_or_init(|| {
        memory::install();
        vfs::install();
    });
}
