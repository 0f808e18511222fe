//! Every entry as JSON.

use std::io::Write;

use counterfoil::report::WalkStep;

use super::{ExportError, Format, Writer};

/// Every entry as a JSON object on a line: the shape `counterfoil.entry/1`.
pub const JSONL: Format = Format {
    name: "jsonl",
    about: "Every entry as a JSON object on a line",
    has_view: false,
    begin: |_, out| Box::new(Objects(out)),
};

struct Objects<'w>(&'w mut dyn Write);

impl Writer for Objects<'_> {
    fn step(&mut self, step: &WalkStep) -> Result<(), ExportError> {
        if let WalkStep::Line(line) = step {
            serde_json::to_writer(&mut self.0, &line.entry).map_err(std::io::Error::from)?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        Ok(self.0.flush()?)
    }
}
