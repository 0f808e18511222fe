//! Why points are gone.

use counterfoil::EntryKind;
use counterfoil::report::{Calendar, Cause, Missing, Step, StepKind};
use counterfoil_report::causes::{aside, usable};

use super::{Clock, Story, by_operation, debt, destination, groups, points, said};
use crate::output::blocks::said_totals;
use crate::output::table::{batch, time_at};

/// Of each cause so many lines are told one by one.
pub(crate) const LINES: usize = 32;

/// The equation, then every term with the lines that make it up; times are told as clocks of `calendar` show them.
pub(crate) fn missing(told: &Missing, calendar: &Calendar) -> String {
    let when: Clock<'_> = &|at| time_at(calendar, at);
    let mut story = Story::default();
    if !told.exists {
        return format!("{}: no such account, so no points", crate::output::safe::line(told.account.as_str()));
    }
    let from = told.from.map_or_else(|| "from its beginning".into(), |from| format!("from {}", when(from)));
    let to = match told.to.filter(|to| *to <= told.as_of) {
        Some(to) => format!("until before {}", when(to)),
        None => format!("until now ({})", when(told.as_of)),
    };
    story.line(format!("{}, {from} {to}", crate::output::safe::line(told.account.as_str())));
    equation(&mut story, told);
    came(&mut story, told, when);
    spent(&mut story, told);
    settled(&mut story, told, when);
    gone(&mut story, "Expired", &told.expired, when);
    gone(&mut story, "Revoked", &told.revoked, when);
    moved(&mut story, "Transferred away", &told.transferred, when);
    waiting(&mut story, told, when);
    if told.closing.debt > 0 {
        story.head(format!(
            "Owed: {} used and paid by no batch yet. New points pay that first.",
            points(told.closing.debt)
        ));
    }
    if told.clock_suspect {
        story.head(
            "The clock is not believed, so ledger time stands still: nothing expires until it is set or confirmed.",
        );
    }
    if told.clock_behind > 0 {
        story.head(format!("The clock is {} s behind the newest time in the ledger.", told.clock_behind));
    }
    story.end()
}

fn equation(story: &mut Story, told: &Missing) {
    let held = told.closing.held.get().saturating_sub(told.opening.held.get());
    let pending = told.closing.pending.get().saturating_sub(told.opening.pending.get());
    let mut rows = vec![vec!["available at the beginning".into(), told.opening.available.to_string()]];
    let terms = [
        ("recharged", told.recharged.points),
        ("received from other accounts", told.received.points),
        ("given back by refunds", told.returned.points),
        ("spent", told.spent.points.saturating_neg()),
        ("settled an old debt", told.settled.points.saturating_neg()),
        ("expired", told.expired.points.saturating_neg()),
        ("revoked", told.revoked.points.saturating_neg()),
        ("transferred away", told.transferred.points.saturating_neg()),
        ("told by the hub", told.reconciled.points),
        aside(held),
        usable(pending),
    ];
    for (what, change) in terms.into_iter().filter(|(_, change)| *change != 0) {
        rows.push(vec![what.into(), format!("{change:+}")]);
    }
    rows.push(vec!["available at the end".into(), format!("= {}", told.closing.available)]);
    story.rows(&[1], rows);
    let totals = said_totals(&told.totals);
    if !totals.is_empty() {
        story.head(format!("In the words of the balance: {totals}"));
    }
}

fn came(story: &mut Story, told: &Missing, when: Clock<'_>) {
    if !told.recharged.groups.is_empty() {
        story.head(format!("Recharged: {}", points(told.recharged.points)));
        story.rows(&[0], groups(&told.recharged.groups, "recharge", |source| format!("from {source}")));
    }
    moved(story, "Received", &told.received, when);
    if !told.returned.steps.is_empty() {
        story.head(format!("Given back by refunds: {}", points(told.returned.points)));
        story.list(&told.returned, ("refunds", str::to_string), |refund| vec![returned(refund, when)]);
    }
}

fn returned(refund: &Step, when: Clock<'_>) -> Vec<String> {
    let of = refund.of.map(|of| format!(", refund of {}", by_operation(of))).unwrap_or_default();
    let mut what = format!("{}{of}", refund.operation.map(by_operation).unwrap_or_default());
    // What simply came back needs no word.
    for went in refund.parts.iter().filter(|went| went.what != StepKind::Restored || went.other_batch.is_some()) {
        what.push_str(&format!("; {} {}", went.points, destination(went, refund.of)));
    }
    vec![refund.points.to_string(), when(refund.at), what, said(&refund.said)]
}

