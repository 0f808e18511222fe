//! What a hub lost when it was set back, and a device's fresh file.

use std::path::PathBuf;

use counterfoil::exchange::open_file;
use counterfoil::sync::EvidenceReport;
use counterfoil::{AccountId, Configure, Consume, Points, Query};

use super::arrived::{Kiosk, Office, options, policy};
use super::replied::{alike, copy, exchange, hub_recharges};
use super::{apply, key, must, verified};

fn evidence(office: &Office, kiosk: &Kiosk) -> Vec<EvidenceReport> {
    let files = kiosk.ledger.exchange().write_evidence(office.folder.path(), true).unwrap();
    let read = |path: PathBuf| office.hub.exchange().read_evidence(open_file(path).unwrap()).unwrap();
    files.into_iter().map(read).collect()
}

/// The files of a hub that is copied and put back.
fn set_back(office: &mut Office, act: impl FnOnce(&Office)) {
    let (path, backup) = (office.hub.path(), office.folder.path().join("copy"));
    office.hub.close().unwrap();
    copy(&path, &backup, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    act(office);
    office.hub.close().unwrap();
    copy(&backup, &path, false);
    office.hub = options(&office.clock).open(&path).unwrap();
}

/// The office's disk died, and the backup was a week old. What its kiosks had done came again by itself; of what the office itself had
/// booked in that week the kiosks remembered what they were told.
#[test]
fn what_a_hub_lost_is_found_at_its_devices() {
    let mut office = Office::new();
    let (north, south) = (office.kiosk("north", &policy()), office.kiosk("south", &policy()));
    hub_recharges(&office, "card", "before", 100);
    north.consume("card", "1", 10);
    exchange(&office, &north);
    assert!(evidence(&office, &north).iter().all(|report| report.is_own_past && !report.needs_attention()));
    set_back(&mut office, |office| {
        hub_recharges(office, "card", "lost", 50);
        must(&office.hub, r#"{"op":"consume","account":"card","key":"office","points":7}"#);
        south.recharge("card", "cash", 20);
        for kiosk in [&south, &north] {
            exchange(office, kiosk);
        }
    });
    for kiosk in [&south, &north, &south] {
        exchange(&office, kiosk);
    }
    let report = evidence(&office, &north).remove(0);
    assert!(!report.is_own_past && report.needs_attention());
    let [lost] = report.accounts.as_slice() else { panic!("{report:?}") };
    let told: Vec<_> = lost.batches.iter().map(|batch| (batch.points.get(), batch.like.is_some())).collect();
    assert_eq!((lost.account.as_str(), told.len()), ("card", 2));
    // What the other kiosk sent again has another id now, and is alike; what the office sold is gone.
    assert!(told.contains(&(50, false)) && told.contains(&(20, true)), "{told:?}");
    let sums: Vec<_> = lost.totals.iter().map(|total| (total.what.as_str(), total.told - total.known)).collect();
    assert_eq!(sums, [("consumed", 7), ("recharged", 50)]);
    // Of its own device it knows what came again.
    let own = evidence(&office, &south).remove(0);
    assert!(own.accounts[0].batches.iter().all(|batch| batch.points.get() == 50), "{own:?}");
    let batch = lost.batches.iter().find(|batch| batch.like.is_none()).unwrap();
    let line = format!(
        r#"{{"op":"recharge","account":"card","key":"lost:{}","points":50,"source":"wxpay","expires_at":"never"}}"#,
        batch.batch
    );
    must(&office.hub, &line);
    let after = evidence(&office, &north).remove(0);
    assert!(after.accounts[0].batches.iter().all(|batch| batch.like.is_some()), "{after:?}");
    exchange(&office, &north);
    alike(&office, &north, &["card"]);
}

/// Evidence is read by its hub alone, and only as its device signed it.
#[test]
fn evidence_is_for_its_hub() {
    let (office, other) = (Office::new(), Office::new());
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.consume("card", "1", 10);
    exchange(&office, &kiosk);
    let code = |hub: &Office, bytes: &[u8]| {
        let read = hub.hub.exchange().read_evidence(std::io::Cursor::new(bytes));
        read.map_or_else(|error| error.code(), |_| "ok")
    };
    let files = kiosk.ledger.exchange().write_evidence(office.folder.path(), false).unwrap();
    let bytes = std::fs::read(&files[0]).unwrap();
    assert_eq!((code(&office, &bytes), code(&other, &bytes)), ("ok", "not_for_us"));
    assert_eq!(code(&office, &kiosk.send()), "not_for_us");
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(["bad_file", "file_too_new"].contains(&code(&office, &damaged)), "byte {at}");
    }
    let refused = office.hub.exchange().write_evidence(office.folder.path(), true).unwrap_err();
    assert_eq!(refused.code(), "role_conflict");
    let refused = kiosk.ledger.exchange().read_evidence(std::io::Cursor::new(bytes)).unwrap_err();
    assert_eq!(refused.code(), "role_conflict");
}

fn renew(office: &Office, kiosk: &Kiosk, name: &str) -> Result<Kiosk, counterfoil::Error> {
    let ledger = kiosk.ledger.renew_file(office.folder.path().join(name))?;
    Ok(Kiosk { ledger, clock: kiosk.clock.clone() })
}

#[test]
fn a_fresh_file_goes_on_where_the_old_one_ended() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    hub_recharges(&office, "card", "1", 100);
    kiosk.consume("card", "1", 30);
    let refused = renew(&office, &kiosk, "fresh").err().unwrap();
    assert!(refused.to_string().contains("has not got operation"), "{refused}");
    exchange(&office, &kiosk);
    let fresh = renew(&office, &kiosk, "fresh").unwrap();
    let (old, new) = (kiosk.ledger.info().unwrap(), fresh.ledger.info().unwrap());
    assert_eq!((old.device, old.public_key, old.policy), (new.device, new.public_key, new.policy.clone()));
    assert!(old.ledger != new.ledger && old.epoch < new.epoch && new.operations == 1);
    exchange(&office, &fresh);
    alike(&office, &fresh, &["card"]);
    // A key of the old file, for another sale: it is told apart as ever.
    fresh.consume("card", "2", 5);
    let (taken, _) = exchange(&office, &fresh);
    assert_eq!((taken.booked, taken.fork, taken.needs_attention()), (1, false, false));
    assert_eq!(office.points("card"), (65, 0, 0, 0));
    alike(&office, &fresh, &["card"]);
    // What somebody charges in the old file by mistake is not lost.
    kiosk.consume("card", "3", 1);
    let (taken, heard) = exchange(&office, &kiosk);
    assert_eq!((taken.booked, heard.renewed), (1, false));
    exchange(&office, &fresh);
    alike(&office, &fresh, &["card"]);
    assert_eq!(office.points("card"), (64, 0, 0, 0));
    // The same sale tried again in the fresh file, under its key: it was booked, and waits to be looked at.
    fresh.consume("card", "1", 30);
    let (taken, _) = exchange(&office, &fresh);
    assert_eq!((taken.booked, taken.staged.len()), (0, 1));
}

