//! The chart of accounts: what each figure is called in whose books, and what has been booked to it so far.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::AccountId;
use counterfoil::answer::{Balances, Figures, Totals};

use super::View;
use super::journal::{Posting, Syntax};
use super::names::OTHER;

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
    Consumed(Option<String>),
    Expired,
    WrittenOff,
    Moved,
    /// What a device heard of its hub.
    Reconciled,
    Opening,
}

impl Place {
    /// The same without a name.
    fn unnamed(self) -> Self {
        match self {
            Place::Recharged(promo, _) => Place::Recharged(promo, None),
            Place::Revoked(promo, _) => Place::Revoked(promo, None),
            Place::Consumed(_) => Place::Consumed(None),
            other => other,
        }
    }

    /// The total this is a part of.
    fn total(&self) -> Option<&'static str> {
        match self {
            Place::Recharged(..) => Some("Recharged"),
            Place::Revoked(..) => Some("Revoked"),
            Place::Consumed(_) => Some("Consumed"),
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
    pub(super) sum: i128,
    /// Used since its balance was last stated.
    pub(super) touched: bool,
}

/// The accounts that stand for one account of the ledger.
pub(super) struct Chart {
    syntax: &'static dyn Syntax,
    view: View,
    /// The account's id as part of a name.
    holder: String,
    pub(super) leaves: BTreeMap<Place, Leaf>,
}

impl Chart {
    pub(super) fn new(syntax: &'static dyn Syntax, view: View, id: &AccountId) -> Self {
        Chart { syntax, view, holder: syntax.part(id.as_str()), leaves: BTreeMap::new() }
    }

    fn name(&self, place: &Place) -> String {
        let (issuer, who) = (self.view == View::Issuer, &self.holder);
        let named = |text: &Option<String>| match text {
            Some(text) => self.syntax.part(text),
            None => OTHER.into(),
        };
        let bought = |promo: bool| match (issuer, promo) {
            (true, false) => "Assets:Clearing",
            (true, true) => "Expenses:Promo",
            (false, false) => "Income:Paid",
            (false, true) => "Income:Promo",
        };
        let points = if issuer { "Liabilities:Points" } else { "Assets:Points" };
        let spent = spent(self.view);
        match place {
            Place::Available => format!("{points}:{who}:Available"),
            Place::Held => format!("{points}:{who}:Held"),
            Place::Pending => format!("{points}:{who}:Pending"),
            Place::Debt => format!("{}:Debt:{who}", if issuer { "Assets" } else { "Liabilities" }),
            Place::Recharged(promo, source) => format!("{}:{}:{who}:Recharged", bought(*promo), named(source)),
            Place::Revoked(promo, source) => format!("{}:{}:{who}:Revoked", bought(*promo), named(source)),
            Place::Consumed(service) => format!("{}:{}:{who}", consumed_under(self.view), named(service)),
            Place::Expired => format!("{spent}:Expired:{who}"),
            Place::WrittenOff => format!("{}:WrittenOff:{who}", if issuer { "Expenses" } else { "Income" }),
            Place::Moved => format!("Equity:Transfers:{who}"),
            Place::Reconciled => format!("Equity:Hub:{who}"),
            Place::Opening => format!("Equity:Opening:{who}"),
        }
    }

    /// Books points (as the holder sees them) to a place. `after` is the ledger's own figure, where it keeps one.
    pub(super) fn post(&mut self, place: Place, points: i128, after: Option<i64>) -> Posting {
        let full = self.leaves.len() >= MOST_NAMES && !self.leaves.contains_key(&place);
        let place = if full { place.unnamed() } else { place };
        let new = !self.leaves.contains_key(&place);
        let (amount, after) = (side(self.view, points), after.map(|after| side(self.view, after.into())));
        let name = self.name(&place);
        let leaf = self.leaves.entry(place).or_insert(Leaf { name, sum: 0, touched: true });
        leaf.sum = after.unwrap_or(leaf.sum + amount);
        leaf.touched = true;
        Posting { name: leaf.name.clone(), amount, after: leaf.sum, new }
    }

    /// Books a change of the four balances; `after` is what the entry says they are now. Those that stay are left out.
    pub(super) fn balances(&mut self, change: &Balances, after: &Balances) -> Vec<Posting> {
        let figures = figures(change).into_iter().zip(figures(after));
        figures
            .filter(|((_, points), _)| *points != 0)
            .map(|((place, points), (_, after))| self.post(place, points.into(), Some(after)))
            .collect()
    }

    /// What everything consumed has come to, stated once more.
    pub(super) fn closing(&mut self) -> Vec<Posting> {
        let places: Vec<Place> = self.leaves.keys().cloned().collect();
        places.into_iter().map(|place| self.post(place, 0, None)).collect()
    }

    /// The same, and held against the figures the ledger keeps. A total that several names make up is not among them: of
    /// all accounts together what was consumed is held against it ([`consumed_under`]), and what was recharged and revoked is then
    /// all that is left to balance the rest.
    pub(super) fn totals(&mut self, now: &Figures, totals: &Totals) -> Vec<Posting> {
        let mut kept: BTreeMap<Place, i64> = BTreeMap::new();
        let Figures { available, held, pending, debt, .. } = *now;
        for (place, after) in places(available.get(), held.get(), pending.get(), debt.get()) {
            if after != 0 || self.leaves.contains_key(&place) {
                kept.insert(place, after);
            }
        }
        for (total, points) in self::kept(totals) {
            let mut parts = self.leaves.keys().filter(|place| place.total() == Some(total));
            if let (Some(place), None) = (parts.next(), parts.next()) {
                kept.insert(place.clone(), points);
            }
        }
        let places: BTreeSet<Place> = self.leaves.keys().chain(kept.keys()).cloned().collect();
        places
            .into_iter()
            .map(|place| {
                let after = kept.get(&place).copied();
                self.post(place, 0, after)
            })
            .collect()
    }
}

/// Points as this side sees them: the issuer's books are the holder's, seen from the other side.
pub(super) fn side(view: View, points: i128) -> i128 {
    match view {
        View::Holder => points,
        View::Issuer => -points,
    }
}

fn spent(view: View) -> &'static str {
    match view {
        View::Issuer => "Income",
        View::Holder => "Expenses",
    }
}

/// What all that is consumed, less what is refunded, is booked under.
pub(super) fn consumed_under(view: View) -> String {
    format!("{}:Consumed", spent(view))
}

/// What the ledger says was consumed less what was refunded, as the holder sees it.
pub(super) fn consumed_in(totals: &Totals) -> i64 {
    totals.consumed - totals.refunded
}

/// The four balances, debt as the negative it is to the holder.
fn places(available: i64, held: i64, pending: i64, debt: i64) -> [(Place, i64); 4] {
    [(Place::Available, available), (Place::Held, held), (Place::Pending, pending), (Place::Debt, -debt)]
}

fn figures(four: &Balances) -> [(Place, i64); 4] {
    places(four.available, four.held, four.pending, four.debt)
}

/// The ledger's own totals, as they stand on the other side of the holder's books.
fn kept(totals: &Totals) -> [(&'static str, i64); 6] {
    [
        ("Recharged", -totals.recharged),
        ("Consumed", consumed_in(totals)),
        ("Expired", totals.expired - totals.reinstated),
        ("Revoked", totals.revoked + totals.clawed_back),
        ("WrittenOff", -totals.written_off),
        ("Moved", totals.moved_out - totals.moved_in),
    ]
}
