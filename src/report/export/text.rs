//! The two formats, line by line.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::Program;
use super::chart::Posting;
use super::names::line;
use crate::model::AccountId;

/// A transaction, in words that are not escaped yet.
pub(super) struct Transaction<'t> {
    pub(super) date: NaiveDate,
    pub(super) account: &'t AccountId,
    pub(super) what: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) postings: Vec<Posting>,
}

/// Writes in the format of one program.
pub(super) struct Text<'w> {
    pub(super) program: Program,
    pub(super) out: &'w mut dyn Write,
}

impl Text<'_> {
    pub(super) fn header(&mut self, remarks: &[String]) -> io::Result<()> {
        for remark in remarks {
            writeln!(self.out, "{}{}", self.mark(), line(remark, &[]))?;
        }
        let rest = match self.program {
            Program::Hledger => {
                "\ncommodity 1000. PTS\n\naccount Assets  ; type: A\naccount Liabilities  ; type: L\n\
                 account Equity  ; type: E\naccount Income  ; type: R\naccount Expenses  ; type: X\n"
            }
            Program::Beancount => {
                "\noption \"title\" \"counterfoil\"\noption \"operating_currency\" \"PTS\"\n\n1970-01-01 commodity PTS\n"
            }
        };
        self.out.write_all(rest.as_bytes())
    }

    /// Declares an account; `id` is the ledger's name for whose it is.
    pub(super) fn open(&mut self, date: NaiveDate, name: &str, id: Option<&AccountId>) -> io::Result<()> {
        match self.program {
            Program::Hledger => {
                writeln!(self.out, "account {name}")?;
                let Some(id) = id else { return Ok(()) };
                writeln!(self.out, "    ; id: {}", line(id.as_str(), &[',']))
            }
            Program::Beancount => {
                writeln!(self.out, "{date} open {name} PTS")?;
                let Some(id) = id else { return Ok(()) };
                writeln!(self.out, "  id: {}", quoted(id.as_str()))
            }
        }
    }

    pub(super) fn transaction(&mut self, told: &Transaction<'_>) -> io::Result<()> {
        let Transaction { date, account, what, facts, postings } = told;
        if postings.iter().any(|posting| posting.new) {
            writeln!(self.out)?;
        }
        for posting in postings.iter().filter(|posting| posting.new) {
            self.open(*date, &posting.name, Some(account))?;
        }
        writeln!(self.out)?;
        match self.program {
            Program::Hledger => {
                // At the beginning these would be a mark or a code.
                let first: &[char] = if account.as_str().starts_with(['(', '!', '*']) {
                    &[';', '|', '(', '!', '*']
                } else {
                    &[';', '|']
                };
                let payee = line(account.as_str(), first);
                writeln!(self.out, "{date} * {payee} | {}", line(what, &[';', '|']))?;
                for (name, value) in facts {
                    writeln!(self.out, "    ; {name}: {}", line(value, &[',']))?;
                }
            }
            Program::Beancount => {
                writeln!(self.out, "{date} * {} {}", quoted(account.as_str()), quoted(what))?;
                for (name, value) in facts {
                    writeln!(self.out, "  {name}: {}", quoted(value))?;
                }
            }
        }
        postings.iter().try_for_each(|posting| self.posting(posting))
    }

    fn posting(&mut self, posting: &Posting) -> io::Result<()> {
        let Posting { name, amount, after, .. } = posting;
        match self.program {
            Program::Hledger => writeln!(self.out, "    {name:<48}  {amount:>12} PTS = {after} PTS"),
            Program::Beancount => writeln!(self.out, "  {name:<48}  {amount:>12} PTS"),
        }
    }

    /// What an account has come to by the end of a day. hledger was told at every posting.
    pub(super) fn end_of_day(&mut self, day: NaiveDate, name: &str, sum: i64) -> io::Result<()> {
        // After the last day of the last year there is none.
        let next = day.succ_opt().filter(|next| next.to_string().len() == "2026-11-22".len());
        match (self.program, next) {
            (Program::Beancount, Some(next)) => writeln!(self.out, "{next} balance {name:<48}  {sum:>12} PTS"),
            _ => Ok(()),
        }
    }

    /// What all accounts below a name come to together.
    pub(super) fn together(&mut self, day: NaiveDate, what: &str, name: &str, sum: i64) -> io::Result<()> {
        writeln!(self.out)?;
        self.open(day, name, None)?;
        match self.program {
            Program::Hledger => writeln!(self.out, "\n{day} * {what}\n    {name}  0 PTS =* {sum} PTS"),
            Program::Beancount => self.end_of_day(day, name, sum),
        }
    }

    /// The last line: a text that was broken off has none.
    pub(super) fn end(&mut self, entries: u64) -> io::Result<()> {
        let entries = if entries == 1 { "1 entry".into() } else { format!("{entries} entries") };
        writeln!(self.out, "\n{}End: {entries}.", self.mark())
    }

    /// What makes a line a remark.
    fn mark(&self) -> &'static str {
        match self.program {
            Program::Hledger => "; ",
            Program::Beancount => ";; ",
        }
    }
}

/// A text between quotation marks.
fn quoted(text: &str) -> String {
    let text = line(text, &[]).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}
