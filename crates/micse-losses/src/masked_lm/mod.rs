//! The masked-LM loss: cross-entropy of a prediction over the full vocabulary, including the output layer.
//!
//! For hidden states `h_m` of `M` masked positions, word table `W` `[V, D]`, bias `b` and true IDs `t_m`:
//!
//! ```text
//! x_m = W h_m + b        loss = 1/M sum_m ( ln sum_v exp x_mv - x_m,t_m )
//! dloss/dx_mv = (softmax(x_m)_v - [v = t_m]) / M
//! ```
//!
//! The scores `x` are by far the largest tensor of a masked-LM step (600 x 8,192 numbers for a batch of 4,000
//! tokens). As a chain of autograd operations, the loss would read and copy them a dozen times. Here they exist
//! once, outside the graph. Each row is turned into its gradient while it is in the cache, and matrix products
//! then compute the gradients of states, table and bias for the backward pass.

mod products;
mod row;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, InplaceOp2, Layout, Shape, Tensor, Var, WithDType, bail};
use rayon::prelude::*;

use crate::checks::{matrix, same_shape, same_type};
use crate::{Error, Result};
pub use products::Products;
use row::Real;

/// The result of [`masked_lm_loss`].
#[derive(Clone, Debug)]
pub struct MaskedLm {
    /// The mean cross-entropy in nats: a scalar in the autograd graph of states and bias.
    pub loss: Tensor,
    /// Number of positions where no ID scores higher than the true one.
    pub correct: usize,
    table: TableGradient,
}

/// Where the table's gradient is stored.
#[derive(Clone, Debug)]
enum TableGradient {
    /// In the loss's own node, during the backward pass.
    Node(Arc<Mutex<Option<Tensor>>>),
    /// In the graph (devices other than the CPU).
    Graph(Var),
}

impl MaskedLm {
    /// The gradient of the word table `[V, D]` from the backward pass that returned `gradients`; `None` before it,
    /// or if neither states nor bias were in a graph. The table belongs to an encoder, which has its own gradient
    /// for it; add the two.
    pub fn table_gradient(&self, gradients: &candle_core::backprop::GradStore) -> Option<Tensor> {
        match &self.table {
            TableGradient::Node(cell) => cell.lock().unwrap_or_else(PoisonError::into_inner).take(),
            TableGradient::Graph(table) => gradients.get(table.as_tensor()).cloned(),
        }
    }
}

/// The masked-LM loss of states `[M, D]` with the word table `[V, D]` and the bias `[V]`, against the true IDs of
/// the M positions.
///
/// **Inputs**: the states of the masked positions only, after the prediction head's transform. The table is BERT's
/// own word embeddings (tied). The table is not part of the graph; [`MaskedLm::table_gradient`] returns its
/// gradient.
///
/// **Requirements**: f32 or f64, all of one type; IDs below V; at least one position.
///
/// **Relations**: the objective of pre-training; an auxiliary term of a contrastive loss, with weight 0.1 in
/// `SimCSE`'s code.
///
/// **Citation**: Devlin et al. 2019, section 3.1.
///
/// # Errors
/// Mismatched shapes or types, an ID outside the table, no positions; bfloat16 for anything but f32 on the CPU.
///
/// ```
/// use candle_core::{DType, Device, Tensor, Var};
/// use micse_losses::{Products, masked_lm_loss};
///
/// // Two positions, a vocabulary of three. Every score is 0, so the loss is ln 3.
/// let states = Var::from_tensor(&Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?)?;
/// let table = Tensor::ones((3, 4), DType::F32, &Device::Cpu)?;
/// let bias = Tensor::zeros(3, DType::F32, &Device::Cpu)?;
/// let masked = masked_lm_loss(&states, &table, &bias, &[0, 2], Products::Full)?;
/// assert!((masked.loss.to_scalar::<f32>()? - 3_f32.ln()).abs() < 1e-6);
/// let gradients = masked.loss.backward()?;
/// assert!(gradients.get(&states).is_some());
/// assert_eq!(masked.table_gradient(&gradients).unwrap().dims(), [3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn masked_lm_loss(
    states: &Tensor,
    table: &Tensor,
    bias: &Tensor,
    targets: &[u32],
    products: Products,
) -> Result<MaskedLm> {
    let (_, dim) = matrix(states, "states")?;
    let (vocabulary, _) = matrix(table, "word table")?;
    same_shape(table, "word table", &[vocabulary, dim])?;
    same_shape(bias, "bias", &[vocabulary])?;
    same_shape(states, "states", &[targets.len(), dim])?;
    for (x, name) in [(table, "word table"), (bias, "bias")] {
        same_type(x, name, states)?;
    }
    if let Some(&id) = targets.iter().find(|&&id| id as usize >= vocabulary) {
        return Err(Error::Target { id, vocabulary });
    }
    products.check(states)?;
    if !states.device().is_cpu() {
        return plain(states, table, bias, targets);
    }

    let table = table.detach();
    let scores = products.scores(&states.detach(), &table)?;
    let walk = Walk { targets, gradient: states.track_op() || bias.track_op(), outcome: RefCell::default() };
    scores.inplace_op2(&bias.detach().contiguous()?, &walk)?;
    let (loss, correct) = walk.outcome.into_inner();
    // From here on, `scores` contains the gradient with respect to the scores.
    let cell = Arc::default();
    let node = Node { loss, scores, table, products, table_gradient: Arc::clone(&cell) };
    Ok(MaskedLm { loss: states.apply_op2(bias, node)?, correct, table: TableGradient::Node(cell) })
}

