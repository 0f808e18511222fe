//! "Where have my points gone?": each cause alone, then all in one account.

use counterfoil::report::{Missing, Step, StepKind};
use counterfoil::{AccountId, Period};

use crate::support::{World, instant};

/// Lines run in a fresh world; `+3600` lets an hour pass.
pub fn world(lines: &[(&str, &str)]) -> World {
    let mut world = World::empty();
    for (name, line) in lines {
        match line.strip_prefix('+') {
            Some(seconds) => world.advance(seconds.parse().unwrap()),
            None => drop(world.must(name, line)),
        }
    }
    world
}

pub fn me() -> AccountId {
    AccountId::new("me").unwrap()
}

fn missing(world: &World) -> Missing {
    let missing = world.ledger.explain_missing(&me(), &Period::all(), 1000).unwrap();
    adds_up(&missing);
    missing
}

/// The equation, and every cause by its groups and steps.
pub fn adds_up(missing: &Missing) {
    let held = missing.closing.held.get() - missing.opening.held.get();
    let pending = missing.closing.pending.get() - missing.opening.pending.get();
    let came = missing.recharged.points + missing.received.points + missing.returned.points;
    let lost = [&missing.spent, &missing.settled, &missing.expired, &missing.revoked, &missing.transferred];
    let lost: i64 = lost.iter().map(|cause| cause.points).sum();
    let available = missing.opening.available.get() + came - lost - held - pending;
    assert_eq!(available, missing.closing.available.get(), "{missing:#?}");
    assert_eq!(missing.held.points, missing.closing.held.get());
    assert_eq!(missing.pending.points, missing.closing.pending.get());
    for cause in [
        &missing.recharged,
        &missing.received,
        &missing.returned,
        &missing.spent,
        &missing.settled,
        &missing.expired,
        &missing.revoked,
        &missing.transferred,
        &missing.held,
        &missing.pending,
    ] {
        let back = |step: &Step| if step.what == StepKind::CameBack { -step.points.get() } else { step.points.get() };
        let steps: i64 = cause.steps.iter().map(back).sum();
        let groups: i64 = cause.groups.iter().map(|group| group.points).sum();
        assert_eq!(steps + groups, cause.points, "{missing:#?}");
    }
    for settled in &missing.settled.steps {
        assert_eq!(
            settled.parts.iter().map(|debt| debt.points.get()).sum::<i64>(),
            settled.points.get(),
            "{missing:#?}"
        );
    }
}

const RECHARGE: (&str, &str) = (
    "bought",
    r#"{"op":"recharge","account":"me","key":"1","points":10,"source":"gift","expires_at":"2027-01-11T12:00:00Z"}"#,
);

#[test]
fn points_that_expired() {
    let told = missing(&world(&[RECHARGE, ("", "+90000")]));
    assert_eq!((told.closing.available.get(), told.expired.points), (0, 10));
    let [gone] = told.expired.steps.as_slice() else { panic!("{told:#?}") };
    assert_eq!((gone.what.as_str(), gone.points.get(), gone.source.as_deref()), ("expired", 10, Some("gift")));
    // Nobody has written since: the line is there all the same.
    assert_eq!((gone.at, gone.unbooked), (instant("2027-01-11T12:00:00Z"), true));
}

#[test]
fn points_that_were_taken_back() {
    let revoke = r#"{"op":"revoke","batch":"@bought","key":"2","points":7,"reason":"chargeback 5","actor":"finance"}"#;
    let told = missing(&world(&[RECHARGE, ("", revoke)]));
    assert_eq!((told.closing.available.get(), told.revoked.points), (3, 7));
    let [gone] = told.revoked.steps.as_slice() else { panic!("{told:#?}") };
    assert_eq!((gone.what.as_str(), gone.points.get()), ("revoked", 7));
    assert_eq!((gone.said.reason.as_deref(), gone.said.actor.as_deref()), (Some("chargeback 5"), Some("finance")));
}

