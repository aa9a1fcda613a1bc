//! The trainer: one recipe, one encoder, one split, step by step.
//!
//! A step:
//! 1. encodes every view, and view 1's tokens by a momentum encoder that no view uses;
//! 2. computes the loss against the current queue;
//! 3. appends the momentum encoder's embeddings to the queue;
//! 4. runs the backward pass, clips the gradient and takes an optimizer step;
//! 5. updates the momentum copy.
//!
//! Everything random is a function of (seed, step), so a resumed run is bit-for-bit identical.

mod checkpoint;
mod chunks;
mod forward;
mod momentum;
mod perturbation;
mod prepared;
mod report;
mod schedule;
mod seen;
mod terms;
mod views;

use std::num::NonZeroUsize;
use std::rc::Rc;

use candle_core::{Device, Tensor};
use micse_data::{EpochOrder, MaskVocabulary};
use micse_model::{
    AdamStep, Batch, Dropout, Encoder, Head, MaskedLmHead, TokenConvolution, Tokenizer, Trainable,
    clip_factor,
};
use micse_random::Stream;

use crate::masked_lm::mask_vocabulary;
use crate::networks::{NetworkKind, Networks};
use crate::recipe::{Decays, Objective, OptimizerKind, Recipe};
use crate::{Error, Result, Terms};
use chunks::{Chunks, View};
use momentum::MomentumState;
use perturbation::EmbeddingGradient;
use report::Clock;
pub use report::{StepReport, StepTimes};
pub use schedule::learning_rate;
pub use seen::{StepStart, StepView};
use terms::BesideTerm;
use views::PassSpec;
pub(crate) use views::compared;

/// First coordinates of the run's random streams: one per purpose, so that no two purposes share draws.
pub(crate) mod purpose {
    pub(crate) const DROPOUT: u64 = 1;
    pub(crate) const ATTENTION_SAMPLES: u64 = 2;
    // 3, 4, 6, 7 and 9 belong to networks: see `networks/list.rs`.
    pub(crate) const MASKS: u64 = 5;
    pub(crate) const QUEUE: u64 = 8;
    pub(crate) const CHANGES: u64 = 10;
    pub(crate) const VIRTUAL: u64 = 11;
    pub(crate) const REPLACED: u64 = 12;
    pub(crate) const HEAD_DROPOUT: u64 = 13;
}

/// The state of a training run.
pub struct Trainer {
    recipe: Recipe,
    stream: Stream,
    tokenizer: Tokenizer,
    networks: Networks,
    passes: Vec<PassSpec>,
    /// The view of each input.
    inputs: Vec<usize>,
    /// The momentum encoder's rule and queue.
    momentum: Option<MomentumState>,
    /// Set if a term masks tokens.
    masks: Option<MaskVocabulary>,
    terms: Terms,
    sentences: usize,
    order: EpochOrder,
    device: Device,
    chunk: Option<NonZeroUsize>,
    /// Set if a view's noise follows the gradient of the previous batch.
    batch_before: Option<EmbeddingGradient>,
    step: usize,
}

/// The forward half of a step: its loss, and the input of the backward half.
pub struct Forward {
    loss: Tensor,
    beside: Vec<BesideTerm>,
    views: Vec<(Rc<Chunks>, View)>,
    /// The input of the first pass.
    first: Rc<Batch>,
    report: StepReport,
}

impl Forward {
    /// The step's results so far; the results of the backward half are NaN.
    pub fn report(&self) -> &StepReport {
        &self.report
    }
}

