//! What tables and CSV show of what JSON has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::home::Home;

/// The one row of a sheet, by the names of its columns.
fn row(text: &str) -> BTreeMap<String, String> {
    let mut sheet = csv::Reader::from_reader(text.as_bytes());
    let names = sheet.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1, "{text}");
    names.iter().zip(&rows[0]).map(|(name, cell)| (name.to_string(), cell.to_string())).collect()
}

/// An operator repeated a recharge and a hold a day later. The table and the sheet told the balance and the hold of then, as if
/// they were those of now; only JSON told both.
#[test]
fn a_repeated_receipt_tells_what_is_now() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --key r").ok();
    home.run("hold 40 -a alice --deadline 1h --key h").ok();
    home.run("capture 2 30 --key c").ok();

    let again = home.run("recharge 100 -a alice --source wxpay --key r").ok();
    assert!(again.out.contains("\nbalance    available 100, held 0, "), "{}", again.out);
    assert!(again.out.contains("\nnow        available 70, held 0, "), "{}", again.out);
    let again = home.run("hold 40 -a alice --deadline 1h --key h").ok();
    assert!(
        again.out.contains("\nhold       2, open, ") && again.out.contains("\nhold now   captured\n"),
        "{}",
        again.out
    );

    let sheet = row(&home.run("hold 40 -a alice --deadline 1h --key h --format csv").ok().out);
    let told =
        ["replayed", "balance_available", "balance_now_available", "hold_state", "state_now"].map(|name| &sheet[name]);
    assert_eq!(told, ["true", "60", "70", "open", "captured"]);
    let tried = row(&home.run("consume 1 -a alice --key n --dry-run --format csv").ok().out);
    assert_eq!((tried["dry_run"].as_str(), tried["balance_now_available"].as_str()), ("true", ""));
    let first = home.run("consume 1 -a alice --key n").ok();
    assert!(!first.out.contains("\nnow "), "{}", first.out);
}

/// A studio looked for the hold of an order: its list told neither the order, nor the key it was made under, nor when.
#[test]
fn a_list_of_holds_says_what_they_are_for() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay").ok();
    home.run("hold 40 -a alice --deadline 1h --key job:17 --reference order-9").ok();
    let table = home.run("holds -a alice").ok().out;
    assert!(table.contains("order-9") && table.contains("job:17"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let json = home.run("holds -a alice --format json").ok().json();
    let sheet = row(&home.run("holds -a alice --format csv").ok().out);
    for name in ["key", "reference", "operation", "booked_at"] {
        assert_eq!(json[0][name], sheet[name].as_str(), "{name}");
    }
}

/// An app's operator wanted to know when a balance would change by itself: a hold's deadline was told in JSON alone.
#[test]
fn a_balance_says_when_time_changes_it() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --expires-at never").ok();
    assert!(!home.run("balance -a alice").ok().out.contains("next change"));
    home.run("hold 40 -a alice --deadline 1h").ok();
    let table = home.run("balance -a alice").ok().out;
    assert!(table.contains("\nnext change  2"), "{table}");
    let json = home.run("balance -a alice --format json").ok().json();
    assert_eq!(
        json["next_change_at"],
        row(&home.run("balance -a alice --format csv").ok().out)["next_change_at"].as_str()
    );
}

