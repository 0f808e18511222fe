//! History: an account's entries, page by page; and single operations with all that is known of them.

use serde::{Deserialize, Serialize};

use super::span::stored_entries;
use super::{CaughtUp, Look, PASSED_OVER, cursor, shapes};
use crate::engine::{Books, Source, parse_body};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::operations::TARGETS;
use crate::model::{
    AccountId, AccountRow, Allocation, Balances, ConsumeRow, Entry, EntryRow, Filter, Key, OpKind, OperationId,
    OperationRow, Page, Receipt, Request,
};
use crate::store::{self, Forward, Session};
use crate::units::Points;

const READ: usize = 256;
/// Lines of one operation read at a time: it writes few.
const LINES: usize = 4;
/// Operations found by one key.
const SAME_KEY: usize = 100;

/// Whether a line is of this operation; what could not be read is to be told.
fn of_operation(seq: i64) -> impl Fn(&Result<EntryRow>) -> bool {
    move |row| row.as_ref().map_or(true, |row| row.operation == Some(seq))
}

/// Whether an entry's operation says what is asked for.
pub(super) fn fits(query: &Filter, entry: &Entry) -> bool {
    let same = |wanted: &Option<String>, text: &Option<String>| wanted.is_none() || wanted == text;
    let contains = |part: &String| entry.description.as_ref().is_some_and(|d| d.to_lowercase().contains(part));
    same(&query.service, &entry.service)
        && same(&query.reference, &entry.reference)
        && same(&query.source, &entry.source)
        && query.description.as_ref().is_none_or(contains)
}

/// An operation with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its receipt, as it was given.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// What was asked, in canonical form.
    pub request: Request,
    /// Its number in the file's log.
    pub sequence: i64,
    /// Version of the rules it was decided by.
    pub rules_version: i64,
    /// Its hash in the chain.
    pub hash: Hash,
    /// Of a consume or capture: points not refunded or written off yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refundable: Option<Points>,
    /// Of a consume or capture: the part no batch has paid for by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_now: Option<Points>,
}

/// An operation with the batches that pay for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PaidOperation {
    /// The operation.
    #[serde(flatten)]
    pub info: OperationInfo,
    /// Which batches pay for a consume or capture by now, or back a hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paid_by: Vec<Allocation>,
}

/// The balances an operation left: those of its last entry.
pub(crate) fn balances_after(session: &Session<'_>, row: &OperationRow) -> Result<Balances> {
    let (Some((account, _)), Some(n)) = (&row.account, row.entry) else { return Ok(Balances::default()) };
    let entry = store::entry(session, *account, n)?;
    entry
        .map(|entry| entry.after)
        .ok_or_else(|| Error::corrupt(format!("entry {n} of account number {account} is missing")))
}

impl Look<'_, '_> {
    /// An account's entries; those time has made since the last write come last, marked `unbooked`.
    pub(crate) fn history(&self, id: &AccountId, query: &Filter) -> Result<Page<Entry>> {
        // What an operation of another account did here is asked for too, as a transfer to this one.
        let named = |name: &String| {
            self.operation_named(name, Some(id))
                .or_else(|_| self.operation_named(name, None))
                .map(OperationId::sequence)
        };
        let operation = query.operation.as_ref().map(named).transpose()?;
        self.list_of(id, |account| self.history_of(account, operation, query))
    }

