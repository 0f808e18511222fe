//! The handle's verbs that tell: reports for people, made of the books.

use super::Ledger;
use crate::error::Result;
use crate::model::AccountId;
use crate::report::{Period, Statement};

/// Reports. They read as [`Ledger::balance`] does: nothing is written, nobody waits.
impl Ledger {
    /// What an account began with, every line, and what it ended with: sums that add up. All lines are in memory.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// # let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// # let alice = AccountId::new("alice")?;
    /// # let bought = ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
    /// # let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let statement = ledger.statement(&alice, &Period::all())?;
    /// assert_eq!((statement.opening.net, statement.closing.net), (0, 30));
    /// assert_eq!((statement.flows.recharged, statement.flows.used), (50, 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn statement(&self, account: &AccountId, period: &Period) -> Result<Statement> {
        self.look(|look| look.statement(account, period))
    }
}
