//! The handle's verbs that care for the file: settings, the clock, expiry, proof and backup.

use std::path::Path;

use super::Ledger;
use crate::audit::{Progress, Verification};
use crate::error::{Result, Watched};
use crate::file::{Backup, ExpireReport};
use crate::model::{Configure, ConfirmClock, Key, Receipt};

/// Care.
impl Ledger {
    /// Changes a setting of the file.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let two_weeks = std::time::Duration::from_secs(14 * 24 * 3600);
    /// ledger.configure(&Key::new("settings:1")?, Configure::late_window(two_weeks))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument`, and as for [`Ledger::apply`].
    pub fn configure(&self, key: &Key, setting: Configure) -> Result<Receipt> {
        self.apply(&setting.on_file(key))
    }

    /// Says that the present clock reading is right, however far it jumped. One that lies behind takes time back: each account
    /// whose last line is later begins anew at its next operation, which undoes what the wrong time did. Batches that lapsed too
    /// early come back ([`Ledger::clock_brings_back`] says how many points), batches dated later are pending again, and no hold
    /// is further from its end than `max_hold`.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.confirm_clock(&Key::new("clock:1")?, ConfirmClock::new())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` when the reading lies before the file was made, or before the newest reading of a trusted clock; and
    /// as for [`Ledger::apply`].
    pub fn confirm_clock(&self, key: &Key, confirm: ConfirmClock) -> Result<Receipt> {
        self.apply(&confirm.on_file(key))
    }

    /// Books everything that has fallen due, account by account (at most `limit` accounts), in bounded transactions.
    /// Never needed for right answers: balances count what is due whether or not it has been booked.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.expire(None)?.points, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `busy`, `disk_full`, `storage`, `read_only`, `closed`.
    pub fn expire(&self, limit: Option<u64>) -> Result<ExpireReport> {
        self.expire_with(limit, |_| ())
    }

    /// The same, reporting after each transaction how far it is. Stopped, it has booked what it reported.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.expire_with(Some(1000), |report| eprintln!("{} accounts", report.accounts))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it ([`Watched`]), and as for [`Ledger::expire`].
    pub fn expire_with<W: Watched>(
        &self,
        limit: Option<u64>,
        mut progress: impl FnMut(&ExpireReport) -> W,
    ) -> Result<ExpireReport> {
        self.file.expire(limit, &self.terms(), &mut |report| progress(report).go_on("the sweep"))
    }

    /// Proves the whole file: hash chain, replay of every operation, every stored row, SQLite's own checks. Writes nothing.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.verify()?.ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `storage`, `closed`. Faults are not errors: they are in the answer.
    pub fn verify(&self) -> Result<Verification> {
        self.file.verify(false, &mut |_| Ok(()))
    }

    /// A bounded check: the newest operations, the head, and the sums of some accounts.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.verify_quick()?.ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::verify`].
    pub fn verify_quick(&self) -> Result<Verification> {
        self.file.verify(true, &mut |_| Ok(()))
    }

    /// The full proof, reporting how far it is.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let verification = ledger.verify_with(|progress| eprintln!("{}: {}", progress.step, progress.done))?;
    /// assert!(verification.faults.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it ([`Watched`]), and as for [`Ledger::verify`].
    pub fn verify_with<W: Watched>(&self, mut progress: impl FnMut(Progress) -> W) -> Result<Verification> {
        self.file.verify(false, &mut |step| progress(step).go_on("the verification"))
    }

    /// Copies the ledger to a new file while it is in use, and verifies the copy before it gets its name.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.backup(folder.path().join("backup.ledger"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `ledger_exists`, `corrupt` when the copy does not verify, `disk_full`, `storage`, `closed`.
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<Verification> {
        self.backup_with(target, |_| ())
    }

    /// The same, reporting how far it is: the copy in one step, then the steps of its verification.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut steps = Vec::new();
    /// ledger.backup_with(folder.path().join("backup.ledger"), |progress| steps.push(progress.step))?;
    /// assert!(steps.first() == Some(&"copy") && steps.contains(&"storage"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it ([`Watched`]), which leaves nothing behind, and as for [`Ledger::backup`].
    pub fn backup_with<W: Watched>(
        &self,
        target: impl AsRef<Path>,
        mut progress: impl FnMut(Progress) -> W,
    ) -> Result<Verification> {
        self.file.backup(target.as_ref(), &mut |step| progress(step).go_on("the backup"))
    }

    /// Makes a backup in a folder under a name that tells the ledger and the instant, in UTC by the ledger's clock:
    /// `points-2026-11-22T10-00-00Z.ledger`. Once it is proved, older backups of this ledger are deleted, so that the newest
    /// `keep` are left, from 1 on. The folder must be there; it may hold whatever else.
    ///
    /// Deleted is only what is a backup of this ledger for certain: a file of such a name, of this ledger's id, in which no
    /// operation is that this ledger has not, and which nobody has open. One dated later than the new one, because the clock was put
    /// back, is neither counted nor deleted. When the new one fails nothing is.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let (first, second) = (ledger.backup_into(folder.path(), 1)?, ledger.backup_into(folder.path(), 1)?);
    /// assert!(second.path.is_file() && second.deleted == [first.path]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` when `keep` is 0 or there is no such folder, and as for [`Ledger::backup`].
    pub fn backup_into(&self, folder: impl AsRef<Path>, keep: u32) -> Result<Backup> {
        self.backup_into_with(folder, keep, |_| ())
    }

    /// The same, reporting how far it is, as [`Ledger::backup_with`] does.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.backup_into_with(folder.path(), 7, |progress| eprintln!("{}: {}", progress.step, progress.done))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it ([`Watched`]), which leaves nothing behind, and as for [`Ledger::backup_into`].
    pub fn backup_into_with<W: Watched>(
        &self,
        folder: impl AsRef<Path>,
        keep: u32,
        mut progress: impl FnMut(Progress) -> W,
    ) -> Result<Backup> {
        let progress = &mut |step| progress(step).go_on("the backup");
        self.file.backup_into(folder.as_ref(), keep, self.reading().at, progress)
    }
}
