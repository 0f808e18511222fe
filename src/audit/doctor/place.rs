//! What can be told without reading the ledger: SQLite, the place, rights, the disk, what lies beside.

use std::path::Path;

use crate::db::{Beside, Site, sqlite_version};
use crate::error::Error;
use crate::model::{Fact, Finding, Open, Rights, SideFile, Topic};

/// What others may do: to read, to write, to put files in a folder (whose sticky bit keeps those of others).
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const ANYBODY_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// All that needs no opening; `error` is why it could not be opened.
pub(super) fn findings(site: &Site, error: Option<&Error>) -> Vec<Finding> {
    // Rights to something else are nobody's business here.
    let permissions = match error {
        Some(Error::NotALedger { .. } | Error::Corrupt { .. }) => Fact::NoLedger,
        _ => permissions(site),
    };
    let mut findings = vec![sqlite()];
    findings.extend([place(site), permissions, disk(site), side_files(site)].map(Finding::from));
    findings.extend(site.stuck_writers.clone().map(|processes| Fact::StuckWriters { processes }.into()));
    findings
}

fn sqlite() -> Finding {
    match sqlite_version() {
        (version, Ok(())) => Fact::Sqlite { version: version.into() }.into(),
        (_, Err(error)) => Finding::error(Topic::Sqlite, &error),
    }
}

fn place(site: &Site) -> Fact {
    site.doubts.first().cloned().unwrap_or_else(|| Fact::GoodPlace { file_system: site.file_system.clone() })
}

fn disk(site: &Site) -> Fact {
    let bytes = |file: &Option<Beside>| file.as_ref().map_or(0, |file| file.bytes);
    Fact::Disk { free: site.free, bytes: bytes(&site.file), wal: bytes(&site.wal) }
}

fn permissions(site: &Site) -> Fact {
    let Some(file) = &site.file else { return Fact::NoFile };
    let rights = Rights::new(file.mode, file.owner, site.user);
    if site.readable == Some(false) {
        return Fact::Unreadable { rights };
    }
    // Whoever was let look at somebody else's ledger is only told of what may be changed.
    let bad = if rights.somebody_else().is_none() { OTHERS } else { OTHERS_WRITE };
    let all = [Some(file), site.wal.as_ref(), site.shm.as_ref(), site.journal.as_ref()].into_iter().flatten();
    let open: Vec<(&Beside, u32)> = all
        .filter(|file| file.regular)
        .filter_map(|file| Some((file, file.mode.filter(|mode| mode & bad != 0)?)))
        .collect();
    let write = open.iter().any(|(_, mode)| mode & OTHERS_WRITE != 0);
    let files: Vec<Open> =
        open.iter().map(|(file, mode)| Open::new(&site.path.with_file_name(&file.name), *mode)).collect();
    let folder = site.folder.as_ref().and_then(|folder| folder.mode);
    let folder = folder.filter(|mode| mode & ANYBODY_WRITES != 0 && mode & STICKY == 0);
    let folder = folder.map(|mode| Open::new(site.path.parent().unwrap_or(Path::new(".")), mode));
    match site.writable {
        _ if !files.is_empty() || folder.is_some() => Fact::TooOpen { rights, files, write, folder },
        Some(false) => Fact::ReadOnly { rights },
        _ => Fact::Rights { rights },
    }
}

fn side_files(site: &Site) -> Fact {
    let companions = [&site.wal, &site.shm, &site.journal];
    let mut there = companions.into_iter().flatten();
    let Some(file) = &site.file else {
        return match there.find(|side| side.bytes > 0) {
            Some(side) => {
                Fact::Orphans { files: vec![SideFile { name: side.name.clone(), bytes: side.bytes }], here: true }
            }
            None => leftovers(site),
        };
    };
    if let Some(odd) = there.clone().find(|side| !side.regular) {
        return Fact::NotRegular { name: odd.name.clone() };
    }
    if let Some(journal) = &site.journal {
        return Fact::Journal { name: journal.name.clone() };
    }
    match there.find(|side| side.owner != file.owner) {
        Some(side) => Fact::OtherOwner { name: side.name.clone() },
        None => leftovers(site),
    }
}

