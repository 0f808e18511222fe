//! Exchange through a folder that both sides reach: on a disk of the network, on a stick that is carried, in one that is synced.
//!
//! Devices write into `up`, the hub into `down`; who wrote a file deletes it, once the other side has it. The names say in which order
//! files are read; all else is judged by what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Ledger;
use super::arrivals::{ImportTerms, Imported};
use super::down::{Exchange, at};
use crate::db::file_error;
use crate::error::{Error, Result};
use crate::exchange::{FileInfo, Header, Up, inspect, open_file};
use crate::model::{Role, device_tag};

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TakenFile {
    /// The file.
    pub file: PathBuf,
    /// What came of it.
    #[serde(flatten)]
    pub imported: Imported,
}

/// A file that was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedFile {
    /// The file.
    pub file: PathBuf,
    /// The code of the error.
    pub code: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What an exchange through a folder did. JSON shape `counterfoil.folder/1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FolderReport {
    /// What was taken of the other side, in order.
    pub taken: Vec<TakenFile>,
    /// What was not taken, and is left where it lies.
    pub refused: Vec<RefusedFile>,
    /// What was written.
    pub written: Vec<PathBuf>,
    /// What this side had written before, and is not needed any more.
    pub removed: Vec<PathBuf>,
}

impl FolderReport {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        !self.refused.is_empty() || self.taken.iter().any(|taken| taken.imported.needs_attention())
    }

    /// Notes what is wrong with a file; what is wrong with the ledger ends the run.
    fn refuse(&mut self, file: &Path, error: Error) -> Result<()> {
        let (code, message, help) = (error.code(), error.to_string(), error.help());
        match error {
            Error::BadFile { .. } | Error::FileTooNew { .. } | Error::NotForUs { .. } | Error::UnknownDevice { .. } => {
                self.refused.push(RefusedFile { file: file.into(), code, message, help });
                Ok(())
            }
            error => Err(error),
        }
    }
}

/// A file in a folder, by what its name says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    tag: String,
    /// Of one that goes up the first and last operation, of one that goes down the position and which part.
    order: (i64, i64),
    path: PathBuf,
}

impl Named {
    /// `cf-<kind>-<tag>-<number>-<number or part>…-<digest>.cfx[.gz]`.
    fn of(path: PathBuf, kind: &str) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let stem = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".cfx")?;
        let mut parts = stem.strip_prefix("cf-")?.strip_prefix(kind)?.strip_prefix('-')?.split('-');
        let tag = parts.next()?.to_string();
        let first = parts.next()?.parse().ok()?;
        let second = parts.next()?;
        let second = second.split_once("of").map_or(second, |(part, _)| part).parse().ok()?;
        Some(Named { tag, order: (first, second), path })
    }

    /// Those of a folder, in the order in which they are to be read.
    fn all(folder: &Path, kind: &str) -> Result<Vec<Self>> {
        let failed = |error: &std::io::Error| file_error(folder, error);
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| failed(&error))? {
            found.extend(Named::of(entry.map_err(|error| failed(&error))?.path(), kind));
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl Exchange<'_> {
    /// Exchanges everything with the other side through a folder: takes what has come, writes what is to go, and deletes what this
    /// side wrote and nobody needs any more. It makes the folders `up` and `down` in it where they are missing. A file that is
    /// refused does not keep others from being taken. Run it as often as you like, on both sides, in any order, and also while
    /// files are on their way.
    ///
    /// ```
    /// # use counterfoil::*; let folder = tempfile::tempdir()?;
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol};
    /// # let hub = Ledger::create(folder.path().join("hub.ledger"))?;
    /// # hub.become_hub(&Key::new("hub")?, BecomeHub::new(hub.new_signer()?.key().public(), "head office"))?;
    /// # let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// # let (device, key) = (kiosk.info()?.device, kiosk.new_signer()?.key().public());
    /// # hub.admit(&Key::new("1")?, Admit::new(device, key, "kiosk 12", &DevicePolicy::default()))?;
    /// # kiosk.enrol(&Key::new("1")?, Enrol::new(&hub.certificate(&device)?))?;
    /// let (card, shared) = (AccountId::new("card-7")?, folder.path());
    /// kiosk.consume(&card, &Key::new("sale:1")?, Consume::points(Points::new(30)?))?;
    /// hub.recharge(&card, &Key::new("order:1")?, Recharge::new(Points::new(100)?, "wxpay"))?;
    /// kiosk.exchange().run(&shared)?;
    /// hub.exchange().run(&shared)?;
    /// assert_eq!(hub.balance(&card)?.figures.available, 70);
    /// kiosk.exchange().run(&shared)?;
    /// assert_eq!(kiosk.balance(&card)?.figures.available, 70);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is by itself; `invalid_argument` when the folder is not there; as for [`Ledger::signer`] and [`Ledger::export`]; `disk_full`, `storage` when the
    /// folder cannot be read or written: what was taken before stays so.
    pub fn run(&self, folder: impl AsRef<Path>) -> Result<FolderReport> {
        let (up, down) = (folder.as_ref().join("up"), folder.as_ref().join("down"));
        let info = self.ledger.info()?;
        if info.role == Role::Standalone {
            let message = "this file is by itself, and exchanges nothing".into();
            let help = "make it a hub, or the device of one".into();
            return Err(Error::RoleConflict { role: info.role.as_str(), message, help });
        }
        // A stick that is not there must not become a folder on this disk, into which everything goes from then on.
        if !folder.as_ref().is_dir() {
            let message = format!("there is no folder {}", folder.as_ref().display());
            return Err(Error::invalid("folder", message, "put the stick in or mount the share; or make the folder"));
        }
        for folder in [&up, &down] {
            fs::create_dir_all(folder).map_err(|error| file_error(folder, &error))?;
        }
        let mut report = FolderReport::default();
        match info.role {
            Role::Hub => self.ledger.run_hub(&up, &down, &mut report)?,
            _ => self.ledger.run_device(&format!("{:08x}", device_tag(&info.device)), &up, &down, &mut report)?,
        }
        Ok(report)
    }
}

