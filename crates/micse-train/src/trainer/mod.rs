//! The trainer: one recipe, one encoder, one split, step by step.
//!
//! A step: the passes of every view; the momentum pass on view 1's tokens, where no view is the momentum tower's; the
//! loss against the queue as it stood; the momentum tower's embeddings join the queue; backward, clip, optimizer; the
//! momentum copy follows.
//! Everything random is a function of (seed, step), so a resumed run repeats what it would have done.

mod attention;
mod checkpoint;
mod chunks;
mod distance;
mod forward;
mod masked;
mod momentum;
mod networks;
mod objectives;
mod perturbation;
mod prepared;
mod replaced;
mod report;
mod schedule;
mod views;

use std::num::NonZeroUsize;
use std::rc::Rc;

use candle_core::{Device, Tensor};
use micse_data::EpochOrder;
use micse_model::{
    AdamStep, Batch, Dropout, Encoder, Head, MaskedLmHead, TokenConvolution, Tokenizer, Trainable,
    clip_factor,
};
use micse_random::Stream;

use crate::recipe::{MomentumUpdate, OptimizerKind, Recipe};
use crate::{Error, Result, Terms};
use attention::AmiTerm;
use chunks::{Chunks, View};
use masked::MaskedLoss;
use networks::Networks;
use perturbation::EmbeddingGradient;
use report::Clock;
pub use report::{StepReport, StepTimes};
pub use schedule::learning_rate;
use views::PassSpec;

/// What the coordinates of the run's streams mean; a purpose never shares its draws with another.
mod purpose {
    pub(super) const DROPOUT: u64 = 1;
    pub(super) const ATTENTION_SAMPLES: u64 = 2;
    // 3, 4 and 6 to 9 are the networks' own.
    pub(super) const MASKS: u64 = 5;
    pub(super) const CHANGES: u64 = 10;
    pub(super) const VIRTUAL: u64 = 11;
    pub(super) const REPLACED: u64 = 12;
    pub(super) const HEAD_DROPOUT: u64 = 13;
}

/// The state of a training run.
pub struct Trainer {
    recipe: Recipe,
    stream: Stream,
    tokenizer: Tokenizer,
    networks: Networks,
    passes: Vec<PassSpec>,
    /// The view of each thing that passes read.
    inputs: Vec<usize>,
    ami: Vec<AmiTerm>,
    terms: Terms,
    sentences: usize,
    order: EpochOrder,
    device: Device,
    chunk: Option<NonZeroUsize>,
    /// Where a view's noise follows the gradient of the batch before.
    batch_before: Option<EmbeddingGradient>,
    step: usize,
}

/// The forward half of a step: its loss, and what the backward half needs.
pub struct Forward {
    loss: Tensor,
    masked: Option<MaskedLoss>,
    views: Vec<(Rc<Chunks>, View)>,
    /// What the first pass read.
    first: Rc<Batch>,
    report: StepReport,
}

impl Forward {
    /// The step's figures so far; those of the backward half are not numbers yet.
    pub fn report(&self) -> &StepReport {
        &self.report
    }
}

impl Trainer {
    /// A trainer at step 0 for a split of `sentences` sentences.
    ///
    /// # Errors
    /// The recipe cannot work with this encoder, or a split of fewer than 2 sentences has no queue.
    pub fn new(
        recipe: Recipe,
        seed: u64,
        encoder: Box<dyn Encoder>,
        tokenizer: Tokenizer,
        sentences: usize,
        device: &Device,
    ) -> Result<Self> {
        if sentences == 0 || (sentences < 2 && recipe.momentum.is_none()) {
            return Err(Error::Recipe {
                name: recipe.name,
                reason: format!(
                    "a split of {sentences} sentence(s) has no negatives; give at least 2 sentences, or a recipe \
                     with a queue"
                ),
            });
        }
        if sentences < recipe.optimizer.batch_size {
            tracing::warn!(
                "the split has {sentences} sentences, fewer than a batch of {}: every step sees all of it",
                recipe.optimizer.batch_size
            );
        }
        if let Some(m) = recipe.momentum.filter(|m| sentences < m.queue + recipe.optimizer.batch_size) {
            let masked = if m.mask_same_sentence { "masked" } else { "counted as negatives" };
            tracing::warn!(
                "the split has {sentences} sentences, fewer than queue and batch together ({}): a sentence meets \
                 its own queued copies, which are {masked} (momentum.mask_same_sentence)",
                m.queue + recipe.optimizer.batch_size
            );
        }
        let stream = Stream::new(seed);
        let ami =
            recipe.ami().map(|a| AmiTerm::new(&recipe.name, a, encoder.config())).collect::<Result<_>>()?;
        let networks = Networks::new(&recipe, encoder, &tokenizer, stream, device)?;
        networks.check_groups().map_err(|reason| Error::Recipe { name: recipe.name.clone(), reason })?;
        let order = EpochOrder::new(sentences, recipe.optimizer.batch_size, seed);
        let (passes, inputs) = views::passes(&recipe);
        let device = device.clone();
        Ok(Self {
            recipe,
            stream,
            tokenizer,
            networks,
            passes,
            inputs,
            ami,
            terms: Terms::none(),
            sentences,
            order,
            device,
            chunk: None,
            batch_before: None,
            step: 0,
        })
    }

    /// Takes a trained masked-LM head in place of the new one, where the recipe has that objective.
    #[must_use]
    pub fn with_masked_lm_head(mut self, head: MaskedLmHead) -> Self {
        if let Some(term) = &mut self.networks.masked_lm {
            term.head = head;
        }
        self
    }

