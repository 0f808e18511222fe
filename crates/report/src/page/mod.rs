//! A statement as one HTML page that needs nothing but itself. What it shows is worked out here, in integers and text;
//! how it looks is `templates/`.

mod batches;
mod chart;
mod days;
mod lines;
mod sums;
mod ticks;
mod words;

use std::io::Write;

use askama::Template;
use counterfoil::answer::Figures;
use counterfoil::error::Watched;
use counterfoil::report::{Calendar, Statement, StatementStep, WalkLine};
use counterfoil::{AccountId, Ledger, Period, Points};

use crate::ExportError;
use batches::{Batches, Month};
use chart::{Chart, Curve};
use days::Lines;
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
/// It holds no script and asks for nothing from elsewhere; by day, by night, on a phone and on paper. The page of a period that
/// is over is the same whenever it is made, as long as no clock is set back.
///
/// Memory is bounded whatever the length of the books. Of a busy period the lines are told day by day (of a long one month by
/// month, or year by year): the sums of each, and some thousand lines one by one, to be unfolded.
///
/// ```
/// use counterfoil::{AccountId, Key, Ledger, Points, Recharge};
/// use counterfoil_report::StatementPage;
///
/// # let folder = tempfile::tempdir()?;
/// let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let alice = AccountId::new("alice")?;
/// ledger.recharge(&alice, &Key::new("order:881")?, Recharge::new(Points::new(320)?, "wxpay"))?;
/// let mut page = Vec::new();
/// StatementPage::new(&alice).issuer("Mountain Studio").write(&ledger, &mut page)?;
/// let page = String::from_utf8(page)?;
/// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Mountain Studio") && page.contains("320"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct StatementPage {
    account: AccountId,
    period: Period,
    issuer: Option<String>,
    number: Option<String>,
    calendar: Calendar,
}

impl StatementPage {
    /// The page of an account's whole life, its times in UTC.
    pub fn new(account: &AccountId) -> Self {
        StatementPage {
            account: account.clone(),
            period: Period::all(),
            issuer: None,
            number: None,
            calendar: Calendar::default(),
        }
    }

    /// Of a period.
    pub fn within(mut self, period: Period) -> Self {
        self.period = period;
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

    /// Tells times as clocks of this calendar show them: at an offset from UTC, or of a [`zone`](crate::zone). Where clocks are
    /// changed within the period each line tells its offset.
    pub fn calendar(mut self, calendar: impl Into<Calendar>) -> Self {
        self.calendar = calendar.into();
        self
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the ledger refuses, as [`Ledger::statement`] does; or what the writer says.
    pub fn write(&self, ledger: &Ledger, out: &mut dyn Write) -> Result<(), ExportError> {
        self.write_with(ledger, out, |_, _| {})
    }

    /// The same, telling how far it is: so many of so many steps.
    ///
    /// # Errors
    /// `cancelled` when `progress` stops it (`Watched`), and as for [`write`](Self::write).
    pub fn write_with<W: Watched>(
        &self,
        ledger: &Ledger,
        out: &mut dyn Write,
        mut progress: impl FnMut(u64, u64) -> W,
    ) -> Result<(), ExportError> {
        let (mut making, mut read): (Option<Making>, u64) = (None, 0);
        ledger.statement_steps(&self.account, &self.period, |step| {
            match step {
                StatementStep::Reading { done, lines } => {
                    read = done.unsigned_abs();
                    progress(read, lines.unsigned_abs().saturating_mul(2)).go_on("the statement")?;
                }
                StatementStep::Head(head) => making = Some(Making::new(*head, &self.calendar)),
                StatementStep::Line(line) => {
                    if let Some(making) = &mut making {
                        making.add(&line);
                        progress(read.saturating_add(making.told), read.saturating_mul(2)).go_on("the statement")?;
                    }
                }
                _ => {}
            }
            Ok::<(), ExportError>(())
        })?;
        match making {
            Some(making) => {
                let info = ledger.info()?;
                Page::new(self, making, info.ledger.to_string()).write_into(out).map_err(ExportError::Write)
            }
            None => Ok(()),
        }
    }
}

/// The page while lines come past.
struct Making {
    head: Statement,
    curve: Option<Curve>,
    lines: Lines,
    told: u64,
    /// The largest number.
    largest: u64,
}

impl Making {
    fn new(head: Statement, calendar: &Calendar) -> Self {
        let figures =
            |figures: &Figures| [figures.available, figures.held, figures.pending, figures.debt].map(Points::get);
        let used = head.usage.iter().map(|line| line.points);
        let all = figures(&head.opening).into_iter().chain(figures(&head.closing)).chain(used);
        let largest = all.map(i64::unsigned_abs).max().unwrap_or(0);
        let lines = Lines::new(&head, calendar);
        Making { head, curve: None, lines, told: 0, largest }
    }

    fn add(&mut self, line: &WalkLine) {
        self.told = self.told.saturating_add(1);
        let (at, head) = (line.date.min(self.head.as_of).timestamp_millis(), &self.head);
        self.curve.get_or_insert_with(|| Curve::new(head, at, head.end().timestamp_millis())).add(at, &line.entry);
        let numbers = [line.entry.points.get(), line.entry.after.net()].map(i64::unsigned_abs);
        self.largest = numbers.into_iter().fold(self.largest, u64::max);
        self.lines.add(line);
    }
}

/// Everything on the page, as it is shown.
#[derive(Template)]
#[template(path = "statement.html")]
struct Page {
    account: String,
    ledger: String,
    issuer: Option<String>,
    number: Option<String>,
    /// Some number needs the room of two.
    long: bool,
    period: String,
    zone: String,
    /// When it was made, while the period goes on.
    made: Option<Stamp>,
    /// The day of what is told of an instant: the last one of the period.
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
    lines: Lines,
}

impl Page {
    fn new(page: &StatementPage, making: Making, ledger: String) -> Self {
        let (calendar, Making { head, curve, lines, largest, .. }) = (&page.calendar, making);
        let (months, later) = batches::calendar(&head.batches, calendar);
        let last = words::last(&head, calendar);
        Page {
            account: strict(head.account.as_str()),
            ledger: strict(&ledger),
            issuer: page.issuer.as_deref().map(free),
            number: page.number.as_deref().map(free),
            long: largest >= 1_000_000_000,
            period: words::period(&head, calendar),
            zone: lines.zone(),
            made: last.is_none().then(|| Stamp::new(head.as_of, calendar)),
            as_of: words::as_of(&head, calendar),
            notices: sums::notices(&head, lines.due),
            headline: sums::headline(&head),
            last,
            figures: sums::figures(&head),
            sums: sums::sums(&head),
            chart: curve.map(|curve| curve.chart(calendar)),
            months,
            later,
            never: batches::never(&head.batches),
            usage: Usage::new(&head.usage),
            batches: Batches::new(&head, calendar),
            lines,
        }
    }
}
