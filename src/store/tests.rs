use rusqlite::Connection;
use uuid::Uuid;

use super::*;
use crate::chain;
use crate::engine::source::{Changes, Listed, Source};
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AccountState, AllocationRow, AllotmentRow, AllotmentState, Balances, BatchRow, ClockMark,
    ClockState, ConsumeRow, EntryKind, EntryRow, Expiry, HoldRow, HoldState, Key, LedgerRow, MovementRow, OpKind,
    OperationRow, Origin, Outcome, Place, Rolling, RolloverRow, Settings, Totals, Writer,
};
use crate::pricing::PriceBook;
use crate::units::{Instant, Points};

fn at(millis: i64) -> Instant {
    Instant::clamped(millis)
}

/// A fresh schema in memory with its ledger row.
fn memory() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    conn.pragma_update(None, "foreign_keys", true).unwrap();
    let writer = Writer { device: Uuid::from_u128(2), epoch: 1 };
    let no = add_writer(&Session::new(&conn), writer, 1).unwrap();
    let row = LedgerRow {
        ledger_id: Uuid::from_u128(1),
        created_at: at(5),
        writer: (no, writer),
        clock: ClockState::new(at(5)),
        settings: Settings::default(),
        standing: std::sync::Arc::default(),
        head: chain::genesis(Uuid::from_u128(1), writer.device, 1, at(5)),
        length: 0,
    };
    write::insert_ledger(&Session::new(&conn), &row).unwrap();
    conn
}

fn account(no: i64, id: &str) -> AccountRow {
    AccountRow {
        no,
        id: AccountId::new(id).unwrap(),
        state: AccountState::Active,
        credit_limit: 7,
        balances: Balances { available: 1, held: 2, pending: 3, debt: 0 },
        unbacked: 4,
        totals: Totals {
            recharged: 1,
            consumed: 2,
            refunded: 3,
            expired: 4,
            reinstated: 5,
            revoked: 6,
            clawed_back: 7,
            written_off: 8,
            moved_in: 9,
            moved_out: 10,
            rolled: 14,
        },
        entries: 11,
        last_booked_at: at(12),
        steps_back: 0,
        next_due_at: Some(at(13)),
    }
}

fn listed(batches: &[i64], holds: &[i64]) -> Listed {
    let (batches, holds) = (batches.iter().copied().collect(), holds.iter().copied().collect());
    Listed { batches, holds, ..Listed::default() }
}

fn batch(no: i64, account: i64, priority: i64, expires_at: Option<i64>, promo: bool) -> BatchRow {
    let expires_at = expires_at.map(at);
    BatchRow { expires_at, entry: 1, ..BatchRow::new(no, account, "wxpay", promo, priority, 100, at(10)) }
}

fn operation(seq: i64, account: Option<(i64, &str)>, key: &str, price_book: Option<(i64, Hash)>) -> OperationRow {
    OperationRow {
        seq,
        writer: (1, Writer { device: Uuid::from_u128(2), epoch: 1 }),
        kind: if account.is_some() { OpKind::Consume } else { OpKind::Configure },
        account: account.map(|(no, id)| (no, AccountId::new(id).unwrap())),
        key: Key::new(key).unwrap(),
        recorded_at: at(20),
        booked_at: at(21),
        clock: ClockMark::Trusted,
        accepted_at: Some(at(30)),
        suspect_since: Some(at(40)),
        points: 9,
        price_book,
        rules_version: 1,
        body: "{\"points\":9}".to_string(),
        outcome: Outcome { open: 3, draws: vec![(1, 2)], ..Outcome::default() },
        entry: account.map(|_| 1),
        origin: Origin::default(),
        hash: [3; 32].into(),
    }
}

fn entry_row(account: i64, n: i64, booked_at: i64, operation: Option<i64>) -> EntryRow {
    EntryRow {
        account,
        n,
        kind: EntryKind::Consume,
        operation,
        booked_at: at(booked_at),
        points: 9,
        batch: None,
        movements: vec![
            movement(Place::Available, Place::Used, 6),
            movement(Place::Expired, Place::Used, 2),
            movement(Place::Debt, Place::Used, 1),
        ],
        change: Balances { available: -6, held: 0, pending: 0, debt: 1 },
        expired: -2,
        after: Balances { available: 1, held: 2, pending: 3, debt: 4 },
    }
}

fn movement(from: Place, to: Place, points: i64) -> MovementRow {
    MovementRow { operation: None, batch: Some(1 << 20), from, to, points }
}

