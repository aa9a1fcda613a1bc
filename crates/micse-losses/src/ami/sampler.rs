//! Draws the positions of a batch.

use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::selection::position;
use super::{Position, Selection, Slice};
use crate::{Error, Result};

/// Rows of up to this many samples are as wide as was asked for, whatever the batch; wider ones only as the fullest row.
const ALWAYS_PADDED: usize = 4096;

/// The most samples with replacement, all of which a row keeps.
const MOST_REPLACED: usize = 1 << 16;

/// Which positions may be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pool {
    /// All positions of the tokens.
    #[default]
    All,
    /// Only positions that attention dropout kept in both views.
    Kept,
}

/// How the mean over rows is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scaling {
    /// No scaling: Eq. 5 of the paper.
    #[default]
    Mean,
    /// By the square of the share of valid entries, plus 1e-6: the released code.
    ValidShareSquared,
}

impl Scaling {
    /// [`Selection::weight`] for a mean share of valid entries over rows, between 0 and 1.
    pub fn weight(self, valid_share: f64) -> f64 {
        match self {
            Self::Mean => 1.0,
            Self::ValidShareSquared => valid_share * valid_share + 1e-6,
        }
    }
}

/// Draws the positions of a batch: the same in both views, and new ones at every step.
///
/// **The paper's form**: `Pool::All` without replacement, `Scaling::Mean`, no width. For each (sentence, slice),
/// draws `samples` distinct positions with `t, z < length`, or all of them if there are fewer.
///
/// **The released code's form**: `Pool::Kept`, `Scaling::ValidShareSquared`, and a width. Padded query rows take
/// part, padded keys do not. Slices with fewer valid positions than `samples` are dropped. If no slice has enough,
/// the smallest number of valid positions of any slice is drawn from all slices (fewer than 2 is an error).
///
/// **Recommended values**: 150 samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmiSampler {
    /// Positions per row; at least 2, and at most 65,536 with replacement.
    pub samples: usize,
    /// Whether to draw with replacement. If so, a row always has `samples` valid samples.
    pub replacement: bool,
    /// The positions to draw from.
    pub pool: Pool,
    /// The scale of the mean over rows.
    pub scaling: Scaling,
}

impl AmiSampler {
    /// Draws positions from `slices` of each sentence.
    ///
    /// * `lengths`: real tokens of each sentence present in both views (the smaller of the two).
    /// * `width`: the padded width whose query rows take part, as in the released code; `None`: queries and keys
    ///   are both below the length.
    /// * `kept`: whether dropout kept a position in both views; only used for [`Pool::Kept`] and
    ///   [`Scaling::ValidShareSquared`].
    /// * `stream`: the stream of the step. Row (sentence `b`, slice `r`) draws from `stream.with(b).with(r)`, so
    ///   the draws for a sentence do not depend on other sentences.
    pub fn draw(
        &self,
        slices: &[Slice],
        lengths: &[usize],
        width: Option<usize>,
        kept: &dyn Fn(&Position) -> bool,
        stream: Stream,
    ) -> Result<Selection> {
        self.draw_seen(slices, lengths, width, None, kept, stream)
    }

