//! Backups kept in a folder: the newest of this ledger stay, and nothing that is not one for certain is ever deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::answer::Backup;
use counterfoil::clock::ManualClock;
use counterfoil::{Ledger, Options};

use super::places::Disk;
use super::{available, charge, child_does, recharge, said};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any backup here takes.
const LONG: Duration = Duration::from_secs(60);

/// A ledger with 1 000 points whose clock stands still, and a folder for its backups.
struct Shop {
    folder: tempfile::TempDir,
    clock: ManualClock,
    ledger: Ledger,
}

impl Shop {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at("2026-11-22T10:00:00Z").unwrap());
        fs::create_dir(folder.path().join("backups")).unwrap();
        let ledger = options(&clock).create(folder.path().join("points.ledger")).unwrap();
        recharge(&ledger, "start", 1_000).unwrap();
        Shop { folder, clock, ledger }
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// An hour later.
    fn back_up(&self, keep: u32) -> Backup {
        self.clock.advance(HOUR);
        self.ledger.backup_into(self.backups(), keep).unwrap()
    }

    fn names(&self) -> Vec<String> {
        names(&self.backups())
    }
}

fn options(clock: &ManualClock) -> Options {
    Ledger::options().clock(Arc::new(clock.clone()))
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn at(hour: u32) -> String {
    format!("points-2026-11-22T{hour:02}-00-00Z.ledger")
}

/// Waits until another thread has done something.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LONG, "{what}: not yet");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_newest_are_kept_and_each_is_whole() {
    let shop = Shop::new();
    for hour in 11..14 {
        charge(&shop.ledger, &hour.to_string()).unwrap();
        let backup = shop.back_up(3);
        assert_eq!(backup.path, shop.backups().canonicalize().unwrap().join(at(hour)));
        assert!(backup.verification.ok && backup.verification.checked.operations > 0 && backup.deleted.is_empty());
    }
    let backup = shop.back_up(3);
    assert_eq!(backup.deleted, [backup.path.with_file_name(at(11))]);
    assert_eq!(shop.names(), [at(12), at(13), at(14)]);
    // Fewer are wanted from now on; of one instant there are two.
    let backup = shop.ledger.backup_into(shop.backups(), 2).unwrap();
    assert_eq!(shop.names(), [at(14), "points-2026-11-22T14-00-00Z_2.ledger".into()]);
    assert_eq!(backup.deleted, [at(13), at(12)].map(|name| backup.path.with_file_name(name)));
    let restored = Ledger::options().restore(&backup.path, shop.folder.path().join("again.ledger")).unwrap();
    assert_eq!(available(&restored), 997);
}

/// What looks like a backup of ours and is none, or is one that somebody needs.
#[test]
fn nothing_else_in_the_folder_is_touched() {
    let shop = Shop::new();
    let backups = shop.backups();
    // Another shop's, of the same name and in the same folder.
    let other = Shop::new();
    for _ in 0..3 {
        other.clock.advance(HOUR);
        let _ = other.ledger.backup_into(&backups, 7).unwrap();
    }
    let mut kept = names(&backups);
    assert_eq!(kept.len(), 3);
    let write = |name: &str, bytes: &[u8]| fs::write(backups.join(name), bytes).unwrap();
    let made = |hour: u32| {
        shop.clock.set(format!("2026-11-22T{hour:02}:30:00Z").parse().unwrap());
        shop.ledger.backup_into(&backups, 99).unwrap().path
    };
    write("points-2026-01-01T00-00-00Z.ledger", b"not a ledger");
    write("points-2026-01-02T00-00-00Z.ledger", b"");
    fs::create_dir(backups.join("points-2026-01-03T00-00-00Z.ledger")).unwrap();
    write("points-2026-01-04.ledger", b"a name of somebody's own");
    write("diary.txt", b"dear diary");
    // A copy that broke, one with a -wal, one that somebody went on with, and one that is being read.
    let broken = made(1);
    fs::write(&broken, &fs::read(&broken).unwrap()[..50_000]).unwrap();
    write("points-2026-11-22T02-30-00Z.ledger-wal", b"acknowledged and not folded in");
    fs::rename(made(3), backups.join("points-2026-11-22T02-30-00Z.ledger")).unwrap();
    let went_on = Ledger::open(made(4)).unwrap();
    charge(&went_on, "elsewhere").unwrap();
    assert!(went_on.close().unwrap().whole);
    let reading = Ledger::options().read_only(true).open(made(5)).unwrap();
    assert_eq!(available(&reading), 1_000);
    #[cfg(unix)]
    {
        // Names that lead to a file elsewhere.
        let elsewhere = shop.folder.path().join("elsewhere.ledger");
        fs::rename(made(6), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, backups.join("points-2026-01-06T00-00-00Z.ledger")).unwrap();
        fs::hard_link(made(7), shop.folder.path().join("second name.ledger")).unwrap();
    }
    kept = names(&backups).into_iter().chain(kept).collect();
    kept.sort();
    kept.dedup();
    let plain = made(8);
    shop.clock.set("2026-11-22T20:00:00Z".parse().unwrap());
    let backup = shop.ledger.backup_into(&backups, 1).unwrap();
    assert_eq!(backup.deleted, [plain]);
    kept.push(at(20));
    kept.sort();
    assert_eq!(names(&backups), kept);
    assert_eq!(available(&reading), 1_000);
}

