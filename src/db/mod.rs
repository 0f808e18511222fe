//! The file as SQLite sees it: where it may lie, how it is opened, set up, migrated, copied and read.
//!
//! Nothing here, nor anywhere in the library, touches the ledger, its `-wal` or its `-shm` with plain file I/O: closing
//! any descriptor of a file drops all the POSIX locks the process has on it, and commits are lost. Only `stat` is allowed.

mod backup;
mod busy;
mod config;
mod create;
mod errors;
mod migrate;
mod place;
mod readers;
mod schema;
mod site;
#[cfg(test)]
mod tests;
mod writing;

pub(crate) use backup::backup;
pub(crate) use create::{create, remove_new};
pub(crate) use errors::sqlite_error;
pub(crate) use place::{FileId, Place};
pub(crate) use readers::{Readers, Twin};
pub(crate) use site::{Beside, Site, sqlite_version};
pub(crate) use writing::{LogTrouble, WritingConnection};

/// One connection; only `store` speaks SQL over it.
pub(crate) type Connection = rusqlite::Connection;

/// In the header of every ledger: "Cfol".
const APPLICATION_ID: i64 = 0x4366_6f6c;
/// `user_version` of the files this library writes.
pub(crate) const SCHEMA_VERSION: i64 = 1;
/// The newest schema.
const SCHEMA: &str = include_str!("../../schema.sql");
