//! What can be told without reading the ledger: SQLite, the place, rights, the disk, what lies beside.

use super::{Finding, Level, rights, several};
use crate::db::{Beside, Doubt, Site, sqlite_version};
use crate::error::Error;
use crate::writer::Durability;

/// Below this a commit may fail for want of room at any moment.
const NO_ROOM: u64 = 1 << 20;
/// Room for a `-wal` that a long read holds up, and some backups of the log.
const LITTLE_ROOM: u64 = 256 << 20;
/// Twice what a `-wal` keeps for being overwritten: somebody holds it up.
const LONG_WAL: u64 = 32 << 20;

/// All that needs no opening; `error` is why it could not be opened.
pub(super) fn findings(site: &Site, error: Option<&Error>) -> Vec<Finding> {
    // Rights to something else are nobody's business here.
    let permissions = match error {
        Some(Error::NotALedger { .. } | Error::Corrupt { .. }) => {
            Finding::ok("permissions", "not judged: there is no ledger here that can be read")
        }
        _ => rights::permissions(site),
    };
    let mut findings = vec![sqlite(), place(site), permissions, disk(site), side_files(site)];
    findings.extend(site.stuck_writers.as_deref().map(stuck_writers));
    findings
}

/// Why it could not be opened, and what to do here.
pub(super) fn unopened(site: &Site, error: &Error) -> Finding {
    let file = site.file.as_ref();
    let help = match error {
        Error::NotALedger { .. } => match file {
            None => "check the path, or create a ledger there with `counterfoil init`".into(),
            Some(file) if !file.regular => "check the path: give that of the ledger file itself".into(),
            Some(file) if file.bytes == 0 => {
                "delete it, unless a ledger is just being created, then `counterfoil init`".into()
            }
            Some(_) => "check the path; if this was a ledger, keep it as it is and restore a backup".into(),
        },
        Error::UnsafeLocation { .. } if matches!(site.doubts.first(), Some(Doubt::Names { .. })) => one_name(site),
        Error::Storage { .. } if site.readable == Some(false) => "see permissions".into(),
        _ => error.help(),
    };
    Finding { help: Some(help), ..Finding::error("open", error) }
}

