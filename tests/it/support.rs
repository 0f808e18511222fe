//! What the tables share: a ledger full of situations, named things in it, and "nothing changed".

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::error::ERROR_CODES;
use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol};
use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, Durability, Error, Key, Ledger, Options, Query, Receipt, Request};
use serde_json::{Value, json};

use crate::prices::SAMPLE;

/// When the ledgers of these tests begin.
pub const START: &str = "2027-01-10T12:00:00Z";
/// Ids of the right form that nobody made.
pub const NOBODY: &str = "00000000-0000-8000-8000-0000000f423f";

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A folder in memory where the machine has one: these tests are about answers, not about disks.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn sample() -> PriceBook {
    PriceBook::parse(SAMPLE, "pricing.toml").unwrap()
}

pub fn options(clock: &ManualClock) -> Options {
    Options::default().clock(Arc::new(clock.clone())).durability(Durability::Relaxed)
}

/// The ids an operation made, by the field that names them.
type Made = HashMap<(String, &'static str), String>;

/// A ledger, its clock, and names for what is in it.
pub struct World {
    pub ledger: Ledger,
    pub clock: ManualClock,
    made: Made,
    pub folder: tempfile::TempDir,
}

impl World {
    /// An empty ledger at [`START`] with the sample price book.
    pub fn empty() -> Self {
        let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
        let ledger = options(&clock).pricing(sample()).create(folder.path().join("test.ledger")).unwrap();
        World { ledger, clock, made: Made::new(), folder }
    }

    /// A copy of a ledger that is made once.
    pub fn copy(template: &Template, book: Option<PriceBook>) -> Self {
        let (folder, clock) = (folder(), ManualClock::default());
        clock.set(template.now);
        let path = folder.path().join("test.ledger");
        std::fs::write(&path, &template.bytes).unwrap();
        let options = match book {
            Some(book) => options(&clock).pricing(book),
            None => options(&clock),
        };
        World { ledger: options.open(path).unwrap(), clock, made: template.made.clone(), folder }
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }

    /// The line with ids in the place of `@names`; `@nobody` is an id that nobody made.
    pub fn resolve(&self, line: &Value) -> Value {
        let mut line = line.clone();
        for field in ["hold", "batch", "plan", "operation"] {
            let Some(name) = line[field].as_str().and_then(|text| text.strip_prefix('@')).map(str::to_string) else {
                continue;
            };
            let id = if name == "nobody" { NOBODY } else { &self.made[&(name, field)] };
            line[field] = json!(id);
        }
        line
    }

    /// Books a line as `batch --historic` does.
    pub fn apply(&self, line: &Value) -> Result<Receipt, Error> {
        self.apply_text(&self.resolve(line).to_string())
    }

    pub fn apply_text(&self, line: &str) -> Result<Receipt, Error> {
        self.ledger.batch_run().historic(true).apply(1, &Request::parse(line)?)
    }

    /// Books a line that must be booked, and remembers by name what it made.
    pub fn must(&mut self, name: &str, line: &str) -> Receipt {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let receipt = self.apply(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if !name.is_empty() {
            self.made.insert((name.into(), "operation"), receipt.operation.to_string());
            let batch = receipt.batch.as_ref().map(|made| made.batch.to_string());
            batch.map(|id| self.made.insert((name.into(), "batch"), id));
            let hold = receipt.hold.as_ref().map(|hold| hold.id.to_string());
            hold.map(|id| self.made.insert((name.into(), "hold"), id));
            let plan = receipt.plan.as_ref().map(|plan| plan.id.to_string());
            plan.map(|id| self.made.insert((name.into(), "plan"), id));
        }
        receipt
    }

    /// Everything the ledger shows, for comparison.
    pub fn shown(&self) -> Value {
        let all = Query::new().all(true).limit(10_000);
        let mut shown = vec![json!(self.ledger.info().unwrap())];
        for balance in self.ledger.accounts(&Query::new().limit(10_000)).unwrap().items {
            let id: &AccountId = &balance.account;
            let batches = self.ledger.batches(id, &all).unwrap();
            let holds = self.ledger.holds(id, &all).unwrap();
            let plans = self.ledger.plans(id, &all).unwrap();
            let history = self.ledger.history(id, &Query::new().limit(10_000)).unwrap();
            shown.push(json!([balance, batches, holds, plans, history]));
        }
        json!(shown)
    }
}

/// A ledger as bytes, to begin from again and again.
pub struct Template {
    pub bytes: Vec<u8>,
    made: Made,
    pub now: DateTime<Utc>,
}

impl Template {
    /// Runs the lines (`+60` lets 60 seconds pass) and closes the file.
    pub fn new(lines: &[(&str, &str)]) -> Self {
        let mut world = World::empty();
        for (name, line) in lines {
            match line.strip_prefix('+') {
                Some(seconds) => world.advance(seconds.parse().unwrap()),
                None => drop(world.must(name, line)),
            }
        }
        let now = counterfoil::clock::Clock::now(&world.clock);
        let World { ledger, made, folder, .. } = world;
        ledger.close().unwrap();
        Template { bytes: std::fs::read(folder.path().join("test.ledger")).unwrap(), made, now }
    }
}

/// One ledger with every situation in it. Accounts must be opened; every kind of operation was booked under key `used`
/// on an active account and on `closed`.
pub fn situations() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| Template::new(SITUATIONS))
}

