//! Computes an ONNX graph in f64, by the definitions of its operators: a reference without any runtime, for small models.

use std::collections::BTreeMap;

use candle_core::cpu::erf::erf_f64;

use crate::protobuf::Message;

/// A tensor; integers and truth values are numbers, too.
#[derive(Clone, Debug)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its entries, the last dimension fastest.
    pub values: Vec<f64>,
}

/// A node of the graph.
struct Node<'a> {
    inputs: Vec<&'a Array>,
    attributes: BTreeMap<String, Message<'a>>,
}

impl Node<'_> {
    fn int(&self, name: &str) -> Option<i64> {
        self.attributes.get(name).map(|attribute| attribute.numbers(3)[0].cast_signed())
    }

    fn ints(&self, name: &str) -> Vec<i64> {
        self.attributes[name].numbers(8).into_iter().map(u64::cast_signed).collect()
    }

    fn float(&self, name: &str) -> f64 {
        f64::from(self.attributes[name].floats(2)[0])
    }
}

/// Runs the graph of a file on these inputs; returns all values by name.
///
/// # Panics
/// If the graph is not valid, or has an operator that this function does not know.
pub fn run(file: &Message<'_>, inputs: BTreeMap<String, Array>) -> BTreeMap<String, Array> {
    let graph = file.messages(7).remove(0);
    let mut known = inputs;
    for tensor in graph.messages(5) {
        let shape = tensor.numbers(1).into_iter().map(|size| size as usize).collect();
        let bytes = tensor.bytes(9).remove(0);
        let values = match tensor.numbers(2)[0] {
            1 => bytes.as_chunks().0.iter().map(|&value| f64::from(f32::from_le_bytes(value))).collect(),
            7 => bytes.as_chunks().0.iter().map(|&value| i64::from_le_bytes(value) as f64).collect(),
            kind => panic!("a constant of type {kind}"),
        };
        known.insert(tensor.text(8), Array { shape, values });
    }
    for node in graph.messages(1) {
        let attributes = node.messages(5).into_iter().map(|a| (a.text(1), a)).collect();
        let inputs = node.texts(1).iter().map(|name| &known[name]).collect();
        let found = compute(&node.text(4), &Node { inputs, attributes });
        assert_eq!(found.values.len(), found.shape.iter().product::<usize>(), "{}", node.text(3));
        known.insert(node.text(2), found);
    }
    known
}

fn compute(kind: &str, node: &Node<'_>) -> Array {
    let x = node.inputs[0];
    let each = |f: &dyn Fn(f64) -> f64| Array {
        shape: x.shape.clone(),
        values: x.values.iter().map(|&value| f(value)).collect(),
    };
    let both = |f: fn(f64, f64) -> f64| broadcast(x, node.inputs[1], f);
    match kind {
        "Add" => both(|a, b| a + b),
        "Sub" => both(|a, b| a - b),
        "Mul" => both(|a, b| a * b),
        "Div" => both(|a, b| a / b),
        "Max" => both(f64::max),
        "Equal" => both(|a, b| f64::from(u8::from(a == b))),
        "Not" => each(&|a| 1.0 - a),
        "Cast" => x.clone(),
        "Erf" => each(&erf_f64),
        "Tanh" => each(&f64::tanh),
        "Relu" => each(&|a| a.max(0.0)),
        "Sigmoid" => each(&|a| 1.0 / (1.0 + (-a).exp())),
        "LeakyRelu" => each(&|a| if a < 0.0 { node.float("alpha") * a } else { a }),
        "Shape" => {
            let values: Vec<f64> = x.shape.iter().map(|&size| size as f64).collect();
            Array { shape: vec![values.len()], values }
        }
        "Range" => {
            let [from, to, by] = [0, 1, 2].map(|i| node.inputs[i].values[0]);
            assert_eq!((from, by), (0.0, 1.0));
            let values: Vec<f64> = (0..to as u32).map(f64::from).collect();
            Array { shape: vec![values.len()], values }
        }
        "Unsqueeze" => unsqueezed(x, node.inputs[1]),
        "Reshape" => reshaped(x, node.inputs[1]),
        "Gather" => gathered(x, node.inputs[1], node.int("axis").expect("an axis") as usize),
        "Transpose" => transposed(x, &node.ints("perm")),
        "MatMul" => product(x, node.inputs[1]),
        "CumSum" => by_row(x, |row| {
            row.iter()
                .scan(0.0, |sum, value| {
                    *sum += value;
                    Some(*sum)
                })
                .collect()
        }),
        "Softmax" => by_row(x, |row| {
            let largest = row.iter().copied().fold(f64::MIN, f64::max);
            let powers: Vec<f64> = row.iter().map(|value| (value - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect()
        }),
        "LayerNormalization" => by_row(x, |row| {
            let n = row.len() as f64;
            let mean = row.iter().sum::<f64>() / n;
            let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
            let scale = 1.0 / (variance + node.float("epsilon")).sqrt();
            let parts = node.inputs[1].values.iter().zip(&node.inputs[2].values);
            row.iter().zip(parts).map(|(value, (w, b))| (value - mean) * scale * w + b).collect()
        }),
        "ReduceL2" => {
            assert_eq!((node.ints("axes"), node.int("keepdims")), (vec![-1], Some(1)));
            let mut found = by_row(x, |row| vec![row.iter().map(|value| value * value).sum::<f64>().sqrt()]);
            *found.shape.last_mut().expect("a dimension") = 1;
            found
        }
        "ReduceSum" => {
            assert_eq!((node.inputs[1].values.as_slice(), node.int("keepdims")), (&[1.0][..], Some(0)));
            let last = transposed(x, &[0, 2, 1]);
            let mut found = by_row(&last, |row| vec![row.iter().sum()]);
            found.shape.pop();
            found
        }
        "Slice" => {
            let [from, to, axis] = [1, 2, 3].map(|i| node.inputs[i].values[0] as usize);
            assert_eq!((from, axis, x.shape.len()), (0, 1, 2));
            let mut found = by_row(x, |row| row[..to].to_vec());
            found.shape[1] = to;
            found
        }
        other => panic!("the operator {other}"),
    }
}

/// A function of each row along the last dimension. The caller corrects the shape if it changes the length.
fn by_row(x: &Array, f: impl Fn(&[f64]) -> Vec<f64>) -> Array {
    let width = *x.shape.last().expect("a dimension");
    Array { shape: x.shape.clone(), values: x.values.chunks_exact(width).flat_map(f).collect() }
}

/// The distance of neighbours along each of the last `rank` dimensions, aligned at the end; 0 where there is one entry.
fn strides(shape: &[usize], rank: usize) -> Vec<usize> {
    let mut strides = vec![0; rank];
    let mut step = 1;
    for (stride, &size) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        *stride = if size == 1 { 0 } else { step };
        step *= size;
    }
    strides
}

/// The indices of a shape in order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..shape.iter().product()).map(move |mut place: usize| {
        let mut index = vec![0; shape.len()];
        for (index, &size) in index.iter_mut().rev().zip(shape.iter().rev()) {
            (*index, place) = (place % size, place / size);
        }
        index
    })
}

