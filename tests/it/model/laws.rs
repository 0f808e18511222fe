//! Laws that hold for any system: two runs that must look the same.

use super::books::{Model, Reading};
use super::generate::Random;
use super::prices::Prices;
use super::steps::{Act, Made, Step, System};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug)]
pub struct Difference {
    /// The id of the step after which it showed.
    pub step: usize,
    pub what: String,
    pub left: Value,
    pub right: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "after step {}: {}", self.step, self.what)?;
        writeln!(f, "   left: {}", self.left)?;
        write!(f, "  right: {}", self.right)
    }
}

/// What an operation says about itself, and whose side entries (an `open` on
/// first use, a `settle` …) the design leaves free to repeat it.
const LABELS: [&str; 11] = [
    "batch",
    "batch_number",
    "service",
    "quantity",
    "unit",
    "source",
    "reference",
    "description",
    "actor",
    "metadata",
    "occurred_at",
];
const SIDE_ENTRIES: [&str; 4] = ["open", "reopen", "clawback", "settle"];

/// What is compared of a balance of nobody.
const NOBODY: [&str; 7] = ["account", "as_of", "available", "held", "pending", "debt", "net"];

/// Absent, null and false mean the same, and so does a resolved hold's list
/// of slices; the price book is not modelled.
fn tidy(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        let kind = fields.get("kind").and_then(Value::as_str).unwrap_or("").to_string();
        if SIDE_ENTRIES.contains(&kind.as_str()) {
            fields.retain(|name, _| !LABELS.contains(&name.as_str()));
        }
        if fields.contains_key("slices") && fields["state"] != "open" {
            fields.remove("slices");
        }
        if fields.contains_key("as_of") && fields["exists"] != json!(true) {
            fields.retain(|name, _| NOBODY.contains(&name.as_str()));
        }
        fields.retain(|name, value| !value.is_null() && *value != json!(false) && name != "price_book");
        if let Some(parts) = fields.get_mut("allocations").and_then(Value::as_array_mut) {
            merge_neighbours(parts);
        }
    }
    value
}

/// Two draws in a row from one batch may be told as one.
fn merge_neighbours(parts: &mut Vec<Value>) {
    let mut merged: Vec<Value> = Vec::new();
    for part in parts.drain(..) {
        match merged.last_mut().filter(|last| last["batch"] == part["batch"]) {
            Some(last) => {
                last["points"] = json!(last["points"].as_i64().unwrap_or(0) + part["points"].as_i64().unwrap_or(0))
            }
            None => merged.push(part),
        }
    }
    *parts = merged;
}

fn same(step: usize, what: impl Into<String>, left: &Value, right: &Value) -> Result<(), Difference> {
    let (left, right) = (tidy(left), tidy(right));
    if left == right {
        return Ok(());
    }
    Err(Difference { step, what: what.into(), left, right })
}

fn same_list(step: usize, what: &str, left: &[Value], right: &[Value]) -> Result<(), Difference> {
    for i in 0..left.len().max(right.len()) {
        let at = |list: &[Value]| list.get(i).cloned().unwrap_or(Value::Null);
        same(step, format!("{what}, number {}", i + 1), &at(left), &at(right))?;
    }
    Ok(())
}

/// Runs one step and returns what was answered.
pub fn play(system: &mut dyn System, made: &mut Made, step: &Step) -> Value {
    match &step.act {
        Act::Expire => {
            system.expire(step.reading);
            Value::Null
        }
        Act::Read { account, at, points } => {
            json!([
                system.balance(account, *at, step.reading),
                system.check(account, *points, step.reading),
                system.statement(account, None, *at, step.reading),
                system.statement(account, *at, None, step.reading),
            ])
        }
        Act::Line(line) => match system.apply(&made.resolve(line), step.reading) {
            Ok(receipt) => {
                made.note(step.id, &receipt);
                receipt
            }
            Err(code) => json!({"refused": code}),
        },
    }
}

/// Balances, histories, batches and holds of every account.
pub fn same_books(a: &mut dyn System, b: &mut dyn System, step: usize, at: Reading) -> Result<(), Difference> {
    same_balances(a, b, step, at)?.iter().try_for_each(|id| same_lists(a, b, id, step, at))
}

fn same_lists(a: &mut dyn System, b: &mut dyn System, id: &str, step: usize, at: Reading) -> Result<(), Difference> {
    same_list(step, &format!("history of {id}"), &a.history(id, at), &b.history(id, at))?;
    same_list(step, &format!("batches of {id}"), &a.batches(id, at), &b.batches(id, at))?;
    same_list(step, &format!("holds of {id}"), &a.holds(id, at), &b.holds(id, at))?;
    same_list(step, &format!("plans of {id}"), &a.plans(id, at), &b.plans(id, at))
}

