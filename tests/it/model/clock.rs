//! What the file believes of clock readings, and what an account does when accepted time has gone back.

use super::books::{Bug, HoldState, Model, Reading, State};
use super::instant::{LAST, MINUTE, SECOND};
use super::plans::Plan;
use super::time::Note;

/// What the file knows about clocks: all of it follows from its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    pub created_at: i64,
    /// The newest accepted reading.
    pub accepted: i64,
    /// The first of the suspect readings that still go on.
    pub suspect_since: Option<i64>,
    /// The newest trusted reading.
    pub trusted: Option<i64>,
    /// How often the newest accepted reading has stepped back.
    pub steps_back: usize,
}

/// What one reading means.
#[derive(Clone, Debug)]
pub struct Heard {
    pub ms: i64,
    /// Ledger time.
    pub time: i64,
    pub suspect: bool,
    /// Seconds behind the newest accepted reading; 0 up to a minute.
    pub behind: i64,
    /// The file's clock, should an operation record this reading.
    pub clock: Clock,
}

impl Clock {
    pub fn new(created_at: i64) -> Clock {
        let created_at = created_at.clamp(0, LAST);
        Clock { created_at, accepted: created_at, suspect_since: None, trusted: None, steps_back: 0 }
    }

    /// A reading that somebody vouches for. Behind the newest accepted one by more than `slack` it steps back.
    fn vouched(&mut self, ms: i64, slack: i64) {
        self.suspect_since = None;
        if ms > self.accepted {
            self.accepted = ms;
        } else if self.accepted - ms > slack {
            self.accepted = ms;
            self.steps_back += 1;
        }
    }

    /// Before the file was, or before a clock that knew: nobody may confirm that.
    pub fn is_impossible(&self, ms: i64) -> bool {
        ms < self.created_at || self.trusted.is_some_and(|trusted| ms < trusted)
    }
}

impl Model {
    pub fn hear(&self, reading: Reading, confirmed: bool) -> Heard {
        let ms = reading.ms.clamp(0, LAST);
        let mut clock = self.clock.clone();
        if reading.trusted {
            clock.trusted = Some(ms);
        }
        let since = clock.suspect_since.unwrap_or(ms);
        let mut suspect = false;
        if confirmed || reading.trusted {
            clock.vouched(ms, if confirmed { 0 } else { MINUTE });
        } else if self.is_far(ms)
            && self.falls_due_before(ms)
            && (ms - since < self.settings.clock_patience || self.bug(Bug::NeverPatient))
        {
            suspect = true;
            clock.suspect_since = Some(since);
        } else {
            clock.suspect_since = None;
            clock.accepted = clock.accepted.max(ms);
        }
        let behind = clock.accepted - ms;
        Heard {
            ms,
            time: if suspect { clock.accepted } else { ms },
            suspect,
            behind: if behind > MINUTE { behind / SECOND } else { 0 },
            clock,
        }
    }

    pub fn is_far(&self, ms: i64) -> bool {
        ms > self.clock.accepted.saturating_add(self.settings.max_clock_jump)
    }

    /// Whether points would expire, a batch become effective or a period begin between the newest accepted reading and this one:
    /// the same whether what was due before is booked or not, so that a plan that is behind is looked at as it would be then.
    fn falls_due_before(&self, ms: i64) -> bool {
        let accepted = self.clock.accepted;
        let behind = |account: &&String| {
            let plans = self.plans.iter().filter(|plan| plan.account == **account);
            let begins = plans.filter_map(Plan::due).any(|at| at <= accepted);
            begins || self.rolls_unbooked(account, accepted)
        };
        let caught_up = |account: &str| {
            let mut copy = self.clone();
            copy.advance(account, accepted);
            copy.something_between(ms)
        };
        self.something_between(ms) || self.accounts.keys().filter(behind).any(|account| caught_up(account))
    }

    fn something_between(&self, ms: i64) -> bool {
        let on_the_way = |at: i64| self.clock.accepted < at && at <= ms;
        if self.plans.iter().any(|plan| plan.due().is_some_and(on_the_way)) {
            return true;
        }
        self.batches.iter().any(|batch| {
            let expires = batch.expires_at.is_some_and(on_the_way);
            let starts = !batch.active && on_the_way(batch.effective_at);
            expires && batch.remaining + batch.held + batch.expired > 0 || starts && batch.remaining > 0
        })
    }

    /// Whether the account's next entry begins a new stretch: accepted time has stepped back since its last one, which
    /// lies ahead of ledger time.
    pub fn begins_stretch(&self, account: &str, time: i64, clock: &Clock) -> bool {
        let last = self.accounts.get(account).and_then(|books| books.entries.last());
        last.is_some_and(|last| last.steps_back < clock.steps_back && last.booked_at > time)
    }

    /// Ledger time, but never back within the account's stretch.
    pub fn time_of(&self, account: &str, heard: &Heard) -> i64 {
        match self.last_booked(account) {
            Some(last) if !self.begins_stretch(account, heard.time, &heard.clock) => heard.time.max(last),
            _ => heard.time,
        }
    }

    /// Takes back what wrong time did to an account. To run it twice does nothing more.
    pub fn undo(&mut self, account: &str, now: i64) {
        for i in 0..self.batches.len() {
            if self.batches[i].account == account {
                self.undo_batch(account, i, now);
            }
        }
        let most = if self.bug(Bug::HoldStaysLong) { LAST } else { now + self.settings.max_hold };
        let open = |hold: &&mut super::books::Hold| hold.account == account && hold.state == HoldState::Open;
        for hold in self.holds.iter_mut().filter(open) {
            hold.deadline = hold.deadline.min(most);
        }
    }

    /// One entry for a batch whose points come back, wait again, or both.
    fn undo_batch(&mut self, account: &str, i: usize, now: i64) {
        let returned = self.rolls_back(i, now);
        let batch = &self.batches[i];
        let asked = batch.asked || self.bug(Bug::PurchaseVanishes);
        let early = batch.active && asked && batch.effective_at > now;
        let gone = batch.expires_at.is_some_and(|end| end <= now) || self.bug(Bug::NothingComesBack);
        let back = if gone { 0 } else { batch.expired };
        let points = returned + if early { batch.remaining + back } else { back };
        if points > 0 {
            self.reopen(account, now, None);
        }
        self.undo_rolls(i, now);
        let batch = &mut self.batches[i];
        batch.active &= !early;
        batch.expired -= back;
        batch.remaining += back;
        self.total(account, "reinstated", back);
        if points > 0 {
            self.book(account, "reinstate", now, points, Note { batch: Some(i), ..Note::default() });
            self.settle(account, now, None);
        }
    }

    /// A closed account is active again.
    pub fn reopen(&mut self, account: &str, now: i64, operation: Option<i64>) {
        let books = self.accounts.get_mut(account).expect("account exists");
        if books.state == State::Closed {
            books.state = State::Active;
            self.book(account, "reopen", now, 0, Note { operation, ..Note::default() });
        }
    }
}
