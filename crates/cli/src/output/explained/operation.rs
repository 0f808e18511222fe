//! One operation explained.

use counterfoil::answer::Figures;
use counterfoil::report::{Calendar, Explanation, Payer, Reckoned, Step, StepKind};
use counterfoil::{EntryKind, OpKind, Points, Rollover};
use counterfoil_report::causes::totals;
use serde_json::Value;

use super::{Clock, Story, by_operation, counted, debt, destination, points, said};
use crate::output::amount;
use crate::output::blocks::{self, words};
use crate::output::safe;
use crate::output::table::{batch, time_at};

/// What it was, its price, who paid and why, the balances around it, and what came after; times are told as clocks of
/// `calendar` show them.
pub(crate) fn operation(told: &Explanation, calendar: &Calendar) -> String {
    let when: Clock<'_> = &|at| time_at(calendar, at);
    let mut story = Story::default();
    let receipt = &told.operation.receipt;
    let number = told.operation.sequence;
    let account = receipt.account.as_ref().map(|id| format!(" on {}", safe::line(id.as_str()))).unwrap_or_default();
    let count = if receipt.points > 0 { format!(" of {}", points(receipt.points)) } else { String::new() };
    story.line(format!("Operation {number}: {}{count}{account}", receipt.op.as_str().replace('_', " ")));
    facts(&mut story, told, when);
    price(&mut story, told);
    paid(&mut story, told, when);
    debts_since(&mut story, told, when);
    for side in &told.sides {
        story.head(format!("Balance of {}", safe::line(side.account.as_str())));
        let head = ["", "available", "held", "pending", "debt", "net"].map(String::from).to_vec();
        let mut rows = vec![head, figures("before", &side.before)];
        for line in &side.lines {
            let change = &line.change;
            let net = change.available.saturating_sub(change.debt);
            let signed = [change.available, change.held, change.pending, change.debt, net].map(|by| match by {
                0 => "0".into(),
                by => format!("{by:+}"),
            });
            rows.push(std::iter::once(line.kind.as_str().replace('_', " ")).chain(signed).collect());
        }
        rows.push(figures("after", &side.after));
        story.rows(&[1, 2, 3, 4, 5], rows);
        if let Some(elsewhere) = &side.elsewhere {
            let told = totals(elsewhere).into_iter().map(|(what, by)| format!("{what} {by:+}")).collect::<Vec<_>>();
            let told = if told.is_empty() { "nothing but which batches pay".into() } else { told.join(", ") };
            story.line(format!("  changed elsewhere: {told}"));
        }
    }
    moved(&mut story, told, when);
    made(&mut story, told, when);
    since(&mut story, told, when);
    if let Some(left) = told.operation.refundable.filter(|left| *left > 0) {
        story.head(format!("{} of it can be refunded", points(left)));
    }
    story.end()
}

fn figures(label: &str, figures: &Figures) -> Vec<String> {
    let four = [figures.available, figures.held, figures.pending, figures.debt].map(|figure| figure.to_string());
    std::iter::once(label.to_string()).chain(four).chain([figures.net.to_string()]).collect()
}

fn facts(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    let (receipt, request) = (&told.operation.receipt, &told.operation.request);
    let mut rows = vec![vec!["booked".to_string(), when(receipt.booked_at)]];
    if let Some(at) = receipt.occurred_at {
        rows.push(vec!["occurred".into(), when(at)]);
    }
    if let Some(at) = told.passed_deadline {
        rows.push(vec!["late".into(), format!("the hold's deadline had passed at {}; booked all the same", when(at))]);
    }
    if receipt.clock_suspect {
        let read = format!("read {}, which was not believed: ledger time stood still", when(receipt.recorded_at));
        rows.push(vec!["clock".into(), read]);
    }
    rows.extend(blocks::behind(receipt.clock_behind).map(|text| vec!["clock".into(), text]));
    for (label, field) in [
        ("by", "actor"),
        ("reason", "reason"),
        ("reference", "reference"),
        ("description", "description"),
        ("source", "source"),
        ("to", "to"),
        ("policy", "policy"),
        ("shortfall", "shortfall"),
        ("priority", "priority"),
        ("promo", "promo"),
    ] {
        match request.get(field) {
            None => {}
            Some(Value::String(text)) => rows.push(vec![label.into(), text.clone()]),
            Some(other) => rows.push(vec![label.into(), other.to_string()]),
        }
    }
    let rollover = request.get("rollover").cloned().and_then(|value| serde_json::from_value(value).ok());
    rows.extend(rollover.map(|rollover| vec!["rollover".into(), rolls(&rollover)]));
    rows.extend(request.metadata().map(|metadata| vec!["metadata".into(), metadata.to_string()]));
    if let Some(of) = request.get("operation").and_then(Value::as_str).and_then(|id| id.parse().ok()) {
        rows.push(vec!["refunds".into(), by_operation(of)]);
    }
    if let Some(info) = told.batches_now.first().filter(|_| request.get("effective_at").is_some()) {
        rows.push(vec!["effective".into(), when(info.effective_at)]);
    }
    if let Some(changed) = &receipt.changed {
        let (label, how) = blocks::changed(changed, when);
        rows.push(vec![label.into(), how]);
    }
    rows.push(vec!["key".into(), receipt.key.to_string()]);
    story.rows(&[], rows);
}

