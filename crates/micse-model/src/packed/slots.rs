//! The place of each parameter in the flat buffers of values, gradients and moments.

use std::ops::Range;

use crate::BertConfig;
use crate::encoder::ParameterInfo;
use crate::weights::{embedding_layout, layer_layout, parameter_layout};

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
    /// With a gate, both halves: `[2 I, D]`.
    pub(super) intermediate: LinearSlot,
    pub(super) output: LinearSlot,
    pub(super) output_norm: NormSlot,
}

/// The places of all parameters.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Name, shape and group of every parameter.
    pub(super) parameters: Vec<ParameterInfo>,
    /// The range of every parameter in the buffers; empty for those that the buffers do not contain.
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
    /// Those with parameters of their own.
    pub(super) layers: Vec<LayerSlots>,
    /// Total number of elements.
    pub(super) total: usize,
}

/// The index of the word table.
pub(super) const WORDS: usize = 0;

impl Slots {
    pub(super) fn new(config: &BertConfig) -> Self {
        Self::without(config, &[])
    }

    /// Places for all parameters but those with these indices.
    pub(super) fn without(config: &BertConfig, absent: &[usize]) -> Self {
        let parameters = parameter_layout(config);
        let embeddings = embedding_layout(config).len();
        let number = |name: &str| parameters[..embeddings].iter().position(|info| info.name == name);
        let positions = number("embeddings.position_embeddings.weight");
        let types = number("embeddings.token_type_embeddings.weight");
        let distances = number("encoder.relative_attention_bias.weight");
        let mut ranges = vec![0..0; parameters.len()];
        let mut total = 0;
        let mut place = |number: usize| {
            let elements = parameters[number].shape.iter().product::<usize>();
            let count = if absent.contains(&number) { 0 } else { elements };
            ranges[number] = total..total + count;
            total += count;
        };
        (0..embeddings).for_each(&mut place);
        // Query, key and value weights side by side, then their biases, so that each group of three forms one matrix.
        let in_layer = InLayer::of(config);
        let base = |layer: usize| embeddings + layer * in_layer.names.len();
        for layer in 0..config.own_layers() {
            let (together, others) = in_layer.order();
            together.chain(others).map(|number| base(layer) + number).for_each(&mut place);
        }
        let layers = (0..config.own_layers())
            .map(|layer| Self::layer(config, &ranges, layer, base(layer), &in_layer))
            .collect();
        let last = number("embeddings.LayerNorm.weight").expect("every encoder has this norm");
        let embedding_norm = norm(&ranges, last, config.family.has_offsets());
        let projection = number("embeddings.projection.weight").map(|weight| LinearSlot {
            weight: ranges[weight].clone(),
            bias: ranges[weight + 1].clone(),
            outputs: config.hidden_size,
            inputs: config.embedding_size,
            number: config.own_layers() * LINEAR,
            weights: vec![weight],
            biases: vec![weight + 1],
        });
        Self { parameters, ranges, positions, types, distances, embedding_norm, projection, layers, total }
    }

    /// The layer whose parameters begin at index `base`.
    fn layer(
        config: &BertConfig,
        ranges: &[Range<usize>],
        layer: usize,
        base: usize,
        names: &InLayer,
    ) -> LayerSlots {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let whole = |numbers: &[usize]| match numbers {
            [] => 0..0,
            [first, .., last] => ranges[*first].start..ranges[*last].end,
            [one] => ranges[*one].clone(),
        };
        let linear = |number: usize, parts: &[&str], outputs: usize, inputs: usize| {
            let all = |end: &str| -> Vec<usize> {
                parts.iter().filter_map(|part| Some(base + names.find(&format!("{part}.{end}"))?)).collect()
            };
            let (weights, biases) = (all("weight"), all("bias"));
            LinearSlot {
                weight: whole(&weights),
                bias: whole(&biases),
                outputs,
                inputs,
                number: layer * LINEAR + number,
                weights,
                biases,
            }
        };
        let norm_of = |name: &str| {
            let gain = names.find(&format!("{name}.weight")).expect("every layer has this norm");
            norm(ranges, base + gain, config.family.has_offsets())
        };
        LayerSlots {
            qkv: linear(0, &QKV, 3 * hidden, hidden),
            attention_output: linear(1, &["attention.output.dense"], hidden, hidden),
            attention_norm: norm_of("attention.output.LayerNorm"),
            intermediate: linear(
                2,
                &["intermediate.dense", "intermediate.gate"],
                config.inner_rows(),
                hidden,
            ),
            output: linear(3, &["output.dense"], hidden, inner),
            output_norm: norm_of("output.LayerNorm"),
        }
    }
}

const QKV: [&str; 3] = ["attention.self.query", "attention.self.key", "attention.self.value"];

/// The names of a layer's parameters, without its number, in the order of [`parameter_layout`].
struct InLayer {
    names: Vec<String>,
}

impl InLayer {
    fn of(config: &BertConfig) -> Self {
        let prefix = "encoder.layer.0.";
        let names = layer_layout(config, 0).into_iter().map(|info| info.name[prefix.len()..].to_owned());
        Self { names: names.collect() }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The order in the buffers: what forms one matrix or one bias, then everything else.
    fn order(&self) -> (impl Iterator<Item = usize>, impl Iterator<Item = usize>) {
        let of_qkv = |end: &str| QKV.map(|part| self.find(&format!("{part}.{end}"))).into_iter().flatten();
        let together: Vec<usize> = of_qkv("weight").chain(of_qkv("bias")).collect();
        let others = (0..self.names.len()).filter(|number| !together.contains(number)).collect::<Vec<_>>();
        (together.into_iter(), others.into_iter())
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
