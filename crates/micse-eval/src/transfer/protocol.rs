//! The three protocols: nested cross-validation, cross-validation with a test part, and a fixed development part.

use micse_data::transfer::{Example, Parts};
use micse_random::Mersenne;
use rayon::prelude::*;

use super::classifier::{Classifiers, Trained, share};
use super::features::Features;
use super::folds::{SEED, held_out, held_out_count, stratified_folds, without};
use super::scores::{mean, rounded};

/// Folds of every cross-validation.
const FOLDS: usize = 10;

/// Classes are numbered in a byte.
const MOST_CLASSES: usize = 256;

/// The L2 penalties among which held-out accuracy chooses.
const PENALTIES: [f64; 4] = [1e-5, 1e-4, 1e-3, 1e-2];

/// The examples of a task: its parts one after the other, each in `SentEval`'s order.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) features: &'a Features,
    /// The class of each example.
    pub(super) labels: &'a [u8],
    pub(super) classes: usize,
}

/// The result of a protocol.
pub(super) struct Outcome {
    /// Test accuracy in percent.
    pub(super) accuracy: f64,
    /// Held-out accuracy in percent.
    pub(super) dev_accuracy: f64,
    /// The chosen penalties.
    pub(super) l2: Vec<f64>,
    /// The predicted class of each tested example, in the order of the examples.
    pub(super) predictions: Vec<u8>,
}

/// Receives the number of trained classifiers and the total.
pub(super) type Tell<'a> = dyn FnMut(usize, usize) + 'a;

/// Checks that every part has enough examples, of at least two classes.
///
/// # Errors
/// What is missing.
pub(super) fn check(parts: &Parts, classes: &[String]) -> Result<(), String> {
    if classes.len() > MOST_CLASSES {
        return Err(format!("{} classes; the limit is {MOST_CLASSES}", classes.len()));
    }
    if let Some(example) = parts.examples().find(|example| example.class >= classes.len()) {
        return Err(format!(
            "an example has class number {}, but the task names only {} classes",
            example.class,
            classes.len()
        ));
    }
    let enough = |train: &[Example], folds: bool, held_out_of: usize| {
        let mut counts = vec![0; classes.len()];
        for example in train {
            counts[example.class] += 1;
        }
        let present = counts.iter().filter(|&&count| count > 0).count();
        if present < 2 {
            return Err(
                "all training examples have the same class; a classifier needs at least two".to_owned()
            );
        }
        let rare = counts.iter().zip(classes).find(|&(&count, _)| folds && count > 0 && count < FOLDS);
        if let Some((count, class)) = rare {
            return Err(format!(
                "class {class} has {count} training examples, fewer than the {FOLDS} folds; add examples, or remove \
                 the class"
            ));
        }
        if held_out_count(held_out_of) == 0 {
            return Err(format!(
                "{} training examples are too few to hold 5 % out; add examples",
                train.len()
            ));
        }
        Ok(())
    };
    match parts {
        // The largest fold is left out before the 5 % are.
        Parts::Folds(all) => enough(all, true, all.len() - all.len().div_ceil(FOLDS)),
        Parts::TrainTest { test, .. } | Parts::TrainDevTest { test, .. } if test.is_empty() => {
            Err("no test examples".to_owned())
        }
        Parts::TrainDevTest { dev, .. } if dev.is_empty() => Err("no development examples".to_owned()),
        Parts::TrainTest { train, .. } => enough(train, true, train.len()),
        Parts::TrainDevTest { train, .. } => enough(train, false, usize::MAX),
    }
}

