use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::store::{NewLedger, create, insert_price_book};
use crate::units::Instant as At;

pub(super) const WAIT: Duration = Duration::from_secs(10);

pub(super) fn new_ledger() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = create(&folder.path().join("points.ledger"), &NewLedger::random(At::clamped(5))).unwrap().path;
    (folder, path)
}

pub(super) fn writer_on(path: &Path) -> Writer {
    let place = crate::db::Place::existing(path).unwrap();
    Writer::shared(&OpenFile::open(place, after(WAIT)).unwrap(), WAIT).unwrap()
}

/// Counts in a column that a transaction writes.
pub(super) fn add(session: &Session<'_>) -> Result<i64> {
    let mut row = session.ledger()?;
    row.clock.steps_back += 1;
    let counted = row.clock.steps_back;
    session.set_ledger(&row)?;
    Ok(counted)
}

fn count_up(session: &Session<'_>) -> Result<Decision<i64>> {
    add(session).map(Decision::Commit)
}

fn counted(session: &Session<'_>) -> Result<i64> {
    Ok(session.ledger()?.clock.steps_back)
}

pub(super) fn total(writer: &Writer) -> i64 {
    writer.transaction(Durability::Full, WAIT, |session| counted(session).map(Decision::Rollback)).unwrap()
}

#[test]
fn handles_on_one_file_share_the_writer() {
    let (folder, path) = new_ledger();
    let first = writer_on(&path);
    let second = writer_on(&folder.path().join("./points.ledger"));
    assert!(std::ptr::eq(&*first.shared, &*second.shared));
    let (_other_folder, other) = new_ledger();
    let other = writer_on(&other);
    assert!(!std::ptr::eq(&*first.shared, &*other.shared));
    assert!(!first.close().unwrap(), "the second handle goes on");
    assert_eq!(second.transaction(Durability::Full, WAIT, count_up).unwrap(), 1);
    assert!(second.close().unwrap());
    assert_eq!(std::fs::metadata(folder.path().join("points.ledger-wal")).unwrap().len(), 0);
    assert_eq!(total(&writer_on(&path)), 1);
}

#[test]
fn a_refused_transaction_changes_nothing_and_the_next_one_works() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let refused = writer.transaction(Durability::Full, WAIT, |conn| {
        count_up(conn)?;
        Err::<Decision<()>, _>(Error::Closed)
    });
    assert!(matches!(refused, Err(Failure::Refused(Error::Closed))));
    let rolled_back = writer.transaction(Durability::Full, WAIT, |conn| count_up(conn).map(|_| Decision::Rollback(())));
    rolled_back.unwrap();
    assert_eq!(total(&writer), 0);
    assert_eq!(writer.transaction(Durability::Relaxed, WAIT, count_up).unwrap(), 1);
    assert!(lock(&writer.shared.state).relaxed);
    writer.flush(WAIT).unwrap();
    assert!(!lock(&writer.shared.state).relaxed);
    assert_eq!(total(&writer), 1);
}

#[test]
fn a_panic_in_the_work_does_not_stop_the_others() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let clone = writer_on(&path);
    let panicked = thread::spawn(move || {
        let _ = clone.transaction(Durability::Full, WAIT, |conn| -> Result<Decision<()>> {
            count_up(conn)?;
            panic!("the app's own");
        });
    });
    assert!(panicked.join().is_err());
    assert_eq!(total(&writer), 0);
    assert_eq!(writer.transaction(Durability::Full, WAIT, count_up).unwrap(), 1);
}

#[test]
fn threads_take_turns_and_nothing_is_lost() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..25 {
                    writer.transaction(Durability::Relaxed, WAIT, count_up).unwrap();
                }
            });
        }
    });
    assert_eq!(total(&writer), 200);
}

#[test]
fn the_turn_comes_in_the_order_of_arrival_or_not_at_all() {
    let queue = queue::Queue::default();
    let soon = || Instant::now() + WAIT;
    let turn = queue.enter(soon()).unwrap();
    assert!(queue.enter(Instant::now() + Duration::from_millis(20)).is_none());
    let (arrived, served) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..5 {
            let (queue, arrived, served) = (&queue, &arrived, &served);
            scope.spawn(move || {
                while arrived.load(Ordering::SeqCst) != number {
                    thread::yield_now();
                }
                // The next thread may come once this one stands in line.
                thread::scope(|inner| {
                    inner.spawn(|| {
                        thread::sleep(Duration::from_millis(20));
                        arrived.fetch_add(1, Ordering::SeqCst);
                    });
                    let _turn = queue.enter(soon()).unwrap();
                    assert_eq!(served.fetch_add(1, Ordering::SeqCst), number);
                });
            });
        }
        while arrived.load(Ordering::SeqCst) < 5 {
            thread::yield_now();
        }
        drop(turn);
    });
    assert!(queue.enter(Instant::now()).is_some());
}

#[test]
fn busy_comes_only_after_the_deadline() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let mut other = WritingConnection::open(&writer.shared.file, Instant::now() + WAIT).unwrap();
    other.begin(true, Instant::now() + WAIT).unwrap();
    match writer.transaction(Durability::Full, Duration::from_millis(100), count_up) {
        Err(Failure::Refused(Error::Busy { waited_ms })) => assert!(waited_ms >= 100),
        other => panic!("{other:?}"),
    }
    assert!(other.roll_back());
    assert_eq!(writer.transaction(Durability::Full, WAIT, count_up).unwrap(), 1);
}

