//! A journal of double entries, one transaction an entry, every figure with the balance after it: what hledger and beancount
//! have in common.

use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, Utc};
use counterfoil::answer::{Balances, Figures, Totals};
use counterfoil::report::{Calendar, WalkLine, WalkStep};
use counterfoil::{AccountId, EntryKind};

use super::chart::{Chart, Place, consumed_in, consumed_under, side};
use super::names::line;
use super::{Export, ExportError, View, Writer};
use crate::dates::stamp;

/// Longest text in the line that heads a transaction, in characters; the whole text stands below it.
const SHORT: usize = 80;

/// How a program writes what a journal says.
pub(super) trait Syntax: Sync {
    /// The command that checks a text.
    fn check(&self) -> &'static str;

    /// What makes a line a remark.
    fn remark(&self) -> &'static str;

    /// What stands above the first account.
    fn preamble(&self) -> &'static str;

    /// Whether balances are stated at the end of a day, rather than at each posting.
    fn states_days(&self) -> bool;

    /// A text as one part of an account name; every text its own.
    fn part(&self, text: &str) -> String;

    /// Declares an account; `id` is the ledger's name for whose it is.
    fn open(&self, out: &mut dyn Write, date: NaiveDate, name: &str, id: Option<&AccountId>) -> io::Result<()>;

    /// A transaction without its postings.
    fn head(&self, out: &mut dyn Write, told: &Transaction<'_>) -> io::Result<()>;

    fn posting(&self, out: &mut dyn Write, posting: &Posting) -> io::Result<()>;

    /// What an account has come to by the end of a day.
    fn end_of_day(&self, out: &mut dyn Write, day: NaiveDate, name: &str, sum: i128) -> io::Result<()>;

    /// What all accounts below a name come to together.
    fn together(&self, out: &mut dyn Write, day: NaiveDate, what: &str, name: &str, sum: i128) -> io::Result<()>;
}

/// A transaction, in words that are not escaped yet.
pub(super) struct Transaction<'t> {
    pub(super) date: NaiveDate,
    pub(super) account: &'t AccountId,
    pub(super) what: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) postings: Vec<Posting>,
}

/// One line of a transaction.
#[derive(Debug)]
pub(super) struct Posting {
    pub(super) name: String,
    pub(super) amount: i128,
    /// The balance after it.
    pub(super) after: i128,
    /// Its first use.
    pub(super) new: bool,
}

/// A journal being written.
pub(super) struct Journal<'w> {
    syntax: &'static dyn Syntax,
    export: Export,
    out: &'w mut dyn Write,
    current: Option<Current>,
    /// The latest day of all accounts.
    latest: Option<NaiveDate>,
    transfers: bool,
    /// What was consumed in all accounts, less what was refunded, as the ledger keeps it; none once that of one is not told.
    consumed: Option<i128>,
    entries: u64,
}

/// The account being written.
struct Current {
    id: AccountId,
    opening: Balances,
    chart: Chart,
    /// The day of its last transaction.
    day: Option<NaiveDate>,
}

impl<'w> Journal<'w> {
    pub(super) fn new(syntax: &'static dyn Syntax, export: &Export, out: &'w mut dyn Write) -> Self {
        let export = export.clone();
        Journal { syntax, export, out, current: None, latest: None, transfers: false, consumed: Some(0), entries: 0 }
    }

    fn begin(&mut self, as_of: DateTime<Utc>, operations: i64) -> io::Result<()> {
        let Export { view, account, period, calendar, .. } = &self.export;
        let view = match view {
            View::Issuer => "issuer",
            View::Holder => "holder",
        };
        let check = self.syntax.check();
        let mut remarks = vec![
            format!("Points of a counterfoil ledger, as the {view} of the points sees them. Check with: {check}"),
            format!(
                "As of {}, operation {operations}. Dates are those of {}.",
                stamp(calendar, as_of),
                dates_of(calendar)
            ),
            "Whole only if the last line says how many entries there are.".into(),
        ];
        remarks.extend(account.as_ref().map(|id| format!("Account: {}", line(id.as_str(), &[]))));
        remarks.extend(period.begin().map(|begin| format!("From: {}", stamp(calendar, begin))));
        remarks.extend(period.end().map(|end| format!("To: {}", stamp(calendar, end))));
        for remark in remarks {
            writeln!(self.out, "{}{}", self.syntax.remark(), line(&remark, &[]))?;
        }
        self.out.write_all(self.syntax.preamble().as_bytes())
    }

