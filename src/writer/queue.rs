//! The queue of writers, served strictly in order of arrival; a mutex alone is not fair.
//!
//! A waiter may hand in its work. The leader, who has the turn, may then run it in its own transaction, and the waiter gets
//! the answer instead of the turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::{Durability, Failure, lock};
use crate::error::Result;
use crate::store::Session;

/// A caller's work, which another caller's thread may run.
pub(super) trait Work: Send + Sync {
    /// What its acknowledgement promises.
    fn durability(&self) -> Durability;

    /// Runs it and keeps the answer. An error is returned as well, for the group.
    fn run(&self, session: &Session<'_>) -> Result<()>;

    /// Replaces the answer by a failure; `None`: run again alone.
    fn undo(&self, failure: Option<Failure>);
}

#[derive(Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    taken: bool,
    waiting: VecDeque<Arc<Waiter>>,
    /// The leader, while it waits for this many others.
    lingering: Option<(usize, Thread)>,
}

pub(super) struct Waiter {
    thread: Thread,
    stage: AtomicU8,
    work: Option<Arc<dyn Work>>,
}

/// May leave the line.
const WAITS: u8 = 0;
/// Has the turn.
const LEADS: u8 = 1;
/// A leader runs the work: its end must be awaited.
const CARRIED: u8 = 2;
/// The work is answered, or has to be run again.
const DONE: u8 = 3;

/// How waiting ended.
pub(super) enum Wait<'q> {
    Turn(Turn<'q>),
    Carried,
    TooLate,
}

/// The turn; passed on when dropped.
pub(super) struct Turn<'q> {
    queue: &'q Queue,
}

impl Queue {
    /// The turn, if nobody has it.
    pub(super) fn enter_now(&self) -> Option<Turn<'_>> {
        let mut line = lock(&self.line);
        if line.taken {
            return None;
        }
        line.taken = true;
        Some(Turn { queue: self })
    }

    /// Waits for the turn; `None` when the deadline comes first.
    pub(super) fn enter(&self, deadline: Instant) -> Option<Turn<'_>> {
        match self.wait(None, deadline) {
            Wait::Turn(turn) => Some(turn),
            Wait::Carried | Wait::TooLate => None,
        }
    }

    /// Waits for the turn, or until another has carried the work.
    pub(super) fn wait(&self, work: Option<Arc<dyn Work>>, deadline: Instant) -> Wait<'_> {
        let Some(waiter) = self.join(work) else { return Wait::Turn(Turn { queue: self }) };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match waiter.stage.load(Ordering::Acquire) {
                LEADS => return Wait::Turn(Turn { queue: self }),
                DONE => return Wait::Carried,
                CARRIED => thread::park(),
                _ if !left.is_zero() => thread::park_timeout(left),
                _ if self.leave(&waiter) => return Wait::TooLate,
                _ => {}
            }
        }
    }

    /// Joins the line; `None`: the turn was free and is the caller's.
    fn join(&self, work: Option<Arc<dyn Work>>) -> Option<Arc<Waiter>> {
        let mut line = lock(&self.line);
        if !line.taken {
            line.taken = true;
            return None;
        }
        let alone = work.is_none();
        let waiter = Arc::new(Waiter { thread: thread::current(), stage: AtomicU8::new(WAITS), work });
        line.waiting.push_back(Arc::clone(&waiter));
        // One who hands in no work ends the group, so the leader need not wait any longer.
        if line.lingering.as_ref().is_some_and(|(wanted, _)| alone || line.waiting.len() >= *wanted)
            && let Some((_, leader)) = line.lingering.take()
        {
            leader.unpark();
        }
        Some(waiter)
    }

    /// Leaves the line; false when the waiter was called in the meantime.
    fn leave(&self, waiter: &Arc<Waiter>) -> bool {
        let mut line = lock(&self.line);
        let waits = waiter.stage.load(Ordering::Acquire) == WAITS;
        if waits {
            line.waiting.retain(|other| !Arc::ptr_eq(other, waiter));
        }
        waits
    }
}

impl Turn<'_> {
    /// Lets others catch up: until so many wait, or the time is over.
    pub(super) fn linger(&self, wanted: usize, most: Duration) {
        let until = Instant::now() + most;
        {
            let mut line = lock(&self.queue.line);
            if line.waiting.len() >= wanted || line.waiting.iter().any(|waiter| waiter.work.is_none()) {
                return;
            }
            line.lingering = Some((wanted, thread::current()));
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
            if lock(&self.queue.line).lingering.is_none() {
                return;
            }
        }
        lock(&self.queue.line).lingering = None;
    }

    /// Takes the next in line, unless it wants the turn for itself, or more than this commit promises.
    pub(super) fn carry(&self, durability: Durability) -> Option<Arc<Waiter>> {
        let mut line = lock(&self.queue.line);
        let wanted = line.waiting.front()?.work.as_ref()?.durability();
        if wanted == Durability::Full && durability != Durability::Full {
            return None;
        }
        let next = line.waiting.pop_front()?;
        next.stage.store(CARRIED, Ordering::Release);
        Some(next)
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.queue.line).waiting.len()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = lock(&self.queue.line);
        match line.waiting.pop_front() {
            // `taken` stays: the next in line has the turn.
            Some(next) => next.call(LEADS),
            None => line.taken = false,
        }
    }
}

impl Waiter {
    pub(super) fn work(&self) -> Option<&dyn Work> {
        self.work.as_deref()
    }

    /// Its work is over, well or not.
    pub(super) fn done(&self) {
        self.call(DONE);
    }

    fn call(&self, stage: u8) {
        self.stage.store(stage, Ordering::Release);
        self.thread.unpark();
    }
}
