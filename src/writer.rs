//! The one way to change a file: one connection per file and process, callers one after the other in the order they
//! came, each change in a transaction that either takes place or does not.

mod group;
#[cfg(test)]
mod group_tests;
mod queue;
mod state;
#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::{Ends, Lease, LogTrouble, OpenFile, Opened, Registry, WritingConnection};
use crate::error::{Error, Result};
use crate::notice::Notifier;
use crate::store::Session;
use group::{Group, Job};
use queue::{Queue, Turn, Wait, Work};
use state::State;

/// How long a clean close waits for readers in other processes before it leaves the `-wal` to them.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// The same when a handle is only dropped.
const DROP_PATIENCE: Duration = Duration::from_millis(100);

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
    /// `COMMIT` failed. Look the key up: what is there was booked. What is not there was not booked when `certain`, and
    /// may still come back after a crash when not (`outcome_unknown`). When not `alone`, it may have been another's fault.
    CommitFailed { error: Error, certain: bool, alone: bool },
}

impl Failure {
    /// Nothing took place for want of room.
    pub(super) fn is_full(&self) -> bool {
        use Failure::{CommitFailed, Refused};
        matches!(
            self,
            Refused(Error::DiskFull { .. }) | CommitFailed { error: Error::DiskFull { .. }, certain: true, .. }
        )
    }
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
pub(crate) struct Writer {
    shared: Lease<Shared>,
}

static WRITERS: Registry<Shared> = Registry::new();

struct Shared {
    file: Opened,
    queue: Queue,
    /// Locked only by whoever has the turn, so nobody waits here.
    state: Mutex<State>,
    /// As of the last checkpoint: never an operation's error, for it was committed.
    log_trouble: Mutex<Option<LogTrouble>>,
    notifier: Arc<Notifier>,
}

/// A panic elsewhere does not make the data unusable: every transaction starts from what the file says.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// The writer of a file, opened by the first handle of this process.
    pub(crate) fn shared(file: &Opened, deadline: Duration) -> Result<Self> {
        let shared = WRITERS.lease(file.place().id(), || {
            let connection = WritingConnection::open(file, after(deadline))?;
            let notifier = Arc::<Notifier>::default();
            let (queue, state) = (Queue::default(), Mutex::new(State::new(connection, Arc::clone(&notifier))));
            Ok(Shared { file: file.clone(), queue, state, log_trouble: Mutex::default(), notifier })
        })?;
        Ok(Writer { shared })
    }

    /// Told of every commit of this process.
    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.shared.notifier
    }

    /// Notifies when another process has committed. While somebody has the turn, that is left to them.
    pub(crate) fn check_foreign(&self) -> Result<()> {
        let Some(_turn) = self.shared.queue.enter_now() else { return Ok(()) };
        lock(&self.shared.state).check_foreign()
    }

    /// Why the `-wal` is not folded into the file, if it should be.
    pub(crate) fn log_trouble(&self) -> Option<LogTrouble> {
        self.shared.log_trouble()
    }

    /// Runs `work` in a transaction of its own. `busy` only after `deadline`, the wait for one's turn included.
    ///
    /// `work` may be run again, so everything it decides must come from the connection and its inputs, and what it comes to is in
    /// its answer.
    pub(crate) fn transaction<T>(
        &self,
        durability: Durability,
        deadline: Duration,
        work: impl Fn(&Session<'_>) -> Result<Decision<T>>,
    ) -> Result<T, Failure> {
        self.shared.transaction(durability, Patience::until(deadline), work)
    }

    /// Runs `work` and commits it, together with that of others when they come at the same time. Which thread runs it is
    /// open, so it must not wait for anything; when it answers with a refusal it has written nothing.
    ///
    /// `work` may be run again. `busy` only after `deadline`, and never once it has been taken into a transaction.
    pub(crate) fn carried<T: Send + 'static>(
        &self,
        durability: Durability,
        deadline: Duration,
        work: impl Fn(&Session<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.shared.carried(durability, deadline, work)
    }

    /// Makes everything acknowledged so far durable.
    pub(crate) fn flush(&self, deadline: Duration) -> Result<()> {
        self.shared.flush(deadline)
    }

    /// Gives the handle up; the last one of the process empties the `-wal` into the file. Whether the one file is whole now.
    pub(crate) fn close(self) -> Result<bool> {
        let shared = self.shared.weak();
        let last = self.shared.give_up(|shared| shared.finish(CLOSE_PATIENCE));
        // What this handle has acknowledged is durable, also when others go on with the file.
        let flushed = shared.upgrade().map_or(Ok(()), |shared| shared.flush(CLOSE_PATIENCE));
        last.unwrap_or_else(|| flushed.map(|()| false))
    }
}

