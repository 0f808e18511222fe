//! Work of SQLite's that would never end in a damaged file, whose pages may lead back to themselves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Connection;
use super::errors::sqlite_error;
use crate::error::{Error, Result};

/// How often SQLite is looked at: after this many steps of its machine.
const LOOK: i32 = 100_000;
/// Passing over a row takes some twenty steps, and a row takes more than ten bytes.
const STEPS_PER_BYTE: i64 = 4;
/// A copy is rarely larger than the file, and never much.
const SLACK: u64 = 8 << 20;

/// Runs reads that may pass over all rows of a table without handing one out, and ends them when they have passed over
/// more than the file can hold.
pub(crate) fn bounded<T>(conn: &Connection, read: impl FnOnce() -> Result<T>) -> Result<T> {
    let steps = size(conn)?.saturating_mul(STEPS_PER_BYTE);
    let looks = steps.checked_div(i64::from(LOOK)).unwrap_or(0);
    let mut left = looks.saturating_add(10);
    guarded(conn, read, move || {
        left = left.saturating_sub(1);
        left < 0
    })
}

/// Runs the copying of the whole file to another, and ends it when the copy has grown far beyond the file.
pub(super) fn growing<T>(conn: &Connection, copy: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let most = u64::try_from(size(conn)?).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(SLACK);
    let copy = copy.to_path_buf();
    guarded(conn, write, move || copy.symlink_metadata().is_ok_and(|copy| copy.len() > most))
}

/// Bytes of the file and what is in its `-wal`.
pub(super) fn size(conn: &Connection) -> Result<i64> {
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sqlite_error);
    Ok(number("page_count")?.saturating_mul(number("page_size")?))
}

/// Runs something until `enough` says so. It is asked while a statement runs, and nowhere within `COMMIT`.
fn guarded<T>(
    conn: &Connection,
    run: impl FnOnce() -> Result<T>,
    mut enough: impl FnMut() -> bool + Send + 'static,
) -> Result<T> {
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    let watch = move || {
        let stop = enough();
        told.fetch_or(stop, Ordering::Relaxed);
        stop
    };
    conn.progress_handler(LOOK, Some(watch)).map_err(sqlite_error)?;
    let answer = run();
    conn.progress_handler(0, None::<fn() -> bool>).map_err(sqlite_error)?;
    match answer {
        Err(_) if ended.load(Ordering::Relaxed) => {
            Err(Error::corrupt("a table does not end: its pages lead back to themselves"))
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite does in a tree whose pages lead back to themselves: it goes on, and hands nothing out.
    fn endless(conn: &Connection) -> Result<i64> {
        let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x % 9 + 1 FROM n) SELECT max(x) FROM n";
        conn.query_row(sql, [], |row| row.get(0)).map_err(sqlite_error)
    }

    #[test]
    fn a_statement_that_does_not_end_is_ended() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(bounded(&conn, || endless(&conn)).unwrap_err().code(), "corrupt");
        // What ends by itself is left alone, and so is what comes after.
        let rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000) SELECT count(*) FROM n";
        let count = || conn.query_row(rows, [], |row| row.get::<_, i64>(0)).map_err(sqlite_error);
        assert_eq!(bounded(&conn, count).unwrap(), 2_000);
        let long = rows.replace("2000", "2000000");
        assert_eq!(conn.query_row(&long, [], |row| row.get::<_, i64>(0)).unwrap(), 2_000_000);
    }

    #[test]
    fn a_copy_far_larger_than_the_file_is_ended() {
        let conn = Connection::open_in_memory().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        std::fs::File::create(&copy).unwrap().set_len(SLACK + 10_000).unwrap();
        assert_eq!(growing(&conn, &copy, || endless(&conn)).unwrap_err().code(), "corrupt");
        assert_eq!(growing(&conn, &copy, || Ok(7)).unwrap(), 7);
    }
}
