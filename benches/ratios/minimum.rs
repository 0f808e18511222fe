//! The least a charge can be: what one would write by hand to keep the same promises about points, and nothing more. No
//! log, no chain, no holds, no settings. It sits on the same SQLite with the same settings, so that only the work differs.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Statement};

/// What a careful person would declare: strict types, checks, foreign keys, and a unique key so that nothing is charged twice.
const SCHEMA: &str = "
CREATE TABLE account (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    available INTEGER NOT NULL CHECK (available >= 0),
    debt INTEGER NOT NULL CHECK (debt >= 0),
    consumed INTEGER NOT NULL,
    expired INTEGER NOT NULL
) STRICT;
CREATE TABLE batch (
    no INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (no),
    amount INTEGER NOT NULL,
    remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    expires_at INTEGER NOT NULL,
    live INTEGER NOT NULL
) STRICT;
CREATE INDEX batch_draw ON batch (account, expires_at) WHERE live = 1;
CREATE TABLE entry (
    no INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (no),
    key TEXT,
    kind INTEGER NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0),
    before INTEGER NOT NULL,
    after INTEGER NOT NULL,
    booked_at INTEGER NOT NULL,
    UNIQUE (account, key)
) STRICT;
CREATE TABLE allocation (
    entry INTEGER NOT NULL REFERENCES entry (no),
    batch INTEGER NOT NULL REFERENCES batch (no),
    points INTEGER NOT NULL CHECK (points > 0),
    PRIMARY KEY (entry, batch)
) STRICT, WITHOUT ROWID;
";

const SQL: [&str; 10] = [
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SELECT no, available, debt FROM account WHERE id = ?1",
    "SELECT no, remaining FROM batch WHERE account = ?1 AND live = 1 AND expires_at > ?2 ORDER BY expires_at",
    "UPDATE batch SET remaining = remaining - ?2 WHERE no = ?1",
    "UPDATE batch SET remaining = 0, live = 0 WHERE no = ?1",
    "UPDATE account SET available = ?2, debt = ?3, consumed = consumed + ?4 WHERE no = ?1",
    "INSERT INTO entry (account, key, kind, points, before, after, booked_at) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)",
    "INSERT INTO allocation (entry, batch, points) VALUES (?1, ?2, ?3)",
];
const BEGIN: usize = 0;
const COMMIT: usize = 1;
const ROLLBACK: usize = 2;
const ACCOUNT: usize = 3;
const LIVE: usize = 4;
const DRAW: usize = 5;
const DRAIN: usize = 6;
const PAY: usize = 7;
const ENTRY: usize = 8;
const ALLOCATE: usize = 9;

/// A batch far from its end.
pub(crate) const LATER: i64 = 4_000_000_000_000;

/// Makes a file with one account, and `batches` batches of a million million points.
pub(crate) fn create(path: &Path, account: &str, batches: i64) {
    let conn = connect(path, false);
    conn.execute_batch(SCHEMA).unwrap();
    let points = 1_000_000_000_000;
    let all = points * batches;
    conn.execute("INSERT INTO account VALUES (1, ?1, ?2, 0, 0, 0)", (account, all)).unwrap();
    for no in 1..=batches {
        conn.execute("INSERT INTO batch VALUES (?1, 1, ?2, ?2, ?3, 1)", (no, points, LATER)).unwrap();
    }
}

/// Opens a connection with counterfoil's settings. `full`: a commit waits for the disk.
pub(crate) fn connect(path: &Path, full: bool) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.busy_timeout(Duration::from_secs(5)).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" }).unwrap();
    conn.pragma_update(None, "cache_size", -16_000).unwrap();
    conn.pragma_update(None, "cell_size_check", true).unwrap();
    conn.pragma_update(None, "journal_size_limit", 16 << 20).unwrap();
    conn.pragma_update(None, "wal_autocheckpoint", 1_000).unwrap();
    conn.set_prepared_statement_cache_capacity(SQL.len() + 8);
    conn
}

/// A durable connection that waits for other processes as counterfoil's do: in short equal steps, not ever longer ones.
pub(crate) fn patient(path: &Path) -> Connection {
    let conn = connect(path, true);
    let again = |tries: i32| {
        std::thread::sleep(Duration::from_micros(if tries < 20 { 50 } else { 250 }));
        true
    };
    conn.busy_handler(Some(again)).unwrap();
    conn
}

/// Where statements come from: held ones, or the connection's cache. Held ones belong to one thread.
pub(crate) trait Statements {
    fn with<T>(
        &mut self,
        which: usize,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T>;
}

/// Statements prepared once.
pub(crate) struct Held<'c>([Statement<'c>; SQL.len()]);

impl<'c> Held<'c> {
    pub(crate) fn new(conn: &'c Connection) -> Self {
        Held(SQL.map(|sql| conn.prepare(sql).unwrap()))
    }
}

