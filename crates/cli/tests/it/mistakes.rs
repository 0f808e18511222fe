//! The ten likeliest mistakes, and answers that say what to do:
//!
//! 1. no ledger file is named, or it is not there, or it is something else (a folder, another file);
//! 2. no account is named, or it is given as a bare word;
//! 3. the service is misspelt;
//! 4. points are written with separators, with decimals, with a sign, in words;
//! 5. a time is written as one is used to, and not as RFC 3339; a span in days;
//! 6. a refund of more than there is left;
//! 7. the same key for another operation;
//! 8. what must be given is left out: the source of a recharge, the reason of a refund, the deadline of a hold;
//! 9. a batch is named where an operation is wanted, or an operation of another kind;
//! 10. the price book is not there, or broken; the answer is written over a file.

use crate::home::{BOOK, Home};

/// Exit code, words, what the answer must say.
type Mistake = (i32, &'static [&'static str], &'static [&'static str]);

const MISTAKES: &[Mistake] = &[
    // 1
    (6, &["balance", "-a", "alice", "-f", "nope.ledger"], &["nope.ledger", "no such file", "counterfoil init"]),
    (6, &["balance", "-a", "alice", "-f", "."], &["it is a folder", "help: check the path"]),
    (
        6,
        &["balance", "-a", "alice", "-f", "bad.toml"],
        &["bad.toml", "not a counterfoil ledger", "help: check the path"],
    ),
    // 2
    (2, &["balance"], &["no account is named", "-a ACCOUNT", "COUNTERFOIL_ACCOUNT"]),
    (2, &["balance", "alice"], &["unexpected argument 'alice'", "help: an account is named with -a ACCOUNT"]),
    (2, &["recharge", "30", "alice", "--source", "wx"], &["unexpected argument 'alice'", "-a ACCOUNT"]),
    (3, &["freeze", "-a", "alcie", "--reason", "x"], &["no account `alcie`", "did you mean `alice`?"]),
    (3, &["hold", "5", "-a", " Alice", "--deadline", "1h"], &["begins with white space", "leave it out: `Alice`"]),
    (3, &["hold", "5", "-a", "zoe", "--deadline", "1h"], &["account `zoe` has 0 points available and 5 are needed"]),
    (2, &["recharge", "30", "wxpay", "-a", "alice"], &["unexpected argument 'wxpay'", "--source SOURCE"]),
    (2, &["transfer", "5", "--to", "bob", "-a", "alice"], &["comes first, without --to: transfer bob 5"]),
    (2, &["accounts", "--frozen"], &["help: write --state frozen"]),
    (2, &["usage", "--by", "account"], &["help: for each account by itself add --per-account"]),
    // 3
    (
        3,
        &["consume", "-a", "alice", "--service", "ttz", "--seconds", "3"],
        &["no service `ttz`", "did you mean `tts`?"],
    ),
    (3, &["price", "vido", "--seconds", "3"], &["no service `vido`", "did you mean `video`?"]),
    (3, &["price", "painting"], &["no service `painting`", "counterfoil pricing show"]),
    // 4
    (2, &["consume", "1,000", "-a", "alice"], &["'1,000'", "digits alone, like 1000"]),
    (2, &["consume", "1 000", "-a", "alice"], &["'1 000'", "digits alone, like 1000"]),
    (2, &["recharge", "ten", "-a", "alice", "--source", "x"], &["'ten'", "digits alone, like 1000"]),
    (2, &["consume", "12.5", "-a", "alice"], &["12.5 is not a whole number", "give a whole number, like 1000"]),
    (2, &["consume", "-5", "-a", "alice"], &["-5 is too few", "give whole points, 0 or more"]),
    (2, &["consume", "tts", "-a", "alice"], &["'tts'", "digits alone"]),
    (2, &["expiring", "--days", "-1"], &["'-1' for '--days", "0..="]),
    (2, &["accounts", "--limit", "-1"], &["'-1' for '--limit", "1..="]),
    (
        3,
        &["consume", "-a", "alice", "--service", "tts", "--chars", "100"],
        &["usage: does not fit the service's rule", "give the seconds that were used"],
    ),
    // 5
    (
        2,
        &["balance", "-a", "alice", "--at", "21.05.2027"],
        &["`21.05.2027`", "write it like 2027-05-21T10:00:00Z or 2027-05-21"],
    ),
    (
        2,
        &["history", "-a", "alice", "--from", "yesterday"],
        &["from: `yesterday`", "write it like 2027-05-21T10:00:00Z"],
    ),
    (
        2,
        &["recharge", "1", "-a", "alice", "--source", "x", "--expires-at", "2027-05-21 10:00"],
        &["expires_at", "write it like 2027-05-21T10:00:00Z"],
    ),
    (2, &["hold", "1", "-a", "alice", "--deadline", "3w"], &["'3w'", "write it like 3600, 90s, 15m, 2h or 3d"]),
    (
        2,
        &["recharge", "1", "-a", "alice", "--source", "x", "--expires-at", "2099-12-31"],
        &["with --end-of-day beside it, like +08:00, it is the end of that day", "2100-01-01T00:00:00+08:00"],
    ),
    (
        2,
        &["statement", "-a", "alice", "--from", "2025-11-01", "--to", "2025-11-01"],
        &["to: is not after from", "for one day, give the next day as its end"],
    ),
    (2, &["statement", "-a", "alice", "--from", "2999-01-01"], &["later than now", "balance --at"]),
    (2, &["usage", "--month", "2999-01"], &["later than now", "told by expiring"]),
    // 6
    (3, &["refund", "2", "31", "--reason", "x"], &["31 points asked, 30 left", "ask for no more than what is left"]),
    // 7
    (
        3,
        &["recharge", "30", "-a", "alice", "--source", "wx", "--key", "order:1"],
        &["key `order:1`", "points differ", "a new key for a new operation"],
    ),
    // 8
    (2, &["recharge", "30", "-a", "alice"], &["--source <SOURCE>"]),
    (2, &["refund", "2", "1"], &["--reason <REASON>"]),
    (2, &["hold", "1", "-a", "alice"], &["--deadline <SPAN>"]),
    // 9
    (
        3,
        &["refund", "1.1", "1", "--reason", "x"],
        &["`1.1` names a batch, which operation 1 made", "number or id of an operation"],
    ),
    (3, &["show", "1.1"], &["names a batch", "as the account's history shows them"]),
    (
        3,
        &["refund", "1", "1", "--reason", "x"],
        &["no consume or capture operation `1`", "operation 1 is a recharge", "a recharge is taken back with revoke"],
    ),
    (3, &["explain", "task-19"], &["`task-19` is not an id", "counterfoil find task-19"]),
    (3, &["explain", "task 5"], &["counterfoil find 'task 5'"]),
    (3, &["show", "it's"], &["counterfoil find 'it'\\''s'"]),
    (3, &["capture", "order:1", "5"], &["no hold `order:1`", "operation 1 is a recharge"]),
    (3, &["explain", "--batch", "task:1"], &["`task:1` is operation 4, a hold, not a batch"]),
    (2, &["explain", "--missing", "alice"], &["help: the account is named with -a: explain --missing -a ACCOUNT"]),
    (2, &["explain", "-a", "alice"], &["explain --missing -a ACCOUNT"]),
    (
        3,
        &["revoke", "2", "all", "--reason", "x", "--yes"],
        &["no batch `2`", "operation 2 is a consume", "look the batch up in the account's batches"],
    ),
    (
        3,
        &["capture", "2", "5"],
        &["no hold `2`", "operation 2 is a consume", "look the hold up in the account's holds"],
    ),
    (3, &["release", "99"], &["no hold `99`", "help: look the hold up"]),
    (2, &["history", "-a", "alice", "--kind", "consumes"], &["'consumes'", "'consume'", "transfer_out"]),
    (3, &["refund", "60", "2", "--reason", "x"], &["no booked operation `60`", "then the points: 2 60"]),
    (2, &["history", "-a", "alice", "--from", "2026-11-31"], &["no day `2026-11-31`: November 2026 has 30 days"]),
    (2, &["balance", "-a", "alice", "--at", "2026-02-29T10:00:00Z"], &["February 2026 has 28 days"]),
    (2, &["expiring", "60"], &["help: days from now are given with --days"]),
    (2, &["expiring", "--days", "60w"], &["'60w' for '--days", "whole days"]),
    (2, &["verify", "creator"], &["help: the ledger file is named with -f FILE"]),
    (2, &["balance", "creator.ledger"], &["help: the ledger file is named with -f FILE"]),
    (2, &["export", "hledger"], &["help: the program is named with --as"]),
    (2, &["export", "--as", "csv", "--format", "hledger"], &["help: write export --as hledger"]),
    (2, &["balance", "--user", "alice"], &["help: an account is named with -a ACCOUNT"]),
    // 10
    (2, &["balance", "-a", "alice", "--json"], &["help: write --format json"]),
    (2, &["history", "-a", "alice", "--csv"], &["help: write --format csv"]),
    (2, &["statement", "-a", "alice", "--format", "html"], &["help: a page is made by statement --html"]),
    (2, &["export", "--as", "hledger", "--format", "json"], &["--format is not for export", "chosen by --as"]),
    (
        6,
        &["price", "tts", "--seconds", "3", "--pricing", "none.toml"],
        &["none.toml: ", "give the path of a TOML price book"],
    ),
    (
        6,
        &["price", "tts", "--seconds", "3", "--pricing", "bad.toml"],
        &["bad.toml:2:5", "cannot be negative", "help: mend what is marked"],
    ),
    (2, &["statement", "-a", "alice", "--output", "o.html"], &["o.html: this would be no page", "help: add --html"]),
    (
        2,
        &["balance", "-a", "alice", "--output", "bad.toml"],
        &["bad.toml: exists already", "choose another name, or add --force"],
    ),
];

