//! A statement as one HTML page that needs nothing but itself. What it shows is worked out here, in integers and text;
//! how it looks is `templates/`.

mod batches;
mod chart;
mod lines;
mod sums;
mod ticks;
mod words;

use askama::Template;
use chrono::FixedOffset;
use counterfoil::Statement;

use batches::{Batches, Month};
use chart::Chart;
use lines::Line;
use sums::{Figure, Sum, Usage};
use words::{Stamp, strict};

use crate::exit::Failure;

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

/// Everything on the page, as it is shown.
#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    account: String,
    ledger: String,
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

/// The page. `ledger` names the file it is from; times are told as clocks at `offset` show them.
pub(crate) fn html(statement: &Statement, ledger: &str, offset: FixedOffset) -> Result<String, Failure> {
    let (months, later) = batches::calendar(&statement.batches, offset);
    let page = Page {
        account: strict(statement.account.as_str()),
        ledger: strict(ledger),
        period: words::period(statement, offset),
        zone: words::zone(offset),
        made: Stamp::new(statement.as_of, offset),
        as_of: statement.as_of.with_timezone(&offset).format("%-d %b %Y").to_string(),
        notices: sums::notices(statement),
        headline: sums::headline(statement),
        last: words::last(statement, offset),
        figures: sums::figures(statement),
        sums: sums::sums(statement),
        chart: chart::chart(statement, offset)?,
        months,
        later,
        never: batches::never(&statement.batches),
        usage: Usage::new(&statement.usage),
        batches: Batches::new(statement, offset),
        lines: statement.lines.iter().map(|entry| Line::new(entry, offset)).collect(),
    };
    page.render().map_err(|error| Failure::Io {
        message: format!("the page could not be written: {error}"),
        help: "ask for it in another format, and report this".into(),
    })
}
