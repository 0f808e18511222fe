//! Each command once, on its main path.

use std::path::Path;

use serde_json::{Value, json};

use crate::home::{BOOK, Home, Ran};

#[test]
fn a_first_day() {
    let home = Home::new();
    let made = home.run("recharge 320 -a alice --source wxpay --key order:881").ok();
    assert!(made.out.starts_with("recharge   320 points\noperation  1 ("), "{}", made.out);
    assert!(made.out.contains("\nbatch      1.1, expires 2"), "{}", made.out);
    assert!(made.out.contains("\nbalance    available 320, held 0, pending 0, debt 0, net 320\n"), "{}", made.out);
    assert_eq!(made.err, "");
    let again = home.run("recharge 320 -a alice --source wxpay --key order:881").ok();
    assert!(again.out.contains("\nreplayed "), "{}", again.out);
    home.run("recharge 321 -a alice --source wxpay --key order:881").fails(3, "key_reused");

    let consumed = home.run("consume 20 -a alice --reference task-19").ok();
    assert!(consumed.err.starts_with("key: "), "a generated key is told: {}", consumed.err);
    let key = consumed.err.trim().strip_prefix("key: ").unwrap().to_string();
    assert!(consumed.out.contains(&format!("key        {key}\n")), "{}", consumed.out);
    home.args(&["consume", "20", "-a", "alice", "--reference", "task-19", "--key", &key]).ok();
    assert_eq!(home.figures("alice"), [300, 0, 0, 0, 300]);

    home.run("consume 310 -a alice --policy strict").fails(3, "insufficient_points");
    home.run("consume --points 310 -a alice").ok();
    assert_eq!(home.figures("alice"), [0, 0, 0, 10, -10]);
    home.run("write-off 4 -a alice --reason goodwill --yes").ok();
    home.run("refund 3 10 --reason failed").ok();
    assert_eq!(home.figures("alice"), [4, 0, 0, 0, 4]);
    home.run("verify").ok();
}

/// What a shop asks of its file without knowing whose it is: what was done last, whose an order is, what an account looks like.
#[test]
fn all_accounts_at_once_and_one_as_a_whole() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay --key pay:1 --reference 881").ok();
    home.run("recharge 50 -a bob --source wxpay --key 881").ok();
    home.run("hold 20 -a alice --deadline 1h --key job").ok();
    home.run("transfer bob 30 -a alice --key gift").ok();
    let all = home.run("history --newest").ok().out;
    let heads: Vec<&str> = all.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["booked", "account", "kind", "points", "available", "operation", "what"]);
    let first = all.lines().nth(2).unwrap();
    assert!(first.contains("bob") && first.contains("transfer_in"), "{all}");
    assert_eq!(all.lines().count(), 2 + 7);
    // The environment names alice; all are all.
    let mut command = home.command();
    command.env("COUNTERFOIL_ACCOUNT", "alice").args([
        "history",
        "--all-accounts",
        "--format",
        "csv",
        "--kind",
        "recharge",
    ]);
    let csv = home.feed(&mut command, b"").ok().out;
    assert!(csv.contains("alice") && csv.contains("bob") && csv.lines().count() == 3, "{csv}");
    let none = home.run("history --kind revoke").ok();
    assert!(none.out.is_empty() && none.err.contains("no operation wrote such a line"), "{none:#?}");

    let found = home.run("find 881").ok().out;
    assert!(found.starts_with("operation  booked") && found.lines().count() == 4, "{found}");
    let whose: Vec<&str> = found.lines().skip(2).map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    assert_eq!(whose, ["alice", "bob"], "{found}");
    let none = home.run("find 88").ok();
    assert!(none.err.contains("no operation has `88` as its number, id, key or reference"), "{none:#?}");

    let page = home.run("overview -a alice --limit 1").ok().out;
    for told in ["available    50\n", "Batches\n", "Open holds\n", "Newest lines\n", "and more: history --newest\n"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("Plans"), "{page}");
    home.run("overview -a alice --format csv").fails(2, "usage");
    let nobody = home.run("overview -a alcie").ok();
    assert!(nobody.err.contains("did you mean `alice`?"), "{nobody:#?}");
}