fn stocked() -> Home {
    let home = Home::new();
    home.write("bad.toml", b"[fixed_costs]\nx = -1\n");
    home.run("recharge 100 -a alice --source wx --key order:1").ok();
    home.run("consume 30 -a alice").ok();
    home.args(&["consume", "-a", "alice", "--service", "tts", "--seconds", "3", "--pricing", BOOK]).ok();
    home.run("hold 5 -a alice --deadline 1h --key task:1").ok();
    home
}

#[test]
fn the_likeliest_mistakes_are_answered_with_what_to_do() {
    let home = stocked();
    let state = home.state();
    for (exit, words, said) in MISTAKES {
        let ran = home.args(words);
        assert_eq!((ran.code, ran.out.as_str()), (*exit, ""), "{words:?}: {ran:#?}");
        for piece in *said {
            assert!(ran.err.contains(piece), "{words:?} does not say `{piece}`: {}", ran.err);
        }
    }
    assert_eq!(home.state(), state);
}

/// `consume -a carlo` opened an account that nobody meant, and said nothing.
#[test]
fn an_account_opened_by_mistake_is_noticed() {
    let home = stocked();
    let near = "did you mean `alice`?";
    let tried = home.run("consume 1 -a alicia --dry-run").ok();
    assert!(tried.err.contains("this would open account `alicia`") && tried.err.contains(near), "{tried:#?}");
    let ran = home.run("consume 1 -a alicia --key k").ok();
    assert!(ran.err.contains(&format!("note: this opened account `alicia`; {near}")), "{ran:#?}");
    // Once it is there, and where nothing is like it, there is nothing to say; a key that comes again opens nothing.
    assert_eq!(home.run("consume 1 -a alicia --key k").ok().err, "");
    assert_eq!(home.run("consume 1 -a alicia --key k2").ok().err, "");
    assert_eq!(home.run("recharge 1 -a zoe --source x --key k").ok().err, "");
    let ran = home.run("transfer alcie 1 -a alice --key k").ok();
    assert!(ran.err.contains("this opened account `alcie`"), "{ran:#?}");
    let json = home.run("recharge 1 -a alive --source x --key k --format json").ok();
    assert!(json.err.starts_with("{\"note\":\"this opened account `alive`"), "{json:#?}");
}

