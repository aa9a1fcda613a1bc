//! Statistics of the inputs of the linear layers, from which weights are quantised.

use micse_kernels::{View, Write, product};

use super::PackedEncoder;
use super::forward;
use super::plan::Plan;
use crate::encoder::{Pass, Taps};
use crate::threads::in_pool;
use crate::{Batch, Result};

/// The inputs `[rows, inputs]` of one linear layer, over all observed rows (tokens).
#[derive(Clone, Debug, Default)]
pub(crate) struct InputStatistics {
    pub(crate) rows: usize,
    /// The sum over rows of the products of all pairs of inputs, `[inputs, inputs]`.
    pub(crate) gram: Vec<f32>,
}

/// The statistics of all linear layers, by number.
#[derive(Default)]
pub(super) struct Observed(Vec<InputStatistics>);

impl Observed {
    pub(super) fn add(&mut self, number: usize, x: &[f32], inputs: usize) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, InputStatistics::default);
        }
        let statistics = &mut self.0[number];
        statistics.gram.resize(inputs * inputs, 0.0);
        let rows = x.len() / inputs;
        statistics.rows += rows;
        let view = View::new(x, rows, inputs, inputs);
        product(&mut statistics.gram, view.transposed(), view, Write::Add);
    }
}

impl PackedEncoder {
    /// Encodes batches, and returns statistics of the inputs of every linear layer, by number: queries, keys and
    /// values together, the attention's output, and the two of the feed-forward layer; layer by layer.
    pub(crate) fn observe(&self, batches: &[Batch]) -> Result<Vec<InputStatistics>> {
        let config = &self.core.config;
        // The states of the last layer, so that no row is left out.
        let taps = Taps { states: vec![config.num_hidden_layers], ..Taps::default() };
        let pass = Pass { taps, ..Pass::default() };
        for batch in batches {
            batch.check(config)?;
        }
        let store = self.core.read()?;
        let (buffers, scratch) = (&mut *self.core.passes.take(), &mut *self.core.scratch.take());
        scratch.operands.observed = Some(Observed::default());
        for batch in batches {
            let plan = Plan::new(batch, &pass, config);
            in_pool(|| {
                let x = forward::embed(&store, config, &plan, None);
                forward::encode(&store, config, &plan, &x, false, buffers, scratch)
            });
        }
        Ok(scratch.operands.observed.take().unwrap_or_default().0)
    }
}
