//! What time does, what debt takes, where given-back points go.

use super::books::{Account, Batch, Bug, Draft, Entry, Figures, HoldState, Model, Part, State, TOTALS};
use super::instant::LAST;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What an entry says besides kind, time and points.
#[derive(Default)]
pub struct Note {
    pub operation: Option<i64>,
    pub batch: Option<usize>,
    pub labels: Map<String, Value>,
}

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Expiry,
    Deadline,
    Activation,
    Period,
}

impl Model {
    /// available, held, pending, debt: always summed, never stored.
    pub fn figures(&self, account: &str) -> Figures {
        let mut figures = [0; 4];
        for batch in self.batches.iter().filter(|batch| batch.account == account) {
            figures[if batch.active { 0 } else { 2 }] += batch.remaining;
            figures[1] += batch.held;
        }
        for consume in self.consumes.iter().filter(|consume| consume.account == account) {
            figures[3] += consume.open;
        }
        figures
    }

    pub fn book(&mut self, account: &str, kind: &'static str, at: i64, points: i64, note: Note) {
        let after = self.figures(account);
        let of_account = self.batches.iter().filter(|batch| batch.account == account);
        let expired: i64 = of_account.map(|batch| batch.expired).sum();
        let steps_back = self.clock.steps_back;
        let books = self.accounts.get_mut(account).expect("account exists");
        let before = books.entries.last().map_or([0; 4], |entry| entry.after);
        let change = std::array::from_fn(|i| after[i] - before[i]);
        let so_far: i64 = books.entries.iter().map(|entry| entry.expired).sum();
        let entry = Entry {
            kind,
            operation: note.operation,
            booked_at: at,
            points,
            steps_back,
            change,
            after,
            batch: note.batch,
            expired: expired - so_far,
            labels: note.labels,
        };
        books.entries.push(Arc::new(entry));
    }

    pub fn create_account(&mut self, account: &str, credit_limit: i64) {
        let books = Account {
            state: State::Active,
            credit_limit,
            totals: TOTALS.iter().map(|name| (*name, 0)).collect(),
            entries: Vec::new(),
        };
        self.accounts.insert(account.into(), books);
    }

    pub fn total(&mut self, account: &str, name: &'static str, points: i64) {
        let books = self.accounts.get_mut(account).expect("account exists");
        *books.totals.get_mut(name).expect("a total") += points;
    }

    /// Whether a batch's life is over; it began when it became active, not by what a clock says.
    pub fn ended(&self, batch: &Batch, at: i64) -> bool {
        let ends = batch.expires_at.unwrap_or(i64::MAX);
        at > ends || at == ends && !self.bug(Bug::LiveAtExpiry)
    }

    pub fn push_batch(&mut self, batch: Batch) -> usize {
        self.batches.push(Batch { made: self.made, ..batch });
        self.made += 1;
        self.batches.len() - 1
    }

    /// (instant, turn, when it was made, what, which). Of one instant: expiry, deadline, then what begins, batches and periods in
    /// the order in which batch and plan were made.
    pub fn next_due(&self, account: &str, until: i64) -> Option<(i64, u8, usize, Due, usize)> {
        let mut due = Vec::new();
        for (i, batch) in self.batches.iter().enumerate() {
            if batch.account != account {
                continue;
            }
            let over = batch.expires_at.filter(|_| batch.remaining > 0 && self.ended(batch, until));
            due.extend(over.map(|at| (at, 0, batch.made, Due::Expiry, i)));
            if !batch.active && batch.effective_at <= until {
                due.push((batch.effective_at, 2, batch.made, Due::Activation, i));
            }
        }
        for (i, hold) in self.holds.iter().enumerate() {
            if hold.account == account && hold.state == HoldState::Open && hold.deadline <= until {
                due.push((hold.deadline, 1, i, Due::Deadline, i));
            }
        }
        for (i, plan) in self.plans.iter().enumerate().filter(|(_, plan)| plan.account == account) {
            due.extend(plan.due().filter(|at| *at <= until).map(|at| (at, 2, plan.made, Due::Period, i)));
        }
        due.into_iter().min()
    }

