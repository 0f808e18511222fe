//! A group: the one whose turn it is, and those behind whose work goes into the same transaction. One `COMMIT`, one
//! sync, many answers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::queue::{Turn, Waiter, Work};
use super::{Durability, Failure, lock};
use crate::error::{Error, Result};
use crate::store::Session;

/// The most in one group, and the longest it may hold the file before it commits: others wait meanwhile.
const MOST: usize = 128;
const LONGEST: Duration = Duration::from_millis(20);

/// One caller's work, and what came out of it once it has been run.
pub(super) struct Job<T, W> {
    pub(super) durability: Durability,
    inner: Mutex<(W, Option<Result<T, Failure>>)>,
}

impl<T, W: FnMut(&Session<'_>) -> Result<T>> Job<T, W> {
    pub(super) fn new(durability: Durability, work: W) -> Self {
        Job { durability, inner: Mutex::new((work, None)) }
    }

    /// `None`: the group was rolled back, and the work has to be run again alone.
    pub(super) fn answer(&self) -> Option<Result<T, Failure>> {
        lock(&self.inner).1.take()
    }

    pub(super) fn run_alone(&self, session: &Session<'_>) -> Result<T> {
        (lock(&self.inner).0)(session)
    }
}

impl<T: Send, W: FnMut(&Session<'_>) -> Result<T> + Send> Work for Job<T, W> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&self, session: &Session<'_>) -> Result<()> {
        let mut inner = lock(&self.inner);
        let answer = (inner.0)(session);
        let ended = answer.as_ref().map(drop).map_err(Error::clone);
        inner.1 = Some(answer.map_err(Failure::Refused));
        ended
    }

    fn undo(&self, failure: Option<Failure>) {
        lock(&self.inner).1 = failure.map(Err);
    }
}

/// The members of one transaction. Dropped without `end`, as when some work panics, each has to run again alone.
pub(super) struct Group<'w> {
    own: &'w dyn Work,
    carried: Vec<Arc<Waiter>>,
    committed: bool,
    failure: Option<Failure>,
}

impl<'w> Group<'w> {
    pub(super) fn new(own: &'w dyn Work) -> Self {
        Group { own, carried: Vec::new(), committed: false, failure: None }
    }

    pub(super) fn len(&self) -> usize {
        self.carried.len().saturating_add(1)
    }

    /// Runs the work of all. A refusal has written nothing and concerns its caller only; any other error ends the group.
    pub(super) fn run(&mut self, session: &Session<'_>, turn: &Turn<'_>) -> Result<()> {
        let began = Instant::now();
        let own = self.own.run(session);
        harmless(own.as_ref().err())?;
        while self.len() < MOST && began.elapsed() < LONGEST {
            let Some(next) = turn.carry(self.own.durability()) else { break };
            // A member before its work runs, so that it is answered also when that panics.
            self.carried.push(Arc::clone(&next));
            let ended = next.work().map_or(Ok(()), |work| work.run(session));
            harmless(ended.as_ref().err())?;
        }
        if self.carried.is_empty() { own } else { Ok(()) }
    }

    /// Answers every member by how the transaction ended.
    pub(super) fn end(mut self, ended: Result<(), Failure>) {
        let alone = self.carried.is_empty();
        match ended {
            Ok(()) => self.committed = true,
            // Each runs alone, and makes room if it has to.
            Err(failure) if failure.is_full() => self.failure = None,
            Err(Failure::CommitFailed { error, certain, .. }) => {
                self.failure = Some(Failure::CommitFailed { error, certain, alone });
            }
            // Rolled back: each runs alone, which shows whose fault it was.
            Err(Failure::Refused(error)) => self.failure = alone.then_some(Failure::Refused(error)),
        }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.own.undo(self.failure.clone());
        }
        for waiter in &self.carried {
            if !self.committed
                && let Some(work) = waiter.work()
            {
                work.undo(self.failure.clone());
            }
            waiter.done();
        }
    }
}

fn harmless(error: Option<&Error>) -> Result<()> {
    match error {
        Some(error) if error.is_failure() => Err(error.clone()),
        _ => Ok(()),
    }
}

/// How many are expected to come together, and how long to wait for them: learned from the commits before.
#[derive(Debug, Default)]
pub(super) struct Pace {
    expected: usize,
    commit: Duration,
}

impl Pace {
    /// How many besides oneself to wait for, and for how long; nothing when nobody else is expected.
    pub(super) fn linger(&self) -> Option<(usize, Duration)> {
        let others = self.expected.checked_sub(1).filter(|others| *others > 0)?;
        // A quarter of what a commit takes: less than what a group half as large would cost.
        Some((others, self.commit / 4))
    }

    pub(super) fn committed(&mut self, took: Duration) {
        let usual = if self.commit.is_zero() { took } else { self.commit };
        self.commit = usual.saturating_mul(7).saturating_add(took) / 8;
    }

    /// A group of so many was committed while so many others came: next time all may come together.
    pub(super) fn group(&mut self, members: usize, waiting: usize) {
        let waited_in_vain = members < self.expected;
        self.expected = if waited_in_vain { members } else { members.saturating_add(waiting).min(MOST) };
    }
}
