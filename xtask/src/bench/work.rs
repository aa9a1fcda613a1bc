//! Operation counts of encoder passes; a multiply-add counts as two.

use micse_model::{BertConfig, Pooling};

/// Operations of one or more passes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Operations with the layers' weights on all tokens: `24 d^2` per token and layer in a forward pass if the
    /// feed-forward layer is four times as wide; three times that with the backward pass.
    pub(super) floor: f64,
    /// Operations computed: with `[CLS]` pooling, the last layer's output projection and feed-forward layer run for
    /// `[CLS]` rows only; includes the products of attention itself.
    pub(super) done: f64,
}

impl Work {
    /// One forward pass over sentences of the given lengths.
    pub(super) fn forward(config: &BertConfig, pooling: Pooling, lengths: &[usize]) -> Self {
        let (d, inner) = (config.hidden_size as f64, config.intermediate_size as f64);
        let (layers, inner_rows) = (config.num_hidden_layers as f64, config.inner_rows() as f64);
        let tokens = lengths.iter().sum::<usize>() as f64;
        // A token of a local layer sees at most its window.
        let pairs = |layer: usize| {
            let local = config.rotary.as_ref().and_then(|rotary| rotary.local_at(layer));
            let width = local.map_or(usize::MAX, |local| 2 * local.window + 1);
            lengths.iter().map(|&n| n * n.min(width)).sum::<usize>() as f64
        };
        let pairs: f64 = (0..config.num_hidden_layers).map(pairs).sum();
        let (to_attention, from_attention) = (3.0 * d * d, d * d + d * (inner_rows + inner));
        let last_rows = if pooling == Pooling::Cls { lengths.len() as f64 } else { tokens };
        let rows = tokens * (layers - 1.0) + last_rows;
        let attention = 2.0 * pairs * d;
        Self {
            floor: 2.0 * layers * tokens * (to_attention + from_attention),
            done: 2.0 * (layers * tokens * to_attention + rows * from_attention + attention),
        }
    }

    /// `times` passes of this kind; a backward pass counts as two forward passes.
    pub(super) fn times(self, times: f64) -> Self {
        Self { floor: self.floor * times, done: self.done * times }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { floor: self.floor + other.floor, done: self.done + other.done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_a_known_pass() {
        let config = BertConfig::with_sizes(10, 2, 8, 2, 8);
        // 5 tokens, 2 layers: 24 * 64 * 5 * 2.
        let mean = Work::forward(&config, Pooling::Mean, &[3, 2]);
        assert_eq!(mean.floor, 24.0 * 64.0 * 5.0 * 2.0);
        // QK^T and PV: 4 n^2 d per layer.
        assert_eq!(mean.done - mean.floor, 4.0 * (9.0 + 4.0) * 8.0 * 2.0);
        // Three of five tokens are not `[CLS]`; each saves 9 d^2 in the last layer.
        let cls = Work::forward(&config, Pooling::Cls, &[3, 2]);
        assert_eq!(mean.done - cls.done, 2.0 * 9.0 * 64.0 * 3.0);
        assert_eq!(cls.times(3.0).plus(mean).floor, 4.0 * mean.floor);
    }
}