#[cfg(test)]
impl Writer {
    /// Lets nobody begin until so many stand in line, whom `start` calls.
    pub(crate) fn gather(&self, callers: usize, start: impl FnOnce(&dyn Fn(usize))) {
        let turn = self.shared.queue.enter_now().unwrap();
        let until = |many| {
            while turn.waiting() < many {
                std::thread::yield_now();
            }
        };
        start(&until);
        until(callers);
    }

    pub(crate) fn on_commit(&self, hook: impl FnMut() -> bool + Send + 'static) {
        lock(&self.shared.state).connection.as_ref().unwrap().on_commit(hook);
    }
}

fn after(deadline: Duration) -> Instant {
    let now = Instant::now();
    // A deadline past the end of time is a day.
    now.checked_add(deadline).or_else(|| now.checked_add(Duration::from_secs(86_400))).unwrap_or(now)
}

/// How long a caller waits, counted from the call.
#[derive(Clone, Copy)]
struct Patience {
    start: Instant,
    deadline: Instant,
}

impl Patience {
    fn until(deadline: Duration) -> Self {
        Patience { start: Instant::now(), deadline: after(deadline) }
    }

    fn busy(self) -> Error {
        Error::Busy { waited_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX) }
    }

    /// Says the whole wait, not only that for the file's lock.
    fn said(self, failure: Failure) -> Failure {
        if matches!(failure, Failure::Refused(Error::Busy { .. })) { self.busy().into() } else { failure }
    }
}

impl Shared {
    fn transaction<T>(
        &self,
        durability: Durability,
        patience: Patience,
        work: impl Fn(&Session<'_>) -> Result<Decision<T>>,
    ) -> Result<T, Failure> {
        let _turn = self.queue.enter(patience.deadline).ok_or_else(|| patience.busy())?;
        let mut state = self.state();
        let mut answer = Err(Error::Closed.into());
        let mut made_room = false;
        let done = loop {
            let done = state.within(&self.file, durability, patience.deadline, &mut |session| {
                Ok(match work(session)? {
                    Decision::Commit(value) => {
                        answer = Ok(value);
                        true
                    }
                    Decision::Rollback(value) => {
                        answer = Ok(value);
                        false
                    }
                })
            });
            // Once more with the room that was kept back: a full disk is to be refused only when it is really full.
            let is_full = done.as_ref().is_err_and(Failure::is_full);
            if !is_full || std::mem::replace(&mut made_room, true) || !state.make_room(&self.file, patience.deadline) {
                break done;
            }
        };
        self.fold_log(&mut state);
        done.map_err(|failure| patience.said(failure)).and(answer)
    }

    fn state(&self) -> Working<'_> {
        Working { state: lock(&self.state), file: &self.file }
    }

    fn carried<T: Send + 'static>(
        &self,
        durability: Durability,
        deadline: Duration,
        work: impl Fn(&Session<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let patience = Patience::until(deadline);
        let job = Job::new(durability, work);
        if let Some(turn) = self.queue.enter_now() {
            self.lead(&turn, &job, patience);
            drop(turn);
            return self.answer(&job, patience);
        }
        let job = Arc::new(job);
        match self.queue.wait(Some(job.clone()), patience.deadline) {
            Wait::Turn(turn) => self.lead(&turn, &*job, patience),
            Wait::Carried => {}
            Wait::TooLate => return Err(patience.busy().into()),
        }
        self.answer(&job, patience)
    }

