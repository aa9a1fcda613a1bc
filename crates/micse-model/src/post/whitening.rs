//! Whitening: a linear map after which the rows of the fit have mean 0 and covariance 1.
//!
//! Su, Cao, Liu, Ou 2021, "Whitening Sentence Representations for Better Semantics and Faster Retrieval";
//! Huang et al. 2021, "WhiteningBERT". For n rows `x` of dimension D:
//!
//! ```text
//! mu = 1/n sum x        Sigma = 1/n sum (x - mu)^T (x - mu) = U S U^T        y = (x - mu) U S^{-1/2} [:, :k]
//! ```
//!
//! with the eigenvalues S in descending order. The result stays in the axes of U: this is PCA whitening, not
//! ZCA. The released code of one paper divides by n - 1, the other does not divide at all; this scales all
//! rows by a constant, which does not affect cosines.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::post::{Error, Result, rows};

/// Eigenvalues below this fraction of the largest are dropped. Embeddings are f32: a direction whose standard
/// deviation is below 1e-5 of the largest contains little but rounding errors, and `S^{-1/2}` would scale it
/// up to the size of all other directions.
pub const RELATIVE_BOUND: f64 = 1e-10;

/// Number of rows converted to f64 at a time.
const BLOCK: usize = 256;
/// Maximum number of sweeps of the eigenvalue search per row of the covariance; 2 or 3 are usual.
const SWEEPS: usize = 30;

/// A whitening fitted on rows, `y = (x - mean) kernel^T`; computed in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Whitening {
    mean: DVector<f64>,
    /// `(U S^{-1/2} [:, :k])^T`, k x D.
    kernel: DMatrix<f64>,
    dropped: usize,
    rows: usize,
}

impl Whitening {
    /// Fits on `rows` (n rows of dimension D) and keeps the `components` directions of largest variance;
    /// `None` keeps all directions with variance.
    ///
    /// Directions with an eigenvalue below [`RELATIVE_BOUND`] of the largest are omitted;
    /// [`dropped`](Self::dropped) returns their number. n rows have variance in at most n - 1 directions. If
    /// all of these are kept and n <= D + 1, the rows of the fit become the corners of a regular simplex: any
    /// two have cosine -1 / (n - 1), whatever they mean. With few rows, choose `components` well below n.
    ///
    /// The sign of each eigenvector is chosen so that its largest entry is positive. The result is
    /// bit-for-bit reproducible.
    ///
    /// # Errors
    /// Fails with fewer than 2 rows, rows of different dimensions, NaN or infinite entries, rows that are all
    /// equal, or if `components` is 0 or exceeds the number of directions with variance.
    pub fn fit(rows: &[Vec<f32>], components: Option<usize>) -> Result<Self> {
        if rows.len() < 2 {
            return Err(Error::TooFewRows { what: "whitening", found: rows.len(), needed: 2 });
        }
        let dimension = rows[0].len();
        rows::check(rows, dimension)?;
        if dimension == 0 {
            return Err(Error::NoVariance { rows: rows.len() });
        }
        let mean = mean(rows);
        let (values, vectors) = eigen(covariance(rows, &mean))?;

        let left = values.iter().take_while(|&&v| v > 0.0 && v >= RELATIVE_BOUND * values[0]).count();
        if left == 0 {
            return Err(Error::NoVariance { rows: rows.len() });
        }
        let k = components.unwrap_or(left);
        if k == 0 || k > left {
            return Err(Error::Components { asked: k, left, rows: rows.len(), dimension });
        }
        let kernel = DMatrix::from_fn(k, dimension, |c, d| vectors[(d, c)] / values[c].sqrt());
        Ok(Self { mean, kernel, dropped: dimension - left, rows: rows.len() })
    }

