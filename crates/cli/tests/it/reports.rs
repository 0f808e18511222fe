//! Statements, usage, and lists with filters, as a customer, a finance person and a script meet them.

use serde_json::{Value, json};

use crate::home::{BOOK, Home};

/// Two accounts and a year in which a good deal happens.
fn year() -> Home {
    let home = Home::new();
    let lines = [
        json!({"op": "recharge", "account": "alice", "key": "1", "points": 300, "source": "wxpay", "reference": "order-881",
            "expires_at": "2099-06-01T00:00:00Z", "at": "2025-10-31T15:00:00Z"}),
        json!({"op": "recharge", "account": "alice", "key": "2", "points": 20, "source": "gift", "description": "欢迎 🎬",
            "expires_at": "2025-11-20T00:00:00Z", "at": "2025-10-31T17:00:00Z"}),
        json!({"op": "consume", "account": "alice", "key": "3", "service": "tts", "seconds": "61.2", "reference": "task-19",
            "description": "=SUM(A1),\"quoted\"\nand more", "at": "2025-11-02T10:00:00Z"}),
        json!({"op": "consume", "account": "alice", "key": "4", "service": "tts", "seconds": "2.1", "at": "2025-11-03T10:00:00Z"}),
        json!({"op": "hold", "account": "alice", "key": "5", "points": 40, "service": "video", "deadline_seconds": 3600,
            "at": "2025-11-04T10:00:00Z"}),
        json!({"op": "capture", "hold": {"ref_line": 5}, "key": "6", "points": 30, "at": "2025-11-04T10:30:00Z"}),
        json!({"op": "refund", "operation": {"ref_line": 4}, "key": "7", "points": "all", "reason": "job failed",
            "at": "2025-12-01T10:00:00Z"}),
        json!({"op": "transfer", "account": "alice", "to": "bob", "key": "8", "points": 5, "at": "2025-12-02T10:00:00Z"}),
        json!({"op": "consume", "account": "bob", "key": "9", "points": 25, "service": "llm_tokens", "quantity": 1,
            "unit": "token", "at": "2025-12-03T10:00:00Z"}),
        json!({"op": "recharge", "account": "kiosk-1", "key": "10", "points": 9, "source": "cash",
            "expires_at": "2099-01-01T00:00:00Z", "at": "2025-12-03T10:00:00Z"}),
        json!({"op": "freeze", "account": "kiosk-1", "key": "11", "reason": "lost", "at": "2025-12-04T10:00:00Z"}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    home.write("year.jsonl", lines.join("\n"));
    home.args(&["batch", "year.jsonl", "--historic", "--pricing", BOOK]).ok();
    home
}

/// The number that ends the line beginning with these words.
#[track_caller]
fn figure(out: &str, label: &str) -> i64 {
    let line = out.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("no `{label}` in\n{out}"));
    line.split_whitespace().next_back().unwrap().parse().unwrap()
}

#[test]
fn a_statement_reads_like_one_and_adds_up() {
    let home = year();
    let ran = home.run("statement -a alice --month 2025-11").ok();
    let out = &ran.out;
    for said in [
        "statement  alice (active)",
        "period     2025-11-01 00:00:00Z until 2025-12-01 00:00:00Z",
        "opening    available 320, held 0, pending 0, debt 0, net 320",
        "closing    available 268, held 0, pending 0, debt 0, net 268",
        "tts (61.2 seconds); task-19",
        "tts (2.1 seconds)",
        "63.3 seconds",
    ] {
        assert!(out.contains(said), "no `{said}` in\n{out}");
    }
    assert_eq!(figure(out, "opening net") + figure(out, "consumed"), figure(out, "closing net"), "{out}");
    // What never moved has no column, and a text of several lines stays on one.
    let head = out.lines().find(|line| line.starts_with("booked")).unwrap();
    assert!(head.contains("+held") && !head.contains("debt") && !head.contains("pending"), "{head}");
    assert!(!out.lines().any(|line| line.starts_with("and more")), "{out}");

    // The gift came at 01:00 on the first of November in Shanghai.
    let east = home.run("statement -a alice --month 2025-11 --offset +08:00").ok().out;
    assert!(east.contains("period     2025-11-01 00:00:00+08:00 until 2025-12-01 00:00:00+08:00"), "{east}");
    assert!(
        east.contains("opening    available 300,") && east.contains("2025-11-01 01:00:00+08:00  recharge"),
        "{east}"
    );
    assert!(east.contains("欢迎 🎬"), "{east}");
    let [opening, recharged, used, closing] =
        ["opening net", "recharged", "consumed", "closing net"].map(|label| figure(&east, label));
    assert_eq!(opening + recharged + used, closing, "{east}");

    let whole = home.run("statement -a bob").ok().out;
    assert!(whole.contains("period     the beginning until now, 20"), "{whole}");
    // What is not over is known until now, and no further.
    let open = home.run("statement -a bob --from 2025-12-01 --to 2999-01-01").ok().out;
    assert!(open.contains("period     2025-12-01 00:00:00Z until now, 20"), "{open}");
    assert!(home.run("explain --missing -a bob --to 2999-01-01").ok().out.contains("until now (20"));
    let page = home.run("statement -a bob --from 2025-12-01 --to 2999-01-01 --html").ok().out;
    assert!(page.contains("from 1 December 2025 until now"), "{page}");
    assert!(whole.contains("closing    available 0, held 0, pending 0, debt 20, net -20"), "{whole}");
    assert!(whole.contains("1 token "), "{whole}");
    assert_eq!(figure(&whole, "moved in") + figure(&whole, "consumed"), figure(&whole, "closing net"), "{whole}");
}

#[test]
fn a_statement_in_every_format() {
    let home = year();
    let json = home.run("statement -a alice --from 2025-11-01 --to 2025-12-01 --format json").ok().json();
    let line = home.run("statement -a alice --from 2025-11-01 --to 2025-12-01 --format jsonl").ok();
    assert_eq!(line.jsonl().len(), 1);
    assert_eq!(line.jsonl()[0]["lines"], json["lines"]);
    assert_eq!(
        json["opening"]["net"].as_i64().unwrap() - json["totals"]["consumed"].as_i64().unwrap(),
        json["closing"]["net"]
    );
    assert_eq!(json["usage"][0]["service"], "video");

    let text = home.run("statement -a alice --from 2025-11-01 --to 2025-12-01 --format csv --output a.csv").ok();
    assert_eq!(text.out, "");
    let mut sheet = csv::Reader::from_path(home.path("a.csv")).unwrap();
    let heads = sheet.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap_or_else(|| panic!("{name}: {heads:?}"));
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), json["lines"].as_array().unwrap().len() + 2);
    let (first, last) = (rows.first().unwrap(), rows.last().unwrap());
    assert_eq!([&first[column("kind")], &last[column("kind")]], ["opening", "closing"]);
    for name in ["available", "held", "pending", "debt", "net"] {
        let number = |cell: &str| if cell.is_empty() { 0 } else { cell.parse::<i64>().unwrap() };
        let sum: i64 = rows.iter().map(|row| number(&row[column(&format!("change_{name}"))])).sum();
        let after = column(&format!("after_{name}"));
        assert_eq!(number(&first[after]) + sum, number(&last[after]), "{name}");
        assert_eq!(json["closing"][name], number(&last[after]), "{name}");
    }
    let descriptions: Vec<&str> = rows.iter().map(|row| &row[column("description")]).collect();
    assert!(descriptions.contains(&"'=SUM(A1),\"quoted\"\nand more"), "{descriptions:?}");
    assert!(rows.iter().all(|row| row[column("booked_at")].ends_with('Z')));
}

