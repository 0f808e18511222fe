//! What a hub sets aside for its devices: by its operator, and on the device.

use counterfoil::exchange::{Allot, AllotWriteOff, AllotmentInfo, Offline, Recall, Return};
use counterfoil::{AccountId, Error, Key, Ledger, OperationId, Points, Query, Question, Request};
use serde_json::Value;

use super::Session;
use super::hub::{book, device_named};
use crate::args::{AllotCommand, AllotmentWriteOffArgs, EverythingArgs, NewAllotmentArgs, instant};
use crate::confirm;
use crate::exit::{Failure, Outcome};
use crate::output::figure;

pub(super) fn run(session: &mut Session, command: &AllotCommand) -> Result<Outcome, Failure> {
    match command {
        AllotCommand::New(args) => new(session, args),
        AllotCommand::List(args) => list(session, args),
        AllotCommand::Recall(args) => on(session, &args.allotment, |id, key| Recall::new().on(id, key)),
        AllotCommand::Return(args) => on(session, &args.allotment, |id, key| Return::new().on(id, key)),
        AllotCommand::WriteOff(args) => write_off(session, args),
    }
}

fn new(session: &mut Session, args: &NewAllotmentArgs) -> Result<Outcome, Failure> {
    let (account, until) = (session.account()?, instant("spend_until", &args.until)?);
    let ledger = session.change()?;
    let named = device_named(&ledger, &args.device)?;
    let device = named.device;
    let key = args.key.as_deref().map_or_else(|| Ok(Key::random()), Key::new)?;
    let allot = Allot::new(device, Points::ZERO, until).on(&account, &key);
    book(session, &ledger, allot.with("points", args.points.clone()))?;
    if named.policy.offline == Offline::Open {
        session.notes.warning(&format!(
            "{} charges what it knows of and does not spend this: admit it again with --offline allotted (hub admit --renew)",
            named.name
        ));
    }
    Ok(Outcome::Done)
}

fn list(session: &mut Session, args: &EverythingArgs) -> Result<Outcome, Failure> {
    let account = session.common.account.as_ref().map(AccountId::new).transpose()?;
    let ledger = session.look()?;
    let question = Question::new("allotments").with("all", args.all.then_some(true));
    let question = question.with("account", account.map(|account| Value::from(account.as_str())));
    if !session.out.pages(&ledger, &args.paging, &question, std::convert::identity::<AllotmentInfo>)? {
        session.notes.note("nothing is set aside");
    }
    Ok(Outcome::Done)
}

/// An id names it anywhere; a number is that of this file's own log.
fn named(ledger: &Ledger, text: &str) -> Result<OperationId, Error> {
    text.parse().or_else(|_| ledger.operation_named(text, None))
}

fn on(
    session: &mut Session,
    allotment: &str,
    request: impl FnOnce(&OperationId, &Key) -> Request,
) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let id = named(&ledger, allotment)?;
    book(session, &ledger, request(&id, &Key::random()))?;
    Ok(Outcome::Done)
}

/// What is at risk is what the device may have spent meanwhile.
fn write_off(session: &mut Session, args: &AllotmentWriteOffArgs) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let id = named(&ledger, &args.allotment)?;
    let request = AllotWriteOff::new(args.reason.as_str()).on(&id, &Key::random());
    let would = ledger.dry_run(&request)?;
    let all = Query::new().each(|query| ledger.allotments(query)).collect::<Result<Vec<_>, _>>()?;
    let found = all.into_iter().find(|found: &AllotmentInfo| found.allotment == id);
    let whose = found.map_or_else(String::new, |found| format!(" of {}", found.device_name));
    let risk = format!(
        "{} points are at risk: what the device has spent of them comes as an ordinary charge",
        figure(would.points)
    );
    let question = format!("Give the allotment{whose} back to its account? {risk}.");
    confirm::ask(args.confirm.yes, &question, confirm::YES)?;
    book(session, &ledger, request)?;
    session.notes.note(&risk);
    Ok(Outcome::Done)
}
