//! The processor's time, which a busy neighbour or a slow disk does not lengthen.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What this thread has used since it began.
pub(crate) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// What all threads of this process have used.
#[allow(dead_code, reason = "for the ratios")]
pub(crate) fn process_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

/// Microseconds of processor time for each of `count` runs of `work`.
pub(crate) fn per_run<T>(count: u64, mut work: impl FnMut(u64) -> T) -> f64 {
    let before = thread_time();
    for n in 0..count {
        std::hint::black_box(work(n));
    }
    (thread_time() - before).as_secs_f64() * 1e6 / count as f64
}
