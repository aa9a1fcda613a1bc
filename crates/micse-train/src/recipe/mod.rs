//! Recipes: a method is data. A recipe lists the views, networks and objectives that train an encoder.
//!
//! Recipes are TOML; unknown keys are rejected. The built-in ones are embedded from `recipes/`: the paper's version
//! under the plain name, the released-code variant as `NAME@released-code`.

mod built_in;
mod by_size;
mod check;
mod extend;
mod network;
mod optimizer;
mod set;
mod steps;
mod view;

use std::path::Path;

use micse_data::Suite;
use micse_data::sts::{DEMO_TASK, Task};
use micse_model::head::ConvolutionShape;
use micse_model::{HeadLayer, Padding, Pooling};
use serde::{Deserialize, Serialize};

pub use built_in::names;
pub use network::{Head, HeadRows, Momentum, MomentumMode, NamedHead, Second, SecondKind};
pub use optimizer::{Decays, Optimizer, OptimizerKind, ParameterGroup, Schedule};
pub use view::{CutOff, Pairs, PerturbationBy, Positions, Tower, View};

pub use crate::objectives::Objective;
use crate::objectives::{Ami, MaskedLm, ReplacedTokens};
use crate::{Error, Result};
pub(crate) use check::{check_positive, check_rate};
pub(crate) use set::apply as apply_setting;
use steps::Asked;

/// A method: everything that determines how an encoder is trained, except data and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name in tables.
    pub name: String,
    /// The source of the method and its values.
    pub source: String,
    /// How the source trained.
    #[serde(default)]
    pub published: Published,
    /// Pooling from token states to rows, in training and at test; none with a convolution.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pooling: TrainTest,
    /// The network on the pooled rows, in training only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head: Head,
    /// Which rows the head processes together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head_rows: HeadRows,
    /// Layers after the head, on the online encoder's views only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictor: Vec<HeadLayer>,
    /// Convolutions over token states, whose mean is the embedding, in training and at test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convolution: Option<ConvolutionShape>,
    /// Training sentences are truncated to this many tokens, `[CLS]` and `[SEP]` included. Only recipes that read
    /// training sentences have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Optimizer steps; the same at every size.
    pub steps: usize,
    /// Which weights are kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub select: Select,
    /// Steps between two development scores, if they select the weights; 125 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// How shorter sentences of a batch are padded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: PaddingRule,
    /// The views of each sentence, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    /// A momentum copy of the encoder, and its queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<Momentum>,
    /// A second encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// The weighted terms of the loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<Objective>,
    /// The optimizer and its schedule; none without training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
    /// The transformation of finished embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// The recipes for small training sets.
    #[serde(skip)]
    by_size: Vec<by_size::BySize>,
}

/// Steps between two development scores, if a recipe does not say.
const EVAL_EVERY: usize = 125;
/// The length that evaluation pads to, if a recipe reads no training sentences.
const MAX_LENGTH: usize = 512;

/// For keys that are written only if they differ from the default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For switches that are written only if they are off.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// Pooling in training and at test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainTest {
    /// The input of the head and the objectives; none without training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Pooling>,
    /// The pooling of the finished model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Pooling>,
}

/// Which weights a run keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// The weights of the last step.
    #[default]
    Last,
    /// The weights with the best Spearman correlation on the development pairs.
    StsbDev,
    /// The weights with the best Spearman correlation on SICK's trial pairs, which share most of their sentences with
    /// SICK's test pairs.
    SickrDev,
}

impl Select {
    /// The pairs used for selection; `None`: no selection, or `suite` has no such pairs.
    pub fn pairs(self, suite: &Suite) -> Option<&Task> {
        match self {
            Self::Last => None,
            Self::StsbDev => suite.dev.as_ref(),
            Self::SickrDev => suite.sick_dev.as_ref(),
        }
    }
}

/// [`Padding`] as recipes write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PaddingRule {
    /// No padding.
    #[default]
    Drop,
    /// Pad rows are computed, but no token attends to them.
    Keep,
    /// Pads are ordinary tokens.
    Attend,
}

impl From<PaddingRule> for Padding {
    fn from(rule: PaddingRule) -> Self {
        match rule {
            PaddingRule::Drop => Self::Drop,
            PaddingRule::Keep => Self::Keep,
            PaddingRule::Attend => Self::Attend,
        }
    }
}

