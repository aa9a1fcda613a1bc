//! Conversion between f32 and bfloat16.

/// The bfloat16 nearest to `x`, ties to even.
///
/// Matches the CPU's conversion: NaN stays NaN (made quiet), subnormal numbers become zero of the same sign, and
/// values beyond the largest bfloat16 become infinite.
#[inline(always)]
#[must_use]
pub fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16;
    let upper = bits >> 16;
    // Written as selections, not branches, so that loops over it vectorise.
    let finite = if magnitude < 0x0080_0000 { upper & 0x8000 } else { rounded };
    (if magnitude > 0x7f80_0000 { upper | 0x40 } else { finite }) as u16
}

/// The f32 with the value of a bfloat16; exact.
#[inline(always)]
#[must_use]
pub fn widen(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}