    /// The same, once it is known whose, and what did them.
    pub(super) fn history_of(
        &self,
        (books, account, _): &CaughtUp<'_>,
        operation: Option<i64>,
        query: &Filter,
    ) -> Result<Page<Entry>> {
        let (after, mut page) = (cursor(query.after.as_deref())?, Page::default());
        let stored = stored_entries(books, account);
        let (first, last) = self.range(books, account, &query.period)?;
        let place_of = operation.map(|seq| self.numbers_of(account.no, stored, seq)).transpose()?;
        let (from, to) = place_of.unwrap_or((first, last));
        let size = query.size();
        let (mut place, mut passed_over) = (after, 0_usize);
        // Whether to go on.
        let mut visit = |row: &EntryRow| -> Result<bool> {
            let wanted = (query.kinds.is_empty() || query.kinds.contains(&row.kind))
                && (operation.is_none() || row.operation == operation)
                && (first..=last).contains(&row.n);
            let entry = match wanted {
                true => Some(shapes::entry(&self.source, self.writers, &account.id, row, row.n > stored)?),
                false => None,
            };
            match entry.filter(|entry| fits(query, entry)) {
                Some(_) if page.items.len() == size => passed_over = PASSED_OVER,
                Some(entry) => {
                    place = row.n;
                    page.items.push(entry);
                }
                None => {
                    place = row.n;
                    passed_over = passed_over.saturating_add(1);
                }
            }
            if passed_over >= PASSED_OVER {
                page.next = Some(place.to_string());
            }
            Ok(page.next.is_none())
        };
        let (mut from, mut to) = (first.max(from), last.min(to));
        let way = if query.newest_first { Forward::Newest } else { Forward::Oldest };
        match way {
            Forward::Newest if after > 0 => to = to.min(after.saturating_sub(1)),
            Forward::Newest => {}
            Forward::Oldest => from = from.max(after.saturating_add(1)),
        }
        let unbooked = books.entries().iter().filter(|row| (from..=to).contains(&row.n)).cloned().map(Ok);
        let written = self.stored_rows(account.no, from, to.min(stored), way);
        let rows: Box<dyn Iterator<Item = Result<EntryRow>>> = match way {
            Forward::Oldest => Box::new(written.chain(unbooked)),
            Forward::Newest => Box::new(unbooked.rev().chain(written)),
        };
        for row in rows {
            if !visit(&row?)? {
                break;
            }
        }
        Ok(page)
    }

    /// The stored entries among which are those of an operation, as numbers.
    pub(super) fn numbers_of(&self, account: i64, stored: i64, seq: i64) -> Result<(i64, i64)> {
        store::numbers_of_entries_at(self.session, account, stored, self.stored(seq)?.booked_at)
    }

    /// An account's entries from a number to another, oldest first, those not written yet last.
    pub(super) fn rows(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        (first, last): (i64, i64),
    ) -> impl Iterator<Item = Result<EntryRow>> {
        let stored = self.stored_rows(account.no, first, last.min(stored_entries(books, account)), Forward::Oldest);
        let unbooked = books.entries().iter().filter(move |row| (first..=last).contains(&row.n));
        stored.chain(unbooked.cloned().map(Ok))
    }

    /// Those that are stored, from either end.
    pub(super) fn stored_rows(
        &self,
        account: i64,
        first: i64,
        last: i64,
        way: Forward,
    ) -> impl Iterator<Item = Result<EntryRow>> {
        let before = match way {
            Forward::Oldest => first.saturating_sub(1),
            Forward::Newest => last.saturating_add(1),
        };
        let read = move |before: i64, page| {
            let (from, to) = match way {
                Forward::Oldest => (before.saturating_add(1), last),
                Forward::Newest => (first, before.saturating_sub(1)),
            };
            if from > to { Ok(Vec::new()) } else { store::entries(self.session, account, from, to, way, page) }
        };
        store::pages(before, READ, read, |row: &EntryRow| row.n)
    }

