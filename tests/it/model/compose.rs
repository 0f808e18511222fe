//! One line of each kind, with the model at hand to aim well.

use super::books::{Booked, Hold, HoldState, MAX_POINTS, Reading};
use super::generate::{Generator, START};
use super::instant::{self, DAY, HOUR, SECOND};
use super::prices::SAMPLE_BOOK;
use serde_json::{Value, json};
use std::sync::Arc;

const OPS: [(&str, i64); 20] = [
    ("recharge", 16),
    ("plan", 5),
    ("stop", 2),
    ("consume", 24),
    ("hold", 14),
    ("capture", 12),
    ("release", 6),
    ("renew", 6),
    ("refund", 9),
    ("revoke", 6),
    ("set_expiry", 4),
    ("transfer", 6),
    ("write_off", 3),
    ("open", 2),
    ("set_limit", 2),
    ("freeze", 2),
    ("unfreeze", 3),
    ("close", 3),
    ("configure", 3),
    ("confirm_clock", 2),
];

impl Generator {
    pub fn choose_op(&mut self) -> &'static str {
        let whole: i64 = OPS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.range(1, whole);
        let chosen = OPS.iter().find(|(_, weight)| {
            left -= weight;
            left <= 0
        });
        match chosen.map_or("consume", |(op, _)| op) {
            "capture" if !self.some_hold(&[HoldState::Open, HoldState::Expired]) => "hold",
            "release" | "renew" if !self.some_hold(&[HoldState::Open]) => "hold",
            "refund" if self.model.consumes.is_empty() => "consume",
            "stop" if self.model.plans.is_empty() => "plan",
            "revoke" | "set_expiry" if self.model.batches.is_empty() => "recharge",
            op => op,
        }
    }

    fn some_hold(&self, states: &[HoldState]) -> bool {
        self.model.holds.iter().any(|hold| states.contains(&hold.state))
    }

    /// A line that has a fair chance to be booked at this reading.
    pub fn compose(&mut self, op: &str, reading: Reading) -> Value {
        let account = self.account();
        let now = self.model.read_time(&account, reading);
        let mut line = json!({"op": op, "account": account, "key": self.key()});
        match op {
            "open" | "set_limit" => line["credit_limit"] = json!(self.random.pick(&[0, 0, 5, 20])),
            "recharge" => self.recharge(&mut line, now),
            "plan" => self.plan(&mut line, now),
            "stop" => {
                let plans: Vec<i64> = self.model.plans.iter().map(|plan| plan.operation).collect();
                line["plan"] = self.target(&plans);
            }
            "consume" => self.consume(&mut line, &account, now),
            "hold" => self.hold(&mut line, &account, reading),
            "capture" | "release" | "renew" => self.on_hold(&mut line, &account, now),
            "refund" => self.refund(&mut line, &account),
            "revoke" | "set_expiry" => self.on_batch(&mut line, &account, now),
            "transfer" => {
                line["to"] = json!(self.account());
                line["points"] = json!(self.within(&account, reading, false));
            }
            "write_off" => line["points"] = json!(self.random.range(1, 6)),
            "configure" => self.configure(&mut line),
            _ => {}
        }
        let target = ["hold", "batch", "plan", "operation"].iter().any(|field| line.get(*field).is_some());
        if target || matches!(op, "configure" | "confirm_clock") {
            line.as_object_mut().expect("a line is an object").remove("account");
        }
        if matches!(op, "refund" | "revoke" | "set_expiry" | "write_off" | "freeze" | "unfreeze" | "close") {
            line["reason"] = json!(self.random.pick(&["asked", "mistake"]));
        }
        self.facts(&mut line);
        if self.style.historic && op != "confirm_clock" && self.random.percent(4) {
            line["at"] = json!(instant::text((reading.ms - self.random.range(0, 5) * SECOND).max(0)));
        }
        line
    }

    /// Mostly fresh; some collide.
    fn key(&mut self) -> String {
        if self.random.percent(4) {
            return format!("c{}", self.random.range(1, 3));
        }
        format!("k{}", self.steps.len())
    }

    fn facts(&mut self, line: &mut Value) {
        if self.random.percent(10) {
            line["reference"] = json!(format!("task {}", self.random.range(1, 3)));
        }
        if self.random.percent(5) {
            line["description"] = json!("words");
            line["actor"] = json!("till 3");
            line["metadata"] = json!({"shop": self.random.range(7, 8)});
        }
    }

    fn few(&mut self) -> i64 {
        if self.random.percent(15) { self.random.range(10, 40) } else { self.random.range(1, 10) }
    }

    /// Mostly no more than there is.
    fn within(&mut self, account: &str, reading: Reading, credit: bool) -> i64 {
        let balance = self.model.balance(account, None, reading);
        let figure = |name: &str| balance[name].as_i64().unwrap_or(0);
        let limit = if credit { figure("credit_limit") - figure("debt") } else { 0 };
        match figure("available") + limit {
            ..1 => self.few(),
            _ if self.random.percent(8) => self.few(),
            most if self.random.percent(25) => most.min(60),
            most => self.random.range(1, most.min(12)),
        }
    }

    fn recharge(&mut self, line: &mut Value, now: i64) {
        line["points"] = json!(self.few() + self.random.range(0, 9));
        line["source"] = json!(self.random.pick(&["wxpay", "card", "gift", "invite"]));
        let mut from = now;
        if self.random.percent(20) {
            let ahead = *self.random.pick(&[-HOUR, -1, 0, 1, 5 * SECOND, HOUR, DAY, 20 * DAY]);
            line["effective_at"] = json!(instant::text((now + ahead).max(0)));
            from = now.max(now + ahead);
        }
        if !self.random.percent(10) {
            self.expiry(line, from);
        }
        if self.random.percent(25) {
            line["priority"] = json!(self.random.pick(&[10, 50, 90]));
        }
        if self.random.percent(25) {
            line["promo"] = json!(self.random.percent(50));
        }
        if line.get("expires_at") != Some(&json!("never")) && self.random.percent(30) {
            self.rollover(line);
        }
        if self.random.percent(1) {
            line["points"] = json!(MAX_POINTS - self.random.range(0, 20));
        }
    }

    /// Few periods where they are short, or the clock was never set: a model is slow where there are thousands of batches, and
    /// knows nothing of a catch-up in several steps.
    fn plan(&mut self, line: &mut Value, now: i64) {
        line["points"] = json!(self.few());
        line["source"] = json!(self.random.pick(&["card", "gift", "plan"]));
        let counted = match self.random.range(1, 10) {
            1..=5 => {
                line["every_days"] = json!(self.random.range(1, 4));
                true
            }
            6..=7 => {
                line["every_weeks"] = json!(self.random.range(1, 3));
                true
            }
            _ => {
                line["every_months"] = json!(self.random.pick(&[1, 1, 2, 12]));
                self.random.percent(60)
            }
        };
        if counted || now < START - 300 * DAY {
            line["count"] = json!(self.random.range(1, 9));
        }
        if self.random.percent(50) {
            let ahead = *self.random.pick(&[-40 * DAY, -3 * DAY, -DAY, 0, 1, HOUR, DAY, 8 * DAY]);
            line["anchor"] = json!(instant::text((now + ahead).max(0)));
        }
        if self.random.percent(30) {
            line["offset"] = json!(self.random.pick(&["+08:00", "-03:30", "Z"]));
        }
        match self.random.range(1, 10) {
            1..=4 => line["expires_at"] = json!("period_end"),
            5 => {}
            _ => self.expiry(line, now),
        }
        if self.random.percent(20) {
            line["priority"] = json!(self.random.pick(&[10, 50, 90]));
        }
        if self.random.percent(20) {
            line["promo"] = json!(self.random.percent(50));
        }
        if line.get("expires_at") != Some(&json!("never")) && self.random.percent(35) {
            self.rollover(line);
        }
        if self.random.percent(2) {
            line["points"] = json!(MAX_POINTS - self.random.range(0, 20));
        }
    }

    fn rollover(&mut self, line: &mut Value) {
        let mut rollover = json!({"cap": self.few()});
        match self.random.range(1, 10) {
            1..=4 => rollover["expires_in_hours"] = json!(self.random.range(1, 40)),
            5..=8 => rollover["expires_in_days"] = json!(self.random.range(1, 20)),
            _ => rollover["expires_in_months"] = json!(self.random.range(1, 3)),
        }
        if self.random.percent(25) {
            rollover["end_of_day"] = json!(self.random.pick(&["+08:00", "-03:30"]));
        }
        line["rollover"] = rollover;
    }

    /// One of the forms; instants like to coincide with those of others.
    fn expiry(&mut self, line: &mut Value, from: i64) {
        let known = self.model.batches.iter().filter_map(|batch| batch.expires_at);
        let known = known.chain(self.model.holds.iter().map(|hold| hold.deadline));
        let known: Vec<i64> = known.filter(|at| *at > from).collect();
        match self.random.range(1, 100) {
            1..=12 => line["expires_at"] = json!("never"),
            13..=35 if !known.is_empty() => line["expires_at"] = json!(instant::text(*self.random.pick(&known))),
            36..=40 => line["expires_in_hours"] = json!(self.random.range(1, 40)),
            41..=48 => line["expires_in_days"] = json!(self.random.range(1, 4)),
            49..=56 => line["expires_in_months"] = json!(self.random.range(1, 3)),
            _ => {
                let spans = [0, 1, SECOND, 2 * SECOND, 5 * SECOND, 60 * SECOND, HOUR, DAY, 10 * DAY, 100 * DAY];
                let at = from + *self.random.pick(&spans);
                line["expires_at"] = json!(instant::text(at));
            }
        }
        let relative = line.get("expires_at").is_none();
        if relative && self.random.percent(40) {
            line["end_of_day"] = json!(self.random.pick(&["+08:00", "-03:30", "+00:00"]));
        }
    }

    fn consume(&mut self, line: &mut Value, account: &str, now: i64) {
        match self.random.range(1, 10) {
            1..=6 => line["points"] = json!(if self.random.percent(4) { 0 } else { self.few() }),
            7 => {
                line["points"] = json!(self.few());
                self.service(line, "consume");
            }
            _ => self.service(line, "consume"),
        }
        match self.random.range(1, 10) {
            1..=4 => line["policy"] = json!("strict"),
            5..=6 => line["policy"] = json!("up_to"),
            7 => line["policy"] = json!("postpaid"),
            _ => {}
        }
        if self.random.percent(25) {
            let own = self.model.batches.iter().filter(|batch| batch.account == account);
            let mut times: Vec<i64> = own.filter_map(|batch| batch.expires_at).map(|at| at - 1).collect();
            times.extend([now, now + HOUR, now - self.model.settings.late_window, now - SECOND]);
            let at = (*self.random.pick(&times) + self.random.range(-1, 1)).max(0);
            line["occurred_at"] = json!(instant::text(at));
        }
    }

    /// A service with a usage that suits it; rarely one that does not.
    fn service(&mut self, line: &mut Value, op: &str) {
        let service =
            *self.random.pick(&["tts", "fine", "video", "dub", "speech", "text", "tokens", "script", "preview"]);
        line["service"] = json!(service);
        let estimate = op == "hold" && line.get("points").is_none();
        match service {
            "text" => line["chars"] = json!(self.random.range(1, 60)),
            "tts" | "speech" if estimate && self.random.percent(60) => line["chars"] = json!(self.random.range(1, 60)),
            "video" if estimate && self.random.percent(60) => {
                line["input_seconds"] = json!(self.random.pick(&["2.5", "3", "0.1"]));
            }
            "fine" => line["seconds"] = json!(self.random.pick(&["2.1", "0.3", "1.25", "0"])),
            "tts" | "video" | "dub" | "speech" if self.random.percent(20) => {
                line["quantity"] = json!(self.random.pick(&["3", "8.999"]));
                line["unit"] = json!(if self.random.percent(90) { "second" } else { "minute" });
            }
            "tts" | "video" | "dub" | "speech" => {
                line["seconds"] = json!(self.random.pick(&["3", "3.001", "8.999", "0", "14"]))
            }
            "tokens" => {
                line["quantity"] = json!(self.random.pick(&[0, 200, 201, 1200, 1201, 9000]));
                line["unit"] = json!(if self.random.percent(96) { "token" } else { "page" });
            }
            _ => {}
        }
        if self.random.percent(2) {
            line["service"] = json!("unheard-of");
        }
    }

    fn hold(&mut self, line: &mut Value, account: &str, reading: Reading) {
        match self.random.range(1, 10) {
            1..=7 => line["points"] = json!(self.within(account, reading, true)),
            8 => {
                line["points"] = json!(self.within(account, reading, true));
                self.service(line, "hold");
            }
            _ => self.service(line, "hold"),
        }
        if line.get("service").is_some() && self.random.percent(40) {
            line["price_book"] = json!(if self.random.percent(95) { SAMPLE_BOOK } else { "book:unheard-of" });
        }
        line["deadline_seconds"] = json!(self.random.pick(&[1, 5, 60, 3_600, 3_600, 86_400, 86_400, 86_401]));
    }

    /// Open and expired holds are wanted, resolved ones too, rarely.
    fn on_hold(&mut self, line: &mut Value, account: &str, now: i64) {
        let late = line["op"] == "capture" && self.random.percent(35);
        let any = self.random.percent(8);
        let state = |hold: &Hold| match hold.state {
            HoldState::Open if hold.deadline <= now => HoldState::Expired,
            state => state,
        };
        let wanted = if late { HoldState::Expired } else { HoldState::Open };
        let holds = self.model.holds.iter();
        let holds: Vec<Hold> = holds.filter(|hold| any || state(hold) == wanted).cloned().collect();
        let own: Vec<Hold> = holds.iter().filter(|hold| hold.account == account).cloned().collect();
        let all = if own.is_empty() { holds } else { own };
        let hold = if all.is_empty() { None } else { Some(self.random.pick(&all)) };
        line["hold"] = self.target(&Vec::from_iter(hold.map(|hold| hold.operation)));
        let (most, service) = hold.map_or((5, None), |hold| (hold.points, hold.service.clone()));
        match line["op"].as_str() {
            Some("renew") => line["deadline_seconds"] = json!(self.random.pick(&[1, 5, 600, 86_400])),
            Some("release") => {}
            _ if self.random.percent(15) => self.cap(line),
            _ if service.is_some() && self.random.percent(50) => match service.as_deref() {
                Some("tokens") => line["quantity"] = json!(self.random.pick(&[100, 1200, 2201])),
                Some("text") => line["chars"] = json!(self.random.pick(&[7, 31])),
                _ => line["seconds"] = json!(self.random.pick(&["1.5", "6", "2.4"])),
            },
            _ => line["points"] = json!((most + self.random.range(-6, 3)).max(0)),
        }
    }

    /// What is held, or no more than that, or all in spite of it.
    fn cap(&mut self, line: &mut Value) {
        if self.random.percent(50) {
            line["points"] = json!(self.few());
        }
        if self.random.percent(60) {
            line["cap"] = json!(self.random.pick(&["held", "held", "none"]));
        }
    }

    fn refund(&mut self, line: &mut Value, account: &str) {
        let any = self.random.percent(10);
        let fits = |booked: &Arc<Booked>| {
            let own = booked.scope.as_deref() == Some(account);
            any || own && matches!(booked.request.op.as_str(), "consume" | "capture")
        };
        let log = self.model.log.iter().zip(1..).filter(|(booked, _)| fits(booked));
        let numbers: Vec<i64> = log.map(|(_, number)| number).collect();
        line["operation"] = self.target(&numbers);
        line["points"] = if self.random.percent(35) { json!("all") } else { json!(self.random.range(1, 8)) };
    }

    fn on_batch(&mut self, line: &mut Value, account: &str, now: i64) {
        let batches = self.model.batches.iter().filter(|batch| batch.account == account);
        let all: Vec<(i64, i64)> = batches.map(|batch| batch.made_by).collect();
        let made_by = if all.is_empty() { (0, 1) } else { *self.random.pick(&all) };
        line["batch"] = self.target(&[made_by.0]);
        // Rarely one that may roll out of it by then.
        line["batch"]["i"] = json!(made_by.1 + i64::from(self.random.percent(5)));
        if line["op"] == "set_expiry" {
            return self.expiry(line, now);
        }
        line["points"] = if self.random.percent(50) { json!("all") } else { json!(self.random.range(1, 8)) };
        if self.random.percent(40) {
            line["shortfall"] = json!(self.random.pick(&["clamp", "debt"]));
        }
    }

    /// `{"step": …}` for one of these operations.
    fn target(&mut self, numbers: &[i64]) -> Value {
        let number = if numbers.is_empty() { 0 } else { *self.random.pick(numbers) };
        json!({"step": self.step_of.get(&number).copied().unwrap_or(999_999)})
    }

    fn configure(&mut self, line: &mut Value) {
        let (setting, value) = match self.random.range(1, 11) {
            1..=5 => ("late_window", json!(self.random.pick(&[0, 2, 60, 3_600, 2_592_000]))),
            6 => ("max_hold", json!(self.random.pick(&[60, 86_400]))),
            7 => ("max_clock_jump", json!(self.random.pick(&[2_592_000, 7_776_000]))),
            8 => ("clock_patience", json!(self.random.pick(&[1, 3_600, 86_400, 259_200]))),
            9 if self.random.percent(40) => ("accounts", json!("explicit")),
            _ => ("accounts", json!("first_use")),
        };
        line["setting"] = json!(setting);
        line["value"] = value;
    }

    /// The same input in other words.
    pub fn respell(&mut self, line: &mut Value) {
        let default = match line["op"].as_str() {
            Some("consume") => Some(("policy", json!("postpaid"))),
            Some("recharge" | "plan") => Some(("priority", json!(50))),
            Some("revoke") => Some(("shortfall", json!("debt"))),
            Some("open") => Some(("credit_limit", json!(0))),
            _ => None,
        };
        if let Some((field, value)) = default {
            match line.get(field) {
                None => line[field] = value,
                Some(same) if *same == value => drop(line.as_object_mut().map(|line| line.remove(field))),
                Some(_) => {}
            }
        }
        for field in ["seconds", "input_seconds", "quantity", "chars"] {
            if let Some(number) = line[field].as_i64() {
                line[field] = json!(format!("{number}.0"));
            } else if let Some(text) = line[field].as_str() {
                let more = if text.contains('.') { "0" } else { ".00" };
                line[field] = json!(format!("{text}{more}"));
            }
        }
        for field in ["expires_at", "effective_at", "occurred_at"] {
            if let Some(text) = line[field].as_str().filter(|text| text.ends_with('Z')) {
                line[field] = json!(text.replace('Z', "+00:00"));
            }
        }
        line["actor"] = json!("somebody else");
        line["description"] = json!("other words");
        line.as_object_mut().expect("a line is an object").retain(|_, value| !value.is_null());
    }

    /// The same key, but not the same input.
    pub fn alter(&mut self, line: &mut Value) {
        if let Some(points) = line["points"].as_i64() {
            line["points"] = json!(points + 1);
        } else if self.random.percent(50) && line["reason"].is_string() {
            line["reason"] = json!("another");
        } else {
            line["reference"] = json!("altered");
        }
        line.as_object_mut().expect("a line is an object").retain(|_, value| !value.is_null());
    }

    /// Lines that are refused, each for one reason alone.
    pub fn nonsense(&mut self, reading: Reading) {
        let mut line = json!({"account": self.account(), "key": format!("k{}", self.steps.len())});
        let more = match self.random.range(1, 15) {
            13 => json!({"op": "stop", "account": null, "plan": {"step": 999_999}}),
            15 => json!({"op": "recharge", "points": 1, "source": "card", "rollover": {"cap": 1}}),
            14 => json!({"op": "plan", "points": 1, "source": "card", "every_days": 1, "every_months": 1}),
            1 => json!({"op": "recharge", "points": 0, "source": "card"}),
            2 => json!({"op": "consume", "points": -1}),
            3 => json!({"op": "consume", "points": MAX_POINTS + 1}),
            4 => json!({"op": "consume", "points": 1, "surprise": 1}),
            5 => json!({"op": "transfer", "to": line["account"], "points": 1}),
            6 => json!({"op": "write_off", "points": 1}),
            7 => json!({"op": "capture", "account": null, "hold": "hold:999999", "points": 1}),
            8 => {
                json!({"op": "revoke", "account": null, "batch": {"step": 999_999}, "points": 1, "reason": "x"})
            }
            9 => {
                json!({"op": "refund", "account": null, "operation": "op:999999", "points": 1, "reason": "x"})
            }
            11 => json!({"op": "expire", "account": null}),
            10 => json!({"op": "freeze", "account": "nobody", "reason": "x"}),
            _ => json!({"op": "hold", "points": 1, "deadline_seconds": 1, "account": "nobody"}),
        };
        let fields = line.as_object_mut().expect("a line is an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        fields.retain(|_, value| !value.is_null());
        self.emit(line, reading);
    }
}
