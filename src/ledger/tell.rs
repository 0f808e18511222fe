//! The handle's verbs that tell: reports for people, made of the books.

use super::Ledger;
use crate::error::{Error, Result};
use crate::model::{AccountId, BatchId, Filter, OperationId, Page, Period, Query};
use crate::report::{
    BatchLife, Explanation, Missing, Statement, StatementStep, Summing, Sums, UsageLine, Walk, WalkStep,
};

/// Reports. They read as [`Ledger::balance`] does: nothing is written, nobody waits.
impl Ledger {
    /// What an account began with, every line, and what it ended with: sums that add up. All lines are in memory; where there
    /// may be very many, take [`Ledger::statement_steps`].
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let statement = ledger.statement(&alice, &Period::all())?;
    /// assert_eq!((statement.opening.net, statement.closing.net), (0, 30));
    /// assert_eq!((statement.totals.recharged, statement.totals.consumed), (50, 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account` for one that was never opened, `invalid_argument` for a period that begins later than now, and as for
    /// [`Ledger::balance`].
    pub fn statement(&self, account: &AccountId, period: &Period) -> Result<Statement> {
        let (mut walk, mut sums, mut lines) =
            (Walk::new(Some(account), period), Sums::new(account, period), Vec::new());
        while let Some(steps) = self.look(|look| walk.read(look))? {
            for step in steps {
                lines.extend(sums.add(step)?.map(|line| line.entry));
            }
        }
        let head = self.look(|look| look.statement(sums))?;
        Ok(Statement { lines, ..head })
    }

    /// A statement whose lines are handed over one at a time: memory is bounded whatever their number. They are read twice,
    /// for the sums and to be told; both times as of the moment it began.
    ///
    /// `each` is called at every step; an error of its own ends it. No read is open while it runs.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let (mut closing, mut lines) = (0, 0);
    /// ledger.statement_steps(&alice, &Period::all(), |step| {
    ///     match step {
    ///         report::StatementStep::Head(head) => closing = head.closing.net,
    ///         report::StatementStep::Line(line) => lines += 1,
    ///         _ => {}
    ///     }
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!((closing, lines), (50, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `each`, and as for [`Ledger::statement`].
    pub fn statement_steps<E: From<Error>>(
        &self,
        account: &AccountId,
        period: &Period,
        mut each: impl FnMut(StatementStep) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (mut walk, mut sums) = (Walk::new(Some(account), period), Sums::new(account, period));
        while let Some(steps) = self.look(|look| walk.read(look))? {
            steps.into_iter().try_for_each(|step| sums.add(step).map(drop))?;
            each(sums.progress())?;
        }
        each(StatementStep::Head(Box::new(self.look(|look| look.statement(sums))?)))?;
        let mut walk = walk.again();
        while let Some(steps) = self.look(|look| walk.read(look))? {
            let lines =
                steps.into_iter().filter_map(|step| if let WalkStep::Line(line) = step { Some(line) } else { None });
            lines.map(StatementStep::Line).try_for_each(&mut each)?;
        }
        Ok(())
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
    /// let usage = ledger.usage(&Query::new().account(&alice))?;
    /// assert_eq!((usage.items[0].points, usage.items[0].quantity.as_deref()), (21, Some("61.2")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a bad cursor or a period that begins later than now, and as for [`Ledger::balance`].
    pub fn usage(&self, query: &Query) -> Result<Page<UsageLine>> {
        self.sum(&query.filter("usage")?)
    }

    pub(super) fn sum(&self, filter: &Filter) -> Result<Page<UsageLine>> {
        let mut sums = Summing::new(filter)?;
        while !sums.is_finished() {
            self.look(|look| look.usage(&mut sums))?;
        }
        Ok(sums.page())
    }
}

/// The books as they are, for whoever makes something else of them.
impl Ledger {
    /// Walks through the books, an account after the other (or one alone), line by line: of all time or of a period, all as
    /// of the moment the walk begins. Memory is bounded whatever their length.
    ///
    /// `each` is called at every step; an error of its own ends the walk. Nobody waits for it, however long it takes: no read
    /// is open while it runs.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut recharged = 0;
    /// ledger.walk(None, &Period::all(), |step| {
    ///     if let report::WalkStep::Line(line) = step {
    ///         recharged += line.entry.totals()?.recharged;
    ///     }
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!(recharged, 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `each`; `unknown_account` for one that was never opened, `invalid_argument` for a period that begins later than
    /// now, and as for [`Ledger::balance`].
    pub fn walk<E: From<Error>>(
        &self,
        account: Option<&AccountId>,
        period: &Period,
        mut each: impl FnMut(WalkStep) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut walk = Walk::new(account, period);
        while let Some(steps) = self.look(|look| walk.read(look))? {
            steps.into_iter().try_for_each(&mut each)?;
        }
        Ok(())
    }
}

/// Explanations: every number, to a customer, a finance person and an auditor.
impl Ledger {
    /// An operation explained: its rule and price book, each batch that paid and why it came first, the balances before
    /// and after, and what became of it since. It costs what there is to tell, however long the account's books are.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let told = ledger.explain(&charged.operation)?;
    /// assert_eq!(told.paid_by[0].why.as_deref(), Some("the only batch with points"));
    /// assert!(told.sides[0].before.available == 50 && told.sides[0].after.available == 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, and as for [`Ledger::balance`].
    pub fn explain(&self, operation: &OperationId) -> Result<Explanation> {
        self.look(|look| look.explain(operation))
    }

    /// Why an account has no more points than it has: what came in, what went by cause, down to the lines that did it,
    /// in sums that add up. The newest `steps` lines of each cause are told one by one, earlier ones together: so it takes no
    /// more memory for a long account. For an unknown account: ids that are nearly the same.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let missing = ledger.explain_missing(&alice, &Period::all(), 100)?;
    /// assert!(missing.recharged.points == 50 && missing.spent.points == 20 && missing.closing.available == 30);
    /// let nobody = ledger.explain_missing(&AccountId::new("alcie")?, &Period::all(), 100)?;
    /// assert_eq!(nobody.did_you_mean, [alice]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for a period that begins later than now, and as for [`Ledger::balance`].
    pub fn explain_missing(&self, account: &AccountId, period: &Period, steps: usize) -> Result<Missing> {
        self.look(|look| look.begun(period).and_then(|()| look.explain_missing(account, period, steps)))
    }

    /// The life of one batch to the last point. Reads all lines of its account from its first on.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let life = ledger.explain_batch(&bought.batch.unwrap().batch)?;
    /// assert!(life.batch.amount == 50 && life.batch.remaining == 30 && life.batch.used == 20);
    /// assert!(life.uses[0].operation == Some(charged.operation) && life.uses[0].points == 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_batch`, and as for [`Ledger::balance`].
    pub fn explain_batch(&self, batch: &BatchId) -> Result<BatchLife> {
        self.look(|look| look.explain_batch(batch))
    }

    /// Known accounts with nearly this id, at most `limit`, the nearest first: about a third of the letters may differ.
    /// The first fifty thousand accounts are compared.
    ///
    /// ```
    /// # use counterfoil::*;
    /// # let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// assert_eq!(ledger.accounts_like(&AccountId::new("Alcie")?, 3)?, [alice]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::balance`].
    pub fn accounts_like(&self, account: &AccountId, limit: usize) -> Result<Vec<AccountId>> {
        self.look(|look| look.accounts_like(account, limit))
    }
}
