//! Matrices of bfloat16 as views of `u16` slices.

/// A matrix of bfloat16 in a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Bf16View<'a> {
    pub(super) data: &'a [u16],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Bf16View<'a> {
    /// A view of `rows` x `columns`, row after row, with `row_stride` elements between the starts of adjacent
    /// rows.
    ///
    /// # Panics
    /// The slice is too short.
    pub fn new(data: &'a [u16], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(
            rows == 0
                || columns == 0
                || (rows - 1)
                    .checked_mul(row_stride)
                    .and_then(|start| start.checked_add(columns))
                    .is_some_and(|end| end <= data.len()),
            "{rows} x {columns} with stride {row_stride} does not fit into {} elements",
            data.len()
        );
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed view; no data is moved.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row i; columns are contiguous.
    pub(super) fn row(&self, i: usize) -> &'a [u16] {
        debug_assert_eq!(self.column_stride, 1);
        &self.data[i * self.row_stride..][..self.columns]
    }

    /// Element (i, j) as bfloat16 bits.
    pub fn at(&self, i: usize, j: usize) -> u16 {
        self.data[i * self.row_stride + j * self.column_stride]
    }
}
