//! The smallest part of a history that still fails, and its text.

use super::books::Reading;
use super::instant;
use super::steps::{Act, Step};
use serde_json::{Value, json};

/// Takes out steps, then words of steps, while `fails` stays true.
pub fn shrink(steps: &[Step], fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut best = steps.to_vec();
    loop {
        let before = (best.len(), words(&best));
        best = without_chunks(best, fails);
        best = with_fewer_words(best, fails);
        if (best.len(), words(&best)) == before {
            return best;
        }
    }
}

/// Takes out steps, half of them at once at first, while `fails` stays true.
pub fn without_chunks<S: Clone>(mut best: Vec<S>, fails: &mut dyn FnMut(&[S]) -> bool) -> Vec<S> {
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let mut from = best.len().saturating_sub(size);
        loop {
            let mut fewer = best.clone();
            fewer.drain(from..(from + size).min(best.len()));
            if fails(&fewer) {
                best = fewer;
            }
            if from == 0 {
                break;
            }
            from = from.saturating_sub(size);
        }
        size /= 2;
    }
    best
}

const OPTIONAL: [&str; 15] = [
    "reference",
    "description",
    "actor",
    "metadata",
    "priority",
    "promo",
    "effective_at",
    "occurred_at",
    "policy",
    "shortfall",
    "end_of_day",
    "credit_limit",
    "expires_at",
    "expires_in_hours",
    "expires_in_days",
];

fn with_fewer_words(mut best: Vec<Step>, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    for i in 0..best.len() {
        for field in OPTIONAL {
            let mut fewer = best.clone();
            let Act::Line(line) = &mut fewer[i].act else {
                continue;
            };
            let removed = line.as_object_mut().and_then(|line| line.remove(field));
            if removed.is_some() && fails(&fewer) {
                best = fewer;
            }
        }
        let mut plain = best.clone();
        plain[i].reading.trusted = false;
        if best[i].reading.trusted && fails(&plain) {
            best = plain;
        }
    }
    best
}

fn words(steps: &[Step]) -> usize {
    let count = |step: &Step| match &step.act {
        Act::Line(line) => line.as_object().map_or(0, |line| line.len()) + usize::from(step.reading.trusted),
        _ => 0,
    };
    steps.iter().map(count).sum()
}

/// Seed and history as JSON lines; `parse` reads them again.
pub fn print(seed: u64, steps: &[Step]) -> String {
    let mut text = format!("# seed {seed}, {} steps\n", steps.len());
    for step in steps {
        let act = match &step.act {
            Act::Line(line) => line.clone(),
            Act::Expire => json!("expire"),
            Act::Read { account, at, points } => json!({"read": account, "at_ms": at, "points": points}),
        };
        let clock = instant::text(step.reading.ms.min(instant::LAST));
        let line = json!({"id": step.id, "clock": clock, "trusted": step.reading.trusted, "do": act});
        text.push_str(&format!("{line}\n"));
    }
    text
}

pub fn parse(text: &str) -> Option<Vec<Step>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(parse_step).collect()
}

fn parse_step(line: &str) -> Option<Step> {
    let line: Value = serde_json::from_str(line).ok()?;
    let act = match &line["do"] {
        Value::String(_) => Act::Expire,
        act => match act["read"].as_str() {
            Some(account) => {
                Act::Read { account: account.into(), at: act["at_ms"].as_i64(), points: act["points"].as_i64()? }
            }
            None => Act::Line(act.clone()),
        },
    };
    let ms = instant::parse(line["clock"].as_str()?)?;
    let reading = Reading { ms, trusted: line["trusted"] == true };
    Some(Step { id: line["id"].as_u64()? as usize, reading, act })
}
