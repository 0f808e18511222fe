//! What a schedule asks for, as a request to the library; and the library's words for refusals.

use super::HOUR;
use super::account::{Ms, State};
use super::decide::{Ask, Operation};
use super::facts::{Kind, Policy};
use super::steps::Step;
use crate::support::NOBODY;
use chrono::{DateTime, SecondsFormat};
use counterfoil::answer::AccountState;
use counterfoil::exchange::{AllotmentInfo, AllotmentState};
use counterfoil::{AccountId, Ledger, Query, Receipt};
use serde_json::{Value, json};
use uuid::Uuid;

/// What begins the keys that count over all devices.
pub const GLOBAL: &str = "everywhere:";

/// A key as the library gets it.
fn key_text(key: u32) -> String {
    if key >= super::decide::GLOBAL_KEYS { format!("{GLOBAL}{key}") } else { format!("k{key}") }
}

/// The steps of a schedule that the library can be asked for.
pub fn playable(steps: &[Step]) -> Vec<Step> {
    steps.iter().cloned().filter_map(one_playable).collect()
}

fn one_playable(step: Step) -> Option<Step> {
    match step {
        Step::Upgrade { .. } | Step::Evidence { .. } => None,
        Step::Book { node, operation, .. } => Some(Step::Book { node, operation, broken: false }),
        step => Some(step),
    }
}

/// The library's word for what the model refuses.
pub fn library_word(came: &str) -> &str {
    match came {
        "Approve: invalid" | "Approve: too_new" | "Approve: waits_for" => "Approve: invalid_argument",
        came => came,
    }
}

pub fn account_id(account: u8) -> AccountId {
    AccountId::new(format!("card-{account}")).unwrap()
}

pub fn state(state: AccountState) -> State {
    match state {
        AccountState::Active => State::Active,
        AccountState::Frozen => State::Frozen,
        AccountState::Closed => State::Closed,
        other => panic!("{other:?}"),
    }
}

pub fn instant(ms: Ms) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_millis(ms).unwrap()
}

