//! The balance over time, drawn by plotters as SVG: integers go in, and only plotters knows of pixels' fractions.

use std::collections::BTreeMap;

use chrono::FixedOffset;
use counterfoil::{Entry, Statement};
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use super::ticks;
use super::words::{counted, points};
use crate::exit::Failure;

/// The colours of light paper. The stylesheet names each of them and gives what it is by day and by night.
const BALANCE: RGBColor = RGBColor(0x1A, 0x66, 0xC2);
const DEBT: RGBColor = RGBColor(0xC0, 0x26, 0x2D);
const RECHARGE: RGBColor = RGBColor(0x16, 0x79, 0x4A);
const EXPIRY: RGBColor = RGBColor(0xA8, 0x52, 0x00);
const GRID: RGBColor = RGBColor(0xD9, 0xDE, 0xE6);
const TEXT: RGBColor = RGBColor(0x5B, 0x66, 0x75);

/// One drawing for each width of the page: text that is scaled down cannot be read.
const SIZES: [Size; 3] = [
    Size { class: "narrow", width: 328, height: 220, marks: 4 },
    Size { class: "middle", width: 660, height: 260, marks: 7 },
    Size { class: "wide", width: 960, height: 300, marks: 10 },
];

struct Size {
    class: &'static str,
    width: u32,
    height: u32,
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

/// One drawing: what is within its `svg` element.
pub(super) struct Drawing {
    pub(super) class: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) content: String,
}

/// A point of the balance: milliseconds, and net.
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

/// The chart of a statement; none when there is nothing to see.
pub(super) fn chart(statement: &Statement, offset: FixedOffset) -> Result<Option<Chart>, Failure> {
    let Some(curve) = Curve::new(statement) else { return Ok(None) };
    let failed = |error: &dyn std::fmt::Display| Failure::Io {
        message: format!("the chart could not be drawn: {error}"),
        help: "ask for another format, and report this".into(),
    };
    let drawings = SIZES.iter().map(|size| {
        let content = curve.draw(size, offset).map_err(|error| failed(&error))?;
        Ok(Drawing { class: size.class, width: size.width, height: size.height, content })
    });
    let (low, high) = curve.range();
    Ok(Some(Chart {
        description: format!(
            "Net went from {} to {}; lowest {}, highest {}; {}, {}.",
            points(curve.opening),
            points(curve.places.last().map_or(curve.opening, |place| place.1)),
            points(low),
            points(high),
            counted(curve.recharges.len(), "recharge", "recharges"),
            counted(curve.expiries.len(), "expiry", "expiries"),
        ),
        drawings: drawings.collect::<Result<_, Failure>>()?,
        recharges: !curve.recharges.is_empty(),
        expiries: !curve.expiries.is_empty(),
        debt: low < 0,
    }))
}

fn letters_of(label: Option<&str>) -> u32 {
    u32::try_from(label.unwrap_or_default().chars().count()).unwrap_or(8)
}

/// Where each line is drawn: what a wrong clock dated, no later than what was booked after it.
fn places(statement: &Statement) -> Vec<Place> {
    let mut latest = statement.as_of.timestamp_millis();
    let place = |entry: &Entry| {
        latest = latest.min(entry.booked_at.timestamp_millis());
        (latest, entry.after.available.saturating_sub(entry.after.debt))
    };
    let mut places: Vec<Place> = statement.lines.iter().rev().map(place).collect();
    places.reverse();
    places
}

