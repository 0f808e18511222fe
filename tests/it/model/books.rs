//! The books: plain data.

use super::clock::{Clock, Heard};
use super::instant::DAY;
use super::plans::Plan;
use super::prices::Prices;
use super::request::Request;
use super::rollover::Rollover;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const MAX_POINTS: i64 = 9_000_000_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub ms: i64,
    pub trusted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    /// For `key_reused`: the inputs that differ.
    pub fields: Vec<String>,
}

impl Refusal {
    pub fn new(code: &str) -> Refusal {
        Refusal { code: code.into(), fields: Vec::new() }
    }
}

/// available, held, pending, debt.
pub type Figures = [i64; 4];

#[derive(Clone, Debug)]
pub struct Batch {
    pub account: String,
    /// Operation number, and the how-many-th batch it made.
    pub made_by: (i64, i64),
    /// When it was made, among batches and plans.
    pub made: usize,
    /// Of a plan's: which period's.
    pub period: Option<i64>,
    pub source: String,
    pub promo: bool,
    pub priority: i64,
    pub amount: i64,
    pub remaining: i64,
    pub held: i64,
    pub used: i64,
    pub expired: i64,
    pub revoked: i64,
    pub moved: i64,
    pub owed: i64,
    /// Of `moved`: what went back to the batch this rolled out of.
    pub returned: i64,
    pub effective_at: i64,
    /// Whether somebody asked for that instant, or it is a period's; else it was effective at once.
    pub asked: bool,
    /// None: never.
    pub expires_at: Option<i64>,
    /// False: what remains counts as pending.
    pub active: bool,
    pub from_batch: Option<usize>,
    pub rollover: Option<Rollover>,
    /// Whether it has rolled, and that was not undone.
    pub rolled: bool,
    pub rolled_from: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub batch: usize,
    pub points: i64,
}

#[derive(Clone, Debug)]
pub struct Consume {
    pub operation: i64,
    pub account: String,
    pub points: i64,
    pub refunded: i64,
    pub written_off: i64,
    pub open: i64,
    pub parts: Vec<Part>,
    /// It cost nothing, and that was refunded.
    pub traced: bool,
    /// A clawback: made by a revoke of this batch.
    pub clawback_of: Option<usize>,
}

impl Consume {
    pub fn refundable(&self) -> i64 {
        self.points - self.refunded - self.written_off
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    Open,
    Captured,
    Released,
    Expired,
}

#[derive(Clone, Debug)]
pub struct Hold {
    pub operation: i64,
    pub account: String,
    pub points: i64,
    pub unbacked: i64,
    pub deadline: i64,
    pub state: HoldState,
    pub service: Option<String>,
    pub slices: Vec<Part>,
    /// Per slice: what its release gave back or let lapse.
    pub given: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Frozen,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub kind: &'static str,
    pub operation: Option<i64>,
    pub booked_at: i64,
    pub points: i64,
    /// How often accepted time had stepped back when this was booked.
    pub steps_back: usize,
    pub change: Figures,
    pub after: Figures,
    pub batch: Option<usize>,
    /// Points that expired or lapsed, less those that came back.
    pub expired: i64,
    /// occurred_at, service, quantity, unit, source and the free facts.
    pub labels: Map<String, Value>,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub state: State,
    pub credit_limit: i64,
    pub totals: BTreeMap<&'static str, i64>,
    /// Shared, as copies of the books are made all the time.
    pub entries: Vec<Arc<Entry>>,
}

pub const TOTALS: [&str; 11] = [
    "recharged",
    "consumed",
    "refunded",
    "expired",
    "reinstated",
    "revoked",
    "clawed_back",
    "written_off",
    "moved_in",
    "moved_out",
    "rolled",
];

/// One booked operation. Its number is its place in the log, from 1.
#[derive(Clone, Debug)]
pub struct Booked {
    pub scope: Option<String>,
    pub request: Request,
    pub receipt: Value,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub explicit: bool,
    pub late_window: i64,
    pub max_hold: i64,
    pub max_clock_jump: i64,
    pub clock_patience: i64,
}

/// Mistakes to plant, so that the tests can show they would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    LiveAtExpiry,
    NoSettleAfterRefund,
    PaidBeforePromo,
    OwedForgotten,
    UnbackedForgotten,
    LapsedComesBack,
    ReplayWithoutReceipt,
    NeverPatient,
    NothingComesBack,
    PurchaseVanishes,
    HoldStaysLong,
    RollsAgain,
    RollStays,
    RevokeStopsAtRoll,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub prices: Arc<Prices>,
    pub clock: Clock,
    pub settings: Settings,
    pub accounts: BTreeMap<String, Account>,
    /// In order of creation, as are consumes and holds.
    pub batches: Vec<Batch>,
    pub consumes: Vec<Consume>,
    pub holds: Vec<Hold>,
    pub plans: Vec<Plan>,
    /// How many batches and plans there are.
    pub made: usize,
    pub log: Vec<Arc<Booked>>,
    pub planted: Option<Bug>,
    /// Draws that broke I7, noted when they were made.
    pub misdrawn: Vec<String>,
}

/// What one operation knows about itself.
pub struct Context {
    pub number: i64,
    pub now: i64,
    pub heard: Heard,
    /// Relative expiries count from here.
    pub base: i64,
    /// The account whose key this is; empty for the file's own.
    pub account: String,
}

/// Receipt in the making. Zero, false, null and empty never get in.
#[derive(Default)]
pub struct Draft {
    pub points: i64,
    pub restored: i64,
    pub lapsed: i64,
    pub reinstated: i64,
    pub body: Map<String, Value>,
}

impl Draft {
    pub fn changed(what: &str, before: Value, after: Value) -> Draft {
        let mut draft = Draft::default();
        draft.put("changed", json!({"what": what, "before": before, "after": after}));
        draft
    }

    pub fn put(&mut self, name: &str, value: Value) {
        let nothing = value.is_null() || value == 0 || value == false || value == json!([]);
        if !nothing {
            self.body.insert(name.into(), value);
        }
    }
}

pub type Outcome = Result<Draft, Refusal>;

pub fn refuse<T>(code: &str) -> Result<T, Refusal> {
    Err(Refusal::new(code))
}

impl Model {
    pub fn new(created_at: i64, prices: Prices) -> Model {
        Model {
            prices: Arc::new(prices),
            clock: Clock::new(created_at),
            settings: Settings {
                explicit: false,
                late_window: 0,
                max_hold: DAY,
                max_clock_jump: 90 * DAY,
                clock_patience: DAY,
            },
            accounts: BTreeMap::new(),
            batches: Vec::new(),
            consumes: Vec::new(),
            holds: Vec::new(),
            plans: Vec::new(),
            made: 0,
            log: Vec::new(),
            planted: None,
            misdrawn: Vec::new(),
        }
    }

    pub fn bug(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }
}

pub fn four([available, held, pending, debt]: Figures) -> Value {
    json!({"available": available, "held": held, "pending": pending, "debt": debt})
}

pub fn five(figures: Figures) -> Value {
    let mut value = four(figures);
    value["net"] = json!(figures[0] - figures[3]);
    value
}
