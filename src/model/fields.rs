//! Reads a request's fields one by one, checks each, and collects their canonical form: the body that is stored,
//! hashed, and compared when a key comes again.

use std::str::FromStr;

use chrono::{NaiveDate, TimeDelta};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::expiry::Expiry;
use super::ids::{check_ends, check_id};
use super::operations::{Field, FieldKind, field_names};
use super::{Metadata, Request};
use crate::error::{Error, Result};
use crate::quantity::{Quantity, Usage, UsageKind};
use crate::spelling::nearest;
use crate::units::{Instant, MAX_POINTS};

const MISSING: &str = "is missing";

/// What a request with this field is told: there is no such field, and which was probably meant.
fn no_field(op: &str, name: &str, meant: Option<&str>) -> Error {
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("see the fields of `{op}` in the documentation; check the spelling"),
    };
    Error::invalid(name, format!("`{op}` has no field `{name}`"), help)
}

/// A field that is missing may be there, misspelt: then that is what is wrong.
pub(crate) fn misspelt(error: Error, given: &Request) -> Error {
    let Error::InvalidArgument { field, message, .. } = &error else { return error };
    let unknown = given.fields().map(|(name, _)| name).filter(|name| !field_names().any(|known| known == *name));
    match nearest(field, unknown).filter(|_| message == MISSING) {
        Some(name) => no_field(given.op().unwrap_or("request"), &name, Some(field)),
        None => error,
    }
}

/// What was read of a field.
#[derive(Debug, Clone, Copy)]
enum Read<'v> {
    Text(&'v str),
    /// Points, a count, or milliseconds.
    Number(i64),
    Flag(bool),
    Instant(Instant),
    Quantity(Quantity),
    Uuid(Uuid),
    /// Judged by what stands beside it.
    Raw(&'v Value),
}

pub(crate) struct Fields<'v> {
    /// Few enough to look through.
    given: Vec<(&'v str, &'v Value)>,
    /// A bit for each of them that was asked for. No operation has 64 fields.
    asked: u64,
    read: Vec<(&'static str, Read<'v>)>,
    metadata: Option<&'v Metadata>,
    body: Body,
    /// `end_of_day` went into an instant.
    ends_a_day: bool,
    /// What is wrong with it, if it is not in the books already: there it stays as it is.
    unfit: Option<Box<Error>>,
}

/// Inputs in canonical form: by name, without what equals its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Body {
    values: Vec<(&'static str, Value)>,
    metadata: Option<Metadata>,
}

impl Body {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Adds an input that was not given.
    pub(crate) fn add(&mut self, name: &'static str, value: Value) {
        self.values.push((name, value));
        self.values.sort_unstable_by_key(|(name, _)| *name);
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| *name)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // Already by name: the metadata goes to its place among them.
        let (mut map, mut metadata) = (serializer.serialize_map(None)?, self.metadata.as_ref());
        for (name, value) in &self.values {
            if let Some(metadata) = metadata.take_if(|_| *name > "metadata") {
                map.serialize_entry("metadata", metadata)?;
            }
            map.serialize_entry(name, value)?;
        }
        metadata.iter().try_for_each(|metadata| map.serialize_entry("metadata", metadata))?;
        map.end()
    }
}

impl<'v> Fields<'v> {
    pub(crate) fn new(given: impl Iterator<Item = (&'v str, &'v Value)>) -> Self {
        let given: Vec<_> = given.collect();
        let (read, values) = (Vec::with_capacity(given.len()), Vec::with_capacity(given.len()));
        Fields {
            given,
            asked: 0,
            read,
            metadata: None,
            body: Body { values, metadata: None },
            ends_a_day: false,
            unfit: None,
        }
    }

    /// Those of a request.
    pub(crate) fn of(request: &'v Request) -> Self {
        Fields { metadata: request.metadata(), ..Fields::new(request.fields()) }
    }

    /// The end of a day, in the calendar given beside it: the instant is all that is kept.
    fn end_of(&mut self, name: &'static str, value: &Value) -> Result<Option<Instant>> {
        let day = value.as_str().and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
        let Some(day) = day.filter(|_| self.has("end_of_day")) else { return Ok(None) };
        let (east, _) = match self.take_text("end_of_day")? {
            Some(text) => offset("end_of_day", text)?,
            None => return Ok(None),
        };
        self.ends_a_day = true;
        let midnight = day.succ_opt().and_then(|next| next.and_hms_opt(0, 0, 0));
        let end = midnight.and_then(|midnight| midnight.and_utc().checked_sub_signed(TimeDelta::seconds(east)));
        let past = || Error::out_of_range(name, format!("the end of {day} is past the year 9999"));
        Instant::from_utc(name, end.ok_or_else(past)?).map(Some)
    }

