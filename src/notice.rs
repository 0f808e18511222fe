//! What those who watch a ledger are told, and the bell that wakes them. What was booked they read in the log itself, so
//! however slow they are, nothing is kept for them but a few names. No SQL here.

mod remind;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{AccountId, Figures, OperationId};
use crate::units::{is_false, serialize_utc};
pub(crate) use remind::{Levels, Reminders};

/// So many names of swept accounts are kept for whoever has not heard them yet.
const MOST_SWEPT: usize = 1024;

/// What a [`Watch`](crate::Watch) tells. JSON shape `counterfoil.notice/1`, told apart by `notice`.
///
/// ```
/// # use counterfoil::*;
/// # use std::time::Duration;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// # let alice = AccountId::new("alice")?;
/// let mut watch = ledger.watch()?;
/// ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
/// match watch.next(Duration::ZERO)? {
///     Some(Notice::Changed(changed)) => assert_eq!(changed.accounts, [alice]),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
/// # use counterfoil::*;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// # let alice = AccountId::new("alice")?;
/// let mut watch = ledger.watch()?;
/// ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
/// let Notice::Changed(changed) = watch.wait()? else { unreachable!() };
/// assert_eq!((changed.first, changed.last, changed.everything), (Some(1), Some(1), false));
/// assert_eq!((changed.changes[0].op, changed.changes[0].points), ("recharge", 50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Changed {
    /// The operations booked, in the order of the log. Empty when they were too many to name: then `everything` is set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The accounts these touched, and those a sweep (`expire`) of this process brought up to date; sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// Other accounts may have changed too: another process was at work, or there was more than is told one by one.
    #[serde(skip_serializing_if = "is_false")]
    pub everything: bool,
    /// Number in the log of the first operation this is about; none when only a sweep was booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// Number in the log of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
}

/// One operation that was booked. [`Ledger::operation`](crate::Ledger::operation) has the rest.
///
/// ```
/// # use counterfoil::*;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// # let alice = AccountId::new("alice")?;
/// let mut watch = ledger.watch()?;
/// let receipt = ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
/// let Notice::Changed(changed) = watch.wait()? else { unreachable!() };
/// assert_eq!(changed.changes[0].operation, receipt.operation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Its number in the log.
    pub sequence: i64,
    /// Its id.
    pub operation: OperationId,
    /// The kind of operation, as in a request's `op`.
    pub op: &'static str,
    /// The account; of a transfer, the paying one. None for operations on the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The account a transfer went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<AccountId>,
    /// Points, as in its receipt.
    pub points: i64,
    /// When it counts from.
    #[serde(serialize_with = "serialize_utc")]
    pub booked_at: DateTime<Utc>,
}

/// An account whose available points have fallen below its threshold.
///
/// ```
/// # use counterfoil::*;
/// # use std::time::Duration;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let alice = AccountId::new("alice")?;
/// let mut watch = ledger.watch()?;
/// ledger.warn_below(&alice, Points::new(20)?);
/// let Some(Notice::LowBalance(low)) = watch.next(Duration::ZERO)? else { unreachable!() };
/// assert_eq!((low.account, low.threshold, low.balance.available), (alice, 20, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LowBalance {
    /// The account.
    pub account: AccountId,
    /// The threshold it is below, in points.
    pub threshold: i64,
    /// Its balances when this was noticed.
    pub balance: Figures,
}

/// A stretch of the log as a watch reads it.
#[derive(Debug)]
pub(crate) struct LogPage {
    /// Empty when there are too many to name.
    pub(crate) changes: Vec<Change>,
    /// The numbers it covers: after `after`, up to `last`.
    pub(crate) after: i64,
    pub(crate) last: i64,
    /// Whether the log goes on.
    pub(crate) more: bool,
}

impl Changed {
    /// What there is to tell, if anything.
    pub(crate) fn of(page: LogPage, heard: Heard) -> Option<Self> {
        let Heard { everything, accounts, .. } = heard;
        let booked = page.last > page.after;
        if !booked && !everything && accounts.is_empty() {
            return None;
        }
        let mut accounts = accounts;
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

fn unpoisoned<T>(guard: Result<T, PoisonError<T>>) -> T {
    guard.unwrap_or_else(PoisonError::into_inner)
}

/// Wakes those who watch a file: one for all handles of this process on it.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    watchers: AtomicUsize,
    rung: Mutex<Rung>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    times: u64,
    /// How often others were seen to have committed.
    others: u64,
    /// Accounts swept, the newest last.
    swept: VecDeque<AccountId>,
    /// How many there were before these.
    forgotten: u64,
}

impl Rung {
    fn swept(&self) -> u64 {
        self.forgotten.saturating_add(self.swept.len() as u64)
    }
}

impl Bell {
    /// All that a change costs while nobody watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::SeqCst) > 0
    }

