//! Fig. 5: cosines against human scores.

use micse_eval::PairScores;

use crate::similarity::check_names;
use crate::{Error, Result};

/// An STS task under two models.
#[derive(Clone, Debug, PartialEq)]
pub struct HumanScores {
    /// The task.
    pub task: String,
    /// The models.
    pub panels: [ScoredPairs; 2],
}

/// The pairs of a task under one model.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPairs {
    /// The model's name.
    pub model: String,
    /// The human score of each pair, 0 to 5, higher is more similar.
    pub human: Vec<f32>,
    /// The cosine of each pair, without dropout.
    pub cosines: Vec<f32>,
    /// Spearman's correlation of the two, times 100; NaN if all cosines, or all scores, are equal.
    pub spearman: f64,
}

/// Compares the cosines of two models on the pairs of one task.
///
/// # Errors
/// No pairs; the models have different pairs; a cosine that is not finite; two models of one name.
pub fn human_scores(task: &str, names: [&str; 2], scores: [&PairScores; 2]) -> Result<HumanScores> {
    check_names(names)?;
    let [one, other] = scores;
    if one.human.is_empty() || one.human != other.human {
        return Err(Error::TooFew {
            what: format!("the pairs of {task}"),
            found: format!("{} and {} pairs, not the same ones", one.human.len(), other.human.len()),
            remedy: "score both models on the same STS set".into(),
        });
    }
    let panel = |i: usize| {
        let PairScores { cosines, human } = scores[i];
        if let Some(bad) = cosines.iter().position(|cosine| !cosine.is_finite()) {
            let sentence = format!("pair {} of {task}", bad + 1);
            return Err(Error::NotFinite { model: names[i].to_owned(), what: "cosine", sentence });
        }
        Ok(ScoredPairs {
            model: names[i].to_owned(),
            human: human.clone(),
            cosines: cosines.clone(),
            spearman: scores[i].spearman(),
        })
    };
    Ok(HumanScores { task: task.to_owned(), panels: [panel(0)?, panel(1)?] })
}
