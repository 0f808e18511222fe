//! The operations on batches and accounts themselves.

use super::books::{Batch, Context, Draft, HoldState, Model, Outcome, Refusal, State, refuse};
use super::instant::{self, LAST, Span};
use super::request::Request;
use super::rollover::Rollover;
use super::time::Note;
use serde_json::{Value, json};

impl Model {
    pub fn open(&mut self, request: &Request, context: &Context) -> Outcome {
        let limit = request.int("credit_limit").unwrap_or(0);
        match self.accounts.get(&context.account) {
            Some(books) if books.credit_limit != limit => return refuse("account_exists"),
            Some(_) => {
                self.book_own(request, context, "open", 0);
                return Ok(Draft::changed("credit_limit", json!(limit), json!(limit)));
            }
            None => self.create_account(&context.account, limit),
        }
        self.book_own(request, context, "open", 0);
        Ok(Draft::changed("credit_limit", json!(0), json!(limit)))
    }

    pub fn set_limit(&mut self, request: &Request, context: &Context) -> Outcome {
        let books = self.accounts.get_mut(&context.account).expect("account exists");
        let limit = request.int("credit_limit").unwrap_or(0);
        let before = std::mem::replace(&mut books.credit_limit, limit);
        self.book_own(request, context, "set_limit", 0);
        Ok(Draft::changed("credit_limit", json!(before), json!(limit)))
    }

    pub fn recharge(&mut self, request: &Request, context: &Context) -> Outcome {
        let (account, now) = (context.account.as_str(), context.now);
        let points = request.int("points").expect("checked shape");
        let effective_at = request.int("effective_at").unwrap_or(now);
        let expires_at = self.expiry(request, context, now.max(effective_at))?;
        let source = request.text("source").unwrap_or_default().to_string();
        let promo = request.inputs.get("promo").and_then(Value::as_bool);
        self.open_on_first_use(account, context);
        let b = self.push_batch(Batch {
            account: account.into(),
            made_by: (context.number, 1),
            made: 0,
            period: None,
            promo: promo.unwrap_or_else(|| self.prices.promo_sources.contains(&source)),
            source,
            priority: request.int("priority").unwrap_or(50),
            amount: points,
            remaining: points,
            held: 0,
            used: 0,
            expired: 0,
            revoked: 0,
            moved: 0,
            owed: 0,
            returned: 0,
            effective_at,
            asked: request.inputs.contains_key("effective_at"),
            expires_at,
            active: effective_at <= now,
            from_batch: None,
            rollover: Rollover::of(request),
            rolled: false,
            rolled_from: None,
        });
        self.total(account, "recharged", points);
        let mut draft = Draft { points, ..Draft::default() };
        draft.put("batch", self.batch_said(b));
        self.book_batch(request, context, "recharge", points, b);
        self.settle(account, now, Some(context.number));
        Ok(draft)
    }

    fn expiry(&self, request: &Request, context: &Context, after: i64) -> Result<Option<i64>, Refusal> {
        if request.text("expires_at") == Some("never") {
            return Ok(None);
        }
        let hours = request.int("expires_in_hours").map(Span::Hours);
        let months = hours.or(request.int("expires_in_months").map(Span::Months));
        let days = request.int("expires_in_days").unwrap_or(self.prices.expiration_days);
        let span = months.unwrap_or(Span::Days(days));
        let relative = || instant::later(context.base.max(after), span, request.int("end_of_day"));
        let at = request.int("expires_at").or_else(relative).unwrap_or(LAST + 1);
        if at > LAST {
            return refuse("out_of_range");
        }
        if at <= after { refuse("invalid_argument") } else { Ok(Some(at)) }
    }

    pub fn revoke(&mut self, request: &Request, context: &Context) -> Outcome {
        let b = self.target_batch(request).expect("resolved before");
        let (account, now) = (context.account.as_str(), context.now);
        let most = self.revocable(b);
        let points = request.int("points").unwrap_or(most);
        if points == 0 || points > most {
            return refuse("limit_exceeded");
        }
        let batch = &mut self.batches[b];
        let from_remaining = batch.remaining.min(points);
        let from_expired = batch.expired.min(points - from_remaining);
        batch.remaining -= from_remaining;
        batch.expired -= from_expired;
        batch.revoked += from_remaining + from_expired;
        let (rolled, rolled_expired) = self.take_rolled(b, points - from_remaining - from_expired);
        let rest = points - from_remaining - from_expired - rolled;
        self.batches[b].owed += rest;
        self.total(account, "revoked", points - rest);
        self.total(account, "reinstated", from_expired + rolled_expired);
        let mut draft = Draft { points, ..Draft::default() };
        draft.put("batch", self.batch_said(b));
        draft.put("owed", json!(rest));
        let clamp = request.text("shortfall") == Some("clamp");
        draft.put("uncollected", json!(if clamp { rest } else { 0 }));
        self.book_batch(request, context, "revoke", points - rest, b);
        if rest > 0 && !clamp {
            let c = self.new_consume(account, context.number, rest, Some(b));
            self.consumes[c].open = rest;
            self.total(account, "clawed_back", rest);
            let note = Note { operation: Some(context.number), ..Note::default() };
            self.book(account, "clawback", now, rest, note);
            self.settle(account, now, Some(context.number));
        }
        Ok(draft)
    }

