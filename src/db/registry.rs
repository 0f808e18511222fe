//! What a process has once for each file, shared by counted leases: made for the first, ended with the last.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::place::FileId;
use crate::error::Result;

/// What must be closed before the file is opened again.
pub(crate) trait Ends {
    /// Closes what is open. Called once, by the last lease.
    fn end(&self);
}

/// Values by file. Made and ended under the lock of the file's slot, so that nobody meets a half-closed one.
pub(crate) struct Registry<T: Ends> {
    slots: OnceLock<Mutex<HashMap<FileId, Arc<Slot<T>>>>>,
}

type Slot<T> = Mutex<Option<Leased<T>>>;

struct Leased<T> {
    value: Arc<T>,
    leases: usize,
}

/// A share in the value.
pub(crate) struct Lease<T: Ends> {
    value: Arc<T>,
    slot: Arc<Slot<T>>,
    ended: bool,
}

impl<T: Ends> Registry<T> {
    pub(crate) const fn new() -> Self {
        Registry { slots: OnceLock::new() }
    }

    /// A share in the value of this file, made if there is none.
    pub(crate) fn lease(&self, id: &FileId, make: impl FnOnce() -> Result<T>) -> Result<Lease<T>> {
        let slot = self.slot(id);
        let mut leased = lock(&slot);
        let value = match leased.as_mut() {
            Some(leased) => {
                leased.leases = leased.leases.saturating_add(1);
                Arc::clone(&leased.value)
            }
            None => {
                let value = Arc::new(make()?);
                *leased = Some(Leased { value: Arc::clone(&value), leases: 1 });
                value
            }
        };
        drop(leased);
        Ok(Lease { value, slot, ended: false })
    }

    /// Whether there is a value.
    pub(crate) fn is_leased(&self, id: &FileId) -> bool {
        lock(&self.slot(id)).is_some()
    }

    fn slot(&self, id: &FileId) -> Arc<Slot<T>> {
        let mut slots = lock(self.slots.get_or_init(Mutex::default));
        // Slots of files long closed.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        Arc::clone(slots.entry(id.clone()).or_default())
    }
}

/// A panic elsewhere does not make the slot unusable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Ends> Lease<T> {
    /// Gives the share up; the last one ends the value by `end`. `None`: others have shares.
    pub(crate) fn give_up<R>(mut self, end: impl FnOnce(&T) -> R) -> Option<R> {
        self.leave(end)
    }

    /// The value, without a share in it.
    pub(crate) fn weak(&self) -> Weak<T> {
        Arc::downgrade(&self.value)
    }

    fn leave<R>(&mut self, end: impl FnOnce(&T) -> R) -> Option<R> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let mut slot = lock(&self.slot);
        let leased = slot.as_mut()?;
        leased.leases = leased.leases.saturating_sub(1);
        if leased.leases > 0 {
            return None;
        }
        let ended = end(&self.value);
        *slot = None;
        Some(ended)
    }
}

impl<T: Ends> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Ends> Clone for Lease<T> {
    fn clone(&self) -> Self {
        if let Some(leased) = lock(&self.slot).as_mut() {
            leased.leases = leased.leases.saturating_add(1);
        }
        Lease { value: Arc::clone(&self.value), slot: Arc::clone(&self.slot), ended: self.ended }
    }
}

impl<T: Ends> Drop for Lease<T> {
    fn drop(&mut self) {
        self.leave(T::end);
    }
}
