//! Kernels against their formulas in f64, and gradients against finite differences.

mod activation;
mod attention;
mod classifier;
mod common;
mod gated;
mod norm;
mod plain;
mod rotary;
mod stream;
