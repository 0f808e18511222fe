//! Texts far longer than any of ours.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use super::{RICH, looks, unsound};
use crate::faults::{rich, tampered};
use crate::support::folder;

const FILE: &str = "COUNTERFOIL_LONG_FILE";
const LONG: usize = 15 << 20;

/// A process of its own that looks at a file, and says what it saw and how much memory it had at most.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let path = std::path::PathBuf::from(path);
    let seen = looks(&path, RICH);
    let verdict = seen.iter().find(|(look, _)| look == "verify").map_or("none", |(_, code)| code);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib = peak.split_whitespace().next().unwrap();
    std::fs::write(path.with_extension("told"), format!("{kib} {verdict} {}", unsound(&seen).join(", "))).unwrap();
}

/// Story: a text of 15 MB in one row took `verify` 632 MB. How long a text may be is known of each column, and judged
/// before the text is copied or parsed.
#[test]
fn long_texts_are_not_taken_in() {
    let folder = folder();
    let original = rich(folder.path());
    let mut wrong = Vec::new();
    let rows = [
        ("operation", "body", "seq = 5"),
        ("operation", "outcome", "seq = 5"),
        ("operation", "key", "seq = 5"),
        ("price_book", "text", "no = 1"),
        ("account", "id", "no = 2"),
        ("batch", "source", "account = 1"),
        ("hold", "service", "1"),
    ];
    let numbers = format!("{{\"draws\":[{}[1,1]]}}", "[1,1],".repeat(LONG / 6));
    for (table, column, row) in rows {
        for text in [&"x".repeat(LONG), &numbers] {
            let sql =
                format!("UPDATE {table} SET {column} = ?1 WHERE rowid = (SELECT min(rowid) FROM {table} WHERE {row})");
            let path = tampered(&original, column, |conn| assert_eq!(conn.execute(&sql, [text]).unwrap(), 1));
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "damage::long::child", "--test-threads=1"])
                .env(FILE, &path)
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
            let told = std::fs::read_to_string(path.with_extension("told")).unwrap();
            let mut words = told.splitn(3, ' ');
            let kib: i64 = words.next().unwrap().parse().unwrap();
            if kib > 120_000 || words.next() != Some("faults") || words.next() != Some("") {
                wrong.push(format!("{table}.{column}, {:.9}: {told}", text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
