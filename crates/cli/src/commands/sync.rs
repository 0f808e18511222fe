//! The files between devices and their hub.

use std::path::PathBuf;

use counterfoil::exchange::{Exported, PublicKey, inspect, open_file};
use serde::Serialize;

use super::{Session, arrivals};
use crate::args::{CheckFileArgs, SendArgs, SyncCommand};
use crate::exit::{Failure, Outcome};

pub(super) fn run(session: &mut Session, command: &SyncCommand) -> Result<Outcome, Failure> {
    match command {
        SyncCommand::Export(args) => export(session, args),
        SyncCommand::Import(args) => arrivals::import(session, args),
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
    for (file, exported) in session.change()?.export_into(&args.out, !args.plain)? {
        session.out.told(&Wrote { file, exported }, text)?;
    }
    Ok(Outcome::Done)
}

fn check(session: &mut Session, args: &CheckFileArgs) -> Result<Outcome, Failure> {
    let key = args.key.as_deref().map(str::parse::<PublicKey>).transpose()?;
    let file = inspect(open_file(&args.path)?)?;
    if let Some(key) = &key {
        file.signed_by(key)?;
    }
    let signed = if key.is_some() { "signed with that key" } else { "by whom was not asked: name a --key" };
    session.out.told(&file, |file| {
        let (lines, bytes) = (file.header.count(), file.bytes);
        format!("whole: {lines} lines, {bytes} bytes, digest {}, key {}; {signed}", file.digest, file.key)
    })?;
    Ok(Outcome::Done)
}
