//! Weights between two encoders.

use crate::encoder::Encoder;
use crate::{Error, Result};

/// An encoder whose weights are `(1 - share) * start + share * end`: fine-tuning undone in part (Wortsman et al. 2022,
/// WiSE-FT).
///
/// # Errors
/// `share` is not in `[0, 1]`, or the encoders differ in shape.
pub fn between(start: &dyn Encoder, end: &dyn Encoder, share: f64) -> Result<Box<dyn Encoder>> {
    if !(0.0..=1.0).contains(&share) {
        return Err(Error::Input(format!("a share of {share} is not between 0 and 1")));
    }
    let mut encoder = start.duplicate()?;
    encoder.follow(end, 1.0 - share)?;
    Ok(encoder)
}
