//! The product: tasks, tiles, and the choice of the kernel.

use super::isa::Isa;
#[cfg(target_arch = "aarch64")]
use super::kernel_neon;
use super::kernel_portable;
use super::rows::{Rounded, Rows, Values};
use super::weights::{PANEL, Weights};
#[cfg(target_arch = "x86_64")]
use super::{kernel_avx2, kernel_vnni};
use crate::grid::{Block, Grid};
use crate::line::Line;
use crate::simd::vectorised;

/// Rows and panels per task: the task's activations and panels stay in the second-level cache.
const TASK_ROWS: usize = 48;
const TASK_PANELS: usize = 4;

/// The sums of a tile, for up to `ROWS` rows; each kernel has its own number.
pub(super) type Sums<const ROWS: usize> = [[i32; PANEL]; ROWS];

/// A few rows and one panel of the output.
pub(super) struct Tile<'a, L> {
    /// Activations: rows of [`Self::width`], from one to as many as the kernel computes at a time.
    pub(super) activations: &'a [L],
    /// Inputs, rounded up to whole words.
    pub(super) width: usize,
    /// One line per word of the weights.
    pub(super) panel: &'a [Line],
}

impl<L> Tile<'_, L> {
    pub(super) fn rows(&self) -> usize {
        self.activations.len() / self.width
    }
}

/// `out = x W^T + bias`: `[rows, outputs]` from `[rows, inputs]`; no bias is added if it is `None`.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// Rows and weights have different numbers of inputs, the bias does not have one value per output channel, or `out` is
/// not `[rows, outputs]`.
pub fn product(out: &mut [f32], rows: &Rows, weights: &Weights, bias: Option<&[f32]>) {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    assert!(rows.rows() == 0 || rows.inputs == inputs, "rows of {} for {inputs} inputs", rows.inputs);
    assert_eq!(out.len(), rows.rows() * outputs, "{} rows of {outputs}", rows.rows());
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "a bias needs one value per output channel");
    Grid::new(out, rows.rows(), outputs)
        .for_each((TASK_ROWS, TASK_PANELS * PANEL), |block| multiply(block, rows, weights, bias));
}

/// Computes one task's block.
fn multiply(block: Block<'_>, rows: &Rows, weights: &Weights, bias: Option<&[f32]>) {
    let work = Work { rows, weights, bias };
    match (weights.isa, &rows.values) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Vnni(token), Values::Bytes(values)) => {
            work.run(block, values, |tile, _| kernel_vnni::wide_sums(token, tile));
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::AvxVnni(token), Values::Bytes(values)) => {
            work.run(block, values, |tile, _| kernel_vnni::sums(token, tile));
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2(token), Values::Halves(values)) => {
            work.run(block, values, |tile, _| kernel_avx2::sums(token, tile));
        }
        #[cfg(target_arch = "aarch64")]
        (Isa::Dot(token), Values::Bytes(values)) => {
            work.run(block, values, |tile, totals| kernel_neon::sums(token, tile, totals));
        }
        (Isa::Portable, Values::Bytes(values)) => {
            work.run(block, values, |tile, _| kernel_portable::sums(tile));
        }
        (Isa::Portable, Values::Halves(values)) => {
            work.run(block, values, |tile, _| kernel_portable::sums(tile));
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        _ => unreachable!("activations have the form that this CPU's product reads"),
    }
}

/// The factors of a product.
struct Work<'a> {
    rows: &'a Rows,
    weights: &'a Weights,
    bias: Option<&'a [f32]>,
}

impl Work<'_> {
    /// Computes a block, in tiles of up to `ROWS` rows; `sums` gets a tile and the sums of its channels' weights.
    fn run<L: Rounded, const ROWS: usize>(
        &self,
        mut block: Block<'_>,
        values: &[L],
        sums: impl Fn(&Tile<'_, L>, &[i32]) -> Sums<ROWS>,
    ) {
        let Self { rows, weights, bias } = self;
        let width = rows.inputs.next_multiple_of(L::DEPTH);
        let values = &values[block.rows.start * width..block.rows.end * width];
        for start in block.columns.clone().step_by(PANEL) {
            let columns = start..block.columns.end.min(start + PANEL);
            let panel = weights.panel(start / PANEL);
            let channels = Channels::new(weights, *bias, columns.clone());
            let tiles = values.chunks(ROWS * width).zip(block.rows.clone().step_by(ROWS));
            for (activations, first) in tiles {
                let tile = Tile { activations, width, panel };
                let sums = sums(&tile, &weights.totals[columns.clone()]);
                let finished =
                    Finished { sums: &sums[..tile.rows()], first, panel, columns: columns.clone() };
                write(&mut block, finished, rows, &channels, weights.isa);
            }
        }
    }
}

/// The sums of a tile.
struct Finished<'a> {
    sums: &'a [[i32; PANEL]],
    /// Its first row.
    first: usize,
    panel: &'a [Line],
    columns: std::ops::Range<usize>,
}

/// What belongs to the output channels of a panel; zero for missing channels.
struct Channels {
    scales: [f32; PANEL],
    /// Sums of the weights.
    totals: [f32; PANEL],
    bias: Option<[f32; PANEL]>,
}

impl Channels {
    fn new(weights: &Weights, bias: Option<&[f32]>, columns: std::ops::Range<usize>) -> Self {
        let padded = |values: &[f32]| {
            let mut padded = [0.0; PANEL];
            padded[..columns.len()].copy_from_slice(&values[columns.clone()]);
            padded
        };
        let scales = padded(&weights.scales);
        let mut totals = scales;
        for (total, &sum) in totals.iter_mut().zip(&weights.totals[columns.clone()]) {
            *total *= sum as f32;
        }
        Self { scales, totals, bias: bias.map(padded) }
    }
}

vectorised! {
    /// Writes the outputs of a tile, by the formula of this module's parent.
    fn write(block: &mut Block<'_>, tile: Finished<'_>, rows: &Rows, channels: &Channels, isa: Isa) {
        let Channels { scales, totals, bias } = channels;
        for (row, sums) in (tile.first..).zip(tile.sums) {
            let range = rows.ranges[row];
            let mut out = [0.0_f32; PANEL];
            for (((out, &sum), scale), total) in out.iter_mut().zip(sums).zip(scales).zip(totals) {
                *out = range.step * scale * sum as f32 + range.lowest * total;
            }
            if let Some(bias) = bias {
                for (out, bias) in out.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
            // What was cut off the activations.
            for cut in &rows.cuts[row] {
                let (word, place) = (cut.input as usize / isa.depth(), cut.input as usize % isa.depth());
                for ((out, &word), scale) in out.iter_mut().zip(&tile.panel[word].0).zip(scales) {
                    *out += cut.value * (scale * f32::from(isa.weight(word, place)));
                }
            }
            let place = block.row(row, tile.columns.clone());
            match place.as_mut_array() {
                // A copy of fixed length needs no call.
                Some(place) => *place = out,
                None => place.copy_from_slice(&out[..place.len()]),
            }
        }
    }
}
