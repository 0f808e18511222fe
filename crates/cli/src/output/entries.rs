//! The lines of an account's books: as people see them, and as rows of CSV.

use counterfoil::report::Calendar;
use counterfoil::{Entry, EntryKind};
use counterfoil_report::sheet;
use serde::Serialize;
use serde_json::Value;

use super::amount;
use super::sheets::Listed;
use super::table::{Column, batch, number, operation, text, time_at};

/// An entry, and by whose clocks its time is told.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Line {
    pub(crate) entry: Entry,
    #[serde(skip)]
    pub(crate) calendar: Calendar,
}

impl Listed for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        number("n", |l| l.entry.n.to_string()),
        text("booked", |l| time_at(&l.calendar, l.entry.booked_at)),
        text("kind", |l| kind(&l.entry)),
        text("operation", |l| its_operation(&l.entry)),
        number("points", |l| l.entry.points.to_string()),
        number("available", |l| l.entry.after.available.to_string()),
        number("held", |l| l.entry.after.held.to_string()),
        number("debt", |l| l.entry.after.debt.to_string()),
        number("pending", |l| l.entry.after.pending.to_string()),
        text("batch", |l| its_batch(&l.entry)),
        text("what", |l| what(&l.entry)),
    ];
    const CSV: &'static [&'static str] = sheet::ENTRY;
    const FITS: bool = true;

    fn row(&self) -> Result<Value, serde_json::Error> {
        sheet::entry(&self.entry)
    }
}

/// A line among those of all accounts, of which it matters whose it is.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct AnyLine(pub(crate) Line);

impl Listed for AnyLine {
    const COLUMNS: &'static [Column<Self>] = &[
        text("booked", |l| time_at(&l.0.calendar, l.0.entry.booked_at)),
        text("account", |l| l.0.entry.account.to_string()),
        text("kind", |l| kind(&l.0.entry)),
        number("points", |l| l.0.entry.points.to_string()),
        number("available", |l| l.0.entry.after.available.to_string()),
        text("operation", |l| its_operation(&l.0.entry)),
        text("what", |l| what(&l.0.entry)),
    ];
    const CSV: &'static [&'static str] = <Line as Listed>::CSV;

    fn row(&self) -> Result<Value, serde_json::Error> {
        self.0.row()
    }
}

pub(super) fn kind(entry: &Entry) -> String {
    if entry.unbooked { format!("{} (unbooked)", entry.kind) } else { entry.kind.to_string() }
}

pub(super) fn its_operation(entry: &Entry) -> String {
    entry.operation.map_or_else(|| "-".into(), operation)
}

pub(super) fn its_batch(entry: &Entry) -> String {
    entry.batch.map_or_else(|| "-".into(), batch)
}

/// What an entry was about, in a few words.
pub(super) fn what(entry: &Entry) -> String {
    let service = entry.service.as_ref().map(|service| match &entry.quantity {
        Some(quantity) => format!("{service} ({})", amount(quantity, entry.unit.as_deref())),
        None => service.clone(),
    });
    let way = if entry.kind == "transfer_in" { "from" } else { "to" };
    let other = entry.counterparty.as_ref().map(|other| format!("{way} {other}"));
    let made = if entry.kind == "refund" { "operation" } else { "hold" };
    let about = entry.refers_to.map(|id| format!("of {made} {}", operation(id)));
    let gone = gone(entry);
    let texts = [&service, &other, &about, &gone, &entry.source, &entry.reference, &entry.description, &entry.reason];
    let said: Vec<&str> = texts.into_iter().flatten().map(String::as_str).collect();
    if said.is_empty() { "-".into() } else { said.join("; ") }
}

/// Why an entry changed less, or more, than its points.
fn gone(entry: &Entry) -> Option<String> {
    let expired = entry.expired;
    match (entry.kind, expired) {
        (_, 0) | (EntryKind::Expire | EntryKind::SetExpiry, _) => None,
        (_, 1..) => Some(format!("{expired} lapsed")),
        (EntryKind::Revoke, _) => Some(format!("{} had expired", expired.saturating_neg())),
        _ => Some(format!("{} reinstated", expired.saturating_neg())),
    }
}