#[test]
fn holds_from_beginning_to_end() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay").ok();
    home.run("hold 40 -a alice --deadline 1h").ok();
    home.run("hold --points 10 -a alice --deadline 90s").ok();
    assert_eq!(home.figures("alice"), [50, 50, 0, 0, 50]);
    let open = home.run("holds -a alice").ok();
    assert!(open.out.starts_with("hold  state  points"), "{}", open.out);
    assert_eq!(open.out.lines().count(), 4);
    let renewed = home.run("renew 2 --deadline 2h --format json").ok().json();
    assert_eq!(renewed["hold"]["state"], "open");
    home.run("capture 2 25").ok();
    home.run("capture 2 25").fails(3, "hold_closed");
    home.run("release 3").ok();
    assert_eq!(home.figures("alice"), [75, 0, 0, 0, 75]);
    let none = home.run("holds -a alice").ok();
    assert_eq!((none.out.as_str(), none.err.contains("--all")), ("", true));
    assert_eq!(home.run("holds -a alice --all --format json").ok().json().as_array().unwrap().len(), 2);
    // A hold can be named in full, too.
    let hold = home.run("hold 1 -a alice --deadline 15m --format json").ok().json();
    home.args(&["release", hold["hold"]["id"].as_str().unwrap()]).ok();
}

#[test]
fn batches_of_a_transfer_have_numbers() {
    let home = Home::new();
    home.run("recharge 10 -a alice --source wxpay --expires-in-days 5").ok();
    home.run("recharge 10 -a alice --source wxpay --expires-at never --priority 90 --promo").ok();
    home.run("recharge 10 -a alice --source gift --expires-at never --effective-at 2999-01-01T00:00:00Z").ok();
    let moved = home.run("transfer bob 15 -a alice").ok();
    assert!(
        moved.out.contains("new batch  4.1, ") && moved.out.contains("new batch  4.2, expires: never"),
        "{}",
        moved.out
    );
    home.run("set-expiry 4 --expires-at never --reason test").fails(3, "invalid_argument");
    home.run("set-expiry 4.1 --expires-at never --reason test").ok();
    home.run("set-expiry 4.3 --expires-at never --reason test").fails(3, "unknown_batch");
    // A receipt that only touches a batch makes none.
    home.run("set-expiry 5 --expires-at never --reason test").fails(3, "unknown_batch");
    home.run("revoke 2 all --shortfall clamp --reason chargeback --yes").ok();
    assert_eq!(home.figures("alice"), [0, 0, 10, 0, 0]);
    assert_eq!(home.figures("bob"), [15, 0, 0, 0, 15]);
    let listed = home.run("batches -a bob --format json").ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let all = home.run("batches -a alice --all").ok();
    assert!(all.out.contains("pending until 2999-01-01 00:00:00Z"), "{}", all.out);
    home.run("verify").ok();
}

