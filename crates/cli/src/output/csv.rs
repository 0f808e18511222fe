//! CSV: one number per cell, nested figures as columns of their own, text that a spreadsheet would calculate defused.

use std::io::Write;

use serde_json::Value;

use crate::exit::Failure;

/// The header for columns named by their path: `after.available` is `after_available`.
fn head(path: &str) -> String {
    path.replace('.', "_")
}

fn pick<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// Text that begins like a formula gets an apostrophe in front; numbers stay numbers.
pub(super) fn defused(text: &str) -> String {
    let first = text.trim_start_matches(['\'', ' ']).chars().next();
    if matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')) {
        format!("'{text}")
    } else {
        text.into()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => defused(text),
        // A JSON object or list in one cell begins with a brace or a bracket, never like a formula.
        other => other.to_string(),
    }
}

/// Writes the header at once, then a line per item.
pub(super) struct Lines<'s> {
    writer: csv::Writer<&'s mut dyn Write>,
    paths: &'static [&'static str],
}

impl<'s> Lines<'s> {
    pub(super) fn new(paths: &'static [&'static str], sink: &'s mut dyn Write) -> Result<Self, Failure> {
        let mut writer = csv::Writer::from_writer(sink);
        writer.write_record(paths.iter().map(|path| head(path))).map_err(failure)?;
        Ok(Lines { writer, paths })
    }

    pub(super) fn add(&mut self, item: &Value) -> Result<(), Failure> {
        self.writer.write_record(self.paths.iter().map(|path| cell(pick(item, path)))).map_err(failure)
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| Failure::write(&error))
    }
}

fn failure(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::write(&error),
        other => {
            Failure::Io { message: format!("the answer could not be written as CSV: {other:?}"), help: String::new() }
        }
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
            ["n", "after.available", "after.held", "tags"].map(|path| cell(pick(&item, path))).into();
        assert_eq!(cells, ["-3", "7", "", "{\"a\":1}"]);
        assert_eq!(head("after.available"), "after_available");
    }
}
