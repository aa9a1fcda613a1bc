//! Syntactic and semantic similarity of two sentences under one model.

use candle_core::{DType, Tensor};
use micse_losses::ami::{MiForm, MiRows, Position, Selection, Slice, Slicing, mutual_information};
use micse_model::{Dropout, SentenceModel, View};
use micse_random::Stream;
use rayon::prelude::*;

use crate::{Error, Result};

/// The dropout rate of both views, after layers and on attention: that of BERT, SimCSE and miCSE.
pub const DROPOUT: f64 = 0.1;

/// Sentences are truncated to this many tokens, if the model's own limit is not lower.
pub const TOKENS: usize = 128;

/// The fewest tokens of a sentence, `[CLS]` and `[SEP]` included: one besides them.
pub(crate) const SHORTEST: usize = 3;

/// A model of a figure.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its name in the figure.
    pub name: &'a str,
    /// The model.
    pub model: &'a SentenceModel<'a>,
}

impl Subject<'_> {
    pub(crate) fn failed(self, source: micse_model::Error) -> Error {
        Error::Model { model: self.name.to_owned(), source }
    }
}

/// Rejects two models of one name, which no picture could tell apart.
pub(crate) fn check_names(names: [&str; 2]) -> Result<()> {
    if names[0] == names[1] {
        return Err(Error::SameName(names[0].to_owned()));
    }
    Ok(())
}

/// How similar two views are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Syntactic similarity: mutual information of the two attention tensors in nats, the mean over slices of
    /// `-1/2 ln(1 - rho^2)` (Eqs. 3 to 5 of the paper).
    pub mutual_information: f64,
    /// Semantic similarity: the cosine of the two embeddings; 0 if one of them is zero.
    pub cosine: f64,
    /// Tokens whose attention to each other is compared, `[CLS]` included.
    pub tokens: usize,
}

/// The two dropout streams of a seed: view 1 and view 2, as in contrastive training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views([Stream; 2]);

impl Views {
    /// The views of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self([1, 2].map(|view| Stream::new(seed).with(view)))
    }

    /// View 0 or 1 of sentence number `sentence`.
    pub(crate) fn view(
        &self,
        subject: Subject<'_>,
        ids: &[u32],
        view: usize,
        sentence: usize,
    ) -> Result<View> {
        let dropout = Dropout { hidden: DROPOUT, attention: DROPOUT, stream: self.0[view] };
        subject.model.view(ids, dropout, sentence).map_err(|source| subject.failed(source))
    }
}

/// The token IDs of sentences, at most [`TOKENS`] each.
pub(crate) fn tokenize(subject: Subject<'_>, sentences: &[impl AsRef<str> + Sync]) -> Result<Vec<Vec<u32>>> {
    let limit = subject.model.max_length().min(TOKENS);
    subject.model.pipeline().tokenize(sentences, limit).map_err(|source| subject.failed(source))
}

/// Whether each sentence has enough tokens under both models for a comparison of attention. White space and invisible
/// characters alone, for example, have none.
pub(crate) fn long_enough(subjects: [Subject<'_>; 2], sentences: &[&str]) -> Result<Vec<bool>> {
    let [one, other] = [tokenize(subjects[0], sentences)?, tokenize(subjects[1], sentences)?];
    Ok(one.iter().zip(&other).map(|(a, b)| a.len().min(b.len()) >= SHORTEST).collect())
}

/// What a note says of sentences that are not [`long_enough`]; nothing without any.
pub(crate) fn left_out(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => format!(" 1 sentence of fewer than {SHORTEST} tokens is left out."),
        _ => format!(" {count} sentences of fewer than {SHORTEST} tokens are left out."),
    }
}

/// The slices that the AMI objective compares: pairs of adjacent heads in each layer of the upper third, rounded up;
/// single heads if their number is odd.
pub(crate) fn ami_slices(depth: usize, heads: usize) -> Result<Vec<Slice>> {
    let layers: Vec<usize> = (depth - depth.div_ceil(3)..depth).collect();
    let group = if heads.is_multiple_of(2) { 2 } else { 1 };
    Ok(Slicing::Adjacent { heads: group, layers: 1 }.slices(&layers, heads)?)
}

