//! The views of a step's sentences: which passes a recipe makes, and the tokens that each pass reads.

use std::rc::Rc;

use candle_core::{Device, Tensor};
use micse_data::augment::{TextOp, cut_off, pair_partners, shuffle_positions};
use micse_model::{Batch, BertConfig, Pooling, Tokenizer};
use micse_random::Stream;

use crate::networks::NetworkKind;
use crate::recipe::{CutOff, Positions, Recipe, Tower, View};
use crate::{Error, Result};

/// The encoder that runs a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encodes {
    Online,
    Second,
    Momentum,
}

impl Encodes {
    /// The network itself.
    pub(super) fn network(self) -> NetworkKind {
        match self {
            Self::Online => NetworkKind::Encoder,
            Self::Second => NetworkKind::Second,
            Self::Momentum => NetworkKind::Momentum,
        }
    }

    /// Its coordinate in the dropout key.
    pub(super) fn coordinate(self) -> u64 {
        match self {
            Self::Online => 0,
            Self::Momentum => 1,
            Self::Second => 2,
        }
    }
}

/// One pass of a step: a view through an encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassSpec {
    pub(super) encodes: Encodes,
    /// Its number among the passes of this encoder: its coordinate in the dropout key.
    pub(super) number: usize,
    /// The view's number in the recipe.
    pub(super) view: usize,
    /// The number of its input among the step's [`Input`]s.
    pub(super) input: usize,
}

/// The passes of a recipe, in the order of its views, copies and towers, and the view of each input.
pub(super) fn passes(recipe: &Recipe) -> (Vec<PassSpec>, Vec<usize>) {
    let (mut passes, mut inputs) = (Vec::new(), Vec::new());
    let mut counts = [0; 3];
    for (view, spec) in recipe.views.iter().enumerate() {
        for _ in 0..spec.copies {
            let towers: &[Encodes] = match spec.tower {
                Tower::Online => &[Encodes::Online],
                Tower::Second => &[Encodes::Second],
                Tower::Momentum => &[Encodes::Momentum],
                Tower::Both => &[Encodes::Online, Encodes::Second],
            };
            for &encodes in towers {
                let number = &mut counts[encodes.coordinate() as usize];
                passes.push(PassSpec { encodes, number: *number, view, input: inputs.len() });
                *number += 1;
            }
            inputs.push(view);
        }
    }
    (passes, inputs)
}

/// The pass that the first pass is compared with: the online encoder's next pass, else another network's.
pub(super) fn partner(passes: &[PassSpec]) -> Option<usize> {
    let online = |pass: &PassSpec| pass.encodes == Encodes::Online;
    let later = passes.iter().skip(1).position(online).map(|place| place + 1);
    later.or_else(|| (passes.len() > 1).then_some(1))
}

/// The views of the first pass and of its [`partner`]; none if there is no partner, or if it reads the same input.
pub(crate) fn compared(recipe: &Recipe) -> Vec<usize> {
    let (passes, _) = passes(recipe);
    match partner(&passes) {
        Some(other) if passes[other].input != passes[0].input => vec![passes[0].view, passes[other].view],
        _ => Vec::new(),
    }
}

/// For each sentence of a batch, whether it is the same as in view 1; `None`: all are.
type Positive = Option<Vec<bool>>;

/// The input of a pass.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) batch: Rc<Batch>,
    /// 0 or 1 for each entry of the embeddings `[rows, D]`, or for each row `[rows, 1]`.
    pub(super) mask: Option<Tensor>,
    /// For each sentence, whether it is the same as in view 1; `None`: all are.
    pub(crate) positive: Option<Rc<Vec<bool>>>,
}

/// A step's sentences before any change.
pub(super) struct Sentences<'a> {
    /// Their numbers in the split.
    pub(super) numbers: &'a [u32],
    pub(super) texts: &'a [&'a str],
    pub(super) ids: &'a [Vec<u32>],
}

/// Makes the inputs of a step.
pub(super) struct InputMaker<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) config: &'a BertConfig,
    pub(super) device: &'a Device,
    /// Sentences of the split.
    pub(super) split: usize,
    /// The run's random stream for changes.
    pub(super) stream: Stream,
    pub(super) step: usize,
}

/// Coordinates of the stream for changes.
mod purpose {
    pub(super) const PARTNERS: u64 = 0;
    pub(super) const TEXT: u64 = 1;
    pub(super) const TOKENS: u64 = 2;
    pub(super) const POSITIONS: u64 = 3;
    pub(super) const CUT_OFF: u64 = 4;
}

