//! The handle's verbs of a hub that tells its devices how their accounts stand.

use uuid::Uuid;

use super::Ledger;
use crate::error::{Error, Result};
use crate::exchange::{self, Accounts, Down, Part, Position, VerdictOn};
use crate::hash::Hash;
use crate::model::{AccountId, Carried, Metadata};
use crate::report::{Look, Path};

/// A hub's accounts as of one look.
struct AsOf<'l, 'a, 'c> {
    look: &'l Look<'a, 'c>,
    path: Path<'l, 'a, 'c>,
}

impl Accounts for AsOf<'_, '_, '_> {
    fn account(&self, id: &AccountId, rows: bool) -> Result<Carried> {
        if rows { self.look.carried(id, &self.path) } else { self.look.carried_figures(id) }
    }
}

/// Exchange with other ledgers, by files: [`Ledger::exchange`].
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'l> {
    pub(super) ledger: &'l Ledger,
}

impl Exchange<'_> {
    /// The header of an answer to a device: for whom it is, and what the device may do. What it answers is for the caller to
    /// set; position and time are those of the moment at which [`answer`](Exchange::answer) reads the books.
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, `unknown_device`, and as for [`Ledger::signer`].
    pub fn down(&self, device: &Uuid) -> Result<Down> {
        let now = self.ledger.reading().at.utc();
        let (certificate, granted, expelled) = self
            .ledger
            .look(|look| Ok((look.certificate(device)?, look.granted(device)?, look.is_expelled(device)?)))?;
        let policy = serde_json::to_value(granted).map_err(|error| Error::storage(error.to_string()))?;
        let down = Down::new(certificate.hub, certificate.hub_key, *device, Metadata::of(&policy), now);
        Ok(Down { expelled, ..down })
    }

    /// Writes how accounts stand at this hub for a device to go on with, and what became of its operations where they were not
    /// booked as they were: one file or several, of about 4 MiB at most before they are packed.
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
            let (epoch, seq, hash) = look.end_of_log();
            let (position, as_of) = (vec![Position { shard: 0, epoch, seq, hash }], look.time().utc());
            let down = Down { position, as_of, ..down.clone() };
            let ack = down.ack.map_or((0, Hash::default()), |ack| (ack.seq, ack.hash));
            let books = AsOf { look, path: Path::to(look, ack)? };
            exchange::answer(&down, (accounts, verdicts), &books, (signer.key(), packed), each)
        })
    }
}

impl Ledger {
    /// Exchange with the hub, or with devices.
    #[must_use]
    pub fn exchange(&self) -> Exchange<'_> {
        Exchange { ledger: self }
    }
}
