//! Every entry as a row of numbers and texts.

use counterfoil::report::WalkStep;

use super::{ExportError, Format, Writer};
use crate::sheet::{self, Lines};

/// Every entry as a row of comma-separated values, one number in a cell.
pub const CSV: Format = Format {
    name: "csv",
    about: "Every entry as a line of numbers and texts",
    has_view: false,
    begin: |export, out| Box::new(Rows(Lines::new(sheet::ENTRY, out).calendar(&export.calendar))),
};

struct Rows<'w>(Lines<'w>);

impl Writer for Rows<'_> {
    fn step(&mut self, step: &WalkStep) -> Result<(), ExportError> {
        match step {
            WalkStep::Line(line) => Ok(self.0.add(&sheet::entry(&line.entry).map_err(std::io::Error::from)?)?),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        Ok(self.0.finish()?)
    }
}