#[test]
fn no_statement_reads_a_whole_table_or_sorts() {
    // On purpose: two go backwards from the newest operation, one of them to that alone; the third counts the rows of the one-row
    // table; the fourth goes through all that may still roll over, for a clock that has jumped far; the fifth through open holds, when a
    // device wants a fresh file.
    const WALKS: [&str; 5] =
        ["OPERATION_NEWEST_PRICED", "ACCOUNT_GLANCE", "LEDGER_COUNT", "BATCHES_ROLLING", "HOLD_OPEN"];
    let conn = memory();
    let mut wrong = Vec::new();
    for (name, sql) in sql::ALL {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            let walks = step.starts_with("SCAN") && step != "SCAN CONSTANT ROW" && !WALKS.contains(name);
            if walks || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC") {
                wrong.push(format!("{name}: {step}"));
            }
            if std::env::var_os("PLANS").is_some() {
                println!("{name}: {step}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_column_of_the_schema_is_described() {
    let conn = memory();
    let described = [
        ("account", account!(names)),
        ("allocation", allocation!(names)),
        ("allotment", allotment!(names)),
        ("base", base!(names)),
        ("batch", batch!(names)),
        ("chain", chain!(names)),
        ("consume", consume!(names)),
        ("device", device!(names)),
        ("entry", entry!(names)),
        ("flag", flag!(names)),
        ("foreign_id", foreign_id!(names)),
        ("hold", hold!(names)),
        ("ledger", ledger!(names)),
        ("link", link!(names)),
        ("long_movements", "account, n, movements"),
        ("operation", operation!(names)),
        ("plan", plan!(names)),
        ("price_book", price_book!(names)),
        ("received", received!(names)),
        ("reference", reference!(names)),
        ("rollover", rollover!(names)),
        ("staged", staged!(names)),
        ("stretch", stretch!(names)),
        ("watch", watch!(names)),
        ("writer", writer!(names)),
    ];
    let names = |sql: &str, of: &[&str]| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map(rusqlite::params_from_iter(of), |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", &[]);
    assert_eq!(tables, described.map(|(table, _)| table));
    for (table, columns) in described {
        let mut columns: Vec<&str> = columns.split(", ").collect();
        columns.sort_unstable();
        assert_eq!(names("SELECT name FROM pragma_table_info(?1) ORDER BY name", &[table]), columns, "{table}");
    }
}

/// A column that changes and is in no update would be lost without a word: one that never does is named here.
#[test]
fn the_widest_update_has_every_column_that_changes() {
    let left = |widest: u32, columns: &'static str, fixed: &str| {
        let fixed: Vec<&str> = fixed.split(", ").collect();
        let columns = columns.split(", ").enumerate();
        columns
            .filter(|(n, name)| widest & (1 << n) == 0 && !fixed.contains(name))
            .map(|(_, name)| name)
            .collect::<String>()
    };
    assert_eq!(left(sql::ACCOUNT_UPDATE_DUE.columns, account!(names), "no, id"), "");
    let fixed = "no, account, source, promo, priority, amount, effective_at, dated, from_batch, entry";
    assert_eq!(left(sql::BATCH_UPDATE_INDEXED.columns, batch!(names), fixed), "");
    assert_eq!(left(sql::ROLLOVER_UPDATE.columns, rollover!(names), "batch, terms"), "");
    let fixed = "operation, account, points, unbacked, service, price_book";
    assert_eq!(left(sql::HOLD_UPDATE.columns, hold!(names), fixed), "");
    assert_eq!(left(sql::CONSUME_UPDATE.columns, consume!(names), "operation, account, turn, points, clawback_of"), "");
    assert_eq!(left(sql::ALLOCATION_UPDATE.columns, allocation!(names), "owner, rank, batch, points, allotment"), "");
    let fixed = "operation, account, device, epoch, points, spend_until";
    assert_eq!(left(sql::ALLOTMENT_UPDATE.columns, allotment!(names), fixed), "");
    assert_eq!(left(sql::ALLOTMENT_REPLACE.columns, allotment!(names), "operation, account"), "");
    let fixed = "operation, account, entry, anchor, promo, expiration_days, foreign_terms";
    assert_eq!(left(sql::PLAN_UPDATE.columns, plan!(names), fixed), "");
    // A device may hear of any of them.
    assert_eq!(left(sql::BATCH_REPLACE.columns, batch!(names), "no, account"), "");
    assert_eq!(left(sql::HOLD_REPLACE.columns, hold!(names), "operation, account, service, price_book"), "");
    assert_eq!(left(sql::CONSUME_REPLACE.columns, consume!(names), "operation, account"), "");
    assert_eq!(left(sql::ALLOCATION_REPLACE.columns, allocation!(names), "owner, rank"), "");
    assert_eq!(left(sql::PLAN_REPLACE.columns, plan!(names), "operation, account"), "");
    // Head and length are written by a statement of their own.
    assert_eq!(left(sql::LEDGER_UPDATE.columns, ledger!(names), "ledger_id, created_at, head, length, id"), "");
}

/// An operator swept 200 000 batches, and each expiry wrote the batch's place in an index anew that had not changed.
#[test]
fn expiry_does_not_rewrite_the_indexes_by_expiry() {
    let conn = memory();
    let written = |(_, sql): (&str, &str)| {
        let mut statement = conn.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let (mut rows, mut names) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next().unwrap() {
            if row.get::<_, String>(1).unwrap() == "OpenWrite" {
                let root: i64 = row.get(3).unwrap();
                let name = "SELECT name FROM sqlite_schema WHERE rootpage = ?1";
                names.push(conn.query_row(name, [root], |row| row.get::<_, String>(0)).unwrap());
            }
        }
        names.sort();
        names
    };
    let named = |wanted: &str| *sql::ALL.iter().find(|(name, _)| *name == wanted).unwrap();
    assert_eq!(written(named("BATCH_SPEND")), ["batch", "batch_draw", "batch_due"]);
    let all = ["batch", "batch_draw", "batch_due", "batch_expiry", "batch_lapsed", "batch_pending"];
    assert_eq!(written(named("BATCH_UPDATE_INDEXED")), all);
}

#[test]
fn an_operation_whose_key_is_taken_is_not_written() {
    let conn = memory();
    let session = &Session::new(&conn);
    let first = operation(1, None, "a", None);
    assert!(append_operation(session, &first).unwrap());
    // With and without the columns that tell of the clock.
    let again = OperationRow { seq: 2, ..first };
    assert!(!append_operation(session, &again).unwrap());
    let plain = OperationRow { accepted_at: None, suspect_since: None, ..again.clone() };
    assert!(!append_operation(session, &plain).unwrap());
    // The number of another is no key that is taken.
    let wrong = OperationRow { seq: 1, ..operation(1, None, "b", None) };
    assert!(append_operation(session, &wrong).is_err());
    assert!(append_operation(session, &OperationRow { seq: 2, ..wrong }).unwrap());
}

/// A row of every table that an operation changes.
fn something_of_each(first_batch: &BatchRow) -> Changes {
    Changes {
        new_accounts: vec![account(1, "alice")],
        new_batches: vec![
            first_batch.clone(),
            BatchRow { from_batch: Some(1 << 20), ..batch((1 << 20) | 1, 1, 3, None, false) },
        ],
        new_holds: vec![HoldRow {
            operation: 1,
            account: 1,
            points: 5,
            unbacked: 2,
            deadline: at(77),
            phase: HoldState::Open,
            service: Some("tts".to_string()),
            price_book: Some(1),
        }],
        new_consumes: vec![ConsumeRow {
            operation: 1,
            account: 1,
            turn: 1,
            points: 9,
            open: 3,
            refunded: 1,
            written_off: 2,
            clawback_of: Some(1 << 20),
        }],
        new_allocations: vec![AllocationRow {
            owner: 1,
            rank: 1,
            batch: 1 << 20,
            points: 6,
            returned: 1,
            allotment: Some(7),
        }],
        new_allotments: vec![AllotmentRow {
            operation: 7,
            account: 1,
            device: 2,
            epoch: 3,
            points: 9,
            remaining: 4,
            spend_until: at(88),
            state: AllotmentState::Recalled,
        }],
        entries: vec![entry_row(1, 1, 21, Some(1)), entry_row(1, 2, 22, None)],
        ..Changes::default()
    }
}

#[test]
fn every_row_comes_back_as_written() {
    let conn = memory();
    let session = &Session::new(&conn);
    let books = BookCache::default();
    let source = SqlSource::new(session, &books);
    let book = PriceBook::parse("free_services = [\"preview\"]\n", "x").unwrap();
    insert_price_book(session, source.next_price_book_no().unwrap(), &book).unwrap();
    let op = operation(1, Some((1, "alice")), "a", Some((1, book.hash())));
    append_operation(session, &op).unwrap();
    let first_batch = batch(1 << 20, 1, 50, Some(500), true);
    let changes = something_of_each(&first_batch);
    apply(session, &changes).unwrap();
    assert_eq!(source.operation_row(1).unwrap(), Some(op.clone()));
    let head = source.operation(1).unwrap().unwrap();
    let told = (head.seq, head.writer, head.kind, head.account, head.points);
    assert_eq!(told, (1, op.writer.1, OpKind::Consume, Some(1), 9));
    assert_eq!(source.find_key(Some(1), OpKind::Consume, &Key::new("a").unwrap()).unwrap(), Some(1));
    assert_eq!(source.find_key(None, OpKind::Consume, &Key::new("a").unwrap()).unwrap(), None);
    assert_eq!(source.account(1).unwrap(), changes.new_accounts.first().cloned());
    assert_eq!(source.account_by_id(&AccountId::new("alice").unwrap()).unwrap(), changes.new_accounts.first().cloned());
    assert_eq!(source.next_account_no().unwrap(), 2);
    assert_eq!(batches_of_account(session, 1, 0, 9).unwrap(), changes.new_batches);
    assert_eq!(source.hold(1).unwrap(), changes.new_holds.first().cloned());
    assert_eq!(source.consume(1).unwrap(), changes.new_consumes.first().cloned());
    assert_eq!(source.allotment(7).unwrap(), changes.new_allotments.first().cloned());
    assert_eq!(source.allotments(1).unwrap(), changes.new_allotments);
    assert_eq!(source.all_allotments(0, 9).unwrap(), changes.new_allotments);
    assert_eq!(source.clawbacks(1 << 20).unwrap(), changes.new_consumes);
    assert_eq!(source.open_consumes(1, (0, 0), 5).unwrap(), changes.new_consumes);
    assert_eq!(
        source.allocations(1).unwrap(),
        crate::engine::source::Allocations::stored(changes.new_allocations.clone())
    );
    assert_eq!(entries(session, 1, 1, 9, Forward::Oldest, 9).unwrap(), changes.entries);
    assert_eq!(entries(session, 1, 1, 2, Forward::Newest, 1).unwrap(), vec![entry_row(1, 2, 22, None)]);
    assert_eq!(source.price_book(1).unwrap().unwrap().text(), book.text());
    assert_eq!(source.price_book(1).unwrap().unwrap().hash(), book.hash());
    assert_eq!(source.price_book_no(&book.hash()).unwrap(), Some(1));
    assert_eq!(newest_price_book(session).unwrap().unwrap().text, book.text());
    // Operations on the file itself.
    let file = operation(2, None, "a", None);
    append_operation(session, &file).unwrap();
    assert_eq!(SqlSource::new(session, &BookCache::default()).operation_row(2).unwrap(), Some(file));
}

#[test]
fn changes_reach_every_column() {
    let conn = memory();
    let session = &Session::new(&conn);
    let books = BookCache::default();
    append_operation(session, &operation(1, Some((1, "alice")), "a", None)).unwrap();
    let mut changes = Changes {
        new_accounts: vec![account(1, "alice")],
        new_batches: vec![batch(1 << 20, 1, 50, Some(500), false)],
        ..Changes::default()
    };
    apply(session, &changes).unwrap();
    let mut spent = batch(1 << 20, 1, 50, Some(500), false);
    // First what no index is made of, then all of it, down to nothing left.
    for (remaining, used, expired, expires_at) in
        [(60, 40, 0, 500), (60, 40, 0, 600), (0, 40, 60, 600), (60, 40, 0, 700)]
    {
        spent = BatchRow { remaining, used, expired, expires_at: Some(at(expires_at)), ..spent };
        let mut owner = account(1, "alice");
        owner.balances.available = remaining;
        owner.next_due_at = spent.due_at();
        changes = Changes { accounts: vec![owner.clone()], batches: vec![spent.clone()], ..Changes::default() };
        apply(session, &changes).unwrap();
        session.flush().unwrap();
        // Read by somebody else, who sees only what was written.
        let reader = &Session::new(&conn);
        let source = SqlSource::new(reader, &books);
        assert_eq!(source.batch(1 << 20).unwrap(), Some(spent.clone()));
        assert_eq!(source.account(1).unwrap(), Some(owner));
        assert_eq!(source.live_batches(1, None, 9).unwrap().len(), usize::from(remaining > 0));
        assert_eq!(source.next_due(1, None, &listed(&[], &[])).unwrap(), spent.due_at());
        assert_eq!(source.lapsed_batches(1, at(500), at(600)).unwrap().len(), usize::from(expired > 0));
    }
    // What rolls is written beside the batch, and never more of it than has moved.
    let keeps = Rolling { cap: Points::new(9).unwrap(), life: Expiry::Days(1, None) };
    let parent =
        BatchRow { rollover: Some(RolloverRow::new(2 << 20, Some(keeps))), ..batch(2 << 20, 1, 50, Some(500), false) };
    apply(session, &Changes { new_batches: vec![parent.clone()], ..Changes::default() }).unwrap();
    let source = SqlSource::new(session, &books);
    assert_eq!(source.batch(parent.no).unwrap(), Some(parent.clone()));
    assert_eq!((source.behind(at(499)).unwrap(), source.behind(at(500)).unwrap()), (vec![], vec![1]));
    let rolled = |rolled| {
        let rollover = RolloverRow { rolls: 1, rolled, has_rolled: true, ..RolloverRow::new(parent.no, Some(keeps)) };
        BatchRow { remaining: 95, moved: 5, rollover: Some(rollover), ..parent.clone() }
    };
    for (points, fits) in [(5, true), (6, false), (-1, false), (4, true)] {
        let written = apply(session, &Changes { batches: vec![rolled(points)], ..Changes::default() });
        assert_eq!(written.is_ok(), fits, "{points}: {written:?}");
    }
    assert_eq!(source.batch(parent.no).unwrap(), Some(rolled(4)));
    assert_eq!(source.behind(at(500)).unwrap(), Vec::<i64>::new());
    assert_eq!(accounts_due(session, None, at(699), 5).unwrap(), vec![]);
    assert_eq!(accounts_due(session, None, at(700), 5).unwrap().len(), 1);
    let nobody = Changes { accounts: vec![account(2, "bob")], ..Changes::default() };
    assert_eq!(apply(session, &nobody).unwrap_err().code(), "corrupt");
    let mut ledger_row = session.ledger().unwrap();
    ledger_row.settings =
        Settings { explicit_accounts: true, late_window: 1, max_hold: 2, max_clock_jump: 3, clock_patience: 4 };
    ledger_row.clock = ClockState { trusted_at: Some(at(98)), steps_back: 2, ..ledger_row.clock };
    ledger_row.writer.1.epoch = 2;
    ledger_row.writer.0 = add_writer(session, ledger_row.writer.1, 9).unwrap();
    let writing = Session::new(&conn);
    writing.set_ledger(&ledger_row).unwrap();
    writing.finish().unwrap();
    let session = &Session::new(&conn);
    assert_eq!(session.ledger().unwrap(), ledger_row);
    assert_eq!(writer_page(session, 0, 9).unwrap().len(), 2);
}

#[test]
fn live_batches_come_in_draw_order_however_they_are_paged() {
    let conn = memory();
    let session = &Session::new(&conn);
    let books = BookCache::default();
    let source = SqlSource::new(session, &books);
    let mut batches = Vec::new();
    for number in 0..120_i64 {
        let expires_at = [Some(100), Some(200), None][usize::try_from(number % 3).unwrap()];
        batches.push(batch((1 << 20) + 7 * (number * 37 % 120), 1, number / 7 % 4, expires_at, number % 2 == 0));
    }
    let changes = Changes {
        new_accounts: vec![account(1, "alice"), account(2, "bob")],
        new_batches: [batches.clone(), vec![batch(5, 2, 1, None, false)]].concat(),
        ..Changes::default()
    };
    apply(session, &changes).unwrap();
    batches.sort_by_key(BatchRow::draw_key);
    for page in [1, 2, 7, 119, 120, 500] {
        let mut found: Vec<BatchRow> = Vec::new();
        loop {
            let next = source.live_batches(1, found.last().map(BatchRow::draw_key), page).unwrap();
            if next.is_empty() {
                break;
            }
            assert!(next.len() <= page);
            found.extend(next);
        }
        assert_eq!(found, batches, "page of {page}");
    }
}

#[test]
fn what_falls_due_comes_in_order() {
    let conn = memory();
    let session = &Session::new(&conn);
    let books = BookCache::default();
    let source = SqlSource::new(session, &books);
    append_operation(session, &operation(1, Some((1, "alice")), "a", None)).unwrap();
    append_operation(session, &operation(2, Some((1, "alice")), "b", None)).unwrap();
    let pending = BatchRow { active: false, effective_at: at(150), ..batch(3, 1, 50, Some(400), false) };
    let hold = |operation, deadline, phase| HoldRow {
        operation,
        account: 1,
        points: 5,
        unbacked: 0,
        deadline: at(deadline),
        phase,
        service: None,
        price_book: None,
    };
    let changes = Changes {
        new_accounts: vec![account(1, "alice"), account(2, "bob")],
        new_batches: vec![
            batch(1, 1, 50, Some(200), false),
            batch(2, 1, 50, Some(200), true),
            pending,
            batch(4, 1, 50, None, true),
            batch(5, 2, 50, Some(300), true),
        ],
        new_holds: vec![hold(1, 120, HoldState::Open), hold(2, 110, HoldState::Released)],
        ..Changes::default()
    };
    apply(session, &changes).unwrap();
    let numbers = |batches: Vec<BatchRow>| batches.into_iter().map(|batch| batch.no).collect::<Vec<_>>();
    assert_eq!(numbers(source.due_batches(1, at(149), 9).unwrap()), Vec::<i64>::new());
    assert_eq!(numbers(source.due_batches(1, at(200), 9).unwrap()), vec![3, 1, 2]);
    assert_eq!(numbers(source.due_batches(1, at(200), 2).unwrap()), vec![3, 1]);
    assert_eq!(source.due_holds(1, at(120), 9).unwrap().len(), 1);
    assert_eq!(source.due_holds(1, at(119), 9).unwrap().len(), 0);
    assert_eq!(source.next_due(1, None, &listed(&[], &[])).unwrap(), Some(at(120)));
    assert_eq!(source.next_due(1, None, &listed(&[], &[1])).unwrap(), Some(at(150)));
    assert_eq!(source.next_due(1, None, &listed(&[3, 1], &[1])).unwrap(), Some(at(200)));
    assert_eq!(source.next_due(1, None, &listed(&[1, 2, 3], &[1])).unwrap(), None);
    assert_eq!(source.next_due(1, Some(at(120)), &listed(&[], &[])).unwrap(), Some(at(150)));
    assert_eq!(source.next_due(1, Some(at(119)), &listed(&[], &[])).unwrap(), Some(at(120)));
    assert!(source.would_fall_due(at(199), at(200)).unwrap());
    assert!(!source.would_fall_due(at(200), at(299)).unwrap());
}

#[test]
fn the_last_entry_at_an_instant_is_found_by_seeks() {
    let conn = memory();
    let session = &Session::new(&conn);
    let times = [10, 20, 20, 20, 30];
    let changes = Changes {
        new_accounts: vec![account(1, "alice")],
        entries: (1..)
            .zip(times)
            .map(|(n, time)| EntryRow { movements: Vec::new(), ..entry_row(1, n, time, None) })
            .collect(),
        ..Changes::default()
    };
    apply(session, &changes).unwrap();
    for (time, expected) in [(9, 0), (10, 1), (19, 1), (20, 4), (29, 4), (30, 5), (99, 5)] {
        assert_eq!(number_of_entry_at(session, 1, 5, at(time)).unwrap(), expected, "at {time}");
    }
    assert_eq!(number_of_entry_at(session, 1, 0, at(99)).unwrap(), 0);
    assert_eq!(number_of_entry_at(session, 1, 6, at(99)).unwrap_err().code(), "corrupt");
}

#[test]
fn values_out_of_range_are_damage_with_a_place() {
    let conn = memory();
    let session = &Session::new(&conn);
    apply(session, &Changes { new_accounts: vec![account(1, "alice")], ..Changes::default() }).unwrap();
    conn.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let source_error = |sql: &str| {
        conn.execute(sql, []).unwrap();
        let books = BookCache::default();
        let error = SqlSource::new(&Session::new(&conn), &books).account(1).unwrap_err();
        assert_eq!(error.code(), "corrupt");
        error.to_string()
    };
    assert!(source_error("UPDATE account SET state = 9").contains("account.state is 9"));
    assert!(source_error("UPDATE account SET state = 0, next_due_at = -1").contains("account.next_due_at"));
    assert!(source_error("UPDATE account SET next_due_at = NULL, held = 9000000000000001").contains("account.held"));
    assert!(source_error("UPDATE account SET held = 0, entries = -1").contains("account.entries"));
}
