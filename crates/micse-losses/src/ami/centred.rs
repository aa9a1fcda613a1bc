//! The centred logarithm of attention values, row by row.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use crate::Result;
use crate::checks::replace_below;

/// `ln x` minus its mean over the valid samples of the row, `[rows, samples]`; 0 for invalid samples. The first
/// `counts[r]` samples of row r are valid.
///
/// On the CPU this is one node of the graph, because a dozen operations on whole matrices, one after the other on one
/// thread, would take as long as a layer of a small encoder.
pub(super) fn centred_log(x: &Tensor, counts: &Arc<[u32]>) -> Result<Tensor> {
    if x.device().is_cpu() {
        Ok(x.contiguous()?.apply_op1(CentredLog { counts: Arc::clone(counts) })?)
    } else {
        plain(x, counts)
    }
}

/// Values below this count as this, with zero gradient.
const LEAST: f32 = f32::MIN_POSITIVE;

/// The operations one by one, on any device.
fn plain(x: &Tensor, counts: &[u32]) -> Result<Tensor> {
    let (rows, samples) = x.dims2()?;
    let valid = counts.iter().flat_map(|&count| (0..samples as u32).map(move |j| u8::from(j < count)));
    let valid = Tensor::from_vec(valid.collect::<Vec<u8>>(), (rows, samples), x.device())?;
    let sizes: Vec<f32> = counts.iter().map(|&count| count.max(1) as f32).collect();
    let sizes = Tensor::from_vec(sizes, (rows, 1), x.device())?.to_dtype(x.dtype())?;
    let logs = replace_below(x, f64::from(LEAST), f64::from(LEAST))?.log()?;
    // Subtracting the first sample, as a constant, centres a constant row to exact zeros. A rounded mean would
    // not.
    let logs = logs.broadcast_sub(&logs.detach().narrow(1, 0, 1)?)?;
    let zeros = logs.zeros_like()?;
    let logs = valid.where_cond(&logs, &zeros)?;
    let means = logs.sum_keepdim(1)?.div(&sizes)?;
    Ok(valid.where_cond(&logs.broadcast_sub(&means)?, &zeros)?)
}

/// The two float types of the loss.
trait Real: WithDType + Sync {
    const ZERO: Self;

    /// Writes the centred logarithms of the valid samples.
    fn centre(out: &mut [Self], x: &[Self]);

    /// Writes the gradient of the valid samples `x` from that of their centred logarithms.
    fn gradient(out: &mut [Self], x: &[Self], gradient: &[Self]);
}

macro_rules! real {
    ($real:ty) => {
        impl Real for $real {
            const ZERO: Self = 0.0;

            fn centre(out: &mut [Self], x: &[Self]) {
                // NaN stays NaN.
                let log = |x: Self| if x < LEAST.into() { Self::from(LEAST).ln() } else { x.ln() };
                let Some(&first) = x.first() else { return };
                // As above: a constant row becomes zeros.
                let first = log(first);
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = log(x) - first;
                }
                let mean = out.iter().sum::<Self>() / out.len() as Self;
                for out in out {
                    *out -= mean;
                }
            }

            fn gradient(out: &mut [Self], x: &[Self], gradient: &[Self]) {
                let mean = gradient.iter().sum::<Self>() / gradient.len() as Self;
                for ((out, &x), &gradient) in out.iter_mut().zip(x).zip(gradient) {
                    *out = if x < LEAST.into() { 0.0 } else { (gradient - mean) / x };
                }
            }
        }
    };
}
real!(f32);
real!(f64);

/// The node.
struct CentredLog {
    counts: Arc<[u32]>,
}

impl CentredLog {
    /// All rows: `row` computes the valid samples of one, at this range of the values; the others are 0.
    fn rows<T: Real>(&self, samples: usize, row: impl Fn(&mut [T], std::ops::Range<usize>) + Sync) -> Vec<T> {
        let mut out = vec![T::ZERO; self.counts.len() * samples];
        out.par_chunks_mut(samples).zip(&self.counts[..]).enumerate().for_each(|(r, (out, &count))| {
            let (start, count) = (r * samples, count as usize);
            row(&mut out[..count], start..start + count);
        });
        out
    }

    fn backward<T: Real>(&self, x: &Tensor, gradient: &Tensor) -> candle_core::Result<Tensor> {
        let samples = x.dim(1)?;
        let (x_values, gradient) =
            (x.flatten_all()?.to_vec1::<T>()?, gradient.flatten_all()?.to_vec1::<T>()?);
        let out = self
            .rows(samples, |out, valid| T::gradient(out, &x_values[valid.clone()], &gradient[valid.clone()]));
        Tensor::from_vec(out, x.shape(), x.device())
    }
}

impl CustomOp1 for CentredLog {
    fn name(&self) -> &'static str {
        "centred logarithm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("the centred logarithm needs contiguous values, got the layout {layout:?}")
        };
        let samples = layout.dims()[1];
        let storage = match storage {
            CpuStorage::F32(x) => {
                let x = &x[start..end];
                CpuStorage::F32(self.rows(samples, |out, valid| f32::centre(out, &x[valid])))
            }
            CpuStorage::F64(x) => {
                let x = &x[start..end];
                CpuStorage::F64(self.rows(samples, |out, valid| f64::centre(out, &x[valid])))
            }
            _ => bail!("the centred logarithm needs f32 or f64"),
        };
        Ok((storage, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        match x.dtype() {
            DType::F64 => self.backward::<f64>(x, gradient).map(Some),
            _ => self.backward::<f32>(x, gradient).map(Some),
        }
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
        let mut draws = Stream::new(1).draws();
        let mut values: Vec<f64> = (0..5 * 7).map(|_| draws.normal().abs()).collect();
        // A constant row, dropped and underflowed values.
        values[7..14].fill(0.3);
        (values[14], values[16], values[24]) = (0.0, 0.0, 1e-300);
        let weights =
            Tensor::from_vec((0..35).map(|_| draws.normal()).collect(), (5, 7), &Device::Cpu).unwrap();
        let counts: Arc<[u32]> = Arc::new([7, 7, 7, 4, 0]);
        for dtype in [DType::F32, DType::F64] {
            let x = Tensor::from_vec(values.clone(), (5, 7), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let weights = weights.to_dtype(dtype).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let turned = x.t().unwrap().contiguous().unwrap().t().unwrap();
            let results = [centred_log(&turned, &counts).unwrap(), plain(&x, &counts).unwrap()].map(|logs| {
                let loss = (&logs * &weights).unwrap().sum_all().unwrap();
                let gradients = loss.backward().unwrap();
                let flat =
                    |t: &Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>();
                (flat(&logs).unwrap(), flat(gradients.get(&x).unwrap()).unwrap())
            });
            let [(logs, gradient), (plain_logs, plain_gradient)] = results;
            let tolerance = if dtype == DType::F32 { 1e-5 } else { 1e-13 };
            for (a, b) in logs.iter().chain(&gradient).zip(plain_logs.iter().chain(&plain_gradient)) {
                assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{dtype:?}: {a} {b}");
            }
            assert!(logs[7..14].iter().all(|&x| x == 0.0), "a constant row");
        }
    }
}
