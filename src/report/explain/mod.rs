//! Explanations: of an operation, of what an account misses, of a batch's life. All of it is read from the movements of
//! lines, those of an operation from its own and the ones that touch it.

mod back;
mod batch;
mod missing;
mod operation;
mod order;
mod past;
mod reckoning;
mod settled;
mod since;
mod trail;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::engine::{Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{OperationRow, Request};
use crate::store::SqlSource;
use crate::units::{is_false, is_zero};

pub use back::Destination;
pub use batch::{BatchLife, BatchUse, LifeEvent, ServiceUse};
pub use missing::{Came, Changes, Gone, Missing, Moved, NotYet, Returned, Spent, StillHeld};
pub use operation::{Explanation, NewValue, Payer, Side};
pub use reckoning::Reckoning;
pub use settled::{PaidDebt, Settled};
pub use since::Since;

/// What became of points, or where a sum comes from.
pub(crate) type Word = &'static str;

const WORDS: [Word; 16] = [
    "recharged",
    "received",
    "effective",
    "held",
    "moved",
    "expiry_set",
    "expired",
    "lapsed",
    "came_back",
    "revoked",
    "taken",
    "restored",
    "cancelled_debt",
    "caller",
    "rule",
    "estimate",
];

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Word, D::Error> {
    let text = String::deserialize(deserializer)?;
    WORDS.into_iter().find(|word| *word == text).ok_or_else(|| D::Error::unknown_variant(&text, &WORDS))
}

fn word_option<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Word>, D::Error> {
    word(deserializer).map(Some)
}

/// What the caller said about an operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Said {
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The caller's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An operation read for what it says of itself.
struct Booked {
    row: OperationRow,
    body: Request,
}

impl Booked {
    fn read(source: &SqlSource<'_, '_>, seq: i64) -> Result<Self> {
        let row = source.operation_row(seq)?;
        let row = row.ok_or_else(|| Error::corrupt(format!("operation {seq} is referred to and not there")))?;
        let body = parse_body(&row)?;
        Ok(Booked { row, body })
    }

    fn text(&self, name: &str) -> Option<String> {
        self.body.get(name).and_then(Value::as_str).map(str::to_string)
    }

    fn said(&self) -> Said {
        let text = |name| self.text(name);
        Said {
            actor: text("actor"),
            reason: text("reason"),
            reference: text("reference"),
            description: text("description"),
        }
    }
}

/// Whether an instant lies before another.
fn is_past(at: crate::units::Instant, end: DateTime<Utc>) -> bool {
    at.utc() < end
}
