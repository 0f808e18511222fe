//! History: an account's entries, page by page; and single operations with all that is known of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::span::stored_entries;
use super::{Look, PASSED_OVER, Page, Period, cursor, shapes};
use crate::engine::{Books, Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, Allocation, Balances, ConsumeRow, Entry, EntryKind, EntryRow, Key, OpKind, OperationId,
    OperationRow, Receipt, Request,
};
use crate::store::{self, Forward, Session};

const READ: usize = 256;
/// Operations found by one key.
const SAME_KEY: usize = 100;

/// Which entries of an account to give: those that fit all that is asked.
///
/// A page may hold fewer entries than its limit, or none, and still have a `next`: ten thousand entries that do not fit
/// end it too.
///
/// ```
/// let query = counterfoil::HistoryQuery::new().kind("consume").service("tts").newest_first(true).limit(20);
/// ```
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    kinds: Vec<String>,
    operation: Option<OperationId>,
    service: Option<String>,
    reference: Option<String>,
    source: Option<String>,
    description: Option<String>,
    period: Period,
    newest_first: bool,
    limit: Option<usize>,
    after: Option<String>,
}

impl HistoryQuery {
    /// All entries, oldest first, 100 a page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only entries of this kind (several: any of them).
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.push(kind.into());
        self
    }

    /// Only what this operation did, and what followed from it at once.
    #[must_use]
    pub fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only entries that charge or hold for this service.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Only entries with this reference.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Only recharges from this source, and what time did to them: made them effective, let them expire.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Only entries whose description contains this text, in capitals or not.
    #[must_use]
    pub fn description(mut self, part: impl Into<String>) -> Self {
        self.description = Some(part.into().to_lowercase());
        self
    }

    /// Only entries booked within this period.
    #[must_use]
    pub fn within(mut self, period: Period) -> Self {
        self.period = period;
        self
    }

    /// The newest first.
    #[must_use]
    pub fn newest_first(mut self, newest_first: bool) -> Self {
        self.newest_first = newest_first;
        self
    }

    /// At most so many entries (at least one).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Begin after the page whose `next` this is.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.after = Some(cursor.into());
        self
    }

    fn kinds(&self) -> Result<Vec<EntryKind>> {
        let known = |name: &String| {
            EntryKind::from_text(name).ok_or_else(|| {
                let help = format!("use one of {}", EntryKind::TEXTS.join(", "));
                Error::invalid("kind", format!("there is no kind `{name}`"), help)
            })
        };
        self.kinds.iter().map(known).collect()
    }

    /// Whether an entry's operation says what is asked for.
    fn fits(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, text: &Option<String>| wanted.is_none() || wanted == text;
        let contains = |part: &String| entry.description.as_ref().is_some_and(|d| d.to_lowercase().contains(part));
        same(&self.service, &entry.service)
            && same(&self.reference, &entry.reference)
            && same(&self.source, &entry.source)
            && self.description.as_ref().is_none_or(contains)
    }
}

