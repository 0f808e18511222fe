//! Where points came from and went: one list of causes, in the words of a balance's totals, for statements, pages and whatever
//! else shows them.

use counterfoil::answer::{Balances, Totals};

/// Every total by its name, in the order of a balance: whether it adds to the net balance, and how many points.
fn named(totals: &Totals) -> [(&'static str, bool, i64); 10] {
    [
        ("recharged", true, totals.recharged),
        ("consumed", false, totals.consumed),
        ("refunded", true, totals.refunded),
        ("expired", false, totals.expired),
        ("reinstated", true, totals.reinstated),
        ("revoked", false, totals.revoked),
        ("clawed back", false, totals.clawed_back),
        ("written off", true, totals.written_off),
        ("moved in", true, totals.moved_in),
        ("moved out", false, totals.moved_out),
    ]
}

/// The totals that are something, each by its name.
///
/// ```
/// let mut totals = counterfoil::answer::Totals::default();
/// (totals.consumed, totals.clawed_back) = (30, 5);
/// assert_eq!(counterfoil_report::causes::totals(&totals), [("consumed", 30), ("clawed back", 5)]);
/// ```
#[must_use]
pub fn totals(totals: &Totals) -> Vec<(&'static str, i64)> {
    let flows = named(totals).into_iter().map(|(name, _, points)| (name, points));
    // What rolled over left one batch for another.
    flows.chain([("rolled over", totals.rolled)]).filter(|(_, points)| *points != 0).collect()
}

/// By how much each cause changed the net balance; those of nothing are left out. Together they are the change of net: what is
/// set aside, or not usable yet, has left it as well.
///
/// ```
/// let mut totals = counterfoil::answer::Totals::default();
/// totals.recharged = 100;
/// let mut change = counterfoil::answer::Balances::default();
/// (change.available, change.held) = (60, 40);
/// let causes = counterfoil_report::causes::causes(&totals, &change);
/// assert_eq!(causes, [("recharged", 100), ("set aside", -40)]);
/// ```
#[must_use]
pub fn causes(totals: &Totals, change: &Balances) -> Vec<(&'static str, i64)> {
    let flows = named(totals).map(|(name, adds, points)| (name, if adds { points } else { points.saturating_neg() }));
    let known = flows.iter().fold(0_i64, |sum, (_, points)| sum.saturating_add(*points));
    let all = [change.available, change.held, change.pending, change.debt.saturating_neg()];
    let all = all.into_iter().fold(0_i64, i64::saturating_add);
    // What a device heard of its hub has no other cause here.
    let told = ("told by the hub", all.saturating_sub(known));
    let moved = flows.into_iter().chain([told, aside(change.held), usable(change.pending)]);
    moved.filter(|(_, points)| *points != 0).collect()
}

/// What a change of what is held is to what can be spent.
#[must_use]
pub fn aside(held: i64) -> (&'static str, i64) {
    (if held > 0 { "set aside" } else { "no longer set aside" }, held.saturating_neg())
}

/// What a change of what is pending is to what can be spent.
#[must_use]
pub fn usable(pending: i64) -> (&'static str, i64) {
    (if pending > 0 { "not usable yet" } else { "become usable" }, pending.saturating_neg())
}
