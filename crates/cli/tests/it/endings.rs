//! How the command ends: exit codes, confirmations, readers that go away, stderr.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::home::Home;

#[test]
fn what_cannot_be_taken_back_asks_first() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift").ok();
    home.run("consume 9 -a alice").ok();
    home.run("open -a bob").ok();
    home.run("backup copy.ledger").ok();
    let state = home.state();
    for words in [
        "write-off 4 -a alice --reason x",
        "revoke 1 all --reason x",
        "close -a bob --reason x",
        "restore copy.ledger new.ledger",
        "confirm-clock",
    ] {
        home.run(words).fails(7, "unconfirmed");
        // An answer down a pipe is nobody's word.
        home.feed(home.command().args(words.split_whitespace()), b"y\n").fails(7, "unconfirmed");
    }
    assert_eq!(home.state(), state);
    assert!(!home.path("new.ledger").exists());
    let json = home.run("confirm-clock --format json");
    let error: Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!((json.code, &error["error"]["code"]), (7, &"unconfirmed".into()));
    home.run("write-off 4 -a alice --reason x --yes").ok();
}

/// Story: `restore` of a backup that was not there asked first whether it was meant, and found out after the answer. What
/// would be refused anyway is refused at once, and nobody is asked.
#[test]
fn nobody_is_asked_about_what_cannot_be_done() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift").ok();
    home.run("backup copy.ledger").ok();
    home.write("text", "no ledger");
    for (exit, code, words) in [
        (6, "not_a_ledger", "restore missing.ledger new.ledger"),
        (6, "not_a_ledger", "restore text new.ledger"),
        (6, "ledger_exists", "restore copy.ledger points.ledger"),
        (3, "unknown_account", "write-off 4 -a nobody --reason x"),
        (3, "unknown_account", "close -a nobody --reason x"),
        (3, "unknown_batch", "revoke 77 all --reason x"),
        (3, "limit_exceeded", "write-off 4 -a alice --reason x"),
    ] {
        let ran = home.run(words);
        assert!(ran.err.contains(code) && ran.code == exit, "{words}: {} {}", ran.code, ran.err);
        assert!(!ran.err.contains("[y/N]"), "{words}: {}", ran.err);
    }
    assert!(!home.path("new.ledger").exists());
}

#[test]
fn the_exit_codes() {
    let home = Home::new();
    for (exit, words) in [
        (0, "info"),
        (0, "--help"),
        (0, "help recharge"),
        (0, "--version"),
        (1, "batch no-such-file"),
        (2, ""),
        (2, "blance"),
        (2, "balance"),
        (2, "consume ten -a alice"),
        (2, "balance -a alice --format xml"),
        (2, "refund 1 all"),
        (3, "check 1 -a alice"),
        (3, "show 1"),
        (2, "consume -1 -a alice"),
        (2, "check -1 -a alice"),
        (2, "consume 1 -a alice --policy maybe"),
        (2, "statement -a alice --month 2026-13"),
        (2, "balance -a alice --format json --at noon"),
        (2, "consume -1 -a alice -f none.ledger"),
        (6, "info -f none.ledger"),
        (6, "price x"),
        (6, "init"),
        (7, "confirm-clock"),
    ] {
        assert_eq!(home.run(words).code, exit, "{words}");
    }
}

