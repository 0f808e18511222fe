//! Places that give less than is usual: a folder nobody may write to, a full disk, names that belong to others.

use std::fs;
use std::path::Path;
use std::process::Command;

use counterfoil::{AccountId, Ledger};

use super::{available, charge, filled, recharge};

/// The app had died with an acknowledged charge in the `-wal`; somebody put the file away and restored the backup under the
/// old name. The restore failed, and took the `-wal` with it: the only copy of that charge.
#[test]
fn another_ledgers_wal_is_neither_used_nor_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let backup = folder.path().join("backup.ledger");
    let ledger = filled(&path);
    assert!(ledger.backup(&backup).unwrap().ok);
    charge(&ledger, "in the wal").unwrap();
    // As a process ends that is killed: file and -wal as they are.
    let (dead, wal) = (folder.path().join("dead.ledger"), folder.path().join("dead.ledger-wal"));
    fs::copy(&path, &dead).unwrap();
    fs::copy(folder.path().join("points.ledger-wal"), &wal).unwrap();
    let kept = fs::read(&wal).unwrap();
    assert!(!kept.is_empty());
    let put_away = folder.path().join("broken.ledger");
    fs::rename(&dead, &put_away).unwrap();
    for refused in [
        Ledger::options().restore(&backup, &dead).map(drop),
        ledger.backup(&dead).map(drop),
        Ledger::create(&dead).map(drop),
        Ledger::options().create_if_missing(true).open(&dead).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), "unsafe_location", "{error}");
        assert!(error.to_string().contains("dead.ledger-wal") && error.help().contains("back beside it"), "{error}");
    }
    assert_eq!(fs::read(&wal).unwrap(), kept);
    fs::rename(&put_away, &dead).unwrap();
    assert_eq!(available(&Ledger::open(&dead).unwrap()), 999);
}

/// What an interrupted creation of an older kind has left: the app could never start again.
#[test]
fn an_empty_file_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    for (name, journal) in [("a", None), ("b", Some("")), ("c", Some("\0\0\0\0"))] {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        if let Some(text) = journal {
            fs::write(folder.path().join(format!("{name}-journal")), text).unwrap();
        }
        assert_eq!(Ledger::open(&path).unwrap_err().code(), "not_a_ledger");
        let ledger = Ledger::options().create_if_missing(true).open(&path).unwrap();
        recharge(&ledger, "first", 5).unwrap();
    }
}

/// A name with a slash behind it made a file of another name, or left one.
#[test]
fn a_name_that_ends_in_a_slash_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = filled(&folder.path().join("points.ledger"));
    let before = fs::read_dir(folder.path()).unwrap().count();
    for target in ["new/", "new/.", "./new//"] {
        let target = Path::new(&format!("{}/{target}", folder.path().display())).to_path_buf();
        assert_eq!(ledger.backup(&target).unwrap_err().code(), "invalid_argument");
        assert_eq!(Ledger::create(&target).unwrap_err().code(), "invalid_argument");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

/// Somebody looked into the ledger with a browser for SQLite files: "damaged, restore a backup" was the answer for ever.
#[test]
fn statistics_are_tolerated_and_foreign_objects_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    filled(&path).close().unwrap();
    let sql = |text: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(text).unwrap();
    sql("ANALYZE");
    let ledger = Ledger::open(&path).unwrap();
    charge(&ledger, "after").unwrap();
    assert!(ledger.verify().unwrap().ok && ledger.backup(folder.path().join("backup.ledger")).unwrap().ok);
    ledger.close().unwrap();
    sql("CREATE INDEX mine ON entry (points); CREATE TABLE \"my \"\"own\"\"\" (a UNIQUE)");
    for error in [Ledger::open(&path).unwrap_err(), Ledger::options().read_only(true).open(&path).unwrap_err()] {
        assert_eq!(error.code(), "foreign_schema");
        assert!(error.to_string().contains("index mine, table my \"own\"; the points are intact"), "{error}");
    }
    sql(Ledger::open(&path).unwrap_err().details()["drop"].as_str().unwrap());
    assert_eq!(available(&Ledger::open(&path).unwrap()), 999);
}

