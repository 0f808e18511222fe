//! The operations that move points between a batch and its use.

use super::books::{Bug, Consume, Context, Draft, Hold, HoldState, Model, Outcome, Part, Refusal, refuse};
use super::instant::{self, LAST, SECOND};
use super::prices::{SAMPLE_BOOK, Usage};
use super::request::Request;
use super::time::Note;
use serde_json::{Map, Value, json};

impl Model {
    pub fn perform(&mut self, request: &Request, context: &Context) -> Outcome {
        match request.op.as_str() {
            "open" => self.open(request, context),
            "set_limit" => self.set_limit(request, context),
            "recharge" => self.recharge(request, context),
            "plan" => self.begin_plan(request, context),
            "stop" => self.stop_plan(request, context),
            "consume" => self.consume(request, context),
            "hold" => self.hold(request, context),
            "capture" => self.capture(request, context),
            "release" => self.release(request, context),
            "renew" => self.renew(request, context),
            "refund" => self.refund(request, context),
            "revoke" => self.revoke(request, context),
            "set_expiry" => self.set_expiry(request, context),
            "transfer" => self.transfer(request, context),
            "write_off" => self.write_off(request, context),
            "configure" => self.configure(request),
            "confirm_clock" => Ok(Draft::default()),
            _ => self.change_state(request, context),
        }
    }

    fn consume(&mut self, request: &Request, context: &Context) -> Outcome {
        let (account, now) = (context.account.as_str(), context.now);
        let asked = match request.int("points") {
            Some(points) => points,
            None => self.priced(request.text("service"), &request.usage(), false)?,
        };
        let occurred = request.int("occurred_at").map(|at| at.min(now));
        let window = self.settings.late_window;
        let late = occurred.filter(|at| now - at <= window);
        let plan = self.plan(account, asked, now, late);
        let covered: i64 = plan.iter().map(|part| part.points).sum();
        let strictly = self.strictly(account, asked, asked - covered);
        let mut draft = Draft::default();
        match request.text("policy") {
            Some("strict") => strictly?,
            Some("up_to") => draft.put("short", json!(asked - covered)),
            _ => draft.put("over_limit", json!(strictly.is_err())),
        }
        let up_to = request.text("policy") == Some("up_to");
        draft.points = if up_to { covered } else { asked };
        self.open_on_first_use(account, context);
        let c = self.new_consume(account, context.number, draft.points, None);
        let (taken, reinstated) = self.pay(c, plan, now);
        self.consumes[c].open = draft.points - taken;
        draft.reinstated = reinstated;
        self.total(account, "consumed", draft.points);
        let mut labels = self.labels(request, request.text("service"));
        if let Some(occurred) = occurred {
            labels.insert("occurred_at".into(), json!(instant::text(occurred)));
        }
        self.say_consume(&mut draft, c, &labels);
        if let Some(given) = request.int("occurred_at").filter(|given| *given > now) {
            draft.put("occurred_at_given", json!(instant::text(given)));
        }
        let note = Note { operation: Some(context.number), batch: None, labels };
        self.book(account, "consume", now, draft.points, note);
        Ok(draft)
    }

    fn hold(&mut self, request: &Request, context: &Context) -> Outcome {
        let (account, now) = (context.account.as_str(), context.now);
        if request.text("price_book").is_some_and(|book| book != SAMPLE_BOOK) {
            return refuse("pricing");
        }
        let points = match request.int("points") {
            Some(points) => points,
            None => self.priced(request.text("service"), &request.usage(), true)?,
        };
        let deadline = self.deadline(request, now)?;
        let slices = self.plan(account, points, now, None);
        let backed: i64 = slices.iter().map(|slice| slice.points).sum();
        self.strictly(account, points, points - backed)?;
        self.open_on_first_use(account, context);
        for slice in &slices {
            self.batches[slice.batch].remaining -= slice.points;
            self.batches[slice.batch].held += slice.points;
        }
        self.holds.push(Hold {
            operation: context.number,
            account: account.into(),
            points,
            unbacked: points - backed,
            deadline,
            state: HoldState::Open,
            service: request.text("service").map(String::from),
            given: vec![0; slices.len()],
            slices,
        });
        let h = self.holds.len() - 1;
        let labels = self.labels(request, request.text("service"));
        let mut draft = Draft { points, ..Draft::default() };
        draft.put("allocations", self.parts_said(&self.holds[h].slices));
        self.say_hold(&mut draft, h, &labels);
        let note = Note { operation: Some(context.number), batch: None, labels };
        self.book(account, "hold", now, points, note);
        Ok(draft)
    }

