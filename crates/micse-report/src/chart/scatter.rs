//! Scatter plots, coloured by method.

use super::Chart;
use super::axes::{Plot, is_narrow};
use super::look::{Look, legend};
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Drawing, Point, text_width};

/// A scatter plot with one cloud of points per method.
pub(crate) struct Scatter {
    pub(crate) x_title: String,
    pub(crate) y_title: String,
    pub(crate) clouds: Vec<Cloud>,
}

/// The points of one method.
pub(crate) struct Cloud {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// x, y and the name of the run.
    pub(crate) points: Vec<(f64, f64, String)>,
}

const LABEL: f64 = 11.0;

/// A rectangle: left, top, right, bottom.
type Rectangle = (f64, f64, f64, f64);

/// An occupied rectangle, and the cloud it belongs to.
type Taken = (Rectangle, usize);

/// A name closer than this to another method's point would seem to label that point.
const CLEAR: f64 = 12.0;

fn overlap(a: Rectangle, b: Rectangle) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

impl Chart for Scatter {
    fn draw(&self, width: f64) -> Drawing {
        let narrow = is_narrow(width);
        let height = if narrow { 270.0 } else { 380.0 };
        let plot = Plot { left: 44.0, right: width - 12.0, top: 30.0, bottom: 30.0 + height };
        let all = || self.clouds.iter().flat_map(|c| &c.points);
        let (x_low, x_high) = range(all().map(|p| p.0), 0.07);
        let (y_low, y_high) = range(all().map(|p| p.1), 0.07);
        let x = Scale::linear((x_low, x_high), (plot.left, plot.right));
        let y = Scale::linear((y_low, y_high), (plot.bottom, plot.top));
        let mut canvas = Canvas::default();
        plot.y_axis(&mut canvas, &y, &Ticks::within(y_low, y_high, 6));
        plot.x_axis(&mut canvas, &x, &Ticks::within(x_low, x_high, if narrow { 5 } else { 8 }), true);
        plot.floor(&mut canvas);
        plot.y_title(&mut canvas, &self.y_title);
        plot.x_title(&mut canvas, &self.x_title, 34.0);
        let radius = if narrow { 3.6 } else { 4.4 };
        let mut taken: Vec<Taken> = Vec::new();
        let clouds = |main: bool| self.clouds.iter().enumerate().filter(move |(_, c)| c.look.main == main);
        for (owner, cloud) in clouds(false).chain(clouds(true)) {
            for (px, py, run) in cloud.finite() {
                let at = (x.at(*px), y.at(*py));
                taken.push(((at.0 - radius, at.1 - radius, at.0 + radius, at.1 + radius), owner));
                let values = (axis_value(&self.x_title, *px), axis_value(&self.y_title, *py));
                let title = format!("{run}: {}, {}", values.0, values.1);
                canvas.group(cloud.look.colour, Some(&title), |c| cloud.look.mark(c, at, radius));
            }
        }
        for (owner, cloud) in clouds(true).chain(clouds(false)) {
            cloud.label(&mut canvas, &plot, (&x, &y), owner, &mut taken);
        }
        let entries: Vec<(&str, Look)> = self.clouds.iter().map(|c| (c.name.as_str(), c.look)).collect();
        let used = legend(&mut canvas, &entries, (6.0, plot.bottom + 46.0), width - 8.0);
        canvas.finish(width, plot.bottom + 52.0 + used)
    }

    fn describe(&self) -> String {
        let clouds: Vec<String> = self
            .clouds
            .iter()
            .filter_map(|c| {
                let (x, y) = c.centre()?;
                Some(format!(
                    "{}: {}, {}",
                    c.name,
                    axis_value(&self.x_title, x),
                    axis_value(&self.y_title, y)
                ))
            })
            .collect();
        format!("Means over the runs of each method. {}.", clouds.join("; "))
    }
}

/// `uniformity -1.59`: the first word of the axis title, and the value.
fn axis_value(title: &str, value: f64) -> String {
    format!("{} {value:.3}", title.split([' ', ',']).next().unwrap_or_default())
}

impl Cloud {
    fn finite(&self) -> impl Iterator<Item = &(f64, f64, String)> {
        self.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite())
    }

    fn centre(&self) -> Option<Point> {
        let count = self.finite().count() as f64;
        let mean = |of: fn(&(f64, f64, String)) -> f64| self.finite().map(of).sum::<f64>() / count;
        (count > 0.0).then(|| (mean(|p| p.0), mean(|p| p.1)))
    }

    /// Draws the name next to the cloud if there is room and it is unambiguous; the legend has every name anyway.
    fn label(
        &self,
        canvas: &mut Canvas,
        plot: &Plot,
        (x, y): (&Scale, &Scale),
        owner: usize,
        taken: &mut Vec<Taken>,
    ) {
        let Some((cx, cy)) = self.centre() else { return };
        // Label the point closest to the centre.
        let distance = |p: &&(f64, f64, String)| (x.at(p.0) - x.at(cx)).hypot(y.at(p.1) - y.at(cy));
        let Some(near) = self.finite().min_by(|a, b| distance(a).total_cmp(&distance(b))) else { return };
        let (px, py) = (x.at(near.0), y.at(near.1));
        let width = text_width(&self.name, LABEL);
        let places = [
            (Anchor::Start, px + 8.0, py + 4.0, px + 8.0),
            (Anchor::End, px - 8.0, py + 4.0, px - 8.0 - width),
            (Anchor::Middle, px, py - 8.0, px - width / 2.0),
            (Anchor::Middle, px, py + 16.0, px - width / 2.0),
        ];
        for (anchor, at, base, left) in places {
            let box_ = (left, base - LABEL * 0.85, left + width, base + LABEL * 0.25);
            let wide = (box_.0 - CLEAR, box_.1 - CLEAR / 6.0, box_.2 + CLEAR, box_.3 + CLEAR / 6.0);
            let inside =
                wide.0 > plot.left && wide.2 < plot.right && wide.1 > plot.top && wide.3 < plot.bottom;
            let meets = |(other, of): &Taken| overlap(if *of == owner { box_ } else { wide }, *other);
            if inside && !taken.iter().any(meets) {
                canvas.text("tick", anchor, (at, base), &self.name);
                taken.push((box_, owner));
                return;
            }
        }
    }
}