#[test]
fn a_statement_of_nobody_and_of_no_month() {
    let home = year();
    // An empty statement of a mistyped account went to a customer.
    for words in ["statement -a alise", "statement -a alise --html", "export --as csv -a alise"] {
        let nobody = home.run(words).fails(3, "unknown_account");
        assert!(nobody.err.contains("did you mean `alice`?") && nobody.out.is_empty(), "{words}: {nobody:#?}");
    }
    for (words, code) in [
        ("statement -a alice --month 2025-13", "invalid_argument"),
        ("statement -a alice --month 2025-1", "invalid_argument"),
        ("statement -a alice --month november", "invalid_argument"),
        ("statement -a alice --month +026-11", "invalid_argument"),
        ("statement -a alice --from 2025-12-01 --to 2025-11-01", "invalid_argument"),
        ("statement -a alice --from tomorrow", "invalid_argument"),
    ] {
        home.run(words).fails(2, code);
    }
    for words in [
        "statement -a alice --month 2025-11 --from 2025-11-01",
        "statement -a alice --month 2025-11 --offset Shanghai",
        "statement -a alice --offset 8",
        "usage --by week",
        "usage -a alice --all-accounts",
        "accounts --expiring-days 7 --expiring-before 2099-01-01",
    ] {
        assert_eq!(home.run(words).code, 2, "{words}");
    }
    home.run("statement").fails(2, "usage");
    home.run("statement -a alice --offset -05:00").ok();
}

