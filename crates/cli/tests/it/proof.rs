//! `export` on the command line, and what an independent reader makes of it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::home::Home;

/// What a spreadsheet would calculate, or a careless reader take apart. (Control characters never come into a ledger.)
const HOSTILE: [&str; 8] =
    ["=1+1", "+1", "-1", "@SUM(A1)", "a, \"b\"\nc", "=\"x\",\n'y'", "张三的视频，第 3 集 🎬", "plain"];

/// Recharges and charges in three accounts.
fn books() -> Home {
    let home = Home::new();
    let mut lines = String::new();
    for (account, points) in [("alice", 900), ("=cmd|x", 500), ("张三, \"z\"", 70)] {
        lines +=
            &json!({"op": "recharge", "account": account, "key": "r", "points": points, "source": "wxpay"}).to_string();
        lines.push('\n');
        for (n, text) in HOSTILE.iter().enumerate() {
            let line = json!({"op": "consume", "account": account, "key": format!("c{n}"), "points": n + 1, "description": text, "service": "tts"});
            lines += &line.to_string();
            lines.push('\n');
        }
    }
    home.batch("", &lines).ok();
    home
}

/// A CSV as python's reader has it: a list of rows of texts.
fn read_by_python(csv: &str) -> Option<Vec<Vec<String>>> {
    use std::io::Write;
    if !crate::tools::there(&["python3"], "COUNTERFOIL_PROOF") {
        return None;
    }
    let program = "import csv,io,json,sys\ntext=sys.stdin.buffer.read().decode('utf-8')\n\
                   print(json.dumps(list(csv.reader(io.StringIO(text,newline=''),strict=True))))";
    let child = Command::new("python3").args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn csv_opens_right() {
    let home = books();
    let entries = home.run("export --as jsonl").ok().jsonl();
    let Some(rows) = read_by_python(&home.run("export --as csv").ok().out) else { return };
    let (head, rows) = rows.split_first().unwrap();
    assert_eq!(rows.len(), entries.len());
    let column = |name: &str| head.iter().position(|found| found == name).unwrap_or_else(|| panic!("no {name}"));
    for (row, entry) in rows.iter().zip(&entries) {
        assert_eq!(row.len(), head.len());
        for (name, path) in [
            ("n", "/n"),
            ("points", "/points"),
            ("change_available", "/change/available"),
            ("change_debt", "/change/debt"),
            ("after_available", "/after/available"),
            ("after_held", "/after/held"),
            ("after_debt", "/after/debt"),
        ] {
            let figure = entry.pointer(path).and_then(Value::as_i64).unwrap();
            assert_eq!(row[column(name)].parse::<i64>().unwrap(), figure, "{name}");
        }
        assert_eq!(row[column("booked_at")], entry["booked_at"].as_str().unwrap());
        assert!(row[column("booked_at")].ends_with('Z'));
        for name in ["account", "description"] {
            let said = entry[name].as_str().unwrap_or_default();
            let cell = &row[column(name)];
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            assert!(cell == said || *cell == format!("'{said}"), "{cell:?} for {said:?}");
        }
    }
}

#[test]
fn of_one_account_and_a_period_of_it() {
    let home = books();
    let all = home.run("export --as jsonl").ok().jsonl();
    let alice = home.run("export --as jsonl -a alice").ok().jsonl();
    assert_eq!(alice, home.run("history -a alice --format jsonl").ok().jsonl());
    assert_eq!(alice.len() * 3, all.len());
    assert_eq!(home.run("export --as csv -a alice").ok().out, home.run("history -a alice --format csv").ok().out);
    let month: String = alice[0]["booked_at"].as_str().unwrap().chars().take(7).collect();
    assert_eq!(home.run(&format!("export --as jsonl -a alice --month {month}")).ok().jsonl(), alice);
    assert!(home.run("export --as jsonl --to 2020-01-01").ok().jsonl().is_empty());
    let journal = home.run("export --as hledger --view holder -a alice").ok().out;
    assert!(journal.contains("Assets:Points:alice:Available"), "{journal}");
    assert!(!journal.contains("cmd"), "{journal}");
    home.run("export --as beancount --output books.beancount").ok();
    assert!(home.run("export --as hledger -a nobody").fails(3, "unknown_account").err.contains("there is no account"));
}

#[test]
fn what_cannot_be_exported_says_why() {
    let home = books();
    home.run("export --as csv --view holder").fails(2, "usage");
    home.run("export --as csv --month 2026-13").fails(2, "invalid_argument");
    home.run("export --as csv --month november").fails(2, "invalid_argument");
    home.run("export --as hledger --from 2026-02-01 --to 2026-01-01").fails(2, "invalid_argument");
    assert_eq!(home.run("export").code, 2);
}

/// Regression: an export that was killed left half a journal under the name it was asked for, and hledger took it for whole.
#[test]
fn an_export_that_is_killed_leaves_nothing_under_its_name() {
    let home = Home::new();
    let line =
        |n: usize| json!({"op": "recharge", "account": "alice", "key": n.to_string(), "points": 9, "source": "s"});
    home.batch("--output answers", &(0..4_000).map(|n| format!("{}\n", line(n))).collect::<String>()).ok();
    let mut export = home.command();
    let mut child = export.args(["export", "--as", "hledger", "--output", "books.journal"]).spawn().unwrap();
    let half = home.path(&format!("books.journal.{}.part", child.id()));
    while !half.metadata().is_ok_and(|file| file.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "it had no time to be killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(half.exists() && !home.path("books.journal").exists());
    home.run("export --as hledger --output books.journal").ok();
    assert!(std::fs::read_to_string(home.path("books.journal")).unwrap().ends_with("\n; End: 4001 entries.\n"));
}
