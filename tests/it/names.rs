//! Things named by number, id or key.

use std::time::Duration;

use counterfoil::{AccountId, Consume, Error, Hold, Key, Ledger, Points, Query, Recharge};

fn said(error: Error) -> String {
    format!("{error}; {}", error.help())
}

/// An app uses the id of what it refunds as the refund's key, and the id, asked about, then meant two operations.
#[test]
fn an_id_in_full_means_one_thing_whatever_the_keys_are() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
    let alice = AccountId::new("alice").unwrap();
    let points = |points| Points::new(points).unwrap();
    let bought = ledger.recharge(&alice, &Key::new("1").unwrap(), Recharge::new(points(50), "wx")).unwrap();
    let id = bought.operation.to_string();
    let charged = ledger.consume(&alice, &Key::new(&id).unwrap(), Consume::points(points(1))).unwrap();
    assert_eq!(ledger.operation_named(&id, None).unwrap(), bought.operation);
    assert_eq!(ledger.operation_named(&format!("key:{id}"), None).unwrap(), charged.operation);
    assert_eq!(ledger.history(&alice, &Query::new().operation(bought.operation)).unwrap().items.len(), 2);
    // Its own number and its own key are no two things.
    assert_eq!(ledger.operation_named("1", None).unwrap(), bought.operation);
    // Where a charge is wanted, only a charge is meant.
    assert_eq!(ledger.charge_named(&id, Some(&alice)).unwrap(), charged.operation);
}

/// `monthly:2026-11` is a fair key for everybody: the one account named finds its own among any number of others, and so does
/// the one operation of the wanted kind.
#[test]
fn a_key_that_everybody_uses_is_found_by_account_and_kind() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
    let key = Key::new("monthly:2026-11").unwrap();
    let account = |n: i32| AccountId::new(format!("a{n}")).unwrap();
    for n in 0..600 {
        ledger.recharge(&account(n), &key, Recharge::new(Points::new(5).unwrap(), "monthly")).unwrap();
    }
    let hold = Hold::new(Points::new(1).unwrap(), Duration::from_secs(60));
    let held = ledger.hold(&account(599), &key, hold).unwrap();
    assert_eq!(ledger.hold_named(key.as_str(), None).unwrap(), held.id);
    assert_eq!(ledger.operation_named(key.as_str(), Some(&account(7))).unwrap().sequence(), 8);
    assert_eq!(ledger.batch_named(key.as_str(), Some(&account(599))).unwrap().sequence(), 600);
    let told = said(ledger.batch_named(key.as_str(), None).unwrap_err());
    assert!(told.contains("`number:1` (recharge of a0)") && told.contains("\u{2026}; or name the account"), "{told}");
    let told = said(ledger.operation_named(key.as_str(), Some(&AccountId::new("nobody").unwrap())).unwrap_err());
    assert!(told.contains("names nothing of `nobody`"), "{told}");
    for name in ["", "none", "number:", "number:x", "key:", "9999999999999999999999", "601.1", "number:1.2"] {
        assert!(ledger.batch_named(name, None).is_err(), "{name}");
        assert!(ledger.hold_named(name, None).is_err(), "{name}");
    }
}
