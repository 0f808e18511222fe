//! hledger's journal format.

use std::io::{self, Write};

use chrono::NaiveDate;
use counterfoil::AccountId;

use super::Format;
use super::journal::{Journal, Posting, Syntax, Transaction};
use super::names::{OTHER, escape, is_hidden, line};

/// hledger's journal format: every posting carries the balance after it. Check it with `hledger check --strict`.
pub const HLEDGER: Format = Format {
    name: "hledger",
    about: "A journal in which every posting carries the balance after it: hledger check --strict",
    has_view: true,
    begin: |export, out| Box::new(Journal::new(&Hledger, export, out)),
};

pub(super) struct Hledger;

impl Syntax for Hledger {
    fn check(&self) -> &'static str {
        "hledger check --strict"
    }

    fn remark(&self) -> &'static str {
        "; "
    }

    fn preamble(&self) -> &'static str {
        "\ncommodity 1000. PTS\n\naccount Assets  ; type: A\naccount Liabilities  ; type: L\naccount Equity  ; type: E\n\
         account Income  ; type: R\naccount Expenses  ; type: X\n"
    }

    fn states_days(&self) -> bool {
        false
    }

    /// Letters, digits, a few signs and single blanks between such stay; every other byte is `%` and two digits.
    fn part(&self, text: &str) -> String {
        let stays = |c: char| (c.is_alphanumeric() && !is_hidden(c)) || "_-.@/+".contains(c);
        if text.is_empty() {
            return "%".into();
        }
        let mut part = String::with_capacity(text.len());
        let (mut before, mut rest) = (None, text.chars());
        while let Some(c) = rest.next() {
            let reserved = before.is_none() && text == OTHER;
            // Two blanks would end the name.
            let blank = c == ' ' && before.is_some_and(stays) && rest.clone().next().is_some_and(stays);
            if (stays(c) || blank) && !reserved {
                part.push(c)
            } else {
                escape(&mut part, "%", c)
            }
            before = Some(c);
        }
        part
    }

    fn open(&self, out: &mut dyn Write, _: NaiveDate, name: &str, id: Option<&AccountId>) -> io::Result<()> {
        writeln!(out, "account {name}")?;
        let Some(id) = id else { return Ok(()) };
        writeln!(out, "    ; id: {}", line(id.as_str(), &[',']))
    }

    fn head(&self, out: &mut dyn Write, told: &Transaction<'_>) -> io::Result<()> {
        let Transaction { date, account, what, facts, .. } = told;
        // At the beginning these would be a mark or a code.
        let first: &[char] =
            if account.as_str().starts_with(['(', '!', '*']) { &[';', '|', '(', '!', '*'] } else { &[';', '|'] };
        writeln!(out, "{date} * {} | {}", line(account.as_str(), first), line(what, &[';', '|']))?;
        facts.iter().try_for_each(|(name, value)| writeln!(out, "    ; {name}: {}", line(value, &[','])))
    }

    fn posting(&self, out: &mut dyn Write, posting: &Posting) -> io::Result<()> {
        let Posting { name, amount, after, .. } = posting;
        writeln!(out, "    {name:<48}  {amount:>12} PTS = {after} PTS")
    }

    /// It was told at every posting.
    fn end_of_day(&self, _: &mut dyn Write, _: NaiveDate, _: &str, _: i128) -> io::Result<()> {
        Ok(())
    }

    fn together(&self, out: &mut dyn Write, day: NaiveDate, what: &str, name: &str, sum: i128) -> io::Result<()> {
        writeln!(out, "\n{day} * {what}\n    {name}  0 PTS =* {sum} PTS")
    }
}