#[test]
fn accounts_have_states_and_limits() {
    let home = Home::new();
    home.run("open -a bob --credit-limit 5").ok();
    home.run("open -a bob --credit-limit 6").fails(3, "account_exists");
    let raised = home.run("set-limit 7 -a bob").ok();
    assert!(raised.out.contains(" 7, was 5\n"), "{}", raised.out);
    home.run("check 7 -a bob").ok();
    let no = home.run("check 8 -a bob");
    assert_eq!((no.code, no.out.contains("no: insufficient_points")), (3, true));
    home.args(&["freeze", "-a", "bob", "--reason", "card stolen"]).ok();
    assert_eq!(home.run("check 0 -a bob --format json").json()["reason"], "account_frozen");
    home.run("unfreeze -a bob --reason found").ok();
    home.run("close -a bob --reason left --yes").ok();
    home.run("consume 1 -a bob").fails(3, "account_closed");
    let listed = home.run("accounts").ok();
    assert!(listed.out.contains("\nbob      closed "), "{}", listed.out);
    home.run("configure accounts explicit").ok();
    let set = home.run("configure late-window 3600").ok();
    assert!(set.out.contains(" seconds, was 0 seconds\n"), "{}", set.out);
    let refused = home.run("statement -a bib").fails(3, "unknown_account");
    assert!(refused.err.contains("did you mean `bob`?"), "{}", refused.err);
    home.run("export -a bib --as csv").fails(3, "unknown_account");
    home.run("confirm-clock --yes").ok();
    home.run("recharge 1 -a carol --source gift").fails(3, "unknown_account");
    let info = home.run("info --format json").ok().json();
    assert_eq!(info["settings"]["accounts"], "explicit");
    assert_eq!(info["settings"]["late_window"], 3600);
    home.run("balance").fails(2, "usage");
}

#[test]
fn prices_come_from_a_file_or_from_the_ledger() {
    let home = Home::new();
    home.run("price tts --seconds 61.2").fails(6, "pricing");
    home.run("consume -a alice --service tts --seconds 61.2").fails(6, "pricing");
    let price = home.args(&["--pricing", BOOK, "price", "tts", "--seconds", "61.2", "--format", "json"]).ok().json();
    assert_eq!((&price["points"], &price["rule"]), (&Value::from(21), &Value::from("ceil(61.2 s / 3), at least 1")));
    home.args(&["consume", "-a", "alice", "--service", "tts", "--seconds", "61.2", "--pricing", BOOK]).ok();
    assert_eq!(home.figures("alice"), [0, 0, 0, 21, -21]);
    // From now on the ledger knows the book itself.
    let price = home.run("estimate --service tts --chars 1200 --format json").ok().json();
    assert_eq!(price["points"], 100);
    home.run("price tss --seconds 1").fails(3, "unknown_service");
    home.run("price tts").fails(2, "invalid_argument");
    home.run("price tts --seconds 1 --quantity 1").fails(2, "invalid_argument");
    home.run("price llm_tokens --quantity 1500 --unit page").fails(2, "invalid_argument");
    assert_eq!(home.run("price llm_tokens --quantity 1500 --unit token --format json").ok().json()["points"], 6);
    let shown = home.run("pricing show").ok();
    assert!(shown.out.contains("\ntts                duration  ceil(seconds / 3), at least 1 "), "{}", shown.out);
    // The environment names a book as well, and a price needs no ledger then.
    let ran = home.finish(
        home.command()
            .env_remove("COUNTERFOIL_FILE")
            .env("COUNTERFOIL_PRICING", BOOK)
            .args(["price", "script_generation"]),
    );
    assert!(ran.ok().out.starts_with("points      10\n"));
    home.args(&["pricing", "check", BOOK]).ok();
}

#[test]
fn a_broken_price_book_is_drawn() {
    let home = Home::new();
    home.write("bad.toml", "[fixed_costs]\nscript = -1\nvideo = 1.5\n");
    let ran = home.run("pricing check bad.toml").fails(6, "pricing");
    assert!(ran.err.contains("bad.toml:2:10") && ran.err.contains("bad.toml:3:9"), "{}", ran.err);
    let ran = home.run("pricing check bad.toml --format json");
    assert_eq!((ran.code, ran.json()["faults"].as_array().unwrap().len()), (6, 2));
    assert_eq!(ran.json()["faults"][1]["line"], 3);
    let ran = home.run("pricing check bad.toml --format csv");
    assert_eq!((ran.code, ran.out.lines().next()), (6, Some("line,column,message,help")));
    home.run("recharge 5 -a alice --source gift --pricing bad.toml").fails(6, "pricing");
    // What needs no prices does not look at the book.
    let mut command = home.command();
    assert_eq!(home.finish(command.env("COUNTERFOIL_PRICING", "bad.toml").args(["balance", "-a", "alice"])).code, 0);
    home.run("pricing check none.toml").fails(6, "pricing");
}

