//! The path of what a hub told into a device's file: some accounts at a time, in transactions of about 20 ms.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Instant as Stopwatch;

use super::File;
use super::change::{HOLD, PAUSE, Terms, write};
use super::lines::Lines;
use crate::engine::{self, Context, Source, Verdict};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    AllotmentRow, AllotmentState, BaseRow, Carried, Command, EntryKind, Granted, Heard, HubPosition, Key, Parts,
    Reconcile, Standing,
};
use crate::store::{self, Session, SqlSource};
use crate::units::Instant;
use crate::writer::Decision;

/// So many accounts go into the first operation, and into any at most; or as many lines as have so many bytes.
const FIRST_ACCOUNTS: usize = 16;
const MOST_ACCOUNTS: usize = 200;
const MOST_BYTES: usize = 1 << 20;

/// What an answer says besides its accounts.
pub(crate) struct Answer {
    pub(crate) position: HubPosition,
    pub(crate) as_of: Instant,
    pub(crate) ack: Option<(i64, Hash)>,
    pub(crate) need: Option<(i64, Hash)>,
    pub(crate) since: Option<HubPosition>,
    /// The newest that was taken of, as the file said that is answered.
    pub(crate) newest: Option<HubPosition>,
    pub(crate) part: (i64, i64),
    pub(crate) granted: Granted,
    pub(crate) expelled: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) accounts: i64,
    pub(crate) known: i64,
    pub(crate) verdicts: Vec<(i64, String)>,
    pub(crate) stale: bool,
    pub(crate) whole: bool,
}

/// A line of an answer.
enum Line {
    Account(String, Box<Carried>),
    Verdict(i64, String),
}

#[derive(serde::Deserialize)]
struct Verdicts {
    s: i64,
    verdict: String,
}

impl Moved {
    fn add(&mut self, some: Moved) {
        self.accounts = self.accounts.saturating_add(some.accounts);
        self.known = self.known.saturating_add(some.known);
        self.verdicts.extend(some.verdicts);
        self.whole |= some.whole;
    }
}

impl Line {
    fn verdict(&self) -> Option<(i64, String)> {
        match self {
            Line::Verdict(seq, verdict) => Some((*seq, verdict.clone())),
            Line::Account(..) => None,
        }
    }
}

fn read(line: String) -> Result<Line> {
    if let Ok(Verdicts { s, verdict }) = serde_json::from_str(&line) {
        return Ok(Line::Verdict(s, verdict));
    }
    match Carried::read(&line) {
        Ok(carried) => Ok(Line::Account(line, Box::new(carried))),
        Err(message) => Err(Error::BadFile { reason: "format", message }),
    }
}

impl File {
    /// Hears an answer; its accounts only where they are to be taken.
    pub(crate) fn hear(
        &self,
        answer: &Answer,
        takes: bool,
        lines: impl Iterator<Item = Result<String>>,
        terms: &dyn Fn() -> Terms,
    ) -> Result<Moved> {
        let call = self.call()?;
        let writer = call.writer()?;
        let first = terms();
        let (mut goes_on, stale) = writer.transaction(first.durability, self.patience, |session| {
            begin(session, answer, takes).map(Decision::Commit)
        })?;
        let mut moved = Moved { stale, ..Moved::default() };
        let lines = RefCell::new(Lines::new(lines.map(|line| line.and_then(read))));
        let mut most = FIRST_ACCOUNTS;
        while goes_on {
            let terms = terms();
            let began = Stopwatch::now();
            let (some, more) = writer.transaction(terms.durability, self.patience, |session| {
                self.some(session, answer, (&mut lines.borrow_mut(), most), &terms).map(Decision::Commit)
            })?;
            lines.borrow_mut().end();
            moved.add(some);
            goes_on = more;
            // An operation is whole: how long it takes is known once it is booked.
            most = match began.elapsed() {
                long if long > HOLD / 2 => (most / 2).max(1),
                short if short < HOLD / 4 => most.saturating_mul(2).min(MOST_ACCOUNTS),
                _ => most,
            };
            if goes_on {
                std::thread::sleep(PAUSE);
            }
        }
        if takes && !moved.stale {
            let terms = terms();
            writer.transaction(terms.durability, self.patience, |session| {
                self.return_recalled(session, &terms).map(Decision::Commit)
            })?;
        }
        // Verdicts are told of, whatever else is.
        let mut lines = lines.into_inner();
        while let Some(line) = lines.take()? {
            moved.verdicts.extend(line.verdict());
            lines.end();
        }
        Ok(moved)
    }

