//! Where the bytes of a charge go.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::Durability;
use rusqlite::{Connection, OpenFlags};

use super::Bench;
use crate::figure::Figure;
use crate::{minimum, ours};

const CHARGES: u64 = 50_000;
const AT_ONCE: u64 = 100;

pub(super) fn run(bench: &Bench) -> Vec<Figure> {
    let folder = bench.folder("space");
    let (mine, least) = (folder.path().join("ours.db"), folder.path().join("minimum.db"));
    ours::create(&mine, ours::ACCOUNT, 1);
    let before = bytes(&mine);
    let account = ours::account();
    let ledger = ours::open(&mine, Durability::Relaxed);
    let keys: Vec<String> = (0..CHARGES).map(|n| ours::key(1, n)).collect();
    for some in keys.chunks(AT_ONCE as usize) {
        let some: Vec<_> = some.iter().map(|key| ours::charge_request(&account, key)).collect();
        ours::book(&ledger, &some);
    }
    ledger.close().unwrap();
    let after = bytes(&mine);
    minimum::create(&least, ours::ACCOUNT, 1);
    let least_before: f64 = bytes(&least).values().sum();
    let conn = minimum::connect(&least, false);
    let mut held = minimum::Held::new(&conn);
    for some in keys.chunks(AT_ONCE as usize) {
        let all = |held: &mut minimum::Held<'_>| {
            some.iter().try_for_each(|key| minimum::charge(held, ours::ACCOUNT, key, 1).map(drop))
        };
        minimum::transaction(&mut held, all).unwrap();
    }
    drop(held);
    conn.close().unwrap();
    let least_after: f64 = bytes(&least).values().sum();

    let each = |bytes: f64| bytes / CHARGES as f64;
    let total: f64 = after.values().sum::<f64>() - before.values().sum::<f64>();
    let mut figures = vec![
        Figure::new("counterfoil", each(total), "bytes").at_most(260.0),
        Figure::new("minimum", each(least_after - least_before), "bytes"),
    ];
    for (name, bytes) in &after {
        let grown = each(bytes - before.get(name).unwrap_or(&0.0));
        if grown >= 0.5 {
            figures.push(Figure::new(format!("of it: {name}"), grown, "bytes"));
        }
    }
    figures
}

/// Bytes of the pages of each table and index of a file nobody has open.
fn bytes(path: &Path) -> BTreeMap<String, f64> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut all = conn.prepare("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").unwrap();
    let rows = all.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as f64))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}
