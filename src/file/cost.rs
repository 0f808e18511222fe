//! What a charge costs, as counts that repeat exactly: statements run again instead of prepared again, no table read
//! whole, and the same work however much the file holds.

use std::path::Path;
use std::sync::Arc;

use super::{File, Terms};
use crate::model::Request;
use crate::report::Look;
use crate::store::{self, NewLedger, Work};
use crate::units::{Instant, Reading};
use crate::writer::{Decision, Durability};

pub(super) fn file(folder: &Path) -> Arc<File> {
    let path = folder.join("cost.ledger");
    let id = uuid::Uuid::from_u128(7);
    store::create(&path, &NewLedger { ledger_id: id, device: id, epoch: 1, created_at: Instant::clamped(1_000) })
        .unwrap();
    open(&path)
}

fn open(path: &Path) -> Arc<File> {
    File::open(path, std::time::Duration::from_secs(5)).unwrap()
}

pub(super) fn terms(at: i64) -> Terms {
    let reading = Reading { at: Instant::clamped(at), trusted: false };
    let policy = crate::model::Policy::default();
    Terms { reading, books: Arc::default(), durability: Durability::Relaxed, policy, historic: false, dry_run: false }
}

fn book(file: &File, line: &str) {
    file.apply(&Request::parse(line).unwrap(), terms(2_000)).unwrap_or_else(|error| panic!("{line}: {error}"));
}

/// What all statements of the writer's connection have done since the last look.
fn work(file: &File) -> Work {
    let look = |session: &store::Session<'_>| Ok(Decision::Rollback(store::work_done(session)?));
    let call = file.call().unwrap();
    call.writer().unwrap().transaction(Durability::Relaxed, std::time::Duration::from_secs(5), look).unwrap()
}

