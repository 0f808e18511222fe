//! Moving from the Python points service: its three tables, exported as CSV, become operations for `counterfoil batch`,
//! and the balances of the new ledger are compared with the old ones. docs/moving.md is the walk through.
//!
//! ```text
//! cargo run --example moving -- lines FOLDER > history.jsonl
//! cargo run --example moving -- compare FOLDER LEDGER [AS_OF]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use counterfoil::{AccountId, Ledger};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// `user_point`: what the old service says everybody has.
#[derive(Deserialize)]
struct UserPoint {
    user_id: String,
    balance: i64,
}

/// `point_batch`.
#[derive(Deserialize)]
struct PointBatch {
    id: String,
    user_id: String,
    remaining: i64,
    expired_at: String,
}

/// `point_transaction`.
#[derive(Deserialize)]
struct PointTransaction {
    id: i64,
    user_id: String,
    r#type: String,
    amount: i64,
    source_type: Option<String>,
    source_id: Option<String>,
    batch_id: Option<String>,
    description: Option<String>,
    duration: Option<String>,
    created_at: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["lines", folder] => lines(Path::new(folder)).map(|()| true),
        ["compare", folder, ledger] => compare(Path::new(folder), Path::new(ledger), Utc::now()),
        ["compare", folder, ledger, as_of] => {
            instant(as_of).and_then(|as_of| compare(Path::new(folder), Path::new(ledger), as_of))
        }
        _ => Err("usage: moving lines FOLDER | moving compare FOLDER LEDGER [AS_OF]".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("moving: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>> {
    let path = folder.join(name).with_extension("csv");
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut reader = csv::Reader::from_path(&path).map_err(|error| told(&error))?;
    Ok(reader.deserialize().collect::<std::result::Result<_, _>>().map_err(|error| told(&error))?)
}

/// An instant as PostgreSQL writes it (`2026-05-09 17:08:50.123+08`), or as RFC 3339.
fn instant(text: &str) -> Result<DateTime<Utc>> {
    let postgres = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
    let read = postgres.or_else(|_| DateTime::parse_from_rfc3339(text));
    Ok(read.map_err(|error| format!("`{text}` is not an instant with an offset: {error}"))?.to_utc())
}

fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One line for each recharge and consume, in the order in which they happened. Expiries are not told: time brings them about
/// again, at the instant they were due.
fn lines(folder: &Path) -> Result<()> {
    let batches: Vec<PointBatch> = table(folder, "point_batch")?;
    let expiry: BTreeMap<&str, &str> =
        batches.iter().map(|batch| (batch.id.as_str(), batch.expired_at.as_str())).collect();
    let rows: Vec<PointTransaction> = table(folder, "point_transaction")?;
    let mut rows =
        rows.into_iter().map(|row| instant(&row.created_at).map(|at| (at, row))).collect::<Result<Vec<_>>>()?;
    rows.sort_by_key(|(at, row)| (*at, row.id));
    let mut out = std::io::stdout().lock();
    for (at, row) in rows {
        if let Some(line) = line(&row, at, &expiry).map_err(|error| format!("transaction {}: {error}", row.id))? {
            writeln!(out, "{}", Value::Object(line))?;
        }
    }
    Ok(out.flush()?)
}

fn line(
    row: &PointTransaction,
    at: DateTime<Utc>,
    expiry: &BTreeMap<&str, &str>,
) -> Result<Option<Map<String, Value>>> {
    let mut line = Map::new();
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            line.insert(name.into(), value.trim().into());
        }
    };
    match row.r#type.as_str() {
        "recharge" => {
            let batch = row.batch_id.as_deref().ok_or("a recharge without its batch")?;
            let ends = expiry.get(batch).ok_or_else(|| format!("batch {batch} is not in point_batch.csv"))?;
            set("source", row.source_type.as_deref());
            set("expires_at", Some(&written(instant(ends)?)));
        }
        // With its points given, the service and the seconds are labels.
        "consume" => {
            set("service", row.source_type.as_deref());
            set("seconds", row.duration.as_deref());
        }
        "expire" => return Ok(None),
        other => return Err(format!("`{other}` is not a type the service writes").into()),
    }
    set("op", Some(&row.r#type));
    set("account", Some(&row.user_id));
    // Loading the same tables again books nothing twice.
    set("key", Some(&format!("point_transaction:{}", row.id)));
    set("reference", row.source_id.as_deref());
    set("description", row.description.as_deref());
    set("at", Some(&written(at)));
    line.insert("points".into(), json!(row.amount));
    Ok(Some(line))
}

/// Whether everybody has what the old service says, less what had expired there and was not swept yet.
fn compare(folder: &Path, ledger: &Path, as_of: DateTime<Utc>) -> Result<bool> {
    let mut old: BTreeMap<String, i64> = BTreeMap::new();
    for user in table::<UserPoint>(folder, "user_point")? {
        old.insert(user.user_id, user.balance);
    }
    for batch in table::<PointBatch>(folder, "point_batch")? {
        if instant(&batch.expired_at)? <= as_of {
            *old.entry(batch.user_id).or_default() -= batch.remaining;
        }
    }
    let ledger = Ledger::open(ledger)?;
    let mut different = 0;
    for (user, before) in &old {
        let now = ledger.balance_at(&AccountId::new(user.trim())?, as_of)?.figures.net;
        if now != *before {
            different += 1;
            println!("{user}: {before} in the old service, {now} here, {:+}", now - before);
        }
    }
    let users: BTreeSet<&str> = old.keys().map(|user| user.trim()).collect();
    println!("{} of {} accounts have the same balance", users.len() - different, users.len());
    Ok(different == 0)
}
