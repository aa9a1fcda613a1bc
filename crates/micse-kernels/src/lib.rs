//! CPU kernels of a transformer encoder, forward and backward, on plain slices.

pub mod bf16;
pub mod view;

pub use view::View;
