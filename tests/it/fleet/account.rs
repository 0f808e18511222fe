//! The books of one account, the same at the hub and on a device: plain data and the rules of drawing, settling,
//! giving back and time.

use super::clock::Clock;
use std::cmp::Reverse;

pub type Ms = i64;
/// What an operation or a batch is known by everywhere: the hash of the link or record that made it.
pub type Id = u64;

pub const NEVER: Ms = i64::MAX;
/// Batches the hub has not numbered yet come last in the draw order.
pub const UNACKNOWLEDGED: u64 = 1 << 40;

pub const RECHARGED: usize = 0;
pub const CONSUMED: usize = 1;
pub const REFUNDED: usize = 2;
pub const EXPIRED: usize = 3;
pub const REINSTATED: usize = 4;
pub const REVOKED: usize = 5;
pub const CLAWED_BACK: usize = 6;
pub const WRITTEN_OFF: usize = 7;
pub const MOVED_IN: usize = 8;
pub const MOVED_OUT: usize = 9;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: Id,
    /// The last criterion of the draw order.
    pub order: u64,
    pub priority: i64,
    pub promo: bool,
    pub amount: i64,
    pub remaining: i64,
    pub held: i64,
    pub used: i64,
    pub expired: i64,
    pub revoked: i64,
    pub moved: i64,
    pub owed: i64,
    pub effective_at: Ms,
    /// Whether somebody asked for that instant.
    pub asked: bool,
    pub expires_at: Ms,
    pub active: bool,
}

impl Batch {
    pub fn new(id: Id, order: u64, amount: i64, effective_at: Ms, expires_at: Ms) -> Batch {
        Batch {
            id,
            order,
            priority: 50,
            promo: false,
            amount,
            remaining: amount,
            held: 0,
            used: 0,
            expired: 0,
            revoked: 0,
            moved: 0,
            owed: 0,
            effective_at,
            asked: false,
            expires_at,
            active: true,
        }
    }

    fn draw_key(&self) -> (i64, Ms, Reverse<bool>, u64) {
        (self.priority, self.expires_at, Reverse(self.promo), self.order)
    }

