//! The three products of a linear layer: in f32, or with factors rounded to bfloat16 and sums in f32. The forward product
//! also in 8-bit integers.
//!
//! ```text
//! Y = X W^T + b        dX (+)= dY W        dW (+)= dY^T X
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use micse_kernels::activation::Activation;
use micse_kernels::bf16::{self, Bf16View, Lhs, Rhs, Start};
use micse_kernels::int8;
use micse_kernels::panels::{self, Panels};
use micse_kernels::rows::fill_rows;
use micse_kernels::{View, Write, product};

use super::int8::LinearInt8;
use super::observe::Observed;

/// A form of a weight that products read, computed again after every change of the weights.
struct Cached<T>(Mutex<Slot<T>>);

struct Slot<T> {
    /// The version of the weights that it was computed from.
    version: Option<u64>,
    form: Arc<T>,
}

impl<T: Default> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(Slot { version: None, form: Arc::default() }))
    }
}

impl<T: Default> Cached<T> {
    /// The form at a version, which `compute` writes into an earlier one. Nothing is computed while the lock is held: a
    /// thread that waits for parts of its work may execute another pass, which would wait for the lock forever.
    fn of(&self, version: u64, compute: impl FnOnce(&mut T)) -> Arc<T> {
        let old = {
            let mut slot = self.lock();
            if slot.version == Some(version) {
                return Arc::clone(&slot.form);
            }
            slot.version = None;
            std::mem::take(&mut slot.form)
        };
        // Reuse the buffers unless another pass still reads them.
        let mut form = Arc::try_unwrap(old).unwrap_or_default();
        compute(&mut form);
        let form = Arc::new(form);
        *self.lock() = Slot { version: Some(version), form: Arc::clone(&form) };
        form
    }

