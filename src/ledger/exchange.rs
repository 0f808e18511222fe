//! The handle's verbs for exchanging operations with other ledgers: keys, and what a device sends.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Ledger;
use crate::error::{Error, Result};
use crate::exchange::{Exported, Gathered, Link, Log, Mark, Outgoing, Signer, Up, write_file};
use crate::hash::Hash;
use crate::model::{OperationRow, Role};
use crate::report::Info;

impl Log for Ledger {
    fn operations(&self, after: i64, most: usize) -> Result<Vec<OperationRow>> {
        self.look(|look| look.operations_after(after, most))
    }

    fn hash(&self, seq: i64) -> Result<Option<Hash>> {
        self.look(|look| look.hash_of(seq))
    }

    fn price_book(&self, hash: &Hash) -> Result<String> {
        self.look(|look| look.price_book_text(hash))
    }
}

/// Exchange.
impl Ledger {
    /// What the ledger signs with: the key of [`Options::signing_key`](crate::Options::signing_key), else that of the file
    /// `<ledger>.key`; and how far others were ever told of its operations.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.signer().unwrap_err().code(), "invalid_argument");
    /// let made = ledger.new_signer()?;
    /// assert_eq!(ledger.signer()?.key().public(), made.key().public());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` when there is no key file, or one that is broken, belongs to another ledger, is a link, or may be
    /// read by others than its owner; `read_only`, `storage`, `closed`.
    pub fn signer(&self) -> Result<Signer> {
        Signer::open(&self.path(), self.info()?.ledger, self.signing_key.clone())
    }

    /// Makes a key for the ledger, in `<ledger>.key`. Who has that file speaks for the ledger: keep it out of copies that
    /// others get.
    ///
    /// # Errors
    /// `ledger_exists` when there is such a file: nothing is overwritten; `read_only`, `disk_full`, `storage`, `closed`.
    pub fn new_signer(&self) -> Result<Signer> {
        Signer::create(&self.path(), self.info()?.ledger)
    }

    /// Writes what this device has booked since its hub has heard of it, as far as one file goes: 10 000 operations or 2 MiB. When
    /// there is nothing, it asks the hub how the accounts stand. The same may be sent any number of times.
    ///
    /// ```
    /// # use counterfoil::*; let folder = tempfile::tempdir()?;
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol, inspect};
    /// # let hub = Ledger::create(folder.path().join("hub.ledger"))?;
    /// # hub.become_hub(&Key::new("hub")?, BecomeHub::new(hub.new_signer()?.key().public(), "head office"))?;
    /// # let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// # let (device, key) = (kiosk.info()?.device, kiosk.new_signer()?.key().public());
    /// # hub.admit(&Key::new("1")?, Admit::new(device, key, "kiosk 12", &DevicePolicy::default()))?;
    /// # kiosk.enrol(&Key::new("1")?, Enrol::new(&hub.certificate(&device)?))?;
    /// let mut bytes = Vec::new();
    /// let sent = kiosk.export(&mut bytes, true)?;
    /// assert_eq!((sent.count, sent.more), (1, false), "that it has enrolled");
    /// inspect(std::io::Cursor::new(bytes))?.signed_by(&kiosk.signer()?.key().public())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Before anything is written, the mark beside the key is raised. A ledger that is found to be behind its mark was set
    /// back, and begins a new epoch first.
    ///
    /// # Errors
    /// `role_conflict` when this file is no device; as for [`Ledger::signer`] and [`Ledger::renew_epoch`]; `disk_full`, `storage`.
    pub fn export(&self, out: impl Write, packed: bool) -> Result<Exported> {
        let (gathered, signer) = self.gather(None)?;
        let mut file = Outgoing::begin(out, gathered.header(), packed)?;
        gathered.write(&mut file, self)?;
        file.finish(signer.key())?;
        Ok(gathered.told())
    }

    /// The same into a folder, all of it, as so many files as that takes: each under its own name, and there whole or not at all.
    ///
    /// # Errors
    /// As for [`Ledger::export`], and `read_only`: the files before it are there.
    pub fn export_into(&self, folder: impl AsRef<Path>, packed: bool) -> Result<Vec<(PathBuf, Exported)>> {
        let (mut files, mut after) = (Vec::new(), None);
        loop {
            let (gathered, signer) = self.gather(after)?;
            let header = gathered.header();
            let path = write_file(folder.as_ref(), header, packed, signer.key(), |file| gathered.write(file, self))?;
            let told = gathered.told();
            after = Some(gathered.up.head);
            files.push((path, told.clone()));
            if !told.more {
                return Ok(files);
            }
        }
    }

    /// What comes after an operation, or after those that the hub has.
    fn gather(&self, after: Option<Link>) -> Result<(Gathered, Signer)> {
        let mut info = self.info()?;
        let Some(hub) = info.hub.as_ref().map(|hub| hub.ledger) else {
            let message = "this file is no device, and sends its operations to no hub".into();
            let help = "ask a hub to admit it".into();
            return Err(Error::RoleConflict { role: info.role.as_str(), message, help });
        };
        let mut signer = self.own_signer(&info)?;
        if self.mind_mark(&signer, &mut info)? {
            signer = self.own_signer(&info)?;
        }
        let base = match after {
            Some(after) => after,
            None => self.look(|look| look.acked()).map(|(seq, hash)| Link { seq, hash })?,
        };
        let now = self.reading().at.utc();
        let up = self.heard_by(Up::new(hub, info.device, info.epoch, base, now))?;
        let gathered = Gathered::after(up, self)?;
        let Link { seq, hash } = gathered.up.head;
        signer.raise(Mark { epoch: gathered.up.epoch, seq, hash })?;
        Ok((gathered, signer))
    }

    /// A device's file that is opened behind its mark was set back by a copy: it begins a new epoch before it writes. Without its
    /// key it can tell nobody anything, and charges on.
    pub(super) fn mind_copies(&self) -> Result<()> {
        // Every file is asked when it is opened, and few are devices.
        if self.look(|look| Ok(look.role()))? != Role::Device {
            return Ok(());
        }
        let mut info = self.info()?;
        if let Ok(signer) = self.own_signer(&info) {
            self.mind_mark(&signer, &mut info)?;
        }
        Ok(())
    }

    /// A ledger that does not hold what its mark names was set back, and begins a new epoch before it goes on.
    pub(super) fn mind_mark(&self, signer: &Signer, info: &mut Info) -> Result<bool> {
        let Some(mark) = signer.mark() else { return Ok(false) };
        if self.has(mark.seq, mark.hash)? {
            return Ok(false);
        }
        self.renew_epoch()?;
        *info = self.info()?;
        Ok(true)
    }

    /// What an earlier epoch told others is nothing to a new one. Where the key is not, nor is the mark: it is found later not to be
    /// of this file, which then begins another epoch.
    pub(super) fn begin_mark(&self) -> Result<()> {
        let info = self.info()?;
        if info.role == Role::Device
            && let Ok(mut signer) = self.own_signer(&info)
        {
            signer.begin(Mark { epoch: info.epoch, seq: info.operations, hash: info.head })?;
        }
        Ok(())
    }

    /// The signer, whose key must be the one this file was given its role with.
    pub(super) fn own_signer(&self, info: &Info) -> Result<Signer> {
        let signer = self.signer()?;
        match info.public_key == Some(signer.key().public()) {
            true => Ok(signer),
            false => Err(other_key()),
        }
    }
}

fn other_key() -> Error {
    let help = "put back the key the ledger was admitted with, or have it admitted again under this one";
    Error::invalid("signing_key", "it is another key than others know of this ledger", help)
}
