//! A fresh file for a device whose log has become long.

use std::path::Path;

use uuid::Uuid;

use super::Ledger;
use super::options::epochs;
use crate::error::{Error, Result};
use crate::exchange::{Enrol, Mark};
use crate::file::File;
use crate::model::{Key, MAX_EPOCH, Role};
use crate::store::{self, NewLedger};

impl Ledger {
    /// Begins a fresh file for this device, for its log grows with every charge and is never cut: another ledger with an empty log, the
    /// same device, key and policy, in a later epoch. This file is kept as it is, to read. What the hub has is what counts, so
    /// everything must have come there first; and the fresh file knows no account before it has exchanged with the hub: do that next.
    /// What was charged before is refunded at the hub; holds whose deadline has passed are captured before.
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
    /// # let (card, shared) = (AccountId::new("card-7")?, folder.path());
    /// hub.recharge(&card, &Key::new("order:1")?, Recharge::new(Points::new(100)?, "wxpay"))?;
    /// kiosk.consume(&card, &Key::new("sale:1")?, Consume::points(Points::new(30)?))?;
    /// let exchange = |kiosk: &Ledger| -> Result<()> {
    ///     for ledger in [kiosk, &hub, kiosk] {
    ///         ledger.exchange().run(&shared)?;
    ///     }
    ///     Ok(())
    /// };
    /// assert_eq!(kiosk.renew_file(folder.path().join("2027.ledger")).unwrap_err().code(), "invalid_argument");
    /// exchange(&kiosk)?;
    /// let fresh = kiosk.renew_file(folder.path().join("2027.ledger"))?;
    /// exchange(&fresh)?;
    /// assert_eq!(fresh.balance(&card)?.figures.available, 70);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no device; `device_revoked` when its hub has expelled it; `invalid_argument` while the hub has not got everything, a hold is open, or an
    /// allotment is not given back, and when there are no epochs left; `ledger_exists` when there is such a file; as for
    /// [`Ledger::signer`] and [`Ledger::create`].
    pub fn renew_file(&self, path: impl AsRef<Path>) -> Result<Ledger> {
        let info = self.info()?;
        if info.role != Role::Device {
            let message = "this file is no device".into();
            let help = "only a device's file can be renewed: what it knows, its hub knows";
            return Err(Error::RoleConflict { role: info.role.as_str(), message, help: help.into() });
        }
        let signer = self.own_signer(&info)?;
        let certificate = self.look(|look| {
            look.check_settled()?;
            look.own_certificate()
        })?;
        let epoch = info.epoch.saturating_add(epochs(self.ids.as_ref()));
        if epoch > MAX_EPOCH {
            let help = "make a new file, and have it admitted as another device";
            return Err(Error::invalid("epoch", "there are none left for this device", help));
        }
        let ledger_id = Uuid::from_u128(self.ids.next());
        let identity = NewLedger { ledger_id, device: info.device, epoch, created_at: self.reading().at };
        let new = store::create(path.as_ref(), &identity)?;
        let begin = || {
            let file = File::open_new(&new, self.file.patience())?;
            let fresh = Ledger { file, auto_backup: None, ..self.clone() };
            fresh.enrol(&Key::new("enrol")?, Enrol::new(&certificate))?;
            let info = fresh.info()?;
            signer.hand_on(&fresh.path(), ledger_id, Mark { epoch, seq: info.operations, hash: info.head })?;
            Ok(fresh)
        };
        begin().inspect_err(|_| new.take_back())
    }
}