fn charge(file: &File, n: usize) -> Work {
    work(file);
    book(file, &format!(r#"{{"op":"consume","account":"alice","key":"charge {n:06}","points":1}}"#));
    work(file)
}

#[test]
fn a_charge_costs_the_same_however_much_the_file_holds() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = file(folder.path());
    book(&file, r#"{"op":"recharge","account":"alice","key":"first","points":1000000,"source":"s","priority":60}"#);
    for n in 0..20 {
        charge(&file, n);
    }
    let before = charge(&file, 20);
    assert_eq!((before.prepared_again, before.full_scan_steps, before.sorts), (0, 0, 0), "{before:?}");
    // Two thousand batches drained, four thousand entries and more accounts later …
    for n in 0..2_000 {
        book(&file, &format!(r#"{{"op":"recharge","account":"alice","key":"r{n:06}","points":3,"source":"s"}}"#));
        book(&file, &format!(r#"{{"op":"consume","account":"alice","key":"c{n:06}","points":3}}"#));
        if n % 10 == 0 {
            book(&file, &format!(r#"{{"op":"recharge","account":"other {n}","key":"o","points":3,"source":"s"}}"#));
        }
    }
    let after = charge(&file, 21);
    assert_eq!((after.prepared_again, after.full_scan_steps, after.sorts), (0, 0, 0), "{after:?}");
    // … and a thousand live ones to choose from.
    for n in 0..1_000 {
        book(
            &file,
            &format!(r#"{{"op":"recharge","account":"alice","key":"l{n:06}","points":3,"source":"s","priority":70}}"#),
        );
    }
    let crowded = charge(&file, 22);
    // Steps of SQLite's machine.
    assert!(after.steps <= before.steps + 10, "{} steps before, {} after", before.steps, after.steps);
    assert!(crowded.steps <= before.steps + 10, "{} steps before, {} crowded", before.steps, crowded.steps);
    assert!(before.steps > 100, "{before:?}");
}

/// Story: explaining an early charge of an account with a million lines took nine seconds, for the account was followed from its
/// first line. It costs what touches the charge, and the few lines that tell what else there was to choose from.
#[test]
fn an_explanation_costs_the_same_however_long_the_account_goes_on() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = file(folder.path());
    for (key, priority) in [("first", 50), ("second", 60)] {
        book(
            &file,
            &format!(
                r#"{{"op":"recharge","account":"alice","key":"{key}","points":1000000,"source":"s","priority":{priority}}}"#
            ),
        );
    }
    let line = r#"{"op":"consume","account":"alice","key":"early","points":7}"#;
    let early = file.apply(&Request::parse(line).unwrap(), terms(2_000)).unwrap().operation;
    book(&file, &format!(r#"{{"op":"refund","operation":"{early}","key":"back","points":2,"reason":"noise"}}"#));
    let explained = || {
        let look = |session: &store::Session<'_>| {
            store::work_done(session)?;
            let writers = store::writers(session, None)?;
            let books = store::BookCache::default();
            let look = Look::new(session, &books, &writers, terms(2_000).reading)?;
            let told = look.explain(&early)?;
            assert_eq!((told.since.len(), told.refunded.get()), (1, 2), "{told:?}");
            assert_eq!(told.paid_by.first().and_then(|payer| payer.why.as_deref()), Some("priority 50 before 60"));
            Ok(Decision::Rollback(store::work_done(session)?))
        };
        let call = file.call().unwrap();
        call.writer().unwrap().transaction(Durability::Relaxed, std::time::Duration::from_secs(5), look).unwrap()
    };
    let mut n = 0;
    let mut go_on = |until| {
        while n < until {
            book(&file, &format!(r#"{{"op":"consume","account":"alice","key":"charge {n:06}","points":1}}"#));
            n += 1;
        }
    };
    go_on(5_000);
    let before = explained();
    go_on(12_000);
    let after = explained();
    assert_eq!((after.full_scan_steps, after.sorts), (0, 0), "{after:?}");
    assert!(after.steps <= before.steps + 50, "{} steps before, {} after", before.steps, after.steps);
}

/// Statistics left by `ANALYZE` describe the file of that day: those of a file with one account make SQLite scan the table
/// of a million. Once the ledger was opened for writing, every statement has the plan it was written for.
#[test]
fn statistics_change_no_plan() {
    // A file of one day, and a lopsided one: nearly everything in one account, few kinds, hardly a hold.
    for recharges in [1, 300] {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let book = |line: String| book(&file, &line);
        for n in 0..recharges {
            let who = if n % 50 == 1 { format!("rare{n}") } else { "busy".into() };
            let days = n % 7 + 1;
            book(format!(
                r#"{{"op":"recharge","account":"{who}","key":"r{n}","points":3,"source":"s","expires_in_days":{days}}}"#
            ));
            book(format!(r#"{{"op":"consume","account":"{who}","key":"c{n}","points":{}}}"#, n % 4));
            if n % 100 == 0 {
                book(format!(r#"{{"op":"hold","account":"{who}","key":"h{n}","points":1,"deadline_seconds":60}}"#));
            }
        }
        file.close().unwrap();
        let path = file.path();
        let before = plans(&path);
        rusqlite::Connection::open(&path).unwrap().execute_batch("ANALYZE").unwrap();
        open(&path).close().unwrap();
        let changed = before.into_iter().zip(plans(&path)).filter(|(before, after)| before != after);
        assert_eq!(changed.collect::<Vec<_>>(), [], "after {recharges} recharges");
    }
}

/// SQLite's plan for each statement. How it reads the tables of one or a few rows does not matter.
fn plans(path: &std::path::Path) -> Vec<(&'static str, Vec<String>)> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let step = |row: &rusqlite::Row<'_>| {
        let step: String = row.get(3)?;
        let table = step.split(' ').nth(1).unwrap_or_default().to_string();
        Ok(if ["l", "ledger", "w", "writer"].contains(&table.as_str()) { table } else { step })
    };
    let plan = |sql: &str| {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let none = vec![rusqlite::types::Null; statement.parameter_count()];
        let rows = statement.query_map(rusqlite::params_from_iter(none), step).unwrap();
        rows.map(std::result::Result::unwrap).collect()
    };
    store::STATEMENTS.iter().map(|(name, sql)| (*name, plan(sql))).collect()
}