    pub fn catch_up(&mut self, account: &str, until: i64) {
        if self.begins_stretch(account, until, &self.clock) {
            self.undo(account, until);
        }
        self.advance(account, until);
    }

    /// Books what falls due, one after the other.
    pub fn advance(&mut self, account: &str, until: i64) {
        while let Some((at, .., kind, i)) = self.next_due(account, until) {
            match kind {
                Due::Period => self.period_begins(i, at),
                Due::Expiry => self.batch_ends(i, at),
                Due::Deadline => {
                    self.holds[i].state = HoldState::Expired;
                    self.give_slices_back(i, 0, at, &mut Draft::default());
                    let points = self.holds[i].points;
                    self.book(account, "hold_expire", at, points, Note::default());
                }
                Due::Activation => {
                    self.batches[i].active = true;
                    let points = self.batches[i].remaining;
                    if points > 0 {
                        let note = Note { batch: Some(i), ..Note::default() };
                        self.book(account, "activate", at, points, note);
                    }
                }
            }
            self.settle(account, at, None);
        }
    }

    fn draw_key(&self, i: usize) -> (i64, i64, bool, usize) {
        let batch = &self.batches[i];
        let paid_last = batch.promo == self.bug(Bug::PaidBeforePromo);
        (batch.priority, batch.expires_at.unwrap_or(i64::MAX), paid_last, i)
    }

    /// What may be drawn from a batch: what remains while it is live, or what
    /// lapsed since a late consume's `occurred`.
    fn drawable(&self, i: usize, now: i64, occurred: Option<i64>) -> i64 {
        let batch = &self.batches[i];
        if batch.active && !self.ended(batch, now) {
            return batch.remaining;
        }
        // Whether it had come by then or came later: it would have paid the debt of a charge booked in time.
        let then = |at: i64| batch.expires_at.is_some_and(|end| at < end && end <= now);
        if occurred.is_some_and(then) { batch.expired } else { 0 }
    }

    /// Who would pay, in draw order, without paying.
    pub fn plan(&mut self, account: &str, want: i64, now: i64, occurred: Option<i64>) -> Vec<Part> {
        let mut order: Vec<usize> = (0..self.batches.len())
            .filter(|i| self.batches[*i].account == account && self.drawable(*i, now, occurred) > 0)
            .collect();
        order.sort_by_key(|i| self.draw_key(*i));
        let mut left = want;
        let mut parts = Vec::new();
        for i in order {
            let points = self.drawable(i, now, occurred).min(left);
            if points > 0 {
                parts.push(Part { batch: i, points });
                left -= points;
            }
        }
        self.judge_plan(account, &parts, now, occurred);
        parts
    }

    /// I7, told apart from `draw_key` on purpose: nobody who would have come
    /// before a drawn batch was left with points.
    fn judge_plan(&mut self, account: &str, parts: &[Part], now: i64, occurred: Option<i64>) {
        for part in parts {
            for i in 0..self.batches.len() {
                let drawn: i64 = parts.iter().filter(|p| p.batch == i).map(|p| p.points).sum();
                let left = self.drawable(i, now, occurred) - drawn;
                if self.batches[i].account == account && left > 0 && self.outranks(i, part.batch) {
                    self.misdrawn.push(format!("I7: batch {} drawn while {i} had {left}", part.batch));
                }
            }
        }
    }

