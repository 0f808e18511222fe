//! The one way to change a file: one connection per file and process, callers one after the other in the order they
//! came, each change in a transaction that either takes place or does not.

mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::db::{FileId, Place, WritingConnection};
use crate::error::{Error, Result};
use crate::store::{self, Desk, Session};
use queue::Queue;

/// How long a clean close waits for readers in other processes before it leaves the `-wal` to them.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// The same when a handle is only dropped.
const DROP_PATIENCE: Duration = Duration::from_millis(100);

/// How long a failed commit may take to find out what became of it, whatever the deadline.
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);
/// How long a file may be empty because it is being created.
const CREATION_PATIENCE: Duration = Duration::from_secs(2);

/// What an acknowledgement promises.
///
/// ```
/// use counterfoil::Durability;
/// assert_eq!(Durability::default(), Durability::Full);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Acknowledged = on disk: the operation survives a crash of the app, of the system, and a power cut.
    #[default]
    Full,
    /// Survives a crash of the app; a power cut may lose the newest commits, and never corrupts the file. Made durable by
    /// the next `Full` operation, by `flush`, or by a checkpoint.
    Relaxed,
}

/// How a transaction ends that went well so far.
#[derive(Debug)]
pub(crate) enum Decision<T> {
    Commit(T),
    Rollback(T),
}

/// Why a transaction did not answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It did not take place.
    Refused(Error),
    /// `COMMIT` failed. Look the key up: what is there was booked. What is not there was not booked when `settled`, and
    /// may still come back after a crash when not (`outcome_unknown`).
    CommitFailed { error: Error, settled: bool },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Refused(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::CommitFailed { error, .. } => Error::OutcomeUnknown { message: error.to_string() },
        }
    }
}

/// A handle on a file's writer; handles on the same file in this process share it.
#[derive(Clone)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    queue: Queue,
    /// Locked only by whoever has the turn, so nobody waits here.
    state: Mutex<State>,
}

struct State {
    /// `None` after a failure that left the connection in doubt: opened again for the next caller.
    connection: Option<WritingConnection>,
    /// Whether something was acknowledged that a power cut could still take.
    relaxed: bool,
    /// Why the last checkpoint failed: never an operation's error, for it was committed.
    checkpoint_error: Option<Error>,
    /// Rows the last transaction left at hand; empty after any that did not commit.
    desk: Desk,
}

/// One slot per file: whoever opens a file holds only its slot.
type Slot = Arc<Mutex<Weak<Shared>>>;

fn slot(id: &FileId) -> Slot {
    static SLOTS: OnceLock<Mutex<HashMap<FileId, Slot>>> = OnceLock::new();
    let mut slots = lock(SLOTS.get_or_init(Mutex::default));
    // Slots of files long closed.
    slots.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(slot).strong_count() > 0);
    slots.entry(id.clone()).or_default().clone()
}

/// A panic elsewhere does not make the data unusable: every transaction starts from what the file says.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// The writer of an existing ledger, opened by the first handle of this process.
    pub(crate) fn shared(path: &Path, deadline: Duration) -> Result<Self> {
        let place = existing(path)?;
        let slot = slot(place.id());
        let mut slot = lock(&slot);
        if let Some(shared) = slot.upgrade() {
            // Found by identity: it may have been opened under a name that is gone.
            shared.place.check_unmoved()?;
            return Ok(Writer { shared });
        }
        let connection = WritingConnection::open(place.path(), after(deadline))?;
        let place = connection.place().clone();
        let state =
            State { connection: Some(connection), relaxed: false, checkpoint_error: None, desk: Desk::default() };
        let shared = Arc::new(Shared { place, queue: Queue::default(), state: Mutex::new(state) });
        *slot = Arc::downgrade(&shared);
        Ok(Writer { shared })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.shared.place
    }

    /// Why the last checkpoint failed, if it did.
    pub(crate) fn checkpoint_error(&self) -> Option<Error> {
        lock(&self.shared.state).checkpoint_error.clone()
    }

    /// Runs `work` in a transaction of its own. `busy` only after `deadline`, the wait for one's turn included.
    ///
    /// `work` may be run again, so everything it decides must come from the connection and its inputs.
    pub(crate) fn transaction<T>(
        &self,
        durability: Durability,
        deadline: Duration,
        work: impl FnMut(&Session<'_>) -> Result<Decision<T>>,
    ) -> Result<T, Failure> {
        self.shared.transaction(durability, deadline, work)
    }

    /// Makes everything acknowledged so far durable.
    pub(crate) fn flush(&self, deadline: Duration) -> Result<()> {
        self.shared.flush(deadline)
    }

    /// Gives the handle up; the last one of the process empties the `-wal` into the file, so that the one file is whole.
    pub(crate) fn close(self) -> Result<()> {
        match Arc::into_inner(self.shared) {
            Some(shared) => shared.finish(CLOSE_PATIENCE),
            None => Ok(()),
        }
    }
}

