//! Paths that are no ledger: a clear code, and not one byte of the folder changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::Options;
use counterfoil::clock::ManualClock;

use crate::support::{START, World, Wrong, code_of, folder, options, situations};

type Opening = dyn Fn(&Path) -> Result<counterfoil::Ledger, counterfoil::Error>;

/// How a case is made in an empty folder; the path to open.
type Make = fn(&Path) -> PathBuf;

/// Name, how it is made, and the codes of open, create, and open with `create_if_missing`.
type Case = (&'static str, Make, [&'static str; 3]);

const EXISTS: &str = "ledger_exists";
const NOT: &str = "not_a_ledger";
const BAD: &str = "invalid_argument";
const FOREIGN: &str = "foreign_schema";

fn put(path: PathBuf, bytes: &[u8]) -> PathBuf {
    fs::write(&path, bytes).unwrap();
    // An empty file may be a ledger that is being created just now, and would be waited for.
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    path
}

/// The bytes of a good ledger, closed.
fn ledger() -> Vec<u8> {
    let world = World::copy(situations(), None);
    let World { ledger, folder, .. } = world;
    ledger.close().unwrap();
    fs::read(folder.path().join("test.ledger")).unwrap()
}

/// A good ledger with a number of its header (big-endian, at this offset) replaced.
fn with_header(folder: &Path, offset: usize, number: i32) -> PathBuf {
    let mut bytes = ledger();
    bytes[offset..offset + 4].copy_from_slice(&number.to_be_bytes());
    put(folder.join("f"), &bytes)
}

fn application_id(folder: &Path, number: i32) -> PathBuf {
    with_header(folder, 68, number)
}

fn user_version(folder: &Path, number: i32) -> PathBuf {
    with_header(folder, 60, number)
}

/// A good ledger on which another program ran this SQL.
fn after_sql(folder: &Path, sql: &str) -> PathBuf {
    let path = put(folder.join("f"), &ledger());
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    path
}

fn foreign(folder: &Path, sql: &str) -> PathBuf {
    let path = folder.join("f");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    path
}

const NAMES: &[Case] = &[
    ("empty path", |_| PathBuf::new(), [BAD, BAD, BAD]),
    (":memory:", |_| ":memory:".into(), [BAD, BAD, BAD]),
    ("URI", |_| "file:x?nolock=1".into(), [BAD, BAD, BAD]),
    ("URI in memory", |_| "file::memory:?cache=shared".into(), [BAD, BAD, BAD]),
    ("missing", |at| at.join("missing"), [NOT, "ok", "ok"]),
    ("folder missing", |at| at.join("no/such/f"), [NOT, BAD, BAD]),
    ("folder", |at| at.to_path_buf(), [NOT, EXISTS, NOT]),
    ("folder with a slash", |at| at.join(""), [NOT, BAD, NOT]),
    ("root", |_| "/".into(), [NOT, BAD, NOT]),
    ("dots", |at| at.join(".."), [NOT, BAD, NOT]),
];

