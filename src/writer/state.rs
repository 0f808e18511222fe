//! What whoever has the turn works with: the connection, and whole transactions on it, with recovery after a failed commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::group::Pace;
use super::{Durability, Failure, after};
use crate::db::{Place, WritingConnection};
use crate::error::{Error, Result};
use crate::notice::Bell;
use crate::store::{self, Desk, Session};

/// How long a failed commit may take to find out what became of it, whatever the deadline.
const SETTLE_PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct State {
    /// `None` after a failure that left the connection in doubt: opened again for the next caller.
    pub(super) connection: Option<WritingConnection>,
    /// Whether something was acknowledged that a power cut could still take.
    pub(super) relaxed: bool,
    pub(super) pace: Pace,
    /// Rows the last transaction left at hand; empty after any that did not commit.
    desk: Desk,
    bell: Arc<Bell>,
    /// SQLite's `data_version` when last looked at: others' commits change it.
    version: Option<i64>,
}

impl State {
    pub(super) fn new(connection: WritingConnection, bell: Arc<Bell>) -> Self {
        let (pace, desk) = (Pace::default(), Desk::default());
        State { connection: Some(connection), relaxed: false, pace, desk, bell, version: None }
    }

    /// Rings for what others have committed.
    pub(super) fn look_around(&mut self) -> Result<()> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let version = store::data_version(&Session::new(connection.connection()))?;
        others_since(&mut self.version, version, &self.bell);
        Ok(())
    }

    fn begin(&mut self, place: &Place, durability: Durability, deadline: Instant) -> Result<()> {
        // A transaction left open by a panic.
        if self.connection.as_ref().is_some_and(|connection| !connection.roll_back()) {
            self.connection = None;
        }
        if self.connection.is_none() {
            self.connection = Some(reopen(place, deadline)?);
            // Another connection counts the versions of the file anew.
            self.desk = Desk::default();
            self.version = None;
            self.bell.others();
        }
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        connection.check_unmoved()?;
        connection.begin(durability == Durability::Full, deadline)
    }

    /// One transaction: runs `work` and commits when that says so.
    pub(super) fn within(
        &mut self,
        place: &Place,
        durability: Durability,
        deadline: Instant,
        work: &mut dyn FnMut(&Session<'_>) -> Result<bool>,
    ) -> Result<(), Failure> {
        self.begin(place, durability, deadline)?;
        let mut open = OpenTransaction { state: self };
        if let Some(desk) = open.run(work)? {
            open.commit(place, durability, deadline)?;
            open.state.desk = desk;
        }
        drop(open);
        if durability == Durability::Full && self.relaxed {
            // Nothing was written, but the answer may rest on what was committed as relaxed: a repeated operation.
            self.harden(place, deadline)?;
        }
        Ok(())
    }

    /// One durable commit makes all earlier ones durable.
    pub(super) fn harden(&mut self, place: &Place, deadline: Instant) -> Result<()> {
        self.begin(place, Durability::Full, deadline)?;
        let connection = self.connection.as_mut().ok_or(Error::Closed)?;
        let touched = store::touch(&Session::new(connection.connection()));
        match touched.and_then(|()| connection.commit()) {
            Ok(_) => {
                self.relaxed = false;
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

/// Rings when another connection has committed since the version known.
fn others_since(known: &mut Option<i64>, version: i64, bell: &Bell) {
    if known.replace(version).is_some_and(|known| known != version) {
        bell.others();
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
    /// The desk as it is once this has been committed; nothing when it is not to be.
    fn run(&mut self, work: &mut dyn FnMut(&Session<'_>) -> Result<bool>) -> Result<Option<Desk>> {
        let desk = std::mem::take(&mut self.state.desk);
        let State { connection, version, bell, .. } = &mut *self.state;
        let connection = connection.as_ref().ok_or(Error::Closed)?;
        let session = Session::resume(connection.connection(), desk)?;
        session.version().into_iter().for_each(|now| others_since(version, now, bell));
        if work(&session)? { session.finish().map(Some) } else { Ok(None) }
    }

    fn commit(&mut self, place: &Place, durability: Durability, deadline: Instant) -> Result<(), Failure> {
        let connection = self.state.connection.as_mut().ok_or(Error::Closed)?;
        let began = Instant::now();
        let error = match connection.commit() {
            Ok(wrote) => {
                if wrote {
                    self.state.bell.ring();
                    self.state.relaxed = durability == Durability::Relaxed;
                }
                if wrote && durability == Durability::Full {
                    self.state.pace.committed(began.elapsed());
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
        let settled = settled || matches!(error, Error::DiskFull { .. });
        Err(Failure::CommitFailed { error, settled, alone: true })
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.state.roll_back();
    }
}
