//! A wallet's page on a terminal: the balance, then a table for each list that has anything.

use std::io::{self, Write};

use counterfoil::Entry;
use counterfoil::answer::Overview;
use counterfoil::report::Calendar;

use super::entries::Line;
use super::sheets::{Listed, Shown};
use super::table::sheet;
use super::{Out, Sink};
use crate::args::Format;
use crate::exit::Failure;

impl Out {
    /// A page, which is no single table.
    pub(crate) fn overview(&mut self, page: &Overview) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(page, true)?,
            Format::Jsonl => self.json(page, false)?,
            Format::Table | Format::Csv => print(page, &mut self.sink).map_err(|error| Failure::write(&error))?,
        }
        self.flush()
    }
}

fn print(page: &Overview, sink: &mut Sink) -> io::Result<()> {
    let Overview { balance, batches, holds, plans, history, .. } = page;
    balance.block().print(sink)?;
    list(("Batches", "batches"), &batches.items, batches.next.is_some(), sink)?;
    list(("Open holds", "holds"), &holds.items, holds.next.is_some(), sink)?;
    list(("Plans", "plan list"), &plans.items, plans.next.is_some(), sink)?;
    let line = |entry: &Entry| Line { entry: entry.clone(), calendar: Calendar::default() };
    let lines: Vec<Line> = history.items.iter().map(line).collect();
    list(("Newest lines", "history --newest"), &lines, history.next.is_some(), sink)
}

/// One of its lists, and the command that shows the rest of it.
fn list<T: Listed>((head, command): (&str, &str), items: &[T], more: bool, sink: &mut Sink) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(sink, "\n{head}\n")?;
    sheet(T::COLUMNS, items, sink)?;
    if more { writeln!(sink, "and more: {command}") } else { Ok(()) }
}
