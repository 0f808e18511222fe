//! Acknowledged means on disk: every path that promises it is counted, call by call.

use super::{child_does, filled, said};
use crate::support::strace_is_there;

/// A kiosk flushed before it was switched off. The flush was an UPDATE that changed no byte, so SQLite wrote and synced
/// nothing: what had been acknowledged as flushed was only in memory.
#[test]
fn every_promise_of_durability_syncs() {
    if !strace_is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    drop(filled(&path));
    let syncs = |then: &str| {
        let log = folder.path().join("log");
        let trace = ["-e", "trace=fsync,fdatasync,statx", "-o", log.to_str().unwrap()];
        let output = child_does(then, &path, &path, &trace);
        assert_eq!(said(&output).as_deref(), Some(format!("answered {then}").as_str()), "{output:?}");
        let log = std::fs::read_to_string(log).unwrap();
        let began = log.find("/mark/relaxed").unwrap();
        let marked = &log[began..log.find("/mark/end").unwrap()];
        marked.lines().filter(|line| line.contains("sync(")).count()
    };
    assert_eq!(syncs("nothing"), 0);
    for then in ["repeat of another's", "flush", "repeat", "full", "close"] {
        assert!(syncs(then) > 0, "{then} promises durability and synced nothing");
    }
}