fn place(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(index, stride)| index * stride).sum()
}

/// The common shape of two shapes.
fn common(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size =
        |shape: &[usize], from_end: usize| shape.len().checked_sub(from_end + 1).map_or(1, |i| shape[i]);
    (0..rank)
        .rev()
        .map(|from_end| {
            let (a, b) = (size(a, from_end), size(b, from_end));
            assert!(a == b || a == 1 || b == 1, "{a} and {b} entries");
            a.max(b)
        })
        .collect()
}

fn broadcast(a: &Array, b: &Array, f: fn(f64, f64) -> f64) -> Array {
    let shape = common(&a.shape, &b.shape);
    let (of_a, of_b) = (strides(&a.shape, shape.len()), strides(&b.shape, shape.len()));
    let values = indices(&shape).map(|i| f(a.values[place(&i, &of_a)], b.values[place(&i, &of_b)])).collect();
    Array { shape, values }
}

fn unsqueezed(x: &Array, axes: &Array) -> Array {
    let mut shape = x.shape.clone();
    for &axis in &axes.values {
        let at = if axis < 0.0 { (shape.len() as f64 + 1.0 + axis) as usize } else { axis as usize };
        shape.insert(at, 1);
    }
    Array { shape, values: x.values.clone() }
}

fn reshaped(x: &Array, to: &Array) -> Array {
    let size = |(at, &size): (usize, &f64)| if size == 0.0 { x.shape[at] } else { size as usize };
    Array { shape: to.values.iter().enumerate().map(size).collect(), values: x.values.clone() }
}

fn gathered(x: &Array, rows: &Array, axis: usize) -> Array {
    let (before, after) = (&x.shape[..axis], &x.shape[axis + 1..]);
    let (blocks, width): (usize, usize) = (before.iter().product(), after.iter().product());
    let mut values = Vec::new();
    for block in 0..blocks {
        for &row in &rows.values {
            values.extend(&x.values[(block * x.shape[axis] + row as usize) * width..][..width]);
        }
    }
    Array { shape: [before, &rows.shape, after].concat(), values }
}

fn transposed(x: &Array, order: &[i64]) -> Array {
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis as usize]).collect();
    let own = strides(&x.shape, x.shape.len());
    let turned: Vec<usize> = order.iter().map(|&axis| own[axis as usize]).collect();
    let values = indices(&shape).map(|index| x.values[place(&index, &turned)]).collect();
    Array { shape, values }
}

fn product(a: &Array, b: &Array) -> Array {
    let (of_a, of_b) = (a.shape.len() - 2, b.shape.len() - 2);
    let (rows, inner, columns) = (a.shape[of_a], a.shape[of_a + 1], b.shape[of_b + 1]);
    assert_eq!(b.shape[of_b], inner, "the inner dimension");
    let batch = common(&a.shape[..of_a], &b.shape[..of_b]);
    let strides = [&a.shape[..of_a], &b.shape[..of_b]].map(|shape| strides(shape, batch.len()));
    let mut values = Vec::new();
    for index in indices(&batch) {
        let a = &a.values[place(&index, &strides[0]) * rows * inner..];
        let b = &b.values[place(&index, &strides[1]) * inner * columns..];
        for row in 0..rows {
            for column in 0..columns {
                values.push((0..inner).map(|i| a[row * inner + i] * b[i * columns + column]).sum());
            }
        }
    }
    Array { shape: [batch, vec![rows, columns]].concat(), values }
}
