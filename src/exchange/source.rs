//! An exchange file as lines, packed or not, with the limits that hold of any: no more is kept than one line.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::frame::MOST_BYTES;
use crate::error::{Error, Result};

/// With what a gzip begins; no JSON does.
const GZIP: u8 = 0x1f;
/// How much of a file is read at once.
const READ: usize = 64 << 10;

pub(super) struct Source<R: Read> {
    bytes: Bytes<R>,
    /// How many were read, unpacked.
    read: u64,
}

enum Bytes<R: Read> {
    Plain(BufReader<R>),
    Packed(Box<BufReader<GzDecoder<BufReader<R>>>>),
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Result<Self> {
        let mut plain = BufReader::with_capacity(READ, reader);
        let packed = plain.fill_buf().map_err(|error| trouble(&error))?.first() == Some(&GZIP);
        let bytes = match packed {
            true => Bytes::Packed(Box::new(BufReader::with_capacity(READ, GzDecoder::new(plain)))),
            false => Bytes::Plain(plain),
        };
        Ok(Source { bytes, read: 0 })
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self.bytes, Bytes::Packed(_))
    }

    /// The next line, its end included, in the place of the last; false when there is none.
    pub(super) fn line(&mut self, line: &mut Vec<u8>, most: usize) -> Result<bool> {
        line.clear();
        loop {
            let found = match &mut self.bytes {
                Bytes::Plain(plain) => plain.fill_buf(),
                Bytes::Packed(packed) => packed.fill_buf(),
            };
            let found = found.map_err(|error| trouble(&error))?;
            if found.is_empty() {
                return if line.is_empty() { Ok(false) } else { Err(cut("it ends within a line")) };
            }
            let end = found.iter().position(|byte| *byte == b'\n');
            let piece = found.get(..end.map_or(found.len(), |end| end.saturating_add(1))).unwrap_or(found);
            let taken = piece.len();
            self.read = self.read.saturating_add(taken as u64);
            if self.read > MOST_BYTES {
                return Err(Error::bad_file("limits", format!("it is longer than {MOST_BYTES} bytes")));
            }
            if line.len().saturating_add(taken).saturating_sub(usize::from(end.is_some())) > most {
                return Err(Error::bad_file("limits", format!("it has a line longer than {most} bytes")));
            }
            line.extend_from_slice(piece);
            match &mut self.bytes {
                Bytes::Plain(plain) => plain.consume(taken),
                Bytes::Packed(packed) => packed.consume(taken),
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        let left = match &mut self.bytes {
            Bytes::Plain(plain) => plain.fill_buf(),
            // The end of what was packed is read by reading on; then comes what lies behind it.
            Bytes::Packed(packed) => match packed.fill_buf() {
                Ok([]) => packed.get_mut().get_mut().fill_buf(),
                other => other,
            },
        };
        Ok(left.map_err(|error| trouble(&error))?.is_empty())
    }
}

/// Something is missing at its end.
pub(super) fn cut(message: impl Into<String>) -> Error {
    Error::bad_file("truncated", message)
}

fn trouble(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => cut("its gzip ends too early"),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            Error::bad_file("digest", format!("its gzip is damaged: {error}"))
        }
        _ => Error::storage(format!("the exchange file cannot be read: {error}")),
    }
}
