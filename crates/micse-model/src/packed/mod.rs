//! The `packed` engine: BERT on plain buffers, for CPUs.
//!
//! Tokens stay packed without padding in the whole encoder; attention runs per sentence and head at its true
//! length; buffers are allocated once and reused; every kernel has a hand-written backward pass
//! (`micse-kernels`). To the objectives, a pass is one node in candle's graph with small leaves: pooled rows,
//! attention values at single positions, states on request. After its attention, the last layer computes only
//! the rows that a leaf needs.
//!
//! The gradients of the parameters are accumulated inside the encoder while candle walks the graph backward,
//! so [`Trainable::collect_gradients`] has nothing left to do.

mod backward;
mod buffers;
mod forward;
mod graph;
mod int8;
mod maps;
mod observe;
mod plan;
mod products;
mod slots;
mod store;

use std::any::Any;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use candle_core::backprop::GradStore;
use candle_core::{Device, Storage, Tensor, Var};

use crate::encoder::{Encoder, Leaves, ParameterInfo, Pass, Taps, Trainable, check_map_entries};
use crate::optimizer::AdamStep;
use crate::threads::in_pool;
use crate::weights::TensorSource;
use crate::{Batch, BertConfig, Error, Precision, Result};
use buffers::{EmbeddingBuffers, PassBuffers, Pool, Scratch};
use graph::{EmbedOp, EncodeOp};
use plan::Plan;
use slots::Slots;
use store::Store;

pub(crate) use observe::InputStatistics;

/// The data shared by the encoder and the graph nodes of its passes.
struct Core {
    config: BertConfig,
    precision: Precision,
    store: RwLock<Store>,
    embeddings: Arc<Pool<EmbeddingBuffers>>,
    passes: Arc<Pool<PassBuffers>>,
    scratch: Arc<Pool<Scratch>>,
}

impl Core {
    fn read(&self) -> Result<RwLockReadGuard<'_, Store>> {
        self.store.try_read().map_err(|e| in_use(&e))
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, Store>> {
        self.store.try_write().map_err(|e| in_use(&e))
    }

    /// Fails if the encoder is in 8 bits: gradients and new values would not reach its integers.
    fn check_trainable(&self) -> Result<()> {
        if self.read()?.int8.is_none() {
            return Ok(());
        }
        Err(Error::Input(
            "an encoder in int8 cannot be trained, because its weights are integers; train the model that it was \
             exported from, and export the result again"
                .into(),
        ))
    }
}

/// Waiting for the lock is not an option: while a thread waits for parts of its work, it may execute a pass
/// of another thread, which would then wait for the first thread's lock.
fn in_use<T>(error: &TryLockError<T>) -> Error {
    Error::Input(match error {
        TryLockError::Poisoned(_) => {
            "an earlier pass of this encoder panicked; load the encoder again".into()
        }
        TryLockError::WouldBlock => {
            "another thread is running a backward pass or a step of this encoder, or is reading it; wait \
             for the other thread, or give each thread its own `duplicate`"
                .into()
        }
    })
}

/// BERT on packed rows and plain buffers.
pub struct PackedEncoder {
    core: Arc<Core>,
    /// A variable that represents the parameters in candle's graph, so that passes are part of it.
    anchor: Var,
}

impl PackedEncoder {
    /// Builds the encoder from a source of tensors (a weights file, random values, another encoder).
    ///
    /// # Errors
    /// Fails if a tensor is missing or has the wrong shape, or if the configuration is invalid.
    pub fn new(config: BertConfig, source: &mut dyn TensorSource, precision: Precision) -> Result<Self> {
        config.check()?;
        let slots = Slots::new(&config);
        Self::in_slots(config, slots, source, precision)
    }

