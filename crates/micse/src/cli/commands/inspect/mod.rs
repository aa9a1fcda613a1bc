//! `micse inspect`: shows the contents of a model folder, and its problems.

mod token_vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::model::{Checkpoint, Compute, ModelFolder, Pooling, StaticFolder, TokenConvolution, Trainable};
use crate::post::Stage;
use crate::{Model, SentenceModel};
use anyhow::{Result, bail};
use candle_core::Device;
use clap::Args;
use serde::Serialize;

use micse_cli::model::model_folder;
use micse_cli::{print, print_json};

/// Show the contents of a model folder, and check it
///
/// The model is loaded the way other commands load it, so they can use every model that has no problems here. If there
/// are problems, the exit status is 1.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse inspect demo")]
pub(crate) struct Inspect {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    model: String,
}

/// The findings. A part that cannot be read is `None`, and is listed as a problem.
#[derive(Default, Serialize)]
struct Report {
    folder: String,
    encoder: Option<EncoderFacts>,
    /// Instead of an encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_vectors: Option<TokenVectors>,
    weights: Option<WeightsFacts>,
    tokenizer: Option<TokenizerFacts>,
    pooling: Option<&'static str>,
    /// Tokens to which longer sentences are truncated.
    max_length: Option<usize>,
    /// The classes of `modules.json`.
    modules: Vec<String>,
    /// The text prepended to every sentence, if any.
    prompt: Option<String>,
    /// The folder's prompts by name, without empty ones.
    prompts: BTreeMap<String, String>,
    /// Entries of a final embedding.
    dimension: Option<usize>,
    /// The number of entries that the folder keeps of an embedding, if it truncates them.
    truncate_dim: Option<usize>,
    /// Whitening or flow after the pooling, and the corpus it was fitted on.
    stage: Option<String>,
    /// Ignored keys, as `FILE: KEY`; other libraries may follow them.
    unknown_keys: Vec<String>,
    /// Layers with weights that `config.json` does not count.
    unused_layers: usize,
    /// Parts of tokenizer.json that the tokenizer's class replaces.
    replaced_tokenizer_parts: Vec<&'static str>,
    /// The front matter of the model card.
    card: Option<String>,
    problems: Vec<String>,
}

/// A model without an encoder.
#[derive(Serialize)]
struct TokenVectors {
    /// The library whose embeddings it gives.
    library: &'static str,
    vocabulary: usize,
    dimension: usize,
    parameters: usize,
}

#[derive(Serialize)]
struct EncoderFacts {
    family: &'static str,
    layers: usize,
    hidden_size: usize,
    heads: usize,
    intermediate_size: usize,
    vocabulary: usize,
    positions: usize,
    parameters: u64,
}

#[derive(Serialize)]
struct WeightsFacts {
    files: Vec<String>,
    tensors: usize,
    bytes: u64,
    /// Tensors of each precision.
    precisions: BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct TokenizerFacts {
    file: String,
    /// One more than the largest id.
    vocabulary: usize,
    mask_token: Option<String>,
    /// The tokens of [`EXAMPLE`].
    example: Vec<String>,
}

/// The sentence whose tokens are shown: capitals and an accent show how the tokenizer treats them.
const EXAMPLE: &str = "A Café in 1984";

impl Inspect {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let path = model_folder(&self.model)?;
        let report = match StaticFolder::find(&path)? {
            Some(folder) => Report::of_token_vectors(&folder),
            None => Report::of(&ModelFolder::open(&path)?),
        };
        if as_json {
            print_json(&report)?;
        } else {
            print(&report.text())?;
        }
        match report.problems.len() {
            0 => Ok(()),
            1 => bail!("{}: 1 problem", path.display()),
            count => bail!("{}: {count} problems", path.display()),
        }
    }
}

/// The folder's prompts that are not empty.
fn prompts(problems: &mut Vec<String>, folder: &Path) -> BTreeMap<String, String> {
    let mut prompts = noted(problems, Model::prompts(folder)).unwrap_or_default();
    prompts.retain(|_, prompt| !prompt.is_empty());
    prompts
}

