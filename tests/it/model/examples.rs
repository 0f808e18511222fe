//! The worked examples of design §13 (all but 10), on the model.

use super::books::{Model, Reading};
use super::generate::START;
use super::instant::{self, DAY, SECOND};
use super::prices::Prices;
use serde_json::{Value, json};

/// A model and a clock in seconds since START.
pub struct Desk {
    pub model: Model,
    keys: usize,
}

pub fn at(seconds: i64) -> Reading {
    Reading { ms: START + seconds * SECOND, trusted: false }
}

pub fn when(seconds: i64) -> String {
    instant::text(at(seconds).ms)
}

impl Desk {
    pub fn new() -> Desk {
        Desk { model: Model::new(START, Prices::none()), keys: 0 }
    }

    pub fn run(&mut self, seconds: i64, line: Value) -> Result<Value, String> {
        self.run_at(at(seconds), line)
    }

    pub fn run_at(&mut self, reading: Reading, mut line: Value) -> Result<Value, String> {
        self.keys += 1;
        if line.get("key").is_none() {
            line["key"] = json!(format!("key {}", self.keys));
        }
        let account = !matches!(
            line["op"].as_str(),
            Some("capture" | "release" | "refund" | "revoke" | "set_expiry" | "configure" | "confirm_clock")
        );
        if account && line.get("account").is_none() {
            line["account"] = json!("ann");
        }
        let answer = self.model.apply(&line, reading).map_err(|refusal| refusal.code);
        self.model.check_invariants(reading);
        answer
    }

    pub fn does(&mut self, seconds: i64, line: Value) -> Value {
        self.run(seconds, line.clone()).unwrap_or_else(|code| panic!("{code}: {line}"))
    }

    pub fn recharge(&mut self, seconds: i64, points: i64, until: Option<i64>) -> String {
        let expires_at = until.map_or("never".into(), when);
        let line = json!({"op": "recharge", "points": points, "source": "card", "expires_at": expires_at});
        self.does(seconds, line)["batch"]["batch"].as_str().unwrap_or_default().into()
    }

    pub fn consume(&mut self, seconds: i64, points: i64) -> Value {
        self.does(seconds, json!({"op": "consume", "points": points}))
    }

    /// available, held, debt.
    pub fn figures(&self, seconds: i64) -> (i64, i64, i64) {
        let balance = self.model.balance("ann", None, at(seconds));
        let figure = |name: &str| balance[name].as_i64().unwrap_or(-1);
        (figure("available"), figure("held"), figure("debt"))
    }

    pub fn batch(&self, seconds: i64, which: usize, field: &str) -> i64 {
        self.model.batches("ann", at(seconds))[which][field].as_i64().unwrap_or(-1)
    }
}

fn refund(of: &Value, points: Value) -> Value {
    json!({"op": "refund", "operation": of["operation"], "points": points, "reason": "test"})
}

#[test]
fn example_1_debt_is_settled_by_the_next_batch() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(100));
    let consumed = desk.consume(1, 15);
    assert_eq!((&consumed["open"], desk.figures(1)), (&json!(5), (0, 0, 5)));
    desk.recharge(2, 20, Some(100));
    let expected = json!([{"batch": "batch:1.1", "points": 10}, {"batch": "batch:3.1", "points": 5}]);
    assert_eq!(json!(desk.model.allocations(2)), expected);
    let balance = desk.model.balance("ann", None, at(100));
    assert_eq!((&balance["net"], &balance["totals"]["expired"]), (&json!(0), &json!(15)));
}

#[test]
fn example_2_expiry_needs_no_sweep() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(10));
    assert_eq!(desk.figures(9), (10, 0, 0));
    assert_eq!(desk.figures(10), (0, 0, 0));
    assert_eq!(desk.model.check("ann", 1, at(10))["allowed"], false);
    assert_eq!(desk.consume(10, 10)["balance"]["debt"], 10);
}

#[test]
fn example_3_one_consume_draws_from_two_batches() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(200));
    desk.recharge(0, 3, Some(100));
    let expected = json!([{"batch": "batch:2.1", "points": 3}, {"batch": "batch:1.1", "points": 5}]);
    assert_eq!(desk.consume(1, 8)["allocations"], expected);
}

#[test]
fn example_4_the_same_callback_twice() {
    let mut desk = Desk::new();
    let mut line = json!({"op": "recharge", "points": 10, "source": "wxpay", "key": "order"});
    let first = desk.does(0, line.clone());
    let mut second = desk.does(5, line.clone());
    assert_eq!(second["replayed"], true);
    second["replayed"] = json!(false);
    let now = second.as_object_mut().unwrap().remove("balance_now");
    assert_eq!((now.as_ref(), &second), (Some(&first["balance"]), &first));
    line["points"] = json!(11);
    assert_eq!(desk.run(6, line), Err("key_reused".into()));
    assert_eq!(desk.model.batches("ann", at(6)).len(), 1);
}

