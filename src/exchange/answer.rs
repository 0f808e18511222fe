//! Writing the files that go down: how accounts stand at the hub, in parts that one file each can hold.

use std::path::{Path, PathBuf};

use super::disk;
use super::frame::{Filling, LINE_BYTES, USUAL_BYTES};
use super::header::{Down, Header};
use super::keys::SigningKey;
use super::outgoing::Outgoing;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountId, Carried};

/// What the first line and the last may take of a part.
const ROOM: usize = 16 << 10;

/// What is read of a hub's books, as of one moment.
pub(crate) trait Accounts {
    /// An account as the device gets to know it, with its rows or without.
    fn account(&self, id: &AccountId, rows: bool) -> Result<Carried>;
}

/// The verdict on an operation that was not booked as it was, by its number in the device's log.
pub type VerdictOn = (i64, String);

/// A file of an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Part {
    /// Its first line: with the digest it gives the file its name ([`Header::file_name`]).
    pub header: Header,
    /// The BLAKE3 of its bytes before its last line, unpacked.
    pub digest: Hash,
    /// It is a gzip.
    pub packed: bool,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Part {
    /// Writes it into a folder, under its name and synced: it is there whole or not at all.
    ///
    /// # Errors
    /// `read_only`, `disk_full`, `storage`.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<PathBuf> {
        let path = folder.as_ref().join(self.header.file_name(&self.digest, self.packed));
        disk::Part::beside(&path, &self.bytes)?.replace(&path)?;
        Ok(path)
    }
}

/// Writes an answer and hands it over part by part. How many parts there are is known when all lines were made: those of the last
/// part are kept, the others are made again.
pub(crate) fn answer(
    down: &Down,
    (accounts, verdicts): (&[AccountId], &[VerdictOn]),
    books: &impl Accounts,
    (key, packed): (&SigningKey, bool),
    mut each: impl FnMut(Part) -> Result<()>,
) -> Result<()> {
    let Cut { parts, last } = cut(accounts, verdicts, books)?;
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    for (k, (accounts, verdicts)) in (1..).zip(parts) {
        let lines = accounts.len().saturating_add(verdicts.len());
        let down = Down { part: (k, count), count: i64::try_from(lines).unwrap_or(i64::MAX), ..down.clone() };
        let header = Header::Down(Box::new(down));
        // No more than it takes: growing by itself it would take twice as much.
        let mut bytes = Vec::with_capacity(if packed { 0 } else { USUAL_BYTES.saturating_add(ROOM) });
        let mut out = Outgoing::begin(&mut bytes, header.clone(), packed)?;
        match k == count {
            true => last.lines().try_for_each(|line| out.line(line))?,
            false => accounts.iter().try_for_each(|account| out.line(&line(account, books)?))?,
        }
        verdicts.iter().try_for_each(|on| out.line(&verdict(on)?))?;
        let digest = out.finish(key)?;
        each(Part { header, digest, packed, bytes })?;
    }
    Ok(())
}

/// Where one part ends and the next begins.
struct Cut<'a> {
    /// There is one at least.
    parts: Vec<(&'a [AccountId], &'a [VerdictOn])>,
    /// The lines of accounts of the last.
    last: String,
}

fn cut<'a>(accounts: &'a [AccountId], verdicts: &'a [VerdictOn], books: &impl Accounts) -> Result<Cut<'a>> {
    let (mut parts, mut rest) = (Vec::new(), accounts);
    let (mut last, mut taken, mut filling) = (String::with_capacity(USUAL_BYTES), 0_usize, Filling::default());
    for account in accounts {
        let line = line(account, books)?;
        if !filling.takes(line.len()) {
            let (part, after) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            parts.push((part, [].as_slice()));
            (rest, taken) = (after, 0);
            last.clear();
        }
        last.push_str(&line);
        last.push('\n');
        taken = taken.saturating_add(1);
    }
    parts.push((rest, verdicts));
    Ok(Cut { parts, last })
}

/// An account with more rows than a line can hold goes without them.
fn line(account: &AccountId, books: &impl Accounts) -> Result<String> {
    let written = |carried: Carried| carried.line().map_err(Error::storage);
    let line = written(books.account(account, true)?)?;
    if line.len() <= LINE_BYTES { Ok(line) } else { written(books.account(account, false)?) }
}

fn verdict((seq, verdict): &VerdictOn) -> Result<String> {
    let text = serde_json::to_string(verdict).map_err(|error| Error::storage(error.to_string()))?;
    Ok(format!("{{\"s\":{seq},\"verdict\":{text}}}"))
}
