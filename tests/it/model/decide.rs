//! One line decided: the order of refusals, keys, and the clock.

use super::books::{
    Booked, Bug, Consume, Context, Draft, HoldState, MAX_POINTS, Model, Outcome, Reading, Refusal, State, five, refuse,
};
use super::clock::Clock;
use super::instant::SECOND;
use super::request::Request;
use serde_json::{Value, json};
use std::sync::Arc;

impl Model {
    /// Decides and books, or changes nothing at all.
    pub fn apply(&mut self, line: &Value, reading: Reading) -> Result<Value, Refusal> {
        let (next, receipt) = self.attempt(line, reading)?;
        *self = next;
        Ok(receipt)
    }

    /// The books as this line would leave them, and its receipt.
    pub fn attempt(&self, line: &Value, reading: Reading) -> Result<(Model, Value), Refusal> {
        let mut request = Request::parse(line)?;
        let scope = self.scope(&request)?;
        self.inherit(&mut request);
        if let Some(earlier) = self.earlier(&scope, &request) {
            return Ok((self.clone(), self.answer_again(earlier, &request, reading)?));
        }
        self.require_accounts(&request)?;
        let context = self.context(&request, scope.as_deref(), reading)?;
        let mut next = self.clone();
        let receipt = next.decide(request, scope, &context)?;
        Ok((next, receipt))
    }

    /// The sweep. Returns by how much `expired` grew. It books no further than the newest accepted reading of the log,
    /// so a reading that tells the clock something new is first recorded by an operation of the file's own.
    pub fn expire(&mut self, reading: Reading) -> i64 {
        let heard = self.hear(reading, false);
        let told = |clock: &Clock| (clock.accepted, clock.suspect_since);
        if told(&heard.clock) != told(&self.clock) {
            self.clock = heard.clock;
            let request = Request::sweep();
            self.log.push(Arc::new(Booked { scope: None, request, receipt: Value::Null }));
        }
        let expired = |model: &Model| -> i64 { model.accounts.values().map(|a| a.totals["expired"]).sum() };
        let before = expired(self);
        // Only where something is due: what a wrong time did is undone by the account's own next operation.
        for account in self.accounts() {
            if self.next_due(&account, heard.time).is_some() {
                self.catch_up(&account, heard.time);
            }
        }
        expired(self) - before
    }

    fn decide(&mut self, request: Request, scope: Option<String>, context: &Context) -> Result<Value, Refusal> {
        if request.at.is_none() {
            self.clock = context.heard.clock.clone();
        }
        for account in self.involved(&request, scope.as_deref()) {
            self.catch_up(&account, context.now);
        }
        if request.inputs.contains_key("batch") && self.target_batch(&request).is_none() {
            return refuse("unknown_batch");
        }
        self.check_state(&request, context)?;
        let draft = self.perform(&request, context)?;
        self.check_range()?;
        if draft.points > MAX_POINTS {
            return refuse("out_of_range");
        }
        let receipt = self.receipt(&request, context, draft);
        let booked = Booked { scope, request, receipt: receipt.clone() };
        self.log.push(Arc::new(booked));
        Ok(receipt)
    }

    /// The account whose key it is: the target's where there is a target.
    fn scope(&self, request: &Request) -> Result<Option<String>, Refusal> {
        if request.inputs.contains_key("hold") {
            let hold = self.target_hold(request).ok_or_else(|| Refusal::new("unknown_hold"))?;
            return Ok(Some(self.holds[hold].account.clone()));
        }
        if request.inputs.contains_key("batch") {
            if let Some(batch) = self.target_batch(request) {
                return Ok(Some(self.batches[batch].account.clone()));
            }
            // One that time is still to make may be there by the time of the operation.
            let account = self.account_of_coming(request);
            return account.map(Some).ok_or_else(|| Refusal::new("unknown_batch"));
        }
        if request.inputs.contains_key("plan") {
            let plan = self.target_plan(request).ok_or_else(|| Refusal::new("unknown_plan"))?;
            return Ok(Some(self.plans[plan].account.clone()));
        }
        if request.inputs.contains_key("operation") {
            let consume = self.target_consume(request);
            let consume = consume.ok_or_else(|| Refusal::new("unknown_operation"))?;
            return Ok(Some(self.consumes[consume].account.clone()));
        }
        Ok(request.account.clone())
    }

