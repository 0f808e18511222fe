//! What random fleets, played on files and on their model, have shown to be wrong. Each begins with its story.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use counterfoil::answer::AccountState;
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::exchange::{Admit, Approve, Dismiss, Expel, Scope};
use counterfoil::sync::ImportTerms;
use counterfoil::{IdSource, Query, Receipt};
use serde_json::json;

use super::arrived::{Kiosk, Office, options, points, policy};
use super::replied::{alike, copy, exchange, hear, hub_recharges, reply};
use super::{key, must, verified};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn set_back(clock: &ManualClock, by: Duration) {
    let at: chrono::DateTime<Utc> = clock.now();
    clock.set(at - TimeDelta::from_std(by).unwrap());
}

/// A kiosk came home after a week. It had charged a card and then recharged it, for a day: what it recharged had ended on the way. For
/// one line the hub's books had points beside the debt.
#[test]
fn what_ended_on_its_way_stands_beside_no_debt() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.consume("card", "c", 9);
    let line = r#"{"op":"recharge","account":"card","key":"r","points":39,"source":"cash","expires_in_days":1}"#;
    must(&kiosk.ledger, line);
    office.clock.advance(7 * DAY);
    office.take(&kiosk.send());
    assert_eq!(office.points("card"), (0, 0, 0, 9));
    verified(&office.hub);
}

/// The office's clock fell back a month, behind what was booked in a card. A kiosk's charge was taken to have occurred in that month
/// past, and drew points that had lapsed before it was made.
#[test]
fn a_charge_does_not_occur_before_what_its_kiosk_knew() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    must(
        &office.hub,
        r#"{"op":"recharge","account":"card","key":"1","points":49,"source":"wxpay","expires_in_hours":1}"#,
    );
    office.clock.advance(6 * HOUR);
    kiosk.clock.advance(6 * HOUR);
    must(
        &office.hub,
        r#"{"op":"recharge","account":"card","key":"2","points":25,"source":"wxpay","expires_at":"never"}"#,
    );
    kiosk.consume("card", "c", 1);
    exchange(&office, &kiosk);
    kiosk.consume("card", "d", 4);
    set_back(&office.clock, 30 * DAY);
    office.take(&kiosk.send());
    assert_eq!(office.points("card"), (20, 0, 0, 0));
    verified(&office.hub);
}

