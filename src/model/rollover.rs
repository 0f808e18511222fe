//! Rollover: what of a batch's points moves on at its end, and for how long.

use chrono::FixedOffset;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiry::Expiry;
use super::fields::{Fields, expiry, missing};
use super::operations::ROLLOVER;
use crate::error::Result;
use crate::units::Points;

/// What of a batch's points moves on at its end, into a batch of the same kind with a life of its own. What is more lapses.
///
/// ```
/// use counterfoil::{ExpiresIn, Points, Recharge, Rollover};
/// let keeps = Rollover::new(Points::new(200)?, ExpiresIn::Months(1));
/// let request = Recharge::new(Points::new(1000)?, "plan:pro").expires(ExpiresIn::Months(1)).rollover(keeps);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rollover {
    /// The most points that move on: 1 or more.
    pub cap: Points,
    /// They live so many hours, counted from the end of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_hours: Option<i64>,
    /// So many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<i64>,
    /// So many months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_months: Option<i64>,
    /// To the end of that day at this UTC offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_day: Option<String>,
}

/// As the value of its field.
impl From<Rollover> for Value {
    fn from(rollover: Rollover) -> Self {
        serde_json::to_value(rollover).unwrap_or_default()
    }
}

/// What a batch keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rolling {
    pub(crate) cap: Points,
    pub(crate) life: Expiry,
}

impl Rolling {
    pub(crate) fn told(self) -> Rollover {
        let mut told = Rollover {
            cap: self.cap,
            expires_in_hours: None,
            expires_in_days: None,
            expires_in_months: None,
            end_of_day: None,
        };
        let zone = match self.life {
            Expiry::Hours(hours, zone) => {
                told.expires_in_hours = Some(hours);
                zone
            }
            Expiry::Days(days, zone) => {
                told.expires_in_days = Some(days);
                zone
            }
            Expiry::Months(months, zone) => {
                told.expires_in_months = Some(months);
                zone
            }
            Expiry::Never | Expiry::At(_) | Expiry::PeriodEnd => None,
        };
        told.end_of_day = zone.and_then(FixedOffset::east_opt).map(|zone| zone.to_string());
        told
    }

    /// As a batch's row has it.
    pub(crate) fn text(self) -> String {
        Value::from(self.told()).to_string()
    }

    /// The same again; `None` for what no batch has.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let value = serde_json::from_str(text).ok()?;
        Self::of(&value).ok().filter(|rolling| rolling.text() == text)
    }

    /// Of a field's value.
    pub(super) fn of(value: &Value) -> Result<Self> {
        let given = value.as_object().into_iter().flatten();
        let mut fields = Fields::new(given.map(|(name, value)| (name.as_str(), value)));
        fields.read(ROLLOVER)?;
        let cap = Points::new(fields.number("cap").ok_or_else(|| missing("cap", ""))?)?;
        let life = expiry(&fields)?;
        let help = "say how long they live then: expires_in_hours, expires_in_days or expires_in_months";
        Ok(Rolling { cap, life: life.ok_or_else(|| missing("expires_in_days", help))? })
    }
}
