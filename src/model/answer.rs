//! The answers: every shape a caller gets back, as documented JSON. Null, empty, 0 and false are left out where the
//! shape says so. The shapes may grow, never change.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::words;
use super::{
    AccountId, AccountState, Balances, BatchId, EntryKind, HoldId, HoldState, Key, Metadata, OpKind, OperationId,
    Place, PlanId, PlanState, Rollover,
};
use crate::hash::Hash;
use crate::pricing::PriceBook;
use crate::quantity::Usage;
use crate::units::{Points, is_false, is_zero, or_never, utc, utc_option};

/// One page of a list, and where the next begins. [`Query::each`](crate::Query::each) follows the pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PageOf{T}"))]
#[non_exhaustive]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Hand this back to get the next page; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Page { items: Vec::new(), next: None }
    }
}

/// The five figures always shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Figures {
    /// Points that can be spent now.
    pub available: Points,
    /// Points set aside by open holds.
    pub held: Points,
    /// Points recharged, not yet effective.
    pub pending: Points,
    /// Points consumed that no batch has paid for yet.
    pub debt: Points,
    /// `available - debt`.
    pub net: i64,
}

/// What an operation did. JSON shape `counterfoil.receipt/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Receipt {
    /// The kind of operation, as in a request's `op`.
    pub op: OpKind,
    /// The operation's id; of a dry run nil, for there is none.
    #[serde(default = "OperationId::nil", skip_serializing_if = "OperationId::is_nil")]
    pub operation: OperationId,
    /// The account; of a transfer, the paying one. None for operations on the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The idempotency key.
    pub key: Key,
    /// Whether this is the original answer to an earlier call with the same key.
    pub replayed: bool,
    /// Whether it was only tried: nothing was booked, and what it would make has no id yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Points charged, recharged, held, given or taken back (of a revoke: those asked for; of a plan: those of each period).
    pub points: Points,
    /// The booked time: when it counts from.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
    /// The raw clock reading.
    #[serde(with = "utc")]
    pub recorded_at: DateTime<Utc>,
    /// When it happened in the world; one given later than the booked time is clamped to it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// When the caller said it happened, where that was later than `booked_at`, to which `occurred_at` was brought.
    #[serde(with = "utc_option", default, skip_serializing_if = "Option::is_none")]
    pub occurred_at_given: Option<DateTime<Utc>>,
    /// The service charged or held for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How much of it, as exact decimal text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// `second`, `char`, or the unit of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Hash of the price book the operation names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_book: Option<Hash>,
    /// The batch created or touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Made>,
    /// The batches a transfer created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Made>,
    /// The hold made, or what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldMark>,
    /// The plan made, or what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanMark>,
    /// What `open`, `set_limit`, `set_expiry`, `renew` and `configure` set: the value before, and from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<NewValue>,
    /// Which batches paid (or were set aside), in draw order, before any later settling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<Allocation>,
    /// The part no batch paid for: new debt.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub open: Points,
    /// Points given back to live batches.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub restored: Points,
    /// Points given back to expired batches: gone at once.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub lapsed: Points,
    /// Expired points that came back.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub reinstated: Points,
    /// What `up_to` could not cover, or what a capture was asked for beyond its cap.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub short: Points,
    /// Strict would have refused this for debt or shortage.
    #[serde(default, skip_serializing_if = "is_false")]
    pub over_limit: bool,
    /// Revoked points that were spent, held or moved already.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub owed: Points,
    /// Owed points that a clamped revoke did not turn into debt.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub uncollected: Points,
    /// The clock reading was not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
    /// The account's balances after the operation.
    pub balance: Figures,
    /// Of a replayed receipt: the account's balances now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_now: Option<Figures>,
    /// Of a replayed receipt: what has become of its hold by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_now: Option<HoldState>,
}

impl Receipt {
    /// The answer of a dry run that began at this operation's number: without the ids of what is not there. Another
    /// operation may get those, and whoever kept them would charge its hold or refund its use.
    pub(crate) fn tried(mut self, from: i64) -> Self {
        self.dry_run = true;
        if self.operation.sequence() >= from {
            self.operation = OperationId::nil();
        }
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.id.sequence() >= from) {
            hold.id = HoldId::nil();
        }
        if let Some(plan) = self.plan.as_mut().filter(|plan| plan.id.sequence() >= from) {
            plan.id = PlanId::nil();
        }
        let made = self.batch.iter_mut().chain(&mut self.batches).map(|made| &mut made.batch);
        for batch in made.chain(self.allocations.iter_mut().map(|paid| &mut paid.batch)) {
            if batch.sequence() >= from {
                *batch = BatchId::nil();
            }
        }
        self
    }
}

