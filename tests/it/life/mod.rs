//! The life of a file: created, opened by several, closed, copied, restored; interrupted anywhere. Nothing acknowledged is
//! lost around the books.
//!
//! A child is this test binary run again with environment variables; strace kills it or fails its calls at exact places.

mod arriving;
mod beside;
mod closing;
mod failing;
mod interrupted;
mod kept;
#[cfg(target_os = "linux")]
mod limits;
mod places;
mod synced;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use counterfoil::{AccountId, Durability, Error, Ledger, Receipt, Request};

const WHAT: &str = "COUNTERFOIL_LIFE_WHAT";
const FROM: &str = "COUNTERFOIL_LIFE_FROM";
const TO: &str = "COUNTERFOIL_LIFE_TO";

/// Lines that only ever differ by their number.
fn charge(ledger: &Ledger, key: &str) -> Result<Receipt, Error> {
    ledger.apply(&Request::parse(&format!(r#"{{"op":"consume","account":"al","key":"{key}","points":1}}"#)).unwrap())
}

fn recharge(ledger: &Ledger, key: &str, points: u32) -> Result<Receipt, Error> {
    let line = format!(r#"{{"op":"recharge","account":"al","key":"{key}","points":{points},"source":"wxpay"}}"#);
    ledger.apply(&Request::parse(&line).unwrap())
}

fn available(ledger: &Ledger) -> i64 {
    ledger.balance(&AccountId::new("al").unwrap()).unwrap().figures.available.get()
}

/// A new ledger with 1 000 points.
fn filled(path: &Path) -> Ledger {
    let ledger = Ledger::create(path).unwrap();
    recharge(&ledger, "start", 1_000).unwrap();
    ledger
}

/// Names in a folder that a user would not expect there.
fn hidden(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

/// Not a test of its own: the child's life.
#[test]
fn child() {
    let (Ok(what), Ok(from), Ok(to)) = (std::env::var(WHAT), std::env::var(FROM), std::env::var(TO)) else { return };
    let options = Ledger::options().busy_timeout(Duration::from_millis(300));
    // The calls before this are those of the test runner.
    let _ = std::fs::metadata("/mark/begin");
    let done = match what.as_str() {
        "create" => options.create(&to).map(|_| "made".to_string()),
        "backup" => {
            Ledger::options().read_only(true).open(&from).and_then(|ledger| ledger.backup(&to)).map(|_| "made".into())
        }
        "keep" => Ledger::open(&from).and_then(|ledger| {
            let done = (0..6).try_for_each(|_| ledger.backup_into(&to, 1).map(drop));
            done.map(|()| "kept".into())
        }),
        "restore" => options.restore(&from, &to).and_then(|ledger| Ok(ledger.info()?.epoch.to_string())),
        "import" | "hear" => options.open(&to).and_then(|ledger| {
            ledger.exchange().import(counterfoil::exchange::open_file(&from)?)?;
            Ok("taken".to_string())
        }),
        "look" => options.read_only(true).open(&from).map(|ledger| available(&ledger).to_string()),
        "charge" => {
            options.open(&from).and_then(|ledger| charge(&ledger, &to)).map(|receipt| receipt.points.to_string())
        }
        "script" => failing::live(&from),
        _ => relaxed(&from, &what),
    };
    let _ = std::fs::metadata("/mark/end");
    match done {
        Ok(answer) => println!("\nanswered {answer}"),
        Err(error) => println!("\nrefused {}", error.code()),
    }
    // As a process ends that is killed.
    std::process::abort();
}

/// One relaxed charge, and then what should make it durable.
fn relaxed(path: &str, then: &str) -> Result<String, Error> {
    let ledger = Ledger::open(path)?;
    if then != "repeat of another's" {
        charge(&ledger.with_durability(Durability::Relaxed), then)?;
    }
    let _ = std::fs::metadata("/mark/relaxed");
    match then {
        "nothing" => {}
        "flush" => ledger.flush()?,
        "repeat" => assert!(charge(&ledger, then)?.replayed),
        "repeat of another's" => assert!(charge(&ledger, "nothing")?.replayed),
        "full" => drop(charge(&ledger, "another")?),
        "dry_run" => {
            drop(ledger.dry_run(&Request::parse(r#"{"op":"freeze","account":"al","key":"k","reason":"r"}"#)?)?)
        }
        "close" => assert!(ledger.close()?.whole),
        other => panic!("{other}"),
    }
    // Dropped, it would be closed.
    std::mem::forget(ledger);
    Ok(then.into())
}

/// Runs the child, under strace with these arguments when there are some.
fn child_does(what: &str, from: &Path, to: &Path, strace: &[&str]) -> Output {
    let program = std::env::current_exe().unwrap();
    let mut command = if strace.is_empty() { Command::new(&program) } else { Command::new("strace") };
    if !strace.is_empty() {
        command.args(["-f", "-qq"]).args(strace).arg(&program);
    }
    command.args(["--exact", "life::child", "--nocapture", "--test-threads=1"]);
    command.env(WHAT, what).env(FROM, from).env(TO, to).output().unwrap()
}

/// What the child said: `answered …` or `refused CODE`; nothing when it was killed before.
fn said(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("answered ") || line.starts_with("refused "));
    line.map(str::to_string)
}
