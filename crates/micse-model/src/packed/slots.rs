//! The place of each parameter in the flat buffers of values, gradients and moments.

use std::ops::Range;

use crate::BertConfig;
use crate::encoder::ParameterInfo;
use crate::weights::{embedding_layout, parameter_layout};

/// Number of weights and gains per layer, in the order of [`parameter_layout`]; each is followed by its bias or offset
/// if the family has them.
const PAIRS: usize = 8;
/// Number of linear layers per layer; queries, keys and values count as one.
pub(super) const LINEAR: usize = 4;
/// A linear layer: weight `[out, in]` and bias `[out]` (empty if the family has none).
#[derive(Clone, Debug)]
pub(super) struct LinearSlot {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Its index among the linear layers.
    pub(super) number: usize,
    /// Indices of the parameters that form its weight and its bias.
    pub(super) weights: Vec<usize>,
    pub(super) biases: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct NormSlot {
    pub(super) gain: Range<usize>,
    /// Empty if the family has none.
    pub(super) offset: Range<usize>,
    /// Indices of the gain and of the offset.
    pub(super) gain_number: usize,
    pub(super) offset_number: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct LayerSlots {
    /// Queries, keys and values: `[3 D, D]`.
    pub(super) qkv: LinearSlot,
    pub(super) attention_output: LinearSlot,
    pub(super) attention_norm: NormSlot,
    pub(super) intermediate: LinearSlot,
    pub(super) output: LinearSlot,
    pub(super) output_norm: NormSlot,
}

/// The places of all parameters.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Name, shape and group of every parameter.
    pub(super) parameters: Vec<ParameterInfo>,
    /// The range of every parameter in the buffers.
    pub(super) ranges: Vec<Range<usize>>,
    /// The index of the table of positions; `None` with rotary positions.
    pub(super) positions: Option<usize>,
    /// The index of the table of token types, if the family has one.
    pub(super) types: Option<usize>,
    /// The index of the table of attention biases by distance, if the family has one.
    pub(super) distances: Option<usize>,
    pub(super) embedding_norm: NormSlot,
    /// The projection of the embeddings to the hidden size, if they are narrower; the last linear layer.
    pub(super) projection: Option<LinearSlot>,
    pub(super) layers: Vec<LayerSlots>,
    /// Total number of elements.
    pub(super) total: usize,
}

/// The index of the word table.
pub(super) const WORDS: usize = 0;

impl Slots {
    pub(super) fn new(config: &BertConfig) -> Self {
        let parameters = parameter_layout(config);
        let embeddings = embedding_layout(config).len();
        let number = |name: &str| parameters[..embeddings].iter().position(|info| info.name == name);
        let positions = number("embeddings.position_embeddings.weight");
        let types = number("embeddings.token_type_embeddings.weight");
        let distances = number("encoder.relative_attention_bias.weight");
        let mut ranges = vec![0..0; parameters.len()];
        let mut total = 0;
        let mut place = |number: usize| {
            let count = parameters[number].shape.iter().product::<usize>();
            ranges[number] = total..total + count;
            total += count;
        };
        (0..embeddings).for_each(&mut place);
        // Query, key and value weights side by side, then their biases, so that each group of three forms one matrix.
        let step = if config.family.has_biases() { 2 } else { 1 };
        for layer in 0..config.num_hidden_layers {
            let base = embeddings + layer * PAIRS * step;
            let of_three = |offset: usize| (0..3).map(move |part| base + part * step + offset);
            (0..step).flat_map(of_three).for_each(&mut place);
            (base + 3 * step..base + PAIRS * step).for_each(&mut place);
        }
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Self::layer(config, &ranges, layer, embeddings + layer * PAIRS * step))
            .collect();
        let last = number("embeddings.LayerNorm.weight").expect("every encoder has this norm");
        let embedding_norm = norm(&ranges, last, step == 2);
        let projection = number("embeddings.projection.weight").map(|weight| LinearSlot {
            weight: ranges[weight].clone(),
            bias: ranges[weight + 1].clone(),
            outputs: config.hidden_size,
            inputs: config.embedding_size,
            number: config.num_hidden_layers * LINEAR,
            weights: vec![weight],
            biases: vec![weight + 1],
        });
        Self { parameters, ranges, positions, types, distances, embedding_norm, projection, layers, total }
    }

    /// The layer whose parameters begin at index `base`.
    fn layer(config: &BertConfig, ranges: &[Range<usize>], layer: usize, base: usize) -> LayerSlots {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let biases = config.family.has_biases();
        // The index of a weight or gain, by its place in the layer.
        let at = |pair: usize| base + pair * if biases { 2 } else { 1 };
        let linear = |number: usize, pairs: Range<usize>, outputs: usize, inputs: usize| {
            let last = at(pairs.end - 1);
            let bias = if biases { ranges[at(pairs.start) + 1].start..ranges[last + 1].end } else { 0..0 };
            LinearSlot {
                weight: ranges[at(pairs.start)].start..ranges[last].end,
                bias,
                outputs,
                inputs,
                number: layer * LINEAR + number,
                weights: pairs.clone().map(at).collect(),
                biases: pairs.filter(|_| biases).map(|pair| at(pair) + 1).collect(),
            }
        };
        LayerSlots {
            qkv: linear(0, 0..3, 3 * hidden, hidden),
            attention_output: linear(1, 3..4, hidden, hidden),
            attention_norm: norm(ranges, at(4), biases),
            intermediate: linear(2, 5..6, config.inner_rows(), hidden),
            output: linear(3, 6..7, hidden, inner),
            output_norm: norm(ranges, at(7), biases),
        }
    }
}

fn norm(ranges: &[Range<usize>], gain: usize, has_offset: bool) -> NormSlot {
    NormSlot {
        gain: ranges[gain].clone(),
        offset: if has_offset { ranges[gain + 1].clone() } else { 0..0 },
        gain_number: gain,
        offset_number: has_offset.then_some(gain + 1),
    }
}