/// A value an operation set, as it was and as it is from then on: points, seconds, a word, or an instant or `never`. A new
/// account's credit limit was 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NewValue {
    /// `credit_limit`, `expires_at`, `deadline`, `role`, `device` (its state), or the name of a setting.
    pub what: String,
    /// What it was; null of a list.
    pub before: Value,
    /// What it is from then on.
    pub after: Value,
}

/// A batch an operation created or touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Made {
    /// The batch; nil when a dry run would make it.
    #[serde(default = "BatchId::nil", skip_serializing_if = "BatchId::is_nil")]
    pub batch: BatchId,
    /// When it expires; JSON `"never"` for none.
    #[serde(with = "or_never")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A hold as a receipt shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HoldMark {
    /// The hold; nil when a dry run would make it.
    #[serde(default = "HoldId::nil", skip_serializing_if = "HoldId::is_nil")]
    pub id: HoldId,
    /// What became of it.
    pub state: HoldState,
    /// When it ends by itself.
    #[serde(with = "utc")]
    pub deadline: DateTime<Utc>,
}

/// A plan as a receipt shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanMark {
    /// The plan; nil when a dry run would make it.
    #[serde(default = "PlanId::nil", skip_serializing_if = "PlanId::is_nil")]
    pub id: PlanId,
    /// When its next period begins; none when none is to come.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub next_at: Option<DateTime<Utc>>,
}

/// Points drawn from one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Allocation {
    /// The batch that paid; nil when it is one of an earlier line of the same dry run.
    #[serde(default = "BatchId::nil", skip_serializing_if = "BatchId::is_nil")]
    pub batch: BatchId,
    /// How many points.
    pub points: Points,
}

/// Points of one batch set aside for a hold.
pub type Slice = Allocation;

/// A hold just made: its id, and the receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Held {
    /// The hold's id, for capture, renew or release.
    pub id: HoldId,
    /// The receipt.
    pub receipt: Receipt,
}

/// Totals of an account since it was opened, never decreasing but for `clawed_back`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Totals {
    /// Points recharged.
    pub recharged: i64,
    /// Points consumed, clawbacks left out.
    pub consumed: i64,
    /// Points refunded by refund operations.
    pub refunded: i64,
    /// Points that expired or lapsed.
    pub expired: i64,
    /// Expired points that came back or were revoked.
    pub reinstated: i64,
    /// Points revoked.
    pub revoked: i64,
    /// Points clawed back, net of what returned since.
    pub clawed_back: i64,
    /// Debt written off.
    pub written_off: i64,
    /// Points received by transfer.
    pub moved_in: i64,
    /// Points sent by transfer.
    pub moved_out: i64,
    /// Points rolled over: moved from one batch into another of the account, at the end of the first.
    #[serde(default)]
    pub rolled: i64,
}

/// The next points to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NextExpiry {
    /// When.
    #[serde(with = "utc")]
    pub at: DateTime<Utc>,
    /// How many.
    pub points: Points,
}

/// An account's balances at an instant. JSON shape `counterfoil.balance/1`.
///
/// Before the account's last entry only account, exists, as_of and the five figures are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Balance {
    /// The account.
    pub account: AccountId,
    /// Whether it had been opened.
    pub exists: bool,
    /// Whether it takes part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// The instant the figures are true at.
    #[serde(with = "utc")]
    pub as_of: DateTime<Utc>,
    /// The five figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// How far debt may go before strict operations are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_limit: Option<Points>,
    /// Totals since the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// When time alone will next change something: an expiry, points that become usable, the deadline of a hold.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub next_change_at: Option<DateTime<Utc>>,
    /// The next live points to expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_expiry: Option<NextExpiry>,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
    /// On a device: the hub's time when it put together what is known of the account; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub base_at: Option<DateTime<Utc>>,
    /// On a device: how many of its operations are in the figures that its hub did not have then, open holds among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_operations: Option<i64>,
    /// Of the held points, those set aside for devices: at a hub all, on a device what it can spend of its own. Absent when there
    /// are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allotted: Option<Points>,
}

/// The balances as plain numbers: to be added and subtracted.
impl From<Figures> for Balances {
    fn from(figures: Figures) -> Self {
        let Figures { available, held, pending, debt, .. } = figures;
        Balances { available: available.get(), held: held.get(), pending: pending.get(), debt: debt.get() }
    }
}

