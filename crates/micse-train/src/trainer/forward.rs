//! The two halves of a step: from sentences to the loss, and back to the gradients.

use std::rc::Rc;

use candle_core::Tensor;
use micse_model::{Dropout, HeadPass, Mode};

use super::chunks::{Chunks, How, Reached, Towers, View, Wanted};
use super::perturbation::EmbeddingGradient;
use super::prepared::Prepared;
use super::report::Clock;
use super::seen::Tokenized;
use super::views::{Encodes, InputMaker, PassSpec, Sentences};
use super::{Forward, StepReport, Trainer, purpose};
use crate::Result;
use crate::networks::NetworkKind;
use crate::recipe::{HeadRows, Momentum, PerturbationBy, SecondKind};

impl Trainer {
    /// The forward half of a step. It appends the momentum encoder's embeddings to the queue.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn forward<'a>(&mut self, sentence: &dyn Fn(u32) -> &'a str, measure: bool) -> Result<Forward> {
        let mut clock = Clock::start();
        let numbers = self.order.batch(self.step);
        let texts: Vec<&str> = numbers.iter().map(|&i| sentence(i)).collect();
        let ids = self.tokenizer.encode_all(&texts, self.recipe.token_limit())?;
        let sentences = Sentences { numbers: &numbers, texts: &texts, ids: &ids };
        let maker = InputMaker {
            recipe: &self.recipe,
            tokenizer: &self.tokenizer,
            config: self.networks.encoder().config(),
            device: &self.device,
            split: self.sentences,
            stream: self.stream.with(purpose::CHANGES),
            step: self.step,
        };
        let inputs = maker.make(&self.inputs, &sentences, sentence)?;
        let mut report = StepReport::new(self.step + 1, &inputs[0].batch);
        report.times.tokenize = clock.lap();

        let prepared = self.prepare(inputs, Tokenized { numbers, ids })?;
        report.times.objectives = clock.lap();
        let noise = self.noise(&prepared)?;
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
        let beside = self.beside(&prepared)?;
        report.times.encode = clock.lap();

