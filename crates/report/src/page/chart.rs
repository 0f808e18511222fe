//! The balance over time: one line of steps, worked out in whole pixels. The template draws it.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::FixedOffset;
use counterfoil::Entry;
use counterfoil::report::Statement;

use super::ticks;
use super::words::{counted, points};

/// One drawing for each width of the page: text that is scaled down cannot be read.
const SIZES: [Size; 3] = [
    Size { class: "narrow", width: 328, height: 220, marks: 4 },
    Size { class: "middle", width: 660, height: 260, marks: 7 },
    Size { class: "wide", width: 960, height: 300, marks: 10 },
];
/// Above the plot, and below it, where the times stand.
const MARGINS: (i64, i64) = (12, 26);
/// Recharges and expiries closer than this are one mark.
const APART: i64 = 4;

struct Size {
    class: &'static str,
    width: i64,
    height: i64,
    marks: usize,
}

/// The chart in its sizes.
pub(super) struct Chart {
    /// What it shows, for those who cannot see it.
    pub(super) description: String,
    pub(super) drawings: Vec<Drawing>,
    pub(super) recharges: bool,
    pub(super) expiries: bool,
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
    pub(super) recharges: Vec<Place>,
    pub(super) expiries: Vec<Place>,
}

/// A point: milliseconds and net, or pixels.
type Place = (i64, i64);

/// Net over time.
struct Curve {
    begin: i64,
    end: i64,
    opening: i64,
    /// Net after each change, in order of time.
    places: Vec<Place>,
    recharges: Vec<Place>,
    expiries: Vec<Place>,
}

impl Chart {
    /// The chart of a statement; none when there is nothing to see.
    pub(super) fn new(statement: &Statement, offset: FixedOffset) -> Option<Chart> {
        let curve = Curve::new(statement)?;
        let (low, high) = curve.range();
        Some(Chart {
            description: format!(
                "Net went from {} to {}; lowest {}, highest {}; {}, {}.",
                points(curve.opening),
                points(curve.places.last().map_or(curve.opening, |place| place.1)),
                points(low),
                points(high),
                counted(curve.recharges.len(), "recharge", "recharges"),
                counted(curve.expiries.len(), "expiry", "expiries"),
            ),
            drawings: SIZES.iter().map(|size| curve.drawing(size, offset)).collect(),
            recharges: !curve.recharges.is_empty(),
            expiries: !curve.expiries.is_empty(),
            debt: low < 0,
        })
    }
}

/// Where each line is drawn: what a wrong clock dated, no later than what was booked after it.
fn places(statement: &Statement) -> Vec<Place> {
    let mut latest = statement.as_of.timestamp_millis();
    let place = |entry: &Entry| {
        latest = latest.min(entry.booked_at.timestamp_millis());
        (latest, entry.after.net())
    };
    let mut places: Vec<Place> = statement.lines.iter().rev().map(place).collect();
    places.reverse();
    places
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

impl Curve {
    fn new(statement: &Statement) -> Option<Self> {
        let now = statement.as_of.timestamp_millis();
        let places = places(statement);
        let begin = statement.from.map_or(places.first()?.0, |from| from.timestamp_millis());
        let end = statement.to.map_or(now, |to| to.timestamp_millis().min(now)).max(begin.saturating_add(60_000));
        let marked = |kinds: &[&str]| -> Vec<Place> {
            let lines = statement.lines.iter().zip(&places);
            lines.filter(|(entry, _)| kinds.contains(&entry.kind.as_str())).map(|(_, place)| *place).collect()
        };
        Some(Curve {
            begin,
            end,
            opening: statement.opening.net,
            recharges: marked(&["recharge", "transfer_in"]),
            expiries: marked(&["expire"]),
            places,
        })
    }

    fn range(&self) -> (i64, i64) {
        let nets = || self.places.iter().map(|place| place.1).chain([self.opening]);
        (nets().min().unwrap_or(0), nets().max().unwrap_or(0))
    }

    fn drawing(&self, size: &Size, offset: FixedOffset) -> Drawing {
        let (low, high) = self.range();
        let levels: Vec<(i64, String)> =
            ticks::points(low, high, 7).into_iter().map(|level| (level, ticks::short(level))).collect();
        let times = ticks::times(self.begin, self.end, offset, size.marks);
        let left = levels.iter().map(|level| width_of(&level.1)).max().unwrap_or(8).saturating_add(12);
        // Half of the last label lies beyond the last mark.
        let beyond = times.last().map_or(0, |time| width_of(&time.1) / 2).max(14);
        let (right, bottom) = (size.width.saturating_sub(beyond), size.height.saturating_sub(MARGINS.1));
        let (lowest, highest) = (levels.first().map_or(0, |level| level.0), levels.last().map_or(1, |level| level.0));
        let x = |at| left.saturating_add(scaled(at, self.begin, self.end, right.saturating_sub(left)));
        let y = |net| bottom.saturating_sub(scaled(net, lowest, highest, bottom.saturating_sub(MARGINS.0)));
        let pixels = |places: &[Place]| -> Vec<Place> { places.iter().map(|(at, net)| (x(*at), y(*net))).collect() };
        // The last of those that would lie over each other.
        let thinned = |places: &[Place]| -> Vec<Place> {
            let marks = pixels(places).into_iter().map(|place| (place.0.checked_div(APART), place));
            marks.collect::<BTreeMap<_, _>>().into_values().collect()
        };
        Drawing {
            class: size.class,
            width: size.width,
            height: size.height,
            left,
            right,
            bottom,
            zero: y(0),
            levels: levels.into_iter().map(|(level, label)| (y(level), label)).collect(),
            times: times.into_iter().map(|(at, label)| (x(at), label)).collect(),
            steps: steps((left, y(self.opening)), &pixels(&self.places), right),
            recharges: thinned(&self.recharges),
            expiries: thinned(&self.expiries),
        }
    }
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

    #[test]
    fn the_largest_figures_have_a_place() {
        let most = 9_000_000_000_000_000;
        assert_eq!((scaled(-most, -most, most, 300), scaled(most, -most, most, 300)), (0, 300));
        assert_eq!((scaled(0, -most, most, 300), scaled(5, 5, 5, 300)), (150, 0));
    }
}