/// A list that is empty because of a misspelt name looked like one with nothing in it.
#[test]
fn an_empty_answer_says_what_may_have_been_meant() {
    let home = stocked();
    home.args(&["recharge", "5", "-a", "Alice", "--source", "gift"]).ok();
    for (words, said) in [
        ("balance -a alcie", "there is no account `alcie`; did you mean `alice`?"),
        ("balance -a ALICE", "did you mean `Alice`?"),
        ("expiring -a alcie", "there is no account `alcie`; did you mean `alice`?"),
        ("accounts -a alcie", "there is no account `alcie`; did you mean `alice`?"),
        ("history -a alice --service tst", "no entries for service `tst`; did you mean `tts`?"),
        ("history -a alice --source xw", "no entries for source `xw`; did you mean `wx`?"),
        ("history -a alice --source wx --service tts", "note: no entries"),
        ("usage --service tst", "nothing was used; did you mean `tts`?"),
        ("accounts --after 99", "nothing comes after that place"),
        ("history -a alice --after 99", "nothing comes after that place"),
    ] {
        let ran = home.run(words).ok();
        assert_eq!(ran.out, if words.starts_with("balance") { ran.out.as_str() } else { "" }, "{words}");
        assert!(ran.err.contains(said), "{words}: {ran:#?}");
    }
    let check = home.run("check 5 -a alcie");
    assert_eq!(check.code, 3);
    assert!(check.err.contains("did you mean `alice`?"), "{check:#?}");
}

