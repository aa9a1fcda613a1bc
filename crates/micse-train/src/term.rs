//! Terms: the one interface of all objectives, of this crate and of calling programs.

use std::sync::Arc;

use candle_core::Tensor;
use micse_losses::Selection;
use micse_model::BertConfig;
use micse_random::Stream;

use crate::networks::{NetworkKind, Networks};
use crate::objectives::{Custom, Objective};
use crate::recipe::{Recipe, SecondKind};
use crate::trainer::{StepStart, StepView};
use crate::{Error, Result};

/// The error of a term: a message, or any error type.
pub type TermError = Box<dyn std::error::Error + Send + Sync>;
/// `Result` with a [`TermError`].
pub type TermResult<T> = std::result::Result<T, TermError>;

/// One term of a loss.
///
/// The objectives of this crate implement it on their values (see [`crate::objectives`]). A calling program passes its
/// own terms as [`Terms`], for recipes that name them with `kind = "custom"`, `term = "NAME"`. A term must be a
/// function of its arguments alone, so that a resumed run is bit-for-bit identical. `docs/adding-a-method.md` shows
/// step by step how to add one.
pub trait Term: Send + Sync {
    /// The name in recipes, metrics and errors.
    fn name(&self) -> &'static str;

    /// The parts that a recipe must have for the term.
    fn needs(&self) -> Needs {
        Needs::views(2)
    }

    /// The divisor of cosines, if the term has one.
    fn temperature(&self) -> Option<f64> {
        None
    }

    /// Checks the term's values and what they require of the recipe, beyond [`Self::needs`].
    ///
    /// # Errors
    /// A message that names the keys and the fix.
    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        let _ = recipe;
        Ok(())
    }

    /// Checks that the term can work with an encoder of this configuration.
    ///
    /// # Errors
    /// A message that names the keys and the fix.
    fn check_encoder(&self, config: &BertConfig) -> TermResult<()> {
        let _ = config;
        Ok(())
    }

    /// Layers whose token states the term reads from a pass, from 0 (the embeddings) to `depth`. Such a term must also
    /// set [`Needs::tokens`].
    fn states(&self, pass: usize, depth: usize) -> Vec<usize> {
        let _ = (pass, depth);
        Vec::new()
    }

    /// Attention positions that the term reads from the first pass and its partner, drawn from `stream` before the
    /// passes run.
    ///
    /// # Errors
    /// No positions can be drawn.
    fn attention(&self, start: &StepStart<'_>, stream: Stream) -> TermResult<Option<Selection>> {
        let _ = (start, stream);
        Ok(None)
    }

    /// The loss: a scalar computed by candle operations on the tensors of the step, so that gradients reach them.
    ///
    /// # Errors
    /// A value is missing, or the tensors do not fit.
    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let _ = step;
        Err(format!("the term `{}` has no loss", self.name()).into())
    }

    /// The term's value outside the objectives' graph, for terms with [`Needs::beside`]: they have a separate backward
    /// pass, and no [`Self::loss`]. `None`: nothing to do at this step.
    ///
    /// # Errors
    /// As [`Self::loss`].
    fn beside(&self, start: &StepStart<'_>) -> TermResult<Option<Box<dyn Beside>>> {
        let _ = start;
        Ok(None)
    }
}

/// The value of a term outside the objectives' graph, and its backward pass.
pub trait Beside {
    /// The value, before the weight.
    fn value(&self) -> f64;

    /// Adds the gradients of `weight` times the value to the networks' collected gradients.
    ///
    /// # Errors
    /// The tensor library fails.
    fn backward(&self, weight: f64, networks: &mut Networks) -> TermResult<()>;
}

/// The parts that a recipe must have for a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the needs are independent")]
#[non_exhaustive]
pub struct Needs {
    /// Passes of the batch, over all views and towers.
    pub passes: usize,
    /// How many passes it reads, from the first; `None`: all. A recipe with more passes than any term reads is
    /// rejected.
    pub reads: Option<usize>,
    /// A second network of this kind.
    pub second: Option<SecondKind>,
    /// Token states of the whole batch, which are too large to keep when it is encoded in chunks.
    pub tokens: bool,
    /// Pairs of which some are positive.
    pub pairs: bool,
    /// Views of the same sentences, so no pairs.
    pub same_sentences: bool,
    /// A convolution over tokens.
    pub convolution: bool,
    /// A head.
    pub head: bool,
    /// The queue of the momentum encoder.
    pub queue: bool,
    /// At least two sentences in every batch: the term is undefined on one.
    pub two_sentences: bool,
    /// A mask token; for built-in objectives only.
    pub masks: bool,
    /// A backward pass outside the objectives' graph: see [`Term::beside`].
    pub beside: bool,
    /// Networks that the trainer builds for the term; for built-in objectives only.
    pub networks: &'static [NetworkKind],
}

impl Needs {
    /// `passes` passes, and nothing else.
    pub const fn views(passes: usize) -> Self {
        Self {
            passes,
            reads: Some(passes),
            second: None,
            tokens: false,
            pairs: false,
            same_sentences: false,
            convolution: false,
            head: false,
            queue: false,
            two_sentences: false,
            masks: false,
            beside: false,
            networks: &[],
        }
    }
}

/// The custom terms of a calling program.
#[derive(Clone, Default)]
pub struct Terms(Vec<Arc<dyn Term>>);

impl Terms {
    /// No terms.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a term.
    #[must_use]
    pub fn with(mut self, term: impl Term + 'static) -> Self {
        self.0.push(Arc::new(term));
        self
    }

    /// Rejects a recipe that names an unknown term, or that lacks what a custom term needs.
    pub(crate) fn check(&self, recipe: &Recipe) -> Result<()> {
        for objective in &recipe.objectives {
            if let Objective::Custom(custom) = objective {
                let term = self.custom(recipe, custom)?;
                recipe.check_term(term)?;
                let needs = term.needs();
                if needs.masks || !needs.networks.is_empty() {
                    return Err(Error::Recipe {
                        name: recipe.name.clone(),
                        reason: format!(
                            "the custom term `{}` needs masks or networks of its own, which the trainer prepares for \
                             built-in objectives only",
                            custom.term
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    /// Rejects chunks for custom terms that read the token states of the whole batch.
    pub(crate) fn check_chunks(&self, recipe: &Recipe) -> Result<()> {
        for objective in &recipe.objectives {
            let term = self.of(recipe, objective)?;
            if term.needs().tokens {
                return Err(
                    recipe.no_chunks(&format!("{} reads token states of the whole batch", term.name()))
                );
            }
        }
        Ok(())
    }

    /// The term of an objective.
    pub(crate) fn of<'a>(&'a self, recipe: &Recipe, objective: &'a Objective) -> Result<&'a dyn Term> {
        match objective {
            Objective::Custom(custom) => self.custom(recipe, custom),
            known => Ok(known.term()),
        }
    }

    fn custom(&self, recipe: &Recipe, custom: &Custom) -> Result<&dyn Term> {
        let found = self.0.iter().find(|term| term.name() == custom.term);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|term| term.name()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::Recipe {
                name: recipe.name.clone(),
                reason: format!(
                    "unknown custom term `{}`; this program provides {known}. Only programs that use this library can \
                     add custom terms: see docs/adding-a-method.md",
                    custom.term
                ),
            }
        })
    }
}
