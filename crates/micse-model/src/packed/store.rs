//! Values, gradients and moments of all parameters in flat buffers.

use candle_core::{Device, Tensor};
use micse_kernels::adam::{adam, average, square_norm};
use rayon::prelude::*;

use super::int8::Int8Weights;
use super::products::{PackedWeight, RoundedWeight, Weight};
use super::slots::{LINEAR, LinearSlot, Slots, WORDS};
use crate::family::Linears;
use crate::optimizer::{AdamStep, decay, kernel_rule};
use crate::{BertConfig, Error, Precision, Result};

/// Rows of the word table per task.
const TASK_ROWS: usize = 64;

/// Gradients of the backward passes since the last step.
///
/// Most rows of the word table have no gradient, so only rows with a gradient are visited and cleared.
pub(super) struct Gradients {
    /// Empty before the first gradient, so that an encoder that is not trained needs no memory for them.
    pub(super) values: Vec<f32>,
    /// Whether each parameter has a gradient. Without one, its values are meaningless, except for the word
    /// table, whose rows without a gradient are zero.
    present: Vec<bool>,
    /// Rows of the word table with a gradient.
    word_rows: Vec<bool>,
}

/// First and second moments.
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// All values, gradients and moments.
pub(super) struct Store {
    pub(super) slots: Slots,
    pub(super) values: Vec<f32>,
    /// In place of biases and offsets that the family does not have; empty if it has all.
    pub(super) zeros: Vec<f32>,
    pub(super) gradients: Gradients,
    moments: Option<Moments>,
    /// Rows of the word table whose gradient was ever non-zero. All other rows have zero moments and, without
    /// weight decay, would not move.
    moved_words: Vec<bool>,
    /// Whether other rows may have changed too: by weight decay, or by restored values and moments.
    any_word_moved: bool,
    /// Width of the word table.
    word_width: usize,
    /// Weights in bfloat16, if products use bf16.
    pub(super) rounded: Option<Vec<RoundedWeight>>,
    /// Weights in f32, packed by passes in evaluation mode. A step frees them.
    pub(super) packed: Vec<PackedWeight>,
    /// Linear layers and words in 8 bits; `None` if the encoder is not quantised.
    pub(super) int8: Option<Int8Weights>,
    /// Incremented when values change.
    pub(super) version: u64,
}

impl Gradients {
    /// Allocates the values, unless they exist.
    fn allocate(&mut self, slots: &Slots) {
        if self.values.is_empty() {
            self.values = vec![0.0; slots.total];
        }
    }

    /// The slice to which a parameter's gradient is added: zero if it has none yet.
    pub(super) fn part(&mut self, slots: &Slots, number: usize) -> &mut [f32] {
        self.allocate(slots);
        let slice = &mut self.values[slots.ranges[number].clone()];
        if !self.present[number] {
            self.present[number] = true;
            if number != WORDS {
                slice.fill(0.0);
            }
        }
        slice
    }

    /// Whether the parameters (of one linear layer) already have a gradient to add to; marks them as having
    /// one.
    pub(super) fn begin(&mut self, slots: &Slots, numbers: &[usize]) -> bool {
        self.allocate(slots);
        let any = numbers.iter().any(|&n| self.present[n]);
        if any {
            for &n in numbers {
                self.part(slots, n);
            }
        }
        for &n in numbers {
            self.present[n] = true;
        }
        any
    }

    /// Clears the rows of the word table that have a gradient.
    fn clear_words(&mut self, range: std::ops::Range<usize>, width: usize) {
        if self.values.is_empty() {
            return;
        }
        for (row, marked) in self.values[range].chunks_exact_mut(width).zip(&mut self.word_rows) {
            if std::mem::take(marked) {
                row.fill(0.0);
            }
        }
    }

    /// Marks rows of the word table.
    pub(super) fn mark_words(&mut self, rows: impl Iterator<Item = usize>) {
        rows.for_each(|row| self.word_rows[row] = true);
    }
}

