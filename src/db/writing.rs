//! The connection that writes, and the plumbing of its transactions.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use rusqlite::hooks::Wal;

use super::config::{Role, connect};
use super::create::use_wal;
use super::errors::sqlite_error;
use super::migrate::{PLAN, Plan, migrate};
use super::place::{FileId, Place};
use super::{Connection, busy, schema};
use crate::error::{Error, Result};

/// Frames in the `-wal` from which on a commit is followed by a checkpoint.
const CHECKPOINT_FRAMES: i32 = 1_000;

// SQLite takes a bare function, and calls it on the thread that commits.
thread_local! {
    static WAL_FRAMES: Cell<i32> = const { Cell::new(0) };
}

/// The one connection through which this process changes a file.
pub(crate) struct WritingConnection {
    conn: Connection,
    place: Place,
    /// The `-wal` it writes to.
    wal: Option<FileId>,
    synchronous_full: bool,
}

impl WritingConnection {
    /// Opens an existing ledger for writing, migrating an older one; waits for other processes until the deadline.
    pub(crate) fn open(path: &Path, deadline: Instant) -> Result<Self> {
        let _patience = busy::until(deadline);
        Self::open_with(Place::existing(path)?, &PLAN)
    }

    pub(super) fn open_with(place: Place, plan: &Plan<'_>) -> Result<Self> {
        let (conn, version) = connect(place.path(), Role::Writer)?;
        // SQLite opens a file it may not write without a word.
        if conn.is_readonly("main").map_err(sqlite_error)? {
            return Err(Error::ReadOnly { message: format!("{} is not writable", place.path().display()) });
        }
        if version < plan.version {
            migrate(&conn, &place, plan)?;
        }
        schema::check_against_plan(&conn, plan)?;
        use_wal(&conn, place.path())?;
        // The first read makes the -wal of a file that had none.
        conn.query_row("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)", [], |_| Ok(()))
            .map_err(sqlite_error)?;
        conn.wal_hook(Some(count_frames));
        place.check_unmoved()?;
        Ok(WritingConnection { wal: place.wal(), conn, place, synchronous_full: true })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Refuses when the file or its `-wal` was moved or replaced.
    pub(crate) fn check_unmoved(&self) -> Result<()> {
        self.place.check_unmoved()?;
        if self.place.wal() == self.wal {
            return Ok(());
        }
        Err(Error::storage(format!(
            "{}-wal was moved, deleted or replaced while the ledger was open",
            self.place.path().display()
        )))
    }

    /// Takes the write lock. `durable`: the commit waits until the disk has it.
    pub(crate) fn begin(&mut self, durable: bool, deadline: Instant) -> Result<()> {
        if self.synchronous_full != durable {
            let level = if durable { "FULL" } else { "NORMAL" };
            self.conn.pragma_update(None, "synchronous", level).map_err(sqlite_error)?;
            self.synchronous_full = durable;
        }
        let _patience = busy::until(deadline);
        self.run("BEGIN IMMEDIATE")
    }

    /// Whether there was anything to write; only then does a durable commit sync. After an error it is not known whether
    /// the transaction took place.
    pub(crate) fn commit(&self) -> Result<bool> {
        WAL_FRAMES.set(0);
        self.run("COMMIT")?;
        Ok(WAL_FRAMES.get() > 0)
    }

    /// Leaves any transaction; whether the connection can be used further. A rollback can itself be interrupted.
    pub(crate) fn roll_back(&self) -> bool {
        for _ in 0..3 {
            if self.conn.is_autocommit() {
                return true;
            }
            let _ = self.run("ROLLBACK");
        }
        self.conn.is_autocommit()
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(sqlite_error)
    }

    /// Moves the log into the file once it is long enough; waits for nobody. Call after a commit, on the same thread.
    /// `None` when it was not yet time.
    pub(crate) fn checkpoint_if_long(&self) -> Option<Result<()>> {
        (WAL_FRAMES.get() >= CHECKPOINT_FRAMES).then(|| self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)").map(drop))
    }

    /// Moves the whole log into the file and empties it, so that the one file is whole. False when others use the file.
    pub(crate) fn checkpoint_whole(&self, deadline: Instant) -> Result<bool> {
        let _patience = busy::until(deadline);
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    fn checkpoint(&self, sql: &str) -> Result<bool> {
        let busy: i64 = self.conn.query_row(sql, [], |row| row.get(0)).map_err(sqlite_error)?;
        Ok(busy == 0)
    }
}

/// Faults for tests.
#[cfg(test)]
impl WritingConnection {
    pub(crate) fn veto_commits(&self) {
        self.conn.commit_hook(Some(|| true)).unwrap();
    }

    pub(crate) fn allow_no_growth(&self) {
        let pages: i64 = self.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        self.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the hook's type")]
fn count_frames(_: &Wal, frames: i32) -> rusqlite::Result<()> {
    let _ = WAL_FRAMES.try_with(|cell| cell.set(frames));
    Ok(())
}
