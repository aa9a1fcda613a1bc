//! The arithmetic of a transformer encoder on the CPU, forward and backward, and of classifiers on its embeddings, on
//! plain `f32` slices.
//!
//! Kernels use no tensors and no autograd graph: the caller owns all buffers and keeps what a backward pass needs.
//! Each kernel is compiled for AVX-512, AVX2 and the target's baseline, and chosen at run time. Work is divided
//! into tasks of fixed size for rayon's current pool, and sums run in a fixed order, so results do not depend on
//! the number of threads. Mismatched sizes are programming errors and panic.
//!
//! ```
//! use micse_kernels::{View, Write, product};
//!
//! // [2, 3] times the transpose of [2, 3].
//! let (x, weight) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
//! let mut y = [0.0; 4];
//! product(&mut y, View::new(&x, 2, 3, 3), View::new(&weight, 2, 3, 3).transposed(), Write::Replace);
//! assert_eq!(y, [4.0, 2.0, 10.0, 5.0]);
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`matmul`], [`mod@bf16`], [`int8`] | matrix products in f32, in bfloat16 with f32 sums, and in 8-bit integers |
//! | [`panels`] | products with weights that are packed once |
//! | [`attention`] | attention at true length, of all tokens or within a window, with taps |
//! | [`rotary`] | rotary positions |
//! | [`activation`], [`gated`] | bias and non-linearity; the gated non-linearity |
//! | [`norm`], [`stream`], [`dropout`] | LayerNorm with residual and dropout, after and before a block |
//! | [`sums`], [`rows`] | column sums; gathering and scattering rows |
//! | [`adam`] | AdamW, norms, moving averages |
//! | [`classifier`] | softmax regression on fixed features |

pub mod activation;
pub mod adam;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
pub mod bf16;
pub mod classifier;
pub mod dropout;
mod exp;
pub mod gated;
mod grid;
pub mod int8;
mod line;
pub mod matmul;
pub mod norm;
pub mod panels;
pub mod rotary;
pub mod rows;
mod simd;
mod small;
pub mod stream;
pub mod sums;
pub mod view;

pub use matmul::{Write, product};
pub use view::View;

/// Whether products in bfloat16 and int8 use the tiles of AMX: the CPU has them (Intel servers since Sapphire Rapids), and
/// the system, Linux, lets the process use them.
#[must_use]
pub fn uses_amx() -> bool {
    #[cfg(target_arch = "x86_64")]
    return amx::Amx::detect().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
