//! Matrix products of 8-bit integers with 32-bit sums, for encoding without gradients.
//!
//! `out[m][n] = bias[n] + sum over k of x[m][k] * w[n][k]`, where both factors are rounded to 8 bits:
//!
//! ```text
//! w[n][k] = scale[n] * q[n][k]                  q: -127 to 127, one scale per output channel n
//! x[m][k] = lowest[m] + step[m] * p[m][k]       p: 0 to 255, found for each row (token) m
//! out     = bias[n] + step[m] * scale[n] * (sum of p q) + lowest[m] * scale[n] * (sum over k of q)
//! ```
//!
//! The few activations of a row that are larger than six times its root mean square would widen the range, and so the
//! steps, of all others. They are clipped for the formula above, and what is cut off is multiplied in f32 (compare
//! LLM.int8, Dettmers and others 2022, which treats whole input channels this way).
//!
//! - [`Weights`] is a weight matrix, packed into panels of 16 output channels.
//! - [`Rows`] is a block of activations. Before they are rounded, inputs can be multiplied by one factor per input
//!   channel, by which the weights were divided (SmoothQuant, Xiao and others 2023).
//! - [`product`] multiplies; [`product_activated`] also applies a non-linearity ([`activate`]) and rounds its results.
//!
//! ```
//! use micse_kernels::int8::{Rows, Weights, product};
//!
//! // Two output channels of three inputs: 0.5 * [2, 0, -2] and 0.1 * [10, 20, 30].
//! let weights = Weights::new(&[2, 0, -2, 10, 20, 30], 3, &[0.5, 0.1]);
//! let mut rows = Rows::default();
//! rows.round(&[0.0, 1.0, 255.0], 3, None);
//! let mut y = [0.0; 2];
//! product(&mut y, &rows, &weights, Some(&[1.0, 0.0]));
//! assert_eq!(y, [-254.0, 767.0]);
//! ```
//!
//! # Reproducibility
//! The sums are exact, and the formula above is evaluated in f32 in one order without fused operations. So the result
//! has the same bits on all CPUs and for any number of threads, and a row does not depend on other rows.
//!
//! # Unusual values
//! A row that contains NaN or an infinity gives a row of NaN. A row whose values are all equal, or differ by less than
//! f32 can divide into 255 steps, counts as constant.

mod activated;
mod activation;
mod isa;
mod kernel_portable;
mod product;
mod rows;
mod weights;

#[cfg(target_arch = "x86_64")]
mod kernel_avx2;
#[cfg(target_arch = "aarch64")]
mod kernel_neon;
#[cfg(target_arch = "x86_64")]
mod kernel_vnni;

pub use activated::product_activated;
pub use activation::activate;
pub use product::product;
pub use rows::Rows;
pub use weights::{LARGEST, MOST_INPUTS, Weights, round_row};
