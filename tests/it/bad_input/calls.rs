//! The typed calls: values, cursors, ids and instants at their edges, and handles that are closed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::quantity::Usage;
use counterfoil::{
    AccountId, BatchId, Consume, Error, Hold, HoldId, Key, OperationId, Period, Points, Query, Recharge,
};

use super::Target;
use crate::support::{NOBODY, START, code_of, folder, instant, options};

#[test]
fn values() {
    assert_eq!(code_of(|| Points::new(-1)), "invalid_argument");
    assert_eq!(code_of(|| Points::new(i64::MIN)), "invalid_argument");
    assert_eq!(code_of(|| Points::new(9_000_000_000_000_001)), "out_of_range");
    assert_eq!(code_of(|| Points::new(i64::MAX)), "out_of_range");
    assert_eq!(code_of(|| Points::new(9_000_000_000_000_000)), "ok");
    for text in ["", "a\0", "a\n", "\u{1b}", &"x".repeat(129)] {
        assert_eq!(code_of(|| AccountId::new(text)), "invalid_argument");
        assert_eq!(code_of(|| Key::new(text)), "invalid_argument");
        assert_eq!(code_of(|| text.parse::<HoldId>()), "invalid_argument");
        assert_eq!(code_of(|| text.parse::<BatchId>()), "invalid_argument");
        assert_eq!(code_of(|| text.parse::<OperationId>()), "invalid_argument");
    }
    for time in ["", "2027-05-21", "1969-12-31T23:59:59Z", "yesterday"] {
        assert_eq!(code_of(|| ManualClock::at(time)), "invalid_argument");
    }
    for text in ["", "-1", "NaN", "inf", "1e400", "1 s"] {
        assert!(Usage::seconds(text).is_err() && Usage::input_seconds(text).is_err(), "{text}");
    }
}

#[test]
fn reads() {
    let mut target = Target::new();
    let rich = AccountId::new("rich").unwrap();
    let nobody: OperationId = NOBODY.parse().unwrap();
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    target.run("balance in the beginning", "invalid_argument", |world| world.ledger.balance_at(&rich, first).map(drop));
    target.run("balance in the end", "out_of_range", |world| world.ledger.balance_at(&rich, last).map(drop));
    target.run("balance in 9999", "ok", |world| {
        world.ledger.balance_at(&rich, instant("9999-12-31T23:59:59.999Z")).map(drop)
    });
    target
        .run("expiring before the beginning", "invalid_argument", |world| world.ledger.expiring(first, None).map(drop));
    target.run("expiring before the end", "out_of_range", |world| world.ledger.expiring(last, Some(&rich)).map(drop));
    for cursor in ["", "x", "-1", "1.5", "99999999999999999999", " 1", "\0"] {
        target.run(cursor, "invalid_argument", |world| {
            world.ledger.history(&rich, &Query::new().after(cursor)).map(drop)
        });
        target.run(cursor, "invalid_argument", |world| {
            world.ledger.batches(&rich, &Query::new().after(cursor)).map(drop)
        });
        target
            .run(cursor, "invalid_argument", |world| world.ledger.holds(&rich, &Query::new().after(cursor)).map(drop));
        target.run(cursor, "invalid_argument", |world| world.ledger.accounts(&Query::new().after(cursor)).map(drop));
    }
    for kind in ["", "Consume", "expiry", "consume "] {
        target.run(kind, "invalid_argument", |world| world.ledger.history(&rich, &Query::new().kind(kind)).map(drop));
    }
    let end = i64::MAX.to_string();
    for query in [
        Query::new().limit(0),
        Query::new().limit(usize::MAX),
        Query::new().after(&end),
        Query::new().after(&end).newest_first(true),
        Query::new().within(Period::new(None, Some(first)).unwrap()),
        Query::new().within(Period::new(Some(last), None).unwrap()),
    ] {
        target.run(&format!("{query:?}"), "ok", |world| world.ledger.history(&rich, &query).map(drop));
    }
    for listing in [Query::new().limit(0), Query::new().limit(usize::MAX), Query::new().after(&end)] {
        target.run(&format!("{listing:?}"), "ok", |world| world.ledger.batches(&rich, &listing).map(drop));
    }
    for query in [
        Query::new().limit(0),
        Query::new().limit(usize::MAX),
        Query::new().after(&end),
        Query::new().matching("*?".repeat(1000)),
    ] {
        target.run(&format!("{query:?}"), "ok", |world| world.ledger.accounts(&query).map(drop));
    }
    target.run("a state", "invalid_argument", |world| world.ledger.accounts(&Query::new().state("Frozen")).map(drop));
    target.run("expiring", "out_of_range", |world| world.ledger.accounts(&Query::new().expiring(last)).map(drop));
    target.run("expiring", "invalid_argument", |world| world.ledger.accounts(&Query::new().expiring(first)).map(drop));
    for cursor in ["", "x", "-1"] {
        target.run(cursor, "invalid_argument", |world| world.ledger.usage(&Query::new().after(cursor)).map(drop));
    }
    for query in [
        Query::new().limit(0).per_account(true),
        Query::new().limit(usize::MAX),
        Query::new().after(&end),
        Query::new().within(Period::new(None, Some(first)).unwrap()),
        Query::new()
            .within(Period::new(Some(first), Some(last)).unwrap())
            .by_day(chrono::FixedOffset::east_opt(86_399).unwrap()),
    ] {
        target.run(&format!("{query:?}"), "ok", |world| world.ledger.usage(&query).map(drop));
    }
    target.run("what has not begun", "invalid_argument", |world| {
        world.ledger.usage(&Query::new().within(Period::new(Some(last), None)?)).map(drop)
    });
    target.run("no such operation", "unknown_operation", |world| {
        world.ledger.history(&rich, &Query::new().operation(nobody)).map(drop)
    });
    for sequence in [0, -1, i64::MIN, i64::MAX, 1 << 42, 1000] {
        target.run("sequence", "unknown_operation", |world| world.ledger.operation_id(sequence).map(drop));
    }
    target.run("operation", "unknown_operation", |world| world.ledger.operation(&nobody).map(drop));
    target.run("allocations", "unknown_operation", |world| world.ledger.allocations(&nobody).map(drop));
    let unknown = AccountId::new("nobody").unwrap();
    target.run("unknown account", "ok", |world| {
        let balance = world.ledger.balance(&unknown)?;
        assert!(!balance.exists && balance.figures == counterfoil::answer::Figures::default());
        assert!(world.ledger.history(&unknown, &Query::new())?.items.is_empty());
        Ok(())
    });
    target.done(55);
}