#[test]
fn points_that_went_to_somebody_else() {
    let world = world(&[RECHARGE, ("", r#"{"op":"transfer","account":"me","key":"2","to":"friend","points":4}"#)]);
    let told = missing(&world);
    assert_eq!((told.closing.available.get(), told.transferred.points), (6, 4));
    assert_eq!(told.transferred.steps[0].other.as_ref().unwrap().as_str(), "friend");
    let friend = world.ledger.explain_missing(&AccountId::new("friend").unwrap(), &Period::all(), 1000).unwrap();
    adds_up(&friend);
    assert_eq!((friend.received.points, &friend.received.steps[0].other), (4, &Some(me())));
}

#[test]
fn points_that_were_spent() {
    let told = missing(&world(&[
        RECHARGE,
        ("", r#"{"op":"consume","account":"me","key":"2","service":"tts","seconds":"7"}"#),
        ("", r#"{"op":"consume","account":"me","key":"3","points":2}"#),
        ("", r#"{"op":"consume","account":"me","key":"4","service":"tts","seconds":"3"}"#),
    ]));
    let spent: Vec<_> = told.spent.groups.iter().map(|s| (s.name.as_deref(), s.lines, s.points)).collect();
    assert_eq!(spent, [(Some("tts"), 2, 4), (None, 1, 2)]);
    assert_eq!((told.closing.available.get(), told.spent.points), (4, 6));
}

#[test]
fn points_that_settled_an_old_debt() {
    let world = world(&[
        ("", r#"{"op":"consume","account":"me","key":"a","points":3,"reference":"task 1"}"#),
        ("", r#"{"op":"consume","account":"me","key":"b","points":4,"reference":"task 2"}"#),
        ("", "+86400"),
        ("", r#"{"op":"recharge","account":"me","key":"1","points":5,"source":"wxpay","expires_at":"never"}"#),
        ("", "+86400"),
        ("", r#"{"op":"recharge","account":"me","key":"2","points":20,"source":"wxpay","expires_at":"never"}"#),
    ]);
    // Of the second day only: the debts are older than the period.
    let second = Period::new(Some(instant("2027-01-12T00:00:00Z")), None).unwrap();
    let told = world.ledger.explain_missing(&me(), &second, 1000).unwrap();
    adds_up(&told);
    assert_eq!((told.opening.debt.get(), told.closing.available.get(), told.settled.points), (2, 18, 2));
    let debts = |told: &Missing| -> Vec<(String, i64)> {
        let debts = told.settled.steps.iter().flat_map(|settled| &settled.parts);
        debts.map(|debt| (debt.said.reference.clone().unwrap(), debt.points.get())).collect()
    };
    assert_eq!(debts(&told), [("task 2".into(), 2)]);
    // And of all time: the first recharge paid the first debt and half the second.
    assert_eq!(debts(&missing(&world)), [("task 1".into(), 3), ("task 2".into(), 2), ("task 2".into(), 2)]);
}

#[test]
fn points_that_are_held_or_not_effective_yet() {
    let world = world(&[
        RECHARGE,
        ("hold", r#"{"op":"hold","account":"me","key":"2","points":6,"service":"tts","deadline_seconds":7200}"#),
        (
            "later",
            r#"{"op":"recharge","account":"me","key":"3","points":8,"source":"wxpay","effective_at":"2027-01-10T13:00:00Z"}"#,
        ),
        ("", "+60"),
        ("", r#"{"op":"revoke","batch":"@later","key":"4","points":1,"reason":"mistake"}"#),
    ]);
    let told = missing(&world);
    assert_eq!(
        (told.closing.available.get(), told.held.steps[0].points.get(), told.pending.steps[0].points.get()),
        (4, 6, 7)
    );
    assert_eq!(told.held.steps[0].until, Some(instant("2027-01-10T14:00:00Z")));
    // Asked later about that time, when the hold is released and the batch effective.
    let mut world = world;
    world.advance(3600);
    world.must("", r#"{"op":"release","hold":"@hold","key":"5"}"#);
    let then = Period::new(None, Some(instant("2027-01-10T12:00:30Z"))).unwrap();
    let told = world.ledger.explain_missing(&me(), &then, 1000).unwrap();
    adds_up(&told);
    assert_eq!(
        (told.closing.available.get(), told.held.steps[0].points.get(), told.pending.steps[0].points.get()),
        (4, 6, 8)
    );
}

#[test]
fn points_that_lapsed_on_their_return() {
    let told = missing(&world(&[
        RECHARGE,
        ("spent", r#"{"op":"consume","account":"me","key":"2","points":9}"#),
        ("", "+90000"),
        ("", r#"{"op":"refund","operation":"@spent","key":"3","points":5,"reason":"render failed"}"#),
    ]));
    assert_eq!((told.closing.available.get(), told.returned.points, told.expired.points), (0, 5, 6));
    let returned = &told.returned.steps[0];
    assert_eq!(returned.said.reason.as_deref(), Some("render failed"));
    let how: Vec<_> = told.expired.steps.iter().map(|gone| (gone.what.as_str(), gone.points.get())).collect();
    assert_eq!(how, [("expired", 1), ("lapsed", 5)]);
    // Each says of which batch, the refund also where all of it went.
    assert!(told.expired.steps.iter().all(|gone| gone.source.as_deref() == Some("gift")), "{told:#?}");
    let went: Vec<_> = returned.parts.iter().map(|went| (went.what.as_str(), went.points.get())).collect();
    assert_eq!(went, [("lapsed", 5)]);
}

#[test]
fn an_account_nobody_opened() {
    let world = world(&[RECHARGE]);
    let account = AccountId::new("somebody").unwrap();
    let told = world.ledger.explain_missing(&account, &Period::all(), 1000).unwrap();
    assert_eq!((told.exists, told.did_you_mean.as_slice()), (false, [].as_slice()));
    for (typed, meant) in [("alcie", "alice"), ("ALICE", "alice"), ("alice-x", "alice"), ("local_user", "local-user")] {
        world.apply_text(r#"{"op":"open","account":"alice","key":"1"}"#).unwrap();
        world.apply_text(r#"{"op":"open","account":"local-user","key":"1"}"#).unwrap();
        let near = world.ledger.accounts_like(&AccountId::new(typed).unwrap(), 1).unwrap();
        assert_eq!(near, [AccountId::new(meant).unwrap()], "{typed}");
    }
    assert!(world.ledger.accounts_like(&AccountId::new("zebra").unwrap(), 3).unwrap().is_empty());
}

#[test]
fn all_causes_in_one_account() {
    let told = missing(&world(&[
        ("", r#"{"op":"consume","account":"me","key":"debt","points":5}"#),
        (
            "short",
            r#"{"op":"recharge","account":"me","key":"1","points":30,"source":"gift","expires_at":"2027-01-10T13:00:00Z"}"#,
        ),
        ("long", r#"{"op":"recharge","account":"me","key":"2","points":100,"source":"wxpay","expires_at":"never"}"#),
        (
            "",
            r#"{"op":"recharge","account":"me","key":"3","points":7,"source":"wxpay","effective_at":"2027-03-10T13:00:00Z"}"#,
        ),
        ("spent", r#"{"op":"consume","account":"me","key":"4","service":"script_generation"}"#),
        ("", r#"{"op":"hold","account":"me","key":"5","points":4,"deadline_seconds":1800}"#),
        ("", "+3600"),
        ("", r#"{"op":"refund","operation":"@spent","key":"6","points":2,"reason":"failed"}"#),
        ("", r#"{"op":"revoke","batch":"@long","key":"7","points":20,"reason":"chargeback"}"#),
        ("", r#"{"op":"transfer","account":"me","key":"8","to":"friend","points":15}"#),
        ("", r#"{"op":"hold","account":"me","key":"9","points":25,"deadline_seconds":7200}"#),
    ]));
    let came_and_spent = [&told.recharged, &told.settled, &told.spent, &told.returned].map(|cause| cause.points);
    assert_eq!(came_and_spent, [137, 5, 10, 2]);
    // 30 gift points: 5 settled, 10 spent, 15 expired; 2 lapsed on their return.
    let gone = [&told.expired, &told.revoked, &told.transferred, &told.held, &told.pending].map(|cause| cause.points);
    assert_eq!(gone, [17, 20, 15, 25, 7]);
    assert_eq!(told.closing.available.get(), 40);
}
