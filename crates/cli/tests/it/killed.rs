//! The command killed at exact calls to the system: run again, it comes to what it would have come to.
//!
//! `COUNTERFOIL_KILLS=3000` tries every place.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use crate::home::{Home, Ran};
use crate::sync::office_and_shop;

/// The calls that change what is on the disk.
const CALLS: [&str; 9] =
    ["openat", "pwrite64", "write", "ftruncate", "fsync", "fdatasync", "renameat2", "unlink", "unlinkat"];
/// Places of each kind that are tried in the suite.
const SOME: usize = 3;

/// The command beneath strace, with these options of it.
fn traced(home: &Home, strace: &[&str], words: &str) -> Command {
    let plain = home.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(strace).arg(plain.get_program()).args(words.split_whitespace());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(home.path("")).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

/// How often the command makes each of these calls.
fn places(home: &Home, words: &str) -> Vec<(&'static str, usize)> {
    let log = home.path("calls");
    let trace = format!("trace={}", CALLS.join(","));
    let ran = home.finish(&mut traced(home, &["-e", &trace, "-o", log.to_str().unwrap()], words));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    let all = std::env::var("COUNTERFOIL_KILLS").is_ok_and(|kills| kills.len() > 3);
    let mut places = Vec::new();
    for call in CALLS {
        let count = text.lines().filter(|line| line.contains(&format!(" {call}("))).count();
        let step = if all { 1 } else { count.div_ceil(SOME).max(1) };
        // The last are the nearest to the end of what it does.
        places.extend((1..=count).rev().step_by(step).map(|n| (call, n)));
    }
    places
}

/// Kills the command at each place, in a folder that is made anew, runs it again and looks; how often.
fn kill_everywhere(words: &str, make: impl Fn() -> Home, again: impl Fn(&Home, &str)) -> usize {
    if !crate::tools::there(&["strace"], "COUNTERFOIL_STRACE") {
        return SOME;
    }
    let mut killed = 0;
    for (call, n) in places(&make(), words) {
        let home = make();
        let inject = format!("inject={call}:signal=SIGKILL:when={n}");
        let status = traced(&home, &["-o", "/dev/null", "-e", &inject], words).status().unwrap();
        // strace ends as the command did, or tells that by its own code.
        killed += usize::from(status.signal() == Some(9) || status.code() == Some(137));
        again(&home, &format!("{words}, killed at {call} {n}"));
    }
    killed
}

fn whole(home: &Home, ledger: &str, at: &str) {
    let ran: Ran = home.args(&["-f", ledger, "verify"]);
    assert_eq!(ran.code, 0, "{at}: {ran:#?}");
}

fn filled() -> Home {
    let home = Home::new();
    home.run("recharge 100 -a al --source wxpay --key start").ok();
    home
}

#[test]
fn a_charge_is_booked_once() {
    let words = "consume 3 -a al --key k";
    let killed = kill_everywhere(words, filled, |home, at| {
        home.run(words).ok();
        assert_eq!(home.figures("al")[0], 97, "{at}");
        whole(home, "points.ledger", at);
    });
    assert!(killed >= SOME, "{killed} kills");
}

#[test]
fn lines_are_booked_once_each() {
    let make = || {
        let home = filled();
        let line = |n: usize| format!("{{\"op\":\"consume\",\"account\":\"al\",\"key\":\"k{n}\",\"points\":1}}\n");
        home.write("lines.jsonl", (0..40).map(line).collect::<String>());
        home
    };
    let words = "batch lines.jsonl";
    let killed = kill_everywhere(words, make, |home, at| {
        home.run(words).ok();
        assert_eq!(home.figures("al")[0], 60, "{at}");
        whole(home, "points.ledger", at);
    });
    assert!(killed >= SOME, "{killed} kills");
}

#[test]
fn a_file_is_made_whole_or_not_at_all() {
    let made = |home: &Home, name: &str, words: &str, at: &str| {
        if !Path::new(&home.path(name)).exists() {
            home.run(words).ok();
        }
        whole(home, name, at);
        let names = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
        assert!(left.is_empty() || Path::new(&home.path(name)).exists(), "{at}: left behind {left:?}");
    };
    let backed = || {
        let home = filled();
        home.run("backup copy.ledger").ok();
        home
    };
    let cases: [(&str, &str, &dyn Fn() -> Home); 3] = [
        ("points.ledger", "init", &Home::empty),
        ("copy.ledger", "backup copy.ledger", &filled),
        ("new.ledger", "restore copy.ledger new.ledger --yes", &backed),
    ];
    for (name, words, make) in cases {
        let killed = kill_everywhere(words, make, |home, at| made(home, name, words, at));
        assert!(killed >= SOME, "{words}: {killed} kills");
    }
}

/// Both sides, killed in turn: run again until both know everything, each sale is there once.
#[test]
fn an_exchange_comes_to_its_end() {
    // A home for both: the folder they share is within it.
    let make = |first: bool| {
        move || {
            let (office, shop) = office_and_shop();
            office.run("recharge 100 -a card --source wxpay --key order-1").ok();
            shop.run("consume 30 -a card --key sale-1").ok();
            for (from, name) in [(&shop, "points.ledger"), (&shop, "points.ledger.key")] {
                std::fs::copy(from.path(name), office.path(&format!("shop-{name}"))).unwrap();
            }
            std::fs::rename(office.path("shop-points.ledger.key"), office.path("shop.ledger.key")).unwrap();
            std::fs::rename(office.path("shop-points.ledger"), office.path("shop.ledger")).unwrap();
            std::fs::create_dir(office.path("stick")).unwrap();
            if !first {
                office.run("-f shop.ledger sync run --folder stick").ok();
            }
            office
        }
    };
    for (first, words) in
        [(true, "-f shop.ledger sync run --folder stick"), (false, "-f points.ledger sync run --folder stick")]
    {
        let killed = kill_everywhere(words, make(first), |home, at| {
            for _ in 0..2 {
                for ledger in ["shop.ledger", "points.ledger", "shop.ledger"] {
                    home.run(&format!("-f {ledger} sync run --folder stick")).ok();
                }
            }
            for ledger in ["shop.ledger", "points.ledger"] {
                let balance = home.run(&format!("-f {ledger} balance -a card --format json")).ok().json();
                assert_eq!(balance["available"], 70, "{at}: {ledger}");
                whole(home, ledger, at);
            }
        });
        assert!(killed >= SOME, "{words}: {killed} kills");
    }
}
