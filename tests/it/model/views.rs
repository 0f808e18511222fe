//! What readers see. A read catches up a copy, never the books.

use super::books::{Batch, Entry, Figures, HoldState, MAX_POINTS, Model, Reading, State, five, four};
use super::instant;
use super::rules_more::expires_said;
use serde_json::{Value, json};
use std::borrow::Cow;

impl Model {
    pub fn accounts(&self) -> Vec<String> {
        self.accounts.keys().cloned().collect()
    }

    /// When it is for a reader of this account.
    pub fn read_time(&self, account: &str, reading: Reading) -> i64 {
        let (time, _) = self.ledger_time(reading);
        time.max(self.last_booked(account).unwrap_or(time))
    }

    fn caught_up(&self, account: &str, at: i64) -> Cow<'_, Model> {
        if self.next_due(account, at).is_none() {
            return Cow::Borrowed(self);
        }
        let mut copy = self.clone();
        copy.catch_up(account, at);
        Cow::Owned(copy)
    }

    pub fn balance(&self, account: &str, at: Option<i64>, reading: Reading) -> Value {
        let (_, suspect) = self.ledger_time(reading);
        let at = at.unwrap_or_else(|| self.read_time(account, reading));
        let Some(books) = self.accounts.get(account) else {
            return past(account, at, None);
        };
        let copy = self.caught_up(account, at.max(self.read_time(account, reading)));
        let entries = &copy.accounts[account].entries;
        if entries.last().is_some_and(|last| at < last.booked_at) {
            let then = entries.iter().rfind(|entry| entry.booked_at <= at);
            return past(account, at, then.map(|entry| entry.after));
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
        value["totals"] = json!(copy.accounts[account].totals);
        if let Some(next) = copy.next_expiry(account, at) {
            value["next_expiry"] = next;
        }
        if suspect {
            value["clock_suspect"] = json!(true);
        }
        value
    }

    fn next_expiry(&self, account: &str, at: i64) -> Option<Value> {
        let live = |batch: &&Batch| batch.account == account && batch.remaining > 0 && self.live(batch, at);
        let next = self.batches.iter().filter(live).filter_map(|batch| batch.expires_at).min()?;
        let then = |batch: &&Batch| live(batch) && batch.expires_at == Some(next);
        let points: i64 = self.batches.iter().filter(then).map(|batch| batch.remaining).sum();
        Some(json!({"at": instant::text(next), "points": points}))
    }

    pub fn history(&self, account: &str, reading: Reading) -> Vec<Value> {
        let Some(stored) = self.accounts.get(account).map(|books| books.entries.len()) else {
            return Vec::new();
        };
        let copy = self.caught_up(account, self.read_time(account, reading));
        let entries = copy.accounts[account].entries.iter().zip(1..);
        entries.map(|(entry, n)| copy.entry_said(account, entry, n, n > stored)).collect()
    }

    fn entry_said(&self, account: &str, entry: &Entry, n: usize, unbooked: bool) -> Value {
        let mut value = Value::Object(entry.labels.clone());
        value["n"] = json!(n);
        value["account"] = json!(account);
        value["kind"] = json!(entry.kind);
        if let Some(operation) = entry.operation {
            value["operation"] = json!(format!("op:{operation}"));
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
        }
        if unbooked {
            value["unbooked"] = json!(true);
        }
        value
    }

    pub fn batches(&self, account: &str, reading: Reading) -> Vec<Value> {
        let at = self.read_time(account, reading);
        let copy = self.caught_up(account, at);
        let own = (0..copy.batches.len()).filter(|b| copy.batches[*b].account == account);
        own.map(|b| copy.batch_shown(b, at)).collect()
    }

    fn batch_shown(&self, b: usize, at: i64) -> Value {
        let batch = &self.batches[b];
        let state = match batch {
            _ if at < batch.effective_at => "pending",
            _ if batch.expires_at.is_some_and(|end| end <= at) => "expired",
            _ if batch.remaining + batch.held > 0 => "live",
            _ => "spent",
        };
        let mut value = json!({
            "batch": self.batch_id(b),
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
        });
        if let Some(from) = batch.from_batch {
            value["from_batch"] = json!(self.batch_id(from));
        }
        value
    }

    pub fn holds(&self, account: &str, reading: Reading) -> Vec<Value> {
        let copy = self.caught_up(account, self.read_time(account, reading));
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
            value
        });
        shown.collect()
    }

    pub fn check(&self, account: &str, required: i64, reading: Reading) -> Value {
        assert!((0..=MAX_POINTS).contains(&required));
        let copy = self.caught_up(account, self.read_time(account, reading));
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

/// A balance at an instant before the account's last entry.
fn past(account: &str, at: i64, figures: Option<Figures>) -> Value {
    let mut value = five(figures.unwrap_or_default());
    value["account"] = json!(account);
    value["exists"] = json!(figures.is_some());
    value["as_of"] = json!(instant::text(at));
    value
}