impl Store {
    pub(super) fn new(slots: Slots, values: Vec<f32>, config: &BertConfig, precision: Precision) -> Self {
        let (vocabulary, word_width) = (config.vocab_size, config.embedding_size);
        // One more than the layers have: the projection of the embeddings.
        let linears = config.own_layers() * LINEAR + 1;
        let rounded =
            (precision == Precision::Bf16).then(|| (0..linears).map(|_| RoundedWeight::default()).collect());
        let gradients = Gradients {
            values: Vec::new(),
            present: vec![false; slots.parameters.len()],
            word_rows: vec![false; vocabulary],
        };
        let widest = config.inner_rows().max(3 * config.hidden_size);
        let complete = [Linears::Attention, Linears::Intermediate, Linears::Output]
            .into_iter()
            .all(|linears| config.family.has_bias(linears));
        let zeros = if complete && config.family.has_offsets() { Vec::new() } else { vec![0.0; widest] };
        Self {
            slots,
            values,
            zeros,
            gradients,
            moments: None,
            moved_words: vec![false; vocabulary],
            any_word_moved: false,
            word_width,
            rounded,
            packed: (0..linears).map(|_| PackedWeight::default()).collect(),
            int8: None,
            version: 0,
        }
    }

    /// Whether products round their factors to bfloat16.
    pub(super) fn rounds(&self) -> bool {
        self.rounded.is_some()
    }

    fn tensor(&self, number: usize, buffer: &[f32]) -> Result<Tensor> {
        let shape = self.slots.parameters[number].shape.as_slice();
        Ok(Tensor::from_slice(&buffer[self.slots.ranges[number].clone()], shape, &Device::Cpu)?)
    }

    fn tensors(&self, buffer: &[f32]) -> Result<Vec<Tensor>> {
        (0..self.slots.parameters.len()).map(|n| self.tensor(n, buffer)).collect()
    }

    pub(super) fn value_tensors(&self) -> Result<Vec<Tensor>> {
        (0..self.slots.parameters.len()).map(|number| self.value_tensor(number)).collect()
    }

    pub(super) fn value_tensor(&self, number: usize) -> Result<Tensor> {
        let count = self.slots.parameters.len();
        if number >= count {
            return Err(Error::Input(format!("parameter {number} is out of range: there are {count}")));
        }
        match self.widened(number) {
            Some(values) => {
                let shape = self.slots.parameters[number].shape.as_slice();
                Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
            }
            None => self.tensor(number, &self.values),
        }
    }

    pub(super) fn set_values(&mut self, values: &[Tensor]) -> Result<()> {
        self.version += 1;
        self.any_word_moved = true;
        copy_all(&self.slots, &mut self.values, values.iter(), "value")
    }

    pub(super) fn gradient_tensors(&self) -> Result<Vec<Option<Tensor>>> {
        let present = self.gradients.present.iter().enumerate();
        present
            .map(|(n, &present)| present.then(|| self.tensor(n, &self.gradients.values)).transpose())
            .collect()
    }

    pub(super) fn add_gradient(&mut self, number: usize, gradient: &Tensor) -> Result<()> {
        let count = self.slots.parameters.len();
        let Some(info) = self.slots.parameters.get(number) else {
            return Err(Error::Input(format!("parameter {number} is out of range: there are {count}")));
        };
        check_shape(info, gradient, "gradient to add")?;
        let added = gradient.flatten_all()?.to_vec1::<f32>()?;
        if number == WORDS {
            let rows = added.chunks_exact(self.word_width).enumerate();
            let filled = rows.filter(|(_, row)| row.iter().any(|&g| g != 0.0)).map(|(row, _)| row);
            self.gradients.mark_words(filled);
        }
        let slice = self.gradients.part(&self.slots, number);
        slice.par_chunks_mut(1 << 14).zip(added.par_chunks(1 << 14)).for_each(|(sum, added)| {
            for (sum, &added) in sum.iter_mut().zip(added) {
                *sum += added;
            }
        });
        Ok(())
    }