fn spent(story: &mut Story, told: &Missing) {
    if !told.spent.groups.is_empty() {
        story.head(format!("Spent: {}", points(told.spent.points)));
        story.rows(&[0], groups(&told.spent.groups, "use", str::to_string));
    }
}

fn settled(story: &mut Story, told: &Missing, when: Clock<'_>) {
    if told.settled.steps.is_empty() {
        return;
    }
    story.head(format!("Settled an old debt: {} paid what was used earlier", points(told.settled.points)));
    let row = |settled: &Step| {
        let paid = settled.parts.iter().enumerate();
        let row = paid.map(|(index, paid)| {
            let at = if index == 0 { when(settled.at) } else { String::new() };
            vec![paid.points.to_string(), at, debt(paid, when), said(&paid.said)]
        });
        row.collect()
    };
    story.list(&told.settled, ("debts paid", str::to_string), row);
}

fn gone(story: &mut Story, head: &str, cause: &Cause, when: Clock<'_>) {
    if cause.steps.is_empty() {
        return;
    }
    story.head(format!("{head}: {}", points(cause.points)));
    story.list(cause, ("others", str::to_string), |gone| vec![one_gone(gone, when)]);
}

fn one_gone(gone: &Step, when: Clock<'_>) -> Vec<String> {
    let source = gone.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    let batch = gone.batch.map_or_else(|| "a batch".into(), |id| format!("batch {}{source}", batch(id)));
    let by = gone.operation.map(|id| format!(", {} ({})", by_operation(id), gone.line)).unwrap_or_default();
    let hold = gone.hold.filter(|_| gone.line == EntryKind::HoldExpire);
    let (how, why) = match gone.what {
        StepKind::Lapsed => ("lapsed", "had expired"),
        StepKind::TakenOver => ("taken", "had rolled out of a revoked one"),
        _ => ("taken", "had been revoked"),
    };
    let mut what = match (gone.what, hold) {
        (StepKind::Lapsed | StepKind::Taken | StepKind::TakenOver, Some(hold)) => {
            format!("{how} when the deadline of hold {} passed: {batch} {why}", hold.sequence())
        }
        (StepKind::Lapsed | StepKind::Taken | StepKind::TakenOver, None) => {
            format!("{how} on their return to {batch}, which {why}{by}")
        }
        (StepKind::CameBack, _) => format!("came back to {batch}{by}"),
        _ => format!("{batch}{by}"),
    };
    if gone.owed > 0 {
        what.push_str(&format!("; {} more were gone already and are owed", gone.owed));
    }
    if gone.unbooked {
        what.push_str(" (unbooked)");
    }
    vec![gone.signed().to_string(), when(gone.at), what, said(&gone.said)]
}

fn moved(story: &mut Story, head: &str, cause: &Cause, when: Clock<'_>) {
    if cause.steps.is_empty() {
        return;
    }
    story.head(format!("{head}: {}", points(cause.points)));
    let way = if head == "Received" { "from" } else { "to" };
    let other = |step: &Step| step.other.as_ref().map_or_else(|| "another account".into(), ToString::to_string);
    let row = |step: &Step| {
        let what = format!("{way} {}, {}", other(step), step.operation.map(by_operation).unwrap_or_default());
        vec![vec![step.points.to_string(), when(step.at), what, said(&step.said)]]
    };
    story.list(cause, ("others", |other: &str| format!("{way} {other}")), row);
}

fn waiting(story: &mut Story, told: &Missing, when: Clock<'_>) {
    let until = |step: &Step| step.until.map(when).unwrap_or_default();
    if !told.held.steps.is_empty() {
        story.head(format!("Still held: {}", points(told.held.points)));
        let row = |held: &Step| {
            let service = held.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
            let number = held.hold.map_or(0, |hold| hold.sequence());
            let what = format!("hold {number}{service}, until {} at the latest", until(held));
            vec![vec![held.points.to_string(), when(held.at), what, said(&held.said)]]
        };
        story.list(&told.held, ("holds", str::to_string), row);
    }
    if !told.pending.steps.is_empty() {
        story.head(format!("Not effective yet: {}", points(told.pending.points)));
        let source = |pending: &Step| pending.source.clone().unwrap_or_default();
        let row = |pending: &Step| {
            let name = pending.batch.map(batch).unwrap_or_default();
            let what = format!("batch {name} ({}), from {}", source(pending), until(pending));
            vec![vec![pending.points.to_string(), what]]
        };
        story.list(&told.pending, ("others", str::to_string), row);
    }
}
