//! The books' rows as the engine works on them: plain integers, no ids of the outside world but the account's.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{batch_operation, batch_period};
use super::rollover::Rolling;
use super::{
    AccountId, AccountState, AccountsOpen, Balances, BatchNo, ClockMark, DevicePolicy, EntryKind, Granted, HoldState,
    Key, MovementRow, OpKind, Place, Standing, Totals, Writer,
};
use crate::error::Result;
use crate::hash::Hash;
use crate::units::{Instant, is_zero, sub};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) no: i64,
    pub(crate) id: AccountId,
    pub(crate) state: AccountState,
    pub(crate) credit_limit: i64,
    pub(crate) balances: Balances,
    /// What open holds reserve of the credit limit beyond the points they hold.
    pub(crate) unbacked: i64,
    pub(crate) totals: Totals,
    /// Number of the newest entry; 0 before the first.
    pub(crate) entries: i64,
    /// `booked_at` of the newest entry.
    pub(crate) last_booked_at: Instant,
    /// The ledger's at its newest entry.
    pub(crate) steps_back: i64,
    /// When the next thing falls due by time alone.
    pub(crate) next_due_at: Option<Instant>,
}

/// `AccountRow::turns`, of what it goes by: the account's `steps_back` and `last_booked_at`.
pub(crate) fn turns((steps_back, last): (i64, Instant), clock: &ClockState, time: Instant) -> bool {
    steps_back < clock.steps_back && last > time
}

impl AccountRow {
    /// A new one, in which nothing has happened.
    pub(crate) fn new(no: i64, id: &AccountId, steps_back: i64) -> Self {
        AccountRow {
            no,
            id: id.clone(),
            state: AccountState::Active,
            credit_limit: 0,
            balances: Balances::default(),
            unbacked: 0,
            totals: Totals::default(),
            entries: 0,
            last_booked_at: Instant::MIN,
            steps_back,
            next_due_at: None,
        }
    }

    /// Whether the next line at `time` begins a new stretch: accepted time has gone back since the newest entry, behind it.
    pub(crate) fn turns(&self, clock: &ClockState, time: Instant) -> bool {
        turns((self.steps_back, self.last_booked_at), clock, time)
    }

    /// The booked time of the next line at `time`.
    pub(crate) fn booked_time(&self, clock: &ClockState, time: Instant) -> Instant {
        if self.turns(clock, time) { time } else { time.max(self.last_booked_at) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchRow {
    pub(crate) no: BatchNo,
    pub(crate) account: i64,
    pub(crate) source: Arc<str>,
    pub(crate) promo: bool,
    pub(crate) priority: i64,
    pub(crate) amount: i64,
    pub(crate) remaining: i64,
    pub(crate) held: i64,
    pub(crate) used: i64,
    pub(crate) expired: i64,
    pub(crate) revoked: i64,
    pub(crate) moved: i64,
    /// Still to be taken back when spent, held or moved points return; part of none of the counters above.
    pub(crate) owed: i64,
    pub(crate) effective_at: Instant,
    /// Whether `effective_at` was asked for, or is a period's, or that of a rollover.
    pub(crate) dated: bool,
    /// `None`: never expires.
    pub(crate) expires_at: Option<Instant>,
    /// Whether the batch's points have become available (booked as effective).
    pub(crate) active: bool,
    pub(crate) from_batch: Option<BatchNo>,
    /// The number of the line it came with: the order of creation, also of those that time makes.
    pub(crate) entry: i64,
    /// Few have one.
    pub(crate) rollover: Option<RolloverRow>,
}

/// Of a batch of which something may move on at its end, or which rolled out of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RolloverRow {
    pub(crate) batch: BatchNo,
    /// `None`: all lapses.
    pub(crate) terms: Option<Rolling>,
    /// How many batches have rolled out of it.
    pub(crate) rolls: i64,
    /// Of the batch's `moved`: what rolled out of it and stayed there; of one that rolled itself, what went back.
    pub(crate) rolled: i64,
    /// Whether the last of its rolls counts: accepted time has not gone back behind it.
    pub(crate) has_rolled: bool,
}

impl RolloverRow {
    /// Before anything has rolled.
    pub(crate) fn new(batch: BatchNo, terms: Option<Rolling>) -> Self {
        RolloverRow { batch, terms, rolls: 0, rolled: 0, has_rolled: false }
    }
}

/// A batch's place in the draw order: compare as a tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DrawKey {
    pub(crate) priority: i64,
    /// Milliseconds; `i64::MAX` for never, which sorts last.
    pub(crate) expires_at: i64,
    /// 0 promo, 1 paid.
    pub(crate) paid: i64,
    /// The order of creation.
    pub(crate) entry: i64,
    pub(crate) no: BatchNo,
}

impl BatchRow {
    /// A batch with everything remaining, effective and without an end.
    pub(crate) fn new(
        no: BatchNo,
        account: i64,
        source: &str,
        promo: bool,
        priority: i64,
        amount: i64,
        effective_at: Instant,
    ) -> Self {
        BatchRow {
            no,
            account,
            source: source.into(),
            promo,
            priority,
            amount,
            remaining: amount,
            held: 0,
            used: 0,
            expired: 0,
            revoked: 0,
            moved: 0,
            owed: 0,
            effective_at,
            dated: false,
            expires_at: None,
            active: true,
            from_batch: None,
            entry: 0,
            rollover: None,
        }
    }

