//! What the ledger itself tells: who writes it, its clock, its price book, who is in debt, what is due.

use super::Circumstances;
use crate::engine::{LedgerTime, ledger_time};
use crate::error::Result;
use crate::model::{AccountRow, BookUse, ClockMark, Debtor, Fact, Finding, LedgerRow, Role, Topic};
use crate::pricing::PriceBook;
use crate::report::Look;
use crate::store::{self, BookCache, Session, SqlSource};
use crate::units::{Instant, Points, Reading};

/// Accounts read at a time.
const PAGE: usize = 512;
/// How many of the newest operations are searched for the use of a price book.
const REACH: i64 = 100_000;
/// A device's log that is so long should go on in a fresh file.
const LONG_LOG: i64 = 2_000_000;
/// So many of those deepest in debt are named.
const NAMED: usize = 3;

/// Hands over what is found, until something cannot be read.
pub(super) fn findings(session: &Session<'_>, with: &Circumstances, tell: &mut dyn FnMut(Finding)) -> Result<()> {
    let ledger = session.ledger()?;
    tell(identity(&ledger).into());
    if ledger.standing.role == Role::Device && ledger.length >= LONG_LOG {
        tell(Fact::LongLog { operations: ledger.length }.into());
    }
    let cache = BookCache::default();
    let LedgerTime { at: time, mark, .. } = ledger_time(&SqlSource::new(session, &cache), &ledger, with.reading, None)?;
    tell(clock(&ledger, with.reading, mark).into());
    tell(price_book(session, &ledger, with)?);
    let writers = store::writers(session, None)?;
    let look = Look::new(session, &cache, &writers, with.reading)?;
    let walk = walk(session, &look, time)?;
    tell(debts(&walk).into());
    tell(due(&walk).into());
    tell(Fact::NotVerified.into());
    Ok(())
}

fn identity(ledger: &LedgerRow) -> Fact {
    let (_, writer) = ledger.writer;
    let (device, epoch) = (writer.device.to_string(), writer.epoch);
    Fact::Ledger { operations: ledger.length, since: ledger.created_at.utc(), device, epoch }
}

fn clock(ledger: &LedgerRow, reading: Reading, mark: ClockMark) -> Fact {
    let (now, accepted) = (reading.at.utc(), ledger.clock.accepted_at.utc());
    match mark {
        ClockMark::Suspect => Fact::ClockSuspect { now, accepted },
        ClockMark::Plain if ledger.clock.behind(reading.at) > 0 => {
            let wrong = reading.at < ledger.created_at || ledger.clock.trusted_at.is_some_and(|at| reading.at < at);
            Fact::ClockBehind { now, accepted, wrong }
        }
        ClockMark::Plain | ClockMark::Trusted => Fact::Clock { now, accepted, trusted: mark == ClockMark::Trusted },
    }
}

fn price_book(session: &Session<'_>, ledger: &LedgerRow, with: &Circumstances) -> Result<Finding> {
    let given = match &with.book {
        Ok(book) => book.as_ref().map(PriceBook::hash),
        Err(error) => return Ok(Finding::error(Topic::PriceBook, error)),
    };
    let Some(stored) = store::newest_price_book(session)? else {
        return Ok(Fact::NoPriceBook { given: given.is_some() }.into());
    };
    let after = ledger.length.saturating_sub(REACH).max(0);
    let (first, last) = store::price_book_use(session, stored.no, after)?.unzip();
    let used = BookUse {
        hash: stored.hash,
        first: first.filter(|_| after == 0).map(Instant::utc),
        last: last.map(Instant::utc),
        age_seconds: last.map(|last| with.reading.at.since(last).max(0) / 1000),
    };
    Ok(Fact::PriceBook { used, given: given.filter(|given| *given != stored.hash) }.into())
}

/// What a walk over all accounts gathers.
#[derive(Default)]
struct Walk {
    accounts: i64,
    debtors: i64,
    debt: i64,
    /// The deepest debts, the deepest first.
    most: Vec<Debtor>,
    due_accounts: i64,
    batches: i64,
    holds: i64,
    oldest_due: Option<Instant>,
}

fn walk(session: &Session<'_>, look: &Look<'_, '_>, time: Instant) -> Result<Walk> {
    let mut walk = Walk::default();
    for row in store::accounts(session, 0, PAGE) {
        walk.visit(session, look, &row?, time)?;
    }
    Ok(walk)
}

impl Walk {
    fn visit(&mut self, session: &Session<'_>, look: &Look<'_, '_>, row: &AccountRow, time: Instant) -> Result<()> {
        self.accounts = self.accounts.saturating_add(1);
        let due = row.next_due_at.filter(|at| *at <= time);
        let debt = match due {
            // What became effective since may have paid it.
            Some(_) if row.balances.debt > 0 => look.balance(&row.id, None)?.figures.debt,
            _ => Points::booked(row.balances.debt)?,
        };
        if debt > 0 {
            self.debtors = self.debtors.saturating_add(1);
            self.debt = self.debt.saturating_add(debt.get());
            let place = self.most.partition_point(|other| other.debt >= debt);
            if place < NAMED {
                self.most.insert(place, Debtor { account: row.id.clone(), debt });
                self.most.truncate(NAMED);
            }
        }
        if let Some(at) = due {
            let (batches, holds) = store::overdue(session, row.no, time)?;
            self.due_accounts = self.due_accounts.saturating_add(1);
            self.batches = self.batches.saturating_add(batches);
            self.holds = self.holds.saturating_add(holds);
            self.oldest_due = Some(self.oldest_due.map_or(at, |oldest| oldest.min(at)));
        }
        Ok(())
    }
}

fn debts(walk: &Walk) -> Fact {
    Fact::Debts { accounts: walk.accounts, debtors: walk.debtors, debt: walk.debt, most: walk.most.clone() }
}

fn due(walk: &Walk) -> Fact {
    let Walk { due_accounts: accounts, batches, holds, .. } = *walk;
    match walk.oldest_due {
        Some(since) => Fact::Due { accounts, batches, holds, since: since.utc() },
        None => Fact::NothingDue,
    }
}
