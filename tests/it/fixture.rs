//! Files of every released schema, kept as they were written: each opens, verifies, shows what it showed then, and goes on.
//! `cargo test -p counterfoil --test it fixture::write -- --ignored` writes that of the newest schema again.

use std::path::PathBuf;

use counterfoil::clock::ManualClock;
use counterfoil::{AccountId, Ledger, Query, Request};
use serde_json::{Value, json};

use crate::support::{folder, instant, options, situations};

/// The schema versions there are files of.
const VERSIONS: [u32; 1] = [1];

fn kept(version: u32, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/fixtures/schema-{version}.{ending}", env!("CARGO_MANIFEST_DIR")))
}

/// What a reader sees of a ledger, in short.
fn shown(ledger: &Ledger) -> Value {
    let info = ledger.info().unwrap();
    let all = Query::new().all(true).limit(1_000);
    let accounts = ledger.accounts(&Query::new().limit(1_000)).unwrap().items.into_iter().map(|balance| {
        let id: &AccountId = &balance.account;
        let entries = ledger.history(id, &Query::new().limit(1_000)).unwrap().items;
        json!({
            "account": id,
            "figures": balance.figures,
            "totals": balance.totals,
            "batches": ledger.batches(id, &all).unwrap().items.len(),
            "holds": ledger.holds(id, &all).unwrap().items.len(),
            "entries": entries.iter().map(|entry| json!([entry.kind, entry.points])).collect::<Vec<_>>(),
        })
    });
    json!({ "operations": info.operations, "head": info.head, "accounts": accounts.collect::<Vec<_>>() })
}

/// Opens a copy at the instant at which it was described.
fn opened(bytes: &[u8], now: &str) -> (Ledger, tempfile::TempDir) {
    let (folder, clock) = (folder(), ManualClock::default());
    clock.set(instant(now));
    let path = folder.path().join("kept.ledger");
    std::fs::write(&path, bytes).unwrap();
    (options(&clock).open(path).unwrap(), folder)
}

/// Not a test: the generator.
#[test]
#[ignore = "writes tests/fixtures"]
fn write() {
    let version = VERSIONS[VERSIONS.len() - 1];
    let made = situations();
    let now = made.now.to_rfc3339();
    let (ledger, _folder) = opened(&made.bytes, &now);
    let described = json!({ "now": now, "shown": shown(&ledger) });
    std::fs::write(kept(version, "ledger"), &made.bytes).unwrap();
    std::fs::write(kept(version, "json"), serde_json::to_string_pretty(&described).unwrap() + "\n").unwrap();
}

/// An app is updated and opens the file of years ago: all of it must be there, and work go on.
#[test]
fn every_kept_file_is_read_and_goes_on() {
    for version in VERSIONS {
        let described: Value = serde_json::from_slice(&std::fs::read(kept(version, "json")).unwrap()).unwrap();
        let bytes = std::fs::read(kept(version, "ledger")).unwrap();
        let (ledger, _folder) = opened(&bytes, described["now"].as_str().unwrap());
        let verified = ledger.verify().unwrap();
        assert!(verified.ok, "schema {version}: {:?}", verified.faults);
        assert_eq!(shown(&ledger), described["shown"], "schema {version}");
        let line = r#"{"op":"consume","account":"rich","key":"years later","points":1}"#;
        assert_eq!(ledger.apply(&Request::parse(line).unwrap()).unwrap().points, 1);
        assert!(ledger.verify().unwrap().ok, "schema {version}");
    }
}
