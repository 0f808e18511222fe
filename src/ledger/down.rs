//! The handle's verbs of a hub that tells its devices how their accounts stand.

use std::io::{Read, Seek};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Ledger;
use crate::error::{Error, Result};
use crate::exchange::{self, Accounts, Down, Leaf, Link, Part, Position, Up, VerdictOn, inspect};
use crate::hash::Hash;
use crate::model::{AccountId, Carried, ChainRow, Granted, Metadata};
use crate::report::{Ends, Look, Path};

/// A hub's accounts as of one look.
struct AsOf<'l, 'a, 'c> {
    look: &'l Look<'a, 'c>,
    path: Path<'l, 'a, 'c>,
    device: i64,
}

impl Accounts for AsOf<'_, '_, '_> {
    fn account(&self, id: &AccountId, rows: bool) -> Result<Carried> {
        if rows { self.look.carried(id, &self.path, self.device) } else { self.look.carried_figures(id) }
    }
}

/// What a file that goes down says first, whatever it answers: whose it is, how the hub stands, and what the device may do.
fn header(look: &Look<'_, '_>, device: &Uuid, now: DateTime<Utc>) -> Result<Down> {
    let certificate = look.certificate(device)?;
    let policy =
        serde_json::to_value(Granted::from(&certificate)).map_err(|error| Error::storage(error.to_string()))?;
    let down = Down::new(certificate.hub, certificate.hub_key, *device, Metadata::of(&policy), now);
    Ok(as_of(look, Down { expelled: look.is_expelled(device)?, ..down }))
}

/// The same, as of this look.
fn as_of(look: &Look<'_, '_>, down: Down) -> Down {
    let (epoch, seq, hash) = look.end_of_log();
    Down { position: vec![Position { shard: 0, epoch, seq, hash }], as_of: look.time().utc(), ..down }
}

/// What a device's file is answered.
struct Reply {
    down: Down,
    accounts: Vec<AccountId>,
    verdicts: Vec<VerdictOn>,
    /// What the hub has booked of the device's log, up to the acked link.
    path: Vec<(ChainRow, i64)>,
    /// The device's number at this hub.
    device: i64,
}

impl Reply {
    /// An ack and a base have to be of one moment and one branch: accounts are told of only where the file's last operation is
    /// among the newest the hub holds.
    fn to(look: &Look<'_, '_>, up: &Up, now: DateTime<Utc>) -> Result<Reply> {
        let device = look.device_of_hub(&up.device)?;
        let device = device.ok_or_else(|| Error::UnknownDevice { device: up.device.to_string() })?;
        let Ends { leaves, gaps } = look.ends_of(&device)?;
        let is_leaf = leaves.iter().any(|(leaf, _)| *leaf == at(up.head)) || up.head.seq == 0 && leaves.is_empty();
        let leaves = leaves.into_iter().map(|((seq, hash), epoch)| Leaf { seq, hash, epoch }).collect();
        let gaps = gaps.into_iter().map(|(seq, hash)| Link { seq, hash }).collect();
        let newest = up.newest.clone();
        let down = Down { leaves, gaps, newest, accounts: false, ..header(look, &up.device, now)? };
        let Some(path) = look.path_to(at(up.head))? else {
            let (down, accounts, verdicts) = (Down { need: need(look, up)?, ..down }, Vec::new(), Vec::new());
            return Ok(Reply { down, accounts, verdicts, path: Vec::new(), device: device.no });
        };
        let waiting = look.waiting_on(&device, &path)?;
        let verdicts = waiting.into_iter().map(|(seq, reason)| (seq, format!("stage {reason}"))).collect();
        let down = Down { ack: Some(up.head), ..down };
        if down.expelled || !is_leaf {
            return Ok(Reply { down, accounts: Vec::new(), verdicts, path, device: device.no });
        }
        let since = since(look, up)?;
        let accounts = look.changed_for(&device, since.map_or(0, |since| since.seq))?;
        let since = since.map(|since| vec![since]);
        let down = Down { since, accounts: true, ..down };
        Ok(Reply { down, accounts, verdicts, path, device: device.no })
    }
}

/// Where a device's next file has to begin, when something before this one is missing: the newest of its marks up to which nothing is.
pub(super) fn need(look: &Look<'_, '_>, up: &Up) -> Result<Option<Link>> {
    for mark in &up.marks {
        if look.path_to(at(*mark))?.is_some() {
            return Ok(Some(*mark));
        }
    }
    Ok(None)
}

pub(super) fn at(link: Link) -> (i64, Hash) {
    (link.seq, link.hash)
}

/// What the device has whole; nothing if it knows of a past that is not this hub's.
fn since(look: &Look<'_, '_>, up: &Up) -> Result<Option<Position>> {
    for position in up.seen.iter().chain(&up.newest) {
        if !look.is_own_past((position.seq, position.hash))? {
            return Ok(None);
        }
    }
    Ok(up.seen.first().copied())
}

