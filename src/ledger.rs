//! The handle: opening, and every verb that changes the books. Each is a line or two; the rooms below do the work.

mod batch;
mod look;
mod options;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::file::{Book, ExpireReport, File, Wish};
use crate::model::{
    AccountId, BatchId, Capture, Configure, Consume, ExpiresIn, Held, Hold, HoldId, Key, OpenAccount, OperationId,
    Receipt, Recharge, Refund, Request, Revoke, SetExpiry, Transfer,
};
use crate::pricing::PriceBook;
use crate::units::{Clock, Points, Reading};
use crate::writer::Durability;

pub use batch::{BatchRun, Whole};
pub use options::{IdSource, Options};

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
    book: Arc<RwLock<Option<Arc<PriceBook>>>>,
    durability: Durability,
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

    pub(crate) fn assemble(
        file: Arc<File>,
        clock: Arc<dyn Clock>,
        book: Option<PriceBook>,
        durability: Durability,
    ) -> Self {
        Ledger { file, clock, book: Arc::new(RwLock::new(book.map(Arc::new))), durability }
    }

    /// A handle on the same file whose operations are acknowledged at this durability.
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        Ledger { durability, ..self.clone() }
    }

    /// The resolved path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.file.path()
    }

    /// What an operator should know: an unwise place (a cloud-synced folder), a `-wal` that could not be folded in. Usually nothing.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.file.warnings()
    }

    /// Makes everything acknowledged so far durable, also what was relaxed.
    ///
    /// # Errors
    /// `busy`, `disk_full`, `storage`, `read_only`, `closed`.
    pub fn flush(&self) -> Result<()> {
        self.file.flush()
    }

    /// Closes this handle and its clones. With the last handle of the process on the file the `-wal` is folded in, so
    /// that the one file is whole; dropping the last handle does the same, quietly.
    ///
    /// # Errors
    /// `busy` when another process reads or writes (nothing is lost: the `-wal` keeps what is not folded in), `storage`.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }
}

/// Changing the books.
impl Ledger {
    fn reading(&self) -> Reading {
        Reading::take(self.clock.as_ref())
    }

    fn wish(&self) -> Wish {
        Wish {
            reading: self.reading(),
            book: self.pricing(),
            durability: self.durability,
            historic: false,
            dry_run: false,
        }
    }

    fn on_account(&self, request: Request, account: &AccountId, key: &Key) -> Result<Receipt> {
        self.apply(&request.with("account", account.as_str()).with("key", key.as_str()))
    }

    fn on_target(&self, request: Request, name: &str, id: impl ToString, key: &Key) -> Result<Receipt> {
        self.apply(&request.with(name, id.to_string()).with("key", key.as_str()))
    }

    /// Books any operation given as data. The typed verbs below all come through here.
    ///
    /// ```
    /// use counterfoil::{Ledger, Request};
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// let line = r#"{"op":"recharge","account":"alice","key":"order:881","points":320,"source":"wxpay","actor":"till 4"}"#;
    /// let receipt = ledger.apply(&Request::parse(line)?)?;
    /// assert!(ledger.apply(&Request::parse(line)?)?.replayed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The refusals of the operation, in the documented order; `busy`, `disk_full`, `outcome_unknown`, `storage`,
    /// `read_only`, `closed`.
    pub fn apply(&self, request: &Request) -> Result<Receipt> {
        self.file.apply(request.clone(), &self.wish())
    }

    /// Says what an operation would do, and books nothing. The ids in the answer are those it would get now.
    ///
    /// # Errors
    /// As for [`Ledger::apply`].
    pub fn dry_run(&self, request: &Request) -> Result<Receipt> {
        self.file.apply(request.clone(), &Wish { dry_run: true, ..self.wish() })
    }

    /// Starts a run of operations that may refer to one another's results by line number.
    #[must_use]
    pub fn batch(&self) -> BatchRun {
        BatchRun::new(self.clone())
    }

    pub(crate) fn apply_as(&self, request: Request, historic: bool) -> Result<Receipt> {
        self.file.apply(request, &Wish { historic, ..self.wish() })
    }

