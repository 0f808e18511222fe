//! The path of every change through an open file: read, decide, write, acknowledge. No transaction is held long: what
//! takes longer goes on in the next one.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::File;
use crate::engine::{self, Booked, Books, CATCH_UP_LIMIT, Changes, Context, Verdict};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Action, Balances, ClockState, Command, Figures, HoldState, Key, LedgerRow, OpKind, OperationRow, Policy,
    Receipt, Request, Writers,
};
use crate::pricing::PriceBook;
use crate::report::{self, Look};
use crate::store::{self, BookCache, Session, SqlSource};
use crate::units::Reading;
use crate::writer::{Decision, Durability, Failure};

/// How long a transaction that could go on holds the file: others wait meanwhile.
pub(super) const HOLD: Duration = Duration::from_millis(20);

/// Between two such transactions: longer than another process sleeps between two looks at the lock, so that it gets in.
pub(super) const PAUSE: Duration = Duration::from_micros(500);

/// How a caller wants an operation applied.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) reading: Reading,
    /// The price books loaded; the last is in force.
    pub(crate) books: Arc<[Arc<PriceBook>]>,
    pub(crate) durability: Durability,
    /// Of a consume that names none.
    pub(crate) policy: Policy,
    /// `at` is allowed.
    pub(crate) historic: bool,
    /// Decide, and write nothing.
    pub(crate) dry_run: bool,
}

/// What an expiry sweep has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Books one operation of a run that shares a transaction; nothing when the transaction has lasted long enough, and the
/// operation is for the next.
pub(crate) type Book<'a> = dyn FnMut(&Request) -> Result<Option<Receipt>> + 'a;

impl Terms {
    /// The price book an operation is decided by: the one its quote names, if that is loaded, else the one in force.
    fn book(&self, command: &Command) -> Option<&PriceBook> {
        let named = match &command.action {
            Action::Hold { price_book: Some(hash), .. } => self.books.iter().find(|book| book.hash() == *hash),
            _ => None,
        };
        named.or(self.books.last()).map(Arc::as_ref)
    }
}

/// How one run of an operation's work ended.
enum Step {
    /// Only catch-up was written: run again.
    Again,
    Booked(Box<Booked>),
    /// With the balances of then, those and the state of its hold now, and how much has to be known to tell of it.
    Replayed(Box<OperationRow>, Balances, (Option<Figures>, Option<HoldState>), i64),
}

impl Step {
    /// How many writers and others have to be known to tell of it.
    fn names(&self) -> i64 {
        match self {
            Step::Again => 0,
            Step::Booked(booked) => booked.ledger.names(),
            Step::Replayed(.., names) => *names,
        }
    }

    /// Nothing: run again.
    fn receipt(&self, writers: &Writers) -> Result<Option<Receipt>> {
        let receipt = match self {
            Step::Again => return Ok(None),
            Step::Booked(booked) => report::receipt(writers, &booked.operation, booked.after, false),
            Step::Replayed(row, after, (balance_now, state_now), _) => report::receipt(writers, row, *after, true)
                .map(|receipt| Receipt { balance_now: *balance_now, state_now: *state_now, ..receipt }),
        };
        receipt.map(Some)
    }
}

/// One operation, for whichever thread has the turn.
struct Task {
    command: Command,
    terms: Terms,
    cache: Arc<BookCache>,
    writers: Arc<Writers>,
}

impl Task {
    fn run(&self, session: &Session<'_>) -> Result<Step> {
        work_until(session, (&self.cache, &self.writers), &self.command, &self.terms, Instant::now())
    }
}

