//! Text from outside on a terminal: it cannot paint over other output, and columns stay columns. Long lists cost no memory.

use crate::home::Home;

/// What a text may try: clear the screen, move the cursor, turn the line around, hide, break the line.
const TRICKS: [&str; 8] =
    ["\u{1b}[2J", "\r", "\u{8}\u{8}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}", "\u{9b}31m"];

fn is_tricky(letter: char) -> bool {
    letter != '\n' && TRICKS.concat().contains(letter) && !letter.is_ascii_graphic()
}

#[test]
fn nothing_paints_over_other_output() {
    let home = Home::new();
    let tricky = format!("a{}z", TRICKS[3..7].concat());
    let text = |name: &str| serde_json::json!(format!("{name}{}", TRICKS[3..7].concat()));
    // Descriptions and accounts take no control characters at all, so what is left is what hides or turns around.
    let lines = [
        serde_json::json!({"op": "recharge", "account": tricky, "key": text("1"), "points": 5, "source": text("gift"),
            "expires_in_days": 3, "description": text("d"), "reference": text("r"), "actor": text("who"),
            "metadata": {"m": text("v")}}),
        serde_json::json!({"op": "consume", "account": tricky, "key": text("2"), "points": 7, "service": text("tts"),
            "quantity": "2", "unit": text("page"), "description": text("x")}),
        serde_json::json!({"op": "hold", "account": "b", "key": "0", "points": 1, "deadline_seconds": 60}),
        serde_json::json!({"op": "recharge", "account": "b", "key": "3", "points": 9, "source": "gift"}),
        serde_json::json!({"op": "hold", "account": "b", "key": "4", "points": 1, "deadline_seconds": 60, "service": text("s")}),
        serde_json::json!({"op": "consume", "account": "b", "key": "5", "points": 1, "description": TRICKS.concat()}),
        serde_json::json!({"op": "consume", "account": "b", "key": "6", "points": 1, "description": format!("two\nlines{}", TRICKS[3])}),
    ];
    home.batch("", &lines.map(|line| format!("{line}\n")).concat());
    for words in [
        &["balance", "-a", &tricky][..],
        &["batches", "-a", &tricky, "--all"],
        &["history", "-a", &tricky],
        &["holds", "-a", "b"],
        &["show", "1"],
        &["show", "2"],
        &["accounts"],
        &["expiring"],
        &["doctor"],
        // Refusals repeat what they were given.
        &["consume", "1", "-a", &tricky, "--policy", "strict"],
        &["freeze", "-a", &format!("no{tricky}"), "--reason", "x"],
        &["-f", &tricky, "info"],
        &["-f", &tricky, "doctor"],
        &["show", TRICKS[0]],
        &["consume", "1", "-a", &TRICKS.concat()],
        &["consume", "1", "-a", "b", "--reference", &TRICKS.concat()],
        &["batch", &TRICKS.concat()],
        &["info", "--output", "no-folder/\u{1b}[2J"],
    ] {
        let ran = home.args(words);
        let seen = ran.out.chars().chain(ran.err.chars()).find(|letter| is_tricky(*letter));
        assert_eq!(seen, None, "{words:?}: {ran:#?}");
        let said = ran.out.len() + ran.err.len();
        assert!(said > 20, "{words:?}: {ran:#?}");
    }
    let history = home.run("history -a b").ok().out;
    assert!(history.contains("\\u{202e}") && history.contains("two\\nlines"), "{history}");
}

/// How many columns a text takes, for the letters of these tests alone.
fn width(text: &str) -> usize {
    let wide = |letter: char| matches!(letter, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff01}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}');
    text.chars().map(|letter| if letter == '\u{301}' { 0 } else { 1 + usize::from(wide(letter)) }).sum()
}

#[test]
fn wide_letters_keep_the_columns() {
    let home = Home::new();
    let names = ["alice", "东京都渋谷区", "🎬🎬", "e\u{301}te\u{301}", "한국어", "ｆｕｌｌ", "ü"];
    for name in names {
        home.args(&["recharge", "5", "-a", name, "--source", &format!("源{name}")]).ok();
    }
    let table = home.run("accounts").ok().out;
    let places: Vec<usize> = table.lines().skip(2).map(|line| width(line.split("active").next().unwrap())).collect();
    assert_eq!(places, [places[0]; 7], "{table}");
    let table = home.run("expiring --days 999").ok().out;
    let places: Vec<usize> = table.lines().skip(2).map(|line| width(line.split("paid").next().unwrap())).collect();
    assert_eq!(places, [places[0]; 7], "{table}");
}

/// Answers of ten thousand lines take no more memory than those of a thousand.
#[cfg(target_os = "linux")]
#[test]
fn a_long_history_pages_in_constant_memory() {
    use std::io::{BufRead, BufReader, Read};
    /// Room for SQLite's page cache (4 MB), which a short history does not fill.
    const ROOM: u64 = 6_000;
    let home = Home::new();
    let text = "x".repeat(1000);
    let line = |account: &str, n: usize| {
        format!(
            "{{\"op\":\"consume\",\"account\":\"{account}\",\"key\":\"{n}\",\"points\":0,\"description\":\"{text}\"}}\n"
        )
    };
    let lines: String = (0..2_000).map(|n| line("short", n)).chain((0..20_000).map(|n| line("long", n))).collect();
    home.batch("--atomic --output answers", &lines).ok();
    // The most memory (kB) a process had by the time it has written so many lines and is at work on the next. More than a
    // pipe holds is left to write: a process that has ended has no memory to ask about.
    let peak = |account: &str, format: &str, most: usize| {
        let mut child = home.command().args(["history", "-a", account, "--format", format]).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut bytes = 0;
        for _ in 0..most {
            bytes += out.read_until(b'\n', &mut Vec::new()).unwrap();
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        out.read_to_end(&mut Vec::new()).unwrap();
        assert!(child.wait().unwrap().success());
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_else(|| panic!("{status}"));
        (line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap(), bytes)
    };
    for format in ["table", "json", "jsonl", "csv"] {
        let ((short, _), (long, bytes)) = (peak("short", format, 900), peak("long", format, 9_000));
        assert!(long < short + ROOM, "{format}: {short} kB for 2 000 lines, {long} kB for 20 000");
        // What was answered would not have fitted.
        assert!(format == "table" || bytes / 1000 > 9_000, "{format}: {bytes}");
    }
}
