//! The invariants, counted again from the plain data.

use super::books::{Batch, Entry, HoldState, Model, Reading};
use std::sync::Arc;

impl Model {
    /// Panics with everything that is wrong.
    pub fn check_invariants(&self, reading: Reading) {
        let faults = self.faults(reading);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    pub fn faults(&self, reading: Reading) -> Vec<String> {
        let mut faults = self.misdrawn.clone();
        self.judge_state(&mut faults);
        let mut later = self.clone();
        later.clock = self.hear(reading, false).clock;
        for account in self.accounts() {
            let at = self.read_time(&account, reading);
            later.catch_up(&account, at);
            later.judge_caught_up(&account, at, &mut faults);
        }
        later.judge_state(&mut faults);
        faults
    }

    fn judge_state(&self, faults: &mut Vec<String>) {
        self.judge_batches(faults);
        self.judge_consumes(faults);
        for account in self.accounts() {
            self.judge_account(&account, faults);
            self.judge_entries(&account, faults);
        }
    }

    /// I1, and what the counters mean.
    fn judge_batches(&self, faults: &mut Vec<String>) {
        for (i, batch) in self.batches.iter().enumerate() {
            let parts = [batch.remaining, batch.held, batch.used, batch.expired, batch.revoked, batch.moved];
            let whole = parts.iter().sum::<i64>() == batch.amount;
            let fine = parts.iter().all(|part| *part >= 0) && batch.owed >= 0;
            if !whole || !fine || batch.revoked + batch.owed > batch.amount {
                faults.push(format!("I1: {batch:?}"));
            }
            let rolled: i64 =
                self.rolled_out_of(i).iter().map(|b| self.batches[*b].amount - self.batches[*b].returned).sum();
            let returned = batch.returned >= 0 && batch.returned <= batch.moved;
            if !returned || batch.revoked + batch.owed + batch.returned > batch.amount || rolled > batch.moved {
                faults.push(format!("I1, rolled {rolled}: {batch:?}"));
            }
            if batch.rollover.as_ref().is_some_and(|rollover| rolled > rollover.cap) {
                faults.push(format!("rolled beyond the cap, {rolled}: {batch:?}"));
            }
            let left = |b: usize| self.batches[b].remaining + self.batches[b].expired;
            if batch.owed > 0 && left(i) + self.rolled_out_of(i).into_iter().map(left).sum::<i64>() > 0 {
                faults.push(format!("owed while there is something to take: {batch:?}"));
            }
            let used: i64 =
                self.consumes.iter().flat_map(|c| &c.parts).filter(|p| p.batch == i).map(|p| p.points).sum();
            if used != batch.used {
                faults.push(format!("used is not what was allocated ({used}): {batch:?}"));
            }
            let open = self.holds.iter().filter(|hold| hold.state == HoldState::Open);
            let held: i64 = open.flat_map(|h| &h.slices).filter(|p| p.batch == i).map(|p| p.points).sum();
            if held != batch.held {
                faults.push(format!("held is not what holds hold ({held}): {batch:?}"));
            }
        }
    }

    /// I9.
    fn judge_consumes(&self, faults: &mut Vec<String>) {
        for consume in &self.consumes {
            let paid: i64 = consume.parts.iter().map(|part| part.points).sum();
            let fine = consume.refundable() == paid + consume.open && consume.open >= 0;
            if !fine || consume.refunded < 0 || consume.written_off < 0 {
                faults.push(format!("I9: {consume:?}"));
            }
        }
        for hold in &self.holds {
            let resolved = |receipt: &&Arc<super::books::Booked>| {
                let op = receipt.request.op.as_str();
                let same = receipt.request.text("hold") == Some(&format!("hold:{}", hold.operation));
                same && matches!(op, "capture" | "release")
            };
            if self.log.iter().filter(resolved).count() > 1 {
                faults.push(format!("I9: resolved twice: {hold:?}"));
            }
        }
    }

    /// I2, I3 and the sums of I10.
    fn judge_account(&self, account: &str, faults: &mut Vec<String>) {
        let books = &self.accounts[account];
        let total = |name: &str| books.totals[name];
        let own = || self.batches.iter().filter(|batch| batch.account == account);
        let sum = |part: fn(&Batch) -> i64| own().map(part).sum::<i64>();
        let consumes = self.consumes.iter().filter(|consume| consume.account == account);
        let [available, held, pending, debt] = self.figures(account);
        let equal = [
            ("I2", consumes.map(|c| c.refundable()).sum(), sum(|b| b.used) + debt),
            ("I10 sums", available + held + pending, sum(|b| b.remaining + b.held)),
            ("I10 expired", total("expired") - total("reinstated"), sum(|b| b.expired)),
            ("I10 revoked", total("revoked"), sum(|b| b.revoked)),
            ("I10 recharged", total("recharged") + total("moved_in") + total("rolled"), sum(|b| b.amount)),
            ("I10 moved", total("moved_out") + total("rolled"), sum(|b| b.moved)),
            (
                "I10 consumed",
                total("consumed") + total("clawed_back") - total("refunded") - total("written_off"),
                sum(|b| b.used) + debt,
            ),
        ];
        for (law, left, right) in equal.into_iter().filter(|(_, left, right)| left != right) {
            faults.push(format!("{law}: {account}: {left} is not {right}"));
        }
        if debt > 0 && available > 0 {
            faults.push(format!("I3: {account}: debt {debt} beside {available}"));
        }
        if books.totals.values().any(|total| *total < 0) {
            faults.push(format!("negative total: {account}: {:?}", books.totals));
        }
    }

    /// I5, and that every change has its entry.
    fn judge_entries(&self, account: &str, faults: &mut Vec<String>) {
        let entries = &self.accounts[account].entries;
        let back = |pair: &[Arc<Entry>]| pair[1].booked_at < pair[0].booked_at;
        let excused = |pair: &[Arc<Entry>]| pair[1].steps_back > pair[0].steps_back;
        if entries.windows(2).any(|pair| back(pair) && !excused(pair)) {
            faults.push(format!("I5: {account}"));
        }
        let last = entries.last().map(|entry| entry.after);
        if last != Some(self.figures(account)) {
            faults.push(format!("I10: {account}: last entry {last:?}, sums {:?}", self.figures(account)));
        }
        if entries.iter().any(|entry| entry.points < 0)
            || entries.iter().any(|entry| entry.after.iter().any(|n| *n < 0))
        {
            faults.push(format!("negative entry: {account}"));
        }
    }

    /// I4.
    fn judge_caught_up(&self, account: &str, at: i64, faults: &mut Vec<String>) {
        for batch in self.batches.iter().filter(|batch| batch.account == account && batch.remaining > 0) {
            let dead = batch.expires_at.is_some_and(|end| end <= at);
            let late = !batch.active && batch.effective_at <= at;
            let early = batch.active && batch.asked && batch.effective_at > at;
            if dead || late || early {
                faults.push(format!("I4: at {at}: {batch:?}"));
            }
        }
        for plan in self.plans.iter().filter(|plan| plan.account == account && plan.due().is_some_and(|due| due <= at))
        {
            faults.push(format!("I4: at {at}: {plan:?}"));
        }
        let open = self.holds.iter().filter(|hold| hold.account == account && hold.state == HoldState::Open);
        for hold in open.filter(|hold| hold.deadline <= at) {
            faults.push(format!("I4: at {at}: {hold:?}"));
        }
    }
}