impl File {
    /// Books one operation and answers once it is as durable as wished.
    pub(crate) fn apply(&self, request: &Request, terms: Terms) -> Result<Receipt> {
        let command = parse(request, &terms)?;
        let call = self.call()?;
        let writer = call.writer()?;
        let (durability, dry_run) = (terms.durability, terms.dry_run);
        let task = Arc::new(Task { command, terms, cache: Arc::clone(&self.cache), writers: self.known_writers() });
        // Somebody else's operations must not be rolled back with a dry run.
        let mut alone = dry_run;
        loop {
            let step = if alone {
                writer.transaction(durability, self.patience, |session| {
                    let step = task.run(session)?;
                    Ok(if dry_run { Decision::Rollback(step) } else { Decision::Commit(step) })
                })
            } else {
                let task = Arc::clone(&task);
                writer.carried(durability, self.patience, move |session| task.run(session))
            };
            match step {
                Ok(step) => {
                    if let Some(receipt) = step.receipt(&*self.writers_up_to(step.names())?)? {
                        return Ok(receipt);
                    }
                }
                Err(Failure::Refused(error)) => return Err(error),
                // `COMMIT` failed, so it is not known whether it took place: what is there under the key is the answer.
                Err(Failure::CommitFailed { error, certain, alone: was_alone }) => match self.booked(&task.command) {
                    Ok(Some(receipt)) => return Ok(receipt),
                    // Another's operation may have been the fault.
                    Ok(None) if certain && !was_alone => alone = true,
                    Ok(None) if certain => return Err(error),
                    Ok(None) | Err(_) => return Err(Error::OutcomeUnknown { message: error.to_string() }),
                },
            }
        }
    }

    fn booked(&self, command: &Command) -> Result<Option<Receipt>> {
        self.snapshot(|session| {
            let source = SqlSource::new(session, &self.cache);
            let Some(row) = engine::booked_under_key(&source, command)? else { return Ok(None) };
            let row = engine::told_by(&source, row)?;
            let after = report::balances_after(session, &row)?;
            let writers = self.writers(session)?;
            report::receipt(&writers, &row, after, false).map(Some)
        })
    }

