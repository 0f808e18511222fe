//! What to do about each fact that `doctor` finds.

use std::path::Path;

use counterfoil::diagnosis::{self, Fact, Finding, Level, Open, Rights, Topic};
use counterfoil::error::ErrorInfo;

use crate::output::{Advised, Diagnosis};
use crate::shell::quoted;

/// What was found, each with what to do about it.
pub(super) fn advised(diagnosis: diagnosis::Diagnosis) -> Diagnosis {
    let helps: Vec<Option<String>> = diagnosis.findings.iter().map(|finding| help(&diagnosis, finding)).collect();
    let diagnosis::Diagnosis { path, level, error, findings, .. } = diagnosis;
    let findings = findings.into_iter().zip(helps).map(|(finding, help)| Advised { finding, help }).collect();
    Diagnosis { path, level, error, findings }
}

/// What to do about one finding.
fn help(diagnosis: &diagnosis::Diagnosis, finding: &Finding) -> Option<String> {
    match &finding.fact {
        _ if finding.level == Level::Ok => None,
        Fact::Error { error } => Some(match finding.check {
            Topic::Open => unopened(diagnosis, error),
            Topic::PriceBook => {
                "see every fault with `counterfoil pricing check`; until then nothing of it is in force".into()
            }
            _ => error.help.clone(),
        }),
        fact => {
            of_the_place(Path::new(&diagnosis.path), fact, finding.level).or_else(|| Some(of_the_books(fact)?.into()))
        }
    }
}

fn of_the_place(path: &Path, fact: &Fact, level: Level) -> Option<String> {
    let help = match fact {
        Fact::Network { .. } => "move the ledger to a local disk while nobody uses it",
        Fact::Names { .. } => return Some(one_name(path)),
        Fact::Cloud { .. } => {
            "close every program that uses it, move it to a folder that is not synchronised, and let `counterfoil backup` \
             write the copies that are"
        }
        Fact::Fuse { .. } => "move the ledger to a plain local disk if you can",
        Fact::Unreadable { rights } => return Some(may_read(path, rights)),
        Fact::ReadOnly { rights } => return Some(may_write(path, rights)),
        Fact::TooOpen { rights, files, folder, .. } => return Some(close(rights, files, folder.as_ref())),
        Fact::Disk { free: Some(_), .. } if level == Level::Fault => {
            "free some space: operations are refused with disk_full"
        }
        Fact::Disk { .. } => "free some space: there is too little for a backup beside the ledger",
        Fact::Orphans { here: true, .. } => {
            "put the ledger back beside it: it may hold the newest operations. Delete nothing"
        }
        Fact::Orphans { .. } => {
            "if such a ledger was renamed or moved, bring the two together again before it is opened: what was booked last \
             may be there alone. Delete nothing"
        }
        Fact::NotRegular { .. } => "find out who made it, and move it away while nobody uses the ledger",
        Fact::Journal { .. } => {
            "delete nothing: open the ledger for writing once (`counterfoil expire`), which rolls it back"
        }
        Fact::OtherOwner { .. } => {
            "let one user alone run what uses the ledger, and give the file beside it to that user (chown)"
        }
        Fact::Abandoned { .. } => "the next backup or restore in this folder clears them; no ledger needs them",
        Fact::Kept { .. } => "keep them elsewhere, or delete them once `counterfoil verify` is content",
        Fact::WalAlone => "keep the two together; the next opening takes in what is whole in it",
        Fact::StuckWriters { .. } => "look what it is doing; ended, its unfinished transaction is undone",
        _ => return None,
    };
    Some(help.into())
}