/// A key was told only after the booking: who was cut off in between could not ask what became of it, and booked twice.
#[test]
fn a_key_made_up_is_told_before_anything_is_booked() {
    let home = stocked();
    // What the books refuse comes after it, and uses no key; what was typed wrong is refused before.
    let refused = home.run("consume 999 -a alice --policy strict").fails(3, "insufficient_points").err;
    let key = refused.lines().next().unwrap().strip_prefix("key: ").unwrap();
    let booked = home.args(&["consume", "1", "-a", "alice", "--key", key, "--format", "json"]).ok();
    assert_eq!(booked.json()["replayed"], false);
    for words in ["consume 1 -a alice --policy foo", "refund 99 1 --reason x", "close -a alice --reason x", "consume 1"]
    {
        let ran = home.run(words);
        assert!(ran.code != 0 && !ran.err.contains("key:"), "{words}: {ran:#?}");
    }
}

/// A refund to an expired batch gave nothing back, and its receipt did not say what to do about that.
#[test]
fn a_refund_that_lapses_says_how_to_make_it_good() {
    let home = Home::new();
    let lines = [
        r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"wx","at":"2026-01-01T00:00:00Z","expires_at":"2026-02-01T00:00:00Z"}"#,
        r#"{"op":"consume","account":"alice","key":"2","points":20,"at":"2026-01-02T00:00:00Z"}"#,
    ];
    home.batch("--historic", &lines.join("\n")).ok();
    let help = "the points lapsed because their batch has expired: to make it good, recharge as compensation";
    let tried = home.run("refund 2 all --reason x --dry-run").ok();
    assert!(tried.err.contains(&format!("help: {help}")), "{tried:#?}");
    let refunded = home.run("refund 2 all --reason x --format json").ok();
    assert!(refunded.err.contains(&format!("{{\"help\":\"{help}")), "{refunded:#?}");
    // What it says is so, and a refund that gives back says nothing.
    home.run("set-expiry 1 --expires-at never --reason x").ok();
    assert_eq!(home.figures("alice")[0], 50);
    home.run("consume 20 -a alice").ok();
    let refunded = home.args(&["refund", "5", "all", "--reason", "x", "--key", "k"]).ok();
    assert_eq!(refunded.err, "");
}

/// With COUNTERFOIL_ACCOUNT set, an export had one account in it and looked like all the books.
#[test]
fn an_export_of_one_account_says_so() {
    let home = stocked();
    let export = |words: &str| {
        let mut command = home.command();
        command.args(words.split(' ')).env("COUNTERFOIL_ACCOUNT", "alice");
        home.finish(&mut command).ok().err
    };
    for program in ["hledger", "csv"] {
        let said = export(&format!("export --as {program}"));
        assert!(said.contains("note: only `alice`; --all-accounts takes all"), "{said}");
        // Who asks for it knows it.
        assert_eq!(export(&format!("export --as {program} -a alice")), "");
        assert_eq!(export(&format!("export --as {program} --all-accounts")), "");
    }
}

