//! Commands that take care of the file.

use std::path::Path;

use counterfoil::Verification;
use serde_json::Value;

use super::{Session, pricing};
use crate::args::{BackupArgs, CareCommand, Format, InitArgs, RestoreArgs, VerifyArgs};
use crate::confirm;
use crate::exit::{Failure, Outcome};
use crate::output::Fault;

pub(super) fn run(session: &mut Session, command: &CareCommand) -> Result<Outcome, Failure> {
    match command {
        CareCommand::Init(args) => init(session, args),
        CareCommand::Verify(args) => verify(session, args),
        CareCommand::Backup(args) => backup(session, args),
        CareCommand::Restore(args) => restore(session, args),
        CareCommand::Pricing(command) => pricing::run(session, command),
    }
}

fn init(session: &mut Session, args: &InitArgs) -> Result<Outcome, Failure> {
    let path = args.path.clone().map_or_else(|| session.file(), Ok)?;
    let ledger = session.options().create(&path)?;
    session.warn(&ledger);
    let info = ledger.info()?;
    session.out.one(&info)?;
    session.notes.note(&format!("made {}", path.display()));
    Ok(Outcome::Done)
}

fn verify(session: &mut Session, args: &VerifyArgs) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let verification = if args.quick {
        ledger.verify_quick()?
    } else {
        let bar = session.notes.bar("verifying");
        let verification = ledger.verify_with(|progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        });
        bar.finish_and_clear();
        verification?
    };
    tell(session, &ledger.path(), &verification)
}

/// Shows what a verification found.
fn tell(session: &mut Session, path: &Path, verification: &Verification) -> Result<Outcome, Failure> {
    let facts = serde_json::to_value(verification).unwrap_or_default();
    let faults = facts.get("faults").and_then(Value::as_array).cloned().unwrap_or_default();
    let faults: Vec<Fault> = faults.into_iter().map(Fault).collect();
    match session.out.format() {
        Format::Json => session.out.json(verification, true)?,
        Format::Jsonl => session.out.json(verification, false)?,
        Format::Csv => session.out.all(&faults, "no faults")?,
        Format::Table => {
            let outcome = if verification.ok { "ok".into() } else { format!("{} faults", faults.len()) };
            session.out.text(&format!("{}: {outcome}", path.display()))?;
            let checked = facts.get("checked").and_then(Value::as_object);
            let counts: Vec<String> =
                checked.into_iter().flatten().map(|(name, count)| format!("{} {count}", name.replace('_', " "))).collect();
            if !counts.is_empty() {
                session.out.text(&format!("checked: {}", counts.join(", ")))?;
            }
            if !faults.is_empty() {
                session.out.all(&faults, "")?;
            }
        }
    }
    session.out.flush()?;
    if verification.ok {
        return Ok(Outcome::Done);
    }
    session.notes.warning("keep the file and its -wal as they are; restore a backup to go on");
    Ok(Outcome::Faulty)
}

fn backup(session: &mut Session, args: &BackupArgs) -> Result<Outcome, Failure> {
    let verification = session.look()?.backup(&args.target)?;
    tell(session, &args.target, &verification)
}

fn restore(session: &mut Session, args: &RestoreArgs) -> Result<Outcome, Failure> {
    let target = args.target.clone().map_or_else(|| session.file(), Ok)?;
    let question = format!(
        "Make {} from {}? What the old ledger booked since that backup is not in it, and the old one must not be used any more.",
        target.display(),
        args.backup.display()
    );
    confirm::ask(args.confirm.yes, &question)?;
    let ledger = session.options().restore(&args.backup, &target)?;
    session.warn(&ledger);
    let info = ledger.info()?;
    session.out.one(&info)?;
    session.notes.note(&format!("made {}", target.display()));
    Ok(Outcome::Done)
}
