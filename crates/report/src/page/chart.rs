//! The balance over time: one line of steps, worked out in whole pixels. The template draws it.

use std::fmt::Write;

use counterfoil::report::{Calendar, Statement};
use counterfoil::{Entry, EntryKind};

use super::ticks;
use super::words::{self, counted, points};

/// One drawing for each width of the page: text that is scaled down cannot be read.
const SIZES: [Size; 3] = [
    Size { class: "narrow", width: 328, height: 220, times: 4, marks: 8 },
    Size { class: "middle", width: 660, height: 260, times: 7, marks: 12 },
    Size { class: "wide", width: 960, height: 300, times: 10, marks: 18 },
];
/// Above the plot, and below it, where the times stand.
const MARGINS: (i64, i64) = (12, 26);
/// Recharges and expiries closer than this would lie over one another.
const APART: i64 = 14;
/// The period is told in so many parts: more than a drawing has columns, and bounded however many lines there are.
const SLOTS: usize = 1920;

struct Size {
    class: &'static str,
    width: i64,
    height: i64,
    times: usize,
    marks: usize,
}

/// The chart in its sizes.
pub(super) struct Chart {
    /// What it shows, for those who cannot see it.
    pub(super) description: String,
    /// The first and the last day.
    pub(super) days: String,
    pub(super) drawings: Vec<Drawing>,
    /// What the marks are.
    pub(super) recharges: Option<String>,
    pub(super) expiries: Option<String>,
    pub(super) debt: bool,
}

/// One drawing, in pixels from its upper left corner.
pub(super) struct Drawing {
    pub(super) class: &'static str,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
    /// Where nothing is available and nothing owed.
    pub(super) zero: i64,
    pub(super) levels: Vec<(i64, String)>,
    pub(super) times: Vec<(i64, String)>,
    /// The steps, as path data.
    pub(super) steps: String,
    /// What net came to, and where that is written.
    pub(super) last: (i64, String),
    pub(super) recharges: Vec<Place>,
    pub(super) expiries: Vec<Place>,
}

/// A point in pixels.
type Place = (i64, i64);

/// Net in one part of the period.
#[derive(Clone, Copy)]
struct Slot {
    low: i64,
    high: i64,
    last: i64,
    /// The largest recharge and the largest expiry: its points, and net after it.
    recharge: Option<(i64, i64)>,
    expiry: Option<(i64, i64)>,
}

/// Net over time.
pub(super) struct Curve {
    begin: i64,
    end: i64,
    opening: i64,
    slots: Vec<Option<Slot>>,
    recharges: usize,
    expiries: usize,
}

/// Where `n` lies between `low` and `high`, on so many pixels.
fn scaled(n: i64, low: i64, high: i64, pixels: i64) -> i64 {
    let (part, whole) = (i128::from(n) - i128::from(low), i128::from(high) - i128::from(low));
    i64::try_from(part.saturating_mul(pixels.into()).checked_div(whole).unwrap_or(0)).unwrap_or(pixels)
}

/// The room a label needs.
fn width_of(label: &str) -> i64 {
    i64::try_from(label.chars().count()).unwrap_or(8).saturating_mul(8)
}

/// What net is, in few letters.
fn label(net: i64) -> String {
    if net.unsigned_abs() < 10_000_000 { points(net) } else { ticks::short(net) }
}

impl Curve {
    /// Of a period whose first line is at an instant; no line is later than `end`.
    pub(super) fn new(statement: &Statement, first: i64, end: i64) -> Self {
        let begin = statement.from.map_or(first, |from| from.timestamp_millis());
        Curve {
            begin,
            end: end.max(begin.saturating_add(60_000)),
            opening: statement.opening.net,
            slots: vec![None; SLOTS],
            recharges: 0,
            expiries: 0,
        }
    }