    /// An operation's lines in an account, the last of which is known.
    pub(super) fn lines_until(&self, account: i64, last: i64, seq: i64) -> Result<Vec<EntryRow>> {
        let read = |before: i64, page| {
            store::entries(self.session, account, 1, before.saturating_sub(1), Forward::Newest, page)
        };
        let rows = store::pages(last.saturating_add(1), LINES, read, |row: &EntryRow| row.n);
        let mut lines: Vec<EntryRow> = rows.take_while(of_operation(seq)).collect::<Result<_>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// An operation's lines in an account, found by its time.
    pub(super) fn lines_at(&self, account: &AccountRow, operation: &OperationRow) -> Result<Vec<EntryRow>> {
        let at = operation.booked_at;
        let (first, last) = store::numbers_of_entries_at(self.session, account.no, account.entries, at)?;
        let mine = of_operation(operation.seq);
        let rows = self.stored_rows(account.no, first, last, Forward::Oldest);
        rows.skip_while(|row| !mine(row)).take_while(&mine).collect()
    }

    pub(super) fn known(&self, id: &OperationId) -> Result<i64> {
        let seq = id.sequence();
        match self.source.operation(seq)? {
            Some(head) if head.writer.operation(seq) == *id => Ok(seq),
            _ => Err(Error::UnknownOperation { operation: id.to_string(), wanted: "booked" }),
        }
    }

    /// The id of the operation with this number in the log.
    pub(crate) fn operation_id(&self, seq: i64) -> Result<OperationId> {
        match self.source.operation(seq)? {
            Some(head) => Ok(head.writer.operation(seq)),
            None => Err(Error::UnknownOperation { operation: seq.to_string(), wanted: "booked" }),
        }
    }

    /// The operations booked under a key, oldest first.
    pub(crate) fn operations_by_key(&self, key: &Key) -> Result<Vec<OperationId>> {
        let uses = store::key_uses(self.session, key, (-1, i64::MAX), SAME_KEY)?;
        let mut numbers: Vec<i64> = uses.into_iter().map(|(.., seq)| seq).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|seq| self.operation_id(seq)).collect()
    }

    pub(crate) fn operation(&self, id: &OperationId) -> Result<OperationInfo> {
        let row = self.stored(self.known(id)?)?;
        let books = match row.kind {
            OpKind::Consume | OpKind::Capture => self.books_of(&row)?,
            _ => None,
        };
        let consume = books.map(|mut books| books.consume(row.seq).cloned()).transpose()?;
        self.operation_info(&row, consume.as_ref())
    }

    /// An operation, and what has become of the consume it is.
    pub(super) fn operation_info(&self, row: &OperationRow, consume: Option<&ConsumeRow>) -> Result<OperationInfo> {
        let after = balances_after(self.session, row)?;
        let mut request = parse_body(row)?;
        let target = TARGETS.iter().any(|name| request.get(name).is_some());
        request = request.with("op", row.kind.as_str()).with("key", row.key.as_str());
        if let Some((_, account)) = row.account.as_ref().filter(|_| !target) {
            request = request.with("account", account.as_str());
        }
        Ok(OperationInfo {
            receipt: shapes::receipt(self.writers, row, after, false)?,
            request,
            sequence: row.seq,
            rules_version: row.rules_version,
            hash: row.hash,
            refundable: consume.map(|consume| Points::booked(consume.refundable())).transpose()?,
            open_now: consume.map(|consume| Points::booked(consume.open)).transpose()?,
        })
    }

    /// One operation, and what pays for it.
    pub(crate) fn paid_operation(&self, id: &OperationId) -> Result<PaidOperation> {
        Ok(PaidOperation { info: self.operation(id)?, paid_by: self.allocations(id)? })
    }

    /// Which batches pay for a consume or capture, or back a hold, by now.
    pub(crate) fn allocations(&self, id: &OperationId) -> Result<Vec<Allocation>> {
        let row = self.stored(self.known(id)?)?;
        let Some(mut books) = self.books_of(&row)? else { return Ok(Vec::new()) };
        books.allocations(row.seq)?.iter().map(|row| shapes::allocation(self.writers, row)).collect()
    }

    /// The books of an operation's account as time has made them: what became effective may have paid an open part.
    fn books_of(&self, row: &OperationRow) -> Result<Option<Books<'_>>> {
        let Some((no, _)) = &row.account else { return Ok(None) };
        Ok(Some(self.caught_up(self.account_row(*no)?, None)?.0))
    }

    pub(super) fn account_row(&self, no: i64) -> Result<AccountRow> {
        let lost = || Error::corrupt(format!("account number {no} is referred to and not there"));
        self.source.account(no)?.ok_or_else(lost)
    }
}
