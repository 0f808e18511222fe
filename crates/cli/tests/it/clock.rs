//! Clocks that are wrong, and what the command says of them.

use std::process::Command;

use crate::home::Home;

/// The battery of a computer was flat: its clock said 1960, and every command panicked. It counts as 1970.
#[test]
fn a_clock_before_1970_stops_nothing() {
    let home = Home::new();
    home.run("recharge 10 -a alice --source wxpay --key r").ok();
    for words in ["consume 1 -a alice", "balance -a alice", "expiring -a alice"] {
        let mut command = Command::new("faketime");
        command.args(["1960-01-01 00:00:00", env!("CARGO_BIN_EXE_counterfoil"), "-f"]).arg(home.ledger());
        // Not everywhere is there such a tool.
        let Ok(done) = command.args(words.split(' ')).output() else { return };
        assert!(done.status.success(), "{words}: {done:?}");
    }
}

/// A charge was made while the computer's clock was 60 days fast. Right again, every command says that it is behind, and
/// before it is confirmed how many points come back. Nobody is told to set a clock that is right, and the reports go on:
/// they are proved by somebody else's program.
#[test]
fn a_clock_that_was_fast_is_told_and_confirmed() {
    use chrono::{TimeDelta, Utc};
    use counterfoil::clock::ManualClock;
    use counterfoil::{Ledger, Request};

    let home = Home::empty();
    let (clock, start) = (ManualClock::default(), Utc::now() - TimeDelta::days(1));
    clock.set(start);
    let ledger = Ledger::options().clock(std::sync::Arc::new(clock.clone())).create(home.ledger()).unwrap();
    let book = |line: &str| ledger.apply(&Request::parse(line).unwrap()).unwrap();
    book(r#"{"op":"recharge","account":"alice","key":"1","points":70,"source":"gift","expires_in_days":40}"#);
    book(r#"{"op":"recharge","account":"alice","key":"2","points":30,"source":"wxpay","expires_at":"never"}"#);
    clock.set(start + TimeDelta::days(60));
    book(r#"{"op":"consume","account":"alice","key":"3","points":45}"#);
    ledger.close().unwrap();

    for words in ["balance -a alice", "history -a alice", "consume 1 -a alice --key 4", "confirm-clock --dry-run"] {
        let ran = home.run(words).ok();
        assert!(
            ran.err.contains("warning: the clock reads ") && ran.err.contains("behind the newest time"),
            "{ran:#?}"
        );
    }
    let slow = home.run("balance -a alice --format json").ok().json();
    assert!(slow["clock_behind"].as_i64().unwrap() > 58 * 86_400, "{slow}");
    assert_eq!(home.figures("alice"), [0, 0, 0, 16, -16]);
    home.run("confirm-clock").fails(7, "unconfirmed");
    home.run("confirm-clock --yes --key 5").ok();
    let right = home.run("balance -a alice").ok();
    assert!(!right.err.contains("warning"), "{right:#?}");
    assert_eq!(home.figures("alice"), [54, 0, 0, 0, 54]);
    home.run("consume 4 -a alice --key 6").ok();
    assert!(!home.run("doctor").ok().out.contains("set the computer's clock"));
    home.run("verify").ok();
    home.run("statement -a alice --html --output page.html").ok();
    home.run("statement -a alice").ok();
    home.run("explain 3").ok();
    home.run("explain --missing -a alice").ok();
    home.write("books.hledger", home.run("export --as hledger").ok().out);
    let mut check = Command::new("hledger");
    let checked = check.arg("-f").arg(home.path("books.hledger")).args(["check", "--strict"]).output();
    // Not everywhere is there such a tool.
    assert!(checked.as_ref().map_or(true, |done| done.status.success()), "{checked:?}");
}