    /// Runs several operations in one transaction, each seeing those before it. When `bounded`, it ends with the
    /// operation during which its time was up.
    pub(crate) fn apply_together(
        &self,
        bounded: bool,
        terms: &dyn Fn() -> Terms,
        run: &dyn Fn(&mut Book<'_>) -> Result<()>,
    ) -> Result<()> {
        let Terms { durability, dry_run, .. } = terms();
        let held_long = Cell::new(false);
        let call = self.call()?;
        let done = call.writer()?.transaction(durability, self.patience, |session| {
            let began = Instant::now();
            // Nobody else writes meanwhile, so that these are all.
            let writers = self.writers(session)?;
            let mut first = true;
            run(&mut |request| {
                // The first makes some progress however long it takes.
                if bounded && !std::mem::take(&mut first) && began.elapsed() >= HOLD {
                    return Ok(None);
                }
                let terms = terms();
                let command = parse(request, &terms)?;
                loop {
                    let step = work_until(session, (&self.cache, &writers), &command, &terms, began)?;
                    // As it comes, for it is large.
                    let receipt = step.receipt(&writers);
                    if bounded || !matches!(receipt, Ok(None)) {
                        return receipt;
                    }
                }
            })?;
            held_long.set(began.elapsed() >= HOLD);
            Ok(if dry_run { Decision::Rollback(()) } else { Decision::Commit(()) })
        });
        if bounded && held_long.get() {
            // Another such transaction comes at once.
            thread::sleep(PAUSE);
        }
        match done {
            Ok(()) => Ok(()),
            Err(Failure::CommitFailed { error, certain: true, .. }) => Err(error),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Books what has fallen due, account by account.
    pub(crate) fn expire(
        &self,
        limit: Option<u64>,
        terms: &Terms,
        progress: &mut dyn FnMut(&ExpireReport) -> Result<()>,
    ) -> Result<ExpireReport> {
        let call = self.call()?;
        let writer = call.writer()?;
        let mut report = ExpireReport::default();
        loop {
            let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(report.accounts));
            let (done, swept) = writer.transaction(terms.durability, self.patience, |session| {
                let (mut next, mut swept) = (report.clone(), Vec::new());
                self.sweep(session, terms.reading, left, &mut next, &mut swept)?;
                Ok(Decision::Commit((next, swept)))
            })?;
            if !swept.is_empty() {
                self.notifier().swept(swept);
            }
            let idle = done.entries == report.entries && done.accounts == report.accounts;
            report = done;
            let go_on = progress(&report);
            if !report.more || left == 0 || idle {
                return Ok(report);
            }
            go_on?;
            thread::sleep(PAUSE);
        }
    }

    /// Books for so many accounts what has fallen due; `swept` names them for whoever watches.
    fn sweep(
        &self,
        session: &Session<'_>,
        reading: Reading,
        accounts: u64,
        report: &mut ExpireReport,
        swept: &mut Vec<AccountId>,
    ) -> Result<()> {
        let began = Instant::now();
        let source = SqlSource::new(session, &self.cache);
        let ledger = session.ledger()?;
        let time = engine::ledger_time(&source, &ledger, reading, None)?;
        let told = |clock: ClockState| (clock.accepted_at, clock.suspect_since);
        if told(time.clock) != told(ledger.clock) {
            record(session, &self.cache, reading)?;
        }
        let (until, steps_back) = (time.at, time.clock.steps_back);
        let (mut left, mut first) = (accounts, true);
        loop {
            let due = store::accounts_due(session, None, until, 1)?;
            let Some(account) = due.into_iter().next() else {
                report.more = false;
                return Ok(());
            };
            report.more = true;
            // The first step is done however long the beginning took.
            if left == 0 || (!std::mem::take(&mut first) && began.elapsed() >= HOLD) {
                return Ok(());
            }
            let (no, expired) = (account.no, account.totals.expired);
            if self.notifier().is_watched() {
                swept.push(account.id.clone());
            }
            let mut books = Books::new(&source);
            books.enter_account(account);
            let complete = engine::catch_up(&mut books, no, until, CATCH_UP_LIMIT)?;
            books.know_steps(steps_back)?;
            let expired = books.account(no)?.totals.expired.saturating_sub(expired);
            let changes = caught_up(books.take_changes()?)?;
            report.entries = report.entries.saturating_add(changes.entries.len() as u64);
            report.points = report.points.saturating_add(expired);
            store::apply(session, &changes)?;
            if complete {
                report.accounts = report.accounts.saturating_add(1);
                left = left.saturating_sub(1);
            }
        }
    }
}

/// Goes on while only catch-up is written, until the time is up.
fn work_until(
    session: &Session<'_>,
    with: (&BookCache, &Writers),
    command: &Command,
    terms: &Terms,
    began: Instant,
) -> Result<Step> {
    loop {
        match work(session, with, command, terms)? {
            Step::Again if began.elapsed() < HOLD => {}
            step => return Ok(step),
        }
    }
}

/// Read, decide, write: one operation inside a transaction.
fn work(
    session: &Session<'_>,
    (cache, writers): (&BookCache, &Writers),
    command: &Command,
    terms: &Terms,
) -> Result<Step> {
    let ledger = session.ledger()?;
    // Before anything it names is looked up, the key too.
    engine::check_role(&ledger, command)?;
    // A dry run cannot be committed piece by piece.
    let limit = if terms.dry_run { usize::MAX } else { CATCH_UP_LIMIT };
    let context = Context { ledger: &ledger, reading: terms.reading, time: None, book: terms.book(command), limit };
    let source = SqlSource::new(session, cache);
    let decide = |source: &SqlSource<'_, '_>| engine::run(source, context, command);
    let decided = if session.looks_first() || engine::keys_are_shared(&ledger, command) {
        decide(&source)
    } else {
        // Most keys are new, and the index that keeps them apart tells when one is not.
        match decide(&SqlSource::with_new_keys(session, cache)) {
            // The text of a new price book is written before its first operation.
            Ok(Verdict::Booked(booked)) if booked.new_book.is_none() => {
                if append(session, &booked)? {
                    return Ok(Step::Booked(booked));
                }
                decide(&source)
            }
            // A repeated operation is answered as the first time, whatever would come of it now.
            _ if engine::booked_under_key(&source, command)?.is_some() => decide(&source),
            decided => decided,
        }
    };
    match decided? {
        Verdict::Replayed(row) => {
            session.look_first();
            let row = Box::new(engine::told_by(&source, *row)?);
            let after = report::balances_after(session, &row)?;
            let now = Look::new(session, cache, writers, terms.reading)?.present_of(&row)?;
            Ok(Step::Replayed(row, after, now, ledger.names()))
        }
        // The point of no return: everything is decided, and from here on every write must succeed.
        Verdict::CatchUp(changes) => {
            catch_up_with(session, cache, &ledger, terms.reading, *changes).map(|()| Step::Again)
        }
        Verdict::Booked(booked) => {
            let approved = engine::approved(command);
            if let Some(link) = approved {
                // Whether it can be booked is seen before anything is written.
                book_approved(&source, context, link)?;
            }
            write(session, &booked)?;
            match approved {
                None => Ok(Step::Booked(booked)),
                Some(link) => {
                    let booked = book_approved(&source, Context { ledger: &booked.ledger, ..context }, link)?;
                    write(session, &booked)?;
                    Ok(Step::Booked(booked))
                }
            }
        }
    }
}

/// The operation that books an approved link: the one after its approval, in the same transaction.
fn book_approved(source: &SqlSource<'_, '_>, context: Context<'_>, link: (i64, bool)) -> Result<Box<Booked>> {
    match engine::take_approved(source, Context { limit: usize::MAX, ..context }, link)? {
        Verdict::Booked(booked) => Ok(booked),
        _ => Err(Error::corrupt("an approved link was not booked")),
    }
}

/// Writes what time has done before an operation.
pub(super) fn catch_up_with(
    session: &Session<'_>,
    cache: &BookCache,
    ledger: &LedgerRow,
    reading: Reading,
    changes: Changes,
) -> Result<()> {
    if changes.entries.iter().any(|row| row.booked_at > ledger.clock.accepted_at) {
        record(session, cache, reading)?;
    }
    store::apply(session, &caught_up(changes)?)
}

/// A step of catch-up that changes nothing would be repeated for ever: an account says that something is due, and no row
/// is.
fn caught_up(changes: Changes) -> Result<Changes> {
    if changes == Changes::default() {
        return Err(Error::corrupt("an account says that something is due, and nothing is"));
    }
    Ok(changes)
}

/// Books a reading by itself: what time does without an operation goes no further than the log has it.
fn record(session: &Session<'_>, cache: &BookCache, reading: Reading) -> Result<()> {
    let ledger = session.ledger()?;
    let key = Key::new(format!("expire:{}", ledger.length.saturating_add(1)))?;
    let context = Context { ledger: &ledger, reading, time: None, book: None, limit: CATCH_UP_LIMIT };
    match engine::run(&SqlSource::new(session, cache), context, &Command::own(OpKind::Expire, key))? {
        Verdict::Booked(booked) => write(session, &booked),
        _ => Err(Error::corrupt("the sweep was booked before")),
    }
}

fn parse(request: &Request, terms: &Terms) -> Result<Command> {
    let filled = terms.policy.fill_in(request);
    let command = Command::parse(filled.as_ref().unwrap_or(request));
    if !terms.historic && matches!(command, Ok(Command { at: Some(_), .. })) {
        return Err(Error::invalid("at", "is only for loading history", "leave it out, or run the batch as historic"));
    }
    command
}

/// Writes a decided operation.
pub(super) fn write(session: &Session<'_>, booked: &Booked) -> Result<()> {
    if let Some((no, book)) = &booked.new_book {
        store::insert_price_book(session, *no, book)?;
    }
    match append(session, booked)? {
        true => Ok(()),
        false => Err(Error::corrupt("a key is taken, and was not found")),
    }
}

/// False, and nothing is written, when its key is taken.
fn append(session: &Session<'_>, booked: &Booked) -> Result<bool> {
    let there = store::append_operation(session, &booked.operation)?;
    if there {
        store::apply(session, &booked.changes)?;
        session.set_ledger(&booked.ledger)?;
    }
    Ok(there)
}
