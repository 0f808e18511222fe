//! What a hub makes of what its devices did: real files, booked, set aside, flagged, proven.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::ManualClock;
use counterfoil::exchange::{
    Acknowledge, Admit, Approve, BecomeHub, DevicePolicy, Dismiss, Enrol, Expel, FlagCode, ImportReport, Right,
    StageReason, StageState,
};
use counterfoil::sync::{ImportTerms, Imported};
use counterfoil::{AccountId, Durability, Freeze, Ledger, Options, Points, Query, Question};
use tempfile::TempDir;

use super::{key, must, verified};
use crate::support::{START, folder, sample};

/// An office and its kiosks, each with a clock and a key of its own.
pub struct Office {
    pub hub: Ledger,
    pub clock: ManualClock,
    pub folder: TempDir,
}

pub struct Kiosk {
    pub ledger: Ledger,
    pub clock: ManualClock,
}

pub fn options(clock: &ManualClock) -> Options {
    Options::default().clock(Arc::new(clock.clone())).pricing(sample()).durability(Durability::Relaxed)
}

pub fn policy() -> DevicePolicy {
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    policy
}

impl Office {
    pub fn new() -> Self {
        let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
        let hub = options(&clock).create(folder.path().join("hub.ledger")).unwrap();
        let own = hub.new_signer().unwrap().key().public();
        hub.become_hub(&key("hub"), BecomeHub::new(own, "head office")).unwrap();
        Office { hub, clock, folder }
    }

    pub fn kiosk(&self, name: &str, policy: &DevicePolicy) -> Kiosk {
        let clock = ManualClock::at(START).unwrap();
        let ledger = options(&clock).create(self.folder.path().join(format!("{name}.ledger"))).unwrap();
        let own = ledger.new_signer().unwrap().key().public();
        let device = ledger.info().unwrap().device;
        self.hub.admit(&key(name), Admit::new(device, own, name, policy)).unwrap();
        ledger.enrol(&key("enrol"), Enrol::new(&self.hub.certificate(&device).unwrap())).unwrap();
        Kiosk { ledger, clock }
    }

    pub fn take(&self, file: &[u8]) -> ImportReport {
        self.take_on(file, ImportTerms::default())
    }

