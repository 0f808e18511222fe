//! Answers, in the format asked for, to stdout or to a file.

mod blocks;
mod entries;
pub(crate) mod explained;
mod findings;
mod overview;
mod sheets;
mod sink;
mod statement;
mod table;
mod usage;

use std::io::Write;

use counterfoil::answer::Answer;
use counterfoil::report::Calendar;
use counterfoil::{Error, Ledger, Page, Question};
use counterfoil_report::json;
use counterfoil_report::sheet::Lines;
use serde::Serialize;

pub(crate) use blocks::balance_line;
pub(crate) use counterfoil_report::quantity::amount;
pub(crate) use counterfoil_report::safe;
pub(crate) use entries::{AnyLine, Line};
pub(crate) use findings::{Advised, Diagnosis};
pub(crate) use sheets::{Expiring, Listed, PriceFault, Shown, Sweep};
pub(crate) use sink::{Sink, same_file};
pub(crate) use table::{Block, figure, time};

use crate::args::{Format, Paging};
use crate::exit::Failure;
use crate::notes::Notes;

/// Items asked of the library at a time.
const PAGE: usize = 500;

/// Where answers go, and how they are written.
pub(crate) struct Out {
    format: Format,
    notes: Notes,
    sink: Sink,
    /// By whose clocks programs are told times.
    calendar: Calendar,
}

impl Out {
    pub(crate) fn new(format: Format, notes: Notes, sink: Sink) -> Self {
        Out { format, notes, sink, calendar: Calendar::default() }
    }

    /// Tells times by the clocks of a calendar.
    pub(crate) fn clock(&mut self, calendar: Calendar) {
        self.calendar = calendar;
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// One thing.
    pub(crate) fn one<T: Shown>(&mut self, item: &T) -> Result<(), Failure> {
        match self.format {
            Format::Table => item.block().print(&mut self.sink).map_err(|error| Failure::write(&error))?,
            Format::Json => self.json(item, true)?,
            Format::Jsonl => self.json(item, false)?,
            Format::Csv => {
                let mut lines = Lines::new(T::CSV, &mut self.sink).calendar(&self.calendar);
                lines
                    .add(&item.row().map_err(unserializable)?)
                    .and_then(|()| lines.finish())
                    .map_err(|error| Failure::write(&error))?;
            }
        }
        self.flush()
    }

    /// One thing that people are told as a text.
    pub(crate) fn told<T: Serialize>(&mut self, item: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(item, true)?,
            Format::Jsonl => self.json(item, false)?,
            Format::Table | Format::Csv => self.text(&text(item))?,
        }
        self.flush()
    }

    /// A value as JSON on a line, or on several.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, item: &T, pretty: bool) -> Result<(), Failure> {
        let written = json(item, &self.calendar, pretty, &mut self.sink);
        written.and_then(|()| self.sink.write_all(b"\n")).map_err(|error| Failure::write(&error))
    }

    /// Lines of plain text, for what is no list and no single thing.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.sink, "{}", safe::lines(text)).map_err(|error| Failure::write(&error))
    }

    /// Bytes that are what was asked for as they are: a script, a manual page.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.sink.write_all(bytes).map_err(|error| Failure::write(&error))?;
        self.flush()
    }

    /// Whether somebody sees the answers as they are written.
    pub(crate) fn is_watched(&self) -> bool {
        self.sink.is_terminal()
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.sink.flush().map_err(|error| Failure::write(&error))
    }

    /// A list that is there as a whole; whether there was anything in it.
    pub(crate) fn all<T: Listed>(&mut self, items: &[T]) -> Result<bool, Failure> {
        self.items(|add| items.iter().try_for_each(add))
    }

    /// A list read page by page, so that a long one needs no memory; whether there was anything in it. `shown` makes of an
    /// item what is shown.
    pub(crate) fn pages<I, T: Listed>(
        &mut self,
        ledger: &Ledger,
        paging: &Paging,
        question: &Question,
        shown: impl Fn(I) -> T,
    ) -> Result<bool, Failure>
    where
        Page<I>: TryFrom<Answer, Error = Error>,
    {
        let mut next = None;
        let any = self.items(|add| {
            next = pages(ledger, paging, question, |item| add(&shown(item)))?;
            Ok(())
        })?;
        if let Some(cursor) = next {
            self.notes.next(&cursor);
        }
        Ok(any)
    }

    /// Where the bytes go, for what has a format of its own.
    pub(crate) fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// Writes the items that `each` hands over, one by one; whether there was any.
    fn items<T: Listed>(
        &mut self,
        each: impl FnOnce(&mut dyn FnMut(&T) -> Result<(), Failure>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let mut empty = true;
        let (sink, calendar) = (&mut self.sink, &self.calendar);
        let failed = |error: std::io::Error| Failure::write(&error);
        match self.format {
            Format::Table => {
                let mut rows = table::Rows::new(T::COLUMNS);
                if T::FITS {
                    rows = rows.within(sink.width());
                }
                each(&mut |item| {
                    empty = false;
                    rows.add(item, sink).map_err(failed)
                })?;
                rows.finish(sink).map_err(failed)?;
            }
            Format::Json => {
                each(&mut |item| {
                    let before: &[u8] = if empty { b"[\n" } else { b",\n" };
                    empty = false;
                    sink.write_all(before).and_then(|()| json(item, calendar, false, sink)).map_err(failed)
                })?;
                writeln!(sink, "{}", if empty { "[]" } else { "\n]" }).map_err(failed)?;
            }
            Format::Jsonl => each(&mut |item| {
                empty = false;
                json(item, calendar, false, sink).and_then(|()| sink.write_all(b"\n")).map_err(failed)
            })?,
            Format::Csv => {
                let mut lines = Lines::new(T::CSV, sink).calendar(calendar);
                each(&mut |item| {
                    empty = false;
                    lines.add(&item.row().map_err(unserializable)?).map_err(failed)
                })?;
                lines.finish().map_err(failed)?;
            }
        }
        self.flush()?;
        Ok(!empty)
    }

    /// Whatever happens, what has been answered stays, also in a file.
    pub(crate) fn keep(&mut self) {
        self.sink.keep();
    }

    /// Everything was answered: a file asked for gets its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.sink.finish()
    }
}

/// Hands over the items of a list one by one, page after page; where the next page begins, when as many as were wanted are told.
fn pages<I>(
    ledger: &Ledger,
    paging: &Paging,
    question: &Question,
    mut each: impl FnMut(I) -> Result<(), Failure>,
) -> Result<Option<String>, Failure>
where
    Page<I>: TryFrom<Answer, Error = Error>,
{
    let mut left = paging.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut cursor = paging.after.clone();
    loop {
        let asked = question.clone().with("limit", left.min(PAGE)).with("after", cursor);
        let found = Page::<I>::try_from(ledger.ask(&asked)?)?;
        left = left.saturating_sub(found.items.len());
        found.items.into_iter().try_for_each(&mut each)?;
        if found.next.is_none() || left == 0 {
            return Ok(found.next);
        }
        cursor = found.next;
    }
}

fn unserializable(error: serde_json::Error) -> Failure {
    Failure::Io { message: format!("the answer could not be written as JSON: {error}"), help: String::new() }
}
