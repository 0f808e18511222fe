//! The handle's verbs for exchanging operations with other ledgers.

use super::Ledger;
use crate::error::Result;
use crate::exchange::Signer;

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
}
