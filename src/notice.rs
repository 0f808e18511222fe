//! Notices to those who watch a ledger, and the notifier that wakes them. What was booked they read from the log, so for
//! a slow subscriber nothing is kept but the names of swept accounts. No SQL here.

mod due;
mod remind;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, Figures, OpKind, OperationId};
use crate::units::{Points, is_false, utc};
pub(crate) use due::Due;
pub(crate) use remind::{Levels, Reminders};

/// So many names of swept accounts are kept for whoever has not news them yet.
pub(crate) const MOST_SWEPT: usize = 1024;

/// What a [`Watch`](crate::Watch) tells. JSON shape `counterfoil.notice/1`, told apart by `notice`.
///
/// ```
/// # use counterfoil::*;
/// # use std::time::Duration;
/// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let mut watch = ledger.watch()?;
/// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
/// match watch.next(Duration::ZERO)? {
///     Some(Notice::Changed(changed)) => assert_eq!(changed.accounts, [alice]),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "notice", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// The books have changed.
    Changed(Changed),
    /// An account has fallen below its threshold.
    LowBalance(LowBalance),
}

/// What has changed since the notice before.
///
/// ```
/// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let mut watch = ledger.watch()?;
/// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
/// let Notice::Changed(changed) = watch.wait()? else { unreachable!() };
/// assert_eq!((changed.first, changed.last, changed.everything), (Some(2), Some(2), false));
/// assert!(changed.changes[0].op == OpKind::Consume && changed.changes[0].points == 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Changed {
    /// The operations booked, in the order of the log. Empty when they were too many to name: then `everything` is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The accounts these touched, those that time alone has changed, and those in which a sweep (`expire`) of this process
    /// booked what was not told yet; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// Other accounts may have changed too: another process was at work, or there was more than is told one by one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub everything: bool,
    /// Number in the log of the first operation this is about; none when time alone has changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// Number in the log of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
}

/// One operation that was booked. [`Ledger::operation`](crate::Ledger::operation) has the rest.
///
/// ```
/// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let mut watch = ledger.watch()?;
/// let receipt = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
/// let Notice::Changed(changed) = watch.wait()? else { unreachable!() };
/// assert_eq!(changed.changes[0].operation, receipt.operation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Change {
    /// Its number in the log.
    pub sequence: i64,
    /// Its id.
    pub operation: OperationId,
    /// The kind of operation, as in a request's `op`.
    pub op: OpKind,
    /// The account; of a transfer, the paying one. None for operations on the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The account a transfer went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<AccountId>,
    /// Points, as in its receipt.
    pub points: Points,
    /// When it counts from.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
}

/// An account whose available points have fallen below its threshold.
///
/// ```
/// # use counterfoil::*;
/// # use std::time::Duration;
/// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
/// let mut watch = ledger.watch()?;
/// ledger.warn_below(&alice, Points::new(80)?);
/// let Some(Notice::LowBalance(low)) = watch.next(Duration::ZERO)? else { unreachable!() };
/// assert!(low.account == alice && low.threshold == 80 && low.balance.available == 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LowBalance {
    /// The account.
    pub account: AccountId,
    /// The threshold it is below, in points.
    pub threshold: Points,
    /// Its balances when this was noticed.
    pub balance: Figures,
}

/// A page of the log as a watch reads it: what comes after `after`, up to `last`.
#[derive(Debug)]
pub(crate) struct LogPage {
    /// Empty when there are too many to name.
    pub(crate) changes: Vec<Change>,
    pub(crate) after: i64,
    pub(crate) last: i64,
    /// Whether the log goes on.
    pub(crate) more: bool,
}

impl Changed {
    /// What there is to tell, if anything.
    pub(crate) fn of(page: LogPage, news: News) -> Option<Self> {
        let News { everything, mut accounts, .. } = news;
        let booked = page.last > page.after;
        if !booked && !everything && accounts.is_empty() {
            return None;
        }
        accounts.extend(page.accounts().cloned());
        Some(Changed {
            accounts: accounts.into_iter().collect(),
            everything: everything || page.is_collapsed(),
            first: booked.then_some(page.after.saturating_add(1)),
            last: booked.then_some(page.last),
            changes: page.changes,
        })
    }
}

impl LogPage {
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.changes.iter().flat_map(|change| change.account.iter().chain(&change.to))
    }

    pub(crate) fn is_collapsed(&self) -> bool {
        self.last > self.after && self.changes.is_empty()
    }
}

