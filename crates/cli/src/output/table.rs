//! Tables for people: lists as columns, single things as labelled lines.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentLineStyle, LineStyle, Table, TableStyle, Width};
use counterfoil::report::Calendar;
use counterfoil::{BatchId, OperationId};
use counterfoil_report::quantity::grouped;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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
    rows: Vec<Vec<String>>,
    widths: Vec<u16>,
    begun: bool,
    /// How wide a line may be: of a row that is wider, the last columns stand below it.
    most: Option<usize>,
    /// Columns that stand beside one another.
    beside: usize,
}

impl<T> Rows<T> {
    pub(super) fn new(columns: impl IntoIterator<Item = &'static Column<T>>) -> Self {
        let columns: Vec<_> = columns.into_iter().collect();
        Rows { beside: columns.len(), columns, rows: Vec::new(), widths: Vec::new(), begun: false, most: None }
    }

    /// Lines of at most this width.
    pub(super) fn within(mut self, width: usize) -> Self {
        self.most = Some(width);
        self
    }

    pub(super) fn add(&mut self, item: &T, sink: &mut dyn Write) -> io::Result<()> {
        let cell = |column: &&Column<T>| {
            let text = safe::cell(&(column.cell)(item));
            if column.number { grouped(&text) } else { text }
        };
        self.rows.push(self.columns.iter().map(cell).collect());
        if self.rows.len() >= TOGETHER { self.print(sink) } else { Ok(()) }
    }

    pub(super) fn finish(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() { Ok(()) } else { self.print(sink) }
    }

    /// How many columns fit beside one another: two blanks between them. Once fewer did, no more do.
    fn fitting(&self, rows: &[Vec<String>], most: usize) -> usize {
        let mut used = 0_usize;
        let fits = |(index, column): &(usize, &&Column<T>)| {
            let cells = rows.iter().filter_map(|row| row.get(*index)).map(|cell| cell.width());
            used = used.saturating_add(cells.max().unwrap_or(0).max(column.head.width()));
            let fits = used <= most;
            used = used.saturating_add(2);
            fits
        };
        self.columns.iter().enumerate().take(self.beside).take_while(fits).count().max(1)
    }

    /// What does not fit beside: each with its name, the last, which says what it is about, without. What is nothing is left out.
    fn below(&self, row: &[String]) -> String {
        let last = self.columns.len().saturating_sub(1);
        let cells = self.columns.iter().zip(row).enumerate().skip(self.beside);
        let said = cells.filter(|(_, (_, cell))| !matches!(cell.as_str(), "" | "-" | "0"));
        let said = said.map(
            |(index, (column, cell))| {
                if index == last { cell.clone() } else { format!("{} {cell}", column.head) }
            },
        );
        said.collect::<Vec<_>>().join("; ")
    }

    fn print(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if let Some(most) = self.most {
            let beside = self.fitting(&rows, most);
            // A list goes on under new names when fewer columns fit than before.
            self.begun = self.begun && beside == self.beside;
            self.beside = beside;
        }
        let columns: Vec<_> = self.columns.iter().take(self.beside).collect();
        let mut table = Table::new();
        for row in &rows {
            let cells = columns.iter().zip(row).map(|(column, cell)| aligned(cell.clone(), column.number));
            table.add_row(cells.collect::<Vec<Cell>>());
        }
        let between = ContentLineStyle::none().junction(' ');
        let mut style = TableStyle::new().header_lines(between).content_lines(between);
        if !self.begun {
            style = style.header_separator(LineStyle::none().fill('-').junction(' '));
            let heads = columns.iter().map(|column| aligned(column.head.into(), column.number));
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
        let lines: Vec<String> = table.lines().collect();
        let (head, lines) = lines.split_at(lines.len().saturating_sub(rows.len()));
        for line in head {
            writeln!(sink, "{}", line.trim_end())?;
        }
        for (line, row) in lines.iter().zip(&rows) {
            writeln!(sink, "{}", line.trim_end())?;
            for line in wrapped(&self.below(row), self.most.unwrap_or(usize::MAX)) {
                writeln!(sink, "{line}")?;
            }
        }
        Ok(())
    }
}

/// Before what stands below a row.
const INDENT: &str = "    ";

/// A text in lines of at most this width, indented; a word that is longer is broken.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let fits = |line: &&mut String| line.width().saturating_add(word.width()).saturating_add(1) <= most;
        match lines.last_mut().filter(fits) {
            Some(line) => *line = format!("{line} {word}"),
            None => {
                let mut line = String::from(INDENT);
                for letter in word.chars() {
                    if line.width().saturating_add(letter.width().unwrap_or(0)) > most {
                        lines.push(std::mem::replace(&mut line, INDENT.into()));
                    }
                    line.push(letter);
                }
                lines.push(line);
            }
        }
    }
    lines
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
            self.add(label, grouped(&points.to_string()));
        }
    }

    /// Adds texts below one another, aligned on their last character.
    pub(crate) fn add_right(&mut self, lines: Vec<(&'static str, String)>) {
        let lines: Vec<_> = lines.into_iter().map(|(label, text)| (label, grouped(&text))).collect();
        let width = lines.iter().map(|(_, text)| text.len()).max().unwrap_or(0);
        self.0.extend(lines.into_iter().map(|(label, text)| (label, format!("{text:>width$}"))));
    }

    /// Adds figures below one another, aligned on their last digit.
    pub(crate) fn add_figures(&mut self, figures: &[(&'static str, i64)]) {
        self.add_right(figures.iter().map(|(label, figure)| (*label, figure.to_string())).collect());
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

/// A figure, its thousands apart.
pub(crate) fn figure(n: impl Into<i64>) -> String {
    grouped(&n.into().to_string())
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
