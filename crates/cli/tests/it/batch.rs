//! Runs of operations as JSON lines.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::home::Home;

const GOOD: &str = r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"wxpay"}
{"op":"hold","account":"alice","key":"2","points":40,"deadline_seconds":60}
{"op":"capture","hold":{"ref_line":2},"key":"2","points":25}
{"op":"refund","operation":{"ref_line":3},"key":"3","points":"all","reason":"failed"}
{"op":"set_expiry","batch":{"ref_line":1},"key":"4","expires_at":"never","reason":"sorry"}
"#;

#[test]
fn a_conversation_through_a_pipe() {
    let home = Home::new();
    let mut child = home.command().arg("batch").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for (number, line) in GOOD.lines().enumerate() {
        // The next line is sent only when this one has been answered: an answer kept back would hang the test.
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["replayed"], false, "{answer}");
        // It is durable already: another process sees it.
        assert_eq!(home.run("info --format json").ok().json()["operations"], number + 1);
    }
    writeln!(stdin, "what?").unwrap();
    let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!((&answer["error"]["code"], &answer["line"]), (&Value::from("invalid_argument"), &Value::from(6)));
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(home.figures("alice"), [50, 0, 0, 0, 50]);
    let again = home.batch("-", GOOD).ok().jsonl();
    assert!(again.iter().all(|answer| answer["replayed"] == true), "{again:?}");
}

#[test]
fn one_bad_line_does_not_stop_the_others() {
    let home = Home::new();
    let long = format!("{{\"op\":\"open\",\"account\":\"b\",\"key\":\"{}\"}}", "x".repeat(1 << 20));
    let mut lines = Vec::new();
    lines.extend_from_slice("\u{feff}".as_bytes());
    lines.extend_from_slice(b"{\"op\":\"open\",\"account\":\"a\",\"key\":\"1\"}\r\n\n   \n");
    lines.extend_from_slice(b"{\"op\":\"open\",\"account\":\"\xff\",\"key\":\"1\"}\n");
    lines.extend_from_slice(long.as_bytes());
    lines.extend_from_slice(b"\n{\"op\":\"open\",\"account\":\"c\",\"key\":\"1\"}\n[]\n");
    lines.extend_from_slice(b"{\"op\":\"open\",\"account\":\"d\",\"key\":\"1\"}");
    let ran = home.feed(home.command().arg("batch"), &lines);
    assert_eq!(ran.code, 3, "{ran:?}");
    let answers = ran.jsonl();
    let seen: Vec<(Option<&str>, Option<u64>)> =
        answers.iter().map(|answer| (answer["account"].as_str(), answer["line"].as_u64())).collect();
    assert_eq!(
        seen,
        [(Some("a"), None), (None, Some(4)), (None, Some(5)), (Some("c"), None), (None, Some(7)), (Some("d"), None)]
    );
    for refused in answers.iter().filter(|answer| answer["line"].is_u64()) {
        let keys: Vec<&String> = refused["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "details", "help", "message", "retryable"]);
        assert_eq!(refused["error"]["code"], "invalid_argument");
    }
    home.run("verify").ok();
}

#[test]
fn all_or_nothing() {
    let home = Home::new();
    let before = home.state();
    let bad = format!("{GOOD}\n{{\"op\":\"release\",\"hold\":{{\"ref_line\":2}},\"key\":\"9\"}}\n");
    let ran = home.batch("--atomic", &bad);
    assert_eq!((ran.code, ran.jsonl().len()), (3, 1), "{ran:?}");
    assert_eq!((&ran.jsonl()[0]["error"]["code"], &ran.jsonl()[0]["line"]), (&"hold_closed".into(), &7.into()));
    let ran = home.batch("--atomic", &format!("{GOOD}nonsense\n"));
    assert_eq!((ran.code, &ran.jsonl()[0]["line"]), (3, &6.into()));
    assert_eq!(home.state().1, before.1);
    let ran = home.batch("--atomic --dry-run", GOOD).ok();
    assert_eq!((ran.jsonl().len(), ran.err.contains("nothing was booked")), (5, true));
    assert_eq!(home.state().1, before.1);
    assert_eq!(home.batch("--atomic", GOOD).ok().jsonl().len(), 5);
    assert_eq!(home.state().1, 5);
    home.run("verify").ok();
}

#[test]
fn a_dry_run_tries_every_line() {
    let home = Home::new();
    home.write("lines.jsonl", format!("{GOOD}bad\n{{\"op\":\"release\",\"hold\":{{\"ref_line\":2}},\"key\":\"9\"}}\n"));
    let ran = home.run("batch lines.jsonl --dry-run");
    assert_eq!((ran.code, ran.jsonl().len()), (3, 7), "{ran:?}");
    assert_eq!(ran.jsonl()[4]["balance"]["available"], 50);
    assert_eq!((&ran.jsonl()[5]["line"], &ran.jsonl()[6]["line"]), (&6.into(), &7.into()));
    assert_eq!(home.state().1, 0);
}

#[test]
fn history_is_loaded_only_where_it_is_asked_for() {
    let home = Home::new();
    let line = r#"{"op":"recharge","account":"a","key":"1","points":5,"source":"s","expires_at":"never","at":"2020-01-01T00:00:00Z"}"#;
    let ran = home.batch("", line);
    assert_eq!((ran.code, &ran.jsonl()[0]["error"]["code"]), (3, &"invalid_argument".into()));
    let ran = home.batch("--historic", line).ok();
    assert_eq!(ran.jsonl()[0]["booked_at"], "2020-01-01T00:00:00.000Z");
    let earlier = line.replace("2020", "2019").replace("\"key\":\"1\"", "\"key\":\"2\"");
    let ran = home.batch("--historic", &earlier);
    assert_eq!((ran.code, &ran.jsonl()[0]["error"]["code"]), (3, &"time_backwards".into()));
}

#[test]
fn whoever_runs_it_is_the_actor_where_a_line_names_none() {
    let home = Home::new();
    let lines = "{\"op\":\"open\",\"account\":\"a\",\"key\":\"1\"}\n{\"op\":\"open\",\"account\":\"b\",\"key\":\"1\",\"actor\":\"till\"}\n";
    home.feed(home.command().env("COUNTERFOIL_ACTOR", "ops").arg("batch"), lines.as_bytes()).ok();
    let actor = |number: &str| home.args(&["show", number, "--format", "json"]).ok().json()["request"]["actor"].clone();
    assert_eq!([actor("1"), actor("2")], ["ops", "till"]);
}

#[test]
fn nothing_in_is_nothing_out() {
    let home = Home::new();
    for words in ["", "--atomic", "--dry-run", "--historic"] {
        let ran = home.batch(words, "\n\n").ok();
        assert_eq!(ran.out, "");
    }
    home.run("batch points.ledger").fails(2, "usage");
    home.run("batch none.jsonl").fails(1, "io");
    home.run("batch .").fails(2, "usage");
}
