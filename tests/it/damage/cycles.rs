//! Pages of a b-tree that lead back to themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::ManualClock;
use counterfoil::pricing::PriceBook;
use counterfoil::{Durability, Options, Request};
use rusqlite::Connection;

use super::{Sights, looks, unsound};
use crate::support::folder;

const PAGE: usize = 4096;
const SIGHTS: Sights =
    Sights { accounts: &["a", "debtor", "b7", "c7"], key: "k", every: 400, now: "2026-01-04T12:00:00Z" };

/// A ledger in which almost every table and index takes several pages.
fn large(path: &Path) {
    let clock = ManualClock::at("2026-01-01T00:00:00Z").unwrap();
    let options = Options::default().clock(Arc::new(clock.clone())).durability(Durability::Relaxed);
    let ledger = options.create(path).unwrap();
    let book = |lines: Vec<String>| {
        let lines: Vec<Request> = lines.iter().map(|line| Request::parse(line).unwrap()).collect();
        for answer in ledger.batch(&lines) {
            answer.unwrap();
        }
    };
    let each = |count: usize, line: &str| (0..count).map(|n| line.replace('#', &n.to_string())).collect::<Vec<_>>();
    book(each(500, r#"{"op":"recharge","account":"b#","key":"k","points":5,"source":"s","expires_in_days":60}"#));
    book(each(400, r#"{"op":"recharge","account":"a","key":"early#","points":3,"source":"s","expires_in_days":1}"#));
    clock.advance(Duration::from_secs(3 * 86_400));
    book(each(400, r#"{"op":"recharge","account":"a","key":"r#","points":3,"source":"s","expires_in_days":90}"#));
    book(each(400, r#"{"op":"hold","account":"a","key":"h#","points":1,"deadline_seconds":80000}"#));
    book(vec![r#"{"op":"open","account":"debtor","key":"o","credit_limit":100000}"#.into()]);
    book(each(400, r#"{"op":"consume","account":"debtor","key":"c#","points":2}"#));
    book(each(400, r#"{"op":"recharge","account":"c#","key":"k","points":1,"source":"s"}"#));
    book(each(400, r#"{"op":"consume","account":"c#","key":"k","points":1}"#));
    let spent: Vec<String> = (0..400)
        .map(|n| {
            let id = counterfoil::AccountId::new(format!("c{n}")).unwrap();
            ledger.batches(&id, &counterfoil::Query::new().all(true)).unwrap().items[0].batch.to_string()
        })
        .collect();
    let line = |id: &String| format!(r#"{{"op":"revoke","batch":"{id}","key":"k","points":"all","reason":"back"}}"#);
    book(spent.iter().map(line).collect());
    for n in 0..40 {
        let text = format!("[fixed_costs]\ntts = {}\n# {}\n", n + 1, "-".repeat(900));
        ledger.set_pricing(PriceBook::parse(&text, "book").unwrap());
        book(vec![format!(r#"{{"op":"consume","account":"a","key":"p{n}","service":"tts"}}"#)]);
    }
    assert!(ledger.verify().unwrap().ok);
    ledger.close().unwrap();
}

/// Every table and index, with the page its tree begins at.
fn trees(path: &Path) -> Vec<(String, usize)> {
    let conn = Connection::open(path).unwrap();
    let mut statement = conn.prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).unwrap();
    rows.map(Result::unwrap).map(|(name, root)| (name, usize::try_from(root).unwrap())).collect()
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + N].iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte))
}

/// Where the cells of an inner page begin: each with the number of a page below.
fn cells(bytes: &[u8], page: usize) -> Option<Vec<usize>> {
    let start = (page - 1) * PAGE;
    let count = number::<2>(bytes, start + 3);
    matches!(bytes[start], 2 | 5).then(|| (0..count).map(|n| start + number::<2>(bytes, start + 12 + 2 * n)).collect())
}

/// Lets the tail of a tree lead back to its first pages; whether the tree is tall enough for that.
fn tie(bytes: &mut [u8], root: usize) -> bool {
    let mut page = root;
    let cells = loop {
        let Some(cells) = cells(bytes, page) else { return false };
        let below = number::<4>(bytes, cells[0]);
        if super::cycles::cells(bytes, below).is_none() {
            break cells;
        }
        page = below;
    };
    let kept = cells.len().div_ceil(2);
    for (n, cell) in cells.iter().enumerate().skip(kept) {
        bytes.copy_within(cells[n % kept]..cells[n % kept] + 4, *cell);
    }
    bytes.copy_within(cells[0]..cells[0] + 4, (page - 1) * PAGE + 8);
    true
}

/// Story: the tail of the entries' tree led back to its first pages. History and export printed lines for ever, statement,
/// usage, verify and backup never answered. Every walk notices a key that does not rise, and every statement that reads a
/// whole table by itself is bounded.
#[test]
fn trees_that_lead_back_to_themselves() {
    let folder = folder();
    let original = folder.path().join("large.ledger");
    large(&original);
    let sound = std::fs::read(&original).unwrap();
    let (mut wrong, mut tied) = (Vec::new(), 0);
    for (name, root) in trees(&original) {
        let mut bytes = sound.clone();
        if !tie(&mut bytes, root) {
            continue;
        }
        tied += 1;
        let path = folder.path().join(format!("{name}.ledger"));
        std::fs::write(&path, bytes).unwrap();
        let seen = looks(&path, SIGHTS);
        wrong.extend(unsound(&seen).into_iter().map(|what| format!("{name}: {what}")));
        let verdict = seen.iter().find(|(look, _)| look == "verify").map(|(_, code)| *code);
        if !matches!(verdict, Some("faults" | "corrupt")) {
            wrong.push(format!("{name}: verify says {verdict:?}"));
        }
    }
    assert!(tied >= 18, "only {tied} trees are tall enough");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same downwards: a root that is its own child.
#[test]
fn trees_that_contain_themselves() {
    let folder = folder();
    let original = folder.path().join("large.ledger");
    large(&original);
    let sound = std::fs::read(&original).unwrap();
    let mut wrong = Vec::new();
    for (name, root) in trees(&original) {
        let Some(cells) = cells(&sound, root) else { continue };
        let mut bytes = sound.clone();
        let itself = u32::try_from(root).unwrap().to_be_bytes();
        for cell in cells.into_iter().chain([(root - 1) * PAGE + 8]) {
            bytes[cell..cell + 4].copy_from_slice(&itself);
        }
        let path = folder.path().join(format!("{name}.ledger"));
        std::fs::write(&path, bytes).unwrap();
        wrong.extend(unsound(&looks(&path, SIGHTS)).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Story: one byte of an account's row number was changed, 3 became 0. The rows then read are 1, 2, 0, and `verify` and
/// `backup`, which go on after the last key, began again from 0 for ever.
#[test]
fn a_row_number_that_falls() {
    let folder = folder();
    let path = folder.path().join("three.ledger");
    let ledger = counterfoil::Ledger::create(&path).unwrap();
    for id in ["a", "b", "c"] {
        let line = format!(r#"{{"op":"recharge","account":"{id}","key":"r","points":10,"source":"s"}}"#);
        ledger.apply(&Request::parse(&line).unwrap()).unwrap();
    }
    ledger.close().unwrap();
    let (_, root) = trees(&path).into_iter().find(|(name, _)| name == "account").unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = (root - 1) * PAGE;
    let last = start + number::<2>(&bytes, start + 8 + 2 * 2);
    assert_eq!(bytes[last + 1], 3);
    bytes[last + 1] = 0;
    std::fs::write(&path, bytes).unwrap();
    let seen = looks(&path, Sights { accounts: &["a", "b", "c"], key: "r", every: 1, now: "2026-12-01T00:00:00Z" });
    assert_eq!(unsound(&seen), Vec::<String>::new());
    let of = |name: &str| seen.iter().find(|(look, _)| look == name).map(|(_, code)| *code);
    assert_eq!((of("verify"), of("backup"), of("accounts")), (Some("faults"), Some("corrupt"), Some("corrupt")));
}
