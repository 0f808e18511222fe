//! An open ledger file: its writer and its readers; opening, looking and care. Changes are in `change`.

mod backups;
mod change;
#[cfg(test)]
mod cost;
#[cfg(feature = "sync")]
mod hear;
#[cfg(feature = "sync")]
mod lines;
#[cfg(feature = "sync")]
mod links;
#[cfg(test)]
mod tests;
mod watching;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::audit::{self, Progress, Verification};
use crate::db::{self, Connection, Gate, Inside, OpenFile, Place, Published, Readers};
use crate::engine::{self, CATCH_UP_LIMIT, Context, Verdict};
use crate::error::{Error, Result};
use crate::model::{AccountId, Balance, Command, Key, OpKind, Writers};
use crate::notice::Notifier;
use crate::report::{self, Look};
use crate::store::{self, BookCache, RowCache, Session, SqlSource};
use crate::units::Reading;
use crate::writer::{Decision, Writer};
pub use backups::Backup;
pub(crate) use backups::check_keep;
pub use change::ExpireReport;
use change::write;
pub(crate) use change::{Book, Terms};
#[cfg(feature = "sync")]
pub(crate) use hear::{Answer, Moved};
#[cfg(feature = "sync")]
pub(crate) use links::{Sent, Took};
pub(crate) use watching::ForeignCheck;

/// How long the close of what was opened to look only waits for looks under way.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct File {
    place: Place,
    cache: Arc<BookCache>,
    /// Those known so far: another is there once a file has renewed its epoch.
    writers: RwLock<Arc<Writers>>,
    patience: Duration,
    closed: AtomicBool,
    /// The process that opened it: a forked child may not use the connections it inherits.
    process: u32,
    opened: Weak<OpenFile>,
    /// Every call is inside; a close waits for them.
    calls: Gate,
    /// `None` once closed.
    inner: RwLock<Option<Arc<Connections>>>,
    notifier: Arc<Notifier>,
}

/// Dropped in this order: with a reader open the writer could not fold the `-wal` in.
struct Connections {
    readers: Readers,
    /// `None`: opened read-only.
    writer: Option<Writer>,
}

/// A call under way.
struct Call<'f> {
    connections: Arc<Connections>,
    _inside: Inside<'f>,
}

impl Call<'_> {
    fn readers(&self) -> &Readers {
        &self.connections.readers
    }

    fn writer(&self) -> Result<&Writer> {
        let writer = self.connections.writer.as_ref();
        writer.ok_or_else(|| Error::read_only("it was opened to look only", "open it for writing"))
    }
}

/// What a close has left behind.
///
/// ```
/// use counterfoil::Ledger;
/// # let folder = tempfile::tempdir()?;
/// let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// assert!(ledger.close()?.whole, "nobody else has it open");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Closing {
    /// The one file is whole: it may be copied or moved by itself. False while another handle or process has it open, or
    /// has left something in its `-wal`.
    pub whole: bool,
}

impl File {
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<Arc<Self>> {
        let file = OpenFile::open(Place::existing(path)?, Instant::now() + patience)?;
        let writer = Writer::shared(&file, patience)?;
        let readers = Readers::beside(file)?;
        Self::assemble(Connections { readers, writer: Some(writer) }, patience)
    }

    /// Opens what was just made. A new file that cannot be opened is taken back: its making has failed.
    pub(crate) fn open_new(new: &Published, patience: Duration) -> Result<Arc<Self>> {
        Self::open(&new.path, patience).inspect_err(|_| new.take_back())
    }

