//! Two scatter plots with aligned axes, one per model: next to each other, or one above the other on phones.

use super::axes::{Plot, is_narrow};
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Point, fit};

/// Text size of a panel's title.
const TITLE: f64 = 12.5;
/// From the first line of a panel to its plot.
const HEAD: f64 = 40.0;

/// The frames and scales of both panels.
pub(crate) struct Panels {
    plots: [Plot; 2],
    x: [Scale; 2],
    y: [Scale; 2],
    x_ticks: Ticks,
    y_ticks: Ticks,
    width: f64,
    narrow: bool,
}

impl Panels {
    /// Panels whose axes include all points, with a margin.
    pub(crate) fn new(width: f64, points: impl Iterator<Item = Point> + Clone) -> Self {
        let narrow = is_narrow(width);
        let (left, right) = (46.0, 10.0);
        let plots = if narrow {
            let plot = |top: f64| Plot { left, right: width - right, top, bottom: top + 210.0 };
            [plot(HEAD + 20.0), plot(HEAD + 20.0 + 210.0 + 34.0 + HEAD)]
        } else {
            let (gap, top) = (24.0, HEAD + 20.0);
            let half = (width - left - right - gap) / 2.0;
            let plot = |left: f64| Plot { left, right: left + half, top, bottom: top + 290.0 };
            [plot(left), plot(left + half + gap)]
        };
        let x_range = range(points.clone().map(|p| p.0), 0.05);
        let y_range = range(points.map(|p| p.1), 0.05);
        Self {
            x: plots.map(|plot| Scale::linear(x_range, (plot.left, plot.right))),
            y: plots.map(|plot| Scale::linear(y_range, (plot.bottom, plot.top))),
            x_ticks: Ticks::within(x_range.0, x_range.1, 5),
            y_ticks: Ticks::within(y_range.0, y_range.1, 6),
            plots,
            width,
            narrow,
        }
    }

    /// Where a point of a panel is drawn.
    pub(crate) fn at(&self, panel: usize, point: Point) -> Point {
        (self.x[panel].at(point.0), self.y[panel].at(point.1))
    }

    /// The radius of one of `count` points.
    pub(crate) fn radius(&self, count: usize) -> f64 {
        let radius = if count > 800 { 1.8 } else { 2.3 };
        if self.narrow { radius * 0.9 } else { radius }
    }

    /// Axes, and a title and a second line above each panel.
    pub(crate) fn frame(&self, canvas: &mut Canvas, titles: (&str, &str), heads: [(&str, &str); 2]) {
        let (x_title, y_title) = titles;
        canvas.text("small muted", Anchor::Start, (4.0, 12.0), y_title);
        for (panel, (name, line)) in heads.into_iter().enumerate() {
            let plot = &self.plots[panel];
            if panel == 0 || self.narrow {
                plot.y_axis(canvas, &self.y[panel], &self.y_ticks);
            } else {
                for value in &self.y_ticks.values {
                    let y = self.y[panel].at(*value);
                    canvas.line("grid", (plot.left, y), (plot.right, y));
                }
            }
            plot.x_axis(canvas, &self.x[panel], &self.x_ticks, true);
            plot.floor(canvas);
            // The reader's font may be wider than the estimate.
            let room = 0.92 * (plot.right - plot.left);
            canvas.text("strong", Anchor::Start, (plot.left, plot.top - 24.0), &fit(name, TITLE, room));
            canvas.text("tick", Anchor::Start, (plot.left, plot.top - 9.0), &fit(line, 11.0, room));
        }
        let below = self.plots[1].bottom + 34.0;
        let middle = f64::midpoint(self.plots[0].left, self.plots[1].right);
        canvas.text("small muted", Anchor::Middle, (middle, below), x_title);
    }

    /// Coloured dots with names in one row below the panels. Returns the height of the drawing.
    pub(crate) fn legend(&self, canvas: &mut Canvas, entries: &[(&str, &str)]) -> f64 {
        let y = self.plots[1].bottom + 56.0;
        let step = (self.width - self.plots[0].left) / entries.len() as f64;
        for (i, (colour, name)) in entries.iter().enumerate() {
            let x = self.plots[0].left + step.min(130.0) * i as f64;
            canvas.group(colour, None, |canvas| canvas.circle("centre", (x + 5.0, y - 4.0), 5.0));
            canvas.text("small", Anchor::Start, (x + 15.0, y), name);
        }
        y + 12.0
    }
}
