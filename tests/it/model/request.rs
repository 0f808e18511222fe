//! One line of JSON read into its parsed values, defaults written out.

use super::books::{MAX_POINTS, Refusal};
use super::instant;
use super::prices::{Dec, Usage};
use super::rollover::Rollover;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Request {
    pub op: String,
    /// None where a target implies it, or the file has none.
    pub account: Option<String>,
    pub key: String,
    /// What a replay must repeat: parsed, with defaults. Instants are ms.
    pub inputs: BTreeMap<String, Value>,
    /// reference, description, actor, metadata, as given.
    pub facts: Map<String, Value>,
    pub at: Option<i64>,
}

const FACTS: [&str; 4] = ["reference", "description", "actor", "metadata"];

/// (op, required fields, optional fields)
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);
const EXPIRY: [&str; 5] = ["expires_at", "expires_in_hours", "expires_in_days", "expires_in_months", "end_of_day"];
const PLAN: [&str; 14] = [
    "every_days",
    "every_weeks",
    "every_months",
    "anchor",
    "offset",
    "count",
    "priority",
    "promo",
    "rollover",
    EXPIRY[0],
    EXPIRY[1],
    EXPIRY[2],
    EXPIRY[3],
    EXPIRY[4],
];
const SHAPES: [Row; 21] = [
    ("open", &["account"], &["credit_limit"]),
    ("set_limit", &["account", "credit_limit"], &[]),
    (
        "recharge",
        &["account", "points", "source"],
        &[EXPIRY[0], EXPIRY[1], EXPIRY[2], EXPIRY[3], EXPIRY[4], "effective_at", "priority", "promo", "rollover"],
    ),
    ("plan", &["account", "points", "source"], &PLAN),
    ("stop", &["plan"], &[]),
    ("consume", &["account"], &["points", "service", "seconds", "quantity", "unit", "chars", "policy", "occurred_at"]),
    (
        "hold",
        &["account", "deadline_seconds"],
        &["points", "service", "seconds", "quantity", "unit", "chars", "input_seconds", "price_book"],
    ),
    ("capture", &["hold"], &["points", "seconds", "quantity", "unit", "chars", "cap"]),
    ("release", &["hold"], &[]),
    ("renew", &["hold", "deadline_seconds"], &[]),
    ("refund", &["operation", "points", "reason"], &[]),
    ("revoke", &["batch", "points", "reason"], &["shortfall"]),
    ("set_expiry", &["batch", "reason"], &EXPIRY),
    ("transfer", &["account", "to", "points"], &[]),
    ("write_off", &["account", "points", "reason"], &[]),
    ("freeze", &["account", "reason"], &[]),
    ("unfreeze", &["account", "reason"], &[]),
    ("close", &["account", "reason"], &[]),
    ("configure", &["setting", "value"], &[]),
    ("confirm_clock", &[], &[]),
    ("", &[], &[]),
];

fn bad() -> Refusal {
    Refusal::new("invalid_argument")
}

impl Request {
    pub fn parse(line: &Value) -> Result<Request, Refusal> {
        let line = line.as_object().ok_or_else(bad)?;
        let op = line.get("op").and_then(Value::as_str).ok_or_else(bad)?;
        let row = SHAPES.iter().find(|row| row.0 == op && !op.is_empty()).ok_or_else(bad)?;
        let key = line.get("key").and_then(Value::as_str).filter(|key| named(key)).ok_or_else(bad)?;
        if row.1.iter().any(|field| !line.contains_key(*field)) {
            return Err(bad());
        }
        let mut request = Request {
            op: op.into(),
            account: None,
            key: key.into(),
            inputs: BTreeMap::new(),
            facts: Map::new(),
            at: None,
        };
        for (name, value) in line {
            request.field(row, name, value)?;
        }
        request.defaults();
        request.whole()?;
        Ok(request)
    }

    /// What a sweep books for the file. No caller can ask for it by name, and it has no key.
    pub fn sweep() -> Request {
        Request {
            op: "expire".into(),
            account: None,
            key: String::new(),
            inputs: BTreeMap::new(),
            facts: Map::new(),
            at: None,
        }
    }

