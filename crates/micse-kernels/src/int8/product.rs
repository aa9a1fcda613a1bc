//! The product: tasks, tiles, and the choice of the kernel.

use super::isa::Isa;
#[cfg(target_arch = "x86_64")]
use super::kernel_avx2;
#[cfg(target_arch = "aarch64")]
use super::kernel_neon::SignedRows;
use super::kernel_portable;
use super::rows::{Cut, Range, Rows};
use super::weights::{PANEL, Weights};
use crate::grid::{Block, Grid};
use crate::line::Line;
use crate::simd::vectorised;

/// Maximum rows per tile.
pub(super) const TILE_ROWS: usize = 6;

/// Rows and panels per task: the task's activations and panels stay in the second-level cache.
const TASK_ROWS: usize = 8 * TILE_ROWS;
const TASK_PANELS: usize = 4;

/// The sums of up to 6 rows and one panel.
pub(super) type Sums = [[i32; PANEL]; TILE_ROWS];

/// Up to 6 rows and one panel of the output.
pub(super) struct Tile<'a> {
    /// Activations: 1 to [`TILE_ROWS`] rows of [`Self::width`].
    pub(super) activations: &'a [u16],
    /// Inputs, rounded up to an even number.
    pub(super) width: usize,
    /// One line per word of the weights.
    pub(super) panel: &'a [Line],
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
fn multiply(mut block: Block<'_>, rows: &Rows, weights: &Weights, bias: Option<&[f32]>) {
    let width = weights.inputs().next_multiple_of(2);
    let activations = &rows.values[block.rows.start * width..block.rows.end * width];
    #[cfg(target_arch = "aarch64")]
    let signed = matches!(weights.isa, Isa::Dot(_)).then(|| SignedRows::new(activations, width));
    for start in block.columns.clone().step_by(PANEL) {
        let columns = start..block.columns.end.min(start + PANEL);
        let panel = weights.panel(start / PANEL);
        let channels = Channels {
            scales: &weights.scales[columns.clone()],
            totals: &weights.totals[columns.clone()],
            bias: bias.map(|bias| &bias[columns.clone()]),
        };
        let own = activations.chunks(TILE_ROWS * width);
        for (first, activations) in block.rows.clone().step_by(TILE_ROWS).zip(own) {
            let count = activations.len() / width;
            let tile = Tile { activations, width, panel };
            let sums = match weights.isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(token) => kernel_avx2::sums(token, &tile),
                #[cfg(target_arch = "aarch64")]
                Isa::Dot(token) => {
                    let at = first - block.rows.start;
                    let signed = signed.as_ref().expect("made for this kernel");
                    signed.sums(token, at..at + count, panel, channels.totals)
                }
                Isa::Portable => kernel_portable::sums(&tile),
            };
            for (row, sums) in (first..first + count).zip(&sums) {
                let out = block.row(row, columns.clone());
                write(out, sums, rows.ranges[row], &channels);
                for cut in &rows.cuts[row] {
                    add_cut(out, *cut, weights.isa, panel, channels.scales);
                }
            }
        }
    }
}

/// What belongs to the output channels of a panel.
struct Channels<'a> {
    scales: &'a [f32],
    /// Sums of weights, without the scales.
    totals: &'a [i32],
    bias: Option<&'a [f32]>,
}

vectorised! {
    /// The outputs of one row and panel, by the formula of this module's parent.
    fn write(out: &mut [f32], sums: &[i32; PANEL], range: Range, channels: &Channels<'_>) {
        let weights = channels.scales.iter().zip(channels.totals);
        for ((out, &sum), (scale, &total)) in out.iter_mut().zip(sums).zip(weights) {
            *out = range.step * scale * sum as f32 + range.lowest * (scale * total as f32);
        }
        if let Some(bias) = channels.bias {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }
}

/// Adds the product of what was cut off one activation.
fn add_cut(out: &mut [f32], cut: Cut, isa: Isa, panel: &[Line], scales: &[f32]) {
    let (word, place) = (cut.input as usize / isa.depth(), cut.input as usize % isa.depth());
    for ((out, &word), scale) in out.iter_mut().zip(&panel[word].0).zip(scales) {
        *out += cut.value * (scale * f32::from(isa.weight(word, place)));
    }
}
