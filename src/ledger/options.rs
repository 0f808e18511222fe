//! Opening: what can be chosen, and the one way from a path to a [`Ledger`].

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use uuid::Uuid;

use super::Ledger;
use super::auto_backup::Schedule;
use crate::audit::{self, Circumstances, Diagnosis};
use crate::db::is_unborn;
use crate::error::{Error, Result};
#[cfg(feature = "sync")]
use crate::exchange::SigningKey;
use crate::file::File;
use crate::model::Policy;
use crate::pricing::{MAX_BOOK_BYTES, PriceBook, PricingErrors};
use crate::store::{self, NewLedger};
use crate::units::{Clock, Reading, SystemClock};
use crate::writer::Durability;

/// Where new ids come from: ledger, device, and how many epochs a restore or a renewal goes on. Random unless a test wants them repeatable.
pub trait IdSource: Send + Sync {
    /// The next number, of which the ids are made.
    fn next(&self) -> u128;
}

struct RandomIds;

impl IdSource for RandomIds {
    fn next(&self) -> u128 {
        Uuid::new_v4().as_u128()
    }
}

/// How many epochs later a restored or renewed file goes on: two copies of one file should not come to the same.
pub(super) fn epochs(ids: &dyn IdSource) -> i64 {
    i64::try_from(ids.next() % (1 << 16)).unwrap_or(0).saturating_add(1)
}

