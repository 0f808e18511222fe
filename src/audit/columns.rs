//! The columns of each table, by name, so that a fault says which one is wrong.

use std::fmt::Display;

use crate::model::{AccountRow, AllocationRow, BatchRow, ConsumeRow, EntryRow, HoldRow, OperationRow, StretchRow};

/// The codes of a table's faults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes {
    pub(super) mismatch: &'static str,
    pub(super) missing: &'static str,
    pub(super) extra: &'static str,
    pub(super) unreadable: &'static str,
}

/// What a table's rows are found by.
pub(super) trait RowKey: Copy + Ord {
    fn text(self) -> String;
}

impl RowKey for i64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl RowKey for (i64, i64) {
    fn text(self) -> String {
        format!("{}/{}", self.0, self.1)
    }
}

/// A row that is predicted and compared.
pub(super) trait Audited: PartialEq {
    const TABLE: &'static str;
    const CODES: Codes;

    /// Every column but the key, as text.
    fn columns(&self) -> Vec<(&'static str, String)>;
}

fn show<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_string(), |value| value.to_string())
}

macro_rules! audited {
    ($row:ty, $table:literal, |$r:ident| [$($column:literal: $value:expr),+ $(,)?]) => {
        impl Audited for $row {
            const TABLE: &'static str = $table;
            const CODES: Codes = Codes {
                mismatch: concat!($table, "_mismatch"),
                missing: concat!($table, "_missing"),
                extra: concat!($table, "_extra"),
                unreadable: concat!($table, "_unreadable"),
            };

            fn columns(&self) -> Vec<(&'static str, String)> {
                let $r = self;
                vec![$(($column, $value.to_string())),+]
            }
        }
    };
}

audited!(AccountRow, "account", |r| [
    "id": r.id,
    "state": r.state.text(),
    "credit_limit": r.credit_limit,
    "available": r.balances.available,
    "held": r.balances.held,
    "pending": r.balances.pending,
    "debt": r.balances.debt,
    "unbacked": r.unbacked,
    "recharged": r.totals.recharged,
    "consumed": r.totals.consumed,
    "refunded": r.totals.refunded,
    "expired": r.totals.expired,
    "reinstated": r.totals.reinstated,
    "revoked": r.totals.revoked,
    "clawed_back": r.totals.clawed_back,
    "written_off": r.totals.written_off,
    "moved_in": r.totals.moved_in,
    "moved_out": r.totals.moved_out,
    "entries": r.entries,
    "last_booked_at": r.last_booked_at,
    "steps_back": r.steps_back,
    "next_due_at": show(r.next_due_at),
]);

audited!(BatchRow, "batch", |r| [
    "account": r.account,
    "source": r.source,
    "promo": r.promo,
    "priority": r.priority,
    "amount": r.amount,
    "remaining": r.remaining,
    "held": r.held,
    "used": r.used,
    "expired": r.expired,
    "revoked": r.revoked,
    "moved": r.moved,
    "owed": r.owed,
    "effective_at": r.effective_at,
    "dated": r.dated,
    "expires_at": show(r.expires_at),
    "active": r.active,
    "from_batch": show(r.from_batch),
]);

audited!(HoldRow, "hold", |r| [
    "account": r.account,
    "points": r.points,
    "unbacked": r.unbacked,
    "deadline": r.deadline,
    "phase": r.phase.text(),
    "service": show(r.service.as_ref()),
    "price_book": show(r.price_book),
]);

audited!(ConsumeRow, "consume", |r| [
    "account": r.account,
    "points": r.points,
    "open": r.open,
    "refunded": r.refunded,
    "written_off": r.written_off,
    "clawback_of": show(r.clawback_of),
]);

audited!(AllocationRow, "allocation", |r| [
    "batch": r.batch,
    "points": r.points,
    "returned": r.returned,
]);

audited!(EntryRow, "entry", |r| [
    "kind": r.kind.text(),
    "operation": show(r.operation),
    "booked_at": r.booked_at,
    "points": r.points,
    "movements": format_args!("{:?}", r.movements),
    "after_available": r.after.available,
    "after_held": r.after.held,
    "after_pending": r.after.pending,
    "after_debt": r.after.debt,
    "batch": show(r.batch),
]);

audited!(StretchRow, "stretch", |r| ["booked_at": r.booked_at]);

// Hash and outcome are compared elsewhere: the one is the chain's, the other is compared as the stored text.
audited!(OperationRow, "operation", |r| [
    "writer": format_args!("{} {}", r.writer.device, r.writer.epoch),
    "kind": r.kind.text(),
    "account": show(r.account.as_ref().map(|(no, _)| *no)),
    "key": r.key,
    "recorded_at": r.recorded_at,
    "booked_at": r.booked_at,
    "clock": r.clock.text(),
    "accepted_at": r.accepted_at,
    "suspect_since": show(r.suspect_since),
    "points": r.points,
    "price_book": show(r.price_book.map(|(no, hash)| format!("{no} {hash}"))),
    "rules_version": r.rules_version,
    "body": r.body,
    "entry": show(r.entry),
]);
