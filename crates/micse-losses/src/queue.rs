//! The queue of negatives: embeddings of earlier batches (He et al. 2020, "`MoCo`").

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// A first-in-first-out queue of detached rows, each with the number of its sentence.
///
/// It starts empty, and only filled rows take part in the loss: no random vectors replace unseen negatives. Push
/// *after* computing the loss of a step, so that a step is scored against earlier ones.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use micse_losses::NegativeQueue;
///
/// let mut queue = NegativeQueue::new(3, 2, &Device::Cpu)?;
/// assert!(queue.rows().is_none());
/// queue.push(&Tensor::new(&[[1_f32, 0.0], [0.0, 1.0]], &Device::Cpu)?, &[7, 8])?;
/// queue.push(&Tensor::new(&[[2_f32, 0.0], [0.0, 2.0]], &Device::Cpu)?, &[9, 10])?;
/// assert_eq!(queue.sentences(), [8, 9, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NegativeQueue {
    capacity: usize,
    dim: usize,
    device: Device,
    state: QueueState,
}

/// The checkpointed state of a [`NegativeQueue`].
#[derive(Clone, Debug, Default)]
pub struct QueueState {
    /// The rows `[q, D]`, oldest first; `None` while the queue is empty.
    pub rows: Option<Tensor>,
    /// The sentence number of each row.
    pub sentences: Vec<u32>,
}

impl NegativeQueue {
    /// Creates an empty queue for up to `capacity` rows of `dim` entries on `device`.
    pub fn new(capacity: usize, dim: usize, device: &Device) -> Result<Self> {
        if capacity == 0 || dim == 0 {
            return Err(Error::EmptyQueue { capacity, dim });
        }
        Ok(Self { capacity, dim, device: device.clone(), state: QueueState::default() })
    }

    /// Appends detached `rows` `[B, D]`, the first row as the oldest, and drops the oldest rows beyond the
    /// capacity.
    pub fn push(&mut self, rows: &Tensor, sentences: &[u32]) -> Result<()> {
        let count = self.checked_rows(rows, sentences.len())?;
        let rows = rows.detach().to_device(&self.device)?;
        let rows = match &self.state.rows {
            Some(old) => Tensor::cat(&[old, &rows], 0)?,
            None => rows,
        };
        let length = (self.len() + count).min(self.capacity);
        let first = self.len() + count - length;
        // A copy, because a view would keep the dropped rows in memory.
        self.state.rows = Some(rows.narrow(0, first, length)?.force_contiguous()?);
        self.state.sentences.extend_from_slice(sentences);
        self.state.sentences.drain(..first);
        Ok(())
    }

    /// The filled rows `[q, D]`, oldest first; `None` while the queue is empty.
    pub fn rows(&self) -> Option<&Tensor> {
        self.state.rows.as_ref()
    }

    /// The sentence number of each filled row, oldest first.
    pub fn sentences(&self) -> &[u32] {
        &self.state.sentences
    }

    /// Number of filled rows.
    pub fn len(&self) -> usize {
        self.state.sentences.len()
    }

    /// Whether no row has been pushed yet.
    pub fn is_empty(&self) -> bool {
        self.state.sentences.is_empty()
    }

    /// The mask `[B, q]` (u8) for [`InfoNce::loss_masked`](crate::InfoNce::loss_masked): 1 where the queued row
    /// and the batch row come from the same sentence. `None` while the queue is empty.
    pub fn same_sentence(&self, batch: &[u32]) -> Result<Option<Tensor>> {
        if self.is_empty() {
            return Ok(None);
        }
        let mask = batch.iter().flat_map(|b| self.sentences().iter().map(move |q| u8::from(q == b)));
        let mask = Tensor::from_vec(mask.collect::<Vec<u8>>(), (batch.len(), self.len()), &self.device)?;
        Ok(Some(mask))
    }

    /// The contents, for a checkpoint.
    pub fn state(&self) -> QueueState {
        self.state.clone()
    }

    /// Restores contents returned by [`state`](Self::state). A different dimension or more rows than the capacity
    /// is an error.
    pub fn restore(&mut self, state: &QueueState) -> Result<()> {
        let count = state.sentences.len();
        let rows = match &state.rows {
            Some(rows) if count <= self.capacity => {
                self.checked_rows(rows, count)?;
                Some(rows.detach().to_device(&self.device)?)
            }
            None if count == 0 => None,
            rows => {
                let rows = rows.as_ref().map_or(0, |rows| rows.dims().first().copied().unwrap_or(0));
                return Err(Error::QueueRows { rows, sentences: count, capacity: self.capacity });
            }
        };
        self.state = QueueState { rows, sentences: state.sentences.clone() };
        Ok(())
    }

    /// The number of rows, if they have the queue's dimension and one sentence number each.
    fn checked_rows(&self, rows: &Tensor, sentences: usize) -> Result<usize> {
        match *rows.dims() {
            [count, dim] if dim == self.dim && count > 0 => {
                if count != sentences {
                    return Err(Error::QueueRows { rows: count, sentences, capacity: self.capacity });
                }
                Ok(count)
            }
            _ => {
                let expected = format!("[rows, {}]", self.dim);
                Err(Error::Shape { name: "queue rows", expected, found: rows.dims().to_vec() })
            }
        }
    }
}