    /// An account is judged where it is opened.
    pub(crate) fn judge_ends(&mut self, name: &str, text: &str) {
        if self.unfit.is_none() && name != "to" {
            self.unfit = check_ends(name, text).err().map(Box::new);
        }
    }

    /// What is wrong with it where it is new.
    pub(crate) fn unfit(&mut self) -> Option<Box<Error>> {
        self.unfit.take()
    }

    /// The field as given; `null` counts as left out.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'v Value> {
        // Those before are done with: each is asked for once.
        let (mut bit, rest) = (1_u64 << self.asked.trailing_ones().min(63), self.given.get(self.done()..)?);
        for (other, value) in rest {
            if *other == name {
                self.asked |= bit;
                return Some(*value).filter(|value| !value.is_null());
            }
            bit <<= 1;
        }
        None
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(other, value)| *other == name && !value.is_null())
    }

    pub(crate) fn take_text(&mut self, name: &str) -> Result<Option<&'v str>> {
        self.take(name).map(|value| text(name, value)).transpose()
    }

    pub(crate) fn keep(&mut self, name: &'static str, value: impl Into<Value>) {
        self.body.values.push((name, value.into()));
    }

    /// Reads these fields in their order, and keeps their canonical form unless it is the default.
    pub(crate) fn read(&mut self, fields: &'static [Field]) -> Result<()> {
        for field in fields {
            let read_already = field.name == "end_of_day" && self.ends_a_day;
            if read_already || (field.required.is_none() && self.rest().is_none()) {
                continue;
            }
            let Some(value) = self.take(field.name) else {
                if let FieldKind::Object(longest) = field.kind {
                    self.keep_metadata(field.name, longest)?;
                }
                match field.required {
                    // What is missing of a setting, its name says.
                    Some(help) if !matches!(field.kind, FieldKind::Setting(_)) => {
                        return Err(missing(field.name, help));
                    }
                    _ => continue,
                }
            };
            let ends =
                if matches!(field.kind, FieldKind::InstantOr(_)) { self.end_of(field.name, value)? } else { None };
            let (read, canonical) = match ends {
                Some(ends) => (Read::Instant(ends), ends.to_string().into()),
                None => read(field, value)?,
            };
            if let (Read::Text(text), FieldKind::Name | FieldKind::Text(_)) = (read, field.kind) {
                self.judge_ends(field.name, text);
            }
            self.read.push((field.name, read));
            if !canonical.is_null() && !is_default(field, &canonical) {
                self.keep(field.name, canonical);
            }
        }
        Ok(())
    }

    /// An object as it is; an empty one is none.
    fn keep_metadata(&mut self, name: &str, longest: usize) -> Result<()> {
        let Some(metadata) = self.metadata else { return Ok(()) };
        let twice = metadata.twice(name)?;
        let length = metadata.as_str().len();
        if length > longest {
            let help = format!("keep it within {longest} bytes");
            return Err(Error::invalid(name, format!("has {length} bytes of JSON"), help));
        }
        self.unfit = self.unfit.take().or(twice.map(Box::new));
        self.body.metadata = (metadata.as_str() != "{}").then(|| metadata.clone());
        Ok(())
    }

    /// Reads those of these fields that are given.
    pub(crate) fn read_given(&mut self, fields: &'static [Field]) -> Result<()> {
        for field in fields {
            if let Some(value) = self.take(field.name) {
                self.read.push((field.name, read(field, value)?.0));
            }
        }
        Ok(())
    }

    /// How many were asked for before the first that was not.
    fn done(&self) -> usize {
        usize::try_from(self.asked.trailing_ones()).unwrap_or(usize::MAX)
    }

    /// The first field that was not asked for.
    fn rest(&self) -> Option<&(&'v str, &'v Value)> {
        self.given.get(self.done())
    }

    /// Ends the reading: whatever was not asked for is unknown to this operation.
    pub(crate) fn finish(mut self, op: &str) -> Result<Body> {
        if let Some((name, _)) = self.rest() {
            let free = field_names().filter(|known| !self.has(known));
            return Err(no_field(op, name, nearest(name, free).as_deref()));
        }
        self.body.values.sort_unstable_by_key(|(name, _)| *name);
        Ok(self.body)
    }

    fn found(&self, name: &str) -> Option<Read<'v>> {
        self.read.iter().find(|(other, _)| *other == name).map(|(_, read)| *read)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'v str> {
        self.found(name).and_then(|read| if let Read::Text(text) = read { Some(text) } else { None })
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.found(name).and_then(|read| if let Read::Number(number) = read { Some(number) } else { None })
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.found(name).and_then(|read| if let Read::Flag(flag) = read { Some(flag) } else { None })
    }

    pub(crate) fn instant(&self, name: &str) -> Option<Instant> {
        self.found(name).and_then(|read| if let Read::Instant(instant) = read { Some(instant) } else { None })
    }

    fn quantity(&self, name: &str) -> Option<Quantity> {
        self.found(name).and_then(|read| if let Read::Quantity(quantity) = read { Some(quantity) } else { None })
    }

    pub(crate) fn uuid(&self, name: &str) -> Option<Uuid> {
        self.found(name).and_then(|read| if let Read::Uuid(id) = read { Some(id) } else { None })
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&'v Value> {
        self.found(name).and_then(|read| if let Read::Raw(value) = read { Some(value) } else { None })
    }

    /// What was used, and in which field it stands.
    pub(crate) fn usage(&self) -> Result<Option<Usage>> {
        let (unit, quantity) = (self.text("unit"), self.quantity("quantity"));
        if unit.is_some() && quantity.is_none() {
            return Err(Error::invalid(
                "unit",
                "is given without a quantity",
                "add the quantity, or leave the unit out",
            ));
        }
        let counted = quantity.map(|quantity| {
            let usage = Usage::quantity(quantity);
            if let Some(unit) = unit { usage.unit(unit) } else { usage }
        });
        let other = |name, kind| self.quantity(name).map(|quantity| Usage::new(kind, quantity));
        let all = [
            ("seconds", other("seconds", UsageKind::Seconds)),
            ("quantity", counted),
            ("chars", other("chars", UsageKind::Chars)),
            ("input_seconds", other("input_seconds", UsageKind::InputSeconds)),
        ];
        let mut found = all.into_iter().filter_map(|(name, usage)| usage.map(|usage| (name, usage)));
        match (found.next(), found.next()) {
            (Some((first, _)), Some((second, _))) => Err(given_beside(second, first, "give one usage")),
            (found, _) => Ok(found.map(|(_, usage)| usage)),
        }
    }
}

