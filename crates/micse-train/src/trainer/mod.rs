//! The trainer: one recipe, one encoder, one split, step by step.
//!
//! A step: online passes on every view; the momentum pass on view 1's tokens; the loss against the queue
//! as it stood; the momentum tower's embeddings join the queue; backward, clip, optimizer; the momentum copy
//! follows.
//! Everything random is a function of (seed, step), so a resumed run repeats what it would have done.

mod attention;
mod checkpoint;
mod chunks;
mod masked;
mod momentum;
mod objectives;
mod report;
mod schedule;

use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use micse_data::EpochOrder;
use micse_losses::Selection;
use micse_model::{
    AdamStep, Batch, Dropout, Encoder, MaskedLmHead, TanhMlp, Tokenizer, Trainable, clip_factor,
};
use micse_random::Stream;

use crate::recipe::{Head, MomentumUpdate, Recipe};
use crate::{Error, Result};
use attention::AmiTerm;
use chunks::{Chunks, View};
use masked::{MaskedLoss, MaskedTerm};
use momentum::MomentumTower;
use report::Clock;
pub use report::{StepReport, StepTimes};
pub use schedule::learning_rate;

/// What the coordinates of the run's streams mean; a purpose never shares its draws with another.
mod purpose {
    pub(super) const DROPOUT: u64 = 1;
    pub(super) const ATTENTION_SAMPLES: u64 = 2;
    pub(super) const HEAD: u64 = 3;
    pub(super) const MASKED_LM_HEAD: u64 = 4;
    pub(super) const MASKS: u64 = 5;
}
/// Towers in the dropout key.
const ONLINE: u64 = 0;
const MOMENTUM: u64 = 1;

/// The state of a training run.
pub struct Trainer {
    recipe: Recipe,
    stream: Stream,
    tokenizer: Tokenizer,
    encoder: Box<dyn Encoder>,
    head: Option<TanhMlp>,
    momentum: Option<MomentumTower>,
    ami: Vec<AmiTerm>,
    masked_lm: Option<MaskedTerm>,
    order: EpochOrder,
    device: Device,
    chunk: Option<NonZeroUsize>,
    step: usize,
}