impl Part<'_> {
    /// Trains one classifier per penalty. `orders` draws the order of each epoch.
    fn fit(
        self,
        l2: &[f64],
        train: &[u32],
        held_out: &[u32],
        mut orders: Mersenne,
    ) -> Result<Trained, String> {
        let start = Classifiers::initial(self.features, self.classes, l2, SEED);
        start.train(self.features, self.labels, train, held_out, || orders.permutation(train.len()))
    }

    /// Trains one classifier on 95 % of the rows, and predicts the tested rows.
    fn fit_and_predict(self, l2: f64, rows: &[u32], tested: &[u32]) -> Result<Vec<u8>, String> {
        // The orders continue the generator that has chosen the held-out rows.
        let mut generator = Mersenne::new(SEED);
        let (train, held) = held_out(rows, &mut generator);
        let trained = self.fit(&[l2], &train, &held, generator)?;
        Ok(trained.classifiers.predict(self.features, tested).swap_remove(0))
    }

    /// Training and held-out rows of each fold of these rows.
    fn folds(self, rows: &[u32]) -> Vec<(Vec<u32>, Vec<u32>)> {
        let labels: Vec<u8> = rows.iter().map(|&row| self.labels[row as usize]).collect();
        let fold = |places: Vec<u32>| {
            let fold: Vec<u32> = places.into_iter().map(|place| rows[place as usize]).collect();
            (without(rows, &fold), fold)
        };
        stratified_folds(&labels, FOLDS, SEED).into_iter().map(fold).collect()
    }
}

/// Counts trained classifiers.
struct Counter<'a, 'b> {
    done: usize,
    total: usize,
    tell: &'a mut Tell<'b>,
}

impl Counter<'_, '_> {
    fn add(&mut self, trained: usize) {
        self.done += trained;
        (self.tell)(self.done, self.total);
    }

    /// Does jobs in parallel, each of which trains `each` classifiers. The results are in the order of the jobs.
    fn in_parallel<J: Sync, R: Send>(
        &mut self,
        jobs: &[J],
        each: usize,
        work: impl Fn(&J) -> Result<R, String> + Sync,
    ) -> Result<Vec<R>, String> {
        let mut results = Vec::with_capacity(jobs.len());
        // In groups, between which progress is reported. The grouping changes no result.
        for jobs in jobs.chunks(4 * rayon::current_num_threads()) {
            results.extend(jobs.par_iter().map(&work).collect::<Result<Vec<R>, _>>()?);
            self.add(each * jobs.len());
        }
        Ok(results)
    }
}

/// The penalty with the highest mean accuracy over trainings, and that accuracy in percent. Rounded before it is compared,
/// so that the smallest penalty wins among nearly equal ones, as in `SentEval`.
fn choose(accuracies: &[Vec<f64>]) -> (f64, f64) {
    let percent = |i: usize| rounded(100.0 * mean(&accuracies.iter().map(|of| of[i]).collect::<Vec<_>>()));
    let mut best = (PENALTIES[0], percent(0));
    for (i, &penalty) in PENALTIES.iter().enumerate().skip(1) {
        let found = percent(i);
        if found > best.1 {
            best = (penalty, found);
        }
    }
    best
}

/// 10-fold cross-validation, whose training parts choose their penalty by another one.
pub(super) fn nested(data: Part<'_>, tell: &mut Tell<'_>) -> Result<Outcome, String> {
    let all: Vec<u32> = (0..data.labels.len() as u32).collect();
    let outer = data.folds(&all);
    let inner: Vec<(Vec<u32>, Vec<u32>)> = outer.iter().flat_map(|(train, _)| data.folds(train)).collect();
    let mut counter = Counter { done: 0, total: inner.len() * PENALTIES.len() + outer.len(), tell };
    let accuracies = cross_validate(data, &inner, &mut counter)?;
    let chosen: Vec<(f64, f64)> = accuracies.chunks(FOLDS).map(choose).collect();
    let jobs: Vec<_> = outer.iter().zip(&chosen).collect();
    let predicted = counter
        .in_parallel(&jobs, 1, |((train, tested), (l2, _))| data.fit_and_predict(*l2, train, tested))?;
    let mut predictions = vec![0; all.len()];
    let mut accuracies = Vec::with_capacity(outer.len());
    for ((_, tested), predicted) in outer.iter().zip(&predicted) {
        accuracies.push(rounded(100.0 * share(data.labels, tested, predicted)));
        for (&row, &class) in tested.iter().zip(predicted) {
            predictions[row as usize] = class;
        }
    }
    let (l2, dev_accuracies): (Vec<f64>, Vec<f64>) = chosen.into_iter().unzip();
    Ok(Outcome {
        accuracy: rounded(mean(&accuracies)),
        dev_accuracy: rounded(mean(&dev_accuracies)),
        l2,
        predictions,
    })
}

