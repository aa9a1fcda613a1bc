//! Shared by all charts: the plot frame, its axes, and the limit of narrow charts.

use super::scale::{Scale, Ticks};
use super::svg::{Anchor, Canvas, text_width};

/// Charts below this width are drawn for phones.
const NARROW: f64 = 560.0;

pub(crate) fn is_narrow(width: f64) -> bool {
    width < NARROW
}

/// The rectangle in which data is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plot {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Plot {
    /// Tick labels on the left, each with a grid line.
    pub(crate) fn y_axis(&self, canvas: &mut Canvas, scale: &Scale, ticks: &Ticks) {
        for value in &ticks.values {
            let y = scale.at(*value);
            canvas.line("grid", (self.left, y), (self.right, y));
            canvas.text("tick", Anchor::End, (self.left - 7.0, y + 3.8), &ticks.label(*value));
        }
    }

    /// Tick labels below the plot, at the positions given by a scale.
    pub(crate) fn x_axis(&self, canvas: &mut Canvas, scale: &Scale, ticks: &Ticks, grid: bool) {
        for value in &ticks.values {
            let x = scale.at(*value);
            if grid {
                canvas.line("grid", (x, self.top), (x, self.bottom));
            } else {
                canvas.line("axis", (x, self.bottom), (x, self.bottom + 4.0));
            }
            canvas.text("tick", Anchor::Middle, (x, self.bottom + 16.0), &ticks.label(*value));
        }
    }

    /// The bottom line of the plot.
    pub(crate) fn floor(&self, canvas: &mut Canvas) {
        canvas.line("axis", (self.left, self.bottom), (self.right, self.bottom));
    }

    /// The title of the vertical axis, horizontal and above the axis so that it is easy to read.
    pub(crate) fn y_title(&self, canvas: &mut Canvas, title: &str) {
        canvas.text("small muted", Anchor::Start, (4.0, self.top - 10.0), title);
    }

    /// The title of the horizontal axis, centred below it.
    pub(crate) fn x_title(&self, canvas: &mut Canvas, title: &str, below: f64) {
        let x = f64::midpoint(self.left, self.right);
        canvas.text("small muted", Anchor::Middle, (x, self.bottom + below), title);
    }
}

/// The width of the widest text.
pub(crate) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| text_width(text, size)).fold(0.0, f64::max)
}
