//! The encoder contract: what objectives, trainers and evaluation may request of an encoder, whatever engine
//! computes it.
//!
//! A pass is `embed`, then `encode`. Between them is one tensor in the autograd graph, so that augmentations
//! of the embeddings are plain tensor operations. A pass returns only the leaves that it requests ([`Taps`]);
//! everything else is neither kept nor returned.

use std::any::Any;

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use micse_random::Stream;

use crate::optimizer::{AdamStep, Group};
use crate::{Batch, BertConfig, Error, Pooling, Result};

/// One pass through an encoder: its mode and the requested leaves.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Evaluation, or training with dropout.
    pub mode: Mode,
    /// True: the leaves are in the autograd graph of the parameters. False: they are constants (momentum
    /// encoder, evaluation), and nothing is kept for a backward pass.
    pub gradients: bool,
    /// The requested leaves.
    pub taps: Taps,
}

/// Whether dropout is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mode {
    /// No dropout.
    #[default]
    Evaluation,
    /// Dropout at the given rates.
    Training(Dropout),
}

/// Dropout of one pass. Whether an activation is kept is a hash of its position (see [`crate::dropout`]), so
/// equal values here give equal masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Dropout rate after the embeddings, the attention output and the feed-forward layer ([`crate::dropout::Site`]).
    pub hidden: f64,
    /// Dropout rate on the attention probabilities.
    pub attention: f64,
    /// The stream of (run seed, step, tower, view).
    pub stream: Stream,
}

/// The leaves that a pass returns. Leaves that are not requested are not computed.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    /// One row per sentence.
    pub pooled: Option<Pooling>,
    /// Attention values at single positions.
    pub attention_values: Option<AttentionValues>,
    /// Whole attention maps of all layers.
    pub attention_maps: Option<AttentionStage>,
    /// Token states of these layers: 0 is the output of the embeddings, L the output of the last layer. If LayerNorm is
    /// before each block (`ModernBERT`), states between two layers are those of the residual stream.
    pub states: Vec<usize>,
    /// The last layer's states at these rows of the batch (a masked-LM objective reads only a few rows).
    /// Repeats are allowed; their gradients add up.
    pub tokens: Vec<u32>,
}

impl Taps {
    /// Checks that the batch and an encoder of this configuration have the requested leaves.
    pub(crate) fn check(&self, batch: &Batch, config: &BertConfig) -> Result<()> {
        let depth = config.num_hidden_layers;
        if let Some(layer) = self.states.iter().find(|&&l| l > depth) {
            return Err(Error::Input(format!(
                "states of layer {layer} requested from an encoder with {depth} layers"
            )));
        }
        if let Some(row) = self.tokens.iter().find(|&&row| row as usize >= batch.rows()) {
            return Err(Error::Input(format!("token {row} requested from a batch of {} rows", batch.rows())));
        }
        let Some(values) = &self.attention_values else { return Ok(()) };
        let fits = |p: &AttentionPosition| {
            (p.sentence as usize) < batch.sentences()
                && (p.layer as usize) < depth
                && (p.head as usize) < config.num_attention_heads
                && (p.query as usize) < batch.rows_of(p.sentence as usize)
                && (p.key as usize) < batch.keys_of(p.sentence as usize)
        };
        match values.at.iter().find(|p| !fits(p)) {
            None => Ok(()),
            Some(p) => Err(Error::Input(format!(
                "attention value requested at {p:?}, which is outside this batch of {} sentences or this \
                 encoder of {depth} layers and {} heads",
                batch.sentences(),
                config.num_attention_heads
            ))),
        }
    }
}

/// Attention after the softmax, before or after dropout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionStage {
    /// softmax(QK^T / sqrt(D/H) + mask): every row sums to 1.
    BeforeDropout,
    /// The same after dropout: dropped values are 0, all others are divided by (1 - rate).
    AfterDropout,
}

/// The attention values to return.
#[derive(Clone, Debug)]
pub struct AttentionValues {
    /// Before or after dropout.
    pub stage: AttentionStage,
    /// The positions. Repeats are allowed; their gradients add up.
    pub at: Vec<AttentionPosition>,
}

/// One entry of an attention map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttentionPosition {
    /// Sentence in the batch.
    pub sentence: u32,
    /// Layer, from 0.
    pub layer: u32,
    /// Head, from 0.
    pub head: u32,
    /// Position of the query token.
    pub query: u32,
    /// Position of the key token.
    pub key: u32,
}

/// The output of a pass.
#[derive(Clone, Debug, Default)]
pub struct Leaves {
    /// `[B, D]`.
    pub pooled: Option<Tensor>,
    /// `[positions]`, in the requested order.
    pub attention_values: Option<Tensor>,
    /// `[L, B, H, n, n]`: query before key; columns of padded keys, and keys outside the window of a local layer, are 0.
    pub attention_maps: Option<Tensor>,
    /// `[rows, D]` for each requested layer, in the requested order.
    pub states: Vec<Tensor>,
    /// `[tokens, D]`, in the requested order; `None` if no tokens were requested.
    pub tokens: Option<Tensor>,
}

