//! Rollover: worked examples. What is left at a batch's end moves on, up to a cap.

use chrono::TimeDelta;
use counterfoil::answer::BatchInfo;
use counterfoil::{AccountId, Every, ExpiresIn, Key, Ledger, Period, Plan, Points, Query, Recharge, Request, Rollover};
use serde_json::{Value, json};

use crate::explain::causes::adds_up;
use crate::support::{World, instant};

const DAY: u64 = 24 * 3600;

fn alice() -> AccountId {
    AccountId::new("alice").unwrap()
}

fn points(points: i64) -> Points {
    Points::new(points).unwrap()
}

/// Kind and points of each line but the first so many.
fn lines(ledger: &Ledger, skip: usize) -> Vec<(String, i64)> {
    let page = ledger.history(&alice(), &Query::new().limit(1_000)).unwrap();
    page.items.iter().skip(skip).map(|line| (line.kind.to_string(), line.points.get())).collect()
}

fn line(kind: &str, points: i64) -> (String, i64) {
    (kind.to_string(), points)
}

fn batches(ledger: &Ledger) -> Vec<BatchInfo> {
    ledger.batches(&alice(), &Query::new().all(true)).unwrap().items
}

/// 100 points for a day, of which 30 roll over for ten days.
fn recharged() -> World {
    let world = World::empty();
    let keeps = Rollover::new(points(30), ExpiresIn::Days(10));
    let recharge = Recharge::new(points(100), "plan:pro").expires(ExpiresIn::Days(1)).rollover(keeps);
    world.ledger.recharge(&alice(), &Key::new("1").unwrap(), recharge).unwrap();
    world
}

