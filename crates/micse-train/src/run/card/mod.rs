//! The model card: `README.md` of a saved model, which the Hugging Face Hub shows and sentence-transformers keeps.
//!
//! It contains only facts of the run, without dates or paths, so that the same run writes the same card. Facts that
//! only a person knows, above all the licence, come from [`CardFacts`] or are omitted.

mod front_matter;
mod markdown;
mod sections;
mod yaml;

use std::path::Path;

use micse_eval::{Evaluation, HubSnapshot};
use micse_files::write_whole;
use micse_model::SentenceModel;

use super::{RunInputs, RunResult};
use crate::Result;
pub use front_matter::{CardScore, FrontMatter};
pub use markdown::thousands;

/// The file's name in a model folder.
const FILE: &str = "README.md";

/// Facts for a card that a run does not know.
#[derive(Clone, Debug, Default)]
pub struct CardFacts {
    /// The model's name; `None`: the method and the number of sentences.
    pub name: Option<String>,
    /// The base model's Hub model ID, `owner/name`; `None`: the ID of a base in the Hub cache, else omitted.
    pub base_model: Option<String>,
    /// Languages of the corpus, by their ISO 639-1 codes.
    pub languages: Vec<String>,
    /// The licence of the model, by the Hub's name for it (`apache-2.0`).
    pub license: Option<String>,
    /// Scores of the model before training, on the same suite and with its folder's pooling.
    pub untrained: Option<Evaluation>,
}

/// The input of a card's sections.
struct Card<'a> {
    inputs: &'a RunInputs<'a>,
    result: &'a RunResult,
    /// The base model's Hub model ID.
    base: Option<String>,
    /// `4 layers, hidden size 256, ...`.
    encoder: String,
    /// The embedding dimension.
    dimension: usize,
    /// Tokens to which the model truncates sentences.
    max_length: usize,
    /// Parts of the model that only this project can load.
    own_modules: Vec<&'static str>,
}

/// Writes the card of a saved model.
///
/// # Errors
/// The folder cannot be read or written.
pub(super) fn write(
    folder: &Path,
    inputs: &RunInputs<'_>,
    model: &SentenceModel<'_>,
    result: &RunResult,
) -> Result<()> {
    let (config, parameters) = (model.encoder().config(), model.encoder().parameters());
    let count: usize = parameters.iter().map(|info| info.shape.iter().product::<usize>()).sum();
    let card = Card {
        inputs,
        result,
        base: inputs
            .card
            .base_model
            .clone()
            .or_else(|| HubSnapshot::of(inputs.base.path()).map(|snapshot| snapshot.id)),
        encoder: format!(
            "{} layers, hidden size {}, {} heads, a vocabulary of {}, {:.1} million parameters",
            config.num_hidden_layers,
            config.hidden_size,
            config.num_attention_heads,
            thousands(config.vocab_size),
            count as f64 / 1e6,
        ),
        dimension: model.dimension(),
        max_length: model.max_length(),
        own_modules: model.own_modules(),
    };
    Ok(write_whole(&folder.join(FILE), card.text().as_bytes())?)
}

impl Card<'_> {
    fn text(&self) -> String {
        let title = format!("# {}\n", markdown::plain(&self.name()));
        let head = self.front_matter().to_string();
        let sections = [
            self.description(),
            self.usage(),
            self.training(),
            self.judged(),
            self.scores(),
            self.citation(),
        ];
        let sections =
            sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n");
        [head, title, sections].join("\n")
    }

    fn name(&self) -> String {
        let made = || match self.result.steps {
            0 => self.result.method.clone(),
            _ => format!("{} on {} sentences", self.result.method, thousands(self.result.sentences)),
        };
        self.inputs.card.name.clone().unwrap_or_else(made)
    }

    fn front_matter(&self) -> FrontMatter {
        // Tables show correlations times 100; other tools expect them unscaled.
        let share = |value: f64| Some(value / 100.0);
        let tasks = self.result.scores.tasks.iter().map(|(name, scores)| CardScore {
            dataset: name.to_owned(),
            split: "test",
            pearson: share(scores.pearson.all),
            spearman: share(scores.spearman.all),
        });
        let dev = self.inputs.suite.dev.iter().zip(self.result.scores.dev_spearman);
        let dev = dev.map(|(task, spearman)| CardScore {
            dataset: task.name.clone(),
            split: "validation",
            pearson: None,
            spearman: share(spearman),
        });
        FrontMatter {
            name: self.name(),
            sentence_transformers: self.own_modules.is_empty(),
            base_model: self.base.clone(),
            languages: self.inputs.card.languages.clone(),
            license: self.inputs.card.license.clone(),
            scores: tasks.chain(dev).collect(),
        }
    }
}