    /// Hears of some accounts in one operation: what came of them, and whether there are more.
    fn some(
        &self,
        session: &Session<'_>,
        answer: &Answer,
        (lines, most): (&mut Lines<Line, impl Iterator<Item = Result<Line>>>, usize),
        terms: &Terms,
    ) -> Result<(Moved, bool)> {
        lines.begin();
        let began = Stopwatch::now();
        let mut moved = Moved::default();
        let source = SqlSource::new(session, &self.cache);
        let ledger = session.ledger()?;
        let mut heard = ledger.standing.heard();
        let time = engine::ledger_time(&source, &ledger, terms.reading, None)?;
        if engine::goes_back(ledger.clock, time.at.max(answer.as_of)) {
            // With that all of them have to come again.
            heard.stale_before = i64::MAX;
        }
        let (mut told, mut bytes, mut first) = (Vec::new(), 0_usize, true);
        while told.len() < most && bytes < MOST_BYTES && (std::mem::take(&mut first) || began.elapsed() < HOLD / 2) {
            match lines.take()? {
                None => break,
                Some(Line::Account(_, carried)) if is_known(&source, answer, &heard, carried)? => {
                    moved.known = moved.known.saturating_add(1);
                }
                Some(Line::Account(line, _)) => {
                    bytes = bytes.saturating_add(line.len());
                    told.push(line.clone());
                }
                Some(line) => moved.verdicts.extend(line.verdict()),
            }
        }
        let more = lines.more()?;
        let ack = answer.ack.ok_or_else(|| Error::corrupt("an answer without an ack has no accounts"))?;
        let mut after = heard.clone();
        after.hear_epoch(answer.position.epoch);
        let whole = !more && after.part_came(answer.parts(), answer.part.0);
        let policy = ledger.standing.policy.as_deref().cloned().unwrap_or_default();
        let goes_by = ledger.settings.granted(policy);
        let granted = Some(answer.granted.clone()).filter(|granted| *granted != goes_by);
        let forgets = whole && answer.since.is_none() && any_old(&source, answer, heard.stale_before)?;
        if !told.is_empty() || granted.is_some() || forgets {
            moved.accounts = i64::try_from(told.len()).unwrap_or(i64::MAX);
            let told =
                Reconcile { position: answer.position, as_of: answer.as_of, ack, granted, whole: forgets, lines: told };
            self.book_told(session, told, terms)?;
        }
        if !more {
            change(session, |standing| {
                let mut heard = standing.heard();
                moved.whole = heard.part_came(answer.parts(), answer.part.0);
                standing.heard = Some(std::sync::Arc::new(heard));
            })?;
        }
        Ok((moved, more))
    }

    fn book_told(&self, session: &Session<'_>, told: Reconcile, terms: &Terms) -> Result<()> {
        let key = Key::new(format!("reconcile:{}", session.ledger()?.length.saturating_add(1)))?;
        self.book_own(session, &Command::reconcile(key, told), terms)
    }

    fn book_own(&self, session: &Session<'_>, command: &Command, terms: &Terms) -> Result<()> {
        let ledger = session.ledger()?;
        let (reading, limit) = (terms.reading, usize::MAX);
        let context = Context { ledger: &ledger, reading, time: None, book: None, limit };
        match engine::run(&SqlSource::new(session, &self.cache), context, command)? {
            Verdict::Booked(booked) => write(session, &booked),
            _ => Err(Error::corrupt("what was heard was booked before")),
        }
    }

