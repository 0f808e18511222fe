//! Bringing an older file to the newest schema.

use rusqlite::Connection;

use super::backup;
use super::errors::sqlite_error;
use super::opened::OpenFile;
use super::place::beside;
use super::{SCHEMA, SCHEMA_VERSION, schema};
use crate::error::{Error, Result};

/// One step: the SQL that turns schema `from` into `from + 1`.
pub(super) struct Step {
    pub(super) from: i64,
    pub(super) sql: &'static str,
}

/// What leads where: the steps, the version they end at, and its schema.
pub(super) struct Plan<'a> {
    pub(super) steps: &'a [Step],
    pub(super) version: i64,
    pub(super) schema: &'a str,
}

/// The plan of this release. Version 1 is the first, so there is no step yet.
pub(super) const PLAN: Plan<'static> = Plan { steps: &[], version: SCHEMA_VERSION, schema: SCHEMA };

/// Backs the file up, then migrates it in one transaction.
pub(super) fn migrate(conn: &Connection, file: &OpenFile, plan: &Plan<'_>) -> Result<()> {
    // Steps may rebuild tables; the references are checked at the end instead. No effect inside a transaction.
    conn.pragma_update(None, "foreign_keys", false).map_err(sqlite_error)?;
    let done = locked(conn, file, plan);
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(sqlite_error)?;
    }
    conn.pragma_update(None, "foreign_keys", true).map_err(sqlite_error)?;
    done
}

fn locked(conn: &Connection, file: &OpenFile, plan: &Plan<'_>) -> Result<()> {
    // The lock first: nothing is booked between the backup and the migration.
    conn.execute_batch("BEGIN IMMEDIATE").map_err(sqlite_error)?;
    let mut version = user_version(conn)?;
    if version != plan.version {
        keep_backup(file, version)?;
    }
    while version < plan.version {
        let step = plan.steps.iter().find(|step| step.from == version);
        let step = step
            .ok_or_else(|| Error::storage(format!("no way leads from schema version {version} to {}", plan.version)))?;
        conn.execute_batch(step.sql).map_err(sqlite_error)?;
        version = version.saturating_add(1);
        conn.pragma_update(None, "user_version", version).map_err(sqlite_error)?;
    }
    schema::check(conn, plan.schema)?;
    let mut statement = conn.prepare("PRAGMA foreign_key_check").map_err(sqlite_error)?;
    if statement.exists([]).map_err(sqlite_error)? {
        return Err(Error::corrupt("rows refer to others that are not there"));
    }
    conn.execute_batch("COMMIT").map_err(sqlite_error)
}

pub(super) fn user_version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite_error)
}

/// `<name>.v<version>.backup`, numbered when an earlier attempt left one.
fn keep_backup(file: &OpenFile, version: i64) -> Result<()> {
    for attempt in 1..100 {
        let number = if attempt == 1 { String::new() } else { format!("-{attempt}") };
        let copy = beside(file.path(), &format!(".v{version}.backup{number}"));
        match backup::keep(file, &copy) {
            Err(Error::LedgerExists { .. }) => {}
            done => return done.map(drop),
        }
    }
    Err(Error::storage("there are a hundred backups of earlier migrations beside the ledger; move them away"))
}
