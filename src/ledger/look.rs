//! The handle's verbs that look: the books, and the prices.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::Ledger;
use super::options::read_book;
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Allocation, AllotmentInfo, Asked, Balance, BatchId, BatchInfo, Check, DeviceInfo, Entry, FlagInfo,
    HoldId, HoldInfo, Key, OperationId, Overview, Page, PlanId, PlanInfo, Query, Question, Quote, Request, StagedInfo,
    SyncStatus,
};
use crate::pricing::{PriceBook, PriceError, Priced};
use crate::quantity::Usage;
use crate::report::{ClockInfo, Found, Info, Look, OperationInfo};
use crate::units::{Instant, Points};

/// Looking at the books. Reads write nothing and never wait for a writer.
impl Ledger {
    pub(super) fn look<T>(&self, read: impl FnOnce(&Look<'_, '_>) -> Result<T>) -> Result<T> {
        self.file.look(self.reading(), read)
    }

    /// The account's balances now. An unknown account shows zeros and `exists: false`.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let balance = ledger.balance(&alice)?;
    /// assert!(balance.figures.available == 50 && balance.figures.net == 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `storage`, `corrupt`, `closed`.
    pub fn balance(&self, account: &AccountId) -> Result<Balance> {
        self.file.balance(account, self.reading())
    }

    /// The account's balances at an instant, past or future (in the future: if nothing else happens).
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let before = ledger.balance_at(&alice, bought.booked_at - chrono::TimeDelta::seconds(1))?;
    /// assert!(!before.exists);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` before 1970, `out_of_range` after 9999, and as for [`Ledger::balance`].
    pub fn balance_at(&self, account: &AccountId, at: DateTime<Utc>) -> Result<Balance> {
        let at = Instant::from_utc("at", at)?;
        self.look(|look| look.balance(account, Some(at)))
    }