/// A field's value, and the form of it that is kept; null when there is nothing to keep.
fn read<'v>(field: &Field, value: &'v Value) -> Result<(Read<'v>, Value)> {
    let name = field.name;
    let kept_text = |text: &'v str| (Read::Text(text), text.into());
    let kept_number = |number: i64| (Read::Number(number), number.into());
    Ok(match field.kind {
        FieldKind::Id | FieldKind::Name => {
            let text = text(name, value)?;
            check_id(name, text)?;
            kept_text(text)
        }
        FieldKind::Text(longest) => kept_text(free_text(name, value, longest, false)?),
        FieldKind::Lines(longest) => kept_text(free_text(name, value, longest, true)?),
        FieldKind::Points(least) => kept_number(points(name, value, least)?),
        FieldKind::PointsOrAll if value == "all" => kept_text("all"),
        FieldKind::PointsOrAll => kept_number(points(name, value, 1)?),
        FieldKind::Count(least, most) => kept_number(count(name, value, least, most)?),
        FieldKind::Span => kept_number(span(name, value)?),
        FieldKind::Flag => match value {
            Value::Bool(flag) => (Read::Flag(*flag), value.clone()),
            other => {
                return Err(Error::invalid(name, format!("{other} is neither true nor false"), "write true or false"));
            }
        },
        FieldKind::InstantOr(words) if value.as_str().is_some_and(|text| words.contains(&text)) => {
            kept_text(text(name, value)?)
        }
        FieldKind::Instant | FieldKind::InstantOr(_) => {
            let instant = Instant::parse(name, text(name, value)?)?;
            (Read::Instant(instant), instant.to_string().into())
        }
        FieldKind::Offset => {
            let (seconds, canonical) = offset(name, text(name, value)?)?;
            (Read::Number(seconds), canonical.into())
        }
        FieldKind::Seconds => {
            let (millis, canonical) = milliseconds(name, value)?;
            (Read::Number(millis), canonical)
        }
        FieldKind::Quantity | FieldKind::Chars => {
            let quantity = quantity(name, value)?;
            if field.kind == FieldKind::Chars && quantity.decimals() > 0 {
                let message = format!("{quantity} is not a whole number");
                return Err(Error::invalid(name, message, "count whole characters"));
            }
            (Read::Quantity(quantity), quantity.to_string().into())
        }
        FieldKind::Choice(words) => kept_text(choice(name, text(name, value)?, words)?),
        FieldKind::Hash => kept_text(hash(name, text(name, value)?)?),
        FieldKind::Any => kept_text(text(name, value)?),
        FieldKind::Uuid => {
            let id = uuid(name, text(name, value)?)?;
            (Read::Uuid(id), id.to_string().into())
        }
        // Those given, each once and in their own order.
        FieldKind::Choices(words) => {
            let given = match value {
                Value::Array(list) => list.iter().collect(),
                one => vec![one],
            };
            let given =
                given.into_iter().map(|one| choice(name, text(name, one)?, words)).collect::<Result<Vec<_>>>()?;
            let kept: Value = words.iter().filter(|word| given.contains(word)).copied().collect();
            (Read::Raw(value), if given.is_empty() { Value::Null } else { kept })
        }
        FieldKind::Part(fields) => (Read::Raw(value), part(name, fields, value)?),
        FieldKind::Setting(_) | FieldKind::Object(_) => (Read::Raw(value), value.clone()),
    })
}

