//! `explain`, as people read it, and what it says to the likeliest mistakes.

use crate::home::{BOOK, Home};

/// A little of everything on alice's account.
fn home() -> Home {
    let home = Home::new();
    home.run("consume 5 -a alice --reference early --key 1").ok();
    home.args(&["recharge", "30", "-a", "alice", "--source", "gift", "--pricing", BOOK, "--key", "2"]).ok();
    home.run("recharge 100 -a alice --source wxpay --expires-at never --key 3").ok();
    home.run("consume --service tts --seconds 21.2 -a alice --actor kiosk-7 --reference task-19 --key 4").ok();
    home.run("hold 4 -a alice --deadline 1h --key 5").ok();
    home.args(&["refund", "4", "2", "--reason", "render failed", "--key", "6"]).ok();
    home.run("revoke 3 20 --reason chargeback --actor finance --yes --key 7").ok();
    home.run("transfer bob 15 -a alice --key 8").ok();
    home
}

/// The text with the times of this run, and what they align, taken out.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(text: &str, wanted: &[&str]) {
    let text = plain(text);
    for wanted in wanted {
        assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
    }
}

#[test]
fn an_operation() {
    let home = home();
    let told = home.run("explain 4").ok();
    says(
        &told.out,
        &[
            "Operation 4: consume of 8 points on alice",
            "by kiosk-7",
            "reference task-19",
            "8 points = ceil(21.2 s / 3), at least 1",
            "for tts, 21.2 second",
            "Paid by, in this order batch 2.1 8 gift, promotional expires ",
            ", the next one never 2 returned since",
            "before 125 0 0 0 125 consume -8 0 0 0 -8 after 117 0 0 0 117",
            "Since then: 2 points refunded",
            "2 refund, operation 6 reason: render failed",
        ],
    );
    assert_eq!(told.err, "");
    says(
        &home.run("explain 1").ok().out,
        &[
            "named by the caller, not by a rule",
            "no batch 5 left as debt",
            "Its debt was paid since by 2",
            "Z 5 batch 2.1 (gift) operation 2",
        ],
    );
    says(
        &home.run("explain 8").ok().out,
        &["Taken from, in this order", "Balance of alice", "Balance of bob", "transfer in +15 0 0 0 +15"],
    );
    for number in 1..=8 {
        let told = home.run(&format!("explain {number} --format json")).ok().json();
        assert_eq!(told["sequence"], number);
    }
    let id = home.run("explain 4 --format jsonl").ok().json()["operation"].as_str().unwrap().to_string();
    assert_eq!(plain(&home.run(&format!("explain {id}")).ok().out), plain(&told.out));
}

#[test]
fn missing_points() {
    let home = home();
    let told = home.run("explain --missing -a alice").ok();
    says(
        &told.out,
        &[
            "available at the beginning 0 recharged +130 given back by refunds +2 spent -8 settled an old debt -5 \
             revoked -20 transferred away -15 set aside -4 available at the end = 80",
            "Spent: 8 points 8 tts, 1 use",
            "5 charged, 5 of them left as debt",
            "Settled an old debt: 5 points paid what was used earlier",
            "(operation 1) reference early",
            "batch 3.1 (wxpay), operation 7 (revoke) by finance, reason: chargeback",
            "to bob, operation 8",
            "Still held: 4 points",
        ],
    );
    says(&home.run("explain --missing -a bob").ok().out, &["Received: 15 points", "from alice, operation 8"]);
    let long_ago = home.run("explain --missing -a alice --month 2020-02").ok();
    says(&long_ago.out, &["before 2020-03-01 00:00:00Z available at the beginning 0 available at the end = 0"]);
    let json = home.run("explain --missing -a alice --format json").ok().json();
    assert_eq!((&json["spent"]["points"], &json["closing"]["available"]), (&8.into(), &80.into()));
}

#[test]
fn the_life_of_a_batch() {
    let home = home();
    let told = home.run("explain --batch 2").ok();
    says(
        &told.out,
        &[
            "Batch 2.1 of alice: 30 points, promotional, from gift",
            "5 consume, operation 1; 5 paid later at 2",
            "Z, settling its debt reference early",
            "6 consume for tts, operation 4; 8 drawn, 2 returned",
            "left 0 held 4 used 11 moved to other accounts 15 in all = 30".replace("left 0 ", "").as_str(),
        ],
    );
    let json = home.run("explain --batch 2.1 --format json").ok().json();
    assert_eq!((&json["amount"], &json["used"]), (&30.into(), &11.into()));
    says(&home.run("explain --batch 8.1").ok().out, &["received from alice (batch 2.1)"]);
}

