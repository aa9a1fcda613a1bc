//! FGSM: noise added to embeddings, along the sign of the loss's gradient with respect to them.

use candle_core::{DType, Tensor, Var};
use micse_losses::fgsm;
use micse_model::Batch;

use super::prepared::Prepared;
use super::views::PassSpec;
use super::{StepReport, Trainer};
use crate::Result;
use crate::recipe::PerturbationBy;

/// The gradient with respect to the embeddings of the previous batch.
#[derive(Clone)]
pub(super) struct EmbeddingGradient {
    /// `[rows, D]`, sentence after sentence.
    pub(super) rows: Tensor,
    /// Rows of each sentence.
    pub(super) lengths: Vec<usize>,
}

impl EmbeddingGradient {
    pub(super) fn new(rows: Tensor, batch: &Batch) -> Self {
        Self { rows, lengths: (0..batch.sentences()).map(|b| batch.rows_of(b)).collect() }
    }

    /// The rows `[rows, D]` aligned with the tokens of another batch; 0 for a token without a counterpart.
    fn laid_on(&self, batch: &Batch) -> Result<Tensor> {
        let (count, columns) = self.rows.dims2()?;
        let mut places = Vec::with_capacity(batch.rows());
        let mut first = 0;
        for b in 0..batch.sentences() {
            let known = self.lengths.get(b).copied().unwrap_or(0);
            places.extend((0..batch.rows_of(b)).map(|t| if t < known { first + t } else { count } as u32));
            first += known;
        }
        let none = Tensor::zeros((1, columns), DType::F32, self.rows.device())?;
        let places = Tensor::new(places, self.rows.device())?;
        Ok(Tensor::cat(&[&self.rows, &none], 0)?.index_select(&places, 0)?)
    }
}

impl Trainer {
    /// The noise that FGSM adds to the embeddings, with the number of each pass.
    pub(super) fn noise(&mut self, prepared: &Prepared) -> Result<Vec<(usize, Tensor)>> {
        let mut noise = self.noise_of_batch_before(prepared)?;
        noise.extend(self.noise_of_this_batch(prepared)?);
        Ok(noise)
    }

    /// How far this rule moves the embeddings of a pass; `None`: not at all.
    fn epsilon(&self, pass: &PassSpec, by: PerturbationBy) -> Option<f64> {
        let view = &self.recipe.views[pass.view];
        view.perturbation.filter(|_| view.perturbation_by == by)
    }

    fn noise_of_batch_before(&self, prepared: &Prepared) -> Result<Vec<(usize, Tensor)>> {
        let Some(before) = &self.batch_before else { return Ok(Vec::new()) };
        let mut noise = Vec::new();
        for (number, pass) in self.passes.iter().enumerate() {
            if let Some(epsilon) = self.epsilon(pass, PerturbationBy::BatchBefore) {
                let gradient = before.laid_on(&prepared.inputs[pass.input].batch)?;
                noise.push((number, fgsm(&gradient, epsilon)?));
            }
        }
        Ok(noise)
    }

    /// Noise from a separate forward and backward pass with respect to the embeddings, which leaves no gradient in any
    /// network.
    fn noise_of_this_batch(&mut self, prepared: &Prepared) -> Result<Vec<(usize, Tensor)>> {
        if self.passes.iter().all(|pass| self.epsilon(pass, PerturbationBy::ThisBatch).is_none()) {
            return Ok(Vec::new());
        }
        let mut probes: Vec<Var> = Vec::with_capacity(self.passes.len());
        let mut views = Vec::with_capacity(self.passes.len());
        for (number, pass) in self.passes.iter().enumerate() {
            let mode = self.mode(pass, prepared.dropout[number]);
            let (embeddings, view) = prepared.chunks[number].probe(self.towers(pass), mode)?;
            probes.push(embeddings);
            views.push(view);
        }
        let (rows, tokens) = self.rows(&views, prepared, true)?;
        let mut unused = StepReport::new(self.step + 1, &prepared.inputs[0].batch);
        let gradients =
            self.objectives(prepared, &views, (&rows, tokens.as_ref()), &mut unused)?.backward()?;
        let mut noise = Vec::new();
        for (number, (pass, probe)) in self.passes.iter().zip(&probes).enumerate() {
            let epsilon = self.epsilon(pass, PerturbationBy::ThisBatch);
            if let (Some(epsilon), Some(gradient)) = (epsilon, gradients.get(probe)) {
                noise.push((number, fgsm(&gradient.detach(), epsilon)?));
            }
        }
        drop(views);
        self.networks.clear_gradients();
        Ok(noise)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use micse_model::Padding;

    use super::*;

    #[test]
    fn rows_are_laid_on_by_sentence_and_token() {
        let batch = |lengths: &[usize]| {
            let ids: Vec<Vec<u32>> = lengths.iter().map(|&n| vec![7; n]).collect();
            Batch::padded_to(&ids, 0, Padding::Drop, 0).unwrap()
        };
        let rows = Tensor::new(&[[1_f32], [2.0], [3.0], [4.0], [5.0]], &Device::Cpu).unwrap();
        let past = EmbeddingGradient::new(rows, &batch(&[3, 2]));
        let laid = past.laid_on(&batch(&[2, 4, 3])).unwrap().flatten_all().unwrap().to_vec1::<f32>();
        assert_eq!(laid.unwrap(), [1.0, 2.0, 4.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
