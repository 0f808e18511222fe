//! Fields that do not belong, facts that do not fit, and the values of each operation.

use counterfoil::Request;
use serde_json::json;

use super::Target;

const BAD: &str = "invalid_argument";

/// One valid line of every kind of operation.
const OPERATIONS: &[&str] = &[
    r#"{"op":"open","account":"rich","key":"k"}"#,
    r#"{"op":"set_limit","account":"rich","key":"k","credit_limit":1}"#,
    r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s"}"#,
    r#"{"op":"consume","account":"rich","key":"k","points":1}"#,
    r#"{"op":"hold","account":"rich","key":"k","points":1,"deadline_seconds":60}"#,
    r#"{"op":"capture","hold":"@open","key":"k","points":1}"#,
    r#"{"op":"release","hold":"@open","key":"k"}"#,
    r#"{"op":"renew","hold":"@open","key":"k","deadline_seconds":60}"#,
    r#"{"op":"refund","operation":"@spent","key":"k","points":1,"reason":"r"}"#,
    r#"{"op":"revoke","batch":"@rich","key":"k","points":1,"reason":"r"}"#,
    r#"{"op":"set_expiry","batch":"@rich","key":"k","expires_in_days":1,"reason":"r"}"#,
    r#"{"op":"transfer","account":"rich","key":"k","to":"friend","points":1}"#,
    r#"{"op":"write_off","account":"debtor","key":"k","points":1,"reason":"r"}"#,
    r#"{"op":"freeze","account":"rich","key":"k","reason":"r"}"#,
    r#"{"op":"unfreeze","account":"rich","key":"k","reason":"r"}"#,
    r#"{"op":"close","account":"empty","key":"k","reason":"r"}"#,
    r#"{"op":"configure","key":"k","setting":"late_window","value":1}"#,
    r#"{"op":"confirm_clock","key":"k"}"#,
    r#"{"op":"become_hub","key":"k","public_key":"7777777777777777777777777777777777777777777777777777777777777777","name":"office"}"#,
];

/// The line with one more field, or without one.
fn with(line: &str, field: &str, value: serde_json::Value) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
    line[field] = value;
    line.to_string()
}

fn without(line: &str, field: &str) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
    line.as_object_mut().unwrap().remove(field);
    line.to_string()
}

