//! The log, twice: its hash chain, and every operation booked again in memory and compared with what it left behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::{iter, thread};

use super::faults::tells_nothing;
use super::memory::Memory;
use super::{Audit, PAGE, count, show, window};
use crate::chain;
use crate::db::OtherReader;
use crate::engine::{
    Booked, Changes, Context, LedgerTime, Source, Verdict, allotted_accounts, ledger_time, parse_body, retake,
    run as decide, stale_before,
};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AccountRow, Action, Carried, ClockMark, ClockState, Command, EntryRow, LedgerRow, OpKind, OperationRow, Outcome,
    PlanRow, Reconcile, Settings, Standing, Writer,
};
use crate::pricing::PriceBook;
use crate::store::audit::{self as stored, Referred, StoredOperation};
use crate::store::{self, BookCache, Session, Table};
use crate::units::{Instant, Reading};

/// How many pages of the log are read ahead.
const PAGES_AHEAD: usize = 2;

/// Follows the chain and replays. `None` when an operation could not be replayed: nothing can be said of what is
/// derived from it.
pub(super) fn run<'a: 's, 's, 'c>(
    audit: &mut Audit<'a, 'c>,
    ahead: Option<OtherReader>,
    cache: &'s BookCache,
) -> Result<Option<Memory<'s, 'c>>> {
    let Some((mut replay, referred)) = Replay::begin(audit, cache)? else { return Ok(None) };
    let outcome = replay.log(audit, ahead, &referred);
    let damaged = outcome.is_err();
    audit.faults.part("operation", outcome)?;
    if damaged || replay.stopped {
        return Ok(None);
    }
    let outcome = replay.rest(audit);
    audit.faults.part("entry", outcome)?;
    replay.check_ledger(audit);
    Ok(Some(replay.memory))
}

struct Replay<'s, 'c> {
    memory: Memory<'s, 'c>,
    /// What is stored, when it can be read.
    stored: Option<LedgerRow>,
    /// What the operations make of it.
    ledger: LedgerRow,
    writers: BTreeMap<i64, (Writer, i64)>,
    books: BTreeMap<i64, PriceBook>,
    window: window::Window,
    /// The highest reading that was ever accepted: time alone has booked nothing later.
    reach: Instant,
    /// The hash the next operation builds on, where it is known.
    head: Option<Hash>,
    /// Number of the newest operation seen.
    last: i64,
    /// The hash of the operation that the ledger's row names, once it was seen; and that of the one which a hub has.
    named: Option<Hash>,
    acked: Option<Hash>,
    stopped: bool,
}

impl<'s, 'c> Replay<'s, 'c> {
    fn begin<'a: 's>(audit: &mut Audit<'a, 'c>, cache: &'s BookCache) -> Result<Option<(Self, Referred)>> {
        let writers = match read_writers(audit) {
            Ok(writers) => writers,
            other => {
                audit.faults.part("writer", other.map(drop))?;
                return Ok(None);
            }
        };
        let (books, hashes) = read_books(audit)?;
        let accounts = match stored::account_names(audit.session, PAGE) {
            Ok(accounts) => accounts,
            other => {
                audit.faults.part("account", other.map(drop))?;
                return Ok(None);
            }
        };
        let writing = writers.iter().map(|(no, (writer, _))| (*no, *writer)).collect();
        let referred = Referred { writers: writing, accounts, books: hashes };
        let stored = match stored::ledger(audit.session) {
            Ok(row) => Some(row),
            other => {
                audit.faults.part("ledger", other.map(drop))?;
                None
            }
        };
        // The first writer made the file.
        let Some((no, writer)) = writers.first_key_value().map(|(no, (writer, _))| (*no, *writer)) else {
            audit.faults.add("writer_missing", "writer 1", "a row", "none");
            return Ok(None);
        };
        let start = stored.as_ref().map_or(Instant::MIN, |row| row.created_at);
        let id = stored.as_ref().map(|row| row.ledger_id);
        let head = id.map(|id| chain::genesis(id, writer.device, writer.epoch, start));
        let ledger = LedgerRow {
            ledger_id: id.unwrap_or_default(),
            created_at: start,
            writer: (no, writer),
            clock: ClockState::new(start),
            settings: Settings::default(),
            standing: Arc::default(),
            head: head.unwrap_or_default(),
            length: 0,
        };
        let (memory, window) = (Memory::of(audit.session, cache), window::Window::default());
        let (last, stopped, reach, named) = (0, false, start, head);
        let acked = None;
        let mut replay =
            Replay { memory, stored, ledger, writers, books, window, reach, head, last, named, acked, stopped };
        if head.is_none() {
            // Without the file's identity there is nothing to begin from; the links can still be followed.
            replay.stop(audit, 1);
        }
        Ok(Some((replay, referred)))
    }

