//! `export`: the books for other programs, page by page.

use std::io::{self, Write};

use chrono::FixedOffset;
use counterfoil::{AccountId, AccountQuery, Entry, Export, HistoryQuery, Ledger, Period, Program, View};

use super::Session;
use crate::args::{ExportArgs, ExportAs, ExportView, Format};
use crate::exit::{Failure, Outcome};
use crate::output::Sink;

/// How many accounts or entries are asked for at a time.
const PAGE: usize = 500;

pub(super) fn run(session: &mut Session, args: &ExportArgs) -> Result<Outcome, Failure> {
    if session.common.format != Format::Table {
        return Err(Failure::usage(
            "--format is not for export",
            "what is written is chosen by --as: hledger, beancount, csv or jsonl; for one JSON array see history",
        ));
    }
    let account = session.one_or_all(args.all_accounts)?;
    let (period, offset) = (args.period.period()?, args.period.offset);
    let ledger = session.look()?;
    if let Some(account) = &account {
        match session.unknown(&ledger, account)? {
            Some(unknown) => session.notes.note(&unknown),
            // The environment named it: what lacks all others should not pass for the whole.
            None if session.common.account.is_none() => {
                session.notes.note(&format!("only `{account}`; --all-accounts takes all"));
            }
            None => {}
        }
    }
    match (args.target, args.view) {
        (ExportAs::Csv | ExportAs::Jsonl, Some(_)) => {
            let message = "--view is for hledger and beancount";
            return Err(Failure::usage(message, "leave it out: csv and jsonl give the entries as they are"));
        }
        (ExportAs::Csv, None) => entries(session, &ledger, account, period, Format::Csv)?,
        (ExportAs::Jsonl, None) => entries(session, &ledger, account, period, Format::Jsonl)?,
        (ExportAs::Hledger, view) => books(session, &ledger, account, (period, offset), (Program::Hledger, view))?,
        (ExportAs::Beancount, view) => books(session, &ledger, account, (period, offset), (Program::Beancount, view))?,
    }
    Ok(Outcome::Done)
}

/// A journal for another accounting program.
fn books(
    session: &mut Session,
    ledger: &Ledger,
    account: Option<AccountId>,
    (period, offset): (Period, FixedOffset),
    (program, view): (Program, Option<ExportView>),
) -> Result<(), Failure> {
    let view = match view {
        Some(ExportView::Holder) => View::Holder,
        Some(ExportView::Issuer) | None => View::Issuer,
    };
    let mut export = Export::new(program).view(view).within(period).offset(offset);
    export = account.into_iter().fold(export, Export::account);
    let bar = session.notes.bar("exporting");
    let mut kept = Kept { sink: session.out.sink(), failed: None };
    let done = ledger.export_with(&export, &mut kept, |progress| {
        bar.set_length(progress.total.unwrap_or_default());
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    match kept.failed {
        Some(failed) => Err(failed),
        None => Ok(done?),
    }
}

/// Remembers why the text could not be written: a reader that has gone is no failure.
struct Kept<'s> {
    sink: &'s mut Sink,
    failed: Option<Failure>,
}

impl Kept<'_> {
    fn keep<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            self.failed = Some(Failure::write(error));
        }
        done
    }
}

impl Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.sink.write(bytes);
        self.keep(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.sink.flush();
        self.keep(done)
    }
}

/// Every entry, account by account.
fn entries(
    session: &mut Session,
    ledger: &Ledger,
    account: Option<AccountId>,
    period: Period,
    format: Format,
) -> Result<(), Failure> {
    let bar = session.notes.bar("exporting");
    bar.set_length(u64::try_from(ledger.info()?.operations).unwrap_or_default());
    let done = session.out.stream(format, |add: &mut dyn FnMut(&Entry) -> Result<(), Failure>| {
        let mut add = |entry: &Entry| {
            bar.inc(u64::from(entry.operation.is_some()));
            add(entry)
        };
        match &account {
            Some(account) => history(ledger, account, period, &mut add),
            None => {
                let mut next: Option<String> = None;
                loop {
                    let listing = next.into_iter().fold(AccountQuery::new().limit(PAGE), AccountQuery::after);
                    let page = ledger.accounts(&listing)?;
                    page.items.iter().try_for_each(|item| history(ledger, &item.account, period, &mut add))?;
                    next = page.next;
                    if next.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    });
    bar.finish_and_clear();
    done
}

/// Every entry of an account.
fn history(
    ledger: &Ledger,
    account: &AccountId,
    period: Period,
    add: &mut dyn FnMut(&Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next: Option<String> = None;
    loop {
        let query = HistoryQuery::new().within(period).limit(PAGE);
        let page = ledger.history(account, &next.into_iter().fold(query, HistoryQuery::after))?;
        page.items.iter().try_for_each(&mut *add)?;
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}