#[test]
fn the_likeliest_mistakes() {
    let home = home();
    home.run("explain 99").fails(3, "unknown_operation");
    home.run("explain order-881").fails(3, "invalid_argument");
    let ran = home.run("explain 2.1").fails(3, "invalid_argument");
    assert!(ran.err.contains("explain --batch 2.1"), "{}", ran.err);
    let id = home.run("batches -a alice --format jsonl").ok().jsonl()[0]["batch"].as_str().unwrap().to_string();
    assert!(home.run(&format!("explain {id}")).fails(3, "invalid_argument").err.contains("--batch"));
    let ran = home.run("explain --batch 4").fails(3, "invalid_argument");
    assert!(ran.err.contains("`4` is operation 4, a consume") && ran.err.contains("explain 4"), "{}", ran.err);
    home.run("explain --batch 99").fails(3, "unknown_batch");
    home.run("explain --missing").fails(2, "usage");
    home.run("explain 4 --from 2026-11-01").fails(2, "usage");
    home.run("explain --missing -a alice --month november").fails(2, "invalid_argument");
    home.run("explain 4 --format csv").fails(2, "usage");
    for words in ["explain", "explain 4 --batch 2", "explain 4 --missing", "explain --missing --batch 2"] {
        assert_eq!(home.run(words).code, 2, "{words}");
    }
}

#[test]
fn a_mistyped_account_is_named() {
    let home = home();
    for words in ["explain --missing", "balance", "batches", "holds", "history"] {
        let ran = home.run(&format!("{words} -a alcie")).ok();
        let wanted = "note: there is no account `alcie`; did you mean `alice`?\n";
        assert_eq!(ran.err, wanted, "{words}");
        assert_eq!(home.run(&format!("{words} -a zebra")).ok().err, "note: there is no account `zebra`\n");
    }
    let json = home.run("explain --missing -a alcie --format json").ok().json();
    assert_eq!((&json["exists"], &json["did_you_mean"][0]), (&false.into(), &"alice".into()));
}

#[test]
fn nothing_said_by_others_paints_over_it() {
    let home = Home::new();
    home.args(&[
        "recharge",
        "9",
        "-a",
        "al\u{202e}ice",
        "--source",
        "a\u{200b}b",
        "--key",
        "k",
        "--reference",
        "\u{feff}r",
    ])
    .ok();
    home.args(&["consume", "2", "-a", "al\u{202e}ice", "--description", "two\nlines \u{202e}", "--key", "k"]).ok();
    for words in
        [vec!["explain", "1"], vec!["explain", "2"], vec!["explain", "--batch", "1"], vec!["explain", "--missing"]]
    {
        let ran = home.args(&[words.as_slice(), &["-a", "al\u{202e}ice"]].concat()).ok();
        assert!(!ran.out.contains(['\u{202e}', '\u{200b}', '\u{feff}']), "{}", ran.out);
    }
}

