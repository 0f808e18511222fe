//! A file becomes a hub or a device; a hub admits and expels; epochs.

use std::path::Path;
use std::sync::Arc;

use counterfoil::answer::AccountsOpen;
use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, DeviceState, Enrol, Expel, Offline, Right, Role, Scope};
use counterfoil::{Configure, IdSource, Ledger, OpKind, Options, Points, Query, Request};
use rusqlite::Connection;
use serde_json::json;

use super::{apply, code, device_key, hub, hub_key, key, kiosk, must, verified};
use crate::faults::{columns, tampered};
use crate::support::World;

const NINETY_DAYS: i64 = 90 * 24 * 3600;

#[test]
fn a_hub_keeps_its_history_and_reaches_far_back() {
    let world = World::empty();
    let (ledger, day) = (&world.ledger, std::time::Duration::from_secs(24 * 3600));
    must(ledger, r#"{"op":"recharge","account":"alice","key":"r","points":100,"source":"wxpay"}"#);
    must(ledger, r#"{"op":"freeze","account":"alice","key":"z","reason":"office work"}"#);
    let before = ledger.info().unwrap();
    assert_eq!((before.role, before.name, before.settings.late_window), (Role::Standalone, None, 0));
    let request = BecomeHub::new(hub_key(), "head office").actor("operator");
    let booked = ledger.become_hub(&key("hub"), request.clone()).unwrap();
    assert_eq!((booked.op, booked.changed.unwrap().after), (OpKind::BecomeHub, json!("hub")));
    assert!(ledger.become_hub(&key("hub"), request).unwrap().replayed);
    let info = ledger.info().unwrap();
    assert_eq!((info.role, info.name.as_deref(), info.public_key), (Role::Hub, Some("head office"), Some(hub_key())));
    assert_eq!(
        (info.ledger, info.device, info.hub, info.settings.late_window),
        (before.ledger, before.device, None, NINETY_DAYS)
    );
    must(ledger, r#"{"op":"unfreeze","account":"alice","key":"u","reason":"solved"}"#);
    verified(ledger);
    // One that was set stays.
    let world = World::empty();
    world.ledger.configure(&key("window"), Configure::late_window(day)).unwrap();
    world.ledger.become_hub(&key("hub"), BecomeHub::new(hub_key(), "office")).unwrap();
    assert_eq!(world.ledger.info().unwrap().settings.late_window, 24 * 3600);
    verified(&world.ledger);
}

#[test]
fn devices_are_admitted_renewed_and_expelled() {
    let world = hub();
    let hub = &world.ledger;
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge];
    policy.max_recharge = Some(Points::new(500).unwrap());
    let first = kiosk(&world, "kiosk 1", &policy).info().unwrap().device;
    let second = kiosk(&world, "kiosk 2", &DevicePolicy::default()).info().unwrap().device;
    let told = || hub.devices(&Query::new()).unwrap().items;
    assert_eq!(told().iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["kiosk 1", "kiosk 2"]);
    assert_eq!((told()[0].device, &told()[0].policy, told()[0].state), (first, &policy, DeviceState::Admitted));
    let page = hub.devices(&Query::new().limit(1)).unwrap();
    let rest = hub.devices(&Query::new().after(page.next.unwrap())).unwrap();
    assert_eq!((page.items[0].device, rest.items[0].device), (first, second));

    let expelled = hub.expel(&key("theft"), Expel::new(first, "stolen")).unwrap().changed.unwrap();
    assert_eq!((expelled.before, expelled.after), (json!("admitted"), json!("expelled")));
    assert_eq!((told()[0].state, told()[1].state), (DeviceState::Expelled, DeviceState::Admitted));
    // Again is booked, and changes nothing.
    let again = hub.expel(&key("theft again"), Expel::new(first, "still stolen")).unwrap();
    assert_eq!((again.replayed, again.changed.unwrap().before), (false, json!("expelled")));
    verified(hub);

    let renewed = Admit::new(first, device_key(9), "kiosk 1b", &DevicePolicy::default());
    assert_eq!(hub.admit(&key("back"), renewed.clone()).unwrap_err().code(), "role_conflict");
    hub.admit(&key("back"), renewed.renew()).unwrap();
    let back = &told()[0];
    assert_eq!((back.name.as_str(), back.public_key, back.state), ("kiosk 1b", device_key(9), DeviceState::Admitted));
    assert_eq!((back.policy.clone(), told().len()), (DevicePolicy::default(), 2));
    verified(hub);
    let asked = hub.operation(&hub.operation_id(hub.info().unwrap().operations).unwrap()).unwrap();
    assert_eq!((asked.receipt.op, asked.request.get("renew")), (OpKind::Admit, Some(&json!(true))));
}

#[test]
fn a_device_decides_by_what_its_hub_has_set() {
    let world = hub();
    world.ledger.configure(&key("accounts"), Configure::explicit_accounts(true)).unwrap();
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    (policy.scope, policy.offline, policy.max_offline) = (Scope::All, Offline::Allotted, Some(3600));
    policy.prices = Some("ab".repeat(32).parse().unwrap());
    let device = kiosk(&world, "kiosk", &policy);
    let info = device.info().unwrap();
    assert_eq!((info.role, info.name.as_deref(), info.public_key), (Role::Device, Some("kiosk"), Some(device_key(8))));
    let hub = info.hub.unwrap();
    assert_eq!((hub.ledger, hub.public_key), (world.ledger.info().unwrap().ledger, hub_key()));
    assert_eq!(info.policy, Some(policy));
    assert_eq!((info.settings.accounts, info.settings.late_window), (AccountsOpen::Explicit, NINETY_DAYS));
    must(&device, r#"{"op":"open","account":"alice","key":"o"}"#);
    must(&device, r#"{"op":"consume","account":"alice","key":"c","points":5}"#);
    verified(&device);
    // What the log says of the setting, an explanation finds.
    let late = r#"{"op":"consume","account":"alice","key":"late","points":5,"occurred_at":"2027-01-01T00:00:00Z"}"#;
    device.explain(&must(&device, late).operation).unwrap();
}

/// Recharges of one device are bounded, each and all of a day; a retry is answered whatever has been recharged since.
#[test]
fn what_a_device_recharges_in_a_day_is_bounded() {
    let world = hub();
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge];
    (policy.max_recharge, policy.max_recharge_per_day) =
        (Some(Points::new(60).unwrap()), Some(Points::new(100).unwrap()));
    let device = kiosk(&world, "kiosk", &policy);
    let recharge = |key: &str, account: &str, points: i64| {
        code(&device, &json!({"op": "recharge", "account": account, "key": key, "points": points, "source": "cash"}))
    };
    assert_eq!(recharge("1", "alice", 61), "not_on_device");
    assert_eq!(recharge("1", "alice", 60), "ok");
    assert_eq!(recharge("2", "bob", 41), "not_on_device");
    assert_eq!(recharge("2", "bob", 40), "ok");
    assert_eq!(recharge("3", "bob", 1), "not_on_device");
    assert_eq!(recharge("1", "alice", 60), "replayed");
    world.advance(12 * 3600 - 1);
    assert_eq!(recharge("3", "bob", 1), "not_on_device", "the day is not over yet");
    world.advance(1);
    assert_eq!(recharge("3", "bob", 60), "ok");
    verified(&device);
}

/// Every column in which a device's row says what it is follows from its log.
#[test]
fn what_a_device_is_said_to_be_is_proved() {
    let world = hub();
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge];
    policy.max_recharge_per_day = Some(Points::new(100).unwrap());
    let device = kiosk(&world, "kiosk", &policy);
    must(&device, r#"{"op":"recharge","account":"alice","key":"r","points":7,"source":"cash"}"#);
    let path = device.path();
    device.close().unwrap();
    let other = |column: &str| match column {
        "role" => "2",
        "name" => "'other'",
        "hub_ledger" => "zeroblob(16)",
        "public_key" | "hub_key" | "acked_hash" => "zeroblob(32)",
        "policy" => "replace(policy, 'seen', 'all')",
        "acked_seq" => "acked_seq + 1",
        "recharge_day" => "recharge_day + 1",
        "recharged" => "recharged + 1",
        _ => "",
    };
    let (columns, _) = columns(&Connection::open(&path).unwrap(), "ledger");
    let mut changed = 0;
    for column in columns.iter().filter(|column| !other(column).is_empty()) {
        let copy = tampered(&path, "tampered", |conn| {
            conn.execute(&format!("UPDATE ledger SET {column} = {}", other(column)), []).map(drop).unwrap();
        });
        must_be_faulty(&copy, column);
        changed += 1;
    }
    assert_eq!(changed, 10);
    let unknown = tampered(&path, "tampered", |conn| {
        conn.execute(r#"UPDATE ledger SET policy = replace(policy, '}', ',"also":1}')"#, []).map(drop).unwrap();
    });
    must_be_faulty(&unknown, "policy");
}

fn must_be_faulty(path: &Path, column: &str) {
    match Ledger::options().read_only(true).open(path).and_then(|ledger| ledger.verify()) {
        Ok(said) => {
            let named = said.faults.iter().any(|fault| fault.place.contains(column) || fault.found.contains(column));
            assert!(named, "{column}: {:?}", said.faults);
        }
        Err(error) => assert!(error.code() == "corrupt" && error.to_string().contains(column), "{column}: {error}"),
    }
}

#[test]
fn a_restored_device_stays_one_in_a_later_epoch() {
    let world = hub();
    let device = kiosk(&world, "kiosk", &DevicePolicy::default());
    let (backup, target) = (world.folder.path().join("backup"), world.folder.path().join("restored.ledger"));
    let _ = device.backup(&backup).unwrap();
    let restored = Options::default().clock(Arc::new(world.clock.clone())).restore(&backup, &target).unwrap();
    let (before, after) = (device.info().unwrap(), restored.info().unwrap());
    assert_eq!(
        (after.role, &after.hub, &after.policy, after.device),
        (before.role, &before.hub, &before.policy, before.device)
    );
    assert!((before.epoch + 1..=before.epoch + 65_536).contains(&after.epoch), "{} {}", before.epoch, after.epoch);
    must(&restored, r#"{"op":"consume","account":"alice","key":"c","points":5}"#);
    assert_eq!(
        code(&restored, &json!({"op": "freeze", "account": "alice", "key": "z", "reason": "r"})),
        "not_on_device"
    );
    verified(&restored);
}

/// Always the same number.
struct Fixed(u128);

impl IdSource for Fixed {
    fn next(&self) -> u128 {
        self.0
    }
}

/// Story: a file renewed its epoch while other handles had it open; they told ids of the old epoch for what was booked after.
#[test]
fn ids_after_a_renewed_epoch_are_told_by_every_handle() {
    let folder = crate::support::folder();
    let path = folder.path().join("points.ledger");
    let ledger = Options::default().ids(Arc::new(Fixed(41))).create(&path).unwrap();
    let other = Ledger::open(&path).unwrap();
    let line = |key: &str| format!(r#"{{"op":"recharge","account":"alice","key":"{key}","points":5,"source":"x"}}"#);
    let before = must(&ledger, &line("1"));
    ledger.renew_epoch().unwrap();
    assert_eq!(ledger.info().unwrap().epoch, 43);
    let after = must(&other, &line("2"));
    let runs = other.batch(&[Request::parse(&line("3")).unwrap()]);
    let third = runs.into_iter().next().unwrap().unwrap();
    for (handle, name) in [(&ledger, "the one that renewed"), (&other, "the other")] {
        for (sequence, receipt) in [(1, &before), (3, &after), (4, &third)] {
            assert_eq!(handle.operation_id(sequence).unwrap(), receipt.operation, "{name}");
            assert_eq!(handle.operation(&receipt.operation).unwrap().receipt.batch, receipt.batch, "{name}");
        }
        let batches = handle.batches(&"alice".parse().unwrap(), &Query::new()).unwrap().items;
        let made = [&before, &after, &third].map(|receipt| receipt.batch.as_ref().unwrap().batch);
        assert_eq!(batches.iter().map(|batch| batch.batch).collect::<Vec<_>>(), made, "{name}");
    }
    let head = |id: &str| id[..18].to_string();
    assert_ne!(head(&before.operation.to_string()), head(&after.operation.to_string()));
    assert_eq!(head(&after.operation.to_string()), head(&third.operation.to_string()));
    assert_eq!(apply(&other, &line("1")).unwrap().operation, before.operation);
    verified(&ledger);
}

#[test]
fn epochs_end() {
    let folder = crate::support::folder();
    let path = folder.path().join("points.ledger");
    let options = Options::default().durability(counterfoil::Durability::Relaxed).ids(Arc::new(Fixed(u128::MAX)));
    let ledger = options.clone().create(&path).unwrap();
    let mut renewed = 0;
    let ended = loop {
        match ledger.renew_epoch() {
            Ok(()) => renewed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((renewed, ended.code()), ((1 << 12) - 1, "invalid_argument"), "{ended}");
    assert!(ended.help().contains("new ledger file"), "{}", ended.help());
    must(&ledger, r#"{"op":"recharge","account":"alice","key":"1","points":5,"source":"x"}"#);
    verified(&ledger);
    ledger.close().unwrap();
    let restored = options.restore(&path, folder.path().join("restored.ledger"));
    assert_eq!(restored.unwrap_err().code(), "invalid_argument");
    assert!(!folder.path().join("restored.ledger").exists());
}

#[test]
fn a_certificate_is_for_one_device() {
    let world = hub();
    let first = kiosk(&world, "kiosk", &DevicePolicy::default());
    let certificate = world.ledger.certificate(&first.info().unwrap().device).unwrap();
    let text = serde_json::to_string(&certificate).unwrap();
    assert_eq!(serde_json::from_str::<counterfoil::exchange::Certificate>(&text).unwrap(), certificate);
    let stranger = World::empty();
    let refused = stranger.ledger.enrol(&key("enrol"), Enrol::new(&certificate)).unwrap_err();
    assert_eq!(refused.code(), "role_conflict");
    assert!(refused.to_string().contains("another") || refused.to_string().contains("is for device"), "{refused}");
}