/// A process that keeps others from writing: stopped in a debugger, or forked with a transaction open.
fn stuck_writers(processes: &[u32]) -> Finding {
    let who = match processes {
        [] => "a process".into(),
        [one] => format!("process {one}"),
        several => format!("processes {}", several.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
    };
    let found = format!("{who} has kept the writer lock for a second: nobody else can book");
    Finding::new("writer", Level::Warning, found, "look what it is doing; ended, its unfinished transaction is undone")
}

fn one_name(site: &Site) -> String {
    let folder = site.path.parent().unwrap_or(&site.path);
    format!(
        "close every program that uses it, and remove all its names but one; `find {} -samefile {}` finds those nearby",
        rights::quoted(folder),
        rights::quoted(&site.path)
    )
}

fn sqlite() -> Finding {
    match sqlite_version() {
        (version, Ok(())) => Finding::ok("sqlite", format!("version {version}")),
        (_, Err(error)) => Finding::error("sqlite", &error),
    }
}

fn place(site: &Site) -> Finding {
    let Some(doubt) = site.doubts.first() else {
        let kind = site.file_system.as_deref().unwrap_or("unknown here");
        return Finding::ok("place", format!("the file system is {kind}, in no known cloud folder"));
    };
    let (level, help) = match doubt {
        Doubt::Network { .. } => (Level::Fault, "move the ledger to a local disk while nobody uses it".into()),
        Doubt::Names { .. } => (Level::Fault, one_name(site)),
        Doubt::Cloud { .. } => (
            Level::Warning,
            "close every program that uses it, move it to a folder that is not synchronised, and let \
             `counterfoil backup` write the copies that are"
                .into(),
        ),
        Doubt::Fuse { .. } => (Level::Warning, "move the ledger to a plain local disk if you can".into()),
    };
    Finding::new("place", level, doubt.to_string(), help)
}

fn disk(site: &Site) -> Finding {
    let Some(free) = site.free else {
        return Finding::ok("disk", "how much is free cannot be told here");
    };
    let size = site.file.as_ref().map_or(0, |file| file.bytes);
    let found = format!("{} free; the ledger has {}", bytes(free), bytes(size));
    if free < NO_ROOM {
        return Finding::new("disk", Level::Fault, found, "free some space: operations are refused with disk_full");
    }
    if free < size.saturating_add(LITTLE_ROOM) {
        let help = "free some space: there is too little for a backup beside the ledger";
        return Finding::new("disk", Level::Warning, found, help);
    }
    Finding::ok("disk", found)
}

fn side_files(site: &Site) -> Finding {
    let fault = |found, help: &str| Finding::new("side_files", Level::Fault, found, help);
    let warning = |found, help: &str| Finding::new("side_files", Level::Warning, found, help);
    let companions = [&site.wal, &site.shm, &site.journal];
    let mut there = companions.into_iter().flatten();
    if site.file.is_none() {
        return match there.find(|side| side.bytes > 0) {
            Some(side) => fault(
                format!("{} ({}) is here without its ledger", side.name, bytes(side.bytes)),
                "put the ledger back beside it: it may hold the newest operations. Delete nothing",
            ),
            None => Finding::ok("side_files", "none"),
        };
    }
    if let Some(odd) = there.clone().find(|side| !side.regular) {
        let help = "find out who made it, and move it away while nobody uses the ledger";
        return fault(format!("{} is not a regular file", odd.name), help);
    }
    if let Some(journal) = &site.journal {
        let help = "delete nothing: open the ledger for writing once (counterfoil expire), which rolls it back";
        return warning(format!("{}: a transaction in another mode was broken off", journal.name), help);
    }
    let owner = site.file.as_ref().and_then(|file| file.owner);
    if let Some(side) = there.find(|side| side.owner != owner) {
        let help = "let one user alone run what uses the ledger, and give the file beside it to that user (chown)";
        return warning(format!("{} belongs to another user than the ledger", side.name), help);
    }
    leftovers(site)
}

fn leftovers(site: &Site) -> Finding {
    if !site.abandoned.is_empty() {
        let found = format!("left of a broken-off creation, backup or restore: {}", names(&site.abandoned));
        return Finding::new(
            "side_files",
            Level::Note,
            found,
            "the next backup or restore in this folder clears them; no ledger needs them",
        );
    }
    if !site.kept.is_empty() {
        let found = format!("copies from before a migration: {}", names(&site.kept));
        let help = "keep them elsewhere, or delete them once `counterfoil verify` is content";
        return Finding::new("side_files", Level::Note, found, help);
    }
    match (&site.wal, &site.shm) {
        (Some(Beside { bytes: 1.., .. }), None) => Finding::new(
            "side_files",
            Level::Note,
            "a -wal and no -shm: nobody has the ledger open, and what was booked last may be in the -wal alone",
            "keep the two together; the next opening takes in what is whole in it",
        ),
        (None, None) => Finding::ok("side_files", "none"),
        _ => Finding::ok(
            "side_files",
            "only its -wal and -shm: it is in use, or was looked at, or its writer was killed; they belong to it",
        ),
    }
}

/// The first few of them.
fn names(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = names.len().saturating_sub(first.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}

pub(super) fn durability(durability: Durability) -> Finding {
    match durability {
        Durability::Full => {
            Finding::ok("durability", "full, as opened here: acknowledged is on disk, also after a power cut")
        }
        Durability::Relaxed => Finding::new(
            "durability",
            Level::Note,
            "relaxed, as opened here: a power cut may lose the newest operations, and never corrupts",
            "flush after what must not be lost, or open with full durability",
        ),
    }
}

pub(super) fn wal(site: &Site) -> Finding {
    let waiting = site.wal.as_ref().map_or(0, |wal| wal.bytes);
    if waiting > LONG_WAL {
        let found = format!(
            "{} are not folded into the ledger: a long read holds it up, or a writer was killed",
            bytes(waiting)
        );
        let help = "end what reads for long (a report, another program's transaction); the next operations fold it in";
        return Finding::new("wal", Level::Warning, found, help);
    }
    match waiting {
        0 => Finding::ok("wal", "empty: the one file is whole"),
        _ => {
            Finding::ok("wal", format!("{} beside the ledger, which belong to it: copy it with backup", bytes(waiting)))
        }
    }
}

/// A size for people, rounded down.
fn bytes(count: u64) -> String {
    /// A tenth of each unit.
    const UNITS: [(&str, u64); 3] = [("GB", 100_000_000), ("MB", 100_000), ("kB", 100)];
    let tenths = |unit: u64| count.checked_div(unit).unwrap_or(0);
    match UNITS.into_iter().find(|(_, unit)| tenths(*unit) >= 10) {
        Some((name, unit)) => format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10),
        None => several(i64::try_from(count).unwrap_or(i64::MAX), "byte", "bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn file(name: &str, bytes: u64) -> Beside {
        Beside { name: name.into(), bytes, regular: true, owner: Some(7), mode: Some(0o600) }
    }

    fn site() -> Site {
        Site {
            path: PathBuf::from("/a/p.ledger"),
            folder: Some(Beside { regular: false, mode: Some(0o755), ..file("a", 4096) }),
            file: Some(file("p.ledger", 1 << 20)),
            wal: None,
            shm: None,
            journal: None,
            kept: Vec::new(),
            stuck_writers: None,
            abandoned: Vec::new(),
            file_system: Some("ext4".into()),
            doubts: Vec::new(),
            free: Some(100 << 30),
            user: Some(7),
            readable: Some(true),
            writable: Some(true),
        }
    }

    #[test]
    fn sizes_are_rounded_down() {
        for (count, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (1_999_999, "1.9 MB"),
            (12_345_678_901, "12.3 GB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    /// Each row: what is different, the check, its level, a piece of what it says.
    #[test]
    fn what_is_odd_about_a_place() {
        type Change = fn(&mut Site);
        let cases: [(&str, Level, &str, Change); 26] = [
            ("place", Level::Ok, "ext4", |_| ()),
            ("place", Level::Fault, "nfs4", |s| s.doubts = vec![Doubt::Network { file_system: "nfs4".into() }]),
            ("place", Level::Warning, "fuse.x", |s| s.doubts = vec![Doubt::Fuse { file_system: "fuse.x".into() }]),
            ("place", Level::Warning, "Dropbox", |s| s.doubts = vec![Doubt::Cloud { folder: "Dropbox".into() }]),
            ("permissions", Level::Ok, "mode 0600, yours", |_| ()),
            ("permissions", Level::Ok, "of user 7 (you are 8)", |s| s.user = Some(8)),
            ("permissions", Level::Warning, "may read it", |s| s.file.as_mut().unwrap().mode = Some(0o644)),
            ("permissions", Level::Warning, "read or change it", |s| s.file.as_mut().unwrap().mode = Some(0o660)),
            ("permissions", Level::Note, "only look", |s| s.writable = Some(false)),
            ("permissions", Level::Note, "ask user 7", |s| (s.user, s.writable) = (Some(8), Some(false))),
            ("permissions", Level::Warning, "ask user 7", |s| {
                (s.user, s.file.as_mut().unwrap().mode) = (Some(8), Some(0o666));
            }),
            ("permissions", Level::Fault, "chmod 600 '/a/p.ledger'", |s| s.readable = Some(false)),
            // Regression: only the ledger itself was looked at, and whoever may write its -wal may change its books.
            (
                "permissions",
                Level::Warning,
                "w has mode 0666, s has mode 0644: other users may read or change them",
                |s| {
                    s.wal = Some(Beside { mode: Some(0o666), ..file("w", 9) });
                    s.shm = Some(Beside { mode: Some(0o644), ..file("s", 9) });
                },
            ),
            ("permissions", Level::Warning, "chmod 600 '/a/p.ledger-wal'", |s| {
                s.wal = Some(Beside { mode: Some(0o640), ..file("p.ledger-wal", 9) });
            }),
            ("permissions", Level::Warning, "chmod o-w '/a'", |s| s.folder.as_mut().unwrap().mode = Some(0o777)),
            ("permissions", Level::Ok, "yours", |s| s.folder.as_mut().unwrap().mode = Some(0o1777)),
            ("place", Level::Fault, "2 names", |s| s.doubts = vec![Doubt::Names { links: 2 }]),
            ("disk", Level::Fault, "1.0 MB free", |s| s.free = Some((1 << 20) - 1)),
            ("disk", Level::Warning, "200.0 MB free", |s| s.free = Some(200_000_000)),
            ("side_files", Level::Fault, "without its ledger", |s| (s.file, s.wal) = (None, Some(file("w", 9)))),
            ("side_files", Level::Warning, "broken off", |s| s.journal = Some(file("j", 9))),
            ("side_files", Level::Warning, "another user", |s| s.shm = Some(Beside { owner: Some(0), ..file("s", 9) })),
            ("side_files", Level::Fault, "not a regular", |s| s.wal = Some(Beside { regular: false, ..file("w", 9) })),
            ("side_files", Level::Note, "no -shm", |s| s.wal = Some(file("w", 9))),
            ("side_files", Level::Note, "a, b, c and 1 more", |s| {
                s.abandoned = ["a", "b", "c", "d"].map(Into::into).into()
            }),
            ("side_files", Level::Note, "migration", |s| s.kept = vec!["p.ledger.v1.backup".into()]),
        ];
        for (check, level, said, change) in cases {
            let mut site = site();
            change(&mut site);
            let findings = findings(&site, None);
            let finding = findings.iter().find(|finding| finding.check == check).unwrap();
            assert_eq!(finding.level, level, "{finding:?}");
            let words = format!("{} {}", finding.found, finding.help.as_deref().unwrap_or_default());
            assert!(words.contains(said), "{finding:?}");
            assert_eq!(finding.help.is_none(), level == Level::Ok, "{finding:?}");
        }
    }

    #[test]
    fn a_long_log_is_told() {
        let with = |bytes| wal(&Site { wal: Some(file("w", bytes)), ..site() });
        assert_eq!(with(0).level, Level::Ok);
        assert_eq!((with(16 << 20).level, with(LONG_WAL).level), (Level::Ok, Level::Ok));
        assert_eq!(with(LONG_WAL + 1).level, Level::Warning);
    }
}
