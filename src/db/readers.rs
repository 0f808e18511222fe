//! The pool of read-only connections.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use r2d2::{HandleError, Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;

use super::bounded::{growing, size};
use super::config::{self, Role, allow_copying, connect, flags, set_up};
use super::errors::sqlite_error;
use super::opened::{OpenFile, Opened, is_free, log_bytes};
use super::place::{Place, Right, beside, may};
use super::worker::worker;
use super::{Connection, SCHEMA, SCHEMA_VERSION, schema};
use crate::error::{Error, Result};

const MOST_READERS: u32 = 8;
/// How long a read waits for a connection when all are in use.
const CHECKOUT: Duration = Duration::from_secs(10);
/// How long it waits for one that cannot be opened.
const OPENING: Duration = Duration::from_secs(1);

/// How long a read that could do with one connection waits for each other one, and how often it tries to begin all at once.
const OTHERS_CHECKOUT: Duration = Duration::from_millis(500);
const OTHERS_TRIES: usize = 5;
/// Bytes of a file below which it is read faster than two more connections are opened.
const LONG_FOR_ONE: i64 = 512 << 10;

/// Read-only connections to one file.
pub(crate) struct Readers {
    place: Place,
    /// `None` while the way of reading changes.
    pool: Mutex<Option<Arc<Connections>>>,
}

/// The connections, and what must hold for their answers. Dropped in this order.
struct Connections {
    pool: Pool<SqliteConnectionManager>,
    failures: Failures,
    access: Access,
}

/// Counts the connections that could not be opened; the pool goes on trying by itself.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl HandleError<rusqlite::Error> for Failures {
    fn handle_error(&self, _: rusqlite::Error) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How the file is read.
enum Access {
    /// Beside others.
    Shared(Opened),
    /// Without locks, while nobody has it open and its stamp stays the same.
    Immutable(Stamp),
    /// While everybody else is shut out.
    Lonely,
}

/// What changes when a file is written to.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
    #[cfg(unix)]
    status_changed: (i64, i64),
}

impl Stamp {
    fn of(place: &Place) -> Result<Self> {
        place.check_unmoved()?;
        let found = std::fs::symlink_metadata(place.path());
        let metadata = found.map_err(|error| Error::storage(format!("{}: {error}", place.path().display())))?;
        Ok(Stamp {
            bytes: metadata.len(),
            changed: metadata.modified().ok(),
            #[cfg(unix)]
            status_changed: {
                use std::os::unix::fs::MetadataExt;
                (metadata.ctime(), metadata.ctime_nsec())
            },
        })
    }
}

/// A connection of the pool; returned when dropped.
pub(crate) struct Reader<'r> {
    conn: Pooled,
    place: &'r Place,
    connections: Arc<Connections>,
}

type Pooled = PooledConnection<SqliteConnectionManager>;

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

impl Reader<'_> {
    /// Runs one statement, which is a snapshot by itself; runs it again when SQLite's locks were lost meanwhile.
    pub(crate) fn single<T>(&self, read: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let read = || leave(&self.conn).and_then(|()| read(&self.conn));
        match &self.connections.access {
            Access::Shared(file) => file.read_again(read),
            Access::Immutable(_) | Access::Lonely => self.answered(read),
        }
    }

    /// Runs reads within one read transaction, so that they see one state of the file. It ends with the call: an open one
    /// holds up the checkpoint.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.answered(|| {
            // Left open by a rollback that failed; the pool does not notice.
            leave(&self.conn)?;
            run(&self.conn, "BEGIN")?;
            let open = Snapshot(&self.conn);
            let answer = read(&self.conn);
            drop(open);
            answer
        })
    }

    /// Gives the answer only when locks held, or nothing changed, while it was read.
    fn answered<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.connections.access {
            Access::Shared(file) => file.enter_to_read()?.answer(read()),
            Access::Immutable(stamp) => {
                let answer = read();
                if is_untouched(self.place, stamp) { answer } else { Err(Error::Busy { waited_ms: 0 }) }
            }
            Access::Lonely => read(),
        }
    }
}

/// A connection outside the pool, closed before its share in the file is given up.
pub(crate) struct Apart {
    conn: Connection,
    file: Opened,
}

impl Apart {
    /// Runs one statement.
    pub(crate) fn single<T>(&self, read: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        self.file.read_again(|| read(&self.conn))
    }
}

/// How long the `-wal` must be for what SQLite says is in it.
pub(super) fn log_length(conn: &Connection) -> Result<u64> {
    let page = page_bytes(conn)?;
    match conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)) {
        Ok(frames) => Ok(log_bytes(frames, page)),
        // A `-wal` that may only be read is not asked about.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => Ok(0),
        Err(error) => Err(sqlite_error(error)),
    }
}

pub(super) fn page_bytes(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(sqlite_error)
}

/// Whether nobody has the file open, and it is as it was.
fn is_untouched(place: &Place, stamp: &Stamp) -> bool {
    Stamp::of(place).is_ok_and(|now| now == *stamp) && is_at_rest(place)
}

