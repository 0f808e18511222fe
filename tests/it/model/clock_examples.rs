//! Clocks that were wrong, with the numbers worked out by hand. Days and hours count from the ledger's creation.

use super::books::Reading;
use super::examples::{Desk, at, when};
use super::instant;
use serde_json::{Value, json};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn trusted(seconds: i64) -> Reading {
    Reading { trusted: true, ..at(seconds) }
}

impl Desk {
    fn confirm(&mut self, seconds: i64) -> Result<Value, String> {
        self.run(seconds, json!({"op": "confirm_clock"}))
    }

    fn kinds(&self, seconds: i64) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let history = self.model.history("ann", at(seconds));
        history.iter().map(|entry| (text(&entry["kind"]), text(&entry["booked_at"]))).collect()
    }

    fn balance(&self, seconds: i64) -> Value {
        self.model.balance("ann", None, at(seconds))
    }

    /// available, held, pending, debt at a past instant.
    fn then(&self, seconds: i64, now: i64) -> [i64; 4] {
        let balance = self.model.balance("ann", Some(at(seconds).ms), at(now));
        ["available", "held", "pending", "debt"].map(|name| balance[name].as_i64().unwrap_or(-1))
    }
}

fn booked(kinds: &[(&str, i64)]) -> Vec<(String, String)> {
    kinds.iter().map(|(kind, seconds)| (kind.to_string(), when(*seconds))).collect()
}

/// One charge under a clock 60 days fast. The clock was set right and confirmed: a hold of an hour ends within the hour,
/// and the charge stands in the statement where it was made.
#[test]
fn a_clock_fast_for_one_charge_has_a_way_back() {
    let mut desk = Desk::new();
    desk.recharge(0, 100, Some(180 * DAY));
    assert_eq!(desk.consume(60 * DAY, 10)["booked_at"], when(60 * DAY));
    let told = desk.balance(DAY);
    assert_eq!((&told["available"], &told["clock_behind"]), (&json!(90), &json!(59 * DAY)));

    let confirmed = desk.confirm(DAY).expect("booked");
    assert_eq!((&confirmed["clock_behind"], &confirmed["booked_at"]), (&Value::Null, &json!(when(DAY))));
    let held = desk.does(DAY, json!({"op": "hold", "points": 50, "deadline_seconds": HOUR}));
    assert_eq!((&held["booked_at"], desk.figures(DAY)), (&json!(when(DAY)), (40, 50, 0)));
    let later = desk.balance(19 * DAY);
    assert_eq!((&later["held"], &later["available"], &later["clock_behind"]), (&json!(0), &json!(90), &Value::Null));

    assert_eq!(desk.then(DAY - 1, 19 * DAY), [100, 0, 0, 0]);
    assert_eq!(desk.then(DAY, 19 * DAY), [40, 50, 0, 0]);
    assert_eq!(desk.then(DAY + HOUR, 19 * DAY), [90, 0, 0, 0]);
    assert_eq!(desk.then(60 * DAY, 61 * DAY), [90, 0, 0, 0]);
    let ms = |seconds: i64| Some(at(seconds).ms);
    let statement = desk.model.statement("ann", ms(HOUR), ms(2 * DAY), at(19 * DAY));
    let lines = json!([[3, "consume", when(60 * DAY)], [4, "hold", when(DAY)], [5, "hold_expire", when(DAY + HOUR)]]);
    assert_eq!(statement["lines"], lines);
    assert_eq!((&statement["opening"]["net"], &statement["closing"]["net"]), (&json!(100), &json!(90)));
    let early = desk.model.statement("ann", None, ms(HOUR), at(19 * DAY));
    assert_eq!(early["lines"], json!([[1, "open", when(0)], [2, "recharge", when(0)]]));
}

/// A buyer comes back after seven months and uses the app for four more. A day later the clock is believed, and the points
/// of 180 days are gone.
#[test]
fn a_ledger_nobody_opened_is_believed_after_a_day() {
    let mut desk = Desk::new();
    let back = 212 * DAY + 9 * HOUR;
    desk.recharge(0, 100, Some(180 * DAY));
    let first = desk.consume(back, 5);
    assert_eq!((&first["clock_suspect"], &first["booked_at"]), (&json!(true), &json!(when(0))));
    let almost = desk.consume(back + DAY - 1, 5);
    assert_eq!((&almost["clock_suspect"], desk.figures(back + DAY - 1)), (&json!(true), (90, 0, 0)));
    assert_eq!(desk.balance(back + DAY)["available"], 0);
    let second = desk.consume(back + DAY, 5);
    assert_eq!((&second["clock_suspect"], &second["booked_at"]), (&Value::Null, &json!(when(back + DAY))));
    assert_eq!((&second["open"], &second["balance"]["debt"]), (&json!(5), &json!(5)));
    let september = desk.consume(257 * DAY + 9 * HOUR, 5);
    assert_eq!((&september["balance"]["debt"], &september["clock_suspect"]), (&json!(10), &Value::Null));
    let strict = json!({"op": "consume", "points": 5, "policy": "strict"});
    assert_eq!(desk.run(334 * DAY + 9 * HOUR, strict), Err("account_in_debt".into()));
    assert_eq!(desk.balance(334 * DAY)["totals"]["expired"], 90);
}

