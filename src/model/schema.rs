//! The JSON Schemas of requests and questions, made from their tables.

use std::iter;

use serde_json::{Map, Value, json};

use super::operations::{Field, FieldKind, MOST_GLOBAL_KEYS, OPERATIONS, Operation};
use super::{QUESTIONS, QuestionKind};
use crate::units::MAX_POINTS;

/// The JSON Schema (draft 2020-12) of a request. It tells names, kinds and limits; which fields go together, the parser
/// judges. `docs/request.schema.json` in the repository is this.
///
/// ```
/// let schema = counterfoil::schema::request_schema();
/// assert_eq!(schema["oneOf"][0]["properties"]["op"]["const"], "open");
/// ```
#[must_use]
pub fn request_schema() -> Value {
    let one = |operation: &Operation| object(("op", operation.name), operation.help, operation.all_fields());
    one_of("counterfoil request", OPERATIONS.iter().map(one))
}

/// The same of a question; `docs/question.schema.json`.
///
/// ```
/// let schema = counterfoil::schema::question_schema();
/// assert_eq!(schema["oneOf"][0]["properties"]["get"]["const"], "balance");
/// ```
#[must_use]
pub fn question_schema() -> Value {
    let one = |question: &QuestionKind| object(("get", question.name), question.help, question.fields.iter());
    one_of("counterfoil question", QUESTIONS.iter().map(one))
}

fn one_of(title: &str, kinds: impl Iterator<Item = Value>) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "oneOf": kinds.collect::<Vec<_>>(),
    })
}

/// The objects of one kind, which this field names.
fn object((kind, name): (&str, &str), help: &str, fields: impl Iterator<Item = &'static Field>) -> Value {
    let (properties, required) = members(fields);
    let properties: Map<_, _> = iter::once((kind.into(), json!({ "const": name }))).chain(properties).collect();
    let required: Vec<&str> = iter::once(kind).chain(required).collect();
    json!({
        "type": "object",
        "description": help,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The members of an object, and which of them are required.
fn members(fields: impl Iterator<Item = &'static Field>) -> (Map<String, Value>, Vec<&'static str>) {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for one in fields {
        properties.insert(one.name.into(), field(one));
        required.extend(one.required.map(|_| one.name));
    }
    (properties, required)
}

/// Null is the same as left out.
fn field(field: &Field) -> Value {
    let (mut types, limits) = kind(field.kind);
    if field.required.is_none() {
        types.push("null");
    }
    let mut schema = json!({ "type": types, "description": field.help });
    if let (Some(schema), Value::Object(limits)) = (schema.as_object_mut(), limits) {
        schema.extend(limits);
        let number = |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
        schema.extend(field.default.map(|default| ("default".into(), number(default))));
    }
    schema
}

fn kind(kind: FieldKind) -> (Vec<&'static str>, Value) {
    match kind {
        // A run of lines may point at an earlier one by an object.
        FieldKind::Id => (vec!["string", "object"], json!({})),
        FieldKind::Name => (vec!["string"], json!({ "minLength": 1, "maxLength": 128 })),
        FieldKind::Text(longest) | FieldKind::Lines(longest) => {
            (vec!["string"], json!({ "minLength": 1, "maxLength": longest }))
        }
        FieldKind::Object(_) => (vec!["object"], json!({})),
        FieldKind::Part(fields) => {
            let (properties, required) = members(fields.iter());
            (vec!["object"], json!({ "properties": properties, "required": required, "additionalProperties": false }))
        }
        FieldKind::Points(least) => (vec!["integer"], json!({ "minimum": least, "maximum": MAX_POINTS })),
        FieldKind::PointsOrAll => {
            (vec!["integer", "string"], json!({ "minimum": 1, "maximum": MAX_POINTS, "pattern": "^all$" }))
        }
        FieldKind::Count(least, most) => (vec!["integer"], json!({ "minimum": least, "maximum": most })),
        FieldKind::Span => (vec!["integer"], json!({ "minimum": 1 })),
        FieldKind::Flag => (vec!["boolean"], json!({})),
        FieldKind::Instant => (vec!["string"], json!({ "format": "date-time" })),
        FieldKind::InstantOr(_) => (vec!["string"], json!({})),
        FieldKind::Offset => (vec!["string"], json!({ "pattern": "^(Z|[+-][0-9]{2}:[0-9]{2})$" })),
        FieldKind::Seconds => {
            (vec!["integer", "string"], json!({ "minimum": 1, "pattern": "^[0-9]+([.][0-9]{1,3})?$" }))
        }
        FieldKind::Quantity | FieldKind::Chars => (vec!["integer", "string"], json!({ "minimum": 0 })),
        FieldKind::Choice(words) => (vec!["string"], json!({ "pattern": format!("^({})$", words.join("|")) })),
        FieldKind::Hash => (vec!["string"], json!({ "pattern": "^[0-9a-f]{64}$" })),
        FieldKind::Uuid => (vec!["string"], json!({ "format": "uuid" })),
        FieldKind::Any => (vec!["string"], json!({})),
        FieldKind::Choices(words) => (
            vec!["string", "array"],
            json!({ "pattern": format!("^({})$", words.join("|")), "items": { "enum": words } }),
        ),
        FieldKind::Setting(most) => (
            vec!["integer", "string", "array"],
            json!({
                "minimum": 0, "maximum": most, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "maxItems": MOST_GLOBAL_KEYS
            }),
        ),
    }
}