/// Points going from one place to another inside an account, or in or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Movement {
    /// The batch whose points they are; none of what no batch has paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// The operation concerned when it is another than the line's: whose debt is paid, what is given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Where they were, or came from.
    pub from: Place,
    /// Where they are now, or went.
    pub to: Place,
    /// How many.
    pub points: Points,
}

/// One line of an account's books. JSON shape `counterfoil.entry/1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Entry {
    /// Its number in the account's books.
    pub n: i64,
    /// The account.
    pub account: AccountId,
    /// What it records.
    pub kind: EntryKind,
    /// The operation behind it; none for what time did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// That operation's number in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    /// When it counts from.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
    /// When it happened in the world.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// Points taken, given or moved.
    pub points: Points,
    /// Points that expired by it or lapsed on their return, less expired ones that came back (then negative).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expired: i64,
    /// What it changed.
    pub change: Balances,
    /// The balances after it.
    pub after: Balances,
    /// The movements it is made of, in order: they come to its `change`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub movements: Vec<Movement>,
    /// The service charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// How much of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// In which unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where recharged points came from; also of points that expire or become effective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The other account of a transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<AccountId>,
    /// The operation it is about: what a refund mends, the hold of a capture, release or renew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<OperationId>,
    /// The caller's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The caller's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Why it was done, where a reason is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The caller's metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The batch it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// That batch's number in the file, like `27.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_number: Option<String>,
    /// It has happened, and the next write will book it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unbooked: bool,
}

words!(
    /// What a batch is at an instant.
    BatchState {
        /// Before it becomes effective.
        Pending "pending",
        /// Effective, with points left or held.
        Live "live",
        /// Effective, nothing left.
        Spent "spent",
        /// Past its expiry.
        Expired "expired",
    }
);

/// A batch. JSON shape `counterfoil.batch/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchInfo {
    /// The batch.
    pub batch: BatchId,
    /// Its number in the file, like `27.1`.
    pub batch_number: String,
    /// Whose it is.
    pub account: AccountId,
    /// Where its points came from.
    pub source: String,
    /// Promotional, or paid for.
    pub promo: bool,
    /// Its place in the draw order: lower is drawn first.
    pub priority: i64,
    /// Points recharged: the sum of the six below.
    pub amount: Points,
    /// Points left to draw.
    pub remaining: Points,
    /// Points set aside.
    pub held: Points,
    /// Points consumed.
    pub used: Points,
    /// Points expired.
    pub expired: Points,
    /// Points revoked.
    pub revoked: Points,
    /// Points transferred away.
    pub moved: Points,
    /// Points still to be revoked when they return.
    pub owed: Points,
    /// From when it can be used.
    #[serde(with = "utc")]
    pub effective_at: DateTime<Utc>,
    /// Until when; JSON `"never"` for none.
    #[serde(with = "or_never")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What it is now.
    pub state: BatchState,
    /// The operation that made it; of a plan's batch, the plan's.
    pub operation: OperationId,
    /// That operation's number in the file.
    pub sequence: i64,
    /// Which period of its plan it is for, counted from 1 at the anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<i64>,
    /// The batch it was transferred from, or rolled out of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_batch: Option<BatchId>,
    /// What was asked to move on at its end, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// How many points would move on if it ended as it is now.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub would_roll: Points,
}

/// A hold. JSON shape `counterfoil.hold/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HoldInfo {
    /// The hold.
    pub hold: HoldId,
    /// Whose points it holds.
    pub account: AccountId,
    /// Points set aside, the unbacked part included.
    pub points: Points,
    /// What no batch backs: credit reserved.
    pub unbacked: Points,
    /// When it ends by itself.
    #[serde(with = "utc")]
    pub deadline: DateTime<Utc>,
    /// What became of it.
    pub state: HoldState,
    /// The service it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The operation that made it.
    pub operation: OperationId,
    /// That operation's number in the file, which is the hold's.
    pub sequence: i64,
    /// The key it was made under.
    pub key: Key,
    /// The caller's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it was made.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
    /// The slices of batches set aside, in draw order.
    pub slices: Vec<Slice>,
}

