//! The statement of an account, in every format.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, Utc};
use counterfoil::{Ledger, Period};

use super::Session;
use crate::args::{Format, StatementArgs, instant};
use crate::exit::{Failure, Outcome};
use crate::output::Summary;
use crate::page;

pub(super) fn run(session: &mut Session, args: &StatementArgs) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let offset = offset(&args.offset)?;
    let period = period(args, offset)?;
    let ledger: Ledger = session.look()?;
    let statement = ledger.statement(&account, &period)?;
    if args.html {
        let page = page::html(&statement, &ledger.info()?.ledger.to_string(), offset)?;
        session.out.document(&page)?;
        return Ok(Outcome::Done);
    }
    let none = match statement.exists {
        true => "no lines in this period".into(),
        false => format!("there is no account `{account}`"),
    };
    match session.out.format() {
        Format::Json => session.out.json(&statement, true)?,
        Format::Jsonl => session.out.json(&statement, false)?,
        Format::Table => {
            session.out.one(&Summary(&statement))?;
            session.out.text("")?;
            session.out.all(&statement.lines, &none)?;
        }
        Format::Csv => session.out.all(&statement.lines, &none)?,
    }
    session.out.flush()?;
    Ok(Outcome::Done)
}

fn period(args: &StatementArgs, offset: FixedOffset) -> Result<Period, Failure> {
    if let Some(text) = &args.month {
        let (year, month) = month(text)
            .ok_or_else(|| Failure::usage(format!("--month {text}: that is not a month"), "write it like 2026-11"))?;
        return Ok(Period::month(year, month, offset)?);
    }
    let time = |field, text: &Option<String>| text.as_deref().map(|text| local(field, text, offset)).transpose();
    Ok(Period::new(time("from", &args.from)?, time("to", &args.to)?)?)
}

fn month(text: &str) -> Option<(i32, u32)> {
    let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    Some((year.parse().ok()?, month.parse().ok()?))
}

/// An instant, or a date: its midnight at that offset.
fn local(field: &str, text: &str, offset: FixedOffset) -> Result<DateTime<Utc>, Failure> {
    let at = instant(field, text)?;
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let midnight = date.and_then(|date| date.and_time(NaiveTime::MIN).and_local_timezone(offset).earliest());
    Ok(midnight.map_or(at, |midnight| midnight.to_utc()))
}

fn offset(text: &str) -> Result<FixedOffset, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(format!("--offset {text}: that is not an offset from UTC"), "write it like +08:00 or -03:30")
    })
}