/// The similarity of each pair: view 1 of its first sentence and view 2 of its second, so that a pair of a sentence
/// with itself is a positive pair. All sentences must be [`long_enough`].
pub(crate) fn similarities(
    subject: Subject<'_>,
    sentences: &[String],
    pairs: &[(usize, usize)],
    views: Views,
) -> Result<Vec<Similarity>> {
    let ids = tokenize(subject, sentences)?;
    let similarity = |&(first, second): &(usize, usize)| {
        let a = views.view(subject, &ids[first], 0, first)?;
        let b = views.view(subject, &ids[second], 1, second)?;
        let similarity = compare(&a, &b)?;
        for (what, value) in
            [("cosine", similarity.cosine), ("mutual information", similarity.mutual_information)]
        {
            if !value.is_finite() {
                let (model, sentence) = (subject.name.to_owned(), sentences[first].clone());
                return Err(Error::NotFinite { model, what, sentence });
            }
        }
        Ok(similarity)
    };
    pairs.par_iter().map(similarity).collect()
}

/// The similarity of two views, of one sentence or of two.
///
/// Attention is compared where both sentences have tokens: the upper left n x n block of both maps, where n is the
/// shorter length without its last token (`[SEP]`). All positions of the block are used, without sampling, except those
/// outside the window of a layer with local attention. A NaN in the views propagates.
///
/// # Errors
/// Fewer than two tokens, or views of different encoders.
pub fn compare(a: &View, b: &View) -> Result<Similarity> {
    let (depth, heads, length, _) = a.attention.dims4()?;
    let tokens = length.min(b.attention.dim(2)?).saturating_sub(1);
    let values = SliceValues::of([a, b], &ami_slices(depth, heads)?, tokens)?;
    let mutual_information = values.information()?.mi.mean_all()?.to_scalar::<f64>()?;
    Ok(Similarity { mutual_information, cosine: cosine(&a.embedding, &b.embedding), tokens })
}

/// The attention values of each slice in the first n tokens of two views.
pub(crate) struct SliceValues {
    /// Of each view: `[slices, samples]`, f64.
    pub(crate) rows: [Tensor; 2],
    /// The first so many values of each row are those of the slice.
    pub(crate) counts: Vec<u32>,
}

impl SliceValues {
    /// Fails if there are no tokens, or if the views are of different encoders.
    pub(crate) fn of(views: [&View; 2], slices: &[Slice], tokens: usize) -> Result<Self> {
        let selection = every_position(slices, tokens, &views[0].windows);
        let gather = |view: &View| -> Result<Tensor> {
            let block = view.attention.narrow(2, 0, tokens)?.narrow(3, 0, tokens)?.unsqueeze(0)?;
            Ok(selection.gather(&block.to_dtype(DType::F64)?)?)
        };
        Ok(Self { rows: [gather(views[0])?, gather(views[1])?], counts: selection.counts })
    }

    /// Correlation and mutual information of each slice.
    pub(crate) fn information(&self) -> Result<MiRows> {
        Ok(mutual_information(&self.rows[0], &self.rows[1], &self.counts, MiForm::Eq4)?)
    }
}

/// All positions of the first n tokens, by slice; in a layer with local attention, those within its window. Attention
/// outside is 0 in both views, whatever the sentences: as equal values far below all others, these positions alone would
/// make the views correlate.
fn every_position(slices: &[Slice], tokens: usize, windows: &[Option<usize>]) -> Selection {
    let of_map = |&(layer, head): &(usize, usize)| {
        let window = windows.get(layer).copied().flatten();
        (0..tokens).flat_map(move |query| {
            let keys = (0..tokens).filter(move |&key| window.is_none_or(|w| query.abs_diff(key) <= w));
            keys.map(move |key| {
                let [layer, head, query, key] = [layer, head, query, key].map(|i| i as u32);
                Position { sentence: 0, layer, head, query, key }
            })
        })
    };
    let of_slices: Vec<Vec<Position>> =
        slices.iter().map(|slice| slice.iter().flat_map(of_map).collect()).collect();
    let samples = of_slices.iter().map(Vec::len).max().unwrap_or(0);
    let counts = of_slices.iter().map(|positions| positions.len() as u32).collect();
    // Rows with fewer values are filled; the counts mask what they are filled with.
    let filled = of_slices.into_iter().flat_map(|positions| {
        positions.into_iter().chain(std::iter::repeat(Position::default())).take(samples)
    });
    Selection { rows: slices.len(), samples, positions: filled.collect(), counts, weight: 1.0 }
}

/// `a.b / (|a| |b|)`, with sums in f64; 0 for a zero vector.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms == 0.0 { 0.0 } else { dot(a, b) / norms }
}
