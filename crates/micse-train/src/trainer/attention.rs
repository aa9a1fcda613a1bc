//! The AMI term of a step: which attention values are tapped, and the loss on them.
//!
//! The positions are known before the encoder runs, because they depend on lengths, the seed and (for
//! `pool = "kept"`) on dropout masks, which are functions of position. So the encoder gives only the
//! values that the loss reads, before dropout: dividing all of them by a constant does not change rho.

use candle_core::Tensor;
use micse_losses::{AmiSampler, MiForm, Selection, Slice, ami_loss};
use micse_model::dropout::attention_kept;
use micse_model::{AttentionPosition, BertConfig, Dropout, Padding};
use micse_random::Stream;

use super::views::Input;
use crate::recipe::Ami;
use crate::{Error, Result};

/// One AMI term, resolved for an encoder.
pub(super) struct AmiTerm {
    slices: Vec<Slice>,
    sampler: AmiSampler,
    form: MiForm,
}

impl AmiTerm {
    /// Resolves layers and slices for an encoder of this configuration.
    pub(super) fn new(recipe: &str, ami: &Ami, config: &BertConfig) -> Result<Self> {
        let invalid = |reason: String| Error::Recipe { name: recipe.into(), reason };
        let layers = ami.layers.resolve(config.num_hidden_layers).map_err(invalid)?;
        Ok(Self {
            slices: ami.slicing.slices(&layers, config.num_attention_heads)?,
            sampler: AmiSampler {
                samples: ami.samples,
                replacement: ami.replacement,
                pool: ami.pool,
                scaling: ami.scaling,
            },
            form: ami.form,
        })
    }

    /// Draws this step's positions in the sentences that both views have: where one of them has pairs, in the
    /// positive ones. A position is there where both views' sentences have it.
    pub(super) fn select(&self, views: [(&Input, Dropout); 2], stream: Stream) -> Result<Selection> {
        let batches = views.map(|(input, _)| &input.batch);
        let same = |b: &usize| views.iter().all(|(input, _)| input.positive.as_ref().is_none_or(|p| p[*b]));
        let sentences: Vec<usize> = (0..batches[0].sentences()).filter(same).collect();
        let kept = |p: &micse_losses::Position| {
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
        // Where pad rows are computed they take part as queries, as in the released code.
        let padded = batches.iter().all(|batch| batch.padding() != Padding::Drop);
        let width = padded.then(|| batches[0].width().min(batches[1].width()));
        let shorter = |&b: &usize| batches[0].keys_of(b).min(batches[1].keys_of(b));
        let lengths: Vec<usize> = sentences.iter().map(shorter).collect();
        let mut selection = self.sampler.draw(&self.slices, &lengths, width, &kept, stream)?;
        for position in &mut selection.positions {
            position.sentence = sentences[position.sentence as usize] as u32;
        }
        Ok(selection)
    }

    /// The loss on the values `[rows * samples]` that both views' encoders gave at the selection.
    pub(super) fn loss(&self, values: [&Tensor; 2], selection: &Selection) -> Result<Tensor> {
        let shape = (selection.rows, selection.samples);
        let [x, y] = values;
        Ok(ami_loss(&x.reshape(shape)?, &y.reshape(shape)?, selection, self.form)?)
    }
}

/// A selection's positions as the encoder contract names them.
pub(super) fn positions(selection: &Selection) -> Vec<AttentionPosition> {
    let convert = |p: &micse_losses::Position| AttentionPosition {
        sentence: p.sentence,
        layer: p.layer,
        head: p.head,
        query: p.query,
        key: p.key,
    };
    selection.positions.iter().map(convert).collect()
}
