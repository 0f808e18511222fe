//! The chart of accounts: what each figure is called in whose books, and what has been booked to it so far.

use std::collections::BTreeMap;

use super::names::{self, OTHER};
use super::{Program, View};
use crate::error::Result;
use crate::model::{AccountId, Balances, TotalsRow};
use crate::units::{add, sub};

/// With this many names in the books of one account, further sources and services go under one name: memory is bounded.
const MOST_NAMES: usize = 4096;

/// What a posting is made to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Available,
    Held,
    Pending,
    Debt,
    /// Points of a source: whether promo, and its name.
    Recharged(bool, Option<String>),
    Revoked(bool, Option<String>),
    /// By service.
    Used(Option<String>),
    Expired,
    WrittenOff,
    Moved,
    Opening,
    /// Where sums over several names are held against the ledger's own.
    Totals(&'static str),
}

impl Place {
    /// The same without a name.
    fn unnamed(self) -> Self {
        match self {
            Place::Recharged(promo, _) => Place::Recharged(promo, None),
            Place::Revoked(promo, _) => Place::Revoked(promo, None),
            Place::Used(_) => Place::Used(None),
            other => other,
        }
    }

    /// The total this is a part of.
    fn total(&self) -> Option<&'static str> {
        match self {
            Place::Recharged(..) => Some("Recharged"),
            Place::Revoked(..) => Some("Revoked"),
            Place::Used(_) => Some("Used"),
            Place::Expired => Some("Expired"),
            Place::WrittenOff => Some("WrittenOff"),
            Place::Moved => Some("Moved"),
            _ => None,
        }
    }
}

/// One account of the exported books.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) name: String,
    pub(super) sum: i64,
    /// Used since its balance was last stated.
    pub(super) touched: bool,
}

/// One line of a transaction.
#[derive(Debug)]
pub(super) struct Posting {
    pub(super) name: String,
    pub(super) amount: i64,
    /// The balance after it.
    pub(super) after: i64,
    /// Its first use.
    pub(super) new: bool,
}

/// The accounts that stand for one account of the ledger.
pub(super) struct Chart {
    program: Program,
    view: View,
    /// The account's id as part of a name.
    holder: String,
    pub(super) leaves: BTreeMap<Place, Leaf>,
}

impl Chart {
    pub(super) fn new(program: Program, view: View, id: &AccountId) -> Self {
        Chart { program, view, holder: names::part(program, id.as_str()), leaves: BTreeMap::new() }
    }

    /// The issuer's books are the holder's, seen from the other side.
    pub(super) fn side(&self, points: i64) -> i64 {
        match self.view {
            View::Holder => points,
            // No figure is i64::MIN: points end at 9e15.
            View::Issuer => points.saturating_neg(),
        }
    }

    fn name(&self, place: &Place) -> String {
        let (issuer, who) = (self.view == View::Issuer, &self.holder);
        let named = |text: &Option<String>| match text {
            Some(text) => names::part(self.program, text),
            None => OTHER.into(),
        };
        let bought = |promo: bool| match (issuer, promo) {
            (true, false) => "Assets:Clearing",
            (true, true) => "Expenses:Promo",
            (false, false) => "Income:Paid",
            (false, true) => "Income:Promo",
        };
        let points = if issuer { "Liabilities:Points" } else { "Assets:Points" };
        let spent = if issuer { "Income" } else { "Expenses" };
        match place {
            Place::Available => format!("{points}:{who}:Available"),
            Place::Held => format!("{points}:{who}:Held"),
            Place::Pending => format!("{points}:{who}:Pending"),
            Place::Debt => format!("{}:Debt:{who}", if issuer { "Assets" } else { "Liabilities" }),
            Place::Recharged(promo, source) => format!("{}:{}:{who}:Recharged", bought(*promo), named(source)),
            Place::Revoked(promo, source) => format!("{}:{}:{who}:Revoked", bought(*promo), named(source)),
            Place::Used(service) => format!("{spent}:Used:{}:{who}", named(service)),
            Place::Expired => format!("{spent}:Expired:{who}"),
            Place::WrittenOff => format!("{}:WrittenOff:{who}", if issuer { "Expenses" } else { "Income" }),
            Place::Moved => format!("Equity:Transfers:{who}"),
            Place::Opening => format!("Equity:Opening:{who}"),
            Place::Totals(total) => format!("Equity:Totals:{total}:{who}"),
        }
    }