/// A small disk of its own, when the tests run as root; `None` elsewhere, and that is said.
pub(super) struct Disk(tempfile::TempDir);

impl Disk {
    pub(super) fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: no disk can be mounted here");
        }
        mounted.then_some(Disk(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn fill(&self) {
        let _ = fs::write(self.0.path().join("fill"), vec![1; 64 << 20]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// On a small disk the `-wal` took all of it, and the checkpoint that would have freed it found no room: 39 charges, and
/// never another one.
#[test]
fn a_full_disk_is_told_and_no_dead_end() {
    let Some(disk) = Disk::new("2m") else { return };
    let path = disk.0.path().join("points.ledger");
    let ledger = Ledger::create(&path).unwrap();
    let book = |n: u32| {
        let line = format!(r#"{{"op":"recharge","account":"u{}","key":"k{n}","points":5,"source":"s"}}"#, n % 50);
        ledger.apply(&counterfoil::Request::parse(&line).unwrap())
    };
    for n in 0..600 {
        book(n).unwrap_or_else(|error| panic!("{n}: {error}"));
    }
    disk.fill();
    let mut booked = 600;
    let error = loop {
        match book(booked) {
            Ok(_) => booked += 1,
            Err(error) => break error,
        }
        assert!(booked < 20_000, "the disk is never full");
    };
    assert_eq!((error.code(), error.is_retryable()), ("disk_full", true));
    assert_eq!(ledger.balance(&AccountId::new("u0").unwrap()).unwrap().figures.available.get() % 5, 0);
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(ledger.backup(elsewhere.path().join("backup.ledger")).unwrap().ok);
    fs::remove_file(disk.0.path().join("fill")).unwrap();
    for n in booked..booked + 50 {
        book(n).unwrap_or_else(|error| panic!("{n} after {booked}: {error}"));
    }
    assert!(ledger.verify().unwrap().ok);
    assert!(book(0).unwrap().replayed);
}

/// The first write after a start, on a disk that is full: there is no room for the `-shm`, which was told as a failure of
/// the storage, and a backup to another disk waited for its own lock.
#[test]
fn a_full_disk_at_the_start_is_told_and_can_be_looked_at() {
    let Some(disk) = Disk::new("400k") else { return };
    let path = disk.0.path().join("points.ledger");
    filled(&path).close().unwrap();
    let without_shm = || {
        let _ = fs::remove_file(disk.0.path().join("points.ledger-shm"));
        let _ = fs::remove_file(disk.0.path().join("points.ledger-reserve"));
        disk.fill();
    };
    without_shm();
    let refused = Ledger::open(&path).and_then(|ledger| charge(&ledger, "no room")).unwrap_err();
    assert_eq!((refused.code(), refused.is_retryable()), ("disk_full", true), "{refused}");
    without_shm();
    let looking = Ledger::options().read_only(true).open(&path).unwrap();
    assert_eq!(available(&looking), 1_000);
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(looking.backup(elsewhere.path().join("backup.ledger")).unwrap().ok);
    looking.close().unwrap();
    fs::remove_file(disk.0.path().join("fill")).unwrap();
    assert_eq!(charge(&Ledger::open(&path).unwrap(), "no room").unwrap().balance.available, 999);
}

/// A folder that somebody may only read, with a ledger that was closed in it: it can be looked at, and a charge is told why
/// it cannot be.
#[test]
fn a_folder_that_may_only_be_read_is_told() {
    let Some(disk) = Disk::new("4m") else { return };
    let path = disk.0.path().join("points.ledger");
    assert!(filled(&path).close().unwrap().whole);
    for suffix in ["-wal", "-shm", "-reserve"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().unwrap();
    assert!(remounted.success());
    let looking = Ledger::options().read_only(true).open(&path).unwrap();
    assert_eq!(available(&looking), 1_000);
    assert!(looking.verify().unwrap().ok);
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(looking.backup(elsewhere.path().join("backup.ledger")).unwrap().ok);
    assert_eq!(Ledger::open(&path).unwrap_err().code(), "read_only");
    assert_eq!(looking.backup(disk.0.path().join("backup.ledger")).unwrap_err().code(), "read_only");
}
