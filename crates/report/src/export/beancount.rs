//! beancount's format.

use std::io::{self, Write};

use chrono::NaiveDate;
use counterfoil::AccountId;

use super::Format;
use super::journal::{Journal, Posting, Syntax, Transaction};
use super::names::{OTHER, escape, line};

/// beancount's format, which knows no balance at a posting: the balances of every account used on a day are stated at the
/// beginning of the next, and the figures after each entry stand in its metadata. Check it with `bean-check`.
pub const BEANCOUNT: Format = Format {
    name: "beancount",
    about: "A ledger with the balances after every day: bean-check",
    has_view: true,
    begin: |export, out| Box::new(Journal::new(&Beancount, export, out)),
};

/// Before a part that does not begin as beancount wants it.
const PREFIX: &str = "Id-";

pub(super) struct Beancount;

impl Syntax for Beancount {
    fn check(&self) -> &'static str {
        "bean-check"
    }

    fn remark(&self) -> &'static str {
        ";; "
    }

    fn preamble(&self) -> &'static str {
        "\noption \"title\" \"counterfoil\"\noption \"operating_currency\" \"PTS\"\n\n1970-01-01 commodity PTS\n"
    }

    fn states_days(&self) -> bool {
        true
    }

    /// Letters and digits stay, and a single hyphen between such; every other byte is `--` and two digits. What does not
    /// begin with a digit or a capital gets a prefix, as does what begins like that prefix.
    fn part(&self, text: &str) -> String {
        let capital = text.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
        let mut part = String::with_capacity(text.len());
        if !capital || text.starts_with(PREFIX) || text == OTHER {
            part.push_str(PREFIX);
        }
        let (mut before, mut rest) = (None, text.chars());
        while let Some(c) = rest.next() {
            let next = rest.clone().next();
            let reserved = before.is_none() && text == OTHER;
            let hyphen = c == '-' && before != Some('-') && next.is_some_and(is_letter);
            if (is_letter(c) || hyphen) && !reserved {
                part.push(c)
            } else {
                escape(&mut part, "--", c)
            }
            before = Some(c);
        }
        part
    }

    fn open(&self, out: &mut dyn Write, date: NaiveDate, name: &str, id: Option<&AccountId>) -> io::Result<()> {
        writeln!(out, "{date} open {name} PTS")?;
        let Some(id) = id else { return Ok(()) };
        writeln!(out, "  id: {}", quoted(id.as_str()))
    }

    fn head(&self, out: &mut dyn Write, told: &Transaction<'_>) -> io::Result<()> {
        let Transaction { date, account, what, facts, .. } = told;
        writeln!(out, "{date} * {} {}", quoted(account.as_str()), quoted(what))?;
        facts.iter().try_for_each(|(name, value)| writeln!(out, "  {name}: {}", quoted(value)))
    }

    fn posting(&self, out: &mut dyn Write, posting: &Posting) -> io::Result<()> {
        let Posting { name, amount, .. } = posting;
        writeln!(out, "  {name:<48}  {amount:>12} PTS")
    }

    fn end_of_day(&self, out: &mut dyn Write, day: NaiveDate, name: &str, sum: i128) -> io::Result<()> {
        // After the last day of the last year there is none.
        let next = day.succ_opt().filter(|next| next.to_string().len() == "2026-11-22".len());
        next.map_or(Ok(()), |next| writeln!(out, "{next} balance {name:<48}  {sum:>12} PTS"))
    }

    fn together(&self, out: &mut dyn Write, day: NaiveDate, _: &str, name: &str, sum: i128) -> io::Result<()> {
        self.end_of_day(out, day, name, sum)
    }
}

/// Letters that beancount is sure to take for letters.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿋' | '가'..='힣')
}

/// A text between quotation marks.
fn quoted(text: &str) -> String {
    let text = line(text, &[]).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}
