//! The diagnosis of ledgers in all sorts of trouble. It names each, says what to do, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::clock::ManualClock;
use counterfoil::diagnosis::{Diagnosis, Fact, Finding, Level};
use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, ConfirmClock, Consume, Durability, ExpiresIn, Hold, Key, Options, Points, Recharge};

use crate::support::{START, folder, instant, options, sample};

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn finding(options: &Options, path: &Path, check: &str) -> Finding {
    let diagnosis = options.diagnose(path);
    let found = diagnosis.findings.iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("{check}: {diagnosis:#?}")).clone()
}

/// Level, and pieces of what is said.
#[track_caller]
fn says(finding: &Finding, level: Level, pieces: &[&str]) {
    assert_eq!(finding.level, level, "{finding:#?}");
    for piece in pieces {
        assert!(finding.found.contains(piece), "`{piece}`: {finding:#?}");
    }
}

/// What lies in a folder: by `stat`, as the files are in use.
fn lies(folder: &Path) -> BTreeMap<String, (u64, std::time::SystemTime)> {
    let file = |entry: std::fs::DirEntry| {
        let metadata = entry.metadata().unwrap();
        (entry.file_name().into_string().unwrap(), (metadata.len(), metadata.modified().unwrap()))
    };
    std::fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

#[test]
fn a_ledger_in_use_is_well_and_stays_as_it_is() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).create(&path).unwrap();
    let (alice, key) = (AccountId::new("alice").unwrap(), Key::new("1").unwrap());
    ledger.recharge(&alice, &key, Recharge::new(Points::new(50).unwrap(), "gift")).unwrap();
    let (before, head) = (lies(folder.path()), ledger.info().unwrap().head);
    let diagnosis = options(&clock).durability(Durability::Full).diagnose(&path);
    let names: Vec<&str> = diagnosis.findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(
        names,
        [
            "sqlite",
            "place",
            "permissions",
            "disk",
            "side_files",
            "open",
            "durability",
            "wal",
            "ledger",
            "clock",
            "price_book",
            "debts",
            "due",
            "books"
        ]
    );
    assert!(diagnosis.error.is_none());
    for finding in &diagnosis.findings {
        // The machine these tests run on may be short of disk; no price book was given, and nothing was verified.
        let expected = if finding.check == "price_book" || finding.check == "books" { Level::Note } else { Level::Ok };
        assert!(finding.level == expected || finding.check == "disk", "{finding:#?}");
    }
    let json = serde_json::to_value(&diagnosis).unwrap();
    assert_eq!((&json["findings"][0]["level"], &json["findings"][0]["code"]), (&"ok".into(), &"sqlite".into()));
    assert!(json.get("error").is_none());
    assert_eq!(lies(folder.path()), before);
    assert_eq!(ledger.info().unwrap().head, head);
    // The locks of the open ledger still hold, and it goes on.
    ledger.consume(&alice, &key, Consume::points(Points::new(5).unwrap())).unwrap();
    assert!(ledger.verify().unwrap().ok);
    says(&finding(&options(&clock), &path, "durability"), Level::Note, &["relaxed"]);
}

#[test]
fn the_clock_against_what_the_file_accepted() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).create(&path).unwrap();
    let alice = AccountId::new("alice").unwrap();
    let recharge = Recharge::new(Points::new(50).unwrap(), "gift").expires(ExpiresIn::Days(100));
    ledger.recharge(&alice, &Key::new("1").unwrap(), recharge).unwrap();
    let clock_finding = || finding(&options(&clock), &path, "clock");
    says(&clock_finding(), Level::Ok, &["newest accepted reading 2027-01-10T12:00:00.000Z"]);
    clock.advance(DAY * 89);
    says(&clock_finding(), Level::Ok, &[]);
    clock.advance(DAY * 111);
    says(&clock_finding(), Level::Warning, &["suspect", "200 days past", "nothing expires"]);
    // Time stands still there, so nothing is due either.
    says(&finding(&options(&clock), &path, "due"), Level::Ok, &[]);
    clock.set_trusted(true);
    says(&clock_finding(), Level::Ok, &["trusted"]);
    clock.set_trusted(false);
    ledger.confirm_clock(&Key::new("2").unwrap(), ConfirmClock::new()).unwrap();
    says(&clock_finding(), Level::Ok, &[]);
    clock.set(chrono::DateTime::parse_from_rfc3339("2000-01-01T00:00:00Z").unwrap().to_utc());
    says(&clock_finding(), Level::Warning, &["behind", "days"]);
    assert!(matches!(clock_finding().fact, Fact::ClockBehind { wrong: true, .. }));
    // One that may be right is not called wrong, and one that was confirmed is well.
    clock.set(instant(START) + chrono::TimeDelta::days(20));
    says(&clock_finding(), Level::Warning, &["180 days behind"]);
    assert!(matches!(clock_finding().fact, Fact::ClockBehind { wrong: false, .. }));
    ledger.confirm_clock(&Key::new("3").unwrap(), ConfirmClock::new()).unwrap();
    says(&clock_finding(), Level::Ok, &[]);
}

