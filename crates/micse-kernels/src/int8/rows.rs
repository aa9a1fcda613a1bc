//! Activations in 8 bits.

use rayon::prelude::*;

use super::isa::Isa;
use crate::simd::{LANES, fold, highest_of, lowest_of, vectorised};

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

vectorised! {
    /// Collects what lies outside the range.
    fn cut(cuts: &mut Vec<Cut>, x: &[f32], range: Range) {
        let highest = range.lowest + STEPS * range.step;
        let outside = |x: f32| x > highest || x < range.lowest;
        let mut collect = |first: usize, block: &[f32]| {
            for (i, &x) in block.iter().enumerate().filter(|(_, x)| outside(**x)) {
                let value = if x > highest { x - highest } else { x - range.lowest };
                cuts.push(Cut { input: (first + i) as u32, value });
            }
        };
        let (blocks, rest) = x.as_chunks::<LANES>();
        for (number, block) in blocks.iter().enumerate() {
            // Most blocks have nothing outside, which takes a comparison of all lanes.
            if block.iter().fold(false, |any, &x| any | outside(x)) {
                collect(number * LANES, block);
            }
        }
        collect(blocks.len() * LANES, rest);
    }
}

/// Rounded activations, `[rows, width]`, in the form that this CPU's product reads. The width is the number of inputs,
/// rounded up to whole words of the weights; the values there are zero.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// For words of two weights.
    Halves(Vec<u16>),
    /// For words of four weights.
    Bytes(Vec<u8>),
}

impl Default for Values {
    fn default() -> Self {
        match Isa::best().depth() {
            2 => Self::Halves(Vec::new()),
            _ => Self::Bytes(Vec::new()),
        }
    }
}

/// A rounded activation, 0 to 255.
pub(super) trait Rounded: Copy + Default + Send + Sync {
    /// Activations per word of the weights.
    const DEPTH: usize;

    /// As a signed number of 16 bits.
    fn signed(self) -> i16;

    /// Rounds values: to `value * inverse - zero`.
    fn round(out: &mut [Self], x: &[f32], inverse: f32, zero: f32);
}

impl Rounded for u16 {
    const DEPTH: usize = 2;

    fn signed(self) -> i16 {
        self as i16
    }

    fn round(out: &mut [Self], x: &[f32], inverse: f32, zero: f32) {
        round_to_halves(out, x, inverse, zero);
    }
}

impl Rounded for u8 {
    const DEPTH: usize = 4;

    fn signed(self) -> i16 {
        self.into()
    }

    fn round(out: &mut [Self], x: &[f32], inverse: f32, zero: f32) {
        round_to_bytes(out, x, inverse, zero);
    }
}

/// Rows (tokens) of activations, each rounded to 256 levels between its lowest and its highest value. Reuses its buffers
/// between calls.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub(super) values: Values,
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
        self.resize(x.len() / inputs, inputs);
        let (ranges, cuts) = (&mut self.ranges, &mut self.cuts);
        match &mut self.values {
            Values::Halves(values) => round_all(values, ranges, cuts, x, inputs, factors),
            Values::Bytes(values) => round_all(values, ranges, cuts, x, inputs, factors),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ranges.len()
    }

    /// Makes room for rows to be rounded.
    pub(super) fn resize(&mut self, rows: usize, inputs: usize) {
        self.inputs = inputs;
        self.ranges.resize(rows, Range::default());
        self.cuts.resize(rows, Vec::new());
    }
}

/// See [`Rows::round`].
fn round_all<L: Rounded>(
    values: &mut Vec<L>,
    ranges: &mut [Range],
    cuts: &mut [Vec<Cut>],
    x: &[f32],
    inputs: usize,
    factors: Option<&[f32]>,
) {
    let task = task_rows(inputs);
    parts(values, ranges, cuts, inputs, task)
        .zip(x.par_chunks(task * inputs))
        .for_each(|(part, x)| part.round(x, inputs, factors));
}

/// Some rows to be rounded.
pub(super) struct Part<'a, L> {
    values: &'a mut [L],
    ranges: &'a mut [Range],
    cuts: &'a mut [Vec<Cut>],
}

/// Divides rows into parts of at most `rows`.
pub(super) fn parts<'a, L: Rounded>(
    values: &'a mut Vec<L>,
    ranges: &'a mut [Range],
    cuts: &'a mut [Vec<Cut>],
    inputs: usize,
    rows: usize,
) -> impl IndexedParallelIterator<Item = Part<'a, L>> {
    let padded = inputs.next_multiple_of(L::DEPTH);
    values.resize(ranges.len() * padded, L::default());
    values
        .par_chunks_mut(rows * padded)
        .zip(ranges.par_chunks_mut(rows))
        .zip(cuts.par_chunks_mut(rows))
        .map(|((values, ranges), cuts)| Part { values, ranges, cuts })
}

