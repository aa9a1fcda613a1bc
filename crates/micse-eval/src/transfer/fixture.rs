//! Reference values of PyTorch and scikit-learn; `write.py` and `protocols.py` in `tests/fixtures/transfer` describe them.

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

/// A protocol's result, in `protocols.json`.
#[derive(Deserialize)]
pub(super) struct Protocol {
    pub(super) labels: Vec<u8>,
    /// Where the development part, if there is one, and the test part start; empty for nested folds.
    pub(super) parts: Vec<u32>,
    pub(super) accuracy: f64,
    pub(super) dev_accuracy: f64,
    pub(super) l2: Vec<f64>,
    pub(super) predictions: Vec<u8>,
}

#[derive(Deserialize)]
pub(super) struct Predictions {
    pub(super) gold: Vec<u8>,
    pub(super) predicted: Vec<u8>,
    pub(super) f1: f64,
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/transfer");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}")).unwrap()).unwrap()
}

/// The features of the first rows, in both files.
pub(super) fn features(rows: usize) -> Features {
    Features::new(DIMENSION, 0..rows, |i, row| {
        let entry = |k: usize| (0.7 * (i * (k + 1)) as f64 + (k * k) as f64).sin() as f32;
        row.extend((0..DIMENSION).map(entry));
    })
}

impl Protocol {
    pub(super) fn read() -> Vec<Self> {
        read("protocols.json")
    }
}

impl Fixture {
    pub(super) fn read() -> Self {
        read("training.json")
    }

    pub(super) fn classes(&self) -> usize {
        usize::from(*self.labels.iter().max().unwrap()) + 1
    }

    pub(super) fn features(&self) -> Features {
        features(self.labels.len())
    }

    /// The order of an epoch.
    pub(super) fn order(&self, epoch: usize) -> Vec<u32> {
        let rows = self.train as usize;
        (0..rows).map(|i| ((i * (1 + epoch % (rows - 1)) + epoch) % rows) as u32).collect()
    }
}
