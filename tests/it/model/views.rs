//! What readers see. A read catches up a copy, never the books.

use super::books::{Batch, Entry, Figures, HoldState, MAX_POINTS, Model, Reading, State, five, four};
use super::instant;
use super::rules_more::expires_said;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

impl Model {
    pub fn accounts(&self) -> Vec<String> {
        self.accounts.keys().cloned().collect()
    }

    /// When it is for a reader of this account: a reading is answered as if an operation had recorded it.
    pub fn read_time(&self, account: &str, reading: Reading) -> i64 {
        self.time_of(account, &self.hear(reading, false))
    }

    /// The account as it is now, or will be at `at` if nothing else happens.
    fn caught_up(&self, account: &str, at: Option<i64>, reading: Reading) -> Cow<'_, Model> {
        let heard = self.hear(reading, false);
        let now = self.time_of(account, &heard);
        let until = at.map_or(now, |at| at.max(now));
        if self.next_due(account, until).is_none() && !self.begins_stretch(account, now, &heard.clock) {
            return Cow::Borrowed(self);
        }
        let mut copy = self.clone();
        copy.clock = heard.clock;
        copy.catch_up(account, now);
        copy.catch_up(account, until);
        Cow::Owned(copy)
    }

    pub fn balance(&self, account: &str, at: Option<i64>, reading: Reading) -> Value {
        let heard = self.hear(reading, false);
        let now = self.time_of(account, &heard);
        let at = at.unwrap_or(now);
        if !self.accounts.contains_key(account) {
            return past(account, at, None);
        }
        if at > now && self.too_far_ahead(account, at) {
            return json!({"refused": "invalid_argument"});
        }
        let copy = self.caught_up(account, Some(at), reading);
        let books = &copy.accounts[account];
        if at < now && books.entries.last().is_some_and(|last| at < last.booked_at) {
            let then = booked_by(&books.entries, at).checked_sub(1);
            return past(account, at, then.map(|n| books.entries[n].after));
        }
        let mut value = five(copy.figures(account));
        value["account"] = json!(account);
        value["exists"] = json!(true);
        value["state"] = json!(match books.state {
            State::Active => "active",
            State::Frozen => "frozen",
            State::Closed => "closed",
        });
        value["as_of"] = json!(instant::text(at));
        value["credit_limit"] = json!(books.credit_limit);
        value["totals"] = json!(books.totals);
        if let Some(next) = copy.next_expiry(account, at) {
            value["next_expiry"] = next;
        }
        if let Some(next) = copy.next_change(account) {
            value["next_change_at"] = json!(instant::text(next));
        }
        if heard.suspect {
            value["clock_suspect"] = json!(true);
        }
        if heard.behind > 0 {
            value["clock_behind"] = json!(heard.behind);
        }
        value
    }

    /// When time alone does something next: to points that are left, or to an open hold.
    fn next_change(&self, account: &str) -> Option<i64> {
        let left = self.batches.iter().filter(|batch| batch.account == account && batch.remaining > 0);
        let batches = left.filter_map(|batch| if batch.active { batch.expires_at } else { Some(batch.effective_at) });
        let open = self.holds.iter().filter(|hold| hold.account == account && hold.state == HoldState::Open);
        let plans = self.plans.iter().filter(|plan| plan.account == account).filter_map(|plan| plan.due());
        batches.chain(open.map(|hold| hold.deadline)).chain(plans).min()
    }

    fn next_expiry(&self, account: &str, at: i64) -> Option<Value> {
        let live =
            |batch: &&Batch| batch.account == account && batch.remaining > 0 && batch.active && !self.ended(batch, at);
        let next = self.batches.iter().filter(live).filter_map(|batch| batch.expires_at).min()?;
        let then = |batch: &&Batch| live(batch) && batch.expires_at == Some(next);
        let points: i64 = self.batches.iter().filter(then).map(|batch| batch.remaining).sum();
        Some(json!({"at": instant::text(next), "points": points}))
    }

    pub fn history(&self, account: &str, reading: Reading) -> Vec<Value> {
        let Some(stored) = self.accounts.get(account).map(|books| books.entries.len()) else {
            return Vec::new();
        };
        let copy = self.caught_up(account, None, reading);
        let entries = copy.accounts[account].entries.iter().zip(1..);
        entries.map(|(entry, n)| copy.entry_said(account, entry, n, n > stored)).collect()
    }

    /// Opening, lines and closing of `[from, to)`: what lies between two balances at past instants.
    pub fn statement(&self, account: &str, from: Option<i64>, to: Option<i64>, reading: Reading) -> Value {
        let now = self.read_time(account, reading);
        // What has begun is the file's affair: a slow clock does not hide what was booked before.
        let begun = self.hear(reading, false).time.max(self.clock.accepted);
        if from.is_some_and(|from| from > begun) {
            return json!({"refused": "invalid_argument"});
        }
        let copy = self.caught_up(account, None, reading);
        let Some(books) = copy.accounts.get(account) else { return json!({"refused": "unknown_account"}) };
        let entries = &books.entries;
        let before = |at: i64| if at > now { entries.len() } else { booked_by(entries, at - 1) };
        let (first, end) = (from.map_or(0, before), to.map_or(entries.len(), before));
        let figures = |n: usize| five(n.checked_sub(1).map_or([0; 4], |n| entries[n].after));
        let line = |n: usize| json!([n + 1, entries[n].kind, instant::text(entries[n].booked_at)]);
        let lines: Vec<Value> = (first..end).map(line).collect();
        json!({"opening": figures(first), "lines": lines, "closing": figures(end)})
    }

    fn entry_said(&self, account: &str, entry: &Entry, n: usize, unbooked: bool) -> Value {
        let mut value = Value::Object(entry.labels.clone());
        value["n"] = json!(n);
        value["account"] = json!(account);
        value["kind"] = json!(entry.kind);
        if let Some(operation) = entry.operation {
            value["operation"] = json!(format!("op:{operation}"));
            value["sequence"] = json!(operation);
        }
        value["booked_at"] = json!(instant::text(entry.booked_at));
        value["points"] = json!(entry.points);
        if entry.expired != 0 {
            value["expired"] = json!(entry.expired);
        }
        value["change"] = four(entry.change);
        value["after"] = four(entry.after);
        if let Some(batch) = entry.batch {
            value["batch"] = json!(self.batch_id(batch));
            value["batch_number"] = json!(self.batch_number(batch));
        }
        if unbooked {
            value["unbooked"] = json!(true);
        }
        value
    }

    pub fn batches(&self, account: &str, reading: Reading) -> Vec<Value> {
        let at = self.read_time(account, reading);
        let copy = self.caught_up(account, None, reading);
        let mut own: Vec<usize> = (0..copy.batches.len()).filter(|b| copy.batches[*b].account == account).collect();
        own.sort_by_key(|b| copy.batches[*b].made_by);
        own.into_iter().map(|b| copy.batch_shown(b, at)).collect()
    }

    /// What people call it.
    fn batch_number(&self, b: usize) -> String {
        self.batch_id(b).trim_start_matches("batch:").into()
    }

    fn batch_shown(&self, b: usize, at: i64) -> Value {
        let batch = &self.batches[b];
        let state = match batch {
            _ if !batch.active => "pending",
            _ if batch.expires_at.is_some_and(|end| end <= at) => "expired",
            _ if batch.remaining + batch.held > 0 => "live",
            _ => "spent",
        };
        let mut value = json!({
            "batch": self.batch_id(b),
            "batch_number": self.batch_number(b),
            "account": batch.account,
            "source": batch.source,
            "promo": batch.promo,
            "priority": batch.priority,
            "amount": batch.amount,
            "remaining": batch.remaining,
            "held": batch.held,
            "used": batch.used,
            "expired": batch.expired,
            "revoked": batch.revoked,
            "moved": batch.moved,
            "owed": batch.owed,
            "effective_at": instant::text(batch.effective_at),
            "expires_at": expires_said(batch),
            "state": state,
            "operation": format!("op:{}", batch.made_by.0),
            "sequence": batch.made_by.0,
        });
        if let Some(period) = batch.period {
            value["period"] = json!(period);
        }
        if let Some(rollover) = &batch.rollover {
            value["rollover"] = rollover.said();
            let ended = batch.expires_at.is_some_and(|end| end <= at);
            if let Some((points, _)) = self.would_roll(b).filter(|_| !ended) {
                value["would_roll"] = json!(points);
            }
        }
        if let Some(from) = batch.from_batch {
            value["from_batch"] = json!(self.batch_id(from));
        }
        value
    }

    pub fn plans(&self, account: &str, reading: Reading) -> Vec<Value> {
        self.caught_up(account, None, reading).plans_shown(account)
    }

    pub fn holds(&self, account: &str, reading: Reading) -> Vec<Value> {
        let copy = self.caught_up(account, None, reading);
        let own = copy.holds.iter().filter(|hold| hold.account == account);
        let shown = own.map(|hold| {
            let mut value = json!({
                "hold": format!("hold:{}", hold.operation),
                "account": hold.account,
                "points": hold.points,
                "unbacked": hold.unbacked,
                "deadline": instant::text(hold.deadline),
                "state": hold_state(hold.state),
                "slices": copy.parts_said(&hold.slices),
            });
            if let Some(service) = &hold.service {
                value["service"] = json!(service);
            }
            let made = &self.log[hold.operation as usize - 1];
            value["operation"] = json!(format!("op:{}", hold.operation));
            value["sequence"] = json!(hold.operation);
            value["key"] = json!(made.request.key);
            value["booked_at"] = made.receipt["booked_at"].clone();
            if let Some(reference) = made.request.facts.get("reference") {
                value["reference"] = reference.clone();
            }
            value
        });
        shown.collect()
    }

    pub fn check(&self, account: &str, required: i64, reading: Reading) -> Value {
        assert!((0..=MAX_POINTS).contains(&required));
        let copy = self.caught_up(account, None, reading);
        let books = copy.accounts.get(account);
        let limit = books.map_or(0, |books| books.credit_limit);
        let [available, _, _, debt] = copy.figures(account);
        let uncovered = (required - available).max(0);
        let fits = uncovered == 0 || uncovered <= limit - debt - copy.unbacked(account, None);
        let reason = match books.map(|books| books.state) {
            None if copy.settings.explicit => Some("unknown_account"),
            Some(State::Closed) => Some("account_closed"),
            Some(State::Frozen) => Some("account_frozen"),
            _ if debt > limit => Some("account_in_debt"),
            _ if !fits => Some("insufficient_points"),
            _ => None,
        };
        let mut value = json!({
            "sufficient": debt <= limit && fits,
            "allowed": reason.is_none(),
            "available": available,
            "debt": debt,
            "required": required,
        });
        if let Some(reason) = reason {
            value["reason"] = json!(reason);
        }
        let heard = self.hear(reading, false);
        if heard.suspect {
            value["clock_suspect"] = json!(true);
        }
        if heard.behind > 0 {
            value["clock_behind"] = json!(heard.behind);
        }
        value
    }

    /// Who pays for a consume or capture now, or backs a hold: rank order.
    pub fn allocations(&self, operation: i64) -> Vec<Value> {
        let consumed = self.consumes.iter().filter(|consume| consume.operation == operation);
        let held = self.holds.iter().filter(|hold| hold.operation == operation);
        let parts = consumed.flat_map(|consume| &consume.parts).chain(held.flat_map(|hold| &hold.slices));
        parts.map(|part| json!({"batch": self.batch_id(part.batch), "points": part.points})).collect()
    }
}

pub fn hold_state(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "open",
        HoldState::Captured => "captured",
        HoldState::Released => "released",
        HoldState::Expired => "expired",
    }
}

/// How many entries were booked by an instant, as its own time saw it: up to the last one at or before it, of the newest
/// stretch that had begun. A stretch ends where an entry is earlier than the one before.
fn booked_by(entries: &[Arc<Entry>], at: i64) -> usize {
    let mut count = 0;
    let mut begun = false;
    for (n, entry) in entries.iter().enumerate() {
        if n == 0 || entry.booked_at < entries[n - 1].booked_at {
            begun = entry.booked_at <= at;
        }
        if begun && entry.booked_at <= at {
            count = n + 1;
        }
    }
    count
}

/// A balance at an instant before the account's last entry.
fn past(account: &str, at: i64, figures: Option<Figures>) -> Value {
    let mut value = five(figures.unwrap_or_default());
    value["account"] = json!(account);
    value["exists"] = json!(figures.is_some());
    value["as_of"] = json!(instant::text(at));
    value
}