#[test]
fn requests() {
    let mut target = Target::new();
    let (rich, key) = (AccountId::new("rich").unwrap(), Key::new("k").unwrap());
    let one = Points::new(1).unwrap();
    for deadline in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(999), Duration::from_secs(86_401)] {
        target.run("deadline", "invalid_argument", |world| {
            world.ledger.hold(&rich, &key, Hold::new(one, deadline)).map(drop)
        });
    }
    target.run("deadline", "out_of_range", |world| {
        world.ledger.hold(&rich, &key, Hold::new(one, Duration::MAX)).map(drop)
    });
    let huge = || Usage::quantity(u64::MAX);
    target.run("quantity", "invalid_argument", |world| {
        world.ledger.consume(&rich, &key, Consume::service("llm_tokens", huge())).map(drop)
    });
    target
        .run("service", "invalid_argument", |world| world.ledger.consume(&rich, &key, Consume::fixed("\0")).map(drop));
    target.run("service", "unknown_service", |world| world.ledger.price("", None).map(drop));
    target.run("service", "unknown_service", |world| world.ledger.estimate(&"x".repeat(100_000), None).map(drop));
    target.run("zero points", "invalid_argument", |world| {
        world.ledger.recharge(&rich, &key, Recharge::new(Points::ZERO, "s")).map(drop)
    });
    for early in [DateTime::<Utc>::MIN_UTC, instant("1969-12-31T23:59:59.999Z")] {
        let request = || Recharge::new(one, "s").effective_at(early);
        target.run("effective_at", "invalid_argument", |world| world.ledger.recharge(&rich, &key, request()).map(drop));
        let request = || Consume::points(one).occurred_at(early);
        target.run("occurred_at", "invalid_argument", |world| world.ledger.consume(&rich, &key, request()).map(drop));
    }
    for expiry in [i64::MIN, -1, 0] {
        for expiry in [
            counterfoil::ExpiresIn::Days(expiry),
            counterfoil::ExpiresIn::Months(expiry),
            counterfoil::ExpiresIn::DaysToEndOfDay(1, i32::MAX),
            counterfoil::ExpiresIn::MonthsToEndOfDay(1, i32::MIN),
        ] {
            let request = || Recharge::new(one, "s").expires(expiry);
            target.run("expiry", "invalid_argument", |world| world.ledger.recharge(&rich, &key, request()).map(drop));
        }
    }
    target.done(20);
}

#[test]
fn a_clock_outside_the_range() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let ledger = options(&clock).create(folder.path().join("test.ledger")).unwrap();
    let me = AccountId::new("me").unwrap();
    for (n, reading) in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC].into_iter().enumerate() {
        clock.set(reading);
        let key = Key::new(n.to_string()).unwrap();
        assert_eq!(code_of(|| ledger.consume(&me, &key, Consume::points(Points::ZERO))), "ok");
        assert_eq!(code_of(|| ledger.balance(&me)), "ok");
    }
    assert!(ledger.verify().unwrap().ok);
}

#[test]
fn closed_and_read_only_handles() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("test.ledger");
    let (me, key) = (AccountId::new("me").unwrap(), Key::new("k").unwrap());
    let ledger = options(&clock).create(&path).unwrap();
    let other = ledger.clone();
    ledger.close().unwrap();
    let charge = |ledger: &counterfoil::Ledger| ledger.consume(&me, &key, Consume::points(Points::ZERO)).map(drop);
    let calls: [&dyn Fn() -> Result<(), Error>; 8] = [
        &|| charge(&other),
        &|| other.balance(&me).map(drop),
        &|| other.info().map(drop),
        &|| other.flush(),
        &|| other.expire(None).map(drop),
        &|| other.verify().map(drop),
        &|| other.backup(folder.path().join("copy.ledger")).map(drop),
        &|| other.batch_run().apply(1, &counterfoil::Request::parse(r#"{"op":"confirm_clock","key":"k"}"#)?).map(drop),
    ];
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(code_of(call), "closed", "call {n}");
    }
    assert!(!folder.path().join("copy.ledger").exists());
    drop(other);
    let looking = options(&clock).read_only(true).open(&path).unwrap();
    assert_eq!(code_of(|| charge(&looking)), "read_only");
    assert_eq!(code_of(|| looking.flush()), "read_only");
    assert_eq!(code_of(|| looking.expire(None)), "read_only");
    assert_eq!(code_of(|| looking.balance(&me)), "ok");
    assert_eq!(looking.info().unwrap().operations, 0);
}
