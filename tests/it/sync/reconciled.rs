//! A device goes on from how its accounts stand at the hub.

use std::io::Cursor;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::exchange::{DevicePolicy, Down, HeardReport, Leaf, Offline, Right, Up, inspect};
use counterfoil::sync::Imported;
use counterfoil::{AccountId, Durability, Ledger, Options, Query};
use serde_json::{Value, json};

use super::answered::play;
use super::{apply, key, must, verified};
use crate::against::{Library, in_parallel, number};
use crate::model::generate::{Random, Style, history};
use crate::support::{START, enrol, folder, sample};

/// A hub and one of its devices, with a clock each.
pub struct Pair {
    pub hub: Ledger,
    pub kiosk: Ledger,
    pub clock: ManualClock,
    /// Kept until they are done with.
    pub _folder: tempfile::TempDir,
}

pub fn options(clock: &ManualClock) -> Options {
    Options::default().clock(Arc::new(clock.clone())).pricing(sample()).durability(Durability::Relaxed)
}

/// One that decides by what is set aside for it.
pub fn allotted() -> DevicePolicy {
    let mut policy = policy();
    policy.offline = Offline::Allotted;
    policy
}

pub fn policy() -> DevicePolicy {
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    policy
}

/// Makes a ledger a hub, and another, new one its device.
fn enrolled(hub: &Ledger, clock: &ManualClock, folder: &std::path::Path, policy: &DevicePolicy) -> Ledger {
    let kiosk = options(clock).create(folder.join("kiosk.ledger")).unwrap();
    enrol(hub, &kiosk, "Kiosk 12", policy);
    kiosk
}

impl Pair {
    pub fn new() -> Self {
        Self::with(&policy())
    }

    pub fn with(policy: &DevicePolicy) -> Self {
        let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
        let hub = options(&clock).create(folder.path().join("hub.ledger")).unwrap();
        let kiosk = enrolled(&hub, &clock, folder.path(), policy);
        Pair { hub, kiosk, clock, _folder: folder }
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }

    /// What the device says of itself.
    pub fn question(&self) -> Up {
        let mut bytes = Vec::new();
        self.kiosk.export(&mut bytes, false).unwrap();
        let counterfoil::exchange::Header::Up(up) = inspect(Cursor::new(bytes)).unwrap().header else { panic!() };
        up
    }

    /// The header of an answer by a hub that has nothing of the device yet.
    pub fn down(&self) -> Down {
        let up = self.question();
        let mut down = self.hub.exchange().down(&self.kiosk.info().unwrap().device).unwrap();
        down.ack = Some(up.base);
        down.since = Some(up.seen).filter(|seen| !seen.is_empty());
        down.newest = up.newest;
        down
    }

    pub fn files(&self, down: &Down, accounts: &[&str]) -> Vec<Vec<u8>> {
        let accounts: Vec<AccountId> = accounts.iter().map(|id| AccountId::new(id).unwrap()).collect();
        let mut files = Vec::new();
        let made = self.hub.exchange().answer(down, &accounts, &[], true, |part| {
            files.push(part.bytes);
            Ok(())
        });
        made.unwrap();
        files
    }

    pub fn hear(&self, bytes: &[u8]) -> Result<HeardReport, counterfoil::Error> {
        match self.kiosk.exchange().import(Cursor::new(bytes))? {
            Imported::Accounts(report) => Ok(report),
            other => panic!("{other:?}"),
        }
    }

    /// Answers as the hub stands, and takes it.
    pub fn reconcile(&self, accounts: &[&str]) -> HeardReport {
        let files = self.files(&self.down(), accounts);
        let reports: Vec<HeardReport> = files.iter().map(|bytes| self.hear(bytes).unwrap()).collect();
        reports.into_iter().next_back().unwrap()
    }
}

pub fn figures(ledger: &Ledger, account: &str) -> Value {
    let balance = ledger.balance(&AccountId::new(account).unwrap()).unwrap();
    let told = serde_json::to_value(balance).unwrap();
    json!([told["available"], told["held"], told["pending"], told["debt"]])
}

