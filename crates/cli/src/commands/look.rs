//! Commands that look. The file is opened read-only.

use std::convert::identity;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::{AccountId, Balance, BatchInfo, Clock, HoldInfo, Ledger, PlanInfo, Points, Query, SystemClock};

use super::{Session, advice, explain, export, pricing};
use crate::args::{
    AccountsArgs, BalanceArgs, ExpiringArgs, HistoryArgs, ListArgs, LookCommand, NeededPoints, Paging, instant, whole,
};
use crate::exit::{Failure, Outcome};
use crate::ids::{self, Whose};
use crate::output::{Expiring, Line, Operation, time};

/// What a page after the last says.
const NO_MORE: &str = "nothing comes after that place";

pub(super) fn run(session: &mut Session, command: &LookCommand) -> Result<Outcome, Failure> {
    match command {
        LookCommand::Balance(args) => balance(session, args),
        LookCommand::Batches(args) => batches(session, args),
        LookCommand::Holds(args) => holds(session, args),
        LookCommand::History(args) => history(session, args),
        LookCommand::Show(args) => show(session, &args.operation),
        LookCommand::Explain(args) => explain::run(session, args),
        LookCommand::Expiring(args) => expiring(session, args),
        LookCommand::Accounts(args) => accounts(session, args),
        LookCommand::Price(args) => pricing::quote(session, args, false),
        LookCommand::Estimate(args) => pricing::quote(session, args, true),
        LookCommand::Check(args) => check(session, args),
        LookCommand::Export(args) => export::run(session, args),
        LookCommand::Info => info(session),
    }
}

fn balance(session: &mut Session, args: &BalanceArgs) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let at = args.at.as_deref().map(|text| instant("at", text)).transpose()?;
    let ledger = session.look()?;
    let balance = match at {
        Some(at) => ledger.balance_at(&account, at)?,
        None => ledger.balance(&account)?,
    };
    session.out.one(&balance)?;
    // It may have been opened since the instant asked about.
    if !balance.exists
        && let Some(unknown) = session.unknown(&ledger, &account)?
    {
        session.notes.note(&unknown);
    }
    Ok(Outcome::Done)
}

/// Says why an account's list is empty: a mistyped account should not look like an empty one.
fn nothing(
    session: &Session,
    (ledger, account): (&Ledger, &AccountId),
    paging: &Paging,
    why: impl FnOnce() -> Result<String, Failure>,
) -> Result<Outcome, Failure> {
    let said = match session.unknown(ledger, account)? {
        Some(unknown) => unknown,
        None if paging.after.is_some() => NO_MORE.into(),
        None => why()?,
    };
    session.notes.note(&said);
    Ok(Outcome::Done)
}

fn batches(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let empty = if args.all { "no batches" } else { "no batches; use --all to include spent and expired ones" };
    let (query, page) = (Query::new().all(args.all), |query: &Query| ledger.batches(&account, query));
    match session.out.pages(&args.paging, &query, identity::<BatchInfo>, page)? {
        true => Ok(Outcome::Done),
        false => nothing(session, (&ledger, &account), &args.paging, || Ok(empty.into())),
    }
}

fn holds(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let empty = if args.all { "no holds" } else { "no open holds; use --all to include resolved and expired ones" };
    let (query, page) = (Query::new().all(args.all), |query: &Query| ledger.holds(&account, query));
    match session.out.pages(&args.paging, &query, identity::<HoldInfo>, page)? {
        true => Ok(Outcome::Done),
        false => nothing(session, (&ledger, &account), &args.paging, || Ok(empty.into())),
    }
}

pub(super) fn plans(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let empty = if args.all { "no plans" } else { "no plan goes on; use --all to include those that have ended" };
    let (query, page) = (Query::new().all(args.all), |query: &Query| ledger.plans(&account, query));
    match session.out.pages(&args.paging, &query, identity::<PlanInfo>, page)? {
        true => Ok(Outcome::Done),
        false => nothing(session, (&ledger, &account), &args.paging, || Ok(empty.into())),
    }
}

