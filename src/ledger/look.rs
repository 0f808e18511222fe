//! The handle's other verbs: looking at the books, prices, and care of the file.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::Ledger;
use super::options::read_book;
use crate::audit::{Progress, Verification};
use crate::error::Result;
use crate::model::{AccountId, Allocation, Balance, BatchInfo, Check, Entry, HoldInfo, OperationId, Quote};
use crate::pricing::{PriceBook, Priced};
use crate::quantity::Usage;
use crate::report::{HistoryQuery, Info, Listing, Look, OperationInfo, Page, hex};
use crate::units::{Instant, Points};

/// Looking at the books. Reads write nothing and never wait for a writer.
impl Ledger {
    fn look<T>(&self, read: impl FnOnce(&Look<'_>) -> Result<T>) -> Result<T> {
        self.file.look(self.reading(), read)
    }

    /// The account's balances now. An unknown account shows zeros and `exists: false`.
    ///
    /// # Errors
    /// `storage`, `corrupt`, `closed`.
    pub fn balance(&self, account: &AccountId) -> Result<Balance> {
        self.look(|look| look.balance(account, None))
    }

    /// The account's balances at an instant, past or future (in the future: if nothing else happens).
    ///
    /// # Errors
    /// `invalid_argument` before 1970, `out_of_range` after 9999, and as for [`Ledger::balance`].
    pub fn balance_at(&self, account: &AccountId, at: DateTime<Utc>) -> Result<Balance> {
        let at = Instant::from_utc("at", at)?;
        self.look(|look| look.balance(account, Some(at)))
    }

    /// Whether the account could pay so many points. Advisory: only hold and strict consume decide.
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn check(&self, account: &AccountId, required: Points) -> Result<Check> {
        self.look(|look| look.check(account, required.get()))
    }

    /// An account's batches: those pending or live, or all.
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor, and as for [`Ledger::balance`].
    pub fn batches(&self, account: &AccountId, query: &Listing) -> Result<Page<BatchInfo>> {
        self.look(|look| look.batches(account, query))
    }

    /// An account's holds: those open, or all.
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn holds(&self, account: &AccountId, query: &Listing) -> Result<Page<HoldInfo>> {
        self.look(|look| look.holds(account, query))
    }

    /// Batches with points left that expire at or before an instant, soonest first; of one account or of all.
    ///
    /// # Errors
    /// As for [`Ledger::balance_at`].
    pub fn expiring(&self, before: DateTime<Utc>, account: Option<&AccountId>) -> Result<Vec<BatchInfo>> {
        let before = Instant::from_utc("before", before)?;
        self.look(|look| look.expiring(before, account))
    }

    /// The lines of an account's books, a page at a time. Lines that time has made since the last write are marked
    /// `unbooked`.
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor or kind, and as for [`Ledger::balance`].
    pub fn history(&self, account: &AccountId, query: &HistoryQuery) -> Result<Page<Entry>> {
        self.look(|look| look.history(account, query))
    }

    /// One operation with all that is known of it.
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn operation(&self, operation: &OperationId) -> Result<OperationInfo> {
        self.look(|look| look.operation(operation))
    }

    /// The id of the operation with this number in the file's log.
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn operation_id(&self, sequence: i64) -> Result<OperationId> {
        self.look(|look| look.operation_id(sequence))
    }

    /// Which batches pay for a consume or capture by now, or back a hold.
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn allocations(&self, operation: &OperationId) -> Result<Vec<Allocation>> {
        self.look(|look| look.allocations(operation))
    }

    /// Every account's balance, a page at a time, in order of opening.
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn accounts(&self, query: &Listing) -> Result<Page<Balance>> {
        self.look(|look| look.accounts(query))
    }

    /// What the file says of itself: ids, settings, length and head of its log.
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn info(&self) -> Result<Info> {
        self.look(|look| look.info())
    }
}

/// Prices.
impl Ledger {
    /// The price book in force for this handle and its clones.
    #[must_use]
    pub fn pricing(&self) -> Option<Arc<PriceBook>> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another price book in force, whole, for this handle and its clones.
    pub fn set_pricing(&self, book: PriceBook) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(book));
    }

    /// Reads a price book file and puts it in force; with any fault in it the old one stays.
    ///
    /// # Errors
    /// `pricing`, with every fault of the file drawn at its place.
    pub fn reload_pricing(&self, path: impl AsRef<Path>) -> Result<()> {
        self.set_pricing(read_book(path.as_ref())?);
        Ok(())
    }

    /// The price book of the newest operation booked under one, as stored in the file.
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn newest_pricing(&self) -> Result<Option<PriceBook>> {
        self.look(|look| look.newest_book())
    }

    fn book(&self) -> Result<Arc<PriceBook>> {
        self.pricing().ok_or_else(crate::engine::no_book)
    }

    /// What a usage of a service costs.
    ///
    /// ```
    /// use counterfoil::{Ledger, Usage};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// assert_eq!(ledger.price("tts", &Usage::seconds("61.2")?)?.points, 21);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `pricing` without a price book, `unknown_service`, `invalid_argument` for a missing or wrong usage, `out_of_range`.
    pub fn price<'u>(&self, service: &str, usage: impl Into<Option<&'u Usage>>) -> Result<Quote> {
        let (book, usage) = (self.book()?, usage.into());
        let priced = book.price(service, usage).map_err(crate::engine::price_error)?;
        Ok(quote(&book, priced, usage))
    }

    /// What it can cost at most, from what is known before the work: characters, or input seconds.
    ///
    /// # Errors
    /// As for [`Ledger::price`].
    pub fn estimate<'u>(&self, service: &str, usage: impl Into<Option<&'u Usage>>) -> Result<Quote> {
        let (book, usage) = (self.book()?, usage.into());
        let priced = book.estimate(service, usage).map_err(crate::engine::price_error)?;
        Ok(quote(&book, priced, usage))
    }
}

fn quote(book: &PriceBook, priced: Priced, usage: Option<&Usage>) -> Quote {
    Quote {
        service: priced.service,
        points: priced.points,
        rule: priced.rule,
        price_book: hex(&book.hash()),
        usage: usage.cloned(),
    }
}

/// Care.
impl Ledger {
    /// Proves the whole file: hash chain, replay of every operation, every stored row, SQLite's own checks. Writes nothing.
    ///
    /// # Errors
    /// `storage`, `closed`. Faults are not errors: they are in the answer.
    pub fn verify(&self) -> Result<Verification> {
        self.file.verify(false, &mut |_| ())
    }

    /// A bounded check: the newest operations, the head, and the sums of some accounts.
    ///
    /// # Errors
    /// As for [`Ledger::verify`].
    pub fn verify_quick(&self) -> Result<Verification> {
        self.file.verify(true, &mut |_| ())
    }

    /// The full proof, reporting how far it is.
    ///
    /// # Errors
    /// As for [`Ledger::verify`].
    pub fn verify_with(&self, mut progress: impl FnMut(Progress)) -> Result<Verification> {
        self.file.verify(false, &mut progress)
    }

    /// Copies the ledger to a new file while it is in use, and verifies the copy before it gets its name.
    ///
    /// # Errors
    /// `ledger_exists`, `corrupt` when the copy does not verify, `disk_full`, `storage`, `closed`.
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<Verification> {
        self.file.backup(target.as_ref())
    }
}
