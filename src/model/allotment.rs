//! Allotments: points of one account set aside at a hub for one device in one epoch, which that can spend without asking.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::codes::codes;
use super::{AccountId, OperationId, uuid_text};
use crate::error::{Error, Result};
use crate::units::{Instant, Points, utc};

/// What a device has taken of allotments, in the body of a consume, hold or capture. A fact, and no input.
pub(crate) const ALLOTTED: &str = "allotted";
/// The epoch of the device that an allotment is bound to, in the body of what sets it aside. A fact as well.
pub(crate) const EPOCH: &str = "epoch";

codes!(
    /// What a hub has said of an allotment.
    AllotmentState {
        /// Its device may spend it.
        Open = 0 "open",
        /// Its device is to give it back.
        Recalled = 1 "recalled",
        /// Given back to the account without its device.
        WrittenOff = 2 "written_off",
    }
);

/// An allotment; its slices are the allocations of the operation that set it aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllotmentRow {
    pub(crate) operation: i64,
    pub(crate) account: i64,
    /// Number of the device at its hub; 0 on the device itself.
    pub(crate) device: i64,
    /// The device's, to which it is bound.
    pub(crate) epoch: i64,
    /// What was set aside; on a device what its hub last told of it.
    pub(crate) points: i64,
    /// What its slices still have.
    pub(crate) remaining: i64,
    pub(crate) spend_until: Instant,
    pub(crate) state: AllotmentState,
}

/// Points taken of an allotment, by the id of what set it aside.
pub(crate) type Parts = Vec<(OperationId, i64)>;

/// As they stand in a body.
pub(crate) fn parts_value(parts: &[(OperationId, i64)]) -> Value {
    let part = |(id, points): &(OperationId, i64)| Value::Array(vec![id.to_string().into(), (*points).into()]);
    Value::Array(parts.iter().map(part).collect())
}

/// Out of a body again.
pub(crate) fn parts_of(value: &Value) -> Result<Parts> {
    let wrong = || Error::invalid(ALLOTTED, "is no list of allotments and points", "update counterfoil");
    let parts: Vec<(String, i64)> = serde_json::from_value(value.clone()).map_err(|_| wrong())?;
    let parts: Parts = parts.into_iter().map(|(id, points)| Ok((id.parse()?, points))).collect::<Result<_>>()?;
    let sum = parts.iter().try_fold(0_i64, |sum, (_, points)| sum.checked_add(*points).filter(|_| *points > 0));
    let twice = parts.iter().enumerate().any(|(n, (id, _))| parts.iter().take(n).any(|(other, _)| other == id));
    if parts.is_empty() || sum.is_none() || twice || parts_value(&parts) != *value { Err(wrong()) } else { Ok(parts) }
}

/// Points of an account that a hub has set aside for a device. JSON shape `counterfoil.allotment/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AllotmentInfo {
    /// By what it is recalled, returned or written off: the operation that set it aside, at the hub.
    pub allotment: OperationId,
    /// The account.
    pub account: AccountId,
    /// The device.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What people call it.
    pub device_name: String,
    /// The epoch of the device in which it may be spent.
    pub epoch: i64,
    /// How many points were set aside; on the device, what its hub last told of it.
    pub points: Points,
    /// How many of them are neither spent nor given back; on the device, nor kept by a hold.
    pub remaining: Points,
    /// Until when the device may spend it.
    #[serde(with = "utc")]
    pub spend_until: DateTime<Utc>,
    /// What the hub has said of it.
    pub state: AllotmentState,
    /// On the device: whether it may be spent now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usable: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_read_as_they_are_written() {
        let id = |seq: u128| OperationId::of(Uuid::from_u128((8 << 76) | (2 << 62) | (seq << 20)));
        let parts = vec![(id(1), 5), (id(2), 7)];
        assert_eq!(parts_of(&parts_value(&parts)).unwrap(), parts);
        let (a, b) = (id(1).to_string(), id(0xab).to_string().to_uppercase());
        for wrong in [
            json!([]),
            json!([[a, 0]]),
            json!([[a, -1]]),
            json!([[a, 1], [a, 2]]),
            json!([[a, i64::MAX], [id(2).to_string(), 1]]),
            json!([[a, 1, 1]]),
            json!([[b, 1]]),
            json!([[a, "1"]]),
            json!({"a": 1}),
        ] {
            assert!(parts_of(&wrong).is_err(), "{wrong}");
        }
    }
}