/// What must be the same at hub and device: figures, totals, and the batches that have points.
pub fn standing(ledger: &Ledger, account: &AccountId) -> Value {
    let mut balance = serde_json::to_value(ledger.balance(account).unwrap()).unwrap();
    for field in ["as_of", "last_booked_at", "clock_behind", "base_at", "pending_operations", "next_due_at"] {
        balance.as_object_mut().unwrap().remove(field);
    }
    let batches = ledger.batches(account, &Query::new().all(true).limit(1_000_000)).unwrap().items;
    let mut told: Vec<Value> = batches.iter().map(|batch| serde_json::to_value(batch).unwrap()).collect();
    told.retain(|batch| batch["remaining"] != 0 || batch["held"] != 0);
    for batch in &mut told {
        let fields = batch.as_object_mut().unwrap();
        fields.retain(|name, _| {
            matches!(
                name.as_str(),
                "batch" | "remaining" | "held" | "used" | "expired" | "expires_at" | "source" | "state"
            )
        });
    }
    told.sort_by_key(|batch| batch["batch"].to_string());
    json!({"balance": balance, "batches": told})
}

#[test]
fn a_device_hears_of_an_account() {
    let pair = Pair::new();
    must(&pair.hub, r#"{"op":"recharge","account":"card","key":"1","points":100,"source":"wxpay"}"#);
    must(&pair.hub, r#"{"op":"consume","account":"card","key":"2","points":30}"#);
    let report = pair.reconcile(&["card"]);
    assert_eq!((report.accounts, report.whole, report.stale), (1, true, false));
    let card = AccountId::new("card").unwrap();
    assert_eq!(standing(&pair.kiosk, &card), standing(&pair.hub, &card));
    verified(&pair.kiosk);
    // Again: nothing is written.
    let head = pair.kiosk.info().unwrap().head;
    let again = pair.reconcile(&["card"]);
    assert_eq!((again.accounts, again.known), (0, 1));
    assert_eq!(pair.kiosk.info().unwrap().head, head);
    // It spends what it has heard of.
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"3","points":70,"policy":"strict"}"#);
    let code = apply(&pair.kiosk, r#"{"op":"consume","account":"card","key":"4","points":1,"policy":"strict"}"#);
    assert_eq!(code.unwrap_err().code(), "insufficient_points");
    verified(&pair.kiosk);
}

#[test]
fn what_the_hub_has_not_got_yet_is_put_back() {
    let pair = Pair::new();
    must(&pair.kiosk, r#"{"op":"recharge","account":"card","key":"1","points":10,"source":"cash"}"#);
    must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"2","points":25}"#);
    assert_eq!(figures(&pair.kiosk, "card"), json!([0, 0, 0, 15]));
    must(
        &pair.hub,
        r#"{"op":"recharge","account":"card","key":"1","points":100,"source":"wxpay","expires_in_days":2}"#,
    );
    pair.advance(60);
    pair.reconcile(&["card"]);
    assert_eq!(figures(&pair.kiosk, "card"), json!([85, 0, 0, 0]));
    verified(&pair.kiosk);
    must(&pair.kiosk, r#"{"op":"hold","account":"card","key":"3","points":40,"deadline_seconds":3600}"#);
    must(&pair.hub, r#"{"op":"consume","account":"card","key":"4","points":90}"#);
    pair.advance(60);
    pair.reconcile(&["card"]);
    // 100 - 90 of the hub's, 10 of its own; 25 used, and 40 held, of which nothing is left.
    assert_eq!(figures(&pair.kiosk, "card"), json!([0, 0, 0, 5]));
    verified(&pair.kiosk);
    let refund = pair.kiosk.history(&AccountId::new("card").unwrap(), &Query::new().limit(100)).unwrap();
    let consume = refund.items.iter().find(|entry| entry.kind.as_str() == "consume").unwrap();
    let line = json!({"op":"refund","operation":consume.operation,"key":"5","points":25,"reason":"mistake"});
    must(&pair.kiosk, &line.to_string());
    assert_eq!(figures(&pair.kiosk, "card"), json!([20, 0, 0, 0]));
    pair.advance(60);
    must(&pair.hub, r#"{"op":"recharge","account":"card","key":"6","points":1,"source":"gift"}"#);
    pair.reconcile(&["card"]);
    verified(&pair.kiosk);
}

/// The base is in force from then on: operations say what they were decided on.
#[test]
fn an_operation_says_what_it_was_decided_on() {
    let pair = Pair::new();
    must(&pair.hub, r#"{"op":"recharge","account":"card","key":"1","points":100,"source":"wxpay"}"#);
    pair.reconcile(&["card"]);
    pair.advance(5);
    let receipt = must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"2","points":1}"#);
    let again = must(&pair.kiosk, r#"{"op":"consume","account":"card","key":"2","points":1}"#);
    assert!(again.replayed && again.operation == receipt.operation);
    let mut bytes = Vec::new();
    pair.kiosk.export(&mut bytes, false).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let at = START.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
    assert!(text.contains(&format!(r#""q":{{"base_at":{at},"points":1}}"#)), "{text}");
    verified(&pair.kiosk);
}

/// Whatever has happened at a hub: a device that hears of it stands as the hub does, then and at any later instant.
#[test]
fn a_device_that_has_heard_stands_as_its_hub() {
    in_parallel(number("COUNTERFOIL_HISTORIES", 200).min(2000), |seed| {
        let mut library = Library::created_at(Style::of(seed).start);
        play(&mut library, seed);
        // Past whatever its clock has said: how a hub leads accounts back is another story.
        let clock = library.clock.clone();
        let newest = history(seed).iter().map(|step| step.reading.ms).max().unwrap();
        clock.set(DateTime::from_timestamp_millis(newest + 1000).unwrap());
        clock.set_trusted(false);
        library.ledger.confirm_clock(&key("right"), counterfoil::ConfirmClock::default()).unwrap();
        let folder = folder();
        let hub = library.ledger.clone();
        let kiosk = enrolled(&hub, &clock, folder.path(), &policy());
        let pair = Pair { hub, kiosk, clock, _folder: folder };
        let ids: Vec<AccountId> = {
            let page = pair.hub.accounts(&Query::new().limit(1_000_000)).unwrap();
            page.items.into_iter().map(|balance| balance.account).collect()
        };
        let accounts: Vec<&str> = ids.iter().map(AccountId::as_str).collect();
        let mut random = Random::new(seed);
        for round in 0..3 {
            pair.reconcile(&accounts);
            for id in &ids {
                assert_eq!(standing(&pair.kiosk, id), standing(&pair.hub, id), "seed {seed}, round {round}, {id}");
            }
            let proof = pair.kiosk.verify().unwrap();
            assert!(proof.ok, "seed {seed}, round {round}: {:?}", proof.faults);
            pair.advance(random.range(1, 90 * 24 * 3600).unsigned_abs());
            for id in &ids {
                assert_eq!(
                    standing(&pair.kiosk, id),
                    standing(&pair.hub, id),
                    "seed {seed}, round {round}, later, {id}"
                );
            }
            // Something happens at both.
            for id in &ids {
                let line =
                    json!({"op":"consume","account":id,"key":format!("hub {round}"),"points":random.range(1, 40)});
                let _ = apply(&pair.hub, &line.to_string());
            }
        }
    });
}

/// Sends what the device has booked, until the hub has it all, and gives what the hub then says.
fn exchanged(pair: &Pair, accounts: &[&str]) -> HeardReport {
    let mut bytes = Vec::new();
    let sent = pair.kiosk.export(&mut bytes, false).unwrap();
    assert!(!sent.more);
    let Imported::Operations(report) = pair.hub.exchange().import(Cursor::new(bytes)).unwrap() else { panic!() };
    assert_eq!((report.staged.as_slice(), report.waits), ([].as_slice(), false));
    let mut down = pair.down();
    let (ack, epoch) = (report.ack.unwrap(), pair.kiosk.info().unwrap().epoch);
    down.ack = Some(ack);
    down.leaves = vec![Leaf { seq: ack.seq, hash: ack.hash, epoch }];
    down.since = None;
    let reports: Vec<_> = pair.files(&down, accounts).iter().map(|bytes| pair.hear(bytes).unwrap()).collect();
    reports.into_iter().next_back().unwrap()
}

/// Something a device or hub may be asked for, that either may refuse.
fn something(random: &mut Random, ledger: &Ledger, name: &str, on_device: bool) {
    let account = if random.percent(50) { "a" } else { "b" };
    let points = random.range(1, 40);
    let mut line = match random.range(0, 9) {
        0 | 1 => {
            // What ends on the way lapses as it arrives: that is the hub's story.
            let hours = if on_device { random.range(120, 600) } else { random.range(1, 90) };
            json!({"op":"recharge","points":points,"source":"cash","expires_in_hours":hours})
        }
        2 => {
            json!({"op":"recharge","points":points,"source":"gift","expires_at":"never","priority":random.range(40, 60)})
        }
        3 => json!({"op":"hold","points":points,"deadline_seconds":random.range(60, 80_000)}),
        4 if !on_device => json!({"op":"write_off","points":random.range(1, 9),"reason":"kind"}),
        5 if !on_device => json!({"op":"transfer","to":if account == "a" { "b" } else { "a" },"points":points}),
        _ => json!({"op":"consume","points":points}),
    };
    line["account"] = json!(account);
    line["key"] = json!(name);
    let Ok(receipt) = apply(ledger, &line.to_string()) else { return };
    let reason = "mistake";
    let after = match (line["op"].as_str().unwrap(), random.range(0, 4)) {
        ("hold", 0) => json!({"op":"release","hold":receipt.hold.unwrap().id}),
        ("hold", 1 | 2) => json!({"op":"capture","hold":receipt.hold.unwrap().id,"points":random.range(1, points)}),
        ("consume", 0) => {
            json!({"op":"refund","operation":receipt.operation,"points":random.range(1, points),"reason":reason})
        }
        ("recharge", 0) if !on_device => {
            json!({"op":"revoke","batch":receipt.batch.unwrap().batch,"points":random.range(1, points),"reason":reason})
        }
        _ => return,
    };
    let mut after = after;
    after["key"] = json!(format!("{name} after"));
    let _ = apply(ledger, &after.to_string());
}

fn told_history(ledger: &Ledger) -> String {
    let mut told = String::new();
    for account in ["a", "b"] {
        let page = ledger.history(&AccountId::new(account).unwrap(), &Query::new().limit(10_000)).unwrap();
        for entry in page.items {
            let entry = serde_json::to_value(entry).unwrap();
            told += &format!(
                "\n{account} {} {} {} {} {}",
                entry["n"], entry["kind"], entry["points"], entry["booked_at"], entry["balance"]
            );
        }
    }
    told
}

/// Hub and device both go on by themselves; once all is exchanged, they stand the same. Holds of the device do not travel.
#[test]
fn all_exchanged_they_stand_the_same() {
    in_parallel(number("COUNTERFOIL_HISTORIES", 200).min(2000), |seed| {
        let pair = Pair::new();
        let mut random = Random::new(seed);
        for round in 0..6 {
            for step in 0..random.range(1, 12) {
                let name = format!("{round} {step}");
                if random.percent(50) {
                    something(&mut random, &pair.kiosk, &format!("kiosk {name}"), true);
                } else {
                    something(&mut random, &pair.hub, &format!("hub {name}"), false);
                }
                pair.advance(random.range(0, 20_000).unsigned_abs());
            }
            if random.percent(30) {
                // What it believes until then adds up, too.
                pair.reconcile(&["a", "b"]);
                let proof = pair.kiosk.verify().unwrap();
                assert!(proof.ok, "seed {seed}, round {round}: {:?}", proof.faults);
                continue;
            }
            // Past the deadlines of its holds.
            pair.advance(90_000);
            pair.kiosk.expire(None).unwrap();
            let report = exchanged(&pair, &["a", "b"]);
            assert!(report.whole && !report.stale, "{report:?}");
            for ledger in [&pair.kiosk, &pair.hub] {
                let proof = ledger.verify().unwrap();
                let role = ledger.info().unwrap().role;
                assert!(proof.ok, "seed {seed}, round {round}: {role}: {:?} {}", proof.faults, told_history(ledger));
            }
            for later in [0, 5_000, 200_000] {
                pair.advance(later);
                for account in ["a", "b"].map(|id| AccountId::new(id).unwrap()) {
                    let known = serde_json::to_value(pair.hub.balance(&account).unwrap()).unwrap()["exists"] == true;
                    // What the device made has another id there.
                    let stand = |ledger: &Ledger| {
                        let mut told = standing(ledger, &account);
                        for batch in told["batches"].as_array_mut().unwrap() {
                            batch.as_object_mut().unwrap().remove("batch");
                        }
                        told["batches"].as_array_mut().unwrap().sort_by_key(Value::to_string);
                        told
                    };
                    if known {
                        assert_eq!(
                            stand(&pair.kiosk),
                            stand(&pair.hub),
                            "seed {seed}, round {round}, {later}, {account}"
                        );
                    }
                }
            }
        }
    });
}
