//! A ledger is made, another backed up and restored: there is all of a file under its name, or none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use counterfoil::{AccountId, Error, Ledger, Options, Request};

use crate::script::{Answer, Image, Retry, Script, Told, folder, is_of_a_fault, verified};

pub struct Copies(Image);

/// Which file, and how it is made.
const MADE: [&str; 3] = ["new.ledger", "copy.ledger", "again.ledger"];

fn options() -> Options {
    Ledger::options().busy_timeout(Duration::from_millis(20))
}

fn make(folder: &Path, name: &str) -> Result<(), Error> {
    let target = folder.join(name);
    match name {
        "new.ledger" => options().create(target).map(drop),
        "copy.ledger" => options().open(folder.join("points.ledger"))?.backup(target).map(drop),
        _ => options().restore(folder.join("backup.ledger"), target).map(drop),
    }
}

impl Copies {
    pub fn new() -> Self {
        let folder = folder();
        let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
        let line = r#"{"op":"recharge","account":"al","key":"r","points":100,"source":"wxpay"}"#;
        ledger.apply(&Request::parse(line).unwrap()).unwrap();
        assert!(ledger.backup(folder.path().join("backup.ledger")).unwrap().ok);
        ledger.close().unwrap();
        Copies(Image::of(folder.path()))
    }
}

/// Whether a file is whole, and what it should be.
fn is_whole(folder: &Path, name: &str) -> Result<(), String> {
    let ledger = options().open(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let available = ledger.balance(&AccountId::new("al").unwrap()).unwrap().figures.available.get();
    let expected = if name == "new.ledger" { 0 } else { 100 };
    if available != expected {
        return Err(format!("{name}: {available} of {expected} are available"));
    }
    verified(&ledger).map_err(|wrong| format!("{name}: {wrong}"))
}

impl Script for Copies {
    fn name(&self) -> &'static str {
        "copies"
    }

    fn before(&self) -> &Image {
        &self.0
    }

    fn live(&self, folder: &Path, retry: Retry) -> Vec<Told> {
        let times = if retry == Retry::Reopen { 3 } else { 1 };
        let tried = |name: &&str| {
            let mut told = Told { what: (*name).to_string(), tries: Vec::new() };
            for _ in 0..times {
                match make(folder, name) {
                    Ok(()) => {
                        told.tries.push(Answer::Done { id: String::new(), replayed: false });
                        break;
                    }
                    Err(error) => told.tries.push(Answer::Failed(error.code())),
                }
            }
            told
        };
        MADE.iter().map(tried).collect()
    }

    fn check(&self, folder: &Path, told: &[Told]) -> Result<(), String> {
        for (one, name) in told.iter().zip(MADE) {
            let there = folder.join(name).exists();
            // One that failed after it had its name is there, and says so when it is made again.
            let right = |answer: &Answer| match answer {
                Answer::Failed(code) => is_of_a_fault(code) || (*code == "ledger_exists" && there),
                Answer::Done { .. } => there,
            };
            if !one.tries.iter().all(right) {
                return Err(format!("{name} there: {there}, {one:?}"));
            }
            if there {
                is_whole(folder, name)?;
            } else {
                make(folder, name).map_err(|error| format!("mended, and {name}: {error}"))?;
                is_whole(folder, name)?;
            }
        }
        is_whole(folder, "points.ledger")?;
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
    }
}
