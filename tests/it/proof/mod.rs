//! Somebody else's programs prove the arithmetic: random histories are exported, and the real hledger and the real
//! bean-check add them up again. The continuous integration installs both and insists (`COUNTERFOIL_PROOF=1`).

mod history;
mod memory;

use std::process::Command;

use chrono::TimeDelta;
use counterfoil::{AccountId, Ledger, Period, Query};
use counterfoil_report::{BEANCOUNT, Export, Format, HLEDGER, View};
use history::{ALICE, History};

const PROGRAMS: [Format; 2] = [HLEDGER, BEANCOUNT];
const VIEWS: [View; 2] = [View::Issuer, View::Holder];

fn programs_are_there() -> bool {
    crate::tools::there(&["hledger", "bean-check"], "COUNTERFOIL_PROOF")
}

fn text(ledger: &Ledger, export: &Export) -> String {
    let mut text = Vec::new();
    export.write(ledger, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What a program says to a text: nothing, if it adds up.
fn judged(program: Format, text: &str, ordered: bool) -> Result<(), String> {
    let folder = crate::support::folder();
    let path = folder.path().join("exported");
    std::fs::write(&path, text).unwrap();
    let mut command = match program.name {
        "hledger" => {
            let mut command = Command::new("hledger");
            command.arg("-f").arg(&path).args(["check", "--strict"]);
            command.args(ordered.then_some("ordereddates"));
            command
        }
        _ => {
            let mut command = Command::new("bean-check");
            // Its cache would lie beside the file.
            command.arg("--no-cache").arg(&path);
            command
        }
    };
    let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[track_caller]
fn proved(program: Format, text: &str, ordered: bool) {
    if let Err(error) = judged(program, text, ordered) {
        let path = std::env::temp_dir().join(format!("counterfoil-unproved-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        panic!("{program:?} on {}: {}", path.display(), error.chars().take(3000).collect::<String>());
    }
}

/// The balances hledger comes to, by account.
fn hledger_balances(text: &str) -> Vec<(String, i64)> {
    let folder = crate::support::folder();
    let path = folder.path().join("exported");
    std::fs::write(&path, text).unwrap();
    let args = ["bal", "--flat", "-N", "-E", "-O", "csv"];
    let output = Command::new("hledger").arg("-f").arg(&path).args(args).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let line = |line: &str| {
        let (account, total) = line.trim_matches('"').split_once("\",\"").unwrap();
        (account.to_string(), total.split_whitespace().next().unwrap().parse().unwrap())
    };
    String::from_utf8(output.stdout).unwrap().lines().skip(1).map(line).collect()
}

#[test]
fn every_export_is_proved() {
    if !programs_are_there() {
        return;
    }
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..3 {
        let history = History::new(seed, 220);
        let ledger = &history.world.ledger;
        let begin = history.now - TimeDelta::days(30);
        let period = Period::new(Some(begin), Some(begin + TimeDelta::days(20))).unwrap();
        let alice = AccountId::new(ALICE).unwrap();
        for program in PROGRAMS {
            for view in VIEWS {
                proved(program, &text(ledger, &Export::new(program).view(view)), false);
            }
            let view = VIEWS[usize::try_from(seed % 2).unwrap()];
            let one = Export::new(program).view(view).account(alice.clone());
            proved(program, &text(ledger, &one), true);
            proved(program, &text(ledger, &one.within(period)), true);
            let since = Export::new(program).within(Period::new(Some(begin), None).unwrap());
            proved(program, &text(ledger, &since), false);
        }
        for account in history::ACCOUNTS {
            let page = ledger.history(&AccountId::new(account).unwrap(), &Query::new().limit(10_000)).unwrap();
            kinds.extend(page.items.iter().map(|entry| if entry.unbooked { "unbooked" } else { entry.kind.as_str() }));
        }
    }
    for kind in [
        "recharge",
        "consume",
        "settle",
        "expire",
        "activate",
        "hold",
        "capture",
        "release",
        "hold_expire",
        "refund",
        "revoke",
        "clawback",
        "set_expiry",
        "rollover",
        "transfer_out",
        "transfer_in",
        "write_off",
        "freeze",
        "open",
        "unbooked",
    ] {
        assert!(kinds.contains(kind), "no {kind} was exported");
    }
}

#[test]
fn hledger_comes_to_the_same_balances() {
    if !programs_are_there() {
        return;
    }
    let history = History::new(77, 200);
    let ledger = &history.world.ledger;
    for (view, side, points, debt) in [
        (View::Holder, 1, "Assets:Points", "Liabilities:Debt"),
        (View::Issuer, -1, "Liabilities:Points", "Assets:Debt"),
    ] {
        let found = hledger_balances(&text(ledger, &Export::new(HLEDGER).view(view)));
        let sum = |head: &str, tail: &str| -> i64 {
            let those = found.iter().filter(|(name, _)| name.starts_with(head) && name.ends_with(tail));
            those.map(|(_, sum)| sum * side).sum()
        };
        let all = ledger.accounts(&Query::new().limit(100)).unwrap().items;
        let total = |figure: fn(&counterfoil::Balance) -> i64| all.iter().map(figure).sum::<i64>();
        assert_eq!(sum(points, ":Available"), total(|b| b.figures.available.get()));
        assert_eq!(sum(points, ":Held"), total(|b| b.figures.held.get()));
        assert_eq!(sum(points, ":Pending"), total(|b| b.figures.pending.get()));
        assert_eq!(-sum(debt, ""), total(|b| b.figures.debt.get()));
        let used = if view == View::Holder { "Expenses:Consumed" } else { "Income:Consumed" };
        let totals = |figure: fn(&counterfoil::answer::Totals) -> i64| {
            all.iter().filter_map(|b| b.totals).map(|t| figure(&t)).sum()
        };
        let consumed: i64 = totals(|t| t.consumed - t.refunded);
        assert_eq!(sum(used, ""), consumed);
        assert_eq!(sum("Equity:Transfers", ""), 0);
        for balance in &all {
            let name = format!("{points}:{}:Available", balance.account);
            if let Some((_, found)) = found.iter().find(|(account, _)| *account == name) {
                assert_eq!(*found * side, balance.figures.available, "{name}");
            }
        }
    }
}

/// The lines of a text that say how many points, with the place of the number in each.
fn numbers(text: &str) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if !line.ends_with(" PTS") || line.contains(" open ") || line.contains("commodity") {
            continue;
        }
        for (at, _) in line.match_indices(" PTS") {
            let start = line[..at].rfind(' ').unwrap() + 1;
            found.push((number, start, at));
        }
    }
    found
}

#[test]
fn one_point_too_much_anywhere_is_found() {
    if !programs_are_there() {
        return;
    }
    let history = History::new(5, 60);
    for program in PROGRAMS {
        let good = text(&history.world.ledger, &Export::new(program));
        proved(program, &good, false);
        let places = numbers(&good);
        let tries = 12;
        for n in 0..tries {
            let (number, start, end) = places[n * (places.len() - 1) / (tries - 1)];
            let mut lines: Vec<String> = good.lines().map(String::from).collect();
            let points: i64 = lines[number][start..end].parse().unwrap();
            lines[number].replace_range(start..end, &(points + 1).to_string());
            let bad = lines.join("\n") + "\n";
            assert!(judged(program, &bad, false).is_err(), "{program:?} did not see: {}", lines[number]);
        }
    }
}

/// Regression: were what is booked meanwhile exported for some accounts and not for others, transfers would not balance.
#[test]
fn what_is_booked_meanwhile_is_left_out() {
    let before = History::new(9, 150);
    let export = Export::new(HLEDGER);
    let at_rest = text(&before.world.ledger, &export);
    let mut meanwhile = Meanwhile { history: before, text: Vec::new(), steps: 40 };
    let ledger = meanwhile.history.world.ledger.clone();
    export.write(&ledger, &mut meanwhile).unwrap();
    assert_eq!(meanwhile.steps, 0);
    let text = String::from_utf8(meanwhile.text).unwrap();
    assert!(text.len() < at_rest.len());
    // Where the books went on there is nothing to hold the totals against.
    let entries = |text: &str| -> Vec<String> {
        let ends = ["the ledger's own totals", "closing balances", "; End: "];
        let is_end = |block: &&str| *block == "account Income:Consumed" || ends.iter().any(|end| block.contains(end));
        let blocks = text.split("\n\n").filter(|block| !is_end(block));
        // And what only time had done may have been booked.
        blocks.map(|block| block.replace("    ; unbooked: true\n", "").trim().to_string()).collect()
    };
    assert_eq!(entries(&text), entries(&at_rest));
    if programs_are_there() {
        proved(HLEDGER, &text, false);
    }
}

/// A reader that books while it reads.
struct Meanwhile {
    history: History,
    text: Vec<u8>,
    steps: u32,
}

impl std::io::Write for Meanwhile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.steps > 0 && self.text.len() > 2000 {
            self.steps -= 1;
            self.history.step();
            self.history.world.ledger.expire(None).unwrap();
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Regression: whoever closed the books of a month could lose an account's last transaction, and hledger was content.
#[test]
fn a_lost_last_transaction_is_found() {
    if !programs_are_there() {
        return;
    }
    let history = History::new(5, 60);
    let ledger = &history.world.ledger;
    let alice = AccountId::new(ALICE).unwrap();
    let period = Period::new(Some(history.now - TimeDelta::days(60)), Some(history.now)).unwrap();
    for program in PROGRAMS {
        for export in
            [Export::new(program), Export::new(program).within(period), Export::new(program).account(alice.clone())]
        {
            let good = text(ledger, &export);
            let blocks: Vec<&str> = good.split("\n\n").collect();
            let last = blocks.iter().rposition(|block| block.contains("entry: ") && block.contains("alice")).unwrap();
            let rest = [&blocks[..last], &blocks[last + 1..]].concat().join("\n\n");
            assert!(judged(program, &rest, false).is_err(), "{program:?} did not miss {}", blocks[last]);
        }
    }
}

/// Regression: the exported totals were run through an account and back, which doubled every account's turnover.
#[test]
fn nothing_but_entries_moves_points() {
    let history = History::new(11, 120);
    for program in PROGRAMS {
        let text = text(&history.world.ledger, &Export::new(program));
        for block in text.split("\n\n").filter(|block| block.contains(" * ") && !block.contains("entry: ")) {
            let moved = block
                .lines()
                .filter(|line| line.starts_with("  ") && line.contains(" PTS") && !line.contains("  0 PTS"));
            assert_eq!(moved.count(), 0, "{block}");
        }
        let entries = text.matches("    ; entry: ").count() + text.matches("  entry: \"").count();
        assert!(text.trim_end().ends_with(&format!("End: {entries} entries.")), "{entries}");
    }
}

/// Regression: a month of Beijing began in the month before, by the dates of its transactions.
#[test]
fn dates_are_those_of_the_offset() {
    let world = crate::support::World::empty();
    let beijing = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    for (key, time) in [("1", "2027-07-31T15:59:00Z"), ("2", "2027-07-31T16:00:00Z"), ("3", "2027-08-31T15:59:00Z")] {
        world.clock.set(at(time));
        let line = serde_json::json!({"op": "recharge", "account": ALICE, "key": key, "points": 5, "source": "s"});
        world.apply(&line).unwrap();
    }
    let period = Period::month(2027, 8, beijing).unwrap();
    for program in PROGRAMS {
        let text = text(&world.ledger, &Export::new(program).within(period).calendar(beijing));
        let dated = |line: &&str| line.starts_with("20") && line.contains(" * ");
        let dates: Vec<&str> = text.lines().filter(dated).map(|line| &line[..10]).collect();
        assert!(dates.starts_with(&["2027-08-01", "2027-08-01", "2027-08-31"]), "{dates:?}");
        assert!(dates.iter().all(|date| date.starts_with("2027-08-")), "{dates:?}");
        assert!(text.contains("2027-08-01T00:00:00.000+08:00") && text.contains("UTC+08:00"), "{text}");
        if programs_are_there() {
            proved(program, &text, true);
        }
    }
}

/// Points that roll over, of a plan as well; that go back because the clock had been wrong; that a revoke takes from where they
/// rolled to, and a refund from what a revoke left owed.
#[test]
fn what_rolls_over_is_proved() {
    let mut world = crate::support::World::empty();
    let rollover = r#""rollover":{"cap":30,"expires_in_days":20}"#;
    world.must("sold", &format!(r#"{{"op":"recharge","account":"alice","key":"1","points":100,"source":"wxpay","expires_in_days":3,{rollover}}}"#));
    world.must("", &format!(r#"{{"op":"plan","account":"alice","key":"1","points":20,"source":"pro","every_days":2,"expires_at":"period_end",{rollover}}}"#));
    world.advance(4 * 86_400);
    world.must("", r#"{"op":"consume","account":"alice","key":"2","points":25}"#);
    world.clock.set(crate::support::instant("2027-01-11T12:00:00Z"));
    world.must("", r#"{"op":"confirm_clock","key":"1"}"#);
    world.must("", r#"{"op":"consume","account":"alice","key":"3","points":1}"#);
    world.advance(5 * 86_400);
    world.must("use", r#"{"op":"consume","account":"alice","key":"4","points":40,"service":"tts"}"#);
    world.must("", r#"{"op":"revoke","batch":"@sold","key":"5","points":"all","reason":"chargeback"}"#);
    world.must("", r#"{"op":"refund","operation":"@use","key":"6","points":"all","reason":"failed"}"#);
    world.advance(3 * 86_400);
    assert!(world.ledger.verify().unwrap().ok);
    let history = world.ledger.history(&AccountId::new("alice").unwrap(), &Query::new().limit(1_000)).unwrap();
    let count = |kind: &str| history.items.iter().filter(|entry| entry.kind == kind).count();
    assert!(count("rollover") > 3 && count("reinstate") > 0 && count("clawback") == 1, "{:#?}", history.items);
    for program in PROGRAMS {
        for view in VIEWS {
            let text = text(&world.ledger, &Export::new(program).view(view));
            assert!(text.contains("rollover"), "{text}");
            if programs_are_there() {
                proved(program, &text, false);
            }
        }
    }
}
