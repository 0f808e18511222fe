use std::collections::BTreeSet;

use super::*;
use crate::db::Connection;
use crate::engine::{Books, Context, Source, Verdict, catch_up, run};
use crate::model::{Command, OpKind, Request, Writer};
use crate::pricing::PriceBook;
use crate::store::{BookCache, NewLedger, SqlSource};
use crate::units::{Instant, Reading};

const START: i64 = 1_790_000_000_000;
const HOUR: i64 = 3_600_000;
const BOOK: &str = "expiration_days = 10\n[fixed_costs]\nscript = 3\n";

/// A file in a folder of its own, and a writer without queue or durability.
struct File {
    conn: Connection,
    cache: BookCache,
    book: PriceBook,
    now: i64,
    next_key: i64,
    _folder: tempfile::TempDir,
}

fn at(millis: i64) -> String {
    Instant::clamped(millis).to_string()
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.ledger");
        let new = NewLedger::random(Instant::clamped(START));
        let path = store::create(&path, &new).unwrap().path;
        let (cache, book) = (BookCache::default(), PriceBook::parse(BOOK, "test").unwrap());
        File { conn: Connection::open(path).unwrap(), cache, book, now: START, next_key: 0, _folder: folder }
    }

    fn session(&self) -> Session<'_> {
        Session::new(&self.conn)
    }

    fn run(&mut self, op: &str, fields: &str) -> Option<i64> {
        self.next_key += 1;
        let line = format!(
            r#"{{"op":"{op}","key":"k{}"{}{fields}}}"#,
            self.next_key,
            if fields.is_empty() { "" } else { "," }
        );
        self.command(&Command::parse(&Request::parse(&line).unwrap()).unwrap(), false, None)
    }

    fn command(&mut self, command: &Command, trusted: bool, writer: Option<Writer>) -> Option<i64> {
        loop {
            match self.attempt(command, trusted, writer) {
                Some(0) => {}
                other => return other,
            }
        }
    }

    /// 0: a step of catch-up was written, and it is to be tried again.
    fn attempt(&mut self, command: &Command, trusted: bool, writer: Option<Writer>) -> Option<i64> {
        self.conn.execute_batch("BEGIN").unwrap();
        let mut ledger = self.session().ledger().unwrap();
        if let Some(writer) = writer {
            ledger.writer = (store::add_writer(&self.session(), writer, ledger.length + 1).unwrap(), writer);
        }
        let reading = Reading { at: Instant::clamped(self.now), trusted };
        let verdict = {
            let session = self.session();
            let source = SqlSource::new(&session, &self.cache);
            let context = Context { ledger: &ledger, reading, time: None, book: Some(&self.book), limit: 1 };
            run(&source, context, command)
        };
        let booked = match verdict {
            Ok(Verdict::Booked(booked)) => booked,
            Ok(Verdict::CatchUp(changes))
                if changes.entries.iter().any(|entry| entry.booked_at > ledger.clock.accepted_at) =>
            {
                self.conn.execute_batch("ROLLBACK").unwrap();
                self.record(trusted);
                return Some(0);
            }
            Ok(Verdict::CatchUp(changes)) => {
                let session = self.session();
                store::apply(&session, &changes).unwrap();
                session.finish().unwrap();
                self.conn.execute_batch("COMMIT").unwrap();
                return Some(0);
            }
            Ok(Verdict::Replayed(_)) => panic!("{command:?}: replayed"),
            Err(error) if error.code() == "corrupt" => panic!("{command:?}: {error}"),
            Err(_) => {
                self.conn.execute_batch("ROLLBACK").unwrap();
                return None;
            }
        };
        if let Some((no, book)) = &booked.new_book {
            store::insert_price_book(&self.session(), *no, book).unwrap();
        }
        // The operation first, for the foreign keys.
        assert!(store::append_operation(&self.session(), &booked.operation).unwrap());
        let session = self.session();
        store::apply(&session, &booked.changes).unwrap();
        session.set_ledger(&booked.ledger).unwrap();
        session.finish().unwrap();
        // As after a close.
        store::write_head(&self.session()).unwrap();
        self.conn.execute_batch("COMMIT").unwrap();
        Some(booked.operation.seq)
    }

    fn writer(&self) -> Writer {
        self.session().ledger().unwrap().writer.1
    }

    fn restore(&mut self) {
        let key = crate::model::Key::new("restored").unwrap();
        let command = Command::stored(OpKind::Restore, None, key, &crate::model::Request::default()).unwrap();
        let writer = Writer { epoch: self.writer().epoch % 1000 + 1, ..self.writer() };
        self.command(&command, false, Some(writer)).unwrap();
    }

    /// Books the reading by itself.
    fn record(&mut self, trusted: bool) {
        let key = crate::model::Key::new(format!("expire {}", self.next_key)).unwrap();
        self.next_key += 1;
        self.command(&Command::own(OpKind::Expire, key), trusted, None).unwrap();
    }

    fn sweep(&mut self, account: i64) {
        self.conn.execute_batch("BEGIN").unwrap();
        let session = self.session();
        let source = SqlSource::new(&session, &self.cache);
        if source.account(account).unwrap().is_some() {
            let mut books = Books::new(&source);
            let ledger = session.ledger().unwrap();
            let until = Instant::clamped(self.now).min(ledger.clock.accepted_at);
            assert!(catch_up(&mut books, account, until, 1_000_000).unwrap());
            books.know_steps(ledger.clock.steps_back).unwrap();
            let changes = books.take_changes().unwrap();
            store::apply(&session, &changes).unwrap();
            session.finish().unwrap();
        }
        self.conn.execute_batch("COMMIT").unwrap();
    }

    fn verify(&self) -> Verification {
        verify(&self.session(), None, &mut |_| Ok(())).unwrap()
    }
}