#[test]
fn a_failed_commit_is_told_apart_and_made_certain() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    // A veto of the commit stands for any failure of it.
    lock(&writer.shared.state).connection.as_ref().unwrap().veto_commits();
    match writer.transaction(Durability::Full, WAIT, count_up) {
        Err(Failure::CommitFailed { certain: true, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(total(&writer), 0);
    assert_eq!(writer.transaction(Durability::Full, WAIT, count_up).unwrap(), 1);
    let unknown: Error = Failure::CommitFailed { error: Error::storage("x"), certain: false, alone: true }.into();
    assert_eq!(unknown.code(), "outcome_unknown");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    lock(&writer.shared.state).connection.as_ref().unwrap().allow_no_growth();
    let book = crate::pricing::PriceBook::parse(&"# a long comment\n".repeat(1_000), "x").unwrap();
    let store_book = |session: &Session<'_>| insert_price_book(session, 1, &book).map(Decision::Commit);
    match writer.transaction(Durability::Full, WAIT, store_book) {
        Err(Failure::Refused(Error::DiskFull { .. })) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(writer.transaction(Durability::Full, WAIT, count_up).unwrap(), 1);
}

fn many(writer: &Writer, times: usize) {
    for _ in 0..times {
        writer.transaction(Durability::Relaxed, WAIT, count_up).unwrap();
    }
}

fn wal_bytes(path: &std::path::Path) -> u64 {
    std::fs::metadata(path.with_extension("ledger-wal")).unwrap().len()
}

#[test]
fn the_log_is_moved_into_the_file_when_it_is_long() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    many(&writer, 2_000);
    let warm = wal_bytes(&path);
    many(&writer, 20_000);
    assert!(writer.log_trouble().is_none());
    // Overwritten from its start: neither longer nor shorter.
    assert_eq!(wal_bytes(&path), warm);
    assert!(warm < 1_100 * 4_200, "{warm}");
    assert_eq!(total(&writer), 22_000);
}

#[test]
fn a_long_read_is_said_while_it_holds_the_log_up() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let reader = crate::db::Readers::beside(writer.shared.file.clone()).unwrap();
    many(&writer, 100);
    reader
        .get()
        .unwrap()
        .snapshot(|conn| {
            assert_eq!(counted(&Session::new(conn))?, 100);
            many(&writer, 3_500);
            assert!(writer.log_trouble().is_none());
            let checkpoints = lock(&writer.shared.state).connection.as_ref().unwrap().checkpoints();
            many(&writer, 3_000);
            let more = lock(&writer.shared.state).connection.as_ref().unwrap().checkpoints() - checkpoints;
            assert!(more <= 3, "{more} checkpoints while a read is in the way");
            let warning = writer.log_trouble().unwrap().to_string();
            assert!(warning.starts_with("the -wal has grown to ") && warning.contains("long read"), "{warning}");
            assert!(warning.contains(&format!(" {} MB", wal_bytes(&path) / 1_000_000)), "{warning}");
            assert_eq!(counted(&Session::new(conn))?, 100);
            Ok(())
        })
        .unwrap();
    // Over: nobody has to write for the warning to go.
    assert!(writer.log_trouble().is_none());
    let long = wal_bytes(&path);
    many(&writer, 5_000);
    assert!(writer.log_trouble().is_none());
    // What was beyond the size it keeps was given back, or it was overwritten from its start.
    assert!(wal_bytes(&path) <= long.min(16 << 20));
}

#[test]
fn the_warning_goes_with_the_next_commits_too() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let reader = crate::db::Readers::beside(writer.shared.file.clone()).unwrap();
    reader
        .get()
        .unwrap()
        .snapshot(|conn| {
            Session::new(conn).ledger()?;
            many(&writer, 6_000);
            Ok(())
        })
        .unwrap();
    assert!(lock(&writer.shared.log_trouble).is_some());
    many(&writer, 1_100);
    assert!(lock(&writer.shared.log_trouble).is_none());
}

#[test]
fn a_durable_answer_rests_on_durable_commits() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    writer.transaction(Durability::Relaxed, WAIT, count_up).unwrap();
    writer.transaction(Durability::Relaxed, WAIT, |_| Ok(Decision::Commit(()))).unwrap();
    assert!(lock(&writer.shared.state).relaxed);
    assert_eq!(total(&writer), 1);
    assert!(!lock(&writer.shared.state).relaxed);
}

#[test]
fn many_may_create_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.ledger");
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let created = create(&path, &NewLedger::random(At::clamped(5)));
                    assert!(matches!(created, Ok(_) | Err(Error::LedgerExists { .. })), "{:?}", created.err());
                    let writer = writer_on(&path);
                    writer.transaction(Durability::Relaxed, WAIT, count_up).unwrap();
                });
            }
        });
        assert_eq!(total(&writer_on(&path)), 4);
    }
}

#[test]
fn a_moved_file_is_not_written_to() {
    let (folder, path) = new_ledger();
    let writer = writer_on(&path);
    std::fs::rename(&path, folder.path().join("away")).unwrap();
    let refused = writer.transaction(Durability::Full, WAIT, count_up);
    assert!(matches!(refused, Err(Failure::Refused(Error::Moved { .. }))));
    assert!(writer.close().is_err());
}
