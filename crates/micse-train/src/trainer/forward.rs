//! The two halves of a step: from sentences to the loss, and back to the gradients.

use std::rc::Rc;

use candle_core::Tensor;
use micse_model::{Dropout, Head, HeadPass, Mode, Padding};

use super::chunks::{Chunks, How, Reached, Towers, View, Wanted};
use super::masked::MaskedLoss;
use super::perturbation::EmbeddingGradient;
use super::prepared::Prepared;
use super::report::Clock;
use super::views::{Encodes, InputMaker, PassSpec, Sentences};
use super::{Forward, StepReport, Trainer, purpose};
use crate::recipe::{HeadRows, Momentum, MomentumUpdate, PerturbationBy, SecondKind};
use crate::{Error, Result};

impl Trainer {
    /// The forward half of a step. The momentum tower's embeddings have joined the queue when it returns.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn forward<'a>(&mut self, sentence: &dyn Fn(u32) -> &'a str, measure: bool) -> Result<Forward> {
        let mut clock = Clock::start();
        let numbers = self.order.batch(self.step);
        let texts: Vec<&str> = numbers.iter().map(|&i| sentence(i)).collect();
        let ids = self.tokenizer.encode_all(&texts, self.recipe.max_length)?;
        let sentences = Sentences { numbers: &numbers, texts: &texts, ids: &ids };
        let maker = InputMaker {
            recipe: &self.recipe,
            tokenizer: &self.tokenizer,
            config: self.networks.encoder.config(),
            device: &self.device,
            split: self.sentences,
            stream: self.stream.with(purpose::CHANGES),
            step: self.step,
        };
        let inputs = maker.make(&self.inputs, &sentences, sentence)?;
        let mut report = StepReport::new(self.step + 1, &inputs[0].batch);
        report.times.tokenize = clock.lap();
        self.follow(MomentumUpdate::BeforeStep)?;
        report.times.update = clock.lap();

        let prepared = self.prepare(inputs, &ids)?;
        report.times.objectives = clock.lap();
        let noise = self.noise(&prepared, &numbers)?;
        let mut views = Vec::with_capacity(self.passes.len());
        for (number, pass) in self.passes.iter().enumerate() {
            let how = How {
                mode: self.mode(pass, prepared.dropout[number]),
                trained: self.is_trained(pass),
                noise: noise.iter().find(|(n, _)| *n == number).map(|(_, noise)| noise),
                cut: self.is_cut(number, pass),
            };
            views.push(prepared.chunks[number].encode(self.towers(pass), how)?);
        }
        let keys = self.queue_rows(&prepared)?;
        let masked = self.masked(&ids)?;
        report.times.encode = clock.lap();