    /// Frees the form.
    fn clear(&self) {
        *self.lock() = Slot { version: None, form: Arc::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A weight in bfloat16, prepared for both orders of multiplication.
#[derive(Default)]
pub(super) struct RoundedWeight {
    forward: Cached<Rhs>,
    backward: Cached<Rhs>,
}

/// A weight in f32, packed for passes in evaluation mode.
#[derive(Default)]
pub(super) struct PackedWeight(Cached<Panels>);

impl PackedWeight {
    /// Frees the copy of the weight.
    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

/// Temporary rounded operands of a product.
#[derive(Default)]
pub(super) struct Operands {
    lhs: Lhs,
    rhs: Rhs,
    pub(super) rows: int8::Rows,
    /// The inner rows of a feed-forward layer in 8 bits.
    pub(super) inner: int8::Rows,
    /// Statistics of the inputs of all forward products, if they are to be collected.
    pub(super) observed: Option<Observed>,
}

/// A weight matrix `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    pub(super) values: &'a [f32],
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// The cache of its rounded form, and the version of the weights; `None` in f32.
    pub(super) rounded: Option<(&'a RoundedWeight, u64)>,
    /// The cache of its packed form, and the version of the weights; `None` in training mode.
    pub(super) packed: Option<(&'a PackedWeight, u64)>,
    /// Its form in 8 bits, if it has one.
    pub(super) int8: Option<&'a LinearInt8>,
    /// Its index among the linear layers.
    pub(super) number: usize,
}

impl<'a> Weight<'a> {
    fn view(&self) -> View<'a> {
        View::new(self.values, self.outputs, self.inputs, self.inputs)
    }

    /// `W^T` in bfloat16, if products use it.
    fn forward_operand(&self) -> Option<Arc<Rhs>> {
        let (rounded, version) = self.rounded?;
        Some(rounded.forward.of(version, |rhs| rhs.pack(self.view().transposed())))
    }

    /// `W` in bfloat16, if products use it.
    fn backward_operand(&self) -> Option<Arc<Rhs>> {
        let (rounded, version) = self.rounded?;
        Some(rounded.backward.of(version, |rhs| rhs.pack(self.view())))
    }
}

/// Rows that are multiplied with a weight.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a> {
    /// In f32.
    Exact(&'a [f32]),
    /// In bfloat16; only for products in bfloat16.
    Rounded(&'a Lhs),
}

impl<'a> Factor<'a> {
    /// # Panics
    /// The rows were rounded.
    fn exact(self) -> &'a [f32] {
        match self {
            Self::Exact(rows) => rows,
            Self::Rounded(_) => panic!("rows in bfloat16 for a product in another precision"),
        }
    }

    /// The rows in bfloat16, `width` values each; `operand` is a buffer.
    fn rounded(self, width: usize, operand: &'a mut Lhs) -> Bf16View<'a> {
        match self {
            Self::Exact(rows) => {
                operand.pack(rows_of(rows, width));
                operand.view()
            }
            Self::Rounded(rows) => rows.view(),
        }
    }
}

fn rows_of(matrix: &[f32], width: usize) -> View<'_> {
    View::new(matrix, matrix.len() / width, width, width)
}

/// `y = x W^T + b`: `[rows, outputs]` from `[rows, inputs]`; no bias is added if `bias` is `None`.
pub(super) fn forward(
    y: &mut [f32],
    x: Factor<'_>,
    weight: Weight<'_>,
    bias: Option<&[f32]>,
    operands: &mut Operands,
) {
    if let Some(observed) = &mut operands.observed {
        observed.add(weight.number, x.exact(), weight.inputs);
    }
    if let Some(rhs) = weight.forward_operand() {
        let start = bias.map_or(Start::Zero, Start::Bias);
        let x = x.rounded(weight.inputs, &mut operands.lhs);
        return bf16::product(y, weight.outputs, x, &rhs, start);
    }
    let x = x.exact();
    if let Some(linear) = weight.int8 {
        return linear.forward(y, x, bias, &mut operands.rows);
    }
    let (rows, turned) = (rows_of(x, weight.inputs), weight.view().transposed());
    if let Some((packed, version)) = weight.packed
        && panels::suits(rows.rows())
    {
        let panels = packed.0.of(version, |panels| panels.pack(weight.values, weight.inputs));
        return panels::product(y, x, &panels, bias);
    }
    let write = bias.map_or(Write::Replace, |bias| {
        fill_rows(y, bias);
        Write::Add
    });
    product(y, rows, turned, write);
}

/// `y = f(x W^T + b)` in bfloat16, and the slopes `f'` for the backward pass; only for weights in bfloat16.
pub(super) fn forward_activated(
    activation: Activation,
    y: &mut Lhs,
    slopes: Option<&mut Lhs>,
    x: Factor<'_>,
    weight: Weight<'_>,
    bias: &[f32],
    operands: &mut Operands,
) {
    let rhs = weight.forward_operand().expect("a weight in bfloat16");
    let x = x.rounded(weight.inputs, &mut operands.lhs);
    bf16::product_activated(activation, y, slopes, x, &rhs, bias);
}

/// `dx (+)= dy W`: `[rows, inputs]` from `[rows, outputs]`.
pub(super) fn backward(
    dx: &mut [f32],
    dy: Factor<'_>,
    weight: Weight<'_>,
    write: Write,
    operands: &mut Operands,
) {
    match weight.backward_operand() {
        Some(rhs) => {
            let dy = dy.rounded(weight.outputs, &mut operands.lhs);
            bf16::product(dx, weight.inputs, dy, &rhs, start(write));
        }
        None => product(dx, rows_of(dy.exact(), weight.outputs), weight.view(), write),
    }
}

/// `dx = (dy W) slopes` in bfloat16, and its column sums; only for weights in bfloat16. `slopes` are those of
/// [`forward_activated`].
pub(super) fn backward_activated(
    dx: &mut Lhs,
    bias_gradient: &mut [f32],
    slopes: &Lhs,
    dy: Factor<'_>,
    weight: Weight<'_>,
    parts: &mut Vec<f32>,
    operands: &mut Operands,
) {
    let rhs = weight.backward_operand().expect("a weight in bfloat16");
    let dy = dy.rounded(weight.outputs, &mut operands.lhs);
    bf16::product_activated_backward(dx, bias_gradient, slopes.view(), dy, &rhs, parts);
}

/// `dW (+)= dy^T x` for one weight: `[outputs, inputs]` from `[rows, outputs]` and `[rows, inputs]`.
pub(super) fn weight_gradient(
    dw: &mut [f32],
    dy: Factor<'_>,
    x: Factor<'_>,
    weight: Weight<'_>,
    write: Write,
    operands: &mut Operands,
) {
    if weight.rounded.is_none() {
        let (dy, x) = (rows_of(dy.exact(), weight.outputs), rows_of(x.exact(), weight.inputs));
        return product(dw, dy.transposed(), x, write);
    }
    match dy {
        Factor::Exact(dy) => operands.lhs.pack(rows_of(dy, weight.outputs).transposed()),
        Factor::Rounded(dy) => operands.lhs.pack_bf16(dy.view().transposed()),
    }
    match x {
        Factor::Exact(x) => operands.rhs.pack(rows_of(x, weight.inputs)),
        Factor::Rounded(x) => operands.rhs.pack_bf16(x.view()),
    }
    bf16::product(dw, weight.inputs, operands.lhs.view(), &operands.rhs, start(write));
}

fn start(write: Write) -> Start<'static> {
    match write {
        Write::Replace => Start::Zero,
        Write::Add => Start::Out,
    }
}
