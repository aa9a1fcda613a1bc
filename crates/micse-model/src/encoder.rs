//! The encoder contract: what objectives, trainers and evaluation may ask of an encoder, whatever engine
//! computes it.
//!
//! A pass is `embed`, then `encode`. Between them stands one tensor in the autograd graph, so that
//! augmentations of the embeddings are plain tensor operations. What comes out are only the leaves that
//! the pass asked for ([`Taps`]); everything else is neither kept nor returned.

use std::any::Any;

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use micse_random::Stream;

use crate::optimizer::{AdamStep, Group};
use crate::{Batch, BertConfig, Error, Pooling, Result};

/// One pass through an encoder: its mode and the leaves that are wanted.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Evaluation, or training with dropout.
    pub mode: Mode,
    /// True: the leaves stand in the autograd graph of the parameters. False: they are constants (a
    /// momentum encoder, evaluation), and nothing is kept for a backward pass.
    pub gradients: bool,
    /// The wanted leaves.
    pub taps: Taps,
}

/// Whether dropout acts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mode {
    /// No dropout.
    #[default]
    Evaluation,
    /// Dropout at the given rates.
    Training(Dropout),
}

/// Dropout of one pass. Whether an activation is kept is a hash of where it stands, see
/// [`crate::dropout`], so equal values here give equal masks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Rate after the embeddings, the attention's output and the feed-forward layer.
    pub hidden: f64,
    /// Rate on the attention probabilities.
    pub attention: f64,
    /// The stream of (run seed, step, tower, view).
    pub stream: Stream,
}

/// The leaves that a pass gives. Nothing is given unasked.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    /// One row a sentence.
    pub pooled: Option<Pooling>,
    /// Attention values at single positions.
    pub attention_values: Option<AttentionValues>,
    /// Whole attention maps of all layers.
    pub attention_maps: Option<AttentionStage>,
    /// Token states of these layers: 0 is the embeddings' output, L the last layer's.
    pub states: Vec<usize>,
    /// The last layer's states at these rows of the batch (a masked-LM objective reads a few of them);
    /// repeats are allowed, their gradients add up.
    pub tokens: Vec<u32>,
}

impl Taps {
    /// Whether a batch and an encoder of this configuration have what is asked for.
    pub(crate) fn check(&self, batch: &Batch, config: &BertConfig) -> Result<()> {
        let depth = config.num_hidden_layers;
        if let Some(layer) = self.states.iter().find(|&&l| l > depth) {
            return Err(Error::Input(format!(
                "the states of layer {layer} were asked of an encoder of {depth} layers"
            )));
        }
        if let Some(row) = self.tokens.iter().find(|&&row| row as usize >= batch.rows()) {
            return Err(Error::Input(format!("token {row} was asked of a batch of {} rows", batch.rows())));
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
                "an attention value was asked for at {p:?}, which this batch of {} sentences and this encoder of \
                 {depth} layers and {} heads do not have",
                batch.sentences(),
                config.num_attention_heads
            ))),
        }
    }
}

/// Attention after the softmax, before dropout or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionStage {
    /// softmax(QK^T / sqrt(D/H) + mask): every row sums to 1.
    BeforeDropout,
    /// The same after dropout: dropped values are 0, the others divided by (1 - rate).
    AfterDropout,
}

/// Which attention values to give.
#[derive(Clone, Debug)]
pub struct AttentionValues {
    /// Before or after dropout.
    pub stage: AttentionStage,
    /// Where; repeats are allowed, their gradients add up.
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

/// What a pass gave.
#[derive(Clone, Debug, Default)]
pub struct Leaves {
    /// `[B, D]`.
    pub pooled: Option<Tensor>,
    /// `[positions]`, in the order asked for.
    pub attention_values: Option<Tensor>,
    /// `[L, B, H, n, n]`: query before key; columns of padded keys are 0.
    pub attention_maps: Option<Tensor>,
    /// `[rows, D]` for each layer asked for, in that order.
    pub states: Vec<Tensor>,
    /// `[tokens, D]`, in the order asked for; `None` if no token was.
    pub tokens: Option<Tensor>,
}

/// Name, shape and group of a trainable tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Hugging Face's name without the prefix `bert.`.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// What optimizers tell apart.
    pub group: Group,
}

