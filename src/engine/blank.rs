//! The books under an account that is put together anew: of it there is nothing, of all else what the file has.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::source::{Allocations, Links, Listed, OperationHead, Source};
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{
    AccountId, AccountRow, AllotmentRow, BaseRow, BatchNo, BatchRow, ChainRow, ConsumeRow, DeviceRow, DrawKey, FlagRow,
    ForeignRow, HoldRow, Key, LinkRow, OpKind, OperationRow, PlanRow, StagedRow,
};
use crate::pricing::PriceBook;
use crate::units::Instant;

pub(super) struct Blank<'s> {
    under: &'s dyn Source,
    /// What the working copy has at its beginning, and does not list by batch or by time.
    clawbacks: Vec<ConsumeRow>,
    batches: Vec<BatchRow>,
    holds: Vec<HoldRow>,
}

impl<'s> Blank<'s> {
    pub(super) fn new(
        under: &'s dyn Source,
        mut clawbacks: Vec<ConsumeRow>,
        batches: Vec<BatchRow>,
        holds: Vec<HoldRow>,
    ) -> Self {
        clawbacks.retain(|row| row.clawback_of.is_some());
        clawbacks.sort_by_key(|row| (row.turn, row.operation));
        Blank { under, clawbacks, batches, holds }
    }

    fn batches(&self, with: impl Fn(&BatchRow) -> bool) -> Result<Vec<BatchRow>> {
        Ok(self.batches.iter().filter(|row| with(row)).cloned().collect())
    }
}

/// What there is nothing of, and what is asked of the file.
macro_rules! blank {
    (
        none { $($none:ident($($of:ident: $type:ty),*) -> $nothing:ty = $value:expr;)+ }
        under { $($asked:ident($($arg:ident: $given:ty),*) -> $answer:ty;)+ }
        links { $($linked:ident($($la:ident: $lt:ty),*) -> $la_type:ty;)+ }
    ) => {
        impl Links for Blank<'_> {
            $(fn $linked(&self, $($la: $lt),*) -> Result<$la_type> { self.under.$linked($($la),*) })+
        }

        impl Source for Blank<'_> {
            $(fn $none(&self, $($of: $type),*) -> Result<$nothing> { Ok($value) })+
            $(fn $asked(&self, $($arg: $given),*) -> Result<$answer> { self.under.$asked($($arg),*) })+

            fn clawbacks(&self, batch: BatchNo) -> Result<Vec<ConsumeRow>> {
                Ok(self.clawbacks.iter().filter(|row| row.clawback_of == Some(batch)).cloned().collect())
            }

            fn lapsed_batches(&self, _account: i64, after: Instant, until: Instant) -> Result<Vec<BatchRow>> {
                self.batches(|row| row.expired > 0 && row.expires_at.is_some_and(|at| after < at && at <= until))
            }

            fn dated_batches(&self, _account: i64, after: Instant) -> Result<Vec<BatchRow>> {
                self.batches(|row| row.dated && row.effective_at > after)
            }

            fn long_holds(&self, _account: i64, after: Instant) -> Result<Vec<HoldRow>> {
                Ok(self.holds.iter().filter(|row| row.deadline > after).cloned().collect())
            }
        }
    };
}

blank! {
    none {
    account_by_id(_id: &AccountId) -> Option<AccountRow> = None;
    account(_no: i64) -> Option<AccountRow> = None;
    batch(_no: BatchNo) -> Option<BatchRow> = None;
    hold(_operation: i64) -> Option<HoldRow> = None;
    plan(_operation: i64) -> Option<PlanRow> = None;
    consume(_operation: i64) -> Option<ConsumeRow> = None;
    allotment(_operation: i64) -> Option<AllotmentRow> = None;
    allotments(_account: i64) -> Vec<AllotmentRow> = Vec::new();
    all_allotments(_after: i64, _limit: usize) -> Vec<AllotmentRow> = Vec::new();
    allocations(_owner: i64) -> Allocations = Allocations::stored(Vec::new());
    find_key(_account: Option<i64>, _kind: OpKind, _key: &Key) -> Option<i64> = None;
    live_batches(_account: i64, _after: Option<DrawKey>, _limit: usize) -> Vec<BatchRow> = Vec::new();
    open_consumes(_account: i64, _after: (i64, i64), _limit: usize) -> Vec<ConsumeRow> = Vec::new();
    due_batches(_account: i64, _until: Instant, _limit: usize) -> Vec<BatchRow> = Vec::new();
    due_holds(_account: i64, _until: Instant, _limit: usize) -> Vec<HoldRow> = Vec::new();
    due_plans(_account: i64, _until: Instant, _limit: usize) -> Vec<PlanRow> = Vec::new();
    next_due(_account: i64, _read: Option<Instant>, _without: &Listed) -> Option<Instant> = None;
    would_fall_due(_after: Instant, _until: Instant) -> bool = false;
    behind(_until: Instant) -> Vec<i64> = Vec::new();
    base(_account: i64) -> Option<BaseRow> = None;
    bases(_after: i64, _limit: usize) -> Vec<BaseRow> = Vec::new();
    received(_operation: i64, _account: i64) -> Option<String> = None;
    moves(_account: &AccountRow, _after: i64) -> BTreeSet<i64> = BTreeSet::new();
    expired_holds(_account: i64, _after: Instant) -> Vec<HoldRow> = Vec::new();
    }
    under {
        next_account_no() -> i64;
        operation(seq: i64) -> Option<OperationHead>;
        operation_row(seq: i64) -> Option<OperationRow>;
        price_book(no: i64) -> Option<PriceBook>;
        price_book_no(hash: &Hash) -> Option<i64>;
        next_price_book_no() -> i64;
        device(tag: i64) -> Option<DeviceRow>;
        next_device_no() -> i64;
        beyond_devices() -> Option<(i64, OpKind)>;
        foreign(no: i64) -> Option<ForeignRow>;
        local(id: &Uuid) -> Option<i64>;
    }
    links {
        device_by_no(no: i64) -> Option<DeviceRow>;
        chain(no: i64) -> Option<ChainRow>;
        next_chain_no() -> i64;
        newest_epoch(device: i64) -> Option<i64>;
        chains_of(device: i64) -> Vec<ChainRow>;
        chains_after(prev: &Hash) -> Vec<ChainRow>;
        link(chain: i64, seq: i64) -> Option<LinkRow>;
        link_by_hash(hash: &Hash) -> Option<LinkRow>;
        key_uses(account: i64, kind: OpKind, key: &Key) -> Vec<(i64, i64)>;
        staged(operation: i64) -> Option<StagedRow>;
        staged_open(device: i64, account: i64) -> Vec<StagedRow>;
        is_watched(device: i64, account: i64) -> bool;
        flags(operation: i64) -> Vec<FlagRow>;
        stored_row(seq: i64) -> Option<OperationRow>;
    }
}