/// A ledger that was restored: what it lost is only in the newer backups of its old self.
#[test]
fn what_a_restored_ledger_lost_stays_in_its_backups() {
    let shop = Shop::new();
    let early = shop.back_up(7);
    charge(&shop.ledger, "lost").unwrap();
    let late = shop.back_up(7);
    shop.ledger.close().unwrap();
    fs::rename(shop.folder.path().join("points.ledger"), shop.folder.path().join("broken.ledger")).unwrap();
    let restored = options(&shop.clock).restore(&early.path, shop.folder.path().join("points.ledger")).unwrap();
    shop.clock.advance(HOUR);
    let backup = restored.backup_into(shop.backups(), 1).unwrap();
    assert_eq!(backup.deleted, [early.path]);
    assert_eq!(shop.names(), [at(12), at(13)]);
    assert_eq!(available(&Ledger::options().read_only(true).open(&late.path).unwrap()), 999);
}

/// The clock ran years ahead, and was put right: the backups made under it are not the newest ones.
#[test]
fn backups_of_a_clock_that_was_wrong_are_neither_counted_nor_deleted() {
    let shop = Shop::new();
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    shop.clock.set("2031-01-01T00:00:00Z".parse().unwrap());
    let ahead = shop.ledger.backup_into(shop.backups(), 1).unwrap();
    shop.clock.set(now);
    for _ in 0..3 {
        shop.back_up(2);
    }
    assert_eq!(shop.names(), [at(12), at(13), "points-2031-01-01T00-00-00Z.ledger".into()]);
    shop.clock.set("2031-01-01T00:00:01Z".parse().unwrap());
    assert_eq!(shop.ledger.backup_into(shop.backups(), 1).unwrap().deleted.len(), 3);
    assert!(!ahead.path.exists());
}

#[test]
fn what_cannot_be_is_refused_and_deletes_nothing() {
    let shop = Shop::new();
    let (first, second) = (shop.back_up(7), shop.back_up(7));
    let kept = || first.path.exists() && second.path.exists() && shop.names().len() == 2;
    let file = shop.folder.path().join("points.ledger");
    for (folder, keep, code, said) in [
        (shop.backups(), 0, "invalid_argument", "0 would keep no backup"),
        (shop.folder.path().join("none"), 7, "invalid_argument", "cannot be reached"),
        (file, 7, "invalid_argument", "is not a folder"),
    ] {
        let error = shop.ledger.backup_into(&folder, keep).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(said), "{}: {error}", folder.display());
    }
    shop.clock.advance(HOUR);
    for step in ["copy", "storage", "operations"] {
        let stop = |progress: counterfoil::answer::Progress| match progress.step == step {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        };
        let stopped = shop.ledger.backup_into_with(shop.backups(), 1, stop).unwrap_err();
        assert!(stopped.code() == "cancelled" && kept(), "{step}: {stopped}");
    }
    let auto = |folder: &Path, keep| options(&shop.clock).auto_backup(folder, HOUR, keep);
    let new = shop.folder.path().join("new.ledger");
    assert_eq!(auto(&shop.backups(), 0).create(&new).unwrap_err().code(), "invalid_argument");
    assert!(!new.exists());
}