/// Held-out accuracies of all penalties for each (training rows, held-out rows).
fn cross_validate(
    data: Part<'_>,
    folds: &[(Vec<u32>, Vec<u32>)],
    counter: &mut Counter<'_, '_>,
) -> Result<Vec<Vec<f64>>, String> {
    counter.in_parallel(folds, PENALTIES.len(), |(train, held)| {
        Ok(data.fit(&PENALTIES, train, held, Mersenne::new(SEED))?.held_out)
    })
}

/// 10-fold cross-validation on the training rows chooses the penalty of the classifier that is tested.
pub(super) fn train_test(
    data: Part<'_>,
    train: &[u32],
    tested: &[u32],
    tell: &mut Tell<'_>,
) -> Result<Outcome, String> {
    let folds = data.folds(train);
    let mut counter = Counter { done: 0, total: folds.len() * PENALTIES.len() + 1, tell };
    let (l2, dev_accuracy) = choose(&cross_validate(data, &folds, &mut counter)?);
    let predictions = data.fit_and_predict(l2, train, tested)?;
    counter.add(1);
    let accuracy = rounded(100.0 * share(data.labels, tested, &predictions));
    Ok(Outcome { accuracy, dev_accuracy, l2: vec![l2], predictions })
}

/// The development rows choose the penalty, and end the training. `parts`: training, development and test rows.
pub(super) fn train_dev_test(
    data: Part<'_>,
    parts: &[Vec<u32>; 3],
    tell: &mut Tell<'_>,
) -> Result<Outcome, String> {
    let [train, dev, tested] = parts;
    let trained = data.fit(&PENALTIES, train, dev, Mersenne::new(SEED))?;
    tell(PENALTIES.len(), PENALTIES.len());
    let (l2, dev_accuracy) = choose(std::slice::from_ref(&trained.held_out));
    // Training the chosen classifier again would repeat every step, and give the weights that are here.
    let predictions = trained.classifiers.predict(data.features, tested);
    let chosen = PENALTIES.iter().zip(predictions).find(|&(&penalty, _)| penalty == l2);
    let predictions = chosen.map(|(_, predictions)| predictions).unwrap_or_default();
    let accuracy = rounded(100.0 * share(data.labels, tested, &predictions));
    Ok(Outcome { accuracy, dev_accuracy, l2: vec![l2], predictions })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Protocol, features};
    use super::*;

    #[test]
    fn results_are_those_of_pytorch_numpy_and_scikit_learn() {
        for of in Protocol::read() {
            let rows = of.labels.len() as u32;
            let classes = usize::from(*of.labels.iter().max().unwrap()) + 1;
            let data = Part { features: &features(of.labels.len()), labels: &of.labels, classes };
            let range = |from: u32, to: u32| (from..to).collect::<Vec<u32>>();
            let found = match of.parts[..] {
                [] => nested(data, &mut |_, _| {}),
                [test] => train_test(data, &range(0, test), &range(test, rows), &mut |_, _| {}),
                [dev, test, ..] => {
                    let parts = [range(0, dev), range(dev, test), range(test, rows)];
                    train_dev_test(data, &parts, &mut |_, _| {})
                }
            };
            let found = found.unwrap();
            assert_eq!((found.accuracy, found.dev_accuracy), (of.accuracy, of.dev_accuracy));
            assert_eq!((found.l2, found.predictions), (of.l2, of.predictions));
        }
    }
}
