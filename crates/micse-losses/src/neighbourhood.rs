//! VaSCL: contrast with a virtual view, the adversary of a sentence among its neighbours.
//!
//! For pooled rows `h` `[B, D]` and a head `g` whose outputs are normalised, `s(a, b) = g(a).g(b) / tau`:
//!
//! 1. the neighbourhood `N(i)`: the `k` other rows with the largest `h_i.h_j`;
//! 2. a start `d_i`, uniform in `[-1/2, 1/2)^D`, normalised;
//! 3. `r_i`, the gradient with respect to `d_i` of the one-direction InfoNCE of `x_i = h_i + xi d_i`,
//!    `ln( exp s(x_i, h_i) + sum_{j in N(i)} exp s(x_i, h_j) ) - s(x_i, h_i)`, with `h` and `g(h)` constant;
//! 4. the virtual view `v_i = h_i + epsilon r_i / (|r_i| + 1e-8)`;
//! 5. the loss: with `A(i)` the rows `h_j` and `v_j` of all `j in N(i)`, the mean over the 2B rows `a` of
//!    `(h_i, v_i)` and `(v_i, h_i)` of
//!    `ln( exp s(a_i, b_i) + sum_{c in A(i)} exp s(a_i, c) ) - s(a_i, b_i)`.
//!
//! `N`, `d` and `r` are constants of the loss.

use candle_core::{DType, Tensor, Var};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use crate::checks::{matrix, positive_temperature, same_matrix, same_shape};
use crate::cosine::normalize_rows;
use crate::logits::{exclude, log_sum_exp, softplus};
use crate::{Error, Result};

/// A head on pooled rows: `[B, D]` to `[B, D']`, of any norm.
pub type Head<'a> = dyn Fn(&Tensor) -> candle_core::Result<Tensor> + 'a;

/// Added to norms before dividing. A row with a flat loss thus stays in place; without the floor, the rounding
/// noise of its gradient would move it by `epsilon`.
const NORM_FLOOR: f64 = 1e-8;

/// Which parts learn from the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VirtualForm {
    /// Everything that the loss depends on: the gradient reaches the rows, and the head through `g(h)` and `g(v)`.
    #[default]
    Paper,
    /// As in the released code: rows and `g(h)` are constants, so only the head learns, and only through `g(v)`.
    /// `r` is the gradient of the batch mean, B times smaller, so the 1e-8 of step 4 shortens it B times earlier.
    ReleasedCode,
}

/// Parameters of [`virtual_contrast`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VirtualOptions {
    /// The positive divisor `tau` of the cosines.
    pub temperature: f64,
    /// `xi`, the length of the start; positive.
    pub step: f64,
    /// `epsilon`, the length of the perturbation; positive.
    pub radius: f64,
    /// `k`, the neighbours per row; at least 1. If there are fewer than `k` other rows, all of them are
    /// neighbours.
    pub neighbours: usize,
    /// Which parts learn.
    pub form: VirtualForm,
}

/// The loss of the [module](self) for rows `[B, D]`: a scalar. The starts are drawn from `stream`, each row from
/// its own coordinate.
///
/// **Inputs**: pooled rows before any head, f32 or f64; the head as a function. The head is called three times and
/// must consist of plain candle operations. An internal backward pass runs through it; its gradients for the
/// head's parameters are dropped, so the head must not accumulate gradients elsewhere.
///
/// **Requirements**: at least 2 rows. A row where the head has zero gradient is its own virtual view.
///
/// **Relations**: with all rows as neighbours, step 5 is NT-Xent. VaSCL adds this loss, with weight 1, to NT-Xent
/// of two dropout views.
///
/// **Recommended values**: temperature 0.05, step and radius 15, 16 neighbours, batches of 1024, mean pooling,
/// a head of two linear layers without biases and a ReLU between, 128 outputs.
///
/// **Citation**: Zhang, Xiao, Zhu, Ma, Arnold 2022 (VaSCL).
pub fn virtual_contrast(
    rows: &Tensor,
    head: &Head<'_>,
    options: &VirtualOptions,
    stream: Stream,
) -> Result<Tensor> {
    let (batch, dim) = matrix(rows, "rows")?;
    virtual_contrast_from(rows, head, options, &uniform_starts(batch, dim, stream, rows)?)
}

