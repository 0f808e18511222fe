//! Devices and their hub exchange real files: what was lost, doubled, late, copied or set back comes right by itself.

use std::io::Cursor;
use std::path::Path;

use counterfoil::exchange::{
    Admit, DevicePolicy, Dismiss, Expel, HeardReport, ImportReport, Right, Scope, StageReason, WhenExpelled, inspect,
};
use counterfoil::sync::{ImportTerms, Imported};
use counterfoil::{Key, Ledger, Question};

use super::arrived::{Kiosk, Office, options, points, policy};
use super::{apply, key, must, verified};

/// What the hub answers a file.
pub fn reply(hub: &Ledger, up: &[u8]) -> Vec<Vec<u8>> {
    let mut down = Vec::new();
    hub.exchange()
        .reply(Cursor::new(up), true, |part| {
            down.push(part.bytes);
            Ok(())
        })
        .unwrap();
    down
}

pub fn hear(kiosk: &Ledger, down: &[u8]) -> HeardReport {
    match kiosk.exchange().import(Cursor::new(down)).unwrap() {
        Imported::Accounts(report) => report,
        other => panic!("{other:?}"),
    }
}

/// All it has to send goes up, and the answers down: what came of the last.
pub fn exchange(office: &Office, kiosk: &Kiosk) -> (ImportReport, HeardReport) {
    let folder = tempfile::tempdir().unwrap();
    let files = kiosk.ledger.export_into(folder.path(), true).unwrap();
    let (mut taken, mut heard) = (None, None);
    for (path, _) in files {
        let up = std::fs::read(path).unwrap();
        taken = Some(office.take(&up));
        for down in reply(&office.hub, &up) {
            heard = Some(hear(&kiosk.ledger, &down));
        }
    }
    (taken.unwrap(), heard.unwrap())
}

pub fn alike(office: &Office, kiosk: &Kiosk, accounts: &[&str]) {
    for account in accounts {
        assert_eq!(office.points(account), points(&kiosk.ledger, account), "{account}");
    }
    verified(&office.hub);
    verified(&kiosk.ledger);
}

pub fn hub_recharges(office: &Office, account: &str, key: &str, points: i64) {
    let line = format!(r#"{{"op":"recharge","account":"{account}","key":"{key}","points":{points},"source":"wxpay"}}"#);
    must(&office.hub, &line);
}

/// Copies a ledger's file, and what lies beside its key where that is asked for.
pub fn copy(from: &Path, to: &Path, with_key: bool) {
    std::fs::copy(from, to).unwrap();
    if with_key {
        let beside = |path: &Path| path.with_extension("ledger.key");
        std::fs::copy(beside(from), beside(to)).unwrap();
    }
}

fn reopen(kiosk: Kiosk) -> Kiosk {
    let (path, clock) = (kiosk.ledger.path(), kiosk.clock);
    kiosk.ledger.close().unwrap();
    Kiosk { ledger: options(&clock).open(path).unwrap(), clock }
}

#[test]
fn an_exchange_makes_both_alike_and_another_changes_nothing() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    kiosk.consume("card", "2", 30);
    hub_recharges(&office, "card", "3", 5);
    let (taken, heard) = exchange(&office, &kiosk);
    assert_eq!((taken.booked, taken.noted, heard.accounts, heard.whole), (2, 1, 1, true));
    alike(&office, &kiosk, &["card"]);
    assert_eq!(office.points("card").0, 75);
    // What it has put back is an operation of its own, which goes up and is noted; after that there is nothing to say.
    let (taken, heard) = exchange(&office, &kiosk);
    assert_eq!((taken.booked, taken.noted, heard.accounts), (0, 1, 0));
    let before = (office.hub.info().unwrap().head, kiosk.ledger.info().unwrap().head);
    let (taken, heard) = exchange(&office, &kiosk);
    assert_eq!((taken.booked + taken.noted, heard.accounts, heard.whole), (0, 0, true));
    assert_eq!((office.hub.info().unwrap().head, kiosk.ledger.info().unwrap().head), before);
}