    /// Takes the masked-LM head that fills tokens in, where the recipe detects replaced tokens.
    #[must_use]
    pub fn with_generator_head(mut self, head: MaskedLmHead) -> Self {
        if let Some(detector) = &mut self.networks.replaced {
            detector.set_generator_head(head);
        }
        self
    }

    /// Takes the terms that the recipe names as custom.
    ///
    /// # Errors
    /// It names one that is not among them, or one that reads more passes than it makes.
    pub fn with_terms(self, terms: Terms) -> Result<Self> {
        terms.check(&self.recipe)?;
        Ok(Self { terms, ..self })
    }

    /// Encodes batches in chunks of so many sentences, each twice: memory is that of a chunk, gradients are
    /// those of the whole batch but for rounding.
    ///
    /// # Errors
    /// As [`Recipe::check_chunks`].
    pub fn in_chunks(self, sentences: NonZeroUsize) -> Result<Self> {
        self.recipe.check_chunks()?;
        Ok(Self { chunk: Some(sentences), ..self })
    }

    /// Finished steps.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The online encoder.
    pub fn encoder(&self) -> &dyn Encoder {
        self.networks.encoder.as_ref()
    }

    /// The online encoder, to be changed.
    pub fn encoder_mut(&mut self) -> &mut dyn Encoder {
        self.networks.encoder.as_mut()
    }

    /// The second encoder, where the recipe has one.
    pub fn second(&self) -> Option<&dyn Encoder> {
        self.networks.second.as_ref().map(|second| second.encoder.as_ref())
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The networks that learn, by name: `encoder`, and what else the recipe has.
    pub fn networks(&self) -> Vec<(&'static str, &dyn Trainable)> {
        self.networks.trained()
    }

    /// The training head.
    pub fn head(&self) -> Option<&Head> {
        self.networks.head.as_ref()
    }

    /// The convolution over tokens, which is a part of the finished model.
    pub fn convolution(&self) -> Option<&TokenConvolution> {
        self.networks.convolution.as_ref()
    }

    /// The convolution, to be changed.
    pub fn convolution_mut(&mut self) -> Option<&mut TokenConvolution> {
        self.networks.convolution.as_mut()
    }

    /// The masked-LM head, where the recipe has that objective.
    pub fn masked_lm_head(&self) -> Option<&MaskedLmHead> {
        self.networks.masked_lm.as_ref().map(|term| &term.head)
    }

    /// Sentence numbers (in the split) of a step, counted from 0.
    pub fn batch_of(&mut self, step: usize) -> Vec<u32> {
        self.order.batch(step)
    }

    /// One step. `sentence` gives a sentence of the split by its number. With `measure` the report also
    /// has alignment, uniformity and the mean cosine of the batch.
    ///
    /// # Errors
    /// A loss that is NaN or infinite, named with its step and objective; sentences that do not fit.
    pub fn step<'a>(&mut self, sentence: &dyn Fn(u32) -> &'a str, measure: bool) -> Result<StepReport> {
        let forward = self.forward(sentence, measure)?;
        let mut report = self.backward(forward)?;
        let mut clock = Clock::start();
        let k = self.step;
        let optimizer = &self.recipe.optimizer;
        self.networks.drop_frozen()?;
        let norm = self.networks.gradient_norm()?;
        if !norm.is_finite() {
            self.networks.clear_gradients();
            return Err(self.failed(format!(
                "the gradient's norm is {norm}; lower optimizer.lr, or raise the objectives' temperature"
            )));
        }
        // RMSprop is Adam without a first moment and without bias correction.
        let (first, bias_correction) = match optimizer.kind {
            OptimizerKind::Adamw => (optimizer.betas[0], optimizer.bias_correction),
            OptimizerKind::Rmsprop => (0.0, false),
        };
        let rule = AdamStep {
            step: k + 1,
            learning_rate: learning_rate(optimizer, k, self.recipe.steps),
            betas: (first, optimizer.betas[1]),
            epsilon: optimizer.eps,
            weight_decay: optimizer.weight_decay,
            gradient_scale: if optimizer.clip > 0.0 { clip_factor(norm, optimizer.clip) } else { 1.0 },
            bias_correction,
        };
        self.networks.step(&rule)?;
        self.step += 1;
        self.follow(MomentumUpdate::AfterStep)?;
        report.learning_rate = rule.learning_rate;
        report.gradient_norm = norm;
        report.times.update += clock.lap();
        Ok(report)
    }

    /// The momentum tower's average, if this is its time.
    fn follow(&mut self, now: MomentumUpdate) -> Result<()> {
        let Networks { encoder, head, momentum, .. } = &mut self.networks;
        match momentum.as_mut().filter(|tower| tower.rule.update == now) {
            Some(tower) => tower.follow(encoder.as_ref(), head.as_ref(), self.step),
            None => Ok(()),
        }
    }

    fn failed(&self, reason: String) -> Error {
        Error::Training { step: self.step + 1, reason }
    }

    /// The stream of one purpose at this step.
    fn step_stream(&self, purpose: u64) -> Stream {
        self.stream.with(purpose).with(self.step as u64)
    }

    fn dropout(&self, tower: u64, number: usize, rate: f64) -> Dropout {
        let stream = self.step_stream(purpose::DROPOUT).with(tower).with(number as u64);
        Dropout { hidden: rate, attention: rate, stream }
    }
}