#[test]
fn debts_and_what_is_due() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).create(&path).unwrap();
    let account = |name: &str| AccountId::new(name).unwrap();
    let points = |points: i64| Points::new(points).unwrap();
    for (number, (name, debt)) in [("a", 5), ("b", 70), ("c", 30), ("d", 70), ("e", 1)].into_iter().enumerate() {
        let key = Key::new(format!("debt:{number}")).unwrap();
        ledger.consume(&account(name), &key, Consume::points(points(debt))).unwrap();
    }
    // What becomes effective pays the debt of `a`, booked or not.
    let later = clock_after(&clock, DAY);
    let recharge = Recharge::new(points(5), "gift").effective_at(later);
    ledger.recharge(&account("a"), &Key::new("late").unwrap(), recharge).unwrap();
    let gift = |key: &str, days| {
        let recharge = Recharge::new(points(10), "gift").expires(ExpiresIn::Days(days));
        ledger.recharge(&account("z"), &Key::new(key).unwrap(), recharge).unwrap();
    };
    gift("1", 1);
    gift("2", 2);
    gift("3", 30);
    ledger.hold(&account("z"), &Key::new("h").unwrap(), Hold::new(points(4), DAY / 2)).unwrap();
    let check = |check| finding(&options(&clock), &path, check);
    says(&check("debts"), Level::Note, &["5 of 6 accounts", "176 points", "most: b 70, d 70, c 30"]);
    says(&check("due"), Level::Ok, &[]);
    clock.advance(DAY * 3);
    says(&check("debts"), Level::Note, &["4 of 6 accounts", "171 points"]);
    let pieces = ["2 accounts", "since 2027-01-11T00:00:00.000Z", "2 batches", "1 hold past"];
    says(&check("due"), Level::Note, &pieces);
    ledger.expire(None).unwrap();
    says(&check("due"), Level::Ok, &[]);
    says(&check("debts"), Level::Note, &["4 of 6 accounts", "171 points"]);
}

fn clock_after(clock: &ManualClock, by: std::time::Duration) -> chrono::DateTime<chrono::Utc> {
    use counterfoil::clock::Clock;
    clock.now() + by
}

#[test]
fn the_price_book_and_its_age() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).pricing(sample()).create(&path).unwrap();
    let alice = AccountId::new("alice").unwrap();
    let check = |options: Options| finding(&options, &path, "price_book");
    says(&check(options(&clock)), Level::Note, &["none"]);
    says(&check(options(&clock).pricing(sample())), Level::Ok, &["nothing has been booked"]);
    let charge = |key: &str| {
        let consume = Consume::service("script_generation", counterfoil::Usage::duration(DAY));
        ledger.consume(&alice, &Key::new(key).unwrap(), consume).unwrap();
    };
    charge("1");
    clock.advance(DAY * 5);
    charge("2");
    clock.advance(DAY);
    ledger.consume(&alice, &Key::new("3").unwrap(), Consume::points(Points::new(1).unwrap())).unwrap();
    let pieces = ["first used 2027-01-10T12:00:00.000Z", "last used 2027-01-15T12:00:00.000Z"];
    says(&check(options(&clock)), Level::Ok, &pieces);
    clock.advance(DAY * 179);
    says(&check(options(&clock)), Level::Ok, &["180 days ago"]);
    clock.advance(DAY);
    says(&check(options(&clock)), Level::Warning, &["181 days ago"]);
    let other = PriceBook::parse("[fixed_costs]\nx = 1\n", "other.toml").unwrap();
    says(&check(options(&clock).pricing(other)), Level::Note, &["given: ", "newest in the ledger", "last used"]);
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, "[fixed_costs]\nx = -1\n").unwrap();
    says(&check(options(&clock).pricing_file(&broken)), Level::Fault, &["broken.toml"]);
}

