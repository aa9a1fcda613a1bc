//! Buffers of whole cache lines.

/// Words per line; a word holds two values of 16 bits or four of 8.
pub(crate) const WORDS: usize = 16;

/// A cache line of 16 words; a word is two or four values that are adjacent along the depth, the first in the low bits.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; WORDS]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; WORDS]);
}

/// The same memory as single bfloat16 values.
///
/// A word's low half comes first in memory only on little-endian machines, which this crate requires.
#[allow(unsafe_code)]
pub(crate) fn as_halves(lines: &[Line]) -> &[u16] {
    const { assert!(cfg!(target_endian = "little"), "words are read as two halves, the low one first") };
    // SAFETY: `Line` is 64 bytes of plain integers without padding, and its alignment exceeds that of `u16`.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 2 * WORDS) }
}

/// [`as_halves`], to be written.
#[allow(unsafe_code)]
pub(crate) fn as_halves_mut(lines: &mut [Line]) -> &mut [u16] {
    const { assert!(cfg!(target_endian = "little"), "words are read as two halves, the low one first") };
    // SAFETY: as above; every pattern of a `u16` is valid in a line.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 2 * WORDS) }
}

/// The same memory as single words.
#[allow(unsafe_code)]
pub(crate) fn as_words(lines: &[Line]) -> &[u32] {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * WORDS) }
}

/// The bytes of bfloat16 values.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn half_bytes(halves: &[u16]) -> &[u8] {
    // SAFETY: integers without padding; bytes need no alignment.
    unsafe { std::slice::from_raw_parts(halves.as_ptr().cast(), size_of_val(halves)) }
}
