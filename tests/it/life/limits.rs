//! What a host takes away, or lays beside a ledger: little stack, few descriptors, short files, a second name, somebody else's `-wal`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use counterfoil::Ledger;

use super::{FROM, TO, WHAT, available, charge, filled, recharge, said};

/// Everything a program does with a ledger, within the stack that musl gives a thread.
#[test]
fn little_stack_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let ledger = filled(&path);
        charge(&ledger, "k").unwrap();
        ledger.expire(None).unwrap();
        assert!(ledger.verify().unwrap().ok);
        assert!(ledger.backup(path.with_extension("copy")).unwrap().ok);
        ledger.close().unwrap().whole
    });
    assert!(thread.unwrap().join().unwrap());
}

/// The child beneath a limit of the shell's.
fn limited(limit: &str, what: &str, from: &std::path::Path, to: &str) -> std::process::Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; {limit}; exec \"$@\""), "sh"]).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "life::child", "--nocapture", "--test-threads=1"]);
    shell.env(WHAT, what).env(FROM, from).env(TO, to).output().unwrap()
}

/// With fewer and fewer descriptors: either it is done, or told; never half.
#[test]
fn few_descriptors_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    filled(&path).close().unwrap();
    let (mut done, mut told) = (0, 0);
    for descriptors in 3..20 {
        let key = format!("k{descriptors}");
        let output = limited(&format!("ulimit -n {descriptors}"), "charge", &path, &key);
        match said(&output) {
            Some(answer) if answer.starts_with("answered") => done += 1,
            Some(answer) => {
                assert!(["refused storage", "refused outcome_unknown"].contains(&answer.as_str()), "{answer}");
                told += 1;
            }
            // Too few for the program itself.
            None => assert!(descriptors < 6, "{descriptors}: {output:?}"),
        }
    }
    assert!(done > 3 && told > 2, "{done} done, {told} told");
    let ledger = Ledger::open(&path).unwrap();
    assert!(ledger.verify().unwrap().ok);
    assert!(available(&ledger) <= 1_000 - done, "{done} were done");
}

/// No file may be longer than a limit: as a full disk. (The signal that comes with it is the host's to ignore, as a server does.)
#[test]
fn a_limit_of_the_length_of_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let ledger = filled(&path);
    for n in 0..200 {
        recharge(&ledger, &format!("r{n}"), 1).unwrap();
    }
    ledger.close().unwrap();
    let blocks = fs::metadata(&path).unwrap().len() / 512;
    let mut seen = Vec::new();
    for limit in [1, 8, 64, blocks / 2, blocks, blocks * 2] {
        // Of dash in blocks of 512 bytes.
        let output = limited(&format!("ulimit -f {limit}"), "charge", &path, &format!("k{limit}"));
        seen.push(said(&output).unwrap_or_else(|| panic!("{output:?}")));
    }
    assert!(seen.iter().any(|answer| answer == "answered 1"), "{seen:?}");
    let told = ["answered 1", "refused disk_full", "refused storage", "refused outcome_unknown"];
    assert!(seen.iter().all(|answer| told.contains(&answer.as_str())), "{seen:?}");
    assert!(seen.iter().any(|answer| answer.starts_with("refused")), "{seen:?}");
    let ledger = Ledger::open(&path).unwrap();
    assert!(ledger.verify().unwrap().ok);
    charge(&ledger, "after").unwrap();
}

/// A second name: whoever opens the ledger by it would make a second `-wal`.
#[test]
fn a_file_with_two_names_is_refused_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("points.ledger"), folder.path().join("other.ledger"));
    filled(&path).close().unwrap();
    fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        for read_only in [false, true] {
            let error = Ledger::options().read_only(read_only).open(name).unwrap_err();
            assert_eq!(error.code(), "unsafe_location", "{error}");
        }
    }
    fs::remove_file(other).unwrap();
    assert_eq!(available(&Ledger::open(&path).unwrap()), 1_000);
}

/// Of a ledger that had died with something in its `-wal`, file and `-wal` are each found beside those of another, and cut anywhere:
/// there is what was there at some moment, or it is refused, or found; and what was there is never the other's.
#[test]
fn a_wal_of_another_or_of_another_time_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let dead = |name: &str, points: u32| {
        let path = folder.path().join(format!("{name}.ledger"));
        let ledger = filled(&path);
        ledger.close().unwrap();
        let old = fs::read(&path).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        (0..20).for_each(|n| drop(recharge(&ledger, &format!("r{n}"), points).unwrap()));
        let (file, wal) = (fs::read(&path).unwrap(), fs::read(path.with_extension("ledger-wal")).unwrap());
        (old, file, wal, points)
    };
    let (a, b) = (dead("a", 3), dead("b", 5));
    let path = folder.path().join("laid.ledger");
    let laid = |file: &[u8], wal: &[u8]| {
        for suffix in ["", "-wal", "-shm", "-reserve"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
        fs::write(&path, file).unwrap();
        fs::write(path.with_extension("ledger-wal"), wal).unwrap();
        [path.clone(), path.with_extension("ledger-wal")]
            .iter()
            .for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap());
        Ledger::open(&path).and_then(|ledger| {
            // Before anything is asked that may fail.
            let verification = ledger.verify()?;
            Ok((verification.ok, available(&ledger)))
        })
    };
    assert_eq!(laid(&a.1, &a.2).unwrap(), (true, 1_060));
    assert_eq!(laid(&b.1, &b.2).unwrap(), (true, 1_100));
    let (mut found, mut refused, mut fine) = (0, 0, 0);
    for ((old, file, _, points), (_, _, wal, _)) in [(&a, &b), (&b, &a), (&a, &a)] {
        for step in 0..=24 {
            let cut = wal.len() * step / 24;
            for base in [old, file] {
                match laid(base, &wal[..cut]) {
                    // A state of this ledger as it once was.
                    Ok((true, available)) => {
                        let more = available - 1_000;
                        assert!(
                            more % i64::from(*points) == 0 && (0..=20 * i64::from(*points)).contains(&more),
                            "{more}"
                        );
                        fine += 1;
                    }
                    Ok((false, _)) => found += 1,
                    Err(error) => {
                        assert!(["corrupt", "not_a_ledger", "schema_too_new"].contains(&error.code()), "{error}");
                        refused += 1;
                    }
                }
            }
        }
    }
    println!("{fine} fine, {found} found, {refused} refused");
    assert!(fine > 20 && found + refused > 10, "{fine} fine, {found} found, {refused} refused");
}
