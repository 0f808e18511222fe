//! The four formats, and files for answers.

use serde_json::{Value, json};

use crate::home::Home;

/// A ledger in which something of everything has happened.
fn busy() -> Home {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --key 1").ok();
    home.args(&[
        "consume",
        "30",
        "-a",
        "alice",
        "--reference",
        "=HYPERLINK(1)",
        "--description",
        "two\nlines \u{202e}",
        "--metadata",
        "{\"a\":1}",
        "--key",
        "2",
    ])
    .ok();
    home.run("hold 20 -a alice --deadline 1h --key 3").ok();
    home.run("transfer bob 5 -a alice --key 4").ok();
    home
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names of an object's fields in the order they are written in.
fn written(text: &str, names: &[&str]) -> Vec<usize> {
    names
        .iter()
        .map(|name| text.find(&format!("\"{name}\"")).unwrap_or_else(|| panic!("no {name} in {text}")))
        .collect()
}

#[test]
fn json_has_the_documented_keys() {
    let home = busy();
    let receipt = home.run("consume 30 -a alice --key 2 --reference =HYPERLINK(1) --format jsonl").ok();
    let names = [
        "op",
        "operation",
        "account",
        "key",
        "replayed",
        "points",
        "booked_at",
        "recorded_at",
        "allocations",
        "balance",
    ];
    assert!(written(&receipt.out, &names).is_sorted(), "{}", receipt.out);
    assert_eq!(keys(&receipt.json()["balance"]), ["available", "debt", "held", "net", "pending"]);

    let balance = home.run("balance -a alice --format json").ok().json();
    let wanted = [
        "account",
        "as_of",
        "available",
        "credit_limit",
        "debt",
        "exists",
        "held",
        "net",
        "next_change_at",
        "next_expiry",
        "pending",
        "state",
        "totals",
    ];
    assert_eq!(keys(&balance), wanted);
    assert_eq!(keys(&balance["next_expiry"]), ["at", "points"]);
    let past = home.run("balance -a alice --at 2020-01-01 --format json").ok().json();
    assert_eq!(keys(&past), ["account", "as_of", "available", "debt", "exists", "held", "net", "pending"]);

    let entries = home.run("history -a alice --format json").ok().json();
    assert_eq!(
        keys(&entries[1]),
        [
            "account",
            "after",
            "batch",
            "batch_number",
            "booked_at",
            "change",
            "kind",
            "movements",
            "n",
            "operation",
            "points",
            "sequence",
            "source"
        ]
    );
    assert_eq!(keys(&entries[1]["after"]), ["available", "debt", "held", "pending"]);
    let batches = home.run("batches -a bob --format json").ok().json();
    let wanted = [
        "account",
        "amount",
        "batch",
        "batch_number",
        "effective_at",
        "expired",
        "expires_at",
        "from_batch",
        "held",
        "moved",
        "operation",
        "owed",
        "priority",
        "promo",
        "remaining",
        "revoked",
        "sequence",
        "source",
        "state",
        "used",
    ];
    assert_eq!(keys(&batches[0]), wanted);
    let holds = home.run("holds -a alice --format json").ok().json();
    assert_eq!(
        keys(&holds[0]),
        [
            "account",
            "booked_at",
            "deadline",
            "hold",
            "key",
            "operation",
            "points",
            "sequence",
            "slices",
            "state",
            "unbacked"
        ]
    );
    let check = home.run("check 5 -a alice --format json").ok().json();
    assert_eq!(keys(&check), ["allowed", "available", "debt", "required", "sufficient"]);
    let verify = home.run("verify --format json").ok().json();
    assert_eq!((&verify["ok"], &verify["faults"]), (&true.into(), &Value::Array(Vec::new())));
    let shown = home.run("show 2 --format json").ok().json();
    assert_eq!((&shown["sequence"], &shown["paid_by"][0]["points"]), (&2.into(), &30.into()));
}

#[test]
fn lists_are_arrays_or_lines() {
    let home = busy();
    let array = home.run("history -a alice --format json").ok().json();
    let lines = home.run("history -a alice --format jsonl").ok().jsonl();
    assert_eq!(array.as_array().unwrap(), &lines);
    assert_eq!(home.run("history -a nobody --format json").ok().out, "[]\n");
    assert_eq!(home.run("history -a nobody --format jsonl").ok().out, "");
    assert_eq!(home.run("history -a nobody --format csv").ok().out.lines().count(), 1);
    assert!(home.run("history -a nobody").ok().err.contains("no account `nobody`"));
}

#[test]
fn a_list_can_be_walked_page_by_page() {
    let home = busy();
    let all = home.run("history -a alice --format jsonl").ok().jsonl();
    for order in ["", "--newest"] {
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after = cursor.map(|cursor| format!("--after {cursor}")).unwrap_or_default();
            let page = home.run(&format!("history -a alice --format jsonl --limit 2 {order} {after}")).ok();
            seen.extend(page.jsonl());
            match page.err.lines().last() {
                None => break,
                Some(line) => {
                    cursor = Some(serde_json::from_str::<Value>(line).unwrap()["next"].as_str().unwrap().into())
                }
            }
        }
        if !order.is_empty() {
            seen.reverse();
        }
        assert_eq!(seen, all);
    }
    assert!(home.run("history -a alice --limit 1").ok().err.contains("--after 1"));
    home.run("history -a alice --after x").fails(2, "invalid_argument");
}