    /// The same with everything remaining, and no rollover: as a batch begins that is made of another.
    pub(crate) fn untouched(self) -> Self {
        let (remaining, rollover) = (self.amount, None);
        BatchRow { remaining, held: 0, used: 0, expired: 0, revoked: 0, moved: 0, owed: 0, rollover, ..self }
    }

    pub(crate) fn operation(&self) -> i64 {
        batch_operation(self.no)
    }

    /// The period of the plan that made it, counted from 1.
    pub(crate) fn period(&self) -> Option<i64> {
        let received = self.from_batch.is_some_and(|from| batch_operation(from) != self.operation());
        Some(batch_period(self.no)).filter(|period| *period > 0 && !received)
    }

    pub(crate) fn draw_key(&self) -> DrawKey {
        DrawKey {
            priority: self.priority,
            expires_at: self.expires_at.map_or(i64::MAX, Instant::millis),
            paid: i64::from(!self.promo),
            entry: self.entry,
            no: self.no,
        }
    }

    pub(crate) fn is_expired(&self, at: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    /// Whether points can be drawn now (the stored `live` flag): effective, something left, expiry not yet booked.
    pub(crate) fn is_live(&self) -> bool {
        self.active && self.remaining > 0
    }

    /// The batch it rolled out of.
    pub(crate) fn rolled_from(&self) -> Option<BatchNo> {
        self.from_batch.filter(|from| batch_operation(*from) == self.operation())
    }

    /// How many batches have rolled out of it.
    pub(crate) fn rolls(&self) -> i64 {
        self.rollover.map_or(0, |row| row.rolls)
    }

    /// What of it has rolled out, or gone back to the one it rolled out of.
    pub(crate) fn rolled(&self) -> i64 {
        self.rollover.map_or(0, |row| row.rolled)
    }

    /// What may move on at its end, also when it has.
    pub(crate) fn rolling(&self) -> Option<Rolling> {
        self.rollover.and_then(|row| row.terms)
    }

    /// Whether the last of its rolls counts.
    pub(crate) fn has_rolled(&self) -> bool {
        self.rollover.is_some_and(|row| row.has_rolled)
    }

    /// Whether it is at its end by an instant, and something may move on once that is booked: also what a hold has of it.
    pub(crate) fn is_rolling(&self, by: Instant) -> bool {
        let left = self.remaining > 0 || self.held > 0;
        self.rolling().is_some() && !self.has_rolled() && left && self.is_expired(by)
    }

    /// Whether it has to be pending at an instant to which accepted time went back, and is not. What rolled over too early is
    /// not, but goes back.
    pub(crate) fn is_early(&self, at: Instant) -> bool {
        self.active && self.dated && self.effective_at > at && self.rolled_from().is_none()
    }

    /// When time next does something to this batch (the stored `due_at`).
    pub(crate) fn due_at(&self) -> Option<Instant> {
        if self.remaining == 0 {
            None
        } else if self.active {
            self.expires_at
        } else {
            Some(self.effective_at)
        }
    }
}

/// A consume (or capture, or a revoke's clawback) with something special about it: an open part, refunds, write-offs,
/// or being a clawback. A consume simply paid by batches has no such row, nor one of 0 points until it is refunded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumeRow {
    pub(crate) operation: i64,
    pub(crate) account: i64,
    /// In which turn it is paid: the oldest first.
    pub(crate) turn: i64,
    pub(crate) points: i64,
    pub(crate) open: i64,
    pub(crate) refunded: i64,
    pub(crate) written_off: i64,
    /// The revoked batch a clawback belongs to.
    pub(crate) clawback_of: Option<BatchNo>,
}

impl ConsumeRow {
    /// Of no points yet.
    pub(crate) fn new(operation: i64, account: i64) -> Self {
        let (points, open, refunded, written_off, clawback_of) = (0, 0, 0, 0, None);
        ConsumeRow { operation, account, turn: operation, points, open, refunded, written_off, clawback_of }
    }

