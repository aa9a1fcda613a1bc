//! Linear layers in 8 bits.

use std::ops::Range;

use micse_kernels::int8::{Rows, Weights, product};

use super::PackedEncoder;
use super::slots::{LinearSlot, Slots};
use super::store::Store;
use crate::int8::QuantizedLinear;
use crate::{BertConfig, Checkpoint, Error, Precision, Result};

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
        let (slot, linear) =
            self.slots.linears().zip(self.int8.as_ref()?).find_map(|(slot, linear)| {
                slot.weights.contains(&number).then_some((slot, linear.as_ref()?))
            })?;
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

    /// The encoder whose linear layers are in 8 bits where the checkpoint has them so. Their weights are not kept in f32.
    pub(crate) fn quantized(config: BertConfig, checkpoint: &mut Checkpoint) -> Result<Self> {
        config.check()?;
        let slots = Slots::new(&config);
        let read = |slot: &LinearSlot| {
            let linear = QuantizedLinear::read(checkpoint, &slots.names(slot))?;
            Ok(linear.as_ref().map(LinearInt8::new))
        };
        let linears: Vec<Option<LinearInt8>> = slots.linears().map(read).collect::<Result<_>>()?;
        let in_int8 = slots.linears().zip(&linears).filter(|(_, linear)| linear.is_some());
        let absent: Vec<usize> = in_int8.flat_map(|(slot, _)| slot.weights.clone()).collect();
        let encoder =
            Self::in_slots(config.clone(), Slots::without(&config, &absent), checkpoint, Precision::F32)?;
        encoder.core.write()?.int8 = Some(linears);
        Ok(encoder)
    }
}
