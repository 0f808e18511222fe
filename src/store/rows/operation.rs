//! Operations: whole with what is joined to them, bare for `verify`, or only what later operations need to know.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Row;
use serde::Deserialize;

use super::{BODY, Columns, NAME};
use crate::engine::source::OperationHead;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountId, BatchNo, ClockMark, Key, OpKind, OperationRow, Outcome, Writer};
use crate::units::Instant;

pub(in crate::store) fn operation_head(row: &Row<'_>) -> Result<OperationHead> {
    let mut c = Columns::new("operation", row);
    Ok(OperationHead {
        seq: c.number()?,
        writer: c.writer()?,
        kind: c.code(OpKind::from_code)?,
        account: Some(c.count()?).filter(|account| *account != 0),
        points: c.points()?,
    })
}

/// What an operation drew, by its outcome; the operation's number stands before it.
pub(in crate::store) fn draws(row: &Row<'_>) -> Result<Vec<(BatchNo, i64)>> {
    /// Of an outcome, the rest of which nobody asks for here.
    #[derive(Default, Deserialize)]
    struct Drawn {
        #[serde(default)]
        draws: Vec<(BatchNo, i64)>,
    }
    let mut c = Columns::new("operation", row);
    c.number()?;
    let points = c.points()?;
    let Some(text) = c.outcome_text(points)? else { return Ok(Vec::new()) };
    let drawn: Drawn = serde_json::from_str(text).map_err(|error| c.wrong(&format!("cannot be read: {error}")))?;
    Ok(drawn.draws)
}

/// An operation's own columns; what they refer to are still numbers.
struct OperationFacts<'r> {
    seq: i64,
    kind: OpKind,
    /// 0: the file itself.
    account: i64,
    key: Key,
    recorded_at: Instant,
    booked_at: Instant,
    clock: ClockMark,
    accepted_at: Instant,
    suspect_since: Option<Instant>,
    points: i64,
    price_book: Option<i64>,
    rules_version: i64,
    body: &'r str,
    entry: Option<i64>,
    hash: Hash,
}

impl<'r> Columns<'r> {
    /// The newest accepted reading, and since when readings have been suspect: what stands in no column the reading says.
    pub(super) fn accepted(&mut self, recorded_at: Instant, clock: ClockMark) -> Result<(Instant, Option<Instant>)> {
        let accepted_at = self.optional_instant()?.unwrap_or(recorded_at);
        Ok((accepted_at, self.optional_instant()?.or((clock == ClockMark::Suspect).then_some(recorded_at))))
    }

    fn operation(&mut self) -> Result<OperationFacts<'r>> {
        let c = self;
        let (seq, kind, account) = (c.number()?, c.code(OpKind::from_code)?, c.count()?);
        let key = Key::new(c.text(NAME)?).map_err(|_| c.wrong("is no key"))?;
        let (recorded_at, booked_at, clock) = (c.instant()?, c.instant()?, c.code(ClockMark::from_code)?);
        let (accepted_at, suspect_since) = c.accepted(recorded_at, clock)?;
        Ok(OperationFacts {
            seq,
            kind,
            account,
            key,
            recorded_at,
            booked_at,
            clock,
            accepted_at,
            suspect_since,
            points: c.points()?,
            price_book: c.optional_number()?,
            rules_version: c.number()?,
            body: c.text(BODY)?,
            entry: c.optional_number()?,
            hash: c.hash()?,
        })
    }
}

impl OperationFacts<'_> {
    /// With what the numbers stand for.
    fn complete(
        self,
        writer: Writer,
        account: Option<AccountId>,
        book: Option<Hash>,
        outcome: Outcome,
    ) -> Result<OperationRow> {
        let lost = |column: &str, no: i64| Error::corrupt(format!("operation.{column} is {no}, which is not there"));
        let account = match self.account {
            0 => None,
            no => Some((no, account.ok_or_else(|| lost("account", no))?)),
        };
        let price_book = match self.price_book {
            None => None,
            Some(no) => Some((no, book.ok_or_else(|| lost("price_book", no))?)),
        };
        let OperationFacts {
            seq,
            kind,
            key,
            recorded_at,
            booked_at,
            clock,
            accepted_at,
            suspect_since,
            points,
            rules_version,
            entry,
            hash,
            ..
        } = self;
        let body = self.body.to_string();
        Ok(OperationRow {
            seq,
            writer,
            kind,
            account,
            key,
            recorded_at,
            booked_at,
            clock,
            accepted_at,
            suspect_since,
            points,
            price_book,
            rules_version,
            body,
            outcome,
            entry,
            hash,
        })
    }
}

pub(in crate::store) fn operation(row: &Row<'_>) -> Result<OperationRow> {
    let mut c = Columns::new("operation", row);
    let facts = c.operation()?;
    let writer = c.writer()?;
    let (account, book, outcome) =
        (c.optional_account_id()?, c.optional_bytes()?.map(Hash::from), c.outcome(facts.points)?);
    facts.complete(writer, account, book, outcome)
}

/// Account, kind and number of an operation.
pub(in crate::store) fn key_use(row: &Row<'_>) -> Result<(i64, i64, i64)> {
    let mut c = Columns::new("operation", row);
    Ok((c.integer()?, c.integer()?, c.integer()?))
}

/// What operations refer to, by number.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    pub(crate) writers: BTreeMap<i64, Writer>,
    pub(crate) accounts: HashMap<i64, AccountId>,
    pub(crate) books: BTreeMap<i64, Hash>,
}

/// An operation without its outcome; `None` when its writer is not there.
pub(in crate::store) fn bare_operation(row: &Row<'_>, referred: &Referred) -> Option<Result<OperationRow>> {
    let mut c = Columns::new("operation", row);
    let read = |c: &mut Columns<'_>, writer: Writer| {
        let facts = c.operation()?;
        let account = referred.accounts.get(&facts.account).cloned();
        let book = facts.price_book.and_then(|no| referred.books.get(&no)).copied();
        facts.complete(writer, account, book, Outcome::default())
    };
    let no: i64 = row.get(STORED_WRITER).ok()?;
    referred.writers.get(&no).map(|writer| read(&mut c, *writer))
}

/// The outcome of a bare operation, as its text.
pub(in crate::store) fn stored_outcome(row: &Row<'_>) -> Result<Option<String>> {
    let points = Columns { table: "operation", row, next: STORED_POINTS }.points()?;
    let mut c = Columns { table: "operation", row, next: STORED_OUTCOME };
    Ok(c.outcome_text(points)?.map(str::to_string))
}

/// Where the statement has points, writer's number and outcome.
const STORED_POINTS: usize = 9;
const STORED_OUTCOME: usize = 16;
pub(in crate::store) const STORED_WRITER: usize = 15;

/// An account's number and id.
pub(in crate::store) fn account_name(row: &Row<'_>) -> Result<(i64, Option<AccountId>)> {
    let mut c = Columns::new("account", row);
    // An id that is none is named where the account is compared.
    Ok((c.integer()?, c.account_id().ok()))
}
