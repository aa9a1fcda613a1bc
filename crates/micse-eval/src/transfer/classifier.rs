//! Logistic regressions that differ only in their L2 penalty, trained side by side on the same batches.

use micse_kernels::classifier::{L2Adam, PANEL, adam, gradient, logits, softmax_deltas};
use micse_random::Mersenne;

use super::features::Features;

const BATCH: usize = 64;
const LEARNING_RATE: f64 = 1e-3;
const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;
/// Epochs between two measurements of the held-out accuracy.
const EPOCHS: usize = 4;
/// Training continues while no more epochs than this have passed.
const MOST_EPOCHS: usize = 200;
/// Measurements without a new best that do not end the training.
const TENACITY: usize = 5;

/// Linear classifiers with the same features and classes, one per L2 penalty.
#[derive(Clone)]
pub(super) struct Classifiers {
    /// Panels as `micse_kernels::classifier` stores them; column `classifier * classes + class`.
    weights: Vec<f32>,
    width: usize,
    columns: usize,
    classes: usize,
    l2: Vec<f64>,
}

/// Trained classifiers, each with the weights of its best measurement.
pub(super) struct Trained {
    /// The classifiers.
    pub(super) classifiers: Classifiers,
    /// The best held-out accuracy of each, between 0 and 1.
    pub(super) held_out: Vec<f64>,
}

impl Classifiers {
    /// Classifiers without weights.
    fn zero(features: &Features, classes: usize, l2: &[f64]) -> Self {
        let columns = (classes * l2.len()).next_multiple_of(PANEL);
        let width = features.width();
        Self { weights: vec![0.0; width * columns], width, columns, classes, l2: l2.to_vec() }
    }

    /// PyTorch's initial linear layer after `torch.manual_seed(seed)`: weights class by class, then biases, uniform
    /// between -1/sqrt(d) and 1/sqrt(d). All classifiers start equal.
    pub(super) fn initial(features: &Features, classes: usize, l2: &[f64], seed: u32) -> Self {
        let mut all = Self::zero(features, classes, l2);
        let dimension = features.dimension();
        let bound = (1.0 / (dimension as f64).sqrt()) as f32;
        let mut generator = Mersenne::new(seed);
        let weights = (0..classes).flat_map(|class| (0..dimension).map(move |k| (class, k)));
        for (class, k) in weights.chain((0..classes).map(|class| (class, dimension))) {
            let weight = generator.uniform(-bound, bound);
            for classifier in 0..l2.len() {
                let place = all.place(classifier, class, k);
                all.weights[place] = weight;
            }
        }
        all
    }

    /// Where the weight of feature `k` is stored.
    fn place(&self, classifier: usize, class: usize, k: usize) -> usize {
        let column = classifier * self.classes + class;
        (column / PANEL * self.width + k) * PANEL + column % PANEL
    }

    /// Takes over one classifier's weights.
    fn copy_from(&mut self, other: &Self, classifier: usize) {
        for class in 0..self.classes {
            for k in 0..self.width {
                let place = self.place(classifier, class, k);
                self.weights[place] = other.weights[place];
            }
        }
    }

    /// The predicted class of each chosen row, by each classifier: the one with the largest logit, the first among
    /// equals.
    pub(super) fn predict(&self, features: &Features, rows: &[u32]) -> Vec<Vec<u8>> {
        let mut predictions = vec![Vec::with_capacity(rows.len()); self.l2.len()];
        let mut values = Vec::new();
        for rows in rows.chunks(BATCH) {
            values.resize(rows.len() * self.columns, 0.0);
            logits(&mut values, features.rows(rows), &self.weights, self.columns);
            for row in values.chunks_exact(self.columns) {
                for (logits, predictions) in row.chunks_exact(self.classes).zip(&mut predictions) {
                    let best =
                        (1..self.classes).fold(0, |best, c| if logits[c] > logits[best] { c } else { best });
                    predictions.push(best as u8);
                }
            }
        }
        predictions
    }

    /// The share of correct predictions of each classifier.
    fn accuracies(&self, features: &Features, labels: &[u8], rows: &[u32]) -> Vec<f64> {
        self.predict(features, rows).iter().map(|predicted| share(labels, rows, predicted)).collect()
    }

    /// Trains until every classifier's training has ended. `order` returns the order in which the next epoch takes the
    /// training rows.
    ///
    /// # Errors
    /// The weights overflow.
    pub(super) fn train(
        mut self,
        features: &Features,
        labels: &[u8],
        train: &[u32],
        held_out: &[u32],
        mut order: impl FnMut() -> Vec<u32>,
    ) -> Result<Trained, String> {
        let mut optimizer = Optimizer::new(&self);
        let mut best = self.clone();
        let mut accuracy = vec![-1.0; self.l2.len()];
        let mut misses = vec![0; self.l2.len()];
        let mut epoch = 0;
        while epoch <= MOST_EPOCHS && misses.iter().any(|&misses| misses <= TENACITY) {
            for _ in 0..EPOCHS {
                optimizer.epoch(&mut self, features, labels, train, &order());
                epoch += 1;
            }
            // Squares of the gradients overflow first, and weights then stop moving.
            if self.weights.iter().chain(&optimizer.second).any(|value| !value.is_finite()) {
                return Err(
                    "the embeddings are too large to train a classifier on; scale them, for example with a \
                            Normalize module"
                        .to_owned(),
                );
            }
            for (i, found) in self.accuracies(features, labels, held_out).into_iter().enumerate() {
                if misses[i] > TENACITY {
                    continue;
                }
                if found > accuracy[i] {
                    accuracy[i] = found;
                    best.copy_from(&self, i);
                } else {
                    // Misses add up over the training; a new best does not reset them.
                    misses[i] += 1;
                }
            }
        }
        Ok(Trained { classifiers: best, held_out: accuracy })
    }
}

