//! The library against the independent model: random histories over every operation, compared after every step, with
//! the laws I6 and I8 and a full verify at the end. A failure prints the seed and the shrunk history.
//!
//! `COUNTERFOIL_HISTORIES=200000` runs longer hunts, `COUNTERFOIL_SEED=17` begins elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use counterfoil::clock::ManualClock;
use counterfoil::pricing::PriceBook;
use counterfoil::{
    AccountId, BatchId, Durability, HoldId, Ledger, OperationId, Options, Period, Points, Query, Request,
};
use serde_json::{Value, json};

use crate::model::books::{Model, Reading};
use crate::model::generate::{Generator, Random, START, Style, history};
use crate::model::laws::{Difference, Trial, compare_every, extra_sweeps, same_books};
use crate::model::prices::{Prices, SAMPLE_BOOK, SAMPLE_TOML};
use crate::model::shrink;
use crate::model::steps::{Step, System};

/// The library behind the model's interface: ids become `op:N`, `batch:N.i`, `hold:N`.
pub struct Library {
    pub ledger: Ledger,
    pub clock: ManualClock,
    ids: HashMap<String, String>,
    /// Booked entries read before.
    known: HashMap<String, Vec<Value>>,
    _folder: tempfile::TempDir,
}

/// A folder in memory where the machine has one: these tests are about answers, not about disks.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Library {
    pub fn created_at(start: i64) -> Self {
        let folder = folder();
        let clock = ManualClock::default();
        clock.set(DateTime::from_timestamp_millis(start).unwrap());
        let ledger = Options::default()
            .clock(Arc::new(clock.clone()))
            .durability(Durability::Relaxed)
            .pricing(PriceBook::parse(SAMPLE_TOML, "sample").unwrap())
            .create(folder.path().join("test.ledger"))
            .unwrap();
        Library { ledger, clock, ids: HashMap::new(), known: HashMap::new(), _folder: folder }
    }

    fn set(&self, reading: Reading) {
        self.clock.set(DateTime::from_timestamp_millis(reading.ms).unwrap());
        self.clock.set_trusted(reading.trusted);
    }

    /// The library's ids in the place of the model's; an id nobody made stays unknown.
    fn outwards(&self, line: &Value) -> Value {
        let mut line = line.clone();
        for field in ["hold", "batch", "plan", "operation"] {
            if let Some(id) = line[field].as_str() {
                let nobody = "00000000-0000-8000-8000-0000000f423f".to_string();
                line[field] = json!(self.ids.get(id).unwrap_or(&nobody));
            } else if line[field].is_null() {
                line.as_object_mut().unwrap().remove(field);
            }
        }
        if let Some(book) = line["price_book"].as_str().map(String::from) {
            let hash = PriceBook::parse(SAMPLE_TOML, "sample").unwrap().hash().to_string();
            line["price_book"] = json!(if book == SAMPLE_BOOK { hash } else { "0".repeat(64) });
        }
        line
    }

    /// The model's ids in the place of the library's, everywhere in an answer.
    fn inwards(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.inwards(item)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    let said = value.as_str().and_then(|text| short(name, text));
                    match said {
                        Some(said) => {
                            self.ids.insert(said.clone(), value.as_str().unwrap().to_string());
                            *value = json!(said);
                        }
                        None => self.inwards(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn said(&mut self, answer: &impl serde::Serialize) -> Value {
        let mut value = serde_json::to_value(answer).unwrap();
        self.inwards(&mut value);
        if let Some(fields) = value.as_object_mut() {
            // Grown since the shapes were fixed: why an entry was made, and what else it is about.
            if !fields.contains_key("required") {
                fields.remove("reason");
            }
            fields.retain(|name, _| name != "counterparty" && name != "refers_to");
            if matches!(
                fields.get("kind").and_then(Value::as_str),
                Some("expire" | "activate" | "reinstate" | "rollover")
            ) {
                fields.remove("source");
            }
        }
        value
    }

    fn said_list<T: serde::Serialize>(&mut self, items: &[T]) -> Vec<Value> {
        items.iter().map(|item| self.said(item)).collect()
    }
}

/// An id as the model writes it.
fn short(field: &str, text: &str) -> Option<String> {
    match field {
        "operation" => text.parse::<OperationId>().ok().map(|id| format!("op:{}", id.sequence())),
        "batch" | "from_batch" => {
            text.parse::<BatchId>().ok().map(|id| format!("batch:{}.{}", id.sequence(), id.index()))
        }
        // A plan's id is its operation's.
        "hold" | "id" | "plan" => {
            let id = text.parse::<HoldId>().ok()?;
            Some(format!("{}:{}", if id.index() == 0 { "plan" } else { "hold" }, id.sequence()))
        }
        _ => None,
    }
}

fn all() -> Query {
    Query::new().all(true).limit(1_000_000)
}

impl System for Library {
    fn apply(&mut self, line: &Value, reading: Reading) -> Result<Value, String> {
        self.set(reading);
        // No answer may have told yet of a batch that time made.
        if line["batch"].as_str().is_some_and(|id| !self.ids.contains_key(id)) {
            for account in self.accounts() {
                self.batches(&account, reading);
            }
        }
        let line = self.outwards(line);
        // The model lets every line be historic.
        let request: Request = Request::parse(&line.to_string()).map_err(|error| error.code().to_string())?;
        match self.ledger.batch_run().historic(true).apply(1, &request) {
            Ok(receipt) => Ok(self.said(&receipt)),
            Err(error) => Err(error.code().to_string()),
        }
    }

    fn expire(&mut self, reading: Reading) -> i64 {
        self.set(reading);
        self.ledger.expire(None).unwrap().points
    }

    fn balance(&mut self, account: &str, at: Option<i64>, reading: Reading) -> Value {
        self.set(reading);
        let account = AccountId::new(account).unwrap();
        let balance = match at {
            Some(at) => self.ledger.balance_at(&account, DateTime::from_timestamp_millis(at).unwrap()),
            None => self.ledger.balance(&account),
        };
        match balance {
            Ok(balance) => self.said(&balance),
            Err(error) => json!({"refused": error.code()}),
        }
    }

    fn check(&mut self, account: &str, points: i64, reading: Reading) -> Value {
        self.set(reading);
        let check = self.ledger.check(&AccountId::new(account).unwrap(), Points::new(points).unwrap()).unwrap();
        self.said(&check)
    }

    fn statement(&mut self, account: &str, from: Option<i64>, to: Option<i64>, reading: Reading) -> Value {
        self.set(reading);
        let instant = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
        let period = Period::new(from.map(instant), to.map(instant)).unwrap();
        match self.ledger.statement(&AccountId::new(account).unwrap(), &period) {
            Err(error) => json!({"refused": error.code()}),
            Ok(statement) => {
                let said = serde_json::to_value(&statement).unwrap();
                let lines = said["lines"].as_array().unwrap().iter();
                let lines: Vec<Value> = lines.map(|line| json!([line["n"], line["kind"], line["booked_at"]])).collect();
                json!({"opening": said["opening"], "lines": lines, "closing": said["closing"]})
            }
        }
    }

    fn history(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        self.set(reading);
        // Booked entries never change (a last look at the end makes sure), so only the newer ones are read.
        let mut known = self.known.remove(account).unwrap_or_default();
        let mut query = Query::new().limit(1_000_000);
        if !known.is_empty() {
            query = query.after(known.len().to_string());
        }
        let page = self.ledger.history(&AccountId::new(account).unwrap(), &query).unwrap();
        let mut newer = self.said_list(&page.items);
        newer.iter_mut().for_each(movements_come_to_the_change);
        known.extend(newer.iter().filter(|entry| entry["unbooked"] != true).cloned());
        let unbooked = newer.into_iter().filter(|entry| entry["unbooked"] == true);
        let whole = known.iter().cloned().chain(unbooked).collect();
        self.known.insert(account.into(), known);
        whole
    }

    fn batches(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        self.set(reading);
        let page = self.ledger.batches(&AccountId::new(account).unwrap(), &all()).unwrap();
        self.said_list(&page.items)
    }

    fn holds(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        self.set(reading);
        let page = self.ledger.holds(&AccountId::new(account).unwrap(), &all()).unwrap();
        self.said_list(&page.items)
    }

    fn plans(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        self.set(reading);
        let page = self.ledger.plans(&AccountId::new(account).unwrap(), &all()).unwrap();
        let shown = ["plan", "points", "source", "promo", "anchor", "state", "next_period", "next_at"];
        let mut plans = self.said_list(&page.items);
        for plan in &mut plans {
            plan.as_object_mut().unwrap().retain(|name, _| shown.contains(&name.as_str()));
        }
        plans
    }

    fn accounts(&mut self) -> Vec<String> {
        let page = self.ledger.accounts(&Query::new().limit(1_000_000)).unwrap();
        let mut ids: Vec<String> = page.items.iter().map(|balance| balance.account.to_string()).collect();
        ids.sort();
        ids
    }
}

pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn steps(seed: u64) -> Vec<Step> {
    Generator::new(seed, Style { historic: seed % 10 == 9, ..Style::of(seed) }).run()
}

/// Model and library side by side; the model's own invariants after every step, the library's proof at the end.
fn run(
    start: i64,
    steps: &[Step],
    every: usize,
    sweeps: &std::collections::BTreeMap<usize, Vec<Reading>>,
) -> Result<(), Difference> {
    let (mut model, mut library) = (Model::new(start, Prices::sample()), Library::created_at(start));
    compare_every(&mut model, &mut library, steps, every, sweeps)?;
    if let Some(last) = steps.last() {
        model.check_invariants(last.reading);
        library.known.clear();
        if sweeps.is_empty() {
            same_books(&mut model, &mut library, last.id, last.reading)?;
        }
        let verified = library.ledger.verify().unwrap();
        if !verified.ok {
            let (left, right) = (json!("no faults"), serde_json::to_value(&verified.faults).unwrap());
            return Err(Difference { step: last.id, what: "verify".into(), left, right });
        }
    }
    Ok(())
}

fn hunt(seed: u64, steps: &[Step], check: &mut dyn FnMut(&[Step]) -> Result<(), Difference>) {
    if check(steps).is_ok() {
        return;
    }
    let small = shrink::shrink(steps, &mut |steps| check(steps).is_err());
    let difference = check(&small).unwrap_err();
    panic!("seed {seed}: {difference}\n{}", shrink::print(seed, &small));
}

/// Runs seeds on both cores of a small machine.
pub fn in_parallel(count: u64, work: impl Fn(u64) + Sync) {
    let first = number("COUNTERFOIL_SEED", 0);
    let next = std::sync::atomic::AtomicU64::new(first);
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        if seed >= first + count {
                            return;
                        }
                        work(seed);
                    }
                })
            })
            .collect();
        for hand in hands {
            if let Err(panic) = hand.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn random_histories_agree_with_the_model() {
    in_parallel(number("COUNTERFOIL_HISTORIES", 1_500), |seed| {
        let (start, steps) = (Style::of(seed).start, steps(seed));
        hunt(seed, &steps, &mut |steps| run(start, steps, 8, &std::collections::BTreeMap::new()));
    });
}

#[test]
fn sweeping_at_any_instant_changes_nothing() {
    in_parallel(number("COUNTERFOIL_HISTORIES", 1_500) / 5, |seed| {
        let (start, steps) = (Style::of(seed).start, history(seed));
        hunt(seed, &steps, &mut |steps| run(start, steps, 6, &extra_sweeps(start, &Prices::sample(), steps, seed)));
    });
}

#[test]
fn prefix_laws_hold() {
    let tried = std::sync::Mutex::new([0_usize; 3]);
    // Fewer would leave a law untried.
    let trials = (number("COUNTERFOIL_HISTORIES", 1_500) / 5).max(200);
    in_parallel(trials, |seed| {
        let mut random = Random::new(seed);
        let mut steps = history(seed);
        steps.truncate(random.range(1, 60) as usize);
        let newest = steps.iter().map(|step| step.reading.ms).max().unwrap_or(START);
        let whole = random.range(2, 15);
        let account = if random.percent(50) { "alice" } else { "bob" };
        let reading = Reading { ms: newest, trusted: true };
        let trial = Trial { prefix: &steps, account, reading, whole, less: random.range(2, whole) };
        let mut make = || Box::new(Library::created_at(Style::of(seed).start)) as Box<dyn System>;
        let part = random.range(1, trial.less - 1);
        let outcomes =
            [trial.consume_refund(&mut make), trial.hold_capture(&mut make), trial.refund_twice(&mut make, part)];
        for (law, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(did) => tried.lock().unwrap()[law] += usize::from(did),
                Err(difference) => panic!("law {law}, seed {seed}: {difference}\n{}", shrink::print(seed, &steps)),
            }
        }
    });
    // Each law was really tried, not refused away.
    let tried = *tried.lock().unwrap();
    assert!(tried.iter().all(|times| *times as u64 >= trials / 20), "{tried:?} of {trials}");
}

/// The model keeps no movements: those of an entry must come to its change (I13), and are then left out.
fn movements_come_to_the_change(entry: &mut Value) {
    let movements = entry.as_object_mut().unwrap().remove("movements").unwrap_or_else(|| json!([]));
    let sum = |place: &str| -> i64 {
        let side = |side: &str| -> i64 {
            let those = movements.as_array().unwrap().iter().filter(|movement| movement[side] == place);
            those.map(|movement| movement["points"].as_i64().unwrap()).sum()
        };
        side("to") - side("from")
    };
    let change =
        json!({"available": sum("available"), "held": sum("held"), "pending": sum("pending"), "debt": -sum("debt")});
    assert_eq!((change, sum("expired")), (entry["change"].clone(), entry["expired"].as_i64().unwrap_or(0)), "{entry}");
}