    fn outranks(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.batches[a], &self.batches[b]);
        if x.priority != y.priority {
            return x.priority < y.priority;
        }
        let (ends_x, ends_y) = (x.expires_at.unwrap_or(LAST + 1), y.expires_at.unwrap_or(LAST + 1));
        if ends_x != ends_y {
            return ends_x < ends_y;
        }
        if x.promo != y.promo {
            return x.promo;
        }
        a < b
    }

    /// Moves planned points to `used`. Returns (taken, of which reinstated).
    pub fn pay(&mut self, consume: usize, parts: Vec<Part>, now: i64) -> (i64, i64) {
        let (mut taken, mut reinstated) = (0, 0);
        for part in parts {
            let ended = self.ended(&self.batches[part.batch], now);
            let batch = &mut self.batches[part.batch];
            batch.used += part.points;
            if ended {
                batch.expired -= part.points;
                reinstated += part.points;
            } else {
                batch.remaining -= part.points;
            }
            taken += part.points;
            self.consumes[consume].parts.push(part);
        }
        let account = self.consumes[consume].account.clone();
        self.total(&account, "reinstated", reinstated);
        (taken, reinstated)
    }

    /// Open parts are paid, oldest consume first, from what is available.
    pub fn settle(&mut self, account: &str, at: i64, operation: Option<i64>) {
        let mut settled = 0;
        for i in 0..self.consumes.len() {
            if self.consumes[i].account != account || self.consumes[i].open == 0 {
                continue;
            }
            let parts = self.plan(account, self.consumes[i].open, at, None);
            let (taken, _) = self.pay(i, parts, at);
            self.consumes[i].open -= taken;
            settled += taken;
        }
        if settled > 0 {
            let note = Note { operation, ..Note::default() };
            self.book(account, "settle", at, settled, note);
        }
    }

    /// Points that have left `used` or `held` find their place. Returns what
    /// did not go to `owed`.
    pub fn give_back(&mut self, i: usize, points: i64, at: i64, draft: &mut Draft) -> i64 {
        let account = self.batches[i].account.clone();
        let owed = self.pay_owed(i, points, at, draft);
        let rest = points - owed;
        if !self.ended(&self.batches[i], at) || self.bug(Bug::LapsedComesBack) {
            self.batches[i].remaining += rest;
            draft.restored += rest;
        } else {
            self.batches[i].expired += rest;
            draft.lapsed += rest;
            self.total(&account, "expired", rest);
        }
        rest
    }

    /// Takes points off a consume: open part first, then newest allocation.
    pub fn unconsume(&mut self, c: usize, points: i64, at: i64, draft: &mut Draft) {
        self.consumes[c].refunded += points;
        let open = self.consumes[c].open.min(points);
        self.consumes[c].open -= open;
        let mut left = points - open;
        while left > 0 {
            let part = self.consumes[c].parts.last_mut().expect("refundable points were paid");
            let (batch, points) = (part.batch, part.points.min(left));
            part.points -= points;
            if part.points == 0 {
                self.consumes[c].parts.pop();
            }
            left -= points;
            self.batches[batch].used -= points;
            self.give_back(batch, points, at, draft);
        }
    }

    /// Gives back what a hold set aside beyond its first `keep` points, last
    /// slice first.
    pub fn give_slices_back(&mut self, hold: usize, keep: i64, at: i64, draft: &mut Draft) {
        let slices = self.holds[hold].slices.clone();
        let mut before: i64 = slices.iter().map(|slice| slice.points).sum();
        for (i, slice) in slices.iter().enumerate().rev() {
            before -= slice.points;
            let kept = (keep - before).clamp(0, slice.points);
            let points = slice.points - kept;
            self.batches[slice.batch].held -= points;
            let given = self.give_back(slice.batch, points, at, draft);
            self.holds[hold].given[i] = given;
        }
    }

    /// Open holds' points that no batch stands behind.
    pub fn unbacked(&self, account: &str, except: Option<usize>) -> i64 {
        if self.bug(Bug::UnbackedForgotten) {
            return 0;
        }
        let open = |i: usize| self.holds[i].state == HoldState::Open && self.holds[i].account == account;
        let others = (0..self.holds.len()).filter(|i| open(*i) && Some(*i) != except);
        others.map(|i| self.holds[i].unbacked).sum()
    }
}