#[test]
fn every_operation_is_strict_about_its_fields() {
    let mut target = Target::new();
    for line in OPERATIONS {
        target.accepted(line);
        for (field, value) in [
            ("colour", json!("red")),
            ("Points", json!(1)),
            ("", json!("")),
            ("origin", json!({})),
            ("ref_line", json!(1)),
        ] {
            target.line(&with(line, field, value), BAD);
        }
        // A field of another operation is as unknown as any.
        let foreign = if line.contains("recharge") { "policy" } else { "promo" };
        target.line(&with(line, foreign, json!(true)), BAD);
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        // A capture without an amount takes what is held.
        for field in fields.keys().filter(|field| !(line.contains("capture") && *field == "points")) {
            target.line(&without(line, field), BAD);
        }
    }
    for op in ["", "Consume", "consume ", "expire", "restore", "verify", "op", "consume\0"] {
        target.line(&with(r#"{"account":"rich","key":"k","points":1}"#, "op", json!(op)), BAD);
    }
    for op in [json!(5), json!(["consume"]), json!({}), json!(true)] {
        target.line(&with(r#"{"account":"rich","key":"k","points":1}"#, "op", op), BAD);
    }
    // An account is not said twice.
    for line in OPERATIONS.iter().filter(|line| !line.contains("account")) {
        target.line(&with(line, "account", json!("rich")), BAD);
    }
    target.done(200);
}

#[test]
fn free_facts() {
    let mut target = Target::new();
    let line = r#"{"op":"consume","account":"rich","key":"k","points":1}"#;
    for (field, longest) in [("reference", 1024), ("actor", 1024), ("description", 4096)] {
        for text in ["", "\0", "a\0b", "\u{1b}[2J", "a\tb", "a\rb", "\u{7f}", "\u{9b}1m", "\u{85}"] {
            target.line(&with(line, field, json!(text)), BAD);
        }
        target.line(&with(line, field, json!("x".repeat(longest + 1))), BAD);
        target.line(&with(line, field, json!("é".repeat(longest / 2) + "x")), BAD);
        for value in [json!(5), json!(["x"]), json!({"x": 1}), json!(false)] {
            target.line(&with(line, field, value), BAD);
        }
        target.accepted(&with(line, field, json!("x".repeat(longest))));
        target.accepted(&with(line, field, json!("\u{202e}\u{1f600} =SUM(A1)")));
    }
    target.accepted(&with(line, "description", json!("two\nlines")));
    target.line(&with(line, "reference", json!("two\nlines")), BAD);
    target.line(&with(line, "actor", json!("two\nlines")), BAD);
    for metadata in [
        json!([]),
        json!("x"),
        json!(5),
        json!(true),
        json!({"a": "\0"}),
        json!({"\0": 1}),
        json!({"a": [{"b": ["c\0"]}]}),
    ] {
        target.line(&with(line, "metadata", metadata), BAD);
    }
    // 4096 bytes of JSON and not one more.
    target.accepted(&with(line, "metadata", json!({"a": "x".repeat(4096 - 8)})));
    target.line(&with(line, "metadata", json!({"a": "x".repeat(4096 - 7)})), BAD);
    target.accepted(&with(line, "metadata", json!({})));
    target.line(&with(r#"{"op":"freeze","account":"rich","key":"k"}"#, "reason", json!("")), BAD);
    target.line(&with(r#"{"op":"freeze","account":"rich","key":"k"}"#, "reason", json!("x".repeat(4097))), BAD);
    target.line(&with(r#"{"op":"freeze","account":"rich","key":"k"}"#, "reason", json!("a\u{1b}b")), BAD);
    target.line(&with(r#"{"op":"freeze","account":"rich","key":"k"}"#, "reason", json!(5)), BAD);
    target.done(60);
}

#[test]
fn deadlines() {
    let mut target = Target::new();
    let hold = r#"{"op":"hold","account":"rich","key":"k","points":1}"#;
    let renew = r#"{"op":"renew","hold":"@open","key":"k"}"#;
    for line in [hold, renew] {
        let bad = [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("0"),
            json!("0.000"),
            json!("-1"),
            json!("+1"),
            json!("1."),
            json!(".5"),
            json!("1e3"),
            json!("0.0005"),
            json!("60.1234"),
            json!(""),
            json!(" 60"),
            json!("60s"),
            json!("1,5"),
            json!("NaN"),
            json!(true),
            json!([60]),
            json!(null),
            json!(86401),
            json!("86400.001"),
            json!(253_402_300_799_i64),
            json!("٦"),
        ];
        for deadline in bad {
            target.line(&with(line, "deadline_seconds", deadline), BAD);
        }
        for deadline in
            [json!(u64::MAX), json!(i64::MAX), json!("99999999999999999999999999"), json!(253_402_300_800_i64)]
        {
            target.line(&with(line, "deadline_seconds", deadline), "out_of_range");
        }
        for deadline in [json!(1), json!("0.001"), json!("60.5"), json!(86400), json!("0086400.000")] {
            target.accepted(&with(line, "deadline_seconds", deadline));
        }
    }
    target.done(60);
}

#[test]
fn expiries() {
    let mut target = Target::new();
    let line = r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s"}"#;
    for (field, value, code) in [
        ("expires_in_days", json!(0), BAD),
        ("expires_in_days", json!(-1), BAD),
        ("expires_in_days", json!("30"), BAD),
        ("expires_in_days", json!(1.5), BAD),
        ("expires_in_days", json!(2_999_999), "out_of_range"),
        ("expires_in_days", json!(i64::MAX), "out_of_range"),
        ("expires_in_months", json!(0), BAD),
        ("expires_in_months", json!(-1), BAD),
        ("expires_in_months", json!(100_000), "out_of_range"),
        ("expires_in_months", json!(i64::MAX), "out_of_range"),
        ("end_of_day", json!("+08:00"), BAD),
        ("priority", json!(-1), BAD),
        ("priority", json!(1.5), BAD),
        ("priority", json!("50"), BAD),
        ("promo", json!("yes"), BAD),
        ("promo", json!(1), BAD),
        ("promo", json!("true"), BAD),
    ] {
        target.line(&with(line, field, value), code);
    }
    let days = with(line, "expires_in_days", json!(30));
    for offset in [
        "8",
        "+8",
        "+25:00",
        "+24:00",
        "08:00",
        "+0800",
        "+08:00:00",
        "+08:60",
        "UTC",
        "",
        "Europe/Berlin",
        "+08:00 ",
        "\u{2212}08:00",
    ] {
        target.line(&with(&days, "end_of_day", json!(offset)), BAD);
    }
    target.line(&with(&days, "end_of_day", json!(8)), BAD);
    target.line(&with(&days, "expires_in_months", json!(1)), BAD);
    target.line(&with(&days, "expires_at", json!("never")), BAD);
    target.line(&with(&with(line, "expires_at", json!("never")), "end_of_day", json!("+08:00")), BAD);
    for offset in ["Z", "+00:00", "-00:00", "+14:00", "-12:00", "+05:45", "+23:59"] {
        target.accepted(&with(&days, "end_of_day", json!(offset)));
    }
    target.accepted(&with(line, "priority", json!(0)));
    target.accepted(&with(line, "priority", json!(1000)));
    target.done(40);
}

#[test]
fn words_and_settings() {
    let mut target = Target::new();
    for policy in [json!("Strict"), json!("upto"), json!("up-to"), json!(""), json!("post_paid"), json!(1), json!(true)]
    {
        target.line(&with(r#"{"op":"consume","account":"rich","key":"k","points":1}"#, "policy", policy), BAD);
    }
    for shortfall in [json!("Debt"), json!("clamped"), json!(""), json!(0)] {
        target.line(
            &with(r#"{"op":"revoke","batch":"@rich","key":"k","points":1,"reason":"r"}"#, "shortfall", shortfall),
            BAD,
        );
    }
    for setting in [json!("latewindow"), json!("Accounts"), json!(""), json!(5), json!("max_hold\0")] {
        target.line(&with(r#"{"op":"configure","key":"k","value":1}"#, "setting", setting), BAD);
    }
    for (setting, values) in [
        ("accounts", vec![json!("Explicit"), json!(""), json!(true), json!(1), json!(null)]),
        ("late_window", vec![json!(-1), json!("60"), json!(1.5), json!(null), json!([60]), json!("14d")]),
        ("max_hold", vec![json!(0), json!(-1), json!("3600"), json!(0.5), json!(null)]),
        ("max_clock_jump", vec![json!(0), json!(-1), json!("7776000"), json!(null)]),
        ("clock_patience", vec![json!(0), json!(-1), json!("86400"), json!(3_155_760_001_i64), json!(null)]),
    ] {
        for value in values {
            let line = with(r#"{"op":"configure","key":"k"}"#, "setting", json!(setting));
            target.line(&with(&line, "value", value), BAD);
        }
    }
    target.accepted(r#"{"op":"configure","key":"k","setting":"late_window","value":0}"#);
    target.accepted(r#"{"op":"configure","key":"k","setting":"accounts","value":"first_use"}"#);
    target.done(35);
}

/// What only a run may say, said elsewhere; and references that lead nowhere.
#[test]
fn what_belongs_to_a_run() {
    let mut target = Target::new();
    let now = "2027-01-10T13:00:00Z";
    for line in OPERATIONS {
        let line = target.world.resolve(&serde_json::from_str(&with(line, "at", json!(now))).unwrap()).to_string();
        target.run(&line, BAD, |world| world.ledger.apply(&Request::parse(&line)?).map(drop));
        target.run(&line, BAD, |world| world.ledger.batch_run().apply(1, &Request::parse(&line)?).map(drop));
    }
    for line in [
        r#"{"op":"capture","hold":{"ref_line":1},"key":"k","points":1}"#,
        r#"{"op":"refund","operation":{"ref_line":1},"key":"k","points":1,"reason":"r"}"#,
        r#"{"op":"revoke","batch":{"ref_line":1},"key":"k","points":1,"reason":"r"}"#,
    ] {
        target.run(line, BAD, |world| world.ledger.apply(&Request::parse(line)?).map(drop));
    }
    // Line 1 made a batch, line 2 charged, line 3 made a hold, line 4 was refused; nothing of it is kept.
    let wrong = [
        (r#"{"op":"release","hold":{"ref_line":1},"key":"k"}"#, "unknown_hold"),
        (r#"{"op":"release","hold":{"ref_line":2},"key":"k"}"#, "unknown_hold"),
        (r#"{"op":"release","hold":{"ref_line":4},"key":"k"}"#, "unknown_hold"),
        (r#"{"op":"release","hold":{"ref_line":5},"key":"k"}"#, "unknown_hold"),
        (r#"{"op":"revoke","batch":{"ref_line":2},"key":"k","points":1,"reason":"r"}"#, "unknown_batch"),
        (r#"{"op":"revoke","batch":{"ref_line":3},"key":"k","points":1,"reason":"r"}"#, "unknown_batch"),
        (r#"{"op":"refund","operation":{"ref_line":1},"key":"k","points":1,"reason":"r"}"#, "unknown_operation"),
        (r#"{"op":"refund","operation":{"ref_line":3},"key":"k","points":1,"reason":"r"}"#, "unknown_operation"),
    ];
    let lines = [
        r#"{"op":"recharge","account":"rich","key":"k1","points":9,"source":"s"}"#,
        r#"{"op":"consume","account":"rich","key":"k2","points":9}"#,
        r#"{"op":"hold","account":"rich","key":"k3","points":9,"deadline_seconds":60}"#,
        r#"{"op":"hold","account":"rich","key":"k4","points":0,"deadline_seconds":60}"#,
    ];
    for (line, code) in wrong {
        let run: Vec<(u64, Request)> =
            (1..).zip(lines.iter().chain([&line]).map(|line| Request::parse(line).unwrap())).collect();
        target.run(line, code, |world| {
            let answers = world.ledger.batch_run().apply_whole(&run, counterfoil::batch::Whole::DryRun)?;
            let codes: Vec<_> = answers
                .iter()
                .map(|(_, answer)| answer.as_ref().map_or_else(counterfoil::Error::code, |_| "ok"))
                .collect();
            assert_eq!(codes[..4], ["ok", "ok", "ok", BAD]);
            answers.into_iter().next_back().unwrap().1.map(drop)
        });
    }
    target.done(45);
}
