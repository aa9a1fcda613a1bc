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
/// A panel contains 16 output channels, line after line; a line contains one word of each channel: the weights of two
/// adjacent inputs in 16 bits, or of four in 8 bits, as the product needs them. Missing channels and inputs are zero.
#[derive(Clone, Debug)]
pub struct Weights {
    pub(super) lines: Vec<Line>,
    pub(super) inputs: usize,
    /// The scale of each output channel, and the sum of its weights without the scale.
    pub(super) scales: Vec<f32>,
    pub(super) totals: Vec<i32>,
    /// What a finished panel is multiplied with.
    channels: Vec<Channels>,
    pub(super) isa: Isa,
}

/// What belongs to the output channels of a panel; zero for missing channels.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    pub(super) scales: [f32; PANEL],
    /// Sums of the weights, with their scale.
    pub(super) totals: [f32; PANEL],
}

impl Channels {
    fn new(scales: &[f32], totals: &[i32]) -> Self {
        let mut channels = Self { scales: [0.0; PANEL], totals: [0.0; PANEL] };
        for (i, (&scale, &total)) in scales.iter().zip(totals).enumerate() {
            (channels.scales[i], channels.totals[i]) = (scale, scale * total as f32);
        }
        channels
    }
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
        Self::packed(values, inputs, scales, Isa::best())
    }

    pub(super) fn packed(values: &[i8], inputs: usize, scales: &[f32], isa: Isa) -> Self {
        let depth = isa.depth();
        let words = inputs.div_ceil(depth);
        let mut lines = vec![Line::ZERO; scales.len().div_ceil(PANEL) * words];
        let mut totals = Vec::with_capacity(scales.len());
        for output in 0..scales.len() {
            let row = &values[output * inputs..][..inputs];
            totals.push(row.iter().map(|&w| i32::from(w)).sum());
            let panel = &mut lines[output / PANEL * words..][..words];
            for (line, weights) in panel.iter_mut().zip(row.chunks(depth)) {
                let words = weights.iter().enumerate().map(|(place, &weight)| isa.word(weight, place));
                line.0[output % PANEL] = words.fold(0, |all, word| all | word);
            }
        }
        let panels = scales.chunks(PANEL).zip(totals.chunks(PANEL));
        let channels = panels.map(|(scales, totals)| Channels::new(scales, totals)).collect();
        Self { lines, inputs, scales: scales.to_vec(), totals, channels, isa }
    }

    /// The same weights, multiplied by portable code on every CPU.
    #[must_use]
    pub fn portable(self) -> Self {
        let values: Vec<i8> = (0..self.outputs()).flat_map(|output| self.channel(output)).collect();
        Self::packed(&values, self.inputs, &self.scales, Isa::Portable)
    }

    /// The weights of one output channel, without its scale.
    ///
    /// # Panics
    /// There is no such channel.
    pub fn channel(&self, output: usize) -> impl Iterator<Item = i8> {
        assert!(output < self.outputs(), "there is no output channel {output}");
        let panel = self.panel(output / PANEL);
        let depth = self.isa.depth();
        (0..self.inputs)
            .map(move |input| self.isa.weight(panel[input / depth].0[output % PANEL], input % depth))
    }

    /// The lines of a panel.
    pub(super) fn panel(&self, number: usize) -> &[Line] {
        let words = self.inputs.div_ceil(self.isa.depth());
        &self.lines[number * words..][..words]
    }

    /// What belongs to the output channels of a panel.
    pub(super) fn channels(&self, number: usize) -> &Channels {
        &self.channels[number]
    }

    /// The scale of each output channel.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
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
