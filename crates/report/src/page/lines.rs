//! The lines of the statement.

use chrono::FixedOffset;
use counterfoil::{Entry, Four, OperationId};

use super::sums::{decimal, plural};
use super::words::{Stamp, free, points, signed, strict};

/// One line of the books.
pub(super) struct Line {
    pub(super) at: Stamp,
    pub(super) title: String,
    /// Service, source, quantity: what the line is about.
    pub(super) about: Vec<String>,
    pub(super) description: Option<String>,
    /// What the columns do not say: reason, reference, other figures that changed.
    pub(super) notes: Vec<String>,
    pub(super) change: String,
    /// `plus`, `minus` or nothing.
    pub(super) sign: &'static str,
    pub(super) after: String,
    pub(super) negative: bool,
    pub(super) number: Option<i64>,
    pub(super) due: bool,
}

impl Line {
    pub(super) fn new(entry: &Entry, offset: FixedOffset) -> Self {
        let change = entry.change.net();
        let after = entry.after.net();
        let quantity = entry.quantity.as_deref().map(|quantity| match &entry.unit {
            Some(unit) => format!("{} {}", decimal(quantity), plural(&free(unit), quantity)),
            None => decimal(quantity),
        });
        Line {
            at: Stamp::new(entry.booked_at, offset),
            title: title(entry.kind.as_str()),
            about: [entry.service.as_deref().map(free), quantity, entry.source.as_deref().map(free)]
                .into_iter()
                .flatten()
                .collect(),
            description: entry.description.as_deref().map(free),
            notes: notes(entry, change, offset),
            change: signed(change),
            sign: match change {
                1.. => "plus",
                0 => "",
                _ => "minus",
            },
            after: points(after),
            negative: after < 0,
            number: entry.operation.map(OperationId::sequence),
            due: entry.unbooked,
        }
    }
}

/// The kind of a line in a customer's words.
fn title(kind: &str) -> String {
    let said = match kind {
        "recharge" => "Recharge",
        "consume" => "Charge",
        "capture" => "Charge for work set aside",
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
        "freeze" => "Account frozen",
        "unfreeze" => "Account unfrozen",
        "close" => "Account closed",
        other => return free(other),
    };
    said.into()
}

fn notes(entry: &Entry, change: i64, offset: FixedOffset) -> Vec<String> {
    let mut notes = Vec::new();
    let way = if entry.kind == "transfer_in" { "from" } else { "to" };
    notes.extend(entry.counterparty.as_ref().map(|other| format!("{way} {}", strict(other.as_str()))));
    notes.extend(entry.refers_to.map(|id| format!("of №\u{a0}{}", id.sequence())));
    if entry.points != 0 && entry.points.saturating_abs() != change.saturating_abs() {
        notes.push(format!("{} points", points(entry.points)));
    }
    let Four { held, pending, debt, .. } = entry.change;
    for (name, part) in [("held", held), ("pending", pending), ("debt", debt)] {
        if part != 0 {
            notes.push(format!("{name} {}", signed(part)));
        }
    }
    if entry.expired > 0 && entry.kind != "expire" {
        notes.push(format!("of it expired {}", points(entry.expired)));
    }
    if let Some(at) = entry.occurred_at.filter(|at| *at != entry.booked_at) {
        let Stamp { date, time, .. } = Stamp::new(at, offset);
        notes.push(format!("happened {date} {time}"));
    }
    let reason = entry.reason.as_deref().filter(|reason| !reason.is_empty());
    notes.extend(reason.map(|reason| format!("reason: {}", free(reason))));
    notes.extend(entry.reference.as_deref().map(free));
    notes
}