/// Only what has changed goes down; a device's scope says of which accounts, and one that is widened counts from then on.
#[test]
fn it_hears_of_what_has_changed() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    for card in ["a", "b"] {
        kiosk.consume(card, "1", 1);
    }
    exchange(&office, &kiosk);
    hub_recharges(&office, "b", "2", 10);
    hub_recharges(&office, "c", "2", 10);
    assert_eq!(exchange(&office, &kiosk).1.accounts, 1);
    assert_eq!((points(&kiosk.ledger, "b").0, points(&kiosk.ledger, "c").0), (9, 0));
    let (device, public_key) = (kiosk.ledger.info().unwrap().device, kiosk.ledger.signer().unwrap().key().public());
    let mut all = policy();
    all.scope = Scope::All;
    let admit = Admit::new(device, public_key, "kiosk", &all).renew();
    office.hub.admit(&key("wider"), admit).unwrap();
    assert_eq!(exchange(&office, &kiosk).1.accounts, 3);
    alike(&office, &kiosk, &["a", "b", "c"]);
    assert_eq!(exchange(&office, &kiosk).1.accounts, 0);
}

/// The hub takes a backup, hears of a kiosk, and is lost; the backup is put back as it was. The kiosk believes that the hub has what
/// it sent before.
#[test]
fn a_hub_that_was_set_back_asks_for_what_it_lost() {
    let mut office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    exchange(&office, &kiosk);
    let (path, backup) = (office.hub.path(), office.folder.path().join("copy"));
    office.hub.close().unwrap();
    copy(&path, &backup, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    kiosk.consume("card", "2", 30);
    hub_recharges(&office, "card", "lost", 7);
    exchange(&office, &kiosk);
    kiosk.consume("card", "3", 1);
    office.hub.close().unwrap();
    std::fs::copy(&backup, &path).unwrap();
    office.hub = options(&office.clock).open(&path).unwrap();
    let epoch = office.hub.info().unwrap().epoch;

    // Its file waits: what lies before it was lost.
    let (taken, heard) = exchange(&office, &kiosk);
    assert!(taken.waits && taken.regressed && taken.needs_attention());
    let need = heard.need.unwrap();
    assert_eq!((Some(need), heard.accounts), (taken.need, 0));
    assert!(office.hub.info().unwrap().epoch > epoch);
    let (taken, heard) = exchange(&office, &kiosk);
    assert!(!taken.waits && taken.booked == 2 && heard.whole);
    alike(&office, &kiosk, &["card"]);
    // What the hub itself had booked after the backup is gone with it.
    assert_eq!(office.points("card").0, 69);
    assert!(!exchange(&office, &kiosk).0.regressed, "once is enough");
}

/// A file is lost on the way, the next one comes, and then the lost one is found.
#[test]
fn a_file_that_was_lost_and_is_found_changes_nothing() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    let lost = kiosk.send();
    kiosk.consume("card", "2", 30);
    exchange(&office, &kiosk);
    let late = office.take(&lost);
    assert_eq!((late.booked, late.duplicates, late.waits), (0, 2, false));
    // It is not answered with accounts: more of the device's has come since, and these would not be of its moment.
    let answers = reply(&office.hub, &lost);
    assert_eq!(hear(&kiosk.ledger, &answers[0]).accounts, 0);
    alike(&office, &kiosk, &["card"]);
}