/// A clock was 200 days fast for 23 hours, right for one charge, and fast again. Patience begins anew.
#[test]
fn patience_begins_again_after_a_reading_in_range() {
    let mut desk = Desk::new();
    let fast = 200 * DAY;
    desk.recharge(0, 10, Some(30 * DAY));
    desk.consume(fast, 1);
    desk.consume(fast + 23 * HOUR, 1);
    assert_eq!(desk.consume(23 * HOUR, 1)["booked_at"], when(23 * HOUR));
    assert_eq!(desk.consume(fast + 25 * HOUR, 1)["clock_suspect"], true);
    assert_eq!(desk.consume(fast + 49 * HOUR - 1, 1)["booked_at"], when(23 * HOUR));
    assert_eq!(desk.figures(fast + 49 * HOUR - 1), (5, 0, 0));
    // Shorter patience ends it at once: 24 hours less a second since the first.
    desk.does(fast + 49 * HOUR - 1, json!({"op": "configure", "setting": "clock_patience", "value": HOUR}));
    assert_eq!(desk.figures(fast + 49 * HOUR - 1), (0, 0, 0));
    let none = json!({"op": "configure", "setting": "clock_patience", "value": 0});
    assert_eq!(desk.run(0, none), Err("invalid_argument".into()));
}

/// Points lapsed under a clock 40 days fast, and a charge went into debt. Confirmed, the points come back and pay it.
#[test]
fn what_wrong_time_let_lapse_comes_back_and_pays() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(30 * DAY));
    desk.recharge(0, 10, None);
    assert_eq!(desk.consume(40 * DAY, 15)["open"], 5);
    assert_eq!(desk.figures(HOUR), (0, 0, 5));
    desk.confirm(HOUR).expect("booked");
    assert_eq!(desk.figures(HOUR), (5, 0, 0));
    let mut kinds =
        booked(&[("open", 0), ("recharge", 0), ("recharge", 0), ("expire", 30 * DAY), ("consume", 40 * DAY)]);
    kinds.extend(booked(&[("reinstate", HOUR), ("settle", HOUR)]));
    assert_eq!(desk.kinds(HOUR), kinds);
    let history = desk.model.history("ann", at(HOUR));
    assert_eq!((&history[5]["points"], &history[5]["batch"]), (&json!(10), &json!("batch:1.1")));
    assert_eq!((&history[6]["points"], &history[6]["unbooked"]), (&json!(5), &json!(true)));
    // No sweep books them, for nothing is due; the next operation does, and nothing is left to take back.
    assert_eq!(desk.model.expire(at(HOUR)), 0);
    assert_eq!(desk.model.history("ann", at(HOUR))[6]["unbooked"], json!(true));
    desk.consume(HOUR, 0);
    kinds.extend(booked(&[("consume", HOUR)]));
    assert_eq!(desk.kinds(30 * DAY - 1), kinds);
    let totals = desk.balance(30 * DAY)["totals"].clone();
    assert_eq!((&totals["expired"], &totals["reinstated"]), (&json!(15), &json!(10)));
    assert_eq!(desk.figures(30 * DAY), (0, 0, 0));
}

/// A batch that really ended while the clock was wrong stays gone.
#[test]
fn what_ended_in_right_time_stays_gone() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(2 * DAY));
    desk.recharge(0, 10, Some(30 * DAY));
    desk.consume(40 * DAY, 1);
    desk.confirm(3 * DAY).expect("booked");
    assert_eq!(desk.figures(3 * DAY), (9, 0, 0));
    assert_eq!((desk.batch(3 * DAY, 0, "expired"), desk.batch(3 * DAY, 1, "used")), (10, 1));
}

