//! Explanations: of an operation, of what an account misses, of a batch's life. All of it is read from the movements of
//! lines, those of an operation from its own and the ones that touch it.

mod batch;
mod missing;
mod operation;
mod order;
mod past;
mod reckoning;
mod since;
mod step;
mod trail;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::{Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{FOREIGN, OperationRow, Request};
use crate::store::SqlSource;
use crate::units::{add, is_false, is_zero};

pub use batch::BatchLife;
pub use missing::{Cause, Missing};
pub use operation::{Explanation, Payer, Side};
pub use reckoning::{Reckoned, Reckoning};
pub use step::{Step, StepKind};

/// Lines told together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Group {
    /// The service, the source or the other account; none when only points were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    pub lines: i64,
    /// Their points; of uses those that batches paid at once, or pay now.
    pub points: i64,
    /// Of uses: points more that no batch paid for at once. They were left as debt, which is paid later by settling.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub on_credit: i64,
}

impl Group {
    fn add(&mut self, points: i64, on_credit: i64) -> Result<()> {
        self.lines = add(self.lines, 1)?;
        self.points = add(self.points, points)?;
        self.on_credit = add(self.on_credit, on_credit)?;
        Ok(())
    }
}

/// Groups while they grow.
#[derive(Default)]
struct Groups(BTreeMap<Option<String>, Group>);

impl Groups {
    /// Adds a line to the group of this name.
    fn add(&mut self, name: Option<String>, points: i64, on_credit: i64) -> Result<()> {
        let new = || Group { name: name.clone(), lines: 0, points: 0, on_credit: 0 };
        self.0.entry(name.clone()).or_insert_with(new).add(points, on_credit)
    }

    /// The groups, the largest first.
    fn sorted(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.0.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.points));
        groups
    }
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

    /// The same; none of what only the hub has.
    fn here(source: &SqlSource<'_, '_>, seq: i64) -> Result<Option<Self>> {
        if seq < FOREIGN { Self::read(source, seq).map(Some) } else { Ok(None) }
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
