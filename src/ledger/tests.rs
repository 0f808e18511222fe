//! What only another program than this one would send: it arrives, and somebody sees it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Cursor;

use super::{Imported, Ledger};
use crate::exchange::{
    Admit, Approve, BecomeHub, DEVICE, DevicePolicy, FlagCode, ImportReport, Link, Offline, StageReason, key, sent_up,
};
use crate::hash::Hash;
use crate::model::{AccountId, Key, Query};
use crate::pricing::PriceBook;

struct Office {
    hub: Ledger,
    _folder: tempfile::TempDir,
}

/// Text of a price book: what a device says its charges were priced by.
const PRICES: &str = "[fixed_costs]\nscript = 10\n";

impl Office {
    fn new(policy: &DevicePolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = Ledger::create(folder.path().join("hub.ledger")).unwrap();
        let own = hub.new_signer().unwrap().key().public();
        hub.become_hub(&Key::new("hub").unwrap(), BecomeHub::new(own, "office")).unwrap();
        hub.admit(&Key::new("1").unwrap(), Admit::new(DEVICE, key().public(), "kiosk", policy)).unwrap();
        Office { hub, _folder: folder }
    }

    /// Takes operations after a link, as of that epoch; what came of it, and where they end.
    fn take(&self, base: Link, lines: &[&str]) -> (ImportReport, Link) {
        let hub = self.hub.info().unwrap().ledger;
        let (bytes, head) = sent_up(hub, base, PRICES, lines);
        match self.hub.exchange().import(Cursor::new(bytes)).unwrap() {
            Imported::Operations(report) => (report, head),
            other => panic!("{other:?}"),
        }
    }

    fn verified(&self) {
        let verification = self.hub.verify().unwrap();
        assert!(verification.ok, "{:?}", verification.faults);
    }

    fn debt(&self, account: &str) -> i64 {
        self.hub.balance(&AccountId::new(account).unwrap()).unwrap().figures.debt.get()
    }
}

fn beginning() -> Link {
    Link { seq: 0, hash: Hash::from([9; 32]) }
}

/// A kiosk was updated before the office. What it books by newer rules waits, and so does what follows in that account; others go on.
#[test]
fn what_a_newer_program_booked_waits_in_its_account() {
    let office = Office::new(&DevicePolicy::default());
    let (report, _) = office.take(
        beginning(),
        &[
            r#"{"s":1,"r":2,"k":"consume","a":"card-1","i":"1","t":5,"b":5,"c":0,"p":7,"q":{"points":7}}"#,
            r#"{"s":2,"r":1,"k":"consume","a":"card-1","i":"2","t":5,"b":5,"c":0,"p":3,"q":{"points":3}}"#,
            r#"{"s":3,"r":1,"k":"consume","a":"card-2","i":"3","t":5,"b":5,"c":0,"p":4,"q":{"points":4}}"#,
            r#"{"s":4,"r":1,"k":"donate","a":"card-3","i":"4","t":5,"b":5,"c":0,"p":4,"q":{"points":4}}"#,
        ],
    );
    let staged: Vec<_> = report.staged.iter().map(|link| (link.seq, link.reason)).collect();
    assert_eq!(staged, [1, 2, 4].map(|seq| (seq, StageReason::TooNew)));
    assert_eq!((report.booked, office.debt("card-1"), office.debt("card-2")), (1, 0, 4));
    let waits = office.hub.staged(&Query::new()).unwrap().items;
    for link in &waits {
        let refused = office.hub.approve(&link.link, &Key::new("a").unwrap(), Approve::new()).unwrap_err();
        assert!(refused.help().contains("update counterfoil"), "{refused}");
    }
    office.verified();
}

/// A kiosk charged 12 for what its own price book gives for 10, by a book the office had never seen and that is not the one it is to use.
#[test]
fn another_price_is_seen_and_stands() {
    let prices = PriceBook::parse("[fixed_costs]\nscript = 11\n", "p").unwrap().hash();
    let policy = DevicePolicy { prices: Some(prices), ..DevicePolicy::default() };
    let office = Office::new(&policy);
    let charge = |seq: i64, points: i64| {
        format!(
            r#"{{"s":{seq},"r":1,"k":"consume","a":"card-1","i":"{seq}","t":5,"b":5,"c":0,"p":{points},"x":0,"q":{{"service":"script"}}}}"#
        )
    };
    let (report, head) = office.take(beginning(), &[&charge(1, 12), &charge(2, 10)]);
    let mut flags: Vec<_> = report.flags.iter().map(|flag| (flag.seq, flag.flag, flag.points)).collect();
    flags.retain(|(_, flag, _)| *flag != FlagCode::ClockCorrected);
    flags.sort();
    let expected = [
        (0, FlagCode::ForeignPriceBook, 0),
        (1, FlagCode::PriceMismatch, 10),
        (1, FlagCode::StalePriceBook, 0),
        (2, FlagCode::StalePriceBook, 0),
    ];
    assert_eq!(flags, expected);
    assert_eq!(office.debt("card-1"), 22, "points are facts");
    // The book is known from now on.
    let (report, _) = office.take(head, &[&charge(3, 10)]);
    assert!(report.flags.iter().all(|flag| flag.flag != FlagCode::ForeignPriceBook));
    office.verified();
}

/// What no device writes is kept and looked at: spending of allotments beyond the charge, a capture of what is no hold, no account.
#[test]
fn what_cannot_be_is_set_aside() {
    let policy = DevicePolicy { offline: Offline::Allotted, ..DevicePolicy::default() };
    let office = Office::new(&policy);
    let (report, _) = office.take(
        beginning(),
        &[
            r#"{"s":1,"r":1,"k":"consume","i":"1","t":5,"b":5,"c":0,"p":7,"q":{"points":7}}"#,
            r#"{"s":2,"r":1,"k":"consume","a":"card-2","i":"2","t":5,"b":5,"c":0,"p":7,"q":{"points":"seven"}}"#,
            r#"{"s":3,"r":1,"k":"consume","a":"card-3","i":"3","t":5,"b":5,"c":0,"p":4,"q":{"points":4}}"#,
        ],
    );
    let staged: Vec<_> = report.staged.iter().map(|link| (link.seq, link.reason)).collect();
    assert_eq!(staged, [1, 2].map(|seq| (seq, StageReason::Invalid)));
    assert_eq!((report.booked, office.debt("card-3")), (1, 4));
    office.verified();
}

/// A kiosk held points for a job by prices that the office had never seen, and sent that before the job was done. A book that no
/// operation is under is kept all the same, for the link that names it; one that nothing names is not.
#[test]
fn a_price_book_is_kept_for_what_names_it() {
    let office = Office::new(&DevicePolicy::default());
    let foreign = |report: &ImportReport| report.flags.iter().any(|flag| flag.flag == FlagCode::ForeignPriceBook);
    let plain = r#"{"s":1,"r":1,"k":"consume","a":"card-1","i":"1","t":5,"b":5,"c":0,"p":7,"q":{"points":7}}"#;
    let (report, head) = office.take(beginning(), &[plain]);
    assert!(!foreign(&report));
    office.verified();
    let hold = r#"{"s":2,"r":1,"k":"hold","a":"card-1","i":"2","t":5,"b":5,"c":0,"p":7,"x":0,"q":{"deadline":"1970-01-01T00:01:00Z","points":7,"service":"script"}}"#;
    let (report, _) = office.take(head, &[hold]);
    assert!(report.noted == 1 && foreign(&report), "{report:?}");
    office.verified();
}
