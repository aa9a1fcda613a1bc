//! Rounding with AVX512_BF16.

use super::isa::Avx512Bf16;
use super::round::round;
use std::arch::x86_64::{__m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_storeu_si512};

/// Values per step.
const STEP: usize = 32;

/// Rounds `values` into `out`.
#[allow(unsafe_code)]
pub(super) fn round_row(_: Avx512Bf16, out: &mut [u16], values: &[f32]) {
    // SAFETY: the token proves that the CPU has the features.
    unsafe { with_features(out, values) }
}

/// # Safety
/// The CPU must have the features.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn with_features(out: &mut [u16], values: &[f32]) {
    let (out, out_rest) = out.as_chunks_mut::<STEP>();
    let (values, rest) = values.as_chunks::<STEP>();
    for (out, values) in out.iter_mut().zip(values) {
        // SAFETY: a chunk has 32 values, and 32 bfloat16 take 512 bits, of which every pattern is valid.
        unsafe {
            let (low, high) =
                (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values[STEP / 2..].as_ptr()));
            let halves = _mm512_cvtne2ps_pbh(high, low);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), std::mem::transmute::<__m512bh, __m512i>(halves));
        }
    }
    for (out, &value) in out_rest.iter_mut().zip(rest) {
        *out = round(value);
    }
}
