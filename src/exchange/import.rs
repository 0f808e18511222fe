//! Reading, pass 2: the operations of a file that pass 1 has found whole, one after the other; and what is told of them.

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::header::Link;
use super::incoming::{FileInfo, Pass};
use crate::error::{Error, Result};
use crate::hash::{Half, Hash};
use crate::model::{FlagCode, StageReason, uuid_text};

/// An operation of a device that was set aside: it waits to be approved or dismissed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StagedLink {
    /// Its number in its device's log.
    pub seq: i64,
    /// Why.
    pub reason: StageReason,
}

/// What should be seen of an operation of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkFlag {
    /// Its number in its device's log; 0 for the file as a whole.
    pub seq: i64,
    /// What it is.
    pub flag: FlagCode,
    /// The points it is about; 0 where it is about none.
    pub points: i64,
}

/// What a hub made of a file from a device. JSON shape `counterfoil.import/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// Who sent it.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What people call it.
    pub name: String,
    /// The epoch its operations were booked in.
    pub epoch: i64,
    /// BLAKE3 of the file.
    pub digest: Hash,
    /// How many operations were booked.
    pub booked: i64,
    /// How many move nothing here, and were noted.
    pub noted: i64,
    /// How many had come before.
    pub duplicates: i64,
    /// Those that were set aside.
    pub staged: Vec<StagedLink>,
    /// What should be seen.
    pub flags: Vec<LinkFlag>,
    /// Nothing was taken: what lies before it has not come yet. Keep the file until it has.
    pub waits: bool,
    /// Two files have written in the device's name.
    pub fork: bool,
    /// The device has heard more of this hub than it knows itself: it was set back, and has begun a new epoch.
    pub regressed: bool,
    /// Up to which operation the hub has the device's log without a gap; none when something is missing.
    pub ack: Option<Link>,
    /// Where the device's next file has to begin, when something is missing.
    pub need: Option<Link>,
}

impl ImportReport {
    pub(crate) fn of((device, name): (Uuid, &str), epoch: i64, digest: Hash) -> Self {
        ImportReport {
            device,
            name: name.into(),
            epoch,
            digest,
            booked: 0,
            noted: 0,
            duplicates: 0,
            staged: Vec::new(),
            flags: Vec::new(),
            waits: false,
            fork: false,
            regressed: false,
            ack: None,
            need: None,
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        !self.staged.is_empty() || !self.flags.is_empty() || self.waits || self.fork || self.regressed
    }
}

/// The lines of a file that goes down, once more.
pub(crate) struct Told<R: Read> {
    pass: Pass<R>,
    /// What pass 1 has found each to be.
    lines: std::vec::IntoIter<Half>,
}

impl<R: Read + Seek> Told<R> {
    pub(super) fn begin(reader: R, books: &[Hash], lines: Vec<Half>) -> Result<Self> {
        let mut pass = Pass::begin(reader)?;
        books.iter().try_for_each(|hash| pass.price_book(hash).map(drop))?;
        Ok(Told { pass, lines: lines.into_iter() })
    }
}

impl<R: Read> Iterator for Told<R> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let hash = self.lines.next()?;
        let line = self.pass.told().and_then(|line| match Hash::of(line).half() == hash {
            true => String::from_utf8(line.to_vec()).map_err(|_| Error::bad_file("format", "it is not UTF-8")),
            false => Err(Error::bad_file("digest", "it changed while it was read")),
        });
        Some(line)
    }
}

/// The lines of a file that goes up, once more.
pub(crate) struct Again<R: Read> {
    pass: Pass<R>,
    /// What pass 1 has found of each: the file may be another by now.
    links: std::vec::IntoIter<Half>,
    pub(crate) price_books: Vec<(Hash, Option<String>)>,
}

impl FileInfo {
    /// Reads a file that tells of accounts once more, to take what it tells.
    pub(crate) fn told<R: Read + Seek>(&mut self, reader: R) -> Result<Told<R>> {
        Told::begin(reader, self.header.price_books(), std::mem::take(&mut self.links))
    }

    /// Reads a file that goes up once more, to take its operations.
    pub(crate) fn again<R: Read + Seek>(&mut self, reader: R) -> Result<Again<R>> {
        Again::begin(reader, self.header.price_books(), std::mem::take(&mut self.links))
    }
}

impl<R: Read + Seek> Again<R> {
    fn begin(reader: R, books: &[Hash], links: Vec<Half>) -> Result<Self> {
        let mut pass = Pass::begin(reader)?;
        let price_books = books.iter().map(|hash| Ok((*hash, pass.price_book(hash)?))).collect::<Result<_>>()?;
        Ok(Again { pass, links: links.into_iter(), price_books })
    }
}

impl<R: Read> Iterator for Again<R> {
    type Item = Result<(String, Half)>;

    fn next(&mut self) -> Option<Self::Item> {
        let hash = self.links.next()?;
        let line = self.pass.operation().and_then(|line| {
            String::from_utf8(line.to_vec()).map_err(|_| Error::bad_file("format", "it is not UTF-8"))
        });
        Some(line.map(|line| (line, hash)))
    }
}
