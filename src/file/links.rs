//! The path of what devices booked into their hub's file: link after link, in transactions of about 20 ms, each with an operation at
//! its end that tells of it. When it ends early, what was taken is known when it comes again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use uuid::Uuid;

use super::File;
use super::change::{HOLD, PAUSE, Terms, catch_up_with, write};
use super::lines::Lines;
use crate::chain::{self, Facts};
use crate::engine::source::Links;
use crate::engine::{self, CATCH_UP_LIMIT, Context, Incoming, New, Source, Taken, Tip, Verdict};
use crate::error::{Error, Result};
use crate::hash::{Half, Hash};
use crate::model::{Command, DeviceRow, FlagCode, Key, Line, OpKind, Request, StageReason, Writer, device_tag};
use crate::pricing::PriceBook;
use crate::store::{self, Session, SqlSource};
use crate::units::Instant;
use crate::writer::Decision;

/// What a file says of the links in it.
pub(crate) struct Sent {
    pub(crate) digest: Hash,
    pub(crate) writer: Writer,
    /// The link before the first.
    pub(crate) base: (i64, Hash),
    pub(crate) exported_at: Instant,
    /// Its price books, with their texts where these came along.
    pub(crate) price_books: Vec<(Hash, Option<String>)>,
    /// Taken although what lies before it is missing.
    pub(crate) gap: bool,
}

/// What was made of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Took {
    pub(crate) booked: i64,
    pub(crate) noted: i64,
    pub(crate) duplicates: i64,
    /// The number of each in its device's log, and why.
    pub(crate) staged: Vec<(i64, StageReason)>,
    /// Likewise, with points; 0 for the file itself.
    pub(crate) flags: Vec<(i64, FlagCode, i64)>,
    pub(crate) fork: bool,
}

/// How far one transaction has come.
struct State {
    took: Took,
    /// What is not told of yet.
    chunk: Chunk,
    prev: Hash,
    after: Option<Tip>,
    /// After which links chains of this epoch begin: one may have come over a gap that this file fills.
    begun: Vec<Hash>,
    books: Vec<(Hash, Book)>,
    /// Its device as it is now.
    device: DeviceRow,
}

/// A price book of the file.
#[derive(Clone)]
enum Book {
    /// Its number here.
    Kept(i64),
    /// It is kept once a link is under it.
    New(Arc<PriceBook>),
}

/// What one transaction has taken.
#[derive(Default)]
struct Chunk {
    booked: i64,
    noted: i64,
    staged: i64,
    duplicates: i64,
    /// The first and the last link that was new.
    new: Option<(i64, (i64, Hash))>,
    /// What was noted, and when it occurred: nothing else in the log tells of that.
    occurred: blake3::Hasher,
    flags: BTreeSet<FlagCode>,
}

