//! What each kind of item shows: as columns of a table, and as columns of CSV.

use counterfoil::answer::{AccountState, BatchInfo, BatchState, Check, Fault, HoldInfo, PlanInfo};
use counterfoil::exchange::{AllotmentInfo, DeviceInfo, FlagInfo, StagedInfo, SyncStatus};
use counterfoil::pricing::ServiceRule;
use counterfoil::report::{Found, Info, PaidOperation};
use counterfoil::{Balance, Receipt};
use serde::Serialize;
use serde_json::Value;

use super::blocks::{self, words};
use super::table::{Block, Column, batch, figure, number, operation as operation_number, text, time, time_or_never};

/// An item of a list.
pub(crate) trait Listed: Serialize + Sized + 'static {
    /// The columns people see.
    const COLUMNS: &'static [Column<Self>];
    /// The paths of the CSV columns in the item's row.
    const CSV: &'static [&'static str];
    /// Whether a table of them is as wide as the terminal at most, or 80 columns: what does not fit stands below each row.
    const FITS: bool = false;

    /// The row: the item's JSON, and what a sheet should have besides.
    fn row(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

/// A single answer.
pub(crate) trait Shown: Serialize {
    /// The paths of the CSV columns in the answer's JSON.
    const CSV: &'static [&'static str];
    /// What people see.
    fn block(&self) -> Block;

    /// The row: the answer's JSON, and what a sheet should have besides.
    fn row(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

impl Listed for BatchInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("batch", |b| batch(b.batch)),
        text("source", |b| b.source.clone()),
        text("kind", |b| if b.promo { "promo".into() } else { "paid".into() }),
        text("state", state),
        number("remaining", |b| b.remaining.to_string()),
        number("held", |b| b.held.to_string()),
        number("used", |b| b.used.to_string()),
        number("gone", |b| blocks::gone(b).to_string()),
        number("of", |b| b.amount.to_string()),
        number("owed", |b| b.owed.to_string()),
        number("priority", |b| b.priority.to_string()),
        text("expires", |b| time_or_never(b.expires_at)),
    ];
    const CSV: &'static [&'static str] = &[
        "batch_number",
        "batch",
        "account",
        "source",
        "promo",
        "priority",
        "amount",
        "remaining",
        "held",
        "used",
        "expired",
        "revoked",
        "moved",
        "owed",
        "effective_at",
        "expires_at",
        "state",
        "sequence",
        "operation",
        "from_batch",
        "period",
        "would_roll",
    ];
}

pub(super) fn state(batch: &BatchInfo) -> String {
    match batch.state {
        BatchState::Pending => format!("pending until {}", time(batch.effective_at)),
        _ if batch.would_roll > 0 => format!("{}, {} roll over", words(&batch.state), batch.would_roll),
        _ => words(&batch.state),
    }
}

/// A batch in the list of what expires soon, of which the account matters more.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Expiring(pub(crate) BatchInfo);

impl Listed for Expiring {
    const COLUMNS: &'static [Column<Self>] = &[
        text("expires", |b| time_or_never(b.0.expires_at)),
        text("account", |b| b.0.account.to_string()),
        number("remaining", |b| b.0.remaining.to_string()),
        text("batch", |b| batch(b.0.batch)),
        text("source", |b| b.0.source.clone()),
        text("kind", |b| if b.0.promo { "promo".into() } else { "paid".into() }),
        text("state", |b| state(&b.0)),
    ];
    const CSV: &'static [&'static str] = <BatchInfo as Listed>::CSV;
}

impl Listed for HoldInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("hold", |h| h.hold.sequence().to_string()),
        text("state", |h| words(&h.state)),
        number("points", |h| h.points.to_string()),
        text("deadline", |h| time(h.deadline)),
        text("service", |h| h.service.clone().unwrap_or_else(|| "-".into())),
        text("reference", |h| h.reference.clone().unwrap_or_else(|| "-".into())),
        text("key", |h| h.key.to_string()),
    ];
    const CSV: &'static [&'static str] = &[
        "sequence",
        "hold",
        "account",
        "points",
        "unbacked",
        "booked_at",
        "deadline",
        "state",
        "service",
        "operation",
        "key",
        "reference",
    ];
}