/// The balances of all, and the books of the accounts that the step concerned.
fn same_touched([a, b]: [&mut dyn System; 2], step: &Step, answer: &Value) -> Result<(), Difference> {
    let to = if let Act::Line(line) = &step.act { &line["to"] } else { &Value::Null };
    let accounts = same_balances(a, b, step.id, step.reading)?;
    let touched = accounts.iter().filter(|id| [&answer["account"], to].iter().any(|named| *named == id.as_str()));
    touched.into_iter().try_for_each(|id| same_lists(a, b, id, step.id, step.reading))
}

/// The same books, but for what an extra sweep may change: numbers, and which entries are unbooked yet.
fn same_but_for_sweeps(
    [a, b]: [&mut dyn System; 2],
    [made_a, made_b]: [&Made; 2],
    step: usize,
    at: Reading,
) -> Result<(), Difference> {
    let by_step = |mut list: Vec<Value>, made: &Made| {
        for item in &mut list {
            made.by_step(item);
            item.as_object_mut().map(|fields| fields.remove("unbooked"));
        }
        list
    };
    for id in same_balances(a, b, step, at)? {
        let mut same = |what: &str, list: fn(&mut dyn System, &str, Reading) -> Vec<Value>| {
            let (left, right) = (by_step(list(a, &id, at), made_a), by_step(list(b, &id, at), made_b));
            same_list(step, &format!("{what} of {id}"), &left, &right)
        };
        same("history", |system, id, at| system.history(id, at))?;
        same("batches", |system, id, at| system.batches(id, at))?;
        same("holds", |system, id, at| system.holds(id, at))?;
    }
    Ok(())
}

/// The accounts, when both have the same with the same balances.
fn same_balances(a: &mut dyn System, b: &mut dyn System, step: usize, at: Reading) -> Result<Vec<String>, Difference> {
    let accounts = a.accounts();
    same(step, "accounts", &json!(accounts), &json!(b.accounts()))?;
    for id in &accounts {
        same(step, format!("balance of {id}"), &a.balance(id, None, at), &b.balance(id, None, at))?;
    }
    Ok(accounts)
}

pub fn compare(a: &mut dyn System, b: &mut dyn System, steps: &[Step]) -> Result<(), Difference> {
    compare_every(a, b, steps, 1, &BTreeMap::new())
}

/// As `compare`, looking at all books every `k` steps and at the end, meanwhile at what a step concerns; with extra sweeps in `b`
/// before the steps of these indices, at nothing meanwhile.
pub fn compare_every(
    a: &mut dyn System,
    b: &mut dyn System,
    steps: &[Step],
    k: usize,
    sweeps: &BTreeMap<usize, Vec<Reading>>,
) -> Result<(), Difference> {
    let (mut made_a, mut made_b) = (Made::default(), Made::default());
    for (i, step) in steps.iter().enumerate() {
        for reading in sweeps.get(&i).into_iter().flatten() {
            b.expire(*reading);
        }
        let mut left = play(a, &mut made_a, step);
        let mut right = play(b, &mut made_b, step);
        if !sweeps.is_empty() {
            made_a.by_step(&mut left);
            made_b.by_step(&mut right);
        }
        if let (Some(left), Some(right)) = (left.as_array(), right.as_array()) {
            same_list(step.id, "the read", left, right)?;
        } else {
            same(step.id, "the answer", &left, &right)?;
        }
        let all = (i + 1) % k == 0 || i + 1 == steps.len();
        match (sweeps.is_empty(), all) {
            (true, true) => same_books(a, b, step.id, step.reading)?,
            (true, false) => same_touched([a, b], step, &left)?,
            (false, true) => same_but_for_sweeps([a, b], [&made_a, &made_b], step.id, step.reading)?,
            (false, false) => {}
        }
    }
    Ok(())
}

/// I6: where extra sweeps must change nothing. A sweep's instant lies between two steps and is never later than any
/// ledger time still to come; no reading still to come is so far off that it may be suspect, accepted time does not step
/// back any more, and no account has still to take back what wrong time did.
pub fn extra_sweeps(created_at: i64, prices: &Prices, steps: &[Step], seed: u64) -> BTreeMap<usize, Vec<Reading>> {
    let mut model = Model::new(created_at, prices.clone());
    let mut made = Made::default();
    let mut before = Vec::new();
    for step in steps {
        let confirms = matches!(&step.act, Act::Line(line) if line["op"] == "confirm_clock");
        let heard = model.hear(step.reading, confirms);
        let wild = model.is_far(heard.ms) || heard.clock.steps_back > model.clock.steps_back;
        before.push((heard.time, wild, model.clone()));
        play(&mut model, &mut made, step);
    }
    let mut random = Random::new(seed);
    let mut sweeps = BTreeMap::new();
    let mut ceiling = i64::MAX;
    for (i, (time, wild, model)) in before.iter().enumerate().rev() {
        if *wild {
            break;
        }
        ceiling = ceiling.min(*time);
        let floor = model.clock.accepted.min(ceiling);
        if model.accounts.keys().any(|id| model.begins_stretch(id, floor, &model.clock)) {
            continue;
        }
        let instants: Vec<i64> = (0..random.range(0, 2)).map(|_| random.range(floor, ceiling)).collect();
        let trusted = false;
        sweeps.insert(i, instants.into_iter().map(|ms| Reading { ms, trusted }).collect());
    }
    sweeps
}