    /// Whether the account could pay so many points. Advisory: only hold and strict consume decide.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.check(&alice, Points::new(50)?)?.allowed);
    /// assert_eq!(ledger.check(&alice, Points::new(51)?)?.reason.as_deref(), Some("insufficient_points"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn check(&self, account: &AccountId, required: Points) -> Result<Check> {
        self.look(|look| look.check(account, required))
    }

    /// An account's batches: those pending or live, or all.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.batches(&alice, &Query::new())?.items.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor, and as for [`Ledger::balance`].
    pub fn batches(&self, account: &AccountId, query: &Query) -> Result<Page<BatchInfo>> {
        let filter = query.filter("batches")?;
        self.look(|look| look.batches(account, &filter))
    }

    /// An account's holds: those open, or all.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.hold(&alice, &Key::new("task:2")?, Hold::new(Points::new(10)?, std::time::Duration::from_secs(60)))?;
    /// assert_eq!(ledger.holds(&alice, &Query::new())?.items[0].points, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn holds(&self, account: &AccountId, query: &Query) -> Result<Page<HoldInfo>> {
        let filter = query.filter("holds")?;
        self.look(|look| look.holds(account, &filter))
    }

    /// An account's plans: those with periods to come, or all.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.plan(&alice, &Key::new("gift:1")?, Plan::new(Points::new(10)?, "gift", Every::Weeks(1)))?;
    /// assert_eq!(ledger.plans(&alice, &Query::new())?.items[0].next_period, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn plans(&self, account: &AccountId, query: &Query) -> Result<Page<PlanInfo>> {
        let filter = query.filter("plans")?;
        self.look(|look| look.plans(account, &filter))
    }

    /// What a wallet's page shows of an account: its balance, batches pending or live, open holds, plans with periods to come, and the
    /// newest lines of its books. All of one instant and one read of the file, which separate verbs are not: a batch may expire, or
    /// somebody book, between them. Of each list the first page; a query may have a limit and nothing else.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let page = ledger.overview(&alice, &Query::new().limit(20))?;
    /// assert_eq!(page.balance.figures.available, page.batches.items[0].remaining);
    /// assert_eq!(page.history.items[0].after.available, page.balance.figures.available);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn overview(&self, account: &AccountId, query: &Query) -> Result<Overview> {
        let filter = query.filter("overview")?;
        self.look(|look| look.overview(account, filter))
    }

    /// Batches with points left that expire at or before an instant, soonest first; of one account or of all.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let soon = bought.booked_at + chrono::TimeDelta::days(7);
    /// assert!(ledger.expiring(soon, Some(&alice))?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let page = ledger.history(&alice, &Query::new().kind("recharge"))?;
    /// assert_eq!(page.items[0].after.available, 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor or kind, and as for [`Ledger::balance`].
    pub fn history(&self, account: &AccountId, query: &Query) -> Result<Page<Entry>> {
        let filter = query.filter("history")?;
        self.look(|look| look.history(account, &filter))
    }

    /// The lines that operations wrote in the books of every account, a page at a time, in the order of the log. What time alone did, as
    /// an expiry, is no operation's: it stands in each account's own history.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let newest = ledger.history_of_all(&Query::new().newest_first(true).limit(1))?;
    /// assert_eq!((&newest.items[0].account, newest.items[0].kind), (&alice, EntryKind::Recharge));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::history`].
    pub fn history_of_all(&self, query: &Query) -> Result<Page<Entry>> {
        let filter = query.filter("history")?;
        self.look(|look| look.history_of_all(&filter))
    }

    /// The operations of all accounts that carry a name, a page at a time, in the order of the log: by [`Query::text`], or by
    /// [`Query::reference`] alone. It reads the log, ten thousand operations a page; keys alone have an index
    /// ([`Ledger::operations_by_key`]).
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let found = ledger.find(&Query::new().text("order:1"))?;
    /// assert_eq!((found.items[0].change.operation, &found.items[0].change.account), (bought.operation, &Some(alice)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor, or when it is not said what to find; and as for [`Ledger::balance`].
    pub fn find(&self, query: &Query) -> Result<Page<Found>> {
        self.ask(&query.clone().question("find"))?.try_into()
    }

    /// One operation with all that is known of it.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// assert_eq!(ledger.operation(&charged.operation)?.refundable, Some(Points::new(20)?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn operation(&self, operation: &OperationId) -> Result<OperationInfo> {
        self.look(|look| look.operation(operation))
    }

    /// The operation that a name means: its number in the file's log, its id, or the key it was booked under. A key may have
    /// been used by several accounts, and for several kinds of operation; an account, if one is given, is the only one that is
    /// meant.
    ///
    /// What could mean two things is refused, with what to write for each: `number:2` is the operation with that number,
    /// `key:2` the one booked under that key.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.operation_named("order:1", Some(&alice))?, bought.operation);
    /// assert_eq!(ledger.operation_named("1", None)?, bought.operation);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`; `invalid_argument` for a name that means nothing, or several things; and as for
    /// [`Ledger::balance`].
    pub fn operation_named(&self, name: &str, account: Option<&AccountId>) -> Result<OperationId> {
        self.look(|look| look.operation_named(name, account))
    }

    /// The same of an operation that charged: of those of a key, such as a hold and its capture, only a consume or capture is
    /// meant.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("order:1")?, Consume::points(Points::new(20)?))?;
    /// assert_eq!(ledger.charge_named("order:1", None)?, charged.operation);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::operation_named`].
    pub fn charge_named(&self, name: &str, account: Option<&AccountId>) -> Result<OperationId> {
        self.look(|look| look.charge_named(name, account))
    }

    /// The same of a batch: its id, or the number or key of the operation that made it, if that made no other; `27.2` is the
    /// second that operation 27 made.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.batch_named("order:1", None)?, ledger.batch_named("1.1", None)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_batch`, and as for [`Ledger::operation_named`].
    pub fn batch_named(&self, name: &str, account: Option<&AccountId>) -> Result<BatchId> {
        self.look(|look| look.batch_named(name, account))
    }

    /// The same of a hold.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let hold = Hold::new(Points::new(10)?, std::time::Duration::from_secs(60));
    /// let held = ledger.hold(&alice, &Key::new("task:2")?, hold)?;
    /// assert_eq!(ledger.hold_named("task:2", Some(&alice))?, held.id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_hold`, and as for [`Ledger::operation_named`].
    pub fn hold_named(&self, name: &str, account: Option<&AccountId>) -> Result<HoldId> {
        self.look(|look| look.hold_named(name, account))
    }

    /// The same of a plan.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let receipt = ledger.plan(&alice, &Key::new("gift:1")?, Plan::new(Points::new(10)?, "gift", Every::Weeks(1)))?;
    /// assert_eq!(Some(ledger.plan_named("gift:1", Some(&alice))?), receipt.plan.map(|plan| plan.id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_plan`, and as for [`Ledger::operation_named`].
    pub fn plan_named(&self, name: &str, account: Option<&AccountId>) -> Result<PlanId> {
        self.look(|look| look.plan_named(name, account))
    }

    /// The id of the operation with this number in the file's log.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.operation_id(1)?, bought.operation);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn operation_id(&self, sequence: i64) -> Result<OperationId> {
        self.look(|look| look.operation_id(sequence))
    }

    /// The operations booked under this key, oldest first: a key is used once per account and kind, so there may be
    /// several. At most 100.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.operations_by_key(&Key::new("order:1")?)?, [bought.operation]);
    /// assert!(ledger.operations_by_key(&Key::new("order:2")?)?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn operations_by_key(&self, key: &Key) -> Result<Vec<OperationId>> {
        self.look(|look| look.operations_by_key(key))
    }

    /// Which batches pay for a consume or capture by now, or back a hold.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// assert_eq!(ledger.allocations(&charged.operation)?[0].points, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn allocations(&self, operation: &OperationId) -> Result<Vec<Allocation>> {
        self.look(|look| look.allocations(operation))
    }

    /// Accounts with their balances, a page at a time, in order of opening.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.accounts(&Query::new().matching("al*"))?.items[0].account, alice);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor or state, and as for [`Ledger::balance`].
    pub fn accounts(&self, query: &Query) -> Result<Page<Balance>> {
        let filter = query.filter("accounts")?;
        self.look(|look| look.accounts(&filter))
    }

    /// How the clock stands to the times in the file.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// if ledger.clock()?.behind > 0 {
    ///     eprintln!("the clock is slow, or was fast before");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn clock(&self) -> Result<ClockInfo> {
        self.look(|look| Ok(look.clock()))
    }

    /// How many points [`Ledger::confirm_clock`] would bring back: those that lapsed by a time later than the clock reads. To be
    /// told before it is asked for.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// assert_eq!(ledger.clock_brings_back()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn clock_brings_back(&self) -> Result<i64> {
        self.look(|look| look.clock_brings_back())
    }

    /// What the file says of itself: ids, settings, length and head of its log.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.info()?.operations, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn info(&self) -> Result<Info> {
        self.look(|look| look.info())
    }

    /// The devices of this hub, in the order in which they were admitted; none of a file that is no hub.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.devices(&Query::new())?.items.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn devices(&self, query: &Query) -> Result<Page<DeviceInfo>> {
        let filter = query.filter("devices")?;
        self.look(|look| look.devices(&filter))
    }

    /// How the file stands with its hub, or with its devices: how much the other side has, and since when nothing was heard.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::exchange::Role;
    /// let status = ledger.sync_status()?;
    /// assert!(status.role == Role::Standalone && status.hub.is_none() && status.devices.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn sync_status(&self) -> Result<SyncStatus> {
        self.look(|look| look.sync_status())
    }

    /// What devices did and this hub set aside, oldest first: what waits for [`Ledger::approve`] or [`Ledger::dismiss`];
    /// with `all` also what was.
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn staged(&self, query: &Query) -> Result<Page<StagedInfo>> {
        let filter = query.filter("staged")?;
        self.look(|look| look.staged(&filter))
    }

    /// What an operator should see of what devices did, oldest first: what nobody has acknowledged; with `all` also the rest.
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn flags(&self, query: &Query) -> Result<Page<FlagInfo>> {
        let filter = query.filter("flags")?;
        self.look(|look| look.flags(&filter))
    }

    /// What is set aside for devices, oldest first: what they have not spent; with `all` also the rest. On a device its own.
    ///
    /// # Errors
    /// As for [`Ledger::batches`].
    pub fn allotments(&self, query: &Query) -> Result<Page<AllotmentInfo>> {
        let filter = query.filter("allotments")?;
        self.look(|look| look.allotments(&filter))
    }
}

