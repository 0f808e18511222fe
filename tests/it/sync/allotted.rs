//! Points set aside for one device: spent offline, given back, and what becomes of them when something goes wrong.

use std::io::Cursor;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::exchange::{
    Allot, AllotWriteOff, AllotmentInfo, AllotmentState, FlagCode, Header, ImportReport, Leaf, inspect,
};
use counterfoil::{AccountId, Consume, EntryKind, Ledger, OperationId, Points, Policy, Query, Receipt};
use serde_json::{Value, json};

use super::arrived::{Kiosk, Office, points};
use super::reconciled::allotted;
use super::{apply, key, must, verified};
use crate::support::START;

fn card() -> AccountId {
    AccountId::new("card").unwrap()
}

fn until(days: i64) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(START).unwrap().to_utc() + TimeDelta::days(days)
}

fn some(points: i64) -> Points {
    Points::new(points).unwrap()
}

impl Office {
    fn recharged(&self, points: i64) {
        let line = json!({"op": "recharge", "account": "card", "key": format!("r{points}"), "points": points,
            "source": "wxpay"});
        must(&self.hub, &line.to_string());
    }

    fn allot(&self, kiosk: &Ledger, points: i64, days: i64) -> OperationId {
        let device = kiosk.info().unwrap().device;
        let allot = Allot::new(device, some(points), until(days));
        self.hub.allot(&card(), &key(&format!("allot {points}")), allot).unwrap().operation
    }

    /// All that the device has booked comes, and it hears how its accounts stand.
    fn exchange(&self, kiosk: &Ledger) -> ImportReport {
        let folder = tempfile::tempdir().unwrap();
        let mut told: Option<ImportReport> = None;
        for (path, _) in kiosk.export_into(folder.path(), true).unwrap() {
            let up = std::fs::read(path).unwrap();
            let mut report = self.take(&up);
            if let Some(before) = told {
                report.flags.splice(0..0, before.flags);
                report.booked += before.booked;
            }
            told = Some(report);
            let mut files = Vec::new();
            let reply = self.hub.exchange().reply(Cursor::new(up), true, |part| {
                files.push(part.bytes);
                Ok(())
            });
            reply.unwrap();
            files.iter().for_each(|file| drop(kiosk.exchange().import(Cursor::new(file)).unwrap()));
        }
        told.unwrap()
    }

    fn allotments(&self) -> Vec<AllotmentInfo> {
        self.hub.allotments(&Query::new()).unwrap().items
    }

    fn set_aside(&self) -> Option<i64> {
        set_aside(&self.hub)
    }
}

fn set_aside(ledger: &Ledger) -> Option<i64> {
    ledger.balance(&card()).unwrap().allotted.map(Points::get)
}

fn strict(ledger: &Ledger, name: &str, points: i64) -> Result<Receipt, counterfoil::Error> {
    ledger.consume(&card(), &key(name), Consume::points(some(points)).policy(Policy::Strict))
}

fn flags(report: &ImportReport) -> Vec<(FlagCode, i64)> {
    report.flags.iter().map(|flag| (flag.flag, flag.points)).collect()
}

/// An office where a card has points, and a kiosk for which some of them are set aside.
fn lent(recharged: i64, points: i64) -> (Office, Kiosk, OperationId) {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &allotted());
    office.recharged(recharged);
    let allotment = office.allot(&kiosk.ledger, points, 4);
    office.exchange(&kiosk.ledger);
    (office, kiosk, allotment)
}