    pub(super) fn drop_gradient(&mut self, number: usize) -> Result<()> {
        let count = self.slots.parameters.len();
        if number >= count {
            return Err(Error::Input(format!("parameter {number} is out of range: there are {count}")));
        }
        if number == WORDS {
            self.gradients.clear_words(self.slots.ranges[WORDS].clone(), self.word_width);
        }
        self.gradients.present[number] = false;
        Ok(())
    }

    /// Sum of squares of all gradients.
    pub(super) fn gradient_square_norm(&self) -> f64 {
        let mut total = 0.0;
        for (number, range) in self.slots.ranges.iter().enumerate() {
            if !self.gradients.present[number] {
                continue;
            }
            let values = &self.gradients.values[range.clone()];
            if number == WORDS {
                let rows = values.chunks_exact(self.word_width).zip(&self.gradients.word_rows);
                total += rows.filter(|(_, marked)| **marked).map(|(row, _)| square_norm(row)).sum::<f64>();
            } else {
                total += square_norm(values);
            }
        }
        total
    }

    /// Discards the gradients.
    pub(super) fn clear_gradients(&mut self) {
        self.gradients.clear_words(self.slots.ranges[WORDS].clone(), self.word_width);
        self.gradients.present.fill(false);
    }

    /// Takes one AdamW step for everything that has a gradient.
    pub(super) fn step(&mut self, step: &AdamStep) {
        self.version += 1;
        self.packed.iter().for_each(PackedWeight::clear);
        let total = self.slots.total;
        let moments =
            self.moments.get_or_insert_with(|| Moments { first: vec![0.0; total], second: vec![0.0; total] });
        for (number, range) in self.slots.ranges.iter().enumerate() {
            if !self.gradients.present[number] {
                continue;
            }
            let group = self.slots.parameters[number].group;
            let rule = kernel_rule(step, group);
            let range = range.clone();
            let p = &mut self.values[range.clone()];
            let g = &self.gradients.values[range.clone()];
            let (m, v) = (&mut moments.first[range.clone()], &mut moments.second[range]);
            // By the decay and not by what a step loses: at a learning rate of 0, moments decay all the same.
            if number != WORDS || decay(step, group) != 0.0 {
                self.any_word_moved |= number == WORDS;
                adam(p, g, m, v, &rule);
            } else {
                let (width, task) = (self.word_width, TASK_ROWS * self.word_width);
                p.par_chunks_mut(task)
                    .zip(g.par_chunks(task))
                    .zip(m.par_chunks_mut(task))
                    .zip(v.par_chunks_mut(task))
                    .zip(self.moved_words.par_chunks_mut(TASK_ROWS))
                    .zip(self.gradients.word_rows.par_chunks(TASK_ROWS))
                    .for_each(|(((((p, g), m), v), moved), marked)| {
                        for (row, moved) in moved.iter_mut().enumerate() {
                            let at = row * width..(row + 1) * width;
                            *moved |= marked[row] && g[at.clone()].iter().any(|&g| g != 0.0);
                            if *moved {
                                let (p, m, v) = (&mut p[at.clone()], &mut m[at.clone()], &mut v[at.clone()]);
                                adam(p, &g[at], m, v, &rule);
                            }
                        }
                    });
            }
        }
        self.clear_gradients();
    }

    pub(super) fn moment_tensors(&self) -> Result<Vec<(Tensor, Tensor)>> {
        let Some(moments) = &self.moments else { return Ok(Vec::new()) };
        Ok(self.tensors(&moments.first)?.into_iter().zip(self.tensors(&moments.second)?).collect())
    }

