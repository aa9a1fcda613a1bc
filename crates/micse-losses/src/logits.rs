//! Operations on logits: sums of exponentials, masks, softplus.

use candle_core::Tensor;

use crate::Result;
use crate::checks::constant;

/// `scores` with minus infinity where `mask` is 1: no contribution to a sum of exponentials, and no gradient.
pub(crate) fn exclude(scores: &Tensor, mask: &Tensor) -> Result<Tensor> {
    Ok(mask.where_cond(&constant(f64::NEG_INFINITY, scores.shape(), scores)?, scores)?)
}

/// `ln sum_j exp x_ij` of each row of `x` `[N, M]`: `[N]`. Shifted by the row's largest entry, treated as a
/// constant.
pub(crate) fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let largest = x.detach().max_keepdim(1)?;
    let sums = x.broadcast_sub(&largest)?.exp()?.sum(1)?;
    Ok(sums.log()?.add(&largest.squeeze(1)?)?)
}

/// `ln(1 + e^x)` of each entry, as `max(x, 0) + ln(1 + e^-|x|)`: this avoids exponentials of large numbers and
/// preserves the precision of small values. The gradient is the logistic function of `x`.
pub(crate) fn softplus(x: &Tensor) -> Result<Tensor> {
    let exponential = x.abs()?.neg()?.exp()?;
    let sum = (&exponential + 1.0)?;
    // First-order correction of the rounding error of the sum; without it, ln(1 + e^-40) would be 0.
    let rounded = sum.detach();
    let lost = exponential.detach().sub(&(&rounded - 1.0)?)?.div(&rounded)?;
    Ok(x.relu()?.add(&sum.log()?.add(&lost)?)?)
}

/// Binary cross-entropy: the mean of `softplus(-l)` over the logits `l` `[N]` where `positive`, and of
/// `softplus(l)` elsewhere. `positive` has N values.
pub(crate) fn binary_cross_entropy(logits: &Tensor, positive: &[bool]) -> Result<Tensor> {
    let mask: Vec<u8> = positive.iter().map(|&p| u8::from(p)).collect();
    let mask = Tensor::new(mask, logits.device())?;
    Ok(softplus(&mask.where_cond(&logits.neg()?, logits)?)?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    /// Compared with the standard library's `ln_1p` and the logistic function, over the entire range of f64.
    #[test]
    fn softplus_keeps_its_digits() {
        let points: Vec<f64> = (-1400..=1400).map(|i| f64::from(i) / 2.0).chain([1e300, -1e300]).collect();
        for (dtype, tolerance, smallest) in
            [(DType::F64, 1e-15, f64::MIN_POSITIVE), (DType::F32, 5e-7, 1e-37)]
        {
            let points: Vec<f64> =
                points.iter().copied().filter(|x| dtype == DType::F64 || x.abs() < 1e30).collect();
            let x = Tensor::new(points.clone(), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let found = softplus(&x).unwrap();
            let gradients = found.backward().unwrap();
            let all = |x: &Tensor| x.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
            let pairs = all(&found).into_iter().zip(all(gradients.get(&x).unwrap()));
            for (&x, (value, slope)) in points.iter().zip(pairs) {
                let expected = x.max(0.0) + (-x.abs()).exp().ln_1p();
                assert!(
                    (value - expected).abs() <= tolerance * expected + smallest,
                    "softplus({x}) = {value:e}"
                );
                let expected = if x > 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) };
                assert!(
                    (slope - expected).abs() <= tolerance * expected + smallest,
                    "slope at {x}: {slope:e}"
                );
            }
        }
    }

    #[test]
    fn nan_stays_nan() {
        let x = Tensor::new(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY], &Device::Cpu).unwrap();
        let found = softplus(&x).unwrap().to_vec1::<f64>().unwrap();
        assert!(found[0].is_nan());
        assert_eq!(found[1..], [f64::INFINITY, 0.0]);
    }
}
