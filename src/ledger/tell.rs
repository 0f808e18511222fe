//! The handle's verbs that tell: reports for people, made of the books.

use super::Ledger;
use crate::error::Result;
use crate::model::AccountId;
use crate::report::{Page, Period, Statement, Summing, UsageLine, UsageQuery};

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

    /// What was used: by service and unit; as asked also by day or month, and by account. What is charged counts when it
    /// is booked, a refund when it is given.
    ///
    /// Each account is read as it stands when its turn comes.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// # let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// # let alice = AccountId::new("alice")?;
    /// let speech = Usage::seconds("61.2")?;
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::service("tts", speech))?;
    /// let usage = ledger.usage(&UsageQuery::new().account(&alice))?;
    /// assert_eq!((usage.items[0].points, usage.items[0].quantity.as_deref()), (21, Some("61.2")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor, and as for [`Ledger::balance`].
    pub fn usage(&self, query: &UsageQuery) -> Result<Page<UsageLine>> {
        let mut sums = Summing::new(query)?;
        while !sums.is_finished() {
            self.look(|look| look.usage(&mut sums))?;
        }
        Ok(sums.page())
    }
}