#[test]
fn example_5_five_jobs_want_the_same_points() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(1_000));
    let hold = json!({"op": "hold", "points": 10, "deadline_seconds": 60});
    let answers: Vec<_> = (0..5).map(|_| desk.run(1, hold.clone())).collect();
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|answer| *answer == Err("insufficient_points".into())));
}

#[test]
fn example_6_held_slices_outlive_their_batch() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(10));
    desk.does(1, json!({"op": "hold", "points": 8, "deadline_seconds": 60}));
    assert_eq!((desk.figures(10), desk.batch(10, 0, "expired")), ((0, 8, 0), 2));
    let captured = desk.does(15, json!({"op": "capture", "hold": "hold:2", "points": 5}));
    assert_eq!((&captured["lapsed"], &captured["restored"]), (&json!(3), &Value::Null));
    assert_eq!((desk.batch(15, 0, "used"), desk.batch(15, 0, "expired")), (5, 5));
    let kinds: Vec<Value> = desk.model.history("ann", at(15)).iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(kinds, ["open", "recharge", "hold", "expire", "capture"]);
}

#[test]
fn example_7_a_chargeback_after_the_points_were_spent() {
    for (late, expected) in [(1, "before"), (100, "after")] {
        let mut desk = Desk::new();
        let batch = desk.recharge(0, 100, Some(50));
        let spent = desk.consume(1, 60);
        let revoke = json!({"op": "revoke", "batch": batch, "points": "all", "reason": "chargeback"});
        let revoked = desk.does(2, revoke.clone());
        assert_eq!((&revoked["points"], &revoked["owed"]), (&json!(100), &json!(60)));
        assert_eq!(desk.figures(2), (0, 0, 60));
        assert_eq!(desk.run(3, revoke), Err("limit_exceeded".into()));
        desk.does(2 + late, refund(&spent, json!(60)));
        assert_eq!(desk.figures(2 + late), (0, 0, 0), "{expected}");
        assert_eq!(desk.batch(2 + late, 0, "revoked"), 100);
    }
}

#[test]
fn example_8_a_clock_that_is_wrong_for_an_hour() {
    let mut desk = Desk::new();
    let days = |n: i64| n * DAY / SECOND;
    desk.recharge(0, 10, Some(days(30)));
    let wrong = desk.consume(days(200), 1);
    assert_eq!((&wrong["clock_suspect"], &wrong["booked_at"]), (&json!(true), &json!(when(0))));
    assert_eq!(wrong["recorded_at"], json!(when(days(200))));
    desk.consume(days(200) + 3_600, 1);
    let right = desk.consume(3_600, 1);
    assert_eq!((&right["clock_suspect"], &right["booked_at"]), (&Value::Null, &json!(when(3_600))));
    assert_eq!(desk.figures(3_600), (7, 0, 0));
    desk.does(days(200), json!({"op": "confirm_clock"}));
    assert_eq!(desk.figures(days(200)), (0, 0, 0));
}

#[test]
fn example_8_a_kiosk_that_begins_in_the_year_2000() {
    let old = Reading { ms: instant::parse("2000-01-01T00:00:00Z").unwrap_or(0), trusted: false };
    let mut model = Model::new(old.ms, Prices::none());
    let recharge = json!({"op": "recharge", "account": "ann", "key": "a", "points": 10, "source": "card"});
    let consume = json!({"op": "consume", "account": "ann", "key": "b", "points": 4});
    model.apply(&recharge, old).expect("booked");
    let late = model.apply(&consume, at(0)).expect("booked");
    assert_eq!((&late["balance"]["available"], &late["clock_suspect"]), (&json!(6), &json!(true)));
    model
        .apply(&json!({"op": "recharge", "account": "ann", "key": "c", "points": 1, "source": "card"}), at(1))
        .expect("booked");
    model.apply(&json!({"op": "confirm_clock", "key": "d"}), at(2)).expect("booked");
    assert_eq!(model.balance("ann", None, at(2))["available"], 1);
    model.check_invariants(at(2));
}

