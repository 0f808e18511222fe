//! Usage: its lines, and what they come to.

use std::convert::identity;
use std::io::Write;

use counterfoil::report::UsageLine;
use counterfoil::{Ledger, Question};
use serde_json::Value;

use super::sheets::Listed;
use super::table::{Column, Rows, number, sheet, text};
use super::{Out, amount, pages};
use crate::args::{Format, Paging};
use crate::exit::Failure;

const ALL: Paging = Paging { limit: None, after: None };

/// A line as people see it: also the total is one.
pub(super) struct Row {
    account: String,
    period: String,
    service: String,
    used: String,
    uses: i64,
    points: i64,
    refunded: i64,
}

const ACCOUNT: Column<Row> = text("account", |r| r.account.clone());
const PERIOD: Column<Row> = text("period", |r| r.period.clone());
const COLUMNS: &[Column<Row>] = &[
    text("service", |r| r.service.clone()),
    number("used", |r| r.used.clone()),
    number("uses", |r| r.uses.to_string()),
    number("points", |r| r.points.to_string()),
    number("refunded", |r| r.refunded.to_string()),
    number("net points", |r| r.points.saturating_sub(r.refunded).to_string()),
];

impl Listed for UsageLine {
    const COLUMNS: &'static [Column<Self>] = &[];
    const CSV: &'static [&'static str] =
        &["account", "period", "service", "unit", "uses", "quantity", "points", "refunded", "net_points"];

    fn row(&self) -> Result<Value, serde_json::Error> {
        let mut row = serde_json::to_value(self)?;
        if let Value::Object(figures) = &mut row {
            figures.insert("refunded".into(), self.refunded.into());
            figures.insert("net_points".into(), self.points.saturating_sub(self.refunded).into());
        }
        Ok(row)
    }
}

fn columns(by_period: bool, per_account: bool) -> impl Iterator<Item = &'static Column<Row>> {
    let account = per_account.then_some(&ACCOUNT);
    let period = by_period.then_some(&PERIOD);
    account.into_iter().chain(period).chain(COLUMNS)
}

impl Row {
    fn new(line: &UsageLine) -> Self {
        Row {
            account: line.account.as_ref().map(ToString::to_string).unwrap_or_default(),
            period: line.period.clone().unwrap_or_default(),
            service: line.service.clone().unwrap_or_else(|| "(no service)".into()),
            used: used(line),
            uses: line.uses,
            points: line.points,
            refunded: line.refunded,
        }
    }

    /// What no line has been added to yet. The word stands in the first column there is.
    fn total(by_period: bool, per_account: bool) -> Self {
        let total = |first: bool| if first { "total".to_string() } else { String::new() };
        Row {
            account: total(per_account),
            period: total(by_period && !per_account),
            service: total(!by_period && !per_account),
            used: String::new(),
            uses: 0,
            points: 0,
            refunded: 0,
        }
    }

    fn add(&mut self, line: &UsageLine) {
        self.uses = self.uses.saturating_add(line.uses);
        self.points = self.points.saturating_add(line.points);
        self.refunded = self.refunded.saturating_add(line.refunded);
    }
}

/// How much of it, in words: `61.2 seconds`.
fn used(line: &UsageLine) -> String {
    line.quantity.as_ref().map_or_else(|| "-".into(), |quantity| amount(quantity, line.unit.as_deref()))
}

/// Usage of one account as a whole.
pub(super) fn print(lines: &[UsageLine], sink: &mut dyn Write) -> std::io::Result<()> {
    let mut total = Row::total(false, false);
    lines.iter().for_each(|line| total.add(line));
    let rows: Vec<Row> = lines.iter().map(Row::new).chain([total]).collect();
    sheet(columns(false, false), &rows, sink)
}

impl Out {
    /// Usage, page by page; people also see what it comes to. Whether there was any.
    pub(crate) fn usage(
        &mut self,
        by_period: bool,
        per_account: bool,
        ledger: &Ledger,
        question: &Question,
    ) -> Result<bool, Failure> {
        if self.format != Format::Table {
            return self.pages::<UsageLine, _>(ledger, &ALL, question, identity);
        }
        let failed = |error: std::io::Error| Failure::write(&error);
        let mut rows = Rows::new(columns(by_period, per_account));
        let mut total = Row::total(by_period, per_account);
        let mut empty = true;
        pages(ledger, &ALL, question, |line: UsageLine| {
            empty = false;
            total.add(&line);
            rows.add(&Row::new(&line), &mut self.sink).map_err(failed)
        })?;
        if !empty {
            rows.add(&total, &mut self.sink).map_err(failed)?;
            rows.finish(&mut self.sink).map_err(failed)?;
        }
        self.flush()?;
        Ok(!empty)
    }
}