    fn field(&mut self, row: &Row, name: &str, value: &Value) -> Result<(), Refusal> {
        let known = row.1.contains(&name) || row.2.contains(&name);
        match name {
            "op" | "key" => {}
            "at" => self.at = Some(moment(value)?),
            "account" if known => {
                self.account = Some(value.as_str().filter(|id| named(id)).ok_or_else(bad)?.into());
            }
            _ if FACTS.contains(&name) => {
                self.facts.insert(name.into(), value.clone());
                if name == "reference" {
                    self.inputs.insert(name.into(), value.clone());
                }
            }
            _ if known => {
                let parsed = self.value(name, value)?;
                self.inputs.insert(name.into(), parsed);
            }
            _ => return Err(bad()),
        }
        Ok(())
    }

    fn value(&self, name: &str, value: &Value) -> Result<Value, Refusal> {
        let whole = |min: i64| value.as_i64().filter(|n| *n >= min).ok_or_else(bad);
        Ok(match name {
            "points" => {
                let all = matches!(self.op.as_str(), "refund" | "revoke") && value == "all";
                if all {
                    return Ok(value.clone());
                }
                let zero = matches!(self.op.as_str(), "consume" | "capture");
                let points = whole(if zero { 0 } else { 1 })?;
                json!(in_range(points)?)
            }
            "credit_limit" => json!(in_range(whole(0)?)?),
            "deadline_seconds" | "expires_in_hours" | "expires_in_days" | "expires_in_months" | "every_days"
            | "every_weeks" | "every_months" => {
                json!(whole(1)?)
            }
            "count" => json!(whole(1).and_then(|n| if n > 65_535 { Err(bad()) } else { Ok(n) })?),
            "expires_at" if value == "never" || self.op == "plan" && value == "period_end" => value.clone(),
            "expires_at" | "effective_at" | "occurred_at" | "anchor" => json!(moment(value)?),
            "end_of_day" | "offset" => {
                let offset = value.as_str().and_then(instant::parse_offset);
                json!(offset.ok_or_else(bad)?)
            }
            "seconds" | "quantity" | "chars" | "input_seconds" => json!(decimal(value)?.text()),
            "priority" => json!(value.as_i64().ok_or_else(bad)?),
            "rollover" => Rollover::parse(value)?,
            "promo" => json!(value.as_bool().ok_or_else(bad)?),
            "policy" => one_of(value, &["postpaid", "strict", "up_to"])?,
            "shortfall" => one_of(value, &["debt", "clamp"])?,
            "cap" => one_of(value, &["held", "none"])?,
            "value" => value.clone(),
            _ => json!(value.as_str().filter(|text| !text.is_empty()).ok_or_else(bad)?),
        })
    }

    fn defaults(&mut self) {
        let (name, value) = match self.op.as_str() {
            "open" => ("credit_limit", json!(0)),
            "recharge" => ("priority", json!(50)),
            "plan" => {
                self.inputs.entry("offset".into()).or_insert(json!(0));
                ("priority", json!(50))
            }
            "consume" => ("policy", json!("postpaid")),
            "revoke" => ("shortfall", json!("debt")),
            _ => return,
        };
        self.inputs.entry(name.into()).or_insert(value);
    }

