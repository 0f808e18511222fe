//! Clocks that are wrong: what an operation does under them, and the way back. Each test opens with what happened.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::{AccountId, Balance, Ledger, Points, Query, Receipt, Request};

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
        [figures.available, figures.held, figures.pending, figures.debt].map(Points::get)
    }

    fn kinds(&self, account: &str) -> Vec<&'static str> {
        let page = self.ledger.history(&AccountId::new(account).unwrap(), &Query::new().limit(1000)).unwrap();
        page.items.iter().map(|entry| entry.kind.as_str()).collect()
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
    assert_eq!((day.clock_suspect, day.figures.available.get()), (false, 0));
    assert!(world.now("2026-08-02T08:59:59.999Z").balance("a").clock_suspect);
    let accepted = world.now("2026-08-02T09:00:00Z").consume("a", 5);
    assert_eq!((accepted.clock_suspect, accepted.open.get(), accepted.recorded_at), (false, 5, accepted.booked_at));
    let late = world.now("2026-12-01T09:00:00Z").consume("a", 5);
    assert_eq!((late.booked_at, late.open.get()), (instant("2026-12-01T09:00:00Z"), 5));
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

const NEVER: &str = r#""account":"a","points":50,"source":"gift","expires_at":"never""#;

/// One charge was made while the clock was 60 days fast. There was no way back: a hold of an hour was to last for 60 days,
/// and points that had expired by the wrong time stayed gone. Confirmed, the clock makes right what it had made wrong.
#[test]
fn a_confirmed_clock_takes_time_back() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.book("recharge", r#""account":"a","points":30,"source":"gift","expires_in_days":40"#);
    world.recharge("a");
    let held = world.book("hold", r#""account":"a","points":20,"deadline_seconds":3600"#);
    let wrong = world.now("2026-03-02T00:00:00Z").consume("a", 10);
    assert_eq!(wrong.booked_at, instant("2026-03-02T00:00:00Z"));
    assert_eq!(world.four("a"), [90, 0, 0, 0]);
    // Right again, and not yet confirmed, it is a slow clock: booked time stands still.
    let slow = world.now("2026-01-02T00:00:00Z").consume("a", 1);
    assert_eq!((slow.booked_at, slow.balance.available.get()), (wrong.booked_at, 89));
    let confirmed = world.book("confirm_clock", "");
    assert_eq!(confirmed.booked_at, instant("2026-01-02T00:00:00Z"));
    // Ten of the thirty were not held when they expired, twenty lapsed when the hold ended.
    assert_eq!(world.four("a"), [119, 0, 0, 0]);
    let unbooked = world.kinds("a");
    let right = world.book("hold", r#""account":"a","points":50,"deadline_seconds":3600"#);
    assert_eq!(right.booked_at, instant("2026-01-02T00:00:00Z"));
    assert_eq!(world.kinds("a"), [unbooked.as_slice(), &["hold"]].concat());
    assert_eq!(unbooked.last(), Some(&"reinstate"));
    assert_eq!(world.now("2026-01-20T00:00:00Z").four("a"), [119, 0, 0, 0]);
    assert_eq!(world.now("2026-02-10T00:00:00Z").four("a"), [89, 0, 0, 0]);
    // The job of the first hold came in late, by its own points as far as they are there.
    let id = held.hold.unwrap().id;
    let late = world.book("capture", &format!(r#""hold":"{id}","points":20"#));
    assert_eq!((late.open.get(), late.reinstated.get()), (0, 20));
    world.proved();
}

/// A hold was made while the clock was 60 days fast. Nothing of it may last longer than a hold can.
#[test]
fn an_open_hold_is_no_further_from_its_end_than_max_hold() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.recharge("a");
    let held = world.now("2026-03-02T00:00:00Z").book("hold", r#""account":"a","points":20,"deadline_seconds":7200"#);
    world.now("2026-01-02T00:00:00Z").book("confirm_clock", "");
    world.consume("a", 1);
    let account = AccountId::new("a").unwrap();
    let holds = world.ledger.holds(&account, &counterfoil::Query::new()).unwrap().items;
    assert_eq!(holds[0].deadline, instant("2026-01-03T00:00:00Z"));
    assert_eq!(world.now("2026-01-03T00:00:00Z").four("a"), [99, 0, 0, 0]);
    world.consume("a", 1);
    world.ledger.explain(&held.operation).unwrap();
    world.proved();
}

/// A credit was dated for February; under the clock of March it was spent. After the step back it is pending again, with what
/// is left of it; a purchase made under the wrong clock stays: a customer has paid for it.
#[test]
fn what_was_dated_later_is_pending_again_and_a_purchase_stays() {
    let world = World::at("2026-01-01T00:00:00Z");
    let february = r#""effective_at":"2026-02-01T00:00:00Z""#;
    world.book("recharge", &format!(r#""account":"a","points":100,"source":"plan",{february}"#));
    world.now("2026-03-02T00:00:00Z").recharge("a");
    let used = world.consume("a", 40);
    world.book("recharge", r#""account":"b","points":10,"source":"s","effective_at":"2026-02-20T00:00:00Z""#);
    let spent = world.consume("b", 10);
    world.book("transfer", r#""account":"a","to":"c","points":5"#);
    assert_eq!(world.four("a"), [155, 0, 0, 0]);
    world.now("2026-01-02T00:00:00Z").book("confirm_clock", "");
    assert_eq!(world.four("a"), [100, 0, 55, 0]);
    assert_eq!(world.four("b"), [0, 0, 0, 0]);
    assert_eq!(world.four("c"), [5, 0, 0, 0]);
    // What is given back to a batch that waits waits with it; and to one whose time has come meanwhile it comes back.
    world.book("refund", &format!(r#""operation":"{}","points":5,"reason":"r""#, used.operation));
    assert_eq!(world.four("a"), [100, 0, 60, 0]);
    world.book("set_limit", r#""account":"b","credit_limit":0"#);
    world.now("2026-02-21T00:00:00Z");
    world.book("refund", &format!(r#""operation":"{}","points":"all","reason":"r""#, spent.operation));
    assert_eq!((world.four("a"), world.four("b")), ([160, 0, 0, 0], [10, 0, 0, 0]));
    world.consume("a", 1);
    for operation in [used.operation, spent.operation] {
        world.ledger.explain(&operation).unwrap();
    }
    world.proved();
}

/// An account was used up, in debt and paid, closed, all under a clock a year fast: points that came back reopen it, and pay
/// what was left open.
#[test]
fn points_that_come_back_pay_debts_and_reopen_a_closed_account() {
    let world = World::at("2026-01-01T00:00:00Z");
    for account in ["a", "b"] {
        world.recharge(account);
    }
    world.book("configure", r#""setting":"max_clock_jump","value":315360000"#);
    world.now("2027-01-01T00:00:00Z").consume("a", 30);
    world.book("close", r#""account":"b","reason":"left""#);
    assert_eq!((world.four("a"), world.four("b")), ([0, 0, 0, 30], [0, 0, 0, 0]));
    world.now("2026-01-02T00:00:00Z").book("confirm_clock", "");
    assert_eq!((world.four("a"), world.four("b")), ([70, 0, 0, 0], [100, 0, 0, 0]));
    world.consume("a", 1);
    assert_eq!(world.consume("b", 1).balance.available, 99);
    assert_eq!(world.kinds("a"), ["open", "recharge", "expire", "consume", "reinstate", "settle", "consume"]);
    assert_eq!(world.kinds("b"), ["open", "recharge", "expire", "close", "reopen", "reinstate", "consume"]);
    let totals = world.balance("a").totals.unwrap();
    assert_eq!((totals.expired, totals.reinstated), (100, 100));
    world.proved();
}

/// A kiosk got network time after a week with a fast clock. A clock that is known to be right takes time back by itself; a
/// few seconds are nothing.
#[test]
fn a_trusted_clock_takes_time_back() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.book("recharge", r#""account":"a","points":30,"source":"gift","expires_in_days":3"#);
    world.now("2026-01-08T00:00:00Z").consume("a", 5);
    assert_eq!(world.four("a"), [0, 0, 0, 5]);
    world.clock.set_trusted(true);
    assert_eq!(world.now("2026-01-07T23:59:00Z").consume("a", 0).booked_at, instant("2026-01-08T00:00:00Z"));
    assert_eq!(world.now("2026-01-02T00:00:00Z").four("a"), [25, 0, 0, 0]);
    let back = world.consume("a", 5);
    assert_eq!((back.booked_at, back.balance.available.get()), (instant("2026-01-02T00:00:00Z"), 20));
    world.clock.set_trusted(false);
    // Behind what is known it cannot be right.
    let refused = world.now("2026-01-01T23:59:59Z").ask("confirm_clock", "").unwrap_err();
    assert_eq!(refused.code(), "invalid_argument");
    assert!(!world.now("2026-01-02T00:00:00Z").book("confirm_clock", "").replayed);
    world.proved();
}

#[test]
fn a_clock_behind_the_files_creation_is_not_right() {
    let world = World::at("2026-01-01T00:00:00Z");
    let refused = world.now("2025-12-31T23:59:59Z").ask("confirm_clock", "").unwrap_err();
    assert_eq!((refused.code(), refused.details()["field"].as_str()), ("invalid_argument", Some("clock")));
    world.recharge("a");
    world.proved();
}

/// The line of the wrong day stands between its neighbours in every report, with its date; none is told twice or left out,
/// and each month begins with what the one before ended with.
#[test]
fn a_line_of_the_wrong_day_stands_between_its_neighbours() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.book("recharge", NEVER);
    world.now("2026-03-02T00:00:00Z").consume("a", 10);
    world.now("2026-01-02T00:00:00Z").book("confirm_clock", "");
    world.now("2026-01-05T00:00:00Z").consume("a", 1);
    world.now("2026-03-20T00:00:00Z").consume("a", 2);
    let account = AccountId::new("a").unwrap();
    let at = |time: &str| world.ledger.balance_at(&account, instant(time)).unwrap().figures.available;
    let asked = ["2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-20T00:00:00Z"];
    assert_eq!(asked.map(at), [50, 39, 39, 37]);
    let month = |n| counterfoil::Period::month(2026, n, chrono::FixedOffset::east_opt(0).unwrap()).unwrap();
    let told = |n| {
        let statement = world.ledger.statement(&account, &month(n)).unwrap();
        let lines: Vec<i64> = statement.lines.iter().map(|line| line.n).collect();
        let history = world.ledger.history(&account, &Query::new().within(month(n))).unwrap();
        assert!(history.items.iter().map(|line| line.n).eq(lines.iter().copied()));
        let used = counterfoil::Query::new().within(month(n));
        let used: i64 = world.ledger.usage(&used).unwrap().items.iter().map(|line| line.points).sum();
        (statement.opening.available.get(), lines, used, statement.closing.available.get())
    };
    assert_eq!(told(1), (0, vec![1, 2, 3, 4], 11, 39));
    assert_eq!(told(2), (39, vec![], 0, 39));
    assert_eq!(told(3), (39, vec![5], 2, 37));
    for entry in world.ledger.history(&account, &Query::new()).unwrap().items {
        if let Some(operation) = entry.operation {
            let own = world.ledger.history(&account, &Query::new().operation(operation)).unwrap().items;
            assert!(own.iter().any(|line| line.n == entry.n), "{entry:?}");
        }
    }
    world.proved();
}

/// The only line was of the wrong day, and the step back is not in the account's books yet: a statement up to a day still to
/// come has it all the same.
#[test]
fn a_period_that_is_not_over_has_every_line() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.now("2026-06-17T00:00:00Z").book("recharge", NEVER);
    world.now("2026-01-02T00:00:00Z").book("confirm_clock", "");
    let until = |time: &str| counterfoil::Period::new(None, Some(instant(time))).unwrap();
    let closing =
        |time: &str| world.ledger.statement(&AccountId::new("a").unwrap(), &until(time)).unwrap().closing.available;
    assert_eq!(["2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z", "2026-06-01T00:00:00Z"].map(closing), [0, 50, 50]);
    world.proved();
}

/// A clock swung between right and wrong, and was confirmed each time: nothing is given twice, nothing lost.
#[test]
fn a_clock_that_swings_gives_nothing_twice() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.recharge("a");
    world.book("configure", r#""setting":"max_clock_jump","value":315360000"#);
    for day in 2..9 {
        assert_eq!(world.now("2026-12-01T00:00:00Z").consume("a", 0).balance.available, 0);
        world.now(&format!("2026-01-0{day}T00:00:00Z")).book("confirm_clock", "");
        assert_eq!(world.consume("a", 1).balance.available, 100 - (day - 1));
    }
    let kinds = world.kinds("a");
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!((count("expire"), count("reinstate")), (7, 7));
    assert_eq!(world.now("2026-06-30T00:00:00Z").four("a"), [0, 0, 0, 0]);
    world.proved();
}

/// Points dated for February were held in part under the clock of March. After the step back the hold ended at the very instant at
/// which they become effective: what it gave back made the batch usable, and the rest of it stayed pending for ever.
#[test]
fn a_hold_that_ends_as_its_batch_begins_strands_nothing() {
    let world = World::at("2027-01-01T00:00:00Z");
    world.book("configure", r#""setting":"max_hold","value":1900800"#);
    world.book(
        "recharge",
        r#""account":"alice","points":100,"source":"s","expires_at":"never","effective_at":"2027-02-01T00:00:00Z""#,
    );
    world.clock.set_trusted(true);
    world.now("2027-03-01T00:00:00Z").book("hold", r#""account":"alice","points":40,"deadline_seconds":1000000"#);
    // 22 days before the batch begins: what is held longest ends then.
    world.now("2027-01-10T00:00:00Z").book("freeze", r#""account":"alice","reason":"r""#);
    assert_eq!(world.four("alice"), [0, 40, 60, 0]);
    world.now("2027-02-02T00:00:00Z");
    assert_eq!(world.four("alice"), [100, 0, 0, 0]);
    world.book("consume", r#""account":"alice","points":100"#);
    assert_eq!(world.four("alice"), [0, 0, 0, 0]);
    assert!(world.ledger.verify().unwrap().ok);
}

/// A kiosk with network time was half a minute fast, which is nothing, but somebody confirmed its clock all the same: that was
/// booked and did nothing. What is confirmed holds, on a trusted clock too.
#[test]
fn a_confirmed_clock_takes_seconds_back_where_it_is_trusted() {
    let world = World::at("2027-01-10T11:00:00Z");
    world.now("2027-01-10T12:00:30Z").recharge("alice");
    world.clock.set_trusted(true);
    world.now("2027-01-10T12:00:00Z");
    assert_eq!(world.consume("alice", 1).booked_at, instant("2027-01-10T12:00:30Z"));
    world.book("confirm_clock", "");
    assert_eq!(world.consume("alice", 1).booked_at, instant("2027-01-10T12:00:00Z"));
    assert!(world.ledger.verify().unwrap().ok);
}

/// A kiosk's clock was an hour slow. The balance said so; the statement that was printed for a customer, the explanation and
/// the check a program went by did not, and neither did they when the clock was years ahead.
#[test]
fn every_answer_about_the_present_says_how_the_clock_stands() {
    let world = World::at("2026-01-01T00:00:00Z");
    world.now("2026-01-10T01:00:00Z").recharge("a");
    let account = AccountId::new("a").unwrap();
    let told = || {
        let (ledger, all) = (&world.ledger, counterfoil::Period::all());
        let balance = ledger.balance(&account).unwrap();
        let statement = ledger.statement(&account, &all).unwrap();
        let missing = ledger.explain_missing(&account, &all, 10).unwrap();
        let check = ledger.check(&account, counterfoil::Points::new(5).unwrap()).unwrap();
        let info = ledger.info().unwrap();
        let told = [
            (balance.clock_suspect, balance.clock_behind),
            (statement.clock_suspect, statement.clock_behind),
            (missing.clock_suspect, missing.clock_behind),
            (check.clock_suspect, check.clock_behind),
            (info.clock_suspect, info.clock_behind),
        ];
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        let clock = ledger.clock().unwrap();
        assert_eq!(told[0], (clock.suspect, clock.behind));
        told[0]
    };
    assert_eq!(told(), (false, 0));
    world.now("2026-01-10T00:00:00Z");
    assert_eq!(told(), (false, 3600));
    world.now("2029-01-10T00:00:00Z");
    assert_eq!(told(), (true, 0));
}
