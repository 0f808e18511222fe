use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::migrate::{Plan, Step, user_version};
use super::place::beside;
use super::*;
use crate::error::{Error, Result};

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(200)
}

fn open(path: &Path) -> Result<WritingConnection> {
    WritingConnection::open(&OpenFile::open(Place::existing(path)?, soon())?, soon())
}

/// Whether a use of the file may begin.
fn check(open: &WritingConnection) -> Result<()> {
    open.file().enter(Some(soon())).and_then(|using| open.check_wal(&using))
}

fn fill(conn: &Connection) -> Result<()> {
    conn.execute_batch("INSERT INTO writer (no, device, epoch, since) VALUES (1, zeroblob(16), 1, 1)")
        .map_err(sqlite_error)
}

fn folder_with_ledger() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = create(&folder.path().join("points.ledger"), fill).unwrap().path;
    (folder, path)
}

#[track_caller]
fn refused<T>(result: Result<T>, code: &str, word: &str) {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(error) => {
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}

#[test]
fn a_new_file_is_private_whole_and_in_wal_mode() {
    let (folder, path) = folder_with_ledger();
    for file in fs::read_dir(folder.path()).unwrap() {
        let metadata = file.unwrap().metadata().unwrap();
        assert!(metadata.is_file());
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
    }
    let mut writing = open(&path).unwrap();
    let text = |name: &str| -> String {
        let value: rusqlite::types::Value =
            writing.connection().pragma_query_value(None, name, |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(text("journal_mode"), "wal");
    for (name, value) in [
        ("application_id", APPLICATION_ID),
        ("user_version", 1),
        ("synchronous", 2),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("journal_size_limit", 16 << 20),
        ("wal_autocheckpoint", 0),
        ("query_only", 0),
    ] {
        assert_eq!(text(name), value.to_string(), "{name}");
    }
    refused(create(&path, fill), "ledger_exists", "exists");
    writing.begin(true, soon()).unwrap();
    assert!(!writing.commit().unwrap());
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    refused(create(&path, |_| Err(Error::Closed)), "closed", "");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(beside(&path, "-journal"), "begun").unwrap();
    refused(create(&path, fill), "unsafe_location", "-journal is left");
    assert!(!path.exists());
}

#[test]
fn an_sqlite_that_loses_commits_is_refused() {
    assert_eq!(config::check_sqlite_version(3_051_002, "3.51.2").unwrap_err().code(), "unsafe_sqlite");
    assert!(config::check_sqlite_version(3_051_003, "3.51.3").is_ok());
}

/// Whoever tidies a folder while the ledger is open: what is written then would be lost with the file that has no name.
#[test]
fn what_is_moved_replaced_or_cut_is_noticed() {
    let (folder, path) = folder_with_ledger();
    let mut writing = open(&path).unwrap();
    let readers = Readers::beside(writing.file().clone()).unwrap();
    let read = || readers.get()?.snapshot(|conn| conn.query_row("SELECT 1", [], |_| Ok(())).map_err(sqlite_error));
    writing.begin(false, soon()).unwrap();
    writing.touch().unwrap();
    writing.commit().unwrap();
    check(&writing).unwrap();
    read().unwrap();
    let away = folder.path().join("away");
    for suffix in ["-wal", "-shm", ""] {
        let side = beside(&path, suffix);
        fs::rename(&side, &away).unwrap();
        // A read goes by file and -shm: with them, what is read is what others have.
        let reads = suffix == "-wal";
        refused(check(&writing), "moved", "moved or deleted");
        assert!(if reads { read().is_ok() } else { read().is_err_and(|error| error.code() == "moved") }, "{suffix}");
        fs::copy(&away, &side).unwrap();
        refused(check(&writing), "moved", "replaced");
        assert!(if reads { read().is_ok() } else { read().is_err_and(|error| error.code() == "moved") }, "{suffix}");
        fs::rename(&away, &side).unwrap();
        check(&writing).unwrap();
        read().unwrap();
    }
    // Not by opening it here, which would drop the locks: so by another process.
    let cut = |suffix: &str, bytes: &str| {
        let done = std::process::Command::new("truncate").args(["-s", bytes]).arg(beside(&path, suffix)).status();
        assert!(done.unwrap().success());
    };
    cut("-wal", "100");
    refused(check(&writing), "moved", "-wal: it was cut");
    cut("", "8192");
    refused(check(&writing), "moved", "cut short");
}

#[test]
fn readers_cannot_write_and_see_commits() {
    let (_folder, path) = folder_with_ledger();
    let mut writing = open(&path).unwrap();
    let readers = Readers::open(&path).unwrap();
    let reader = readers.get().unwrap();
    assert_eq!(reader.execute("DELETE FROM hold", []).map_err(sqlite_error).unwrap_err().code(), "read_only");
    assert!(reader.execute("ATTACH ':memory:' AS other", []).is_err());
    let count = || reader.query_row("SELECT count(*) FROM price_book", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 0);
    writing.begin(false, soon()).unwrap();
    writing.connection().execute("INSERT INTO price_book VALUES (1, zeroblob(32), '')", []).unwrap();
    assert_eq!(count(), 0);
    writing.commit().unwrap();
    assert_eq!(count(), 1);
    assert!(writing.checkpoint_whole(soon()).unwrap());
    assert_eq!(fs::metadata(beside(&path, "-wal")).unwrap().len(), 0);
    assert_eq!(count(), 1);
}

#[test]
fn a_second_reader_sees_the_same_state() {
    let (_folder, path) = folder_with_ledger();
    let mut writing = open(&path).unwrap();
    let readers = Readers::beside(writing.file().clone()).unwrap();
    let count = |conn: &Connection| conn.query_row("SELECT count(*) FROM price_book", [], |row| row.get::<_, i64>(0));
    let seen = readers.with_others(|_, others| Ok(others.is_some()));
    assert!(!seen.unwrap(), "a short file is read by one");
    writing.begin(false, soon()).unwrap();
    let long = "INSERT INTO price_book VALUES (0, zeroblob(32), hex(zeroblob(300000)))";
    writing.connection().execute(long, []).unwrap();
    writing.commit().unwrap();
    for before in 1..4 {
        let seen = readers.with_others(|conn, others| {
            let [second, third] = others.expect("nobody writes");
            writing.begin(false, soon()).unwrap();
            let sql = "INSERT INTO price_book VALUES (?1, randomblob(32), '')";
            writing.connection().execute(sql, [before]).unwrap();
            writing.commit().unwrap();
            Ok([conn, &second, &third].map(|conn| count(conn).unwrap()))
        });
        assert_eq!(seen.unwrap(), [before; 3]);
    }
    // None is left inside its transaction, which would hold up the checkpoint.
    assert!(writing.checkpoint_whole(soon()).unwrap());
}

#[cfg(unix)]
#[test]
fn a_lonely_reader_needs_no_shm() {
    let (_folder, path) = folder_with_ledger();
    let (conn, _) = config::connect(&path, config::Role::LonelyReader).unwrap();
    fs::remove_file(beside(&path, "-shm")).ok();
    assert_eq!(conn.query_row("SELECT count(*) FROM writer", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    assert!(conn.execute("DELETE FROM hold", []).is_err());
    assert!(!beside(&path, "-shm").exists());
    drop(conn);
    // Something is left in the -wal, so that the file alone is not all.
    let mut writing = open(&path).unwrap();
    writing.begin(true, soon()).unwrap();
    writing.touch().unwrap();
    writing.commit().unwrap();
    drop(writing);
    // As where no -shm can be made: SQLite follows no link.
    fs::remove_file(beside(&path, "-shm")).unwrap();
    std::os::unix::fs::symlink("nowhere", beside(&path, "-shm")).unwrap();
    let readers = Readers::open(&path).unwrap();
    let reader = readers.get().unwrap();
    assert_eq!(reader.query_row("SELECT count(*) FROM writer", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    assert!(readers.apart().unwrap().is_none(), "it shuts out everybody else, so there is nobody to watch");
}

/// A closed ledger on a read-only medium, or in a folder of somebody else's: nothing can be made beside it.
#[cfg(unix)]
#[test]
fn a_file_at_rest_is_read_as_it_is_until_somebody_opens_it() {
    let (_folder, path) = folder_with_ledger();
    drop(open(&path).unwrap());
    let shm = beside(&path, "-shm");
    let _ = fs::remove_file(&shm);
    std::os::unix::fs::symlink("nowhere", &shm).unwrap();
    let readers = Readers::open(&path).unwrap();
    let read = || {
        let count = |conn: &Connection| conn.query_row("SELECT count(*) FROM writer", [], |row| row.get::<_, i64>(0));
        readers.get()?.snapshot(|conn| count(conn).map_err(sqlite_error))
    };
    assert_eq!(read().unwrap(), 1);
    assert!(readers.opened().unwrap().is_none());
    // Others come: from now on their locks count.
    fs::remove_file(&shm).unwrap();
    let writing = open(&path).unwrap();
    assert_eq!(read().unwrap(), 1);
    assert!(readers.opened().unwrap().is_some());
    drop(writing);
}

/// An auditor reads a backup in a folder that nobody may write: nothing has to be made beside it.
#[test]
fn a_reader_of_a_backup_makes_nothing_beside_it() {
    let (folder, path) = folder_with_ledger();
    let target = folder.path().join("a%20b?c#d");
    let copy = copy(&Readers::open(&path).unwrap(), &target, |_| Ok(())).unwrap().path;
    let readers = Readers::open(&copy).unwrap();
    let reader = readers.get().unwrap();
    assert_eq!(reader.query_row("SELECT count(*) FROM writer", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    assert!(!beside(&copy, "-shm").exists() && !beside(&copy, "-wal").exists());
}

#[test]
fn what_cannot_be_read_where_it_lies_is_to_be_copied() {
    let (_folder, path) = folder_with_ledger();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&path, suffix));
    }
    // As where no file can be made: the name is taken.
    fs::create_dir(beside(&path, "-wal")).unwrap();
    refused(Readers::open(&path).map(|_| ()), "storage", "into a folder you can write to");
}

#[test]
fn a_busy_file_is_waited_for_until_the_deadline() {
    let (_folder, path) = folder_with_ledger();
    let mut first = open(&path).unwrap();
    let mut second = open(&path).unwrap();
    first.begin(true, soon()).unwrap();
    let start = Instant::now();
    match second.begin(true, soon()) {
        Err(Error::Busy { waited_ms }) => assert!((150..5_000).contains(&waited_ms), "{waited_ms}"),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert!(first.roll_back());
    second.begin(true, soon()).unwrap();
    assert!(second.roll_back());
}

#[test]
fn a_backup_is_a_ledger_of_its_own_and_overwrites_nothing() {
    let (folder, path) = folder_with_ledger();
    let mut writing = open(&path).unwrap();
    writing.begin(true, soon()).unwrap();
    writing.connection().execute("INSERT INTO price_book VALUES (1, zeroblob(32), 'kept')", []).unwrap();
    writing.commit().unwrap();
    let target = folder.path().join("it's a copy.ledger");
    let readers = Readers::beside(writing.file().clone()).unwrap();
    refused(super::copy(&readers, &target, |_| Err(Error::Closed)), "closed", "");
    let copy = super::copy(&readers, &target, |_| Ok(())).unwrap().path;
    refused(super::copy(&readers, &target, |_| Ok(())), "ledger_exists", "copy");
    let hidden = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(hidden.filter(|name| name.to_string_lossy().starts_with('.')).count(), 0);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions()) & 0o777, 0o600);
    let text =
        |conn: &Connection| conn.query_row("SELECT text FROM price_book", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text(&Readers::open(&copy).unwrap().get().unwrap()), "kept");
    let writing = open(&copy).unwrap();
    check(&writing).unwrap();
    assert_eq!(text(writing.connection()), "kept");
}

const OLD: &str = "CREATE TABLE one (x INTEGER) STRICT;";
const NEW: &str = "CREATE TABLE one (x INTEGER) STRICT;\nCREATE TABLE two (y INTEGER) STRICT;";

fn old_file(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    conn.execute_batch(OLD).unwrap();
    conn.execute_batch("INSERT INTO one VALUES (7); PRAGMA user_version = 1").unwrap();
}

#[test]
fn an_older_file_is_backed_up_and_migrated_to_exactly_the_new_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.ledger");
    old_file(&path);
    let open = |sql: &'static str, from: i64| {
        let steps = [Step { from, sql }];
        let file = OpenFile::open(Place::existing(&path)?, soon())?;
        WritingConnection::open_with(&file, &Plan { steps: &steps, version: 2, schema: NEW })
    };
    refused(open("CREATE TABLE two (y TEXT) STRICT", 1).map(|_| ()), "corrupt", "table two differs");
    refused(open("CREATE TABLE two (y INTEGER) STRICT", 3).map(|_| ()), "storage", "no way");
    assert_eq!(user_version(&Connection::open(&path).unwrap()).unwrap(), 1);
    let writing = open("CREATE TABLE two (y INTEGER) STRICT", 1).unwrap();
    assert_eq!(user_version(writing.connection()).unwrap(), 2);
    assert_eq!(writing.connection().query_row("SELECT x FROM one", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
    let kept = beside(&path, ".v1.backup-3");
    assert_eq!(user_version(&Connection::open(kept).unwrap()).unwrap(), 1);
}

#[test]
fn a_snapshot_sees_one_moment_and_ends_whatever_happens() {
    let (_folder, path) = folder_with_ledger();
    let mut writing = open(&path).unwrap();
    let readers = Readers::open(&path).unwrap();
    let reader = readers.get().unwrap();
    let count = |conn: &Connection| {
        conn.query_row("SELECT count(*) FROM price_book", [], |row| row.get::<_, i64>(0)).map_err(sqlite_error)
    };
    let seen = reader.snapshot(|conn| {
        let before = count(conn)?;
        writing.begin(true, soon())?;
        writing
            .connection()
            .execute("INSERT INTO price_book VALUES (1, zeroblob(32), '')", [])
            .map_err(sqlite_error)?;
        writing.commit()?;
        Ok((before, count(conn)?))
    });
    assert_eq!(seen.unwrap(), (0, 0));
    let app = std::panic::AssertUnwindSafe(|| reader.snapshot(|_| -> Result<()> { panic!("the app's own") }));
    assert!(std::panic::catch_unwind(app).is_err());
    assert!(reader.is_autocommit());
    reader.execute("BEGIN", []).unwrap();
    refused(reader.snapshot(|_| Err::<(), _>(Error::Closed)), "closed", "");
    assert_eq!(reader.snapshot(count).unwrap(), 1);
    assert!(writing.checkpoint_whole(soon()).unwrap());
}

/// A register was stopped in a debugger in the middle of a charge: every other one was busy, and nobody knew with whom.
#[cfg(target_os = "linux")]
#[test]
fn a_stuck_writer_is_named() {
    let (_folder, path) = folder_with_ledger();
    let place = Place::existing(&path).unwrap();
    let other = locks::Locks::open(&path, soon()).unwrap();
    assert_eq!(opened::stuck_writers(&path, place.id()), None);
    other.lock_writer(soon()).unwrap();
    assert_eq!(opened::stuck_writers(&path, place.id()), Some(vec![std::process::id()]));
    other.unlock_writer();
    assert_eq!(opened::stuck_writers(&path, place.id()), None);
}
