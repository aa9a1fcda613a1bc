//! Fig. 6: the joint distribution of the attention of one sentence in two views.

use candle_core::Tensor;
use micse_losses::ami::{MiForm, Slicing, mutual_information};

use crate::similarity::{Subject, Views, check_names, slice_values, tokenize};
use crate::{Error, Result};

/// Bins of a histogram along each axis.
pub const BINS: usize = 24;

/// The largest numbers of groups of layers and of heads: 3 x 4 = 12 slices, as in the paper.
const GROUPS: [usize; 2] = [3, 4];

/// The attention of one sentence in two views, under two models.
#[derive(Clone, Debug, PartialEq)]
pub struct JointAttention {
    /// The sentence.
    pub sentence: String,
    /// The edges of the bins, [`BINS`] + 1 of them, for both views, all slices and both models: logarithms of attention
    /// values.
    pub edges: Vec<f64>,
    /// The models.
    pub panels: [JointPanel; 2],
}

/// One model's attention.
#[derive(Clone, Debug, PartialEq)]
pub struct JointPanel {
    /// The model's name.
    pub model: String,
    /// Slices of one group of layers, which differ in their heads.
    pub per_layer_group: usize,
    /// The slices: by layers, then by heads.
    pub slices: Vec<JointSlice>,
}

/// The attention maps of some adjacent layers and heads.
#[derive(Clone, Debug, PartialEq)]
pub struct JointSlice {
    /// First and last layer, from 1.
    pub layers: (usize, usize),
    /// First and last head, from 1.
    pub heads: (usize, usize),
    /// Pearson's correlation of the logarithms; 0 for constant attention.
    pub rho: f64,
    /// `-1/2 ln(1 - rho^2)`, in nats.
    pub mutual_information: f64,
    /// Number of positions per bin, [`BINS`] x [`BINS`], view 1 by rows, view 2 by columns.
    pub counts: Vec<u32>,
}

