//! One export, from its first line to its last: read a page, write it, forget it.

use std::collections::VecDeque;
use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use super::chart::{Chart, Place, Posting, used_in, used_under};
use super::names::line;
use super::read::{Cut, Ended, Line, Reading};
use super::text::{Text, Transaction};
use super::{Export, Program, View};
use crate::error::{Error, Result};
use crate::model::Balances;
use crate::report::{Flows, Look};
use crate::units::sub;

/// Longest text in the line that heads a transaction, in characters; the whole text stands below it.
const SHORT: usize = 80;

/// An export on its way. Reading and writing take turns, so that a slow reader of the text keeps no read transaction open.
pub(crate) struct Run {
    export: Export,
    cut: Cut,
    queue: VecDeque<Reading>,
    /// The last account that was put into the queue; none: there are no more.
    last: Option<i64>,
    current: Option<Current>,
    begun: bool,
    /// The latest day of the whole file, once there was a transfer.
    latest: Option<NaiveDate>,
    transfers: bool,
    /// What was used in all accounts, as the ledger keeps it; none once the books of one went on.
    used: Option<i64>,
    entries: u64,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// The account being exported.
struct Current {
    reading: Reading,
    chart: Chart,
    lines: Vec<Line>,
    ended: Ended,
    /// The day of its last transaction.
    day: Option<NaiveDate>,
}

impl Run {
    pub(crate) fn new(look: &Look<'_, '_>, export: &Export) -> Result<Self> {
        look.begun(&export.period)?;
        let cut = look.cut();
        let mut run = Run {
            export: export.clone(),
            cut,
            queue: VecDeque::new(),
            last: Some(0),
            current: None,
            begun: false,
            latest: None,
            transfers: false,
            used: Some(0),
            entries: 0,
            done: 0,
            total: u64::try_from(cut.length).unwrap_or(0),
        };
        if let Some(id) = &export.account {
            run.last = None;
            if let Some(account) = look.account_named(id)? {
                run.total = u64::try_from(account.entries).unwrap_or(0);
                run.queue.push_back(Reading::new(account.no, account.id));
            }
        }
        Ok(run)
    }

    /// Reads the next page; `false` when everything has been read.
    pub(crate) fn read(&mut self, look: &Look<'_, '_>) -> Result<bool> {
        if self.current.is_none() {
            if let (true, Some(last)) = (self.queue.is_empty(), self.last) {
                let accounts = look.accounts_after(last)?;
                self.last = accounts.last().map(|account| account.no);
                self.queue.extend(accounts.into_iter().map(|account| Reading::new(account.no, account.id)));
            }
            let Some(reading) = self.queue.pop_front() else { return Ok(false) };
            let chart = Chart::new(self.export.program, self.export.view, &reading.id);
            self.current = Some(Current { reading, chart, lines: Vec::new(), ended: Ended::No, day: None });
        }
        if let Some(current) = &mut self.current {
            (current.lines, current.ended) = look.page(&mut current.reading, self.cut, &self.export.period)?;
        }
        Ok(true)
    }

    /// Writes what was read.
    pub(crate) fn write(&mut self, out: &mut dyn Write) -> Result<()> {
        let mut text = Text { program: self.export.program, out };
        self.begin(&mut text)?;
        let Some(mut current) = self.current.take() else { return Ok(()) };
        for line in std::mem::take(&mut current.lines) {
            // Of the file its operations are counted, of one account its entries.
            if self.export.account.is_some() || line.entry.operation.is_some() {
                self.done = self.done.saturating_add(1).min(self.total);
            }
            self.entries = self.entries.saturating_add(1);
            current.line(&mut text, &line, &self.export)?;
        }
        match current.ended {
            Ended::No => {
                self.current = Some(current);
                return Ok(());
            }
            Ended::Open => {
                self.used = None;
                let last = current.day;
                current.open_if_never(&mut text, &self.export)?;
                // beancount is told at the end of the day; and what only opens need not close.
                if let (Some(day), Program::Hledger) = (last, self.export.program) {
                    let postings = current.chart.closing()?;
                    current.other(&mut text, day, "closing balances", postings)?;
                }
            }
            Ended::Whole(balances, totals) => {
                let used = used_in(&totals)?;
                self.used = self.used.and_then(|sum| sum.checked_add(used));
                if let Some(day) = current.day {
                    let postings = current.chart.totals(balances, &totals)?;
                    current.other(&mut text, day, "the ledger's own totals", postings)?;
                }
            }
        }
        current.end_of_day(&mut text)?;
        self.latest = self.latest.max(current.day);
        self.transfers |= current.chart.leaves.contains_key(&Place::Moved);
        Ok(())
    }

