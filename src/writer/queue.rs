//! Whose turn it is: strictly in the order of arrival. A mutex alone lets the thread that just had it take it again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Instant;

use super::lock;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    taken: bool,
    line: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    thread: Thread,
    called: AtomicBool,
}

/// The turn; passed on when dropped.
pub(super) struct Turn<'q> {
    queue: &'q Queue,
}

impl Queue {
    /// Waits for the turn; `None` when the deadline comes first.
    pub(super) fn enter(&self, deadline: Instant) -> Option<Turn<'_>> {
        let waiter = {
            let mut waiting = lock(&self.state);
            if !waiting.taken {
                waiting.taken = true;
                return Some(Turn { queue: self });
            }
            let waiter = Arc::new(Waiter { thread: thread::current(), called: AtomicBool::new(false) });
            waiting.line.push_back(Arc::clone(&waiter));
            waiter
        };
        loop {
            if waiter.called.load(Ordering::Acquire) {
                return Some(Turn { queue: self });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
        let mut waiting = lock(&self.state);
        // Called between the last look and here: then the turn is ours after all.
        if waiter.called.load(Ordering::Acquire) {
            return Some(Turn { queue: self });
        }
        waiting.line.retain(|other| !Arc::ptr_eq(other, &waiter));
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.queue.state);
        match waiting.line.pop_front() {
            Some(next) => {
                // `taken` stays: the turn goes from hand to hand.
                next.called.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => waiting.taken = false,
        }
    }
}
