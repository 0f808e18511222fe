//! The books as plain text for another accounting program, which so proves the arithmetic: one transaction an entry,
//! every figure with the balance after it.

mod chart;
mod names;
mod read;
mod text;
mod walk;

pub(crate) use walk::Run;

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

/// What to export, and for whom: everything, one account, a period of either.
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
}

impl Export {
    /// The whole file, as the issuer sees it.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Export { program, view: View::default(), account: None, period: Period::all() }
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
}
