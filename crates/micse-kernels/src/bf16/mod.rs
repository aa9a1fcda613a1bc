//! Matrix products in bfloat16 with f32 sums.
//!
//! `out[m][n] (+)= sum over k of lhs[m][k] * rhs[k][n]`: both operands are rounded to bfloat16 (the upper half of
//! an f32, round to nearest even), products are exact in f32, and sums are f32. Half the memory of f32 and, on
//! processors with AVX512_BF16 (`vdpbf16ps`), twice its rate.
//!
//! - [`Lhs`] is the left operand: rows of bfloat16, which the kernel reads as they lie. A buffer that already
//!   holds bfloat16 rows can be used in its place through [`Bf16View`].
//! - [`Rhs`] is the right operand, packed into panels of 32 columns and pairs of rows. Weights are packed once
//!   a step and reused.
//! - [`product`] multiplies; [`product_then`] also calls a function on each finished block of rows.
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
//! # Same bits
//! The depth k is summed in blocks of a fixed size, one after the other, and work is cut into tasks by the
//! shapes alone: the result does not depend on the number of threads, nor an output row on the rows beside it.
//! It does depend on the processor: `vdpbf16ps` takes subnormal numbers as zero and rounds in its own way. Other
//! processors run a portable kernel that agrees within f32 rounding of the same bfloat16 inputs. Packed operands
//! have the same bits everywhere.

// Portable code becomes vector code by being inlined into functions compiled for the vectors.
#![allow(clippy::inline_always)]

mod isa;
mod kernel_portable;
mod lhs;
mod line;
mod pack;
mod pack_portable;
mod product;
mod rhs;
mod round;
mod view;

#[cfg(target_arch = "x86_64")]
mod kernel_avx512;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;

pub use lhs::Lhs;
pub use product::{Start, product, product_then};
pub use rhs::Rhs;
pub use round::{round, widen};
pub use view::Bf16View;