/// An object within a request, and the form of it that is kept.
fn part(name: &str, fields: &'static [Field], value: &Value) -> Result<Value> {
    let Some(given) = value.as_object() else {
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let help = format!("write a JSON object of {}", names.join(", "));
        return Err(Error::invalid(name, format!("{value} is not an object"), help));
    };
    let mut read = Fields::new(given.iter().map(|(name, value)| (name.as_str(), value)));
    let body = read.read(fields).and_then(|()| read.finish(name));
    let body = body.map_err(|error| error.within(name))?;
    serde_json::to_value(body).map_err(|error| Error::storage(format!("the inputs cannot be written: {error}")))
}

fn is_default(field: &Field, canonical: &Value) -> bool {
    field.default.is_some_and(|default| match canonical {
        Value::String(text) => text == default,
        other => other.as_i64().is_some_and(|number| default.parse() == Ok(number)),
    })
}

pub(crate) fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str> {
    value.as_str().ok_or_else(|| Error::invalid(name, format!("{value} is not a text"), "put it in quotes"))
}

fn free_text<'v>(name: &str, value: &'v Value, longest: usize, newlines: bool) -> Result<&'v str> {
    let text = text(name, value)?;
    if text.is_empty() || text.len() > longest {
        return Err(Error::invalid(
            name,
            format!("has {} bytes", text.len()),
            format!("give 1 to {longest} bytes, or leave it out"),
        ));
    }
    if text.chars().any(|c| c.is_control() && !(newlines && c == '\n')) {
        return Err(Error::invalid(
            name,
            "contains a control character",
            "remove it; only a description may have newlines",
        ));
    }
    Ok(text)
}

fn choice(name: &str, text: &str, words: &'static [&'static str]) -> Result<&'static str> {
    words.iter().copied().find(|word| *word == text).ok_or_else(|| {
        let (last, others) = words.split_last().unwrap_or((&"", &[]));
        Error::invalid(name, format!("there is no {name} `{text}`"), format!("use {} or {last}", others.join(", ")))
    })
}

/// Whole points; zero only where `least` is 0.
fn points(name: &str, value: &Value, least: i64) -> Result<i64> {
    let points = whole_number(name, value, "points")?;
    if points < least {
        let help = format!("give whole points, {least} or more");
        return Err(Error::invalid(name, format!("{points} is too few"), help));
    }
    if points > MAX_POINTS {
        return Err(Error::out_of_range(name, format!("{points} is more than {MAX_POINTS}")));
    }
    Ok(points)
}

pub(crate) fn count(name: &str, value: &Value, least: i64, most: i64) -> Result<i64> {
    match whole_number(name, value, "a number") {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) | Err(Error::OutOfRange { .. }) => {
            Err(Error::invalid(name, format!("{value} is not allowed"), format!("give {least} to {most}")))
        }
        Err(error) => Err(error),
    }
}

/// Days or months until something: at least one; too many end past the year 9999, which is out of range.
fn span(name: &str, value: &Value) -> Result<i64> {
    let number = whole_number(name, value, "a number")?;
    if number < 1 {
        return Err(Error::invalid(name, format!("{number} is too few"), "give 1 or more"));
    }
    Ok(number)
}

/// Seconds east of UTC, and the offset as it is kept.
fn offset<'v>(name: &str, text: &'v str) -> Result<(i64, &'v str)> {
    let text = if matches!(text, "Z" | "-00:00") { "+00:00" } else { text };
    let offset = chrono::FixedOffset::from_str(text).ok().map(|offset| i64::from(offset.local_minus_utc()));
    let offset = offset.filter(|offset| text.len() == 6 && offset % 60 == 0);
    let wrong = || Error::invalid(name, format!("`{text}` is not a UTC offset"), "write it like \"+08:00\"");
    Ok((offset.ok_or_else(wrong)?, text))
}

