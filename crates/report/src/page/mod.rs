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
use counterfoil::report::Statement;

use batches::{Batches, Month};
use chart::Chart;
use lines::Line;
use sums::{Figure, Sum, Usage};
use words::{Stamp, strict};

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
    offset: FixedOffset,
}

impl<'s> StatementPage<'s> {
    /// The page of a statement, its times in UTC.
    pub fn new(statement: &'s Statement) -> Self {
        StatementPage { statement, ledger: None, offset: Utc.fix() }
    }

    /// Names the ledger it is from: the id in [`Ledger::info`](counterfoil::Ledger::info).
    pub fn ledger(mut self, ledger: impl fmt::Display) -> Self {
        self.ledger = Some(ledger.to_string());
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
            period: words::period(statement, offset),
            zone: words::zone(offset),
            made: Stamp::new(statement.as_of, offset),
            as_of: statement.as_of.with_timezone(&offset).format("%-d %b %Y").to_string(),
            notices: sums::notices(statement),
            headline: sums::headline(statement),
            last: words::last(statement, offset),
            figures: sums::figures(statement),
            sums: sums::sums(statement),
            chart: Chart::new(statement, offset),
            months,
            later,
            never: batches::never(&statement.batches),
            usage: Usage::new(&statement.usage),
            batches: Batches::new(statement, offset),
            lines: statement.lines.iter().map(|entry| Line::new(entry, offset)).collect(),
        }
    }
}
