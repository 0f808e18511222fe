//! What time alone changes: how far a watch has told it, and when it changes something next.

use std::collections::BTreeMap;
use std::time::Duration;

use super::MOST_SWEPT;
use crate::model::AccountId;
use crate::units::Instant;

/// The shortest pause: a clock that stands still a moment before something falls due keeps nobody busy.
const SHORTEST: Duration = Duration::from_millis(10);

/// One watch's view of time. Nothing need be booked for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Due {
    /// Ledger time up to which it is told; none before the first look.
    pub(crate) told: Option<Instant>,
    /// How often accepted time had gone back by then.
    pub(crate) steps_back: i64,
    /// Accounts in which something fell due and nobody booked it: the file has no more than that of them.
    overdue: BTreeMap<AccountId, Overdue>,
    /// When time changes something next, in any account.
    pub(crate) next: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Overdue {
    /// How many lines its books had then.
    entries: i64,
    next: Option<Instant>,
}

impl Due {
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// How long nothing falls due. One that is due at a time that is not believed shortens no pause.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        let wait = |next: Instant| u64::try_from(next.since(now)).map_or(SHORTEST, Duration::from_millis).max(SHORTEST);
        self.next.filter(|next| *next > now).map_or(Duration::MAX, wait)
    }

    /// The overdue accounts in which something more has fallen due by `now`.
    pub(crate) fn fallen(&self, now: Instant) -> impl Iterator<Item = &AccountId> {
        self.overdue.iter().filter(move |(_, one)| one.next.is_some_and(|next| next <= now)).map(|(id, _)| id)
    }

    /// Whether what has fallen due in an account by `now` is told.
    pub(crate) fn is_told(&self, id: &AccountId, now: Instant) -> bool {
        self.overdue.get(id).is_some_and(|one| one.next.is_none_or(|next| next > now))
    }

    pub(crate) fn overdue(&self) -> impl Iterator<Item = &AccountId> {
        self.overdue.keys()
    }

    /// Whether an account is followed as its books are.
    pub(crate) fn follows(&self, id: &AccountId, entries: i64) -> bool {
        self.overdue.get(id).is_some_and(|one| one.entries == entries)
    }

    /// Whether one more account can be followed.
    pub(crate) fn has_room(&self, id: &AccountId) -> bool {
        self.overdue.len() < MOST_SWEPT || self.overdue.contains_key(id)
    }

    pub(crate) fn follow(&mut self, id: AccountId, entries: i64, next: Option<Instant>) {
        self.overdue.insert(id, Overdue { entries, next });
    }

    pub(crate) fn leave(&mut self, id: &AccountId) {
        self.overdue.remove(id);
    }

    pub(crate) fn begin_again(&mut self) {
        self.overdue.clear();
    }

    /// Told up to `now`; `next` is the soonest among the accounts that are not overdue.
    pub(crate) fn tell(&mut self, now: Instant, next: Option<Instant>) {
        self.told = Some(now);
        self.next = self.overdue.values().filter_map(|one| one.next).chain(next).min();
    }
}
