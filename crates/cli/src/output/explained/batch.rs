//! The life of a batch.

use counterfoil::Calendar;
use counterfoil::answer::BatchState;
use counterfoil::report::{BatchLife, BatchUse, LifeEvent};

use super::{Clock, Story, by_operation, counted, or_never, points, said};
use crate::output::blocks::words;
use crate::output::safe;
use crate::output::table::{batch, time_at};

/// Uses told one by one; more are told by service.
const TOLD: usize = 50;

/// What happened to it, what it paid for, and the sum that equals its amount; times are told as clocks of `calendar` show
/// them.
pub(crate) fn life(life: &BatchLife, calendar: &Calendar) -> String {
    let when: Clock<'_> = &|at| time_at(calendar, at);
    let mut story = Story::default();
    let info = &life.batch;
    let kind = if info.promo { "promotional" } else { "paid" };
    let state = match info.state {
        BatchState::Pending => format!("pending, effective from {}", when(info.effective_at)),
        _ => words(&info.state),
    };
    story.line(format!(
        "Batch {} of {}: {}, {kind}, from {}, priority {}, expires {}; {state}",
        batch(info.batch),
        safe::line(info.account.as_str()),
        points(info.amount),
        safe::line(&info.source),
        info.priority,
        or_never(info.expires_at, when)
    ));
    story.head("What happened to it");
    story.rows(&[1], life.events.iter().map(|of| event(of, when)).collect());
    if !life.uses.is_empty() {
        let count = life.uses_by_service.iter().fold(0_i64, |sum, part| sum.saturating_add(part.uses));
        story.head(format!("Used: {} in {}", points(info.used), counted(count, "use")));
        if life.uses.len() <= TOLD && life.more_uses == 0 {
            story.rows(&[1], life.uses.iter().map(|of| one_use(of, when)).collect());
        } else {
            let row = |part: &counterfoil::report::ServiceUse| {
                let service = part.service.clone().unwrap_or_else(|| "no service named".into());
                vec![part.points.to_string(), format!("{service}, {}", counted(part.uses, "use"))]
            };
            story.rows(&[0], life.uses_by_service.iter().map(row).collect());
            story.line("  --format json lists them one by one");
        }
    }
    story.head("Where its points are");
    let buckets = [
        ("left", info.remaining),
        ("held", info.held),
        ("used", info.used),
        ("expired", info.expired),
        ("revoked", info.revoked),
        ("moved to other accounts", info.moved),
    ];
    let shown = buckets.iter().filter(|(_, points)| *points != 0);
    let mut rows: Vec<Vec<String>> = shown.map(|(what, points)| vec![(*what).into(), points.to_string()]).collect();
    rows.push(vec!["in all".into(), format!("= {}", info.amount)]);
    story.rows(&[1], rows);
    if info.owed > 0 {
        let owed = points(info.owed);
        story.line(format!("  {owed} of it are owed after a revoke: they are taken when they return."));
    }
    story.end()
}

fn event(event: &LifeEvent, when: Clock<'_>) -> Vec<String> {
    let other = event.other.as_ref().map_or("another account", |other| other.as_str());
    let other_batch = event.other_batch.map(|id| format!(" (batch {})", batch(id))).unwrap_or_default();
    let until = or_never(event.until, when);
    let returned = match event.hold {
        Some(hold) => format!("when hold {} ended", hold.sequence()),
        None => "on their return".into(),
    };
    let mut what = match event.what {
        "recharged" => format!("recharged, expires {until}"),
        "received" => format!("received from {other}{other_batch}, expires {until}"),
        "effective" => "became effective".into(),
        "held" => format!("held by hold {}, until {until}", event.hold.map_or(0, |id| id.sequence())),
        "moved" => format!("moved to {other}{other_batch}"),
        "expiry_set" => format!("expiry set to {until}"),
        "expired" => "expired".into(),
        "came_back" => "came back from what had expired".into(),
        "lapsed" => format!("lapsed {returned}: it had expired"),
        "revoked" => "revoked".into(),
        "taken" => format!("taken {returned}, after a revoke"),
        other => other.into(),
    };
    if event.owed > 0 {
        what.push_str(&format!("; {} more were gone already and are owed", event.owed));
    }
    if event.unbooked {
        what.push_str(" (unbooked)");
    }
    what.push_str(&event.operation.map(|id| format!(", {}", by_operation(id))).unwrap_or_default());
    let count = if event.what == "expiry_set" { String::new() } else { event.points.to_string() };
    vec![when(event.at), count, what, said(&event.said)]
}

fn one_use(used: &BatchUse, when: Clock<'_>) -> Vec<String> {
    let service = used.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
    let mut what = format!("{}{service}, {}", used.op, by_operation(used.operation));
    if used.op == "revoke" {
        what = format!("debt of a revoke, {}", by_operation(used.operation));
    }
    if used.settled > 0 {
        let at = used.settled_at.map(|at| format!(" at {}", when(at))).unwrap_or_default();
        what.push_str(&format!("; {} paid later{at}, settling its debt", used.settled));
    }
    if used.returned > 0 {
        what.push_str(&format!("; {} drawn, {} returned", used.drawn, used.returned));
    }
    vec![when(used.at), used.points.to_string(), what, said(&used.said)]
}
