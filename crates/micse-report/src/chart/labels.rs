//! Names of lines at the right of a plot.

use super::axes::Plot;
use super::look::Look;
use super::scale::spread;
use super::svg::{Anchor, Canvas, Point};

/// The size of the text.
pub(crate) const SIZE: f64 = 11.5;
/// The distance of two labels.
pub(crate) const GAP: f64 = 14.0;

/// A label.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// The end of its line; `None` for a line below the plot.
    pub(crate) end: Option<Point>,
}

/// Draws each line's name at its end, ordered by height.
pub(crate) fn draw(canvas: &mut Canvas, plot: &Plot, entries: &[Entry]) {
    let wanted: Vec<f64> =
        entries.iter().map(|entry| entry.end.map_or(plot.bottom + 1.0, |(_, y)| y)).collect();
    let rows = spread(&wanted, GAP, plot.top - 4.0, plot.bottom);
    for (entry, row) in entries.iter().zip(rows) {
        let from = plot.right + 12.0;
        if let Some((x, y)) = entry.end {
            let bend = [(x + 6.0, y), (plot.right - 2.0, y), (from - 2.0, row), (from + 1.0, row)];
            canvas.polyline("leader", &bend);
        }
        entry.look.mark(canvas, (from + 6.0, row), 3.2);
        let class = if entry.look.main { "small" } else { "small muted" };
        canvas.text(class, Anchor::Start, (from + 14.0, row + 4.0), &entry.name);
    }
}