#[cfg(unix)]
fn fifo(at: &Path) -> PathBuf {
    let path = at.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[cfg(unix)]
const KINDS: &[Case] = &[
    ("fifo", fifo, [NOT, EXISTS, NOT]),
    ("device", |_| "/dev/null".into(), [NOT, EXISTS, NOT]),
    ("endless device", |_| "/dev/zero".into(), [NOT, EXISTS, NOT]),
    (
        "socket",
        |at| {
            drop(std::os::unix::net::UnixListener::bind(at.join("s")).unwrap());
            at.join("s")
        },
        [NOT, EXISTS, NOT],
    ),
    (
        "hard link",
        |at| {
            let path = put(at.join("f"), &ledger());
            fs::hard_link(&path, at.join("g")).unwrap();
            path
        },
        ["unsafe_location", EXISTS, "unsafe_location"],
    ),
    (
        "symbolic link to nothing",
        |at| {
            std::os::unix::fs::symlink(at.join("nothing"), at.join("l")).unwrap();
            at.join("l")
        },
        [NOT, EXISTS, NOT],
    ),
    (
        "symbolic link to itself",
        |at| {
            std::os::unix::fs::symlink(at.join("l"), at.join("l")).unwrap();
            at.join("l")
        },
        [NOT, EXISTS, NOT],
    ),
    (
        "symbolic link to a folder",
        |at| {
            std::os::unix::fs::symlink(at, at.join("l")).unwrap();
            at.join("l")
        },
        [NOT, EXISTS, NOT],
    ),
    (
        "symbolic link to garbage",
        |at| {
            std::os::unix::fs::symlink(put(at.join("f"), b"garbage"), at.join("l")).unwrap();
            at.join("l")
        },
        [NOT, EXISTS, NOT],
    ),
];

const CONTENTS: &[Case] = &[
    ("empty file", |at| put(at.join("f"), b""), [NOT, "ok", "ok"]),
    ("one byte", |at| put(at.join("f"), b"S"), [NOT, EXISTS, NOT]),
    ("a line of text", |at| put(at.join("f"), b"points = 5\n"), [NOT, EXISTS, NOT]),
    ("zeros", |at| put(at.join("f"), &[0; 8192]), [NOT, EXISTS, NOT]),
    ("garbage", |at| put(at.join("f"), &[0xa5; 8192]), [NOT, EXISTS, NOT]),
    (
        "magic and garbage",
        |at| put(at.join("f"), &[b"SQLite format 3\0".as_slice(), &[0xa5; 8176]].concat()),
        [NOT, EXISTS, NOT],
    ),
    ("foreign", |at| foreign(at, "CREATE TABLE account (id INTEGER PRIMARY KEY)"), [NOT, EXISTS, NOT]),
    ("foreign with a version", |at| foreign(at, "CREATE TABLE t (x); PRAGMA user_version = 1"), [NOT, EXISTS, NOT]),
    ("foreign in WAL mode", |at| foreign(at, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)"), [NOT, EXISTS, NOT]),
    (
        "foreign with our id",
        |at| foreign(at, "CREATE TABLE t (x); PRAGMA application_id = 0x43666f6c; PRAGMA user_version = 1"),
        ["corrupt", EXISTS, "corrupt"],
    ),
    ("another application", |at| application_id(at, 1), [NOT, EXISTS, NOT]),
    ("no application", |at| application_id(at, 0), [NOT, EXISTS, NOT]),
    ("next version", |at| user_version(at, 2), ["schema_too_new", EXISTS, "schema_too_new"]),
    ("last version", |at| user_version(at, i32::MAX), ["schema_too_new", EXISTS, "schema_too_new"]),
    ("no version", |at| user_version(at, 0), ["corrupt", EXISTS, "corrupt"]),
    ("negative version", |at| user_version(at, -1), ["corrupt", EXISTS, "corrupt"]),
    ("another table", |at| after_sql(at, "CREATE TABLE more (x)"), [FOREIGN, EXISTS, FOREIGN]),
    ("a missing index", |at| after_sql(at, &drop_first("index")), ["corrupt", EXISTS, "corrupt"]),
    ("a missing trigger", |at| after_sql(at, &drop_first("trigger")), ["corrupt", EXISTS, "corrupt"]),
    (
        "a trigger of another",
        |at| after_sql(at, "CREATE TRIGGER evil AFTER INSERT ON account BEGIN SELECT 1; END"),
        [FOREIGN, EXISTS, FOREIGN],
    ),
];

/// SQL that drops the first index or trigger of the schema.
fn drop_first(kind: &str) -> String {
    let schema = include_str!("../../../schema.sql");
    let word = format!("CREATE {} ", kind.to_uppercase());
    let unique = format!("CREATE UNIQUE {} ", kind.to_uppercase());
    let line = schema.lines().find(|line| line.starts_with(&word) || line.starts_with(&unique)).unwrap();
    let name = line.trim_start_matches(&unique).trim_start_matches(&word).split_whitespace().next().unwrap();
    format!("DROP {kind} {name}")
}

/// Names and bytes of everything in a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let bytes = if entry.file_type().unwrap().is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        found.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
    }
    found
}

/// The files that changed. SQLite's empty `-wal` and its `-shm` may stay beside a file that was looked at.
fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let companion = |name: &str| name.ends_with("-shm") || name.ends_with("-wal") && after[name].is_empty();
    let differs =
        |name: &&String| before.get(*name) != after.get(*name) && (before.contains_key(*name) || !companion(name));
    names.into_iter().filter(differs).cloned().collect()
}