/// A little of everything, so that no column of the file is without a value somewhere.
fn rich() -> File {
    let mut f = File::new();
    let expiring =
        |hours: i64| format!(r#""account":"a","points":100,"source":"x","expires_at":"{}""#, at(START + hours * HOUR));
    f.run("recharge", &expiring(5)).unwrap();
    let paid = f.run("consume", r#""account":"a","service":"script","occurred_at":"2026-01-01T00:00:00Z""#).unwrap();
    f.run("configure", r#""setting":"late_window","value":60"#).unwrap();
    f.run("configure", r#""setting":"max_clock_jump","value":864000"#).unwrap();
    let hold = f.run("hold", r#""account":"a","points":20,"service":"script","deadline_seconds":7200"#).unwrap();
    f.run("hold", r#""account":"a","points":7,"deadline_seconds":7200"#).unwrap();
    f.run("capture", &format!(r#""hold":"{}","points":12"#, f.writer().hold(hold))).unwrap();
    let debt = f.run("consume", r#""account":"b","points":30"#).unwrap();
    let gift = f.run("recharge", r#""account":"c","points":50,"source":"gift","promo":true,"priority":10"#).unwrap();
    f.run("consume", r#""account":"c","points":20"#).unwrap();
    let batch = f.writer().batch(crate::model::batch_no(gift, 1));
    f.run("revoke", &format!(r#""batch":"{batch}","points":40,"reason":"chargeback""#)).unwrap();
    f.run("refund", &format!(r#""operation":"{}","points":5,"reason":"r""#, f.writer().operation(debt))).unwrap();
    f.run("write_off", r#""account":"b","points":4,"reason":"r""#).unwrap();
    f.run("transfer", r#""account":"a","to":"d","points":30"#).unwrap();
    let later = at(START + 30 * HOUR);
    f.run(
        "recharge",
        &format!(r#""account":"d","points":9,"source":"x","effective_at":"{later}","expires_at":"never""#),
    )
    .unwrap();
    f.restore();
    f.now += 3 * HOUR;
    f.sweep(1);
    f.run("refund", &format!(r#""operation":"{}","points":"all","reason":"r""#, f.writer_of(paid))).unwrap();
    f.run("open", r#""account":"e","credit_limit":40"#).unwrap();
    f.run("hold", r#""account":"e","points":25,"deadline_seconds":3600"#).unwrap();
    f.now += 3 * HOUR;
    f.sweep(1);
    f.sweep(4);
    f
}

impl File {
    /// The id of an operation booked before the restore.
    fn writer_of(&self, seq: i64) -> String {
        let writers = store::writer_page(&self.session(), 0, 9).unwrap();
        writers.first().unwrap().writer.operation(seq).to_string()
    }

    fn columns(&self, table: &str) -> Vec<(String, String)> {
        let mut statement = self.conn.prepare(&format!("SELECT name, type FROM pragma_table_info('{table}')")).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

#[test]
fn a_sound_file_has_no_fault() {
    let f = rich();
    let verification = f.verify();
    assert_eq!(verification.faults, []);
    assert!(verification.ok);
    let c = verification.checked;
    assert_eq!((c.operations, c.replayed, c.writers, c.price_books), (c.replayed, c.operations, 2, 1));
    assert!(c.entries > c.operations && c.accounts == 5 && c.batches == 4 && c.holds == 3 && c.consumes > 2, "{c:?}");
    let quick = verify_quick(&f.session(), &mut |_| Ok(())).unwrap();
    assert_eq!(quick.faults, []);
    assert_eq!(verify(&File::new().session(), None, &mut |_| Ok(())).unwrap().faults, []);
    assert_eq!(verify_quick(&File::new().session(), &mut |_| Ok(())).unwrap().faults, []);
}

/// Drops what stands in the way of a hand that changes the file.
const UNGUARD: &str = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;";

/// Columns that are inputs, not results: only the chain tells that one was changed.
const HASHED: [(&str, &str); 6] = [
    ("writer", "device"),
    ("writer", "epoch"),
    ("account", "id"),
    ("operation", "kind"),
    ("operation", "key"),
    ("operation", "recorded_at"),
];
const KEYS: [(&str, &str); 7] = [
    ("ledger", "id"),
    ("hold", "operation"),
    ("allocation", "owner"),
    ("operation", "seq"),
    ("operation", "account"),
    ("consume", "operation"),
    ("allocation", "rank"),
];

#[test]
fn every_changed_column_is_found_and_named() {
    changed_columns(
        &rich(),
        &["ledger", "writer", "price_book", "account", "operation", "entry", "batch", "hold", "consume", "allocation"],
    );
}

fn changed_columns(f: &File, tables: &[&str]) {
    let triggers: Vec<String> = {
        let mut statement = f.conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut silent = Vec::new();
    f.conn.execute_batch(UNGUARD).unwrap();
    for table in tables.iter().copied() {
        for (column, kind) in f.columns(table) {
            let change = match kind.as_str() {
                "INTEGER" if ["n", "rank", "owner", "account"].contains(&column.as_str()) => format!("{column} + 100"),
                "INTEGER" => format!("ifnull({column}, 0) + 1"),
                "TEXT" => format!("ifnull({column}, '') || ' '"),
                _ => format!(
                    "CASE WHEN {column} IS NULL THEN zeroblob(16) ELSE CAST(substr({column}, 2) || substr({column}, 1, 1) AS BLOB) END"
                ),
            };
            // The last row that has a value there, or simply the last.
            let key = if ["entry", "allocation"].contains(&table) {
                ""
            } else {
                "WHERE rowid = (SELECT max(rowid) FROM {t})"
            };
            let pick = key.replace("{t}", table);
            let pick = match table {
                "entry" => "WHERE account = 1 AND n = 3".to_string(),
                "allocation" => {
                    "WHERE (owner, rank) = (SELECT owner, rank FROM allocation ORDER BY owner LIMIT 1)".to_string()
                }
                _ => pick,
            };
            f.conn.execute_batch("BEGIN").unwrap();
            for trigger in &triggers {
                f.conn.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
            }
            let changed = f.conn.execute(&format!("UPDATE {table} SET {column} = {change} {pick}"), []).unwrap();
            assert_eq!(changed, 1, "{table}.{column}");
            let verification = f.verify();
            f.conn.execute_batch("ROLLBACK").unwrap();
            let named = verification.faults.iter().any(|fault| {
                let whole = format!("{} {}", fault.place, fault.found);
                let by_name = whole.contains(table) && whole.contains(column.as_str());
                // A hash says that something of what it covers has changed, a lost key that the row is gone.
                let by_hash = fault.code == "chain_broken" && HASHED.contains(&(table, column.as_str()));
                let by_key = KEYS.contains(&(table, column.as_str())) && whole.contains(table);
                by_name || by_hash || by_key
            });
            if !named {
                silent.push(format!("{table}.{column}: {:?}", verification.faults.iter().take(4).collect::<Vec<_>>()));
            }
            assert!(!verification.ok, "{table}.{column} {change}: nothing found");
        }
    }
    assert!(silent.is_empty(), "not named:\n{}", silent.join("\n"));
}

/// A device that has heard of an account, with something pending of every kind.
fn device() -> File {
    let mut f = File::new();
    let writer = f.writer();
    let hash = |n: u8| crate::hash::Hash::of(&[n]).to_string();
    f.run(
        "enrol",
        &format!(
            r#""device":"{}","hub":"{}","hub_key":"{}","public_key":"{}","name":"k","rights":["recharge","refund"],"late_window":86400,"max_hold":86400,"max_clock_jump":8640000"#,
            writer.device,
            uuid::Uuid::from_u128(9),
            hash(1),
            hash(2)
        ),
    )
    .unwrap();
    f.run("recharge", r#""account":"a","points":9,"source":"x","expires_at":"never""#).unwrap();
    f.run("consume", r#""account":"a","points":4"#).unwrap();
    f.run("hold", r#""account":"a","points":5,"deadline_seconds":7200"#).unwrap();
    f.now += 1000;
    let hub = Writer { device: uuid::Uuid::from_u128(8), epoch: 3 };
    let (batch, consume) = (hub.batch(crate::model::batch_no(4, 1)), hub.operation(5));
    let hold = hub.hold(6);
    let line = |used: i64, left: i64| {
        format!(
            r#"{{"a":"a","state":"active","limit":0,"last":{START},"totals":[107,{},0,0,0,0,0,0,0,0,0],"rest":[7,0,0,0],"b":[["{batch}",null,"wxpay",0,50,100,{left},5,{used},0,0,0,0,5,null,null,7,0,1,null,0,0,0]],"c":[],"h":[["{hold}",5,0,{},[["{batch}",5]]]],"l":[],"pl":[]}}"#,
            used + 7,
            START + 7_200_000
        )
    };
    let nothing = r#"{"a":"b","state":"active","limit":0,"last":5,"totals":[0,9,0,0,0,0,0,0,0,0,0],"rest":[0,0,0,0],"b":[],"c":[["C",null,9,9,0,0,null,[]]],"h":[],"l":[],"pl":[]}"#;
    for (seq, line) in [(20, line(40, 55)), (30, line(60, 35))] {
        let position = crate::model::HubPosition { epoch: 3, seq, hash: crate::hash::Hash::of(&[9]) };
        let key = crate::model::Key::new(format!("reconcile {seq}")).unwrap();
        let told = crate::model::Reconcile {
            position,
            as_of: Instant::clamped(f.now),
            ack: (0, crate::hash::Hash::default()),
            granted: None,
            whole: false,
            lines: vec![line, nothing.replace('C', &consume.to_string())],
        };
        f.command(&Command::reconcile(key, told), false, None).unwrap();
        f.now += 1000;
        f.run("consume", r#""account":"a","points":2"#).unwrap();
    }
    f
}

#[test]
fn every_changed_column_of_a_device_is_found_and_named() {
    let f = device();
    assert_eq!(f.verify().faults, []);
    changed_columns(
        &f,
        &["ledger", "base", "received", "foreign_id", "account", "operation", "batch", "hold", "consume", "allocation"],
    );
    f.conn.execute_batch(UNGUARD).unwrap();
    for table in ["base", "received", "foreign_id"] {
        let delete = format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})");
        f.conn.execute_batch("BEGIN").unwrap();
        for trigger in ["base_no_delete", "received_no_delete", "foreign_id_no_delete"] {
            f.conn.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        f.conn.execute_batch(&delete).unwrap();
        let verification = f.verify();
        f.conn.execute_batch("ROLLBACK").unwrap();
        assert!(
            verification.faults.iter().any(|fault| fault.place.contains(table) || fault.code == "operation_refused"),
            "{table}: {:?}",
            verification.faults
        );
    }
}

#[test]
fn every_lost_or_added_row_is_found() {
    let f = rich();
    f.conn.execute_batch(UNGUARD).unwrap();
    let lose = ["writer", "price_book", "account", "batch", "hold", "consume"]
        .map(|table| (table, format!("DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")));
    let more = [
        ("entry", "DELETE FROM entry WHERE account = 1 AND n = 2"),
        ("entry", "DELETE FROM entry WHERE account = 4 AND n = (SELECT max(n) FROM entry WHERE account = 4)"),
        ("ledger", "DELETE FROM operation WHERE seq = (SELECT max(seq) FROM operation)"),
        ("allocation", "DELETE FROM allocation WHERE owner = 2"),
        ("ledger", "DELETE FROM ledger"),
        ("allocation", "INSERT INTO allocation SELECT owner, rank + 1, batch, points, returned, allotment FROM allocation WHERE owner = 2"),
        ("hold", "INSERT INTO hold SELECT operation - 1, account, points, unbacked, deadline, phase, service, price_book FROM hold LIMIT 1"),
        ("consume", "INSERT INTO consume SELECT 1, account, 1, points, 0, 0, 0, NULL FROM consume LIMIT 1"),
        ("rollover", "INSERT INTO rollover SELECT max(no), NULL, 0, 0, 0 FROM batch"),
        ("price_book", "INSERT INTO price_book SELECT no + 1, zeroblob(32), text FROM price_book"),
        ("writer", "INSERT INTO writer SELECT 9, device, 5, 3 FROM writer LIMIT 1"),
    ]
    .map(|(table, sql)| (table, sql.to_string()));
    for (table, sql) in lose.into_iter().chain(more) {
        f.conn.execute_batch("BEGIN").unwrap();
        for trigger in [
            "operation",
            "entry",
            "price_book",
            "writer",
            "account",
            "batch",
            "hold",
            "consume",
            "allocation",
            "ledger",
        ] {
            f.conn.execute_batch(&format!("DROP TRIGGER {trigger}_no_delete")).unwrap();
        }
        f.conn.execute_batch(&sql).unwrap();
        let verification = f.verify();
        f.conn.execute_batch("ROLLBACK").unwrap();
        let own = verification
            .faults
            .iter()
            .any(|fault| fault.code != "foreign_key" && format!("{} {}", fault.place, fault.found).contains(table));
        assert!(own, "{sql}: {:?}", verification.faults);
    }
}

#[test]
fn quick_sees_the_head_the_tail_and_the_balances() {
    let f = rich();
    f.conn.execute_batch(UNGUARD).unwrap();
    for (sql, code) in [
        ("UPDATE ledger SET head = zeroblob(32)", "head_mismatch"),
        ("UPDATE ledger SET length = length + 1", "length_mismatch"),
        ("UPDATE ledger SET length = length - 1", "head_mismatch"),
        ("DROP TRIGGER operation_no_update; UPDATE operation SET points = points + 1 WHERE seq = 4", "chain_broken"),
        ("UPDATE account SET available = available + 1 WHERE no = 4", "i10_balances"),
        ("DROP TRIGGER operation_no_delete; DELETE FROM operation WHERE seq = 4", "operation_missing"),
    ] {
        f.conn.execute_batch("BEGIN").unwrap();
        f.conn.execute_batch(sql).unwrap();
        let verification = verify_quick(&f.session(), &mut |_| Ok(())).unwrap();
        f.conn.execute_batch("ROLLBACK").unwrap();
        let codes: BTreeSet<&str> = verification.faults.iter().map(|fault| &*fault.code).collect();
        assert!(codes.contains(code), "{sql}: {codes:?}");
    }
}

/// The replay keeps no keys: a key booked twice must show in SQLite's check of the unique index.
#[test]
fn a_key_booked_twice_is_found() {
    let f = rich();
    let unique = |from: &str, to: &str| {
        format!(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') \
             WHERE name = 'operation_key'; PRAGMA writable_schema = RESET;"
        )
    };
    let twice = "DROP TRIGGER operation_no_update; UPDATE operation SET key = (SELECT o.key FROM operation o \
                 WHERE o.account = operation.account AND o.kind = operation.kind AND o.seq < operation.seq LIMIT 1) \
                 WHERE seq = (SELECT max(b.seq) FROM operation a JOIN operation b ON a.account = b.account \
                 AND a.kind = b.kind AND a.seq < b.seq);";
    f.conn.execute_batch(&unique("CREATE UNIQUE INDEX", "CREATE INDEX")).unwrap();
    f.conn.execute_batch(twice).unwrap();
    f.conn.execute_batch(&unique("CREATE INDEX", "CREATE UNIQUE INDEX")).unwrap();
    let faults = f.verify().faults;
    let found = faults.iter().any(|fault| fault.code == "integrity" && fault.found.contains("non-unique"));
    assert!(found, "{faults:?}");
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % sides.unsigned_abs()).unwrap()
    }
}

/// Any history verifies: clocks that jump, sweeps at any time, refusals, old lines.
#[test]
fn any_history_verifies() {
    for seed in 1..=30 {
        let mut f = File::new();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut made: Vec<i64> = Vec::new();
        for _ in 0..120 {
            step(&mut f, &mut dice, &mut made);
        }
        let verification = f.verify();
        assert_eq!(verification.faults, [], "seed {seed}");
        assert_eq!(verify_quick(&f.session(), &mut |_| Ok(())).unwrap().faults, [], "seed {seed}");
    }
}

fn step(f: &mut File, dice: &mut Dice, made: &mut Vec<i64>) {
    f.now += match dice.roll(12) {
        0 => -dice.roll(5 * HOUR),
        1 => dice.roll(200 * 24 * HOUR),
        2..5 => 0,
        _ => dice.roll(HOUR),
    };
    if dice.roll(25) == 0 {
        f.now = START + dice.roll(50 * HOUR);
    }
    let account = ["a", "b", "c"][usize::try_from(dice.roll(3)).unwrap()];
    let points = 1 + dice.roll(20);
    let target =
        if made.is_empty() { 1 } else { made[usize::try_from(dice.roll(i64::try_from(made.len()).unwrap())).unwrap()] };
    let writer = f.writer();
    let soon = at((f.now + 1 + dice.roll(4) * HOUR).max(START));
    let simple = format!(r#""account":"{account}","points":{points}"#);
    let done = match dice.roll(20) {
        0..4 => f.run("recharge", &format!(r#"{simple},"source":"x","expires_at":"{soon}""#)),
        4 => f.run("recharge", &format!(r#"{simple},"source":"x","effective_at":"{soon}""#)),
        5..8 => f.run("consume", &simple),
        8 => f.run("consume", &format!(r#"{simple},"policy":"strict""#)),
        9..12 => f.run("hold", &format!(r#"{simple},"deadline_seconds":{}"#, 1 + dice.roll(7200))),
        12 => f.run("capture", &format!(r#""hold":"{}","points":{points}"#, writer.hold(target))),
        13 => f.run("release", &format!(r#""hold":"{}""#, writer.hold(target))),
        14 => f.run("refund", &format!(r#""operation":"{}","points":{points},"reason":"r""#, writer.operation(target))),
        15 => {
            let batch = writer.batch(crate::model::batch_no(target, 1));
            f.run("revoke", &format!(r#""batch":"{batch}","points":{points},"reason":"r""#))
        }
        16 => f.run("transfer", &format!(r#"{simple},"to":"t{}""#, dice.roll(3))),
        17 => {
            let batch = writer.batch(crate::model::batch_no(target, 1));
            f.run("set_expiry", &format!(r#""batch":"{batch}","expires_at":"{soon}","reason":"r""#))
        }
        18 => f.run("confirm_clock", "").filter(|_| dice.roll(3) == 0),
        19 if dice.roll(3) == 0 => {
            let line = format!(r#"{{"op":"consume","key":"t{}",{simple}}}"#, f.next_key);
            f.next_key += 1;
            f.command(&Command::parse(&Request::parse(&line).unwrap()).unwrap(), true, None)
        }
        _ => {
            if dice.roll(2) == 0 {
                f.record(false);
            }
            for account in 1..7 {
                f.sweep(account);
            }
            None
        }
    };
    made.extend(done);
}

#[test]
fn a_long_catch_up_before_a_first_use() {
    let mut f = File::new();
    for hours in 1..6 {
        let expires = at(START + hours * HOUR);
        f.run("recharge", &format!(r#""account":"a","points":5,"source":"x","expires_at":"{expires}""#)).unwrap();
    }
    f.run("recharge", r#""account":"a","points":5,"source":"x","expires_at":"never""#).unwrap();
    f.now += 10 * HOUR;
    f.run("transfer", r#""account":"a","to":"z","points":3"#).unwrap();
    f.run("recharge", r#""account":"a","points":5,"source":"x""#).unwrap();
    assert_eq!(f.verify().faults, []);
}