#[test]
fn what_cannot_be_opened_is_diagnosed_as_far_as_it_goes() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "points: 5\n").unwrap();
    std::fs::write(at("orphan-wal"), vec![1; 5000]).unwrap();
    let clock = ManualClock::at(START).unwrap();
    for (path, code, check, piece) in [
        (at("missing"), "not_a_ledger", "open", "no such file"),
        (at("no/such/file"), "not_a_ledger", "open", "no such file"),
        (folder.path().into(), "not_a_ledger", "open", "folder"),
        (at("text"), "not_a_ledger", "open", "not an SQLite file"),
        (at("orphan"), "not_a_ledger", "side_files", "orphan-wal (5.0 kB) without its ledger"),
        ("".into(), "invalid_argument", "open", "path"),
    ] {
        let before = lies(folder.path());
        let diagnosis = options(&clock).diagnose(&path);
        assert_eq!(diagnosis.level, Level::Fault);
        assert_eq!(diagnosis.error.as_ref().map(|error| error.code.as_str()), Some(code), "{path:?}: {diagnosis:#?}");
        says(&finding(&options(&clock), &path, check), Level::Fault, &[piece]);
        assert_eq!(lies(folder.path()), before, "{path:?}");
    }
}

#[test]
fn every_diagnosis_can_be_read_back() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).pricing(sample()).create(&path).unwrap();
    let read_back = |path: &Path| {
        let diagnosis = options(&clock).diagnose(path);
        let text = serde_json::to_string(&diagnosis).unwrap();
        let read: Diagnosis = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read, diagnosis);
    };
    read_back(&path);
    read_back(&folder.path().join("missing"));
    let (alice, key) = (AccountId::new("alice").unwrap(), |key: &str| Key::new(key).unwrap());
    ledger
        .consume(&alice, &key("1"), Consume::service("script_generation", counterfoil::Usage::duration(DAY)))
        .unwrap();
    ledger.hold(&alice, &key("2"), Hold::new(Points::new(4).unwrap(), DAY)).unwrap_err();
    clock.advance(DAY * 200);
    read_back(&path);
    clock.set(instant(START) - chrono::TimeDelta::days(20));
    read_back(&path);
    for (name, bytes) in [("p.ledger.v1.backup", 0), ("other-wal", 5_000)] {
        std::fs::write(folder.path().join(name), vec![1; bytes]).unwrap();
        read_back(&path);
    }
}

/// Regression: somebody renamed a ledger and left its `-wal` where it was, with the newest operations in it. The diagnosis
/// of the renamed one said that nothing lay beside it.
#[test]
fn what_a_renamed_ledger_left_behind_is_told() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("new.ledger");
    options(&clock).create(&path).unwrap().close().unwrap();
    let side_files = || finding(&options(&clock), &path, "side_files");
    let at = |name: &str| folder.path().join(name);
    // Of ledgers that are there, of nobody, and with nothing in it: no business of an operator.
    for (name, text) in [("a.ledger", "x"), ("a.ledger-wal", "x"), ("-wal", "x"), ("gone.ledger-wal", "")] {
        std::fs::write(at(name), text).unwrap();
    }
    std::fs::create_dir(at("folder-wal")).unwrap();
    says(&side_files(), Level::Ok, &[]);
    std::fs::write(at("old.ledger-wal"), vec![1; 5_000]).unwrap();
    says(&side_files(), Level::Warning, &["old.ledger-wal (5.0 kB) without its ledger"]);
    std::fs::write(at("old.ledger-journal"), "x").unwrap();
    says(&side_files(), Level::Warning, &["old.ledger-journal (1 byte), old.ledger-wal (5.0 kB) without"]);
    std::fs::write(at("old.ledger"), "x").unwrap();
    says(&side_files(), Level::Ok, &[]);
}
