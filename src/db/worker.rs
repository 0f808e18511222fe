//! The thread that opens connections for the pools of readers: one for the process, however many files are open. A pool
//! would start three of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use scheduled_thread_pool::ScheduledThreadPool;

/// The thread, and the process it runs in: a forked child has none of its parent's threads.
type Worker = (u32, Weak<ScheduledThreadPool>);

/// It ends with the last pool that uses it.
pub(super) fn worker() -> Arc<ScheduledThreadPool> {
    static WORKER: Mutex<Option<Worker>> = Mutex::new(None);
    let process = std::process::id();
    let mut worker = WORKER.lock().unwrap_or_else(PoisonError::into_inner);
    let running = worker.as_ref().filter(|(owner, _)| *owner == process).and_then(|(_, threads)| threads.upgrade());
    running.unwrap_or_else(|| {
        let threads = ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("counterfoil").build();
        let threads = Arc::new(threads);
        *worker = Some((process, Arc::downgrade(&threads)));
        threads
    })
}