        let (rows, tokens) = self.rows(&views, &prepared, false)?;
        if measure {
            // Alignment needs two views of each sentence; most rows of a pair batch belong to different sentences.
            let pairs = prepared.inputs.iter().any(|input| input.positive.is_some());
            report.measure(&rows[0], rows.get(1).filter(|_| !pairs))?;
        }
        report.loss = 0.0;
        let loss = self.objectives(&prepared, &views, (&rows, tokens.as_ref()), &mut report)?;
        for term in &beside {
            term.report(&mut report);
        }
        let momentum_view = self.passes.iter().position(|pass| pass.encodes == Encodes::Momentum);
        let keys = keys.or_else(|| momentum_view.map(|pass| rows[pass].detach()));
        if let (Some(momentum), Some(keys)) = (&mut self.momentum, &keys)
            && momentum.rule.queue > 0
        {
            momentum.queue.push(keys, &prepared.sentences.numbers)?;
        }
        report.times.objectives += clock.lap();
        let first = Rc::clone(&prepared.inputs[self.passes[0].input].batch);
        let views = prepared.chunks.into_iter().zip(views).collect();
        Ok(Forward { loss, beside, views, first, report })
    }

    /// The backward half: the networks collect the gradients of all parameters.
    ///
    /// # Errors
    /// The tensor library fails.
    pub fn backward(&mut self, forward: Forward) -> Result<StepReport> {
        let mut clock = Clock::start();
        let Forward { loss, beside, views, first, mut report } = forward;
        let leaves = loss.backward()?;
        // Free the objectives' graph before the encoder's backward pass allocates memory.
        drop(loss);
        self.networks.collect_from_objectives(&leaves)?;
        report.times.objectives += clock.lap();
        for (number, (pass, (chunks, view))) in self.passes.iter().zip(views).enumerate() {
            if !view.trained() {
                continue;
            }
            let reached = match self.networks.online_and(pass.encodes.network()) {
                (online, Some(momentum)) if pass.encodes == Encodes::Momentum => {
                    Reached { encodes: momentum, embeds: Some(online) }
                }
                (_, Some(second)) => Reached { encodes: second, embeds: None },
                (online, None) => Reached { encodes: online, embeds: None },
            };
            let gradient = chunks.backward(reached, view, &leaves)?;
            if let Some(gradient) = gradient.filter(|_| number == 0) {
                self.batch_before = Some(EmbeddingGradient::new(gradient, &first));
            }
        }
        self.networks.clear_passed_through();
        for term in &beside {
            term.backward(self)?;
        }
        report.times.backward = clock.lap();
        Ok(report)
    }

    /// Whether a pass is cut after its embeddings: the gradient there is needed itself, or the embeddings belong to a
    /// different network than the layers after them.
    fn is_cut(&self, number: usize, pass: &PassSpec) -> bool {
        let kept = |pass: &PassSpec| {
            let view = &self.recipe.views[pass.view];
            view.perturbation.is_some() && view.perturbation_by == PerturbationBy::BatchBefore
        };
        pass.encodes == Encodes::Momentum || (number == 0 && self.passes.iter().any(kept))
    }

    pub(super) fn mode(&self, pass: &PassSpec, dropout: Dropout) -> Mode {
        match (pass.encodes, &self.momentum) {
            (Encodes::Momentum, Some(momentum)) => momentum.mode(dropout),
            _ => Mode::Training(dropout),
        }
    }

    fn is_trained(&self, pass: &PassSpec) -> bool {
        match pass.encodes {
            Encodes::Online => true,
            Encodes::Momentum => self.recipe.momentum.is_some_and(|m: Momentum| !m.stop_gradient),
            Encodes::Second => self.recipe.second.is_some_and(|s| s.kind == SecondKind::Trained),
        }
    }

    pub(super) fn towers(&self, pass: &PassSpec) -> Towers<'_> {
        let online = self.networks.encoder();
        let encodes = self.networks.encoder_of(pass.encodes.network()).unwrap_or(online);
        let shared = self.recipe.views[pass.view].online_embeddings;
        Towers { embeds: if shared { online } else { encodes }, encodes }
    }

    /// The momentum encoder's rows for view 1's tokens, if it has a queue to fill and encodes no view.
    fn queue_rows(&self, prepared: &Prepared) -> Result<Option<Tensor>> {
        let encoder = self.networks.encoder_of(NetworkKind::Momentum);
        let (Some(momentum), Some(encoder)) = (&self.momentum, encoder) else { return Ok(None) };
        if momentum.rule.queue == 0 || self.passes.iter().any(|pass| pass.encodes == Encodes::Momentum) {
            return Ok(None);
        }
        let dropout = self.dropout(Encodes::Momentum.coordinate(), 0, momentum.rule.dropout.unwrap_or(0.0));
        let plain = Wanted { pooling: Some(self.recipe.train_pooling()), ..Wanted::default() };
        let chunks = Chunks::new(&prepared.inputs[0], self.chunk, &plain, &self.device)?;
        let rows = momentum.rows(encoder, &chunks, dropout)?;
        let noise = self.step_stream(purpose::HEAD_DROPOUT).with(QUEUE_PASS);
        momentum.head_rows(&self.networks, &rows, noise, false).map(Some)
    }

    /// The rows of every pass after the heads, and the first pass's tokens after the convolution. With `attached`, a
    /// momentum view's rows stay in the graph, even if the recipe stops its gradient.
    pub(super) fn rows(
        &self,
        views: &[View],
        prepared: &Prepared,
        attached: bool,
    ) -> Result<(Vec<Tensor>, Option<Tensor>)> {
        let missing = || micse_model::Error::Input("the encoder returned no pooled rows".into());
        let pooled = views
            .iter()
            .map(|view| Ok(view.rows.clone().ok_or_else(missing)?))
            .collect::<Result<Vec<_>>>()?;
        let dropout = self.step_stream(purpose::HEAD_DROPOUT);
        let through = |head: NetworkKind, rows: &Tensor, pass: u64| -> Result<Tensor> {
            match self.networks.head(head) {
                Some(head) => {
                    let dropout = Some(dropout.with(pass));
                    Ok(head.forward(rows, HeadPass { gradients: true, dropout })?)
                }
                None => Ok(rows.clone()),
            }
        };
        if let Some(convolution) = self.networks.convolution() {
            let batch = &prepared.inputs[self.passes[0].input].batch;
            let lengths: Vec<usize> = (0..batch.sentences()).map(|b| batch.rows_of(b)).collect();
            let states = views[0].states.last().ok_or_else(missing)?;
            let tokens = convolution.tokens(states, &lengths)?;
            let rows = micse_model::mean_of_tokens(&tokens, &lengths)?;
            return Ok((vec![rows], Some(tokens)));
        }
        let head = NetworkKind::Head;
        let mut rows = match self.recipe.head_rows {
            HeadRows::EachView => self
                .passes
                .iter()
                .zip(&pooled)
                .zip(0_u64..)
                .map(|((pass, rows), number)| match (pass.encodes, &self.momentum) {
                    (Encodes::Momentum, Some(momentum)) => {
                        momentum.head_rows(&self.networks, rows, dropout.with(number), attached)
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
                *rows = through(NetworkKind::Predictor, rows, number)?;
            }
        }
        Ok((rows, None))
    }
}

/// The queue's coordinate in head dropout, beyond the coordinates of passes.
const QUEUE_PASS: u64 = 1 << 32;
const PREDICTOR_PASS: u64 = 1 << 33;
