//! One line of an exchange file: a JSON object, its fields taken by name. What nobody takes is a newer program's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::model::Look;
use crate::units::Instant;

/// How deep objects and arrays may stand in each other, the line itself counted.
const DEEPEST: usize = 16;
/// How many fields a line may have.
const MOST_FIELDS: usize = 256;

/// The fields of a line that were not taken yet.
pub(super) struct Fields<'t>(BTreeMap<Name<'t>, &'t RawValue>);

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'t> Fields<'t> {
    /// A line, without its end.
    pub(super) fn of(line: &'t [u8]) -> Result<Self> {
        let text = std::str::from_utf8(line).map_err(|_| format("is not UTF-8"))?;
        serde_json::from_str(text).map_err(|error| format(error.to_string()))
    }

    /// A field that may be left out. What it holds is read as strictly as its type is.
    pub(super) fn may<T: Deserialize<'t>>(&mut self, name: &'static str) -> Result<Option<T>> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| format(format_args!("{name}: {error}"))).map(Some)
    }

    pub(super) fn must<T: Deserialize<'t>>(&mut self, name: &'static str) -> Result<T> {
        self.may(name)?.ok_or_else(|| format(format_args!("{name} is missing")))
    }

    /// A whole number of a range.
    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Result<i64> {
        let number = self.must(name)?;
        match range.contains(&number) {
            true => Ok(number),
            false => Err(format(format_args!("{name} is {number}"))),
        }
    }

    pub(super) fn instant(&mut self, name: &'static str) -> Result<Instant> {
        self.number(name, Instant::MIN.millis()..=Instant::MAX.millis()).map(Instant::clamped)
    }

    /// A field as its text.
    pub(super) fn raw(&mut self, name: &'static str) -> Option<&'t RawValue> {
        self.0.remove(&Name(Cow::Borrowed(name)))
    }

    /// A field that holds an object of somebody else's, with nothing in it that no line may have.
    pub(super) fn object(&mut self, name: &'static str) -> Result<&'t str> {
        let text = self.raw(name).ok_or_else(|| format(format_args!("{name} is missing")))?.get();
        if !text.starts_with('{') {
            return Err(format(format_args!("{name} is no object")));
        }
        plain(name, text)?;
        Ok(text)
    }

    /// Passes over the fields nobody knows: a newer program's, for those who understand them.
    pub(super) fn pass_over(self) -> Result<()> {
        self.0.into_iter().try_for_each(|(name, value)| plain(&name.0, value.get()))
    }

    /// Refuses fields nobody knows.
    pub(super) fn end(self) -> Result<()> {
        self.0.into_keys().next().map_or(Ok(()), |name| Err(format(format_args!("nobody knows {}", name.0))))
    }
}

/// What holds of every value in a line.
fn plain(name: &str, text: &str) -> Result<()> {
    let looked = Look::within(text, DEEPEST.saturating_sub(1));
    if looked.depth >= DEEPEST {
        return Err(Error::bad_file("limits", format!("{name} is nested deeper than {DEEPEST} levels")));
    }
    if let Some(twice) = looked.twice {
        return Err(format(format_args!("{name}: `{twice}` is given twice")));
    }
    if looked.fraction {
        return Err(format(format_args!("{name} holds a number that is not whole")));
    }
    looked.wrong.map_or(Ok(()), |wrong| Err(format(format_args!("{name} {wrong}"))))
}

/// Something is not written as it has to be.
pub(super) fn format(message: impl fmt::Display) -> Error {
    Error::bad_file("format", message.to_string())
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut fields: BTreeMap<Name<'de>, &RawValue> = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if let Some((twice, _)) = fields.remove_entry(&name) {
                return Err(A::Error::custom(format_args!("`{}` is given twice", twice.0)));
            }
            fields.insert(name, value);
            if fields.len() > MOST_FIELDS {
                return Err(A::Error::custom(format_args!("there are more than {MOST_FIELDS} fields")));
            }
        }
        Ok(Fields(fields))
    }
}