impl InputMaker<'_> {
    /// The inputs of views `views`, in that order. `other` returns a sentence of the split by its number.
    pub(super) fn make<'t>(
        &self,
        views: &[usize],
        sentences: &Sentences<'_>,
        other: &dyn Fn(u32) -> &'t str,
    ) -> Result<Vec<Input>> {
        let mut plain: Vec<(crate::recipe::PaddingRule, Rc<Batch>)> = Vec::new();
        let mut inputs = Vec::with_capacity(views.len());
        for (number, &view) in views.iter().enumerate() {
            let view = &self.recipe.views[view];
            let padding = view.padding.unwrap_or(self.recipe.padding);
            let as_they_are = !view.changes_tokens() && view.positions == Positions::InOrder;
            let known = plain.iter().find(|(rule, _)| as_they_are && *rule == padding);
            let (batch, positive) = if let Some((_, batch)) = known {
                (Rc::clone(batch), None)
            } else {
                let (ids, positive) = self.changed(number, view, sentences, other)?;
                // A mean over pads depends on their number; the released code that uses it pads to the maximum length.
                let counts_pads = self.recipe.train_pooling() == Pooling::MeanWithPads;
                let limit = self.recipe.token_limit().min(self.config.max_position_embeddings);
                let width = if counts_pads { limit } else { 0 };
                let pad = self.config.pad_token_id;
                let mut batch = Batch::padded_to(&ids, pad, padding.into(), width)?;
                if view.positions == Positions::Shuffled {
                    batch = self.shuffled(batch, number)?;
                }
                let batch = Rc::new(batch);
                if as_they_are {
                    plain.push((padding, Rc::clone(&batch)));
                }
                (batch, positive.map(Rc::new))
            };
            let mask = view.cut_off.map(|cut| self.mask(&batch, cut, number)).transpose()?;
            inputs.push(Input { batch, mask, positive });
        }
        Ok(inputs)
    }

    /// The random stream for one kind of change to one input.
    fn draws(&self, input: usize, purpose: u64) -> Stream {
        self.stream.with(purpose).with(self.step as u64 + 1).with(input as u64)
    }

    fn changed<'t>(
        &self,
        number: usize,
        view: &View,
        sentences: &Sentences<'_>,
        other: &dyn Fn(u32) -> &'t str,
    ) -> Result<(Vec<Vec<u32>>, Positive)> {
        let mut ids = sentences.ids.to_vec();
        let mut numbers = sentences.numbers.to_vec();
        let mut texts = sentences.texts.to_vec();
        let mut positive = None;
        if let Some(pairs) = view.pairs {
            let draws = self.draws(number, purpose::PARTNERS);
            let partners = pair_partners(&numbers, self.split, pairs.negatives, draws)?;
            for (place, &is_own) in partners.positive.iter().enumerate() {
                if !is_own {
                    texts[place] = other(partners.numbers[place]);
                }
            }
            numbers = partners.numbers;
            ids = self.tokenizer.encode_all(&texts, self.recipe.token_limit())?;
            positive = Some(partners.positive);
        }
        // A change drawn once depends on the sentence only, not on the step or the place in the batch.
        let stream = |kind: u64, place: usize| {
            if view.drawn_once {
                self.stream.with(kind).with(0).with(number as u64).with(u64::from(numbers[place]))
            } else {
                self.draws(number, kind).with(place as u64)
            }
        };
        if let Some(op) = &view.text {
            let mask = self.mask_token(op)?;
            for (place, text) in texts.iter().enumerate() {
                if let Some(changed) = op.apply(text, &mask, stream(purpose::TEXT, place)) {
                    ids[place] = self.tokenizer.encode(&changed, self.recipe.token_limit())?;
                }
            }
        }
        if let Some(op) = &view.tokens {
            let limit = op.token_limit(self.recipe.token_limit()).min(self.config.max_position_embeddings);
            for (place, ids) in ids.iter_mut().enumerate() {
                *ids = op.apply(ids, limit, stream(purpose::TOKENS, place));
            }
        }
        Ok((ids, positive))
    }

    fn shuffled(&self, batch: Batch, number: usize) -> Result<Batch> {
        let draws = self.draws(number, purpose::POSITIONS);
        let mut positions = batch.positions().to_vec();
        for (b, &first) in batch.first_rows().iter().enumerate() {
            let length = batch.lengths()[b];
            positions[first..first + length]
                .copy_from_slice(&shuffle_positions(length, draws.with(b as u64)));
        }
        Ok(batch.with_positions(positions)?)
    }

    /// The token that an operation on texts inserts; empty if it inserts none.
    fn mask_token(&self, op: &TextOp) -> Result<String> {
        if !op.needs_mask() {
            return Ok(String::new());
        }
        self.tokenizer.mask_token().ok_or_else(|| Error::Recipe {
            name: self.recipe.name.clone(),
            reason: format!(
                "a view changes its text by `{}`, which needs a [MASK] token, but the vocabulary of {} has none",
                op.name(),
                self.tokenizer.path().display()
            ),
        })
    }

    fn mask(&self, batch: &Batch, cut: CutOff, number: usize) -> Result<Tensor> {
        let draws = self.draws(number, purpose::CUT_OFF);
        let kept = |cut: bool| if cut { 0.0_f32 } else { 1.0 };
        let (mut mask, columns) = match cut {
            CutOff::Features(_) => {
                (Vec::with_capacity(batch.rows() * self.config.hidden_size), self.config.hidden_size)
            }
            CutOff::Tokens(_) => (Vec::with_capacity(batch.rows()), 1),
        };
        for b in 0..batch.sentences() {
            let (rows, stream) = (batch.rows_of(b), draws.with(b as u64));
            match cut {
                CutOff::Features(rate) => {
                    let row: Vec<f32> = cut_off(columns, rate, stream).into_iter().map(kept).collect();
                    (0..rows).for_each(|_| mask.extend_from_slice(&row));
                }
                CutOff::Tokens(rate) => {
                    mask.extend(cut_off(batch.lengths()[b], rate, stream).into_iter().map(kept));
                    mask.extend(std::iter::repeat_n(1.0, rows - batch.lengths()[b]));
                }
            }
        }
        Ok(Tensor::from_vec(mask, (batch.rows(), columns), self.device)?)
    }
}