    pub(crate) fn refundable(&self) -> i64 {
        self.points.saturating_sub(self.refunded).saturating_sub(self.written_off)
    }

    /// What a change of it moves by itself: what is owed from now on, or was cancelled or forgiven. What batches pay of it
    /// is their movement.
    pub(crate) fn movement_from(&self, before: &ConsumeRow) -> Result<Option<MovementRow>> {
        let used = if self.clawback_of.is_some() { Place::ClawedBack } else { Place::Used };
        let (from, to, points) = if self.open > before.open {
            (Place::Debt, used, sub(self.open, before.open)?)
        } else if self.refunded > before.refunded {
            (used, Place::Debt, sub(before.open, self.open)?)
        } else if self.written_off > before.written_off {
            (Place::WrittenOff, Place::Debt, sub(before.open, self.open)?)
        } else {
            return Ok(None);
        };
        Ok(Some(MovementRow { operation: Some(self.operation), batch: None, from, to, points }))
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.points > 0 && self.open == 0 && self.refunded == 0 && self.written_off == 0 && self.clawback_of.is_none()
    }
}

/// Which batch paid for (or is set aside for) which consume (or hold, or allotment), in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllocationRow {
    /// The consume's, hold's or allotment's operation.
    pub(crate) owner: i64,
    pub(crate) rank: i64,
    pub(crate) batch: BatchNo,
    pub(crate) points: i64,
    /// Of a consume: points refunded out of this allocation. Of a hold: points its release gave back or let lapse. Of an
    /// allotment: points spent, given back, or kept by a hold.
    pub(crate) returned: i64,
    /// Of a hold on a device: the allotment they came out of.
    pub(crate) allotment: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HoldRow {
    pub(crate) operation: i64,
    pub(crate) account: i64,
    pub(crate) points: i64,
    pub(crate) unbacked: i64,
    pub(crate) deadline: Instant,
    pub(crate) phase: HoldState,
    pub(crate) service: Option<String>,
    /// The pinned price book, as its number in the file.
    pub(crate) price_book: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    pub(crate) account: i64,
    pub(crate) n: i64,
    pub(crate) kind: EntryKind,
    /// `None` for what time did.
    pub(crate) operation: Option<i64>,
    pub(crate) booked_at: Instant,
    pub(crate) points: i64,
    pub(crate) batch: Option<BatchNo>,
    /// What it did, in order.
    pub(crate) movements: Vec<MovementRow>,
    /// What they come to: the change of the figures, and the points that expired or lapsed less those that came back.
    pub(crate) change: Balances,
    pub(crate) expired: i64,
    pub(crate) after: Balances,
}

impl EntryRow {
    /// The earlier operations it touches: those its movements name, and those that made a batch of which it moved points
    /// otherwise than by use, or whose life it changed. Of what only expires the time tells.
    pub(crate) fn touches(&self) -> BTreeSet<i64> {
        let mut touched = BTreeSet::new();
        // What a hub has done stands in no operation of this file.
        if self.kind == EntryKind::Reconcile {
            return touched;
        }
        if self.kind != EntryKind::Expire {
            for MovementRow { operation, batch, from, to, .. } in &self.movements {
                let gone =
                    |place: &Place| matches!(place, Place::Expired | Place::Revoked | Place::Moved | Place::RolledOut);
                touched.extend(*operation);
                touched.extend(batch.filter(|_| gone(from) || gone(to)).map(batch_operation));
            }
            touched.extend(self.batch.map(batch_operation));
        }
        touched.retain(|operation| self.operation != Some(*operation));
        touched
    }
}

/// That an entry touches an earlier operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReferenceRow {
    pub(crate) operation: i64,
    /// The entry's, as its code.
    pub(crate) kind: i64,
    pub(crate) account: i64,
    pub(crate) n: i64,
}

