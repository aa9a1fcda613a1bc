//! Operations on rows of matrices.

use rayon::prelude::*;

/// Elements per task.
const TASK: usize = 1 << 14;

/// Sets every row of `out` to `row`.
pub fn fill_rows(out: &mut [f32], row: &[f32]) {
    let task = (TASK / row.len()).max(1) * row.len();
    out.par_chunks_mut(task).for_each(|out| {
        for out in out.chunks_exact_mut(row.len()) {
            out.copy_from_slice(row);
        }
    });
}

/// Sets row i of `out` to row `rows[i]` of `matrix`; both have `width` columns.
pub fn gather_rows(out: &mut [f32], matrix: &[f32], rows: &[u32], width: usize) {
    assert_eq!(out.len(), rows.len() * width);
    for (out, &row) in out.chunks_exact_mut(width).zip(rows) {
        out.copy_from_slice(&matrix[row as usize * width..][..width]);
    }
}

/// Adds row i of `values` to row `rows[i]` of `matrix`, in the order of i.
pub fn scatter_add_rows(matrix: &mut [f32], values: &[f32], rows: &[u32], width: usize) {
    assert_eq!(values.len(), rows.len() * width);
    for (values, &row) in values.chunks_exact(width).zip(rows) {
        add(&mut matrix[row as usize * width..][..width], values);
    }
}

/// `sum += values`.
pub fn add(sum: &mut [f32], values: &[f32]) {
    assert_eq!(sum.len(), values.len());
    for (sum, &value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}