    /// The whitened rows, n of dimension k, not normalized to length 1.
    ///
    /// # Errors
    /// Fails if a row's dimension differs from the fit, an entry is NaN or infinite, or a row is so far from
    /// those of the fit that its transform overflows f32.
    pub fn transform(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        rows::check(rows, self.input_dimension())?;
        let mut out = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK) {
            let whitened = &self.kernel * centred(block, &self.mean);
            out.extend(whitened.column_iter().map(|row| row.iter().map(|&v| v as f32).collect()));
        }
        rows::check_transformed(out)
    }

    /// Dimension D of the input rows.
    pub fn input_dimension(&self) -> usize {
        self.mean.len()
    }

    /// Number k of components, which is the dimension of the output rows.
    pub fn output_dimension(&self) -> usize {
        self.kernel.nrows()
    }

    /// The number of directions that were omitted for lack of variance.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The number of rows of the fit.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The mean row of the fit, `[D]`.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The same map as an f32 linear layer, `y = W x + b`:
    ///
    /// ```text
    /// W = (U S^{-1/2} [:, :k])^T        b = -W mu
    /// ```
    ///
    /// W has k rows of D entries in row-major order, b has k entries. Both are computed in f64 and rounded at
    /// the end. [`Self::transform`] subtracts the mean first; here, `W x` and `b` cancel, so that f32 results
    /// agree with it to about 1e-7 of the larger of the two.
    pub fn weight_and_bias(&self) -> (Vec<f32>, Vec<f32>) {
        let weight = self.kernel_row_major().into_iter().map(|w| w as f32).collect();
        let bias = (&self.kernel * &self.mean).iter().map(|b| -b as f32).collect();
        (weight, bias)
    }

    /// The kernel, k rows of D entries, in row-major order.
    pub(crate) fn kernel_row_major(&self) -> Vec<f64> {
        self.kernel.transpose().as_slice().to_vec()
    }

    /// A whitening with these values; `kernel` is in the form of [`Self::kernel_row_major`].
    pub(crate) fn from_values(mean: Vec<f64>, kernel: &[f64], dropped: usize, rows: usize) -> Self {
        let (mean, d) = (DVector::from_vec(mean), kernel.len());
        let kernel = DMatrix::from_row_slice(d / mean.len(), mean.len(), kernel);
        Self { mean, kernel, dropped, rows }
    }
}

/// The mean row, summed as differences from the first row, so that the mean of a constant coordinate is
/// exact.
fn mean(rows: &[Vec<f32>]) -> DVector<f64> {
    let first = DVector::from_iterator(rows[0].len(), rows[0].iter().map(|&v| f64::from(v)));
    let mut sum = DVector::zeros(first.len());
    for row in rows {
        for ((sum, &v), &origin) in sum.iter_mut().zip(row).zip(first.iter()) {
            *sum += f64::from(v) - origin;
        }
    }
    first + sum / rows.len() as f64
}

/// `x - mean` of each row in f64, one column per row.
fn centred(rows: &[Vec<f32>], mean: &DVector<f64>) -> DMatrix<f64> {
    let entries = rows.iter().flat_map(|row| row.iter().zip(mean.iter()).map(|(&v, &m)| f64::from(v) - m));
    DMatrix::from_iterator(mean.len(), rows.len(), entries)
}

/// The population covariance, D x D, accumulated block by block in row order.
fn covariance(rows: &[Vec<f32>], mean: &DVector<f64>) -> DMatrix<f64> {
    let mut sum = DMatrix::zeros(mean.len(), mean.len());
    for block in rows.chunks(BLOCK) {
        let block = centred(block, mean);
        // A plain product uses the blocked kernel; nalgebra's product with a transposed view does not.
        sum.gemm(1.0, &block, &block.transpose(), 1.0);
    }
    sum / rows.len() as f64
}

/// Eigenvalues in descending order, and eigenvectors as columns with a positive largest entry.
fn eigen(matrix: DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let dimension = matrix.nrows();
    let found = SymmetricEigen::try_new(matrix, f64::EPSILON, SWEEPS * dimension)
        .ok_or(Error::Eigenvalues { dimension })?;
    let mut order: Vec<usize> = (0..dimension).collect();
    order.sort_by(|&a, &b| found.eigenvalues[b].total_cmp(&found.eigenvalues[a]));
    let values = order.iter().map(|&i| found.eigenvalues[i]).collect();
    let mut vectors = found.eigenvectors.select_columns(&order);
    for mut vector in vectors.column_iter_mut() {
        if vector[vector.icamax()] < 0.0 {
            vector.neg_mut();
        }
    }
    Ok((values, vectors))
}
