//! A line of a file that goes up: an operation as its device's chain hashes it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::fields::{Fields, format};
use super::header::Link;
use crate::chain::{self, Facts};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{AccountId, ClockMark, DEEPEST, Key, Line, Look, MAX_SEQUENCE, OperationRow, Writer};
use crate::units::MAX_POINTS;

/// Reads a line, strictly.
pub(super) fn read(line: &[u8]) -> Result<Line<'_>> {
    let mut fields = Fields::of(line)?;
    let said = |error: Error| format(error.to_string());
    let read = Line {
        seq: fields.number("s", 1..=MAX_SEQUENCE)?,
        rules_version: fields.number("r", 1..=i64::MAX)?,
        kind: Cow::Owned(fields.must("k")?),
        account: fields.may::<String>("a")?.map(AccountId::new).transpose().map_err(said)?,
        key: Key::new(fields.must::<String>("i")?).map_err(said)?,
        recorded_at: fields.instant("t")?,
        booked_at: fields.instant("b")?,
        clock: ClockMark::from_code(fields.must("c")?).ok_or_else(|| format("nobody knows c"))?,
        points: fields.number("p", 0..=MAX_POINTS)?,
        price_book: fields.may("x")?,
        body: body(fields.raw("q").ok_or_else(|| format("q is missing"))?)?,
    };
    fields.pass_over()?;
    Ok(read)
}

/// A line's place in the chain after another operation.
pub(super) fn link(line: &Line<'_>, after: &Link, writer: Writer, books: &[Hash]) -> Result<Link> {
    let book = |at: usize| books.get(at).ok_or_else(|| format(format_args!("there is no price book {at}")));
    let facts = Facts::of_line(line, writer, line.price_book.map(book).transpose()?);
    Ok(Link { seq: line.seq, hash: chain::link(&after.hash, facts) })
}

/// The body is its device's, whatever it says: metadata in it may hold any number, and may be nested as deep as that may.
fn body(raw: &RawValue) -> Result<&str> {
    let text = raw.get();
    if !text.starts_with('{') {
        return Err(format("q is no object"));
    }
    let most = DEEPEST.saturating_add(1);
    match Look::within(text, most).depth > most {
        true => Err(Error::bad_file("limits", format!("q is nested deeper than {most} levels"))),
        false => Ok(text),
    }
}

/// An operation as it is written.
#[derive(Serialize)]
struct Written<'o> {
    s: i64,
    r: i64,
    k: &'o str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<&'o str>,
    i: &'o str,
    t: i64,
    b: i64,
    c: i64,
    p: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<usize>,
    q: &'o RawValue,
}

/// The line of an operation; `book` says which of the file's price books it names.
pub(super) fn line(op: &OperationRow, book: Option<usize>) -> Result<String> {
    let wrong =
        |error: serde_json::Error| Error::corrupt(format!("operation {}: its body is no JSON: {error}", op.seq));
    let written = Written {
        s: op.seq,
        r: op.rules_version,
        k: op.kind.as_str(),
        a: op.account.as_ref().map(|(_, id)| id.as_str()),
        i: op.key.as_str(),
        t: op.recorded_at.millis(),
        b: op.booked_at.millis(),
        c: op.clock.code(),
        p: op.points,
        x: book,
        q: serde_json::from_str(&op.body).map_err(wrong)?,
    };
    serde_json::to_string(&written).map_err(wrong)
}
