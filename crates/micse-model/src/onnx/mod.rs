//! Models in ONNX's format, for onnxruntime, transformers.js and fastembed: `onnx/model.onnx` with the whole way from
//! token IDs to the embedding, in f32.
//!
//! | | name | shape |
//! |---|---|---|
//! | inputs, int64 | `input_ids`, `attention_mask` (0 for pads), for BERT also `token_type_ids` (0) | `[batch, length]` |
//! | outputs, float | `token_embeddings`: the states after the last layer | `[batch, length, D]` |
//! | | `sentence_embedding`: after pooling, the modules behind it, and truncation | `[batch, dimension]` |
//!
//! The names are those that optimum gives to models of sentence-transformers. Batches are padded on the right.

mod encoder;
mod folder;
mod graph;
mod wire;

use candle_core::{Device, Tensor};

use crate::dense::{Dense, DenseActivation, Residual};
use crate::modules::AfterPooling;
use crate::sentence::SentenceModel;
use crate::{Error, LayerNorm, Pooling, Result, layer_norm};
use encoder::{BATCH, TOKENS, Writer, gelu};
pub(crate) use folder::{write, write_tokenizer};
use graph::{Attribute, FLOAT, Graph, Size, Value};

/// The file in a model folder.
pub(crate) const FILE: &str = "onnx/model.onnx";
/// The embedding.
const SENTENCE: &str = "sentence_embedding";
/// Protobuf's limit on the size of a file.
const LARGEST: usize = i32::MAX as usize;

/// The parts of the file, to be written one after the other.
pub(crate) fn file(model: &SentenceModel<'_>) -> Result<[Vec<u8>; 2]> {
    let pipeline = model.pipeline();
    let refused = |what: &str| {
        Err(Error::Input(format!("{what}, which cannot be written in ONNX's format; export another model")))
    };
    if model.convolution().is_some() {
        return refused("the model's embeddings are the mean of a convolution over token states");
    }
    if let Some(stage) = pipeline.stage() {
        return refused(&format!("the model ends in a {}", stage.kind()));
    }
    if pipeline.skips_prompt() {
        return refused("the model excludes its prompt from the pooling");
    }
    let bytes = 4 * model.encoder().config().parameter_count();
    if bytes > LARGEST as u128 {
        return refused(&format!("the model has {} MiB of weights, and a file at most 2047", bytes >> 20));
    }
    let mut graph = Graph::default();
    let mask = Writer::new(&mut graph, model.encoder())?.token_states()?;
    let mut row = pooled(&mut graph, model.pooling(), &mask)?;
    for (index, step) in pipeline.after_pooling().iter().enumerate() {
        row = match step {
            AfterPooling::Normalize => normalized(&mut graph, &row),
            AfterPooling::Dense(layer) => dense(&mut graph, layer, &row, index)?,
            AfterPooling::LayerNorm(norm) => layer_normalized(&mut graph, norm, &row, index),
            AfterPooling::Dropout(_) => row,
        };
    }
    // A slice of all entries if the model does not truncate, so that the last node always has the output's name.
    let [from, axis] = [0, 1].map(|number| graph.integers(&[1], &[number]));
    let to = graph.integers(&[1], &[model.dimension() as i64]);
    graph.node_to(SENTENCE.into(), "Slice", &[&row, &from, &to, &axis], &[]);
    graph.output(SENTENCE, FLOAT, &[Size::Named(BATCH), Size::Fixed(model.dimension())]);
    let parts = graph.into_file("micse");
    let size = parts.iter().map(Vec::len).sum::<usize>();
    if size > LARGEST {
        return refused(&format!("the model has {} MiB, and a file at most 2047", size >> 20));
    }
    Ok(parts)
}

