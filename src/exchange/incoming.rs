//! Reading, pass 1: whether a file is whole and genuine. It keeps one line at a time, and writes nothing.

use std::io::{Read, Seek};

use serde::Serialize;
use uuid::Uuid;

use super::fields::{Fields, format};
use super::frame::{BOOK_BYTES, BOOK_LINE_BYTES, FOOTER, Footer, HEADER_BYTES, LINE_BYTES, UP_BYTES};
use super::header::{Down, Header, Link, Up};
use super::source::{Source, cut};
use super::{down, up};
use crate::error::{Error, Result};
use crate::hash::{Half, Hash, PublicKey};
use crate::model::{MAX_SEQUENCE, Writer};

/// An exchange file that is whole. Whose it is, and whether its operations are those of a log, its [`signed_by`] tells.
///
/// [`signed_by`]: FileInfo::signed_by
#[derive(Serialize)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its first line.
    pub header: Header,
    /// How many bytes it has before its last line, unpacked.
    pub bytes: u64,
    /// Their BLAKE3.
    pub digest: Hash,
    /// The id of the key it says it is signed with.
    pub key: String,
    /// It is a gzip.
    pub packed: bool,
    #[serde(skip)]
    footer: Footer,
    /// Where its operations are not those of a log.
    #[serde(skip)]
    broken: Option<String>,
    /// The hashes of its operations, or of its lines, by their first halves.
    #[serde(skip)]
    pub(super) links: Vec<Half>,
}

impl std::fmt::Debug for FileInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileInfo").field("header", &self.header).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Reads an exchange file once, from its beginning: whether it is within all limits, well formed and whole. Takes less than
/// 8 MiB of memory, however long it is.
///
/// ```
/// use counterfoil::exchange::{Ask, Header, Link, Outgoing, SigningKey, inspect};
/// use std::io::Cursor;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = counterfoil::Ledger::create(folder.path().join("points.ledger"))?;
/// # let (info, now) = (ledger.info()?, counterfoil::chrono::Utc::now());
/// let key = SigningKey::generate()?;
/// let head = Link { seq: info.operations, hash: info.head };
/// let mut ask = Ask::new(info.ledger, info.device, info.epoch, key.public(), head, now);
/// ask.name = "Kiosk 7".into();
/// let mut bytes = Vec::new();
/// Outgoing::begin(&mut bytes, Header::Ask(ask), false)?.finish(&key)?;
///
/// let file = inspect(Cursor::new(&bytes))?;
/// assert_eq!(file.header.device(), info.device);
/// file.signed_by(&key.public())?;
/// bytes[20] ^= 1;
/// assert_eq!(inspect(Cursor::new(&bytes)).unwrap_err().code(), "bad_file");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `bad_file` with the reason `limits` or `format`; `file_too_new`; `bad_file` with `truncated` or `digest`; `storage` when
/// it cannot be read. In this order, except that of a file for newer readers nothing but its first line is judged.
pub fn inspect(reader: impl Read + Seek) -> Result<FileInfo> {
    let mut pass = Pass::begin(reader)?;
    let header = Header::read(pass.text())?;
    for hash in header.price_books() {
        pass.price_book(hash)?;
    }
    // As long as it gets: growing by itself it would take twice as much.
    let mut links = Vec::with_capacity(usize::try_from(header.count()).unwrap_or(0));
    let (broken, head) = match &header {
        Header::Up(up) => (pass.operations(up, &mut links)?, Some(up.head)),
        Header::Ask(_) | Header::Cert(_) => (None, None),
        Header::Down(down) => (pass.answer(down, &mut links)?, None),
        Header::Evidence(_) => (pass.accounts(header.count(), &mut links)?, None),
    };
    let footer = pass.footer(header.count(), head)?;
    let (bytes, digest, key, packed) = (footer.bytes, footer.digest, footer.key.clone(), pass.source.is_packed());
    Ok(FileInfo { header, bytes, digest, key, packed, footer, broken, links })
}

impl FileInfo {
    /// Whether it is for, or from, this hub; and for, or from, this device where one is given.
    ///
    /// # Errors
    /// `not_for_us`.
    pub fn concerns(&self, hub: Uuid, device: Option<Uuid>) -> Result<()> {
        if let Some(named) = self.header.hub().filter(|named| *named != hub) {
            return Err(Error::not_for_us(format!("it names the hub {named}, this is {hub}")));
        }
        match device.filter(|device| *device != self.header.device()) {
            Some(device) => {
                Err(Error::not_for_us(format!("it names the device {}, this is {device}", self.header.device())))
            }
            None => Ok(()),
        }
    }

    /// Whether this key has signed it, and, of a file that goes up, whether its operations follow each other as their hashes
    /// say.
    ///
    /// # Errors
    /// `bad_file` with the reason `signature`, then `chain`.
    pub fn signed_by(&self, key: &PublicKey) -> Result<()> {
        self.footer.check(key)?;
        self.broken.as_ref().map_or(Ok(()), |broken| Err(Error::bad_file("chain", broken.as_str())))
    }
}

pub(super) struct Pass<R: Read> {
    source: Source<R>,
    line: Vec<u8>,
    hasher: blake3::Hasher,
    /// Of the lines that were hashed.
    bytes: u64,
}

