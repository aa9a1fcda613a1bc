//! The weights selected by development pairs.

use candle_core::Tensor;
use micse_model::Trainable;
use serde_json::json;

use crate::Result;
use crate::trainer::Trainer;

/// The best weights so far, if the recipe selects on development pairs.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) step: Option<usize>,
    pub(super) score: f64,
    pub(super) values: Option<Vec<Tensor>>,
}

/// Copies of the weights of the finished model.
pub(super) fn kept_values(trainer: &Trainer) -> Result<Vec<Tensor>> {
    let mut values = trainer.encoder().values()?;
    if let Some(convolution) = trainer.convolution() {
        values.extend(convolution.values()?);
    }
    Ok(values.iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?)
}

impl Selection {
    /// Restores the best values, if any were kept, in the trainer.
    pub(super) fn take(&mut self, trainer: &mut Trainer) -> Result<()> {
        let Some(best) = self.values.take() else { return Ok(()) };
        let (encoder, rest) = best.split_at(trainer.encoder().parameters().len());
        trainer.encoder_mut().set_values(encoder)?;
        if let Some(convolution) = trainer.convolution_mut() {
            convolution.set_values(rest)?;
        }
        Ok(())
    }

    /// Checkpoint names sort in the order of the values.
    pub(super) fn tensors(&self) -> Vec<(String, Tensor)> {
        let values = self.values.iter().flatten().enumerate();
        values.map(|(i, value)| (format!("best.{i:05}"), value.clone())).collect()
    }

    pub(super) fn facts(&self) -> serde_json::Value {
        json!({"step": self.step, "score": self.score})
    }

    pub(super) fn restore(&mut self, tensors: Vec<(String, Tensor)>, facts: &serde_json::Value) {
        self.step = facts["step"].as_u64().map(|s| s as usize);
        self.score = facts["score"].as_f64().unwrap_or(0.0);
        self.values = self.step.map(|_| tensors.into_iter().map(|(_, tensor)| tensor).collect());
    }
}