fn must(world: &World, line: Value) -> counterfoil::Receipt {
    world.apply(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn refused(world: &World, line: &Value) -> &'static str {
    world.apply(line).unwrap_err().code()
}

/// A subscriber has 80 points left at the month's end. 30 of them are there afterwards, the rest is gone, and every list says so
/// before anybody books anything; what has rolled over once lapses at its own end.
#[test]
fn what_is_left_moves_on_up_to_the_cap() {
    let world = recharged();
    must(&world, json!({"op":"consume","account":"alice","key":"2","points":20}));
    let soon = world.ledger.expiring(instant("2027-01-12T00:00:00Z"), Some(&alice())).unwrap();
    assert_eq!((soon[0].remaining.get(), soon[0].would_roll.get()), (80, 30));
    world.advance(DAY);
    let rolled = [line("rollover", 30), line("expire", 50)];
    assert_eq!(lines(&world.ledger, 3), rolled);
    let balance = world.ledger.balance(&alice()).unwrap();
    let totals = balance.totals.unwrap();
    assert_eq!((balance.figures.available.get(), totals.rolled, totals.expired), (30, 30, 50));
    world.ledger.expire(None).unwrap();
    assert_eq!(lines(&world.ledger, 3), rolled);
    let [old, new] = &batches(&world.ledger)[..] else { panic!("two batches") };
    assert_eq!((old.moved.get(), old.expired.get(), old.would_roll.get()), (30, 50, 0));
    assert_eq!((new.amount.get(), new.remaining.get(), new.from_batch), (30, 30, Some(old.batch)));
    assert_eq!(
        (new.source.as_str(), new.operation, new.effective_at),
        ("plan:pro", old.operation, old.expires_at.unwrap())
    );
    assert_eq!((new.expires_at, &new.rollover), (Some(instant("2027-01-21T12:00:00Z")), &None));
    world.advance(10 * DAY);
    assert_eq!(lines(&world.ledger, 5), [line("expire", 30)]);
    world.ledger.expire(None).unwrap();
    assert!(world.ledger.verify().unwrap().ok);
}

/// A job holds points when the month ends: they do not roll over, and what it gives back later lapses.
#[test]
fn what_is_held_does_not_roll_over() {
    let mut world = recharged();
    world.must("job", r#"{"op":"hold","account":"alice","key":"2","points":95,"deadline_seconds":86400}"#);
    world.advance(DAY - 1);
    world.must("", r#"{"op":"renew","hold":"@job","key":"1","deadline_seconds":3600}"#);
    world.advance(1);
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 5);
    let released = world.must("", r#"{"op":"release","hold":"@job","key":"1"}"#);
    assert_eq!((released.lapsed.get(), released.balance.available.get()), (95, 5));
    assert!(world.ledger.verify().unwrap().ok);
}

/// The order is refunded when part of its points had rolled over, and part of those was spent: what is left is taken from both
/// batches, what was spent is owed, and nothing can be taken twice.
#[test]
fn a_revoke_goes_on_into_what_rolled_over() {
    let mut world = recharged();
    world.advance(DAY);
    world.must("spent", r#"{"op":"consume","account":"alice","key":"2","points":4}"#);
    let [old, new] = &batches(&world.ledger)[..] else { panic!("two batches") };
    let revoke = |batch: &BatchInfo, key: &str, points: Value| json!({"op":"revoke","batch":batch.batch,"key":key,"points":points,"reason":"order refunded"});
    must(&world, revoke(new, "1", json!(6)));
    let revoked = must(&world, revoke(old, "2", json!("all")));
    assert_eq!((revoked.points.get(), revoked.owed.get(), revoked.balance.debt.get()), (94, 4, 4));
    for (batch, key) in [(old, "3"), (new, "4")] {
        assert_eq!(refused(&world, &revoke(batch, key, json!(1))), "limit_exceeded");
    }
    assert!(world.ledger.verify().unwrap().ok);
    world.must("", r#"{"op":"refund","operation":"@spent","key":"1","points":"all","reason":"failed"}"#);
    let balance = world.ledger.balance(&alice()).unwrap();
    assert_eq!(
        (balance.figures.available.get(), balance.figures.debt.get(), balance.totals.unwrap().revoked),
        (0, 0, 100)
    );
    assert!(world.ledger.verify().unwrap().ok);
}

/// Support gives an expired month another week: what lapsed comes back, what has moved on stays where it is, and at the new end
/// nothing moves on again.
#[test]
fn a_new_expiry_brings_back_what_lapsed() {
    let world = recharged();
    world.advance(DAY);
    let old = batches(&world.ledger)[0].batch;
    let set = json!({"op":"set_expiry","batch":old,"key":"1","expires_in_days":7,"reason":"the outage"});
    let receipt = must(&world, set);
    assert_eq!((receipt.reinstated.get(), receipt.balance.available.get()), (70, 100));
    world.advance(7 * DAY);
    world.ledger.expire(None).unwrap();
    assert_eq!(lines(&world.ledger, 5), [line("expire", 70)]);
    assert!(world.ledger.verify().unwrap().ok);
}

/// A till's clock was a week fast for an hour, in which the month ended for it and somebody spent ten of what rolled over. Once
/// the clock is right again all is as it was but for these, and at the true end no more moves on than the cap lets.
#[test]
fn a_wrong_clock_undoes_its_roll() {
    let world = recharged();
    world.clock.set(instant("2027-01-17T12:00:00Z"));
    must(&world, json!({"op":"consume","account":"alice","key":"2","points":10}));
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 20);
    world.clock.set(instant("2027-01-10T13:00:00Z"));
    must(&world, json!({"op":"confirm_clock","key":"1"}));
    must(&world, json!({"op":"consume","account":"alice","key":"3","points":1}));
    let [old, new] = &batches(&world.ledger)[..] else { panic!("two batches") };
    assert_eq!((old.remaining.get(), old.moved.get(), old.would_roll.get()), (89, 10, 20));
    assert_eq!((new.remaining.get(), new.used.get(), new.moved.get()), (0, 10, 20));
    world.advance(DAY);
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 20);
    world.ledger.expire(None).unwrap();
    let rolled: i64 = batches(&world.ledger)[1..].iter().map(|batch| batch.amount.get() - batch.moved.get()).sum();
    assert_eq!(rolled, 30);
    assert!(world.ledger.verify().unwrap().ok);
}

/// Each month of a plan rolls over by itself, and the batches are the same whether somebody looked in between or not. One that
/// nobody has booked yet can be named.
#[test]
fn each_period_rolls_over() {
    let (lazy, eager) = (World::empty(), World::empty());
    let keeps = Rollover::new(points(5), ExpiresIn::MonthsToEndOfDay(1, 480));
    for world in [&lazy, &eager] {
        let monthly = Plan::new(points(10), "plan:pro", Every::Months(1)).expires(ExpiresIn::PeriodEnd);
        let receipt = world.ledger.plan(&alice(), &Key::new("1").unwrap(), monthly.rollover(keeps.clone())).unwrap();
        let plans = world.ledger.plans(&alice(), &Query::new()).unwrap().items;
        assert_eq!((plans[0].plan, &plans[0].rollover), (receipt.plan.unwrap().id, &Some(keeps.clone())));
        world.clock.set_trusted(true);
    }
    for day in 11..28 {
        eager.clock.set(instant(&format!("2027-02-{day}T00:00:00Z")));
        eager.ledger.expire(None).unwrap();
    }
    for world in [&lazy, &eager] {
        world.clock.set(instant("2027-03-15T00:00:00Z"));
        // The third month's, and what rolled out of the second; that of the first is gone.
        assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 15);
    }
    assert_eq!(lines(&lazy.ledger, 0), lines(&eager.ledger, 0));
    let numbers = |world: &World| batches(&world.ledger).iter().map(|batch| batch.batch.index()).collect::<Vec<_>>();
    assert_eq!(numbers(&lazy), numbers(&eager));
    let last = batches(&lazy.ledger).iter().rev().find(|batch| batch.from_batch.is_some()).unwrap().batch;
    let revoked = must(&lazy, json!({"op":"revoke","batch":last,"key":"1","points":"all","reason":"r"}));
    assert_eq!((revoked.points.get(), revoked.balance.available.get()), (5, 10));
    assert!(lazy.ledger.verify().unwrap().ok && eager.ledger.verify().unwrap().ok);
}

/// Points sent to somebody else keep their end, and lapse at it.
#[test]
fn what_was_transferred_does_not_roll_over() {
    let world = recharged();
    must(&world, json!({"op":"transfer","account":"alice","to":"bob","key":"1","points":60}));
    world.advance(DAY);
    let bob = AccountId::new("bob").unwrap();
    let left = |id| world.ledger.balance(id).unwrap().figures.available.get();
    assert_eq!((left(&alice()), left(&bob)), (30, 0));
}

/// A caller in another language writes the object by hand. What is wrong with it is told with the name of the field in it.
#[test]
fn a_rollover_is_judged_within_its_object() {
    let world = World::empty();
    let ask = |rollover: &str| {
        let line = format!(
            r#"{{"op":"recharge","account":"alice","key":"1","points":9,"source":"card","rollover":{rollover}}}"#
        );
        let told = Request::parse(&line).and_then(|request| world.ledger.apply(&request));
        told.map_or_else(|error| format!("{error}; {}", error.help()), |receipt| receipt.op.to_string())
    };
    for (rollover, told) in [
        (r#"{"cap":5,"cap":50,"expires_in_days":1}"#, "twice"),
        (r#"{"cap":5}"#, "rollover.expires_in_days: is missing"),
        (r#"{"expires_in_days":1}"#, "rollover.cap: is missing"),
        (r#"{"cap":0,"expires_in_days":1}"#, "rollover.cap: 0 is too few"),
        (r#"{"cap":5,"expires_in_day":1}"#, "did you mean `expires_in_days`?"),
        (r#"{"cap":5,"expires_in_days":1,"expires_in_hours":1}"#, "given beside"),
        (r#"{"cap":5,"expires_at":"never"}"#, "rollover.expires_at"),
        ("5", "is not an object"),
    ] {
        let said = ask(rollover);
        assert!(said.contains(told), "{rollover}: {said}");
    }
    let never = r#"{"op":"recharge","account":"alice","key":"1","points":9,"source":"card","expires_at":"never",
        "rollover":{"cap":5,"expires_in_days":1}}"#;
    assert_eq!(world.ledger.apply(&Request::parse(never).unwrap()).unwrap_err().code(), "invalid_argument");
    let keeps = |zone: &str| ask(&format!(r#"{{"end_of_day":"{zone}","cap":5,"expires_in_days":1}}"#));
    assert_eq!(keeps("Z"), "recharge");
    assert_eq!(keeps("+00:00"), "recharge");
    assert!(keeps("+08:00").contains("rollover"));
}

/// An order is clawed back while all that rolled over is held by two jobs: 15 of its points are owed. The first job's deadline
/// passes, and of its 20 points 15 go to what is owed. Regression: finished late, it was paid with the 10 points that the
/// second had given back meanwhile, before others that are drawn first.
#[test]
fn a_late_job_has_no_claim_to_what_went_to_a_revoke() {
    let mut world = recharged();
    world.advance(DAY);
    world.must("late", r#"{"op":"hold","account":"alice","key":"2","points":20,"deadline_seconds":3600}"#);
    world.must("", r#"{"op":"hold","account":"alice","key":"3","points":10,"deadline_seconds":7200}"#);
    let old = batches(&world.ledger)[0].batch;
    let revoke = json!({"op":"revoke","batch":old,"key":"1","points":85,"shortfall":"clamp","reason":"chargeback"});
    assert_eq!(must(&world, revoke).uncollected, 15);
    world.advance(7200);
    let first = json!({"op":"recharge","account":"alice","key":"4","points":50,"source":"gift","priority":10});
    must(&world, first);
    world.must("", r#"{"op":"capture","hold":"@late","key":"1"}"#);
    let used: Vec<i64> = batches(&world.ledger).iter().map(|batch| batch.used.get()).collect();
    assert_eq!(used, [0, 5, 15]);
    assert!(world.ledger.verify().unwrap().ok);
}

/// A refund brings points back to what had rolled out of a revoked batch; they are taken for the revoke, whose debt somebody's
/// gift had paid meanwhile, so the gift has them again. Regression: it was told as if the points had come back twice.
#[test]
fn a_refund_for_a_revoked_batch_is_told_once() {
    let mut world = recharged();
    world.advance(DAY);
    world.must("spent", r#"{"op":"consume","account":"alice","key":"2","points":4}"#);
    let old = batches(&world.ledger)[0].batch;
    must(&world, json!({"op":"revoke","batch":old,"key":"1","points":"all","reason":"chargeback"}));
    must(&world, json!({"op":"recharge","account":"alice","key":"3","points":3,"source":"gift"}));
    let refund = world.must("", r#"{"op":"refund","operation":"@spent","key":"1","points":"all","reason":"failed"}"#);
    let told = world.ledger.explain(&refund.operation).unwrap().went_to;
    let went: Vec<_> = told.iter().map(|step| (step.what.as_str(), step.points.get())).collect();
    assert_eq!(went, [("cancelled_debt", 1), ("restored", 3)]);
    adds_up(&world.ledger.explain_missing(&alice(), &Period::all(), 100).unwrap());
    let given_up = world.ledger.explain_missing(&alice(), &Period::all(), 100).unwrap().revoked;
    assert_eq!(given_up.points, 96);
}

/// Regression: in the statement of a month that is over, a batch that time had made had the end it was given later.
#[test]
fn a_statement_tells_the_ends_of_its_time() {
    let world = recharged();
    world.advance(2 * DAY);
    world.ledger.expire(None).unwrap();
    let period = Period::new(None, Some(instant("2027-01-12T12:00:00Z"))).unwrap();
    let then = world.ledger.statement(&alice(), &period).unwrap().batches;
    assert_eq!(then[0].expires_at, Some(instant("2027-01-21T12:00:00Z")));
    let rolled = then[0].batch;
    must(&world, json!({"op":"set_expiry","batch":rolled,"key":"1","expires_in_days":90,"reason":"goodwill"}));
    assert_eq!(world.ledger.statement(&alice(), &period).unwrap().batches, then);
}

/// A batch whose rest would live on past the year 9999 lapses as a whole, and nobody is told that it would roll over.
#[test]
fn nothing_rolls_over_past_the_end_of_time() {
    let world = World::empty();
    let recharge = |key: &str, rollover: Value| {
        must(
            &world,
            json!({"op":"recharge","account":"alice","key":key,"points":9,"source":"s","expires_in_days":1,
                "rollover":rollover}),
        )
    };
    recharge("1", json!({"cap":5,"expires_in_days":i64::MAX}));
    recharge("2", json!({"cap":9_000_000_000_000_000_i64,"expires_in_months":12}));
    let would: Vec<i64> = batches(&world.ledger).iter().map(|batch| batch.would_roll.get()).collect();
    assert_eq!(would, [0, 9]);
    world.advance(DAY);
    assert_eq!(lines(&world.ledger, 3), [line("expire", 9), line("rollover", 9)]);
    world.ledger.expire(None).unwrap();
    assert!(world.ledger.verify().unwrap().ok);
}

/// A use that happened before the batch's end is booked after it: it may still have what lapsed there, and takes what rolled
/// over as well, each in its place in the order.
#[test]
fn a_late_use_draws_on_what_lapsed_and_on_what_rolled() {
    let world = recharged();
    must(&world, json!({"op":"configure","key":"w","setting":"late_window","value":86_400}));
    world.advance(DAY + 600);
    let late = json!({"op":"consume","account":"alice","key":"2","points":90,"policy":"strict",
        "occurred_at":"2027-01-11T11:00:00Z"});
    let receipt = must(&world, late);
    assert_eq!((receipt.reinstated.get(), receipt.balance.available.get()), (70, 10));
    let used: Vec<i64> = batches(&world.ledger).iter().map(|batch| batch.used.get()).collect();
    assert_eq!(used, [70, 20]);
    assert!(world.ledger.verify().unwrap().ok);
}

/// Hundreds of batches that roll over, of which many fall due at the same instant, and what rolled falls due before others:
/// booked in one go or bit by bit, the books are the same.
#[test]
fn very_many_ends_are_booked_in_any_steps() {
    let (lazy, eager) = (World::empty(), World::empty());
    let times = |step: i64| (0..).map(move |n| instant("2027-01-10T12:00:00Z") + TimeDelta::hours(step * n)).take(40);
    for world in [&lazy, &eager] {
        for n in 0..300 {
            let (cap, hours) = (1 + n % 7, 1 + n % 5);
            must(
                world,
                json!({"op":"recharge","account":"alice","key":format!("{n}"),"points":1 + n % 9,"source":"s",
                "expires_in_hours":1 + n % 3,"rollover":{"cap":cap,"expires_in_hours":hours}}),
            );
        }
    }
    for at in times(1) {
        eager.clock.set(at);
        eager.ledger.expire(Some(7)).unwrap();
    }
    lazy.clock.set(times(1).last().unwrap());
    assert_eq!(lines(&lazy.ledger, 0), lines(&eager.ledger, 0));
    lazy.ledger.expire(None).unwrap();
    assert_eq!(lines(&lazy.ledger, 0), lines(&eager.ledger, 0));
    let kept = |world: &World| {
        let all = batches(&world.ledger);
        all.into_iter()
            .map(|batch| (batch.batch.index(), batch.sequence, batch.amount, batch.expired))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&lazy), kept(&eager));
    assert!(lazy.ledger.verify().unwrap().ok && eager.ledger.verify().unwrap().ok);
}

/// A shop's clock jumps a week ahead and back, again and again, and each time something of what rolled is spent. No more than
/// fourteen batches roll out of one, and never more points stay in them than the cap lets.
#[test]
fn a_batch_rolls_no_more_often_than_its_numbers_last() {
    let world = World::empty();
    let rollover = json!({"cap":1000,"expires_in_days":10});
    must(
        &world,
        json!({"op":"recharge","account":"alice","key":"0","points":100,"source":"s",
        "expires_at":"2027-01-11T12:00:00Z","rollover":rollover}),
    );
    for n in 0..16 {
        world.clock.set(instant("2027-01-17T12:00:00Z"));
        must(&world, json!({"op":"consume","account":"alice","key":format!("spent {n}"),"points":1}));
        world.clock.set(instant("2027-01-10T13:00:00Z"));
        must(&world, json!({"op":"confirm_clock","key":format!("{n}")}));
        must(&world, json!({"op":"set_limit","account":"alice","key":format!("{n}"),"credit_limit":n}));
    }
    let all = batches(&world.ledger);
    assert_eq!((all.len(), all[0].would_roll.get(), all[0].remaining.get()), (15, 0, 84));
    world.advance(2 * DAY);
    let balance = world.ledger.balance(&alice()).unwrap();
    // The last two had nothing left to draw on: their two points were taken from what came back.
    assert_eq!((balance.figures.available.get(), balance.figures.debt.get()), (0, 0));
    world.ledger.expire(None).unwrap();
    assert!(world.ledger.verify().unwrap().ok);
}

/// An account with nothing left can be closed whatever its batches were to do, and stays as it is at their end.
#[test]
fn a_closed_account_stays_closed_at_a_batchs_end() {
    let world = recharged();
    let close = |key: &str| json!({"op":"close","account":"alice","key":key,"reason":"asked"});
    assert_eq!(refused(&world, &close("1")), "account_not_empty");
    must(&world, json!({"op":"consume","account":"alice","key":"2","points":100}));
    must(&world, close("2"));
    let before = lines(&world.ledger, 0);
    world.advance(2 * DAY);
    world.ledger.expire(None).unwrap();
    assert_eq!(lines(&world.ledger, 0), before);
}