    /// A capture has its hold's reference unless it names its own.
    fn inherit(&self, request: &mut Request) {
        if request.op != "capture" || request.inputs.contains_key("reference") {
            return;
        }
        let hold = self.target_hold(request).map(|hold| self.holds[hold].operation as usize - 1);
        if let Some(reference) = hold.and_then(|hold| self.log[hold].request.facts.get("reference")).cloned() {
            request.facts.insert("reference".into(), reference.clone());
            request.inputs.insert("reference".into(), reference);
        }
    }

    pub fn target_hold(&self, request: &Request) -> Option<usize> {
        let number: i64 = request.text("hold")?.strip_prefix("hold:")?.parse().ok()?;
        self.holds.iter().position(|hold| hold.operation == number)
    }

    pub fn target_batch(&self, request: &Request) -> Option<usize> {
        let (number, i) = request.text("batch")?.strip_prefix("batch:")?.split_once('.')?;
        let made_by: (i64, i64) = (number.parse().ok()?, i.parse().ok()?);
        self.batches.iter().position(|batch| batch.made_by == made_by)
    }

    pub fn target_consume(&self, request: &Request) -> Option<usize> {
        let number: i64 = request.text("operation")?.strip_prefix("op:")?.parse().ok()?;
        let named = |consume: &Consume| consume.operation == number && consume.clawback_of.is_none();
        self.consumes.iter().position(named)
    }

    fn earlier(&self, scope: &Option<String>, request: &Request) -> Option<&Arc<Booked>> {
        self.log.iter().find(|booked| {
            booked.scope == *scope && booked.request.op == request.op && booked.request.key == request.key
        })
    }

    fn answer_again(&self, earlier: &Booked, request: &Request, reading: Reading) -> Result<Value, Refusal> {
        let fields = earlier.request.differs(request);
        if !fields.is_empty() {
            return Err(Refusal { code: "key_reused".into(), fields });
        }
        let mut receipt = earlier.receipt.clone();
        receipt["replayed"] = json!(!self.bug(Bug::ReplayWithoutReceipt));
        // What it answers is of then; beside it stands what is now.
        if let Some(account) = &earlier.scope {
            let now = self.balance(account, None, reading);
            receipt["balance_now"] = ["available", "held", "pending", "debt", "net"]
                .into_iter()
                .map(|figure| (figure.to_string(), now[figure].clone()))
                .collect();
            let hold = receipt["hold"]["id"].clone();
            if let Some(hold) = self.holds(account, reading).into_iter().find(|shown| shown["hold"] == hold) {
                receipt["state_now"] = hold["state"].clone();
            }
        }
        Ok(receipt)
    }

    /// `unknown_account`: who may not be opened on first use.
    fn require_accounts(&self, request: &Request) -> Result<(), Refusal> {
        let opens = matches!(request.op.as_str(), "open" | "recharge" | "plan" | "consume" | "hold");
        let refused = self.settings.explicit && request.op != "open";
        let named = request.account.as_ref().filter(|_| !opens || refused);
        let to = request.text("to").map(String::from).filter(|_| refused);
        match named.into_iter().chain(to.iter()).all(|id| self.accounts.contains_key(id)) {
            true => Ok(()),
            false => refuse("unknown_account"),
        }
    }

    fn involved(&self, request: &Request, scope: Option<&str>) -> Vec<String> {
        let both = scope.into_iter().chain(request.text("to"));
        both.map(String::from).collect()
    }

    /// When it is now, or why this line cannot be booked at its time.
    fn context(&self, request: &Request, scope: Option<&str>, reading: Reading) -> Result<Context, Refusal> {
        let confirms = request.op == "confirm_clock";
        let heard = self.hear(reading, confirms);
        let involved = self.involved(request, scope);
        let now = match request.at {
            Some(at) => self.historic(&involved, at, heard.time)?,
            None if confirms && self.clock.is_impossible(heard.ms) => return refuse("invalid_argument"),
            None => involved.iter().map(|id| self.time_of(id, &heard)).max().unwrap_or(heard.time),
        };
        let standing = heard.suspect && request.at.is_none();
        Ok(Context {
            number: self.log.len() as i64 + 1,
            now,
            base: if standing { heard.ms } else { now },
            heard,
            account: scope.unwrap_or_default().into(),
        })
    }

