//! Attention mutual information (Klein & Nabi 2022, AMI): which attention values it reads, and the loss on them.
//!
//! The positions are known before the encoder runs: they depend on lengths, on the seed and (for `pool = "kept"`) on
//! dropout masks, which are functions of position. The encoder therefore returns only the values that the loss reads,
//! before dropout: dividing all values by a constant does not change rho.
//!
//! In layers with local attention, positions are drawn within the window.

use candle_core::Tensor;
use micse_data::augment::TextOp;
use micse_losses::{AmiSampler, MiForm, Pool, Position, Scaling, Selection, Slicing, ami_loss};
use micse_model::dropout::attention_kept;
use micse_model::{BertConfig, Padding};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, View};
use crate::term::{Term, TermResult};
use crate::trainer::{StepStart, StepView, compared};

/// Attention mutual information (Klein & Nabi 2022, Eq. 4 and 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// lambda.
    pub weight: f64,
    /// The layers whose maps are compared.
    pub layers: AmiLayers,
    /// The maps that a slice pools.
    pub slicing: Slicing,
    /// Positions drawn per slice.
    pub samples: usize,
    /// All positions of the sentence, or those that dropout kept in both views.
    pub pool: Pool,
    /// Whether a position can be drawn twice.
    #[serde(default)]
    pub replacement: bool,
    /// Eq. 4 or Algorithm 1.
    pub form: MiForm,
    /// The mean over slices, or the released code's share-squared scaling.
    #[serde(default)]
    pub scaling: Scaling,
}

/// The layers whose attention maps are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AmiLayers {
    /// `"upper-third"`: the last ceil(L/3). `"before-last-third"`: the same number of layers, ending before the last
    /// layer (the released code: 8 to 11 of 12). `"last-N"`: the last N, or all if there are fewer.
    Named(String),
    /// Layer numbers from 1.
    List(Vec<usize>),
}

impl AmiLayers {
    /// The layers, from 0, of an encoder of `depth` layers.
    ///
    /// # Errors
    /// The name is unknown, or a layer does not exist.
    pub(crate) fn resolve(&self, depth: usize) -> TermResult<Vec<usize>> {
        let third = depth.div_ceil(3);
        match self {
            Self::Named(name) if name == "upper-third" => Ok((depth - third..depth).collect()),
            Self::Named(name) if name == "before-last-third" => {
                let end = depth - 1;
                if end < third {
                    return Err(format!(
                        "layers = \"{name}\" needs more than {depth} layers; list the layers instead"
                    )
                    .into());
                }
                Ok((end - third..end).collect())
            }
            Self::Named(name) => match name.strip_prefix("last-").and_then(|n| n.parse::<usize>().ok()) {
                Some(n) if n > 0 => Ok((depth.saturating_sub(n)..depth).collect()),
                _ => Err(format!(
                    "layers = \"{name}\" is unknown; use \"upper-third\", \"before-last-third\", \"last-4\" or a list \
                     such as [9, 10, 11, 12]"
                )
                .into()),
            },
            Self::List(layers) => {
                if let Some(wrong) = layers.iter().find(|&&l| l == 0 || l > depth) {
                    let reason = format!("layer {wrong} is not one of the encoder's layers 1 to {depth}");
                    return Err(reason.into());
                }
                Ok(layers.iter().map(|l| l - 1).collect())
            }
        }
    }
}

/// The change of a view, by its key and name, after which its positions hold other words. `mask-span` is none: the words
/// before the span stay in place, and those behind it often do, depending on the tokens of the span; the paper adds AMI
/// to Mirror-BERT all the same.
fn moves(view: &View) -> Option<(&'static str, &'static str)> {
    let text = view.text.as_ref().filter(|op| !matches!(op, TextOp::MaskSpan { .. }));
    let text = text.map(|op| ("text", op.name()));
    text.or_else(|| view.tokens.as_ref().map(|op| ("tokens", op.name())))
}

impl Term for Ami {
    fn name(&self) -> &'static str {
        "ami"
    }

    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        if self.samples < 3 {
            let reason =
                format!("objectives.ami.samples is {}; a correlation needs at least 3", self.samples);
            return Err(reason.into());
        }
        // A thousand layers are enough for every name; only unknown names fail.
        if let AmiLayers::Named(_) = self.layers {
            self.layers.resolve(1000)?;
        }
        match compared(recipe).into_iter().find_map(|view| moves(&recipe.views[view])) {
            None => Ok(()),
            Some((key, name)) => Err(format!(
                "ami compares attention position by position, but {key} = {name} puts different words at the same \
                 positions of two views: use a recipe that leaves the words in place, as in --recipe simcse --with ami, \
                 or remove {key} from [[views]]"
            )
            .into()),
        }
    }

    fn check_encoder(&self, config: &BertConfig) -> TermResult<()> {
        let layers = self.layers.resolve(config.num_hidden_layers)?;
        self.slicing.slices(&layers, config.num_attention_heads)?;
        Ok(())
    }

    /// Draws positions in sentences that both views share (with pairs: in positive pairs), at places that exist in both
    /// views.
    fn attention(&self, start: &StepStart<'_>, stream: Stream) -> TermResult<Option<Selection>> {
        let Some(views) = start.pair() else { return Ok(None) };
        let config = start.networks().encoder().config();
        let layers = self.layers.resolve(config.num_hidden_layers)?;
        let slices = self.slicing.slices(&layers, config.num_attention_heads)?;
        let sampler = AmiSampler {
            samples: self.samples,
            replacement: self.replacement,
            pool: self.pool,
            scaling: self.scaling,
        };
        let batches = views.map(|(input, _)| &input.batch);
        let same = |b: &usize| views.iter().all(|(input, _)| input.positive.as_ref().is_none_or(|p| p[*b]));
        let sentences: Vec<usize> = (0..batches[0].sentences()).filter(same).collect();
        let kept = |p: &Position| {
            views.iter().all(|(input, dropout)| {
                attention_kept(
                    dropout.stream,
                    dropout.attention,
                    p.layer as usize,
                    input.batch.sentence_number(sentences[p.sentence as usize]),
                    p.head as usize,
                    p.query as usize,
                    p.key as usize,
                )
            })
        };
        // If pad rows are computed, they take part as queries, as in the released code.
        let padded = batches.iter().all(|batch| batch.padding() != Padding::Drop);
        let width = padded.then(|| batches[0].width().min(batches[1].width()));
        let shorter = |&b: &usize| batches[0].keys_of(b).min(batches[1].keys_of(b));
        let lengths: Vec<usize> = sentences.iter().map(shorter).collect();
        let attends = |p: &Position| config.attends(p.layer as usize, p.query as usize, p.key as usize);
        // Without local attention, there is nothing to look up.
        let seen: Option<&dyn Fn(&Position) -> bool> =
            if config.rotary.is_some() { Some(&attends) } else { None };
        let mut selection = sampler.draw_seen(&slices, &lengths, width, seen, &kept, stream)?;
        for position in &mut selection.positions {
            position.sentence = sentences[position.sentence as usize] as u32;
        }
        Ok(Some(selection))
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let (selection, [x, y]) = step.attention()?;
        let shape = (selection.rows, selection.samples);
        Ok(ami_loss(&x.reshape(shape)?, &y.reshape(shape)?, selection, self.form)?)
    }
}
