//! Recipes: a method is data. A recipe says which views, networks and objectives train an encoder.
//!
//! Recipes are TOML; unknown keys are refused. The built-in ones are embedded from `recipes/`: the
//! paper's form under the plain name, the released code's as `NAME@released-code`.

mod built_in;
mod check;
mod objectives;
mod set;

use std::path::Path;

use micse_data::Suite;
use micse_model::{Padding, Pooling};
use serde::{Deserialize, Serialize};

pub use built_in::names;
pub use objectives::{Ami, AmiLayers, InfoNce, MaskedLm, Negatives, Objective};

use crate::{Error, Result};

/// A method: everything that decides how an encoder is trained, but for data and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name in tables.
    pub name: String,
    /// Where the method and its values come from.
    pub source: String,
    /// From token states to rows, in training and at test.
    pub pooling: TrainTest,
    /// The network on the pooled rows, in training only.
    #[serde(default)]
    pub head: Head,
    /// Training sentences are cut to so many tokens, `[CLS]` and `[SEP]` included.
    pub max_length: usize,
    /// Optimizer steps; the same at every size.
    pub steps: usize,
    /// Which weights are kept.
    #[serde(default)]
    pub select: Select,
    /// Steps between two development scores, with `select = "stsb-dev"`.
    #[serde(default = "eval_every")]
    pub eval_every: usize,
    /// How short sentences of a batch are treated.
    #[serde(default)]
    pub padding: PaddingRule,
    /// The views of each sentence, in order.
    pub views: Vec<View>,
    /// A momentum copy of the encoder, and its queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<Momentum>,
    /// The weighted terms of the loss.
    pub objectives: Vec<Objective>,
    /// How parameters move.
    pub optimizer: Optimizer,
}

fn eval_every() -> usize {
    125
}

/// Pooling in training and at test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainTest {
    /// What the head and the objectives see.
    pub train: Pooling,
    /// What the finished model gives.
    pub test: Pooling,
}

/// The network between pooled rows and objectives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Rows go to the objectives as they are.
    #[default]
    None,
    /// tanh(W h + b), new: W ~ N(0, 0.02), b = 0.
    TanhMlp,
}

/// Which weights a run keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// Those of the last step.
    #[default]
    Last,
    /// Those with the best Spearman correlation on the development pairs.
    StsbDev,
}

/// [`Padding`] as recipes write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaddingRule {
    /// No padding.
    #[default]
    Drop,
    /// Pad rows are computed, nobody attends to them.
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

/// One view of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Dropout rate of hidden states and attention.
    pub dropout: f64,
}

/// A copy of the encoder that follows it slowly (He et al. 2020), and the queue of its embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Momentum {
    /// Every step: slow = decay * slow + (1 - decay) * online.
    pub decay: f64,
    /// Its dropout rate.
    pub dropout: f64,
    /// When it follows.
    #[serde(default)]
    pub update: MomentumUpdate,
    /// Whether its dropout acts.
    #[serde(default)]
    pub mode: MomentumMode,
    /// Rows that the queue holds.
    pub queue: usize,
    /// Its head is the online head; false: a head of its own that follows with the same decay.
    #[serde(default = "yes")]
    pub share_head: bool,
    /// A sentence's own queued copies are no negatives for it.
    #[serde(default)]
    pub mask_same_sentence: bool,
}

fn yes() -> bool {
    true
}

/// When the momentum copy follows the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentumUpdate {
    /// After the optimizer's step.
    #[default]
    AfterStep,
    /// Before the forward pass (ESimCSE's code).
    BeforeStep,
}

/// Whether dropout acts in the momentum copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentumMode {
    /// It does.
    #[default]
    Train,
    /// It does not.
    Eval,
}

/// How parameters move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The rule.
    pub kind: OptimizerKind,
    /// The largest learning rate.
    pub lr: f64,
    /// Sentences a step.
    pub batch_size: usize,
    /// The learning rate over the steps.
    #[serde(default)]
    pub schedule: Schedule,
    /// Steps over which the rate grows from 0.
    #[serde(default)]
    pub warmup_steps: usize,
    /// Gradients are scaled down to this norm; 0 switches it off.
    #[serde(default = "one")]
    pub clip: f64,
    /// Decoupled decay, never on biases and LayerNorm.
    #[serde(default)]
    pub weight_decay: f64,
    /// Decay of the moments.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    #[serde(default = "epsilon")]
    pub eps: f64,
}

fn one() -> f64 {
    1.0
}
fn betas() -> [f64; 2] {
    [0.9, 0.999]
}
fn epsilon() -> f64 {
    1e-8
}

/// The optimizer's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay.
    Adamw,
}

