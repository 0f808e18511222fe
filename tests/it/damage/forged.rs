//! Values that no operation writes, in every column.

use std::path::{Path, PathBuf};

use counterfoil::Ledger;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::{RICH, Sights, long_form, looks, unsound};
use crate::faults::{HEARD, columns, rich, stories, tampered};
use crate::support::folder;

const LARGEST: i64 = 9_000_000_000_000_000;
const LAST_INSTANT: i64 = 253_402_300_799_999;

/// What is put in the place of a value.
fn forgeries(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![Value::Integer(i64::MAX), Value::Text("{}".into()), Value::Blob(vec![0xff; 32])],
        Value::Integer(_) => {
            [i64::MAX, i64::MIN, LARGEST, LAST_INSTANT, 0, -1].into_iter().map(Value::Integer).collect()
        }
        Value::Blob(bytes) => vec![Value::Blob(vec![0xff; bytes.len()]), Value::Blob(Vec::new())],
        Value::Text(text) => {
            let mut texts = vec![String::new(), "\u{0}".into(), "x".repeat(70_000), "[".repeat(60_000)];
            if text.starts_with('{') {
                texts.extend(
                    ["9223372036854775807", "-9223372036854775808", "9000000000000000"].map(|n| numbers(text, n)),
                );
                texts.extend(["null", "[]", "\"\"", "1e999", "{}"].map(str::to_string));
                texts.push(text.replace(":\"", ":\"9999-12-31T23:59:59.999Z"));
            }
            texts.into_iter().map(Value::Text).collect()
        }
        Value::Real(_) => panic!("no column is floating point"),
    }
}

/// The text with another number in the place of each.
fn numbers(text: &str, number: &str) -> String {
    let mut forged = String::new();
    let mut within = false;
    for letter in text.chars() {
        if letter.is_ascii_digit() != within {
            within = !within;
            if within {
                forged.push_str(number);
            }
        }
        if !within {
            forged.push(letter);
        }
    }
    forged
}

/// Story: sums over forged rows, and times at the ends of what a number holds, could panic an explanation. Whatever stands
/// in a column, each look answers, or says that the file is damaged.
#[test]
fn every_column_with_values_at_the_ends() {
    let folder = folder();
    let (mut wrong, mut forged, rows) = (Vec::new(), 0, if long_form() { 6 } else { 1 });
    // Each file is looked at in every way, but not at every operation of it.
    let sights = Sights { every: 4, ..RICH };
    let own = |(path, table): &(PathBuf, String)| path.ends_with("rich.ledger") || HEARD.contains(&table.as_str());
    for (original, table) in stories(folder.path()).into_iter().filter(own) {
        let look = Connection::open(&original).unwrap();
        let (columns, key) = columns(&look, &table);
        let count: i64 = look.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        for (place, column) in (0..).zip(&columns) {
            for row in (0..rows).map(|row| (place * 7 + row * 5) % count) {
                let at = format!("ORDER BY {} LIMIT 1 OFFSET {row}", key.join(", "));
                let value: Value =
                    look.query_row(&format!("SELECT {column} FROM {table} {at}"), [], |row| row.get(0)).unwrap();
                let same: Vec<String> =
                    key.iter().map(|key| format!("{key} = (SELECT {key} FROM {table} {at})")).collect();
                let sql = format!("UPDATE OR REPLACE {table} SET {column} = ?1 WHERE {}", same.join(" AND "));
                for forgery in forgeries(&value) {
                    let what = format!("{table}.{column}, row {row}: {:.60}", format!("{forgery:?}"));
                    let mut done = false;
                    let path = tampered(&original, &format!("forged{forged}"), |conn| {
                        done = conn.execute(&sql, [forgery]).is_ok()
                    });
                    if done {
                        forged += 1;
                        wrong.extend(unsound(&looks(&path, sights)).iter().map(|found| format!("{what}: {found}")));
                    }
                }
            }
        }
    }
    assert!(forged > 400, "{forged}");
    assert!(wrong.is_empty(), "{} of {forged}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The codes of the looks whose names begin so.
fn codes(path: &Path, name: &str) -> Vec<&'static str> {
    looks(path, RICH).into_iter().filter(|(look, _)| look.starts_with(name)).map(|(_, code)| code).collect()
}

/// Story: an account said that something of it was due, and had nothing that was: `expire` booked nothing, and went to the
/// same account again, for ever.
#[test]
fn what_is_said_to_be_due_and_is_not() {
    let folder = folder();
    let original = rich(folder.path());
    let path = tampered(&original, "due", |conn| {
        assert_eq!(conn.execute("UPDATE account SET next_due_at = 1 WHERE id = 'dave'", []).unwrap(), 1);
    });
    assert_eq!(codes(&path, "expire"), ["corrupt"]);
}

/// Story: the outcome of an operation that has none became a text that is none. It was read as if nothing stood there.
#[test]
fn an_outcome_that_is_no_text_is_found() {
    let folder = folder();
    let original = rich(folder.path());
    let path = tampered(&original, "outcome", |conn| {
        let sql = "UPDATE operation SET outcome = CAST(x'ff' AS TEXT) WHERE outcome IS NULL AND seq = 1";
        assert_eq!(conn.execute(sql, []).unwrap(), 1);
    });
    let found = Ledger::options().read_only(true).open(path).unwrap().verify().unwrap();
    assert!(found.faults.iter().any(|fault| fault.place == "operation 1 outcome"), "{:?}", found.faults);
}

/// Story: one byte of the schema's text was no UTF-8 any more. The answer was `storage`, with the advice to copy the file,
/// because reading needed a `-shm`.
#[test]
fn a_schema_that_is_no_text_is_damage() {
    let folder = folder();
    let path = rich(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let words = b"an allocation never changes";
    let at = bytes.windows(words.len()).position(|window| window == words).unwrap();
    bytes[at + 3] = 0xff;
    std::fs::write(&path, bytes).unwrap();
    for read_only in [true, false] {
        let error = Ledger::options().read_only(read_only).open(&path).unwrap_err();
        assert_eq!(error.code(), "corrupt", "{error}");
    }
}
