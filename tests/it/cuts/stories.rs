//! What is lived under power cuts.

use std::path::Path;

use counterfoil::exchange::DevicePolicy;
use counterfoil::{Durability, Ledger, Receipt, Request};

use super::mark;
use crate::support::enrol;

pub fn live(story: &str, folder: &Path) {
    match story {
        "life" => life(folder),
        "copies" => copies(folder),
        "again" => again(folder),
        "enrolled" => enrolled(folder),
        "exchange" => exchange(folder),
        other => panic!("{other}"),
    }
}

fn apply(ledger: &Ledger, line: &str) -> Receipt {
    ledger.apply(&Request::parse(line).unwrap()).unwrap()
}

fn tell(how: &str, receipt: &Receipt) {
    mark(&format!("{how} points.ledger {} {}", receipt.key, receipt.operation));
}

/// A ledger is made, books what there is to book, some of it relaxed, is closed, and goes on.
fn life(folder: &Path) {
    let path = folder.join("points.ledger");
    let ledger = Ledger::create(&path).unwrap();
    mark("there points.ledger");
    let relaxed = ledger.with_durability(Durability::Relaxed);
    let full = |line: &str| tell("full", &apply(&ledger, line));
    let lazy = |line: &str| tell("relaxed", &apply(&relaxed, line));
    full(r#"{"op":"recharge","account":"al","key":"r1","points":100,"source":"wxpay"}"#);
    lazy(r#"{"op":"consume","account":"al","key":"c1","points":3}"#);
    lazy(r#"{"op":"consume","account":"bo","key":"c2","points":5}"#);
    ledger.flush().unwrap();
    mark("flushed points.ledger");
    let held = apply(&ledger, r#"{"op":"hold","account":"al","key":"h1","points":10,"deadline_seconds":3600}"#);
    tell("full", &held);
    let hold = held.hold.unwrap().id;
    lazy(r#"{"op":"consume","account":"al","key":"c3","points":7}"#);
    full(&format!(r#"{{"op":"capture","hold":"{hold}","key":"k1"}}"#));
    let lines = (0..30).map(|n| format!(r#"{{"op":"consume","account":"al","key":"b{n}","points":1}}"#));
    let requests: Vec<Request> = lines.map(|line| Request::parse(&line).unwrap()).collect();
    for receipt in ledger.batch(&requests) {
        tell("full", &receipt.unwrap());
    }
    ledger.close().unwrap();
    let ledger = Ledger::open(&path).unwrap();
    tell("full", &apply(&ledger, r#"{"op":"consume","account":"al","key":"c4","points":2}"#));
    let relaxed = ledger.with_durability(Durability::Relaxed);
    tell("relaxed", &apply(&relaxed, r#"{"op":"consume","account":"al","key":"c5","points":2}"#));
    ledger.close().unwrap();
    mark("flushed points.ledger");
}

/// It is backed up, charges on, and a backup is restored beside it and over it.
fn copies(folder: &Path) {
    let (path, backup) = (folder.join("points.ledger"), folder.join("backup.ledger"));
    let ledger = Ledger::open(&path).unwrap();
    assert!(ledger.backup(&backup).unwrap().ok);
    mark("there backup.ledger");
    tell("full", &apply(&ledger, r#"{"op":"consume","account":"al","key":"d1","points":1}"#));
    ledger.close().unwrap();
    let again = Ledger::options().restore(&backup, folder.join("again.ledger")).unwrap();
    mark("there again.ledger");
    let receipt = apply(&again, r#"{"op":"consume","account":"al","key":"d2","points":1}"#);
    mark(&format!("full again.ledger {} {}", receipt.key, receipt.operation));
    again.close().unwrap();
}

/// What was cut is opened, charges once more and is closed: its `-wal` is read and folded in.
fn again(folder: &Path) {
    let path = folder.join("points.ledger");
    if !path.exists() {
        return;
    }
    let ledger = Ledger::open(&path).unwrap();
    tell("full", &apply(&ledger, r#"{"op":"consume","account":"al","key":"again","points":1}"#));
    ledger.close().unwrap();
}

const CARDS: i64 = 12;

/// A hub that has sold points, and its device that has charged.
fn enrolled(folder: &Path) {
    let create = |name: &str| Ledger::create(folder.join(name)).unwrap();
    let (hub, kiosk) = (create("hub.ledger"), create("kiosk.ledger"));
    enrol(&hub, &kiosk, "kiosk", &DevicePolicy::default());
    for n in 0..CARDS {
        apply(&hub, &format!(r#"{{"op":"recharge","account":"card-{n}","key":"r","points":50,"source":"wxpay"}}"#));
        apply(&kiosk, &format!(r#"{{"op":"consume","account":"card-{n}","key":"c","points":{}}}"#, n + 1));
    }
    hub.close().unwrap();
    kiosk.close().unwrap();
    std::fs::create_dir(folder.join("stick")).unwrap();
}

/// Both sides exchange everything through a folder, as often as it takes.
pub fn exchange(folder: &Path) {
    let open = |name: &str| Ledger::open(folder.join(name)).unwrap();
    let (hub, kiosk) = (open("hub.ledger"), open("kiosk.ledger"));
    let stick = folder.join("stick");
    std::fs::create_dir_all(&stick).unwrap();
    for ledger in [&kiosk, &hub, &kiosk, &hub, &kiosk] {
        ledger.exchange().run(&stick).unwrap();
    }
    hub.close().unwrap();
    kiosk.close().unwrap();
}

/// Every card stands the same on both sides, with each charge once.
pub fn adds_up(folder: &Path) -> Result<(), String> {
    exchange(folder);
    for name in ["hub.ledger", "kiosk.ledger"] {
        let ledger = Ledger::open(folder.join(name)).unwrap();
        for n in 0..CARDS {
            let account = counterfoil::AccountId::new(format!("card-{n}")).unwrap();
            let available = ledger.balance(&account).unwrap().figures.available.get();
            if available != 50 - (n + 1) {
                return Err(format!("{name}: card-{n} has {available}"));
            }
        }
        let verification = ledger.verify().unwrap();
        if !verification.ok {
            return Err(format!("{name}: {:?}", verification.faults));
        }
    }
    Ok(())
}
