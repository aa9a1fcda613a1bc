//! Grouped bars of differences, with intervals.

use super::Chart;
use super::axes::{Plot, is_narrow};
use super::look::{Look, legend};
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Drawing, text_width};

/// Groups of bars around a zero line.
pub(crate) struct Bars {
    /// The title of the vertical axis.
    pub(crate) y_title: String,
    /// What the groups stand for.
    pub(crate) x_title: String,
    pub(crate) groups: Vec<String>,
    pub(crate) series: Vec<Series>,
}

/// The bars of one method.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// One per group; `None` where there is nothing to compare.
    pub(crate) bars: Vec<Option<Bar>>,
}

/// A difference with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.value.is_finite() {
            return f.write_str("undefined");
        }
        write!(f, "{:+.2}", self.value)?;
        match self.interval {
            Some((low, high)) => write!(f, ", 95 % interval {low:+.2} to {high:+.2}"),
            None => f.write_str(", no interval"),
        }
    }
}

/// The axis cuts intervals that reach more than this many times as far as the longest bar.
const REACH: f64 = 2.5;

impl Bars {
    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.series.iter().flat_map(|s| s.bars.iter().flatten()).filter(|b| b.value.is_finite())
    }

    /// Which differences are undefined, and are not drawn: `micse at 10%`.
    pub(crate) fn undefined(&self) -> Vec<String> {
        let of_series = |series: &Series| -> Vec<String> {
            let bars = series.bars.iter().zip(&self.groups);
            let undefined = bars.filter(|(bar, _)| bar.is_some_and(|bar| !bar.value.is_finite()));
            undefined.map(|(_, group)| format!("{} at {group}", series.name)).collect()
        };
        self.series.iter().flat_map(of_series).collect()
    }

    /// Whether each bar that is drawn has an interval.
    pub(crate) fn have_intervals(&self) -> Vec<bool> {
        self.bars().map(|bar| bar.interval.is_some()).collect()
    }

    /// The range of the axis: all bars, and intervals unless they dwarf the bars.
    fn span(&self) -> (f64, f64) {
        let longest = self.bars().map(|b| b.value.abs()).fold(0.0, f64::max).max(0.1) * REACH;
        let ends = self.bars().flat_map(|b| {
            let (low, high) = b.interval.unwrap_or((b.value, b.value));
            [b.value, low.max(-longest), high.min(longest)]
        });
        range(ends.chain([0.0]), 0.08)
    }

    /// Whether the axis cuts an interval.
    pub(crate) fn is_cut(&self) -> bool {
        let (low, high) = self.span();
        self.bars().filter_map(|b| b.interval).any(|(l, h)| l < low || h > high)
    }
}

impl Chart for Bars {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = is_narrow(width);
        let mut canvas = Canvas::default();
        let entries: Vec<(&str, Look)> = self.series.iter().map(|s| (s.name.as_str(), s.look)).collect();
        let used = legend(&mut canvas, &entries, (4.0, 4.0), width - 8.0);
        let top = used + 36.0;
        let plot =
            Plot { left: 40.0, right: width - 8.0, top, bottom: top + if narrow { 230.0 } else { 250.0 } };
        let (low, high) = self.span();
        let y = Scale::linear((low, high), (plot.bottom, plot.top));
        plot.y_axis(&mut canvas, &y, &Ticks::within(low, high, 6));
        plot.y_title(&mut canvas, &self.y_title);
        let group = (plot.right - plot.left) / self.groups.len().max(1) as f64;
        let slot = (group * 0.82 / self.series.len().max(1) as f64).min(64.0);
        for (index, name) in self.groups.iter().enumerate() {
            let middle = plot.left + (index as f64 + 0.5) * group;
            canvas.text("tick", Anchor::Middle, (middle, plot.bottom + 16.0), name);
            for (place, series) in self.series.iter().enumerate() {
                let Some(bar) = series.bars[index].filter(|b| b.value.is_finite()) else { continue };
                let x = middle + (place as f64 - self.series.len() as f64 / 2.0 + 0.5) * slot;
                let title = format!("{}, {name}: {bar}", series.name);
                canvas.group(series.look.colour, Some(&title), |c| {
                    bar.draw(c, x, slot * 0.72, &y, (&plot, low, high));
                });
            }
        }
        canvas.line("zero", (plot.left, y.at(0.0)), (plot.right, y.at(0.0)));
        plot.x_title(&mut canvas, &self.x_title, 34.0);
        canvas.finish(width, plot.bottom + 42.0)
    }

    fn describe(&self) -> String {
        let mut parts = vec![format!("{}.", self.y_title)];
        for series in &self.series {
            let bars = series.bars.iter().zip(&self.groups);
            let bars: Vec<String> =
                bars.filter_map(|(b, group)| b.map(|b| format!("at {group} {b}"))).collect();
            parts.push(format!("{}: {}.", series.name, bars.join("; ")));
        }
        parts.join(" ")
    }
}

impl Bar {
    fn draw(&self, c: &mut Canvas, x: f64, width: f64, y: &Scale, (plot, low, high): (&Plot, f64, f64)) {
        let (from, to) = (y.at(0.0), y.at(self.value));
        c.rect("bar", (x - width / 2.0, from.min(to)), (width, (from - to).abs().max(0.5)));
        let (mut highest, mut lowest) = (from.min(to), from.max(to));
        if let Some((l, h)) = self.interval {
            let (bottom, top) = (y.at(l.max(low)), y.at(h.min(high)));
            c.line("interval", (x, bottom), (x, top));
            let cap = (width * 0.25).min(5.0);
            for (place, cut, sign) in [(bottom, l < low, -1.0), (top, h > high, 1.0)] {
                if cut {
                    c.polygon(
                        "arrow",
                        &[(x - 4.0, place + sign * 6.0), (x + 4.0, place + sign * 6.0), (x, place)],
                    );
                } else {
                    c.line("interval", (x - cap, place), (x + cap, place));
                }
            }
            (highest, lowest) = (highest.min(top), lowest.max(bottom));
        }
        let label = format!("{:+.1}", self.value).replace('-', "\u{2212}");
        if text_width(&label, 11.0) > width * 1.6 {
            return;
        }
        // Put the label beyond the end of the bar, or on the other side if the axis leaves no room.
        let above = (highest - 5.0, highest - 5.0 > plot.top + 4.0);
        let below = (lowest + 13.0, lowest + 13.0 < plot.bottom - 2.0);
        let place = if self.value >= 0.0 { [above, below] } else { [below, above] };
        if let Some((place, _)) = place.into_iter().find(|(_, fits)| *fits) {
            c.text("tick", Anchor::Middle, (x, place), &label);
        }
    }
}
