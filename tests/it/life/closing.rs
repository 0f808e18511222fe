//! Closing: for all who share the handle, once, and with a word on what is left behind.

use counterfoil::{Ledger, Query};

use super::{available, charge, filled, recharge};

/// Behind the state of a desktop framework a clone is the only way to call anything. Its close answered Ok and closed
/// nothing, and the file that was copied afterwards opened empty.
#[test]
fn a_close_through_a_clone_closes_and_the_one_file_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    let (clone, other) = (ledger.clone(), ledger.with_durability(counterfoil::Durability::Relaxed));
    charge(&other, "relaxed").unwrap();
    let closing = clone.close().unwrap();
    assert!(closing.whole);
    assert_eq!(serde_json::to_value(closing).unwrap(), serde_json::json!({"whole": true}));
    for handle in [&ledger, &clone, &other] {
        assert_eq!(charge(handle, "late").unwrap_err().code(), "closed");
        assert_eq!(handle.accounts(&Query::new()).unwrap_err().code(), "closed");
    }
    assert!(!ledger.close().unwrap().whole, "it was closed before");
    let copy = folder.path().join("copy.ledger");
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(available(&Ledger::open(&copy).unwrap()), 999);
    std::fs::rename(&path, folder.path().join("renamed.ledger")).unwrap();
    assert_eq!(available(&Ledger::open(folder.path().join("renamed.ledger")).unwrap()), 999);
}

/// A second handle, opened and not cloned, or another process: then the file may go on, and the close says so.
#[test]
fn a_close_beside_others_says_that_the_file_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let first = filled(&path);
    let second = Ledger::open(&path).unwrap();
    assert!(!first.close().unwrap().whole);
    charge(&second, "goes on").unwrap();
    let looking = Ledger::options().read_only(true).open(&path).unwrap();
    assert!(!looking.close().unwrap().whole);
    assert!(second.close().unwrap().whole);
}

/// Calls under way are waited for; nobody is answered by a ledger that is half closed.
#[test]
fn a_close_waits_for_calls_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    let done: Vec<usize> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|thread| {
                let ledger = ledger.clone();
                scope.spawn(move || (0..).take_while(|n| charge(&ledger, &format!("{thread}:{n}")).is_ok()).count())
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(ledger.close().unwrap().whole);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let charged = i64::try_from(done.iter().sum::<usize>()).unwrap();
    assert!(charged > 0);
    let again = Ledger::open(&path).unwrap();
    recharge(&again, "more", 5).unwrap();
    assert_eq!(available(&again), (1_005 - charged).max(0));
    assert!(again.verify().unwrap().ok);
}

/// A close called from within a call (a progress report) cannot wait for that call: it is told so.
#[test]
fn a_close_within_a_call_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    drop(filled(&path));
    let ledger = Ledger::options().busy_timeout(std::time::Duration::from_millis(50)).open(&path).unwrap();
    let mut codes = Vec::new();
    let verified = ledger.verify_with(|_| codes.extend(ledger.close().err().map(|error| error.code())));
    assert!(verified.unwrap().ok && codes.contains(&"busy"), "{codes:?}");
    assert!(ledger.close().unwrap().whole, "afterwards it can be closed");
}

/// A job runner forked with the ledger open. Parent and child went on under one set of locks.
#[cfg(unix)]
#[test]
fn a_forked_child_is_answered_closed_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            let codes = [
                charge(&ledger, "child").err().map(|error| error.code()),
                ledger.verify_quick().err().map(|error| error.code()),
                ledger.close().err().map(|error| error.code()),
                Ledger::open(&path).err().map(|error| error.code()),
            ];
            drop(ledger);
            let expected = [Some("closed"), Some("closed"), Some("closed"), Some("storage")];
            if codes != expected {
                eprintln!("the child got {codes:?}");
            }
            std::process::exit(i32::from(codes != expected));
        }
        fork::Fork::Parent(child) => {
            for n in 0..20 {
                charge(&ledger, &format!("parent {n}")).unwrap();
            }
            assert_eq!(fork::waitpid(child).unwrap(), 0);
        }
    }
    charge(&ledger, "after").unwrap();
    assert_eq!(available(&ledger), 1_000 - 21);
    assert!(ledger.close().unwrap().whole);
}

/// The file as it would be found after a crash: how far its row says the log goes, and how far it goes.
fn named(path: &std::path::Path) -> (i64, i64) {
    let copy = path.with_file_name("crashed.ledger");
    for suffix in ["", "-wal"] {
        let of = |path: &std::path::Path| format!("{}{suffix}", path.display());
        std::fs::copy(of(path), of(&copy)).unwrap();
    }
    let conn = rusqlite::Connection::open(copy).unwrap();
    let sql = "SELECT length, (SELECT max(seq) FROM operation), head = (SELECT hash FROM operation WHERE seq = length) FROM ledger";
    let (length, newest, same): (i64, i64, bool) =
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert!(same);
    (length, newest)
}

/// The row that names the newest operation is not written by every charge; after a close it does.
#[test]
fn the_newest_operation_is_named_by_flush_and_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    let first = named(&path).1;
    charge(&ledger, "a").unwrap();
    charge(&ledger, "b").unwrap();
    assert_eq!(named(&path), (first, first + 2));
    ledger.flush().unwrap();
    assert_eq!(named(&path), (first + 2, first + 2));
    charge(&ledger, "c").unwrap();
    assert_eq!(named(&path), (first + 2, first + 3));
    // What a crash has left behind, the first change puts right.
    let crashed = Ledger::open(folder.path().join("crashed.ledger")).unwrap();
    charge(&crashed, "d").unwrap();
    let backup = folder.path().join("backup.ledger");
    charge(&crashed, "e").unwrap();
    assert!(crashed.backup(&backup).unwrap().ok);
    crashed.close().unwrap();
    ledger.close().unwrap();
    assert_eq!(named(&path), (first + 3, first + 3));
    std::fs::write(folder.path().join("backup.ledger-wal"), "").unwrap();
    assert_eq!(named(&backup), (first + 5, first + 5));
}
