//! Explanations as sentences and small tables, in which every sum adds up on the screen.

mod batch;
mod missing;
mod operation;

pub(crate) use batch::life;
pub(crate) use missing::missing;
pub(crate) use operation::operation;

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, ContentLineStyle, Table, TableStyle};
use counterfoil::report::{Destination, PaidDebt, Said};
use counterfoil::{BatchId, OperationId};

use super::safe;
use super::table::batch;

/// Tells an instant, on the clock that was asked for.
type Clock<'c> = &'c dyn Fn(DateTime<Utc>) -> String;

fn or_never(at: Option<DateTime<Utc>>, when: Clock<'_>) -> String {
    at.map_or_else(|| "never".into(), when)
}

/// `1 point`, `2 points`.
fn points(count: i64) -> String {
    counted(count, "point")
}

fn counted(count: i64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn by_operation(id: OperationId) -> String {
    format!("operation {}", id.sequence())
}

/// Who, why, for what, in one breath; empty when nobody said anything.
fn said(said: &Said) -> String {
    let mut parts = Vec::new();
    parts.extend(said.actor.as_ref().map(|actor| format!("by {}", safe::line(actor))));
    parts.extend(said.reason.as_ref().map(|reason| format!("reason: {}", safe::line(reason))));
    parts.extend(said.reference.as_ref().map(|reference| format!("reference {}", safe::line(reference))));
    parts.extend(said.description.as_ref().map(|text| format!("\u{201c}{}\u{201d}", safe::cell(text))));
    parts.join(", ")
}

/// Where points went that came back; `of` is what was refunded.
fn destination(went: &Destination, of: Option<OperationId>) -> String {
    let named = |id: Option<BatchId>| id.map(batch).unwrap_or_default();
    let what = match (went.what, went.operation) {
        ("restored", _) => format!("back to batch {}", named(went.batch)),
        ("lapsed", _) => format!("lapsed in batch {}, which had expired", named(went.batch)),
        ("taken", _) => format!("taken from batch {}, which had been revoked", named(went.batch)),
        ("cancelled_debt", Some(id)) if Some(id) == of => "cancelled its own debt".into(),
        ("cancelled_debt", Some(id)) => format!("cancelled debt of {}", by_operation(id)),
        (what, _) => what.replace('_', " "),
    };
    match (went.instead_of, went.revoke) {
        (Some(revoked), Some(by)) if went.operation == Some(by) => {
            format!("{what}, the revoke of batch {}", batch(revoked))
        }
        (Some(revoked), Some(by)) => {
            format!("{what}, in place of batch {}, revoked by {}", batch(revoked), by_operation(by))
        }
        _ => what,
    }
}

/// A debt that was paid or forgiven.
fn debt(debt: &PaidDebt, when: Clock<'_>) -> String {
    let service = debt.service.as_ref().map(|service| format!(", {service}")).unwrap_or_default();
    format!("for {} of {}{service} ({})", debt.op, when(debt.booked_at), by_operation(debt.operation))
}

/// A text being written: paragraphs, each with a head and a table.
#[derive(Default)]
struct Story(String);

impl Story {
    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref().trim_end());
        self.0.push('\n');
    }

    fn head(&mut self, line: impl AsRef<str>) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(line);
    }

    /// Rows indented below their head; the columns named are numbers.
    fn rows(&mut self, numbers: &[usize], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let mut table = Table::new();
        let between = ContentLineStyle::none().junction(' ');
        table.load_style(TableStyle::new().header_lines(between).content_lines(between));
        for row in rows {
            table.add_row(row.iter().map(|cell| safe::line(cell)).collect::<Vec<String>>());
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            if numbers.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            self.line(format!("  {line}"));
        }
    }

    fn end(self) -> String {
        self.0.trim_end().to_string()
    }
}