/// Of a device that is lost only a later file has come.
#[test]
fn a_file_with_a_gap_before_it_is_taken_when_somebody_says_so() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let folder = office.folder.path();
    kiosk.recharge("card", "1", 100);
    kiosk.ledger.renew_epoch().unwrap();
    kiosk.consume("card", "2", 30);
    kiosk.recharge("card", "3", 5);
    let files = kiosk.ledger.export_into(folder, false).unwrap();
    let later = std::fs::read(&files[1].0).unwrap();
    let waits = office.take(&later);
    assert!(waits.waits && waits.needs_attention() && waits.booked == 0);
    assert_eq!(waits.need.unwrap().seq, 0, "from the beginning");
    let mut terms = ImportTerms::default();
    terms.accept_gap = true;
    let taken = office.take_on(&later, terms);
    assert_eq!((taken.booked, taken.staged.len(), taken.ack), (1, 1, None));
    assert_eq!(taken.staged[0].reason, StageReason::Fork);
    assert_eq!(office.points("card"), (0, 0, 0, 30));
    // Nothing of that is of the moment of an ack.
    assert!(hear(&kiosk.ledger, &reply(&office.hub, &later)[0]).need.is_some());
    // The other one turns up after all: what was set aside can be approved.
    let earlier = std::fs::read(&files[0].0).unwrap();
    assert_eq!(office.take(&earlier).booked, 1);
    assert_eq!(office.points("card").0, 70);
    let (_, heard) = exchange(&office, &kiosk);
    assert_eq!(heard.verdicts, [(taken.staged[0].seq, "stage fork".to_string())]);
    assert_eq!(points(&kiosk.ledger, "card").0, 70, "what was set aside is no more at the device either");
    alike(&office, &kiosk, &["card"]);
}

/// A kiosk's disk was copied with its key: two files write in its name, in one epoch.
#[test]
fn two_copies_of_one_device_part() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    exchange(&office, &kiosk);
    let (path, twin) = (kiosk.ledger.path(), office.folder.path().join("twin.ledger"));
    let kiosk = reopen(kiosk);
    kiosk.ledger.close().unwrap();
    copy(&path, &twin, true);
    let open = |path: &Path| Kiosk { ledger: options(&office.clock).open(path).unwrap(), clock: office.clock.clone() };
    let (kiosk, twin) = (open(&path), open(&twin));
    kiosk.consume("card", "same", 10);
    twin.consume("card", "other", 3);
    twin.consume("card", "same", 10);
    twin.recharge("card", "5", 50);
    assert!(!exchange(&office, &kiosk).0.fork);
    let (taken, heard) = exchange(&office, &twin);
    assert!(taken.fork && taken.needs_attention() && heard.renewed);
    let staged: Vec<_> = taken.staged.iter().map(|link| link.reason).collect();
    assert_eq!(staged, [StageReason::DuplicateKey, StageReason::Fork], "one sale once, and no points unasked");
    assert_eq!(office.points("card").0, 87);
    // From here on both are told apart, and hear of the same.
    for _ in 0..3 {
        exchange(&office, &kiosk);
        exchange(&office, &twin);
    }
    let epochs = (kiosk.ledger.info().unwrap().epoch, twin.ledger.info().unwrap().epoch);
    assert_ne!(epochs.0, epochs.1);
    alike(&office, &kiosk, &["card"]);
    alike(&office, &twin, &["card"]);
}

/// Whether it is booked or not, a device hears how it ended.
#[test]
fn it_hears_of_what_was_set_aside() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let mut less = policy();
    less.rights = vec![Right::Refund];
    let (device, public_key) = (kiosk.ledger.info().unwrap().device, kiosk.ledger.signer().unwrap().key().public());
    office.hub.admit(&key("less"), Admit::new(device, public_key, "kiosk", &less).renew()).unwrap();
    kiosk.recharge("card", "1", 100);
    kiosk.consume("card", "2", 30);
    let (taken, heard) = exchange(&office, &kiosk);
    assert_eq!(taken.staged[0].reason, StageReason::NotAllowed);
    assert_eq!(heard.verdicts, [(taken.staged[0].seq, "stage not_allowed".to_string())]);
    assert!(heard.needs_attention());
    assert_eq!(points(&kiosk.ledger, "card"), (0, 0, 0, 30));
    let refused = apply(&kiosk.ledger, r#"{"op":"recharge","account":"card","key":"4","points":1,"source":"cash"}"#);
    assert_eq!(refused.unwrap_err().code(), "not_on_device", "its rights came down with the answer");
    let staged: counterfoil::Page<counterfoil::exchange::StagedInfo> =
        office.hub.ask(&Question::new("staged")).unwrap().try_into().unwrap();
    office.hub.dismiss(&staged.items[0].link, &Key::random(), Dismiss::new("no such payment")).unwrap();
    let (_, heard) = exchange(&office, &kiosk);
    assert_eq!((heard.accounts, heard.verdicts.len()), (1, 0));
    alike(&office, &kiosk, &["card"]);
}

