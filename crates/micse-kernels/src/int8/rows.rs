//! Activations in 8 bits.

use rayon::prelude::*;

use crate::simd::{LANES, fold, vectorised};

/// Elements per task.
const TASK: usize = 1 << 14;

/// Steps between the lowest and the highest value of a row.
const STEPS: f32 = 255.0;

/// From here to its double, f32 has exactly the integers.
const ONES: f32 = 8_388_608.0;

/// Values beyond this many times a row's root mean square are clipped. A smaller number makes steps finer, but leaves
/// more values to be multiplied one by one: at 6, 1 to 5 a row in small encoders.
const CLIP: f32 = 6.0;

/// What clipping cut off one activation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) input: u32,
    pub(super) value: f32,
}

/// The range of a row: value = `lowest + step * rounded`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    pub(super) lowest: f32,
    pub(super) step: f32,
    /// Whether values lie outside it.
    clipped: bool,
}

/// Collects what lies outside the range.
fn cut(cuts: &mut Vec<Cut>, x: &[f32], range: Range) {
    let highest = range.lowest + STEPS * range.step;
    for (input, &x) in x.iter().enumerate() {
        let value = if x > highest { x - highest } else { x - range.lowest };
        if x > highest || x < range.lowest {
            cuts.push(Cut { input: input as u32, value });
        }
    }
}

/// Rows (tokens) of activations, each rounded to 256 levels between its lowest and its highest value. Reuses its buffers
/// between calls.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// `[rows, inputs]`, in 16 bits, as `vpmaddwd` multiplies them, with a zero after an odd number of inputs.
    pub(super) values: Vec<u16>,
    pub(super) ranges: Vec<Range>,
    /// What was cut off each row, in the order of the inputs.
    pub(super) cuts: Vec<Vec<Cut>>,
    pub(super) inputs: usize,
}

impl Rows {
    /// Rounds `x`, `[rows, inputs]`, after multiplying each input channel by its factor, if factors are given.
    ///
    /// Runs on rayon's current pool.
    ///
    /// # Panics
    /// `x` does not have full rows, or there is not one factor per input.
    pub fn round(&mut self, x: &[f32], inputs: usize, factors: Option<&[f32]>) {
        assert!(inputs > 0 && x.len().is_multiple_of(inputs), "{} values in rows of {inputs}", x.len());
        assert!(factors.is_none_or(|f| f.len() == inputs), "one factor per input");
        self.inputs = inputs;
        let padded = inputs.next_multiple_of(2);
        self.values.resize(x.len() / inputs * padded, 0);
        self.ranges.resize(x.len() / inputs, Range::default());
        self.cuts.resize(x.len() / inputs, Vec::new());
        let task = task_rows(inputs);
        self.values
            .par_chunks_mut(task * padded)
            .zip(self.ranges.par_chunks_mut(task))
            .zip(self.cuts.par_chunks_mut(task))
            .zip(x.par_chunks(task * inputs))
            .for_each(|(((values, ranges), cuts), x)| {
                let mut scaled = vec![0.0; if factors.is_some() { inputs } else { 0 }];
                let rows = values.chunks_exact_mut(padded).zip(ranges).zip(cuts).zip(x.chunks_exact(inputs));
                for (((values, range), cuts), mut x) in rows {
                    if let Some(factors) = factors {
                        multiply(&mut scaled, x, factors);
                        x = &scaled;
                    }
                    values[inputs..].fill(0);
                    *range = round_row(&mut values[..inputs], x);
                    cuts.clear();
                    if range.clipped {
                        cut(cuts, x, *range);
                    }
                }
            });
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ranges.len()
    }
}

fn task_rows(inputs: usize) -> usize {
    (TASK / inputs).max(1)
}

vectorised! {
    fn multiply(out: &mut [f32], x: &[f32], factors: &[f32]) {
        for ((out, &x), &factor) in out.iter_mut().zip(x).zip(factors) {
            *out = x * factor;
        }
    }
}

vectorised! {
    /// Rounds one row.
    fn round_row(out: &mut [u16], x: &[f32]) -> Range {
        let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let (mut squares, mut undefined) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let (blocks, rest) = x.as_chunks::<LANES>();
        let mut take = |i: usize, x: f32| {
            low[i] = if x < low[i] { x } else { low[i] };
            high[i] = if x > high[i] { x } else { high[i] };
            squares[i] += x * x;
            // NaN if x is NaN or infinite, otherwise 0.
            undefined[i] += x * 0.0;
        };
        for block in blocks {
            for (i, &x) in block.iter().enumerate() {
                take(i, x);
            }
        }
        for (i, &x) in rest.iter().enumerate() {
            take(i, x);
        }
        if undefined.iter().any(|x| x.is_nan()) {
            out.fill(0);
            return Range { lowest: f32::NAN, step: f32::NAN, clipped: false };
        }
        let least = low.iter().fold(f32::INFINITY, |a, &b| if b < a { b } else { a });
        let most = high.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
        // Infinite, so without effect, if a square exceeds f32.
        let bound = CLIP * (fold(squares) / x.len() as f32).sqrt();
        let (lowest, highest) = (least.max(-bound), most.min(bound));
        // Divided first, because the difference can exceed f32.
        let step = highest / STEPS - lowest / STEPS;
        if step < f32::MIN_POSITIVE {
            out.fill(0);
            return Range { lowest, step: 0.0, clipped: false };
        }
        let (inverse, zero) = (1.0 / step, lowest / step);
        for (out, &x) in out.iter_mut().zip(x) {
            // The sum's last bit counts ones, so the addition rounds to even, and its low bits are the integer.
            *out = (((x * inverse - zero).clamp(0.0, STEPS) + ONES).to_bits() as u8).into();
        }
        Range { lowest, step, clipped: least < lowest || most > highest }
    }
}
