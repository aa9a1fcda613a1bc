//! The encoder as ONNX operators, from token IDs to token states.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::graph::{Attribute, FLOAT, Graph, INT64, Size, Value};
use crate::config::Activation;
use crate::encoder::Encoder;
use crate::{BertConfig, Error, Family, Result, distance};

/// The families whose networks are written.
const FAMILIES: [Family; 5] =
    [Family::Bert, Family::Roberta, Family::XlmRoberta, Family::DistilBert, Family::Mpnet];

/// The names of the dynamic dimensions, as optimum writes them.
pub(super) const BATCH: &str = "batch_size";
pub(super) const LENGTH: &str = "sequence_length";
/// The token states.
pub(super) const TOKENS: &str = "token_embeddings";

/// The encoder's parameters by BERT's names, and the graph that they are moved into.
pub(super) struct Writer<'a> {
    pub(super) graph: &'a mut Graph,
    config: BertConfig,
    parameters: BTreeMap<String, Tensor>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(graph: &'a mut Graph, encoder: &dyn Encoder) -> Result<Self> {
        let config = encoder.config().clone();
        if !FAMILIES.contains(&config.family) {
            let known = FAMILIES.map(Family::name).join(", ");
            let reason =
                format!("{} cannot be written in ONNX's format; possible are {known}", config.family);
            return Err(Error::Input(reason));
        }
        let names = encoder.parameters().into_iter().map(|info| info.name);
        let parameters = names.zip(encoder.values()?).collect();
        Ok(Self { graph, config, parameters })
    }

    fn take(&mut self, name: &str) -> Result<Tensor> {
        let tensor = self.parameters.remove(name);
        Ok(tensor
            .ok_or_else(|| Error::Input(format!("the encoder has no parameter `{name}`")))?
            .to_device(&Device::Cpu)?)
    }

    /// A parameter as a constant, under the family's own name.
    fn constant(&mut self, name: &str) -> Result<Value> {
        let tensor = self.take(name)?;
        self.graph.tensor(self.config.names().own(name).name, &tensor)
    }

    /// `x W^T + b`.
    fn linear(&mut self, x: &Value, name: &str) -> Result<Value> {
        let weight = self.take(&format!("{name}.weight"))?.t()?.contiguous()?;
        let own = self.config.names().own(&format!("{name}.weight")).name;
        let weight = self.graph.tensor(format!("{own}.transposed"), &weight)?;
        let bias = self.constant(&format!("{name}.bias"))?;
        let product = self.graph.node("MatMul", &[x, &weight], &[]);
        Ok(self.graph.node("Add", &[&product, &bias], &[]))
    }

    /// LayerNorm over the last dimension, to the given name, if any.
    fn norm(&mut self, x: &Value, name: &str, output: Option<&str>) -> Result<Value> {
        let weight = self.constant(&format!("{name}.weight"))?;
        let bias = self.constant(&format!("{name}.bias"))?;
        let attributes =
            [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(self.config.layer_norm_eps as f32))];
        let inputs = [x, &weight, &bias];
        Ok(match output {
            Some(output) => self.graph.node_to(output.to_owned(), "LayerNormalization", &inputs, &attributes),
            None => self.graph.node("LayerNormalization", &inputs, &attributes),
        })
    }

    /// The inputs and all layers. Returns the attention mask.
    pub(super) fn token_states(&mut self) -> Result<Value> {
        let integers =
            |graph: &mut Graph, name| graph.input(name, INT64, &[Size::Named(BATCH), Size::Named(LENGTH)]);
        let ids = integers(self.graph, "input_ids");
        let mask = integers(self.graph, "attention_mask");
        let shape = self.graph.node("Shape", &[&ids], &[]);
        let [zero, one] = [0, 1].map(|number| self.graph.integers(&[], &[number]));
        let length = self.graph.node("Gather", &[&shape, &one], &[("axis", Attribute::Int(0))]);
        // 0, 1, ... for the positions of a sentence.
        let range = self.graph.node("Range", &[&zero, &length, &one], &[]);
        let mut states = self.embeddings(&ids, &range)?;
        let bias = self.attention_bias(&mask, &range)?;
        let layers = self.config.num_hidden_layers;
        for layer in 0..layers {
            let output = (layer + 1 == layers).then_some(TOKENS);
            states = self.layer(&states, &bias, &format!("encoder.layer.{layer}"), output)?;
        }
        let hidden = Size::Fixed(self.config.hidden_size);
        self.graph.output(TOKENS, FLOAT, &[Size::Named(BATCH), Size::Named(LENGTH), hidden]);
        Ok(mask)
    }

    /// The sum of word, position and type rows, normalized.
    fn embeddings(&mut self, ids: &Value, range: &Value) -> Result<Value> {
        let gather = |graph: &mut Graph, table: &Value, rows: &Value| {
            graph.node("Gather", &[table, rows], &[("axis", Attribute::Int(0))])
        };
        let words = self.constant("embeddings.word_embeddings.weight")?;
        let words = gather(self.graph, &words, ids);
        let positions = self.constant("embeddings.position_embeddings.weight")?;
        let rows = self.position_rows(ids, range);
        let positions = gather(self.graph, &positions, &rows);
        let mut sum = self.graph.node("Add", &[&words, &positions], &[]);
        if self.config.family == Family::Bert {
            let types = [Size::Named(BATCH), Size::Named(LENGTH)];
            let types = self.graph.input("token_type_ids", INT64, &types);
            let table = self.constant("embeddings.token_type_embeddings.weight")?;
            let types = gather(self.graph, &table, &types);
            sum = self.graph.node("Add", &[&sum, &types], &[]);
        } else if self.config.family.has_token_types() {
            // RoBERTa's tokenizer has one type, so other exporters omit the input, too.
            let row = self.take("embeddings.token_type_embeddings.weight")?.get(0)?;
            let name = self.config.names().own("embeddings.token_type_embeddings.weight").name;
            let row = self.graph.tensor(format!("{name}.0"), &row)?;
            sum = self.graph.node("Add", &[&sum, &row], &[]);
        }
        self.norm(&sum, "embeddings.LayerNorm", None)
    }

    /// The rows of the position table: 0, 1, ..., or, in families whose positions begin after the padding row, that row
    /// plus the number of tokens up to this one that are not pads; pads have the padding row itself.
    fn position_rows(&mut self, ids: &Value, range: &Value) -> Value {
        if !self.config.family.shifts_positions() {
            return range.clone();
        }
        let graph = &mut *self.graph;
        let pad = graph.integers(&[], &[i64::from(self.config.pad_token_id)]);
        let is_pad = graph.node("Equal", &[ids, &pad], &[]);
        let is_token = graph.node("Not", &[&is_pad], &[]);
        let is_token = graph.node("Cast", &[&is_token], &[("to", Attribute::Int(INT64))]);
        let axis = graph.integers(&[], &[1]);
        let counted = graph.node("CumSum", &[&is_token, &axis], &[]);
        let counted = graph.node("Mul", &[&counted, &is_token], &[]);
        graph.node("Add", &[&counted, &pad], &[])
    }

    /// What is added to attention scores: 0 or the smallest number for each key, and MPNet's bias by distance.
    /// `[batch, 1 or heads, 1 or length, length]`.
    fn attention_bias(&mut self, mask: &Value, range: &Value) -> Result<Value> {
        let mask = self.graph.node("Cast", &[mask], &[("to", Attribute::Int(FLOAT))]);
        let [one, smallest] = [1.0, f32::MIN].map(|number| self.graph.number(number));
        let masked = self.graph.node("Sub", &[&one, &mask], &[]);
        let masked = self.graph.node("Mul", &[&masked, &smallest], &[]);
        let axes = self.graph.integers(&[2], &[1, 2]);
        let masked = self.graph.node("Unsqueeze", &[&masked, &axes], &[]);
        if !self.config.family.biases_by_distance() {
            return Ok(masked);
        }
        let (heads, reach) = (self.config.num_attention_heads, self.config.max_position_embeddings);
        let name = "encoder.relative_attention_bias.weight";
        let table: Vec<f32> = self.take(name)?.flatten_all()?.to_vec1()?;
        let table = distance::spread(&table, heads, reach);
        let table = self.graph.floats(format!("{name}.by_distance"), &[heads, 2 * reach - 1], &table);
        let [first, second] = [0, 1].map(|axis| self.graph.integers(&[1], &[axis]));
        let keys = self.graph.node("Unsqueeze", &[range, &first], &[]);
        let queries = self.graph.node("Unsqueeze", &[range, &second], &[]);
        let distances = self.graph.node("Sub", &[&keys, &queries], &[]);
        let middle = self.graph.integers(&[], &[reach as i64 - 1]);
        let columns = self.graph.node("Add", &[&distances, &middle], &[]);
        let biases = self.graph.node("Gather", &[&table, &columns], &[("axis", Attribute::Int(1))]);
        Ok(self.graph.node("Add", &[&masked, &biases], &[]))
    }

    /// One layer: attention and feed-forward, each with its residual and LayerNorm.
    fn layer(&mut self, x: &Value, bias: &Value, name: &str, output: Option<&str>) -> Result<Value> {
        let attended = self.attention(x, bias, &format!("{name}.attention"))?;
        let sum = self.graph.node("Add", &[&attended, x], &[]);
        let x = self.norm(&sum, &format!("{name}.attention.output.LayerNorm"), None)?;
        let inner = self.linear(&x, &format!("{name}.intermediate.dense"))?;
        let inner = activation(self.graph, self.config.hidden_act, &inner);
        let outer = self.linear(&inner, &format!("{name}.output.dense"))?;
        let sum = self.graph.node("Add", &[&outer, &x], &[]);
        self.norm(&sum, &format!("{name}.output.LayerNorm"), output)
    }

    fn attention(&mut self, x: &Value, bias: &Value, name: &str) -> Result<Value> {
        let (heads, size) = (self.config.num_attention_heads as i64, self.config.head_size());
        // 0 keeps a dimension.
        let split = self.graph.integers(&[4], &[0, 0, heads, size as i64]);
        let mut by_head = |part: &str, order: &[i64]| -> Result<Value> {
            let rows = self.linear(x, &format!("{name}.self.{part}"))?;
            let rows = self.graph.node("Reshape", &[&rows, &split], &[]);
            Ok(self.graph.node("Transpose", &[&rows], &[("perm", Attribute::Ints(order))]))
        };
        let queries = by_head("query", &[0, 2, 1, 3])?;
        let keys = by_head("key", &[0, 2, 3, 1])?;
        let values = by_head("value", &[0, 2, 1, 3])?;
        let graph = &mut *self.graph;
        let scale = graph.number(1.0 / (size as f32).sqrt());
        let queries = graph.node("Mul", &[&queries, &scale], &[]);
        let scores = graph.node("MatMul", &[&queries, &keys], &[]);
        let scores = graph.node("Add", &[&scores, bias], &[]);
        let shares = graph.node("Softmax", &[&scores], &[("axis", Attribute::Int(-1))]);
        let mixed = graph.node("MatMul", &[&shares, &values], &[]);
        let mixed = graph.node("Transpose", &[&mixed], &[("perm", Attribute::Ints(&[0, 2, 1, 3]))]);
        let joined = graph.integers(&[3], &[0, 0, self.config.hidden_size as i64]);
        let mixed = graph.node("Reshape", &[&mixed, &joined], &[]);
        self.linear(&mixed, &format!("{name}.output.dense"))
    }
}