fn of_the_books(fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::Relaxed => "flush after what must not be lost, or open with full durability",
        Fact::LongWal { .. } => {
            "end what reads for long (a report, another program's transaction); the next operations fold it in"
        }
        Fact::LongLog { .. } => "once the hub has everything, begin one: `counterfoil device renew-file NEW`",
        Fact::ClockSuspect { .. } => {
            "if it is right, say so with `counterfoil confirm-clock`, or wait: readings that go on like this for \
             clock_patience are accepted; else set it"
        }
        Fact::ClockBehind { wrong: true, .. } => "set the computer's clock: the time is known to be later",
        Fact::ClockBehind { .. } => {
            "if it is right, the clock was fast before: say so with `counterfoil confirm-clock`, which takes time back; \
             else set it"
        }
        Fact::NoPriceBook { .. } => "to charge by service, give one (--pricing FILE); charging plain points needs none",
        Fact::PriceBook { given: Some(_), .. } => {
            "right if the prices have just changed; else give the book that is in force"
        }
        Fact::PriceBook { .. } => {
            "nothing was booked under it for long: make sure that its prices still hold, or give the book in force"
        }
        Fact::Debts { .. } => {
            "a recharge settles debt first, `counterfoil write-off` forgives it; see `counterfoil history -a ACCOUNT`"
        }
        Fact::Due { .. } => {
            "balances count it all the same; `counterfoil expire` books it now, else each account's next operation does"
        }
        Fact::NotVerified => "prove the books with `counterfoil verify`",
        _ => return None,
    })
}

/// What to do about a ledger that does not open, as far as the other findings know.
fn unopened(diagnosis: &diagnosis::Diagnosis, error: &ErrorInfo) -> String {
    let path = Path::new(&diagnosis.path);
    let found = |wanted: fn(&Fact) -> bool| diagnosis.findings.iter().any(|finding| wanted(&finding.fact));
    match error.code.as_str() {
        "not_a_ledger" => match path.symlink_metadata() {
            Err(_) => "check the path, or create a ledger there with `counterfoil init`",
            Ok(file) if !file.is_file() => "check the path: give that of the ledger file itself",
            Ok(file) if file.len() == 0 => "delete it, unless a ledger is just being created, then `counterfoil init`",
            Ok(_) => "check the path; if this was a ledger, keep it as it is and restore a backup",
        }
        .into(),
        "unsafe_location" if found(|fact| matches!(fact, Fact::Names { .. })) => one_name(path),
        _ if found(|fact| matches!(fact, Fact::Unreadable { .. })) => "see permissions".into(),
        _ => error.help.clone(),
    }
}

fn one_name(path: &Path) -> String {
    format!(
        "close every program that uses it, and remove all its names but one; `find {} -samefile {}` finds those nearby",
        quoted(&path.parent().unwrap_or(path).display().to_string()),
        quoted(&path.display().to_string())
    )
}

/// The commands that close what is open to others; only the owner can run them.
fn close(rights: &Rights, files: &[Open], folder: Option<&Open>) -> String {
    let files: Vec<String> = files.iter().map(|file| quoted(&file.path)).collect();
    let files = (!files.is_empty()).then(|| format!("chmod 600 {}", files.join(" ")));
    let folder = folder.map(|folder| format!("chmod o-w {}", quoted(&folder.path)));
    let commands: Vec<String> = files.into_iter().chain(folder).collect();
    match rights.somebody_else() {
        Some(owner) => format!("ask user {owner}, whose it is, to run: {}", commands.join(" && ")),
        None => commands.join(" && "),
    }
}

fn may_read(path: &Path, rights: &Rights) -> String {
    match rights.somebody_else() {
        Some(owner) => format!("ask user {owner}, whose it is, for the right to read it"),
        None => format!("chmod 600 {}", quoted(&path.display().to_string())),
    }
}

fn may_write(path: &Path, rights: &Rights) -> String {
    match rights.somebody_else() {
        Some(owner) => {
            format!(
                "if you are to change it from here, ask user {owner}, whose it is, for the right to write it and its folder"
            )
        }
        None => format!(
            "to change it from here, give yourself the right to write {} and its folder",
            quoted(&path.display().to_string())
        ),
    }
}