/// Name, shape and group of a trainable tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// The Hugging Face name without the prefix `bert.`.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The group, which optimizers treat separately.
    pub group: Group,
}

/// A network with parameters that a step can change: an encoder, a head.
pub trait Trainable {
    /// For engines that have a faster path for their own type (see [`Self::follow`]).
    fn as_any(&self) -> &dyn Any;

    /// Name, shape and group of every parameter, in a fixed order.
    fn parameters(&self) -> Vec<ParameterInfo>;

    /// The values of all parameters in that order; they share memory with the parameters if the engine can do
    /// so.
    fn values(&self) -> Result<Vec<Tensor>>;

    /// The value of one parameter, by its index in [`Self::parameters`].
    ///
    /// # Errors
    /// Fails if the parameter does not exist.
    fn value(&self, parameter: usize) -> Result<Tensor> {
        let values = self.values()?;
        let count = values.len();
        let none =
            || crate::Error::Input(format!("parameter {parameter} is out of range: there are {count}"));
        values.into_iter().nth(parameter).ok_or_else(none)
    }

    /// Overwrites all parameters; `values` has the same order.
    fn set_values(&mut self, values: &[Tensor]) -> Result<()>;

    /// Adds the gradients of a finished backward pass to the gradients collected since the last
    /// [`Self::step`] or [`Self::clear_gradients`]; a step may have several passes. Call it exactly once
    /// after each backward pass, also for engines that accumulate gradients themselves.
    fn collect_gradients(&mut self, gradients: &GradStore) -> Result<()>;

    /// Discards the collected gradients without a step.
    fn clear_gradients(&mut self);

    /// Adds a gradient to the collected gradient of one parameter, for a term on the parameters themselves or
    /// a network that uses a parameter elsewhere (a masked-LM head with a tied word table). `parameter` is
    /// the index in [`Self::parameters`].
    ///
    /// # Errors
    /// Fails if the parameter does not exist or the gradient has a different shape.
    fn add_gradient(&mut self, parameter: usize, gradient: &Tensor) -> Result<()>;

    /// Discards the collected gradient of one parameter, so that the next step leaves it unchanged (a frozen
    /// parameter).
    ///
    /// # Errors
    /// Fails if the parameter does not exist.
    fn drop_gradient(&mut self, parameter: usize) -> Result<()>;

    /// The collected gradients in parameter order; `None` for parameters without a gradient.
    fn gradients(&self) -> Result<Vec<Option<Tensor>>>;

    /// Sum of squares over all collected gradients, in f64.
    fn gradient_square_norm(&self) -> Result<f64>;

    /// Takes one optimizer step with the collected gradients, then discards them.
    fn step(&mut self, rule: &AdamStep) -> Result<()>;

    /// First and second moments of each parameter, for checkpoints; empty before the first step.
    fn moments(&self) -> Result<Vec<(Tensor, Tensor)>>;

    /// Restores moments from a checkpoint.
    fn set_moments(&mut self, moments: &[(Tensor, Tensor)]) -> Result<()>;

    /// Exponential moving average: every value becomes `decay * own + (1 - decay) * leader's`.
    fn follow(&mut self, leader: &dyn Trainable, decay: f64) -> Result<()>;
}

/// A transformer encoder.
pub trait Encoder: Trainable + Send + Sync {
    /// Sizes and constants.
    fn config(&self) -> &BertConfig;

    /// Token, position and type embeddings after LayerNorm and dropout, projected to the hidden size if they are
    /// narrower: `[rows, D]`.
    ///
    /// # Errors
    /// Fails if the batch does not fit the encoder (see [`Batch::check`]).
    fn embed(&self, batch: &Batch, pass: &Pass) -> Result<Tensor>;

    /// The layers, from the embeddings `[rows, D]` to the requested leaves.
    ///
    /// # Errors
    /// Fails if a tap is outside the encoder or the sentence: a layer, head or position that does not exist.
    fn encode(&self, embeddings: &Tensor, batch: &Batch, pass: &Pass) -> Result<Leaves>;

    /// `embed`, then `encode`.
    fn forward(&self, batch: &Batch, pass: &Pass) -> Result<Leaves> {
        self.encode(&self.embed(batch, pass)?, batch, pass)
    }

    /// A copy with the same values but without gradients or moments: the initial momentum encoder.
    fn duplicate(&self) -> Result<Box<dyn Encoder>>;
}

/// Rejects a pass whose attention maps have more entries (per layer) than 32 bits can index.
pub(crate) fn check_map_entries(sentences: usize, entries: usize) -> Result<()> {
    if u32::try_from(entries).is_ok() {
        return Ok(());
    }
    Err(Error::Input(format!(
        "the attention maps of {sentences} sentences have {entries} entries per layer, more than the engine can index; \
         encode fewer sentences at a time with --chunk"
    )))
}
