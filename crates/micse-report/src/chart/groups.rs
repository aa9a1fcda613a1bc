//! Two groups of points per model, with their centroids and the distance between them.

use micse_figures::{Grouped, Grouping, Panel};
use micse_stats::Estimate;

use super::Chart;
use super::panels::Panels;
use super::svg::{Canvas, Drawing, Point};

/// The colours of the first and the second group.
const COLOURS: [&str; 2] = ["k1", "k3"];

/// Syntactic against semantic similarity of two groups of pairs.
pub(crate) struct Groups<'a>(pub(crate) &'a Grouped);

/// `0.312 (0.290 to 0.335)`: a value and its 95 % interval.
pub(crate) fn with_interval(estimate: &Estimate) -> String {
    let Estimate { value, interval } = estimate;
    format!("{value:.3} ({:.3} to {:.3})", interval.low, interval.high).replace('-', "\u{2212}")
}

impl Groups<'_> {
    fn titles(&self) -> (&'static str, &'static str) {
        match self.0.grouping {
            Grouping::Positives => ("mutual information of attention (nats)", "cosine of embeddings"),
            Grouping::Trees => {
                ("mutual information of attention, relative (nats)", "cosine of embeddings, relative")
            }
        }
    }

    fn points(&self) -> [[Vec<Point>; 2]; 2] {
        [0, 1].map(|panel| {
            let points = self.0.panels[panel].points(self.0.grouping);
            points.map(|group| group.into_iter().map(|[x, y]| (x, y)).collect())
        })
    }
}

fn mean(points: &[Point]) -> Point {
    let n = points.len() as f64;
    (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n)
}

impl Chart for Groups<'_> {
    fn draw(&self, width: f64) -> Drawing {
        let clouds = self.points();
        let panels = Panels::new(width, clouds.iter().flatten().flatten().copied());
        let lines = [0, 1].map(|i: usize| {
            format!("centroids {} apart", with_interval(&self.0.panels[i].separation.distance))
        });
        let mut canvas = Canvas::default();
        let heads = [0, 1].map(|i| (self.0.panels[i].model.as_str(), lines[i].as_str()));
        panels.frame(&mut canvas, self.titles(), heads);
        for (i, groups) in clouds.iter().enumerate() {
            let radius = panels.radius(groups[0].len() + groups[1].len());
            // The first group is drawn last, on top.
            for group in [1, 0] {
                canvas.group(COLOURS[group], None, |canvas| {
                    for point in &groups[group] {
                        canvas.circle("dot", panels.at(i, *point), radius);
                    }
                });
            }
            let centres = [0, 1].map(|group: usize| panels.at(i, mean(&groups[group])));
            link(&mut canvas, centres);
            for group in [1, 0] {
                let title = format!("centroid: {}", self.0.grouping.names()[group]);
                canvas.group(COLOURS[group], Some(&title), |c| c.circle("centre", centres[group], 6.0));
            }
        }
        let names = self.0.grouping.names();
        let height = panels.legend(&mut canvas, &[(COLOURS[0], names[0]), (COLOURS[1], names[1])]);
        canvas.finish(width, height)
    }

    fn describe(&self) -> String {
        let names = self.0.grouping.names();
        let words = |panel: &Panel| {
            let [[x1, y1], [x2, y2]] = panel.separation.centroids;
            format!(
                "{}: mean mutual information {x1:.3} ({}) and {x2:.3} ({}), mean cosine {y1:.3} and {y2:.3}.",
                panel.model, names[0], names[1]
            )
        };
        self.0.panels.each_ref().map(words).join(" ")
    }
}

/// A line with two arrow heads between two marks.
fn link(canvas: &mut Canvas, [a, b]: [Point; 2]) {
    /// From the centre of a mark to the tip of an arrow, and the size of its head.
    const CLEAR: f64 = 7.5;
    const HEAD: f64 = 6.0;
    canvas.line("link", a, b);
    let length = (b.0 - a.0).hypot(b.1 - a.1);
    if length < 2.0 * (CLEAR + HEAD) {
        return;
    }
    for (from, to) in [(a, b), (b, a)] {
        let (dx, dy) = ((to.0 - from.0) / length, (to.1 - from.1) / length);
        let tip = (from.0 + dx * CLEAR, from.1 + dy * CLEAR);
        let base = (tip.0 + dx * HEAD, tip.1 + dy * HEAD);
        let side = |sign: f64| (base.0 - sign * dy * HEAD / 2.0, base.1 + sign * dx * HEAD / 2.0);
        canvas.polygon("arrow", &[tip, side(1.0), side(-1.0)]);
    }
}