/// Points bought under a fast clock must not vanish; only those that somebody asked to have later wait again.
#[test]
fn a_purchase_under_a_fast_clock_stays_live() {
    let mut desk = Desk::new();
    let line = |points: i64, effective: Option<i64>| {
        let effective_at = effective.map(|days| when(days * DAY));
        let mut line = json!({"op": "recharge", "points": points, "source": "card", "expires_at": "never"});
        effective_at.map(|at| line.as_object_mut().map(|line| line.insert("effective_at".into(), json!(at))));
        line
    };
    desk.does(40 * DAY, line(7, None));
    desk.does(40 * DAY, line(5, Some(35)));
    desk.does(40 * DAY, line(3, Some(50)));
    desk.consume(40 * DAY, 8);
    assert_eq!(desk.then(40 * DAY, 40 * DAY), [4, 0, 3, 0]);
    desk.confirm(DAY).expect("booked");
    assert_eq!(desk.then(DAY, DAY), [0, 0, 7, 0]);
    let last = desk.model.history("ann", at(DAY)).pop().expect("entries");
    assert_eq!((&last["kind"], &last["points"], &last["batch"]), (&json!("reinstate"), &json!(4), &json!("batch:2.1")));
    assert_eq!(last["change"], json!({"available": -4, "held": 0, "pending": 4, "debt": 0}));
    let states: Vec<Value> = desk.model.batches("ann", at(DAY)).iter().map(|batch| batch["state"].clone()).collect();
    assert_eq!(states, ["spent", "pending", "pending"]);
    assert_eq!(desk.then(35 * DAY, 35 * DAY), [4, 0, 3, 0]);
    assert_eq!(desk.then(50 * DAY, 50 * DAY), [7, 0, 0, 0]);
}

/// A batch that waits again had been spent whole. What a refund gives back to it waits too, and becomes effective in time.
#[test]
fn what_is_given_back_to_a_waiting_batch_waits() {
    let mut desk = Desk::new();
    let recharge = json!({"op": "recharge", "points": 5, "source": "card", "effective_at": when(35 * DAY)});
    desk.does(40 * DAY, recharge);
    let spent = desk.consume(40 * DAY, 5);
    desk.confirm(DAY).expect("booked");
    let refund = json!({"op": "refund", "operation": spent["operation"], "points": 2, "reason": "test"});
    assert_eq!(desk.does(2 * DAY, refund)["restored"], 2);
    assert_eq!(desk.then(2 * DAY, 2 * DAY), [0, 0, 2, 0]);
    assert_eq!(desk.then(35 * DAY, 35 * DAY), [2, 0, 0, 0]);
}

/// A hold of a day was made 40 days ahead. It ends within a day of right time, counted from when the account is caught up.
#[test]
fn a_hold_of_wrong_time_ends_within_max_hold() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, None);
    desk.does(40 * DAY, json!({"op": "hold", "points": 4, "deadline_seconds": DAY}));
    desk.confirm(DAY).expect("booked");
    assert_eq!(desk.model.holds("ann", at(DAY))[0]["deadline"], when(2 * DAY));
    desk.consume(DAY + HOUR, 1);
    assert_eq!(desk.model.holds("ann", at(DAY + HOUR))[0]["deadline"], when(2 * DAY + HOUR));
    assert_eq!(desk.figures(2 * DAY + HOUR - 1), (5, 4, 0));
    assert_eq!(desk.figures(2 * DAY + HOUR), (9, 0, 0));
}

/// An account was closed when wrong time had emptied it. Its points come back, and it is open again.
#[test]
fn points_that_come_back_reopen_a_closed_account() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(30 * DAY));
    desk.does(40 * DAY, json!({"op": "close", "reason": "left"}));
    assert_eq!(desk.balance(40 * DAY)["state"], "closed");
    desk.confirm(DAY).expect("booked");
    let balance = desk.balance(DAY);
    assert_eq!((&balance["state"], &balance["available"]), (&json!("active"), &json!(10)));
    let kinds = desk.kinds(DAY);
    assert_eq!(kinds[3..], booked(&[("close", 40 * DAY), ("reopen", DAY), ("reinstate", DAY)]));
    desk.does(DAY, json!({"op": "consume", "points": 10, "policy": "strict"}));
}

/// Network time corrects a clock by itself, but does not begin a stretch for every second it lags.
#[test]
fn a_trusted_clock_steps_back_when_more_than_a_minute_behind() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, None);
    let consume = |key: &str| json!({"op": "consume", "points": 1, "key": key});
    desk.run(HOUR, consume("a")).expect("booked");
    let near = desk.run_at(trusted(HOUR - MINUTE), consume("b")).expect("booked");
    assert_eq!((&near["booked_at"], &near["clock_behind"]), (&json!(when(HOUR)), &Value::Null));
    let behind = Reading { ms: at(HOUR - MINUTE).ms - 1, trusted: false };
    let slow = desk.run_at(behind, consume("c")).expect("booked");
    assert_eq!((&slow["booked_at"], &slow["clock_behind"]), (&json!(when(HOUR)), &json!(60)));
    let right = desk.run_at(Reading { trusted: true, ..behind }, consume("d")).expect("booked");
    assert_eq!((&right["booked_at"], &right["clock_behind"]), (&json!(instant::text(behind.ms)), &Value::Null));
    assert_eq!(desk.figures(HOUR), (6, 0, 0));
}