#[test]
fn usage_with_a_total() {
    let home = year();
    let all = home.run("usage").ok().out;
    let words = |label: &str| {
        let line = all.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("{label}: {all}"));
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(words("tts"), ["tts", "63.3", "seconds", "2", "22", "1", "21"]);
    assert_eq!(words("llm_tokens"), ["llm_tokens", "1", "token", "1", "25", "0", "25"]);
    assert_eq!(words("video"), ["video", "-", "1", "30", "0", "30"]);
    assert_eq!(words("total"), ["total", "4", "77", "1", "76"]);

    let json = home.run("usage -a alice --by month --format json").ok().json();
    assert_eq!(
        json,
        json!([
            {"account": "alice", "period": "2025-11", "service": "video", "uses": 1, "points": 30},
            {"account": "alice", "period": "2025-11", "service": "tts", "unit": "second", "uses": 2, "quantity": "63.3", "points": 22},
            {"account": "alice", "period": "2025-12", "service": "tts", "unit": "second", "uses": 0, "points": 0, "refunded": 1},
        ])
    );
    let days = home.run("usage --by day --month 2025-11 --per-account").ok().out;
    assert!(days.starts_with("account  period "), "{days}");
    assert!(days.lines().any(|line| line.starts_with("alice    2025-11-02  tts ")), "{days}");
    assert!(days.lines().any(|line| line.starts_with("total ")), "{days}");
    let csv = home.run("usage --per-account --format csv").ok().out;
    assert_eq!(csv.lines().next(), Some("account,period,service,unit,uses,quantity,points,refunded,net_points"));
    assert!(csv.contains("\nbob,,llm_tokens,token,1,1,25,0,25\n"), "{csv}");
    assert_eq!(home.run("usage --per-account --format jsonl").ok().jsonl().len(), 3);

    let none = home.run("usage -a kiosk-1").ok();
    assert!(none.out.is_empty() && none.err.contains("`kiosk-1` used nothing"), "{none:#?}");
    let nobody = home.run("usage -a alise").ok();
    assert!(nobody.err.contains("there is no account `alise`"), "{nobody:#?}");
}

/// A table in which what stands below a row is on its line.
fn rows(table: &str) -> String {
    table.replace("\n    ", "  ")
}

/// Neither the history nor the statement named the other side of a line, and no line of a statement could be explained.
#[test]
fn a_line_says_what_it_is_about() {
    let home = year();
    for words in ["history -a alice", "statement -a alice"] {
        let out = rows(&home.run(words).ok().out);
        let line = |kind: &str, end: &str| {
            let found = out.lines().any(|line| line.contains(kind) && line.contains(end));
            assert!(found, "{words}: no {kind} with {end}\n{out}");
        };
        line("  refund ", "of operation 4; job failed");
        line("  transfer_out ", "to bob");
        line("  capture ", "of hold 5");
        line("  recharge ", "1.1");
    }
    assert!(home.run("history -a bob").ok().out.contains("from alice"));
    let page = home.run("statement -a alice --html").ok().out;
    for said in ["to bob", "of №\u{a0}4", "of №\u{a0}5"] {
        assert!(page.contains(&format!("<bdi>{said}</bdi>")), "no {said} in {page}");
    }
    let statement = home.run("statement -a alice").ok().out;
    let head = statement.lines().find(|line| line.starts_with("booked")).unwrap();
    let heads: Vec<&str> = head.split_whitespace().take(5).collect();
    assert_eq!(heads, ["booked", "kind", "operation", "points", "+available"]);

    // On the clock that was asked for.
    let east = home.run("history -a alice --month 2025-11 --offset +08:00").ok().out;
    assert!(east.contains("2025-11-01 01:00:00+08:00  recharge"), "{east}");
    let json = home.run("history -a alice --month 2025-11 --offset +08:00 --format json").ok().json();
    assert_eq!(json[0]["booked_at"], "2025-11-01T01:00:00.000+08:00");
}