fn rfc(ms: Ms) -> String {
    instant(ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn all(points: i64) -> Value {
    if points == 0 { json!("all") } else { json!(points) }
}

/// What a ledger has booked in this account under this key, first of all.
fn booked(ledger: &Ledger, account: u8, (kind, key): (Kind, u32)) -> Option<Receipt> {
    let op = match kind {
        Kind::Consume => "consume",
        Kind::Capture => "capture",
        Kind::Hold => "hold",
        Kind::Refund => "refund",
        Kind::Recharge => "recharge",
        Kind::Other => return None,
    };
    let history = ledger.history(&account_id(account), &Query::new().limit(100_000)).unwrap().items;
    let of_kind = history.iter().filter(|entry| entry.kind.as_str() == op).filter_map(|entry| entry.operation);
    of_kind.map(|id| ledger.operation(&id).unwrap().receipt).find(|receipt| receipt.key.as_str() == key_text(key))
}

/// The first allotment of this account of which something is left, and that is wanted.
fn allotment(ledger: &Ledger, account: u8, wanted: impl Fn(&AllotmentInfo) -> bool) -> Value {
    let all = ledger.allotments(&Query::new().all(true).limit(100_000)).unwrap().items;
    let own = all.into_iter().filter(|it| it.account == account_id(account) && it.remaining.get() > 0);
    own.filter(wanted).map(|it| json!(it.allotment)).next().unwrap_or(json!(NOBODY))
}

/// The request; none where there is nothing to ask for. Operations that the model tries again as new ones have a key of their own.
/// `devices`: their ids, by their numbers.
pub fn request(ledger: &Ledger, operation: &Operation, own: &str, devices: &[Uuid]) -> Option<Value> {
    let account = operation.account;
    let target = operation.ask.target().map(|target| booked(ledger, account, target));
    let known = target.flatten();
    let hold = || known.as_ref().map_or(json!(NOBODY), |receipt| json!(receipt.hold.as_ref().unwrap().id));
    let mut line = match operation.ask {
        Ask::Open { limit } => json!({"op": "open", "credit_limit": limit}),
        Ask::Consume { points, policy } => {
            let policy = match policy {
                Policy::Postpaid => "postpaid",
                Policy::Strict => "strict",
                Policy::UpTo => "up_to",
            };
            json!({"op": "consume", "points": points, "policy": policy})
        }
        Ask::Hold { points, lasts } => json!({"op": "hold", "points": points, "deadline_seconds": lasts / 1000}),
        Ask::Capture { points: 0, .. } => json!({"op": "capture", "hold": hold()}),
        Ask::Capture { points, .. } => json!({"op": "capture", "hold": hold(), "points": points}),
        Ask::Release { .. } => json!({"op": "release", "hold": hold()}),
        Ask::RenewHold { lasts, .. } => json!({"op": "renew", "hold": hold(), "deadline_seconds": lasts / 1000}),
        Ask::Refund { points, .. } => {
            let of = known.map_or(json!(NOBODY), |receipt| json!(receipt.operation));
            json!({"op": "refund", "operation": of, "points": all(points), "reason": "mistake"})
        }
        Ask::Recharge { points, life, starts, priority, promo } => {
            let mut line =
                json!({"op": "recharge", "points": points, "source": "cash", "priority": priority, "promo": promo});
            match life {
                Some(life) => line["expires_in_hours"] = json!(life / HOUR),
                None => line["expires_at"] = json!("never"),
            }
            if let Some(starts) = starts {
                line["effective_at"] = json!(rfc(starts));
            }
            line
        }
        Ask::Revoke { points, clamp, .. } => {
            let batch = known.map_or(json!(NOBODY), |receipt| json!(receipt.batch.unwrap().batch));
            let shortfall = if clamp { "clamp" } else { "debt" };
            json!({"op": "revoke", "batch": batch, "points": all(points), "shortfall": shortfall, "reason": "mistake"})
        }
        Ask::Transfer { to, points } => json!({"op": "transfer", "to": account_id(to), "points": points}),
        Ask::WriteOff { points } => {
            let debt = ledger.balance(&account_id(account)).unwrap().figures.debt.get();
            json!({"op": "write_off", "points": if points == 0 { debt.max(1) } else { points }, "reason": "kind"})
        }
        Ask::Freeze { frozen: true } => json!({"op": "freeze", "reason": "case"}),
        Ask::Freeze { frozen: false } => json!({"op": "unfreeze", "reason": "case"}),
        Ask::Close => json!({"op": "close", "reason": "asked to"}),
        Ask::SetLimit { limit } => json!({"op": "set_limit", "credit_limit": limit}),
        Ask::ConfirmClock => json!({"op": "confirm_clock"}),
        Ask::Allot { device, points, lasts } => {
            let now = ledger.balance(&account_id(account)).unwrap().as_of.timestamp_millis();
            let device = devices[usize::from(device) - 1].to_string();
            json!({"op": "allot", "device": device, "points": points, "spend_until": rfc(now + lasts)})
        }
        Ask::Recall => {
            json!({"op": "recall", "allotment": allotment(ledger, account, |it| it.state == AllotmentState::Open)})
        }
        Ask::AllotWriteOff => {
            json!({"op": "allot_write_off", "allotment": allotment(ledger, account, |_| true), "reason": "lost"})
        }
        Ask::Return => {
            let epoch = ledger.info().unwrap().epoch;
            json!({"op": "return", "allotment": allotment(ledger, account, |it| it.epoch == epoch)})
        }
        Ask::Expire => return None,
    };
    if !["hold", "batch", "operation", "allotment"].iter().any(|name| line.get(name).is_some())
        && line["op"] != "confirm_clock"
    {
        line["account"] = json!(account_id(account));
    }
    if let (Some(at), Ask::Consume { .. }) = (operation.occurred, &operation.ask) {
        line["occurred_at"] = json!(rfc(at));
    }
    let counted = operation.ask.kind() != Kind::Other;
    line["key"] = json!(if counted { key_text(operation.key) } else { own.to_string() });
    Some(line)
}
