//! The product: tasks, tiles, and the choice of the kernel.

use rayon::prelude::*;

use super::isa::Isa;
#[cfg(target_arch = "x86_64")]
use super::kernel_avx2;
use super::kernel_portable;
use super::rows::{Cut, Range, Rows};
use super::weights::{PANEL, Weights, halves};
use crate::line::Line;
use crate::simd::vectorised;

/// Maximum rows per tile.
pub(super) const TILE_ROWS: usize = 6;

/// Maximum rows per task: enough to use each panel several times while it is in the cache.
const TASK_ROWS: usize = 8 * TILE_ROWS;

/// Target number of tasks, if there are enough rows.
const TASKS: usize = 16;

/// The sums of up to 6 rows and one panel.
pub(super) type Sums = [[i32; PANEL]; TILE_ROWS];

/// Up to 6 rows and one panel of the output.
pub(super) struct Tile<'a> {
    /// 1 to [`TILE_ROWS`].
    pub(super) rows: usize,
    /// Activations, padded to pairs: row i is `activations[2 * i * pairs..][..2 * pairs]`.
    pub(super) activations: &'a [u16],
    /// One line per pair.
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
    if out.is_empty() {
        return;
    }
    let task_rows = rows.rows().div_ceil(TASKS).next_multiple_of(TILE_ROWS).min(TASK_ROWS);
    out.par_chunks_mut(task_rows * outputs).enumerate().for_each(|(task, out)| {
        let first = task * task_rows;
        let ranges = &rows.ranges[first..rows.rows().min(first + task_rows)];
        let cuts = &rows.cuts[first..first + ranges.len()];
        let values = &rows.values[first * inputs..][..ranges.len() * inputs];
        multiply(out, values, (ranges, cuts), weights, bias);
    });
}

/// Computes one task's rows.
fn multiply(
    out: &mut [f32],
    values: &[u8],
    (ranges, cuts): (&[Range], &[Vec<Cut>]),
    weights: &Weights,
    bias: Option<&[f32]>,
) {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    let pairs = inputs.div_ceil(2);
    let mut activations = vec![0; 2 * pairs * ranges.len()];
    for (wide, row) in activations.chunks_exact_mut(2 * pairs).zip(values.chunks_exact(inputs)) {
        widen(wide, row);
    }
    for (panel, lines) in weights.lines.chunks_exact(pairs).enumerate() {
        let columns = panel * PANEL..outputs.min((panel + 1) * PANEL);
        for first in (0..ranges.len()).step_by(TILE_ROWS) {
            let rows = (ranges.len() - first).min(TILE_ROWS);
            let activations = &activations[2 * first * pairs..][..2 * rows * pairs];
            let tile = Tile { rows, activations, panel: lines };
            let sums = match weights.isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(token) => kernel_avx2::sums(token, &tile),
                Isa::Portable => kernel_portable::sums(&tile),
            };
            for (i, sums) in sums.iter().enumerate().take(rows) {
                let out = &mut out[(first + i) * outputs..][columns.clone()];
                let bias = bias.map(|bias| &bias[columns.clone()]);
                let (scales, weight_sums) =
                    (&weights.scales[columns.clone()], &weights.sums[columns.clone()]);
                write(out, sums, ranges[first + i], scales, weight_sums, bias);
                for cut in &cuts[first + i] {
                    add_cut(out, *cut, lines, scales);
                }
            }
        }
    }
}

vectorised! {
    /// The bytes as 16-bit integers; `out` may be longer.
    fn widen(out: &mut [u16], bytes: &[u8]) {
        for (out, &byte) in out.iter_mut().zip(bytes) {
            *out = byte.into();
        }
    }
}

/// The outputs of one row and panel, by the formula of this module's parent.
fn write(
    out: &mut [f32],
    sums: &[i32; PANEL],
    range: Range,
    scales: &[f32],
    weight_sums: &[f32],
    bias: Option<&[f32]>,
) {
    for (i, out) in out.iter_mut().enumerate() {
        let value = range.step * scales[i] * sums[i] as f32 + range.lowest * weight_sums[i];
        *out = bias.map_or(value, |bias| value + bias[i]);
    }
}

/// Adds the product of what was cut off one activation.
fn add_cut(out: &mut [f32], cut: Cut, panel: &[Line], scales: &[f32]) {
    let line = &panel[cut.input as usize / 2].0;
    for ((out, &word), scale) in out.iter_mut().zip(line).zip(scales) {
        let (first, second) = halves(word);
        let weight = if cut.input.is_multiple_of(2) { first } else { second };
        *out += cut.value * (scale * weight as f32);
    }
}
