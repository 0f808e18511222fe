//! Recurring recharges: worked examples.

use chrono::{DateTime, Utc};
use counterfoil::answer::PlanState;
use counterfoil::report::Statement;
use counterfoil::schema::{OPERATIONS, TARGETS};
use counterfoil::{AccountId, Every, ExpiresIn, Key, Ledger, Period, Plan, Points, Query, Recharge, Request, Stop};
use serde_json::{Value, json};

use crate::support::{World, instant};

fn alice() -> AccountId {
    AccountId::new("alice").unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn points(points: i64) -> Points {
    Points::new(points).unwrap()
}

/// Months later, by a clock that is known to be right.
fn at(world: &World, text: &str) {
    world.clock.set(instant(text));
    world.clock.set_trusted(true);
}

/// Kind, points and instant of each line but the first so many.
fn lines(ledger: &Ledger, skip: usize) -> Vec<(String, i64, DateTime<Utc>)> {
    let page = ledger.history(&alice(), &Query::new().limit(100_000)).unwrap();
    page.items.iter().skip(skip).map(|line| (line.kind.to_string(), line.points.get(), line.booked_at)).collect()
}

/// A creator subscribed on the 31st of January. Each month has her points, on its last day where it is shorter, and on the
/// 31st again where there is one; nobody has to call anything for it.
#[test]
fn months_are_counted_from_the_anchor_and_clamped() {
    let world = World::empty();
    let anchor = instant("2027-01-31T10:00:00Z");
    let plan = Plan::new(points(100), "plan:pro", Every::Months(1)).anchor(anchor).expires(ExpiresIn::PeriodEnd);
    world.ledger.plan(&alice(), &key("1"), plan).unwrap();
    at(&world, "2027-05-31T09:59:59Z");
    let given = ["2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z", "2027-03-31T10:00:00Z", "2027-04-30T10:00:00Z"];
    let recharges: Vec<_> = lines(&world.ledger, 2).into_iter().filter(|line| line.0 == "recharge").collect();
    assert_eq!(recharges, given.map(|at| ("recharge".to_string(), 100, instant(at))));
    // Each ends where the next begins.
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 100);
    let batches = world.ledger.batches(&alice(), &Query::new().all(true)).unwrap().items;
    let periods: Vec<_> = batches.iter().map(|batch| batch.period).collect();
    assert_eq!(periods, [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(batches[0].expires_at, Some(instant(given[1])));
    assert!(world.ledger.verify().unwrap().ok);
}

/// A shop in Shanghai counts by its own calendar: its 1st begins at 16:00 UTC the day before.
#[test]
fn the_calendar_of_the_offset_counts() {
    let world = World::empty();
    let anchor = instant("2027-01-31T16:00:00Z");
    let plan = Plan::new(points(5), "gift", Every::Months(1)).anchor(anchor).offset(8 * 60).count(3);
    world.ledger.plan(&alice(), &key("1"), plan).unwrap();
    at(&world, "2027-06-01T00:00:00Z");
    let begun: Vec<_> = lines(&world.ledger, 2).into_iter().map(|line| line.2).collect();
    assert_eq!(begun, ["2027-01-31T16:00:00Z", "2027-02-28T16:00:00Z", "2027-03-31T16:00:00Z"].map(instant));
}

/// The app was not opened for a year. What the user missed is there at the first look, line by line, and the first change
/// books it; a sweep in between would have made the same books.
#[test]
fn a_missed_year_is_caught_up() {
    let (lazy, eager) = (World::empty(), World::empty());
    for world in [&lazy, &eager] {
        let daily = Plan::new(points(2), "plan", Every::Days(1)).expires(ExpiresIn::Days(30));
        world.ledger.plan(&alice(), &key("1"), daily).unwrap();
    }
    for month in 2..=12 {
        at(&eager, &format!("2027-{month:02}-03T00:00:00Z"));
        eager.ledger.expire(None).unwrap();
    }
    for world in [&lazy, &eager] {
        at(world, "2028-01-10T12:00:00Z");
        // 366 days have begun, the last at this very instant; the 30 newest are live.
        assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 60);
    }
    assert_eq!(lines(&lazy.ledger, 0), lines(&eager.ledger, 0));
    for world in [&lazy, &eager] {
        world.ledger.recharge(&alice(), &key("2"), Recharge::new(points(1), "wxpay")).unwrap();
        let balance = world.ledger.balance(&alice()).unwrap();
        assert_eq!((balance.figures.available.get(), balance.totals.unwrap().recharged), (61, 366 * 2 + 1));
        assert!(world.ledger.verify().unwrap().ok);
    }
    assert_eq!(lines(&lazy.ledger, 0), lines(&eager.ledger, 0));
}

/// Support ends a plan at the instant of a period: that one is given first. Ended once more, nothing changes; and the account
/// can be closed only then.
#[test]
fn a_stop_ends_what_is_to_come() {
    let world = World::empty();
    let weekly = Plan::new(points(10), "gift", Every::Weeks(1)).expires(ExpiresIn::PeriodEnd);
    let plan = world.ledger.plan(&alice(), &key("1"), weekly).unwrap().plan.unwrap();
    assert_eq!(plan.next_at, Some(instant("2027-01-17T12:00:00Z")));
    world.advance(7 * 24 * 3600);
    let stopped = world.ledger.stop(&plan.id, &key("1"), Stop::new()).unwrap();
    assert_eq!((stopped.balance.available.get(), stopped.plan.unwrap().next_at), (10, None));
    assert_eq!(world.ledger.plans(&alice(), &Query::new()).unwrap().items, []);
    assert_eq!(world.ledger.plans(&alice(), &Query::new().all(true)).unwrap().items[0].state, PlanState::Stopped);
    world.advance(30 * 24 * 3600);
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 0);
    world.ledger.stop(&plan.id, &key("2"), Stop::new()).unwrap();

    let daily = Plan::new(points(1), "gift", Every::Days(1)).count(1);
    let tomorrow = daily.clone().anchor(instant("2027-03-01T00:00:00Z"));
    let tomorrow = world.ledger.plan(&alice(), &key("2"), tomorrow).unwrap().plan.unwrap().id;
    let second = world.ledger.plan(&alice(), &key("3"), daily).unwrap();
    let close = |key: &str| world.apply(&json!({"op":"close","account":"alice","key":key,"reason":"r"}));
    let batch = second.batch.unwrap().batch;
    world.apply(&json!({"op":"revoke","batch":batch,"key":"1","points":"all","reason":"r"})).unwrap();
    assert_eq!(close("1").unwrap_err().code(), "account_not_empty");
    world.ledger.stop(&tomorrow, &key("3"), Stop::new()).unwrap();
    // The count of the other is used up: that does not hinder.
    close("2").unwrap();
    assert!(world.ledger.verify().unwrap().ok);
}