impl ReferenceRow {
    /// Where it stands, for reports.
    pub(crate) fn place(&self) -> String {
        format!("reference {}/{}/{}/{}", self.operation, self.kind, self.account, self.n)
    }
}

/// The first entry of a stretch: booked time went back before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StretchRow {
    pub(crate) account: i64,
    pub(crate) n: i64,
    pub(crate) booked_at: Instant,
}

/// What an operation decided, beyond its inputs and its entries: enough to give the original receipt again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) occurred_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// (batch, expires_at or -1 for never) of each batch created or touched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) batches: Vec<(i64, i64)>,
    /// (plan, when its next period begins or -1 for none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<(i64, i64)>,
    /// (hold, phase code, deadline).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<(i64, i64, i64)>,
    /// (batch, points) drawn by the operation itself, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) draws: Vec<(i64, i64)>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) open: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) restored: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) lapsed: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) reinstated: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) short: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) owed: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) uncollected: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) over_limit: bool,
    /// (code, points) of what an operator should see of a link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) flags: Vec<(i64, i64)>,
    /// What it replaced: a credit limit, an end (-1 for never), a deadline, a setting (1 for explicit accounts), a device's state. Of one that left debt or reserved credit, the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<i64>,
}

impl Outcome {
    /// The expiry the operation gave a batch (`None`: never), if it made or touched it.
    pub(crate) fn expiry_of(&self, batch: BatchNo) -> Option<Option<Instant>> {
        let (_, millis) = self.batches.iter().find(|(no, _)| *no == batch)?;
        Some((*millis >= 0).then(|| Instant::clamped(*millis)))
    }

    /// Of a `set_expiry`: the end it replaced (`None`: never).
    pub(crate) fn end_before(&self) -> Option<Instant> {
        self.before.filter(|millis| *millis >= 0).map(Instant::clamped)
    }
}

/// A booked operation: the immutable facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationRow {
    pub(crate) seq: i64,
    /// Number and value of its writer.
    pub(crate) writer: (i64, Writer),
    pub(crate) kind: OpKind,
    /// Number and id of the account; `None` for operations on the file itself.
    pub(crate) account: Option<(i64, AccountId)>,
    pub(crate) key: Key,
    pub(crate) recorded_at: Instant,
    pub(crate) booked_at: Instant,
    pub(crate) clock: ClockMark,
    /// What the log says of the clock after it; `None` where its own reading says it.
    pub(crate) accepted_at: Option<Instant>,
    pub(crate) suspect_since: Option<Instant>,
    pub(crate) points: i64,
    /// Number and hash of the price book it names.
    pub(crate) price_book: Option<(i64, Hash)>,
    pub(crate) rules_version: i64,
    /// The canonical inputs, as the JSON text that is hashed.
    pub(crate) body: String,
    pub(crate) outcome: Outcome,
    /// Number of the operation's last entry in its account's books; `None` for operations on the file itself.
    pub(crate) entry: Option<i64>,
    pub(crate) origin: Origin,
    pub(crate) hash: Hash,
}

/// The link an operation was first booked as, by a device of this hub. Of a file's own operation it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    /// The link's chain, and its number there; 0 of a file's own operation.
    pub(crate) chain: i64,
    pub(crate) seq: i64,
    pub(crate) hash: Option<Hash>,
    /// When it occurred, as far as the hub could tell.
    pub(crate) occurred: Option<Instant>,
}

impl Origin {
    /// Whether a device booked it first.
    pub(crate) fn is_link(&self) -> bool {
        self.chain > 0
    }
}