/// A transformation of finished embeddings, fitted to the training sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Post {
    /// Whitening (Su et al. 2021; Huang et al. 2021).
    Whitening {
        /// Columns to keep; all by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        components: Option<usize>,
    },
    /// A normalising flow (Li et al. 2020, BERT-flow), trained by maximum likelihood.
    Flow {
        /// Optimizer steps of the fit.
        steps: usize,
        /// Sentences per step.
        batch_size: usize,
        /// Its learning rate.
        lr: f64,
        /// Dropout of the encoder during the fit.
        dropout: f64,
    },
}

/// How the method's source trained, as tables of results report it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Its training corpus.
    pub text: String,
    /// How it chose its weights.
    pub selection: String,
    /// The differences here, and why.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Recipe {
    /// Parses and checks a recipe. `name` is used in errors only.
    ///
    /// # Errors
    /// Invalid TOML, unknown keys, or an invalid combination.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::parse_with(name, text, &[], &[])
    }

    /// [`Self::parse`], with the terms `with` added (`ami`, which also prefixes the name with `ami-`) and some values
    /// changed: `settings` are `key.path=value`, where a path names an entry of a list by its index or its `kind`, as
    /// in `objectives.ami.weight=1e-3`. `key.path=` removes a value; `select=last` also removes `eval_every`.
    ///
    /// # Errors
    /// As [`Self::parse`]; also a setting with an unknown path.
    pub fn parse_with(name: &str, text: &str, with: &[String], settings: &[String]) -> Result<Self> {
        let invalid = |reason: String| Error::Recipe { name: name.into(), reason };
        let table: toml::Table = text.parse().map_err(|e| invalid(format!("{e}")))?;
        let mut table = extend::resolve(table).map_err(&invalid)?;
        for term in with {
            extend::add(&mut table, term).map_err(&invalid)?;
            if let Some(toml::Value::String(name)) = table.get_mut("name") {
                *name = format!("{term}-{name}");
            }
        }
        let asked = |key: &str| settings.iter().any(|s| s.split('=').next().is_some_and(|k| k.trim() == key));
        let read = |mut table: toml::Table| {
            settings.iter().try_for_each(|setting| set::apply(&mut table, setting))?;
            // Who asks for the last step does not ask for development scores.
            let last = table.get("select").is_some_and(|select| select.as_str() == Some("last"));
            if last && asked("select") && !asked("eval_every") {
                table.remove("eval_every");
            }
            let recipe: Self = table.try_into().map_err(|e| format!("{e}"))?;
            recipe.check()?;
            Ok(recipe)
        };
        let mut by_size = by_size::take(&mut table, read).map_err(&invalid)?;
        for entry in &mut by_size {
            entry.asked = entry.asked.or(Asked::of(settings));
            entry.epochs = entry.epochs.filter(|_| !asked("steps"));
        }
        Ok(Self { by_size, ..read(table).map_err(invalid)? })
    }

    /// A built-in recipe by its name (see [`names`]), or a recipe file if the name ends in `.toml`.
    ///
    /// # Errors
    /// No recipe has that name; the error lists the names.
    pub fn load(name: &str, settings: &[String]) -> Result<Self> {
        Self::load_with(name, &[], settings)
    }

    /// [`Self::load`] with terms added, see [`Self::parse_with`].
    ///
    /// # Errors
    /// As [`Self::load`]; also a term that the recipe already has, or that does not exist.
    pub fn load_with(name: &str, with: &[String], settings: &[String]) -> Result<Self> {
        if Path::new(name).extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(name).map_err(Error::io(Path::new(name)))?;
            return Self::parse_with(name, &text, with, settings);
        }
        let text = built_in::text(name).ok_or_else(|| Error::Recipe {
            name: name.into(),
            reason: format!("no such recipe; use one of {}, or FILE.toml", names().join(", ")),
        })?;
        Self::parse_with(name, text, with, settings)
    }

    /// The pooling of the rows that the head and the objectives see. A convolution replaces it by its mean.
    pub fn train_pooling(&self) -> Pooling {
        self.pooling.train.unwrap_or_else(|| self.test_pooling())
    }

    /// The pooling of the finished model. A convolution replaces it by its mean.
    pub fn test_pooling(&self) -> Pooling {
        self.pooling.test.unwrap_or(Pooling::Mean)
    }

    /// The token limit of training sentences, or 512 for a recipe that reads none.
    pub fn token_limit(&self) -> usize {
        self.max_length.unwrap_or(MAX_LENGTH)
    }

    /// Steps between two development scores; `None` if the weights of the last step are kept.
    pub fn development_interval(&self) -> Option<usize> {
        (self.select != Select::Last).then(|| self.eval_every.unwrap_or(EVAL_EVERY))
    }

    /// The pooling that keeps the finished model from being saved: other programs have only `cls` and `mean`. `None` if
    /// it can be saved.
    pub fn unsaved_pooling(&self) -> Option<Pooling> {
        Some(self.test_pooling()).filter(|pooling| !matches!(pooling, Pooling::Cls | Pooling::Mean))
    }

    /// Whether another recipe trains in the same way; names and sources do not count.
    pub fn has_values_of(&self, other: &Self) -> bool {
        self.values() == other.values()
    }

    fn values(&self) -> Self {
        let by_size = self.by_size.iter().map(by_size::BySize::values).collect();
        let published = Published::default();
        Self { name: String::new(), source: String::new(), published, by_size, ..self.clone() }
    }

    /// The optimizer of a recipe that trains.
    ///
    /// # Errors
    /// The recipe has none.
    pub fn optimizer(&self) -> Result<&Optimizer> {
        self.optimizer.as_ref().ok_or_else(|| Error::Recipe {
            name: self.name.clone(),
            reason: "no [optimizer]: a recipe that trains needs its kind, lr and batch_size".into(),
        })
    }

    /// The AMI terms.
    pub fn ami(&self) -> impl Iterator<Item = &Ami> {
        self.objectives.iter().filter_map(|o| if let Objective::Ami(o) = o { Some(o) } else { None })
    }

    /// The masked-LM term; a recipe has at most one.
    pub fn masked_lm(&self) -> Option<&MaskedLm> {
        self.objectives.iter().find_map(|o| if let Objective::MaskedLm(o) = o { Some(o) } else { None })
    }

    /// The replaced-token term.
    pub fn replaced_tokens(&self) -> Option<&ReplacedTokens> {
        self.objectives.iter().find_map(|o| if let Objective::ReplacedTokens(o) = o { Some(o) } else { None })
    }

    /// Whether the result depends on a masked-LM head in the encoder's folder.
    pub fn uses_masked_lm_head(&self) -> bool {
        self.masked_lm().is_some() || self.replaced_tokens().is_some()
    }

    /// Why the model before and after training cannot be compared weight by weight; `None` if it can.
    pub fn unjudged(&self) -> Option<&'static str> {
        match self {
            _ if self.steps == 0 => Some("has no steps"),
            _ if self.convolution.is_some() => Some("adds a convolution"),
            _ if self.post.is_some() => Some("ends in whitening or a flow"),
            _ => None,
        }
    }

    /// Passes per step, over all views and towers, without the passes of masked-lm and of the queue.
    pub fn passes(&self) -> usize {
        let towers = |view: &View| if view.tower == Tower::Both { 2 } else { 1 };
        self.views.iter().map(|view| view.copies * towers(view)).sum()
    }

    /// Rejects a recipe whose batches cannot be encoded in chunks.
    ///
    /// # Errors
    /// The recipe reads token states of the whole batch, perturbs embeddings, or trains through the momentum encoder.
    pub fn check_chunks(&self) -> Result<()> {
        let tokens = self
            .objectives
            .iter()
            .find(|o| o.needs().tokens)
            .map(|o| format!("{} reads token states of the whole batch", o.name()));
        let perturbed = self.views.iter().any(|v| v.perturbation.is_some());
        let perturbed = perturbed.then(|| "views.perturbation needs the whole batch's gradient".to_owned());
        let open = self.momentum.filter(|m| !m.stop_gradient).map(|_| {
            "momentum.stop_gradient = false propagates gradients through two networks, which works on whole batches \
             only"
                .to_owned()
        });
        tokens.or(perturbed).or(open).map_or(Ok(()), |reason| Err(self.no_chunks(&reason)))
    }

    /// The error of a recipe whose batches cannot be encoded in chunks.
    pub(crate) fn no_chunks(&self, reason: &str) -> Error {
        Error::Recipe {
            name: self.name.clone(),
            reason: format!(
                "{reason}, so batches cannot be encoded in chunks; remove --chunk, or lower optimizer.batch_size"
            ),
        }
    }

    /// The column *selected on* in tables, for a run scored on `suite`.
    pub fn selected_on(&self, suite: &Suite) -> String {
        if self.steps == 0 {
            return "none".into();
        }
        match (self.select, suite.dev.as_ref().map(|dev| dev.name.as_str())) {
            (Select::Last, _) => "last step".into(),
            (Select::SickrDev, _) => "SICK-R dev".into(),
            (Select::StsbDev, Some(DEMO_TASK)) => "demo dev".into(),
            (Select::StsbDev, Some("STSBenchmark") | None) => "STS-B dev".into(),
            (Select::StsbDev, Some(own)) => own.into(),
        }
    }
}
