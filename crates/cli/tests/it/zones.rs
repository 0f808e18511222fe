//! Periods, times and dates by the calendar of a zone in which clocks are changed.

use serde_json::{Value, json};

use crate::home::Home;

/// Berlin sets its clocks back on the 26th of October 2025 at 03:00: 02:30 comes twice. What each line charges is told by its
/// points: 1 and 8 are the first and the last of October, 2 and 4 those of 02:30.
fn berlin() -> Home {
    let home = Home::new();
    let mut lines = vec![json!({"op": "recharge", "account": "alice", "key": "r", "points": 1000, "source": "wxpay",
        "expires_at": "2026-10-25T00:30:00Z", "at": "2025-09-30T21:30:00Z"})];
    for (points, at) in [
        (1, "2025-09-30T22:00:00Z"),
        (2, "2025-10-26T00:30:00Z"),
        (4, "2025-10-26T01:30:00Z"),
        (8, "2025-10-31T22:59:59Z"),
        (16, "2025-10-31T23:00:00Z"),
    ] {
        lines.push(
            json!({"op": "consume", "account": "alice", "key": format!("c{points}"), "points": points, "at": at}),
        );
    }
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    home.batch("--historic", &lines.join("\n")).ok();
    home
}

/// A studio in Berlin billed its October by `--offset +01:00`: the month began an hour late, so that a charge of its first hour stood
/// in no statement's month, and in summer every line was told an hour early.
#[test]
fn a_month_in_which_clocks_are_changed_has_its_own_bounds() {
    let home = berlin();
    let out = home.run("statement -a alice --month 2025-10 --zone Europe/Berlin").ok().out;
    assert!(out.contains("period     2025-10-01 00:00:00+02:00 until 2025-11-01 00:00:00+01:00"), "{out}");
    assert!(out.contains("opening    available 1,000,") && out.contains("closing    available 985,"), "{out}");
    for line in [
        "2025-10-01 00:00:00+02:00",
        "2025-10-26 02:30:00+02:00",
        "2025-10-26 02:30:00+01:00",
        "2025-10-31 23:59:59+01:00",
    ] {
        assert!(out.contains(&format!("\n{line}  consume ")), "no {line} in {out}");
    }
    let of = |words: &str| {
        home.run(&format!("history -a alice --kind consume --zone Europe/Berlin {words} --format json")).ok().json()
    };
    let points =
        |lines: Value| lines.as_array().unwrap().iter().map(|line| line["points"].as_i64().unwrap()).sum::<i64>();
    assert_eq!(points(of("--month 2025-09")), 0);
    assert_eq!(points(of("--month 2025-10")), 15);
    assert_eq!(points(of("--from 2025-10-26 --to 2025-10-27")), 6);
    assert_eq!(points(of("--from 2025-11-01")), 16);

    let usage = |by: &str| {
        let lines = home.run(&format!("usage -a alice --by {by} --zone Europe/Berlin --format jsonl")).ok().jsonl();
        lines.iter().map(|line| format!("{} {}", line["period"].as_str().unwrap(), line["points"])).collect::<Vec<_>>()
    };
    assert_eq!(usage("month"), ["2025-10 15", "2025-11 16"]);
    assert_eq!(usage("day"), ["2025-10-01 1", "2025-10-26 6", "2025-10-31 8", "2025-11-01 16"]);
    let told = home.run("explain 3 --zone Europe/Berlin").ok().out;
    assert!(told.contains("booked") && told.contains("2025-10-26 02:30:00+02:00"), "{told}");
}

/// On the page both charges of that night stood at 02:30, and the month was said to be one of UTC+01:00.
#[test]
fn the_page_says_which_of_two_equal_times_is_meant() {
    let home = berlin();
    let page = home.run("statement -a alice --month 2025-10 --zone Europe/Berlin --html").ok().out;
    for said in [
        "<p>1 October 2025 to 31 October 2025</p>",
        "All times of Europe/Berlin (UTC+02:00 and UTC+01:00)",
        r#"<time datetime="2025-10-26T00:30:00.000Z">2025-10-26 <small>02:30 +02:00</small></time>"#,
        r#"<time datetime="2025-10-26T01:30:00.000Z">2025-10-26 <small>02:30 +01:00</small></time>"#,
        "expires 2026-10-25, 02:30",
    ] {
        assert!(page.contains(said), "no {said} in {page}");
    }
    // In a month without a change the offset is said once.
    let page = home.run("statement -a alice --month 2025-09 --zone Europe/Berlin --html").ok().out;
    assert!(
        page.contains("of Europe/Berlin (UTC+02:00)") && page.contains("2025-09-30 <small>23:30</small>"),
        "{page}"
    );
    let journal = home.run("export --as hledger -a alice --zone Europe/Berlin").ok().out;
    assert!(
        journal.contains("Dates are those of Europe/Berlin.") && journal.contains("\n2025-10-01 * alice | consume"),
        "{journal}"
    );
}

/// `--zone Berlin` was answered with a list of six hundred names; a zone beside an offset was taken, and one of them ignored.
#[test]
fn an_unknown_zone_is_refused_with_the_one_meant() {
    let home = berlin();
    for (zone, meant) in
        [("Berlin", "Europe/Berlin"), ("Europe/Berln", "Europe/Berlin"), ("Asia/Shangai", "Asia/Shanghai")]
    {
        let ran = home.args(&["statement", "-a", "alice", "--zone", zone]);
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert!(ran.err.contains(&format!("there is no time zone `{zone}`; did you mean `{meant}`?")), "{}", ran.err);
    }
    assert_eq!(home.run("statement -a alice --zone Europe/Berlin --offset +01:00").code, 2);
    let ran = home.run("statement -a alice --offset Europe/Berlin");
    assert!(ran.code == 2 && ran.err.contains("--zone"), "{ran:#?}");
}

/// A spreadsheet of a month in Shanghai was sorted by day: its times were those of UTC, and the first eight hours of the month were
/// the last day of the month before.
#[test]
fn programs_are_told_times_by_the_calendar_asked_for() {
    let home = berlin();
    let zone = "-a alice --zone Europe/Berlin";
    let (summer, winter) = ("2025-10-26T02:30:00.000+02:00", "2025-10-26T02:30:00.000+01:00");
    for words in ["history --month 2025-10", "statement --month 2025-10", "export --as csv", "export --as jsonl"] {
        let formats = if words.starts_with("export") {
            vec![""]
        } else {
            vec!["--format json", "--format jsonl", "--format csv"]
        };
        for format in formats {
            let out = home.run(&format!("{words} {zone} {format}")).ok().out;
            assert!(out.contains(summer) && out.contains(winter), "{words} {format}: {out}");
            assert!(!out.contains("Z\"") && !out.contains("Z,"), "{words} {format}: {out}");
        }
    }
    let journal = home.run(&format!("export --as beancount {zone}")).ok().out;
    assert!(journal.contains(&format!("booked: \"{summer}\"")), "{journal}");
    let statement = home.run(&format!("statement --month 2025-10 {zone} --format json")).ok().json();
    assert_eq!(
        (&statement["from"], &statement["to"]),
        (&"2025-10-01T00:00:00.000+02:00".into(), &"2025-11-01T00:00:00.000+01:00".into())
    );
    let told = home.run("explain 3 --zone Europe/Berlin --format json").ok().json();
    assert_eq!(told["booked_at"], summer);
    // Nobody who did not ask for one gets another than before.
    let plain = home.run("history -a alice --format jsonl").ok().jsonl();
    assert_eq!(plain[3]["booked_at"], "2025-10-26T00:30:00.000Z");
}
