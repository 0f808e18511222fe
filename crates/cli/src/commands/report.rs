//! Commands that tell: reports over a period. The file is opened read-only.

use counterfoil::UsageQuery;

use super::Session;
use crate::args::{By, ReportCommand, StatementArgs, UsedArgs};
use crate::exit::{Failure, Outcome};
use crate::page;

pub(super) fn run(session: &mut Session, command: &ReportCommand) -> Result<Outcome, Failure> {
    match command {
        ReportCommand::Statement(args) => statement(session, args),
        ReportCommand::Usage(args) => usage(session, args),
    }
}

fn statement(session: &mut Session, args: &StatementArgs) -> Result<Outcome, Failure> {
    let (account, period, offset) = (session.account()?, args.period.period()?, args.period.offset);
    let ledger = session.look()?;
    let statement = ledger.statement(&account, &period)?;
    if !statement.exists {
        session.notes.note(&session.nobody(&ledger, &account)?);
    }
    if args.html {
        let page = page::html(&statement, &ledger.info()?.ledger.to_string(), offset)?;
        session.out.bytes(page.as_bytes())?;
    } else {
        session.out.statement(&statement, offset)?;
    }
    Ok(Outcome::Done)
}

fn usage(session: &mut Session, args: &UsedArgs) -> Result<Outcome, Failure> {
    let account = session.one_or_all(args.all_accounts)?;
    let offset = args.period.offset;
    let mut asked = UsageQuery::new().within(args.period.period()?).per_account(args.per_account);
    asked = account.iter().fold(asked, UsageQuery::account);
    asked = match args.by {
        By::Service => asked,
        By::Day => asked.by_day(offset),
        By::Month => asked.by_month(offset),
    };
    let ledger = session.look()?;
    let empty = match &account {
        Some(account) => match session.unknown(&ledger, account)? {
            Some(unknown) => unknown,
            None => format!("`{account}` used nothing; --all-accounts looks at all"),
        },
        None => "nothing was used".into(),
    };
    session.out.usage(args.by != By::Service, args.per_account, &empty, |size, cursor| {
        let query = asked.clone().limit(size);
        ledger.usage(&cursor.into_iter().fold(query, UsageQuery::after))
    })?;
    Ok(Outcome::Done)
}