impl<R: Read + Seek> Pass<R> {
    /// With the first line read.
    pub(super) fn begin(mut reader: R) -> Result<Self> {
        reader.rewind().map_err(|error| Error::storage(format!("the exchange file cannot be read: {error}")))?;
        let mut pass = Pass { source: Source::new(reader)?, line: Vec::new(), hasher: blake3::Hasher::new(), bytes: 0 };
        match pass.next(HEADER_BYTES)? {
            true => Ok(pass),
            false => Err(cut("it is empty")),
        }
    }
}

impl<R: Read> Pass<R> {
    /// Reads a line of the part that is signed.
    fn next(&mut self, most: usize) -> Result<bool> {
        let any = self.source.line(&mut self.line, most)?;
        if any && !self.line.starts_with(FOOTER) {
            self.hasher.update(&self.line);
            self.bytes = self.bytes.saturating_add(self.line.len() as u64);
        }
        Ok(any)
    }

    /// Reads a line there must be, of which the header told.
    fn must(&mut self, most: usize) -> Result<()> {
        if !self.next(most)? {
            return Err(cut("it ends before its last line"));
        }
        match self.line.starts_with(FOOTER) {
            true => Err(cut("it has fewer lines than its first line tells of")),
            false => Ok(()),
        }
    }

    /// The line without its end.
    fn text(&self) -> &[u8] {
        self.line.strip_suffix(b"\n").unwrap_or(&self.line)
    }

    /// The text of a price book, where it is there.
    pub(super) fn price_book(&mut self, hash: &Hash) -> Result<Option<String>> {
        self.must(BOOK_LINE_BYTES)?;
        let mut fields = Fields::of(self.text())?;
        let (named, text): (Hash, Option<String>) = (fields.must("book")?, fields.must("text")?);
        fields.pass_over()?;
        if named != *hash {
            return Err(format(format_args!("the price book {named} stands in the place of {hash}")));
        }
        match text {
            Some(text) if text.len() > BOOK_BYTES => {
                Err(Error::bad_file("limits", format!("a price book is longer than {BOOK_BYTES} bytes")))
            }
            Some(text) if Hash::of(text.as_bytes()) != *hash => {
                Err(format(format_args!("the text of the price book {hash} has another hash")))
            }
            text => Ok(text),
        }
    }

    /// The next operation's line.
    pub(super) fn operation(&mut self) -> Result<&[u8]> {
        self.must(UP_BYTES)?;
        Ok(self.text())
    }

    /// The next line that goes down.
    pub(super) fn told(&mut self) -> Result<&[u8]> {
        self.must(LINE_BYTES)?;
        Ok(self.text())
    }

    /// Follows the chain; what is wrong with that, if anything, is told when it is known whose file it is.
    fn operations(&mut self, up: &Up, links: &mut Vec<Half>) -> Result<Option<String>> {
        let writer = Writer { device: up.device, epoch: up.epoch };
        let (mut last, mut broken) = (up.base, None);
        for _ in 0..up.count {
            self.must(UP_BYTES)?;
            let line = up::read(self.text())?;
            let next = up::link(&line, &last, writer, &up.price_books)?;
            if next.seq != last.seq.saturating_add(1) {
                broken.get_or_insert_with(|| format!("operation {} follows {}", next.seq, last.seq));
            }
            last = next;
            links.push(last.hash.half());
        }
        if last != up.head {
            let Link { seq, hash } = last;
            broken.get_or_insert_with(|| format!("it leads to {hash} as operation {seq}, and names {}", up.head.hash));
        }
        Ok(broken)
    }

    /// Accounts, and verdicts on operations.
    fn answer(&mut self, down: &Down, lines: &mut Vec<Half>) -> Result<Option<String>> {
        let acked = down.ack.map_or(0, |ack| ack.seq);
        for _ in 0..down.count {
            self.must(LINE_BYTES)?;
            let mut fields = Fields::of(self.text())?;
            let account = fields.may::<String>("a")?.is_some();
            if !account {
                fields.number("s", 1..=MAX_SEQUENCE)?;
                fields.must::<String>("verdict")?;
            }
            fields.pass_over()?;
            if account && !down.accounts {
                return Err(format("it tells of an account, and that it tells of none"));
            }
            if account {
                down::account(self.text(), acked)?;
            }
            lines.push(Hash::of(self.text()).half());
        }
        Ok(None)
    }

    /// Accounts alone, as they once came down.
    fn accounts(&mut self, count: i64, lines: &mut Vec<Half>) -> Result<Option<String>> {
        for _ in 0..count {
            self.must(LINE_BYTES)?;
            down::account(self.text(), MAX_SEQUENCE)?;
            lines.push(Hash::of(self.text()).half());
        }
        Ok(None)
    }

    fn footer(&mut self, count: i64, head: Option<Link>) -> Result<Footer> {
        if !self.next(UP_BYTES)? {
            return Err(cut("it ends before its last line"));
        }
        if !self.line.starts_with(FOOTER) {
            return Err(format("it has more lines than its first line tells of"));
        }
        let footer = Footer::read(self.text())?;
        if !self.source.is_at_end()? {
            return Err(format("something follows its last line"));
        }
        if footer.count != count || footer.bytes != self.bytes || footer.head != head {
            return Err(cut("its last line does not tell of the lines before it"));
        }
        match footer.digest == Hash::from(*self.hasher.finalize().as_bytes()) {
            true => Ok(footer),
            false => Err(Error::bad_file("digest", "it is not as it was written: its digest differs")),
        }
    }
}