/// The share of predictions that are right.
pub(super) fn share(labels: &[u8], rows: &[u32], predicted: &[u8]) -> f64 {
    let right = rows.iter().zip(predicted).filter(|&(&row, &class)| labels[row as usize] == class).count();
    right as f64 / rows.len() as f64
}

/// Adam's state, and buffers.
struct Optimizer {
    gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    /// The penalty of each column.
    l2: Vec<f32>,
    steps: i32,
    values: Vec<f32>,
    rows: Vec<u32>,
    labels: Vec<u8>,
}

impl Optimizer {
    fn new(classifiers: &Classifiers) -> Self {
        let zeros = || vec![0.0; classifiers.weights.len()];
        let mut l2 = vec![0.0; classifiers.columns];
        for (of_columns, &penalty) in l2.chunks_exact_mut(classifiers.classes).zip(&classifiers.l2) {
            of_columns.fill(penalty as f32);
        }
        Self {
            gradient: zeros(),
            first: zeros(),
            second: zeros(),
            l2,
            steps: 0,
            values: Vec::new(),
            rows: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// One pass over the training rows.
    fn epoch(
        &mut self,
        classifiers: &mut Classifiers,
        features: &Features,
        labels: &[u8],
        train: &[u32],
        order: &[u32],
    ) {
        let columns = classifiers.columns;
        for batch in order.chunks(BATCH) {
            self.rows.clear();
            self.rows.extend(batch.iter().map(|&place| train[place as usize]));
            self.labels.clear();
            self.labels.extend(self.rows.iter().map(|&row| labels[row as usize]));
            self.values.resize(batch.len() * columns, 0.0);
            let rows = features.rows(&self.rows);
            logits(&mut self.values, rows, &classifiers.weights, columns);
            softmax_deltas(
                &mut self.values,
                &self.labels,
                columns,
                classifiers.l2.len(),
                classifiers.classes,
            );
            gradient(&mut self.gradient, rows, &self.values, columns);
            self.steps += 1;
            let corrections = (1.0 - BETAS.0.powi(self.steps), 1.0 - BETAS.1.powi(self.steps));
            let rule = L2Adam {
                betas: (BETAS.0 as f32, BETAS.1 as f32),
                rests: ((1.0 - BETAS.0) as f32, (1.0 - BETAS.1) as f32),
                rate: (LEARNING_RATE / corrections.0) as f32,
                root: (1.0 / corrections.1.sqrt()) as f32,
                epsilon: EPSILON as f32,
            };
            let weights = &mut classifiers.weights;
            adam(weights, &self.gradient, &mut self.first, &mut self.second, &self.l2, &rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn training_agrees_with_pytorch() {
        let truth = Fixture::read();
        let (features, labels) = (truth.features(), &truth.labels);
        let penalties: Vec<f64> = truth.fits.iter().map(|fit| fit.penalty).collect();
        let mut start = Classifiers::zero(&features, truth.classes(), &penalties);
        for classifier in 0..penalties.len() {
            for class in 0..truth.classes() {
                for k in 0..=features.dimension() {
                    let place = start.place(classifier, class, k);
                    start.weights[place] = ((3 * class + k) as f64).cos() as f32 / 5.0;
                }
            }
        }
        let (train, held): (Vec<u32>, Vec<u32>) =
            (0..labels.len() as u32).partition(|&row| row < truth.train);
        let mut after_4 = start.clone();
        let mut optimizer = Optimizer::new(&after_4);
        for epoch in 0..4 {
            optimizer.epoch(&mut after_4, &features, labels, &train, &truth.order(epoch));
        }
        let mut orders = (0..).map(|epoch| truth.order(epoch));
        let trained = start.train(&features, labels, &train, &held, || orders.next().unwrap()).unwrap();
        for (i, fit) in truth.fits.iter().enumerate() {
            for (found, expected, what) in [
                (&after_4, &fit.after_4_epochs, "after 4 epochs"),
                (&trained.classifiers, &fit.best, "at the best measurement"),
            ] {
                for (class, weights) in expected.iter().enumerate() {
                    for (k, &expected) in weights.iter().enumerate() {
                        let found = f64::from(found.weights[found.place(i, class, k)]);
                        assert!(
                            (found - expected).abs() < 1e-5,
                            "{what}, penalty {}: {found}, {expected}",
                            fit.penalty
                        );
                    }
                }
            }
            assert!((trained.held_out[i] - fit.held_out).abs() < 1e-12, "penalty {}", fit.penalty);
        }
    }

    #[test]
    fn initial_weights_are_pytorchs() {
        let truth = Fixture::read();
        let start = Classifiers::initial(&truth.features(), truth.classes(), &[0.0, 0.1], 1111);
        for classifier in 0..2 {
            for (class, weights) in truth.initial.iter().enumerate() {
                for (k, &weight) in weights.iter().enumerate() {
                    assert_eq!(f64::from(start.weights[start.place(classifier, class, k)]), weight);
                }
            }
        }
    }

    #[test]
    fn huge_features_are_rejected() {
        // Equal rows of different classes, so that one of them is wrong whatever the initial weights.
        let rows = [[1e30_f32, -1e30], [1e30, -1e30], [3e38, 1e30]];
        let features = Features::new(2, rows.iter(), |row, out| out.extend(row));
        let start = Classifiers::initial(&features, 2, &[1e-5], 1);
        let error = start.train(&features, &[0, 1, 0], &[0, 1, 2], &[0, 1], || vec![0, 1, 2]);
        assert!(error.err().unwrap().contains("too large"));
    }
}