    /// Books points (as the holder sees them) to a place. `after` is the ledger's own figure, where it keeps one.
    pub(super) fn post(&mut self, place: Place, points: i64, after: Option<i64>) -> Result<Posting> {
        let full = self.leaves.len() >= MOST_NAMES && !self.leaves.contains_key(&place);
        let place = if full { place.unnamed() } else { place };
        let new = !self.leaves.contains_key(&place);
        let (amount, after) = (self.side(points), after.map(|after| self.side(after)));
        let name = self.name(&place);
        let leaf = self.leaves.entry(place).or_insert(Leaf { name, sum: 0, touched: true });
        leaf.sum = match after {
            Some(after) => after,
            None => add(leaf.sum, amount)?,
        };
        leaf.touched = true;
        Ok(Posting { name: leaf.name.clone(), amount, after: leaf.sum, new })
    }

    /// Books a change of the four balances; `after` is what the entry says they are now. Those that stay are left out.
    pub(super) fn balances(&mut self, change: Balances, after: Balances) -> Result<Vec<Posting>> {
        let figures = figures(change).into_iter().zip(figures(after));
        figures
            .filter(|((_, points), _)| *points != 0)
            .map(|((place, points), (_, after))| self.post(place, points, Some(after)))
            .collect()
    }

    /// The last figures, held against those the ledger keeps: first in place, where one name makes up a total; then for
    /// each total of several names there and back again. Each with what to call it.
    pub(super) fn totals(&mut self, now: Balances, totals: &TotalsRow) -> Result<Vec<(String, Vec<Posting>)>> {
        let mut plain = Vec::new();
        for (place, after) in figures(now) {
            if after != 0 || self.leaves.contains_key(&place) {
                plain.push(self.post(place, 0, Some(after))?);
            }
        }
        let mut found = Vec::new();
        for (total, points) in kept(totals)? {
            let parts: Vec<(Place, i64)> = self.parts(total);
            match parts.as_slice() {
                [] if points == 0 => {}
                [(place, _)] => plain.push(self.post(place.clone(), 0, Some(points))?),
                _ => {
                    let [there, back] = self.there_and_back(total, points, &parts)?;
                    found.push((format!("the ledger's own total: {total}"), there));
                    found.push(("and back again".into(), back));
                }
            }
        }
        found.insert(0, ("the ledger's own totals".into(), plain));
        Ok(found)
    }

    /// The places of a total, and what they come to as the holder sees it.
    fn parts(&self, total: &'static str) -> Vec<(Place, i64)> {
        let parts = self.leaves.iter().filter(|(place, _)| place.total() == Some(total));
        parts.map(|(place, leaf)| (place.clone(), self.side(leaf.sum))).collect()
    }

    /// Two transactions: each balances only if the parts come to the total.
    fn there_and_back(
        &mut self,
        total: &'static str,
        points: i64,
        parts: &[(Place, i64)],
    ) -> Result<[Vec<Posting>; 2]> {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        for (place, sum) in parts {
            there.push(self.post(place.clone(), sub(0, *sum)?, None)?);
        }
        there.push(self.post(Place::Totals(total), points, None)?);
        for (place, sum) in parts {
            back.push(self.post(place.clone(), *sum, None)?);
        }
        back.push(self.post(Place::Totals(total), sub(0, points)?, None)?);
        Ok([there, back])
    }
}

/// The four balances, debt as the negative it is to the holder.
fn figures(balances: Balances) -> [(Place, i64); 4] {
    let Balances { available, held, pending, debt } = balances;
    [
        (Place::Available, available),
        (Place::Held, held),
        (Place::Pending, pending),
        (Place::Debt, debt.saturating_neg()),
    ]
}

/// The ledger's own totals, as they stand on the other side of the holder's books.
fn kept(totals: &TotalsRow) -> Result<[(&'static str, i64); 6]> {
    Ok([
        ("Recharged", sub(0, totals.recharged)?),
        ("Used", sub(totals.consumed, totals.refunded)?),
        ("Expired", sub(totals.expired, totals.reinstated)?),
        ("Revoked", add(totals.revoked, totals.clawed_back)?),
        ("WrittenOff", sub(0, totals.written_off)?),
        ("Moved", sub(totals.moved_out, totals.moved_in)?),
    ])
}