/// Compares two views of a sentence: all attention values of all tokens, in slices of adjacent layers and heads. Layers
/// are divided into up to three equal groups, heads into up to four; 12 layers with 12 heads give the paper's 12 slices
/// of 4 layers and 3 heads.
///
/// # Errors
/// The sentence has fewer than two tokens; a model cannot encode it; two models of one name.
pub fn joint_attention(subjects: [Subject<'_>; 2], sentence: &str, seed: u64) -> Result<JointAttention> {
    check_names(subjects.map(|subject| subject.name))?;
    let values =
        [SliceValues::of(subjects[0], sentence, seed)?, SliceValues::of(subjects[1], sentence, seed)?];
    let all = || values.iter().flat_map(|model| model.views.iter().flatten().flatten().copied());
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    // Attention that is the same everywhere still needs bins of some width.
    let high = if high > low { high } else { low + 1.0 };
    let edges: Vec<f64> = (0..=BINS).map(|i| low + (high - low) * i as f64 / BINS as f64).collect();
    let [one, other] = values;
    Ok(JointAttention {
        sentence: sentence.to_owned(),
        panels: [one.panel(subjects[0].name, &edges), other.panel(subjects[1].name, &edges)],
        edges,
    })
}

/// The logarithms of one model's attention.
struct SliceValues {
    /// Of view 1 and view 2, by slice.
    views: [Vec<Vec<f64>>; 2],
    rho: Vec<f64>,
    mi: Vec<f64>,
    /// Layers and heads per slice, and slices per group of layers.
    layers: usize,
    heads: usize,
    per_layer_group: usize,
}

impl SliceValues {
    fn of(subject: Subject<'_>, sentence: &str, seed: u64) -> Result<Self> {
        let ids = tokenize(subject, &[sentence.to_owned()])?.remove(0);
        if ids.len() < 2 {
            let (model, sentence) = (subject.name.to_owned(), sentence.to_owned());
            return Err(Error::Short { model, sentence, tokens: ids.len() });
        }
        let views = Views::of(seed);
        let (one, two) = (views.view(subject, &ids, 0, 0)?, views.view(subject, &ids, 1, 0)?);
        let (depth, all_heads, ..) = one.attention.dims4()?;
        let (layer_groups, head_groups) = (groups(depth, GROUPS[0]), groups(all_heads, GROUPS[1]));
        let (layers, heads) = (depth / layer_groups, all_heads / head_groups);
        let every_layer: Vec<usize> = (0..depth).collect();
        let slices = Slicing::Adjacent { heads, layers }.slices(&every_layer, all_heads)?;
        let rows = slice_values([&one.attention, &two.attention], &slices, ids.len())?;
        let counts = vec![rows[0].dim(1)? as u32; slices.len()];
        let found = mutual_information(&rows[0], &rows[1], &counts, MiForm::Eq4)?;
        let (rho, mi) = (found.rho.to_vec1::<f64>()?, found.mi.to_vec1::<f64>()?);
        if rho.iter().chain(&mi).any(|value| !value.is_finite()) {
            let (model, sentence) = (subject.name.to_owned(), sentence.to_owned());
            return Err(Error::NotFinite { model, what: "attention", sentence });
        }
        let logs = |rows: &Tensor| -> Result<Vec<Vec<f64>>> {
            let floor = f64::from(f32::MIN_POSITIVE);
            let rows = rows.to_vec2::<f64>()?;
            Ok(rows.into_iter().map(|row| row.into_iter().map(|v| v.max(floor).ln()).collect()).collect())
        };
        let views = [logs(&rows[0])?, logs(&rows[1])?];
        Ok(Self { views, rho, mi, layers, heads, per_layer_group: head_groups })
    }

    fn panel(self, model: &str, edges: &[f64]) -> JointPanel {
        let slice = |i: usize| {
            let (layer, head) =
                (i / self.per_layer_group * self.layers, i % self.per_layer_group * self.heads);
            JointSlice {
                layers: (layer + 1, layer + self.layers),
                heads: (head + 1, head + self.heads),
                rho: self.rho[i],
                mutual_information: self.mi[i],
                counts: histogram([&self.views[0][i], &self.views[1][i]], edges),
            }
        };
        JointPanel {
            model: model.to_owned(),
            per_layer_group: self.per_layer_group,
            slices: (0..self.rho.len()).map(slice).collect(),
        }
    }
}

/// The largest number of equal groups of `count` things, at most `most`.
fn groups(count: usize, most: usize) -> usize {
    (1..=most).rev().find(|&groups| count.is_multiple_of(groups)).unwrap_or(1)
}

/// How many of the points are in each bin. A bin includes its lower edge; the last one both, as in NumPy.
fn histogram(views: [&[f64]; 2], edges: &[f64]) -> Vec<u32> {
    let bin = |value: f64| edges[1..BINS].partition_point(|&edge| edge <= value);
    let mut counts = vec![0; BINS * BINS];
    for (&x, &y) in views[0].iter().zip(views[1]) {
        counts[bin(x) * BINS + bin(y)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_heads_are_divided_evenly() {
        // BERT-base, MiniLM-L6, the shipped encoder, BERT-large, and an odd one.
        let slices = |depth, heads| (groups(depth, GROUPS[0]), groups(heads, GROUPS[1]));
        assert_eq!(slices(12, 12), (3, 4));
        assert_eq!(slices(6, 12), (3, 4));
        assert_eq!(slices(4, 4), (2, 4));
        assert_eq!(slices(24, 16), (3, 4));
        assert_eq!(slices(5, 7), (1, 1));
    }

    #[test]
    fn a_bin_includes_its_lower_edge_and_the_last_both() {
        let edges: Vec<f64> = (0..=BINS).map(|i| i as f64).collect();
        let counts = histogram([&[0.0, 1.0, 1.5, 24.0], &[0.5, 1.0, 1.0, 23.0]], &edges);
        let at = |x: usize, y: usize| counts[x * BINS + y];
        assert_eq!([at(0, 0), at(1, 1), at(23, 23)], [1, 2, 1]);
        assert_eq!(counts.iter().sum::<u32>(), 4);
    }
}
