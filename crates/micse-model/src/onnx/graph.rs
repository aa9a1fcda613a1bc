//! An ONNX graph under construction (opset 17): nodes, constants, inputs and outputs.

use candle_core::{DType, Tensor};

use super::wire::Message;
use crate::Result;

/// The version of ONNX's operators: the first with `LayerNormalization`.
pub(super) const OPSET: i64 = 17;
/// The version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// The types of tensors, by their numbers in ONNX.
pub(super) const FLOAT: i64 = 1;
pub(super) const INT64: i64 = 7;

/// A value in the graph: the name of an input, a constant or a node's output.
pub(super) type Value = String;

/// The value of a node's attribute.
pub(super) enum Attribute<'a> {
    Int(i64),
    Float(f32),
    Ints(&'a [i64]),
}

/// A dimension of an input or output.
pub(super) enum Size {
    Fixed(usize),
    Named(&'static str),
}

/// The graph's fields so far.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Message,
    constants: Message,
    ends: Message,
    count: usize,
}

impl Graph {
    fn name(&mut self, kind: &str) -> Value {
        self.count += 1;
        format!("{kind}_{}", self.count)
    }

    /// Adds a node with one output, and returns its name.
    pub(super) fn node(
        &mut self,
        kind: &str,
        inputs: &[&Value],
        attributes: &[(&str, Attribute<'_>)],
    ) -> Value {
        let output = self.name(kind);
        self.node_to(output, kind, inputs, attributes)
    }

    /// [`Self::node`] with the given name of the output.
    pub(super) fn node_to(
        &mut self,
        output: Value,
        kind: &str,
        inputs: &[&Value],
        attributes: &[(&str, Attribute<'_>)],
    ) -> Value {
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        node = node.text(2, &output).text(3, &format!("/{output}")).text(4, kind);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            let attribute = match value {
                Attribute::Float(value) => attribute.float(2, *value).int(20, 1),
                Attribute::Int(value) => attribute.int(3, *value).int(20, 2),
                Attribute::Ints(values) => values.iter().fold(attribute, |a, v| a.int(8, *v)).int(20, 7),
            };
            node = node.message(5, attribute);
        }
        self.nodes = std::mem::take(&mut self.nodes).message(1, node);
        output
    }

    fn constant(&mut self, name: Value, kind: i64, shape: &[usize], bytes: &[u8]) -> Value {
        let tensor = shape.iter().fold(Message::default(), |tensor, &size| tensor.int(1, size as i64));
        let tensor = tensor.int(2, kind).text(8, &name).bytes(9, bytes);
        self.constants = std::mem::take(&mut self.constants).message(5, tensor);
        name
    }

    /// A constant tensor of floats.
    pub(super) fn floats(&mut self, name: Value, shape: &[usize], values: &[f32]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, FLOAT, shape, &bytes)
    }

    /// A tensor of the model as a constant, in f32.
    pub(super) fn tensor(&mut self, name: Value, tensor: &Tensor) -> Result<Value> {
        let values: Vec<f32> = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(self.floats(name, tensor.dims(), &values))
    }

    /// A single number.
    pub(super) fn number(&mut self, value: f32) -> Value {
        let name = self.name("number");
        self.floats(name, &[], &[value])
    }

    /// A list of integers; a single one with the shape `[]`.
    pub(super) fn integers(&mut self, shape: &[usize], values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = self.name("integers");
        self.constant(name, INT64, shape, &bytes)
    }

    fn end(&mut self, field: u64, name: &str, kind: i64, shape: &[Size]) -> Value {
        let shape = shape.iter().fold(Message::default(), |shape, size| {
            let dimension = match size {
                Size::Fixed(size) => Message::default().int(1, *size as i64),
                Size::Named(name) => Message::default().text(2, name),
            };
            shape.message(1, dimension)
        });
        let tensor = Message::default().int(1, kind).message(2, shape);
        let value = Message::default().text(1, name).message(2, Message::default().message(1, tensor));
        self.ends = std::mem::take(&mut self.ends).message(field, value);
        name.to_owned()
    }

    pub(super) fn input(&mut self, name: &str, kind: i64, shape: &[Size]) -> Value {
        self.end(11, name, kind, shape)
    }

    pub(super) fn output(&mut self, name: &str, kind: i64, shape: &[Size]) {
        self.end(12, name, kind, shape);
    }

    /// The complete file, in two parts: what precedes the constants, and the constants, which may be large.
    pub(super) fn into_file(self, name: &str) -> [Vec<u8>; 2] {
        let opset = Message::default().text(1, "").int(2, OPSET);
        let head = Message::default()
            .int(1, IR_VERSION)
            .text(2, "micse")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(8, opset);
        let graph = Message::default().text(2, name);
        let small = [graph, self.ends, self.nodes].map(Message::into_bytes).concat();
        // The graph is the last field, so that the constants need not be copied into it.
        let begin = Message::default().begin(7, small.len() + self.constants.len());
        [[head.into_bytes(), begin.into_bytes(), small].concat(), self.constants.into_bytes()]
    }
}