impl Listed for Found {
    const COLUMNS: &'static [Column<Self>] = &[
        number("operation", |f| f.change.sequence.to_string()),
        text("booked", |f| time(f.change.booked_at)),
        text("account", |f| f.change.account.as_ref().map_or_else(|| "-".into(), ToString::to_string)),
        text("kind", |f| f.change.op.to_string()),
        number("points", |f| f.change.points.to_string()),
        text("key", |f| f.key.to_string()),
        text("reference", |f| f.reference.clone().unwrap_or_else(|| "-".into())),
    ];
    const CSV: &'static [&'static str] =
        &["sequence", "operation", "op", "account", "to", "points", "booked_at", "key", "reference"];
}

impl Listed for PlanInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("plan", |p| p.plan.sequence().to_string()),
        text("state", |p| words(&p.state)),
        number("points", |p| p.points.to_string()),
        text("source", |p| p.source.clone()),
        text("every", every),
        text("expires", expires),
        text("period", |p| match (p.next_period, p.count) {
            (Some(period), Some(count)) => format!("{period} of {count}"),
            (Some(period), None) => period.to_string(),
            (None, _) => "-".into(),
        }),
        text("next", |p| p.next_at.map_or_else(|| "-".into(), time)),
    ];
    const CSV: &'static [&'static str] = &[
        "sequence",
        "plan",
        "account",
        "points",
        "source",
        "promo",
        "priority",
        "every_days",
        "every_weeks",
        "every_months",
        "anchor",
        "offset",
        "count",
        "expires_at",
        "expires_in_hours",
        "expires_in_days",
        "expires_in_months",
        "end_of_day",
        "state",
        "next_period",
        "next_at",
    ];
}

impl Listed for DeviceInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("device", |d| d.device.to_string()),
        text("name", |d| d.name.clone()),
        text("state", |d| words(&d.state)),
        text("may", |d| blocks::may(&d.policy)),
        text("scope", |d| words(&d.policy.scope)),
        text("offline", |d| words(&d.policy.offline)),
        number("operations", |d| d.log.operations.to_string()),
        text("last", |d| d.log.last_at.map(time).unwrap_or_default()),
        number("waiting", |d| d.log.waiting.to_string()),
    ];
    const CSV: &'static [&'static str] = &[
        "device",
        "name",
        "state",
        "public_key",
        "max_recharge",
        "max_recharge_per_day",
        "scope",
        "offline",
        "max_offline",
        "when_expelled",
        "prices",
        "epoch",
        "operations",
        "last_at",
        "waiting",
    ];
}

impl Listed for StagedInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("link", |s| operation_number(s.link)),
        text("device", |s| s.device_name.clone()),
        text("account", |s| s.account.as_ref().map(ToString::to_string).unwrap_or_default()),
        text("op", |s| s.op.clone()),
        text("key", |s| s.key.to_string()),
        number("points", |s| s.points.to_string()),
        text("reason", |s| words(&s.reason)),
        text("beside", |s| s.other.map(operation_number).unwrap_or_default()),
        text("state", |s| words(&s.state)),
        text("occurred", |s| time(s.occurred_at)),
    ];
    const CSV: &'static [&'static str] = &[
        "link",
        "device",
        "device_name",
        "device_seq",
        "account",
        "op",
        "key",
        "points",
        "reason",
        "other",
        "state",
        "occurred_at",
        "staged_at",
    ];
}

impl Listed for FlagInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("operation", |f| operation_number(f.flagged)),
        text("flag", |f| words(&f.flag)),
        number("points", |f| if f.points == 0 { String::new() } else { f.points.to_string() }),
        text("account", |f| f.account.as_ref().map(ToString::to_string).unwrap_or_default()),
        text("device", |f| f.device_name.clone()),
        text("booked", |f| time(f.booked_at)),
        text("acknowledged", |f| f.acknowledged_by.map(operation_number).unwrap_or_default()),
    ];
    const CSV: &'static [&'static str] =
        &["flagged", "flag", "points", "account", "device", "device_name", "booked_at", "acknowledged_by"];
}