#[test]
fn what_others_call_it_is_understood() {
    let home = stocked();
    let same = |one: &str, other: &str| assert_eq!(home.run(one).ok().out, home.run(other).ok().out, "{one}");
    same("history -a alice -n 1 --type consume", "history -a alice --limit 1 --kind consume");
    same(
        "history -a alice --since 2020-01-01 --until 2999-01-01",
        "history -a alice --from 2020-01-01 --to 2999-01-01",
    );
    same("history -a alice --kind transfer-out", "history -a alice --kind transfer_out");
    same("price tts --duration 3", "price tts --seconds 3");
    same("accounts --expiring-days 60d", "accounts --expiring-days 60");
    home.run("configure late_window 3d").ok();
    assert_eq!(home.run("info --format json").ok().json()["settings"]["late_window"], 259_200);
    home.run("configure max_hold 90d").ok();
    home.run("hold 5 -a alice --deadline 40d").ok();
    assert!(home.run("history --help").ok().out.contains("hold_expire"));
}

#[test]
fn no_file_named() {
    let home = Home::empty();
    for words in [&["info"][..], &["consume", "1", "-a", "alice"], &["verify"], &["doctor"], &["init"]] {
        let ran = home.finish(home.command().args(words).env_remove("COUNTERFOIL_FILE"));
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert!(ran.err.contains("no ledger file is named") && ran.err.contains("-f FILE"), "{ran:#?}");
    }
}

#[test]
fn a_batch_id_in_full_is_no_operation() {
    let home = stocked();
    let batch = home.run("batches -a alice --format json").ok().json()[0]["batch"].as_str().unwrap().to_string();
    let ran = home.args(&["refund", &batch, "1", "--reason", "x"]).fails(3, "invalid_argument");
    assert!(ran.err.contains("names a batch, which operation 1 made"), "{ran:#?}");
}

/// Regression: whoever verified a damaged file was told to verify it, and the library, whose users may have no shell, spoke of
/// commands.
#[test]
fn a_damaged_file_is_verified_once() {
    let home = Home::new();
    home.run("consume 5 -a alice").ok();
    let help =
        |words: &str, code: &str| home.run(words).fails(6, code).err.lines().last().unwrap_or_default().to_string();
    assert!(help("price tts --seconds 3", "pricing").contains("--pricing FILE"));
    let mut bytes = std::fs::read(home.ledger()).unwrap();
    bytes[100..4096].fill(0xff);
    std::fs::write(home.ledger(), bytes).unwrap();
    assert!(help("balance -a alice", "corrupt").contains("counterfoil verify"));
    assert_eq!(help("verify", "corrupt"), "help: keep the file and its -wal as they are, and restore a backup");
}

/// The callback of one order came twice, the second time for another account, and the points were there twice without a word.
#[test]
fn a_recharge_under_another_accounts_key_is_told_of() {
    let home = Home::new();
    home.run("recharge 320 -a alice --source wxpay --key order:881").ok();
    home.run("consume 1 -a carol --key order:881").ok();
    let note = "note: the key `order:881` was also used to recharge account `alice` (operation 1)";
    for words in [
        "recharge 320 -a bob --source wxpay --key order:881 --dry-run",
        "recharge 320 -a bob --source wxpay --key order:881",
    ] {
        let ran = home.run(words).ok();
        assert!(ran.err.contains(note), "{ran:#?}");
    }
    // A retry of one of them books nothing, and there is nothing to say.
    assert_eq!(home.run("recharge 320 -a bob --source wxpay --key order:881").ok().err, "");
    let ran = home.args(&["recharge", "320", "-a", "alice", "--source", "wxpay", "--key", "order:881\u{a0}"]);
    assert!(ran.fails(3, "invalid_argument").err.contains("leave it out: `order:881`"));
}

/// A hold on `alcie` said that she had no points, and everybody looked for what had become of alice's.
#[test]
fn who_cannot_pay_may_be_somebody_else() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay").ok();
    for words in ["hold 5 -a alcie --deadline 1h", "consume 5 -a alcie --policy strict", "transfer bob 5 -a alcie"] {
        let ran = home.run(words);
        assert!(ran.code == 3 && ran.err.contains("did you mean `alice`?"), "{words}: {ran:#?}");
    }
    let poor = home.run("hold 500 -a alice --deadline 1h").fails(3, "insufficient_points");
    assert!(!poor.err.contains("did you mean"), "{poor:#?}");
}