impl Ledger {
    fn run_device(&self, tag: &str, up: &Path, down: &Path, report: &mut FolderReport) -> Result<()> {
        for file in Named::all(down, "down")?.into_iter().filter(|file| file.tag == tag) {
            match open_file(&file.path).and_then(|reader| self.exchange().import(reader)) {
                Ok(imported) => report.taken.push(TakenFile { file: file.path, imported }),
                // That of a copy of this file, which parted from it.
                Err(Error::NotForUs { .. }) => {}
                Err(error) => report.refuse(&file.path, error)?,
            }
        }
        let written = self.export_into(up, true)?;
        report.written.extend(written.into_iter().map(|(path, _)| path));
        // The hub has what is in it, or it is in what was just written.
        for file in Named::all(up, "up")?.into_iter().filter(|file| file.tag == tag) {
            if !report.written.contains(&file.path) && self.has_sent(&file.path)? {
                remove(&file.path, report)?;
            }
        }
        Ok(())
    }

    /// Whether a file that goes up is of this very log.
    fn has_sent(&self, path: &Path) -> Result<bool> {
        let Ok(FileInfo { header: Header::Up(up), .. }) = open_file(path).and_then(inspect) else { return Ok(false) };
        Ok(up.device == self.info()?.device && self.has(up.head.seq, up.head.hash)?)
    }

    fn run_hub(&self, up: &Path, down: &Path, report: &mut FolderReport) -> Result<()> {
        let mut left = Named::all(up, "up")?;
        let mut sent: BTreeMap<String, Vec<Up>> = BTreeMap::new();
        // What waits is taken once what lies before it has come.
        loop {
            let before = left.len();
            let mut waits = Vec::new();
            for file in left {
                match self.take_file(&file.path) {
                    Ok((up, Imported::Operations(taken))) if taken.waits => {
                        waits.push((file, up, Imported::Operations(taken)));
                    }
                    Ok((up, imported)) => {
                        sent.entry(file.tag).or_default().push(up);
                        report.taken.push(TakenFile { file: file.path, imported });
                    }
                    Err(error) => report.refuse(&file.path, error)?,
                }
            }
            if waits.is_empty() || waits.len() == before {
                for (file, up, imported) in waits {
                    sent.entry(file.tag).or_default().push(up);
                    report.taken.push(TakenFile { file: file.path, imported });
                }
                break;
            }
            left = waits.into_iter().map(|(file, ..)| file).collect();
        }
        self.reply_into(sent, down, report)
    }

    fn take_file(&self, path: &Path) -> Result<(Up, Imported)> {
        let mut reader = open_file(path)?;
        let file = inspect(&mut reader)?;
        let up = match &file.header {
            Header::Up(up) => up.clone(),
            _ => return Err(Error::not_for_us("a hub takes files that go up")),
        };
        self.import_up(file, reader, ImportTerms::default()).map(|taken| (up, Imported::Operations(taken)))
    }

    /// Answers the newest file of each device; a device of which there are copies has several. One that was answered, and nothing has
    /// happened since, is not answered again.
    fn reply_into(&self, sent: BTreeMap<String, Vec<Up>>, down: &Path, report: &mut FolderReport) -> Result<()> {
        let there = Named::all(down, "down")?;
        let position = self.info()?.operations;
        for (tag, own) in sent {
            let old: Vec<&Named> = there.iter().filter(|file| file.tag == tag).collect();
            if old.iter().any(|file| file.order.0 == position) {
                continue;
            }
            let newest = own.iter().map(|up| up.exported_at).max();
            for up in &own {
                if Some(up.exported_at) == newest || self.look(|look| look.is_leaf(at(up.head)))? {
                    self.reply_to(up, true, |part| {
                        report.written.push(part.save(down)?);
                        Ok(())
                    })?;
                }
            }
            old.into_iter().try_for_each(|file| remove(&file.path, report))?;
        }
        Ok(())
    }
}

/// A file that somebody else has deleted is gone all the same.
fn remove(path: &Path, report: &mut FolderReport) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_error(path, &error)),
        _ => report.removed.push(path.into()),
    }
    Ok(())
}
