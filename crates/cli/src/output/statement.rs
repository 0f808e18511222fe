//! The statement of an account, as a bank would print it, and as a sheet whose columns add up.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use counterfoil::Entry;
use counterfoil::answer::{AccountState, Balances, BatchInfo, Figures};
use counterfoil::report::{Calendar, KindTotal, Statement, StatementStep};
use counterfoil_report::json;
use counterfoil_report::sheet::StatementSheet;

use super::blocks::{SUSPECT, balance_line, behind};
use super::sheets::state;
use super::table::{Block, Column, Rows, batch, number, sheet, text, time_at};
use super::{Out, entries, usage};
use crate::args::Format;
use crate::exit::Failure;

/// A line of the statement: also the opening and the closing are lines, so that the columns add up.
#[derive(Default)]
struct Line {
    booked: String,
    kind: String,
    operation: String,
    batch: String,
    what: String,
    points: String,
    change: Option<Balances>,
    after: Option<Balances>,
}

/// A change with its sign; none is left blank.
fn signed(change: Option<&Balances>, figure: fn(&Balances) -> i64) -> String {
    match change.map_or(0, figure) {
        0 => String::new(),
        points => format!("{points:+}"),
    }
}

fn after(line: &Line, figure: fn(&Balances) -> i64) -> String {
    line.after.as_ref().map(|after| figure(after).to_string()).unwrap_or_default()
}

/// What every line says first; what does not fit beside it stands below, as in a history.
const FIRST: &[Column<Line>] = &[
    text("booked", |l| l.booked.clone()),
    text("kind", |l| l.kind.clone()),
    text("operation", |l| l.operation.clone()),
    number("points", |l| l.points.clone()),
];
/// Of each figure how it changed, and what it was then.
const FIGURES: [[Column<Line>; 2]; 4] = [
    [
        number("+available", |l| signed(l.change.as_ref(), |c| c.available)),
        number("available", |l| after(l, |f| f.available)),
    ],
    [number("+held", |l| signed(l.change.as_ref(), |c| c.held)), number("held", |l| after(l, |f| f.held))],
    [number("+pending", |l| signed(l.change.as_ref(), |c| c.pending)), number("pending", |l| after(l, |f| f.pending))],
    [number("+debt", |l| signed(l.change.as_ref(), |c| c.debt)), number("debt", |l| after(l, |f| f.debt))],
];
const NET: &[Column<Line>] = &[number("net", |l| after(l, Balances::net))];
const LAST: &[Column<Line>] = &[text("batch", |l| l.batch.clone()), text("what", |l| l.what.clone())];

/// The lines of one kind, or of all.
struct Kind {
    kind: &'static str,
    lines: i64,
    points: Option<i64>,
    change: Balances,
}

const KINDS: &[Column<Kind>] = &[
    text("kind", |k| k.kind.into()),
    number("lines", |k| k.lines.to_string()),
    number("points", |k| k.points.map(|points| points.to_string()).unwrap_or_default()),
];
const KIND_CHANGES: &[Column<Kind>] = &[
    number("+available", |k| signed(Some(&k.change), |c| c.available)),
    number("+held", |k| signed(Some(&k.change), |c| c.held)),
    number("+pending", |k| signed(Some(&k.change), |c| c.pending)),
    number("+debt", |k| signed(Some(&k.change), |c| c.debt)),
];

/// A batch, with its expiry on the clock that is wanted.
struct Left(String, BatchInfo);

const BATCHES: &[Column<Left>] = &[
    text("expires", |b| b.0.clone()),
    number("remaining", |b| b.1.remaining.to_string()),
    number("held", |b| b.1.held.to_string()),
    text("state", |b| state(&b.1)),
    text("batch", |b| batch(b.1.batch)),
    text("source", |b| b.1.source.clone()),
    text("kind", |b| if b.1.promo { "promo".into() } else { "paid".into() }),
];

/// Which of the four figures ever move or are anything in a statement; `available` is always told.
fn told(statement: &Statement) -> [bool; 4] {
    let Figures { held, pending, debt, .. } = statement.opening;
    let moved = |figure: fn(&Balances) -> i64| statement.by_kind.iter().any(|kind| figure(&kind.change) != 0);
    [true, held != 0 || moved(|c| c.held), pending != 0 || moved(|c| c.pending), debt != 0 || moved(|c| c.debt)]
}