    fn line(&mut self, current: &mut Current, line: &WalkLine) -> Result<(), ExportError> {
        self.entries += 1;
        let date = self.export.date(line.date);
        self.day(current, date)?;
        let mut postings = current.chart.balances(&line.entry.change, &line.entry.after);
        current.causes(line, &mut postings)?;
        if postings.is_empty() {
            postings.push(current.chart.post(Place::Available, 0, Some(line.entry.after.available)));
        }
        let facts = self.facts(line);
        Ok(self.transaction(&Transaction { date, account: &current.id, what: what(line), facts, postings })?)
    }

    /// Begins a day: the balances of the day before are stated, and on the first day what the account opens with.
    fn day(&mut self, current: &mut Current, day: NaiveDate) -> io::Result<()> {
        if current.day == Some(day) {
            return Ok(());
        }
        match current.day {
            Some(_) => self.end_of_day(current)?,
            None => self.opening(current)?,
        }
        current.day = Some(day);
        Ok(())
    }

    fn opening(&mut self, current: &mut Current) -> io::Result<()> {
        let Some(begin) = self.export.period.begin() else { return Ok(()) };
        let Balances { available, held, pending, debt, .. } = current.opening;
        let mut postings = current.chart.balances(&current.opening, &current.opening);
        if postings.is_empty() {
            return Ok(());
        }
        let worth = i128::from(available) + i128::from(held) + i128::from(pending) - i128::from(debt);
        if worth != 0 {
            postings.push(current.chart.post(Place::Opening, -worth, None));
        }
        let day = self.export.date(begin);
        current.day = Some(day);
        self.other(current, day, "opening balances", postings)
    }

    fn end(&mut self, mut current: Current, kept: Option<&(Figures, Totals)>) -> io::Result<()> {
        // The totals a device keeps are its hub's, of lines that are not here.
        match kept.filter(|_| !current.chart.leaves.contains_key(&Place::Reconciled)) {
            None => {
                self.consumed = None;
                let last = current.day;
                // An account in which nothing happened in the period still opens with what it had.
                if last.is_none() {
                    self.opening(&mut current)?;
                }
                // Balances are told at the end of the day otherwise; and what only opens need not close.
                if let (Some(day), false) = (last, self.syntax.states_days()) {
                    let postings = current.chart.closing();
                    self.other(&current, day, "closing balances", postings)?;
                }
            }
            Some((figures, totals)) => {
                self.consumed = self.consumed.map(|sum| sum + i128::from(consumed_in(totals)));
                if let Some(day) = current.day {
                    let postings = current.chart.totals(figures, totals);
                    self.other(&current, day, "the ledger's own totals", postings)?;
                }
            }
        }
        self.end_of_day(&mut current)?;
        self.latest = self.latest.max(current.day);
        self.transfers |= current.chart.leaves.contains_key(&Place::Moved);
        Ok(())
    }

    /// A transaction that is no entry of the ledger.
    fn other(&mut self, current: &Current, date: NaiveDate, what: &str, postings: Vec<Posting>) -> io::Result<()> {
        if postings.is_empty() {
            return Ok(());
        }
        let facts = Vec::new();
        self.transaction(&Transaction { date, account: &current.id, what: what.into(), facts, postings })
    }

    fn transaction(&mut self, told: &Transaction<'_>) -> io::Result<()> {
        if told.postings.iter().any(|posting| posting.new) {
            writeln!(self.out)?;
        }
        for posting in told.postings.iter().filter(|posting| posting.new) {
            self.syntax.open(self.out, told.date, &posting.name, Some(told.account))?;
        }
        writeln!(self.out)?;
        self.syntax.head(self.out, told)?;
        told.postings.iter().try_for_each(|posting| self.syntax.posting(self.out, posting))
    }

    fn end_of_day(&mut self, current: &mut Current) -> io::Result<()> {
        let Some(day) = current.day else { return Ok(()) };
        let mut first = self.syntax.states_days();
        for leaf in current.chart.leaves.values_mut().filter(|leaf| leaf.touched) {
            leaf.touched = false;
            if std::mem::take(&mut first) {
                writeln!(self.out)?;
            }
            self.syntax.end_of_day(self.out, day, &leaf.name, leaf.sum)?;
        }
        Ok(())
    }