    /// Follows the log, which is read `ahead` in a thread of its own where there is a connection for it.
    fn log(&mut self, audit: &mut Audit<'_, '_>, ahead: Option<OtherReader>, referred: &Referred) -> Result<()> {
        self.check_since(audit, self.ledger.writer.0, 1);
        let Some(ahead) = ahead else { return self.follow_log(audit, pages(audit.session, referred)) };
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(PAGES_AHEAD);
            // Nobody takes a page any more when the replay has failed.
            scope.spawn(move || pages(&Session::new(&ahead), referred).try_for_each(|page| sender.send(page)).ok());
            self.follow_log(audit, receiver.into_iter())
        })
    }

    fn follow_log(&mut self, audit: &mut Audit<'_, '_>, pages: impl Iterator<Item = Result<Vec<Read>>>) -> Result<()> {
        let names = self.stored.as_ref().map_or(0, |row| row.length);
        let acks = self.stored.as_ref().map_or(0, |row| row.standing.acked_seq);
        let total = audit.session.ledger().ok().and_then(|row| u64::try_from(row.length).ok());
        for page in pages {
            for read in page? {
                self.operation(audit, read)?;
                if self.last == names {
                    self.named = self.head;
                }
                if self.last == acks {
                    self.acked = self.head;
                }
            }
            audit.tell("operations", audit.checked.operations, total)?;
        }
        if let Some(stored) = &self.stored {
            check_head(audit, stored, self.last, self.named);
        }
        Ok(())
    }

    fn stop(&mut self, audit: &mut Audit<'_, '_>, seq: i64) {
        if !self.stopped {
            self.stopped = true;
            let found = "only the chain and the sums are checked from here on";
            audit.faults.add("replay_stopped", format_args!("operation {seq}"), "every operation replayed", found);
        }
    }

    fn operation(&mut self, audit: &mut Audit<'_, '_>, Read { stored: raw, row }: Read) -> Result<()> {
        audit.checked.operations = audit.checked.operations.saturating_add(1);
        let next = self.last.saturating_add(1);
        if raw.seq != next {
            let place = format!("operation {next}");
            audit.faults.add(
                "operation_missing",
                place,
                "a row",
                format_args!("the next row is operation {}", raw.seq),
            );
            self.head = None;
            self.stop(audit, next);
        }
        self.last = raw.seq;
        let (row, command) = match row {
            Some(Ok(row)) => row,
            Some(Err(error)) => {
                audit.faults.unreadable::<OperationRow>(raw.seq, &error);
                self.head = raw.hash;
                self.stop(audit, raw.seq);
                return Ok(());
            }
            None => {
                let place = format!("operation {} writer", raw.seq);
                audit.faults.add("operation_mismatch", place, "the number of a writer", raw.writer);
                if !self.writers.contains_key(&raw.writer) {
                    audit.faults.add("writer_missing", format_args!("writer {}", raw.writer), "a row", "none");
                }
                self.head = raw.hash;
                self.stop(audit, raw.seq);
                return Ok(());
            }
        };
        let head = self.head.replace(row.hash);
        if self.stopped {
            check_link(audit, head.as_ref(), &row);
            return Ok(());
        }
        self.replay(audit, head.as_ref(), &raw, (&row, command))
    }

    fn replay(
        &mut self,
        audit: &mut Audit<'_, '_>,
        head: Option<&Hash>,
        raw: &StoredOperation,
        (row, command): (&OperationRow, Result<Command>),
    ) -> Result<()> {
        if matches!(row.kind, OpKind::Restore | OpKind::RenewEpoch) {
            // It is the first operation of the next writer.
            let no = self.ledger.writer.0.saturating_add(1);
            self.ledger.writer = (no, self.writers.get(&no).map_or(row.writer.1, |(writer, _)| *writer));
            self.check_since(audit, no, row.seq);
        }
        let faults = audit.faults.many();
        if let Ok(Command { action: Action::Import(import), .. }) = &command {
            self.memory.imported(import);
        }
        if row.origin.is_link()
            && let Some((no, _)) = row.price_book
            && let Some(book) = self.books.get(&no)
        {
            // It came with what devices sent, before anything was booked by it.
            self.memory.add_book(no, book.clone());
        }
        let booked = self.book(audit, row, command)?;
        // Booked on the same head, the same fields come to the same hash: only another one is looked into.
        if !booked.as_ref().is_ok_and(|booked| booked.operation.hash == row.hash) {
            check_link(audit, head, row);
        }
        let booked = match booked {
            Ok(booked) => booked,
            Err(error) if tells_nothing(&error) => return Err(error),
            Err(error) => {
                let (place, found) = (format!("operation {}", row.seq), format!("{}: {error}", error.code()));
                audit.faults.add("operation_refused", place, "an operation that books", found);
                self.stop(audit, row.seq);
                return Ok(());
            }
        };
        let Booked { mut operation, changes, ledger, new_book, .. } = booked;
        let seq = row.seq;
        // The hash has been seen to; the outcome is compared as text.
        operation.hash = row.hash;
        let outcome = std::mem::take(&mut operation.outcome);
        audit.faults.compare(seq, &operation, row);
        let place = format!("operation {seq} outcome");
        match (outcome_text(&outcome), &raw.outcome) {
            (_, Err(error)) => audit.faults.unreadable::<OperationRow>(format_args!("{seq} outcome"), error),
            (text, Ok(found)) if text != *found => {
                audit.faults.add("operation_mismatch", place, show(text), show(found.as_ref()));
            }
            _ => {}
        }
        self.memory.append(&operation, outcome, audit.faults.many() == faults);
        self.compare_entries(audit, &changes)?;
        self.compare_received(audit, &changes)?;
        self.memory.apply(changes)?;
        if let Some((no, book)) = new_book {
            self.memory.add_book(no, book);
        }
        // The head is the chain's affair: one wrong hash is one fault, not one for each operation after it.
        self.ledger = LedgerRow { head: row.hash, ..ledger };
        self.reach = self.reach.max(self.ledger.clock.accepted_at);
        audit.checked.replayed = audit.checked.replayed.saturating_add(1);
        Ok(())
    }

    fn check_since(&self, audit: &mut Audit<'_, '_>, no: i64, first: i64) {
        if let Some((_, since)) = self.writers.get(&no) {
            audit.faults.same("writer_mismatch", format_args!("writer {no} since"), first, *since);
        }
    }

    /// Books the operation again under the circumstances stored with it. The inner error is the engine's refusal.
    fn book(
        &mut self,
        audit: &mut Audit<'_, '_>,
        row: &OperationRow,
        command: Result<Command>,
    ) -> Result<Result<Booked>> {
        let command = match command {
            Ok(command) => command,
            Err(error) => return Ok(Err(error)),
        };
        let to = match &command.action {
            Action::Transfer { to, .. } => self.memory.account_by_id(to)?.map(|row| row.no),
            _ => None,
        };
        let reading = Reading { at: row.recorded_at, trusted: row.clock == ClockMark::Trusted };
        let mut time = self.time(row, reading)?;
        let mut involved: Vec<i64> = row.account.as_ref().map(|(no, _)| *no).into_iter().chain(to).collect();
        if let Action::Reconcile(told) = &command.action {
            involved.extend(self.told(told, stale_before(&self.ledger, &time, told, row.seq))?);
        }
        if matches!(row.kind, OpKind::Restore | OpKind::RenewEpoch) {
            // A new epoch takes from holds what they keep of allotments.
            involved.extend(allotted_accounts(&self.memory)?);
        }
        for account in involved {
            if self.follow(audit, account)? {
                // When time booked this, before accepted time stepped back or after, shows in when the operation was booked.
                self.memory.know_steps(account, self.ledger.clock.steps_back, row.booked_at);
            }
        }
        if time.mark != row.clock {
            // It may have been booked by a sweep, and have made the reading harmless (points gone to pay debt) …
            time = self.time(row, reading)?;
        }
        if (time.mark, row.clock) != (ClockMark::Suspect, ClockMark::Plain) {
            return Ok(self.decide(row, &command, (reading, time)));
        }
        // … and so may a sweep of other accounts.
        self.sweep_harmless(audit, row)?;
        time = self.time(row, reading)?;
        if time.mark == ClockMark::Plain {
            return Ok(self.decide(row, &command, (reading, time)));
        }
        // It was not: one fault for the mark, then on as it is stored.
        let place = format!("operation {} clock", row.seq);
        audit.faults.add("operation_mismatch", place, ClockMark::Suspect.as_str(), row.clock.as_str());
        let trusted = Reading { trusted: true, ..reading };
        time = self.time(row, trusted)?;
        Ok(self.decide(row, &command, (trusted, time)).map(|mut booked| {
            booked.operation.clock = row.clock;
            booked
        }))
    }

    /// The accounts that a reconcile changes: those it tells of, and those with an old base, of which it does not.
    fn told(&self, told: &Reconcile, stale_before: i64) -> Result<Vec<i64>> {
        let lines = told.lines.iter().filter_map(|line| Carried::read(line).ok());
        let named = lines.map(|line| self.memory.account_by_id(&line.account));
        let mut accounts: Vec<i64> =
            named.filter_map(|row| row.transpose().map(|row| row.map(|row| row.no))).collect::<Result<_>>()?;
        if told.whole {
            let lost = self.memory.all_bases().values().filter(|base| base.is_old(told.position.epoch, stale_before));
            accounts.extend(lost.map(|base| base.account));
        }
        Ok(accounts)
    }

    /// What an operation's reading comes to as the books are now.
    fn time(&self, row: &OperationRow, reading: Reading) -> Result<LedgerTime> {
        ledger_time(&self.memory, &self.ledger, reading, Some(row.kind))
    }

    fn decide(&self, row: &OperationRow, command: &Command, (reading, time): (Reading, LedgerTime)) -> Result<Booked> {
        let book = row.price_book.and_then(|(no, _)| self.books.get(&no));
        // In one step: what was swept before has been followed already.
        let context = Context { ledger: &self.ledger, reading, time: Some(time), book, limit: usize::MAX };
        let decided = if row.origin.is_link() {
            retake(&self.memory, context, row)
        } else {
            decide(&self.memory, context, command)
        };
        match decided? {
            Verdict::Booked(booked) => Ok(*booked),
            Verdict::Replayed(_) => Err(Error::corrupt("its key was used before")),
            Verdict::CatchUp(_) => Err(Error::corrupt("its catch-up does not end")),
        }
    }

    fn sweep_harmless(&mut self, audit: &mut Audit<'_, '_>, row: &OperationRow) -> Result<()> {
        let (after, until) = (self.ledger.clock.accepted_at, row.recorded_at);
        for account in self.memory.accounts_expiring(after, until)? {
            while self.memory.accounts_expiring(after, until)?.contains(&account) && self.follow_one(audit, account)? {}
        }
        Ok(())
    }

    /// Books what time did to an account as far as the file has it before the next operation: sweeps, refused operations
    /// and long catch-ups leave such entries, and where they end decides what later operations find.
    /// Whether there is anything.
    fn follow(&mut self, audit: &mut Audit<'_, '_>, account: i64) -> Result<bool> {
        let mut any = false;
        while self.follow_one(audit, account)? {
            any = true;
        }
        Ok(any)
    }

    fn follow_one(&mut self, audit: &mut Audit<'_, '_>, account: i64) -> Result<bool> {
        let Some(row) = self.memory.all_accounts().get(&account) else { return Ok(false) };
        let next = row.entries.saturating_add(1);
        let Some((kind, booked_at)) = self.window.time_entry(audit.session, account, next)? else { return Ok(false) };
        // No line tells of a period that gave nothing.
        while self.memory.gives_nothing(account, booked_at)? {}
        let event = match self.memory.next_event(account) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(false),
            Err(error) if tells_nothing(&error) => return Err(error),
            Err(error) => {
                audit.faults.add("entry_mismatch", format_args!("entry {account}/{next}"), "what fell due", error);
                return Ok(false);
            }
        };
        // An entry that is like it in neither is none of time's making: the comparison will name it.
        let same = booked_at <= self.reach
            && event.entries.first().is_some_and(|entry| entry.kind == kind || entry.booked_at == booked_at);
        if same {
            self.compare_entries(audit, &event)?;
            self.memory.apply(event)?;
        }
        Ok(same)
    }

    /// The last periods of an account's plans may have given nothing: how far a plan has come tells.
    fn follow_silent(&mut self, audit: &Audit<'_, '_>, account: i64) -> Result<()> {
        while let Some((plan, period)) = self.memory.next_period(account)
            && let Some((_, Ok(found))) = stored::page::<PlanRow>(audit.session, plan.saturating_sub(1), 1)?.first()
            && found.operation == plan
            && found.period > period
            && self.memory.gives_nothing(account, self.reach)?
        {}
        Ok(())
    }

    fn compare_entries(&mut self, audit: &mut Audit<'_, '_>, changes: &Changes) -> Result<()> {
        for entry in &changes.entries {
            let key = format_args!("{}/{}", entry.account, entry.n);
            match self.window.take(audit.session, entry.account, entry.n)? {
                None => audit.faults.missing::<EntryRow>(key),
                Some(Err(error)) => audit.faults.unreadable::<EntryRow>(key, &error),
                Some(Ok(found)) => audit.faults.compare(key, entry, &found),
            }
        }
        Ok(())
    }

    /// What came with a reconcile, and what accounts were before.
    fn compare_received(&self, audit: &mut Audit<'_, '_>, changes: &Changes) -> Result<()> {
        let Some(row) = changes.heard.as_ref().and_then(|heard| heard.received.first()) else { return Ok(()) };
        let found = stored::received(audit.session, row.operation)?;
        let expected = changes.heard.iter().flat_map(|heard| &heard.received);
        for (row, found) in expected.zip(&found) {
            audit.faults.compare(format_args!("{}/{}", row.operation, row.n), row, found);
        }
        Ok(())
    }

    /// What time did after the last operation of each account; entries beyond that are nobody's.
    fn rest(&mut self, audit: &mut Audit<'_, '_>) -> Result<()> {
        let accounts: Vec<i64> = self.memory.all_accounts().keys().copied().collect();
        for account in accounts {
            if self.follow(audit, account)?
                && let Some((_, Ok(found))) =
                    stored::page::<AccountRow>(audit.session, account.saturating_sub(1), 1)?.first()
                && self.memory.account(account)?.is_some_and(|row| row.steps_back < found.steps_back)
                && found.steps_back <= self.ledger.clock.steps_back
            {
                self.memory.know_steps(account, found.steps_back, Instant::MAX);
            }
            self.follow_silent(audit, account)?;
            let entries = self.memory.account(account)?.map_or(0, |row| row.entries);
            let read = |after: i64, page| stored::entries_from(audit.session, account, after.saturating_add(1), page);
            for row in store::pages(entries, PAGE, read, |((_, n), _)| *n) {
                let ((_, n), _) = row?;
                audit.faults.extra::<EntryRow>(format_args!("{account}/{n}"));
            }
        }
        Ok(())
    }

    /// The rest of the file's one row, and the tables only the log refers to.
    fn check_ledger(&self, audit: &mut Audit<'_, '_>) {
        let Some(found) = &self.stored else { return };
        let faults = &mut audit.faults;
        // Head and length name an operation, which need not be the newest; the rest of the clock it does not know.
        let (clock, head, length) = (found.clock, found.head, found.length);
        let ClockState { trusted_at, steps_back, .. } = self.ledger.clock;
        let clock = ClockState { trusted_at, steps_back, ..clock };
        let standing = Arc::new(self.standing(&found.standing));
        faults.compare_one(&LedgerRow { clock, head, length, standing, ..self.ledger.clone() }, found);
        let Standing { acked_seq, acked_hash, .. } = *found.standing;
        if self.acked.filter(|_| acked_seq > 0) != acked_hash {
            faults.add("ledger_mismatch", "ledger acked_seq or acked_hash", show(self.acked), show(acked_hash));
        }
        for no in self.writers.keys().filter(|no| **no > self.ledger.writer.0) {
            faults.add("writer_extra", format_args!("writer {no}"), "none", "a row");
        }
    }
}

