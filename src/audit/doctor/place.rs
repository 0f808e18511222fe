//! What can be told without reading the ledger: SQLite, the place, rights, the disk, what lies beside.

use super::{Finding, Level, several};
use crate::db::{Beside, Site, sqlite_version};
use crate::writer::Durability;

/// Below this a commit may fail for want of room at any moment.
const NO_ROOM: u64 = 1 << 20;
/// Room for a `-wal` that a long read holds up, and some backups of the log.
const LITTLE_ROOM: u64 = 256 << 20;
/// Twice what a `-wal` keeps for being overwritten: somebody holds it up.
const LONG_WAL: u64 = 32 << 20;

/// All that needs no opening.
pub(super) fn findings(site: &Site) -> Vec<Finding> {
    vec![sqlite(), place(site), permissions(site), disk(site), side_files(site)]
}

fn sqlite() -> Finding {
    match sqlite_version() {
        (version, Ok(())) => Finding::ok("sqlite", format!("version {version}")),
        (_, Err(error)) => Finding::error("sqlite", &error),
    }
}

fn place(site: &Site) -> Finding {
    let kind = site.file_system.as_deref().unwrap_or("unknown here");
    if site.network {
        let found = format!("the file system is {kind}, on which SQLite's locks are not reliable");
        return Finding::new("place", Level::Fault, found, "move the ledger to a local disk while nobody uses it");
    }
    if let Some(folder) = &site.cloud {
        let found = format!("`{folder}` is synchronised with a cloud: a half-written copy may replace the ledger");
        let help = "close every program that uses it, move it to a folder that is not synchronised, and let \
                    `counterfoil backup` write the copies that are";
        return Finding::new("place", Level::Warning, found, help);
    }
    if kind.starts_with("fuse.") {
        let found = format!("the file system is {kind}, which may not keep locks and fsync");
        return Finding::new("place", Level::Warning, found, "move the ledger to a plain local disk if you can");
    }
    Finding::ok("place", format!("the file system is {kind}, in no known cloud folder"))
}

fn permissions(site: &Site) -> Finding {
    let Some(file) = &site.file else {
        return Finding::ok("permissions", "there is no file");
    };
    let path = site.path.display();
    let mode = file.mode.map_or_else(|| "the system's rights apply".into(), |mode| format!("mode {mode:04o}"));
    let owner = match (file.owner, site.user) {
        (Some(owner), Some(user)) if owner == user => ", yours".to_string(),
        (Some(owner), Some(user)) => format!(", of user {owner} (you are {user})"),
        _ => String::new(),
    };
    let found = format!("{mode}{owner}");
    if let Some(mode) = file.mode.filter(|mode| mode & 0o077 != 0) {
        let who = if mode & 0o022 != 0 { "read or change" } else { "read" };
        let found = format!("{found}: other users may {who} it");
        return Finding::new("permissions", Level::Warning, found, format!("chmod 600 '{path}'"));
    }
    if site.writable == Some(false) {
        let help = format!("to change it from here, give yourself the right to write: '{path}' and its folder");
        return Finding::new("permissions", Level::Note, format!("{found}: you may only look"), help);
    }
    Finding::ok("permissions", found)
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
        let found = format!("left of broken-off backups: {}", names(&site.abandoned));
        return Finding::new("side_files", Level::Note, found, "delete them: no ledger needs them");
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
            "a -wal and no -shm: nobody has the ledger open, and its newest operations are in the -wal",
            "keep the two together; the next opening takes it in",
        ),
        (None, None) => Finding::ok("side_files", "none"),
        _ => Finding::ok("side_files", "only the -wal and -shm of a ledger in use"),
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
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.into_iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", count / unit, count % unit / (unit / 10)),
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
            file: Some(file("p.ledger", 1 << 20)),
            wal: None,
            shm: None,
            journal: None,
            kept: Vec::new(),
            abandoned: Vec::new(),
            file_system: Some("ext4".into()),
            network: false,
            cloud: None,
            free: Some(100 << 30),
            user: Some(7),
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
        let cases: [(&str, Level, &str, Change); 18] = [
            ("place", Level::Ok, "ext4", |_| ()),
            ("place", Level::Fault, "nfs4", |s| (s.file_system, s.network) = (Some("nfs4".into()), true)),
            ("place", Level::Warning, "fuse.x", |s| s.file_system = Some("fuse.x".into())),
            ("place", Level::Warning, "Dropbox", |s| s.cloud = Some("Dropbox".into())),
            ("permissions", Level::Ok, "mode 0600, yours", |_| ()),
            ("permissions", Level::Ok, "of user 7 (you are 8)", |s| s.user = Some(8)),
            ("permissions", Level::Warning, "may read it", |s| s.file.as_mut().unwrap().mode = Some(0o644)),
            ("permissions", Level::Warning, "read or change it", |s| s.file.as_mut().unwrap().mode = Some(0o660)),
            ("permissions", Level::Note, "only look", |s| s.writable = Some(false)),
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
            let findings = findings(&site);
            let finding = findings.iter().find(|finding| finding.check == check).unwrap();
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.found.contains(said), "{finding:?}");
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