#[test]
fn what_time_has_done_is_shown_before_it_is_booked() {
    let home = Home::new();
    let lines = r#"{"op":"recharge","account":"alice","key":"1","points":30,"source":"gift","expires_in_days":5,"at":"2020-01-01T00:00:00Z"}
{"op":"recharge","account":"bob","key":"1","points":12,"source":"gift","expires_in_days":6,"at":"2020-01-01T00:00:00Z"}
"#;
    let ran = home.batch("--historic", lines).ok();
    assert_eq!(ran.jsonl()[0]["booked_at"], "2020-01-01T00:00:00.000Z");
    assert_eq!(home.figures("alice"), [0, 0, 0, 0, 0]);
    let past = home.run("balance -a alice --at 2020-01-05 --format json").ok().json();
    assert_eq!((&past["available"], &past["as_of"]), (&Value::from(30), &Value::from("2020-01-05T00:00:00.000Z")));
    let history = home.run("history -a alice --newest --limit 1").ok();
    assert!(history.out.contains("expire (unbooked)"), "{}", history.out);
    let state = home.state();
    let due = home.run("expire --dry-run --format json").ok().json();
    assert_eq!(home.state(), state);
    let done = home.run("expire --format json").ok().json();
    assert_eq!(due, done);
    assert_eq!(done, serde_json::json!({"points": 42, "accounts": 2, "entries": 2, "more": false}));
    assert_eq!(home.run("expire --format json").ok().json()["points"], 0);
    let history = home.run("history -a alice --kind expire --from 2020-01-06 --to 2020-01-07 --format jsonl").ok();
    assert_eq!(history.jsonl()[0]["booked_at"], "2020-01-06T00:00:00.000Z");
    home.run("verify").ok();
}

#[test]
fn expiring_is_of_one_account_or_of_all() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift --expires-in-days 3").ok();
    home.run("recharge 7 -a bob --source gift --expires-in-days 2").ok();
    home.run("recharge 9 -a bob --source gift --expires-in-days 200").ok();
    home.run("recharge 1 -a carol --source gift --expires-in-months 2 --end-of-day +08:00").ok();
    let ends = home.run("batches -a carol --format json").ok().json()[0]["expires_at"].clone();
    assert!(ends.as_str().unwrap().ends_with("T16:00:00.000Z"), "{ends}");
    let all = home.run("expiring --format json").ok().json();
    let points: Vec<&Value> = all.as_array().unwrap().iter().map(|batch| &batch["remaining"]).collect();
    assert_eq!(points, [7, 5]);
    assert_eq!(home.run("expiring -a alice --format json").ok().json()[0]["remaining"], 5);
    assert_eq!(home.run("expiring --before 2999-01-01 --format jsonl").ok().jsonl().len(), 4);
    let mut command = home.command();
    command.env("COUNTERFOIL_ACCOUNT", "alice").args(["expiring", "--days", "1"]);
    let none = home.finish(&mut command).ok();
    assert!(none.out.is_empty() && none.err.contains("nothing of `alice` expires"), "{none:?}");
    let mut command = home.command();
    command.env("COUNTERFOIL_ACCOUNT", "alice").args(["expiring", "--all-accounts"]);
    assert_eq!(home.finish(&mut command).ok().out.lines().count(), 4);
}

#[test]
fn a_backup_becomes_a_ledger() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift").ok();
    let ran = home.run("backup copy.ledger").ok();
    assert!(ran.out.starts_with("copy.ledger: ok"), "{}", ran.out);
    home.run("backup copy.ledger").fails(6, "ledger_exists");
    home.run("restore copy.ledger points.ledger --yes").fails(6, "ledger_exists");
    home.run("restore copy.ledger new.ledger --yes").ok();
    home.run("verify -f new.ledger").ok();
    let (old, new) =
        (home.run("info --format json").ok().json(), home.run("info -f new.ledger --format json").ok().json());
    assert_eq!(old["ledger"], new["ledger"]);
    assert_ne!(old["epoch"], new["epoch"]);
    // Its numbers go on, and old ones still name what they named.
    home.run("consume 2 -a alice -f new.ledger").ok();
    assert_eq!(
        home.run("show 1 -f new.ledger --format json").ok().json()["operation"],
        home.run("show 1 --format json").ok().json()["operation"]
    );
    home.run("verify -f new.ledger").ok();
}

