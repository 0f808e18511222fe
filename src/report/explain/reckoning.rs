//! How the points of an operation came about: named, or priced by a rule.

use serde::{Deserialize, Serialize};

use super::super::Look;
use super::Booked;
use crate::engine::{Source, parse_body};
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{Action, CaptureAmount, Command, OpKind, OperationId, words};
use crate::pricing::{DEFAULT_EXPIRATION_DAYS, PriceBook};
use crate::units::Points;

words!(
    /// Who decided how many points.
    Reckoned {
        /// They were named.
        Caller "caller",
        /// A price book.
        Rule "rule",
        /// A price book, at most.
        Estimate "estimate",
        /// What the hold held that pinned the price book.
        Held "held",
    }
);

/// How the points of an operation came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reckoning {
    /// Who decided.
    pub by: Reckoned,
    /// What was asked for; less may have been booked with policy `up_to` or a `cap`.
    pub points: Points,
    /// The rule in words, with the numbers put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Hash of the price book that holds the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_book: Option<Hash>,
    /// The hold that pinned the price book.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_by: Option<OperationId>,
}

impl Look<'_, '_> {
    /// How the points came about: the rule is put to the usage again, by the very book it was priced by.
    pub(super) fn reckoning(&self, booked: &Booked) -> Result<Option<Reckoning>> {
        let row = &booked.row;
        if matches!(row.kind, OpKind::Stage | OpKind::Reconcile) {
            // Its points are those of the link, or what a hub told of: nothing came of them.
            return Ok(None);
        }
        let account = row.account.as_ref().map(|(_, id)| id.clone());
        let book = match row.price_book {
            Some((no, _)) => self.source.price_book(no)?,
            None => None,
        };
        let hash = row.price_book.map(|(_, hash)| hash);
        let named = |points| {
            let points = Points::booked(points)?;
            Ok(Some(Reckoning { by: Reckoned::Caller, points, rule: None, price_book: None, pinned_by: None }))
        };
        let command = Command::stored(row.kind, account, row.key.clone(), &parse_body(row)?)?;
        // A quote is the caller's word: its rule is told where it comes to the points.
        let quoted = match command.action {
            Action::Hold { points, .. } => points,
            _ => None,
        };
        let (by, service, usage, pinned_by) = match command.action {
            Action::Consume { points: Some(points), .. }
            | Action::Hold { points: Some(points), price_book: None, .. } => {
                return named(points);
            }
            Action::Capture { amount: CaptureAmount::Points(points), .. } => return named(points),
            Action::Capture { amount: CaptureAmount::Held, .. } => {
                let pinned_by = row.outcome.hold.map(|(hold, ..)| self.writers.operation(hold));
                let points = Points::booked(row.points)?;
                return Ok(Some(Reckoning { by: Reckoned::Held, points, rule: None, price_book: None, pinned_by }));
            }
            Action::Recharge { points, ref source, expiry, promo, .. } => {
                let rule = recharge_words(book.as_ref(), source, expiry.is_none(), promo.is_none());
                let price_book = hash.filter(|_| !rule.is_empty());
                let rule = (!rule.is_empty()).then(|| rule.join("; "));
                let points = Points::booked(points)?;
                return Ok(Some(Reckoning { by: Reckoned::Caller, points, rule, price_book, pinned_by: None }));
            }
            Action::Consume { service, usage, .. } => (Reckoned::Rule, service, usage, None),
            Action::Hold { service, usage, .. } => (Reckoned::Estimate, service, usage, None),
            Action::Capture { amount: CaptureAmount::Usage(usage), .. } => {
                let hold = row.outcome.hold.map(|(hold, ..)| self.writers.operation(hold));
                (Reckoned::Rule, row.outcome.service.clone(), Some(usage), hold)
            }
            _ => return Ok(None),
        };
        let (Some(book), Some(service)) = (book, service) else { return Ok(None) };
        let priced = if by == Reckoned::Estimate {
            book.estimate(&service, usage.as_ref())
        } else {
            book.price(&service, usage.as_ref())
        };
        let priced = match (priced, quoted) {
            (Ok(priced), Some(points)) if priced.points != points => return named(points),
            (Err(_), Some(points)) => return named(points),
            (priced, _) => priced?,
        };
        Ok(Some(Reckoning { by, points: priced.points, rule: Some(priced.rule), price_book: hash, pinned_by }))
    }
}

/// What a price book decided of a recharge.
fn recharge_words(book: Option<&PriceBook>, source: &str, expiry: bool, promo: bool) -> Vec<String> {
    let mut words = Vec::new();
    if expiry {
        let days = book.map_or(DEFAULT_EXPIRATION_DAYS, PriceBook::expiration_days);
        let by = if book.is_some() { "the price book's" } else { "the usual" };
        words.push(format!("no expiry was named: {by} {days} days"));
    }
    if promo && book.is_some_and(|book| book.is_promo(source)) {
        words.push(format!("`{source}` is among the price book's promotional sources"));
    }
    words
}
