//! Reads a request's fields one by one, checks each, and collects their canonical form: the body that is stored,
//! hashed, and compared when a key comes again.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Request;
use super::ids::check_id;
use crate::error::{Error, Result};
use crate::quantity::{Quantity, Usage, UsageKind};
use crate::spelling::nearest;
use crate::units::{Instant, MAX_POINTS};

/// Longest description or reason, and longest metadata as JSON text.
const LONG_TEXT: usize = 4096;
const REFERENCE_TEXT: usize = 1024;
const MISSING: &str = "is missing";

/// Every field there is: what a misspelt one may have been meant for.
const NAMES: [&str; 36] = [
    "op",
    "account",
    "key",
    "at",
    "reference",
    "description",
    "actor",
    "metadata",
    "points",
    "service",
    "seconds",
    "quantity",
    "unit",
    "chars",
    "input_seconds",
    "policy",
    "occurred_at",
    "source",
    "expires_at",
    "expires_in_days",
    "expires_in_months",
    "end_of_day",
    "effective_at",
    "priority",
    "promo",
    "hold",
    "deadline_seconds",
    "operation",
    "batch",
    "reason",
    "shortfall",
    "to",
    "credit_limit",
    "setting",
    "value",
    "ref_line",
];

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
    let unknown = given.fields().map(|(name, _)| name).filter(|name| !NAMES.contains(name));
    match nearest(field, unknown).filter(|_| message == MISSING) {
        Some(name) => no_field(given.op().unwrap_or("request"), &name, Some(field)),
        None => error,
    }
}

pub(crate) struct Fields<'v> {
    /// Few enough to look through; the flag: it was asked for.
    given: Vec<(&'v str, &'v Value, bool)>,
    body: Body,
}

/// Inputs in canonical form: by name, without what equals its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Body(Vec<(&'static str, Value)>);

impl Body {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'v> Fields<'v> {
    pub(crate) fn new(given: impl Iterator<Item = (&'v str, &'v Value)>) -> Self {
        let given = given.map(|(name, value)| (name, value, false)).collect();
        Fields { given, body: Body::default() }
    }

    fn given(&self, name: &str) -> Option<&'v Value> {
        self.given.iter().find(|(other, ..)| *other == name).map(|(_, value, _)| *value)
    }

