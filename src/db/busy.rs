//! How a connection waits for the locks of other processes.
//!
//! SQLite's own `busy_timeout` backs off so far that a process coming second gets one operation a second beside a busy
//! one. Short equal waits give every process its share; the end is an instant, not a number of tries.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// When no deadline was set: a reader meeting an exclusive lock, or recovery.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);
const EAGER_TRIES: i32 = 20;
const EAGER_WAIT: Duration = Duration::from_micros(50);
const STEADY_WAIT: Duration = Duration::from_micros(250);

// SQLite takes a bare function, and calls it on the thread that waits.
thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    static WAITING_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets this thread's connections wait until `deadline`, as long as the guard lives.
pub(super) fn until(deadline: Instant) -> Patience {
    WAITING_SINCE.set(None);
    Patience { before: DEADLINE.replace(Some(deadline)) }
}

pub(super) struct Patience {
    before: Option<Instant>,
}

impl Drop for Patience {
    fn drop(&mut self) {
        // A thread that is ending has no need of it.
        let _ = DEADLINE.try_with(|deadline| deadline.set(self.before));
    }
}

/// The busy handler: whether to try again.
pub(super) fn handler(tries: i32) -> bool {
    let now = Instant::now();
    let since = if tries == 0 { now } else { WAITING_SINCE.try_with(Cell::get).ok().flatten().unwrap_or(now) };
    let _ = WAITING_SINCE.try_with(|cell| cell.set(Some(since)));
    let deadline = DEADLINE.try_with(Cell::get).ok().flatten();
    let left = match deadline {
        Some(deadline) => deadline.saturating_duration_since(now),
        None => DEFAULT_PATIENCE.saturating_sub(now.saturating_duration_since(since)),
    };
    if left.is_zero() {
        return false;
    }
    thread::sleep(left.min(if tries < EAGER_TRIES { EAGER_WAIT } else { STEADY_WAIT }));
    true
}

/// How long this thread's last wait has lasted.
pub(super) fn waited_ms() -> u64 {
    let since = WAITING_SINCE.try_with(Cell::get).ok().flatten();
    since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
}