#[test]
fn backups_are_kept_in_a_folder() {
    let home = Home::new();
    home.run("recharge 5 -a alice --source gift").ok();
    std::fs::create_dir(home.path("backups")).unwrap();
    home.write("backups/points-2026-01-01T00-00-00Z.ledger", "somebody's");
    let first = home.run("backup backups --keep 2").ok();
    let made = |ran: &Ran| ran.out.lines().next().unwrap().strip_suffix(": ok").unwrap().to_string();
    assert!(made(&first).contains("backups/points-20") && made(&first).ends_with(".ledger"), "{first:?}");
    let second = home.run("backup backups --keep 2 --format json").ok();
    let told = second.json();
    assert!(told["ok"] == true && told["checked"]["operations"] == 1 && told["deleted"] == serde_json::json!([]));
    let third = home.run("backup backups --keep 2").ok();
    assert!(third.err.contains(&format!("note: deleted {}", made(&first))), "{third:?}");
    assert!(!Path::new(&made(&first)).exists() && Path::new(told["path"].as_str().unwrap()).exists());
    home.run(&format!("verify -f {}", made(&third))).ok();
    // Made, foreign, and no -wal or -shm of those that were looked at.
    assert_eq!(std::fs::read_dir(home.path("backups")).unwrap().count(), 3);
    assert_eq!(home.run("backup backups --keep 0").code, 2);
    home.run("backup none --keep 2").fails(2, "invalid_argument");
    home.run("backup points.ledger --keep 2").fails(2, "invalid_argument");
}

#[test]
fn the_environment_names_file_account_and_actor() {
    let home = Home::new();
    let mut command = home.command();
    command.env("COUNTERFOIL_ACCOUNT", "alice").env("COUNTERFOIL_ACTOR", "till 4").args(["consume", "3"]);
    home.finish(&mut command).ok();
    let shown = home.run("show 1 --format json").ok().json();
    assert_eq!((&shown["account"], &shown["request"]["actor"]), (&Value::from("alice"), &Value::from("till 4")));
    let mut command = home.command();
    command.env("COUNTERFOIL_ACTOR", "till 4").args(["consume", "3", "-a", "bob", "--actor", "me"]);
    home.finish(&mut command).ok();
    assert_eq!(home.run("show 2 --format json").ok().json()["request"]["actor"], "me");
    // The account of the environment does not contradict a target's own; one named here and now does.
    home.run("refund 1 all --reason oops -a bob").fails(3, "invalid_argument");
    let mut command = home.command();
    command.env("COUNTERFOIL_ACCOUNT", "somebody").args(["refund", "1", "all", "--reason", "oops"]);
    home.finish(&mut command).ok();
    let ran = home.finish(home.command().env("COUNTERFOIL_FILE", "").args(["info"]));
    ran.fails(2, "usage");
}