fn how(clock: &ManualClock) -> [(&'static str, Box<Opening>); 4] {
    let fresh = || options(clock);
    let (open, create, either, look): (Options, Options, Options, Options) =
        (fresh(), fresh(), fresh().create_if_missing(true), fresh().read_only(true));
    [
        ("open", Box::new(move |path: &Path| open.clone().open(path))),
        ("create", Box::new(move |path: &Path| create.clone().create(path))),
        ("create_if_missing", Box::new(move |path: &Path| either.clone().open(path))),
        ("read-only", Box::new(move |path: &Path| look.clone().open(path))),
    ]
}

fn run(cases: &[Case]) -> usize {
    let (clock, mut wrong) = (ManualClock::at(START).unwrap(), Wrong::default());
    for (name, make, [open, create, either]) in cases {
        for ((way, call), expected) in how(&clock).into_iter().zip([open, create, either, open]) {
            let folder = folder();
            let path = make(folder.path());
            let before = contents(folder.path());
            let code = code_of(|| call(&path));
            wrong.check(code == *expected, || format!("{name}, {way}: {code}, expected {expected}"));
            let changed = changed(&before, &contents(folder.path()));
            wrong.check(code == "ok" || changed.is_empty(), || format!("{name}, {way}: changed {changed:?}"));
        }
    }
    wrong.none();
    cases.len() * 4
}

#[test]
fn names() {
    assert!(run(NAMES) >= 40);
}

#[cfg(unix)]
#[test]
fn kinds() {
    assert!(run(KINDS) >= 32);
}

#[test]
fn file_contents() {
    assert!(run(CONTENTS) >= 70);
}

#[test]
fn cut_files() {
    let (clock, whole, mut wrong) = (ManualClock::at(START).unwrap(), ledger(), Wrong::default());
    let page = 4096;
    let lengths = [
        1,
        15,
        16,
        17,
        99,
        100,
        101,
        511,
        512,
        1024,
        page - 1,
        page,
        page + 1,
        2 * page,
        whole.len() / 2,
        whole.len() - page,
        whole.len() - 1,
    ];
    for length in lengths {
        for (way, call) in how(&clock).into_iter().filter(|(way, _)| *way != "create") {
            let folder = folder();
            let path = put(folder.path().join("f"), &whole[..length]);
            let code = code_of(|| call(&path));
            // A last page that is there in part is not missed by opening; then verify must find it.
            let found = || call(&path).and_then(|ledger| ledger.verify()).is_ok_and(|verified| !verified.ok);
            let fine = [NOT, "corrupt"].contains(&code) || code == "ok" && length > whole.len() - page && found();
            wrong.check(fine, || format!("{length} of {} bytes, {way}: {code}", whole.len()));
            let untouched = contents(folder.path())["f"] == whole[..length];
            wrong.check(untouched, || format!("{length} bytes, {way}: changed the file"));
        }
    }
    wrong.none();
}

/// A seller on Windows read `\\?\Z:\shop\points.ledger` in every message: nobody else writes a path like that.
#[cfg(windows)]
#[test]
fn a_path_is_told_as_people_write_it() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = put(folder.path().join("f"), &ledger());
    let opened = options(&clock).open(&path).unwrap();
    let again = options(&clock).create(&path).unwrap_err();
    for told in [opened.path().display().to_string(), again.to_string()] {
        assert!(!told.contains(r"\\?\"), "{told}");
    }
}

/// A link is followed to the one file; nothing is made beside the link.
#[cfg(unix)]
#[test]
fn a_symbolic_link_leads_to_the_ledger() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    fs::create_dir(folder.path().join("real")).unwrap();
    let path = put(folder.path().join("real/f"), &ledger());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let opened = options(&clock).open(&link).unwrap();
    assert_eq!(opened.path(), fs::canonicalize(&path).unwrap());
    opened.confirm_clock(&counterfoil::Key::new("k").unwrap(), counterfoil::ConfirmClock::new()).unwrap();
    opened.close().unwrap();
    assert_eq!(contents(folder.path()).keys().collect::<Vec<_>>(), ["link", "real"]);
}

#[test]
fn backups_and_restores_overwrite_nothing() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let at = |name: &str| folder.path().join(name);
    let (garbage, good) = (put(at("garbage"), b"garbage"), put(at("good"), &ledger()));
    let newer = user_version(&folder.path().join(""), 2);
    for (name, from, to, expected) in [
        ("garbage", &garbage, at("new"), NOT),
        ("missing", &at("missing"), at("new"), NOT),
        ("newer", &newer, at("new"), "schema_too_new"),
        ("over a file", &good, garbage.clone(), EXISTS),
        ("over itself", &good, good.clone(), EXISTS),
        ("over a folder", &good, folder.path().to_path_buf(), EXISTS),
        ("to no folder", &good, at("no/such/f"), BAD),
        ("to nowhere", &good, PathBuf::new(), BAD),
        ("to memory", &good, ":memory:".into(), BAD),
    ] {
        let before = contents(folder.path());
        assert_eq!(code_of(|| options(&clock).restore(from, &to)), expected, "restore {name}");
        assert_eq!(changed(&before, &contents(folder.path())), [""; 0], "restore {name}");
    }
    let ledger = options(&clock).open(&good).unwrap();
    for (to, expected) in [
        (garbage.clone(), EXISTS),
        (good.clone(), EXISTS),
        (folder.path().to_path_buf(), EXISTS),
        (at("no/such/f"), BAD),
        (PathBuf::new(), BAD),
        ("file:x?vfs=none".into(), BAD),
    ] {
        assert_eq!(code_of(|| ledger.backup(&to)), expected, "backup to {}", to.display());
    }
    assert_eq!(fs::read(&garbage).unwrap(), b"garbage");
    assert!(ledger.verify().unwrap().ok);
}

/// Where permissions count (not for root): a file that cannot be written is refused for writing and read all the same.
#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = put(folder.path().join("f"), &ledger());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    if fs::File::options().write(true).open(&path).is_ok() {
        eprintln!(
            "skipped: this user may write every file; `calls::closed_and_read_only_handles` covers read-only handles"
        );
        return;
    }
    assert_eq!(code_of(|| options(&clock).open(&path)), "read_only");
    assert_eq!(code_of(|| options(&clock).read_only(true).open(&path)?.info()), "ok");
}
