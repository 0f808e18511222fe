//! Commands that look. The file is opened read-only.

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::{AccountId, HistoryQuery, Ledger, Listing, Period, Points};

use super::{Session, export, pricing};
use crate::args::{
    BalanceArgs, ExpiringArgs, HistoryArgs, ListArgs, LookCommand, NeededPoints, Paging, instant, whole,
};
use crate::exit::{Failure, Outcome};
use crate::ids;
use crate::output::{Expiring, Operation, time};

pub(super) fn run(session: &mut Session, command: &LookCommand) -> Result<Outcome, Failure> {
    match command {
        LookCommand::Balance(args) => balance(session, args),
        LookCommand::Batches(args) => batches(session, args),
        LookCommand::Holds(args) => holds(session, args),
        LookCommand::History(args) => history(session, args),
        LookCommand::Show(args) => show(session, &args.operation),
        LookCommand::Expiring(args) => expiring(session, args),
        LookCommand::Accounts(paging) => accounts(session, paging),
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
    Ok(Outcome::Done)
}

/// What an empty list of an account's things says: a mistyped account should not look like an empty one.
fn none(ledger: &Ledger, account: &AccountId, none: &str) -> Result<String, Failure> {
    if ledger.balance(account)?.exists { Ok(none.into()) } else { Ok(format!("there is no account `{account}`")) }
}

fn listing(all: bool, size: usize, cursor: Option<String>) -> Listing {
    let listing = Listing::new().all(all).limit(size);
    match cursor {
        Some(cursor) => listing.after(cursor),
        None => listing,
    }
}

fn batches(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let empty = if args.all { "no batches" } else { "no batches; use --all to include spent and expired ones" };
    let empty = none(&ledger, &account, empty)?;
    let page = |size, cursor| ledger.batches(&account, &listing(args.all, size, cursor));
    session.out.pages(&args.paging, &empty, page)?;
    Ok(Outcome::Done)
}

fn holds(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let empty = if args.all { "no holds" } else { "no open holds; use --all to include resolved and expired ones" };
    let empty = none(&ledger, &account, empty)?;
    let page = |size, cursor| ledger.holds(&account, &listing(args.all, size, cursor));
    session.out.pages(&args.paging, &empty, page)?;
    Ok(Outcome::Done)
}

fn history(session: &mut Session, args: &HistoryArgs) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let time = |field, text: &Option<String>| text.as_deref().map(|text| instant(field, text)).transpose();
    let period = Period::new(time("from", &args.from)?, time("to", &args.to)?)?;
    let ledger = session.look()?;
    let empty = none(&ledger, &account, "no entries")?;
    let page = |size, cursor: Option<String>| {
        let mut query = HistoryQuery::new().newest_first(args.newest).limit(size);
        query = args.kind.iter().fold(query, |query, kind| query.kind(kind.replace('-', "_")));
        query = query.within(period);
        query = cursor.into_iter().fold(query, HistoryQuery::after);
        ledger.history(&account, &query)
    };
    session.out.pages(&args.paging, &empty, page)?;
    Ok(Outcome::Done)
}

fn show(session: &mut Session, operation: &str) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let id = ids::operation(&ledger, operation)?;
    let (info, paid_by) = (ledger.operation(&id)?, ledger.allocations(&id)?);
    session.out.one(&Operation { info, paid_by })?;
    Ok(Outcome::Done)
}

fn expiring(session: &mut Session, args: &ExpiringArgs) -> Result<Outcome, Failure> {
    let before: DateTime<Utc> = match &args.before {
        Some(text) => instant("before", text)?,
        None => Utc::now() + TimeDelta::days(args.days.into()),
    };
    let account = if args.all_accounts { None } else { session.some_account()? };
    let account = account.map(AccountId::new).transpose()?;
    let ledger = session.look()?;
    let found: Vec<Expiring> = ledger.expiring(before, account.as_ref())?.into_iter().map(Expiring).collect();
    let empty = match &account {
        Some(account) => format!("nothing of `{account}` expires until {}; --all-accounts looks at all", time(before)),
        None => format!("nothing expires until {}", time(before)),
    };
    session.out.all(&found, &empty)?;
    Ok(Outcome::Done)
}

fn accounts(session: &mut Session, paging: &Paging) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    session.out.pages(paging, "no accounts yet", |size, cursor| ledger.accounts(&listing(true, size, cursor)))?;
    Ok(Outcome::Done)
}

fn check(session: &mut Session, args: &NeededPoints) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let required = Points::new(whole("points", &args.value().unwrap_or_default())?)?;
    let check = session.look()?.check(&account, required)?;
    session.out.one(&check)?;
    Ok(if check.allowed { Outcome::Done } else { Outcome::Refused })
}

fn info(session: &mut Session) -> Result<Outcome, Failure> {
    let info = session.look()?.info()?;
    session.out.one(&info)?;
    Ok(Outcome::Done)
}
