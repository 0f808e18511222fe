//! An open ledger file: its writer, its readers, and the path of every operation through them:
//! read, decide, write, acknowledge.

#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::audit::{self, Progress, Verification};
use crate::db::{self, Connection, Place, Readers};
use crate::engine::{self, Booked, Books, Context, STRETCH, Verdict};
use crate::error::{Error, Result};
use crate::model::{Action, Command, Key, OpKind, OperationRow, Receipt, Request, Subject, Writer as Who, Writers};
use crate::pricing::PriceBook;
use crate::report::{self, Look};
use crate::store::{self, BookCache, SqlSource};
use crate::units::Reading;
use crate::writer::{Decision, Durability, Failure, Writer};

/// Entries after which an expiry transaction ends, so that no write blocks others for long.
const SWEEP_ENTRIES: usize = 2048;

/// What surrounds one operation a caller wants.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) reading: Reading,
    pub(crate) book: Option<Arc<PriceBook>>,
    pub(crate) durability: Durability,
    /// `at` is allowed.
    pub(crate) historic: bool,
    /// Decide, and write nothing.
    pub(crate) dry_run: bool,
}

/// What an expiry sweep has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ExpireReport {
    /// Points that expired or lapsed.
    pub points: i64,
    /// Accounts brought up to date.
    pub accounts: u64,
    /// Entries booked.
    pub entries: u64,
    /// Whether something due is left (the limit was reached).
    pub more: bool,
}

/// Books one operation of a run that shares a transaction.
pub(crate) type Book<'a> = dyn FnMut(Request) -> Result<Receipt> + 'a;

pub(crate) struct File {
    /// `None`: opened read-only.
    writer: Option<Writer>,
    readers: Readers,
    cache: Arc<BookCache>,
    writers: Writers,
    patience: Duration,
    closed: AtomicBool,
}

/// How one run of a transaction's work ended.
enum Step {
    /// Only catch-up was written: run again.
    Again,
    Done(Box<OperationRow>, crate::model::Balances, bool),
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
        let writers = store::writers(&*readers.get()?)?;
        let (cache, closed) = (Arc::default(), AtomicBool::new(false));
        Ok(Arc::new(File { writer, readers, cache, writers, patience, closed }))
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

