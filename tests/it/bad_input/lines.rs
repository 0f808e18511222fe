//! Lines that are no operation, and values that no field takes.

use super::Target;

const MISSING: &str = "invalid_argument";

#[test]
fn lines_that_are_no_object() {
    let deep = format!(
        r#"{{"op":"consume","account":"rich","key":"k","points":1,"metadata":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let deep_objects = format!(
        r#"{{"op":"consume","account":"rich","key":"k","points":1,"metadata":{}1{}}}"#,
        r#"{"a":"#.repeat(500),
        "}".repeat(500)
    );
    let never_closed = "{\"a\":".repeat(100_000);
    let lines = [
        "",
        " ",
        "\n",
        "consume",
        "null",
        "true",
        "5",
        "\"consume\"",
        "[]",
        "{",
        "}",
        "{}",
        "{{}}",
        "[{}]",
        r#"[{"op":"confirm_clock","key":"k"}]"#,
        r#"{"op":"confirm_clock","key":"k""#,
        r#"{"op":"confirm_clock","key":"k",}"#,
        r#"{"op":"confirm_clock","key":"k"}x"#,
        r#"{"op":"confirm_clock","key":"k"}{"op":"confirm_clock","key":"k2"}"#,
        r#"{"op":"confirm_clock","key":"k"} // why"#,
        r#"{'op':'confirm_clock','key':'k'}"#,
        r#"{op:"confirm_clock",key:"k"}"#,
        "\u{feff}{\"op\":\"confirm_clock\",\"key\":\"k\"}",
        "{\"op\":\"confirm_clock\",\"key\":\"k\0\"}",
        "{\"op\":\"confirm_clock\",\"key\":\"a\nb\"}",
        r#"{"op":"confirm_clock","key":"\ud800"}"#,
        r#"{"op":"confirm_clock","key":"\udc00\ud800"}"#,
        r#"{"op":"confirm_clock","key":"\x41"}"#,
        r#"{"op":"confirm_clock","key":"k","key":"k"}"#,
        r#"{"op":"confirm_clock","op":"confirm_clock","key":"k"}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"points":1000}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"p\u006fints":1000}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":null,"points":1}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":NaN}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":Infinity}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":0x10}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":05}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":+5}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":5.}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":.5}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1e400}"#,
        &deep,
        &deep_objects,
        &never_closed,
    ];
    let mut target = Target::new();
    for line in lines {
        target.line(line, MISSING);
    }
    target.accepted("\t {\"op\":\"confirm_clock\",\"key\":\"k\"}\r");
    target.done(45);
}

#[test]
fn ids() {
    let (longest, emoji, long_bytes) = ("a".repeat(128), "\u{1f600}".repeat(32), "é".repeat(64) + "a");
    let too_long = "a".repeat(129);
    let lines = [
        r#"{"op":"recharge","account":ID,"key":"k","points":1,"source":"s"}"#,
        r#"{"op":"recharge","account":"rich","key":ID,"points":1,"source":"s"}"#,
        r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":ID}"#,
        r#"{"op":"transfer","account":"rich","key":"k","points":1,"to":ID}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"service":ID}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"service":"s","quantity":1,"unit":ID}"#,
    ];
    let bad = [
        "",
        " ",
        "\u{3000}a",
        &too_long,
        &long_bytes,
        "\0",
        "a\0b",
        "a\nb",
        "a\rb",
        "\t",
        "\u{1b}[31mred",
        "\u{7f}",
        "\u{85}",
    ];
    let mut target = Target::new();
    for (line, field) in lines.iter().zip(["account", "key", "source", "to", "service", "unit"]) {
        for id in bad {
            target.line(&line.replace("ID", &serde_json::to_string(id).unwrap()), MISSING);
        }
        for value in ["5", "true", "[]", "{}", "[\"a\"]", "1.5"] {
            target.line(&line.replace("ID", value), MISSING);
        }
        if !["service", "unit"].contains(&field) {
            target.line(&line.replace("ID", "null"), MISSING);
        }
    }
    // Text is text: nothing is trimmed, folded or forbidden beyond control characters, and white space at its ends.
    for id in [
        &longest,
        &emoji,
        "é",
        "\u{202e}bidi",
        "\u{feff}",
        "\u{200b}",
        "a\u{2028}b",
        "'; DROP TABLE account; --",
        "../..",
        "@",
    ] {
        for line in [lines[1], lines[2], lines[4], lines[5]] {
            target.accepted(&line.replace("ID", &serde_json::to_string(id).unwrap()));
        }
    }
    target.done(150);
}