    /// A historic line's own time: no stretch begins with one.
    fn historic(&self, involved: &[String], at: i64, time: i64) -> Result<i64, Refusal> {
        if involved.iter().filter_map(|id| self.last_booked(id)).any(|last| at < last) {
            return refuse("time_backwards");
        }
        if at > time { refuse("invalid_argument") } else { Ok(at) }
    }

    pub fn last_booked(&self, account: &str) -> Option<i64> {
        let entries = &self.accounts.get(account)?.entries;
        entries.last().map(|entry| entry.booked_at)
    }

    fn check_state(&self, request: &Request, context: &Context) -> Result<(), Refusal> {
        let state = |id: &str| self.accounts.get(id).map_or(State::Active, |account| account.state);
        let late_capture = request.op == "capture"
            && self.target_hold(request).is_some_and(|hold| self.holds[hold].state == HoldState::Expired);
        let from = state(&context.account);
        if from == State::Closed && request.op != "refund" && !late_capture {
            return refuse("account_closed");
        }
        if request.text("to").is_some_and(|to| state(to) == State::Closed) {
            return refuse("account_closed");
        }
        let careful = match request.op.as_str() {
            "hold" | "transfer" => true,
            "consume" => request.text("policy") != Some("postpaid"),
            _ => false,
        };
        if careful && from == State::Frozen {
            return refuse("account_frozen");
        }
        Ok(())
    }

    fn check_range(&self) -> Result<(), Refusal> {
        for account in self.accounts.keys() {
            let [available, held, pending, debt] = self.figures(account);
            if available + held + pending > MAX_POINTS || debt > MAX_POINTS {
                return refuse("out_of_range");
            }
        }
        Ok(())
    }

    fn receipt(&self, request: &Request, context: &Context, mut draft: Draft) -> Value {
        let (restored, lapsed, reinstated) = (draft.restored, draft.lapsed, draft.reinstated);
        draft.put("restored", json!(restored));
        draft.put("lapsed", json!(lapsed));
        draft.put("reinstated", json!(reinstated));
        draft.put("clock_suspect", json!(context.heard.suspect));
        draft.put("clock_behind", json!(context.heard.behind));
        if !context.account.is_empty() {
            draft.put("account", json!(context.account));
        }
        let mut body = draft.body;
        body.insert("op".into(), json!(request.op));
        body.insert("operation".into(), json!(format!("op:{}", context.number)));
        body.insert("key".into(), json!(request.key));
        body.insert("replayed".into(), json!(false));
        body.insert("points".into(), json!(draft.points));
        body.insert("booked_at".into(), json!(super::instant::text(context.now)));
        body.insert("recorded_at".into(), json!(super::instant::text(context.heard.ms)));
        body.insert("balance".into(), five(self.figures(&context.account)));
        Value::Object(body)
    }

    pub fn configure(&mut self, request: &Request) -> Outcome {
        let value = &request.inputs["value"];
        let ms = value.as_i64().map_or(0, |seconds| seconds.saturating_mul(SECOND));
        let setting = request.text("setting").expect("checked shape");
        let seconds = |field: &mut i64| json!(std::mem::replace(field, ms) / SECOND);
        let before = match setting {
            "accounts" => match std::mem::replace(&mut self.settings.explicit, value == "explicit") {
                true => json!("explicit"),
                false => json!("first_use"),
            },
            "late_window" => seconds(&mut self.settings.late_window),
            "max_hold" => seconds(&mut self.settings.max_hold),
            "clock_patience" => seconds(&mut self.settings.clock_patience),
            _ => seconds(&mut self.settings.max_clock_jump),
        };
        Ok(Draft::changed(setting, before, value.clone()))
    }
}
