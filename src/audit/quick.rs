//! The bounded check: the newest operations, the head, and the sums of the accounts they touched.

use std::collections::{BTreeMap, BTreeSet};

use super::replay::{check_head, check_link};
use super::sums::{Sums, check_balances, check_state};
use super::{Audit, MOST_LINES, count};
use crate::chain;
use crate::engine::Source;
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{AccountRow, EntryRow, LedgerRow, OperationRow, WriterRow};
use crate::store::audit as stored;
use crate::store::{self, BookCache, SqlSource};

/// How many operations, accounts, and batches of an account are looked at.
const MOST: usize = 1000;
const REACH: i64 = 1000;

pub(super) fn run(audit: &mut Audit<'_, '_>) -> Result<()> {
    audit.tell("storage", 0, None)?;
    let outcome = storage(audit);
    audit.faults.part("storage", outcome)?;
    let mut touched = BTreeSet::new();
    let outcome = operations(audit, &mut touched);
    audit.faults.part("operation", outcome)?;
    let outcome = accounts(audit, &touched);
    audit.faults.part("account", outcome)
}

fn storage(audit: &mut Audit<'_, '_>) -> Result<()> {
    for line in stored::quick_integrity(audit.session, MOST_LINES)? {
        audit.faults.add("integrity", "storage", "ok", line);
    }
    Ok(())
}

/// The links among the newest operations, and the one that must be there.
fn operations(audit: &mut Audit<'_, '_>, touched: &mut BTreeSet<i64>) -> Result<()> {
    let ledger = stored::ledger(audit.session)?;
    let newest = audit.session.ledger().map_or(ledger.length, |newest| newest.length);
    // One more than is checked, for the hash the first link builds on.
    let after = newest.saturating_sub(REACH).saturating_sub(1).max(0);
    let rows = stored::page::<OperationRow>(audit.session, after, MOST.saturating_add(2))?;
    let mut head = if after == 0 { genesis(audit, &ledger)? } else { None };
    let mut last = after;
    for (seq, row) in rows {
        if seq != last.saturating_add(1) {
            audit.faults.missing::<OperationRow>(last.saturating_add(1));
            head = None;
        }
        last = seq;
        match row {
            Ok(row) => {
                check_link(audit, head.as_ref(), &row);
                head = Some(row.hash);
                touched.extend(row.account.as_ref().map(|(no, _)| *no));
            }
            Err(error) => {
                audit.faults.unreadable::<OperationRow>(seq, &error);
                head = None;
            }
        }
        audit.checked.operations = audit.checked.operations.saturating_add(1);
        audit.tell("operations", audit.checked.operations, None)?;
    }
    let named = named_hash(audit, &ledger)?;
    check_head(audit, &ledger, last, named);
    Ok(())
}

/// The hash of the operation that the ledger's row names, if that is there.
fn named_hash(audit: &mut Audit<'_, '_>, ledger: &LedgerRow) -> Result<Option<Hash>> {
    if ledger.length == 0 {
        return genesis(audit, ledger);
    }
    let rows = stored::page::<OperationRow>(audit.session, ledger.length.saturating_sub(1), 1)?;
    Ok(rows.into_iter().find_map(|(seq, row)| row.ok().filter(|_| seq == ledger.length)).map(|row| row.hash))
}

fn genesis(audit: &mut Audit<'_, '_>, ledger: &LedgerRow) -> Result<Option<Hash>> {
    let writers = store::writer_page(audit.session, i64::MIN, 1)?;
    Ok(writers.first().map(|WriterRow { writer, .. }| {
        chain::genesis(ledger.ledger_id, writer.device, writer.epoch, ledger.created_at)
    }))
}

fn accounts(audit: &mut Audit<'_, '_>, touched: &BTreeSet<i64>) -> Result<()> {
    let rows = if touched.is_empty() {
        stored::page(audit.session, i64::MIN, MOST)?
    } else {
        let mut rows = Vec::new();
        for no in touched {
            rows.extend(
                stored::page::<AccountRow>(audit.session, no.saturating_sub(1), 1)?
                    .into_iter()
                    .filter(|(found, _)| found == no),
            );
        }
        rows
    };
    let mut seen: BTreeMap<i64, AccountRow> = BTreeMap::new();
    for (no, row) in rows {
        match row {
            Ok(row) => drop(seen.insert(no, row)),
            Err(error) => audit.faults.unreadable::<AccountRow>(no, &error),
        }
    }
    audit.checked.accounts = count(seen.len());
    audit.tell("sums", audit.checked.accounts, None)?;
    for row in seen.values() {
        account(audit, row)?;
    }
    Ok(())
}

/// One account against its newest entry, and against its batches and open consumes where they are not too many.
fn account(audit: &mut Audit<'_, '_>, row: &AccountRow) -> Result<()> {
    check_state(&mut audit.faults, row);
    let entries = stored::entries_from(audit.session, row.no, row.entries, 2)?;
    let place = format!("account {} entries", row.no);
    match entries.as_slice() {
        [((_, n), Ok(entry))] if *n == row.entries => {
            let same = entry.after == row.balances && entry.booked_at == row.last_booked_at;
            if !same {
                let place = format!("account {} available, held, pending, debt or last_booked_at", row.no);
                audit.faults.add(
                    "i10_last_entry",
                    place,
                    format_args!("{:?}", entry.after),
                    format_args!("{:?}", row.balances),
                );
            }
        }
        [((_, n), Err(error))] => audit.faults.unreadable::<EntryRow>(format_args!("{}/{n}", row.no), error),
        [] => audit.faults.add("i10_last_entry", place, row.entries, "no such entry"),
        _ => audit.faults.add("i10_last_entry", place, row.entries, "more entries"),
    }
    audit.checked.entries = audit.checked.entries.saturating_add(1);
    let batches = store::batches_of_account(audit.session, row.no, i64::MIN, MOST)?;
    let cache = BookCache::default();
    let consumes = SqlSource::new(audit.session, &cache).open_consumes(row.no, (i64::MIN, 0), MOST)?;
    if batches.len() >= MOST || consumes.len() >= MOST {
        return Ok(());
    }
    let mut sums = Sums::default();
    batches.iter().for_each(|batch| sums.batch(batch));
    consumes.iter().for_each(|consume| sums.consume(consume));
    audit.checked.batches = audit.checked.batches.saturating_add(count(batches.len()));
    audit.checked.consumes = audit.checked.consumes.saturating_add(count(consumes.len()));
    check_balances(&mut audit.faults, row, &sums);
    Ok(())
}
