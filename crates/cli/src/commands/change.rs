//! Commands that change the books: each becomes one request, and all requests go the same way.

use clap::ArgMatches;
use counterfoil::schema::{Field, FieldKind, Operation};
use counterfoil::{EntryKind, Key, Ledger, Metadata, Query, Receipt, Request};
use serde_json::{Map, Value};

use super::{Session, advice, batch, look, text_variable};
use crate::args::{ChangeCommand, ExpireArgs, OtherCommand, part_name, question};
use crate::confirm;
use crate::exit::{Failure, Outcome};
use crate::ids::{self, Whose};
use crate::output::{Sweep, balance_line, time};

pub(super) fn run(session: &mut Session, command: &ChangeCommand) -> Result<Outcome, Failure> {
    match command {
        ChangeCommand::Book(operation, matches) => book(session, operation, matches),
        ChangeCommand::Plans(args) => look::plans(session, args),
        ChangeCommand::Other(OtherCommand::Batch(args)) => batch::run(session, args),
        ChangeCommand::Other(OtherCommand::Expire(args)) => expire(session, args),
    }
}

/// The fields of [`crate::args::UsageArgs`].
const USAGE: [&str; 5] = ["seconds", "quantity", "unit", "chars", "input_seconds"];

/// What was given for a field.
fn value(matches: &ArgMatches, name: &str) -> Option<Value> {
    let text = || matches.try_get_one::<String>(name).ok().flatten().map(|text| text.as_str().into());
    matches.try_get_one::<Value>(name).ok().flatten().cloned().or_else(text)
}

fn flag(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default()
}

fn text<'r>(request: &'r Request, field: &str) -> Option<&'r str> {
    request.get(field).and_then(Value::as_str)
}

/// Books an operation, or says what it would do.
fn book(session: &mut Session, operation: &Operation, matches: &ArgMatches) -> Result<Outcome, Failure> {
    let request = request(session, operation, matches).map_err(Failure::typed)?;
    shape(operation, &request).map_err(|error| Failure::from(error).typed())?;
    // A price book has a say in what a service costs, and in when the points of a source expire.
    let priced = operation.field("service").or(operation.field("source")).is_some();
    let named = if priced { session.named_book()? } else { None };
    let ledger = session.change()?;
    if priced {
        session.load_book(&ledger, named)?;
    }
    let typed = target(operation).and_then(|target| text(&request, target).map(str::to_string));
    let points = request.get("points").and_then(Value::as_i64);
    let whose = session.whose()?;
    let refused = |error| advice::refused(&ledger, &whose, typed.as_deref(), points, error);
    let request = aimed(&ledger, &whose, operation, typed.as_deref(), request).map_err(refused)?;
    if flag(matches, "dry_run") {
        let receipt = ledger.dry_run(&request).map_err(refused)?;
        session.out.one(&receipt)?;
        advice::opened(session, &ledger, &request, &receipt, true);
        advice::shared_key(session, &ledger, &receipt);
        advice::brought_to_now(session, &receipt);
        advice::lapsed(session, &receipt);
        session.notes.note("dry run: nothing was booked");
        return Ok(Outcome::Done);
    }
    if let Some(question) = question(operation).filter(|_| !flag(matches, "yes")) {
        // What would be refused needs nobody's word.
        let would = ledger.dry_run(&request).map_err(refused)?;
        confirm::ask(false, &format!("{question} {}", consequence(&ledger, &would)?), confirm::YES)?;
    }
    // Before it is booked: whoever is cut off in between asks with the key what became of it, and books nothing twice.
    if value(matches, "key").is_none() {
        session.notes.key(text(&request, "key").unwrap_or_default());
    }
    let receipt = ledger.apply(&request).map_err(refused)?;
    session.out.one(&receipt)?;
    advice::opened(session, &ledger, &request, &receipt, false);
    advice::shared_key(session, &ledger, &receipt);
    advice::brought_to_now(session, &receipt);
    advice::lapsed(session, &receipt);
    Ok(Outcome::Done)
}

/// The hold, batch, plan or operation that is named.
fn target(operation: &Operation) -> Option<&'static str> {
    operation.target.map(|target| target.name).filter(|name| *name != "account")
}

/// Before the file is opened: what it is done to may be named in more ways than by its id, which stands in for it.
fn shape(operation: &Operation, request: &Request) -> counterfoil::Result<()> {
    let anything = "00000000-0000-8000-8000-000000000000";
    target(operation).map_or_else(|| request.check(), |target| request.clone().with(target, anything).check())
}