/// Reads a file that nobody has open, without making anything beside it; nothing when somebody has, or when the path leads
/// elsewhere by a link.
pub(crate) fn read_at_rest<T>(path: &Path, read: impl FnOnce(&Connection) -> Result<T>) -> Result<Option<(Place, T)>> {
    let place = Place::existing(path)?;
    if place.path() != path || !is_at_rest(&place) {
        return Ok(None);
    }
    let stamp = Stamp::of(&place)?;
    let answer = read(&checked(&place, Role::Immutable)?)?;
    Ok(is_untouched(&place, &stamp).then_some((place, answer)))
}

/// Whether everything is in the one file, and nobody has it open.
pub(super) fn is_at_rest(place: &Place) -> bool {
    let empty = |suffix| std::fs::symlink_metadata(beside(place.path(), suffix)).map_or(true, |found| found.len() == 0);
    empty("-wal") && empty("-journal") && is_free(place.path(), place.id())
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

/// One more connection within a read transaction, which ends when it is dropped.
pub(crate) struct OtherReader(Pooled);

impl Deref for OtherReader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for OtherReader {
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

pub(super) fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(sqlite_error)
}

impl Readers {
    /// Opens an existing ledger for reading only, with all the checks.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let place = Place::existing(path)?;
        let connections = Connections::open(&place)?;
        Ok(Readers { place, pool: Mutex::new(Some(Arc::new(connections))) })
    }

    /// The pool beside a writer, which has checked the file.
    pub(crate) fn beside(file: Opened) -> Result<Self> {
        let place = file.place().clone();
        let connections = Connections::new(&place, Role::Reader, Access::Shared(file))?;
        Ok(Readers { place, pool: Mutex::new(Some(Arc::new(connections))) })
    }

    /// What has the file open, where others may have it open too.
    pub(crate) fn opened(&self) -> Result<Option<Opened>> {
        match &self.connections()?.access {
            Access::Shared(file) => Ok(Some(file.clone())),
            Access::Immutable(_) | Access::Lonely => Ok(None),
        }
    }

    /// A connection to keep, beside the pool; none when nobody else can have the file open.
    pub(crate) fn apart(&self) -> Result<Option<Apart>> {
        let Some(file) = self.opened()? else { return Ok(None) };
        let (conn, _) = connect(file.path(), Role::Reader)?;
        Ok(Some(Apart { conn, file }))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Closes the connections; whether the one file is whole, and nobody else adds to it.
    pub(crate) fn close(self) -> Result<bool> {
        let file = self.opened()?;
        drop(self.pool);
        Ok(file.is_none_or(|file| file.wal_bytes() == 0 && file.is_alone()))
    }

    /// The connections; opened anew when others have opened a file that was at rest.
    fn connections(&self) -> Result<Arc<Connections>> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = pool.as_ref() {
            match &connections.access {
                Access::Immutable(stamp) if !is_untouched(&self.place, stamp) => *pool = None,
                _ => return Ok(Arc::clone(connections)),
            }
        }
        self.place.check_unmoved()?;
        let connections = Arc::new(Connections::open(&self.place)?);
        *pool = Some(Arc::clone(&connections));
        Ok(connections)
    }

    /// Runs reads within a read transaction, and beside it connections that see the same state of the file, for other
    /// threads; none when they cannot be had or are not worth it, or others write without a pause.
    pub(crate) fn with_others<T>(
        &self,
        read: impl FnOnce(&Connection, Option<[OtherReader; 2]>) -> Result<T>,
    ) -> Result<T> {
        let first = self.get()?;
        let pool = &first.connections.pool;
        first.answered(|| {
            let open = Snapshot(&first.conn);
            let worth_it = pool.max_size() > 2 && size(&first.conn)? >= LONG_FOR_ONE;
            let others = if worth_it { others(pool, &first)? } else { None };
            if others.is_none() {
                begin(&first.conn)?;
            }
            let answer = read(&first.conn, others);
            drop(open);
            answer
        })
    }

    /// A connection for one read.
    pub(crate) fn get(&self) -> Result<Reader<'_>> {
        let connections = self.connections()?;
        let conn = connections.get();
        let conn = conn.map_err(|error| Error::storage(format!("no connection to read with: {error}")))?;
        Ok(Reader { conn, place: &self.place, connections })
    }

    /// Writes a copy of the file, as it is at one moment, into an empty file.
    pub(super) fn copy_into(&self, target: &Path) -> Result<()> {
        if let Some(file) = self.opened()? {
            return copy_into(&file, target);
        }
        // Nobody else gets in, another connection of ours included.
        let reader = self.get()?;
        reader.answered(|| {
            let done = vacuum_into(&reader.conn, target);
            allow_copying(&reader.conn, false).map_err(sqlite_error)?;
            done
        })
    }
}