/// Prices.
impl Ledger {
    /// The price book in force for this handle and its clones.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert!(ledger.pricing().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pricing(&self) -> Option<Arc<PriceBook>> {
        self.price_books().last().cloned()
    }

    pub(super) fn price_books(&self) -> Arc<[Arc<PriceBook>]> {
        self.books.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the book of a quote that another handle gave.
    pub(super) fn keep_quoted(&self, request: &Request) {
        let Some(book) = request.book() else { return };
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        if !books.iter().any(|kept| kept.hash() == book.hash()) {
            // The last stays in force.
            *books = [book].into_iter().chain(books.iter()).cloned().collect();
        }
    }

    /// Puts another price book in force, whole, for this handle and its clones. The ones before stay known to it, for holds
    /// that they have quoted.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let book = pricing::PriceBook::parse("[fixed_costs]\nscript = 10\n", "new prices")?;
    /// ledger.set_pricing(book);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_pricing(&self, book: PriceBook) {
        let book = Arc::new(book);
        let mut books = self.books.write().unwrap_or_else(PoisonError::into_inner);
        *books = books.iter().filter(|kept| kept.hash() != book.hash()).chain([&book]).cloned().collect();
    }

    /// Reads a price book file and puts it in force; with any fault in it the old one stays.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.reload_pricing("config/pricing.toml")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `pricing`, with every fault of the file drawn at its place.
    pub fn reload_pricing(&self, path: impl AsRef<Path>) -> Result<()> {
        self.set_pricing(read_book(path.as_ref())?);
        Ok(())
    }

    /// The price book of the newest operation booked under one, as stored in the file.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.newest_pricing()?.map(|book| book.hash()), ledger.pricing().map(|book| book.hash()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        let priced = book.price(service, usage);
        quote(book, priced, usage)
    }

    /// What it can cost at most, from what is known before the work: characters, or input seconds.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.estimate("tts", &Usage::chars(1_200))?.points, 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::price`].
    pub fn estimate<'u>(&self, service: &str, usage: impl Into<Option<&'u Usage>>) -> Result<Quote> {
        let (book, usage) = (self.book()?, usage.into());
        let priced = book.estimate(service, usage);
        quote(book, priced, usage)
    }
}

