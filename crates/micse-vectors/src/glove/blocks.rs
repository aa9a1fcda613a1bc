//! Co-occurrence counts, in the blocks used for training.
//!
//! Word i is number `i / BUCKETS` of bucket `i % BUCKETS`, so every bucket has both frequent and rare words. The
//! counts are symmetric, so each pair of words is stored once: a pair of buckets a and b is stored with bucket a
//! if the path from a up to b around the circle of buckets is the shorter one. Every bucket thus owns the same
//! number of blocks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use micse_random::Stream;
use rayon::prelude::*;

use super::vocabulary::Text;
use super::{Options, Progress};

/// Number of word buckets. With a large vocabulary, the parameters of two buckets fit into a CPU's second-level
/// cache, and a block still has several pairs for each of its words. Changing the number changes the result's
/// bits.
pub(super) const BUCKETS: usize = 64;
/// Halfway around the circle.
const HALF: usize = BUCKETS / 2;
/// Positions in a bucket are 16-bit numbers.
pub(super) const MOST_WORDS: usize = BUCKETS << 16;
/// Buckets counted in parallel between two progress reports.
const GROUP: usize = 16;
/// Separates the order of pairs from every other use of the seed.
const ORDER_STREAM: u64 = 0x6f72_6465;

/// Two words that co-occur: their positions in their buckets, `log X` and `f(X)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) row: u16,
    pub(super) column: u16,
    pub(super) log: f32,
    pub(super) weight: f32,
}

/// A block as used by one job of a stratum: words of one bucket as rows, of another as columns.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) pairs: &'a [Pair],
    pub(super) side: Side,
}

impl Block<'_> {
    /// Number of steps in a pass over the block.
    pub(super) fn len(&self) -> usize {
        let turned = match self.side {
            Side::Both => self.pairs.iter().filter(|pair| pair.row != pair.column).count(),
            Side::Kept | Side::Turned => 0,
        };
        self.pairs.len() + turned
    }
}

/// How to train on a block's pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// As stored.
    Kept,
    /// With rows and columns swapped.
    Turned,
    /// Both: a block of a bucket with itself.
    Both,
}

/// All pairs.
pub(super) struct Pairs {
    /// Block (a, a + s) at `a * (HALF + 1) + s`, in random order.
    blocks: Vec<Vec<Pair>>,
    len: usize,
}

impl Pairs {
    /// Counts co-occurrences.
    pub(super) fn count(
        text: &Text,
        options: &Options,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Self {
        let mut blocks: Vec<Vec<Pair>> = Vec::with_capacity(BUCKETS * (HALF + 1));
        for first in (0..BUCKETS).step_by(GROUP) {
            let done = first as f64 / BUCKETS as f64;
            progress(Progress::Counting { words: text.words(), tokens: text.tokens(), done });
            let group: Vec<_> = (first..first + GROUP)
                .into_par_iter()
                .map(|a| count_bucket(text, options, seed, a))
                .collect();
            blocks.extend(group.into_iter().flatten());
        }
        progress(Progress::Counting { words: text.words(), tokens: text.tokens(), done: 1.0 });
        let mut pairs = Self { blocks, len: 0 };
        pairs.len = (0..BUCKETS * BUCKETS).map(|k| pairs.block(k / BUCKETS, k % BUCKETS).len()).sum();
        pairs
    }

    /// Number of ordered pairs of words that co-occur: the steps of an epoch.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The block with rows of bucket a and columns of bucket a + s.
    pub(super) fn block(&self, a: usize, s: usize) -> Block<'_> {
        let b = (a + s) % BUCKETS;
        let (owner, way, side) = match s {
            0 => (a, 0, Side::Both),
            _ if owns(a, b) => (a, s, Side::Kept),
            _ => (b, BUCKETS - s, Side::Turned),
        };
        Block { pairs: &self.blocks[owner * (HALF + 1) + way], side }
    }
}

/// Whether pairs of two buckets are stored with the first.
fn owns(a: usize, b: usize) -> bool {
    let way = (b + BUCKETS - a) % BUCKETS;
    way < HALF || way == HALF && a < b
}

/// Counts the blocks that bucket a owns.
fn count_bucket(text: &Text, options: &Options, seed: u64, a: usize) -> Vec<Vec<Pair>> {
    // Weights 1/distance are summed in corpus order; f64 keeps the sums accurate for the most frequent words.
    let mut counts: HashMap<u64, f64, BuildHasherDefault<Mix>> = HashMap::default();
    let key = |i: u32, j: u32| u64::from(i) << 32 | u64::from(j);
    for sentence in text.sentences() {
        for (at, &i) in sentence.iter().enumerate() {
            if i as usize % BUCKETS != a {
                continue;
            }
            // Two words of this bucket meet twice, once at each of them; they are counted at the later one.
            let before = &sentence[at.saturating_sub(options.window)..at];
            for (distance, &j) in (1..).zip(before.iter().rev()) {
                let weight = 1.0 / f64::from(distance);
                if j as usize % BUCKETS == a {
                    // A word next to itself is its own context in both directions.
                    let times = if i == j { 2.0 } else { 1.0 };
                    *counts.entry(key(i.min(j), i.max(j))).or_default() += times * weight;
                } else if owns(a, j as usize % BUCKETS) {
                    *counts.entry(key(i, j)).or_default() += weight;
                }
            }
            let after = &sentence[at + 1..sentence.len().min(at + 1 + options.window)];
            for (distance, &j) in (1..).zip(after) {
                let b = j as usize % BUCKETS;
                if b != a && owns(a, b) {
                    *counts.entry(key(i, j)).or_default() += 1.0 / f64::from(distance);
                }
            }
        }
    }
    // The table's order depends on the library; sorting by key fixes it.
    let mut counts: Vec<(u64, f64)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|&(key, _)| key);
    let mut blocks = vec![Vec::new(); HALF + 1];
    for (key, x) in counts {
        let (i, j) = ((key >> 32) as usize, (key & u64::from(u32::MAX)) as usize);
        blocks[(j % BUCKETS + BUCKETS - a) % BUCKETS].push(Pair {
            row: (i / BUCKETS) as u16,
            column: (j / BUCKETS) as u16,
            log: x.ln() as f32,
            weight: (x / options.x_max).powf(options.alpha).min(1.0) as f32,
        });
    }
    for (way, block) in blocks.iter_mut().enumerate() {
        let mut draws = Stream::new(seed).with(ORDER_STREAM).with(a as u64).with(way as u64).draws();
        for i in (1..block.len()).rev() {
            block.swap(i, draws.below(i as u64 + 1) as usize);
        }
        block.shrink_to_fit();
    }
    blocks
}

/// A hash for keys that are already well distributed: one multiplication. The standard hash would dominate the
/// counting time.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        // The table takes its slot from the low bits and a tag from the high ones; both depend on the full
        // product.
        let product = u128::from(key ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}
