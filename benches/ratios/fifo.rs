//! A lock that is taken in the order of asking: the fairest way to serialise callers without grouping them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};

#[derive(Debug, Default)]
pub(crate) struct Fifo(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    taken: bool,
    waiting: VecDeque<Arc<Ticket>>,
}

#[derive(Debug)]
struct Ticket {
    thread: Thread,
    called: AtomicBool,
}

impl Fifo {
    /// Runs `work` when everybody who asked before has finished.
    pub(crate) fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let ticket = {
            let mut line = self.0.lock().unwrap();
            let waits = line.taken;
            line.taken = true;
            waits.then(|| {
                let ticket = Arc::new(Ticket { thread: thread::current(), called: AtomicBool::new(false) });
                line.waiting.push_back(Arc::clone(&ticket));
                ticket
            })
        };
        while ticket.as_ref().is_some_and(|ticket| !ticket.called.load(Ordering::Acquire)) {
            thread::park();
        }
        let done = work();
        let mut line = self.0.lock().unwrap();
        match line.waiting.pop_front() {
            Some(next) => {
                next.called.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => line.taken = false,
        }
        done
    }
}