    /// What needs several fields at once, but neither file nor clock.
    fn whole(&self) -> Result<(), Refusal> {
        let has = |name: &str| self.inputs.contains_key(name);
        let usages = ["seconds", "quantity", "chars", "input_seconds"].iter().filter(|name| has(name)).count();
        let expiries = EXPIRY[..4].iter().filter(|name| has(name)).count();
        let relative = has("expires_in_hours") || has("expires_in_days") || has("expires_in_months");
        // What never ends never rolls.
        let rolls = !has("rollover") || self.text("expires_at") != Some("never");
        let fine = match self.op.as_str() {
            "recharge" => rolls && expiries <= 1 && (relative || !has("end_of_day")),
            "plan" => {
                let every = ["every_days", "every_weeks", "every_months"].iter().filter(|name| has(name)).count();
                every == 1 && rolls && expiries <= 1 && (relative || !has("end_of_day"))
            }
            "set_expiry" => expiries == 1 && (relative || !has("end_of_day")),
            "consume" => (has("points") || has("service")) && usages <= 1,
            "hold" => (has("points") || has("service")) && (has("service") || !has("price_book")) && usages <= 1,
            "capture" => usages + usize::from(has("points")) <= 1,
            "transfer" => self.text("to") != self.account.as_deref(),
            "configure" => self.setting_is_fine(),
            _ => true,
        };
        if fine && (has("quantity") || !has("unit")) { Ok(()) } else { Err(bad()) }
    }

    fn setting_is_fine(&self) -> bool {
        let value = &self.inputs["value"];
        match self.text("setting") {
            Some("accounts") => value == "first_use" || value == "explicit",
            Some("late_window") => value.as_i64().is_some_and(|n| n >= 0),
            Some("max_hold" | "max_clock_jump" | "clock_patience") => value.as_i64().is_some_and(|n| n > 0),
            _ => false,
        }
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.inputs.get(name).and_then(Value::as_i64)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.inputs.get(name).and_then(Value::as_str)
    }

    pub fn usage(&self) -> Usage {
        let number = |name: &str| self.text(name).and_then(Dec::parse);
        if let Some(seconds) = number("seconds") {
            return Usage::Seconds(seconds);
        }
        if let Some(chars) = number("chars") {
            return Usage::Chars(chars);
        }
        if let Some(seconds) = number("input_seconds") {
            return Usage::InputSeconds(seconds);
        }
        match number("quantity") {
            Some(quantity) => Usage::Quantity(quantity, self.text("unit").map(String::from)),
            None => Usage::None,
        }
    }

    /// A hold that carries a quote, or names no points: what it costs on the day is no input.
    fn is_by_book(&self) -> bool {
        let has = |name: &str| self.inputs.contains_key(name);
        let quote = has("price_book") || self.usage() != Usage::None;
        self.op == "hold" && has("service") && (quote || !has("points"))
    }

    /// The names of the inputs in which two requests differ. By which book a hold was quoted is none.
    pub fn differs(&self, other: &Request) -> Vec<String> {
        let by_book = self.is_by_book() && other.is_by_book();
        let mut names: Vec<&String> = self.inputs.keys().chain(other.inputs.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| self.inputs.get(*name) != other.inputs.get(*name));
        names.retain(|name| *name != "price_book" && !(by_book && *name == "points"));
        let mut names: Vec<String> = names.into_iter().cloned().collect();
        // Another payment's id is another payment; one that says none is no other.
        if let (Some(one), Some(two)) = (self.facts.get("metadata"), other.facts.get("metadata"))
            && one != two
            && one != &Value::Object(Map::new())
            && two != &Value::Object(Map::new())
        {
            names.push("metadata".into());
        }
        names
    }
}

fn named(id: &str) -> bool {
    (1..=128).contains(&id.len()) && !id.chars().any(char::is_control)
}

fn in_range(points: i64) -> Result<i64, Refusal> {
    if points > MAX_POINTS { Err(Refusal::new("out_of_range")) } else { Ok(points) }
}

fn moment(value: &Value) -> Result<i64, Refusal> {
    let ms = value.as_str().and_then(instant::parse).ok_or_else(bad)?;
    match ms {
        ..0 => Err(bad()),
        _ if ms > instant::LAST => Err(Refusal::new("out_of_range")),
        _ => Ok(ms),
    }
}

fn decimal(value: &Value) -> Result<Dec, Refusal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(bad()),
    };
    Dec::parse(&text).ok_or_else(bad)
}

fn one_of(value: &Value, names: &[&str]) -> Result<Value, Refusal> {
    if names.iter().any(|name| value == name) { Ok(value.clone()) } else { Err(bad()) }
}
