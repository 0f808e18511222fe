//! The lines, as they are: or, when there are many, by day, month or year, each with its sums.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use counterfoil::report::{Calendar, Statement, WalkLine};

use super::lines::{Line, title};
use super::words::{Stamp, counted, free, points, signed, zone};

/// With more lines than this they are told by day.
const FLAT: i64 = 200;
/// With more days than this by month, and with more months by year.
const GROUPS: i64 = 400;
/// Lines told one by one, on the whole page.
const TOLD: i64 = 4000;
/// What a day's lines are about is told of so many things; the rest is one.
const WHATS: usize = 24;

/// What lines are put together by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Month,
    Year,
}

impl Unit {
    /// The finest that does not take too many.
    fn of(days: i64) -> Unit {
        match days {
            ..=GROUPS => Unit::Day,
            _ if days / 30 <= GROUPS => Unit::Month,
            _ => Unit::Year,
        }
    }

    fn first(self, day: NaiveDate) -> NaiveDate {
        let first = match self {
            Unit::Day => Some(day),
            Unit::Month => day.with_day(1),
            Unit::Year => day.with_ordinal(1),
        };
        first.unwrap_or(day)
    }

    fn name(self, day: NaiveDate) -> String {
        day.format(match self {
            Unit::Day => "%-d %B %Y",
            Unit::Month => "%B %Y",
            Unit::Year => "%Y",
        })
        .to_string()
    }
}

/// The lines of the page.
pub(super) struct Lines {
    /// One group of all, unless there are many lines.
    pub(super) groups: Vec<Group>,
    pub(super) grouped: bool,
    /// `day`, `month` or `year`.
    pub(super) unit: &'static str,
    /// Some have happened and are not written yet.
    pub(super) due: bool,
    calendar: Calendar,
    /// Clocks are changed within the period: each line tells its offset.
    pub(super) changed: bool,
    /// When it begins, from the first line on.
    begin: Option<DateTime<Utc>>,
    over: bool,
    end: DateTime<Utc>,
    by: Unit,
    total: i64,
    /// Lines told of each group.
    cap: usize,
}

/// Lines of one day, month or year.
pub(super) struct Group {
    first: NaiveDate,
    pub(super) name: String,
    pub(super) after: i64,
    /// Those told.
    pub(super) lines: Vec<Line>,
    count: usize,
    change: i64,
    whats: BTreeMap<String, (usize, i64)>,
}

impl Lines {
    pub(super) fn new(head: &Statement, calendar: &Calendar) -> Self {
        let total = head.by_kind.iter().fold(0_i64, |sum, kind| sum.saturating_add(kind.lines));
        let over = head.to.is_some_and(|to| to <= head.as_of);
        Lines {
            groups: Vec::new(),
            grouped: total > FLAT,
            unit: "",
            due: false,
            calendar: calendar.clone(),
            changed: false,
            begin: head.from,
            over,
            end: head.end(),
            by: Unit::Day,
            total,
            cap: usize::MAX,
        }
    }

    pub(super) fn add(&mut self, line: &WalkLine) {
        let day = self.calendar.local(line.date).date_naive();
        if self.unit.is_empty() {
            self.choose(line.date);
        }
        let (first, by) = (self.by.first(day), self.by);
        if self.groups.last().is_none_or(|group| self.grouped && group.first != first) {
            self.groups.push(Group::new(first, by.name(first)));
        }
        let (calendar, changed, over, cap) = (&self.calendar, self.changed, self.over, self.cap);
        self.due = self.due || line.entry.unbooked && !over;
        let Some(group) = self.groups.last_mut() else { return };
        group.add(line, self.grouped);
        if group.lines.len() < cap {
            let stamp = |at| if changed { Stamp::exact(at, calendar) } else { Stamp::new(at, calendar) };
            group.lines.push(Line::new(&line.entry, stamp, over));
        }
    }

    /// By what they are put together, and how many of each are told: from the first line on this is known.
    fn choose(&mut self, first: DateTime<Utc>) {
        let begin = *self.begin.get_or_insert(first);
        self.changed = self.calendar.changes_within(begin, self.end).next().is_some();
        let days = (self.end - begin).num_days().saturating_add(1);
        self.by = Unit::of(days);
        let groups;
        (self.unit, groups) = match self.by {
            Unit::Day => ("day", days),
            Unit::Month => ("month", days / 28),
            Unit::Year => ("year", days / 365),
        };
        if self.total > TOLD {
            self.cap = usize::try_from(TOLD.checked_div(groups).unwrap_or(TOLD).max(5)).unwrap_or(usize::MAX);
        }
    }

    /// Whose clocks times are told by.
    pub(super) fn zone(&self) -> String {
        zone(&self.calendar, self.begin.unwrap_or(self.end), self.end)
    }

    /// How many lines of each are told, where that is fewer than there are.
    pub(super) fn cap_told(&self) -> Option<String> {
        let short = self.groups.iter().any(|group| group.count > self.cap);
        short.then(|| points(i64::try_from(self.cap).unwrap_or(i64::MAX)))
    }

    pub(super) fn unit_title(&self) -> &'static str {
        match self.by {
            Unit::Day => "Day",
            Unit::Month => "Month",
            Unit::Year => "Year",
        }
    }
}

impl Group {
    fn new(first: NaiveDate, name: String) -> Self {
        Group { first, name, after: 0, lines: Vec::new(), count: 0, change: 0, whats: BTreeMap::new() }
    }

    fn add(&mut self, line: &WalkLine, summed: bool) {
        let (change, entry) = (line.entry.change.net(), &line.entry);
        self.count = self.count.saturating_add(1);
        self.change = self.change.saturating_add(change);
        self.after = entry.after.net();
        if !summed {
            return;
        }
        let about = entry.service.as_deref().or(entry.source.as_deref());
        let mut what = about.map_or_else(|| title(entry), |about| format!("{} · {}", title(entry), free(about)));
        if self.whats.len() >= WHATS && !self.whats.contains_key(&what) {
            what = "Others".into();
        }
        let sum = self.whats.entry(what).or_default();
        *sum = (sum.0.saturating_add(1), sum.1.saturating_add(change));
    }

    pub(super) fn count(&self) -> String {
        points(i64::try_from(self.count).unwrap_or(i64::MAX))
    }

    pub(super) fn change(&self) -> String {
        signed(self.change)
    }

    pub(super) fn after(&self) -> String {
        points(self.after)
    }

    /// What its lines are about: what, how many, what they changed; the largest change first.
    pub(super) fn whats(&self) -> Vec<(&str, String, String)> {
        let mut whats: Vec<_> = self.whats.iter().collect();
        whats.sort_by_key(|(_, (_, change))| std::cmp::Reverse(change.unsigned_abs()));
        let count = |n: usize| points(i64::try_from(n).unwrap_or(i64::MAX));
        whats.into_iter().map(|(what, (n, change))| (what.as_str(), count(*n), signed(*change))).collect()
    }

    /// Lines that are only in the sums.
    pub(super) fn more(&self) -> Option<String> {
        let more = self.count.saturating_sub(self.lines.len());
        (more > 0).then(|| counted(more, "further line is", "further lines are"))
    }
}
