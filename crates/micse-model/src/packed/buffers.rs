//! Buffers that are allocated once and reused in every step.

use std::sync::{Arc, Mutex, PoisonError};

use micse_kernels::bf16::{Lhs, RoundedRows};

use super::products::{Factor, Operands};

/// A buffer that grows to the largest requested size.
#[derive(Default)]
pub(super) struct Buffer {
    data: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// Space for `len` values. Their contents are left over from earlier use.
    pub(super) fn room(&mut self, len: usize) -> &mut [f32] {
        if self.data.len() < len {
            // Not `resize`, which would copy values that nothing reads. Allocates a little more than
            // requested, because batches differ in size.
            self.data = Vec::new();
            self.data = vec![0.0; len + len / 8];
        }
        self.len = len;
        &mut self.data[..len]
    }

    /// The values of the last [`Self::room`].
    pub(super) fn get(&self) -> &[f32] {
        &self.data[..self.len]
    }

    /// [`Self::get`], mutable.
    pub(super) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.data[..self.len]
    }
}

/// Rows that linear layers multiply: in f32 and, where products use bfloat16, rounded by the kernel that computes them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) values: Buffer,
    pub(super) rounded: Lhs,
}

impl Rows {
    /// The rows as a factor of a product, rounded if they were.
    pub(super) fn factor(&self, rounds: bool) -> Factor<'_> {
        if rounds { Factor::Rounded(&self.rounded) } else { Factor::Exact(self.values.get()) }
    }

    /// Space for the values, and for `rows` rounded rows if they are to be rounded.
    pub(super) fn room(
        &mut self,
        rows: usize,
        width: usize,
        rounds: bool,
    ) -> (&mut [f32], Option<RoundedRows<'_>>) {
        let rounded = rounds.then(|| self.rounded.room(rows, width));
        (self.values.room(rows * width), rounded)
    }
}

/// The values that one layer keeps for its backward pass. M rows, S rows after the attention (fewer than M in
/// a last layer that needs only some rows), D hidden size, I intermediate size.
#[derive(Default)]
pub(super) struct LayerBuffers {
    /// Queries, keys, values `[M, 3 D]`.
    pub(super) qkv: Buffer,
    /// Attention before dropout.
    pub(super) maps: Buffer,
    /// `[S, D]`.
    pub(super) context: Rows,
    /// `[S, D]` and `[S]`.
    pub(super) attention_normed: Buffer,
    pub(super) attention_inverse: Buffer,
    /// The attention block's output, after its LayerNorm `[S, D]`.
    pub(super) attended: Rows,
    /// Before the activation, `[S, I]`; with a gate `[S, 2 I]`. Unused in bfloat16 without a gate.
    pub(super) inner: Buffer,
    /// In bfloat16 without a gate: after the activation, and its slopes, `[S, I]` each.
    pub(super) activated: Lhs,
    pub(super) slopes: Lhs,
    /// `[S, D]` and `[S]`.
    pub(super) output_normed: Buffer,
    pub(super) output_inverse: Buffer,
}

/// The values that a pass keeps.
#[derive(Default)]
pub(super) struct PassBuffers {
    /// The input of each layer `[M, D]`, and the last output `[S, D]`.
    pub(super) states: Vec<Rows>,
    pub(super) layers: Vec<LayerBuffers>,
}

/// The f32 buffers of rows that all layers share, where the backward pass reads only their rounded form.
#[derive(Default)]
pub(super) struct Shared {
    state: Buffer,
    context: Buffer,
    attended: Buffer,
}

impl Shared {
    /// Gives the buffers to the output and to the kept values of a layer.
    pub(super) fn lend(&mut self, y: &mut Rows, kept: &mut LayerBuffers) {
        std::mem::swap(&mut self.state, &mut y.values);
        self.swap_kept(kept);
    }

    /// Takes those of the layer's input and of its kept values, which the next layer does not read.
    pub(super) fn take_back(&mut self, x: &mut Rows, kept: &mut LayerBuffers) {
        std::mem::swap(&mut self.state, &mut x.values);
        self.swap_kept(kept);
    }

    fn swap_kept(&mut self, kept: &mut LayerBuffers) {
        std::mem::swap(&mut self.context, &mut kept.context.values);
        std::mem::swap(&mut self.attended, &mut kept.attended.values);
    }
}

/// Temporary values of a pass.
#[derive(Default)]
pub(super) struct Scratch {
    /// `[M, D]` each.
    pub(super) wide: Buffer,
    pub(super) rows: Rows,
    pub(super) context: Buffer,
    pub(super) residual: Buffer,
    pub(super) upper: Buffer,
    /// The residual stream, if LayerNorm is before a block; in a backward pass, its gradient.
    pub(super) stream: Buffer,
    /// `[M, I]`.
    pub(super) inner: Buffer,
    /// `[M, I]`; with a gate `[M, 2 I]`.
    pub(super) inner_gradient: Rows,
    /// `[M, 3 D]`.
    pub(super) qkv: Rows,
    /// Gradients of the attention biases by distance, `[B, H, 2 n - 1]`.
    pub(super) distances: Buffer,
    pub(super) parts: Vec<f32>,
    pub(super) operands: Operands,
    pub(super) shared: Shared,
}

/// The values that the embeddings keep: `[M, E]` and `[M]`, and the input of their projection `[M, E]`, if they have one.
#[derive(Default)]
pub(super) struct EmbeddingBuffers {
    pub(super) normed: Buffer,
    pub(super) inverse: Buffer,
    pub(super) projected: Buffer,
}

/// Number of buffers in a pool: for the two views of a step, and as many for an evaluation at the same time.
const KEPT: usize = 4;

/// Buffers available for reuse.
#[derive(Default)]
pub(super) struct Pool<T> {
    free: Mutex<Vec<T>>,
}

impl<T: Default> Pool<T> {
    pub(super) fn take(self: &Arc<Self>) -> Lent<T> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { value: Some(free.unwrap_or_default()), pool: Arc::clone(self) }
    }
}

/// Buffers in use; dropping them returns them to their pool.
pub(super) struct Lent<T> {
    value: Option<T>,
    pool: Arc<Pool<T>>,
}

impl<T> std::ops::Deref for Lent<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("taken only on drop")
    }
}

impl<T> std::ops::DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("taken only on drop")
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < KEPT {
                free.push(value);
            }
        }
    }
}