/// A hub was set back, took a later file without what it had lost, and then got all of it in one file: what was new in that belonged
/// before and after what it had. The operation that told of it was of two chains, and the proof did not know what to make of that.
#[test]
fn what_is_new_on_both_sides_of_what_is_known_is_proved() {
    let mut office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let (path, backup) = (office.hub.path(), office.folder.path().join("copy"));
    office.hub.close().unwrap();
    copy(&path, &backup, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    must(&kiosk.ledger, r#"{"op":"open","account":"card","key":"o"}"#);
    kiosk.consume("card", "1", 5);
    exchange(&office, &kiosk);
    office.hub.close().unwrap();
    copy(&backup, &path, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    kiosk.consume("card", "2", 7);
    let later = kiosk.send();
    let mut terms = ImportTerms::default();
    terms.accept_gap = true;
    assert_eq!(office.take_on(&later, terms).booked, 1);
    reply(&office.hub, &later).iter().for_each(|down| drop(hear(&kiosk.ledger, down)));
    kiosk.consume("card", "3", 9);
    let report = office.take(&kiosk.send());
    assert!(report.duplicates > 0 && report.noted > 0 && report.booked > 1, "{report:?}");
    assert_eq!(office.points("card"), (0, 0, 0, 21));
    verified(&office.hub);
}

/// A kiosk heard of all accounts, and then of its own alone: all of those came again, which it had.
#[test]
fn a_narrower_scope_brings_nothing_again() {
    let office = Office::new();
    let mut granted = policy();
    granted.scope = Scope::All;
    let kiosk = office.kiosk("kiosk", &granted);
    kiosk.recharge("card", "r", 10);
    exchange(&office, &kiosk);
    let (device, own) = (kiosk.ledger.info().unwrap().device, kiosk.ledger.signer().unwrap().key().public());
    office.hub.admit(&key("again"), Admit::new(device, own, "kiosk", &policy()).renew()).unwrap();
    let (_, heard) = exchange(&office, &kiosk);
    assert_eq!((heard.accounts, heard.known, heard.whole), (0, 0, true));
    alike(&office, &kiosk, &["card"]);
}

/// A kiosk's clock was a month fast: what it knew of a card lapsed there. At the hub the card's points were revoked, and told of no
/// more. When the clock was mended, the kiosk's file brought them back.
#[test]
fn what_is_told_of_no_more_does_not_come_back_with_time() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.consume("card", "c", 1);
    let line = r#"{"op":"recharge","account":"card","key":"1","points":32,"source":"wxpay","expires_in_days":20}"#;
    let batch = must(&office.hub, line).batch.unwrap().batch;
    kiosk.clock.advance(30 * DAY);
    exchange(&office, &kiosk);
    assert_eq!(points(&kiosk.ledger, "card"), (0, 0, 0, 0));
    let line =
        format!(r#"{{"op":"revoke","batch":"{batch}","key":"2","points":"all","shortfall":"clamp","reason":"fraud"}}"#);
    must(&office.hub, &line);
    exchange(&office, &kiosk);
    kiosk.consume("other", "c", 1);
    let asked = kiosk.send();
    set_back(&kiosk.clock, 30 * DAY);
    office.take(&asked);
    reply(&office.hub, &asked).iter().for_each(|down| drop(hear(&kiosk.ledger, down)));
    assert_eq!(points(&kiosk.ledger, "card"), (0, 0, 0, 0));
    verified(&kiosk.ledger);
}

/// A hub's file was copied back, and the office went on before any kiosk told it: it gave the numbers of what it had lost to something
/// else. A kiosk that had heard of the lost took each later answer for damaged.
#[test]
fn an_id_that_a_hub_gave_twice_is_two_things() {
    let mut office = Office::new();
    let mut granted = policy();
    granted.scope = Scope::All;
    let kiosk = office.kiosk("kiosk", &granted);
    let (path, backup) = (office.hub.path(), office.folder.path().join("copy"));
    office.hub.close().unwrap();
    copy(&path, &backup, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    hub_recharges(&office, "lost", "1", 22);
    exchange(&office, &kiosk);
    let lost = kiosk.ledger.batches(&"lost".parse().unwrap(), &Query::new()).unwrap().items[0].batch;
    office.hub.close().unwrap();
    copy(&backup, &path, false);
    office.hub = options(&office.clock).open(&path).unwrap();
    for n in 0..8 {
        hub_recharges(&office, &format!("card-{n}"), "1", 30 + n);
    }
    let given =
        |n: i64| office.hub.batches(&format!("card-{n}").parse().unwrap(), &Query::new()).unwrap().items[0].batch;
    assert!((0..8).any(|n| given(n) == lost), "the same id again");
    for _ in 0..3 {
        exchange(&office, &kiosk);
    }
    let cards: Vec<String> = (0..8).map(|n| format!("card-{n}")).collect();
    alike(&office, &kiosk, &cards.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(points(&kiosk.ledger, "lost"), (0, 0, 0, 0));
}

/// Always the same number.
struct Fixed(u128);

impl IdSource for Fixed {
    fn next(&self) -> u128 {
        self.0
    }
}

/// A kiosk had come to a high epoch and had sent something in that. Restored from a backup of before, it came to a lower one, and
/// took itself for set back again and again, until some later epoch happened to be higher.
#[test]
fn a_restored_kiosk_begins_one_epoch() {
    let office = Office::new();
    let Kiosk { ledger, clock } = office.kiosk("kiosk", &policy());
    let (path, backup) = (ledger.path(), office.folder.path().join("backup"));
    assert!(ledger.backup(&backup).unwrap().ok);
    ledger.close().unwrap();
    let ledger = options(&clock).ids(Arc::new(Fixed(60_000))).open(&path).unwrap();
    ledger.renew_epoch().unwrap();
    let kiosk = Kiosk { ledger, clock };
    kiosk.consume("card", "lost", 1);
    kiosk.send();
    kiosk.ledger.close().unwrap();
    std::fs::remove_file(&path).unwrap();
    let ledger = options(&kiosk.clock).ids(Arc::new(Fixed(5))).restore(&backup, &path).unwrap();
    let epoch = ledger.info().unwrap().epoch;
    let kiosk = Kiosk { ledger, clock: kiosk.clock };
    let told = exchange(&office, &kiosk).1;
    assert!(!told.renewed && kiosk.ledger.info().unwrap().epoch == epoch && epoch < 60_000);
    kiosk.ledger.close().unwrap();
    let again = options(&kiosk.clock).open(&path).unwrap();
    assert_eq!(again.info().unwrap().epoch, epoch);
    verified(&again);
}

/// A terminal whose clock was three days fast asked a kiosk for a charge, with its own time. The kiosk booked it as of now, and its figures
/// were right; at the hub it had occurred in three days, when the card's points had lapsed, and was debt.
#[test]
fn a_charge_has_occurred_when_its_kiosk_books_it() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let line = r#"{"op":"recharge","account":"card","key":"1","points":26,"source":"wxpay","expires_in_days":1}"#;
    must(&office.hub, line);
    let told = (office.clock.now() + TimeDelta::days(3)).to_rfc3339();
    let line = format!(r#"{{"op":"consume","account":"card","key":"c","points":6,"occurred_at":"{told}"}}"#);
    must(&kiosk.ledger, &line);
    office.clock.advance(5 * DAY);
    kiosk.clock.advance(5 * DAY);
    exchange(&office, &kiosk);
    assert_eq!(office.points("card"), (0, 0, 0, 0));
    alike(&office, &kiosk, &["card"]);
}

/// An office whose file is to be copied back: what a kiosk does meanwhile is lost there.
fn set_back_after(office: &mut Office, meanwhile: impl FnOnce(&Office)) {
    let (path, backup) = (office.hub.path(), office.folder.path().join("copy"));
    let open = |office: &Office| options(&office.clock).open(&path).unwrap();
    office.hub.close().unwrap();
    copy(&path, &backup, false);
    office.hub = open(office);
    meanwhile(office);
    office.hub.close().unwrap();
    copy(&backup, &path, false);
    office.hub = open(office);
}

fn over_a_gap() -> ImportTerms {
    let mut terms = ImportTerms::default();
    terms.accept_gap = true;
    terms
}

fn gives_back(kiosk: &Kiosk, sold: &Receipt, name: &str) {
    let line = json!({"op": "refund", "operation": sold.operation, "key": name, "points": "all", "reason": "mistake"});
    must(&kiosk.ledger, &line.to_string());
}

/// A hub was set back, and took a kiosk's later file without what lies between. In that were two refunds, which somebody approved: of a
/// sale the hub had, which stayed unrefunded all the same, and of one it did not have yet. When that came, the hub's file could not be
/// proved any more.
#[test]
fn a_refund_over_a_gap_goes_to_what_is_there() {
    let mut office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    let sell = |account: &str, points: i64| {
        let line = format!(r#"{{"op":"consume","account":"{account}","key":"c","points":{points}}}"#);
        must(&kiosk.ledger, &line)
    };
    let sold = sell("card", 7);
    exchange(&office, &kiosk);
    let mut lost = None;
    set_back_after(&mut office, |office| {
        lost = Some(sell("other", 5));
        exchange(office, &kiosk);
    });
    gives_back(&kiosk, &sold, "r");
    gives_back(&kiosk, &lost.unwrap(), "s");
    let later = kiosk.send();
    assert_eq!(office.take_on(&later, over_a_gap()).staged.len(), 2);
    for (n, staged) in office.hub.staged(&Query::new()).unwrap().items.iter().enumerate() {
        office.hub.approve(&staged.link, &key(&format!("approve {n}")), Approve::new()).unwrap();
    }
    assert_eq!((office.points("card"), office.points("other")), ((0, 0, 0, 0), (0, 0, 0, 0)));
    verified(&office.hub);
    reply(&office.hub, &later).iter().for_each(|down| drop(hear(&kiosk.ledger, down)));
    exchange(&office, &kiosk);
    assert_eq!((office.points("card"), office.points("other")), ((0, 0, 0, 0), (0, 0, 0, 5)));
    verified(&office.hub);
}

/// A kiosk's disk was copied. What the one wrote came to a hub over a gap; the other's file filled that, and went on beside it with a
/// recharge: nobody was told that there were two, and the recharge was booked unasked.
#[test]
fn a_twin_that_fills_a_gap_is_a_fork() {
    let mut office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    set_back_after(&mut office, |office| {
        kiosk.consume("card", "1", 3);
        exchange(office, &kiosk);
    });
    let (path, twin) = (kiosk.ledger.path(), office.folder.path().join("twin.ledger"));
    kiosk.ledger.close().unwrap();
    copy(&path, &twin, true);
    let open = |path| Kiosk { ledger: options(&kiosk.clock).open(path).unwrap(), clock: kiosk.clock.clone() };
    let (kiosk, twin) = (open(&path), open(&twin));
    kiosk.consume("card", "2", 1);
    assert_eq!(office.take_on(&kiosk.send(), over_a_gap()).booked, 1);
    twin.recharge("other", "r", 13);
    let asked = twin.send();
    reply(&office.hub, &asked).iter().for_each(|down| drop(hear(&twin.ledger, down)));
    let report = office.take(&twin.send());
    assert!(report.fork && report.staged.len() == 1, "{report:?}");
    assert_eq!((office.points("card"), office.points("other")), ((0, 0, 0, 4), (0, 0, 0, 0)));
    verified(&office.hub);
}

/// Sales of a kiosk that was stolen waited for the office. The card they were of was closed meanwhile, and what waited could be neither
/// approved nor dismissed.
#[test]
fn what_waits_of_a_closed_account_is_settled() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    hub_recharges(&office, "card", "1", 5);
    let device = kiosk.ledger.info().unwrap().device;
    office.hub.expel(&key("expel"), Expel::new(device, "stolen")).unwrap();
    kiosk.consume("card", "a", 1);
    kiosk.consume("card", "b", 2);
    assert_eq!(office.take(&kiosk.send()).staged.len(), 2);
    must(&office.hub, r#"{"op":"consume","account":"card","key":"2","points":5}"#);
    must(&office.hub, r#"{"op":"close","account":"card","key":"3","reason":"left"}"#);
    let waiting = office.hub.staged(&Query::new()).unwrap().items;
    office.hub.dismiss(&waiting[0].link, &key("no"), Dismiss::new("never sold")).unwrap();
    assert_eq!(office.hub.balance(&"card".parse().unwrap()).unwrap().state, Some(AccountState::Closed));
    office.hub.approve(&waiting[1].link, &key("yes"), Approve::new()).unwrap();
    assert_eq!(office.points("card"), (0, 0, 0, 2));
    assert_eq!(office.hub.balance(&"card".parse().unwrap()).unwrap().state, Some(AccountState::Active));
    verified(&office.hub);
}

/// A new price list was on all kiosks. While the office took a long file whose last charge was the first by it, somebody at the office
/// charged by it too: the rest of the file was refused as damage of the office's own books.
#[test]
fn a_price_book_that_somebody_keeps_meanwhile_is_the_same() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    (0..1_500).for_each(|n| kiosk.consume("card", &format!("plain {n}"), 1));
    let priced = |account: &str| {
        format!(r#"{{"op":"consume","account":"{account}","key":"priced","service":"tts","seconds":"21"}}"#)
    };
    must(&kiosk.ledger, &priced("card"));
    let file = kiosk.send();
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| office.take(&file));
        std::thread::sleep(Duration::from_millis(15));
        must(&office.hub, &priced("other"));
        assert_eq!(taken.join().unwrap().booked, 1_501);
    });
    verified(&office.hub);
}

/// The office's clock was a month fast, and right again. A kiosk had let points lapse meanwhile, of a card that nobody told it of any
/// more: it forgot what it had heard, and `verify` called the file damaged, for it had forgotten the lapse as well.
#[test]
fn what_time_did_to_a_card_that_is_forgotten_is_proved() {
    let office = Office::new();
    let mut granted = policy();
    granted.scope = Scope::All;
    let kiosk = office.kiosk("kiosk", &granted);
    must(
        &office.hub,
        r#"{"op":"recharge","account":"card","key":"1","points":600,"source":"wxpay","expires_in_hours":1}"#,
    );
    exchange(&office, &kiosk);
    office.clock.advance(30 * DAY + 17 * HOUR);
    kiosk.clock.advance(17 * HOUR);
    hub_recharges(&office, "another", "2", 5);
    exchange(&office, &kiosk);
    kiosk.ledger.expire(None).unwrap();
    set_back(&office.clock, 30 * DAY);
    office.hub.confirm_clock(&key("right"), counterfoil::ConfirmClock::default()).unwrap();
    for n in 0..3 {
        hub_recharges(&office, "another", &format!("again {n}"), 5);
        exchange(&office, &kiosk);
    }
    verified(&kiosk.ledger);
}
