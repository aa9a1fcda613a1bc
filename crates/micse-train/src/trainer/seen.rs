//! The parts of a step that terms see.

use std::rc::Rc;

use candle_core::Tensor;
use micse_data::MaskVocabulary;
use micse_losses::Selection;
use micse_model::{Dropout, HeadPass, Padding};
use micse_random::Stream;

use super::Trainer;
use super::chunks::View;
use super::momentum::MomentumState;
use super::prepared::Prepared;
use super::views::{self, Encodes, Input};
use crate::Result;
use crate::networks::{NetworkKind, Networks};
use crate::term::{Term, TermResult};

/// A step before its passes run, as terms see it.
#[derive(Clone, Copy)]
pub struct StepStart<'a> {
    pub(super) trainer: &'a Trainer,
    pub(super) inputs: &'a [Input],
    pub(super) dropout: &'a [Dropout],
    pub(super) sentences: &'a Tokenized,
}

/// A step's sentences before any change.
pub(crate) struct Tokenized {
    /// Their numbers in the split.
    pub(crate) numbers: Vec<u32>,
    pub(crate) ids: Vec<Vec<u32>>,
}

impl<'a> StepStart<'a> {
    /// The tokens of the batch's sentences, `[CLS]` and `[SEP]` included.
    pub fn ids(&self) -> &'a [Vec<u32>] {
        &self.sentences.ids
    }

    /// The sentences' numbers in the split.
    pub fn numbers(&self) -> &'a [u32] {
        &self.sentences.numbers
    }

    /// The networks.
    pub fn networks(&self) -> &'a Networks {
        &self.trainer.networks
    }

    /// How the recipe pads batches.
    pub fn padding(&self) -> Padding {
        self.trainer.recipe.padding.into()
    }

    /// The dropout rate of a pass.
    pub fn rate(&self, pass: usize) -> f64 {
        self.trainer.recipe.views[self.trainer.passes[pass].view].dropout
    }

    /// The mask token and the words of the tokenizer, for terms that need masks.
    pub(crate) fn mask_vocabulary(&self) -> TermResult<&'a MaskVocabulary> {
        Ok(self.trainer.masks.as_ref().ok_or("the term's needs do not list masks")?)
    }

    /// The stream of one purpose at this step.
    pub(crate) fn stream(&self, purpose: u64) -> Stream {
        self.trainer.step_stream(purpose)
    }

    pub(crate) fn dropout(&self, tower: u64, number: usize, rate: f64) -> Dropout {
        self.trainer.dropout(tower, number, rate)
    }

    /// The dropout of an extra pass of the online encoder: view 1's rate, its own draws.
    pub(crate) fn further_dropout(&self) -> Dropout {
        let rate = self.trainer.recipe.views[0].dropout;
        self.dropout(Encodes::Online.coordinate(), self.trainer.passes.len(), rate)
    }

    /// The inputs of the first pass and its partner, with their dropout.
    pub(crate) fn pair(&self) -> Option<[(&'a Input, Dropout); 2]> {
        let view = |pass: usize| (&self.inputs[self.trainer.passes[pass].input], self.dropout[pass]);
        views::partner(&self.trainer.passes).map(|partner| [view(0), view(partner)])
    }
}

/// A step after its passes have run, as a term sees it.
pub struct StepView<'a> {
    pub(super) start: StepStart<'a>,
    pub(super) prepared: &'a Prepared,
    /// The leaves of each pass.
    pub(super) views: &'a [View],
    /// The rows of each pass after its heads.
    pub(super) rows: &'a [Tensor],
    /// The first pass's tokens after the convolution.
    pub(super) tokens: Option<&'a Tensor>,
    /// The objective's number in the recipe.
    pub(super) objective: usize,
    pub(super) values: &'a toml::Table,
}

