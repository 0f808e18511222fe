//! Both sides exchange through a folder.

use std::path::{Path, PathBuf};

use counterfoil::exchange::{Role, open_file};
use counterfoil::sync::{FolderReport, Imported};

use super::arrived::{Kiosk, Office, options, policy};
use super::{must, verified};
use crate::support::folder;

fn run(kiosk: &Kiosk, shared: &Path) -> FolderReport {
    kiosk.ledger.exchange().run(shared).unwrap()
}

fn files(shared: &Path, side: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(shared.join(side)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn alike(office: &Office, kiosks: &[&Kiosk], account: &str) {
    for kiosk in kiosks {
        assert_eq!(office.points(account), super::arrived::points(&kiosk.ledger, account));
        verified(&kiosk.ledger);
    }
    verified(&office.hub);
}

#[test]
fn a_folder_carries_all_there_is_and_is_kept_tidy() {
    let (office, shared) = (Office::new(), folder());
    let (north, south) = (office.kiosk("north", &policy()), office.kiosk("south", &policy()));
    north.recharge("card", "1", 100);
    south.consume("card", "1", 30);
    for kiosk in [&north, &south] {
        let first = run(kiosk, shared.path());
        assert_eq!((first.taken.len(), first.written.len(), first.removed.len()), (0, 1, 0));
    }
    let taken = office.hub.exchange().run(shared.path()).unwrap();
    assert_eq!((taken.taken.len(), taken.written.len(), taken.needs_attention()), (2, 2, false));
    for _ in 0..4 {
        for kiosk in [&north, &south] {
            assert!(!run(kiosk, shared.path()).needs_attention());
            office.hub.exchange().run(shared.path()).unwrap();
        }
    }
    alike(&office, &[&north, &south], "card");
    // One question of each, one answer to each; and nobody has anything to say any more.
    assert_eq!((files(shared.path(), "up").len(), files(shared.path(), "down").len()), (2, 2));
    let (operations, down) = (office.hub.info().unwrap().operations, files(shared.path(), "down"));
    let report = office.hub.exchange().run(shared.path()).unwrap();
    assert_eq!((report.written.len(), report.removed.len()), (0, 0));
    assert_eq!((office.hub.info().unwrap().operations, files(shared.path(), "down")), (operations, down));
}

/// Two sticks of one kiosk: the first was never put in, and is found weeks later.
#[test]
fn a_stick_that_is_found_again_tells_nothing_new() {
    let (office, lost, found) = (Office::new(), folder(), folder());
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    run(&kiosk, lost.path());
    kiosk.ledger.renew_epoch().unwrap();
    kiosk.consume("card", "2", 30);
    // All of it is on the second: a file ends where the epoch changes.
    assert_eq!(run(&kiosk, found.path()).written.len(), 2);
    let taken = office.hub.exchange().run(found.path()).unwrap();
    assert!(taken.taken.len() == 2 && !taken.needs_attention());
    let late = office.hub.exchange().run(lost.path()).unwrap();
    assert!(
        matches!(&late.taken[0].imported, Imported::Operations(report) if report.duplicates == 2 && report.booked == 0)
    );
    run(&kiosk, found.path());
    run(&kiosk, lost.path());
    alike(&office, &[&kiosk], "card");
}

/// What lies in the folder besides is not read by name, nor deleted; a file that was damaged on the way is told, and the rest goes on.
#[test]
fn a_bad_file_keeps_nobody_waiting() {
    let (office, shared) = (Office::new(), folder());
    let (north, south) = (office.kiosk("north", &policy()), office.kiosk("south", &policy()));
    north.recharge("card", "1", 100);
    south.consume("card", "1", 30);
    run(&north, shared.path());
    run(&south, shared.path());
    let up = files(shared.path(), "up");
    let whole = std::fs::read(&up[0]).unwrap();
    std::fs::write(&up[0], &whole[..whole.len() / 2]).unwrap();
    for (name, bytes) in [("up/notes.txt", "mine"), ("up/cf-up-1-2-x.cfx", "{}"), ("down/cf-down-x.cfx", "")] {
        std::fs::write(shared.path().join(name), bytes).unwrap();
    }
    std::os::unix::fs::symlink("/etc/hostname", shared.path().join("up/cf-up-00000000-1-1-0123456789ab.cfx")).unwrap();
    let report = office.hub.exchange().run(shared.path()).unwrap();
    assert!(report.needs_attention());
    assert_eq!((report.taken.len(), report.refused.len()), (1, 2), "{report:?}");
    assert!(report.refused.iter().all(|refused| refused.code == "bad_file" && !refused.help.is_empty()));
    for kiosk in [&north, &south] {
        run(kiosk, shared.path());
    }
    // The next run of its kiosk has written it again.
    assert_eq!(office.hub.exchange().run(shared.path()).unwrap().taken.len(), 2);
    assert!(shared.path().join("up/notes.txt").is_file());
    for _ in 0..2 {
        run(&north, shared.path());
        run(&south, shared.path());
        office.hub.exchange().run(shared.path()).unwrap();
    }
    run(&north, shared.path());
    run(&south, shared.path());
    alike(&office, &[&north, &south], "card");
}

/// Of two kiosks a file in the middle is missing: what was taken and what waits are of one device, which was answered twice over.
#[test]
fn a_device_with_a_file_that_waits_is_answered_once() {
    let (office, shared) = (Office::new(), folder());
    for name in ["north", "south"] {
        let kiosk = office.kiosk(name, &policy());
        for key in ["1", "2"] {
            kiosk.ledger.renew_epoch().unwrap();
            kiosk.consume("card", key, 1);
        }
        let written = run(&kiosk, shared.path()).written;
        assert_eq!(written.len(), 3);
        std::fs::remove_file(&written[1]).unwrap();
    }
    let report = office.hub.exchange().run(shared.path()).unwrap();
    assert!(report.taken.len() == 4 && report.needs_attention());
    // One answer to what was taken, and one to what waits.
    assert_eq!((report.written.len(), files(shared.path(), "down").len()), (4, 4), "{report:?}");
}

#[test]
fn who_has_nobody_to_exchange_with_is_told() {
    let (office, shared) = (Office::new(), folder());
    let alone = options(&office.clock).create(shared.path().join("alone.ledger")).unwrap();
    assert_eq!(alone.exchange().run(shared.path()).unwrap_err().code(), "role_conflict");
    assert!(!shared.path().join("up").exists(), "refused means unchanged");
    assert_eq!(alone.sync_status().unwrap().role, Role::Standalone);
    let kiosk = office.kiosk("kiosk", &policy());
    let file = shared.path().join("a file");
    std::fs::write(&file, "").unwrap();
    assert!(kiosk.ledger.exchange().run(&file).is_err());
    assert!(open_file(&file).is_ok());
}

#[test]
fn both_sides_tell_how_they_stand() {
    let (office, shared) = (Office::new(), folder());
    let (north, south) = (office.kiosk("north", &policy()), office.kiosk("south", &policy()));
    north.consume("card", "1", 5);
    let before = north.ledger.sync_status().unwrap().hub.unwrap();
    assert_eq!((before.acked, before.unacked, before.heard_at, before.whole), (0, 2, None, false));
    run(&north, shared.path());
    office.hub.exchange().run(shared.path()).unwrap();
    run(&north, shared.path());
    let status = north.ledger.sync_status().unwrap();
    let after = status.hub.unwrap();
    assert_eq!((status.operations, after.acked, after.unacked, after.whole, after.expelled), (3, 2, 1, true, false));
    assert!(after.heard_at.is_some());
    let hub = office.hub.sync_status().unwrap().devices.unwrap();
    assert_eq!((hub.admitted, hub.expelled, hub.staged, hub.flags), (2, 0, 0, 0));
    assert_eq!(hub.silent.unwrap().name, "south", "nothing of it has come");
    must(&south.ledger, r#"{"op":"consume","account":"card","key":"1","points":1}"#);
    let listed = office.hub.devices(&counterfoil::Query::new()).unwrap().items;
    assert_eq!((listed[0].log.operations, listed[1].log.operations), (2, 0));
    assert!(listed[0].log.last_at.is_some() && listed[1].log.last_at.is_none());
}
