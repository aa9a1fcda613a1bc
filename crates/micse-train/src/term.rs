//! Terms that a caller brings: objectives that this library does not know.

use std::sync::Arc;

use candle_core::Tensor;

use crate::recipe::{Custom, Objective, Recipe};
use crate::{Error, Result};

/// An objective on the rows of a batch's views, for recipes that name it by `kind = "custom"`, `term = "NAME"`.
///
/// It has to be plain candle operations, so that the gradient reaches the rows, and a function of its arguments alone,
/// so that a resumed run repeats itself. `docs/adding-a-method.md` makes one step by step.
pub trait Term: Send + Sync {
    /// Its name in recipes and metrics.
    fn name(&self) -> &'static str;

    /// How many passes (views, times towers) it reads.
    fn passes(&self) -> usize {
        2
    }

    /// The loss, a scalar: `rows` are `[B, D]` behind the head, one tensor for each pass, in the recipe's order;
    /// `values` is what the recipe gives beside the weight.
    ///
    /// # Errors
    /// A value is missing, or the rows do not fit.
    fn loss(
        &self,
        rows: &[Tensor],
        values: &toml::Table,
    ) -> std::result::Result<Tensor, Box<dyn std::error::Error + Send + Sync>>;
}

/// The terms that a caller brings.
#[derive(Clone, Default)]
pub struct Terms(Vec<Arc<dyn Term>>);

impl Terms {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, term: impl Term + 'static) -> Self {
        self.0.push(Arc::new(term));
        self
    }

    /// Refuses a recipe that names a term which is not here, or one that reads more passes than it makes.
    pub(crate) fn check(&self, recipe: &Recipe) -> Result<()> {
        for objective in &recipe.objectives {
            let Objective::Custom(custom) = objective else { continue };
            let term = self.find(recipe, custom)?;
            if recipe.passes() < term.passes() {
                return Err(Error::Recipe {
                    name: recipe.name.clone(),
                    reason: format!(
                        "{} view(s), but the term `{}` reads {}: write more [[views]]",
                        recipe.passes(),
                        term.name(),
                        term.passes()
                    ),
                });
            }
        }
        Ok(())
    }

    /// The term that a recipe names.
    pub(crate) fn find(&self, recipe: &Recipe, custom: &Custom) -> Result<&dyn Term> {
        let found = self.0.iter().find(|term| term.name() == custom.term);
        found.map(AsRef::as_ref).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|term| term.name()).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::Recipe {
                name: recipe.name.clone(),
                reason: format!(
                    "it names the custom term `{}`, but the program brings {known}; custom terms are for programs that \
                     use this library, see docs/adding-a-method.md",
                    custom.term
                ),
            }
        })
    }
}