/// Nobody can confirm a time before the ledger was, or before a clock that knew.
#[test]
fn an_impossible_time_is_not_confirmed() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, None);
    assert_eq!(desk.confirm(-1), Err("invalid_argument".into()));
    desk.confirm(0).expect("booked");
    desk.run_at(trusted(DAY), json!({"op": "consume", "points": 1})).expect("booked");
    assert_eq!(desk.confirm(DAY - 1), Err("invalid_argument".into()));
    desk.confirm(3 * DAY).expect("booked");
    desk.confirm(DAY).expect("booked");
    assert_eq!(desk.model.clock.accepted, at(DAY).ms);
    // A trusted clock needs nobody's word.
    desk.run_at(trusted(-DAY), json!({"op": "consume", "points": 1})).expect("booked");
    assert_eq!(desk.model.clock.accepted, at(-DAY).ms);
}

/// The clock went back, but the account was used only before it went wrong, or after right time had passed it: no stretch.
#[test]
fn a_stretch_begins_only_where_it_must() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(30 * DAY));
    desk.does(40 * DAY, json!({"op": "consume", "account": "bob", "points": 1}));
    desk.confirm(DAY).expect("booked");
    desk.consume(2 * DAY, 1);
    assert_eq!(desk.kinds(2 * DAY), booked(&[("open", 0), ("recharge", 0), ("consume", 2 * DAY)]));
    let later = desk.does(41 * DAY, json!({"op": "consume", "account": "bob", "points": 1}));
    assert_eq!(later["booked_at"], when(41 * DAY));
    // Slow is not back: without a step back the books wait for the clock.
    let slow = desk.consume(DAY, 1);
    assert_eq!((&slow["booked_at"], &slow["clock_behind"]), (&json!(when(2 * DAY)), &json!(40 * DAY)));
}

/// A sweep books no further than the log's newest reading, so it first books that reading: once, for the file alone. A
/// suspect one it notes too: a host that only reads would otherwise never be believed.
#[test]
fn a_sweep_first_books_its_reading() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(30 * DAY));
    assert_eq!((desk.model.expire(at(0)), desk.model.log.len()), (0, 1));
    assert_eq!((desk.model.expire(at(200 * DAY)), desk.model.log.len()), (0, 2));
    assert_eq!((desk.model.expire(at(200 * DAY + HOUR)), desk.model.log.len()), (0, 2));
    assert_eq!(desk.model.clock.accepted, at(0).ms);
    assert_eq!((desk.model.expire(at(201 * DAY)), desk.model.log.len()), (10, 3));
    assert_eq!(desk.model.clock.accepted, at(201 * DAY).ms);
    assert_eq!((desk.model.expire(at(201 * DAY)), desk.model.log.len()), (0, 3));
    assert!(desk.model.log[1..].iter().all(|booked| booked.request.op == "expire" && booked.scope.is_none()));
    let last = desk.model.history("ann", at(201 * DAY)).pop().expect("entries");
    assert_eq!((&last["kind"], &last["operation"]), (&json!("expire"), &Value::Null));
    assert_eq!(desk.consume(201 * DAY, 1)["operation"], "op:4");
}

/// A scheduled purchase would have become effective on the way: a far reading is not believed either.
#[test]
fn a_reading_past_an_activation_is_suspect() {
    let mut desk = Desk::new();
    let recharge = json!({"op": "recharge", "points": 5, "source": "card", "expires_at": "never"});
    let mut later = recharge.clone();
    later["effective_at"] = json!(when(10 * DAY));
    desk.does(0, recharge);
    assert_eq!(desk.balance(200 * DAY)["clock_suspect"], Value::Null);
    desk.does(0, later);
    assert_eq!(desk.balance(200 * DAY)["clock_suspect"], true);
    assert_eq!(desk.then(200 * DAY, 200 * DAY), [10, 0, 0, 0]);
}

/// An empty battery: the clock says 1960. It counts as 1970, work goes on, and the slow clock is told.
#[test]
fn a_clock_before_1970_counts_as_1970() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(30 * DAY));
    let old = Reading { ms: instant::parse("1960-01-01T00:00:00Z").expect("instant"), trusted: false };
    let consumed = desk.run_at(old, json!({"op": "consume", "points": 3})).expect("booked");
    assert_eq!((&consumed["booked_at"], &consumed["recorded_at"]), (&json!(when(0)), &json!(instant::text(0))));
    assert_eq!(consumed["clock_behind"], at(0).ms / 1_000);
    assert_eq!(consumed["balance"]["available"], 7);
}
