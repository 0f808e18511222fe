//! The diagnosis of ledgers in all sorts of trouble. It names each, says what to do, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::pricing::PriceBook;
use counterfoil::{
    AccountId, ConfirmClock, Consume, Durability, ExpiresIn, Finding, Hold, Key, Level, ManualClock, Options, Points,
    Recharge,
};

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
    let said = format!("{} {}", finding.found, finding.help.as_deref().unwrap_or_default());
    for piece in pieces {
        assert!(said.contains(piece), "`{piece}`: {finding:#?}");
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
    let names: Vec<&str> = diagnosis.findings.iter().map(|finding| finding.check).collect();
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
            "due"
        ]
    );
    assert!(diagnosis.error.is_none());
    for finding in &diagnosis.findings {
        // The machine these tests run on may be short of disk, and no price book was given.
        let expected = if finding.check == "price_book" { Level::Note } else { Level::Ok };
        assert!(finding.level == expected || finding.check == "disk", "{finding:#?}");
        assert_eq!(finding.help.is_none(), finding.level == Level::Ok, "{finding:#?}");
    }
    let json = serde_json::to_value(&diagnosis).unwrap();
    assert_eq!(json["findings"][0]["level"], "ok");
    assert!(json.get("error").is_none() && json["findings"][0].get("help").is_none());
    assert_eq!(lies(folder.path()), before);
    assert_eq!(ledger.info().unwrap().head, head);
    // The locks of the open ledger still hold, and it goes on.
    ledger.consume(&alice, &key, Consume::points(Points::new(5).unwrap())).unwrap();
    assert!(ledger.verify().unwrap().ok);
    says(&finding(&options(&clock), &path, "durability"), Level::Note, &["relaxed", "flush"]);
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
    says(&clock_finding(), Level::Warning, &["suspect", "200 days past", "nothing expires", "confirm-clock"]);
    // Time stands still there, so nothing is due either.
    says(&finding(&options(&clock), &path, "due"), Level::Ok, &[]);
    clock.set_trusted(true);
    says(&clock_finding(), Level::Ok, &["trusted"]);
    clock.set_trusted(false);
    ledger.confirm_clock(&Key::new("2").unwrap(), ConfirmClock::new()).unwrap();
    says(&clock_finding(), Level::Ok, &[]);
    clock.set(chrono::DateTime::parse_from_rfc3339("2000-01-01T00:00:00Z").unwrap().to_utc());
    says(&clock_finding(), Level::Warning, &["behind", "days", "set the computer's clock"]);
    // Of one that may be right it is not said, and not at all of one that was confirmed.
    clock.set(instant(START) + chrono::TimeDelta::days(20));
    says(&clock_finding(), Level::Warning, &["180 days behind", "confirm-clock"]);
    assert!(!clock_finding().help.unwrap().contains("set the computer's clock"));
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
    says(&check("debts"), Level::Note, &["5 of 6 accounts", "176 points", "most: b 70, d 70, c 30", "write-off"]);
    says(&check("due"), Level::Ok, &[]);
    clock.advance(DAY * 3);
    says(&check("debts"), Level::Note, &["4 of 6 accounts", "171 points"]);
    let pieces = ["2 accounts", "since 2027-01-11T00:00:00.000Z", "2 batches", "1 hold past", "counterfoil expire"];
    says(&check("due"), Level::Note, &pieces);
    ledger.expire(None).unwrap();
    says(&check("due"), Level::Ok, &[]);
    says(&check("debts"), Level::Note, &["4 of 6 accounts", "171 points"]);
}

fn clock_after(clock: &ManualClock, by: std::time::Duration) -> chrono::DateTime<chrono::Utc> {
    use counterfoil::Clock;
    clock.now() + by
}

#[test]
fn the_price_book_and_its_age() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("p.ledger");
    let ledger = options(&clock).pricing(sample()).create(&path).unwrap();
    let alice = AccountId::new("alice").unwrap();
    let check = |options: Options| finding(&options, &path, "price_book");
    says(&check(options(&clock)), Level::Note, &["none", "--pricing"]);
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
    says(&check(options(&clock)), Level::Warning, &["181 days ago", "still hold"]);
    let other = PriceBook::parse("[fixed_costs]\nx = 1\n", "other.toml").unwrap();
    says(&check(options(&clock).pricing(other)), Level::Note, &["given: ", "newest in the ledger", "last used"]);
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, "[fixed_costs]\nx = -1\n").unwrap();
    says(&check(options(&clock).pricing_file(&broken)), Level::Fault, &["broken.toml", "pricing check"]);
}

#[test]
fn what_cannot_be_opened_is_diagnosed_as_far_as_it_goes() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "points: 5\n").unwrap();
    std::fs::write(at("orphan-wal"), vec![1; 5000]).unwrap();
    let clock = ManualClock::at(START).unwrap();
    for (path, code, check, piece) in [
        (at("missing"), "not_a_ledger", "open", "counterfoil init"),
        (at("no/such/file"), "not_a_ledger", "open", "counterfoil init"),
        (folder.path().into(), "not_a_ledger", "open", "folder"),
        (at("text"), "not_a_ledger", "open", "check the path"),
        (at("orphan"), "not_a_ledger", "side_files", "orphan-wal (5.0 kB) is here without its ledger"),
        ("".into(), "invalid_argument", "open", "path"),
    ] {
        let before = lies(folder.path());
        let diagnosis = options(&clock).diagnose(&path);
        assert_eq!(diagnosis.level, Level::Fault);
        assert_eq!(diagnosis.error.as_ref().map(counterfoil::Error::code), Some(code), "{path:?}: {diagnosis:#?}");
        says(&finding(&options(&clock), &path, check), Level::Fault, &[piece]);
        assert_eq!(lies(folder.path()), before, "{path:?}");
    }
}
