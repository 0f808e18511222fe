//! Explanations as sentences and small tables, in which every sum adds up on the screen.

mod batch;
mod missing;
mod operation;

pub(crate) use batch::life;
pub(crate) use missing::{LINES, missing};
pub(crate) use operation::operation;

use chrono::{DateTime, Utc};
use comfy_table::{CellAlignment, ContentLineStyle, Table, TableStyle};
use counterfoil::report::{Cause, Group, Said, Step, StepKind};
use counterfoil::{BatchId, OperationId};
use counterfoil_report::quantity::grouped;

use super::safe;
use super::table::{batch, figure};

/// Tells an instant, on the clock that was asked for.
type Clock<'c> = &'c dyn Fn(DateTime<Utc>) -> String;

fn or_never(at: Option<DateTime<Utc>>, when: Clock<'_>) -> String {
    at.map_or_else(|| "never".into(), when)
}

/// `1 point`, `2 points`.
fn points(count: impl Into<i64>) -> String {
    counted(count.into(), "point")
}

pub(super) fn counted(count: i64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", figure(count)) }
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
fn destination(went: &Step, of: Option<OperationId>) -> String {
    let named = |id: Option<BatchId>| id.map(batch).unwrap_or_default();
    let what = match (went.what, went.of) {
        (StepKind::Restored, _) => format!("back to batch {}", named(went.batch)),
        (StepKind::Lapsed, _) => format!("lapsed in batch {}, which had expired", named(went.batch)),
        (StepKind::Taken, _) => format!("taken from batch {}, which had been revoked", named(went.batch)),
        (StepKind::TakenOver, _) => {
            format!("taken from batch {}, which had rolled out of a revoked one", named(went.batch))
        }
        (StepKind::CancelledDebt, id) if id == of => "cancelled its own debt".into(),
        (StepKind::CancelledDebt, Some(id)) => format!("cancelled debt of {}", by_operation(id)),
        (what, _) => what.as_str().replace('_', " "),
    };
    match (went.other_batch, went.of) {
        (Some(revoked), _) if went.what == StepKind::CancelledDebt => {
            format!("{what}, the revoke of batch {}", batch(revoked))
        }
        (Some(revoked), Some(by)) => {
            format!("{what}, in place of batch {}, revoked by {}", batch(revoked), by_operation(by))
        }
        _ => what,
    }
}

/// A debt that was paid or forgiven.
fn debt(debt: &Step, when: Clock<'_>) -> String {
    let service = debt.service.as_ref().map(|service| format!(", {service}")).unwrap_or_default();
    let by = debt.operation.map(by_operation).unwrap_or_default();
    format!("for {} of {}{service} ({by})", debt.line, when(debt.at))
}

/// The points of each group, and of how many `lines` they are.
fn groups(groups: &[Group], lines: &str, named: impl Fn(&str) -> String) -> Vec<Vec<String>> {
    let row = |group: &Group| {
        let name = group.name.as_ref().map_or_else(|| "no service named".into(), |name| named(name));
        let credit = match group.on_credit {
            0 => String::new(),
            open => format!("; {} charged, {open} of them left as debt", group.points.saturating_add(open)),
        };
        vec![group.points.to_string(), format!("{name}, {}{credit}", counted(group.lines, lines))]
    };
    groups.iter().map(row).collect()
}

/// A text being written: paragraphs, each with a head and a table.
#[derive(Default)]
struct Story {
    text: String,
}

impl Story {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    fn head(&mut self, line: impl AsRef<str>) {
        if !self.text.is_empty() {
            self.text.push('\n');
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
            let cell = |(index, cell): (usize, &String)| {
                if numbers.contains(&index) { grouped(cell) } else { safe::line(cell) }
            };
            table.add_row(row.iter().enumerate().map(cell).collect::<Vec<String>>());
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

    /// A cause as rows that begin with points, oldest first: the earlier lines together, by name, the newest by `row`.
    fn list(
        &mut self,
        cause: &Cause,
        (unnamed, named): (&str, impl Fn(&str) -> String),
        row: impl Fn(&Step) -> Vec<Vec<String>>,
    ) {
        let together = cause.groups.iter().map(|group| {
            let name = group.name.as_deref().map_or_else(|| unnamed.into(), &named);
            vec![group.points.to_string(), format!("{} before, {name}", counted(group.lines, "line"))]
        });
        let mut rows: Vec<Vec<String>> = together.collect();
        rows.extend(cause.steps.iter().flat_map(row));
        self.rows(&[0], rows);
        if !cause.groups.is_empty() {
            self.line("  (--all tells each line)");
        }
    }

    fn end(self) -> String {
        self.text.trim_end().to_string()
    }
}