impl Replay<'_, '_> {
    /// What a file is to others. An answer in which nothing was new has moved how far it has heard, and left no operation.
    fn standing(&self, found: &Standing) -> Standing {
        let standing = (*self.ledger.standing).clone();
        let (mut heard, replayed) = (found.heard(), standing.heard());
        if heard.epoch >= replayed.epoch {
            (heard.newest, heard.stale_before, heard.foreign) =
                (replayed.newest, replayed.stale_before, replayed.foreign);
        } else {
            heard = replayed;
        }
        let heard = found.heard.as_ref().or(standing.heard.as_ref()).map(|_| Arc::new(heard));
        let (acked_seq, acked_hash) = (found.acked_seq, found.acked_hash);
        Standing { heard, acked_seq, acked_hash, ..standing }
    }
}

/// An operation as it was read.
struct Read {
    stored: StoredOperation,
    /// Taken out of it, with the command it was booked from.
    row: Option<Result<(OperationRow, Result<Command>)>>,
}

/// The pages of the log in order; nothing follows an error.
fn pages(session: &Session<'_>, referred: &Referred) -> impl Iterator<Item = Result<Vec<Read>>> {
    let with_command = |row: OperationRow| {
        let command = command(session, &row);
        (row, command)
    };
    let read = move |mut stored: StoredOperation| {
        let row = stored.row.take().map(|row| row.map(with_command));
        Read { stored, row }
    };
    let mut after = Some(i64::MIN);
    iter::from_fn(move || {
        let page = stored::stored_operations(session, after?, PAGE, referred);
        after = page.as_ref().ok().and_then(|page| page.last()).map(|stored| stored.seq);
        match page {
            Ok(page) if page.is_empty() => None,
            page => Some(page.map(|page| page.into_iter().map(read).collect())),
        }
    })
}

