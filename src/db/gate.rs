//! A gate, like a lock for reading and writing with deadlines: many may be inside at a time, and `shut` waits until all
//! have left.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    shut: bool,
}

/// Somebody inside; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Inside<'g>(&'g Gate);

/// The gate is shut and nobody is inside; opens again when dropped.
#[derive(Debug)]
pub(crate) struct Shut<'g>(&'g Gate);

impl Gate {
    /// Goes in, if the gate is open.
    pub(crate) fn enter_now(&self) -> Option<Inside<'_>> {
        self.go_in(self.state())
    }

    /// Goes in; waits while the gate is shut, and gives up at the deadline.
    pub(crate) fn enter(&self, deadline: Instant) -> Option<Inside<'_>> {
        let mut state = self.state();
        while state.shut {
            state = self.wait(state, deadline)?;
        }
        self.go_in(state)
    }

    fn go_in(&self, mut state: MutexGuard<'_, State>) -> Option<Inside<'_>> {
        if state.shut {
            return None;
        }
        state.inside = state.inside.saturating_add(1);
        Some(Inside(self))
    }

    /// Lets nobody in any more, and waits until those inside have left; gives up at the deadline.
    pub(crate) fn shut(&self, deadline: Instant) -> Option<Shut<'_>> {
        let mut state = self.state();
        while state.shut {
            state = self.wait(state, deadline)?;
        }
        state.shut = true;
        let shut = Shut(self);
        while state.inside > 0 {
            // Given up: dropping `shut` opens the gate, for which the lock must be free.
            state = self.wait(state, deadline)?;
        }
        Some(shut)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&'g self, state: MutexGuard<'g, State>, deadline: Instant) -> Option<MutexGuard<'g, State>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        Some(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside = state.inside.saturating_sub(1);
        if state.shut && state.inside == 0 {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.state().shut = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn who_shuts_it_waits_for_those_inside() {
        let gate = Gate::default();
        let (first, second) = (gate.enter(soon()).unwrap(), gate.enter(soon()).unwrap());
        assert!(gate.shut(soon()).is_none());
        drop(first);
        let later = std::thread::scope(|scope| {
            let shutting = scope.spawn(|| gate.shut(Instant::now() + Duration::from_secs(10)).is_some());
            while gate.enter_now().is_some() {
                std::thread::yield_now();
            }
            drop(second);
            shutting.join().unwrap()
        });
        assert!(later);
        assert!(gate.enter(soon()).is_some());
        let shut = gate.shut(soon()).unwrap();
        assert!(gate.enter(soon()).is_none() && gate.shut(soon()).is_none());
        drop(shut);
        assert!(gate.enter(soon()).is_some());
    }
}
