//! The handle's verbs of hubs and devices: who is what, and who sends what to whom.

use uuid::Uuid;

use super::Ledger;
use super::options::epochs;
use crate::error::Result;
use crate::model::{
    AccountId, Acknowledge, Admit, Allot, AllotWriteOff, Approve, BecomeHub, Certificate, Dismiss, Enrol, Expel, Key,
    OperationId, Recall, Receipt, Return,
};

/// Hubs and devices.
impl Ledger {
    /// Makes this file the hub of devices, for good. Its history stays as it is. The setting `late_window` becomes 90 days if it
    /// was 0: what devices did is booked late.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::{BecomeHub, PublicKey, Role};
    /// ledger.become_hub(&Key::new("hub")?, BecomeHub::new(PublicKey::from([7; 32]), "head office"))?;
    /// assert_eq!(ledger.info()?.role, Role::Hub);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when it is a hub already, `not_on_device`, and as for [`Ledger::apply`].
    pub fn become_hub(&self, key: &Key, hub: BecomeHub) -> Result<Receipt> {
        self.apply(&hub.on_file(key))
    }

    /// Lets a device send this hub its operations. What the device needs to enrol is [`Ledger::certificate`].
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, PublicKey};
    /// # ledger.become_hub(&Key::new("hub")?, BecomeHub::new(PublicKey::from([7; 32]), "head office"))?;
    /// let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// let admit = Admit::new(kiosk.info()?.device, PublicKey::from([8; 32]), "kiosk 12", &DevicePolicy::default());
    /// ledger.admit(&Key::new("kiosk 12")?, admit)?;
    /// assert_eq!(ledger.devices(&Query::new())?.items[0].name, "kiosk 12");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, when the device was admitted before and [`Admit::renew`] is not said, and when its
    /// id begins as another's; `unknown_device` when it is to be renewed and was not admitted; `not_on_device`; and as for
    /// [`Ledger::apply`].
    pub fn admit(&self, key: &Key, admit: Admit) -> Result<Receipt> {
        self.apply(&admit.on_file(key))
    }

    /// Books no more of what a device sends: from here on it waits to be looked at. What was booked before stands.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::{BecomeHub, Expel, PublicKey};
    /// ledger.become_hub(&Key::new("hub")?, BecomeHub::new(PublicKey::from([7; 32]), "head office"))?;
    /// let stranger = Expel::new(ledger.info()?.device, "stolen");
    /// assert_eq!(ledger.expel(&Key::new("case:1")?, stranger).unwrap_err().code(), "unknown_device");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, `unknown_device`, `not_on_device`, and as for [`Ledger::apply`].
    pub fn expel(&self, key: &Key, expel: Expel) -> Result<Receipt> {
        self.apply(&expel.on_file(key))
    }

    /// Books what a device did, and this hub set aside, after all. The receipt is that of what is booked by it.
    ///
    /// # Errors
    /// `unknown_operation`; `invalid_argument` when it was approved or dismissed already, when it makes no sense, when what it waits
    /// for has not been looked at, or when only a newer program knows it; `key_reused` when its sale was booked meanwhile and
    /// [`Approve::another`] is not said; `out_of_range`; and as for [`Ledger::apply`].
    pub fn approve(&self, link: &OperationId, key: &Key, approve: Approve) -> Result<Receipt> {
        self.apply(&approve.on(link, key))
    }

    /// Lets what a device did, and this hub set aside, never be booked. The device hears of it.
    ///
    /// # Errors
    /// `unknown_operation`; `invalid_argument` when it was approved or dismissed already; and as for [`Ledger::apply`].
    pub fn dismiss(&self, link: &OperationId, key: &Key, dismiss: Dismiss) -> Result<Receipt> {
        self.apply(&dismiss.on(link, key))
    }

    /// Says that what is flagged of an operation has been seen to.
    ///
    /// # Errors
    /// `unknown_operation`; `invalid_argument` when it has no such flag that is open; and as for [`Ledger::apply`].
    pub fn acknowledge(&self, flagged: &OperationId, key: &Key, acknowledge: Acknowledge) -> Result<Receipt> {
        self.apply(&acknowledge.on(flagged, key))
    }

    /// Sets points of an account aside for one device, which can spend them strictly while it is offline: nobody else can spend
    /// them meanwhile, and they do not lapse. The receipt's operation is the allotment.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::{Admit, Allot, BecomeHub, DevicePolicy, PublicKey};
    /// # ledger.become_hub(&Key::new("hub")?, BecomeHub::new(PublicKey::from([7; 32]), "head office"))?;
    /// # let device = Ledger::create(folder.path().join("kiosk.ledger"))?.info()?.device;
    /// # ledger.admit(&Key::new("1")?, Admit::new(device, PublicKey::from([8; 32]), "kiosk 12", &DevicePolicy::default()))?;
    /// let until = ledger.clock()?.reading + chrono::TimeDelta::days(1);
    /// ledger.allot(&alice, &Key::new("kiosk 12")?, Allot::new(device, Points::new(20)?, until))?;
    /// let balance = ledger.balance(&alice)?;
    /// assert_eq!((balance.figures.available.get(), balance.allotted), (30, Some(Points::new(20)?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, `unknown_device`, `unknown_account`, `account_closed`, `insufficient_points` when
    /// batches that end after `spend_until` do not have so many, and as for [`Ledger::apply`].
    pub fn allot(&self, account: &AccountId, key: &Key, allot: Allot) -> Result<Receipt> {
        self.apply(&allot.on(account, key))
    }

    /// Has a device give back what is left of an allotment: it does so by itself when it next hears of this hub and no hold keeps
    /// any of it.
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub; `unknown_allotment`, also when nothing of it is left, or it is recalled already;
    /// and as for [`Ledger::apply`].
    pub fn recall(&self, allotment: &OperationId, key: &Key) -> Result<Receipt> {
        self.apply(&Recall::new().on(allotment, key))
    }

    /// Gives an allotment back to its account without its device, which is lost. What that has spent of it is an ordinary charge when
    /// it comes, and flagged: what is left of the allotment is what may be lost so.
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub; `unknown_allotment`, also when nothing of it is left; and as for [`Ledger::apply`].
    pub fn allot_write_off(&self, allotment: &OperationId, key: &Key, write_off: AllotWriteOff) -> Result<Receipt> {
        self.apply(&write_off.on(allotment, key))
    }

    /// On a device, gives back what is left of an allotment, by its id at the hub.
    ///
    /// # Errors
    /// `role_conflict` when this file is no device; `unknown_allotment`, also when nothing of it is left, or it is of an earlier
    /// epoch of this device; and as for [`Ledger::apply`].
    pub fn return_allotment(&self, allotment: &OperationId, key: &Key) -> Result<Receipt> {
        self.apply(&Return::new().on(allotment, key))
    }

    /// What this hub certifies of a device it has admitted.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let stranger = ledger.info()?.device;
    /// assert_eq!(ledger.certificate(&stranger).unwrap_err().code(), "role_conflict");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when this file is no hub, `unknown_device`, and as for [`Ledger::balance`].
    pub fn certificate(&self, device: &Uuid) -> Result<Certificate> {
        self.look(|look| look.certificate(device))
    }

    /// Makes this file a device of a hub, for good: from here on it books what devices book, by what its hub has set. Its log may
    /// hold nothing else. Whether the certificate is the hub's own is for whoever has read it to see.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol, PublicKey};
    /// # ledger.become_hub(&Key::new("hub")?, BecomeHub::new(PublicKey::from([7; 32]), "head office"))?;
    /// # let kiosk = Ledger::create(folder.path().join("kiosk.ledger"))?;
    /// # let device = kiosk.info()?.device;
    /// # ledger.admit(&Key::new("1")?, Admit::new(device, PublicKey::from([8; 32]), "kiosk 12", &DevicePolicy::default()))?;
    /// kiosk.enrol(&Key::new("enrol")?, Enrol::new(&ledger.certificate(&device)?))?;
    /// let refused = kiosk.freeze(&alice, &Key::new("case:1")?, "stolen card");
    /// assert_eq!(refused.unwrap_err().code(), "not_on_device");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `role_conflict` when it is a device or a hub already, when its log holds what no device books, and when the certificate is for
    /// another device; and as for [`Ledger::apply`].
    pub fn enrol(&self, key: &Key, enrol: Enrol) -> Result<Receipt> {
        self.apply(&enrol.on_file(key))
    }

    /// Begins a new epoch: what is booked from here on can be told from what a copy of the file books. For an app that knows there is
    /// one; a restore has done it.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let before = ledger.info()?.epoch;
    /// ledger.renew_epoch()?;
    /// assert!(ledger.info()?.epoch > before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` after thousands of epochs, when there are none left; `busy`, `disk_full`, `storage`, `read_only`, `closed`.
    pub fn renew_epoch(&self) -> Result<()> {
        self.file.renew_epoch(epochs(self.ids.as_ref()), &self.terms())?;
        #[cfg(feature = "sync")]
        self.begin_mark()?;
        Ok(())
    }
}
