//! Scores over training-set sizes: a line a method, a band of one standard deviation, rows without training as dashed
//! levels.

use super::axes::{Plot, is_narrow, widest};
use super::look::{Look, UNTRAINED, legend};
use super::scale::{Scale, Ticks, range, spread};
use super::svg::{Anchor, Canvas, Drawing, Point};
use super::{Chart, Score, count_label};

/// Lines over a logarithmic axis of sentences.
pub(crate) struct Curves {
    /// What the vertical axis shows.
    pub(crate) y_title: String,
    /// The sizes: sentences, and the size as it was asked for.
    pub(crate) sizes: Vec<(usize, String)>,
    pub(crate) lines: Vec<Line>,
    /// Rows without training.
    pub(crate) levels: Vec<(String, f64)>,
}

/// A method's line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// For each size; none where no run is finished.
    pub(crate) points: Vec<Option<Score>>,
}

impl Line {
    /// The stretches of neighbouring sizes that have a value.
    fn stretches(&self) -> Vec<Vec<(usize, Score)>> {
        let mut all: Vec<Vec<(usize, Score)>> = vec![Vec::new()];
        for (index, point) in self.points.iter().enumerate() {
            match (point.filter(|p| p.mean.is_finite()), all.last_mut()) {
                (Some(point), Some(last)) => last.push((index, point)),
                (None, Some(last)) if !last.is_empty() => all.push(Vec::new()),
                _ => {}
            }
        }
        all.retain(|stretch| !stretch.is_empty());
        all
    }

    fn last(&self) -> Option<(usize, Score)> {
        self.stretches().last().and_then(|s| s.last()).copied()
    }
}

const LABEL: f64 = 11.5;
const LABEL_GAP: f64 = 14.0;

impl Chart for Curves {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = is_narrow(width);
        let names =
            self.lines.iter().map(|l| l.name.as_str()).chain(self.levels.iter().map(|l| l.0.as_str()));
        let count = self.lines.len() + self.levels.len();
        let right = if narrow { 14.0 } else { widest(names, LABEL) + 34.0 };
        let height = if narrow { 250.0 } else { (count as f64 * LABEL_GAP + 8.0).max(290.0) };
        let plot = Plot { left: 40.0, right: width - right, top: 30.0, bottom: 30.0 + height };

        let spans = self.lines.iter().flat_map(|l| l.points.iter().flatten()).flat_map(|p| {
            let std = p.std.unwrap_or(0.0);
            [p.mean - std, p.mean + std]
        });
        let (low, high) = range(spans.chain(self.levels.iter().map(|l| l.1)), 0.05);
        let y = Scale::linear((low, high), (plot.bottom, plot.top));
        let counts = self.sizes.iter().map(|(count, _)| *count as f64);
        let ends = counts.fold((f64::INFINITY, 1.0f64), |(l, h), c| (l.min(c), h.max(c)));
        let x = Scale::logarithmic((ends.0.min(ends.1), ends.1), (plot.left + 14.0, plot.right - 14.0));
        let places: Vec<f64> = self.sizes.iter().map(|(count, _)| x.at(*count as f64)).collect();

        let mut canvas = Canvas::default();
        plot.y_axis(&mut canvas, &y, &Ticks::within(low, high, if narrow { 5 } else { 6 }));
        plot.floor(&mut canvas);
        plot.y_title(&mut canvas, &self.y_title);
        let below = self.size_axis(&mut canvas, &plot, &places);
        plot.x_title(&mut canvas, "training sentences, logarithmic", below + 17.0);

        for (name, value) in &self.levels {
            canvas.group(UNTRAINED.colour, Some(&format!("{name}: {value:.2}")), |c| {
                c.line("level", (plot.left, y.at(*value)), (plot.right, y.at(*value)));
            });
        }
        for line in self.lines.iter().filter(|l| l.look.main) {
            line.bands(&mut canvas, &places, &y);
        }
        // What stands out is drawn last, above the rest.
        for main in [false, true] {
            for line in self.lines.iter().filter(|l| l.look.main == main) {
                line.draw(&mut canvas, &places, &y, &self.sizes);
            }
        }
        let bottom = plot.bottom + below + 26.0;
        if narrow {
            let entries: Vec<(&str, Look)> = self
                .lines
                .iter()
                .map(|l| (l.name.as_str(), l.look))
                .chain(self.levels.iter().map(|(name, _)| (name.as_str(), UNTRAINED)))
                .collect();
            let used = legend(&mut canvas, &entries, (6.0, bottom + 4.0), width - 8.0);
            return canvas.finish(width, bottom + used + 8.0);
        }
        self.labels(&mut canvas, &plot, &places, &y);
        canvas.finish(width, bottom)
    }

    fn describe(&self) -> String {
        let mut parts = vec![format!("{}.", self.y_title)];
        for line in &self.lines {
            let values: Vec<String> = line
                .points
                .iter()
                .zip(&self.sizes)
                .filter_map(|(p, (_, size))| p.as_ref().map(|p| format!("{:.2} at {size}", p.mean)))
                .collect();
            parts.push(format!("{}: {}.", line.name, values.join(", ")));
        }
        parts
            .extend(self.levels.iter().map(|(name, value)| format!("{name}: {value:.2}, without training.")));
        parts.join(" ")
    }
}