fn chosen<T>(columns: &'static [Column<T>], told: &[bool]) -> Vec<&'static Column<T>> {
    columns.iter().zip(told).filter(|(_, told)| **told).map(|(column, _)| column).collect()
}

/// A statement being written, its lines one at a time.
enum Written<'s> {
    Table {
        rows: Rows<Line>,
        width: usize,
        sink: &'s mut dyn Write,
    },
    Sheet(Box<StatementSheet<'s>>),
    /// What follows the lines.
    Json {
        rest: String,
        any: bool,
        sink: &'s mut dyn Write,
    },
}

impl Out {
    /// A statement that is handed over by steps. Times are told by the clocks of a calendar.
    pub(crate) fn statement(
        &mut self,
        calendar: &Calendar,
        steps: impl FnOnce(&mut dyn FnMut(StatementStep) -> Result<(), Failure>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let width = self.sink.width();
        print(self.format, &mut self.sink, width, calendar, steps)?;
        self.flush()
    }
}

fn print(
    format: Format,
    sink: &mut dyn Write,
    width: usize,
    calendar: &Calendar,
    steps: impl FnOnce(&mut dyn FnMut(StatementStep) -> Result<(), Failure>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut sink = Some(sink);
    let mut written: Option<(Box<Statement>, Written<'_>)> = None;
    let failed = |error: io::Error| Failure::write(&error);
    steps(&mut |step| match (step, &mut written) {
        (StatementStep::Head(head), _) => {
            let Some(sink) = sink.take() else { return Ok(()) };
            let begun = Written::begin(&head, format, width, calendar, sink).map_err(failed)?;
            written = Some((head, begun));
            Ok(())
        }
        (StatementStep::Line(line), Some((_, written))) => written.add(&line.entry, calendar).map_err(failed),
        _ => Ok(()),
    })?;
    if let Some((head, written)) = written {
        written.finish(&head, calendar).map_err(failed)?;
    }
    Ok(())
}

impl<'s> Written<'s> {
    fn begin(
        statement: &Statement,
        format: Format,
        width: usize,
        calendar: &Calendar,
        sink: &'s mut dyn Write,
    ) -> io::Result<Written<'s>> {
        let (pretty, place) = match format {
            Format::Csv => {
                return StatementSheet::new(statement, calendar, sink).map(|sheet| Written::Sheet(Box::new(sheet)));
            }
            Format::Table => {
                head(statement, calendar).print(sink)?;
                writeln!(sink)?;
                let told = told(statement);
                let [_, _, _, in_debt] = told;
                let mut columns: Vec<&'static Column<Line>> = FIRST.iter().collect();
                columns.extend(FIGURES.iter().zip(told).filter(|(_, told)| *told).flat_map(|(figure, _)| figure));
                columns.extend(chosen(NET, &[in_debt]));
                columns.extend(LAST);
                let mut rows = Rows::new(columns).within(width);
                let opening = Line { kind: "opening".into(), after: Some(statement.opening.into()), ..Line::default() };
                rows.add(&opening, sink)?;
                return Ok(Written::Table { rows, width, sink });
            }
            Format::Json => (true, "\"lines\": ["),
            Format::Jsonl => (false, "\"lines\":["),
        };
        let mut text = Vec::new();
        json(statement, calendar, pretty, &mut text)?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        // The lines have their place among the other fields. No text within can look like it: its quotes are escaped.
        let (before, rest) = text.split_once(place).ok_or_else(|| io::Error::other("a statement without lines"))?;
        write!(sink, "{before}{place}")?;
        Ok(Written::Json { rest: rest.into(), any: false, sink })
    }

    fn add(&mut self, entry: &Entry, calendar: &Calendar) -> io::Result<()> {
        match self {
            Written::Table { rows, sink, .. } => rows.add(&line(entry, calendar), *sink),
            Written::Sheet(sheet) => sheet.add(entry),
            Written::Json { any, sink, .. } => {
                let between = if std::mem::replace(any, true) { "," } else { "" };
                sink.write_all(between.as_bytes())?;
                json(entry, calendar, false, sink)
            }
        }
    }

    fn finish(self, statement: &Statement, calendar: &Calendar) -> io::Result<()> {
        match self {
            Written::Table { mut rows, width, sink } => {
                let (total, closing) = (Some(statement.change()), Some(statement.closing.into()));
                let last = Line { kind: "closing".into(), change: total, after: closing, ..Line::default() };
                rows.add(&last, sink)?;
                rows.finish(sink)?;
                sums(statement, width, calendar, sink)
            }
            Written::Sheet(sheet) => sheet.finish(),
            Written::Json { rest, sink, .. } => writeln!(sink, "{rest}"),
        }
    }
}

/// What stands below the lines.
fn sums(statement: &Statement, width: usize, calendar: &Calendar, sink: &mut dyn Write) -> io::Result<()> {
    if !statement.by_kind.is_empty() {
        writeln!(sink, "\nwhere points came from and went")?;
        causes(statement).print(sink)?;
        writeln!(sink, "\nby kind of line")?;
        let columns = KINDS.iter().chain(chosen(KIND_CHANGES, &told(statement)));
        sheet(columns, &kinds(statement), sink)?;
    }
    if !statement.usage.is_empty() {
        writeln!(sink, "\nusage by service")?;
        usage::print(&statement.usage, sink)?;
    }
    if !statement.batches.is_empty() {
        writeln!(sink, "\nbatches as of {}, the soonest to expire first", time_at(calendar, statement.end()))?;
        let expires = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".into(), |at| time_at(calendar, at));
        let mut rows = Rows::new(BATCHES).within(width);
        for batch in &statement.batches {
            rows.add(&Left(expires(batch.expires_at), batch.clone()), sink)?;
        }
        rows.finish(sink)?;
    }
    Ok(())
}

fn head(statement: &Statement, calendar: &Calendar) -> Block {
    let mut block = Block::default();
    let state = statement.state.map_or("-", AccountState::as_str);
    block.add("statement", format!("{} ({state})", statement.account));
    let from = statement.from.map_or_else(|| "the beginning".into(), |from| time_at(calendar, from));
    let past = statement.to.filter(|to| *to <= statement.as_of);
    let to = past.map_or_else(|| format!("now, {}", time_at(calendar, statement.as_of)), |to| time_at(calendar, to));
    block.add("period", format!("{from} until {to}"));
    if past.is_some() {
        block.add("as of", time_at(calendar, statement.as_of));
    }
    block.add("opening", balance_line(&statement.opening));
    block.add("closing", balance_line(&statement.closing));
    if statement.clock_suspect {
        block.add("clock", SUSPECT);
    }
    block.add_some("clock", behind(statement.clock_behind));
    block
}

fn line(entry: &Entry, calendar: &Calendar) -> Line {
    Line {
        booked: time_at(calendar, entry.booked_at),
        kind: entries::kind(entry),
        operation: entries::its_operation(entry),
        batch: entries::its_batch(entry),
        what: entries::what(entry),
        points: entry.points.to_string(),
        change: Some(entry.change),
        after: Some(entry.after),
    }
}

/// The flows, with what moved between the figures, from the opening net to the closing one.
fn causes(statement: &Statement) -> Block {
    let Statement { opening, closing, totals, .. } = statement;
    let mut all = vec![("opening net", opening.net.to_string())];
    let causes = counterfoil_report::causes::causes(totals, &statement.change());
    all.extend(causes.into_iter().map(|(label, points)| (label, format!("{points:+}"))));
    all.push(("closing net", closing.net.to_string()));
    let mut block = Block::default();
    block.add_right(all);
    block
}

fn kinds(statement: &Statement) -> Vec<Kind> {
    let of = |total: &KindTotal| Kind {
        kind: total.kind.as_str(),
        lines: total.lines,
        points: Some(total.points),
        change: total.change,
    };
    let lines = statement.by_kind.iter().fold(0_i64, |sum, kind| sum.saturating_add(kind.lines));
    // Points of different kinds are no sum of anything; what they changed is.
    let all = Kind { kind: "total", lines, points: None, change: statement.change() };
    statement.by_kind.iter().map(of).chain([all]).collect()
}
