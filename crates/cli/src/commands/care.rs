//! Commands that take care of the file.

use std::path::Path;

use counterfoil::answer::{Checked, Progress, Verification};
use counterfoil::diagnosis::Level;
use counterfoil::{Error, Ledger};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Session, allot, arrivals, guide, hub, pricing, remedy, sync};
use crate::args::{BackupArgs, CareCommand, Format, InitArgs, RestoreArgs, VerifyArgs};
use crate::confirm;
use crate::exit::{Failure, Outcome};

pub(super) fn run(session: &mut Session, command: &CareCommand) -> Result<Outcome, Failure> {
    match command {
        CareCommand::Init(args) => init(session, args),
        CareCommand::Verify(args) => verify(session, args).map_err(|failure| match failure {
            // Nobody who verifies is told to verify.
            Failure::Ledger { error, .. } if matches!(*error, Error::Corrupt { .. }) => {
                let help = error.help();
                Failure::advised(*error, help)
            }
            failure => failure,
        }),
        CareCommand::Doctor => doctor(session),
        CareCommand::Backup(args) => backup(session, args),
        CareCommand::Restore(args) => restore(session, args),
        CareCommand::Pricing(command) => pricing::run(session, command),
        CareCommand::Hub(command) => hub::run_hub(session, command),
        CareCommand::Device(command) => hub::run_device(session, command),
        CareCommand::Sync(command) => sync::run(session, command),
        CareCommand::Stage(command) => arrivals::stage(session, command),
        CareCommand::Flags(command) => arrivals::flags(session, command),
        CareCommand::Allot(command) => allot::run(session, command),
        CareCommand::Completions(args) => guide::completions(session, args.shell),
        CareCommand::Man(args) => guide::man(session, args),
    }
}

fn init(session: &mut Session, args: &InitArgs) -> Result<Outcome, Failure> {
    let path = args.path.clone().map_or_else(|| session.file(), Ok)?;
    let ledger = session.options().create(&path)?;
    made(session, &ledger, &path)
}

/// Shows a ledger that was just made.
fn made(session: &mut Session, ledger: &Ledger, path: &Path) -> Result<Outcome, Failure> {
    session.warn(ledger);
    let info = ledger.info()?;
    session.notes.note(&format!("made {}", path.display()));
    session.out.one(&info)?;
    Ok(Outcome::Done)
}

fn verify(session: &mut Session, args: &VerifyArgs) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let verification = if args.quick {
        ledger.verify_quick()?
    } else {
        let bar = session.notes.bar("verifying");
        let verification = ledger.verify_with(|progress| advance(&bar, progress));
        bar.finish_and_clear();
        verification?
    };
    tell(session, &ledger.path(), &verification, &verification)
}

/// Shows how far a verification or a backup is.
fn advance(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.done);
    if let Some(total) = progress.total {
        bar.set_length(total);
    }
    if bar.message() != progress.step {
        bar.set_message(progress.step);
    }
}

/// Shows what a verification found; `whole` is what programs are told.
fn tell(
    session: &mut Session,
    path: &Path,
    verification: &Verification,
    whole: &impl Serialize,
) -> Result<Outcome, Failure> {
    let Verification { ok, faults, more_faults, .. } = verification;
    match session.out.format() {
        Format::Json => session.out.json(whole, true)?,
        Format::Jsonl => session.out.json(whole, false)?,
        Format::Csv => {
            if !session.out.all(faults)? {
                session.notes.note("ok: there is no fault to list");
            }
        }
        Format::Table => {
            let found = u64::try_from(faults.len()).unwrap_or(u64::MAX).saturating_add(*more_faults);
            let outcome = match found {
                0 => "ok".into(),
                1 => "1 fault".into(),
                found => format!("{found} faults"),
            };
            session.out.text(&format!("{}: {outcome}", path.display()))?;
            session.out.text(&format!("checked: {}", counts(&verification.checked)))?;
            if !faults.is_empty() {
                session.out.all(faults)?;
            }
        }
    }
    session.out.flush()?;
    if *more_faults > 0 {
        session.notes.note(&format!("{more_faults} more faults are not listed"));
    }
    if *ok {
        return Ok(Outcome::Done);
    }
    session.notes.warning("keep the file and its -wal as they are; restore a backup to go on");
    Ok(Outcome::Faulty)
}

/// How much was looked at, in words.
fn counts(checked: &Checked) -> String {
    let counts = [
        ("operations", checked.operations),
        ("replayed", checked.replayed),
        ("accounts", checked.accounts),
        ("entries", checked.entries),
        ("batches", checked.batches),
        ("allocations", checked.allocations),
        ("holds", checked.holds),
        ("open or mended consumes", checked.consumes),
        ("price books", checked.price_books),
        ("writers", checked.writers),
    ];
    let said: Vec<String> =
        counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    if said.is_empty() { "nothing is booked yet".into() } else { said.join(", ") }
}

fn backup(session: &mut Session, args: &BackupArgs) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let bar = session.notes.bar("copy");
    let Some(keep) = args.keep else {
        let verification = ledger.backup_with(&args.target, |progress| advance(&bar, progress));
        bar.finish_and_clear();
        let verification = verification?;
        return tell(session, &args.target, &verification, &verification);
    };
    let backup = ledger.backup_into_with(&args.target, keep, |progress| advance(&bar, progress));
    bar.finish_and_clear();
    let backup = backup?;
    for old in &backup.deleted {
        session.notes.note(&format!("deleted {}", old.display()));
    }
    tell(session, &backup.path, &backup.verification, &backup)
}

fn doctor(session: &mut Session) -> Result<Outcome, Failure> {
    let mut options = session.options();
    if let Some(book) = &session.common.pricing {
        options = options.pricing_file(book);
    }
    let diagnosis = remedy::advised(options.diagnose(session.file()?));
    match session.out.format() {
        Format::Json => session.out.json(&diagnosis, true)?,
        Format::Table => session.out.diagnosis(&diagnosis)?,
        Format::Jsonl | Format::Csv => session.out.all(&diagnosis.findings).map(drop)?,
    }
    session.out.flush()?;
    Ok(match &diagnosis.error {
        Some(error) => error.class().map_or(Outcome::Failed, Outcome::of),
        None if diagnosis.level == Level::Fault => Outcome::Faulty,
        None => Outcome::Done,
    })
}

fn restore(session: &mut Session, args: &RestoreArgs) -> Result<Outcome, Failure> {
    let target = args.target.clone().map_or_else(|| session.file(), Ok)?;
    let question = format!(
        "Make {} from {}? What the old ledger booked since that backup is not in it, and the old one must not be used any more.",
        target.display(),
        args.backup.display()
    );
    // What cannot be done needs nobody's word.
    drop(session.options().read_only(true).open(&args.backup)?);
    if target.symlink_metadata().is_ok_and(|found| !found.is_file() || found.len() > 0) {
        return Err(Error::LedgerExists { path: target.display().to_string() }.into());
    }
    confirm::ask(args.confirm.yes, &question, confirm::YES)?;
    let ledger = session.options().restore(&args.backup, &target)?;
    made(session, &ledger, &target)
}
