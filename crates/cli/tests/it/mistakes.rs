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
    (3, &["consume", "12.5", "-a", "alice"], &["12.5 is not a whole number", "give a whole number, like 1000"]),
    (3, &["consume", "-5", "-a", "alice"], &["-5 is too few", "give whole points, 0 or more"]),
    (2, &["consume", "tts", "-a", "alice"], &["'tts'", "digits alone"]),
    // 5
    (
        3,
        &["balance", "-a", "alice", "--at", "21.05.2027"],
        &["`21.05.2027`", "write it like 2027-05-21T10:00:00Z or 2027-05-21"],
    ),
    (
        3,
        &["history", "-a", "alice", "--from", "yesterday"],
        &["from: `yesterday`", "write it like 2027-05-21T10:00:00Z"],
    ),
    (
        3,
        &["recharge", "1", "-a", "alice", "--source", "x", "--expires-at", "2027-05-21 10:00"],
        &["expires_at", "write it like 2027-05-21T10:00:00Z"],
    ),
    (2, &["hold", "1", "-a", "alice", "--deadline", "3d"], &["'3d'", "write it like 3600, 90s, 15m or 2h"]),
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
    (3, &["refund", "1", "1", "--reason", "x"], &["no consume or capture", "a recharge is taken back with revoke"]),
    (
        3,
        &["revoke", "2", "all", "--reason", "x", "--yes"],
        &["no batch `2`", "look the batch up in the account's batches"],
    ),
    (3, &["capture", "2", "5"], &["no hold `2`", "look the hold up in the account's holds"]),
    // 10
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