impl<L: Rounded> Part<'_, L> {
    pub(super) fn rows(&self) -> usize {
        self.ranges.len()
    }

    /// See [`Rows::round`].
    pub(super) fn round(self, x: &[f32], inputs: usize, factors: Option<&[f32]>) {
        let padded = inputs.next_multiple_of(L::DEPTH);
        let mut scaled = vec![0.0; if factors.is_some() { inputs } else { 0 }];
        let rows = self.values.chunks_exact_mut(padded).zip(self.ranges).zip(self.cuts);
        for (((values, range), cuts), mut x) in rows.zip(x.chunks_exact(inputs)) {
            *range = match factors {
                Some(factors) => {
                    let range = multiply(&mut scaled, x, factors);
                    x = &scaled;
                    range
                }
                None => range_of(x),
            };
            values[inputs..].fill(L::default());
            if range.step > 0.0 {
                L::round(&mut values[..inputs], x, 1.0 / range.step, range.lowest / range.step);
            } else {
                values.fill(L::default());
            }
            cuts.clear();
            if range.clipped {
                cut(cuts, x, *range);
            }
        }
    }
}

fn task_rows(inputs: usize) -> usize {
    (TASK / inputs).max(1)
}

/// What the range of a row depends on, per lane.
struct Measure {
    low: [f32; LANES],
    high: [f32; LANES],
    squares: [f32; LANES],
    undefined: [f32; LANES],
}

impl Measure {
    const NONE: Self = Self {
        low: [f32::INFINITY; LANES],
        high: [f32::NEG_INFINITY; LANES],
        squares: [0.0; LANES],
        undefined: [0.0; LANES],
    };

    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn take(&mut self, i: usize, x: f32) {
        self.low[i] = if x < self.low[i] { x } else { self.low[i] };
        self.high[i] = if x > self.high[i] { x } else { self.high[i] };
        self.squares[i] += x * x;
        // NaN if x is NaN or infinite, otherwise 0.
        self.undefined[i] += x * 0.0;
    }

    /// The range of a row of this many values.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn range(self, count: usize) -> Range {
        if fold(self.undefined).is_nan() {
            return Range { lowest: f32::NAN, step: f32::NAN, clipped: false };
        }
        let (least, most) = (lowest_of(self.low), highest_of(self.high));
        // Infinite, so without effect, if a square exceeds f32.
        let bound = CLIP * (fold(self.squares) / count as f32).sqrt();
        let (lowest, highest) = (least.max(-bound), most.min(bound));
        // Divided first, because the difference can exceed f32.
        let step = highest / STEPS - lowest / STEPS;
        if step < f32::MIN_POSITIVE {
            return Range { lowest, step: 0.0, clipped: false };
        }
        Range { lowest, step, clipped: least < lowest || most > highest }
    }
}

vectorised! {
    /// The range of one row; its step is 0 or NaN if all values become 0.
    fn range_of(x: &[f32]) -> Range {
        let mut measure = Measure::NONE;
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for (i, &x) in block.iter().enumerate() {
                measure.take(i, x);
            }
        }
        for (i, &x) in rest.iter().enumerate() {
            measure.take(i, x);
        }
        measure.range(x.len())
    }
}

vectorised! {
    /// Multiplies a row by factors; the range of the products.
    fn multiply(out: &mut [f32], x: &[f32], factors: &[f32]) -> Range {
        let mut measure = Measure::NONE;
        let (out_blocks, out_rest) = out.as_chunks_mut::<LANES>();
        let (blocks, rest) = x.as_chunks::<LANES>();
        let (factor_blocks, factor_rest) = factors.as_chunks::<LANES>();
        for ((out, block), factors) in out_blocks.iter_mut().zip(blocks).zip(factor_blocks) {
            for i in 0..LANES {
                out[i] = block[i] * factors[i];
                measure.take(i, out[i]);
            }
        }
        for (i, ((out, &x), &factor)) in out_rest.iter_mut().zip(rest).zip(factor_rest).enumerate() {
            *out = x * factor;
            measure.take(i, *out);
        }
        measure.range(x.len())
    }
}

/// The level of one value. The last bit of the sum counts ones, so the addition rounds to even, and its low bits are the
/// integer.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn level(x: f32, inverse: f32, zero: f32) -> u8 {
    ((x * inverse - zero).clamp(0.0, STEPS) + ONES).to_bits() as u8
}

vectorised! {
    fn round_to_halves(out: &mut [u16], x: &[f32], inverse: f32, zero: f32) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = level(x, inverse, zero).into();
        }
    }
}

vectorised! {
    fn round_to_bytes(out: &mut [u8], x: &[f32], inverse: f32, zero: f32) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = level(x, inverse, zero);
        }
    }
}
