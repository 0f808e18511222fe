//! What the engine may ask of the books, and what it hands back: reads through [`Source`], writes as [`Changes`].
//!
//! The file implements it over SQL (`store`), `verify` over plain maps. Lists come in pages, so that an operation
//! on an account with a hundred thousand batches reads the few it needs.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::error::Result;
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AllocationRow, AllotmentRow, BaseRow, BatchNo, BatchRow, ChainRow, ConsumeRow, DeviceRow,
    DrawKey, EntryRow, FlagRow, ForeignRow, HoldRow, Key, LinkRow, OpKind, OperationRow, PlanRow, ReceivedRow,
    StagedRow, StretchRow, WatchRow, Writer,
};
use crate::pricing::PriceBook;
use crate::units::Instant;

/// What a hub holds of its devices.
pub(crate) trait Links {
    fn device_by_no(&self, no: i64) -> Result<Option<DeviceRow>>;
    fn chain(&self, no: i64) -> Result<Option<ChainRow>>;
    fn next_chain_no(&self) -> Result<i64>;
    /// The epoch of a device's newest chain.
    fn newest_epoch(&self, device: i64) -> Result<Option<i64>>;
    /// All chains of a device, in the order in which they came.
    fn chains_of(&self, device: i64) -> Result<Vec<ChainRow>>;
    /// The chains that begin after a link, in the order in which they came.
    fn chains_after(&self, prev: &Hash) -> Result<Vec<ChainRow>>;
    fn link(&self, chain: i64, seq: i64) -> Result<Option<LinkRow>>;
    fn link_by_hash(&self, hash: &Hash) -> Result<Option<LinkRow>>;
    /// The operations booked under a key, each with its chain (0: this hub's own).
    fn key_uses(&self, account: i64, kind: OpKind, key: &Key) -> Result<Vec<(i64, i64)>>;
    fn staged(&self, operation: i64) -> Result<Option<StagedRow>>;
    /// What still waits of a device and account, the oldest first.
    fn staged_open(&self, device: i64, account: i64) -> Result<Vec<StagedRow>>;
    fn is_watched(&self, device: i64, account: i64) -> Result<bool>;
    fn flags(&self, operation: i64) -> Result<Vec<FlagRow>>;
    /// An operation as the file has it, also while it is proven.
    fn stored_row(&self, seq: i64) -> Result<Option<OperationRow>>;
}