/// The text of 32 bytes.
fn hash<'v>(name: &str, text: &'v str) -> Result<&'v str> {
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(text);
    }
    let what = if name == "price_book" { "the quote's price_book" } else { "it, in lower case" };
    Err(Error::invalid(name, "is not a hash", format!("give the 64 hexadecimal digits of {what}")))
}

fn uuid(name: &str, text: &str) -> Result<Uuid> {
    let id = Uuid::parse_str(text).ok().filter(|_| text.len() == 36);
    id.ok_or_else(|| Error::invalid(name, format!("`{text}` is not a UUID"), "copy the id as it was told"))
}

/// A JSON integer or decimal text.
fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Seconds with at most three decimals, as milliseconds, and as they are kept.
fn milliseconds(name: &str, value: &Value) -> Result<(i64, Value)> {
    let wrong = || {
        let help = "give seconds above 0, like 3600 or \"0.5\"";
        Error::invalid(name, format!("{value} is not a number of seconds"), help)
    };
    let text = decimal(value).ok_or_else(wrong)?;
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 3 || text.ends_with('.') {
        return Err(wrong());
    }
    let millis = format!("{whole}{decimals:0<3}")
        .parse::<i64>()
        .ok()
        .filter(|millis| *millis <= Instant::MAX.millis())
        .ok_or_else(|| Error::out_of_range(name, format!("{text} seconds is past the year 9999")))?;
    match (millis / 1000, millis % 1000) {
        (0, 0) => Err(wrong()),
        (seconds, 0) => Ok((millis, seconds.into())),
        (seconds, rest) => Ok((millis, format!("{seconds}.{rest:03}").trim_end_matches('0').into())),
    }
}

fn quantity(name: &str, value: &Value) -> Result<Quantity> {
    let text = decimal(value).ok_or_else(|| {
        Error::invalid(
            name,
            format!("{value} is not an exact quantity"),
            "give a whole JSON number, or decimals as text like \"61.2\"",
        )
    })?;
    Quantity::parse(&text).map_err(|error| Error::invalid(name, error.to_string(), "give 0 or more, like \"61.2\""))
}

/// When points are to end, as far as it is said.
pub(super) fn expiry(fields: &Fields<'_>) -> Result<Option<Expiry>> {
    let all = ["expires_at", "expires_in_hours", "expires_in_days", "expires_in_months"];
    let mut given = all.into_iter().filter(|name| fields.has(name));
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        return Err(given_beside(second, first, "give one expiry"));
    }
    let zone = fields.number("end_of_day").and_then(|seconds| i32::try_from(seconds).ok());
    if let Some(hours) = fields.number("expires_in_hours") {
        return Ok(Some(Expiry::Hours(hours, zone)));
    }
    if let Some(days) = fields.number("expires_in_days") {
        return Ok(Some(Expiry::Days(days, zone)));
    }
    if let Some(months) = fields.number("expires_in_months") {
        return Ok(Some(Expiry::Months(months, zone)));
    }
    if zone.is_some() {
        return Err(Error::invalid(
            "end_of_day",
            "is given without a day that ends",
            "add expires_in_hours, expires_in_days, expires_in_months, or a date as expires_at; or leave it out",
        ));
    }
    let word = fields.text("expires_at").map(|word| if word == "never" { Expiry::Never } else { Expiry::PeriodEnd });
    Ok(fields.instant("expires_at").map(Expiry::At).or(word))
}

pub(crate) fn given_beside(second: &str, first: &str, help: &str) -> Error {
    Error::invalid(second, format!("is given beside `{first}`"), help)
}

pub(crate) fn missing(field: &str, help: &str) -> Error {
    Error::invalid(field, MISSING, help)
}

fn whole_number(name: &str, value: &Value, what: &str) -> Result<i64> {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                return Ok(whole);
            }
            // Integers past i64 arrive as unsigned or as floating point; only the size is looked at.
            if number.is_u64() || number.as_f64().is_some_and(|size| size >= 9.0e15) {
                return Err(Error::out_of_range(name, format!("{number} is too large")));
            }
            Err(Error::invalid(name, format!("{number} is not a whole number"), "give a whole number, like 1000"))
        }
        other => {
            Err(Error::invalid(name, format!("{other} is not {what}"), "give a whole JSON number, without quotes"))
        }
    }
}
