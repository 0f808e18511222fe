//! `doctor` on the real binary: what it prints, its exit codes, and that it changes nothing. What each check finds is
//! tested in the library.

use serde_json::Value;

use crate::home::{Home, Ran};

#[track_caller]
fn finding(ran: &Ran, check: &str) -> Value {
    let found = ran.json()["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check).cloned();
    found.unwrap_or_else(|| panic!("{check}: {ran:#?}"))
}

#[test]
fn every_format_tells_the_same() {
    let home = Home::new();
    home.run("consume 9 -a alice").ok();
    let state = home.state();
    let json = home.run("doctor --format json").ok().json();
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.len() >= 14 && json["path"].as_str().unwrap().ends_with("points.ledger"), "{json}");
    assert_eq!(home.run("doctor --format jsonl").ok().jsonl().len(), findings.len());
    let csv = home.run("doctor --format csv").ok().out;
    assert_eq!(csv.lines().next(), Some("check,level,found,help"));
    assert_eq!(csv.lines().count(), findings.len() + 1);
    let table = home.run("doctor").ok().out;
    for finding in findings {
        let line = format!("{:7}  {:11}  ", finding["level"].as_str().unwrap(), finding["check"].as_str().unwrap());
        assert!(table.lines().any(|found| found.starts_with(&line)), "{line}: {table}");
    }
    let (debts, help) =
        ("note     debts        1 of 1 account in debt, 9 points in all; most: alice 9\n", "help: a recharge");
    assert!(table.contains(debts) && table.contains(help), "{table}");
    assert!(!table.contains('\u{1b}'), "colour only on a terminal: {table}");
    assert_eq!(home.state(), state);
}

#[test]
fn what_lies_about_is_told() {
    let home = Home::new();
    let side_files = || finding(&home.run("doctor --format json").ok(), "side_files");
    assert_eq!(side_files()["level"], "ok");
    home.write("points.ledger.v1.backup", b"");
    assert_eq!(side_files()["level"], "note");
    let half = home.path(".copy.ledger.0123456789abcdef0123456789abcdef.counterfoil-part");
    std::fs::create_dir(&half).unwrap();
    // A backup at work is nobody's business.
    let at_work = std::fs::File::open(&half).unwrap();
    at_work.lock().unwrap();
    assert!(side_files()["found"].as_str().unwrap().contains("before a migration"));
    drop(at_work);
    let found = side_files()["found"].clone();
    assert!(found.as_str().unwrap().contains("creation, backup or restore: .copy.ledger."), "{found}");
    home.write("points.ledger-journal", b"");
    assert_eq!(side_files()["level"], "warning");
    assert!(home.path("points.ledger-journal").exists() && half.exists(), "nothing is tidied away");
}

#[cfg(unix)]
#[test]
fn a_ledger_others_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    assert_eq!(finding(&home.run("doctor --format json").ok(), "permissions")["found"], "mode 0600, yours");
    std::fs::set_permissions(home.ledger(), PermissionsExt::from_mode(0o644)).unwrap();
    let found = finding(&home.run("doctor --format json").ok(), "permissions");
    assert_eq!(
        (&found["level"], &found["found"]),
        (&"warning".into(), &"mode 0644, yours: other users may read points.ledger (mode 0644)".into())
    );
    assert!(found["help"].as_str().unwrap().starts_with("chmod 600 "), "{found}");
}

/// Whatever is not well comes with what to do about it, in every format; and nobody takes a look at the place for a proof.
#[test]
fn all_that_is_odd_has_its_help() {
    let home = Home::new();
    home.run("consume 9 -a alice").ok();
    home.write("old.ledger-wal", [1; 5000]);
    home.run("doctor --format json").ok();
    for finding in home.run("doctor --format json").ok().json()["findings"].as_array().unwrap() {
        assert_eq!(finding["level"] == "ok", finding["help"].is_null(), "{finding}");
    }
    let table = home.run("doctor").ok().out;
    for line in [
        "side_files   old.ledger-wal (5.0 kB) without its ledger",
        "help: if such a ledger was renamed or moved, bring the two together",
        "note     books        not verified: this looked at the file and its place, and proved no sum",
        "help: prove the books with `counterfoil verify`",
    ] {
        assert!(table.contains(line), "{line}: {table}");
    }
}

/// Regression: the -wal and the folder were not looked at, and a second name was to be cured by a local disk.
#[cfg(unix)]
#[test]
fn what_others_may_change_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.run("open -a alice").ok();
    let set = |name: &str, mode| std::fs::set_permissions(home.path(name), PermissionsExt::from_mode(mode)).unwrap();
    set("points.ledger-wal", 0o666);
    set("", 0o777);
    let found = finding(&home.run("doctor --format json").ok(), "permissions");
    let (said, help) = (found["found"].as_str().unwrap(), found["help"].as_str().unwrap());
    assert_eq!(found["level"], "warning");
    assert!(said.contains("points.ledger-wal (mode 0666)") && said.contains("the folder has mode 0777"), "{found}");
    // The advice is a command, and after it all is well.
    let done = std::process::Command::new("sh").args(["-c", help]).status().unwrap();
    assert!(done.success(), "{help}");
    assert_eq!(finding(&home.run("doctor --format json").ok(), "permissions")["level"], "ok");
    std::fs::hard_link(home.ledger(), home.path("second")).unwrap();
    let ran = home.run("doctor --format json");
    for check in ["place", "open"] {
        let found = finding(&ran, check);
        assert!(
            found["level"] == "fault" && found["help"].as_str().unwrap().contains("all its names but one"),
            "{found}"
        );
    }
}

#[test]
fn what_cannot_be_opened_is_diagnosed_too() {
    let home = Home::new();
    home.write("text", b"points: 5\n");
    home.write("gone-wal", [1; 5000]);
    for (name, said) in
        [("missing", "no such file"), ("text", "not an SQLite file"), ("gone", "without its ledger"), (".", "folder")]
    {
        let ran = home.args(&["-f", name, "doctor"]);
        assert_eq!(ran.code, 6, "{ran:#?}");
        assert!(ran.out.contains(said) && ran.out.contains("fault ") && ran.out.contains("help: "), "{ran:#?}");
        // Regression: whoever gave the wrong path was told to close it to others.
        assert!(!ran.out.contains("chmod"), "{ran:#?}");
        let json = home.args(&["-f", name, "doctor", "--format", "json"]).json();
        assert_eq!((&json["level"], &json["error"]["code"]), (&"fault".into(), &"not_a_ledger".into()), "{json}");
        assert!(!home.path("missing").exists() && !home.path("gone").exists());
    }
    home.args(&["doctor", "-f", ""]);
    assert_eq!(home.finish(home.command().arg("doctor").env_remove("COUNTERFOIL_FILE")).code, 2);
    // Opened, and yet something keeps it from working.
    home.write("broken.toml", b"[fixed_costs]\nx = -1\n");
    let ran = home.run("doctor --pricing broken.toml");
    assert!(ran.code == 4 && ran.out.contains("fault    price_book"), "{ran:#?}");
}
