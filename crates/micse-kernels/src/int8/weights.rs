//! The weights of a linear layer in 8 bits.

use super::isa::Isa;
use crate::line::{Line, WORDS};

/// The largest magnitude of a weight; the range is symmetric.
pub const LARGEST: i8 = 127;

/// Maximum inputs: sums of products up to 255 * 127 then fit into 31 bits.
pub const MOST_INPUTS: usize = 1 << 16;

/// Output channels per panel.
pub(super) const PANEL: usize = WORDS;

/// The weights of a linear layer, `[outputs, inputs]`.
///
/// A panel contains 16 output channels, line after line; a line contains two adjacent inputs of each channel as 16-bit
/// integers. Missing channels, and the input after an odd number of them, are zero.
#[derive(Clone, Debug)]
pub struct Weights {
    pub(super) lines: Vec<Line>,
    pub(super) inputs: usize,
    /// The scale of each output channel, and the scaled sum of its weights.
    pub(super) scales: Vec<f32>,
    pub(super) sums: Vec<f32>,
    pub(super) isa: Isa,
}

impl Weights {
    /// Packs `values`, `[outputs, inputs]`, with one scale per output channel: the weight is `scale * value`.
    ///
    /// # Panics
    /// There are more than 65,536 inputs, or `values` does not have `scales.len()` rows.
    pub fn new(values: &[i8], inputs: usize, scales: &[f32]) -> Self {
        assert!(inputs <= MOST_INPUTS, "{inputs} inputs are more than 32-bit sums can hold");
        assert_eq!(
            values.len(),
            inputs * scales.len(),
            "{} output channels of {inputs} inputs",
            scales.len()
        );
        let pairs = inputs.div_ceil(2);
        let mut lines = vec![Line::ZERO; scales.len().div_ceil(PANEL) * pairs];
        let mut sums = Vec::with_capacity(scales.len());
        for (output, &scale) in scales.iter().enumerate() {
            let row = &values[output * inputs..][..inputs];
            sums.push(scale * row.iter().map(|&w| i32::from(w)).sum::<i32>() as f32);
            for (pair, weights) in row.chunks(2).enumerate() {
                let second = weights.get(1).copied().unwrap_or(0);
                lines[output / PANEL * pairs + pair].0[output % PANEL] =
                    word(weights[0].into(), second.into());
            }
        }
        Self { lines, inputs, scales: scales.to_vec(), sums, isa: Isa::best() }
    }

    /// The same weights, multiplied by portable code on every CPU.
    #[must_use]
    pub fn portable(self) -> Self {
        Self { isa: Isa::Portable, ..self }
    }

    /// Number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.scales.len()
    }
}

/// Two 16-bit integers in one word, the first in the low half.
pub(super) fn word(first: i16, second: i16) -> u32 {
    u32::from(first as u16) | u32::from(second as u16) << 16
}

/// The two 16-bit integers of a word.
#[inline]
pub(super) fn halves(word: u32) -> (i32, i32) {
    (i32::from(word as u16 as i16), word as i32 >> 16)
}

/// Rounds the weights of one output channel to the nearest multiples of a scale chosen so that the largest magnitude
/// is 127; returns the scale. Channels of zeros have scale 0.
///
/// # Panics
/// `out` does not have the length of `row`.
pub fn round_row(out: &mut [i8], row: &[f32]) -> f32 {
    assert_eq!(out.len(), row.len());
    let largest = row.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
    let scale = largest / f32::from(LARGEST);
    for (out, &w) in out.iter_mut().zip(row) {
        *out = if scale > 0.0 { round(w / scale) } else { 0 };
    }
    scale
}

/// The nearest weight, with magnitude at most 127.
fn round(w: f32) -> i8 {
    let most = f32::from(LARGEST);
    w.round_ties_even().clamp(-most, most) as i8
}