/// Writes a copy of the file by a connection of its own.
pub(super) fn copy_into(file: &OpenFile, target: &Path) -> Result<()> {
    let using = file.enter(None)?;
    let (conn, _) = connect(file.path(), Role::Reader)?;
    let done = using.answer(vacuum_into(&conn, target));
    // Only now: when SQLite closes a connection while none holds a lock, the canary goes with it.
    drop(conn);
    done
}

/// `VACUUM INTO`, because the online backup API starts again at every write of another process.
fn vacuum_into(conn: &Connection, target: &Path) -> Result<()> {
    allow_copying(conn, true).map_err(sqlite_error)?;
    // It writes, though not to the ledger.
    conn.pragma_update(None, "query_only", false).map_err(sqlite_error)?;
    let copy = || conn.execute("VACUUM INTO ?1", [target.to_string_lossy()]).map(drop).map_err(sqlite_error);
    let done = growing(conn, target, copy);
    conn.pragma_update(None, "query_only", true).map_err(sqlite_error)?;
    done
}

/// Begins the transactions: with no commit by others from before the first to after the last, all see the same.
fn others(pool: &Pool<SqliteConnectionManager>, first: &Connection) -> Result<Option<[OtherReader; 2]>> {
    let one = || pool.get_timeout(OTHERS_CHECKOUT).map(OtherReader);
    let (Ok(second), Ok(third)) = (one(), one()) else { return Ok(None) };
    for _ in 0..OTHERS_TRIES {
        leave(first)?;
        let before = version(first)?;
        begin(&second)?;
        begin(&third)?;
        if begin(first)? == before {
            return Ok(Some([second, third]));
        }
    }
    Ok(None)
}

impl Connections {
    fn get(&self) -> std::result::Result<Pooled, r2d2::Error> {
        let failures = || self.failures.0.load(Ordering::Relaxed);
        let before = failures();
        match self.pool.get_timeout(OPENING) {
            // All are in use.
            Err(_) if failures() == before => self.pool.get_timeout(CHECKOUT.saturating_sub(OPENING)),
            done => done,
        }
    }

    /// Finds the way in which this file can be read here.
    fn open(place: &Place) -> Result<Self> {
        let error = match Self::shared(place) {
            Err(error @ (Error::ReadOnly { .. } | Error::Storage { .. } | Error::DiskFull { .. })) => error,
            done => return done,
        };
        // No room or no right to make the -shm. A file at rest needs none.
        if is_at_rest(place) {
            let stamp = Stamp::of(place)?;
            look(place, Role::Immutable)?;
            if is_untouched(place, &stamp) {
                return Self::new(place, Role::Immutable, Access::Immutable(stamp));
            }
        }
        // An exclusive reader does without, too.
        match look(place, Role::LonelyReader) {
            Ok(()) => Self::new(place, Role::LonelyReader, Access::Lonely),
            Err(error @ Error::Corrupt { .. }) => Err(error),
            // A copy would fail as well.
            Err(_) if may(place.path(), Right::Read) == Some(false) => Err(error),
            Err(_) => Err(unreadable(place, &error)),
        }
    }

    fn shared(place: &Place) -> Result<Self> {
        let file = OpenFile::open(place.clone(), Instant::now() + CHECKOUT)?;
        look(place, Role::Reader)?;
        Self::new(place, Role::Reader, Access::Shared(file))
    }

    fn new(place: &Place, role: Role, access: Access) -> Result<Self> {
        let manager = SqliteConnectionManager::file(config::name(place.path(), role))
            .with_flags(flags(role))
            .with_init(move |conn| set_up(conn, role));
        let failures = Failures::default();
        let pool = Pool::builder()
            // An exclusive reader shuts out the next one too.
            .max_size(if role == Role::LonelyReader { 1 } else { MOST_READERS })
            // Made when first needed, kept for ever, never tried before use: a SELECT 1 would double a lookup's cost.
            .min_idle(Some(0))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(false)
            .connection_timeout(CHECKOUT)
            .error_handler(Box::new(failures.clone()))
            .thread_pool(worker())
            .build(manager)
            .map_err(|error| Error::storage(error.to_string()))?;
        Ok(Connections { pool, failures, access })
    }
}

fn look(place: &Place, role: Role) -> Result<()> {
    checked(place, role)?.close().map_err(|(_, error)| sqlite_error(error))
}

/// A connection to a file of the newest schema.
fn checked(place: &Place, role: Role) -> Result<Connection> {
    let (conn, version) = connect(place.path(), role)?;
    if version < SCHEMA_VERSION {
        let message =
            format!("the file has schema version {version}: open it for writing once, to bring it to {SCHEMA_VERSION}");
        return Err(Error::read_only(message, "open it for writing once, which backs it up first"));
    }
    schema::check(&conn, SCHEMA)?;
    Ok(conn)
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
        Error::ReadOnly { message, help } => Error::read_only(told(message), help.clone()),
        Error::NoPermission { .. } => error.clone(),
        Error::Storage { message } => Error::Storage { message: told(message) },
        other => Error::storage(told(&other.to_string())),
    }
}
