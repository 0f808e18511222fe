//! Tables for people: lists as columns, single things as labelled lines.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentLineStyle, LineStyle, Table, TableStyle, Width};
use counterfoil::{BatchId, Calendar, OperationId};

use super::safe;

/// Rows laid out together; a longer list goes on with the widths it has by then.
pub(super) const TOGETHER: usize = 500;

/// A column of a list.
pub(crate) struct Column<T> {
    head: &'static str,
    number: bool,
    cell: fn(&T) -> String,
}

/// A column of text, left-aligned.
pub(crate) const fn text<T>(head: &'static str, cell: fn(&T) -> String) -> Column<T> {
    Column { head, number: false, cell }
}

/// A column of numbers, right-aligned.
pub(crate) const fn number<T>(head: &'static str, cell: fn(&T) -> String) -> Column<T> {
    Column { head, number: true, cell }
}

/// Prints the rows of a list as they come, some hundred at a time.
pub(super) struct Rows<T: 'static> {
    columns: Vec<&'static Column<T>>,
    table: Table,
    widths: Vec<u16>,
    begun: bool,
}

impl<T> Rows<T> {
    pub(super) fn new(columns: impl IntoIterator<Item = &'static Column<T>>) -> Self {
        Rows { columns: columns.into_iter().collect(), table: Table::new(), widths: Vec::new(), begun: false }
    }

    pub(super) fn add(&mut self, item: &T, sink: &mut dyn Write) -> io::Result<()> {
        let cells = self.columns.iter().map(|column| aligned(safe::cell(&(column.cell)(item)), column.number));
        self.table.add_row(cells.collect::<Vec<Cell>>());
        if self.table.row_count() >= TOGETHER { self.print(sink) } else { Ok(()) }
    }

    pub(super) fn finish(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        if self.table.row_count() > 0 { self.print(sink) } else { Ok(()) }
    }

    fn print(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        let mut table = std::mem::take(&mut self.table);
        let between = ContentLineStyle::none().junction(' ');
        let mut style = TableStyle::new().header_lines(between).content_lines(between);
        if !self.begun {
            style = style.header_separator(LineStyle::none().fill('-').junction(' '));
            let heads = self.columns.iter().map(|column| aligned(column.head.into(), column.number));
            table.set_header(heads.collect::<Vec<Cell>>());
        }
        table.load_style(style);
        table.discover_columns();
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            if let Some(width) = self.widths.get(index) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(1))));
            }
        }
        let widths = table.column_max_content_widths();
        self.widths = match self.begun {
            true => self.widths.iter().zip(widths).map(|(old, new)| new.max(*old)).collect(),
            false => widths,
        };
        self.begun = true;
        for line in table.lines() {
            writeln!(sink, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn aligned(content: String, number: bool) -> Cell {
    let alignment = if number { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new_owned(content).set_alignment(alignment)
}

/// Prints a whole table at once.
pub(super) fn sheet<T: 'static>(
    columns: impl IntoIterator<Item = &'static Column<T>>,
    items: &[T],
    sink: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = Rows::new(columns);
    items.iter().try_for_each(|item| rows.add(item, sink))?;
    rows.finish(sink)
}

/// One thing, as lines of a label and a text.
#[derive(Debug, Default)]
pub(crate) struct Block(Vec<(&'static str, String)>);

impl Block {
    pub(crate) fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    /// Adds a line only when there is something to say.
    pub(crate) fn add_some(&mut self, label: &'static str, text: Option<impl Into<String>>) {
        if let Some(text) = text {
            self.add(label, text);
        }
    }

    /// Adds points, unless there are none.
    pub(crate) fn add_points(&mut self, label: &'static str, points: impl Into<i64>) {
        let points: i64 = points.into();
        if points != 0 {
            self.add(label, points.to_string());
        }
    }

    /// Adds texts below one another, aligned on their last character.
    pub(crate) fn add_right(&mut self, lines: Vec<(&'static str, String)>) {
        let width = lines.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
        self.0.extend(lines.into_iter().map(|(label, text)| (label, format!("{text:>width$}"))));
    }

    /// Adds figures below one another, aligned on their last digit.
    pub(crate) fn add_figures(&mut self, figures: &[(&'static str, i64)]) {
        let width = figures.iter().map(|(_, figure)| figure.to_string().len()).max().unwrap_or(0);
        for (label, figure) in figures {
            self.add(label, format!("{figure:>width$}"));
        }
    }

    pub(super) fn print(&self, sink: &mut dyn Write) -> io::Result<()> {
        let width = self.0.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, text) in &self.0 {
            // A text of several lines goes on below itself.
            for (index, line) in safe::lines(text).split('\n').enumerate() {
                let label = if index == 0 { label } else { "" };
                writeln!(sink, "{}", format!("{label:width$}  {line}").trim_end())?;
            }
        }
        Ok(())
    }
}

/// An instant as tables show it.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An instant as clocks of a calendar show it, with their offset.
pub(crate) fn time_at(calendar: &Calendar, at: DateTime<Utc>) -> String {
    let local = calendar.local(at);
    if local.offset().local_minus_utc() == 0 { time(at) } else { local.format("%Y-%m-%d %H:%M:%S%:z").to_string() }
}

/// An instant, or that there is none.
pub(crate) fn time_or_never(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".into(), time)
}

/// An operation as its number, which every command takes.
pub(crate) fn operation(id: OperationId) -> String {
    id.sequence().to_string()
}

/// A batch as the number of its operation and its place in it, which every command takes.
pub(crate) fn batch(id: BatchId) -> String {
    id.number()
}