/// The books as they stand before an operation.
pub(crate) trait Source: Links {
    fn account_by_id(&self, id: &AccountId) -> Result<Option<AccountRow>>;
    fn account(&self, no: i64) -> Result<Option<AccountRow>>;
    /// The number a new account gets: one more than the largest.
    fn next_account_no(&self) -> Result<i64>;
    fn batch(&self, no: BatchNo) -> Result<Option<BatchRow>>;
    fn hold(&self, operation: i64) -> Result<Option<HoldRow>>;
    fn plan(&self, operation: i64) -> Result<Option<PlanRow>>;
    /// The consume's own row; a plain consume has none.
    fn consume(&self, operation: i64) -> Result<Option<ConsumeRow>>;
    fn allotment(&self, operation: i64) -> Result<Option<AllotmentRow>>;
    /// The allotments of an account with something left, by operation.
    fn allotments(&self, account: i64) -> Result<Vec<AllotmentRow>>;
    /// All there are, by operation, from after one on.
    fn all_allotments(&self, after: i64, limit: usize) -> Result<Vec<AllotmentRow>>;
    /// All allocations of a consume, hold or allotment.
    fn allocations(&self, owner: i64) -> Result<Allocations>;
    /// Facts about a booked operation; `None` when there is none with this number.
    fn operation(&self, seq: i64) -> Result<Option<OperationHead>>;
    /// The whole operation, for a replay.
    fn operation_row(&self, seq: i64) -> Result<Option<OperationRow>>;
    /// The operation booked under this key; `account` is `None` for operations on the file.
    fn find_key(&self, account: Option<i64>, kind: OpKind, key: &Key) -> Result<Option<i64>>;
    /// Live batches (`BatchRow::is_live`) after `after` in draw order.
    fn live_batches(&self, account: i64, after: Option<DrawKey>, limit: usize) -> Result<Vec<BatchRow>>;
    /// Batches with `expired > 0` and `after < expires_at <= until`, in any order.
    fn lapsed_batches(&self, account: i64, after: Instant, until: Instant) -> Result<Vec<BatchRow>>;
    /// Batches with an `effective_at` that was asked for, or is a period's or a rollover's, and lies after `after`, in any order.
    fn dated_batches(&self, account: i64, after: Instant) -> Result<Vec<BatchRow>>;
    /// Open holds with `deadline > after`, in any order.
    fn long_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>>;
    /// Consumes with an open part, by `(turn, operation)`, from after the given one.
    fn open_consumes(&self, account: i64, after: (i64, i64), limit: usize) -> Result<Vec<ConsumeRow>>;
    /// A batch's clawbacks, oldest first.
    fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>>;
    /// Batches with `due_at <= until`, the first `limit` in the order they fall due: at one instant those that expire, then
    /// those that become effective, each in order of creation.
    fn due_batches(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<BatchRow>>;
    /// Open holds with `deadline <= until`, by `(deadline, operation)`, the first `limit`.
    fn due_holds(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<HoldRow>>;
    /// Plans with a period that begins by `until`, by `(due_at, operation)`, the first `limit`.
    fn due_plans(&self, account: i64, until: Instant, limit: usize) -> Result<Vec<PlanRow>>;
    /// The smallest `due_at` of the account's batches and plans and `deadline` of its open holds, leaving out the things listed.
    /// All that is due by `read` is listed: nobody need look there.
    fn next_due(&self, account: i64, read: Option<Instant>, without: &Listed) -> Result<Option<Instant>>;
    /// Whether any batch of the file has `after < expires_at <= until` and remaining + held + expired > 0, or is pending with
    /// points left and has `after < effective_at <= until`, or any plan's next period begins after `after` and by `until`.
    fn would_fall_due(&self, after: Instant, until: Instant) -> Result<bool>;
    /// Accounts with a plan of which a period begins by an instant and is not given yet, or with a batch that is rolling by then
    /// (`BatchRow::is_rolling`).
    fn behind(&self, until: Instant) -> Result<Vec<i64>>;
    /// A price book stored in the file.
    fn price_book(&self, no: i64) -> Result<Option<PriceBook>>;
    /// The number of the stored price book with this hash.
    fn price_book_no(&self, hash: &Hash) -> Result<Option<i64>>;
    fn next_price_book_no(&self) -> Result<i64>;
    /// The device of this hub whose ids begin with this tag.
    fn device(&self, tag: i64) -> Result<Option<DeviceRow>>;
    fn next_device_no(&self) -> Result<i64>;
    /// The first operation of the log that no device books, and its kind.
    fn beyond_devices(&self) -> Result<Option<(i64, OpKind)>>;
    /// What a device last heard of an account.
    fn base(&self, account: i64) -> Result<Option<BaseRow>>;
    /// Accounts with a base, after this one.
    fn bases(&self, after: i64, limit: usize) -> Result<Vec<BaseRow>>;
    /// The line of an account that came with a reconcile.
    fn received(&self, operation: i64, account: i64) -> Result<Option<String>>;
    /// This file's operations of an account after one that moved its points, but for holds; the account's entries tell.
    fn moves(&self, account: &AccountRow, after: i64) -> Result<BTreeSet<i64>>;
    /// Expired holds of an account whose deadlines are later.
    fn expired_holds(&self, account: i64, after: Instant) -> Result<Vec<HoldRow>>;
    /// An operation of the hub, by its number among those.
    fn foreign(&self, no: i64) -> Result<Option<ForeignRow>>;
    /// What an operation of the hub is here, by its id.
    fn local(&self, id: &Uuid) -> Result<Option<i64>>;
}

/// What changes on a device that hears of its hub. Rows may be replaced in every column but their key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HeardChanges {
    pub(crate) batches: Vec<BatchRow>,
    pub(crate) plans: Vec<PlanRow>,
    pub(crate) holds: Vec<HoldRow>,
    pub(crate) consumes: Vec<ConsumeRow>,
    pub(crate) allocations: Vec<AllocationRow>,
    pub(crate) allotments: Vec<AllotmentRow>,
    /// New or replaced.
    pub(crate) bases: Vec<BaseRow>,
    pub(crate) received: Vec<ReceivedRow>,
    pub(crate) foreign: Vec<ForeignRow>,
}

/// Things of an account, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) batches: BTreeSet<BatchNo>,
    pub(crate) holds: BTreeSet<i64>,
    pub(crate) plans: BTreeSet<i64>,
}