#[test]
fn a_file_is_not_renewed_before_it_is_settled() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    hub_recharges(&office, "card", "1", 100);
    exchange(&office, &kiosk);
    let device = kiosk.ledger.info().unwrap().device;
    must(
        &office.hub,
        &format!(
            r#"{{"op":"allot","account":"card","key":"a","device":"{device}","points":5,"spend_until":"2027-03-01T00:00:00Z"}}"#
        ),
    );
    exchange(&office, &kiosk);
    let refused = renew(&office, &kiosk, "fresh").err().unwrap();
    assert!(refused.help().contains("return it"), "{refused}");
    let allotment = kiosk.ledger.allotments(&Query::new()).unwrap().items.remove(0).allotment;
    must(&kiosk.ledger, &format!(r#"{{"op":"return","key":"back","allotment":"{allotment}"}}"#));
    exchange(&office, &kiosk);
    must(&kiosk.ledger, r#"{"op":"hold","account":"card","key":"h","points":1,"deadline_seconds":3600}"#);
    exchange(&office, &kiosk);
    let refused = renew(&office, &kiosk, "fresh").err().unwrap();
    assert!(refused.help().contains("capture or release"), "{refused}");
    let hold = kiosk.ledger.holds(&AccountId::new("card").unwrap(), &Query::new()).unwrap().items.remove(0).hold;
    must(&kiosk.ledger, &format!(r#"{{"op":"release","key":"h","hold":"{hold}"}}"#));
    exchange(&office, &kiosk);
    let fresh = renew(&office, &kiosk, "fresh").unwrap();
    assert_eq!(renew(&office, &kiosk, "fresh").err().unwrap().code(), "ledger_exists");
    assert_eq!(office.hub.renew_file(office.folder.path().join("x")).unwrap_err().code(), "role_conflict");
    assert!(!office.folder.path().join("x").exists());
    verified(&fresh.ledger);
    exchange(&office, &fresh);
    alike(&office, &fresh, &["card"]);
}

/// An order was paid at two tills at once, and the app named the charge by the order. Two charges under one key of two devices are two
/// sales, unless the hub knows better.
#[test]
fn keys_that_count_everywhere_are_one_sale() {
    let office = Office::new();
    let (north, south) = (office.kiosk("north", &policy()), office.kiosk("south", &policy()));
    let set =
        |keys: &[&str], name: &str| office.hub.configure(&key(name), Configure::global_keys(keys.iter().copied()));
    set(&["order:", "invoice:"], "1").unwrap();
    let keys = office.hub.info().unwrap().settings.global_keys;
    assert_eq!(keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["order:", "invoice:"]);
    for kiosk in [&north, &south] {
        kiosk.consume("card", "order:7", 10);
        kiosk.consume("card", "7", 3);
    }
    assert_eq!(office.take(&north.send()).booked, 2);
    let report = office.take(&south.send());
    assert_eq!((report.booked, report.staged.len()), (1, 1));
    // The office's own are among them, both ways.
    let consume = |points| {
        let charge = Consume::points(Points::new(points).unwrap());
        office.hub.consume(&AccountId::new("card").unwrap(), &key("order:7"), charge)
    };
    assert!(consume(10).unwrap().replayed);
    assert_eq!(consume(11).unwrap_err().code(), "key_reused");
    must(&office.hub, r#"{"op":"consume","account":"card","key":"invoice:1","points":2}"#);
    north.consume("card", "invoice:1", 2);
    assert_eq!(office.take(&north.send()).staged.len(), 1);
    // Others than consumes are their device's.
    set(&[], "2").unwrap();
    assert!(office.hub.info().unwrap().settings.global_keys.is_empty());
    south.consume("card", "invoice:1", 2);
    assert_eq!(office.take(&south.send()).booked, 1);
    verified(&office.hub);
    let plain = options(&office.clock).create(office.folder.path().join("plain")).unwrap();
    let refused = apply(&plain, r#"{"op":"configure","key":"1","setting":"global_keys","value":["order:"]}"#);
    assert_eq!(refused.unwrap_err().code(), "role_conflict");
    let many: Vec<String> = (0..17).map(|n| format!("k{n}:")).collect();
    for wrong in [serde_json::json!(many), serde_json::json!([7]), serde_json::json!([""]), serde_json::json!(7)] {
        let line = format!(r#"{{"op":"configure","key":"3","setting":"global_keys","value":{wrong}}}"#);
        assert_eq!(apply(&office.hub, &line).unwrap_err().code(), "invalid_argument", "{wrong}");
    }
}
