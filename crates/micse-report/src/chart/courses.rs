//! Scores over training steps: one line per method, thin lines for single seeds, and dashed levels for rows without
//! training.

use super::axes::{Plot, is_narrow, widest};
use super::labels::{self, Entry};
use super::look::{Look, UNTRAINED, legend};
use super::scale::{Scale, Ticks, range};
use super::svg::{Canvas, Drawing, Point};
use super::{Chart, count_label, number};

/// Lines over a linear axis of steps.
pub(crate) struct Courses {
    /// The title of the vertical axis.
    pub(crate) y_title: String,
    pub(crate) methods: Vec<Course>,
    /// Rows without training, with finite scores.
    pub(crate) levels: Vec<(String, f64)>,
}

/// A method's scores: step and score, in ascending order of steps.
pub(crate) struct Course {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// The mean over seeds.
    pub(crate) mean: Vec<Point>,
    /// Single seeds, if there are several.
    pub(crate) seeds: Vec<Vec<Point>>,
}

impl Course {
    /// The first step with the highest mean.
    pub(crate) fn best(&self) -> Option<Point> {
        let finite = self.mean.iter().copied().filter(|point| point.1.is_finite());
        finite.reduce(|best, point| if point.1 > best.1 { point } else { best })
    }

    fn last(&self) -> Option<Point> {
        self.mean.iter().copied().rfind(|point| point.1.is_finite())
    }
}

impl Chart for Courses {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = is_narrow(width);
        let names = self.methods.iter().map(|course| course.name.as_str());
        let names: Vec<&str> = names.chain(self.levels.iter().map(|level| level.0.as_str())).collect();
        let right = if narrow { 14.0 } else { widest(names.iter().copied(), labels::SIZE) + 34.0 };
        let height = if narrow { 230.0 } else { (names.len() as f64 * labels::GAP + 8.0).max(270.0) };
        let plot = Plot { left: 40.0, right: width - right, top: 30.0, bottom: 30.0 + height };

        let points = || self.methods.iter().flat_map(|c| c.seeds.iter().chain([&c.mean])).flatten();
        let values = points().map(|point| point.1).chain(self.levels.iter().map(|level| level.1));
        let (low, high) = range(values, 0.05);
        let last = points().map(|point| point.0).fold(1.0, f64::max);
        let y = Scale::linear((low, high), (plot.bottom, plot.top));
        let x = Scale::linear((0.0, last), (plot.left, plot.right - 10.0));
        let at = |point: &Point| (x.at(point.0), y.at(point.1));

        let mut canvas = Canvas::default();
        plot.y_axis(&mut canvas, &y, &Ticks::within(low, high, if narrow { 5 } else { 6 }));
        plot.floor(&mut canvas);
        plot.y_title(&mut canvas, &self.y_title);
        plot.x_axis(&mut canvas, &x, &Ticks::within(0.0, last, if narrow { 4 } else { 6 }), false);
        plot.x_title(&mut canvas, "training steps", 34.0);
        for (name, value) in &self.levels {
            canvas.group(UNTRAINED.colour, Some(&format!("{name}: {value:.2}")), |c| {
                c.line("level", (plot.left, y.at(*value)), (plot.right, y.at(*value)));
            });
        }
        for course in &self.methods {
            canvas.group(course.look.colour, None, |c| {
                for seed in &course.seeds {
                    draw_line(c, "seed", seed, &at);
                }
            });
        }
        for course in &self.methods {
            canvas.group(course.look.colour, None, |c| {
                draw_line(c, &format!("line {}", course.look.stroke), &course.mean, &at);
            });
            if let Some(best) = course.best() {
                let title = format!("{}, best at step {}: {:.2}", course.name, best.0, best.1);
                canvas.group(course.look.colour, Some(&title), |c| course.look.mark(c, at(&best), 4.0));
            }
        }
        let bottom = plot.bottom + 43.0;
        if narrow {
            let courses = self.methods.iter().map(|course| (course.name.as_str(), course.look));
            let levels = self.levels.iter().map(|level| (level.0.as_str(), UNTRAINED));
            let entries: Vec<(&str, Look)> = courses.chain(levels).collect();
            let used = legend(&mut canvas, &entries, (6.0, bottom + 4.0), width - 8.0);
            return canvas.finish(width, bottom + used + 8.0);
        }
        let courses = self.methods.iter().filter_map(|course| {
            Some(Entry { name: course.name.clone(), look: course.look, end: Some(at(&course.last()?)) })
        });
        let levels = self.levels.iter().map(|(name, value)| Entry {
            name: name.clone(),
            look: UNTRAINED,
            end: Some((plot.right - 6.0, y.at(*value))),
        });
        labels::draw(&mut canvas, &plot, &courses.chain(levels).collect::<Vec<_>>());
        canvas.finish(width, bottom)
    }

    fn describe(&self) -> String {
        let mut parts = vec![format!("{} over training steps.", self.y_title)];
        for course in &self.methods {
            if let (Some(best), Some(last)) = (course.best(), course.last()) {
                let [best, last] = [best, last]
                    .map(|(step, score)| format!("{} at step {}", number(score), count_label(step as usize)));
                parts.push(format!("{}: best {best}, last {last}.", course.name));
            }
        }
        let level = |(name, value): &(String, f64)| format!("{name}: {}, without training.", number(*value));
        parts.extend(self.levels.iter().map(level));
        parts.join(" ")
    }
}

/// Draws the stretches between undefined scores.
fn draw_line(canvas: &mut Canvas, class: &str, points: &[Point], at: &dyn Fn(&Point) -> Point) {
    for part in points.split(|point| !point.1.is_finite()).filter(|part| part.len() > 1) {
        canvas.polyline(class, &part.iter().map(at).collect::<Vec<_>>());
    }
}