/// Cls, or the mean over the tokens that are not masked.
fn pooled(graph: &mut Graph, pooling: Pooling, mask: &Value) -> Result<Value> {
    let states = TOKENS.to_owned();
    match pooling {
        Pooling::Cls => {
            let first = graph.integers(&[], &[0]);
            Ok(graph.node("Gather", &[&states, &first], &[("axis", Attribute::Int(1))]))
        }
        Pooling::Mean => {
            let mask = graph.node("Cast", &[mask], &[("to", Attribute::Int(FLOAT))]);
            let [first, last] = [1, -1].map(|axis| graph.integers(&[1], &[axis]));
            let mask = graph.node("Unsqueeze", &[&mask, &last], &[]);
            let kept = graph.node("Mul", &[&states, &mask], &[]);
            let keep = [("keepdims", Attribute::Int(0))];
            let sum = graph.node("ReduceSum", &[&kept, &first], &keep);
            let count = graph.node("ReduceSum", &[&mask, &first], &keep);
            // As sentence-transformers, for a row without tokens.
            let least = graph.number(1e-9);
            let count = graph.node("Max", &[&count, &least], &[]);
            Ok(graph.node("Div", &[&sum, &count], &[]))
        }
        other => Err(Error::Input(format!("the pooling must be cls or mean, not {other}"))),
    }
}

/// Scaled to length 1, as PyTorch's `normalize` does it.
fn normalized(graph: &mut Graph, row: &Value) -> Value {
    let keep = [("axes", Attribute::Ints(&[-1])), ("keepdims", Attribute::Int(1))];
    let norm = graph.node("ReduceL2", &[row], &keep);
    let least = graph.number(1e-12);
    let norm = graph.node("Max", &[&norm, &least], &[]);
    graph.node("Div", &[row, &norm], &[])
}

fn dense(graph: &mut Graph, layer: &Dense, row: &Value, index: usize) -> Result<Value> {
    let (inputs, outputs) = (layer.inputs(), layer.outputs());
    let product = |graph: &mut Graph, name: &str, weight: &[f32]| -> Result<Value> {
        let weight = Tensor::from_slice(weight, (outputs, inputs), &Device::Cpu)?.t()?.contiguous()?;
        let weight = graph.tensor(format!("dense_{index}.{name}.transposed"), &weight)?;
        Ok(graph.node("MatMul", &[row, &weight], &[]))
    };
    let mut y = product(graph, "weight", layer.weight())?;
    if let Some(bias) = layer.bias() {
        let bias = graph.floats(format!("dense_{index}.bias"), &[outputs], bias);
        y = graph.node("Add", &[&y, &bias], &[]);
    }
    y = match layer.activation() {
        DenseActivation::Identity => y,
        DenseActivation::Tanh => graph.node("Tanh", &[&y], &[]),
        DenseActivation::Relu => graph.node("Relu", &[&y], &[]),
        DenseActivation::Gelu => gelu(graph, &y),
        DenseActivation::Sigmoid => graph.node("Sigmoid", &[&y], &[]),
        DenseActivation::Silu => {
            let share = graph.node("Sigmoid", &[&y], &[]);
            graph.node("Mul", &[&y, &share], &[])
        }
        DenseActivation::LeakyRelu => graph.node("LeakyRelu", &[&y], &[("alpha", Attribute::Float(0.01))]),
    };
    Ok(match layer.residual() {
        None => y,
        Some(Residual::Input) => graph.node("Add", &[&y, row], &[]),
        Some(Residual::Product(weight)) => {
            let added = product(graph, "residual", weight)?;
            graph.node("Add", &[&y, &added], &[])
        }
    })
}

fn layer_normalized(graph: &mut Graph, norm: &LayerNorm, row: &Value, index: usize) -> Value {
    let (weight, bias) = norm.weight_and_bias();
    let shape = [norm.dimension()];
    let weight = graph.floats(format!("layer_norm_{index}.weight"), &shape, weight);
    let bias = graph.floats(format!("layer_norm_{index}.bias"), &shape, bias);
    let epsilon = Attribute::Float(layer_norm::EPSILON as f32);
    let attributes = [("axis", Attribute::Int(-1)), ("epsilon", epsilon)];
    graph.node("LayerNormalization", &[row, &weight, &bias], &attributes)
}
