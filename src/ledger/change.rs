//! The handle's verbs that change the books. Each makes a request and hands it on.

use super::{BatchRun, Ledger};
use crate::error::{Error, Result};
use crate::file::{Book, Terms};
use crate::model::{
    AccountId, BatchId, Capture, CloseAccount, Consume, Freeze, Held, Hold, HoldId, Key, OpenAccount, OperationId,
    Plan, PlanId, Receipt, Recharge, Refund, Release, Renew, Request, Revoke, SetExpiry, SetLimit, Stop, Transfer,
    Unfreeze, WriteOff,
};
use crate::units::Reading;

/// Changing the books.
impl Ledger {
    pub(super) fn reading(&self) -> Reading {
        Reading::take(self.clock.as_ref())
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            reading: self.reading(),
            books: self.price_books(),
            durability: self.durability,
            policy: self.policy,
            historic: false,
            dry_run: false,
        }
    }

    /// Books any operation given as data. The typed verbs below all come through here.
    ///
    /// ```
    /// use counterfoil::{Ledger, Request};
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// let line = r#"{"op":"recharge","account":"alice","key":"order:881","points":320,"source":"wxpay","actor":"till 4"}"#;
    /// let receipt = ledger.apply(&Request::parse(line)?)?;
    /// assert!(ledger.apply(&Request::parse(line)?)?.replayed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The refusals of the operation, in the documented order; `busy`, `disk_full`, `outcome_unknown`, `storage`,
    /// `read_only`, `closed`.
    pub fn apply(&self, request: &Request) -> Result<Receipt> {
        self.keep_quoted(request);
        self.file.apply(request, self.terms())
    }

    /// Says what an operation would do, and books nothing. The answer is marked `dry_run`; what it would make has no id.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let line = r#"{"op":"consume","account":"alice","key":"task:1","points":20}"#;
    /// let tried = ledger.dry_run(&Request::parse(line)?)?;
    /// assert!(tried.dry_run && tried.operation.is_nil() && tried.balance.available == 30);
    /// assert_eq!(ledger.balance(&alice)?.figures.available, 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::apply`].
    pub fn dry_run(&self, request: &Request) -> Result<Receipt> {
        self.keep_quoted(request);
        let receipt = self.file.apply(request, Terms { dry_run: true, ..self.terms() })?;
        let booked = if receipt.replayed { i64::MAX } else { receipt.operation.sequence() };
        Ok(receipt.tried(booked))
    }

    /// Books many operations, in transactions of about 20 ms: each has its own outcome, the one it would have had alone,
    /// and all are durable when this returns. Far quicker than one by one where a sync is slow.
    ///
    /// A line may point at what an earlier one made by its place, counted from one: `{"ref_line": 1}` in place of an id.
    /// A failure of the file ([`Error::is_failure`](crate::Error::is_failure)) ends the run: the operations after it were not
    /// tried, and have the same answer. For lines that come in one after the other, and for all or nothing, see [`Ledger::batch_run`].
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let recharge = Recharge::new(Points::new(50)?, "wxpay");
    /// let answers = ledger.batch(&[
    ///     recharge.on(&AccountId::new("alice")?, &Key::new("order:1")?),
    ///     Request::parse(r#"{"op":"hold","account":"alice","key":"task:1","points":90,"deadline_seconds":60}"#)?,
    /// ]);
    /// assert!(answers[0].is_ok());
    /// assert_eq!(answers[1].as_ref().unwrap_err().code(), "insufficient_points");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "some of the operations may have been refused"]
    pub fn batch(&self, operations: &[Request]) -> Vec<Result<Receipt>> {
        let lines: Vec<(u64, &Request)> = (1..).zip(operations).collect();
        let (mut run, mut rest, mut answers) = (self.batch_run(), lines.as_slice(), Vec::new());
        while !rest.is_empty() {
            let group = run.group(rest);
            rest = rest.get(group.len()..).unwrap_or_default();
            answers.extend(group.into_iter().map(|(_, answer)| answer));
            if let Some(Err(error)) = answers.last()
                && error.is_failure()
            {
                // It would only be met, and waited for, again.
                let error = error.clone();
                answers.resize(operations.len(), Err(error));
                break;
            }
        }
        answers
    }

    /// Starts a run of operations that may refer to one another's results by line number.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut run = ledger.batch_run();
    /// run.apply(1, &Request::parse(r#"{"op":"consume","account":"alice","key":"task:1","points":20}"#)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn batch_run(&self) -> BatchRun {
        BatchRun::new(self.clone())
    }

    pub(crate) fn apply_as(&self, request: &Request, historic: bool) -> Result<Receipt> {
        self.keep_quoted(request);
        self.file.apply(request, Terms { historic, ..self.terms() })
    }

    pub(crate) fn apply_together(
        &self,
        bounded: bool,
        historic: bool,
        dry_run: bool,
        run: &dyn Fn(&mut Book<'_>) -> Result<()>,
    ) -> Result<()> {
        self.file.apply_together(bounded, &|| Terms { historic, dry_run, ..self.terms() }, run)
    }

    /// Opens an account before its first use, or says that it is open as asked.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let bob = AccountId::new("bob")?;
    /// ledger.open_account(&bob, &Key::new("open")?, OpenAccount::new().credit_limit(Points::new(100)?))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `account_exists` with another credit limit, `account_closed`, and as for [`Ledger::apply`].
    pub fn open_account(&self, account: &AccountId, key: &Key, open: OpenAccount) -> Result<Receipt> {
        self.apply(&open.on(account, key))
    }

    /// Sets how far the account's debt may go before strict operations are refused.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.set_limit(&alice, &Key::new("limit:1")?, Points::new(100)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, and as for [`Ledger::apply`].
    pub fn set_limit(&self, account: &AccountId, key: &Key, limit: impl Into<SetLimit>) -> Result<Receipt> {
        self.apply(&limit.into().on(account, key))
    }

    /// Adds a batch of points; old debt is settled from it at once.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let receipt = ledger.recharge(&alice, &Key::new("order:2")?, Recharge::new(Points::new(10)?, "gift"))?;
    /// assert_eq!(receipt.balance.available, 60);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for an expiry that is not after now, `account_closed`, `unknown_account` when accounts must be
    /// opened first, `out_of_range`, and as for [`Ledger::apply`].
    pub fn recharge(&self, account: &AccountId, key: &Key, recharge: Recharge) -> Result<Receipt> {
        self.apply(&recharge.on(account, key))
    }

    /// Charges points: by default always (the work is done), with the uncovered part as debt.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let receipt = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(70)?))?;
    /// assert!(receipt.open == 20 && receipt.balance.debt == 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// With `Policy::Strict`: `account_frozen`, `account_in_debt`, `insufficient_points`. For a priced service:
    /// `unknown_service`, `pricing`, `invalid_argument`. `account_closed`, `out_of_range`, and as for [`Ledger::apply`].
    pub fn consume(&self, account: &AccountId, key: &Key, consume: Consume) -> Result<Receipt> {
        self.apply(&consume.on(account, key))
    }

    /// Sets points aside for a job, until a deadline.
    ///
    /// ```
    /// use counterfoil::{AccountId, Hold, Key, Ledger, Points, Recharge};
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// let me = AccountId::new("local-user")?;
    /// ledger.recharge(&me, &Key::new("order:1")?, Recharge::new(Points::new(50)?, "wxpay"))?;
    /// let hold = ledger.hold(&me, &Key::new("task:1")?, Hold::new(Points::new(40)?, Duration::from_secs(3600)))?;
    /// let receipt = ledger.capture(&hold.id, &Key::new("task:1")?, Points::new(25)?)?;
    /// assert!(receipt.restored == 15 && receipt.balance.available == 25);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_frozen`, `account_in_debt`, `insufficient_points`, `invalid_argument` for a deadline
    /// beyond `max_hold`, the price errors, and as for [`Ledger::apply`].
    pub fn hold(&self, account: &AccountId, key: &Key, hold: Hold) -> Result<Held> {
        let receipt = self.apply(&hold.on(account, key))?;
        let id = receipt
            .hold
            .as_ref()
            .map(|hold| hold.id)
            .ok_or_else(|| Error::corrupt("a hold's receipt names no hold"))?;
        Ok(Held { id, receipt })
    }

    /// Charges a hold, once; also one past its deadline (the job was done all the same).
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let hold = ledger.hold(&alice, &Key::new("task:2")?, Hold::new(Points::new(10)?, std::time::Duration::from_secs(60)))?;
    /// let receipt = ledger.capture(&hold.id, &Key::new("task:2")?, Points::new(4)?)?;
    /// assert_eq!(receipt.restored, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `account_closed`, the price errors, and as for [`Ledger::apply`].
    pub fn capture(&self, hold: &HoldId, key: &Key, capture: impl Into<Capture>) -> Result<Receipt> {
        self.apply(&capture.into().on(hold, key))
    }

    /// Recharges an account again and again: one batch for each period, by time alone. The periods before now are not given; one
    /// that begins now is given at once. Nothing has to be called for the others: every read counts them, the next write books
    /// them.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let monthly = Plan::new(Points::new(100)?, "plan:pro", Every::Months(1)).expires(ExpiresIn::PeriodEnd);
    /// let receipt = ledger.plan(&alice, &Key::new("subscription:7")?, monthly)?;
    /// assert_eq!(receipt.balance.available, 150);
    /// let in_a_month = receipt.booked_at + chrono::TimeDelta::days(32);
    /// assert_eq!(ledger.balance_at(&alice, in_a_month)?.totals.map(|totals| totals.recharged), Some(250));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `account_closed`, `invalid_argument` when no period is to come, and as for [`Ledger::apply`].
    pub fn plan(&self, account: &AccountId, key: &Key, plan: Plan) -> Result<Receipt> {
        self.apply(&plan.on(account, key))
    }

    /// Ends a plan. A period at this very instant is given first; what was given stays.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let weekly = Plan::new(Points::new(10)?, "gift", Every::Weeks(1));
    /// let plan = ledger.plan(&alice, &Key::new("gift:1")?, weekly)?.plan.ok_or("no plan")?.id;
    /// let receipt = ledger.stop(&plan, &Key::new("gift:1")?, Stop::new())?;
    /// assert!(receipt.balance.available == 60 && receipt.plan.is_some_and(|plan| plan.next_at.is_none()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_plan`, `account_closed`, and as for [`Ledger::apply`].
    pub fn stop(&self, plan: &PlanId, key: &Key, stop: Stop) -> Result<Receipt> {
        self.apply(&stop.on(plan, key))
    }

    /// Gives all of an open hold back.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let hold = ledger.hold(&alice, &Key::new("task:2")?, Hold::new(Points::new(10)?, std::time::Duration::from_secs(60)))?;
    /// let receipt = ledger.release(&hold.id, &Key::new("task:2")?, Release::new())?;
    /// assert_eq!(receipt.balance.available, 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `account_closed`, and as for [`Ledger::apply`].
    pub fn release(&self, hold: &HoldId, key: &Key, release: Release) -> Result<Receipt> {
        self.apply(&release.on(hold, key))
    }

    /// Gives an open hold a new deadline, counted from now and within `max_hold`.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let hold = ledger.hold(&alice, &Key::new("task:2")?, Hold::new(Points::new(10)?, std::time::Duration::from_secs(60)))?;
    /// ledger.renew(&hold.id, &Key::new("task:2 goes on")?, std::time::Duration::from_secs(120))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_hold`, `hold_closed`, `invalid_argument`, and as for [`Ledger::apply`].
    pub fn renew(&self, hold: &HoldId, key: &Key, deadline: impl Into<Renew>) -> Result<Receipt> {
        self.apply(&deadline.into().on(hold, key))
    }

    /// Gives points of a consume or capture back to the batches that paid.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let receipt = ledger.refund(&charged.operation, &Key::new("ticket:1")?, Refund::all("render failed"))?;
    /// assert_eq!(receipt.restored, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, `limit_exceeded`, and as for [`Ledger::apply`].
    pub fn refund(&self, operation: &OperationId, key: &Key, refund: Refund) -> Result<Receipt> {
        self.apply(&refund.on(operation, key))
    }

    /// Takes a batch back: what is left of it, and what was spent as debt (or, clamped, not at all).
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let charged = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let batch = bought.batch.as_ref().ok_or("no batch")?.batch;
    /// let receipt = ledger.revoke(&batch, &Key::new("chargeback:1")?, Revoke::all("chargeback"))?;
    /// assert_eq!(receipt.balance.debt, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_batch`, `limit_exceeded`, `account_closed`, and as for [`Ledger::apply`].
    pub fn revoke(&self, batch: &BatchId, key: &Key, revoke: Revoke) -> Result<Receipt> {
        self.apply(&revoke.on(batch, key))
    }

    /// Changes when a batch ends; an expired one comes back.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let batch = bought.batch.as_ref().ok_or("no batch")?.batch;
    /// ledger.set_expiry(&batch, &Key::new("goodwill:1")?, SetExpiry::new(ExpiresIn::Days(365), "goodwill"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_batch`, `invalid_argument`, `account_closed`, and as for [`Ledger::apply`].
    pub fn set_expiry(&self, batch: &BatchId, key: &Key, expiry: SetExpiry) -> Result<Receipt> {
        self.apply(&expiry.on(batch, key))
    }

    /// Moves available points to another account; they keep their expiry, kind and priority.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let bob = AccountId::new("bob")?;
    /// ledger.transfer(&alice, &Key::new("gift:1")?, Transfer::new(&bob, Points::new(5)?))?;
    /// assert_eq!(ledger.balance(&bob)?.figures.available, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, `account_frozen`, `insufficient_points`, and as for [`Ledger::apply`].
    pub fn transfer(&self, from: &AccountId, key: &Key, transfer: Transfer) -> Result<Receipt> {
        self.apply(&transfer.on(from, key))
    }

    /// Forgives debt, oldest first.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(60)?))?;
    /// ledger.write_off(&alice, &Key::new("ticket:1")?, WriteOff::new(Points::new(10)?, "goodwill"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `limit_exceeded`, `account_closed`, and as for [`Ledger::apply`].
    pub fn write_off(&self, account: &AccountId, key: &Key, write_off: WriteOff) -> Result<Receipt> {
        self.apply(&write_off.on(account, key))
    }

    /// Stops strict consumes, holds and transfers from the account; everything else goes on.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.freeze(&alice, &Key::new("case:1")?, Freeze::new("stolen card").actor("fraud desk"))?;
    /// let refused = ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(1)?).policy(Policy::Strict));
    /// assert_eq!(refused.unwrap_err().code(), "account_frozen");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_closed`, and as for [`Ledger::apply`].
    pub fn freeze(&self, account: &AccountId, key: &Key, reason: impl Into<Freeze>) -> Result<Receipt> {
        self.apply(&reason.into().on(account, key))
    }

    /// Ends a freeze.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.freeze(&alice, &Key::new("case:1")?, "stolen card")?;
    /// ledger.unfreeze(&alice, &Key::new("case:1 solved")?, "card found")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Ledger::freeze`].
    pub fn unfreeze(&self, account: &AccountId, key: &Key, reason: impl Into<Unfreeze>) -> Result<Receipt> {
        self.apply(&reason.into().on(account, key))
    }

    /// Closes an empty account. A refund or a late capture reopens it.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let refused = ledger.close_account(&alice, &Key::new("leaves")?, "asked to");
    /// assert_eq!(refused.unwrap_err().code(), "account_not_empty");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_account`, `account_not_empty`, `account_closed`, and as for [`Ledger::apply`].
    pub fn close_account(&self, account: &AccountId, key: &Key, reason: impl Into<CloseAccount>) -> Result<Receipt> {
        self.apply(&reason.into().on(account, key))
    }
}
