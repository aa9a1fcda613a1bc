//! The exponential function for x <= 0, without branches.

/// 1.5 * 2^23: in this binade, f32 has exactly the integers.
const ONES: f32 = 12_582_912.0;

/// exp(x) for x <= 0: 2^n times a polynomial on half a binade either side of 0; relative error below 1e-7. Below
/// -87, where the result is less than the smallest normal number, it is exp(-87). This includes minus infinity, so
/// the caller must clear masked entries.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn exp_not_positive(x: f32) -> f32 {
    // NaN stays NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    // The last bit of the sum counts ones, so that it is rounded to an integer, which its low bits contain. A cast to
    // an integer would not be vectorised.
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ONES);
    let n = shifted - ONES;
    // ln 2 in two parts; the first has enough zero bits for an exact product.
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = r.mul_add(series, term);
    }
    let exponent = shifted.to_bits().wrapping_sub(ONES.to_bits() - 127);
    series * f32::from_bits(exponent << 23)
}