impl Curve {
    fn new(statement: &Statement) -> Option<Self> {
        let now = statement.as_of.timestamp_millis();
        let places = places(statement);
        let begin = statement.from.map_or(places.first()?.0, |from| from.timestamp_millis());
        let end = statement.to.map_or(now, |to| to.timestamp_millis().min(now)).max(begin.saturating_add(60_000));
        let marked = |kinds: &[&str]| -> Vec<Place> {
            let lines = statement.lines.iter().zip(&places);
            lines.filter(|(entry, _)| kinds.contains(&entry.kind)).map(|(_, place)| *place).collect()
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

    /// In which of so many columns an instant lies.
    fn column(&self, at: i64, columns: u32) -> i128 {
        let span = i128::from(self.end) - i128::from(self.begin);
        (i128::from(at) - i128::from(self.begin)) * i128::from(columns) / span.max(1)
    }

    /// The corners of the steps. Of what falls into one column of pixels only the first, lowest, highest and last
    /// place are kept: no more can be seen, and a long statement stays a small drawing.
    fn steps(&self, columns: u32) -> Vec<Place> {
        let mut steps = vec![(self.begin, self.opening)];
        let mut net = self.opening;
        for column in self.places.chunk_by(|a, b| self.column(a.0, columns) == self.column(b.0, columns)) {
            let lowest = column.iter().enumerate().min_by_key(|(_, place)| place.1).map_or(0, |(at, _)| at);
            let highest = column.iter().enumerate().max_by_key(|(_, place)| place.1).map_or(0, |(at, _)| at);
            for (at, place) in column.iter().enumerate() {
                if [0, lowest, highest, column.len() - 1].contains(&at) {
                    steps.extend([(place.0, net), *place]);
                    net = place.1;
                }
            }
        }
        steps.push((self.end, net));
        steps
    }

    /// One mark a column.
    fn thinned(&self, places: &[Place], columns: u32) -> Vec<Place> {
        places
            .iter()
            .map(|place| (self.column(place.0, columns), *place))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }

    fn draw(&self, size: &Size, offset: FixedOffset) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, (size.width, size.height)).into_drawing_area();
        self.draw_on(&root, size, offset)?;
        root.present()?;
        drop(root);
        // The page has its own `svg` element around it, with a title.
        let inner = svg.split_once('>').map_or("", |(_, rest)| rest);
        Ok(inner.trim_end().trim_end_matches("</svg>").trim().to_string())
    }

    fn draw_on<'a>(
        &self,
        root: &DrawingArea<SVGBackend<'a>, Shift>,
        size: &Size,
        offset: FixedOffset,
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let (low, high) = self.range();
        let levels = ticks::points(low, high, 7);
        let times = ticks::times(self.begin, self.end, offset, size.marks);
        let letters = levels.iter().map(|level| letters_of(Some(&ticks::short(*level)))).max().unwrap_or(1);
        let left = letters.saturating_mul(8).saturating_add(12);
        let span = levels.first().copied().unwrap_or(0)..levels.last().copied().unwrap_or(1);
        let mut chart = ChartBuilder::on(root)
            .margin_top(12)
            // Half of the last label lies beyond the last mark.
            .margin_right(letters_of(times.iter().next_back().map(|time| time.1.as_str())).saturating_mul(4).max(14))
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, 26)
            .build_cartesian_2d(
                (self.begin..self.end).with_key_points(times.iter().map(|time| time.0).collect()),
                span.with_key_points(levels),
            )?;
        let label = |at: &i64| times.iter().find(|time| time.0 == *at).map_or_else(String::new, |time| time.1.clone());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(("sans-serif", 15, &TEXT))
            .x_label_formatter(&label)
            .y_label_formatter(&|level| ticks::short(*level))
            .draw()?;
        let steps = self.steps(size.width);
        self.draw_steps(&mut chart, &steps)?;
        for (places, colour, up) in [(&self.recharges, RECHARGE, 1), (&self.expiries, EXPIRY, -1)] {
            let marks = self.thinned(places, size.width / 4);
            chart.draw_series(marks.into_iter().map(|place| TriangleMarker::new(place, 6 * up, colour.filled())))?;
        }
        Ok(())
    }

    fn draw_steps<'a, X: Ranged<ValueType = i64>, Y: Ranged<ValueType = i64>>(
        &self,
        chart: &mut ChartContext<'_, SVGBackend<'a>, Cartesian2d<X, Y>>,
        steps: &[Place],
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let above = steps.iter().map(|place| (place.0, place.1.max(0)));
        chart.draw_series(AreaSeries::new(above, 0, BALANCE.mix(0.14)))?;
        chart.draw_series(LineSeries::new(steps.iter().copied(), BALANCE.stroke_width(2)))?;
        // Debt again, in its own colour.
        for debt in steps.chunk_by(|a, b| (a.1 < 0) == (b.1 < 0)).filter(|run| run.iter().any(|place| place.1 < 0)) {
            let edge = |place: Option<&Place>| place.map(|place| (place.0, 0));
            let outline: Vec<Place> =
                edge(debt.first()).into_iter().chain(debt.iter().copied()).chain(edge(debt.last())).collect();
            chart.draw_series(AreaSeries::new(outline.iter().copied(), 0, DEBT.mix(0.18)))?;
            chart.draw_series(LineSeries::new(outline, DEBT.stroke_width(2)))?;
        }
        Ok(())
    }
}