fn leftovers(site: &Site) -> Fact {
    if !site.orphans.is_empty() {
        return Fact::Orphans { files: site.orphans.clone(), here: false };
    }
    if !site.abandoned.is_empty() {
        return Fact::Abandoned { names: site.abandoned.clone() };
    }
    if !site.kept.is_empty() {
        return Fact::Kept { names: site.kept.clone() };
    }
    match (&site.wal, &site.shm) {
        (None, None) => Fact::Alone,
        _ if site.file.is_none() => Fact::Alone,
        (Some(Beside { bytes: 1.., .. }), None) => Fact::WalAlone,
        _ => Fact::InUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
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
            orphans: Vec::new(),
            file_system: Some("ext4".into()),
            doubts: Vec::new(),
            free: Some(100 << 30),
            user: Some(7),
            readable: Some(true),
            writable: Some(true),
        }
    }

    /// Each row: what is different, the check, its level, a piece of what it says.
    #[test]
    fn what_is_odd_about_a_place() {
        type Change = fn(&mut Site);
        let cases: [(&str, Level, &str, Change); 27] = [
            ("place", Level::Ok, "ext4", |_| ()),
            ("place", Level::Fault, "nfs4", |s| s.doubts = vec![Fact::Network { file_system: "nfs4".into() }]),
            ("place", Level::Warning, "fuse.x", |s| s.doubts = vec![Fact::Fuse { file_system: "fuse.x".into() }]),
            ("place", Level::Warning, "Dropbox", |s| s.doubts = vec![Fact::Cloud { folder: "Dropbox".into() }]),
            ("permissions", Level::Ok, "mode 0600, yours", |_| ()),
            ("permissions", Level::Ok, "of user 7 (you are 8)", |s| s.user = Some(8)),
            ("permissions", Level::Warning, "users may read p.ledger (mode 0644)", |s| {
                s.file.as_mut().unwrap().mode = Some(0o644)
            }),
            ("permissions", Level::Warning, "read or change p.ledger (mode 0660)", |s| {
                s.file.as_mut().unwrap().mode = Some(0o660)
            }),
            ("permissions", Level::Note, "only look", |s| s.writable = Some(false)),
            ("permissions", Level::Note, "of user 7", |s| (s.user, s.writable) = (Some(8), Some(false))),
            ("permissions", Level::Warning, "of user 7 (you are 8): other users may read or change", |s| {
                (s.user, s.file.as_mut().unwrap().mode) = (Some(8), Some(0o666));
            }),
            ("permissions", Level::Fault, "no right to read it", |s| s.readable = Some(false)),
            // Regression: only the ledger itself was looked at, and whoever may write its -wal may change its books.
            ("permissions", Level::Warning, "may read or change w (mode 0666), s (mode 0644)", |s| {
                s.wal = Some(Beside { mode: Some(0o666), ..file("w", 9) });
                s.shm = Some(Beside { mode: Some(0o644), ..file("s", 9) });
            }),
            ("permissions", Level::Warning, "may read p.ledger-wal (mode 0640)", |s| {
                s.wal = Some(Beside { mode: Some(0o640), ..file("p.ledger-wal", 9) });
            }),
            ("permissions", Level::Warning, "the folder has mode 0777", |s| {
                s.folder.as_mut().unwrap().mode = Some(0o777);
            }),
            ("permissions", Level::Ok, "yours", |s| s.folder.as_mut().unwrap().mode = Some(0o1777)),
            ("place", Level::Fault, "2 names", |s| s.doubts = vec![Fact::Names { links: 2 }]),
            ("disk", Level::Fault, "1.0 MB free", |s| s.free = Some((1 << 20) - 1)),
            ("disk", Level::Warning, "200.0 MB free", |s| s.free = Some(200_000_000)),
            ("side_files", Level::Fault, "w (9 bytes) without its ledger", |s| {
                (s.file, s.wal) = (None, Some(file("w", 9)))
            }),
            ("side_files", Level::Warning, "broken off", |s| s.journal = Some(file("j", 9))),
            ("side_files", Level::Warning, "another user", |s| s.shm = Some(Beside { owner: Some(0), ..file("s", 9) })),
            ("side_files", Level::Fault, "not a regular", |s| s.wal = Some(Beside { regular: false, ..file("w", 9) })),
            ("side_files", Level::Note, "no -shm", |s| s.wal = Some(file("w", 9))),
            ("side_files", Level::Warning, "a-wal (5.0 kB), b-journal (9 bytes) without their ledgers", |s| {
                s.orphans = [("a-wal", 5_000), ("b-journal", 9)]
                    .map(|(name, bytes)| SideFile { name: name.into(), bytes })
                    .into();
            }),
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
            assert!(finding.found.contains(said), "{finding:?}");
        }
    }
}