#[test]
fn a_dry_run_changes_nothing() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wxpay").ok();
    home.run("consume 130 -a alice").ok();
    home.run("recharge 100 -a bob --source wxpay").ok();
    home.run("hold 10 -a bob --deadline 1h").ok();
    let before = home.state();
    for words in [
        "open -a new",
        "set-limit 5 -a bob",
        "recharge 5 -a bob --source gift",
        "consume 5 -a bob",
        "hold 5 -a bob --deadline 60",
        "capture 4 3",
        "release 4",
        "renew 4 --deadline 60",
        "refund 2 all --reason x",
        "revoke 3 all --reason x",
        "set-expiry 3 --expires-at never --reason x",
        "transfer alice 5 -a bob",
        "write-off 5 -a alice --reason x",
        "freeze -a bob --reason x",
        "unfreeze -a bob --reason x",
        "configure max_hold 60",
        "confirm-clock",
    ] {
        let ran = home.run(&format!("{words} --dry-run --format json")).ok();
        assert_eq!(ran.err, "{\"note\":\"dry run: nothing was booked\"}\n", "{words}");
        let told = ran.json();
        assert_eq!((&told["dry_run"], &told["operation"]), (&true.into(), &Value::Null), "{words}");
        let (hold, batch) = (&told["hold"]["id"], &told["batch"]["batch"]);
        assert_eq!(
            hold.is_string(),
            ["capture", "release", "renew"].contains(&words.split(' ').next().unwrap()),
            "{told}"
        );
        assert_eq!(batch.is_string(), ["revoke", "set-expiry"].contains(&words.split(' ').next().unwrap()), "{told}");
    }
    home.run("close -a bob --reason x --dry-run").fails(3, "account_not_empty");
    assert_eq!(home.state(), before);
    home.run("verify").ok();
}

/// The log of an app knows keys, and every question to the ledger wanted a number or an id.
#[test]
fn what_was_booked_is_found_by_its_key() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wx --key order:1").ok();
    home.run("hold 30 -a alice --deadline 1h --key task:5").ok();
    assert_eq!(home.run("show task:5").ok().out, home.run("show 2").ok().out);
    assert_eq!(home.run("explain order:1").ok().out, home.run("explain 1").ok().out);
    assert_eq!(home.run("explain --batch order:1").ok().out, home.run("explain --batch 1").ok().out);
    // A capture usually has the key of its hold. Where only one of them can be meant, it is meant.
    home.run("renew task:5 --deadline 2h").ok();
    home.run("capture task:5 20 --key task:5").ok();
    let ran = home.run("show task:5").fails(3, "invalid_argument");
    assert!(ran.err.contains("`task:5` could mean several operations"), "{ran:#?}");
    assert!(ran.err.contains("say which: `number:2` (hold of alice) or `number:4` (capture of alice)"), "{ran:#?}");
    home.run("refund task:5 5 --reason x").ok();
    assert_eq!(home.run("show 4 --format json").ok().json()["refundable"], 15);
    home.run("release task:5").fails(3, "hold_closed");
    home.run("revoke order:1 all --reason x --yes").ok();
    // Several accounts may have used it; a key nobody used is as good as any other text.
    home.run("recharge 1 -a bob --source wx --key order:1").ok();
    let ran = home.run("show order:1").fails(3, "invalid_argument");
    assert!(ran.err.contains("`number:1` (recharge of alice) or `number:7` (recharge of bob); or name the account"));
    home.run("show order:2").fails(3, "invalid_argument");
    home.run("release order:2").fails(3, "invalid_argument");
}

