//! Writing the files that go down: how accounts stand at the hub, in parts that one file each can hold.

use std::path::{Path, PathBuf};

use super::disk;
use super::frame::LINE_BYTES;
use super::header::{Down, Header};
use super::keys::SigningKey;
use super::outgoing::Outgoing;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountId, Carried};

/// A part ends at so many lines, or when they are so long.
const MOST_LINES: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

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

/// Writes an answer and hands it over part by part. Lines are made twice and kept for one part at most: once to know how many
/// parts there are.
pub(crate) fn answer(
    down: &Down,
    (accounts, verdicts): (&[AccountId], &[VerdictOn]),
    books: &impl Accounts,
    (key, packed): (&SigningKey, bool),
    mut each: impl FnMut(Part) -> Result<()>,
) -> Result<()> {
    let parts = cut(accounts, verdicts, books)?;
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    for (k, (accounts, verdicts)) in (1..).zip(parts) {
        let lines = accounts.len().saturating_add(verdicts.len());
        let down = Down { part: (k, count), count: i64::try_from(lines).unwrap_or(i64::MAX), ..down.clone() };
        let header = Header::Down(Box::new(down));
        let mut bytes = Vec::new();
        let mut out = Outgoing::begin(&mut bytes, header.clone(), packed)?;
        accounts.iter().try_for_each(|account| out.line(&line(account, books)?))?;
        verdicts.iter().try_for_each(|on| out.line(&verdict(on)?))?;
        let digest = out.finish(key)?;
        each(Part { header, digest, packed, bytes })?;
    }
    Ok(())
}

/// Where one part ends and the next begins; there is one at least.
fn cut<'a>(
    accounts: &'a [AccountId],
    verdicts: &'a [VerdictOn],
    books: &impl Accounts,
) -> Result<Vec<(&'a [AccountId], &'a [VerdictOn])>> {
    let (mut parts, mut rest) = (Vec::new(), accounts);
    let (mut bytes, mut taken) = (0_usize, 0_usize);
    for account in accounts {
        let length = line(account, books)?.len();
        bytes = bytes.saturating_add(length);
        if taken > 0 && (taken >= MOST_LINES || bytes > MOST_BYTES) {
            let (part, after) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            parts.push((part, [].as_slice()));
            (rest, bytes, taken) = (after, length, 0);
        }
        taken = taken.saturating_add(1);
    }
    parts.push((rest, verdicts));
    Ok(parts)
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