    fn writer(&self) -> Result<&Writer> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        self.writer.as_ref().ok_or_else(|| Error::ReadOnly { message: "it was opened to look only".into() })
    }

    pub(crate) fn flush(&self) -> Result<()> {
        self.writer()?.flush(self.patience)
    }

    pub(crate) fn close(self: Arc<Self>) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        match Arc::into_inner(self) {
            Some(File { writer: Some(writer), readers, .. }) => {
                // A pooled reader would keep the log from being folded in.
                drop(readers);
                writer.close()
            }
            _ => Ok(()),
        }
    }

    // ---- change

    /// Books one operation and answers once it is as durable as wished.
    pub(crate) fn apply(&self, request: Request, wish: &Wish) -> Result<Receipt> {
        let command = parse(request, wish)?;
        let writer = self.writer()?;
        let task = Arc::new(Task { command, wish: wish.clone(), cache: Arc::clone(&self.cache) });
        // Somebody else's operations must not be rolled back with a dry run.
        let mut alone = wish.dry_run;
        loop {
            let step = if alone {
                writer.transaction(wish.durability, self.patience, |conn| {
                    let step = task.run(conn)?;
                    Ok(if wish.dry_run { Decision::Rollback(step) } else { Decision::Commit(step) })
                })
            } else {
                let task = Arc::clone(&task);
                writer.carried(wish.durability, self.patience, move |conn| task.run(conn))
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Done(row, after, replayed)) => return report::receipt(&self.writers, &row, after, replayed),
                Err(Failure::Refused(error)) => return Err(error),
                // `COMMIT` failed, so it is not known whether it took place: what is there under the key is the answer.
                Err(Failure::CommitFailed { error, settled, alone: was_alone }) => match self.booked(&task.command) {
                    Ok(Some(receipt)) => return Ok(receipt),
                    // Another's operation may have been the fault.
                    Ok(None) if settled && !was_alone => alone = true,
                    Ok(None) if settled => return Err(error),
                    Ok(None) | Err(_) => return Err(Error::OutcomeUnknown { message: error.to_string() }),
                },
            }
        }
    }

    fn booked(&self, command: &Command) -> Result<Option<Receipt>> {
        self.readers.get()?.snapshot(|conn| {
            let source = SqlSource::new(conn, &self.cache);
            let Some(row) = engine::booked_under_key(&source, command)? else { return Ok(None) };
            let after = report::balances_after(conn, &row)?;
            report::receipt(&self.writers, &row, after, false).map(Some)
        })
    }

    /// Runs several operations in one transaction, each seeing those before it.
    pub(crate) fn apply_whole(
        &self,
        wish: &dyn Fn() -> Wish,
        run: &mut dyn FnMut(&mut Book<'_>) -> Result<()>,
    ) -> Result<()> {
        let Wish { durability, dry_run, .. } = wish();
        let done = self.writer()?.transaction(durability, self.patience, |conn| {
            run(&mut |request| {
                let wish = wish();
                let command = parse(request, &wish)?;
                loop {
                    if let Step::Done(row, after, replayed) = work(conn, &self.cache, &command, &wish)? {
                        return report::receipt(&self.writers, &row, after, replayed);
                    }
                }
            })?;
            Ok(if dry_run { Decision::Rollback(()) } else { Decision::Commit(()) })
        });
        match done {
            Ok(()) => Ok(()),
            Err(Failure::CommitFailed { error, settled: true, .. }) => Err(error),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Books what has fallen due, account by account.
    pub(crate) fn expire(
        &self,
        limit: Option<u64>,
        wish: &Wish,
        progress: &mut dyn FnMut(&ExpireReport),
    ) -> Result<ExpireReport> {
        let writer = self.writer()?;
        let mut report = ExpireReport::default();
        loop {
            let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(report.accounts));
            let done = writer.transaction(wish.durability, self.patience, |conn| {
                let mut next = report.clone();
                self.sweep(conn, wish.reading, left, &mut next)?;
                Ok(Decision::Commit(next))
            })?;
            let idle = done.entries == report.entries && done.accounts == report.accounts;
            report = done;
            progress(&report);
            if !report.more || left == 0 || idle {
                return Ok(report);
            }
        }
    }

    fn sweep(&self, conn: &Connection, reading: Reading, accounts: u64, report: &mut ExpireReport) -> Result<()> {
        let source = SqlSource::new(conn, &self.cache);
        let ledger = store::ledger(conn)?;
        let (until, _) = engine::ledger_time(&source, &ledger, reading, None)?;
        let mut entries = 0;
        let mut left = accounts;
        loop {
            let due = store::accounts_due(conn, until, 1)?;
            let Some(account) = due.into_iter().next() else {
                report.more = false;
                return Ok(());
            };
            report.more = true;
            if left == 0 || entries >= SWEEP_ENTRIES {
                return Ok(());
            }
            let (no, expired) = (account.no, account.totals.expired);
            let mut books = Books::new(&source);
            books.enter_account(account);
            let complete = engine::catch_up(&mut books, no, until, STRETCH)?;
            let expired = books.account(no)?.totals.expired.saturating_sub(expired);
            let changes = books.into_changes()?;
            entries = entries.saturating_add(changes.entries.len());
            report.entries = report.entries.saturating_add(changes.entries.len() as u64);
            report.points = report.points.saturating_add(expired);
            store::apply(conn, &changes)?;
            if complete {
                report.accounts = report.accounts.saturating_add(1);
                left = left.saturating_sub(1);
            }
        }
    }

    // ---- look

    /// Reads within one read transaction, as of one clock reading.
    pub(crate) fn look<T>(&self, reading: Reading, read: impl FnOnce(&Look<'_>) -> Result<T>) -> Result<T> {
        self.snapshot(|conn| read(&Look::new(conn, &self.cache, &self.writers, reading)?))
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        self.readers.get()?.snapshot(read)
    }

    // ---- care

    pub(crate) fn verify(&self, quick: bool, progress: &mut dyn FnMut(Progress)) -> Result<Verification> {
        self.snapshot(|conn| audit::verify(conn, quick, progress))
    }

    pub(crate) fn backup(&self, target: &Path) -> Result<Verification> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        verified_copy(self.place(), target).map(|(_, verification)| verification)
    }

    /// Copies a backup to a new file with a new epoch, and books the restore in its log.
    pub(crate) fn restore(backup: &Path, target: &Path, epoch: i64, reading: Reading) -> Result<()> {
        let source = Readers::open(backup)?;
        let (target, _) = verified_copy(source.place(), target)?;
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
        let done = self.writer()?.transaction(Durability::Full, self.patience, |conn| {
            let mut ledger = store::ledger(conn)?;
            let old = ledger.writer.1;
            // A chance in 2^28, and then the next number will do.
            let epoch = if epoch == old.epoch { epoch % crate::model::MAX_EPOCH + 1 } else { epoch };
            let who = Who { device: old.device, epoch };
            ledger.writer = (store::add_writer(conn, who, ledger.length.saturating_add(1))?, who);
            let key = Key::new(format!("restore:{epoch}"))?;
            let command = Command {
                kind: OpKind::Restore,
                subject: Subject::File,
                key,
                at: None,
                action: Action::Restore,
                body: serde_json::Map::new(),
            };
            let source = SqlSource::new(conn, &self.cache);
            match engine::run(&source, Context { ledger: &ledger, reading, book: None, stretch: STRETCH }, &command)? {
                Verdict::Booked(booked) => write(conn, &booked).map(Decision::Commit),
                _ => Err(Error::corrupt("the restore was booked before")),
            }
        });
        done.map_err(Error::from)
    }
}

/// One operation, for whichever thread has the turn.
struct Task {
    command: Command,
    wish: Wish,
    cache: Arc<BookCache>,
}

impl Task {
    fn run(&self, conn: &Connection) -> Result<Step> {
        work(conn, &self.cache, &self.command, &self.wish)
    }
}

/// Read, decide, write: one operation inside a transaction.
fn work(conn: &Connection, cache: &BookCache, command: &Command, wish: &Wish) -> Result<Step> {
    let source = SqlSource::new(conn, cache);
    let ledger = store::ledger(conn)?;
    // A dry run cannot be committed piece by piece.
    let stretch = if wish.dry_run { usize::MAX } else { STRETCH };
    let context = Context { ledger: &ledger, reading: wish.reading, book: wish.book.as_deref(), stretch };
    match engine::run(&source, context, command)? {
        Verdict::Replayed(row) => {
            let after = report::balances_after(conn, &row)?;
            Ok(Step::Done(row, after, true))
        }
        // The point of no return: everything is decided, and from here on every write must succeed.
        Verdict::CatchUp(changes) => store::apply(conn, &changes).map(|()| Step::Again),
        Verdict::Booked(booked) => {
            let after = booked.after;
            write(conn, &booked)?;
            Ok(Step::Done(Box::new(booked.operation), after, false))
        }
    }
}

fn parse(request: Request, wish: &Wish) -> Result<Command> {
    let command = Command::parse(request)?;
    match command.at {
        Some(_) if !wish.historic => {
            Err(Error::invalid("at", "is only for loading history", "leave it out, or run the batch as historic"))
        }
        _ => Ok(command),
    }
}

/// Writes a decided operation.
fn write(conn: &Connection, booked: &Booked) -> Result<()> {
    if let Some((no, book)) = &booked.new_book {
        store::insert_price_book(conn, *no, book)?;
    }
    store::append_operation(conn, booked.ledger.writer.0, &booked.operation)?;
    store::apply(conn, &booked.changes)?;
    store::update_ledger(conn, &booked.ledger)
}

/// Copies a file and proves the copy before it gets its name; its path, and what the proof said.
fn verified_copy(place: &Place, target: &Path) -> Result<(PathBuf, Verification)> {
    let proof = RefCell::new(None);
    let path = db::backup(place, target, |conn| {
        let verification = audit::verify(conn, false, &mut |_| ())?;
        if let Some(fault) = verification.faults.first() {
            return Err(Error::corrupt(format!("the copy does not verify: {}", fault.place)));
        }
        proof.replace(Some(verification));
        Ok(())
    })?;
    let verification = proof.into_inner().ok_or_else(|| Error::storage("the copy was not verified"))?;
    Ok((path, verification))
}
