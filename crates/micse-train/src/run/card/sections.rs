//! The sections of a card.

use std::fmt::Write as _;

use micse_eval::Evaluation;
use serde::Serialize;

use super::Card;
use super::markdown::{block, code, plain, thousands};
use crate::recipe::{Objective, Post, Recipe, Select};
use crate::run::Chosen;

/// Placeholder for the folder or the Hub model ID; sentence-transformers fills in the ID when it uploads a model.
const MODEL: &str = "sentence_transformers_model_id";

const MICSE_BIBTEX: &str = "\
@inproceedings{klein-nabi-2023-micse,
  title = {{miCSE}: Mutual Information Contrastive Learning for Low-shot Sentence Embeddings},
  author = {Klein, Tassilo and Nabi, Moin},
  booktitle = {Proceedings of the 61st Annual Meeting of the Association for Computational Linguistics (Volume 1: Long Papers)},
  year = {2023},
  pages = {6159--6177},
  publisher = {Association for Computational Linguistics},
  doi = {10.18653/v1/2023.acl-long.339},
}";

impl Card<'_> {
    pub(super) fn description(&self) -> String {
        let recipe = &self.inputs.recipe;
        let base = match &self.base {
            Some(id) => format!("[{}](https://huggingface.co/{})", plain(id), url_path(id)),
            None => "a pre-trained encoder".to_owned(),
        };
        let count = thousands(self.result.sentences);
        let origin = match (recipe.steps, &recipe.post) {
            (0, None) => format!("It is {base}, without further training"),
            (0, Some(_)) => format!("It is {base}, whose embeddings were fitted to {count} sentences"),
            _ => format!("It was trained from {base} on {count} sentences without labels"),
        };
        let cut = format!(" Sentences are truncated to {} tokens.", self.max_length);
        format!(
            "A sentence encoder: it maps sentences to vectors of {} numbers; the cosine of two vectors measures how \
             similar their sentences are in meaning. {origin}, by the method {} ({}).{cut}\n",
            self.dimension,
            code(&recipe.name),
            plain(&recipe.source),
        )
    }

    pub(super) fn usage(&self) -> String {
        let mut text = String::from("## Use\n\n");
        if self.own_modules.is_empty() {
            text += "With [sentence-transformers](https://www.sbert.net):\n\n";
            text += &block(
                "python",
                &format!(
                    "from sentence_transformers import SentenceTransformer\n\n\
                     model = SentenceTransformer(\"{MODEL}\")  # or the path of this folder\n\
                     embeddings = model.encode([\"A man plays the guitar.\", \"Someone makes music.\"])\n\
                     print(model.similarity(embeddings, embeddings))"
                ),
            );
        } else {
            let modules: Vec<String> = self.own_modules.iter().map(|name| code(name)).collect();
            let _ = writeln!(
                text,
                "sentence-transformers has no module for a part of this model ({}) and cannot load the folder.",
                modules.join(", ")
            );
        }
        let commands = "micse encode --model FOLDER --input sentences.txt --output embeddings.npy\n\
                        micse eval --model FOLDER --sts SENTEVAL";
        text += "\nWith the commands of the project that trained it:\n\n";
        text + &block("bash", commands)
    }

    pub(super) fn training(&self) -> String {
        let (inputs, recipe) = (self.inputs, &self.inputs.recipe);
        let mut text = format!("## Training\n\n- Encoder: {}\n", self.encoder);
        let mut line = |what: &str, words: String| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "- {what}: {words}");
        };
        if recipe.steps > 0 || recipe.post.is_some() {
            let described = &inputs.text.described;
            let sources: Vec<String> = described.sources.iter().map(|name| code(name)).collect();
            line(
                "Corpus",
                format!(
                    "{} of the {} sentences of {}",
                    thousands(described.sentences),
                    thousands(described.corpus_sentences),
                    sources.join(", ")
                ),
            );
        }
        if let Some(o) = &recipe.optimizer {
            let terms: Vec<String> = recipe.objectives.iter().map(term).collect();
            line("Loss", terms.join(" + "));
            line(
                "Steps",
                format!(
                    "{} of {} sentences, truncated to {} tokens",
                    thousands(recipe.steps),
                    o.batch_size.min(inputs.text.indices.len()),
                    recipe.token_limit()
                ),
            );
            line(
                "Optimizer",
                format!(
                    "{}, learning rate {:e} ({} schedule, {} warm-up steps), weight decay {}, gradients clipped at {}",
                    word(&o.kind),
                    o.lr,
                    word(&o.schedule),
                    o.warmup_steps,
                    o.weight_decay,
                    o.clip
                ),
            );
            if let Some(m) = &recipe.momentum {
                line("Momentum encoder", format!("decay {}, a queue of {} embeddings", m.decay, m.queue));
            }
            let kept = match self.result.selected_step {
                Some(0) => {
                    format!("those of the encoder: no step scored better on {}", self.result.selected_on)
                }
                Some(step) => {
                    format!("from step {step}, with the best score on {}", self.result.selected_on)
                }
                None => format!("from the {}", self.result.selected_on),
            };
            line(
                "Weights",
                plain(&self.result.chosen.as_ref().map_or(kept.clone(), |chosen| mixed(chosen, &kept))),
            );
        }
        if let Some(post) = &recipe.post {
            let kind = match post {
                Post::Whitening { .. } => "whitening",
                Post::Flow { .. } => "a normalising flow",
            };
            line("After the encoder", format!("{kind}, fitted to the same sentences"));
        }
        line("Pooling", recipe.test_pooling().to_string());
        line(
            "Run",
            format!(
                "seed {}, micse {}, engine {}, precision {}, device {}",
                inputs.seed,
                env!("CARGO_PKG_VERSION"),
                inputs.compute.engine,
                inputs.compute.precision,
                inputs.compute.device_name()
            ),
        );
        text += &whole_recipe(recipe);
        text
    }

    pub(super) fn scores(&self) -> String {
        let scores = &self.result.scores;
        let tasks: Vec<&str> = scores.tasks.iter().map(|(name, _)| name).collect();
        if tasks.is_empty() && scores.dev_spearman.is_none() {
            return "## Scores\n\nNot scored.\n".to_owned();
        }
        let mut columns: Vec<String> = tasks.iter().map(|name| plain(name)).collect();
        if tasks.len() > 1 {
            columns.push("average".into());
        }
        if scores.dev_spearman.is_some() {
            columns.push("development".into());
        }
        let mut text = format!(
            "## Scores\n\nSpearman's rank correlation of cosines and human scores, times 100, over all pairs of a task \
             together ({} pairs).\n\n| | {} |\n|---|{}\n",
            plain(&self.result.evaluated_on),
            columns.join(" | "),
            "---:|".repeat(columns.len())
        );
        let mut row = |name: &str, of: &Evaluation| {
            let task = |name: &&str| of.tasks.get(name).map(|task| task.spearman.all);
            let mut values: Vec<Option<f64>> = tasks.iter().map(task).collect();
            if tasks.len() > 1 {
                values.push(Some(of.average));
            }
            if scores.dev_spearman.is_some() {
                values.push(of.dev_spearman);
            }
            let cell = |value: &Option<f64>| match value {
                Some(value) if value.is_finite() => format!("{value:.2}"),
                _ => "-".to_owned(),
            };
            let cells: Vec<String> = values.iter().map(cell).collect();
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        };
        row("this model", scores);
        if let Some(before) = &self.inputs.card.untrained {
            row("before training", before);
        }
        if self.result.evaluated_on == "demo" {
            text += "\nThe demo pairs and their scores are generated by rules: they serve to compare methods, and do \
                     not represent human judgements.\n";
        }
        if self.result.selected_step.is_some() {
            text += match self.inputs.recipe.select {
                Select::SickrDev => {
                    "\nThe weights were selected on SICK's trial pairs, which share most of their sentences with \
                     SICK's test pairs, so the SICK-R score does not measure unseen sentences.\n"
                }
                Select::Last | Select::StsbDev => {
                    "\nThe weights were selected on the development pairs, so the development score does not measure \
                     unseen pairs.\n"
                }
            };
        }
        text
    }

    /// What the judge measured on held-out sentences, before and after.
    pub(super) fn judged(&self) -> String {
        let Some((chosen, kept)) =
            self.result.chosen.as_ref().and_then(|chosen| Some((chosen, chosen.kept()?)))
        else {
            return String::new();
        };
        let mut text = format!(
            "## Before and after\n\nMeasured without labels on {} sentences of the corpus that were held out from \
             training; searches are mean reciprocal ranks.\n\n| measure | before | after | change | 95 % interval \
             |\n|---|---:|---:|---:|---|\n",
            thousands(chosen.sentences)
        );
        for row in kept.change.rows() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }

    pub(super) fn citation(&self) -> String {
        let mut text = format!("## Citation\n\nThe method: {}.\n", plain(&self.inputs.recipe.source));
        if self.inputs.recipe.ami().next().is_some() {
            text.push('\n');
            text += &block("bibtex", MICSE_BIBTEX);
        }
        text
    }
}

