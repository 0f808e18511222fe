//! Single operations, and the lives of single batches.

use counterfoil::{BatchId, BatchLife, Explanation, OperationId};

use super::causes::{me, world};
use crate::support::World;

fn explain(world: &World, number: i64) -> Explanation {
    world.ledger.explain(&world.ledger.operation_id(number).unwrap()).unwrap()
}

fn life(world: &World, number: i64) -> BatchLife {
    let receipt = world.ledger.operation(&world.ledger.operation_id(number).unwrap()).unwrap().receipt;
    world.ledger.explain_batch(&receipt.batch.unwrap().batch).unwrap()
}

fn whys(told: &Explanation) -> Vec<(i64, &str)> {
    told.paid_by.iter().map(|payer| (payer.points, payer.why.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn why_a_batch_came_first() {
    let recharge = |key: &str, rest: &str| {
        format!(r#"{{"op":"recharge","account":"me","key":"{key}","points":10,"source":"wxpay",{rest}}}"#)
    };
    let batches = [
        recharge("a", r#""expires_at":"never""#),
        recharge("b", r#""expires_at":"never","promo":true"#),
        recharge("c", r#""expires_at":"2027-06-01T00:00:00Z""#),
        recharge("d", r#""expires_at":"2027-05-01T00:00:00Z""#),
        recharge("e", r#""expires_at":"2027-05-01T00:00:00Z""#),
        recharge("f", r#""expires_at":"never","priority":10"#),
    ];
    let mut lines: Vec<(&str, &str)> = batches.iter().map(|line| ("", line.as_str())).collect();
    lines.push(("", r#"{"op":"consume","account":"me","key":"1","points":55}"#));
    lines.push(("", r#"{"op":"consume","account":"me","key":"2","points":2}"#));
    let world = world(&lines);
    assert_eq!(
        whys(&explain(&world, 7)),
        [
            (10, "priority 10 before 50"),
            (10, "older"),
            (10, "expires 2027-05-01, sooner than 2027-06-01"),
            (10, "expires 2027-06-01, the next one never"),
            (10, "promotional before paid"),
            (5, "the last batch with points"),
        ]
    );
    assert_eq!(whys(&explain(&world, 8)), [(2, "the only batch with points")]);
}

#[test]
fn a_reason_is_given_only_where_the_books_prove_it() {
    let first = |points: i64| {
        vec![
            ("", r#"{"op":"recharge","account":"me","key":"a","points":10,"source":"wxpay","expires_at":"2027-05-01T00:00:00Z"}"#.to_string()),
            ("other", r#"{"op":"recharge","account":"me","key":"b","points":10,"source":"gift","expires_at":"never"}"#.to_string()),
            ("", format!(r#"{{"op":"consume","account":"me","key":"1","points":{points}}}"#)),
        ]
    };
    let run = |points: i64, rest: &[(&'static str, &'static str)]| {
        let lines = first(points);
        let mut all: Vec<(&str, &str)> = lines.iter().map(|(name, line)| (*name, line.as_str())).collect();
        all.extend(rest);
        whys(&explain(&world(&all), 3)).first().map(|(_, why)| why.to_string()).unwrap()
    };
    // The other batch still has points, and nothing came back to it.
    assert_eq!(run(3, &[]), "expires 2027-05-01, the next one never");
    // It was drawn from later.
    let later = [("", r#"{"op":"consume","account":"me","key":"2","points":17}"#)];
    assert_eq!(run(3, &later), "expires 2027-05-01, the next one never");
    // Its expiry was changed since: at that time it was never.
    let changed =
        [("", r#"{"op":"set_expiry","batch":"@other","key":"2","expires_at":"2027-02-01T00:00:00Z","reason":"test"}"#)];
    assert_eq!(run(3, &changed), "expires 2027-05-01, the next one never");
    // It was taken back before: then it had no points.
    let revoked = world(&[
        ("", first(3)[0].1.as_str()),
        ("other", first(3)[1].1.as_str()),
        ("", r#"{"op":"revoke","batch":"@other","key":"2","points":"all","reason":"test"}"#),
        ("", first(3)[2].1.as_str()),
    ]);
    assert_eq!(whys(&explain(&revoked, 4)), [(3, "the only batch with points")]);
    // Something came back to both since: nobody can tell any more.
    let mut revoked = revoked;
    let told = explain(&revoked, 4);
    let refund = format!(
        r#"{{"op":"refund","operation":"{}","key":"9","points":1,"reason":"r"}}"#,
        told.operation.receipt.operation
    );
    revoked.must("", &refund);
    assert_eq!(whys(&explain(&revoked, 4)), [(3, "-")]);
}

#[test]
fn where_the_points_come_from() {
    let world = world(&[
        ("", r#"{"op":"recharge","account":"me","key":"a","points":100,"source":"gift"}"#),
        ("", r#"{"op":"consume","account":"me","key":"1","service":"tts","seconds":"61.2","actor":"app"}"#),
        ("", r#"{"op":"consume","account":"me","key":"2","service":"tts","points":3}"#),
        ("hold", r#"{"op":"hold","account":"me","key":"3","service":"tts","chars":120,"deadline_seconds":60}"#),
        ("", r#"{"op":"capture","hold":"@hold","key":"4","seconds":"6"}"#),
    ]);
    let book = world.ledger.pricing().unwrap().hash_hex();
    let reckoned = |number| {
        let told = explain(&world, number).reckoning.unwrap();
        (told.by, told.points, told.rule.unwrap_or_default(), told.price_book.is_some(), told.pinned_by)
    };
    assert_eq!(explain(&world, 2).reckoning.unwrap().price_book, Some(book));
    assert_eq!(reckoned(2), ("rule", 21, "ceil(61.2 s / 3), at least 1".into(), true, None));
    assert_eq!(reckoned(3), ("caller", 3, String::new(), false, None));
    let (by, points, rule, ..) = reckoned(4);
    assert_eq!((by, points), ("estimate", 10), "{rule}");
    let hold = world.ledger.operation_id(4).unwrap();
    assert_eq!(reckoned(5), ("rule", 2, "ceil(6 s / 3), at least 1".into(), true, Some(hold)));
    let recharged = reckoned(1);
    assert!(recharged.2.contains("180 days") && recharged.2.contains("promotional"), "{}", recharged.2);
    let captured = explain(&world, 5);
    assert!(captured.paid_by[0].held && captured.paid_by[0].why.is_none());
    let held: Vec<&str> = explain(&world, 4).since.iter().map(|since| since.what).collect();
    assert_eq!(held, ["capture"]);
}

#[test]
fn what_became_of_a_consume() {
    let world = world(&[
        ("bought", r#"{"op":"recharge","account":"me","key":"a","points":10,"source":"wxpay"}"#),
        ("spent", r#"{"op":"consume","account":"me","key":"1","points":18}"#),
        ("", r#"{"op":"write_off","account":"me","key":"2","points":1,"reason":"goodwill"}"#),
        (
            "",
            r#"{"op":"recharge","account":"me","key":"b","points":5,"source":"gift","effective_at":"2027-01-10T13:00:00Z"}"#,
        ),
        ("", "+7200"),
    ]);
    // Time alone has paid five of it: no write has happened since.
    let told = explain(&world, 2);
    assert_eq!(told.operation.open_now, Some(2));
    assert_eq!(
        told.settled_by.iter().map(|payer| (payer.source.as_str(), payer.points)).collect::<Vec<_>>(),
        [("gift", 5)]
    );
    assert_eq!((told.written_off, told.since[0].what, told.since[0].points), (1, "write_off", 1));
    let mut world = world;
    world.must("", r#"{"op":"refund","operation":"@spent","key":"3","points":4,"reason":"late","actor":"support"}"#);
    world.must("", r#"{"op":"revoke","batch":"@bought","key":"4","points":1,"reason":"fraud"}"#);
    let told = explain(&world, 2);
    let since: Vec<_> = told.since.iter().map(|since| (since.what, since.points)).collect();
    assert_eq!(since, [("write_off", 1), ("refund", 4), ("revoke", 0)]);
    assert_eq!((told.refunded, told.settled_by[0].returned), (4, 2));
    assert_eq!(told.since[1].said.actor.as_deref(), Some("support"));
    let refund = explain(&world, 5);
    assert_eq!(
        refund.sides[0].lines.iter().map(|line| line.kind).collect::<Vec<_>>(),
        ["refund", "settle"].get(..refund.sides[0].lines.len()).unwrap()
    );
}

#[test]
fn the_life_of_a_batch() {
    let world = world(&[
        ("", r#"{"op":"consume","account":"me","key":"debt","points":5,"service":"video"}"#),
        (
            "bought",
            r#"{"op":"recharge","account":"me","key":"a","points":100,"source":"wxpay","expires_at":"2027-01-10T14:00:00Z"}"#,
        ),
        ("spent", r#"{"op":"consume","account":"me","key":"1","points":20,"service":"tts"}"#),
        ("", r#"{"op":"refund","operation":"@spent","key":"2","points":4,"reason":"failed"}"#),
        ("", r#"{"op":"transfer","account":"me","key":"3","to":"friend","points":10}"#),
        ("", r#"{"op":"revoke","batch":"@bought","key":"4","points":7,"reason":"chargeback"}"#),
        ("", r#"{"op":"hold","account":"me","key":"5","points":8,"deadline_seconds":80000}"#),
        ("", "+10000"),
        ("", r#"{"op":"refund","operation":"@spent","key":"6","points":1,"reason":"failed"}"#),
    ]);
    let told = life(&world, 2);
    let uses: Vec<_> = told.uses.iter().map(|used| (used.points, used.drawn, used.settled, used.returned)).collect();
    assert_eq!(uses, [(5, 5, 5, 0), (15, 20, 0, 5)]);
    let events: Vec<_> = told.events.iter().map(|event| (event.what, event.points)).collect();
    assert_eq!(
        events,
        [("recharged", 100), ("moved", 10), ("revoked", 7), ("held", 8), ("expired", 54), ("lapsed", 1)]
    );
    assert_eq!(told.events[1].other.as_ref().unwrap().as_str(), "friend");
    let received = world.ledger.explain_batch(&told.events[1].other_batch.unwrap()).unwrap();
    assert_eq!((received.events[0].what, received.events[0].other.as_ref()), ("received", Some(&me())));
    assert_eq!(received.events[0].other_batch, Some(told.batch.batch));
}

#[test]
fn what_nobody_booked_is_refused() {
    let world = world(&[("", r#"{"op":"open","account":"me","key":"a"}"#)]);
    let nobody: OperationId = crate::support::NOBODY.parse().unwrap();
    assert_eq!(world.ledger.explain(&nobody).unwrap_err().code(), "unknown_operation");
    let nobody: BatchId = crate::support::NOBODY.parse().unwrap();
    assert_eq!(world.ledger.explain_batch(&nobody).unwrap_err().code(), "unknown_batch");
    // An operation's own id names no batch.
    let opened: BatchId = world.ledger.operation_id(1).unwrap().to_string().parse().unwrap();
    assert_eq!(world.ledger.explain_batch(&opened).unwrap_err().code(), "unknown_batch");
}
