//! The connection that writes, and the plumbing of its transactions.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;

use super::config::{Role, connect};
use super::create::use_wal;
use super::errors::{opening_error, sqlite_error};
use super::migrate::{PLAN, Plan, migrate};
use super::opened::{Opened, Using, log_bytes};
use super::place::RIGHTS;
use super::readers::{log_length, page_bytes, run};
use super::{Connection, SCHEMA_VERSION, busy, reserve, schema};
use crate::error::{Error, Result};

/// A checkpoint follows the commit that brings the `-wal` to this many frames, and again after as many more while the log
/// has not restarted.
const CHECKPOINT_FRAMES: i32 = 1_000;
/// From this many frames on there is a warning.
const LONG_FRAMES: i32 = 4 * CHECKPOINT_FRAMES;
/// How long a second checkpoint waits for those who write and read just now; other writers wait meanwhile.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(20);

// SQLite takes a bare function, and calls it on the thread that commits.
thread_local! {
    static WAL_FRAMES: Cell<i32> = const { Cell::new(0) };
}

/// The one connection through which this process changes a file.
pub(crate) struct WritingConnection {
    conn: Connection,
    /// After the connection: its locks must outlive it.
    file: Opened,
    page_bytes: i64,
    synchronous_full: bool,
    /// There was no room for the reserve: try again.
    without_reserve: bool,
    log: Log,
}

/// The `-wal` as of our last commit.
struct Log {
    frames: i32,
    /// Frames at which the next checkpoint is due.
    next_checkpoint: i32,
    trouble: Option<LogTrouble>,
    #[cfg(test)]
    checkpoints: usize,
}

/// Why the `-wal` is not folded into the file.
#[derive(Debug, Clone)]
pub(crate) enum LogTrouble {
    Failed(Error),
    HeldUp { bytes: u64 },
}

impl fmt::Display for LogTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTrouble::Failed(error) => write!(f, "the -wal could not be folded into the file: {error}"),
            LogTrouble::HeldUp { bytes } => {
                write!(f, "the -wal has grown to {} MB: a long read holds it up", bytes / 1_000_000)
            }
        }
    }
}

impl WritingConnection {
    /// Opens a ledger for writing, migrating an older one; waits for other processes until the deadline.
    pub(crate) fn open(file: &Opened, deadline: Instant) -> Result<Self> {
        let _patience = busy::until(deadline);
        match Self::open_with(file, &PLAN) {
            // The reserve is also room for a -shm.
            Err(Error::DiskFull { .. }) if reserve::give_up(file.path()) => Self::open_with(file, &PLAN),
            opened => opened,
        }
    }

