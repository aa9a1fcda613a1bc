//! Batches of sentences of similar length, up to a token budget, in an order drawn from the seed.

use micse_random::{Stream, permutation};

use super::corpus::Sentences;

/// Separates the order of an epoch from every other use of the seed.
const ORDER: u64 = 0x6f72_6465;
/// The number of batches whose sentences are sorted by length together: enough for similar lengths within a batch, few
/// enough for an almost random order.
const POOL: usize = 32;

/// The batches of one epoch.
pub(super) struct Epoch {
    number: usize,
    batches: Vec<Vec<u32>>,
}

impl Epoch {
    /// Epoch `number` over the sentences: every sentence once, in batches of about `tokens` tokens (only the last
    /// sentence of a batch may exceed the budget). A pure function of its arguments.
    pub(super) fn new(sentences: &Sentences, tokens: usize, seed: u64, number: usize) -> Self {
        let stream = Stream::new(seed).with(ORDER).with(number as u64);
        let order = permutation(sentences.len(), stream.with(0).draws().word());
        let mut batches = Vec::new();
        let mut rest = &order[..];
        while !rest.is_empty() {
            let mut total = 0;
            let fits = |&&i: &&u32| {
                total += sentences.length(i as usize);
                total <= POOL * tokens
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (pool, after) = rest.split_at(count);
            rest = after;
            let first = batches.len();
            cut(pool, sentences, tokens, &mut batches);
            let shuffle = permutation(batches.len() - first, stream.with(1 + first as u64).draws().word());
            let sorted: Vec<Vec<u32>> = batches.drain(first..).collect();
            batches.extend(shuffle.iter().map(|&i| sorted[i as usize].clone()));
        }
        Self { number, batches }
    }

    /// Its number, from 0.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The number of batches.
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// The sentences of a batch.
    pub(super) fn batch(&self, i: usize) -> &[u32] {
        &self.batches[i]
    }
}

/// Sorts a pool by length and splits it into batches with about equal numbers of tokens.
fn cut(pool: &[u32], sentences: &Sentences, tokens: usize, batches: &mut Vec<Vec<u32>>) {
    let length = |i: u32| sentences.length(i as usize);
    let mut sorted = pool.to_vec();
    sorted.sort_by_key(|&i| length(i));
    let total: usize = sorted.iter().map(|&i| length(i)).sum();
    let count = total.div_ceil(tokens);
    let (mut batch, mut seen, mut done) = (Vec::new(), 0, 0);
    for i in sorted {
        batch.push(i);
        seen += length(i);
        if seen * count >= (done + 1) * total {
            done = seen * count / total;
            batches.push(std::mem::take(&mut batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus;
    use super::*;

    fn lengths(count: u64) -> Vec<usize> {
        let mut draws = Stream::new(3).draws();
        (0..count).map(|_| 3 + draws.below(62) as usize).collect()
    }

    #[test]
    fn every_sentence_comes_once_in_even_batches_of_like_length() {
        let sentences = corpus::sentences(&lengths(5000));
        let epoch = Epoch::new(&sentences, 1000, 48, 0);
        let mut seen = vec![0; sentences.len()];
        let (mut spread, mut sizes) = (0, Vec::new());
        for b in 0..epoch.len() {
            let batch = epoch.batch(b);
            let lengths: Vec<usize> = batch.iter().map(|&i| sentences.length(i as usize)).collect();
            spread += lengths.iter().max().unwrap() - lengths.iter().min().unwrap();
            sizes.push(lengths.iter().sum::<usize>());
            for &i in batch {
                seen[i as usize] += 1;
            }
        }
        assert!(seen.iter().all(|&count| count == 1));
        assert!(sizes.iter().all(|&size| size <= 1064), "{sizes:?}");
        // Only the last pool's batches can be smaller: its tokens need not fill a whole number of batches.
        let whole = epoch.len() - epoch.len() % POOL;
        assert!(sizes[..whole].iter().all(|&size| size >= 900), "{sizes:?}");
        assert!(sizes[whole..].iter().all(|&size| size >= 500 - 64), "{sizes:?}");
        assert!(
            (spread as f64) < 5.0 * epoch.len() as f64,
            "a batch spreads over {spread} / {}",
            epoch.len()
        );
        // Short and long batches are mixed: the first tenth has about the epoch's mean length.
        let mean = |b: usize| sizes[b] as f64 / epoch.batch(b).len() as f64;
        let early = (0..epoch.len() / 10).map(mean).sum::<f64>() / (epoch.len() / 10) as f64;
        assert!((20.0..50.0).contains(&early), "{early}");
    }

    #[test]
    fn the_order_is_the_seeds_and_epochs() {
        let sentences = corpus::sentences(&lengths(500));
        let batch = |seed, number| Epoch::new(&sentences, 400, seed, number).batch(0).to_vec();
        assert_eq!(batch(48, 1), batch(48, 1));
        assert_ne!(batch(48, 1), batch(48, 0));
        assert_ne!(batch(48, 0), batch(49, 0));
    }

    #[test]
    fn a_text_smaller_than_a_batch_is_one_batch() {
        let sentences = corpus::sentences(&[5, 9, 7]);
        let epoch = Epoch::new(&sentences, 4096, 48, 2);
        assert_eq!((epoch.number(), epoch.len(), epoch.batch(0)), (2, 1, &[0, 2, 1][..]));
        // A sentence longer than the budget forms a batch by itself.
        assert_eq!(Epoch::new(&sentences, 4, 48, 0).len(), 3);
    }
}
