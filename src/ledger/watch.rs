//! Watching: what has changed, which balances are low, what expires soon. For a user interface that is to be up to date.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Ledger;
use crate::error::{Error, Result};
use crate::file::{File, ForeignCheck};
use crate::model::{AccountId, BatchInfo};
use crate::notice::{Changed, Due, Levels, News, Notice, Reminders, Subscriber};
use crate::report::Look;
use crate::units::{Clock, Points, Reading};

/// How often a waiting watch looks for other processes' commits.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Watching.
impl Ledger {
    /// Watches the ledger from now on: tells what is committed through any handle of this process, at once, and what other
    /// processes commit, soon. See [`Watch`].
    ///
    /// ```
    /// # use counterfoil::*;
    /// # use std::time::Duration;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut watch = ledger.watch()?;
    /// let window = std::thread::spawn(move || {
    ///     // A thread of the user interface. It ends when the ledger is closed.
    ///     while let Ok(notice) = watch.wait() {
    ///         println!("{notice:?}");
    ///     }
    /// });
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// ledger.close()?;
    /// window.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `storage`, `corrupt`, `closed`.
    pub fn watch(&self) -> Result<Watch> {
        let mut foreign = self.file.foreign_check()?;
        let subscriber = Subscriber::new(Arc::clone(self.file.notifier()));
        // What others committed before now is not news.
        self.file.check_foreign(&mut foreign)?;
        let mut watch = Watch {
            file: Arc::downgrade(&self.file),
            clock: Arc::clone(&self.clock),
            reminders: Arc::clone(&self.reminders),
            subscriber,
            foreign,
            every: LOOK_EVERY,
            looked: Instant::now(),
            seen: 0,
            behind: false,
            news: News::default(),
            levels: Levels::default(),
            due: Due::default(),
            ready: VecDeque::new(),
        };
        watch.subscriber.collect(&mut News::default());
        (watch.seen, watch.due) = self.file.look(self.reading(), |look| {
            let (page, mut due) = (look.log_after(look.length())?, Due::default());
            look.time_passed(&mut due, &page, News::default())?;
            Ok((page.last, due))
        })?;
        Ok(watch)
    }

    /// Has every [`Watch`] tell when the account's available points are below a threshold; a new number replaces the old
    /// one, `None` removes it. Kept by this handle and its clones, not in the file.
    ///
    /// Each watch tells it once, at its next look also when the account is below already; and again only after the account
    /// was at or above the threshold. Expiry counts, whether or not it was swept. Balances are looked at when the account
    /// changes and when something of it falls due: a dip that was over before the watch looked is not told.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # use std::time::Duration;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.warn_below(&alice, Points::new(20)?);
    /// let mut watch = ledger.watch()?;
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(40)?))?;
    /// assert!(matches!(watch.next(Duration::ZERO)?, Some(Notice::Changed(_))));
    /// assert!(matches!(watch.next(Duration::ZERO)?, Some(Notice::LowBalance(low)) if low.balance.available == 10));
    /// ledger.warn_below(&alice, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn warn_below(&self, account: &AccountId, threshold: impl Into<Option<Points>>) {
        self.reminders.set_threshold(account, threshold.into());
        self.file.notifier().notify();
    }

    /// Batches with points left that expire within this time, soonest first; of one account or of all. Each is told once by
    /// this handle and its clones, and again only when its expiry was moved: for a message at the start and every hour.
    /// [`Ledger::expiring`] gives all of them each time.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # use std::time::Duration;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let gift = Recharge::new(Points::new(50)?, "gift").expires(ExpiresIn::Days(3));
    /// ledger.recharge(&alice, &Key::new("gift")?, gift)?;
    /// let week = Duration::from_secs(7 * 24 * 3600);
    /// assert_eq!(ledger.expiring_soon(week, None)?.len(), 1);
    /// assert_eq!(ledger.expiring_soon(week, None)?.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn expiring_soon(&self, within: Duration, account: Option<&AccountId>) -> Result<Vec<BatchInfo>> {
        let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        let (now, found) = self.file.look(self.reading(), |look| {
            let before = crate::units::Instant::clamped(look.now().millis().saturating_add(within));
            Ok((look.now(), look.expiring(before, account)?))
        })?;
        Ok(self.reminders.untold(found, now.utc()))
    }
}

