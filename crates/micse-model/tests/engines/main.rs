//! Compares the packed engine with the reference engine: same leaves and gradients, with dropout on.

mod common;
mod families;
mod passes;
mod training;
