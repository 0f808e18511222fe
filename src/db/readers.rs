//! The pool of read-only connections.

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use r2d2::{NopErrorHandler, Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;

use super::config::{Role, connect, flags, set_up};
use super::errors::sqlite_error;
use super::place::{Place, Right, may};
use super::{Connection, SCHEMA_VERSION, schema};
use crate::error::{Error, Result};

const MOST_READERS: u32 = 8;
/// How long a read waits for a connection when all are in use.
const CHECKOUT: Duration = Duration::from_secs(10);

/// How long a read that could do with one connection waits for a second, and how often it tries to begin both at once.
const TWIN_CHECKOUT: Duration = Duration::from_millis(500);
const TWIN_TRIES: usize = 5;

/// Read-only connections to one file.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool<SqliteConnectionManager>,
    place: Place,
    role: Role,
}

/// A connection out of the pool; it goes back when dropped.
pub(crate) struct Reader(PooledConnection<SqliteConnectionManager>);

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Reader {
    /// Runs one statement, which sees one state of the file by itself.
    pub(crate) fn single<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        leave(&self.0)?;
        read(&self.0)
    }

    /// Runs reads within one read transaction, so that they see one state of the file. It ends with the call: an open one
    /// holds up the checkpoint.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        // Left open by a rollback that failed; the pool does not notice.
        leave(&self.0)?;
        run(&self.0, "BEGIN")?;
        let open = Snapshot(&self.0);
        let answer = read(&self.0);
        drop(open);
        answer
    }
}

/// Begins a read transaction and fixes the state it sees; the number of that state, which only this connection knows.
fn begin(conn: &Connection) -> Result<i64> {
    leave(conn)?;
    run(conn, "BEGIN")?;
    version(conn)
}

/// Changes when another connection has committed.
fn version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(sqlite_error)
}

/// A second connection within a read transaction, which ends when it is dropped.
pub(crate) struct Twin(Reader);

impl Deref for Twin {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = leave(&self.0);
    }
}

/// Ends the read transaction, also when the reading panics.
struct Snapshot<'c>(&'c Connection);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // A connection that could not leave tries again before its next use.
        let _ = leave(self.0);
    }
}

fn leave(conn: &Connection) -> Result<()> {
    if conn.is_autocommit() { Ok(()) } else { run(conn, "ROLLBACK") }
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(sqlite_error)
}

impl Readers {
    /// Opens an existing ledger for reading only, with all the checks.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let place = Place::existing(path)?;
        match look(&place, Role::Reader) {
            Ok(()) => Self::pool(place, Role::Reader),
            // No room or no right to make the -shm: an exclusive reader does without.
            Err(error @ (Error::ReadOnly { .. } | Error::Storage { .. } | Error::DiskFull { .. })) => {
                match look(&place, Role::LonelyReader) {
                    Ok(()) => Self::pool(place, Role::LonelyReader),
                    // A copy would fail as well.
                    Err(_) if may(place.path(), Right::Read) == Some(false) => Err(error),
                    Err(_) => Err(unreadable(&place, &error)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The pool beside a writer, which has checked the file.
    pub(crate) fn beside(place: Place) -> Result<Self> {
        Self::pool(place, Role::Reader)
    }

    fn pool(place: Place, role: Role) -> Result<Self> {
        let manager = SqliteConnectionManager::file(place.path())
            .with_flags(flags(role))
            .with_init(move |conn| set_up(conn, role));
        let pool = Pool::builder()
            // An exclusive reader shuts out the next one too.
            .max_size(if role == Role::LonelyReader { 1 } else { MOST_READERS })
            // Made when first needed, kept for ever, never tried before use: a SELECT 1 would double a lookup's cost.
            .min_idle(Some(0))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(false)
            .connection_timeout(CHECKOUT)
            .error_handler(Box::new(NopErrorHandler))
            .build(manager)
            .map_err(|error| Error::storage(error.to_string()))?;
        Ok(Readers { pool, place, role })
    }

    /// A connection to keep, beside the pool; none when nobody else can have the file open.
    pub(crate) fn apart(&self) -> Result<Option<Connection>> {
        self.place.check_unmoved()?;
        match self.role {
            Role::LonelyReader => Ok(None),
            role => connect(self.place.path(), role).map(|(conn, _)| Some(conn)),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Runs reads within a read transaction, and beside it a connection that sees the same state of the file, for another
    /// thread; none when only one can be had, or others write without a pause.
    pub(crate) fn twins<T>(&self, read: impl FnOnce(&Connection, Option<Twin>) -> Result<T>) -> Result<T> {
        let first = self.get()?;
        let open = Snapshot(&first.0);
        let twin = if self.pool.max_size() > 1 { self.twin(&first)? } else { None };
        if twin.is_none() {
            begin(&first.0)?;
        }
        let answer = read(&first.0, twin);
        drop(open);
        answer
    }

    /// Begins both transactions: with no commit by others from before the one to after the other, both see the same.
    fn twin(&self, first: &Reader) -> Result<Option<Twin>> {
        let Ok(second) = self.pool.get_timeout(TWIN_CHECKOUT) else { return Ok(None) };
        let second = Twin(Reader(second));
        for _ in 0..TWIN_TRIES {
            leave(&first.0)?;
            let before = version(&first.0)?;
            begin(&second)?;
            if begin(&first.0)? == before {
                return Ok(Some(second));
            }
        }
        Ok(None)
    }

    /// A connection for one read.
    pub(crate) fn get(&self) -> Result<Reader> {
        self.place.check_unmoved()?;
        self.pool.get().map(Reader).map_err(|error| Error::storage(format!("no connection to read with: {error}")))
    }
}

fn look(place: &Place, role: Role) -> Result<()> {
    let (conn, version) = connect(place.path(), role)?;
    if version < SCHEMA_VERSION {
        let message =
            format!("the file has schema version {version}: open it for writing once, to bring it to {SCHEMA_VERSION}");
        return Err(Error::ReadOnly { message });
    }
    schema::check(&conn)?;
    conn.close().map_err(|(_, error)| sqlite_error(error))
}

fn unreadable(place: &Place, error: &Error) -> Error {
    let told = |cause: &str| {
        let path = place.path().display().to_string();
        let cause = cause.strip_prefix(&format!("{path}: ")).unwrap_or(cause);
        format!(
            "{path} cannot be read here ({cause}): reading needs a -shm beside it; copy it, and its -wal if there is \
             one, into a folder you can write to"
        )
    };
    match error {
        Error::DiskFull { message } => Error::DiskFull { message: told(message) },
        Error::ReadOnly { message } => Error::ReadOnly { message: told(message) },
        Error::Storage { message } => Error::Storage { message: told(message) },
        other => Error::storage(told(&other.to_string())),
    }
}