/// Two days in 2020: debts, a late capture, a revoke whose points come back.
fn two_days() -> Home {
    let home = Home::new();
    let at = |day: u32, hour: u32| format!(r#""account":"alice","at":"2020-01-0{day}T{hour:02}:00:00Z""#);
    let lines = [
        format!(r#"{{"op":"open","key":"1","credit_limit":30,{}}}"#, at(1, 1)),
        format!(r#"{{"op":"consume","key":"2","points":20,"reference":"task 1",{}}}"#, at(1, 2)),
        format!(r#"{{"op":"recharge","key":"3","points":100,"source":"card","expires_at":"2020-01-03T00:00:00Z",{}}}"#, at(1, 3)),
        format!(r#"{{"op":"recharge","key":"4","points":9,"source":"gift","expires_at":"never","priority":7,{}}}"#, at(1, 4)),
        format!(r#"{{"op":"hold","key":"5","points":20,"deadline_seconds":60,{}}}"#, at(1, 5)),
        r#"{"op":"capture","hold":{"ref_line":5},"key":"6","points":12,"at":"2020-01-01T06:00:00Z"}"#.into(),
        format!(r#"{{"op":"hold","key":"7","points":20,"deadline_seconds":60,{}}}"#, at(1, 7)),
        r#"{"op":"capture","hold":{"ref_line":7},"key":"8","points":12,"at":"2020-01-01T07:00:30Z"}"#.into(),
        r#"{"op":"revoke","batch":{"ref_line":3},"key":"9","points":"all","reason":"chargeback","at":"2020-01-01T08:00:00Z"}"#.into(),
        r#"{"op":"refund","operation":{"ref_line":8},"key":"10","points":5,"reason":"failed","at":"2020-01-01T09:00:00Z"}"#.into(),
        format!(r#"{{"op":"recharge","key":"11","points":1,"source":"gift","expires_at":"2020-01-05T00:00:00Z","effective_at":"2020-01-04T00:00:00Z",{}}}"#, at(2, 1)),
        format!(r#"{{"op":"write_off","key":"12","points":2,"reason":"goodwill",{}}}"#, at(2, 2)),
        format!(r#"{{"op":"transfer","key":"13","to":"bob","points":1,{}}}"#, at(2, 3)),
        format!(r#"{{"op":"set_limit","key":"14","credit_limit":5,{}}}"#, at(2, 4)),
    ];
    home.batch("--historic", &(lines.join("\n") + "\n"));
    home
}

#[test]
fn what_became_of_points_and_debts() {
    let home = two_days();
    let explained = |number: u32| home.run(&format!("explain {number}")).ok().out;
    says(
        &explained(2),
        &[
            "no batch 20 left as debt, within the credit limit of 30",
            "Its debt was paid since by 2020-01-01 03:00:00Z 20 batch 3.1 (card) operation 3",
            "a batch that paid (3.1) was revoked; this consume is unaffected, operation 9",
            "20 points of it can be refunded",
        ],
    );
    says(
        &explained(3),
        &["20 of the points paid what was used earlier 20 for consume of 2020-01-01 02:00:00Z (operation 2)"],
    );
    says(&explained(4), &["priority 7"]);
    says(&explained(5), &["the hold's deadline passed"]);
    says(
        &explained(6),
        &[
            "late the hold's deadline had passed at 2020-01-01 05:01:00Z; booked all the same",
            "9 gift, paid, priority 7, never expires set aside by the hold until its deadline",
        ],
    );
    says(&explained(8), &["8 of the 20 held given back 8 back to batch 3.1"]);
    says(
        &explained(9),
        &["Since then: 5 points of its debt returned", "came back by a refund to the revoked batch, operation 10"],
    );
    says(&explained(10), &["Where the points went 5 cancelled debt of operation 9, the revoke of batch 3.1"]);
    says(&explained(11), &["effective 2020-01-04 00:00:00Z"]);
    says(&explained(12), &["Forgiven: 2 points 2 for revoke of 2020-01-01 08:00:00Z (operation 9) reason: chargeback"]);
    says(&explained(13), &["credit limit 5, was 30"]);
    says(
        &home.run("explain --batch 3").ok().out,
        &[
            "never; spent".replace("never; spent", "2020-01-03 00:00:00Z; expired").as_str(),
            "5 taken on their return, after a revoke, operation 10 reason: failed",
        ],
    );
    says(
        &home.run("explain --missing -a alice --from 2020-01-01 --to 2020-01-03 --offset +08:00").ok().out,
        &[
            "from 2020-01-01 00:00:00+08:00 until before 2020-01-03 00:00:00+08:00",
            "0 2020-01-01 17:00:00+08:00 operation 10, refund of operation 8; 5 cancelled debt of operation 9, the revoke \
             of batch 3.1",
        ],
    );
}

/// An offset was taken and ignored: the times of an operation and of a batch's life were told in UTC all the same.
#[test]
fn times_are_told_on_the_clock_asked_for() {
    let home = two_days();
    let told = |words: &str| home.run(&format!("explain {words} --offset +08:00")).ok().out;
    let debt = told("2");
    says(
        &debt,
        &[
            "booked 2020-01-01 10:00:00+08:00",
            "paid since by 2020-01-01 11:00:00+08:00 20 batch 3.1 (card) operation 3",
        ],
    );
    let paid = told("3");
    says(&paid, &["20 for consume of 2020-01-01 10:00:00+08:00 (operation 2)", "expires 2020-01-03 08:00:00+08:00"]);
    let late = told("6");
    says(&late, &["deadline had passed at 2020-01-01 13:01:00+08:00", "deadline 2020-01-01 13:01:00+08:00"]);
    let life = told("--batch 3");
    says(
        &life,
        &[
            "expires 2020-01-03 08:00:00+08:00; expired",
            "2020-01-01 11:00:00+08:00 100 recharged, expires 2020-01-03 08:00:00+08:00, operation 3",
            "20 paid later at 2020-01-01 11:00:00+08:00",
        ],
    );
    for text in [debt, paid, late, life] {
        assert!(!text.contains("0Z"), "{text}");
    }
}

/// Points returned to a batch that had expired were told as if somebody had them again.
#[test]
fn what_lapsed_on_its_return_is_said_to() {
    let home = Home::new();
    let line = |op: &str, day: u32| format!(r#"{{{op},"key":"{day}","at":"2020-01-0{day}T00:00:00Z"}}"#);
    let lines = [
        line(r#""op":"recharge","account":"alice","points":60,"source":"gift","expires_at":"2020-01-04T00:00:00Z""#, 1),
        line(r#""op":"consume","account":"alice","points":60"#, 2),
        line(r#""op":"refund","operation":{"ref_line":2},"points":20,"reason":"failed""#, 3),
        line(r#""op":"refund","operation":{"ref_line":2},"points":30,"reason":"failed""#, 5),
    ];
    home.batch("--historic", &(lines.join("\n") + "\n"));
    says(&home.run("explain 2").ok().out, &["the only batch with points 50 returned since, 30 of them lapsed"]);
    let payer = home.run("explain 2 --format json").ok().json()["paid_by"][0].clone();
    assert_eq!((&payer["returned"], &payer["lapsed"]), (&50.into(), &30.into()));
}

/// A hold's and a transfer's explanation named a key twice: once for the receipt's field, once for its own.
#[test]
fn no_key_is_given_twice() {
    for (home, operations) in [(home(), 8), (two_days(), 13)] {
        for number in 1..=operations {
            let ran = home.run(&format!("explain {number} --format json")).ok();
            let told = ran.json();
            // A reader keeps one of two like keys, and writes fewer lines.
            let again = serde_json::to_string_pretty(&told).unwrap();
            assert_eq!(ran.out.lines().count(), again.lines().count(), "{}", ran.out);
            // And what `show` gives of the receipt is what is given here.
            let shown = home.run(&format!("show {number} --format json")).ok().json();
            for key in ["op", "points", "batch", "batches", "hold", "allocations", "balance", "request"] {
                assert_eq!(told[key], shown[key], "{key}: {told}");
            }
            for payer in told["paid_by"].as_array().into_iter().flatten() {
                assert!(payer["why"].is_string() && payer["expires_at"].is_string(), "{payer}");
            }
        }
    }
}

/// `explain --missing` of a gift shop printed 64 970 lines: one for each gift that had expired. The newest are told, and the
/// earlier ones together, by source; the sums are the same.
#[test]
fn a_long_list_of_causes_is_told_together() {
    let home = Home::new();
    let line = |n: i64| {
        let at = chrono::DateTime::from_timestamp(1_760_000_000 + n * 600, 0).unwrap().to_rfc3339();
        let source = if n % 3 == 0 { "gift" } else { "invite" };
        serde_json::json!({"op": "recharge", "account": "alice", "key": n.to_string(), "points": 2 + n % 2, "source": source,
            "expires_in_days": 1, "at": at})
    };
    home.write("gifts.jsonl", (0..300).map(|n| format!("{}\n", line(n))).collect::<String>());
    home.run("batch --historic gifts.jsonl --output answers.jsonl").ok();
    let told = home.run("explain --missing -a alice").ok().out;
    let lines = told.lines().count();
    assert!(lines < 60, "{lines} lines:\n{told}");
    let expired = told.split("Expired: ").nth(1).unwrap();
    let sum: i64 = expired.lines().skip(1).map_while(|line| line.split_whitespace().next()?.parse::<i64>().ok()).sum();
    assert_eq!(sum, 750, "{told}");
    assert!(expired.contains("lines before, gift") && expired.contains("lines before, invite"), "{told}");
    let all = home.run("explain --missing -a alice --all").ok().out;
    assert!(all.lines().count() > 300 && !all.contains("lines before"), "{all}");
}
