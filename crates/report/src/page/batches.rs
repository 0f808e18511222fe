//! Batches, the soonest to expire first, and the calendar of what is going to expire.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use counterfoil::answer::{BatchInfo, BatchState};
use counterfoil::report::{Calendar, Statement};

use super::sums::percent;
use super::words::{Stamp, Until, counted, free, points};

/// Months drawn as a calendar; what expires later is a list.
const MONTHS: usize = 6;
/// Batches shown at once; the others are folded.
const SHOWN: usize = 24;
/// Batches told at all; the rest is a number.
const TOLD: usize = 120;
/// Ends told beyond the months that are drawn.
const LATER: usize = 36;
/// With more ends than this in a month, those of a day are one.
const ENDS: usize = 5;
/// With more batches than this the strip has one part for each colour.
const SEGMENTS: usize = 60;

/// Points that expire together.
pub(super) struct Due {
    pub(super) iso: String,
    pub(super) when: String,
    pub(super) points: String,
    pub(super) from: String,
}

/// A month in which something expires.
pub(super) struct Month {
    pub(super) name: String,
    pub(super) points: String,
    pub(super) weeks: Vec<Vec<Day>>,
    pub(super) due: Vec<Due>,
}

/// A day of a calendar; number 0 is a place before the first or after the last.
pub(super) struct Day {
    pub(super) number: u32,
    pub(super) due: bool,
}

#[derive(Default, Clone)]
struct Together {
    points: i64,
    /// How many of them move on at their end.
    rolling: i64,
    batches: usize,
    sources: Vec<String>,
}

/// Months with something that expires, and what is beyond them.
pub(super) fn calendar(batches: &[BatchInfo], calendar: &Calendar) -> (Vec<Month>, Vec<Due>) {
    let mut ends: BTreeMap<DateTime<Utc>, Together> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| batch.remaining > 0) {
        let Some(end) = batch.expires_at else { continue };
        let together = ends.entry(end).or_default();
        together.points = together.points.saturating_add(batch.remaining.get());
        together.rolling = together.rolling.saturating_add(batch.would_roll.get());
        together.batches = together.batches.saturating_add(1);
        if !together.sources.contains(&batch.source) {
            together.sources.push(batch.source.clone());
        }
    }
    let mut months: BTreeMap<(i32, u32), Vec<_>> = BTreeMap::new();
    for (end, together) in ends {
        let until = Until::new(end, calendar);
        months.entry((until.day.year(), until.day.month())).or_default().push((until, end, together));
    }
    let mut months = months.into_iter();
    let drawn = months.by_ref().take(MONTHS).filter_map(|(place, due)| month(place, &due)).collect();
    let mut later = months.flat_map(|(_, due)| due);
    let mut told: Vec<Due> =
        later.by_ref().take(LATER).map(|(until, end, together)| together.due(until.text(), end)).collect();
    // The rest as one.
    if let Some((until, end, mut together)) = later.next() {
        later.for_each(|(.., other)| together.add(&other));
        told.push(together.due(format!("{} and later", until.text()), end));
    }
    (drawn, told)
}

impl Together {
    fn add(&mut self, other: &Together) {
        self.points = self.points.saturating_add(other.points);
        self.rolling = self.rolling.saturating_add(other.rolling);
        self.batches = self.batches.saturating_add(other.batches);
        for source in &other.sources {
            if !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
    }

    fn due(&self, when: String, end: DateTime<Utc>) -> Due {
        let named: Vec<String> = self.sources.iter().take(3).map(|source| free(source)).collect();
        let more = if self.sources.len() > named.len() { " …" } else { "" };
        let many =
            if self.batches > 1 { format!("{}: ", counted(self.batches, "batch", "batches")) } else { String::new() };
        let rolling =
            if self.rolling > 0 { format!(", {} of it roll over", points(self.rolling)) } else { String::new() };
        Due {
            iso: end.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            when,
            points: points(self.points),
            from: format!("{many}{}{more}{rolling}", named.join(", ")),
        }
    }
}

fn month((year, month): (i32, u32), due: &[(Until, DateTime<Utc>, Together)]) -> Option<Month> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let blank = || Day { number: 0, due: false };
    let mut days: Vec<Day> = (0..first.weekday().num_days_from_monday()).map(|_| blank()).collect();
    days.extend(
        first
            .iter_days()
            .take_while(|day| day.month() == month)
            .map(|day| Day { number: day.day(), due: due.iter().any(|(until, ..)| until.day == day) }),
    );
    let mut weeks = Vec::new();
    while !days.is_empty() {
        let rest = days.split_off(days.len().min(7));
        days.resize_with(7, blank);
        weeks.push(std::mem::replace(&mut days, rest));
    }
    let sum = due.iter().fold(0_i64, |sum, (.., together)| sum.saturating_add(together.points));
    let one = |(until, end, together): &(Until, DateTime<Utc>, Together)| {
        together.due(format!("{}, {}", until.day.format("%-d %b"), until.time), *end)
    };
    Some(Month {
        name: first.format("%B %Y").to_string(),
        points: points(sum),
        weeks,
        due: if due.len() > ENDS { by_day(due) } else { due.iter().map(one).collect() },
    })
}