#[test]
fn csv_is_safe_and_flat() {
    let home = busy();
    let csv = home.run("history -a alice --kind consume --format csv").ok();
    let mut reader = csv::Reader::from_reader(csv.out.as_bytes());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_string).collect();
    assert!(head.contains(&"after_available".to_string()) && !csv.out.contains("allocations"), "{head:?}");
    let row: Vec<String> = reader.records().next().unwrap().unwrap().iter().map(str::to_string).collect();
    let cell = |name: &str| row[head.iter().position(|head| head == name).unwrap()].as_str();
    assert_eq!(cell("reference"), "'=HYPERLINK(1)");
    assert_eq!(cell("description"), "two\nlines \u{202e}");
    // A number keeps its sign.
    assert_eq!(cell("change_available"), "-30");
    assert_eq!(cell("metadata"), "{\"a\":1}");
    assert!(cell("booked_at").ends_with('Z'));
    for words in [
        "balance -a alice",
        "accounts",
        "batches -a alice",
        "holds -a alice",
        "check 1 -a alice",
        "info",
        "show 1",
        "verify",
        "expire",
    ] {
        let ran = home.run(&format!("{words} --format csv")).ok();
        let mut reader = csv::Reader::from_reader(ran.out.as_bytes());
        let head = reader.headers().unwrap().clone();
        for record in reader.records() {
            assert_eq!(record.unwrap().len(), head.len(), "{words}");
        }
    }
}

#[test]
fn a_table_cannot_be_painted_over() {
    let home = busy();
    home.args(&["open", "-a", "\u{202e}ecila\u{200b}東京", "--key", "1"]).ok();
    let table = home.run("history -a alice --kind consume").ok().out;
    assert!(table.contains("two\\nlines \\u{202e}") && !table.contains('\u{202e}'), "{table}");
    let accounts = home.run("accounts").ok().out;
    assert!(accounts.contains("\\u{202e}ecila\\u{200b}東京"), "{accounts}");
    // Wide characters take two columns: the next column begins at the same place in every line.
    let places: Vec<usize> = accounts
        .lines()
        .skip(2)
        .map(|line| {
            let before = line.split("active").next().unwrap();
            before.chars().map(|letter| if letter as u32 > 0x2e80 { 2 } else { 1 }).sum()
        })
        .collect();
    assert!(places.windows(2).all(|two| two[0] == two[1]), "{places:?}\n{accounts}");
    let error = home.args(&["show", "\u{1b}[31m\u{202e}"]).fails(3, "invalid_argument");
    assert!(!error.err.contains('\u{1b}') && !error.err.contains('\u{202e}'), "{}", error.err);
}

