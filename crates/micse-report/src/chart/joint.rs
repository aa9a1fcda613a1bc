//! Joint histograms of the attention of two views, one block of slices per model.

use micse_figures::{JointAttention, JointPanel, JointSlice};

use super::Chart;
use super::axes::is_narrow;
use super::svg::{Anchor, Canvas, Drawing, Point, fit};

const COLOURS: [&str; 2] = ["k1", "k3"];
/// Shades of a histogram.
const LEVELS: usize = 5;
const GAP: f64 = 8.0;
/// Two lines of numbers above each histogram.
const LINES: f64 = 28.0;
/// The line with the layers above each row.
const LAYERS: f64 = 20.0;
/// Name and heads above a block.
const HEAD: f64 = 44.0;

/// The joint distributions of all slices.
pub(crate) struct Joint<'a>(pub(crate) &'a JointAttention);

fn signed(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "\u{2212}")
}

fn span((first, last): (usize, usize)) -> String {
    if first == last { first.to_string() } else { format!("{first}\u{2013}{last}") }
}

impl Joint<'_> {
    /// Draws one model's slices; returns the height.
    fn block(canvas: &mut Canvas, panel: &JointPanel, colour: &str, corner: Point, width: f64) -> f64 {
        let columns = panel.per_layer_group;
        // Few columns do not become larger than four.
        let side = (width - 3.0 * GAP) / 4.0;
        canvas.text(
            "strong",
            Anchor::Start,
            (corner.0, corner.1 + 12.0),
            &fit(&panel.model, 12.5, 0.92 * width),
        );
        for (column, slice) in panel.slices.iter().take(columns).enumerate() {
            let x = corner.0 + column as f64 * (side + GAP);
            let what = if slice.heads.0 == slice.heads.1 { "head" } else { "heads" };
            let text = format!("{what} {}", span(slice.heads));
            canvas.text("tick", Anchor::Start, (x, corner.1 + HEAD - 8.0), &text);
        }
        let mut y = corner.1 + HEAD;
        for row in panel.slices.chunks(columns) {
            let layers = row[0].layers;
            let what = if layers.0 == layers.1 { "layer" } else { "layers" };
            let text = format!("{what} {}", span(layers));
            canvas.text("small", Anchor::Start, (corner.0, y + 12.0), &text);
            y += LAYERS;
            for (column, slice) in row.iter().enumerate() {
                let x = corner.0 + column as f64 * (side + GAP);
                let rho = format!("ρ {}", signed(slice.rho, 3));
                let mi = format!("MI {}", signed(slice.mutual_information, 3));
                canvas.text("tick", Anchor::Start, (x, y + 9.0), &rho);
                canvas.text("tick", Anchor::Start, (x, y + 22.0), &mi);
                histogram(canvas, slice, colour, (x, y + LINES), side);
            }
            y += LINES + side + GAP;
        }
        y - corner.1
    }
}

fn histogram(canvas: &mut Canvas, slice: &JointSlice, colour: &str, corner: Point, side: f64) {
    let bins = slice.edges.len() - 1;
    let cell = side / bins as f64;
    let most = slice.counts.iter().copied().max().unwrap_or(0);
    canvas.line("grid", (corner.0, corner.1 + side), (corner.0 + side, corner.1));
    canvas.group(colour, None, |canvas| {
        for level in 1..=LEVELS {
            let corners: Vec<Point> = (0..slice.counts.len())
                .filter(|&bin| shade(slice.counts[bin], most) == level)
                .map(|bin| {
                    let (x, y) = ((bin / bins) as f64, (bins - 1 - bin % bins) as f64);
                    (corner.0 + x * cell, corner.1 + y * cell)
                })
                .collect();
            if !corners.is_empty() {
                canvas.squares(&format!("heat heat{level}"), &corners, cell);
            }
        }
    });
    canvas.rect("frame", corner, (side, side));
}

/// The shade of a bin, 0 (empty) to [`LEVELS`], on a logarithmic scale up to the fullest bin.
fn shade(count: u32, most: u32) -> usize {
    if count == 0 {
        return 0;
    }
    let share = f64::from(count + 1).ln() / f64::from(most + 1).ln();
    ((share * LEVELS as f64).ceil() as usize).clamp(1, LEVELS)
}

impl Chart for Joint<'_> {
    fn draw(&self, width: f64) -> Drawing {
        let mut canvas = Canvas::default();
        let (margin, gap) = (4.0, 28.0);
        let height = if is_narrow(width) {
            let room = width - 2.0 * margin;
            let mut y = margin;
            for (panel, colour) in self.0.panels.iter().zip(COLOURS) {
                y += Self::block(&mut canvas, panel, colour, (margin, y), room) + 16.0;
            }
            y
        } else {
            let room = (width - 2.0 * margin - gap) / 2.0;
            let heights = [0, 1].map(|i: usize| {
                let corner = (margin + i as f64 * (room + gap), margin);
                Self::block(&mut canvas, &self.0.panels[i], COLOURS[i], corner, room)
            });
            heights[0].max(heights[1]) + 2.0 * margin
        };
        canvas.finish(width, height)
    }

    fn describe(&self) -> String {
        let words = |panel: &JointPanel| {
            let slice = |s: &JointSlice| {
                format!(
                    "layers {}, heads {}: ρ {}, MI {}",
                    span(s.layers),
                    span(s.heads),
                    signed(s.rho, 3),
                    signed(s.mutual_information, 3)
                )
            };
            let slices: Vec<String> = panel.slices.iter().map(slice).collect();
            format!("{}: {}.", panel.model, slices.join("; "))
        };
        self.0.panels.each_ref().map(words).join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::shade;

    #[test]
    fn only_empty_bins_are_blank_and_the_fullest_is_darkest() {
        assert_eq!([shade(0, 40), shade(1, 40), shade(40, 40)], [0, 1, 5]);
        assert_eq!(shade(1, 1), 5);
        let shades: Vec<usize> = (0..=40).map(|count| shade(count, 40)).collect();
        assert!(shades.is_sorted(), "{shades:?}");
    }
}