const SITUATIONS: &[(&str, &str)] = &[
    ("", r#"{"op":"configure","key":"used","setting":"accounts","value":"explicit"}"#),
    ("", r#"{"op":"confirm_clock","key":"used"}"#),
    ("", r#"{"op":"open","account":"friend","key":"used"}"#),
    ("", r#"{"op":"open","account":"empty","key":"open"}"#),
    // rich: points, and a hold in every state.
    ("", r#"{"op":"open","account":"rich","key":"used"}"#),
    ("", r#"{"op":"set_limit","account":"rich","key":"used","credit_limit":0}"#),
    ("rich", r#"{"op":"recharge","account":"rich","key":"used","points":200,"source":"wxpay"}"#),
    ("spent", r#"{"op":"consume","account":"rich","key":"used","points":20,"policy":"strict"}"#),
    ("undone", r#"{"op":"consume","account":"rich","key":"undone","points":5}"#),
    ("", r#"{"op":"refund","operation":"@undone","key":"used","points":"all","reason":"failed"}"#),
    ("open", r#"{"op":"hold","account":"rich","key":"used","points":10,"deadline_seconds":21600}"#),
    ("", r#"{"op":"renew","hold":"@open","key":"used","deadline_seconds":21600}"#),
    ("spoken", r#"{"op":"hold","account":"rich","key":"spoken","points":10,"service":"tts","deadline_seconds":21600}"#),
    (
        "captured",
        r#"{"op":"hold","account":"rich","key":"captured","points":5,"service":"tts","deadline_seconds":21600}"#,
    ),
    ("charge", r#"{"op":"capture","hold":"@captured","key":"used","points":5}"#),
    ("released", r#"{"op":"hold","account":"rich","key":"released","points":5,"deadline_seconds":21600}"#),
    ("", r#"{"op":"release","hold":"@released","key":"used"}"#),
    (
        "monthly",
        r#"{"op":"plan","account":"rich","key":"used","points":5,"source":"wxpay","every_months":1,"count":12,"anchor":"2030-01-31T00:00:00Z"}"#,
    ),
    (
        "weekly",
        r#"{"op":"plan","account":"rich","key":"weekly","points":5,"source":"gift","every_weeks":1,"anchor":"2030-01-31T00:00:00Z"}"#,
    ),
    ("", r#"{"op":"stop","plan":"@weekly","key":"used"}"#),
    ("late", r#"{"op":"hold","account":"rich","key":"late","points":5,"deadline_seconds":60}"#),
    ("gone", r#"{"op":"recharge","account":"rich","key":"gone","points":7,"source":"gift"}"#),
    ("", r#"{"op":"revoke","batch":"@gone","key":"used","points":"all","reason":"chargeback"}"#),
    ("", r#"{"op":"set_expiry","batch":"@rich","key":"used","expires_in_days":300,"reason":"goodwill"}"#),
    ("", r#"{"op":"transfer","account":"rich","key":"used","to":"friend","points":3}"#),
    ("", r#"{"op":"freeze","account":"rich","key":"used","reason":"asked"}"#),
    ("", r#"{"op":"unfreeze","account":"rich","key":"used","reason":"asked"}"#),
    // debtor: debt 14.
    ("", r#"{"op":"open","account":"debtor","key":"used"}"#),
    ("owed", r#"{"op":"consume","account":"debtor","key":"used","points":15}"#),
    ("", r#"{"op":"write_off","account":"debtor","key":"used","points":1,"reason":"goodwill"}"#),
    // frozen: 39 points and an open hold.
    ("", r#"{"op":"open","account":"frozen","key":"used"}"#),
    ("frozen", r#"{"op":"recharge","account":"frozen","key":"used","points":50,"source":"wxpay"}"#),
    ("", r#"{"op":"transfer","account":"frozen","key":"used","to":"friend","points":1}"#),
    ("frozen", r#"{"op":"hold","account":"frozen","key":"used","points":10,"deadline_seconds":21600}"#),
    ("", r#"{"op":"freeze","account":"frozen","key":"used","reason":"asked"}"#),
    // closed: everything was done once.
    ("", r#"{"op":"open","account":"closed","key":"used","credit_limit":5}"#),
    ("", r#"{"op":"set_limit","account":"closed","key":"used","credit_limit":5}"#),
    ("closed", r#"{"op":"recharge","account":"closed","key":"used","points":20,"source":"wxpay"}"#),
    ("", r#"{"op":"set_expiry","batch":"@closed","key":"used","expires_in_days":300,"reason":"goodwill"}"#),
    ("closed_spent", r#"{"op":"consume","account":"closed","key":"used","points":10,"policy":"strict"}"#),
    ("", r#"{"op":"refund","operation":"@closed_spent","key":"used","points":2,"reason":"failed"}"#),
    (
        "closed_plan",
        r#"{"op":"plan","account":"closed","key":"used","points":5,"source":"gift","every_days":1,"anchor":"2030-01-31T00:00:00Z"}"#,
    ),
    ("", r#"{"op":"stop","plan":"@closed_plan","key":"used"}"#),
    (
        "closed_captured",
        r#"{"op":"hold","account":"closed","key":"used","points":2,"service":"tts","deadline_seconds":21600}"#,
    ),
    ("", r#"{"op":"renew","hold":"@closed_captured","key":"used","deadline_seconds":21600}"#),
    ("", r#"{"op":"capture","hold":"@closed_captured","key":"used","points":2}"#),
    ("closed_released", r#"{"op":"hold","account":"closed","key":"released","points":2,"deadline_seconds":21600}"#),
    ("", r#"{"op":"release","hold":"@closed_released","key":"used"}"#),
    ("closed_late", r#"{"op":"hold","account":"closed","key":"late","points":2,"deadline_seconds":60}"#),
    ("", r#"{"op":"transfer","account":"closed","key":"used","to":"friend","points":1}"#),
    ("", r#"{"op":"freeze","account":"closed","key":"used","reason":"asked"}"#),
    ("", r#"{"op":"unfreeze","account":"closed","key":"used","reason":"asked"}"#),
    ("", "+61"),
    ("", r#"{"op":"consume","account":"closed","key":"rest","points":10}"#),
    ("", r#"{"op":"write_off","account":"closed","key":"used","points":1,"reason":"goodwill"}"#),
    ("", r#"{"op":"revoke","batch":"@closed","key":"used","points":1,"shortfall":"clamp","reason":"chargeback"}"#),
    ("", r#"{"op":"close","account":"closed","key":"used","reason":"left"}"#),
    ("", "+3539"),
];

/// What every error owes its reader.
pub fn sound(error: &Error) {
    assert!(ERROR_CODES.contains(&error.code()), "{error:?}");
    assert!(!error.to_string().is_empty() && !error.help().is_empty(), "{error:?}");
    let shown = json!(error);
    let names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = ["code", "message", "retryable", "help", "details"];
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected, "{error:?}");
    assert_eq!(shown["code"], error.code());
    assert_eq!(shown["message"], error.to_string());
    assert_eq!(shown["retryable"], error.is_retryable());
    assert_eq!(shown["help"], error.help());
    assert!(shown["details"].is_object(), "{error:?}");
}

/// Runs what must not panic; the code of the refusal, or `ok`.
pub fn code_of<T>(run: impl FnOnce() -> Result<T, Error>) -> &'static str {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(_)) => "ok",
        Ok(Err(error)) => {
            sound(&error);
            error.code()
        }
        Err(_) => "panic",
    }
}

/// Collects what is wrong with a table's rows, to show all of it at once.
#[derive(Default)]
pub struct Wrong(Vec<String>);

impl Wrong {
    pub fn check(&mut self, right: bool, text: impl FnOnce() -> String) {
        if !right {
            self.0.push(text());
        }
    }

    pub fn none(self) {
        assert!(self.0.is_empty(), "{} rows:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Whether syncs can be counted here.
pub fn strace_is_there() -> bool {
    crate::tools::there(&["strace"], "COUNTERFOIL_STRACE")
}

/// Makes one ledger a hub, and the other its device.
pub fn enrol(hub: &Ledger, kiosk: &Ledger, name: &str, policy: &DevicePolicy) {
    let key = |text: &str| Key::new(text).unwrap();
    let (office, own) = (hub.new_signer().unwrap().key().public(), kiosk.new_signer().unwrap().key().public());
    hub.become_hub(&key("hub"), BecomeHub::new(office, "head office")).unwrap();
    let device = kiosk.info().unwrap().device;
    hub.admit(&key("kiosk"), Admit::new(device, own, name, policy)).unwrap();
    kiosk.enrol(&key("enrol"), Enrol::new(&hub.certificate(&device).unwrap())).unwrap();
}