    /// A line, drawn at an instant: what a wrong clock dated, no later than what was booked after it.
    pub(super) fn add(&mut self, at: i64, entry: &Entry) {
        let net = entry.after.net();
        let most = i64::try_from(SLOTS.saturating_sub(1)).unwrap_or(0);
        let place = scaled(at, self.begin, self.end, most).clamp(0, most);
        let Some(slot) = usize::try_from(place).ok().and_then(|place| self.slots.get_mut(place)) else { return };
        let none = Slot { low: net, high: net, last: net, recharge: None, expiry: None };
        let slot = slot.get_or_insert(none);
        (slot.low, slot.high, slot.last) = (slot.low.min(net), slot.high.max(net), net);
        let (mark, count) = match entry.kind {
            EntryKind::Recharge | EntryKind::TransferIn => (&mut slot.recharge, &mut self.recharges),
            EntryKind::Expire => (&mut slot.expiry, &mut self.expiries),
            _ => return,
        };
        *count = count.saturating_add(1);
        *mark = (*mark).max(Some((entry.points.get(), net)));
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = (i64, Slot)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(place, slot)| Some((i64::try_from(place).ok()?, (*slot)?)))
    }

    fn closing(&self) -> i64 {
        self.slots().next_back().map_or(self.opening, |(_, slot)| slot.last)
    }

    fn range(&self) -> (i64, i64) {
        let (low, high) = (self.slots().map(|(_, slot)| slot.low), self.slots().map(|(_, slot)| slot.high));
        (low.fold(self.opening, i64::min), high.fold(self.opening, i64::max))
    }

    /// The chart.
    pub(super) fn chart(&self, calendar: &Calendar) -> Chart {
        let (low, high) = self.range();
        let marks = |count: usize, one: &str, many: &str| {
            let all = SIZES.iter().all(|size| count <= size.marks);
            let largest = || format!("the largest of {}", counted(count, one, many));
            (count > 0).then(|| if all { one.into() } else { largest() })
        };
        Chart {
            description: format!(
                "Net went from {} to {}; lowest {}, highest {}; {}, {}.",
                points(self.opening),
                points(self.closing()),
                points(low),
                points(high),
                counted(self.recharges, "recharge", "recharges"),
                counted(self.expiries, "expiry", "expiries"),
            ),
            days: words::days(self.begin, self.end, calendar),
            recharges: marks(self.recharges, "recharge", "recharges"),
            expiries: marks(self.expiries, "expiry", "expiries"),
            debt: low < 0,
            drawings: SIZES.iter().map(|size| self.drawing(size, calendar)).collect(),
        }
    }

    fn drawing(&self, size: &Size, calendar: &Calendar) -> Drawing {
        let (low, high) = self.range();
        let levels: Vec<(i64, String)> =
            ticks::points(low, high, 7).into_iter().map(|level| (level, ticks::short(level))).collect();
        let times = ticks::times(self.begin, self.end, calendar, size.times);
        let left = levels.iter().map(|level| width_of(&level.1)).max().unwrap_or(8).saturating_add(12);
        // What net came to stands beyond the last mark, as does half of that.
        let last = label(self.closing());
        let beyond = times.last().map_or(0, |time| width_of(&time.1) / 2).max(width_of(&last).saturating_add(10));
        let (right, bottom) = (size.width.saturating_sub(beyond), size.height.saturating_sub(MARGINS.1));
        let (lowest, highest) = (levels.first().map_or(0, |level| level.0), levels.last().map_or(1, |level| level.0));
        let wide = right.saturating_sub(left);
        let x = |at| left.saturating_add(scaled(at, self.begin, self.end, wide));
        let most = i64::try_from(SLOTS.saturating_sub(1)).unwrap_or(1);
        let across = |slot| left.saturating_add(scaled(slot, 0, most, wide));
        let y = |net| bottom.saturating_sub(scaled(net, lowest, highest, bottom.saturating_sub(MARGINS.0)));
        let places =
            self.slots().flat_map(|(place, slot)| [slot.low, slot.high, slot.last].map(|net| (across(place), y(net))));
        let marks = |mark: fn(&Slot) -> Option<(i64, i64)>| {
            let marks =
                self.slots().filter_map(|(place, slot)| mark(&slot).map(|(n, net)| (n, (across(place), y(net)))));
            largest(marks.collect(), size.marks)
        };
        Drawing {
            class: size.class,
            width: size.width,
            height: size.height,
            left,
            right,
            bottom,
            zero: y(0),
            last: (y(self.closing()), last),
            levels: levels.into_iter().map(|(level, label)| (y(level), label)).collect(),
            times: times.into_iter().map(|(at, label)| (x(at), label)).collect(),
            steps: steps((left, y(self.opening)), &places.collect::<Vec<_>>(), right),
            recharges: marks(|slot| slot.recharge),
            expiries: marks(|slot| slot.expiry),
        }
    }
}

/// The largest marks, as many as can be told apart.
fn largest(mut marks: Vec<(i64, Place)>, most: usize) -> Vec<Place> {
    marks.sort_by_key(|(points, place)| (std::cmp::Reverse(*points), *place));
    let mut drawn: Vec<Place> = Vec::new();
    for (_, (x, y)) in marks {
        if drawn.len() < most && drawn.iter().all(|other| other.0.abs_diff(x) >= APART.unsigned_abs()) {
            drawn.push((x, y));
        }
    }
    drawn.sort_unstable();
    drawn
}

/// A line of steps. Of what falls into one column of pixels only the lowest, highest and last place are kept: no more can
/// be seen, and a long statement stays a small drawing.
fn steps(start: Place, places: &[Place], right: i64) -> String {
    let mut data = format!("M{} {}", start.0, start.1);
    let mut at = start.1;
    for column in places.chunk_by(|a, b| a.0 == b.0) {
        let ys = || column.iter().map(|place| place.1);
        let turns = [ys().min(), ys().max(), ys().next_back()];
        let mut across = column.first().map(|place| place.0);
        for y in turns.into_iter().flatten() {
            if y != at {
                // Writing to a String cannot fail.
                let _ = across.take().map_or(Ok(()), |x| write!(data, "H{x}"));
                let _ = write!(data, "V{y}");
                at = y;
            }
        }
    }
    data + &format!("H{right}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_drawn_by_its_extremes() {
        let column: Vec<Place> = [9, 30, 4, 12].map(|y| (7, y)).into();
        assert_eq!(steps((1, 10), &column, 20), "M1 10H7V4V30V12H20");
        assert_eq!(steps((1, 10), &[(5, 10), (6, 3), (6, 3), (9, 3)], 20), "M1 10H6V3H20");
        assert_eq!(steps((1, 10), &[], 20), "M1 10H20");
    }

    /// A busy account's marks ran into a band.
    #[test]
    fn only_marks_that_can_be_told_apart_are_drawn() {
        let marks: Vec<(i64, Place)> = (0..900).map(|x| (x % 7, (x, 5))).collect();
        let drawn = largest(marks, 18);
        assert_eq!(drawn.len(), 18);
        assert!(drawn.windows(2).all(|two| two[1].0 - two[0].0 >= APART));
        assert_eq!(largest(vec![(5, (40, 1)), (9, (45, 2)), (5, (80, 3))], 18), [(45, 2), (80, 3)]);
    }

    #[test]
    fn the_largest_figures_have_a_place() {
        let most = 9_000_000_000_000_000;
        assert_eq!((scaled(-most, -most, most, 300), scaled(most, -most, most, 300)), (0, 300));
        assert_eq!((scaled(0, -most, most, 300), scaled(5, 5, 5, 300)), (150, 0));
    }
}
