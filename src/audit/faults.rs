//! What is collected while a file is verified.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;

use super::Fault;
use crate::error::{Error, ErrorClass, Result};
use crate::store::Table;

/// Faults beyond these are only counted: a file with a wrong first operation can have millions.
pub(super) const MOST_FAULTS: usize = 1000;
/// Longer values are cut.
const MOST_TEXT: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) list: Vec<Fault>,
    pub(super) more: u64,
    /// A reading that failed, though not by damage.
    failed: Option<Error>,
}

/// Whether an error is a failure to read, and says nothing of what is in the file.
pub(super) fn tells_nothing(error: &Error) -> bool {
    matches!(error.class(), ErrorClass::Failed | ErrorClass::Busy)
}

fn cut(value: impl Display) -> String {
    let text = value.to_string();
    if text.chars().nth(MOST_TEXT).is_none() {
        return text;
    }
    text.chars().take(MOST_TEXT).chain(['…']).collect()
}

impl Faults {
    pub(super) fn add(
        &mut self,
        code: impl Into<Cow<'static, str>>,
        place: impl Display,
        expected: impl Display,
        found: impl Display,
    ) {
        if self.list.len() >= MOST_FAULTS {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.list.push(Fault {
            code: code.into(),
            place: place.to_string(),
            expected: cut(expected),
            found: cut(found),
        });
    }

    /// A fault unless both are the same.
    pub(super) fn same<T: PartialEq + Display>(
        &mut self,
        code: &'static str,
        place: impl Display,
        expected: T,
        found: T,
    ) {
        if expected != found {
            self.add(code, place, expected, found);
        }
    }

    pub(super) fn many(&self) -> u64 {
        super::count(self.list.len()).saturating_add(self.more)
    }

    /// What was read; nothing of what is damaged, which is told where the table is read through. When it could not be read for another
    /// reason, nothing is known: [`Faults::failed`] ends the audit.
    pub(super) fn read<T>(&mut self, read: Result<T>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                if tells_nothing(&error) {
                    self.failed.get_or_insert(error);
                }
                None
            }
        }
    }

    pub(super) fn failed(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Of a row of a table.
    fn row<R: Table>(&mut self, what: &str, key: impl Display, expected: impl Display, found: impl Display) {
        self.add(format!("{}_{what}", R::TABLE), format_args!("{} {key}", R::TABLE), expected, found);
    }

    pub(super) fn missing<R: Table>(&mut self, key: impl Display) {
        self.row::<R>("missing", key, "a row", "none");
    }

    pub(super) fn extra<R: Table>(&mut self, key: impl Display) {
        self.row::<R>("extra", key, "none", "a row");
    }

    pub(super) fn unreadable<R: Table>(&mut self, key: impl Display, error: &Error) {
        self.row::<R>("unreadable", key, "a readable row", error);
    }

    /// Takes up those of another half that are not on the list already.
    pub(super) fn absorb(&mut self, other: Faults) {
        let known: HashSet<_> = self.list.iter().map(|fault| (fault.code.clone(), fault.place.clone())).collect();
        for fault in other.list.into_iter().filter(|fault| !known.contains(&(fault.code.clone(), fault.place.clone())))
        {
            if self.list.len() < MOST_FAULTS {
                self.list.push(fault);
            } else {
                self.more = self.more.saturating_add(1);
            }
        }
        self.more = self.more.saturating_add(other.more);
    }

    /// One fault for each column that differs.
    pub(super) fn compare<R: Table + PartialEq>(&mut self, key: impl Display, expected: &R, found: &R) {
        if expected != found {
            self.differ(format_args!("{key} "), expected, found);
        }
    }

    /// The same of a table's only row.
    pub(super) fn compare_one<R: Table>(&mut self, expected: &R, found: &R) {
        self.differ("", expected, found);
    }

    fn differ<R: Table>(&mut self, key: impl Display, expected: &R, found: &R) {
        for ((name, expected), (_, found)) in expected.texts().into_iter().zip(found.texts()) {
            if expected != found {
                self.row::<R>("mismatch", format_args!("{key}{name}"), expected, found);
            }
        }
    }

    /// Damage ends the part of the work that met it, and nothing else; any other error ends everything.
    pub(super) fn part(&mut self, name: &str, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error @ Error::Corrupt { .. }) => {
                self.add("unreadable", name, "readable", error);
                Ok(())
            }
            other => other,
        }
    }
}