/// Like [`virtual_contrast`], with given starts `d` `[B, D]` of any norm.
pub fn virtual_contrast_from(
    rows: &Tensor,
    head: &Head<'_>,
    options: &VirtualOptions,
    starts: &Tensor,
) -> Result<Tensor> {
    positive("radius", options.radius)?;
    let rows = match options.form {
        VirtualForm::Paper => rows.clone(),
        VirtualForm::ReleasedCode => rows.detach(),
    };
    let neighbours = nearest_neighbours(&rows, options.neighbours)?;
    let outputs = head(&rows)?;
    let outputs = match options.form {
        VirtualForm::Paper => outputs,
        VirtualForm::ReleasedCode => outputs.detach(),
    };
    let direction = direction_among(&rows, &outputs, head, &neighbours, options, starts)?;
    let virtual_rows = (&rows + (direction * options.radius)?)?;
    neighbourhood_contrast(&outputs, &head(&virtual_rows)?, &neighbours, options.temperature)
}

/// The neighbourhoods of rows `h` `[B, D]`: `[B, B]` of type u8, 1 at `(i, j)` where `j` is one of the
/// `neighbours` other rows with the largest `h_i.h_j`. Ties go to the lower index. If there are fewer other rows,
/// all of them are neighbours.
pub fn nearest_neighbours(rows: &Tensor, neighbours: usize) -> Result<Tensor> {
    let (batch, _) = matrix(rows, "rows")?;
    if neighbours == 0 {
        return Err(Error::Number { name: "neighbours", expected: "at least 1", found: 0.0 });
    }
    if batch == 1 {
        let why = "a row needs another row as its neighbour";
        return Err(Error::OneSentence { objective: "virtual contrast", why });
    }
    let rows = rows.detach();
    let products = rows.matmul(&rows.t()?)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let mut mask = vec![0_u8; batch * batch];
    for (i, products) in products.iter().enumerate() {
        let mut others: Vec<usize> = (0..batch).filter(|&j| j != i).collect();
        if neighbours < others.len() {
            let nearer = |&a: &usize, &b: &usize| products[b].total_cmp(&products[a]).then(a.cmp(&b));
            others.select_nth_unstable_by(neighbours - 1, nearer);
            others.truncate(neighbours);
        }
        for j in others {
            mask[i * batch + j] = 1;
        }
    }
    Ok(Tensor::from_vec(mask, (batch, batch), rows.device())?)
}

/// The constant directions `r / (|r| + 1e-8)` `[B, D]` of steps 2 and 3 of the [module](self). From the starts
/// `[B, D]` (of any norm), they are the directions in which the head most easily confuses a row with its
/// neighbours (from [`nearest_neighbours`]). A row without gradient has the zero vector.
pub fn adversarial_directions(
    rows: &Tensor,
    head: &Head<'_>,
    neighbours: &Tensor,
    options: &VirtualOptions,
    starts: &Tensor,
) -> Result<Tensor> {
    let rows = rows.detach();
    direction_among(&rows, &head(&rows)?, head, neighbours, options, starts)
}

/// The two-direction loss of step 5 of the [module](self) for head outputs `g(h)` and `g(v)` `[B, D']` of any
/// norm, with the neighbours from [`nearest_neighbours`] `[B, B]` as negatives: a scalar. The gradient reaches
/// both.
pub fn neighbourhood_contrast(
    outputs: &Tensor,
    virtual_outputs: &Tensor,
    neighbours: &Tensor,
    temperature: f64,
) -> Result<Tensor> {
    let (batch, _) = matrix(outputs, "head outputs")?;
    same_matrix(virtual_outputs, "virtual head outputs", outputs)?;
    let both = Tensor::cat(&[normalize_rows(outputs)?, normalize_rows(virtual_outputs)?], 0)?;
    same_shape(neighbours, "neighbours", &[batch, batch])?;
    let own = Tensor::eye(batch, DType::U8, outputs.device())?;
    let none = own.zeros_like()?;
    let row = |left: &Tensor, right: &Tensor| Tensor::cat(&[left, right], 1);
    let positives = Tensor::cat(&[row(&none, &own)?, row(&own, &none)?], 0)?;
    let tiled = row(neighbours, neighbours)?;
    let negatives = Tensor::cat(&[&tiled, &tiled], 0)?;
    Ok(contrast(&both, &both, &positives, &negatives, temperature)?.mean_all()?)
}