    /// Writes the end.
    pub(crate) fn finish(mut self, out: &mut dyn Write) -> Result<()> {
        let mut text = Text { program: self.export.program, out };
        self.begin(&mut text)?;
        if let Some(day) = self.latest {
            if self.transfers && self.export.account.is_none() {
                text.together(day, "all transfers come to nothing", "Equity:Transfers", 0).map_err(unwritten)?;
            }
            if let Some(used) = self.used {
                let (name, used) = (used_under(self.export.view), self.export.view.side(used));
                text.together(day, "what was used, as the ledger's own totals have it", &name, used)
                    .map_err(unwritten)?;
            }
        }
        text.end(self.entries).map_err(unwritten)?;
        text.out.flush().map_err(unwritten)
    }

    fn begin(&mut self, text: &mut Text<'_>) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let Export { program, view, account, period, offset } = &self.export;
        let check = match program {
            Program::Hledger => "hledger check --strict",
            Program::Beancount => "bean-check",
        };
        let view = match view {
            View::Issuer => "issuer",
            View::Holder => "holder",
        };
        let mut remarks = vec![
            format!("Points of a counterfoil ledger, as the {view} of the points sees them. Check with: {check}"),
            format!(
                "As of {}, operation {}. Dates are those of UTC{offset}.",
                stamp(self.cut.time.utc()),
                self.cut.length
            ),
            "Whole only if the last line says how many entries there are.".into(),
        ];
        remarks.extend(account.as_ref().map(|id| format!("Account: {}", line(id.as_str(), &[]))));
        remarks.extend(period.begin().map(|begin| format!("From: {}", stamp(begin))));
        remarks.extend(period.end().map(|end| format!("To: {}", stamp(end))));
        text.header(&remarks).map_err(unwritten)
    }
}

impl Current {
    /// Begins a day: the balances of the day before are stated, and on the first day what the account opens with.
    fn day(&mut self, text: &mut Text<'_>, day: NaiveDate, export: &Export) -> Result<()> {
        if self.day == Some(day) {
            return Ok(());
        }
        match self.day {
            Some(_) => self.end_of_day(text)?,
            None => self.opening(text, export)?,
        }
        self.day = Some(day);
        Ok(())
    }

    fn opening(&mut self, text: &mut Text<'_>, export: &Export) -> Result<()> {
        let Some(begin) = export.period.begin() else { return Ok(()) };
        let Balances { available, held, pending, debt } = self.reading.opening;
        let mut postings = self.chart.balances(self.reading.opening, self.reading.opening)?;
        if postings.is_empty() {
            return Ok(());
        }
        let worth =
            [available, held, pending].iter().try_fold(sub(0, debt)?, |sum, part| crate::units::add(sum, *part))?;
        if worth != 0 {
            postings.push(self.chart.post(Place::Opening, sub(0, worth)?, None)?);
        }
        let day = export.date(begin);
        self.day = Some(day);
        self.other(text, day, "opening balances", postings)
    }

    /// An account in which nothing happened in the period still opens with what it had.
    fn open_if_never(&mut self, text: &mut Text<'_>, export: &Export) -> Result<()> {
        if self.day.is_none() { self.opening(text, export) } else { Ok(()) }
    }

    fn line(&mut self, text: &mut Text<'_>, line: &Line, export: &Export) -> Result<()> {
        let date = export.date(line.date.utc());
        self.day(text, date, export)?;
        let mut postings = self.chart.balances(line.row.change, line.row.after)?;
        self.causes(line, &mut postings)?;
        if postings.is_empty() {
            postings.push(self.chart.post(Place::Available, 0, Some(line.row.after.available))?);
        }
        let facts = facts(line, export.program);
        let told = Transaction { date, account: &self.reading.id, what: what(line), facts, postings };
        text.transaction(&told).map_err(unwritten)
    }