    pub(crate) fn apply_whole(
        &self,
        historic: bool,
        dry_run: bool,
        run: &mut dyn FnMut(&mut Book<'_>) -> Result<()>,
    ) -> Result<()> {
        self.file.apply_whole(&|| Wish { historic, dry_run, ..self.wish() }, run)
    }

    /// Opens an account before its first use, or says that it is open as asked.
    ///
    /// # Errors
    /// `account_exists` with another credit limit, `account_closed`, and as for [`Ledger::apply`].
    pub fn open_account(&self, account: &AccountId, key: &Key, open: OpenAccount) -> Result<Receipt> {
        self.on_account(open.0, account, key)
    }

    /// Sets how far the account's debt may go before strict operations are refused.
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, and as for [`Ledger::apply`].
    pub fn set_limit(&self, account: &AccountId, key: &Key, credit_limit: Points) -> Result<Receipt> {
        self.on_account(Request::new("set_limit").with("credit_limit", credit_limit.get()), account, key)
    }

    /// Adds a batch of points; old debt is settled from it at once.
    ///
    /// # Errors
    /// `invalid_argument` for an expiry that is not after now, `account_closed`, `unknown_account` when accounts must be
    /// opened first, `out_of_range`, and as for [`Ledger::apply`].
    pub fn recharge(&self, account: &AccountId, key: &Key, recharge: Recharge) -> Result<Receipt> {
        self.on_account(recharge.0, account, key)
    }

    /// Charges points: by default always (the work is done), with the uncovered part as debt.
    ///
    /// # Errors
    /// With `Policy::Strict`: `account_frozen`, `account_in_debt`, `insufficient_points`. For a priced service:
    /// `unknown_service`, `pricing`, `invalid_argument`. `account_closed`, `out_of_range`, and as for [`Ledger::apply`].
    pub fn consume(&self, account: &AccountId, key: &Key, consume: Consume) -> Result<Receipt> {
        self.on_account(consume.0, account, key)
    }

    /// Sets points aside for a job, until a deadline.
    ///
    /// ```
    /// use counterfoil::{AccountId, Hold, Key, Ledger, Points, Recharge};
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// let me = AccountId::new("local-user")?;
    /// ledger.recharge(&me, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
    /// let hold = ledger.hold(&me, &Key::new("task:1")?, Hold::new(Points::new(40)?, Duration::from_secs(3600)))?;
    /// let receipt = ledger.capture(&hold.id, &Key::new("task:1")?, Points::new(25)?)?;
    /// assert_eq!((receipt.restored, receipt.balance.available), (15, 25));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_frozen`, `account_in_debt`, `insufficient_points`, `invalid_argument` for a deadline
    /// beyond `max_hold`, the price errors, and as for [`Ledger::apply`].
    pub fn hold(&self, account: &AccountId, key: &Key, hold: Hold) -> Result<Held> {
        let receipt = self.on_account(hold.0, account, key)?;
        let id = receipt
            .hold
            .as_ref()
            .map(|hold| hold.id)
            .ok_or_else(|| Error::corrupt("a hold's receipt names no hold"))?;
        Ok(Held { id, receipt })
    }

    /// Charges a hold, once; also one past its deadline (the job was done all the same).
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `account_closed`, the price errors, and as for [`Ledger::apply`].
    pub fn capture(&self, hold: &HoldId, key: &Key, capture: impl Into<Capture>) -> Result<Receipt> {
        self.on_target(capture.into().0, "hold", hold, key)
    }

    /// Gives all of an open hold back.
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `account_closed`, and as for [`Ledger::apply`].
    pub fn release(&self, hold: &HoldId, key: &Key) -> Result<Receipt> {
        self.on_target(Request::new("release"), "hold", hold, key)
    }

    /// Gives an open hold a new deadline, counted from now and within `max_hold`.
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `invalid_argument`, and as for [`Ledger::apply`].
    pub fn renew(&self, hold: &HoldId, key: &Key, deadline: Duration) -> Result<Receipt> {
        self.on_target(crate::model::renew(deadline), "hold", hold, key)
    }

    /// Gives points of a consume or capture back to the batches that paid.
    ///
    /// # Errors
    /// `unknown_operation`, `limit_exceeded`, and as for [`Ledger::apply`].
    pub fn refund(&self, operation: &OperationId, key: &Key, refund: Refund) -> Result<Receipt> {
        self.on_target(refund.0, "operation", operation, key)
    }

    /// Takes a batch back: what is left of it, and what was spent as debt (or, clamped, not at all).
    ///
    /// # Errors
    /// `unknown_batch`, `limit_exceeded`, `account_closed`, and as for [`Ledger::apply`].
    pub fn revoke(&self, batch: &BatchId, key: &Key, revoke: Revoke) -> Result<Receipt> {
        self.on_target(revoke.0, "batch", batch, key)
    }

    /// Changes when a batch ends; an expired one comes back.
    ///
    /// # Errors
    /// `unknown_batch`, `invalid_argument`, `account_closed`, and as for [`Ledger::apply`].
    pub fn set_expiry(&self, batch: &BatchId, key: &Key, expiry: ExpiresIn, reason: &str) -> Result<Receipt> {
        self.on_target(SetExpiry::new(expiry, reason).0, "batch", batch, key)
    }

    /// Moves available points to another account; they keep their expiry, kind and priority.
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, `account_frozen`, `insufficient_points`, and as for [`Ledger::apply`].
    pub fn transfer(&self, from: &AccountId, key: &Key, transfer: Transfer) -> Result<Receipt> {
        self.on_account(transfer.0, from, key)
    }

    /// Forgives debt, oldest first.
    ///
    /// # Errors
    /// `unknown_account`, `limit_exceeded`, `account_closed`, and as for [`Ledger::apply`].
    pub fn write_off(&self, account: &AccountId, key: &Key, points: Points, reason: &str) -> Result<Receipt> {
        self.on_account(Request::new("write_off").with("points", points.get()).with("reason", reason), account, key)
    }

    /// Stops strict consumes, holds and transfers from the account; everything else goes on.
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, and as for [`Ledger::apply`].
    pub fn freeze(&self, account: &AccountId, key: &Key, reason: &str) -> Result<Receipt> {
        self.on_account(Request::new("freeze").with("reason", reason), account, key)
    }

    /// Ends a freeze.
    ///
    /// # Errors
    /// As for [`Ledger::freeze`].
    pub fn unfreeze(&self, account: &AccountId, key: &Key, reason: &str) -> Result<Receipt> {
        self.on_account(Request::new("unfreeze").with("reason", reason), account, key)
    }

    /// Closes an empty account. A refund or a late capture reopens it.
    ///
    /// # Errors
    /// `unknown_account`, `account_not_empty`, `account_closed`, and as for [`Ledger::apply`].
    pub fn close_account(&self, account: &AccountId, key: &Key, reason: &str) -> Result<Receipt> {
        self.on_account(Request::new("close").with("reason", reason), account, key)
    }

    /// Changes a setting of the file.
    ///
    /// # Errors
    /// `invalid_argument`, and as for [`Ledger::apply`].
    pub fn configure(&self, key: &Key, setting: Configure) -> Result<Receipt> {
        self.apply(&setting.0.with("key", key.as_str()))
    }

    /// Says that the present clock reading is right, however far it jumped.
    ///
    /// # Errors
    /// As for [`Ledger::apply`].
    pub fn confirm_clock(&self, key: &Key) -> Result<Receipt> {
        self.apply(&Request::new("confirm_clock").with("key", key.as_str()))
    }

    /// Books everything that has fallen due, account by account (at most `limit` accounts), in bounded transactions.
    /// Never needed for right answers: balances count what is due whether or not it has been booked.
    ///
    /// # Errors
    /// `busy`, `disk_full`, `storage`, `read_only`, `closed`.
    pub fn expire(&self, limit: Option<u64>) -> Result<ExpireReport> {
        self.expire_with(limit, |_| ())
    }

    /// The same, reporting after each transaction how far it is.
    ///
    /// # Errors
    /// As for [`Ledger::expire`].
    pub fn expire_with(&self, limit: Option<u64>, mut progress: impl FnMut(&ExpireReport)) -> Result<ExpireReport> {
        self.file.expire(limit, &self.wish(), &mut progress)
    }
}
