//! Writing: header, lines and footer go out as they come, hashed on the way.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::frame::{BOOK_BYTES, Footer, HEADER_BYTES, LINE_BYTES, MOST_BYTES, UP_BYTES};
use super::header::Header;
use super::keys::SigningKey;
use crate::error::{Error, Result};
use crate::hash::Hash;

/// An exchange file that is being written.
///
/// The header tells how many lines and which price books will come: first each price book in its order, then each line, then
/// the end. The bytes are the same whenever, and packed by whatever, the same is written with the same key.
pub struct Outgoing<W: Write> {
    out: Packing<W>,
    header: Header,
    hasher: blake3::Hasher,
    bytes: u64,
    books: usize,
    lines: i64,
}

enum Packing<W: Write> {
    Plain(W),
    Packed(Box<GzEncoder<W>>),
}

impl<W: Write> std::fmt::Debug for Outgoing<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<W: Write> Outgoing<W> {
    /// Writes the header; `packed` writes a gzip.
    ///
    /// # Errors
    /// `bad_file` with the reason `limits` when the header tells of more than a file may hold; `disk_full`, `storage`.
    pub fn begin(out: W, header: Header, packed: bool) -> Result<Self> {
        header.check()?;
        let out = match packed {
            true => Packing::Packed(Box::new(GzEncoder::new(out, Compression::default()))),
            false => Packing::Plain(out),
        };
        let line = header.line()?;
        let mut file = Outgoing { out, header, hasher: blake3::Hasher::new(), bytes: 0, books: 0, lines: 0 };
        file.write(&line, HEADER_BYTES)?;
        Ok(file)
    }

    /// Writes the next price book of the header. One longer than 256 KiB is only named: the other side keeps the charges, and
    /// cannot tell what they should have cost.
    ///
    /// # Errors
    /// `invalid_argument` when it is not the next one; `bad_file` (`limits`), `disk_full`, `storage`.
    pub fn price_book(&mut self, text: &str) -> Result<()> {
        let hash = Hash::of(text.as_bytes());
        if self.header.price_books().get(self.books) != Some(&hash) {
            return Err(out_of_turn(format!("the price book {hash} does not come next")));
        }
        let text = Some(text).filter(|text| text.len() <= BOOK_BYTES);
        let text = serde_json::to_string(&text).map_err(|error| Error::storage(error.to_string()))?;
        self.books = self.books.saturating_add(1);
        self.write(&format!("{{\"book\":\"{hash}\",\"text\":{text}}}"), LINE_BYTES)
    }

    /// Writes the next line: a JSON object without line breaks.
    ///
    /// # Errors
    /// `invalid_argument` when price books are still to come, all lines are written, or it breaks; `bad_file` (`limits`),
    /// `disk_full`, `storage`.
    pub fn line(&mut self, line: &str) -> Result<()> {
        if self.books < self.header.price_books().len() || self.lines >= self.header.count() {
            return Err(out_of_turn("no line comes next"));
        }
        if !line.starts_with('{') || line.contains(['\n', '\r']) {
            return Err(out_of_turn("the line is no object in one line"));
        }
        self.lines = self.lines.saturating_add(1);
        let most = if matches!(self.header, Header::Up(_)) { UP_BYTES } else { LINE_BYTES };
        self.write(line, most)
    }

    /// Writes the last line; the digest, which the file's name contains.
    ///
    /// # Errors
    /// `invalid_argument` when lines are still to come; `disk_full`, `storage`.
    pub fn finish(mut self, key: &SigningKey) -> Result<Hash> {
        if self.books < self.header.price_books().len() || self.lines < self.header.count() {
            return Err(out_of_turn("lines are still to come"));
        }
        let head = match &self.header {
            Header::Up(up) => Some(up.head),
            _ => None,
        };
        let digest = Hash::from(*self.hasher.finalize().as_bytes());
        let footer = Footer::signed(self.lines, head, self.bytes, digest, key).line()?;
        self.write(&footer, UP_BYTES)?;
        let out = match self.out {
            Packing::Plain(mut out) => out.flush(),
            Packing::Packed(packed) => packed.finish().and_then(|mut out| out.flush()),
        };
        out.map_err(|error| trouble(&error))?;
        Ok(digest)
    }

    fn write(&mut self, line: &str, most: usize) -> Result<()> {
        let length = line.len() as u64;
        self.bytes = self.bytes.saturating_add(length).saturating_add(1);
        if line.len() > most || self.bytes > MOST_BYTES {
            return Err(Error::bad_file("limits", format!("a line of {length} bytes is more than it may hold")));
        }
        let out: &mut dyn Write = match &mut self.out {
            Packing::Plain(out) => out,
            Packing::Packed(out) => out,
        };
        for piece in [line.as_bytes(), b"\n"] {
            self.hasher.update(piece);
            out.write_all(piece).map_err(|error| trouble(&error))?;
        }
        Ok(())
    }
}

fn out_of_turn(message: impl Into<String>) -> Error {
    Error::invalid("exchange file", message, "write what its header tells of, in that order")
}

fn trouble(error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let message = format!("the exchange file cannot be written: {error}");
    match error.kind() {
        StorageFull | QuotaExceeded => Error::DiskFull { message },
        _ => Error::storage(message),
    }
}
