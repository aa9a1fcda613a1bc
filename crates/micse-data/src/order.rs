//! The order in which a run visits its split: a new permutation each epoch.

use micse_random::{Stream, permutation};

/// Separates the epoch orders from every other use of a run's seed.
const EPOCH_ORDER: u64 = 0x6570_6F63_685F_6F72;

/// Batches of positions in a split, as a pure function of (seed, step).
///
/// Epoch e visits a permutation drawn from (seed, e) in batches. Its last, short batch is kept, so every sentence
/// occurs exactly once per epoch and never twice in a batch. A split smaller than the batch is one batch. Nothing
/// depends on earlier calls, so a resumed run sees the same batches as an uninterrupted one.
///
/// With [`joining_a_single`](Self::joining_a_single), a last batch of one sentence joins the batch before it.
///
/// ```
/// use micse_data::EpochOrder;
///
/// let mut order = EpochOrder::new(10, 4, 48);
/// assert_eq!(order.steps_per_epoch(), 3);
/// assert_eq!(order.batch(2).len(), 2);
/// assert_eq!(order.epoch_of(3), 1);
/// assert_eq!(order.batch(7), EpochOrder::new(10, 4, 48).batch(7));
/// ```
#[derive(Clone, Debug)]
pub struct EpochOrder {
    len: usize,
    batch_size: usize,
    seed: u64,
    /// Whether a last batch of one sentence joins the batch before it.
    joins: bool,
    /// The current epoch and its permutation, cached because steps come in order.
    current: Option<(usize, Vec<u32>)>,
}

impl EpochOrder {
    /// Creates the order for a split of `len` sentences.
    ///
    /// # Panics
    /// If `len` or `batch_size` is 0.
    pub fn new(len: usize, batch_size: usize, seed: u64) -> Self {
        assert!(len > 0, "an epoch over no sentences");
        assert!(batch_size > 0, "batches of no sentences");
        Self { len, batch_size, seed, joins: false, current: None }
    }

    /// The same order for losses that are undefined on a single sentence: a last batch of one sentence joins the batch
    /// before it, if there is one.
    ///
    /// ```
    /// use micse_data::EpochOrder;
    ///
    /// let mut order = EpochOrder::new(9, 4, 48).joining_a_single();
    /// assert_eq!(order.steps_per_epoch(), 2);
    /// assert_eq!([order.batch(0).len(), order.batch(1).len()], [4, 5]);
    /// ```
    #[must_use]
    pub fn joining_a_single(self) -> Self {
        Self { joins: true, ..self }
    }

    /// Whether the last batch of an epoch has one sentence more than the others, see
    /// [`joining_a_single`](Self::joining_a_single).
    pub fn is_joined(&self) -> bool {
        self.joins && self.batch_size > 1 && self.len > self.batch_size && self.len % self.batch_size == 1
    }

    /// Positions in the split (0 to `len - 1`) of the batch of step `step`. Steps are counted from 0 over all
    /// epochs.
    pub fn batch(&mut self, step: usize) -> Vec<u32> {
        let epoch = self.epoch_of(step);
        let (place, steps) = (step % self.steps_per_epoch(), self.steps_per_epoch());
        let start = place * self.batch_size;
        let end = if place + 1 == steps { self.len } else { start + self.batch_size };
        self.permutation(epoch)[start..end].to_vec()
    }

    /// Batches per epoch, including the last short one.
    pub fn steps_per_epoch(&self) -> usize {
        self.len.div_ceil(self.batch_size) - usize::from(self.is_joined())
    }

    /// The epoch of a step, from 0.
    pub fn epoch_of(&self, step: usize) -> usize {
        step / self.steps_per_epoch()
    }

    fn permutation(&mut self, epoch: usize) -> &[u32] {
        if self.current.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.current = None;
        }
        let (len, seed) = (self.len, self.seed);
        let (_, order) = self.current.get_or_insert_with(|| {
            let seed = Stream::new(seed).with(EPOCH_ORDER).with(epoch as u64).draws().word();
            (epoch, permutation(len, seed))
        });
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only sizes that leave one sentence have other batches, which differ in the end of each epoch only.
    #[test]
    fn a_single_last_sentence_joins_the_batch_before_it() {
        for (len, joined) in
            [(1, false), (2, false), (4, false), (5, true), (8, false), (9, true), (11, false)]
        {
            let (mut plain, mut order) =
                (EpochOrder::new(len, 4, 7), EpochOrder::new(len, 4, 7).joining_a_single());
            assert_eq!(order.is_joined(), joined, "{len}");
            assert_eq!(plain.steps_per_epoch() - order.steps_per_epoch(), usize::from(joined), "{len}");
            for epoch in 0..3 {
                let of = |order: &mut EpochOrder| {
                    let steps = order.steps_per_epoch();
                    (epoch * steps..(epoch + 1) * steps).map(|step| order.batch(step)).collect::<Vec<_>>()
                };
                let (plain, joined_batches) = (of(&mut plain), of(&mut order));
                assert_eq!(plain.concat(), joined_batches.concat(), "{len}");
                assert_eq!(plain == joined_batches, !joined, "{len}");
                assert!(len == 1 || joined_batches.iter().all(|batch| batch.len() > 1), "{len}");
            }
        }
    }
}
