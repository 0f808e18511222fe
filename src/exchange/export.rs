//! Making a file that goes up: the log after a base, a page at a time, as far as one file goes.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::frame::{Filling, USUAL_BYTES};
use super::header::{Header, Link, MOST_BOOKS, Up};
use super::outgoing::Outgoing;
use super::up;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{OperationRow, Writer};

/// How many operations are read at once.
const PAGE: usize = 256;

/// What is read of a log. Each call reads by itself: nothing is held while a file is made.
pub(crate) trait Log {
    /// Some operations after this one, in order; none when there are no more.
    fn operations(&self, after: i64, most: usize) -> Result<Vec<OperationRow>>;
    /// The hash of an operation, or with number 0 of what the log begins with.
    fn hash(&self, seq: i64) -> Result<Option<Hash>>;
    fn price_book(&self, hash: &Hash) -> Result<String>;
}

/// What a file that goes up holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exported {
    /// The number of the operation before its first.
    pub after: i64,
    /// The number of its last operation; that before it when there is none.
    pub last: i64,
    /// How many operations there are. None: it asks how the accounts stand.
    pub count: i64,
    /// More operations follow, which belong into the next file.
    pub more: bool,
}

/// What goes into a file: at most 2 MiB of lines. Price books are read when they are written.
pub(crate) struct Gathered {
    pub(crate) up: Up,
    more: bool,
    lines: String,
    filling: Filling,
}

impl Gathered {
    /// Gathers the operations after the header's base, all of one epoch, which becomes the header's.
    pub(crate) fn after(up: Up, log: &impl Log) -> Result<Self> {
        let marks = marks(up.base, log)?;
        let mut gathered = Gathered {
            up: Up { head: up.base, marks, ..up },
            more: false,
            lines: String::with_capacity(USUAL_BYTES),
            filling: Filling::default(),
        };
        'log: loop {
            let rows = log.operations(gathered.up.head.seq, PAGE)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if !gathered.takes(&row)? {
                    gathered.more = true;
                    break 'log;
                }
            }
        }
        Ok(gathered)
    }

    /// Takes an operation, if it still belongs into this file.
    fn takes(&mut self, row: &OperationRow) -> Result<bool> {
        let Writer { device, epoch } = row.writer.1;
        if self.up.count == 0 {
            self.up.epoch = epoch;
        }
        if epoch != self.up.epoch || device != self.up.device {
            return Ok(false);
        }
        let book = match &row.price_book {
            None => None,
            Some((_, hash)) => match self.up.price_books.iter().position(|known| known == hash) {
                None if self.up.price_books.len() >= MOST_BOOKS => return Ok(false),
                None => Some((self.up.price_books.len(), Some(*hash))),
                Some(at) => Some((at, None)),
            },
        };
        let line = up::line(row, book.map(|(at, _)| at))?;
        if !self.filling.takes(line.len()) {
            return Ok(false);
        }
        self.up.price_books.extend(book.and_then(|(_, new)| new));
        self.lines.push_str(&line);
        self.lines.push('\n');
        self.up.count = self.up.count.saturating_add(1);
        self.up.head = Link { seq: row.seq, hash: row.hash };
        Ok(true)
    }

    pub(crate) fn told(&self) -> Exported {
        let Up { base, head, count, .. } = &self.up;
        Exported { after: base.seq, last: head.seq, count: *count, more: self.more }
    }

    pub(crate) fn header(&self) -> Header {
        Header::Up(self.up.clone())
    }

    /// Writes what follows the header.
    pub(crate) fn write<W: Write>(&self, file: &mut Outgoing<W>, log: &impl Log) -> Result<()> {
        for hash in &self.up.price_books {
            file.price_book(&log.price_book(hash)?)?;
        }
        self.lines.lines().try_for_each(|line| file.line(line))
    }
}

/// Links at distance 0, 1, 2, 4 … back from the base, and the beginning.
fn marks(base: Link, log: &impl Log) -> Result<Vec<Link>> {
    let back = std::iter::successors(Some(1_i64), |distance| distance.checked_mul(2));
    let seqs = back.map_while(|distance| Some(base.seq.saturating_sub(distance)).filter(|seq| *seq > 0));
    let seqs = seqs.chain((base.seq > 0).then_some(0));
    let link = |seq: i64| {
        let hash = log.hash(seq)?.ok_or_else(|| Error::corrupt(format!("there is no operation {seq}")))?;
        Ok(Link { seq, hash })
    };
    std::iter::once(Ok(base)).chain(seqs.map(link)).collect()
}
