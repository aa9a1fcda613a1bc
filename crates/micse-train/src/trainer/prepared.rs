//! What a step's passes need to know before they start.

use std::rc::Rc;

use candle_core::Tensor;
use micse_losses::Selection;
use micse_model::Dropout;

use super::attention::{AmiTerm, positions};
use super::chunks::{Chunks, View, Wanted};
use super::objectives::Seen;
use super::replaced::Filled;
use super::views::{self, Input, PassSpec};
use super::{Trainer, purpose};
use crate::Result;
use crate::recipe::Objective;

/// The discriminator's coordinate in the dropout key.
const DISCRIMINATOR: u64 = 3;

/// The leaves that a pass has to give, and the batch in chunks, for every pass.
pub(super) struct Prepared {
    pub(super) inputs: Vec<Input>,
    pub(super) chunks: Vec<Rc<Chunks>>,
    pub(super) dropout: Vec<Dropout>,
    selections: Vec<Selection>,
    filled: Vec<(Filled, Dropout)>,
}

impl Trainer {
    /// What the passes need to know before they start.
    pub(super) fn prepare(&self, inputs: Vec<Input>, ids: &[Vec<u32>]) -> Result<Prepared> {
        let rate = |pass: &PassSpec| self.recipe.views[pass.view].dropout;
        let dropout: Vec<Dropout> = self
            .passes
            .iter()
            .map(|pass| self.dropout(pass.encodes.coordinate(), pass.number, rate(pass)))
            .collect();
        let partner = views::partner(&self.passes);
        let selections: Vec<Selection> = match partner {
            Some(partner) if !self.ami.is_empty() => {
                let view = |pass: usize| (&inputs[self.passes[pass].input], dropout[pass]);
                let views = [view(0), view(partner)];
                let stream = self.step_stream(purpose::ATTENTION_SAMPLES);
                let draw = |(term, ami): (usize, &AmiTerm)| ami.select(views, stream.with(term as u64));
                self.ami.iter().enumerate().map(draw).collect::<Result<_>>()?
            }
            _ => Vec::new(),
        };
        let attention = Rc::new(selections.iter().flat_map(positions).collect::<Vec<_>>());
        let depth = self.networks.encoder.config().num_hidden_layers;
        let guided = self.recipe.objectives.iter().any(|o| matches!(o, Objective::GuideContrast(_)));
        let mut chunks: Vec<Rc<Chunks>> = Vec::with_capacity(self.passes.len());
        for (number, pass) in self.passes.iter().enumerate() {
            let wanted = Wanted {
                pooling: Some(self.recipe.pooling.train),
                states: if number == 0 && self.networks.convolution.is_some() {
                    vec![depth]
                } else if number == 1 && guided {
                    (0..=depth).collect()
                } else {
                    Vec::new()
                },
                attention: if number == 0 || Some(number) == partner {
                    Rc::clone(&attention)
                } else {
                    Rc::default()
                },
            };
            // Passes that read the same and give the same share their chunks.
            let same = |other: &PassSpec| {
                Rc::ptr_eq(&inputs[other.input].batch, &inputs[pass.input].batch)
                    && inputs[other.input].mask.is_none()
                    && inputs[pass.input].mask.is_none()
            };
            let alike = Some(number) == partner && wanted.states.is_empty() && chunks[0].plain();
            if alike && same(&self.passes[0]) {
                chunks.push(Rc::clone(&chunks[0]));
            } else {
                chunks.push(Rc::new(Chunks::new(&inputs[pass.input], self.chunk, &wanted, &self.device)?));
            }
        }
        let filled = self.filled(ids)?;
        Ok(Prepared { inputs, chunks, dropout, selections, filled })
    }

    /// The sentences with replaced tokens, for each of the first two passes.
    fn filled(&self, ids: &[Vec<u32>]) -> Result<Vec<(Filled, Dropout)>> {
        let Some(detector) = &self.networks.replaced else { return Ok(Vec::new()) };
        let stream = self.step_stream(purpose::REPLACED);
        self.passes
            .iter()
            .take(2)
            .enumerate()
            .map(|(number, pass)| {
                let rate = self.recipe.views[pass.view].dropout;
                // The discriminator is a tower of its own, behind those that views go through.
                let dropout = self.dropout(DISCRIMINATOR, number, rate);
                Ok((detector.fill(ids, stream.with(number as u64))?, dropout))
            })
            .collect()
    }
}

impl Prepared {
    pub(super) fn seen<'a>(
        &'a self,
        trainer: &'a Trainer,
        views: &'a [View],
        rows: &'a [Tensor],
        tokens: Option<&'a Tensor>,
        numbers: &'a [u32],
    ) -> Seen<'a> {
        Seen {
            passes: &trainer.passes,
            inputs: &self.inputs,
            views,
            rows,
            tokens,
            selections: &self.selections,
            filled: &self.filled,
            numbers,
        }
    }
}