/// The disk of the backups is full: the old ones stay.
#[test]
fn a_full_disk_deletes_nothing() {
    let Some(disk) = Disk::new("800k") else { return };
    let shop = Shop::new();
    let first = shop.ledger.backup_into(disk.path(), 1).unwrap();
    disk.fill();
    shop.clock.advance(HOUR);
    let error = shop.ledger.backup_into(disk.path(), 1).unwrap_err();
    assert_eq!(error.code(), "disk_full", "{error}");
    assert!(first.path.exists());
    fs::remove_file(disk.path().join("fill")).unwrap();
    assert_eq!(names(disk.path()), [at(10)]);
    assert_eq!(shop.ledger.backup_into(disk.path(), 1).unwrap().deleted, [first.path]);
}

/// Two programs back up at the same moment, again and again, and each keeps one: never are all gone.
#[test]
fn two_processes_at_once_leave_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backups) = (folder.path().join("points.ledger"), folder.path().join("backups"));
    fs::create_dir(&backups).unwrap();
    super::filled(&path).close().unwrap();
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| said(&child_does("keep", &path, &backups, &[]))));
        for one in both {
            assert_eq!(one.join().unwrap().as_deref(), Some("answered kept"));
        }
    });
    let left = names(&backups);
    assert!((1..=2).contains(&left.len()), "{left:?}");
    for name in &left {
        let copy = Ledger::options().read_only(true).open(backups.join(name)).unwrap();
        assert!(copy.verify().unwrap().ok && available(&copy) == 1_000);
    }
    assert_eq!(names(&backups), left, "reading them leaves nothing beside them");
    let _ = Ledger::open(&path).unwrap().backup_into(&backups, 1).unwrap();
    assert_eq!(names(&backups).len(), 1);
}

#[test]
fn a_ledger_backs_itself_up_while_it_is_open() {
    let Shop { folder, clock, ledger } = Shop::new();
    ledger.close().unwrap();
    let (path, backups) = (folder.path().join("points.ledger"), folder.path().join("backups"));
    let open = || options(&clock).auto_backup(&backups, HOUR / 3600, 2).open(&path).unwrap();
    let made = |hour: u32| until(&at(hour), || backups.join(at(hour)).exists());
    // At once, and when the clock has gone on.
    let ledger = open();
    made(10);
    for hour in 11..=13 {
        charge(&ledger, &hour.to_string()).unwrap();
        clock.advance(HOUR);
        made(hour);
    }
    until("the oldest is deleted", || names(&backups).len() == 2);
    assert_eq!(ledger.warnings(), [""; 0]);
    // A clone keeps it going; closing any of them ends it.
    let clone = ledger.clone();
    drop(ledger);
    clock.advance(HOUR);
    made(14);
    assert!(clone.close().unwrap().whole);
    assert_eq!(clone.backup_into(&backups, 2).unwrap_err().code(), "closed");
    clock.advance(HOUR);
    // So does dropping the last; the file is whole then, and may be moved.
    drop(open());
    fs::rename(&path, folder.path().join("moved.ledger")).unwrap();
    assert_eq!(available(&Ledger::open(folder.path().join("moved.ledger")).unwrap()), 997);
    let hidden = super::hidden(&backups);
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// The disk with the backups was not plugged in: the app works, and is told; and then it was.
#[test]
fn a_backup_that_fails_is_a_warning_and_no_error() {
    let Shop { folder, clock, ledger } = Shop::new();
    ledger.close().unwrap();
    let missing = folder.path().join("usb stick");
    let options = options(&clock).auto_backup(&missing, Duration::from_secs(1), 7);
    let ledger = options.open(folder.path().join("points.ledger")).unwrap();
    until("a warning", || !ledger.warnings().is_empty());
    let warning = &ledger.warnings()[0];
    assert!(warning.contains("could not be backed up") && warning.contains("usb stick"), "{warning}");
    charge(&ledger, "works").unwrap();
    fs::create_dir(&missing).unwrap();
    until("the warning is gone", || ledger.warnings().is_empty());
    assert_eq!(names(&missing), [at(10)]);
    assert!(ledger.close().unwrap().whole);
}

/// Whoever only looks can keep backups too.
#[test]
fn a_handle_that_only_looks_backs_up() {
    let Shop { folder, clock, ledger } = Shop::new();
    let looking = options(&clock).read_only(true).auto_backup(folder.path().join("backups"), HOUR, 7);
    let looking = looking.open(folder.path().join("points.ledger")).unwrap();
    until("a backup", || folder.path().join("backups").join(at(10)).exists());
    looking.close().unwrap();
    charge(&ledger, "goes on").unwrap();
}