/// What ends on the same day, as one. A list that is long even so leaves the sources to that of the batches.
fn by_day(due: &[(Until, DateTime<Utc>, Together)]) -> Vec<Due> {
    let days: Vec<&[_]> = due.chunk_by(|(a, ..), (b, ..)| a.day == b.day).collect();
    let one = |ends: &&[(Until, DateTime<Utc>, Together)]| {
        let ((until, end, first), rest) = ends.split_first()?;
        let mut together = first.clone();
        rest.iter().for_each(|(.., other)| together.add(other));
        let when = until.day.format("%-d %b");
        let mut due = match rest.len() {
            0 => together.due(format!("{when}, {}", until.time), *end),
            more => together.due(format!("{when}, {} times", more + 1), *end),
        };
        if days.len() > ENDS {
            due.from.clear();
        }
        Some(due)
    };
    days.iter().filter_map(one).collect()
}

/// What stays whatever the day.
pub(super) fn never(batches: &[BatchInfo]) -> Option<String> {
    let lasting = batches.iter().filter(|batch| batch.expires_at.is_none());
    let sum = lasting.fold(0_i64, |sum, batch| sum.saturating_add(batch.remaining.get()));
    (sum > 0).then(|| points(sum))
}

/// The batches that are live or pending.
pub(super) struct Batches {
    /// What is left, as parts of one strip.
    pub(super) strip: Vec<Part>,
    pub(super) shown: Vec<Batch>,
    pub(super) folded: Vec<Batch>,
    /// How many are not told, and what is left of them.
    pub(super) more: Option<(String, String)>,
}

/// A piece of a strip.
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) width: String,
}

/// A batch and its parts.
pub(super) struct Batch {
    pub(super) source: String,
    pub(super) promo: bool,
    pub(super) from: Option<Stamp>,
    pub(super) until: String,
    pub(super) soon: &'static str,
    pub(super) remaining: String,
    pub(super) amount: String,
    pub(super) parts: Vec<Part>,
    pub(super) rest: Vec<String>,
    pub(super) number: i64,
}

impl Batches {
    pub(super) fn new(statement: &Statement, calendar: &Calendar) -> Self {
        let batches = &statement.batches;
        let left = batches.iter().fold(0_i64, |sum, batch| sum.saturating_add(batch.remaining.get()));
        let mut strip: Vec<(&'static str, i64)> = Vec::new();
        let many = batches.len() > SEGMENTS;
        for batch in batches.iter().filter(|batch| batch.remaining > 0) {
            let class = soon(batch, statement.end());
            // Too many to be told apart are one for each colour.
            match strip.last_mut().filter(|last| many && last.0 == class) {
                Some(last) => last.1 = last.1.saturating_add(batch.remaining.get()),
                None => strip.push((class, batch.remaining.get())),
            }
        }
        let part = |(class, points): (&'static str, i64)| Part { class, width: percent(points, left) };
        let (told, rest) = batches.split_at(batches.len().min(TOLD));
        let mut shown: Vec<Batch> = told.iter().map(|batch| Batch::new(batch, statement.end(), calendar)).collect();
        let folded = shown.split_off(shown.len().min(SHOWN));
        let left = rest.iter().fold(0_i64, |sum, batch| sum.saturating_add(batch.remaining.get()));
        let more = (!rest.is_empty()).then(|| (counted(rest.len(), "further batch", "further batches"), points(left)));
        Batches { strip: strip.into_iter().map(part).collect(), shown, folded, more }
    }
}

/// How soon a batch expires: what it is coloured by.
fn soon(batch: &BatchInfo, now: DateTime<Utc>) -> &'static str {
    match batch.expires_at {
        None => "in-never",
        Some(end) if end <= now + TimeDelta::days(7) => "in-week",
        Some(end) if end <= now + TimeDelta::days(30) => "in-month",
        Some(_) => "in-later",
    }
}

impl Batch {
    fn new(batch: &BatchInfo, now: DateTime<Utc>, calendar: &Calendar) -> Self {
        let parts = [
            ("remaining", batch.remaining),
            ("held", batch.held),
            ("used", batch.used),
            ("expired", batch.expired),
            ("revoked", batch.revoked),
            ("moved", batch.moved),
        ];
        let parts = || parts.into_iter().filter(|(_, n)| *n != 0);
        Batch {
            source: free(&batch.source),
            promo: batch.promo,
            from: (batch.state == BatchState::Pending).then(|| Stamp::new(batch.effective_at, calendar)),
            until: until(batch, calendar),
            soon: soon(batch, now),
            remaining: points(batch.remaining),
            amount: points(batch.amount),
            parts: parts().map(|(class, n)| Part { class, width: percent(n.get(), batch.amount.get()) }).collect(),
            rest: parts()
                .skip_while(|(class, _)| *class == "remaining")
                .map(|(class, n)| format!("{class} {}", points(n)))
                .collect(),
            number: batch.operation.sequence(),
        }
    }
}

/// When a batch ends, and how much of it would move on then.
fn until(batch: &BatchInfo, calendar: &Calendar) -> String {
    let Some(end) = batch.expires_at else { return "never expires".into() };
    let end = Until::new(end, calendar).text();
    if batch.would_roll > 0 {
        format!("expires {end}, {} of it roll over", points(batch.would_roll))
    } else {
        format!("expires {end}")
    }
}