    pub(super) fn open_with(file: &Opened, plan: &Plan<'_>) -> Result<Self> {
        let path = file.path();
        let (conn, version) = connect(path, Role::Writer)?;
        // SQLite opens a file it may not write as read-only, without an error.
        if conn.is_readonly("main").map_err(sqlite_error)? {
            return Err(Error::read_only(format!("{} is not writable", path.display()), RIGHTS));
        }
        if version < plan.version {
            migrate(&conn, file, plan)?;
        }
        schema::check(&conn, plan.schema)?;
        use_wal(&conn, path)?;
        // The first read makes the -wal of a file that had none.
        let first = "SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)";
        conn.query_row(first, [], |_| Ok(())).map_err(|error| opening_error(path, error))?;
        file.note_sides()?;
        schema::drop_statistics(&conn)?;
        let without_reserve = !reserve::keep(path);
        conn.wal_hook(Some(count_frames));
        let page_bytes = page_bytes(&conn)?;
        let log = Log {
            frames: 0,
            next_checkpoint: CHECKPOINT_FRAMES,
            trouble: None,
            #[cfg(test)]
            checkpoints: 0,
        };
        Ok(WritingConnection { conn, file: file.clone(), page_bytes, synchronous_full: true, without_reserve, log })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Refuses a `-wal` that was cut short: frames written behind a gap would be lost.
    pub(crate) fn check_wal(&self, using: &Using<'_>) -> Result<()> {
        self.file.check_wal(using, || log_length(&self.conn))
    }

    /// Takes the write lock. `durable`: the commit waits until the disk has it.
    pub(crate) fn begin(&mut self, durable: bool, deadline: Instant) -> Result<()> {
        if self.synchronous_full != durable {
            let level = if durable { "FULL" } else { "NORMAL" };
            self.conn.pragma_update(None, "synchronous", level).map_err(sqlite_error)?;
            self.synchronous_full = durable;
        }
        if self.without_reserve {
            // Before the log takes the room that has become free.
            self.without_reserve = !reserve::keep(self.file.path());
        }
        let _patience = busy::until(deadline);
        run(&self.conn, "BEGIN IMMEDIATE")
    }

    /// Whether there was anything to write; only then does a durable commit sync. After an error it is not known whether
    /// the transaction took place.
    pub(crate) fn commit(&mut self) -> Result<bool> {
        WAL_FRAMES.set(0);
        run(&self.conn, "COMMIT")?;
        let frames = WAL_FRAMES.get();
        if frames < self.log.frames && frames > 0 {
            // The log has restarted.
            self.log.next_checkpoint = CHECKPOINT_FRAMES;
        }
        if frames > 0 {
            self.log.frames = frames;
            self.file.leave_wal(log_bytes(i64::from(frames), self.page_bytes));
        }
        Ok(frames > 0)
    }

    /// Leaves any transaction; whether the connection can be used further. A rollback can itself be interrupted.
    pub(crate) fn roll_back(&self) -> bool {
        for _ in 0..3 {
            if self.conn.is_autocommit() {
                return true;
            }
            let _ = run(&self.conn, "ROLLBACK");
        }
        self.conn.is_autocommit()
    }

    /// Whether it is time to move the log into the file.
    pub(crate) fn log_is_long(&self) -> bool {
        self.log.frames >= self.log.next_checkpoint
    }

    /// Moves the log into the file once it is long enough, so that the next commit overwrites it from its start: that
    /// is faster than a log that grows. Call after a commit. Whether it was time to.
    pub(crate) fn checkpoint_if_long(&mut self) -> bool {
        if self.without_reserve && self.log.frames > 0 {
            // What is left of the disk is for the file, not for the log.
            let _ = self.checkpoint_whole(Instant::now() + CHECKPOINT_PATIENCE);
            return false;
        }
        let due = self.log_is_long();
        if due {
            // The first waits for nobody and nobody for it. It falls short when others write at that moment, or read what
            // is in the log.
            let gently = self.log.frames < 2 * CHECKPOINT_FRAMES;
            self.log.next_checkpoint = self.log.frames.saturating_add(CHECKPOINT_FRAMES);
            #[cfg(test)]
            {
                self.log.checkpoints += 1;
            }
            self.checkpoint_log(gently);
        }
        due
    }

    /// Tries once more to move the log; what prevents it.
    pub(crate) fn checkpoint_again(&mut self) -> Option<LogTrouble> {
        self.checkpoint_log(true);
        self.log_trouble()
    }

    /// As of the last checkpoint.
    pub(crate) fn log_trouble(&self) -> Option<LogTrouble> {
        self.log.trouble.clone()
    }

    fn checkpoint_log(&mut self, gently: bool) {
        let _patience = busy::until(Instant::now() + CHECKPOINT_PATIENCE);
        let sql = if gently { "PRAGMA wal_checkpoint(PASSIVE)" } else { "PRAGMA wal_checkpoint(RESTART)" };
        self.log.trouble = match self.checkpoint(sql) {
            Ok(Checkpoint { whole, frames }) => {
                (!whole && frames >= LONG_FRAMES).then(|| LogTrouble::HeldUp { bytes: self.file.wal_bytes() })
            }
            Err(error) => Some(LogTrouble::Failed(error)),
        };
    }

    /// Writes a frame that changes nothing: committed durably, it makes every earlier commit durable, and overwrites in the
    /// log what a failed commit may have left there. An UPDATE that changes no byte would write none.
    pub(crate) fn touch(&self) -> Result<()> {
        self.conn.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(sqlite_error)
    }

    /// After `disk_full`: removes the reserve and moves the log into the file. Whether there may be room now.
    pub(crate) fn make_room(&mut self) -> bool {
        let given_up = reserve::give_up(self.file.path());
        let bytes = self.file.wal_bytes();
        let emptied = matches!(self.checkpoint_whole(Instant::now() + CHECKPOINT_PATIENCE), Ok(true)) && bytes > 0;
        self.without_reserve |= given_up;
        given_up || emptied
    }

    /// Moves the whole log into the file and empties it, so that the one file is whole. False when others use the file.
    pub(crate) fn checkpoint_whole(&self, deadline: Instant) -> Result<bool> {
        let _patience = busy::until(deadline);
        Ok(self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?.whole)
    }

    fn checkpoint(&self, sql: &str) -> Result<Checkpoint> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (busy, frames, moved): (i64, i32, i32) = self.conn.query_row(sql, [], read).map_err(sqlite_error)?;
        Ok(Checkpoint { whole: busy == 0 && frames == moved, frames })
    }
}

/// What a checkpoint did: whether everything is in the file now, and how many frames the log has.
struct Checkpoint {
    whole: bool,
    frames: i32,
}

/// Faults and figures for tests.
#[cfg(test)]
impl WritingConnection {
    pub(super) fn file(&self) -> &Opened {
        &self.file
    }

    pub(crate) fn veto_commits(&self) {
        self.on_commit(|| true);
    }

    /// Calls `hook` in each commit, which fails when it says so.
    pub(crate) fn on_commit(&self, hook: impl FnMut() -> bool + Send + 'static) {
        self.conn.commit_hook(Some(hook)).unwrap();
    }

    /// How many times it was time to move the log into the file.
    pub(crate) fn checkpoints(&self) -> usize {
        self.log.checkpoints
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