impl Curves {
    /// The sizes under the plot, by count, and by share where they were asked for so. Returns the height used.
    fn size_axis(&self, canvas: &mut Canvas, plot: &Plot, places: &[f64]) -> f64 {
        let shares = self.sizes.iter().any(|(count, size)| *size != count.to_string());
        let mut free_from = f64::NEG_INFINITY;
        for ((count, size), x) in self.sizes.iter().zip(places) {
            canvas.line("axis", (*x, plot.bottom), (*x, plot.bottom + 4.0));
            let label = count_label(*count);
            let half = widest([label.as_str(), if shares { size } else { "" }], 11.0) / 2.0;
            if x - half < free_from {
                continue;
            }
            free_from = x + half + 4.0;
            canvas.text("tick", Anchor::Middle, (*x, plot.bottom + 17.0), &label);
            if shares && *size != count.to_string() {
                canvas.text("tick", Anchor::Middle, (*x, plot.bottom + 31.0), size);
            }
        }
        if shares { 31.0 } else { 17.0 }
    }

    /// Each line's name at its end, in the order of the ends.
    fn labels(&self, canvas: &mut Canvas, plot: &Plot, places: &[f64], y: &Scale) {
        let ends = self.lines.iter().filter_map(|line| {
            let (index, point) = line.last()?;
            Some((line.name.as_str(), line.look, (places[index], y.at(point.mean))))
        });
        let levels = self
            .levels
            .iter()
            .map(|(name, value)| (name.as_str(), UNTRAINED, (plot.right - 6.0, y.at(*value))));
        let ends: Vec<(&str, Look, Point)> = ends.chain(levels).collect();
        let wanted: Vec<f64> = ends.iter().map(|(_, _, (_, y))| *y).collect();
        let rows = spread(&wanted, LABEL_GAP, plot.top - 4.0, plot.bottom);
        for ((name, look, (x, y)), row) in ends.into_iter().zip(rows) {
            let from = plot.right + 12.0;
            canvas.polyline(
                "leader",
                &[(x + 6.0, y), (plot.right - 2.0, y), (from - 2.0, row), (from + 1.0, row)],
            );
            look.mark(canvas, (from + 6.0, row), 3.2);
            let class = if look.main { "small" } else { "small muted" };
            canvas.text(class, Anchor::Start, (from + 14.0, row + 4.0), name);
        }
    }
}

impl Line {
    fn bands(&self, canvas: &mut Canvas, places: &[f64], y: &Scale) {
        for stretch in self.stretches() {
            if stretch.len() < 2 || stretch.iter().all(|(_, p)| p.std.is_none()) {
                continue;
            }
            let edge = |sign: f64| {
                stretch.iter().map(move |(i, p)| (places[*i], y.at(p.mean + sign * p.std.unwrap_or(0.0))))
            };
            let upper: Vec<Point> = edge(1.0).collect();
            let mut around = upper;
            let lower: Vec<Point> = edge(-1.0).collect();
            around.extend(lower.into_iter().rev());
            canvas.group(self.look.colour, None, |c| c.polygon("band", &around));
        }
    }

    fn draw(&self, canvas: &mut Canvas, places: &[f64], y: &Scale, sizes: &[(usize, String)]) {
        let weight = if self.look.main { "" } else { "lesser" };
        for stretch in self.stretches() {
            let points: Vec<Point> = stretch.iter().map(|(i, p)| (places[*i], y.at(p.mean))).collect();
            if points.len() > 1 {
                canvas.group(self.look.colour, None, |c| {
                    c.polyline(&format!("line {weight} {}", self.look.stroke), &points);
                });
            }
            for ((index, point), place) in stretch.iter().zip(&points) {
                let title = format!("{}, {}: {point}", self.name, sizes[*index].1);
                canvas.group(self.look.colour, Some(&title), |c| {
                    if let (1, Some(std)) = (points.len(), point.std) {
                        c.line(
                            "whisker",
                            (place.0, y.at(point.mean - std)),
                            (place.0, y.at(point.mean + std)),
                        );
                    }
                    self.look.mark(c, *place, if self.look.main { 4.0 } else { 3.2 });
                });
            }
        }
    }
}
