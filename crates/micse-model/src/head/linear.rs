//! The matrix product of a head's linear layer.
//!
//! ```text
//! Y = X W^T            dX = dY W            dW = dY^T X
//! ```
//!
//! On the CPU, all three use the multi-threaded products of the kernels. No gradient is computed for a factor
//! outside the graph.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor};
use micse_kernels::View;
use micse_kernels::matmul::{Write, product};

use crate::Result;
use crate::threads::in_pool;

/// Multiplies rows `[rows, inputs]` with a weight `[outputs, inputs]` into `[rows, outputs]`.
pub(super) fn linear(rows: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !rows.device().is_cpu() || rows.dtype() != DType::F32 || weight.dtype() != DType::F32 {
        return Ok(rows.matmul(&weight.t()?)?);
    }
    let op = Linear { rows: rows.track_op(), weight: weight.track_op() };
    Ok(rows.contiguous()?.apply_op2(&weight.contiguous()?, op)?)
}

/// Which of the factors need a gradient.
struct Linear {
    rows: bool,
    weight: bool,
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        rows: &CpuStorage,
        rows_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, weight) = (view(rows, rows_layout)?, view(weight, weight_layout)?);
        if rows.columns() != weight.columns() {
            candle_core::bail!(
                "got rows of {} columns, but the linear layer expects {}",
                rows.columns(),
                weight.columns()
            )
        }
        let shape = (rows.rows(), weight.rows());
        Ok((CpuStorage::F32(multiplied(rows, weight.transposed())), shape.into()))
    }

    fn bwd(
        &self,
        rows: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let rows_gradient = self
            .rows
            .then(|| gradient.apply_op2_no_bwd(weight, &Product { transposed: false }))
            .transpose()?;
        let weight_gradient = self
            .weight
            .then(|| gradient.apply_op2_no_bwd(rows, &Product { transposed: true }))
            .transpose()?;
        Ok((rows_gradient, weight_gradient))
    }
}

/// `A B`, or `A^T B`.
struct Product {
    transposed: bool,
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "linear-gradient"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (a, b) = (view(a, a_layout)?, view(b, b_layout)?);
        let a = if self.transposed { a.transposed() } else { a };
        Ok((CpuStorage::F32(multiplied(a, b)), (a.rows(), b.columns()).into()))
    }
}

fn multiplied(a: View<'_>, b: View<'_>) -> Vec<f32> {
    let mut out = vec![0.0; a.rows() * b.columns()];
    in_pool(|| product(&mut out, a, b, Write::Replace));
    out
}

fn view<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<View<'a>> {
    let (rows, columns) = layout.shape().dims2()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(View::new(&storage.as_slice::<f32>()?[start..end], rows, columns, columns)),
        None => candle_core::bail!("a linear layer needs contiguous matrices, got the layout {layout:?}"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use micse_random::Stream;

    use super::*;

    fn normal(seed: u64, shape: (usize, usize)) -> Var {
        let mut draws = Stream::new(seed).draws();
        let numbers: Vec<f32> = (0..shape.0 * shape.1).map(|_| draws.normal() as f32).collect();
        Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn largest(x: &Tensor) -> f32 {
        x.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    /// Compares with the tensor library's product and its gradients.
    #[test]
    fn values_and_gradients_are_those_of_the_plain_product() {
        let (x, w, c) = (normal(1, (7, 33)), normal(2, (50, 33)), normal(3, (7, 50)));
        let loss = |y: &Tensor| (y * c.as_detached_tensor()).unwrap().sum_all().unwrap();
        let (own, plain) = (linear(&x, &w).unwrap(), x.matmul(&w.t().unwrap()).unwrap());
        assert!(largest(&(&own - &plain).unwrap()) < 1e-5);
        let (own, plain) = (loss(&own).backward().unwrap(), loss(&plain).backward().unwrap());
        for var in [&x, &w] {
            let difference = (own.get(var).unwrap() - plain.get(var).unwrap()).unwrap();
            assert!(largest(&difference) < 1e-5);
        }
        let constant = loss(&linear(&x, &w.as_detached_tensor()).unwrap()).backward().unwrap();
        assert!(constant.get(&w).is_none());
        assert!(largest(&(constant.get(&x).unwrap() - plain.get(&x).unwrap()).unwrap()) < 1e-5);
    }

    #[test]
    fn a_width_that_does_not_fit_is_refused() {
        let error = linear(&normal(1, (2, 3)), &normal(2, (5, 4))).unwrap_err().to_string();
        assert!(error.contains("3 columns") && error.contains('4'), "{error}");
    }
}
