//! Every code each operation can be refused with, each with nothing changed and the key free afterwards.

use serde_json::json as value;

use super::{fields, json, patched};
use crate::support::{World, Wrong, code_of, sample, situations};

/// Request (its key is `again`), code, and facts the error must name.
type Row = (&'static str, &'static str, &'static str);

const ACCOUNTS: &[Row] = &[
    (r#"{"op":"open","account":"rich","credit_limit":1}"#, "account_exists", r#"{"account":"rich","credit_limit":0}"#),
    (r#"{"op":"open","account":"closed","credit_limit":5}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"open","account":"rich","credit_limit":9000000000000001}"#,
        "out_of_range",
        r#"{"field":"credit_limit"}"#,
    ),
    (r#"{"op":"set_limit","account":"rich"}"#, "invalid_argument", r#"{"field":"credit_limit"}"#),
    (r#"{"op":"set_limit","account":"nobody","credit_limit":1}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"set_limit","account":"closed","credit_limit":1}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"freeze","account":"nobody","reason":"r"}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"freeze","account":"closed","reason":"r"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"freeze","account":"rich"}"#, "invalid_argument", r#"{"field":"reason"}"#),
    (r#"{"op":"unfreeze","account":"nobody","reason":"r"}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"unfreeze","account":"closed","reason":"r"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"unfreeze","account":"rich"}"#, "invalid_argument", r#"{"field":"reason"}"#),
    (r#"{"op":"close","account":"nobody","reason":"r"}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"close","account":"closed","reason":"r"}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"close","account":"rich","reason":"r"}"#,
        "account_not_empty",
        r#"{"account":"rich","held":20,"debt":0}"#,
    ),
    (r#"{"op":"close","account":"debtor","reason":"r"}"#, "account_not_empty", r#"{"available":0,"debt":14}"#),
    (r#"{"op":"close","account":"frozen","reason":"r"}"#, "account_not_empty", r#"{"available":39,"held":10}"#),
    (r#"{"op":"write_off","account":"nobody","points":1,"reason":"r"}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"write_off","account":"closed","points":1,"reason":"r"}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"write_off","account":"debtor","points":15,"reason":"r"}"#,
        "limit_exceeded",
        r#"{"asked":15,"left":14}"#,
    ),
    (r#"{"op":"write_off","account":"rich","points":1,"reason":"r"}"#, "limit_exceeded", r#"{"asked":1,"left":0}"#),
    (r#"{"op":"write_off","account":"debtor","points":1}"#, "invalid_argument", r#"{"field":"reason"}"#),
    (r#"{"op":"configure","setting":"speed","value":1}"#, "invalid_argument", r#"{"field":"setting"}"#),
    (r#"{"op":"configure","setting":"max_hold","value":0}"#, "invalid_argument", r#"{"field":"value"}"#),
    (r#"{"op":"confirm_clock","points":1}"#, "invalid_argument", r#"{"field":"points"}"#),
];

const POINTS: &[Row] = &[
    (r#"{"op":"recharge","account":"nobody","points":5,"source":"s"}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"recharge","account":"closed","points":5,"source":"s"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"recharge","account":"rich","points":0,"source":"s"}"#, "invalid_argument", r#"{"field":"points"}"#),
    (
        r#"{"op":"plan","account":"nobody","points":5,"source":"s","every_days":1}"#,
        "unknown_account",
        r#"{"account":"nobody"}"#,
    ),
    (
        r#"{"op":"plan","account":"closed","points":5,"source":"s","every_days":1}"#,
        "account_closed",
        r#"{"account":"closed"}"#,
    ),
    (r#"{"op":"plan","account":"rich","points":5,"source":"s"}"#, "invalid_argument", r#"{"field":"every_months"}"#),
    (
        r#"{"op":"plan","account":"rich","points":5,"source":"s","every_days":1,"every_weeks":1}"#,
        "invalid_argument",
        r#"{"field":"every_weeks"}"#,
    ),
    (
        r#"{"op":"plan","account":"rich","points":0,"source":"s","every_days":1}"#,
        "invalid_argument",
        r#"{"field":"points"}"#,
    ),
    (
        r#"{"op":"plan","account":"rich","points":1,"source":"s","every_days":1,"count":0}"#,
        "invalid_argument",
        r#"{"field":"count"}"#,
    ),
    (
        r#"{"op":"plan","account":"rich","points":1,"source":"s","every_days":1,"count":3,"anchor":"2027-01-01T00:00:00Z"}"#,
        "invalid_argument",
        r#"{"field":"anchor"}"#,
    ),
    (
        r#"{"op":"plan","account":"rich","points":1,"source":"s","every_months":1,"expires_at":"2027-01-01T00:00:00Z"}"#,
        "invalid_argument",
        r#"{"field":"anchor"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":1,"source":"s","expires_at":"period_end"}"#,
        "invalid_argument",
        r#"{"field":"expires_at"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":9000000000000000,"source":"s"}"#,
        "out_of_range",
        r#"{"field":"points"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":5,"source":"s","expires_at":"2027-01-10T13:00:00Z"}"#,
        "invalid_argument",
        r#"{"field":"expires_at"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":5,"source":"s","effective_at":"2028-01-01T00:00:00Z","expires_at":"2027-12-31T00:00:00Z"}"#,
        "invalid_argument",
        r#"{"field":"expires_at"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":5,"source":"s","at":"2027-01-10T11:59:59Z"}"#,
        "time_backwards",
        r#"{"account":"rich","at":"2027-01-10T11:59:59.000Z"}"#,
    ),
    (
        r#"{"op":"recharge","account":"rich","points":5,"source":"s","at":"2027-01-10T13:00:00.001Z"}"#,
        "invalid_argument",
        r#"{"field":"at"}"#,
    ),
    (r#"{"op":"consume","account":"nobody","points":5}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"consume","account":"closed","points":5}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"consume","account":"closed","points":0,"policy":"up_to"}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"consume","account":"frozen","points":0,"policy":"strict"}"#,
        "account_frozen",
        r#"{"account":"frozen"}"#,
    ),
    (r#"{"op":"consume","account":"frozen","points":1,"policy":"up_to"}"#, "account_frozen", r#"{"account":"frozen"}"#),
    (
        r#"{"op":"consume","account":"debtor","points":1,"policy":"strict"}"#,
        "account_in_debt",
        r#"{"debt":14,"credit_limit":0}"#,
    ),
    (r#"{"op":"consume","account":"debtor","points":5000,"policy":"strict"}"#, "account_in_debt", r#"{"debt":14}"#),
    (
        r#"{"op":"consume","account":"frozen","service":"nope","policy":"strict"}"#,
        "account_frozen",
        r#"{"account":"frozen"}"#,
    ),
    (
        r#"{"op":"consume","account":"rich","points":5000,"policy":"strict"}"#,
        "insufficient_points",
        r#"{"available":152,"required":5000,"credit_left":0}"#,
    ),
    (r#"{"op":"consume","account":"debtor","points":9000000000000000}"#, "out_of_range", r#"{"field":"points"}"#),
    (
        r#"{"op":"consume","account":"rich","service":"tss","seconds":1}"#,
        "unknown_service",
        r#"{"service":"tss","did_you_mean":"tts"}"#,
    ),
    (r#"{"op":"consume","account":"rich","service":"tts"}"#, "invalid_argument", r#"{"field":"usage"}"#),
    (
        r#"{"op":"consume","account":"rich","service":"video","seconds":9000000000000000}"#,
        "out_of_range",
        r#"{"field":"points"}"#,
    ),
    (
        r#"{"op":"consume","account":"rich","service":"llm_tokens","quantity":1,"unit":"page"}"#,
        "invalid_argument",
        r#"{"field":"usage"}"#,
    ),
    (r#"{"op":"transfer","account":"nobody","to":"friend","points":1}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"transfer","account":"rich","to":"nobody","points":1}"#, "unknown_account", r#"{"account":"nobody"}"#),
    (r#"{"op":"transfer","account":"closed","to":"friend","points":1}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"transfer","account":"frozen","to":"friend","points":1}"#, "account_frozen", r#"{"account":"frozen"}"#),
    (r#"{"op":"transfer","account":"frozen","to":"closed","points":1}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"transfer","account":"rich","to":"friend","points":153}"#,
        "insufficient_points",
        r#"{"available":152,"required":153}"#,
    ),
    (r#"{"op":"transfer","account":"debtor","to":"friend","points":1}"#, "insufficient_points", r#"{"available":0}"#),
    (r#"{"op":"transfer","account":"rich","to":"rich","points":1}"#, "invalid_argument", r#"{"field":"to"}"#),
];

const HOLDS: &[Row] = &[
    (
        r#"{"op":"hold","account":"nobody","points":1,"deadline_seconds":60}"#,
        "unknown_account",
        r#"{"account":"nobody"}"#,
    ),
    (
        r#"{"op":"hold","account":"closed","points":1,"deadline_seconds":60}"#,
        "account_closed",
        r#"{"account":"closed"}"#,
    ),
    (
        r#"{"op":"hold","account":"frozen","points":1,"deadline_seconds":60}"#,
        "account_frozen",
        r#"{"account":"frozen"}"#,
    ),
    (r#"{"op":"hold","account":"debtor","points":1,"deadline_seconds":60}"#, "account_in_debt", r#"{"debt":14}"#),
    (
        r#"{"op":"hold","account":"rich","points":153,"deadline_seconds":60}"#,
        "insufficient_points",
        r#"{"available":152}"#,
    ),
    (
        r#"{"op":"hold","account":"rich","points":1,"deadline_seconds":86401}"#,
        "invalid_argument",
        r#"{"field":"deadline_seconds"}"#,
    ),
    (
        r#"{"op":"hold","account":"rich","points":0,"service":"subtitle_preview","deadline_seconds":60}"#,
        "invalid_argument",
        r#"{"field":"points"}"#,
    ),
    (
        r#"{"op":"hold","account":"rich","service":"nope","deadline_seconds":60}"#,
        "unknown_service",
        r#"{"service":"nope"}"#,
    ),
    (
        r#"{"op":"hold","account":"rich","service":"video","chars":9,"deadline_seconds":60}"#,
        "invalid_argument",
        r#"{"field":"usage"}"#,
    ),
    (r#"{"op":"capture","hold":"@nobody","points":1}"#, "unknown_hold", "{}"),
    (r#"{"op":"capture","hold":"@captured","points":1}"#, "hold_closed", r#"{"state":"captured"}"#),
    (r#"{"op":"capture","hold":"@released","points":0}"#, "hold_closed", r#"{"state":"released"}"#),
    (r#"{"op":"capture","hold":"@closed_captured","points":1}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"capture","hold":"@closed_released","points":1}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"capture","hold":"@open","seconds":1}"#, "invalid_argument", "{}"),
    (r#"{"op":"capture","hold":"@spoken","quantity":1}"#, "invalid_argument", r#"{"field":"usage"}"#),
    (r#"{"op":"capture","hold":"@spoken","points":1,"seconds":1}"#, "invalid_argument", r#"{"field":"points"}"#),
    (r#"{"op":"stop","plan":"@nobody"}"#, "unknown_plan", "{}"),
    (r#"{"op":"stop","plan":"@closed_plan"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"stop"}"#, "invalid_argument", r#"{"field":"plan"}"#),
    (r#"{"op":"release","hold":"@nobody"}"#, "unknown_hold", "{}"),
    (r#"{"op":"release","hold":"@captured"}"#, "hold_closed", r#"{"state":"captured"}"#),
    (r#"{"op":"release","hold":"@late"}"#, "hold_closed", r#"{"state":"expired"}"#),
    (r#"{"op":"release","hold":"@closed_late"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"renew","hold":"@nobody","deadline_seconds":60}"#, "unknown_hold", "{}"),
    (r#"{"op":"renew","hold":"@released","deadline_seconds":60}"#, "hold_closed", r#"{"state":"released"}"#),
    (r#"{"op":"renew","hold":"@late","deadline_seconds":60}"#, "hold_closed", r#"{"state":"expired"}"#),
    (r#"{"op":"renew","hold":"@closed_late","deadline_seconds":60}"#, "account_closed", r#"{"account":"closed"}"#),
    (
        r#"{"op":"renew","hold":"@open","deadline_seconds":86401}"#,
        "invalid_argument",
        r#"{"field":"deadline_seconds"}"#,
    ),
];

const MENDING: &[Row] = &[
    (r#"{"op":"refund","operation":"@nobody","points":1,"reason":"r"}"#, "unknown_operation", "{}"),
    (r#"{"op":"refund","operation":"@rich","points":1,"reason":"r"}"#, "unknown_operation", "{}"),
    (r#"{"op":"refund","operation":"@open","points":1,"reason":"r"}"#, "unknown_operation", "{}"),
    (r#"{"op":"refund","operation":"@spent","points":21,"reason":"r"}"#, "limit_exceeded", r#"{"asked":21,"left":20}"#),
    (r#"{"op":"refund","operation":"@undone","points":1,"reason":"r"}"#, "limit_exceeded", r#"{"asked":1,"left":0}"#),
    (r#"{"op":"refund","operation":"@undone","points":"all","reason":"r"}"#, "limit_exceeded", r#"{"left":0}"#),
    (r#"{"op":"refund","operation":"@owed","points":15,"reason":"r"}"#, "limit_exceeded", r#"{"asked":15,"left":14}"#),
    (r#"{"op":"refund","operation":"@spent","points":1}"#, "invalid_argument", r#"{"field":"reason"}"#),
    (r#"{"op":"revoke","batch":"@nobody","points":1,"reason":"r"}"#, "unknown_batch", "{}"),
    (r#"{"op":"revoke","batch":"@closed","points":1,"reason":"r"}"#, "account_closed", r#"{"account":"closed"}"#),
    (r#"{"op":"revoke","batch":"@gone","points":1,"reason":"r"}"#, "limit_exceeded", r#"{"asked":1,"left":0}"#),
    (r#"{"op":"revoke","batch":"@gone","points":"all","reason":"r"}"#, "limit_exceeded", r#"{"left":0}"#),
    (r#"{"op":"revoke","batch":"@rich","points":201,"reason":"r"}"#, "limit_exceeded", r#"{"asked":201,"left":200}"#),
    (r#"{"op":"revoke","batch":"@rich","points":1}"#, "invalid_argument", r#"{"field":"reason"}"#),
    (r#"{"op":"set_expiry","batch":"@nobody","expires_in_days":1,"reason":"r"}"#, "unknown_batch", "{}"),
    (
        r#"{"op":"set_expiry","batch":"@closed","expires_in_days":1,"reason":"r"}"#,
        "account_closed",
        r#"{"account":"closed"}"#,
    ),
    (
        r#"{"op":"set_expiry","batch":"@rich","expires_at":"2027-01-10T13:00:00Z","reason":"r"}"#,
        "invalid_argument",
        r#"{"field":"expires_at"}"#,
    ),
    (r#"{"op":"set_expiry","batch":"@rich","reason":"r"}"#, "invalid_argument", "{}"),
    (r#"{"op":"set_expiry","batch":"@rich","expires_in_days":2999999,"reason":"r"}"#, "out_of_range", "{}"),
];

/// One of each kind, booked in the end under the key that all those refusals carried.
const BOOKED: &[&str] = &[
    r#"{"op":"open","account":"rich"}"#,
    r#"{"op":"set_limit","account":"rich","credit_limit":1}"#,
    r#"{"op":"recharge","account":"rich","points":5,"source":"s"}"#,
    r#"{"op":"consume","account":"rich","points":5,"policy":"strict"}"#,
    r#"{"op":"consume","account":"debtor","points":5}"#,
    r#"{"op":"consume","account":"frozen","points":5}"#,
    r#"{"op":"transfer","account":"rich","to":"friend","points":1}"#,
    r#"{"op":"hold","account":"rich","points":5,"deadline_seconds":60}"#,
    r#"{"op":"renew","hold":"@open","deadline_seconds":60}"#,
    r#"{"op":"capture","hold":"@open","points":5}"#,
    r#"{"op":"release","hold":"@spoken"}"#,
    r#"{"op":"refund","operation":"@spent","points":"all","reason":"r"}"#,
    r#"{"op":"revoke","batch":"@rich","points":1,"reason":"r"}"#,
    r#"{"op":"set_expiry","batch":"@rich","expires_in_days":1,"reason":"r"}"#,
    r#"{"op":"write_off","account":"debtor","points":14,"reason":"r"}"#,
    r#"{"op":"freeze","account":"rich","reason":"r"}"#,
    r#"{"op":"unfreeze","account":"rich","reason":"r"}"#,
    r#"{"op":"close","account":"empty","reason":"r"}"#,
    r#"{"op":"configure","setting":"max_hold","value":60}"#,
    r#"{"op":"confirm_clock"}"#,
];

#[test]
fn every_code_of_every_operation() {
    let world = World::copy(situations(), Some(sample()));
    let (before, key, mut wrong) = (world.shown(), fields(r#"{"key":"again"}"#), Wrong::default());
    for (text, expected, facts) in [ACCOUNTS, POINTS, HOLDS, MENDING].concat() {
        let line = patched(&json(text), &key);
        let code = code_of(|| world.apply(&line));
        wrong.check(code == expected, || format!("{text}\n    {code}, expected {expected}"));
        if let Err(error) = world.apply(&line) {
            let details = error.details();
            let named = fields(facts).iter().all(|(name, fact)| details.get(name) == Some(fact));
            wrong.check(named, || format!("{text}\n    {details}, expected {facts}"));
        }
        wrong.check(world.shown() == before, || format!("{text}\n    changed something"));
    }
    for text in BOOKED {
        let receipt = world.apply(&patched(&json(text), &key));
        wrong.check(receipt.as_ref().is_ok_and(|it| !it.replayed), || format!("{text}\n    {receipt:?}"));
    }
    wrong.none();
    let verified = world.ledger.verify().unwrap();
    assert!(verified.ok, "{:?}", verified.faults);
}

/// Without a price book: after the account's state, before limits and points.
#[test]
fn without_a_price_book() {
    let world = World::copy(situations(), None);
    let (before, key, mut wrong) = (world.shown(), fields(r#"{"key":"again"}"#), Wrong::default());
    let rows = [
        (r#"{"op":"consume","account":"rich","service":"tts","seconds":5}"#, "pricing"),
        (r#"{"op":"consume","account":"debtor","service":"tts","seconds":5,"policy":"strict"}"#, "pricing"),
        (r#"{"op":"hold","account":"rich","service":"tts","seconds":5,"deadline_seconds":60}"#, "pricing"),
        (r#"{"op":"hold","account":"rich","service":"tts","seconds":5,"deadline_seconds":86401}"#, "pricing"),
        (r#"{"op":"hold","account":"debtor","service":"tts","seconds":5,"deadline_seconds":60}"#, "pricing"),
        (r#"{"op":"consume","account":"closed","service":"tts","seconds":5}"#, "account_closed"),
        (r#"{"op":"hold","account":"frozen","service":"tts","seconds":5,"deadline_seconds":60}"#, "account_frozen"),
        (r#"{"op":"consume","account":"nobody","service":"tts","seconds":5}"#, "unknown_account"),
        (r#"{"op":"consume","account":"rich","key":"used","service":"tts","seconds":5}"#, "key_reused"),
    ];
    for (text, expected) in rows {
        let mut line = json(text);
        if line["key"].is_null() {
            line = patched(&line, &key);
        }
        let code = code_of(|| world.apply(&line));
        wrong.check(code == expected, || format!("{text}\n    {code}, expected {expected}"));
        wrong.check(world.shown() == before, || format!("{text}\n    changed something"));
    }
    // Points need no book; a hold's own book outlives the loaded one; and with a book the same keys are booked.
    let capture = json(r#"{"op":"capture","hold":"@spoken","key":"again","seconds":"61.2"}"#);
    assert_eq!(world.apply(&capture).unwrap().points, 21);
    world.ledger.set_pricing(sample());
    for (text, _) in &rows[..1] {
        let receipt = world.apply(&patched(&json(text), &key)).unwrap();
        assert_eq!((receipt.points.get(), value!(receipt.quantity)), (2, value!("5")));
    }
    assert_eq!(world.apply(&patched(&json(rows[2].0), &key)).unwrap().points, 2);
    wrong.none();
}