impl OperationRow {
    /// By how many seconds its reading was behind the newest accepted one; a trusted clock is not.
    pub(crate) fn clock_behind(&self) -> i64 {
        let accepted_at = self.accepted_at.unwrap_or(self.recorded_at);
        if self.clock == ClockMark::Trusted { 0 } else { seconds_behind(accepted_at, self.recorded_at) }
    }
}

/// The settings that decide outcomes; they live in the file and change only by `configure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `accounts = "explicit"`: nothing opens an account but `open`.
    pub(crate) explicit_accounts: bool,
    /// Whole seconds each.
    pub(crate) late_window: i64,
    pub(crate) max_hold: i64,
    pub(crate) max_clock_jump: i64,
    pub(crate) clock_patience: i64,
}

impl Settings {
    /// When accounts are opened.
    pub(crate) fn accounts_open(&self) -> AccountsOpen {
        if self.explicit_accounts { AccountsOpen::Explicit } else { AccountsOpen::FirstUse }
    }

    /// From now on a device decides as its hub does.
    pub(crate) fn go_by(&mut self, granted: &Granted) {
        let Granted { policy: _, accounts, late_window, max_hold, max_clock_jump } = granted;
        self.explicit_accounts = *accounts == AccountsOpen::Explicit;
        (self.late_window, self.max_hold, self.max_clock_jump) = (*late_window, *max_hold, *max_clock_jump);
    }

    /// What a device with this policy goes by.
    pub(crate) fn granted(&self, policy: DevicePolicy) -> Granted {
        let Settings { late_window, max_hold, max_clock_jump, .. } = *self;
        Granted { policy, accounts: self.accounts_open(), late_window, max_hold, max_clock_jump }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let day = 24 * 3600;
        Settings {
            explicit_accounts: false,
            late_window: 0,
            max_hold: day,
            max_clock_jump: 90 * day,
            clock_patience: day,
        }
    }
}

/// How far back a hub books what its devices did, in seconds, where nobody has said.
pub(crate) const HUB_LATE_WINDOW: i64 = 90 * 24 * 3600;

/// What the log says of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockState {
    /// The newest accepted reading.
    pub(crate) accepted_at: Instant,
    /// The first of the suspect readings that go on now.
    pub(crate) suspect_since: Option<Instant>,
    /// The newest reading of a clock known to be right.
    pub(crate) trusted_at: Option<Instant>,
    /// How often the newest accepted reading has been set back.
    pub(crate) steps_back: i64,
}

impl ClockState {
    /// Creation gives the first accepted reading.
    pub(crate) fn new(created_at: Instant) -> Self {
        ClockState { accepted_at: created_at, suspect_since: None, trusted_at: None, steps_back: 0 }
    }

    /// By how many seconds a reading is behind the newest accepted one; a minute is nothing.
    pub(crate) fn behind(&self, reading: Instant) -> i64 {
        seconds_behind(self.accepted_at, reading)
    }
}

fn seconds_behind(accepted: Instant, reading: Instant) -> i64 {
    let millis = accepted.since(reading);
    if millis > 60_000 { millis / 1000 } else { 0 }
}

/// The file's one `ledger` row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) ledger_id: Uuid,
    pub(crate) created_at: Instant,
    /// Number and value of the present writer.
    pub(crate) writer: (i64, Writer),
    pub(crate) clock: ClockState,
    pub(crate) settings: Settings,
    /// What it is to other files.
    pub(crate) standing: Arc<Standing>,
    pub(crate) head: Hash,
    /// Number of operations; the next takes the next number.
    pub(crate) length: i64,
}

impl LedgerRow {
    /// How many it takes to name all that is in the file: those who wrote it, and operations of its hub.
    pub(crate) fn names(&self) -> i64 {
        let foreign = self.standing.heard.as_ref().map_or(0, |heard| heard.foreign);
        self.writer.0.saturating_add(foreign)
    }

    /// It is the only one.
    #[allow(clippy::unused_self, reason = "a column like others")]
    pub(crate) fn no(&self) -> i64 {
        1
    }
}

/// A device in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriterRow {
    pub(crate) no: i64,
    pub(crate) writer: Writer,
    /// Number of its first operation.
    pub(crate) since: i64,
}

/// A price book's text as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceBookRow {
    pub(crate) no: i64,
    pub(crate) hash: Hash,
    pub(crate) text: String,
}