    /// Runs one's own work and that of those behind in one transaction.
    fn lead(&self, turn: &Turn<'_>, own: &dyn Work, patience: Patience) {
        let mut state = self.state();
        let durability = own.durability();
        // Only a sync is worth waiting for.
        let lingers = durability == Durability::Full;
        if let Some((others, most)) = state.pace.linger().filter(|_| lingers) {
            turn.linger(others, most);
        }
        let mut group = Group::new(own);
        let run = &mut |session: &Session<'_>| group.run(session, turn).map(|()| true);
        let done = state.within(&self.file, durability, patience.deadline, run);
        if done.is_ok() && lingers {
            state.pace.group(group.len(), turn.waiting());
        }
        // The others are on their way while the turn is passed on: so they can come along with the next.
        group.end(done.map_err(|failure| patience.said(failure)));
        self.fold_log(&mut state);
    }

    fn answer<T, W>(&self, job: &Job<T, W>, patience: Patience) -> Result<T, Failure>
    where
        W: Fn(&Session<'_>) -> Result<T>,
    {
        job.answer().unwrap_or_else(|| {
            self.transaction(job.durability, patience, |session| job.run_alone(session).map(Decision::Commit))
        })
    }

    fn flush(&self, deadline: Duration) -> Result<()> {
        let patience = Patience::until(deadline);
        let _turn = self.queue.enter(patience.deadline).ok_or_else(|| patience.busy())?;
        let mut state = self.state();
        let done = if state.relaxed {
            state.harden(&self.file, patience.deadline)
        } else {
            state.write_head(&self.file, patience.deadline)
        };
        self.fold_log(&mut state);
        done.map_err(|error| if matches!(error, Error::Busy { .. }) { patience.busy() } else { error })
    }

    /// After the answer, so that no failure of a checkpoint becomes an operation's.
    fn fold_log(&self, state: &mut State) {
        if state.connection.as_ref().is_some_and(WritingConnection::log_is_long) {
            // What is in the file without its -wal is bounded too. Should it fail, the next time will do.
            let _ = state.write_head(&self.file, after(DROP_PATIENCE));
        }
        let Some(connection) = state.connection.as_mut() else { return };
        if connection.checkpoint_if_long() {
            *lock(&self.log_trouble) = connection.log_trouble();
        }
    }

    fn log_trouble(&self) -> Option<LogTrouble> {
        let known = lock(&self.log_trouble).clone()?;
        // What was in the way may be over.
        let Some(_turn) = self.queue.enter_now() else { return Some(known) };
        let mut state = self.state();
        if state.lock_file(&self.file, after(Duration::ZERO)).is_err() {
            return Some(known);
        }
        let trouble = state.connection.as_mut().map_or(Some(known), WritingConnection::checkpoint_again);
        drop(state);
        lock(&self.log_trouble).clone_from(&trouble);
        trouble
    }

    /// Empties the `-wal` and closes the connection. Whether the one file is whole, and nobody else adds to it.
    fn finish(&self, patience: Duration) -> Result<bool> {
        if self.file.is_inherited() {
            // The parent's connection: closing it would undo what the parent is doing.
            std::mem::forget(lock(&self.state).connection.take());
            return Err(Error::Closed);
        }
        let _turn = self.queue.enter(after(patience)).ok_or(Error::Busy { waited_ms: 0 })?;
        let mut state = self.state();
        if state.connection.is_none() {
            return Ok(false);
        }
        let deadline = after(patience);
        if let Err(error) = state.write_head(&self.file, deadline)
            && state.connection.is_none()
        {
            return Err(error);
        }
        // A file moved away is not touched any more.
        let entered = state.lock_file(&self.file, deadline).and_then(|()| self.file.enter(Some(deadline)));
        let connection = state.connection.take().ok_or(Error::Closed)?;
        let using = entered?;
        connection.check_wal(&using)?;
        // It syncs the log first.
        let folded = connection.checkpoint_whole(deadline)?;
        using.check()?;
        drop(using);
        if !folded && state.relaxed {
            state.connection = Some(connection);
            state.harden(&self.file, deadline)?;
            state.connection = None;
        }
        Ok(folded && self.file.is_alone())
    }
}

impl Ends for Shared {
    fn end(&self) {
        // `close` reports errors; whoever only drops the handle asks for none.
        let _ = self.finish(DROP_PATIENCE);
    }
}

/// The state, while somebody has the turn. Other processes may write again when it is given back.
struct Working<'s> {
    state: MutexGuard<'s, State>,
    file: &'s OpenFile,
}

impl Deref for Working<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Working<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.state.unlock_file(self.file);
    }
}
