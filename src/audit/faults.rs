//! What is collected while a file is verified.

use std::collections::HashSet;
use std::fmt::Display;

use super::Fault;
use super::columns::Audited;
use crate::error::{Error, Result};

/// Faults beyond these are only counted: a file with a wrong first operation can have millions.
pub(super) const MOST_FAULTS: usize = 1000;
/// Longer values are cut.
const MOST_TEXT: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) list: Vec<Fault>,
    pub(super) more: u64,
}

fn cut(value: impl Display) -> String {
    let text = value.to_string();
    if text.chars().nth(MOST_TEXT).is_none() {
        return text;
    }
    text.chars().take(MOST_TEXT).chain(['…']).collect()
}

impl Faults {
    pub(super) fn add(&mut self, code: &'static str, place: impl Display, expected: impl Display, found: impl Display) {
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

    pub(super) fn missing<R: Audited>(&mut self, key: impl Display) {
        self.add(R::CODES.missing, format_args!("{} {key}", R::TABLE), "a row", "none");
    }

    pub(super) fn extra<R: Audited>(&mut self, key: impl Display) {
        self.add(R::CODES.extra, format_args!("{} {key}", R::TABLE), "none", "a row");
    }

    pub(super) fn unreadable<R: Audited>(&mut self, key: impl Display, error: &Error) {
        self.add(R::CODES.unreadable, format_args!("{} {key}", R::TABLE), "a readable row", error);
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
    pub(super) fn compare<R: Audited>(&mut self, key: impl Display, expected: &R, found: &R) {
        if expected == found {
            return;
        }
        for ((name, expected), (_, found)) in expected.columns().into_iter().zip(found.columns()) {
            if expected != found {
                self.add(R::CODES.mismatch, format_args!("{} {key} {name}", R::TABLE), expected, found);
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