    pub(super) fn set_moments(&mut self, tensors: &[(Tensor, Tensor)]) -> Result<()> {
        self.moved_words.fill(false);
        self.any_word_moved = true;
        if tensors.is_empty() {
            self.moments = None;
            return Ok(());
        }
        let total = self.slots.total;
        let mut moments = Moments { first: vec![0.0; total], second: vec![0.0; total] };
        copy_all(&self.slots, &mut moments.first, tensors.iter().map(|(m, _)| m), "first moment")?;
        copy_all(&self.slots, &mut moments.second, tensors.iter().map(|(_, v)| v), "second moment")?;
        let words = self.slots.ranges[WORDS].clone();
        let rows = moments.first[words.clone()]
            .chunks_exact(self.word_width)
            .zip(moments.second[words].chunks_exact(self.word_width));
        for (moved, (m, v)) in self.moved_words.iter_mut().zip(rows) {
            *moved = m.iter().chain(v).any(|&x| x != 0.0);
        }
        self.moments = Some(moments);
        Ok(())
    }

    /// `own <- own + (1 - decay) (leader - own)`. Rows of the word table that the leader never moved still
    /// have their initial values; the formula would leave them bit-for-bit unchanged.
    pub(super) fn follow(&mut self, leader: &Self, decay: f64) {
        self.version += 1;
        if leader.any_word_moved || self.any_word_moved {
            return average(&mut self.values, &leader.values, decay);
        }
        let words = self.slots.ranges[WORDS].clone();
        let (width, task) = (self.word_width, TASK_ROWS * self.word_width);
        self.values[words.clone()]
            .par_chunks_mut(task)
            .zip(leader.values[words.clone()].par_chunks(task))
            .zip(leader.moved_words.par_chunks(TASK_ROWS))
            .for_each(|((own, leader), moved)| {
                let rows = own.chunks_exact_mut(width).zip(leader.chunks_exact(width)).zip(moved);
                rows.filter(|(_, moved)| **moved).for_each(|((own, leader), _)| average(own, leader, decay));
            });
        average(&mut self.values[words.end..], &leader.values[words.end..], decay);
    }

    /// [`Self::follow`] for a leader with a different engine, or in 8 bits.
    pub(super) fn follow_values(&mut self, leader: &[Tensor], decay: f64) -> Result<()> {
        self.version += 1;
        let mut values = vec![0.0; self.slots.total];
        copy_all(&self.slots, &mut values, leader.iter(), "leader's value")?;
        self.any_word_moved = true;
        average(&mut self.values, &values, decay);
        Ok(())
    }
}

/// The weight of a linear layer.
pub(super) fn weight<'a>(
    values: &'a [f32],
    (rounded, version): (&'a Option<Vec<RoundedWeight>>, u64),
    slot: &LinearSlot,
) -> Weight<'a> {
    Weight {
        values: &values[slot.weight.clone()],
        outputs: slot.outputs,
        inputs: slot.inputs,
        rounded: rounded.as_ref().map(|all| (&all[slot.number], version)),
        packed: None,
        int8: None,
        number: slot.number,
    }
}

fn check_shape(info: &crate::ParameterInfo, tensor: &Tensor, what: &str) -> Result<()> {
    if tensor.dims() == info.shape {
        return Ok(());
    }
    Err(Error::Input(format!(
        "parameter `{}` has shape {:?}, but the {what} has {:?}",
        info.name,
        info.shape,
        tensor.dims()
    )))
}

fn copy_all<'a>(
    slots: &Slots,
    buffer: &mut [f32],
    tensors: impl ExactSizeIterator<Item = &'a Tensor>,
    what: &str,
) -> Result<()> {
    if tensors.len() != slots.parameters.len() {
        return Err(Error::Input(format!(
            "got {} tensors for {} parameters",
            tensors.len(),
            slots.parameters.len()
        )));
    }
    for ((info, range), tensor) in slots.parameters.iter().zip(&slots.ranges).zip(tensors) {
        check_shape(info, tensor, what)?;
        let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        buffer[range.clone()].copy_from_slice(&values);
    }
    Ok(())
}