/// The ledger's row names an operation that must be there, so that a cut tail is seen. `last` is there, and `named` the hash
/// of the one that is named.
pub(super) fn check_head(audit: &mut Audit<'_, '_>, stored: &LedgerRow, last: i64, named: Option<Hash>) {
    if stored.length > last {
        audit.faults.add("length_mismatch", "ledger length", format_args!("{last} at most"), stored.length);
    } else if let Some(hash) = named {
        audit.faults.same("head_mismatch", "ledger head", hash, stored.head);
    }
}

/// The command a stored operation was booked from.
fn command(session: &Session<'_>, row: &OperationRow) -> Result<Command> {
    if row.kind == OpKind::Reconcile {
        let lines = stored::received(session, row.seq)?.into_iter().map(|row| row.line).collect();
        let told = Reconcile::stored(&parse_body(row)?, lines);
        let wrong =
            || Error::corrupt(format!("operation {} was not booked with what stands in received.line", row.seq));
        return told.map(|told| Command::reconcile(row.key.clone(), told)).ok_or_else(wrong);
    }
    if row.origin.is_link() {
        // The engine reads it, with what it refers to.
        return Ok(Command::own(row.kind, row.key.clone()));
    }
    let account = row.account.as_ref().map(|(_, id)| id.clone());
    Command::stored(row.kind, account, row.key.clone(), &parse_body(row)?)
}

