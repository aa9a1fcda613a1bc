//! Small multiples: every panel has its own vertical axis, and all share the same horizontal axis.

use super::axes::{Plot, is_narrow, widest};
use super::look::Look;
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Drawing, Point, fit};
use super::{Chart, count_label};

/// Panels in rows.
pub(crate) struct Multiples {
    /// What the panels show, for readers who cannot see them.
    pub(crate) what: String,
    /// Whether vertical axes start at zero.
    pub(crate) from_zero: bool,
    pub(crate) panels: Vec<Panel>,
}

/// One panel.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) look: Look,
    pub(crate) traces: Vec<Trace>,
}

/// A line of a panel.
pub(crate) struct Trace {
    /// From 0 (faint) to 3 (full), in the order of the sizes.
    pub(crate) shade: usize,
    /// Whether this is a single seed, drawn behind the mean.
    pub(crate) seed: bool,
    /// Step and value.
    pub(crate) points: Vec<Point>,
}

const SHADES: [&str; 4] = ["shade1", "shade2", "shade3", ""];
const PANEL: f64 = 92.0;

impl Chart for Multiples {
    fn draw(&self, width: f64) -> Drawing {
        let columns = if is_narrow(width) { 2 } else { self.panels.len().clamp(2, 4) };
        let cell = width / columns as f64;
        let steps = self.panels.iter().flat_map(|p| &p.traces).flat_map(|t| &t.points).map(|p| p.0);
        let last = steps.fold(0.0, f64::max);
        let axes: Vec<((f64, f64), Ticks)> = self.panels.iter().map(|p| p.axis(self.from_zero)).collect();
        let labels: Vec<String> =
            axes.iter().flat_map(|(_, ticks)| ticks.values.iter().map(|v| ticks.label(*v))).collect();
        let margin = widest(labels.iter().map(String::as_str), 11.0) + 12.0;
        let mut canvas = Canvas::default();
        for (index, (panel, (span, ticks))) in self.panels.iter().zip(&axes).enumerate() {
            let left = (index % columns) as f64 * cell;
            let top = (index / columns) as f64 * (PANEL + 44.0) + 24.0;
            let plot = Plot { left: left + margin, right: left + cell - 8.0, top, bottom: top + PANEL };
            let y = Scale::linear(*span, (plot.bottom, plot.top));
            plot.y_axis(&mut canvas, &y, ticks);
            panel.draw(&mut canvas, &plot, (left, last), &y);
        }
        canvas.finish(width, self.panels.len().div_ceil(columns) as f64 * (PANEL + 44.0) + 2.0)
    }

    fn describe(&self) -> String {
        let value =
            |value: f64| if value.is_finite() { format!("{value:.4}") } else { "undefined".to_owned() };
        let panels: Vec<String> = self
            .panels
            .iter()
            .filter_map(|panel| {
                let mean = panel.traces.iter().rfind(|t| !t.seed)?;
                let (from, to) = (mean.points.first()?, mean.points.last()?);
                Some(format!("{}: from {} to {}", panel.title, value(from.1), value(to.1)))
            })
            .collect();
        format!("{}. {}.", self.what, panels.join("; "))
    }
}

impl Panel {
    /// The range of the vertical axis, and its ticks.
    fn axis(&self, from_zero: bool) -> ((f64, f64), Ticks) {
        let values = self.traces.iter().flat_map(|t| t.points.iter().map(|p| p.1));
        let (low, high) = range(values.chain(from_zero.then_some(0.0)), 0.06);
        ((low, high), Ticks::within(low, high, 3))
    }

    fn draw(&self, canvas: &mut Canvas, plot: &Plot, (left, last): (f64, f64), y: &Scale) {
        let x = Scale::linear((0.0, last.max(1.0)), (plot.left, plot.right));
        self.look.mark(canvas, (left + 8.0, plot.top - 13.5), 3.2);
        let title = fit(&self.title, 11.5, plot.right - left - 16.0);
        canvas.text("small", Anchor::Start, (left + 16.0, plot.top - 9.5), &title);
        plot.floor(canvas);
        canvas.text("tick", Anchor::Start, (plot.left, plot.bottom + 13.0), "0");
        canvas.text("tick", Anchor::End, (plot.right, plot.bottom + 13.0), &count_label(last as usize));
        for seed in [true, false] {
            for trace in self.traces.iter().filter(|t| t.seed == seed) {
                let class = format!("{} {}", self.look.colour, SHADES[trace.shade.min(3)]);
                canvas.group(&class, None, |c| {
                    // NaN and infinite values interrupt the line.
                    for part in trace.points.split(|p| !p.1.is_finite()).filter(|part| part.len() > 1) {
                        let points: Vec<Point> = part.iter().map(|p| (x.at(p.0), y.at(p.1))).collect();
                        c.polyline(if seed { "seed" } else { "line lesser" }, &points);
                    }
                });
            }
        }
    }
}
