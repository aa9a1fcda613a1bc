//! Linear layers and the word table in 8 bits.

use std::ops::Range;

use micse_kernels::activation::Activation;
use micse_kernels::int8::{Rows, Weights, product, product_activated};

use super::PackedEncoder;
use super::slots::{LinearSlot, Slots, WORDS};
use super::store::Store;
use crate::int8::{QuantizedLinear, QuantizedTable};
use crate::{BertConfig, Checkpoint, Error, Precision, Result};

/// What an encoder has in 8 bits.
#[derive(Clone)]
pub(super) struct Int8Weights {
    /// By number.
    linears: Vec<Option<LinearInt8>>,
    words: Option<QuantizedTable>,
}

impl Int8Weights {
    /// The linear layer with this number, if it is in 8 bits.
    pub(super) fn linear(&self, number: usize) -> Option<&LinearInt8> {
        self.linears.get(number)?.as_ref()
    }

    /// The word table, if it is in 8 bits.
    pub(super) fn words(&self) -> Option<&QuantizedTable> {
        self.words.as_ref()
    }
}

impl QuantizedTable {
    /// Sets row i of `out` to row `rows[i]` of the table.
    pub(super) fn gather(&self, out: &mut [f32], rows: &[u32]) {
        for (out, &row) in out.chunks_exact_mut(self.width).zip(rows) {
            let (row, scale) = (row as usize, self.scales[row as usize]);
            for (out, &value) in out.iter_mut().zip(&self.values[row * self.width..]) {
                *out = f32::from(value) * scale;
            }
        }
    }
}

/// A linear layer in 8 bits, ready for products.
#[derive(Clone)]
pub(super) struct LinearInt8 {
    weights: Weights,
    /// One factor per input.
    factors: Vec<f32>,
}

impl LinearInt8 {
    fn new(linear: &QuantizedLinear) -> Self {
        let weights = Weights::new(&linear.values, linear.factors.len(), &linear.scales);
        Self { weights, factors: linear.factors.clone() }
    }

    /// Rows of the weight matrix in f32, `[outputs, inputs]`.
    pub(super) fn widened(&self, outputs: Range<usize>) -> Vec<f32> {
        let row = |output: usize| {
            let scale = self.weights.scales()[output];
            let values = self.weights.channel(output).zip(&self.factors);
            values.map(move |(value, factor)| f32::from(value) * (scale * factor))
        };
        outputs.flat_map(row).collect()
    }

    /// The output of a feed-forward layer, `y = f(x W1^T + b) W2^T`, where `self` is W1; `rows` and `inner` are buffers.
    pub(super) fn feed_forward(
        &self,
        y: &mut [f32],
        x: &[f32],
        (activation, bias): (Activation, &[f32]),
        output: &Self,
        (rows, inner): (&mut Rows, &mut Rows),
    ) {
        rows.round(x, self.weights.inputs(), Some(&self.factors));
        product_activated(activation, inner, Some(&output.factors), rows, &self.weights, bias);
        product(y, inner, &output.weights, None);
    }

    /// `y = x W^T + b`.
    pub(super) fn forward(&self, y: &mut [f32], x: &[f32], bias: Option<&[f32]>, rows: &mut Rows) {
        rows.round(x, self.weights.inputs(), Some(&self.factors));
        product(y, rows, &self.weights, bias);
    }
}

impl Slots {
    /// The linear layers by number.
    fn linears(&self) -> impl Iterator<Item = &LinearSlot> {
        self.layers.iter().flat_map(|l| [&l.qkv, &l.attention_output, &l.intermediate, &l.output])
    }

    /// Names of the parameters that form the weight of a linear layer.
    fn names(&self, slot: &LinearSlot) -> Vec<String> {
        slot.weights.iter().map(|&number| self.parameters[number].name.clone()).collect()
    }
}

impl Store {
    /// The weight parameter with this index in f32, if it is in 8 bits.
    pub(super) fn widened(&self, number: usize) -> Option<Vec<f32>> {
        let int8 = self.int8.as_ref()?;
        if let (WORDS, Some(table)) = (number, int8.words()) {
            let all: Vec<u32> = (0..table.scales.len() as u32).collect();
            let mut out = vec![0.0; table.values.len()];
            table.gather(&mut out, &all);
            return Some(out);
        }
        let slot = self.slots.linears().find(|slot| slot.weights.contains(&number))?;
        let linear = int8.linear(slot.number)?;
        // The parameters of a matrix have the same number of rows each.
        let part = slot.weights.iter().position(|&n| n == number)?;
        let rows = slot.outputs / slot.weights.len();
        Some(linear.widened(part * rows..(part + 1) * rows))
    }
}

impl PackedEncoder {
    /// Names of the weight parameters of each linear layer, in the order of [`Self::observe`]; adjacent parameters form
    /// one matrix.
    pub(crate) fn linear_names(&self) -> Result<Vec<Vec<String>>> {
        let store = self.core.read()?;
        Ok(store.slots.linears().map(|slot| store.slots.names(slot)).collect())
    }

    /// The weight matrix of a linear layer, `[outputs, inputs]`, and its number of inputs.
    pub(crate) fn linear_weight(&self, number: usize) -> Result<(Vec<f32>, usize)> {
        let store = self.core.read()?;
        let slot = store.slots.linears().nth(number);
        let slot = slot.ok_or_else(|| Error::Input(format!("there is no linear layer {number}")))?;
        Ok((store.values[slot.weight.clone()].to_vec(), slot.inputs))
    }

    /// The encoder with its linear layers and words in 8 bits, if the checkpoint stores them so; those have no f32 copy.
    pub(crate) fn quantized(config: BertConfig, checkpoint: &mut Checkpoint) -> Result<Self> {
        config.check()?;
        checkpoint.check(&config)?;
        let slots = Slots::new(&config);
        let words = QuantizedTable::read(checkpoint, &slots.parameters[WORDS].name)?;
        let read = |slot: &LinearSlot| {
            let linear = QuantizedLinear::read(checkpoint, &slots.names(slot))?;
            Ok(linear.as_ref().map(LinearInt8::new))
        };
        let linears = slots.linears().map(read).collect::<Result<_>>()?;
        let int8 = Int8Weights { linears, words };
        let in_int8 = slots.linears().filter(|slot| int8.linear(slot.number).is_some());
        let mut absent: Vec<usize> = in_int8.flat_map(|slot| slot.weights.clone()).collect();
        absent.extend(int8.words().map(|_| WORDS));
        let without = Slots::without(&config, &absent);
        let encoder = Self::in_slots(config, without, checkpoint, Precision::F32)?;
        encoder.core.write()?.int8 = Some(int8);
        Ok(encoder)
    }
}
