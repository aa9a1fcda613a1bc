//! Dropout of token rows, recomputed from a counter in the forward and the backward pass.

use micse_random::Lane;

/// Dropout of the rows of a matrix: channel c of row r is kept if and only if `lanes[r].draw(c) >= threshold`, and
/// is then multiplied by `scale`.
#[derive(Clone, Copy, Debug)]
pub struct RowDropout<'a> {
    /// One lane per row.
    pub lanes: &'a [Lane],
    /// `floor(rate * 2^32)`.
    pub threshold: u32,
    /// 1 / (1 - rate).
    pub scale: f32,
}

impl RowDropout<'_> {
    /// The dropout of `count` rows starting at `first`; `None` stays `None`.
    pub(crate) fn rows(this: Option<Self>, first: usize, count: usize) -> Option<Self> {
        this.map(|d| Self { lanes: &d.lanes[first..first + count], ..d })
    }
}

/// Multiplies a row by its mask.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn drop_row(values: &mut [f32], lane: Lane, threshold: u32, scale: f32) {
    for (channel, value) in values.iter_mut().enumerate() {
        let factor = if lane.draw(channel as u32) >= threshold { scale } else { 0.0 };
        *value *= factor;
    }
}
