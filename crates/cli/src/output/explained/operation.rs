//! One operation explained.

use counterfoil::{Explanation, Figures, Payer, Since};
use serde_json::Value;

use super::{Story, by_operation, points, when};
use crate::output::amount;
use crate::output::blocks::words;
use crate::output::safe;
use crate::output::table::batch;

/// What it was, its price, who paid and why, the balances around it, and what came after.
pub(crate) fn operation(told: &Explanation) -> String {
    let mut story = Story::default();
    let receipt = &told.operation.receipt;
    let number = told.operation.sequence;
    let account = receipt.account.as_ref().map(|id| format!(" on {}", safe::line(id.as_str()))).unwrap_or_default();
    let count = if receipt.points > 0 { format!(" of {}", points(receipt.points)) } else { String::new() };
    story.line(format!("Operation {number}: {}{count}{account}", receipt.op.replace('_', " ")));
    facts(&mut story, told);
    price(&mut story, told);
    paid(&mut story, told);
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
            rows.push(std::iter::once(line.kind.replace('_', " ")).chain(signed).collect());
        }
        rows.push(figures("after", &side.after));
        story.rows(&[1, 2, 3, 4, 5], rows);
    }
    made(&mut story, told);
    since(&mut story, told);
    story.end()
}

fn figures(label: &str, figures: &Figures) -> Vec<String> {
    let five = [figures.available, figures.held, figures.pending, figures.debt, figures.net];
    std::iter::once(label.to_string()).chain(five.map(|figure| figure.to_string())).collect()
}

fn facts(story: &mut Story, told: &Explanation) {
    let (receipt, request) = (&told.operation.receipt, &told.operation.request);
    let mut rows = vec![vec!["booked".to_string(), when(receipt.booked_at)]];
    if let Some(at) = receipt.occurred_at {
        rows.push(vec!["occurred".into(), when(at)]);
    }
    if receipt.clock_suspect {
        let read = format!("read {}, which was not believed: ledger time stood still", when(receipt.recorded_at));
        rows.push(vec!["clock".into(), read]);
    }
    for (label, field) in [
        ("by", "actor"),
        ("reason", "reason"),
        ("reference", "reference"),
        ("description", "description"),
        ("source", "source"),
        ("to", "to"),
        ("policy", "policy"),
        ("shortfall", "shortfall"),
        ("setting", "setting"),
        ("value", "value"),
        ("metadata", "metadata"),
    ] {
        match request.get(field) {
            None => {}
            Some(Value::String(text)) => rows.push(vec![label.into(), text.clone()]),
            Some(other) => rows.push(vec![label.into(), other.to_string()]),
        }
    }
    if let Some(of) = request.get("operation").and_then(Value::as_str).and_then(|id| id.parse().ok()) {
        rows.push(vec!["refunds".into(), by_operation(of)]);
    }
    rows.push(vec!["key".into(), receipt.key.to_string()]);
    story.rows(&[], rows);
}

fn price(story: &mut Story, told: &Explanation) {
    let Some(reckoning) = &told.reckoning else { return };
    let receipt = &told.operation.receipt;
    let service = receipt.service.as_ref().map(|service| match (&receipt.quantity, &receipt.unit) {
        (Some(quantity), unit) => format!("{service}, {}", amount(quantity, unit.as_deref())),
        _ => service.clone(),
    });
    story.head("Price");
    let mut rows = Vec::new();
    match (&reckoning.rule, reckoning.by) {
        (Some(rule), "caller") => rows.push(vec![points(reckoning.points), format!("named by the caller; {rule}")]),
        (Some(rule), by) => {
            let at_most = if by == "estimate" { "at most " } else { "" };
            rows.push(vec![format!("{at_most}{}", points(reckoning.points)), format!("= {rule}")]);
        }
        (None, _) => rows.push(vec![points(reckoning.points), "named by the caller, not by a rule".into()]),
    }
    rows.extend(service.map(|service| vec!["for".into(), service]));
    if let Some(book) = &reckoning.price_book {
        let pinned = reckoning.pinned_by.map(|id| format!(", pinned by hold {}", id.sequence())).unwrap_or_default();
        let short: String = book.chars().take(16).collect();
        rows.push(vec!["price book".into(), format!("{short}\u{2026}{pinned}")]);
    }
    if receipt.short > 0 {
        let short = format!("{} not covered, and with policy up_to not charged", points(receipt.short));
        rows.push(vec!["short".into(), short]);
    }
    if receipt.over_limit {
        rows.push(vec!["over limit".into(), "policy strict would have refused this".into()]);
    }
    story.rows(&[], rows);
}

