//! A product's output, divided into blocks of rows and columns for rayon's pool.
//!
//! Blocks have fixed sizes, so results do not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

/// The output `[rows, columns]` of a product, shared by tasks that write different elements.
pub(crate) struct Grid<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    lifetime: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is used by `Block::row` alone, for elements of its own block.
#[allow(unsafe_code)]
unsafe impl Sync for Grid<'_> {}

/// A block of the output, which no other task touches.
pub(crate) struct Block<'a> {
    grid: &'a Grid<'a>,
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl<'a> Grid<'a> {
    /// # Panics
    /// `out` is not `[rows, columns]`.
    pub(crate) fn new(out: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(out.len(), rows * columns, "{rows} rows of {columns}");
        Self { data: out.as_mut_ptr(), rows, columns, lifetime: std::marker::PhantomData }
    }

    /// The block of all rows and some columns.
    ///
    /// # Safety
    /// No other block with these columns exists at the same time.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn columns(&self, columns: Range<usize>) -> Block<'_> {
        assert!(columns.end <= self.columns);
        Block { grid: self, rows: 0..self.rows, columns }
    }

    /// The block of all rows and columns.
    pub(crate) fn whole(&mut self) -> Block<'_> {
        Block { grid: self, rows: 0..self.rows, columns: 0..self.columns }
    }

    /// Calls `work` for each block of at most `down` rows and `across` columns.
    pub(crate) fn for_each(self, (down, across): (usize, usize), work: impl Fn(Block<'_>) + Sync) {
        let per_row = self.columns.div_ceil(across);
        (0..self.rows.div_ceil(down) * per_row).into_par_iter().with_max_len(1).for_each(|task| {
            let (row, column) = (task / per_row * down, task % per_row * across);
            work(Block {
                grid: &self,
                rows: row..self.rows.min(row + down),
                columns: column..self.columns.min(column + across),
            });
        });
    }
}

impl Block<'_> {
    /// Elements of one of the block's rows, within its columns.
    ///
    /// # Panics
    /// They are not in the block.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(self.rows.contains(&row), "row {row} of another block");
        assert!(
            self.columns.start <= columns.start && columns.end <= self.columns.end,
            "columns of another block"
        );
        let start = row * self.grid.columns + columns.start;
        // SAFETY: the block is within the output by `Grid`'s methods, the elements are within the block by the
        // assertions, and blocks do not overlap. The result borrows the block mutably, so there is one at a time.
        unsafe { std::slice::from_raw_parts_mut(self.grid.data.add(start), columns.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_each_element_once() {
        let (rows, columns) = (7, 10);
        let mut out = vec![0.0; rows * columns];
        Grid::new(&mut out, rows, columns).for_each((3, 4), |mut block| {
            for row in block.rows.clone() {
                for (i, value) in block.row(row, block.columns.clone()).iter_mut().enumerate() {
                    *value += (row * columns + i) as f32;
                }
            }
        });
        let want = |i: usize| (i / columns * columns + i % columns % 4) as f32;
        assert!(out.iter().enumerate().all(|(i, &value)| value == want(i)), "{out:?}");
    }
}