/// The outcome as it is stored.
fn outcome_text(outcome: &Outcome) -> Option<String> {
    if *outcome == Outcome::default() { None } else { serde_json::to_string(outcome).ok() }
}

/// Whether the operation's hash is made of the one before it and of its own fields.
pub(super) fn check_link(audit: &mut Audit<'_, '_>, head: Option<&Hash>, row: &OperationRow) {
    let Some(head) = head else { return };
    let link = chain::link(head, row);
    if link != row.hash {
        // The first also hangs on the file's identity, and one of a device on its link.
        let or = match (row.seq, row.origin.is_link()) {
            (1, _) => " (or ledger ledger_id or created_at, or writer 1)".to_string(),
            (_, true) => format!(" (or link {}/{} hash or occurred)", row.origin.chain, row.origin.seq),
            _ => String::new(),
        };
        let place = format!("{} {} hash{or}", OperationRow::TABLE, row.seq);
        audit.faults.add("chain_broken", place, link, row.hash);
    }
}

fn read_writers(audit: &mut Audit<'_, '_>) -> Result<BTreeMap<i64, (Writer, i64)>> {
    let read = |after, page| store::writer_page(audit.session, after, page);
    let rows = store::pages(i64::MIN, PAGE, read, |row| row.no);
    let writers: BTreeMap<_, _> =
        rows.map(|row| row.map(|row| (row.no, (row.writer, row.since)))).collect::<Result<_>>()?;
    audit.checked.writers = count(writers.len());
    let mut seen: Vec<Writer> = Vec::new();
    for (place, (no, (writer, _))) in (1_i64..).zip(&writers) {
        audit.faults.same("writer_mismatch", format_args!("writer {no} no"), place, *no);
        if seen.contains(writer) {
            audit.faults.add("writer_mismatch", format_args!("writer {no} epoch"), "a new epoch", writer.epoch);
        }
        seen.push(*writer);
    }
    Ok(writers)
}

/// Of price books, by number.
type Hashes = BTreeMap<i64, Hash>;

/// The stored price books that can be read, and the hashes of all.
fn read_books(audit: &mut Audit<'_, '_>) -> Result<(BTreeMap<i64, PriceBook>, Hashes)> {
    let (mut books, mut hashes) = (BTreeMap::new(), BTreeMap::new());
    let read = |after, page| store::price_book_page(audit.session, after, page);
    for row in store::pages(i64::MIN, 16, read, |row| row.no) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                audit.faults.part("price_book", Err(error))?;
                break;
            }
        };
        hashes.insert(row.no, row.hash);
        audit.checked.price_books = audit.checked.price_books.saturating_add(1);
        let place = format!("price_book {} text", row.no);
        let hash = Hash::of(row.text.as_bytes());
        audit.faults.same("price_book_mismatch", format_args!("{place} or hash"), hash, row.hash);
        match PriceBook::parse(&row.text, &place) {
            Ok(book) => drop(books.insert(row.no, book)),
            Err(error) => audit.faults.add("price_book_unreadable", place, "a price book", error),
        }
    }
    Ok((books, hashes))
}
