//! Others on the same file: a second SQLite in the process, processes that come and go, files moved away under an open
//! ledger.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use counterfoil::{Error, Ledger, Receipt};

use super::{available, charge, child_does, filled, said};

/// Until it is booked: what was not acknowledged is repeated under its key.
fn insist(mut book: impl FnMut() -> Result<Receipt, Error>) -> Receipt {
    for _ in 0..200 {
        match book() {
            Ok(receipt) => return receipt,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    panic!("it is never booked")
}

/// A plugin with an SQLite of its own looked into the ledger once a second: each time it closed the file, the process lost
/// all its locks, and a register beside it took the `-wal` away with acknowledged charges in it. Opening and closing any
/// descriptor does what that SQLite does. `COUNTERFOIL_SECONDS` makes the hunt longer.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there are locks that outlive it")]
fn a_second_sqlite_in_the_process_loses_nothing() {
    let seconds = std::env::var("COUNTERFOIL_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    let over = AtomicBool::new(false);
    let (mine, theirs) = std::thread::scope(|scope| {
        let plugin = || {
            for suffix in ["", "-shm", "-wal"].iter().cycle() {
                drop(File::open(format!("{}{suffix}", path.display())));
                std::thread::sleep(Duration::from_micros(300));
                if over.load(Ordering::SeqCst) {
                    break;
                }
            }
        };
        scope.spawn(plugin);
        // A register that comes, charges and goes, as the last one of its process.
        let register = scope.spawn(|| {
            let booked = |n: &i32| said(&child_does("charge", &path, format!("theirs {n}").as_ref(), &[]));
            (0..)
                .take_while(|_| !over.load(Ordering::SeqCst))
                .filter(|n| booked(n).as_deref() == Some("answered 1"))
                .count()
        });
        let reading = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                match ledger.verify_quick() {
                    Ok(verified) => assert!(verified.ok, "{:?}", verified.faults),
                    Err(error) => assert_eq!(error.code(), "locks_lost"),
                }
            }
        });
        let until = Instant::now() + Duration::from_secs(seconds);
        let mine = (0..).take_while(|_| Instant::now() < until);
        let mine = mine.inspect(|n| drop(insist(|| charge(&ledger, &format!("mine {n}"))))).count();
        over.store(true, Ordering::SeqCst);
        reading.join().unwrap();
        (mine, register.join().unwrap())
    });
    assert!(mine > 10 && theirs > 2, "{mine} and {theirs}");
    for n in 0..mine {
        assert!(insist(|| charge(&ledger, &format!("mine {n}"))).replayed, "{n} was acknowledged and is gone");
    }
    assert!(ledger.verify().unwrap().ok);
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    let charged = i64::try_from(mine + theirs).unwrap();
    // What was refused to the register may still have been booked.
    assert!(1_000 - available(&ledger).min(1_000) >= charged.min(1_000), "{} of {charged}", available(&ledger));
}

/// Somebody tidied the folder while the app was running and deleted the `-shm`: two processes went on, each with one of
/// its own, and gave the same operation ids. The `-wal` cut, charges went on to be acknowledged into a hole.
#[test]
fn files_moved_away_under_an_open_ledger_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = folder.path().join(format!("points{suffix}.ledger"));
        let ledger = filled(&path);
        let away = folder.path().join("away");
        fs::rename(format!("{}{suffix}", path.display()), &away).unwrap();
        // With file and -shm in their place, what is read is what others have.
        let read = ledger.verify_quick();
        assert_eq!(read.is_ok(), suffix == "-wal", "{suffix}");
        let refused = [charge(&ledger, "k").unwrap_err(), ledger.close().unwrap_err()];
        for error in refused.into_iter().chain(read.err()) {
            assert_eq!((error.code(), error.is_retryable()), ("moved", false), "{suffix}: {error}");
            assert!(error.to_string().contains("moved or deleted"), "{suffix}: {error}");
        }
        // Put back, everything is there.
        fs::rename(&away, format!("{}{suffix}", path.display())).unwrap();
        assert_eq!(available(&Ledger::open(&path).unwrap()), 1_000, "{suffix}");
    }
}
