//! A request: one JSON object, the same for `batch` lines, language bindings and the stored body.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::pricing::PriceBook;
use crate::units::json_schema;

/// More than any operation has. What comes from outside is looked through once for each of its fields.
const MOST_FIELDS: usize = 64;

/// One operation as data: a JSON object with `op` and the fields of that operation.
///
/// Every write of the library goes through this form; the typed request structs ([`Recharge`](crate::Recharge),
/// [`Consume`](crate::Consume) …) build it. Unknown and repeated fields are refused.
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
#[derive(Debug, Clone)]
pub struct Request {
    /// As given. A list, for there are few fields, and most of their names are the library's own.
    fields: Vec<(Cow<'static, str>, Value)>,
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
        Request { fields, book: None }
    }

    /// Whether its shape is right: what needs neither file nor clock. Every verb finds the same before it looks at the file.
    ///
    /// ```
    /// use counterfoil::Request;
    /// let line = Request::parse(r#"{"op":"consume","account":"alice","key":"task:1","points":-1}"#)?;
    /// assert_eq!(line.check().unwrap_err().code(), "invalid_argument");
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument`, `out_of_range`.
    pub fn check(&self) -> Result<()> {
        super::Command::parse(self).map(drop)
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
        if self.get(&field).is_some() {
            self.fields.retain(|(name, _)| *name != field);
        }
        if !value.is_null() {
            self.fields.push((field, value));
        }
        self
    }

    /// The field's value, if it is given.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value))
    }

    pub(crate) fn quoted_by(self, book: Option<Arc<PriceBook>>) -> Self {
        Request { book, ..self }
    }

    pub(crate) fn book(&self) -> Option<&Arc<PriceBook>> {
        self.book.as_ref()
    }

    pub(crate) fn from_map(map: Map<String, Value>) -> Self {
        Request { fields: map.into_iter().map(|(name, value)| (name.into(), value)).collect(), book: None }
    }
}

/// The same fields, in whatever order.
impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len() && self.fields().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for Request {}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
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
                let mut request = Request { fields: Vec::new(), book: None };
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if request.fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom(format!("more than {MOST_FIELDS} fields")));
                    }
                    // A second "points" must not silently win over the first.
                    if request.get(&name).is_some() {
                        return Err(A::Error::custom(format!("field `{name}` is given twice")));
                    }
                    request.fields.push((name.into(), value));
                }
                Ok(request)
            }
        }

        deserializer.deserialize_map(Object)
    }
}
