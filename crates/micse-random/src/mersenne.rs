//! The Mersenne Twister as numpy and PyTorch draw from it.

/// Words of the state.
const SIZE: usize = 624;
/// Distance of the word that a new word is mixed with.
const SHIFT: usize = 397;

/// MT19937 (Matsumoto & Nishimura 1998), seeded with one word.
///
/// Some published protocols are defined by the draws of this generator: a score that is to equal another program's needs
/// the same folds, initial weights and orders of examples, not only the same distributions. Everything else in micse
/// draws from [`Stream`](crate::Stream) and [`permutation`](crate::permutation()).
///
/// One seed gives the words of numpy's `RandomState(seed)` and `np.random.seed(seed)`, and of PyTorch's
/// `torch.manual_seed(seed)` on a CPU.
///
/// ```
/// use micse_random::Mersenne;
///
/// // np.random.RandomState(1111).permutation(8)
/// assert_eq!(Mersenne::new(1111).permutation(8), [6, 3, 0, 2, 7, 1, 5, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Mersenne {
    state: [u32; SIZE],
    /// The next word of the state to be returned; `SIZE` if all have been.
    next: usize,
}

impl Mersenne {
    /// The generator that a seed initialises.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; SIZE];
        for i in 1..SIZE {
            let last = state[i - 1];
            state[i] = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: SIZE }
    }

    /// The next word, uniform over all 32-bit values.
    pub fn word(&mut self) -> u32 {
        if self.next == SIZE {
            self.renew();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        word ^ (word >> 18)
    }

    /// Replaces every word of the state.
    fn renew(&mut self) {
        for i in 0..SIZE {
            let joined = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % SIZE] & 0x7FFF_FFFF);
            let twisted = (joined >> 1) ^ if joined & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % SIZE] ^ twisted;
        }
        self.next = 0;
    }

    /// A number in `0..=largest`, as numpy's legacy generator draws it: words are cut to the bits of `largest`, and
    /// rejected while they exceed it. 0 needs no draw.
    fn up_to(&mut self, largest: u32) -> u32 {
        let Some(mask) = u32::MAX.checked_shr(largest.leading_zeros()) else { return 0 };
        loop {
            let drawn = self.word() & mask;
            if drawn <= largest {
                return drawn;
            }
        }
    }

    /// Shuffles as numpy's `RandomState.shuffle` does: each place, from the last to the second, is swapped with itself or
    /// one before it.
    ///
    /// # Panics
    /// There are more than 2^32 items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        assert!(u32::try_from(items.len().saturating_sub(1)).is_ok(), "{} items", items.len());
        for i in (1..items.len()).rev() {
            items.swap(i, self.up_to(i as u32) as usize);
        }
    }

    /// A permutation of `0..n`, as numpy's `RandomState.permutation` draws it.
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }

    /// A number between `low` and `high`, as PyTorch's `Tensor.uniform_` draws each f32 on a CPU: from the low 24 bits of
    /// a word, rounded once after multiplication and addition.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        const BITS: u32 = 24;
        let unit = (self.word() % (1 << BITS)) as f32 / (1 << BITS) as f32;
        unit.mul_add(high - low, low)
    }
}
