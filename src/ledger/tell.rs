//! The handle's verbs that tell: reports for people, made of the books.

use std::io::Write;

use super::Ledger;
use crate::audit::Progress;
use crate::error::Result;
use crate::model::AccountId;
use crate::report::{Export, Period, Run, Statement};

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

    /// Writes the books as plain text that another accounting program proves: hledger or beancount. Memory is bounded
    /// whatever their length, nobody waits, and what is booked meanwhile is left out. Does not change anything.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// # let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// # let alice = AccountId::new("alice")?;
    /// # let bought = ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
    /// let mut journal = Vec::new();
    /// ledger.export(&Export::new(Program::Hledger), &mut journal)?;
    /// let journal = String::from_utf8(journal)?;
    /// assert!(journal.contains("-50 PTS = -50 PTS")); // the issuer owes what alice holds
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `disk_full` or `storage` when the text cannot be written, and as for [`Ledger::balance`].
    pub fn export(&self, export: &Export, out: &mut dyn Write) -> Result<()> {
        self.export_with(export, out, |_| ())
    }

    /// The same, reporting how far it is: of the file in operations, of one account in entries.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("points.ledger");
    /// # let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    /// # let alice = AccountId::new("alice")?;
    /// # let bought = ledger.recharge(&alice, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
    /// let mut file = std::fs::File::create(folder.path().join("points.beancount"))?;
    /// ledger.export_with(&Export::new(Program::Beancount), &mut file, |progress| eprintln!("{}", progress.done))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::export`].
    pub fn export_with(&self, export: &Export, out: &mut dyn Write, mut progress: impl FnMut(Progress)) -> Result<()> {
        let mut run = self.look(|look| Run::new(look, export))?;
        while self.look(|look| run.read(look))? {
            run.write(out)?;
            progress(Progress { step: "export", done: run.done, total: Some(run.total) });
        }
        run.finish(out)
    }
}
