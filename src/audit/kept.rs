//! Rows of one table as the replay has them. Those that are what the file says they end as are let go: when one is asked for
//! again, the file's own is it.

use std::collections::BTreeMap;
use std::iter;

use crate::error::{Error, Result};
use crate::store::audit::Keyed;

/// How many stored rows are read at a time: those that follow a row may have been let go long since.
const PAGE: usize = 32;

#[derive(Debug)]
pub(super) struct Kept<R> {
    pub(super) rows: BTreeMap<i64, R>,
    /// Keys of those let go; how many stored rows each is.
    gone: BTreeMap<i64, i64>,
}

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Kept { rows: BTreeMap::new(), gone: BTreeMap::new() }
    }
}

impl<R: Clone + PartialEq> Kept<R> {
    /// The row with this key; `stored` reads it from the file.
    pub(super) fn get(&self, key: i64, stored: impl FnOnce() -> Result<Option<R>>) -> Result<Option<R>> {
        match self.rows.get(&key) {
            None if self.gone.contains_key(&key) => stored(),
            row => Ok(row.cloned()),
        }
    }

    pub(super) fn put(&mut self, key: i64, row: R) {
        self.gone.remove(&key);
        self.rows.insert(key, row);
    }

    /// Lets go of rows like those stored. `page` reads them from after a key on, `many` says how many stored rows one is.
    pub(super) fn let_go(
        &mut self,
        page: impl Fn(i64, usize) -> Result<Keyed<i64, R>>,
        many: impl Fn(&R) -> i64,
    ) -> Result<()> {
        let mut from = i64::MIN;
        while let Some(next) = self.rows.range(from..).next().map(|(key, _)| *key) {
            let stored = match page(next.saturating_sub(1), PAGE) {
                // The comparison of the whole table will name it.
                Err(Error::Corrupt { .. }) => return Ok(()),
                stored => stored?,
            };
            let Some(last) = stored.last().map(|(key, _)| *key) else { return Ok(()) };
            for (key, row) in stored {
                if let Ok(row) = row
                    && self.rows.get(&key) == Some(&row)
                {
                    self.rows.remove(&key);
                    self.gone.insert(key, many(&row));
                }
            }
            from = last.saturating_add(1);
        }
        Ok(())
    }

    /// All in the order of their keys; of one let go, how many stored rows it is.
    pub(super) fn all(&self) -> impl Iterator<Item = (i64, std::result::Result<&R, i64>)> {
        let mut rows = self.rows.iter().peekable();
        let mut gone = self.gone.iter().peekable();
        iter::from_fn(move || {
            let first = rows.peek().map_or(i64::MAX, |(key, _)| **key);
            match gone.next_if(|(key, _)| **key < first) {
                Some((key, many)) => Some((*key, Err(*many))),
                None => rows.next().map(|(key, row)| (*key, Ok(row))),
            }
        })
    }
}
