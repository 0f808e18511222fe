//! Single answers for people.

use chrono::{DateTime, Utc};
use counterfoil::answer::{Allocation, BatchInfo, Check, Figures, NewValue, PlanMark, Totals};
use counterfoil::exchange::{DevicePolicy, Right, SyncStatus};
use counterfoil::report::{Info, OperationInfo};
use counterfoil::{Balance, Key, OpKind, Receipt};
use counterfoil_report::causes;
use serde::Serialize;
use serde_json::Value;

use super::amount;
use super::table::{Block, batch, figure, operation as operation_number, time, time_or_never};

/// The word a state is written as.
pub(crate) fn words<T: Serialize>(state: &T) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Batches and how much of each.
pub(crate) fn batch_names(allocations: &[Allocation]) -> String {
    let names: Vec<String> =
        allocations.iter().map(|part| format!("{}: {}", batch(part.batch), figure(part.points))).collect();
    if names.is_empty() { "-".into() } else { names.join(", ") }
}

/// How much of a batch nobody has: expired, revoked, moved away.
pub(super) fn gone(batch: &BatchInfo) -> i64 {
    [batch.expired, batch.revoked, batch.moved].into_iter().fold(0, |sum, part| part.get().saturating_add(sum))
}

/// The five figures on one line.
pub(crate) fn balance_line(figures: &Figures) -> String {
    let Figures { available, held, pending, debt, net, .. } = *figures;
    let [available, held, pending, debt, net] =
        [figure(available), figure(held), figure(pending), figure(debt), figure(net)];
    format!("available {available}, held {held}, pending {pending}, debt {debt}, net {net}")
}

pub(super) const SUSPECT: &str =
    "not believed: ledger time stands still until the clock is set, or confirm-clock says it is right";

fn some_batches(allocations: &[Allocation]) -> Option<String> {
    (!allocations.is_empty()).then(|| batch_names(allocations))
}

pub(super) fn receipt(receipt: &Receipt) -> Block {
    let mut block = Block::default();
    let pointless = matches!(
        receipt.op,
        OpKind::Open
            | OpKind::SetLimit
            | OpKind::Renew
            | OpKind::Freeze
            | OpKind::Unfreeze
            | OpKind::Close
            | OpKind::Configure
            | OpKind::ConfirmClock
            | OpKind::Restore
            | OpKind::Expire
            | OpKind::BecomeHub
            | OpKind::Admit
            | OpKind::Expel
            | OpKind::Enrol
            | OpKind::RenewEpoch
            | OpKind::Import
            | OpKind::Approve
            | OpKind::Dismiss
            | OpKind::Acknowledge
    );
    if pointless || (receipt.op == OpKind::Stop && receipt.points == 0) {
        block.add(receipt.op.as_str(), "done");
    } else {
        block.add(receipt.op.as_str(), format!("{} points", figure(receipt.points)));
    }
    if receipt.replayed {
        block.add("replayed", "the key was used before: this is the first answer, nothing was booked again");
    }
    if !receipt.operation.is_nil() {
        block.add("operation", format!("{} ({})", operation_number(receipt.operation), receipt.operation));
    }
    block.add_some("account", receipt.account.as_ref().map(ToString::to_string));
    block.add("booked", time(receipt.booked_at));
    block.add_some("occurred", receipt.occurred_at.map(time));
    what(&mut block, receipt);
    effects(&mut block, receipt);
    if receipt.account.is_some() {
        block.add("balance", balance_line(&receipt.balance));
    }
    block.add_some("now", receipt.balance_now.as_ref().map(balance_line));
    if receipt.clock_suspect {
        block.add("clock", SUSPECT);
    }
    block.add_some("clock", behind(receipt.clock_behind));
    block.add("key", receipt.key.as_str());
    block
}

fn what(block: &mut Block, receipt: &Receipt) {
    block.add_some(
        "service",
        receipt.service.as_ref().map(|service| match (&receipt.quantity, &receipt.unit) {
            (Some(quantity), unit) => format!("{service}, {}", amount(quantity, unit.as_deref())),
            _ => service.clone(),
        }),
    );
    for made in receipt.batch.iter().chain(&receipt.batches) {
        let ends = if made.expires_at.is_some() { "expires " } else { "expires: " };
        let label = if receipt.op == "transfer" { "new batch" } else { "batch" };
        let number = if made.batch.is_nil() { "new".into() } else { batch(made.batch) };
        block.add(label, format!("{number}, {ends}{}", time_or_never(made.expires_at)));
    }
    block.add_some(
        "hold",
        receipt.hold.as_ref().map(|hold| {
            let number = if hold.id.is_nil() { "new".into() } else { hold.id.sequence().to_string() };
            format!("{number}, {}, deadline {}", words(&hold.state), time(hold.deadline))
        }),
    );
    block.add_some("hold now", receipt.state_now.as_ref().map(words));
    block.add_some("plan", receipt.plan.as_ref().map(plan));
    if let Some(changed) = &receipt.changed {
        let (label, how) = self::changed(changed, &time);
        block.add(label, how);
    }
    let label = if receipt.op == "hold" { "set aside" } else { "paid by" };
    block.add_some(label, some_batches(&receipt.allocations));
}