impl Listed for AllotmentInfo {
    const COLUMNS: &'static [Column<Self>] = &[
        text("allotment", |a| a.allotment.to_string()),
        text("account", |a| a.account.to_string()),
        text("device", |a| a.device_name.clone()),
        number("points", |a| a.points.to_string()),
        number("remaining", |a| a.remaining.to_string()),
        text("spend until", |a| time(a.spend_until)),
        text("state", |a| words(&a.state)),
    ];
    const CSV: &'static [&'static str] = &[
        "allotment",
        "account",
        "device",
        "device_name",
        "epoch",
        "points",
        "remaining",
        "spend_until",
        "state",
        "usable",
    ];
}

fn many(number: i64, what: &str) -> String {
    if number == 1 { what.into() } else { format!("{number} {what}s") }
}

fn every(plan: &PlanInfo) -> String {
    let lengths = [(plan.every_days, "day"), (plan.every_weeks, "week"), (plan.every_months, "month")];
    lengths.into_iter().find_map(|(number, what)| number.map(|number| many(number, what))).unwrap_or_default()
}

fn expires(plan: &PlanInfo) -> String {
    let after = |(number, what): (Option<i64>, &str)| number.map(|number| format!("after {}", many(number, what)));
    let lengths = [(plan.expires_in_hours, "hour"), (plan.expires_in_days, "day"), (plan.expires_in_months, "month")];
    let lasting = lengths.into_iter().find_map(after);
    let at = plan.expires_at.as_deref().map(|at| at.replace('_', " "));
    let mut expires = lasting.or(at).unwrap_or_default();
    if let Some(rollover) = &plan.rollover {
        let comma = if expires.is_empty() { "" } else { ", " };
        expires.push_str(&format!("{comma}at most {} roll over", rollover.cap));
    }
    expires
}

impl Listed for Balance {
    const COLUMNS: &'static [Column<Self>] = &[
        text("account", |b| b.account.to_string()),
        text("state", |b| b.state.map_or("-", AccountState::as_str).into()),
        number("available", |b| b.figures.available.to_string()),
        number("held", |b| b.figures.held.to_string()),
        number("pending", |b| b.figures.pending.to_string()),
        number("debt", |b| b.figures.debt.to_string()),
        number("net", |b| b.figures.net.to_string()),
        number("limit", |b| b.credit_limit.map_or_else(|| "-".into(), |limit| limit.to_string())),
        text("next expiry", |b| b.next_expiry.map_or_else(|| "-".into(), |next| time(next.at))),
        number("points", |b| b.next_expiry.map_or_else(|| "-".into(), |next| next.points.to_string())),
    ];
    const CSV: &'static [&'static str] = BALANCE;
}

const BALANCE: &[&str] = &[
    "account",
    "exists",
    "state",
    "as_of",
    "available",
    "held",
    "pending",
    "debt",
    "net",
    "credit_limit",
    "totals.recharged",
    "totals.consumed",
    "totals.refunded",
    "totals.expired",
    "totals.reinstated",
    "totals.revoked",
    "totals.clawed_back",
    "totals.written_off",
    "totals.moved_in",
    "totals.moved_out",
    "totals.rolled",
    "next_change_at",
    "next_expiry.at",
    "next_expiry.points",
    "clock_suspect",
    "clock_behind",
];

impl Listed for ServiceRule {
    const COLUMNS: &'static [Column<Self>] = &[
        text("service", |s| s.service.clone()),
        text("kind", |s| s.kind.as_str().into()),
        text("points", |s| s.rule.clone()),
        text("estimated from", |s| s.estimation.clone().unwrap_or_else(|| "-".into())),
    ];
    const CSV: &'static [&'static str] = &["service", "kind", "rule", "estimation"];
}

impl Listed for Fault {
    const COLUMNS: &'static [Column<Self>] = &[
        text("fault", |f| f.code.to_string()),
        text("where", |f| f.place.clone()),
        text("expected", |f| f.expected.clone()),
        text("found", |f| f.found.clone()),
    ];
    const CSV: &'static [&'static str] = &["code", "where", "expected", "found"];
}

/// A fault of a price book.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct PriceFault(pub(crate) counterfoil::pricing::PricingFault);

impl Listed for PriceFault {
    const COLUMNS: &'static [Column<Self>] = &[
        number("line", |f| f.0.line.to_string()),
        number("column", |f| f.0.column.to_string()),
        text("fault", |f| f.0.message.clone()),
    ];
    const CSV: &'static [&'static str] = &["line", "column", "message", "help"];
}

