//! GELU with the exact error function, x Phi(x) (Hendrycks & Gimpel 2016), as one operation on the CPU.
//!
//! The tensor library calls a scalar `erff` per entry, forward and backward, which took a quarter of a
//! training step. The arithmetic here is that of [`micse_kernels::activation`]; other devices have their own
//! kernels.
//!
//! ```text
//! y = x Phi(x)            dy/dx = Phi(x) + x phi(x),  phi the normal density
//! ```

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor};
use micse_kernels::activation::{Activation, activate, activation_backward};

use crate::Result;

/// GELU of every entry.
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return Ok(x.gelu_erf()?);
    }
    Ok(x.contiguous()?.apply_op1(Gelu)?)
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("GELU needs a contiguous tensor, got the layout {layout:?}"),
    }
}

/// A zero bias, which the kernels require: as wide as the last dimension.
fn no_bias(layout: &Layout) -> Vec<f32> {
    vec![0.0; layout.dims().last().copied().unwrap_or(1)]
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut y = slice(storage, layout)?.to_vec();
        if !y.is_empty() {
            activate(Activation::Gelu, &mut y, &no_bias(layout));
        }
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
        let x = slice(x, x_layout)?;
        let mut out = slice(gradient, gradient_layout)?.to_vec();
        if !out.is_empty() {
            // The kernel also returns y and the gradient of the bias.
            let (mut y, mut bias) = (vec![0.0; x.len()], no_bias(x_layout));
            activation_backward(Activation::Gelu, &mut y, &mut out, x, &mut bias, &mut Vec::new());
        }
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