fn history(session: &mut Session, args: &HistoryArgs) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let period = args.period.period()?;
    let ledger = session.look()?;
    // What an operation of another account did here is asked for too, as a transfer to this one.
    let whose = Whose { named: None, usual: Some(account.clone()) };
    let operation = args.operation.as_deref().map(|text| ids::operation(&ledger, &whose, text)).transpose()?;
    let mut asked = Query::new().newest_first(args.newest).within(period);
    asked = args.kind.iter().fold(asked, |query, kind| query.kind(kind.replace('-', "_")));
    asked = args.service.iter().fold(asked, Query::service);
    asked = args.reference.iter().fold(asked, Query::reference);
    asked = args.source.iter().fold(asked, Query::source);
    asked = args.description.iter().fold(asked, Query::description);
    asked = operation.into_iter().fold(asked, Query::operation);
    let shown = |entry| Line { entry, offset: args.period.offset };
    match session.out.pages(&args.paging, &asked, shown, |query| ledger.history(&account, query))? {
        true => Ok(Outcome::Done),
        false => nothing(session, (&ledger, &account), &args.paging, || advice::no_entries(&ledger, &account, args)),
    }
}

fn show(session: &mut Session, operation: &str) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let id = ids::operation(&ledger, &session.whose()?, operation)?;
    let (info, paid_by) = (ledger.operation(&id)?, ledger.allocations(&id)?);
    session.out.one(&Operation { info, paid_by })?;
    Ok(Outcome::Done)
}

fn expiring(session: &mut Session, args: &ExpiringArgs) -> Result<Outcome, Failure> {
    let before: DateTime<Utc> = match &args.before {
        Some(text) => instant("before", text)?,
        None => SystemClock.now() + TimeDelta::days(args.days.into()),
    };
    let account = session.one_or_all(args.all_accounts)?;
    let ledger = session.look()?;
    let found: Vec<Expiring> = ledger.expiring(before, account.as_ref())?.into_iter().map(Expiring).collect();
    if !session.out.all(&found)? {
        let unknown = session.unknown_one(&ledger, account.as_ref())?;
        session.notes.note(&match (unknown, &account) {
            (Some(unknown), _) => unknown,
            (None, Some(account)) => {
                format!("nothing of `{account}` expires until {}; --all-accounts looks at all", time(before))
            }
            (None, None) => format!("nothing expires until {}", time(before)),
        });
    }
    Ok(Outcome::Done)
}

fn accounts(session: &mut Session, args: &AccountsArgs) -> Result<Outcome, Failure> {
    let before = match (&args.expiring_before, args.expiring_days) {
        (Some(text), _) => Some(instant("expiring_before", text)?),
        (None, days) => days.map(|days| SystemClock.now() + TimeDelta::days(days.into())),
    };
    let mut asked = Query::new().in_debt(args.in_debt);
    asked = args.state.iter().fold(asked, Query::state);
    asked = before.into_iter().fold(asked, Query::expiring);
    asked = args.pattern.iter().fold(asked, |query, pattern| query.matching(pattern));
    // The environment names whom most commands are about; this one is about all, unless one is named here.
    let account = session.common.account.as_ref().map(AccountId::new).transpose()?;
    asked = account.iter().fold(asked, Query::account);
    let ledger = session.look()?;
    let filtered = args.in_debt || !args.state.is_empty() || before.is_some() || args.pattern.is_some();
    if !session.out.pages(&args.paging, &asked, identity::<Balance>, |query| ledger.accounts(query))? {
        let unknown = session.unknown_one(&ledger, account.as_ref())?;
        session.notes.note(&match unknown {
            Some(unknown) => unknown,
            None if args.paging.after.is_some() => NO_MORE.into(),
            None if filtered => "no account fits".into(),
            None => "no accounts yet".into(),
        });
    }
    Ok(Outcome::Done)
}

fn check(session: &mut Session, args: &NeededPoints) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let required = Points::new(whole("points", &args.value().unwrap_or_default())?)?;
    let ledger = session.look()?;
    let check = ledger.check(&account, required)?;
    session.out.one(&check)?;
    if let Some(unknown) = session.unknown(&ledger, &account)? {
        session.notes.note(&unknown);
    }
    Ok(if check.allowed { Outcome::Done } else { Outcome::Refused })
}

fn info(session: &mut Session) -> Result<Outcome, Failure> {
    let info = session.look()?.info()?;
    session.out.one(&info)?;
    Ok(Outcome::Done)
}
