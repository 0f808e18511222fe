//! Reminders: thresholds, and the expiries told already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::LowBalance;
use crate::model::{AccountId, BatchId, BatchInfo, Figures};
use crate::units::{Instant, Points};

/// Kept by a handle and its clones, not in the file.
#[derive(Debug, Default)]
pub(crate) struct Reminders {
    thresholds: Mutex<Thresholds>,
    /// The expiry of each batch told, until it has passed.
    told: Mutex<HashMap<BatchId, Option<DateTime<Utc>>>>,
}

#[derive(Debug, Default)]
struct Thresholds {
    /// How often they were changed.
    version: u64,
    points: BTreeMap<AccountId, Points>,
}

impl Reminders {
    pub(crate) fn set_threshold(&self, account: &AccountId, points: Option<Points>) {
        let mut thresholds = self.thresholds.lock().unwrap_or_else(PoisonError::into_inner);
        thresholds.version = thresholds.version.wrapping_add(1);
        match points {
            Some(points) => thresholds.points.insert(account.clone(), points),
            None => thresholds.points.remove(account),
        };
    }

    /// The batches not told yet, or told with another expiry.
    pub(crate) fn untold(&self, batches: Vec<BatchInfo>, now: DateTime<Utc>) -> Vec<BatchInfo> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, expires_at| expires_at.is_some_and(|at| at > now));
        let new = |batch: &BatchInfo| told.insert(batch.batch, batch.expires_at) != Some(batch.expires_at);
        batches.into_iter().filter(new).collect()
    }
}

/// One watch's view of the thresholds: which accounts are below theirs.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    version: u64,
    levels: BTreeMap<AccountId, Level>,
}

#[derive(Debug)]
struct Level {
    threshold: Points,
    below: bool,
    /// When time alone will change the balance.
    next: Option<Instant>,
}

impl Levels {
    /// Takes over the thresholds set, replaced and removed since; a new one is due at once.
    pub(crate) fn follow(&mut self, reminders: &Reminders) {
        let wanted = reminders.thresholds.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.version == self.version {
            return;
        }
        self.version = wanted.version;
        self.levels.retain(|account, level| wanted.points.get(account) == Some(&level.threshold));
        for (account, threshold) in &wanted.points {
            let new = || Level { threshold: *threshold, below: false, next: Some(Instant::MIN) };
            self.levels.entry(account.clone()).or_insert_with(new);
        }
    }

    /// Whether time may have changed one of the balances.
    pub(crate) fn are_due(&self, now: Instant) -> bool {
        self.levels.values().any(|level| level.is_due(now))
    }

    /// The accounts with a threshold whose balance may have changed; `changed` names those booked to (`None`: any).
    pub(crate) fn concerned(&self, now: Instant, changed: Option<&BTreeSet<AccountId>>) -> Vec<AccountId> {
        let concerned = |account: &AccountId, level: &Level| {
            level.is_due(now) || changed.is_none_or(|changed| changed.contains(account))
        };
        let found = self.levels.iter().filter(|(account, level)| concerned(account, level));
        found.map(|(account, _)| account.clone()).collect()
    }

    /// Takes an account's balance, and when time will change it next; the notice, when it has fallen below.
    pub(crate) fn update(&mut self, account: AccountId, balance: Figures, next: Option<Instant>) -> Option<LowBalance> {
        let level = self.levels.get_mut(&account)?;
        let before = std::mem::replace(&mut level.below, balance.available < level.threshold);
        level.next = next;
        (level.below && !before).then_some(LowBalance { account, threshold: level.threshold, balance })
    }
}

impl Level {
    fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }
}
