//! What a hub's operator does with what devices sent.

use std::path::PathBuf;

use counterfoil::answer::Answer;
use counterfoil::exchange::{
    Acknowledge, Approve, Dismiss, FlagCode, FlagInfo, HeardReport, ImportReport, Role, StagedInfo, open_file,
};
use counterfoil::sync::{ImportTerms, Imported};
use counterfoil::{Error, Key, Ledger, OperationId, Page, Question, Request};
use serde::Serialize;
use serde_json::Value;

use super::{Session, text_variable};
use crate::args::{EverythingArgs, FlagsCommand, StageCommand, TakeArgs};
use crate::exit::{Failure, Outcome};
use crate::output::Listed;

/// A file that was taken.
#[derive(Serialize)]
struct Took<'f> {
    file: &'f PathBuf,
    #[serde(flatten)]
    imported: Imported,
}

/// Takes file after file; one that is refused does not keep the others from being taken. The gravest of what happened tells how it
/// ends.
pub(super) fn import(session: &mut Session, args: &TakeArgs) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let mut terms = ImportTerms::default();
    (terms.dry_run, terms.accept_gap) = (args.dry_run, args.accept_gap);
    let mut attention = false;
    let mut refused: Option<Failure> = None;
    for file in &args.paths {
        let taken = open_file(file).and_then(|reader| ledger.exchange().import_on(reader, terms));
        match taken {
            Ok(imported) => {
                attention |= imported.needs_attention();
                session.out.told(&Took { file, imported }, |took| told(took.file, &took.imported))?;
            }
            Err(error) if args.paths.len() > 1 && !error.is_failure() => {
                session.notes.warning(&format!("{}: {}: {error}; {}", file.display(), error.code(), error.help()));
                refused.get_or_insert(error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    match refused {
        Some(failure) => Err(failure),
        None if attention => Ok(Outcome::Attention),
        None => Ok(Outcome::Done),
    }
}

pub(super) fn told(file: &std::path::Path, imported: &Imported) -> String {
    match imported {
        Imported::Operations(report) => format!("{}: {}: {}", file.display(), report.name, operations(report)),
        Imported::Accounts(report) => format!("{}: {}", file.display(), accounts(report)),
        _ => format!("{}: taken", file.display()),
    }
}

fn accounts(report: &HeardReport) -> String {
    let mut parts = Vec::new();
    if report.stale {
        parts.push("older than what was heard before: nothing of it was taken".to_string());
    } else {
        let accounts = if report.accounts == 1 { "1 account".into() } else { format!("{} accounts", report.accounts) };
        parts.push(format!("{accounts} as the hub has it"));
    }
    if report.known > 0 {
        parts.push(format!("{} known", report.known));
    }
    for (seq, verdict) in &report.verdicts {
        parts.push(format!("operation {seq}: {verdict}"));
    }
    if let Some(need) = report.need {
        parts.push(format!("the hub misses operations from {} on: send them again", need.seq.saturating_add(1)));
    }
    if report.renewed {
        parts.push("somebody else wrote in this file's name, or it was set back: it has begun a new epoch".into());
    }
    if report.expelled {
        parts.push("the hub has expelled this device".into());
    }
    parts.join("; ")
}

fn operations(report: &ImportReport) -> String {
    if report.waits {
        let from = report.need.map_or(1, |link| link.seq.saturating_add(1));
        return format!("waits: operations before it are missing; let the device send those from {from} on");
    }
    let mut parts = vec![format!("{} booked, {} noted", report.booked, report.noted)];
    if report.duplicates > 0 {
        parts.push(format!("{} known", report.duplicates));
    }
    for link in &report.staged {
        parts.push(format!("operation {} set aside: {}", link.seq, link.reason));
    }
    for flag in &report.flags {
        let points = if flag.points == 0 { String::new() } else { format!(" ({})", flag.points) };
        let of = if flag.seq == 0 { String::new() } else { format!("operation {}: ", flag.seq) };
        parts.push(format!("{of}{}{points}", flag.flag));
    }
    if report.regressed {
        parts.push("this hub was set back: it has begun a new epoch, and asks for what it no longer has".into());
    }
    parts.join("; ")
}

pub(super) fn stage(session: &mut Session, command: &StageCommand) -> Result<Outcome, Failure> {
    match command {
        StageCommand::List(args) => {
            list(session, args, "staged", "nothing waits", std::convert::identity::<StagedInfo>)
        }
        StageCommand::Approve(args) => {
            let mut approve = Approve::new();
            if args.another_sale {
                approve = approve.another();
            }
            if let Some(reason) = &args.reason {
                approve = approve.reason(reason.as_str());
            }
            book(session, &args.link, |link, key| approve.on(link, key))
        }
        StageCommand::Dismiss(args) => {
            book(session, &args.link, |link, key| Dismiss::new(args.reason.as_str()).on(link, key))
        }
    }
}

pub(super) fn flags(session: &mut Session, command: &FlagsCommand) -> Result<Outcome, Failure> {
    match command {
        FlagsCommand::List(args) => list(session, args, "flags", "no flags", std::convert::identity::<FlagInfo>),
        FlagsCommand::Ack(args) => {
            let mut acknowledge = Acknowledge::new(args.reason.as_str());
            if let Some(text) = &args.flag {
                acknowledge = acknowledge.flag(flag(text)?);
            }
            book(session, &args.flagged, |flagged, key| acknowledge.on(flagged, key))
        }
    }
}

fn flag(text: &str) -> Result<FlagCode, Error> {
    FlagCode::ALL.iter().copied().find(|flag| flag.as_str() == text).ok_or_else(|| Error::InvalidArgument {
        field: "flag".into(),
        message: format!("there is no flag `{text}`"),
        help: "see `flags list` for those that are open".into(),
    })
}

/// Lists all that a question is answered by.
fn list<T>(
    session: &mut Session,
    args: &EverythingArgs,
    get: &'static str,
    nothing: &str,
    item: fn(T) -> T,
) -> Result<Outcome, Failure>
where
    T: Listed,
    Page<T>: TryFrom<Answer, Error = Error>,
{
    let ledger = session.look()?;
    let question = if args.all { Question::new(get).with("all", true) } else { Question::new(get) };
    if !session.out.pages(&ledger, &args.paging, &question, item)? {
        note_nothing(session, &ledger, nothing)?;
    }
    Ok(Outcome::Done)
}

/// There is nothing; in a file that is no hub there never is.
pub(super) fn note_nothing(session: &mut Session, ledger: &Ledger, nothing: &str) -> Result<(), Failure> {
    let place = match ledger.info()?.role {
        Role::Hub => "",
        Role::Device => ": this file is a device, ask its hub",
        _ => ": this file is no hub",
    };
    session.notes.note(&format!("{nothing}{place}"));
    Ok(())
}

/// Books what is done to an operation, named by its id or its number in the log.
fn book(
    session: &mut Session,
    name: &str,
    request: impl FnOnce(&OperationId, &Key) -> Request,
) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let operation = ledger.operation_named(name, None)?;
    let request = request(&operation, &Key::random());
    let receipt = ledger.apply(&request.with("actor", text_variable("COUNTERFOIL_ACTOR")?.map(Value::from)))?;
    session.out.one(&receipt)?;
    Ok(Outcome::Done)
}
