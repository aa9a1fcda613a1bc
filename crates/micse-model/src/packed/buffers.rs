//! Buffers that are allocated once and used again from step to step.

use std::sync::{Arc, Mutex, PoisonError};

use super::products::Operands;

/// A buffer that grows to the largest size asked for.
#[derive(Default)]
pub(super) struct Buffer {
    data: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// Room for `len` values; what they are is left over from before.
    pub(super) fn room(&mut self, len: usize) -> &mut [f32] {
        if self.data.len() < len {
            // Not `resize`: it would copy what nobody reads. A little more than asked, since batches differ in size.
            self.data = Vec::new();
            self.data = vec![0.0; len + len / 8];
        }
        self.len = len;
        &mut self.data[..len]
    }

    /// What the last [`Self::room`] gave.
    pub(super) fn get(&self) -> &[f32] {
        &self.data[..self.len]
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.data[..self.len]
    }
}

/// What one layer keeps for its backward pass. M rows, S rows behind the attention (fewer in a last layer of
/// which only some rows are wanted), D hidden, I intermediate.
#[derive(Default)]
pub(super) struct LayerBuffers {
    /// Queries, keys, values `[M, 3 D]`.
    pub(super) qkv: Buffer,
    /// Attention before dropout.
    pub(super) maps: Buffer,
    /// `[S, D]`.
    pub(super) context: Buffer,
    /// `[S, D]` and `[S]`.
    pub(super) attention_normed: Buffer,
    pub(super) attention_inverse: Buffer,
    /// The attention block's output `[S, D]`.
    pub(super) attended: Buffer,
    /// Before the non-linearity `[S, I]`.
    pub(super) inner: Buffer,
    /// `[S, D]` and `[S]`.
    pub(super) output_normed: Buffer,
    pub(super) output_inverse: Buffer,
}

/// What a pass keeps.
#[derive(Default)]
pub(super) struct PassBuffers {
    /// The input of each layer `[M, D]`, and the last output `[S, D]`.
    pub(super) states: Vec<Buffer>,
    pub(super) layers: Vec<LayerBuffers>,
}

/// What a pass uses in between.
#[derive(Default)]
pub(super) struct Scratch {
    /// `[M, D]` each.
    pub(super) wide: Buffer,
    pub(super) rows: Buffer,
    pub(super) context: Buffer,
    pub(super) residual: Buffer,
    pub(super) upper: Buffer,
    /// `[M, I]` each.
    pub(super) inner: Buffer,
    pub(super) inner_gradient: Buffer,
    /// `[M, 3 D]`.
    pub(super) qkv: Buffer,
    /// Gradients of attention's biases by distance, `[B, H, 2 n - 1]`.
    pub(super) distances: Buffer,
    pub(super) parts: Vec<f32>,
    pub(super) operands: Operands,
}

/// What the embeddings keep: `[M, D]` and `[M]`.
#[derive(Default)]
pub(super) struct EmbeddingBuffers {
    pub(super) normed: Buffer,
    pub(super) inverse: Buffer,
}

/// Buffers that a pool keeps: the two views of a step, and as many of an evaluation beside them.
const KEPT: usize = 4;

/// Buffers that wait to be used again.
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

/// Buffers in use; they go back to their pool when dropped.
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