/// The same loss in plain tensor operations, for devices other than the CPU.
fn plain(states: &Tensor, table: &Tensor, bias: &Tensor, targets: &[u32]) -> Result<MaskedLm> {
    let table = Var::from_tensor(&table.detach())?;
    let scores = states.matmul(&table.t()?)?.broadcast_add(bias)?;
    let ids = Tensor::new(targets, states.device())?.unsqueeze(1)?;
    let largest = scores.detach().max_keepdim(1)?;
    let sums = scores.broadcast_sub(&largest)?.exp()?.sum_keepdim(1)?;
    let own = scores.gather(&ids, 1)?;
    let losses = sums.log()?.add(&largest)?.sub(&own)?;
    let right = own.detach().ge(&largest)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
    Ok(MaskedLm { loss: losses.mean_all()?, correct: right as usize, table: TableGradient::Graph(table) })
}

/// Visits the scores once, in place: adds the bias, collects loss and hits, and leaves the gradient if requested.
struct Walk<'a> {
    targets: &'a [u32],
    gradient: bool,
    /// The mean loss and the number of hits.
    outcome: RefCell<(f64, usize)>,
}

impl Walk<'_> {
    fn rows<T: Real>(&self, scores: &mut [T], bias: &[T]) {
        let share = self.gradient.then(|| 1.0 / self.targets.len() as f64);
        // One task per row of about ten thousand numbers. Rows are independent, so results do not depend on the
        // number of threads.
        let rows: Vec<(f64, bool)> = scores
            .par_chunks_mut(bias.len())
            .zip(self.targets)
            .map(|(row, &target)| T::walk(row, bias, target as usize, share))
            .collect();
        let mean = rows.iter().map(|(loss, _)| loss).sum::<f64>() / rows.len() as f64;
        *self.outcome.borrow_mut() = (mean, rows.iter().filter(|(_, hit)| *hit).count());
    }
}

impl InplaceOp2 for Walk<'_> {
    fn name(&self) -> &'static str {
        "masked-lm"
    }

    fn cpu_fwd(
        &self,
        scores: &mut CpuStorage,
        scores_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (Some((start, end)), Some((first, last))) =
            (scores_layout.contiguous_offsets(), bias_layout.contiguous_offsets())
        else {
            bail!("the masked-LM loss needs contiguous scores, got the layout {scores_layout:?}")
        };
        match (scores, bias) {
            (CpuStorage::F32(scores), CpuStorage::F32(bias)) => {
                self.rows(&mut scores[start..end], &bias[first..last]);
            }
            (CpuStorage::F64(scores), CpuStorage::F64(bias)) => {
                self.rows(&mut scores[start..end], &bias[first..last]);
            }
            _ => bail!("the masked-LM loss needs f32 or f64"),
        }
        Ok(())
    }
}

/// The loss as a node of the graph.
struct Node {
    loss: f64,
    /// The gradient with respect to the scores.
    scores: Tensor,
    table: Tensor,
    products: Products,
    table_gradient: Arc<Mutex<Option<Tensor>>>,
}

impl CustomOp2 for Node {
    fn name(&self) -> &'static str {
        "masked-lm"
    }

    fn cpu_fwd(
        &self,
        states: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let storage = match states {
            CpuStorage::F64(_) => f64::to_cpu_storage(&[self.loss]),
            _ => f32::to_cpu_storage(&[self.loss as f32]),
        };
        Ok((storage, Shape::from(())))
    }

    fn bwd(
        &self,
        states: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let factor = gradient.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let scaled = |own: Tensor| if factor == 1.0 { Ok(own) } else { own.affine(factor, 0.0) };
        let table = scaled(self.products.table_gradient(&self.scores, &states.detach())?)?;
        *self.table_gradient.lock().unwrap_or_else(PoisonError::into_inner) = Some(table);
        // The column sums as a matrix product, because the tensor library's sum over rows is far slower.
        let ones = Tensor::ones((1, self.scores.dim(0)?), self.scores.dtype(), self.scores.device())?;
        let bias = scaled(ones.matmul(&self.scores)?.squeeze(0)?)?;
        Ok((Some(scaled(self.products.states_gradient(&self.scores, &self.table)?)?), Some(bias)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use micse_random::Stream;

    use super::*;

    /// Other devices use the plain form; here both run on the CPU.
    #[test]
    fn both_forms_agree() {
        let normal = |seed: u64, shape: &[usize]| {
            let mut draws = Stream::new(seed).draws();
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| draws.normal()).collect();
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let (states, table, bias) = (normal(1, &[6, 4]), normal(2, &[9, 4]), normal(3, &[9]));
        let targets = [0, 8, 3, 3, 1, 5];
        let fused = masked_lm_loss(&states, &table, &bias, &targets, Products::Full).unwrap();
        let plain = plain(&states, &table, &bias, &targets).unwrap();
        assert_eq!(fused.correct, plain.correct);
        let value = |loss: &Tensor| loss.to_scalar::<f64>().unwrap();
        assert!((value(&fused.loss) - value(&plain.loss)).abs() < 1e-13);
        let (a, b) = (fused.loss.backward().unwrap(), plain.loss.backward().unwrap());
        let same = |a: &Tensor, b: &Tensor| {
            let difference = (a - b).unwrap().abs().unwrap().sum_all().unwrap();
            assert!(value(&difference) < 1e-12);
        };
        for input in [&states, &bias] {
            same(a.get(input).unwrap(), b.get(input).unwrap());
        }
        same(&fused.table_gradient(&a).unwrap(), &plain.table_gradient(&b).unwrap());
    }
}