impl Trainer {
    /// A trainer at step 0 for a split of `sentences` sentences.
    ///
    /// # Errors
    /// The recipe does not fit this encoder, or the split has fewer than 2 sentences and the recipe no queue, or a part
    /// that is undefined on one sentence.
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
                    "a split of {sentences} sentence(s) has no negatives; use at least 2 sentences, or a recipe with \
                     a queue"
                ),
            });
        }
        let batch_size = recipe.optimizer()?.batch_size;
        if sentences < batch_size {
            tracing::warn!(
                "the split has {sentences} sentences, fewer than a batch of {batch_size}: every step uses all of them"
            );
        }
        if let Some(m) = recipe.momentum.filter(|m| sentences < m.queue + batch_size) {
            let masked = if m.mask_same_sentence { "masked" } else { "counted as negatives" };
            tracing::warn!(
                "the split has {sentences} sentences, fewer than queue and batch together ({}): the queue contains \
                 copies of the batch's own sentences, which are {masked} (momentum.mask_same_sentence)",
                m.queue + batch_size
            );
        }
        let stream = Stream::new(seed);
        let invalid = |reason: String| Error::Recipe { name: recipe.name.clone(), reason };
        recipe.check_encoder(encoder.config())?;
        let masks = recipe.objectives.iter().any(|o| o.needs().masks);
        let masks = if masks { Some(mask_vocabulary(&tokenizer)?) } else { None };
        let networks = Networks::new(&recipe, encoder, stream, device)?;
        networks.check_groups().map_err(invalid)?;
        let momentum = match recipe.momentum {
            Some(rule) => Some(MomentumState::new(rule, &networks, stream, device)?),
            None => None,
        };
        let order = EpochOrder::new(sentences, batch_size, seed);
        let (passes, inputs) = views::passes(&recipe);
        let device = device.clone();
        let part = recipe.needs_two_sentences();
        let trainer = Self {
            recipe,
            stream,
            tokenizer,
            networks,
            passes,
            inputs,
            momentum,
            masks,
            terms: Terms::none(),
            sentences,
            order,
            device,
            chunk: None,
            batch_before: None,
            step: 0,
        };
        if let Some(part) = part { trainer.in_twos(part) } else { Ok(trainer) }
    }

    /// Keeps single sentences out of the batches, for a part of the recipe that is undefined on them.
    fn in_twos(self, part: &str) -> Result<Self> {
        let batch_size = self.recipe.optimizer()?.batch_size;
        if self.sentences.min(batch_size) < 2 {
            return Err(Error::Recipe {
                name: self.recipe.name,
                reason: format!(
                    "{part} needs at least 2 sentences in every batch, but the split has {} sentence(s) and \
                     optimizer.batch_size is {batch_size}; raise the one that is 1",
                    self.sentences
                ),
            });
        }
        let order = self.order.joining_a_single();
        if order.is_joined() && self.recipe.steps >= order.steps_per_epoch() {
            tracing::warn!(
                "{} sentences in batches of {batch_size} leave one for the last batch of an epoch, but {part} needs at \
                 least 2: it joins the batch before it",
                self.sentences
            );
        }
        Ok(Self { order, ..self })
    }

    /// Replaces the new masked-LM head with a trained one, if the recipe has that objective.
    #[must_use]
    pub fn with_masked_lm_head(mut self, head: MaskedLmHead) -> Self {
        self.networks.set_masked_lm_head(&self.recipe, NetworkKind::MaskedLmHead, head);
        self
    }

    /// Sets the generator's masked-LM head, if the recipe uses replaced-token detection.
    #[must_use]
    pub fn with_generator_head(mut self, head: MaskedLmHead) -> Self {
        self.networks.set_masked_lm_head(&self.recipe, NetworkKind::GeneratorHead, head);
        self
    }

    /// Adds the recipe's custom terms.
    ///
    /// # Errors
    /// The recipe names an unknown term, or lacks what a term needs.
    pub fn with_terms(self, terms: Terms) -> Result<Self> {
        terms.check(&self.recipe)?;
        let trainer = Self { terms, ..self };
        let mut part = None;
        for term in trainer.terms() {
            let (objective, term) = term?;
            let fits = term.check_encoder(trainer.encoder().config());
            fits.map_err(|e| Error::Recipe { name: trainer.recipe.name.clone(), reason: e.to_string() })?;
            // The order already follows the recipe's other terms.
            if matches!(objective, Objective::Custom(_)) && term.needs().two_sentences {
                part = Some(term.name());
            }
        }
        if let Some(part) = part { trainer.in_twos(part) } else { Ok(trainer) }
    }

    /// Encodes batches in chunks of `sentences` sentences, each twice: less memory, the same gradients up to rounding.
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
        self.networks.encoder()
    }

    /// The online encoder, mutably.
    pub fn encoder_mut(&mut self) -> &mut dyn Encoder {
        self.networks.encoder_mut()
    }

    /// The second encoder, if the recipe has one.
    pub fn second(&self) -> Option<&dyn Encoder> {
        self.networks.encoder_of(NetworkKind::Second)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The networks that learn, by name: `encoder` first, then the recipe's others.
    pub fn networks(&self) -> Vec<(&'static str, &dyn Trainable)> {
        self.networks.trained().map(|(kind, network)| (kind.name(), network)).collect()
    }

    /// The training head.
    pub fn head(&self) -> Option<&Head> {
        self.networks.head(NetworkKind::Head)
    }

    /// The convolution over tokens, part of the finished model.
    pub fn convolution(&self) -> Option<&TokenConvolution> {
        self.networks.convolution()
    }

    /// The convolution, mutably.
    pub fn convolution_mut(&mut self) -> Option<&mut TokenConvolution> {
        self.networks.convolution_mut()
    }

    /// The masked-LM head, if the recipe has that objective.
    pub fn masked_lm_head(&self) -> Option<&MaskedLmHead> {
        self.networks.masked_lm_head(NetworkKind::MaskedLmHead)
    }

    /// The sentences of a step (counted from 0), as numbers in the split.
    pub fn batch_of(&mut self, step: usize) -> Vec<u32> {
        self.order.batch(step)
    }

    /// One step. `sentence` returns a sentence of the split by its number. With `measure` the report also contains
    /// alignment, uniformity and the mean cosine of the batch.
    ///
    /// # Errors
    /// A loss is NaN or infinite (the error names step and objective), or sentences do not fit the encoder.
    pub fn step<'a>(&mut self, sentence: &dyn Fn(u32) -> &'a str, measure: bool) -> Result<StepReport> {
        let forward = self.forward(sentence, measure)?;
        let mut report = self.backward(forward)?;
        let mut clock = Clock::start();
        let k = self.step;
        self.networks.drop_frozen()?;
        let norm = self.networks.gradient_norm()?;
        if !norm.is_finite() {
            self.networks.clear_gradients();
            return Err(self.failed(format!(
                "the gradient norm is {norm}; lower optimizer.lr, or raise the objectives' temperature"
            )));
        }
        let optimizer = self.recipe.optimizer()?;
        let rule = AdamStep {
            step: k + 1,
            learning_rate: learning_rate(optimizer, k, self.recipe.steps),
            betas: optimizer.moment_decays(),
            epsilon: optimizer.eps,
            weight_decay: optimizer.weight_decay,
            decay_all: optimizer.decays == Decays::All,
            gradient_scale: if optimizer.clip > 0.0 { clip_factor(norm, optimizer.clip) } else { 1.0 },
            // RMSprop is Adam without a first moment and without bias correction.
            bias_correction: optimizer.kind == OptimizerKind::Adamw && optimizer.bias_correction,
        };
        self.networks.step(&rule)?;
        self.step += 1;
        if let Some(momentum) = &self.momentum {
            momentum.follow(&mut self.networks, self.step)?;
        }
        report.learning_rate = rule.learning_rate;
        report.gradient_norm = norm;
        report.times.update += clock.lap();
        Ok(report)
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