    /// Where the points came from or went.
    fn causes(&mut self, line: &Line, postings: &mut Vec<Posting>) -> Result<()> {
        let flows = Flows::of(&line.row)?;
        let (promo, source) = match &line.source {
            Some((promo, source)) => (*promo, Some(source.clone())),
            None => (false, None),
        };
        let causes = [
            (Place::Recharged(promo, source.clone()), sub(0, flows.recharged)?),
            (Place::Used(line.service.clone()), flows.used),
            (Place::Expired, flows.expired),
            (Place::Revoked(promo, source), flows.revoked),
            (Place::WrittenOff, sub(0, flows.written_off)?),
            (Place::Moved, sub(flows.moved_out, flows.moved_in)?),
        ];
        for (place, points) in causes {
            if points != 0 {
                postings.push(self.chart.post(place, points, None)?);
            }
        }
        Ok(())
    }

    /// A transaction that is no entry of the ledger.
    fn other(&mut self, text: &mut Text<'_>, date: NaiveDate, what: &str, postings: Vec<Posting>) -> Result<()> {
        if postings.is_empty() {
            return Ok(());
        }
        let (account, facts) = (&self.reading.id, Vec::new());
        text.transaction(&Transaction { date, account, what: what.into(), facts, postings }).map_err(unwritten)
    }

    fn end_of_day(&mut self, text: &mut Text<'_>) -> Result<()> {
        let Some(day) = self.day else { return Ok(()) };
        let mut first = text.program == Program::Beancount;
        for leaf in self.chart.leaves.values_mut().filter(|leaf| leaf.touched) {
            leaf.touched = false;
            if std::mem::take(&mut first) {
                writeln!(text.out).map_err(unwritten)?;
            }
            text.end_of_day(day, &leaf.name, leaf.sum).map_err(unwritten)?;
        }
        Ok(())
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What an entry was, in a few words.
fn what(line: &Line) -> String {
    let entry = &line.entry;
    let mut what = entry.kind.replace('_', " ");
    for name in line.service.iter().chain(&entry.source) {
        what = format!("{what} {name}");
    }
    let texts = [&entry.description, &entry.reason, &entry.reference];
    if let Some(text) = texts.into_iter().flatten().next() {
        what = format!("{what}: {}", text.replace('\n', " "));
    }
    match what.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", what.get(..end).unwrap_or_default()),
        None => what,
    }
}

/// Everything else an entry says.
fn facts(line: &Line, program: Program) -> Vec<(&'static str, String)> {
    let entry = &line.entry;
    let mut facts = vec![("entry", entry.n.to_string()), ("kind", entry.kind.to_string())];
    let mut add = |name, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    add("booked", Some(stamp(entry.booked_at)));
    add("occurred", entry.occurred_at.map(stamp));
    add("operation", entry.operation.map(|id| id.to_string()));
    add("batch", entry.batch.map(|id| id.to_string()));
    add("counterparty", entry.counterparty.as_ref().map(ToString::to_string));
    add("refers_to", entry.refers_to.map(|id| id.to_string()));
    add("service", line.service.clone());
    add("quantity", entry.quantity.clone());
    add("unit", entry.unit.clone());
    add("source", entry.source.clone());
    add("reference", entry.reference.clone());
    add("description", entry.description.clone());
    add("reason", entry.reason.clone());
    add("actor", entry.actor.clone());
    add("metadata", entry.metadata.as_ref().and_then(|object| serde_json::to_string(object).ok()));
    add("unbooked", entry.unbooked.then(|| "true".into()));
    if program == Program::Beancount {
        let Balances { available, held, pending, debt } = line.row.after;
        add("after", Some(format!("available {available}, held {held}, pending {pending}, debt {debt}")));
    }
    facts
}

fn unwritten(error: io::Error) -> Error {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let message = format!("the export could not be written: {error}");
    match error.kind() {
        StorageFull | QuotaExceeded => Error::DiskFull { message },
        _ => Error::Storage { message },
    }
}