#[test]
fn an_expelled_device_is_told_nothing_but_that() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let mut goes_on = policy();
    goes_on.when_expelled = WhenExpelled::GoOn;
    let other = office.kiosk("other", &goes_on);
    for (kiosk, card) in [(&kiosk, "a"), (&other, "b")] {
        kiosk.recharge(card, "1", 100);
        exchange(&office, kiosk);
        office.hub.expel(&Key::random(), Expel::new(kiosk.ledger.info().unwrap().device, "stolen")).unwrap();
        kiosk.consume(card, "2", 1);
        let (taken, heard) = exchange(&office, kiosk);
        assert_eq!(taken.staged[0].reason, StageReason::Expelled);
        assert!(heard.expelled && heard.accounts == 0 && heard.verdicts.len() == 1);
    }
    let line = r#"{"op":"consume","account":"a","key":"3","points":1}"#;
    assert_eq!(apply(&kiosk.ledger, line).unwrap_err().code(), "device_revoked");
    must(&other.ledger, line);
}

/// The office's clock was a year ahead while it recharged a card, and is mended: the kiosk's account does not stay in the future.
#[test]
fn a_hubs_clock_that_was_ahead_leaves_no_account_ahead() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "1", 100);
    exchange(&office, &kiosk);
    let start: chrono::DateTime<chrono::Utc> = crate::support::START.parse().unwrap();
    office.clock.set(start + chrono::TimeDelta::days(365));
    hub_recharges(&office, "card", "2", 10);
    exchange(&office, &kiosk);
    assert_eq!(office.points("card"), points(&kiosk.ledger, "card"));
    office.clock.set(start + chrono::TimeDelta::minutes(1));
    must(&office.hub, r#"{"op":"confirm_clock","key":"mended"}"#);
    kiosk.clock.set(start + chrono::TimeDelta::minutes(1));
    must(&kiosk.ledger, r#"{"op":"confirm_clock","key":"mended"}"#);
    for _ in 0..2 {
        exchange(&office, &kiosk);
    }
    alike(&office, &kiosk, &["card"]);
    kiosk.clock.set(start + chrono::TimeDelta::minutes(2));
    office.clock.set(start + chrono::TimeDelta::minutes(2));
    kiosk.consume("card", "3", 5);
    let history = kiosk
        .ledger
        .history(&counterfoil::AccountId::new("card").unwrap(), &counterfoil::Query::new().newest_first(true));
    assert!(history.unwrap().items[0].booked_at < start + chrono::TimeDelta::days(1));
    exchange(&office, &kiosk);
    alike(&office, &kiosk, &["card"]);
}

/// A hub is asked what it has no answer for.
#[test]
fn what_is_not_a_devices_is_not_answered() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &DevicePolicy::default());
    let code = |ledger: &Ledger, file: &[u8]| {
        ledger.exchange().reply(Cursor::new(file), false, |_| Ok(())).unwrap_err().code()
    };
    let up = kiosk.send();
    let down = reply(&office.hub, &up).remove(0);
    assert!(inspect(Cursor::new(&down)).is_ok());
    assert_eq!(code(&office.hub, &down), "not_for_us");
    assert_eq!(code(&kiosk.ledger, &up), "role_conflict");
    assert_eq!(code(&office.hub, &up[..up.len() - 9]), "bad_file");
    let other = Office::new();
    assert_eq!(code(&other.hub, &up), "not_for_us");
}