    /// The field as given; `null` counts as left out.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        let (_, value, asked) = self.given.iter_mut().find(|(other, ..)| *other == name)?;
        *asked = true;
        Some(*value).filter(|value| !value.is_null())
    }

    pub(crate) fn keep(&mut self, name: &'static str, value: impl Into<Value>) {
        self.body.0.push((name, value.into()));
    }

    /// Takes a value out of the canonical form again: it equals its default.
    pub(crate) fn forget(&mut self, name: &str) {
        self.body.0.retain(|(other, _)| *other != name);
    }

    pub(crate) fn peek_text(&self, name: &str) -> Option<&str> {
        self.given(name).and_then(Value::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.given(name).is_some_and(|value| !value.is_null())
    }

    /// Ends the reading: whatever was not asked for is unknown to this operation.
    pub(crate) fn finish(mut self, op: &str) -> Result<Body> {
        if let Some((name, ..)) = self.given.iter().find(|(.., asked)| !asked) {
            let free = NAMES.into_iter().filter(|known| !self.has(known));
            return Err(no_field(op, name, nearest(name, free).as_deref()));
        }
        self.body.0.sort_unstable_by_key(|(name, _)| *name);
        Ok(self.body)
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'v str>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Error::invalid(name, format!("{other} is not a text"), "put it in quotes")),
        }
    }

    /// A short text of the app's: 1 to 128 bytes like an account id.
    pub(crate) fn name(&mut self, name: &'static str) -> Result<Option<&'v str>> {
        let text = self.text(name)?;
        if let Some(text) = text {
            check_id(name, text)?;
            self.keep(name, text);
        }
        Ok(text)
    }

    fn free_text(&mut self, name: &'static str, longest: usize, newlines: bool) -> Result<Option<&'v str>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
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
        self.keep(name, text);
        Ok(Some(text))
    }

    /// The free facts every operation may carry.
    pub(crate) fn facts(&mut self) -> Result<()> {
        self.free_text("reference", REFERENCE_TEXT, false)?;
        self.free_text("description", LONG_TEXT, true)?;
        self.free_text("actor", REFERENCE_TEXT, false)?;
        if let Some(metadata) = self.take("metadata") {
            let Value::Object(object) = metadata else {
                return Err(Error::invalid("metadata", "is not a JSON object", "write it like {\"project\":\"7\"}"));
            };
            let length = metadata.to_string().len();
            if length > LONG_TEXT {
                return Err(Error::invalid(
                    "metadata",
                    format!("has {length} bytes of JSON"),
                    "keep it within 4096 bytes",
                ));
            }
            if has_nul(metadata) {
                return Err(Error::invalid("metadata", "contains a NUL character", "remove it"));
            }
            if !object.is_empty() {
                self.keep("metadata", metadata.clone());
            }
        }
        Ok(())
    }

    pub(crate) fn reason(&mut self) -> Result<()> {
        self.free_text("reason", LONG_TEXT, false)?
            .map(drop)
            .ok_or_else(|| missing("reason", "say why: it is kept in the books"))
    }

    /// Whole points; zero only where `least` is 0.
    pub(crate) fn points(&mut self, name: &'static str, least: i64) -> Result<Option<i64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let points = whole_number(name, value, "points")?;
        if points < least {
            return Err(Error::invalid(
                name,
                format!("{points} is too few"),
                format!("give whole points, {least} or more"),
            ));
        }
        if points > MAX_POINTS {
            return Err(Error::out_of_range(name, format!("{points} is more than {MAX_POINTS}")));
        }
        self.keep(name, points);
        Ok(Some(points))
    }

    pub(crate) fn count(&mut self, name: &'static str, least: i64, most: i64) -> Result<Option<i64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(name, value, "a number") {
            Ok(number) if (least..=most).contains(&number) => {
                self.keep(name, number);
                Ok(Some(number))
            }
            Ok(_) | Err(Error::OutOfRange { .. }) => {
                Err(Error::invalid(name, format!("{value} is not allowed"), format!("give {least} to {most}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Days or months until something: at least one; too many end past the year 9999, which is out of range.
    pub(crate) fn span(&mut self, name: &'static str) -> Result<Option<i64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = whole_number(name, value, "a number")?;
        if number < 1 {
            return Err(Error::invalid(name, format!("{number} is too few"), "give 1 or more"));
        }
        self.keep(name, number);
        Ok(Some(number))
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => {
                self.keep(name, *flag);
                Ok(Some(*flag))
            }
            Some(other) => {
                Err(Error::invalid(name, format!("{other} is neither true nor false"), "write true or false"))
            }
        }
    }

    pub(crate) fn instant(&mut self, name: &'static str) -> Result<Option<Instant>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let instant = Instant::parse(name, text)?;
        self.keep(name, instant.to_string());
        Ok(Some(instant))
    }

    /// Seconds with at most three decimals, as milliseconds: a JSON integer or decimal text.
    pub(crate) fn milliseconds(&mut self, name: &'static str) -> Result<Option<i64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let wrong = || {
            Error::invalid(
                name,
                format!("{value} is not a number of seconds"),
                "give seconds above 0, like 3600 or \"0.5\"",
            )
        };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return Err(wrong()),
        };
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
        if millis == 0 {
            return Err(wrong());
        }
        let canonical = match (millis / 1000, millis % 1000) {
            (seconds, 0) => Value::from(seconds),
            (seconds, rest) => Value::from(format!("{seconds}.{rest:03}").trim_end_matches('0')),
        };
        self.keep(name, canonical);
        Ok(Some(millis))
    }

    fn quantity(&mut self, name: &'static str) -> Result<Option<Quantity>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            other => {
                return Err(Error::invalid(
                    name,
                    format!("{other} is not an exact quantity"),
                    "give a whole JSON number, or decimals as text like \"61.2\"",
                ));
            }
        };
        let quantity = Quantity::parse(&text)
            .map_err(|error| Error::invalid(name, error.to_string(), "give 0 or more, like \"61.2\""))?;
        self.keep(name, quantity.to_string());
        Ok(Some(quantity))
    }

    /// What was used. `chars` and `input_seconds` only where the operation takes them.
    pub(crate) fn usage(&mut self, chars: bool, input_seconds: bool) -> Result<Option<Usage>> {
        for (name, taken) in [("chars", chars), ("input_seconds", input_seconds)] {
            if !taken && self.has(name) {
                return Err(Error::invalid(
                    name,
                    "is what is known before the work: for estimate and hold",
                    "give what was used: seconds, or a quantity",
                ));
            }
        }
        let mut found: Vec<(&str, Usage)> = Vec::new();
        if let Some(seconds) = self.quantity("seconds")? {
            found.push(("seconds", Usage::new(UsageKind::Seconds, seconds)));
        }
        if let Some(quantity) = self.quantity("quantity")? {
            let usage = Usage::quantity(quantity);
            found.push((
                "quantity",
                match self.name("unit")? {
                    Some(unit) => usage.unit(unit),
                    None => usage,
                },
            ));
        } else if self.take("unit").is_some() {
            return Err(Error::invalid(
                "unit",
                "is given without a quantity",
                "add the quantity, or leave the unit out",
            ));
        }
        if chars && let Some(count) = self.quantity("chars")? {
            if count.decimals() > 0 {
                return Err(Error::invalid(
                    "chars",
                    format!("{count} is not a whole number"),
                    "count whole characters",
                ));
            }
            found.push(("chars", Usage::new(UsageKind::Chars, count)));
        }
        if input_seconds && let Some(seconds) = self.quantity("input_seconds")? {
            found.push(("input_seconds", Usage::new(UsageKind::InputSeconds, seconds)));
        }
        if let [(first, _), (second, _), ..] = found.as_slice() {
            return Err(Error::invalid(*second, format!("is given beside `{first}`"), "give one usage"));
        }
        Ok(found.pop().map(|(_, usage)| usage))
    }
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

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
