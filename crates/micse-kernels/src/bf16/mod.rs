//! Matrix products in bfloat16 with f32 sums.
//!
//! `out[m][n] (+)= sum over k of lhs[m][k] * rhs[k][n]`. Both operands are rounded to bfloat16 (the upper half of
//! an f32, round to nearest even); products are exact in f32, and sums are f32. Needs half the memory of f32 and,
//! on CPUs with instructions for it, has more throughput: twice that of f32 with AVX512_BF16 (`vdpbf16ps`) on AMD's
//! CPUs, and several times with AMX (`tdpbf16ps`). On Intel's CPUs, `vdpbf16ps` alone is slower than f32.
//!
//! - [`Lhs`] is the left operand: rows of bfloat16, which the kernel reads in place. A buffer that already
//!   contains bfloat16 rows can be used directly through [`Bf16View`]. Other kernels round their results into
//!   its rows as they compute them ([`Lhs::room`]).
//! - [`Rhs`] is the right operand, packed into panels of 32 columns and pairs of rows. Weights are packed once per
//!   step and reused.
//! - [`product`] multiplies. [`product_activated`] and [`product_activated_backward`] apply a non-linearity or its
//!   slopes to finished rows while these are in the cache, and write them in bfloat16 alone.
//!
//! ```
//! use micse_kernels::View;
//! use micse_kernels::bf16::{Lhs, Rhs, Start, product};
//!
//! let (tokens, inputs, outputs) = (2, 3, 2);
//! let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
//! let w = [1.0, 0.0, -1.0, 0.5, 0.5, 0.5];
//! let (mut lhs, mut rhs) = (Lhs::new(), Rhs::new());
//! lhs.pack(View::new(&x, tokens, inputs, inputs));
//! rhs.pack(View::new(&w, outputs, inputs, inputs).transposed());
//! let mut y = [0.0; 4];
//! product(&mut y, outputs, lhs.view(), &rhs, Start::Bias(&[10.0, 20.0]));
//! assert_eq!(y, [8.0, 23.0, 8.0, 27.5]);
//! ```
//!
//! # Reproducibility
//! The depth k is summed in blocks of a fixed size, one after the other, and tasks share no sums (where they do, for the
//! gradient of a bias, their division depends on the shapes alone). So the result does not depend on the number of threads, and an output row does not depend on other
//! rows. It does depend on the CPU: `vdpbf16ps` and `tdpbf16ps` treat subnormal numbers as zero and have their own order
//! of rounding. Other CPUs run a portable kernel that agrees within f32 rounding for the same bfloat16 inputs. Packed
//! operands are bit-for-bit identical everywhere.

// Portable code is vectorised by inlining it into functions compiled for the vector extensions.
#![allow(clippy::inline_always)]

mod activated;
mod isa;
mod kernel_portable;
mod lhs;
mod pack;
mod pack_portable;
mod product;
mod rhs;
mod round;
mod rows;
mod view;

#[cfg(target_arch = "x86_64")]
mod kernel_amx;
#[cfg(target_arch = "x86_64")]
mod kernel_avx512;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;
#[cfg(target_arch = "x86_64")]
mod round_avx512;

pub use activated::{product_activated, product_activated_backward};
pub use lhs::Lhs;
pub use product::{Start, product};
pub use rhs::Rhs;
pub use round::{round, widen};
pub use rows::RoundedRows;
pub use view::Bf16View;
