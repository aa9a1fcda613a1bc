//! What a user should know of a text before training on it.

use super::{Note, Result};
use crate::data::TextOp;
use crate::model::ModelFolder;
use crate::train::{Recipe, TrainText};

/// The sentences that are tokenized to look for unknown words.
const TOKENIZED: usize = 200;
/// The tokens of each of them that count.
const TOKENS: usize = 64;
/// The share of unknown tokens above which a user is told of them.
const MOST_UNKNOWN: f64 = 0.05;
/// The share of texts that a recipe leaves as they are above which a user is told of them.
const MOST_UNCHANGED: f64 = 0.2;

/// A notice if the model's tokenizer does not know many words of the text: to the model, they are all the same.
pub(super) fn unknown_words(base: &ModelFolder, text: &TrainText) -> Result<Option<Note>> {
    let tokenizer = base.tokenizer()?;
    let unknown: Vec<u32> = ["[UNK]", "<unk>"].into_iter().filter_map(|token| tokenizer.id(token)).collect();
    let sample = (0..text.indices.len().min(TOKENIZED) as u32).map(|number| text.sentence(number));
    let ids = tokenizer.encode_all(&sample.collect::<Vec<_>>(), TOKENS)?;
    let all: usize = ids.iter().map(Vec::len).sum();
    let share = ids.iter().flatten().filter(|&id| unknown.contains(id)).count() as f64 / all.max(1) as f64;
    Ok((share > MOST_UNKNOWN).then(|| {
        Note::Notice(format!(
            "{:.0} % of the tokens are words that the model's tokenizer does not know, which are all the same to the model; use a \
             model for the language of this corpus",
            100.0 * share
        ))
    }))
}

/// A notice if many sentences are too short for the recipe's change of texts.
pub(super) fn unchanged(recipe: &Recipe, text: &TrainText) -> Option<Note> {
    let all = text.indices.len();
    let op = recipe.views.iter().find_map(|view| view.text)?;
    let unchanged = (0..all as u32).filter(|&number| !op.can_change(text.sentence(number))).count();
    let limit = match op {
        TextOp::Crop { .. } => "have fewer than four words".to_owned(),
        _ => format!("are too short for `{}`", op.name()),
    };
    (unchanged as f64 > MOST_UNCHANGED * all as f64).then(|| {
        Note::Notice(format!(
            "{unchanged} of {all} sentences {limit} and stay whole, so that their views differ less and teach less; join \
             lines that belong together"
        ))
    })
}
