//! A request: one JSON object, the same for `batch` lines, language bindings and the stored body.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::metadata::{Metadata, Once};
use super::operations::TARGETS;
use crate::error::{Error, Result};
use crate::pricing::PriceBook;
use crate::units::json_schema;

/// More than any operation has. What comes from outside is looked through once for each of its fields.
const MOST_FIELDS: usize = 64;
const METADATA: &str = "metadata";
const ROLLOVER: &str = "rollover";

/// One operation as data: a JSON object with `op` and the fields of that operation.
///
/// Every write of the library goes through this form; the typed request structs ([`Recharge`](crate::Recharge),
/// [`Consume`](crate::Consume) …) build it. Unknown and repeated fields are refused. Its metadata is kept as the text given.
///
/// ```
/// use counterfoil::Request;
/// let line = r#"{"op":"recharge","account":"alice","key":"order:881","points":320,"source":"wxpay"}"#;
/// let request = Request::parse(line)?;
/// assert_eq!(request.op(), Some("recharge"));
/// let twice = Request::parse(r#"{"op":"consume","points":1,"points":1000}"#);
/// assert_eq!(twice.unwrap_err().code(), "invalid_argument");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// As given. A list, for there are few fields, and most of their names are the library's own.
    fields: Vec<(Cow<'static, str>, Value)>,
    metadata: Option<Metadata>,
    /// The book of the quote it carries, which a ledger may not have loaded. No part of the JSON: that names it.
    book: Option<Arc<PriceBook>>,
}

impl Request {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// `invalid_argument` when the text is not one JSON object, or names a field twice.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::invalid(
                "request",
                format!("not one JSON object: {error}"),
                "write one operation per line, like {\"op\":\"recharge\",…}",
            )
        })
    }

    /// An operation of this kind, its fields still to be given.
    ///
    /// ```
    /// use counterfoil::Request;
    /// let request = Request::new("freeze").with("account", "alice").with("key", "case:1").with("reason", "stolen card");
    /// assert_eq!(request.get("reason").and_then(|reason| reason.as_str()), Some("stolen card"));
    /// ```
    #[must_use]
    pub fn new(op: impl Into<String>) -> Self {
        let mut fields = Vec::with_capacity(8);
        fields.push(("op".into(), op.into().into()));
        Request { fields, ..Request::default() }
    }

    /// The kind of operation asked for.
    #[must_use]
    pub fn op(&self) -> Option<&str> {
        self.get("op").and_then(Value::as_str)
    }

    /// The same request with one field set (or, with `null`, left out).
    #[must_use]
    pub fn with(mut self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let (field, value) = (field.into(), value.into());
        if field == METADATA {
            self.metadata = (!value.is_null()).then(|| Metadata::of(&value));
            return self;
        }
        if self.get(&field).is_some() {
            self.fields.retain(|(name, _)| *name != field);
        }
        if !value.is_null() {
            self.fields.push((field, value));
        }
        self
    }

    /// The same request with this metadata.
    ///
    /// ```
    /// use counterfoil::{Metadata, Request};
    /// let request = Request::new("consume").with_metadata(Metadata::parse(r#"{"price":1.10}"#)?);
    /// assert_eq!(request.metadata().map(Metadata::as_str), Some(r#"{"price":1.10}"#));
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// The metadata, if any is given.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The field's value, if it is given. Metadata is no value, but [text](Request::metadata).
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Every field that is given. Metadata, which is judged by itself, has no value here.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values().chain(self.metadata.iter().map(|_| (METADATA, &Value::Null)))
    }

    pub(crate) fn quoted_by(self, book: Option<Arc<PriceBook>>) -> Self {
        Request { book, ..self }
    }

    pub(crate) fn book(&self) -> Option<&Arc<PriceBook>> {
        self.book.as_ref()
    }
}

/// The same fields, in whatever order.
impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len()
            && self.metadata == other.metadata
            && self.values().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for Request {}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.values().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        self.metadata.iter().try_for_each(|metadata| map.serialize_entry(METADATA, metadata))?;
        map.end()
    }
}

json_schema!(Request as "Request", {
    "description": "An operation as docs/request.schema.json tells it.",
    "type": "object",
    "required": ["op"],
});

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Request;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation as a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
                let mut request = Request::default();
                while let Some(name) = access.next_key::<String>()? {
                    if request.fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom(format!("more than {MOST_FIELDS} fields")));
                    }
                    // A second "points" must not silently win over the first.
                    if request.fields().any(|(other, _)| other == name) {
                        return Err(A::Error::custom(format!("field `{name}` is given twice")));
                    }
                    match name.as_str() {
                        METADATA => request.metadata = Some(access.next_value()?),
                        // It may be an object that points at an earlier line.
                        // So is a part of it an object.
                        object if TARGETS.contains(&object) || object == ROLLOVER => {
                            let value = access.next_value::<Once>()?.0;
                            request.fields.push((name.into(), value));
                        }
                        _ => request.fields.push((name.into(), access.next_value()?)),
                    }
                }
                // Null counts as left out.
                request.metadata = request.metadata.filter(|metadata| metadata.as_str() != "null");
                Ok(request)
            }
        }

        deserializer.deserialize_map(Object)
    }
}
