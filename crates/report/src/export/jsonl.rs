//! Every entry as JSON.

use std::io::Write;

use counterfoil::report::{Calendar, WalkStep};

use super::{ExportError, Format, Writer};
use crate::dates::json;

/// Every entry as a JSON object on a line: the shape `counterfoil.entry/1`.
pub const JSONL: Format = Format {
    name: "jsonl",
    about: "Every entry as a JSON object on a line",
    has_view: false,
    begin: |export, out| Box::new(Objects(out, export.calendar.clone())),
};

struct Objects<'w>(&'w mut dyn Write, Calendar);

impl Writer for Objects<'_> {
    fn step(&mut self, step: &WalkStep) -> Result<(), ExportError> {
        if let WalkStep::Line(line) = step {
            json(&line.entry, &self.1, false, &mut self.0)?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}