#[test]
fn ids_of_ours() {
    let mut target = Target::new();
    for (line, unknown) in [
        (r#"{"op":"capture","hold":ID,"key":"k","points":1}"#, "unknown_hold"),
        (r#"{"op":"release","hold":ID,"key":"k"}"#, "unknown_hold"),
        (r#"{"op":"refund","operation":ID,"key":"k","points":1,"reason":"r"}"#, "unknown_operation"),
        (r#"{"op":"revoke","batch":ID,"key":"k","points":1,"reason":"r"}"#, "unknown_batch"),
    ] {
        let bad = [
            r#""""#,
            r#""3""#,
            "3",
            "null",
            "true",
            "[]",
            "{}",
            r#"{"ref_line":"1"}"#,
            r#"{"ref_line":-1}"#,
            r#"{"ref_line":1.5}"#,
            r#"{"ref_line":1,"line":1}"#,
            r#"{"line":1}"#,
            r#""not-an-id""#,
            // Version 4, version 8 without dashes, in braces, as URN, with a space, cut, of letters that are no digits.
            r#""6fa459ea-ee8a-4ca4-894e-db77e160355e""#,
            r#""0000000000008000800000000000f423""#,
            r#""{00000000-0000-8000-8000-0000000f423f}""#,
            r#""urn:uuid:00000000-0000-8000-8000-0000000f423f""#,
            r#"" 00000000-0000-8000-8000-0000000f423f""#,
            r#""00000000-0000-8000-8000-0000000f423""#,
            r#""g0000000-0000-8000-8000-0000000f423f""#,
        ];
        for id in bad {
            target.line(&line.replace("ID", id), MISSING);
        }
        for id in [
            "00000000-0000-8000-8000-0000000f423f",
            "00000000-0000-8000-8000-000000000000",
            "ffffffff-ffff-8fff-bfff-ffffffffffff",
            "00000000-0000-8000-0000-000000100001",
        ] {
            target.line(&line.replace("ID", &format!("{id:?}")), unknown);
        }
        for reference in [r#"{"ref_line":0}"#, r#"{"ref_line":1}"#, r#"{"ref_line":18446744073709551615}"#] {
            target.line(&line.replace("ID", reference), unknown);
        }
    }
    // An id of another kind of thing, though of a real operation.
    let id = |name: &str, field: &str| target.world.resolve(&serde_json::json!({ field: name }))[field].to_string();
    let (hold, batch, consume) = (id("@open", "hold"), id("@rich", "batch"), id("@spent", "operation"));
    let wrong = [
        (format!(r#"{{"op":"release","hold":{batch},"key":"k"}}"#), "unknown_hold"),
        (format!(r#"{{"op":"release","hold":{consume},"key":"k"}}"#), "unknown_hold"),
        (format!(r#"{{"op":"revoke","batch":{hold},"key":"k","points":1,"reason":"r"}}"#), "unknown_batch"),
        (format!(r#"{{"op":"revoke","batch":{consume},"key":"k","points":1,"reason":"r"}}"#), "unknown_batch"),
        (format!(r#"{{"op":"refund","operation":{batch},"key":"k","points":1,"reason":"r"}}"#), "unknown_operation"),
        (format!(r#"{{"op":"refund","operation":{hold},"key":"k","points":1,"reason":"r"}}"#), "unknown_operation"),
    ];
    for (line, code) in wrong {
        target.line(&line, code);
    }
    target.done(110);
}

#[test]
fn points() {
    let values = [
        ("-1", MISSING),
        ("1.5", MISSING),
        ("1.0", MISSING),
        (r#""5""#, MISSING),
        ("1e3", MISSING),
        ("1e15", MISSING),
        ("-0", MISSING),
        ("-0.0", MISSING),
        ("true", MISSING),
        ("[5]", MISSING),
        ("{}", MISSING),
        (r#""""#, MISSING),
        (r#""ALL""#, MISSING),
        ("-9223372036854775808", MISSING),
        ("-9223372036854775809", MISSING),
        ("-1e30", MISSING),
        ("1e-7", MISSING),
        ("9000000000000001", "out_of_range"),
        ("9223372036854775807", "out_of_range"),
        ("9223372036854775808", "out_of_range"),
        ("18446744073709551615", "out_of_range"),
        ("18446744073709551616", "out_of_range"),
        ("1e30", "out_of_range"),
    ];
    let lines = [
        r#"{"op":"recharge","account":"rich","key":"k","source":"s","points":N}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":N}"#,
        r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"points":N}"#,
        r#"{"op":"capture","hold":"@open","key":"k","points":N}"#,
        r#"{"op":"refund","operation":"@spent","key":"k","reason":"r","points":N}"#,
        r#"{"op":"revoke","batch":"@rich","key":"k","reason":"r","points":N}"#,
        r#"{"op":"transfer","account":"rich","key":"k","to":"friend","points":N}"#,
        r#"{"op":"write_off","account":"debtor","key":"k","reason":"r","points":N}"#,
        r#"{"op":"set_limit","account":"rich","key":"k","credit_limit":N}"#,
    ];
    let mut target = Target::new();
    for line in lines {
        // A capture without an amount takes what is held.
        let absent = Some(("null", MISSING)).filter(|_| !line.contains("capture"));
        for (value, code) in values.into_iter().chain(absent) {
            target.line(&line.replace('N', value), code);
        }
        // No points at all are points only where a trace of them is wanted.
        let zero = line.replace('N', "0");
        match ["consume", "capture", "set_limit"].iter().any(|op| line.contains(&format!(r#""op":"{op}""#))) {
            true => target.accepted(&zero),
            false => target.line(&zero, MISSING),
        }
        if !line.contains("refund") && !line.contains("revoke") {
            target.line(&line.replace('N', r#""all""#), MISSING);
        }
    }
    target.done(220);
}

#[test]
fn times() {
    let bad = [
        "",
        "now",
        "Never",
        "2027-05-21",
        "10:00:00Z",
        "2027-05-21T10:00:00",
        "2027-05-21T10:00Z",
        "2027-05-21T10:00:00 Z",
        "21.05.2027",
        " 2027-05-21T10:00:00Z",
        "2027-05-21T10:00:00Z ",
        "2027-13-01T00:00:00Z",
        "2027-00-01T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2027-05-21T24:00:00Z",
        "2027-05-21T10:60:00Z",
        "2027-05-21T10:00:61Z",
        "2027-05-21T10:00:00+25:00",
        "2027-05-21T10:00:00+08",
        "2027-05-21T10:00:00,5Z",
        "10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1969-12-31T23:59:59.9999Z",
        "1970-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
        "1800000000",
        "2027-05-21T10:00:00Zjunk",
    ];
    let lines = [
        ("expires_at", r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s","expires_at":T}"#),
        ("expires_at", r#"{"op":"set_expiry","batch":"@rich","key":"k","reason":"r","expires_at":T}"#),
        ("effective_at", r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s","effective_at":T}"#),
        ("occurred_at", r#"{"op":"consume","account":"rich","key":"k","points":1,"occurred_at":T}"#),
        ("at", r#"{"op":"consume","account":"rich","key":"k","points":1,"at":T}"#),
    ];
    let mut target = Target::new();
    for (field, line) in lines {
        for time in bad {
            target.line(&line.replace('T', &format!("{time:?}")), MISSING);
        }
        for value in ["1800000000", "1.5", "true", "{}", "[]"] {
            target.line(&line.replace('T', value), MISSING);
        }
        target.line(&line.replace('T', r#""9999-12-31T23:59:59.999-00:01""#), "out_of_range");
        if field != "expires_at" {
            target.line(&line.replace('T', r#""never""#), MISSING);
        }
    }
    target.accepted(&lines[0].1.replace('T', r#""9999-12-31T23:59:59.999Z""#));
    target.accepted(&lines[0].1.replace('T', r#""2027-05-21t10:00:00.123456789z""#));
    target.accepted(&lines[0].1.replace('T', r#""never""#));
    target.accepted(&lines[3].1.replace('T', r#""2016-12-31T23:59:60Z""#));
    target.accepted(&lines[3].1.replace('T', r#""1970-01-01T00:00:00.0001Z""#));
    target.accepted(&lines[3].1.replace('T', r#""9999-12-31T23:59:59.999999Z""#));
    target.done(150);
}

/// Usages of a good form that do not fit: two at once, none, or not what the rule or the operation takes.
const MISFITS: &[&str] = &[
    r#"{"op":"consume","account":"rich","key":"k","service":"tts","seconds":1,"quantity":1}"#,
    r#"{"op":"consume","account":"rich","key":"k","points":1,"service":"tts","seconds":1,"chars":1}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"llm_tokens","unit":"token"}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"llm_tokens","quantity":1,"unit":"page"}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"llm_tokens","seconds":1}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"tts","quantity":1}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"tts","chars":10}"#,
    r#"{"op":"consume","account":"rich","key":"k","service":"video","input_seconds":10}"#,
    r#"{"op":"consume","account":"rich","key":"k","points":1,"service":"tts","chars":"1.5"}"#,
    r#"{"op":"consume","account":"rich","key":"k","points":1,"seconds":5}"#,
    r#"{"op":"consume","account":"rich","key":"k"}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"video","chars":10}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"tts","input_seconds":10}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"tts","chars":"1.5"}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"tts","chars":1,"input_seconds":10}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"points":1,"chars":1}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"subtitle_preview","points":0}"#,
    r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60}"#,
    r#"{"op":"capture","hold":"@spoken","key":"k","cap":"most"}"#,
    r#"{"op":"capture","hold":"@spoken","key":"k","cap":5}"#,
    r#"{"op":"capture","hold":"@spoken","key":"k","chars":1}"#,
    r#"{"op":"capture","hold":"@spoken","key":"k","input_seconds":1}"#,
    r#"{"op":"capture","hold":"@spoken","key":"k","points":1,"seconds":1}"#,
    r#"{"op":"capture","hold":"@open","key":"k","seconds":1}"#,
];

#[test]
fn usages() {
    let bad = [
        "-1",
        r#""-1""#,
        r#""-0.5""#,
        r#""NaN""#,
        r#""nan""#,
        r#""inf""#,
        r#""-inf""#,
        r#""Infinity""#,
        r#""1e400""#,
        r#""1e-400""#,
        "1.5",
        "1e3",
        r#""1,5""#,
        r#""1_000""#,
        r#"" 1""#,
        r#""1 ""#,
        r#""+1""#,
        r#""0x10""#,
        r#""""#,
        r#"".5""#,
        r#""1.""#,
        r#""1e""#,
        r#""1e+""#,
        r#""--1""#,
        r#""9000000000000001""#,
        "9000000000000001",
        "18446744073709551615",
        "18446744073709551616",
        "1e30",
        "true",
        "[]",
        "{}",
        r#""٣""#,
        r#""1.23456789012345678901234567890123456789""#,
        r#""1\u0000""#,
    ];
    let mut target = Target::new();
    for line in [
        r#"{"op":"consume","account":"rich","key":"k","service":"tts","seconds":Q}"#,
        r#"{"op":"consume","account":"rich","key":"k","service":"llm_tokens","quantity":Q}"#,
        r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"tts","chars":Q}"#,
        r#"{"op":"hold","account":"rich","key":"k","deadline_seconds":60,"service":"video","input_seconds":Q}"#,
        r#"{"op":"capture","hold":"@spoken","key":"k","seconds":Q}"#,
    ] {
        // A capture without an amount takes what is held.
        let absent = Some(&"null").filter(|_| !line.contains("capture"));
        for value in bad.iter().chain(absent) {
            target.line(&line.replace('Q', value), MISSING);
        }
    }
    for line in MISFITS {
        target.line(line, MISSING);
    }
    target.accepted(r#"{"op":"consume","account":"rich","key":"k","service":"tts","seconds":"0"}"#);
    target.accepted(r#"{"op":"consume","account":"rich","key":"k","service":"subtitle_preview"}"#);
    target.accepted(r#"{"op":"consume","account":"rich","key":"k","service":"script_generation","chars":null}"#);
    target.done(200);
}