impl File {
    /// Takes links one after the other.
    pub(crate) fn take_links(
        &self,
        sent: &Sent,
        lines: &mut dyn Iterator<Item = Result<(String, Half)>>,
        terms: &dyn Fn() -> Terms,
    ) -> Result<Took> {
        let call = self.call()?;
        let writer = call.writer()?;
        let mut took = Took::default();
        // What one transaction leaves to the next.
        let (mut prev, mut after, mut books) = (sent.base.1, None, None);
        let lines = RefCell::new(Lines::new(lines));
        // Each tells what it has taken.
        let mut more = true;
        while more {
            let terms = terms();
            let done = writer.transaction(terms.durability, self.patience, |session| {
                let began = Stopwatch::now();
                let mut lines = lines.borrow_mut();
                lines.begin();
                let device = self.device(session, sent.writer.device)?;
                let begun = self.begun(session, &device, sent.writer.epoch)?;
                let books = books.clone().map_or_else(|| self.read_books(session, sent), Ok)?;
                let (took, chunk) = (Took::default(), Chunk::default());
                let mut state = State { took, chunk, prev, after, begun, books, device };
                while terms.dry_run || began.elapsed() < HOLD {
                    let Some((text, half)) = lines.take()? else { break };
                    self.take_next(session, sent, (text, *half), &mut state, &terms)?;
                }
                self.tell_import(session, sent, &mut state, &terms)?;
                let done = (state, lines.more()?);
                Ok(if terms.dry_run { Decision::Rollback(done) } else { Decision::Commit(done) })
            })?;
            lines.borrow_mut().end();
            let state;
            (state, more) = done;
            (prev, after, books) = (state.prev, state.after, Some(state.books));
            took.append(state.took);
            if more {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(took)
    }

    /// Finds its price books, here or in the file.
    fn read_books(&self, session: &Session<'_>, sent: &Sent) -> Result<Vec<(Hash, Book)>> {
        let mut books = Vec::new();
        for (hash, text) in &sent.price_books {
            let book = match (SqlSource::new(session, &self.cache).price_book_no(hash)?, text) {
                (Some(no), _) => Book::Kept(no),
                (None, Some(text)) => {
                    let read = PriceBook::parse(text, "the exchange file");
                    let faulty = |error| Error::bad_file("format", format!("the price book {hash}: {error}"));
                    Book::New(Arc::new(read.map_err(faulty)?))
                }
                (None, None) => {
                    let message = format!("the price book {hash} is neither here nor in the file");
                    return Err(Error::bad_file("format", message));
                }
            };
            books.push((*hash, book));
        }
        Ok(books)
    }

    /// Takes the next link; of one that is known its hash tells enough.
    fn take_next(
        &self,
        session: &Session<'_>,
        sent: &Sent,
        (text, half): (&str, Half),
        state: &mut State,
        terms: &Terms,
    ) -> Result<()> {
        let known = store::link_by_half(session, &half)?;
        if known.is_some() || state.after.is_some() && state.begun.contains(&state.prev) {
            // What is told of in one operation is of one chain: what is new after a known link may belong to another, and another
            // may have gone on after the link before.
            self.tell_import(session, sent, state, terms)?;
            state.after = None;
        }
        state.prev = match known {
            Some(link) => {
                state.chunk.duplicates = state.chunk.duplicates.saturating_add(1);
                link.hash
            }
            None => {
                let (hash, new) = self.take_one(session, sent, (text, half), state, terms)?;
                state.add(session, hash, new)?;
                hash
            }
        };
        Ok(())
    }

    fn take_one(
        &self,
        session: &Session<'_>,
        sent: &Sent,
        (text, expected): (&str, Half),
        state: &mut State,
        terms: &Terms,
    ) -> Result<(Hash, New)> {
        let line = Line::stored(text)?;
        let book = line.price_book.and_then(|at| state.books.get(at)).map(|(hash, _)| *hash);
        let hash = chain::link(&state.prev, Facts::of_line(&line, sent.writer, book.as_ref()));
        if hash.half() != expected {
            return Err(Error::bad_file("chain", "it changed while it was read"));
        }
        let price_book = self.book(session, state, line.price_book, terms)?;
        let source = SqlSource::new(session, &self.cache);
        loop {
            let ledger = session.ledger()?;
            let context =
                Context { ledger: &ledger, reading: terms.reading, time: None, book: None, limit: CATCH_UP_LIMIT };
            let incoming = Incoming {
                device: &state.device,
                epoch: sent.writer.epoch,
                prev: &state.prev,
                after: state.after,
                hash: &hash,
                line: &line,
                text,
                price_book,
                exported_at: sent.exported_at,
            };
            match engine::take(&source, context, incoming)? {
                Taken::CatchUp(changes) => catch_up_with(session, &self.cache, &ledger, terms.reading, *changes)?,
                Taken::New(new) => return Ok((hash, *new)),
            }
        }
    }

    /// The price book of a link.
    fn book(
        &self,
        session: &Session<'_>,
        state: &mut State,
        at: Option<usize>,
        terms: &Terms,
    ) -> Result<Option<(i64, Hash)>> {
        let Some((hash, book)) = at.and_then(|at| state.books.get_mut(at)) else { return Ok(None) };
        let source = SqlSource::new(session, &self.cache);
        let no = match book {
            Book::Kept(no) => *no,
            Book::New(new) => {
                // Somebody else may have kept it between two transactions.
                let known = source.price_book_no(hash)?;
                let no = known.map_or_else(|| source.next_price_book_no(), Ok)?;
                if known.is_none() {
                    store::insert_price_book(session, no, new)?;
                    if terms.books.iter().all(|loaded| loaded.hash() != *hash) {
                        state.chunk.flags.insert(FlagCode::ForeignPriceBook);
                    }
                }
                *book = Book::Kept(no);
                no
            }
        };
        Ok(Some((no, *hash)))
    }

    fn begun(&self, session: &Session<'_>, device: &DeviceRow, epoch: i64) -> Result<Vec<Hash>> {
        let chains = SqlSource::new(session, &self.cache).chains_of(device.no)?;
        Ok(chains.into_iter().filter(|chain| chain.epoch == epoch).map(|chain| chain.prev).collect())
    }

    fn device(&self, session: &Session<'_>, device: Uuid) -> Result<DeviceRow> {
        let source = SqlSource::new(session, &self.cache);
        let found = source.device(device_tag(&device))?.filter(|row| row.device == device);
        found.ok_or_else(|| Error::UnknownDevice { device: device.to_string() })
    }

    /// Books what was taken, if anything of it was new.
    fn tell_import(&self, session: &Session<'_>, sent: &Sent, state: &mut State, terms: &Terms) -> Result<()> {
        let chunk = std::mem::take(&mut state.chunk);
        state.took.add(&chunk);
        let Some((first, last)) = chunk.new else { return Ok(()) };
        let mut flags = chunk.flags;
        flags.extend(sent.gap.then_some(FlagCode::GapAccepted));
        state.took.flags.extend(flags.iter().map(|flag| (0, *flag, 0)));
        let mut body = Request::default()
            .with("digest", sent.digest.to_string())
            .with("device", sent.writer.device.to_string())
            .with("epoch", sent.writer.epoch)
            .with("first", first)
            .with("last", last.0)
            .with("last_hash", last.1.to_string())
            .with("occurred", Hash::from(*chunk.occurred.finalize().as_bytes()).to_string())
            .with("booked", chunk.booked)
            .with("staged", chunk.staged)
            .with("noted", chunk.noted)
            .with("duplicates", chunk.duplicates);
        if !flags.is_empty() {
            body = body.with("flags", flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>());
        }
        let key = Key::new(last.1.to_string())?;
        let command = Command::stored(OpKind::Import, None, key, &body)?;
        let ledger = session.ledger()?;
        let context =
            Context { ledger: &ledger, reading: terms.reading, time: None, book: None, limit: CATCH_UP_LIMIT };
        match engine::run(&SqlSource::new(session, &self.cache), context, &command)? {
            Verdict::Booked(booked) => write(session, &booked),
            _ => Err(Error::corrupt("a file was told of before")),
        }
    }
}

impl State {
    /// Writes a link that is new here.
    fn add(&mut self, session: &Session<'_>, hash: Hash, new: New) -> Result<()> {
        let link = (new.tip.seq, hash);
        let (took, chunk) = (&mut self.took, &mut self.chunk);
        self.after = Some(new.tip);
        chunk.new = Some((chunk.new.map_or(link.0, |(first, _)| first), link));
        chunk.flags.extend(new.corrected.then_some(FlagCode::ClockCorrected));
        chunk.flags.extend(new.fork.then_some(FlagCode::Fork));
        took.fork |= new.fork;
        if let Some(changes) = &new.noted {
            chunk.noted = chunk.noted.saturating_add(1);
            chain::noted(&mut chunk.occurred, link.0, new.tip.occurred);
            store::apply(session, changes)?;
        }
        if let Some(booked) = &new.booked {
            if let Some(device) = booked.changes.devices.last() {
                self.device = device.clone();
            }
            for (code, points) in &booked.operation.outcome.flags {
                took.flags.extend(FlagCode::from_code(*code).map(|code| (link.0, code, *points)));
            }
            match new.reason {
                Some(reason) => {
                    took.staged.push((link.0, reason));
                    chunk.staged = chunk.staged.saturating_add(1);
                }
                None => chunk.booked = chunk.booked.saturating_add(1),
            }
            write(session, booked)?;
        }
        Ok(())
    }
}

impl Took {
    /// What a later transaction took.
    fn append(&mut self, later: Took) {
        self.booked = self.booked.saturating_add(later.booked);
        self.noted = self.noted.saturating_add(later.noted);
        self.duplicates = self.duplicates.saturating_add(later.duplicates);
        self.staged.extend(later.staged);
        self.flags.extend(later.flags);
        self.fork |= later.fork;
    }

    fn add(&mut self, chunk: &Chunk) {
        self.booked = self.booked.saturating_add(chunk.booked);
        self.noted = self.noted.saturating_add(chunk.noted);
        self.duplicates = self.duplicates.saturating_add(chunk.duplicates);
    }
}