    /// Something was committed, or is over.
    pub(crate) fn ring(&self) {
        self.tell(|_| ());
    }

    /// Another process has committed.
    pub(crate) fn others(&self) {
        self.tell(|rung| rung.others = rung.others.wrapping_add(1));
    }

    /// These accounts were brought up to date, and it was committed.
    pub(crate) fn swept(&self, accounts: Vec<AccountId>) {
        self.tell(|rung| {
            rung.swept.extend(accounts);
            let surplus = rung.swept.len().saturating_sub(MOST_SWEPT);
            rung.swept.drain(..surplus);
            rung.forgotten = rung.forgotten.saturating_add(surplus as u64);
        });
    }

    fn tell(&self, say: impl FnOnce(&mut Rung)) {
        if !self.is_watched() {
            return;
        }
        let mut rung = self.rung();
        rung.times = rung.times.wrapping_add(1);
        say(&mut rung);
        drop(rung);
        self.woken.notify_all();
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        unpoisoned(self.rung.lock())
    }
}

/// A handle's hold on the bell: rings when the handle is gone.
pub(crate) struct Rope(pub(crate) Arc<Bell>);

impl Drop for Rope {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// What a watch has heard and not told yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) rung: bool,
    pub(crate) everything: bool,
    pub(crate) accounts: BTreeSet<AccountId>,
}

/// One watch's ear for the bell.
#[derive(Debug)]
pub(crate) struct Ear {
    bell: Arc<Bell>,
    times: u64,
    others: u64,
    swept: u64,
}

impl Ear {
    /// Hears what is rung from now on.
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        bell.watchers.fetch_add(1, Ordering::SeqCst);
        let rung = bell.rung();
        let (times, others, swept) = (rung.times, rung.others, rung.swept());
        drop(rung);
        Ear { bell, times, others, swept }
    }

    /// Adds what was rung since the last time.
    pub(crate) fn hear(&mut self, heard: &mut Heard) {
        let rung = self.bell.rung();
        heard.rung |= rung.times != self.times;
        heard.everything |= rung.others != self.others || self.swept < rung.forgotten;
        let new = rung.swept().saturating_sub(self.swept);
        let new = usize::try_from(new).unwrap_or(usize::MAX).min(rung.swept.len());
        heard.accounts.extend(rung.swept.iter().rev().take(new).cloned());
        (self.times, self.others, self.swept) = (rung.times, rung.others, rung.swept());
        if heard.accounts.len() > MOST_SWEPT {
            heard.everything = true;
            heard.accounts.clear();
        }
    }

    /// Waits until the bell rings; not at all when it has rung since it was last heard.
    pub(crate) fn wait(&self, most: Duration) {
        let rung = self.bell.rung();
        drop(unpoisoned(self.bell.woken.wait_timeout_while(rung, most, |rung| rung.times == self.times)));
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if self.bell.watchers.fetch_sub(1, Ordering::SeqCst) == 1 {
            let mut rung = self.bell.rung();
            rung.forgotten = rung.swept();
            rung.swept = VecDeque::new();
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
    fn nothing_is_kept_for_nobody() {
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.swept(names(0..10));
        assert_eq!((bell.rung().times, bell.is_watched()), (0, false));
        assert_eq!(bell.rung().swept.len(), 0);
        let mut ear = Ear::new(Arc::clone(&bell));
        bell.swept(names(0..3000));
        assert_eq!(bell.rung().swept.len(), MOST_SWEPT);
        let mut later = Ear::new(Arc::clone(&bell));
        bell.swept(names(7..8));
        let hear = |ear: &mut Ear| {
            let mut heard = Heard::default();
            ear.hear(&mut heard);
            (heard.everything, heard.accounts.len())
        };
        assert_eq!((hear(&mut ear).0, hear(&mut later), hear(&mut later)), (true, (false, 1), (false, 0)));
        drop((ear, later));
        assert_eq!((bell.rung().swept.capacity(), bell.is_watched()), (0, false));
    }
}