/// What moves on at a batch's end, and for how long.
fn rolls(rollover: &Rollover) -> String {
    let Rollover { cap, expires_in_hours, expires_in_days, expires_in_months, end_of_day, .. } = rollover;
    let lengths = [(expires_in_hours, "hour"), (expires_in_days, "day"), (expires_in_months, "month")];
    let life = lengths.into_iter().find_map(|(count, unit)| Some(counted((*count)?, unit))).unwrap_or_default();
    let end = end_of_day.as_ref().map(|offset| format!(", to the end of that day at {offset}")).unwrap_or_default();
    format!("at most {} for {life}{end}", points(*cap))
}

fn price(story: &mut Story, told: &Explanation) {
    let Some(reckoning) = &told.reckoning else { return };
    let receipt = &told.operation.receipt;
    let service = receipt.service.as_ref().map(|service| match (&receipt.quantity, &receipt.unit) {
        (Some(quantity), unit) => format!("{service}, {}", amount(quantity, unit.as_deref())),
        _ => service.clone(),
    });
    // What was paid for points is not known here; only what a price book made of the recharge.
    if receipt.op == "recharge" && reckoning.rule.is_none() {
        return;
    }
    story.head(if receipt.op == "recharge" { "Price book" } else { "Price" });
    let mut rows = Vec::new();
    match (&reckoning.rule, reckoning.by) {
        (Some(rule), Reckoned::Caller) => rows.push(vec!["decided".into(), rule.clone()]),
        (Some(rule), by) => {
            let at_most = if by == Reckoned::Estimate { "at most " } else { "" };
            rows.push(vec![format!("{at_most}{}", points(reckoning.points)), format!("= {rule}")]);
        }
        (None, Reckoned::Held) => rows.push(vec![points(reckoning.points), "what was held".into()]),
        (None, _) => rows.push(vec![points(reckoning.points), "named by the caller, not by a rule".into()]),
    }
    rows.extend(service.map(|service| vec!["for".into(), service]));
    if let Some(book) = &reckoning.price_book {
        let pinned = reckoning.pinned_by.map(|id| format!(", pinned by hold {}", id.sequence())).unwrap_or_default();
        rows.push(vec!["price book".into(), format!("{book:.16}\u{2026}{pinned}")]);
    }
    if receipt.short > 0 {
        let why = if receipt.op == "capture" { "beyond what was held" } else { "not covered, and with policy up_to" };
        let short = format!("{} {why} not charged", points(receipt.short));
        rows.push(vec!["short".into(), short]);
    }
    if receipt.over_limit {
        rows.push(vec!["over limit".into(), "policy strict would have refused this".into()]);
    }
    story.rows(&[], rows);
}

fn paid(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    let receipt = &told.operation.receipt;
    if told.paid_by.is_empty() && receipt.open == 0 {
        return;
    }
    story.head(match receipt.op {
        OpKind::Hold => "Set aside from, in this order",
        OpKind::Transfer => "Taken from, in this order",
        _ => "Paid by, in this order",
    });
    let mut rows: Vec<Vec<String>> = told.paid_by.iter().map(|by| payer(by, when)).collect();
    let within = match told.credit_limit {
        Some(limit) if limit > 0 && receipt.over_limit => format!(", past the credit limit of {limit}"),
        Some(limit) if limit > 0 => format!(", within the credit limit of {limit}"),
        _ => String::new(),
    };
    if receipt.open > 0 {
        rows.push(vec!["no batch".into(), receipt.open.to_string(), format!("left as debt{within}")]);
    }
    let unbacked = told.hold_now.as_ref().filter(|_| receipt.op == "hold").map_or(Points::ZERO, |hold| hold.unbacked);
    if unbacked > 0 {
        let limit = told.credit_limit.unwrap_or_default();
        rows.push(vec!["no batch".into(), unbacked.to_string(), format!("reserved of the credit limit of {limit}")]);
    }
    if rows.len() > 1 {
        rows.push(vec!["in all".into(), receipt.points.to_string()]);
    }
    story.rows(&[1], rows);
}

