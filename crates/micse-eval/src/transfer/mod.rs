//! `SentEval`'s transfer tasks: a logistic regression on fixed embeddings predicts the class of a sentence or pair.
//!
//! The protocol is `SentEval`'s with PyTorch's classifier, `kfold` 10 and no hidden layer (Conneau & Kiela 2018), with
//! which SimCSE and its successors report MR, CR, SUBJ, MPQA, SST2, TREC and MRPC:
//!
//! * **Features.** The embedding as it is, without scaling. For a pair with embeddings a and b: `|a - b|`, then `a * b`.
//! * **Classifier.** A linear layer with softmax and mean cross-entropy. Its weights and biases start uniform between
//!   -1/sqrt(d) and 1/sqrt(d), as PyTorch's do, for d features.
//! * **Training.** Adam at a learning rate of 1e-3 with batches of 64 and an L2 penalty that is added to the gradient of
//!   weights and biases. After every 4 epochs the accuracy on held-out examples is measured. Training ends with the
//!   sixth measurement that is not higher than the best so far, or after 204 epochs; the best weights are kept.
//! * **L2.** The penalty is chosen among 1e-5, 1e-4, 1e-3 and 1e-2 by held-out accuracy in percent, rounded to two
//!   decimals; the smallest one among equals.
//! * **MR, CR, SUBJ, MPQA.** 10-fold cross-validation. Within the training part of each fold, another 10-fold
//!   cross-validation chooses the penalty, and the classifier is then trained on 95 % of the part, with 5 % held out.
//!   The accuracy is the mean over folds.
//! * **TREC, MRPC.** 10-fold cross-validation on the training part chooses the penalty; the classifier is trained on
//!   95 % of the part, with 5 % held out, and tested on the test part.
//! * **SST2.** The development part chooses the penalty and ends the training.
//!
//! **Draws.** All draws are those of `SentEval` with PyTorch on a CPU and its default seed 1111, so a score is what `SentEval`
//! reports for the same embeddings, up to the order in which f32 numbers are added:
//!
//! * The examples of each part are sorted by number of words, then by class.
//! * Folds are those of scikit-learn's `StratifiedKFold`, with a new generator for each cross-validation.
//! * Each classifier starts from the weights that PyTorch draws after `torch.manual_seed(1111)`.
//! * Each classifier seeds numpy's generator with 1111. One permutation of the rows chooses the 5 % that are held out,
//!   where they are, and then one per epoch orders the training rows.
//!
//! `tests/fixtures/transfer/senteval.py` repeats the protocol with these libraries. The mean cross-entropy is that of current
//! versions of PyTorch, which ignore `SentEval`'s attempt to sum it.
mod classifier;
mod features;
#[cfg(test)]
mod fixture;
mod folds;
mod order;
mod protocol;
mod scores;

use micse_data::transfer::{Parts, TransferSuite, TransferTask};

use crate::embedder::Embeddings;
use crate::{Embedder, Error, Result};
use features::Features;
pub use folds::stratified_folds;
use order::by_length;
use protocol::{Outcome, Part};
pub use scores::{TransferScores, TransferTaskScores, f1};

/// What [`score_transfer`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStage {
    /// Sentences are embedded.
    Embedding,
    /// Classifiers are trained.
    Training,
}

/// Progress of [`score_transfer`]: the task, the stage, and the sentences or classifiers done and in total.
pub type TransferProgress<'a> = dyn FnMut(&str, TransferStage, usize, usize) + 'a;

/// Scores an embedder on transfer tasks. Each distinct sentence of a task is embedded once.
///
/// Classifiers are trained in rayon's current pool; the scores do not depend on the number of threads.
///
/// # Errors
/// The embedder fails, or returns embeddings that are not finite or too large to train on; a task has too few examples,
/// or only one class.
pub fn score_transfer(
    embedder: &dyn Embedder,
    suite: &TransferSuite,
    progress: &mut TransferProgress<'_>,
) -> Result<TransferScores> {
    check_transfer(suite)?;
    let mut tasks = Vec::new();
    for task in &suite.tasks {
        tasks.push((task.name.clone(), score(embedder, task, progress)?));
    }
    Ok(TransferScores::new(tasks.into_iter().collect()))
}

/// Rejects tasks that [`score_transfer`] would reject: encoding takes longer than this.
///
/// # Errors
/// A task has too few examples, or only one class.
pub fn check_transfer(suite: &TransferSuite) -> Result<()> {
    suite.tasks.iter().try_for_each(|task| {
        let refused = |problem: String| Error::Transfer { task: task.name.clone(), problem };
        protocol::check(&task.parts, &task.classes).map_err(refused)
    })
}

fn score(
    embedder: &dyn Embedder,
    task: &TransferTask,
    progress: &mut TransferProgress<'_>,
) -> Result<TransferTaskScores> {
    let refused = |problem: String| Error::Transfer { task: task.name.clone(), problem };
    let examples = by_length(&task.parts);
    let labels: Vec<u8> = examples.iter().map(|example| example.class as u8).collect();
    let features = {
        let mut embedding =
            |done: usize, total: usize| progress(&task.name, TransferStage::Embedding, done, total);
        let embeddings = Embeddings::of(embedder, task.sentences(), &mut embedding)?;
        Features::of(&embeddings, &examples, embedder.dimension())
    };
    let data = Part { features: &features, labels: &labels, classes: task.classes.len() };
    let mut tell = |done: usize, total: usize| progress(&task.name, TransferStage::Training, done, total);
    let range = |from: usize, to: usize| (from as u32..to as u32).collect::<Vec<u32>>();
    let outcome = match &task.parts {
        Parts::Folds(_) => protocol::nested(data, &mut tell),
        Parts::TrainTest { train, .. } => {
            protocol::train_test(data, &range(0, train.len()), &range(train.len(), labels.len()), &mut tell)
        }
        Parts::TrainDevTest { train, dev, .. } => {
            let tested = train.len() + dev.len();
            let parts = [range(0, train.len()), range(train.len(), tested), range(tested, labels.len())];
            protocol::train_dev_test(data, &parts, &mut tell)
        }
    };
    let Outcome { accuracy, dev_accuracy, l2, predictions } = outcome.map_err(refused)?;
    let tested = predictions.len();
    let f1 = task.has_pairs().then(|| {
        let gold = &labels[labels.len() - tested..];
        scores::rounded(100.0 * f1(gold, &predictions))
    });
    Ok(TransferTaskScores { accuracy, dev_accuracy, f1, examples: labels.len(), tested, l2 })
}
