//! Lines of a file that are booked in one transaction after another, each of which may be run again.

use crate::error::Result;

/// Lines, of which those that a transaction has taken are kept until it is done.
pub(super) struct Lines<T, I> {
    rest: I,
    kept: Vec<T>,
    /// How many of those are taken.
    taken: usize,
}

impl<T, I: Iterator<Item = Result<T>>> Lines<T, I> {
    pub(super) fn new(rest: I) -> Self {
        Lines { rest, kept: Vec::new(), taken: 0 }
    }

    /// A transaction begins: with the first that no other has taken.
    pub(super) fn begin(&mut self) {
        self.taken = 0;
    }

    /// It is done: what it took does not come again.
    pub(super) fn end(&mut self) {
        self.kept.drain(..self.taken);
        self.taken = 0;
    }

    /// Whether there are more.
    pub(super) fn more(&mut self) -> Result<bool> {
        if self.taken == self.kept.len() {
            self.kept.extend(self.rest.next().transpose()?);
        }
        Ok(self.taken < self.kept.len())
    }

    pub(super) fn take(&mut self) -> Result<Option<&T>> {
        if !self.more()? {
            return Ok(None);
        }
        let line = self.kept.get(self.taken);
        self.taken = self.taken.saturating_add(1);
        Ok(line)
    }
}