/// For each row of `anchors` `[N, D']`, `ln( exp s_i+ + sum over negatives of exp s_ij ) - s_i+`, with `s` the
/// products with `candidates` `[M, D']` over the temperature: `[N]`. Both masks are `[N, M]`; a row has one
/// positive and at least one negative.
fn contrast(
    anchors: &Tensor,
    candidates: &Tensor,
    positives: &Tensor,
    negatives: &Tensor,
    temperature: f64,
) -> Result<Tensor> {
    positive_temperature(temperature)?;
    let scores = (anchors.matmul(&candidates.t()?)? / temperature)?;
    let own = positives.where_cond(&scores, &scores.zeros_like()?)?.sum(1)?;
    let against = log_sum_exp(&exclude(&scores, &negatives.eq(0_u8)?)?)?;
    // Equals the formula, but preserves the small gradient of a row that is far from its negatives. Only the
    // direction of this gradient is used, so rounding noise would appear at full length.
    softplus(&against.sub(&own)?)
}

/// [`adversarial_directions`], with the head's outputs for the rows already computed.
fn direction_among(
    rows: &Tensor,
    outputs: &Tensor,
    head: &Head<'_>,
    neighbours: &Tensor,
    options: &VirtualOptions,
    starts: &Tensor,
) -> Result<Tensor> {
    positive("step", options.step)?;
    let (batch, _) = matrix(rows, "rows")?;
    same_matrix(starts, "starts", rows)?;
    same_shape(neighbours, "neighbours", &[batch, batch])?;
    let (outputs_rows, _) = matrix(outputs, "head outputs")?;
    if outputs_rows != batch {
        let expected = format!("[{batch}, any]");
        return Err(Error::Shape { name: "head outputs", expected, found: outputs.dims().to_vec() });
    }
    let starts = Var::from_tensor(&directions(&starts.detach())?)?;
    let moved = (rows.detach() + (starts.as_tensor() * options.step)?)?;
    let (moved, clean) = (normalize_rows(&head(&moved)?)?, normalize_rows(&outputs.detach())?);
    let own = Tensor::eye(batch, DType::U8, rows.device())?;
    let losses = contrast(&moved, &clean, &own, neighbours, options.temperature)?;
    let loss = match options.form {
        VirtualForm::Paper => losses.sum_all()?,
        VirtualForm::ReleasedCode => losses.mean_all()?,
    };
    let gradients = loss.backward()?;
    directions(gradients.get(&starts).ok_or(Error::HeadWithoutGradient)?)
}

/// The rows of `x` `[B, D]` divided by their norms plus [`NORM_FLOOR`]. Constants only, because the norm of a zero
/// row has no gradient.
fn directions(x: &Tensor) -> Result<Tensor> {
    let norms = x.sqr()?.sum_keepdim(1)?.sqrt()?;
    Ok(x.broadcast_div(&(norms + NORM_FLOOR)?)?)
}

/// Uniform numbers in `[-1/2, 1/2)`: `[batch, dim]`, of the type and device of `like`.
fn uniform_starts(batch: usize, dim: usize, stream: Stream, like: &Tensor) -> Result<Tensor> {
    let mut values = Vec::with_capacity(batch * dim);
    for row in 0..batch {
        let mut draws = stream.with(row as u64).draws();
        values.extend((0..dim).map(|_| draws.unit() - 0.5));
    }
    // Only f64 tensors go through f64, because some devices support only f32.
    if like.dtype() == DType::F64 {
        return Ok(Tensor::from_vec(values, (batch, dim), like.device())?);
    }
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    Ok(Tensor::from_vec(values, (batch, dim), like.device())?)
}

/// Returns an error unless the number is positive and finite.
fn positive(name: &'static str, found: f64) -> Result<()> {
    if found > 0.0 && found.is_finite() {
        return Ok(());
    }
    Err(Error::Number { name, expected: "a positive number", found })
}
