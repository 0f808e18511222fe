//! What a file of each role does not book, and in which order it is told.

use counterfoil::exchange::{DevicePolicy, Enrol, Right};
use counterfoil::schema::OPERATIONS;
use serde_json::{Value, json};

use super::{apply, code, device_key, hub, key, kiosk, must, verified};
use crate::support::{NOBODY, World, Wrong};

const STRANGER: &str = "0193f1a2-4c5d-7e8f-9a0b-1c2d3e4f5a6b";

fn become_hub() -> Value {
    json!({"op": "become_hub", "public_key": device_key(1), "name": "hub"})
}

fn admit(device: &str) -> Value {
    json!({"op": "admit", "device": device, "public_key": device_key(2), "name": "kiosk"})
}

fn expel(device: &str) -> Value {
    json!({"op": "expel", "device": device, "reason": "stolen"})
}

fn with(line: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut line = line.clone();
    line[name] = value.into();
    line
}

/// A line of each kind that would be booked on an account, by the name of the operation.
fn office() -> Vec<Value> {
    [
        r#"{"op":"set_limit","account":"alice","credit_limit":3}"#,
        r#"{"op":"plan","account":"alice","points":5,"source":"s","every_days":1}"#,
        r#"{"op":"transfer","account":"alice","to":"bob","points":1}"#,
        r#"{"op":"write_off","account":"alice","points":1,"reason":"r"}"#,
        r#"{"op":"freeze","account":"alice","reason":"r"}"#,
        r#"{"op":"unfreeze","account":"alice","reason":"r"}"#,
        r#"{"op":"close","account":"alice","reason":"r"}"#,
        r#"{"op":"configure","setting":"late_window","value":5}"#,
    ]
    .iter()
    .map(|line| serde_json::from_str(line).unwrap())
    .chain([
        json!({"op": "stop", "plan": NOBODY}),
        json!({"op": "revoke", "batch": NOBODY, "points": 1, "reason": "r"}),
        json!({"op": "set_expiry", "batch": NOBODY, "expires_in_days": 1, "reason": "r"}),
        become_hub(),
        admit(STRANGER),
        expel(STRANGER),
        json!({"op": "approve", "link": NOBODY}),
        json!({"op": "dismiss", "link": NOBODY, "reason": "r"}),
        json!({"op": "acknowledge", "flagged": NOBODY, "reason": "r"}),
        json!({"op": "allot", "account": "alice", "device": STRANGER, "points": 1, "spend_until": "2027-02-01T00:00:00Z"}),
        json!({"op": "recall", "allotment": NOBODY}),
        json!({"op": "allot_write_off", "allotment": NOBODY, "reason": "r"}),
    ])
    .collect()
}

