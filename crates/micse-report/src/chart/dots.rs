//! Scores at a single size: one row per method, sorted, with whiskers of one standard deviation.

use super::axes::{Plot, is_narrow, widest};
use super::look::{Look, Marker};
use super::scale::{Scale, Ticks, range};
use super::svg::{Anchor, Canvas, Drawing, fit};
use super::{Chart, Score};

/// Rows of dots.
pub(crate) struct Dots {
    /// The title of the horizontal axis.
    pub(crate) x_title: String,
    /// In any order; drawn with the best first, and undefined scores as words at the end.
    pub(crate) rows: Vec<Dot>,
}

/// A row.
pub(crate) struct Dot {
    pub(crate) name: String,
    pub(crate) look: Look,
    pub(crate) value: Score,
}

const ROW: f64 = 20.0;

impl Dot {
    fn is_defined(&self) -> bool {
        self.value.mean.is_finite()
    }
}

impl Dots {
    fn sorted(&self) -> Vec<&Dot> {
        let (mut rows, undefined): (Vec<&Dot>, Vec<&Dot>) = self.rows.iter().partition(|r| r.is_defined());
        rows.sort_by(|a, b| b.value.mean.total_cmp(&a.value.mean));
        rows.extend(undefined);
        rows
    }
}

impl Chart for Dots {
    fn draw(&self, width: f64) -> Drawing {
        let rows = self.sorted();
        let values: Vec<String> = rows.iter().map(|r| r.value.short()).collect();
        let room = if is_narrow(width) { width * 0.42 } else { width * 0.35 };
        let names = widest(rows.iter().map(|r| r.name.as_str()), 12.0).min(room);
        let right = widest(values.iter().map(String::as_str), 11.0) + 16.0;
        let plot = Plot {
            left: names + 16.0,
            right: width - right,
            top: 8.0,
            bottom: 8.0 + rows.len() as f64 * ROW + 6.0,
        };
        let spans = rows.iter().flat_map(|r| {
            let std = r.value.std.unwrap_or(0.0);
            [r.value.mean - std, r.value.mean + std]
        });
        let (low, high) = range(spans, 0.06);
        let x = Scale::linear((low, high), (plot.left, plot.right));
        let mut canvas = Canvas::default();
        let ticks = Ticks::within(low, high, ((plot.right - plot.left) / 60.0) as usize);
        plot.x_axis(&mut canvas, &x, &ticks, true);
        plot.floor(&mut canvas);
        plot.x_title(&mut canvas, &self.x_title, 34.0);
        for row in rows.iter().filter(|r| r.look.marker == Marker::Cross && r.is_defined()) {
            let place = x.at(row.value.mean);
            canvas.group(row.look.colour, None, |c| c.line("level", (place, plot.top), (place, plot.bottom)));
        }
        for (index, (row, value)) in rows.iter().zip(values).enumerate() {
            let y = plot.top + 3.0 + (index as f64 + 0.5) * ROW;
            canvas.line("grid", (plot.left, y), (plot.right, y));
            let class = if row.look.main { "" } else { "muted" };
            canvas.text(class, Anchor::End, (plot.left - 10.0, y + 4.0), &fit(&row.name, 12.0, names));
            canvas.text("tick", Anchor::End, (width - 4.0, y + 4.0), &value);
            if !row.is_defined() {
                continue;
            }
            canvas.group(row.look.colour, Some(&format!("{}: {}", row.name, row.value)), |c| {
                if let Some(std) = row.value.std {
                    c.line("whisker", (x.at(row.value.mean - std), y), (x.at(row.value.mean + std), y));
                }
                row.look.mark(c, (x.at(row.value.mean), y), 4.2);
            });
        }
        canvas.finish(width, plot.bottom + 44.0)
    }

    fn describe(&self) -> String {
        let rows: Vec<String> = self.sorted().iter().map(|r| format!("{}: {}", r.name, r.value)).collect();
        format!("{}, best first. {}.", self.x_title, rows.join("; "))
    }
}