/// Something with parameters that a step can change: an encoder, a head.
pub trait Trainable {
    /// The thing itself, for engines that can do better with one of their own kind (see [`Self::follow`]).
    fn as_any(&self) -> &dyn Any;

    /// Name, shape and group of every parameter, in one fixed order.
    fn parameters(&self) -> Vec<ParameterInfo>;

    /// The parameters' values in that order; they share memory with the parameters where the engine can.
    fn values(&self) -> Result<Vec<Tensor>>;

    /// The value of one parameter, by its number in [`Self::parameters`].
    ///
    /// # Errors
    /// There is no such parameter.
    fn value(&self, parameter: usize) -> Result<Tensor> {
        let values = self.values()?;
        let count = values.len();
        let none = || crate::Error::Input(format!("there is no parameter {parameter} among {count}"));
        values.into_iter().nth(parameter).ok_or_else(none)
    }

    /// Overwrites all parameters, given in the same order.
    fn set_values(&mut self, values: &[Tensor]) -> Result<()>;

    /// Adds the gradients of a finished backward pass to those collected since the last [`Self::step`] or
    /// [`Self::clear_gradients`]: a step may have several passes. To be called once after each of them, also by
    /// engines whose passes add up gradients themselves.
    fn collect_gradients(&mut self, gradients: &GradStore) -> Result<()>;

    /// Forgets the collected gradients without a step.
    fn clear_gradients(&mut self);

    /// Adds a term's gradient to a parameter's collected one: a term on parameters themselves, or a network
    /// that uses one of them elsewhere (a masked-LM head's tied word table). The parameter is given by its
    /// number in [`Self::parameters`].
    ///
    /// # Errors
    /// There is no such parameter, or the gradient has another shape.
    fn add_gradient(&mut self, parameter: usize, gradient: &Tensor) -> Result<()>;

    /// Forgets what was collected for one parameter, so that the next step leaves it as it is: a frozen one.
    ///
    /// # Errors
    /// There is no such parameter.
    fn drop_gradient(&mut self, parameter: usize) -> Result<()>;

    /// The collected gradients in parameter order; `None` where no gradient arrived.
    fn gradients(&self) -> Result<Vec<Option<Tensor>>>;

    /// Sum of squares over all collected gradients, in f64.
    fn gradient_square_norm(&self) -> Result<f64>;

    /// One optimizer step with the collected gradients, which it then forgets.
    fn step(&mut self, rule: &AdamStep) -> Result<()>;

    /// First and second moments for each parameter, for checkpoints; empty before the first step.
    fn moments(&self) -> Result<Vec<(Tensor, Tensor)>>;

    /// Puts moments of a checkpoint back.
    fn set_moments(&mut self, moments: &[(Tensor, Tensor)]) -> Result<()>;

    /// Exponential moving average: every value becomes `decay * own + (1 - decay) * leader's`.
    fn follow(&mut self, leader: &dyn Trainable, decay: f64) -> Result<()>;
}

/// A transformer encoder.
pub trait Encoder: Trainable + Send + Sync {
    /// Sizes and constants.
    fn config(&self) -> &BertConfig;

    /// Token, position and type embeddings after LayerNorm and dropout: `[rows, D]`.
    ///
    /// # Errors
    /// The batch does not fit the encoder (see [`Batch::check`]).
    fn embed(&self, batch: &Batch, pass: &Pass) -> Result<Tensor>;

    /// The layers, from the embeddings `[rows, D]` to the wanted leaves.
    ///
    /// # Errors
    /// A tap asks for what is not there: a layer, head or position beyond the encoder or the sentence.
    fn encode(&self, embeddings: &Tensor, batch: &Batch, pass: &Pass) -> Result<Leaves>;

    /// `embed`, then `encode`.
    fn forward(&self, batch: &Batch, pass: &Pass) -> Result<Leaves> {
        self.encode(&self.embed(batch, pass)?, batch, pass)
    }

    /// A copy with the same values, and no gradients or moments: a momentum encoder at its start.
    fn duplicate(&self) -> Result<Box<dyn Encoder>>;
}
