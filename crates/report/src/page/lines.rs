//! The lines of the statement.

use chrono::{DateTime, Utc};
use counterfoil::{Entry, EntryKind, OperationId};

use super::words::{Stamp, amount, free, points, signed, strict};
use crate::causes::{aside, causes};

/// One line of the books.
pub(super) struct Line {
    pub(super) at: Stamp,
    pub(super) title: String,
    /// Service, source, quantity: what the line is about.
    pub(super) about: Vec<String>,
    pub(super) description: Option<String>,
    /// What the columns do not say: reason, reference, other figures that changed.
    pub(super) notes: Vec<String>,
    /// The change of net by cause: first what the line is about, then what came of it, each with its name.
    pub(super) change: String,
    pub(super) further: Vec<(String, &'static str)>,
    /// `plus`, `minus` or nothing.
    pub(super) sign: &'static str,
    pub(super) after: String,
    pub(super) negative: bool,
    pub(super) number: Option<i64>,
    pub(super) due: bool,
}

impl Line {
    /// `over`: the period is, and who booked what time did is of no interest any more.
    pub(super) fn new(entry: &Entry, stamp: impl Fn(DateTime<Utc>) -> Stamp, over: bool) -> Self {
        let after = entry.after.net();
        let mut parts = parts(entry).into_iter();
        let (name, change) = parts.next().unwrap_or(("", entry.change.net()));
        let quantity = entry.quantity.as_deref().map(|quantity| amount(quantity, entry.unit.as_deref()));
        Line {
            at: stamp(entry.booked_at),
            title: title(entry),
            about: [entry.service.as_deref().map(free), quantity, entry.source.as_deref().map(free)]
                .into_iter()
                .flatten()
                .collect(),
            description: entry.description.as_deref().map(free),
            notes: notes(entry, change, stamp),
            change: signed(change),
            further: parts.map(|(name, points)| (signed(points), name)).collect(),
            // What was set aside and is free again is no gain.
            sign: match change.signum() {
                1 if name != aside(entry.change.held).0 => "plus",
                -1 => "minus",
                _ => "",
            },
            after: points(after),
            negative: after < 0,
            number: entry.operation.map(OperationId::sequence),
            due: entry.unbooked && !over,
        }
    }
}

/// The kind of a line in a customer's words.
pub(super) fn title(entry: &Entry) -> String {
    let said = match entry.kind.as_str() {
        "recharge" => "Recharge",
        "consume" => "Charge",
        "capture" if entry.points == 0 => "Nothing charged, no longer set aside",
        "capture" => "Charge",
        "settle" => "Debt paid",
        "expire" => "Expired",
        "activate" => "Become usable",
        "hold" => "Set aside for work",
        "renew" => "Set aside for longer",
        "release" => "No longer set aside",
        "hold_expire" => "No longer set aside: time is up",
        "refund" => "Refund",
        "revoke" => "Revoked",
        "clawback" => "Taken back",
        "set_expiry" => "Expiry changed",
        "transfer_out" => "Sent by transfer",
        "transfer_in" => "Received by transfer",
        "write_off" => "Debt written off",
        "open" => "Account opened",
        "reopen" => "Account reopened",
        "reinstate" => "Put right after a wrong clock",
        "set_limit" => "Credit limit set",
        "plan" => "Recurring recharge begun",
        "stop" => "Recurring recharge ended",
        "rollover" => "Rolled over",
        "freeze" => "Account frozen",
        "unfreeze" => "Account unfrozen",
        "close" => "Account closed",
        "allot" => "Set aside for a device",
        "allot_return" => "No longer set aside for a device",
        "recall" => "Called back from a device",
        "unback" => "Set aside on credit",
        other => return free(other),
    };
    said.into()
}

/// The change of net, by cause, what the line is about first. A charge for work that was set aside is the charge, and
/// what was set aside for it beside that: as one number it would be neither.
fn parts(entry: &Entry) -> Vec<(&'static str, i64)> {
    let Ok(mut totals) = entry.totals() else { return Vec::new() };
    // What was returned for a clawback is that much less taken back.
    (totals.revoked, totals.clawed_back) = (totals.revoked.saturating_add(totals.clawed_back), 0);
    let mut parts = causes(&totals, &entry.change);
    let (aside, _) = aside(entry.change.held);
    let own = |name: &str| match entry.kind {
        EntryKind::Hold | EntryKind::Release | EntryKind::HoldExpire | EntryKind::Allot | EntryKind::AllotReturn => {
            name == aside
        }
        EntryKind::Expire | EntryKind::SetExpiry => matches!(name, "expired" | "reinstated"),
        _ => false,
    };
    parts.sort_by_key(|(name, _)| !own(name));
    // Held against the line itself: parts that do not make it are not told.
    let sum = parts.iter().try_fold(0_i64, |sum, (_, points)| sum.checked_add(*points));
    if sum == Some(entry.change.net()) { parts } else { Vec::new() }
}

fn notes(entry: &Entry, change: i64, stamp: impl Fn(DateTime<Utc>) -> Stamp) -> Vec<String> {
    let mut notes = Vec::new();
    let way = if entry.kind == EntryKind::TransferIn { "from" } else { "to" };
    notes.extend(entry.counterparty.as_ref().map(|other| format!("{way} {}", strict(other.as_str()))));
    notes.extend(entry.refers_to.map(|id| format!("of №\u{a0}{}", id.sequence())));
    if entry.points != 0 && entry.points != change.saturating_abs() {
        notes.push(format!("{} points", points(entry.points)));
    }
    if entry.change.debt != 0 {
        notes.push(format!("debt {}", signed(entry.change.debt)));
    }
    if let Some(at) = entry.occurred_at.filter(|at| *at != entry.booked_at) {
        let Stamp { date, time, .. } = stamp(at);
        notes.push(format!("happened {date} {time}"));
    }
    let reason = entry.reason.as_deref().filter(|reason| !reason.is_empty());
    notes.extend(reason.map(|reason| format!("reason: {}", free(reason))));
    notes.extend(entry.reference.as_deref().map(free));
    notes
}