impl<'a> StepView<'a> {
    /// The step before the passes ran.
    pub fn start(&self) -> &StepStart<'a> {
        &self.start
    }

    /// The rows `[B, D]` of each pass after the head, in the recipe's order: views, their copies, their towers.
    pub fn rows(&self) -> &'a [Tensor] {
        self.rows
    }

    /// A custom term's values in the recipe, next to its weight.
    pub fn values(&self) -> &'a toml::Table {
        self.values
    }

    /// The pooled rows `[B, D]` of a pass, before the head.
    ///
    /// # Errors
    /// The pass has none.
    pub fn pooled(&self, pass: usize) -> Result<&'a Tensor> {
        let missing = || micse_model::Error::Input("the encoder returned no pooled rows".into());
        Ok(self.views[pass].rows.as_ref().ok_or_else(missing)?)
    }

    /// Token states `[rows, D]` of a pass, for each layer that the term requests in [`Term::states`].
    ///
    /// # Errors
    /// The pass returned none for one of these layers.
    pub fn states(&self, pass: usize, term: &dyn Term) -> TermResult<Vec<&'a Tensor>> {
        let depth = self.start.networks().encoder().config().num_hidden_layers;
        let there = &self.prepared.states[pass];
        let find = |layer: usize| {
            let place = there.iter().position(|&other| other == layer);
            let states = place.and_then(|place| self.views[pass].states.get(place));
            states.ok_or_else(|| format!("the encoder returned no states of layer {layer}").into())
        };
        term.states(pass, depth).into_iter().map(find).collect()
    }

    /// Rows of each sentence in the token states of a pass.
    pub fn lengths(&self, pass: usize) -> Vec<usize> {
        let batch = &self.input(pass).batch;
        (0..batch.sentences()).map(|b| batch.rows_of(b)).collect()
    }

    /// For each sentence of a pass with pairs, whether it is the same as in view 1; `None`: no pairs.
    pub fn positive(&self, pass: usize) -> Option<&'a [bool]> {
        self.input(pass).positive.as_ref().map(|positive: &Rc<Vec<bool>>| positive.as_slice())
    }

    /// The first pass's tokens after the convolution, if the recipe has one.
    pub fn tokens(&self) -> Option<&'a Tensor> {
        self.tokens
    }

    /// The rows of all passes that this network encodes.
    pub fn rows_of(&self, network: NetworkKind) -> Vec<Tensor> {
        let of = self.start.trainer.passes.iter().zip(self.rows);
        of.filter(|(pass, _)| pass.encodes.network() == network).map(|(_, rows)| rows.clone()).collect()
    }

    /// Rows after the training head, in its graph; the same rows if there is no head.
    ///
    /// # Errors
    /// The rows do not fit the head.
    pub fn head_rows(&self, rows: &Tensor) -> Result<Tensor> {
        match self.start.networks().head(NetworkKind::Head) {
            Some(head) => Ok(head.forward(rows, HeadPass { gradients: true, dropout: None })?),
            None => Ok(rows.clone()),
        }
    }

    /// The positions that the term drew in [`Term::attention`], and the attention values of the first pass and its
    /// partner at these positions.
    ///
    /// # Errors
    /// The term drew none.
    pub fn attention(&self) -> TermResult<(&'a Selection, [Tensor; 2])> {
        let selections = &self.prepared.selections;
        let selection = selections[self.objective].as_ref().ok_or("the term drew no attention positions")?;
        let before = selections[..self.objective].iter().flatten().map(|s| s.positions.len()).sum::<usize>();
        let count = selection.positions.len();
        let partner = views::partner(&self.start.trainer.passes).unwrap_or(0);
        let values = |pass: usize| -> TermResult<Tensor> {
            let values =
                self.views[pass].values.as_ref().ok_or("the encoder returned no attention values")?;
            Ok(values.narrow(0, before, count)?)
        };
        Ok((selection, [values(0)?, values(partner)?]))
    }

    /// The momentum encoder's rule and queue, if the recipe has one.
    pub(crate) fn momentum(&self) -> Option<&'a MomentumState> {
        self.start.trainer.momentum.as_ref()
    }

    fn input(&self, pass: usize) -> &'a Input {
        &self.start.inputs[self.start.trainer.passes[pass].input]
    }
}