fn paid(story: &mut Story, told: &Explanation) {
    let receipt = &told.operation.receipt;
    if told.paid_by.is_empty() && receipt.open == 0 {
        return;
    }
    story.head(match receipt.op {
        "hold" => "Set aside from, in this order",
        "transfer" => "Taken from, in this order",
        _ => "Paid by, in this order",
    });
    let mut rows: Vec<Vec<String>> = told.paid_by.iter().map(payer).collect();
    if receipt.open > 0 {
        rows.push(vec!["no batch".into(), receipt.open.to_string(), "left as debt".into()]);
    }
    let unbacked = told.hold.as_ref().filter(|_| receipt.op == "hold").map_or(0, |hold| hold.unbacked);
    if unbacked > 0 {
        rows.push(vec!["no batch".into(), unbacked.to_string(), "reserved of the credit limit".into()]);
    }
    if rows.len() > 1 {
        rows.push(vec!["in all".into(), receipt.points.to_string()]);
    }
    story.rows(&[1], rows);
    if !told.settled_by.is_empty() {
        story.head("Its debt was paid since by");
        story.rows(&[1], told.settled_by.iter().map(payer).collect());
    }
    if let Some(open) = told.operation.open_now.filter(|open| *open > 0) {
        story.line(format!("  {} still owed", points(open)));
    }
}

fn payer(payer: &Payer) -> Vec<String> {
    let kind = if payer.promo { "promotional" } else { "paid" };
    let expires = payer.expires_at.map_or_else(|| "never expires".into(), |at| format!("expires {}", when(at)));
    let why = match (&payer.why, payer.held) {
        (_, true) => "set aside by the hold".into(),
        (Some(why), _) => why.clone(),
        (None, false) => String::new(),
    };
    let returned = if payer.returned > 0 { format!("{} returned since", payer.returned) } else { String::new() };
    let facts =
        format!("{}, {kind}, priority {}, {expires}, made {}", payer.source, payer.priority, when(payer.created_at));
    vec![format!("batch {}", batch(payer.batch)), payer.points.to_string(), facts, why, returned]
}

fn made(story: &mut Story, told: &Explanation) {
    let receipt = &told.operation.receipt;
    for (what, count) in
        [("given back to live batches", receipt.restored), ("lapsed: their batch had expired", receipt.lapsed)]
    {
        if count > 0 {
            story.head(format!("Of this, {} {what}", points(count)));
        }
    }
    if receipt.reinstated > 0 {
        story.head(format!("{} came back from what had expired", points(receipt.reinstated)));
    }
    if receipt.owed > 0 {
        let how = if receipt.uncollected > 0 { "not collected (shortfall clamp)" } else { "booked as debt (clawback)" };
        story.head(format!("{} had been spent, held or moved already: {how}", points(receipt.owed)));
    }
    if !told.batches.is_empty() {
        story.head("Batches, as they are now");
        let row = |info: &counterfoil::BatchInfo| {
            let gone = info.expired.saturating_add(info.revoked).saturating_add(info.moved);
            let state = words(&info.state);
            let now = format!(
                "{} left + {} held + {} used + {gone} gone = {}; {state}",
                info.remaining, info.held, info.used, info.amount
            );
            let expires = info.expires_at.map_or_else(|| "never expires".into(), |at| format!("expires {}", when(at)));
            vec![format!("batch {}", batch(info.batch)), now, expires]
        };
        story.rows(&[], told.batches.iter().map(row).collect());
        story.line("  explain --batch tells the life of one");
    }
    if let Some(hold) = &told.hold {
        let unbacked = if hold.unbacked > 0 { format!(", {} of them on credit", hold.unbacked) } else { String::new() };
        let (number, count, state) = (hold.hold.sequence(), points(hold.points), words(&hold.state));
        story.head(format!("Hold {number}: {count}{unbacked}, now {state}, deadline {}", when(hold.deadline)));
    }
}

fn since(story: &mut Story, told: &Explanation) {
    if told.refunded > 0 || told.written_off > 0 {
        let mut sums = Vec::new();
        if told.refunded > 0 {
            sums.push(format!("{} refunded", points(told.refunded)));
        }
        if told.written_off > 0 {
            sums.push(format!("{} written off", points(told.written_off)));
        }
        story.head(format!("Since then: {}", sums.join(", ")));
    } else if !told.since.is_empty() {
        story.head("Since then");
    }
    story.rows(&[1], told.since.iter().map(one_since).collect());
}

fn one_since(since: &Since) -> Vec<String> {
    let batch = since.batch.map(|id| format!(" of batch {}", batch(id))).unwrap_or_default();
    let by = since.operation.map(|id| format!(", {}", by_operation(id))).unwrap_or_default();
    let owed = if since.owed > 0 { format!("; {} more owed", since.owed) } else { String::new() };
    let unbooked = if since.unbooked { " (unbooked)" } else { "" };
    let what = format!("{}{batch}{by}{owed}{unbooked}", since.what.replace('_', " "));
    vec![when(since.at), since.points.to_string(), what, super::said(&since.said)]
}
