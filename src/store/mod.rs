//! Every SQL statement of the books: reads for the engine, lists for the reports, and the one way to write.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

#[macro_use]
mod tables;

pub(crate) mod audit;
mod columns;
mod create;
mod links;
mod lists;
mod pages;
mod read;
mod row_cache;
mod rows;
mod session;
mod sql;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;
mod write;

pub(crate) use create::{NewLedger, create};
pub(crate) use links::{
    concerned, flag_page, link_by_half, newest_link, open_hold, origin_of, received_page, staged_after,
    staged_of_device, watch,
};
pub(crate) use lists::{
    Forward, account_page, accounts, accounts_due, allotments, batches_before, batches_of_account, configured_before,
    device_page, entries, entry, glance, holds_of_account, key_uses, lapsed_after, newest_price_book,
    number_of_entry_at, numbers_of_entries_at, operations_after, operations_before, overdue, plans_of_account,
    price_book_page, price_book_use, references, stretches, writer_page, writers,
};
pub(crate) use pages::pages;
pub(crate) use read::{BookCache, SqlSource};
pub(crate) use row_cache::{RowCache, data_version};
pub(crate) use rows::{Concerned, Glance};
pub(crate) use session::Session;
#[cfg(test)]
pub(crate) use sql::ALL as STATEMENTS;
pub(crate) use tables::Table;
#[cfg(test)]
pub(crate) use work::{Work, work_done};
pub(crate) use write::{add_writer, append_operation, apply, insert_price_book, write_head};

/// A page's length as SQL wants it.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