/// A file that is empty and new is waited for a little: another thread or process is creating it.
fn existing(path: &Path) -> Result<Place> {
    let until = after(CREATION_PATIENCE);
    loop {
        // Asked first: the creation may end between the two.
        let young = Place::is_being_created(path, CREATION_PATIENCE);
        let place = Place::existing(path);
        if place.is_ok() || !young || Instant::now() >= until {
            return place;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn after(deadline: Duration) -> Instant {
    let now = Instant::now();
    // A deadline past the end of time is a day.
    now.checked_add(deadline).or_else(|| now.checked_add(Duration::from_secs(86_400))).unwrap_or(now)
}

impl Shared {
    fn transaction<T>(
        &self,
        durability: Durability,
        deadline: Duration,
        mut work: impl FnMut(&Session<'_>) -> Result<Decision<T>>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let deadline = after(deadline);
        // Group commit will come here: the one whose turn it is carries the work of those waiting behind it.
        let _turn = self.queue.enter(deadline).ok_or_else(|| busy(start))?;
        let mut state = lock(&self.state);
        state.begin(&self.place, durability, deadline).map_err(|error| waited(error, start))?;
        let mut open = OpenTransaction { state: &mut state };
        let answer = match open.run(&mut work)? {
            (Decision::Commit(answer), desk) => {
                open.commit(&self.place, durability, deadline)?;
                open.state.desk = desk;
                answer
            }
            (Decision::Rollback(answer), _) => answer,
        };
        drop(open);
        if durability == Durability::Full && state.relaxed {
            // Nothing was written, but the answer may rest on what was committed as relaxed: a repeated operation.
            state.harden(&self.place, deadline)?;
        }
        Ok(answer)
    }

    fn flush(&self, deadline: Duration) -> Result<()> {
        let start = Instant::now();
        let deadline = after(deadline);
        let _turn = self.queue.enter(deadline).ok_or_else(|| busy(start))?;
        let mut state = lock(&self.state);
        if state.relaxed { state.harden(&self.place, deadline).map_err(|error| waited(error, start)) } else { Ok(()) }
    }

    /// Empties the `-wal` and closes the connection.
    fn finish(&self, patience: Duration) -> Result<()> {
        self.flush(patience)?;
        let mut state = lock(&self.state);
        let Some(connection) = state.connection.take() else { return Ok(()) };
        // A file moved away is not touched any more.
        connection.check_unmoved()?;
        connection.checkpoint_whole(after(patience)).map(drop)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // `close` reports errors; after it there is nothing left to do.
        let _ = self.finish(DROP_PATIENCE);
    }
}

fn busy(start: Instant) -> Error {
    Error::Busy { waited_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX) }
}

/// Says the whole wait, not only that for the file's lock.
fn waited(error: Error, start: Instant) -> Error {
    if matches!(error, Error::Busy { .. }) { busy(start) } else { error }
}

impl State {
    fn begin(&mut self, place: &Place, durability: Durability, deadline: Instant) -> Result<()> {
        // A transaction left open by a panic.
        if self.connection.as_ref().is_some_and(|connection| !connection.roll_back()) {
            self.connection = None;
        }
        if self.connection.is_none() {
            self.connection = Some(reopen(place, deadline)?);
            // Another connection counts the versions of the file anew.
            self.desk = Desk::default();
        }
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        connection.check_unmoved()?;
        connection.begin(durability == Durability::Full, deadline)
    }

    fn committed(&mut self, durability: Durability) {
        self.relaxed = durability == Durability::Relaxed;
        // After the commit, so that no failure of the checkpoint becomes the operation's.
        if let Some(done) = self.connection.as_ref().and_then(WritingConnection::checkpoint_if_long) {
            self.checkpoint_error = done.err();
        }
    }

    /// One durable commit makes all earlier ones durable.
    fn harden(&mut self, place: &Place, deadline: Instant) -> Result<()> {
        self.begin(place, Durability::Full, deadline)?;
        let connection = self.connection.as_ref().ok_or(Error::Closed)?;
        let touched = store::touch(&Session::new(connection.connection()));
        match touched.and_then(|()| connection.commit()) {
            Ok(_) => {
                self.committed(Durability::Full);
                Ok(())
            }
            Err(error) => {
                connection.roll_back();
                self.connection = None;
                Err(error)
            }
        }
    }

    /// After a failed commit: makes sure that it does not come back, and that nothing acknowledged depends on what the
    /// disk refused. Whether that worked.
    fn settle(&mut self, place: &Place, deadline: Instant) -> bool {
        let relaxed = self.relaxed;
        // The frames of the failed commit may lie in the -wal whole, and would count after a crash; this overwrites them.
        if self.harden(place, deadline).is_err() {
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

/// Opens the same file again.
fn reopen(place: &Place, deadline: Instant) -> Result<WritingConnection> {
    place.check_unmoved()?;
    let connection = WritingConnection::open(place.path(), deadline)?;
    if connection.place().id() == place.id() {
        Ok(connection)
    } else {
        Err(Error::storage("the file was replaced while it was open"))
    }
}

/// Rolls back unless it was committed, also when the caller's work panics: other processes must not wait for us.
struct OpenTransaction<'s> {
    state: &'s mut State,
}

impl OpenTransaction<'_> {
    /// The decision, and the desk as it is once that has been committed.
    fn run<T>(&mut self, work: &mut impl FnMut(&Session<'_>) -> Result<Decision<T>>) -> Result<(Decision<T>, Desk)> {
        let desk = std::mem::take(&mut self.state.desk);
        let connection = self.state.connection.as_ref().ok_or(Error::Closed)?;
        let session = Session::resume(connection.connection(), desk)?;
        match work(&session)? {
            Decision::Commit(answer) => Ok((Decision::Commit(answer), session.finish()?)),
            Decision::Rollback(answer) => Ok((Decision::Rollback(answer), Desk::default())),
        }
    }

    fn commit(&mut self, place: &Place, durability: Durability, deadline: Instant) -> Result<(), Failure> {
        let connection = self.state.connection.as_ref().ok_or(Error::Closed)?;
        let error = match connection.commit() {
            Ok(wrote) => {
                if wrote {
                    self.state.committed(durability);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // Unknown. The connection is not believed any more.
        connection.roll_back();
        self.state.connection = None;
        let settled = self.state.settle(place, deadline.max(after(SETTLE_PATIENCE)));
        // A full disk took no whole frame, so there is nothing to come back.
        Err(Failure::CommitFailed { settled: settled || matches!(error, Error::DiskFull { .. }), error })
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.state.roll_back();
    }
}