/// What an operation set, in words.
pub(super) fn changed(changed: &NewValue, when: &dyn Fn(DateTime<Utc>) -> String) -> (&'static str, String) {
    let (label, seconds) = match changed.what.as_str() {
        "credit_limit" => ("credit limit", false),
        "expires_at" => ("expires", false),
        "deadline" => ("deadline", false),
        "accounts" => ("accounts", false),
        "global_keys" => ("global keys", false),
        "role" => ("role", false),
        "device" => ("state", false),
        "late_window" => ("late window", true),
        "max_hold" => ("max hold", true),
        "max_clock_jump" => ("max clock jump", true),
        _ => ("clock patience", true),
    };
    let show = |value: &Value| match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).map_or_else(|_| text.clone(), |at| when(at.to_utc())),
        other if seconds => super::explained::counted(other.as_i64().unwrap_or(0), "second"),
        other => other.as_i64().map_or_else(|| other.to_string(), figure),
    };
    let (before, after) = (show(&changed.before), show(&changed.after));
    // A new account's limit was none before.
    let how = match before == after {
        true if after == "0" => after,
        true => format!("{after}, as before"),
        false => format!("{after}, was {before}"),
    };
    (label, how)
}

fn plan(plan: &PlanMark) -> String {
    let next = plan.next_at.map_or_else(|| "none to come".into(), |at| format!("next {}", time(at)));
    format!("{}, {next}", plan.id.sequence())
}

fn effects(block: &mut Block, receipt: &Receipt) {
    block.add_points("new debt", receipt.open);
    block.add_points("restored", receipt.restored);
    if receipt.lapsed != 0 {
        block.add("lapsed", format!("{} (their batch has expired)", figure(receipt.lapsed)));
    }
    block.add_points("reinstated", receipt.reinstated);
    if receipt.short != 0 {
        block.add("short", format!("{} were asked for and not covered", figure(receipt.short)));
    }
    if receipt.over_limit {
        block.add("over limit", "strict would have refused this");
    }
    if receipt.owed != 0 {
        block.add("owed", format!("{} were spent, held or moved already", figure(receipt.owed)));
    }
    block.add_points("uncollected", receipt.uncollected);
}

pub(super) fn balance(balance: &Balance) -> Block {
    let mut block = Block::default();
    let state = match (balance.exists, balance.state) {
        (_, Some(state)) => format!("{} ({state})", balance.account),
        (true, None) => balance.account.to_string(),
        (false, None) => format!("{} (not opened)", balance.account),
    };
    block.add("account", state);
    block.add("as of", time(balance.as_of));
    let figures = &balance.figures;
    block.add_figures(&[
        ("available", figures.available.get()),
        ("held", figures.held.get()),
        ("pending", figures.pending.get()),
        ("debt", figures.debt.get()),
        ("net", figures.net),
    ]);
    block.add_some("allotted", balance.allotted.map(figure));
    if let Some(limit) = balance.credit_limit.filter(|limit| *limit != 0) {
        block.add("credit limit", figure(limit));
    }
    block.add_some(
        "next expiry",
        balance.next_expiry.map(|next| format!("{}: {} points", time(next.at), figure(next.points))),
    );
    // An expiry said above is no news.
    let expiry = balance.next_expiry.map(|next| next.at);
    block.add_some("next change", balance.next_change_at.filter(|at| Some(*at) != expiry).map(time));
    if let Some(totals) = &balance.totals {
        let said = said_totals(totals);
        if !said.is_empty() {
            block.add("so far", said);
        }
    }
    block.add_some("hub's word", balance.base_at.map(|at| format!("as of {}", time(at))));
    block.add_some("since then", balance.pending_operations.filter(|n| *n > 0).map(|n| format!("{} here", figure(n))));
    if balance.clock_suspect {
        block.add("clock", SUSPECT);
    }
    block.add_some("clock", behind(balance.clock_behind));
    block
}

/// What is said of a slow clock.
pub(super) fn behind(seconds: i64) -> Option<String> {
    (seconds > 0).then(|| format!("{seconds} s behind the newest time in the ledger"))
}

pub(super) fn check(check: &Check) -> Block {
    let mut block = Block::default();
    block.add("allowed", check.reason.as_ref().map_or_else(|| "yes".into(), |reason| format!("no: {reason}")));
    let figures = [("required", check.required), ("available", check.available), ("debt", check.debt)];
    block.add_figures(&figures.map(|(label, points)| (label, points.get())));
    if check.clock_suspect {
        block.add("clock", SUSPECT);
    }
    block.add_some("clock", behind(check.clock_behind));
    block
}

