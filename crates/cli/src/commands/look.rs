//! Commands that look. The file is opened read-only.

use std::convert::identity;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use counterfoil::answer::{Answer, BatchInfo, Check, HoldInfo, Overview, PlanInfo};
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::report::{Found, Info, PaidOperation};
use counterfoil::{AccountId, Balance, Error, Ledger, Page, Query, Question};

use super::{Session, advice, explain, export, pricing};
use crate::args::{
    AccountsArgs, BalanceArgs, ExpiringArgs, FindArgs, Format, HistoryArgs, ListArgs, LookCommand, NeededPoints,
    OverviewArgs, Paging, instant,
};
use crate::exit::{Failure, Outcome};
use crate::ids::{self, Whose};
use crate::output::{AnyLine, Expiring, Line, Listed, time};

/// What a page after the last says.
const NO_MORE: &str = "nothing comes after that place";

pub(super) fn run(session: &mut Session, command: &LookCommand) -> Result<Outcome, Failure> {
    match command {
        LookCommand::Balance(args) => balance(session, args),
        LookCommand::Batches(args) => {
            let open = "no batches; use --all to include spent and expired ones";
            list::<BatchInfo>(session, args, "batches", open, "no batches")
        }
        LookCommand::Holds(args) => {
            let open = "no open holds; use --all to include resolved and expired ones";
            list::<HoldInfo>(session, args, "holds", open, "no holds")
        }
        LookCommand::History(args) => history(session, args),
        LookCommand::Find(args) => find(session, args),
        LookCommand::Overview(args) => overview(session, args),
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

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn balance(session: &mut Session, args: &BalanceArgs) -> Result<Outcome, Failure> {
    let account = session.account()?;
    let at = args.at.as_deref().map(|text| instant("at", text)).transpose()?;
    let ledger = session.look()?;
    let question = Question::new("balance").with("account", account.as_str()).with("at", at.map(written));
    let balance: Balance = session.tell(&ledger, &question)?;
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

/// What an account has: what is said when nothing is open, or nothing is there at all.
fn list<T: Listed>(
    session: &mut Session,
    args: &ListArgs,
    get: &'static str,
    open: &str,
    all: &str,
) -> Result<Outcome, Failure>
where
    Page<T>: TryFrom<Answer, Error = Error>,
{
    let (account, ledger) = (session.account()?, session.look()?);
    let question = Question::new(get).with("account", account.as_str()).with("all", args.all);
    match session.out.pages(&ledger, &args.paging, &question, identity::<T>)? {
        true => Ok(Outcome::Done),
        false => nothing(session, (&ledger, &account), &args.paging, || Ok(if args.all { all } else { open }.into())),
    }
}

pub(super) fn plans(session: &mut Session, args: &ListArgs) -> Result<Outcome, Failure> {
    let open = "no plan goes on; use --all to include those that have ended";
    list::<PlanInfo>(session, args, "plans", open, "no plans")
}

fn history(session: &mut Session, args: &HistoryArgs) -> Result<Outcome, Failure> {
    let account = session.one_or_all(args.all_accounts)?;
    let period = args.period.period()?;
    let ledger = session.look()?;
    // What an operation of another account did here is asked for too, as a transfer to this one.
    let whose = Whose { named: None, usual: account.clone() };
    let operation = args.operation.as_deref().map(|text| ids::operation(&ledger, &whose, text)).transpose()?;
    let kinds: Vec<String> = args.kind.iter().map(|kind| kind.replace('-', "_")).collect();
    let question = Query::new().within(period).question("history");
    let question = question.with("account", account.as_ref().map(AccountId::as_str));
    let question = question.with("kind", kinds).with("newest_first", args.newest);
    let question = question.with("service", args.service.clone()).with("reference", args.reference.clone());
    let question = question.with("source", args.source.clone()).with("description", args.description.clone());
    let question = question.with("operation", operation.map(|id| id.to_string()));
    let calendar = args.period.calendar();
    session.out.clock(calendar.clone());
    let line = |entry| Line { entry, calendar: calendar.clone() };
    let any = match &account {
        Some(_) => session.out.pages(&ledger, &args.paging, &question, line)?,
        None => session.out.pages(&ledger, &args.paging, &question, |entry| AnyLine(line(entry)))?,
    };
    match &account {
        _ if any => Ok(Outcome::Done),
        Some(account) => {
            nothing(session, (&ledger, account), &args.paging, || advice::no_entries(&ledger, account, args))
        }
        None => {
            session.notes.note(if args.paging.after.is_some() { NO_MORE } else { "no operation wrote such a line" });
            Ok(Outcome::Done)
        }
    }
}

fn find(session: &mut Session, args: &FindArgs) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let question = Question::new("find").with("text", args.text.as_str());
    if !session.out.pages(&ledger, &args.paging, &question, identity::<Found>)? {
        session.notes.note(&match args.paging.after {
            Some(_) => NO_MORE.into(),
            None => format!("no operation has `{}` as its number, id, key or reference", args.text),
        });
    }
    Ok(Outcome::Done)
}

fn overview(session: &mut Session, args: &OverviewArgs) -> Result<Outcome, Failure> {
    if session.common.format() == Format::Csv {
        let help = "use --format json; for rows use balance, batches, holds, plan list or history with --format csv";
        return Err(Failure::usage("an overview is several tables, so there is no CSV of it", help));
    }
    let (account, ledger) = (session.account()?, session.look()?);
    let question = Question::new("overview").with("account", account.as_str()).with("limit", args.limit);
    let page: Overview = ledger.ask(&question)?.try_into()?;
    session.out.overview(&page)?;
    if !page.balance.exists {
        session.notes.note(&session.nobody(&ledger, &account)?);
    }
    Ok(Outcome::Done)
}

fn show(session: &mut Session, operation: &str) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let id = ids::operation(&ledger, &session.whose()?, operation)?;
    let _: PaidOperation = session.tell(&ledger, &Question::new("operation").with("operation", id.to_string()))?;
    Ok(Outcome::Done)
}

fn expiring(session: &mut Session, args: &ExpiringArgs) -> Result<Outcome, Failure> {
    let before: DateTime<Utc> = match &args.before {
        Some(text) => instant("before", text)?,
        None => SystemClock.now() + TimeDelta::days(args.days.into()),
    };
    let account = session.one_or_all(args.all_accounts)?;
    let ledger = session.look()?;
    let question = Question::new("expiring").with("before", written(before));
    let question = question.with("account", account.as_ref().map(AccountId::as_str));
    let found = Vec::<BatchInfo>::try_from(ledger.ask(&question)?)?;
    let found: Vec<Expiring> = found.into_iter().map(Expiring).collect();
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
    // The environment names whom most commands are about; this one is about all, unless one is named here.
    let account = session.common.account.as_ref().map(AccountId::new).transpose()?;
    let question = Question::new("accounts").with("account", account.as_ref().map(AccountId::as_str));
    let question = question.with("in_debt", args.in_debt).with("state", args.state.clone());
    let question = question.with("expiring", before.map(written)).with("matching", args.pattern.clone());
    let ledger = session.look()?;
    let filtered = args.in_debt || !args.state.is_empty() || before.is_some() || args.pattern.is_some();
    if !session.out.pages(&ledger, &args.paging, &question, identity::<Balance>)? {
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
    let ledger = session.look()?;
    let question = Question::new("check").with("account", account.as_str()).with("points", args.value());
    let check: Check = session.tell(&ledger, &question)?;
    if let Some(unknown) = session.unknown(&ledger, &account)? {
        session.notes.note(&unknown);
    }
    Ok(if check.allowed { Outcome::Done } else { Outcome::Refused })
}

fn info(session: &mut Session) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let _: Info = session.tell(&ledger, &Question::new("info"))?;
    Ok(Outcome::Done)
}
