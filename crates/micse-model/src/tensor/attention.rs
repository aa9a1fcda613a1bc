//! Multi-head self-attention on packed rows: A = softmax(Q K^T / sqrt(D/H) + mask), context = dropout(A) V; with
//! rotary positions and, in some layers, only near keys.

use candle_core::{D, DType, Device, Tensor};
use micse_kernels::rotary::Rotation;

use super::layers::Linear;
use crate::dropout::attention_mask;
use crate::encoder::{AttentionStage, Mode};
use crate::{Batch, Error, Pooling, Result};

/// The mapping between packed rows and the padded form `[B, n, ...]`, in which attention is computed.
pub(super) struct Packing {
    /// For every position of `[B * n]`, its packed row (row 0 for padding); `None`: both forms are equal.
    pad: Option<Tensor>,
    /// For every packed row, its position in `[B * n]`.
    unpad: Option<Tensor>,
    /// `[B, 1, 1, n]`: 0 for keys, -inf elsewhere.
    mask: Tensor,
    /// Number of keys of every sentence.
    keys: Vec<usize>,
    sentences: usize,
    width: usize,
}

impl Packing {
    pub(super) fn new(batch: &Batch, device: &Device) -> Result<Self> {
        let (sentences, width) = (batch.sentences(), batch.width());
        let mut pad = vec![0_u32; sentences * width];
        let mut unpad = Vec::with_capacity(batch.rows());
        let mut mask = vec![f32::NEG_INFINITY; sentences * width];
        for b in 0..sentences {
            for t in 0..batch.rows_of(b) {
                pad[b * width + t] = unpad.len() as u32;
                unpad.push((b * width + t) as u32);
            }
            mask[b * width..b * width + batch.keys_of(b)].fill(0.0);
        }
        let packed = unpad.len() < pad.len();
        let index = |rows: Vec<u32>| -> Result<Option<Tensor>> {
            Ok(if packed { Some(Tensor::new(rows, device)?) } else { None })
        };
        Ok(Self {
            pad: index(pad)?,
            unpad: index(unpad)?,
            mask: Tensor::from_vec(mask, (sentences, 1, 1, width), device)?,
            keys: (0..sentences).map(|b| batch.keys_of(b)).collect(),
            sentences,
            width,
        })
    }

    /// The mask of attention to keys at most `window` positions away, and which queries have such keys: pad rows far
    /// from all keys have none. `[B, 1, n, n]` (0, or -inf) and `[B, 1, n, 1]` (1 or 0).
    pub(super) fn local(&self, window: usize, device: &Device) -> Result<Local> {
        let n = self.width;
        let mut mask = vec![f32::NEG_INFINITY; self.sentences * n * n];
        let mut sees = vec![1.0_f32; self.sentences * n];
        for (row, mask) in mask.chunks_exact_mut(n).enumerate() {
            let (query, keys) = (row % n, self.keys[row / n]);
            let seen = query.saturating_sub(window)..(query + window + 1).min(keys);
            if seen.is_empty() {
                // A softmax needs at least one key; its result is multiplied by 0.
                mask.fill(0.0);
                sees[row] = 0.0;
            } else {
                mask[seen].fill(0.0);
            }
        }
        Ok(Local {
            mask: Tensor::from_vec(mask, (self.sentences, 1, n, n), device)?,
            sees: Tensor::from_vec(sees, (self.sentences, 1, n, 1), device)?,
        })
    }

    /// `[rows, D]` to `[B, H, n, D/H]`.
    fn split_heads(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let size = x.dim(D::Minus1)?;
        let x = match &self.pad {
            Some(index) => x.index_select(index, 0)?,
            None => x.clone(),
        };
        Ok(x.reshape((self.sentences, self.width, heads, size / heads))?.transpose(1, 2)?.contiguous()?)
    }

    /// `[B, H, n, D/H]` to `[rows, D]`.
    fn join_heads(&self, x: &Tensor) -> Result<Tensor> {
        let (sentences, heads, width, size) = x.dims4()?;
        let x = x.transpose(1, 2)?.reshape((sentences * width, heads * size))?;
        match &self.unpad {
            Some(index) => Ok(x.index_select(index, 0)?),
            None => Ok(x),
        }
    }
}

/// Attention to near keys only, see [`Packing::local`].
pub(super) struct Local {
    mask: Tensor,
    sees: Tensor,
}

/// Cosine and sine of every row's angles, `[rows, d/2]` (Su et al. 2021; see [`micse_kernels::rotary`]).
pub(super) struct Angles {
    cosines: Tensor,
    sines: Tensor,
}