fn payer(payer: &Payer, when: Clock<'_>) -> Vec<String> {
    let kind = if payer.promo { "promotional" } else { "paid" };
    let why = payer.why.as_deref().unwrap_or_default();
    let priority = if payer.priority == 50 { String::new() } else { format!(", priority {}", payer.priority) };
    // The reason names what decided: the rest need not be said twice.
    let end = match payer.expires_at {
        _ if why.starts_with("expire") => String::new(),
        Some(at) => format!(", expires {}", when(at)),
        None => ", never expires".into(),
    };
    let made = if why == "older" { format!(", made {}", when(payer.created_at)) } else { String::new() };
    let facts = format!("{}, {kind}{priority}{end}{made}", payer.source);
    vec![format!("batch {}", batch(payer.batch)), payer.points.to_string(), facts, why.into(), returned(payer)]
}

/// What of its points was returned, and whether anybody has them.
fn returned(payer: &Payer) -> String {
    match (payer.returned.get(), payer.lapsed.get()) {
        (0, _) => String::new(),
        (count, 0) => format!("{count} returned since"),
        (count, lapsed) if count == lapsed => format!("{count} returned since, all lapsed"),
        (count, lapsed) => format!("{count} returned since, {lapsed} of them lapsed"),
    }
}

/// Who paid later what it left open.
fn debts_since(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    if !told.settled_by.is_empty() {
        story.head("Its debt was paid since by");
        let row = |payer: &Payer| {
            let by = payer.paid_in.map_or_else(|| "by time alone".into(), by_operation);
            let at = payer.paid_at.map(when).unwrap_or_default();
            let name = format!("batch {} ({})", batch(payer.batch), payer.source);
            vec![at, payer.points.to_string(), name, by, returned(payer)]
        };
        story.rows(&[1], told.settled_by.iter().map(row).collect());
    }
    if let Some(open) = told.operation.open_now.filter(|open| *open > 0) {
        story.head(format!("{} still owed", points(open)));
    }
}

/// Where what it brought went: back to batches, to debts.
fn moved(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    let receipt = &told.operation.receipt;
    if !told.went_to.is_empty() {
        let back = told.went_to.iter().fold(0_i64, |sum, went| sum.saturating_add(went.points.get()));
        story.head(match &told.hold_now {
            Some(hold) if back == hold.points => format!("The {} held given back", points(back)),
            Some(hold) => format!("{back} of the {} held given back", hold.points),
            None => "Where the points went".into(),
        });
        let of = told.operation.request.get("operation").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let row = |went: &Step| vec![went.points.to_string(), destination(went, of)];
        story.rows(&[0], told.went_to.iter().map(row).collect());
    }
    let row = |paid: &Step| vec![paid.points.to_string(), debt(paid, when), said(&paid.said)];
    for settled in &told.settled {
        story.head(format!("{} of the points paid what was used earlier", settled.points));
        story.rows(&[0], settled.parts.iter().map(row).collect());
    }
    if !told.forgiven.is_empty() {
        story.head(format!("Forgiven: {}", points(receipt.points)));
        story.rows(&[0], told.forgiven.iter().map(row).collect());
    }
}

fn made(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    let receipt = &told.operation.receipt;
    if receipt.reinstated > 0 {
        story.head(format!("{} came back from what had expired", points(receipt.reinstated)));
    }
    if receipt.owed > 0 {
        let how = if receipt.uncollected > 0 { "not collected (shortfall clamp)" } else { "booked as debt (clawback)" };
        story.head(format!("{} had been spent, held or moved already: {how}", points(receipt.owed)));
    }
    if !told.batches_now.is_empty() {
        story.head("Batches, as they are now");
        let row = |info: &counterfoil::answer::BatchInfo| {
            let gone = blocks::gone(info);
            let state = words(&info.state);
            let now = format!(
                "{} left + {} held + {} used + {gone} gone = {}; {state}",
                info.remaining, info.held, info.used, info.amount
            );
            let expires = info.expires_at.map_or_else(|| "never expires".into(), |at| format!("expires {}", when(at)));
            vec![format!("batch {}", batch(info.batch)), now, expires]
        };
        story.rows(&[], told.batches_now.iter().map(row).collect());
        story.line("  explain --batch tells the life of one");
    }
    if let Some(hold) = &told.hold_now {
        let unbacked = if hold.unbacked > 0 { format!(", {} of them on credit", hold.unbacked) } else { String::new() };
        let (number, count, state) = (hold.hold.sequence(), points(hold.points), words(&hold.state));
        story.head(format!("Hold {number}: {count}{unbacked}, now {state}, deadline {}", when(hold.deadline)));
    }
}