    /// [`draw`](Self::draw) from the positions that `seen` accepts: in layers with local attention, those within the
    /// window. Attention outside is 0 in both views, whatever the sentence; as equal values far below all others, these
    /// positions alone would make the views correlate.
    pub fn draw_seen(
        &self,
        slices: &[Slice],
        lengths: &[usize],
        width: Option<usize>,
        seen: Option<&dyn Fn(&Position) -> bool>,
        kept: &dyn Fn(&Position) -> bool,
        stream: Stream,
    ) -> Result<Selection> {
        if self.samples < 2 {
            return Err(Error::Sampling(format!(
                "a correlation needs at least 2 samples, found {}",
                self.samples
            )));
        }
        if self.replacement && self.samples > MOST_REPLACED {
            return Err(Error::Sampling(format!(
                "{} samples with replacement are more than {MOST_REPLACED}; choose fewer samples, such as 150",
                self.samples
            )));
        }
        let grids = grids(slices, lengths, width)?;
        let look = self.pool == Pool::Kept || self.scaling == Scaling::ValidShareSquared;
        let kept = |p: &Position| seen.is_none_or(|seen| seen(p)) && kept(p);
        let valid: Vec<Vec<u32>> =
            if look { grids.iter().map(|grid| grid.valid(&kept)).collect() } else { vec![] };
        // `None`: all positions of the grids.
        let candidates: Option<Vec<Vec<u32>>> = match (self.pool, seen) {
            (Pool::Kept, _) => Some(valid.clone()),
            (Pool::All, Some(seen)) => Some(grids.iter().map(|grid| grid.valid(seen)).collect()),
            (Pool::All, None) => None,
        };
        let count = |row: usize| candidates.as_ref().map_or(grids[row].len(), |all| all[row].len());

        let mut rows: Vec<usize> = (0..grids.len()).collect();
        let mut samples = self.samples;
        if self.pool == Pool::Kept && width.is_some() {
            rows.retain(|&row| count(row) >= samples);
            if rows.is_empty() {
                rows = (0..grids.len()).collect();
                samples = rows.iter().map(|&row| count(row)).min().unwrap_or(0);
                if samples < 2 {
                    return Err(Error::Sampling(format!(
                        "dropout left a slice with {samples} valid positions, and no slice with {}; \
                         use longer sentences, fewer samples or pool = \"all\"",
                        self.samples
                    )));
                }
            }
        }

        if !self.replacement {
            let fullest = rows.iter().map(|&row| count(row)).max().unwrap_or(0);
            samples = samples.min(fullest.max(ALWAYS_PADDED));
        }
        let mut positions = Vec::with_capacity(rows.len() * samples);
        let mut counts = Vec::with_capacity(rows.len());
        for &row in &rows {
            let grid = &grids[row];
            let mut draws = stream.with(grid.sentence as u64).with((row % slices.len()) as u64).draws();
            let drawn: Vec<u32> = match count(row) {
                0 => vec![],
                n if self.replacement => (0..samples).map(|_| draws.below(n as u64) as u32).collect(),
                n => draws.distinct(n, samples),
            };
            let at = |i: u32| grid.position(candidates.as_ref().map_or(i, |all| all[row][i as usize]));
            // A row whose positions were all dropped stays in the selection, with 0 valid samples.
            let first = drawn.first().map_or_else(|| grid.position(0), |&i| at(i));
            counts.push(drawn.len() as u32);
            positions.extend(drawn.iter().map(|&i| at(i)));
            positions.extend(std::iter::repeat_n(first, samples - drawn.len()));
        }
        let weight = match self.scaling {
            Scaling::Mean => self.scaling.weight(1.0),
            Scaling::ValidShareSquared => {
                let shares = rows.iter().map(|&row| valid[row].len() as f64 / grids[row].columns as f64);
                self.scaling.weight(shares.sum::<f64>() / rows.len() as f64)
            }
        };
        Ok(Selection { rows: rows.len(), samples, positions, counts, weight })
    }

    /// The number of positions of each (sentence, slice) that `kept` accepts, dropped rows included. The other
    /// arguments are those of [`draw`](Self::draw).
    pub fn valid_counts(
        slices: &[Slice],
        lengths: &[usize],
        width: Option<usize>,
        kept: &dyn Fn(&Position) -> bool,
    ) -> Result<Vec<u32>> {
        Ok(grids(slices, lengths, width)?.iter().map(|grid| grid.valid(kept).len() as u32).collect())
    }
}

/// The positions of one (sentence, slice): `maps x queries x keys`.
struct Grid<'a> {
    sentence: usize,
    maps: &'a Slice,
    queries: usize,
    keys: usize,
    /// Entries of the slice including padding, `maps * n * n`: the denominator of shares.
    columns: usize,
}

impl Grid<'_> {
    fn len(&self) -> usize {
        self.maps.len() * self.queries * self.keys
    }

    fn position(&self, index: u32) -> Position {
        position(self.sentence, self.maps, index as usize, self.queries, self.keys)
            .expect("the index was drawn below the grid's length")
    }

    fn valid(&self, kept: &dyn Fn(&Position) -> bool) -> Vec<u32> {
        (0..self.len() as u32).filter(|&index| kept(&self.position(index))).collect()
    }
}

/// The grids of all (sentence, slice) pairs, sentence by sentence.
fn grids<'a>(slices: &'a [Slice], lengths: &[usize], width: Option<usize>) -> Result<Vec<Grid<'a>>> {
    if lengths.is_empty() || slices.is_empty() || slices.iter().any(Vec::is_empty) {
        let (sentences, slices) = (lengths.len(), slices.len());
        return Err(Error::Sampling(format!(
            "{sentences} sentences, {slices} slices, or a slice without maps"
        )));
    }
    let mut grids = Vec::with_capacity(lengths.len() * slices.len());
    for (sentence, &length) in lengths.iter().enumerate() {
        let queries = width.unwrap_or(length);
        if length == 0 || length > queries {
            return Err(Error::Sampling(format!(
                "sentence {sentence} has {length} tokens in width {queries}"
            )));
        }
        grids.extend(slices.iter().map(|maps| Grid {
            sentence,
            maps,
            queries,
            keys: length,
            columns: maps.len() * queries * queries,
        }));
    }
    Ok(grids)
}
