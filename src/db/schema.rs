//! The fingerprint of the schema: a ledger has exactly our tables, indexes and triggers. A file made to do harm could
//! carry triggers of its own, which would run on our inserts.

use std::sync::OnceLock;

use rusqlite::Connection;

use super::SCHEMA;
use super::errors::sqlite_error;
use crate::error::{Error, Result};

/// One row of `sqlite_schema`: type, name, table, SQL.
type Object = (String, String, String, Option<String>);

fn objects(conn: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut statement = conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let mut objects = rows.collect::<rusqlite::Result<Vec<Object>>>()?;
    objects.sort();
    Ok(objects)
}

/// The objects of a fresh file, made once in memory.
fn expected() -> Result<&'static [Object]> {
    static EXPECTED: OnceLock<Vec<Object>> = OnceLock::new();
    if let Some(known) = EXPECTED.get() {
        return Ok(known);
    }
    let fresh = of(SCHEMA).map_err(sqlite_error)?;
    Ok(EXPECTED.get_or_init(|| fresh))
}

fn of(schema: &str) -> rusqlite::Result<Vec<Object>> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(schema)?;
    objects(&conn)
}

/// Refuses a file whose schema is not exactly this one.
pub(super) fn check(conn: &Connection, schema: &str) -> Result<()> {
    let found = ours(conn)?;
    if schema == SCHEMA { compare(&found, expected()?) } else { compare(&found, &of(schema).map_err(sqlite_error)?) }
}

/// Drops the statistics of somebody's ANALYZE: made when the file was small, they would have whole tables read for ever.
pub(super) fn drop_statistics(conn: &Connection) -> Result<()> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sqlite\\_stat%' ESCAPE '\\'";
    let mut statement = conn.prepare(sql).map_err(sqlite_error)?;
    let names = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>);
    for name in names.map_err(sqlite_error)? {
        conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", quoted(&name))).map_err(sqlite_error)?;
    }
    Ok(())
}

/// A name as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// All but what SQLite makes for itself: the statistics of somebody's ANALYZE are no damage.
fn ours(conn: &Connection) -> Result<Vec<Object>> {
    let mut objects = objects(conn).map_err(sqlite_error)?;
    objects.retain(|(kind, name, ..)| kind != "table" || !name.starts_with("sqlite_"));
    Ok(objects)
}

fn compare(found: &[Object], expected: &[Object]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let named = |list: &[Object], object: &Object| list.iter().any(|other| other.0 == object.0 && other.1 == object.1);
    let mut wrong = Vec::new();
    for object in expected.iter().filter(|object| !found.contains(object)) {
        let how = if named(found, object) { "differs" } else { "is missing" };
        wrong.push(format!("{} {} {how}", object.0, object.1));
    }
    if !wrong.is_empty() {
        return Err(Error::corrupt(format!("the schema is not counterfoil's: {}", wrong.join(", "))));
    }
    // Indexes that SQLite makes for a table go with it.
    let foreign = found.iter().filter(|object| !named(expected, object) && object.3.is_some());
    let (objects, drop) = foreign
        .map(|(kind, name, ..)| {
            (format!("{kind} {name}"), format!("DROP {} IF EXISTS {};", kind.to_uppercase(), quoted(name)))
        })
        .unzip::<_, _, Vec<_>, Vec<_>>();
    if objects.is_empty() { Ok(()) } else { Err(Error::ForeignSchema { objects, drop: drop.join(" ") }) }
}
