//! The JSON Schema of the answers, made from their types.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::audit::Verification;
use crate::error::ErrorInfo;
use crate::model::{
    AllotmentInfo, Balance, BatchInfo, Check, DeviceInfo, Entry, FlagInfo, HoldInfo, Overview, Page, PlanInfo, Quote,
    Receipt, StagedInfo, SyncStatus,
};
use crate::notice::Notice;
use crate::report::{BatchLife, ClockInfo, Explanation, Found, Info, Missing, PaidOperation, Statement, UsageLine};

/// Instead of the receipt, for a line of a run that was refused.
#[derive(JsonSchema, Deserialize)]
#[allow(dead_code, reason = "whoever reads the lines writes it")]
struct Refusal {
    /// What was wrong.
    error: ErrorInfo,
    /// The line's number, from 1.
    line: u64,
    /// Its `op`, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<String>,
    /// Its `key`, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Its `account`, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The shape of an answer. Every one can be read back.
fn shape<T: JsonSchema + DeserializeOwned>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What is answered: to an operation, and to each question by its name.
const ANSWERS: &[(&str, Shape)] = &[
    ("receipt", shape::<Receipt>),
    ("error", shape::<ErrorInfo>),
    ("refusal", shape::<Refusal>),
    ("notice", shape::<Notice>),
    ("balance", shape::<Balance>),
    ("check", shape::<Check>),
    ("price", shape::<Quote>),
    ("estimate", shape::<Quote>),
    ("batches", shape::<Page<BatchInfo>>),
    ("holds", shape::<Page<HoldInfo>>),
    ("plans", shape::<Page<PlanInfo>>),
    ("history", shape::<Page<Entry>>),
    ("overview", shape::<Overview>),
    ("expiring", shape::<Vec<BatchInfo>>),
    ("accounts", shape::<Page<Balance>>),
    ("usage", shape::<Page<UsageLine>>),
    ("statement", shape::<Statement>),
    ("missing", shape::<Missing>),
    ("explain", shape::<Explained>),
    ("operation", shape::<PaidOperation>),
    ("find", shape::<Page<Found>>),
    ("info", shape::<Info>),
    ("staged", shape::<Page<StagedInfo>>),
    ("flags", shape::<Page<FlagInfo>>),
    ("allotments", shape::<Page<AllotmentInfo>>),
    ("sync", shape::<SyncStatus>),
    ("devices", shape::<Page<DeviceInfo>>),
    ("clock", shape::<ClockInfo>),
    ("verify", shape::<Verification>),
];

/// An operation, or a batch.
#[derive(JsonSchema, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, clippy::large_enum_variant, reason = "told by its schema alone")]
enum Explained {
    Operation(Explanation),
    Batch(BatchLife),
}

/// The JSON Schema (draft 2020-12) of every answer, with its name as title: a `receipt`, an `error`, the `refusal` of a line,
/// a `notice`, and the answer to each question under the question's name. `docs/answer.schema.json` in the repository is this.
/// Answers may grow: pass over names you do not know. Needs the feature `schema`.
///
/// ```
/// let schema = counterfoil::schema::answer_schema();
/// assert_eq!(schema["anyOf"][4]["title"], "balance");
/// assert_eq!(schema["anyOf"][4]["$ref"], "#/$defs/Balance");
/// ```
#[must_use]
pub fn answer_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let titled = |(name, shape): &(&str, Shape)| {
        let mut schema = shape(&mut generator);
        schema.insert("title".into(), json!(name));
        schema
    };
    let answers: Vec<Schema> = ANSWERS.iter().map(titled).collect();
    let mut schema = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "counterfoil answer",
        "anyOf": answers,
        "$defs": generator.take_definitions(true),
    });
    RecursiveTransform(plain).transform(&mut schema);
    schema.into()
}

/// What is said of a shape ends before the examples in Rust. Null is left out of answers: what may be left out is never null.
fn plain(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::String(said)) = schema.get_mut("description") {
        said.truncate(said.find("\n\n```").unwrap_or(said.len()));
    }
    let required = schema.get("required").cloned().unwrap_or_default();
    let required = |name: &String| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (_, property) in properties.iter_mut().filter(|(name, _)| !required(name)) {
        let Some(property) = property.as_object_mut() else { continue };
        if let Some(Value::Array(types)) = property.get("type") {
            let other = types.iter().find(|one| *one != "null").cloned();
            property.extend(other.map(|other| ("type".into(), other)));
        }
        if let Some(Value::Array(shapes)) = property.remove("anyOf") {
            property.extend(shapes.into_iter().filter_map(|shape| match shape {
                Value::Object(shape) => shape.get_key_value("$ref").map(|(name, to)| (name.clone(), to.clone())),
                _ => None,
            }));
        }
    }
}