    /// The encoder with the parameters that have a place.
    fn in_slots(
        config: BertConfig,
        slots: Slots,
        source: &mut dyn TensorSource,
        precision: Precision,
    ) -> Result<Self> {
        let mut values = vec![0.0; slots.total];
        for (info, range) in slots.parameters.iter().zip(&slots.ranges).filter(|(_, range)| !range.is_empty())
        {
            let value = source.take(info, &Device::Cpu)?.contiguous()?;
            let (storage, layout) = value.storage_and_layout();
            let Storage::Cpu(storage) = &*storage else {
                return Err(Error::Input(format!("the parameter `{}` is not on the CPU", info.name)));
            };
            let value = &storage.as_slice::<f32>()?[layout.start_offset()..];
            values[range.clone()].copy_from_slice(&value[..range.len()]);
        }
        Self::with_values(config, slots, values, precision)
    }

    fn with_values(config: BertConfig, slots: Slots, values: Vec<f32>, precision: Precision) -> Result<Self> {
        let store = Store::new(slots, values, &config, precision);
        let core = Core {
            config,
            precision,
            store: RwLock::new(store),
            embeddings: Arc::default(),
            passes: Arc::default(),
            scratch: Arc::default(),
        };
        Ok(Self { core: Arc::new(core), anchor: Var::from_tensor(&Tensor::new(0.0_f32, &Device::Cpu)?)? })
    }
}

impl Trainable for PackedEncoder {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        crate::weights::parameter_layout(&self.core.config)
    }

    fn values(&self) -> Result<Vec<Tensor>> {
        self.core.read()?.value_tensors()
    }

    fn value(&self, parameter: usize) -> Result<Tensor> {
        self.core.read()?.value_tensor(parameter)
    }

    fn set_values(&mut self, values: &[Tensor]) -> Result<()> {
        self.core.check_trainable()?;
        self.core.write()?.set_values(values)
    }

    fn collect_gradients(&mut self, _: &GradStore) -> Result<()> {
        // The backward pass has already accumulated them.
        Ok(())
    }

    fn clear_gradients(&mut self) {
        // A store left behind by a panic is reported by the next call that reads it.
        if let Ok(mut store) = self.core.store.write() {
            store.clear_gradients();
        }
    }

    fn add_gradient(&mut self, parameter: usize, gradient: &Tensor) -> Result<()> {
        self.core.check_trainable()?;
        self.core.write()?.add_gradient(parameter, gradient)
    }

    fn drop_gradient(&mut self, parameter: usize) -> Result<()> {
        self.core.write()?.drop_gradient(parameter)
    }

    fn gradients(&self) -> Result<Vec<Option<Tensor>>> {
        self.core.read()?.gradient_tensors()
    }

    fn gradient_square_norm(&self) -> Result<f64> {
        let store = self.core.read()?;
        Ok(in_pool(|| store.gradient_square_norm()))
    }

    fn step(&mut self, rule: &AdamStep) -> Result<()> {
        self.core.check_trainable()?;
        let mut store = self.core.write()?;
        let store = &mut *store;
        in_pool(|| store.step(rule));
        Ok(())
    }

    fn moments(&self) -> Result<Vec<(Tensor, Tensor)>> {
        self.core.read()?.moment_tensors()
    }

    fn set_moments(&mut self, moments: &[(Tensor, Tensor)]) -> Result<()> {
        self.core.check_trainable()?;
        self.core.write()?.set_moments(moments)
    }

    fn follow(&mut self, leader: &dyn Trainable, decay: f64) -> Result<()> {
        self.core.check_trainable()?;
        match leader.as_any().downcast_ref::<Self>() {
            Some(leader) if Arc::ptr_eq(&leader.core, &self.core) => Ok(()),
            // Reads the leader's buffer directly, which does not contain what is in 8 bits.
            Some(leader) if leader.core.read()?.int8.is_none() => {
                let leader = leader.core.read()?;
                let mut own = self.core.write()?;
                if own.slots.total != leader.slots.total {
                    return Err(Error::Input(
                        "an encoder can only follow an encoder of the same shape".into(),
                    ));
                }
                let (own, leader) = (&mut *own, &*leader);
                in_pool(|| own.follow(leader, decay));
                Ok(())
            }
            _ => {
                let values = leader.values()?;
                self.core.write()?.follow_values(&values, decay)
            }
        }
    }
}