/// Makes a fresh system, created at the same instant with the same prices.
pub type Make<'a> = &'a mut dyn FnMut() -> Box<dyn System>;

/// Where a law of I8 is tried: after this prefix, at this reading, which is
/// to be trusted (whether an untrusted one is suspect depends on points).
pub struct Trial<'a> {
    pub prefix: &'a [Step],
    pub account: &'a str,
    pub reading: Reading,
    /// 0 < less <= whole.
    pub whole: i64,
    pub less: i64,
}

const LAW: usize = 1_000_000;

impl Trial<'_> {
    /// The prefix and then these lines; None when one of them is refused.
    fn run(&self, make: Make<'_>, lines: &[Value]) -> Option<Box<dyn System>> {
        let mut system = make();
        let mut made = Made::default();
        for step in self.prefix {
            play(system.as_mut(), &mut made, step);
        }
        for (i, line) in lines.iter().enumerate() {
            let mut line = line.clone();
            line["key"] = json!(format!("law {i}"));
            let step = Step { id: LAW + i, reading: self.reading, act: Act::Line(line) };
            let answer = play(system.as_mut(), &mut made, &step);
            if answer.get("refused").is_some() {
                return None;
            }
        }
        Some(system)
    }

    fn consume(&self, points: i64) -> Value {
        json!({"op": "consume", "account": self.account, "points": points})
    }

    fn refund(&self, points: i64) -> Value {
        json!({"op": "refund", "operation": {"step": LAW}, "points": points, "reason": "law"})
    }

    /// Five figures of all accounts, and the batches where asked for.
    fn equal(&self, pair: [&mut dyn System; 2], batches: bool) -> Result<bool, Difference> {
        let [a, b] = pair;
        for id in a.accounts() {
            for figure in ["available", "held", "pending", "debt", "net"] {
                let (left, right) = (a.balance(&id, None, self.reading), b.balance(&id, None, self.reading));
                same(LAW, format!("{figure} of {id}"), &left[figure], &right[figure])?;
            }
            if batches {
                let (left, right) = (a.batches(&id, self.reading), b.batches(&id, self.reading));
                same_list(LAW, &format!("batches of {id}"), &left, &right)?;
            }
        }
        Ok(true)
    }

    fn law(&self, make: Make<'_>, left: &[Value], right: &[Value], batches: bool) -> Result<bool, Difference> {
        let (Some(mut a), Some(mut b)) = (self.run(make, left), self.run(make, right)) else {
            return Ok(false);
        };
        self.equal([a.as_mut(), b.as_mut()], batches)
    }

    /// Consume n, refund r = consume n − r. Ok(false): could not be tried.
    pub fn consume_refund(&self, make: Make<'_>) -> Result<bool, Difference> {
        let left = [self.consume(self.whole), self.refund(self.less)];
        self.law(make, &left, &[self.consume(self.whole - self.less)], true)
    }

    /// Hold n, capture k = consume k.
    pub fn hold_capture(&self, make: Make<'_>) -> Result<bool, Difference> {
        let left = [
            json!({"op": "hold", "account": self.account, "points": self.whole, "deadline_seconds": 5}),
            json!({"op": "capture", "hold": {"step": LAW}, "points": self.less}),
        ];
        self.law(make, &left, &[self.consume(self.less)], true)
    }

    /// Consume, refund a, refund b = consume, refund a + b; batch by batch
    /// only when no other consume is open.
    pub fn refund_twice(&self, make: Make<'_>, a: i64) -> Result<bool, Difference> {
        let left = [self.consume(self.whole), self.refund(a), self.refund(self.less - a)];
        let right = [self.consume(self.whole), self.refund(self.less)];
        let debt = match self.run(make, &[]) {
            Some(mut before) => before.balance(self.account, None, self.reading)["debt"].clone(),
            None => json!(0),
        };
        self.law(make, &left, &right, debt == 0)
    }
}
