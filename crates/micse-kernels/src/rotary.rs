//! Rotary positions (Su et al. 2021): queries and keys are turned by an angle that grows with their position, so that
//! their product depends on the distance between them.
//!
//! Columns i and i + d/2 of a head of width d are the two coordinates of one point, i < d/2:
//!
//! ```text
//! a = position * theta^(-2 i / d) / factor
//! x[i] <- x[i] cos a - x[i + d/2] sin a        x[i + d/2] <- x[i + d/2] cos a + x[i] sin a
//! ```
//!
//! The backward pass turns gradients back by the same angle.

use rayon::prelude::*;

use crate::simd::vectorised;

/// Rows per task.
const TASK_ROWS: usize = 32;

/// Cosine and sine of the angles of all positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    head_size: usize,
    /// `[positions, d]`: the cosines of a position, then its sines.
    angles: Vec<f32>,
}

impl Rotation {
    /// The rotation of heads of width `head_size` (even) at positions below `positions`; `factor` divides the frequencies.
    ///
    /// Frequencies and angles are rounded to f32, as in the implementations that models are trained with: at
    /// position 8000 an angle is only exact to 5e-4.
    pub fn new(theta: f64, factor: f64, head_size: usize, positions: usize) -> Self {
        assert!(head_size.is_multiple_of(2), "heads of width {head_size} cannot be halved");
        let half = head_size / 2;
        let frequency =
            |i: usize| 1.0 / (theta as f32).powf(2.0 * i as f32 / head_size as f32) / factor as f32;
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let mut angles = Vec::with_capacity(positions * head_size);
        for position in 0..positions {
            angles.extend(frequencies.iter().map(|f| (position as f32 * f).cos()));
            angles.extend(frequencies.iter().map(|f| (position as f32 * f).sin()));
        }
        Self { head_size, angles }
    }

    /// Cosines and sines `[d/2]` of a position.
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        self.angles[position * self.head_size..][..self.head_size].split_at(self.head_size / 2)
    }
}

vectorised! {
    fn rotate_rows(qkv: &mut [f32], width: usize, positions: &[u32], rotation: &Rotation, sign: f32) {
        for (row, &position) in qkv.chunks_exact_mut(width).zip(positions) {
            let (cosines, sines) = rotation.at(position as usize);
            for head in row[..width / 3 * 2].chunks_exact_mut(rotation.head_size) {
                let (left, right) = head.split_at_mut(rotation.head_size / 2);
                for (((x, y), &cos), &sin) in left.iter_mut().zip(right).zip(cosines).zip(sines) {
                    let sin = sign * sin;
                    (*x, *y) = (x.mul_add(cos, -(*y * sin)), y.mul_add(cos, *x * sin));
                }
            }
        }
    }
}

fn turn(qkv: &mut [f32], hidden: usize, positions: &[u32], rotation: &Rotation, sign: f32) {
    let width = 3 * hidden;
    assert!(qkv.len() == positions.len() * width && hidden.is_multiple_of(rotation.head_size));
    qkv.par_chunks_mut(TASK_ROWS * width)
        .zip(positions.par_chunks(TASK_ROWS))
        .for_each(|(qkv, positions)| rotate_rows(qkv, width, positions, rotation, sign));
}

/// Turns queries and keys of `qkv` `[rows, 3 D]` by the position of each row; values stay. `hidden` is D, a multiple of
/// the head's width.
pub fn rotate(qkv: &mut [f32], hidden: usize, positions: &[u32], rotation: &Rotation) {
    turn(qkv, hidden, positions, rotation, 1.0);
}

/// Backward pass of [`rotate`], in place: from the gradients of turned queries and keys to those before the turn.
pub fn rotate_backward(gradient: &mut [f32], hidden: usize, positions: &[u32], rotation: &Rotation) {
    turn(gradient, hidden, positions, rotation, -1.0);
}