impl Report {
    fn of(folder: &ModelFolder) -> Self {
        let mut report = Self { folder: folder.root().display().to_string(), ..Self::default() };
        let problems = &mut report.problems;
        report.encoder = noted(problems, encoder(folder));
        report.weights = noted(problems, folder.checkpoint()).map(|weights| weights_facts(&weights));
        report.tokenizer = noted(problems, tokenizer(folder));
        report.pooling = noted(problems, folder.pooling()).flatten().map(Pooling::name);
        let asked = noted(problems, folder.max_length()).flatten();
        let positions = report.encoder.as_ref().map(|encoder| encoder.positions);
        report.max_length = asked.into_iter().chain(positions).min();
        let modules = noted(problems, folder.modules()).unwrap_or_default();
        report.modules = modules.iter().map(|module| module.class_name().to_owned()).collect();
        let stage = noted(problems, Stage::load(folder.root())).flatten();
        report.stage = stage.map(|stage| format!("{}, fitted on {}", stage.kind(), stage.fitted_on()));
        report.unknown_keys = noted(problems, folder.unknown_keys()).unwrap_or_default();
        report.unused_layers = noted(problems, folder.unused_layers()).unwrap_or_default();
        report.prompts = prompts(problems, folder.root());
        // Commands use mean pooling if the folder does not define a pooling.
        let pooling = folder.pooling().ok().flatten().unwrap_or(Pooling::Mean);
        if let Some(model) = noted(problems, SentenceModel::load(folder, Some(pooling), &Compute::cpu())) {
            report.prompt = Some(model.prompt().to_owned()).filter(|prompt| !prompt.is_empty());
            report.dimension = Some(model.dimension());
            report.truncate_dim = model.truncate_dim();
            report.replaced_tokenizer_parts = model.tokenizer().replaced_parts().to_vec();
        }
        report.card = front_matter(folder.root());
        // Every part that depends on a broken one reports the same problem.
        let mut seen = BTreeSet::new();
        report.problems.retain(|problem| seen.insert(problem.clone()));
        report
    }

    fn text(&self) -> String {
        let mut lines: Vec<(&str, String)> = vec![("folder", self.folder.clone())];
        if let Some(e) = &self.encoder {
            lines.push((
                "encoder",
                format!("{}, {} layers, hidden size {}", e.family, e.layers, e.hidden_size),
            ));
            lines.push(("", format!("{} heads, feed-forward {}", e.heads, e.intermediate_size)));
            lines.push(("", format!("vocabulary {}, positions {}", e.vocabulary, e.positions)));
            lines.push(("parameters", format!("{:.2} million", e.parameters as f64 / 1e6)));
        }
        if let Some(t) = &self.token_vectors {
            lines.push(("encoder", "none: the mean of token vectors (StaticEmbedding)".into()));
            lines.push(("vectors", format!("{} tokens, dimension {}", t.vocabulary, t.dimension)));
            lines.push(("", format!("embeddings as by {}", t.library)));
            lines.push(("parameters", format!("{:.2} million", t.parameters as f64 / 1e6)));
        }
        if let Some(w) = &self.weights {
            let precisions: Vec<String> =
                w.precisions.iter().map(|(name, count)| format!("{count} tensors in {name}")).collect();
            lines.push((
                "weights",
                format!("{}, {:.1} MiB", w.files.join(", "), w.bytes as f64 / f64::from(1 << 20)),
            ));
            lines.push(("", precisions.join(", ")));
            if self.unused_layers > 0 {
                lines.push((
                    "",
                    format!("{} more layers than config.json counts (not used)", self.unused_layers),
                ));
            }
        }
        if let Some(t) = &self.tokenizer {
            let mask = match &t.mask_token {
                _ if self.token_vectors.is_some() => String::new(),
                Some(mask) => format!(", {mask}"),
                None => ", no mask token".into(),
            };
            lines.push(("tokenizer", format!("{}, {} ids{mask}", t.file, t.vocabulary)));
            lines.push(("", format!("\"{EXAMPLE}\": {}", t.example.join(" "))));
        }
        let pooling = self.pooling.unwrap_or("not defined by the folder: mean (--pooling selects another)");
        if self.token_vectors.is_none() {
            lines.push(("pooling", pooling.into()));
        }
        if let Some(length) = self.max_length {
            lines.push(("max length", format!("{length} tokens")));
        }
        if !self.modules.is_empty() {
            lines.push(("modules", self.modules.join(", ")));
        }
        lines
            .extend(self.prompt.iter().map(|prompt| ("prompt", format!("{prompt:?} before every sentence"))));
        lines.extend(
            self.prompts.iter().map(|(name, prompt)| ("named prompt", format!("{name}: {prompt:?}"))),
        );
        let kept = if self.truncate_dim.is_some() { " (truncate_dim)" } else { "" };
        lines.extend(self.dimension.map(|n| ("dimension", format!("{n}{kept}"))));
        lines.extend(self.stage.iter().map(|stage| ("stage", stage.clone())));
        lines.extend(self.unknown_keys.iter().map(|key| ("unknown key", format!("{key} (ignored)"))));
        lines.extend(self.replaced_tokenizer_parts.iter().map(|part| {
            let how = "as transformers builds it for this tokenizer class, not as in tokenizer.json";
            ("tokenizer", format!("{part} {how}"))
        }));
        lines.extend(
            self.card
                .iter()
                .flat_map(|card| card.lines())
                .enumerate()
                .map(|(i, line)| (if i == 0 { "card" } else { "" }, line.to_owned())),
        );
        lines.extend(self.problems.iter().map(|problem| ("PROBLEM", problem.clone())));
        let mut text = String::new();
        for (name, value) in lines {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{name:<12}{value}");
        }
        text
    }
}

