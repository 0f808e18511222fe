//! What a lookup of a balance costs without the library: a held statement on a connection of its own.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Statement};

/// The same facts as `Ledger::balance` gives: state, limit, balances, totals, and what expires next.
const ACCOUNT: &str = "SELECT no, state, credit_limit, available, held, pending, debt, recharged, consumed, refunded, expired, \
    reinstated, revoked, clawed_back, written_off, moved_in, moved_out, last_booked_at, next_due_at FROM account WHERE id = ?1";
const NEXT: &str = "SELECT expires_at, remaining FROM batch INDEXED BY batch_due \
    WHERE account = ?1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1";
/// The balances alone.
const BAREST: &str = "SELECT available, held, pending, debt, next_due_at FROM account WHERE id = ?1";

/// A connection set up as the library's readers are. Only for a file that is not written meanwhile.
pub(crate) fn connect(path: &Path) -> Connection {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    conn.pragma_update(None, "cell_size_check", true).unwrap();
    conn.pragma_update(None, "cache_size", -4_000).unwrap();
    conn.pragma_update(None, "query_only", true).unwrap();
    conn
}

pub(crate) struct Lookup<'c> {
    account: Statement<'c>,
    next: Statement<'c>,
    barest: Statement<'c>,
}

impl<'c> Lookup<'c> {
    pub(crate) fn new(conn: &'c Connection) -> Self {
        let prepare = |sql| conn.prepare(sql).unwrap();
        Lookup { account: prepare(ACCOUNT), next: prepare(NEXT), barest: prepare(BAREST) }
    }

    /// All of it: the account's row, and the next expiry.
    pub(crate) fn account(&mut self, id: &str) -> ([Option<i64>; 19], Option<(i64, i64)>) {
        let row = self.account.query_row([id], |row| {
            let mut all = [None; 19];
            for (column, value) in all.iter_mut().enumerate() {
                *value = row.get(column)?;
            }
            Ok(all)
        });
        let row = row.unwrap();
        let mut rows = self.next.query([row[0]]).unwrap();
        let next = rows.next().unwrap().map(|row| (row.get(0).unwrap(), row.get(1).unwrap()));
        (row, next)
    }

    /// The figures alone.
    pub(crate) fn barest(&mut self, id: &str) -> (i64, i64, i64, i64, Option<i64>) {
        let get = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        self.barest.query_row([id], get).unwrap()
    }
}
