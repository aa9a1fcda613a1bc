//! The parameters of a bucket, and AdaGrad's step on a pair.

use micse_random::Stream;

use super::blocks::{Block, Pair, Side};

/// Lanes of sums and steps: one AVX-512 register of f32. Fixed, so that the bits do not depend on the vector
/// width.
const LANES: usize = 16;

/// The vectors and biases of a bucket's words in one role, word or context, with their sums of squared gradients.
#[derive(Clone, Debug)]
pub(super) struct Table {
    dimension: usize,
    /// Chunks per row; entries beyond `dimension` are zero and stay zero.
    chunks: usize,
    values: Vec<[f32; LANES]>,
    squares: Vec<[f32; LANES]>,
    biases: Vec<f32>,
    bias_squares: Vec<f32>,
}

impl Table {
    /// Whether no parameter is NaN or infinite.
    pub(super) fn is_finite(&self) -> bool {
        self.values.as_flattened().iter().chain(&self.biases).all(|value| value.is_finite())
    }

    /// `rows` vectors and biases, uniform in `(-1/2, 1/2) / (dimension + 1)`.
    pub(super) fn new(rows: usize, dimension: usize, stream: Stream) -> Self {
        let chunks = dimension.div_ceil(LANES);
        let mut table = Self {
            dimension,
            chunks,
            values: vec![[0.0; LANES]; rows * chunks],
            squares: vec![[1.0; LANES]; rows * chunks],
            biases: vec![0.0; rows],
            bias_squares: vec![1.0; rows],
        };
        for row in 0..rows {
            let mut draws = stream.with(row as u64).draws();
            let mut draw = || ((draws.unit() - 0.5) / (dimension + 1) as f64) as f32;
            table.values[row * chunks..][..chunks].as_flattened_mut()[..dimension].fill_with(&mut draw);
            table.biases[row] = draw();
        }
        table
    }

    /// The vector of a word.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.chunks..][..self.chunks].as_flattened()[..self.dimension]
    }
}

#[cfg(test)]
impl Table {
    /// Given vectors and biases, with initial sums.
    pub(super) fn of(vectors: &[Vec<f64>], biases: &[f64]) -> Self {
        let mut table = Self::new(vectors.len(), vectors[0].len(), Stream::new(0));
        for (row, (vector, &bias)) in vectors.iter().zip(biases).enumerate() {
            let values = table.values[row * table.chunks..][..table.chunks].as_flattened_mut();
            for (value, &given) in values.iter_mut().zip(vector) {
                *value = given as f32;
            }
            table.biases[row] = bias as f32;
        }
        table
    }

    /// The bias of a word.
    pub(super) fn bias(&self, row: usize) -> f32 {
        self.biases[row]
    }
}

/// A pass over a block: one step for each of its pairs, in order. Returns the sum of the pairs' losses, each
/// before its step.
pub(super) fn train_block(block: Block<'_>, words: &mut Table, contexts: &mut Table, rate: f32) -> f64 {
    pulp::Arch::new().dispatch(Pass { block, words, contexts, rate })
}

/// The arguments of [`train_block`], for each vector width of the CPU.
struct Pass<'a> {
    block: Block<'a>,
    words: &'a mut Table,
    contexts: &'a mut Table,
    rate: f32,
}

impl pulp::WithSimd for Pass<'_> {
    type Output = f64;

    #[inline(always)]
    #[allow(clippy::inline_always)] // it must inherit the vector width of the calling function
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> f64 {
        let Self { block, words, contexts, rate } = self;
        let mut loss = 0.0;
        for &pair in block.pairs {
            let turned = Pair { row: pair.column, column: pair.row, ..pair };
            if block.side != Side::Turned {
                loss += step(words, contexts, pair, rate);
            }
            if block.side == Side::Turned || block.side == Side::Both && pair.row != pair.column {
                loss += step(words, contexts, turned, rate);
            }
        }
        loss
    }
}

/// AdaGrad's step on the pair of a word (row) and a context (column); returns the loss before the step.
#[inline(always)]
#[allow(clippy::inline_always)] // as above
fn step(words: &mut Table, contexts: &mut Table, pair: Pair, rate: f32) -> f64 {
    let (i, j, chunks) = (usize::from(pair.row), usize::from(pair.column), words.chunks);
    let w = &mut words.values[i * chunks..][..chunks];
    let w_squares = &mut words.squares[i * chunks..][..chunks];
    let c = &mut contexts.values[j * chunks..][..chunks];
    let c_squares = &mut contexts.squares[j * chunks..][..chunks];

    let mut sums = [0.0; LANES];
    for (w, c) in w.iter().zip(c.iter()) {
        for l in 0..LANES {
            sums[l] += w[l] * c[l];
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            sums[l] += sums[l + width];
        }
        width /= 2;
    }
    let difference = sums[0] + words.biases[i] + contexts.biases[j] - pair.log;
    let slope = pair.weight * difference;

    let scaled = rate * slope;
    for (((w, c), w_squares), c_squares) in w.iter_mut().zip(c).zip(w_squares).zip(c_squares) {
        for l in 0..LANES {
            let (of_w, of_c) = (scaled * c[l], scaled * w[l]);
            w[l] -= of_w / w_squares[l].sqrt();
            c[l] -= of_c / c_squares[l].sqrt();
            w_squares[l] += of_w * of_w;
            c_squares[l] += of_c * of_c;
        }
    }
    words.biases[i] -= scaled / words.bias_squares[i].sqrt();
    contexts.biases[j] -= scaled / contexts.bias_squares[j].sqrt();
    words.bias_squares[i] += scaled * scaled;
    contexts.bias_squares[j] += scaled * scaled;
    0.5 * f64::from(slope) * f64::from(difference)
}
