//! The books as plain text for another accounting program, which so proves the arithmetic: one transaction an entry,
//! every figure with the balance after it.

mod chart;
mod names;
mod read;
mod text;
mod walk;

pub(crate) use walk::Run;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, Utc};

use super::Period;
use crate::model::AccountId;

/// The accounting program an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// hledger's journal format: every posting carries the balance after it. Check it with `hledger check --strict`.
    Hledger,
    /// beancount's format, which knows no balance at a posting: the balances of every account used on a day are stated
    /// at the beginning of the next, and the figures after each entry stand in its metadata. Check it with `bean-check`.
    Beancount,
}

/// Whose books an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum View {
    /// Of whoever issues the points: points outstanding are a liability, debt is a receivable, what was used or has
    /// expired is income, paid recharges stand against a clearing account of their source, promotions are an expense.
    #[default]
    Issuer,
    /// Of whoever holds the points: points are assets, debt is a liability, recharges are income, services and expired
    /// points are expenses.
    Holder,
}

impl View {
    /// Points as this side sees them: the issuer's books are the holder's, seen from the other side.
    fn side(self, points: i64) -> i64 {
        match self {
            View::Holder => points,
            // No figure is i64::MIN: points end at 9e15.
            View::Issuer => points.saturating_neg(),
        }
    }
}

/// What to export, and for whom: everything, one account, a period of either. The text is whole only if its last line
/// says how many entries it has.
///
/// Another program adds up what was posted. It cannot see a stored balance that no posting touches, nor a rule that was
/// not kept: that is what [`Ledger::verify`](crate::Ledger::verify) is for.
///
/// ```
/// use counterfoil::{Export, Program, View};
/// let export = Export::new(Program::Hledger).view(View::Holder);
/// ```
#[derive(Debug, Clone)]
pub struct Export {
    program: Program,
    view: View,
    account: Option<AccountId>,
    period: Period,
    offset: FixedOffset,
}

impl Export {
    /// The whole file, as the issuer sees it.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Export { program, view: View::default(), account: None, period: Period::all(), offset: Utc.fix() }
    }

    /// As this side sees it.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// This account only.
    #[must_use]
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// Entries booked within this period only. The books then open with the balances at its beginning.
    #[must_use]
    pub fn within(mut self, period: Period) -> Self {
        self.period = period;
        self
    }

    /// Dates everything by the calendar at this offset from UTC; of itself by that of UTC.
    ///
    /// ```
    /// # use chrono::FixedOffset;
    /// # use counterfoil::{Export, Period, Program};
    /// let beijing = FixedOffset::east_opt(8 * 3600).unwrap();
    /// let august = Period::month(2026, 8, beijing)?;
    /// let export = Export::new(Program::Hledger).within(august).offset(beijing);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    #[must_use]
    pub fn offset(mut self, offset: FixedOffset) -> Self {
        self.offset = offset;
        self
    }

    /// The day of an instant. After the last day of the last year there is none.
    fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        let there = at.with_timezone(&self.offset).date_naive();
        if there.year() > 9999 { at.date_naive() } else { there }
    }
}