impl Encoder for PackedEncoder {
    fn config(&self) -> &BertConfig {
        &self.core.config
    }

    fn embed(&self, batch: &Batch, pass: &Pass) -> Result<Tensor> {
        batch.check(&self.core.config)?;
        if pass.gradients {
            self.core.check_trainable()?;
        }
        // The leaves belong to `encode`.
        let own = Pass { mode: pass.mode, gradients: pass.gradients, taps: Taps::default() };
        let plan = Plan::new(batch, &own, &self.core.config);
        let shape = (plan.rows, plan.hidden);
        if pass.gradients {
            return Ok(self.anchor.apply_op1(EmbedOp::new(&self.core, plan))?);
        }
        let store = self.core.read()?;
        let rows = in_pool(|| forward::embed(&store, &self.core.config, &plan, None));
        Ok(Tensor::from_vec(rows, shape, &Device::Cpu)?)
    }

    fn encode(&self, embeddings: &Tensor, batch: &Batch, pass: &Pass) -> Result<Leaves> {
        batch.check(&self.core.config)?;
        pass.taps.check(batch, &self.core.config)?;
        if pass.gradients {
            self.core.check_trainable()?;
        }
        if let Some(stage) = pass.taps.attention_maps {
            return maps::encode(self, embeddings, batch, pass, stage);
        }
        let plan = Plan::new(batch, pass, &self.core.config);
        if embeddings.dims() != [plan.rows, plan.hidden] {
            return Err(Error::Input(format!(
                "got embeddings of shape {:?} for a batch of {} rows and hidden size {}",
                embeddings.dims(),
                plan.rows,
                plan.hidden
            )));
        }
        check_map_entries(batch.sentences(), plan.map_elements())?;
        let (ranges, sentences) = (plan.leaves.clone(), batch.sentences());
        let (rows, hidden, output) = (plan.rows, plan.hidden, plan.output);
        let flat = if pass.gradients {
            embeddings.contiguous()?.apply_op2(&self.anchor, EncodeOp::new(&self.core, plan))?
        } else {
            let x = embeddings.flatten_all()?.to_vec1::<f32>()?;
            let (buffers, scratch) = (&mut *self.core.passes.take(), &mut *self.core.scratch.take());
            let store = self.core.read()?;
            let config = &self.core.config;
            let leaves = in_pool(|| forward::encode(&store, config, &plan, &x, false, buffers, scratch));
            Tensor::from_vec(leaves, output, &Device::Cpu)?
        };
        let part = |range: &std::ops::Range<usize>| flat.narrow(0, range.start, range.len());
        let matrix = |range: &std::ops::Range<usize>, rows: usize| part(range)?.reshape((rows, hidden));
        let taps = &pass.taps;
        Ok(Leaves {
            pooled: taps.pooled.map(|_| matrix(&ranges.pooled, sentences)).transpose()?,
            attention_values: taps.attention_values.as_ref().map(|_| part(&ranges.values)).transpose()?,
            attention_maps: None,
            states: ranges.states.iter().map(|r| matrix(r, rows)).collect::<candle_core::Result<_>>()?,
            tokens: if taps.tokens.is_empty() {
                None
            } else {
                Some(matrix(&ranges.tokens, taps.tokens.len())?)
            },
        })
    }

    fn duplicate(&self) -> Result<Box<dyn Encoder>> {
        let store = self.core.read()?;
        let (config, slots) = (self.core.config.clone(), store.slots.clone());
        let copy = Self::with_values(config, slots, store.values.clone(), self.core.precision)?;
        copy.core.write()?.int8.clone_from(&store.int8);
        Ok(Box::new(copy))
    }
}
