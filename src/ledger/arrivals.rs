//! What a hub does with the files of its devices.

use std::io::{Read, Seek};

use serde::Serialize;

use super::Ledger;
use super::down::{Exchange, at, need};
use super::options::epochs;
use crate::error::{Error, Result};
use crate::exchange::{FileInfo, Header, HeardReport, ImportReport, LinkFlag, StagedLink, Up, inspect};
use crate::file::{Sent, Took};
use crate::model::{DeviceRow, FlagCode, Role, Writer};
use crate::units::Instant;

/// How a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportTerms {
    /// Say what would come of it, and write nothing.
    pub dry_run: bool,
    /// Take it although what lies before it is missing, and will not come any more. What gives points is set aside then.
    pub accept_gap: bool,
}

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Imported {
    /// At a hub: what a device sent.
    Operations(ImportReport),
    /// At a device: how its accounts stand at its hub.
    Accounts(HeardReport),
}

impl Imported {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        match self {
            Imported::Operations(report) => report.needs_attention(),
            Imported::Accounts(report) => report.needs_attention(),
        }
    }
}

impl Exchange<'_> {
    /// Takes a file of another ledger: at a hub what a device booked, at a device how its accounts stand there. It is read twice, from its beginning: first it is proven, then
    /// what is in it is booked, piece by piece, in transactions of about 20 ms. Taken again it changes nothing.
    ///
    /// # Errors
    /// As for [`inspect`]; then `not_for_us`, `unknown_device`, `bad_file` with the reason `signature` or `chain`: nothing was taken.
    /// `role_conflict` when this file takes no such files. `busy`, `disk_full`, `storage`: take it again.
    pub fn import(&self, reader: impl Read + Seek) -> Result<Imported> {
        self.import_on(reader, ImportTerms::default())
    }

    /// The same, on these terms.
    ///
    /// # Errors
    /// As for [`Exchange::import`].
    pub fn import_on(&self, mut reader: impl Read + Seek, terms: ImportTerms) -> Result<Imported> {
        let file = inspect(&mut reader)?;
        match file.header {
            Header::Down(_) if terms.dry_run => {
                let message = "what a device would make of an answer is not told beforehand";
                Err(Error::invalid("dry_run", message, "take it: taken again it changes nothing"))
            }
            Header::Down(_) => self.ledger.import_down(file, reader).map(Imported::Accounts),
            _ => self.ledger.import_up(file, reader, terms).map(Imported::Operations),
        }
    }
}

impl Ledger {
    /// Takes what a device of this hub booked. The file is read twice, from its beginning: first it is proven, then its operations
    /// are booked, one after the other, in transactions of about 20 ms. Taken again it changes nothing: what has come is known.
    ///
    /// # Errors
    /// As for [`inspect`](crate::exchange::inspect); then `not_for_us`, `unknown_device`, `bad_file` with the reason `signature` or
    /// `chain`: nothing was taken. `role_conflict` when this file is no hub. `busy`, `disk_full`, `storage`: take it again.
    pub(super) fn import_up(
        &self,
        mut file: FileInfo,
        reader: impl Read + Seek,
        terms: ImportTerms,
    ) -> Result<ImportReport> {
        let (up, device) = self.proven(&file)?;
        let mut report = ImportReport::of((up.device, &device.name), up.epoch, file.digest);
        report.regressed = self.look_back(&up, terms)?;
        if terms.accept_gap || self.look(|look| look.holds_link(at(up.base)))? {
            let mut again = file.again(reader)?;
            let sent = sent(&up, &file, std::mem::take(&mut again.price_books), terms)?;
            let own_terms = || crate::file::Terms { dry_run: terms.dry_run, ..self.terms() };
            report.tell(self.file.take_links(&sent, &mut again, &own_terms)?);
        } else {
            report.waits = true;
        }
        self.look(|look| {
            if look.path_to(at(up.head))?.is_some() {
                report.ack = Some(up.head);
            } else {
                report.need = need(look, &up)?;
            }
            Ok(report)
        })
    }

    /// What a file that goes up says first: proven to be from one of this hub's devices.
    pub(super) fn proven(&self, file: &FileInfo) -> Result<(Up, DeviceRow)> {
        let Header::Up(up) = &file.header else {
            return Err(Error::not_for_us("a hub takes files that go up"));
        };
        Ok((up.clone(), self.proven_device(file)?))
    }

    /// The device of this hub that a file is proven to be from.
    pub(super) fn proven_device(&self, file: &FileInfo) -> Result<DeviceRow> {
        let info = self.info()?;
        if info.role != Role::Hub {
            let message = "this file is no hub, and takes nothing of devices".into();
            return Err(Error::RoleConflict { role: info.role.as_str(), message, help: "take it to the hub".into() });
        }
        file.concerns(info.ledger, None)?;
        let id = file.header.device();
        let device = self.look(|look| look.device_of_hub(&id))?;
        let device = device.ok_or_else(|| Error::UnknownDevice { device: id.to_string() })?;
        file.signed_by(&device.public_key)?;
        Ok(device)
    }

    /// Whether a device has heard of a future that this hub does not have: it was set back, and begins a new epoch, later than any
    /// that was heard of.
    fn look_back(&self, up: &Up, terms: ImportTerms) -> Result<bool> {
        let mut strange = None;
        for position in up.seen.iter().chain(&up.newest) {
            if !self.look(|look| look.is_own_past((position.seq, position.hash)))? {
                strange = strange.max(Some(position.epoch));
            }
        }
        let Some(heard) = strange else { return Ok(false) };
        let own = self.info()?.epoch;
        if heard >= own && !terms.dry_run {
            let later = heard.saturating_sub(own);
            self.file.renew_epoch(later.saturating_add(epochs(self.ids.as_ref())), &self.terms())?;
        }
        Ok(true)
    }
}

fn sent(
    up: &Up,
    file: &FileInfo,
    price_books: Vec<(crate::hash::Hash, Option<String>)>,
    terms: ImportTerms,
) -> Result<Sent> {
    Ok(Sent {
        digest: file.digest,
        writer: Writer { device: up.device, epoch: up.epoch },
        base: at(up.base),
        exported_at: Instant::from_utc("exported_at", up.exported_at)?,
        price_books,
        gap: terms.accept_gap,
    })
}

impl ImportReport {
    fn tell(&mut self, took: Took) {
        let Took { booked, noted, duplicates, staged, flags, fork } = took;
        (self.booked, self.noted, self.duplicates, self.fork) = (booked, noted, duplicates, fork);
        self.staged = staged.into_iter().map(|(seq, reason)| StagedLink { seq, reason }).collect();
        let told = |(seq, flag, points): (i64, FlagCode, i64)| LinkFlag { seq, flag, points };
        self.flags = flags.into_iter().map(told).collect();
    }
}
