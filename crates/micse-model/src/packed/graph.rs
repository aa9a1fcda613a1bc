//! Passes as nodes of candle's graph.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor};

use super::buffers::{EmbeddingBuffers, Lent, PassBuffers};
use super::plan::Plan;
use super::{Core, backward, forward};
use crate::threads::in_pool;

/// Checks that a backward pass multiplies with the same weights as its forward pass.
fn same_weights(forward: &AtomicU64, now: u64) -> candle_core::Result<()> {
    if forward.load(Ordering::Relaxed) == now {
        return Ok(());
    }
    candle_core::bail!(
        "the encoder's weights changed between a forward pass and its backward pass; take the step after \
         the backward pass"
    )
}

fn failed(error: crate::Error) -> candle_core::Error {
    candle_core::Error::wrap(error)
}

/// From the parameters' anchor to the embeddings `[M, D]`.
pub(super) struct EmbedOp {
    core: Arc<Core>,
    plan: Plan,
    kept: Mutex<Lent<EmbeddingBuffers>>,
    version: AtomicU64,
}

impl EmbedOp {
    pub(super) fn new(core: &Arc<Core>, plan: Plan) -> Self {
        Self {
            core: Arc::clone(core),
            plan,
            kept: Mutex::new(core.embeddings.take()),
            version: AtomicU64::new(0),
        }
    }
}

impl CustomOp1 for EmbedOp {
    fn name(&self) -> &'static str {
        "packed embeddings"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let store = self.core.read().map_err(failed)?;
        self.version.store(store.version, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        let rows = in_pool(|| forward::embed(&store, &self.core.config, &self.plan, Some(kept)));
        Ok((CpuStorage::F32(rows), Shape::from((self.plan.rows, self.plan.hidden))))
    }

    fn bwd(&self, anchor: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let mut gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
        let mut store = self.core.write().map_err(failed)?;
        same_weights(&self.version, store.version)?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, scratch) = (&mut *store, &mut *self.core.scratch.take());
        in_pool(|| backward::embed(store, &self.core.config, &self.plan, &kept, &mut gradient, scratch));
        Ok(Some(anchor.zeros_like()?))
    }
}

/// From the embeddings to the leaves, in one flat tensor. The parameters' anchor makes this node part of the
/// graph even if the embeddings are constants.
pub(super) struct EncodeOp {
    core: Arc<Core>,
    plan: Plan,
    kept: Mutex<Lent<PassBuffers>>,
    /// The version of the weights that the forward pass read.
    version: AtomicU64,
}

impl EncodeOp {
    pub(super) fn new(core: &Arc<Core>, plan: Plan) -> Self {
        Self {
            core: Arc::clone(core),
            plan,
            kept: Mutex::new(core.passes.take()),
            version: AtomicU64::new(0),
        }
    }
}

impl CustomOp2 for EncodeOp {
    fn name(&self) -> &'static str {
        "packed encoder"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("the encoder needs contiguous embeddings, got the layout {layout:?}")
        };
        let embeddings = &storage.as_slice::<f32>()?[start..end];
        let store = self.core.read().map_err(failed)?;
        self.version.store(store.version, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (core, kept, scratch) = (&self.core, &mut *kept, &mut *self.core.scratch.take());
        let leaves =
            in_pool(|| forward::encode(&store, &core.config, &self.plan, embeddings, true, kept, scratch));
        Ok((CpuStorage::F32(leaves), Shape::from(self.plan.output)))
    }

    fn bwd(
        &self,
        embeddings: &Tensor,
        anchor: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
        let mut store = self.core.write().map_err(failed)?;
        same_weights(&self.version, store.version)?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, scratch) = (&mut *store, &mut *self.core.scratch.take());
        let config = &self.core.config;
        let down = in_pool(|| backward::encode(store, config, &self.plan, &gradient, &kept, scratch));
        let down = Tensor::from_vec(down, embeddings.shape(), embeddings.device())?;
        Ok((Some(down), Some(anchor.zeros_like()?)))
    }
}
