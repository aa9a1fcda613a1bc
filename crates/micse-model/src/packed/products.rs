//! The three products of a linear layer, whatever the precision.
//!
//! ```text
//! Y = X W^T        dX (+)= dY W        dW (+)= dY^T X
//! ```

use micse_kernels::{View, Write, product};

/// A weight matrix `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    pub(super) values: &'a [f32],
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl<'a> Weight<'a> {
    fn view(&self) -> View<'a> {
        View::new(self.values, self.outputs, self.inputs, self.inputs)
    }
}

fn rows_of(matrix: &[f32], width: usize) -> View<'_> {
    View::new(matrix, matrix.len() / width, width, width)
}

/// `y (+)= x W^T`: `[rows, outputs]` from `[rows, inputs]`.
pub(super) fn forward(y: &mut [f32], x: &[f32], weight: Weight<'_>, write: Write) {
    product(y, rows_of(x, weight.inputs), weight.view().transposed(), write);
}

/// `dx (+)= dy W`: `[rows, inputs]` from `[rows, outputs]`.
pub(super) fn backward(dx: &mut [f32], dy: &[f32], weight: Weight<'_>, write: Write) {
    product(dx, rows_of(dy, weight.outputs), weight.view(), write);
}

/// `dW (+)= dy^T x`: `[outputs, inputs]` from `[rows, outputs]` and `[rows, inputs]`.
pub(super) fn weight_gradient(
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    outputs: usize,
    inputs: usize,
    write: Write,
) {
    product(dw, rows_of(dy, outputs).transposed(), rows_of(x, inputs), write);
}
