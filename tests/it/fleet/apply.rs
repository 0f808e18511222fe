//! What a decided operation does to an account: in the file where it was made (`apply`), and where it arrives (`arrive`), at
//! the hub or in a device's guess.

use super::account::*;
use super::decide::allottable;
use super::facts::{Act, Fact, Link, Policy};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    Frozen,
    Reopened,
    Overdraft(i64),
    AllotmentShort,
    TooLate,
    RefundShort,
    RefundUnknown,
    KeyConflict,
    Fork,
    HubRegressed,
}

/// What is made gets this name and place.
#[derive(Clone, Copy)]
pub struct Name {
    pub id: Id,
    pub order: u64,
    pub by: Option<u8>,
}

impl Name {
    fn consume(&self, points: i64) -> Consume {
        Consume {
            id: self.id,
            by: self.by,
            points,
            refunded: 0,
            written_off: 0,
            open: 0,
            parts: Vec::new(),
            clawback_of: None,
            given_back: false,
        }
    }
}

impl Account {
    /// The account is caught up to the fact's now.
    pub fn apply(&mut self, name: Name, fact: &Fact, late_window: Ms) {
        let now = fact.now;
        match &fact.act {
            Act::Open { limit } => self.limit = *limit,
            Act::Consume { points, allotted, .. } => {
                let late = fact.occurred.map(|at| at.min(now)).filter(|at| now - at <= late_window);
                let taken: Vec<Slice> = allotted.iter().flat_map(|part| self.take_part(part)).collect();
                self.consume(name, *points, taken, now, late);
            }
            Act::Hold { points, deadline, allotted, .. } => self.hold(name.id, *points, *deadline, allotted, now),
            Act::Capture { hold, points, .. } => self.capture(name, *hold, *points, now),
            Act::Release { hold } => {
                let h = self.hold_at(*hold);
                self.holds[h].state = HoldState::Released;
                self.give_slices_back(h, 0, now);
                self.settle(now);
            }
            Act::RenewHold { hold, deadline, .. } => {
                let h = self.hold_at(*hold);
                self.holds[h].deadline = *deadline;
            }
            Act::Refund { of, points, .. } => {
                self.refund(*of, *points, now);
            }
            Act::Recharge { .. } => self.recharge(name, &fact.act, now),
            Act::Return { allotment, points } => {
                if let Some(a) = self.allotments.iter().position(|a| a.id == *allotment) {
                    self.return_allotted(a, *points, now);
                }
            }
            Act::Revoke { batch, points, clamp } => self.revoke(name, *batch, *points, *clamp, now),
            Act::WriteOff { points } => self.write_off(*points),
            Act::Freeze { frozen } => self.state = if *frozen { State::Frozen } else { State::Active },
            Act::Close => self.state = State::Closed,
            Act::SetLimit { limit } => self.limit = *limit,
            Act::Allot { device, epoch, points, spend_until } => {
                let mut slices = Vec::new();
                for (i, points) in allottable(self, *points, now, *spend_until) {
                    self.batches[i].remaining -= points;
                    self.batches[i].held += points;
                    slices.push((self.batches[i].id, points));
                }
                let (id, device, epoch, points, spend_until) = (name.id, *device, *epoch, *points, *spend_until);
                self.allotments.push(Allotment { id, device, epoch, points, spend_until, recalled: false, slices });
            }
            Act::Recall { allotment } => {
                let known = self.allotments.iter_mut().find(|a| a.id == *allotment);
                known.expect("decided upon").recalled = true;
            }
            Act::AllotWriteOff { allotment } => {
                let a = self.allotments.iter().position(|a| a.id == *allotment).expect("decided upon");
                self.return_allotted(a, i64::MAX / 2, now);
            }
            _ => {}
        }
        self.last = self.last.max(now);
    }

    fn hold_at(&self, id: Id) -> usize {
        self.holds.iter().position(|hold| hold.id == id).expect("decided upon")
    }

    fn take_part(&mut self, (id, points): &(Id, i64)) -> Vec<Slice> {
        match self.allotments.iter().position(|a| a.id == *id) {
            Some(a) => self.take_allotted(a, *points),
            None => Vec::new(),
        }
    }

    /// First what was taken from allotments, then the draw order, then debt. The answer is the open part.
    fn consume(&mut self, name: Name, points: i64, taken: Vec<Slice>, now: Ms, late: Option<Ms>) -> i64 {
        let mut consume = name.consume(points);
        let mut left = points;
        for slice in taken {
            let batch = self.batch(slice.batch);
            batch.held -= slice.points;
            batch.used += slice.points;
            left -= slice.points;
            consume.parts.push((slice.batch, slice.points));
        }
        consume.open = self.pay(&mut consume, left, now, late);
        let open = consume.open;
        self.totals[CONSUMED] += points;
        self.consumes.push(consume);
        self.settle(now);
        open
    }