/// The forward half of a step: its loss, and what the backward half needs.
pub struct Forward {
    loss: Tensor,
    masked: Option<MaskedLoss>,
    chunks: Chunks,
    views: Vec<View>,
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
        let head = match recipe.head {
            Head::None => None,
            Head::TanhMlp => {
                Some(TanhMlp::new(encoder.config().hidden_size, stream.with(purpose::HEAD), device)?)
            }
        };
        let momentum = match recipe.momentum {
            Some(rule) => Some(MomentumTower::new(rule, encoder.as_ref(), head.as_ref())?),
            None => None,
        };
        let ami =
            recipe.ami().map(|a| AmiTerm::new(&recipe.name, a, encoder.config())).collect::<Result<_>>()?;
        let masked_lm = match recipe.masked_lm() {
            Some(term) => {
                let stream = stream.with(purpose::MASKED_LM_HEAD);
                Some(MaskedTerm::new(term, encoder.as_ref(), &tokenizer, stream, device)?)
            }
            None => None,
        };
        let order = EpochOrder::new(sentences, recipe.optimizer.batch_size, seed);
        let device = device.clone();
        let chunk = None;
        Ok(Self {
            recipe,
            stream,
            tokenizer,
            encoder,
            head,
            momentum,
            ami,
            masked_lm,
            order,
            device,
            chunk,
            step: 0,
        })
    }

    /// Takes a trained masked-LM head in place of the new one, where the recipe has that objective.
    #[must_use]
    pub fn with_masked_lm_head(mut self, head: MaskedLmHead) -> Self {
        if let Some(term) = &mut self.masked_lm {
            term.head = head;
        }
        self
    }

    /// Encodes batches in chunks of so many sentences, each twice: memory is that of a chunk, gradients are
    /// those of the whole batch but for rounding.
    ///
    /// # Errors
    /// The recipe has an objective that needs the whole batch's token states.
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
        self.encoder.as_ref()
    }

    /// The online encoder, to be changed.
    pub fn encoder_mut(&mut self) -> &mut dyn Encoder {
        self.encoder.as_mut()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The training head.
    pub fn head(&self) -> Option<&TanhMlp> {
        self.head.as_ref()
    }

    /// The masked-LM head, where the recipe has that objective.
    pub fn masked_lm_head(&self) -> Option<&MaskedLmHead> {
        self.masked_lm.as_ref().map(|term| &term.head)
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
        let norm = self.gradient_norm()?;
        if !norm.is_finite() {
            self.encoder.clear_gradients();
            if let Some(head) = &mut self.head {
                head.clear_gradients();
            }
            return Err(self.failed(format!(
                "the gradient's norm is {norm}; lower optimizer.lr, or raise objectives.infonce.temperature"
            )));
        }
        let rule = AdamStep {
            step: k + 1,
            learning_rate: learning_rate(optimizer, k, self.recipe.steps),
            betas: (optimizer.betas[0], optimizer.betas[1]),
            epsilon: optimizer.eps,
            weight_decay: optimizer.weight_decay,
            gradient_scale: if optimizer.clip > 0.0 { clip_factor(norm, optimizer.clip) } else { 1.0 },
        };
        self.encoder.step(&rule)?;
        if let Some(head) = &mut self.head {
            head.step(&rule)?;
        }
        if let Some(term) = &mut self.masked_lm {
            term.head.step(&rule)?;
        }
        if let Some(tower) = self.momentum.as_mut().filter(|m| m.rule.update == MomentumUpdate::AfterStep) {
            tower.follow(self.encoder.as_ref(), self.head.as_ref())?;
        }
        self.step += 1;
        report.learning_rate = rule.learning_rate;
        report.gradient_norm = norm;
        report.times.update += clock.lap();
        Ok(report)
    }

    /// The forward half of a step. The momentum tower's embeddings have joined the queue when it returns.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn forward<'a>(&mut self, sentence: &dyn Fn(u32) -> &'a str, measure: bool) -> Result<Forward> {
        let mut clock = Clock::start();
        let numbers = self.order.batch(self.step);
        let sentences: Vec<&str> = numbers.iter().map(|&i| sentence(i)).collect();
        let ids = self.tokenizer.encode_all(&sentences, self.recipe.max_length)?;
        let pad = self.encoder.config().pad_token_id;
        let batch = Batch::padded(&ids, pad, self.recipe.padding.into())?;
        let mut report = StepReport::new(self.step + 1, &batch);
        report.times.tokenize = clock.lap();
        if let Some(tower) = self.momentum.as_mut().filter(|m| m.rule.update == MomentumUpdate::BeforeStep) {
            tower.follow(self.encoder.as_ref(), self.head.as_ref())?;
        }
        report.times.update = clock.lap();

        let dropout: Vec<Dropout> = (0..self.recipe.views.len())
            .map(|v| self.dropout(ONLINE, v, self.recipe.views[v].dropout))
            .collect();
        let selections = self.selections(&batch, [dropout[0], dropout[1]])?;
        let pooling = self.recipe.pooling.train;
        let chunks = Chunks::new(&batch, self.chunk, pooling, &selections, &self.device)?;
        report.times.objectives = clock.lap();
        let views: Vec<View> =
            dropout.iter().map(|view| chunks.encode(self.encoder.as_ref(), *view)).collect::<Result<_>>()?;
        let slow = match &self.momentum {
            Some(tower) => {
                let dropout = self.dropout(MOMENTUM, 0, tower.rule.dropout);
                Some(tower.embed(&chunks, dropout, self.head.as_ref())?)
            }
            None => None,
        };
        let masked = self.masked(&ids)?;
        report.times.encode = clock.lap();

        let rows: Vec<Tensor> = views
            .iter()
            .map(|view| match &self.head {
                Some(head) => Ok(head.forward(&view.rows, true)?),
                None => Ok(view.rows.as_tensor().clone()),
            })
            .collect::<Result<_>>()?;
        if measure {
            report.measure(&rows[0], &rows[1])?;
        }
        let loss = self.objectives(&rows, &views, &selections, &numbers, &mut report)?;
        if let Some(masked) = &masked {
            report.terms.push(("masked-lm", masked.value));
            report.loss += masked.weighted();
        }
        if let (Some(tower), Some(slow)) = (&mut self.momentum, &slow) {
            tower.queue.push(slow, &numbers)?;
        }
        report.times.objectives += clock.lap();
        Ok(Forward { loss, masked, chunks, views, report })
    }

    /// The backward half: gradients of all parameters are collected in encoder and head.
    ///
    /// # Errors
    /// The tensor library fails.
    pub fn backward(&mut self, forward: Forward) -> Result<StepReport> {
        let mut clock = Clock::start();
        let Forward { loss, masked, chunks, views, mut report } = forward;
        let leaves = loss.backward()?;
        // The objectives' graph is done with: its memory is the encoder's now.
        drop(loss);
        if let Some(head) = &mut self.head {
            head.collect_gradients(&leaves)?;
        }
        report.times.objectives += clock.lap();
        for view in views {
            chunks.backward(self.encoder.as_mut(), view, &leaves)?;
        }
        if let (Some(term), Some(masked)) = (&mut self.masked_lm, &masked) {
            term.backward(self.encoder.as_mut(), masked)?;
        }
        report.times.backward = clock.lap();
        Ok(report)
    }

    fn gradient_norm(&self) -> Result<f64> {
        let mut square = self.encoder.gradient_square_norm()?;
        if let Some(head) = &self.head {
            square += head.gradient_square_norm()?;
        }
        if let Some(term) = &self.masked_lm {
            square += term.head.gradient_square_norm()?;
        }
        Ok(square.sqrt())
    }

    fn failed(&self, reason: String) -> Error {
        Error::Training { step: self.step + 1, reason }
    }

    fn dropout(&self, tower: u64, view: usize, rate: f64) -> Dropout {
        let stream = self.stream.with(purpose::DROPOUT).with(self.step as u64).with(tower).with(view as u64);
        Dropout { hidden: rate, attention: rate, stream }
    }

    fn selections(&self, batch: &Batch, dropout: [Dropout; 2]) -> Result<Vec<Selection>> {
        let stream = self.stream.with(purpose::ATTENTION_SAMPLES).with(self.step as u64);
        let draw = |(term, ami): (usize, &AmiTerm)| ami.select(batch, dropout, stream.with(term as u64));
        self.ami.iter().enumerate().map(draw).collect()
    }

    /// The masked-LM loss of the batch's sentences, with the dropout rate of view 1 and draws of its own.
    fn masked(&self, ids: &[Vec<u32>]) -> Result<Option<MaskedLoss>> {
        let Some(term) = &self.masked_lm else { return Ok(None) };
        let dropout = self.dropout(ONLINE, self.recipe.views.len(), self.recipe.views[0].dropout);
        let masks = self.stream.with(purpose::MASKS).with(self.step as u64);
        let padding = self.recipe.padding.into();
        term.loss(self.encoder.as_ref(), ids, padding, dropout, masks).map_err(|e| match e {
            Error::Loss(e @ micse_losses::Error::NotFinite { .. }) => self.failed(e.to_string()),
            other => other,
        })
    }
}
