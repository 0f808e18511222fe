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
