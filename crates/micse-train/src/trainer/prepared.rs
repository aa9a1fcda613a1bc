//! Everything that a step's passes need before they start.

use std::rc::Rc;

use micse_losses::Selection;
use micse_model::{AttentionPosition, Dropout};

use super::chunks::{Chunks, Wanted};
use super::seen::{StepStart, Tokenized};
use super::views::{self, Input, PassSpec};
use super::{Trainer, purpose};
use crate::Result;

/// The leaves that each pass must return, and its batch in chunks.
pub(super) struct Prepared {
    pub(super) inputs: Vec<Input>,
    pub(super) chunks: Vec<Rc<Chunks>>,
    pub(super) dropout: Vec<Dropout>,
    pub(super) sentences: Tokenized,
    /// The attention positions of each objective; `None` if it reads none.
    pub(super) selections: Vec<Option<Selection>>,
    /// The layers whose token states each pass returns.
    pub(super) states: Vec<Vec<usize>>,
}

impl Trainer {
    /// Draws dropout and attention positions, and splits the batch into chunks.
    pub(super) fn prepare(&self, inputs: Vec<Input>, sentences: Tokenized) -> Result<Prepared> {
        let rate = |pass: &PassSpec| self.recipe.views[pass.view].dropout;
        let dropout: Vec<Dropout> = self
            .passes
            .iter()
            .map(|pass| self.dropout(pass.encodes.coordinate(), pass.number, rate(pass)))
            .collect();
        let partner = views::partner(&self.passes);
        let start = StepStart { trainer: self, inputs: &inputs, dropout: &dropout, sentences: &sentences };
        let stream = self.step_stream(purpose::ATTENTION_SAMPLES);
        let mut selections = Vec::with_capacity(self.recipe.objectives.len());
        let mut drawn = 0;
        for term in self.terms() {
            let (_, term) = term?;
            let selection = term.attention(&start, stream.with(drawn)).map_err(|e| self.term_failed(e))?;
            drawn += u64::from(selection.is_some());
            selections.push(selection);
        }
        let attention = Rc::new(selections.iter().flatten().flat_map(positions).collect::<Vec<_>>());
        let states = (0..self.passes.len()).map(|pass| self.states(pass)).collect::<Result<Vec<_>>>()?;
        let mut chunks: Vec<Rc<Chunks>> = Vec::with_capacity(self.passes.len());
        for (number, pass) in self.passes.iter().enumerate() {
            let wanted = Wanted {
                pooling: Some(self.recipe.train_pooling()),
                states: states[number].clone(),
                attention: if number == 0 || Some(number) == partner {
                    Rc::clone(&attention)
                } else {
                    Rc::default()
                },
            };
            // Passes with the same input and the same leaves share their chunks.
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
        Ok(Prepared { inputs, chunks, dropout, sentences, selections, states })
    }

    /// The layers whose token states a term or the convolution reads from a pass, in order.
    fn states(&self, pass: usize) -> Result<Vec<usize>> {
        let depth = self.networks.encoder().config().num_hidden_layers;
        let mut layers = Vec::new();
        if pass == 0 && self.networks.convolution().is_some() {
            layers.push(depth);
        }
        for term in self.terms() {
            let (_, term) = term?;
            layers.extend(term.states(pass, depth));
        }
        layers.sort_unstable();
        layers.dedup();
        Ok(layers)
    }
}

impl Prepared {
    /// The step as terms see it before the passes run.
    pub(super) fn start<'a>(&'a self, trainer: &'a Trainer) -> StepStart<'a> {
        StepStart { trainer, inputs: &self.inputs, dropout: &self.dropout, sentences: &self.sentences }
    }
}

/// A selection's positions in the encoder's form.
fn positions(selection: &Selection) -> Vec<AttentionPosition> {
    let convert = |p: &micse_losses::Position| AttentionPosition {
        sentence: p.sentence,
        layer: p.layer,
        head: p.head,
        query: p.query,
        key: p.key,
    };
    selection.positions.iter().map(convert).collect()
}
