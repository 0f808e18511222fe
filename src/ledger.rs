//! The handle: opening and closing here, its verbs under `ledger/`. Each is a line or two; the rooms below do the work.

#[cfg(feature = "schema")]
mod answers;
#[cfg(feature = "sync")]
mod arrivals;
mod ask;
mod auto_backup;
mod batch;
mod care;
mod change;
#[cfg(feature = "sync")]
mod down;
#[cfg(feature = "sync")]
mod evidence;
#[cfg(feature = "sync")]
mod exchange;
#[cfg(feature = "sync")]
mod folder;
#[cfg(feature = "sync")]
mod hearing;
mod hub;
mod look;
mod options;
#[cfg(feature = "sync")]
mod renewal;
mod tell;
#[cfg(all(test, feature = "sync"))]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::error::Result;
#[cfg(feature = "sync")]
use crate::exchange::SigningKey;
use crate::file::{Closing, File};
use crate::model::Policy;
use crate::notice::Reminders;
use crate::pricing::PriceBook;
use crate::units::Clock;
use crate::writer::Durability;
use auto_backup::AutoBackup;

#[cfg(feature = "schema")]
pub use answers::answer_schema;
#[cfg(feature = "sync")]
pub use arrivals::{ImportTerms, Imported};
pub use ask::Answer;
pub use batch::{BatchRun, Whole};
#[cfg(feature = "sync")]
pub use down::Exchange;
#[cfg(feature = "sync")]
pub use evidence::EvidenceReport;
#[cfg(feature = "sync")]
pub use folder::{FolderReport, RefusedFile, TakenFile};
pub use options::{IdSource, Options};
pub use watch::Watch;

/// A ledger file, open: a cheap handle to share among threads.
///
/// Every call is synchronous. Writers take turns, in order of arrival; readers never wait for them. Clones and further
/// handles on the same path share one writer in this process.
///
/// ```
/// use counterfoil::{AccountId, Consume, Key, Ledger, Points, Recharge};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.ledger");
/// let ledger = Ledger::create(&path)?;
/// let alice = AccountId::new("alice")?;
/// ledger.recharge(&alice, &Key::new("order:881")?, Recharge::new(Points::new(320)?, "wxpay"))?;
/// let receipt = ledger.consume(&alice, &Key::new("task:19")?, Consume::points(Points::new(20)?))?;
/// assert_eq!(receipt.balance.available, 300);
/// ledger.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ledger {
    file: Arc<File>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    /// Every price book loaded since it was opened; the last is in force.
    books: Arc<RwLock<Arc<[Arc<PriceBook>]>>>,
    durability: Durability,
    policy: Policy,
    reminders: Arc<Reminders>,
    #[cfg(feature = "sync")]
    signing_key: Option<SigningKey>,
    auto_backup: Option<Arc<AutoBackup>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("path", &self.file.path())
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// Opening and closing.
impl Ledger {
    /// Everything that can be chosen when a ledger is opened.
    ///
    /// ```
    /// use counterfoil::Ledger;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    /// Makes a new ledger file, readable by its owner alone.
    ///
    /// # Errors
    /// `ledger_exists` when there is a file already, `unsafe_location` on a network file system, `unsafe_sqlite`,
    /// `disk_full`, `storage`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Options::default().create(path)
    }

    /// Opens an existing ledger file. Never creates one.
    ///
    /// # Errors
    /// `not_a_ledger` when there is none or it is something else, `schema_too_new`, `read_only`, `unsafe_location`,
    /// `unsafe_sqlite`, `corrupt`, `busy`, `storage`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::default().open(path)
    }

    /// A handle on the same file whose operations are acknowledged at this durability.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let quick = ledger.with_durability(Durability::Relaxed);
    /// quick.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(2)?))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        Ledger { durability, ..self.clone() }
    }

    /// The resolved path of the file.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.path().ends_with("points.ledger"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.file.path()
    }

    /// What an operator should know: an unwise place (a cloud-synced folder), a `-wal` that could not be folded in, a backup
    /// that failed ([`Options::auto_backup`]). Usually nothing.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// for warning in ledger.warnings() {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.file.warnings();
        warnings.extend(self.auto_backup.as_ref().and_then(|auto| auto.trouble()));
        warnings
    }

    /// Makes everything acknowledged so far durable, also what was relaxed.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.with_durability(Durability::Relaxed).consume(&alice, &Key::new("t")?, Consume::points(Points::new(2)?))?;
    /// ledger.flush()?; // from here on a power cut cannot take it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `busy`, `disk_full`, `storage`, `read_only`, `closed`.
    pub fn flush(&self) -> Result<()> {
        self.file.flush()
    }

    /// Closes the ledger for this handle and all its clones: waits for calls under way, folds the `-wal` in, and says whether
    /// the one file is whole now. Calls that come later are answered `closed`. Dropping the last handle does the same,
    /// quietly. Other handles of this process on the file (opened, not cloned) stay open.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let behind_a_window = ledger.clone();
    /// assert!(behind_a_window.close()?.whole);
    /// assert_eq!(ledger.balance(&alice).unwrap_err().code(), "closed");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `busy` when a call under way does not end within the busy timeout; `moved`, `locks_lost`, `disk_full`, `storage`.
    /// Nothing acknowledged is lost: the `-wal` keeps what is not folded in.
    pub fn close(&self) -> Result<Closing> {
        let closing = self.file.close();
        if let Some(auto) = &self.auto_backup {
            // Its thread finds the file closed, and ends.
            auto.wake();
        }
        closing
    }
}
