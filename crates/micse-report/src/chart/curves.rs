//! Scores over training-set size: one line per method, bands of one standard deviation, and dashed levels for rows
//! without training.

use super::axes::{Plot, is_narrow, widest};
use super::labels::{self, Entry};
use super::look::{Look, UNTRAINED, legend};
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Drawing, Point};
use super::{Chart, Score, count_label, number};

/// Lines over a logarithmic axis of sentence counts.
pub(crate) struct Curves {
    /// The title of the vertical axis.
    pub(crate) y_title: String,
    /// The sizes: number of sentences, and the size as requested.
    pub(crate) sizes: Vec<(usize, String)>,
    pub(crate) lines: Vec<Line>,
    /// Rows without training.
    pub(crate) levels: Vec<(String, f64)>,
}

/// A method's line.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// One per size; `None` where no run has finished.
    pub(crate) points: Vec<Option<Score>>,
}

impl Line {
    /// Groups of consecutive sizes that have a value.
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

    fn means(&self) -> impl Iterator<Item = f64> {
        self.points.iter().flatten().map(|p| p.mean).filter(|mean| mean.is_finite())
    }

    /// The best value, or infinity without one.
    fn top(&self) -> f64 {
        self.means().reduce(f64::max).unwrap_or(f64::INFINITY)
    }

    fn least(&self) -> f64 {
        self.means().reduce(f64::min).unwrap_or(f64::INFINITY)
    }

    fn last(&self) -> Option<(usize, Score)> {
        self.stretches().last().and_then(|s| s.last()).copied()
    }
}

impl Chart for Curves {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = is_narrow(width);
        let floor = self.floor();
        let entries = self.entries(floor);
        let names = entries.iter().map(|entry| entry.0.as_str());
        let right = if narrow { 14.0 } else { widest(names, labels::SIZE) + 34.0 };
        let height = if narrow { 250.0 } else { (entries.len() as f64 * labels::GAP + 8.0).max(290.0) };
        let plot = Plot { left: 40.0, right: width - right, top: 30.0, bottom: 30.0 + height };

        let lines: Vec<&Line> = self.lines.iter().filter(|l| l.top() >= floor).collect();
        let levels: Vec<&(String, f64)> = self.levels.iter().filter(|l| l.1 >= floor).collect();
        let spans = lines.iter().flat_map(|l| l.points.iter().flatten()).flat_map(|p| {
            let std = p.std.unwrap_or(0.0);
            [p.mean - std, p.mean + std]
        });
        let (low, high) = range(spans.chain(levels.iter().map(|l| l.1)), 0.05);
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

        for (name, value) in &levels {
            canvas.group(UNTRAINED.colour, Some(&format!("{name}: {value:.2}")), |c| {
                c.line("level", (plot.left, y.at(*value)), (plot.right, y.at(*value)));
            });
        }
        for line in lines.iter().filter(|l| l.look.main) {
            line.bands(&mut canvas, &places, &y);
        }
        // Draw the main lines last, on top of the others.
        for main in [false, true] {
            for line in lines.iter().filter(|l| l.look.main == main) {
                line.draw(&mut canvas, &places, &y, &self.sizes);
            }
        }
        let bottom = plot.bottom + below + 26.0;
        if narrow {
            let entries: Vec<(&str, Look)> = entries.iter().map(|e| (e.0.as_str(), e.1)).collect();
            let used = legend(&mut canvas, &entries, (6.0, bottom + 4.0), width - 8.0);
            return canvas.finish(width, bottom + used + 8.0);
        }
        let end = |place: Place| match place {
            Place::Point(index, value) => Some((places[index], y.at(value))),
            Place::Level(value) => Some((plot.right - 6.0, y.at(value))),
            Place::Below => None,
        };
        let entries = entries.into_iter().map(|(name, look, place)| Entry { name, look, end: end(place) });
        labels::draw(&mut canvas, &plot, &entries.collect::<Vec<_>>());
        canvas.finish(width, bottom)
    }

    fn describe(&self) -> String {
        let mut parts = vec![format!("{}.", self.y_title)];
        for line in &self.lines {
            let values: Vec<String> = line
                .points
                .iter()
                .zip(&self.sizes)
                .filter_map(|(p, (_, size))| p.as_ref().map(|p| format!("{} at {size}", number(p.mean))))
                .collect();
            parts.push(format!("{}: {}.", line.name, values.join(", ")));
        }
        let level = |(name, value): &(String, f64)| format!("{name}: {}, without training.", number(*value));
        parts.extend(self.levels.iter().map(level));
        parts.join(" ")
    }
}