/// Points that lapse on their return made a line that did not seem to add up; a line of what expired named no source.
#[test]
fn what_is_gone_is_said() {
    let home = Home::new();
    let lines = [
        json!({"op": "recharge", "account": "alice", "key": "1", "points": 20, "source": "gift",
            "expires_at": "2025-11-20T00:00:00Z", "at": "2025-11-01T00:00:00Z"}),
        json!({"op": "consume", "account": "alice", "key": "2", "points": 12, "at": "2025-11-02T00:00:00Z"}),
        json!({"op": "refund", "operation": {"ref_line": 2}, "key": "3", "points": 5, "reason": "late",
            "at": "2025-12-01T00:00:00Z"}),
    ];
    home.batch("--historic", &lines.map(|line| line.to_string()).join("\n")).ok();
    for words in ["history -a alice", "statement -a alice"] {
        let out = rows(&home.run(words).ok().out);
        assert!(out.contains("of operation 2; 5 lapsed; late"), "{words}: {out}");
        let expired = out.lines().find(|line| line.contains(" expire ")).unwrap();
        assert!(expired.contains("1.1") && expired.contains("gift"), "{words}: {out}");
    }
    // One order of columns for all sheets of entries.
    let head = |words: &str| home.run(words).ok().out.lines().next().unwrap().to_string();
    let heads = ["history -a alice", "statement -a alice"].map(|words| head(&format!("{words} --format csv")));
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[0], head("export --as csv"));
    for name in ["expired", "change_net", "after_net", "counterparty", "refers_to", "metadata"] {
        assert!(heads[0].split(',').any(|head| head == name), "{name}: {}", heads[0]);
    }
}

#[test]
fn usage_of_one_service() {
    let home = year();
    let out = home.run("usage --service tts").ok().out;
    assert!(out.contains("tts") && !out.contains("video"), "{out}");
    let csv = home.run("usage -a alice --service tts --format csv").ok().out;
    assert!(csv.contains("\nalice,,tts,second,2,63.3,22,1,21\n"), "{csv}");
}

#[test]
fn accounts_of_one() {
    let home = year();
    assert_eq!(names(&home, "accounts -a bob"), ["bob"]);
    assert_eq!(names(&home, "accounts -a bob --state frozen"), Vec::<String>::new());
    // The environment names whom other commands are about.
    let ran = home.finish(home.command().env("COUNTERFOIL_ACCOUNT", "bob").args(["accounts", "--format", "jsonl"]));
    assert_eq!(ran.ok().jsonl().len(), 3);
}

fn names(home: &Home, words: &str) -> Vec<String> {
    let found = home.run(&format!("{words} --format jsonl")).ok().jsonl();
    found.iter().map(|item| item["account"].as_str().unwrap().to_string()).collect()
}

#[test]
fn accounts_with_filters() {
    let home = year();
    assert_eq!(names(&home, "accounts"), ["alice", "bob", "kiosk-1"]);
    assert_eq!(names(&home, "accounts --in-debt"), ["bob"]);
    assert_eq!(names(&home, "accounts --state frozen"), ["kiosk-1"]);
    assert_eq!(names(&home, "accounts --state frozen --state active --match *i*"), ["alice", "kiosk-1"]);
    assert_eq!(names(&home, "accounts --match kiosk-?"), ["kiosk-1"]);
    assert_eq!(names(&home, "accounts --match kiosk"), Vec::<String>::new());
    assert_eq!(names(&home, "accounts --expiring-before 2099-06-01T00:00:00Z"), ["alice", "kiosk-1"]);
    assert_eq!(names(&home, "accounts --expiring-before 2099-05-31T23:59:59Z"), ["kiosk-1"]);
    assert_eq!(names(&home, "accounts --expiring-days 0"), Vec::<String>::new());
    let first = home.run("accounts --limit 1 --match *i*").ok();
    let cursor = first.err.split_whitespace().next_back().unwrap().to_string();
    assert_eq!(names(&home, &format!("accounts --match *i* --after {cursor}")), ["kiosk-1"], "{first:#?}");
    assert!(home.run("accounts --in-debt --state closed").ok().err.contains("no account fits"));
    home.run("accounts --state Frozen").fails(2, "invalid_argument");
}

#[test]
fn history_with_filters() {
    let home = year();
    let kinds = |words: &str| {
        let found = home.run(&format!("history -a alice {words} --format jsonl")).ok().jsonl();
        found.iter().map(|item| item["kind"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("--service tts"), ["consume", "consume"]);
    assert_eq!(kinds("--service video"), ["hold", "capture"]);
    assert_eq!(kinds("--reference task-19"), ["consume"]);
    assert_eq!(kinds("--source gift"), ["recharge"]);
    assert_eq!(kinds("--description QUOTED"), ["consume"]);
    assert_eq!(kinds("--operation 6"), ["capture"]);
    assert_eq!(kinds("--month 2025-12"), ["refund", "transfer_out"]);
    assert_eq!(kinds("--month 2025-11 --offset +08:00 --source gift"), ["recharge"]);
    assert_eq!(kinds("--month 2025-11 --source gift"), Vec::<String>::new());
    assert_eq!(kinds("--service tts --newest --limit 1"), ["consume"]);
    assert_eq!(kinds("--service nothing"), Vec::<String>::new());
    home.run("history -a alice --operation 99").fails(3, "unknown_operation");
}