/// Wakes the subscribers of a file; shared by all handles of this process on it.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    subscribers: AtomicUsize,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    notified: u64,
    /// Commits of other processes seen.
    foreign: u64,
    /// The accounts swept last, the newest at the end, and how many were swept in all.
    swept: VecDeque<AccountId>,
    swept_ever: u64,
}

impl Notifier {
    /// While there is no subscriber, a commit costs this check only.
    pub(crate) fn is_watched(&self) -> bool {
        self.subscribers.load(Ordering::SeqCst) > 0
    }

    /// After a commit, a new threshold, and the end of the file.
    pub(crate) fn notify(&self) {
        self.update(|_| ());
    }

    /// Another process has committed.
    pub(crate) fn foreign_commit(&self) {
        self.update(|state| state.foreign = state.foreign.wrapping_add(1));
    }

    /// A sweep of these accounts was committed.
    pub(crate) fn swept(&self, accounts: Vec<AccountId>) {
        self.update(|state| {
            state.swept_ever = state.swept_ever.saturating_add(accounts.len() as u64);
            state.swept.extend(accounts);
            let surplus = state.swept.len().saturating_sub(MOST_SWEPT);
            state.swept.drain(..surplus);
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        if !self.is_watched() {
            return;
        }
        let mut state = self.state();
        state.notified = state.notified.wrapping_add(1);
        change(&mut state);
        drop(state);
        self.woken.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a subscriber was notified of and has not told yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct News {
    pub(crate) any: bool,
    pub(crate) everything: bool,
    pub(crate) accounts: BTreeSet<AccountId>,
}

/// One watch's subscription, with the counts of the notifier when it last looked.
#[derive(Debug)]
pub(crate) struct Subscriber {
    notifier: Arc<Notifier>,
    notified: u64,
    foreign: u64,
    swept: u64,
}

impl Subscriber {
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        notifier.subscribers.fetch_add(1, Ordering::SeqCst);
        let state = notifier.state();
        let (notified, foreign, swept) = (state.notified, state.foreign, state.swept_ever);
        drop(state);
        Subscriber { notifier, notified, foreign, swept }
    }

    /// Adds what came since the last time.
    pub(crate) fn collect(&mut self, news: &mut News) {
        let state = self.notifier.state();
        let new = usize::try_from(state.swept_ever.saturating_sub(self.swept)).unwrap_or(usize::MAX);
        news.any |= state.notified != self.notified;
        news.everything |= state.foreign != self.foreign || new > state.swept.len();
        news.accounts.extend(state.swept.iter().rev().take(new).cloned());
        (self.notified, self.foreign, self.swept) = (state.notified, state.foreign, state.swept_ever);
        if news.accounts.len() > MOST_SWEPT {
            news.everything = true;
            news.accounts.clear();
        }
    }

    /// Waits for the next notification; not at all when one came since `collect`.
    pub(crate) fn wait(&self, most: Duration) {
        let state = self.notifier.state();
        let done = self.notifier.woken.wait_timeout_while(state, most, |state| state.notified == self.notified);
        drop(done.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if self.notifier.subscribers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.notifier.state().swept = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(range: std::ops::Range<u32>) -> Vec<AccountId> {
        range.map(|n| AccountId::new(format!("{n}")).unwrap()).collect()
    }

    #[test]
    fn nothing_is_kept_without_a_subscriber() {
        let notifier = Arc::new(Notifier::default());
        notifier.notify();
        notifier.swept(names(0..10));
        let kept = |notifier: &Notifier| {
            let state = notifier.state();
            (state.notified, state.swept.capacity())
        };
        assert_eq!((kept(&notifier), notifier.is_watched()), ((0, 0), false));
        let mut first = Subscriber::new(Arc::clone(&notifier));
        notifier.swept(names(0..3000));
        assert_eq!(notifier.state().swept.len(), MOST_SWEPT);
        let mut second = Subscriber::new(Arc::clone(&notifier));
        notifier.swept(names(7..8));
        let collect = |subscriber: &mut Subscriber| {
            let mut news = News::default();
            subscriber.collect(&mut news);
            (news.everything, news.accounts.len())
        };
        assert_eq!((collect(&mut first).0, collect(&mut second), collect(&mut second)), (true, (false, 1), (false, 0)));
        drop((first, second));
        assert_eq!((kept(&notifier).1, notifier.is_watched()), (0, false));
    }
}
