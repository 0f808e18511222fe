//! A statement as one HTML page that needs nothing but itself. What it shows is worked out here, in integers and text;
//! how it looks is `templates/`.

mod batches;
mod chart;
mod lines;
mod sums;
mod ticks;
mod words;

use std::fmt;

use askama::Template;
use chrono::{FixedOffset, Offset, Utc};
use counterfoil::Figures;
use counterfoil::report::Statement;

use batches::{Batches, Month};
use chart::{Chart, Curve};
use lines::Line;
use sums::{Figure, Sum, Usage};
use words::{Stamp, free, strict};

/// What the template calls.
#[allow(unreachable_pub, reason = "the macro makes a public type of the function")]
mod filters {
    use askama::filters::Safe;

    /// A name or a number, broken only where a reader would break it.
    #[askama::filter_fn]
    pub(super) fn soft<T: std::fmt::Display>(text: T, _: &dyn askama::Values) -> askama::Result<Safe<String>> {
        Ok(Safe(super::words::soft(&text.to_string())))
    }
}

/// A statement as one HTML page: figures, how they add up, the balance over time, what expires when, usage, batches, lines.
/// Displaying it writes it. It holds no script and asks for nothing from elsewhere; by day, by night, on a phone and on paper.
///
/// ```
/// use counterfoil::{AccountId, Key, Ledger, Period, Points, Recharge};
/// use counterfoil_report::StatementPage;
///
/// # let folder = tempfile::tempdir()?;
/// let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let alice = AccountId::new("alice")?;
/// ledger.recharge(&alice, &Key::new("order:881")?, Recharge::new(Points::new(320)?, "wxpay"))?;
/// let statement = ledger.statement(&alice, &Period::all())?;
/// let page = StatementPage::new(&statement).to_string();
/// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("320"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct StatementPage<'s> {
    statement: &'s Statement,
    ledger: Option<String>,
    issuer: Option<String>,
    number: Option<String>,
    offset: FixedOffset,
}

impl<'s> StatementPage<'s> {
    /// The page of a statement, its times in UTC.
    pub fn new(statement: &'s Statement) -> Self {
        StatementPage { statement, ledger: None, issuer: None, number: None, offset: Utc.fix() }
    }

    /// Names the ledger it is from: the id in [`Ledger::info`](counterfoil::Ledger::info).
    pub fn ledger(mut self, ledger: impl fmt::Display) -> Self {
        self.ledger = Some(ledger.to_string());
        self
    }

    /// Who issues it: a line at the top, such as a company's name and address.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The number of the statement in the issuer's books.
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// Tells times as clocks at this offset from UTC show them.
    pub fn offset(mut self, offset: FixedOffset) -> Self {
        self.offset = offset;
        self
    }
}

impl fmt::Display for StatementPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Page::new(self).render_into(f).map_err(|_| fmt::Error)
    }
}

/// Everything on the page, as it is shown.
#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    account: String,
    ledger: Option<String>,
    issuer: Option<String>,
    number: Option<String>,
    /// Some number needs the room of two.
    long: bool,
    period: String,
    zone: String,
    made: Stamp,
    /// The day of what is told of the present, whatever the period.
    as_of: String,
    notices: Vec<String>,
    /// What matters first: what can be spent, or what is owed.
    headline: (&'static str, String),
    /// The day of the headline, when the period is over.
    last: Option<String>,
    figures: Vec<Figure>,
    sums: Vec<Sum>,
    chart: Option<Chart>,
    months: Vec<Month>,
    later: Vec<batches::Due>,
    never: Option<String>,
    usage: Usage,
    batches: Batches,
    lines: Vec<Line>,
}

impl Page {
    fn new(page: &StatementPage<'_>) -> Self {
        let (statement, offset) = (page.statement, page.offset);
        let (months, later) = batches::calendar(&statement.batches, offset);
        Page {
            account: strict(statement.account.as_str()),
            ledger: page.ledger.as_deref().map(strict),
            issuer: page.issuer.as_deref().map(free),
            number: page.number.as_deref().map(free),
            long: is_long(statement),
            period: words::period(statement, offset),
            zone: words::zone(offset),
            made: Stamp::new(statement.as_of, offset),
            as_of: statement.as_of.with_timezone(&offset).format("%-d %b %Y").to_string(),
            notices: sums::notices(statement),
            headline: sums::headline(statement),
            last: words::last(statement, offset),
            figures: sums::figures(statement),
            sums: sums::sums(statement),
            chart: chart(statement, offset),
            months,
            later,
            never: batches::never(&statement.batches),
            usage: Usage::new(&statement.usage),
            batches: Batches::new(statement, offset),
            lines: statement.lines.iter().map(|entry| Line::new(entry, offset)).collect(),
        }
    }
}

/// Whether some number has more than three groups of digits.
fn is_long(statement: &Statement) -> bool {
    let figures = |figures: &Figures| [figures.available, figures.held, figures.pending, figures.debt];
    let used = statement.usage.iter().map(|line| line.points);
    let lines = statement.lines.iter().flat_map(|line| [line.points, line.after.net()]);
    let all = figures(&statement.opening).into_iter().chain(figures(&statement.closing)).chain(used).chain(lines);
    all.into_iter().any(|n| n.unsigned_abs() >= 1_000_000_000)
}

/// The balance over time; none when there is nothing to see.
fn chart(statement: &Statement, offset: FixedOffset) -> Option<Chart> {
    let now = statement.as_of.timestamp_millis();
    let mut latest = now;
    // What a wrong clock dated is no later than what was booked after it.
    let dates = statement.lines.iter().rev().map(|entry| {
        latest = latest.min(entry.booked_at.timestamp_millis());
        latest
    });
    let mut dates: Vec<i64> = dates.collect();
    dates.reverse();
    let end = statement.to.map_or(now, |to| to.timestamp_millis().min(now));
    let mut curve = Curve::new(statement, *dates.first()?, end);
    dates.into_iter().zip(&statement.lines).for_each(|(at, entry)| curve.add(at, entry));
    Some(curve.chart(offset))
}
