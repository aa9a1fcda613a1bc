//! Cosine similarity: `cos(a, b) = a.b / (|a| |b|)`.

use candle_core::Tensor;

use crate::Result;
use crate::checks::{constant, matrix, replace_below, same_shape, same_type};

/// A row with a norm below this counts as the zero vector.
const ZERO_NORM: f64 = 1e-12;

/// The rows of `x` `[N, D]` divided by their Euclidean norms: `[N, D]`.
///
/// A row with a norm below 1e-12 has no direction. It becomes the zero vector, so its cosine with every row is 0,
/// and it gets no gradient (dividing by a floor would give one of the order of 1e12).
pub fn normalize_rows(x: &Tensor) -> Result<Tensor> {
    matrix(x, "rows")?;
    let squares = x.sqr()?.sum_keepdim(1)?;
    let zero = squares.detach().lt(&constant(ZERO_NORM * ZERO_NORM, squares.shape(), x)?)?;
    let norms = replace_below(&squares, ZERO_NORM * ZERO_NORM, 1.0)?.sqrt()?;
    let unit = x.broadcast_div(&norms)?;
    Ok(zero.broadcast_as(x.shape())?.where_cond(&x.zeros_like()?, &unit)?)
}

/// The cosines of the rows of `a` `[N, D]` with the rows of `b` `[M, D]`: `[N, M]`. Zero rows are handled as in
/// [`normalize_rows`].
pub fn cosine_matrix(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (_, dim) = matrix(a, "a")?;
    let (rows, _) = matrix(b, "b")?;
    same_shape(b, "b", &[rows, dim])?;
    same_type(b, "b", a)?;
    Ok(normalize_rows(a)?.matmul(&normalize_rows(b)?.t()?)?)
}