    pub fn ended(&self, at: Ms) -> bool {
        self.expires_at <= at
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consume {
    pub id: Id,
    /// The device that made it.
    pub by: Option<u8>,
    pub points: i64,
    pub refunded: i64,
    pub written_off: i64,
    pub open: i64,
    pub parts: Vec<(Id, i64)>,
    pub clawback_of: Option<Id>,
    /// Somebody has refunded of it, were it nothing of nothing: that is done once.
    pub given_back: bool,
}

impl Consume {
    pub fn refundable(&self) -> i64 {
        self.points - self.refunded - self.written_off
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    Open,
    Captured,
    Released,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub batch: Id,
    pub points: i64,
    /// The allotment it came from.
    pub allotment: Option<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub id: Id,
    /// Placed in this file; else the hub's own, as a base carried it.
    pub own: bool,
    pub points: i64,
    pub unbacked: i64,
    pub deadline: Ms,
    pub state: HoldState,
    pub slices: Vec<Slice>,
    /// Of an expired one: what its release gave back or let lapse, by slice.
    pub given: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allotment {
    pub id: Id,
    pub device: u8,
    pub epoch: u32,
    pub points: i64,
    pub spend_until: Ms,
    pub recalled: bool,
    pub slices: Vec<(Id, i64)>,
}

impl Allotment {
    pub fn left(&self) -> i64 {
        self.slices.iter().map(|slice| slice.1).sum()
    }

    /// What a hold gives back goes to the slice it came from. Slices keep their places, also when nothing is left of one.
    pub fn put_back(&mut self, batch: Id, points: i64) {
        let slice = self.slices.iter_mut().find(|slice| slice.0 == batch);
        slice.expect("what came from it is one of its slices").1 += points;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Frozen,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub state: State,
    pub limit: i64,
    /// `booked_at` of the last entry.
    pub last: Ms,
    /// Of a device's: the last entry its base knew of. Behind that no clock leads.
    pub floor: Ms,
    /// How many steps back of the clock its last entry knows of.
    pub steps: u32,
    pub totals: [i64; 10],
    /// used, expired, revoked and moved of the batches that a base left out.
    pub rest: [i64; 4],
    pub batches: Vec<Batch>,
    pub consumes: Vec<Consume>,
    pub holds: Vec<Hold>,
    pub allotments: Vec<Allotment>,
}

/// available, held, pending, debt.
pub type Figures = [i64; 4];

impl Account {
    pub fn new(now: Ms, steps: u32) -> Account {
        Account {
            state: State::Active,
            limit: 0,
            last: now,
            floor: 0,
            steps,
            totals: [0; 10],
            rest: [0; 4],
            batches: Vec::new(),
            consumes: Vec::new(),
            holds: Vec::new(),
            allotments: Vec::new(),
        }
    }

    pub fn figures(&self) -> Figures {
        let mut figures = [0; 4];
        for batch in &self.batches {
            figures[if batch.active { 0 } else { 2 }] += batch.remaining;
            figures[1] += batch.held;
        }
        figures[3] = self.consumes.iter().map(|consume| consume.open).sum();
        figures
    }

    pub fn batch(&mut self, id: Id) -> &mut Batch {
        self.batches.iter_mut().find(|batch| batch.id == id).expect("a carried row names carried batches")
    }

    pub fn add_batch(&mut self, batch: Batch) {
        self.batches.push(batch);
    }

    pub fn unbacked(&self, except: Option<Id>) -> i64 {
        let open = self.holds.iter().filter(|hold| hold.state == HoldState::Open && Some(hold.id) != except);
        open.map(|hold| hold.unbacked).sum()
    }

    // ---- time

    pub fn begins_stretch(&self, time: Ms, clock: &Clock) -> bool {
        self.steps < clock.steps && self.last > time.max(self.floor)
    }

    /// Ledger time, but never back within a stretch.
    pub fn time(&self, time: Ms, clock: &Clock) -> Ms {
        if self.begins_stretch(time, clock) { time.max(self.floor) } else { time.max(self.last) }
    }

    pub fn catch_up(&mut self, until: Ms, clock: &Clock) {
        if self.begins_stretch(until, clock) {
            self.step_back(until, clock);
        }
        self.advance(until);
        self.steps = clock.steps;
    }

    /// (instant, turn, order, which) of what falls due first.
    fn next_due(&self, until: Ms) -> Option<(Ms, u8, u64, usize)> {
        let mut due: Option<(Ms, u8, u64, usize)> = None;
        let mut found = |new| due = Some(due.map_or(new, |old| old.min(new)));
        for (i, batch) in self.batches.iter().enumerate() {
            if batch.remaining > 0 && batch.ended(until) {
                found((batch.expires_at, 0, batch.order, i));
            }
            if !batch.active && batch.effective_at <= until {
                found((batch.effective_at, 2, batch.order, i));
            }
        }
        for (i, hold) in self.holds.iter().enumerate() {
            if hold.state == HoldState::Open && hold.deadline <= until {
                found((hold.deadline, 1, i as u64, i));
            }
        }
        due
    }

    pub fn advance(&mut self, until: Ms) {
        while let Some((at, turn, _, i)) = self.next_due(until) {
            match turn {
                0 => {
                    let points = std::mem::take(&mut self.batches[i].remaining);
                    self.batches[i].expired += points;
                    self.totals[EXPIRED] += points;
                }
                1 => {
                    self.holds[i].state = HoldState::Expired;
                    self.give_slices_back(i, 0, at);
                }
                _ => self.batches[i].active = true,
            }
            self.last = self.last.max(at);
            self.settle(at);
        }
    }

    /// What wrong time did to batches is undone.
    fn step_back(&mut self, now: Ms, clock: &Clock) {
        for i in 0..self.batches.len() {
            let batch = &mut self.batches[i];
            batch.active &= !(batch.asked && batch.effective_at > now);
            if !batch.ended(now) {
                let back = std::mem::take(&mut batch.expired);
                batch.remaining += back;
                self.totals[REINSTATED] += back;
                if back > 0 && self.state == State::Closed {
                    self.state = State::Active;
                }
            }
            self.settle(now);
        }
        for hold in self.holds.iter_mut().filter(|hold| hold.state == HoldState::Open) {
            hold.deadline = hold.deadline.min(now + super::MAX_HOLD);
        }
        self.last = now;
        self.steps = clock.steps;
    }

    // ---- drawing

    fn drawable(&self, i: usize, now: Ms, late: Option<Ms>) -> i64 {
        let batch = &self.batches[i];
        if !batch.ended(now) {
            return if batch.active { batch.remaining } else { 0 };
        }
        // Whether it was effective then or not: booked in time, the open part would have been paid by it.
        if late.is_some_and(|occurred| batch.expires_at > occurred) { batch.expired } else { 0 }
    }

    /// Who pays, in draw order: (place of the batch, points).
    pub fn draw(&self, want: i64, now: Ms, late: Option<Ms>) -> Vec<(usize, i64)> {
        let mut order: Vec<usize> = (0..self.batches.len()).filter(|i| self.drawable(*i, now, late) > 0).collect();
        order.sort_by_key(|i| self.batches[*i].draw_key());
        let mut left = want;
        let mut parts = Vec::new();
        for i in order {
            let points = self.drawable(i, now, late).min(left);
            if points > 0 {
                parts.push((i, points));
                left -= points;
            }
        }
        parts
    }

    /// Pays for a consume, and gives what nobody paid.
    pub fn pay(&mut self, consume: &mut Consume, want: i64, now: Ms, late: Option<Ms>) -> i64 {
        let mut left = want;
        for (i, points) in self.draw(want, now, late) {
            self.use_points(i, points, now);
            consume.parts.push((self.batches[i].id, points));
            left -= points;
        }
        left
    }

    pub fn use_points(&mut self, i: usize, points: i64, now: Ms) {
        let batch = &mut self.batches[i];
        batch.used += points;
        if batch.ended(now) {
            batch.expired -= points;
            self.totals[REINSTATED] += points;
        } else {
            batch.remaining -= points;
        }
    }

    pub fn settle(&mut self, at: Ms) {
        if !self.batches.iter().any(|batch| batch.active && batch.remaining > 0) {
            return;
        }
        for c in 0..self.consumes.len() {
            if self.consumes[c].open > 0 {
                let mut consume = self.consumes[c].clone();
                let open = consume.open;
                consume.open = self.pay(&mut consume, open, at, None);
                self.consumes[c] = consume;
            }
        }
    }

    // ---- giving back

    /// Points that have left `used` or `held`. What did not go to `owed` is the answer.
    pub fn give_back(&mut self, id: Id, points: i64, at: Ms) -> i64 {
        let batch = self.batch(id);
        let owed = batch.owed.min(points);
        batch.owed -= owed;
        batch.revoked += owed;
        let rest = points - owed;
        if batch.ended(at) {
            batch.expired += rest;
            self.totals[EXPIRED] += rest;
        } else {
            batch.remaining += rest;
        }
        self.totals[REVOKED] += owed;
        let mut left = owed;
        for c in 0..self.consumes.len() {
            if left > 0 && self.consumes[c].clawback_of == Some(id) {
                let points = self.consumes[c].refundable().min(left);
                self.unconsume(c, points, at);
                self.totals[CLAWED_BACK] -= points;
                left -= points;
            }
        }
        rest
    }

    /// The open part first, then what was paid last.
    pub fn unconsume(&mut self, c: usize, points: i64, at: Ms) {
        let consume = &mut self.consumes[c];
        consume.refunded += points;
        let open = consume.open.min(points);
        consume.open -= open;
        let mut left = points - open;
        while left > 0 {
            let part = self.consumes[c].parts.last_mut().expect("refundable points were paid");
            let (batch, points) = (part.0, part.1.min(left));
            part.1 -= points;
            if part.1 == 0 {
                self.consumes[c].parts.pop();
            }
            left -= points;
            self.batch(batch).used -= points;
            self.give_back(batch, points, at);
        }
    }

    /// What a hold set aside beyond its first `keep` points goes back, last slice first; to its allotment where it came
    /// from one.
    pub fn give_slices_back(&mut self, h: usize, keep: i64, at: Ms) {
        let slices = std::mem::take(&mut self.holds[h].slices);
        let mut given = vec![0; slices.len()];
        let mut before: i64 = slices.iter().map(|slice| slice.points).sum();
        for (i, slice) in slices.iter().enumerate().rev() {
            before -= slice.points;
            let points = slice.points - (keep - before).clamp(0, slice.points);
            let home = slice.allotment.and_then(|id| self.allotments.iter().position(|a| a.id == id));
            if points == 0 {
                continue;
            } else if let Some(a) = home {
                self.allotments[a].put_back(slice.batch, points);
            } else {
                self.batch(slice.batch).held -= points;
                given[i] = self.give_back(slice.batch, points, at);
            }
        }
        self.holds[h].slices = slices;
        self.holds[h].given = given;
    }

    /// Takes from an allotment, its first slice first, what stays held in its batches.
    pub fn take_allotted(&mut self, a: usize, want: i64) -> Vec<Slice> {
        let allotment = &mut self.allotments[a];
        let mut taken = Vec::new();
        let mut left = want;
        for (batch, there) in &mut allotment.slices {
            let points = (*there).min(left);
            if points > 0 {
                *there -= points;
                left -= points;
                taken.push(Slice { batch: *batch, points, allotment: Some(allotment.id) });
            }
        }
        taken
    }

    /// Gives an allotment's last points back to the account.
    pub fn return_allotted(&mut self, a: usize, points: i64, at: Ms) {
        let mut left = points;
        for n in (0..self.allotments[a].slices.len()).rev() {
            let (batch, there) = &mut self.allotments[a].slices[n];
            let points = (*there).min(left);
            *there -= points;
            left -= points;
            let batch = *batch;
            if points > 0 {
                self.batch(batch).held -= points;
                self.give_back(batch, points, at);
            }
        }
        self.settle(at);
    }
}
