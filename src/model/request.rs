//! A request: one JSON object, the same for `batch` lines, language bindings and the stored body.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request(Map<String, Value>);

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

    pub(crate) fn new(op: &str) -> Self {
        let mut map = Map::new();
        map.insert("op".into(), op.into());
        Request(map)
    }

    /// The kind of operation asked for.
    #[must_use]
    pub fn op(&self) -> Option<&str> {
        self.0.get("op").and_then(Value::as_str)
    }

    /// The same request with one field set (or, with `null`, left out).
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.0.remove(field),
            value => self.0.insert(field.into(), value),
        };
        self
    }

    /// The field's value, if it is given.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    pub(crate) fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) fn from_map(map: Map<String, Value>) -> Self {
        Request(map)
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation as a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    // A second "points" must not silently win over the first.
                    if map.contains_key(&name) {
                        return Err(A::Error::custom(format!("field `{name}` is given twice")));
                    }
                    map.insert(name, value);
                }
                Ok(map)
            }
        }

        deserializer.deserialize_map(Object).map(Request)
    }
}