/// `refund 2` gave the points of operation 2 back where task 2 was meant, which had the key 2; and an order whose number was its
/// key could not be named at all.
#[test]
fn a_number_that_is_also_a_key_is_refused_with_both_spellings() {
    let home = Home::new();
    home.run("recharge 100 -a alice --source wx --key 20261126001").ok();
    home.run("consume 10 -a alice --key 3").ok();
    home.run("consume 20 -a alice --key 2").ok();
    home.run("hold 5 -a alice --deadline 1h --key 2026.11").ok();
    // What only a key can mean.
    assert_eq!(home.run("show 20261126001").ok().out, home.run("show 1").ok().out);
    assert_eq!(home.run("show 2026.11").ok().out, home.run("show 4").ok().out);
    assert_eq!(home.run("explain --batch 20261126001").ok().out, home.run("explain --batch 1.1").ok().out);
    home.run("renew 2026.11 --deadline 2h").ok();
    home.run("release 2026.11").ok();
    // Both fit.
    for words in ["refund 2 all --reason x", "show 2", "explain 2"] {
        let ran = home.run(words).fails(3, "invalid_argument");
        assert!(ran.err.contains("say which: `number:2` (consume of alice) or `key:2` (consume of alice)"), "{ran:#?}");
    }
    home.run("refund key:2 all --reason x").ok();
    assert_eq!(home.run("show number:3 --format json").ok().json()["refundable"], 0);
    assert_eq!(home.run("show number:2 --format json").ok().json()["refundable"], 10);
    // A key that looks like such a spelling is not shadowed either.
    home.run("recharge 1 -a alice --source wx --key number:3").ok();
    let ran = home.run("show number:3").fails(3, "invalid_argument");
    assert!(ran.err.contains("`key:number:3` (recharge of alice)"), "{ran:#?}");
    let id = home.run("show key:2 --format json").ok().json()["operation"].as_str().unwrap().to_string();
    assert!(ran.err.contains(&format!("`{id}` (consume of alice)")), "{ran:#?}");
    assert_eq!(home.args(&["show", &id]).ok().out, home.run("show key:2").ok().out);
    home.run("revoke key:number:3 all --reason x --yes").ok();
}

/// Keys belong to an account, and the account that was given did not decide between two operations of one key.
#[test]
fn an_account_decides_between_operations_of_one_key() {
    let home = Home::new();
    home.run("consume 3 -a x --key K").ok();
    home.run("consume 4 -a y --key K").ok();
    let usual = |account: &str, words: &str| {
        home.finish(home.command().args(words.split(' ')).env("COUNTERFOIL_ACCOUNT", account))
    };
    assert!(home.run("explain K -a y").ok().out.contains("of 4 points on y"));
    assert_eq!(usual("x", "show K --format json").ok().json()["account"], "x");
    usual("x", "refund K 1 --reason z").ok();
    home.run("refund K 2 --reason z -a y").ok();
    assert_eq!((home.figures("x")[3], home.figures("y")[3]), (2, 2));
    // One of another account is not meant, by whatever it is named; where nobody is named, it is.
    for words in ["refund 1 1 --reason z -a y", "show K -a z", "show 1 -a y"] {
        let ran = home.run(words).fails(3, "invalid_argument");
        assert!(ran.err.contains("it is of `x`"), "{words}: {ran:#?}");
    }
    usual("y", "refund 1 1 --reason z").ok();
    home.run("consume 1 -a z --key L").ok();
    assert_eq!(usual("x", "show L --format json").ok().json()["account"], "z");
}

/// Of a batch that came by a transfer the account is the one that has it, its key that of the payer.
#[test]
fn batches_of_a_transfer_are_named_one_by_one() {
    let home = Home::new();
    home.run("recharge 5 -a x --source a --key 1").ok();
    home.run("recharge 5 -a x --source b --key 2").ok();
    home.run("transfer y 10 -a x --key move").ok();
    let ran = home.run("revoke move all --reason x --yes").fails(3, "invalid_argument");
    assert!(ran.err.contains("operation 3 made 2 batches") && ran.err.contains("say which: 3.1 to 3.2"), "{ran:#?}");
    home.run("revoke 3.1 all --reason x --yes -a y").ok();
    home.run("revoke number:3.2 all --reason x --yes").ok();
    home.run("revoke 3.3 all --reason x --yes").fails(3, "unknown_batch");
    assert_eq!(home.figures("y")[0], 0);
}