/// The learning rate over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Up during the warm-up, then down to 0 in a straight line.
    #[default]
    Linear,
    /// Up during the warm-up, then level.
    Constant,
}

impl Recipe {
    /// Parses and checks a recipe. `name` is used in errors only.
    ///
    /// # Errors
    /// No TOML of this form, unknown keys, or a mix that cannot work.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::parse_with(name, text, &[])
    }

    /// [`Self::parse`] after some values were changed: `settings` are `key.path=value`, where a list of
    /// tables is entered by index or by its `kind`, as in `objectives.ami.weight=1e-3`.
    ///
    /// # Errors
    /// As [`Self::parse`]; also a setting whose path leads nowhere.
    pub fn parse_with(name: &str, text: &str, settings: &[String]) -> Result<Self> {
        let invalid = |reason: String| Error::Recipe { name: name.into(), reason };
        let mut table: toml::Table = text.parse().map_err(|e| invalid(format!("{e}")))?;
        for setting in settings {
            set::apply(&mut table, setting).map_err(&invalid)?;
        }
        let recipe: Self = table.try_into().map_err(|e| invalid(format!("{e}")))?;
        recipe.check().map_err(invalid)?;
        Ok(recipe)
    }

    /// A built-in recipe by its name (see [`names`]), or one from a file when the name ends in `.toml`.
    ///
    /// # Errors
    /// There is none of that name; the error lists those that there are.
    pub fn load(name: &str, settings: &[String]) -> Result<Self> {
        if Path::new(name).extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(name).map_err(Error::io(Path::new(name)))?;
            return Self::parse_with(name, &text, settings);
        }
        let text = built_in::text(name).ok_or_else(|| Error::Recipe {
            name: name.into(),
            reason: format!("there is no such recipe; there are {}, or give a file.toml", names().join(", ")),
        })?;
        Self::parse_with(name, text, settings)
    }

    /// [`Self::load`] for another number of steps: the warm-up keeps its share unless a setting names it, and
    /// never takes more than a tenth of the steps.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(name: &str, settings: &[String], steps: Option<usize>) -> Result<Self> {
        let named = settings.iter().any(|s| s.trim_start().starts_with("optimizer.warmup_steps"));
        Ok(Self::load(name, settings)?.with_steps(steps, named))
    }

    fn with_steps(mut self, steps: Option<usize>, keep_warmup: bool) -> Self {
        if let Some(steps) = steps.filter(|_| keep_warmup) {
            self.steps = steps;
        } else if let Some(steps) = steps {
            let share = self.optimizer.warmup_steps as f64 / self.steps.max(1) as f64;
            self.optimizer.warmup_steps = (share * steps as f64).round() as usize;
            self.steps = steps;
        }
        let limit = self.steps / 10;
        if self.optimizer.warmup_steps > limit {
            tracing::warn!(
                "{}: the warm-up of {} steps is cut to a tenth of the {} steps",
                self.name,
                self.optimizer.warmup_steps,
                self.steps
            );
            self.optimizer.warmup_steps = limit;
        }
        self
    }

    /// The InfoNCE terms.
    pub fn infonce(&self) -> impl Iterator<Item = &InfoNce> {
        self.objectives.iter().filter_map(|o| if let Objective::Infonce(o) = o { Some(o) } else { None })
    }

    /// The AMI terms.
    pub fn ami(&self) -> impl Iterator<Item = &Ami> {
        self.objectives.iter().filter_map(|o| if let Objective::Ami(o) = o { Some(o) } else { None })
    }

    /// The masked-LM term; there is at most one.
    pub fn masked_lm(&self) -> Option<&MaskedLm> {
        self.objectives.iter().find_map(|o| if let Objective::MaskedLm(o) = o { Some(o) } else { None })
    }

    /// Refuses a recipe whose batches cannot be encoded in chunks.
    ///
    /// # Errors
    /// An objective reads token states.
    pub fn check_chunks(&self) -> Result<()> {
        let Some(objective) = self.objectives.iter().find(|o| o.needs_tokens()) else { return Ok(()) };
        Err(Error::Recipe {
            name: self.name.clone(),
            reason: format!(
                "{} reads token states of the whole batch, so it cannot be encoded in chunks; leave --chunk out, or                  make optimizer.batch_size smaller",
                objective.name()
            ),
        })
    }

    /// What *selected on* says in tables, for a run that is scored on `suite`.
    pub fn selected_on(&self, suite: &Suite) -> String {
        match (self.select, suite.name.as_str()) {
            (Select::Last, _) => "last step".into(),
            (Select::StsbDev, "demo") => "demo dev".into(),
            (Select::StsbDev, _) => "STS-B dev".into(),
        }
    }
}
