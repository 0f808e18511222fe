//! What a device takes of what it is told, and what it does not.

use std::io::Cursor;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::answer::Hash;
use counterfoil::clock::ManualClock;
use counterfoil::exchange::{Admit, Down, Leaf, Link, Right};
use counterfoil::{AccountId, Metadata};
use serde_json::json;

use super::reconciled::{Pair, figures, options, policy};
use super::{apply, key, must, verified};
use crate::support::START;

fn recharged(pair: &Pair, account: &str, points: i64) {
    let line = json!({"op":"recharge","account":account,"key":"1","points":points,"source":"wxpay"});
    must(&pair.hub, &line.to_string());
}

fn refused(pair: &Pair, down: &Down) -> String {
    let before = pair.kiosk.info().unwrap();
    let files = pair.files(down, &["card"]);
    let error = pair.hear(&files[0]).unwrap_err();
    assert_eq!(pair.kiosk.info().unwrap().head, before.head, "refused means unchanged");
    match error.details()["reason"].as_str() {
        Some(reason) => format!("{} {reason}", error.code()),
        None => error.code().into(),
    }
}

fn told_to(pair: &Pair, change: impl FnOnce(&mut Down)) -> Down {
    let mut down = pair.down();
    change(&mut down);
    down
}

#[test]
fn what_is_not_for_it_is_refused() {
    let pair = Pair::new();
    recharged(&pair, "card", 100);
    let ack = Link { seq: 1, hash: Hash::from([9; 32]) };
    let beyond = Link { seq: 99, hash: Hash::from([9; 32]) };
    let someone = uuid::Uuid::from_u128(1);
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.hub = someone)), "not_for_us");
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.device = someone)), "not_for_us");
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.ack = Some(ack))), "not_for_us");
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.need = Some(ack))), "not_for_us");
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.ack = Some(beyond))), "not_for_us");
    let nothing = Metadata::parse("{}").unwrap();
    assert_eq!(refused(&pair, &told_to(&pair, |down| down.policy = nothing)), "bad_file format");
    // Another hub's signature under this hub's name.
    let stranger = Pair::new();
    recharged(&stranger, "card", 100);
    let mut forged = stranger.hub.exchange().down(&stranger.kiosk.info().unwrap().device).unwrap();
    (forged.hub, forged.device) = (pair.hub.info().unwrap().ledger, pair.kiosk.info().unwrap().device);
    let files = stranger.files(&forged, &["card"]);
    assert_eq!(pair.hear(&files[0]).unwrap_err().details()["reason"], "signature");
    // A hub takes none, and what goes up is not for a device.
    let mine = pair.files(&pair.down(), &["card"]);
    assert_eq!(pair.hub.exchange().import(Cursor::new(&mine[0])).unwrap_err().code(), "role_conflict");
    let mut up = Vec::new();
    pair.kiosk.export(&mut up, false).unwrap();
    assert_eq!(pair.kiosk.exchange().import(Cursor::new(up)).unwrap_err().code(), "role_conflict");
    verified(&pair.kiosk);
}