/// What is left at a batch's end moves on, up to a cap: asked for by flags or in a line, told by every list, and a rollover
/// that cannot be is refused with the name of what is wrong.
#[test]
fn points_roll_over() {
    let home = Home::new();
    let rolls = "--rollover-cap 30 --rollover-expires-in-months 1 --rollover-end-of-day +08:00";
    let dry = home.run(&format!("recharge 100 -a alice --source wxpay {rolls} --dry-run --format json")).ok().json();
    assert_eq!((&dry["points"], home.figures("alice")[0]), (&json!(100), 0));
    home.run(&format!("recharge 100 -a alice --source wxpay --expires-in-days 5 {rolls} --key r")).ok();
    home.run(&format!("plan new 50 -a bob --source pro --every-months 1 --expires-at period_end {rolls}")).ok();
    let said = json!({"cap": 30, "expires_in_months": 1, "end_of_day": "+08:00"});
    for list in ["batches -a alice", "batches -a bob", "plan list -a bob"] {
        let one = home.run(&format!("{list} --format json")).ok().json()[0].clone();
        assert_eq!(one["rollover"], said, "{list}");
    }
    assert!(home.run("plan list -a bob").ok().out.contains("period end, at most 30 roll over"));
    for list in ["batches -a alice", "expiring -a alice", "statement -a alice"] {
        let told = home.run(list).ok().out;
        assert!(told.contains("live, 30 roll over"), "{told}");
    }
    let told = home.run("explain 1").ok().out;
    assert!(told.contains("at most 30 points for 1 month, to the end of that day at +08:00"), "{told}");
    let page = home.run("statement -a alice --html").ok().out;
    // In the calendar of what expires, and with the batch.
    assert_eq!(page.matches("30 of it roll over").count(), 2, "{page}");
    for (wrong, said) in [
        ("--rollover-cap 0 --rollover-expires-in-days 1", "rollover.cap: 0 is too few"),
        ("--rollover-cap 5", "rollover.expires_in_days: is missing"),
        ("--rollover-cap 5 --rollover-end-of-day +08:00", "rollover.end_of_day: is given without a day"),
        ("--rollover-expires-in-days 1", "rollover.cap: is missing"),
        ("--rollover-cap 5 --rollover-expires-in-days 1 --rollover-expires-in-hours 1", "given beside"),
        ("--rollover-cap 5 --rollover-expires-in-days 1 --expires-at never", "never expire"),
    ] {
        let refused = home.run(&format!("recharge 9 -a alice --source gift {wrong}"));
        assert!(refused.fails(2, "invalid_argument").err.contains(said), "{wrong}");
    }
    let twice = r#"{"op":"recharge","account":"alice","key":"2","points":9,"source":"s","rollover":{"cap":5,"cap":9,"expires_in_days":1}}"#;
    let answer = home.batch("", twice);
    assert_eq!(answer.code, 3);
    assert!(answer.out.contains("twice"), "{}", answer.out);
}

/// What rolled over weeks ago is told by every report: in which batch it is, what it rolled out of, and what lapsed.
#[test]
fn what_rolled_over_is_told() {
    let home = Home::new();
    let line = r#"{"op":"recharge","account":"alice","key":"1","points":100,"source":"wxpay","expires_in_days":10,"rollover":{"cap":30,"expires_in_days":36500},"at":"2020-01-01T10:00:00Z"}
{"op":"consume","account":"alice","key":"2","points":4,"at":"2020-02-01T10:00:00Z"}
"#;
    home.batch("--historic", line).ok();
    home.run("revoke 1.1 90 --reason chargeback --yes --key 3").ok();
    home.run("refund 2 all --reason failed --key 4").ok();
    for (words, said) in [
        ("history -a alice", "rollover"),
        ("balance -a alice", "rolled over 30"),
        ("explain 1", "rolled over from batch 1.1 to batch 1.2"),
        ("explain --batch 1", "rolled over to batch 1.2"),
        ("explain --batch 1.2", "rolled over from batch 1.1, expires"),
        ("explain --batch 1.2", "gone back to batch 1.1, which it rolled out of"),
        ("explain --missing -a alice", "-90"),
        ("statement -a alice --html", "Rolled over"),
    ] {
        let told = home.run(words).ok().out;
        assert!(told.contains(said), "{words}: {told}");
    }
    assert!(!home.run("explain --batch 1").ok().out.contains("other accounts"));
    home.run("verify").ok();
}