impl Angles {
    /// Of frequencies with this theta, divided by a factor.
    pub(super) fn new(
        (theta, factor): (f64, f64),
        head_size: usize,
        batch: &Batch,
        device: &Device,
    ) -> Result<Self> {
        let positions = batch.positions();
        let count = positions.iter().max().map_or(0, |&last| last as usize + 1);
        let rotation = Rotation::new(theta, factor, head_size, count);
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        for &position in positions {
            let (cos, sin) = rotation.at(position as usize);
            cosines.extend_from_slice(cos);
            sines.extend_from_slice(sin);
        }
        let shape = (positions.len(), 1, head_size / 2);
        Ok(Self {
            cosines: Tensor::from_vec(cosines, shape, device)?,
            sines: Tensor::from_vec(sines, shape, device)?,
        })
    }

    /// Turns every head of `[rows, D]`.
    fn rotate(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let half = width / heads / 2;
        let x = x.reshape((rows, heads, 2 * half))?;
        let (left, right) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let turned = |a: &Tensor, b: &Tensor| -> Result<(Tensor, Tensor)> {
            Ok((a.broadcast_mul(&self.cosines)?, b.broadcast_mul(&self.sines)?))
        };
        let ((left_cos, right_sin), (right_cos, left_sin)) = (turned(&left, &right)?, turned(&right, &left)?);
        let both = [(left_cos - right_sin)?, (right_cos + left_sin)?];
        Ok(Tensor::cat(&both, 2)?.reshape((rows, width))?)
    }
}

/// What attention adds to its formula in a family or layer.
#[derive(Clone, Copy, Default)]
pub(super) struct Extras<'a> {
    /// Added to the scores, `[1, H, n, n]`.
    pub(super) bias: Option<&'a Tensor>,
    pub(super) angles: Option<&'a Angles>,
    pub(super) local: Option<&'a Local>,
}

/// Attention before and after dropout, `[B, H, n, n]`.
pub(super) struct Maps {
    before: Tensor,
    after: Tensor,
}

impl Maps {
    pub(super) fn at(&self, stage: AttentionStage) -> &Tensor {
        match stage {
            AttentionStage::BeforeDropout => &self.before,
            AttentionStage::AfterDropout => &self.after,
        }
    }

    /// Values at indices of the flattened map.
    pub(super) fn values(&self, stage: AttentionStage, places: Vec<u32>) -> Result<Tensor> {
        let map = self.at(stage).flatten_all()?;
        let places = Tensor::new(places, map.device())?;
        Ok(map.index_select(&places, 0)?)
    }
}

/// Queries, keys and values of one layer.
pub(super) struct SelfAttention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) heads: usize,
}

impl SelfAttention {
    /// Maps `[rows, D]` to the context `[rows, D]` (before the output projection) and the attention maps.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        layer: usize,
        mode: Mode,
        batch: &Batch,
        packing: &Packing,
        extras: Extras<'_>,
    ) -> Result<(Tensor, Maps)> {
        let (mut q, mut k) = (self.query.forward(x)?, self.key.forward(x)?);
        if let Some(angles) = extras.angles {
            (q, k) = (angles.rotate(&q, self.heads)?, angles.rotate(&k, self.heads)?);
        }
        let (q, k) = (packing.split_heads(&q, self.heads)?, packing.split_heads(&k, self.heads)?);
        let v = packing.split_heads(&self.value.forward(x)?, self.heads)?;
        let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
        let mut scores = (q.matmul(&k.transpose(2, 3)?)? * scale)?.broadcast_add(&packing.mask)?;
        if let Some(bias) = extras.bias {
            scores = scores.broadcast_add(bias)?;
        }
        let before = match extras.local {
            Some(local) => softmax(&scores.broadcast_add(&local.mask)?)?.broadcast_mul(&local.sees)?,
            None => softmax(&scores)?,
        };
        let after = match mode {
            Mode::Training(dropout) if dropout.attention > 0.0 => {
                let rate = dropout.attention;
                let mask = attention_mask(dropout.stream, rate, layer, batch, self.heads, x.device())?;
                (&before * mask)?
            }
            _ => before.clone(),
        };
        let context = packing.join_heads(&after.matmul(&v)?)?;
        Ok((context, Maps { before, after }))
    }
}

/// Softmax over the last dimension. The maximum is treated as a constant: shifting the scores does not change
/// the result.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let shifted = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?;
    let exp = shifted.exp()?;
    Ok(exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?)
}

/// The matrix `[B, rows]` that averages each sentence's tokens: 1 / length at its tokens.
pub(super) fn averaging_matrix(
    batch: &Batch,
    pooling: Pooling,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let rows = batch.rows();
    let mut matrix = vec![0.0_f32; batch.sentences() * rows];
    for (b, &first) in batch.first_rows().iter().enumerate() {
        let length = batch.averaged_rows(b, pooling);
        if length == 0 {
            return Err(Error::Input(format!("sentence {b} has no tokens to average")));
        }
        matrix[b * rows + first..b * rows + first + length].fill(1.0 / length as f32);
    }
    Ok(Tensor::from_vec(matrix, (batch.sentences(), rows), device)?.to_dtype(dtype)?)
}
