//! Rows that other kernels round while they compute them, so that a product needs no pass of its own for it.

use super::isa::Isa;
use super::round::round;
#[cfg(target_arch = "x86_64")]
use super::round_avx512;
use crate::line::{Line, as_halves_mut};
use crate::simd::vectorised;

/// Rows of an [`Lhs`](super::Lhs) to be written; see [`Lhs::room`](super::Lhs::room).
#[derive(Debug)]
pub struct RoundedRows<'a> {
    lines: &'a mut [Line],
    /// Lines per row.
    stride: usize,
    depth: usize,
    isa: Isa,
}

impl<'a> RoundedRows<'a> {
    pub(super) fn new(lines: &'a mut [Line], stride: usize, depth: usize, isa: Isa) -> Self {
        Self { lines, stride, depth, isa }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len() / self.stride
    }

    /// Writes a row, rounded to bfloat16.
    ///
    /// # Panics
    /// There is no such row, or its length is not the depth.
    pub fn round(&mut self, row: usize, values: &[f32]) {
        assert_eq!(values.len(), self.depth, "a row has one value per input");
        self.round_part(row, 0, values);
    }

    /// Writes a part of a row, from value `first` on.
    pub(super) fn round_part(&mut self, row: usize, first: usize, values: &[f32]) {
        let line = &mut as_halves_mut(&mut self.lines[row * self.stride..][..self.stride])[..self.depth];
        let out = &mut line[first..first + values.len()];
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = self.isa.vectors() {
            return round_avx512::round_row(token, out, values);
        }
        round_row(out, values);
    }

    /// The first `rows` rows, and the rest.
    fn split(self, rows: usize) -> (Self, Self) {
        let Self { stride, depth, isa, .. } = self;
        let (first, rest) = self.lines.split_at_mut(rows * stride);
        (Self { lines: first, stride, depth, isa }, Self { lines: rest, stride, depth, isa })
    }

    /// Divides the rows into parts of the given numbers of rows.
    ///
    /// # Panics
    /// There are fewer rows.
    pub(crate) fn parts(this: Option<Self>, counts: impl Iterator<Item = usize>) -> Vec<Option<Self>> {
        let mut rest = this;
        counts
            .map(|count| {
                let (part, others) = rest.take()?.split(count);
                rest = Some(others);
                Some(part)
            })
            .collect()
    }

    /// The parts of tasks of `task` rows each, of `rows` in all.
    ///
    /// # Panics
    /// There is another number of rows.
    pub(crate) fn tasks(this: Option<Self>, rows: usize, task: usize) -> Vec<Option<Self>> {
        assert!(this.as_ref().is_none_or(|this| this.rows() == rows), "{rows} rows are to be rounded");
        Self::parts(this, (0..rows.div_ceil(task)).map(|i| task.min(rows - i * task)))
    }
}

vectorised! {
    fn round_row(out: &mut [u16], values: &[f32]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = round(value);
        }
    }
}