    /// Gives back what the hub has recalled, of each account one: once, and when no hold keeps any of it. A return that was set aside
    /// at the hub leaves the allotment as it is, and would be followed by another after each answer.
    fn return_recalled(&self, session: &Session<'_>, terms: &Terms) -> Result<()> {
        let source = SqlSource::new(session, &self.cache);
        let epoch = session.ledger()?.writer.1.epoch;
        let (mut accounts, mut recalled) = (BTreeSet::new(), Vec::new());
        let read = |after, page| store::allotments(session, true, after, page);
        for row in store::pages(0, 256, read, |row: &AllotmentRow| row.operation) {
            let row = row?;
            let wanted = row.state == AllotmentState::Recalled && row.epoch == epoch;
            if wanted && !accounts.contains(&row.account) && returns_by_itself(session, &source, &row)? {
                accounts.insert(row.account);
                recalled.push(row.operation);
            }
        }
        if recalled.is_empty() {
            return Ok(());
        }
        let writers = self.writers(session)?;
        for operation in recalled {
            let id = writers.operation(operation);
            self.book_own(session, &Command::give_back(Key::new(format!("recalled:{id}"))?, id), terms)?;
        }
        Ok(())
    }
}

impl Answer {
    fn parts(&self) -> Parts {
        let (position, since, as_of, count) = (self.position, self.since, self.as_of.millis(), self.part.1);
        Parts { position, since, as_of, count, came: Vec::new() }
    }
}

/// Takes what an answer says besides its accounts; whether these are taken as well, and whether it is older than what is known.
fn begin(session: &Session<'_>, answer: &Answer, takes: bool) -> Result<(bool, bool)> {
    let mut stale = false;
    change(session, |standing| {
        let mut heard = standing.heard();
        heard.hear_epoch(answer.position.epoch);
        heard.expelled = answer.expelled;
        stale = heard.seen.is_some_and(|seen| answer.position.order() < seen.order());
        // Asked before something newer came: that may be of a past the hub had lost when it answered.
        let before = answer.newest != heard.furthest() && heard.newest != Some(answer.position);
        let acked = match (answer.need, answer.ack) {
            (Some(need), _) => Some(need),
            (None, ack) => ack.filter(|_| !stale),
        };
        if let Some((seq, hash)) = acked {
            (standing.acked_seq, standing.acked_hash) = (seq, Some(hash).filter(|_| seq > 0));
        }
        stale |= before && answer.need.is_none();
        standing.heard = Some(std::sync::Arc::new(heard));
    })?;
    Ok((takes && !stale, stale))
}

/// Changes how far this file has heard: what no operation tells.
fn change(session: &Session<'_>, change: impl FnOnce(&mut Standing)) -> Result<()> {
    let mut ledger = session.ledger()?;
    change(std::sync::Arc::make_mut(&mut ledger.standing));
    session.set_ledger(&ledger)
}

fn returns_by_itself(session: &Session<'_>, source: &SqlSource<'_, '_>, row: &AllotmentRow) -> Result<bool> {
    if !store::references(session, row.operation, Some(EntryKind::AllotReturn))?.is_empty() {
        return Ok(false);
    }
    for hold in source.long_holds(row.account, Instant::MIN)? {
        let slices = source.allocations(hold.operation)?.rows;
        if slices.iter().any(|slice| slice.allotment == Some(row.operation) && slice.points > 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_known(source: &SqlSource<'_, '_>, answer: &Answer, heard: &Heard, carried: &Carried) -> Result<bool> {
    let Some(account) = source.account_by_id(&carried.account)? else { return Ok(false) };
    let base = source.base(account.no)?.filter(|base| base.operation >= heard.stale_before);
    Ok(base.is_some_and(|base| (base.epoch, base.seq) >= answer.position.order()))
}

fn any_old(source: &SqlSource<'_, '_>, answer: &Answer, stale_before: i64) -> Result<bool> {
    for base in store::pages(0, 256, |after, page| source.bases(after, page), |base: &BaseRow| base.account) {
        if base?.is_old(answer.position.epoch, stale_before) {
            return Ok(true);
        }
    }
    Ok(false)
}