impl Question {
    /// The answer to `price` or `estimate` by a price book: it takes no ledger.
    ///
    /// ```
    /// use counterfoil::{Question, pricing::PriceBook};
    /// let book = PriceBook::parse("[fixed_costs]\nposter = 12\n", "prices.toml").map_err(|faults| faults.to_string())?;
    /// let question = Question::parse(r#"{"get":"price","service":"poster"}"#)?;
    /// assert_eq!(question.quote(book)?.points, 12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::price`]; `invalid_argument` for any other question.
    pub fn quote(&self, book: impl Into<Arc<PriceBook>>) -> Result<Quote> {
        let book = book.into();
        let (priced, usage) = match self.asked()? {
            Asked::Price(service, usage) => (book.price(&service, usage.as_ref()), usage),
            Asked::Estimate(service, usage) => (book.estimate(&service, usage.as_ref()), usage),
            _ => return Err(Error::invalid("get", "is not about a price", "ask for a price, or an estimate")),
        };
        quote(book, priced, usage.as_ref())
    }
}

type Pricing = std::result::Result<Priced, PriceError>;

fn quote(book: Arc<PriceBook>, priced: Pricing, usage: Option<&Usage>) -> Result<Quote> {
    let Priced { service, points, rule, .. } = priced?;
    Ok(Quote { service, points, rule, price_book: book.hash(), usage: usage.cloned(), book: Some(book) })
}
