//! Why points are gone.

use counterfoil::Calendar;
use counterfoil::report::{Gone, Missing, Moved, Returned, Settled};

use super::{Clock, Story, by_operation, counted, debt, destination, points, said};
use crate::output::blocks::said_totals;
use crate::output::table::{self, batch, time_at};

/// The equation, then every term with the lines that make it up; times are told as clocks of `calendar` show them.
/// Long lists are told in part unless `all` of them is wanted.
pub(crate) fn missing(told: &Missing, calendar: &Calendar, all: bool) -> String {
    let when: Clock<'_> = &|at| time_at(calendar, at);
    let mut story = Story { all, ..Story::default() };
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
    gone(&mut story, "Expired", told.changes.expired, &told.expired, when);
    gone(&mut story, "Revoked", told.changes.revoked, &told.revoked, when);
    moved(&mut story, "Transferred away", told.changes.transferred, &told.transferred, when);
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
    story.end()
}

fn equation(story: &mut Story, told: &Missing) {
    let sum = &told.changes;
    let mut rows = vec![vec!["available at the beginning".into(), told.opening.available.to_string()]];
    let terms = [
        ("recharged", sum.recharged),
        ("received from other accounts", sum.received),
        ("given back by refunds", sum.returned),
        ("spent", sum.spent.saturating_neg()),
        ("settled an old debt", sum.settled.saturating_neg()),
        ("expired", sum.expired.saturating_neg()),
        ("revoked", sum.revoked.saturating_neg()),
        ("transferred away", sum.transferred.saturating_neg()),
        (if sum.held < 0 { "held no longer" } else { "held for jobs" }, sum.held.saturating_neg()),
        (if sum.pending < 0 { "become effective" } else { "not effective yet" }, sum.pending.saturating_neg()),
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
    if !told.recharged.is_empty() {
        story.head(format!("Recharged: {}", points(told.changes.recharged)));
        let row = |came: &counterfoil::report::Came| {
            vec![came.points.to_string(), format!("from {}, {}", came.source, counted(came.lines, "recharge"))]
        };
        story.rows(&[0], told.recharged.iter().map(row).collect());
    }
    moved(story, "Received", told.changes.received, &told.received, when);
    if !told.returned.is_empty() {
        story.head(format!("Given back by refunds: {}", points(told.changes.returned)));
        story.list(
            &told.returned,
            |refund| (refund.points.get(), "refunds".into()),
            |refund| vec![returned(refund, when)],
        );
    }
}

fn returned(refund: &Returned, when: Clock<'_>) -> Vec<String> {
    let of = refund.of.map(|of| format!(", refund of {}", by_operation(of))).unwrap_or_default();
    let mut what = format!("{}{of}", by_operation(refund.operation));
    // What simply came back needs no word.
    for went in refund.went_to.iter().filter(|went| went.what != "restored" || went.instead_of.is_some()) {
        what.push_str(&format!("; {} {}", went.points, destination(went, refund.of)));
    }
    vec![refund.points.to_string(), when(refund.at), what, said(&refund.said)]
}

fn spent(story: &mut Story, told: &Missing) {
    if told.spent.is_empty() {
        return;
    }
    story.head(format!("Spent: {}", points(told.changes.spent)));
    let row = |spent: &counterfoil::report::Spent| {
        let service = spent.service.clone().unwrap_or_else(|| "no service named".into());
        let credit = match spent.on_credit {
            0 => String::new(),
            open => format!("; {} charged, {open} of them left as debt", spent.charged),
        };
        vec![spent.points.to_string(), format!("{service}, {}{credit}", counted(spent.lines, "use"))]
    };
    story.rows(&[0], told.spent.iter().map(row).collect());
}

fn settled(story: &mut Story, told: &Missing, when: Clock<'_>) {
    if told.settled.is_empty() {
        return;
    }
    story.head(format!("Settled an old debt: {} paid what was used earlier", points(told.changes.settled)));
    let row = |settled: &Settled| {
        let paid = settled.debts.iter().enumerate();
        let row = paid.map(|(index, paid)| {
            let at = if index == 0 { when(settled.at) } else { String::new() };
            vec![paid.points.to_string(), at, debt(paid, when), said(&paid.said)]
        });
        row.collect()
    };
    let sum = |settled: &Settled| settled.debts.iter().fold(0_i64, |sum, paid| sum.saturating_add(paid.points.get()));
    story.list(&told.settled, |settled| (sum(settled), "debts paid".into()), row);
}

fn gone(story: &mut Story, head: &str, sum: i64, list: &[Gone], when: Clock<'_>) {
    if list.is_empty() {
        return;
    }
    story.head(format!("{head}: {}", points(sum)));
    let name = |gone: &Gone| gone.source.clone().unwrap_or_else(|| gone.how.to_string());
    story.list(list, |gone| (gone.points, name(gone)), |gone| vec![one_gone(gone, when)]);
}

fn one_gone(gone: &Gone, when: Clock<'_>) -> Vec<String> {
    let batch = gone.batch.map(|id| format!("batch {}", batch(id)));
    let source = gone.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    let by = gone.operation.map(|id| format!(", {} ({})", by_operation(id), gone.by)).unwrap_or_default();
    let mut what = match (gone.how, batch) {
        ("expired", Some(batch)) => format!("{batch}{source}"),
        ("lapsed" | "taken", _) if gone.hold.is_some() && gone.operation.is_none() => {
            let hold = gone.hold.map_or(0, |hold| hold.sequence());
            let why = if gone.how == "lapsed" { "had expired" } else { "had been revoked" };
            let batch = gone.batch.map_or_else(|| "a batch".into(), |id| format!("batch {}{source}", table::batch(id)));
            format!("{} when the deadline of hold {hold} passed: {batch} {why}", gone.how)
        }
        ("lapsed", Some(batch)) => format!("lapsed on their return to {batch}{source}, which had expired{by}"),
        ("came_back", Some(batch)) => format!("came back to {batch}{source}{by}"),
        ("came_back", None) => format!("came back{by}"),
        ("taken", _) => format!("returned to a batch revoked before, and taken{by}"),
        (_, Some(batch)) => format!("{batch}{source}{by}"),
        (how, None) => format!("{how}{by}"),
    };
    if gone.owed > 0 {
        what.push_str(&format!("; {} more were gone already and are owed", gone.owed));
    }
    if gone.unbooked {
        what.push_str(" (unbooked)");
    }
    vec![gone.points.to_string(), when(gone.at), what, said(&gone.said)]
}

fn moved(story: &mut Story, head: &str, sum: i64, list: &[Moved], when: Clock<'_>) {
    if list.is_empty() {
        return;
    }
    story.head(format!("{head}: {}", points(sum)));
    let way = if head == "Received" { "from" } else { "to" };
    let row = |moved: &Moved| {
        let other = moved.other.as_ref().map_or("another account", |other| other.as_str());
        let what = format!("{way} {other}, {}", by_operation(moved.operation));
        vec![vec![moved.points.to_string(), when(moved.at), what, said(&moved.said)]]
    };
    let other = |moved: &Moved| moved.other.as_ref().map_or_else(|| "another account".into(), ToString::to_string);
    story.list(list, |moved| (moved.points.get(), format!("{way} {}", other(moved))), row);
}

fn waiting(story: &mut Story, told: &Missing, when: Clock<'_>) {
    if !told.held.is_empty() {
        story.head(format!("Still held: {}", points(told.closing.held)));
        let row = |held: &counterfoil::report::StillHeld| {
            let service = held.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
            let what = format!("hold {}{service}, until {} at the latest", held.hold.sequence(), when(held.deadline));
            vec![vec![held.points.to_string(), when(held.since), what, said(&held.said)]]
        };
        story.list(&told.held, |held| (held.points.get(), "holds".into()), row);
    }
    if !told.pending.is_empty() {
        story.head(format!("Not effective yet: {}", points(told.closing.pending)));
        let row = |pending: &counterfoil::report::NotYet| {
            let what =
                format!("batch {} ({}), from {}", batch(pending.batch), pending.source, when(pending.effective_at));
            vec![vec![pending.points.to_string(), what]]
        };
        story.list(&told.pending, |pending| (pending.points.get(), pending.source.clone()), row);
    }
}
