//! Linear layers in 8 bits.

use micse_kernels::int8::{Rows, Weights, product};

use super::PackedEncoder;
use super::slots::{LinearSlot, Slots};
use crate::int8::QuantizedLinear;
use crate::{Checkpoint, Error, Result};

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
}

impl PackedEncoder {
    /// Names of the weight parameters of each linear layer, in the order of [`Self::observe`]; adjacent parameters form
    /// one matrix.
    pub(crate) fn linear_names(&self) -> Result<Vec<Vec<String>>> {
        let store = self.core.read()?;
        let names = |slot: &LinearSlot| {
            slot.weights.iter().map(|&n| store.slots.parameters[n].name.clone()).collect()
        };
        Ok(store.slots.linears().map(names).collect())
    }

    /// The weight matrix of a linear layer, `[outputs, inputs]`, and its number of inputs.
    pub(crate) fn linear_weight(&self, number: usize) -> Result<(Vec<f32>, usize)> {
        let store = self.core.read()?;
        let slot = store.slots.linears().nth(number);
        let slot = slot.ok_or_else(|| Error::Input(format!("there is no linear layer {number}")))?;
        Ok((store.values[slot.weight.clone()].to_vec(), slot.inputs))
    }

    /// Uses the 8-bit weights of a checkpoint for all linear layers that have them.
    pub(crate) fn use_int8(self, checkpoint: &Checkpoint) -> Result<Self> {
        let names = self.linear_names()?;
        let linears = names
            .iter()
            .map(|names| Ok(QuantizedLinear::read(checkpoint, names)?.as_ref().map(LinearInt8::new)))
            .collect::<Result<_>>()?;
        self.core.write()?.int8 = Some(linears);
        Ok(self)
    }
}
