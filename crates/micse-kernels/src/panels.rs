//! Products with a weight that is packed once: for inference, where the same weights meet many small inputs.
//!
//! A general product packs both factors each time. For a sentence of a dozen tokens, packing the weight takes longer than
//! multiplying. [`Panels`] is a copy of the weight in the order in which the product reads it; the input is read as it
//! is.
//!
//! ```
//! use micse_kernels::panels::{Panels, product};
//!
//! // Two rows of inputs, three outputs.
//! let (x, weight) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
//! let mut panels = Panels::default();
//! panels.pack(&weight, 2);
//! let mut y = [0.0; 6];
//! product(&mut y, &x, &panels, Some(&[0.5, 0.0, 0.0]));
//! assert_eq!(y, [1.5, 2.0, 3.0, 3.5, 4.0, 7.0]);
//! ```
//!
//! Every sum starts from the bias and runs along the inputs, so a row of the result depends neither on other rows nor on
//! the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::grid::{Block, Grid};
use crate::simd::{LANES, Level, level};

/// Output channels per panel.
const PANEL: usize = LANES;
/// Panels per task.
const TASK_PANELS: usize = 4;
/// Rows per task: the input of a task then stays in the second-level cache.
const TASK_ROWS: usize = 48;
/// Weights that are packed as one task.
const PACKED_PANELS: usize = 2;

/// The weights of one input and the 16 output channels of a panel.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Column([f32; PANEL]);

/// A weight matrix `[outputs, inputs]` in panels of 16 output channels, each input by input. Missing channels of the last
/// panel are zero. Has the size of the matrix.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    columns: Vec<Column>,
    inputs: usize,
    outputs: usize,
}

impl Panels {
    /// Packs a matrix `[outputs, inputs]`; reuses the buffer.
    ///
    /// Runs on rayon's current pool.
    ///
    /// # Panics
    /// `weight` does not have full rows.
    pub fn pack(&mut self, weight: &[f32], inputs: usize) {
        assert!(
            inputs > 0 && weight.len().is_multiple_of(inputs),
            "{} weights of {inputs} inputs",
            weight.len()
        );
        (self.inputs, self.outputs) = (inputs, weight.len() / inputs);
        self.columns.resize(self.outputs.div_ceil(PANEL) * inputs, Column([0.0; PANEL]));
        self.columns
            .par_chunks_mut(PACKED_PANELS * inputs)
            .zip(weight.par_chunks(PACKED_PANELS * PANEL * inputs))
            .for_each(|(columns, weight)| {
                for (columns, weight) in columns.chunks_exact_mut(inputs).zip(weight.chunks(PANEL * inputs)) {
                    pack_panel(columns, weight);
                }
            });
    }

    /// Number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// Packs up to 16 rows of weights.
fn pack_panel(columns: &mut [Column], weight: &[f32]) {
    let inputs = columns.len();
    if weight.len() < PANEL * inputs {
        columns.fill(Column([0.0; PANEL]));
    }
    for (output, row) in weight.chunks_exact(inputs).enumerate() {
        for (column, &value) in columns.iter_mut().zip(row) {
            column.0[output] = value;
        }
    }
}

/// Whether [`product`] is faster on this CPU than a general product with this many rows. With AVX-512, the limit was
/// measured on Zen 4, where both are equally fast at 512 rows.
#[must_use]
pub fn suits(rows: usize) -> bool {
    let limit = match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => 513,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => usize::MAX,
        Level::Base => 0,
    };
    rows < limit
}

/// Some rows and panels of a product.
struct Task<'a> {
    block: Block<'a>,
    /// All rows of the input.
    x: &'a [f32],
    panels: &'a Panels,
    bias: Option<&'a [f32]>,
}

/// `out = x W^T + bias`: `[rows, outputs]` from `[rows, inputs]`; no bias is added if it is `None`.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// `x` does not have full rows, the bias does not have one value per output channel, or `out` is not `[rows, outputs]`.
pub fn product(out: &mut [f32], x: &[f32], panels: &Panels, bias: Option<&[f32]>) {
    let (inputs, outputs) = (panels.inputs, panels.outputs);
    if out.is_empty() {
        return;
    }
    assert!(inputs > 0 && x.len().is_multiple_of(inputs), "{} values in rows of {inputs}", x.len());
    let rows = x.len() / inputs;
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "a bias needs one value per output channel");
    Grid::new(out, rows, outputs)
        .for_each((TASK_ROWS, TASK_PANELS * PANEL), |block| run(Task { block, x, panels, bias }));
}