/// Story: two kiosks with no network sold the same points to the holder of one card, and the office was left with the debt. What is set
/// aside for one of them nobody else can spend, so what it sells by it is paid.
#[test]
fn what_is_spent_within_an_allotment_makes_no_debt() {
    let (office, kiosk, allotment) = lent(100, 40);
    let other = office.kiosk("other", &super::arrived::policy());
    office.exchange(&other.ledger);
    assert_eq!((office.points("card"), office.set_aside()), ((60, 40, 0, 0), Some(40)));
    assert_eq!((points(&kiosk.ledger, "card"), set_aside(&kiosk.ledger)), ((60, 40, 0, 0), Some(40)));
    // The other kiosk sells all there is to it, and more.
    assert_eq!(set_aside(&other.ledger), None);
    must(&other.ledger, r#"{"op":"consume","account":"card","key":"1","points":90}"#);

    let sold = strict(&kiosk.ledger, "1", 25).unwrap();
    assert_eq!((sold.points.get(), sold.open.get()), (25, 0));
    let refused = strict(&kiosk.ledger, "2", 16).unwrap_err();
    assert_eq!((refused.code(), refused.details()["available"].as_i64()), ("insufficient_points", Some(15)));
    assert_eq!(set_aside(&kiosk.ledger), Some(15));
    assert!(strict(&kiosk.ledger, "1", 25).unwrap().replayed, "what was taken of allotments is no input");
    let up_to = kiosk.ledger.consume(&card(), &key("3"), Consume::points(some(40)).policy(Policy::UpTo)).unwrap();
    assert_eq!((up_to.points.get(), up_to.short.get()), (15, 25));

    assert_eq!(flags(&office.exchange(&other.ledger)), []);
    assert_eq!(office.points("card"), (0, 40, 0, 30));
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!((office.points("card"), office.set_aside()), ((0, 0, 0, 30), None));
    assert!(office.allotments().is_empty());
    let told = office.hub.explain(&allotment).unwrap();
    let since: Vec<(&str, i64)> = told.since.iter().map(|step| (step.what.as_str(), step.points.get())).collect();
    assert_eq!(since, [("used", 25), ("used", 15)]);
    // Of what was set aside for others a device knows only that it is gone.
    office.exchange(&other.ledger);
    assert_eq!(points(&other.ledger, "card"), (0, 0, 0, 30));
    for ledger in [&office.hub, &kiosk.ledger, &other.ledger] {
        verified(ledger);
    }
}

#[test]
fn a_charge_after_the_work_goes_on_from_what_is_set_aside() {
    let (office, kiosk, _) = lent(50, 20);
    let booked = kiosk.ledger.consume(&card(), &key("1"), Consume::points(some(60))).unwrap();
    assert_eq!(booked.open.get(), 10);
    assert_eq!(points(&kiosk.ledger, "card"), (0, 0, 0, 10));
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!((office.points("card"), points(&kiosk.ledger, "card")), ((0, 0, 0, 10), (0, 0, 0, 10)));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// A device that decides by what it knows of the account has nothing of what is set aside for it, but can give it back.
#[test]
fn an_open_device_does_not_spend_it() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &super::arrived::policy());
    office.recharged(50);
    let allotment = office.allot(&kiosk.ledger, 20, 4);
    office.exchange(&kiosk.ledger);
    assert_eq!((points(&kiosk.ledger, "card"), set_aside(&kiosk.ledger)), ((30, 20, 0, 0), None));
    assert_eq!(strict(&kiosk.ledger, "1", 31).unwrap_err().code(), "insufficient_points");
    let listed = kiosk.ledger.allotments(&Query::new()).unwrap().items;
    assert_eq!((listed[0].allotment, listed[0].usable), (allotment, Some(false)));
    kiosk.ledger.return_allotment(&allotment, &key("back")).unwrap();
    assert_eq!(points(&kiosk.ledger, "card"), (50, 0, 0, 0));
    office.exchange(&kiosk.ledger);
    assert_eq!(office.points("card"), (50, 0, 0, 0));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

#[test]
fn holds_and_captures_keep_to_it() {
    let (office, kiosk, allotment) = lent(100, 40);
    let hold = |name: &str, points: i64| {
        let line = json!({"op": "hold", "account": "card", "key": name, "points": points, "deadline_seconds": 3600});
        apply(&kiosk.ledger, &line.to_string())
    };
    let first = hold("1", 30).unwrap();
    assert_eq!(hold("2", 11).unwrap_err().code(), "insufficient_points");
    assert_eq!((set_aside(&kiosk.ledger), points(&kiosk.ledger, "card")), (Some(10), (60, 40, 0, 0)));
    // A base with the hold not over: it is placed again on the same.
    office.exchange(&kiosk.ledger);
    assert_eq!((set_aside(&kiosk.ledger), points(&kiosk.ledger, "card")), (Some(10), (60, 40, 0, 0)));
    let id = first.hold.as_ref().unwrap().id;
    let taken = must(&kiosk.ledger, &json!({"op":"capture","hold":id,"key":"1","points":12}).to_string());
    assert_eq!(taken.open.get(), 0);
    // What it did not need is the allotment's again.
    assert_eq!(set_aside(&kiosk.ledger), Some(28));
    let second = hold("3", 28).unwrap().hold.unwrap().id;
    must(&kiosk.ledger, &json!({"op":"release","hold":second,"key":"3"}).to_string());
    hold("4", 5).unwrap();
    kiosk.clock.advance(Duration::from_secs(7200));
    office.clock.advance(Duration::from_secs(7200));
    assert_eq!(set_aside(&kiosk.ledger), Some(28));
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!((office.points("card"), office.set_aside()), ((60, 28, 0, 0), Some(28)));
    assert_eq!((points(&kiosk.ledger, "card"), set_aside(&kiosk.ledger)), ((60, 28, 0, 0), Some(28)));
    let told = office.hub.explain(&allotment).unwrap();
    assert_eq!(told.since.iter().map(|step| step.points.get()).collect::<Vec<_>>(), [12]);
    for payer in office.hub.explain(&told.since[0].operation.unwrap()).unwrap().paid_by {
        assert_eq!((payer.points.get(), payer.why.as_deref()), (12, Some("set aside for the device")));
    }
    let by = kiosk.ledger.explain(&first.operation).unwrap().paid_by;
    assert_eq!(by[0].why.as_deref(), Some("set aside for the device"));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

#[test]
fn it_is_spent_only_before_its_end() {
    let (office, kiosk, _) = lent(100, 40);
    kiosk.clock.advance(Duration::from_secs(4 * 86_400));
    assert_eq!(set_aside(&kiosk.ledger), None);
    assert_eq!(strict(&kiosk.ledger, "1", 1).unwrap_err().code(), "insufficient_points");
    assert_eq!(kiosk.ledger.check(&card(), some(1)).unwrap().reason.as_deref(), Some("insufficient_points"));
    // What was sold before it stands, however late it comes.
    kiosk.clock.set(START.parse().unwrap());
    assert!(kiosk.ledger.check(&card(), some(40)).unwrap().allowed);
    strict(&kiosk.ledger, "2", 40).unwrap();
    let mut late = Vec::new();
    kiosk.ledger.export(&mut late, false).unwrap();
    office.clock.advance(Duration::from_secs(400 * 86_400));
    assert_eq!(office.set_aside(), Some(40), "no clock takes it back, and its points do not lapse");
    assert!(!flags(&office.take(&late)).iter().any(|(flag, _)| *flag == FlagCode::AllotmentShort));
    assert_eq!(office.points("card").3, 0);
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// Points that end before the allotment does would lapse under it.
#[test]
fn it_is_made_of_points_that_outlive_it() {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &allotted());
    for (name, days) in [("soon", 3), ("later", 30)] {
        let line = json!({"op": "recharge", "account": "card", "key": name, "points": 50, "source": "wxpay",
            "expires_in_days": days});
        must(&office.hub, &line.to_string());
    }
    let device = kiosk.ledger.info().unwrap().device;
    let refused = office.hub.allot(&card(), &key("1"), Allot::new(device, some(51), until(4))).unwrap_err();
    assert_eq!((refused.code(), refused.details()["available"].as_i64()), ("insufficient_points", Some(50)));
    office.hub.allot(&card(), &key("2"), Allot::new(device, some(20), until(4))).unwrap();
    let batches = office.hub.batches(&card(), &Query::new()).unwrap().items;
    assert_eq!(batches.iter().map(|batch| batch.held.get()).collect::<Vec<_>>(), [0, 20]);
    // One that ends sooner is made of both, in draw order.
    office.hub.allot(&card(), &key("3"), Allot::new(device, some(60), until(1))).unwrap();
    let batches = office.hub.batches(&card(), &Query::new()).unwrap().items;
    assert_eq!(batches.iter().map(|batch| batch.held.get()).collect::<Vec<_>>(), [50, 30]);
    office.exchange(&kiosk.ledger);
    // The oldest first, its first slice first.
    strict(&kiosk.ledger, "1", 30).unwrap();
    let held = |ledger: &Ledger| {
        ledger.batches(&card(), &Query::new()).unwrap().items.iter().map(|it| it.held.get()).collect::<Vec<_>>()
    };
    assert_eq!(held(&kiosk.ledger), [40, 10]);
    office.exchange(&kiosk.ledger);
    assert_eq!(held(&office.hub), [40, 10]);
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// Story: a kiosk was restored from a backup between a hold and its capture. What the lost end of its log did nobody knew; the points
/// set aside were spent by both, and the office was told of neither.
#[test]
fn a_restored_device_has_nothing_of_the_old_epoch() {
    let (office, kiosk, allotment) = lent(40, 40);
    let held = must(&kiosk.ledger, r#"{"op":"hold","account":"card","key":"h","points":30,"deadline_seconds":3600}"#);
    let hold = held.hold.unwrap().id;
    let (backup, target) = (office.folder.path().join("backup"), office.folder.path().join("restored.ledger"));
    assert!(kiosk.ledger.backup(&backup).unwrap().ok);
    // After the backup it captures, and that is on its way.
    must(&kiosk.ledger, &json!({"op":"capture","hold":hold,"key":"c","points":30}).to_string());
    let mut lost = Vec::new();
    kiosk.ledger.export(&mut lost, false).unwrap();
    let restored = counterfoil::Options::default()
        .clock(std::sync::Arc::new(kiosk.clock.clone()))
        .restore(&backup, &target)
        .unwrap();
    std::fs::copy(office.folder.path().join("kiosk.ledger.key"), office.folder.path().join("restored.ledger.key"))
        .unwrap();
    // The hold keeps nothing of it any more, and nothing of it can be spent or given back.
    assert_eq!((points(&restored, "card"), set_aside(&restored)), ((0, 40, 0, 0), None));
    let shown = restored.holds(&card(), &Query::new()).unwrap().items;
    assert_eq!((shown[0].points.get(), shown[0].unbacked.get()), (30, 30));
    let unback = restored.history(&card(), &Query::new().kind(EntryKind::Unback)).unwrap().items;
    assert_eq!((unback.len(), unback[0].points.get()), (1, 30));
    assert_eq!(strict(&restored, "1", 1).unwrap_err().code(), "insufficient_points");
    let refused = restored.return_allotment(&allotment, &key("back")).unwrap_err();
    assert_eq!(refused.code(), "unknown_allotment");
    assert!(refused.help().contains("write it off"), "{}", refused.help());
    must(&restored, &json!({"op":"capture","hold":hold,"key":"c2","points":30}).to_string());
    assert_eq!(points(&restored, "card"), (0, 40, 0, 30));
    verified(&restored);

    // The lost end has what was set aside; what the restored file did is debt.
    assert_eq!(flags(&office.take(&lost)), []);
    assert_eq!((office.points("card"), office.set_aside()), ((0, 10, 0, 0), Some(10)));
    let report = office.exchange(&restored);
    assert_eq!(flags(&report), [(FlagCode::Overdraft, 30)], "{report:?}");
    assert_eq!(office.points("card"), (0, 10, 0, 30));
    verified(&office.hub);
}

/// What an epoch that is over took of its allotment stands; a new epoch says nothing of it.
#[test]
fn an_allotment_is_of_one_epoch() {
    let (office, kiosk, _) = lent(40, 40);
    strict(&kiosk.ledger, "1", 10).unwrap();
    kiosk.ledger.renew_epoch().unwrap();
    assert_eq!(set_aside(&kiosk.ledger), None);
    assert_eq!(strict(&kiosk.ledger, "2", 10).unwrap_err().code(), "insufficient_points");
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!((office.points("card"), set_aside(&kiosk.ledger)), ((0, 30, 0, 0), None));
    // The hub has heard of the new epoch; another allotment is of that.
    office.exchange(&kiosk.ledger);
    office.recharged(20);
    office.allot(&kiosk.ledger, 20, 4);
    office.exchange(&kiosk.ledger);
    assert_eq!((office.set_aside(), set_aside(&kiosk.ledger)), (Some(50), Some(20)));
    strict(&kiosk.ledger, "3", 20).unwrap();
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!(office.points("card"), (0, 30, 0, 0));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

#[test]
fn what_is_recalled_comes_back_by_itself() {
    let (office, kiosk, allotment) = lent(100, 40);
    let held = must(&kiosk.ledger, r#"{"op":"hold","account":"card","key":"h","points":15,"deadline_seconds":3600}"#);
    office.hub.recall(&allotment, &key("recall")).unwrap();
    assert_eq!(office.hub.recall(&allotment, &key("again")).unwrap_err().code(), "unknown_allotment");
    assert_eq!(office.allotments()[0].state, AllotmentState::Recalled);
    // Not while a hold keeps some of it.
    office.exchange(&kiosk.ledger);
    assert_eq!(set_aside(&kiosk.ledger), Some(25));
    let hold = held.hold.unwrap().id;
    must(&kiosk.ledger, &json!({"op":"release","hold":hold,"key":"1"}).to_string());
    office.exchange(&kiosk.ledger);
    assert_eq!((points(&kiosk.ledger, "card"), set_aside(&kiosk.ledger)), ((100, 0, 0, 0), None));
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    assert_eq!((office.points("card"), office.set_aside()), ((100, 0, 0, 0), None));
    let told = office.hub.explain(&allotment).unwrap();
    let since: Vec<(&str, i64)> = told.since.iter().map(|step| (step.what.as_str(), step.points.get())).collect();
    assert_eq!(since, [("recalled", 40), ("returned", 40)]);
    let line = office.hub.history(&card(), &Query::new().kind(EntryKind::AllotReturn)).unwrap().items;
    assert_eq!((line[0].points.get(), line[0].refers_to), (40, Some(allotment)));
    // Once is enough.
    office.exchange(&kiosk.ledger);
    let returns = kiosk.ledger.history(&card(), &Query::new().kind(EntryKind::AllotReturn)).unwrap().items;
    assert_eq!(returns.len(), 1);
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// Story: a kiosk was stolen. The office gave what was set aside for it back to the card, whose holder spent it; then the kiosk was found,
/// and had sold some of it. The charge stands, and somebody is told that what paid for it is gone.
#[test]
fn what_is_written_off_is_flagged_when_it_was_spent() {
    let (office, kiosk, allotment) = lent(40, 40);
    strict(&kiosk.ledger, "1", 30).unwrap();
    let write_off = || AllotWriteOff::new("the kiosk was stolen");
    let receipt = office.hub.allot_write_off(&allotment, &key("1"), write_off()).unwrap();
    assert_eq!((receipt.points.get(), office.points("card")), (40, (40, 0, 0, 0)));
    let again = office.hub.allot_write_off(&allotment, &key("2"), write_off()).unwrap_err();
    assert_eq!(again.code(), "unknown_allotment");
    must(&office.hub, r#"{"op":"consume","account":"card","key":"1","points":35}"#);
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), [(FlagCode::AllotmentShort, 30), (FlagCode::Overdraft, 25)]);
    assert_eq!((office.points("card"), points(&kiosk.ledger, "card")), ((0, 0, 0, 25), (0, 0, 0, 25)));
    let all = office.hub.allotments(&Query::new().all(true)).unwrap().items;
    assert_eq!((all[0].state, all[0].remaining.get(), all[0].points.get()), (AllotmentState::WrittenOff, 0, 40));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// Two copies of one file in one epoch can spend it twice: the second is told.
#[test]
fn two_copies_of_a_file_spend_it_twice() {
    let (office, kiosk, _) = lent(60, 40);
    let file = office.folder.path().join("kiosk.ledger");
    kiosk.ledger.flush().unwrap();
    let copy = office.folder.path().join("copy.ledger");
    kiosk.ledger.close().unwrap();
    std::fs::copy(&file, &copy).unwrap();
    std::fs::copy(file.with_file_name("kiosk.ledger.key"), copy.with_file_name("copy.ledger.key")).unwrap();
    let open = |path: &std::path::Path| {
        counterfoil::Options::default().clock(std::sync::Arc::new(kiosk.clock.clone())).open(path).unwrap()
    };
    let (first, second) = (open(&file), open(&copy));
    strict(&first, "1", 40).unwrap();
    strict(&second, "2", 35).unwrap();
    let files = [&first, &second].map(|ledger| {
        let mut bytes = Vec::new();
        ledger.export(&mut bytes, false).unwrap();
        bytes
    });
    assert_eq!(flags(&office.take(&files[0])), []);
    let report = office.take(&files[1]);
    assert!(report.fork, "{report:?}");
    let told = flags(&report);
    assert!(told.contains(&(FlagCode::AllotmentShort, 35)) && told.contains(&(FlagCode::Overdraft, 15)), "{told:?}");
    assert_eq!(office.points("card"), (0, 0, 0, 15));
    verified(&office.hub);
}

/// A device whose hub was set back does not spend what that may not know of.
#[test]
fn it_is_not_spent_on_what_a_lost_past_told() {
    let (office, kiosk, _) = lent(100, 40);
    let other = AccountId::new("other").unwrap();
    must(&office.hub, r#"{"op":"recharge","account":"other","key":"1","points":5,"source":"wxpay"}"#);
    office.hub.renew_epoch().unwrap();
    let mut bytes = Vec::new();
    kiosk.ledger.export(&mut bytes, false).unwrap();
    let report = office.take(&bytes);
    let Header::Up(up) = inspect(Cursor::new(&bytes)).unwrap().header else { panic!() };
    // Of what the device asked only one account has come so far.
    let mut down = office.hub.exchange().down(&kiosk.ledger.info().unwrap().device).unwrap();
    (down.ack, down.since, down.newest) = (report.ack, Some(up.seen), up.newest);
    down.leaves = vec![Leaf { seq: up.head.seq, hash: up.head.hash, epoch: up.epoch }];
    let made = office
        .hub
        .exchange()
        .answer(&down, &[other], &[], false, |part| kiosk.ledger.exchange().import(Cursor::new(&part.bytes)).map(drop));
    made.unwrap();
    assert_eq!((set_aside(&kiosk.ledger), points(&kiosk.ledger, "other").0), (None, 5));
    assert_eq!(strict(&kiosk.ledger, "1", 1).unwrap_err().code(), "insufficient_points");
    office.exchange(&kiosk.ledger);
    assert_eq!(set_aside(&kiosk.ledger), Some(40));
    strict(&kiosk.ledger, "2", 40).unwrap();
    assert_eq!(flags(&office.exchange(&kiosk.ledger)), []);
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// An account of which something is set aside, for whomever, is not empty.
#[test]
fn an_account_with_an_allotment_does_not_close() {
    let (office, kiosk, allotment) = lent(40, 40);
    let close = |name: &str| json!({"op": "close", "account": "card", "key": name, "reason": "left"}).to_string();
    assert_eq!(apply(&office.hub, &close("1")).unwrap_err().code(), "account_not_empty");
    office.hub.allot_write_off(&allotment, &key("1"), AllotWriteOff::new("lost")).unwrap();
    must(&office.hub, r#"{"op":"consume","account":"card","key":"1","points":40}"#);
    must(&office.hub, &close("2"));
    // What its device gives back of it comes to nothing.
    kiosk.ledger.return_allotment(&allotment, &key("back")).unwrap();
    let report = office.exchange(&kiosk.ledger);
    assert_eq!((report.booked, flags(&report)), (1, vec![]));
    assert_eq!(office.points("card"), (0, 0, 0, 0));
    verified(&office.hub);
    verified(&kiosk.ledger);
}

/// The order in which what is wrong is told.
#[test]
fn refusals_come_in_order() {
    let (office, kiosk, allotment) = lent(40, 40);
    let device = kiosk.ledger.info().unwrap().device.to_string();
    let stranger = uuid::Uuid::from_u128(7).to_string();
    let nobody = "0193f1a2-0000-8000-8000-000000900000";
    let allot = |changes: Value| {
        let mut line = json!({"op": "allot", "account": "card", "key": "allot 40", "device": device, "points": 40,
            "spend_until": until(4).to_rfc3339()});
        changes.as_object().unwrap().iter().for_each(|(name, value)| line[name] = value.clone());
        apply(&office.hub, &line.to_string()).map_or_else(|error| error.code().to_string(), |it| it.op.to_string())
    };
    assert_eq!(allot(json!({})), "allot");
    assert_eq!(allot(json!({"points": 0, "device": stranger})), "invalid_argument");
    assert_eq!(allot(json!({"device": stranger, "points": 1})), "unknown_device");
    assert_eq!(allot(json!({"points": 1, "account": "nobody"})), "unknown_account");
    assert_eq!(allot(json!({"points": 1})), "key_reused");
    assert_eq!(allot(json!({"key": "n", "spend_until": START, "points": 99})), "invalid_argument");
    assert_eq!(allot(json!({"key": "n", "points": 99})), "insufficient_points");
    let code = |ledger: &Ledger, line: Value| apply(ledger, &line.to_string()).unwrap_err().code();
    for op in ["recall", "allot_write_off", "return"] {
        let mut line = json!({"op": op, "allotment": nobody, "key": "x"});
        if op == "allot_write_off" {
            assert_eq!(code(&office.hub, line.clone()), "invalid_argument");
            line["reason"] = "lost".into();
        }
        let (at_hub, at_device) = match op {
            "return" => ("role_conflict", "unknown_allotment"),
            _ => ("unknown_allotment", "not_on_device"),
        };
        assert_eq!((code(&office.hub, line.clone()), code(&kiosk.ledger, line.clone())), (at_hub, at_device), "{op}");
        line["allotment"] = "nonsense".into();
        assert_eq!(code(&kiosk.ledger, line), "invalid_argument", "{op}");
    }
    // What is no allotment is none.
    let recharged = office.hub.history(&card(), &Query::new().kind(EntryKind::Recharge)).unwrap().items;
    let line = json!({"op": "recall", "allotment": recharged[0].operation, "key": "x"});
    assert_eq!(code(&office.hub, line), "unknown_allotment");
    kiosk.ledger.return_allotment(&allotment, &key("1")).unwrap();
    assert_eq!(code(&kiosk.ledger, json!({"op": "return", "allotment": allotment, "key": "2"})), "unknown_allotment");
    assert!(kiosk.ledger.return_allotment(&allotment, &key("1")).unwrap().replayed);
    // By itself a file has no devices.
    let world = crate::support::World::empty();
    let line = json!({"op": "allot", "account": "card", "key": "1", "device": device, "points": 1,
        "spend_until": until(4).to_rfc3339()});
    assert_eq!(code(&world.ledger, line), "role_conflict");
    let said = |ledger: &Ledger| ledger.allotments(&Query::new()).unwrap().items.len();
    assert_eq!((said(&office.hub), said(&kiosk.ledger), said(&world.ledger)), (1, 0, 0));
}