/// An operation with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub hash: String,
    /// Of a consume or capture: points not refunded or written off yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refundable: Option<i64>,
    /// Of a consume or capture: the part no batch has paid for by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_now: Option<i64>,
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
    pub(crate) fn history(&self, id: &AccountId, query: &HistoryQuery) -> Result<Page<Entry>> {
        let kinds = query.kinds()?;
        let after = cursor(query.after.as_deref())?;
        let operation = query.operation.as_ref().map(|operation| self.known(operation)).transpose()?;
        let mut page = Page { items: Vec::new(), next: None };
        let Some((books, account, _)) = self.account(id, None)? else { return Ok(page) };
        let unbooked = books.entries();
        let stored = stored_entries(&books, &account);
        let (first, last) = self.range(&books, &account, &query.period)?;
        let place_of = operation.map(|seq| self.numbers_of(account.no, stored, seq)).transpose()?;
        let (from, to) = place_of.unwrap_or((first, last));
        let size = query.limit.unwrap_or(100).max(1);
        let (mut place, mut passed_over) = (after, 0_usize);
        // Whether to go on.
        let mut visit = |row: &EntryRow| -> Result<bool> {
            let wanted = (kinds.is_empty() || kinds.contains(&row.kind))
                && (operation.is_none() || row.operation == operation)
                && (first..=last).contains(&row.n);
            let entry = match wanted {
                true => Some(shapes::entry(&self.source, self.writers, id, row, row.n > stored)?),
                false => None,
            };
            match entry.filter(|entry| query.fits(entry)) {
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
        if query.newest_first {
            let top = if after == 0 { i64::MAX } else { after.saturating_sub(1) };
            for row in unbooked.iter().rev().filter(|row| row.n <= top) {
                if !visit(row)? {
                    return Ok(page);
                }
            }
            self.visit_stored(
                (account.no, first.max(from), last.min(to).min(top).min(stored)),
                Forward::Newest,
                &mut visit,
            )?;
        } else {
            let bottom = after.saturating_add(1);
            let places = (account.no, first.max(from).max(bottom), last.min(to).min(stored));
            let on = self.visit_stored(places, Forward::Oldest, &mut visit)?;
            for row in unbooked.iter().filter(|row| on && row.n >= bottom) {
                if !visit(row)? {
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// The stored entries among which are those of an operation, as numbers.
    fn numbers_of(&self, account: i64, stored: i64, seq: i64) -> Result<(i64, i64)> {
        store::numbers_of_entries_at(self.session, account, stored, self.stored(seq)?.booked_at)
    }

    /// Hands over stored entries (an account's, from a number to another) until it is enough; whether it never was.
    pub(super) fn visit_stored(
        &self,
        (account, first, last): (i64, i64, i64),
        way: Forward,
        visit: &mut dyn FnMut(&EntryRow) -> Result<bool>,
    ) -> Result<bool> {
        let mut on = Ok(true);
        self.walk(account, first, last, way, |row| {
            on = visit(&row);
            matches!(on, Ok(true))
        })?;
        on
    }

    pub(super) fn walk(
        &self,
        account: i64,
        from: i64,
        to: i64,
        way: Forward,
        mut more: impl FnMut(EntryRow) -> bool,
    ) -> Result<()> {
        let (mut from, mut to) = (from, to);
        while from <= to {
            let rows = store::entries(self.session, account, from, to, way, READ)?;
            let Some(last) = rows.last() else { return Ok(()) };
            // Beyond the largest number there is no next one.
            let next = match way {
                Forward::Oldest => last.n.checked_add(1),
                Forward::Newest => last.n.checked_sub(1),
            };
            for row in rows {
                if !more(row) {
                    return Ok(());
                }
            }
            match (way, next) {
                (_, None) => return Ok(()),
                (Forward::Oldest, Some(next)) => from = next,
                (Forward::Newest, Some(next)) => to = next,
            }
        }
        Ok(())
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
        let mut numbers = store::operations_by_key(self.session, key, SAME_KEY)?;
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
        let mut body = parse_body(row)?;
        body.insert("op".into(), Value::from(row.kind.text()));
        body.insert("key".into(), Value::from(row.key.as_str()));
        let target = ["hold", "batch", "operation"].iter().any(|name| body.contains_key(*name));
        if let Some((_, account)) = row.account.as_ref().filter(|_| !target) {
            body.insert("account".into(), Value::from(account.as_str()));
        }
        Ok(OperationInfo {
            receipt: shapes::receipt(self.writers, row, after, false)?,
            request: Request::from_map(body),
            sequence: row.seq,
            rules_version: row.rules_version,
            hash: shapes::hex(&row.hash),
            refundable: consume.map(ConsumeRow::refundable),
            open_now: consume.map(|consume| consume.open),
        })
    }

    /// Which batches pay for a consume or capture, or back a hold, by now.
    pub(crate) fn allocations(&self, id: &OperationId) -> Result<Vec<Allocation>> {
        let row = self.stored(self.known(id)?)?;
        let Some(mut books) = self.books_of(&row)? else { return Ok(Vec::new()) };
        Ok(books.allocations(row.seq)?.iter().map(|row| shapes::allocation(self.writers, row)).collect())
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