    /// Its allotments, then draw order; the rest unbacked. What its allotments no longer have is unbacked too.
    pub fn hold(&mut self, id: Id, points: i64, deadline: Ms, allotted: &[(Id, i64)], now: Ms) {
        let mut slices: Vec<Slice> = allotted.iter().flat_map(|part| self.take_part(part)).collect();
        let rest = points - allotted.iter().map(|part| part.1).sum::<i64>();
        for (i, points) in self.draw(rest, now, None) {
            self.batches[i].remaining -= points;
            self.batches[i].held += points;
            slices.push(Slice { batch: self.batches[i].id, points, allotment: None });
        }
        let unbacked = points - slices.iter().map(|slice| slice.points).sum::<i64>();
        let state = HoldState::Open;
        self.holds.push(Hold { id, own: true, points, unbacked, deadline, state, slices, given: Vec::new() });
    }

    fn capture(&mut self, name: Name, hold: Id, points: i64, now: Ms) {
        let h = self.hold_at(hold);
        let was = std::mem::replace(&mut self.holds[h].state, HoldState::Captured);
        self.reopen();
        let mut consume = name.consume(points);
        let mut left = points;
        if was == HoldState::Open {
            for slice in self.holds[h].slices.clone() {
                let taken = slice.points.min(left);
                if taken > 0 {
                    let batch = self.batch(slice.batch);
                    batch.held -= taken;
                    batch.used += taken;
                    consume.parts.push((slice.batch, taken));
                    left -= taken;
                }
            }
            self.give_slices_back(h, points, now);
        } else {
            let own: Vec<(Id, i64)> =
                self.holds[h].slices.iter().zip(&self.holds[h].given).map(|(s, given)| (s.batch, *given)).collect();
            for (id, given) in own {
                let i = self.batches.iter().position(|batch| batch.id == id).expect("slices name batches");
                let there =
                    if self.batches[i].ended(now) { self.batches[i].expired } else { self.batches[i].remaining };
                let taken = left.min(given).min(there);
                if taken > 0 {
                    self.use_points(i, taken, now);
                    consume.parts.push((id, taken));
                    left -= taken;
                }
            }
        }
        self.holds[h].slices.clear();
        consume.open = self.pay(&mut consume, left, now, None);
        self.totals[CONSUMED] += points;
        self.consumes.push(consume);
        self.settle(now);
    }

    fn reopen(&mut self) -> bool {
        let closed = self.state == State::Closed;
        if closed {
            self.state = State::Active;
        }
        closed
    }

    /// As far as there is something to refund: the answer is how much.
    fn refund(&mut self, of: Id, points: i64, now: Ms) -> i64 {
        let Some(c) = self.consumes.iter().position(|consume| consume.id == of) else { return 0 };
        let points = points.min(self.consumes[c].refundable());
        self.consumes[c].given_back = true;
        if points > 0 {
            self.reopen();
            self.unconsume(c, points, now);
            self.totals[REFUNDED] += points;
            self.settle(now);
        }
        points
    }

    fn recharge(&mut self, name: Name, act: &Act, now: Ms) {
        let Act::Recharge { points, expires_at, starts, priority, promo, .. } = act else { return };
        let effective_at = starts.unwrap_or(now);
        let mut batch = Batch::new(name.id, name.order, *points, effective_at, *expires_at);
        (batch.priority, batch.promo) = (*priority, *promo);
        batch.asked = starts.is_some();
        batch.active = effective_at <= now;
        self.totals[RECHARGED] += points;
        self.add_batch(batch);
        self.settle(now);
    }

    fn revoke(&mut self, name: Name, id: Id, points: i64, clamp: bool, now: Ms) {
        let batch = self.batch(id);
        let remaining = batch.remaining.min(points);
        let expired = batch.expired.min(points - remaining);
        let rest = points - remaining - expired;
        batch.remaining -= remaining;
        batch.expired -= expired;
        batch.revoked += remaining + expired;
        batch.owed += rest;
        self.totals[REVOKED] += remaining + expired;
        self.totals[REINSTATED] += expired;
        if rest > 0 && !clamp {
            self.totals[CLAWED_BACK] += rest;
            self.consumes.push(Consume { open: rest, clawback_of: Some(id), ..name.consume(rest) });
            self.settle(now);
        }
    }

    fn write_off(&mut self, points: i64) {
        let mut left = points;
        for consume in &mut self.consumes {
            let off = consume.open.min(left);
            consume.open -= off;
            consume.written_off += off;
            left -= off;
        }
        self.totals[WRITTEN_OFF] += points;
    }

