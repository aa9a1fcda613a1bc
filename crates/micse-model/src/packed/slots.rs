//! The place of each parameter in the flat buffers of values, gradients and moments.

use std::ops::Range;

use crate::BertConfig;
use crate::encoder::ParameterInfo;
use crate::weights::{embedding_layout, parameter_layout};

/// Number of parameters per layer, in the order of [`parameter_layout`].
const LAYER: usize = 16;
/// Number of linear layers per layer; queries, keys and values count as one.
pub(super) const LINEAR: usize = 4;
/// The order of a layer's parameters in the buffers: query, key and value weights side by side, then their
/// biases, so that each group of three forms one matrix.
const ORDER: [usize; LAYER] = [0, 2, 4, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A linear layer: weight `[out, in]` and bias `[out]`.
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
    pub(super) offset: Range<usize>,
    pub(super) numbers: [usize; 2],
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
    /// The index of the table of token types, if the family has one.
    pub(super) types: Option<usize>,
    /// The index of the table of attention biases by distance, if the family has one.
    pub(super) distances: Option<usize>,
    pub(super) embedding_norm: NormSlot,
    pub(super) layers: Vec<LayerSlots>,
    /// Total number of elements.
    pub(super) total: usize,
}

/// Indices of the embedding tables.
pub(super) const WORDS: usize = 0;
pub(super) const POSITIONS: usize = 1;

impl Slots {
    pub(super) fn new(config: &BertConfig) -> Self {
        let parameters = parameter_layout(config);
        let embeddings = embedding_layout(config).len();
        let types = (config.type_vocab_size > 0).then_some(POSITIONS + 1);
        let distances =
            config.family.biases_by_distance().then_some(types.map_or(POSITIONS + 1, |types| types + 1));
        let mut ranges = vec![0..0; parameters.len()];
        let mut total = 0;
        let mut place = |number: usize| {
            let count = parameters[number].shape.iter().product::<usize>();
            ranges[number] = total..total + count;
            total += count;
        };
        (0..embeddings).for_each(&mut place);
        for layer in 0..config.num_hidden_layers {
            for o in ORDER {
                place(embeddings + layer * LAYER + o);
            }
        }
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Self::layer(config, &ranges, layer, embeddings + layer * LAYER))
            .collect();
        // The last two parameters of the embeddings.
        let embedding_norm = norm(&ranges, embeddings - 2);
        Self { parameters, ranges, types, distances, embedding_norm, layers, total }
    }

    /// The layer whose parameters begin at index `base`.
    fn layer(config: &BertConfig, ranges: &[Range<usize>], layer: usize, base: usize) -> LayerSlots {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let linear = |number: usize, at: usize, outputs: usize, inputs: usize| LinearSlot {
            weight: ranges[base + at].clone(),
            bias: ranges[base + at + 1].clone(),
            outputs,
            inputs,
            number: layer * LINEAR + number,
            weights: vec![base + at],
            biases: vec![base + at + 1],
        };
        LayerSlots {
            qkv: LinearSlot {
                weight: ranges[base].start..ranges[base + 4].end,
                bias: ranges[base + 1].start..ranges[base + 5].end,
                outputs: 3 * hidden,
                inputs: hidden,
                number: layer * LINEAR,
                weights: vec![base, base + 2, base + 4],
                biases: vec![base + 1, base + 3, base + 5],
            },
            attention_output: linear(1, 6, hidden, hidden),
            attention_norm: norm(ranges, base + 8),
            intermediate: linear(2, 10, inner, hidden),
            output: linear(3, 12, hidden, inner),
            output_norm: norm(ranges, base + 14),
        }
    }
}

fn norm(ranges: &[Range<usize>], number: usize) -> NormSlot {
    NormSlot {
        gain: ranges[number].clone(),
        offset: ranges[number + 1].clone(),
        numbers: [number, number + 1],
    }
}
