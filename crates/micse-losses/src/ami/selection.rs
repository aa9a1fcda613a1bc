//! Positions in a batch's attention maps at which AMI compares two views.

use candle_core::Tensor;

use super::Slice;
use crate::{Error, Result};

/// One entry of one attention map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Row of the sentence in the batch.
    pub sentence: u32,
    /// Layer, numbered as in the slices.
    pub layer: u32,
    /// Attention head.
    pub head: u32,
    /// The attending token.
    pub query: u32,
    /// The attended token.
    pub key: u32,
}

/// Rows of sampled positions, the same for both views; each row belongs to one (sentence, slice).
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Number of rows, in the order (sentence, slice).
    pub rows: usize,
    /// Number of positions per row.
    pub samples: usize,
    /// `rows * samples` positions, row after row. A row with fewer valid samples is filled by repeating its first
    /// position; `counts` masks these entries.
    pub positions: Vec<Position>,
    /// Number of valid samples of each row: the first `counts[r]` positions of row `r`. Repeats from sampling with
    /// replacement count as often as they were drawn.
    pub counts: Vec<u32>,
    /// The factor of the mean over rows in the loss: 1 in the paper; for the released code, see
    /// [`Scaling`](super::Scaling).
    pub weight: f64,
}

impl Selection {
    /// Builds a selection from indices for every (sentence, slice). `indices` is `[sentences, slices, samples]`,
    /// flat. The weight is 1.
    ///
    /// An index of a slice is `k = a * n * n + t * n + z`: map `a` of the slice, query `t`, key `z`, with `n`
    /// the `width`.
    pub fn from_indices(slices: &[Slice], indices: &[u32], samples: usize, width: usize) -> Result<Self> {
        let per_sentence = slices.len() * samples;
        if per_sentence == 0 || !indices.len().is_multiple_of(per_sentence) {
            return Err(Error::Sampling(format!(
                "{} indices are not divisible into sentences of {} slices with {samples} samples",
                indices.len(),
                slices.len()
            )));
        }
        let rows: Vec<(usize, usize)> = (0..indices.len() / per_sentence)
            .flat_map(|sentence| (0..slices.len()).map(move |slice| (sentence, slice)))
            .collect();
        Self::from_rows(slices, &rows, indices, samples, width, 1.0)
    }

    /// Builds a selection from indices for some rows. `rows` names the (sentence, slice) of each; `indices` is
    /// `[rows, samples]`, flat, with `k` as in [`from_indices`](Self::from_indices).
    pub fn from_rows(
        slices: &[Slice],
        rows: &[(usize, usize)],
        indices: &[u32],
        samples: usize,
        width: usize,
        weight: f64,
    ) -> Result<Self> {
        if rows.is_empty() || samples == 0 || indices.len() != rows.len() * samples {
            return Err(Error::Sampling(format!(
                "found {} indices for {} rows of {samples} samples",
                indices.len(),
                rows.len()
            )));
        }
        let mut positions = Vec::with_capacity(indices.len());
        for (&(sentence, slice), row) in rows.iter().zip(indices.chunks(samples)) {
            let maps = slices.get(slice).ok_or_else(|| {
                Error::Sampling(format!(
                    "slice {slice} does not exist; the number of slices is {}",
                    slices.len()
                ))
            })?;
            for &index in row {
                positions.push(position(sentence, maps, index as usize, width, width).ok_or_else(|| {
                    Error::Sampling(format!(
                        "index {index} is outside slice {slice} of {} maps of width {width}",
                        maps.len()
                    ))
                })?);
            }
        }
        let counts = vec![samples as u32; rows.len()];
        Ok(Self { rows: rows.len(), samples, positions, counts, weight })
    }

    /// Gathers the attention at the positions, `[rows, samples]`, from `maps` `[B, L, H, n, n]` (sentence, layer,
    /// head, query, key); the positions' layers index the second dimension. Differentiable; the gradients of a
    /// position drawn more than once add up.
    pub fn gather(&self, maps: &Tensor) -> Result<Tensor> {
        let &[sentences, layers, heads, queries, keys] = maps.dims() else {
            let expected = "[sentences, layers, heads, queries, keys]".into();
            return Err(Error::Shape { name: "attention maps", expected, found: maps.dims().to_vec() });
        };
        let mut flat = Vec::with_capacity(self.positions.len());
        for p in &self.positions {
            let at = [p.sentence, p.layer, p.head, p.query, p.key].map(|i| i as usize);
            let sizes = [sentences, layers, heads, queries, keys];
            if at.iter().zip(sizes).any(|(&i, size)| i >= size) {
                return Err(Error::Sampling(format!("{p:?} is outside attention maps of shape {sizes:?}")));
            }
            flat.push(at.iter().zip(sizes).fold(0, |index, (&i, size)| index * size as i64 + i as i64));
        }
        let flat = Tensor::from_vec(flat, self.positions.len(), maps.device())?;
        let values = maps.flatten_all()?.contiguous()?.index_select(&flat, 0)?;
        Ok(values.reshape((self.rows, self.samples))?)
    }
}

/// The position with index `index` among `maps x queries x keys`; `None` if the index is too large.
pub(super) fn position(
    sentence: usize,
    maps: &Slice,
    index: usize,
    queries: usize,
    keys: usize,
) -> Option<Position> {
    let in_map = index.checked_rem(queries * keys)?;
    let &(layer, head) = maps.get(index / (queries * keys))?;
    Some(Position {
        sentence: sentence as u32,
        layer: layer as u32,
        head: head as u32,
        query: (in_map / keys) as u32,
        key: (in_map % keys) as u32,
    })
}
