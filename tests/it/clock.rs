//! Clocks that are wrong: what an operation does under them, and the way back. Each test opens with what happened.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use counterfoil::{AccountId, Balance, Clock, HistoryQuery, Ledger, ManualClock, Receipt, Request};

use crate::support::{START, folder, instant, options};

/// A ledger and its clock; each operation has the key that counts them.
struct World {
    ledger: Ledger,
    clock: ManualClock,
    keys: std::cell::Cell<u32>,
    _folder: tempfile::TempDir,
}

impl World {
    fn at(time: &str) -> Self {
        let (folder, clock) = (folder(), ManualClock::at(time).unwrap());
        let ledger = options(&clock).create(folder.path().join("clock.ledger")).unwrap();
        World { ledger, clock, keys: std::cell::Cell::new(0), _folder: folder }
    }

    fn now(&self, time: &str) -> &Self {
        self.clock.set(instant(time));
        self
    }

    fn ask(&self, op: &str, fields: &str) -> counterfoil::Result<Receipt> {
        let key = self.keys.replace(self.keys.get() + 1);
        let comma = if fields.is_empty() { "" } else { "," };
        self.ledger.apply(&Request::parse(&format!(r#"{{"op":"{op}","key":"k{key}"{comma}{fields}}}"#)).unwrap())
    }

    #[track_caller]
    fn book(&self, op: &str, fields: &str) -> Receipt {
        self.ask(op, fields).unwrap_or_else(|error| panic!("{op} {fields}: {error}"))
    }

    /// Recharges 100 points that live 180 days.
    fn recharge(&self, account: &str) -> Receipt {
        self.book("recharge", &format!(r#""account":"{account}","points":100,"source":"wxpay""#))
    }

    fn consume(&self, account: &str, points: i64) -> Receipt {
        self.book("consume", &format!(r#""account":"{account}","points":{points}"#))
    }

    fn balance(&self, account: &str) -> Balance {
        self.ledger.balance(&AccountId::new(account).unwrap()).unwrap()
    }

    /// available, held, pending, debt
    fn four(&self, account: &str) -> [i64; 4] {
        let figures = self.balance(account).figures;
        [figures.available, figures.held, figures.pending, figures.debt]
    }

    fn kinds(&self, account: &str) -> Vec<&'static str> {
        let page = self.ledger.history(&AccountId::new(account).unwrap(), &HistoryQuery::new().limit(1000)).unwrap();
        page.items.iter().map(|entry| entry.kind).collect()
    }

    #[track_caller]
    fn proved(&self) {
        let verified = self.ledger.verify().unwrap();
        assert!(verified.ok, "{:#?}", verified.faults);
    }
}

/// The battery of a kiosk was flat: its clock said 1960, and the charge panicked. Such a clock counts as 1970, and the
/// work is booked as always.
#[test]
fn a_clock_before_1970_counts_as_1970() {
    struct Flat;
    impl Clock for Flat {
        fn now(&self) -> DateTime<Utc> {
            instant("1960-01-01T00:00:00Z")
        }
    }
    let world = World::at(START);
    let bought = world.recharge("a");
    let path = world.ledger.path();
    let ledger = options(&world.clock).clock(Arc::new(Flat)).open(path).unwrap();
    let request = Request::parse(r#"{"op":"consume","account":"a","key":"flat","points":1}"#).unwrap();
    let used = ledger.apply(&request).unwrap();
    assert_eq!((used.recorded_at, used.booked_at), (DateTime::UNIX_EPOCH, bought.booked_at));
    assert_eq!(used.balance.available, 99);
    world.proved();
}

/// A buyer came back after seven months and used the app for four more. Time stood still all the while, and points that
/// expired in June paid in December. A clock that moves on for a day after a jump is believed.
#[test]
fn suspect_readings_that_go_on_for_a_day_are_accepted() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.recharge("a");
    let back = world.now("2026-08-01T09:00:00Z").consume("a", 5);
    assert!(back.clock_suspect && back.booked_at == instant("2026-01-01T00:00:00Z"));
    // A look leaves no trace; a day after the first suspect reading it is answered as accepted.
    assert!(world.now("2026-08-02T08:59:59.999Z").balance("a").clock_suspect);
    let (day, account) = (world.now("2026-08-02T09:00:00Z").balance("a"), AccountId::new("a").unwrap());
    assert_eq!((day.clock_suspect, day.figures.available), (false, 0));
    assert!(world.now("2026-08-02T08:59:59.999Z").balance("a").clock_suspect);
    let accepted = world.now("2026-08-02T09:00:00Z").consume("a", 5);
    assert_eq!((accepted.clock_suspect, accepted.open, accepted.recorded_at), (false, 5, accepted.booked_at));
    let late = world.now("2026-12-01T09:00:00Z").consume("a", 5);
    assert_eq!((late.booked_at, late.open), (instant("2026-12-01T09:00:00Z"), 5));
    let then = world.ledger.balance_at(&account, instant("2026-06-30T00:00:00Z")).unwrap();
    assert_eq!(then.figures.available, 0);
    assert_eq!(world.kinds("a"), ["open", "recharge", "consume", "expire", "consume", "consume"]);
    world.proved();
}

/// A clock swung: for an hour seven months fast, then right, the next day fast again. Each time the day counts anew, and
/// the setting says how long it is.
#[test]
fn a_reading_in_range_ends_the_suspicion() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.book("configure", r#""setting":"clock_patience","value":7200"#);
    assert_eq!(world.ledger.info().unwrap().settings.clock_patience, 7200);
    world.recharge("a");
    assert!(world.now("2026-08-01T09:00:00Z").consume("a", 1).clock_suspect);
    assert!(!world.now("2026-01-01T02:00:00Z").consume("a", 1).clock_suspect);
    assert!(world.now("2026-08-01T11:00:00Z").consume("a", 1).clock_suspect);
    assert!(world.now("2026-08-01T12:59:59Z").consume("a", 1).clock_suspect);
    assert_eq!(world.four("a"), [96, 0, 0, 0]);
    assert!(!world.now("2026-08-01T13:00:00Z").consume("a", 1).clock_suspect);
    assert_eq!(world.four("a"), [0, 0, 0, 1]);
    world.proved();
}