/// Everything that can be chosen when a ledger is opened.
///
/// ```
/// use counterfoil::clock::ManualClock;
/// use counterfoil::{Durability, Ledger};
/// use std::sync::{Arc, RwLock};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("points.ledger");
/// let clock = ManualClock::at("2026-11-22T10:00:00Z")?;
/// let ledger = Ledger::options()
///     .create_if_missing(true)
///     .pricing_file("config/pricing.toml")
///     .clock(Arc::new(clock))
///     .durability(Durability::Relaxed)
///     .open(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    create_if_missing: bool,
    read_only: bool,
    pricing_file: Option<PathBuf>,
    pricing: Option<PriceBook>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    durability: Durability,
    policy: Policy,
    busy_timeout: Duration,
    #[cfg(feature = "sync")]
    signing_key: Option<SigningKey>,
    auto_backup: Option<Schedule>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            create_if_missing: false,
            read_only: false,
            pricing_file: None,
            pricing: None,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            durability: Durability::Full,
            policy: Policy::default(),
            busy_timeout: Duration::from_secs(30),
            #[cfg(feature = "sync")]
            signing_key: None,
            auto_backup: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("create_if_missing", &self.create_if_missing)
            .field("read_only", &self.read_only)
            .field("pricing_file", &self.pricing_file)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Make the file when there is none: a desktop app's one call. Off by default, so that a mistyped path is an error.
    #[must_use]
    pub fn create_if_missing(mut self, create: bool) -> Self {
        self.create_if_missing = create;
        self
    }

    /// Only look: no write is possible, and none is needed to answer.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Loads the price book from this TOML file.
    #[must_use]
    pub fn pricing_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pricing_file = Some(path.into());
        self
    }

    /// Uses this price book.
    #[must_use]
    pub fn pricing(mut self, book: PriceBook) -> Self {
        self.pricing = Some(book);
        self
    }

    /// Where time comes from. The computer's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where new ids come from. Random by default.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// What an acknowledged operation has survived. [`Durability::Full`] by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How a consume is decided that names no policy. [`Policy::Postpaid`] by default. For an app that never lets anybody
    /// into debt, so that no call can forget to say so.
    ///
    /// It is filled in before anything else and booked as if the caller had named it: a retry under another default names
    /// another policy, which is `key_reused`.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// let ledger = Ledger::options().create_if_missing(true).default_policy(Policy::Strict).open(&path)?;
    /// let (alice, five) = (AccountId::new("alice")?, Points::new(5)?);
    /// let refused = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(five)).unwrap_err();
    /// assert_eq!(refused.code(), "insufficient_points");
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(five).policy(Policy::Postpaid))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn default_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long to wait for other processes before `busy`. 30 seconds by default. Applies to the first handle of this
    /// process on the file.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// What the ledger signs with, kept by the app (in the keychain of the operating system, say) instead of in
    /// `<ledger>.key`. Nothing else of it is written anywhere.
    ///
    /// ```
    /// use counterfoil::{Ledger, exchange::SigningKey};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// let key = SigningKey::generate()?;
    /// let ledger = Ledger::options().create_if_missing(true).signing_key(key.clone()).open(&path)?;
    /// assert_eq!(ledger.signer()?.key().public(), key.public());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "sync")]
    #[must_use]
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// Has the ledger back itself up into a folder while it is open: at once when the newest backup there is older than
    /// `every` (at least a second), and then whenever one is. Kept are the newest `keep`, from 1 on. How they are named, and
    /// which are deleted, says [`Ledger::backup_into`]. For an app without an operator.
    ///
    /// A thread of its own does it, and no call waits for it. Time is the ledger's clock's. A failure is told by
    /// [`Ledger::warnings`] until an attempt succeeds; the next is made after `every`, or ten minutes if that is less. The folder
    /// must be there, best on another disk. Closing waits for the step a backup is at, which then ends without a trace.
    ///
    /// ```
    /// use counterfoil::Ledger;
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, backups) = (folder.path().join("points.ledger"), folder.path().join("backups"));
    /// # std::fs::create_dir(&backups)?;
    /// let day = Duration::from_secs(24 * 3600);
    /// let ledger = Ledger::options().create_if_missing(true).auto_backup(&backups, day, 7).open(&path)?;
    /// ledger.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn auto_backup(mut self, folder: impl Into<PathBuf>, every: Duration, keep: u32) -> Self {
        self.auto_backup = Some(Schedule { folder: folder.into(), every, keep });
        self
    }

    /// Finds what was chosen wrongly before a file is made or opened; the price book.
    fn check(&self) -> Result<Option<PriceBook>> {
        self.auto_backup.as_ref().map(Schedule::check).transpose()?;
        self.book()
    }

    /// The handle on an open file.
    fn assemble(self, file: Arc<File>, book: Option<PriceBook>) -> Result<Ledger> {
        let auto_backup = self.auto_backup.map(|schedule| schedule.start(&file, &self.clock)).transpose()?;
        Ok(Ledger {
            file,
            clock: self.clock,
            ids: self.ids,
            books: Arc::new(RwLock::new(book.into_iter().map(Arc::new).collect())),
            durability: self.durability,
            policy: self.policy,
            reminders: Arc::default(),
            #[cfg(feature = "sync")]
            signing_key: self.signing_key,
            auto_backup: auto_backup.map(Arc::new),
        })
    }

    fn book(&self) -> Result<Option<PriceBook>> {
        match &self.pricing_file {
            Some(path) => read_book(path).map(Some),
            None => Ok(self.pricing.clone()),
        }
    }

    fn identity(&self) -> NewLedger {
        NewLedger {
            ledger_id: Uuid::from_u128(self.ids.next()),
            device: Uuid::from_u128(self.ids.next()),
            epoch: 1,
            created_at: Reading::take(self.clock.as_ref()).at,
        }
    }

    /// Makes a new ledger file.
    ///
    /// # Errors
    /// As for [`Ledger::create`], `pricing`, and `invalid_argument` for what was chosen.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Ledger> {
        let book = self.check()?;
        let new = store::create(path.as_ref(), &self.identity())?;
        let file = File::open_new(&new, self.busy_timeout)?;
        self.assemble(file, book)
    }

    /// Opens a ledger file.
    ///
    /// # Errors
    /// As for [`Ledger::open`], `pricing`, and `invalid_argument` for what was chosen.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Ledger> {
        let path = path.as_ref();
        let book = self.check()?;
        if self.read_only {
            let file = File::open_read_only(path)?;
            return self.assemble(file, book);
        }
        if self.create_if_missing && is_missing(path) {
            match store::create(path, &self.identity()) {
                // Another thread or process may have been quicker.
                Ok(_) | Err(Error::LedgerExists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let file = File::open(path, self.busy_timeout)?;
        let ledger = self.assemble(file, book)?;
        #[cfg(feature = "sync")]
        ledger.mind_copies()?;
        Ok(ledger)
    }

    /// Copies a backup to a new path as a ledger to go on with: it gets a new epoch, so that nothing booked from here on
    /// can be taken for what the lost file booked, and the restore is an operation in its log. What it is to other files stays.
    ///
    /// # Errors
    /// `invalid_argument` after thousands of epochs, when there are none left, `ledger_exists`, `not_a_ledger`, `corrupt` when the backup does not verify, `disk_full`, `storage`.
    pub fn restore(self, backup: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<Ledger> {
        let book = self.check()?;
        let epochs = epochs(self.ids.as_ref());
        let new = File::restore(backup.as_ref(), target.as_ref(), epochs, Reading::take(self.clock.as_ref()))?;
        let file = File::open_new(&new, self.busy_timeout)?;
        let ledger = self.assemble(file, book)?;
        #[cfg(feature = "sync")]
        ledger.begin_mark()?;
        Ok(ledger)
    }

    /// Looks at a ledger and the place it lies in, and says what an operator should know: also when it cannot be opened.
    /// Changes nothing and waits for nobody; as every look, it may leave an empty `-wal` and a `-shm` beside a ledger that
    /// nobody has open. Reads every account once.
    ///
    /// ```
    /// use counterfoil::{Ledger, diagnosis::Level};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// # let ledger = Ledger::create(&path)?;
    /// let diagnosis = Ledger::options().diagnose(&path);
    /// assert_ne!(diagnosis.level, Level::Fault);
    /// let nowhere = Ledger::options().diagnose("no/such.ledger");
    /// assert_eq!(nowhere.error.unwrap().code, "not_a_ledger");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn diagnose(&self, path: impl AsRef<Path>) -> Diagnosis {
        let circumstances = Circumstances {
            reading: Reading::take(self.clock.as_ref()),
            durability: self.durability,
            book: self.book(),
        };
        audit::diagnose(path.as_ref(), &circumstances)
    }
}

/// Whether there is no ledger, or only the empty file that an interrupted creation has left.
fn is_missing(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(found) => is_unborn(&found),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Reads no more of a file than a price book may have.
fn read_bounded(file: std::fs::File) -> std::result::Result<String, String> {
    let most = MAX_BOOK_BYTES as u64;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BOOK_BYTES {
        return Err(format!("is longer than a price book may be ({MAX_BOOK_BYTES} bytes)"));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

impl PriceBook {
    /// Reads a price book file: the book, or all its faults.
    ///
    /// ```
    /// use counterfoil::pricing::PriceBook;
    /// let book = PriceBook::read("config/pricing.toml")??;
    /// assert!(book.services().count() > 3);
    /// assert_eq!(PriceBook::read("no/such.toml").unwrap_err().code(), "pricing");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `pricing` when the file cannot be read, is none, or is longer than a price book may be.
    pub fn read(path: impl AsRef<Path>) -> Result<std::result::Result<PriceBook, PricingErrors>> {
        let path = path.as_ref();
        let unreadable = |message: String| {
            let message = format!("{}: {message}", path.display());
            Error::pricing(message, "give the path of a TOML price book that may be read, like config/pricing.toml")
        };
        // Opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.is_file() {
            return Err(unreadable("is not a regular file".into()));
        }
        let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let text = read_bounded(file).map_err(unreadable)?;
        Ok(PriceBook::parse(&text, &path.display().to_string()))
    }
}

/// Reads a price book file whole, or not at all.
pub(crate) fn read_book(path: &Path) -> Result<PriceBook> {
    Ok(PriceBook::read(path)??)
}
