//! Compiles one function body for several vector extensions and chooses one at run time.

use std::sync::OnceLock;

/// The widest vector extension that the kernels support and the CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// AVX-512 (F, BW, DQ, VL).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The target's baseline.
    Base,
}

/// The CPU's level, detected once: a call is a load and a test.
#[inline]
pub(crate) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detected)
}

fn detected() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
        {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Level::Avx2;
        }
    }
    Level::Base
}

/// Whether the CPU has the 32 registers of 512 bits of AVX-512.
#[inline]
pub(crate) fn has_wide_registers() -> bool {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => true,
        _ => false,
    }
}

/// Defines a function whose body is compiled for every [`Level`]; a call runs the version for the current CPU.
///
/// The body must be plain Rust that the compiler can vectorise: loops over chunks of fixed size.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$($generic:tt),*>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::too_many_arguments)] // kernels take their buffers and sizes one by one
        $vis fn $name $(<$($generic),*>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::inline_always)] // it must inherit the features of the calling function
            fn body $(<$($generic),*>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512 $(<$($generic),*>)? ($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$($generic),*>)? ($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            match $crate::simd::level() {
                // SAFETY: `level` has checked that the CPU has the features of the called function.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::simd::Level::Base => body($($arg),*),
            }
        }
    };
}
pub(crate) use vectorised;

/// Lanes of the accumulators: one AVX-512 register of f32. Fixed, so that sums do not depend on the CPU's vector
/// width.
pub(crate) const LANES: usize = 16;

/// The sum of the lanes, by halves.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn fold(lanes: [f32; LANES]) -> f32 {
    fold_by(lanes, |a, b| a + b)
}

/// The largest of the lanes, none of which is NaN.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn highest_of(lanes: [f32; LANES]) -> f32 {
    fold_by(lanes, |a, b| if b > a { b } else { a })
}

/// The smallest of the lanes, none of which is NaN.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn lowest_of(lanes: [f32; LANES]) -> f32 {
    fold_by(lanes, |a, b| if b < a { b } else { a })
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn fold_by(mut lanes: [f32; LANES], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = of(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// `n` rounded up to a multiple of the lanes.
pub(crate) const fn padded(n: usize) -> usize {
    n.next_multiple_of(LANES)
}