fn since(story: &mut Story, told: &Explanation, when: Clock<'_>) {
    let revoke = told.operation.receipt.op == "revoke";
    let mut sums = Vec::new();
    match told.refunded.get() {
        0 => {}
        count if revoke => sums.push(format!("{} of its debt returned", points(count))),
        count => sums.push(format!("{} refunded", points(count))),
    }
    if told.written_off > 0 {
        sums.push(format!("{} written off", points(told.written_off)));
    }
    if !sums.is_empty() {
        story.head(format!("Since then: {}", sums.join(", ")));
    } else if !told.since.is_empty() {
        story.head("Since then");
    }
    let is_gone = |step: &&Step| step.gone() != 0 || step.what == StepKind::Revoked;
    // What a return took for a revoke, and what that left of the revoke's debt, is one thing told twice.
    let twice = |step: &Step| {
        let same = |other: &Step| !is_gone(&other) && other.operation == step.operation && other.at == step.at;
        revoke && step.what == StepKind::Taken && told.since.iter().any(same)
    };
    let told_once = told.since.iter().filter(|step| !twice(step));
    let mut rows: Vec<Vec<String>> = told_once.map(|step| one_since(told, step, when)).collect();
    let gone: Vec<i64> = told.since.iter().filter(is_gone).map(Step::gone).collect();
    if gone.len() > 1 && told.operation.receipt.op == "recharge" {
        let sum = gone.iter().fold(0_i64, |sum, points| sum.saturating_add(*points));
        rows.push(vec!["in all".into(), sum.to_string(), "gone".into()]);
    }
    story.rows(&[1], rows);
}

fn one_since(told: &Explanation, step: &Step, when: Clock<'_>) -> Vec<String> {
    let name = step.batch.map(batch).unwrap_or_default();
    let op = told.operation.receipt.op;
    let mut what = match step.what {
        StepKind::Expired => format!("batch {name} expired"),
        StepKind::Lapsed => format!("lapsed on their return to batch {name}, which had expired"),
        StepKind::CameBack => format!("came back to batch {name} from what had expired"),
        StepKind::Revoked if step.of.is_some() => format!("taken, as owed since batch {name} was revoked"),
        StepKind::Revoked => format!("batch {name} revoked"),
        StepKind::PayerRevoked => format!("a batch that paid ({name}) was revoked; this {op} is unaffected"),
        StepKind::Taken => format!("taken on their return to batch {name}, which had been revoked"),
        StepKind::RolledOver => {
            let to = step.other_batch.map(|id| format!(" to batch {}", batch(id))).unwrap_or_default();
            format!("rolled over from batch {name}{to}")
        }
        StepKind::RolledBack => format!("came back to batch {name} from what had rolled over"),
        StepKind::TakenOver => format!("taken on their return to batch {name}, which had rolled out of a revoked one"),
        StepKind::Moved => format!("transferred away from batch {name}"),
        StepKind::Effective => format!("batch {name} became effective"),
        StepKind::ExpirySet => format!("batch {name} given another expiry"),
        _ if step.line == EntryKind::HoldExpire => "the hold's deadline passed".into(),
        StepKind::Returned if op == OpKind::Revoke => format!("came back by a {} to the revoked batch", step.line),
        _ => step.line.as_str().replace('_', " "),
    };
    what.push_str(&step.operation.map(|id| format!(", {}", by_operation(id))).unwrap_or_default());
    if step.owed > 0 && step.what == StepKind::Revoked {
        what.push_str(&format!("; {} more owed", step.owed));
    }
    if step.unbooked {
        what.push_str(" (unbooked)");
    }
    use StepKind::{Effective, ExpirySet, PayerRevoked, Renewed};
    let counts = !matches!(step.what, Effective | ExpirySet | PayerRevoked | Renewed);
    let count = if counts { step.signed().to_string() } else { String::new() };
    vec![when(step.at), count, what, said(&step.said)]
}
