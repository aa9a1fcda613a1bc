//! The source of packing: a matrix addressed by depth (the summed index) and width (the rows of a left operand,
//! the columns of a right one), in f32 or bfloat16.

use super::isa::Isa;
use super::pack_portable;
use super::round::round;
use super::view::Bf16View;
use crate::View;
use crate::line::{Line, WORDS};

#[cfg(target_arch = "x86_64")]
use super::pack_avx512::{self, Vectors};

/// On x86-64 an element can also be loaded in vectors.
#[cfg(not(target_arch = "x86_64"))]
pub(super) trait Vectors {}
#[cfg(not(target_arch = "x86_64"))]
impl<T> Vectors for T {}

/// An element of a matrix to be packed.
pub(super) trait Element: Copy + Sync + Vectors {
    /// Its bfloat16 bits.
    fn bits(self) -> u16;
}

impl Element for f32 {
    #[inline(always)]
    fn bits(self) -> u16 {
        round(self)
    }
}

impl Element for u16 {
    #[inline(always)]
    fn bits(self) -> u16 {
        self
    }
}

/// Element (d, w) is `data[d * depth_stride + w * width_stride]`; every element of depth x width is inside.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, T> {
    data: &'a [T],
    depth: usize,
    width: usize,
    depth_stride: usize,
    width_stride: usize,
}

impl<'a> Source<'a, f32> {
    /// A view whose rows are the depth.
    pub(super) fn by_rows(view: View<'a>) -> Self {
        let (depth_stride, width_stride) = (view.row_stride(), view.column_stride());
        Self::new(view.data(), view.rows(), view.columns(), depth_stride, width_stride)
    }
}

impl<'a> Source<'a, u16> {
    /// A view whose rows are the depth.
    pub(super) fn by_rows(view: Bf16View<'a>) -> Self {
        Self::new(view.data, view.rows, view.columns, view.row_stride, view.column_stride)
    }
}

impl<'a, T: Element> Source<'a, T> {
    fn new(data: &'a [T], depth: usize, width: usize, depth_stride: usize, width_stride: usize) -> Self {
        let inside =
            depth == 0 || width == 0 || (depth - 1) * depth_stride + (width - 1) * width_stride < data.len();
        assert!(inside, "a {depth} x {width} matrix does not fit into {} elements", data.len());
        Self { data, depth, width, depth_stride, width_stride }
    }

    pub(super) fn data(&self) -> &'a [T] {
        self.data
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn depth_stride(&self) -> usize {
        self.depth_stride
    }

    pub(super) fn width_stride(&self) -> usize {
        self.width_stride
    }

    /// The pair of depths 2 `pair` and 2 `pair` + 1 at `width`; zero outside the matrix.
    #[inline(always)]
    pub(super) fn word(&self, pair: usize, width: usize) -> u32 {
        let bits = |depth: usize| {
            if depth < self.depth && width < self.width {
                u32::from(self.data[depth * self.depth_stride + width * self.width_stride].bits())
            } else {
                0
            }
        };
        bits(2 * pair) | bits(2 * pair + 1) << 16
    }

    /// Fills a block of words. The word of pair `pairs.start` + p and width `widths.start` + w is written to
    /// `p * place.pair + w * place.width`, counted in words of `out`; it is zero outside the matrix. One of the two
    /// steps is 1, and `pairs` (if `place.pair` is 1) or `widths` (otherwise) is a multiple of a line.
    pub(super) fn fill(&self, isa: Isa, out: &mut [Line], block: Block) {
        let run = if block.pair_step == 1 { block.pairs } else { block.widths };
        assert!(run.is_multiple_of(WORDS), "{run} words are not a multiple of a line");
        assert!(block.pairs == 0 || block.widths == 0 || block.last() < out.len() * WORDS);
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = isa.vectors()
            && (self.depth_stride == 1 || self.width_stride == 1)
        {
            return pack_avx512::fill(token, self, out, block);
        }
        let _ = isa;
        pack_portable::fill(self, out, block);
    }
}

/// A block of words and its destination.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) first_pair: usize,
    pub(super) pairs: usize,
    pub(super) first_width: usize,
    pub(super) widths: usize,
    /// Words from one pair to the next; 1 or a multiple of a line.
    pub(super) pair_step: usize,
    /// Words from one width to the next; 1 or a multiple of a line.
    pub(super) width_step: usize,
}

impl Block {
    fn last(&self) -> usize {
        (self.pairs - 1) * self.pair_step + (self.widths - 1) * self.width_step
    }
}