#[test]
fn old_answers_and_those_asked_for_too_early_change_nothing() {
    let pair = Pair::new();
    recharged(&pair, "card", 100);
    let (down, first) = (pair.down(), pair.files(&pair.down(), &["card"]));
    must(&pair.hub, r#"{"op":"consume","account":"card","key":"2","points":30}"#);
    let early = pair.files(&down, &["card"]);
    assert_eq!(pair.hear(&early[0]).unwrap().accounts, 1);
    assert_eq!(figures(&pair.kiosk, "card"), json!([70, 0, 0, 0]));
    let old = pair.hear(&first[0]).unwrap();
    assert_eq!((old.accounts, old.stale), (0, true));
    must(&pair.hub, r#"{"op":"consume","account":"card","key":"3","points":1}"#);
    // It answers what was sent before anything was heard.
    let sent_before = pair.hear(&pair.files(&down, &["card"])[0]).unwrap();
    assert_eq!((sent_before.accounts, sent_before.stale), (0, true));
    assert_eq!(pair.reconcile(&["card"]).accounts, 1);
    assert_eq!(figures(&pair.kiosk, "card"), json!([69, 0, 0, 0]));
    verified(&pair.kiosk);
}

/// Many accounts are gone on with in several operations, and come in several files: the position is seen with the last.
#[test]
fn a_position_is_seen_once_all_of_it_has_come() {
    let pair = Pair::new();
    let mut run = pair.hub.batch_run();
    let accounts: Vec<String> = (0..16).map(|n| format!("card-{n}")).collect();
    for (n, account) in accounts.iter().flat_map(|account| (0..3000).map(move |n| (n, account))) {
        let line = json!({"op":"recharge","account":account,"key":n,"points":2,"source":"a source with a long name","expires_at":"never"});
        let line = line.to_string().replace(&format!("\"key\":{n}"), &format!("\"key\":\"{n}\""));
        run.apply(n + 1, &counterfoil::Request::parse(&line).unwrap()).unwrap();
    }
    drop(run);
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let files = pair.files(&pair.down(), &accounts);
    assert!(files.len() >= 2);
    for (n, bytes) in files.iter().enumerate().rev() {
        assert_eq!(pair.hear(bytes).unwrap().whole, n == 0);
        assert_eq!(pair.question().seen.is_empty(), n > 0);
    }
    assert_eq!(pair.question().seen[0].seq, pair.hub.info().unwrap().operations);
    let again = pair.hear(&files[1]).unwrap();
    assert!(again.accounts == 0 && again.known > 0);
    assert_eq!(figures(&pair.kiosk, "card-7"), json!([6000, 0, 0, 0]));
    assert_eq!(
        pair.kiosk.history(&AccountId::new("card-7").unwrap(), &counterfoil::Query::new()).unwrap().items.len(),
        1
    );
    verified(&pair.kiosk);
}

#[test]
fn a_stranger_in_its_name_makes_it_begin_an_epoch() {
    let pair = Pair::new();
    recharged(&pair, "card", 100);
    let epoch = pair.kiosk.info().unwrap().epoch;
    let leaf = Leaf { seq: 5, hash: Hash::from([9; 32]), epoch };
    let files = pair.files(&told_to(&pair, |down| down.leaves = vec![leaf]), &["card"]);
    let report = pair.hear(&files[0]).unwrap();
    assert!(report.renewed && report.accounts == 1);
    let renewed = pair.kiosk.info().unwrap().epoch;
    assert!(renewed > epoch);
    // One of an epoch it has left says nothing new.
    let files = pair.files(&told_to(&pair, |down| down.leaves = vec![leaf]), &["card"]);
    assert!(!pair.hear(&files[0]).unwrap().renewed);
    let files = pair.files(&told_to(&pair, |down| down.renew = renewed), &["card"]);
    assert!(pair.hear(&files[0]).unwrap().renewed);
    verified(&pair.kiosk);
}

#[test]
fn what_the_hub_misses_is_sent_again() {
    let pair = Pair::new();
    must(&pair.kiosk, r#"{"op":"recharge","account":"card","key":"1","points":10,"source":"cash"}"#);
    let (first, head) = (pair.question().base, pair.question().head);
    let leaf = Leaf { seq: head.seq, hash: head.hash, epoch: pair.kiosk.info().unwrap().epoch };
    let ack = told_to(&pair, |down| (down.ack, down.leaves) = (Some(head), vec![leaf]));
    assert_eq!(pair.hear(&pair.files(&ack, &[])[0]).unwrap().ack, Some(head));
    assert_eq!(pair.question().base, head);
    let need = told_to(&pair, |down| (down.need, down.ack) = (Some(first), None));
    let report = pair.hear(&pair.files(&need, &[])[0]).unwrap();
    assert_eq!((report.need, report.accounts), (Some(first), 0));
    assert_eq!(pair.question().base, first);
    verified(&pair.kiosk);
}

/// The hub has the newest operation, and something that goes on after it.
#[test]
fn what_goes_on_after_its_newest_is_not_its_own() {
    let pair = Pair::new();
    let head = pair.question().head;
    let ack = told_to(&pair, |down| down.ack = Some(head));
    assert!(pair.hear(&pair.files(&ack, &[])[0]).unwrap().renewed);
}

/// It holds operations of the device beyond a gap: what it says of accounts is not of the moment of its ack.
#[test]
fn beyond_a_gap_nothing_is_taken() {
    let pair = Pair::new();
    recharged(&pair, "card", 100);
    let head = pair.question().head;
    let gap = told_to(&pair, |down| down.gaps = vec![head]);
    let report = pair.hear(&pair.files(&gap, &["card"])[0]).unwrap();
    assert_eq!((report.accounts, report.whole), (0, false));
    assert_eq!(pair.question().seen, []);
}

#[test]
fn an_expelled_device_stops() {
    let pair = Pair::new();
    let down = told_to(&pair, |down| (down.expelled, down.accounts) = (true, false));
    pair.hear(&pair.files(&down, &[])[0]).unwrap();
    let line = r#"{"op":"consume","account":"card","key":"1","points":1}"#;
    assert_eq!(apply(&pair.kiosk, line).unwrap_err().code(), "device_revoked");
    let down = told_to(&pair, |down| down.accounts = false);
    pair.hear(&pair.files(&down, &[])[0]).unwrap();
    must(&pair.kiosk, line);
    verified(&pair.kiosk);
}

/// What it may do comes with the accounts, and stands in its log.
#[test]
fn another_policy_is_in_force_at_once() {
    let pair = Pair::new();
    let mut policy = policy();
    policy.rights = vec![Right::Refund];
    policy.max_offline = Some(3600);
    let (device, own) = (pair.kiosk.info().unwrap().device, pair.kiosk.signer().unwrap().key().public());
    pair.hub.admit(&key("again"), Admit::new(device, own, "Kiosk 12", &policy).renew()).unwrap();
    recharged(&pair, "card", 100);
    pair.reconcile(&["card"]);
    let code = |line: &str| apply(&pair.kiosk, line).unwrap_err().code();
    assert_eq!(code(r#"{"op":"recharge","account":"card","key":"1","points":10,"source":"cash"}"#), "not_on_device");
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"2","points":1,"policy":"strict"}"#);
    pair.advance(3601);
    let strict = r#"{"op":"consume","account":"card","key":"3","points":1,"policy":"strict"}"#;
    assert_eq!(code(strict), "offline_too_long");
    assert_eq!(
        code(r#"{"op":"hold","account":"card","key":"4","points":1,"deadline_seconds":60}"#),
        "offline_too_long"
    );
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"5","points":1}"#);
    must(&pair.hub, r#"{"op":"consume","account":"card","key":"2","points":1}"#);
    pair.reconcile(&["card"]);
    must(&pair.kiosk, strict);
    verified(&pair.kiosk);
}

/// A hub that was set back has another epoch: what it told before, and does not tell now, is no more.
#[test]
fn what_a_lost_past_told_is_no_more() {
    let pair = Pair::new();
    recharged(&pair, "card", 9);
    recharged(&pair, "tag", 9);
    pair.reconcile(&["card", "tag"]);
    must(&pair.kiosk, r#"{"op":"consume","account":"tag","key":"1","points":2}"#);
    pair.hub.renew_epoch().unwrap();
    let down = told_to(&pair, |down| down.since = None);
    pair.hear(&pair.files(&down, &["card"])[0]).unwrap();
    assert_eq!((figures(&pair.kiosk, "card"), figures(&pair.kiosk, "tag")), (json!([9, 0, 0, 0]), json!([0, 0, 0, 2])));
    verified(&pair.kiosk);
}

/// A clock that was fast has let everything lapse; mended, the next answer puts it right.
#[test]
fn a_fast_clock_is_healed() {
    let pair = Pair::new();
    let line = r#"{"op":"recharge","account":"card","key":"1","points":100,"source":"x","expires_in_days":10}"#;
    must(&pair.hub, line);
    let kiosk_clock = ManualClock::at(START).unwrap();
    let path = pair.kiosk.path();
    pair.kiosk.close().unwrap();
    let pair = Pair { kiosk: options(&kiosk_clock).open(path).unwrap(), ..pair };
    pair.reconcile(&["card"]);
    kiosk_clock.advance(std::time::Duration::from_secs(30 * 24 * 3600));
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"1","points":7}"#);
    assert_eq!(figures(&pair.kiosk, "card"), json!([0, 0, 0, 7]));
    kiosk_clock.set(START.parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(2));
    pair.advance(7200);
    assert_eq!(pair.question().seen, [], "it asks for everything again");
    pair.reconcile(&["card"]);
    assert_eq!(figures(&pair.kiosk, "card"), json!([93, 0, 0, 0]));
    verified(&pair.kiosk);
}

/// A balance says how old it is, and what of it the hub does not know.
#[test]
fn a_balance_says_as_of_when() {
    let pair = Pair::new();
    let card = AccountId::new("card").unwrap();
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"1","points":7}"#);
    let before = pair.kiosk.balance(&card).unwrap();
    assert_eq!((before.base_at, before.pending_operations), (None, Some(1)));
    recharged(&pair, "card", 100);
    pair.advance(60);
    pair.reconcile(&["card"]);
    pair.advance(60);
    must(&pair.kiosk, r#"{"op":"hold","account":"card","key":"2","points":7,"deadline_seconds":60}"#);
    let after = pair.kiosk.balance(&card).unwrap();
    let at = START.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(60);
    assert_eq!((after.base_at, after.pending_operations), (Some(at), Some(2)));
    let hub = pair.hub.balance(&card).unwrap();
    assert_eq!((hub.base_at, hub.pending_operations), (None, None));
}