/// Holds the lock of a writer (byte 120 of the `-shm`), from a process that has nothing else to do with the file.
#[cfg(unix)]
#[test]
fn a_locked_ledger_is_busy() {
    use nix::fcntl::{FcntlArg, fcntl};
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift").ok();
    // The app that uses the file: a conversation that has begun.
    let mut app = home.command().arg("batch").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = app.stdin.take().unwrap();
    stdin.write_all(b"{\"op\":\"open\",\"account\":\"x\",\"key\":\"1\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(app.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    let shm = std::fs::OpenOptions::new().read(true).write(true).open(home.path("points.ledger-shm")).unwrap();
    let lock = nix::libc::flock {
        l_type: i16::try_from(nix::libc::F_WRLCK).unwrap(),
        l_whence: i16::try_from(nix::libc::SEEK_SET).unwrap(),
        l_start: 120,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&shm, FcntlArg::F_SETLK(&lock)).unwrap();
    home.run("consume 1 -a alice --wait 1").fails(5, "busy");
    let ran = home.args(&["consume", "1", "-a", "alice", "--wait", "0", "--format", "json"]);
    assert_eq!((ran.code, ran.err.contains("\"retryable\":true")), (5, true), "{ran:?}");
    // Whoever only looks does not wait.
    home.run("balance -a alice --wait 0").ok();
    drop(shm);
    home.run("consume 1 -a alice --wait 1").ok();
    drop(stdin);
    app.wait().unwrap();
}

#[test]
fn a_fault_is_exit_code_4() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source unmistakable").ok();
    let mut bytes = std::fs::read(home.ledger()).unwrap();
    let place = bytes.windows(12).rposition(|window| window == b"unmistakable").unwrap();
    bytes[place] = b'U';
    home.write("points.ledger", bytes);
    let ran = home.run("verify");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.out.contains(": 1 fault\n") && ran.out.contains("batch_mismatch"), "{ran:?}");
    let ran = home.run("verify --format json");
    assert_eq!((ran.code, &ran.json()["ok"]), (4, &false.into()));
    let names: Vec<String> = ran.json()["faults"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["code", "expected", "found", "where"]);
    let ran = home.run("verify --format csv");
    assert_eq!((ran.code, ran.out.lines().count()), (4, 2));
    home.run("backup copy.ledger").fails(6, "corrupt");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let lines: String = (1..=1500)
        .map(|n| {
            format!(
                "{{\"op\":\"consume\",\"account\":\"alice\",\"key\":\"{n}\",\"points\":0,\"description\":\"{}\"}}\n",
                "x".repeat(200)
            )
        })
        .collect();
    home.batch("--atomic", &lines).ok();
    for format in ["table", "json", "jsonl", "csv"] {
        let mut child = home.command().args(["history", "-a", "alice", "--format", format]).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{format}: {output:?}");
    }
    // Lists of batches, holds and accounts, and what leaves them before they are written.
    let lines: String = (1..=1500)
        .map(|n| {
            let recharge = format!(
                "{{\"op\":\"recharge\",\"account\":\"alice\",\"key\":\"{n}\",\"points\":5,\"source\":\"gift\"}}\n"
            );
            let hold = format!(
                "{{\"op\":\"hold\",\"account\":\"alice\",\"key\":\"{n}\",\"points\":1,\"deadline_seconds\":900}}\n"
            );
            format!("{recharge}{hold}{{\"op\":\"open\",\"account\":\"{n}\",\"key\":\"1\"}}\n")
        })
        .collect();
    home.batch("--atomic", &lines).ok();
    for words in [
        "batches -a alice",
        "holds -a alice",
        "accounts",
        "expiring --days 999",
        "accounts --format csv",
        "completions bash",
    ] {
        let mut child = home.command().args(words.split(' ')).spawn().unwrap();
        let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{words}: {output:?}");
    }
    // Help into a closed pipe is quiet too.
    let mut child = home.command().arg("--help").spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    // A run of operations stops when nobody hears the answers, says how far it came, and that it came no further.
    let mut child = home.command().arg("batch").stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = {
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(
            b"{\"op\":\"open\",\"account\":\"x\",\"key\":\"1\"}\n{\"op\":\"open\",\"account\":\"y\",\"key\":\"1\"}\n",
        );
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8(ran.stderr).unwrap().contains("stopped after line 2"));
    // Both lines had come in together, so both were booked.
    assert_eq!(home.run("accounts --format jsonl").ok().jsonl().len(), 1503);
}

#[test]
fn long_tables_keep_their_columns() {
    let home = Home::new();
    let line = |n: u32| format!("{{\"op\":\"consume\",\"account\":\"alice\",\"key\":\"{n}\",\"points\":{}}}\n", n % 7);
    home.batch("--atomic", &(1..=900).map(line).collect::<String>()).ok();
    let table = home.run("history -a alice").ok().out;
    assert_eq!(table.lines().count(), 903);
    assert_eq!(table.lines().filter(|line| line.contains("booked")).count(), 1);
    // The table is laid out some hundred rows at a time, and nobody sees where.
    let places: Vec<Option<usize>> = table.lines().skip(3).map(|line| line.find("consume")).collect();
    let other = places.iter().position(|place| *place != places[0]);
    assert_eq!(other, None, "{:?}", table.lines().nth(other.unwrap_or(0) + 3));
}

#[test]
fn errors_are_json_beside_json() {
    let home = Home::new();
    for format in ["json", "jsonl"] {
        let ran = home.args(&["show", "7", "--format", format]);
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        let names: Vec<&String> = error["error"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["code", "details", "help", "message", "retryable"]);
        assert_eq!((ran.code, &error["error"]["code"]), (3, &"unknown_operation".into()));
        let ran = home.args(&["balance", "--format", format]);
        assert_eq!(serde_json::from_str::<Value>(&ran.err).unwrap()["error"]["code"], "usage");
        let ran = home.args(&["consume", "1", "-a", "alice", "--format", format]).ok();
        assert!(serde_json::from_str::<Value>(&ran.err).unwrap()["key"].is_string());
    }
}
