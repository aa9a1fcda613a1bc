//! Batch normalisation without an affine map or running statistics.

use candle_core::Tensor;

use crate::checks::{constant, matrix};
use crate::{Error, Result};

/// Normalises the columns of `x` `[B, D]` to mean 0 and variance 1 over the batch: `[B, D]`.
///
/// ```text
/// y_bd = (x_bd - mean_d) / sqrt(var_d + epsilon)        var_d = 1/B sum_b (x_bd - mean_d)^2
/// ```
///
/// The gradient also flows through mean and variance. A constant column becomes 0. Networks with weight, bias or
/// running statistics must add them. PyTorch's epsilon is 1e-5.
///
/// **Citation**: Ioffe, Szegedy 2015, Algorithm 1.
///
/// # Errors
/// Not an f32 or f64 matrix; a batch of one, in which every column has variance 0; an epsilon that is not
/// positive.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let x = Tensor::new(&[[1_f64, 7.0], [3.0, 7.0]], &Device::Cpu)?;
/// let y = micse_losses::batch_norm(&x, 1e-5)?.to_vec2::<f64>()?;
/// assert!((y[1][0] - 1.0).abs() < 1e-5 && y[0][0] == -y[1][0]);
/// assert_eq!([y[0][1], y[1][1]], [0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn batch_norm(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        return Err(Error::Number { name: "epsilon", expected: "a positive number", found: epsilon });
    }
    let (batch, _) = matrix(x, "x")?;
    if batch == 1 {
        let why = "the variance of a single row is 0 in every column";
        return Err(Error::OneSentence { objective: "batch normalisation", why });
    }
    // One value per column, in every row.
    let spread = |row: &Tensor| constant(1.0, (batch, 1), x)?.matmul(row).map_err(Error::from);
    let centred = x.sub(&spread(&column_means(x)?)?)?;
    let scales = (column_means(&centred.sqr()?)? + epsilon)?.sqrt()?.recip()?;
    Ok(centred.mul(&spread(&scales)?)?)
}

/// The means of the columns of `x` `[B, D]`: `[1, D]`. Computed as a matrix product with ones, because the tensor
/// library's sums over rows and its broadcasts are several times slower, forward and backward.
pub(crate) fn column_means(x: &Tensor) -> Result<Tensor> {
    let batch = x.dim(0)?;
    Ok((constant(1.0, (1, batch), x)?.matmul(x)? / batch as f64)?)
}