impl Curves {
    /// The sizes below the plot, as counts, and also as shares if requested that way. Returns the height used.
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

    /// Lines below this value are omitted, because they would squeeze the others together: three interquartile ranges
    /// below the first quartile of all lines' best values.
    fn floor(&self) -> f64 {
        let tops = self.lines.iter().map(Line::top).chain(self.levels.iter().map(|l| l.1));
        let mut tops: Vec<f64> = tops.filter(|top| top.is_finite()).collect();
        tops.sort_by(f64::total_cmp);
        if tops.len() < 5 {
            return f64::NEG_INFINITY;
        }
        let (first, third) = (tops[tops.len() / 4], tops[tops.len() * 3 / 4]);
        first - 3.0 * (third - first).max(1.0)
    }

    /// Lines and levels below the axis, with their lowest and best values.
    pub(crate) fn below(&self) -> Vec<(&str, f64, f64)> {
        let floor = self.floor();
        let lines =
            self.lines.iter().filter(|l| l.top() < floor).map(|l| (l.name.as_str(), l.least(), l.top()));
        let levels = self.levels.iter().filter(|l| l.1 < floor).map(|l| (l.0.as_str(), l.1, l.1));
        lines.chain(levels).collect()
    }

    /// What has an undefined score, and is not drawn: `micse at 10%`.
    pub(crate) fn undefined(&self) -> Vec<String> {
        let of_line = |line: &Line| -> Vec<String> {
            let points = line.points.iter().zip(&self.sizes);
            let undefined = points.filter(|(point, _)| point.is_some_and(|p| !p.mean.is_finite()));
            undefined.map(|(_, (_, size))| format!("{} at {size}", line.name)).collect()
        };
        let levels = self.levels.iter().filter(|level| !level.1.is_finite());
        self.lines.iter().flat_map(of_line).chain(levels.map(|level| level.0.clone())).collect()
    }

    /// Entries of labels and legend: the name, with the value if it is below the axis, and the label's place.
    fn entries(&self, floor: f64) -> Vec<(String, Look, Place)> {
        let named =
            |name: &str, top: f64| if top < floor { format!("{name}, below: {top:.2}") } else { name.into() };
        let lines = self.lines.iter().filter_map(|line| {
            let (index, point) = line.last()?;
            let place = if line.top() < floor { Place::Below } else { Place::Point(index, point.mean) };
            Some((named(&line.name, line.top()), line.look, place))
        });
        let levels = self.levels.iter().filter(|l| l.1.is_finite()).map(|(name, value)| {
            (named(name, *value), UNTRAINED, if *value < floor { Place::Below } else { Place::Level(*value) })
        });
        lines.chain(levels).collect()
    }
}

/// The place of a label.
#[derive(Clone, Copy)]
enum Place {
    /// At a size and a value.
    Point(usize, f64),
    /// At a value, at the end of the plot.
    Level(f64),
    /// Below everything else.
    Below,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(values: &[f64]) -> Curves {
        let look = UNTRAINED;
        let point = |mean| Some(Score { mean, std: None, runs: None });
        let line = |(index, value): (usize, &f64)| Line {
            name: format!("line-{index}"),
            look,
            points: vec![point(value - 1.0), point(*value)],
        };
        Curves {
            y_title: String::new(),
            sizes: vec![(10, "10".into()), (100, "100".into())],
            lines: values.iter().enumerate().map(line).collect(),
            levels: Vec::new(),
        }
    }

    #[test]
    fn a_line_far_below_all_others_does_not_press_them_together() {
        let chart = curves(&[76.0, 76.5, 77.0, 78.0, 31.0]);
        assert_eq!(chart.below(), [("line-4", 30.0, 31.0)]);
        let drawn = chart.draw(720.0).inline("a", "wide", "", "");
        assert!(drawn.contains("line-4, below: 31.00") && !drawn.contains("<title>line-4"), "{drawn}");
        // A few lines, or lines that are spread out, are all kept.
        assert!(curves(&[76.0, 77.0, 31.0]).below().is_empty());
        assert!(curves(&[76.0, 70.0, 64.0, 58.0, 31.0]).below().is_empty());
    }
}
