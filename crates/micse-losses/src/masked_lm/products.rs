//! The three matrix products of the output layer.

use candle_core::{CpuStorage, DType, Storage, Tensor, bail};
use micse_kernels::View;
use micse_kernels::bf16::{Lhs, Rhs, Start, product};

use crate::{Error, Result};

/// Precision of the output layer's matrix products. Sums are f32 (or f64) in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// In the tensors' own type.
    #[default]
    Full,
    /// Factors are rounded to bfloat16. For f32 on the CPU; about twice as fast where the CPU has instructions for it.
    Bf16,
}

impl Products {
    /// Returns an error if these products are not available for tensors like `x`.
    pub(super) fn check(self, x: &Tensor) -> Result<()> {
        if self == Self::Bf16 && !(x.dtype() == DType::F32 && x.device().is_cpu()) {
            return Err(Error::DType {
                name: "states (for bfloat16 products, on the CPU)",
                found: x.dtype(),
            });
        }
        Ok(())
    }

    /// `h W^T`: `[M, V]` of states `[M, D]` and table `[V, D]`.
    pub(super) fn scores(self, states: &Tensor, table: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Full => states.matmul(&table.t()?),
            Self::Bf16 => rounded((states, false), (table, true)),
        }
    }

    /// `G W`: `[M, D]` of the scores' gradient `[M, V]` and the table.
    pub(super) fn states_gradient(self, scores: &Tensor, table: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Full => scores.matmul(table),
            Self::Bf16 => rounded((scores, false), (table, false)),
        }
    }

    /// `G^T h`: `[V, D]`.
    pub(super) fn table_gradient(self, scores: &Tensor, states: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Full => scores.t()?.matmul(states),
            Self::Bf16 => rounded((scores, true), (states, false)),
        }
    }
}

/// A product of two matrices, each optionally transposed.
fn rounded(lhs: (&Tensor, bool), rhs: (&Tensor, bool)) -> candle_core::Result<Tensor> {
    let (mut left, mut right) = (Lhs::new(), Rhs::new());
    with_view(lhs, |view| left.pack(view))?;
    with_view(rhs, |view| right.pack(view))?;
    let (rows, columns) = (left.view().rows(), right.columns());
    let mut out = vec![0.0; rows * columns];
    product(&mut out, columns, left.view(), &right, Start::Zero);
    Tensor::from_vec(out, (rows, columns), lhs.0.device())
}

fn with_view((x, transposed): (&Tensor, bool), pack: impl FnOnce(View<'_>)) -> candle_core::Result<()> {
    let (rows, columns) = x.dims2()?;
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    else {
        bail!("bfloat16 products need f32 on the CPU")
    };
    let view = View::new(&values[start..end], rows, columns, columns);
    pack(if transposed { view.transposed() } else { view });
    Ok(())
}