    fn together(&mut self, day: NaiveDate, what: &str, name: &str, sum: i128) -> io::Result<()> {
        writeln!(self.out)?;
        self.syntax.open(self.out, day, name, None)?;
        self.syntax.together(self.out, day, what, name, sum)
    }

    /// Everything else an entry says.
    fn facts(&self, line: &WalkLine) -> Vec<(&'static str, String)> {
        let entry = &line.entry;
        let mut facts = vec![("entry", entry.n.to_string()), ("kind", entry.kind.to_string())];
        let mut add = |name, text: Option<String>| facts.extend(text.map(|text| (name, text)));
        add("booked", Some(stamp(&self.export.calendar, entry.booked_at)));
        add("occurred", entry.occurred_at.map(|at| stamp(&self.export.calendar, at)));
        add("sequence", entry.sequence.map(|number| number.to_string()));
        add("operation", entry.operation.map(|id| id.to_string()));
        add("batch_number", entry.batch_number.clone());
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
        add("metadata", entry.metadata.as_ref().map(ToString::to_string));
        add("unbooked", entry.unbooked.then(|| "true".into()));
        if self.syntax.states_days() {
            let Balances { available, held, pending, debt, .. } = entry.after;
            add("after", Some(format!("available {available}, held {held}, pending {pending}, debt {debt}")));
        }
        facts
    }
}

impl Writer for Journal<'_> {
    fn step(&mut self, step: &WalkStep) -> Result<(), ExportError> {
        match step {
            WalkStep::Begin { as_of, operations } => self.begin(*as_of, *operations)?,
            WalkStep::Account { account, opening, .. } => {
                let chart = Chart::new(self.syntax, self.export.view, account);
                self.current = Some(Current { id: account.clone(), opening: *opening, chart, day: None });
            }
            WalkStep::Line(line) => {
                if let Some(mut current) = self.current.take() {
                    self.line(&mut current, line)?;
                    self.current = Some(current);
                }
            }
            WalkStep::End { kept } => {
                if let Some(current) = self.current.take() {
                    self.end(current, kept.as_ref())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The last line says that nothing was broken off.
    fn finish(&mut self) -> Result<(), ExportError> {
        if let Some(day) = self.latest {
            if self.transfers && self.export.account.is_none() {
                self.together(day, "all transfers come to nothing", "Equity:Transfers", 0)?;
            }
            if let Some(consumed) = self.consumed {
                let (name, consumed) = (consumed_under(self.export.view), side(self.export.view, consumed));
                self.together(
                    day,
                    "what was consumed less what was refunded, as the ledger's own totals have it",
                    &name,
                    consumed,
                )?;
            }
        }
        let entries = if self.entries == 1 { "1 entry".into() } else { format!("{} entries", self.entries) };
        writeln!(self.out, "\n{}End: {entries}.", self.syntax.remark())?;
        Ok(self.out.flush()?)
    }
}

impl Current {
    /// Where the points came from or went.
    fn causes(&mut self, line: &WalkLine, postings: &mut Vec<Posting>) -> Result<(), ExportError> {
        let totals = line.entry.totals()?;
        let (promo, source) = (line.promo, || line.source.clone());
        let causes = [
            (Place::Recharged(promo, source()), -totals.recharged),
            (Place::Consumed(line.service.clone()), consumed_in(&totals)),
            (Place::Expired, totals.expired - totals.reinstated),
            (Place::Revoked(promo, source()), totals.revoked + totals.clawed_back),
            (Place::WrittenOff, -totals.written_off),
            (Place::Moved, totals.moved_out - totals.moved_in),
        ];
        let change = &line.entry.change;
        let told = match line.entry.kind {
            EntryKind::Reconcile => change.debt - change.available - change.held - change.pending,
            _ => 0,
        };
        let causes = causes.into_iter().chain([(Place::Reconciled, told)]);
        let moved = causes.filter(|(_, points)| *points != 0);
        postings.extend(moved.map(|(place, points)| self.chart.post(place, points.into(), None)));
        Ok(())
    }
}

fn dates_of(calendar: &Calendar) -> String {
    calendar.name().map_or_else(|| format!("UTC{calendar}"), str::to_string)
}

/// What an entry was, in a few words.
fn what(line: &WalkLine) -> String {
    let entry = &line.entry;
    let mut what = entry.kind.as_str().replace('_', " ");
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