fn activation(graph: &mut Graph, kind: Activation, x: &Value) -> Value {
    match kind {
        Activation::Gelu => gelu(graph, x),
        Activation::GeluNew => {
            let [half, one, cubic, factor] =
                [0.5, 1.0, 0.044_715, (2.0 / std::f32::consts::PI).sqrt()].map(|number| graph.number(number));
            let square = graph.node("Mul", &[x, x], &[]);
            let cube = graph.node("Mul", &[&square, x], &[]);
            let cube = graph.node("Mul", &[&cube, &cubic], &[]);
            let inner = graph.node("Add", &[x, &cube], &[]);
            let inner = graph.node("Mul", &[&inner, &factor], &[]);
            let tanh = graph.node("Tanh", &[&inner], &[]);
            let sum = graph.node("Add", &[&tanh, &one], &[]);
            let product = graph.node("Mul", &[x, &sum], &[]);
            graph.node("Mul", &[&product, &half], &[])
        }
        Activation::Relu => graph.node("Relu", &[x], &[]),
        Activation::Silu => {
            let sigmoid = graph.node("Sigmoid", &[x], &[]);
            graph.node("Mul", &[x, &sigmoid], &[])
        }
    }
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`: opset 17 has no GELU of its own.
pub(super) fn gelu(graph: &mut Graph, x: &Value) -> Value {
    let [half, one, root] = [0.5, 1.0, std::f32::consts::SQRT_2].map(|number| graph.number(number));
    let inner = graph.node("Div", &[x, &root], &[]);
    let erf = graph.node("Erf", &[&inner], &[]);
    let sum = graph.node("Add", &[&erf, &one], &[]);
    let product = graph.node("Mul", &[x, &sum], &[]);
    graph.node("Mul", &[&product, &half], &[])
}