#[test]
fn a_device_does_not_book_what_its_hub_does() {
    let world = hub();
    let device = kiosk(&world, "kiosk", &DevicePolicy::default());
    must(&device, r#"{"op":"consume","account":"alice","key":"used","points":5}"#);
    let (before, mut wrong) = (device.info().unwrap(), Wrong::default());
    let lines = office();
    for line in &lines {
        let line = with(line, "key", "fresh");
        let said = code(&device, &line);
        wrong.check(said == "not_on_device", || format!("{line}\n    {said}"));
        // Its shape comes first.
        let said = code(&device, &with(&line, "colour", "red"));
        wrong.check(said == "invalid_argument", || format!("{line}, misspelt\n    {said}"));
    }
    for name in OPERATIONS.iter().filter(|operation| !operation.on_device).map(|operation| operation.name) {
        wrong.check(lines.iter().any(|line| line["op"] == name), || format!("{name} is not tried"));
    }
    // Without the right: before it is asked whether there is such a charge, or whether the key was used.
    let recharge = json!({"op": "recharge", "account": "alice", "key": "used", "points": 5, "source": "cash"});
    let refund = json!({"op": "refund", "operation": NOBODY, "key": "used", "points": 1, "reason": "r"});
    for line in [recharge, refund] {
        let said = code(&device, &line);
        wrong.check(said == "not_on_device", || format!("{line}\n    {said}"));
    }
    wrong.none();
    assert_eq!(device.info().unwrap(), before, "something changed");
    verified(&device);
}

#[test]
fn a_device_books_the_rest() {
    let world = hub();
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    let device = kiosk(&world, "kiosk", &policy);
    must(&device, r#"{"op":"open","account":"alice","key":"1"}"#);
    must(&device, r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"cash"}"#);
    let charge = must(&device, r#"{"op":"consume","account":"alice","key":"1","points":5}"#).operation;
    let refund = json!({"op": "refund", "operation": charge, "key": "1", "points": 2, "reason": "r"});
    assert_eq!(code(&device, &refund), "ok");
    let mut holds = ["1", "2"].map(|key| {
        let hold = json!({"op": "hold", "account": "alice", "key": key, "points": 5, "deadline_seconds": 60});
        apply(&device, &hold.to_string()).unwrap().hold.unwrap().id
    });
    for line in [
        json!({"op": "renew", "hold": holds[0], "key": "1", "deadline_seconds": 600}),
        json!({"op": "capture", "hold": holds[0], "key": "1", "points": 4}),
        json!({"op": "release", "hold": holds[1], "key": "1"}),
        json!({"op": "confirm_clock", "key": "1"}),
    ] {
        assert_eq!(code(&device, &line), "ok", "{line}");
    }
    holds.reverse();
    device.expire(None).unwrap();
    device.renew_epoch().unwrap();
    verified(&device);
}

#[test]
fn a_role_is_given_once() {
    let (alone, world) = (World::empty(), hub());
    let device = kiosk(&world, "kiosk", &DevicePolicy::default());
    let known = device.info().unwrap().device.to_string();
    let certificate = world.ledger.certificate(&device.info().unwrap().device).unwrap();
    let enrol = serde_json::to_value(&certificate).unwrap();
    let enrol = with(&enrol, "op", "enrol");
    let own = world.ledger.info().unwrap().device.to_string();
    let mut wrong = Wrong::default();
    for (ledger, line, expected) in [
        (&alone.ledger, admit(STRANGER), "role_conflict"),
        (&alone.ledger, expel(STRANGER), "role_conflict"),
        (&alone.ledger, enrol.clone(), "role_conflict"),
        (&world.ledger, become_hub(), "role_conflict"),
        (&world.ledger, enrol.clone(), "role_conflict"),
        (&world.ledger, expel(STRANGER), "unknown_device"),
        (&world.ledger, admit(&known), "role_conflict"),
        (&world.ledger, admit(&own), "role_conflict"),
        (&world.ledger, with(&admit(STRANGER), "renew", true), "unknown_device"),
        (&world.ledger, with(&admit("kiosk"), "renew", true), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "public_key", "77"), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "rights", json!(["freeze"])), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "rights", 7), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "scope", "none"), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "max_recharge", 5), "invalid_argument"),
        (&world.ledger, with(&admit(STRANGER), "max_offline", 0), "invalid_argument"),
        (&world.ledger, with(&expel(&known), "reason", Value::Null), "invalid_argument"),
        (&device, enrol.clone(), "role_conflict"),
        (&device, with(&enrol, "late_window", Value::Null), "invalid_argument"),
    ] {
        let before = ledger.info().unwrap();
        let line = with(&line, "key", "fresh");
        let said = code(ledger, &line);
        wrong.check(said == expected, || format!("{line}\n    {said}, expected {expected}"));
        wrong.check(ledger.info().unwrap() == before, || format!("{line}\n    changed something"));
    }
    wrong.none();
    // The same enrolment again is answered as the first time; another under its key is told.
    assert_eq!(code(&device, &with(&enrol, "key", "enrol")), "replayed");
    assert_eq!(code(&device, &with(&with(&enrol, "key", "enrol"), "name", "other")), "key_reused");
    assert_eq!(code(&world.ledger, &with(&expel(STRANGER), "key", "kiosk")), "unknown_device");
}

/// Rights are a set: in whatever order they are written, it is the same request.
#[test]
fn rights_are_compared_as_a_set() {
    let world = hub();
    let line = with(&admit(STRANGER), "key", "1");
    assert_eq!(code(&world.ledger, &with(&line, "rights", json!(["refund", "recharge", "refund"]))), "ok");
    assert_eq!(code(&world.ledger, &with(&line, "rights", json!(["recharge", "refund"]))), "replayed");
    assert_eq!(code(&world.ledger, &with(&line, "rights", "refund")), "key_reused");
    assert_eq!(code(&world.ledger, &with(&line, "scope", "seen")), "key_reused");
    verified(&world.ledger);
}

/// A shop that has already worked in the office's way gets a new file: what it did could not travel.
#[test]
fn a_file_with_office_history_becomes_no_device() {
    let world = hub();
    let alone = World::empty();
    must(&alone.ledger, r#"{"op":"consume","account":"alice","key":"1","points":5}"#);
    must(&alone.ledger, r#"{"op":"freeze","account":"alice","key":"1","reason":"r"}"#);
    let device = alone.ledger.info().unwrap().device;
    let request = with(&admit(&device.to_string()), "key", "1");
    assert_eq!(code(&world.ledger, &request), "ok");
    let enrol = Enrol::new(&world.ledger.certificate(&device).unwrap());
    let refused = alone.ledger.enrol(&key("enrol"), enrol).unwrap_err();
    assert_eq!(refused.code(), "role_conflict");
    assert!(refused.to_string().contains("operation 2 is a freeze"), "{refused}");
}
