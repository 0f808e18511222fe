//! What whoever has the turn works with: the connection, and whole transactions on it, with recovery after a failed commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::group::Pace;
use super::{Durability, Failure, after};
use crate::db::{OpenFile, Opened, Using, WritingConnection};
use crate::error::{Error, Result};
use crate::notice::Notifier;
use crate::store::{self, RowCache, Session};

/// How long a failed commit may take to find out what became of it, whatever the deadline.
const CERTAIN_PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct State {
    /// `None` after a failure that left the connection in doubt: opened again for the next caller.
    pub(super) connection: Option<WritingConnection>,
    /// Whether there may be something that a power cut could still take: also what others have committed.
    pub(super) relaxed: bool,
    pub(super) pace: Pace,
    /// Rows as the last transaction left them; empty after any that did not commit.
    cache: RowCache,
    notifier: Arc<Notifier>,
    /// SQLite's `data_version` when last looked at: others' commits change it.
    version: Option<i64>,
    /// Whether other processes' writers are kept out.
    locked: bool,
    head: Head,
}

/// What the `ledger` row says of the log: it names an operation, the newest one when it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A process that was killed may have left it behind: the first transaction writes it.
    Unknown,
    Behind,
    Newest,
}

impl State {
    pub(super) fn new(connection: WritingConnection, notifier: Arc<Notifier>) -> Self {
        let (pace, cache) = (Pace::default(), RowCache::default());
        State {
            connection: Some(connection),
            relaxed: true,
            pace,
            cache,
            notifier,
            version: None,
            locked: false,
            head: Head::Unknown,
        }
    }

    /// Notifies when another process has committed.
    pub(super) fn check_foreign(&mut self) -> Result<()> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let version = store::data_version(&Session::new(connection.connection()))?;
        self.relaxed |= foreign_since(&mut self.version, version, &self.notifier);
        Ok(())
    }

    /// Keeps the writers of other processes out until the turn ends.
    pub(super) fn lock_file(&mut self, file: &OpenFile, deadline: Instant) -> Result<()> {
        if !self.locked {
            file.lock_writer(deadline)?;
            self.locked = true;
        }
        Ok(())
    }

    pub(super) fn unlock_file(&mut self, file: &OpenFile) {
        if std::mem::take(&mut self.locked) {
            file.unlock_writer();
        }
    }

    fn begin<'f>(&mut self, file: &'f Opened, durability: Durability, deadline: Instant) -> Result<Using<'f>> {
        // A transaction left open by a panic.
        if self.connection.as_ref().is_some_and(|connection| !connection.roll_back()) {
            self.connection = None;
        }
        self.lock_file(file, deadline)?;
        if self.connection.is_none() {
            self.open(file, deadline)?;
        }
        let using = file.enter(Some(deadline))?;
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        connection.check_wal(&using)?;
        connection.begin(durability == Durability::Full, deadline)?;
        Ok(using)
    }

    fn open(&mut self, file: &Opened, deadline: Instant) -> Result<()> {
        // Nothing that was moved is opened; nor is a ledger by a forked child.
        drop(file.enter(Some(deadline))?);
        self.connection = Some(WritingConnection::open(file, deadline)?);
        // Another connection counts the versions of the file anew.
        self.cache = RowCache::default();
        self.version = None;
        self.notifier.foreign_commit();
        Ok(())
    }

    /// One transaction: runs `work` and commits when that says so.
    pub(super) fn within(
        &mut self,
        file: &Opened,
        durability: Durability,
        deadline: Instant,
        work: &mut dyn FnMut(&Session<'_>) -> Result<bool>,
    ) -> Result<(), Failure> {
        let using = self.begin(file, durability, deadline)?;
        let mut open = OpenTransaction { state: self };
        let worked = open.run(work);
        if !matches!(worked, Ok(Some(_))) {
            // What was read without locks is not believed, nor are the errors it led to.
            using.check()?;
        }
        if let Some(cache) = worked? {
            let failed = open.commit(durability).and_then(|()| using.check()).err();
            if let Some(error) = failed {
                drop(using);
                return Err(open.state.recover(file, deadline, error));
            }
            open.state.cache = cache;
        }
        drop((open, using));
        if durability == Durability::Full && self.relaxed {
            // Nothing was written, but the answer may rest on what was committed as relaxed, here or by a process that
            // has died since: a repeated operation.
            self.harden(file, deadline)?;
        }
        Ok(())
    }

    /// One durable commit makes all earlier ones durable. It also names the newest operation in the `ledger` row.
    pub(super) fn harden(&mut self, file: &Opened, deadline: Instant) -> Result<()> {
        let using = self.begin(file, Durability::Full, deadline)?;
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        let head = store::write_head(&Session::new(connection.connection()));
        match head.and_then(|()| connection.touch()).and_then(|()| connection.commit()).and_then(|_| using.check()) {
            Ok(()) => {
                (self.relaxed, self.head) = (false, Head::Newest);
                Ok(())
            }
            Err(error) => {
                connection.roll_back();
                self.connection = None;
                Err(error)
            }
        }
    }

    /// The same, when the `ledger` row is behind. A failure is as any failed commit's.
    pub(super) fn write_head(&mut self, file: &Opened, deadline: Instant) -> Result<()> {
        if self.head != Head::Behind {
            return Ok(());
        }
        let done = self.harden(file, deadline);
        if done.is_err() && self.connection.is_none() {
            self.make_certain(file, deadline.max(after(CERTAIN_PATIENCE)));
        }
        done
    }

    /// After a failed commit, of which it is not known whether it took place. The connection is not believed any more.
    fn recover(&mut self, file: &Opened, deadline: Instant, error: Error) -> Failure {
        if let Some(connection) = self.connection.take() {
            connection.roll_back();
        }
        let certain = self.make_certain(file, deadline.max(after(CERTAIN_PATIENCE)));
        // A full disk took no whole frame, so there is nothing to come back.
        let certain = certain || matches!(error, Error::DiskFull { .. });
        Failure::CommitFailed { error, certain, alone: true }
    }

    /// After `disk_full`: whether there may be room now.
    pub(super) fn make_room(&mut self, file: &Opened, deadline: Instant) -> bool {
        self.roll_back();
        let entered = self.lock_file(file, deadline).and_then(|()| {
            if self.connection.is_none() {
                self.open(file, deadline)?;
            }
            file.enter(Some(deadline))
        });
        let (Ok(using), Some(connection)) = (entered, self.connection.as_mut()) else { return false };
        connection.check_wal(&using).is_ok() && connection.make_room()
    }

    /// After a failed commit: makes sure that it does not come back, and that nothing acknowledged depends on what the
    /// disk refused. Whether that worked.
    fn make_certain(&mut self, file: &Opened, deadline: Instant) -> bool {
        let relaxed = self.relaxed;
        // The frames of the failed commit may lie in the -wal whole, and would count after a crash; this overwrites them.
        if self.harden(file, deadline).is_err() {
            self.relaxed = relaxed;
            return false;
        }
        // A failed fsync may have dropped earlier relaxed frames, and the next one says nothing: leave that -wal.
        let whole = |connection: &WritingConnection| matches!(connection.checkpoint_whole(deadline), Ok(true));
        !relaxed || self.connection.as_ref().is_some_and(whole)
    }

    /// Leaves the transaction, or else the connection.
    fn roll_back(&mut self) {
        if self.connection.as_ref().is_some_and(|connection| !connection.roll_back()) {
            self.connection = None;
        }
    }
}