/// Chooses the rows of a tile for the CPU: all sums of a tile stay in registers.
#[allow(unsafe_code)]
fn run(mut task: Task<'_>) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn avx512(mut task: Task<'_>) {
        task.run::<12, 2>();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(mut task: Task<'_>) {
        task.run::<6, 1>();
    }

    match level() {
        // SAFETY: `level` has checked that the CPU has these features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(task) },
        Level::Base => task.run::<1, 1>(),
    }
}

#[allow(clippy::inline_always)] // must inherit the features of the calling function
impl Task<'_> {
    /// Tiles of `R` rows and `P` panels, and smaller ones at the end.
    #[inline(always)]
    fn run<const R: usize, const P: usize>(&mut self) {
        let columns = self.block.columns.clone();
        let mut first = columns.start;
        while first + (P - 1) * PANEL < columns.end {
            self.panels::<R, P>(first);
            first += P * PANEL;
        }
        while first < columns.end {
            self.panels::<R, 1>(first);
            first += PANEL;
        }
    }

    /// All rows of `P` panels.
    #[inline(always)]
    fn panels<const R: usize, const P: usize>(&mut self, first: usize) {
        let rows = self.block.rows.clone();
        let mut row = rows.start;
        while row + R <= rows.end {
            self.tile::<R, P>(row, first);
            row += R;
        }
        while row + 4 <= rows.end {
            self.tile::<4, P>(row, first);
            row += 4;
        }
        match rows.end - row {
            1 => self.tile::<1, P>(row, first),
            2 => self.tile::<2, P>(row, first),
            3 => self.tile::<3, P>(row, first),
            _ => {}
        }
    }

    #[inline(always)]
    fn tile<const R: usize, const P: usize>(&mut self, row: usize, first: usize) {
        let inputs = self.panels.inputs;
        let columns = |p: usize| first + p * PANEL..self.block.columns.end.min(first + (p + 1) * PANEL);
        let mut start = [[0.0; PANEL]; P];
        if let Some(bias) = self.bias {
            for (p, start) in start.iter_mut().enumerate() {
                let bias = &bias[columns(p)];
                start[..bias.len()].copy_from_slice(bias);
            }
        }
        let x: [&[f32]; R] = std::array::from_fn(|i| &self.x[(row + i) * inputs..][..inputs]);
        let panels: [&[Column]; P] =
            std::array::from_fn(|p| &self.panels.columns[(first / PANEL + p) * inputs..][..inputs]);
        let columns: [Range<usize>; P] = std::array::from_fn(columns);
        let sums = sums(start, x, panels);
        for (i, sums) in sums.iter().enumerate() {
            for (columns, sums) in columns.iter().zip(sums) {
                let width = columns.len();
                self.block.row(row + i, columns.clone()).copy_from_slice(&sums[..width]);
            }
        }
    }
}

/// `start` plus the products of R rows with P panels.
#[inline(always)]
#[allow(clippy::inline_always)] // must inherit the features of the calling function
fn sums<const R: usize, const P: usize>(
    start: [[f32; PANEL]; P],
    x: [&[f32]; R],
    panels: [&[Column]; P],
) -> [[[f32; PANEL]; P]; R] {
    let mut sums = [start; R];
    let inputs = panels[0].len();
    let (x, panels) = (x.map(|x| &x[..inputs]), panels.map(|panel| &panel[..inputs]));
    for k in 0..inputs {
        // Copies, so that the compiler loads the weights once and not for every row.
        let weights = panels.map(|panel| panel[k].0);
        for (sums, x) in sums.iter_mut().zip(&x) {
            let factor = x[k];
            for (sums, weights) in sums.iter_mut().zip(&weights) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = factor.mul_add(weight, *sum);
                }
            }
        }
    }
    sums
}
