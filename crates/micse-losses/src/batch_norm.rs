//! Batch normalisation without an affine map and without running statistics.

use candle_core::Tensor;

use crate::checks::{constant, matrix};
use crate::{Error, Result};

/// The columns of `x` `[B, D]` with mean 0 and variance 1 over the batch: `[B, D]`.
///
/// ```text
/// y_bd = (x_bd - mean_d) / sqrt(var_d + epsilon)        var_d = 1/B sum_b (x_bd - mean_d)^2
/// ```
///
/// The gradient goes through mean and variance too. A constant column becomes 0. Weight, bias and running
/// statistics, where a network has them, are its own affair. PyTorch's epsilon is 1e-5.
///
/// **Citation**: Ioffe, Szegedy 2015, Algorithm 1.
///
/// # Errors
/// No f32 or f64 matrix; a batch of one, of which every column has the variance 0; an epsilon that is not positive.
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
    // One value a column, in every row.
    let spread = |row: &Tensor| constant(1.0, (batch, 1), x)?.matmul(row).map_err(Error::from);
    let centred = x.sub(&spread(&column_means(x)?)?)?;
    let scales = (column_means(&centred.sqr()?)? + epsilon)?.sqrt()?.recip()?;
    Ok(centred.mul(&spread(&scales)?)?)
}

/// The means of the columns of `x` `[B, D]`: `[1, D]`. By a matrix product with ones: the tensor library's sums over
/// rows and its broadcasts, forward and backward, are several times slower.
pub(crate) fn column_means(x: &Tensor) -> Result<Tensor> {
    let batch = x.dim(0)?;
    Ok((constant(1.0, (1, batch), x)?.matmul(x)? / batch as f64)?)
}
