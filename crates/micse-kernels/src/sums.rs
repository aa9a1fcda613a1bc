//! Column sums in a fixed order.

use rayon::prelude::*;

use crate::simd::vectorised;

/// Rows per task.
const TASK_ROWS: usize = 64;

vectorised! {
    /// `total += sum of the rows`, in order; rows have the width of `total`.
    pub(crate) fn add_rows(total: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(total.len()) {
            for (total, &value) in total.iter_mut().zip(row) {
                *total += value;
            }
        }
    }
}

/// `total[j] += sum_i matrix[i, j]`. `parts` is a buffer for partial sums over tasks of fixed size.
pub fn add_column_sums(total: &mut [f32], matrix: &[f32], parts: &mut Vec<f32>) {
    let width = total.len();
    let task = TASK_ROWS * width;
    parts.clear();
    parts.resize(matrix.len().div_ceil(task) * width, 0.0);
    parts.par_chunks_mut(width).zip(matrix.par_chunks(task)).for_each(|(part, rows)| add_rows(part, rows));
    add_rows(total, parts);
}