/// The shares of the weights before and after training.
fn mixed(chosen: &Chosen, trained: &str) -> String {
    match chosen.share {
        0.0 => "those of the encoder, because no trained weights were better".to_owned(),
        1.0 => trained.to_owned(),
        share => format!(
            "an average, {:.0} % {trained} and {:.0} % from the encoder",
            100.0 * share,
            100.0 * (1.0 - share)
        ),
    }
}

/// A term of the loss with its weight and temperature: `0.0025 × ami`, `infonce (temperature 0.05)`.
fn term(objective: &Objective) -> String {
    let weight = objective.weight();
    let factor = if weight == 1.0 { String::new() } else { format!("{weight} × ") };
    let temperature = objective.temperature().map_or_else(String::new, |t| format!(" (temperature {t})"));
    format!("{factor}{}{temperature}", objective.name())
}

/// The name of a choice in recipes.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The recipe, in a collapsed block.
fn whole_recipe(recipe: &Recipe) -> String {
    // Does not fail: the run has already written the recipe to its run.toml.
    let text = toml::to_string(recipe).unwrap_or_default();
    format!("\n<details><summary>The complete recipe</summary>\n\n{}\n</details>\n", block("toml", &text))
}

/// A Hub model ID within a link: other characters are percent-encoded.
fn url_path(id: &str) -> String {
    let mut path = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_told_with_their_weights() {
        let recipe = Recipe::load("micse", &["objectives.ami.weight=0.5".into()]).unwrap();
        let terms: Vec<String> = recipe.objectives.iter().map(term).collect();
        assert_eq!(terms, ["infonce (temperature 0.05)", "0.5 × ami"]);
        let optimizer = recipe.optimizer.expect("an optimizer");
        assert_eq!([word(&optimizer.kind), word(&optimizer.schedule)], ["adamw", "linear"]);
    }

    #[test]
    fn links_hold_any_name() {
        assert_eq!(url_path("google-bert/bert_base.1"), "google-bert/bert_base.1");
        assert_eq!(url_path("a b)/é"), "a%20b%29/%C3%A9");
    }

    #[test]
    fn every_built_in_recipe_can_be_shown() {
        for name in crate::recipe::names() {
            let recipe = Recipe::load(name, &[]).unwrap().for_sentences(usize::MAX);
            let shown = whole_recipe(&recipe);
            let toml = shown.split("```toml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
            assert_eq!(Recipe::parse("shown", toml).unwrap(), recipe);
        }
    }
}
