//! What a hub holds of its devices: every link's hash made of the one before it and of the device's line, and what the hub made
//! of it; and the accounts that a device hears of.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::{Faults, tells_nothing};
use super::memory::Memory;
use super::{Audit, each_row, show};
use crate::chain::{self, Facts};
use crate::engine::source::Links;
use crate::engine::{Source, line_text};
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{ChainRow, Line, LinkRow, LinkVerdict, OpKind, WatchRow, Writer};
use crate::store;
use crate::units::Instant;

/// How a chain goes on.
struct Next {
    chain: ChainRow,
    writer: Writer,
    seq: i64,
    prev: Hash,
    /// What was noted since the last import that tells of this chain.
    noted: Vec<(i64, Instant)>,
}

/// What links that were only noted say of other tables.
#[derive(Default)]
struct Noted {
    /// Device and account.
    watched: BTreeSet<(i64, i64)>,
    price_books: BTreeSet<i64>,
}

pub(super) fn run(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>) -> Result<()> {
    let outcome = chains(audit, memory);
    audit.faults.part("link", outcome)
}

fn chains(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>) -> Result<()> {
    let books = price_books(audit)?;
    let mut nexts: Vec<Option<Next>> = Vec::new();
    each_row::<ChainRow>(audit, "tables", |faults, no, row| {
        let row = match row {
            Ok(row) => row,
            Err(error) => return faults.unreadable::<ChainRow>(no, &error),
        };
        let expected = super::count(nexts.len()).saturating_add(1);
        if u64::try_from(no) != Ok(expected) {
            faults.add("chain_missing", format_args!("chain {expected}"), "a row", "none");
        }
        let device = memory.all_devices().get(&row.device).map(|device| device.device);
        let next = device.map(|device| Next {
            writer: Writer { device, epoch: row.epoch },
            seq: row.first,
            prev: row.prev,
            noted: Vec::new(),
            chain: row,
        });
        nexts.push(next);
    })?;
    let mut noted = Noted::default();
    each_row(audit, "tables", |faults, (no, seq): (i64, i64), row: Result<LinkRow>| match row {
        Err(error) => faults.unreadable::<LinkRow>(format_args!("{no}/{seq}"), &error),
        Ok(row) => {
            let place = usize::try_from(no).ok().and_then(|no| no.checked_sub(1));
            match place.and_then(|place| nexts.get_mut(place)).and_then(Option::as_mut) {
                None => faults.add("chain_missing", format_args!("chain {no}"), "a row", "none"),
                Some(next) => match link(faults, (memory, &books), next, &row, &mut noted) {
                    Err(error) if !tells_nothing(&error) => {
                        faults.unreadable::<LinkRow>(format_args!("{no}/{seq}"), &error);
                    }
                    done => drop(faults.read(done)),
                },
            }
        }
    })?;
    for (next, (seq, _)) in nexts.iter().flatten().filter_map(|next| Some((next, next.noted.first()?))) {
        audit.faults.extra::<LinkRow>(format_args!("{}/{seq}", next.chain.no));
    }
    for next in nexts.iter().flatten().filter(|next| next.seq == next.chain.first) {
        audit.faults.missing::<LinkRow>(format_args!("{}/{}", next.chain.no, next.seq));
    }
    for no in books.keys().filter(|no| !memory.all_books().contains_key(no) && !noted.price_books.contains(no)) {
        let place = format_args!("price_book {no}");
        audit.faults.add("price_book_extra", place, "none", "a row no operation was booked under");
    }
    watches(audit, memory, &noted.watched)
}

/// The hashes of all price books of the file.
fn price_books(audit: &Audit<'_, '_>) -> Result<BTreeMap<i64, Hash>> {
    let read = |after, page| store::price_book_page(audit.session, after, page);
    store::pages(i64::MIN, 16, read, |row| row.no).map(|row| row.map(|row| (row.no, row.hash))).collect()
}

/// One link: its hash, and what was made of it.
fn link(
    faults: &mut Faults,
    (memory, books): (&Memory<'_, '_>, &BTreeMap<i64, Hash>),
    next: &mut Next,
    row: &LinkRow,
    noted: &mut Noted,
) -> Result<()> {
    let place = format!("link {}/{}", row.chain, row.seq);
    if row.seq != next.seq {
        faults.missing::<LinkRow>(format_args!("{}/{}", row.chain, next.seq));
    }
    let text = line_text(memory, row)?;
    let line = Line::stored(&text)?;
    let book = row.price_book.and_then(|no| books.get(&no));
    let hash = chain::link(&next.prev, Facts::of_line(&line, next.writer, book));
    faults.same("chain_broken", format_args!("{place} hash"), hash, row.hash);
    (next.seq, next.prev) = (row.seq.saturating_add(1), row.hash);
    if row.operation.is_none() {
        next.noted.push((row.seq, row.occurred));
    }
    if let Some((first, occurred)) = memory.import_to(&row.hash) {
        let mut hasher = blake3::Hasher::new();
        for (seq, at) in next.noted.drain(..) {
            if seq < first {
                faults.extra::<LinkRow>(format_args!("{}/{seq}", row.chain));
            } else {
                chain::noted(&mut hasher, seq, at);
            }
        }
        let found = Hash::from(*hasher.finalize().as_bytes());
        faults.same("link_mismatch", format_args!("{place} and those before it: occurred"), occurred, found);
    }
    let Some(operation) = row.operation else {
        faults.same("link_mismatch", format_args!("{place} verdict"), LinkVerdict::Noted, row.verdict);
        let account = line.account.as_ref().map(|id| memory.account_by_id(id)).transpose()?.flatten();
        noted.watched.extend(account.map(|account| (next.chain.device, account.no)));
        noted.price_books.extend(row.price_book);
        return Ok(());
    };
    let Some(booked) = memory.stored_row(operation)? else { return Ok(()) };
    let kind = if booked.kind == OpKind::Stage { LinkVerdict::Staged } else { LinkVerdict::Booked };
    faults.same("link_mismatch", format_args!("{place} verdict"), kind, row.verdict);
    if (booked.origin.chain, booked.origin.seq) != (row.chain, row.seq) {
        faults.add("link_mismatch", format_args!("{place} operation"), "the operation that booked it", operation);
    }
    let named = booked.price_book.map(|(no, _)| no);
    if named != row.price_book {
        faults.add("link_mismatch", format_args!("{place} price_book"), show(named), show(row.price_book));
    }
    Ok(())
}

/// An account is watched since the first operation of it by the device; of what was only noted, the links tell.
fn watches(audit: &mut Audit<'_, '_>, memory: &Memory<'_, '_>, noted: &BTreeSet<(i64, i64)>) -> Result<()> {
    let mut expected = memory.all_watches().peekable();
    let key = |row: &WatchRow| (row.device, row.account);
    each_row(audit, "tables", |faults, found: (i64, i64), row: Result<WatchRow>| {
        let text = format!("{}/{}", found.0, found.1);
        while let Some(missing) = expected.next_if(|row| key(row) < found) {
            faults.missing::<WatchRow>(format_args!("{}/{}", missing.device, missing.account));
        }
        match (expected.next_if(|row| key(row) == found), row) {
            (_, Err(error)) => faults.unreadable::<WatchRow>(text, &error),
            (Some(expected), Ok(row)) => faults.compare(text, expected, &row),
            (None, Ok(_)) if !noted.contains(&found) => faults.extra::<WatchRow>(text),
            _ => {}
        }
    })?;
    for missing in expected {
        audit.faults.missing::<WatchRow>(format_args!("{}/{}", missing.device, missing.account));
    }
    Ok(())
}
