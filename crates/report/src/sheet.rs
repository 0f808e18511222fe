//! CSV: one number per cell, nested figures as columns of their own. A text that begins with `=`, `+`, `-` or `@`, with blanks and
//! apostrophes before it or not, has an apostrophe put before it, or a spreadsheet would calculate it: ids and references too. With
//! one apostrophe taken away such a text is the ledger's again.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use counterfoil::Entry;
use counterfoil::report::{Calendar, Statement};
use serde_json::{Value, json};

use crate::dates::told;

/// The columns of entries, by their paths.
pub const ENTRY: &[&str] = &[
    "n",
    "account",
    "kind",
    "sequence",
    "operation",
    "booked_at",
    "occurred_at",
    "points",
    "expired",
    "change.available",
    "change.held",
    "change.pending",
    "change.debt",
    "change.net",
    "after.available",
    "after.held",
    "after.pending",
    "after.debt",
    "after.net",
    "service",
    "quantity",
    "unit",
    "source",
    "counterparty",
    "refers_to",
    "reference",
    "description",
    "reason",
    "actor",
    "metadata",
    "batch_number",
    "batch",
    "unbooked",
];

/// An entry as [`Lines`] take it.
///
/// # Errors
/// When it cannot be said as JSON.
pub fn entry(entry: &Entry) -> Result<Value, serde_json::Error> {
    let mut row = serde_json::to_value(entry)?;
    for (name, four) in [("change", &entry.change), ("after", &entry.after)] {
        if let Some(Value::Object(figures)) = row.get_mut(name) {
            figures.insert("net".into(), four.net().into());
        }
    }
    // As it was given: a value would lose digits.
    if let (Some(metadata), Some(text)) = (&entry.metadata, row.get_mut("metadata")) {
        *text = metadata.as_str().into();
    }
    Ok(row)
}

/// A statement's opening, its lines, its closing: the first balance and the sum of a column of changes make the last balance.
#[derive(Debug)]
pub struct StatementSheet<'s> {
    lines: Lines<'s>,
    closing: Value,
}

impl<'s> StatementSheet<'s> {
    /// The sheet of a statement whose lines are still to come; writes the opening. Times are told as clocks of the calendar show them.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(head: &Statement, calendar: &Calendar, out: &'s mut dyn Write) -> io::Result<Self> {
        let Statement { account, opening, closing, from, .. } = head;
        let mut lines = Lines::new(ENTRY, out).calendar(calendar);
        let iso = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        lines.add(&json!({"account": account, "kind": "opening", "booked_at": from.map(iso), "after": opening}))?;
        let closing = json!({"account": account, "kind": "closing", "booked_at": iso(head.end()), "after": closing});
        Ok(StatementSheet { lines, closing })
    }

    /// The next line.
    ///
    /// # Errors
    /// What the writer says.
    pub fn add(&mut self, line: &Entry) -> io::Result<()> {
        self.lines.add(&entry(line)?)
    }

    /// Writes the closing.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<()> {
        self.lines.add(&self.closing)?;
        self.lines.finish()
    }
}

/// The header for columns named by their path: `after.available` is `after_available`.
fn head(path: &str) -> String {
    path.replace('.', "_")
}

fn pick<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// Text that begins like a formula gets an apostrophe in front; numbers stay numbers.
fn defused(text: &str) -> String {
    let first = text.trim_start_matches(['\'', ' ']).chars().next();
    if matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')) {
        format!("'{text}")
    } else {
        text.into()
    }
}

fn cell(item: &Value, path: &str, calendar: &Calendar) -> String {
    let field = path.rsplit('.').next().unwrap_or(path);
    match pick(item, path) {
        Value::Null => String::new(),
        Value::String(text) => told(calendar, field, text).unwrap_or_else(|| defused(text)),
        // A JSON object or list in one cell begins with a brace or a bracket, never like a formula.
        other => other.to_string(),
    }
}

/// Writes the header before the first line, then a line per item.
///
/// ```
/// use counterfoil_report::sheet::Lines;
/// let mut text = Vec::new();
/// let mut lines = Lines::new(&["n", "after.net"], &mut text);
/// lines.add(&serde_json::json!({"n": 1, "after": {"net": -7}}))?;
/// lines.finish()?;
/// drop(lines);
/// assert_eq!(text, b"n,after_net\n1,-7\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Lines<'s> {
    writer: csv::Writer<&'s mut dyn Write>,
    paths: &'static [&'static str],
    calendar: Calendar,
    begun: bool,
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl<'s> Lines<'s> {
    /// Lines with a column for each path (`after.net`) into an item.
    pub fn new(paths: &'static [&'static str], out: &'s mut dyn Write) -> Self {
        Lines { writer: csv::Writer::from_writer(out), paths, calendar: Calendar::default(), begun: false }
    }

    /// Times are told as clocks of this calendar show them; of themselves in UTC.
    #[must_use]
    pub fn calendar(mut self, calendar: &Calendar) -> Self {
        self.calendar = calendar.clone();
        self
    }

    /// A line.
    ///
    /// # Errors
    /// What the writer says.
    pub fn add(&mut self, item: &Value) -> io::Result<()> {
        self.begin()?;
        let cells = self.paths.iter().map(|path| cell(item, path, &self.calendar));
        self.writer.write_record(cells).map_err(unwritten)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.writer.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.writer.write_record(self.paths.iter().map(|path| head(path))).map_err(unwritten)
    }
}

fn unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "＝1"] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["", "alice", "a=b", "2026-11-22", "'quoted'"] {
            assert_eq!(defused(text), text);
        }
    }

    #[test]
    fn nested_figures_are_columns() {
        let item = serde_json::json!({"n": -3, "after": {"available": 7}, "tags": {"a": 1}});
        let cells: Vec<String> =
            ["n", "after.available", "after.held", "tags"].map(|path| cell(&item, path, &Calendar::default())).into();
        assert_eq!(cells, ["-3", "7", "", "{\"a\":1}"]);
        assert_eq!(head("after.available"), "after_available");
    }
}
