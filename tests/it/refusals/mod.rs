//! Refusals: in the documented order, with nothing changed and no key burnt; and what counts as the same request.

mod again;
mod codes;
mod order;

use serde_json::{Map, Value};

/// Reads the JSON of a table.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn fields(text: &str) -> Map<String, Value> {
    json(if text.is_empty() { "{}" } else { text }).as_object().unwrap().clone()
}

/// The line with some fields changed, and those that are null left out.
fn patched(line: &Value, patch: &Map<String, Value>) -> Value {
    let mut line = line.as_object().unwrap().clone();
    line.extend(patch.clone());
    line.retain(|_, value| !value.is_null());
    Value::Object(line)
}
