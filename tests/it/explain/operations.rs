//! Single operations, and the lives of single batches.

use counterfoil::report::{BatchLife, Explanation, Step};
use counterfoil::{BatchId, OperationId};

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
    told.paid_by.iter().map(|payer| (payer.points.get(), payer.why.as_deref().unwrap_or("-"))).collect()
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
fn a_reason_is_given_as_things_stood_then() {
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
    // Something came back to it since: that was later.
    let mut revoked = revoked;
    let told = explain(&revoked, 4);
    let refund = format!(
        r#"{{"op":"refund","operation":"{}","key":"9","points":1,"reason":"r"}}"#,
        told.operation.receipt.operation
    );
    revoked.must("", &refund);
    assert_eq!(whys(&explain(&revoked, 4)), [(3, "the only batch with points")]);
}

/// A hold that was never captured, once its deadline had passed, took the reasons of every draw before it away.
#[test]
fn a_hold_that_ended_takes_no_reason_away() {
    let world = world(&[
        (
            "",
            r#"{"op":"recharge","account":"me","key":"a","points":100,"source":"wxpay","expires_at":"2027-12-01T00:00:00Z"}"#,
        ),
        (
            "",
            r#"{"op":"recharge","account":"me","key":"b","points":50,"source":"wxpay","expires_at":"2027-11-30T00:00:00Z"}"#,
        ),
        ("", r#"{"op":"consume","account":"me","key":"1","points":11}"#),
        ("", r#"{"op":"hold","account":"me","key":"2","points":1,"deadline_seconds":60}"#),
        ("", "+3600"),
    ]);
    assert_eq!(whys(&explain(&world, 3)), [(11, "expires 2027-11-30, sooner than 2027-12-01")]);
}

/// A batch that had expired when a late use was booked was said to be the only one with points.
#[test]
fn a_late_use_says_that_it_brought_points_back() {
    let world = world(&[
        ("", r#"{"op":"configure","key":"w","setting":"late_window","value":864000}"#),
        (
            "",
            r#"{"op":"recharge","account":"me","key":"a","points":10,"source":"wxpay","expires_at":"2027-01-11T12:00:00Z"}"#,
        ),
        ("", "+172800"),
        ("", r#"{"op":"consume","account":"me","key":"1","points":6,"occurred_at":"2027-01-10T18:00:00Z"}"#),
    ]);
    let told = explain(&world, 3);
    let why = "expired 2027-01-11, but live when it occurred (2027-01-10, late window 10 days): 6 points came back";
    assert_eq!(whys(&told), [(6, why)]);
    // Of points that came only after it, that they were there since.
    let told = world.apply(&serde_json::json!({
        "op": "consume", "account": "me", "key": "2", "points": 1, "occurred_at": "2027-01-10T06:00:00Z"
    }));
    let why = "expired 2027-01-11, but alive since it occurred (2027-01-10, late window 10 days): 1 point came back";
    assert_eq!(whys(&world.ledger.explain(&told.unwrap().operation).unwrap()), [(1, why)]);
}

/// A refund did not say where its points went, nor a settle line whom it paid, nor a write-off whom it forgave.
#[test]
fn points_that_came_back_went_somewhere() {
    let world = world(&[
        (
            "z",
            r#"{"op":"recharge","account":"me","key":"z","points":10,"source":"card","expires_at":"2027-02-01T00:00:00Z"}"#,
        ),
        ("y", r#"{"op":"recharge","account":"me","key":"y","points":4,"source":"wxpay","expires_at":"never"}"#),
        ("spent", r#"{"op":"consume","account":"me","key":"1","points":16}"#),
        ("", r#"{"op":"revoke","batch":"@z","key":"r","points":"all","reason":"chargeback"}"#),
        ("", r#"{"op":"recharge","account":"me","key":"x","points":6,"source":"wxpay","expires_at":"never"}"#),
        ("", r#"{"op":"write_off","account":"me","key":"w","points":1,"reason":"goodwill"}"#),
        ("", r#"{"op":"refund","operation":"@spent","key":"b","points":"all","reason":"failed"}"#),
    ]);
    let seq = |id: &Option<OperationId>| id.map(|id| id.sequence());
    let owed: Vec<_> =
        explain(&world, 5).settled[0].parts.iter().map(|d| (seq(&d.operation), d.points.get())).collect();
    assert_eq!(owed, [(Some(3), 2), (Some(4), 4)]);
    let forgiven = explain(&world, 6).forgiven;
    assert_eq!(forgiven.iter().map(|d| (seq(&d.operation), d.points.get())).collect::<Vec<_>>(), [(Some(4), 1)]);
    let told = explain(&world, 7);
    let went = told.went_to.iter();
    let went: Vec<_> =
        went.map(|went| (went.what.as_str(), went.points.get(), seq(&went.of), went.other_batch.is_some())).collect();
    // Two go back to the third batch, which had settled them, and four to the second; ten came from the revoked one,
    // whose debt of ten had four paid by the third and one forgiven: so nine are free, and one stays taken.
    assert_eq!(
        went,
        [
            ("restored", 2, Some(3), false),
            ("restored", 4, Some(3), false),
            ("taken", 1, Some(3), false),
            ("cancelled_debt", 5, Some(4), true),
            ("restored", 4, Some(4), true)
        ]
    );
    let late = explain(&world, 3).settled_by;
    assert_eq!(late.iter().map(|payer| (payer.points.get(), seq(&payer.paid_in))).collect::<Vec<_>>(), [(2, Some(5))]);
}

/// A capture beyond its hold called all points of a batch set aside, though part of them was an ordinary draw.
#[test]
fn a_capture_beyond_its_hold_draws_like_any_use() {
    let world = world(&[
        ("", r#"{"op":"recharge","account":"me","key":"a","points":10,"source":"wxpay","expires_at":"never"}"#),
        ("", r#"{"op":"recharge","account":"me","key":"b","points":10,"source":"gift","expires_at":"never"}"#),
        ("h", r#"{"op":"hold","account":"me","key":"1","points":4,"deadline_seconds":60}"#),
        ("", r#"{"op":"capture","hold":"@h","key":"2","points":12}"#),
    ]);
    assert_eq!(whys(&explain(&world, 3)), [(4, "promotional before paid")]);
    assert_eq!(
        whys(&explain(&world, 4)),
        [(4, "set aside by the hold"), (6, "promotional before paid"), (2, "the last batch with points")]
    );
}

/// Points were said to have been returned though their batch had expired: they had come to nothing.
#[test]
fn what_was_returned_to_an_expired_batch_lapsed() {
    let mut world = world(&[
        (
            "",
            r#"{"op":"recharge","account":"me","key":"a","points":40,"source":"gift","expires_at":"2027-01-11T12:00:00Z"}"#,
        ),
        ("", r#"{"op":"recharge","account":"me","key":"b","points":20,"source":"card","expires_at":"never"}"#),
        ("used", r#"{"op":"consume","account":"me","key":"1","points":65}"#),
        (
            "late",
            r#"{"op":"recharge","account":"me","key":"c","points":5,"source":"card","expires_at":"2027-01-11T12:00:00Z"}"#,
        ),
        ("", r#"{"op":"refund","operation":"@used","key":"2","points":35,"reason":"failed"}"#),
        ("", "+90000"),
    ]);
    let told = |world: &World, number| {
        let told = explain(world, number);
        let payers = told.paid_by.iter().chain(&told.settled_by);
        payers.map(|payer| (payer.points.get(), payer.returned.get(), payer.lapsed.get())).collect::<Vec<_>>()
    };
    assert_eq!(told(&world, 3), [(40, 10, 0), (20, 20, 0), (5, 5, 0)]);
    world.must("", r#"{"op":"refund","operation":"@used","key":"3","points":"all","reason":"failed"}"#);
    assert_eq!(told(&world, 3), [(40, 40, 30), (20, 20, 0), (5, 5, 0)]);
    // A revoke's debt that points paid: they come back, and lapse, when the revoked batch's points do.
    world.must(
        "bought",
        r#"{"op":"recharge","account":"me","key":"d","points":50,"source":"card","expires_at":"never"}"#,
    );
    world.must("all", r#"{"op":"consume","account":"me","key":"4","points":50}"#);
    world.must("", r#"{"op":"consume","account":"me","key":"5","points":20}"#);
    world.must("", r#"{"op":"revoke","batch":"@bought","key":"6","points":"all","reason":"chargeback"}"#);
    world.must(
        "",
        r#"{"op":"recharge","account":"me","key":"e","points":70,"source":"gift","expires_at":"2027-01-12T12:00:00Z"}"#,
    );
    world.advance(90_000);
    world.must("", r#"{"op":"refund","operation":"@all","key":"7","points":"all","reason":"failed"}"#);
    assert_eq!(told(&world, 10), [(50, 30, 30)]);
    assert_eq!(told(&world, 8), [(20, 20, 0), (30, 30, 0)]);
}

/// A late capture of a closed account reopens it, and the hold was said to have been reopened, of nought points.
#[test]
fn a_reopen_is_nothing_done_to_the_hold() {
    let world = world(&[
        ("", r#"{"op":"recharge","account":"me","key":"a","points":10,"source":"wxpay","expires_at":"never"}"#),
        ("h", r#"{"op":"hold","account":"me","key":"1","points":4,"deadline_seconds":60}"#),
        ("", "+120"),
        ("", r#"{"op":"consume","account":"me","key":"2","points":10}"#),
        ("", r#"{"op":"close","account":"me","key":"3","reason":"moved out"}"#),
        ("", r#"{"op":"capture","hold":"@h","key":"4","points":3}"#),
    ]);
    let lines: Vec<_> = explain(&world, 5).sides[0].lines.iter().map(|line| line.kind).collect();
    assert_eq!(lines, ["reopen", "capture"]);
    let since: Vec<_> =
        explain(&world, 2).since.iter().map(|since| (since.line.as_str(), since.points.get())).collect();
    assert_eq!(since, [("hold_expire", 4), ("capture", 3)]);
}

/// The value an operation set was not shown, nor what it had been.
#[test]
fn a_new_value_is_told_with_the_old() {
    let world = world(&[
        ("", r#"{"op":"configure","key":"1","setting":"max_hold","value":7200}"#),
        ("", r#"{"op":"configure","key":"2","setting":"max_hold","value":9000}"#),
        ("", r#"{"op":"open","account":"me","key":"3","credit_limit":5}"#),
        ("", r#"{"op":"set_limit","account":"me","key":"4","credit_limit":8}"#),
        (
            "b",
            r#"{"op":"recharge","account":"me","key":"5","points":10,"source":"wxpay","expires_at":"2027-01-11T12:00:00Z"}"#,
        ),
        ("", r#"{"op":"set_expiry","batch":"@b","key":"6","expires_at":"never","reason":"goodwill"}"#),
        ("h", r#"{"op":"hold","account":"me","key":"7","points":12,"deadline_seconds":60}"#),
        ("", r#"{"op":"renew","hold":"@h","key":"8","deadline_seconds":120}"#),
        ("", "+3600"),
        ("", r#"{"op":"capture","hold":"@h","key":"9","points":3}"#),
        ("", r#"{"op":"configure","key":"10","setting":"late_window","value":60}"#),
        ("", r#"{"op":"configure","key":"11","setting":"max_hold","value":60}"#),
    ]);
    let told = |number| {
        let told = explain(&world, number).operation.receipt.changed.unwrap();
        format!("{} {} {}", told.what, told.before, told.after)
    };
    assert_eq!(told(1), "max_hold 86400 7200");
    assert_eq!(told(2), "max_hold 7200 9000");
    assert_eq!(told(11), "max_hold 9000 60");
    assert_eq!(told(3), "credit_limit 0 5");
    assert_eq!(told(4), "credit_limit 5 8");
    assert_eq!(told(6), r#"expires_at "2027-01-11T12:00:00.000Z" "never""#);
    assert_eq!(told(8), r#"deadline "2027-01-10T12:01:00.000Z" "2027-01-10T12:02:00.000Z""#);
    assert_eq!(explain(&world, 7).credit_limit.unwrap(), 8);
    assert_eq!(explain(&world, 9).passed_deadline, Some(crate::support::instant("2027-01-10T12:02:00Z")));
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
    let book = world.ledger.pricing().unwrap().hash();
    let reckoned = |number| {
        let told = explain(&world, number).reckoning.unwrap();
        (told.by.as_str(), told.points.get(), told.rule.unwrap_or_default(), told.price_book.is_some(), told.pinned_by)
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
    assert_eq!((captured.paid_by[0].held, whys(&captured)), (true, vec![(2, "set aside by the hold")]));
    let held: Vec<&str> = explain(&world, 4).since.iter().map(|since| since.line.as_str()).collect();
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
    assert_eq!(told.operation.open_now.unwrap(), 2);
    assert_eq!(
        told.settled_by.iter().map(|payer| (payer.source.as_str(), payer.points.get())).collect::<Vec<_>>(),
        [("gift", 5)]
    );
    assert_eq!((told.written_off.get(), told.since[0].line.as_str(), told.since[0].points.get()), (1, "write_off", 1));
    let mut world = world;
    world.must("", r#"{"op":"refund","operation":"@spent","key":"3","points":4,"reason":"late","actor":"support"}"#);
    world.must("", r#"{"op":"revoke","batch":"@bought","key":"4","points":1,"reason":"fraud"}"#);
    let told = explain(&world, 2);
    let since: Vec<_> = told.since.iter().map(|since| (since.line.as_str(), since.points.get())).collect();
    assert_eq!(since, [("write_off", 1), ("refund", 4), ("revoke", 0)]);
    assert_eq!((told.refunded.get(), told.settled_by[0].returned.get()), (4, 2));
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
    let parts = |used: &Step| used.parts.iter().map(|part| (part.what.as_str(), part.points.get())).collect::<Vec<_>>();
    let uses: Vec<_> = told.uses.iter().map(|used| (used.points.get(), parts(used))).collect();
    assert_eq!(uses, [(5, vec![("settled", 5)]), (15, vec![("returned", 5)])]);
    assert_eq!(told.uses[0].parts[0].at, told.steps[0].at);
    let events: Vec<_> = told.steps.iter().map(|step| (step.what.as_str(), step.points.get())).collect();
    assert_eq!(
        events,
        [("recharged", 100), ("moved", 10), ("revoked", 7), ("held", 8), ("expired", 54), ("lapsed", 1)]
    );
    assert_eq!(told.steps[1].other.as_ref().unwrap().as_str(), "friend");
    let received = world.ledger.explain_batch(&told.steps[1].other_batch.unwrap()).unwrap();
    assert_eq!((received.steps[0].what.as_str(), received.steps[0].other.as_ref()), ("received", Some(&me())));
    assert_eq!(received.steps[0].other_batch, Some(told.batch.batch));
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
