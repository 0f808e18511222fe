//! What is asked of all accounts at once, in the order of the log: the lines operations wrote, and what carries a name.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::fits;
use super::lists::collect;
use super::{Look, PASSED_OVER, shapes};
use crate::engine::{Source, parse_body};
use crate::error::Result;
use crate::model::{
    AccountId, BatchId, Entry, EntryRow, Filter, Key, Name, OperationId, OperationRow, Page, Reading, Sought,
};
use crate::notice::Change;
use crate::store::{self, Forward};

/// Rows of the log read at a time.
const READ: usize = 256;
/// Of a key with more uses than these the log is read instead.
const MOST_USES: usize = 10_000;

/// An operation that was found. [`Ledger::operation`](crate::Ledger::operation) has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Found {
    /// The operation.
    #[serde(flatten)]
    pub change: Change,
    /// The key it was booked under.
    pub key: Key,
    /// Its reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A place in the log: an operation's number, and how many of its lines have been passed.
type Place = (i64, usize);

fn place(cursor: &str) -> Result<Place> {
    let parts = cursor.split_once('.').and_then(|(seq, passed)| Some((seq.parse().ok()?, passed.parse().ok()?)));
    parts.filter(|(seq, _)| *seq >= 0).ok_or_else(|| super::no_cursor(cursor))
}

/// What an operation must have to be found.
struct Marks<'s> {
    numbers: Vec<i64>,
    keys: Vec<Key>,
    reference: Option<Reference<'s>>,
}

/// A reference, and how it stands in a body, if anywhere.
struct Reference<'s> {
    text: &'s str,
    written: String,
}

impl<'s> Reference<'s> {
    fn new(text: &'s str) -> Self {
        Reference { text, written: format!("\"reference\":{}", Value::from(text)) }
    }
}

impl Marks<'_> {
    fn fit(&self, row: &OperationRow) -> Result<bool> {
        if self.numbers.contains(&row.seq) || self.keys.contains(&row.key) {
            return Ok(true);
        }
        let Some(wanted) = self.reference.as_ref().filter(|one| row.body.contains(&one.written)) else {
            return Ok(false);
        };
        Ok(parse_body(row)?.get("reference").and_then(Value::as_str) == Some(wanted.text))
    }
}

impl Look<'_, '_> {
    /// The lines that operations wrote, of every account, in the order of the log.
    pub(crate) fn history_of_all(&self, query: &Filter) -> Result<Page<Entry>> {
        let way = if query.newest_first { Forward::Newest } else { Forward::Oldest };
        let begin = query.after.as_deref().map(place).transpose()?;
        let named = query.operation.as_ref().map(|name| self.operation_named(name, None)).transpose()?;
        let named = named.map(OperationId::sequence);
        let (mut page, mut passed_over) = (Page::default(), 0_usize);
        for operation in self.log_from(begin.map(|(seq, _)| seq), named, way) {
            let operation = operation?;
            let lines = match query.period.contains(operation.booked_at.utc()) {
                true => self.lines_of(&operation, way)?,
                false => Vec::new(),
            };
            let passed = begin.filter(|(seq, _)| *seq == operation.seq).map_or(0, |(_, passed)| passed);
            let mut last: Place = (operation.seq, passed);
            for (account, row) in lines.iter().skip(passed) {
                let entry = match query.kinds.is_empty() || query.kinds.contains(&row.kind) {
                    true => Some(shapes::entry(&self.source, self.writers, account, row, false)?),
                    false => None,
                };
                match entry.filter(|entry| fits(query, entry)) {
                    Some(_) if page.items.len() == query.size() => passed_over = PASSED_OVER,
                    Some(entry) => page.items.push(entry),
                    None => passed_over = passed_over.saturating_add(1),
                }
                if passed_over >= PASSED_OVER {
                    break;
                }
                last.1 = last.1.saturating_add(1);
            }
            passed_over = passed_over.saturating_add(1);
            if passed_over >= PASSED_OVER {
                page.next = Some(format!("{}.{}", last.0, last.1));
                break;
            }
        }
        Ok(page)
    }