/// A clock months ahead gave seven weeks of a plan with nearly as many points as there can be, one after another; when the time is
/// known again they all wait. A stop that would take back more than an operation can say was called damage. It is `out_of_range`,
/// and what is between is read.
#[test]
fn a_stop_of_more_than_there_can_be_is_refused() {
    let world = World::empty();
    let most = Points::MAX;
    let weekly = Plan::new(most, "card", Every::Weeks(1))
        .anchor(instant("2027-01-17T00:00:00Z"))
        .count(7)
        .expires(ExpiresIn::PeriodEnd);
    let plan = world.ledger.plan(&alice(), &key("1"), weekly).unwrap().plan.unwrap();
    at(&world, "2027-04-01T00:00:00Z");
    world.ledger.freeze(&alice(), &key("2"), "asked").unwrap();
    at(&world, "2027-01-20T00:00:00Z");
    let error = world.ledger.stop(&plan.id, &key("3"), Stop::new()).unwrap_err();
    assert_eq!(error.code(), "out_of_range");
    assert!(lines(&world.ledger, 0).iter().any(|line| line.0 == "reinstate"));
    let balance = world.ledger.balance(&alice()).unwrap();
    assert!(balance.figures.pending > Points::MAX);
    let statement = world.ledger.statement(&alice(), &Period::all()).unwrap();
    assert_eq!(statement.closing, balance.figures);
    let text = serde_json::to_string(&statement).unwrap();
    assert_eq!(serde_json::from_str::<Statement>(&text).unwrap(), statement);
    at(&world, "2027-02-22T00:00:00Z");
    let stopped = world.ledger.stop(&plan.id, &key("3"), Stop::new()).unwrap();
    assert_eq!(stopped.points, Points::MAX.get());
    assert!(world.ledger.verify().unwrap().ok);
}

/// A period that would be more points than there can be gives nothing; the plan goes on, and what it gave before was spent.
#[test]
fn a_period_past_the_range_gives_nothing() {
    let world = World::empty();
    let full = Recharge::new(Points::MAX, "mint").expires(ExpiresIn::Days(2));
    world.ledger.recharge(&alice(), &key("1"), full).unwrap();
    world.ledger.plan(&alice(), &key("1"), Plan::new(points(7), "gift", Every::Days(1)).count(4)).unwrap();
    world.advance(24 * 3600 + 1);
    world.ledger.expire(None).unwrap();
    assert!(world.ledger.verify().unwrap().ok, "{:?}", world.ledger.verify().unwrap().faults);
    world.advance(3 * 24 * 3600);
    let balance = world.ledger.balance(&alice()).unwrap();
    assert_eq!(balance.figures.available, 14);
    world.ledger.expire(None).unwrap();
    assert!(world.ledger.verify().unwrap().ok, "{:?}", world.ledger.verify().unwrap().faults);
    let plan = &world.ledger.plans(&alice(), &Query::new().all(true)).unwrap().items[0];
    assert_eq!((plan.state, plan.next_period), (PlanState::Ended, None));
}

