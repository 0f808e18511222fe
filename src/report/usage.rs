//! Usage: what was charged for which service, and how much of it was counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Look, cursor};
use crate::engine::{Books, Source, parse_body};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, AccountRow, EntryKind, EntryRow, Filter, OperationId, OperationRow, Outcome, Page, Place,
};
use crate::quantity::{Quantity, QuantitySum};
use crate::store::{self, Forward};
use crate::units::{add, is_zero};

/// How many accounts are read at a time, and after how many entries one look ends.
const READ: usize = 256;
const MOST_LINES: usize = 10_000;

/// The uses of one service, counted in one unit, within one period. JSON shape `counterfoil.usage/1`.
///
/// Over any set of entries `points - refunded`, summed over all lines, is `consumed - refunded` of the totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UsageLine {
    /// The account, when asked for one or by account.
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
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refunded: i64,
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

impl Use {
    /// What a line of this kind says, with whether a movement of it ends in use, and the service, the unit and the quantity of the
    /// use it is about.
    pub(super) fn of(
        kind: EntryKind,
        used: bool,
        (service, unit, quantity): (Option<String>, Option<String>, Option<String>),
    ) -> Option<Self> {
        match kind {
            EntryKind::Consume | EntryKind::Capture => {
                // Work that costs nothing moves no points of its hold, to where it was used.
                let released = kind == EntryKind::Capture && !used && quantity.is_none();
                Some(Use::Charged { service, unit, quantity, uses: i64::from(!released) })
            }
            EntryKind::Refund => Some(Use::Refunded { service, unit }),
            _ => None,
        }
    }

    fn service(&self) -> Option<&String> {
        match self {
            Use::Charged { service, .. } | Use::Refunded { service, .. } => service.as_ref(),
        }
    }
}

/// Usage being summed.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Group, Sums>);

impl Tally {
    /// Adds an entry's points under a period.
    pub(super) fn add(&mut self, period: Option<String>, used: Use, points: i64) -> Result<()> {
        match used {
            // Nothing was used, and nothing charged for it.
            Use::Charged { uses: 0, .. } if points == 0 => {}
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

/// A page of usage in the making. It takes several looks: a long sum must not keep one read transaction open.
pub(crate) struct Summing<'q> {
    query: &'q Filter,
    tally: Tally,
    page: Page<UsageLine>,
    /// The last account summed.
    after: i64,
    finished: bool,
}

impl<'q> Summing<'q> {
    pub(crate) fn new(query: &'q Filter) -> Result<Self> {
        let after = cursor(query.after.as_deref())?;
        let page = Page { items: Vec::new(), next: None };
        Ok(Summing { query, tally: Tally::default(), page, after, finished: false })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn page(mut self) -> Page<UsageLine> {
        self.page.items.extend(self.tally.lines(self.query.account.as_ref()));
        self.page
    }

    fn is_full(&self) -> bool {
        self.query.per_account && self.page.items.len() >= self.query.size()
    }
}

impl Look<'_, '_> {
    /// Sums the usage of the next accounts.
    pub(crate) fn usage(&self, sums: &mut Summing<'_>) -> Result<()> {
        self.begun(&sums.query.period)?;
        if let Some(id) = &sums.query.account {
            sums.finished = true;
            return match self.source.account_by_id(id)? {
                Some(account) => self.usage_of(&account, sums).map(drop),
                None => Ok(()),
            };
        }
        let accounts = store::account_page(self.session, sums.after, READ)?;
        let more = accounts.len() == READ;
        let last = accounts.last().map(|account| account.no);
        let mut looked_at = 0_usize;
        for account in accounts {
            looked_at = looked_at.saturating_add(self.usage_of(&account, sums)?);
            sums.after = account.no;
            let is_last = Some(account.no) == last && !more;
            if sums.is_full() {
                sums.page.next = (!is_last).then(|| sums.after.to_string());
                sums.finished = true;
                return Ok(());
            }
            if looked_at >= MOST_LINES {
                sums.finished = is_last;
                return Ok(());
            }
        }
        sums.finished = !more;
        Ok(())
    }

    /// Adds an account's usage; how many entries were looked at. What time does by itself uses nothing, so that what is
    /// written is all.
    fn usage_of(&self, account: &AccountRow, sums: &mut Summing<'_>) -> Result<usize> {
        let query = sums.query;
        if query.period.begin().is_some_and(|begin| account.last_booked_at.utc() < begin) {
            return Ok(0);
        }
        let (first, last) = self.range(&Books::new(&self.source), account, &query.period)?;
        let mut looked_at = 0_usize;
        for row in self.stored_rows(account.no, first, last, Forward::Oldest) {
            let row = row?;
            looked_at = looked_at.saturating_add(1);
            let booked_at = row.booked_at.utc();
            if let Some(used) = self.used(&row)?
                && query.service.as_ref().is_none_or(|wanted| used.service() == Some(wanted))
            {
                let label = query
                    .calendar
                    .as_ref()
                    .map(|(format, calendar)| calendar.local(booked_at).format(format).to_string());
                sums.tally.add(label, used, row.points)?;
            }
        }
        if query.per_account {
            sums.page.items.extend(std::mem::take(&mut sums.tally).lines(Some(&account.id)));
        }
        Ok(looked_at)
    }

    /// What an entry says of the usage; nothing when it charges and refunds nothing.
    pub(super) fn used(&self, row: &EntryRow) -> Result<Option<Use>> {
        let Some(seq) = row.operation else { return Ok(None) };
        let Outcome { service, unit, quantity, .. } = match row.kind {
            EntryKind::Consume | EntryKind::Capture => self.stored(seq)?.outcome,
            EntryKind::Refund => self.refunded(&self.stored(seq)?)?.outcome,
            _ => return Ok(None),
        };
        let used = row.movements.iter().any(|movement| movement.to == Place::Used);
        Ok(Use::of(row.kind, used, (service, unit, quantity)))
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
