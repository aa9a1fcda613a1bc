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
    /// Whether values lie below and above it.
    clipped: [bool; 2],
}

impl Range {
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn highest(self) -> f32 {
        self.lowest + STEPS * self.step
    }

    /// Beyond these, values were cut off.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn bounds(self) -> (f32, f32) {
        let [low, high] = self.clipped;
        (if low { self.lowest } else { f32::NEG_INFINITY }, if high { self.highest() } else { f32::INFINITY })
    }

    /// What was cut off a value.
    fn beyond(self, x: f32) -> f32 {
        x - if x < self.lowest { self.lowest } else { self.highest() }
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

    /// Collects what clipping cut off the values that have these levels.
    fn cut(cuts: &mut Vec<Cut>, levels: &[Self], x: &[f32], range: Range);
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
    parts(values, ranges, cuts, inputs, task).zip(x.par_chunks(task * inputs)).for_each(|(part, x)| {
        let mut scaled = Vec::new();
        for (row, x) in part.rows(inputs).zip(x.chunks_exact(inputs)) {
            row.round(x, factors, &mut scaled);
        }
    });
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

impl<'a, L: Rounded> Part<'a, L> {
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn rows(self, inputs: usize) -> impl Iterator<Item = Row<'a, L>> {
        let padded = inputs.next_multiple_of(L::DEPTH);
        let rows = self.values.chunks_exact_mut(padded).zip(self.ranges).zip(self.cuts);
        rows.map(|((values, range), cuts)| Row { values, range, cuts })
    }
}

/// One row to be rounded.
pub(super) struct Row<'a, L> {
    values: &'a mut [L],
    range: &'a mut Range,
    cuts: &'a mut Vec<Cut>,
}

impl<L: Rounded> Row<'_, L> {
    /// See [`Rows::round`]; `scaled` is a buffer.
    pub(super) fn round(self, x: &[f32], factors: Option<&[f32]>, scaled: &mut Vec<f32>) {
        let Self { values, range, cuts } = self;
        let x = if let Some(factors) = factors {
            scaled.resize(x.len(), 0.0);
            *range = multiply(scaled, x, factors);
            scaled
        } else {
            *range = range_of(x);
            x
        };
        cuts.clear();
        if range.step > 0.0 {
            let (values, rest) = values.split_at_mut(x.len());
            L::round(values, x, 1.0 / range.step, range.lowest / range.step);
            rest.fill(L::default());
            if range.clipped != [false; 2] {
                L::cut(cuts, values, x, *range);
            }
        } else {
            values.fill(L::default());
        }
    }
}

/// Rows per task.
pub(super) fn task_rows(inputs: usize) -> usize {
    (TASK / inputs).max(1)
}

/// What the range of a row depends on, per lane.
struct Measure {
    low: [f32; LANES],
    high: [f32; LANES],
    squares: [f32; LANES],
}

impl Measure {
    const NONE: Self =
        Self { low: [f32::INFINITY; LANES], high: [f32::NEG_INFINITY; LANES], squares: [0.0; LANES] };

    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn take(&mut self, i: usize, x: f32) {
        self.low[i] = if x < self.low[i] { x } else { self.low[i] };
        self.high[i] = if x > self.high[i] { x } else { self.high[i] };
        self.squares[i] += x * x;
    }

    /// The range of the row x.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn range(self, x: &[f32]) -> Range {
        let squares = fold(self.squares);
        // The square of a large number exceeds f32 too.
        if !squares.is_finite() && x.iter().any(|x| !x.is_finite()) {
            return Range { lowest: f32::NAN, step: f32::NAN, clipped: [false; 2] };
        }
        let (least, most) = (lowest_of(self.low), highest_of(self.high));
        // Infinite, so without effect, if a square exceeds f32.
        let bound = CLIP * (squares / x.len() as f32).sqrt();
        let (lowest, highest) = (least.max(-bound), most.min(bound));
        // Divided first, because the difference can exceed f32.
        let step = highest / STEPS - lowest / STEPS;
        if step < f32::MIN_POSITIVE {
            return Range { lowest, step: 0.0, clipped: [false; 2] };
        }
        Range { lowest, step, clipped: [least < lowest, most > highest] }
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
        measure.range(x)
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
        measure.range(out)
    }
}

/// The level of one value. The last bit of the sum counts ones, so the addition rounds to even, and its low bits are the
/// integer.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn level(x: f32, inverse: f32, zero: f32) -> u8 {
    ((x * inverse - zero).clamp(0.0, STEPS) + ONES).to_bits() as u8
}

/// Collects what lies outside the range, of the inputs from `first` on.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn collect(cuts: &mut Vec<Cut>, first: usize, x: &[f32], range: Range) {
    let (lowest, highest) = range.bounds();
    let outside = |x: f32| x < lowest || x > highest;
    let mut push = |first: usize, x: &[f32]| {
        for (i, &x) in x.iter().enumerate().filter(|(_, x)| outside(**x)) {
            cuts.push(Cut { input: (first + i) as u32, value: range.beyond(x) });
        }
    };
    let (blocks, rest) = x.as_chunks::<LANES>();
    for (number, block) in blocks.iter().enumerate() {
        // Most blocks have nothing outside, which takes two comparisons of all lanes.
        if block.iter().fold(false, |any, &x| any | outside(x)) {
            push(first + number * LANES, block);
        }
    }
    push(first + blocks.len() * LANES, rest);
}

/// Levels that are compared at a time.
const LEVELS: usize = 64;

macro_rules! rounded {
    ($level:ty, $depth:literal, $round:ident, $cut:ident) => {
        impl Rounded for $level {
            const DEPTH: usize = $depth;

            fn signed(self) -> i16 {
                self as i16
            }

            fn round(out: &mut [Self], x: &[f32], inverse: f32, zero: f32) {
                $round(out, x, inverse, zero);
            }

            fn cut(cuts: &mut Vec<Cut>, levels: &[Self], x: &[f32], range: Range) {
                $cut(cuts, levels, x, range);
            }
        }

        vectorised! {
            fn $round(out: &mut [$level], x: &[f32], inverse: f32, zero: f32) {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = level(x, inverse, zero).into();
                }
            }
        }

        vectorised! {
            fn $cut(cuts: &mut Vec<Cut>, levels: &[$level], x: &[f32], range: Range) {
                // What was clipped has the lowest or the highest level, which few values have: comparing levels is
                // cheaper than comparing values.
                let [low, high] = match range.clipped {
                    [true, false] => [0; 2],
                    [false, _] => [255; 2],
                    [true, true] => [0, 255],
                };
                let (blocks, rest) = levels.as_chunks::<LEVELS>();
                for (number, (levels, x)) in blocks.iter().zip(x.chunks_exact(LEVELS)).enumerate() {
                    if levels.iter().fold(false, |any, &level| any | (level == low) | (level == high)) {
                        collect(cuts, number * LEVELS, x, range);
                    }
                }
                let first = levels.len() - rest.len();
                collect(cuts, first, &x[first..], range);
            }
        }
    };
}
rounded!(u8, 4, round_to_bytes, cut_of_bytes);
rounded!(u16, 2, round_to_halves, cut_of_halves);