const RECEIPT: &[&str] = &[
    "op",
    "sequence",
    "operation",
    "account",
    "key",
    "replayed",
    "dry_run",
    "points",
    "booked_at",
    "recorded_at",
    "occurred_at",
    "occurred_at_given",
    "service",
    "quantity",
    "unit",
    "price_book",
    "batch_number",
    "batch.batch",
    "batch.expires_at",
    "hold.id",
    "hold.state",
    "hold.deadline",
    "plan.id",
    "plan.next_at",
    "changed.what",
    "changed.before",
    "changed.after",
    "open",
    "restored",
    "lapsed",
    "reinstated",
    "short",
    "over_limit",
    "owed",
    "uncollected",
    "clock_suspect",
    "clock_behind",
    "balance.available",
    "balance.held",
    "balance.pending",
    "balance.debt",
    "balance.net",
    "balance_now.available",
    "balance_now.held",
    "balance_now.pending",
    "balance_now.debt",
    "balance_now.net",
    "state_now",
];

/// The row of a receipt, with the numbers in the file that people go by.
fn numbered(answer: &impl Serialize, receipt: &Receipt) -> Result<Value, serde_json::Error> {
    let mut row = serde_json::to_value(answer)?;
    if let (Value::Object(fields), false) = (&mut row, receipt.operation.is_nil()) {
        fields.insert("sequence".into(), receipt.operation.sequence().into());
        if let Some(made) = receipt.batch.as_ref().filter(|made| !made.batch.is_nil()) {
            fields.insert("batch_number".into(), batch(made.batch).into());
        }
    }
    Ok(row)
}

impl Shown for Receipt {
    const CSV: &'static [&'static str] = RECEIPT;

    fn block(&self) -> Block {
        blocks::receipt(self)
    }

    fn row(&self) -> Result<Value, serde_json::Error> {
        numbered(self, self)
    }
}

impl Shown for Balance {
    const CSV: &'static [&'static str] = BALANCE;

    fn block(&self) -> Block {
        blocks::balance(self)
    }
}

impl Shown for Check {
    const CSV: &'static [&'static str] =
        &["sufficient", "allowed", "available", "debt", "required", "reason", "clock_suspect", "clock_behind"];

    fn block(&self) -> Block {
        blocks::check(self)
    }
}

impl Shown for Info {
    const CSV: &'static [&'static str] = &[
        "ledger",
        "device",
        "epoch",
        "created_at",
        "operations",
        "head",
        "accepted_at",
        "clock_suspect",
        "clock_behind",
        "settings.accounts",
        "settings.late_window",
        "settings.max_hold",
        "settings.max_clock_jump",
        "settings.clock_patience",
        "role",
        "name",
        "public_key",
        "hub.ledger",
        "hub.public_key",
        "price_book",
        "schema_version",
    ];

    fn block(&self) -> Block {
        blocks::info(self)
    }
}

impl Shown for SyncStatus {
    const CSV: &'static [&'static str] = &[
        "role",
        "operations",
        "hub.ledger",
        "hub.acked",
        "hub.unacked",
        "hub.heard_at",
        "hub.whole",
        "hub.expelled",
        "devices.admitted",
        "devices.expelled",
        "devices.staged",
        "devices.flags",
        "devices.silent.name",
        "devices.silent.last_at",
    ];

    fn block(&self) -> Block {
        blocks::sync_status(self)
    }
}

impl Shown for PaidOperation {
    const CSV: &'static [&'static str] = RECEIPT;

    fn block(&self) -> Block {
        blocks::operation(&self.info, &self.paid_by)
    }

    fn row(&self) -> Result<Value, serde_json::Error> {
        numbered(self, &self.info.receipt)
    }
}

/// What an expiry sweep did, or would do.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Sweep {
    pub(crate) points: i64,
    pub(crate) accounts: u64,
    pub(crate) entries: u64,
    pub(crate) more: bool,
}

impl Shown for Sweep {
    const CSV: &'static [&'static str] = &["points", "accounts", "entries", "more"];

    fn block(&self) -> Block {
        let mut block = Block::default();
        block.add("expired", format!("{} points", figure(self.points)));
        block.add("accounts", self.accounts.to_string());
        block.add("entries", self.entries.to_string());
        if self.more {
            block.add("left", "more is due: run it again");
        }
        block
    }
}
