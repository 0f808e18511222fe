//! What a hub lost when it was set back, by what its devices were told before.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use super::down::Exchange;
use super::hearing::told;
use crate::error::{Error, Result};
use crate::exchange::{Evidence, Filling, Header, Position, inspect, write_file};
use crate::model::{AccountId, Carried, LostAccount, Role, uuid_text};
use crate::report::ToldOf;

/// What a file of evidence shows. JSON shape `counterfoil.evidence/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EvidenceReport {
    /// The device that was told.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// The newest position of the hub it was told of, in the epoch the file is about.
    pub position: Vec<Position>,
    /// This hub's own log leads there: it has lost nothing of that.
    pub is_own_past: bool,
    /// What it does not know, by account.
    pub accounts: Vec<LostAccount>,
}

impl EvidenceReport {
    /// Whether somebody should look at it.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        !self.accounts.is_empty()
    }
}

impl Exchange<'_> {
    /// On a device: writes what its hub has told it, into a folder: a hub that was set back finds in it what it lost. Files for each
    /// epoch of the hub, of about 2 MiB at most before they are packed. Every batch the device was ever told of is in one, and
    /// of each account what it was told last.
    ///
    /// ```
    /// # use counterfoil::*; let folder = tempfile::tempdir()?;
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol, open_file};
    /// # let hub = Ledger::create(folder.path().join("hub.ledger"))?;
    /// # hub.become_hub(&Key::new("hub")?, BecomeHub::new(hub.new_signer()?.key().public(), "head office"))?;
    /// # let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// # let (device, key) = (kiosk.info()?.device, kiosk.new_signer()?.key().public());
    /// # hub.admit(&Key::new("1")?, Admit::new(device, key, "kiosk 12", &DevicePolicy::default()))?;
    /// # kiosk.enrol(&Key::new("1")?, Enrol::new(&hub.certificate(&device)?))?;
    /// # let (card, shared) = (AccountId::new("card-7")?, folder.path());
    /// # kiosk.consume(&card, &Key::new("sale:1")?, Consume::points(Points::new(30)?))?;
    /// # for ledger in [&kiosk, &hub, &kiosk] { ledger.exchange().run(&shared)?; }
    /// let files = kiosk.exchange().write_evidence(folder.path(), true)?;
    /// let report = hub.exchange().read_evidence(open_file(&files[0])?)?;
    /// assert!(report.is_own_past && report.accounts.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no device; as for [`Ledger::signer`](crate::Ledger::signer); `read_only`, `disk_full`, `storage`.
    pub fn write_evidence(&self, folder: impl AsRef<Path>, packed: bool) -> Result<Vec<PathBuf>> {
        let ledger = self.ledger;
        let info = ledger.info()?;
        let Some(hub) = info.hub.as_ref().filter(|_| info.role == Role::Device) else {
            let message = "this file is no device, and was told nothing by a hub".into();
            let help = "take it from the devices".into();
            return Err(Error::RoleConflict { role: info.role.as_str(), message, help });
        };
        let signer = ledger.own_signer(&info)?;
        let now = ledger.reading().at.utc();
        let mut files = Vec::new();
        for epoch in ledger.look(|look| look.told_before())? {
            for lines in cut(&epoch.lines) {
                let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
                let position = vec![told(epoch.position)];
                let evidence = Evidence { position, count, ..Evidence::new(hub.ledger, info.device, now) };
                let header = Header::Evidence(evidence);
                files.push(write_file(folder.as_ref(), header, packed, signer.key(), |file| {
                    lines.iter().try_for_each(|(operation, n, _)| {
                        file.line(&ledger.look(|look| look.received_line(*operation, *n))?)
                    })
                })?);
            }
        }
        Ok(files)
    }

    /// At a hub: what a device was told and this hub does not know, because it was set back to an earlier state. Let the devices
    /// send what they did first: what comes again that way is known then. The rest is for an operator to enter: a batch by a recharge under
    /// the key `lost:<id>`, which no other file shows as lost then. It is what the device says, of the accounts it hears of and up to when
    /// it last heard: compare it with what was paid. Writes nothing.
    ///
    /// # Errors
    /// As for [`inspect`]; then `not_for_us`, `unknown_device`, `bad_file` with the reason `signature`; `role_conflict` when this
    /// file is no hub; and as for [`Ledger::balance`](crate::Ledger::balance).
    pub fn read_evidence(&self, mut reader: impl Read + Seek) -> Result<EvidenceReport> {
        let mut file = inspect(&mut reader)?;
        let Header::Evidence(evidence) = file.header.clone() else {
            return Err(Error::not_for_us("it is no evidence: a device writes that"));
        };
        let device = self.ledger.proven_device(&file)?;
        let lines = file.told(reader)?;
        self.ledger.look(|look| {
            let mut is_own_past = true;
            for position in &evidence.position {
                is_own_past &= look.is_own_past((position.seq, position.hash))?;
            }
            let mut told: BTreeMap<AccountId, ToldOf> = BTreeMap::new();
            for line in lines {
                let carried = Carried::read(&line?).map_err(|message| Error::bad_file("format", message))?;
                if !is_own_past {
                    look.add_told(&device, &carried, told.entry(carried.account.clone()).or_default())?;
                }
            }
            let lost = told.into_iter().map(|(id, told)| look.lost_of(id, told));
            let accounts =
                lost.filter(|lost| lost.as_ref().map_or(true, LostAccount::is_any)).collect::<Result<_>>()?;
            Ok(EvidenceReport { device: device.device, position: evidence.position, is_own_past, accounts })
        })
    }
}

/// As many lines as one file has.
fn cut(lines: &[(i64, i64, usize)]) -> Vec<&[(i64, i64, usize)]> {
    let mut filling = Filling::default();
    if let Some((.., length)) = lines.first() {
        filling.takes(*length);
    }
    lines.chunk_by(|_, (.., length)| filling.takes(*length)).collect()
}
