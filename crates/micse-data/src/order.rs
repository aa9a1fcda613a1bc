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
        Self { len, batch_size, seed, current: None }
    }

    /// Positions in the split (0 to `len - 1`) of the batch of step `step`. Steps are counted from 0 over all
    /// epochs.
    pub fn batch(&mut self, step: usize) -> Vec<u32> {
        let epoch = self.epoch_of(step);
        let start = (step % self.steps_per_epoch()) * self.batch_size;
        let end = (start + self.batch_size).min(self.len);
        self.permutation(epoch)[start..end].to_vec()
    }

    /// Batches per epoch, including the last short one.
    pub fn steps_per_epoch(&self) -> usize {
        self.len.div_ceil(self.batch_size)
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