#[test]
fn example_9_a_late_consume_draws_what_lapsed() {
    let mut desk = Desk::new();
    desk.does(0, json!({"op": "configure", "setting": "late_window", "value": 20}));
    desk.recharge(0, 10, Some(10));
    let before: Vec<Value> =
        (10..16).map(|t| desk.model.balance("ann", Some(at(t).ms), at(15))["available"].clone()).collect();
    let late = desk.does(16, json!({"op": "consume", "points": 6, "occurred_at": when(8)}));
    assert_eq!((&late["reinstated"], &late["open"]), (&json!(6), &Value::Null));
    assert_eq!((desk.batch(16, 0, "used"), desk.batch(16, 0, "expired")), (6, 4));
    let after: Vec<Value> =
        (10..16).map(|t| desk.model.balance("ann", Some(at(t).ms), at(16))["available"].clone()).collect();
    assert_eq!(before, after);
    desk.does(17, refund(&late, json!("all")));
    assert_eq!((desk.batch(17, 0, "used"), desk.batch(17, 0, "expired")), (0, 10));
}

#[test]
fn example_11_debt_is_not_paid_from_a_dead_batch() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(10));
    desk.does(0, json!({"op": "hold", "points": 10, "deadline_seconds": 10}));
    desk.consume(1, 5);
    assert_eq!(desk.figures(10), (0, 0, 5));
    assert_eq!((desk.batch(10, 0, "used"), desk.batch(10, 0, "expired")), (0, 10));
}

#[test]
fn example_12_what_was_written_off_is_not_refundable() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(100));
    let consumed = desk.consume(1, 15);
    desk.does(2, json!({"op": "write_off", "points": 5, "reason": "test"}));
    assert_eq!(desk.run(3, refund(&consumed, json!(11))), Err("limit_exceeded".into()));
    assert_eq!(desk.does(3, refund(&consumed, json!("all")))["points"], 10);
    assert_eq!(desk.figures(3), (10, 0, 0));
}

#[test]
fn example_13_a_late_capture_is_paid_by_its_own_slices() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(10));
    desk.does(0, json!({"op": "hold", "points": 8, "deadline_seconds": 12}));
    let captured = desk.does(13, json!({"op": "capture", "hold": "hold:2", "points": 8}));
    assert_eq!((&captured["reinstated"], &captured["open"]), (&json!(8), &Value::Null));
    assert_eq!(desk.figures(13), (0, 0, 0));
    let again = json!({"op": "capture", "hold": "hold:2", "points": 1});
    assert_eq!(desk.run(14, again), Err("hold_closed".into()));
}

#[test]
fn example_14_balance_and_history_agree() {
    let mut desk = Desk::new();
    desk.recharge(0, 10, Some(10));
    let history = desk.model.history("ann", at(11));
    let last = history.last().expect("entries");
    assert_eq!((&last["kind"], &last["unbooked"]), (&json!("expire"), &json!(true)));
    assert_eq!(last["booked_at"], json!(when(10)));
    assert_eq!(last["after"]["available"], desk.figures(11).0);
}

#[test]
fn prices_are_exact() {
    use super::prices::{Dec, Usage};
    let book = Prices::sample();
    let seconds = |text: &str| Usage::Seconds(Dec::parse(text).expect("decimal"));
    let tokens = |n: i64| Usage::Quantity(Dec::whole(n), None);
    let expected = [
        ("fine", seconds("2.1"), Ok(7)),
        ("fine", seconds("0"), Ok(2)),
        ("tts", seconds("3.001"), Ok(2)),
        ("video", seconds("2.5"), Ok(5)),
        ("video", seconds("0"), Ok(3)),
        ("tokens", tokens(200), Ok(0)),
        ("tokens", tokens(201), Ok(3)),
        ("tokens", tokens(1_201), Ok(6)),
        ("tokens", tokens(99_000), Ok(12)),
        ("script", Usage::None, Ok(4)),
        ("preview", Usage::None, Ok(0)),
        ("tts", Usage::None, Err("invalid_argument")),
        ("none", Usage::None, Err("unknown_service")),
    ];
    for (service, usage, points) in expected {
        assert_eq!(book.price(service, &usage), points, "{service} {usage:?}");
    }
    let chars = Usage::Chars(Dec::whole(25));
    assert_eq!(book.estimate("tts", &chars), Ok(3));
}

#[test]
fn months_and_days_end_where_the_calendar_says() {
    use super::instant::{Span, later, parse, text};
    let from = parse("2026-01-31T20:00:00Z").expect("instant");
    let told = |span, offset| later(from, span, offset).map(text);
    assert_eq!(told(Span::Months(1), None).as_deref(), Some("2026-02-28T20:00:00.000Z"));
    assert_eq!(told(Span::Days(1), Some(8 * 3_600)).as_deref(), Some("2026-02-02T16:00:00.000Z"));
    assert_eq!(told(Span::Months(1), Some(8 * 3_600)).as_deref(), Some("2026-03-01T16:00:00.000Z"));
}