    pub fn take_on(&self, file: &[u8], terms: ImportTerms) -> ImportReport {
        match self.hub.exchange().import_on(Cursor::new(file), terms).unwrap() {
            Imported::Operations(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub fn points(&self, account: &str) -> (i64, i64, i64, i64) {
        points(&self.hub, account)
    }
}

pub fn points(ledger: &Ledger, account: &str) -> (i64, i64, i64, i64) {
    let figures = ledger.balance(&AccountId::new(account).unwrap()).unwrap().figures;
    (figures.available.get(), figures.held.get(), figures.pending.get(), figures.debt.get())
}

impl Kiosk {
    pub fn send(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.ledger.export(&mut bytes, false).unwrap();
        bytes
    }

    pub fn recharge(&self, account: &str, key: &str, points: i64) {
        must(
            &self.ledger,
            &format!(r#"{{"op":"recharge","account":"{account}","key":"{key}","points":{points},"source":"cash"}}"#),
        );
    }

    pub fn consume(&self, account: &str, key: &str, points: i64) {
        must(&self.ledger, &format!(r#"{{"op":"consume","account":"{account}","key":"{key}","points":{points}}}"#));
    }
}

/// Every operation and every account can be told of.
fn explained(ledger: &Ledger) {
    let ask = |question: Question| ledger.ask(&question).unwrap_or_else(|error| panic!("{error}: {question:?}"));
    for sequence in 1..=ledger.info().unwrap().operations {
        let operation = ledger.operation_id(sequence).unwrap().to_string();
        ask(Question::new("explain").with("operation", operation.as_str()));
        ask(Question::new("operation").with("operation", operation.as_str()));
    }
    for account in ledger.accounts(&Query::new()).unwrap().items {
        for get in ["statement", "missing", "overview"] {
            ask(Question::new(get).with("account", account.account.as_str()));
        }
    }
}

fn staged(report: &ImportReport) -> Vec<StageReason> {
    report.staged.iter().map(|link| link.reason).collect()
}

fn flags(report: &ImportReport) -> Vec<(FlagCode, i64)> {
    report.flags.iter().map(|flag| (flag.flag, flag.points)).collect()
}

#[test]
fn what_a_device_did_is_booked_once() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk 1", &policy());
    kiosk.recharge("card", "r", 100);
    kiosk.consume("card", "c", 30);
    let hold = must(&kiosk.ledger, r#"{"op":"hold","account":"card","key":"h","points":20,"deadline_seconds":60}"#);
    let hold = hold.hold.unwrap().id;
    must(&kiosk.ledger, &format!(r#"{{"op":"capture","hold":"{hold}","key":"h","points":15}}"#));
    let charge =
        must(&kiosk.ledger, r#"{"op":"consume","account":"card","key":"speech","service":"tts","seconds":"21"}"#);
    let refund =
        format!(r#"{{"op":"refund","operation":"{}","key":"back","points":2,"reason":"noise"}}"#, charge.operation);
    must(&kiosk.ledger, &refund);
    must(&kiosk.ledger, r#"{"op":"open","account":"new card","key":"open"}"#);
    let file = kiosk.send();
    let dry = office.take_on(&file, {
        let mut terms = ImportTerms::default();
        terms.dry_run = true;
        terms
    });
    assert!(!office.hub.balance(&AccountId::new("card").unwrap()).unwrap().exists, "nothing was written");
    let report = office.take(&file);
    assert_eq!((report.booked, report.noted, report.duplicates), (6, 2, 0), "enrol and hold are noted");
    assert_eq!((dry.booked, dry.noted, dry.staged), (report.booked, report.noted, report.staged.clone()));
    assert!(staged(&report).is_empty() && flags(&report).is_empty());
    assert_eq!(report.ack.unwrap().seq, kiosk.ledger.info().unwrap().operations);
    assert_eq!(office.points("card"), points(&kiosk.ledger, "card"));
    assert_eq!(office.points("new card"), (0, 0, 0, 0));
    verified(&office.hub);
    explained(&office.hub);
    let before = office.hub.info().unwrap();
    let again = office.take(&file);
    assert_eq!((again.booked, again.noted, again.duplicates), (0, 0, 8));
    assert_eq!(office.hub.info().unwrap().head, before.head, "what has come is known, and costs nothing");
    let lines = office.hub.history(&AccountId::new("card").unwrap(), &Query::new()).unwrap().items;
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds, ["open", "recharge", "consume", "capture", "consume", "refund"]);
}

#[test]
fn a_charge_arrives_whatever_the_account() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk 1", &policy());
    let card = AccountId::new("card").unwrap();
    must(&office.hub, r#"{"op":"recharge","account":"card","key":"r","points":10,"source":"wxpay"}"#);
    office.hub.freeze(&card, &key("z"), Freeze::new("stolen")).unwrap();
    must(&office.hub, r#"{"op":"open","account":"gone","key":"o"}"#);
    office.hub.close_account(&AccountId::new("gone").unwrap(), &key("z"), "asked to").unwrap();
    kiosk.consume("card", "c", 25);
    kiosk.consume("gone", "c", 5);
    kiosk.recharge("gone", "r", 8);
    must(&kiosk.ledger, r#"{"op":"consume","account":"gone","key":"strict","points":3,"policy":"strict"}"#);
    must(&office.hub, r#"{"op":"configure","setting":"accounts","value":"explicit","key":"e"}"#);
    kiosk.consume("fresh", "c", 1);
    let report = office.take(&kiosk.send());
    let expected = [(FlagCode::Frozen, 0), (FlagCode::Reopened, 0), (FlagCode::Opened, 0)];
    assert_eq!(flags(&report), expected);
    assert_eq!(office.points("card"), (0, 0, 0, 15));
    assert_eq!(office.points("gone"), (0, 0, 0, 0));
    assert_eq!(office.points("fresh"), (0, 0, 0, 1));
    let listed = office.hub.flags(&Query::new()).unwrap().items;
    assert_eq!(
        listed.iter().map(|flag| (flag.flag, flag.device_name.as_str())).collect::<Vec<_>>(),
        [(FlagCode::Frozen, "kiosk 1"), (FlagCode::Reopened, "kiosk 1"), (FlagCode::Opened, "kiosk 1")]
    );
    let seen = Acknowledge::new("spoken to the holder");
    office.hub.acknowledge(&listed[0].flagged, &key("seen"), seen.clone()).unwrap();
    assert!(office.hub.acknowledge(&listed[0].flagged, &key("seen"), seen.clone()).unwrap().replayed);
    let again = office.hub.acknowledge(&listed[0].flagged, &key("again"), seen).unwrap_err();
    assert_eq!(again.code(), "invalid_argument");
    assert_eq!(office.hub.flags(&Query::new()).unwrap().items.len(), 2);
    assert_eq!(office.hub.flags(&Query::new().all(true)).unwrap().items.len(), 3);
    verified(&office.hub);
}

/// Two kiosks counted their sales from one, and a payment callback reached both.
#[test]
fn keys_are_their_device_s_but_for_payments() {
    let office = Office::new();
    let (one, two) = (office.kiosk("one", &policy()), office.kiosk("two", &policy()));
    for kiosk in [&one, &two] {
        kiosk.recharge("card", "order:881", 50);
        kiosk.consume("card", "sale 1", 10);
    }
    two.recharge("card", "order:882", 7);
    must(&office.hub, r#"{"op":"recharge","account":"card","key":"order:882","points":9,"source":"wxpay"}"#);
    assert!(staged(&office.take(&one.send())).is_empty());
    let report = office.take(&two.send());
    assert_eq!(staged(&report), [StageReason::DuplicateKey, StageReason::KeyConflict]);
    assert_eq!(office.points("card"), (39, 0, 0, 0), "50 and 9 recharged, 10 and 10 charged");
    // The payment was told here too: it is known.
    let retry = r#"{"op":"recharge","account":"card","key":"order:881","points":50,"source":"cash"}"#;
    assert!(must(&office.hub, retry).replayed);
    let waits = office.hub.staged(&Query::new()).unwrap().items;
    assert_eq!((waits.len(), waits[0].device_name.as_str(), waits[0].points), (2, "two", 50));
    let refused = office.hub.approve(&waits[0].link, &key("a"), Approve::new()).unwrap_err();
    assert_eq!(refused.code(), "key_reused");
    let receipt = office.hub.approve(&waits[0].link, &key("a"), Approve::new().another()).unwrap();
    assert_eq!((receipt.op.as_str(), receipt.points.get(), receipt.balance.available.get()), ("recharge", 50, 89));
    let again = office.hub.approve(&waits[0].link, &key("a"), Approve::new().another()).unwrap();
    assert!(again.replayed && again.operation == receipt.operation);
    let twice = office.hub.approve(&waits[0].link, &key("b"), Approve::new().another()).unwrap_err();
    assert_eq!(twice.code(), "invalid_argument");
    office.hub.dismiss(&waits[1].link, &key("d"), Dismiss::new("typed twice")).unwrap();
    let all = office.hub.staged(&Query::new().all(true)).unwrap().items;
    assert_eq!(all.iter().map(|link| link.state).collect::<Vec<_>>(), [StageState::Approved, StageState::Dismissed]);
    assert!(office.hub.staged(&Query::new()).unwrap().items.is_empty());
    assert_eq!(office.points("card"), (89, 0, 0, 0));
    verified(&office.hub);
    explained(&office.hub);
}

#[test]
fn rights_and_expulsion_hold_at_the_hub_too() {
    let office = Office::new();
    let mut granted = policy();
    granted.max_recharge_per_day = Some(Points::new(60).unwrap());
    let kiosk = office.kiosk("kiosk", &granted);
    kiosk.recharge("card", "r1", 40);
    kiosk.recharge("card", "r2", 20);
    let device = kiosk.ledger.info().unwrap().device;
    // Meanwhile the office has thought better of it.
    let own = kiosk.ledger.signer().unwrap().key().public();
    granted.max_recharge_per_day = Some(Points::new(50).unwrap());
    office.hub.admit(&key("renew"), Admit::new(device, own, "kiosk", &granted).renew()).unwrap();
    let report = office.take(&kiosk.send());
    assert_eq!(staged(&report), [StageReason::NotAllowed]);
    assert_eq!(office.points("card"), (40, 0, 0, 0));
    kiosk.consume("card", "c", 5);
    office.hub.expel(&key("expel"), Expel::new(device, "stolen")).unwrap();
    let report = office.take(&kiosk.send());
    assert_eq!((report.duplicates, staged(&report)), (3, vec![StageReason::Expelled]));
    let waits = office.hub.staged(&Query::new()).unwrap().items;
    office.hub.approve(&waits[1].link, &key("honest"), Approve::new().reason("sold before the theft")).unwrap();
    assert_eq!(office.points("card"), (35, 0, 0, 0));
    verified(&office.hub);
}

/// A refund came before its consume was looked at, and would have come to nothing.
#[test]
fn a_refund_waits_for_its_charge() {
    let office = Office::new();
    let (one, two) = (office.kiosk("one", &policy()), office.kiosk("two", &policy()));
    one.recharge("card", "r", 100);
    office.take(&one.send());
    let device = two.ledger.info().unwrap().device;
    let sale = must(&two.ledger, r#"{"op":"consume","account":"card","key":"c","points":10}"#).operation;
    must(&two.ledger, &format!(r#"{{"op":"refund","operation":"{sale}","key":"b","points":4,"reason":"noise"}}"#));
    office.hub.expel(&key("expel"), Expel::new(device, "stolen")).unwrap();
    assert_eq!(staged(&office.take(&two.send())), [StageReason::Expelled, StageReason::WaitsFor]);
    let waits = office.hub.staged(&Query::new()).unwrap().items;
    let early = office.hub.approve(&waits[1].link, &key("early"), Approve::new()).unwrap_err();
    assert_eq!(early.code(), "invalid_argument");
    office.hub.approve(&waits[0].link, &key("1"), Approve::new()).unwrap();
    office.hub.approve(&waits[1].link, &key("2"), Approve::new()).unwrap();
    assert_eq!(office.points("card"), (94, 0, 0, 0));
    verified(&office.hub);
}

/// The disk of a kiosk was copied, and both went on selling.
#[test]
fn two_copies_are_told_apart() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.recharge("card", "r", 100);
    office.take(&kiosk.send());
    kiosk.ledger.flush().unwrap();
    assert!(kiosk.ledger.backup(office.folder.path().join("copy.ledger")).unwrap().ok);
    let copy = options(&kiosk.clock).open(office.folder.path().join("copy.ledger")).unwrap();
    std::fs::copy(office.folder.path().join("kiosk.ledger.key"), office.folder.path().join("copy.ledger.key")).unwrap();
    let twin = Kiosk { ledger: copy, clock: kiosk.clock.clone() };
    kiosk.consume("card", "sale 2", 10);
    twin.consume("card", "sale 3", 20);
    twin.recharge("card", "r2", 5);
    assert!(!office.take(&kiosk.send()).fork);
    let report = office.take(&twin.send());
    assert!(report.fork);
    assert_eq!(staged(&report), [StageReason::Fork]);
    assert_eq!(flags(&report), [(FlagCode::Fork, 0)]);
    assert_eq!(office.points("card"), (70, 0, 0, 0), "both copies' sales, the second's credit waits");
    // Both go on, each in its own branch.
    kiosk.consume("card", "sale 4", 1);
    twin.consume("card", "sale 5", 1);
    assert!(staged(&office.take(&twin.send())).is_empty());
    assert!(!office.take(&kiosk.send()).fork);
    assert_eq!(office.points("card"), (68, 0, 0, 0));
    verified(&office.hub);
}

/// A kiosk's clock was a month fast; another came home a month late, when the points had lapsed.
#[test]
fn a_charge_occurs_when_its_device_says_as_far_as_that_can_be() {
    let office = Office::new();
    let (fast, late) = (office.kiosk("fast", &policy()), office.kiosk("late", &policy()));
    let month = Duration::from_secs(30 * 24 * 3600);
    must(
        &office.hub,
        r#"{"op":"recharge","account":"card","key":"r","points":50,"source":"wxpay","expires_in_days":10}"#,
    );
    fast.clock.advance(month);
    fast.consume("card", "sale", 10);
    let report = office.take(&fast.send());
    assert_eq!(flags(&report), [(FlagCode::ClockCorrected, 0)]);
    assert_eq!(office.points("card"), (40, 0, 0, 0));
    late.clock.advance(Duration::from_secs(5 * 24 * 3600));
    late.consume("card", "sale", 15);
    let file = late.send();
    office.clock.advance(month + Duration::from_secs(5 * 24 * 3600));
    assert_eq!(office.points("card"), (0, 0, 0, 0), "lapsed");
    assert!(flags(&office.take(&file)).is_empty());
    assert_eq!(office.points("card"), (0, 0, 0, 0), "it drew what was live when it occurred");
    // After the late window nothing that lapsed pays.
    late.consume("card", "sale 2", 5);
    let file = late.send();
    office.clock.advance(Duration::from_secs(90 * 24 * 3600));
    assert_eq!(flags(&office.take(&file)), [(FlagCode::TooLate, 25)]);
    assert_eq!(office.points("card"), (0, 0, 0, 5));
    verified(&office.hub);
}