/// Exchange with other ledgers, by files: [`Ledger::exchange`].
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'l> {
    pub(super) ledger: &'l Ledger,
}

impl Exchange<'_> {
    /// Answers a file of a device that was taken before, or was not: how far its log has come, and how the accounts stand that have
    /// changed since the device has heard of them, as far as it can go on with that. The same file may be answered again. In one
    /// file or several, of about 2 MiB at most before they are packed.
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
    /// let card = AccountId::new("card-7")?;
    /// kiosk.consume(&card, &Key::new("sale:1")?, Consume::points(Points::new(30)?))?;
    /// hub.recharge(&card, &Key::new("order:1")?, Recharge::new(Points::new(100)?, "wxpay"))?;
    /// let mut up = std::io::Cursor::new(Vec::new());
    /// kiosk.export(&mut up, true)?;
    /// hub.exchange().import(&mut up)?;
    /// let mut down = Vec::new();
    /// hub.exchange().reply(&mut up, true, |part| {
    ///     down.push(part.bytes);
    ///     Ok(())
    /// })?;
    /// for part in down {
    ///     kiosk.exchange().import(std::io::Cursor::new(part))?;
    /// }
    /// assert_eq!(kiosk.balance(&card)?.figures.available, 70);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Exchange::import`] and [`Ledger::signer`]; what the closure refuses; `disk_full`, `storage`.
    pub fn reply(&self, reader: impl Read + Seek, packed: bool, each: impl FnMut(Part) -> Result<()>) -> Result<()> {
        let (up, _) = self.ledger.proven(&inspect(reader)?)?;
        self.ledger.reply_to(&up, packed, each)
    }

    /// The header of an answer to a device: for whom it is, and what the device may do. What it answers is for the caller to
    /// set; position and time are those of the moment at which [`answer`](Exchange::answer) reads the books.
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, `unknown_device`, and as for [`Ledger::signer`].
    pub fn down(&self, device: &Uuid) -> Result<Down> {
        let now = self.ledger.reading().at.utc();
        self.ledger.look(|look| header(look, device, now))
    }

    /// Writes how accounts stand at this hub for a device to go on with, and what became of its operations where they were not
    /// booked as they were: one file or several, of about 2 MiB at most before they are packed.
    ///
    /// ```
    /// # use counterfoil::*; let folder = tempfile::tempdir()?;
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, inspect};
    /// # let hub = Ledger::create(folder.path().join("hub.ledger"))?;
    /// # hub.become_hub(&Key::new("hub")?, BecomeHub::new(hub.new_signer()?.key().public(), "head office"))?;
    /// # let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// # let (device, key) = (kiosk.info()?.device, kiosk.new_signer()?.key().public());
    /// # hub.admit(&Key::new("1")?, Admit::new(device, key, "kiosk 12", &DevicePolicy::default()))?;
    /// let card = AccountId::new("card-7")?;
    /// hub.recharge(&card, &Key::new("order:1")?, Recharge::new(Points::new(100)?, "wxpay"))?;
    /// let down = hub.exchange().down(&device)?;
    /// let mut parts = Vec::new();
    /// hub.exchange().answer(&down, &[card], &[], true, |part| {
    ///     parts.push(part);
    ///     Ok(())
    /// })?;
    /// let file = inspect(std::io::Cursor::new(&parts[0].bytes))?;
    /// assert_eq!((file.header.count(), parts.len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::signer`]; what the closure refuses; `disk_full`, `storage`.
    pub fn answer(
        &self,
        down: &Down,
        accounts: &[AccountId],
        verdicts: &[VerdictOn],
        packed: bool,
        each: impl FnMut(Part) -> Result<()>,
    ) -> Result<()> {
        let signer = self.ledger.own_signer(&self.ledger.info()?)?;
        self.ledger.look(|look| {
            let down = as_of(look, down.clone());
            let path = down.ack.map(|ack| look.path_to(at(ack))).transpose()?.flatten();
            let device = look.device_of_hub(&down.device)?.map_or(0, |row| row.no);
            let books = AsOf { look, path: Path::of(look, path.unwrap_or_default()), device };
            exchange::answer(&down, (accounts, verdicts), &books, (signer.key(), packed), each)
        })
    }
}

impl Ledger {
    /// Answers a file that is proven to be of a device.
    pub(super) fn reply_to(&self, up: &Up, packed: bool, each: impl FnMut(Part) -> Result<()>) -> Result<()> {
        let signer = self.own_signer(&self.info()?)?;
        let now = self.reading().at.utc();
        self.look(|look| {
            let reply = Reply::to(look, up, now)?;
            let books = AsOf { look, path: Path::of(look, reply.path), device: reply.device };
            let (accounts, verdicts) = (reply.accounts.as_slice(), reply.verdicts.as_slice());
            exchange::answer(&reply.down, (accounts, verdicts), &books, (signer.key(), packed), each)
        })
    }

    /// Exchange with the hub, or with devices.
    #[must_use]
    pub fn exchange(&self) -> Exchange<'_> {
        Exchange { ledger: self }
    }
}