pub(super) fn info(info: &Info) -> Block {
    let mut block = Block::default();
    block.add("ledger", info.ledger.to_string());
    block.add("device", info.device.to_string());
    block.add("epoch", info.epoch.to_string());
    block.add("created", time(info.created_at));
    block.add("operations", figure(info.operations));
    block.add("head", info.head.to_string());
    block.add("newest clock", time(info.accepted_at));
    if info.clock_suspect {
        block.add("clock", SUSPECT);
    }
    block.add_some("clock", behind(info.clock_behind));
    block.add("accounts", info.settings.accounts.as_str());
    block.add("late window", format!("{} s", info.settings.late_window));
    block.add("max hold", format!("{} s", info.settings.max_hold));
    block.add("max clock jump", format!("{} s", info.settings.max_clock_jump));
    block.add("clock patience", format!("{} s", info.settings.clock_patience));
    let keys: Vec<&str> = info.settings.global_keys.iter().map(Key::as_str).collect();
    block.add_some("global keys", Some(keys.join(", ")).filter(|keys| !keys.is_empty()));
    block.add("role", info.role.as_str());
    block.add_some("name", info.name.clone());
    block.add_some("public key", info.public_key.map(|key| key.to_string()));
    block.add_some("hub", info.hub.as_ref().map(|hub| hub.ledger.to_string()));
    block.add_some("hub's key", info.hub.as_ref().map(|hub| hub.public_key.to_string()));
    block.add_some("may", info.policy.as_ref().map(may));
    block.add("price book", info.price_book.map_or_else(|| "-".into(), |hash| hash.to_string()));
    block.add("schema", info.schema_version.to_string());
    block
}

pub(super) fn sync_status(status: &SyncStatus) -> Block {
    let mut block = Block::default();
    block.add("role", status.role.as_str());
    block.add("operations", figure(status.operations));
    if let Some(hub) = &status.hub {
        block.add("hub", hub.ledger.to_string());
        block.add("the hub has", format!("up to {}", figure(hub.acked)));
        block.add("not there yet", figure(hub.unacked));
        block.add("heard of it", hub.heard_at.map_or_else(|| "never".into(), |at| format!("as of {}", time(at))));
        if hub.heard_at.is_some() && !hub.whole {
            block.add("its answer", "parts of it are missing");
        }
        if hub.expelled {
            block.add("expelled", "the hub books nothing of this device any more");
        }
    }
    if let Some(devices) = &status.devices {
        block.add("devices", figure(devices.admitted));
        block.add("expelled", figure(devices.expelled));
        block.add("set aside", figure(devices.staged));
        block.add("flags", figure(devices.flags));
        block.add_some(
            "longest silent",
            devices.silent.as_ref().map(|device| match device.log.last_at {
                Some(at) => format!("{}, since {}", device.name, time(at)),
                None => format!("{}, nothing of it has come", device.name),
            }),
        );
    }
    block
}

/// What a device may do, in words.
pub(super) fn may(policy: &DevicePolicy) -> String {
    let mut words = vec!["charge".to_string()];
    for right in &policy.rights {
        let bounds = [(policy.max_recharge, "at once"), (policy.max_recharge_per_day, "a day")];
        let bounds = bounds.into_iter().filter(|_| *right == Right::Recharge);
        let bounds: Vec<String> =
            bounds.filter_map(|(most, how)| most.map(|most| format!("{} {how}", figure(most)))).collect();
        words.push(if bounds.is_empty() { right.to_string() } else { format!("{right} ({})", bounds.join(", ")) });
    }
    words.join(", ")
}

/// Of what was asked, what the receipt does not say.
const FACTS: [&str; 24] = [
    "to",
    "reference",
    "description",
    "reason",
    "actor",
    "policy",
    "shortfall",
    "source",
    "setting",
    "value",
    "device",
    "name",
    "public_key",
    "hub",
    "hub_key",
    "rights",
    "max_recharge",
    "max_recharge_per_day",
    "scope",
    "offline",
    "max_offline",
    "when_expelled",
    "prices",
    "accounts",
];

pub(super) fn operation(info: &OperationInfo, paid_by: &[Allocation]) -> Block {
    let mut block = receipt(&info.receipt);
    for fact in FACTS {
        match info.request.get(fact) {
            None => {}
            Some(Value::String(text)) => block.add(fact, text.as_str()),
            Some(other) => block.add(fact, other.to_string()),
        }
    }
    block.add_some("metadata", info.request.metadata().map(ToString::to_string));
    block.add_some("paid by now", some_batches(paid_by).filter(|_| info.receipt.allocations != paid_by));
    block.add_some("open now", info.open_now.filter(|open| *open != 0).map(figure));
    block.add_some("refundable", info.refundable.map(figure));
    block.add("recorded", time(info.receipt.recorded_at));
    block.add_some("price book", info.receipt.price_book.map(|hash| hash.to_string()));
    block.add("rules version", info.rules_version.to_string());
    block.add("hash", info.hash.to_string());
    block
}

/// The totals that are something, each by its name.
pub(super) fn said_totals(totals: &Totals) -> String {
    let said = causes::totals(totals).into_iter().map(|(name, points)| format!("{name} {}", figure(points)));
    said.collect::<Vec<_>>().join(", ")
}
