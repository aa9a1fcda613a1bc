//! GELU with the exact error function, x Phi(x) (Hendrycks & Gimpel 2016), as one operation on the CPU.
//!
//! The tensor library calls a scalar `erff` for each entry, forward and backward, which took a quarter of a
//! training step. Here the upper tail is `1/2 t Q(2t - 1) exp(-x^2/2)` with `t = 1 / (1 + 0.35 |x|/sqrt 2)` and
//! Q a polynomial of degree 9, our own fit to `erfcx` (relative error below 1e-8, so that f32 rounding is what
//! remains); without branches, the loops vectorise. Other devices have their own kernels.
//!
//! ```text
//! y = x Phi(x)            dy/dx = Phi(x) + x phi(x),  phi the normal density
//! ```

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use crate::Result;

/// GELU of every entry.
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return Ok(x.gelu_erf()?);
    }
    Ok(x.contiguous()?.apply_op1(Gelu)?)
}

/// The coefficients of Q, lowest power first.
const Q: [f32; 10] = [
    0.374_212_74,
    0.302_357_2,
    0.194_224_36,
    0.095_096_93,
    0.031_842_55,
    0.004_578_601,
    -0.001_593_232_8,
    -0.000_850_286_6,
    5.767_654_6e-5,
    7.345_343e-5,
];

/// exp(-u) for u >= 0: 2^n times a polynomial on half a binade either side of 0.
#[inline]
fn exp_negative(u: f32) -> f32 {
    // Beyond 87 the result is below the smallest normal number.
    let x = -u.min(87.0);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest whole number.
    let n = (x * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    // ln 2 in two parts, the first with enough zero bits for the product to be exact.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0
                    + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
    series * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// Phi(x) and exp(-x^2/2).
#[inline]
fn normal(x: f32) -> (f32, f32) {
    let t = 1.0 / (1.0 + 0.35 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let s = 2.0 * t - 1.0;
    let mut q = Q[9];
    for power in (0..9).rev() {
        q = q * s + Q[power];
    }
    let bell = exp_negative(0.5 * x * x);
    let tail = 0.5 * t * q * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

/// Entries in one task: enough that handing it to a thread costs little.
const CHUNK: usize = 1 << 14;

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("GELU needs a contiguous tensor, got the layout {layout:?}"),
    }
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        let mut y = vec![0.0_f32; x.len()];
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x * normal(x).0;
            }
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(x.contiguous()?.apply_op2_no_bwd(&gradient.contiguous()?, &GeluGradient)?))
    }
}

struct GeluGradient;

impl CustomOp2 for GeluGradient {
    fn name(&self) -> &'static str {
        "gelu-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, g) = (slice(x, x_layout)?, slice(gradient, gradient_layout)?);
        let mut out = vec![0.0_f32; x.len()];
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(g.par_chunks(CHUNK)).for_each(
            |((out, x), g)| {
                for ((out, &x), &g) in out.iter_mut().zip(x).zip(g) {
                    let (phi, bell) = normal(x);
                    // 1 / sqrt(2 pi)
                    *out = g * (phi + x * bell * 0.398_942_3);
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// ```text
    /// x = numpy.array([-6., -3., -1., -0.1, 0., 0.1, 1., 3., 6.]); Phi = scipy.special.ndtr(x)
    /// print(x * Phi, Phi + x * numpy.exp(-x * x / 2) / numpy.sqrt(2 * numpy.pi))
    /// ```
    #[test]
    fn values_and_gradients() {
        let x = [-6.0_f32, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 6.0];
        let y = [
            -5.919_525_8e-9,
            -4.049_694e-3,
            -0.158_655_25,
            -0.046_017_22,
            0.0,
            0.053_982_78,
            0.841_344_75,
            2.995_950_3,
            5.999_999_994,
        ];
        let slope = [
            -3.546_924e-8,
            -0.011_945_65,
            -0.083_315_47,
            0.420_476_9,
            0.5,
            0.579_523_1,
            1.083_315_5,
            1.011_945_7,
            1.0,
        ];
        let x = Var::from_tensor(&Tensor::new(&x, &Device::Cpu).unwrap()).unwrap();
        let got = gelu(&x).unwrap();
        let gradients = got.sum_all().unwrap().backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&x).unwrap().to_vec1().unwrap();
        for (i, value) in got.to_vec1::<f32>().unwrap().into_iter().enumerate() {
            assert!((f64::from(value) - y[i]).abs() <= 3e-7 * y[i].abs() + 1e-12, "y[{i}] = {value}");
            assert!((f64::from(gradient[i]) - slope[i]).abs() < 3e-7, "slope[{i}] = {}", gradient[i]);
        }
    }

    #[test]
    fn far_out_it_is_zero_or_the_identity_and_never_nan() {
        let x = Tensor::new(&[-1e30_f32, -50.0, -14.0, 14.0, 50.0, 1e30], &Device::Cpu).unwrap();
        let y: Vec<f32> = gelu(&x).unwrap().to_vec1().unwrap();
        assert!(y[..3].iter().all(|y| y.abs() < 1e-6), "{y:?}");
        assert_eq!(y[3..], [14.0, 50.0, 1e30]);
    }
}
