//! The life of a batch.

use counterfoil::answer::BatchState;
use counterfoil::report::{BatchLife, Calendar, Step, StepKind};
use counterfoil::{EntryKind, OperationId};

use super::{Clock, Story, by_operation, counted, groups, or_never, points, said};
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
    story.rows(&[1], life.steps.iter().map(|step| event(step, when)).collect());
    if !life.uses.is_empty() {
        let count = life.uses_by_service.iter().fold(0_i64, |sum, part| sum.saturating_add(part.lines));
        story.head(format!("Used: {} in {}", points(info.used), counted(count, "use")));
        if life.uses.len() <= TOLD && life.more_uses == 0 {
            story.rows(&[1], life.uses.iter().map(|of| one_use(of, when)).collect());
        } else {
            story.rows(&[0], groups(&life.uses_by_service, "use", str::to_string));
            story.line("  --format json lists them one by one");
        }
    }
    story.head("Where its points are");
    let of_rolls =
        |step: &&Step| matches!(step.what, StepKind::RolledOver | StepKind::RolledBack | StepKind::TakenOver);
    let rolled = life.steps.iter().filter(of_rolls).fold(0_i64, |sum, step| sum.saturating_add(step.gone()));
    let moved = info.moved.get().saturating_sub(rolled);
    let buckets = [
        ("left", info.remaining.get()),
        ("held", info.held.get()),
        ("used", info.used.get()),
        ("expired", info.expired.get()),
        ("revoked", info.revoked.get()),
        ("moved to other accounts", moved),
        (if info.rollover.is_some() { "rolled over" } else { "gone back to what it rolled out of" }, rolled),
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

fn event(step: &Step, when: Clock<'_>) -> Vec<String> {
    let other = step.other.as_ref().map_or("another account", |other| other.as_str());
    let name = step.other_batch.map(batch).unwrap_or_default();
    let other_batch = step.other_batch.map(|id| format!(" (batch {})", batch(id))).unwrap_or_default();
    let until = or_never(step.until, when);
    let returned = match step.hold {
        Some(hold) => format!("when hold {} ended", hold.sequence()),
        None => "on their return".into(),
    };
    let mut what = match step.what {
        StepKind::Recharged => format!("recharged, expires {until}"),
        StepKind::Received => format!("received from {other}{other_batch}, expires {until}"),
        StepKind::Effective => "became effective".into(),
        StepKind::Held => format!("held by hold {}, until {until}", step.hold.map_or(0, |id| id.sequence())),
        StepKind::Moved => format!("moved to {other}{other_batch}"),
        StepKind::RolledIn => format!("rolled over from batch {name}, expires {until}"),
        StepKind::RolledOver if step.line == EntryKind::Rollover => format!("rolled over to batch {name}"),
        StepKind::RolledOver => format!("gone back to batch {name}, which it rolled out of"),
        StepKind::RolledBack => "came back from what had rolled over".into(),
        StepKind::TakenOver => format!("taken {returned}, after a revoke of batch {name}, which it rolled out of"),
        StepKind::ExpirySet => format!("expiry set to {until}"),
        StepKind::CameBack => "came back from what had expired".into(),
        StepKind::Lapsed => format!("lapsed {returned}: it had expired"),
        StepKind::Taken => format!("taken {returned}, after a revoke"),
        what => what.as_str().replace('_', " "),
    };
    if step.owed > 0 {
        what.push_str(&format!("; {} more were gone already and are owed", step.owed));
    }
    if step.unbooked {
        what.push_str(" (unbooked)");
    }
    what.push_str(&named(step.operation));
    let count = if step.what == StepKind::ExpirySet { String::new() } else { step.points.to_string() };
    vec![when(step.at), count, what, said(&step.said)]
}

fn named(operation: Option<OperationId>) -> String {
    operation.map(|id| format!(", {}", by_operation(id))).unwrap_or_default()
}

fn one_use(used: &Step, when: Clock<'_>) -> Vec<String> {
    let service = used.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
    let mut what = match used.line {
        EntryKind::Revoke => "debt of a revoke".into(),
        line => format!("{line}{service}"),
    };
    what.push_str(&named(used.operation));
    for part in &used.parts {
        what.push_str(&match part.what {
            StepKind::Settled => format!("; {} paid later at {}, settling its debt", part.points, when(part.at)),
            _ => format!("; {} drawn, {} returned", used.points.get().saturating_add(part.points.get()), part.points),
        });
    }
    vec![when(used.at), used.points.to_string(), what, said(&used.said)]
}