    fn capture(&mut self, request: &Request, context: &Context) -> Outcome {
        let h = self.target_hold(request).expect("resolved before");
        let (account, now) = (context.account.as_str(), context.now);
        let hold = self.holds[h].clone();
        if !matches!(hold.state, HoldState::Open | HoldState::Expired) {
            return refuse("hold_closed");
        }
        let asked = match (request.int("points"), request.usage(), &hold.service) {
            (Some(points), ..) => points,
            (None, Usage::None, _) => hold.points,
            (None, _, None) => return refuse("invalid_argument"),
            (None, usage, service) => self.priced(service.as_deref(), &usage, false)?,
        };
        let capped = match request.text("cap") {
            Some(cap) => cap == "held",
            None => hold.points == 0,
        };
        let points = if capped { asked.min(hold.points) } else { asked };
        self.reopen(account, now, Some(context.number));
        let credit = self.accounts[account].credit_limit - self.figures(account)[3] - self.unbacked(account, Some(h));
        self.holds[h].state = HoldState::Captured;
        let c = self.new_consume(account, context.number, points, None);
        let mut draft = Draft { points, ..Draft::default() };
        draft.put("short", json!(asked - points));
        let mut need = points;
        if hold.state == HoldState::Open {
            need -= self.take_slices(h, c, points);
            self.give_slices_back(h, points, now, &mut draft);
        } else {
            let parts = self.own_slices_again(&hold, points, now);
            let (taken, reinstated) = self.pay(c, parts, now);
            need -= taken;
            draft.reinstated = reinstated;
        }
        let plan = self.plan(account, need, now, None);
        let (taken, _) = self.pay(c, plan, now);
        let open = need - taken;
        self.consumes[c].open = open;
        self.total(account, "consumed", points);
        draft.put("over_limit", json!(open > 0 && open > credit));
        let labels = self.labels(request, hold.service.as_deref());
        self.say_consume(&mut draft, c, &labels);
        self.say_hold(&mut draft, h, &labels);
        let note = Note { operation: Some(context.number), batch: None, labels };
        self.book(account, "capture", now, points, note);
        self.settle(account, now, Some(context.number));
        Ok(draft)
    }

    /// The first `points` of an open hold's slices are used.
    fn take_slices(&mut self, h: usize, c: usize, points: i64) -> i64 {
        let mut left = points;
        for slice in self.holds[h].slices.clone() {
            let taken = slice.points.min(left);
            if taken > 0 {
                self.batches[slice.batch].held -= taken;
                self.batches[slice.batch].used += taken;
                self.consumes[c].parts.push(Part { batch: slice.batch, points: taken });
                left -= taken;
            }
        }
        points - left
    }

    /// What is still there of what an expired hold gave back or let lapse.
    fn own_slices_again(&self, hold: &Hold, points: i64, now: i64) -> Vec<Part> {
        let mut left = points;
        let mut parts = Vec::new();
        for (slice, given) in hold.slices.iter().zip(&hold.given) {
            let batch = &self.batches[slice.batch];
            let there = if self.ended(batch, now) { batch.expired } else { batch.remaining };
            let points = left.min(*given).min(there);
            if points > 0 {
                parts.push(Part { batch: slice.batch, points });
                left -= points;
            }
        }
        parts
    }

    fn release(&mut self, request: &Request, context: &Context) -> Outcome {
        let h = self.open_hold(request)?;
        let mut draft = Draft { points: self.holds[h].points, ..Draft::default() };
        self.holds[h].state = HoldState::Released;
        self.give_slices_back(h, 0, context.now, &mut draft);
        self.say_hold(&mut draft, h, &Map::new());
        self.book_own(request, context, "release", draft.points);
        self.settle(&context.account, context.now, Some(context.number));
        Ok(draft)
    }

    fn renew(&mut self, request: &Request, context: &Context) -> Outcome {
        let h = self.open_hold(request)?;
        let deadline = self.deadline(request, context.now)?;
        let before = std::mem::replace(&mut self.holds[h].deadline, deadline);
        let mut draft = Draft::changed("deadline", json!(instant::text(before)), json!(instant::text(deadline)));
        self.say_hold(&mut draft, h, &Map::new());
        self.book_own(request, context, "renew", 0);
        Ok(draft)
    }

    fn refund(&mut self, request: &Request, context: &Context) -> Outcome {
        let c = self.target_consume(request).expect("resolved before");
        let consume = &mut self.consumes[c];
        if consume.points == 0 && request.int("points").is_none() && !consume.traced {
            // A trace, once: nothing moves, and a closed account stays closed.
            consume.traced = true;
            self.book_own(request, context, "refund", 0);
            return Ok(Draft::default());
        }
        let most = consume.refundable();
        let points = request.int("points").unwrap_or(most);
        if points == 0 || points > most {
            return refuse("limit_exceeded");
        }
        self.reopen(&context.account, context.now, Some(context.number));
        let mut draft = Draft { points, ..Draft::default() };
        self.unconsume(c, points, context.now, &mut draft);
        self.total(&context.account, "refunded", points);
        self.book_own(request, context, "refund", points);
        if !self.bug(Bug::NoSettleAfterRefund) {
            self.settle(&context.account, context.now, Some(context.number));
        }
        Ok(draft)
    }