    pub fn set_expiry(&mut self, request: &Request, context: &Context) -> Outcome {
        let b = self.target_batch(request).expect("resolved before");
        let (account, now) = (context.account.as_str(), context.now);
        let expires_at = self.expiry(request, context, now.max(self.batches[b].effective_at))?;
        let over = self.batches[b].expires_at.is_some_and(|at| at <= now);
        let points = if over { std::mem::take(&mut self.batches[b].expired) } else { 0 };
        let end = |at: Option<i64>| at.map_or_else(|| json!("never"), |at| json!(instant::text(at)));
        let before = std::mem::replace(&mut self.batches[b].expires_at, expires_at);
        self.batches[b].remaining += points;
        self.total(account, "reinstated", points);
        let mut draft = Draft::changed("expires_at", end(before), end(expires_at));
        (draft.points, draft.reinstated) = (points, points);
        draft.put("batch", self.batch_said(b));
        self.book_batch(request, context, "set_expiry", points, b);
        self.settle(account, now, Some(context.number));
        Ok(draft)
    }

    pub fn transfer(&mut self, request: &Request, context: &Context) -> Outcome {
        let (from, now) = (context.account.as_str(), context.now);
        let to = request.text("to").expect("checked shape").to_string();
        let points = request.int("points").expect("checked shape");
        let plan = self.plan(from, points, now, None);
        if plan.iter().map(|part| part.points).sum::<i64>() < points {
            return refuse("insufficient_points");
        }
        let mut made = Vec::new();
        for (part, i) in plan.iter().zip(1..) {
            self.batches[part.batch].remaining -= part.points;
            self.batches[part.batch].moved += part.points;
            let source = self.batches[part.batch].clone();
            made.push(Batch {
                account: to.clone(),
                made_by: (context.number, i),
                period: None,
                amount: part.points,
                remaining: part.points,
                held: 0,
                used: 0,
                expired: 0,
                revoked: 0,
                moved: 0,
                owed: 0,
                returned: 0,
                effective_at: now,
                asked: false,
                active: true,
                from_batch: Some(part.batch),
                rollover: None,
                rolled: false,
                rolled_from: None,
                ..source
            });
        }
        self.total(from, "moved_out", points);
        self.book_own(request, context, "transfer_out", points);
        self.open_on_first_use(&to, context);
        let first = self.batches.len();
        for batch in made {
            self.push_batch(batch);
        }
        self.total(&to, "moved_in", points);
        let labels = self.labels(request, None);
        let note = Note { operation: Some(context.number), batch: None, labels };
        self.book(&to, "transfer_in", now, points, note);
        let mut draft = Draft { points, ..Draft::default() };
        draft.put("batches", (first..self.batches.len()).map(|b| self.batch_said(b)).collect());
        self.settle(&to, now, Some(context.number));
        Ok(draft)
    }

    pub fn write_off(&mut self, request: &Request, context: &Context) -> Outcome {
        let account = context.account.as_str();
        let points = request.int("points").expect("checked shape");
        if points > self.figures(account)[3] {
            return refuse("limit_exceeded");
        }
        let mut left = points;
        for consume in self.consumes.iter_mut().filter(|consume| consume.account == account) {
            let off = consume.open.min(left);
            consume.open -= off;
            consume.written_off += off;
            left -= off;
        }
        self.total(account, "written_off", points);
        self.book_own(request, context, "write_off", points);
        Ok(Draft { points, ..Draft::default() })
    }

    pub fn change_state(&mut self, request: &Request, context: &Context) -> Outcome {
        let account = context.account.as_str();
        let open_hold = self.holds.iter().any(|hold| hold.account == account && hold.state == HoldState::Open);
        let (kind, state) = match request.op.as_str() {
            "freeze" => ("freeze", State::Frozen),
            "unfreeze" => ("unfreeze", State::Active),
            _ if self.plans.iter().any(|plan| plan.account == account && plan.due().is_some()) => {
                return refuse("account_not_empty");
            }
            _ if open_hold || self.figures(account) != [0; 4] => return refuse("account_not_empty"),
            _ => ("close", State::Closed),
        };
        self.accounts.get_mut(account).expect("account exists").state = state;
        self.book_own(request, context, kind, 0);
        Ok(Draft::default())
    }

    pub fn book_batch(&mut self, request: &Request, context: &Context, kind: &'static str, points: i64, b: usize) {
        let labels = self.labels(request, None);
        let note = Note { operation: Some(context.number), batch: Some(b), labels };
        self.book(&context.account, kind, context.now, points, note);
    }

    pub fn batch_id(&self, b: usize) -> String {
        let (operation, i) = self.batches[b].made_by;
        format!("batch:{operation}.{i}")
    }

    pub fn batch_said(&self, b: usize) -> Value {
        json!({"batch": self.batch_id(b), "expires_at": expires_said(&self.batches[b])})
    }
}

pub fn expires_said(batch: &Batch) -> String {
    batch.expires_at.map_or("never".into(), instant::text)
}