/// A look into the far future ends somewhere, and says so.
#[test]
fn a_look_ahead_goes_through_ten_thousand_periods() {
    let world = World::empty();
    world.ledger.plan(&alice(), &key("1"), Plan::new(points(1), "gift", Every::Days(1))).unwrap();
    let day = |days: i64| instant("2027-01-10T12:00:00Z") + chrono::TimeDelta::days(days);
    let recharged = |at| world.ledger.balance_at(&alice(), at).map(|balance| balance.totals.unwrap().recharged);
    assert_eq!(recharged(day(10_000)).unwrap(), 10_001);
    assert_eq!(recharged(day(10_001)).unwrap_err().code(), "invalid_argument");
}

/// At one instant the rent is due and the allowance comes: what ends goes first, then holds, then what begins, in the order in
/// which it was asked for.
#[test]
fn at_one_instant_the_order_is_fixed() {
    let mut world = World::empty();
    world.must(
        "",
        r#"{"op":"recharge","account":"alice","key":"1","points":4,"source":"a","expires_at":"2027-01-11T12:00:00Z"}"#,
    );
    world.must("", r#"{"op":"hold","account":"alice","key":"1","points":1,"deadline_seconds":86400}"#);
    world.must("", r#"{"op":"plan","account":"alice","key":"1","points":5,"source":"b","every_days":1,"anchor":"2027-01-11T12:00:00Z"}"#);
    world.must("", r#"{"op":"recharge","account":"alice","key":"2","points":6,"source":"c","effective_at":"2027-01-11T12:00:00Z"}"#);
    world.must("", r#"{"op":"plan","account":"alice","key":"2","points":7,"source":"d","every_days":2,"anchor":"2027-01-11T12:00:00Z"}"#);
    world.advance(24 * 3600);
    let due: Vec<(String, i64)> = lines(&world.ledger, 6).into_iter().map(|line| (line.0, line.1)).collect();
    let expected = [("expire", 3), ("hold_expire", 1), ("recharge", 5), ("activate", 6), ("recharge", 7)];
    assert_eq!(due, expected.map(|(kind, points)| (kind.to_string(), points)));
}

/// A period pays old debt when it begins; its line names its batch, and the source of its plan.
#[test]
fn a_period_pays_debt() {
    let mut world = World::empty();
    world.must("", r#"{"op":"consume","account":"alice","key":"1","points":8}"#);
    world.must("", r#"{"op":"plan","account":"alice","key":"1","points":5,"source":"plan:pro","every_days":1,"anchor":"2027-01-11T00:00:00Z"}"#);
    world.advance(24 * 3600);
    let history: Value = json!(world.ledger.history(&alice(), &Query::new()).unwrap().items);
    let (given, settled) = (&history[3], &history[4]);
    assert_eq!(
        (&given["kind"], &given["source"], &given["unbooked"]),
        (&json!("recharge"), &json!("plan:pro"), &json!(true))
    );
    assert_eq!(
        (&settled["kind"], &settled["points"], &settled["after"]["debt"]),
        (&json!("settle"), &json!(5), &json!(3))
    );
    assert!(given["operation"].is_null());
}

/// A batch that a look shows is there to be named, booked or not.
#[test]
fn a_period_not_booked_yet_can_be_taken_back() {
    let world = World::empty();
    let daily = Plan::new(points(5), "gift", Every::Days(1));
    world.ledger.plan(&alice(), &key("1"), daily).unwrap();
    world.advance(24 * 3600);
    let batch = world.ledger.batches(&alice(), &Query::new()).unwrap().items[1].batch;
    let revoke = |key: &str| world.apply(&json!({"op":"revoke","batch":batch,"key":key,"points":"all","reason":"r"}));
    assert_eq!(revoke("1").unwrap().balance.available, 5);
    world.advance(24 * 3600);
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 10);
    assert!(world.ledger.verify().unwrap().ok);
}

/// Somebody asked what a stop had been, and gave what was shown to another ledger of the same plan: it was refused for the
/// account beside the plan. Four lists said what an operation may name, and three knew of no plan.
#[test]
fn a_stop_is_shown_as_it_was_asked_for() {
    let mut world = World::empty();
    world.must("plan", r#"{"op":"plan","account":"alice","key":"1","points":5,"source":"gift","every_days":1}"#);
    let plan = world.ledger.plan_named("1", Some(&alice())).unwrap();
    let stopped = world.ledger.stop(&plan, &key("2"), Stop::new()).unwrap();
    let shown = world.ledger.operation(&stopped.operation).unwrap().request;
    assert!(shown.get("account").is_none(), "{shown:?}");
    assert!(world.ledger.apply(&shown).unwrap().replayed);

    let twice = r#"{"op":"stop","plan":{"ref_line":1,"ref_line":2},"key":"3"}"#;
    assert!(Request::parse(twice).unwrap_err().to_string().contains("`ref_line` is given twice"));
}

#[test]
fn what_operations_name_is_listed_once() {
    let named = OPERATIONS.iter().filter_map(|operation| operation.target).map(|field| field.name);
    let named: std::collections::BTreeSet<&str> = named.filter(|name| *name != "account").collect();
    assert_eq!(named, std::collections::BTreeSet::from(TARGETS));
}