    /// Half of a transfer: what leaves, as the batches that come to the other account.
    pub fn transfer_out(&mut self, name: Name, points: i64, now: Ms) -> Vec<Batch> {
        let mut made = Vec::new();
        for (n, (i, points)) in self.draw(points, now, None).into_iter().enumerate() {
            let batch = &mut self.batches[i];
            batch.remaining -= points;
            batch.moved += points;
            let id = super::facts::hash_of((name.id, n));
            let mut new = Batch::new(id, name.order + n as u64, points, now, batch.expires_at);
            (new.priority, new.promo) = (batch.priority, batch.promo);
            made.push(new);
        }
        self.totals[MOVED_OUT] += points;
        self.last = self.last.max(now);
        made
    }

    pub fn transfer_in(&mut self, made: Vec<Batch>, now: Ms) {
        self.totals[MOVED_IN] += made.iter().map(|batch| batch.amount).sum::<i64>();
        self.batches.extend(made);
        self.settle(now);
        self.last = self.last.max(now);
    }

    // ---- arrival

    /// A link that moves points is booked; it never fails for points or state. The account is caught up to now. A refund's
    /// target is looked up by the caller.
    pub fn arrive(&mut self, name: Name, link: &Link, at: &At) -> Vec<Flag> {
        let now = at.now;
        let mut flags = Vec::new();
        match &link.fact.act {
            Act::Consume { points, policy, allotted, .. } => {
                let strict = *policy != Policy::Postpaid;
                self.arrive_consume(name, link, (*points, allotted, strict), at, &mut flags);
            }
            Act::Capture { points, allotted, .. } => {
                self.arrive_consume(name, link, (*points, allotted, true), at, &mut flags);
            }
            Act::Refund { points, .. } => {
                let closed = self.state == State::Closed;
                let done = at.refund_of.map_or(0, |of| self.refund(of, *points, now));
                match done {
                    0 => flags.push(Flag::RefundUnknown),
                    done if done < *points => flags.push(Flag::RefundShort),
                    _ => {}
                }
                flags.extend((closed && self.state != State::Closed).then_some(Flag::Reopened));
            }
            Act::Recharge { .. } => {
                flags.extend(self.reopen().then_some(Flag::Reopened));
                self.recharge(name, &link.fact.act, now);
            }
            Act::Return { allotment, points } => {
                if let Some(a) = self.allotments.iter().position(|a| of_link(a, *allotment, link)) {
                    self.return_allotted(a, *points, now);
                }
            }
            _ => {}
        }
        self.last = self.last.max(now);
        flags
    }

    fn arrive_consume(
        &mut self,
        name: Name,
        link: &Link,
        (points, allotted, strict): (i64, &[(Id, i64)], bool),
        at: &At,
        flags: &mut Vec<Flag>,
    ) {
        flags.extend((self.state == State::Frozen).then_some(Flag::Frozen));
        flags.extend(self.reopen().then_some(Flag::Reopened));
        let mut taken = Vec::new();
        for (id, points) in allotted {
            if let Some(a) = self.allotments.iter().position(|a| of_link(a, *id, link)) {
                taken.extend(self.take_allotted(a, *points));
            }
        }
        let said: i64 = allotted.iter().map(|part| part.1).sum();
        if taken.iter().map(|slice| slice.points).sum::<i64>() < said {
            flags.push(Flag::AllotmentShort);
        }
        let in_time = at.now - at.occurred <= at.late_window;
        let narrow = at.narrow.then_some(at.occurred);
        let hidden: Vec<usize> = match narrow {
            // The rule first written: only what was live when it occurred.
            Some(then) => (0..self.batches.len()).filter(|i| self.batches[*i].effective_at > then).collect(),
            None => Vec::new(),
        };
        let late = in_time.then_some(at.occurred);
        let open = self.consume_without(&hidden, name, (points, taken), at.now, late);
        if open > 0 && strict {
            flags.push(Flag::Overdraft(open));
        }
        let lapsed = |batch: &Batch| batch.ended(at.now) && batch.expires_at > at.occurred && batch.expired > 0;
        if !in_time && self.batches.iter().any(lapsed) {
            flags.push(Flag::TooLate);
        }
    }

    fn consume_without(
        &mut self,
        hidden: &[usize],
        name: Name,
        (points, taken): (i64, Vec<Slice>),
        now: Ms,
        late: Option<Ms>,
    ) -> i64 {
        let kept: Vec<i64> = hidden.iter().map(|i| self.batches[*i].expired).collect();
        for i in hidden {
            self.batches[*i].expired = 0;
        }
        let open = self.consume(name, points, taken, now, late);
        for (i, expired) in hidden.iter().zip(kept) {
            self.batches[*i].expired += expired;
        }
        open
    }
}

fn of_link(allotment: &Allotment, id: Id, link: &Link) -> bool {
    allotment.id == id && allotment.device == link.device && allotment.epoch == link.epoch
}

/// When something arrives.
pub struct At {
    pub now: Ms,
    pub occurred: Ms,
    pub late_window: Ms,
    /// What a refund goes to.
    pub refund_of: Option<Id>,
    /// A planted rule: late charges draw only what was live when they occurred.
    pub narrow: bool,
}
