//! The same key again: what counts as the same request, what does not, and whose the keys are.

use serde_json::Value;

use super::{fields, json, patched};
use crate::support::{World, Wrong, options, sample, situations};

/// A request, the changes that leave it the same, and those that do not, with the fields that then differ.
struct Row {
    line: &'static str,
    same: &'static [&'static str],
    other: &'static [(&'static str, &'static [&'static str])],
}

/// In an order in which all of them are booked, each under the same key.
const ROWS: &[Row] = &[
    Row {
        line: r#"{"op":"open","account":"rich"}"#,
        same: &[r#"{"credit_limit":0}"#, r#"{"credit_limit":null}"#],
        other: &[(r#"{"credit_limit":5}"#, &["credit_limit"])],
    },
    Row {
        line: r#"{"op":"set_limit","account":"rich","credit_limit":0}"#,
        same: &[],
        other: &[(r#"{"credit_limit":5}"#, &["credit_limit"])],
    },
    Row {
        line: r#"{"op":"recharge","account":"rich","points":5,"source":"wxpay"}"#,
        same: &[r#"{"priority":50}"#],
        other: &[
            (r#"{"points":6}"#, &["points"]),
            (r#"{"source":"alipay"}"#, &["source"]),
            (r#"{"priority":51}"#, &["priority"]),
            (r#"{"promo":true}"#, &["promo"]),
            (r#"{"expires_in_days":180}"#, &["expires_in_days"]),
            (r#"{"expires_in_months":6,"end_of_day":"+08:00"}"#, &["end_of_day", "expires_in_months"]),
            (r#"{"expires_at":"never","points":6}"#, &["expires_at", "points"]),
            (r#"{"effective_at":"2027-01-10T13:00:00Z"}"#, &["effective_at"]),
        ],
    },
    Row {
        line: r#"{"op":"recharge","account":"friend","points":5,"source":"wxpay","expires_in_days":9,"end_of_day":"+00:00","effective_at":"2027-01-10T20:00:00Z"}"#,
        same: &[r#"{"effective_at":"2027-01-11T04:00:00+08:00"}"#, r#"{"effective_at":"2027-01-10T20:00:00.0009Z"}"#],
        other: &[
            (r#"{"expires_in_days":10}"#, &["expires_in_days"]),
            (r#"{"end_of_day":"+08:00"}"#, &["end_of_day"]),
            (r#"{"end_of_day":null}"#, &["end_of_day"]),
            (r#"{"expires_in_days":null,"end_of_day":null}"#, &["end_of_day", "expires_in_days"]),
            (
                r#"{"expires_in_days":null,"end_of_day":null,"expires_at":"2027-01-20T00:00:00Z"}"#,
                &["end_of_day", "expires_at", "expires_in_days"],
            ),
            (r#"{"effective_at":"2027-01-10T20:00:00.001Z"}"#, &["effective_at"]),
        ],
    },
    Row {
        line: r#"{"op":"plan","account":"friend","points":5,"source":"wxpay","every_months":1,"anchor":"2027-01-31T00:00:00Z","expires_at":"period_end"}"#,
        same: &[
            r#"{"offset":"Z"}"#,
            r#"{"offset":"+00:00"}"#,
            r#"{"priority":50}"#,
            r#"{"anchor":"2027-01-31T08:00:00+08:00"}"#,
        ],
        other: &[
            (r#"{"points":6}"#, &["points"]),
            (r#"{"every_months":2}"#, &["every_months"]),
            (r#"{"every_months":null,"every_days":30}"#, &["every_days", "every_months"]),
            (r#"{"offset":"+08:00"}"#, &["offset"]),
            (r#"{"count":12}"#, &["count"]),
            (r#"{"anchor":null}"#, &["anchor"]),
            (r#"{"expires_at":"never"}"#, &["expires_at"]),
        ],
    },
    Row {
        line: r#"{"op":"stop","plan":"@monthly"}"#,
        same: &[],
        other: &[(r#"{"reference":"case 1"}"#, &["reference"]), (r#"{"plan":"@weekly"}"#, &["plan"])],
    },
    Row {
        line: r#"{"op":"consume","account":"rich","service":"tts","seconds":"61.2","reference":"task 19"}"#,
        same: &[r#"{"policy":"postpaid"}"#, r#"{"seconds":"61.20"}"#, r#"{"seconds":"612e-1"}"#],
        other: &[
            (r#"{"seconds":61}"#, &["seconds"]),
            (r#"{"service":"video"}"#, &["service"]),
            (r#"{"policy":"strict"}"#, &["policy"]),
            (r#"{"policy":"up_to"}"#, &["policy"]),
            // What it cost is an outcome, not an input.
            (r#"{"points":21}"#, &["points"]),
            (r#"{"occurred_at":"2027-01-10T13:00:00Z"}"#, &["occurred_at"]),
            (r#"{"seconds":null,"quantity":"61.2","unit":"second"}"#, &["quantity", "seconds", "unit"]),
            (r#"{"reference":null}"#, &["reference"]),
        ],
    },
    Row {
        line: r#"{"op":"consume","account":"debtor","points":0,"service":"tts","chars":5,"occurred_at":"2027-01-10T12:30:00Z"}"#,
        same: &[r#"{"occurred_at":"2027-01-10T13:30:00+01:00"}"#, r#"{"chars":"5"}"#, r#"{"chars":"5.0"}"#],
        other: &[
            (r#"{"points":1}"#, &["points"]),
            (r#"{"chars":6}"#, &["chars"]),
            (r#"{"chars":null}"#, &["chars"]),
            (r#"{"occurred_at":null}"#, &["occurred_at"]),
        ],
    },
    Row {
        line: r#"{"op":"hold","account":"rich","points":5,"deadline_seconds":60}"#,
        same: &[r#"{"deadline_seconds":"60"}"#, r#"{"deadline_seconds":"60.000"}"#],
        other: &[
            (r#"{"points":6}"#, &["points"]),
            (r#"{"deadline_seconds":61}"#, &["deadline_seconds"]),
            (r#"{"deadline_seconds":"60.5"}"#, &["deadline_seconds"]),
            (r#"{"service":"tts","chars":9}"#, &["chars", "service"]),
            (r#"{"points":null,"service":"video","input_seconds":2}"#, &["input_seconds", "points", "service"]),
        ],
    },
    Row {
        line: r#"{"op":"renew","hold":"@open","deadline_seconds":60}"#,
        same: &[],
        other: &[(r#"{"deadline_seconds":61}"#, &["deadline_seconds"]), (r#"{"hold":"@spoken"}"#, &["hold"])],
    },
    Row {
        line: r#"{"op":"capture","hold":"@open","points":5}"#,
        same: &[],
        other: &[
            (r#"{"points":6}"#, &["points"]),
            (r#"{"hold":"@spoken"}"#, &["hold"]),
            (r#"{"hold":"@late","points":1}"#, &["hold", "points"]),
            (r#"{"points":null,"seconds":5}"#, &["points", "seconds"]),
            (r#"{"points":null}"#, &["points"]),
            (r#"{"cap":"held"}"#, &["cap"]),
        ],
    },
    Row { line: r#"{"op":"release","hold":"@spoken"}"#, same: &[], other: &[(r#"{"hold":"@open"}"#, &["hold"])] },
    Row {
        line: r#"{"op":"refund","operation":"@spent","points":20,"reason":"failed"}"#,
        same: &[],
        other: &[
            (r#"{"points":19}"#, &["points"]),
            // All of it was as much, but it was not what was asked.
            (r#"{"points":"all"}"#, &["points"]),
            (r#"{"reason":"late"}"#, &["reason"]),
            (r#"{"operation":"@charge"}"#, &["operation"]),
        ],
    },
    Row {
        line: r#"{"op":"revoke","batch":"@rich","points":"all","reason":"chargeback"}"#,
        same: &[r#"{"shortfall":"debt"}"#],
        other: &[
            (r#"{"points":200}"#, &["points"]),
            (r#"{"shortfall":"clamp"}"#, &["shortfall"]),
            (r#"{"reason":"late"}"#, &["reason"]),
            (r#"{"batch":"@gone"}"#, &["batch"]),
        ],
    },
    Row {
        line: r#"{"op":"set_expiry","batch":"@gone","expires_at":"2028-01-01T00:00:00Z","reason":"goodwill"}"#,
        same: &[r#"{"expires_at":"2028-01-01T08:00:00+08:00"}"#],
        other: &[
            (r#"{"expires_at":"never"}"#, &["expires_at"]),
            (r#"{"expires_at":null,"expires_in_days":9}"#, &["expires_at", "expires_in_days"]),
            (r#"{"reason":"late"}"#, &["reason"]),
            (r#"{"batch":"@rich"}"#, &["batch"]),
        ],
    },
    Row {
        line: r#"{"op":"transfer","account":"frozen","to":"friend","points":1}"#,
        same: &[],
        other: &[(r#"{"to":"rich"}"#, &["to"]), (r#"{"to":"nobody"}"#, &["to"]), (r#"{"points":2}"#, &["points"])],
    },
    Row {
        line: r#"{"op":"write_off","account":"debtor","points":1,"reason":"goodwill"}"#,
        same: &[],
        other: &[(r#"{"points":2}"#, &["points"]), (r#"{"reason":"late"}"#, &["reason"])],
    },
    Row {
        line: r#"{"op":"freeze","account":"friend","reason":"asked"}"#,
        same: &[],
        other: &[(r#"{"reason":"late"}"#, &["reason"])],
    },
    Row {
        line: r#"{"op":"unfreeze","account":"friend","reason":"asked"}"#,
        same: &[],
        other: &[(r#"{"reason":"late"}"#, &["reason"])],
    },
    Row {
        line: r#"{"op":"close","account":"empty","reason":"left"}"#,
        same: &[],
        other: &[(r#"{"reason":"late"}"#, &["reason"])],
    },
    Row {
        line: r#"{"op":"configure","setting":"late_window","value":60}"#,
        same: &[],
        other: &[(r#"{"value":61}"#, &["value"]), (r#"{"setting":"max_hold"}"#, &["setting"])],
    },
    Row { line: r#"{"op":"confirm_clock"}"#, same: &[], other: &[] },
];

/// Facts that say nothing about what is done. Metadata does where both say some: another payment's id is another payment.
const NOT_COMPARED: &[&str] = &[
    r#"{"actor":"till 4"}"#,
    r#"{"description":"a line\nanother"}"#,
    r#"{"metadata":{"project":7}}"#,
    r#"{"at":"1999-12-31T00:00:00Z"}"#,
    r#"{"at":"2099-12-31T00:00:00Z"}"#,
    r#"{"actor":"till 4","description":"text","metadata":{},"at":"2027-01-10T13:00:00Z"}"#,
];

/// Every row booked under one key, and the answers. The same key on every kind of operation and on several accounts: each books
/// its own.
fn each_booked_once() -> (World, Vec<Value>, Vec<Value>) {
    let mut world = World::copy(situations(), Some(sample()));
    world.apply(&json(r#"{"op":"unfreeze","account":"frozen","key":"thaw","reason":"asked"}"#)).unwrap();
    let key = fields(r#"{"key":"the one key"}"#);
    let lines: Vec<Value> = ROWS.iter().map(|row| patched(&json(row.line), &key)).collect();
    let first: Vec<Value> =
        lines.iter().map(|line| serde_json::to_value(world.must("", &line_text(&world, line))).unwrap()).collect();
    (world, lines, first)
}

#[test]
fn the_same_key_again() {
    let (world, lines, first) = each_booked_once();
    assert!(first.iter().all(|receipt| receipt["replayed"] == false));
    world.advance(3600);
    world.ledger.set_pricing(counterfoil::pricing::PriceBook::parse("[fixed_costs]\ntts = 99\n", "dear.toml").unwrap());
    let (before, mut wrong, mut rows) = (world.shown(), Wrong::default(), 0);
    for ((row, line), first) in ROWS.iter().zip(&lines).zip(&first) {
        let mut original = first.clone();
        original["replayed"] = true.into();
        for patch in ["{}"].iter().chain(row.same).chain(NOT_COMPARED) {
            rows += 1;
            let answer = world.apply(&patched(line, &fields(patch)));
            let same = answer.as_ref().is_ok_and(|receipt| as_then(receipt) == original);
            wrong.check(same, || format!("{} with {patch}\n    {answer:?}", row.line));
        }
        let reference: (&str, &[&str]) = (r#"{"reference":"other"}"#, &["reference"]);
        for (patch, fields_expected) in row.other.iter().chain([&reference]) {
            rows += 1;
            let answer = world.apply(&patched(line, &fields(patch)));
            let details =
                answer.as_ref().err().filter(|error| error.code() == "key_reused").map(counterfoil::Error::details);
            let named = details.is_some_and(|details| {
                details["fields"] == serde_json::json!(fields_expected)
                    && details["key"] == line["key"]
                    && details["op"] == line["op"]
                    && details["operation"] == first["operation"]
            });
            wrong.check(named, || format!("{} with {patch}\n    {answer:?}", row.line));
        }
        wrong.check(world.shown() == before, || format!("{}\n    changed something", row.line));
    }
    wrong.none();
    assert!(rows >= 180, "{rows}");
}

/// A replayed receipt without what it says of now.
fn as_then(receipt: &counterfoil::Receipt) -> Value {
    let mut receipt = serde_json::to_value(receipt).unwrap();
    assert_eq!(receipt.get("balance_now").is_some(), receipt["account"].is_string(), "{receipt}");
    assert_eq!(receipt.get("state_now").is_some(), receipt["hold"].is_object(), "{receipt}");
    receipt.as_object_mut().unwrap().retain(|name, _| name != "balance_now" && name != "state_now");
    receipt
}

fn line_text(world: &World, line: &Value) -> String {
    world.resolve(line).to_string()
}

/// Story: an app paid for a job, lost the answer, and was started again. A ledger just opened has met no used key: it decides
/// first, and the write tells that the key is taken. Right is the first answer, whether the job would be booked or refused now.
#[test]
fn the_same_key_again_in_a_ledger_just_opened() {
    let (mut world, lines, first) = each_booked_once();
    let (before, mut wrong) = (world.shown(), Wrong::default());
    let reopen = |world: &mut World| {
        world.ledger.close().unwrap();
        world.ledger = options(&world.clock).pricing(sample()).open(world.folder.path().join("test.ledger")).unwrap();
    };
    for ((row, line), first) in ROWS.iter().zip(&lines).zip(&first) {
        let mut original = first.clone();
        original["replayed"] = true.into();
        reopen(&mut world);
        let answer = world.apply(line);
        let same = answer.as_ref().is_ok_and(|receipt| as_then(receipt) == original);
        wrong.check(same, || format!("{}\n    {answer:?}", row.line));
        if let Some((patch, _)) = row.other.first() {
            reopen(&mut world);
            let answer = world.apply(&patched(line, &fields(patch)));
            let refused = answer.as_ref().is_err_and(|error| error.code() == "key_reused");
            wrong.check(refused, || format!("{} with {patch}\n    {answer:?}", row.line));
        }
        wrong.check(world.shown() == before, || format!("{}\n    changed something", row.line));
    }
    wrong.none();
    assert!(world.ledger.verify().unwrap().ok);
}
