//! The file as SQLite sees it: where it may lie, how it is opened, set up, migrated, copied and read.
//!
//! Nothing here, nor anywhere in the library, touches the ledger, its `-wal` or its `-shm` with plain file I/O: closing
//! any descriptor of a file drops all the POSIX locks the process has on it. Only `stat` is allowed, and the descriptors of
//! `locks`, which outlive SQLite's.

mod backup;
mod bounded;
mod busy;
mod config;
mod create;
mod dated;
mod draft;
mod errors;
mod gate;
mod locks;
mod migrate;
mod opened;
mod place;
mod readers;
mod registry;
mod reserve;
mod schema;
mod site;
#[cfg(test)]
mod tests;
mod worker;
mod writing;

pub(crate) use backup::{change_copy, copy};
pub(crate) use bounded::bounded;
pub(crate) use create::create;
pub(crate) use dated::{Dated, Series, delete_at_rest};
pub(crate) use draft::Published;
#[cfg(feature = "sync")]
pub(crate) use draft::{give_name, new_file, sync_folder};
pub(crate) use errors::{sqlite_error, unread_page, writing_error};
pub(crate) use gate::{Gate, Inside};
pub(crate) use opened::{OpenFile, Opened, Using};
pub(crate) use place::{Place, is_unborn};
#[cfg(feature = "sync")]
pub(crate) use place::{beside, file_error};
pub(crate) use readers::{Apart, OtherReader, Readers, read_at_rest};
pub(crate) use registry::{Ends, Lease, Registry};
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
