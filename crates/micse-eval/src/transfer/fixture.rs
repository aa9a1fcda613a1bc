//! Reference values of PyTorch and scikit-learn; `tests/fixtures/transfer/write.py` describes them.

use serde::Deserialize;

use super::features::Features;

const DIMENSION: usize = 21;

#[derive(Deserialize)]
pub(super) struct Fixture {
    pub(super) labels: Vec<u8>,
    /// Number of training rows; the rest is held out.
    pub(super) train: u32,
    /// Weights of each class after `torch.manual_seed(1111)`, with the bias last.
    pub(super) initial: Vec<Vec<f64>>,
    pub(super) fits: Vec<Fit>,
    pub(super) folds: Vec<Folds>,
    pub(super) f1: Vec<Predictions>,
}

#[derive(Deserialize)]
pub(super) struct Fit {
    pub(super) penalty: f64,
    /// The weights of each class, with the bias last.
    pub(super) after_4_epochs: Vec<Vec<f64>>,
    pub(super) best: Vec<Vec<f64>>,
    pub(super) held_out: f64,
}

#[derive(Deserialize)]
pub(super) struct Folds {
    pub(super) labels: Vec<u8>,
    /// The fold of each row, among ten.
    pub(super) folds: Vec<usize>,
}

#[derive(Deserialize)]
pub(super) struct Predictions {
    pub(super) gold: Vec<u8>,
    pub(super) predicted: Vec<u8>,
    pub(super) f1: f64,
}

impl Fixture {
    pub(super) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/transfer/training.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    pub(super) fn classes(&self) -> usize {
        usize::from(*self.labels.iter().max().unwrap()) + 1
    }

    pub(super) fn features(&self) -> Features {
        Features::new(DIMENSION, 0..self.labels.len(), |i, row| {
            let entry = |k: usize| (0.7 * (i * (k + 1)) as f64 + (k * k) as f64).sin() as f32;
            row.extend((0..DIMENSION).map(entry));
        })
    }

    /// The order of an epoch.
    pub(super) fn order(&self, epoch: usize) -> Vec<u32> {
        let rows = self.train as usize;
        (0..rows).map(|i| ((i * (1 + epoch % (rows - 1)) + epoch) % rows) as u32).collect()
    }
}
