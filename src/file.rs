//! An open ledger file: its writer and its readers; opening, looking and care. Changes are in `change`.

mod change;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;
mod watching;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::audit::{self, Progress, Verification};
use crate::db::{self, Place, Readers};
use crate::engine::{self, Context, STRETCH, Verdict};
use crate::error::{Error, Result};
use crate::model::{AccountId, Balance, Command, Key, OpKind, Writer as Who, Writers};
use crate::notice::{Bell, Rope};
use crate::report::{self, Look};
use crate::store::{self, BookCache, Session, SqlSource};
use crate::units::Reading;
use crate::writer::{Decision, Durability, Writer};
pub use change::ExpireReport;
use change::write;
pub(crate) use change::{Book, Wish};
pub(crate) use watching::Lookout;

pub(crate) struct File {
    /// `None`: opened read-only.
    writer: Option<Writer>,
    readers: Readers,
    cache: Arc<BookCache>,
    writers: Writers,
    patience: Duration,
    closed: AtomicBool,
    rope: Rope,
}

impl File {
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<Arc<Self>> {
        let writer = Writer::shared(path, patience)?;
        let readers = Readers::beside(writer.place().clone())?;
        Self::assemble(Some(writer), readers, patience)
    }

    pub(crate) fn open_read_only(path: &Path) -> Result<Arc<Self>> {
        Self::assemble(None, Readers::open(path)?, Duration::ZERO)
    }

    fn assemble(writer: Option<Writer>, readers: Readers, patience: Duration) -> Result<Arc<Self>> {
        // The list changes only when a restore makes a new file, never while one is open.
        let writers = readers.get()?.snapshot(|conn| store::writers(&Session::new(conn)))?;
        let (cache, closed) = (Arc::default(), AtomicBool::new(false));
        let rope = Rope(writer.as_ref().map_or_else(Arc::<Bell>::default, |writer| Arc::clone(writer.bell())));
        Ok(Arc::new(File { writer, readers, cache, writers, patience, closed, rope }))
    }

    fn place(&self) -> &Place {
        self.readers.place()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.place().path().to_path_buf()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.place().warnings().to_vec();
        warnings.extend(self.writer.as_ref().and_then(Writer::log_trouble).map(|trouble| trouble.to_string()));
        warnings
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    fn writer(&self) -> Result<&Writer> {
        self.check_open()?;
        self.writer.as_ref().ok_or_else(|| Error::ReadOnly { message: "it was opened to look only".into() })
    }

    pub(crate) fn flush(&self) -> Result<()> {
        self.writer()?.flush(self.patience)
    }

    pub(crate) fn close(self: Arc<Self>) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        let bell = Arc::clone(self.bell());
        bell.ring();
        // A watch that looks just now would be a handle more.
        let gate = bell.closing();
        let alone = Arc::into_inner(self);
        drop(gate);
        match alone {
            Some(File { writer: Some(writer), readers, .. }) => {
                // A pooled reader would keep the log from being folded in.
                drop(readers);
                writer.close()
            }
            _ => Ok(()),
        }
    }

    // ---- look

    /// Reads within one read transaction, as of one clock reading.
    pub(crate) fn look<T>(&self, reading: Reading, read: impl FnOnce(&Look<'_, '_>) -> Result<T>) -> Result<T> {
        self.snapshot(|session| read(&Look::new(session, &self.cache, &self.writers, reading)?))
    }

    /// The balance now.
    pub(crate) fn balance(&self, id: &AccountId, reading: Reading) -> Result<Balance> {
        self.check_open()?;
        let glance = self.readers.get()?.single(|conn| report::at_a_glance(&Session::new(conn), id, reading))?;
        match glance {
            Some(balance) => Ok(balance),
            None => self.look(reading, |look| look.balance(id, None)),
        }
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Session<'_>) -> Result<T>) -> Result<T> {
        self.check_open()?;
        self.readers.get()?.snapshot(|conn| read(&Session::new(conn)))
    }

    // ---- care

    pub(crate) fn verify(&self, quick: bool, progress: &mut dyn FnMut(Progress)) -> Result<Verification> {
        if quick {
            return self.snapshot(|session| audit::verify_quick(session, progress));
        }
        self.check_open()?;
        self.readers.twins(|conn, twin| audit::verify(&Session::new(conn), twin, progress))
    }

    pub(crate) fn backup(&self, target: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Verification> {
        self.check_open()?;
        verified_copy(self.place(), target, progress).map(|(_, verification)| verification)
    }

    /// Copies a backup to a new file with a new epoch, and books the restore in its log.
    pub(crate) fn restore(backup: &Path, target: &Path, epoch: i64, reading: Reading) -> Result<()> {
        let source = Readers::open(backup)?;
        let (target, _) = verified_copy(source.place(), target, &mut |_| ())?;
        let renewed = Self::open(&target, Duration::from_secs(30)).and_then(|file| {
            let done = file.renew_epoch(epoch, reading);
            done.and(file.close())
        });
        if renewed.is_err() {
            // Only what this call made.
            db::remove_new(&target);
        }
        renewed
    }

    fn renew_epoch(&self, epoch: i64, reading: Reading) -> Result<()> {
        let done = self.writer()?.transaction(Durability::Full, self.patience, |session| {
            let mut ledger = session.ledger()?;
            let old = ledger.writer.1;
            // A chance in 2^28, and then the next number will do.
            let epoch = if epoch == old.epoch { epoch % crate::model::MAX_EPOCH + 1 } else { epoch };
            let who = Who { device: old.device, epoch };
            ledger.writer = (store::add_writer(session, who, ledger.length.saturating_add(1))?, who);
            let key = Key::new(format!("restore:{epoch}"))?;
            let command = Command::own(OpKind::Restore, key);
            let source = SqlSource::new(session, &self.cache);
            match engine::run(
                &source,
                Context { ledger: &ledger, reading, time: None, book: None, stretch: STRETCH },
                &command,
            )? {
                Verdict::Booked(booked) => write(session, *booked).map(|_| Decision::Commit(())),
                _ => Err(Error::corrupt("the restore was booked before")),
            }
        });
        done.map_err(Error::from)
    }
}

/// Copies a file and proves the copy before it gets its name; its path, and what the proof said.
fn verified_copy(place: &Place, target: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(PathBuf, Verification)> {
    progress(Progress { step: "copy", done: 0, total: None });
    let (proof, progress) = (RefCell::new(None), RefCell::new(progress));
    let path = db::backup(place, target, |conn| {
        let verification = audit::verify(&Session::new(conn), None, &mut *progress.borrow_mut())?;
        if let Some(fault) = verification.faults.first() {
            return Err(Error::corrupt(format!("the copy does not verify: {}", fault.place)));
        }
        proof.replace(Some(verification));
        Ok(())
    })?;
    let verification = proof.into_inner().ok_or_else(|| Error::storage("the copy was not verified"))?;
    Ok((path, verification))
}
