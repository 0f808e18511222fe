//! verify finds everything: whatever is changed behind the library's back is found and named.
//!
//! A rich file is made once; then, one at a time, every column of every table is changed in some rows, rows are deleted,
//! doubled and swapped, the log's tail is cut, and old pages are mixed in. No column is exempt: a change in any of them
//! must be found. What cannot be found from inside the file is an older state that was valid as a whole; the last test
//! shows it, and that `info` tells it to whoever noted head and length elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::answer::Verification;
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::exchange::Enrol;
use counterfoil::{Error, Key, Ledger, Options, Query, Receipt, Request};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::against::folder;
use crate::sync::reconciled::{Pair, allotted};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

struct Story {
    ledger: Ledger,
    clock: ManualClock,
}

impl Story {
    fn book(&self, line: &str) -> Receipt {
        let receipt = self.ledger.apply(&Request::parse(line).unwrap());
        receipt.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A ledger in which every table has rows of every sort, and every nullable column is both null and not.
pub fn rich(folder: &Path) -> PathBuf {
    let first = folder.join("first.ledger");
    let clock = ManualClock::at("2026-01-01T00:00:00Z").unwrap();
    let options = Options::default().clock(Arc::new(clock.clone())).pricing_file("config/pricing.toml");
    let story = Story { ledger: options.clone().create(&first).unwrap(), clock: clock.clone() };
    story.book(r#"{"op":"open","account":"alice","key":"o","credit_limit":30}"#);
    let paid = story.book(r#"{"op":"recharge","account":"alice","key":"r1","points":100,"source":"wxpay","expires_in_days":60,"reference":"o1"}"#);
    story.book(r#"{"op":"recharge","account":"alice","key":"r2","points":50,"source":"gift","expires_in_days":10,"priority":10}"#);
    story.book(r#"{"op":"recharge","account":"alice","key":"r3","points":40,"source":"wxpay","expires_at":"never","effective_at":"2026-03-01T00:00:00Z"}"#);
    let speech = story.book(
        r#"{"op":"consume","account":"alice","key":"c1","service":"tts","seconds":"61.2","description":"speech"}"#,
    );
    story.book(&format!(
        r#"{{"op":"refund","operation":"{}","key":"f1","points":4,"reason":"noise"}}"#,
        speech.operation
    ));
    let held = story.book(
        r#"{"op":"hold","account":"alice","key":"h1","service":"video","input_seconds":10,"deadline_seconds":3600}"#,
    );
    let hold = held.hold.unwrap().id;
    story.book(&format!(r#"{{"op":"capture","hold":"{hold}","key":"k1","seconds":"8"}}"#));
    let released =
        story.book(r#"{"op":"hold","account":"alice","key":"h2","points":5,"deadline_seconds":600}"#).hold.unwrap().id;
    story.book(&format!(r#"{{"op":"release","hold":"{released}","key":"l1"}}"#));
    story.book(r#"{"op":"hold","account":"alice","key":"h3","points":7,"deadline_seconds":60}"#);
    story.later(11 * DAY);
    story.book(r#"{"op":"transfer","account":"alice","to":"bob","key":"t1","points":20}"#);
    story.book(r#"{"op":"consume","account":"bob","key":"c2","points":35,"occurred_at":"2026-01-11T00:00:00Z"}"#);
    story.book(r#"{"op":"write_off","account":"bob","key":"w1","points":3,"reason":"goodwill"}"#);
    story.book(&format!(
        r#"{{"op":"revoke","batch":"{}","key":"v1","points":"all","reason":"chargeback"}}"#,
        paid.batch.unwrap().batch
    ));
    story.book(r#"{"op":"configure","key":"s1","setting":"late_window","value":86400}"#);
    story.book(r#"{"op":"recharge","account":"carol","key":"r4","points":9,"source":"invite","expires_in_days":2,"rollover":{"cap":4,"expires_in_days":3}}"#);
    story.book(r#"{"op":"freeze","account":"carol","key":"z1","reason":"asked"}"#);
    // Plans: one that goes on, one of which all periods were given, one that was stopped.
    story.book(r#"{"op":"plan","account":"gail","key":"p1","points":6,"source":"gift","every_months":1,"expires_at":"period_end"}"#);
    story.book(r#"{"op":"plan","account":"gail","key":"p2","points":3,"source":"wxpay","every_days":1,"count":2}"#);
    let plan = story.book(r#"{"op":"plan","account":"gail","key":"p3","points":2,"source":"wxpay","every_weeks":2}"#);
    let plan = plan.plan.unwrap().id;
    story.book(&format!(r#"{{"op":"stop","plan":"{plan}","key":"p3"}}"#));
    // One line of many movements.
    for n in 0..25 {
        story.book(&format!(r#"{{"op":"recharge","account":"frank","key":"m{n}","points":1,"source":"invite"}}"#));
    }
    story.book(r#"{"op":"consume","account":"frank","key":"c5","points":25}"#);
    story.later(5 * DAY);
    story.ledger.expire(None).unwrap();
    story.later(300 * DAY);
    story.book(r#"{"op":"recharge","account":"dave","key":"r5","points":5,"source":"wxpay"}"#);
    story.book(r#"{"op":"confirm_clock","key":"cc"}"#);
    story.ledger.close().unwrap();
    // A restore makes a second writer.
    let second = folder.join("rich.ledger");
    let story = Story { ledger: options.clone().restore(&first, &second).unwrap(), clock };
    // A hub with two devices, one of them expelled.
    let public_key = "5".repeat(64);
    story.book(&format!(r#"{{"op":"become_hub","key":"hub","public_key":"{public_key}","name":"office"}}"#));
    for (device, rights) in [("1", "recharge"), ("2", "refund")] {
        story.book(&format!(
            r#"{{"op":"admit","key":"{device}","device":"00000000-0000-4000-8000-00000000000{device}","public_key":"{public_key}","name":"kiosk","rights":"{rights}"}}"#
        ));
    }
    story.book(r#"{"op":"expel","key":"2","device":"00000000-0000-4000-8000-000000000002","reason":"lost"}"#);
    story.book(r#"{"op":"recharge","account":"erin","key":"r6","points":60,"source":"wxpay"}"#);
    from_a_device(&story, &options, folder);
    for key in ["a1", "a2", "a3"] {
        story.book(&format!(
            r#"{{"op":"allot","account":"erin","key":"{key}","device":"00000000-0000-4000-8000-000000000001","points":4,"spend_until":"2027-02-01T00:00:00Z"}}"#
        ));
    }
    let allotted = story.ledger.allotments(&Query::new()).unwrap().items;
    story.book(&format!(r#"{{"op":"recall","allotment":"{}","key":"a1"}}"#, allotted[0].allotment));
    story.book(&format!(
        r#"{{"op":"allot_write_off","allotment":"{}","key":"a2","reason":"lost"}}"#,
        allotted[1].allotment
    ));
    story.book(r#"{"op":"hold","account":"erin","key":"h4","points":25,"service":"video","deadline_seconds":3600}"#);
    story.book(r#"{"op":"hold","account":"erin","key":"h5","points":5,"deadline_seconds":7200}"#);
    // A clock known to be right takes time back.
    story.later(DAY);
    story.book(r#"{"op":"consume","account":"erin","key":"c3","points":1}"#);
    story.clock.set(story.clock.now() - chrono::TimeDelta::hours(2));
    story.clock.set_trusted(true);
    story.book(r#"{"op":"consume","account":"erin","key":"c4","points":1}"#);
    story.clock.set_trusted(false);
    // What a sweep was the last to touch may or may not know of that.
    for account in ["alice", "bob", "carol", "dave", "gail"] {
        story.book(&format!(r#"{{"op":"set_limit","account":"{account}","key":"sl","credit_limit":40}}"#));
    }
    assert!(story.ledger.verify().unwrap().ok, "{:#?}", story.ledger.verify().unwrap().faults);
    story.ledger.close().unwrap();
    second
}

/// Tables that only a device fills.
pub const HEARD: [&str; 3] = ["base", "foreign_id", "received"];

/// A device that has heard of accounts twice, with something of every sort pending.
pub fn heard(folder: &Path) -> PathBuf {
    let pair = Pair::with(&allotted());
    let hub = |line: &str| pair.hub.apply(&Request::parse(line).unwrap()).unwrap();
    let kiosk = |line: &str| pair.kiosk.apply(&Request::parse(line).unwrap()).unwrap();
    hub(
        r#"{"op":"recharge","account":"alice","key":"1","points":90,"source":"wxpay","expires_in_days":9,"rollover":{"cap":4,"expires_in_days":3}}"#,
    );
    hub(
        r#"{"op":"plan","account":"alice","key":"2","points":6,"source":"gift","every_months":1,"expires_at":"period_end"}"#,
    );
    hub(r#"{"op":"consume","account":"alice","key":"3","points":40}"#);
    hub(r#"{"op":"hold","account":"alice","key":"4","points":5,"deadline_seconds":7200}"#);
    let owed = hub(r#"{"op":"recharge","account":"bob","key":"1","points":9,"source":"wxpay"}"#).batch.unwrap().batch;
    hub(r#"{"op":"consume","account":"bob","key":"2","points":9}"#);
    hub(&format!(r#"{{"op":"revoke","batch":"{owed}","key":"3","points":"all","reason":"chargeback"}}"#));
    hub(r#"{"op":"consume","account":"bob","key":"4","points":7}"#);
    kiosk(r#"{"op":"recharge","account":"alice","key":"1","points":8,"source":"cash"}"#);
    kiosk(r#"{"op":"consume","account":"alice","key":"2","points":3,"service":"tts"}"#);
    let device = pair.kiosk.info().unwrap().device;
    let allot = |key: &str, points: i64| {
        hub(&format!(
            r#"{{"op":"allot","account":"alice","key":"{key}","device":"{device}","points":{points},"spend_until":"2027-01-12T00:00:00Z"}}"#
        ))
    };
    allot("1", 12);
    let recalled = allot("2", 3).operation;
    pair.reconcile(&["alice", "bob"]);
    kiosk(r#"{"op":"hold","account":"alice","key":"3","points":4,"deadline_seconds":7200}"#);
    kiosk(r#"{"op":"consume","account":"alice","key":"6","points":3,"policy":"strict"}"#);
    hub(&format!(r#"{{"op":"recall","allotment":"{recalled}","key":"3"}}"#));
    pair.advance(60);
    hub(r#"{"op":"consume","account":"alice","key":"5","points":1}"#);
    kiosk(r#"{"op":"consume","account":"alice","key":"4","points":2}"#);
    pair.reconcile(&["alice", "bob"]);
    kiosk(r#"{"op":"consume","account":"carol","key":"5","points":2}"#);
    pair.advance(3 * DAY);
    pair.kiosk.expire(None).unwrap();
    assert!(pair.kiosk.verify().unwrap().ok, "{:#?}", pair.kiosk.verify().unwrap().faults);
    let (path, copy) = (pair.kiosk.path(), folder.join("heard.ledger"));
    pair.kiosk.close().unwrap();
    std::fs::copy(path, &copy).unwrap();
    copy
}

/// The files, and which of their tables are looked at.
pub fn stories(folder: &Path) -> Vec<(PathBuf, String)> {
    let (rich, heard) = (rich(folder), heard(folder));
    let look = Connection::open(&rich).unwrap();
    let all = tables(&look).into_iter().filter(|table| !HEARD.contains(&table.as_str()));
    let mut stories: Vec<_> = all.map(|table| (rich.clone(), table)).collect();
    let told = ["ledger", "batch", "consume", "hold", "plan", "allocation", "allotment", "account"];
    stories.extend(HEARD.into_iter().chain(told).map(|table| (heard.clone(), table.to_string())));
    stories
}

/// What a third device did: booked, noted, set aside and approved or dismissed, flagged.
fn from_a_device(story: &Story, options: &Options, folder: &Path) {
    let kiosk = options.clone().create(folder.join("kiosk.ledger")).unwrap();
    let own = kiosk.new_signer().unwrap().key().public();
    let device = kiosk.info().unwrap().device;
    story.book(&format!(
        r#"{{"op":"admit","key":"3","device":"{device}","public_key":"{own}","name":"stand","rights":["recharge","refund"]}}"#
    ));
    kiosk.enrol(&Key::new("enrol").unwrap(), Enrol::new(&story.ledger.certificate(&device).unwrap())).unwrap();
    for line in [
        r#"{"op":"recharge","account":"erin","key":"r6","points":60,"source":"wxpay"}"#,
        r#"{"op":"recharge","account":"dave","key":"r5","points":6,"source":"wxpay"}"#,
        r#"{"op":"recharge","account":"stand 1","key":"r7","points":30,"source":"wxpay"}"#,
        r#"{"op":"consume","account":"stand 1","key":"c6","service":"tts","seconds":"21"}"#,
        r#"{"op":"hold","account":"stand 1","key":"h6","points":4,"service":"video","deadline_seconds":60}"#,
        r#"{"op":"consume","account":"carol","key":"c7","points":3}"#,
    ] {
        kiosk.apply(&Request::parse(line).unwrap()).unwrap();
    }
    let mut sent = Vec::new();
    kiosk.export(&mut sent, false).unwrap();
    story.ledger.exchange().import(std::io::Cursor::new(sent)).unwrap();
    let waits = story.ledger.staged(&Query::new()).unwrap().items;
    story.book(&format!(r#"{{"op":"approve","link":"{}","key":"a1","another":true}}"#, waits[0].link));
    story.book(&format!(r#"{{"op":"dismiss","link":"{}","key":"d1","reason":"told twice"}}"#, waits[1].link));
    let flag = &story.ledger.flags(&Query::new()).unwrap().items[0];
    story.book(&format!(r#"{{"op":"acknowledge","flagged":"{}","key":"f1","reason":"seen"}}"#, flag.flagged));
}

/// A copy of the file in which something was done that the library would never do.
pub fn tampered(original: &Path, name: &str, tamper: impl FnOnce(&Connection)) -> PathBuf {
    let copy = original.with_file_name(format!("{name}.ledger"));
    std::fs::copy(original, &copy).unwrap();
    let conn = Connection::open(&copy).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;").unwrap();
    let triggers: Vec<(String, String)> = rows(&conn, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
    for (name, _) in &triggers {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    tamper(&conn);
    for (_, sql) in &triggers {
        conn.execute_batch(sql).unwrap();
    }
    conn.close().unwrap();
    copy
}

fn rows(conn: &Connection, sql: &str) -> Vec<(String, String)> {
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// What verify says of a file; a file that does not even open says why.
fn verdict(path: &Path) -> Result<Verification, Error> {
    let ledger = Ledger::options().read_only(true).open(path)?;
    let verification = ledger.verify();
    drop(ledger);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    verification
}

/// The fault must name the table (or a table that depends on it), not just be there.
fn must_be_found(path: &Path, what: &str, names: &[&str]) {
    let said = match verdict(path) {
        Ok(verification) => {
            assert!(!verification.ok, "{what}: verify found nothing");
            verification
                .faults
                .iter()
                .map(|fault| format!("{} {}", fault.code, fault.place))
                .collect::<Vec<_>>()
                .join("\n")
        }
        Err(error) => {
            assert_eq!(error.code(), "corrupt", "{what}: {error}");
            error.to_string()
        }
    };
    assert!(names.iter().any(|name| said.contains(name)), "{what}: none of {names:?} is named in:\n{said}");
}

pub fn tables(conn: &Connection) -> Vec<String> {
    let list = rows(
        conn,
        "SELECT name, type FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    list.into_iter().map(|(name, _)| name).collect()
}

/// Columns, and those of the primary key.
pub fn columns(conn: &Connection, table: &str) -> (Vec<String>, Vec<String>) {
    let mut statement = conn.prepare(&format!("PRAGMA table_info({table})")).unwrap();
    let list: Vec<(String, i64)> =
        statement.query_map([], |row| Ok((row.get(1)?, row.get(5)?))).unwrap().map(Result::unwrap).collect();
    let mut key: Vec<(String, i64)> = list.iter().filter(|(_, place)| *place > 0).cloned().collect();
    key.sort_by_key(|(_, place)| *place);
    (list.into_iter().map(|(name, _)| name).collect(), key.into_iter().map(|(name, _)| name).collect())
}

/// Another value of the same type.
fn other(value: Value, table: &str, column: &str) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number + 1),
        Value::Text(text) => {
            Value::Text(if text.ends_with('}') { text.replacen('}', ",\"reference\":\"x\"}", 1) } else { text + "x" })
        }
        Value::Blob(mut bytes) => {
            match bytes.first_mut() {
                Some(first) => *first ^= 1,
                // A line that moved nothing moves a point now.
                None => bytes.extend([0x46, 0, 0, 1]),
            }
            Value::Blob(bytes)
        }
        Value::Null => null_becomes(table, column),
        Value::Real(_) => panic!("no column is floating point"),
    }
}

fn null_becomes(table: &str, column: &str) -> Value {
    match (table, column) {
        (_, "outcome") => Value::Text("{\"open\":1}".into()),
        (_, "service") => Value::Text("tts".into()),
        (_, "heard" | "foreign_terms" | "totals_change") => Value::Text("{}".into()),
        (_, "policy") => Value::Text("{}".into()),
        (_, "hub_ledger") => Value::Blob(vec![1; 16]),
        (_, "line") => Value::Text("{}".into()),
        (_, "hub_key" | "acked_hash") => Value::Blob(vec![1; 32]),
        (_, "terms") => Value::Text("{\"cap\":1,\"expires_in_days\":1}".into()),
        _ => Value::Integer(1),
    }
}

/// First, middle and last row, so that null and not null, old and new are all met.
fn some_rows(count: i64) -> BTreeSet<i64> {
    [0, count / 4, count / 2, count * 3 / 4, count - 1].into_iter().filter(|row| (0..count).contains(row)).collect()
}

/// What an entry or a batch keeps elsewhere is told as its own, and a chain by its links.
fn told(table: &str) -> &str {
    match table {
        "long_movements" => "entry",
        "rollover" => "batch",
        "chain" => "link",
        table => table,
    }
}

#[test]
fn every_column_of_every_table() {
    let folder = folder();
    let mut changed = 0;
    for (original, table) in stories(folder.path()) {
        let look = Connection::open(&original).unwrap();
        let (columns, key) = columns(&look, &table);
        let order = key.join(", ");
        let count: i64 = look.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(count > 0, "{table} is empty: the story must fill it");
        for column in &columns {
            for row in some_rows(count) {
                let place = format!("ORDER BY {order} LIMIT 1 OFFSET {row}");
                let value: Value =
                    look.query_row(&format!("SELECT {column} FROM {table} {place}"), [], |row| row.get(0)).unwrap();
                let what = format!("{table}.{column}, row {row}, {value:?}");
                let condition: Vec<String> =
                    key.iter().map(|key| format!("{key} = (SELECT {key} FROM {table} {place})")).collect();
                let sql = format!("UPDATE OR REPLACE {table} SET {column} = ?1 WHERE {}", condition.join(" AND "));
                let path = tampered(&original, "column", |conn| {
                    assert_eq!(conn.execute(&sql, [other(value, &table, column)]).unwrap(), 1, "{what}");
                });
                must_be_found(&path, &what, &[table.as_str(), told(&table), "chain", "operation"]);
                changed += 1;
            }
        }
    }
    assert!(changed > 250, "{changed}");
}

#[test]
fn every_deleted_row() {
    let folder = folder();
    for (original, table) in stories(folder.path()) {
        let look = Connection::open(&original).unwrap();
        let (_, key) = columns(&look, &table);
        let count: i64 = look.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        for row in some_rows(count) {
            let place = format!("ORDER BY {} LIMIT 1 OFFSET {row}", key.join(", "));
            let condition: Vec<String> =
                key.iter().map(|key| format!("{key} = (SELECT {key} FROM {table} {place})")).collect();
            let sql = format!("DELETE FROM {table} WHERE {}", condition.join(" AND "));
            let path = tampered(&original, "deleted", |conn| assert_eq!(conn.execute(&sql, []).unwrap(), 1));
            let told = told(&table);
            must_be_found(&path, &format!("{table}, row {row} deleted"), &[table.as_str(), told, "chain", "operation"]);
        }
    }
}

#[test]
fn every_inserted_row() {
    let folder = folder();
    for (original, table) in stories(folder.path()) {
        let look = Connection::open(&original).unwrap();
        let (columns, key) = columns(&look, &table);
        // A copy of the last row under the next key; texts and hashes that must be unique get an x, or a flipped bit.
        let chosen: Vec<String> = columns
            .iter()
            .map(|column| match (key.last() == Some(column), column.as_str()) {
                (true, _) => format!("{column} + 1"),
                (_, "id") if table == "foreign_id" => "randomblob(16)".into(),
                (_, "key" | "id") => format!("{column} || 'x'"),
                (_, "hash") => "randomblob(32)".into(),
                (_, "tag") => "tag + 1".into(),
                _ => column.clone(),
            })
            .collect();
        let order: Vec<String> = key.iter().map(|key| format!("{key} DESC")).collect();
        let sql = format!(
            "INSERT INTO {table} SELECT {} FROM {table} ORDER BY {} LIMIT 1",
            chosen.join(", "),
            order.join(", ")
        );
        let path = tampered(&original, "inserted", |conn| assert_eq!(conn.execute(&sql, []).unwrap(), 1));
        must_be_found(
            &path,
            &format!("{table}, a row too many"),
            &[table.as_str(), told(&table), "chain", "operation"],
        );
    }
}

#[test]
fn swapped_pairs_and_a_cut_tail() {
    let folder = folder();
    let original = rich(folder.path());
    let cases = [
        (
            "two operations swapped",
            "UPDATE operation SET seq = 100000 WHERE seq = 5; UPDATE operation SET seq = 5 WHERE seq = 6; UPDATE operation SET seq = 6 WHERE seq = 100000;",
        ),
        (
            "two entries swapped",
            "UPDATE entry SET n = 100000 WHERE account = 1 AND n = 2; UPDATE entry SET n = 2 WHERE account = 1 AND n = 3; UPDATE entry SET n = 3 WHERE account = 1 AND n = 100000;",
        ),
        (
            "two accounts swapped",
            "UPDATE account SET id = 'zz' WHERE no = 1; UPDATE account SET id = 'alice' WHERE no = 2; UPDATE account SET id = 'bob' WHERE no = 1;",
        ),
        ("the tail of the log cut", "DELETE FROM operation WHERE seq = (SELECT length FROM ledger);"),
        (
            "the tail cut and the length with it",
            "DELETE FROM operation WHERE seq = (SELECT length FROM ledger); UPDATE ledger SET length = length - 1;",
        ),
        (
            "the tail cut, head and length with it",
            "DELETE FROM operation WHERE seq = (SELECT length FROM ledger); UPDATE ledger SET length = length - 1, head = (SELECT hash FROM operation ORDER BY seq DESC LIMIT 1);",
        ),
        (
            "a whole account gone",
            "DELETE FROM entry WHERE account = 5; DELETE FROM batch WHERE account = 5; DELETE FROM hold WHERE account = 5; DELETE FROM account WHERE no = 5;",
        ),
        (
            "a batch given more, in step with its account",
            "UPDATE batch SET amount = amount + 5, remaining = remaining + 5 WHERE account = 5; UPDATE account SET available = available + 5, recharged = recharged + 5 WHERE no = 5;",
        ),
    ];
    for (what, sql) in cases {
        let path = tampered(&original, "cases", |conn| conn.execute_batch(sql).unwrap());
        must_be_found(&path, what, &["operation", "chain", "account", "entry", "length", "head"]);
    }
}

/// Story: an old backup was put back beside the -wal of the newer file. SQLite's own check found nothing wrong, and the
/// balances were. Pages of two states are mixed here the same way.
#[test]
fn a_stale_wal_that_leaves_a_mixture() {
    let folder = folder();
    let (old, path) = (folder.path().join("old"), folder.path().join("now.ledger"));
    let ledger = Ledger::create(&path).unwrap();
    let book = |ledger: &Ledger, from: i64, to: i64| {
        for n in from..to {
            let line = format!(
                r#"{{"op":"recharge","account":"a{}","key":"r{n}","points":{},"source":"wxpay"}}"#,
                n % 7,
                n + 1
            );
            ledger.apply(&Request::parse(&line).unwrap()).unwrap();
        }
    };
    book(&ledger, 0, 60);
    ledger.close().unwrap();
    std::fs::copy(&path, &old).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    book(&ledger, 60, 90);
    // Folded in, so that the next frames build on a newer file than the old one.
    ledger.close().unwrap();
    let ledger = Ledger::open(&path).unwrap();
    book(&ledger, 90, 93);
    let wal = folder.path().join("wal");
    // Plain copies of a file in use: the test process gives its locks up, which is what must never happen in the library.
    std::fs::copy(format!("{}-wal", path.display()), &wal).unwrap();
    drop(ledger);
    let mixed = folder.path().join("mixed.ledger");
    std::fs::copy(&old, &mixed).unwrap();
    std::fs::copy(&wal, format!("{}-wal", mixed.display())).unwrap();
    must_be_found(
        &mixed,
        "a mixture",
        &["operation", "chain", "account", "entry", "integrity", "head", "length", "damaged", "malformed", "image"],
    );
}

/// The one thing a file cannot tell of itself: that it is a whole older state. Whoever noted head and length can.
#[test]
fn an_older_valid_state_is_told_only_by_head_and_length() {
    let folder = folder();
    let path = folder.path().join("now.ledger");
    let ledger = Ledger::create(&path).unwrap();
    let line = |n: i64| format!(r#"{{"op":"recharge","account":"a","key":"r{n}","points":1,"source":"wxpay"}}"#);
    ledger.apply(&Request::parse(&line(1)).unwrap()).unwrap();
    ledger.close().unwrap();
    let old = folder.path().join("old.ledger");
    std::fs::copy(&path, &old).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    ledger.apply(&Request::parse(&line(2)).unwrap()).unwrap();
    let noted = ledger.info().unwrap();
    ledger.close().unwrap();
    let ledger = Ledger::open(&old).unwrap();
    assert!(ledger.verify().unwrap().ok);
    let found = ledger.info().unwrap();
    assert_eq!((noted.operations, found.operations), (2, 1));
    assert_ne!(noted.head, found.head);
}

/// What was cut or edited is not covered by what is booked afterwards.
#[test]
fn evidence_outlives_what_is_booked_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = Ledger::create(&path).unwrap();
    let book = |ledger: &Ledger, key: &str| {
        let line = format!(r#"{{"op":"recharge","account":"alice","key":"{key}","points":9,"source":"wxpay"}}"#);
        ledger.apply(&Request::parse(&line).unwrap()).unwrap();
    };
    ["1", "2", "3"].iter().for_each(|key| book(&ledger, key));
    ledger.close().unwrap();
    for (name, sql, code) in [
        ("cut", "DELETE FROM operation WHERE seq = 3", "operation_missing"),
        ("head", "UPDATE ledger SET head = zeroblob(32)", "head_mismatch"),
        ("length", "UPDATE ledger SET length = 2", "head_mismatch"),
    ] {
        let copy = tampered(&path, name, |conn| conn.execute_batch(sql).unwrap());
        let ledger = Ledger::open(&copy).unwrap();
        book(&ledger, "4");
        ledger.flush().unwrap();
        book(&ledger, "5");
        ledger.close().unwrap();
        let faults = verdict(&copy).unwrap().faults;
        assert!(faults.iter().any(|fault| fault.code == code), "{name}: {faults:?}");
    }
}

// A line that told of the wrong batch, while all figures were right, was once found by the replay alone.
#[test]
fn a_movement_of_another_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.ledger");
    let ledger = Ledger::create(&path).unwrap();
    for line in [
        r#"{"op":"recharge","account":"alice","key":"r1","points":9,"source":"wxpay","expires_in_days":60}"#,
        r#"{"op":"recharge","account":"alice","key":"r2","points":9,"source":"wxpay","expires_in_days":90}"#,
        r#"{"op":"consume","account":"alice","key":"c1","points":5}"#,
    ] {
        ledger.apply(&Request::parse(line).unwrap()).unwrap();
    }
    ledger.close().unwrap();
    let copy = tampered(&path, "moved", |conn| {
        let stored: Vec<u8> =
            conn.query_row("SELECT movements FROM entry WHERE kind = 4", [], |row| row.get(0)).unwrap();
        // Five points from available to used, of the batch of the first operation; then of the second.
        assert_eq!(stored, [0x46, 0x81, 0x80, 0x40, 0, 5]);
        let other = [0x46, 0x81, 0x80, 0x80, 0x01, 0, 5];
        conn.execute("UPDATE entry SET movements = ?1 WHERE kind = 4", [other]).unwrap();
    });
    let found = verdict(&copy).unwrap().faults;
    let wrong: Vec<String> =
        found.iter().filter(|fault| fault.code == "i13_batch").map(|it| it.place.clone()).collect();
    let first = ["batch 1048577 remaining", "batch 1048577 used"];
    assert_eq!(wrong, [&first[..], &["batch 2097153 remaining", "batch 2097153 used"]].concat());
}