    /// What Strict would refuse: for debt first, then for shortage.
    pub fn strictly(&self, account: &str, points: i64, uncovered: i64) -> Result<(), Refusal> {
        let limit = self.accounts.get(account).map_or(0, |books| books.credit_limit);
        let debt = self.figures(account)[3];
        if points > 0 && debt > limit {
            return refuse("account_in_debt");
        }
        if uncovered > 0 && uncovered > limit - debt - self.unbacked(account, None) {
            return refuse("insufficient_points");
        }
        Ok(())
    }

    fn priced(&self, service: Option<&str>, usage: &Usage, estimate: bool) -> Result<i64, Refusal> {
        let service = service.expect("a service where there are no points");
        let points = match estimate {
            true => self.prices.estimate(service, usage),
            false => self.prices.price(service, usage),
        };
        points.map_err(Refusal::new)
    }

    fn deadline(&self, request: &Request, now: i64) -> Result<i64, Refusal> {
        let ms = request.int("deadline_seconds").unwrap_or(0).saturating_mul(SECOND);
        if ms > self.settings.max_hold {
            return refuse("invalid_argument");
        }
        match now + ms {
            deadline if deadline > LAST => refuse("out_of_range"),
            deadline => Ok(deadline),
        }
    }

    fn open_hold(&self, request: &Request) -> Result<usize, Refusal> {
        let h = self.target_hold(request).expect("resolved before");
        match self.holds[h].state {
            HoldState::Open => Ok(h),
            _ => refuse("hold_closed"),
        }
    }

    pub fn new_consume(&mut self, account: &str, operation: i64, points: i64, clawback_of: Option<usize>) -> usize {
        self.consumes.push(Consume {
            operation,
            account: account.into(),
            points,
            refunded: 0,
            written_off: 0,
            open: 0,
            parts: Vec::new(),
            traced: false,
            clawback_of,
        });
        self.consumes.len() - 1
    }

    pub fn open_on_first_use(&mut self, account: &str, context: &Context) {
        if !self.accounts.contains_key(account) {
            self.create_account(account, 0);
            let note = Note { operation: Some(context.number), ..Note::default() };
            self.book(account, "open", context.now, 0, note);
        }
    }

    pub fn book_own(&mut self, request: &Request, context: &Context, kind: &'static str, points: i64) {
        let labels = self.labels(request, None);
        let note = Note { operation: Some(context.number), batch: None, labels };
        self.book(&context.account, kind, context.now, points, note);
    }

    pub fn labels(&self, request: &Request, service: Option<&str>) -> Map<String, Value> {
        let mut labels = request.facts.clone();
        let usage = request.usage();
        let quantity = match &usage {
            Usage::None => None,
            Usage::Seconds(q) | Usage::Chars(q) | Usage::InputSeconds(q) | Usage::Quantity(q, _) => Some(q.text()),
        };
        let said = [
            ("service", service.map(String::from)),
            ("unit", self.prices.unit(service, &usage)),
            ("quantity", quantity),
            ("source", request.text("source").map(String::from)),
        ];
        for (name, value) in said {
            labels.extend(value.map(|value| (name.to_string(), json!(value))));
        }
        labels
    }

    pub fn parts_said(&self, parts: &[Part]) -> Value {
        let said = |part: &Part| json!({"batch": self.batch_id(part.batch), "points": part.points});
        parts.iter().map(said).collect()
    }

    fn say_consume(&self, draft: &mut Draft, c: usize, labels: &Map<String, Value>) {
        draft.put("allocations", self.parts_said(&self.consumes[c].parts));
        draft.put("open", json!(self.consumes[c].open));
        say_labels(draft, labels);
    }

    fn say_hold(&self, draft: &mut Draft, h: usize, labels: &Map<String, Value>) {
        let hold = &self.holds[h];
        let said = json!({
            "id": format!("hold:{}", hold.operation),
            "state": super::views::hold_state(hold.state),
            "deadline": instant::text(hold.deadline),
        });
        draft.put("hold", said);
        say_labels(draft, labels);
    }
}

fn say_labels(draft: &mut Draft, labels: &Map<String, Value>) {
    for name in ["service", "quantity", "unit", "occurred_at"] {
        if let Some(value) = labels.get(name) {
            draft.put(name, value.clone());
        }
    }
}
