//! What is wrong is said, with its code, and changes nothing.

use serde_json::Value;

use crate::home::{Home, size};

const LONG: &str = "@long@";

/// A ledger with a hold (3), a debt and a spent batch in it, and nothing that falls due soon.
fn stocked() -> Home {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --expires-at never").ok();
    home.run("consume 30 -a alice").ok();
    home.run("hold 20 -a alice --deadline 20h").ok();
    home.run("consume 10 -a bob").ok();
    home
}

/// Exit code, error code, words. `@long@` stands for a text of 5000 letters.
const COMMANDS: &[(i32, &str, &str)] = &[
    // Ids and texts.
    (2, "invalid_argument", "consume 1 -a ''"),
    (2, "invalid_argument", "consume 1 -a @long@"),
    (2, "invalid_argument", "consume 1 -a a\tb"),
    (2, "invalid_argument", "balance -a ''"),
    (2, "invalid_argument", "consume 1 -a alice --key ''"),
    (2, "invalid_argument", "consume 1 -a alice --key @long@"),
    (2, "invalid_argument", "consume 1 -a alice --reference ''"),
    (2, "invalid_argument", "consume 1 -a alice --description @long@"),
    (2, "invalid_argument", "consume 1 -a alice --actor a\nb"),
    (2, "invalid_argument", "consume 1 -a alice --metadata []"),
    (2, "invalid_argument", "consume 1 -a alice --metadata {"),
    (2, "invalid_argument", "refund 2 1 --reason ''"),
    (2, "invalid_argument", "recharge 1 -a alice --source ''"),
    (3, "unknown_operation", "show 99"),
    (3, "unknown_operation", "show 0"),
    (3, "unknown_operation", "show 99999999999999999999999"),
    (3, "invalid_argument", "show twelve"),
    (3, "invalid_argument", "show ''"),
    (3, "invalid_argument", "show 3be1b92f-83cd-459d-8000-000000100000"),
    (3, "unknown_operation", "show 3be1b92f-83cd-859d-8000-000000100000"),
    (3, "unknown_operation", "refund 1 1 --reason x"),
    (3, "unknown_operation", "refund 3 1 --reason x"),
    (3, "unknown_hold", "capture 1 1"),
    (3, "unknown_hold", "capture 99 1"),
    (3, "invalid_argument", "capture -- -1 1"),
    (3, "invalid_argument", "release x"),
    (3, "unknown_batch", "revoke 2 all --reason x --yes"),
    (3, "unknown_batch", "revoke 1.2 all --reason x --yes"),
    (3, "unknown_batch", "revoke 1.99999999999999999999 all --reason x --yes"),
    (3, "invalid_argument", "revoke 1. all --reason x --yes"),
    (3, "unknown_batch", "set-expiry 99 --expires-at never --reason x"),
    // Points.
    (2, "invalid_argument", "consume -1 -a alice"),
    (2, "invalid_argument", "consume 1.5 -a alice"),
    (2, "invalid_argument", "consume NaN -a alice"),
    (2, "out_of_range", "consume 9000000000000001 -a alice"),
    (2, "out_of_range", "consume 99999999999999999999 -a alice"),
    (2, "invalid_argument", "recharge 0 -a alice --source x"),
    (2, "invalid_argument", "recharge -5 -a alice --source x"),
    (3, "out_of_range", "recharge 9000000000000000 -a alice --source x"),
    (2, "invalid_argument", "transfer alice 1 -a alice"),
    (3, "insufficient_points", "transfer bob 99 -a alice"),
    (3, "limit_exceeded", "refund 2 31 --reason x"),
    (2, "invalid_argument", "refund 2 0 --reason x"),
    (3, "limit_exceeded", "write-off 11 -a bob --reason x --yes"),
    (3, "limit_exceeded", "revoke 1 101 --reason x --yes"),
    (2, "invalid_argument", "set-limit -1 -a alice"),
    (2, "invalid_argument", "check -1 -a alice"),
    (2, "out_of_range", "check 9000000000000001 -a alice"),
    (3, "insufficient_points", "hold 60 -a alice --deadline 60"),
    (2, "invalid_argument", "hold 0 -a alice --deadline 60"),
    (3, "account_in_debt", "consume 1 -a bob --policy strict"),
    (3, "account_not_empty", "close -a alice --reason x --yes"),
    (3, "unknown_account", "freeze -a nobody --reason x"),
    (3, "insufficient_points", "hold 1 -a nobody --deadline 60"),
    // Times and spans.
    (2, "invalid_argument", "hold 1 -a alice --deadline 0"),
    (3, "invalid_argument", "hold 1 -a alice --deadline 25h"),
    (2, "invalid_argument", "hold 1 -a alice --deadline -5"),
    (2, "out_of_range", "hold 1 -a alice --deadline 99999999999999999999h"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --expires-at yesterday"),
    (3, "invalid_argument", "recharge 1 -a alice --source x --expires-at 2020-01-01T00:00:00Z"),
    (3, "out_of_range", "recharge 1 -a alice --source x --expires-in-days 3000001"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --expires-in-days 0"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --expires-in-days 1 --expires-in-months 1"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --end-of-day +08:00"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --expires-in-days 1 --end-of-day 8"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --priority -1"),
    (2, "invalid_argument", "recharge 1 -a alice --source x --priority 1001"),
    (2, "invalid_argument", "balance -a alice --at 2026-13-01"),
    (2, "invalid_argument", "balance -a alice --at 1969-12-31"),
    (2, "invalid_argument", "history -a alice --from noon"),
    (2, "invalid_argument", "expiring --before 2026-02-30"),
    (2, "invalid_argument", "consume 1 -a alice --occurred-at now"),
    // Usages and settings.
    (2, "invalid_argument", "consume 1 -a alice --seconds 5"),
    (2, "invalid_argument", "consume 1 -a alice --service x --seconds -5"),
    (2, "invalid_argument", "consume 1 -a alice --service x --seconds inf"),
    (2, "invalid_argument", "consume 1 -a alice --service x --seconds 1 --quantity 1"),
    (2, "invalid_argument", "consume 1 -a alice --service x --unit page"),
    (2, "invalid_argument", "consume 1 -a alice --policy maybe"),
    (2, "invalid_argument", "consume -a alice"),
    (2, "invalid_argument", "capture 3 --cap most"),
    (2, "invalid_argument", "capture 3 1 --chars 5"),
    (6, "pricing", "consume -a alice --service tts --seconds 5"),
    (6, "pricing", "price tts --seconds 5"),
    (2, "invalid_argument", "configure max_hold 0"),
    (2, "invalid_argument", "configure max_hold sixty"),
    (2, "invalid_argument", "configure colour red"),
    (2, "invalid_argument", "configure accounts maybe"),
    // The command line itself, in the command's own words.
    (2, "usage", "consume 1"),
    (2, "usage", "configure max_hold 60 -a alice"),
];

/// The command line itself, in clap's words.
const LINES: &[&str] = &[
    "consume ten -a alice",
    "consume 1,5 -a alice",
    "consume 0x10 -a alice",
    "consume 1 2 -a alice",
    "consume 1 --points 2 -a alice",
    "consume 1 -a alice --seconds five",
    "consume 1 -a alice --unknown",
    "consume 1 -a alice -a bob",
    "hold 1 -a alice",
    "hold 1 -a alice --deadline soon",
    "hold 1 -a alice --deadline 1.5h",
    "recharge 1 -a alice",
    "recharge -a alice --source x",
    "recharge 1 -a alice --source x --promo=maybe",
    "refund 2 some --reason x",
    "refund 2 --reason x",
    "history -a alice --kind refunds",
    "history -a alice --limit 0",
    "history -a alice --limit -1",
    "expire --limit 0",
    "expiring --days many",
    "expiring --before 2027-01-01 --days 3",
    "pricing",
    "explain",
];

fn words(line: &str) -> Vec<String> {
    let long = "x".repeat(5000);
    let word = |word: &str| match word {
        "''" => String::new(),
        LONG => long.clone(),
        word => word.to_string(),
    };
    line.split(' ').map(word).collect()
}

/// Story: a script asked for the statement of month 13, and for JSON. It got exit code 3, which it took for a refusal of the
/// books, and a usage error of clap's as text, which it could not read. What was typed wrong is exit code 2, and JSON.
#[test]
fn every_bad_command_line_is_refused_and_nothing_changes() {
    let home = stocked();
    let state = home.state();
    for (exit, code, line) in COMMANDS {
        let told = home.finish(home.command().args(["--format", "json"]).args(words(line)));
        let error: Value = serde_json::from_str(told.err.lines().last().unwrap_or_default()).unwrap();
        assert_eq!((told.code, &error["error"]["code"]), (*exit, &Value::from(*code)), "{line}: {told:?}");
        let ran = home.finish(home.command().args(words(line)));
        assert_eq!(ran.code, *exit, "{line}: {ran:?}");
        assert!(ran.err.contains(&format!("({code})")), "{line}: {ran:?}");
        assert_eq!(ran.out, "", "{line}");
        assert_eq!(home.state(), state, "{line}");
    }
    for line in LINES {
        let ran = home.finish(home.command().args(words(line)));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
        assert!(ran.err.starts_with("error: ") || ran.err.contains("Usage:"), "{line}: {ran:?}");
        for format in ["--format json", "--format=jsonl"] {
            let ran = home.finish(home.command().args(format.split(' ')).args(words(line)));
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
            let told: Value = serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{line}: {error}: {ran:?}"));
            assert_eq!(told["error"]["code"], "usage", "{line}: {told}");
            let message = told["error"]["message"].as_str().unwrap();
            assert!(!message.is_empty() && !message.starts_with("error"), "{line}: {told}");
        }
    }
    assert_eq!(home.state(), state);
    home.run("verify").ok();
}

#[test]
fn every_bad_line_is_refused_and_nothing_changes() {
    let home = stocked();
    let state = home.state();
    let cases: &[(&str, &str)] = &[
        ("invalid_argument", "null"),
        ("invalid_argument", "[]"),
        ("invalid_argument", "\"consume\""),
        ("invalid_argument", "{}"),
        ("invalid_argument", "{\"op\":"),
        ("invalid_argument", "{\"op\":\"consume\"} {}"),
        ("invalid_argument", "{'op':'consume'}"),
        ("invalid_argument", r#"{"op":"restore","key":"1"}"#),
        ("invalid_argument", r#"{"op":"expire"}"#),
        ("invalid_argument", r#"{"op":5,"account":"alice","key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","points":1}"#),
        ("invalid_argument", r#"{"op":"consume","key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":1,"points":2}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":1,"pionts":2}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":"1"}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":1.5}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":-1}"#),
        ("out_of_range", r#"{"op":"consume","account":"alice","key":"1","points":1e300}"#),
        ("out_of_range", r#"{"op":"consume","account":"alice","key":"1","points":9000000000000001}"#),
        ("invalid_argument", r#"{"op":"consume","account":7,"key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"consume","account":"a\u0000","key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":1,"metadata":{"a":"\u0000"}}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","points":1,"at":"2020-01-01T00:00:00Z"}"#),
        ("invalid_argument", r#"{"op":"consume","account":"alice","key":"1","service":"tts","seconds":61.2}"#),
        ("pricing", r#"{"op":"consume","account":"alice","key":"1","service":"tts","seconds":"61.2"}"#),
        ("invalid_argument", r#"{"op":"capture","hold":3,"key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"capture","hold":{"line":1},"key":"1","points":1}"#),
        ("unknown_hold", r#"{"op":"capture","hold":{"ref_line":1},"key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"capture","hold":"3","key":"1","points":1}"#),
        ("invalid_argument", r#"{"op":"release","hold":"x","key":"1","account":"alice"}"#),
        (
            "unknown_batch",
            r#"{"op":"revoke","batch":"3be1b92f-83cd-859d-8000-000000100001","points":"all","reason":"x","key":"1"}"#,
        ),
    ];
    let lines: String = cases.iter().map(|(_, line)| format!("{line}\n")).collect();
    let ran = home.batch("", &lines);
    assert_eq!(ran.code, 3);
    let answers = ran.jsonl();
    assert_eq!(answers.len(), cases.len());
    for (number, ((code, line), answer)) in cases.iter().zip(&answers).enumerate() {
        assert_eq!(
            (&answer["error"]["code"], &answer["line"]),
            (&(*code).into(), &(number + 1).into()),
            "{line}: {answer}"
        );
        assert!(!answer["error"]["help"].as_str().unwrap().is_empty(), "{line}");
    }
    assert_eq!(home.state(), state);
    home.run("verify").ok();
}

/// Every way to look at, change or care for a file that is none of ours.
#[test]
fn files_that_cannot_be_ledgers() {
    let home = stocked();
    home.run("backup whole.ledger").ok();
    let whole = std::fs::read(home.path("whole.ledger")).unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut copy = whole.clone();
        copy[place..place + bytes.len()].copy_from_slice(bytes);
        copy
    };
    home.write("empty", b"");
    home.write("garbage", vec![0x5a; 9000]);
    home.write("text", b"points: 5\n");
    home.write("foreign", with(68, &[1, 2, 3, 4]));
    home.write("newer", with(60, &[0, 0, 0x7f, 0xff]));
    home.write("header", &whole[..100]);
    home.write("cut", &whole[..whole.len() / 2]);
    home.write("linked", &whole);
    std::fs::hard_link(home.path("linked"), home.path("linked.too")).unwrap();
    std::fs::create_dir(home.path("folder")).unwrap();
    let files = ["empty", "garbage", "text", "foreign", "newer", "header", "cut", "linked"];
    let sizes: Vec<u64> = files.iter().map(|name| size(&home.path(name))).collect();
    let state = home.state();
    for name in ["missing", "folder", "no/such/path", "points.ledger/x", "/dev/null"].into_iter().chain(files) {
        for words in ["info", "consume 1 -a alice --key 1", "balance -a alice", "backup copy.ledger"] {
            let ran = home.args(&[&["-f", name], words.split(' ').collect::<Vec<_>>().as_slice()].concat());
            assert_eq!((ran.code, ran.out.as_str()), (6, ""), "{name} {words}: {ran:?}");
            let codes = ["(not_a_ledger)", "(schema_too_new)", "(corrupt)", "(unsafe_location)"];
            assert!(
                codes.iter().any(|code| ran.err.contains(code)) && ran.err.contains("help: "),
                "{name} {words}: {ran:?}"
            );
        }
        let ran = home.args(&["restore", name, "copy.ledger", "--yes"]);
        assert_eq!(ran.code, 6, "{name}: {ran:?}");
        assert!(!home.path("copy.ledger").exists(), "{name}");
    }
    for (name, before) in files.iter().zip(sizes) {
        assert_eq!(size(&home.path(name)), before, "{name}");
        assert!(!home.path(&format!("{name}-wal")).exists() || *name == "cut", "{name}");
        match *name {
            // As an interrupted creation leaves it.
            "empty" => drop(home.args(&["init", name]).ok()),
            _ => drop(home.args(&["init", name]).fails(6, "ledger_exists")),
        }
    }
    for name in [":memory:", "file:x?mode=memory"] {
        home.args(&["-f", name, "info"]).fails(2, "invalid_argument");
        home.args(&["init", name]).fails(2, "invalid_argument");
    }
    assert_eq!(home.args(&["-f", "", "info"]).code, 2);
    assert!(!home.path("missing").exists() && !home.path(":memory:").exists());
    home.args(&["-f", "newer", "info"]).fails(6, "schema_too_new");
    home.args(&["-f", "foreign", "info"]).fails(6, "not_a_ledger");
    assert_eq!(home.state(), state);
    home.run("verify").ok();
}

/// Story: a ledger that another user had made 0600 failed with `storage` and "see the message"; a hard link was to be moved to a
/// local disk, and so was a ledger beside which the `-wal` of another lay.
#[cfg(unix)]
#[test]
fn what_to_do_fits_the_place() {
    use std::os::unix::fs::PermissionsExt;
    let home = stocked();
    for (exit, code, words, said) in [
        (6, "not_a_ledger", "balance -a alice -f none", "counterfoil init"),
        (6, "not_a_ledger", "balance -a alice -f text", "if this was a ledger, keep it as it is"),
        (6, "not_a_ledger", "balance -a alice -f .", "give that of the ledger file in it"),
        (6, "not_a_ledger", "restore none copy.ledger --yes", "check the path"),
        (6, "ledger_exists", "backup text", "choose another path"),
        (6, "unsafe_location", "init beside", "move the two away together"),
    ] {
        home.write("text", "this is no ledger, and long enough to be one");
        home.write("beside-wal", "the newest operations of another ledger");
        let ran = home.run(words).fails(exit, code);
        assert!(ran.err.contains(said) && !ran.err.contains("local disk"), "{words}: {}", ran.err);
    }
    std::fs::hard_link(home.ledger(), home.path("second")).unwrap();
    let ran = home.run("balance -a alice").fails(6, "unsafe_location");
    assert!(ran.err.contains("remove all its names but one") && !ran.err.contains("local disk"), "{}", ran.err);
    std::fs::remove_file(home.path("second")).unwrap();
    // Another user, where one can be had.
    let setpriv = |words: &str| {
        let counterfoil = home.command().get_program().to_owned();
        let mut other = std::process::Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(counterfoil).args(words.split(' '));
        other.current_dir(home.path("")).output().ok().filter(|ran| ran.status.success() || !words.contains("version"))
    };
    std::fs::set_permissions(home.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    if setpriv("--version").is_none() {
        return;
    }
    let ran = setpriv("balance -a alice -f points.ledger").unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), told.contains("(no_permission)")), (Some(6), true), "{told}");
    assert!(told.contains("ask its owner for the right to read it"), "{told}");
    std::fs::set_permissions(home.path(""), PermissionsExt::from_mode(0o700)).unwrap();
    let path = home.ledger().display().to_string();
    let ran = setpriv(&format!("balance -a alice -f {path}")).unwrap();
    assert!(String::from_utf8(ran.stderr).unwrap().contains("(no_permission)"), "a folder nobody else may enter");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_only_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let home = stocked();
    home.run("backup whole.ledger").ok();
    let path = home.path("whole.ledger");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    if std::fs::OpenOptions::new().append(true).open(&path).is_ok() {
        // Whoever may write anything (root) cannot be shown this.
        return;
    }
    home.run("-f whole.ledger consume 1 -a alice").fails(6, "read_only");
    home.run("-f whole.ledger balance -a alice").ok();
    home.run("-f whole.ledger verify").ok();
}