    /// The log from an operation on, that one included, or this one alone.
    fn log_from(
        &self,
        from: Option<i64>,
        only: Option<i64>,
        way: Forward,
    ) -> Box<dyn Iterator<Item = Result<OperationRow>> + '_> {
        let begin = match way {
            Forward::Oldest => from.unwrap_or_default().saturating_sub(1),
            Forward::Newest => from.unwrap_or(i64::MAX).saturating_add(1),
        };
        let read = move |place, page| match way {
            Forward::Oldest => store::operations_after(self.session, place, page),
            Forward::Newest => store::operations_before(self.session, place, page),
        };
        match only {
            Some(seq) => Box::new(std::iter::once_with(move || self.stored(seq))),
            None => Box::new(store::pages(begin, READ, read, |row: &OperationRow| row.seq)),
        }
    }

    /// The lines an operation wrote: those of its account, then those of the one it went to.
    fn lines_of(&self, operation: &OperationRow, way: Forward) -> Result<Vec<(AccountId, EntryRow)>> {
        let mut lines: Vec<(AccountId, EntryRow)> = Vec::new();
        if let (Some((no, id)), Some(last)) = (&operation.account, operation.entry) {
            lines.extend(self.lines_until(*no, last, operation.seq)?.into_iter().map(|row| (id.clone(), row)));
        }
        if let Some(to) = self.change(operation)?.to
            && let Some(account) = self.source.account_by_id(&to)?
        {
            lines.extend(self.lines_at(&account, operation)?.into_iter().map(|row| (to.clone(), row)));
        }
        if way == Forward::Newest {
            lines.reverse();
        }
        Ok(lines)
    }

    /// The operations of all accounts that carry a name, in the order of the log.
    pub(crate) fn find(&self, sought: &Sought, query: &Filter) -> Result<Page<Found>> {
        let (marks, listed) = self.marks(sought)?;
        let rows = |after: i64| -> Box<dyn Iterator<Item = Result<OperationRow>> + '_> {
            let Some(mut numbers) = listed else {
                return self.log_from(Some(after.saturating_add(1)), None, Forward::Oldest);
            };
            numbers.sort_unstable();
            numbers.dedup();
            numbers.retain(|seq| *seq > after);
            Box::new(numbers.into_iter().map(|seq| self.stored(seq)))
        };
        let show = |row: OperationRow| {
            if !marks.fit(&row)? {
                return Ok(None);
            }
            let reference = parse_body(&row)?.get("reference").and_then(Value::as_str).map(str::to_string);
            Ok(Some(Found { change: self.change(&row)?, key: row.key, reference }))
        };
        collect(query, PASSED_OVER, rows, |row| row.seq, show)
    }

    /// What is to be looked for, and where, if that is known.
    fn marks<'s>(&self, sought: &'s Sought) -> Result<(Marks<'s>, Option<Vec<i64>>)> {
        let mut marks = Marks { numbers: Vec::new(), keys: Vec::new(), reference: None };
        let listed = match sought {
            Sought::Sequence(seq) => {
                marks.numbers.push(*seq);
                Some(self.source.operation(*seq)?.map(|head| head.seq).into_iter().collect())
            }
            Sought::Key(key) => {
                marks.keys.push(key.clone());
                let uses = store::key_uses(self.session, key, (-1, i64::MAX), MOST_USES.saturating_add(1))?;
                (uses.len() <= MOST_USES).then(|| uses.into_iter().map(|(.., seq)| seq).collect())
            }
            Sought::Reference(text) => {
                marks.reference = Some(Reference::new(text));
                None
            }
            Sought::Text(text) => {
                let name = Name::new(text);
                marks.reference = Some(Reference::new(text));
                // An id names an operation by the number in it, whatever it made.
                let id = name.id.and_then(|_| text.parse::<BatchId>().ok());
                if let Some(head) = id.map(|id| self.source.operation(id.sequence())).transpose()?.flatten()
                    && id.is_some_and(|id| {
                        let uuid = id.uuid();
                        head.writer.operation(head.seq).uuid() == uuid
                            || head.writer.hold(head.seq).uuid() == uuid
                            || (id.index() > 0 && head.writer.batch(id.no()) == id)
                    })
                {
                    marks.numbers.push(head.seq);
                }
                for reading in name.readings {
                    match reading {
                        Reading::Number(seq, _) => marks.numbers.push(seq),
                        Reading::Key(key) => marks.keys.push(key),
                    }
                }
                None
            }
        };
        Ok((marks, listed))
    }
}
