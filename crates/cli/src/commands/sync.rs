//! The files between devices and their hub.

use std::path::PathBuf;

use counterfoil::Question;
use counterfoil::exchange::{Exported, Header, PublicKey, SyncStatus, inspect, open_file};
use counterfoil::sync::RefusedFile;
use serde::Serialize;

use super::hub::must_be_folder;
use super::{Session, arrivals};
use crate::args::{AnswerArgs, CheckFileArgs, RunArgs, SendArgs, SyncCommand};
use crate::exit::{Failure, Outcome};

pub(super) fn run(session: &mut Session, command: &SyncCommand) -> Result<Outcome, Failure> {
    match command {
        SyncCommand::Export(args) => export(session, args),
        SyncCommand::Import(args) => arrivals::import(session, args),
        SyncCommand::Answer(args) => answer(session, args),
        SyncCommand::Run(args) => run_folder(session, args),
        SyncCommand::Status => status(session),
        SyncCommand::Check(args) => check(session, args),
    }
}

/// A file that was written.
#[derive(Serialize)]
struct Wrote {
    file: PathBuf,
    #[serde(flatten)]
    exported: Exported,
}

fn export(session: &mut Session, args: &SendArgs) -> Result<Outcome, Failure> {
    let text = |wrote: &Wrote| match wrote.exported.count {
        0 => format!("{}: a question, nothing new is booked", wrote.file.display()),
        1 => format!("{}: operation {}", wrote.file.display(), wrote.exported.last),
        _ => {
            let Exported { after, last, .. } = wrote.exported;
            format!("{}: operations {} to {last}", wrote.file.display(), after.saturating_add(1))
        }
    };
    must_be_folder(&args.out)?;
    for (file, exported) in session.change()?.export_into(&args.out, !args.plain)? {
        session.out.told(&Wrote { file, exported }, text)?;
    }
    Ok(Outcome::Done)
}

/// An answer that was written.
#[derive(Serialize)]
struct Answered {
    file: PathBuf,
    #[serde(flatten)]
    header: Header,
}

fn answer(session: &mut Session, args: &AnswerArgs) -> Result<Outcome, Failure> {
    must_be_folder(&args.out)?;
    let ledger = session.look()?;
    for path in &args.paths {
        let mut parts = Vec::new();
        ledger.exchange().reply(open_file(path)?, !args.plain, |part| {
            parts.push(Answered { file: part.save(&args.out)?, header: part.header });
            Ok(())
        })?;
        for part in parts {
            session.out.told(&part, |part| match &part.header {
                Header::Down(down) if down.need.is_some() => {
                    format!("{}: asks for operations again", part.file.display())
                }
                header => format!("{}: {} lines", part.file.display(), header.count()),
            })?;
        }
    }
    Ok(Outcome::Done)
}

fn run_folder(session: &mut Session, args: &RunArgs) -> Result<Outcome, Failure> {
    let report = session.change()?.exchange().run(&args.folder)?;
    for refused in &report.refused {
        let RefusedFile { file, code, message, help, .. } = refused;
        session.notes.warning(&format!("{}: {code}: {message}; {help}", file.display()));
    }
    session.out.told(&report, |report| {
        let mut lines: Vec<String> =
            report.taken.iter().map(|taken| arrivals::told(&taken.file, &taken.imported)).collect();
        lines.extend(report.written.iter().map(|file| format!("{}: written", file.display())));
        lines.extend(report.removed.iter().map(|file| format!("{}: deleted, the other side has it", file.display())));
        if lines.is_empty() {
            lines.push("nothing to exchange".into());
        }
        lines.join("\n")
    })?;
    Ok(if report.needs_attention() { Outcome::Attention } else { Outcome::Done })
}

fn status(session: &mut Session) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let status: SyncStatus = session.tell(&ledger, &Question::new("sync"))?;
    let expelled = status.hub.is_some_and(|hub| hub.expelled);
    let waits = status.devices.is_some_and(|devices| devices.staged > 0 || devices.flags > 0);
    Ok(if expelled || waits { Outcome::Attention } else { Outcome::Done })
}

fn check(session: &mut Session, args: &CheckFileArgs) -> Result<Outcome, Failure> {
    let key = args.key.as_deref().map(str::parse::<PublicKey>).transpose()?;
    let file = inspect(open_file(&args.path)?)?;
    if let Some(key) = &key {
        file.signed_by(key)?;
    }
    let signed = if key.is_some() { "signed with that key" } else { "by whom was not asked: name a --key" };
    session.out.told(&file, |file| {
        let what = match file.header {
            Header::Up(_) => "operations of",
            Header::Down(_) => "an answer for",
            Header::Ask(_) => "a request of",
            Header::Cert(_) => "a certificate for",
            Header::Evidence(_) => "evidence of",
            _ => "a file of",
        };
        let (device, lines, bytes) = (file.header.device(), file.header.count(), file.bytes);
        format!(
            "whole: {what} device {device}, {lines} lines, {bytes} bytes, digest {}, key {}; {signed}",
            file.digest, file.key
        )
    })?;
    Ok(Outcome::Done)
}