        let (rows, tokens) = self.rows(&views, &prepared, false)?;
        if measure {
            // Rows of a pair batch are mostly those of different sentences, which have no alignment.
            let pairs = prepared.inputs.iter().any(|input| input.positive.is_some());
            report.measure(&rows[0], rows.get(1).filter(|_| !pairs))?;
        }
        report.loss = 0.0;
        let loss =
            self.objectives(&prepared.seen(self, &views, &rows, tokens.as_ref(), &numbers), &mut report)?;
        if let Some(masked) = &masked {
            report.terms.push(("masked-lm", masked.value));
            report.loss += masked.weighted();
        }
        let momentum_view = self.passes.iter().position(|pass| pass.encodes == Encodes::Momentum);
        let keys = keys.or_else(|| momentum_view.map(|pass| rows[pass].detach()));
        if let (Some(tower), Some(keys)) = (&mut self.networks.momentum, &keys)
            && tower.rule.queue > 0
        {
            tower.queue.push(keys, &numbers)?;
        }
        report.times.objectives += clock.lap();
        let first = Rc::clone(&prepared.inputs[self.passes[0].input].batch);
        let views = prepared.chunks.into_iter().zip(views).collect();
        Ok(Forward { loss, masked, views, first, report })
    }

    /// The backward half: gradients of all parameters are collected in the networks.
    ///
    /// # Errors
    /// The tensor library fails.
    pub fn backward(&mut self, forward: Forward) -> Result<StepReport> {
        let mut clock = Clock::start();
        let Forward { loss, masked, views, first, mut report } = forward;
        let leaves = loss.backward()?;
        // The objectives' graph is done with: its memory is the encoder's now.
        drop(loss);
        self.networks.collect_from_objectives(&leaves)?;
        report.times.objectives += clock.lap();
        for (number, (pass, (chunks, view))) in self.passes.iter().zip(views).enumerate() {
            if !view.trained() {
                continue;
            }
            let online = self.networks.encoder.as_mut();
            let reached = match (pass.encodes, &mut self.networks.second, &mut self.networks.momentum) {
                (Encodes::Second, Some(second), _) => {
                    Reached { encodes: second.encoder.as_mut(), embeds: None }
                }
                (Encodes::Momentum, _, Some(tower)) => {
                    Reached { encodes: tower.encoder.as_mut(), embeds: Some(online) }
                }
                _ => Reached { encodes: online, embeds: None },
            };
            let gradient = chunks.backward(reached, view, &leaves)?;
            if let Some(gradient) = gradient.filter(|_| number == 0) {
                self.batch_before = Some(EmbeddingGradient::new(gradient, &first));
            }
        }
        // The momentum copy's layers were only gone through.
        if let Some(tower) = &mut self.networks.momentum {
            tower.encoder.clear_gradients();
        }
        if let (Some(term), Some(masked)) = (&mut self.networks.masked_lm, &masked) {
            term.backward(self.networks.encoder.as_mut(), masked)?;
        }
        self.parameter_distance_backward()?;
        report.times.backward = clock.lap();
        Ok(report)
    }

    /// Whether the gradient by a pass's embeddings is wanted for itself, or belongs to another network than what lies
    /// behind it does.
    fn is_cut(&self, number: usize, pass: &PassSpec) -> bool {
        let kept = |pass: &PassSpec| {
            let view = &self.recipe.views[pass.view];
            view.perturbation.is_some() && view.perturbation_by == PerturbationBy::BatchBefore
        };
        pass.encodes == Encodes::Momentum || (number == 0 && self.passes.iter().any(kept))
    }

    pub(super) fn mode(&self, pass: &PassSpec, dropout: Dropout) -> Mode {
        match (pass.encodes, &self.networks.momentum) {
            (Encodes::Momentum, Some(tower)) => tower.mode(dropout),
            _ => Mode::Training(dropout),
        }
    }

    fn is_trained(&self, pass: &PassSpec) -> bool {
        match pass.encodes {
            Encodes::Online => true,
            Encodes::Momentum => self.recipe.momentum.is_some_and(|m: Momentum| !m.stop_gradient),
            Encodes::Second => self.networks.second.as_ref().is_some_and(|s| s.kind == SecondKind::Trained),
        }
    }

    pub(super) fn towers(&self, pass: &PassSpec) -> Towers<'_> {
        let online = self.networks.encoder.as_ref();
        let encodes = match (pass.encodes, &self.networks.second, &self.networks.momentum) {
            (Encodes::Second, Some(second), _) => second.encoder.as_ref(),
            (Encodes::Momentum, _, Some(tower)) => tower.encoder.as_ref(),
            _ => online,
        };
        let shared = self.recipe.views[pass.view].online_embeddings;
        Towers { embeds: if shared { online } else { encodes }, encodes }
    }

    /// The momentum tower's rows of view 1's tokens, where it has a queue to fill and no view of its own.
    fn queue_rows(&self, prepared: &Prepared) -> Result<Option<Tensor>> {
        let Some(tower) = &self.networks.momentum else { return Ok(None) };
        if tower.rule.queue == 0 || self.passes.iter().any(|pass| pass.encodes == Encodes::Momentum) {
            return Ok(None);
        }
        let dropout = self.dropout(Encodes::Momentum.coordinate(), 0, tower.rule.dropout);
        let plain = Wanted { pooling: Some(self.recipe.pooling.train), ..Wanted::default() };
        let chunks = Chunks::new(&prepared.inputs[0], self.chunk, &plain, &self.device)?;
        let rows = tower.rows(&chunks, dropout)?;
        let noise = self.step_stream(purpose::HEAD_DROPOUT).with(QUEUE_PASS);
        tower.head_rows(&rows, self.networks.head.as_ref(), noise, false).map(Some)
    }

    /// The rows of every pass behind the heads, and the first pass's tokens behind the convolution. `attached`: a momentum
    /// view's rows are in its graph, whatever the recipe says of its gradient.
    pub(super) fn rows(
        &self,
        views: &[View],
        prepared: &Prepared,
        attached: bool,
    ) -> Result<(Vec<Tensor>, Option<Tensor>)> {
        let missing = || micse_model::Error::Input("the encoder gave no pooled rows".into());
        let pooled = views
            .iter()
            .map(|view| Ok(view.rows.clone().ok_or_else(missing)?))
            .collect::<Result<Vec<_>>>()?;
        let dropout = self.step_stream(purpose::HEAD_DROPOUT);
        let through = |head: &Option<Head>, rows: &Tensor, pass: u64| -> Result<Tensor> {
            match head {
                Some(head) => {
                    let dropout = Some(dropout.with(pass));
                    Ok(head.forward(rows, HeadPass { gradients: true, dropout })?)
                }
                None => Ok(rows.clone()),
            }
        };
        if let Some(convolution) = &self.networks.convolution {
            let batch = &prepared.inputs[self.passes[0].input].batch;
            let lengths: Vec<usize> = (0..batch.sentences()).map(|b| batch.rows_of(b)).collect();
            let states = views[0].states.first().ok_or_else(missing)?;
            let tokens = convolution.tokens(states, &lengths)?;
            let rows = micse_model::mean_of_tokens(&tokens, &lengths)?;
            return Ok((vec![rows], Some(tokens)));
        }
        let head = &self.networks.head;
        let mut rows = match self.recipe.head_rows {
            HeadRows::EachView => self
                .passes
                .iter()
                .zip(&pooled)
                .zip(0_u64..)
                .map(|((pass, rows), number)| match (pass.encodes, &self.networks.momentum) {
                    (Encodes::Momentum, Some(tower)) => {
                        tower.head_rows(rows, head.as_ref(), dropout.with(number), attached)
                    }
                    _ => through(head, rows, number),
                })
                .collect::<Result<Vec<_>>>()?,
            HeadRows::AllViews => {
                let together = through(head, &Tensor::cat(&pooled, 0)?, 0)?;
                together.chunk(pooled.len(), 0)?
            }
        };
        for ((pass, rows), number) in self.passes.iter().zip(&mut rows).zip(PREDICTOR_PASS..) {
            if pass.encodes == Encodes::Online {
                *rows = through(&self.networks.predictor, rows, number)?;
            }
        }
        Ok((rows, None))
    }

    /// The masked-LM loss of the batch's sentences, with the dropout rate of view 1 and draws of its own.
    fn masked(&self, ids: &[Vec<u32>]) -> Result<Option<MaskedLoss>> {
        let Some(term) = &self.networks.masked_lm else { return Ok(None) };
        let rate = self.recipe.views[0].dropout;
        let dropout = self.dropout(Encodes::Online.coordinate(), self.passes.len(), rate);
        let masks = self.step_stream(purpose::MASKS);
        let padding: Padding = self.recipe.padding.into();
        term.loss(self.networks.encoder.as_ref(), ids, padding, dropout, masks).map_err(|e| match e {
            Error::Loss(e @ micse_losses::Error::NotFinite { .. }) => self.failed(e.to_string()),
            other => other,
        })
    }
}

/// Coordinates of head dropout beyond those of the passes.
const QUEUE_PASS: u64 = 1 << 32;
const PREDICTOR_PASS: u64 = 1 << 33;