    /// How long a call waits for its turn.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn open_read_only(path: &Path) -> Result<Arc<Self>> {
        Self::assemble(Connections { readers: Readers::open(path)?, writer: None }, LOOK_PATIENCE)
    }

    fn assemble(connections: Connections, patience: Duration) -> Result<Arc<Self>> {
        let writers = connections.readers.get()?.snapshot(|conn| store::writers(&Session::new(conn), None))?;
        let notifier =
            connections.writer.as_ref().map_or_else(Arc::<Notifier>::default, |writer| Arc::clone(writer.notifier()));
        Ok(Arc::new(File {
            place: connections.readers.place().clone(),
            cache: Arc::default(),
            writers: RwLock::new(Arc::new(writers)),
            patience,
            closed: AtomicBool::new(false),
            process: std::process::id(),
            opened: connections.readers.opened()?.map_or_else(Weak::new, |opened| opened.weak()),
            calls: Gate::default(),
            inner: RwLock::new(Some(Arc::new(connections))),
            notifier,
        }))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().to_path_buf()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.place.doubts().iter().map(ToString::to_string).collect();
        let trouble = self.call().ok().and_then(|call| call.connections.writer.as_ref().and_then(Writer::log_trouble));
        warnings.extend(trouble.map(|trouble| trouble.to_string()));
        warnings
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Begins a call; `closed` once the closing has begun.
    fn call(&self) -> Result<Call<'_>> {
        self.check_open()?;
        if self.is_inherited() {
            if let Some(opened) = self.opened.upgrade() {
                opened.disown();
            }
            return Err(Error::Closed);
        }
        let inside = self.calls.enter_now().ok_or(Error::Closed)?;
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let connections = Arc::clone(inner.as_ref().ok_or(Error::Closed)?);
        Ok(Call { connections, _inside: inside })
    }

    pub(crate) fn flush(&self) -> Result<()> {
        self.call()?.writer()?.flush(self.patience)
    }

    /// Ends the file for all who share this handle.
    pub(crate) fn close(&self) -> Result<Closing> {
        if self.is_inherited() {
            return Err(Error::Closed);
        }
        self.closed.store(true, Ordering::SeqCst);
        self.notifier().notify();
        let busy = Error::Busy { waited_ms: u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX) };
        let _shut = self.calls.shut(Instant::now() + self.patience).ok_or(busy)?;
        let inner = self.inner.write().unwrap_or_else(PoisonError::into_inner).take();
        // Closed before.
        let Some(Connections { readers, writer }) = inner.and_then(Arc::into_inner) else {
            return Ok(Closing { whole: false });
        };
        let Some(writer) = writer else { return Ok(Closing { whole: readers.close()? }) };
        drop(readers);
        writer.close().map(|whole| Closing { whole })
    }

    // ---- look

    /// Reads within one read transaction, as of one clock reading.
    pub(crate) fn look<T>(&self, reading: Reading, read: impl FnOnce(&Look<'_, '_>) -> Result<T>) -> Result<T> {
        self.snapshot(|session| {
            let writers = self.writers(session)?;
            read(&Look::new(session, &self.cache, &writers, reading)?)
        })
    }

    /// Everybody who wrote the file.
    fn writers(&self, session: &Session<'_>) -> Result<Arc<Writers>> {
        let known = self.known_writers();
        if known.count() >= session.ledger()?.names() {
            return Ok(known);
        }
        let all = Arc::new(store::writers(session, Some(&known))?);
        self.writers.write().unwrap_or_else(PoisonError::into_inner).clone_from(&all);
        Ok(all)
    }

    /// At least so many of them.
    fn writers_up_to(&self, count: i64) -> Result<Arc<Writers>> {
        let known = self.known_writers();
        if known.count() >= count { Ok(known) } else { self.snapshot(|session| self.writers(session)) }
    }

    /// Those who were there when anybody looked last.
    fn known_writers(&self) -> Arc<Writers> {
        Arc::clone(&self.writers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The balance now.
    pub(crate) fn balance(&self, id: &AccountId, reading: Reading) -> Result<Balance> {
        let glance =
            self.call()?.readers().get()?.single(|conn| report::at_a_glance(&Session::new(conn), id, reading))?;
        match glance {
            Some(balance) => Ok(balance),
            None => self.look(reading, |look| look.balance(id, None)),
        }
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Session<'_>) -> Result<T>) -> Result<T> {
        self.call()?.readers().get()?.snapshot(|conn| read(&Session::new(conn)))
    }

    // ---- care

    /// Begins a new epoch, so many later.
    pub(crate) fn renew_epoch(&self, epochs: i64, terms: &Terms) -> Result<()> {
        let call = self.call()?;
        let done = call.writer()?.transaction(terms.durability, self.patience, |session| {
            begin_epoch(session, OpKind::RenewEpoch, epochs, terms.reading).map(Decision::Commit)
        });
        match done {
            Ok(()) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(crate) fn verify(&self, quick: bool, progress: &mut dyn FnMut(Progress) -> Result<()>) -> Result<Verification> {
        if quick {
            return self.snapshot(|session| audit::verify_quick(session, progress));
        }
        self.call()?.readers().with_others(|conn, others| audit::verify(&Session::new(conn), others, progress))
    }

    pub(crate) fn backup(
        &self,
        target: &Path,
        progress: &mut dyn FnMut(Progress) -> Result<()>,
    ) -> Result<Verification> {
        let call = self.call()?;
        proven_copy(call.readers(), target, &mut |_| Ok(()), progress).map(|(_, verification)| verification)
    }

    /// Copies a backup to a new file so many epochs later, and books the restore in its log, before it gets its name.
    pub(crate) fn restore(backup: &Path, target: &Path, epochs: i64, reading: Reading) -> Result<Published> {
        let source = Readers::open(backup)?;
        let renew = &mut |conn: &Connection| {
            let session = Session::resume(conn, RowCache::default())?;
            begin_epoch(&session, OpKind::Restore, epochs, reading)?;
            session.finish().map(drop)
        };
        proven_copy(&source, target, renew, &mut |_| Ok(())).map(|(published, _)| published)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if self.is_inherited() {
            // Closing the parent's connections would change what the parent is using.
            std::mem::forget(inner);
            return;
        }
        drop(inner);
        self.notifier.notify();
    }
}

/// Books a restore, or a renewal: from here on the file has another writer than the one it is a copy of.
fn begin_epoch(session: &Session<'_>, kind: OpKind, epochs: i64, reading: Reading) -> Result<()> {
    let mut ledger = session.ledger()?;
    let who = ledger.writer.1.renewed(epochs)?;
    ledger.writer = (store::add_writer(session, who, ledger.length.saturating_add(1))?, who);
    let command = Command::own(kind, Key::new(format!("{kind}:{}", who.epoch))?);
    let cache = BookCache::default();
    let source = SqlSource::new(session, &cache);
    let context = Context { ledger: &ledger, reading, time: None, book: None, limit: CATCH_UP_LIMIT };
    match engine::run(&source, context, &command)? {
        Verdict::Booked(booked) => write(session, &booked),
        _ => Err(Error::corrupt("the epoch was begun before")),
    }
}

/// Copies a file, changes the copy, and proves it before it gets its name; what the proof said.
fn proven_copy(
    source: &Readers,
    target: &Path,
    change: &mut dyn FnMut(&Connection) -> Result<()>,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<(Published, Verification)> {
    progress(Progress { step: "copy", done: 0, total: None })?;
    let mut proof = None;
    let published = db::copy(source, target, |conn| {
        db::change_copy(conn, || change(conn).and_then(|()| store::write_head(&Session::new(conn))))?;
        let verification = audit::verify(&Session::new(conn), None, progress)?;
        if let Some(fault) = verification.faults.first() {
            return Err(Error::corrupt(format!("the copy does not verify: {}", fault.place)));
        }
        proof = Some(verification);
        Ok(())
    })?;
    let verification = proof.ok_or_else(|| Error::storage("the copy was not verified"))?;
    Ok((published, verification))
}
