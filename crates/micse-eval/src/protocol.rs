//! The STS protocol: rank correlation of the cosines of two embeddings with human scores.
//!
//! Only the model's own limit truncates sentences; a pair with a zero vector has cosine 0. This is `SentEval`'s
//! protocol as unsupervised work reports it: Spearman over all pairs of a task together (Reimers & Gurevych
//! 2019; Gao, Yao, Chen 2021, appendix B).

use micse_data::sts::{Pair, Suite, Task};

use crate::embedder::Embeddings;
use crate::evaluation::{Aggregates, Evaluation, SubsetScores, TaskScores};
use crate::{Embedder, Named, PairScores, Result, alignment, pearson, spearman, uniformity};

/// A development pair with at least this score is a positive pair for [`alignment`].
const POSITIVE_SCORE: f64 = 4.0;

/// Scores an embedder on a suite. Each distinct sentence is embedded once; `progress` receives the number of
/// sentences done and the total. `model` and `pooling` of the result are empty; set them with
/// [`Evaluation::of_model`].
///
/// Alignment and uniformity are computed on the suite's development set; for uniformity, a sentence counts once
/// per pair it appears in.
///
/// # Errors
/// The embedder fails, returns the wrong number of rows or rows of the wrong length, or an embedding contains
/// NaN or infinity (the error names the sentence).
pub fn evaluate(
    embedder: &dyn Embedder,
    suite: &Suite,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    Ok(evaluate_pairs(embedder, suite, progress)?.0)
}

/// Like [`evaluate`], and also returns the cosine and the human score of every pair of each task, in the suite's order,
/// for comparing two models pair by pair.
///
/// # Errors
/// Like [`evaluate`].
pub fn evaluate_pairs(
    embedder: &dyn Embedder,
    suite: &Suite,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Evaluation, Named<PairScores>)> {
    let pairs = suite.tasks.iter().chain(&suite.dev).flat_map(Task::pairs);
    let embeddings = Embeddings::of(embedder, sentences(pairs), progress)?;
    let (mut tasks, mut pair_scores) = (Vec::new(), Vec::new());
    for task in &suite.tasks {
        let (cosines, human) = columns(&embeddings, task.pairs());
        tasks.push((task.name.clone(), score(&embeddings, task, &cosines, &human)));
        pair_scores.push((task.name.clone(), PairScores::new(&cosines, &human)));
    }
    let average = tasks.iter().map(|(_, task)| task.spearman.all).sum::<f64>() / tasks.len() as f64;
    let dev = suite.dev.as_ref();
    let positives = |task: &Task| {
        let positives = task.pairs().filter(|pair| pair.score >= POSITIVE_SCORE);
        alignment(positives.map(|pair| (embeddings.unit(&pair.first), embeddings.unit(&pair.second))))
    };
    let spread = |task: &Task| {
        uniformity(&sentences(task.pairs()).map(|sentence| embeddings.unit(sentence)).collect::<Vec<_>>())
    };
    let of_dev = |task: &Task| {
        let (cosines, scores) = columns(&embeddings, task.pairs());
        100.0 * spearman(&cosines, &scores)
    };
    let evaluation = Evaluation {
        model: String::new(),
        pooling: String::new(),
        dimension: Some(embedder.dimension()),
        truncate_dim: embedder.truncate_dim(),
        average,
        dev_spearman: dev.map(of_dev).filter(|value| value.is_finite()),
        alignment: dev.and_then(positives),
        uniformity: dev.and_then(spread),
        tasks: tasks.into_iter().collect(),
        transfer: None,
    };
    Ok((evaluation, pair_scores.into_iter().collect()))
}

/// Spearman's correlation, times 100, over all pairs of one task, by which models are selected. NaN if it is
/// undefined (for example, if all cosines are equal).
///
/// # Errors
/// Like [`evaluate`].
pub fn dev_spearman(embedder: &dyn Embedder, task: &Task) -> Result<f64> {
    let embeddings = Embeddings::of(embedder, sentences(task.pairs()), &mut |_, _| {})?;
    let (cosines, scores) = columns(&embeddings, task.pairs());
    Ok(100.0 * spearman(&cosines, &scores))
}

fn sentences<'a>(pairs: impl Iterator<Item = &'a Pair>) -> impl Iterator<Item = &'a str> {
    pairs.flat_map(|pair| [pair.first.as_str(), pair.second.as_str()])
}

/// Cosines and human scores of pairs.
fn columns<'a>(embeddings: &Embeddings<'_>, pairs: impl Iterator<Item = &'a Pair>) -> (Vec<f64>, Vec<f64>) {
    pairs.map(|pair| (embeddings.cosine(&pair.first, &pair.second), pair.score)).unzip()
}

/// Scores of a task whose pairs have these cosines and human scores.
fn score(embeddings: &Embeddings<'_>, task: &Task, cosines: &[f64], human: &[f64]) -> TaskScores {
    let both =
        |cosines: &[f64], human: &[f64]| (100.0 * spearman(cosines, human), 100.0 * pearson(cosines, human));
    let subsets: Vec<(String, SubsetScores)> = task
        .subsets
        .iter()
        .map(|subset| {
            let (cosines, human) = columns(embeddings, subset.pairs.iter());
            let (spearman, pearson) = both(&cosines, &human);
            (subset.name.clone(), SubsetScores { pairs: subset.pairs.len(), spearman, pearson })
        })
        .collect();
    let all = both(cosines, human);
    let values = |of: fn(&SubsetScores) -> f64| -> Vec<(usize, f64)> {
        subsets.iter().map(|(_, scores)| (scores.pairs, of(scores))).collect()
    };
    TaskScores {
        pairs: task.len(),
        spearman: Aggregates::new(all.0, &values(|scores| scores.spearman)),
        pearson: Aggregates::new(all.1, &values(|scores| scores.pearson)),
        subsets: subsets.into_iter().collect(),
    }
}