/// Tells what changes in a ledger, from [`Ledger::watch`] on. One watch for one listener; it may be sent to its thread.
///
/// **What is told.** Every operation booked, once, in the order of the log, after it was committed: a refused, repeated or
/// tried one (`dry_run`) never.
///
/// **What time alone does** is told once too, when it happens, though nobody books anything: a batch expires or becomes
/// effective, a hold passes its deadline, a plan gives its period. The account is named in a [`Changed`] without operations;
/// a sweep that books it later names it no more. Whoever waits here is woken at that instant of the ledger's clock, or as soon as other
/// processes are looked for after it, which also finds a clock that was put forward. Nothing is done until then. When the
/// clock went back for good (`confirm_clock`), `everything` is set. Of more than 1024 accounts that nobody has swept since
/// something fell due in them, what comes after that is not told: see [`Ledger::expire`].
///
/// **Other processes** are looked for every 250 ms ([`Watch::look_every`]) while somebody waits here, and at no other time:
/// a watch has no thread. Their operations are named like one's own, and `everything` is set, for they may have swept
/// accounts too. A ledger opened to look only takes all others for other processes.
///
/// **Slowness costs nothing.** What is to be told is read from the log, at most 256 operations in one notice. A watch that is
/// more than 4096 operations behind is told their numbers only (`first`, `last`), and `everything`.
///
/// It does not keep the ledger open: when that is closed, or its last handle dropped, whoever waits here gets `closed`.
///
/// ```
/// # use counterfoil::*;
/// # use std::time::Duration;
/// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let mut watch = ledger.watch()?;
/// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
/// while let Some(notice) = watch.next(Duration::from_millis(10))? {
///     match notice {
///         Notice::Changed(changed) => println!("draw these again: {:?}", changed.accounts),
///         Notice::LowBalance(low) => println!("{} has {} left", low.account, low.balance.available),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Watch {
    /// Weak: a watch does not keep the file open.
    file: Weak<File>,
    clock: Arc<dyn Clock>,
    reminders: Arc<Reminders>,
    subscriber: Subscriber,
    foreign: ForeignCheck,
    every: Duration,
    /// When others were last looked for.
    looked: Instant,
    /// Number of the last operation read.
    seen: i64,
    /// Whether the log went on after it.
    behind: bool,
    news: News,
    levels: Levels,
    due: Due,
    ready: VecDeque<Notice>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("seen", &self.seen).field("every", &self.every).finish_non_exhaustive()
    }
}

impl Watch {
    /// How often to look for other processes while somebody waits: 250 ms unless this says otherwise, at least 1 ms.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let watch = ledger.watch()?.look_every(std::time::Duration::from_secs(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn look_every(mut self, interval: Duration) -> Self {
        self.every = interval.max(Duration::from_millis(1));
        self
    }

    /// The next notice, or `None` when there is none until the time is over. With [`Duration::ZERO`] it does not wait.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # use std::time::Duration;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.watch()?.next(Duration::from_millis(5))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `closed` when the ledger is; `storage`, `corrupt`, after which nothing is lost: call again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Notice>> {
        let began = Instant::now();
        loop {
            self.look()?;
            if let Some(notice) = self.ready.pop_front() {
                return Ok(Some(notice));
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let pause = self.due.pause(Reading::take(self.clock.as_ref()).at);
            self.subscriber.wait(left.min(self.every.saturating_sub(self.looked.elapsed())).min(pause));
        }
    }

    /// The next notice, however long it takes.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut watch = ledger.watch()?;
    /// ledger.open_account(&AccountId::new("bob")?, &Key::new("open")?, OpenAccount::new())?;
    /// assert!(matches!(watch.wait()?, Notice::Changed(changed) if changed.changes[0].op == "open"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Watch::next`].
    pub fn wait(&mut self) -> Result<Notice> {
        loop {
            if let Some(notice) = self.next(Duration::MAX)? {
                return Ok(notice);
            }
        }
    }

    /// Reads the notices that are due into `ready`.
    fn look(&mut self) -> Result<()> {
        let file = self.file.upgrade().ok_or(Error::Closed)?;
        if self.looked.elapsed() >= self.every {
            file.check_foreign(&mut self.foreign)?;
            self.looked = Instant::now();
        }
        self.subscriber.collect(&mut self.news);
        self.levels.follow(&self.reminders);
        let reading = Reading::take(self.clock.as_ref());
        let due = self.news.any || self.behind || self.levels.are_due(reading.at) || self.due.is_due(reading.at);
        if !self.ready.is_empty() || !due {
            return file.check_open();
        }
        let (page, news, due, standing) = file.look(reading, |look| {
            let (page, mut due) = (look.log_after(self.seen)?, self.due.clone());
            let news = look.time_passed(&mut due, &page, self.news.clone())?;
            let mut changed = news.accounts.clone();
            changed.extend(page.accounts().cloned());
            let any = news.everything || page.is_collapsed();
            let concerned = self.levels.concerned(reading.at, (!any).then_some(&changed));
            let stand = |id: AccountId| Look::standing(look, &id).map(|(balance, next)| (id, balance, next));
            let standing = concerned.into_iter().map(stand).collect::<Result<Vec<_>>>()?;
            Ok((page, news, due, standing))
        })?;
        (self.seen, self.behind, self.due, self.news) = (page.last, page.more, due, News::default());
        self.ready.extend(Changed::of(page, news).map(Notice::Changed));
        for (account, balance, next) in standing {
            self.ready.extend(self.levels.update(account, balance, next).map(Notice::LowBalance));
        }
        Ok(())
    }
}
