//! Rollover: what remains at a batch's end moves, up to a cap, into a batch with a new life.

use super::books::{Batch, Bug, Draft, MAX_POINTS, Model, Refusal};
use super::instant::{self, LAST, Span};
use super::request::Request;
use super::time::Note;
use serde_json::{Map, Value, json};

/// More batches than these do not roll out of one.
pub const MOST_ROLLS: i64 = 14;
const LIVES: [&str; 3] = ["expires_in_hours", "expires_in_days", "expires_in_months"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollover {
    pub cap: i64,
    /// How long the rolled batch lives: one of `LIVES`, and how many.
    life: (&'static str, i64),
    /// Seconds east of Greenwich: the life ends at the end of that day.
    end_of_day: Option<i64>,
}

impl Rollover {
    /// The parsed input: an object of its own, in which everything counts.
    pub fn parse(value: &Value) -> Result<Value, Refusal> {
        let bad = || Refusal::new("invalid_argument");
        let given = value.as_object().ok_or_else(bad)?;
        let mut parsed = Map::new();
        for (name, value) in given {
            let whole = || value.as_i64().filter(|n| *n > 0).ok_or_else(bad);
            let said = match name.as_str() {
                "cap" => json!(whole()?),
                "end_of_day" => json!(value.as_str().and_then(instant::parse_offset).ok_or_else(bad)?),
                name if LIVES.contains(&name) => json!(whole()?),
                _ => return Err(bad()),
            };
            parsed.insert(name.clone(), said);
        }
        let cap = parsed.get("cap").and_then(Value::as_i64).ok_or_else(bad)?;
        if LIVES.iter().filter(|life| parsed.contains_key(**life)).count() != 1 {
            return Err(bad());
        }
        if cap > MAX_POINTS { Err(Refusal::new("out_of_range")) } else { Ok(Value::Object(parsed)) }
    }

    pub fn of(request: &Request) -> Option<Rollover> {
        let parsed = request.inputs.get("rollover")?;
        let int = |name: &str| parsed[name].as_i64();
        let life = LIVES.iter().find_map(|life| int(life).map(|n| (*life, n))).expect("checked shape");
        Some(Rollover { cap: int("cap").expect("checked shape"), life, end_of_day: int("end_of_day") })
    }

    /// When a batch that rolls at an instant ends.
    fn end(&self, from: i64) -> Option<i64> {
        let (life, n) = self.life;
        let span = match life {
            "expires_in_hours" => Span::Hours(n),
            "expires_in_days" => Span::Days(n),
            _ => Span::Months(n),
        };
        instant::later(from, span, self.end_of_day).filter(|at| *at <= LAST)
    }

    pub fn said(&self) -> Value {
        let mut said = json!({"cap": self.cap, self.life.0: self.life.1});
        if let Some(offset) = self.end_of_day {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            said["end_of_day"] = json!(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        said
    }
}

impl Batch {
    /// What of it did not go back to the batch it rolled out of.
    fn stayed(&self) -> i64 {
        self.amount - self.returned
    }
}

impl Model {
    /// The batches that rolled out of one, in order.
    pub fn rolled_out_of(&self, b: usize) -> Vec<usize> {
        (0..self.batches.len()).filter(|child| self.batches[*child].rolled_from == Some(b)).collect()
    }

    /// How much of what remains would move on at the batch's end, and when what has moved ends.
    pub fn would_roll(&self, b: usize) -> Option<(i64, i64)> {
        let batch = &self.batches[b];
        let rollover = batch.rollover.as_ref().filter(|_| !batch.rolled || self.bug(Bug::RollsAgain))?;
        let earlier = self.rolled_out_of(b);
        let stayed: i64 = earlier.iter().map(|child| self.batches[*child].stayed()).sum();
        let points = batch.remaining.min(rollover.cap - stayed);
        let end = rollover.end(batch.expires_at?)?;
        (points > 0 && (earlier.len() as i64) < MOST_ROLLS).then_some((points, end))
    }

    /// The end of a batch: what may move on does, the rest lapses.
    pub fn batch_ends(&mut self, b: usize, at: i64) {
        let account = self.batches[b].account.clone();
        if let Some((points, end)) = self.would_roll(b) {
            let nth = self.rolled_out_of(b).len() as i64 + 1;
            let parent = &mut self.batches[b];
            parent.remaining -= points;
            parent.moved += points;
            parent.rolled = true;
            let child = Batch {
                made_by: (parent.made_by.0, parent.made_by.1 + nth),
                amount: points,
                remaining: points,
                held: 0,
                used: 0,
                expired: 0,
                revoked: 0,
                moved: 0,
                owed: 0,
                returned: 0,
                effective_at: at,
                asked: false,
                expires_at: Some(end),
                active: true,
                from_batch: Some(b),
                rolled_from: Some(b),
                rollover: None,
                rolled: false,
                ..parent.clone()
            };
            let child = self.push_batch(child);
            self.total(&account, "rolled", points);
            self.book(&account, "rollover", at, points, Note { batch: Some(child), ..Note::default() });
        }
        let points = std::mem::take(&mut self.batches[b].remaining);
        if points > 0 {
            self.batches[b].expired += points;
            self.total(&account, "expired", points);
            self.book(&account, "expire", at, points, Note { batch: Some(b), ..Note::default() });
        }
    }

    /// Points that have left a place of a rolled batch are the old batch's again, who says where.
    fn return_points(&mut self, child: usize, points: i64) {
        let parent = self.batches[child].rolled_from.expect("a rolled batch");
        self.batches[child].moved += points;
        self.batches[child].returned += points;
        self.batches[parent].moved -= points;
    }

    /// What goes back from what rolled too early, lapsed or not.
    pub fn rolls_back(&self, b: usize, now: i64) -> i64 {
        if self.batches[b].expires_at.is_some_and(|end| end <= now) || self.bug(Bug::RollStays) {
            return 0;
        }
        let early = self.rolled_out_of(b).into_iter().map(|child| &self.batches[child]);
        early.filter(|child| child.effective_at > now).map(|child| child.remaining + child.expired).sum()
    }

    /// Accepted time has gone back behind a roll.
    pub fn undo_rolls(&mut self, b: usize, now: i64) {
        if self.batches[b].expires_at.is_some_and(|end| end <= now) || self.bug(Bug::RollStays) {
            return;
        }
        // Of several rolls only the last may count.
        for child in self.rolled_out_of(b) {
            if self.batches[child].effective_at <= now {
                continue;
            }
            if self.rolled_out_of(b).last() == Some(&child) {
                self.batches[b].rolled = false;
            }
            let remaining = std::mem::take(&mut self.batches[child].remaining);
            let expired = std::mem::take(&mut self.batches[child].expired);
            let account = self.batches[child].account.clone();
            self.total(&account, "reinstated", expired);
            self.return_points(child, remaining + expired);
            self.batches[b].remaining += remaining + expired;
        }
    }

    /// What of a batch, and of what it rolled out of or what rolled out of it, may still be revoked.
    pub fn revocable(&self, b: usize) -> i64 {
        let top = self.batches[b].rolled_from.unwrap_or(b);
        let taken = |b: usize| self.batches[b].revoked + self.batches[b].owed;
        let all: i64 = self.rolled_out_of(top).into_iter().map(taken).sum();
        let left = self.batches[top].amount - taken(top) - all;
        left.min(self.batches[b].stayed() - taken(b))
    }

    /// A revoke of the old batch takes what is left in those that rolled out of it. Returns (taken, of which lapsed).
    pub fn take_rolled(&mut self, b: usize, points: i64) -> (i64, i64) {
        let (mut taken, mut lapsed) = (0, 0);
        if self.bug(Bug::RevokeStopsAtRoll) {
            return (0, 0);
        }
        for child in self.rolled_out_of(b) {
            let batch = &mut self.batches[child];
            let remaining = batch.remaining.min(points - taken);
            let expired = batch.expired.min(points - taken - remaining);
            batch.remaining -= remaining;
            batch.expired -= expired;
            self.return_points(child, remaining + expired);
            self.batches[b].revoked += remaining + expired;
            taken += remaining + expired;
            lapsed += expired;
        }
        (taken, lapsed)
    }

    /// Points given back to a rolled batch pay first what it owes, then what the batch owes that it rolled out of.
    pub fn pay_owed(&mut self, i: usize, points: i64, at: i64, draft: &mut Draft) -> i64 {
        let own = self.take_owed(i, points);
        let parent = self.batches[i].rolled_from.unwrap_or(i);
        let others = if parent == i { 0 } else { self.take_owed(parent, points - own) };
        self.return_points_of(i, others);
        let account = self.batches[i].account.clone();
        self.total(&account, "revoked", own + others);
        self.forgive_clawbacks(i, own, at, draft);
        self.forgive_clawbacks(parent, others, at, draft);
        own + others
    }

    fn return_points_of(&mut self, i: usize, points: i64) {
        if self.batches[i].rolled_from.is_some() {
            self.return_points(i, points);
        }
    }

    fn take_owed(&mut self, i: usize, points: i64) -> i64 {
        let owed = if self.bug(Bug::OwedForgotten) { 0 } else { self.batches[i].owed.min(points) };
        self.batches[i].owed -= owed;
        self.batches[i].revoked += owed;
        owed
    }

    fn forgive_clawbacks(&mut self, i: usize, points: i64, at: i64, draft: &mut Draft) {
        let account = self.batches[i].account.clone();
        let mut left = points;
        for c in 0..self.consumes.len() {
            if self.consumes[c].clawback_of == Some(i) {
                let points = self.consumes[c].refundable().min(left);
                self.unconsume(c, points, at, draft);
                self.total(&account, "clawed_back", -points);
                left -= points;
            }
        }
    }

    /// Whether the account is behind with an end at which something would move on, however little a hold leaves of it.
    pub fn rolls_unbooked(&self, account: &str, by: i64) -> bool {
        self.batches.iter().any(|batch| {
            let may = batch.account == account && batch.rollover.is_some() && !batch.rolled;
            may && batch.remaining + batch.held > 0 && batch.expires_at.is_some_and(|end| end <= by)
        })
    }

    /// The account of a batch that may be there once time has been booked: one that a plan's period gives, or that rolls.
    pub fn account_of_coming(&self, request: &Request) -> Option<String> {
        let (number, i) = request.text("batch")?.strip_prefix("batch:")?.split_once('.')?;
        let (number, i): (i64, i64) = (number.parse().ok()?, i.parse().ok()?);
        let may_roll = |nth: i64| (1..=MOST_ROLLS).contains(&nth);
        let coming = self.plans.iter().find(|plan| {
            let (period, nth) = (i / 16, i % 16 - 1);
            let to_come = plan.operation == number && period >= plan.next && plan.due().is_some();
            to_come && (nth == 0 || plan.rollover.is_some() && may_roll(nth))
        });
        if let Some(plan) = coming {
            return Some(plan.account.clone());
        }
        let rolls =
            |batch: &&Batch| batch.made_by.0 == number && batch.rollover.is_some() && may_roll(i - batch.made_by.1);
        self.batches.iter().find(rolls).map(|batch| batch.account.clone())
    }
}