/// The value, or `None` after adding the error to the problems.
fn noted<T, E: std::fmt::Display>(problems: &mut Vec<String>, found: Result<T, E>) -> Option<T> {
    found.map_err(|error| problems.push(error.to_string())).ok()
}

/// Loads the encoder: a missing tensor or a wrong shape is an error.
fn encoder(folder: &ModelFolder) -> crate::model::Result<EncoderFacts> {
    let config = folder.config()?;
    let encoder = folder.encoder(&Compute::cpu())?;
    let count = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let convolution = TokenConvolution::in_folder(folder.path(), &config, &Device::Cpu)?;
    let after = convolution.iter().flat_map(Trainable::parameters);
    let parameters = encoder.parameters().into_iter().chain(after).map(|info| count(&info.shape)).sum();
    Ok(EncoderFacts {
        family: config.family.name(),
        layers: config.num_hidden_layers,
        hidden_size: config.hidden_size,
        heads: config.num_attention_heads,
        intermediate_size: config.intermediate_size,
        vocabulary: config.vocab_size,
        positions: config.max_position_embeddings,
        parameters,
    })
}

fn weights_facts(weights: &Checkpoint) -> WeightsFacts {
    let mut precisions = BTreeMap::new();
    for (name, _) in weights.tensors() {
        let precision = weights.dtype(name).map_or("another type", |dtype| dtype.as_str());
        *precisions.entry(precision.to_owned()).or_default() += 1;
    }
    WeightsFacts {
        files: weights.files().iter().map(|path| name_of(path)).collect(),
        tensors: weights.tensors().count(),
        bytes: weights.bytes(),
        precisions,
    }
}

fn tokenizer(folder: &ModelFolder) -> crate::model::Result<TokenizerFacts> {
    let tokenizer = folder.tokenizer()?;
    let tokens = tokenizer.tokens();
    let ids = tokenizer.encode(EXAMPLE, 64)?;
    Ok(TokenizerFacts {
        file: name_of(tokenizer.path()),
        vocabulary: tokenizer.vocabulary_size(),
        mask_token: tokenizer.mask_token(),
        example: ids.iter().map(|&id| tokens[id as usize].clone()).collect(),
    })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The text between the first two lines of three dashes in a folder's README.md, if the file begins with such a line.
fn front_matter(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("README.md")).ok()?;
    let (_, rest) = text.split_once("---\n").filter(|(before, _)| before.trim().is_empty())?;
    Some(rest.split_once("\n---")?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_s_front_matter_is_what_stands_between_dashes() {
        let folder = tempfile::tempdir().expect("a folder");
        let with = |text: &str| {
            std::fs::write(folder.path().join("README.md"), text).expect("README.md");
            front_matter(folder.path())
        };
        assert_eq!(
            with("---\nlicense: mit\ntags:\n- a\n---\n# x\n").as_deref(),
            Some("license: mit\ntags:\n- a")
        );
        assert_eq!(with("# x\n---\nno\n---\n"), None);
        assert_eq!(with("---\nno end"), None);
        assert_eq!(front_matter(Path::new("no-such-folder")), None);
    }
}