/// An accountant matched an exported sheet to what a customer had been told on the telephone, "operation 3, batch 1.1": sheets and
/// JSON had only ids of 36 letters.
#[test]
fn programs_are_told_the_numbers_people_go_by() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --key r").ok();
    home.run("hold 40 -a alice --deadline 1h --key h").ok();
    home.run("plan new 5 -a alice --source gift --every-months 1 --anchor 2999-01-01T00:00:00Z").ok();

    let named = |line: &Value| (line["sequence"].to_string(), line["batch_number"].to_string());
    for words in ["history --format jsonl", "export --as jsonl"] {
        let lines = home.run(&format!("{words} -a alice")).ok().jsonl();
        assert_eq!(named(&lines[1]), ("1".into(), r#""1.1""#.into()), "{words}");
        assert_eq!(named(&lines[2]), ("2".into(), "null".into()), "{words}");
    }
    let statement = home.run("statement -a alice --format json").ok().json();
    assert_eq!(named(&statement["lines"][1]), ("1".into(), r#""1.1""#.into()));
    assert_eq!(named(&statement["batches"][0]), ("1".into(), r#""1.1""#.into()));

    for (words, sequence, batch) in [
        ("history --kind recharge", "1", "1.1"),
        ("batches", "1", "1.1"),
        ("holds", "2", ""),
        ("plan list", "3", ""),
        ("show 1", "1", "1.1"),
        ("recharge 100 --source wxpay --key r", "1", "1.1"),
    ] {
        let sheet = row(&home.run(&format!("{words} -a alice --format csv")).ok().out);
        let number = sheet.get("batch_number").map_or("", String::as_str);
        assert_eq!((sheet["sequence"].as_str(), number), (sequence, batch), "{words}");
    }
    let journal = home.run("export --as hledger -a alice").ok().out;
    assert!(journal.contains("\n    ; sequence: 1\n") && journal.contains("\n    ; batch_number: 1.1\n"), "{journal}");
    let tried = row(&home.run("recharge 1 -a alice --source gift --key n --dry-run --format csv").ok().out);
    assert_eq!((tried["sequence"].as_str(), tried["batch_number"].as_str()), ("", ""));
}

/// A history was 120 columns wide before anything was said in it: on a terminal every line was broken in the middle of a figure.
#[test]
fn a_history_fits_eighty_columns() {
    let home = Home::new();
    let account = "kiosk-".repeat(20) + "x";
    let line = |mut line: Value| {
        line["reference"] = "order-2026-11-27-0000000000000000000000001".into();
        line["description"] = ("x ".repeat(60) + "end").into();
        if line["op"] != "capture" {
            line["account"] = account.as_str().into();
        }
        line.to_string()
    };
    let lines = [
        json!({"op": "recharge", "key": "1", "points": 9_000_000_000_000_000_i64, "source": "wxpay"}),
        json!({"op": "hold", "key": "2", "points": 4_000_000_000_000_000_i64, "deadline_seconds": 3600}),
        json!({"op": "capture", "hold": {"ref_line": 2}, "key": "3", "points": 4_000_000_000_000_000_i64}),
        json!({"op": "transfer", "to": "東京".repeat(20), "key": "4", "points": 1234}),
    ];
    home.batch("", &lines.map(line).join("\n")).ok();
    let wide = |line: &str| line.chars().map(|letter| 1 + usize::from(letter as u32 > 0x2e80)).sum::<usize>();
    for more in [&[][..], &["--zone", "Asia/Kolkata"], &["--newest", "--limit", "1"]] {
        let table = home.args(&[&["history", "-a", &account], more].concat()).ok().out;
        assert!(table.lines().all(|line| wide(line) <= 80), "{table}");
    }
    // A statement's lines are folded in the same way; above and below them stand labelled lines.
    for more in [&[][..], &["--zone", "Asia/Kolkata"]] {
        let table = home.args(&[&["statement", "-a", &account], more].concat()).ok().out;
        let lines = table.lines().skip_while(|line| !line.starts_with("booked"));
        let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(lines.len() > 10 && lines.iter().all(|line| wide(line) <= 80), "{table}");
        for said in ["; +held -4,000,000,000,000,000;", "1.1; wxpay;", "of hold 2"] {
            assert!(lines.iter().any(|line| line.contains(said)), "no {said} in {table}");
        }
    }
    let table = home.args(&["history", "-a", &account]).ok().out;
    for said in ["9,000,000,000,000,000", "; held 4,000,000,000,000,000;", "batch 1.1; wxpay;", "of hold 2", "1,234"] {
        assert!(table.contains(said), "no {said} in {table}");
    }
    // The same figures elsewhere; programs are told plain digits.
    let balance = home.args(&["balance", "-a", &account]).ok().out;
    assert!(balance.contains("  4,999,999,999,998,766\n"), "{balance}");
    assert!(home.args(&["show", "4"]).ok().out.contains(" 1,234 points\n"));
    assert!(home.args(&["history", "-a", &account, "--format", "csv"]).ok().out.contains(",9000000000000000,"));
}