/// The request with the id of what it is done to.
fn aimed(
    ledger: &Ledger,
    whose: &Whose,
    operation: &Operation,
    typed: Option<&str>,
    request: Request,
) -> counterfoil::Result<Request> {
    let (Some(target), Some(typed)) = (target(operation), typed) else { return Ok(request) };
    let id = match target {
        "hold" => ids::hold(ledger, whose, typed)?.to_string(),
        "batch" => ids::batch(ledger, whose, typed)?.to_string(),
        "plan" => ids::plan(ledger, whose, typed)?.to_string(),
        _ => ids::charge(ledger, whose, typed)?.to_string(),
    };
    Ok(request.with(target, id))
}

/// What an operation would do, for whoever is asked about it.
fn consequence(ledger: &Ledger, would: &Receipt) -> Result<String, Failure> {
    let balance = balance_line(&would.balance);
    Ok(match (&would.account, would.points.get()) {
        (Some(account), 0) => format!("It would leave {account} with {balance}."),
        (Some(account), points) => format!("{points} points; it would leave {account} with {balance}."),
        (None, _) => format!(
            "It reads {}; {} points that lapsed by a later time would come back.",
            time(would.recorded_at),
            ledger.clock_brings_back()?
        ),
    })
}

/// The fields of a field that is an object.
fn parts(field: &Field) -> Option<&'static [Field]> {
    if let FieldKind::Part(members) = field.kind { Some(members) } else { None }
}

fn request(session: &Session, operation: &Operation, matches: &ArgMatches) -> Result<Request, Failure> {
    let mut request = Request::new(operation.name);
    // Also what an operation does not take: the refusal says what it wants instead.
    let names = operation.all_fields().map(|field| field.name).chain(USAGE);
    for (name, value) in names.filter_map(|name| Some((name, value(matches, name)?))) {
        request = request.with(name, value);
    }
    for (field, members) in operation.fields.iter().filter_map(|field| Some((field, parts(field)?))) {
        let given = members.iter().filter_map(|member| {
            let value = value(matches, &part_name(field, member))?;
            Some((member.name.to_string(), value))
        });
        let given: Map<String, Value> = given.collect();
        if !given.is_empty() {
            request = request.with(field.name, given);
        }
    }
    if let Some(points) = value(matches, "by_name") {
        let field = if operation.field("points").is_some() { "points" } else { "credit_limit" };
        request = request.with(field, points);
    }
    match (operation.target.map(|target| target.name), &session.common.account) {
        (Some("account"), _) => request = request.with("account", session.account_text()?),
        (None, Some(_)) => {
            let why = "this command takes no account: it is about the whole file";
            return Err(Failure::usage(why, "leave -a out"));
        }
        // Of what is named it says whose it is.
        _ => {}
    }
    if let Some(Value::String(text)) = value(matches, "metadata") {
        // Names that are given twice are judged with the rest: by a retry of what is booked they are not.
        let metadata =
            serde_json::from_str::<Metadata>(&text).map_err(|error| counterfoil::Error::InvalidArgument {
                field: "metadata".into(),
                message: format!("is not JSON: {error}"),
                help: "write it like {\"project\":\"7\"}".into(),
            })?;
        request = request.with_metadata(metadata);
    }
    let key = value(matches, "key").unwrap_or_else(|| Key::random().to_string().into());
    let actor = match value(matches, "actor") {
        Some(actor) => Some(actor),
        None => text_variable("COUNTERFOIL_ACTOR")?.map(Value::from),
    };
    Ok(request.with("key", key).with("actor", actor))
}

fn expire(session: &mut Session, args: &ExpireArgs) -> Result<Outcome, Failure> {
    if args.dry_run {
        let due = due(&session.look()?)?;
        session.out.one(&due)?;
        session.notes.note("dry run: nothing was booked");
        return Ok(Outcome::Done);
    }
    let ledger = session.change()?;
    let bar = session.notes.spinner();
    let report = ledger.expire_with(args.limit, |so_far| {
        bar.set_message(format!("{} points expired in {} accounts", so_far.points, so_far.accounts));
    });
    bar.finish_and_clear();
    let report = report?;
    session.out.one(&Sweep {
        points: report.points,
        accounts: report.accounts,
        entries: report.entries,
        more: report.more,
    })?;
    Ok(Outcome::Done)
}

/// What a sweep would book: the lines of the books that time has made and nobody has written down yet.
fn due(ledger: &Ledger) -> Result<Sweep, Failure> {
    let mut sweep = Sweep::default();
    for balance in Query::new().each(|query| ledger.accounts(query)) {
        let (account, before) = (balance?.account, sweep.entries);
        for line in Query::new().newest_first(true).each(|query| ledger.history(&account, query)) {
            let line = line?;
            if !line.unbooked {
                break;
            }
            sweep.entries = sweep.entries.saturating_add(1);
            if line.kind == EntryKind::Expire {
                sweep.points = sweep.points.saturating_add(line.points.get());
            }
        }
        if sweep.entries > before {
            sweep.accounts = sweep.accounts.saturating_add(1);
        }
    }
    Ok(sweep)
}
