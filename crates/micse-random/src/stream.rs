//! The counter-based generator: `Stream` is a position, `Lane` draws 32-bit words at it, `Draws` is a sequence.
//!
//! A stream is a 64-bit state. The finaliser of SplitMix64 (Steele, Lea & Flood 2014) folds coordinates into it
//! one after the other. A lane hashes the last coordinate with a 32-bit multiply-xorshift mixer (the constants of
//! C. Wellons' `lowbias32`). The mixer is cheap enough for one draw per activation and has no branches, so loops
//! over lanes vectorise.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64: a bijection on 64 bits.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A position for random draws: a seed and the coordinates folded into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The stream of a run seed.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(GOLDEN)))
    }

    /// Folds one coordinate in. The order of coordinates matters: `a.with(1).with(2) != a.with(2).with(1)`.
    #[must_use]
    pub const fn with(self, coordinate: u64) -> Self {
        Self(mix(self.0.rotate_left(23).wrapping_add(coordinate.wrapping_mul(GOLDEN)) ^ GOLDEN))
    }

    /// The lane at this position: one 32-bit word per index.
    pub const fn lane(self) -> Lane {
        Lane { low: self.0 as u32, high: (self.0 >> 32) as u32 }
    }

    /// An endless sequence of 64-bit words at this position.
    pub const fn draws(self) -> Draws {
        Draws { state: self.0 }
    }
}

/// A row of 32-bit random words, addressed by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    low: u32,
    high: u32,
}

impl Lane {
    /// The word at `index`, uniform over all 32-bit values.
    #[inline]
    pub const fn draw(self, index: u32) -> u32 {
        let mut x = index.wrapping_mul(0x9E37_79B9) ^ self.low;
        x ^= x >> 16;
        x = x.wrapping_mul(0x7FEB_352D);
        x ^= self.high;
        x ^= x >> 15;
        x = x.wrapping_mul(0x846C_A68B);
        x ^ (x >> 16)
    }
}

/// `floor(rate * 2^32)`: an activation is kept if and only if its draw is at least this value.
///
/// # Panics
/// If `rate` is not in `[0, 1)`.
pub fn dropout_threshold(rate: f64) -> u32 {
    assert!((0.0..1.0).contains(&rate), "dropout rate {rate} is not in [0, 1)");
    (rate * 4_294_967_296.0) as u32
}

/// A sequence of 64-bit words (SplitMix64) from one [`Stream`].
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The next word, uniform over all 64-bit values.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number below `n`, without bias (Lemire's multiplication with rejection).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        bounded(n, || self.word())
    }

    /// A number in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A standard normal number (Box-Muller, the cosine branch).
    pub fn normal(&mut self) -> f64 {
        // 1 - u is in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// `count` distinct numbers below `n`, in random order (a partial Fisher-Yates shuffle); all `n` in random
    /// order if `count >= n`.
    pub fn distinct(&mut self, n: usize, count: usize) -> Vec<u32> {
        let mut all: Vec<u32> = (0..n as u32).collect();
        let count = count.min(n);
        for i in 0..count {
            let j = i + self.below((n - i) as u64) as usize;
            all.swap(i, j);
        }
        all.truncate(count);
        all
    }
}

/// A number below `n` from a source of uniform 64-bit words, without bias.
pub(crate) fn bounded(n: u64, mut word: impl FnMut() -> u64) -> u64 {
    assert!(n > 0, "cannot draw a number below 0");
    let threshold = n.wrapping_neg() % n;
    loop {
        let product = u128::from(word()) * u128::from(n);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pinned() {
        // A change here changes every dropout mask of every published run, so it must be deliberate. The expected
        // numbers come from a second implementation in Python.
        let lane = Stream::new(48).with(1).with(2).lane();
        assert_eq!([lane.draw(0), lane.draw(1), lane.draw(2)], PINNED_LANE);
        let mut draws = Stream::new(48).draws();
        assert_eq!([draws.word(), draws.word()], PINNED_DRAWS);
    }
    const PINNED_LANE: [u32; 3] = [4_099_513_307, 3_109_974_849, 1_502_867_679];
    const PINNED_DRAWS: [u64; 2] = [610_569_113_502_039_870, 6_899_404_242_403_281_969];

    #[test]
    fn drop_rate_is_the_rate() {
        let threshold = dropout_threshold(0.1);
        let (mut dropped, mut both) = (0_u32, 0_u32);
        for row in 0..400 {
            let (a, b) = (Stream::new(7).with(row).lane(), Stream::new(7).with(row + 1).lane());
            for channel in 0..1000 {
                dropped += u32::from(a.draw(channel) < threshold);
                both += u32::from(a.draw(channel) < threshold && b.draw(channel) < threshold);
            }
        }
        // 400,000 draws: standard deviations 190 and 63; bounds of five standard deviations.
        assert!((39_050..40_950).contains(&dropped), "{dropped} dropped");
        assert!((3_685..4_315).contains(&both), "{both} dropped in both of two rows");
    }

    #[test]
    fn order_of_coordinates_matters() {
        let seed = Stream::new(1);
        assert_ne!(seed.with(1).with(2), seed.with(2).with(1));
        assert_ne!(seed.with(0), seed);
    }

    #[test]
    fn normal_has_its_moments() {
        let mut draws = Stream::new(3).draws();
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.025, "mean {mean}, variance {variance}");
    }

    proptest::proptest! {
        #[test]
        fn distinct_numbers_are_distinct_and_below(seed: u64, n in 0_usize..300, count in 0_usize..400) {
            let sample = Stream::new(seed).draws().distinct(n, count);
            proptest::prop_assert_eq!(sample.len(), count.min(n));
            let set: std::collections::HashSet<_> = sample.iter().collect();
            proptest::prop_assert_eq!(set.len(), sample.len());
            proptest::prop_assert!(sample.iter().all(|&i| (i as usize) < n));
        }

        #[test]
        fn below_is_below(seed: u64, n in 1_u64..) {
            proptest::prop_assert!(Stream::new(seed).draws().below(n) < n);
        }
    }
}