/// The allocations of a consume, hold or allotment, by rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocations {
    pub(crate) rows: Vec<AllocationRow>,
    /// False: made up from what the operation's outcome says of its draws. A consume simply paid has no rows.
    pub(crate) stored: bool,
}

impl Allocations {
    pub(crate) fn stored(rows: Vec<AllocationRow>) -> Self {
        Allocations { rows, stored: true }
    }

    /// What an operation drew, nothing of it returned yet.
    pub(crate) fn drawn(owner: i64, draws: &[(BatchNo, i64)]) -> Self {
        Allocations { rows: drawn(owner, draws).collect(), stored: false }
    }
}

/// The allocations of what was drawn, before any of it returns.
pub(super) fn drawn(owner: i64, draws: &[(BatchNo, i64)]) -> impl Iterator<Item = AllocationRow> {
    (1..).zip(draws).map(move |(rank, (batch, points))| AllocationRow {
        owner,
        rank,
        batch: *batch,
        points: *points,
        returned: 0,
        allotment: None,
    })
}

/// What the engine needs to know of an earlier operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationHead {
    pub(crate) seq: i64,
    pub(crate) writer: Writer,
    pub(crate) kind: OpKind,
    pub(crate) account: Option<i64>,
    pub(crate) points: i64,
}

/// Everything an operation (or a stretch of catch-up) changes, decided before the first write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) new_accounts: Vec<AccountRow>,
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) new_batches: Vec<BatchRow>,
    pub(crate) batches: Vec<BatchRow>,
    pub(crate) new_plans: Vec<PlanRow>,
    pub(crate) plans: Vec<PlanRow>,
    pub(crate) new_holds: Vec<HoldRow>,
    pub(crate) holds: Vec<HoldRow>,
    pub(crate) new_consumes: Vec<ConsumeRow>,
    pub(crate) consumes: Vec<ConsumeRow>,
    pub(crate) new_allocations: Vec<AllocationRow>,
    pub(crate) allocations: Vec<AllocationRow>,
    pub(crate) new_allotments: Vec<AllotmentRow>,
    pub(crate) allotments: Vec<AllotmentRow>,
    /// In order of `n` within each account.
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) new_stretches: Vec<StretchRow>,
    /// New or changed.
    pub(crate) devices: Vec<DeviceRow>,
    /// What a device heard of its hub.
    pub(crate) heard: Option<Box<HeardChanges>>,
    /// At a hub, of what devices booked.
    pub(crate) hub: Option<Box<HubChanges>>,
}

/// What arrival changes at a hub beyond the books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HubChanges {
    pub(crate) new_chains: Vec<ChainRow>,
    pub(crate) new_links: Vec<LinkRow>,
    /// New or changed.
    pub(crate) staged: Vec<StagedRow>,
    pub(crate) flags: Vec<FlagRow>,
    pub(crate) new_watches: Vec<WatchRow>,
}