/// Regression: a killed command left its half answer, and in a container the next ones had its process number and refused.
#[cfg(unix)]
#[test]
fn what_a_killed_command_left_is_in_nobodys_way() {
    let home = busy();
    let script = "echo half > out.$$.part && exec \"$0\" accounts --format jsonl --output out";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_counterfoil")]).current_dir(home.path(""));
    let ran = shell.env("COUNTERFOIL_FILE", "points.ledger").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(std::fs::read_to_string(home.path("out")).unwrap().lines().count(), 2);
    let names = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().path());
    let left: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "part")).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(std::fs::read_to_string(&left[0]).unwrap(), "half\n");
}

#[test]
fn answers_go_to_a_file_that_is_not_there_yet() {
    let home = busy();
    let ran = home.run("accounts --format jsonl --output out.jsonl").ok();
    assert_eq!(ran.out, "");
    let text = std::fs::read_to_string(home.path("out.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    let state = home.state();
    // Refused before anything is booked.
    home.run("consume 1 -a alice --output out.jsonl").fails(2, "usage");
    home.run("consume 1 -a alice --output no/such/folder").fails(1, "io");
    home.run("consume 1 -a alice --output .").fails(2, "usage");
    home.run("consume 1 -a alice --output points.ledger --force").fails(2, "usage");
    // Regression: these were refused only while they were there and had something in them.
    for name in ["points.ledger-wal", "points.ledger-shm", "./points.ledger-journal"] {
        home.run(&format!("consume 1 -a alice --output {name} --force")).fails(2, "usage");
    }
    assert_eq!(home.state(), state);
    assert_eq!(home.run("accounts --force").code, 2);
    home.run("accounts --output out.jsonl --force").ok();
    assert!(std::fs::read_to_string(home.path("out.jsonl")).unwrap().starts_with("account "));
    // A command that fails leaves no file, and what was there stays.
    home.run("balance --output none.txt").fails(2, "usage");
    assert!(!home.path("none.txt").exists());
    home.run("show 99 --output out.jsonl --force").fails(3, "unknown_operation");
    assert!(std::fs::read_to_string(home.path("out.jsonl")).unwrap().starts_with("account "));
    let left: Vec<String> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.iter().any(|name| name.ends_with(".part")), "{left:?}");
    // Answers about what was booked stay even if the run breaks off.
    let ran = home.feed(
        home.command().args(["batch", "--output", "answers.jsonl"]),
        b"{\"op\":\"open\",\"account\":\"z\",\"key\":\"1\"}\nx\n",
    );
    assert_eq!(ran.code, 3);
    assert_eq!(std::fs::read_to_string(home.path("answers.jsonl")).unwrap().lines().count(), 2);
}

/// What a program asks of the library as data and what it asks of the command are told alike: only the clock runs on.
#[test]
fn json_is_the_librarys_answer() {
    let home = busy();
    let ledger = counterfoil::Ledger::options().read_only(true).open(home.ledger()).unwrap();
    let same = |command: &str, question: Value| {
        let told = home.run(&format!("{command} --format json")).json();
        let question = counterfoil::Question::parse(&question.to_string()).unwrap();
        let mut answer = serde_json::to_value(ledger.ask(&question).unwrap()).unwrap();
        // The command follows the pages.
        if let Some(items) = answer.get_mut("items") {
            answer = items.take();
        }
        let still = |mut value: Value| {
            for moving in ["as_of", "reading"] {
                value.as_object_mut().map(|fields| fields.remove(moving));
            }
            value.get_mut("balance").and_then(Value::as_object_mut).map(|balance| balance.remove("as_of"));
            value.as_array_mut().into_iter().flatten().for_each(|item| {
                item.as_object_mut().map(|fields| fields.remove("as_of"));
            });
            value
        };
        assert_eq!(still(told), still(answer), "{command}");
    };
    let get = |get: &str| json!({"get": get, "account": "alice"});
    let operation = ledger.operation_id(2).unwrap();
    let batch = ledger.operation(&ledger.operation_id(1).unwrap()).unwrap().receipt.batch.unwrap().batch;
    same("balance -a alice", get("balance"));
    same("check 1000 -a alice", json!({"get": "check", "account": "alice", "points": 1000}));
    same("batches -a alice --all", json!({"get": "batches", "account": "alice", "all": true}));
    same("holds -a alice", get("holds"));
    same("history -a alice --newest", json!({"get": "history", "account": "alice", "newest_first": true}));
    same(
        "expiring -a alice --before 2999-01-01T00:00:00Z",
        json!({"get": "expiring", "account": "alice", "before": "2999-01-01T00:00:00Z"}),
    );
    same("accounts", json!({"get": "accounts"}));
    same("overview -a alice --limit 2", json!({"get": "overview", "account": "alice", "limit": 2}));
    same("history --newest --kind consume", json!({"get": "history", "newest_first": true, "kind": "consume"}));
    same("find 4", json!({"get": "find", "text": "4"}));
    same("usage -a alice", get("usage"));
    same("statement -a alice", get("statement"));
    same("explain --missing -a alice", get("missing"));
    same("explain 2", json!({"get": "explain", "operation": operation}));
    same("explain --batch 1.1", json!({"get": "explain", "batch": batch}));
    same("show 2", json!({"get": "operation", "operation": operation}));
    same("info", json!({"get": "info"}));
    same("verify", json!({"get": "verify"}));
}

/// A payment's number of thirty digits came back rounded, and 1.10 as 1.1.
#[test]
fn metadata_is_told_as_it_was_given() {
    let home = Home::new();
    let given = r#"{"u":18446744073709551616,"price":1.10,"a":[1,2]}"#;
    home.args(&["consume", "1", "-a", "alice", "--key", "k", "--metadata", &given.replace(',', " ,\n")]).ok();
    home.batch("", &format!(r#"{{"op":"consume","account":"alice","key":"line","points":1,"metadata":{given}}}"#)).ok();
    for words in [
        "show k --format json",
        "show line",
        "show k",
        "explain k",
        "explain line --format json",
        "history -a alice --format jsonl",
    ] {
        let told = home.run(words).ok().out;
        assert!(told.contains(given), "{words}: {told}");
    }
    for program in ["jsonl", "csv"] {
        let told = home.run(&format!("export --as {program}")).ok().out.replace("\"\"", "\"");
        assert_eq!(told.matches(given).count(), 2, "{told}");
    }
    let twice = ["consume", "1", "-a", "alice", "--key", "t", "--metadata", r#"{"id":1,"id":2}"#];
    let ran = home.args(&twice).fails(3, "invalid_argument");
    assert!(ran.err.contains("`id` is given twice"), "{ran:#?}");
}

/// Excel showed `été` as `Ã©tÃ©`: it takes a sheet without a mark for one of the computer's old code page.
#[test]
fn a_sheet_for_excel_says_that_it_is_utf8() {
    let home = Home::new();
    home.args(&["recharge", "5", "-a", "été", "--source", "wxpay"]).ok();
    for words in ["accounts --format csv --bom", "export --as csv --bom"] {
        let out = home.run(words).ok().out;
        assert!(
            out.starts_with('\u{feff}') && out.matches('\u{feff}').count() == 1 && out.contains("été"),
            "{words}: {out}"
        );
        assert!(!home.run(words.trim_end_matches(" --bom")).ok().out.contains('\u{feff}'));
    }
    for words in ["accounts --bom", "accounts --format json --bom", "export --as hledger --bom"] {
        let ran = home.run(words);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains("--bom is for CSV"), "{words}: {ran:#?}");
    }
}

/// A shop's customers are called `@ann` and `+86 139`: an accountant did not find them by the names in the sheet, and nothing said why.
#[test]
fn help_says_what_is_done_to_texts_like_formulas() {
    let home = Home::new();
    home.args(&["recharge", "5", "-a", "@ann", "--source", "wxpay", "--key", "'=1"]).ok();
    let sheet = home.args(&["accounts", "--format", "csv"]).ok().out;
    assert!(sheet.contains("\n'@ann,"), "{sheet}");
    assert!(home.args(&["show", "1", "--format", "csv"]).ok().out.contains(",''=1,"));
    let help = home.run("--help").ok().out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("CSV: ") && help.contains("take one apostrophe away"), "{help}");
}
