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
    assert!(ran.err.contains("note: 6 lines: 3 booked, 3 refused"), "{}", ran.err);
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
    assert!(ran.err.contains("note: nothing was booked"), "{ran:?}");
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
    assert_eq!([actor("number:1"), actor("number:2")], ["ops", "till"]);
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

/// Story: the disk was full in the middle of a night's file. Each of the 19 105 lines after that was tried and answered with an
/// error of its own, a transfer among them with `unknown_account`, and the exit code was that of a refusal, so the night's
/// script threw the "refused" lines away. The file's first failure ends the run, with its own exit code, and says where to go on.
#[cfg(unix)]
#[test]
fn the_first_failure_of_the_file_ends_the_run() {
    let home = Home::new();
    let consume = |n: u32| {
        let text = "x".repeat(900);
        format!(
            "{{\"op\":\"consume\",\"account\":\"new{n}\",\"key\":\"{n}\",\"points\":1,\"description\":\"{text}\"}}\n"
        )
    };
    let mut lines: String = (1..=3000).map(consume).collect();
    lines.push_str("{\"op\":\"transfer\",\"account\":\"new2999\",\"to\":\"x\",\"key\":\"t\",\"points\":1}\n");
    home.write("lines.jsonl", &lines);
    for format in ["", "--format json"] {
        // No file may grow past 1 MiB.
        let script =
            format!("trap '' XFSZ; ulimit -f 2048; exec \"$0\" batch lines.jsonl {format} --refused refused.jsonl");
        let counterfoil = home.command().get_program().to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(home.path("")).env("COUNTERFOIL_FILE", "points.ledger");
        shell.stdout(Stdio::piped()).stderr(Stdio::piped()).arg("-c").arg(script).arg(counterfoil);
        let ran = home.finish(&mut shell);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let answers = ran.jsonl();
        let (failed, booked) = answers.split_last().unwrap();
        assert!(booked.iter().all(|answer| answer["operation"].is_string()), "{:?}", booked.last());
        let line = failed["line"].as_u64().unwrap();
        assert_eq!((line, &failed["op"]), (u64::try_from(booked.len()).unwrap() + 1, &"consume".into()));
        assert_eq!((&failed["account"], &failed["key"]), (&format!("new{line}").into(), &line.to_string().into()));
        assert!(!["unknown_account", "insufficient_points"].contains(&failed["error"]["code"].as_str().unwrap()));
        match format {
            "" => assert!(
                ran.err.contains(&format!("go on at line {line}")) && ran.err.contains("error: "),
                "{}",
                ran.err
            ),
            _ => {
                let told: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(told[0]["summary"]["next_line"], line, "{told:?}");
                assert_eq!(told[1]["error"]["code"], failed["error"]["code"]);
            }
        }
        assert!(!home.path("refused.jsonl").exists(), "a failure is no refusal");
    }
    let ran = home.run("batch lines.jsonl");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("1 refused") && ran.err.contains("booked before"), "{}", ran.err);
    home.run("verify").ok();
}

/// Story: of a file of thousands of lines eleven were refused. To mend them somebody searched the input for them by hand, and
/// the lines that pointed at others by `ref_line` then pointed at whatever stood on that line of the new file.
#[test]
fn refused_lines_are_kept_to_be_mended() {
    let home = Home::new();
    let lines = r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"wxpay"}

{"op":"hold","account":"alice","key":"2","points":40,"deadline_seconds":60}
{"op":"hold","account":"alice","key":"3","points":40,"deadline_seconds":60}
{"op":"capture","hold":{"ref_line":4},"key":"4","points":25}
{"op":"capture","hold":{"ref_line":3},"key":"5","points":0,"seconds":"1"}
{"op":"release","hold":{"ref_line":1},"key":"6"}
{"op":"consume","account":"alice","key":"7","points":11,"policy":"strict","metadata":{"n":1.10}}
what?
{"op":"stop","plan":{"ref_line":1},"key":"8"}
"#;
    let ran = home.batch("--refused mend.jsonl --format jsonl", lines);
    assert_eq!(ran.code, 3, "{ran:?}");
    let told: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told[0]["summary"], serde_json::json!({"lines": 9, "booked": 2, "replayed": 0, "refused": 7}));
    let hold = ran.jsonl()[1]["hold"]["id"].clone();
    let strict = ran.jsonl()[6].clone();
    assert_eq!(
        (&strict["op"], &strict["key"], &strict["account"]),
        (&"consume".into(), &"7".into(), &"alice".into()),
        "{strict}"
    );
    let kept = std::fs::read_to_string(home.path("mend.jsonl")).unwrap();
    let kept: Vec<&str> = kept.lines().collect();
    let original: Vec<&str> = lines.lines().collect();
    assert_eq!((kept[0], kept[4], kept[5], kept.len()), (original[3], original[7], original[8], 7));
    let target = |n: usize| serde_json::from_str::<Value>(kept[n]).unwrap()["hold"].clone();
    assert_eq!(
        [target(1), target(2), target(3)],
        [serde_json::json!({"ref_line": 1}), hold, serde_json::json!({"ref_line": 0})]
    );
    let stop = serde_json::from_str::<Value>(kept[6]).unwrap();
    assert_eq!(stop["plan"], serde_json::json!({"ref_line": 0}));
    // It is never written over, nor is anything else, and no empty one is left.
    home.batch("--refused mend.jsonl", lines).fails(2, "usage");
    home.batch("--refused points.ledger", lines).fails(2, "usage");
    home.batch("--refused a --output a", lines).fails(2, "usage");
    home.batch("--refused none.jsonl", GOOD.lines().next().unwrap()).ok();
    assert!(!home.path("none.jsonl").exists());
}

/// Story: a program sent a line and an empty one in one write, and waited for its answer. The command waited for another line.
#[test]
fn an_empty_line_does_not_keep_an_answer_back() {
    let home = Home::new();
    let mut child = home.command().arg("batch").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    stdin.write_all(b"{\"op\":\"open\",\"account\":\"a\",\"key\":\"1\"}\n\n\n").unwrap();
    stdin.flush().unwrap();
    assert!(answers.next().unwrap().unwrap().contains("\"op\":\"open\""));
    drop(stdin);
    child.wait().unwrap();
}

#[test]
fn answers_are_json_lines_whatever_is_asked() {
    let home = Home::new();
    for format in ["table", "csv"] {
        home.batch(&format!("--format {format}"), GOOD).fails(2, "usage");
    }
    assert_eq!(home.state().1, 0);
    for format in ["json", "jsonl"] {
        assert_eq!(home.batch(&format!("--format {format}"), GOOD).ok().jsonl().len(), 5);
    }
}
