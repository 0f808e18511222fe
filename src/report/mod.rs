//! What the books are asked, and the shapes of the answers: statements, usage, explanations, what the file says of itself.
//!
//! Nothing here writes: what time has done since the last write is worked out in memory, by the same rules, so an answer
//! is right at the instant it is given.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod accounts;
mod allotments;
mod balance;
mod carried;
mod clock;
mod everywhere;
mod evidence;
mod explain;
mod flow;
mod history;
mod links;
mod lists;
mod log;
mod named;
mod renewal;
mod sent;
mod shapes;
mod similar;
mod span;
mod statement;
mod status;
mod then;
mod usage;
mod walk;

use crate::engine::{Books, catch_up_ahead, catch_up_fully, ledger_time, step_back};
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, ClockMark, ClockState, LedgerRow, Period, Role, Writers};
use crate::store::{BookCache, Session, SqlSource};
use crate::units::{Instant, Reading};

pub use crate::model::Calendar;
pub(crate) use balance::at_a_glance;
pub(crate) use carried::Path;
pub use clock::ClockInfo;
pub use everywhere::Found;
pub(crate) use evidence::ToldOf;
pub use explain::{
    BatchLife, Cause, Explanation, Group, Missing, Payer, Reckoned, Reckoning, Said, Side, Step, StepKind,
};
pub(crate) use history::balances_after;
pub use history::{OperationInfo, PaidOperation};
pub(crate) use links::Ends;
pub use lists::{Info, SettingsInfo};
pub(crate) use shapes::receipt;
pub(crate) use statement::Sums;
pub use statement::{KindTotal, Statement, StatementStep};
pub(crate) use usage::Summing;
pub use usage::UsageLine;
pub(crate) use walk::Walk;
pub use walk::{WalkLine, WalkStep};

/// Items passed over in one page, so that a filter which fits few of many holds up nobody.
const PASSED_OVER: usize = 10_000;

/// Where a page begins, from the cursor of the page before.
fn cursor(text: Option<&str>) -> Result<i64> {
    match text {
        None => Ok(0),
        Some(text) => text.parse().ok().filter(|place| *place >= 0).ok_or_else(|| no_cursor(text)),
    }
}

fn no_cursor(text: &str) -> Error {
    Error::invalid("cursor", format!("`{text}` is not a cursor"), "pass the `next` of the page before")
}

/// The books of an account with what time has done, its row, and the instant they are caught up to.
type CaughtUp<'b> = (Books<'b>, AccountRow, Instant);

/// A look at the books as of one clock reading, within one read transaction.
pub(crate) struct Look<'a, 'c> {
    session: &'a Session<'c>,
    source: SqlSource<'a, 'c>,
    writers: &'a Writers,
    ledger: LedgerRow,
    time: Instant,
    suspect: bool,
    reading: Reading,
    behind: i64,
    /// What the log would say of the clock with this reading in it.
    clock: ClockState,
}

impl<'a, 'c> Look<'a, 'c> {
    pub(crate) fn new(
        session: &'a Session<'c>,
        cache: &'a BookCache,
        writers: &'a Writers,
        reading: Reading,
    ) -> Result<Self> {
        let source = SqlSource::new(session, cache);
        let ledger = session.ledger()?;
        let time = ledger_time(&source, &ledger, reading, None)?;
        let (suspect, behind) = (time.mark == ClockMark::Suspect, time.clock.behind(reading.at));
        Ok(Look { session, source, writers, ledger, time: time.at, suspect, reading, behind, clock: time.clock })
    }

    /// Refuses a report about a time that has not begun.
    pub(crate) fn begun(&self, period: &Period) -> Result<()> {
        period.begun_by(self.time.max(self.ledger.clock.accepted_at).utc())
    }

    /// On a device: behind the last line its hub told of, no clock leads an account.
    fn floor(&self, row: &AccountRow) -> Result<Instant> {
        use crate::engine::Source;
        if row.steps_back >= self.clock.steps_back || self.ledger.standing.role != Role::Device {
            return Ok(Instant::MIN);
        }
        Ok(self.source.base(row.no)?.map_or(Instant::MIN, |base| base.last))
    }

    /// The books of one account, caught up to now (or to a later instant); `None` when there is no such account.
    fn account(&self, id: &AccountId, at: Option<Instant>) -> Result<Option<CaughtUp<'_>>> {
        use crate::engine::Source;
        match self.source.account_by_id(id)? {
            Some(row) => self.caught_up(row, at).map(Some),
            None => Ok(None),
        }
    }

    fn caught_up(&self, row: AccountRow, at: Option<Instant>) -> Result<CaughtUp<'_>> {
        let time = at.map_or(self.time, |at| at.min(self.time)).max(self.floor(&row)?);
        let (now, turns) = (row.booked_time(&self.clock, time), row.turns(&self.clock, time));
        let no = row.no;
        let mut books = Books::new(&self.source);
        books.enter_account(row);
        if turns {
            step_back(&mut books, no, now, self.ledger.settings.max_hold)?;
        }
        catch_up_fully(&mut books, no, now)?;
        let ahead = at.filter(|at| *at > now);
        if let Some(at) = ahead {
            catch_up_ahead(&mut books, no, at)?;
        }
        let row = books.account(no)?.clone();
        Ok((books, row, ahead.unwrap_or(now)))
    }
}