/// Whether another connection has committed since the version known; notifies then.
fn foreign_since(known: &mut Option<i64>, version: i64, notifier: &Notifier) -> bool {
    let others = known.replace(version).is_some_and(|known| known != version);
    if others {
        notifier.foreign_commit();
    }
    others
}

/// Rolls back unless it was committed, also when the caller's work panics: other processes must not wait for us.
struct OpenTransaction<'s> {
    state: &'s mut State,
}

impl OpenTransaction<'_> {
    /// The rows as they are once this has been committed; nothing when it is not to be.
    fn run(&mut self, work: &mut dyn FnMut(&Session<'_>) -> Result<bool>) -> Result<Option<RowCache>> {
        let cache = std::mem::take(&mut self.state.cache);
        let State { connection, version, notifier, relaxed, head, .. } = &mut *self.state;
        let connection = connection.as_ref().ok_or(Error::Closed)?;
        let session = Session::resume(connection.connection(), cache)?;
        *relaxed |= session.version().is_some_and(|now| foreign_since(version, now, notifier));
        if !work(&session)? {
            return Ok(None);
        }
        let cache = session.finish()?;
        if *head == Head::Unknown {
            store::write_head(&Session::new(connection.connection()))?;
        }
        Ok(Some(cache))
    }

    fn commit(&mut self, durability: Durability) -> Result<()> {
        let connection = self.state.connection.as_mut().ok_or(Error::Closed)?;
        let began = Instant::now();
        let wrote = connection.commit()?;
        if wrote {
            self.state.notifier.notify();
            self.state.relaxed = durability == Durability::Relaxed;
        }
        self.state.head = match self.state.head {
            Head::Unknown => Head::Newest,
            head => {
                if wrote {
                    Head::Behind
                } else {
                    head
                }
            }
        };
        if wrote && durability == Durability::Full {
            self.state.pace.committed(began.elapsed());
        }
        Ok(())
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.state.roll_back();
    }
}
