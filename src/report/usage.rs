//! Usage: what was charged for which service, and how much of it was counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Look;
use crate::engine::{Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{AccountId, EntryKind, EntryRow, OperationId, OperationRow, Outcome};
use crate::quantity::{Quantity, QuantitySum};
use crate::units::add;

/// The uses of one service, counted in one unit, within one period. JSON shape `counterfoil.usage/1`.
///
/// Over any set of entries `points - refunded`, summed over all lines, is what the flows call `used`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UsageLine {
    /// The account, when asked for by account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The day (`2026-11-22`) or month (`2026-11`) of booking, when asked for by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The service; none: charged without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The unit it was counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How many consumes and captures. A capture of nothing, which only releases its hold, is none.
    pub uses: i64,
    /// How much was counted, of those that counted: an exact decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// Points charged.
    pub points: i64,
    /// Points refunded: when they were, for the service they had been charged for.
    #[serde(skip_serializing_if = "is_zero")]
    pub refunded: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// What uses are summed under: period, service, unit.
type Group = (Option<String>, Option<String>, Option<String>);

#[derive(Debug, Default)]
struct Sums {
    uses: i64,
    quantity: Option<QuantitySum>,
    points: i64,
    refunded: i64,
}

/// What an entry says of the usage.
pub(super) enum Use {
    Charged { service: Option<String>, unit: Option<String>, quantity: Option<String>, uses: i64 },
    Refunded { service: Option<String>, unit: Option<String> },
}

/// Usage being summed.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Group, Sums>);

impl Tally {
    /// Adds an entry's points under a period.
    pub(super) fn add(&mut self, period: Option<String>, used: Use, points: i64) -> Result<()> {
        match used {
            Use::Charged { service, unit, quantity, uses } => {
                let sums = self.0.entry((period, service, unit)).or_default();
                sums.points = add(sums.points, points)?;
                sums.uses = add(sums.uses, uses)?;
                if let Some(text) = quantity {
                    let wrong = |what: &dyn std::fmt::Display| Error::corrupt(format!("quantity `{text}`: {what}"));
                    let quantity = Quantity::parse(&text).map_err(|error| wrong(&error))?;
                    let sum = sums.quantity.unwrap_or_default().plus(quantity);
                    sums.quantity = Some(sum.ok_or_else(|| wrong(&"the sum is too large"))?);
                }
            }
            Use::Refunded { service, unit } => {
                let sums = self.0.entry((period, service, unit)).or_default();
                sums.refunded = add(sums.refunded, points)?;
            }
        }
        Ok(())
    }

    /// The lines: periods in order, within each the largest points first.
    pub(super) fn lines(self, account: Option<&AccountId>) -> Vec<UsageLine> {
        let line = |((period, service, unit), sums): (Group, Sums)| UsageLine {
            account: account.cloned(),
            period,
            service,
            unit,
            uses: sums.uses,
            quantity: sums.quantity.map(|sum| sum.to_string()),
            points: sums.points,
            refunded: sums.refunded,
        };
        let mut lines: Vec<UsageLine> = self.0.into_iter().map(line).collect();
        // Stable: what has the same points stays in order of service and unit.
        lines.sort_by(|a, b| a.period.cmp(&b.period).then(b.points.cmp(&a.points)));
        lines
    }
}

impl Look<'_, '_> {
    /// What an entry says of the usage; nothing when it charges and refunds nothing.
    pub(super) fn used(&self, row: &EntryRow) -> Result<Option<Use>> {
        let Some(seq) = row.operation else { return Ok(None) };
        Ok(match row.kind {
            EntryKind::Consume | EntryKind::Capture => {
                let Outcome { service, unit, quantity, .. } = self.stored(seq)?.outcome;
                let released = row.kind == EntryKind::Capture && row.points == 0 && quantity.is_none();
                Some(Use::Charged { service, unit, quantity, uses: i64::from(!released) })
            }
            EntryKind::Refund => {
                let Outcome { service, unit, .. } = self.refunded(&self.stored(seq)?)?.outcome;
                Some(Use::Refunded { service, unit })
            }
            _ => None,
        })
    }

    /// The operation behind an entry.
    pub(super) fn stored(&self, seq: i64) -> Result<OperationRow> {
        self.source.operation_row(seq)?.ok_or_else(|| Error::corrupt(format!("operation {seq} is missing")))
    }

    /// The consume or capture a refund is of.
    pub(super) fn refunded(&self, refund: &OperationRow) -> Result<OperationRow> {
        let body = parse_body(refund)?;
        let id = body.get("operation").and_then(serde_json::Value::as_str).map(str::parse::<OperationId>);
        match id {
            Some(Ok(id)) => self.stored(id.sequence()),
            _ => Err(Error::corrupt(format!("operation {}: it does not say what it refunds", refund.seq))),
        }
    }
}