/// A plan. JSON shape `counterfoil.plan/1`. What it was not given is left out, as in its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlanInfo {
    /// The plan: its id is that of the operation which made it.
    pub plan: PlanId,
    /// That operation's number in the file, which is the plan's.
    pub sequence: i64,
    /// Whom it recharges.
    pub account: AccountId,
    /// Points of each period.
    pub points: Points,
    /// Where its points come from.
    pub source: String,
    /// Promotional, or paid for.
    pub promo: bool,
    /// The place of its batches in the draw order: lower is drawn first.
    pub priority: i64,
    /// A period is so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_days: Option<i64>,
    /// A period is so many weeks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_weeks: Option<i64>,
    /// A period is so many months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_months: Option<i64>,
    /// When the first period begins.
    #[serde(with = "utc")]
    pub anchor: DateTime<Utc>,
    /// The UTC offset whose calendar counts.
    pub offset: String,
    /// How many periods there are, counted from the anchor; left out, it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// When its batches end: an instant, `never`, or `period_end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// So many hours after each begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_hours: Option<i64>,
    /// So many days after each begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<i64>,
    /// So many months after each begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_months: Option<i64>,
    /// To the end of that day at this UTC offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_of_day: Option<String>,
    /// What moves on at the end of each batch, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
    /// Whether it goes on.
    pub state: PlanState,
    /// Which period comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_period: Option<i64>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub next_at: Option<DateTime<Utc>>,
}

/// What a wallet's page shows of an account, all of one instant: the figures are those of these batches and holds, and the newest
/// line left them. JSON shape `counterfoil.overview/1`. What comes after a page is asked of the list it is the first page of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Overview {
    /// The account's balance.
    pub balance: Balance,
    /// Batches pending or live, in order of creation.
    pub batches: Page<BatchInfo>,
    /// Open holds, in order of creation.
    pub holds: Page<HoldInfo>,
    /// Plans with periods to come, in order of creation.
    pub plans: Page<PlanInfo>,
    /// The newest lines of the books, the newest first.
    pub history: Page<Entry>,
}

/// Whether an account could pay, as far as can be said beforehand. Advisory: only hold and strict consume decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Check {
    /// What is not covered fits the credit left, and debt is within the credit limit.
    pub sufficient: bool,
    /// Sufficient, and the account is active.
    pub allowed: bool,
    /// Spendable points.
    pub available: Points,
    /// Debt.
    pub debt: Points,
    /// The points asked about.
    pub required: Points,
    /// Why not: the code of the error a strict consume would give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The clock reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
}

/// A price, or the upper bound of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Quote {
    /// The service.
    pub service: String,
    /// What it costs; of an estimate, at most.
    pub points: Points,
    /// The rule in words, with the numbers put in.
    pub rule: String,
    /// Hash of the price book.
    pub price_book: Hash,
    /// What was asked about; in JSON the fields a request has for it.
    #[serde(flatten, with = "asked")]
    #[cfg_attr(feature = "schema", schemars(with = "asked::Asked"))]
    pub usage: Option<Usage>,
    /// The book itself, for a hold that is quoted by it.
    #[serde(skip)]
    pub(crate) book: Option<Arc<PriceBook>>,
}

/// A usage by the fields of a request: what is quoted can be held as it was asked about.
mod asked {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::quantity::{Quantity, Usage, UsageKind};

    #[derive(Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(default)]
    pub(super) struct Asked {
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<Quantity>,
        #[serde(skip_serializing_if = "Option::is_none")]
        quantity: Option<Quantity>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        chars: Option<Quantity>,
        #[serde(skip_serializing_if = "Option::is_none")]
        input_seconds: Option<Quantity>,
    }

    pub(super) fn serialize<S: Serializer>(usage: &Option<Usage>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut asked = Asked::default();
        if let Some(usage) = usage {
            match usage.kind() {
                UsageKind::Seconds => asked.seconds = Some(usage.value()),
                UsageKind::Chars => asked.chars = Some(usage.value()),
                UsageKind::InputSeconds => asked.input_seconds = Some(usage.value()),
                UsageKind::Quantity => {
                    (asked.quantity, asked.unit) = (Some(usage.value()), usage.unit_name().map(String::from));
                }
            }
        }
        asked.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Usage>, D::Error> {
        let Asked { seconds, quantity, unit, chars, input_seconds } = Asked::deserialize(deserializer)?;
        let counted = quantity.map(|value| match unit {
            Some(unit) => Usage::quantity(value).unit(unit),
            None => Usage::quantity(value),
        });
        let of = |kind, value: Option<Quantity>| value.map(|value| Usage::new(kind, value));
        let known = of(UsageKind::Seconds, seconds).or(counted).or(of(UsageKind::Chars, chars));
        Ok(known.or(of(UsageKind::InputSeconds, input_seconds)))
    }
}