impl Statements for Held<'_> {
    fn with<T>(
        &mut self,
        which: usize,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        work(&mut self.0[which])
    }
}

impl Statements for &Connection {
    fn with<T>(
        &mut self,
        which: usize,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        work(&mut *self.prepare_cached(SQL[which])?)
    }
}

/// The computer's clock, in milliseconds.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// One charge, inside a transaction; the account's balance after it.
pub(crate) fn charge(on: &mut impl Statements, account: &str, key: &str, points: i64) -> rusqlite::Result<i64> {
    let now = now();
    let (no, available, debt): (i64, i64, i64) =
        on.with(ACCOUNT, |s| s.query_row([account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))?;
    // As many batches as it takes: (batch, what is left of it, what it pays).
    let mut open = points;
    let mut drawn: Vec<(i64, i64, i64)> = Vec::new();
    on.with(LIVE, |s| {
        let mut rows = s.query((no, now))?;
        while open > 0
            && let Some(row) = rows.next()?
        {
            let (batch, remaining): (i64, i64) = (row.get(0)?, row.get(1)?);
            let pays = remaining.min(open);
            open -= pays;
            drawn.push((batch, remaining, pays));
        }
        Ok(())
    })?;
    let before = available - debt;
    let (available, debt) = (available - (points - open), debt + open);
    for &(batch, remaining, pays) in &drawn {
        if remaining == pays {
            on.with(DRAIN, |s| s.execute([batch]))?;
        } else {
            on.with(DRAW, |s| s.execute([batch, pays]))?;
        }
    }
    on.with(PAY, |s| s.execute([no, available, debt, points]))?;
    let entry = on.with(ENTRY, |s| s.insert((no, key, points, before, available - debt, now)))?;
    for (batch, _, pays) in drawn {
        on.with(ALLOCATE, |s| s.execute([entry, batch, pays]))?;
    }
    Ok(available - debt)
}

/// One transaction.
pub(crate) fn transaction<S: Statements, T>(
    on: &mut S,
    work: impl FnOnce(&mut S) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    on.with(BEGIN, |s| s.execute([]))?;
    let done = work(on).and_then(|done| on.with(COMMIT, |s| s.execute([])).map(|_| done));
    if done.is_err() {
        let _ = on.with(ROLLBACK, |s| s.execute([]));
    }
    done
}

/// Adds accounts with batches that are due, of five points each.
pub(crate) fn fall_due(conn: &Connection, accounts: i64, each: i64) {
    conn.execute_batch("BEGIN").unwrap();
    let mut account = conn.prepare("INSERT INTO account VALUES (?1, ?2, ?3, 0, 0, 0)").unwrap();
    let sql = "INSERT INTO batch (account, amount, remaining, expires_at, live) VALUES (?1, 5, 5, 1, 1)";
    let mut batch = conn.prepare(sql).unwrap();
    for no in 2..accounts + 2 {
        account.execute((no, format!("due {no:08}"), 5 * each)).unwrap();
        for _ in 0..each {
            batch.execute([no]).unwrap();
        }
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Expires everything that is due, in one transaction; how many batches.
pub(crate) fn expire(conn: &Connection) -> u64 {
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let now = now();
    let mut accounts = conn.prepare("SELECT no, available, debt FROM account").unwrap();
    let mut due = conn
        .prepare(
            "SELECT no, remaining FROM batch WHERE account = ?1 AND live = 1 AND expires_at <= ?2 ORDER BY expires_at",
        )
        .unwrap();
    let mut drain = conn.prepare(SQL[DRAIN]).unwrap();
    let sql = "INSERT INTO entry (account, kind, points, before, after, booked_at) VALUES (?1, 2, ?2, ?3, ?4, ?5)";
    let mut entry = conn.prepare(sql).unwrap();
    let sql = "UPDATE account SET available = ?2, expired = expired + ?3 WHERE no = ?1";
    let mut lose = conn.prepare(sql).unwrap();
    let all = accounts.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let all: Vec<(i64, i64, i64)> = all.collect::<rusqlite::Result<_>>().unwrap();
    let mut expired = 0;
    for (account, mut available, debt) in all {
        let batches = due.query_map((account, now), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let batches: Vec<(i64, i64)> = batches.collect::<rusqlite::Result<_>>().unwrap();
        let mut lost = 0;
        for (batch, remaining) in batches {
            drain.execute([batch]).unwrap();
            available -= remaining;
            lost += remaining;
            entry.execute((account, remaining, available + remaining - debt, available - debt, now)).unwrap();
            expired += 1;
        }
        lose.execute([account, available, lost]).unwrap();
    }
    conn.execute_batch("COMMIT").unwrap();
    expired
}
