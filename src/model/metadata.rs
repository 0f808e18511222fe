//! Metadata: a JSON object kept, and hashed, as the text given. Read into numbers and maps it would lose digits, the order of
//! its names and the first of two that are equal.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, forward_to_deserialize_any};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::Look;
use crate::error::{Error, Result};

/// Deeper than this no reader of JSON need go.
pub(crate) const DEEPEST: usize = 100;

/// A JSON object as the text it was given as, every digit included; white space between its parts is left out.
///
/// ```
/// use counterfoil::Metadata;
/// let metadata = Metadata::parse(r#"{"payment": 420000123420261126123456789012, "price": 1.10}"#)?;
/// assert_eq!(metadata.as_str(), r#"{"payment":420000123420261126123456789012,"price":1.10}"#);
/// assert!(Metadata::parse(r#"{"id":1,"id":2}"#).is_err());
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata(#[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, Value>"))] Arc<str>);

impl Metadata {
    /// Reads a JSON object. Its length is judged when it is used.
    ///
    /// # Errors
    /// `invalid_argument` when the text is no JSON object, names something twice, or contains a NUL character.
    pub fn parse(text: &str) -> Result<Self> {
        let metadata: Metadata = serde_json::from_str(text)
            .map_err(|error| Error::invalid("metadata", format!("is not JSON: {error}"), LIKE))?;
        match metadata.twice("metadata")? {
            Some(twice) => Err(twice),
            None => Ok(metadata),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether another says the same, in whatever order: a program may write the names of a map as it comes past them.
    pub(crate) fn says_the_same(&self, other: &Metadata) -> bool {
        self == other || in_order(&self.0) == in_order(&other.0)
    }

    /// Refuses what is no object that can be kept; else what is to be said of a name that is given twice, which what was
    /// kept before may have.
    pub(crate) fn twice(&self, field: &str) -> Result<Option<Error>> {
        if !self.0.starts_with('{') {
            return Err(Error::invalid(field, "is not a JSON object", LIKE));
        }
        let looked = Look::at(&self.0);
        let deep = (looked.depth > DEEPEST).then_some("is nested too deeply");
        if let Some(wrong) = deep.or(looked.wrong) {
            return Err(Error::invalid(field, wrong, "remove it"));
        }
        Ok(looked.twice.map(|name| twice(field, &name)))
    }
}

const LIKE: &str = "write it like {\"project\":\"7\"}";

fn twice(field: &str, name: &str) -> Error {
    Error::invalid(field, format!("`{name}` is given twice in it"), "give each name once")
}

impl From<Map<String, Value>> for Metadata {
    fn from(object: Map<String, Value>) -> Self {
        Metadata::of(&Value::Object(object))
    }
}

impl Metadata {
    pub(crate) fn of(value: &Value) -> Self {
        Metadata(value.to_string().into())
    }
}

impl FromStr for Metadata {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Metadata::parse(text)
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // It was read as JSON, so it is.
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = raw(deserializer)?;
        let mut dense = String::with_capacity(raw.get().len());
        Look::over(raw.get(), usize::MAX, |piece| dense.push_str(piece));
        Ok(Metadata(dense.into()))
    }
}

/// A JSON text with the names of its objects in order; numbers stay as they are written.
fn in_order(text: &str) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    if let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        let part = |(name, value): (String, &RawValue)| format!("{}:{}", Value::from(name), in_order(value.get()));
        return format!("{{{}}}", joined(object.into_iter().map(part).collect()));
    }
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(text) {
        return format!("[{}]", joined(list.into_iter().map(|value| in_order(value.get())).collect()));
    }
    serde_json::from_str::<String>(text).map_or_else(|_| text.into(), |said| Value::from(said).to_string())
}

/// The text of a JSON value. One that was read already, as within an enum told apart by what it holds, is written again.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Box<RawValue>, D::Error> {
    Box::<RawValue>::deserialize(Reader(deserializer))
}

/// Serde hands over what was read already as a value, where serde_json hands over its text.
struct Reader<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Reader<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Text { name, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Text<V> {
    name: &'static str,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Text<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, text: A) -> std::result::Result<V::Value, A::Error> {
        self.visitor.visit_map(text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, read: D) -> std::result::Result<V::Value, D::Error> {
        let value = Value::deserialize(read)?;
        value.deserialize_newtype_struct(self.name, self.visitor).map_err(D::Error::custom)
    }
}

/// A JSON value in which no name is given twice.
pub(super) struct Once(pub(super) Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = raw(deserializer)?;
        match Look::at(raw.get()).twice {
            Some(name) => Err(D::Error::custom(format!("`{name}` is given twice"))),
            None => serde_json::from_str(raw.get()).map(Once).map_err(D::Error::custom),
        }
    }
}
