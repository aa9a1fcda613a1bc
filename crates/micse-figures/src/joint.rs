//! Fig. 6: the joint distribution of the attention of one sentence in two views.

use micse_losses::ami::Slicing;
use micse_model::View;

use crate::similarity::{SHORTEST, SliceValues, Subject, Views, check_names, tokenize};
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
    /// The edges of the bins, [`BINS`] + 1 of them, the same for both views: logarithms of attention values.
    pub edges: Vec<f64>,
    /// Number of positions per bin, [`BINS`] x [`BINS`], view 1 by rows, view 2 by columns.
    pub counts: Vec<u32>,
}

/// Compares two views of a sentence under both models.
///
/// # Errors
/// The sentence has fewer than three tokens; a model cannot encode it; two models of one name.
pub fn joint_attention(subjects: [Subject<'_>; 2], sentence: &str, seed: u64) -> Result<JointAttention> {
    check_names(subjects.map(|subject| subject.name))?;
    let panel = |subject: Subject<'_>| {
        let ids = tokenize(subject, &[sentence.to_owned()])?.remove(0);
        let (model, sentence) = (subject.name.to_owned(), sentence.to_owned());
        if ids.len() < SHORTEST {
            return Err(Error::Short { model, sentence, tokens: ids.len() });
        }
        let views = Views::of(seed);
        let (one, two) = (views.view(subject, &ids, 0, 0)?, views.view(subject, &ids, 1, 0)?);
        let panel = JointPanel::of(&model, [&one, &two])?;
        if panel.slices.iter().any(|slice| !slice.rho.is_finite()) {
            return Err(Error::NotFinite { model, what: "attention", sentence });
        }
        Ok(panel)
    };
    Ok(JointAttention { sentence: sentence.to_owned(), panels: [panel(subjects[0])?, panel(subjects[1])?] })
}

impl JointPanel {
    /// All attention values of all tokens in two views of one sentence, in slices of adjacent layers and heads; of layers
    /// with local attention, those within the window. Layers are divided into up to three equal groups, heads into up to
    /// four; 12 layers with 12 heads give the paper's 12 slices of 4 layers and 3 heads.
    ///
    /// # Errors
    /// Views of different encoders or different lengths.
    pub fn of(model: &str, views: [&View; 2]) -> Result<Self> {
        let (depth, all_heads, tokens, _) = views[0].attention.dims4()?;
        let (layer_groups, head_groups) = (groups(depth, GROUPS[0]), groups(all_heads, GROUPS[1]));
        let (layers, heads) = (depth / layer_groups, all_heads / head_groups);
        let every_layer: Vec<usize> = (0..depth).collect();
        let slices = Slicing::Adjacent { heads, layers }.slices(&every_layer, all_heads)?;
        let values = SliceValues::of(views, &slices, tokens)?;
        let found = values.information()?;
        let (rho, mi) = (found.rho.to_vec1::<f64>()?, found.mi.to_vec1::<f64>()?);
        let logs = [logarithms(&values, 0)?, logarithms(&values, 1)?];
        let slice = |i: usize| {
            let (layer, head) = (i / head_groups * layers, i % head_groups * heads);
            let values = [logs[0][i].as_slice(), logs[1][i].as_slice()];
            let edges = edges(values);
            JointSlice {
                layers: (layer + 1, layer + layers),
                heads: (head + 1, head + heads),
                rho: rho[i],
                mutual_information: mi[i],
                counts: histogram(values, &edges),
                edges,
            }
        };
        Ok(Self {
            model: model.to_owned(),
            per_layer_group: head_groups,
            slices: (0..slices.len()).map(slice).collect(),
        })
    }
}

/// The logarithms of the values of each slice in a view, with the floor of the AMI objective.
fn logarithms(values: &SliceValues, view: usize) -> Result<Vec<Vec<f64>>> {
    let floor = f64::from(f32::MIN_POSITIVE);
    let rows = values.rows[view].to_vec2::<f64>()?.into_iter().zip(&values.counts);
    let logarithms =
        |row: Vec<f64>, count: u32| row.into_iter().take(count as usize).map(|v| v.max(floor).ln()).collect();
    Ok(rows.map(|(row, &count)| logarithms(row, count)).collect())
}

/// Equal bins from the least to the largest value of both views.
fn edges(views: [&[f64]; 2]) -> Vec<f64> {
    let all = views.into_iter().flatten();
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    // Attention that is the same everywhere still needs bins of some width.
    let high = if high > low { high } else { low + 1.0 };
    (0..=BINS).map(|i| low + (high - low) * i as f64 / BINS as f64).collect()
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
